//! The command line, as clap derives it.

use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;

use blc_backends::emit::Format;
use blc_backends::sim::Engine;
use blc_frontend::import;
use blc_passes::default::{self, EFFORT};
use clap::builder::{PossibleValuesParser, Styles, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

#[cfg(feature = "train")]
mod train;

#[cfg(feature = "train")]
pub use train::{Quickstart, Sweep, Train};

use crate::batch::BitOrder;
use crate::target::{self, Chosen};
use crate::ui::{Color, ErrorFormat};

/// What `blc` is called with.
#[derive(Debug, Parser)]
#[command(
    name = "blc",
    version,
    about = "The BitLogic compiler: neural networks of lookup tables to FPGA logic",
    max_term_width = 100,
    styles = Styles::styled(),
    after_help = "Examples:
  blc train --data digits -o model.safetensors
  blc compile model.safetensors --target xc7
  blc sim --input batch.npy --output pred.npy

Exit codes: 0 fine, 1 the input is wrong, 2 usage, 3 not equal, 4 undecided, 101 an error of blc.
Data goes to stdout, talk to stderr."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// How diagnostics are written to stderr
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub error_format: ErrorFormat,
    /// When to colour stderr; `auto` honours NO_COLOR
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// Say more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say nothing but errors and the data asked for
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Worker threads [default: one for each core]; results do not depend on it
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole way on embedded data: train, compile, simulate, compare
    #[cfg(feature = "train")]
    Quickstart(Quickstart),
    /// Train a network of lookup tables
    #[cfg(feature = "train")]
    Train(Train),
    /// Train and compile many configurations, and compare accuracy with area
    #[cfg(feature = "train")]
    Sweep(Sweep),
    /// Make a model of another library's checkpoint
    Import(Import),
    /// Compile a model or netlist for a target
    Compile(Box<Compile>),
    /// Run a compiled design on a batch of samples
    Sim(Sim),
    /// Prove that two designs compute the same, or show an input on which they differ
    Equiv(Equiv),
    /// Show in what two designs are built differently
    Diff(Diff),
    /// Run passes: one IR in, one IR out
    Opt(Opt),
    /// Shrink a design on which a command fails
    Reduce(Reduce),
    /// Write a .blir in its canonical form, comments kept
    Fmt(Fmt),
    /// Show the report of a compiled design
    Report(Report),
    /// Draw what an output is made of
    View(View),
    /// Begin a project
    New(New),
    /// Build a project: train, compile, simulate, report, nothing twice
    Build(Build),
    /// List the passes and their options
    Passes(Passes),
    /// Explain an error code, the ops of the language, or list the codes
    Explain(Explain),
    /// Print the completions of a shell
    Completions(Completions),
    /// Write manual pages
    Man(Man),
}

/// `blc import`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc import model.pt --from torchlogix --sidecar model.toml -o model.safetensors
  blc import whole.pt --from difflogic --sidecar input.toml -o model.safetensors

A checkpoint is what torch.save wrote (a state_dict, or a module saved whole, which says more), or safetensors. Nothing in
it is ever run. What it does not say stands in a sidecar; without one the error shows a template to fill in.")]
pub struct Import {
    /// Checkpoint: .pt, .pth or .safetensors
    #[arg(value_name = "FILE")]
    pub input: PathBuf,
    /// The library that wrote it
    #[arg(long, value_name = "FORMAT",
          value_parser = PossibleValuesParser::new(import::Format::ALL.map(import::Format::name)).try_map(|name| import::Format::from_name(&name).ok_or("no such format")))]
    pub from: import::Format,
    /// What the checkpoint does not say, as TOML
    #[arg(long, value_name = "FILE")]
    pub sidecar: Option<PathBuf>,
    /// Where the model goes
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print what the model is as JSON
    #[arg(long)]
    pub json: bool,
}

/// Where `compile` writes and `sim` and `report` read, unless told otherwise.
pub const DEFAULT_DIR: &str = "blc-out";

/// `blc compile`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc compile model.safetensors --target xc7
  blc compile circuit.blif --target lut4 --emit blif -o out
  blc compile model.safetensors --target xc7 --passes '@default' --verify-each --check-each sim
  blc compile model.safetensors --target xc7 --stages 0 --no-encoder --no-head
  blc compile model.safetensors --target xc7 --prove
  blc compile model.safetensors --target xc7 --prune digits --accuracy-budget 0.5

A model is pipelined by default (II = 1), a netlist stays combinational; `--stages` says otherwise.
Earlier outputs stay as they were unless all new ones are complete.")]
pub struct Compile {
    /// model.safetensors, a .blif or AIGER netlist or a .blir
    #[arg(value_name = "INPUT")]
    pub input: PathBuf,
    /// xc7 (Xilinx 7-series), xcup (UltraScale+), ecp5, ice40, gowin, lut2 to lut8 (behavioural Verilog for any device),
    /// gates (standard cells), or a device of your own as a .toml
    #[arg(long, value_name = "TARGET", value_parser = target::parse)]
    pub target: Chosen,
    /// Folder for the outputs
    #[arg(short, long, value_name = "DIR", default_value = DEFAULT_DIR)]
    pub output: PathBuf,
    /// What to write besides design.blir and the reports. verilog: NAME.v and its self-checking NAME_tb.v, for xc7 also
    /// xc7_sim.v, models of the primitives to simulate with; blif: NAME.blif; json: NAME.json for nextpnr; axis: NAME_axis.v, an
    /// AXI4-Stream wrapper; project: scripts for Vivado or nextpnr, constraints, a FuseSoC core, a VHDL component; rust: NAME.rs;
    /// dot: NAME.dot for Graphviz
    #[arg(long, value_name = "FORMATS", value_delimiter = ',', default_value = "verilog,blif",
          value_parser = PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| Format::from_name(&name)))]
    pub emit: Vec<Format>,
    /// Standard cells of `--target gates`, in the Liberty format [default: a small library of blc's own]
    #[arg(long, value_name = "FILE")]
    pub liberty: Option<PathBuf>,
    /// Pipeline of passes; `blc passes` lists them
    #[arg(long, value_name = "PASSES", default_value = "@default")]
    pub passes: String,
    /// Rewrite rules of your own, each proved when it is read; `blc explain BL2120` shows how they are written
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Pipeline stages of `@default`, the shortest that so many can be, with the fewest registers for that; 0 for none [default:
    /// one a layer for a model, none for a netlist]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub stages: Option<u32>,
    /// The fewest registers of `@default` with which this clock is reached, by the target's estimated delays; with `--stages`, in
    /// that many
    #[arg(long, value_name = "MHZ", value_parser = positive)]
    pub clock: Option<f64>,
    /// As many stages of `@default` as fit into this time from input to output, by the target's estimated delays
    #[arg(long, value_name = "NS", conflicts_with_all = ["stages", "clock"], value_parser = positive)]
    pub latency_ns: Option<f64>,
    /// Head of `@default`: `small`, of few sites; `fast`, of few levels and without carry chains, about half the time from
    /// input to output for up to half more sites; `iterative=M`, small, its sums sharing adders, so that a sample takes M
    /// cycles: `in_valid`, held until `in_ready`, and `out_valid` [default: fast with --latency-ns, else small]
    #[arg(long, value_name = "KIND", conflicts_with = "no_head", value_parser = head)]
    pub head: Option<Head>,
    /// Encoder of `@default`: `iterative=M`, its comparisons sharing comparators, a sample in M cycles as with `--head`
    #[arg(long, value_name = "KIND", conflicts_with_all = ["no_encoder", "head"], value_parser = iterative)]
    pub encoder: Option<u64>,
    /// A bit beside the data of `@default` that says whether it is there: `in_valid` and `out_valid`
    #[arg(long)]
    pub valid: bool,
    /// A synchronous reset of the handshake in `@default`: `rst`, or `rst_n`, which resets while 0. Data has none and needs none
    #[arg(long, value_enum, value_name = "RESET", default_value_t)]
    pub reset: Reset,
    /// Registers at the ports in `@default`, over those of the stages: in, out or both
    #[arg(long, value_enum, value_name = "PORTS", value_delimiter = ',')]
    pub registers: Vec<Side>,
    /// Rename a port: `--port x=pixels,clk=aclk`
    #[arg(long = "port", value_name = "OLD=NEW", value_delimiter = ',', value_parser = rename)]
    pub ports: Vec<(String, String)>,
    /// Name of the design in what is emitted [default: the model's or the file's]
    #[arg(long, value_name = "NAME")]
    pub top: Option<String>,
    /// Bytes of the input bus of `--emit axis` [default: a whole sample]
    #[arg(long, value_name = "BYTES")]
    pub bus: Option<NonZeroU16>,
    /// Speed grade of the target [default: as its file says; xc7 and xcup: 2]
    #[arg(long, value_name = "GRADE")]
    pub speed_grade: Option<String>,
    /// Work to spend on area in `@default`, 0 to 3: each level takes at most the sites of the one before
    #[arg(short = 'O', value_name = "LEVEL", default_value_t = EFFORT,
          value_parser = clap::value_parser!(u8).range(0..=3))]
    pub effort: u8,
    /// Most lookup tables on a path between ports and registers; an error where no design with so few is found
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_levels: Option<u32>,
    /// What `@default` is not to use
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    pub forbid: Vec<Forbid>,
    #[command(flatten)]
    pub parts: Parts,
    /// Width of the fixed-point words that real inputs become in `@default` [default: 10]
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub input_bits: Option<u8>,
    /// Prove that the design computes what the input says, and sign it off in report.json
    #[arg(long)]
    pub prove: bool,
    /// Approximate: drop table inputs on which hardly a prediction on this data set depends (the data set the model was
    /// trained on; what training held out chooses how far to go, test samples only measure)
    #[arg(long, value_name = "DATA", conflicts_with_all = ["prune", "prove"])]
    pub calibrate: Option<String>,
    /// Approximate: drop table inputs that the labels of this data set hardly need, and fit tables to them anew (the
    /// data set the model was trained on; what training held out chooses how far to go, test samples only measure)
    #[arg(long, value_name = "DATA", conflicts_with = "prove")]
    pub prune: Option<String>,
    /// Points of held-out accuracy that `--prune` may take, beside the standard error of measuring them
    #[arg(long, value_name = "POINTS", requires = "prune", default_value = "0.2")]
    pub accuracy_budget: f64,
    /// Print report.json instead of the table
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub debug: Debug,
}

/// What slices have beside single lookup tables, and how heads are made small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Forbid {
    /// Two functions in one site, and the compressors of heads that are made so
    Pair,
    /// Multiplexers that join lookup tables
    Muxf,
    /// Carry chains
    Carry,
    /// What sums share, and what comparisons have in common, taken out of heads (from `-O2` on)
    Words,
}

/// How passes are watched.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Watching passes")]
pub struct Debug {
    /// Verify the IR after every pass
    #[arg(long)]
    pub verify_each: bool,
    /// Check that every pass keeps the function
    #[arg(long, value_enum, value_name = "HOW")]
    pub check_each: Option<Check>,
    /// Print the IR to stderr after this pass (`all`: after each)
    #[arg(long, value_name = "PASS")]
    pub print_ir_after: Vec<String>,
    /// Say how long each pass took
    #[arg(long)]
    pub timing: bool,
}

/// How passes are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Check {
    /// The reference evaluator runs corner cases and random samples before and after
    Sim,
    /// Prove before and after equal; exit code 4 where that takes too much
    Sat,
}

/// `blc sim`
#[derive(Clone, Debug, Args)]
#[command(group(ArgGroup::new("samples").required(true)), after_help = "Examples:
  blc sim --data digits
  blc sim --input batch.npy
  blc sim --input test_x.npy --labels test_y.npy --output pred.npy --scores scores.npy
  blc sim blc-out/design.blir --input batch.npy --engine reference --json

A batch is an .npy [N, features] (or of the model's shape), u8 or float32 as the model's input is, or [N, bits] of
bool or 0 and 1 for a design without an encoder. Predictions are classes u8/u16 [N], or bits u8 [N, outputs] without
a head.")]
pub struct Sim {
    /// Folder of a compiled design, or a .blir
    #[arg(value_name = "DESIGN", default_value = DEFAULT_DIR)]
    pub design: PathBuf,
    /// Batch of samples, .npy
    #[arg(long, value_name = "FILE", group = "samples")]
    pub input: Option<PathBuf>,
    /// Instead of a batch: the test samples of a data set, as `blc train --data` takes it, with their classes
    #[arg(long, value_name = "DATA", group = "samples", conflicts_with_all = ["labels", "packed"])]
    pub data: Option<String>,
    /// Class of each sample, .npy; prints the accuracy
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Where classes (or bits) go, .npy
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where scores go, .npy [N, classes]
    #[arg(long, value_name = "FILE")]
    pub scores: Option<PathBuf>,
    /// What evaluates the design
    #[arg(long, value_name = "ENGINE", default_value = Engine::Auto.name(),
          value_parser = PossibleValuesParser::new(Engine::ALL.map(Engine::name)).try_map(|name| name.parse::<Engine>()))]
    pub engine: Engine,
    /// The batch holds bits, eight in a byte, in this order (of `numpy.packbits`: big)
    #[arg(long, value_name = "ORDER")]
    pub packed: Option<BitOrder>,
    /// Run cycle by cycle, a sample a cycle, for N cycles; --output is then what stands at the outputs in each
    #[arg(long, value_name = "N")]
    pub cycles: Option<NonZeroU32>,
    /// Cycle by cycle: hold each sample for K cycles
    #[arg(long, value_name = "K")]
    pub hold: Option<NonZeroU32>,
    /// Cycle by cycle: the batch is S independent runs of as many samples
    #[arg(long, value_name = "S")]
    pub streams: Option<NonZeroU32>,
    /// Cycle by cycle: show these nets of the first stream, called as in the Verilog or the .blir
    #[arg(long, value_name = "NET", value_delimiter = ',')]
    pub trace: Vec<String>,
    /// Cycle by cycle: where a waveform goes (.fst, or .vcd): ports and registers, or the nets of --trace
    #[arg(long, value_name = "FILE")]
    pub wave: Option<PathBuf>,
    /// Cycle by cycle: invert a register at the beginning of a cycle (from 0)
    #[arg(long, value_name = "NET@CYCLE", value_delimiter = ',')]
    pub flip: Vec<String>,
    /// Try N random upsets of one bit, in tables and registers, each by itself
    #[arg(long, value_name = "N", conflicts_with_all = ["cycles", "hold", "streams", "trace", "wave", "flip", "compare"])]
    pub seu: Option<NonZeroU32>,
    /// Of those upsets
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Run a second design on the same batch and show the first sample that differs, layer by layer
    #[arg(long, value_name = "DESIGN2", conflicts_with_all = ["cycles", "hold", "streams", "trace", "wave", "flip"])]
    pub compare: Option<PathBuf>,
    /// Run that many times and tell the time of the fastest
    #[arg(long, value_name = "N", default_value = "1")]
    pub repeat: NonZeroU32,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// `blc equiv`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc equiv model.safetensors blc-out
  blc equiv circuit.blif small.blir --certificate proof
  blc equiv model.safetensors blc-out/design.blir --no-encoder --json

Exit codes: 0 proved equal, 3 different (an input that shows it is written for `blc sim`), 4 undecided.
Inputs and outputs are matched by the names of their bits where these are the same, otherwise by position. A
pipeline is compared from its latency on. Without an encoder every pattern of input bits counts.")]
pub struct Equiv {
    /// A model, a .blif, AIGER, a .blir, Verilog that blc emitted, or the folder of a compiled design
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// Another
    #[arg(value_name = "B")]
    pub second: PathBuf,
    /// Write the proof: equiv.cnf (DIMACS) and equiv.drat (DRAT)
    #[arg(long, value_name = "DIR")]
    pub certificate: Option<PathBuf>,
    /// Where an input goes on which they differ, .npy
    #[arg(long, value_name = "FILE", default_value = "counterexample.npy")]
    pub counterexample: PathBuf,
    /// Conflicts to spend on each output that the sweep leaves open
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    pub conflicts: u64,
    #[command(flatten)]
    pub parts: Parts,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// `blc diff`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc diff before.blir after.blir
  blc diff blc-out other-out --json

Exit codes: 0 built the same, 3 differently. Ports, counts of ops and layers, functions that only one has, and the first
place where an output differs. Inputs and outputs are matched by name; names of values and origins do not count.")]
pub struct Diff {
    /// A model, a .blif, AIGER, a .blir, Verilog that blc emitted, or the folder of a compiled design
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// Another
    #[arg(value_name = "B")]
    pub second: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// A number above 0.
fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x > 0.0 && x < 1e6 => Ok(x),
        _ => Err("a number above 0 and below a million is wanted".into()),
    }
}

/// What `--head` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A head that takes a sample every cycle.
    Of(default::Head),
    /// A small one that takes a sample in so many cycles.
    Iterative(u64),
}

fn head(text: &str) -> Result<Head, String> {
    let shared = |_| iterative(text).map(Head::Iterative).map_err(|e| format!("say `small`, `fast`, or else {e}"));
    text.parse().map(Head::Of).or_else(shared)
}

fn iterative(text: &str) -> Result<u64, String> {
    let number = text.strip_prefix("iterative=").and_then(|m| m.parse().ok());
    number.filter(|m| (2..=64).contains(m)).ok_or_else(|| "`iterative=M` is wanted, M from 2 to 64".into())
}

/// `OLD=NEW`.
fn rename(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.to_owned(), new.to_owned())),
        _ => Err("`OLD=NEW` is wanted".into()),
    }
}

/// A reset of the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Reset {
    /// None: registers start at 0
    #[default]
    None,
    /// While `rst` is 1 at the clock's edge
    SyncHigh,
    /// While `rst_n` is 0 at the clock's edge
    SyncLow,
}

/// Where registers are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Side {
    /// Behind the inputs
    In,
    /// Before the outputs
    Out,
}

/// What of a model is taken.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Parts {
    /// Take the encoder's bits as inputs
    #[arg(long)]
    pub no_encoder: bool,
    /// Give the last layer's bits as outputs
    #[arg(long)]
    pub no_head: bool,
    /// Give the class only, not the scores
    #[arg(long, conflicts_with = "no_head")]
    pub no_scores: bool,
}

/// `blc opt`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc opt net.blir --passes fold,dce
  blc opt net.blir --passes 'cover{k=4}' --check-each sim -o small.blir
  cat net.blir | blc opt - --passes fold")]
pub struct Opt {
    /// A .blir, or a netlist (.blif, .aig, .v); `-` for standard input
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// Pipeline of passes; `blc passes` lists them
    #[arg(long, value_name = "PASSES")]
    pub passes: String,
    /// Rewrite rules for the pass `rules`
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Where the result goes [default: stdout]
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub debug: Debug,
}

/// `blc fmt`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc fmt design.blir
  blc fmt --check design.blir
  cat design.blir | blc fmt

A file is replaced only where its canonical form is another. With --check nothing is written, and exit code 1 says that
one of them is not in that form.")]
pub struct Fmt {
    /// .blir files, or `-` for standard input, which goes to standard output
    #[arg(value_name = "FILE", default_value = "-")]
    pub inputs: Vec<PathBuf>,
    /// Write nothing; say which files are not in canonical form
    #[arg(long)]
    pub check: bool,
}

/// `blc reduce`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc reduce design.blir --test 'blc compile {} --target xc7 --prove -o /tmp/out'
  blc reduce net.blif --test './shows-the-bug.sh {}' -o small.blir

The command is run by `sh`, with {} as the file of a candidate (always a .blir that the verifier accepts). On the input it
must fail; a candidate counts where it ends with the same exit code (128 and the signal's number, where a signal ends it).
Functions, outputs, ops, inputs, operands and ones of tables go, in halves, quarters and so on, as long as it does.")]
pub struct Reduce {
    /// A .blir, a model, a .blif or Verilog that blc emitted
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// What fails, for `sh`; {} is the candidate's file
    #[arg(long, value_name = "COMMAND")]
    pub test: String,
    /// Where the smallest design goes [default: IN.reduced.blir]
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Most candidates to try
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub steps: u64,
    /// Seconds after which a command is ended, and its candidate not counted
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u32,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// `blc report`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc report
  blc report out --json | jq .luts
  blc sim --input batch.npy --labels labels.npy --json > sim.json
  blc report --html report.html --sim sim.json")]
pub struct Report {
    /// Folder of a compiled design
    #[arg(value_name = "DIR", default_value = DEFAULT_DIR)]
    pub dir: PathBuf,
    /// Print report.json, with the seconds of timing.json in it
    #[arg(long)]
    pub json: bool,
    /// Write one page of HTML: figures, plots, what they stand on, and the netlist to look at cone by cone
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub html: Option<PathBuf>,
    /// What `blc sim --labels … --json` printed: the page shows its confusion matrix
    #[arg(long, value_name = "FILE", requires = "html")]
    pub sim: Option<PathBuf>,
}

/// `blc explain`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc explain BL2002
  blc explain ops
  blc explain codes")]
pub struct Explain {
    /// An error code, the mnemonic of an op, `ops` or `codes`
    #[arg(value_name = "CODE")]
    pub topic: String,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `blc view`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc view --cone class -o cone.svg
  blc view adder.blif --cone s --depth 3 -o cone.svg
  blc view net.blir --cone %12 > cone.svg

Boxes are ops, coloured by part (encoder, logic, head) with the function of their table or its INIT and their neuron;
what lies beyond the depth is a stub with its name.")]
pub struct View {
    /// A model, a .blif, a .blir, Verilog that blc emitted, or the folder of a compiled design
    #[arg(value_name = "DESIGN", default_value = DEFAULT_DIR)]
    pub design: PathBuf,
    /// An output, a part of one (`y[3]`), or any value as the .blir names it
    #[arg(long, value_name = "OUTPUT")]
    pub cone: String,
    /// How many ops back from it
    #[arg(long, value_name = "N", default_value = "4")]
    pub depth: NonZeroU32,
    /// Where the picture goes, .svg [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `blc new`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc new first
  blc build first")]
pub struct New {
    /// Its folder
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// `blc build`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc build
  blc build examples/magic-gamma --json
  blc build --force

Reads blc.toml of the folder: sections [train], [compile], [simulate] and [report] with the options of `blc train`,
`blc compile`, `blc sim` and `blc report` as keys. A step is reused where version, options, and the contents of all files it
reads are as they were, and its outputs too.")]
pub struct Build {
    /// Folder of the project [default: this one]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Reuse nothing
    #[arg(long)]
    pub force: bool,
    /// Print what was made and reused, the training, the report and the simulation as JSON
    #[arg(long)]
    pub json: bool,
}

/// `blc passes`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc passes
  blc passes --json")]
pub struct Passes {
    /// Print them as JSON
    #[arg(long)]
    pub json: bool,
}

/// `blc man`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc man ~/.local/share/man/man1")]
pub struct Man {
    /// Folder for the pages
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// `blc completions`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc completions bash > ~/.local/share/bash-completion/completions/blc
  blc completions fish > ~/.config/fish/completions/blc.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

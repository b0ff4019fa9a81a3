//! Options of the commands that train.

use std::path::PathBuf;

use blc_frontend::train::Compute;
use clap::Args;
use clap::builder::PossibleValuesParser;

use super::DEFAULT_DIR;

/// `blc quickstart`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc quickstart
  blc quickstart -o /tmp/first --seed 7

Trains on the UCI optical digits, compiles for xc7, and compares trainer, evaluator, simulator and (where
Icarus Verilog is installed) the emitted Verilog on every test sample. Exit code 3 if any two differ.")]
pub struct Quickstart {
    /// Folder for model, IR, Verilog, testbench, BLIF and report
    #[arg(short, long, value_name = "DIR", default_value = DEFAULT_DIR)]
    pub output: PathBuf,
    /// Everything random derives from it
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Print the comparison and the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// `blc train`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc train --data digits -o model.safetensors
  blc train --data mnist/ --preset mnist --seed 3 -o mnist.safetensors
  blc train --data train.npz --config model.toml --checkpoint run.safetensors -o model.safetensors
  blc train --data train.npz --config model.toml --checkpoint run.safetensors --resume -o model.safetensors

Data: `digits` (embedded), a folder of IDX files (MNIST) or CIFAR-10 .bin files, or an .npz with x_train, y_train,
x_test, y_test, or with x and y. Ctrl-C ends the run and keeps the best model so far.
`blc explain BL1301` lists the keys of a configuration.")]
pub struct Train {
    /// Data set: `digits`, a folder or an .npz
    #[arg(long, value_name = "DATA")]
    pub data: String,
    /// A configuration by name [default: one that suits the data]
    #[arg(long, value_name = "NAME", conflicts_with = "config",
          value_parser = PossibleValuesParser::new(blc_frontend::train::config::PRESETS))]
    pub preset: Option<String>,
    /// A configuration as TOML
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Everything random derives from it (over the configuration's)
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// What computes: `cpu`, `cuda` or `cuda:N` (a GPU; blc built with `--features cuda`), or `plain`, which does on the
    /// processor, slowly, what a GPU would
    #[arg(long, value_name = "DEVICE", default_value_t = Compute::Cpu)]
    pub device: Compute,
    /// Passes over the training samples (over the configuration's)
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Keep the state of the run in this file, epoch by epoch
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Go on from the checkpoint
    #[arg(long, requires = "checkpoint")]
    pub resume: bool,
    /// Prune the trained network: drop table inputs as long as it costs at most so many points of accuracy on the samples that
    /// training held out, beside the standard error of measuring them
    #[arg(long, value_name = "POINTS")]
    pub prune: Option<f64>,
    /// Write a line of JSON an epoch, and one for the run, to this file
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Draw accuracy and loss over the epochs into this SVG
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Where the frozen model goes
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print the report of the run as JSON
    #[arg(long)]
    pub json: bool,
}

/// `blc sweep`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  blc sweep sweep.toml -o sweep
  blc sweep sweep.toml -o sweep --list | parallel
  blc sweep sweep.toml -o sweep --collect

A sweep is a TOML file:
  data = \"digits\"                       # as for `blc train --data`
  preset = \"digits\"                     # or config = \"model.toml\": what is varied
  compile = [\"--target\", \"xc7\"]         # options of `blc compile`
  [grid]                                # every combination is a run
  seed = [1, 2, 3]
  \"layers.0.nodes\" = [300, 600]
or, instead of [grid], random choices:
  [random]
  runs = 20
  seed = 1
  [random.keys]
  \"layers.0.nodes\" = { from = 100, to = 3000, log = true, multiple = 10 }
  \"node.kind\" = [\"dwn\", \"light\"]

Runs that are done are not done again. results.csv and results.svg compare validation accuracy (hard; test samples are
not read) with the sites of the compiled design, encoder and head in.")]
pub struct Sweep {
    /// The sweep, a TOML file
    #[arg(value_name = "SWEEP")]
    pub plan: PathBuf,
    /// Folder for runs and results
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Run nothing: print a command line for each run that is not done, for a scheduler
    #[arg(long, conflicts_with_all = ["only", "collect"])]
    pub list: bool,
    /// Do only this run
    #[arg(long, value_name = "RUN", conflicts_with = "collect")]
    pub only: Option<String>,
    /// Run nothing: compare what is done
    #[arg(long)]
    pub collect: bool,
    /// Print the results as JSON
    #[arg(long, conflicts_with = "list")]
    pub json: bool,
}

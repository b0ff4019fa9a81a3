//! `report.json` and `timing.json`: what a compiled design costs, how it was made and from what.
//!
//! The report is a function of input, options and version alone, so that the same command gives the same bytes. How long
//! it took is not, and stands apart in `timing.json`; `blc report --json` gives both as one object.

use std::collections::BTreeMap;

use blc_backends::liberty::{self, Library};
use blc_backends::sim::Program;
use blc_ir::control::Control;
use blc_ir::diag::Diagnostic;
use blc_ir::eval::affine;
use blc_ir::{Func, FuncAttr, Module, OpKind, Type};
use blc_passes::approx::MARK;
use blc_passes::count::{Area, count};
use blc_passes::equiv::{self, Effort};
use blc_passes::timing::{self, Timing};
use blc_passes::{PassRun, RunReport};
use serde::Serialize;
use serde_json::Value;

use crate::load::{Input, Kind};
use crate::speed::Speed;
use crate::target::Chosen;
use crate::ui;

/// Name of the report in its folder.
pub const REPORT: &str = "report.json";
/// Name of the times in the same folder.
pub const TIMING: &str = "timing.json";
/// Most stages that registers are counted by.
const MAX_STAGES: usize = 10_000;
/// Version of the report's fields.
const VERSION: u32 = 1;

/// A compiled design.
#[derive(Debug, Serialize)]
pub struct Report {
    version: u32,
    blc: &'static str,
    name: String,
    target: String,
    input: Origin,
    pipeline: String,
    #[serde(flatten)]
    area: Area,
    /// Functions that no cover can do without: so many different ones do outputs, words and chains read. `null` where nobody
    /// counted.
    lut_functions_bound: Option<u64>,
    /// Whether Ctrl-C ended the passes early: what is smallest so far.
    interrupted: bool,
    /// `null` for a design that is no pipeline.
    latency_cycles: Option<u64>,
    /// Cycles from a sample to the next.
    interval_cycles: u64,
    latency_ns: Option<f64>,
    fmax_mhz: f64,
    /// Which of the fields are estimates.
    estimates: [&'static str; 4],
    speed: Speed,
    /// The longest path between registers or ports, from its start.
    critical_path: Vec<Step>,
    /// Ends of paths by how long these take.
    paths: Paths,
    /// By stage, the first one first.
    registers_by_stage: Vec<u64>,
    /// How many nets have 1, 2, 3 to 4, 5 to 8, ... readers.
    fanout: Vec<u64>,
    /// Of a design in standard cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    gates: Option<Gates>,
    by_part: Parts,
    by_layer: Vec<Layer>,
    quantisation: Option<Quantisation>,
    /// That the design is what it was made from, where that was asked for.
    proof: Option<Proof>,
    /// What approximate passes did, to the model before it was compiled (without figures) or now; `null` for the exact design
    /// of an exact model.
    approximate: Option<Vec<Approximation>>,
    assumptions: Vec<String>,
    warnings: Vec<Warning>,
    passes: Vec<Pass>,
    outputs: Vec<String>,
    /// Where the seconds are.
    timing: &'static str,
}

#[derive(Debug, Serialize)]
struct Origin {
    kind: &'static str,
    file: String,
    sha256: String,
}

#[derive(Debug, Serialize)]
struct Parts {
    encoder: Area,
    logic: Area,
    head: Area,
}

#[derive(Debug, Serialize)]
struct Layer {
    layer: String,
    #[serde(flatten)]
    area: Area,
}

/// How real inputs became words.
#[derive(Debug, Serialize)]
struct Quantisation {
    input_bits: u8,
    thresholds: u64,
    /// Thresholds that do not fall between two codes.
    thresholds_lost: u64,
}

/// A proof that the design computes what its input says; how long it took stands in `timing.json`.
#[derive(Debug, Serialize)]
pub struct Proof {
    verdict: &'static str,
    /// In words.
    statement: String,
    /// Bits of results.
    outputs: usize,
    assumptions: Vec<String>,
    effort: Effort,
}

impl Proof {
    /// Of an outcome that is proved.
    pub fn new(found: equiv::Outcome) -> Self {
        let e = &found.effort;
        let statement = format!(
            "the design equals its input on every sample, in all {} output bits: {} pairs of signals by structure, {} by \
             SAT, {} sums by algebra",
            found.outputs, e.merged_by_structure, e.merged_by_sat, e.sums
        );
        Self {
            verdict: "proved",
            statement,
            outputs: found.outputs,
            assumptions: found.assumptions,
            effort: found.effort,
        }
    }

    /// What is said on signing.
    pub fn line(&self) -> String {
        format!("proved: {}", self.statement)
    }
}

/// An approximate pass, and where it ran now what it did.
#[derive(Debug, Serialize)]
struct Approximation {
    pass: String,
    #[serde(flatten)]
    change: Option<Change>,
}

/// What an approximate pass did to predictions, on samples held out from it.
#[derive(Debug, Serialize)]
struct Change {
    held_out_samples: u64,
    /// Of the held-out samples, the part predicted right.
    accuracy_before: f64,
    accuracy_after: f64,
    predictions_changed: u64,
    inputs_dropped: u64,
}

impl Approximation {
    /// The passes that a design is marked with. The last ones ran now.
    fn all(f: &Func, run: &RunReport) -> Vec<Self> {
        let Some(FuncAttr::Str(passes)) = f.attr(MARK) else { return Vec::new() };
        let passes: Vec<&str> = passes.split(", ").collect();
        let now = |i: usize| (!passes[i + 1..].contains(&passes[i])).then(|| Change::of(passes[i], run)).flatten();
        passes.iter().enumerate().map(|(i, pass)| Self { pass: (*pass).into(), change: now(i) }).collect()
    }
}

impl Change {
    fn of(pass: &str, run: &RunReport) -> Option<Self> {
        let fact = |name: &str| run.fact(&format!("{pass}.{name}"));
        let held_out = fact("held_out")?;
        let part = |right: u64| right as f64 / held_out.max(1) as f64;
        Some(Self {
            held_out_samples: held_out,
            accuracy_before: part(fact("right_before")?),
            accuracy_after: part(fact("right_after")?),
            predictions_changed: fact("predictions_changed")?,
            inputs_dropped: fact("inputs_dropped")?,
        })
    }
}

#[derive(Debug, Serialize)]
struct Warning {
    code: &'static str,
    message: String,
}

#[derive(Debug, Serialize)]
struct Pass {
    pass: String,
    changed: bool,
    ops_before: usize,
    ops_after: usize,
    facts: serde_json::Map<String, Value>,
}

/// Wall-clock seconds of a compilation.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seconds {
    /// Reading and checking the input.
    pub read: f64,
    /// All passes, their checks included.
    pub passes: f64,
    /// The proof, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prove: Option<f64>,
    /// Making the outputs.
    pub emit: f64,
    /// All of it, but for writing.
    pub total: f64,
    /// Each pass, in order.
    pub by_pass: Vec<(String, f64)>,
}

impl Report {
    /// The report of a compiled module.
    ///
    /// # Errors
    /// The design is not lowered to lookup tables and registers.
    pub fn new(
        input: &Input,
        target: &Chosen,
        module: &Module,
        f: &Func,
        run: &RunReport,
        outputs: Vec<String>,
        speed: Speed,
    ) -> blc_ir::Result<Self> {
        let count = count(f);
        let control = Control::of(f);
        let latency_cycles = match &control {
            Some(_) => Some(f.latency()),
            None => Program::compile(module, f)?.latency().ok(),
        };
        let interval = control.map_or(1, |control| control.interval);
        let timing = timing::analyse(f, &speed.delays);
        let thresholds = run.fact("thresholds").filter(|_| affine(module, f).is_some());
        let quantisation = thresholds.map(|thresholds| Quantisation {
            input_bits: f
                .params
                .iter()
                .map(|p| f.ty(p.value))
                .find(|&ty| ty != Type::CLOCK)
                .map_or(0, |ty| ty.elem_bits() as u8),
            thresholds,
            thresholds_lost: run.fact("thresholds_lost").unwrap_or(0),
        });
        let [encoder, logic, head] = count.by_part;
        let approximate = Approximation::all(f, run);
        Ok(Self {
            version: VERSION,
            blc: env!("CARGO_PKG_VERSION"),
            name: module.name.clone(),
            target: target.name().to_owned(),
            input: Origin { kind: input.kind.name(), file: input.file.clone(), sha256: input.sha256.clone() },
            pipeline: run.pipeline.clone(),
            area: count.total,
            lut_functions_bound: run.fact("bound.functions"),
            interrupted: run.interrupted,
            latency_cycles,
            interval_cycles: interval,
            latency_ns: latency_cycles.map(|n| round(latency_ns(&timing, n), 1000.0)),
            fmax_mhz: round(1000.0 / timing.period, 10.0),
            estimates: ["latency_ns", "fmax_mhz", "critical_path", "paths"],
            critical_path: timing.path.iter().map(|step| Step::of(f, step)).collect(),
            paths: Paths::of(&timing),
            registers_by_stage: registers_by_stage(f),
            fanout: timing::fanout(f),
            gates: None,
            by_part: Parts { encoder, logic, head },
            by_layer: count.by_layer.into_iter().map(|(layer, area)| Layer { layer, area }).collect(),
            assumptions: assumptions(
                input.kind,
                (latency_cycles, interval),
                quantisation.as_ref(),
                &approximate,
                &speed,
            ),
            speed,
            approximate: (!approximate.is_empty()).then_some(approximate),
            quantisation,
            proof: None,
            warnings: run.warnings.iter().map(warning).collect(),
            passes: run.passes.iter().map(pass).collect(),
            outputs,
            timing: TIMING,
        })
    }

    /// With a proof.
    pub fn signed(self, proof: Option<Proof>) -> Self {
        Self { proof, ..self }
    }

    /// With what it takes of a library, where it is made of one.
    pub fn in_gates(mut self, f: &Func, library: Option<&Library>) -> Self {
        let Some(library) = library else { return self };
        let taken = liberty::cells::taken(f, library);
        let name = library.name.clone();
        self.assumptions.push(format!(
            "areas are those of library `{name}`, wires, clock tree and resets left out; {} of its cells are not used (other than \
             one output, latches, resets, scan)",
            library.left
        ));
        self.assumptions.push("registers start at nothing known: results count from `latency` cycles on".into());
        let nand2_equivalents = round(taken.area / library.nand2, 100.0);
        self.gates = Some(Gates { library: name, nand2_equivalents, area: round(taken.area, 1e6), cells: taken.cells });
        self
    }

    /// The bytes of `report.json`.
    pub fn to_json(&self) -> String {
        json(self)
    }
}

/// What a design takes of a library of standard cells.
#[derive(Debug, Serialize)]
struct Gates {
    library: String,
    /// Area over that of the smallest NAND of two inputs.
    nand2_equivalents: f64,
    /// In the library's unit.
    area: f64,
    cells: BTreeMap<String, u64>,
}

/// A histogram of paths: `ends[i]` registers and results are reached in more than `i` and at most `i + 1` steps.
#[derive(Debug, Serialize)]
struct Paths {
    step_ns: f64,
    ends: Vec<u64>,
}

impl Paths {
    /// Bars of a histogram.
    const BARS: f64 = 20.0;

    fn of(timing: &Timing) -> Self {
        let step_ns = ((1000.0 * timing.period / Self::BARS).ceil() / 1000.0).max(0.001);
        let mut ends: Vec<u64> = Vec::new();
        for end in &timing.ends {
            let at = ((end / step_ns).ceil() as usize).clamp(1, Self::BARS as usize) - 1;
            if ends.len() <= at {
                ends.resize(at + 1, 0);
            }
            ends[at] += 1;
        }
        Self { step_ns, ends }
    }
}

/// A step of the critical path.
#[derive(Debug, Serialize)]
struct Step {
    /// As the language calls it.
    op: &'static str,
    layer: Option<String>,
    neuron: Option<u32>,
    /// ns after the clock's edge, or after the inputs.
    at_ns: f64,
}

impl Step {
    fn of(f: &Func, step: &timing::Step) -> Self {
        Self {
            op: f.op(step.op).info().mnemonic,
            layer: f.locs.first_layer(step.loc).map(str::to_owned),
            neuron: f.locs.first_neuron(step.loc),
            at_ns: round(step.at, 1000.0),
        }
    }
}

fn latency_ns(timing: &Timing, cycles: u64) -> f64 {
    if cycles == 0 { timing.through } else { cycles as f64 * timing.period }
}

fn round(x: f64, parts: f64) -> f64 {
    (x * parts).round() / parts
}

fn registers_by_stage(f: &Func) -> Vec<u64> {
    let mut stages = Vec::new();
    for (_, op) in f.ops() {
        if let OpKind::Reg { stage, .. } | OpKind::Xc7Fdre { stage, .. } = op.kind {
            let at = (stage as usize).saturating_sub(1);
            if stages.len() <= at && at < MAX_STAGES {
                stages.resize(at + 1, 0);
            }
            if let Some(n) = stages.get_mut(at) {
                *n += 1;
            }
        }
    }
    stages
}

fn warning(d: &Diagnostic) -> Warning {
    Warning { code: d.code.id, message: d.message.clone() }
}

fn pass(run: &PassRun) -> Pass {
    let facts = run.facts.iter().map(|(name, value)| (name.clone(), Value::from(*value))).collect();
    let (ops_before, ops_after) = (run.ops_before, run.ops_after);
    Pass { pass: run.pass.clone(), changed: run.changed, ops_before, ops_after, facts }
}

/// What holds of the figures and of the hardware, in words.
fn assumptions(
    kind: Kind,
    (latency_cycles, interval): (Option<u64>, u64),
    quantisation: Option<&Quantisation>,
    approximate: &[Approximation],
    speed: &Speed,
) -> Vec<String> {
    let mut all = vec![format!(
        "latency_ns, fmax_mhz and critical_path are estimates before placement and routing, of speed grade {}; expect \
         {} % either way",
        speed.grade, speed.spread_percent
    )];
    if latency_cycles.is_some_and(|n| n > 0) {
        let every =
            if interval == 1 { "cycle".to_owned() } else { format!("{interval} cycles, held until it is taken") };
        all.push(format!("a new sample every {every}; registers of data start at 0 and have no reset"));
    }
    if let Some(q) = quantisation {
        all.push(format!(
            "real inputs arrive as words of {} bits: code = round((x - offset) / step), clamped, with offset and step of \
             each feature in design.blir",
            q.input_bits
        ));
    }
    if approximate.iter().any(|done| done.change.is_some()) {
        all.push(
            "approximate: the function is not the model's; accuracies are of samples held out from the pass".into(),
        );
    } else if kind == Kind::Model {
        let apart = if quantisation.is_some() { "apart from that rounding, " } else { "" };
        all.push(format!("{apart}the function is exactly the model's: no pass approximates"));
    }
    for done in approximate.iter().filter(|done| done.change.is_none()) {
        all.push(format!("approximate ({}): the model was no longer the trained one when it was compiled", done.pass));
    }
    all
}

impl Seconds {
    /// The bytes of `timing.json`.
    pub fn to_json(&self) -> String {
        json(&serde_json::json!({ "seconds": self }))
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// The report as a table for people; `None` where a field is missing.
pub fn table(report: &Value) -> Option<String> {
    let columns = ["luts", "lut_functions", "ffs", "carry4", "muxf7", "muxf8", "levels"];
    let mut header = vec![format!("{} for {}", report["name"].as_str()?, report["target"].as_str()?)];
    header.extend(["LUTs", "functions", "FFs", "CARRY4", "MUXF7", "MUXF8", "levels"].map(String::from));
    let row = |name: &str, area: &Value| -> Option<Vec<String>> {
        let figures = columns.iter().map(|c| area[c].as_u64().map(|n| n.to_string()));
        std::iter::once(Some(name.to_owned())).chain(figures).collect()
    };
    let mut rows = vec![header];
    for part in ["encoder", "logic", "head"] {
        let row = row(part, &report["by_part"][part])?;
        if row[1..].iter().any(|n| n != "0") {
            rows.push(row);
        }
    }
    rows.push(row("total", report)?);
    let mut text = ui::table(&rows);
    let mhz = format!("about {:.0} MHz", report["fmax_mhz"].as_f64()?);
    text += &match (report["latency_cycles"].as_u64(), report["latency_ns"].as_f64()) {
        (Some(0), Some(ns)) => format!("combinational, about {ns:.1} ns from input to output"),
        (Some(1), Some(ns)) => format!("latency 1 cycle, about {ns:.1} ns; {mhz}"),
        (Some(n), Some(ns)) => format!("latency {n} cycles, about {ns:.1} ns; {mhz}"),
        _ => format!("no pipeline; {mhz}"),
    };
    text += " (estimates)\n";
    if let Some(n @ 2..) = report["interval_cycles"].as_u64() {
        text += &format!("a sample every {n} cycles\n");
    }
    if let Some(bound) = report["lut_functions_bound"].as_u64().filter(|&bound| bound > 0) {
        text += &format!("{bound} functions at least: so many different ones are read by outputs, sums and chains\n");
    }
    if report["interrupted"].as_bool() == Some(true) {
        text += "interrupted: the smallest so far; without Ctrl-C it may have become smaller\n";
    }
    if let Some(gates) = report["gates"]["nand2_equivalents"].as_f64() {
        text += &format!("{gates:.0} NAND2 equivalents of library `{}`\n", report["gates"]["library"].as_str()?);
    }
    for done in report["approximate"].as_array().into_iter().flatten() {
        if done["held_out_samples"].is_null() {
            text += &format!("approximate ({}): the model was, before it was compiled\n", done["pass"].as_str()?);
            continue;
        }
        let percent = |field: &str| done[field].as_f64().map(|part| format!("{:.2} %", 100.0 * part));
        text += &format!(
            "approximate ({}): held-out accuracy {} before, {} after; {} of {} predictions changed\n",
            done["pass"].as_str()?,
            percent("accuracy_before")?,
            percent("accuracy_after")?,
            done["predictions_changed"].as_u64()?,
            done["held_out_samples"].as_u64()?
        );
    }
    match report["port_inverters"].as_u64()? {
        0 => {}
        n => text += &format!("{n} inverters or buffers directly on ports are in neither figure\n"),
    }
    Some(text)
}

//! The whole chain over one design, with every check that there is: what two ways say of it must be the same.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use blc_backends::device::Device;
use blc_backends::emit::{Format, Options as EmitOptions};
use blc_backends::liberty::Library;
use blc_backends::sim::{Engine, Input, Layout, Outputs, Simulator};
use blc_backends::verilog::testbench::{self, Vector};
use blc_frontend::{blif, verilog};
use blc_ir::diag::Source;
use blc_ir::eval::{Val, affine};
use blc_ir::{Elem, Level, Module, OpKind, parse, verify};
use blc_passes::equiv::{self, Side, Verdict};
use blc_passes::gates::Gates;
use blc_passes::timing::Delays;
use blc_passes::{Check, Forbid, Goals, Head, PassManager, Pipeline, Registers, Registry, Ripple, Target, default};

use crate::random::Rng;

/// What was done, over all designs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    /// Designs.
    pub designs: u64,
    /// Passes that changed something, each compared by simulation.
    pub passes: u64,
    /// Samples that every engine agreed on.
    pub samples: u64,
    /// Netlists that came back from BLIF the same.
    pub blif: u64,
    /// Designs whose Verilog, read back, is proved equal to them.
    pub verilog: u64,
    /// Designs proved equal to what they were made from.
    pub proved: u64,
    /// Those that took too much.
    pub undecided: u64,
    /// Designs that Icarus agreed on.
    pub icarus: u64,
}

impl Score {
    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.designs += other.designs;
        self.passes += other.passes;
        self.samples += other.samples;
        self.blif += other.blif;
        self.verilog += other.verilog;
        self.proved += other.proved;
        self.undecided += other.undecided;
        self.icarus += other.icarus;
    }
}

/// How a design is compiled.
#[derive(Clone, Debug)]
pub struct Way {
    /// For what, with which registers and how much work.
    pub goals: Goals,
    /// In whose cells; of the generic targets.
    pub device: Option<Device>,
}

impl Way {
    /// Any of them.
    pub fn random(rng: &mut Rng) -> Self {
        let target = Target::parse(rng.of(&Target::NAMES)).unwrap_or(Target::Xc7);
        let devices = Device::own();
        let device = rng.chance(3).then(|| devices[rng.below(devices.len())].clone());
        let target = device.as_ref().map_or(target, slices);
        let delays = match rng.below(3) {
            0 => Delays { lut: 0.2, net: 0.6, fanout: 0.1, carry_in: 0.4, setup: 0.1, ..Delays::default() },
            _ => Delays::default(),
        };
        let registers = match rng.below(6) {
            0 => Registers::PerLayer,
            1 => Registers::Stages(rng.below(4) as u32),
            2 => Registers::Levels(1 + rng.below(3) as u32),
            3 => Registers::Period(2.0 + rng.below(6) as f64),
            4 => Registers::StagesAt(1 + rng.below(6) as u32, 2.0 + rng.below(6) as f64),
            _ => Registers::Latency(1.0 + rng.below(12) as f64),
        };
        // The highest takes a second a design.
        let effort = match rng.below(40) {
            0 => 3,
            1..6 => 2,
            n => (n % 2) as u8,
        };
        let forbid = Forbid { pair: rng.chance(8), muxf: rng.chance(8), carry: rng.chance(8), words: false };
        let head = if rng.chance(4) { Head::Fast } else { Head::Small };
        let ripple = device.as_ref().and_then(|device| Ripple::of_inputs(device.ripple()));
        Self { goals: Goals { target, registers, head, effort, delays, forbid, ripple }, device }
    }
}

/// What passes map to for a device.
pub fn slices(device: &Device) -> Target {
    if device.mux.is_empty() { Target::Lut(device.k()) } else { Target::Slices(device.k()) }
}

type Checked<T> = Result<T, String>;

fn words<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> String {
    move |e| format!("{what}: {e}")
}

/// Compiles a design in some way and checks everything. `icarus` is a folder to run Icarus in, where that is wanted.
///
/// # Errors
/// What is not as it should be.
pub fn check(design: &Module, way: &Way, seed: u64, icarus: Option<&Path>) -> Checked<Score> {
    let mut score = Score { designs: 1, ..Score::default() };
    let text = design.to_string();
    let read = parse::parse(&Source::new("design", &text)).map_err(|e| words("its own text")(&e[0]))?;
    (read.to_string() == text).then_some(()).ok_or("printed, parsed and printed it is another text")?;

    let mut module = design.clone();
    let top = module.top().ok_or("no function")?;
    let mut passes = default::pipeline(top.level(), &way.goals);
    if top.level() == Level::Bit {
        // Words at bit level: the default is for models, which begin above, and for netlists, which have none.
        let inputs = way.goals.ripple.map_or(0, Ripple::inputs);
        let head = if way.goals.head == Head::Fast { "{fast=true}".into() } else { format!("{{ripple={inputs}}}") };
        passes = format!("lower-encoder,lower-head{head},{passes}");
    }
    let pipeline = Pipeline::parse(&passes, "", &Registry::standard()).map_err(words("pipeline"))?;
    let library =
        (way.goals.target == Target::Gates).then(Library::own).transpose().map_err(words("library"))?.map(Arc::new);
    let manager = PassManager {
        verify_each: true,
        check_each: Some(Check::Sim),
        gates: library.as_ref().map(|library| Arc::new(Gates::new(library.functions()))),
        ..PassManager::default()
    };
    let report = manager.run(&mut module, &pipeline, &mut ());
    if matches!(&report, Err(f) if f.errors[0].code.id == "BL2107") {
        // No pipeline is that fast: with as many registers as there may be, then.
        let goals = Goals { registers: Registers::Levels(1), ..way.goals.clone() };
        return check(design, &Way { goals, ..way.clone() }, seed, icarus);
    }
    let report = report.map_err(|f| format!("{}\n{}", f.errors[0], f.reproducer))?;
    score.passes = report.passes.iter().filter(|p| p.changed).count() as u64;
    if let Some(error) = verify::verify(&module).first() {
        return Err(format!("compiled: {error}"));
    }
    let Forbid { pair, muxf, carry, .. } = way.goals.forbid;
    let forbidden = |kind| match kind {
        OpKind::Xc7Lut6_2 { .. } => pair,
        OpKind::Xc7MuxF7 {} | OpKind::Xc7MuxF8 {} => muxf,
        OpKind::Xc7Carry4 {} => carry,
        _ => false,
    };
    if let Some((_, op)) = module.top().into_iter().flat_map(|f| f.ops()).find(|(_, op)| forbidden(op.kind)) {
        return Err(format!("`{}` is forbidden", op.kind.info().mnemonic));
    }
    module.target = Some(way.goals.target.name().into());

    let samples = 130;
    let (rows, expected) = engines(design, &module, seed, samples)?;
    score.samples = samples as u64;
    // What we read again has no cells of a library.
    let plain = EmitOptions { device: way.device.clone(), ..EmitOptions::default() };
    let options = EmitOptions { liberty: library, ..plain.clone() };
    round_trip(&module, &plain, &rows, &expected)?;
    score.blif = 1;
    for format in [Format::Dot, Format::Json, Format::Rust] {
        match format.emit(&module, &options) {
            // Large designs are not drawn.
            Err(e) if format == Format::Dot && e.code.id == "BL3005" => {}
            emitted => drop(emitted.map_err(|e| format!("{}: {e}", format.name()))?),
        }
    }
    let text = Format::Verilog.emit(&module, &plain).map_err(words("verilog"))?.remove(0).text;
    let written = verilog::import(&text, "soak.v").map_err(words("verilog read again"))?;
    let errors = verify::verify(&written);
    errors.is_empty().then_some(()).ok_or_else(|| format!("verilog read again: {}", errors[0]))?;
    match proof(&module, &written)? {
        true => score.verilog = 1,
        false => return Err("the Verilog is not proved equal to the design".into()),
    }
    match proof(design, &module)? {
        true => score.proved = 1,
        false => score.undecided = 1,
    }
    if let Some(folder) = icarus {
        in_icarus(folder, &module, &options, &rows, &expected)?;
        score.icarus = 1;
    }
    Ok(score)
}

/// Random rows for the compiled design, and what all engines say of them; the design itself says it, too.
fn engines(design: &Module, module: &Module, seed: u64, samples: usize) -> Checked<(Vec<u64>, Outputs)> {
    let f = module.top().ok_or("no function")?;
    let reference = Simulator::new(module, f, Engine::Reference).map_err(words("reference"))?;
    let rng = &mut Rng(seed ^ 0x5eed);
    let widths: Vec<u8> = columns(reference.inputs());
    let row = |i: usize, rng: &mut Rng| -> Vec<u64> {
        let any = |w: u8, rng: &mut Rng| match i {
            0 => 0,
            1 => u64::MAX,
            i if i % 3 == 2 => rng.next() & rng.next() & rng.next(),
            _ => rng.next(),
        } & u64::MAX >> (64 - w);
        widths.iter().map(|&w| any(w, rng)).collect()
    };
    let rows: Vec<u64> = (0..samples).flat_map(|i| row(i, rng)).collect();
    let input = Input::u64(samples, &rows);
    let expected = reference.run(&input).map_err(words("reference"))?;
    for engine in Engine::ALL.into_iter().filter(|e| e.is_available()) {
        let simulator = Simulator::new(module, f, engine).map_err(|e| format!("{engine}: {e}"))?;
        let given = simulator.run(&input).map_err(|e| format!("{engine}: {e}"))?;
        if let Some((sample, column)) = expected.first_difference(&given) {
            return Err(format!("{engine} differs from the evaluator in sample {sample}, column {column}"));
        }
    }
    let top = design.top().ok_or("no function")?;
    let original = Simulator::new(design, top, Engine::Reference).map_err(words("the design itself"))?;
    let codes = affine(module, f).filter(|_| top.params.iter().any(|p| top.ty(p.value).elem == Elem::F32));
    let said = match codes {
        Some((offset, step)) => {
            let n = widths.len();
            let real =
                |(i, &code): (usize, &u64)| (f64::from(offset[i % n]) + f64::from(step[i % n]) * code as f64) as f32;
            let reals: Vec<f32> = rows.iter().enumerate().map(real).collect();
            original.run(&Input::f32(samples, &reals))
        }
        None => original.run(&input),
    };
    let said = said.map_err(words("the design itself"))?;
    let same = |s: usize, c: usize| said.get(s, c) == expected.get(s, c);
    let differ = (0..samples)
        .flat_map(|s| (0..columns(expected.layout()).len()).map(move |c| (s, c)))
        .find(|&(s, c)| !same(s, c));
    match differ {
        Some((s, c)) => Err(format!("compiled it says something else in sample {s}, column {c}")),
        None => Ok((rows, expected)),
    }
}

/// Widths of columns.
fn columns(layout: &Layout) -> Vec<u8> {
    layout.ports().iter().flat_map(|p| p.columns.clone().map(|_| p.width)).collect()
}

/// Numbers as bits, each number's lowest first.
fn bits(numbers: impl IntoIterator<Item = u64>, widths: &[u8]) -> Vec<u64> {
    let widths = widths.iter().cycle();
    numbers.into_iter().zip(widths).flat_map(|(x, &w)| (0..w).map(move |b| x >> b & 1)).collect()
}

/// What is written as BLIF and read again says the same.
fn round_trip(module: &Module, options: &EmitOptions, rows: &[u64], expected: &Outputs) -> Checked<()> {
    let files = Format::Blif.emit(module, options).map_err(words("blif"))?;
    let read = blif::import(&files[0].text, "soak.blif").map_err(words("blif read again"))?;
    let f = read.top().ok_or("no function")?;
    let simulator = Simulator::new(&read, f, Engine::Portable).map_err(words("blif read again"))?;
    let own = module.top().map(|f| Simulator::new(module, f, Engine::Portable)).ok_or("no function")?;
    let inputs = columns(own.map_err(words("portable"))?.inputs());
    let samples = expected.samples();
    let mut rows = bits(rows.iter().copied(), &inputs);
    let width = rows.len() / samples;
    if f.clock().is_none() && module.top().is_some_and(|f| f.clock().is_some()) {
        // Nothing is left to be clocked: in BLIF the clock is an input like any other, the first.
        rows = rows.chunks(width).flat_map(|row| [&[0], row].concat()).collect();
    }
    let given = simulator.run(&Input::u64(samples, &rows));
    let given = given.map_err(words("blif read again"))?;
    let widths = columns(expected.layout());
    for s in 0..samples {
        let wanted = bits((0..widths.len()).map(|c| expected.get(s, c)), &widths);
        if let Some(bit) = (0..wanted.len()).find(|&b| given.get(s, b) != wanted[b]) {
            return Err(format!("read again from BLIF it differs in sample {s}, bit {bit}"));
        }
    }
    Ok(())
}

/// Whether a design is proved equal to what it was made from; never that it is not.
fn proof(design: &Module, module: &Module) -> Checked<bool> {
    let (Some(f), Some(g)) = (design.top(), module.top()) else { return Err("no function".into()) };
    let options = equiv::Options { output: 2_000, ..equiv::Options::default() };
    let (a, b) = (Side { module: design, f }, Side { module, f: g });
    match equiv::compare(a, b, &options).map_err(words("equiv"))?.verdict {
        Verdict::Proved => Ok(true),
        Verdict::Undecided(_) => Ok(false),
        other => Err(format!("refuted: {other:?}")),
    }
}

/// The emitted Verilog with its testbench in Icarus.
fn in_icarus(folder: &Path, module: &Module, options: &EmitOptions, rows: &[u64], expected: &Outputs) -> Checked<()> {
    let f = module.top().ok_or("no function")?;
    let simulator = Simulator::new(module, f, Engine::Portable).map_err(words("portable"))?;
    let n = columns(simulator.inputs()).len();
    let vals = |layout: &Layout, numbers: &[u64]| -> Vec<Val> {
        layout.ports().iter().map(|p| Val::Packed(numbers[p.columns.clone()].to_vec())).collect()
    };
    let vector = |s: usize| {
        let outputs: Vec<u64> = (0..columns(expected.layout()).len()).map(|c| expected.get(s, c)).collect();
        Vector { inputs: vals(simulator.inputs(), &rows[s * n..][..n]), outputs: vals(expected.layout(), &outputs) }
    };
    let vectors: Vec<Vector> = (0..testbench::MAX_EMBEDDED.min(expected.samples())).map(vector).collect();
    let text = icarus(folder, module, options, &vectors)?;
    match text.lines().any(|l| l == format!("PASS {} vectors", vectors.len())) {
        true => Ok(()),
        false => Err(format!("Icarus: {text}")),
    }
}

/// What Icarus says of a design and vectors; its files are written into a folder.
///
/// # Errors
/// The design cannot be written, or Icarus not run.
pub fn icarus(folder: &Path, module: &Module, options: &EmitOptions, vectors: &[Vector]) -> Checked<String> {
    let mut files = Format::Verilog.emit(module, options).map_err(words("verilog"))?;
    let text = testbench::emit(module, vectors).map_err(words("testbench"))?;
    files.push(blc_backends::emit::File { name: "tb.v".into(), text });
    for file in &files {
        std::fs::write(folder.join(&file.name), &file.text).map_err(words("cannot write"))?;
    }
    let run = |tool: &str, args: &[&str]| -> Checked<String> {
        let ended = Command::new(tool).args(args).current_dir(folder).output().map_err(words(tool))?;
        let text = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
        if ended.status.success() { Ok(text) } else { Err(format!("{tool}: {text}")) }
    };
    let names = files.iter().map(|f| f.name.as_str());
    let args: Vec<&str> = ["-g2001", "-o", "tb.vvp"].into_iter().chain(names).collect();
    run("iverilog", &args)?;
    run("vvp", &["-n", "tb.vvp"])
}

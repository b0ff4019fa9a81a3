//! A design cycle by cycle: a row a cycle (or every `--hold` cycles), streams side by side, nets traced, waves written.

use std::path::Path;

use blc_backends::sim::{LANES, Machine, Names, Outputs, Probe, Program, Wave, WaveFormat, probes};
use blc_frontend::data::npy;
use blc_frontend::{data::Array, files};
use blc_ir::diag::Diagnostic;
use serde::Serialize;

use super::Design;
use super::tally::Tally;
use crate::answers::{self, Answers};
use crate::args::Sim;
use crate::batch::{self, Batch, Labels};
use crate::codes;
use crate::ui::{self, Outcome, Ui};

/// Most numbers of outputs that are kept: every cycle gives some.
const MAX_OUTPUTS: usize = 1 << 28;
/// Most cycles and nets that a trace or a wave shows, multiplied.
const MAX_TRACED: usize = 1 << 27;

/// What is told of a run.
#[derive(Serialize)]
struct Summary {
    design: String,
    streams: usize,
    cycles: usize,
    samples: usize,
    /// Cycles that each sample is held.
    hold: usize,
    latency_cycles: u64,
    correct: Option<u64>,
    accuracy: Option<f64>,
    confusion: Option<Vec<Vec<u64>>>,
    /// With upsets: cycles of any stream in which an output differs from a run without them.
    cycles_changed: Option<usize>,
    /// With upsets: the accuracy without them.
    accuracy_without_upsets: Option<f64>,
}

/// A register that is inverted, and when.
struct Upset {
    register: usize,
    cycle: usize,
}

/// Whether the command line asks for cycles.
pub(super) fn wanted(args: &Sim) -> bool {
    args.cycles.is_some()
        || args.hold.is_some()
        || args.streams.is_some()
        || !args.trace.is_empty()
        || args.wave.is_some()
        || !args.flip.is_empty()
}

fn unfit(message: impl Into<String>, help: &str) -> Diagnostic {
    Diagnostic::error(&codes::CYCLES, message).help(help)
}

/// What is run.
struct Run<'a> {
    args: &'a Sim,
    design: &'a Design,
    batch: &'a Batch,
    program: &'a Program,
    names: Names,
    probes: Vec<Probe>,
    streams: usize,
    /// Samples of each stream.
    rows: usize,
    hold: usize,
    cycles: usize,
}

/// What came of it: outputs `[streams, cycles]`, and of the first stream the traced nets, a row a cycle.
struct Ran {
    outputs: Vec<Outputs>,
    trace: Vec<Vec<String>>,
    wave: Option<Wave>,
}

/// Runs a design cycle by cycle.
pub(super) fn run(args: &Sim, design: &Design, ui: &Ui) -> Outcome {
    let f = design.top()?;
    let batch = Batch::open(super::input(args), &design.module, f, args.packed)?;
    let program = Program::compile(&design.module, f)?;
    // Without a wave only what is asked for, perhaps nothing.
    let wanted = (args.wave.is_none() || !args.trace.is_empty()).then_some(args.trace.as_slice());
    let (names, probes) = probes(&design.module, f, &program, wanted)?;
    let upsets = upsets(args, design, &program)?;
    let (streams, hold) = (args.streams.map_or(1, |n| n.get() as usize), args.hold.map_or(1, |n| n.get() as usize));
    if batch.samples() % streams != 0 {
        let message = format!("{} samples are no whole number for each of {streams} streams", batch.samples());
        return Err(unfit(message, "give every stream as many samples").into());
    }
    let rows = batch.samples() / streams;
    let latency = program.latency().unwrap_or_else(|_| f.latency());
    let cycles = match args.cycles {
        Some(n) => n.get() as usize,
        None => rows.saturating_mul(hold).saturating_add(latency as usize),
    };
    let columns = program.outputs().columns();
    let fits = |per_cycle: usize, max: usize| {
        streams.checked_mul(cycles).and_then(|n| n.checked_mul(per_cycle.max(1))).is_some_and(|n| n <= max)
    };
    let bits: usize = probes.iter().map(Probe::width).sum();
    if !fits(columns, MAX_OUTPUTS) || !fits(bits, MAX_TRACED) || (rows == 0 && cycles > 0 && args.cycles.is_some()) {
        let message = format!("{streams} streams of {cycles} cycles with {columns} outputs and {bits} traced bits");
        return Err(unfit(message, "run fewer cycles or streams, or trace fewer nets; there must be a sample").into());
    }
    let cycles = if rows == 0 { 0 } else { cycles };
    let run = Run { args, design, batch: &batch, program: &program, names, probes, streams, rows, hold, cycles };
    let good = run.all(&[])?;
    let ran = if upsets.is_empty() { None } else { Some(run.all(&upsets)?) };
    let shown = ran.as_ref().unwrap_or(&good);
    let labels = args.labels.as_ref().map(|path| Labels::open(path, batch.samples())).transpose()?;
    let tallies = match &labels {
        Some(labels) => {
            let labels = labels.rows(0..batch.samples())?;
            Some((run.tally(shown, &labels, latency)?, run.tally(&good, &labels, latency)?))
        }
        None => None,
    };
    let changed = ran.as_ref().map(|ran| changed(&ran.outputs, &good.outputs));
    if let Some(path) = &args.output {
        npy::write(path, &run.answers(shown)?)?;
    }
    let ran = ran.unwrap_or(good);
    if let (Some(path), Some(wave)) = (&args.wave, ran.wave) {
        files::write_atomic(path, &wave.finish(10 * cycles.max(1) as u64)?)?;
    }
    let tally = tallies.as_ref().map(|t| &t.0);
    let summary = Summary {
        design: design.name.clone(),
        streams,
        cycles,
        samples: batch.samples(),
        hold,
        latency_cycles: latency,
        correct: tally.map(Tally::correct),
        accuracy: tally.map(Tally::accuracy),
        confusion: tally.and_then(Tally::matrix),
        cycles_changed: changed,
        accuracy_without_upsets: changed.and(tallies.as_ref().map(|t| t.1.accuracy())),
    };
    if args.json {
        return ui.data(serde_json::to_string_pretty(&summary).unwrap_or_default() + "\n");
    }
    let trace = if args.wave.is_none() { ui::table(&ran.trace) } else { String::new() };
    ui.data(trace + &text(&summary))
}

fn text(s: &Summary) -> String {
    let mut text = format!("{} streams of {} cycles through {}\n", s.streams, s.cycles, s.design);
    if let (Some(correct), Some(accuracy)) = (s.correct, s.accuracy) {
        text += &format!("accuracy {:.2} % ({correct} of {})\n", 100.0 * accuracy, s.samples);
    }
    if let Some(changed) = s.cycles_changed {
        text += &format!("upsets change outputs in {changed} cycles\n");
    }
    if let Some(accuracy) = s.accuracy_without_upsets {
        text += &format!("accuracy without upsets {:.2} %\n", 100.0 * accuracy);
    }
    text + &s.confusion.as_deref().map(super::tally::text).unwrap_or_default()
}

/// Reads `NET@CYCLE`.
fn upsets(args: &Sim, design: &Design, program: &Program) -> Outcome<Vec<Upset>> {
    let mut upsets = Vec::new();
    for text in &args.flip {
        let parts = text.rsplit_once('@').and_then(|(net, cycle)| Some((net, cycle.parse().ok()?)));
        let Some((net, cycle)) = parts else {
            return Err(unfit(format!("`--flip {text}`"), "write NET@CYCLE: `--flip layer0_n17_q1@5`").into());
        };
        let (_, found) = probes(&design.module, design.top()?, program, Some(&[net.to_owned()]))?;
        for probe in found {
            let Some(register) = probe.register else {
                let error = Diagnostic::error(&blc_backends::codes::SIM_UPSET, format!("`{net}` is no register"));
                return Err(error.help("name a register, as the Verilog declares it").into());
            };
            upsets.push(Upset { register, cycle });
        }
    }
    Ok(upsets)
}

/// Cycles, of all streams, whose outputs differ.
fn changed(a: &[Outputs], b: &[Outputs]) -> usize {
    let differs = |a: &Outputs, b: &Outputs| {
        (0..a.samples()).filter(|&s| (0..a.layout().columns()).any(|c| a.get(s, c) != b.get(s, c))).count()
    };
    a.iter().zip(b).map(|(a, b)| differs(a, b)).sum()
}

impl Run<'_> {
    /// Runs every stream. Outputs are a block for each cycle, group of streams by group.
    fn all(&self, upsets: &[Upset]) -> Outcome<Ran> {
        let mut ran = Ran { outputs: Vec::new(), trace: Vec::new(), wave: self.wave()? };
        for first in (0..self.streams).step_by(LANES) {
            self.group(first..(first + LANES).min(self.streams), upsets, &mut ran)?;
        }
        Ok(ran)
    }

    fn group(&self, streams: std::ops::Range<usize>, upsets: &[Upset], ran: &mut Ran) -> Outcome {
        let mut machine = Machine::with_probes(self.program, self.args.engine, &self.probes)?;
        for cycle in 0..self.cycles {
            for upset in upsets.iter().filter(|u| u.cycle == cycle) {
                machine.upset(upset.register);
            }
            // After the last row its inputs stay.
            let row = (cycle / self.hold).min(self.rows - 1);
            let rows = self.batch.pick(streams.clone().map(|stream| stream * self.rows + row));
            let outputs = machine.settle(&rows.input()).map_err(|d| batch::of_file(*d, self.batch.path()))?;
            ran.outputs.push(outputs);
            if streams.start == 0 {
                self.show(&machine, cycle, ran)?;
            }
            machine.edge();
        }
        Ok(())
    }

    /// The nets of a wave: of the first stream only, so that names are those of the Verilog.
    fn wave(&self) -> Outcome<Option<Wave>> {
        let Some(path) = &self.args.wave else { return Ok(None) };
        let mut variables: Vec<(String, usize)> = self.names.clock.iter().map(|name| (name.clone(), 1)).collect();
        variables.extend(self.probes.iter().map(|p| (p.name.clone(), p.width())));
        let vcd = Path::new(path).extension().is_some_and(|e| e.eq_ignore_ascii_case("vcd"));
        let format = if vcd { WaveFormat::Vcd } else { WaveFormat::Fst };
        Ok(Some(Wave::new(format, &[(self.names.design.clone(), variables)])?))
    }

    fn show(&self, machine: &Machine, cycle: usize, ran: &mut Ran) -> Outcome {
        let time = 10 * cycle as u64;
        let first = usize::from(self.names.clock.is_some());
        if let Some(wave) = &mut ran.wave {
            if first == 1 {
                wave.change(time, 0, std::iter::once(cycle > 0))?;
            }
            for probe in 0..self.probes.len() {
                wave.change(time, first + probe, machine.probe(probe, 0).rev())?;
            }
            if first == 1 {
                wave.change(time + 5, 0, std::iter::once(false))?;
            }
        } else if !self.probes.is_empty() {
            if ran.trace.is_empty() {
                let head = std::iter::once("cycle".to_owned()).chain(self.probes.iter().map(|p| p.name.clone()));
                ran.trace.push(head.collect());
            }
            let bits = |probe| machine.probe(probe, 0).rev().map(|bit| if bit { '1' } else { '0' }).collect();
            let row = std::iter::once(cycle.to_string()).chain((0..self.probes.len()).map(bits));
            ran.trace.push(row.collect());
        }
        Ok(())
    }

    /// Outputs of every cycle: `[cycles, outputs]`, of several streams `[streams, cycles, outputs]`.
    fn answers(&self, ran: &Ran) -> Outcome<Array> {
        let columns = self.program.outputs().columns();
        let width = self.program.outputs().ports().iter().map(|p| p.width).max().unwrap_or(1);
        let mut numbers = Vec::with_capacity(self.streams * self.cycles * columns);
        for stream in 0..self.streams {
            for cycle in 0..self.cycles {
                let (outputs, lane) = self.at(ran, stream, cycle);
                numbers.extend((0..columns).map(|c| outputs.get(lane, c)));
            }
        }
        let mut shape = vec![self.streams, self.cycles, columns];
        if self.streams == 1 {
            shape.remove(0);
        }
        Ok(answers::array(shape, width, numbers.into_iter()))
    }

    /// The outputs of a stream in a cycle: a block, and the row in it.
    fn at<'r>(&self, ran: &'r Ran, stream: usize, cycle: usize) -> (&'r Outputs, usize) {
        (&ran.outputs[stream / LANES * self.cycles + cycle], stream % LANES)
    }

    /// Classes against labels: that of a sample stands at the outputs in the last cycle that it is held, and `latency`
    /// cycles later.
    fn tally(&self, ran: &Ran, labels: &[u16], latency: u64) -> Outcome<Tally> {
        let f = self.design.top()?;
        if !Answers::gives_classes(f) {
            return Err(self.design.lacks("it gives no class to compare with labels").into());
        }
        let mut tally = Tally::default();
        for (sample, &label) in labels.iter().enumerate() {
            let (stream, row) = (sample / self.rows.max(1), sample % self.rows.max(1));
            let cycle = row * self.hold + self.hold - 1 + latency as usize;
            if cycle < self.cycles {
                let (outputs, lane) = self.at(ran, stream, cycle);
                let class = outputs.layout().port(answers::CLASS).map_or(0, |p| outputs.get(lane, p.columns.start));
                tally.add(&[label], &[class as u16]);
            }
        }
        Ok(tally)
    }
}

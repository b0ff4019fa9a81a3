//! A pipeline over a batch, piece by piece, so that neither inputs nor answers need to fit in memory.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use blc_backends::sim::{Simulator, Times};
use blc_frontend::data::npy::Writer;
use serde::Serialize;

use super::Design;
use super::tally::Tally;
use crate::answers::Answers;
use crate::args::Sim;
use crate::batch::{self, Batch, Labels};
use crate::ui::{Outcome, Ui};

/// What is told of a run. Times are of the fastest of `--repeat` passes over the batch.
#[derive(Serialize)]
struct Summary {
    design: String,
    engine: &'static str,
    samples: usize,
    threads: usize,
    latency_cycles: u64,
    correct: Option<u64>,
    accuracy: Option<f64>,
    /// `confusion[label][class]`, samples.
    confusion: Option<Vec<Vec<u64>>>,
    /// Making the engine ready.
    seconds_setup: f64,
    /// The same of the processor, where the system tells.
    seconds_setup_cpu: Option<f64>,
    /// All threads together; none of the reference engine.
    seconds_encode: Option<f64>,
    seconds_evaluate: Option<f64>,
    seconds_head: Option<f64>,
    /// From samples in the file's memory to classes in memory.
    seconds: f64,
    /// Of the processor, all threads together, where the system tells.
    seconds_cpu: Option<f64>,
    samples_per_second: f64,
}

/// Processor time of this process.
fn cpu() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
    }
    #[cfg(not(unix))]
    None
}

/// Where answers go, piece by piece.
#[derive(Default)]
struct Files {
    predictions: Option<Writer>,
    scores: Option<Writer>,
}

impl Files {
    fn add(&mut self, args: &Sim, design: &Design, samples: usize, answers: &Answers<'_>) -> Outcome {
        append(&mut self.predictions, args.output.as_deref(), samples, || Ok(answers.predictions()))?;
        append(&mut self.scores, args.scores.as_deref(), samples, || {
            answers.scores().ok_or_else(|| design.lacks("it gives no scores").into())
        })
    }

    fn finish(self) -> Outcome {
        for writer in [self.predictions, self.scores].into_iter().flatten() {
            writer.finish()?;
        }
        Ok(())
    }
}

/// Appends the next rows of an array of `samples` rows to the file at `path`, where one is asked for.
fn append(
    writer: &mut Option<Writer>,
    path: Option<&Path>,
    samples: usize,
    array: impl FnOnce() -> Outcome<blc_frontend::data::Array>,
) -> Outcome {
    let Some(path) = path else { return Ok(()) };
    let array = array()?;
    if writer.is_none() {
        let mut shape = array.shape.clone();
        shape[0] = samples;
        *writer = Some(Writer::create(path, &shape, array.data.kind())?);
    }
    writer.as_mut().map_or(Ok(()), |writer| Ok(writer.write(&array.data)?))
}

/// A pass over the batch.
#[derive(Clone, Copy, Default)]
struct Pass {
    wall: Duration,
    cpu: Option<Duration>,
    parts: Option<Times>,
}

/// Runs a batch through a pipeline.
pub(super) fn run(args: &Sim, mut design: Design, ui: &Ui) -> Outcome {
    let classes = Answers::gives_classes(design.top()?);
    if classes && args.scores.is_none() {
        // Scores that nobody asked for are not taken out.
        if let Some(f) = design.module.top_mut() {
            f.results.retain(|port| port.name == crate::answers::CLASS);
        }
    }
    let f = design.top()?;
    let batch = Batch::open(super::input(args), &design.module, f, args.packed)?;
    let labels = args.labels.as_ref().map(|path| Labels::open(path, batch.samples())).transpose()?;
    if labels.is_some() && !classes {
        return Err(design.lacks("it gives no class to compare with labels").into());
    }
    let (start, start_cpu) = (Instant::now(), cpu());
    let simulator = Simulator::new(&design.module, f, args.engine)?;
    let (setup, setup_cpu) = (start.elapsed(), cpu().zip(start_cpu).map(|(now, start)| now - start));
    ui.warn(simulator.note().map(std::slice::from_ref).unwrap_or_default());

    let mut best: Option<Pass> = None;
    let mut tally = Tally::default();
    let repeat = args.repeat.get();
    for pass in 1..=repeat {
        let mut files = Files::default();
        let mut time = Pass { cpu: cpu().map(|_| Duration::ZERO), ..Pass::default() };
        let parts = simulator.times();
        for rows in windows(batch.samples(), batch.window()) {
            let (start, start_cpu) = (Instant::now(), cpu());
            let samples = batch.rows(rows.clone());
            let outputs = simulator.run(&samples.input()).map_err(|d| batch::of_file(*d, batch.path()))?;
            let answers = Answers::new(f, &outputs);
            let given = answers.classes();
            time.wall += start.elapsed();
            time.cpu = time.cpu.zip(cpu()).zip(start_cpu).map(|((sum, now), start)| sum + (now - start));
            if pass == repeat {
                files.add(args, &design, batch.samples(), &answers)?;
                if let (Some(labels), Some(classes)) = (&labels, given) {
                    tally.add(&labels.rows(rows)?, &classes);
                }
            }
        }
        files.finish()?;
        time.parts = simulator.times().zip(parts).map(|(now, before)| now - before);
        best = best.filter(|best| best.cpu.unwrap_or(best.wall) <= time.cpu.unwrap_or(time.wall)).or(Some(time));
    }
    let best = best.unwrap_or_default();
    let samples = batch.samples();
    let seconds = best.wall.as_secs_f64();
    let summary = Summary {
        design: design.name.clone(),
        engine: simulator.engine().name(),
        samples,
        threads: rayon::current_num_threads(),
        latency_cycles: simulator.latency(),
        correct: labels.as_ref().map(|_| tally.correct()),
        accuracy: labels.as_ref().map(|_| tally.accuracy()),
        confusion: labels.as_ref().and_then(|_| tally.matrix()),
        seconds_setup: setup.as_secs_f64(),
        seconds_setup_cpu: setup_cpu.map(|t| t.as_secs_f64()),
        seconds_encode: best.parts.map(|p| p.encode),
        seconds_evaluate: best.parts.map(|p| p.evaluate),
        seconds_head: best.parts.map(|p| p.head),
        seconds,
        seconds_cpu: best.cpu.map(|t| t.as_secs_f64()),
        samples_per_second: if seconds > 0.0 { samples as f64 / seconds } else { 0.0 },
    };
    ui.data(if args.json { serde_json::to_string_pretty(&summary).unwrap_or_default() + "\n" } else { text(&summary) })
}

/// Runs of rows; an empty one where there are none, so that an empty batch has answers of the right type.
pub(super) fn windows(samples: usize, window: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = (0..samples.max(1)).step_by(window);
    starts.map(move |start| start..(start + window).min(samples))
}

fn text(s: &Summary) -> String {
    let mut text = format!(
        "{} samples through {} ({} engine, {} cycles of latency in hardware) in {:.3} s, {:.0} a second; ready in {:.3} s\n",
        s.samples, s.design, s.engine, s.latency_cycles, s.seconds, s.samples_per_second, s.seconds_setup
    );
    if let (Some(correct), Some(accuracy)) = (s.correct, s.accuracy) {
        text += &format!("accuracy {:.2} % ({correct} of {})\n", 100.0 * accuracy, s.samples);
    }
    text + &s.confusion.as_deref().map(super::tally::text).unwrap_or_default()
}

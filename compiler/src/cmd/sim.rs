//! `blc sim`: what a compiled design answers.

use std::time::Instant;

use blc_backends::sim::Simulator;
use blc_frontend::data::npy;
use blc_frontend::files;
use blc_ir::diag::Diagnostic;
use serde::Serialize;

use crate::args::Sim;
use crate::batch::{self, Answers, Batch};
use crate::codes;
use crate::load;
use crate::ui::{Outcome, Ui};

/// What is told of a run.
#[derive(Serialize)]
struct Summary {
    design: String,
    engine: &'static str,
    samples: usize,
    latency_cycles: u64,
    correct: Option<usize>,
    accuracy: Option<f64>,
    seconds: f64,
}

/// Runs a batch through a design.
pub fn run(args: &Sim, ui: &Ui) -> Outcome {
    let file = load::design_file(&args.design)?;
    let module = load::read_blir(&file)?;
    let Some(f) = module.top() else {
        return Err(no_output(args, "the text has no function").into());
    };
    let batch = Batch::read(&args.input, &module, f)?;
    let labels = args.labels.as_ref().map(|path| batch::labels(path, batch.samples())).transpose()?;
    let simulator = Simulator::new(&module, f, args.engine)?;
    if let Some(note) = simulator.note() {
        ui.say(format!("note: {note}"));
    }
    let start = Instant::now();
    let outputs = simulator.run(&batch.input()).map_err(|d| batch::of_file(*d, &args.input))?;
    let seconds = start.elapsed().as_secs_f64();
    let answers = Answers::new(f, &outputs);

    let correct = match labels {
        Some(labels) => {
            let classes =
                answers.classes().ok_or_else(|| no_output(args, "it gives no class to compare with labels"))?;
            Some(classes.iter().zip(&labels).filter(|(a, b)| a == b).count())
        }
        None => None,
    };
    let scores = match &args.scores {
        Some(path) => Some((path, answers.scores().ok_or_else(|| no_output(args, "it gives no scores"))?)),
        None => None,
    };
    for (path, array) in args.output.iter().map(|path| (path, answers.predictions())).chain(scores) {
        npy::write(path, &array)?;
    }
    let summary = Summary {
        design: files::display(&file),
        engine: simulator.engine().name(),
        samples: batch.samples(),
        latency_cycles: simulator.latency(),
        correct,
        accuracy: correct.map(|n| n as f64 / batch.samples().max(1) as f64),
        seconds,
    };
    ui.data(if args.json { serde_json::to_string_pretty(&summary).unwrap_or_default() + "\n" } else { text(&summary) })
}

fn text(s: &Summary) -> String {
    let mut text = format!(
        "{} samples through {} ({} engine, {} cycles of latency in hardware) in {:.3} s\n",
        s.samples, s.design, s.engine, s.latency_cycles, s.seconds
    );
    if let (Some(correct), Some(accuracy)) = (s.correct, s.accuracy) {
        text += &format!("accuracy {:.2} % ({correct} of {})\n", 100.0 * accuracy, s.samples);
    }
    text
}

fn no_output(args: &Sim, what: &str) -> Diagnostic {
    Diagnostic::error(&codes::NO_CLASS, what)
        .in_file(files::display(&args.design), "")
        .help("compile the model with its head, or ask for `--output` alone")
}

//! A training run told to other programs: a line of JSON an epoch, and curves as SVG.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use blc_frontend::codes::FILE_WRITE;
use blc_frontend::files;
use blc_frontend::train::{Accuracy, EpochReport, Observer, RunPlan, TrainReport};
use blc_ir::diag::{Diagnostic, Result};
use serde::Serialize;

use crate::plot::{Chart, Series, svg};

/// A line of the file.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line<'a> {
    Epoch(&'a EpochReport),
    Run {
        best_epoch: usize,
        validation: Accuracy,
        test_hard: Option<Accuracy>,
        test_soft: Option<Accuracy>,
        nodes: usize,
        parameters: usize,
        input_bits: usize,
        train_samples: usize,
        steps: usize,
        threads: usize,
        seconds: f64,
        interrupted: bool,
    },
}

/// Writes a line as soon as there is something to say.
pub struct Metrics<'a> {
    file: Option<(&'a Path, File)>,
    failed: Option<io::Error>,
}

impl<'a> Metrics<'a> {
    /// Empties the file, if one is wanted.
    ///
    /// # Errors
    /// `BL1002`.
    pub fn new(path: Option<&'a Path>) -> Result<Self> {
        let open =
            |path: &'a Path| Ok::<_, Box<Diagnostic>>((path, File::create(path).map_err(|e| refused(path, &e))?));
        Ok(Self { file: path.map(open).transpose()?, failed: None })
    }

    fn line(&mut self, line: &Line<'_>) {
        let Some((_, file)) = self.file.as_mut().filter(|_| self.failed.is_none()) else { return };
        let written = serde_json::to_string(line).map_err(io::Error::from).and_then(|text| writeln!(file, "{text}"));
        self.failed = written.err();
    }

    /// The run as its last line.
    ///
    /// # Errors
    /// `BL1002` where any line could not be written; training went on nevertheless.
    pub fn finish(mut self, report: &TrainReport) -> Result<()> {
        self.line(&Line::Run {
            best_epoch: report.best_epoch,
            validation: report.validation,
            test_hard: report.test_hard,
            test_soft: report.test_soft,
            nodes: report.nodes,
            parameters: report.parameters,
            input_bits: report.input_bits,
            train_samples: report.train_samples,
            steps: report.steps,
            threads: report.threads,
            seconds: report.seconds,
            interrupted: report.interrupted,
        });
        match (self.file, self.failed) {
            (Some((path, _)), Some(e)) => Err(refused(path, &e)),
            _ => Ok(()),
        }
    }
}

impl Observer for Metrics<'_> {
    fn start(&mut self, _: &RunPlan, done: &[EpochReport]) {
        done.iter().for_each(|epoch| self.line(&Line::Epoch(epoch)));
    }

    fn epoch(&mut self, report: &EpochReport) {
        self.line(&Line::Epoch(report));
    }
}

fn refused(path: &Path, e: &io::Error) -> Box<Diagnostic> {
    let d = Diagnostic::error(&FILE_WRITE, format!("cannot be written: {e}")).in_file(files::display(path), "");
    Box::new(d.help("choose another place with `--metrics`, or make this one writable"))
}

/// Accuracy and loss over the epochs.
pub fn curves(title: &str, report: &TrainReport) -> String {
    let of = |f: &dyn Fn(&EpochReport) -> f64| report.epochs.iter().map(|e| (e.epoch as f64, f(e))).collect();
    let series = |name: &str, points: Vec<(f64, f64)>| Series { name: name.into(), points, line: true };
    let chart = |title: String, y: &str, series: Vec<Series>| Chart {
        title,
        labels: ["epoch".into(), y.into()],
        log_x: false,
        series,
    };
    let accuracy =
        vec![series("hard", of(&|e| 100.0 * e.hard.share())), series("soft", of(&|e| 100.0 * e.soft.share()))];
    svg(&[
        chart(format!("{title}: validation accuracy"), "%", accuracy),
        chart("Training loss".into(), "loss", vec![series("loss", of(&|e| e.loss))]),
    ])
}

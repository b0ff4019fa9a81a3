//! What the runs of a sweep gave: one table, and accuracy against area as a plot.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::plan::Job;
use crate::plot::{Chart, Series, svg};

/// Name of a run's result in its folder.
pub const RUN: &str = "run.json";

/// One run that was finished.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Validation samples, and how many of them the frozen network has right. Test samples are not read by a sweep.
    pub validation: [usize; 2],
    /// Lookup tables that were trained.
    pub nodes: usize,
    /// Sites of the compiled design: all, encoder, logic, head.
    pub luts: [u64; 4],
    /// Flip-flops.
    pub ffs: u64,
    /// Levels of the longest path.
    pub levels: u64,
    /// Estimated nanoseconds from sample to answer.
    pub latency_ns: Option<f64>,
    /// Wall time of training.
    pub train_seconds: f64,
}

impl Run {
    /// Reads the result in a run's folder, if it was finished.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(RUN)).ok()?).ok()
    }

    /// What a `report.json` says of the area.
    pub fn take(&mut self, report: &Value) {
        let of = |value: &Value, key: &str| value[key].as_u64().unwrap_or(0);
        let part = |part: &str| of(&report["by_part"][part], "luts");
        self.luts = [of(report, "luts"), part("encoder"), part("logic"), part("head")];
        (self.ffs, self.levels) = (of(report, "ffs"), of(report, "levels"));
        self.latency_ns = report["latency_ns"].as_f64();
    }

    fn accuracy(&self) -> f64 {
        100.0 * self.validation[0] as f64 / self.validation[1].max(1) as f64
    }
}

/// Which runs no other one beats: better in one of accuracy and sites, and not worse in the other.
fn front(runs: &[Run]) -> Vec<bool> {
    let beats = |a: &Run, b: &Run| {
        let (x, y) = (a.accuracy(), b.accuracy());
        x >= y && a.luts[0] <= b.luts[0] && (x > y || a.luts[0] < b.luts[0])
    };
    runs.iter().map(|b| !runs.iter().any(|a| beats(a, b))).collect()
}

/// The results as a CSV, a line for each run in the order of the plan, and as a plot.
pub fn tables(done: &[(&Job, Run)]) -> (String, String) {
    let runs: Vec<Run> = done.iter().map(|(_, run)| run.clone()).collect();
    let front = front(&runs);
    let mut csv = String::from("run");
    if let Some((job, _)) = done.first() {
        job.settings.iter().for_each(|(key, _)| csv += &format!(",{}", field(key)));
    }
    csv +=
        ",validation_percent,pareto,nodes,luts,luts_encoder,luts_logic,luts_head,ffs,levels,latency_ns,train_seconds\n";
    for ((job, run), pareto) in done.iter().zip(&front) {
        csv += &job.id;
        job.settings.iter().for_each(|(_, value)| csv += &format!(",{}", field(&value.to_string())));
        csv += &format!(",{:.3},{},{}", run.accuracy(), u8::from(*pareto), run.nodes);
        run.luts.iter().chain([&run.ffs, &run.levels]).for_each(|n| csv += &format!(",{n}"));
        let ns = run.latency_ns.map_or_else(String::new, |ns| format!("{ns:.2}"));
        csv += &format!(",{ns},{:.1}\n", run.train_seconds);
    }
    let point = |run: &Run| (run.luts[0] as f64, run.accuracy());
    let mut best: Vec<(f64, f64)> = runs.iter().zip(&front).filter(|(_, f)| **f).map(|(run, _)| point(run)).collect();
    best.sort_by(|a, b| a.0.total_cmp(&b.0));
    let chart = Chart {
        title: "Accuracy against area".into(),
        labels: ["LUT sites, encoder and head in".into(), "validation %, hard".into()],
        log_x: true,
        series: vec![
            Series { name: "not beaten".into(), points: best, line: true },
            Series { name: "runs".into(), points: runs.iter().map(point).collect(), line: false },
        ],
    };
    (csv, svg(&[chart]))
}

/// The same as JSON: an array of the runs.
pub fn json(done: &[(&Job, Run)]) -> String {
    let runs: Vec<Run> = done.iter().map(|(_, run)| run.clone()).collect();
    let rows = done.iter().zip(front(&runs)).map(|((job, run), pareto)| {
        let settings: serde_json::Map<String, Value> =
            job.settings.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        json!({ "run": job.id, "settings": settings, "pareto": pareto, "result": run })
    });
    format!("{:#}\n", Value::Array(rows.collect()))
}

/// A field of a CSV, in quotes where it must be.
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(correct: usize, luts: u64) -> Run {
        Run {
            validation: [correct, 100],
            nodes: 1,
            luts: [luts, 0, 0, 0],
            ffs: 0,
            levels: 0,
            latency_ns: None,
            train_seconds: 0.0,
        }
    }

    #[test]
    fn the_front_is_what_nothing_beats() {
        let runs = [run(90, 50), run(90, 60), run(95, 60), run(80, 50), run(80, 10), run(95, 60)];
        assert_eq!(front(&runs), [true, false, true, false, true, true]);
    }

    #[test]
    fn fields_are_quoted_where_needed() {
        assert_eq!(field("a"), "a");
        assert_eq!(field("[1, 2]"), "\"[1, 2]\"");
        assert_eq!(field("\"dwn\""), "\"\"\"dwn\"\"\"");
    }

    #[test]
    fn a_report_gives_the_area() {
        let mut found = run(1, 0);
        let text = r#"{"luts":7,"ffs":3,"levels":2,"latency_ns":1.5,"by_part":{"encoder":{"luts":1},"logic":{"luts":2},"head":{"luts":4}}}"#;
        found.take(&serde_json::from_str(text).unwrap());
        assert_eq!((found.luts, found.ffs, found.levels, found.latency_ns), ([7, 1, 2, 4], 3, 2, Some(1.5)));
    }
}

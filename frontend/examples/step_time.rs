//! CPU time of a training step (forward, backward, Adam), as `scripts/training_benchmark.sh` compares it.
//!
//! Random samples of 2,352 bits, batches of 128, ten classes. Prints a line of JSON for each model: name, milliseconds of CPU
//! time of the fastest step, of all threads together, and of wall time; and at the end the peak of memory. Linux only: CPU
//! time is read from `/proc`.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A program of its own.

use std::time::Instant;

use blc_frontend::data::{Dataset, Features, Split};
use blc_frontend::train::config::*;
use blc_frontend::train::{Config, EpochReport, Observer, RunOptions, RunPlan, train};

const INPUTS: usize = 2352;
const BATCH: usize = 128;
const STEPS: usize = 12;

/// CPU nanoseconds of all threads so far.
fn cpu() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |text: String| text.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    tasks.filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok()).map(of).sum()
}

struct Clock {
    last: (u64, Instant),
    best: (u64, u128),
}

impl Observer for Clock {
    fn start(&mut self, _: &RunPlan, _: &[EpochReport]) {
        self.last = (cpu(), Instant::now());
    }
    fn step(&mut self, step: usize, _: f32) {
        let now = (cpu(), Instant::now());
        // The first step touches memory for the first time.
        if step > 1 {
            self.best.0 = self.best.0.min(now.0 - self.last.0);
            self.best.1 = self.best.1.min((now.1 - self.last.1).as_nanos());
        }
        self.last = now;
    }
}

fn data() -> Dataset {
    let mut state = 1u64;
    let mut split = |n: usize| {
        let mut bit = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33 & 1) as u8
        };
        Split {
            x: Features::U8((0..n * INPUTS).map(|_| bit()).collect()),
            y: (0..n).map(|i| (i % 10) as u16).collect(),
        }
    };
    let (train, test) = (split(STEPS * BATCH + 20), split(10));
    Dataset { name: "random".into(), shape: vec![INPUTS], classes: 10, train, test, soft: None }
}

fn main() {
    use NodeKind::{Difflogic, Dwn, Light};
    use Sampling::{Hard, Soft};
    let only = std::env::args().nth(1);
    let node =
        |kind, sampling| Node { kind, sampling, smoothing: if kind == Dwn { 0.75 } else { 1.0 }, ..Node::default() };
    let layers = |fan_in, nodes: [usize; 2], candidates| {
        nodes.map(|nodes| Layer { nodes, fan_in, candidates, ..Layer::default() }).to_vec()
    };
    let models = [
        ("difflogic LUT2 2x8000", node(Difflogic, Soft), layers(2, [8000; 2], 1)),
        ("light LUT4 2x4000", node(Light, Soft), layers(4, [4000; 2], 1)),
        ("light LUT4 2x4000 of 8", node(Light, Soft), layers(4, [4000; 2], 8)),
        ("light LUT6 2x8000", node(Light, Soft), layers(6, [8000; 2], 1)),
        ("dwn LUT6 2000+1000", node(Dwn, Hard), layers(6, [2000, 1000], 1)),
        ("dwn LUT6 2x8000", node(Dwn, Hard), layers(6, [8000; 2], 1)),
        ("light LUT6 2x8000 hard", node(Light, Hard), layers(6, [8000; 2], 1)),
    ];
    let data = data();
    for (name, node, layers) in models {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let encoder = Encoder { kind: EncoderKind::Thermometer, bits: 1, ..Encoder::default() };
        let validation = 20.0 / data.train.len() as f64;
        let config = Config { epochs: 1, batch: BATCH, validation, encoder, layers, node, ..Config::default() };
        let mut clock = Clock { last: (0, Instant::now()), best: (u64::MAX, u128::MAX) };
        if let Err(e) = train(&data, &config, &mut clock, &RunOptions::default()) {
            eprintln!("{name}: {e}");
            std::process::exit(1);
        }
        let (cpu, wall) = (clock.best.0 as f64 / 1e6, clock.best.1 as f64 / 1e6);
        println!("{{\"model\": \"{name}\", \"cpu_ms\": {cpu:.2}, \"wall_ms\": {wall:.2}}}");
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("").trim();
    println!("{{\"peak_memory\": \"{peak}\"}}");
}

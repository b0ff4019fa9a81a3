//! Whole runs: what is trained, frozen, saved and resumed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::config::{Augment, Encoder, EncoderKind, Layer, Scope, Wiring};
use super::*;
use crate::data::{Dataset, Features, Split};
use crate::model::{self, Dtype, Model, Thresholds};
use crate::rng::{Stream, Use};

/// Noisy images of 6 by 6 with a bright quadrant, one for each of four classes.
fn quadrants(seed: u64, real: bool) -> Dataset {
    let mut rng = Stream::new(seed, Use::Init, 99);
    let mut split = |n: usize| {
        let y: Vec<u16> = (0..n).map(|i| (i % 4) as u16).collect();
        let pixel = |class: u16, p: usize, rng: &mut Stream| {
            let bright = (p / 18 * 2 + p % 6 / 3) as u16 == class;
            (rng.below(120) + if bright { 100 } else { 0 }) as u8
        };
        let x: Vec<u8> = y.iter().flat_map(|&y| (0..36).map(|p| pixel(y, p, &mut rng)).collect::<Vec<_>>()).collect();
        let x =
            if real { Features::F32(x.iter().map(|&x| f32::from(x) / 7.0 - 3.0).collect()) } else { Features::U8(x) };
        Split { x, y }
    };
    Dataset { name: "quadrants".into(), shape: vec![6, 6], classes: 4, train: split(601), test: split(200), soft: None }
}

fn small() -> Config {
    Config {
        epochs: 6,
        batch: 32,
        encoder: Encoder { kind: EncoderKind::Thermometer, scope: Scope::Global, ..Encoder::default() },
        layers: vec![
            Layer { nodes: 60, fan_in: 4, wiring: Wiring::Local, radius: 2, candidates: 5, ..Layer::default() },
            Layer { nodes: 40, fan_in: 3, ..Layer::default() },
        ],
        augment: Augment { shift: 1, ..Augment::default() },
        ..Config::default()
    }
}

fn run(data: &Dataset, config: &Config) -> Trained {
    train(data, config, &mut (), &RunOptions::default()).unwrap()
}

fn bytes(model: &Model) -> Vec<u8> {
    model.to_bytes().unwrap()
}

/// Scores of one sample by the model file's words: thresholds, connections, tables, sums.
fn scores(model: &Model, x: &[f32]) -> Vec<u64> {
    let mut bits: Vec<bool> = Vec::new();
    let mut scores = Vec::new();
    for layer in &model.layers {
        match layer {
            model::Layer::Thermometer { bits: n, thresholds } => {
                let threshold = |i: usize| match thresholds {
                    Thresholds::U8(t) => f32::from(t[i]),
                    Thresholds::F32(t) => t[i],
                };
                bits = (0..x.len() * n).map(|i| x[i / n] > threshold(i)).collect();
            }
            model::Layer::Lut { fan_in, connections, tables } => {
                let node = |(inputs, table): (&[u32], &[u64])| {
                    let a: usize = inputs.iter().enumerate().map(|(j, &i)| usize::from(bits[i as usize]) << j).sum();
                    table[a / 64] >> (a % 64) & 1 == 1
                };
                let words = model::words_per_table(*fan_in);
                bits = connections.chunks(*fan_in).zip(tables.chunks(words)).map(node).collect();
            }
            model::Layer::GroupSum { groups } => {
                let ones = |group: &[bool]| group.iter().filter(|&&b| b).count() as u64;
                scores = bits.chunks(bits.len() / groups).map(ones).collect();
            }
            model::Layer::Code { bits: n, thresholds, codes } => {
                let steps = codes.len() - 1;
                let threshold = |i: usize| match thresholds {
                    Thresholds::U8(t) => f32::from(t[i]),
                    Thresholds::F32(t) => t[i],
                };
                let level = |f: usize| (0..steps).filter(|t| x[f] > threshold(f * steps + t)).count();
                bits = (0..x.len() * n).map(|i| codes[level(i / n)] >> (i % n) & 1 == 1).collect();
            }
            model::Layer::GroupDsp { groups, weights } => {
                let sum = |g: usize| bits.chunks(bits.len() / groups).nth(g).unwrap().iter().filter(|&&b| b).count();
                let product = |row: &[u32]| row.iter().enumerate().map(|(g, &w)| u64::from(w) * sum(g) as u64).sum();
                scores = weights.chunks(*groups).map(product).collect();
            }
            model::Layer::Argmax => {}
        }
    }
    scores
}

/// Checks the trainer's own evaluation and accuracy of a model against [`scores`].
fn check_hard(data: &Dataset, trained: &Trained) {
    trained.model.validate().unwrap();
    let found = predict(&trained.model, &data.test.x).unwrap();
    let x: Vec<f32> = match &data.test.x {
        Features::U8(x) => x.iter().map(|&x| f32::from(x)).collect(),
        Features::F32(x) => x.clone(),
    };
    let mut correct = 0;
    for (i, x) in x.chunks(data.features()).enumerate() {
        let expected = scores(&trained.model, x);
        assert_eq!(found.scores[i * data.classes..][..data.classes], expected, "sample {i}");
        let best = (0..data.classes).rev().max_by_key(|&c| expected[c]).unwrap();
        assert_eq!(usize::from(found.classes[i]), best, "sample {i}: ties go to the lowest class");
        correct += usize::from(best == usize::from(data.test.y[i]));
    }
    let reported = trained.report.test_hard.unwrap();
    assert_eq!((reported.correct, reported.samples), (correct, data.test.len()));
}

#[test]
fn a_small_network_learns_and_its_hard_accuracy_is_that_of_the_model() {
    for real in [false, true] {
        let data = quadrants(1, real);
        let trained = run(&data, &Config { epochs: 15, ..small() });
        check_hard(&data, &trained);
        let report = &trained.report;
        assert!(report.test_hard.unwrap().share() > 0.8, "{:?}", report.test_hard);
        assert!(report.test_soft.unwrap().share() > 0.5, "{:?}", report.test_soft);
        assert!(report.epochs[14].loss < report.epochs[0].loss);
        let hard = |e: &EpochReport| e.hard.correct;
        let best = report.epochs.iter().map(hard).max().unwrap();
        assert_eq!(hard(&report.epochs[report.best_epoch - 1]), best);
        assert_eq!((report.nodes, report.steps, report.epochs.len()), (100, 15 * 16, 15));
        assert_eq!(report.train_samples + report.validation.samples, 601);
        assert_eq!(trained.model.dtype, if real { Dtype::F32 } else { Dtype::U8 });
    }
}

#[test]
fn every_fan_in_and_encoder_trains_and_freezes() {
    let data = quadrants(2, false);
    for (fan_in, kind, scope) in [
        (2, EncoderKind::Distributive, Scope::Feature),
        (3, EncoderKind::Thermometer, Scope::Feature),
        (5, EncoderKind::Distributive, Scope::Global),
        (6, EncoderKind::Thermometer, Scope::Global),
    ] {
        let layer = Layer { nodes: 40, fan_in, ..Layer::default() };
        let encoder = Encoder { kind, scope, bits: 5, ..Encoder::default() };
        let config = Config { epochs: 2, batch: 100, encoder, layers: vec![layer; 3], ..small() };
        let config = Config { node: config::Node { residual: 0.5, ..config.node.clone() }, ..config };
        check_hard(&data, &run(&data, &config));
    }
}

#[test]
fn a_batch_larger_than_the_data_is_the_data() {
    let data = quadrants(3, false);
    let trained = run(&data, &Config { epochs: 2, batch: 5000, ..small() });
    assert_eq!(trained.report.steps, 2);
}

#[test]
fn seed_decides_and_threads_do_not() {
    let data = quadrants(4, false);
    let with = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let trained = pool.install(|| run(&data, &Config { seed, epochs: 3, ..small() }));
        assert_eq!(trained.report.threads, threads);
        (bytes(&trained.model), trained.report.epochs.last().unwrap().loss)
    };
    let one = with(1, 5);
    assert!(one == with(2, 5), "one and two threads");
    assert!(one == with(3, 5), "one and three threads");
    assert!(one.0 != with(1, 6).0, "two seeds");
}

#[test]
fn area_makes_tables_heed_fewer_inputs() {
    let data = quadrants(12, false);
    let with = |area: f64| {
        let regularizer = config::Regularizer { area, ..config::Regularizer::default() };
        let trained = run(&data, &Config { epochs: 15, regularizer, ..small() });
        let mut heeded = 0;
        for layer in &trained.model.layers {
            let model::Layer::Lut { fan_in, tables, .. } = layer else { continue };
            let heeds = |table: u64, j: usize| (0..1 << fan_in).any(|a| (table >> a ^ table >> (a ^ 1 << j)) & 1 == 1);
            heeded += tables.iter().map(|&t| (0..*fan_in).filter(|&j| heeds(t, j)).count()).sum::<usize>();
        }
        (heeded, trained.report.test_hard.unwrap().share())
    };
    let (whole, area) = (with(0.0), with(0.4));
    assert!(area.0 < whole.0 * 9 / 10, "{} inputs of {}", area.0, whole.0);
    assert!(area.1 > whole.1 - 0.05, "{} after {}", area.1, whole.1);
}

/// Stops a run after some epochs, as an interrupt does.
struct StopAfter {
    epochs: AtomicUsize,
    stop: Arc<AtomicBool>,
}

impl Observer for StopAfter {
    fn epoch(&mut self, _: &EpochReport) {
        if self.epochs.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

fn stop_after(data: &Dataset, config: &Config, epochs: usize, checkpoint: Option<&Path>) -> Trained {
    let stop = Arc::new(AtomicBool::new(epochs == 0));
    let mut observer = StopAfter { epochs: epochs.into(), stop: Arc::clone(&stop) };
    let options = RunOptions { checkpoint: checkpoint.map(Path::to_owned), stop: Some(stop), ..RunOptions::default() };
    let trained = train(data, config, &mut observer, &options).unwrap();
    assert!(trained.report.interrupted && trained.report.test_hard.is_none());
    assert_eq!(trained.report.epochs.len(), epochs);
    trained
}

fn resume(data: &Dataset, config: &Config, checkpoint: &Path) -> blc_ir::diag::Result<Trained> {
    let options = RunOptions { resume: Some(checkpoint.to_owned()), ..RunOptions::default() };
    train(data, config, &mut (), &options)
}

/// Stops a run at a step, wherever in an epoch that is.
struct StopAt {
    steps: usize,
    stop: Arc<AtomicBool>,
}

impl Observer for StopAt {
    fn step(&mut self, _: usize, _: f32) {
        self.steps -= 1;
        self.stop.store(self.steps == 0, Ordering::Relaxed);
    }
}

#[test]
fn a_resumed_run_gives_the_bytes_of_an_uninterrupted_one() {
    let data = quadrants(6, false);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    let (deep, plain) = (small(), Config { augment: Augment::default(), ..small() });
    let node = |kind, sampling| config::Node { kind, sampling, ..config::Node::default() };
    let pairs = vec![Layer { nodes: 80, fan_in: 2, ..Layer::default() }; 2];
    let learned = Encoder { kind: EncoderKind::Learnable, bits: 2, scope: Scope::Global, ..Encoder::default() };
    let conv = Layer { kind: config::LayerKind::Conv, nodes: 4, fan_in: 2, depth: 2, ..Layer::default() };
    let all = Augment { shift: 1, mirror: true, affine: 1.0, elastic: 0.5, flip_bits: 0.02, ..Augment::default() };
    let cases = [
        deep.clone(),
        Config {
            augment: all.clone(),
            node: node(config::NodeKind::Light, config::Sampling::GumbelHard),
            ..deep.clone()
        },
        Config {
            augment: all,
            node: node(config::NodeKind::Difflogic, config::Sampling::GumbelSoft),
            layers: pairs,
            ..deep.clone()
        },
        Config { encoder: learned, node: node(config::NodeKind::Warp, config::Sampling::Hard), ..deep.clone() },
        Config { layers: vec![conv, Layer { nodes: 40, fan_in: 3, ..Layer::default() }], ..plain },
    ];
    // An epoch has sixteen steps: the last of one, the first of one, and one in the middle.
    let cases = cases.iter().zip([33, 48, 21, 16, 25]).map(|(config, steps)| (config, Compute::Cpu, steps));
    for (config, compute, steps) in cases.chain([(&deep, Compute::Plain, 21)]) {
        let config = Config { epochs: 4, ..config.clone() };
        let options = RunOptions { compute, ..RunOptions::default() };
        let whole = train(&data, &config, &mut (), &options).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let options = RunOptions { checkpoint: Some(path.clone()), stop: Some(stop.clone()), ..options };
        let stopped = train(&data, &config, &mut StopAt { steps, stop }, &options).unwrap();
        assert!(stopped.report.interrupted && stopped.report.steps == steps);
        let options = RunOptions { resume: Some(path.clone()), compute, ..RunOptions::default() };
        let resumed = train(&data, &config, &mut (), &options).unwrap();
        assert!(bytes(&resumed.model) == bytes(&whole.model));
        let key = |t: &Trained| {
            let epoch = |e: &EpochReport| (e.epoch, e.loss.to_bits(), e.soft, e.hard);
            let report = &t.report;
            (report.epochs.iter().map(epoch).collect::<Vec<_>>(), report.best_epoch, report.test_hard, report.steps)
        };
        assert_eq!(key(&resumed), key(&whole));
    }
}

#[test]
fn an_interrupted_run_keeps_its_best() {
    let (data, config) = (quadrants(7, false), small());
    let stopped = stop_after(&data, &config, 2, None);
    assert!((1..=2).contains(&stopped.report.best_epoch));
    // Its best is what a run of the same two epochs holds best so far.
    let mut seen = Vec::new();
    struct Watch<'a>(&'a mut Vec<EpochReport>);
    impl Observer for Watch<'_> {
        fn epoch(&mut self, report: &EpochReport) {
            self.0.push(report.clone());
        }
    }
    train(&data, &config, &mut Watch(&mut seen), &RunOptions::default()).unwrap();
    assert_eq!(stopped.report.validation, seen[..2].iter().map(|e| e.hard).max_by_key(|a| a.correct).unwrap());
    // Stopped before anything happened it still gives a valid model.
    let none = stop_after(&data, &config, 0, None);
    assert_eq!(none.report.best_epoch, 0);
    none.model.validate().unwrap();
}

#[test]
fn checkpoints_of_other_runs_and_damaged_ones_are_refused() {
    let (data, config) = (quadrants(8, false), Config { epochs: 3, ..small() });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    stop_after(&data, &config, 1, Some(&path));
    let code = |data: &Dataset, config: &Config, path: &Path| resume(data, config, path).unwrap_err().code.id;
    assert_eq!(code(&data, &Config { seed: 2, ..config.clone() }, &path), "BL1303");
    assert_eq!(code(&quadrants(9, false), &config, &path), "BL1303");
    assert_eq!(code(&data, &config, &folder.path().join("none")), "BL1001");
    let good = std::fs::read(&path).unwrap();
    for n in [0, 7, 8, 100, good.len() / 2, good.len() - 1] {
        let cut = folder.path().join("cut");
        std::fs::write(&cut, &good[..n]).unwrap();
        assert_eq!(code(&data, &config, &cut), "BL1303", "cut to {n} bytes");
    }
    let mut poisoned = good.clone();
    let end = poisoned.len();
    poisoned[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, &poisoned).unwrap();
    assert_eq!(code(&data, &config, &path), "BL1303");
    std::fs::write(&path, &good).unwrap();
    assert!(resume(&data, &config, &path).is_ok());
}

#[test]
fn data_that_cannot_be_trained_on_are_named() {
    let good = quadrants(10, true);
    type Change = fn(&mut Dataset);
    let error = |change: Change, config: &Config| {
        let mut data = good.clone();
        change(&mut data);
        train(&data, config, &mut (), &RunOptions::default()).unwrap_err()
    };
    let cases: [(Change, &str); 6] = [
        (|d| d.train.y[5] = 4, "label 4"),
        (|d| d.test.y.truncate(10), "numbers for 10 labels"),
        (|d| d.train.y.clear(), "none"),
        (|d| set(&mut d.train.x, 77, f32::NAN), "sample 2, feature 5"),
        (|d| set(&mut d.test.x, 0, f32::INFINITY), "not a number"),
        (|d| d.train.x = Features::F32(vec![]), "0 numbers"),
    ];
    for (change, named) in cases {
        let e = error(change, &small());
        assert!(e.code.id == "BL1302" && e.message.contains(named), "{e}");
    }
    let constant = error(|d| d.train.x = Features::F32(vec![1.0; 601 * 36]), &small());
    assert!(constant.code.id == "BL1301" && constant.message.contains("reads only 0 bits"), "{constant}");
    let hot = Config { head: config::Head { temperature: Some(1e-40), ..config::Head::default() }, ..small() };
    assert_eq!(error(|_| {}, &hot).code.id, "BL1306");
}

fn set(x: &mut Features, at: usize, value: f32) {
    if let Features::F32(x) = x {
        x[at] = value;
    }
}

#[test]
fn models_of_other_kinds_are_refused_by_predict() {
    let data = quadrants(11, false);
    let model = run(&data, &Config { epochs: 1, ..small() }).model;
    assert!(predict(&model, &data.test.x).is_ok());
    assert!(predict(&model, &Features::U8(vec![0; 35])).is_err());
    assert!(predict(&model.clone().without_head(), &data.test.x).is_err());
    assert!(predict(&model.clone().without_encoder(), &data.test.x).is_err());
    let wide = model::Layer::Lut { fan_in: 9, connections: vec![0; 360], tables: vec![0; 320] };
    let mut wider = model.clone();
    wider.layers[2] = wide;
    assert_eq!(predict(&wider, &data.test.x).unwrap_err().code.id, "BL1304");
    // Bytes as real numbers are the same samples.
    let Features::U8(x) = &data.test.x else { panic!("bytes") };
    let real = Features::F32(x.iter().map(|&x| f32::from(x)).collect());
    assert_eq!(predict(&model, &real).unwrap(), predict(&model, &data.test.x).unwrap());
}

#[test]
fn digits_reach_95_percent() {
    let data = Dataset::open("digits").unwrap();
    let config = Config { epochs: 12, ..Config::preset("digits").unwrap() };
    let trained = run(&data, &config);
    check_hard(&data, &trained);
    let hard = trained.report.test_hard.unwrap();
    assert!(hard.share() >= 0.95, "{} of {}", hard.correct, hard.samples);
    assert!(trained.model.nodes() <= 800);
}

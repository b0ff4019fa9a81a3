//! The training loop.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use blc_ir::diag::{Diagnostic, Result};
use candle_core::{Device, Tensor};

use super::batch::{Epoch, Holdout};
use super::checkpoint::{self, Best, Progress};
use super::config::Config;
use super::encoder::{Encoder, Packer, Shift};
use super::freeze::freeze;
use super::internal;
use super::kernel::LANES;
use super::network::Network;
use super::optim::cosine;
use super::predict::{Plan, predict_relaxed};
use super::report::{Accuracy, EpochReport, Observer, RunPlan, TrainReport};
use super::wiring::Point;
use crate::codes;
use crate::data::{Dataset, Features, Split};
use crate::model::Model;

/// How a run starts, saves itself and stops.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Where the state is written after every epoch.
    pub checkpoint: Option<PathBuf>,
    /// A state to continue from.
    pub resume: Option<PathBuf>,
    /// Once true, the run ends after the step it is in and returns the best model so far.
    pub stop: Option<Arc<AtomicBool>>,
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The frozen network of the best epoch.
    pub model: Model,
    /// How it came about.
    pub report: TrainReport,
}

/// Trains a network on a data set and freezes it.
///
/// The result depends on data and configuration alone, not on the number of threads, nor on whether the run was
/// interrupted and resumed.
///
/// Errors: `BL1301` a configuration that cannot be, `BL1302` data that cannot be trained on, `BL1303` a checkpoint of
/// another run, `BL1306` a loss that is not a number, and those of writing a file.
pub fn train(data: &Dataset, config: &Config, observer: &mut dyn Observer, options: &RunOptions) -> Result<Trained> {
    let started = Instant::now();
    config.check(data)?;
    check(data)?;
    let mut run = Run::new(data, config)?;
    let fingerprint = match (&options.checkpoint, &options.resume) {
        (None, None) => String::new(),
        _ => checkpoint::fingerprint(config, data)?,
    };
    if let Some(path) = &options.resume {
        run.progress = checkpoint::load(path, &fingerprint, &run.network)?;
    }
    let parameters = run.network.parameters().map(|(_, p)| p.len()).sum();
    let nodes = config.layers.iter().map(|l| l.nodes).sum();
    let done = run.progress.history.len();
    observer.start(&RunPlan { epochs: config.epochs, done, steps: run.steps_per_epoch(), nodes, parameters });
    let stopped = || options.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
    let mut interrupted = false;
    for _ in done..config.epochs {
        interrupted = !run.epoch(observer, &stopped)?;
        if interrupted {
            break;
        }
        if let Some(path) = &options.checkpoint {
            checkpoint::save(path, &fingerprint, &run.network, &run.progress)?;
        }
    }
    let best = match run.progress.best.take() {
        Some(best) => best,
        None => Best { epoch: 0, ..run.present()?.1 },
    };
    checkpoint::restore(&run.network, &best.values)?;
    let model = run.freeze()?;
    let (mut test_hard, mut test_soft) = (None, None);
    if !interrupted && !data.test.is_empty() {
        let all: Vec<u32> = (0..data.test.len() as u32).collect();
        let (hard, soft) = run.accuracy(&model, &data.test, &all)?;
        (test_hard, test_soft) = (Some(hard), Some(soft));
    }
    let report = TrainReport {
        best_epoch: best.epoch,
        validation: best.accuracy,
        test_hard,
        test_soft,
        train_samples: run.holdout.train.len(),
        input_bits: run.live.len(),
        nodes,
        parameters,
        steps: run.progress.step,
        threads: rayon::current_num_threads(),
        seconds: started.elapsed().as_secs_f64(),
        interrupted,
        epochs: run.progress.history,
    };
    Ok(Trained { model, report })
}

struct Run<'a> {
    data: &'a Dataset,
    config: &'a Config,
    features: usize,
    holdout: Holdout,
    encoder: Encoder,
    /// Encoder bits that the first layer may read.
    live: Vec<u32>,
    packer: Packer<'a>,
    network: Network,
    progress: Progress,
}

impl<'a> Run<'a> {
    fn new(data: &'a Dataset, config: &'a Config) -> Result<Self> {
        let features = data.features();
        let holdout = Holdout::stratified(&data.train.y, data.classes, config.validation, config.seed);
        let (x, samples) = (&data.train.x, &holdout.train);
        let encoder = Encoder::fit(x, features, samples, &config.encoder);
        let live = encoder.live_bits(x, features, samples, config.encoder.rarest);
        let mut inputs = live.len();
        for (i, layer) in config.layers.iter().enumerate() {
            if inputs < layer.fan_in {
                let what = format!("layers[{i}].fan_in = {}, but the layer reads only {inputs} bits", layer.fan_in);
                let help = "give the encoder more bits or the layer before more nodes, or lower fan_in";
                return Err(Diagnostic::error(&codes::TRAIN_CONFIG, what).help(help).into());
            }
            inputs = layer.nodes;
        }
        let packer = Packer::new(x, features, encoder.bits, &encoder.thresholds, &live);
        let points = points(&data.shape, encoder.bits, &live);
        let network = Network::new(config, live.len(), &points, data.classes).map_err(internal)?;
        Ok(Self { data, config, features, holdout, encoder, live, packer, network, progress: Progress::default() })
    }

    fn batch(&self) -> usize {
        self.config.batch.min(self.holdout.train.len())
    }

    fn steps_per_epoch(&self) -> usize {
        self.holdout.train.len() / self.batch()
    }

    /// One epoch and its validation; false where it was stopped on the way.
    fn epoch(&mut self, observer: &mut dyn Observer, stopped: &dyn Fn() -> bool) -> Result<bool> {
        let started = Instant::now();
        let (number, steps) = (self.progress.history.len(), self.steps_per_epoch());
        let order = Epoch::draw(self.config, self.batch(), &self.holdout.train, &self.data.shape, number);
        let mut loss = 0.0;
        for (i, (samples, shifts)) in order.batches().enumerate() {
            if stopped() {
                return Ok(false);
            }
            let batch_loss = self.step(samples, shifts).map_err(internal)?;
            if !batch_loss.is_finite() {
                return Err(diverged(number + 1, i + 1));
            }
            loss += f64::from(batch_loss);
            observer.step(i + 1, batch_loss);
        }
        let (soft, best) = self.present()?;
        let report = EpochReport {
            epoch: number + 1,
            loss: loss / steps as f64,
            soft,
            hard: best.accuracy,
            learning_rate: self.rate(),
            seconds: started.elapsed().as_secs_f64(),
        };
        observer.epoch(&report);
        self.progress.history.push(report);
        if self.progress.best.as_ref().is_none_or(|b| best.accuracy.correct >= b.accuracy.correct) {
            self.progress.best = Some(best);
        }
        Ok(true)
    }

    fn rate(&self) -> f64 {
        cosine(self.config.optimizer.learning_rate, self.progress.step, self.config.epochs * self.steps_per_epoch())
    }

    /// One update of all parameters; returns the batch's mean cross-entropy.
    fn step(&mut self, samples: &[u32], shifts: Option<&[Shift]>) -> candle_core::Result<f32> {
        let words = samples.len().div_ceil(LANES);
        let mut bits = vec![0; self.packer.width() * words];
        self.packer.pack(samples, shifts, words, &mut bits);
        let bits = bits.into_iter().map(|w| w as i64).collect();
        let bits = Tensor::from_vec(bits, (self.packer.width(), words), &Device::Cpu)?;
        let labels: Vec<u32> = samples.iter().map(|&s| u32::from(self.data.train.y[s as usize])).collect();
        let labels = Tensor::from_vec(labels, samples.len(), &Device::Cpu)?;
        let logits = self.network.logits(&bits, samples.len(), self.progress.step)?;
        let loss = candle_nn::loss::cross_entropy(&logits, &labels)?;
        loss.backward()?;
        let rate = self.rate();
        self.progress.step += 1;
        for (_, parameter) in self.network.parameters() {
            parameter.update(&self.config.optimizer, rate, self.progress.step)?;
        }
        loss.to_scalar()
    }

    /// The present parameters with their soft and hard accuracy on the validation samples.
    fn present(&self) -> Result<(Accuracy, Best)> {
        let model = self.freeze()?;
        let (hard, soft) = self.accuracy(&model, &self.data.train, &self.holdout.validation)?;
        let epoch = self.progress.history.len() + 1;
        Ok((soft, Best { epoch, accuracy: hard, values: checkpoint::values(&self.network)? }))
    }

    fn freeze(&self) -> Result<Model> {
        let layers = self.network.snapshot().map_err(internal)?;
        Ok(freeze(self.data, &self.encoder, &self.live, &layers))
    }

    /// Hard accuracy of a model and soft accuracy of the network it was frozen from.
    fn accuracy(&self, model: &Model, split: &Split, samples: &[u32]) -> Result<(Accuracy, Accuracy)> {
        let labels = || samples.iter().map(|&s| split.y[s as usize]);
        let hard = Plan::new(model)?.run(&split.x, self.features, samples);
        let packer = Packer::new(&split.x, self.features, self.encoder.bits, &self.encoder.thresholds, &self.live);
        let layers = self.network.snapshot().map_err(internal)?;
        let soft = predict_relaxed(&layers, self.data.classes, &packer, samples);
        Ok((Accuracy::of(&hard.classes, labels()), Accuracy::of(&soft, labels())))
    }
}

fn diverged(epoch: usize, step: usize) -> Box<Diagnostic> {
    Diagnostic::error(&codes::TRAIN_DIVERGED, format!("the loss is not a number in epoch {epoch}, step {step}"))
        .help("leave head.temperature out or raise it, or lower optimizer.learning_rate")
        .into()
}

/// Row and column of each bit's feature; the last two axes of a sample are rows and columns.
fn points(shape: &[usize], bits: usize, live: &[u32]) -> Vec<Point> {
    let (rows, columns) = match shape {
        [.., rows, columns] => (*rows, *columns),
        [columns] => (1, *columns),
        [] => (1, 1),
    };
    live.iter()
        .map(|&bit| {
            let feature = bit as usize / bits;
            [(feature / columns % rows) as i32, (feature % columns) as i32]
        })
        .collect()
}

/// Refuses data on which training would fail or mean nothing.
fn check(data: &Dataset) -> Result<()> {
    let features = data.features();
    for (what, split) in [("training", &data.train), ("test", &data.test)] {
        let (n, numbers) = (split.len(), split.x.len());
        let wrong = |problem: String| {
            let d = Diagnostic::error(&codes::TRAIN_DATA, format!("the {what} samples {problem}"));
            Err(Box::new(d.help("check the file that the data set was read from")))
        };
        if n == 0 && what == "training" {
            return wrong("are none".into());
        }
        if n > u32::MAX as usize || numbers != n * features {
            return wrong(format!("are {numbers} numbers for {n} labels, not {features} for each"));
        }
        if let Some(y) = split.y.iter().find(|&&y| usize::from(y) >= data.classes) {
            return wrong(format!("have label {y}, but the classes are 0 to {}", data.classes - 1));
        }
        if let Features::F32(x) = &split.x
            && let Some(at) = x.iter().position(|x| !x.is_finite())
        {
            return wrong(format!(
                "have a value that is not a number: sample {}, feature {}",
                at / features,
                at % features
            ));
        }
    }
    Ok(())
}

//! The training loop.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use blc_ir::diag::{Diagnostic, Result};
use candle_core::{Device, Tensor};

use super::augment::{Variation, flip_bits};
use super::batch::Epoch;
use super::checkpoint::{self, Best, Progress};
use super::compute::Compute;
use super::config::Config;
use super::config::{EncoderKind, HeadKind};
use super::encoder::Encoder;
use super::freeze::freeze;
use super::kernel::LANES;
use super::learned::Learned;
use super::network::Network;
use super::optim::{Parameter, rate};
use super::pack::{Packer, values};
use super::predict::{Plan, largest, predict_relaxed};
use super::report::{Accuracy, EpochReport, Observer, RunPlan, TrainReport};
use super::volume::Field;
use super::{internal, tensors};
use crate::codes;
use crate::data::{Dataset, Features, Holdout, Split};
use crate::model::Model;
use crate::rng::{Stream, Use};

/// How a run starts, saves itself and stops.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Where the state is written after every epoch.
    pub checkpoint: Option<PathBuf>,
    /// A state to continue from.
    pub resume: Option<PathBuf>,
    /// Once true, the run ends after the step it is in and returns the best model so far.
    pub stop: Option<Arc<AtomicBool>>,
    /// Whether the test samples are not read.
    pub leave_test: bool,
    /// Where it computes, and by what operations.
    pub compute: Compute,
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
/// The result depends on data, configuration and operations alone, not on the number of threads, nor on whether the run was
/// interrupted and resumed.
///
/// Errors: `BL1301` a configuration that cannot be, `BL1302` data that cannot be trained on, `BL1303` a checkpoint of
/// another run, `BL1306` a loss that is not a number, `BL1307` a device that is not there, and those of writing a file.
pub fn train(data: &Dataset, config: &Config, observer: &mut dyn Observer, options: &RunOptions) -> Result<Trained> {
    let started = Instant::now();
    keep_memory();
    config.check(data)?;
    check(data)?;
    let mut run = Run::new(data, config, options.compute)?;
    let fingerprint = match (&options.checkpoint, &options.resume) {
        (None, None) => String::new(),
        _ => checkpoint::fingerprint(config, options.compute, data)?,
    };
    if let Some(path) = &options.resume {
        run.progress = checkpoint::load(path, &fingerprint, &run.parameters())?;
    }
    let parameters = run.parameters().iter().map(|(_, p)| p.len()).sum();
    let nodes = run.network.nodes();
    let done = run.progress.history.len();
    let plan = RunPlan { epochs: config.epochs, steps: run.steps_per_epoch(), nodes, parameters };
    observer.start(&plan, &run.progress.history);
    let stopped = || options.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
    let mut interrupted = false;
    for _ in done..config.epochs {
        if run.is_patience_out() {
            break;
        }
        interrupted = !run.epoch(observer, &stopped)?;
        if interrupted {
            break;
        }
        if let Some(path) = &options.checkpoint {
            checkpoint::save(path, &fingerprint, &run.parameters(), &run.progress)?;
        }
    }
    let best = match run.progress.best.take() {
        Some(best) => best,
        None => Best { epoch: 0, ..run.present()?.1 },
    };
    checkpoint::restore(&run.parameters(), &best.values)?;
    let model = run.freeze()?;
    let (mut test_hard, mut test_soft) = (None, None);
    if !interrupted && !options.leave_test && !data.test.is_empty() {
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

/// Each step takes and gives back tensors of megabytes. Once a block of this size was given back, glibc serves those from
/// memory that it keeps (mallopt(3), on the dynamic threshold): without, half of a step is page faults.
fn keep_memory() {
    drop(std::hint::black_box(vec![0u8; 31 << 20]));
}

struct Run<'a> {
    data: &'a Dataset,
    config: &'a Config,
    compute: Compute,
    features: usize,
    holdout: Holdout,
    encoder: Encoder,
    /// Encoder bits that the first layer may read.
    live: Vec<u32>,
    packer: Packer<'a>,
    learned: Option<Arc<Learned>>,
    network: Network,
    progress: Progress,
}

impl<'a> Run<'a> {
    fn new(data: &'a Dataset, config: &'a Config, compute: Compute) -> Result<Self> {
        let features = data.features();
        let holdout = Holdout::stratified(&data.train.y, data.classes, config.validation, Holdout::SEED);
        let (x, samples) = (&data.train.x, &holdout.train);
        let encoder = Encoder::fit(x, &data.shape, samples, &config.encoder);
        let learns = config.encoder.kind == EncoderKind::Learnable;
        let live = match learns {
            true => (0..(features * encoder.bits) as u32).collect(),
            false => encoder.live_bits(x, features, samples, config.encoder.rarest),
        };
        let device = compute.device()?;
        let learned = || Learned::new(&encoder, &data.shape, &config.encoder, &device);
        let learned = learns.then(learned).transpose().map_err(internal)?;
        let packer = Packer::new(x, features, &encoder.code(), &live);
        let field = Field::of_encoder(&data.shape, encoder.bits, &live);
        let network = Network::new(config, field, data.classes, compute)?;
        let learned = learned.map(Arc::new);
        let progress = Progress::default();
        Ok(Self { data, config, compute, features, holdout, encoder, live, packer, learned, network, progress })
    }

    /// What is trained, in a fixed order, by name.
    fn parameters(&self) -> Vec<(String, &Parameter)> {
        let thresholds = self.learned.as_ref().map(|learned| ("encoder.thresholds".to_owned(), &learned.raw));
        self.network.parameters().chain(thresholds).collect()
    }

    fn is_patience_out(&self) -> bool {
        let waited = self.progress.history.len() - self.progress.best.as_ref().map_or(0, |best| best.epoch);
        self.config.patience > 0 && waited >= self.config.patience
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
        for (i, (samples, variations)) in order.batches().enumerate() {
            if stopped() {
                return Ok(false);
            }
            // On one of rayon's own threads, so that no call inside wakes another and waits for it.
            let batch_loss = rayon::scope(|_| self.step(samples, variations)).map_err(internal)?;
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
        // Tables shrink until the end: where area costs, the last epoch is what was asked for.
        let shrinks = self.config.regularizer.area > 0.0;
        if shrinks || self.progress.best.as_ref().is_none_or(|b| best.accuracy.correct >= b.accuracy.correct) {
            self.progress.best = Some(best);
        }
        Ok(true)
    }

    fn rate(&self) -> f64 {
        let per_epoch = self.steps_per_epoch();
        rate(&self.config.optimizer, self.progress.step, self.config.epochs * per_epoch, per_epoch)
    }

    /// The encoder's bits of a batch.
    fn bits(&self, samples: &[u32], variations: Option<&[Variation]>) -> candle_core::Result<Tensor> {
        let words = samples.len().div_ceil(LANES);
        if let Some(learned) = &self.learned {
            let x = values(&self.data.train.x, self.features, samples, variations, words * LANES);
            let x = Tensor::from_vec(x, (self.features, words * LANES), learned.raw.var.device())?;
            return if self.compute.is_plain() { learned.tensor(&x) } else { learned.apply(&x) };
        }
        let mut bits = vec![0; self.packer.width() * words];
        self.packer.pack(samples, variations, words, &mut bits);
        let mut rng = Stream::new(self.config.seed, Use::Flips, self.progress.step);
        flip_bits(&mut bits, self.config.augment.flip_bits, &mut rng);
        let bits = bits.into_iter().map(|w| w as i64).collect();
        Tensor::from_vec(bits, (self.packer.width(), words), &Device::Cpu)
    }

    /// One update of all parameters; returns the batch's mean loss.
    fn step(&mut self, samples: &[u32], variations: Option<&[Variation]>) -> candle_core::Result<f32> {
        let bits = self.bits(samples, variations)?;
        let labels: Vec<u32> = samples.iter().map(|&s| u32::from(self.data.train.y[s as usize])).collect();
        let soft: Option<Vec<f32>> = self.data.soft.as_ref().filter(|_| self.config.loss.distill > 0.0).map(|soft| {
            let classes = self.data.classes;
            samples.iter().flat_map(|&s| &soft[s as usize * classes..][..classes]).copied().collect()
        });
        let done = self.progress.step as f64 / (self.config.epochs * self.steps_per_epoch()) as f64;
        let (sums, costs) = self.network.sums(&bits, self.progress.step)?;
        let loss = self.network.head().loss(&sums, &labels, soft.as_deref(), &self.config.loss, done)?;
        let gradients = match costs {
            Some(costs) => (&loss + costs)?.backward()?,
            None => loss.backward()?,
        };
        let rate = self.rate();
        self.progress.step += 1;
        for (_, parameter) in self.parameters() {
            if self.compute.is_plain() {
                let none = || parameter.var.zeros_like();
                let gradient = gradients.get(&parameter.var).map_or_else(none, |g| g.contiguous())?;
                parameter.tensor_update(&gradient, &self.config.optimizer, rate, self.progress.step)?;
                continue;
            }
            if let Some(gradient) = gradients.get(&parameter.var) {
                // Only what Candle's own operations read; the layers leave theirs in the parameters.
                parameter.state().gradient.copy_from_slice(&tensors::copy(&gradient.contiguous()?)?);
            }
            parameter.update(&self.config.optimizer, rate, self.progress.step)?;
        }
        self.network.shrink(rate)?;
        loss.to_scalar()
    }

    /// The present parameters with their soft and hard accuracy on the validation samples.
    fn present(&self) -> Result<(Accuracy, Best)> {
        let model = self.freeze()?;
        let (hard, soft) = self.accuracy(&model, &self.data.train, &self.holdout.validation)?;
        let epoch = self.progress.history.len() + 1;
        Ok((soft, Best { epoch, accuracy: hard, values: checkpoint::values(&self.parameters())? }))
    }

    /// The encoder as it is now.
    fn encoder(&self) -> Result<Cow<'_, Encoder>> {
        match &self.learned {
            Some(learned) => Ok(Cow::Owned(learned.encoder(&self.data.train.x).map_err(internal)?)),
            None => Ok(Cow::Borrowed(&self.encoder)),
        }
    }

    fn freeze(&self) -> Result<Model> {
        let snapshot = self.network.snapshot().map_err(internal)?;
        Ok(freeze(self.data, &*self.encoder()?, &self.live, &snapshot, self.network.head()))
    }

    /// Hard accuracy of a model and soft accuracy of the network it was frozen from.
    fn accuracy(&self, model: &Model, split: &Split, samples: &[u32]) -> Result<(Accuracy, Accuracy)> {
        let labels = || samples.iter().map(|&s| split.y[s as usize]);
        let hard = Plan::new(model)?.run(&split.x, self.features, samples);
        let encoder = self.encoder()?;
        let packer = Packer::new(&split.x, self.features, &encoder.code(), &self.live);
        let snapshot = self.network.snapshot().map_err(internal)?;
        let groups = self.network.head().groups;
        let soft = predict_relaxed(&snapshot, groups, &packer, samples);
        if self.network.head().kind() == HeadKind::Count {
            // The label that the count, scaled to the labels' range, is nearest to.
            let bits = model.layers.len().checked_sub(2).map_or(1, |last| model.width_after(last));
            let nearest = |count: f64| (count * (self.data.classes - 1) as f64 / bits as f64).round() as u16;
            let hard: Vec<u16> = hard.scores.iter().map(|&count| nearest(count as f64)).collect();
            let soft: Vec<u16> = soft.iter().map(|&count| nearest(count.into())).collect();
            return Ok((Accuracy::of(&hard, labels()), Accuracy::of(&soft, labels())));
        }
        let soft: Vec<u16> = soft.chunks(groups).map(largest).collect();
        Ok((Accuracy::of(&hard.classes, labels()), Accuracy::of(&soft, labels())))
    }
}

fn diverged(epoch: usize, step: usize) -> Box<Diagnostic> {
    Diagnostic::error(&codes::TRAIN_DIVERGED, format!("the loss is not a number in epoch {epoch}, step {step}"))
        .help("leave head.temperature out or raise it, or lower optimizer.learning_rate")
        .into()
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

//! Which samples a step sees, and how they are varied.

use super::config::Config;
use super::encoder::Shift;
use super::rng::{Stream, Use};

/// Numbers of the samples that are trained on and of those that are held out.
pub struct Holdout {
    /// Trained on.
    pub train: Vec<u32>,
    /// Chooses the best epoch.
    pub validation: Vec<u32>,
}

impl Holdout {
    /// Holds out a share of every class, at least one sample where the class has two; ascending numbers.
    pub fn stratified(labels: &[u16], classes: usize, share: f64, seed: u64) -> Self {
        let mut by_class = vec![Vec::new(); classes];
        for (i, &y) in labels.iter().enumerate() {
            by_class[y as usize].push(i as u32);
        }
        let mut rng = Stream::new(seed, Use::Holdout, 0);
        let (mut train, mut validation) = (Vec::new(), Vec::new());
        for mut samples in by_class {
            rng.shuffle(&mut samples);
            let held = ((samples.len() as f64 * share).round() as usize).max(usize::from(samples.len() > 1));
            let held = held.min(samples.len().saturating_sub(1));
            validation.extend_from_slice(&samples[..held]);
            train.extend_from_slice(&samples[held..]);
        }
        train.sort_unstable();
        validation.sort_unstable();
        Self { train, validation }
    }
}

/// The batches of one epoch: all samples in random order, those left over at the end skipped.
pub struct Epoch {
    order: Vec<u32>,
    shifts: Vec<Shift>,
    batch: usize,
}

impl Epoch {
    /// Draws the epoch's order and variations; `shape` is that of a sample.
    pub fn draw(config: &Config, batch: usize, samples: &[u32], shape: &[usize], epoch: usize) -> Self {
        let mut order = samples.to_vec();
        Stream::new(config.seed, Use::Order, epoch).shuffle(&mut order);
        let mut shifts = Vec::new();
        if let (1.., [.., rows, columns]) = (config.augment.shift, shape) {
            let mut rng = Stream::new(config.seed, Use::Augment, epoch);
            let most = config.augment.shift;
            let mut offset = || rng.below(2 * most + 1) as isize - most as isize;
            shifts = order
                .iter()
                .map(|_| Shift { rows: *rows, columns: *columns, down: offset(), right: offset() })
                .collect();
        }
        Self { order, shifts, batch }
    }

    /// The batches: numbers of the samples, and how each is moved.
    pub fn batches(&self) -> impl Iterator<Item = (&[u32], Option<&[Shift]>)> {
        let shifts = |i: usize| (!self.shifts.is_empty()).then(|| &self.shifts[i * self.batch..][..self.batch]);
        self.order.chunks_exact(self.batch).enumerate().map(move |(i, samples)| (samples, shifts(i)))
    }
}

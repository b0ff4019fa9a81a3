//! Which samples a step sees, and how they are varied.

use super::augment::Variation;
use super::config::Config;
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
    variations: Vec<Variation>,
    batch: usize,
}

impl Epoch {
    /// Draws the epoch's order and variations; `shape` is that of a sample.
    pub fn draw(config: &Config, batch: usize, samples: &[u32], shape: &[usize], epoch: usize) -> Self {
        let mut order = samples.to_vec();
        Stream::new(config.seed, Use::Order, epoch).shuffle(&mut order);
        let mut variations = Vec::new();
        if let (true, [.., rows, columns]) = (Variation::wanted(&config.augment), shape) {
            let mut rng = Stream::new(config.seed, Use::Augment, epoch);
            variations = order.iter().map(|_| Variation::draw(&config.augment, *rows, *columns, &mut rng)).collect();
        }
        Self { order, variations, batch }
    }

    /// The batches: numbers of the samples, and how each is varied.
    pub fn batches(&self) -> impl Iterator<Item = (&[u32], Option<&[Variation]>)> {
        let varied = |i: usize| (!self.variations.is_empty()).then(|| &self.variations[i * self.batch..][..self.batch]);
        self.order.chunks_exact(self.batch).enumerate().map(move |(i, samples)| (samples, varied(i)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Augment;
    use super::*;

    #[test]
    fn holdout_takes_its_share_of_every_class_and_no_sample_twice() {
        let labels: Vec<u16> = (0..1000).map(|i| if i < 700 { 0 } else { 1 + (i % 3) as u16 }).collect();
        let split = Holdout::stratified(&labels, 5, 0.2, 9);
        let of = |samples: &[u32], class: u16| samples.iter().filter(|&&s| labels[s as usize] == class).count();
        assert_eq!([0, 1, 2, 3, 4].map(|c| of(&split.validation, c)), [140, 20, 20, 20, 0]);
        let mut all = [split.train.clone(), split.validation.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        assert_ne!(split.validation, Holdout::stratified(&labels, 5, 0.2, 10).validation);
        // A class of one is trained on, a class of two gives one.
        let rare = Holdout::stratified(&[0, 1, 1], 2, 0.01, 9);
        assert_eq!((rare.train.len(), rare.validation.len()), (2, 1));
    }

    #[test]
    fn an_epoch_visits_samples_once_in_an_order_of_its_own() {
        let config = Config { augment: Augment { shift: 2, ..Augment::default() }, ..Config::default() };
        let samples: Vec<u32> = (100..150).collect();
        let visit = |epoch| -> (Vec<u32>, Vec<[isize; 2]>) {
            let epoch = Epoch::draw(&config, 16, &samples, &[8, 8], epoch);
            let shifts = epoch.batches().flat_map(|(_, s)| s.unwrap().iter().map(|s| [s.down, s.right])).collect();
            (epoch.batches().flat_map(|(s, _)| s.to_vec()).collect(), shifts)
        };
        let (order, shifts) = visit(0);
        assert_eq!((order.len(), shifts.len()), (48, 48), "two are left over");
        let mut sorted = order.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert!(sorted.len() == 48 && sorted.iter().all(|s| samples.contains(s)));
        assert!(shifts.iter().flatten().all(|o| (-2..=2).contains(o)));
        assert!((-2..=2).all(|o| shifts.iter().any(|s| s[0] == o) && shifts.iter().any(|s| s[1] == o)));
        assert_eq!(visit(0), (order.clone(), shifts));
        assert_ne!(visit(1).0, order);
    }
}

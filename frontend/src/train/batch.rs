//! Which samples a step sees, and how they are varied.

use super::augment::Variation;
use super::config::Config;
use crate::rng::{Stream, Use};

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

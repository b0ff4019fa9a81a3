//! Samples made of samples.
//!
//! A network knows its training samples by heart, and its loss there tells little of others. Where some features of a sample
//! are those of others of its class, it is one that was not seen, most likely of that class still, whatever the features mean.
//! Where they are those of any others, it has no class, but there a network is as unsure as anywhere.

use std::ops::Range;

use super::samples::{Inputs, Samples};
use crate::rng::Rng;

/// How samples are mixed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mixing {
    /// Share of the features that come from others, a feature at a time.
    pub share: f64,
    /// Whether these others are of any class, and not of the sample's.
    pub across: bool,
}

/// Samples, by class.
pub(super) struct Mixer<'a> {
    samples: &'a Samples,
    /// Those that are mixed with each other: a class, or all.
    classes: Vec<Vec<u32>>,
    mixing: Mixing,
    seed: u64,
}

impl<'a> Mixer<'a> {
    /// Of labelled samples.
    pub fn new(samples: &'a Samples, mixing: Mixing, seed: u64) -> Self {
        let mut mixer = Self { samples, classes: Vec::new(), mixing, seed };
        let most = (0..samples.len()).map(|i| mixer.class(i)).max().unwrap_or(0);
        mixer.classes.resize(most + 1, Vec::new());
        for i in 0..samples.len() {
            let class = mixer.class(i);
            mixer.classes[class].push(i as u32);
        }
        mixer
    }

    fn class(&self, sample: usize) -> usize {
        if self.mixing.across { 0 } else { self.samples.labels[sample].into() }
    }

    /// Some of the samples, mixed: differently in every round.
    pub fn mixed(&self, rows: Range<usize>, round: u64) -> Samples {
        let labels = self.samples.labels[rows.clone()].to_vec();
        let inputs = match &self.samples.inputs {
            Inputs::U8(x) => Inputs::U8(self.rows(x, rows, round)),
            Inputs::F32(x) => Inputs::F32(self.rows(x, rows, round)),
        };
        Samples { inputs, labels }
    }

    fn rows<T: Copy>(&self, x: &[T], rows: Range<usize>, round: u64) -> Vec<T> {
        let n = self.samples.features();
        let mut out = x[rows.start * n..rows.end * n].to_vec();
        let below = (self.mixing.share * f64::from(u32::MAX)) as u32;
        for (row, sample) in out.chunks_exact_mut(n.max(1)).zip(rows) {
            let class = &self.classes[self.class(sample)];
            // A stream for each sample and round.
            let mut rng = Rng::new(Rng::new(self.seed ^ round << 40 ^ sample as u64).next());
            for (feature, value) in row.iter_mut().enumerate() {
                let random = rng.next();
                if (random as u32) < below {
                    let other = class[(((random >> 32) * class.len() as u64) >> 32) as usize];
                    *value = x[other as usize * n + feature];
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixtures_are_of_one_class_and_new_in_every_round() {
        // Class 1 has odd features only, class 0 even ones.
        let labels: Vec<u16> = (0..200).map(|i| i % 2).collect();
        let x: Vec<u8> = (0..2000).map(|i| (2 * (i * 7 % 100) + i / 10 % 2) as u8).collect();
        let samples = Samples { inputs: Inputs::U8(x.clone()), labels };
        let mixer = Mixer::new(&samples, Mixing { share: 0.1, across: false }, 1);
        let mixed = |rows: Range<usize>, round| match mixer.mixed(rows, round).inputs {
            Inputs::U8(x) => x,
            Inputs::F32(_) => Vec::new(),
        };
        let all = mixed(0..200, 0);
        assert!(all.iter().enumerate().all(|(i, v)| usize::from(v % 2) == i / 10 % 2));
        let changed = all.iter().zip(&x).filter(|(a, b)| a != b).count();
        assert!((120..280).contains(&changed), "{changed} of 2000, at 10 %");
        assert_eq!(mixed(50..60, 0), all[500..600], "whatever rows are asked for");
        assert_ne!(mixed(0..200, 1), all);
        assert_eq!(mixer.mixed(50..60, 3).labels, samples.labels[50..60]);
        let across = Mixer::new(&samples, Mixing { share: 0.25, across: true }, 1).mixed(0..200, 0);
        let Inputs::U8(across) = across.inputs else { panic!("bytes") };
        let strange = across.iter().enumerate().filter(|(i, v)| usize::from(**v % 2) != i / 10 % 2).count();
        assert!((190..310).contains(&strange), "{strange} of 2000: a half of 25 %");
    }
}

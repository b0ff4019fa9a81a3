//! The split of a data set that has no official one: deterministic, stratified, and without leaks.

use std::collections::HashMap;
use std::hash::Hash;

use rand::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;

use super::Features;
use crate::rng::{Stream, Use};

/// Seed of every split.
pub const SEED: u64 = 0;

/// Divides samples into training and test ones: positions, each in ascending order.
///
/// A fifth of each class is for testing. Samples with equal features stay together (on the side of the first one's class), so that no
/// test sample was seen in training; a group too large for what is left of a class's fifth is for training.
pub fn stratified(x: &Features, features: usize, y: &[u16]) -> (Vec<usize>, Vec<usize>) {
    let groups = match x {
        Features::U8(x) => equal_rows(x, features),
        Features::F32(x) => equal_rows(&x.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), features),
    };
    let class = |group: &[usize]| group.first().and_then(|&i| y.get(i)).copied().unwrap_or(0);
    let mut by_class: Vec<Vec<&[usize]>> = vec![Vec::new(); usize::from(y.iter().max().copied().unwrap_or(0)) + 1];
    for group in &groups {
        by_class[usize::from(class(group))].push(group);
    }
    let mut random = SplitMix64::seed_from_u64(SEED);
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for mut groups in by_class {
        shuffle(&mut groups, &mut random);
        let mut left = groups.iter().map(|g| g.len()).sum::<usize>() / 5;
        for group in groups {
            let side = if group.len() <= left {
                left -= group.len();
                &mut test
            } else {
                &mut train
            };
            side.extend_from_slice(group);
        }
    }
    train.sort_unstable();
    test.sort_unstable();
    (train, test)
}

/// Positions of equal rows, in the order of their first.
fn equal_rows<T: Eq + Hash>(x: &[T], features: usize) -> Vec<Vec<usize>> {
    let mut number: HashMap<&[T], usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (i, row) in x.chunks_exact(features.max(1)).enumerate() {
        let next = groups.len();
        match number.entry(row).or_insert(next) {
            &mut known if known < next => groups[known].push(i),
            _ => groups.push(vec![i]),
        }
    }
    groups
}

/// Fisher and Yates, written out: the order must not change with a library's version.
fn shuffle<T>(items: &mut [T], random: &mut SplitMix64) {
    for i in (1..items.len()).rev() {
        let j = (u128::from(random.next_u64()) * (i as u128 + 1)) >> 64;
        items.swap(i, j as usize);
    }
}

/// Training samples of which some are held out: those that choose, of epochs or of steps of pruning.
pub struct Holdout {
    /// Trained on.
    pub train: Vec<u32>,
    /// Held out.
    pub validation: Vec<u32>,
}

impl Holdout {
    /// Share of each class, unless a configuration says otherwise.
    pub const SHARE: f64 = 0.1;
    /// Seed, likewise.
    pub const SEED: u64 = 1;

    /// What `blc train` holds out unless its configuration says otherwise.
    pub fn standard(labels: &[u16], classes: usize) -> Self {
        Self::stratified(labels, classes, Self::SHARE, Self::SEED)
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_each_class() {
        let n = 1000;
        let x = Features::U8((0..n).flat_map(|i: u32| i.to_le_bytes()).collect());
        let y: Vec<u16> = (0..n).map(|i| u16::from(i % 4 == 0)).collect();
        let (train, test) = stratified(&x, 4, &y);
        let ones = |side: &[usize]| side.iter().filter(|&&i| y[i] == 1).count();
        assert_eq!((test.len(), ones(&test), train.len(), ones(&train)), (200, 50, 800, 200));
        let mut all = [train.clone(), test.clone()].concat();
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..1000));
        assert_eq!(stratified(&x, 4, &y), (train, test.clone()), "twice the same");
        // Of an independent program: accuracies measured on another split could not be compared.
        assert_eq!(test[..8], [4, 5, 8, 9, 11, 13, 17, 24]);
    }

    #[test]
    fn equal_samples_stay_together() {
        let values: Vec<u32> = (0..500u32).map(|i| i % 97).collect();
        let x = Features::F32(values.iter().map(|&v| v as f32).collect());
        let y: Vec<u16> = (0..500).map(|i| (i % 3) as u16).collect();
        let (train, test) = stratified(&x, 1, &y);
        assert!(test.len() > 50 && train.len() > 300);
        assert!(test.iter().all(|&t| train.iter().all(|&u| values[t] != values[u])));
    }

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
    fn one_huge_group_is_trained_on() {
        let (train, test) = stratified(&Features::U8(vec![7; 100]), 1, &[0; 100]);
        assert_eq!((train.len(), test.len()), (100, 0));
    }
}

//! Random numbers. Each use draws from a stream of its own, made from the seed, the use and a counter, so that
//! what happened before has no influence and a resumed run continues exactly.

#![cfg_attr(not(feature = "train"), allow(dead_code))] // Most of it is for training.

use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What a stream is for.
#[derive(Clone, Copy)]
pub enum Use {
    /// Choosing the validation samples.
    Holdout = 1,
    /// Wiring of a layer.
    Wiring = 2,
    /// First values of a layer's parameters.
    Init = 3,
    /// Order of the samples in an epoch.
    Order = 4,
    /// Augmentation of the samples in an epoch.
    Augment = 5,
    /// Bits flipped in a step.
    Flips = 6,
}

/// A stream of random numbers.
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream for the `counter`-th instance of a use.
    pub fn new(seed: u64, purpose: Use, counter: usize) -> Self {
        // `seed_from_u64` runs SplitMix64, which separates neighbouring seeds; the odd constants separate the uses.
        let mixed = seed
            .wrapping_mul(0xd6e8_feb8_6659_fd93)
            .wrapping_add((purpose as u64).wrapping_mul(0xa076_1d64_78bd_642f))
            .wrapping_add((counter as u64).wrapping_mul(0xe703_7ed1_a0b4_28db));
        Self(Xoshiro256PlusPlus::seed_from_u64(mixed))
    }

    /// A whole number below `n`, which is at least one.
    pub fn below(&mut self, n: usize) -> usize {
        // Multiply-shift: the bias is below n / 2^64.
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u64() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// A number of the standard normal distribution, by Box and Muller.
    pub fn normal(&mut self) -> f32 {
        let (u, v) = (f64::from(1.0 - self.unit()), f64::from(self.unit()));
        ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
    }

    /// Fisher and Yates: afterwards the first `count` items are a random sample in random order.
    pub fn shuffle_first<T>(&mut self, items: &mut [T], count: usize) {
        for i in 0..count.min(items.len()) {
            let j = i + self.below(items.len() - i);
            items.swap(i, j);
        }
    }

    /// Puts all items in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        self.shuffle_first(items, items.len());
    }
}

/// Random numbers by position: the same in forward and backward pass, and whichever thread asks.
#[derive(Clone, Copy, Debug)]
pub struct Noise(u64);

impl Noise {
    /// The noise of a step.
    pub fn new(seed: u64, step: usize) -> Self {
        Self(mix(seed ^ 0x6e6f_6973_6500 ^ mix(step as u64)))
    }

    /// The part of it for a layer, a node, a word.
    #[inline(always)]
    pub fn of(self, index: usize) -> Self {
        Self(mix(self.0 ^ (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// The `i`-th number, above 0 and below 1.
    #[inline(always)]
    pub fn unit(self, i: usize) -> f32 {
        ((self.of(i).0 >> 41) as f32 + 0.5) / (1u64 << 23) as f32
    }

    /// The `i`-th number of the logistic distribution.
    #[inline(always)]
    pub fn logistic(self, i: usize) -> f32 {
        let u = self.unit(i);
        (u / (1.0 - u)).ln()
    }

    /// The `i`-th number of the Gumbel distribution.
    #[inline(always)]
    pub fn gumbel(self, i: usize) -> f32 {
        -(-self.unit(i).ln()).ln()
    }
}

/// SplitMix64's finaliser.
#[inline(always)]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_moments_of_its_distribution() {
        let noise = Noise::new(3, 7).of(1);
        let n = 100_000;
        let moments = |f: &dyn Fn(usize) -> f32| {
            let mean = (0..n).map(|i| f64::from(f(i))).sum::<f64>() / n as f64;
            let square = (0..n).map(|i| f64::from(f(i)).powi(2)).sum::<f64>() / n as f64;
            (mean, square - mean * mean)
        };
        let pi2 = std::f64::consts::PI.powi(2);
        let near =
            |(mean, variance): (f64, f64), m: f64, v: f64| (mean - m).abs() < 0.02 && (variance / v - 1.0).abs() < 0.03;
        assert!(near(moments(&|i| noise.logistic(i)), 0.0, pi2 / 3.0));
        assert!(near(moments(&|i| noise.gumbel(i)), 0.577, pi2 / 6.0));
        let mut rng = Stream::new(1, Use::Init, 0);
        let normal: Vec<f32> = (0..n).map(|_| rng.normal()).collect();
        assert!(near(moments(&|i| normal[i]), 0.0, 1.0));
        assert!(Noise::new(3, 8).of(1).unit(0) != noise.unit(0) && Noise::new(3, 7).of(2).unit(0) != noise.unit(0));
    }
}

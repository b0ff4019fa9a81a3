//! Random numbers. Each use draws from a stream of its own, made from the seed, the use and a counter, so that
//! what happened before has no influence and a resumed run continues exactly.

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

//! From features to bits: thermometers fitted to the training samples, and packing of samples into words.

use std::borrow::Cow;
use std::cmp::Ordering;

use rayon::prelude::*;

use super::config::{self, EncoderKind, Scope};
use super::kernel::{LANES, exceeds};
use crate::data::Features;
use crate::model::Thresholds;

/// Thresholds of all features.
pub struct Encoder {
    /// Bits per feature.
    pub bits: usize,
    /// `[features, bits]`, not falling along bits.
    pub thresholds: Thresholds,
}

impl Encoder {
    /// Fits thresholds to the given samples.
    pub fn fit(x: &Features, features: usize, samples: &[u32], config: &config::Encoder) -> Self {
        let thresholds = match x {
            Features::U8(x) => Thresholds::U8(fit(x, features, samples, config, |v| v.floor() as u8)),
            Features::F32(x) => Thresholds::F32(fit(x, features, samples, config, |v| v as f32)),
        };
        Self { bits: config.bits, thresholds }
    }

    /// Numbers (`feature * bits + t`) of the bits worth wiring: neither value is rarer than `rarest` among the samples,
    /// and the threshold is not the one before again.
    pub fn live_bits(&self, x: &Features, features: usize, samples: &[u32], rarest: f64) -> Vec<u32> {
        let all: Vec<u32> = (0..(features * self.bits) as u32).collect();
        let packer = Packer::new(x, features, self.bits, &self.thresholds, &all);
        let count = |samples: &[u32]| {
            let (mut ones, mut words) = (vec![0usize; all.len()], vec![0; all.len()]);
            for block in samples.chunks(LANES) {
                packer.pack(block, None, 1, &mut words);
                ones.iter_mut().zip(&words).for_each(|(n, w)| *n += w.count_ones() as usize);
            }
            ones
        };
        let add = |mut a: Vec<usize>, b: Vec<usize>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        };
        let ones = samples.par_chunks(64 * LANES).map(count).reduce(|| vec![0; all.len()], add);
        let least = (rarest * samples.len() as f64).max(1.0);
        let worth = |&bit: &u32| {
            let (bit, ones) = (bit as usize, ones[bit as usize]);
            let again = bit % self.bits > 0 && self.equal(bit, bit - 1);
            !again && ones.min(samples.len() - ones) as f64 >= least
        };
        all.iter().copied().filter(worth).collect()
    }

    fn equal(&self, a: usize, b: usize) -> bool {
        match &self.thresholds {
            Thresholds::U8(t) => t[a] == t[b],
            Thresholds::F32(t) => t[a] == t[b],
        }
    }
}

/// `T` is `u8` or `f32`. For whole numbers `x > v` is `x > floor(v)`, so rounding down keeps every bit.
fn fit<T: Copy + PartialOrd + Into<f64> + Send + Sync>(
    x: &[T],
    features: usize,
    samples: &[u32],
    config: &config::Encoder,
    round: impl Fn(f64) -> T + Sync,
) -> Vec<T> {
    let steps = config.bits + 1;
    let evenly = |low: f64, high: f64| -> Vec<T> {
        (1..steps).map(|i| round(low + (high - low) * i as f64 / steps as f64)).collect()
    };
    let thresholds = |features_in: std::ops::Range<usize>| -> Vec<T> {
        let mut values = samples.iter().flat_map(|&s| &x[s as usize * features..][features_in.clone()]).copied();
        match config.kind {
            EncoderKind::Thermometer => {
                let Some(first) = values.next() else { return Vec::new() };
                let widen = |(low, high), v| (if v < low { v } else { low }, if v > high { v } else { high });
                let (low, high) = values.fold((first, first), widen);
                evenly(low.into(), high.into())
            }
            EncoderKind::Distributive => {
                let mut values: Vec<T> = values.collect();
                let n = values.len();
                values.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
                (1..steps).map(|i| values[n * i / steps]).collect()
            }
        }
    };
    match config.scope {
        Scope::Feature => (0..features).into_par_iter().flat_map_iter(|f| thresholds(f..f + 1)).collect(),
        Scope::Global => thresholds(0..features).repeat(features),
    }
}

/// Where an image of `rows` by `columns` is moved to: the sample at `(r, c)` comes from `(r + down, c + right)`.
#[derive(Clone, Copy)]
pub struct Shift {
    /// Rows of the image.
    pub rows: usize,
    /// Columns of the image.
    pub columns: usize,
    /// Rows to move by.
    pub down: isize,
    /// Columns to move by.
    pub right: isize,
}

/// Turns samples into words of the bits that a network reads.
pub struct Packer<'a> {
    features: usize,
    columns: Columns<'a>,
}

enum Columns<'a> {
    U8(Cow<'a, [u8]>, Vec<(u32, u8)>),
    F32(Cow<'a, [f32]>, Vec<(u32, f32)>),
}

impl<'a> Packer<'a> {
    /// A packer for the bits numbered `feature * bits + t` in `which`, of samples `x`.
    pub fn new(x: &'a Features, features: usize, bits: usize, thresholds: &Thresholds, which: &[u32]) -> Self {
        fn pick<T: Copy, U>(t: &[T], bits: usize, which: &[u32], widen: impl Fn(T) -> U) -> Vec<(u32, U)> {
            which.iter().map(|&bit| (bit / bits as u32, widen(t[bit as usize]))).collect()
        }
        let wide = |x: &[u8]| x.iter().map(|&x| f32::from(x)).collect();
        let columns = match (x, thresholds) {
            (Features::U8(x), Thresholds::U8(t)) => Columns::U8(Cow::Borrowed(x), pick(t, bits, which, |t| t)),
            (Features::U8(x), Thresholds::F32(t)) => Columns::F32(Cow::Owned(wide(x)), pick(t, bits, which, |t| t)),
            (Features::F32(x), Thresholds::U8(t)) => Columns::F32(Cow::Borrowed(x), pick(t, bits, which, f32::from)),
            (Features::F32(x), Thresholds::F32(t)) => Columns::F32(Cow::Borrowed(x), pick(t, bits, which, |t| t)),
        };
        Self { features, columns }
    }

    /// Bits of each sample.
    pub fn width(&self) -> usize {
        match &self.columns {
            Columns::U8(_, which) => which.len(),
            Columns::F32(_, which) => which.len(),
        }
    }

    /// Packs at most `64 * words` samples into `out`, `[bits, words]`; missing samples are zero bits. `shifts` moves each.
    pub fn pack(&self, samples: &[u32], shifts: Option<&[Shift]>, words: usize, out: &mut [u64]) {
        match &self.columns {
            Columns::U8(x, which) => pack(x, self.features, which, samples, shifts, words, out),
            Columns::F32(x, which) => pack(x, self.features, which, samples, shifts, words, out),
        }
    }
}

fn pack<T: Copy + Default + PartialOrd>(
    x: &[T],
    features: usize,
    which: &[(u32, T)],
    samples: &[u32],
    shifts: Option<&[Shift]>,
    words: usize,
    out: &mut [u64],
) {
    let mut block = vec![T::default(); features * LANES];
    for (word, samples) in samples.chunks(LANES).enumerate().take(words) {
        for (i, (&s, row)) in samples.iter().zip(block.chunks_exact_mut(features)).enumerate() {
            let image = &x[s as usize * features..][..features];
            match shifts {
                None => row.copy_from_slice(image),
                Some(shifts) => shift(image, shifts[word * LANES + i], row),
            }
        }
        let mask = u64::MAX >> (LANES - samples.len());
        let mut column = [T::default(); LANES];
        let mut at = u32::MAX;
        for (&(feature, threshold), out) in which.iter().zip(out.chunks_exact_mut(words)) {
            if feature != at {
                at = feature;
                for (c, row) in column.iter_mut().zip(block.chunks_exact(features)) {
                    *c = row[feature as usize];
                }
            }
            out[word] = exceeds(&column, &threshold) & mask;
        }
    }
}

/// Moves every channel of an image, filling with zeros.
fn shift<T: Copy + Default>(image: &[T], shift: Shift, out: &mut [T]) {
    let Shift { rows, columns, down, right } = shift;
    out.fill(T::default());
    let plane = rows * columns;
    let width = columns - right.unsigned_abs().min(columns);
    let (from, to) = (right.max(0) as usize, (-right).max(0) as usize);
    for (image, out) in image.chunks_exact(plane).zip(out.chunks_exact_mut(plane)) {
        for r in 0..rows {
            let Some(source) = r.checked_add_signed(down).filter(|&s| s < rows) else { continue };
            out[r * columns + to.min(columns)..][..width]
                .copy_from_slice(&image[source * columns + from.min(columns)..][..width]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(kind: EncoderKind, bits: usize, scope: Scope) -> config::Encoder {
        config::Encoder { kind, bits, scope, rarest: 0.1 }
    }

    #[test]
    fn even_thresholds_divide_the_range_of_the_given_samples() {
        let x = Features::U8(vec![0, 10, 255, 30, 100, 20, 99, 99]);
        let samples = [0, 1, 2];
        let fit = |scope| Encoder::fit(&x, 2, &samples, &config(EncoderKind::Thermometer, 3, scope)).thresholds;
        // Feature 0 spans 0 to 255, feature 1 10 to 30; a byte exceeds 63.75 where it exceeds 63.
        assert_eq!(fit(Scope::Feature), Thresholds::U8(vec![63, 127, 191, 15, 20, 25]));
        assert_eq!(fit(Scope::Global), Thresholds::U8(vec![63, 127, 191, 63, 127, 191]));
        let x = Features::F32(vec![-1.0, 1.0]);
        let fit = Encoder::fit(&x, 1, &[0, 1], &config(EncoderKind::Thermometer, 1, Scope::Feature));
        assert_eq!(fit.thresholds, Thresholds::F32(vec![0.0]));
    }

    #[test]
    fn distributive_thresholds_are_quantiles() {
        // Sorted entry floor(n i / (b + 1)): of 0..12 with three thresholds 3, 6 and 9, which leave equal shares.
        let x = Features::F32([7, 2, 11, 4, 9, 0, 5, 8, 1, 10, 3, 6].map(|v| v as f32).to_vec());
        let samples: Vec<u32> = (0..12).collect();
        let encoder = Encoder::fit(&x, 1, &samples, &config(EncoderKind::Distributive, 3, Scope::Feature));
        assert_eq!(encoder.thresholds, Thresholds::F32(vec![3.0, 6.0, 9.0]));
    }

    #[test]
    fn bits_that_hardly_vary_or_repeat_are_not_wired() {
        // Feature 0 never exceeds 9, feature 1 does so once in twenty, feature 2 half the time.
        let x = (0..20u8).flat_map(|i| [i % 2, if i == 0 { 50 } else { 0 }, 20 * (i % 2)]).collect();
        let thresholds = Thresholds::U8(vec![9, 10, 9, 10, 9, 9]);
        let encoder = Encoder { bits: 2, thresholds };
        let samples: Vec<u32> = (0..20).collect();
        assert_eq!(encoder.live_bits(&Features::U8(x), 3, &samples, 0.1), [4]);
    }

    #[test]
    fn packing_compares_each_sample_with_each_threshold() {
        let n = 150;
        let x: Vec<u8> = (0..n * 3).map(|i| (i * 37 % 256) as u8).collect();
        let thresholds = Thresholds::U8(vec![50, 100, 20, 200, 0, 254]);
        let which = [5, 0, 1, 3];
        let samples: Vec<u32> = (0..n as u32).rev().collect();
        let wide = Features::F32(x.iter().map(|&x| f32::from(x)).collect());
        for features in [Features::U8(x.clone()), wide] {
            let packer = Packer::new(&features, 3, 2, &thresholds, &which);
            let mut words = vec![u64::MAX; 4 * 3];
            packer.pack(&samples, None, 3, &mut words);
            let Thresholds::U8(t) = &thresholds else { unreachable!() };
            for (row, &bit) in which.iter().enumerate() {
                for i in 0..192 {
                    let one = i < n && x[(n - 1 - i) * 3 + bit as usize / 2] > t[bit as usize];
                    assert_eq!(words[row * 3 + i / 64] >> (i % 64) & 1, u64::from(one));
                }
            }
        }
    }

    #[test]
    fn shifts_move_every_channel_and_fill_with_zeros() {
        let image: Vec<u8> = (1..=24).collect(); // two channels of 3 by 4
        for (down, right) in [(0, 0), (1, 0), (-1, 2), (2, -1), (-3, 0), (0, 5)] {
            let mut out = vec![99; 24];
            shift(&image, Shift { rows: 3, columns: 4, down, right }, &mut out);
            for (i, &found) in out.iter().enumerate() {
                let (c, y, x) = (i / 12, (i / 4 % 3) as isize + down, (i % 4) as isize + right);
                let inside = (0..3).contains(&y) && (0..4).contains(&x);
                let expected = if inside { image[c * 12 + y as usize * 4 + x as usize] } else { 0 };
                assert_eq!(found, expected, "({down}, {right}) at {i}");
            }
        }
    }
}

//! Samples to words of bits, 64 samples a word.

use std::borrow::Cow;

use super::augment::{Pixel, Variation};
use super::kernel::{LANES, exceeds};
use super::simd::{Kernel, Lanes, widest};
use crate::data::Features;
use crate::model::{Layer, Thresholds};

/// How features become bits: a thermometer, or a code for the number of thresholds below.
pub struct Code<'a> {
    /// Bits per feature.
    pub bits: usize,
    /// `[features, steps]`.
    pub thresholds: &'a Thresholds,
    /// `[steps + 1]`; none for a thermometer.
    pub codes: Option<&'a [u64]>,
}

impl<'a> Code<'a> {
    /// That of a model's first layer, where it is an encoder.
    pub fn of(layer: &'a Layer) -> Option<Self> {
        match layer {
            Layer::Thermometer { bits, thresholds } => Some(Self { bits: *bits, thresholds, codes: None }),
            Layer::Code { bits, thresholds, codes } => Some(Self { bits: *bits, thresholds, codes: Some(codes) }),
            _ => None,
        }
    }
}

/// Turns samples into words of the bits that a network reads.
pub struct Packer<'a> {
    features: usize,
    columns: Columns<'a>,
}

/// A bit: one where an odd number of its thresholds, and of `one`, lies below the feature.
struct Probe<T> {
    feature: u32,
    one: bool,
    thresholds: Vec<T>,
}

enum Columns<'a> {
    U8(Cow<'a, [u8]>, Vec<Probe<u8>>),
    F32(Cow<'a, [f32]>, Vec<Probe<f32>>),
}

impl<'a> Packer<'a> {
    /// A packer for the bits numbered `feature * bits + t` in `which`, of samples `x`.
    pub fn new(x: &'a Features, features: usize, code: &Code<'_>, which: &[u32]) -> Self {
        fn pick<T: Copy, U>(t: &[T], code: &Code<'_>, which: &[u32], widen: impl Fn(T) -> U) -> Vec<Probe<U>> {
            let probe = |&bit: &u32| {
                let (feature, b) = (bit as usize / code.bits, bit as usize % code.bits);
                match code.codes {
                    None => Probe { feature: feature as u32, one: false, thresholds: vec![widen(t[bit as usize])] },
                    Some(codes) => {
                        let steps = codes.len() - 1;
                        let turns = (0..steps).filter(|&i| (codes[i] ^ codes[i + 1]) >> b & 1 == 1);
                        let thresholds = turns.map(|i| widen(t[feature * steps + i])).collect();
                        Probe { feature: feature as u32, one: codes[0] >> b & 1 == 1, thresholds }
                    }
                }
            };
            which.iter().map(probe).collect()
        }
        let wide = |x: &[u8]| x.iter().map(|&x| f32::from(x)).collect();
        let columns = match (x, code.thresholds) {
            (Features::U8(x), Thresholds::U8(t)) => Columns::U8(Cow::Borrowed(x), pick(t, code, which, |t| t)),
            (Features::U8(x), Thresholds::F32(t)) => Columns::F32(Cow::Owned(wide(x)), pick(t, code, which, |t| t)),
            (Features::F32(x), Thresholds::U8(t)) => Columns::F32(Cow::Borrowed(x), pick(t, code, which, f32::from)),
            (Features::F32(x), Thresholds::F32(t)) => Columns::F32(Cow::Borrowed(x), pick(t, code, which, |t| t)),
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

    /// Packs at most `64 * words` samples into `out`, `[bits, words]`; missing samples are zero bits. `variations` varies each.
    pub fn pack(&self, samples: &[u32], variations: Option<&[Variation]>, words: usize, out: &mut [u64]) {
        match &self.columns {
            Columns::U8(x, which) => pack(x, self.features, which, samples, variations, words, out),
            Columns::F32(x, which) => pack(x, self.features, which, samples, variations, words, out),
        }
    }
}

/// Features of at most `lanes` samples, `[features, lanes]`; lanes without a sample are zeros.
pub fn values(
    x: &Features,
    features: usize,
    samples: &[u32],
    variations: Option<&[Variation]>,
    lanes: usize,
) -> Vec<f32> {
    fn fill<T: Pixel>(
        x: &[T],
        features: usize,
        samples: &[u32],
        variations: Option<&[Variation]>,
        lanes: usize,
    ) -> Vec<f32> {
        let (mut out, mut row) = (vec![0.0; features * lanes], vec![T::default(); features]);
        for (i, &s) in samples.iter().enumerate() {
            let image = &x[s as usize * features..][..features];
            match variations {
                None => row.copy_from_slice(image),
                Some(variations) => variations[i].apply(image, &mut row),
            }
            row.iter().enumerate().for_each(|(f, x)| out[f * lanes + i] = x.real());
        }
        out
    }
    match x {
        Features::U8(x) => fill(x, features, samples, variations, lanes),
        Features::F32(x) => fill(x, features, samples, variations, lanes),
    }
}

fn pack<T: Pixel>(
    x: &[T],
    features: usize,
    which: &[Probe<T>],
    samples: &[u32],
    variations: Option<&[Variation]>,
    words: usize,
    out: &mut [u64],
) where
    for<'a> Word<'a, T>: Kernel,
{
    let mut varied = vec![T::default(); if variations.is_some() { features * LANES } else { 0 }];
    for (word, samples) in samples.chunks(LANES).enumerate().take(words) {
        let image = |s: u32| &x[s as usize * features..][..features];
        if let Some(variations) = variations {
            let rows = samples.iter().zip(varied.chunks_exact_mut(features));
            rows.zip(&variations[word * LANES..]).for_each(|((&s, row), variation)| variation.apply(image(s), row));
        }
        // Where samples are missing the first stands in.
        let rows = std::array::from_fn(|i| match (samples.get(i), &variations) {
            (Some(_), Some(_)) => &varied[i * features..][..features],
            (Some(&s), None) => image(s),
            (None, _) => image(samples[0]),
        });
        let mask = u64::MAX >> (LANES - samples.len());
        widest(Word { rows, which, mask, words, out: &mut out[word..] });
    }
}

/// Packs 64 samples, which are a word of each bit.
struct Word<'a, T> {
    rows: [&'a [T]; LANES],
    which: &'a [Probe<T>],
    /// Which samples there are.
    mask: u64,
    /// Every so many words of `out` is one of this.
    words: usize,
    out: &'a mut [u64],
}

impl<T: Copy> Probe<T> {
    /// The bit's word, given what of the feature exceeds a threshold.
    #[inline(always)]
    fn word(&self, exceeds: impl Fn(T) -> u64) -> u64 {
        let start = if self.one { u64::MAX } else { 0 };
        self.thresholds.iter().fold(start, |bits, &t| bits ^ exceeds(t))
    }
}

impl Kernel for Word<'_, u8> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (mut columns, mut tile) = ([[0; LANES]; TILE], usize::MAX);
        for (probe, out) in self.which.iter().zip(self.out.iter_mut().step_by(self.words)) {
            let feature = probe.feature as usize;
            if feature / TILE != tile {
                tile = feature / TILE;
                transpose(&self.rows, tile * TILE, &mut columns);
            }
            *out = probe.word(|t| L::above(&columns[feature % TILE], t)) & self.mask;
        }
    }
}

impl Kernel for Word<'_, f32> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (mut column, mut at) = ([0.0; LANES], u32::MAX);
        for (probe, out) in self.which.iter().zip(self.out.iter_mut().step_by(self.words)) {
            if probe.feature != at {
                at = probe.feature;
                column = std::array::from_fn(|i| self.rows[i][at as usize]);
            }
            *out = probe.word(|t| exceeds(&column, &t)) & self.mask;
        }
    }
}

/// Features that are transposed at a time.
const TILE: usize = 64;

/// Sets `columns` to the features from `first` on, as far as there are any: eight by eight bytes at a time, halves changing
/// places, then quarters, then eighths (Warren, "Hacker's Delight", 7-3), in eight such squares at once.
#[inline(always)]
fn transpose(rows: &[&[u8]; LANES], first: usize, columns: &mut [[u8; LANES]; TILE]) {
    for (eight, rows) in rows.chunks_exact(8).enumerate() {
        let mut x = [[0u64; TILE / 8]; 8];
        for (x, row) in x.iter_mut().zip(rows) {
            let mut bytes = [0; TILE];
            let row = &row[first..row.len().min(first + TILE)];
            bytes[..row.len()].copy_from_slice(row);
            *x = std::array::from_fn(|t| u64::from_le_bytes(std::array::from_fn(|i| bytes[8 * t + i])));
        }
        for (span, low) in [(4, 0xffff_ffff), (2, 0xffff_0000_ffff), (1, 0xff_00ff_00ff_00ff)] {
            for i in (0..8).filter(|i| i & span == 0) {
                let (above, below) = x.split_at_mut(i + span);
                for (a, b) in above[i].iter_mut().zip(&mut below[0]) {
                    (*a, *b) = (*a & low | (*b & low) << (8 * span), *a >> (8 * span) & low | *b & !low);
                }
            }
        }
        for (f, column) in columns.iter_mut().enumerate() {
            column[8 * eight..][..8].copy_from_slice(&x[f % 8][f / 8].to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_compares_each_sample_with_each_threshold() {
        const FEATURES: usize = 131; // more than two tiles
        let n = 150;
        let x: Vec<u8> = (0..n * FEATURES).map(|i| (i * 37 % 251) as u8).collect();
        let t: Vec<u8> = (0..2 * FEATURES).map(|i| (i * 53 % 256) as u8).collect();
        let thresholds = Thresholds::U8(t.clone());
        let which: Vec<u32> = [261, 5, 0, 1].into_iter().chain(100..262).collect();
        let samples: Vec<u32> = (0..n as u32).rev().collect();
        // Every image moves by one.
        let moved = Variation {
            rows: 1,
            columns: FEATURES,
            down: 0,
            right: 1,
            mirror: false,
            reflect: false,
            affine: None,
            bend: None,
        };
        let wide = Features::F32(x.iter().map(|&x| f32::from(x)).collect());
        for features in [Features::U8(x.clone()), wide] {
            let code = Code { bits: 2, thresholds: &thresholds, codes: None };
            let packer = Packer::new(&features, FEATURES, &code, &which);
            for right in [0, 1] {
                let mut words = vec![u64::MAX; which.len() * 3];
                packer.pack(&samples, (right == 1).then_some(vec![moved; n].as_slice()), 3, &mut words);
                for (row, &bit) in which.iter().enumerate() {
                    let feature = bit as usize / 2 + right;
                    for i in 0..192 {
                        let pixel = || if feature < FEATURES { x[(n - 1 - i) * FEATURES + feature] } else { 0 };
                        let one = i < n && pixel() > t[bit as usize];
                        assert_eq!(words[row * 3 + i / 64] >> (i % 64) & 1, u64::from(one));
                    }
                }
            }
        }
    }

    #[test]
    fn codes_count_thresholds() {
        let x = Features::U8((0..=255).collect());
        let thresholds = Thresholds::U8(vec![9, 99, 99, 200]);
        let codes = [0b10, 0b01, 0b11, 0b00, 0b10];
        let packer = Packer::new(&x, 1, &Code { bits: 2, thresholds: &thresholds, codes: Some(&codes) }, &[0, 1]);
        let samples: Vec<u32> = (0..256).collect();
        let mut words = vec![0; 8];
        packer.pack(&samples, None, 4, &mut words);
        for i in 0..256 {
            let code = codes[[9, 99, 99, 200].iter().filter(|&&t| i > t).count()];
            for b in 0..2 {
                assert_eq!(words[b * 4 + i / 64] >> (i % 64) & 1, code >> b & 1, "{i}");
            }
        }
    }
}

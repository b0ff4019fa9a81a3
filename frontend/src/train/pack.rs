//! Samples to words of bits, 64 samples a word.

use std::borrow::Cow;

use super::augment::Variation;
use super::kernel::{LANES, exceeds};
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
    fn fill<T: super::augment::Pixel>(
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

fn pack<T: super::augment::Pixel>(
    x: &[T],
    features: usize,
    which: &[Probe<T>],
    samples: &[u32],
    variations: Option<&[Variation]>,
    words: usize,
    out: &mut [u64],
) {
    let mut block = vec![T::default(); features * LANES];
    for (word, samples) in samples.chunks(LANES).enumerate().take(words) {
        for (i, (&s, row)) in samples.iter().zip(block.chunks_exact_mut(features)).enumerate() {
            let image = &x[s as usize * features..][..features];
            match variations {
                None => row.copy_from_slice(image),
                Some(variations) => variations[word * LANES + i].apply(image, row),
            }
        }
        let mask = u64::MAX >> (LANES - samples.len());
        let mut column = [T::default(); LANES];
        let mut at = u32::MAX;
        for (probe, out) in which.iter().zip(out.chunks_exact_mut(words)) {
            if probe.feature != at {
                at = probe.feature;
                for (c, row) in column.iter_mut().zip(block.chunks_exact(features)) {
                    *c = row[at as usize];
                }
            }
            let start = if probe.one { u64::MAX } else { 0 };
            out[word] = probe.thresholds.iter().fold(start, |bits, t| bits ^ exceeds(&column, t)) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_compares_each_sample_with_each_threshold() {
        let n = 150;
        let x: Vec<u8> = (0..n * 3).map(|i| (i * 37 % 256) as u8).collect();
        let thresholds = Thresholds::U8(vec![50, 100, 20, 200, 0, 254]);
        let which = [5, 0, 1, 3];
        let samples: Vec<u32> = (0..n as u32).rev().collect();
        let wide = Features::F32(x.iter().map(|&x| f32::from(x)).collect());
        for features in [Features::U8(x.clone()), wide] {
            let packer = Packer::new(&features, 3, &Code { bits: 2, thresholds: &thresholds, codes: None }, &which);
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

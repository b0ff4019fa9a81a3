//! From features to bits: encoders fitted to the training samples.
//!
//! Every encoder is a row of rising thresholds for each feature, and what the number of thresholds below the feature's
//! value says: a thermometer has one bit a threshold, any other a code for each number. The published formulas quantise
//! with `floor`; here the value at which each step begins is solved for once, when fitting.

use std::cmp::Ordering;
use std::ops::Range;

use rayon::prelude::*;

use super::config::{self, EncoderKind as Kind, Scope};
use super::kernel::LANES;
use super::pack::{Code, Packer};
use crate::data::Features;
use crate::model::{Layer, Thresholds};

/// A fitted encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    /// Bits per feature.
    pub bits: usize,
    /// `[features, steps]`, not falling along steps.
    pub thresholds: Thresholds,
    /// `[steps + 1]`; none for a thermometer, where steps are bits.
    pub codes: Option<Vec<u64>>,
}

/// Where a step begins.
#[derive(Clone, Copy)]
enum Edge {
    /// Strictly above.
    Above(f64),
    /// At this value.
    From(f64),
    /// Somewhere between two neighbouring values of the samples: above the first, the second has it.
    Between(f64, f64),
}

impl Edge {
    /// The whole number `t` with `x > t` where and only where the step has begun, for whole `x`.
    fn whole(self) -> f64 {
        match self {
            Self::Above(v) | Self::Between(v, _) => v.floor(),
            Self::From(v) => v.ceil() - 1.0,
        }
    }

    /// The same for single-precision `x`.
    fn real(self) -> f32 {
        match self {
            Self::Above(v) => v as f32,
            // The middle, far from both: codes of few bits round values, and one on a threshold might fall on either side.
            Self::Between(v, next) => {
                let middle = ((v + next) / 2.0) as f32;
                if f64::from(middle) < next { middle } else { v as f32 }
            }
            Self::From(v) => {
                let near = v as f32;
                if f64::from(near) < v { near } else { near.next_down() }
            }
        }
    }
}

/// What fitting needs to know of a column.
struct Column {
    values: Vec<f32>,
    low: f64,
    high: f64,
}

impl Encoder {
    /// Fits an encoder to the given samples, which have the given shape.
    pub fn fit(x: &Features, shape: &[usize], samples: &[u32], config: &config::Encoder) -> Self {
        let features: usize = shape.iter().product();
        let columns = columns(shape, config.scope);
        let edges: Vec<Vec<Edge>> = columns
            .par_iter()
            .map(|range| edges(config.kind, config.bits, &Column::new(x, features, samples, range.clone())))
            .collect();
        let rows = || columns.iter().zip(&edges).flat_map(|(range, edges)| range.clone().flat_map(move |_| edges));
        let bytes = matches!(x, Features::U8(_)) && edges.iter().flatten().all(|e| (0.0..256.0).contains(&e.whole()));
        let thresholds = match (x, bytes) {
            (Features::U8(_), true) => Thresholds::U8(rows().map(|e| e.whole() as u8).collect()),
            (Features::U8(_), false) => Thresholds::F32(rows().map(|e| e.whole() as f32).collect()),
            (Features::F32(_), _) => Thresholds::F32(rows().map(|e| e.real()).collect()),
        };
        Self { bits: config.bits, thresholds, codes: codes(config.kind, config.bits) }
    }

    /// What packing needs of it.
    pub fn code(&self) -> Code<'_> {
        Code { bits: self.bits, thresholds: &self.thresholds, codes: self.codes.as_deref() }
    }

    /// The layer of a model that it is.
    pub fn layer(&self) -> Layer {
        let (bits, thresholds) = (self.bits, self.thresholds.clone());
        match &self.codes {
            None => Layer::Thermometer { bits, thresholds },
            Some(codes) => Layer::Code { bits, thresholds, codes: codes.clone() },
        }
    }

    /// Numbers (`feature * bits + t`) of the bits worth wiring: neither value is rarer than `rarest` among the samples,
    /// and the bit is not the one before again.
    pub fn live_bits(&self, x: &Features, features: usize, samples: &[u32], rarest: f64) -> Vec<u32> {
        let all: Vec<u32> = (0..(features * self.bits) as u32).collect();
        let packer = Packer::new(x, features, &self.code(), &all);
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
            let again = self.codes.is_none() && bit % self.bits > 0 && self.equal(bit, bit - 1);
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

/// The features that share thresholds: each by itself, those of a channel (the first axis of three), or all.
pub fn columns(shape: &[usize], scope: Scope) -> Vec<Range<usize>> {
    let features: usize = shape.iter().product();
    let each = match (scope, shape) {
        (Scope::Feature, _) | (Scope::Channel, [_]) => 1,
        (Scope::Channel, [_, rest @ ..]) if rest.len() == 2 => rest.iter().product(),
        _ => features,
    };
    (0..features).step_by(each.max(1)).map(|first| first..first + each).collect()
}

impl Column {
    fn new(x: &Features, features: usize, samples: &[u32], range: Range<usize>) -> Self {
        fn pick<T: Copy + Into<f32>>(x: &[T], features: usize, samples: &[u32], range: Range<usize>) -> Vec<f32> {
            samples.iter().flat_map(|&s| &x[s as usize * features..][range.clone()]).map(|&v| v.into()).collect()
        }
        let values = match x {
            Features::U8(x) => pick(x, features, samples, range),
            Features::F32(x) => pick(x, features, samples, range),
        };
        let low = values.iter().copied().fold(f32::INFINITY, f32::min);
        let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        Self { values, low: low.into(), high: high.into() }
    }

    fn mean_and_deviation(&self) -> (f64, f64) {
        let n = self.values.len() as f64;
        let mean = self.values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let square = self.values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>();
        (mean, (square / (n - 1.0).max(1.0)).sqrt())
    }
}

fn edges(kind: Kind, bits: usize, column: &Column) -> Vec<Edge> {
    let Column { low, high, .. } = *column;
    let range = high - low;
    let evenly = |n: usize| (1..n).map(move |i| Edge::Above(low + range * i as f64 / n as f64)).collect();
    // Level `q` of `floor(norm * (levels - 1))` begins where `norm` is `q / (levels - 1)`; the top is the largest value.
    let levels = 1usize << bits.min(MAX_CODE_BITS);
    let floors = |value: &dyn Fn(f64) -> f64| -> Vec<Edge> {
        let share = |q: usize| q as f64 / (levels - 1) as f64;
        (1..levels).map(|q| if range > 0.0 { Edge::From(value(share(q))) } else { Edge::Above(high) }).collect()
    };
    match kind {
        Kind::Thermometer | Kind::Learnable => evenly(bits + 1),
        Kind::OneHot => evenly(bits),
        Kind::Gaussian => {
            let (mean, deviation) = column.mean_and_deviation();
            let steps = (bits + 1) as f64;
            (1..=bits).map(|i| Edge::Above(mean + deviation * normal_quantile(i as f64 / steps))).collect()
        }
        Kind::Distributive => {
            let mut values = column.values.clone();
            let n = values.len();
            values.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
            let edge = |i: usize| {
                let value = values[n * i / (bits + 1)];
                match values.get(values.partition_point(|&v| v <= value)) {
                    Some(&next) => Edge::Between(value.into(), next.into()),
                    None => Edge::Above(value.into()),
                }
            };
            (1..=bits).map(edge).collect()
        }
        Kind::Binary | Kind::Gray => floors(&|share| low + share * range),
        Kind::FixedPoint => {
            let step = range / (levels - 1) as f64;
            let from =
                |q: usize| if range > 0.0 { Edge::From(low + (q as f64 - 0.5) * step) } else { Edge::Above(high) };
            (1..levels).map(from).collect()
        }
        Kind::Logarithmic => {
            let offset = if low < 0.0 { 1.0 - low } else { 0.0 } + 1e-8;
            let (a, b) = ((low + offset).log2(), (high + offset).log2());
            floors(&|share| (a + share * (b - a)).exp2() - offset)
        }
        Kind::SignMagnitude => {
            let most = low.abs().max(high.abs());
            let top = ((1usize << (bits.min(MAX_CODE_BITS) - 1)) - 1).max(1);
            let magnitude = |q: usize| most * q as f64 / top as f64;
            let top = (1usize << (bits.min(MAX_CODE_BITS) - 1)) - 1;
            let below = (1..=top).rev().map(|q| Edge::Above(-magnitude(q)));
            let above = (1..=top).map(|q| Edge::From(magnitude(q)));
            below.chain([Edge::From(0.0)]).chain(above).collect()
        }
    }
}

/// Widest code: a step for each of its values.
pub const MAX_CODE_BITS: usize = 12;

/// The code of each level; bit 0 is the first wire, which for whole numbers is the highest bit.
fn codes(kind: Kind, bits: usize) -> Option<Vec<u64>> {
    let levels = 1u64 << bits.min(MAX_CODE_BITS);
    let highest_first = |q: u64| (0..bits).fold(0, |code, b| code | (q >> (bits - 1 - b) & 1) << b);
    match kind {
        Kind::Thermometer | Kind::Gaussian | Kind::Distributive | Kind::Learnable => None,
        Kind::OneHot => Some((0..bits).map(|i| 1 << i).collect()),
        Kind::Binary | Kind::FixedPoint | Kind::Logarithmic => Some((0..levels).map(highest_first).collect()),
        Kind::Gray => Some((0..levels).map(|q| highest_first(q ^ (q >> 1))).collect()),
        Kind::SignMagnitude => {
            let half = levels / 2;
            let signed = |q: u64| if q < half { half | (half - 1 - q) } else { q - half };
            Some((0..levels).map(|q| highest_first(signed(q))).collect())
        }
    }
}

/// The inverse of the normal distribution function (Acklam's rational approximation, within 1.2e-9 relatively).
fn normal_quantile(p: f64) -> f64 {
    let poly = |c: &[f64], x: f64| c.iter().fold(0.0, |s, c| s * x + c);
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 5] = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1.0];
    let tail = |p: f64| {
        let q = (-2.0 * p.ln()).sqrt();
        poly(&C, q) / poly(&D, q)
    };
    if p < 0.02425 {
        return tail(p);
    }
    if p > 1.0 - 0.02425 {
        return -tail(1.0 - p);
    }
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
        1.0,
    ];
    let (q, r) = (p - 0.5, (p - 0.5) * (p - 0.5));
    poly(&A, r) * q / poly(&B, r)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(kind: Kind, bits: usize, scope: Scope) -> config::Encoder {
        config::Encoder { kind, bits, scope, ..config::Encoder::default() }
    }

    #[test]
    fn even_thresholds_divide_the_range_of_the_given_samples() {
        let x = Features::U8(vec![0, 10, 255, 30, 100, 20, 99, 99]);
        let samples = [0, 1, 2];
        let fit = |scope| Encoder::fit(&x, &[2], &samples, &config(Kind::Thermometer, 3, scope)).thresholds;
        // Feature 0 spans 0 to 255, feature 1 10 to 30; a byte exceeds 63.75 where it exceeds 63.
        assert_eq!(fit(Scope::Feature), Thresholds::U8(vec![63, 127, 191, 15, 20, 25]));
        assert_eq!(fit(Scope::Channel), fit(Scope::Feature));
        assert_eq!(fit(Scope::Global), Thresholds::U8(vec![63, 127, 191, 63, 127, 191]));
        let x = Features::F32(vec![-1.0, 1.0]);
        let fit = Encoder::fit(&x, &[1], &[0, 1], &config(Kind::Thermometer, 1, Scope::Feature));
        assert_eq!(fit.thresholds, Thresholds::F32(vec![0.0]));
    }

    #[test]
    fn channels_share_thresholds() {
        assert_eq!(columns(&[3, 2, 2], Scope::Channel), [0..4, 4..8, 8..12]);
        assert_eq!(columns(&[2, 2], Scope::Channel).len(), 1);
        assert_eq!(columns(&[2, 2], Scope::Feature).len(), 4);
        assert_eq!(columns(&[3, 2, 2], Scope::Global).len(), 1);
    }

    #[test]
    fn distributive_thresholds_are_quantiles() {
        // Sorted entry floor(n i / (b + 1)): of 0..12 with three thresholds 3, 6 and 9, which leave equal shares; halfway to
        // the next value, which is the same for all of them.
        let x = Features::F32([7, 2, 11, 4, 9, 0, 5, 8, 1, 10, 3, 6].map(|v| v as f32).to_vec());
        let samples: Vec<u32> = (0..12).collect();
        let encoder = Encoder::fit(&x, &[1], &samples, &config(Kind::Distributive, 3, Scope::Feature));
        assert_eq!(encoder.thresholds, Thresholds::F32(vec![3.5, 6.5, 9.5]));
        // Above the largest value there is none; between neighbouring floats only the lower.
        let x = Features::F32(vec![1.0, 1.0f32.next_up(), 2.0, 2.0]);
        let encoder = Encoder::fit(&x, &[1], &[0, 1, 2, 3], &config(Kind::Distributive, 3, Scope::Feature));
        assert_eq!(encoder.thresholds, Thresholds::F32(vec![1.5, 2.0, 2.0]));
    }

    #[test]
    fn gaussian_thresholds_are_quantiles_of_the_normal_distribution() {
        for (p, z) in [(0.5, 0.0), (0.841344746068543, 1.0), (0.0227501319481792, -2.0), (0.998650101968370, 3.0)] {
            assert!((normal_quantile(p) - z).abs() < 1e-6, "{p}");
        }
        let x = Features::F32(vec![1.0, 3.0]);
        let encoder = Encoder::fit(&x, &[1], &[0, 1], &config(Kind::Gaussian, 1, Scope::Feature));
        assert_eq!(encoder.thresholds, Thresholds::F32(vec![2.0]));
        let encoder = Encoder::fit(&x, &[1], &[0, 1], &config(Kind::Gaussian, 3, Scope::Feature));
        let Thresholds::F32(t) = encoder.thresholds else { panic!("reals") };
        // Deviation √2, quartiles at 0.6745 deviations.
        assert!((t[2] - 2.0 - 0.67449 * 2f32.sqrt()).abs() < 1e-4, "{t:?}");
    }

    /// The published formulas, whose wire 0 is the highest bit.
    fn published(kind: Kind, bits: usize, x: f64, low: f64, high: f64) -> Vec<bool> {
        let top = f64::from((1u32 << bits) - 1);
        let whole = |norm: f64| (norm.clamp(0.0, 1.0) * top).floor() as u64;
        let word = |q: u64, bits: usize| (0..bits).rev().map(|b| q >> b & 1 == 1).collect::<Vec<_>>();
        match kind {
            Kind::Binary => word(whole((x - low) / (high - low)), bits),
            Kind::Gray => {
                let q = whole((x - low) / (high - low));
                word(q ^ (q >> 1), bits)
            }
            Kind::FixedPoint => word((((x - low) / (high - low)).clamp(0.0, 1.0) * top).round() as u64, bits),
            Kind::Logarithmic => {
                let offset = if low < 0.0 { 1.0 - low } else { 0.0 } + 1e-8;
                let log = |x: f64| (x + offset).max(1e-30).log2();
                word(whole((log(x) - log(low)) / (log(high) - log(low))), bits)
            }
            Kind::SignMagnitude => {
                let top = f64::from((1u32 << (bits - 1)) - 1);
                let most = low.abs().max(high.abs());
                let q = ((x.abs() / most).clamp(0.0, 1.0) * top).floor() as u64;
                [vec![x < 0.0], word(q, bits - 1)].concat()
            }
            _ => {
                let edges: Vec<f64> = (1..bits).map(|i| low + (high - low) * i as f64 / bits as f64).collect();
                let at = edges.iter().filter(|&&e| x > e).count();
                (0..bits).map(|b| b == at).collect()
            }
        }
    }

    #[test]
    fn codes_are_those_of_the_published_formulas() {
        let kinds = [Kind::Binary, Kind::Gray, Kind::FixedPoint, Kind::Logarithmic, Kind::SignMagnitude, Kind::OneHot];
        let reals: Vec<f32> = (0..400).map(|i| -3.0 + i as f32 * 0.0171).collect();
        let bytes: Vec<u8> = (0..200).collect();
        for x in [Features::F32(reals), Features::U8(bytes)] {
            let n = x.len();
            let samples: Vec<u32> = (0..n as u32).collect();
            let value = |i: usize| match &x {
                Features::U8(x) => f64::from(x[i]),
                Features::F32(x) => f64::from(x[i]),
            };
            for kind in kinds {
                for bits in [2, 3, 5] {
                    let encoder = Encoder::fit(&x, &[1], &samples, &config(kind, bits, Scope::Feature));
                    let which: Vec<u32> = (0..bits as u32).collect();
                    let packer = Packer::new(&x, 1, &encoder.code(), &which);
                    let mut words = vec![0; bits * n.div_ceil(64)];
                    packer.pack(&samples, None, n.div_ceil(64), &mut words);
                    for i in 0..n {
                        let bit = |b: usize| words[b * n.div_ceil(64) + i / 64] >> (i % 64) & 1 == 1;
                        let found: Vec<bool> = (0..bits).map(bit).collect();
                        // At the boundary of two levels rounding decides, here and there.
                        let near = |d: f64| published(kind, bits, value(i) + d, value(0), value(n - 1));
                        assert!(
                            found == near(0.0) || found == near(1e-6) || found == near(-1e-6),
                            "{kind:?} of {bits} bits at {}: {found:?}, not {:?}",
                            value(i),
                            near(0.0)
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_constant_feature_is_below_every_threshold() {
        let x = Features::U8(vec![7; 10]);
        let samples: Vec<u32> = (0..10).collect();
        for kind in [Kind::Binary, Kind::Gray, Kind::FixedPoint, Kind::Logarithmic] {
            let encoder = Encoder::fit(&x, &[1], &samples, &config(kind, 3, Scope::Feature));
            assert_eq!(encoder.thresholds, Thresholds::U8(vec![7; 7]), "{kind:?}");
        }
    }

    #[test]
    fn bits_that_hardly_vary_or_repeat_are_not_wired() {
        // Feature 0 never exceeds 9, feature 1 does so once in twenty, feature 2 half the time.
        let x = (0..20u8).flat_map(|i| [i % 2, if i == 0 { 50 } else { 0 }, 20 * (i % 2)]).collect();
        let thresholds = Thresholds::U8(vec![9, 10, 9, 10, 9, 9]);
        let encoder = Encoder { bits: 2, thresholds, codes: None };
        let samples: Vec<u32> = (0..20).collect();
        assert_eq!(encoder.live_bits(&Features::U8(x), 3, &samples, 0.1), [4]);
    }
}

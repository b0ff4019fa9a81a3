//! Samples that approximate passes learn from, and those that say what came of it.

use blc_ir::eval::quantize;

use super::net::Net;
use super::source::Source;
use crate::pass::Abort;

/// Features of samples, row-major `[N, features]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// Bytes (or bits, one a byte).
    U8(Vec<u8>),
    /// Real numbers.
    F32(Vec<f32>),
}

/// Samples with labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// `[N, features]`.
    pub inputs: Inputs,
    /// `[N]`.
    pub labels: Vec<u16>,
}

/// What approximate passes are given.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// What they may learn from.
    pub train: Samples,
    /// What they may not, but what chooses how far they go.
    pub choice: Samples,
    /// What only measures.
    pub held_out: Samples,
}

impl Data {
    /// Whether all samples fit a network.
    pub(super) fn check(&self, source: &Source, net: &Net) -> Result<(), Abort> {
        [&self.train, &self.choice, &self.held_out].into_iter().try_for_each(|samples| source.check(net, samples))
    }
}

impl Samples {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Features of a sample.
    pub fn features(&self) -> usize {
        let total = match &self.inputs {
            Inputs::U8(x) => x.len(),
            Inputs::F32(x) => x.len(),
        };
        total / self.len().max(1)
    }

    /// The code of a feature of a sample in so many bits: real numbers by the affine code (offset and step), others as
    /// they are.
    pub(super) fn code(&self, sample: usize, feature: usize, bits: u8, affine: Option<(f32, f32)>) -> u64 {
        let at = sample * self.features() + feature;
        match (&self.inputs, affine) {
            (Inputs::U8(x), None) => x[at].into(),
            (Inputs::U8(x), Some((offset, step))) => quantize(x[at].into(), offset, step, bits),
            (Inputs::F32(x), Some((offset, step))) => quantize(x[at], offset, step, bits),
            (Inputs::F32(x), None) => {
                let max = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
                (x[at].round() as u64).min(max)
            }
        }
    }
}

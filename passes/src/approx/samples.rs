//! Samples that approximate passes learn from, and those that say what came of it.

use blc_ir::eval::quantize;

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
    /// What they may not: it chooses how far they go, and measures.
    pub held_out: Samples,
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

    /// Every other sample, from the first or from the second on.
    pub(super) fn half(&self, second: bool) -> Self {
        let features = self.features();
        let rows = || (usize::from(second)..self.len()).step_by(2);
        fn pick<T: Copy>(x: &[T], rows: impl Iterator<Item = usize>, features: usize) -> Vec<T> {
            rows.flat_map(|i| &x[i * features..(i + 1) * features]).copied().collect()
        }
        let inputs = match &self.inputs {
            Inputs::U8(x) => Inputs::U8(pick(x, rows(), features)),
            Inputs::F32(x) => Inputs::F32(pick(x, rows(), features)),
        };
        Self { inputs, labels: rows().map(|i| self.labels[i]).collect() }
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

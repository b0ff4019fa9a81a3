//! The head: group sums as logits.

use candle_core::{Result, Tensor};

/// Logits `[batch, groups]` of the group sums `[groups, lanes]`.
pub fn logits(sums: &Tensor, temperature: f64, batch: usize) -> Result<Tensor> {
    sums.narrow(1, 0, batch)?.t()?.affine(1.0 / temperature, 0.0)
}

/// The temperature that suits most: the spread of a sum of `nodes / groups` bits, scaled.
pub fn default_temperature(nodes: usize, groups: usize) -> f64 {
    0.3 * (nodes as f64 / groups as f64).sqrt()
}

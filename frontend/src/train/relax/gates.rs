//! Difflogic (Petersen et al., 2022): a distribution over the sixteen functions of two inputs.
//!
//! Gate `i` at inputs `a`, `b` is bit `3 - (2a + b)` of `i`. Mixing gates mixes their tables, so the mixture is the
//! multilinear extension of the table of means: the published form with the coefficients of 1, a, b and ab.

use super::super::math::exp;

/// Gates.
pub const GATES: usize = 16;

/// Bit `a` (input 0 lowest) of the table of gate `i`.
pub fn entry(gate: usize, address: usize) -> bool {
    let (a, b) = (address & 1, address >> 1);
    gate >> (3 - (2 * a + b)) & 1 == 1
}

/// Softmax of the logits, which the temperature divides.
pub fn softmax(theta: &[f32], temperature: f32) -> [f32; GATES] {
    let most = theta.iter().fold(f32::NEG_INFINITY, |m, &t| m.max(t));
    let mut p: [f32; GATES] = std::array::from_fn(|i| exp((theta[i] - most) / temperature));
    let all: f32 = p.iter().sum();
    p.iter_mut().for_each(|p| *p /= all);
    p
}

/// The table of means.
pub fn table(p: &[f32; GATES], z: &mut [f32]) {
    for (a, z) in z.iter_mut().enumerate() {
        *z = (0..GATES).filter(|&i| entry(i, a)).map(|i| p[i]).sum();
    }
}

/// Adds the gradient of the logits, given that of the table.
pub fn backward(p: &[f32; GATES], temperature: f32, dz: &[f32], d_theta: &mut [f32]) {
    let dp: [f32; GATES] = std::array::from_fn(|i| (0..4).filter(|&a| entry(i, a)).map(|a| dz[a]).sum());
    let mean: f32 = p.iter().zip(dp).map(|(p, d)| p * d).sum();
    for ((d_theta, p), dp) in d_theta.iter_mut().zip(p).zip(dp) {
        *d_theta += p * (dp - mean) / temperature;
    }
}

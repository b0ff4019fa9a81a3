//! Difflogic (Petersen et al., 2022): a distribution over the sixteen functions of two inputs.
//!
//! Gate `i` at inputs `a`, `b` is bit `3 - (2a + b)` of `i`. Mixing gates mixes their tables, so the mixture is the
//! multilinear extension of the table of means: the published form with the coefficients of 1, a, b and ab.

use super::super::math::exp;

/// Gates.
pub const GATES: usize = 16;

/// Bit `a` (input 0 lowest) of the table of gate `i`.
pub const fn entry(gate: usize, address: usize) -> bool {
    let (a, b) = (address & 1, address >> 1);
    gate >> (3 - (2 * a + b)) & 1 == 1
}

/// Whether gate `i` is a one at address `a`, as a number: `[a][i]`.
static ONES: [[f32; GATES]; 4] = {
    let mut ones = [[0.0; GATES]; 4];
    let mut i = 0;
    while i < 4 * GATES {
        let (a, gate) = (i / GATES, i % GATES);
        ones[a][gate] = if entry(gate, a) { 1.0 } else { 0.0 };
        i += 1;
    }
    ones
};

/// The sum, always in the same order: eight partial sums, four, two, one.
#[inline(always)]
fn sum(mut p: [f32; GATES]) -> f32 {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            p[i] += p[half + i];
        }
    }
    p[0]
}

/// Softmax of the logits, which the temperature divides.
#[inline(always)]
pub fn softmax(theta: &[f32; GATES], temperature: f32) -> [f32; GATES] {
    let most = theta.iter().fold(f32::NEG_INFINITY, |m, &t| m.max(t));
    let mut p = *theta;
    for p in &mut p {
        *p = exp((*p - most) / temperature);
    }
    let scale = 1.0 / sum(p);
    for p in &mut p {
        *p *= scale;
    }
    p
}

/// The table of means.
#[inline(always)]
pub fn table(p: &[f32; GATES], z: &mut [f32]) {
    for (ones, z) in ONES.iter().zip(z) {
        let mut part = *p;
        part.iter_mut().zip(ones).for_each(|(p, one)| *p *= one);
        *z = sum(part);
    }
}

/// Adds the gradient of the logits, given that of the table.
#[inline(always)]
pub fn backward(p: &[f32; GATES], temperature: f32, dz: &[f32], d_theta: &mut [f32]) {
    let mut dp = [0.0; GATES];
    for (ones, dz) in ONES.iter().zip(dz) {
        dp.iter_mut().zip(ones).for_each(|(d, one)| *d += one * dz);
    }
    let mut part = dp;
    part.iter_mut().zip(p).for_each(|(d, p)| *d *= p);
    let mean = sum(part);
    for ((d_theta, p), dp) in d_theta.iter_mut().zip(p).zip(dp) {
        *d_theta += p * (dp - mean) / temperature;
    }
}

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

/// Softmax of the logits, which the temperature divides, and the table of means.
///
/// Entry `a` is a bit of the gates' numbers, and its mean the part of the distribution where that bit is set: one tree of
/// sums, which halves the distribution bit by bit, highest first, gives all four and the whole.
#[inline(always)]
pub fn mix(theta: &[f32; GATES], temperature: f32) -> ([f32; GATES], [f32; 4]) {
    let mut most: [f32; 8] = std::array::from_fn(|i| theta[i].max(theta[8 + i]));
    for half in [4, 2, 1] {
        for i in 0..half {
            most[i] = most[i].max(most[half + i]);
        }
    }
    let mut p = *theta;
    for p in &mut p {
        *p = exp((*p - most[0]) / temperature);
    }
    let high: [f32; 8] = std::array::from_fn(|i| p[8 + i]);
    let eight: [f32; 8] = std::array::from_fn(|i| p[i] + high[i]);
    let four: [f32; 4] = std::array::from_fn(|i| eight[i] + eight[4 + i]);
    let two: [f32; 2] = std::array::from_fn(|i| four[i] + four[2 + i]);
    let sum = |x: &[f32]| (x[0] + x[2]) + (x[1] + x[3]);
    let scale = 1.0 / (two[0] + two[1]);
    // Inputs 0, 0; 0, 1; 1, 0; 1, 1 are bits 3, 2, 1 and 0, and input 0 is the lower bit of an address.
    let set = [sum(&high[..4]) + sum(&high[4..]), sum(&eight[4..]), four[2] + four[3], two[1]];
    p.iter_mut().for_each(|p| *p *= scale);
    (p, [set[0], set[2], set[1], set[3]].map(|s| s * scale))
}

/// Adds the gradient of the logits, given that of the table: `p (dp - Σ p dp)` over the temperature, where `Σ p dp` is the sum
/// over the table's entries, of which `p` made the means.
#[inline(always)]
pub fn backward((p, z): &([f32; GATES], [f32; 4]), temperature: f32, dz: &[f32], d_theta: &mut [f32]) {
    let mut dp = [0.0; GATES];
    for (ones, dz) in ONES.iter().zip(dz) {
        dp.iter_mut().zip(ones).for_each(|(d, one)| *d += one * dz);
    }
    let mean = (z[0] * dz[0] + z[1] * dz[1]) + (z[2] * dz[2] + z[3] * dz[3]);
    for ((d_theta, p), dp) in d_theta.iter_mut().zip(p).zip(dp) {
        *d_theta += p * (dp - mean) / temperature;
    }
}

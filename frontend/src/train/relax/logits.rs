//! Relaxations whose logit is not a multilinear extension: affine, polynomial, neural, Fourier.
//!
//! Each has a `forward` that gives a row of the value before the squashing, and a `backward` that adds to the gradient of
//! its numbers and of its inputs, given the row's.

use super::super::kernel::{LANES, Row};
use super::super::math::{cos, dot, sin, sum};

/// Weighted inputs (LogicNets): weights `w[0..k]`, then the bias.
pub mod affine {
    use super::*;

    #[inline(always)]
    pub fn forward(w: &[f32], x: &[&Row]) -> Row {
        let mut u = [w[x.len()]; LANES];
        for (x, w) in x.iter().zip(w) {
            for i in 0..LANES {
                u[i] += w * x[i];
            }
        }
        u
    }

    #[inline(always)]
    pub fn backward(w: &[f32], x: &[&Row], du: &Row, dw: &mut [f32], dx: &mut [Row]) {
        for (j, x) in x.iter().enumerate() {
            dw[j] += dot(x, du);
            for i in 0..LANES {
                dx[j][i] += w[j] * du[i];
            }
        }
        dw[x.len()] += sum(du);
    }
}

/// All monomials of the inputs up to a degree, powers repeated (PolyLUT).
pub mod polynomial {
    use super::*;

    /// Exponents of each monomial of `k` inputs, the constant first, then by degree.
    pub fn monomials(k: usize, degree: usize) -> Vec<Vec<u8>> {
        let mut all = vec![vec![0; k]];
        let mut last = all.clone();
        for _ in 0..degree {
            let mut next: Vec<Vec<u8>> = Vec::new();
            for m in &last {
                // Raising only the last raised input or a later one makes each monomial once.
                let from = m.iter().rposition(|&e| e > 0).unwrap_or(0);
                for j in from..k {
                    let mut raised = m.clone();
                    raised[j] += 1;
                    next.push(raised);
                }
            }
            all.extend(next.iter().cloned());
            last = next;
        }
        all
    }

    #[inline(always)]
    fn product(m: &[u8], x: &[&Row], without: Option<usize>) -> Row {
        let mut p = [1.0; LANES];
        for (j, (&e, x)) in m.iter().zip(x).enumerate() {
            for _ in 0..e - u8::from(without == Some(j)) {
                for i in 0..LANES {
                    p[i] *= x[i];
                }
            }
        }
        p
    }

    pub fn forward(monomials: &[Vec<u8>], w: &[f32], x: &[&Row]) -> Row {
        let mut u = [0.0; LANES];
        for (m, w) in monomials.iter().zip(w) {
            let p = product(m, x, None);
            for i in 0..LANES {
                u[i] += w * p[i];
            }
        }
        u
    }

    pub fn backward(monomials: &[Vec<u8>], w: &[f32], x: &[&Row], du: &Row, dw: &mut [f32], dx: &mut [Row]) {
        for ((m, w), dw) in monomials.iter().zip(w).zip(dw) {
            *dw += dot(&product(m, x, None), du);
            for (j, &e) in m.iter().enumerate().filter(|(_, e)| **e > 0) {
                let (p, scale) = (product(m, x, Some(j)), w * f32::from(e));
                for i in 0..LANES {
                    dx[j][i] += scale * p[i] * du[i];
                }
            }
        }
    }
}

/// A perceptron with one hidden layer and a linear way past it (NeuraLUT): for each hidden unit `k` weights and a bias,
/// then the output's weights, then those of the way past, then the output's bias.
pub mod neural {
    use super::*;

    #[inline(always)]
    fn hidden(w: &[f32], x: &[&Row]) -> Row {
        affine::forward(w, x)
    }

    pub fn forward(units: usize, w: &[f32], x: &[&Row]) -> Row {
        let k = x.len();
        let (inner, outer) = w.split_at(units * (k + 1));
        let mut u = affine::forward(&outer[units..], x);
        for (w, v) in inner.chunks_exact(k + 1).zip(outer) {
            let h = hidden(w, x);
            for i in 0..LANES {
                u[i] += v * h[i].max(0.0);
            }
        }
        u
    }

    pub fn backward(units: usize, w: &[f32], x: &[&Row], du: &Row, dw: &mut [f32], dx: &mut [Row]) {
        let k = x.len();
        let (inner, outer) = w.split_at(units * (k + 1));
        let (d_inner, d_outer) = dw.split_at_mut(units * (k + 1));
        let (d_v, d_past) = d_outer.split_at_mut(units);
        affine::backward(&outer[units..], x, du, d_past, dx);
        for (n, (w, dw)) in inner.chunks_exact(k + 1).zip(d_inner.chunks_exact_mut(k + 1)).enumerate() {
            let h = hidden(w, x);
            let (mut active, mut dh) = ([0.0; LANES], [0.0; LANES]);
            for i in 0..LANES {
                active[i] = h[i].max(0.0);
                dh[i] = if h[i] > 0.0 { outer[n] * du[i] } else { 0.0 };
            }
            d_v[n] += dot(&active, du);
            affine::backward(w, x, &dh, dw, dx);
        }
    }
}

/// `bias + Σ_S A_S / (Σ |A| + ε) cos(π Σ_{j in S} x_j + φ_S)` over all sets `S` of inputs, to be clamped to `[0, 1]`:
/// amplitudes, phases, then the bias.
pub mod fourier {
    use super::*;

    const EPSILON: f32 = 1e-8;

    #[inline(always)]
    fn angle(set: usize, phase: f32, x: &[&Row]) -> Row {
        let mut angle = [phase; LANES];
        for (_, x) in x.iter().enumerate().filter(|(j, _)| set >> j & 1 == 1) {
            for i in 0..LANES {
                angle[i] += std::f32::consts::PI * x[i];
            }
        }
        angle
    }

    fn total(amplitudes: &[f32]) -> f32 {
        amplitudes.iter().map(|a| a.abs()).sum::<f32>() + EPSILON
    }

    pub fn forward(w: &[f32], x: &[&Row]) -> Row {
        let sets = 1 << x.len();
        let total = total(&w[..sets]);
        let mut u = [w[2 * sets]; LANES];
        for set in 0..sets {
            let angle = angle(set, w[sets + set], x);
            for i in 0..LANES {
                u[i] += w[set] / total * cos(angle[i]);
            }
        }
        u
    }

    pub fn backward(w: &[f32], x: &[&Row], du: &Row, dw: &mut [f32], dx: &mut [Row]) {
        let sets = 1 << x.len();
        let total = total(&w[..sets]);
        // Σ_S A_S Σ g cos: what changing the total changes.
        let mut all = 0.0;
        for set in 0..sets {
            let angle = angle(set, w[sets + set], x);
            let (mut c, mut s) = ([0.0; LANES], [0.0; LANES]);
            for i in 0..LANES {
                c[i] = cos(angle[i]);
                s[i] = -sin(angle[i]) * du[i] * (w[set] / total);
            }
            let along = dot(&c, du);
            all += w[set] * along;
            dw[set] += along / total;
            dw[sets + set] += sum(&s);
            for (_, dx) in dx.iter_mut().enumerate().filter(|(j, _)| set >> j & 1 == 1) {
                for i in 0..LANES {
                    dx[i] += std::f32::consts::PI * s[i];
                }
            }
        }
        for set in 0..sets {
            dw[set] -= w[set].signum() * all / (total * total);
        }
        dw[2 * sets] += sum(du);
    }
}

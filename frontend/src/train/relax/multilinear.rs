//! The multilinear extension of a table: `f(x) = Σ_a z[a] Π_j (a_j x_j + (1 - a_j)(1 - x_j))`.
//!
//! A tree of interpolations: input 0 folds neighbouring entries, input 1 the results, and so on, `2^k - 1` in all. The
//! derivative along an input is the difference of the two halves that it chooses between, which unlike the usual
//! quotient is right at 0 and 1 as well.

use super::super::kernel::{LANES, Row};
use super::super::math::{dot, sum};

/// Rows that the tree of `k` inputs needs.
pub fn tree(k: usize) -> usize {
    (1 << k) - 1
}

/// The extension at each lane. `rows` keeps the tree for [`backward`]: the results of input 0, then of input 1, …; that of two
/// inputs is made again.
#[inline(always)]
pub fn forward(z: &[f32], x: &[&Row], rows: &mut [Row]) -> Row {
    if let ([z0, z1, z2, z3], [x0, x1]) = (z, x) {
        return std::array::from_fn(|i| {
            let (low, high) = (z0 + x0[i] * (z1 - z0), z2 + x0[i] * (z3 - z2));
            low + x1[i] * (high - low)
        });
    }
    let mut width = z.len() / 2;
    let x0 = x[0];
    for (pair, row) in z.chunks_exact(2).zip(rows.iter_mut()) {
        let (low, rise) = (pair[0], pair[1] - pair[0]);
        for i in 0..LANES {
            row[i] = low + x0[i] * rise;
        }
    }
    let mut rest = rows;
    for x in &x[1..] {
        let (below, above) = rest.split_at_mut(width);
        width /= 2;
        for (pair, row) in below.chunks_exact(2).zip(above.iter_mut()) {
            for i in 0..LANES {
                row[i] = pair[0][i] + x[i] * (pair[1][i] - pair[0][i]);
            }
        }
        rest = above;
    }
    rest[0]
}

/// Adds to `dz` the sums over the lanes of `g` times the corners' weights, and sets `dx` to `g` times the slopes. `rows`
/// is the tree that [`forward`] left, and is used up.
#[inline(always)]
pub fn backward(z: &[f32], x: &[&Row], g: &Row, rows: &mut [Row], dz: &mut [f32], dx: &mut [Row]) {
    if let ([z0, z1, z2, z3], [x0, x1]) = (z, x) {
        let (mut low, mut high) = ([0.0; LANES], [0.0; LANES]);
        for i in 0..LANES {
            let (rise, steep) = (z1 - z0, z3 - z2);
            high[i] = g[i] * x1[i];
            low[i] = g[i] - high[i];
            dx[0][i] = low[i] * rise + high[i] * steep;
            dx[1][i] = g[i] * ((z2 + x0[i] * steep) - (z0 + x0[i] * rise));
        }
        let [low_x, high_x] = [&low, &high].map(|d| dot(d, x0));
        let parts = [sum(&low) - low_x, low_x, sum(&high) - high_x, high_x];
        return dz.iter_mut().zip(parts).for_each(|(d, part)| *d += part);
    }
    let k = x.len();
    let top = tree(k) - 1;
    rows[top] = *g;
    let mut start = top;
    for j in (1..k).rev() {
        // Results of input j begin at `start`; what they were made of lies directly before them.
        let count = 1 << (k - 1 - j);
        let (below, above) = rows.split_at_mut(start);
        start -= 2 * count;
        let mut d_x = [0.0; LANES];
        for (pair, d) in below[start..].chunks_exact_mut(2).zip(&above[..count]) {
            for i in 0..LANES {
                d_x[i] += d[i] * (pair[1][i] - pair[0][i]);
                let high = d[i] * x[j][i];
                pair[0][i] = d[i] - high;
                pair[1][i] = high;
            }
        }
        dx[j] = d_x;
    }
    let mut d_x = [0.0; LANES];
    for ((pair, d), dz) in z.chunks_exact(2).zip(&*rows).zip(dz.chunks_exact_mut(2)) {
        let rise = pair[1] - pair[0];
        for i in 0..LANES {
            d_x[i] += d[i] * rise;
        }
        let (all, high) = (sum(d), dot(d, x[0]));
        dz[0] += all - high;
        dz[1] += high;
    }
    dx[0] = d_x;
}

//! Elementary functions that vectorise and give the same bits on every processor: plain arithmetic, no library calls.

use super::kernel::{LANES, Row};

/// `e^x`, within 2e-7 of it relatively; clamped to where it is a normal number.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // x = n ln 2 + r with |r| <= ln 2 / 2; adding 1.5 * 2^23 rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, the first exact when multiplied by n.
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    // Taylor to the sixth power: the remainder is below r^7 / 5040.
    let p = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    f32::from_bits(p.to_bits().wrapping_add(n << 23))
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `sin x`, within 1e-6 for |x| below a thousand.
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    // x = n pi + r with |r| <= pi / 2, so sin x = (-1)^n sin r.
    let shifted = x * std::f32::consts::FRAC_1_PI + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * 3.140_625) - n * 9.676_536e-4;
    let q = r * r;
    let p = r
        * (1.0
            + q * (-1.0 / 6.0
                + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q * (1.0 / 362_880.0 - q * (1.0 / 39_916_800.0))))));
    f32::from_bits(p.to_bits() ^ (shifted.to_bits() << 31))
}

/// `cos x`, as good as [`sin`].
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    sin(x + std::f32::consts::FRAC_PI_2)
}

/// The sum of a block's numbers, always in the same order: sixteen partial sums, eight, four, two, one.
#[inline(always)]
pub fn sum(row: &Row) -> f32 {
    let mut s: [f32; 16] = std::array::from_fn(|i| (row[i] + row[16 + i]) + (row[32 + i] + row[48 + i]));
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            s[i] += s[half + i];
        }
    }
    s[0]
}

/// The sum of the products of two blocks' numbers, in the order of [`sum`].
#[inline(always)]
pub fn dot(a: &Row, b: &Row) -> f32 {
    let mut products = [0.0; LANES];
    for i in 0..LANES {
        products[i] = a[i] * b[i];
    }
    sum(&products)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_to_the_real_functions() {
        for i in -8700..=8700 {
            let x = i as f32 / 100.0;
            let (found, expected) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((found / expected - 1.0).abs() < 3e-7, "exp {x}: {found} is not {expected}");
            assert!((f64::from(sin(x)) - f64::from(x).sin()).abs() < 1e-6, "sin {x}");
            assert!((f64::from(cos(x)) - f64::from(x).cos()).abs() < 8e-6, "cos {x}");
            assert!((f64::from(sigmoid(x)) - 1.0 / (1.0 + f64::from(-x).exp())).abs() < 2e-7, "sigmoid {x}");
        }
        assert!(exp(1e9).is_finite() && exp(-1e9) > 0.0 && sigmoid(f32::MAX) == 1.0);
    }

    #[test]
    fn sums_add_everything_once() {
        let row: Row = std::array::from_fn(|i| (i * i) as f32);
        assert_eq!(sum(&row), (0..64).map(|i| (i * i) as f32).sum::<f32>());
        assert_eq!(dot(&row, &[2.0; LANES]), 2.0 * sum(&row));
    }
}

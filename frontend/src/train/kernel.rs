//! The arithmetic of one lookup-table node, 64 samples at a time.
//!
//! A node of fan-in `k ≤ 8` is a table of `2^k` values; input `j` is bit `j` of the address `a`.
//! Bits travel as words: bit `i` of a word is sample `i` of the block.

use super::simd::Lanes;

/// The least number above zero.
pub const ABOVE_ZERO: f32 = f32::from_bits(1);
/// Samples in a word.
pub const LANES: usize = 64;
/// Largest fan-in the trainer knows.
pub const MAX_FAN_IN: usize = 8;
/// Entries of the largest table.
pub const MAX_ENTRIES: usize = 1 << MAX_FAN_IN;
/// One number for each address.
pub type Entries = [f32; MAX_ENTRIES];
/// A hard table: bit `a % 64` of word `a / 64`.
pub type Hard = [u64; MAX_ENTRIES / 64];
/// One number for each sample of a block.
pub type Row = [f32; LANES];
/// The address that each sample of a block selects.
pub type At = [u8; LANES];

/// Words of the hard table of a node.
pub fn words(fan_in: usize) -> usize {
    (1 << fan_in.min(MAX_FAN_IN)) / 64 + usize::from(fan_in < 6)
}

/// Byte `i` of entry `b` is bit `i` of `b`.
pub static SPREAD: [u64; 256] = {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        let mut i = 0;
        while i < 8 {
            table[b] |= (b as u64 >> i & 1) << (8 * i);
            i += 1;
        }
        b += 1;
    }
    table
};

/// The bits of a block that exceed a threshold.
#[inline(always)]
pub fn exceeds<T: PartialOrd>(column: &[T; LANES], threshold: &T) -> u64 {
    let mut word = 0;
    for (byte, eight) in column.chunks_exact(8).enumerate() {
        let bits = eight.iter().enumerate().fold(0u64, |bits, (i, x)| bits | u64::from(x > threshold) << i);
        word |= bits << (8 * byte);
    }
    word
}

/// The hard table of a node: bit `a` says whether entry `a` is at least `least`.
#[inline(always)]
pub fn harden<L: Lanes>(table: &[f32], least: f32) -> Hard {
    let mut hard = [0; MAX_ENTRIES / 64];
    for (word, entries) in hard.iter_mut().zip(table.chunks(LANES)) {
        let mut row = [f32::NEG_INFINITY; LANES];
        *word = L::at_least(
            entries.try_into().unwrap_or_else(|_| {
                row[..entries.len()].copy_from_slice(entries);
                &row
            }),
            least,
        );
    }
    hard
}

/// Reads a hard table for 64 samples at once: a tree of multiplexers over words, the last input at the leaves, so that
/// neighbours in a vector choose by the same input.
#[inline(always)]
pub fn lookup(table: &[u64], inputs: &[u64]) -> u64 {
    #[inline(always)]
    fn six(table: u64, inputs: &[u64]) -> u64 {
        let mut level = [0u64; 64];
        let mut width = 1 << inputs.len();
        for (a, leaf) in level.iter_mut().enumerate().take(width) {
            *leaf = (table >> a & 1).wrapping_neg();
        }
        for x in inputs.iter().rev() {
            width /= 2;
            let (low, high) = level.split_at_mut(width);
            for (low, high) in low.iter_mut().zip(high) {
                *low = *low & !x | *high & x;
            }
        }
        level[0]
    }
    let (low, high) = inputs.split_at(inputs.len().min(6));
    match high {
        [] => six(table[0], low),
        [x] => six(table[0], low) & !x | six(table[1], low) & x,
        [x, y, ..] => {
            let halves = [0, 2].map(|i| six(table[i], low) & !x | six(table[i + 1], low) & x);
            halves[0] & !y | halves[1] & y
        }
    }
}

/// Smooths a table along every axis: `z[a] = p L[a] + (1 - p) L[a with one bit flipped]`, one axis after the other.
///
/// The result at `a` is the multilinear extension of the table at the shrunk point `(1 - p) + (2p - 1) a`.
#[inline(always)]
fn smooth(z: &mut [f32], axes: usize, p: f32) {
    #[inline(always)]
    fn axis<const STRIDE: usize>(z: &mut [f32], p: f32) {
        for pair in z.chunks_exact_mut(2 * STRIDE) {
            let (low, high) = pair.split_at_mut(STRIDE);
            for i in 0..STRIDE {
                (low[i], high[i]) = (p * low[i] + (1.0 - p) * high[i], p * high[i] + (1.0 - p) * low[i]);
            }
        }
    }
    for j in 0..axes {
        match j {
            0 => axis::<1>(z, p),
            1 => axis::<2>(z, p),
            2 => axis::<4>(z, p),
            3 => axis::<8>(z, p),
            4 => axis::<16>(z, p),
            5 => axis::<32>(z, p),
            6 => axis::<64>(z, p),
            _ => axis::<128>(z, p),
        }
    }
}

/// The addresses without bit `j`.
#[inline(always)]
pub fn without(at: &At, j: usize) -> At {
    let below = (1u8 << j) - 1;
    std::array::from_fn(|i| at[i] & below | at[i] >> 1 & !below)
}

/// For each input `j` the slope of the table's multilinear extension along it, at the shrunk points of the addresses without
/// bit `j`: `f(x_j = 1) - f(x_j = 0)`, the derivative of a multilinear function as a difference. With `p = ¾` half of it is
/// the extended finite difference of DWN (Bacellar et al., 2024) in closed form. `out` is `[inputs, 2^(inputs - 1)]`.
#[inline(always)]
pub fn slopes(table: &[f32], p: f32, out: &mut [f32]) {
    #[inline(always)]
    fn slope<const STRIDE: usize>(z: &[f32], scale: f32, out: &mut [f32]) {
        for (z, out) in z.chunks_exact(2 * STRIDE).zip(out.chunks_exact_mut(STRIDE)) {
            for i in 0..STRIDE {
                out[i] = scale * (z[STRIDE + i] - z[i]);
            }
        }
    }
    let mut z = [0.0; MAX_ENTRIES];
    let z = &mut z[..table.len()];
    z.copy_from_slice(table);
    if p < 1.0 {
        smooth(z, table.len().trailing_zeros() as usize, p);
    }
    // Smoothing along the axis itself scales its difference by 2p - 1; undo that.
    let scale = 1.0 / (2.0 * p - 1.0);
    for (j, out) in out.chunks_exact_mut(table.len() / 2).enumerate() {
        match j {
            0 => slope::<1>(z, scale, out),
            1 => slope::<2>(z, scale, out),
            2 => slope::<4>(z, scale, out),
            3 => slope::<8>(z, scale, out),
            4 => slope::<16>(z, scale, out),
            5 => slope::<32>(z, scale, out),
            6 => slope::<64>(z, scale, out),
            _ => slope::<128>(z, scale, out),
        }
    }
}

/// For each word, the sum of the numbers whose bit is set, in a fixed order: sixteen partial sums, four, two, one. The
/// first two stages go through `fours`, at least as long as `words`: the compiler then makes masked vector additions.
#[inline(always)]
pub fn masked_sums(words: &[u64], row: &Row, fours: &mut [[f32; 4]], out: &mut [f32]) {
    let pick = |bits: u32, bit: usize, f: f32| if bits & 1 << bit == 0 { 0.0 } else { f };
    for (word, four) in words.iter().zip(fours.iter_mut()) {
        let (low, high) = (*word as u32, (*word >> 32) as u32);
        let mut sums = [0.0; 16];
        for i in 0..16 {
            sums[i] = (pick(low, i, row[i]) + pick(low, 16 + i, row[16 + i]))
                + (pick(high, i, row[32 + i]) + pick(high, 16 + i, row[48 + i]));
        }
        for i in 0..4 {
            four[i] = (sums[i] + sums[i + 4]) + (sums[i + 8] + sums[i + 12]);
        }
    }
    for (out, four) in out.iter_mut().zip(fours).take(words.len()) {
        *out = (four[0] + four[2]) + (four[1] + four[3]);
    }
}

#[cfg(test)]
#[allow(clippy::needless_range_loop)] // Indices are those of the formulas.
mod tests {
    use super::super::simd::Portable;
    use super::*;
    use crate::rng::{Stream, Use};

    fn words(rng: &mut Stream, count: usize) -> Vec<u64> {
        (0..count).map(|_| (0..8).fold(0, |w, _| w << 8 | rng.below(256) as u64)).collect()
    }

    fn table(rng: &mut Stream, k: usize) -> Vec<f32> {
        (0..1 << k).map(|_| 2.0 * rng.unit() - 1.0).collect()
    }

    /// What `slopes` says of input `j` at address `a`.
    fn at_corner(slopes: &[f32], k: usize, j: usize, a: usize) -> f32 {
        slopes[(j << (k - 1)) + usize::from(without(&[a as u8; LANES], j)[0])]
    }

    /// The multilinear extension of a table at real inputs, from its definition, in double precision.
    fn extension(table: &[f32], x: &[f64]) -> f64 {
        let weight = |a: usize| -> f64 {
            x.iter().enumerate().map(|(j, &x)| if a >> j & 1 == 1 { x } else { 1.0 - x }).product()
        };
        table.iter().enumerate().map(|(a, &l)| f64::from(l) * weight(a)).sum()
    }

    #[test]
    fn hard_forms_agree_bit_for_bit() {
        let mut rng = Stream::new(1, Use::Init, 0);
        for k in 1..=MAX_FAN_IN {
            let (inputs, table) = (words(&mut rng, k), table(&mut rng, k));
            let (at, hard) = (Portable::addresses(&inputs), harden::<Portable>(&table, ABOVE_ZERO));
            let y = lookup(&hard, &inputs);
            for i in 0..LANES {
                let a = inputs.iter().enumerate().fold(0, |a, (j, w)| a | (w >> i & 1) << j);
                assert_eq!(u64::from(at[i]), a);
                assert_eq!(y >> i & 1, u64::from(table[a as usize] > 0.0));
            }
        }
        let hard = harden::<Portable>(&[0.0, -0.0, f32::MIN_POSITIVE, -1.0, 1e-45], ABOVE_ZERO);
        assert_eq!(hard[0], 0b10100, "only what exceeds zero is a one");
    }

    #[test]
    fn words_and_floats_are_the_same_bits() {
        for word in words(&mut Stream::new(2, Use::Init, 0), 20) {
            let mut row = [0.0; LANES];
            Portable::add_bits(word, &mut row);
            assert_eq!(Portable::at_least(&row, 0.5), word);
        }
        let column: [u8; LANES] = std::array::from_fn(|i| i as u8);
        assert_eq!(exceeds(&column, &10), u64::MAX << 11);
        assert_eq!(exceeds(&column.map(f32::from), &10.5), u64::MAX << 11);
    }

    #[test]
    fn masked_sums_add_what_is_set() {
        let mut rng = Stream::new(3, Use::Init, 0);
        let row: Row = std::array::from_fn(|_| rng.below(1000) as f32); // whole numbers: sums are exact
        let words = words(&mut rng, 19);
        let (mut fours, mut sums) = ([[0.0; 4]; 19], [0.0; 19]);
        masked_sums(&words, &row, &mut fours, &mut sums);
        for (word, sum) in words.iter().zip(sums) {
            let expected: f32 = (0..LANES).filter(|i| word >> i & 1 == 1).map(|i| row[i]).sum();
            assert_eq!(sum, expected);
        }
    }

    /// Central differences of a multilinear function are exact, so only the kernel's own rounding is left: some forty
    /// additions of numbers up to one in single precision, divided by `2p - 1`.
    #[test]
    fn slopes_are_finite_differences_at_the_shrunk_point() {
        let mut rng = Stream::new(4, Use::Init, 0);
        for (k, p) in [(1, 0.75), (2, 1.0), (3, 0.6), (4, 0.75), (5, 0.9), (6, 1.0), (6, 0.75), (7, 0.75), (8, 0.75)] {
            let table = table(&mut rng, k);
            let mut out = vec![0.0; k << (k - 1)];
            slopes(&table, p, &mut out);
            for a in 0..1usize << k {
                let p = f64::from(p);
                let x: Vec<f64> = (0..k).map(|j| if a >> j & 1 == 1 { p } else { 1.0 - p }).collect();
                for j in 0..k {
                    let at = |x_j: f64| {
                        let mut x = x.clone();
                        x[j] = x_j;
                        extension(&table, &x)
                    };
                    let h = 0.125;
                    let expected = (at(x[j] + h) - at(x[j] - h)) / (2.0 * h);
                    let error = (f64::from(at_corner(&out, k, j, a)) - expected).abs();
                    assert!(error < 1e-5 / (2.0 * p - 1.0), "k {k}, p {p}, address {a}, input {j}: off by {error}");
                }
            }
        }
    }

    /// DWN's definition: `α Σ_c (-1)^(1 - c_j) L_c β^H(a, c)`, H the Hamming distance without bit `j`,
    /// `α = ½ ¾^(k - 1)`, `β = ⅓`.
    #[test]
    fn slopes_at_three_quarters_are_the_extended_finite_difference() {
        let mut rng = Stream::new(5, Use::Init, 0);
        for k in 1..=MAX_FAN_IN {
            let table = table(&mut rng, k);
            let mut out = vec![0.0; k << (k - 1)];
            slopes(&table, 0.75, &mut out);
            let alpha = 0.5 * 0.75f64.powi(k as i32 - 1);
            for j in 0..k {
                for a in 0..1usize << k {
                    let term = |(c, &l): (usize, &f32)| {
                        let distance = ((a ^ c) & !(1 << j)).count_ones();
                        let sign = if c >> j & 1 == 1 { 1.0 } else { -1.0 };
                        sign * f64::from(l) * (1.0f64 / 3.0).powi(distance as i32)
                    };
                    let expected = alpha * table.iter().enumerate().map(term).sum::<f64>();
                    let found = 0.5 * f64::from(at_corner(&out, k, j, a));
                    assert!((found - expected).abs() < 5e-6, "k {k}, address {a}, input {j}");
                }
            }
        }
    }
}

//! The arithmetic of one lookup-table node, 64 samples at a time.
//!
//! A node of fan-in `k ≤ 6` holds a table of `2^k` real entries `L[a]` in `[-1, 1]`; input `j` is bit `j` of the
//! address `a`. Entry `L` stands for the probability `(1 + L) / 2` of a one and hardens to a one where `L > 0`.
//! Bits travel as words: bit `i` of a word is sample `i` of the block.

/// Samples in a word.
pub const LANES: usize = 64;
/// Largest fan-in the trainer knows.
pub const MAX_FAN_IN: usize = 6;
/// Entries of the largest table.
pub const MAX_ENTRIES: usize = 1 << MAX_FAN_IN;
/// One number for each address.
pub type Entries = [f32; MAX_ENTRIES];
/// One number for each sample of a block.
pub type Row = [f32; LANES];

/// Byte `i` of entry `b` is bit `i` of `b`.
static SPREAD: [u64; 256] = {
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

/// The table address that each sample of the block selects; `inputs` holds one word for each of at most six inputs.
#[inline(always)]
pub fn addresses(inputs: &[u64]) -> [u8; LANES] {
    let mut out = [0; LANES];
    for (byte, eight) in out.chunks_exact_mut(8).enumerate() {
        let mut a = 0;
        for (j, word) in inputs.iter().enumerate() {
            a |= SPREAD[(word >> (8 * byte)) as usize & 255] << j;
        }
        eight.copy_from_slice(&a.to_le_bytes());
    }
    out
}

/// Bits of a word as zeros and ones.
#[inline(always)]
pub fn to_floats(word: u64, out: &mut [f32]) {
    for (byte, eight) in out.chunks_exact_mut(8).enumerate() {
        let ones = SPREAD[(word >> (8 * byte)) as usize & 255].to_le_bytes();
        for (f, one) in eight.iter_mut().zip(ones) {
            *f = f32::from(one);
        }
    }
}

/// The bits of a block whose number is at least one half; `row` holds at most 64 numbers.
#[inline(always)]
pub fn from_floats(row: &[f32]) -> u64 {
    row.iter().rev().fold(0, |word, &f| word << 1 | u64::from(f >= 0.5))
}

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

/// The hard table of a node: bit `a` is `L[a] > 0`.
#[inline(always)]
pub fn harden(table: &[f32]) -> u64 {
    table.iter().rev().fold(0, |word, &l| word << 1 | u64::from(l > 0.0))
}

/// Reads a hard table for 64 samples at once: a tree of multiplexers over words, input 0 at the leaves.
#[inline(always)]
pub fn lookup(table: u64, inputs: &[u64]) -> u64 {
    let mut level = [0u64; MAX_ENTRIES];
    let mut width = 1 << inputs.len().min(MAX_FAN_IN);
    for (a, leaf) in level.iter_mut().enumerate().take(width) {
        *leaf = (table >> a & 1).wrapping_neg();
    }
    for x in inputs.iter().take(MAX_FAN_IN) {
        width /= 2;
        for a in 0..width {
            level[a] = level[2 * a] & !x | level[2 * a + 1] & x;
        }
    }
    level[0]
}

/// Smooths a table along every axis: `z[a] = p L[a] + (1 - p) L[a with one bit flipped]`, one axis after the other.
///
/// The result at `a` is the multilinear extension of the table at the shrunk point `(1 - p) + (2p - 1) a`.
#[inline(always)]
fn smooth(z: &mut Entries, axes: usize, p: f32) {
    #[inline(always)]
    fn axis<const STRIDE: usize>(z: &mut Entries, p: f32) {
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
            _ => axis::<32>(z, p),
        }
    }
}

/// For each input `j` and address `a`, the slope of the node's probability along input `j` at `a`'s shrunk point:
/// `½ (f(x_j = 1) - f(x_j = 0))`, the derivative of a multilinear function as a difference. With `p = ¾` this is the
/// extended finite difference of DWN (Bacellar et al., 2024) in closed form. `out` has one entry for each input.
#[inline(always)]
pub fn slopes(table: &[f32], p: f32, out: &mut [Entries]) {
    #[inline(always)]
    fn slope<const STRIDE: usize>(z: &Entries, scale: f32, out: &mut Entries) {
        for (z, out) in z.chunks_exact(2 * STRIDE).zip(out.chunks_exact_mut(2 * STRIDE)) {
            for i in 0..STRIDE {
                let slope = scale * (z[STRIDE + i] - z[i]);
                (out[i], out[STRIDE + i]) = (slope, slope);
            }
        }
    }
    let mut z = [0.0; MAX_ENTRIES];
    z[..table.len()].copy_from_slice(table);
    smooth(&mut z, out.len(), p);
    // Smoothing along the axis itself scales its difference by 2p - 1; undo that.
    let scale = 0.5 / (2.0 * p - 1.0);
    for (j, out) in out.iter_mut().enumerate() {
        match j {
            0 => slope::<1>(&z, scale, out),
            1 => slope::<2>(&z, scale, out),
            2 => slope::<4>(&z, scale, out),
            3 => slope::<8>(&z, scale, out),
            4 => slope::<16>(&z, scale, out),
            _ => slope::<32>(&z, scale, out),
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

/// The relaxed node: the multilinear extension of the table of probabilities at real inputs in `[0, 1]`.
#[inline(always)]
pub fn relaxed(table: &[f32], inputs: &[&Row]) -> Row {
    let mut level = [[0.0; LANES]; MAX_ENTRIES];
    for (row, &l) in level.iter_mut().zip(table) {
        *row = [0.5 + 0.5 * l; LANES];
    }
    let mut width = table.len();
    for x in inputs {
        width /= 2;
        for a in 0..width {
            for i in 0..LANES {
                let (low, high) = (level[2 * a][i], level[2 * a + 1][i]);
                level[a][i] = low + x[i] * (high - low);
            }
        }
    }
    level[0]
}

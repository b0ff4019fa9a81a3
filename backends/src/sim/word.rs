//! 512 samples in one word, and the bit transpose that puts them there.

/// Samples in one [`Word`].
pub const LANES: usize = 512;

/// One bit of 512 samples: sample `s` is bit `s % 64` of element `s / 64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub struct Word(pub [u64; 8]);

impl Word {
    /// 0 for every sample.
    pub const ZERO: Self = Self([0; 8]);
    /// 1 for every sample.
    pub const ONES: Self = Self([u64::MAX; 8]);

    /// The same bit for every sample.
    pub const fn splat(bit: bool) -> Self {
        if bit { Self::ONES } else { Self::ZERO }
    }

    /// The bit of one sample; `lane` below [`LANES`].
    pub const fn get(&self, lane: usize) -> bool {
        self.0[lane / 64] >> (lane % 64) & 1 == 1
    }
}

/// Eight 64×64 bit matrices side by side: bit `b` of `rows[i][m]` is row `i`, column `b` of matrix `m`.
pub(super) type Rows = [[u64; 8]; 64];

/// Transposes the eight matrices.
///
/// Warren, Hacker's Delight, section 7-3: blocks of halving size are exchanged across the diagonal; here the three
/// largest sizes in one go, then the three smallest, between rows that were moved eight apart for it.
#[inline(always)]
pub(super) fn transpose(rows: &mut Rows) {
    let mut apart: Rows = [[0; 8]; 64];
    exchange::<8>(rows, [0x0000_0000_ffff_ffff, 0x0000_ffff_0000_ffff, 0x00ff_00ff_00ff_00ff]);
    for i in 0..64 {
        apart[i % 8 * 8 + i / 8] = rows[i];
    }
    exchange::<1>(&mut apart, [0x0f0f_0f0f_0f0f_0f0f, 0x3333_3333_3333_3333, 0x5555_5555_5555_5555]);
    for i in 0..64 {
        rows[i] = apart[i % 8 * 8 + i / 8];
    }
}

/// Exchanges blocks of `4 SIZE`, `2 SIZE` and `SIZE` columns between rows 32, 16 and 8 apart. `low[s]` masks the left
/// columns of the blocks of one size.
#[inline(always)]
fn exchange<const SIZE: usize>(rows: &mut Rows, low: [u64; 3]) {
    let rows = rows.as_flattened_mut();
    // One long loop over neighbours, which the compiler turns into vector code.
    for at in 0..64 {
        let mut x: [u64; 8] = std::array::from_fn(|i| rows[64 * i + at]);
        let mut swap = |i: usize, step: usize, low: u64| {
            let high = (x[i] >> (step * SIZE) ^ x[i + step]) & low;
            x[i + step] ^= high;
            x[i] ^= high << (step * SIZE);
        };
        for i in [0, 1, 2, 3] {
            swap(i, 4, low[0]);
        }
        for i in [0, 1, 4, 5] {
            swap(i, 2, low[1]);
        }
        for i in [0, 2, 4, 6] {
            swap(i, 1, low[2]);
        }
        for i in 0..8 {
            rows[64 * i + at] = x[i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn transpose_exchanges_rows_and_bits(seed: u64) {
            let mut x = seed | 1;
            let mut next = || {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                x
            };
            let rows: Rows = std::array::from_fn(|_| std::array::from_fn(|_| next()));
            let mut turned = rows;
            transpose(&mut turned);
            for (i, row) in rows.iter().enumerate() {
                for (b, column) in turned.iter().enumerate() {
                    for m in 0..8 {
                        prop_assert_eq!(row[m] >> b & 1, column[m] >> i & 1);
                    }
                }
            }
        }
    }
}

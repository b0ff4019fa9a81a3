//! Runs a kernel compiled for the widest vectors this processor has.
//!
//! The kernels are plain Rust over fixed-size arrays; the compiler chooses instructions, but for the few steps of [`Lanes`],
//! which AVX-512 has instructions for that no compiler finds. Nothing reorders a floating-point sum, so every processor
//! computes the same bits.
#![allow(unsafe_code)] // To call functions of an instruction set, always after the processor said it has it.

use super::kernel::{self, At, LANES, Row, SPREAD, exceeds};

/// A computation worth compiling for several instruction sets. `run` must be `#[inline(always)]`.
pub trait Kernel {
    /// Does the work.
    fn run<L: Lanes>(self);
}

/// Steps on 64 samples that instruction sets do in their own ways, to the same bits.
pub trait Lanes {
    /// The table address that each sample selects; `inputs` holds one word for each of at most eight inputs.
    fn addresses(inputs: &[u64]) -> At;
    /// The bits of a hard table that the samples select: bit `a % 64` of word `a / 64`.
    fn lookup(table: &[u64], inputs: &[u64]) -> u64;
    /// The entry that each sample selects of a table, whose length is a power of two above all addresses.
    fn select(table: &[f32], at: &At) -> Row;
    /// Adds one to the numbers whose bit is set. None of them may be -0.
    fn add_bits(word: u64, row: &mut Row);
    /// The bits of the numbers that are at least `least`.
    fn at_least(row: &Row, least: f32) -> u64;
    /// The bits of the bytes above a threshold.
    fn above(column: &[u8; LANES], threshold: u8) -> u64;
}

/// Any processor.
pub struct Portable;

impl Lanes for Portable {
    #[inline(always)]
    fn addresses(inputs: &[u64]) -> At {
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

    #[inline(always)]
    fn lookup(table: &[u64], inputs: &[u64]) -> u64 {
        kernel::lookup(table, inputs)
    }

    #[inline(always)]
    fn select(table: &[f32], at: &At) -> Row {
        assert!(!table.is_empty());
        std::array::from_fn(|i| table[usize::from(at[i]) & (table.len() - 1)])
    }

    #[inline(always)]
    fn add_bits(word: u64, row: &mut Row) {
        for (byte, eight) in row.chunks_exact_mut(8).enumerate() {
            let ones = SPREAD[(word >> (8 * byte)) as usize & 255].to_le_bytes();
            for (f, one) in eight.iter_mut().zip(ones) {
                *f += f32::from(one);
            }
        }
    }

    #[inline(always)]
    fn at_least(row: &Row, least: f32) -> u64 {
        row.iter().rev().fold(0, |word, &f| word << 1 | u64::from(f >= least))
    }

    #[inline(always)]
    fn above(column: &[u8; LANES], threshold: u8) -> u64 {
        exceeds(column, &threshold)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    //! AVX-512. Reached from [`super::widest`] alone, where the processor was found to have F, BW, DQ, VL and BITALG: that is what
    //! every call of an intrinsic below relies on. Loads and stores are of whole arrays.

    use std::arch::x86_64::*;

    use super::{At, LANES, Lanes, Row};

    pub struct Avx512;

    #[inline(always)]
    fn load(row: &[f32]) -> __m512 {
        assert!(row.len() >= 16);
        // SAFETY: AVX-512 is there; sixteen numbers are.
        unsafe { _mm512_loadu_ps(row.as_ptr()) }
    }

    #[inline(always)]
    fn store(row: &mut [f32], x: __m512) {
        assert!(row.len() >= 16);
        // SAFETY: AVX-512 is there; room for sixteen numbers is.
        unsafe { _mm512_storeu_ps(row.as_mut_ptr(), x) }
    }

    /// A register of at most sixteen entries.
    #[inline(always)]
    fn select_few(table: &[f32], at: &At) -> Row {
        assert!(table.len() <= 16);
        // SAFETY: AVX-512 is there; so many numbers are.
        let entries = unsafe { _mm512_maskz_loadu_ps(((1u32 << table.len()) - 1) as u16, table.as_ptr()) };
        let mut out = [0.0; LANES];
        for (out, at) in out.chunks_exact_mut(16).zip(at.chunks_exact(16)) {
            // SAFETY: AVX-512 is there; `at` is 16 bytes.
            store(out, unsafe {
                _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(at.as_ptr().cast())), entries)
            });
        }
        out
    }

    /// Two registers hold 32 entries: an instruction chooses among those, a tree over the bits above the fifth among pairs.
    #[inline(always)]
    fn select<const PAIRS: usize>(table: &[f32], at: &At) -> Row {
        let entries: [[__m512; 2]; PAIRS] =
            std::array::from_fn(|p| [load(&table[32 * p..][..16]), load(&table[32 * p + 16..][..16])]);
        let mut out = [0.0; LANES];
        for (out, at) in out.chunks_exact_mut(16).zip(at.chunks_exact(16)) {
            // SAFETY: AVX-512 is there; `at` is 16 bytes.
            let found = unsafe {
                let at = _mm512_cvtepu8_epi32(_mm_loadu_si128(at.as_ptr().cast()));
                let mut found = entries.map(|[low, high]| _mm512_permutex2var_ps(low, at, high));
                let (mut left, mut bit) = (PAIRS, 32);
                while left > 1 {
                    let high = _mm512_test_epi32_mask(at, _mm512_set1_epi32(bit));
                    for p in 0..left / 2 {
                        found[p] = _mm512_mask_blend_ps(high, found[2 * p], found[2 * p + 1]);
                    }
                    (left, bit) = (left / 2, 2 * bit);
                }
                found[0]
            };
            store(out, found);
        }
        out
    }

    impl Lanes for Avx512 {
        #[inline(always)]
        fn addresses(inputs: &[u64]) -> At {
            let mut out = [0; LANES];
            // SAFETY: AVX-512 is there; `out` is 64 bytes.
            unsafe {
                let mut at = _mm512_setzero_si512();
                for (j, &word) in inputs.iter().enumerate() {
                    at = _mm512_or_si512(at, _mm512_maskz_set1_epi8(word, (1u8 << j) as i8));
                }
                _mm512_storeu_si512(out.as_mut_ptr().cast(), at);
            }
            out
        }

        #[inline(always)]
        fn lookup(table: &[u64], inputs: &[u64]) -> u64 {
            let (low, high) = inputs.split_at(inputs.len().min(6));
            let at = Self::addresses(low);
            // SAFETY: AVX-512 is there; `at` is 64 bytes.
            let word = |table: u64| unsafe {
                _mm512_bitshuffle_epi64_mask(_mm512_set1_epi64(table as i64), _mm512_loadu_si512(at.as_ptr().cast()))
            };
            match high {
                [] => word(table[0]),
                [x] => word(table[0]) & !x | word(table[1]) & x,
                [x, y, ..] => {
                    let halves = [0, 2].map(|i| word(table[i]) & !x | word(table[i + 1]) & x);
                    halves[0] & !y | halves[1] & y
                }
            }
        }

        #[inline(always)]
        fn select(table: &[f32], at: &At) -> Row {
            match table.len() {
                0..=16 => select_few(table, at),
                32 => select::<1>(table, at),
                64 => select::<2>(table, at),
                128 => select::<4>(table, at),
                _ => select::<8>(table, at),
            }
        }

        #[inline(always)]
        fn add_bits(word: u64, row: &mut Row) {
            for (i, sixteen) in row.chunks_exact_mut(16).enumerate() {
                let x = load(sixteen);
                // SAFETY: AVX-512 is there.
                let sum = unsafe { _mm512_mask_add_ps(x, (word >> (16 * i)) as u16, x, _mm512_set1_ps(1.0)) };
                store(sixteen, sum);
            }
        }

        #[inline(always)]
        fn at_least(row: &Row, least: f32) -> u64 {
            // SAFETY: AVX-512 is there.
            let mask = |x| unsafe { _mm512_cmp_ps_mask::<_CMP_GE_OQ>(x, _mm512_set1_ps(least)) };
            row.chunks_exact(16).rev().fold(0, |word, x| word << 16 | u64::from(mask(load(x))))
        }

        #[inline(always)]
        fn above(column: &[u8; LANES], threshold: u8) -> u64 {
            // SAFETY: AVX-512 is there; `column` is 64 bytes.
            unsafe {
                _mm512_cmpgt_epu8_mask(_mm512_loadu_si512(column.as_ptr().cast()), _mm512_set1_epi8(threshold as i8))
            }
        }
    }
}

/// Asks for numbers that will be read soon.
#[inline(always)]
pub fn fetch(numbers: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in numbers.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 has it, and it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = numbers;
}

/// Runs `kernel` with the widest instructions available.
#[inline]
pub fn widest<K: Kernel>(kernel: K) {
    #[cfg(target_arch = "x86_64")]
    {
        if has_avx512() {
            // SAFETY: the five features were just found.
            return unsafe { in_avx512(kernel) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature was just found.
            return unsafe { in_avx2(kernel) };
        }
    }
    kernel.run::<Portable>();
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bitalg")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bitalg")]
fn in_avx512<K: Kernel>(kernel: K) {
    kernel.run::<avx512::Avx512>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn in_avx2<K: Kernel>(kernel: K) {
    kernel.run::<Portable>();
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::super::kernel::{MAX_ENTRIES, MAX_FAN_IN};
    use super::super::relax::multilinear;
    use super::*;
    use crate::rng::{Stream, Use};

    /// All floating-point kernels on one random node.
    struct Everything<'a>(&'a mut Vec<f32>);

    impl Kernel for Everything<'_> {
        #[inline(always)]
        fn run<L: Lanes>(self) {
            let mut rng = Stream::new(1, Use::Init, 0);
            let table: [f32; MAX_ENTRIES] = std::array::from_fn(|_| 2.0 * rng.unit() - 1.0);
            let row: Row = std::array::from_fn(|_| rng.unit());
            let words: [u64; 20] = std::array::from_fn(|_| rng.below(usize::MAX) as u64);
            let mut slopes = [0.0; MAX_FAN_IN * MAX_ENTRIES / 2];
            let mut tree = vec![[0.0; 64]; multilinear::tree(MAX_FAN_IN)];
            let (mut dz, mut dx) = ([0.0; MAX_ENTRIES], [[0.0; 64]; MAX_FAN_IN]);
            kernel::slopes(&table, 0.8, &mut slopes);
            let (mut fours, mut sums) = ([[0.0; 4]; 20], [0.0; 20]);
            kernel::masked_sums(&words, &row, &mut fours, &mut sums);
            self.0.extend(slopes);
            self.0.extend(sums);
            self.0.extend(multilinear::forward(&table, &[&row; MAX_FAN_IN], &mut tree));
            multilinear::backward(&table, &[&row; MAX_FAN_IN], &row, &mut tree, &mut dz, &mut dx);
            self.0.extend(dz);
            self.0.extend(dx.as_flattened());
            for k in 1..=MAX_FAN_IN {
                let at = L::addresses(&words[..k]);
                self.0.extend(at.map(f32::from));
                self.0.extend(L::select(&table[..1 << k], &at));
                let hard = kernel::harden::<L>(&table[..1 << k], kernel::ABOVE_ZERO);
                let found = L::lookup(&hard, &words[..k]);
                self.0.extend((0..LANES).map(|i| (found >> i & 1) as f32));
            }
            let mut ones = row;
            L::add_bits(words[0], &mut ones);
            self.0.extend(ones);
            let above = L::at_least(&row, row[7]);
            self.0.extend((0..LANES).map(|i| (above >> i & 1) as f32));
            let above = L::above(&L::addresses(&words[..8]), 100);
            self.0.extend((0..LANES).map(|i| (above >> i & 1) as f32));
        }
    }

    #[test]
    #[allow(unsafe_code)]
    fn every_instruction_set_computes_the_same_bits() {
        let bits = |run: &dyn Fn(Everything<'_>)| {
            let mut out = Vec::new();
            run(Everything(&mut out));
            out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let plain = bits(&|k| k.run::<Portable>());
        assert_eq!(plain.len(), 8 * 128 + 20 + 64 + 256 + 8 * 64 + 8 * 192 + 192);
        assert_eq!(bits(&|k| widest(k)), plain);
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature was just found.
            assert_eq!(bits(&|k| unsafe { in_avx2(k) }), plain);
        }
    }
}

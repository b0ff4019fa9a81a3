//! The same safe code compiled for several instruction sets, chosen at run time.
//!
//! The hot loops are `#[inline(always)]` functions over [`Word`]s; the compiler turns them into vector code of whatever
//! instruction set the function around them enables. Nothing here but the calls of those functions is unsafe.
#![allow(unsafe_code)]

use std::cell::Cell;

use super::encode::Plane;
use super::portable::{Op, Run, execute};
use super::word::{Rows, Word, transpose};

/// Up to 64 rows of a table: where the first one's first column lies, and how far apart rows are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub start: usize,
    pub stride: usize,
    pub rows: usize,
}

/// An instruction set that this processor has.
///
/// Invariant, on which the unsafe calls rest: a value other than [`Level::Base`] is made only by [`Isa::available`],
/// after the processor was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Isa(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// What the program was compiled for: SSE2 on x86-64, NEON on AArch64.
    Base,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

macro_rules! compiled_for {
    ($module:ident $(, $features:literal)?) => {
        mod $module {
            use super::*;

            $(#[target_feature(enable = $features)])?
            pub(super) fn run(ops: &[Op], runs: &[Run], slots: &[Cell<Word>]) {
                execute(ops, runs, slots);
            }

            $(#[target_feature(enable = $features)])?
            pub(super) fn turn(rows: &mut Rows) {
                transpose(rows);
            }
        }
    };
}
compiled_for!(base);

macro_rules! compares_for {
    ($module:ident $(, $features:literal)?) => {
        mod $module {
            use super::*;

            $(#[target_feature(enable = $features)])?
            pub(super) fn above_bytes(plane: &Plane, data: &[u8], at: Span, m: usize, out: &mut Rows) {
                bytes(plane, data, at, m, out);
            }

            $(#[target_feature(enable = $features)])?
            pub(super) fn above_reals(plane: &Plane, data: &[f32], at: Span, m: usize, out: &mut Rows) {
                reals(plane, data, at, m, out);
            }
        }
    };
}
compares_for!(base_compares);
#[cfg(target_arch = "x86_64")]
compares_for!(avx2_compares, "avx2");

/// Comparisons of a plane for bytes: row `i` of matrix `m` becomes the bits of row `i`.
#[inline(always)]
fn bytes(plane: &Plane, data: &[u8], at: Span, m: usize, out: &mut Rows) {
    for (i, row) in out.iter_mut().enumerate().take(at.rows) {
        let x = &data[at.start + i * at.stride..][..plane.columns];
        row[m] = gather(x, |j| u8::from(x[j] > plane.bytes[j]));
    }
}

/// [`bytes`] for reals.
#[inline(always)]
fn reals(plane: &Plane, data: &[f32], at: Span, m: usize, out: &mut Rows) {
    for (i, row) in out.iter_mut().enumerate().take(at.rows) {
        let x = &data[at.start + i * at.stride..][..plane.columns];
        row[m] = gather(x, |j| u8::from(x[j] >= plane.reals[j]));
    }
}

/// Up to 64 bits, from bytes of 0 and 1.
#[inline(always)]
fn gather<T>(row: &[T], bit: impl Fn(usize) -> u8) -> u64 {
    let mut ones = [0u8; 64];
    ones.iter_mut().enumerate().take(row.len()).for_each(|(j, one)| *one = bit(j));
    let (eights, _) = ones.as_chunks::<8>();
    // The product moves bit 8 i to bit 56 + i; no two partial products meet.
    let eight = |x: &[u8; 8]| u64::from_le_bytes(*x).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    eights.iter().enumerate().fold(0, |word, (n, x)| word | eight(x) << (8 * n))
}
#[cfg(target_arch = "x86_64")]
compiled_for!(avx2, "avx2");
#[cfg(target_arch = "x86_64")]
compiled_for!(avx512, "avx512f,avx512bw");

/// The comparisons as single instructions: the compiler does not find them.
#[cfg(target_arch = "x86_64")]
mod masks {
    use std::arch::x86_64::*;

    use super::{Plane, Rows, Span};

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn above_bytes(plane: &Plane, data: &[u8], at: Span, m: usize, out: &mut Rows) {
        // SAFETY: 64 bytes lie there.
        let bound = unsafe { _mm512_loadu_si512(plane.bytes.as_ptr().cast()) };
        let some = u64::MAX >> (64 - plane.columns);
        for (i, row) in out.iter_mut().enumerate().take(at.rows) {
            let x = &data[at.start + i * at.stride..][..plane.columns];
            // SAFETY: `some` has a bit for each of the `columns` bytes of `x`; others are not read.
            let x = unsafe { _mm512_maskz_loadu_epi8(some, x.as_ptr().cast()) };
            row[m] = _mm512_cmpgt_epu8_mask(x, bound) & some;
        }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn above_reals(plane: &Plane, data: &[f32], at: Span, m: usize, out: &mut Rows) {
        // SAFETY: 64 reals lie there.
        let bounds = [0, 1, 2, 3].map(|n| unsafe { _mm512_loadu_ps(plane.reals[16 * n..].as_ptr()) });
        let some = u64::MAX >> (64 - plane.columns);
        for (i, row) in out.iter_mut().enumerate().take(at.rows) {
            let x = &data[at.start + i * at.stride..][..plane.columns];
            let mut bits = 0;
            for (n, (x, bound)) in x.chunks(16).zip(bounds).enumerate() {
                let some = (some >> (16 * n)) as u16;
                // SAFETY: `some` has a bit for each of the up to 16 reals of `x`; others are not read.
                let x = unsafe { _mm512_maskz_loadu_ps(some, x.as_ptr()) };
                bits |= u64::from(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(x, bound) & some) << (16 * n);
            }
            row[m] = bits;
        }
    }
}

impl Isa {
    /// Every instruction set of this processor that there is code for, the best last.
    pub fn available() -> Vec<Self> {
        let mut all = vec![Self(Level::Base)];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                all.push(Self(Level::Avx2));
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
                all.push(Self(Level::Avx512));
            }
        }
        all
    }

    /// The best instruction set of this processor.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self(Level::Base))
    }

    /// Largest fan-in for which expansion to single bits is the faster one (measured; `examples/sim_speed.rs`).
    pub fn masks(self) -> u8 {
        if self.0 == Level::Base { 2 } else { 4 }
    }

    /// [`execute`].
    pub fn execute(self, ops: &[Op], runs: &[Run], slots: &[Cell<Word>]) {
        match self.0 {
            Level::Base => base::run(ops, runs, slots),
            // SAFETY: by the invariant of `Isa` the processor has the instructions.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::run(ops, runs, slots) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::run(ops, runs, slots) },
        }
    }

    /// [`transpose`].
    pub fn transpose(self, rows: &mut Rows) {
        match self.0 {
            Level::Base => base::turn(rows),
            // SAFETY: by the invariant of `Isa` the processor has the instructions.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::turn(rows) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::turn(rows) },
        }
    }

    /// The comparisons of a plane for bytes, row `i` into row `i` of matrix `m`.
    pub fn above_bytes(self, plane: &Plane, data: &[u8], at: Span, m: usize, out: &mut Rows) {
        match self.0 {
            Level::Base => base_compares::above_bytes(plane, data, at, m, out),
            // SAFETY: by the invariant of `Isa` the processor has the instructions.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2_compares::above_bytes(plane, data, at, m, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { masks::above_bytes(plane, data, at, m, out) },
        }
    }

    /// [`Self::above_bytes`] for reals.
    pub fn above_reals(self, plane: &Plane, data: &[f32], at: Span, m: usize, out: &mut Rows) {
        match self.0 {
            Level::Base => base_compares::above_reals(plane, data, at, m, out),
            // SAFETY: by the invariant of `Isa` the processor has the instructions.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2_compares::above_reals(plane, data, at, m, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { masks::above_reals(plane, data, at, m, out) },
        }
    }
}

//! The same safe code compiled for several instruction sets, chosen at run time.
//!
//! The hot loops are `#[inline(always)]` functions over [`Word`]s; the compiler turns them into vector code of whatever
//! instruction set the function around them enables. Nothing here but the calls of those functions is unsafe.
#![allow(unsafe_code)]

use std::cell::Cell;

use super::portable::{Op, Run, execute};
use super::word::{Rows, Word, transpose};

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
#[cfg(target_arch = "x86_64")]
compiled_for!(avx2, "avx2");
#[cfg(target_arch = "x86_64")]
compiled_for!(avx512, "avx512f");

impl Isa {
    /// Every instruction set of this processor that there is code for, the best last.
    pub fn available() -> Vec<Self> {
        let mut all = vec![Self(Level::Base)];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                all.push(Self(Level::Avx2));
            }
            if is_x86_feature_detected!("avx512f") {
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
}

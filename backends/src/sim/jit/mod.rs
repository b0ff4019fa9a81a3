//! The engine `jit`: lookup tables as machine code of x86-64 with AVX-512, made in memory.
//!
//! A table becomes a program of three-input operations (`synth`), those become instructions (`code`, `asm`), and pieces
//! of 16 KiB of them run over several words of samples one after the other, so that the code is fetched once (`exec`).

mod asm;
mod code;
#[cfg(target_arch = "x86_64")]
mod exec;
mod synth;

use std::io;

use blc_ir::table;
use rustc_hash::FxHashMap;

use super::schedule::{Kernel, Schedule};
use super::word::Word;
use code::Code;
#[cfg(target_arch = "x86_64")]
use exec::Executable;
use synth::Program;

/// Why there is no machine code here.
#[derive(Debug)]
pub(super) enum Unfit {
    /// Another processor.
    Processor,
    /// More slots than an instruction reaches.
    Slots,
    /// The system gives no executable memory.
    Memory(io::Error),
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Processor => f.write_str("the processor has no AVX-512"),
            Self::Slots => f.write_str("the design is too wide for the addresses of its instructions"),
            Self::Memory(e) => write!(f, "the system gives no executable memory ({e})"),
        }
    }
}

/// Whether this processor runs the code.
pub(super) fn supported() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Machine code of a schedule.
pub(super) struct Jit {
    #[cfg(target_arch = "x86_64")]
    code: Executable,
}

impl Jit {
    /// Compiles a schedule.
    ///
    /// # Errors
    /// This machine cannot run it.
    pub fn new(schedule: &Schedule) -> Result<Self, Unfit> {
        if !supported() {
            return Err(Unfit::Processor);
        }
        if schedule.slots > asm::MAX_SLOT as usize {
            return Err(Unfit::Slots);
        }
        Self::load(&compile(schedule), schedule.slots)
    }

    #[cfg(target_arch = "x86_64")]
    fn load(code: &Code, slots: usize) -> Result<Self, Unfit> {
        Ok(Self { code: Executable::new(code, slots).map_err(Unfit::Memory)? })
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn load(_: &Code, _: usize) -> Result<Self, Unfit> {
        Err(Unfit::Processor)
    }
}

impl Kernel for Jit {
    #[cfg(target_arch = "x86_64")]
    fn run(&self, slots: &mut [Word]) {
        self.code.run(slots);
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn run(&self, _: &mut [Word]) {}
}

/// Code of steps; equal tables share their program.
pub(super) fn compile(schedule: &Schedule) -> Code {
    let mut index: FxHashMap<u64, u32> = FxHashMap::default();
    let mut programs: Vec<Program> = Vec::new();
    let of: Vec<u32> = schedule
        .steps
        .iter()
        .map(|step| {
            let table = table::widen(step.table, usize::from(step.k));
            *index.entry(table).or_insert_with(|| {
                programs.push(synth::synthesize(table));
                (programs.len() - 1) as u32
            })
        })
        .collect();
    code::emit(&schedule.steps, schedule.slots, |i| &programs[of[i] as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told() {
        assert!(Unfit::Processor.to_string().contains("AVX-512"));
        assert!(Unfit::Slots.to_string().contains("too wide"));
        assert!(Unfit::Memory(io::ErrorKind::PermissionDenied.into()).to_string().contains("executable memory"));
    }
}

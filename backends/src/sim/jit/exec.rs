//! Machine code in memory: written first, made executable then, never both at once.
#![allow(unsafe_code)]

use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
use std::io;
use std::ops::Range;

use memmap2::{Mmap, MmapMut};

use super::code::Code;
use crate::sim::word::Word;

/// Bytes of a line of the cache.
const LINE: usize = 64;

/// Code that can be called.
///
/// Invariant, on which the unsafe call rests: `memory` is executable and holds the bytes of `code::emit`, whose chunks
/// read and write nothing but the first `slots` words behind their argument, clobber only `zmm` registers, and return.
pub(super) struct Executable {
    memory: Mmap,
    chunks: Vec<usize>,
    slots: usize,
}

impl Executable {
    /// Code of steps on `slots` slots.
    ///
    /// # Errors
    /// The system gives no memory, or refuses to make it executable.
    pub fn new(code: &Code, slots: usize) -> io::Result<Self> {
        let mut memory = MmapMut::map_anon(code.bytes.len().max(1))?;
        // A wish: the system may have none.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        memory[..code.bytes.len()].copy_from_slice(&code.bytes);
        Ok(Self { memory: memory.make_exec()?, chunks: code.chunks.clone(), slots })
    }

    /// Runs every chunk on every group of slots before it goes on to the next chunk, whose code is fetched meanwhile: what
    /// is run once has to come from afar, and a processor looks ahead only a little in code.
    pub fn run(&self, slots: &mut [Word]) {
        let groups = slots.len() / self.slots;
        let start = |chunk: usize| self.chunks.get(chunk).copied().unwrap_or(self.memory.len());
        for chunk in 0..self.chunks.len() {
            let next = start(chunk + 1)..start(chunk + 2);
            let share = next.len().div_ceil(groups.max(1)).next_multiple_of(LINE);
            for (n, group) in slots.chunks_exact_mut(self.slots).enumerate() {
                let first = (next.start + n * share).min(next.end);
                self.prefetch(first..(first + share).min(next.end));
                // SAFETY: by the invariant of `Executable`; `group` has as many words as the code may touch, and a chunk
                // begins at each offset.
                unsafe {
                    let start = self.memory.as_ptr().add(self.chunks[chunk]);
                    let call = std::mem::transmute::<*const u8, extern "sysv64" fn(*mut Word)>(start);
                    call(group.as_mut_ptr());
                }
            }
        }
    }

    /// Asks for code in the second-level cache.
    fn prefetch(&self, bytes: Range<usize>) {
        for byte in self.memory[bytes].iter().step_by(LINE) {
            // SAFETY: every processor of x86-64 has the instruction, and it does nothing but move what is in the cache.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(byte).cast()) };
        }
    }
}

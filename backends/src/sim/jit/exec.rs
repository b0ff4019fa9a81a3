//! Machine code in memory: written first, made executable then, never both at once.
#![allow(unsafe_code)]

use std::io;

use memmap2::{Mmap, MmapMut};

use super::code::Code;
use crate::sim::word::Word;

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
        memory[..code.bytes.len()].copy_from_slice(&code.bytes);
        Ok(Self { memory: memory.make_exec()?, chunks: code.chunks.clone(), slots })
    }

    /// Runs every chunk on every group of slots before it goes on to the next chunk.
    pub fn run(&self, slots: &mut [Word]) {
        for &chunk in &self.chunks {
            for group in slots.chunks_exact_mut(self.slots) {
                // SAFETY: by the invariant of `Executable`; `group` has as many words as the code may touch, and a chunk
                // begins at each offset.
                unsafe {
                    let start = self.memory.as_ptr().add(chunk);
                    let call = std::mem::transmute::<*const u8, extern "sysv64" fn(*mut Word)>(start);
                    call(group.as_mut_ptr());
                }
            }
        }
    }
}

//! Slots in memory of their own, on huge pages where the system has them: a wide design jumps about in many megabytes, and
//! would wait for the tables that say where pages of 4 KiB lie.
#![allow(unsafe_code)]

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use super::word::Word;

/// Words, 0 at first.
pub(super) struct Words(Place);

/// Invariant, on which the unsafe casts rest: mapped memory is writable, begins at a page, which is aligned to more than a
/// word, and has room for so many words; and whatever its bytes are, it is words, which are numbers without gaps.
enum Place {
    Mapped(MmapMut, usize),
    Heap(Vec<Word>),
}

impl Words {
    pub fn zeroed(len: usize) -> Self {
        let bytes = len.saturating_mul(size_of::<Word>()).max(1);
        let Ok(memory) = MmapMut::map_anon(bytes) else { return Self(Place::Heap(vec![Word::ZERO; len])) };
        // A wish: the system may have none.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        Self(Place::Mapped(memory, len))
    }
}

impl Deref for Words {
    type Target = [Word];

    fn deref(&self) -> &[Word] {
        match &self.0 {
            Place::Heap(words) => words,
            // SAFETY: by the invariant of `Place`.
            Place::Mapped(memory, len) => unsafe { std::slice::from_raw_parts(memory.as_ptr().cast(), *len) },
        }
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [Word] {
        match &mut self.0 {
            Place::Heap(words) => words,
            // SAFETY: by the invariant of `Place`; nothing else refers to the memory while `self` is borrowed.
            Place::Mapped(memory, len) => unsafe { std::slice::from_raw_parts_mut(memory.as_mut_ptr().cast(), *len) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_zeros_of_their_own() {
        for len in [0, 1, 63, 70_000] {
            let mut words = Words::zeroed(len);
            let address = words.as_ptr() as usize;
            assert!(words.len() == len && words.iter().all(|&w| w == Word::ZERO));
            assert_eq!(address % align_of::<Word>(), 0);
            for (i, word) in words.iter_mut().enumerate() {
                word.0[i % 8] = i as u64;
            }
            assert!(words.iter().enumerate().all(|(i, w)| w.0.iter().sum::<u64>() == i as u64));
        }
        let heap = Words(Place::Heap(vec![Word::ONES; 3]));
        assert_eq!(heap.len(), 3);
    }
}

//! Gradients of rows, gathered from the slots that read them.
//!
//! Every row sums its readers itself, in the order of the slots: no two threads write one row, and the order of the sum
//! does not depend on them.

use rayon::prelude::*;

use super::chunk::Shape;
use super::kernel::{At, LANES, Row};
use super::simd::{Kernel, Lanes, fetch, widest};

/// Rows that a thread takes at a time.
const ROWS: usize = 32;
/// So many readers before its turn memory is asked for what one has.
const AHEAD: usize = 4;

/// Who reads each row.
#[derive(Default)]
pub struct Readers {
    /// Of each row, where its readers begin; and where those of the row behind the last do.
    start: Vec<u32>,
    slots: Vec<u32>,
}

impl Readers {
    /// Sorts the slots by the rows that they read. The row past the last, which is zeros, needs no gradient.
    pub fn sort(&mut self, chosen: &[u32], rows: usize) {
        let Self { start, slots } = self;
        start.clear();
        start.resize(rows + 2, 0);
        chosen.iter().for_each(|&row| start[row as usize + 1] += 1);
        (0..=rows).for_each(|r| start[r + 1] += start[r]);
        // Filling moves each beginning to the next row's.
        slots.resize(chosen.len(), 0);
        for (slot, &row) in chosen.iter().enumerate() {
            slots[start[row as usize] as usize] = slot as u32;
            start[row as usize] += 1;
        }
        start.rotate_right(1);
        start[0] = 0;
    }

    /// Whether nothing was sorted yet.
    pub fn is_empty(&self) -> bool {
        self.start.is_empty()
    }
}

/// Where the gradient of a slot comes from.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// It was written down: `[slots, words]`.
    Slots(&'a [Row]),
    /// It is the slope at the address that each sample selects, times the gradient of the node.
    Corners {
        /// The layer whose slots these are.
        shape: Shape<'a>,
        /// `[tables, k, entries]`.
        slopes: &'a [f32],
        /// `[nodes, words]`.
        at: &'a [At],
        /// `[nodes / per_group, words]`.
        grad: &'a [Row],
    },
}

/// Sets `d_x`, `[rows, words]`, to the sums over the rows' readers.
pub fn gather(readers: &Readers, source: Source<'_>, words: usize, d_x: &mut [Row]) {
    d_x.par_chunks_mut(words * ROWS).enumerate().for_each(|(i, d_x)| {
        widest(Gather { start: &readers.start[i * ROWS..], readers: &readers.slots, source, words, d_x });
    });
}

struct Gather<'a> {
    start: &'a [u32],
    readers: &'a [u32],
    source: Source<'a>,
    words: usize,
    d_x: &'a mut [Row],
}

impl Source<'_> {
    /// Asks for what a slot has.
    #[inline(always)]
    fn fetch(&self, slot: usize, words: usize) {
        match self {
            Self::Slots(slots) => fetch(slots[slot * words..][..words].as_flattened()),
            Self::Corners { shape, slopes, .. } => {
                let (k, entries) = (shape.relaxation.fan_in(), shape.relaxation.slope_entries());
                fetch(&slopes[(share(slot / k, shape.share) * k + slot % k) * entries..][..entries]);
            }
        }
    }
}

/// `n / by`, which mostly is 1.
#[inline(always)]
fn share(n: usize, by: usize) -> usize {
    if by == 1 { n } else { n / by }
}

impl Kernel for Gather<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let words = self.words;
        for (sums, range) in self.d_x.chunks_exact_mut(words).zip(self.start.windows(2)) {
            sums.fill([0.0; LANES]);
            let range = range[0] as usize..range[1] as usize;
            for (&slot, next) in self.readers[range.clone()].iter().zip(range.start + AHEAD..) {
                let slot = slot as usize;
                if let Some(&next) = self.readers.get(next) {
                    self.source.fetch(next as usize, words);
                }
                match self.source {
                    Source::Slots(d_slots) => {
                        for (sum, d) in sums.iter_mut().zip(&d_slots[slot * words..][..words]) {
                            sum.iter_mut().zip(d).for_each(|(s, d)| *s += d);
                        }
                    }
                    Source::Corners { shape, slopes, at, grad } => {
                        let (k, entries) = (shape.relaxation.fan_in(), shape.relaxation.slope_entries());
                        let (node, j) = (slot / k, slot % k);
                        let slopes = &slopes[(share(node, shape.share) * k + j) * entries..][..entries];
                        let at = &at[node * words..][..words];
                        let grad = &grad[share(node, shape.per_group) * words..][..words];
                        for (sum, (at, g)) in sums.iter_mut().zip(at.iter().zip(grad)) {
                            let slope = L::select(slopes, &shape.relaxation.slope_at(at, j));
                            for i in 0..LANES {
                                sum[i] += slope[i] * g[i];
                            }
                        }
                    }
                }
            }
        }
    }
}

//! The work on a chunk of nodes that one thread does at a time, forward and backward, and the choice of inputs.

use rayon::prelude::*;

use super::kernel::{self, LANES, MAX_ENTRIES, MAX_FAN_IN, Row};
use super::simd::{Kernel, widest};
use super::wiring::Wiring;

/// Slots that a thread takes at a time where it only chooses.
const SLOTS: usize = 2048;
/// Rows that a thread takes at a time where it only adds.
const ROWS: usize = 32;

/// The candidate with the highest score (ties to the first) of each slot.
pub fn choose(wiring: &Wiring, scores: &[f32]) -> Vec<u32> {
    let c = wiring.candidates;
    if c == 1 {
        return wiring.index.clone();
    }
    let mut chosen = vec![0; wiring.index.len() / c];
    chosen
        .par_chunks_mut(SLOTS)
        .zip(wiring.index.par_chunks(SLOTS * c).zip(scores.par_chunks(SLOTS * c)))
        .for_each(|(chosen, (index, scores))| widest(Choose { candidates: c, index, scores, chosen }));
    chosen
}

struct Choose<'a> {
    candidates: usize,
    index: &'a [u32],
    scores: &'a [f32],
    chosen: &'a mut [u32],
}

impl Kernel for Choose<'_> {
    #[inline(always)]
    fn run(self) {
        let slots = self.index.chunks_exact(self.candidates).zip(self.scores.chunks_exact(self.candidates));
        for ((index, scores), chosen) in slots.zip(self.chosen) {
            // As one whole number, score above place, so that no branch has to guess which candidate leads.
            let key = |(place, score): (u32, &f32)| {
                let bits = score.to_bits();
                let ordered = bits ^ ((bits as i32 >> 31) as u32 | 1 << 31);
                u64::from(ordered) << 32 | u64::from(!place)
            };
            let best = (0..).zip(scores).map(key).fold(0, u64::max);
            *chosen = index[!(best as u32) as usize];
        }
    }
}

/// Sums the slots' gradients into the rows they read, in the order of the slots.
pub fn gather(chosen: &[u32], rows: usize, lanes: usize, d_slots: &[f32]) -> Vec<f32> {
    let mut start = vec![0usize; rows + 1];
    chosen.iter().for_each(|&row| start[row as usize + 1] += 1);
    (0..rows).for_each(|r| start[r + 1] += start[r]);
    let (mut next, mut readers) = (start.clone(), vec![0u32; chosen.len()]);
    for (slot, &row) in chosen.iter().enumerate() {
        readers[next[row as usize]] = slot as u32;
        next[row as usize] += 1;
    }
    let mut d_x = vec![0f32; rows * lanes];
    d_x.par_chunks_mut(lanes).with_min_len(ROWS).enumerate().for_each(|(row, sum)| {
        for &slot in &readers[start[row]..start[row + 1]] {
            sum.iter_mut().zip(&d_slots[slot as usize * lanes..][..lanes]).for_each(|(s, d)| *s += d);
        }
    });
    d_x
}

/// Outputs of a chunk of nodes: for each group of `per_group` nodes, how many of them are one.
pub struct Forward<'a> {
    /// Fan-in.
    pub k: usize,
    /// Words of a row.
    pub words: usize,
    /// Nodes that share a row of `y`.
    pub per_group: usize,
    /// The bits below, `[rows, words]`.
    pub x: &'a [u64],
    /// `[nodes, 2^k]`.
    pub tables: &'a [f32],
    /// `[nodes, k]`: the row that each slot reads.
    pub chosen: &'a [u32],
    /// `[nodes / per_group, 64 * words]`, zeros at first.
    pub y: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { k, words, .. } = self;
        let groups = self.tables.chunks_exact(self.per_group << k).zip(self.chosen.chunks_exact(self.per_group * k));
        for ((tables, chosen), y) in groups.zip(self.y.chunks_exact_mut(words * LANES)) {
            for (table, chosen) in tables.chunks_exact(1 << k).zip(chosen.chunks_exact(k)) {
                let table = kernel::harden(table);
                for (word, y) in y.chunks_exact_mut(LANES).enumerate() {
                    let mut inputs = [0; MAX_FAN_IN];
                    for (input, &row) in inputs.iter_mut().zip(chosen) {
                        *input = self.x[row as usize * words + word];
                    }
                    kernel::add_bits(kernel::lookup(table, &inputs[..k]), y);
                }
            }
        }
    }
}

/// Gradients of a chunk of nodes.
pub struct Backward<'a> {
    /// Fan-in.
    pub k: usize,
    /// Candidates of a slot.
    pub candidates: usize,
    /// Words of a row.
    pub words: usize,
    /// Nodes that share a row of `grad`.
    pub per_group: usize,
    /// The chunk's first node.
    pub first: usize,
    /// Where gradients of inputs are taken.
    pub smoothing: f32,
    /// The bits below, `[rows, words]`.
    pub x: &'a [u64],
    /// `[nodes, 2^k]`.
    pub tables: &'a [f32],
    /// Gradient of the layer's outputs, all of them.
    pub grad: &'a [f32],
    /// `[nodes, k]`: the row that each slot reads.
    pub chosen: &'a [u32],
    /// `[nodes, k, candidates]`: the rows that it could read.
    pub index: &'a [u32],
    /// Gradient of the tables.
    pub d_tables: &'a mut [f32],
    /// Gradient of the scores; empty for fixed wiring.
    pub d_scores: &'a mut [f32],
    /// Gradient of the slots, `[nodes, k, 64 * words]`; empty where nothing below is trained.
    pub d_slots: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run(mut self) {
        let Self { k, words, .. } = self;
        let entries = 1 << k;
        let (learns, below) = (!self.d_scores.is_empty(), !self.d_slots.is_empty());
        self.d_tables.fill(0.0);
        self.d_scores.fill(0.0);
        let mut slopes = [[0.0; MAX_ENTRIES]; MAX_FAN_IN];
        for (node, d_table) in std::mem::take(&mut self.d_tables).chunks_exact_mut(entries).enumerate() {
            if learns || below {
                kernel::slopes(&self.tables[node * entries..][..entries], self.smoothing, &mut slopes[..k]);
            }
            let row = (self.first + node) / self.per_group;
            for word in 0..words {
                let grad: &Row = match self.grad[(row * words + word) * LANES..].first_chunk() {
                    Some(row) => row,
                    None => return,
                };
                let mut inputs = [0; MAX_FAN_IN];
                for (input, &row) in inputs.iter_mut().zip(&self.chosen[node * k..][..k]) {
                    *input = self.x[row as usize * words + word];
                }
                let at = kernel::addresses(&inputs[..k]);
                for (&a, g) in at.iter().zip(grad) {
                    d_table[a as usize & (entries - 1)] += 0.5 * g;
                }
                if !learns && !below {
                    continue;
                }
                for (j, slopes) in slopes[..k].iter().enumerate() {
                    let slot = node * k + j;
                    let mut d_slot = [0.0; LANES];
                    for i in 0..LANES {
                        d_slot[i] = grad[i] * slopes[at[i] as usize & (MAX_ENTRIES - 1)];
                    }
                    if below {
                        self.d_slots[(slot * words + word) * LANES..][..LANES].copy_from_slice(&d_slot);
                    }
                    if learns {
                        self.learn(slot, word, &d_slot);
                    }
                }
            }
        }
    }
}

impl Backward<'_> {
    /// Adds a word's part to the gradients of a slot's scores: for each candidate the sum of `(2x - 1) g`.
    #[inline(always)]
    fn learn(&mut self, slot: usize, word: usize, gradient: &Row) {
        const AT_ONCE: usize = 32;
        let (c, words) = (self.candidates, self.words);
        let (mut x, mut fours, mut sums) = ([u64::MAX; AT_ONCE], [[0.0; 4]; AT_ONCE], [0.0; AT_ONCE]);
        kernel::masked_sums(&x[..1], gradient, &mut fours, &mut sums);
        let all = sums[0];
        let rows = self.index[slot * c..][..c].chunks(AT_ONCE);
        for (d_scores, rows) in self.d_scores[slot * c..][..c].chunks_mut(AT_ONCE).zip(rows) {
            x.iter_mut().zip(rows).for_each(|(x, &row)| *x = self.x[row as usize * words + word]);
            kernel::masked_sums(&x[..rows.len()], gradient, &mut fours, &mut sums);
            d_scores.iter_mut().zip(&sums).for_each(|(d, sum)| *d += 2.0 * sum - all);
        }
    }
}

//! The work on a chunk of nodes that one thread does at a time where inputs are bits, and the choice of inputs.
//!
//! Every relaxation is then a table of values and one of slopes for each input, which do not depend on the batch
//! ([`Relaxation::corners`]): samples only look them up.

use rayon::prelude::*;

use super::area::Penalty;
use super::kernel::{self, LANES, MAX_ENTRIES, MAX_FAN_IN, Row};
use super::relax::{Corners, Relaxation};
use super::simd::{Kernel, Lanes, widest};
use super::wiring::Wiring;
use crate::rng::Noise;

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
    fn run<L: Lanes>(self) {
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

/// Sums the slots' gradients into the rows they read, in the order of the slots. Slots that read the row past the last,
/// which is zeros, are left out.
pub fn gather(chosen: &[u32], rows: usize, lanes: usize, d_slots: &[f32]) -> Vec<f32> {
    let mut start = vec![0usize; rows + 2];
    chosen.iter().for_each(|&row| start[row as usize + 1] += 1);
    (0..=rows).for_each(|r| start[r + 1] += start[r]);
    let (mut next, mut readers) = (start.clone(), vec![0u32; chosen.len()]);
    for (slot, &row) in chosen.iter().enumerate() {
        readers[next[row as usize]] = slot as u32;
        next[row as usize] += 1;
    }
    let mut d_x = vec![0f32; rows * lanes];
    d_x.par_chunks_mut(lanes * ROWS).enumerate().for_each(|(i, d_x)| {
        widest(Gather { start: &start[i * ROWS..], readers: &readers, d_slots, lanes, d_x });
    });
    d_x
}

struct Gather<'a> {
    /// Of each row, where its readers begin; and where those of the row behind the last do.
    start: &'a [usize],
    readers: &'a [u32],
    d_slots: &'a [f32],
    lanes: usize,
    d_x: &'a mut [f32],
}

impl Kernel for Gather<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (sum, range) in self.d_x.chunks_exact_mut(self.lanes).zip(self.start.windows(2)) {
            for &slot in &self.readers[range[0]..range[1]] {
                let d = &self.d_slots[slot as usize * self.lanes..][..self.lanes];
                sum.iter_mut().zip(d).for_each(|(s, d)| *s += d);
            }
        }
    }
}

/// What a chunk's work needs to know of its layer and step.
#[derive(Clone, Copy)]
pub struct Shape<'a> {
    /// What a node computes.
    pub relaxation: &'a Relaxation,
    /// Whether nodes give bits.
    pub hard: bool,
    /// This step's noise for the layer.
    pub noise: Option<Noise>,
    /// Candidates of a slot.
    pub candidates: usize,
    /// Words of a row.
    pub words: usize,
    /// Consecutive nodes that are one table at several places.
    pub share: usize,
    /// Consecutive nodes of which an output row is the sum.
    pub per_group: usize,
    /// What area costs.
    pub penalty: Penalty,
}

impl Shape<'_> {
    /// Noise of a table's numbers.
    #[inline(always)]
    pub fn table_noise(&self, table: usize) -> Option<Noise> {
        self.noise.filter(|_| !self.relaxation.noise_by_lane()).map(|noise| noise.of(table))
    }
}

/// Outputs of a chunk of nodes.
pub struct Forward<'a, X> {
    /// The layer.
    pub shape: Shape<'a>,
    /// The chunk's first table.
    pub first: usize,
    /// The values below, `[rows + 1, words]`, the last row zeros; of numbers `[rows, words]`.
    pub x: &'a [X],
    /// `[tables, parameters]`.
    pub theta: &'a [f32],
    /// `[tables * share, k]`: the row that each slot reads.
    pub chosen: &'a [u32],
    /// `[tables * share / per_group, 64 * words]`, zeros at first.
    pub y: &'a mut [f32],
}

impl Kernel for Forward<'_, u64> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Shape { relaxation, words, share, per_group, .. } = self.shape;
        let (k, n) = (relaxation.fan_in(), relaxation.parameters());
        let (mut scratch, mut corners) = (relaxation.scratch(), Corners::new(k));
        for (table, theta) in self.theta.chunks_exact(n).enumerate() {
            let noise = self.shape.table_noise(self.first + table);
            let hard = match relaxation.sign(theta).filter(|_| self.shape.hard && noise.is_none()) {
                Some(hard) => hard,
                None => {
                    relaxation.prepare(theta, noise, &mut scratch.z);
                    relaxation.corners(&mut scratch, false, &mut corners);
                    kernel::harden(&corners.value[..1 << k], |p| relaxation.is_one(p))
                }
            };
            for node in table * share..(table + 1) * share {
                let y = &mut self.y[node / per_group * words * LANES..][..words * LANES];
                for (word, y) in y.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                    let mut inputs = [0; MAX_FAN_IN];
                    for (input, &row) in inputs.iter_mut().zip(&self.chosen[node * k..][..k]) {
                        *input = self.x[row as usize * words + word];
                    }
                    if self.shape.hard {
                        L::add_bits(kernel::lookup(&hard, &inputs[..k]), y);
                    } else {
                        let value = L::select(&corners.value, k, &L::addresses(&inputs[..k]));
                        y.iter_mut().zip(value).for_each(|(y, value)| *y += value);
                    }
                }
            }
        }
    }
}

/// Gradients of a chunk of nodes.
pub struct Backward<'a, X> {
    /// The layer.
    pub shape: Shape<'a>,
    /// The chunk's first table.
    pub first: usize,
    /// The values below, `[rows + 1, words]`, the last row zeros; of numbers `[rows, words]`.
    pub x: &'a [X],
    /// `[tables, parameters]`.
    pub theta: &'a [f32],
    /// Gradient of the layer's outputs, all of them.
    pub grad: &'a [Row],
    /// `[tables * share, k]`: the row that each slot reads.
    pub chosen: &'a [u32],
    /// `[tables * share, k, candidates]`: the rows that it could read.
    pub index: &'a [u32],
    /// Gradient of the tables' numbers.
    pub d_theta: &'a mut [f32],
    /// Gradient of the scores; empty for fixed wiring.
    pub d_scores: &'a mut [f32],
    /// Gradient of the slots, `[tables * share, k, 64 * words]`; empty where nothing below is trained.
    pub d_slots: &'a mut [f32],
}

impl Kernel for Backward<'_, u64> {
    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let Shape { relaxation, words, share, per_group, .. } = self.shape;
        let (k, n, entries) = (relaxation.fan_in(), relaxation.parameters(), 1 << relaxation.fan_in());
        let (learns, below) = (!self.d_scores.is_empty(), !self.d_slots.is_empty());
        self.d_theta.fill(0.0);
        self.d_scores.fill(0.0);
        let (mut scratch, mut corners) = (relaxation.scratch(), Corners::new(k));
        for (table, d_theta) in std::mem::take(&mut self.d_theta).chunks_exact_mut(n).enumerate() {
            let theta = &self.theta[table * n..][..n];
            let noise = self.shape.table_noise(self.first + table);
            relaxation.prepare(theta, noise, &mut scratch.z);
            if learns || below {
                relaxation.corners(&mut scratch, true, &mut corners);
            }
            let mut d_value = [0.0; MAX_ENTRIES];
            for node in table * share..(table + 1) * share {
                for word in 0..words {
                    let grad = &self.grad[(self.first * share + node) / per_group * words + word];
                    let mut inputs = [0; MAX_FAN_IN];
                    for (input, &row) in inputs.iter_mut().zip(&self.chosen[node * k..][..k]) {
                        *input = self.x[row as usize * words + word];
                    }
                    let at = L::addresses(&inputs[..k]);
                    for (&a, g) in at.iter().zip(grad) {
                        d_value[a as usize] += g;
                    }
                    if !learns && !below {
                        continue;
                    }
                    for (j, slopes) in corners.slopes.iter().enumerate() {
                        let slot = node * k + j;
                        let mut d_slot = L::select(slopes, k, &at);
                        d_slot.iter_mut().zip(grad).for_each(|(d, g)| *d *= g);
                        if below {
                            self.d_slots[(slot * words + word) * LANES..][..LANES].copy_from_slice(&d_slot);
                        }
                        if learns {
                            self.learn(slot, word, &d_slot);
                        }
                    }
                }
            }
            relaxation.take_back(&d_value[..entries], &mut scratch);
            self.shape.penalty.add(relaxation, &scratch.z, &mut scratch.dz);
            relaxation.finish(theta, noise, &scratch.z, &scratch.dz, d_theta);
        }
    }
}

impl Backward<'_, u64> {
    /// Adds a word's part to the gradients of a slot's scores: for each candidate the sum of `(2x - 1) g`.
    #[inline(always)]
    fn learn(&mut self, slot: usize, word: usize, gradient: &Row) {
        const AT_ONCE: usize = 32;
        let (c, words) = (self.shape.candidates, self.shape.words);
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

//! The work on a chunk of nodes that one thread does at a time where inputs are bits, and the choice of inputs.
//!
//! Every relaxation is then a table of values and one of slopes for each input, which do not depend on the batch
//! ([`Relaxation::values`], [`Relaxation::slopes`]): samples only look them up.

use rayon::prelude::*;

use super::area::Penalty;
use super::kernel::{self, At, Entries, MAX_ENTRIES, MAX_FAN_IN, Row};
use super::relax::Relaxation;
use super::simd::{Kernel, Lanes, widest};
use super::wiring::Wiring;
use crate::rng::Noise;

/// Slots that a thread takes at a time where it only chooses.
const SLOTS: usize = 2048;

/// Sets `chosen` to the candidate with the highest score (ties to the first) of each slot.
pub fn choose(wiring: &Wiring, scores: &[f32], chosen: &mut Vec<u32>) {
    let c = wiring.candidates;
    chosen.resize(wiring.index.len() / c, 0);
    chosen
        .par_chunks_mut(SLOTS)
        .zip(wiring.index.par_chunks(SLOTS * c).zip(scores.par_chunks(SLOTS * c)))
        .for_each(|(chosen, (index, scores))| widest(Choose { candidates: c, index, scores, chosen }));
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

/// What a chunk's work needs to know of its layer and step.
#[derive(Clone, Copy)]
pub struct Shape<'a> {
    /// What a node computes.
    pub relaxation: &'a Relaxation,
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
    /// Whether outputs are bits.
    pub hard: bool,
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
pub struct Forward<'a, X, Y> {
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
    /// Bits `[tables * share, words]`; of numbers the sums of groups, `[tables * share / per_group, words]`, zeros at first.
    pub y: &'a mut [Y],
}

/// Reads the inputs of a node in a word.
#[inline(always)]
fn read(x: &[u64], words: usize, chosen: &[u32], word: usize) -> [u64; MAX_FAN_IN] {
    let mut inputs = [0; MAX_FAN_IN];
    inputs.iter_mut().zip(chosen).for_each(|(input, &row)| *input = x[row as usize * words + word]);
    inputs
}

impl Kernel for Forward<'_, u64, u64> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Shape { relaxation, words, share, .. } = self.shape;
        let (k, n) = (relaxation.fan_in(), relaxation.parameters());
        let (mut scratch, mut values) = (relaxation.corner_scratch(), [0.0; MAX_ENTRIES]);
        for (table, theta) in self.theta.chunks_exact(n).enumerate() {
            let noise = self.shape.table_noise(self.first + table);
            let hard = match relaxation.least_number().filter(|_| noise.is_none()) {
                Some(least) => kernel::harden::<L>(theta, least),
                None => {
                    relaxation.prepare(theta, noise, &mut scratch.z);
                    relaxation.values(&mut scratch, &mut values);
                    kernel::harden::<L>(&values[..1 << k], relaxation.least())
                }
            };
            for node in table * share..(table + 1) * share {
                for word in 0..words {
                    let inputs = read(self.x, words, &self.chosen[node * k..][..k], word);
                    self.y[node * words + word] = L::lookup(&hard, &inputs[..k]);
                }
            }
        }
    }
}

impl Kernel for Forward<'_, u64, Row> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Shape { relaxation, words, share, per_group, .. } = self.shape;
        let (k, n) = (relaxation.fan_in(), relaxation.parameters());
        let (mut scratch, mut values) = (relaxation.corner_scratch(), [0.0; MAX_ENTRIES]);
        for (table, theta) in self.theta.chunks_exact(n).enumerate() {
            relaxation.prepare(theta, self.shape.table_noise(self.first + table), &mut scratch.z);
            relaxation.values(&mut scratch, &mut values);
            for node in table * share..(table + 1) * share {
                for word in 0..words {
                    let inputs = read(self.x, words, &self.chosen[node * k..][..k], word);
                    let value = L::select(&values[..1 << k], &L::addresses(&inputs[..k]));
                    let y = &mut self.y[node / per_group * words + word];
                    y.iter_mut().zip(value).for_each(|(y, value)| *y += value);
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
    /// What the rows below gather their gradients from.
    pub trace: Trace<'a>,
}

/// What a layer leaves for the gradients of the rows below; empty where nothing below is trained.
#[derive(Default)]
pub struct Trace<'a> {
    /// Where inputs are bits: slopes of each table, `[tables, k, entries]`.
    pub slopes: &'a mut [f32],
    /// Where inputs are bits: addresses, `[tables * share, words]`.
    pub at: &'a mut [At],
    /// Where inputs are numbers: the gradient of each slot, `[tables * share, k, words]`.
    pub slots: &'a mut [Row],
}

impl Kernel for Backward<'_, u64> {
    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let Shape { relaxation, words, share, per_group, .. } = self.shape;
        let (k, n, entries) = (relaxation.fan_in(), relaxation.parameters(), 1 << relaxation.fan_in());
        let (learns, below) = (!self.d_scores.is_empty(), !self.trace.at.is_empty());
        let prepares = learns || below || relaxation.gradient_needs_z() || !self.shape.penalty.has_no_gradient();
        self.d_theta.fill(0.0);
        self.d_scores.fill(0.0);
        let along = relaxation.slope_entries();
        let (mut scratch, mut own) = (relaxation.corner_scratch(), vec![0.0; k * along]);
        let mut d_value: [Entries; 4] = [[0.0; MAX_ENTRIES]; 4];
        for (table, d_theta) in std::mem::take(&mut self.d_theta).chunks_exact_mut(n).enumerate() {
            let theta = &self.theta[table * n..][..n];
            let noise = self.shape.table_noise(self.first + table);
            if prepares {
                relaxation.prepare(theta, noise, &mut scratch.z);
            }
            if below {
                relaxation.slopes(&mut scratch, &mut self.trace.slopes[table * k * along..][..k * along]);
            }
            if learns {
                relaxation.slopes(&mut scratch, &mut own);
            }
            // Four sums of each entry: additions to one would wait for each other.
            d_value.iter_mut().for_each(|d| d[..entries].fill(0.0));
            for node in table * share..(table + 1) * share {
                for word in 0..words {
                    let grad = &self.grad[(self.first * share + node) / per_group * words + word];
                    let inputs = read(self.x, words, &self.chosen[node * k..][..k], word);
                    let at = L::addresses(&inputs[..k]);
                    for (at, g) in at.as_chunks::<4>().0.iter().zip(grad.as_chunks::<4>().0) {
                        (0..4).for_each(|i| d_value[i][usize::from(at[i])] += g[i]);
                    }
                    if below {
                        self.trace.at[node * words + word] = at;
                    }
                    if learns {
                        for (j, slopes) in own.chunks_exact(along).enumerate() {
                            let mut d_slot = L::select(slopes, &relaxation.slope_at(&at, j));
                            d_slot.iter_mut().zip(grad).for_each(|(d, g)| *d *= g);
                            self.learn(node * k + j, word, &d_slot);
                        }
                    }
                }
            }
            let [a, b, c, d] = &mut d_value;
            for (a, (b, (c, d))) in a[..entries].iter_mut().zip(b.iter().zip(c.iter().zip(&*d))) {
                *a = (*a + b) + (c + d);
            }
            relaxation.take_back(&a[..entries], &mut scratch);
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

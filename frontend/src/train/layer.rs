//! A layer of lookup tables in training.
//!
//! Where its inputs are bits a layer looks its nodes up in tables ([`super::chunk`]), where they are real numbers each
//! sample evaluates them ([`super::rows`]). With hard sampling the forward pass computes exactly what the frozen network
//! computes, and gradients pass straight through the hardening:
//!
//! - to an entry of a table, the gradient of the samples that read it, and from there to the numbers it was made of;
//! - to an input, the slope of the relaxed node (with `smoothing = ¾` DWN's extended finite difference);
//! - to a candidate's score, `Σ (2x - 1) g` over the samples: what the slot's gradient `g` says of reading candidate `x`.
//!
//! Activations are `[rows, words]`, node-major, a word 64 samples. Work is shared out by nodes, and each sum is made by one
//! thread in a fixed order, so the number of threads does not show in the result.

use candle_core::Result;
use rayon::prelude::*;

use super::area::Penalty;
use super::chunk::{Backward, Forward, Shape, Trace, choose};
use super::config::Stabilize;
use super::gather::{Readers, Source, gather};
use super::kernel::{At, LANES, Row};
use super::optim::Parameter;
use super::relax::Relaxation;
use super::simd::{Kernel, Lanes, widest};
use super::tensors;
use super::wiring::Wiring;
use crate::rng::Noise;

/// Nodes that a thread takes at a time.
const CHUNK: usize = 32;

/// A layer in training.
pub struct LutLayer {
    /// Candidates of its slots.
    pub wiring: Wiring,
    /// What a node computes.
    pub relaxation: Relaxation,
    /// Whether inputs are bits, and tables that nodes look them up in can stand for the nodes: not where each sample has noise
    /// of its own.
    pub bits_in: bool,
    /// Whether outputs are bits.
    pub hard: bool,
    /// `[tables, parameters]`.
    pub tables: Parameter,
    /// `[nodes * k, candidates]`; trained where there is more than one candidate.
    pub scores: Parameter,
    /// So many consecutive nodes are one table at several places: 1 but for convolutions.
    pub share: usize,
    /// Outputs are sums of so many consecutive nodes: 1 for bits, more in the last layer.
    pub per_group: usize,
    /// What area costs.
    pub penalty: Penalty,
    /// How gradients of the outputs are scaled.
    pub stabilize: Stabilize,
}

/// The values that a layer reads.
pub enum Values {
    /// `[rows + 1, words]`, the last row zeros.
    Bits(Vec<u64>),
    /// `[rows, words]`.
    Numbers(Vec<Row>),
}

/// Room for what a layer makes in a step, kept from step to step.
#[derive(Default)]
pub struct Room {
    /// What it reads.
    pub x: Values,
    /// `[nodes / per_group, words]`: the gradient of its outputs.
    pub grad: Vec<Row>,
    /// Where candidates are chosen: the row that each slot reads.
    chosen: Vec<u32>,
    readers: Readers,
    slopes: Vec<f32>,
    at: Vec<At>,
    slots: Vec<Row>,
}

impl Default for Values {
    fn default() -> Self {
        Self::Numbers(Vec::new())
    }
}

impl LutLayer {
    /// Nodes, at all places.
    pub fn nodes(&self) -> usize {
        self.wiring.index.len() / self.wiring.candidates / self.wiring.fan_in
    }

    /// Rows of its outputs.
    pub fn rows_out(&self) -> usize {
        self.nodes() / self.per_group
    }

    /// `[nodes, k]`: the row that each slot now reads.
    pub fn chosen(&self) -> Result<Vec<u32>> {
        let mut chosen = Vec::new();
        choose(&self.wiring, &tensors::copy(&self.scores.var)?, &mut chosen);
        Ok(chosen)
    }

    /// Chooses inputs by the present scores.
    pub fn choose(&self, room: &mut Room) -> Result<()> {
        if self.wiring.candidates == 1 {
            return Ok(());
        }
        room.readers = Readers::default();
        tensors::with(&self.scores.var, |scores| {
            choose(&self.wiring, scores, &mut room.chosen);
            Ok(())
        })
    }

    fn reads<'a>(&'a self, room: &'a Room) -> &'a [u32] {
        if self.wiring.candidates == 1 { &self.wiring.index } else { &room.chosen }
    }

    fn shape(&self, words: usize, noise: Option<Noise>) -> Shape<'_> {
        Shape {
            relaxation: &self.relaxation,
            noise,
            candidates: self.wiring.candidates,
            words,
            share: self.share,
            per_group: self.per_group,
            hard: self.hard,
            penalty: self.penalty,
        }
    }

    /// Tables that a thread takes at a time: whole groups.
    fn tables_at_once(&self) -> usize {
        let whole = self.per_group.div_ceil(self.share);
        CHUNK.div_ceil(self.share).div_ceil(whole) * whole
    }

    /// The bits of its nodes, `[nodes, words]`, where it gives bits.
    pub fn bits(&self, room: &Room, words: usize, noise: Option<Noise>, y: &mut [u64]) -> Result<()> {
        match &room.x {
            Values::Bits(x) => self.forward(x, self.reads(room), CHUNK.div_ceil(self.share), 1, words, noise, y),
            Values::Numbers(_) => candle_core::bail!("a layer of bits reads numbers"),
        }
    }

    /// The sums of its groups, `[nodes / per_group, words]`, where it gives numbers.
    pub fn numbers(&self, room: &Room, words: usize, noise: Option<Noise>, y: &mut [Row]) -> Result<()> {
        let (chosen, at_once) = (self.reads(room), self.tables_at_once());
        y.par_iter_mut().for_each(|row| row.fill(0.0));
        match &room.x {
            Values::Bits(x) => self.forward(x, chosen, at_once, self.per_group, words, noise, y),
            Values::Numbers(x) => self.forward(x, chosen, at_once, self.per_group, words, noise, y),
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn forward<X: Sync, Y: Send>(
        &self,
        x: &[X],
        chosen: &[u32],
        at_once: usize,
        per_row: usize,
        words: usize,
        noise: Option<Noise>,
        y: &mut [Y],
    ) -> Result<()>
    where
        for<'a> Forward<'a, X, Y>: Kernel,
    {
        let shape = self.shape(words, noise);
        let (nodes, k, n) = (at_once * self.share, self.relaxation.fan_in(), self.relaxation.parameters());
        tensors::with(&self.tables.var, |theta| {
            y.par_chunks_mut(nodes / per_row * words)
                .zip(theta.par_chunks(at_once * n).zip(chosen.par_chunks(nodes * k)))
                .enumerate()
                .for_each(|(i, (y, (theta, chosen)))| {
                    widest(Forward { shape, first: i * at_once, x, theta, chosen, y });
                });
            Ok(())
        })
    }

    /// Leaves the gradients of tables and scores in the parameters; the room holds that of the outputs. `below` says
    /// whether [`Self::gather`] is to follow.
    pub fn backward(&self, room: &mut Room, words: usize, noise: Option<Noise>, below: bool) -> Result<()> {
        self.stabilize.apply(&mut room.grad, words);
        let (nodes, slots) = (self.nodes(), self.nodes() * self.relaxation.fan_in());
        let tables = nodes / self.share;
        let bits = matches!(room.x, Values::Bits(_));
        let slopes = tables * self.relaxation.fan_in() * self.relaxation.slope_entries();
        room.slopes.resize(if below && bits { slopes } else { 0 }, 0.0);
        room.at.resize(if below && bits { nodes * words } else { 0 }, [0; LANES]);
        room.slots.resize(if below && !bits { slots * words } else { 0 }, [0.0; LANES]);
        let chosen = if self.wiring.candidates == 1 { &self.wiring.index } else { &room.chosen };
        let trace = Trace { slopes: &mut room.slopes, at: &mut room.at, slots: &mut room.slots };
        match &room.x {
            Values::Bits(x) => self.chunks(x, chosen, &room.grad, trace, words, noise),
            Values::Numbers(x) => self.chunks(x, chosen, &room.grad, trace, words, noise),
        }
    }

    fn chunks<X: Sync>(
        &self,
        x: &[X],
        chosen: &[u32],
        grad: &[Row],
        mut trace: Trace<'_>,
        words: usize,
        noise: Option<Noise>,
    ) -> Result<()>
    where
        for<'a> Backward<'a, X>: Kernel + Send,
    {
        let shape = self.shape(words, noise);
        let (k, c, share, n) = (shape.relaxation.fan_in(), shape.candidates, self.share, shape.relaxation.parameters());
        let (entries, at_once) = (k * shape.relaxation.slope_entries(), CHUNK.div_ceil(share));
        let (mut d_tables, mut state) = (self.tables.state(), self.scores.state());
        let mut d_scores = if c > 1 { state.gradient.as_mut_slice() } else { &mut [] };
        tensors::with(&self.tables.var, |theta| {
            let chunks: Vec<_> = (d_tables.gradient.chunks_mut(at_once * n).enumerate())
                .map(|(i, d_theta)| {
                    let (first, tables) = (i * at_once, d_theta.len() / n);
                    let slots = first * share * k..(first + tables) * share * k;
                    Backward {
                        shape,
                        first,
                        x,
                        theta: &theta[first * n..][..tables * n],
                        grad,
                        chosen: &chosen[slots.clone()],
                        index: &self.wiring.index[slots.start * c..slots.end * c],
                        d_theta,
                        d_scores: split(&mut d_scores, slots.len() * c),
                        trace: Trace {
                            slopes: split(&mut trace.slopes, tables * entries),
                            at: split(&mut trace.at, tables * share * words),
                            slots: split(&mut trace.slots, slots.len() * words),
                        },
                    }
                })
                .collect();
            chunks.into_par_iter().for_each(widest);
            Ok(())
        })?;
        if c > 1 {
            self.wiring.join(&mut state.gradient, |a, b| a + b);
        }
        Ok(())
    }

    /// Shrinks tables by what area costs, at a learning rate; only where a table's entries are what is trained.
    pub fn shrink(&self, rate: f64, plain: bool) -> Result<()> {
        let (penalty, n) = (self.penalty, self.relaxation.parameters());
        if !penalty.shrinks() || !self.relaxation.trains_entries() {
            return Ok(());
        }
        if plain {
            return self.tables.var.set(&penalty.tensor_shrink(&self.tables.var.as_detached_tensor(), rate)?);
        }
        tensors::change(&self.tables.var, |theta| {
            theta.par_chunks_mut(CHUNK * n).for_each(|theta| widest(Shrink { penalty, n, rate: rate as f32, theta }));
        })
    }

    /// Sets `d_x` to the gradient of what the layer reads, after [`Self::backward`].
    pub fn gather(&self, room: &mut Room, words: usize, d_x: &mut [Row]) {
        if room.readers.is_empty() {
            let mut readers = std::mem::take(&mut room.readers);
            readers.sort(self.reads(room), d_x.len() / words);
            room.readers = readers;
        }
        let source = match &room.x {
            Values::Numbers(_) => Source::Slots(&room.slots),
            Values::Bits(_) => {
                Source::Corners { shape: self.shape(words, None), slopes: &room.slopes, at: &room.at, grad: &room.grad }
            }
        };
        gather(&room.readers, source, words, d_x);
    }
}

struct Shrink<'a> {
    penalty: Penalty,
    n: usize,
    rate: f32,
    theta: &'a mut [f32],
}

impl Kernel for Shrink<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        self.theta.chunks_exact_mut(self.n).for_each(|table| self.penalty.shrink(table, self.rate));
    }
}

impl Stabilize {
    /// Scales a gradient `[rows, words]` to a mean square of one, over all or over each lane.
    fn apply(self, grad: &mut [Row], words: usize) {
        if self == Self::None {
            return;
        }
        let mut squares = vec![[0f32; LANES]; words];
        for row in grad.chunks_exact(words) {
            for (square, row) in squares.iter_mut().zip(row) {
                square.iter_mut().zip(row).for_each(|(s, g)| *s += g * g);
            }
        }
        let rows = grad.len() as f32 / words as f32;
        let scale = |mean: f32| 1.0 / (mean + 1e-8).sqrt();
        if self == Self::Layer {
            let all: f32 = squares.as_flattened().iter().sum();
            squares.as_flattened_mut().fill(scale(all / (rows * (words * LANES) as f32)));
        } else {
            squares.as_flattened_mut().iter_mut().for_each(|s| *s = scale(*s / rows));
        }
        for row in grad.chunks_exact_mut(words) {
            row.as_flattened_mut().iter_mut().zip(squares.as_flattened()).for_each(|(g, scale)| *g *= scale);
        }
    }
}

/// Takes the first `n` items, or none of an empty slice.
fn split<'a, T>(rest: &mut &'a mut [T], n: usize) -> &'a mut [T] {
    let all = std::mem::take(rest);
    let (head, tail) = all.split_at_mut(n.min(all.len()));
    *rest = tail;
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stabilised_gradients_have_a_mean_square_of_one() {
        let grad: Vec<Row> = (0..6).map(|r| std::array::from_fn(|i| ((r * 64 + i) * 37 % 101) as f32 - 40.0)).collect();
        let of = |how: Stabilize| {
            let mut grad = grad.clone();
            how.apply(&mut grad, 2);
            grad
        };
        let mean =
            |grad: &[Row], lane: usize| (0..3).map(|r| grad[2 * r + lane / 64][lane % 64].powi(2)).sum::<f32>() / 3.0;
        assert_eq!(of(Stabilize::None), grad);
        let sample = of(Stabilize::Sample);
        assert!((0..128).all(|lane| (mean(&sample, lane) - 1.0).abs() < 1e-5));
        let layer = of(Stabilize::Layer);
        let means: Vec<f32> = (0..128).map(|lane| mean(&layer, lane)).collect();
        assert!((means.iter().sum::<f32>() / 128.0 - 1.0).abs() < 1e-5 && means[1] != means[0], "{means:?}");
    }

    #[test]
    fn ties_go_to_the_first_candidate() {
        let wiring = Wiring { fan_in: 2, candidates: 3, index: vec![9, 8, 7, 6, 5, 4], centres: vec![], twins: vec![] };
        let mut chosen = Vec::new();
        choose(&wiring, &[0.5, 0.5, 0.2, -1.0, -0.5, -0.5], &mut chosen);
        assert_eq!(chosen, [9, 5]);
    }
}

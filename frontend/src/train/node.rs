//! A layer of lookup tables, and its application as a differentiable operation of Candle.
//!
//! Where its inputs are bits a layer looks its nodes up in tables ([`super::chunk`]), where they are real numbers each
//! sample evaluates them ([`super::rows`]). With hard sampling the forward pass computes exactly what the frozen network
//! computes, and gradients pass straight through the hardening:
//!
//! - to an entry of a table, the gradient of the samples that read it, and from there to the numbers it was made of;
//! - to an input, the slope of the relaxed node (with `smoothing = ¾` DWN's extended finite difference);
//! - to a candidate's score, `Σ (2x - 1) g` over the samples: what the slot's gradient `g` says of reading candidate `x`.
//!
//! Activations are `[rows, lanes]`, node-major, lanes a multiple of 64. Work is shared out by nodes, and each sum is
//! made by one thread in a fixed order, so the number of threads does not show in the result.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use candle_core::{CpuStorage, CustomOp2, DType, Device, Layout, Result, Shape as Dims, Tensor, bail};
use rayon::prelude::*;

use super::area::Penalty;
use super::chunk::{Backward, Forward, Shape, choose, gather};
use super::config::Stabilize;
use super::kernel::{LANES, Row};
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
    /// Whether inputs are bits.
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
    /// Room for the gradients of its slots, kept from step to step.
    pub slots: Mutex<Vec<f32>>,
}

impl LutLayer {
    /// Applies the layer to `[rows, lanes]` f32, bits as zeros and ones (half and more counts as one), or, where they need
    /// no gradient, bits as `[rows, lanes / 64]` i64 words. Gives `[nodes / per_group, lanes]`. `noise` is this step's.
    ///
    /// Backpropagation leaves the parameters' gradients in the parameters. Candle's own store would add each to a tensor
    /// of zeros, with threads of its own that wait for each other spinning: half of the time of a step on a busy machine.
    pub fn apply(self: &Arc<Self>, x: &Tensor, noise: Option<Noise>) -> Result<Tensor> {
        let op = Application { layer: Arc::clone(self), chosen: self.chosen()?, noise, bits: OnceLock::new() };
        x.apply_op2(&self.tables.var, op)
    }

    /// `[nodes, k]`: the row that each slot now reads.
    pub fn chosen(&self) -> Result<Vec<u32>> {
        tensors::with(&self.scores.var, |scores| Ok(choose(&self.wiring, scores)))
    }

    fn shape(&self, words: usize, noise: Option<Noise>) -> Shape<'_> {
        Shape {
            relaxation: &self.relaxation,
            hard: self.hard,
            noise,
            candidates: self.wiring.candidates,
            words,
            share: self.share,
            per_group: self.per_group,
            penalty: self.penalty,
        }
    }
}

/// One application of a layer, with the present scores.
struct Application {
    layer: Arc<LutLayer>,
    chosen: Vec<u32>,
    noise: Option<Noise>,
    /// The bits below and a row of zeros, kept for the backward pass; nothing where the values below are numbers.
    bits: OnceLock<Vec<u64>>,
}

impl Application {
    /// Takes over the values below where they are bits.
    fn bits(&self, storage: &CpuStorage, layout: &Layout, words: usize) -> Result<Vec<u64>> {
        if let CpuStorage::I64(_) = storage {
            let x = tensors::slice::<i64>(storage, layout)?.iter().map(|&w| w as u64);
            return Ok(x.chain(std::iter::repeat_n(0, words)).collect());
        }
        let x = tensors::floats(storage, layout)?;
        let mut bits = vec![0; x.len() / LANES + words];
        let rows = x.as_chunks::<LANES>().0.par_chunks(CHUNK);
        rows.zip(bits.par_chunks_mut(CHUNK)).for_each(|(rows, bits)| widest(Pack { rows, bits }));
        Ok(bits)
    }

    /// Tables that a thread takes at a time: whole groups.
    fn tables_at_once(&self) -> usize {
        let LutLayer { share, per_group, .. } = *self.layer;
        let whole = per_group.div_ceil(share);
        CHUNK.div_ceil(share).div_ceil(whole) * whole
    }

    fn forward<X: Sync>(&self, shape: Shape<'_>, x: &[X], theta: &[f32], y: &mut [f32])
    where
        for<'a> Forward<'a, X>: Kernel,
    {
        let at_once = self.tables_at_once();
        let nodes = at_once * shape.share;
        y.par_chunks_mut(nodes / shape.per_group * shape.words * LANES)
            .zip(theta.par_chunks(at_once * shape.relaxation.parameters()))
            .zip(self.chosen.par_chunks(nodes * shape.relaxation.fan_in()))
            .enumerate()
            .for_each(|(i, ((y, theta), chosen))| {
                widest(Forward { shape, first: i * at_once, x, theta, chosen, y });
            });
    }

    #[allow(clippy::too_many_arguments)]
    fn backward<X: Sync>(
        &self,
        shape: Shape<'_>,
        x: &[X],
        theta: &[f32],
        grad: &[Row],
        d_theta: &mut [f32],
        mut d_scores: &mut [f32],
        mut d_slots: &mut [f32],
    ) where
        for<'a> Backward<'a, X>: Kernel + Send,
    {
        let (k, c) = (shape.relaxation.fan_in(), shape.candidates);
        let (n, at_once, lanes) = (shape.relaxation.parameters(), self.tables_at_once(), shape.words * LANES);
        let chunks: Vec<_> = (d_theta.chunks_mut(at_once * n).enumerate())
            .map(|(i, d_theta)| {
                let (first, tables) = (i * at_once, d_theta.len() / n);
                let slots = first * shape.share * k..(first + tables) * shape.share * k;
                Backward {
                    shape,
                    first,
                    x,
                    theta: &theta[first * n..][..tables * n],
                    grad,
                    chosen: &self.chosen[slots.clone()],
                    index: &self.layer.wiring.index[slots.start * c..slots.end * c],
                    d_theta,
                    d_scores: split(&mut d_scores, slots.len() * c),
                    d_slots: split(&mut d_slots, slots.len() * lanes),
                }
            })
            .collect();
        chunks.into_par_iter().for_each(widest);
    }
}

impl CustomOp2 for Application {
    fn name(&self) -> &'static str {
        "lut-layer"
    }

    fn cpu_fwd(&self, x: &CpuStorage, x_at: &Layout, tables: &CpuStorage, at: &Layout) -> Result<(CpuStorage, Dims)> {
        let LutLayer { share, per_group, relaxation, .. } = &*self.layer;
        let (tables_in, numbers) = at.shape().dims2()?;
        let (rows, width) = x_at.shape().dims2()?;
        let nodes = tables_in * share;
        let k = relaxation.fan_in();
        let fits = numbers == relaxation.parameters() && nodes.is_multiple_of(*per_group);
        if !fits || self.chosen.len() != nodes * k || (*share > 1 && *per_group > 1) {
            bail!("{tables_in} tables of {numbers} numbers for {} slots of fan-in {k}", self.chosen.len());
        }
        if self.chosen.iter().any(|&row| row as usize > rows) {
            bail!("a slot reads past the {rows} rows below");
        }
        let words = match x {
            CpuStorage::I64(_) if self.layer.bits_in => width,
            CpuStorage::F32(_) if width.is_multiple_of(LANES) => width / LANES,
            _ => bail!("{width} lanes are not a multiple of {LANES}"),
        };
        let mut y = vec![0f32; nodes / per_group * words * LANES];
        let (theta, shape) = (tensors::floats(tables, at)?, self.layer.shape(words, self.noise));
        if self.layer.bits_in {
            let bits = self.bits(x, x_at, words)?;
            self.forward(shape, self.bits.get_or_init(|| bits), theta, &mut y);
        } else {
            self.forward(shape, tensors::floats(x, x_at)?.as_chunks::<LANES>().0, theta, &mut y);
        }
        Ok((CpuStorage::F32(y), (nodes / per_group, words * LANES).into()))
    }

    fn bwd(&self, x: &Tensor, tables: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let layer = &*self.layer;
        let (rows, lanes) = (x.dim(0)?, grad.dim(1)?);
        let below = x.dtype() == DType::F32;
        let mut d_slots = layer.slots.lock().unwrap_or_else(PoisonError::into_inner);
        d_slots.resize(if below { self.chosen.len() * lanes } else { 0 }, 0.0);
        let (mut d_tables, mut d_scores) = (layer.tables.state(), layer.scores.state());
        let d_scores = if layer.wiring.candidates > 1 { d_scores.gradient.as_mut_slice() } else { &mut [] };
        let shape = layer.shape(lanes / LANES, self.noise);
        tensors::with(tables, |theta| {
            tensors::with(&stabilized(&grad.contiguous()?, layer.stabilize)?, |grad: &[f32]| {
                let (grad, d_theta) = (grad.as_chunks::<LANES>().0, d_tables.gradient.as_mut_slice());
                if let Some(bits) = self.bits.get() {
                    self.backward(shape, bits, theta, grad, d_theta, d_scores, &mut d_slots);
                    return Ok(());
                }
                tensors::with(x, |x: &[f32]| {
                    let x = x.as_chunks::<LANES>().0;
                    self.backward(shape, x, theta, grad, d_theta, d_scores, &mut d_slots);
                    Ok(())
                })
            })
        })?;
        let d_x = below.then(|| gather(&self.chosen, rows, lanes, &d_slots));
        Ok((d_x.map(|d| Tensor::from_vec(d, (rows, lanes), &Device::Cpu)).transpose()?, None))
    }
}

/// Numbers to bits: half and more is a one.
struct Pack<'a> {
    rows: &'a [Row],
    bits: &'a mut [u64],
}

impl Kernel for Pack<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        self.bits.iter_mut().zip(self.rows).for_each(|(word, row)| *word = L::at_least(row, 0.5));
    }
}

/// The gradient with a mean square of one, over all or over each lane.
fn stabilized(grad: &Tensor, how: Stabilize) -> Result<Tensor> {
    let square = match how {
        Stabilize::None => return Ok(grad.clone()),
        Stabilize::Layer => grad.sqr()?.mean_all()?.reshape((1, 1))?,
        Stabilize::Sample => grad.sqr()?.mean_keepdim(0)?,
    };
    grad.broadcast_div(&(square + 1e-8)?.sqrt()?)
}

/// Takes the first `n` items, or none of an empty slice.
fn split<'a>(rest: &mut &'a mut [f32], n: usize) -> &'a mut [f32] {
    let all = std::mem::take(rest);
    let (head, tail) = all.split_at_mut(n.min(all.len()));
    *rest = tail;
    head
}

#[cfg(test)]
#[allow(clippy::needless_range_loop)] // Indices are those of the formulas.
mod tests {
    use candle_core::Var;

    use super::super::config::{self, Node};
    use super::super::simd::Portable;
    use super::*;
    use crate::rng::{Stream, Use};

    const ROWS: usize = 20;
    const LANES_IN_TEST: usize = 2 * LANES;

    /// A layer of random tables and scores over random bits, with everything a test needs to know of it.
    struct Case {
        layer: Arc<LutLayer>,
        x: Vec<f32>,
        tables: Vec<f32>,
        chosen: Vec<u32>,
        /// Weights of the outputs in the loss `Σ w y`, so that each output's gradient is its weight.
        weights: Vec<f32>,
        smoothing: f32,
    }

    /// Output, gradient for the bits if there is one, for the tables, for the scores.
    type Outcome = (Vec<f32>, Option<Vec<f32>>, Vec<f32>, Vec<f32>);

    impl Case {
        fn new(k: usize, candidates: usize, smoothing: f32, per_group: usize) -> Self {
            let mut rng = Stream::new(7, Use::Init, k);
            let nodes = 40; // more than one chunk
            let config = config::Layer { nodes, fan_in: k, candidates, ..config::Layer::default() };
            let wiring = Wiring::draw(&config, ROWS, &[], &mut rng);
            let mut numbers = |n: usize, f: fn(f32) -> f32| (0..n).map(|_| f(rng.unit())).collect::<Vec<f32>>();
            let scores = numbers(nodes * k * candidates, |u| u);
            let node = Node { smoothing: smoothing.into(), ..Node::default() };
            let pick = |slot: usize| {
                let of = |c: usize| scores[slot * candidates + c];
                let best = (0..candidates).fold(0, |best, c| if of(c) > of(best) { c } else { best });
                wiring.index[slot * candidates + best]
            };
            let chosen = (0..nodes * k).map(pick).collect();
            let tables = numbers(nodes << k, |u| 2.0 * u - 1.0);
            let parameter = |n, columns| Parameter::new(&tensor(n, columns), false, [-1.0, 1.0]).unwrap();
            Self {
                x: numbers(ROWS * LANES_IN_TEST, f32::round),
                weights: numbers(nodes / per_group * LANES_IN_TEST, |u| u - 0.5),
                layer: Arc::new(LutLayer {
                    tables: parameter(&tables, 1 << k),
                    scores: parameter(&scores, candidates),
                    wiring,
                    relaxation: Relaxation::new(&node, k),
                    bits_in: true,
                    hard: true,
                    share: 1,
                    per_group,
                    penalty: Penalty::default(),
                    stabilize: Stabilize::None,
                    slots: Mutex::default(),
                }),
                smoothing,
                tables,
                chosen,
            }
        }

        fn run(&self, bits: &Tensor) -> Outcome {
            let y = self.layer.apply(bits, None).unwrap();
            let loss = (&y * tensor(&self.weights, LANES_IN_TEST)).unwrap().sum_all().unwrap();
            let d_bits = loss.backward().unwrap().get(bits).map(|g| tensors::copy(g).unwrap());
            let gradient = |p: &Parameter| p.state().gradient.clone();
            (tensors::copy(&y).unwrap(), d_bits, gradient(&self.layer.tables), gradient(&self.layer.scores))
        }

        fn run_floats(&self) -> Outcome {
            self.run(&Var::from_tensor(&tensor(&self.x, LANES_IN_TEST)).unwrap())
        }

        fn fan_in(&self) -> usize {
            self.layer.wiring.fan_in
        }

        /// Gradient of a node's output for a sample.
        fn weight(&self, node: usize, lane: usize) -> f64 {
            f64::from(self.weights[node / self.layer.per_group * LANES_IN_TEST + lane])
        }

        fn address(&self, node: usize, lane: usize) -> usize {
            let k = self.fan_in();
            let bit = |j: usize| self.x[self.chosen[node * k + j] as usize * LANES_IN_TEST + lane] as usize;
            (0..k).map(|j| bit(j) << j).sum()
        }

        /// A node's relaxed output as a function of its table and its slots, in double precision.
        fn relaxed(&self, node: usize, x: &[f64], change: Option<(usize, f64)>) -> f64 {
            let k = self.fan_in();
            (0..1usize << k)
                .map(|a| {
                    let l = f64::from(self.tables[(node << k) + a]);
                    let l = l + change.filter(|c| c.0 == a).map_or(0.0, |c| c.1);
                    let weight = |(j, &x): (usize, &f64)| if a >> j & 1 == 1 { x } else { 1.0 - x };
                    (0.5 + 0.5 * l) * x.iter().enumerate().map(weight).product::<f64>()
                })
                .sum()
        }

        /// The bits of an address moved inwards to where gradients of inputs are taken.
        fn point(&self, a: usize, p: f64) -> Vec<f64> {
            (0..self.fan_in()).map(|j| if a >> j & 1 == 1 { p } else { 1.0 - p }).collect()
        }

        /// Gradient of each slot for a sample, by central differences (exact for a multilinear function).
        fn slot_gradient(&self, node: usize, j: usize, lane: usize) -> f64 {
            let mut x = self.point(self.address(node, lane), f64::from(self.smoothing));
            let (h, at) = (0.125, x[j]);
            x[j] = at + h;
            let high = self.relaxed(node, &x, None);
            x[j] = at - h;
            let low = self.relaxed(node, &x, None);
            self.weight(node, lane) * (high - low) / (2.0 * h)
        }
    }

    fn close(name: &str, found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len(), "{name}");
        // Sums of at most a few hundred terms below one in single precision.
        for (i, (f, e)) in found.iter().zip(expected).enumerate() {
            assert!((f64::from(*f) - e).abs() < 1e-4, "{name}[{i}] is {f}, not {e}");
        }
        assert!(expected.iter().any(|e| e.abs() > 0.05), "{name} says nothing");
    }

    fn tensor(numbers: &[f32], columns: usize) -> Tensor {
        Tensor::from_slice(numbers, (numbers.len() / columns, columns), &Device::Cpu).unwrap()
    }

    #[test]
    fn gradients_are_those_of_the_relaxed_node() {
        let cases =
            [(2, 1, 1.0, 1), (3, 1, 0.75, 1), (4, 4, 0.9, 1), (5, 1, 1.0, 8), (6, 3, 0.75, 1), (6, 3, 0.75, 20)];
        for (k, c, p, per_group) in cases {
            let case = Case::new(k, c, p, per_group);
            let nodes = case.tables.len() >> k;
            let (_, d_x, d_tables, d_scores) = case.run_floats();
            let mut x = vec![0.0; case.x.len()];
            let mut tables = vec![0.0; case.tables.len()];
            let mut scores = vec![0.0; d_scores.len()];
            for node in 0..nodes {
                for lane in 0..LANES_IN_TEST {
                    // Tables: at the corner that the sample reads.
                    let a = case.address(node, lane);
                    let corner = case.point(a, 1.0);
                    let h = 0.125;
                    for entry in 0..1usize << k {
                        let at = |h: f64| case.relaxed(node, &corner, Some((entry, h)));
                        tables[(node << k) + entry] += case.weight(node, lane) * (at(h) - at(-h)) / (2.0 * h);
                    }
                    for j in 0..k {
                        let (slot, g) = (node * k + j, case.slot_gradient(node, j, lane));
                        x[case.chosen[slot] as usize * LANES_IN_TEST + lane] += g;
                        for i in slot * c..(slot + 1) * c {
                            let x = case.x[case.layer.wiring.index[i] as usize * LANES_IN_TEST + lane];
                            scores[i] += (2.0 * f64::from(x) - 1.0) * g;
                        }
                    }
                }
            }
            close("bits", &d_x.unwrap(), &x);
            close("tables", &d_tables, &tables);
            if c > 1 {
                close("scores", &d_scores, &scores);
            }
        }
    }

    #[test]
    fn forward_counts_ones_in_the_hard_tables_of_the_best_candidates() {
        for per_group in [1, 4, 40] {
            let case = Case::new(6, 3, 0.75, per_group);
            let (y, ..) = case.run_floats();
            for (group, row) in y.chunks(LANES_IN_TEST).enumerate() {
                for (lane, &found) in row.iter().enumerate() {
                    let one = |&node: &usize| case.tables[(node << 6) + case.address(node, lane)] > 0.0;
                    let expected = (group * per_group..(group + 1) * per_group).filter(one).count();
                    assert_eq!(found, expected as f32);
                }
            }
        }
    }

    #[test]
    fn packed_bits_give_the_same_and_no_gradient() {
        let case = Case::new(4, 3, 0.75, 1);
        let words: Vec<i64> = case.x.as_chunks().0.iter().map(|row| Portable::at_least(row, 0.5) as i64).collect();
        let words = Tensor::from_vec(words, (ROWS, LANES_IN_TEST / LANES), &Device::Cpu).unwrap();
        let (y, d_x, d_tables, d_scores) = case.run_floats();
        assert!(d_x.is_some());
        assert_eq!(case.run(&words), (y, None, d_tables, d_scores));
    }

    #[test]
    fn gradients_are_those_of_the_last_step_alone() {
        let case = Case::new(6, 3, 0.75, 1);
        assert_eq!(case.run_floats(), case.run_floats());
    }

    #[test]
    fn stabilised_gradients_have_a_mean_square_of_one() {
        let grad = tensor(&[1.0, 2.0, -3.0, 4.0, 0.5, -6.0], 3);
        let mean = |t: &Tensor| t.sqr().unwrap().mean(0).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(mean(&stabilized(&grad, Stabilize::None).unwrap()), mean(&grad));
        assert!(mean(&stabilized(&grad, Stabilize::Sample).unwrap()).iter().all(|m| (m - 1.0).abs() < 1e-5));
        let layer = mean(&stabilized(&grad, Stabilize::Layer).unwrap());
        assert!((layer.iter().sum::<f32>() / 3.0 - 1.0).abs() < 1e-5 && layer[1] != layer[0], "{layer:?}");
    }

    #[test]
    fn ties_go_to_the_first_candidate() {
        let wiring = Wiring { fan_in: 2, candidates: 3, index: vec![9, 8, 7, 6, 5, 4], centres: vec![] };
        assert_eq!(choose(&wiring, &[0.5, 0.5, 0.2, -1.0, -0.5, -0.5]), [9, 5]);
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let case = Case::new(3, 1, 0.75, 1);
        let apply = |rows: usize, lanes| {
            case.layer.apply(&Tensor::zeros((rows, lanes), DType::F32, &Device::Cpu).unwrap(), None)
        };
        assert!(apply(ROWS, 64).is_ok());
        assert!(apply(ROWS, 63).is_err());
        assert!(apply(ROWS - 2, 64).is_err());
    }
}

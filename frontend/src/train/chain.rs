//! Layers of lookup tables in a row, and their application as one differentiable operation of Candle.
//!
//! What goes from layer to layer stays in room that is kept from step to step: bits where nodes give bits, numbers
//! otherwise, and gradients on the way back. Candle sees the first layer's inputs and the last one's sums. Its own way of
//! joining operations would hold every bit as a number, and add each gradient to a fresh tensor of zeros.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, DType, Device, Layout, Result, Shape as Dims, Tensor, bail};
use rayon::prelude::*;

use super::kernel::{LANES, Row};
use super::layer::{LutLayer, Room, Values};
use super::simd::{Kernel, Lanes, widest};
use super::tensors;
use crate::rng::Noise;

/// Rows that a thread takes at a time where it only packs or counts.
const ROWS: usize = 64;

/// Layers in a row, at least one.
pub struct Chain {
    /// From input to output.
    pub layers: Vec<LutLayer>,
    /// How many rows each needs to read.
    reach: Vec<usize>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Counts applications: only the last can be followed back.
    applied: u64,
    rooms: Vec<Room>,
}

impl Chain {
    /// A chain of layers.
    pub fn new(layers: Vec<LutLayer>) -> Self {
        let reach = |layer: &LutLayer| layer.wiring.index.iter().max().map_or(0, |&row| row as usize);
        Self { reach: layers.iter().map(reach).collect(), state: Mutex::default(), layers }
    }

    /// Applies the layers to `[rows, lanes]` f32, bits as zeros and ones (half and more counts as one), or, where they need
    /// no gradient, bits as `[rows, lanes / 64]` i64 words. Gives the last one's sums, `[nodes / per_group, lanes]`. `noise` is
    /// this step's.
    ///
    /// Backpropagation leaves the parameters' gradients in the parameters.
    pub fn apply(self: &Arc<Self>, x: &Tensor, noise: Option<Noise>) -> Result<Tensor> {
        let Some(first) = self.layers.first() else { bail!("a chain without layers") };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.applied += 1;
        let op = Application { chain: Arc::clone(self), number: state.applied, noise };
        drop(state);
        x.apply_op2(&first.tables.var, op)
    }
}

/// One application of a chain, with the present parameters.
struct Application {
    chain: Arc<Chain>,
    number: u64,
    noise: Option<Noise>,
}

impl Application {
    fn noise(&self, layer: usize) -> Option<Noise> {
        self.noise.map(|noise| noise.of(layer))
    }
}

impl CustomOp2 for Application {
    fn name(&self) -> &'static str {
        "lut-layers"
    }

    fn cpu_fwd(&self, x: &CpuStorage, at: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Dims)> {
        let Chain { layers, reach, state } = &*self.chain;
        let State { rooms, .. } = &mut *state.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.resize_with(layers.len(), Room::default);
        let (mut rows, width) = at.shape().dims2()?;
        let words = match x {
            CpuStorage::I64(_) if layers[0].bits_in => width,
            CpuStorage::F32(_) if width.is_multiple_of(LANES) => width / LANES,
            _ => bail!("{width} lanes are not a multiple of {LANES}"),
        };
        take(&mut rooms[0].x, x, at, layers[0].bits_in, words)?;
        let mut y = vec![0f32; layers.last().map_or(0, |last| last.rows_out()) * words * LANES];
        for (i, layer) in layers.iter().enumerate() {
            if reach[i] > rows {
                bail!("a slot reads past the {rows} rows below");
            }
            rows = layer.rows_out();
            let (room, next) = rooms[i..].split_at_mut(1);
            layer.choose(&mut room[0])?;
            match next.first_mut() {
                Some(next) if layer.hard && layer.bits_in => {
                    let bits = next.x.bits((rows + 1) * words);
                    bits[rows * words..].fill(0);
                    layer.bits(&room[0], words, self.noise(i), &mut bits[..rows * words])?;
                }
                Some(next) => layer.numbers(&room[0], words, self.noise(i), next.x.numbers(rows * words))?,
                None if layer.hard && layer.bits_in => {
                    let mut bits = vec![0; layer.nodes() * words];
                    layer.bits(&room[0], words, self.noise(i), &mut bits)?;
                    let (at_once, y) = (layer.per_group * words, y.as_chunks_mut::<LANES>().0);
                    (y.par_chunks_mut(words).zip(bits.par_chunks(at_once)))
                        .with_min_len(ROWS.div_ceil(layer.per_group))
                        .for_each(|(sums, bits)| widest(Count { words, bits, sums }));
                }
                None => layer.numbers(&room[0], words, self.noise(i), y.as_chunks_mut().0)?,
            }
        }
        Ok((CpuStorage::F32(y), (rows, words * LANES).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let State { rooms, applied } = &mut *self.chain.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *applied != self.number {
            bail!("the chain was applied again before it was followed back");
        }
        let words = grad.dim(1)? / LANES;
        let Some(last) = rooms.last_mut() else { bail!("backward before forward") };
        tensors::with(&grad.contiguous()?, |grad: &[f32]| {
            last.grad.clear();
            last.grad.extend_from_slice(grad.as_chunks().0);
            Ok(())
        })?;
        for (i, layer) in self.chain.layers.iter().enumerate().skip(1).rev() {
            let (below, room) = rooms[i - 1..].split_at_mut(1);
            layer.backward(&mut room[0], words, self.noise(i), true)?;
            let d_x = &mut below[0].grad;
            d_x.resize(self.chain.layers[i - 1].rows_out() * words, [0.0; LANES]);
            layer.gather(&mut room[0], words, d_x);
        }
        let (first, room, below) = (&self.chain.layers[0], &mut rooms[0], x.dtype() == DType::F32);
        first.backward(room, words, self.noise(0), below)?;
        if !below {
            return Ok((None, None));
        }
        let mut d_x = vec![0f32; x.elem_count()];
        first.gather(room, words, d_x.as_chunks_mut().0);
        Ok((Some(Tensor::from_vec(d_x, x.shape(), &Device::Cpu)?), None))
    }
}

impl Values {
    /// Room for so many words of bits.
    fn bits(&mut self, len: usize) -> &mut [u64] {
        if !matches!(self, Self::Bits(_)) {
            *self = Self::Bits(Vec::new());
        }
        match self {
            Self::Bits(bits) => {
                bits.resize(len, 0);
                bits
            }
            Self::Numbers(_) => &mut [],
        }
    }

    /// Room for so many rows of numbers.
    fn numbers(&mut self, len: usize) -> &mut [Row] {
        if !matches!(self, Self::Numbers(_)) {
            *self = Self::Numbers(Vec::new());
        }
        match self {
            Self::Numbers(rows) => {
                rows.resize(len, [0.0; LANES]);
                rows
            }
            Self::Bits(_) => &mut [],
        }
    }
}

/// Takes over what a chain reads.
fn take(to: &mut Values, x: &CpuStorage, at: &Layout, bits: bool, words: usize) -> Result<()> {
    if let CpuStorage::I64(_) = x {
        let x = tensors::slice::<i64>(x, at)?;
        let to = to.bits(x.len() + words);
        to[x.len()..].fill(0);
        to.iter_mut().zip(x).for_each(|(to, &word)| *to = word as u64);
        return Ok(());
    }
    let rows = tensors::floats(x, at)?.as_chunks::<LANES>().0;
    if !bits {
        to.numbers(rows.len()).copy_from_slice(rows);
        return Ok(());
    }
    let to = to.bits(rows.len() + words);
    to[rows.len()..].fill(0);
    rows.par_chunks(ROWS).zip(to.par_chunks_mut(ROWS)).for_each(|(rows, bits)| widest(Pack { rows, bits }));
    Ok(())
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

/// Counts the ones of a group of rows.
struct Count<'a> {
    words: usize,
    bits: &'a [u64],
    sums: &'a mut [Row],
}

impl Kernel for Count<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        for row in self.bits.chunks_exact(self.words) {
            self.sums.iter_mut().zip(row).for_each(|(sum, &word)| L::add_bits(word, sum));
        }
    }
}

#[cfg(test)]
#[allow(clippy::needless_range_loop)] // Indices are those of the formulas.
mod tests {
    use candle_core::Var;

    use super::super::area::Penalty;
    use super::super::config::{self, Node, Stabilize};
    use super::super::optim::Parameter;
    use super::super::relax::Relaxation;
    use super::super::simd::Portable;
    use super::super::wiring::Wiring;
    use super::*;
    use crate::rng::{Stream, Use};

    const INPUTS: usize = 20;
    const LANES_IN_TEST: usize = 2 * LANES;

    /// A layer of random tables and scores over random bits, with everything a test needs to know of it.
    struct Case {
        chain: Arc<Chain>,
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
            let wiring = Wiring::draw(&config, INPUTS, &[], &mut rng);
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
                x: numbers(INPUTS * LANES_IN_TEST, f32::round),
                weights: numbers(nodes / per_group * LANES_IN_TEST, |u| u - 0.5),
                chain: Arc::new(Chain::new(vec![LutLayer {
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
                }])),
                smoothing,
                tables,
                chosen,
            }
        }

        fn layer(&self) -> &LutLayer {
            &self.chain.layers[0]
        }

        fn run(&self, bits: &Tensor) -> Outcome {
            let y = self.chain.apply(bits, None).unwrap();
            let loss = (&y * tensor(&self.weights, LANES_IN_TEST)).unwrap().sum_all().unwrap();
            let d_bits = loss.backward().unwrap().get(bits).map(|g| tensors::copy(g).unwrap());
            let gradient = |p: &Parameter| p.state().gradient.clone();
            (tensors::copy(&y).unwrap(), d_bits, gradient(&self.layer().tables), gradient(&self.layer().scores))
        }

        fn run_floats(&self) -> Outcome {
            self.run(&Var::from_tensor(&tensor(&self.x, LANES_IN_TEST)).unwrap())
        }

        fn fan_in(&self) -> usize {
            self.layer().wiring.fan_in
        }

        /// Gradient of a node's output for a sample.
        fn weight(&self, node: usize, lane: usize) -> f64 {
            f64::from(self.weights[node / self.layer().per_group * LANES_IN_TEST + lane])
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
                            let x = case.x[case.layer().wiring.index[i] as usize * LANES_IN_TEST + lane];
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
        let words = Tensor::from_vec(words, (INPUTS, LANES_IN_TEST / LANES), &Device::Cpu).unwrap();
        let (y, d_x, d_tables, d_scores) = case.run_floats();
        assert!(d_x.is_some());
        assert_eq!(case.run(&words), (y, None, d_tables, d_scores));
    }

    #[test]
    fn gradients_are_those_of_the_last_step_alone() {
        let case = Case::new(6, 3, 0.75, 1);
        assert_eq!(case.run_floats(), case.run_floats());
    }

    /// The same layer again, with copies of its parameters.
    fn copied(layer: &LutLayer) -> LutLayer {
        let copy = |p: &Parameter| Parameter::new(&p.var.copy().unwrap(), false, [-1.0, 1.0]).unwrap();
        let Wiring { fan_in, candidates, ref index, .. } = layer.wiring;
        LutLayer {
            wiring: Wiring { fan_in, candidates, index: index.clone(), centres: vec![], twins: vec![] },
            relaxation: layer.relaxation.clone(),
            tables: copy(&layer.tables),
            scores: copy(&layer.scores),
            ..*layer
        }
    }

    /// Candle joins two layers applied one after the other; a chain does so itself, to the same bits.
    #[test]
    fn a_chain_is_its_layers_one_after_the_other() {
        use config::{NodeKind::*, Sampling::*};
        for (kind, sampling, k, c, share) in [
            (Dwn, Hard, 6, 1, 1),
            (Dwn, Hard, 5, 3, 1),
            (Light, GumbelHard, 4, 1, 4),
            (Linear, Hard, 3, 2, 1),
            (Difflogic, Soft, 2, 1, 1),
            (Light, Soft, 3, 2, 1),
            (Warp, GumbelSoft, 4, 1, 5),
            (Hybrid, Soft, 8, 1, 1),
        ] {
            let mut rng = Stream::new(9, Use::Init, k);
            let node = Node { kind, sampling, smoothing: 0.75, ..Node::default() };
            let hard = sampling.is_hard();
            let mut layer = |nodes: usize, inputs: usize, per_group, bits_in| {
                let config = config::Layer { nodes, fan_in: k, candidates: c, ..config::Layer::default() };
                let wiring = Wiring::draw(&config, inputs, &[], &mut rng);
                let relaxation = Relaxation::new(&node, k);
                let tables = nodes / share;
                let mut theta = vec![0.0; tables * relaxation.parameters()];
                theta.chunks_mut(relaxation.parameters()).for_each(|theta| relaxation.first(&mut rng, theta));
                let scores: Vec<f32> = (0..wiring.index.len()).map(|_| rng.unit()).collect();
                let parameter = |n: &[f32], columns| Parameter::new(&tensor(n, columns), false, [-1.0, 1.0]).unwrap();
                LutLayer {
                    tables: parameter(&theta, relaxation.parameters()),
                    scores: parameter(&scores, c),
                    wiring,
                    relaxation,
                    bits_in,
                    hard,
                    share,
                    per_group,
                    penalty: Penalty::default(),
                    stabilize: if share == 4 { Stabilize::Layer } else { Stabilize::None },
                }
            };
            let layers = [layer(60, INPUTS, 1, true), layer(100, 60, 1, hard), layer(40, 100, 1, hard)];
            let x: Vec<f32> = (0..INPUTS * LANES_IN_TEST).map(|i| (i * i * 7 % 13 % 2) as f32).collect();
            let weights: Vec<f32> = (0..40 * LANES_IN_TEST).map(|i| (i * 31 % 17) as f32 / 17.0 - 0.4).collect();
            let noise = sampling.is_gumbel().then(|| Noise::new(1, 2));
            let run = |chains: &[Arc<Chain>], noises: &[Option<Noise>]| {
                let x = Var::from_tensor(&tensor(&x, LANES_IN_TEST)).unwrap();
                let apply = |y: Tensor, (chain, noise): (&Arc<Chain>, &Option<Noise>)| chain.apply(&y, *noise).unwrap();
                let y = chains.iter().zip(noises).fold(x.as_tensor().clone(), apply);
                let loss = (&y * tensor(&weights, LANES_IN_TEST)).unwrap().sum_all().unwrap();
                let d_x = tensors::copy(loss.backward().unwrap().get(&x).unwrap()).unwrap();
                let layers = chains.iter().flat_map(|chain| &chain.layers);
                let gradient = |l: &LutLayer| [&l.tables, &l.scores].map(|p| p.state().gradient.clone());
                (tensors::copy(&y).unwrap(), d_x, layers.map(gradient).collect::<Vec<_>>())
            };
            let chain = Arc::new(Chain::new(layers.iter().map(copied).collect()));
            let together = run(&[chain], &[noise]);
            if noise.is_none() {
                let single = layers.map(|layer| Arc::new(Chain::new(vec![layer])));
                assert!(together == run(&single, &[None; 3]), "{kind:?} {sampling:?}");
            }
            let changes = |numbers: &[f32]| numbers.iter().any(|n| *n != numbers[0]);
            assert!(changes(&together.0) && changes(&together.1) && together.2.iter().all(|g| changes(&g[0])));
        }
    }

    #[test]
    fn only_the_last_application_is_followed_back() {
        let case = Case::new(3, 1, 0.75, 1);
        let x = Var::from_tensor(&tensor(&case.x, LANES_IN_TEST)).unwrap();
        let first = case.chain.apply(&x, None).unwrap();
        let second = case.chain.apply(&x, None).unwrap();
        assert!(first.sum_all().unwrap().backward().is_err() && second.sum_all().unwrap().backward().is_ok());
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let case = Case::new(3, 1, 0.75, 1);
        let apply = |rows: usize, lanes| {
            case.chain.apply(&Tensor::zeros((rows, lanes), DType::F32, &Device::Cpu).unwrap(), None)
        };
        assert!(apply(INPUTS, 64).is_ok());
        assert!(apply(INPUTS, 63).is_err());
        assert!(apply(INPUTS - 2, 64).is_err());
    }
}

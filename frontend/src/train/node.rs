//! A layer of lookup tables as a differentiable operation.
//!
//! Forward it computes the hard tables: bits in, bits out, exactly what the frozen network computes. Backward it is the
//! multilinear extension of the tables of probabilities, taken at the inputs' shrunk point (`kernel::slopes`), passed
//! straight through the hardening of tables and inputs:
//!
//! - to an entry, the gradient of the samples that read it, times ½ (a probability is `(1 + L) / 2`);
//! - to an input, the difference of the extension at 1 and at 0 (BitLogic's hybrid node in its difference form, which
//!   unlike the quotient form does not vanish at binary inputs; with `smoothing = ¾` DWN's extended finite difference);
//! - to a candidate's score, `Σ (2x - 1) g` over the samples: what the slot's gradient `g` says of reading candidate `x`.
//!
//! Activations are `[rows, lanes]`, node-major, lanes a multiple of 64. Work is shared out by nodes, and each sum is
//! made by one thread in a fixed order, so the number of threads does not show in the result.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp3, DType, Device, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::kernel::{self, LANES, MAX_ENTRIES, MAX_FAN_IN, Row};
use super::simd::{Kernel, widest};
use super::tensors;
use super::wiring::Wiring;

/// Nodes that a thread takes at a time.
const CHUNK: usize = 32;
/// Slots that a thread takes at a time.
const SLOTS: usize = 2048;

/// One application of a layer, to the bits below, the tables `[nodes, 2^k]` and the scores `[nodes * k, candidates]`.
///
/// The bits are `[rows, lanes]` f32 zeros and ones (half and more counts as one), or, where no gradient is wanted,
/// `[rows, lanes / 64]` i64 words. Where a slot has one candidate its score is read by nobody.
pub struct LutLayer {
    wiring: Arc<Wiring>,
    /// `[nodes, fan_in]`: the row each slot reads.
    chosen: Vec<u32>,
    smoothing: f32,
    packed: OnceLock<Vec<u64>>,
}

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

impl LutLayer {
    /// Prepares an application with the present scores.
    pub fn new(wiring: &Arc<Wiring>, scores: &Tensor, smoothing: f64) -> Result<Self> {
        let chosen = tensors::with(scores, |scores| Ok(choose(wiring, scores)))?;
        Ok(Self { wiring: Arc::clone(wiring), chosen, smoothing: smoothing as f32, packed: OnceLock::new() })
    }

    /// The bits below as words, `[rows, words]`, packed once.
    fn pack(&self, storage: &CpuStorage, layout: &Layout) -> Result<&[u64]> {
        let words = match storage {
            CpuStorage::I64(_) => tensors::slice::<i64>(storage, layout)?.iter().map(|&w| w as u64).collect(),
            _ => tensors::floats(storage, layout)?.par_chunks(LANES).map(kernel::from_floats).collect(),
        };
        Ok(self.packed.get_or_init(|| words))
    }
}

impl CustomOp3 for LutLayer {
    fn name(&self) -> &'static str {
        "lut-layer"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        tables: &CpuStorage,
        tables_layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let k = self.wiring.fan_in;
        let (nodes, entries) = tables_layout.shape().dims2()?;
        let (rows, width) = x_layout.shape().dims2()?;
        if k > MAX_FAN_IN || entries != 1 << k || self.chosen.len() != nodes * k {
            bail!("{nodes} tables of {entries} entries for {} slots of fan-in {k}", self.chosen.len());
        }
        if self.chosen.iter().any(|&row| row as usize >= rows) {
            bail!("a slot reads past the {rows} rows below");
        }
        let words = match x {
            CpuStorage::I64(_) => width,
            _ if width.is_multiple_of(LANES) => width / LANES,
            _ => bail!("{width} lanes are not a multiple of {LANES}"),
        };
        let x = self.pack(x, x_layout)?;
        let tables = tensors::floats(tables, tables_layout)?;
        let lanes = words * LANES;
        let mut y = vec![0f32; nodes * lanes];
        y.par_chunks_mut(CHUNK * lanes)
            .zip(tables.par_chunks(CHUNK * entries))
            .zip(self.chosen.par_chunks(CHUNK * k))
            .for_each(|((y, tables), chosen)| widest(Forward { k, words, x, tables, chosen, y }));
        Ok((CpuStorage::F32(y), (nodes, lanes).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        tables: &Tensor,
        scores: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(packed) = self.packed.get() else { bail!("backward before forward") };
        let (k, c) = (self.wiring.fan_in, self.wiring.candidates);
        let (nodes, entries) = tables.dims2()?;
        let (rows, lanes) = (x.dim(0)?, grad.dim(1)?);
        let below = x.dtype() == DType::F32;
        let mut d_tables = vec![0f32; nodes * entries];
        let mut d_scores = vec![0f32; if c > 1 { nodes * k * c } else { 0 }];
        let mut d_slots = vec![0f32; if below { nodes * k * lanes } else { 0 }];
        tensors::with(tables, |tables| {
            tensors::with(&grad.contiguous()?, |grad: &[f32]| {
                let (mut ds, mut dx) = (d_scores.as_mut_slice(), d_slots.as_mut_slice());
                let chunks: Vec<_> = (d_tables.chunks_mut(CHUNK * entries).enumerate())
                    .map(|(i, d_tables)| {
                        let n = d_tables.len() / entries;
                        let slots = i * CHUNK * k..(i * CHUNK + n) * k;
                        Backward {
                            k,
                            candidates: c,
                            words: lanes / LANES,
                            smoothing: self.smoothing,
                            x: packed,
                            tables: &tables[i * CHUNK * entries..][..n * entries],
                            grad: &grad[i * CHUNK * lanes..][..n * lanes],
                            chosen: &self.chosen[slots.clone()],
                            index: &self.wiring.index[slots.start * c..slots.end * c],
                            d_tables,
                            d_scores: split(&mut ds, n * k * c),
                            d_slots: split(&mut dx, n * k * lanes),
                        }
                    })
                    .collect();
                chunks.into_par_iter().for_each(widest);
                Ok(())
            })
        })?;
        let d_x = below.then(|| gather(&self.chosen, rows, lanes, &d_slots));
        let tensor = |numbers, like: &Tensor| Tensor::from_vec(numbers, like.shape(), &Device::Cpu);
        Ok((
            d_x.map(|d| tensor(d, x)).transpose()?,
            Some(tensor(d_tables, tables)?),
            (c > 1).then(|| tensor(d_scores, scores)).transpose()?,
        ))
    }
}

/// Takes the first `n` items, or none of an empty slice.
fn split<'a>(rest: &mut &'a mut [f32], n: usize) -> &'a mut [f32] {
    let all = std::mem::take(rest);
    let (head, tail) = all.split_at_mut(n.min(all.len()));
    *rest = tail;
    head
}

/// Sums the slots' gradients into the rows they read, in the order of the slots.
fn gather(chosen: &[u32], rows: usize, lanes: usize, d_slots: &[f32]) -> Vec<f32> {
    let mut start = vec![0usize; rows + 1];
    chosen.iter().for_each(|&row| start[row as usize + 1] += 1);
    (0..rows).for_each(|r| start[r + 1] += start[r]);
    let (mut next, mut readers) = (start.clone(), vec![0u32; chosen.len()]);
    for (slot, &row) in chosen.iter().enumerate() {
        readers[next[row as usize]] = slot as u32;
        next[row as usize] += 1;
    }
    let mut d_x = vec![0f32; rows * lanes];
    d_x.par_chunks_mut(lanes).with_min_len(CHUNK).enumerate().for_each(|(row, sum)| {
        for &slot in &readers[start[row]..start[row + 1]] {
            sum.iter_mut().zip(&d_slots[slot as usize * lanes..][..lanes]).for_each(|(s, d)| *s += d);
        }
    });
    d_x
}

struct Forward<'a> {
    k: usize,
    words: usize,
    x: &'a [u64],
    tables: &'a [f32],
    chosen: &'a [u32],
    y: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run(self) {
        let nodes = self.tables.chunks_exact(1 << self.k).zip(self.chosen.chunks_exact(self.k));
        for ((table, chosen), y) in nodes.zip(self.y.chunks_exact_mut(self.words * LANES)) {
            let table = kernel::harden(table);
            for (word, y) in y.chunks_exact_mut(LANES).enumerate() {
                let mut inputs = [0; MAX_FAN_IN];
                for (input, &row) in inputs.iter_mut().zip(chosen) {
                    *input = self.x[row as usize * self.words + word];
                }
                kernel::to_floats(kernel::lookup(table, &inputs[..self.k]), y);
            }
        }
    }
}

/// Gradients of a chunk of nodes. `d_scores` is empty for fixed wiring, `d_slots` where nothing below is trained.
struct Backward<'a> {
    k: usize,
    candidates: usize,
    words: usize,
    smoothing: f32,
    x: &'a [u64],
    tables: &'a [f32],
    grad: &'a [f32],
    chosen: &'a [u32],
    index: &'a [u32],
    d_tables: &'a mut [f32],
    d_scores: &'a mut [f32],
    d_slots: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run(mut self) {
        let Self { k, words, .. } = self;
        let entries = 1 << k;
        let (learns, below) = (!self.d_scores.is_empty(), !self.d_slots.is_empty());
        let mut slopes = [[0.0; MAX_ENTRIES]; MAX_FAN_IN];
        for (node, d_table) in std::mem::take(&mut self.d_tables).chunks_exact_mut(entries).enumerate() {
            if learns || below {
                kernel::slopes(&self.tables[node * entries..][..entries], self.smoothing, &mut slopes[..k]);
            }
            for word in 0..words {
                let grad: &Row = match self.grad[(node * words + word) * LANES..].first_chunk() {
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

#[cfg(test)]
#[allow(clippy::needless_range_loop)] // Indices are those of the formulas.
mod tests {
    use candle_core::Var;

    use super::super::config;
    use super::super::rng::{Stream, Use};
    use super::*;

    const ROWS: usize = 20;
    const LANES_IN_TEST: usize = 2 * LANES;

    /// A layer of random tables and scores over random bits, with everything a test needs to know of it.
    struct Case {
        wiring: Arc<Wiring>,
        x: Vec<f32>,
        tables: Vec<f32>,
        scores: Vec<f32>,
        chosen: Vec<u32>,
        smoothing: f64,
        /// Weights of the outputs in the loss `Σ w y`, so that each output's gradient is its weight.
        weights: Vec<f32>,
    }

    impl Case {
        fn new(k: usize, candidates: usize, smoothing: f64) -> Self {
            let mut rng = Stream::new(7, Use::Init, k);
            let nodes = 40; // more than one chunk
            let layer = config::Layer { nodes, fan_in: k, candidates, ..config::Layer::default() };
            let wiring = Arc::new(Wiring::draw(&layer, ROWS, &[], &mut rng));
            let mut numbers = |n: usize, f: fn(f32) -> f32| (0..n).map(|_| f(rng.unit())).collect::<Vec<f32>>();
            let scores = numbers(nodes * k * candidates, |u| u);
            let pick = |slot: usize| {
                let of = |c: usize| scores[slot * candidates + c];
                let best = (0..candidates).fold(0, |best, c| if of(c) > of(best) { c } else { best });
                wiring.index[slot * candidates + best]
            };
            Self {
                x: numbers(ROWS * LANES_IN_TEST, f32::round),
                tables: numbers(nodes << k, |u| 2.0 * u - 1.0),
                weights: numbers(nodes * LANES_IN_TEST, |u| u - 0.5),
                chosen: (0..nodes * k).map(pick).collect(),
                scores,
                wiring,
                smoothing,
            }
        }

        fn var(&self, numbers: &[f32], columns: usize) -> Var {
            let tensor = Tensor::from_slice(numbers, (numbers.len() / columns, columns), &Device::Cpu).unwrap();
            Var::from_tensor(&tensor).unwrap()
        }

        /// Output and gradients for bits, tables and scores.
        fn run(&self) -> (Vec<f32>, [Option<Vec<f32>>; 3]) {
            let (k, c) = (self.wiring.fan_in, self.wiring.candidates);
            let (x, tables) = (self.var(&self.x, LANES_IN_TEST), self.var(&self.tables, 1 << k));
            let scores = self.var(&self.scores, c);
            let op = LutLayer::new(&self.wiring, &scores, self.smoothing).unwrap();
            let y = x.apply_op3(&tables, &scores, op).unwrap();
            let loss = (&y * self.var(&self.weights, LANES_IN_TEST).as_tensor()).unwrap().sum_all().unwrap();
            let grads = loss.backward().unwrap();
            let get = |var: &Var| grads.get(var).map(|g| tensors::copy(g).unwrap());
            (tensors::copy(&y).unwrap(), [get(&x), get(&tables), get(&scores)])
        }

        fn address(&self, node: usize, lane: usize) -> usize {
            let k = self.wiring.fan_in;
            let bit = |j: usize| self.x[self.chosen[node * k + j] as usize * LANES_IN_TEST + lane] as usize;
            (0..k).map(|j| bit(j) << j).sum()
        }

        /// A node's relaxed output as a function of its table and its slots, in double precision.
        fn relaxed(&self, node: usize, x: &[f64], change: Option<(usize, f64)>) -> f64 {
            let k = self.wiring.fan_in;
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
            (0..self.wiring.fan_in).map(|j| if a >> j & 1 == 1 { p } else { 1.0 - p }).collect()
        }

        /// Gradient of each slot for a sample, by central differences (exact for a multilinear function).
        fn slot_gradient(&self, node: usize, j: usize, lane: usize) -> f64 {
            let mut x = self.point(self.address(node, lane), self.smoothing);
            let (h, at) = (0.125, x[j]);
            x[j] = at + h;
            let high = self.relaxed(node, &x, None);
            x[j] = at - h;
            let low = self.relaxed(node, &x, None);
            f64::from(self.weights[node * LANES_IN_TEST + lane]) * (high - low) / (2.0 * h)
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

    #[test]
    fn gradients_are_those_of_the_relaxed_node() {
        for (k, c, p) in [(2, 1, 1.0), (3, 1, 0.75), (4, 4, 0.9), (5, 1, 1.0), (6, 3, 0.75), (6, 1, 0.75)] {
            let case = Case::new(k, c, p);
            let nodes = case.tables.len() >> k;
            let (_, [d_x, d_tables, d_scores]) = case.run();
            let mut x = vec![0.0; case.x.len()];
            let mut tables = vec![0.0; case.tables.len()];
            let mut scores = vec![0.0; case.scores.len()];
            for node in 0..nodes {
                for lane in 0..LANES_IN_TEST {
                    // Tables: at the corner that the sample reads.
                    let a = case.address(node, lane);
                    let corner = case.point(a, 1.0);
                    let (h, w) = (0.125, f64::from(case.weights[node * LANES_IN_TEST + lane]));
                    for entry in 0..1usize << k {
                        let at = |h: f64| case.relaxed(node, &corner, Some((entry, h)));
                        tables[(node << k) + entry] += w * (at(h) - at(-h)) / (2.0 * h);
                    }
                    for j in 0..k {
                        let (slot, g) = (node * k + j, case.slot_gradient(node, j, lane));
                        x[case.chosen[slot] as usize * LANES_IN_TEST + lane] += g;
                        for i in slot * c..(slot + 1) * c {
                            let x = case.x[case.wiring.index[i] as usize * LANES_IN_TEST + lane];
                            scores[i] += (2.0 * f64::from(x) - 1.0) * g;
                        }
                    }
                }
            }
            close("bits", &d_x.unwrap(), &x);
            close("tables", &d_tables.unwrap(), &tables);
            match d_scores {
                Some(d_scores) => close("scores", &d_scores, &scores),
                None => assert_eq!(c, 1),
            }
        }
    }

    #[test]
    fn forward_reads_the_hard_table_of_the_best_candidates() {
        let case = Case::new(6, 3, 0.75);
        let (y, _) = case.run();
        let nodes = case.tables.len() >> 6;
        for node in 0..nodes {
            for lane in 0..LANES_IN_TEST {
                let l = case.tables[(node << 6) + case.address(node, lane)];
                assert_eq!(y[node * LANES_IN_TEST + lane], if l > 0.0 { 1.0 } else { 0.0 });
            }
        }
    }

    #[test]
    fn packed_bits_give_the_same_and_no_gradient() {
        let case = Case::new(4, 3, 0.75);
        let words: Vec<i64> = case.x.chunks(LANES).map(|row| kernel::from_floats(row) as i64).collect();
        let words = Tensor::from_vec(words, (ROWS, LANES_IN_TEST / LANES), &Device::Cpu).unwrap();
        let (tables, scores) = (case.var(&case.tables, 16), case.var(&case.scores, 3));
        let op = LutLayer::new(&case.wiring, &scores, 0.75).unwrap();
        let y = words.apply_op3(&tables, &scores, op).unwrap();
        let (expected, [_, d_tables, d_scores]) = case.run();
        assert_eq!(tensors::copy(&y).unwrap(), expected);
        let loss = (&y * case.var(&case.weights, LANES_IN_TEST).as_tensor()).unwrap().sum_all().unwrap();
        let grads = loss.backward().unwrap();
        assert!(grads.get(&words).is_none());
        for (var, expected) in [(&tables, d_tables), (&scores, d_scores)] {
            assert_eq!(grads.get(var).map(|g| tensors::copy(g).unwrap()), expected);
        }
    }

    #[test]
    fn ties_go_to_the_first_candidate() {
        let wiring = Wiring { fan_in: 2, candidates: 3, index: vec![9, 8, 7, 6, 5, 4], centres: vec![] };
        assert_eq!(choose(&wiring, &[0.5, 0.5, 0.2, -1.0, -0.5, -0.5]), [9, 5]);
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let case = Case::new(3, 1, 0.75);
        let op = || LutLayer::new(&case.wiring, &case.var(&case.scores, 1), 0.75).unwrap();
        let (tables, scores) = (case.var(&case.tables, 8), case.var(&case.scores, 1));
        let x = |rows: usize, lanes| Tensor::zeros((rows, lanes), DType::F32, &Device::Cpu).unwrap();
        assert!(x(ROWS, 64).apply_op3(&tables, &scores, op()).is_ok());
        assert!(x(ROWS, 63).apply_op3(&tables, &scores, op()).is_err());
        assert!(x(ROWS - 1, 64).apply_op3(&tables, &scores, op()).is_err());
        assert!(x(ROWS, 64).apply_op3(&case.var(&case.tables, 4), &scores, op()).is_err());
    }
}

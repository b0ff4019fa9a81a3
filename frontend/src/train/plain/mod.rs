//! The layers by Candle's own tensor operations, which Candle differentiates: for a GPU, and to check the kernels by.
//!
//! Formulas stand as they are defined, and memory is no object: every candidate of a slot and every fold of a table is a tensor
//! over all samples. What passes straight through a choice or a rounding is a value and, beside it, `y - y` of which one is
//! detached: nothing is added but the gradient of `y`.
//!
//! Activations are `[rows, lanes]` numbers, bits as zeros and ones. Functions of a node are in `relax/plain.rs`.

use std::sync::Arc;

use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, backend::BackendStorage,
};

use super::area::Penalty;
use super::config::Stabilize;
use super::kernel::LANES;
use super::layer::LutLayer;
use super::relax::plain::{entries, extension};
use super::{pool, tensors};
use crate::rng::Noise;

#[cfg(test)]
mod tests;

/// A layer with its wiring on the device.
pub struct Layer {
    /// The layer.
    pub luts: LutLayer,
    /// `[slots, candidates]`.
    index: Tensor,
    /// `[nodes]`, where nodes have twins.
    twins: Option<Tensor>,
    /// Whether the candidates of each slot are all rows, in order.
    all: bool,
}

/// A pool with its windows on the device.
pub struct Pool {
    /// The pool.
    pub pool: Arc<pool::Pool>,
    /// `[window, places]`.
    index: Tensor,
}

/// `value`, and to its gradient that of `of`.
pub fn beside(value: &Tensor, of: &Tensor) -> Result<Tensor> {
    value + (of - of.detach())?
}

/// `1 / (1 + e^-x)`, and no overflow on the way.
pub fn sigmoid(x: &Tensor) -> Result<Tensor> {
    x.affine(0.5, 0.0)?.tanh()?.affine(0.5, 0.5)
}

/// Ones where a condition holds.
pub fn ones(condition: &Tensor) -> Result<Tensor> {
    condition.to_dtype(DType::F32)
}

/// With a row of zeros behind, which is what lies outside of an image.
fn padded(x: &Tensor) -> Result<Tensor> {
    let nothing = Tensor::zeros((1, x.dim(1)?), DType::F32, x.device())?;
    Tensor::cat(&[x, &nothing], 0)
}

impl Layer {
    /// Puts the wiring of a layer onto the device of its parameters.
    pub fn new(luts: LutLayer) -> Result<Self> {
        let (index, c) = (&luts.wiring.index, luts.wiring.candidates);
        let all = c > 1 && index.chunks(c).all(|slot| slot.iter().copied().eq(0..c as u32));
        let device = luts.tables.var.device();
        let index = Tensor::from_slice(index, (index.len() / c, c), device)?;
        let twins = &luts.wiring.twins;
        let twins = (!twins.is_empty()).then(|| Tensor::from_slice(twins, twins.len(), device)).transpose()?;
        Ok(Self { luts, index, twins, all })
    }

    /// The sums of its groups, `[nodes / per_group, lanes]`, and what its tables cost, where they do.
    pub fn apply(&self, x: &Tensor, noise: Option<Noise>) -> Result<(Tensor, Option<Tensor>)> {
        let LutLayer { relaxation, share, per_group, .. } = &self.luts;
        let (nodes, k, lanes) = (self.luts.nodes(), relaxation.fan_in(), x.dim(1)?);
        let tables = nodes / share;
        let x = self.slots(&padded(x)?)?.reshape((tables, *share, k, lanes))?;
        let x = x.transpose(1, 2)?.contiguous()?.reshape((tables, k, share * lanes))?;

        let theta = self.luts.tables.var.as_tensor();
        let by_lane = noise.filter(|_| relaxation.noise_by_lane()).map(|noise| lane_noise(noise, nodes, lanes));
        let by_lane = by_lane.map(|n| Tensor::from_vec(n, (tables, share * lanes), theta.device())).transpose()?;
        let by_number = noise.filter(|_| !relaxation.noise_by_lane());
        let by_number = by_number.map(|noise| relaxation.tensor_noise(noise, theta)).transpose()?;
        let z = relaxation.tensor_prepare(theta, by_number.as_ref())?;
        let y = self.nodes(&z, &x, by_lane.as_ref(), by_number.is_some())?;

        let y = y.reshape((nodes / per_group, *per_group, lanes))?.sum(1)?;
        let y = match self.luts.stabilize {
            Stabilize::None => y,
            how => y.apply_op1(Stabilized(how))?,
        };
        let cost = if relaxation.is_table() { self.luts.penalty.tensor(&z)? } else { None };
        Ok((y, cost))
    }

    /// The values that slots read, `[slots, lanes]`.
    fn slots(&self, x: &Tensor) -> Result<Tensor> {
        let (slots, c) = self.index.dims2()?;
        if c == 1 {
            return x.index_select(&self.index.flatten_all()?, 0);
        }
        let mut scores = self.luts.scores.var.as_tensor().clone();
        if let Some(twins) = &self.twins {
            // They have the same scores, and the gradient of both.
            let of_node = (twins.elem_count(), slots * c / twins.elem_count());
            let others = scores.reshape(of_node)?.index_select(twins, 0)?.reshape((slots, c))?;
            scores = beside(&scores, &others)?;
        }
        let best = scores.detach().argmax_keepdim(1)?;
        let read = x.index_select(&self.index.gather(&best, 1)?.flatten_all()?, 0)?;
        // Of a score the gradient is that of reading its candidate: Σ (2x - 1) g.
        let signs = x.detach().affine(2.0, -1.0)?;
        let pull = if self.all {
            scores.matmul(&signs.narrow(0, 0, c)?)?
        } else {
            let signs = signs.index_select(&self.index.flatten_all()?, 0)?.reshape((slots, c, x.dim(1)?))?;
            scores.unsqueeze(2)?.broadcast_mul(&signs)?.sum(1)?
        };
        beside(&read, &pull)
    }

    /// Outputs `[tables, samples]` of the inputs `[tables, k, samples]`.
    fn nodes(&self, z: &Tensor, x: &Tensor, by_lane: Option<&Tensor>, noisy: bool) -> Result<Tensor> {
        let LutLayer { relaxation, bits_in, hard, .. } = &self.luts;
        let relaxed = match (relaxation.is_table(), bits_in) {
            (false, _) => relaxation.tensor_logit(z, x, by_lane)?,
            (true, true) => {
                let read = entries(z, x)?;
                match x.track_op() {
                    true => beside(&read, &extension(&z.detach(), &relaxation.tensor_shrunk(x)?)?)?,
                    false => read,
                }
            }
            (true, false) if relaxation.reads_entry() => beside(&entries(&z.detach(), x)?, &extension(z, x)?)?,
            (true, false) => extension(z, x)?,
        };
        if !hard {
            return Ok(relaxed);
        }
        let bits = match relaxation.is_table() {
            true => entries(&relaxation.tensor_harden(self.luts.tables.var.as_tensor(), z, noisy)?, x)?,
            false => ones(&relaxed.ge(0.5)?)?,
        };
        beside(&bits.detach(), &relaxed)
    }
}

/// `[nodes, lanes]` numbers of the logistic distribution, as the kernels draw them.
fn lane_noise(noise: Noise, nodes: usize, lanes: usize) -> Vec<f32> {
    let row = |node: usize| (0..lanes).map(move |i| noise.of(node).of(i / LANES).logistic(i % LANES));
    (0..nodes).flat_map(row).collect()
}

impl Pool {
    /// Puts the windows of a pool onto a device.
    pub fn new(pool: Arc<pool::Pool>, device: &Device) -> Result<Self> {
        let places = pool.index.len() / pool.window;
        let index = Tensor::from_slice(&pool.index, (places, pool.window), device)?.t()?.contiguous()?;
        Ok(Self { pool, index })
    }

    /// The largest of each window; the gradient goes to the first of the largest.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let x = padded(x)?;
        let row = |j: usize| x.index_select(&self.index.get(j)?, 0);
        (1..self.pool.window).try_fold(row(0)?, |most, j| row(j)?.gt(&most)?.where_cond(&row(j)?, &most))
    }
}

impl Penalty {
    /// What tables of probabilities `[tables, entries]` cost, all of them together, where anything does.
    fn tensor(&self, z: &Tensor) -> Result<Option<Tensor>> {
        if self.has_no_gradient() {
            return Ok(None);
        }
        let (tables, entries) = z.dims2()?;
        let gap = (z * z.affine(-1.0, 1.0)?)?.affine(4.0 * f64::from(self.gap), 0.0)?.sum_all()?;
        let mut all = gap;
        for j in 0..entries.trailing_zeros() {
            let [low, high] = halves(z, tables, entries, j)?;
            all = (all + ((high - low)?.sqr()?.sum_all()? * f64::from(self.spectral))?)?;
        }
        Ok(Some((all / entries as f64)?))
    }

    /// [`Penalty::shrink`] of all tables `[tables, entries]`.
    pub fn tensor_shrink(&self, theta: &Tensor, rate: f64) -> Result<Tensor> {
        let (tables, entries) = theta.dims2()?;
        let length = 2.0 * f64::from(self.area) * rate;
        let mut theta = theta.clone();
        for j in 0..entries.trailing_zeros() {
            let [low, high] = halves(&theta, tables, entries, j)?;
            let (middle, rise) = (((&low + &high)? * 0.5)?, (&high - &low)?);
            let norm = rise.sqr()?.sum_keepdim((1, 2, 3))?.sqrt()?;
            let kept = norm.recip()?.affine(-0.5 * length, 0.5)?;
            let keep = norm.gt(length)?.where_cond(&kept, &norm.zeros_like()?)?;
            let half = rise.broadcast_mul(&keep)?;
            theta = Tensor::cat(&[(&middle - &half)?, (&middle + &half)?], 2)?.reshape((tables, entries))?;
        }
        Ok(theta)
    }
}

/// Entries where input `j` is 0 and where it is 1, `[tables, entries >> (j + 1), 1, 1 << j]` each.
fn halves(table: &Tensor, tables: usize, entries: usize, j: u32) -> Result<[Tensor; 2]> {
    let pairs = table.reshape((tables, entries >> (j + 1), 2, 1 << j))?;
    Ok([pairs.narrow(2, 0, 1)?, pairs.narrow(2, 1, 1)?])
}

/// Nothing, but for the gradient, which is scaled to a mean square of one.
struct Stabilized(Stabilize);

impl CustomOp1 for Stabilized {
    fn name(&self) -> &'static str {
        "stabilized"
    }

    fn cpu_fwd(&self, x: &CpuStorage, at: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(tensors::floats(x, at)?.to_vec()), at.shape().clone()))
    }

    fn cuda_fwd(&self, x: &CudaStorage, at: &Layout) -> Result<(CudaStorage, Shape)> {
        // A sum, which has storage of its own from the beginning on.
        Ok((x.try_clone(at)?, at.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let square = grad.sqr()?;
        let mean = match self.0 {
            Stabilize::Sample => square.mean_keepdim(0)?,
            _ => square.mean_keepdim((0, 1))?,
        };
        Ok(Some(grad.broadcast_div(&mean.affine(1.0, 1e-8)?.sqrt()?)?))
    }
}

//! The same functions by tensor operations, as they are defined, for all tables of a layer at once.
//!
//! Trained numbers are `[tables, numbers]`, inputs `[tables, k, samples]`, and values `[tables, samples]`.

use candle_core::{Result, Tensor};

use super::super::config::{NodeKind, Squash};
use super::super::plain::{beside, ones, sigmoid};
use super::{Relaxation, gates};
use crate::rng::Noise;

/// The multilinear extension of tables `[tables, 2^k]`: input 0 folds neighbouring entries, input 1 the results, and so on.
pub fn extension(z: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (tables, k, _) = x.dims3()?;
    let mut folded = z.unsqueeze(2)?;
    for j in 0..k {
        let (_, entries, samples) = folded.dims3()?;
        let pairs = folded.reshape((tables, entries / 2, 2, samples))?;
        let (low, high) = (pairs.narrow(2, 0, 1)?.squeeze(2)?, pairs.narrow(2, 1, 1)?.squeeze(2)?);
        folded = low.broadcast_add(&(&high - &low)?.broadcast_mul(&x.narrow(1, j, 1)?)?)?;
    }
    folded.squeeze(1)
}

/// Entries of tables `[tables, 2^k]` at the rounded inputs.
pub fn entries(table: &Tensor, x: &Tensor) -> Result<Tensor> {
    let k = x.dim(1)?;
    let weights: Vec<f32> = (0..k).map(|j| (1 << j) as f32).collect();
    let weights = Tensor::from_vec(weights, (1, k, 1), x.device())?;
    let address = ones(&x.detach().ge(0.5)?)?.broadcast_mul(&weights)?.sum(1)?;
    table.contiguous()?.gather(&address.to_dtype(candle_core::DType::U32)?, 1)
}

/// `Σ_j w_j x_j + w_k`.
fn affine(w: &Tensor, x: &Tensor) -> Result<Tensor> {
    let k = x.dim(1)?;
    w.narrow(1, 0, k)?.unsqueeze(2)?.broadcast_mul(x)?.sum(1)?.broadcast_add(&w.narrow(1, k, 1)?)
}

/// A matrix of zeros and ones, or of other numbers, by row and column.
fn matrix(rows: usize, columns: usize, like: &Tensor, of: impl Fn(usize, usize) -> f32) -> Result<Tensor> {
    let numbers = (0..rows * columns).map(|i| of(i / columns, i % columns)).collect();
    Tensor::from_vec(numbers, (rows, columns), like.device())
}

impl Relaxation {
    /// A step's noise of the trained numbers.
    pub fn tensor_noise(&self, noise: Noise, theta: &Tensor) -> Result<Tensor> {
        let (tables, n) = theta.dims2()?;
        let of = |i: usize| match self.kind {
            NodeKind::Difflogic => noise.of(i / n).gumbel(i % n),
            _ => noise.of(i / n).logistic(i % n),
        };
        Tensor::from_vec((0..tables * n).map(of).collect(), (tables, n), theta.device())
    }

    /// [`Relaxation::prepare`]: probabilities `[tables, 2^k]` of what is a table, logits at the corners of what WARP has.
    pub fn tensor_prepare(&self, theta: &Tensor, noise: Option<&Tensor>) -> Result<Tensor> {
        let noisy = match noise {
            Some(noise) => (theta + noise)?,
            None => theta.clone(),
        };
        let divided = || noisy.affine(1.0 / f64::from(self.temperature), 0.0);
        match (self.kind, self.squash) {
            (NodeKind::Dwn, _) => noisy.affine(0.5, 0.5),
            (NodeKind::Hybrid | NodeKind::Light, Squash::Sigmoid) => sigmoid(&divided()?),
            (NodeKind::Hybrid | NodeKind::Light, Squash::Sinusoid) => noisy.sin()?.affine(0.5, 0.5),
            (NodeKind::Difflogic, _) => {
                let u = divided()?;
                let p = u.broadcast_sub(&u.detach().max_keepdim(1)?)?.exp()?;
                let p = p.broadcast_div(&p.sum_keepdim(1)?)?;
                p.matmul(&matrix(gates::GATES, 4, theta, |gate, a| f32::from(u8::from(gates::entry(gate, a))))?)
            }
            (NodeKind::Warp, _) => {
                let sign = |set: usize, a: usize| if (set & !a).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
                noisy.matmul(&matrix(1 << self.k, 1 << self.k, theta, sign)?)
            }
            _ => Ok(noisy),
        }
    }

    /// Values of what is no table; noise is added to logits.
    pub fn tensor_logit(&self, z: &Tensor, x: &Tensor, noise: Option<&Tensor>) -> Result<Tensor> {
        let u = match self.kind {
            NodeKind::Linear => affine(z, x)?,
            NodeKind::Polynomial => self.tensor_polynomial(z, x)?,
            NodeKind::Neural => self.tensor_neural(z, x)?,
            NodeKind::Fourier => {
                let u = self.tensor_fourier(z, x)?;
                let inside = (ones(&u.gt(0.0)?)? * ones(&u.lt(1.0)?)?)?;
                return beside(&u.detach().clamp(0f32, 1f32)?, &(u * inside.detach())?);
            }
            _ => extension(z, x)?,
        };
        let u = match noise {
            Some(noise) => (u + noise)?,
            None => u,
        };
        sigmoid(&u.affine(1.0 / f64::from(self.temperature), 0.0)?)
    }

    fn tensor_polynomial(&self, w: &Tensor, x: &Tensor) -> Result<Tensor> {
        let product = |m: &[u8]| -> Result<Tensor> {
            let mut product = x.narrow(1, 0, 1)?.ones_like()?;
            for (j, &e) in m.iter().enumerate() {
                for _ in 0..e {
                    product = (product * x.narrow(1, j, 1)?)?;
                }
            }
            Ok(product)
        };
        let products = self.monomials.iter().map(|m| product(m)).collect::<Result<Vec<_>>>()?;
        w.unsqueeze(2)?.broadcast_mul(&Tensor::cat(&products, 1)?)?.sum(1)
    }

    fn tensor_neural(&self, w: &Tensor, x: &Tensor) -> Result<Tensor> {
        let (units, k) = (self.units, self.k);
        let inner = w.narrow(1, 0, units * (k + 1))?.reshape((w.dim(0)?, units, k + 1))?;
        let outer = w.narrow(1, units * (k + 1), units)?.unsqueeze(2)?;
        let past = w.narrow(1, units * (k + 2), k + 1)?;
        let hidden = inner.narrow(2, 0, k)?.contiguous()?.matmul(x)?.broadcast_add(&inner.narrow(2, k, 1)?)?;
        let active = (&hidden * ones(&hidden.detach().gt(0.0)?)?)?;
        outer.broadcast_mul(&active)?.sum(1)? + affine(&past, x)?
    }

    fn tensor_fourier(&self, w: &Tensor, x: &Tensor) -> Result<Tensor> {
        let (tables, k, _) = x.dims3()?;
        let sets = 1 << k;
        let within = matrix(sets, k, w, |set, j| if set >> j & 1 == 1 { std::f32::consts::PI } else { 0.0 })?;
        let angle = within.broadcast_left(tables)?.contiguous()?.matmul(x)?;
        let wave = angle.broadcast_add(&w.narrow(1, sets, sets)?.unsqueeze(2)?)?.cos()?;
        let amplitudes = w.narrow(1, 0, sets)?;
        let amplitudes = amplitudes.broadcast_div(&amplitudes.abs()?.sum_keepdim(1)?.affine(1.0, 1e-8)?)?;
        amplitudes.unsqueeze(2)?.broadcast_mul(&wave)?.sum(1)?.broadcast_add(&w.narrow(1, 2 * sets, 1)?)
    }

    /// Inputs that are bits moved to the points at which tables have their slopes; the gradient is that of the bits.
    pub fn tensor_shrunk(&self, x: &Tensor) -> Result<Tensor> {
        let p = f64::from(self.smoothing);
        beside(&x.detach().affine(2.0 * p - 1.0, 1.0 - p)?, x)
    }

    /// Bits of the tables: where a probability is one half and more, or, where the trained numbers say so themselves and have
    /// no noise, these.
    pub fn tensor_harden(&self, theta: &Tensor, z: &Tensor, noisy: bool) -> Result<Tensor> {
        ones(&match self.least_number().filter(|_| !noisy) {
            Some(least) => theta.detach().ge(least)?,
            None => z.detach().ge(self.least())?,
        })
    }
}

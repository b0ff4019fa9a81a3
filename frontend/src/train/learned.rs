//! Thresholds that are trained: a thermometer whose bits pass gradients to them through a sigmoid.
//!
//! In torchlogix's parametrisation: the first threshold is free, each next one adds a softplus, so that they never fall.
//! All in units of the range of the features that share them.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::config;
use super::encoder::{Encoder, columns};
use super::optim::Parameter;
use super::plain::{beside, ones, sigmoid};
use super::tensors;
use crate::data::Features;
use crate::model::Thresholds;

/// Sharpness of the softplus.
const SOFT: f32 = 0.1;

/// Thresholds in training.
pub struct Learned {
    /// `[columns, bits]`.
    pub raw: Parameter,
    bits: usize,
    /// The column of each feature.
    column: Vec<u32>,
    /// Offset and scale of each column.
    range: Vec<(f32, f32)>,
    temperature: f32,
}

impl Learned {
    /// Begins with the thresholds of a fitted thermometer.
    pub fn new(encoder: &Encoder, shape: &[usize], config: &config::Encoder, device: &Device) -> Result<Self> {
        let bits = encoder.bits;
        let (mut raw, mut range) = (Vec::new(), Vec::new());
        let mut column = vec![0; shape.iter().product()];
        for (i, features) in columns(shape, config.scope).into_iter().enumerate() {
            column[features.clone()].fill(i as u32);
            let at = |b: usize| match &encoder.thresholds {
                Thresholds::U8(t) => f32::from(t[features.start * bits + b]),
                Thresholds::F32(t) => t[features.start * bits + b],
            };
            let scale = (at(bits - 1) - at(0)).max(1e-6) * (bits + 1) as f32 / (bits.max(2) - 1) as f32;
            let low = at(0) - scale / (bits + 1) as f32;
            range.push((low, scale));
            let unit = |b: usize| (at(b) - low) / scale;
            raw.push(unit(0));
            // The inverse of the softplus, of a step that is not quite nothing.
            raw.extend((1..bits).map(|b| SOFT * ((unit(b) - unit(b - 1)).max(1e-4) / SOFT).exp_m1().ln()));
        }
        let tensor = Tensor::from_vec(raw, (range.len(), bits), device)?;
        let raw = Parameter::new(&tensor, false, [-100.0, 100.0])?;
        Ok(Self { raw, bits, column, range, temperature: config.temperature as f32 })
    }

    /// `[columns, bits]` in units of the range.
    fn unit(&self, raw: &[f32]) -> Vec<f32> {
        let row = |raw: &[f32]| {
            let mut t = raw[0];
            let mut row = vec![t];
            for r in &raw[1..] {
                t += SOFT * (r / SOFT).exp().ln_1p().min(1e6);
                row.push(t);
            }
            row
        };
        raw.chunks(self.bits).flat_map(row).collect()
    }

    /// The present encoder; bytes round their thresholds down, which keeps every bit.
    pub fn encoder(&self, x: &Features) -> Result<Encoder> {
        let unit = self.unit(&tensors::copy(&self.raw.var)?);
        let of = |f: usize, b: usize| {
            let column = self.column[f] as usize;
            let (low, scale) = self.range[column];
            low + scale * unit[column * self.bits + b]
        };
        let all: Vec<f32> = (0..self.column.len()).flat_map(|f| (0..self.bits).map(move |b| of(f, b))).collect();
        let thresholds = match x {
            Features::U8(_) => Thresholds::F32(all.into_iter().map(f32::floor).collect()),
            Features::F32(_) => Thresholds::F32(all),
        };
        Ok(Encoder { bits: self.bits, thresholds, codes: None })
    }

    /// Bits `[features * bits, lanes]` of the features `[features, lanes]`; the gradient of thresholds stays in the parameter.
    pub fn apply(self: &Arc<Self>, x: &Tensor) -> Result<Tensor> {
        x.apply_op2(&self.raw.var, Application(Arc::clone(self)))
    }

    /// The same by tensor operations.
    pub fn tensor(&self, x: &Tensor) -> Result<Tensor> {
        let ((features, lanes), bits, device) = (x.dims2()?, self.bits, x.device());
        let raw = self.raw.var.as_tensor();
        // A softplus that does not overflow: the larger of x and 0, and what the exponential adds to it.
        let sharp = raw.affine(1.0 / f64::from(SOFT), 0.0)?;
        let steps = ((sharp.relu()? + (sharp.abs()?.neg()?.exp()? + 1.0)?.log()?)? * f64::from(SOFT))?;
        let first = raw.narrow(1, 0, 1)?;
        let steps = if bits > 1 { Tensor::cat(&[&first, &steps.narrow(1, 1, bits - 1)?], 1)? } else { first };
        let of = |numbers: Vec<f32>| Tensor::from_vec(numbers, (features, 1, 1), device);
        let range = || self.column.iter().map(|&column| self.range[column as usize]);
        let (low, scale) = (of(range().map(|r| r.0).collect())?, of(range().map(|r| r.1).collect())?);
        let column = Tensor::from_slice(&self.column, features, device)?;
        let unit = steps.cumsum(1)?.index_select(&column, 0)?.unsqueeze(2)?;
        let x = x.unsqueeze(1)?;
        let above = x.broadcast_gt(&unit.detach().broadcast_mul(&scale)?.broadcast_add(&low)?)?;
        let x = x.broadcast_sub(&low)?.broadcast_div(&scale)?;
        let soft = sigmoid(&x.broadcast_sub(&unit)?.affine(1.0 / f64::from(self.temperature), 0.0)?)?;
        beside(&ones(&above)?, &soft)?.reshape((features * bits, lanes))
    }
}

struct Application(Arc<Learned>);

impl CustomOp2 for Application {
    fn name(&self) -> &'static str {
        "thresholds"
    }

    fn cpu_fwd(&self, x: &CpuStorage, x_at: &Layout, raw: &CpuStorage, raw_at: &Layout) -> Result<(CpuStorage, Shape)> {
        let (features, lanes) = x_at.shape().dims2()?;
        let Learned { bits, column, range, .. } = &*self.0;
        let (x, unit) = (tensors::floats(x, x_at)?, self.0.unit(tensors::floats(raw, raw_at)?));
        let mut y = vec![0f32; features * bits * lanes];
        y.par_chunks_mut(lanes).with_min_len(64).enumerate().for_each(|(i, y)| {
            let (f, b) = (i / bits, i % bits);
            let (low, scale) = range[column[f] as usize];
            let t = low + scale * unit[column[f] as usize * bits + b];
            y.iter_mut().zip(&x[f * lanes..][..lanes]).for_each(|(y, &x)| *y = f32::from(u8::from(x > t)));
        });
        Ok((CpuStorage::F32(y), (features * bits, lanes).into()))
    }

    fn bwd(&self, x: &Tensor, raw: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Learned { bits, column, range, temperature, .. } = &*self.0;
        let (features, lanes) = x.dims2()?;
        tensors::with(raw, |raw: &[f32]| {
            tensors::with(x, |x: &[f32]| {
                tensors::with(&grad.contiguous()?, |grad: &[f32]| {
                    let unit = self.0.unit(raw);
                    // Of each bit: a higher threshold makes fewer ones.
                    let each: Vec<f32> = (0..features * bits)
                        .into_par_iter()
                        .with_min_len(64)
                        .map(|i| {
                            let (f, b) = (i / bits, i % bits);
                            let (low, scale) = range[column[f] as usize];
                            let t = unit[column[f] as usize * bits + b];
                            let samples = x[f * lanes..][..lanes].iter().zip(&grad[i * lanes..][..lanes]);
                            let slope = |(x, g): (&f32, &f32)| {
                                let s = super::math::sigmoid(((x - low) / scale - t) / temperature);
                                -g * s * (1.0 - s) / temperature
                            };
                            samples.map(slope).sum()
                        })
                        .collect();
                    let mut state = self.0.raw.state();
                    state.gradient.fill(0.0);
                    for (i, d) in each.iter().enumerate() {
                        state.gradient[column[i / bits] as usize * bits + i % bits] += d;
                    }
                    for (d, raw) in state.gradient.chunks_mut(*bits).zip(raw.chunks(*bits)) {
                        // A step moves its threshold and all above it.
                        (0..bits - 1).rev().for_each(|b| d[b] += d[b + 1]);
                        d[1..].iter_mut().zip(&raw[1..]).for_each(|(d, r)| *d *= super::math::sigmoid(r / SOFT));
                    }
                    Ok(())
                })
            })
        })?;
        Ok((None, None))
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::{EncoderKind, Scope};
    use super::*;

    #[test]
    fn begins_as_fitted_and_learns_by_the_sigmoid() {
        let x: Vec<f32> = (0..64).map(|i| (i * i % 61) as f32 / 7.0).collect();
        let features = Features::F32(x.clone());
        let samples: Vec<u32> = (0..32).collect();
        let config = config::Encoder {
            kind: EncoderKind::Learnable,
            bits: 3,
            scope: Scope::Feature,
            temperature: 0.3,
            ..Default::default()
        };
        let fitted = Encoder::fit(&features, &[2], &samples, &config);
        let learned = Arc::new(Learned::new(&fitted, &[2], &config, &Device::Cpu).unwrap());
        let (Thresholds::F32(a), Thresholds::F32(b)) =
            (&fitted.thresholds, &learned.encoder(&features).unwrap().thresholds)
        else {
            panic!("reals")
        };
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3), "{a:?} {b:?}");
        // Features by row; weights of the bits in the loss.
        let rows: Vec<f32> = (0..2).flat_map(|f| (0..32).map(|i| x[i * 2 + f]).collect::<Vec<_>>()).collect();
        let rows_tensor = Tensor::from_slice(&rows, (2, 32), &Device::Cpu).unwrap();
        let weights: Vec<f32> = (0..6 * 32).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
        let y = learned.apply(&rows_tensor).unwrap();
        for (i, y) in tensors::copy(&y).unwrap().iter().enumerate() {
            let (bit, lane) = (i / 32, i % 32);
            assert_eq!(*y == 1.0, rows[bit / 3 * 32 + lane] > b[bit]);
        }
        let w = Tensor::from_slice(&weights, (6, 32), &Device::Cpu).unwrap();
        (&y * &w).unwrap().sum_all().unwrap().backward().unwrap();
        let found = learned.raw.state().gradient.clone();
        let plain = learned.tensor(&rows_tensor).unwrap();
        assert_eq!(tensors::copy(&plain).unwrap(), tensors::copy(&y).unwrap());
        let gradients = (plain * w).unwrap().sum_all().unwrap().backward().unwrap();
        for (a, b) in tensors::copy(gradients.get(&learned.raw.var).unwrap()).unwrap().iter().zip(&found) {
            assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()), "{a} {b}");
        }
        let raw = tensors::copy(&learned.raw.var).unwrap();
        let loss = |raw: &[f32]| -> f64 {
            let unit = learned.unit(raw);
            (0..6 * 32)
                .map(|i| {
                    let (bit, lane) = (i / 32, i % 32);
                    let (low, scale) = learned.range[bit / 3];
                    let u = (rows[bit / 3 * 32 + lane] - low) / scale - unit[bit];
                    f64::from(weights[i]) / (1.0 + (-f64::from(u) / 0.3).exp())
                })
                .sum()
        };
        for i in 0..6 {
            let at = |h: f32| {
                let mut raw = raw.clone();
                raw[i] += h;
                loss(&raw)
            };
            let expected = (at(0.01) - at(-0.01)) / 0.02;
            assert!(
                (f64::from(found[i]) - expected).abs() < 0.02 * (1.0 + expected.abs()),
                "{i}: {} not {expected}",
                found[i]
            );
        }
    }
}

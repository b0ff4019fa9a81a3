//! Cross-entropy of scores against labels, its gradient made along with it.
//!
//! Scores are `[classes, lanes]`, as the layers give them: each lane is a sample, and all steps are vectors over lanes.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, bail};

use super::kernel::{LANES, Row};
use super::math::exp;
use super::simd::{Kernel, Lanes, widest};
use super::tensors;

/// Mean over the samples of `-Σ_c q_c log p_c`, where `p` is the softmax of the scores over the temperature.
pub struct CrossEntropy {
    /// `[classes, samples]`: what each class should have; the lanes beyond the samples do not count.
    targets: Vec<f32>,
    samples: usize,
    temperature: f32,
    /// `[classes, lanes]`, once computed.
    gradient: OnceLock<Vec<f32>>,
}

impl CrossEntropy {
    /// For labels, of which `smoothing` is spread over all `classes`, and with the weight `distill` for the soft labels
    /// `[samples, classes]`.
    pub fn new(labels: &[u32], classes: usize, smoothing: f64, soft: Option<(&[f32], f64)>, temperature: f64) -> Self {
        let n = labels.len();
        let hard = 1.0 - soft.map_or(0.0, |(_, weight)| weight);
        let mut targets = vec![(hard * smoothing / classes as f64) as f32; classes * n];
        for (i, &y) in labels.iter().enumerate() {
            targets[y as usize * n + i] += (hard * (1.0 - smoothing)) as f32;
            if let Some((soft, weight)) = soft {
                let soft = &soft[i * classes..][..classes];
                soft.iter().enumerate().for_each(|(c, q)| targets[c * n + i] += weight as f32 * q);
            }
        }
        Self { targets, samples: n, temperature: temperature as f32, gradient: OnceLock::new() }
    }

    /// The same by tensor operations.
    pub fn tensor(&self, scores: &Tensor) -> Result<Tensor> {
        let n = self.samples;
        let targets = Tensor::from_slice(&self.targets, (self.targets.len() / n, n), scores.device())?;
        let s = scores.narrow(1, 0, n)?.affine(1.0 / f64::from(self.temperature), 0.0)?;
        let s = s.broadcast_sub(&s.detach().max_keepdim(0)?)?;
        let log = s.broadcast_sub(&s.exp()?.sum_keepdim(0)?.log()?)?;
        (targets * log)?.sum_all()?.affine(-1.0 / n as f64, 0.0)
    }
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, scores: &CpuStorage, at: &Layout) -> Result<(CpuStorage, Shape)> {
        let (classes, lanes) = at.shape().dims2()?;
        if classes * self.samples != self.targets.len() || !lanes.is_multiple_of(LANES) || lanes < self.samples {
            bail!("scores {classes} by {lanes} for {} samples", self.samples);
        }
        let (scores, mut gradient) = (tensors::floats(scores, at)?, vec![0f32; classes * lanes]);
        let mut loss = 0.0;
        for first in (0..self.samples).step_by(LANES) {
            let block = Block { op: self, scores, lanes, first, gradient: &mut gradient, loss: &mut loss };
            widest(block);
        }
        self.gradient.get_or_init(|| gradient);
        Ok((CpuStorage::F32(vec![(loss / self.samples as f64) as f32]), ().into()))
    }

    fn bwd(&self, scores: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let Some(gradient) = self.gradient.get() else { bail!("backward before forward") };
        let by = grad.to_scalar::<f32>()?;
        let gradient = gradient.iter().map(|g| g * by).collect();
        Ok(Some(Tensor::from_vec(gradient, scores.shape(), &Device::Cpu)?))
    }
}

/// The samples of a word.
struct Block<'a> {
    op: &'a CrossEntropy,
    scores: &'a [f32],
    lanes: usize,
    first: usize,
    gradient: &'a mut [f32],
    loss: &'a mut f64,
}

impl Kernel for Block<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { op, scores, lanes, first, gradient, loss } = self;
        let n = op.samples;
        let here = LANES.min(n - first);
        let rows = || scores.chunks_exact(lanes).map(|row| &row[first..][..LANES]);
        let scale = 1.0 / op.temperature;
        let mut most: Row = [f32::NEG_INFINITY; LANES];
        rows().for_each(|row| most.iter_mut().zip(row).for_each(|(m, s)| *m = m.max(*s)));
        let mut all: Row = [0.0; LANES];
        for (row, e) in rows().zip(gradient.chunks_exact_mut(lanes)) {
            for i in 0..LANES {
                let x = exp((row[i] - most[i]) * scale);
                e[first + i] = x;
                all[i] += x;
            }
        }
        // log p = (s - most) / t - log Σ exp((s - most) / t)
        let log: Row = all.map(f32::ln);
        let mut whole: Row = [0.0; LANES];
        for (row, q) in rows().zip(op.targets.chunks_exact(n)) {
            for (i, q) in q[first..][..here].iter().enumerate() {
                whole[i] += q;
                *loss -= f64::from(q * ((row[i] - most[i]) * scale - log[i]));
            }
        }
        let per_score = scale / n as f32;
        for (g, q) in gradient.chunks_exact_mut(lanes).zip(op.targets.chunks_exact(n)) {
            let (g, beyond) = g[first..][..LANES].split_at_mut(here);
            for (i, (g, q)) in g.iter_mut().zip(&q[first..]).enumerate() {
                *g = per_score * (*g / all[i] * whole[i] - q);
            }
            beyond.fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    #[test]
    fn is_what_candle_says() {
        let (classes, n, lanes) = (5, 70, 2 * LANES);
        let scores: Vec<f32> = (0..classes * lanes).map(|i| (i * 37 % 23) as f32 / 4.0).collect();
        let labels: Vec<u32> = (0..n as u32).map(|i| i * 7 % 5).collect();
        let scores = Var::from_slice(&scores, (classes, lanes), &Device::Cpu).unwrap();
        let ours = scores.apply_op1(CrossEntropy::new(&labels, classes, 0.0, None, 1.7)).unwrap();
        let logits = scores.narrow(1, 0, n).unwrap().t().unwrap().affine(1.0 / 1.7, 0.0).unwrap();
        let theirs = candle_nn::loss::cross_entropy(&logits, &Tensor::new(labels, &Device::Cpu).unwrap()).unwrap();
        let gradient = |loss: &Tensor| tensors::copy(loss.backward().unwrap().get(&scores).unwrap()).unwrap();
        assert!((ours.to_scalar::<f32>().unwrap() - theirs.to_scalar::<f32>().unwrap()).abs() < 1e-5);
        for (i, (a, b)) in gradient(&ours).iter().zip(gradient(&theirs)).enumerate() {
            assert!((a - b).abs() < 1e-6, "{i}: {a} {b}");
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let (classes, n, lanes) = (3, 70, 2 * LANES);
        let scores: Vec<f32> = (0..classes * lanes).map(|i| (i * 37 % 23) as f32 / 4.0).collect();
        let labels: Vec<u32> = (0..n as u32).map(|i| i * 7 % 3).collect();
        let soft: Vec<f32> = (0..n * classes).map(|i| (i * 11 % 5) as f32 / 6.0).collect();
        let op = |how: usize| match how {
            0 => CrossEntropy::new(&labels, classes, 0.0, None, 1.7),
            _ => CrossEntropy::new(&labels, classes, 0.2, Some((&soft, 0.3)), 0.8),
        };
        let var = |scores: &[f32]| Var::from_slice(scores, (classes, lanes), &Device::Cpu).unwrap();
        for how in [0, 1] {
            let at = |scores: &[f32]| var(scores).apply_op1(op(how)).unwrap().to_scalar::<f32>().unwrap();
            let x = var(&scores);
            let loss = (x.apply_op1(op(how)).unwrap() * 2.0).unwrap();
            let found = tensors::copy(loss.backward().unwrap().get(&x).unwrap()).unwrap();
            for c in 0..classes {
                for lane in [0, 1, 63, 64, 69, 70, 127] {
                    let i = c * lanes + lane;
                    let moved = |h: f32| {
                        let mut scores = scores.clone();
                        scores[i] += h;
                        f64::from(at(&scores))
                    };
                    let expected = 2.0 * (moved(0.25) - moved(-0.25)) / 0.5;
                    assert!(
                        (f64::from(found[i]) - expected).abs() < 5e-4,
                        "{how}: {c}, {lane}: {} {expected}",
                        found[i]
                    );
                    assert!(lane < n || found[i] == 0.0);
                }
            }
            assert!(found.iter().any(|g| g.abs() > 0.005));
        }
    }
}

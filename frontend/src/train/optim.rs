//! AdamW (Loshchilov and Hutter, 2019) in one pass over each parameter, with its state open to checkpoints.

use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::{Result, Tensor, Var};
use rayon::prelude::*;

use super::config::{Optimizer, Schedule};
use super::simd::{Kernel, Lanes, widest};
use super::tensors;

/// Elements that a thread updates at a time.
const CHUNK: usize = 8192;

/// A trained tensor, its gradient, and what the optimizer remembers of earlier ones.
pub struct Parameter {
    /// The tensor.
    pub var: Var,
    state: Mutex<State>,
    decays: bool,
    bounds: [f32; 2],
}

/// What belongs to a parameter, of its length each.
pub struct State {
    /// Gradient of the present step.
    pub gradient: Vec<f32>,
    /// Running mean of the gradient, then of its square.
    moments: [Vec<f32>; 2],
    /// The same where updates are tensor operations, from the first one on.
    tensors: Option<[Tensor; 2]>,
}

impl Parameter {
    /// A parameter without history; `decays` says whether weight decay concerns it, `bounds` are kept after each step.
    pub fn new(tensor: &Tensor, decays: bool, bounds: [f32; 2]) -> Result<Self> {
        let zeros = vec![0.0; tensor.elem_count()];
        let state = State { gradient: zeros.clone(), moments: [zeros.clone(), zeros], tensors: None };
        Ok(Self { var: Var::from_tensor(tensor)?, state: Mutex::new(state), decays, bounds })
    }

    /// Gradient and moments.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The moments, as checkpoints keep them.
    pub fn moments(&self) -> Result<[Vec<f32>; 2]> {
        match &*self.state() {
            State { tensors: Some([mean, square]), .. } => Ok([tensors::copy(mean)?, tensors::copy(square)?]),
            State { moments, .. } => Ok(moments.clone()),
        }
    }

    /// Sets the moments.
    pub fn set_moments(&self, moments: [Vec<f32>; 2]) {
        let mut state = self.state();
        (state.moments, state.tensors) = (moments, None);
    }

    /// Numbers in it.
    pub fn len(&self) -> usize {
        self.var.elem_count()
    }

    fn rule(&self, config: &Optimizer, rate: f64, step: usize) -> Rule {
        let power = step.min(i32::MAX as usize) as i32;
        let (c1, c2) = (1.0 - config.beta1.powi(power), 1.0 - config.beta2.powi(power));
        Rule {
            beta: [config.beta1 as f32, config.beta2 as f32],
            rate: (rate / c1) as f32,
            scale: (1.0 / c2) as f32,
            epsilon: config.epsilon as f32,
            keep: if self.decays { (1.0 - rate * config.weight_decay) as f32 } else { 1.0 },
            bounds: self.bounds,
        }
    }

    /// [`Self::update`] by tensor operations, with a gradient that Candle made.
    pub fn tensor_update(&self, gradient: &Tensor, config: &Optimizer, rate: f64, step: usize) -> Result<()> {
        let Rule { beta, rate, scale, epsilon, keep, bounds: [low, high] } = self.rule(config, rate, step);
        let state = &mut *self.state();
        let [mean, square] = match state.tensors.take() {
            Some(moments) => moments,
            None => {
                let tensor = |numbers: &[f32]| Tensor::from_slice(numbers, self.var.shape(), self.var.device());
                [tensor(&state.moments[0])?, tensor(&state.moments[1])?]
            }
        };
        let blend = |old: &Tensor, new: Tensor, beta: f32| {
            old.affine(beta.into(), 0.0)? + new.affine((1.0 - beta).into(), 0.0)?
        };
        let mean = blend(&mean, gradient.clone(), beta[0])?;
        let square = blend(&square, gradient.sqr()?, beta[1])?;
        let root = square.affine(scale.into(), 0.0)?.sqrt()?.affine(1.0, epsilon.into())?;
        let next =
            (self.var.as_detached_tensor().affine(keep.into(), 0.0)? - (&mean / root)?.affine(rate.into(), 0.0)?)?;
        let bounded = if low.is_finite() { next.clamp(low, high)? } else { next };
        state.tensors = Some([mean, square]);
        self.var.set(&bounded)
    }

    /// One update with the present gradient; `step` counts from one, `rate` is the current learning rate.
    pub fn update(&self, config: &Optimizer, rate: f64, step: usize) -> Result<()> {
        let rule = self.rule(config, rate, step);
        tensors::change(&self.var, |weights| {
            let State { gradient, moments: [mean, square], .. } = &mut *self.state();
            weights
                .par_chunks_mut(CHUNK)
                .zip(gradient.par_chunks(CHUNK))
                .zip(mean.par_chunks_mut(CHUNK).zip(square.par_chunks_mut(CHUNK)))
                .for_each(|((weights, gradient), (mean, square))| {
                    widest(Update { rule, weights, gradient, mean, square });
                });
        })
    }
}

/// The learning rate at a step of so many, of which so many an epoch.
pub fn rate(config: &Optimizer, step: usize, steps: usize, per_epoch: usize) -> f64 {
    let done = step as f64 / steps.max(1) as f64;
    let share = match config.schedule {
        Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
        Schedule::Step => 0.1f64.powi(i32::from(done >= 0.5) + i32::from(done >= 0.75)),
        Schedule::Constant => 1.0,
    };
    let warmup = config.warmup * per_epoch as f64;
    let warm = if warmup > 0.0 { ((step + 1) as f64 / warmup).min(1.0) } else { 1.0 };
    config.learning_rate * share * warm
}

#[derive(Clone, Copy)]
struct Rule {
    beta: [f32; 2],
    rate: f32,
    scale: f32,
    epsilon: f32,
    keep: f32,
    bounds: [f32; 2],
}

struct Update<'a> {
    rule: Rule,
    weights: &'a mut [f32],
    gradient: &'a [f32],
    mean: &'a mut [f32],
    square: &'a mut [f32],
}

impl Kernel for Update<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Rule { beta: [b1, b2], rate, scale, epsilon, keep, bounds: [low, high] } = self.rule;
        let state = self.mean.iter_mut().zip(self.square);
        for ((w, &g), (m, v)) in self.weights.iter_mut().zip(self.gradient).zip(state) {
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            let next = *w * keep - rate * *m / ((*v * scale).sqrt() + epsilon);
            *w = if next < low {
                low
            } else if next > high {
                high
            } else {
                next
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// The published rule, in double precision.
    #[test]
    fn follows_adamw() {
        [false, true].into_iter().for_each(follows);
    }

    fn follows(plain: bool) {
        let config = Optimizer { weight_decay: 0.1, ..Optimizer::default() };
        let n = 3 * CHUNK + 5;
        let start: Vec<f32> = (0..n).map(|i| (i % 17) as f32 / 17.0 - 0.5).collect();
        let tensor = Tensor::from_slice(&start, n, &Device::Cpu).unwrap();
        let parameter = Parameter::new(&tensor, true, [-0.45, 0.45]).unwrap();
        let mut expected: Vec<f64> = start.iter().map(|&w| f64::from(w)).collect();
        let (mut m, mut v) = (vec![0.0; n], vec![0.0; n]);
        for step in 1..=20 {
            let gradient: Vec<f32> = (0..n).map(|i| ((i * step) % 23) as f32 / 23.0 - 0.4).collect();
            let rate = rate(&config, step - 1, 20, 5);
            for i in 0..n {
                let g = f64::from(gradient[i]);
                m[i] = config.beta1 * m[i] + (1.0 - config.beta1) * g;
                v[i] = config.beta2 * v[i] + (1.0 - config.beta2) * g * g;
                let m_hat = m[i] / (1.0 - config.beta1.powi(step as i32));
                let v_hat: f64 = v[i] / (1.0 - config.beta2.powi(step as i32));
                let next =
                    expected[i] - rate * (m_hat / (v_hat.sqrt() + config.epsilon) + config.weight_decay * expected[i]);
                expected[i] = next.clamp(-0.45, 0.45);
            }
            if plain {
                let gradient = Tensor::from_vec(gradient, n, &Device::Cpu).unwrap();
                parameter.tensor_update(&gradient, &config, rate, step).unwrap();
                continue;
            }
            parameter.state().gradient = gradient;
            parameter.update(&config, rate, step).unwrap();
        }
        let found = tensors::copy(&parameter.var).unwrap();
        for (f, e) in found.iter().zip(&expected) {
            assert!((f64::from(*f) - e).abs() < 1e-4, "{f} is not {e}");
        }
        assert!(expected.iter().any(|e| e.abs() == 0.45) && expected.iter().any(|e| e.abs() < 0.4));
    }

    #[test]
    fn schedules_fall_and_warm_up() {
        let at = |schedule, warmup, step| rate(&Optimizer { schedule, warmup, ..Optimizer::default() }, step, 100, 10);
        assert_eq!(at(Schedule::Cosine, 0.0, 0), 0.01);
        assert!((at(Schedule::Cosine, 0.0, 50) - 0.005).abs() < 1e-12);
        assert!(at(Schedule::Cosine, 0.0, 100) < 1e-12);
        assert_eq!(
            [0, 49, 50, 75].map(|s| (at(Schedule::Step, 0.0, s) * 1e6).round()),
            [10000.0, 10000.0, 1000.0, 100.0]
        );
        assert_eq!(
            [0, 4, 9, 60].map(|s| (at(Schedule::Constant, 1.0, s) * 1e6).round()),
            [1000.0, 5000.0, 10000.0, 10000.0]
        );
    }
}

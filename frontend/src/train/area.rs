//! Penalties on tables: what makes them small, plain or decided.

use super::config::Regularizer;
use super::relax::Relaxation;

/// Strengths, each 0 where it is off.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Penalty {
    pub area: f32,
    pub gap: f32,
    pub spectral: f32,
}

impl Penalty {
    /// The penalty of a configuration.
    pub fn new(config: &Regularizer) -> Self {
        Self { area: config.area as f32, gap: config.gap as f32, spectral: config.spectral as f32 }
    }

    /// Whether no gradient changes by it.
    pub fn has_no_gradient(&self) -> bool {
        self.gap == 0.0 && self.spectral == 0.0
    }

    /// Whether tables are to be shrunk.
    pub fn shrinks(&self) -> bool {
        self.area > 0.0
    }

    /// Shrinks a table of trained numbers, as far as a step at a learning rate does.
    ///
    /// The penalty is `area Σ_j ‖θ(x_j = 1) - θ(x_j = 0)‖`, a group lasso over inputs, which pulls the difference that an input
    /// makes to zero as a whole. Its gradient would make all small and none zero; the proximal step (Parikh and Boyd,
    /// "Proximal Algorithms", 2014, 6.5.1), taken input by input, takes the same length off each, and one that has no more
    /// becomes zero to the bit: a table that does not heed the input, which then needs no wire.
    #[inline(always)]
    pub fn shrink(&self, theta: &mut [f32], rate: f32) {
        let length = 2.0 * self.area * rate;
        for j in 0..theta.len().trailing_zeros() {
            let pairs = |theta: &mut [f32], f: &mut dyn FnMut(&mut f32, &mut f32)| {
                for pair in theta.chunks_exact_mut(2 << j) {
                    let (low, high) = pair.split_at_mut(1 << j);
                    low.iter_mut().zip(high).for_each(|(low, high)| f(low, high));
                }
            };
            let mut square = 0.0;
            pairs(theta, &mut |low, high| square += (*high - *low) * (*high - *low));
            let norm = square.sqrt();
            let keep = if norm > length { 0.5 * (1.0 - length / norm) } else { 0.0 };
            pairs(theta, &mut |low, high| {
                let (middle, half) = (0.5 * (*low + *high), keep * (*high - *low));
                (*low, *high) = (middle - half, middle + half);
            });
        }
    }

    /// Adds the gradient of the penalties that have one, of a table of probabilities `z`.
    ///
    /// - `gap`: `mean 4 z (1 - z)`, which is least where entries are 0 or 1;
    /// - `spectral`: the mean square of the differences along inputs, the table's Walsh spectrum weighted by degree.
    #[inline(always)]
    pub fn add(&self, relaxation: &Relaxation, z: &[f32], dz: &mut [f32]) {
        if self.has_no_gradient() || !relaxation.is_table() {
            return;
        }
        let scale = 1.0 / z.len() as f32;
        if self.gap > 0.0 {
            dz.iter_mut().zip(z).for_each(|(d, z)| *d += self.gap * 4.0 * scale * (1.0 - 2.0 * z));
        }
        if self.spectral == 0.0 {
            return;
        }
        for j in 0..z.len().trailing_zeros() {
            let bit = 1 << j;
            for low in (0..z.len()).filter(|a| a & bit == 0) {
                let pull = 2.0 * self.spectral * scale * (z[low | bit] - z[low]);
                dz[low | bit] += pull;
                dz[low] -= pull;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Node;
    use super::*;
    use crate::rng::{Stream, Use};

    fn value(p: &Penalty, z: &[f64]) -> f64 {
        let mut all = 0.0;
        let n = z.len() as f64;
        all += f64::from(p.gap) * z.iter().map(|z| 4.0 * z * (1.0 - z)).sum::<f64>() / n;
        for j in 0..z.len().trailing_zeros() {
            let low = (0..z.len()).filter(|a| a >> j & 1 == 0);
            all += f64::from(p.spectral) * low.map(|a| (z[a | 1 << j] - z[a]).powi(2)).sum::<f64>() / n;
        }
        all
    }

    #[test]
    fn gradients_are_finite_differences() {
        let mut rng = Stream::new(1, Use::Init, 0);
        let z: Vec<f32> = (0..32).map(|_| rng.unit()).collect();
        let relaxation = Relaxation::new(&Node::default(), 5);
        for (gap, spectral) in [(0.7, 0.0), (0.0, 0.9), (0.2, 0.3)] {
            let penalty = Penalty { area: 0.0, gap, spectral };
            let mut dz = vec![0.0; 32];
            penalty.add(&relaxation, &z, &mut dz);
            for a in 0..32 {
                let at = |h: f64| {
                    let mut z: Vec<f64> = z.iter().map(|&z| z.into()).collect();
                    z[a] += h;
                    value(&penalty, &z)
                };
                let expected = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((f64::from(dz[a]) - expected).abs() < 1e-4, "{penalty:?} entry {a}: {} not {expected}", dz[a]);
            }
        }
    }

    /// The step is the least of `½ |new - old|² + t ‖d‖`, of which one input's part is checked on a grid; what loses all it had
    /// is zero to the bit.
    #[test]
    fn shrinking_is_the_proximal_step() {
        let penalty = Penalty { area: 0.5, ..Penalty::default() };
        let old = [0.25f32, -0.75];
        let mut new = old;
        penalty.shrink(&mut new, 0.2);
        let cost = |low: f64, high: f64| {
            let part = (low - f64::from(old[0])).powi(2) + (high - f64::from(old[1])).powi(2);
            0.5 * part + 0.5 * 0.2 * (high - low).abs()
        };
        let best = cost(new[0].into(), new[1].into());
        for i in -100..100 {
            for j in -100..100 {
                assert!(cost(f64::from(i) / 100.0, f64::from(j) / 100.0) > best - 1e-6);
            }
        }
        let mut rng = Stream::new(2, Use::Init, 0);
        let mut table: Vec<f32> = (0..64).map(|a| rng.unit() + if a >> 3 & 1 == 1 { 2.0 } else { 0.0 }).collect();
        for _ in 0..12 {
            penalty.shrink(&mut table, 0.5);
        }
        let heeds = |j: usize| (0..64).any(|a| table[a] != table[a ^ 1 << j]);
        assert!((0..6).all(|j| heeds(j) == (j == 3)), "{table:?}");
    }
}

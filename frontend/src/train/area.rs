//! Penalties on tables: what makes them small, plain or decided.

use super::config::Regularizer;
use super::kernel::MAX_ENTRIES;
use super::relax::Relaxation;

/// Strengths, each 0 where it is off.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Penalty {
    area: f32,
    gap: f32,
    spectral: f32,
}

impl Penalty {
    /// The penalty of a configuration.
    pub fn new(config: &Regularizer) -> Self {
        Self { area: config.area as f32, gap: config.gap as f32, spectral: config.spectral as f32 }
    }

    /// Whether it is none at all.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the gradient of the penalty of a table of probabilities `z`.
    ///
    /// - `area`: `Σ_j ‖z(x_j = 1) - z(x_j = 0)‖`, a group lasso over inputs: the difference that an input makes is pulled to
    ///   zero as a whole, weakest first, and an input that makes none needs no wire;
    /// - `gap`: `mean 4 z (1 - z)`, which is least where entries are 0 or 1;
    /// - `spectral`: the mean square of the differences along inputs, the table's Walsh spectrum weighted by degree.
    #[inline(always)]
    pub fn add(&self, relaxation: &Relaxation, z: &[f32], dz: &mut [f32]) {
        if self.is_none() || !relaxation.is_table() {
            return;
        }
        let scale = 1.0 / z.len() as f32;
        if self.gap > 0.0 {
            dz.iter_mut().zip(z).for_each(|(d, z)| *d += self.gap * 4.0 * scale * (1.0 - 2.0 * z));
        }
        if self.area == 0.0 && self.spectral == 0.0 {
            return;
        }
        let mut difference = [0.0; MAX_ENTRIES / 2];
        for j in 0..z.len().trailing_zeros() {
            let bit = 1 << j;
            let low = |i: usize| (i & !(bit - 1)) << 1 | i & (bit - 1);
            let difference = &mut difference[..z.len() / 2];
            let mut square = 0.0;
            for (i, d) in difference.iter_mut().enumerate() {
                *d = z[low(i) | bit] - z[low(i)];
                square += *d * *d;
            }
            let pull = self.area / (square + 1e-6).sqrt() + 2.0 * self.spectral * scale;
            for (i, d) in difference.iter().enumerate() {
                dz[low(i) | bit] += pull * d;
                dz[low(i)] -= pull * d;
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
            let square: f64 = low.map(|a| (z[a | 1 << j] - z[a]).powi(2)).sum();
            all += f64::from(p.area) * (square + 1e-6).sqrt() + f64::from(p.spectral) * square / n;
        }
        all
    }

    #[test]
    fn gradients_are_finite_differences() {
        let mut rng = Stream::new(1, Use::Init, 0);
        let z: Vec<f32> = (0..32).map(|_| rng.unit()).collect();
        let relaxation = Relaxation::new(&Node::default(), 5);
        for (area, gap, spectral) in [(0.3, 0.0, 0.0), (0.0, 0.7, 0.0), (0.0, 0.0, 0.9), (0.1, 0.2, 0.3)] {
            let penalty = Penalty { area, gap, spectral };
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
}

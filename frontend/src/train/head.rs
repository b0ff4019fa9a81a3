//! The head: from sums of groups to logits, and what is frozen of it.

use candle_core::{Device, Result, Tensor};

use super::config::{self, HeadKind, Loss};
use super::loss::CrossEntropy;
use super::optim::Parameter;
use super::tensors;

/// A head in training.
pub struct Head {
    kind: HeadKind,
    /// Groups that are summed.
    pub groups: usize,
    classes: usize,
    nodes: usize,
    temperature: [f64; 2],
    weight_bits: usize,
    /// Before the hyperbolic tangent, `[groups, groups]`, where sums are weighted.
    pub weights: Option<Parameter>,
    /// Whether the loss is made by tensor operations.
    plain: bool,
}

/// The temperature that suits most: the spread of a sum of `nodes / groups` bits, scaled.
pub fn default_temperature(nodes: usize, groups: usize) -> f64 {
    0.3 * (nodes as f64 / groups as f64).sqrt()
}

impl Head {
    /// A head for sums of `groups` groups of `nodes` bits.
    pub fn new(
        config: &config::Head,
        nodes: usize,
        groups: usize,
        classes: usize,
        device: &Device,
        plain: bool,
    ) -> Result<Self> {
        let first = config.temperature.unwrap_or_else(|| default_temperature(nodes, groups));
        let weights = match config.kind {
            HeadKind::Dsp => {
                // Each class begins with its own group, at three quarters of the largest weight.
                let own = |i: usize| if i / groups == i % groups { 1.0 } else { 0.0 };
                let first: Vec<f32> = (0..groups * groups).map(own).collect();
                let tensor = Tensor::from_vec(first, (groups, groups), device)?;
                Some(Parameter::new(&tensor, true, [f32::NEG_INFINITY, f32::INFINITY])?)
            }
            _ => None,
        };
        let temperature = [first, config.last_temperature.unwrap_or(first)];
        let weight_bits = config.weight_bits;
        Ok(Self { kind: config.kind, groups, classes, nodes, temperature, weight_bits, weights, plain })
    }

    /// Mean loss of the sums `[groups, lanes]`, of which the first lanes are samples. `progress` runs from 0 to 1;
    /// `soft` are soft labels `[samples, classes]`.
    pub fn loss(
        &self,
        sums: &Tensor,
        labels: &[u32],
        soft: Option<&[f32]>,
        config: &Loss,
        progress: f64,
    ) -> Result<Tensor> {
        let n = labels.len();
        if self.kind == HeadKind::Count {
            let scale = (self.classes - 1) as f64 / self.nodes as f64;
            let targets: Vec<f32> = labels.iter().map(|&y| y as f32).collect();
            let counts = (sums.narrow(1, 0, n)? * scale)?;
            return (counts - Tensor::from_vec(targets, (1, n), sums.device())?)?.sqr()?.mean_all();
        }
        let scores = match &self.weights {
            Some(weights) => weights.var.tanh()?.matmul(sums)?,
            None => sums.clone(),
        };
        let [first, last] = self.temperature;
        let temperature = first * (last / first).powf(progress);
        let soft = soft.map(|soft| (soft, config.distill));
        let loss = CrossEntropy::new(labels, self.classes, config.smoothing, soft, temperature);
        if self.plain { loss.tensor(&scores) } else { scores.apply_op1(loss) }
    }

    /// The real weights, where there are any.
    pub fn matrix(&self) -> Result<Option<Vec<f32>>> {
        self.weights.as_ref().map(|w| tensors::copy(&w.var.tanh()?)).transpose()
    }

    /// The weights as whole numbers from 0: quantised to their bits with sign, then the least of each column taken off.
    /// That takes the same from all classes of a sample, so that no answer changes, and needs no sign.
    pub fn whole(&self, matrix: &[f32]) -> Vec<u32> {
        let most = ((1i64 << (self.weight_bits - 1)) - 1) as f32;
        let q: Vec<i64> = matrix.iter().map(|w| (w * most).round().clamp(-most, most) as i64).collect();
        let least = |column: usize| q.iter().skip(column).step_by(self.groups).min().copied().unwrap_or(0);
        let least: Vec<i64> = (0..self.groups).map(least).collect();
        q.iter().enumerate().map(|(i, q)| (q - least[i % self.groups]) as u32).collect()
    }

    /// What it is.
    pub fn kind(&self) -> HeadKind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(kind: HeadKind, plain: bool) -> Head {
        let config = config::Head { kind, temperature: Some(2.0), last_temperature: Some(0.5), weight_bits: 4 };
        Head::new(&config, 12, if kind == HeadKind::Count { 1 } else { 3 }, 3, &Device::Cpu, plain).unwrap()
    }

    #[test]
    fn losses_are_those_of_their_definition() {
        // Two samples, and lanes of nothing.
        let rows = [[1f32, 4.0], [2.0, 2.0], [0.0, 1.0]];
        let padded = rows.map(|row| std::array::from_fn(|i| row.get(i).copied().unwrap_or(i as f32)));
        let sums = Tensor::new(&padded as &[[f32; 64]; 3], &Device::Cpu).unwrap();
        let soft = vec![0.2f32, 0.5, 0.3, 0.1, 0.1, 0.8];
        let config = Loss { smoothing: 0.1, distill: 0.4 };
        let labels = [1u32, 2];
        let (mut plain, mut full) = (0.0, 0.0);
        // Halfway the temperature is 1.
        for (i, &y) in labels.iter().enumerate() {
            let all: f64 = (0..3).map(|c| f64::from(rows[c][i]).exp()).sum();
            let log = |c: usize| f64::from(rows[c][i]) - all.ln();
            plain -= log(y as usize) / 2.0;
            let hard = 0.9 * log(y as usize) + 0.1 * (0..3).map(log).sum::<f64>() / 3.0;
            let taught: f64 = (0..3).map(|c| f64::from(soft[i * 3 + c]) * log(c)).sum();
            full -= (0.6 * hard + 0.4 * taught) / 2.0;
        }
        for by_tensors in [false, true] {
            let found = |soft: Option<&[f32]>, config: &Loss| -> f64 {
                let loss = head(HeadKind::Sum, by_tensors).loss(&sums, &labels, soft, config, 0.5).unwrap();
                loss.to_scalar::<f32>().unwrap().into()
            };
            assert!((found(None, &Loss::default()) - plain).abs() < 1e-5);
            assert!((found(Some(&soft), &config) - full).abs() < 1e-5);
        }
        // Regression: counts 6 and 12 of 12 stand for 1 and 2.
        let sums = Tensor::new(&[[6f32, 12.0, 3.0]], &Device::Cpu).unwrap();
        let squares = head(HeadKind::Count, false).loss(&sums, &[1, 0], None, &Loss::default(), 0.0).unwrap();
        assert_eq!(squares.to_scalar::<f32>().unwrap(), 2.0);
    }

    #[test]
    fn whole_weights_order_classes_as_rounded_ones_do() {
        let matrix = [0.9, -0.5, 0.1, -1.0, 0.3, 0.0, 0.2, 0.2, -0.4];
        let whole = head(HeadKind::Dsp, false).whole(&matrix);
        let rounded = [6, -4, 1, -7, 2, 0, 1, 1, -3];
        for column in 0..3 {
            let differences: Vec<i64> =
                (0..3).map(|r| i64::from(whole[r * 3 + column]) - rounded[r * 3 + column]).collect();
            assert!(differences.iter().all(|d| *d == differences[0]), "column {column}: {differences:?}");
            assert!((0..3).any(|r| whole[r * 3 + column] == 0));
        }
    }
}

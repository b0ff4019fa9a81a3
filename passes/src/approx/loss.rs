//! Cross-entropy of the groups' counts, divided by a temperature, against labels.

use super::block::Move;

/// The loss at a temperature.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    /// Of each count: the count over the temperature, less what that is in the middle.
    logit: Vec<f64>,
    exp: Vec<f64>,
    /// What it is of a sample that was not trained on.
    pub usual: f64,
}

impl Loss {
    /// For counts up to `most`.
    pub fn new(temperature: f64, most: u16, usual: f64) -> Self {
        let middle = f64::from(most) / 2.0;
        let logit: Vec<f64> =
            (0..=most).map(|c| ((f64::from(c) - middle) / temperature).clamp(-300.0, 300.0)).collect();
        Self { exp: logit.iter().map(|l| l.exp()).collect(), logit, usual }
    }

    /// Of a sample's counts, the sum of their exponentials.
    pub fn sum(&self, counts: &[u16]) -> f64 {
        counts.iter().map(|&c| self.exp[usize::from(c)]).sum()
    }

    /// Of a sample's counts, how probable each class is.
    pub fn probabilities<'a>(&'a self, counts: &'a [u16]) -> impl Iterator<Item = f32> + 'a {
        let sum = self.sum(counts);
        counts.iter().map(move |&c| (self.exp[usize::from(c)] / sum) as f32)
    }

    /// Of a sample.
    pub fn of(&self, sum: f64, counts: &[u16], targets: &[f32]) -> f64 {
        let logit = |(&c, &p): (&u16, &f32)| f64::from(p) * self.logit[usize::from(c)];
        sum.ln() - counts.iter().zip(targets).map(logit).sum::<f64>()
    }

    /// By how much the loss of a sample rises.
    pub fn rise(&self, sum: f64, moves: &[Move], targets: &[f32]) -> f64 {
        let (mut after, mut logit) = (sum, 0.0);
        for &Move { group, from, to } in moves {
            let (from, to) = (usize::from(from), usize::from(to));
            after += self.exp[to] - self.exp[from];
            logit += f64::from(targets[usize::from(group)]) * (self.logit[to] - self.logit[from]);
        }
        // What rounding may leave of the difference is at least a count of nothing.
        (after.max(self.exp[0]) / sum).ln() - logit
    }
}

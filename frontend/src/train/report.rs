//! What is said about a run while it goes on and afterwards.

use serde::{Deserialize, Serialize};

/// Right answers among samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Right answers.
    pub correct: usize,
    /// Samples asked.
    pub samples: usize,
}

impl Accuracy {
    /// Compares answers with labels.
    pub fn of(answers: &[u16], labels: impl IntoIterator<Item = u16>) -> Self {
        let correct = answers.iter().zip(labels).filter(|(a, b)| **a == *b).count();
        Self { correct, samples: answers.len() }
    }

    /// Between 0 and 1.
    pub fn share(&self) -> f64 {
        self.correct as f64 / self.samples.max(1) as f64
    }
}

/// One epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EpochReport {
    /// Counted from one.
    pub epoch: usize,
    /// Mean cross-entropy over the epoch's training batches.
    pub loss: f64,
    /// Validation accuracy of the relaxed network, which never runs anywhere.
    pub soft: Accuracy,
    /// Validation accuracy of the frozen network: what is compiled.
    pub hard: Accuracy,
    /// Learning rate at the end of the epoch.
    pub learning_rate: f64,
    /// Wall time.
    pub seconds: f64,
}

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub struct TrainReport {
    /// All epochs, those before a resume as well.
    pub epochs: Vec<EpochReport>,
    /// The epoch that the model is of: the last one among those with the best hard validation accuracy; where area costs, the
    /// last of all.
    pub best_epoch: usize,
    /// Hard validation accuracy of that epoch.
    pub validation: Accuracy,
    /// Test accuracy of the frozen network; the test samples are read once, and not at all by an interrupted run.
    pub test_hard: Option<Accuracy>,
    /// Test accuracy of the relaxed network.
    pub test_soft: Option<Accuracy>,
    /// Samples trained on.
    pub train_samples: usize,
    /// Encoder bits that varied enough to be wired.
    pub input_bits: usize,
    /// Lookup tables.
    pub nodes: usize,
    /// Trained numbers.
    pub parameters: usize,
    /// Steps, those before a resume as well.
    pub steps: usize,
    /// Threads.
    pub threads: usize,
    /// Wall time of this part of the run, data in memory to model in memory.
    pub seconds: f64,
    /// Whether it was stopped before its last epoch.
    pub interrupted: bool,
}

/// What a run will do.
#[derive(Clone, Copy, Debug)]
pub struct RunPlan {
    /// Epochs in all.
    pub epochs: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// Lookup tables.
    pub nodes: usize,
    /// Trained numbers.
    pub parameters: usize,
}

/// Is told how a run goes on.
pub trait Observer {
    /// Before the first step, with the epochs already done where a run is resumed.
    fn start(&mut self, _plan: &RunPlan, _done: &[EpochReport]) {}
    /// After a step, counted from one within its epoch.
    fn step(&mut self, _step: usize, _loss: f32) {}
    /// After an epoch.
    fn epoch(&mut self, _report: &EpochReport) {}
}

/// Nobody listens.
impl Observer for () {}

/// Two listen.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn start(&mut self, plan: &RunPlan, done: &[EpochReport]) {
        self.0.start(plan, done);
        self.1.start(plan, done);
    }
    fn step(&mut self, step: usize, loss: f32) {
        self.0.step(step, loss);
        self.1.step(step, loss);
    }
    fn epoch(&mut self, report: &EpochReport) {
        self.0.epoch(report);
        self.1.epoch(report);
    }
}

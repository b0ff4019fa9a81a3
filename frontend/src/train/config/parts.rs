//! The sections of a configuration.

use serde::{Deserialize, Serialize};

/// A thermometer: bit `t` of a feature is 1 where the feature exceeds its `t`-th threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Encoder {
    /// Where the thresholds lie.
    pub kind: EncoderKind,
    /// Thresholds per feature.
    pub bits: usize,
    /// What the thresholds are fitted to.
    pub scope: Scope,
    /// A bit that is 1 (or 0) for a smaller share of the training samples than this is not wired to any node.
    pub rarest: f64,
}

/// Where thresholds lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderKind {
    /// Evenly between the smallest and the largest value.
    Thermometer,
    /// At quantiles of the values.
    Distributive,
}

/// What thresholds are fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Each feature by itself.
    Feature,
    /// All features together: right for pixels, which share one scale.
    Global,
}

/// A layer of lookup tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layer {
    /// How many tables.
    pub nodes: usize,
    /// Inputs of each table, 1 to 8.
    pub fan_in: usize,
    /// From where a node may draw its inputs.
    pub wiring: Wiring,
    /// For `local` wiring: how far from the node's centre, in pixels, along each axis.
    pub radius: usize,
    /// Inputs that each slot chooses from while training; 1 fixes the wiring from the start.
    pub candidates: usize,
}

/// From where a node may draw its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wiring {
    /// From anywhere.
    Random,
    /// From a square window around a centre of its own; inputs must have positions, as pixels and the outputs of
    /// a local layer do.
    Local,
}

/// What a node computes while it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    /// The relaxation.
    pub kind: NodeKind,
    /// What the forward pass gives, and whether it is noisy.
    pub sampling: Sampling,
    /// For `light` and `hybrid`: how trained numbers become probabilities.
    pub squash: Squash,
    /// What logits are divided by.
    pub temperature: f64,
    /// Above ½, up to 1: with hard sampling, gradients of tables are taken at the inputs moved from 0 and 1 to
    /// `1 - smoothing` and `smoothing`, so that they see more of the table than the two entries that the bit switches
    /// between. 1 is the plain difference, ¾ is DWN's.
    pub smoothing: f64,
    /// First values: 0 is noise, 1 passes the first input through, between them a mixture.
    pub residual: f64,
    /// For `polynomial`: the degree.
    pub degree: usize,
    /// For `neural`: hidden units.
    pub units: usize,
}

/// A relaxation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// A table of numbers in `[-1, 1]`; forward their signs, backward the extended finite difference (Bacellar et al., 2024).
    Dwn,
    /// Forward the table's entry at the rounded inputs, backward the multilinear extension at the real ones (BitLogic).
    Hybrid,
    /// The multilinear extension of a table of probabilities (LightLogic's input-wise parametrisation).
    Light,
    /// A mixture of the sixteen functions of two inputs (Petersen et al., 2022).
    Difflogic,
    /// A sigmoid of the Walsh-Hadamard expansion (WARP).
    Warp,
    /// A sigmoid of weighted inputs (LogicNets).
    Linear,
    /// A sigmoid of a polynomial (PolyLUT).
    Polynomial,
    /// A sigmoid of a small perceptron (NeuraLUT).
    Neural,
    /// A sum of cosines, clamped.
    Fourier,
}

/// What the forward pass gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Probabilities. What is frozen is another function, so its accuracy differs.
    Soft,
    /// Bits; gradients pass straight through.
    Hard,
    /// Probabilities of noisy logits.
    GumbelSoft,
    /// Bits of noisy logits.
    GumbelHard,
}

/// How numbers become probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Squash {
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `½ + ½ sin x`.
    Sinusoid,
}

/// What is added to the loss, each with its strength; 0 is off. They concern nodes that are tables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Regularizer {
    /// The difference that each input makes, as one number an input: pulls those that matter least to none at all, so that
    /// tables lose inputs and cost less after compilation.
    pub area: f64,
    /// How far tables are from zeros and ones.
    pub gap: f64,
    /// The Walsh spectrum, weighted by degree: prefers functions that change seldom.
    pub spectral: f64,
}

/// Sums of contiguous groups of the last layer's bits, one for each class; the largest wins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Head {
    /// What sums are divided by before the softmax; without it 0.3 √(nodes per class).
    pub temperature: Option<f64>,
}

/// AdamW with a cosine schedule down to zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Optimizer {
    /// Learning rate at the start.
    pub learning_rate: f64,
    /// Decay of the tables' entries towards zero, decoupled from the gradient.
    pub weight_decay: f64,
    /// Memory of the gradient's mean.
    pub beta1: f64,
    /// Memory of the gradient's square.
    pub beta2: f64,
    /// Keeps the division sane.
    pub epsilon: f64,
}

/// How training samples are varied, differently in every epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Moves an image by up to this many pixels along each axis, filling with zeros; 0 is off.
    pub shift: usize,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { kind: EncoderKind::Distributive, bits: 3, scope: Scope::Feature, rarest: 0.005 }
    }
}

impl Default for Layer {
    fn default() -> Self {
        Self { nodes: 1000, fan_in: 6, wiring: Wiring::Random, radius: 5, candidates: 1 }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self {
            kind: NodeKind::Dwn,
            sampling: Sampling::Hard,
            squash: Squash::Sigmoid,
            temperature: 1.0,
            smoothing: 0.75,
            residual: 0.0,
            degree: 2,
            units: 8,
        }
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Self { learning_rate: 0.01, weight_decay: 0.0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

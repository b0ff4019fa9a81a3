//! The sections of a configuration.

use serde::{Deserialize, Serialize};

/// From features to bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Encoder {
    /// What the bits say.
    pub kind: EncoderKind,
    /// Bits per feature: of a thermometer up to 255, of `one-hot` up to 64, of the other codes up to 12.
    pub bits: usize,
    /// What it is fitted to.
    pub scope: Scope,
    /// A bit that is 1 (or 0) for a smaller share of the training samples than this is not wired to any node.
    pub rarest: f64,
    /// For `learnable`: width of the sigmoid through which thresholds learn, as a share of the feature's range.
    pub temperature: f64,
}

/// What the bits of a feature say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderKind {
    /// Bit `t`: it exceeds threshold `t`; thresholds evenly between the smallest and the largest value.
    Thermometer,
    /// Thresholds at quantiles of a normal distribution with the values' mean and deviation.
    Gaussian,
    /// Thresholds at quantiles of the values.
    Distributive,
    /// Thresholds evenly at first, then trained.
    Learnable,
    /// The number of the even step it lies in, rounded down, highest bit first.
    Binary,
    /// The same in Gray code.
    Gray,
    /// One bit for each even step.
    OneHot,
    /// Whether it is negative, then its magnitude in binary.
    SignMagnitude,
    /// As `binary`, of its logarithm.
    Logarithmic,
    /// The number of the nearest even step, as a uniform quantiser has it.
    FixedPoint,
}

/// What an encoder is fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Each feature by itself.
    Feature,
    /// The features of a channel together (the first axis of images with three); without channels as `global`, and for
    /// samples that are no images as `feature`.
    Channel,
    /// All features together: right for pixels, which share one scale.
    Global,
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layer {
    /// What it is made of.
    pub kind: LayerKind,
    /// How many tables; of a convolution how many kernels.
    pub nodes: usize,
    /// Inputs of each table, 1 to 8.
    pub fan_in: usize,
    /// From where a node may draw its inputs.
    pub wiring: Wiring,
    /// For `local` wiring: how far from the node's centre, in pixels, along each axis.
    pub radius: usize,
    /// Inputs that each slot chooses from while training; 1 fixes the wiring from the start.
    pub candidates: usize,
    /// Nodes read the same inputs two by two, and choose them together: two tables of up to five inputs are one site.
    pub pairs: bool,
    /// For `grouped` wiring and convolutions: into how many groups inputs (channels) are divided, of which a node reads one.
    pub groups: usize,
    /// For convolutions and pools: rows and columns of the window.
    pub size: usize,
    /// For convolutions and pools: how far windows lie apart.
    pub stride: usize,
    /// For convolutions: rows and columns of zeros around the image.
    pub padding: usize,
    /// For convolutions: a kernel is a tree of `fan_in^depth` leaves.
    pub depth: usize,
    /// How the layer's inputs get past it.
    pub residual: Residual,
}

/// What a layer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerKind {
    /// Tables of their own inputs.
    Dense,
    /// Trees of tables, the same at every place of an image; samples of one axis are images of one row.
    Conv,
    /// Where any bit of a window is 1; nothing is trained.
    Pool,
}

/// How a layer's inputs get past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Residual {
    /// Not at all.
    None,
    /// Appended to its outputs.
    Concat,
    /// Combined with its outputs by OR; there are as many.
    Or,
}

/// From where a node may draw its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wiring {
    /// From anywhere, all inputs equally often.
    Random,
    /// From anywhere, no two nodes the same inputs as long as that is possible.
    Unique,
    /// From a square window around a centre of its own; inputs must have positions, as pixels and the outputs of
    /// a local layer or a convolution do.
    Local,
    /// Inputs 1, `fan_in`, `fan_in²`, … apart, the distance changing from node to node: near and far at once.
    Strided,
    /// From one group of neighbouring inputs.
    Grouped,
    /// Every slot chooses from all inputs.
    All,
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
    /// How gradients between layers are scaled to a mean square of one.
    pub stabilize: Stabilize,
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

/// How gradients between layers are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stabilize {
    /// Not at all.
    None,
    /// By one factor for a layer.
    Layer,
    /// By a factor for each sample.
    Sample,
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

/// From the last layer's bits to the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Head {
    /// What is made of the bits.
    pub kind: HeadKind,
    /// What sums are divided by before the softmax; without it 0.3 √(nodes per class).
    pub temperature: Option<f64>,
    /// What they are divided by at the end, where that differs: from step to step by the same factor.
    pub last_temperature: Option<f64>,
    /// For `dsp`: bits of a weight, with its sign.
    pub weight_bits: usize,
}

/// What is made of the last layer's bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// Sums of contiguous groups, one for each class; the largest wins.
    Sum,
    /// These sums times a trained matrix, whole numbers once frozen (GroupedDSP).
    Dsp,
    /// A tree of tables for each class, down to one bit; the first class with a 1 wins.
    Tree,
    /// Regression: labels are numbers, the answer is the count of ones, scaled to their range.
    Count,
}

/// What is minimised.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Loss {
    /// Share of each label that is spread over all classes.
    pub smoothing: f64,
    /// Weight of the cross-entropy with the soft labels `p_train` of the data, against that with the labels.
    pub distill: f64,
}

/// AdamW and its learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Optimizer {
    /// Learning rate at the start.
    pub learning_rate: f64,
    /// How it changes.
    pub schedule: Schedule,
    /// Epochs over which it first rises from zero.
    pub warmup: f64,
    /// Decay of the tables' entries towards zero, decoupled from the gradient.
    pub weight_decay: f64,
    /// Memory of the gradient's mean.
    pub beta1: f64,
    /// Memory of the gradient's square.
    pub beta2: f64,
    /// Keeps the division sane.
    pub epsilon: f64,
}

/// How the learning rate changes over a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Along half a cosine down to zero.
    Cosine,
    /// A tenth after half of the run and again after three quarters.
    Step,
    /// Not at all.
    Constant,
}

/// How training samples are varied, differently in every epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Moves an image by up to this many pixels along each axis; 0 is off.
    pub shift: usize,
    /// Mirrors every other image left to right.
    pub mirror: bool,
    /// Fills what comes in from outside with the image reflected at its edge, and not with zeros.
    pub reflect: bool,
    /// Turns, scales, shears and shifts images; 1 is by as much as suits handwriting, 0 is off.
    pub affine: f64,
    /// Bends images: the knots of a grid of five by five move by up to this many pixels along each axis; 0 is off.
    pub elastic: f64,
    /// Share of the encoder's bits that is flipped.
    pub flip_bits: f64,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { kind: EncoderKind::Distributive, bits: 3, scope: Scope::Feature, rarest: 0.005, temperature: 0.05 }
    }
}

impl Default for Layer {
    fn default() -> Self {
        Self {
            kind: LayerKind::Dense,
            nodes: 1000,
            fan_in: 6,
            wiring: Wiring::Random,
            radius: 5,
            candidates: 1,
            pairs: false,
            groups: 1,
            size: 3,
            stride: 1,
            padding: 0,
            depth: 1,
            residual: Residual::None,
        }
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
            stabilize: Stabilize::None,
            degree: 2,
            units: 8,
        }
    }
}

impl Default for Head {
    fn default() -> Self {
        Self { kind: HeadKind::Sum, temperature: None, last_temperature: None, weight_bits: 8 }
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Self {
            learning_rate: 0.01,
            schedule: Schedule::Cosine,
            warmup: 0.0,
            weight_decay: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

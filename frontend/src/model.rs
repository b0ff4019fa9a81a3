//! The frozen model: `model.safetensors`, version 1.

/// What one input feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Unsigned bytes, as pixels.
    U8,
    /// Real numbers; enter hardware as fixed-point words.
    F32,
    /// Bits: the model has no encoder.
    Bit,
}

/// Thresholds `[features, bits]`, row-major, increasing along `bits`.
#[derive(Clone, Debug, PartialEq)]
pub enum Thresholds {
    /// For features compared as bytes.
    U8(Vec<u8>),
    /// For features compared as real numbers (u8 features are widened).
    F32(Vec<f32>),
}

/// One layer of a frozen model.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// Bit `feature*bits + t` is 1 where `x > thresholds[feature][t]`.
    Thermometer {
        /// Bits per feature.
        bits: usize,
        /// `[features, bits]`.
        thresholds: Thresholds,
    },
    /// `nodes` lookup tables of `fan_in` inputs.
    Lut {
        /// Inputs per node, 1..=16.
        fan_in: usize,
        /// `[nodes, fan_in]`: which bit of the layer before feeds input `j`.
        connections: Vec<u32>,
        /// `[nodes, max(1, 2^fan_in / 64)]`: bit `a` is the output at address `a`; input `j` is bit `j` of `a`.
        tables: Vec<u64>,
    },
    /// Sums of `groups` contiguous, equal groups of bits.
    GroupSum {
        /// How many.
        groups: usize,
    },
    /// Index of the largest score, ties to the lowest index.
    Argmax,
}

/// A frozen network of lookup tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Becomes the module's name.
    pub name: String,
    /// Shape of one sample; its product is the number of features.
    pub shape: Vec<usize>,
    /// Type of one feature.
    pub dtype: Dtype,
    /// In order from input to output.
    pub layers: Vec<Layer>,
}

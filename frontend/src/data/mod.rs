//! Data sets and the array files they come in.

/// Features of `N` samples, row-major `[N, features]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Features {
    /// Bytes.
    U8(Vec<u8>),
    /// Real numbers.
    F32(Vec<f32>),
}

/// Samples with labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// `[N, features]`.
    pub x: Features,
    /// `[N]`, each below the data set's `classes`.
    pub y: Vec<u16>,
}

/// A data set with a fixed split into training and test samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Short name.
    pub name: String,
    /// Shape of one sample (`[28, 28]`, `[3, 32, 32]`, `[16]`).
    pub shape: Vec<usize>,
    /// Number of classes.
    pub classes: usize,
    /// What may be trained and validated on.
    pub train: Split,
    /// Read once, at the end.
    pub test: Split,
}

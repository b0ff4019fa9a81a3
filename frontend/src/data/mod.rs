//! Data sets and the array files they come in.

mod array;
pub mod cifar;
pub mod csv;
pub mod idx;
mod mapped;
pub mod npy;
mod npz;
mod open;
mod split;

pub use array::{Array, Elements, Kind};
pub use mapped::Mapped;
pub use npz::Npz;
pub use split::Holdout;

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
    /// What a teacher says of the training samples, `[N, classes]`: probabilities, for distillation.
    pub soft: Option<Vec<f32>>,
}

impl Features {
    /// Number of elements of all samples together.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(x) => x.len(),
            Self::F32(x) => x.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of the given positions, each of `features` elements; positions past the end are left out.
    pub fn rows(&self, features: usize, positions: &[usize]) -> Self {
        fn pick<T: Copy>(x: &[T], features: usize, positions: &[usize]) -> Vec<T> {
            let row = |&i: &usize| x.get(i.checked_mul(features)?..)?.get(..features);
            positions.iter().filter_map(row).flatten().copied().collect()
        }
        match self {
            Self::U8(x) => Self::U8(pick(x, features, positions)),
            Self::F32(x) => Self::F32(pick(x, features, positions)),
        }
    }
}

impl Split {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.y.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.y.is_empty()
    }
}

impl Dataset {
    /// Features of one sample.
    pub fn features(&self) -> usize {
        self.shape.iter().product()
    }
}

//! Arrays of numbers as the files hold them, and what they become: features and labels.

use blc_ir::diag::{Diagnostic, Result};

use super::Features;
use crate::codes;

/// An array in row-major order; `shape` multiplies to the number of elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Dimensions, outermost first; none for a scalar.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Elements,
}

/// A number that files hold.
trait Number: Copy {
    const SIZE: usize;
    /// From its bytes, lowest first.
    fn read(bytes: &[u8]) -> Self;
    /// Appends its bytes, lowest first.
    fn write(self, out: &mut Vec<u8>);
    /// Nearest real number; exact up to 53 bits.
    fn real(self) -> f64;
}

macro_rules! numbers {
    ($($ty:ty),*) => {$(
        impl Number for $ty {
            const SIZE: usize = size_of::<$ty>();
            fn read(bytes: &[u8]) -> Self {
                bytes.first_chunk().map_or_else(Default::default, |&b| Self::from_le_bytes(b))
            }
            fn write(self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }
            #[allow(clippy::cast_lossless)]
            fn real(self) -> f64 {
                self as f64
            }
        }
    )*};
}
numbers!(u8, u16, u32, u64, i8, i16, i32, i64, f32, f64);

impl Number for bool {
    const SIZE: usize = 1;
    fn read(bytes: &[u8]) -> Self {
        bytes.first().is_some_and(|&b| b != 0)
    }
    fn write(self, out: &mut Vec<u8>) {
        out.push(u8::from(self));
    }
    fn real(self) -> f64 {
        f64::from(u8::from(self))
    }
}

macro_rules! elements {
    ($($(#[doc = $doc:literal])+ $name:ident: $ty:ty, $descr:literal;)*) => {
        /// What an element is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $($(#[doc = $doc])+ $name),* }

        /// Elements of one kind.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Elements { $($(#[doc = $doc])+ $name(Vec<$ty>)),* }

        impl Kind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// NumPy's name without the byte order: `u1`, `f4`, ...
            pub fn descr(self) -> &'static str {
                match self { $(Self::$name => $descr),* }
            }

            /// Bytes of one element.
            pub fn size(self) -> usize {
                match self { $(Self::$name => <$ty as Number>::SIZE),* }
            }
        }

        impl Elements {
            /// What an element is.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$name(_) => Kind::$name),* }
            }

            /// Number of elements.
            pub fn len(&self) -> usize {
                match self { $(Self::$name(v) => v.len()),* }
            }

            /// From whole elements of bytes, lowest first.
            pub(super) fn from_le(kind: Kind, bytes: &[u8]) -> Self {
                match kind { $(Kind::$name => Self::$name(bytes.chunks_exact(kind.size()).map(Number::read).collect())),* }
            }

            /// The bytes, lowest first.
            pub(super) fn to_le(&self) -> Vec<u8> {
                let mut out = Vec::with_capacity(self.len().saturating_mul(self.kind().size()));
                match self { $(Self::$name(v) => v.iter().for_each(|x| x.write(&mut out))),* }
                out
            }

            /// The elements as real numbers: exact up to 53 bits, otherwise the nearest.
            pub fn to_f64(&self) -> Vec<f64> {
                match self { $(Self::$name(v) => v.iter().map(|x| x.real()).collect()),* }
            }

            /// The elements in the order of `index`; those past the end are left out.
            pub(super) fn permuted(&self, index: impl Iterator<Item = usize>) -> Self {
                match self { $(Self::$name(v) => Self::$name(index.filter_map(|i| v.get(i).copied()).collect())),* }
            }
        }
    };
}

elements! {
    /// Truth values.
    Bool: bool, "b1";
    /// Bytes.
    U8: u8, "u1";
    /// 16 bits, unsigned.
    U16: u16, "u2";
    /// 32 bits, unsigned.
    U32: u32, "u4";
    /// 64 bits, unsigned.
    U64: u64, "u8";
    /// 8 bits, signed.
    I8: i8, "i1";
    /// 16 bits, signed.
    I16: i16, "i2";
    /// 32 bits, signed.
    I32: i32, "i4";
    /// 64 bits, signed.
    I64: i64, "i8";
    /// Single precision.
    F32: f32, "f4";
    /// Double precision.
    F64: f64, "f8";
}

impl Elements {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Array {
    /// Bytes that an array of this shape and kind takes; `None` on overflow, also of its other dimensions where one is 0.
    pub fn bytes_of(shape: &[usize], kind: Kind) -> Option<usize> {
        let size = shape.iter().try_fold(kind.size(), |n, &d| n.checked_mul(d.max(1)));
        size.map(|n| if shape.contains(&0) { 0 } else { n })
    }

    /// The elements as features: truth values and u8 stay bytes, all others become f32 (the nearest one).
    ///
    /// Errors: `BL1210` where one is not finite; `file` and `what` are what diagnostics call the array.
    pub fn into_features(self, file: &str, what: &str) -> Result<Features> {
        let reals = match self.data {
            Elements::U8(v) => return Ok(Features::U8(v)),
            Elements::Bool(v) => return Ok(Features::U8(v.into_iter().map(u8::from).collect())),
            Elements::F32(v) => v,
            other => other.to_f64().into_iter().map(|x| x as f32).collect(),
        };
        match reals.iter().position(|x| !x.is_finite()) {
            None => Ok(Features::F32(reals)),
            Some(i) => {
                let d = Diagnostic::error(&codes::DATA_NOT_FINITE, format!("element {i} is {}", reals[i]));
                Err(d.in_file(file, what).help("replace or drop such samples first").into())
            }
        }
    }

    /// The elements as class labels.
    ///
    /// Errors: `BL1208` where one is no whole number from 0 to 65535.
    pub fn to_labels(&self, file: &str, what: &str) -> Result<Vec<u16>> {
        let label = |x: f64| (x >= 0.0 && x <= f64::from(u16::MAX) && x.fract() == 0.0).then_some(x as u16);
        let values = self.data.to_f64();
        let labels: Option<Vec<u16>> = values.iter().map(|&x| label(x)).collect();
        labels.ok_or_else(|| {
            let i = values.iter().position(|&x| label(x).is_none()).unwrap_or(0);
            let message = format!("label {i} is {}; labels are whole numbers from 0 to 65535", values[i]);
            Diagnostic::error(&codes::DATA_LABELS, message).in_file(file, what).help("number the classes from 0").into()
        })
    }
}

//! Types: bits, unsigned words, real numbers, the clock, and arrays of the first three.

use std::fmt;

/// What one element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Elem {
    /// One wire.
    Bit,
    /// An unsigned word of 1 to 64 bits, written `u8`.
    Word(u8),
    /// A real number; only at tensor level.
    F32,
    /// The clock; only as an `hw.module` port.
    Clock,
}

/// An element type and up to three dimensions (none for a scalar).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Type {
    /// Element.
    pub elem: Elem,
    rank: u8,
    dims: [u32; 3],
}

impl Type {
    /// One wire.
    pub const BIT: Self = Self::scalar(Elem::Bit);
    /// The clock.
    pub const CLOCK: Self = Self::scalar(Elem::Clock);
    /// Most bits that a packed value may have: offsets stay far inside `u32`.
    pub const MAX_BITS: u64 = 1 << 26;
    /// Most bits of all values of a function.
    pub const MAX_ALL_BITS: u64 = 1 << 27;

    /// A scalar of an element type.
    pub const fn scalar(elem: Elem) -> Self {
        Self { elem, rank: 0, dims: [0; 3] }
    }

    /// An unsigned word of `width` bits; `u1` and `bit` are different types.
    pub const fn word(width: u8) -> Self {
        Self::scalar(Elem::Word(width))
    }

    /// `bit[n]`.
    pub fn bits(n: usize) -> Self {
        Self::array(Elem::Bit, &[n]).unwrap_or(Self::BIT)
    }

    /// An array type; `None` for rank 0 or above 3, a dimension of 0 or above `u32`, a clock, or too many bits.
    pub fn array(elem: Elem, shape: &[usize]) -> Option<Self> {
        if shape.is_empty() || shape.len() > 3 || elem == Elem::Clock {
            return None;
        }
        let mut dims = [0; 3];
        for (dim, &size) in dims.iter_mut().zip(shape) {
            *dim = u32::try_from(size).ok().filter(|&d| d > 0)?;
        }
        let width = Self::scalar(elem).elem_bits();
        let total = shape.iter().try_fold(width as u64, |n, &d| n.checked_mul(d as u64))?;
        (total <= Self::MAX_BITS).then_some(Self { elem, rank: shape.len() as u8, dims })
    }

    /// Dimensions, outermost first; empty for a scalar.
    pub fn shape(&self) -> &[u32] {
        &self.dims[..self.rank as usize]
    }

    /// Whether there are no dimensions.
    pub fn is_scalar(&self) -> bool {
        self.rank == 0
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape().iter().map(|&d| d as usize).product()
    }

    /// Never: every type has at least one element.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Bits of one element (32 for `f32`, 1 for the clock).
    pub fn elem_bits(&self) -> usize {
        match self.elem {
            Elem::Bit | Elem::Clock => 1,
            Elem::Word(width) => width as usize,
            Elem::F32 => 32,
        }
    }

    /// Bits of a whole value. Bit `e * elem_bits + b` is bit `b` (0 the lowest) of element `e` (row-major).
    pub fn total_bits(&self) -> usize {
        self.len() * self.elem_bits()
    }

    /// Whether values are bits or unsigned words, so that hardware can carry them.
    pub fn is_packed(&self) -> bool {
        matches!(self.elem, Elem::Bit | Elem::Word(_))
    }
}

/// Bits needed to write `max` (1 for 0).
pub fn bits_for(max: u64) -> u8 {
    (64 - max.leading_zeros()).max(1) as u8
}

/// Bits needed for the largest sum of products of a row of a matrix with words of `bits` bits; `None` above 64.
pub fn bits_for_products(weights: &[u32], columns: usize, bits: usize) -> Option<u8> {
    let word = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
    let sums = weights.chunks(columns.max(1)).map(|row| row.iter().map(|&w| u64::from(w)).sum::<u64>());
    sums.max().unwrap_or(0).checked_mul(word).map(bits_for)
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.elem {
            Elem::Bit => f.write_str("bit")?,
            Elem::Word(width) => write!(f, "u{width}")?,
            Elem::F32 => f.write_str("f32")?,
            Elem::Clock => f.write_str("clock")?,
        }
        for (i, dim) in self.shape().iter().enumerate() {
            write!(f, "{}{dim}", if i == 0 { "[" } else { ", " })?;
        }
        f.write_str(if self.is_scalar() { "" } else { "]" })
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_counts() {
        let t = Type::array(Elem::Word(8), &[3, 32, 32]).unwrap();
        assert_eq!(t.to_string(), "u8[3, 32, 32]");
        assert_eq!((t.len(), t.total_bits()), (3072, 24576));
        assert_eq!(Type::word(4).to_string(), "u4");
        assert_eq!(bits_for(0), 1);
        assert_eq!(bits_for(100), 7);
    }

    #[test]
    fn refuses_absurd_shapes() {
        assert_eq!(Type::array(Elem::Bit, &[0]), None);
        assert_eq!(Type::array(Elem::Bit, &[1, 1, 1, 1]), None);
        assert_eq!(Type::array(Elem::Word(64), &[usize::MAX, usize::MAX]), None);
        assert_eq!(Type::array(Elem::Clock, &[2]), None);
    }
}

//! Affine forms: a constant and classes, each with a weight.

use egg::Id;
use smallvec::SmallVec;

/// `constant + Σ weight * class`, classes rising, no weight 0 (once [`Form::tidy`] ran).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    pub constant: i128,
    pub terms: Vec<(Id, i128)>,
}

impl Form {
    /// A number.
    pub fn number(constant: i128) -> Self {
        Self { constant, terms: Vec::new() }
    }

    /// A class.
    pub fn of(id: Id) -> Self {
        Self { constant: 0, terms: vec![(id, 1)] }
    }

    /// Adds `weight * other`.
    pub fn add(&mut self, other: &Self, weight: i128) {
        self.constant += weight * other.constant;
        self.terms.extend(other.terms.iter().map(|&(id, w)| (id, weight * w)));
    }

    /// The form plus `weight * other`.
    pub fn plus(&self, other: &Self, weight: i128) -> Self {
        let mut sum = self.clone();
        sum.add(other, weight);
        sum.tidy();
        sum
    }

    /// Each class once.
    pub fn tidy(&mut self) {
        self.terms.sort_by_key(|&(id, _)| id);
        let mut kept: Vec<(Id, i128)> = Vec::with_capacity(self.terms.len());
        for &(id, weight) in &self.terms {
            match kept.last_mut() {
                Some(last) if last.0 == id => last.1 += weight,
                _ => kept.push((id, weight)),
            }
        }
        kept.retain(|&(_, weight)| weight != 0);
        self.terms = kept;
    }

    /// The weight of a class.
    pub fn weight(&self, id: Id) -> i128 {
        self.terms.binary_search_by_key(&id, |&(id, _)| id).map_or(0, |at| self.terms[at].1)
    }

    /// The terms of positive weight as they are, or those of negative weight with it turned round.
    pub fn side(&self, sign: i128) -> Self {
        let weight = |w: i128| (sign * w).max(0);
        let terms = self.terms.iter().map(|&(id, w)| (id, weight(w))).filter(|&(_, w)| w > 0);
        Self { constant: weight(self.constant), terms: terms.collect() }
    }
}

/// A one or minus one in a column.
pub type Digit = (u32, bool);

/// A weight as the fewest ones and minus ones, modulo two to the width; as ones where that is no more.
pub fn digits(weight: i128, width: u8) -> SmallVec<[Digit; 4]> {
    let modulus = 1i128 << width;
    let up = weight.rem_euclid(modulus);
    let ones = |n: i128, minus: bool| -> SmallVec<[Digit; 4]> {
        (0..width.into()).filter(|b| n >> b & 1 == 1).map(|b| (b, minus)).collect()
    };
    let mut mixed: SmallVec<[Digit; 4]> = SmallVec::new();
    let mut rest = if 2 * up > modulus { up - modulus } else { up };
    let mut column = 0;
    while rest != 0 && column < width.into() {
        if rest & 1 == 1 {
            // Two bits 11 begin a run of ones: minus one here, one above it.
            let minus = rest & 3 == 3 && column + 1 < width.into();
            mixed.push((column, minus));
            rest += if minus { 1 } else { -1 };
        }
        rest >>= 1;
        column += 1;
    }
    let mut best = ones(up, false);
    for other in [ones(modulus - up, true), mixed] {
        if up != 0 && other.len() < best.len() {
            best = other;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_the_weight_and_few() {
        for width in 1..=9u8 {
            for weight in -700i128..700 {
                let digits = digits(weight, width);
                let value: i128 = digits.iter().map(|&(c, minus)| if minus { -(1i128 << c) } else { 1 << c }).sum();
                let modulus = 1i128 << width;
                assert_eq!(value.rem_euclid(modulus), weight.rem_euclid(modulus), "{weight} in {width} bits");
                assert!(digits.len() as u32 <= weight.rem_euclid(modulus).count_ones());
            }
        }
        assert_eq!(digits(7, 8).as_slice(), [(0, true), (3, false)]);
        assert_eq!(digits(-3, 8).as_slice(), [(0, true), (1, true)]);
    }
}

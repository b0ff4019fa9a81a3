//! Cuts: up to six leaves that a node's value is a function of, with that function.
//!
//! A set of nodes is a cut of `n` when every path from the inputs to `n` goes through it; a LUT with the leaves as inputs
//! and the cut's table can then stand for `n` and all that lies between.

use blc_ir::table::{VAR, cofactor, depends, swap};

/// Most leaves of a cut.
pub const MAX: usize = 6;

/// A node of a [`super::net::Net`] or its complement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lit(u32);

impl Lit {
    /// Constant 0; its complement is constant 1.
    pub const FALSE: Self = Self(0);

    /// A node, complemented or not.
    pub fn new(node: u32, complement: bool) -> Self {
        Self(node << 1 | u32::from(complement))
    }

    /// The node.
    pub fn node(self) -> u32 {
        self.0 >> 1
    }

    /// Whether the complement is meant.
    pub fn complement(self) -> bool {
        self.0 & 1 == 1
    }

    /// The complement if `flip`.
    pub fn flip(self, flip: bool) -> Self {
        Self(self.0 ^ u32::from(flip))
    }
}

/// Leaves in rising order and the function of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cut {
    /// Table over the leaves, widened to six inputs.
    pub table: u64,
    leaves: [u32; MAX],
    /// Bit `leaf % 32` is set for each leaf: tells most cuts apart at a glance.
    sign: u32,
    len: u8,
}

fn flip_input(table: u64, j: usize) -> u64 {
    let shift = 1 << j;
    (table & VAR[j]) >> shift | (table & !VAR[j]) << shift
}

impl Cut {
    /// No leaves: constant 0.
    pub const FALSE: Self = Self { table: 0, leaves: [0; MAX], sign: 0, len: 0 };

    /// The node itself as only leaf.
    pub fn trivial(node: u32) -> Self {
        let mut leaves = [0; MAX];
        leaves[0] = node;
        Self { table: VAR[0], leaves, sign: sign(node), len: 1 }
    }

    /// The function `table` (widened) of at most six literals, as a cut: constants, repeated and vacuous inputs dropped,
    /// complements absorbed, leaves sorted.
    pub fn canonical(table: u64, inputs: &[Lit]) -> Self {
        debug_assert!(inputs.len() <= MAX);
        let mut cut = Self { table, leaves: [0; MAX], sign: 0, len: inputs.len().min(MAX) as u8 };
        for (j, lit) in inputs.iter().take(MAX).enumerate() {
            cut.leaves[j] = lit.node();
            if lit.node() == Lit::FALSE.node() {
                cut.table = cofactor(cut.table, j, lit.complement());
            } else if lit.complement() {
                cut.table = flip_input(cut.table, j);
            }
        }
        for i in 1..cut.size() {
            let mut j = i;
            while j > 0 && cut.leaves[j - 1] > cut.leaves[j] {
                cut.leaves.swap(j - 1, j);
                cut.table = swap(cut.table, j - 1, j);
                j -= 1;
            }
        }
        for j in (1..cut.size()).rev().filter(|&j| cut.leaves[j - 1] == cut.leaves[j]) {
            let (low, high) = (cofactor(cut.table, j, false), cofactor(cut.table, j, true));
            cut.table = low & !VAR[j - 1] | high & VAR[j - 1];
        }
        cut.drop_vacuous();
        cut
    }

    /// Drops the leaves that the function does not depend on.
    pub fn drop_vacuous(&mut self) {
        let mut kept = 0;
        self.sign = 0;
        for j in 0..self.size() {
            if depends(self.table, j) {
                self.leaves[kept] = self.leaves[j];
                self.table = swap(self.table, kept, j);
                self.sign |= sign(self.leaves[kept]);
                kept += 1;
            }
        }
        self.leaves[kept..].fill(0);
        self.len = kept as u8;
    }

    /// Number of leaves.
    pub fn size(&self) -> usize {
        self.len as usize
    }

    /// The leaves, rising.
    pub fn leaves(&self) -> &[u32] {
        &self.leaves[..self.size()]
    }

    /// The complemented function.
    pub fn flip(mut self, flip: bool) -> Self {
        if flip {
            self.table = !self.table;
        }
        self
    }

    /// Whether all leaves are leaves of `other` too.
    pub fn is_within(&self, other: &Self) -> bool {
        self.len <= other.len && self.sign & !other.sign == 0 && {
            let mut rest = other.leaves().iter();
            self.leaves().iter().all(|leaf| rest.any(|l| l == leaf))
        }
    }

    /// The leaves of both, where they are at most `limit`; the table is left to [`Cut::compose`].
    pub fn union(&self, other: &Self, limit: usize) -> Option<Self> {
        let sign = self.sign | other.sign;
        if sign.count_ones() as usize > limit {
            return None;
        }
        // Without branches on which comes next: what that is nobody can foretell.
        let mut leaves = [0; MAX];
        let next = |cut: &Self, at: usize| if at < cut.size() { cut.leaves[at % MAX] } else { u32::MAX };
        let (mut i, mut j, mut n) = (0, 0, 0);
        while i < self.size() || j < other.size() {
            if n == limit {
                return None;
            }
            let (a, b) = (next(self, i), next(other, j));
            leaves[n] = a.min(b);
            i += usize::from(a <= b);
            j += usize::from(b <= a);
            n += 1;
        }
        Some(Self { table: 0, leaves, sign, len: n as u8 })
    }

    /// Sets the table to `table` of the functions of `parts`, whose leaves are all leaves of this cut, and drops vacuous
    /// leaves.
    pub fn compose<'c>(&mut self, table: u64, parts: impl Iterator<Item = &'c Self>) {
        let mut inputs = [0; MAX];
        let mut n = 0;
        for (input, part) in inputs.iter_mut().zip(parts) {
            *input = self.stretch(part);
            n += 1;
        }
        self.table = blc_ir::table::compose(table, &inputs[..n]);
        self.drop_vacuous();
    }

    /// The table of `part` over the leaves of `self`.
    pub(super) fn stretch(&self, part: &Self) -> u64 {
        let mut table = part.table;
        let mut to = self.size();
        for from in (0..part.size()).rev() {
            // Positions above `to` are taken by higher inputs; `to` itself is vacuous or `from`.
            to = (0..to).rev().find(|&p| self.leaves[p] == part.leaves[from]).unwrap_or(from);
            table = swap(table, from, to);
        }
        table
    }
}

fn sign(leaf: u32) -> u32 {
    1 << (leaf & 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Value of a cut under an assignment of nodes.
    fn value(cut: &Cut, bits: u64) -> bool {
        let address = cut.leaves().iter().enumerate().fold(0, |a, (j, &n)| a | (bits >> n & 1) << j);
        cut.table >> address & 1 == 1
    }

    fn lits() -> impl Strategy<Value = Vec<Lit>> {
        proptest::collection::vec((0u32..10, any::<bool>()).prop_map(|(n, c)| Lit::new(n, c)), 1..=6)
    }

    proptest! {
        #[test]
        fn canonical_keeps_the_function(table: u64, inputs in lits(), bits: u64) {
            let bits = bits & !1;
            let table = blc_ir::table::widen(table, inputs.len());
            let cut = Cut::canonical(table, &inputs);
            let address = inputs.iter().enumerate().fold(0, |a, (j, l)| {
                a | u64::from((bits >> l.node() & 1 == 1) != l.complement()) << j
            });
            prop_assert_eq!(value(&cut, bits), table >> address & 1 == 1);
            prop_assert!(cut.leaves().is_sorted_by(|a, b| a < b));
            prop_assert!((0..6).all(|j| depends(cut.table, j) == (j < cut.size())));
        }

        #[test]
        fn composition_is_substitution(table: u64, a in (any::<u64>(), lits()), b in (any::<u64>(), lits()), bits: u64) {
            let bits = bits & !1;
            let [a, b] = [a, b].map(|(t, lits)| Cut::canonical(blc_ir::table::widen(t, lits.len()), &lits));
            let Some(mut both) = a.union(&b, MAX) else { return Ok(()) };
            prop_assert!(a.is_within(&both) && b.is_within(&both));
            let table = blc_ir::table::widen(table, 2);
            both.compose(table, [&a, &b].into_iter());
            let address = u64::from(value(&a, bits)) | u64::from(value(&b, bits)) << 1;
            prop_assert_eq!(value(&both, bits), table >> address & 1 == 1);
        }
    }
}

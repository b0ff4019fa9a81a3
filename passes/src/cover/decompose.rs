//! A function of up to six inputs as small blocks: its disjoint-support decomposition.
//!
//! `f(B, R)` splits into `h(g(B), R)` when its cofactors over the inputs `B` are two different ones only (Ashenhurst
//! 1957). Splits of the fewest inputs first leave AND, OR, XOR and prime blocks, which the cover joins again as it likes.

use blc_ir::LocId;
use blc_ir::table::{VAR, cofactor, support};
use smallvec::SmallVec;

use super::cut::{Cut, Lit, MAX};
use super::net::Net;

/// The table of `c ? b : a` over `a`, `b`, `c`.
const MUX: u64 = VAR[0] & !VAR[2] | VAR[1] & VAR[2];

impl Net {
    /// A function as blocks.
    pub fn function(&mut self, cut: &Cut, loc: LocId) -> Lit {
        if let Some(lit) = self.lookup(cut) {
            return lit;
        }
        if cut.size() == 2 {
            return self.add(cut, loc);
        }
        if let Some(Split { g, h, place }) = split(cut.table, cut.size(), self.descending()) {
            let mut inputs: SmallVec<[Lit; MAX]> = cut.leaves().iter().map(|&leaf| Lit::new(leaf, false)).collect();
            inputs[place] = self.function(&Cut::canonical(g, &inputs), loc);
            return self.function(&Cut::canonical(h, &inputs), loc);
        }
        if cut.size() <= self.k() { self.add(cut, loc) } else { self.shannon(cut, loc) }
    }

    /// `s ? b : a`.
    pub fn mux(&mut self, s: Lit, a: Lit, b: Lit, loc: LocId) -> Lit {
        let cut = Cut::canonical(MUX, &[a, b, s]);
        if cut.size() <= self.k() {
            return self.add(&cut, loc);
        }
        let high = self.add(&Cut::canonical(VAR[0] & VAR[1], &[s, b]), loc);
        let low = self.add(&Cut::canonical(VAR[0] & VAR[1], &[s.flip(true), a]), loc);
        self.add(&Cut::canonical(VAR[0] | VAR[1], &[high, low]), loc)
    }

    /// A prime function of too many inputs, by the input whose cofactors have the fewest.
    fn shannon(&mut self, cut: &Cut, loc: LocId) -> Lit {
        let weight = |j: &usize| {
            let size = |value| support(cofactor(cut.table, *j, value)).count_ones();
            size(false) + size(true)
        };
        let j = (0..cut.size()).min_by_key(weight).unwrap_or(0);
        let mut branch = |value| {
            let mut part = *cut;
            part.table = cofactor(cut.table, j, value);
            part.drop_vacuous();
            self.function(&part, loc)
        };
        let (a, b) = (branch(false), branch(true));
        self.mux(Lit::new(cut.leaves()[j], false), a, b, loc)
    }
}

/// The smallest set of inputs that splits off: `g` of them, `h` with `g` in place of the input `place`, both over the
/// inputs of `table`.
struct Split {
    g: u64,
    h: u64,
    place: usize,
}

/// Splits a function of `n` inputs, none of them vacuous. Of equally large sets the first inputs are preferred, or the last.
fn split(table: u64, n: usize, descending: bool) -> Option<Split> {
    let end = 1u32 << n;
    let sets = (2..n as u32).flat_map(|size| (1..end).map(move |set| (set, size)));
    let sets = sets.map(|(set, size)| (if descending { end - set } else { set }, size));
    sets.filter(|&(set, size)| set.count_ones() == size).find_map(|(set, _)| {
        let bound: SmallVec<[usize; MAX]> = (0..n).filter(|j| set >> j & 1 == 1).collect();
        let mut low = None;
        let mut high = None;
        let mut g = 0;
        for assignment in 0..1u32 << bound.len() {
            let (mut column, mut place) = (table, u64::MAX);
            for (i, &j) in bound.iter().enumerate() {
                let value = assignment >> i & 1 == 1;
                column = cofactor(column, j, value);
                place &= if value { VAR[j] } else { !VAR[j] };
            }
            if *low.get_or_insert(column) == column {
                continue;
            }
            if *high.get_or_insert(column) != column {
                return None;
            }
            g |= place;
        }
        let (place, low, high) = (bound[0], low?, high?);
        Some(Split { g, h: low & !VAR[place] | high & VAR[place], place })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Value of a literal where input node `i` is bit `i` of `bits`.
    fn value(net: &Net, lit: Lit, bits: u64) -> bool {
        let node = lit.node();
        let v = if net.is_leaf(node) {
            bits >> node & 1 == 1
        } else {
            let block = net.block(node);
            let address = block
                .leaves()
                .iter()
                .enumerate()
                .fold(0, |a, (j, &leaf)| a | usize::from(value(net, Lit::new(leaf, false), bits)) << j);
            block.table >> address & 1 == 1
        };
        v != lit.complement()
    }

    fn check(table: u64, k: usize, descending: bool) -> Net {
        let mut net = Net::new(k, descending);
        let inputs: Vec<Lit> = (0..6).map(|_| net.leaf()).collect();
        let lit = net.function(&Cut::canonical(table, &inputs), LocId::UNKNOWN);
        for address in 0..64u64 {
            assert_eq!(value(&net, lit, address << 1), table >> address & 1 == 1, "{table:#x} at {address}");
        }
        for node in 7..net.node_count() as u32 {
            assert!((2..=k).contains(&net.block(node).size()));
        }
        net
    }

    proptest! {
        #[test]
        fn any_function_any_k(table: u64, k in 2usize..=6, descending: bool) {
            check(table, k, descending);
        }
    }

    #[test]
    fn splits_into_gates() {
        let [a, b, c, d, e, f] = VAR;
        for (table, blocks) in [
            (a & b & c & d & e & f, 5),
            (a ^ b ^ c ^ !d ^ e ^ f, 5),
            ((a | b) & (c ^ d) & !(e & f), 5),
            // A multiplexer and a majority are prime.
            ((a & !c | b & c) ^ (d & e | d & f | e & f), 3),
            (0x1234_5678_9abc_def1, 1),
        ] {
            for descending in [false, true] {
                assert_eq!(check(table, 6, descending).node_count() - 7, blocks, "{table:#x}");
            }
        }
    }
}

//! Tables of seven to sixteen inputs as a decision diagram of multiplexers over functions of few inputs.
//!
//! Inputs are split off one by one, each time the one that leaves the least: the fewest different cofactors, of the
//! fewest inputs (complements count as equal). Equal cofactors are built once. Before that, inputs of which only a code matters
//! become that code, where the diagram with it is smaller ([`columns`]).

use blc_ir::LocId;
use blc_ir::table::{cofactor, depends, drop_input, mask, widen};
use rustc_hash::{FxHashMap, FxHashSet};

use super::columns::{self, Split};
use super::cut::{Cut, Lit, MAX};
use super::net::Net;

/// A table of `inputs` inputs: `2^inputs` bits, those of fewer than six in the low bits of its one word.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Wide {
    pub words: Vec<u64>,
    pub inputs: usize,
}

impl Wide {
    /// The table whose lowest inputs say which of `parts`, the last where they say more, of the other inputs.
    pub fn joined(bits: usize, parts: &[Self]) -> Self {
        let inputs = bits + parts[0].inputs;
        let mut words = vec![0; 1 << inputs.saturating_sub(MAX)];
        for address in 0..1usize << inputs {
            let part = &parts[(address & ((1 << bits) - 1)).min(parts.len() - 1)];
            let at = address >> bits;
            words[address / 64] |= (part.words[at / 64] >> (at % 64) & 1) << (address % 64);
        }
        Self { words, inputs }
    }

    /// Entries that are 1.
    pub fn ones(&self) -> u32 {
        self.words.iter().map(|w| w.count_ones()).sum()
    }

    /// Entries that differ from those where input `j` differs.
    pub fn influence(&self, j: usize) -> u32 {
        let [low, high] = self.cofactors(j);
        low.words.iter().zip(&high.words).map(|(a, b)| (a ^ b).count_ones()).sum()
    }

    /// Both cofactors over the other inputs.
    pub fn cofactors(&self, j: usize) -> [Self; 2] {
        [false, true].map(|value| {
            let words = if self.inputs <= MAX {
                vec![drop_input(cofactor(widen(self.words[0], self.inputs), j, value), self.inputs, j)]
            } else if j < MAX {
                let half = |&w: &u64| drop_input(cofactor(w, j, value), MAX, j);
                self.words.chunks(2).map(|pair| half(&pair[0]) | half(&pair[1]) << 32).collect()
            } else {
                let run = 1 << (j - MAX);
                self.words.chunks(run).skip(usize::from(value)).step_by(2).flatten().copied().collect()
            };
            Self { words, inputs: self.inputs - 1 }
        })
    }

    pub fn depends(&self, j: usize) -> bool {
        if j < MAX {
            return self.words.iter().any(|&w| depends(widen(w, self.inputs.min(MAX)), j));
        }
        let run = 1 << (j - MAX);
        self.words.chunks(2 * run).any(|pair| pair[..run] != pair[run..])
    }

    /// The table or its complement, whichever is 0 at address 0, and whether it is the complement.
    fn normal(self) -> (Self, bool) {
        let flip = self.words[0] & 1 == 1;
        (if flip { self.complement() } else { self }, flip)
    }

    pub fn complement(mut self) -> Self {
        self.words.iter_mut().for_each(|w| *w = !*w & mask(self.inputs.min(MAX)));
        self
    }
}

impl Net {
    /// A function of up to sixteen literals; `words` holds its `2^n` bits.
    pub fn wide(&mut self, words: &[u64], inputs: &[Lit], loc: LocId) -> Lit {
        let mut table = Wide { words: words.to_vec(), inputs: inputs.len() };
        let mut inputs = inputs.to_vec();
        for j in (0..inputs.len()).rev() {
            let lit = inputs[j];
            if lit.node() == Lit::FALSE.node() || !table.depends(j) {
                let [low, high] = table.cofactors(j);
                table = if lit.complement() { high } else { low };
                inputs.remove(j);
            }
        }
        let (mut order, mut size) = order(&table, self.k());
        while table.inputs > self.k() {
            let sized = |split: Split| {
                let (order, size) = self::order(&split.rest, self.k());
                (split, order, size)
            };
            let splits = columns::splits(&table, self.k()).into_iter().map(sized);
            let cost = |(split, _, size): &(Split, Vec<usize>, usize)| 2 * split.codes.len() + size;
            let Some(best) = splits.min_by_key(cost).filter(|best| cost(best) < size) else { break };
            let split;
            (split, order, size) = best;
            let bound: Vec<Lit> = split.bound.iter().map(|&j| inputs[j]).collect();
            let code = |table: &u64| self.function(&Cut::canonical(widen(*table, bound.len()), &bound), loc);
            let codes: Vec<Lit> = split.codes.iter().map(code).collect();
            let others = inputs.iter().enumerate().filter(|(j, _)| !split.bound.contains(j)).map(|(_, &lit)| lit);
            inputs = codes.into_iter().chain(others).collect();
            table = split.rest;
        }
        let mut done = FxHashMap::default();
        self.diagram(table, &inputs, &order, &mut done, loc)
    }

    /// `order` names the input to split off at each number of inputs, the last first.
    fn diagram(
        &mut self,
        table: Wide,
        inputs: &[Lit],
        order: &[usize],
        done: &mut FxHashMap<Wide, Lit>,
        loc: LocId,
    ) -> Lit {
        let (table, flip) = table.normal();
        if let Some(&lit) = done.get(&table) {
            return lit.flip(flip);
        }
        let lit = match order {
            [] => self.function(&Cut::canonical(widen(table.words[0], table.inputs), inputs), loc),
            [j, rest @ ..] => {
                let [a, b] = table.cofactors(*j);
                let mut others = inputs.to_vec();
                let s = others.remove(*j);
                let a = self.diagram(a, &others, rest, done, loc);
                let b = self.diagram(b, &others, rest, done, loc);
                self.mux(s, a, b, loc)
            }
        };
        done.insert(table, lit);
        lit.flip(flip)
    }
}

/// Positions (among the inputs still there) to split off until at most `k` are left, and the size of the diagram: half a
/// LUT a multiplexer and a LUT a function left, in halves.
fn order(table: &Wide, k: usize) -> (Vec<usize>, usize) {
    let mut level: FxHashSet<Wide> = FxHashSet::from_iter([table.clone()]);
    let (mut order, mut size) = (Vec::new(), 0);
    for n in (k + 1..=table.inputs).rev() {
        let split =
            |j: usize| -> FxHashSet<Wide> { level.iter().flat_map(|t| t.cofactors(j)).map(|t| t.normal().0).collect() };
        // The bits of all tables, without their vacuous inputs.
        let bits = |next: &FxHashSet<Wide>| -> u64 {
            next.iter().map(|t| (0..t.inputs).fold(1, |bits, j| bits << u32::from(t.depends(j)))).sum()
        };
        let Some((j, next)) = (0..n).map(|j| (j, split(j))).min_by_key(|(_, next)| bits(next)) else { break };
        order.push(j);
        size += level.iter().filter(|t| t.depends(j)).count();
        level = next;
    }
    let left = level.iter().filter(|t| (0..t.inputs).filter(|&j| t.depends(j)).count() > 1).count();
    (order, size + 2 * left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(net: &Net, lit: Lit, bits: u64, known: &mut FxHashMap<u32, bool>) -> bool {
        let node = lit.node();
        let v = if net.is_leaf(node) {
            bits >> node & 1 == 1
        } else if let Some(&v) = known.get(&node) {
            v
        } else {
            let block = *net.block(node);
            let mut address = 0;
            for (j, &leaf) in block.leaves().iter().enumerate() {
                address |= usize::from(value(net, Lit::new(leaf, false), bits, known)) << j;
            }
            let v = block.table >> address & 1 == 1;
            known.insert(node, v);
            v
        };
        v != lit.complement()
    }

    fn check(words: &[u64], n: usize, k: usize) -> usize {
        let mut net = Net::new(k, false);
        let inputs: Vec<Lit> = (0..n).map(|_| net.leaf()).collect();
        let lit = net.wide(words, &inputs, LocId::UNKNOWN);
        for address in 0..1usize << n {
            let v = value(&net, lit, (address as u64) << 1, &mut FxHashMap::default());
            assert_eq!(v, words[address >> 6] >> (address & 63) & 1 == 1, "{n} inputs at {address}");
        }
        net.node_count() - 1 - n
    }

    proptest! {
        #[test]
        fn any_table(n in 7usize..=10, k in 2usize..=6, words in proptest::collection::vec(any::<u64>(), 16)) {
            check(&words[..1 << (n - 6)], n, k);
        }
    }

    proptest! {
        #[test]
        fn any_weighted_sum(n in 7usize..=11, k in 2usize..=6, weights in proptest::collection::vec(0i32..20, 11), cut in 0i32..99) {
            let sum = |a: usize| -> i32 { weights.iter().enumerate().map(|(j, w)| if a >> j & 1 == 1 { *w } else { 0 }).sum() };
            check(&table(n, |a| sum(a) >= cut), n, k);
        }
    }

    /// The number of those who agree is all that a majority needs to know of some: as sums in few LUTs, not as a diagram.
    #[test]
    fn codes_are_smaller_than_diagrams() {
        let nodes = check(&table(15, |a| a.count_ones() > 7), 15, 6);
        assert!(nodes <= 40, "{nodes}");
    }

    /// The table of a function of addresses.
    fn table(n: usize, f: impl Fn(usize) -> bool) -> Vec<u64> {
        let mut words = vec![0; 1 << (n - 6)];
        (0..1usize << n).filter(|&a| f(a)).for_each(|a| words[a >> 6] |= 1 << (a & 63));
        words
    }

    #[test]
    fn shares_equal_cofactors() {
        // A parity of sixteen is fifteen gates, a multiplexer of eight is seven, whatever the order of its inputs.
        assert_eq!(check(&table(16, |a| a.count_ones() % 2 == 1), 16, 6), 15);
        assert!(check(&table(11, |a| a >> (3 + (a & 7)) & 1 == 1), 11, 6) <= 7);
        assert!(check(&table(11, |a| a >> (a >> 8) & 1 == 1), 11, 6) <= 7);
        // Two inputs matter.
        assert_eq!(check(&table(16, |a| a & 0x8001 == 0x8001), 16, 6), 1);
    }
}

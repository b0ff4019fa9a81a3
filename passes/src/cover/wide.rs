//! Tables of seven to sixteen inputs as a decision diagram of multiplexers over functions of few inputs.
//!
//! Inputs are split off one by one, each time the one that leaves the least: the fewest different cofactors, of the
//! fewest inputs (complements count as equal). Equal cofactors are built once.

use blc_ir::LocId;
use blc_ir::table::{cofactor, depends, drop_input, mask, widen};
use rustc_hash::{FxHashMap, FxHashSet};

use super::cut::{Cut, Lit, MAX};
use super::net::Net;

/// A table of `inputs` inputs: `2^inputs` bits, those of fewer than six in the low bits of its one word.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Wide {
    words: Vec<u64>,
    inputs: usize,
}

impl Wide {
    /// Both cofactors over the other inputs.
    fn cofactors(&self, j: usize) -> [Self; 2] {
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

    fn depends(&self, j: usize) -> bool {
        if j < MAX {
            return self.words.iter().any(|&w| depends(widen(w, self.inputs.min(MAX)), j));
        }
        let run = 1 << (j - MAX);
        self.words.chunks(2 * run).any(|pair| pair[..run] != pair[run..])
    }

    /// The table or its complement, whichever is 0 at address 0, and whether it is the complement.
    fn normal(mut self) -> (Self, bool) {
        let flip = self.words[0] & 1 == 1;
        if flip {
            self.words.iter_mut().for_each(|w| *w = !*w & mask(self.inputs.min(MAX)));
        }
        (self, flip)
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
        let order = order(&table, self.k());
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

/// Positions (among the inputs still there) to split off until at most `k` are left.
fn order(table: &Wide, k: usize) -> Vec<usize> {
    let mut level: FxHashSet<Wide> = FxHashSet::from_iter([table.clone()]);
    let mut order = Vec::new();
    for n in (k + 1..=table.inputs).rev() {
        let split =
            |j: usize| -> FxHashSet<Wide> { level.iter().flat_map(|t| t.cofactors(j)).map(|t| t.normal().0).collect() };
        // The bits of all tables, without their vacuous inputs.
        let size = |next: &FxHashSet<Wide>| -> u64 {
            next.iter().map(|t| (0..t.inputs).fold(1, |bits, j| bits << u32::from(t.depends(j)))).sum()
        };
        let Some((j, next)) = (0..n).map(|j| (j, split(j))).min_by_key(|(_, next)| size(next)) else { break };
        order.push(j);
        level = next;
    }
    order
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

//! Simulation: many input patterns at once, and classes of nodes that no pattern tells apart.

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::graph::{Gate, Graph, Lit};
use crate::rng::Rng;

/// Values of every node under 64 patterns a word.
#[derive(Debug, Default)]
pub struct Patterns {
    /// One block of 64 patterns after the other: the value of each node.
    blocks: Vec<Vec<u64>>,
}

impl Patterns {
    /// Adds blocks, given the values of every input in each.
    pub fn add(&mut self, g: &Graph, inputs: Vec<Vec<u64>>) {
        self.blocks.par_extend(inputs.into_par_iter().map(|inputs| simulate(g, &inputs)));
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The values of a literal in a block.
    pub fn word(&self, block: usize, lit: Lit) -> u64 {
        self.blocks[block][lit.node()] ^ (u64::from(lit.inverted())).wrapping_neg()
    }

    /// A pattern under which two literals differ: its block and number.
    pub fn difference(&self, a: Lit, b: Lit) -> Option<(usize, u32)> {
        let differ = |block: usize| self.word(block, a) ^ self.word(block, b);
        (0..self.blocks()).find(|&block| differ(block) != 0).map(|block| (block, differ(block).trailing_zeros()))
    }

    /// The inputs of a pattern.
    pub fn inputs(&self, g: &Graph, (block, number): (usize, u32)) -> Vec<bool> {
        g.inputs().iter().map(|&input| self.word(block, input) >> number & 1 == 1).collect()
    }
}

fn simulate(g: &Graph, inputs: &[u64]) -> Vec<u64> {
    let mut values = vec![0u64; g.len()];
    let get = |values: &[u64], l: Lit| values[l.node()] ^ u64::from(l.inverted()).wrapping_neg();
    for node in 0..g.len() {
        values[node] = match g.gate(node) {
            Gate::Zero => 0,
            Gate::Input(i) => inputs[i as usize],
            Gate::And(a, b) => get(&values, a) & get(&values, b),
            Gate::Xor(a, b) => get(&values, a) ^ get(&values, b),
        };
    }
    values
}

/// Inputs of random blocks: half of the inputs one, few, or many, and words of their own kinds: `words` gives the inputs
/// of each word, lowest bit first.
pub fn random(words: &[std::ops::Range<usize>], inputs: usize, blocks: usize, seed: u64) -> Vec<Vec<u64>> {
    let block = |block: usize| {
        let mut rng = Rng::new(seed ^ (block as u64) << 32);
        let mut values = vec![0; inputs];
        for word in words {
            // Whole words are often all 0 or all 1: thresholds lie at the ends as well as in the middle.
            let (zero, one) = match block % 4 {
                _ if word.len() == 1 => (0, 0),
                1 => (rng.next() & rng.next(), 0),
                2 => (0, rng.next() & rng.next()),
                3 => (rng.next() & rng.next(), rng.next() & rng.next()),
                _ => (0, 0),
            };
            for i in word.clone() {
                let bits = match block % 4 {
                    1 => rng.next() & rng.next(),
                    2 => rng.next() | rng.next(),
                    _ => rng.next(),
                };
                values[i] = bits & !zero | one;
            }
        }
        if block == 0 {
            // All 0, all 1.
            values.iter_mut().for_each(|v| *v = *v & !3 | 2);
        }
        values
    };
    (0..blocks).map(block).collect()
}

/// Nodes that no pattern so far tells apart, up to inversion.
#[derive(Clone, Debug)]
pub struct Classes {
    /// The class of each node.
    class: Vec<u32>,
    /// Whether a node is 1 under the first pattern: equal up to this inversion.
    phase: Vec<bool>,
    /// The nodes of each class, in the order they were given in, or sorted to.
    members: Vec<Vec<u32>>,
    seen: usize,
}

impl Classes {
    /// The nodes of a list in one class, of a graph of so many.
    pub fn new(nodes: usize, list: Vec<u32>) -> Self {
        Self { class: vec![0; nodes], phase: vec![false; nodes], members: vec![list], seen: 0 }
    }

    /// Splits classes by the blocks that were added since.
    pub fn refine(&mut self, patterns: &Patterns) {
        for block in self.seen..patterns.blocks() {
            if block == 0 {
                self.phase = (0..self.class.len()).map(|n| patterns.word(0, Lit::new(n)) & 1 == 1).collect();
            }
            self.split(&patterns.blocks[block]);
        }
        self.seen = patterns.blocks();
    }

    /// Splits classes by the values of all nodes under 64 patterns.
    pub fn split(&mut self, values: &[u64]) {
        for class in 0..self.members.len() {
            self.split_class(class, values);
        }
    }

    /// Puts each class in this order.
    pub fn sort(&mut self, rank: &[u32]) {
        self.members.iter_mut().for_each(|class| class.sort_by_key(|&n| rank[n as usize]));
    }

    fn split_class(&mut self, class: usize, values: &[u64]) {
        let value = |phase: &[bool], n: u32| values[n as usize] ^ u64::from(phase[n as usize]).wrapping_neg();
        let members = &self.members[class];
        let Some(&first) = members.first() else { return };
        let common = value(&self.phase, first);
        if members.len() < 2 || members.iter().all(|&n| value(&self.phase, n) == common) {
            return;
        }
        let mut parts: FxHashMap<u64, usize> = FxHashMap::default();
        parts.insert(common, class);
        for n in std::mem::take(&mut self.members[class]) {
            let part = *parts.entry(value(&self.phase, n)).or_insert_with(|| {
                self.members.push(Vec::new());
                self.members.len() - 1
            });
            self.members[part].push(n);
            self.class[n as usize] = part as u32;
        }
    }

    /// The nodes of a node's class, in the order they were given in, or sorted to.
    pub fn members(&self, node: usize) -> &[u32] {
        &self.members[self.class[node] as usize]
    }

    /// The literal of `other` that may equal the plain node.
    pub fn aligned(&self, other: usize, node: usize) -> Lit {
        Lit::new(other).invert_if(self.phase[other] ^ self.phase[node])
    }
}

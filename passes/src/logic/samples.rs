//! Values of all nodes for many samples at once, 64 to a word.

use blc_ir::table::compose;
use smallvec::SmallVec;

use super::{Logic, MAX_INPUTS, Node};
use crate::rng::Rng;

/// `words` words a node.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Words a node.
    pub words: usize,
    bits: Vec<u64>,
}

impl Samples {
    /// Random values of the leaves, such as can be: of a thermometer code every level is as likely. The rest follows.
    pub fn random(logic: &Logic, order: &[u32], words: usize, rng: &mut Rng) -> Self {
        let mut samples = Self { words, bits: vec![0; logic.nodes.len() * words] };
        for (node, _) in logic.nodes.iter().enumerate().filter(|(_, n)| n.leaf) {
            samples.of_mut(node as u32).fill_with(|| rng.next());
        }
        for chain in &logic.chains {
            for &leaf in chain {
                samples.of_mut(leaf).fill(0);
            }
            for sample in 0..words * 64 {
                // The upper half times the number of levels: as good as even.
                let level = (((rng.next() >> 32) * (chain.len() as u64 + 1)) >> 32) as usize;
                for &leaf in &chain[..level] {
                    samples.of_mut(leaf)[sample / 64] |= 1 << (sample % 64);
                }
            }
        }
        for &node in order {
            samples.update(logic, node);
        }
        samples
    }

    /// The samples of a node.
    pub fn of(&self, node: u32) -> &[u64] {
        &self.bits[node as usize * self.words..][..self.words]
    }

    /// To be changed.
    pub fn of_mut(&mut self, node: u32) -> &mut [u64] {
        &mut self.bits[node as usize * self.words..][..self.words]
    }

    /// Computes a LUT from its inputs.
    pub fn update(&mut self, logic: &Logic, id: u32) {
        let Node { table, inputs, leaf: false, .. } = &logic.nodes[id as usize] else { return };
        for w in 0..self.words {
            let word = |&i: &u32| self.bits[i as usize * self.words + w];
            let values: SmallVec<[u64; MAX_INPUTS]> = inputs.iter().map(word).collect();
            self.bits[id as usize * self.words + w] = compose(*table, &values);
        }
    }

    /// Which addresses of a node's table occur: bit `a` for address `a`.
    pub fn addresses(&self, inputs: &[u32]) -> u64 {
        let all = blc_ir::table::mask(inputs.len());
        let mut seen = 0;
        for w in 0..self.words {
            let values: SmallVec<[u64; MAX_INPUTS]> = inputs.iter().map(|&i| self.of(i)[w]).collect();
            seen |= occurring(u64::MAX, &values, 0);
            if seen == all {
                break;
            }
        }
        seen
    }
}

/// Addresses that occur among the samples `at`; the inputs above `values` are `high`.
fn occurring(at: u64, values: &[u64], high: usize) -> u64 {
    match values {
        _ if at == 0 => 0,
        [] => 1 << high,
        [rest @ .., top] => occurring(at & !top, rest, high << 1) | occurring(at & top, rest, high << 1 | 1),
    }
}

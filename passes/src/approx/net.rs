//! A classifier of lookup tables as approximate passes see it.
//!
//! *Signals* are numbered: first the leaves (bits of inputs, comparisons of features with constants), then the nodes in
//! program order.

use smallvec::SmallVec;

/// A lookup table of at most six signals.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub inputs: SmallVec<[u32; 6]>,
    pub table: u64,
}

/// What the argmax compares: signals, each as often as it counts, and a constant.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub bits: Vec<u32>,
    pub constant: u64,
}

/// The classifier.
#[derive(Clone, Debug)]
pub(super) struct Net {
    /// Number of leaves.
    pub leaves: usize,
    pub nodes: Vec<Node>,
    pub groups: Vec<Group>,
}

impl Net {
    /// Number of signals.
    pub fn signals(&self) -> usize {
        self.leaves + self.nodes.len()
    }

    /// The signal of a node.
    pub fn signal(&self, node: usize) -> u32 {
        (self.leaves + node) as u32
    }

    /// The node of a signal, if it is no leaf.
    pub fn node(&self, signal: u32) -> Option<usize> {
        (signal as usize).checked_sub(self.leaves)
    }

    /// The most that a group can count, if that is not too much.
    pub fn most(&self) -> Option<u16> {
        let most = self.groups.iter().map(|g| g.constant.saturating_add(g.bits.len() as u64)).max()?;
        most.try_into().ok()
    }
}

//! The cut sets of a net's nodes, and their enumeration: every way to join one cut of each fan-in.

use super::cut::{Cut, MAX};
use super::net::Net;

/// Most joins looked at for one node: bounds the work at nodes of many fan-ins.
const MAX_JOINS: usize = 1024;

/// Cuts of nodes, in order of nodes. A node's trivial cut is understood and not stored.
#[derive(Debug, Default)]
pub struct CutSets {
    cuts: Vec<Cut>,
    ends: Vec<u32>,
}

/// Leaves joined from one cut of each fan-in; the table is not made yet.
#[derive(Clone, Copy, Debug)]
pub struct Join {
    /// Leaves only.
    pub leaves: Cut,
    /// Which cut of each fan-in: 0 the trivial one, `i` the stored one `i - 1`.
    from: [u16; MAX],
}

impl CutSets {
    /// The stored cuts of a node.
    pub fn of(&self, node: u32) -> &[Cut] {
        let node = node as usize;
        let start = if node == 0 { 0 } else { self.ends[node - 1] as usize };
        &self.cuts[start..self.ends[node] as usize]
    }

    /// Cuts of all nodes: at most `most` of each, of fewest leaves first, none within another.
    pub fn all(net: &Net, k: usize, most: usize) -> Self {
        let mut sets = Self::default();
        let mut joins = Vec::new();
        for node in 0..net.node_count() as u32 {
            let mut cuts: Vec<Cut> = Vec::new();
            if !net.is_leaf(node) {
                let block = net.block(node);
                sets.joins(block, k, &mut joins);
                joins.sort_by_key(|join| join.leaves.size());
                for join in &joins {
                    if cuts.len() < most && !cuts.iter().any(|cut| cut.is_within(&join.leaves)) {
                        cuts.push(sets.finish(block, join));
                    }
                }
            }
            sets.push(cuts);
        }
        sets
    }

    /// All of them.
    pub fn count(&self) -> usize {
        self.cuts.len()
    }

    /// The set of the next node.
    pub fn push(&mut self, cuts: impl IntoIterator<Item = Cut>) {
        self.cuts.extend(cuts);
        self.ends.push(self.cuts.len() as u32);
    }

    /// All joins of at most `limit` leaves for a node computed by `block` of its fan-ins; first the fan-ins themselves.
    pub fn joins(&self, block: &Cut, limit: usize, out: &mut Vec<Join>) {
        out.clear();
        out.push(Join { leaves: Cut::FALSE, from: [0; MAX] });
        let mut next = Vec::new();
        for (position, &fanin) in block.leaves().iter().enumerate() {
            let trivial = Cut::trivial(fanin);
            let choices = std::iter::once(&trivial).chain(self.of(fanin));
            next.clear();
            'join: for (which, cut) in choices.enumerate() {
                for join in out.iter() {
                    let Some(leaves) = join.leaves.union(cut, limit) else { continue };
                    if next.len() == MAX_JOINS {
                        break 'join;
                    }
                    let mut from = join.from;
                    from[position] = which as u16;
                    next.push(Join { leaves, from });
                }
            }
            std::mem::swap(out, &mut next);
        }
    }

    /// The cut of a join, with its table; vacuous leaves are dropped.
    pub fn finish(&self, block: &Cut, join: &Join) -> Cut {
        let mut trivial = [Cut::FALSE; MAX];
        for (t, &fanin) in trivial.iter_mut().zip(block.leaves()) {
            *t = Cut::trivial(fanin);
        }
        let parts = block.leaves().iter().enumerate().map(|(position, &fanin)| match join.from[position] {
            0 => &trivial[position],
            which => &self.of(fanin)[which as usize - 1],
        });
        let mut cut = join.leaves;
        cut.compose(block.table, parts);
        cut
    }
}

//! The network that is covered: canonical blocks of two to six fan-ins, each function over the same leaves built once.
//!
//! A node's polarity is chosen so that it is 0 where all inputs are 0; then so is every cut's table, and complements
//! live on the edges only. Node ids are a topological order. Two nodes that have a cut with the same leaves and the same
//! table are one node: that finds equal functions behind different structure.

use blc_ir::LocId;
use rustc_hash::FxHashMap;

use super::cut::{Cut, Lit};
use super::sets::{CutSets, Join};

/// Cuts kept of each node to recognise equal functions.
const KNOWN_CUTS: usize = 8;

/// See the module's words.
#[derive(Debug)]
pub struct Net {
    /// Most fan-ins of a node.
    k: usize,
    descending: bool,
    blocks: Vec<Cut>,
    locs: Vec<LocId>,
    given: FxHashMap<u32, Cut>,
    cuts: CutSets,
    known: FxHashMap<Cut, u32>,
    joins: Vec<Join>,
}

impl Net {
    /// Constant 0 only. With `descending`, functions are decomposed from their last inputs on: another structure, in which
    /// other covers are found.
    pub fn new(k: usize, descending: bool) -> Self {
        let mut net = Self {
            k,
            descending,
            blocks: Vec::new(),
            locs: Vec::new(),
            given: FxHashMap::default(),
            cuts: CutSets::default(),
            known: FxHashMap::default(),
            joins: Vec::new(),
        };
        net.leaf();
        net
    }

    /// Most fan-ins of a node.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Whether functions are decomposed from their last inputs on.
    pub fn descending(&self) -> bool {
        self.descending
    }

    /// Number of nodes, the constant included.
    pub fn node_count(&self) -> usize {
        self.blocks.len()
    }

    /// The fan-ins of a node and its function of them; none for an input (and the constant).
    pub fn block(&self, node: u32) -> &Cut {
        &self.blocks[node as usize]
    }

    /// Whether a node is an input (or the constant).
    pub fn is_leaf(&self, node: u32) -> bool {
        self.block(node).size() == 0
    }

    /// Where a node came from.
    pub fn loc(&self, node: u32) -> LocId {
        self.locs[node as usize]
    }

    /// The cut by which the net that was read made this node with one LUT, if it did and not as its block.
    pub fn given(&self, node: u32) -> Option<&Cut> {
        self.given.get(&node)
    }

    /// Says that the net that was read made `lit` as `cut`.
    pub fn give(&mut self, lit: Lit, cut: &Cut) {
        let node = lit.node();
        let cut = cut.flip(lit.complement());
        let below = cut.leaves().last().is_some_and(|&last| last < node);
        if below && cut.size() <= self.k && cut != *self.block(node) {
            self.given.entry(node).or_insert(cut);
        }
    }

    /// Forgets what was only needed to build the net.
    pub fn finish(&mut self) {
        self.cuts = CutSets::default();
        self.known = FxHashMap::default();
    }

    /// A new input.
    pub fn leaf(&mut self) -> Lit {
        let node = self.node_count() as u32;
        self.blocks.push(Cut::FALSE);
        self.locs.push(LocId::UNKNOWN);
        self.cuts.push([]);
        Lit::new(node, false)
    }

    /// A function that is known already, a constant or a literal; otherwise `None`.
    pub fn lookup(&self, cut: &Cut) -> Option<Lit> {
        let flip = cut.table & 1 == 1;
        match *cut.leaves() {
            [] => Some(Lit::FALSE.flip(flip)),
            [leaf] => Some(Lit::new(leaf, flip)),
            _ => self.known.get(&cut.flip(flip)).map(|&node| Lit::new(node, flip)),
        }
    }

    /// A function as one node of at most `k` fan-ins.
    pub fn add(&mut self, cut: &Cut, loc: LocId) -> Lit {
        if let Some(lit) = self.lookup(cut) {
            return lit;
        }
        debug_assert!(cut.size() <= self.k);
        let flip = cut.table & 1 == 1;
        let block = cut.flip(flip);
        let mut joins = std::mem::take(&mut self.joins);
        self.cuts.joins(&block, super::cut::MAX, &mut joins);
        joins[1..].sort_by_key(|j| j.leaves.size());
        let mut cuts: Vec<Cut> = Vec::with_capacity(KNOWN_CUTS);
        let mut same = None;
        for join in &joins {
            if cuts.iter().any(|c| c.is_within(&join.leaves)) {
                continue;
            }
            let cut = self.cuts.finish(&block, join);
            same = self.lookup(&cut);
            if same.is_some() || cuts.len() == KNOWN_CUTS {
                break;
            }
            cuts.push(cut);
        }
        self.joins = joins;
        let lit = same.unwrap_or_else(|| {
            let node = self.node_count() as u32;
            for cut in &cuts {
                self.known.insert(*cut, node);
            }
            self.blocks.push(block);
            self.locs.push(loc);
            self.cuts.push(cuts);
            Lit::new(node, false)
        });
        lit.flip(flip)
    }
}

//! LUTs as e-nodes of one canonical form, with the complete table over the window's leaves as analysis.
//!
//! A class is 0 where all leaves are 0; complements live on the edges of [`Lit`] and never in classes. The one constructor
//! [`Graph::lut`] drops constants, repeated and vacuous inputs and sorts the rest, so that input orders take no room.

use std::collections::HashMap;

use blc_ir::table::{VAR, compose, mask};
use egg::{DidMerge, EGraph, Id, Language};
use smallvec::SmallVec;

use crate::cover::cut::{Cut, Lit as Edge};

/// Most leaves: a table is 64 words.
pub const MAX_LEAVES: usize = 12;

/// The complete table of a class.
pub type Table = SmallVec<[u64; 8]>;

/// A leaf, the constant 0, or a LUT of two to six classes, its table of so many inputs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    Leaf(u8),
    False,
    Lut(u64, SmallVec<[Id; 6]>),
}

impl Language for Node {
    type Discriminant = (u8, u64, usize);

    fn discriminant(&self) -> Self::Discriminant {
        match self {
            Self::Leaf(i) => (0, (*i).into(), 0),
            Self::False => (1, 0, 0),
            Self::Lut(table, inputs) => (2, *table, inputs.len()),
        }
    }

    fn matches(&self, other: &Self) -> bool {
        self.discriminant() == other.discriminant()
    }

    fn children(&self) -> &[Id] {
        if let Self::Lut(_, inputs) = self { inputs } else { &[] }
    }

    fn children_mut(&mut self) -> &mut [Id] {
        if let Self::Lut(_, inputs) = self { inputs } else { &mut [] }
    }
}

/// The complete tables, and which class has which.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    leaves: usize,
    classes: HashMap<Table, Id>,
}

impl egg::Analysis<Node> for Tables {
    type Data = Table;

    fn make(egraph: &mut EGraph<Node, Self>, node: &Node, _: Id) -> Table {
        let words = words(egraph.analysis.leaves);
        match node {
            Node::False => SmallVec::from_elem(0, words),
            Node::Leaf(i) => (0..words).map(|w| variable(usize::from(*i), w)).collect(),
            Node::Lut(table, inputs) => {
                let word = |w: usize| {
                    let values: SmallVec<[u64; 6]> = inputs.iter().map(|&id| egraph[id].data[w]).collect();
                    compose(*table, &values)
                };
                (0..words).map(word).collect()
            }
        }
    }

    fn merge(&mut self, a: &mut Table, b: Table) -> DidMerge {
        assert_eq!(*a, b, "an e-graph united functions that differ");
        DidMerge(false, false)
    }

    fn modify(egraph: &mut EGraph<Node, Self>, id: Id) {
        let table = egraph[id].data.clone();
        match egraph.analysis.classes.get(&table) {
            Some(&other) if egraph.find(other) != egraph.find(id) => {
                egraph.union(other, id);
            }
            Some(_) => {}
            None => {
                egraph.analysis.classes.insert(table, id);
            }
        }
    }
}

fn words(leaves: usize) -> usize {
    if leaves > 6 { 1 << (leaves - 6) } else { 1 }
}

fn variable(j: usize, w: usize) -> u64 {
    if j < 6 { VAR[j] } else { (w as u64 >> (j - 6) & 1).wrapping_neg() }
}

/// A class or its complement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lit {
    pub id: Id,
    pub flip: bool,
}

/// An e-graph over leaves.
pub struct Graph {
    pub egg: EGraph<Node, Tables>,
    zero: Id,
}

impl Graph {
    /// The leaves, and the constant 0.
    pub fn new(leaves: usize) -> (Self, Vec<Lit>) {
        let mut egg = EGraph::new(Tables { leaves, classes: HashMap::new() });
        let zero = egg.add(Node::False);
        let lits = (0..leaves).map(|i| Lit { id: egg.add(Node::Leaf(i as u8)), flip: false }).collect();
        (Self { egg, zero }, lits)
    }

    /// Number of e-nodes.
    pub fn size(&self) -> usize {
        self.egg.total_size()
    }

    /// A LUT in canonical form; `table` is widened.
    pub fn lut(&mut self, table: u64, inputs: &[Lit]) -> Lit {
        let (cut, ids) = self.canonical(table, inputs);
        let flip = cut.table & 1 == 1;
        match ids.as_slice() {
            [] => Lit { id: self.zero, flip },
            [one] => Lit { id: *one, flip },
            _ => {
                let node = Node::Lut(cut.flip(flip).table & mask(ids.len()), ids);
                Lit { id: self.egg.add(node), flip }
            }
        }
    }

    /// The e-node of a LUT; `None` where it is no LUT.
    pub fn node(&self, table: u64, inputs: &[Lit]) -> Option<Node> {
        let (cut, ids) = self.canonical(table, inputs);
        let flip = cut.table & 1 == 1;
        (ids.len() > 1).then(|| Node::Lut(cut.flip(flip).table & mask(ids.len()), ids))
    }

    /// The cut of classes in rising order of id. Node 0 of a cut stands for the constant.
    fn canonical(&self, table: u64, inputs: &[Lit]) -> (Cut, SmallVec<[Id; 6]>) {
        let zero = self.egg.find(self.zero);
        let edge = |lit: &Lit| {
            let id = self.egg.find(lit.id);
            let node = if id == zero { 0 } else { usize::from(id) as u32 + 1 };
            Edge::new(node, lit.flip)
        };
        let edges: SmallVec<[Edge; 6]> = inputs.iter().map(edge).collect();
        let cut = Cut::canonical(table, &edges);
        let ids = cut.leaves().iter().map(|&leaf| Id::from(leaf as usize - 1)).collect();
        (cut, ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::table::widen;

    #[test]
    fn equal_functions_are_one_class() {
        let (mut graph, x) = Graph::new(7);
        let and = graph.lut(widen(0x8, 2), &[x[0], x[6]]);
        let nand = graph.lut(widen(0x7, 2), &[x[6], x[0]]);
        assert_eq!((and.id, and.flip, nand.flip), (nand.id, false, true));
        // a & (a | b) is a, found by its table; a & !a by its form.
        let or = graph.lut(widen(0xe, 2), &[x[0], x[1]]);
        let absorbed = graph.lut(widen(0x8, 2), &[x[0], or]);
        graph.egg.rebuild();
        assert_eq!(graph.egg.find(absorbed.id), graph.egg.find(x[0].id));
        let never = graph.lut(widen(0x8, 2), &[x[0], Lit { flip: true, ..x[0] }]);
        assert_eq!((never.id, never.flip), (graph.zero, false));
    }

    #[test]
    #[should_panic(expected = "united functions that differ")]
    fn a_wrong_union_is_caught() {
        let (mut graph, x) = Graph::new(2);
        graph.egg.union(x[0].id, x[1].id);
        graph.egg.rebuild();
    }
}

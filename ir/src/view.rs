//! A function as a graph for petgraph: nodes are ops, edges go from an op to those that read it.
//!
//! The IR is not stored as a petgraph; this view implements its visit traits, so that its algorithms (components,
//! topological order, dominators, …) work on a function as it is.

use petgraph::visit::{
    GraphBase, IntoNeighbors, IntoNeighborsDirected, IntoNodeIdentifiers, NodeCount, NodeIndexable, VisitMap, Visitable,
};
use petgraph::{Direction, visit::GraphRef};

use crate::func::{Func, OpId};
use crate::order::is_register;

/// A view of a function. With registers cut, edges into registers are left out: what remains is what happens within
/// one cycle.
#[derive(Debug)]
pub struct Graph<'a> {
    f: &'a Func,
    cut_registers: bool,
    /// Users of op `i`: `users[starts[i]..starts[i + 1]]`.
    starts: Vec<u32>,
    users: Vec<OpId>,
}

impl<'a> Graph<'a> {
    /// Views a function.
    pub fn new(f: &'a Func, cut_registers: bool) -> Self {
        let mut graph = Self { f, cut_registers, starts: vec![0; f.op_count() + 1], users: Vec::new() };
        let mut edges: Vec<(OpId, OpId)> = Vec::new();
        for id in f.op_ids() {
            edges.extend(graph.sources(id).map(|source| (source, id)));
        }
        edges.sort_unstable();
        for (source, _) in &edges {
            graph.starts[source.index() + 1] += 1;
        }
        for i in 0..f.op_count() {
            graph.starts[i + 1] += graph.starts[i];
        }
        graph.users = edges.into_iter().map(|(_, user)| user).collect();
        graph
    }

    fn sources(&self, id: OpId) -> impl Iterator<Item = OpId> + use<'a> {
        let f = self.f;
        let op = f.op(id);
        let operands = if self.cut_registers && is_register(op.kind) { &[] } else { op.operands };
        operands.iter().filter_map(|&v| f.def_op(v))
    }

    /// Groups of ops that depend on each other in a cycle; empty for a graph without cycles.
    pub fn cycles(&self) -> Vec<Vec<OpId>> {
        let on_itself = |op: OpId| self.sources(op).any(|source| source == op);
        let groups = petgraph::algo::kosaraju_scc(self);
        groups.into_iter().filter(|group| group.len() > 1 || group.iter().any(|&op| on_itself(op))).collect()
    }
}

impl GraphBase for Graph<'_> {
    type NodeId = OpId;
    type EdgeId = ();
}

impl NodeCount for Graph<'_> {
    fn node_count(&self) -> usize {
        self.f.op_count()
    }
}

impl NodeIndexable for Graph<'_> {
    fn node_bound(&self) -> usize {
        self.f.op_count()
    }

    fn to_index(&self, id: OpId) -> usize {
        id.index()
    }

    fn from_index(&self, i: usize) -> OpId {
        OpId::new(i)
    }
}

impl<'g> IntoNodeIdentifiers for &'g Graph<'_> {
    type NodeIdentifiers = Box<dyn Iterator<Item = OpId> + 'g>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        Box::new(self.f.op_ids())
    }
}

impl<'g> IntoNeighbors for &'g Graph<'_> {
    type Neighbors = Box<dyn Iterator<Item = OpId> + 'g>;

    fn neighbors(self, id: OpId) -> Self::Neighbors {
        self.neighbors_directed(id, Direction::Outgoing)
    }
}

impl<'g> IntoNeighborsDirected for &'g Graph<'_> {
    type NeighborsDirected = Box<dyn Iterator<Item = OpId> + 'g>;

    fn neighbors_directed(self, id: OpId, direction: Direction) -> Self::NeighborsDirected {
        match direction {
            Direction::Incoming => Box::new(self.sources(id)),
            Direction::Outgoing => {
                let range = self.starts[id.index()] as usize..self.starts[id.index() + 1] as usize;
                Box::new(self.users[range].iter().copied())
            }
        }
    }
}

/// Which ops were visited.
#[derive(Clone, Debug)]
pub struct Visited(Vec<bool>);

impl VisitMap<OpId> for Visited {
    fn visit(&mut self, id: OpId) -> bool {
        !std::mem::replace(&mut self.0[id.index()], true)
    }

    fn is_visited(&self, id: &OpId) -> bool {
        self.0[id.index()]
    }

    fn unvisit(&mut self, id: OpId) -> bool {
        std::mem::replace(&mut self.0[id.index()], false)
    }
}

impl Visitable for Graph<'_> {
    type Map = Visited;

    fn visit_map(&self) -> Visited {
        Visited(vec![false; self.f.op_count()])
    }

    fn reset_map(&self, map: &mut Visited) {
        map.0.fill(false);
    }
}

const _: fn() = || {
    fn is_graph_ref<T: GraphRef>() {}
    is_graph_ref::<&Graph<'_>>();
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::func::{FuncKind, Value};
    use crate::types::Type;

    #[test]
    fn petgraph_sees_order_and_cycles() {
        let mut f = Func::new("m", FuncKind::HwModule);
        let clk = f.add_param("clk", Type::CLOCK);
        let a = f.add_param("a", Type::BIT);
        let x = f.lut(0x6, &[a, a], crate::LocId::UNKNOWN);
        let q = f.reg(x, clk, 0, crate::LocId::UNKNOWN);
        let (x_op, q_op) = (f.def_op(x).unwrap(), f.def_op(q).unwrap());
        f.set_operands(x_op, &[a, q]);
        f.add_result("y", x);
        let graph = Graph::new(&f, true);
        assert_eq!(petgraph::algo::toposort(&graph, None).unwrap(), [q_op, x_op]);
        assert!(graph.cycles().is_empty());
        let whole = Graph::new(&f, false);
        assert_eq!(whole.cycles().len(), 1);
        assert!(petgraph::algo::toposort(&whole, None).is_err());
        assert_eq!(f.def_op(Value(0)), None);
    }
}

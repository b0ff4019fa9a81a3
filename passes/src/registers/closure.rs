//! The heaviest set of nodes that is closed: what it holds implies what it must hold.
//!
//! A minimum cut finds it (Picard 1976): profits hang on the source, costs on the sink, implications cannot be cut.

use petgraph::algo::dinics;
use petgraph::graph::{Graph, NodeIndex};
use petgraph::visit::EdgeRef;
use petgraph::{Incoming, Outgoing};

/// More than any profit.
const NEVER: u32 = 1 << 30;

/// Nodes with weights, and implications between them.
#[derive(Default)]
pub(super) struct Closure {
    weights: Vec<i32>,
    implications: Vec<(u32, u32)>,
    banned: Vec<u32>,
}

impl Closure {
    /// Nodes of weight 0, numbered from 0.
    pub fn new(nodes: usize) -> Self {
        Self { weights: vec![0; nodes], ..Self::default() }
    }

    /// One more node; its number.
    pub fn node(&mut self, weight: i32) -> u32 {
        self.weights.push(weight);
        self.weights.len() as u32 - 1
    }

    /// Adds to a node's weight.
    pub fn weigh(&mut self, node: u32, weight: i32) {
        self.weights[node as usize] += weight;
    }

    /// A set that holds `a` holds `b`.
    pub fn implies(&mut self, a: u32, b: u32) {
        self.implications.push((a, b));
    }

    /// No set holds a node.
    pub fn ban(&mut self, node: u32) {
        self.banned.push(node);
    }

    /// Which nodes the smallest of the heaviest sets holds; `None` where none weighs more than nothing.
    pub fn heaviest(&self) -> Option<Vec<bool>> {
        let n = self.weights.len();
        let mut graph: Graph<(), u32> = Graph::with_capacity(n + 2, n + self.implications.len());
        for _ in 0..n + 2 {
            graph.add_node(());
        }
        let (source, sink) = (NodeIndex::new(n), NodeIndex::new(n + 1));
        let mut profit = 0;
        for (i, &weight) in self.weights.iter().enumerate() {
            let node = NodeIndex::new(i);
            if weight > 0 {
                profit += weight.unsigned_abs();
                graph.add_edge(source, node, weight.unsigned_abs());
            } else if weight < 0 {
                graph.add_edge(node, sink, weight.unsigned_abs());
            }
        }
        for &node in &self.banned {
            graph.add_edge(NodeIndex::new(node as usize), sink, NEVER);
        }
        for &(a, b) in &self.implications {
            graph.add_edge(NodeIndex::new(a as usize), NodeIndex::new(b as usize), NEVER);
        }
        let (flow, flows) = dinics(&graph, source, sink);
        if flow >= profit {
            return None;
        }
        // What the source still reaches.
        let mut held = vec![false; n + 2];
        held[n] = true;
        let mut work = vec![source];
        while let Some(node) = work.pop() {
            let on = graph.edges_directed(node, Outgoing).filter(|e| flows[e.id().index()] < *e.weight());
            let back = graph.edges_directed(node, Incoming).filter(|e| flows[e.id().index()] > 0);
            let next: Vec<NodeIndex> = on.map(|e| e.target()).chain(back.map(|e| e.source())).collect();
            for next in next {
                if !std::mem::replace(&mut held[next.index()], true) {
                    work.push(next);
                }
            }
        }
        held.truncate(n);
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn weight(c: &Closure, set: usize) -> i32 {
        (0..c.weights.len()).filter(|i| set >> i & 1 == 1).map(|i| c.weights[i]).sum()
    }

    fn closed(c: &Closure, set: usize) -> bool {
        let held = |n: u32| set >> n & 1 == 1;
        c.implications.iter().all(|&(a, b)| !held(a) || held(b)) && !c.banned.iter().any(|&n| held(n))
    }

    #[test]
    fn it_is_the_heaviest_of_all_sets() {
        let rng = &mut Rng::new(7);
        let mut found = 0;
        for _ in 0..300 {
            let n = 9;
            let mut c = Closure::new(0);
            for _ in 0..n {
                c.node((rng.next() % 9) as i32 - 4);
            }
            for _ in 0..rng.next() % 14 {
                c.implies((rng.next() % n) as u32, (rng.next() % n) as u32);
            }
            if rng.next().is_multiple_of(2) {
                c.ban((rng.next() % n) as u32);
            }
            let sets = (0..1usize << n).filter(|&set| closed(&c, set));
            let best = sets.clone().map(|set| weight(&c, set)).max().unwrap();
            let Some(held) = c.heaviest() else {
                assert_eq!(best, 0);
                continue;
            };
            found += 1;
            let set = held.iter().enumerate().map(|(i, &h)| usize::from(h) << i).sum::<usize>();
            assert!(closed(&c, set) && weight(&c, set) == best && best > 0);
            let smaller = sets.filter(|&s| weight(&c, s) == best && s != set);
            assert!(smaller.into_iter().all(|s| s & set == set), "not the smallest");
        }
        assert!(found > 100);
    }
}

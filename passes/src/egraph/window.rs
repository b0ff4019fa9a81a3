//! Windows: parts of the logic of few leaves, each LUT in one at most.

use blc_ir::table::widen;
use egg::Id;
use rustc_hash::FxHashMap;

use super::choice::Choice;
use super::extract::extract;
use super::lang::{Graph, Lit, Node};
use super::rules::saturate;
use super::{EGraphOptions, Stop};
use crate::logic::{Inputs, Logic};

/// Readers of a node that a window looks at.
const READERS: usize = 16;

/// LUTs and what they read from outside.
pub struct Window {
    /// In topological order.
    nodes: Vec<u32>,
    leaves: Vec<u32>,
    /// Those that something outside reads.
    roots: Vec<u32>,
}

/// A smaller window: new LUTs over leaves and each other, in order, and which of them each root is.
pub struct Rewritten {
    luts: Vec<(u64, Vec<Source>)>,
    roots: Vec<(Source, bool)>,
}

#[derive(Clone, Copy)]
enum Source {
    Leaf(usize),
    Lut(usize),
    Zero,
}

/// Windows that cover what they can: grown from each LUT not in one yet, the last first.
pub fn windows(logic: &Logic, options: &EGraphOptions) -> Vec<Window> {
    let order = logic.order();
    let mut place = vec![0; logic.nodes.len()];
    let mut readers: Vec<Vec<u32>> = vec![Vec::new(); logic.nodes.len()];
    for (at, &node) in order.iter().enumerate() {
        place[node as usize] = at;
        logic.nodes[node as usize].inputs.iter().for_each(|&i| readers[i as usize].push(node));
    }
    let mut taken: Vec<bool> = logic.nodes.iter().map(|n| n.leaf || n.inputs.len() < 2).collect();
    let mut windows = Vec::new();
    for &seed in order.iter().rev() {
        if !taken[seed as usize] {
            let mut nodes = grow(logic, &readers, &place, &taken, seed, options);
            nodes.sort_unstable_by_key(|&n| place[n as usize]);
            nodes.iter().for_each(|&n| taken[n as usize] = true);
            if nodes.len() > 1 {
                let leaves = leaves(logic, &nodes);
                let outside =
                    |&&n: &&u32| logic.root[n as usize] || readers[n as usize].iter().any(|r| !nodes.contains(r));
                let roots = nodes.iter().filter(outside).copied().collect();
                windows.push(Window { leaves, roots, nodes });
            }
        }
    }
    windows
}

fn leaves(logic: &Logic, nodes: &[u32]) -> Vec<u32> {
    let mut leaves: Vec<u32> = Vec::new();
    for &input in nodes.iter().flat_map(|&n| &logic.nodes[n as usize].inputs) {
        if !nodes.contains(&input) && !leaves.contains(&input) {
            leaves.push(input);
        }
    }
    leaves
}

/// Adds the neighbour that needs the fewest more leaves, while there is room. A window is convex: no path leaves it and
/// comes back, or its LUTs could end up in a loop.
fn grow(
    logic: &Logic,
    readers: &[Vec<u32>],
    place: &[usize],
    taken: &[bool],
    seed: u32,
    options: &EGraphOptions,
) -> Vec<u32> {
    let mut nodes = vec![seed];
    while nodes.len() < options.window {
        let have = leaves(logic, &nodes);
        let above = have.iter().chain(&nodes).flat_map(|&n| readers[n as usize].iter().take(READERS));
        let mut near: Vec<u32> = have.iter().chain(above).copied().collect();
        near.retain(|n| !taken[*n as usize] && !nodes.contains(n));
        near.sort_unstable();
        near.dedup();
        let more = |&n: &u32| {
            let mut with = nodes.clone();
            with.push(n);
            let leaves = leaves(logic, &with);
            (leaves.len() <= options.leaves && is_convex(logic, place, &with, &leaves)).then_some((leaves.len(), n))
        };
        match near.iter().filter_map(more).min() {
            Some((_, node)) => nodes.push(node),
            None => break,
        }
    }
    nodes
}

/// Whether no leaf depends on a node. Searches up to a bound; unsure is no.
fn is_convex(logic: &Logic, place: &[usize], nodes: &[u32], leaves: &[u32]) -> bool {
    const STEPS: usize = 200;
    let Some(first) = nodes.iter().map(|&n| place[n as usize]).min() else { return true };
    let mut seen: Vec<u32> = leaves.iter().copied().filter(|&l| place[l as usize] > first).collect();
    let mut next = 0;
    while next < seen.len() {
        if seen.len() > STEPS {
            return false;
        }
        let node = seen[next];
        next += 1;
        for &input in &logic.nodes[node as usize].inputs {
            if nodes.contains(&input) {
                return false;
            }
            if place[input as usize] > first && !seen.contains(&input) {
                seen.push(input);
            }
        }
    }
    true
}

/// Saturates a window and extracts; `None` where nothing is smaller.
pub fn rewrite(logic: &Logic, window: &Window, options: &EGraphOptions) -> (Stop, Option<Rewritten>) {
    let (mut graph, lits) = Graph::new(window.leaves.len());
    let mut of: FxHashMap<u32, Lit> = window.leaves.iter().copied().zip(lits.iter().copied()).collect();
    let mut first: Vec<Lit> = Vec::new();
    for &node in &window.nodes {
        let n = &logic.nodes[node as usize];
        let inputs: Vec<Lit> = n.inputs.iter().map(|i| of[i]).collect();
        let lit = graph.lut(widen(n.table, inputs.len()), &inputs);
        of.insert(node, lit);
        first.push(lit);
    }
    graph.egg.rebuild();
    let stop = saturate(&mut graph, options);
    // The window as it was, but for what has become one class: always there, so always a start.
    let mut start = Choice::default();
    for (lit, &node) in first.iter().zip(&window.nodes) {
        let n = &logic.nodes[node as usize];
        let inputs: Vec<Lit> = n.inputs.iter().map(|i| of[i]).collect();
        let id = graph.egg.find(lit.id);
        let same = graph.lut(widen(n.table, inputs.len()), &inputs);
        graph.egg.rebuild();
        debug_assert_eq!(graph.egg.find(same.id), id);
        let Some(wanted) = graph.node(widen(n.table, inputs.len()), &inputs) else { continue };
        let wire = graph.egg[id].nodes.iter().any(|n| !matches!(n, Node::Lut(..)));
        if !wire {
            start.of.entry(id).or_insert(wanted);
        }
    }
    let lits: Vec<Lit> = window.roots.iter().map(|r| of[r]).collect();
    let roots: Vec<Id> = lits.iter().map(|l| graph.egg.find(l.id)).collect();
    let before = (window.nodes.len(), window.nodes.iter().map(|&n| logic.nodes[n as usize].inputs.len()).sum());
    let choice = extract(&graph, &roots, start);
    let better = choice.cost(&roots).filter(|&cost| cost < before).and_then(|_| choice.order(&roots));
    (stop, better.map(|order| read(&graph, &choice, &order, &roots, &lits)))
}

/// The choice without the e-graph.
fn read(graph: &Graph, choice: &Choice<Node>, order: &[Id], roots: &[Id], lits: &[Lit]) -> Rewritten {
    let mut luts = Vec::new();
    let mut of: FxHashMap<Id, Source> = FxHashMap::default();
    for &id in order {
        let wire = graph.egg[id].nodes.iter().find_map(|n| match n {
            Node::Leaf(i) => Some(Source::Leaf(usize::from(*i))),
            Node::False => Some(Source::Zero),
            Node::Lut(..) => None,
        });
        let source = match (wire, choice.of.get(&id)) {
            (None, Some(Node::Lut(table, inputs))) => {
                luts.push((*table, inputs.iter().map(|i| of[i]).collect()));
                Source::Lut(luts.len() - 1)
            }
            (wire, _) => wire.unwrap_or(Source::Zero),
        };
        of.insert(id, source);
    }
    Rewritten { luts, roots: roots.iter().zip(lits).map(|(id, lit)| (of[id], lit.flip)).collect() }
}

impl Window {
    /// Puts the smaller window in the place of this one; its roots stay the nodes they were.
    pub fn write(&self, new: &Rewritten, logic: &mut Logic) {
        let mut nodes: Vec<u32> = Vec::with_capacity(new.luts.len());
        for (table, inputs) in &new.luts {
            let inputs: Inputs = inputs.iter().map(|s| self.node(s, &nodes, logic)).collect();
            nodes.push(logic.add(*table, &inputs, self.nodes[0]));
        }
        for (&root, (source, flip)) in self.roots.iter().zip(&new.roots) {
            match source {
                Source::Zero => logic.set(root, u64::from(*flip), &[]),
                source => {
                    let node = self.node(source, &nodes, logic);
                    logic.set(root, if *flip { 1 } else { 2 }, &[node]);
                }
            }
        }
    }

    fn node(&self, source: &Source, nodes: &[u32], logic: &mut Logic) -> u32 {
        match *source {
            Source::Leaf(i) => self.leaves[i],
            Source::Lut(i) => nodes[i],
            Source::Zero => logic.add(0, &[], self.nodes[0]),
        }
    }
}

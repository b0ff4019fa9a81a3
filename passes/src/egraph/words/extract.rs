//! The words to take: from those that were there, one class after the other, and all that share a part together, to what
//! makes the whole smaller.

use std::collections::BTreeMap;

use egg::{Id, Language};

use super::super::choice::Choice;
use super::super::classes;
use super::lang::{Graph, Node};
use super::price::{Prices, heights};

/// Times that all classes are visited.
const ROUNDS: usize = 3;

/// How much worse, by estimate, what is asked a price of may be.
const MARGIN: f64 = 2.0;

/// An estimate of what an e-node costs: a site for about two ones that are summed away.
fn estimate(graph: &Graph, class: Id, node: &Node) -> f64 {
    let width = |id: &Id| f64::from(graph.width(*id));
    match node {
        Node::Atom(_) => 0.0,
        Node::Sum(..) => {
            let heights = heights(graph, class, node).unwrap_or_default();
            let ones: f64 = heights.iter().map(|&h| f64::from(h)).sum();
            if heights.iter().all(|&h| h < 2) { 0.0 } else { (ones - heights.len() as f64).max(0.0) / 1.9 + 0.5 }
        }
        Node::Gt([a, b]) => width(a).max(width(b)) / 2.0,
        Node::Argmax(words) => words.iter().map(width).sum::<f64>() * 0.8,
        Node::Mux([_, a, b]) => width(a).max(width(b)) / 2.0,
    }
}

fn is_atom(graph: &Graph, id: Id) -> bool {
    graph.egg[id].nodes.iter().any(|n| matches!(n, Node::Atom(_)))
}

/// The sums that read sums, by what they read.
fn parts(graph: &Graph) -> BTreeMap<Id, Vec<(Id, Node)>> {
    let is_sum = |id: Id| graph.egg[id].nodes.iter().any(|n| matches!(n, Node::Sum(..)));
    let mut parts: BTreeMap<Id, Vec<(Id, Node)>> = BTreeMap::new();
    for id in classes(&graph.egg) {
        for node in graph.egg[id].nodes.iter().filter(|n| matches!(n, Node::Sum(..))) {
            for &part in node.children().iter().filter(|&&part| is_sum(part)) {
                parts.entry(part).or_default().push((id, node.clone()));
            }
        }
    }
    parts
}

/// The search: a choice, what it costs by estimate, and in sites once that was asked for.
pub struct Search<'a> {
    graph: &'a Graph,
    prices: &'a mut Prices,
    roots: &'a [Id],
    pub choice: Choice<Node>,
    estimate: f64,
    sites: Option<u64>,
    pub changed: bool,
}

impl<'a> Search<'a> {
    /// Begins with a choice that has an e-node for each class needed for the roots.
    pub fn new(graph: &'a Graph, prices: &'a mut Prices, roots: &'a [Id], choice: Choice<Node>) -> Option<Self> {
        let mut search = Self { graph, prices, roots, choice, estimate: 0.0, sites: None, changed: false };
        search.estimate = search.estimate(&search.choice)?;
        Some(search)
    }

    fn estimate(&self, choice: &Choice<Node>) -> Option<f64> {
        let order = choice.order(self.roots)?;
        Some(order.iter().filter_map(|id| Some(estimate(self.graph, *id, choice.of.get(id)?))).sum())
    }

    /// Sites of a choice.
    fn price(&mut self, choice: &Choice<Node>) -> Option<u64> {
        let mut sites = 0;
        for id in choice.order(self.roots)? {
            if let Some(node) = choice.of.get(&id) {
                sites += self.prices.of(self.graph, id, node)?;
            }
        }
        Some(sites)
    }

    /// Betters the choice.
    pub fn run(&mut self) {
        let parts = parts(self.graph);
        for _ in 0..ROUNDS {
            let Some(mut order) = self.choice.order(self.roots) else { return };
            order.reverse();
            let mut better = false;
            for id in order {
                for node in self.graph.egg[id].nodes.iter().filter(|n| !matches!(n, Node::Atom(_))) {
                    better |= self.try_all(&[(id, node.clone())]);
                }
            }
            for readers in parts.values() {
                better |= self.share(readers);
            }
            if !better {
                return;
            }
            self.changed = true;
        }
    }

    /// Takes a part for all that can have it; `readers` are the sums that do.
    fn share(&mut self, readers: &[(Id, Node)]) -> bool {
        let mut nodes: Vec<(Id, Node)> = Vec::new();
        for of_class in readers.chunk_by(|a, b| a.0 == b.0) {
            let cost = |(id, node): &&(Id, Node)| estimate(self.graph, *id, node);
            let cheapest = of_class.iter().min_by(|a, b| cost(a).total_cmp(&cost(b)));
            nodes.extend(cheapest.filter(|(id, _)| self.choice.of.contains_key(id)).cloned());
        }
        nodes.len() > 1 && self.try_all(&nodes)
    }

    /// Takes e-nodes for classes, if that makes the whole smaller.
    fn try_all(&mut self, nodes: &[(Id, Node)]) -> bool {
        if nodes.iter().all(|(id, node)| self.choice.of.get(id) == Some(node)) {
            return false;
        }
        let mut choice = self.choice.clone();
        choice.of.extend(nodes.iter().cloned());
        nodes.iter().for_each(|(id, _)| self.complete(&mut choice, *id));
        let Some(estimate) = self.estimate(&choice).filter(|new| *new < self.estimate + MARGIN) else { return false };
        let Some(sites) = self.price(&choice).filter(|new| self.sites.is_none_or(|old| *new < old)) else {
            return false;
        };
        if self.sites.is_none() {
            let before = self.choice.clone();
            self.sites = self.price(&before);
            if self.sites.is_none_or(|old| sites >= old) {
                return false;
            }
        }
        (self.choice, self.estimate, self.sites) = (choice, estimate, Some(sites));
        true
    }

    /// Gives the classes below one that have no e-node yet the one that reads the fewest others of that kind, then the cheapest
    /// by estimate.
    fn complete(&self, choice: &mut Choice<Node>, id: Id) {
        let mut work = vec![id];
        while let Some(id) = work.pop() {
            let children = choice.of.get(&id).map(|n| n.children().to_vec()).unwrap_or_default();
            for child in children {
                let there = |c: &Id| choice.of.contains_key(c) || is_atom(self.graph, *c);
                if there(&child) {
                    continue;
                }
                let nodes = &self.graph.egg[child].nodes;
                let new = |n: &Node| n.children().iter().filter(|c| !there(c)).count();
                let least = |a: &&Node, b: &&Node| {
                    let estimates = [a, b].map(|n| estimate(self.graph, child, n));
                    new(a).cmp(&new(b)).then_with(|| estimates[0].total_cmp(&estimates[1]))
                };
                if let Some(node) = nodes.iter().min_by(least) {
                    choice.of.insert(child, node.clone());
                    work.push(child);
                }
            }
        }
    }
}

//! The LUTs to take: from those that were there, one class after the other to the choice that makes the whole smaller.
//!
//! As a directed graph, not as trees: a LUT that two others read counts once. A choice that closes a loop is none.

use egg::Id;

use super::choice::Choice;
use super::lang::{Graph, Node};

/// Times that all classes are visited.
const ROUNDS: usize = 4;

/// What a window costs: LUTs, then their inputs.
pub type Cost = (usize, usize);

impl Choice<Node> {
    /// What the classes needed for the roots cost.
    pub fn cost(&self, roots: &[Id]) -> Option<Cost> {
        let order = self.order(roots)?;
        let inputs = |id| self.of.get(id).map_or(0, |n| egg::Language::children(n).len());
        Some((order.iter().filter(|id| inputs(id) > 0).count(), order.iter().map(inputs).sum()))
    }
}

/// Betters a choice; `start` has a LUT for each class needed for the roots.
pub fn extract(graph: &Graph, roots: &[Id], start: Choice<Node>) -> Choice<Node> {
    let mut choice = start;
    // Whatever is not chosen yet has some LUT to begin with: the first, which reads older classes mostly.
    let Some(mut cost) = choice.cost(roots) else { return choice };
    for _ in 0..ROUNDS {
        let before = cost;
        let Some(mut order) = choice.order(roots) else { break };
        order.reverse();
        for id in order {
            for node in graph.egg[id].nodes.iter().filter(|n| matches!(n, Node::Lut(..))) {
                let old = choice.of.insert(id, node.clone());
                let added = complete(graph, &mut choice, id);
                match choice.cost(roots) {
                    Some(new) if new < cost => cost = new,
                    _ => {
                        if let Some(old) = old {
                            choice.of.insert(id, old);
                        }
                        for id in added {
                            choice.of.remove(&id);
                        }
                    }
                }
            }
        }
        if cost == before {
            break;
        }
    }
    choice
}

/// Gives the classes below one that have no LUT yet the one of the fewest inputs; returns those classes.
fn complete(graph: &Graph, choice: &mut Choice<Node>, id: Id) -> Vec<Id> {
    let mut added = Vec::new();
    let mut work = vec![id];
    while let Some(id) = work.pop() {
        let children = choice.of.get(&id).map(|n| egg::Language::children(n).to_vec()).unwrap_or_default();
        for child in children {
            let wire = graph.egg[child].nodes.iter().any(|n| !matches!(n, Node::Lut(..)));
            if wire || choice.of.contains_key(&child) {
                continue;
            }
            let fewest = graph.egg[child].nodes.iter().min_by_key(|n| {
                let new = egg::Language::children(*n).iter().filter(|c| !choice.of.contains_key(c)).count();
                (new, egg::Language::children(*n).len())
            });
            if let Some(node) = fewest {
                choice.of.insert(child, node.clone());
                added.push(child);
                work.push(child);
            }
        }
    }
    added
}

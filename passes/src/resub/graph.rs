//! Logic with what changes need to know of it: readers, levels, and which nodes are still needed.

use super::ResubOptions;
use crate::control::Control;
use crate::logic::{Inputs, Logic};

/// A new table and new inputs for a node.
pub struct Proposal {
    pub node: u32,
    pub table: u64,
    pub inputs: Inputs,
}

/// See the module's words.
pub struct Graph {
    pub logic: Logic,
    pub readers: Vec<Vec<u32>>,
    /// Uses by nodes that are needed, and as a root.
    pub uses: Vec<u32>,
    pub levels: Vec<u32>,
    /// The level at which a node may arrive without making the longest path longer.
    pub required: Vec<u32>,
    pub changed: bool,
}

impl Graph {
    pub fn new(logic: Logic, order: &[u32], slack: u32, control: &Control) -> Self {
        let n = logic.nodes.len();
        let levels = logic.levels(order);
        let most = levels.iter().copied().max().unwrap_or(0);
        let most = most.saturating_add((u64::from(most) * u64::from(slack) / 100).min(u64::from(u32::MAX)) as u32);
        let most = control.at_most(most);
        let mut graph = Self {
            readers: vec![Vec::new(); n],
            uses: logic.root.iter().map(|&root| u32::from(root)).collect(),
            levels,
            required: vec![most; n],
            changed: false,
            logic,
        };
        for &node in order.iter().rev() {
            if graph.uses[node as usize] == 0 {
                continue;
            }
            let before = graph.required[node as usize].saturating_sub(1);
            for &input in &graph.logic.nodes[node as usize].inputs {
                graph.uses[input as usize] += 1;
                graph.readers[input as usize].push(node);
                let required = &mut graph.required[input as usize];
                *required = before.min(*required);
            }
        }
        graph
    }

    /// Nodes that are needed no more when a use of this one goes.
    pub fn freed(&self, node: u32) -> Vec<u32> {
        let mut gone: Vec<u32> = Vec::new();
        let mut lost: Vec<u32> = vec![node];
        let mut next = 0;
        while next < lost.len() {
            let node = lost[next];
            next += 1;
            let uses = lost[..next].iter().filter(|&&l| l == node).count();
            if self.logic.nodes[node as usize].leaf || self.uses[node as usize] as usize != uses {
                continue;
            }
            gone.push(node);
            lost.extend(&self.logic.nodes[node as usize].inputs);
        }
        gone
    }

    /// Takes a proposal where it still saves something: nodes, or inputs of the node. Returns the number of nodes freed.
    pub fn take(&mut self, proposal: &Proposal, options: &ResubOptions) -> Option<u64> {
        let Proposal { node, table, inputs } = proposal;
        let n = *node as usize;
        let fits = |&d: &u32| {
            let alive = self.uses[d as usize] > 0 || self.logic.nodes[d as usize].leaf;
            alive
                && d != *node
                && self.levels[d as usize] <= self.levels[n]
                && self.levels[d as usize] < self.required[n]
        };
        if self.uses[n] == 0 || inputs.len() > options.k || !inputs.iter().all(fits) {
            return None;
        }
        let old = self.logic.nodes[n].inputs.clone();
        // New uses first: what they keep is not freed.
        for &input in inputs {
            self.uses[input as usize] += 1;
        }
        let mut freed = Vec::new();
        for &input in &old {
            self.release(input, &mut freed);
        }
        let wire = u64::from(inputs.len() < 2 && old.len() >= 2);
        let inner = |inputs: &[u32]| {
            inputs.iter().filter(|&&i| !self.logic.root[i as usize] && !self.logic.nodes[i as usize].leaf).count()
        };
        let step = options.steps && inner(inputs) < inner(&old);
        if freed.is_empty() && wire == 0 && inputs.len() >= old.len() && !step {
            for &input in &old {
                self.uses[input as usize] += 1;
            }
            for &input in inputs {
                self.uses[input as usize] -= 1;
            }
            return None;
        }
        for &input in &old {
            self.readers[input as usize].retain(|r| r != node);
        }
        for &gone in &freed {
            for input in self.logic.nodes[gone as usize].inputs.clone() {
                self.readers[input as usize].retain(|&r| r != gone);
            }
        }
        self.logic.set(*node, *table, inputs);
        debug_assert_eq!(self.logic.nodes[n].inputs.len(), inputs.len());
        for &input in inputs {
            self.readers[input as usize].push(*node);
            self.lower_required(input, self.required[n].saturating_sub(1));
        }
        self.settle_levels(*node);
        self.changed = true;
        Some(freed.len() as u64 + wire)
    }

    /// Takes a use away, and those of what is needed no more.
    fn release(&mut self, node: u32, freed: &mut Vec<u32>) {
        let mut work = vec![node];
        while let Some(node) = work.pop() {
            let uses = &mut self.uses[node as usize];
            *uses -= 1;
            if *uses == 0 && !self.logic.nodes[node as usize].leaf {
                freed.push(node);
                work.extend(&self.logic.nodes[node as usize].inputs);
            }
        }
    }

    fn lower_required(&mut self, node: u32, required: u32) {
        let mut work = vec![(node, required)];
        while let Some((node, required)) = work.pop() {
            if self.required[node as usize] > required {
                self.required[node as usize] = required;
                let before = required.saturating_sub(1);
                work.extend(self.logic.nodes[node as usize].inputs.iter().map(|&i| (i, before)));
            }
        }
    }

    fn settle_levels(&mut self, node: u32) {
        let mut work = vec![node];
        while let Some(node) = work.pop() {
            let inputs = &self.logic.nodes[node as usize].inputs;
            let level = inputs.iter().map(|&i| self.levels[i as usize] + 1).max().unwrap_or(0);
            if std::mem::replace(&mut self.levels[node as usize], level) != level {
                work.extend(&self.readers[node as usize]);
            }
        }
    }
}

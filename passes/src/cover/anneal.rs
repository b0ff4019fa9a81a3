//! A cover for sites by simulated annealing: LUTs change their cuts one at a time, and the pairs that share sites follow.
//!
//! A move gives one used node another of its cuts. What that needs and needs no more is counted over uses, as in exact area;
//! pairs that it breaks and functions that it makes look for partners along short augmenting paths. So the cost of a move
//! is the number of sites itself, which no weight of LUTs says. Unless they may rise, a node keeps above all it reads the
//! distance that the first cover gave it.
//!
//! Kirkpatrick, Gelatt and Vecchi, "Optimization by simulated annealing" (Science 1983).

use super::cut::Cut;
use super::map::Cover;
use super::net::Net;
use super::sets::CutSets;
use crate::pairing::SITE_INPUTS;
use crate::rng::Rng;

/// No partner.
const ALONE: u32 = u32::MAX;

/// Readers of a leaf that are looked at as partners.
const LOOK: usize = 24;

/// Cost of a function beside that of its site: of equally many sites, the fewest functions.
const FUNCTION: f64 = 0.05;

/// Sites that a move may cost to be taken with a chance of 1/e: at the start, and how often it is halved.
const HOT: f64 = 0.6;
const HALVINGS: f64 = 5.0;

/// With `free`, levels may rise. A better cover with the same roots, or the same one. `sets` are cuts to choose from; a function of the arguments alone.
pub fn anneal(net: &Net, cover: &Cover, sets: &CutSets, moves: u64, free: bool) -> Cover {
    let mut state = State::new(net, cover);
    let n = net.node_count() as u64;
    let epoch = (n * 4).max(256);
    let (mut best, mut best_cost) = (cover.clone(), state.cost());
    let mut rng = Rng::new(3);
    let mut heat = HOT;
    for turn in 0..moves {
        if turn % epoch == 0 {
            heat = HOT * (-HALVINGS * turn as f64 / moves as f64).exp2();
            if state.cost() < best_cost {
                (best, best_cost) = (state.cover(cover), state.cost());
            }
        }
        let node = ((rng.next() >> 32) * n) >> 32;
        let node = node as u32;
        let choices = if net.is_leaf(node) || state.uses[node as usize] == 0 { &[] } else { sets.of(node) };
        if choices.is_empty() {
            continue;
        }
        let cut = choices[rng.next() as usize % choices.len()];
        let old = state.cuts[node as usize];
        if cut == old || cut.size() < 2 || !free && !state.in_time(node, &cut) {
            continue;
        }
        let before = state.cost();
        state.switch(node, cut);
        let worse = state.cost() - before;
        let chance = (rng.next() >> 11) as f64 / (1u64 << 53) as f64;
        if worse > 0.0 && chance >= (-worse / heat).exp() {
            state.undo(node, old);
        }
    }
    if state.cost() < best_cost { state.cover(cover) } else { best }
}

struct State<'a> {
    net: &'a Net,
    cuts: Vec<Cut>,
    uses: Vec<u32>,
    /// A node's level lies above those of the leaves of its cut.
    bound: Vec<u32>,
    /// By leaf, the used nodes that may share a site and read it.
    readers: Vec<Vec<u32>>,
    mates: Vec<u32>,
    functions: u64,
    pairs: u64,
    /// As it was before the last move.
    pairs_before: u64,
    /// Mates before the last move, in order of change.
    trail: Vec<(u32, u32)>,
    stack: Vec<u32>,
}

impl<'a> State<'a> {
    fn new(net: &'a Net, cover: &Cover) -> Self {
        let n = net.node_count();
        let mut state = Self {
            net,
            cuts: cover.cuts.clone(),
            uses: cover.uses.clone(),
            bound: vec![0; n],
            readers: vec![Vec::new(); n],
            mates: vec![ALONE; n],
            functions: 0,
            pairs: 0,
            pairs_before: 0,
            trail: Vec::new(),
            stack: Vec::new(),
        };
        for node in 0..n {
            if !net.is_leaf(node as u32) {
                let leaves = state.cuts[node].leaves();
                state.bound[node] = leaves.iter().map(|&l| state.bound[l as usize] + 1).max().unwrap_or(0);
            }
        }
        let used: Vec<u32> = (0..n as u32).filter(|&n| !net.is_leaf(n) && state.uses[n as usize] > 0).collect();
        used.iter().for_each(|&node| state.enter(node));
        used.iter().for_each(|&node| state.pair(node));
        state
    }

    fn cost(&self) -> f64 {
        (self.functions - self.pairs) as f64 + FUNCTION * self.functions as f64
    }

    fn cover(&self, like: &Cover) -> Cover {
        Cover { cuts: self.cuts.clone(), uses: self.uses.clone(), cost: like.cost }
    }

    fn in_time(&self, node: u32, cut: &Cut) -> bool {
        cut.leaves().iter().all(|&leaf| self.bound[leaf as usize] < self.bound[node as usize])
    }

    /// Counts a node in.
    fn enter(&mut self, node: u32) {
        let cut = self.cuts[node as usize];
        self.functions += u64::from(cut.size() > 1);
        if (2..=SITE_INPUTS).contains(&cut.size()) {
            cut.leaves().iter().for_each(|&leaf| self.readers[leaf as usize].push(node));
        }
    }

    /// Counts a node out; its mate is alone.
    fn leave(&mut self, node: u32, free: &mut Vec<u32>) {
        let cut = self.cuts[node as usize];
        self.functions -= u64::from(cut.size() > 1);
        if (2..=SITE_INPUTS).contains(&cut.size()) {
            for &leaf in cut.leaves() {
                let readers = &mut self.readers[leaf as usize];
                if let Some(at) = readers.iter().position(|&r| r == node) {
                    readers.swap_remove(at);
                }
            }
        }
        let mate = self.mates[node as usize];
        if mate != ALONE {
            self.pairs -= 1;
            self.set(node, ALONE);
            self.set(mate, ALONE);
            free.push(mate);
        }
    }

    fn set(&mut self, node: u32, mate: u32) {
        let old = std::mem::replace(&mut self.mates[node as usize], mate);
        self.trail.push((node, old));
    }

    /// Gives a node another cut, with all that follows.
    fn switch(&mut self, node: u32, cut: Cut) {
        self.trail.clear();
        self.pairs_before = self.pairs;
        let mut free = Vec::new();
        let entered = self.exchange(node, cut, &mut free);
        self.pair(node);
        for node in entered.into_iter().chain(free) {
            self.pair(node);
        }
    }

    /// Takes the last move back.
    fn undo(&mut self, node: u32, old: Cut) {
        let moved = self.trail.len();
        self.exchange(node, old, &mut Vec::new());
        // First what taking the cut back did to mates, then what the move had done.
        debug_assert!(self.trail.len() >= moved);
        while let Some((node, mate)) = self.trail.pop() {
            self.mates[node as usize] = mate;
        }
        self.pairs = self.pairs_before;
    }

    /// The cut and the uses; returns nodes that are used now and were not.
    fn exchange(&mut self, node: u32, cut: Cut, free: &mut Vec<u32>) -> Vec<u32> {
        self.leave(node, free);
        let old = std::mem::replace(&mut self.cuts[node as usize], cut);
        self.enter(node);
        let mut entered = Vec::new();
        let mut stack = std::mem::take(&mut self.stack);
        stack.extend_from_slice(cut.leaves());
        while let Some(leaf) = stack.pop() {
            self.uses[leaf as usize] += 1;
            if self.uses[leaf as usize] == 1 && !self.net.is_leaf(leaf) {
                self.enter(leaf);
                entered.push(leaf);
                stack.extend_from_slice(self.cuts[leaf as usize].leaves());
            }
        }
        stack.extend_from_slice(old.leaves());
        while let Some(leaf) = stack.pop() {
            self.uses[leaf as usize] -= 1;
            if self.uses[leaf as usize] == 0 && !self.net.is_leaf(leaf) {
                self.leave(leaf, free);
                stack.extend_from_slice(self.cuts[leaf as usize].leaves());
            }
        }
        self.stack = stack;
        entered
    }

    /// Finds a partner for a node that has none: one that is alone, or one whose mate finds another.
    fn pair(&mut self, node: u32) {
        let free = |s: &Self, n: u32| s.mates[n as usize] == ALONE;
        if !free(self, node) || self.uses[node as usize] == 0 {
            return;
        }
        let partners: Vec<u32> = self.partners(node).collect();
        if let Some(&p) = partners.iter().find(|&&p| free(self, p)) {
            self.join(node, p);
            return;
        }
        for p in partners {
            let mate = self.mates[p as usize];
            let other = self.partners(mate).find(|&o| o != node && free(self, o));
            if let Some(other) = other {
                self.pairs -= 1;
                self.join(mate, other);
                self.join(node, p);
                return;
            }
        }
    }

    fn join(&mut self, a: u32, b: u32) {
        self.set(a, b);
        self.set(b, a);
        self.pairs += 1;
    }

    /// Nodes that may share a site with this one.
    fn partners(&self, node: u32) -> impl Iterator<Item = u32> {
        let cut = self.cuts[node as usize];
        let small = (2..=SITE_INPUTS).contains(&cut.size());
        let leaves = if small { cut.leaves().to_vec() } else { Vec::new() };
        leaves.into_iter().flat_map(|leaf| self.readers[leaf as usize].iter().rev().take(LOOK).copied()).filter(
            move |&p| {
                let other = &self.cuts[p as usize];
                // Far apart, a pair would make paths longer; one that reads the other would close a loop.
                let near = self.bound[p as usize].abs_diff(self.bound[node as usize]) <= 1;
                let apart = !other.leaves().contains(&node) && !cut.leaves().contains(&p);
                p != node && near && apart && cut.union(other, SITE_INPUTS).is_some()
            },
        )
    }
}

//! A cover for sites by simulated annealing: LUTs change their cuts one at a time, and the pairs that share sites follow.
//!
//! A move gives one used node another of its cuts, or one without a partner and another node such cuts that they can be
//! partners. What that needs and needs no more is counted over uses, as in exact area; pairs that it breaks and functions
//! that it makes look for partners along short augmenting paths. So the cost of a move is the number of sites itself, which
//! no weight of LUTs says. Unless they may rise, a node keeps above all it reads the distance that the first cover gave it.
//!
//! Kirkpatrick, Gelatt and Vecchi, "Optimization by simulated annealing" (Science 1983).

use blc_ir::table::cofactor;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::cut::{Cut, MAX};
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
const HOT: f64 = 0.15;
const HALVINGS: f64 = 4.0;

/// Of so many moves one is for a table of six inputs and its half.
const HALVES: u64 = 8;

/// With `free`, levels may rise. A better cover with the same roots, or the same one. `sets` are cuts to choose from,
/// `inverted` says whose LUT is written as its complement; a function of the arguments alone.
pub fn anneal(net: &Net, cover: &Cover, sets: &CutSets, inverted: &[bool], moves: u64, free: bool) -> Cover {
    let mut state = State::new(net, cover, inverted);
    let around = around(net, sets);
    let halves = halves(net, sets);
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
        if turn % HALVES == 0 && !halves.is_empty() {
            let &[large, small] = &halves[rng.next() as usize % halves.len()];
            let [large, small] = [large, small].map(|(node, which)| (node, sets.of(node)[usize::from(which)]));
            let able = |(node, cut): (u32, Cut)| state.uses[node as usize] > 0 && (free || state.in_time(node, &cut));
            let new = state.mates[large.0 as usize] != small.0 || state.cuts[large.0 as usize] != large.1;
            if new && able(large) && able(small) && state.fit((large.0, &large.1), (small.0, &small.1)) {
                state.attempt(&[large, small], heat, &mut rng);
            }
            continue;
        }
        let node = ((rng.next() >> 32) * n) >> 32;
        let node = node as u32;
        let choices = if net.is_leaf(node) || state.uses[node as usize] == 0 { &[] } else { sets.of(node) };
        if choices.is_empty() {
            continue;
        }
        let cut = choices[rng.next() as usize % choices.len()];
        if cut.size() < 2 || !free && !state.in_time(node, &cut) {
            continue;
        }
        let mut changes: SmallVec<[(u32, Cut); 2]> = SmallVec::from_elem((node, cut), 1);
        if state.mates[node as usize] == ALONE && rng.next() >> 63 == 0 {
            let leaf = cut.leaves()[rng.next() as usize % cut.size()];
            let near = &around[leaf as usize];
            let Some(&(other, which)) = near.get(rng.next() as usize % near.len().max(1)) else { continue };
            let partner = sets.of(other)[usize::from(which)];
            let able = state.uses[other as usize] > 0 && (free || state.in_time(other, &partner));
            if !able || !state.fit((node, &cut), (other, &partner)) {
                continue;
            }
            changes.push((other, partner));
        } else if cut == state.cuts[node as usize] {
            continue;
        }
        state.attempt(&changes, heat, &mut rng);
    }
    if state.cost() < best_cost { state.cover(cover) } else { best }
}

/// Who shares a site with whom in a cover, and the level that each node's cut gives it at most.
pub fn paired(net: &Net, cover: &Cover, inverted: &[bool]) -> (Vec<u32>, Vec<u32>) {
    let state = State::new(net, cover, inverted);
    (state.mates, state.bound)
}

/// By leaf, the cuts of nodes that read it: node and place.
fn around(net: &Net, sets: &CutSets) -> Vec<Vec<(u32, u16)>> {
    let mut around = vec![Vec::new(); net.node_count()];
    for node in (0..net.node_count() as u32).filter(|&n| !net.is_leaf(n)) {
        for (which, cut) in sets.of(node).iter().enumerate().filter(|(_, cut)| cut.size() > 1) {
            cut.leaves().iter().for_each(|&leaf| around[leaf as usize].push((node, which as u16)));
        }
    }
    around
}

/// A node and the place of one of its cuts.
type Place = (u32, u16);

/// Pairs of cuts of which the first, of six leaves, is the second (or its complement) where some leaf is 0 (or 1).
fn halves(net: &Net, sets: &CutSets) -> Vec<[Place; 2]> {
    let nodes = (0..net.node_count() as u32).filter(|&n| !net.is_leaf(n));
    let all =
        nodes.flat_map(|node| sets.of(node).iter().enumerate().map(move |(which, cut)| ((node, which as u16), cut)));
    let mut known: FxHashMap<Cut, Place> = FxHashMap::default();
    for (place, cut) in all.clone().filter(|(_, cut)| (2..=SITE_INPUTS).contains(&cut.size())) {
        known.entry(cut.flip(cut.table & 1 == 1)).or_insert(place);
    }
    let mut found = Vec::new();
    for (place, cut) in all.filter(|(_, cut)| cut.size() > SITE_INPUTS) {
        for (j, value) in (0..MAX).flat_map(|j| [(j, false), (j, true)]) {
            let mut half = *cut;
            half.table = cofactor(cut.table, j, value);
            half.drop_vacuous();
            if let Some(&other) = known.get(&half.flip(half.table & 1 == 1)).filter(|other| other.0 != place.0) {
                found.push([place, other]);
            }
        }
    }
    found
}

struct State<'a> {
    net: &'a Net,
    inverted: &'a [bool],
    cuts: Vec<Cut>,
    uses: Vec<u32>,
    /// A node's level lies above those of the leaves of its cut.
    bound: Vec<u32>,
    /// By leaf, the used nodes that may share a site and read it.
    readers: Vec<Vec<u32>>,
    mates: Vec<u32>,
    functions: u64,
    pairs: u64,
    /// Functions without a partner, by number of inputs.
    alone: [u64; MAX + 1],
    /// Both as they were before the last move.
    before: (u64, [u64; MAX + 1]),
    /// Mates before the last move, in order of change.
    trail: Vec<(u32, u32)>,
    stack: Vec<u32>,
}

impl<'a> State<'a> {
    fn new(net: &'a Net, cover: &Cover, inverted: &'a [bool]) -> Self {
        let n = net.node_count();
        let mut state = Self {
            net,
            inverted,
            cuts: cover.cuts.clone(),
            uses: cover.uses.clone(),
            bound: vec![0; n],
            readers: vec![Vec::new(); n],
            mates: vec![ALONE; n],
            functions: 0,
            pairs: 0,
            alone: [0; MAX + 1],
            before: (0, [0; MAX + 1]),
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
        // Two of two inputs, or of two and three, may share a site without an input in common.
        let [_, _, two, three, ..] = self.alone;
        let unrelated = three.min(two) + two.saturating_sub(three) / 2;
        (self.functions - self.pairs - unrelated) as f64 + FUNCTION * self.functions as f64
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
        self.alone[cut.size()] += 1;
        if cut.size() > 1 {
            cut.leaves().iter().for_each(|&leaf| self.readers[leaf as usize].push(node));
        }
    }

    /// Counts a node out; its mate is alone.
    fn leave(&mut self, node: u32) {
        let cut = self.cuts[node as usize];
        self.functions -= u64::from(cut.size() > 1);
        if cut.size() > 1 {
            for &leaf in cut.leaves() {
                let readers = &mut self.readers[leaf as usize];
                if let Some(at) = readers.iter().position(|&r| r == node) {
                    readers.swap_remove(at);
                }
            }
        }
        self.part(node);
        self.alone[cut.size()] -= 1;
    }

    fn set(&mut self, node: u32, mate: u32) {
        let old = std::mem::replace(&mut self.mates[node as usize], mate);
        self.trail.push((node, old));
        let alone = &mut self.alone[self.cuts[node as usize].size()];
        *alone = *alone + u64::from(mate == ALONE) - u64::from(old == ALONE);
    }

    /// Changes cuts, if that is better or by chance.
    fn attempt(&mut self, changes: &[(u32, Cut)], heat: f64, rng: &mut Rng) {
        let before = self.cost();
        let undo = self.switch(changes);
        let worse = self.cost() - before;
        let chance = (rng.next() >> 11) as f64 / (1u64 << 53) as f64;
        if worse > 0.0 && chance >= (-worse / heat).exp() {
            self.undo(&undo);
        }
    }

    /// Gives one or two nodes other cuts, with all that follows; two become partners. Returns the cuts before.
    fn switch(&mut self, changes: &[(u32, Cut)]) -> SmallVec<[(u32, Cut); 2]> {
        self.trail.clear();
        self.before = (self.pairs, self.alone);
        let mut before = SmallVec::new();
        let mut free = Vec::new();
        for &(node, cut) in changes {
            // The change before may have left it without use.
            let old = self.cuts[node as usize];
            if self.uses[node as usize] > 0 && cut != old {
                before.push((node, old));
                free.extend(self.exchange(node, cut));
            }
        }
        if let &[(a, _), (b, _)] = changes
            && self.uses[a as usize] > 0
            && self.uses[b as usize] > 0
        {
            for node in [a, b] {
                free.extend(self.part(node));
            }
            self.join(a, b);
        }
        for &(node, _) in changes {
            self.pair(node);
        }
        // Also what lost its partner to a change of cuts.
        let mut lost: Vec<u32> = self.trail.iter().map(|&(node, _)| node).collect();
        lost.sort_unstable();
        lost.dedup();
        for node in free.into_iter().chain(lost) {
            self.pair(node);
        }
        before
    }

    /// Takes a node from its partner; returns that.
    fn part(&mut self, node: u32) -> Option<u32> {
        let mate = self.mates[node as usize];
        if mate == ALONE {
            return None;
        }
        self.pairs -= 1;
        self.set(node, ALONE);
        self.set(mate, ALONE);
        Some(mate)
    }

    /// Takes the last move back: the cuts before it.
    fn undo(&mut self, before: &[(u32, Cut)]) {
        for &(node, old) in before.iter().rev() {
            self.exchange(node, old);
        }
        // First what taking the cuts back did to mates, then what the move had done.
        while let Some((node, mate)) = self.trail.pop() {
            self.mates[node as usize] = mate;
        }
        (self.pairs, self.alone) = self.before;
    }

    /// The cut and the uses; returns nodes that are used now and were not.
    fn exchange(&mut self, node: u32, cut: Cut) -> Vec<u32> {
        self.leave(node);
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
                self.leave(leaf);
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
        let leaves: SmallVec<[u32; MAX]> = if cut.size() > 1 { cut.leaves().into() } else { SmallVec::new() };
        leaves
            .into_iter()
            .flat_map(|leaf| self.readers[leaf as usize].iter().rev().take(LOOK).copied())
            .filter(move |&p| self.fit((node, &cut), (p, &self.cuts[p as usize])))
    }

    /// Whether two nodes with these cuts may share a site.
    fn fit(&self, (a, first): (u32, &Cut), (b, second): (u32, &Cut)) -> bool {
        // Far apart, a pair would make paths longer; one that reads the other would close a loop.
        let near = self.bound[a as usize].abs_diff(self.bound[b as usize]) <= 1;
        if a == b || !near || first.leaves().contains(&b) || second.leaves().contains(&a) {
            return false;
        }
        let (large, small) = if first.size() > second.size() { (first, second) } else { (second, first) };
        if large.size() <= SITE_INPUTS {
            return large.union(small, SITE_INPUTS).is_some();
        }
        // Of six inputs: the other must be what it is where one of them is 0.
        small.size() <= SITE_INPUTS && small.is_within(large) && {
            let flip = self.inverted[a as usize] != self.inverted[b as usize];
            let wanted = large.stretch(small) ^ u64::from(flip).wrapping_neg();
            let half = |(j, &leaf): (usize, &u32)| cofactor(large.table, j, self.inverted[leaf as usize]) == wanted;
            large.leaves().iter().enumerate().any(half)
        }
    }
}

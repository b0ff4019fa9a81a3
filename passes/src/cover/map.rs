//! Choosing one cut for every node that is needed: priority cuts with area flow and exact area.
//!
//! After Mishchenko, Cho, Chatterjee and Brayton, "Combinational and sequential mapping with priority cuts" (ICCAD 2007).
//! A round goes over the nodes in topological order, joins the few best cuts of each node's fan-ins, keeps the few best
//! by the round's cost, and takes the very best:
//! - *depth*: the earliest arrival;
//! - *flow*: the area of the cone below, each leaf's divided among its uses (as estimated from the round before);
//! - *exact*: the area that the choice really adds to the cover as it stands, counted over reference counts. Such rounds
//!   never make the cover larger, unless it had too many levels.

use smallvec::SmallVec;

use super::cut::{Cut, MAX};
use super::net::Net;
use super::sets::{CutSets, Join};

/// Most nodes that the exact area of one cut is counted over; a cut that needs more new ones is not taken.
const MAX_CONE: usize = 256;

/// Candidates before the joins: see [`Candidate::place`].
const KNOWN: u32 = 2;

/// Area of a LUT by its number of inputs. Wires and inverters that a cover meets are free.
pub type Areas = [f32; MAX + 1];

/// The rounds from an arbitrary start, in order.
pub const ROUNDS: [Goal; 4] = [Goal::Depth, Goal::Flow, Goal::Exact, Goal::ExactDepth];

/// What a cover may be, and what it costs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Most leaves of a cut.
    pub k: usize,
    /// Cuts kept of each node.
    pub cuts: usize,
    /// What is to be made small.
    pub areas: Areas,
    /// Most levels.
    pub levels: u32,
}

/// The cost of a cover, to be made small in this order.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Cost {
    /// Levels above those allowed.
    pub excess: u32,
    /// Area of all LUTs.
    pub area: f32,
    /// LUTs on the longest path.
    pub levels: u32,
    /// Inputs of all LUTs.
    pub edges: u32,
}

/// A cut for every node, of which those that the roots need make the cover.
#[derive(Clone, Debug)]
pub struct Cover {
    /// By node; of no meaning where [`Cover::uses`] is 0.
    pub cuts: Vec<Cut>,
    /// Uses of a node as a root or as a leaf of a chosen cut.
    pub uses: Vec<u32>,
    /// What it costs.
    pub cost: Cost,
}

/// What a round makes small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Arrival, then flow.
    Depth,
    /// Area flow, then arrival.
    Flow,
    /// Exact area, then flow.
    Exact,
    /// Exact area, then arrival.
    ExactDepth,
}

/// The rounds of one run.
pub struct Mapper<'a> {
    net: &'a Net,
    roots: &'a [u32],
    settings: Settings,
    live: Vec<bool>,
    sets: CutSets,
    best: Vec<Cut>,
    refs: Vec<u32>,
    /// Expected uses.
    estimate: Vec<f32>,
    flow: Vec<f32>,
    arrival: Vec<u32>,
    required: Vec<u32>,
    /// Counted uses to take back, and whether they were added or removed.
    trail: Vec<(u32, bool)>,
    stack: Vec<u32>,
}

/// A cut that a round may keep of a node.
#[derive(Clone, Copy)]
struct Candidate {
    key: [f32; 4],
    /// Which join it is, after the cuts whose table is known already: the last choice and the given one.
    place: u32,
}

impl<'a> Mapper<'a> {
    /// Starts from the cover that the net was read as.
    pub fn new(net: &'a Net, roots: &'a [u32], settings: Settings) -> Self {
        let n = net.node_count();
        let best = (0..n as u32).map(|node| *net.given(node).unwrap_or(net.block(node))).collect();
        let mut fanouts = vec![0u32; n];
        let mut live = vec![false; n];
        for &root in roots {
            live[root as usize] = true;
            fanouts[root as usize] += 1;
        }
        for node in (0..n).rev() {
            if !live[node] {
                continue;
            }
            for &leaf in net.block(node as u32).leaves() {
                live[leaf as usize] = true;
                fanouts[leaf as usize] += 1;
            }
        }
        let mut mapper = Self {
            net,
            roots,
            settings,
            live,
            sets: CutSets::default(),
            best,
            refs: vec![0; n],
            estimate: fanouts.into_iter().map(|uses| uses.max(1) as f32).collect(),
            flow: vec![0.0; n],
            arrival: vec![0; n],
            required: vec![u32::MAX; n],
            trail: Vec::new(),
            stack: Vec::new(),
        };
        mapper.evaluate();
        mapper
    }

    /// One round.
    pub fn round(&mut self, goal: Goal) {
        self.sets = CutSets::default();
        let mut joins = Vec::new();
        let mut candidates = Vec::new();
        for node in 0..self.net.node_count() as u32 {
            if self.net.is_leaf(node) || !self.live[node as usize] {
                self.sets.push([]);
                continue;
            }
            self.count_out(node, goal);
            self.candidates(node, goal, &mut joins, &mut candidates);
            let kept = self.keep(node, goal, &joins, &candidates);
            self.take_back(0);
            self.choose(node, goal, kept[0].1);
            self.sets.push(kept.iter().map(|&(_, cut)| cut));
        }
        self.evaluate();
    }

    /// What the cover costs as it stands.
    pub fn cost(&self) -> Cost {
        let mut cost = Cost { excess: 0, area: 0.0, levels: 0, edges: 0 };
        for node in self.used() {
            let cut = &self.best[node as usize];
            cost.area += self.settings.areas[cut.size()];
            cost.levels = cost.levels.max(self.arrival[node as usize]);
            cost.edges += cut.size() as u32;
        }
        cost.excess = cost.levels.saturating_sub(self.settings.levels);
        cost
    }

    /// The cover as it stands.
    pub fn cover(&self) -> Cover {
        Cover { cuts: self.best.clone(), uses: self.refs.clone(), cost: self.cost() }
    }

    /// The cuts that the last round kept.
    pub fn choices(&self) -> &CutSets {
        &self.sets
    }

    fn used(&self) -> impl DoubleEndedIterator<Item = u32> {
        (0..self.net.node_count() as u32).filter(|&n| self.refs[n as usize] > 0 && !self.net.is_leaf(n))
    }

    /// All joins, the given cut and the last choice, with their costs, cheapest first.
    fn candidates(&mut self, node: u32, goal: Goal, joins: &mut Vec<Join>, out: &mut Vec<Candidate>) {
        let block = self.net.block(node);
        self.sets.joins(block, self.settings.k, joins);
        out.clear();
        for place in 0..joins.len() as u32 + KNOWN {
            if let Some(cut) = self.cut_at(node, place, joins) {
                out.push(Candidate { key: self.key(node, goal, &cut), place });
            }
        }
        out.sort_unstable_by(|a, b| compare(&a.key, &b.key).then(a.place.cmp(&b.place)));
    }

    /// The cut of a candidate, a join's without its table.
    fn cut_at(&self, node: u32, place: u32, joins: &[Join]) -> Option<Cut> {
        match place {
            0 => Some(self.best[node as usize]),
            1 => self.net.given(node).copied(),
            _ => joins.get((place - KNOWN) as usize).map(|join| join.leaves),
        }
    }

    /// The best candidates with their tables, none of them within another.
    fn keep(
        &mut self,
        node: u32,
        goal: Goal,
        joins: &[Join],
        candidates: &[Candidate],
    ) -> SmallVec<[([f32; 4], Cut); 8]> {
        let block = self.net.block(node);
        let mut kept = SmallVec::new();
        let mut shrunk = false;
        for &Candidate { mut key, place } in candidates {
            let Some(mut cut) = self.cut_at(node, place, joins) else { continue };
            if kept.iter().any(|(_, c): &(_, Cut)| c.is_within(&cut)) {
                continue;
            }
            if place >= KNOWN {
                let before = cut.size();
                cut = self.sets.finish(block, &joins[(place - KNOWN) as usize]);
                if cut.size() < before {
                    key = self.key(node, goal, &cut);
                    shrunk = true;
                }
            }
            kept.push((key, cut));
            if kept.len() >= self.settings.cuts {
                break;
            }
        }
        if shrunk {
            kept.sort_by(|a, b| compare(&a.0, &b.0));
        }
        kept
    }

    fn key(&mut self, node: u32, goal: Goal, cut: &Cut) -> [f32; 4] {
        let arrival = self.cut_arrival(cut);
        let late = match goal {
            Goal::Depth => 0.0,
            _ => arrival.saturating_sub(self.required[node as usize]) as f32,
        };
        let flow = self.cut_flow(cut);
        let size = cut.size() as f32;
        match goal {
            Goal::Depth => [late, arrival as f32, flow, size],
            Goal::Flow => [late, flow, arrival as f32, size],
            Goal::Exact => [late, self.exact(cut), flow, size],
            Goal::ExactDepth => [late, self.exact(cut), arrival as f32, size],
        }
    }

    fn cut_arrival(&self, cut: &Cut) -> u32 {
        let latest = cut.leaves().iter().map(|&leaf| self.arrival[leaf as usize]).max().unwrap_or(0);
        latest + u32::from(cut.size() > 1)
    }

    fn cut_flow(&self, cut: &Cut) -> f32 {
        self.settings.areas[cut.size()] + cut.leaves().iter().map(|&leaf| self.flow[leaf as usize]).sum::<f32>()
    }

    fn choose(&mut self, node: u32, goal: Goal, cut: Cut) {
        let n = node as usize;
        if self.refs[n] > 0 && matches!(goal, Goal::Exact | Goal::ExactDepth) && self.best[n] != cut {
            let old = std::mem::replace(&mut self.best[n], cut);
            self.add(&cut, usize::MAX);
            self.remove(&old, usize::MAX);
            self.trail.clear();
        }
        self.best[n] = cut;
        self.arrival[n] = self.cut_arrival(&cut);
        self.flow[n] = self.cut_flow(&cut) / self.estimate[n];
    }

    /// Counts a node's present cut out where exact areas are compared: they are then those of the rest with each cut.
    fn count_out(&mut self, node: u32, goal: Goal) {
        if matches!(goal, Goal::Exact | Goal::ExactDepth) && self.refs[node as usize] > 0 {
            let old = self.best[node as usize];
            self.remove(&old, MAX_CONE);
        }
    }

    /// The area that the cover gains by taking `cut` for a node whose present cut is counted out.
    fn exact(&mut self, cut: &Cut) -> f32 {
        let mark = self.trail.len();
        let area = self.add(cut, MAX_CONE);
        self.take_back(mark);
        area
    }

    /// Takes back what was counted since `mark`.
    fn take_back(&mut self, mark: usize) {
        for (leaf, added) in self.trail.drain(mark..).rev() {
            let refs = &mut self.refs[leaf as usize];
            *refs = if added { *refs - 1 } else { *refs + 1 };
        }
    }

    /// Counts the uses that a cut adds, and those of the nodes newly needed; returns their area. Infinite where there are
    /// more than `limit` of them.
    fn add(&mut self, cut: &Cut, limit: usize) -> f32 {
        let mut area = self.settings.areas[cut.size()];
        let mut visited = 0;
        self.stack.clear();
        self.stack.extend_from_slice(cut.leaves());
        while let Some(leaf) = self.stack.pop() {
            self.trail.push((leaf, true));
            self.refs[leaf as usize] += 1;
            if self.refs[leaf as usize] == 1 && !self.net.is_leaf(leaf) {
                visited += 1;
                if visited > limit {
                    return f32::INFINITY;
                }
                let below = &self.best[leaf as usize];
                area += self.settings.areas[below.size()];
                self.stack.extend_from_slice(below.leaves());
            }
        }
        area
    }

    /// The reverse of [`Mapper::add`]; goes no further than `limit` nodes.
    fn remove(&mut self, cut: &Cut, limit: usize) {
        let mut visited = 0;
        self.stack.clear();
        self.stack.extend_from_slice(cut.leaves());
        while let Some(leaf) = self.stack.pop() {
            self.trail.push((leaf, false));
            self.refs[leaf as usize] -= 1;
            if self.refs[leaf as usize] == 0 && !self.net.is_leaf(leaf) && visited < limit {
                visited += 1;
                self.stack.extend_from_slice(self.best[leaf as usize].leaves());
            }
        }
    }

    /// Counts uses afresh, and from them the expected uses, arrivals, flows and required times.
    fn evaluate(&mut self) {
        let n = self.net.node_count();
        self.refs.fill(0);
        for &root in self.roots {
            self.refs[root as usize] += 1;
        }
        for node in (0..n as u32).rev().filter(|&node| !self.net.is_leaf(node)) {
            if self.refs[node as usize] > 0 {
                for &leaf in self.best[node as usize].leaves() {
                    self.refs[leaf as usize] += 1;
                }
            }
        }
        for node in 0..n {
            self.estimate[node] = (self.estimate[node] + 2.0 * self.refs[node].max(1) as f32) / 3.0;
            if !self.net.is_leaf(node as u32) && self.live[node] {
                let cut = self.best[node];
                self.arrival[node] = self.cut_arrival(&cut);
                self.flow[node] = self.cut_flow(&cut) / self.estimate[node];
            }
        }
        self.require();
    }

    /// By node, the latest level at which it may arrive.
    fn require(&mut self) {
        self.required.fill(u32::MAX);
        for &root in self.roots {
            self.required[root as usize] = self.settings.levels;
        }
        for node in (0..self.net.node_count()).rev() {
            if self.refs[node] == 0 || self.net.is_leaf(node as u32) {
                continue;
            }
            let cut = &self.best[node];
            let before = self.required[node].saturating_sub(u32::from(cut.size() > 1));
            for &leaf in cut.leaves() {
                self.required[leaf as usize] = self.required[leaf as usize].min(before);
            }
        }
    }
}

fn compare(a: &[f32; 4], b: &[f32; 4]) -> std::cmp::Ordering {
    a.iter().zip(b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
}

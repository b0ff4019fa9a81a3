//! SAT sweeping: nodes that no pattern tells apart are proved equal from the inputs up, and what was proved makes the
//! next proofs short (Kuehlmann and Krohm 1997; Mishchenko, Chatterjee, Jiang, Brayton 2005).
//!
//! Nodes of one level are asked about together, in [`LANES`] solvers that run in parallel; which solver gets which
//! question, and the order in which answers count, depend on the questions alone. So the result is the same for any
//! number of threads.

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::cone::{Answer, Clause, Cone};
use super::graph::{Gate, Graph, Lit, and_gate, xor_gate};
use super::patterns::{Classes, Patterns};
use super::window;
use crate::rng::Rng;

/// Solvers at work side by side.
const LANES: usize = 2;
/// Most blocks of patterns kept: more tell hardly more.
const MAX_BLOCKS: usize = 512;
/// Most words of patterns of all nodes.
const MAX_WORDS: usize = 1 << 27;
/// Blocks of patterns under which cut nodes are free.
const FREE_BLOCKS: usize = 64;

/// What it took.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Effort {
    /// Gates of both designs together, after hashing.
    pub gates: usize,
    /// Patterns simulated.
    pub patterns: usize,
    /// Pairs of gates equal by structure, given those below.
    pub merged_by_structure: usize,
    /// Pairs of gates proved equal by SAT.
    pub merged_by_sat: usize,
    /// Sums proved by algebra.
    pub sums: usize,
    /// Questions asked of solvers.
    pub questions: usize,
    /// Conflicts in all of them.
    pub conflicts: u64,
}

/// The state of a sweep.
pub struct Sweep<'g> {
    /// The graph.
    pub g: &'g Graph,
    /// All patterns so far.
    pub patterns: Patterns,
    /// What it took so far.
    pub effort: Effort,
    classes: Classes,
    /// Classes by patterns under which cut nodes are free, while only what does not depend on them is asked about.
    free: Option<Classes>,
    /// What each node was proved equal to: itself, or a node of lower rank.
    repr: Vec<Lit>,
    /// Nodes in order of level.
    order: Vec<u32>,
    rank: Vec<u32>,
    level: Vec<u32>,
    /// Nodes taken as free in a first attempt: the bits of proved sums.
    cut: Vec<bool>,
    /// Whether there is a cut node below.
    above_cut: Vec<bool>,
    lanes: Vec<Lane>,
    /// Clauses that were proved.
    lemmas: Vec<Clause>,
    /// Clauses that make the proof, where one is kept.
    pub proof: Option<Vec<Clause>>,
}

struct Lane {
    /// Knows nothing below cut nodes.
    shallow: Cone,
    deep: Cone,
}

impl Lane {
    fn new(proof: bool) -> Self {
        Self { shallow: Cone::new(proof), deep: Cone::new(proof) }
    }
}

/// Most blocks of patterns of a graph.
pub fn most_blocks(g: &Graph) -> usize {
    (MAX_WORDS / g.len().max(1)).clamp(1, MAX_BLOCKS)
}

enum Verdict {
    Equal,
    Differ(Vec<(u32, bool)>),
    Unknown,
}

impl<'g> Sweep<'g> {
    /// Classes by some patterns of the inputs, over the cones of `roots`.
    pub fn new(g: &'g Graph, roots: impl IntoIterator<Item = Lit>, patterns: Vec<Vec<u64>>, proof: bool) -> Self {
        let live = g.cone(roots);
        let mut order: Vec<u32> = (0..g.len() as u32).filter(|&n| n == 0 || live[n as usize]).collect();
        order.sort_by_key(|&n| (g.level(n as usize), n));
        let mut rank = vec![u32::MAX; g.len()];
        for (i, &n) in order.iter().enumerate() {
            rank[n as usize] = i as u32;
        }
        let mut sweep = Self {
            g,
            patterns: Patterns::default(),
            effort: Effort { gates: order.len(), ..Effort::default() },
            classes: Classes::new(g.len(), order.clone()),
            free: None,
            repr: (0..g.len()).map(Lit::new).collect(),
            order,
            rank,
            level: (0..g.len()).map(|n| g.level(n)).collect(),
            cut: vec![false; g.len()],
            above_cut: vec![false; g.len()],
            lanes: (0..LANES).map(|_| Lane::new(proof)).collect(),
            lemmas: Vec::new(),
            proof: proof.then(Vec::new),
        };
        sweep.add_patterns(patterns);
        sweep
    }

    fn add_patterns(&mut self, blocks: Vec<Vec<u64>>) {
        self.effort.patterns += 64 * blocks.len();
        self.patterns.add(self.g, blocks);
        self.classes.refine(&self.patterns);
        if let Some(free) = &mut self.free {
            free.refine(&self.patterns);
        }
    }

    /// Takes a literal as an input in first attempts.
    pub fn cut(&mut self, lit: Lit) {
        let lit = self.resolve(lit);
        if lit.as_const().is_none() {
            self.cut[lit.node()] = true;
        }
    }

    /// Takes no node as an input any more.
    pub fn uncut(&mut self) {
        self.cut.fill(false);
    }

    /// From here on asks only whether nodes are equal whatever the cut nodes are. Of those `words` are words, lowest bit
    /// first.
    pub fn free(&mut self, words: &[Vec<Lit>]) {
        let words: Vec<Vec<Lit>> = words.iter().map(|w| w.iter().map(|&l| self.resolve(l)).collect()).collect();
        let mut free = self.classes.clone();
        let mut rng = Rng::new(self.order.len() as u64);
        for block in 0..FREE_BLOCKS {
            let given = free_values(&words, block, &mut rng);
            free.split(&self.values_above(&given, || density(block, &mut rng)));
        }
        self.free = Some(free);
        // What solvers know of cut nodes from before would have them look below.
        self.lanes.iter_mut().for_each(|lane| {
            lane.shallow = Cone::new(self.proof.is_some());
            lane.shallow.keeps = false;
        });
    }

    /// Values of all nodes, where inputs and cut nodes have given ones, or others.
    fn values_above(&self, given: &FxHashMap<u32, u64>, mut other: impl FnMut() -> u64) -> Vec<u64> {
        let mut values = vec![0u64; self.g.len()];
        for &n in &self.order {
            let get = |l: Lit| values[l.node()] ^ u64::from(l.inverted()).wrapping_neg();
            let lit = self.resolve(Lit::new(n as usize));
            values[n as usize] = match self.gate(n) {
                _ if lit.node() != n as usize => get(lit),
                gate if self.cut[n as usize] || matches!(gate, Gate::Input(_)) => {
                    given.get(&n).copied().unwrap_or_else(&mut other)
                }
                Gate::And(a, b) => get(a) & get(b),
                Gate::Xor(a, b) => get(a) ^ get(b),
                _ => 0,
            };
        }
        values
    }

    /// Splits the classes of free nodes by values that told nodes apart.
    fn split_free(&mut self, differences: &[Vec<(u32, bool)>]) {
        let Some(mut free) = self.free.take() else { return };
        for differences in differences.chunks(64) {
            let mut given: FxHashMap<u32, u64> = FxHashMap::default();
            for (bit, values) in differences.iter().enumerate() {
                values.iter().for_each(|&(n, value)| *given.entry(n).or_default() |= u64::from(value) << bit);
            }
            free.split(&self.values_above(&given, || 0));
        }
        self.free = Some(free);
    }

    /// Asks about all again.
    pub fn bind(&mut self) {
        self.free = None;
    }

    fn classes(&self) -> &Classes {
        self.free.as_ref().unwrap_or(&self.classes)
    }

    /// What a literal was proved equal to.
    pub fn resolve(&self, mut lit: Lit) -> Lit {
        loop {
            let to = self.repr[lit.node()];
            if to.node() == lit.node() {
                return lit;
            }
            lit = to.invert_if(lit.inverted());
        }
    }

    /// A node's gate, its inputs resolved.
    pub fn gate(&self, node: u32) -> Gate {
        match self.g.gate(node as usize) {
            Gate::And(a, b) => Gate::And(self.resolve(a), self.resolve(b)),
            Gate::Xor(a, b) => Gate::Xor(self.resolve(a), self.resolve(b)),
            gate => gate,
        }
    }

    fn merge(&mut self, node: u32, to: Lit) {
        self.repr[node as usize] = to;
        self.lanes.iter_mut().for_each(|lane| {
            lane.shallow.equal(node, to);
            lane.deep.equal(node, to);
        });
        if self.cut[node as usize] && to.as_const().is_none() {
            self.cut[to.node()] = true;
        }
        if let Some(proof) = &mut self.proof {
            let n = Lit::new(node as usize);
            let mut clauses = vec![vec![!n, to], vec![n, !to]];
            if let Gate::Xor(a, _) = self.g.gate(node as usize) {
                // Unit propagation sees through an exclusive or only case by case.
                clauses.splice(0..0, [vec![!n, to, a], vec![n, !to, a]]);
            }
            for mut clause in clauses {
                if clause.contains(&Lit::ONE) {
                    continue;
                }
                clause.retain(|&l| l != Lit::ZERO);
                proof.push(clause);
            }
        }
    }

    /// Takes a literal as another, because they were proved equal elsewhere; the other is then free in first attempts.
    pub fn unite(&mut self, from: Lit, to: Lit) {
        let (from, to) = (self.resolve(from), self.resolve(to));
        if from.node() == to.node() {
            return;
        }
        // Mostly the sum as the other design makes it takes the place of the one made here; but never the other way
        // round a circle.
        let (from, to) =
            if from.as_const().is_some() || self.reach([to])[from.node()] { (to, from) } else { (from, to) };
        self.merge(from.node() as u32, to.invert_if(from.inverted()));
        if to.as_const().is_none() {
            self.cut[to.node()] = true;
        }
    }

    /// Puts nodes in order again after some were united: what a node now stands on comes before it. All other merges go
    /// down in this order, so that none comes to stand on itself.
    pub fn reorder(&mut self) {
        let mut level = vec![u32::MAX; self.g.len()];
        let mut work: Vec<u32> = self.order.clone();
        while let Some(&n) = work.last() {
            let own = self.resolve(Lit::new(n as usize)).node() as u32;
            let below: &[u32] = match self.gate(own) {
                Gate::And(a, b) | Gate::Xor(a, b) => &[a.node() as u32, b.node() as u32],
                _ => &[],
            };
            let before = work.len();
            work.extend(below.iter().filter(|&&m| level[m as usize] == u32::MAX));
            if work.len() == before {
                let above = below.iter().map(|&m| level[m as usize] + 1).max().unwrap_or(0);
                (level[own as usize], level[n as usize]) = (above, above);
                work.pop();
            }
        }
        self.order.sort_by_key(|&n| (level[n as usize], n));
        for (i, &n) in self.order.iter().enumerate() {
            self.rank[n as usize] = i as u32;
        }
        self.level = level;
        for classes in std::iter::once(&mut self.classes).chain(&mut self.free) {
            classes.sort(&self.rank);
        }
    }

    /// Nodes below some literals, through what was proved.
    pub fn reach(&self, roots: impl IntoIterator<Item = Lit>) -> Vec<bool> {
        let mut seen = vec![false; self.g.len()];
        let mut work: Vec<usize> = roots.into_iter().map(|l| self.resolve(l).node()).collect();
        while let Some(n) = work.pop() {
            if !std::mem::replace(&mut seen[n], true)
                && let Gate::And(a, b) | Gate::Xor(a, b) = self.gate(n as u32)
            {
                work.extend([a.node(), b.node()]);
            }
        }
        seen
    }

    /// Forgets the nodes that these no longer need.
    pub fn prune(&mut self, roots: impl IntoIterator<Item = Lit>) {
        let live = self.reach(roots);
        self.order.retain(|&n| n == 0 || live[n as usize]);
        for (rank, live) in self.rank.iter_mut().zip(&live).skip(1) {
            *rank = if *live { *rank } else { u32::MAX };
        }
    }

    /// Nodes of a literal's class that satisfy `wanted`, aligned with it, lowest rank first.
    pub fn candidates<'a>(&'a self, lit: Lit, wanted: impl Fn(usize) -> bool + 'a) -> impl Iterator<Item = Lit> + 'a {
        let members = self.classes.members(lit.node()).iter().map(|&n| n as usize);
        members.filter(move |&n| wanted(n)).map(move |n| self.classes.aligned(n, lit.node()).invert_if(lit.inverted()))
    }

    /// Proves what can be within `limit` conflicts a question, level by level. With `targets` only pairs with one of
    /// them are asked about.
    pub fn run(&mut self, limit: u64, targets: Option<&[bool]>) {
        let mut known: FxHashMap<Gate, Lit> = FxHashMap::default();
        let (order, levels) = (self.order.clone(), self.level.clone());
        for level in order.chunk_by(|&a, &b| levels[a as usize] == levels[b as usize]) {
            for &n in level {
                self.hash(n, &mut known);
            }
            self.level(level, limit, targets);
        }
    }

    /// Finds what a node is by structure, inputs resolved.
    fn hash(&mut self, n: u32, known: &mut FxHashMap<Gate, Lit>) {
        let node = Lit::new(n as usize);
        let gate = self.gate(n);
        if let Gate::And(a, b) | Gate::Xor(a, b) = gate {
            let below = |l: Lit| self.above_cut[l.node()] || self.cut[l.node()];
            self.above_cut[n as usize] = below(a) || below(b);
        }
        if self.repr[n as usize] != node {
            return;
        }
        let found = match gate {
            Gate::And(a, b) => and_gate(a, b).or_else(|gate| known.get(&gate).copied().ok_or((gate, false))),
            Gate::Xor(a, b) => xor_gate(a, b)
                .or_else(|(gate, inverted)| known.get(&gate).map(|l| l.invert_if(inverted)).ok_or((gate, inverted))),
            _ => return,
        };
        match found {
            Ok(to) => {
                let to = self.resolve(to);
                if self.rank[to.node()] < self.rank[n as usize] {
                    self.effort.merged_by_structure += 1;
                    self.merge(n, to);
                }
            }
            Err((gate, inverted)) => {
                known.insert(gate, node.invert_if(inverted));
            }
        }
    }

    fn level(&mut self, level: &[u32], limit: u64, targets: Option<&[bool]>) {
        let mut given_up: Vec<u32> = Vec::new();
        loop {
            let pairs: Vec<(u32, Lit)> = level
                .iter()
                .filter(|n| self.repr[**n as usize] == Lit::new(**n as usize) && !given_up.contains(n))
                .filter_map(|&n| Some((n, self.mate(n, targets)?)))
                .collect();
            if pairs.is_empty() {
                return;
            }
            let mut lanes = std::mem::take(&mut self.lanes);
            let part = pairs.len().div_ceil(LANES);
            let answers: Vec<Vec<Verdict>> = lanes
                .par_iter_mut()
                .enumerate()
                .map(|(i, lane)| {
                    let pairs = pairs.iter().skip(i * part).take(part);
                    pairs.map(|&(n, mate)| self.compare(lane, Lit::new(n as usize), mate, limit)).collect()
                })
                .collect();
            self.lanes = lanes;
            self.collect_proofs();
            self.effort.questions += pairs.len();
            let mut differences = Vec::new();
            for (&(n, mate), answer) in pairs.iter().zip(answers.into_iter().flatten()) {
                match answer {
                    Verdict::Equal => {
                        self.effort.merged_by_sat += 1;
                        self.merge(n, mate);
                    }
                    Verdict::Differ(values) if self.free.is_some() || self.patterns.blocks() < most_blocks(self.g) => {
                        differences.push(values);
                    }
                    Verdict::Differ(_) | Verdict::Unknown => given_up.push(n),
                }
            }
            if self.free.is_some() {
                self.split_free(&differences);
                // What lies within a cut node is not simulated: such pairs stay together.
                let same = |&&(n, mate): &&(u32, Lit)| {
                    self.repr[n as usize].node() == n as usize && self.mate(n, targets) == Some(mate)
                };
                given_up.extend(pairs.iter().filter(same).map(|p| p.0));
            } else if !differences.is_empty() {
                let blocks = self.blocks_of(&differences);
                self.add_patterns(blocks);
            }
        }
    }

    fn collect_proofs(&mut self) {
        for lane in &mut self.lanes {
            for cone in [&mut lane.shallow, &mut lane.deep] {
                self.effort.conflicts += std::mem::take(&mut cone.conflicts);
                if let Some(proof) = &mut self.proof {
                    proof.append(&mut cone.take_proof());
                }
            }
        }
    }

    /// The node of lowest rank that a node may equal.
    fn mate(&self, n: u32, targets: Option<&[bool]>) -> Option<Lit> {
        let fits = |m: u32| self.repr[m as usize] == Lit::new(m as usize) && self.rank[m as usize] != u32::MAX;
        let mate = self.classes().members(n as usize).iter().copied().find(|&m| m == n || fits(m))?;
        let wanted = targets.is_none_or(|t| t[mate as usize] || t[n as usize]);
        (mate != n && self.rank[mate as usize] < self.rank[n as usize] && wanted)
            .then(|| self.classes().aligned(mate as usize, n as usize))
    }

    /// Whether two literals are equal.
    fn compare(&self, lane: &mut Lane, a: Lit, b: Lit, limit: u64) -> Verdict {
        let gate = |n: u32| (!self.cut[n as usize]).then(|| self.gate(n));
        if limit > 0 && self.proof.is_none() && window::equal(a, b, &|n| self.rank[n as usize], &|n| self.gate(n)) {
            return Verdict::Equal;
        }
        if self.free.is_some() {
            if !self.cut[a.node()] && !self.cut[b.node()] {
                return self.ask(&mut lane.shallow, a, b, limit, &gate);
            }
            // What is cut has to be looked into, but not what it stands on.
            let own =
                |n: u32| (!self.cut[n as usize] || [a, b].iter().any(|l| l.node() == n as usize)).then(|| self.gate(n));
            return self.ask(&mut Cone::new(self.proof.is_some()), a, b, limit, &own);
        }
        let deep = |lane: &mut Lane| self.ask(&mut lane.deep, a, b, limit, &|n| Some(self.gate(n)));
        if self.cut[a.node()] || self.cut[b.node()] {
            return deep(lane);
        }
        match self.ask(&mut lane.shallow, a, b, limit, &gate) {
            Verdict::Differ(_) if self.above_cut[a.node()] || self.above_cut[b.node()] => deep(lane),
            verdict => verdict,
        }
    }

    fn ask(&self, cone: &mut Cone, a: Lit, b: Lit, limit: u64, gates: &dyn Fn(u32) -> Option<Gate>) -> Verdict {
        for (x, y) in [(a, !b), (!a, b)] {
            match cone.ask(&[x, y], limit, gates) {
                Answer::Never => cone.tell(&[!x, !y]),
                Answer::Under(values) => return Verdict::Differ(values),
                Answer::Unknown => return Verdict::Unknown,
            }
        }
        Verdict::Equal
    }

    /// Blocks of patterns around some: each is there itself, and with a few inputs changed.
    fn blocks_of(&self, patterns: &[Vec<(u32, bool)>]) -> Vec<Vec<u64>> {
        let inputs = self.g.inputs().len();
        let room = most_blocks(self.g).saturating_sub(self.patterns.blocks()).max(1);
        let block = |(i, patterns): (usize, &[Vec<(u32, bool)>])| {
            let mut rng = Rng::new((self.patterns.blocks() + i) as u64);
            let mut values: Vec<u64> = (0..inputs).map(|_| rng.next()).collect();
            for bit in 0..64 {
                let flip = bit >= patterns.len();
                for &(node, value) in &patterns[bit % patterns.len()] {
                    if let Gate::Input(input) = self.g.gate(node as usize) {
                        let value = value ^ (flip && rng.next().is_multiple_of(16));
                        let word = &mut values[input as usize];
                        *word = *word & !(1 << bit) | u64::from(value) << bit;
                    }
                }
            }
            values
        };
        patterns.chunks(64).enumerate().take(room).map(block).collect()
    }

    /// Proves clauses one by one, each with the help of those before; what cannot be proved within the limit is left out.
    pub fn prove(&mut self, clauses: &[Clause], limit: u64) {
        let mut cone = Cone::new(self.proof.is_some());
        for clause in clauses {
            let clause: Clause = clause.iter().map(|&l| self.resolve(l)).collect();
            let not: Clause = clause.iter().map(|&l| !l).collect();
            let gates = |n: u32| (!self.cut[n as usize]).then(|| self.gate(n));
            let answer = if clause.contains(&Lit::ONE) { Answer::Unknown } else { cone.ask(&not, limit, &gates) };
            if answer == Answer::Never {
                cone.tell(&clause);
                self.lemmas.push(clause);
            }
            self.effort.questions += 1;
        }
        self.effort.conflicts += cone.conflicts;
        if let Some(proof) = &mut self.proof {
            proof.append(&mut cone.take_proof());
        }
    }

    /// Compares outputs, each in a solver of its own: those that differ are told apart by the patterns afterwards, those
    /// that stay open are returned.
    pub fn outputs(&mut self, pairs: &[(Lit, Lit)], limit: u64) -> Vec<usize> {
        let open: Vec<usize> = (0..pairs.len())
            .filter(|&i| {
                let (a, b) = pairs[i];
                self.resolve(a) != self.resolve(b)
            })
            .collect();
        let proof = self.proof.is_some();
        let ask = |&i: &usize| {
            let mut lane = Lane::new(proof);
            let gates = |n: u32| (!self.cut[n as usize]).then(|| self.gate(n));
            for clause in &self.lemmas {
                let clause: Clause = clause.iter().map(|&l| self.resolve(l)).collect();
                lane.shallow.learn(&clause, &gates);
            }
            let (a, b) = (self.resolve(pairs[i].0), self.resolve(pairs[i].1));
            let verdict = self.compare(&mut lane, a, b, limit);
            (verdict, lane)
        };
        let answers: Vec<(Verdict, Lane)> = open.par_iter().map(ask).collect();
        let (mut left, mut differences) = (Vec::new(), Vec::new());
        for (i, (verdict, lane)) in open.into_iter().zip(answers) {
            self.lanes.push(lane);
            self.collect_proofs();
            self.lanes.pop();
            self.effort.questions += 1;
            match verdict {
                Verdict::Equal => {
                    let (a, b) = (self.resolve(pairs[i].0), self.resolve(pairs[i].1));
                    let (from, to) = if self.rank[a.node()] > self.rank[b.node()] { (a, b) } else { (b, a) };
                    if from.node() != to.node() {
                        self.effort.merged_by_sat += 1;
                        self.merge(from.node() as u32, to.invert_if(from.inverted()));
                    }
                }
                Verdict::Differ(values) if self.free.is_none() => differences.push(values),
                Verdict::Differ(_) | Verdict::Unknown => left.push(i),
            }
        }
        if !differences.is_empty() {
            let blocks = self.blocks_of(&differences);
            self.add_patterns(blocks);
        }
        left
    }
}

/// 64 values, of which more are 1 in some blocks than in others.
fn density(block: usize, rng: &mut Rng) -> u64 {
    let (a, b, c) = (rng.next(), rng.next(), rng.next());
    match block % 5 {
        0 => a,
        1 => a & b,
        2 => a | b,
        3 => a & b & c,
        _ => a | b | c,
    }
}

/// Values of the nodes of words: any, or, so that comparisons have to look closely, all words nearly the same.
fn free_values(words: &[Vec<Lit>], block: usize, rng: &mut Rng) -> FxHashMap<u32, u64> {
    let base: Vec<u64> = (0..words.iter().map(Vec::len).max().unwrap_or(0)).map(|_| rng.next()).collect();
    let mut values = FxHashMap::default();
    for (bit, lit) in words.iter().flat_map(|w| w.iter().enumerate()) {
        let noise = rng.next() & rng.next() & rng.next();
        let value = if block.is_multiple_of(2) { rng.next() } else { base[bit] ^ noise };
        values.insert(lit.node() as u32, value ^ u64::from(lit.inverted()).wrapping_neg());
    }
    values
}

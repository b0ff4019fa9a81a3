//! What could be taken for a node: proposed by samples, proved by the solver.

use blc_ir::table::mask;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::ResubOptions;
use super::graph::{Graph, Proposal};
use crate::logic::proof::Proof;
use crate::logic::samples::Samples;
use crate::logic::{Inputs, Logic};

/// Readers of a node that are looked at as divisors.
const READERS: usize = 8;

/// Divisors of which sets of three are tried.
const TRIPLED: usize = 40;

/// Pairs of samples that every set of divisors must tell apart before it is looked at closely.
const ASKED: usize = 64;

/// Sets of divisors of an input that are looked at closely.
const LOOKED_AT: usize = 64;

/// Proposals for a node that are proved or refuted at most.
const PROOFS: usize = 6;

/// What is known of one node for its proofs, and how many more there may be.
struct Proofs<'a> {
    left: usize,
    proof: Option<Proof<'a>>,
}

/// A first node for each value on the samples, up to complement.
pub type Classes = FxHashMap<u64, u32>;

/// Finds proposals for nodes of a graph that does not change meanwhile.
pub struct Proposer<'a> {
    pub graph: &'a Graph,
    pub samples: &'a Samples,
    pub options: &'a ResubOptions,
    pub chain_of: &'a [Option<(u32, u32)>],
    pub classes: &'a Classes,
}

/// The first node, in topological order, of each value.
pub fn classes(logic: &Logic, samples: &Samples, order: &[u32]) -> Classes {
    let mut classes = Classes::default();
    for &node in order.iter().filter(|&&n| logic.nodes[n as usize].leaf || logic.nodes[n as usize].inputs.len() > 1) {
        classes.entry(hash(samples.of(node))).or_insert(node);
    }
    classes
}

/// The same for a value and its complement.
fn hash(words: &[u64]) -> u64 {
    let flip = (words[0] & 1).wrapping_neg();
    words.iter().fold(0, |h, w| (h ^ (w ^ flip)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
}

/// Samples at which the kept inputs agree and the node is 1 at some, 0 at others: what a new input must tell apart.
struct Conflict {
    /// Words with such samples: number, ones, zeros.
    words: Vec<(u32, u64, u64)>,
}

impl Conflict {
    /// Whether the value tells all of them apart.
    fn resolved(&self, divisor: &[u64]) -> bool {
        let (mut high, mut low) = ((false, false), (false, false));
        for &(w, ones, zeros) in &self.words {
            let d = divisor[w as usize];
            high = (high.0 || ones & d != 0, high.1 || zeros & d != 0);
            low = (low.0 || ones & !d != 0, low.1 || zeros & !d != 0);
            if high == (true, true) || low == (true, true) {
                return false;
            }
        }
        true
    }

    /// The conflicts left where the value is known.
    fn split(&self, divisor: &[u64]) -> impl Iterator<Item = Self> {
        [0, u64::MAX].into_iter().filter_map(move |flip| {
            let part = |&(w, ones, zeros): &(u32, u64, u64)| {
                let d = divisor[w as usize] ^ flip;
                (ones & d != 0 || zeros & d != 0).then_some((w, ones & d, zeros & d))
            };
            let words: Vec<_> = self.words.iter().filter_map(part).collect();
            let both = words.iter().any(|w| w.1 != 0) && words.iter().any(|w| w.2 != 0);
            both.then_some(Self { words })
        })
    }
}

/// Pairs of samples in conflict: at the first the node is 1, at the second 0.
struct Asked {
    /// `64 * word + bit` of each.
    pairs: [(u32, u32); ASKED],
}

impl Asked {
    /// Of all conflicts about the same number, the first samples of each; there is at least one conflict.
    fn new(conflicts: &[Conflict]) -> Self {
        let each = ASKED.div_ceil(conflicts.len().max(1));
        let mut pairs = [(0, 0); ASKED];
        let samples = |c: &Conflict, of: fn(&(u32, u64, u64)) -> u64| -> SmallVec<[u32; ASKED]> {
            let bits = |word: &(u32, u64, u64)| {
                let (w, mut rest) = (word.0, of(word));
                std::iter::from_fn(move || {
                    let bit = rest.trailing_zeros();
                    rest &= rest.wrapping_sub(1);
                    (bit < 64).then_some(64 * w + bit)
                })
            };
            c.words.iter().flat_map(bits).take(each).collect()
        };
        let mut next = 0;
        for conflict in conflicts.iter().take(ASKED) {
            let (ones, zeros) = (samples(conflict, |w| w.1), samples(conflict, |w| w.2));
            for i in 0..each.min(ASKED - next) {
                pairs[next] = (ones[i % ones.len()], zeros[(i + i / ones.len()) % zeros.len()]);
                next += 1;
            }
        }
        Self { pairs }
    }

    /// By pair, whether a value differs.
    fn told_apart(&self, value: &[u64]) -> u64 {
        let at = |sample: u32| value[(sample / 64) as usize] >> (sample % 64) & 1;
        self.pairs.iter().enumerate().fold(0, |told, (i, &(a, b))| told | (at(a) ^ at(b)) << i)
    }
}

impl<'a> Proposer<'a> {
    /// The first proposal found that saves something.
    pub fn propose(&self, node: u32) -> Option<Proposal> {
        let inputs = &self.graph.logic.nodes[node as usize].inputs;
        if inputs.len() < 2 || self.graph.uses[node as usize] == 0 {
            return None;
        }
        let mut proofs = Proofs { left: PROOFS, proof: None };
        if let Some(&twin) =
            self.classes.get(&hash(self.samples.of(node))).filter(|&&t| t != node && self.may_read(node, t))
            && let Some(proposal) = self.prove(node, &[twin], &mut proofs)
        {
            return Some(proposal);
        }
        let gain = |&i: &u32| self.graph.freed(i).len();
        let mut by_gain: Vec<(usize, u32)> = inputs.iter().map(|i| (gain(i), *i)).collect();
        by_gain.sort_by_key(|&(gain, input)| (std::cmp::Reverse(gain), input));
        let divisors = self.divisors(node);
        by_gain.into_iter().find_map(|(gain, input)| self.without(node, input, gain, &divisors, &mut proofs))
    }

    /// Expresses a node without one of its inputs.
    fn without(
        &self,
        node: u32,
        input: u32,
        gain: usize,
        divisors: &[u32],
        proofs: &mut Proofs<'a>,
    ) -> Option<Proposal> {
        let kept: Inputs =
            self.graph.logic.nodes[node as usize].inputs.iter().copied().filter(|&i| i != input).collect();
        let conflicts = self.conflicts(node, &kept);
        if conflicts.is_empty() {
            return self.prove(node, &kept, proofs);
        }
        // Without gain, one less reader of what only logic needs may be a step to one.
        let step = self.options.steps && !self.is_port(input);
        if gain == 0 && !step {
            return None;
        }
        let gone = self.graph.freed(input);
        let usable = |d: &u32| !gone.contains(d) && !kept.contains(d) && *d != input && (gain > 0 || self.is_port(*d));
        let asked = Asked::new(&conflicts);
        let mut told: Vec<(u32, u64)> =
            divisors.iter().filter(|d| usable(d)).map(|&d| (d, asked.told_apart(self.samples.of(d)))).collect();
        told.retain(|&(_, told)| told != 0);
        let mut looks = LOOKED_AT;
        let mut attempt = |set: &[u32], proofs: &mut Proofs<'a>| {
            if looks == 0 || proofs.left == 0 {
                return None;
            }
            looks -= 1;
            if !self.resolved(&conflicts, set) {
                return None;
            }
            let inputs: Inputs = kept.iter().chain(set).copied().collect();
            self.prove(node, &inputs, proofs)
        };
        for &(d, told) in &told {
            if told == u64::MAX
                && let Some(proposal) = attempt(&[d], proofs)
            {
                return Some(proposal);
            }
        }
        let room = self.options.k.saturating_sub(kept.len());
        for (i, &(a, told_a)) in told.iter().enumerate().filter(|_| room >= 2) {
            for &(b, told_b) in &told[i + 1..] {
                if told_a | told_b == u64::MAX
                    && let Some(proposal) = attempt(&[a, b], proofs)
                {
                    return Some(proposal);
                }
            }
        }
        told.truncate(TRIPLED);
        for (i, &(a, told_a)) in told.iter().enumerate().filter(|_| room >= 3) {
            for (j, &(b, told_b)) in told.iter().enumerate().skip(i + 1) {
                for &(c, told_c) in &told[j + 1..] {
                    if told_a | told_b | told_c == u64::MAX
                        && let Some(proposal) = attempt(&[a, b, c], proofs)
                    {
                        return Some(proposal);
                    }
                }
            }
        }
        None
    }

    /// Whether the values of some nodes together tell all conflicts apart.
    fn resolved(&self, conflicts: &[Conflict], set: &[u32]) -> bool {
        match set {
            [] => conflicts.is_empty(),
            [d] => conflicts.iter().all(|c| c.resolved(self.samples.of(*d))),
            [d, rest @ ..] => conflicts.iter().all(|c| {
                let left: SmallVec<[Conflict; 2]> = c.split(self.samples.of(*d)).collect();
                self.resolved(&left, rest)
            }),
        }
    }

    /// Whether a node is needed whatever reads it.
    fn is_port(&self, node: u32) -> bool {
        self.graph.logic.root[node as usize] || self.graph.logic.nodes[node as usize].leaf
    }

    /// By address of the inputs, the samples that are in conflict.
    fn conflicts(&self, node: u32, inputs: &[u32]) -> Vec<Conflict> {
        let value = self.samples.of(node);
        let mut cells: Vec<Conflict> = (0..1 << inputs.len()).map(|_| Conflict { words: Vec::new() }).collect();
        for (w, &value) in value.iter().enumerate() {
            let words: Inputs2 = inputs.iter().map(|&i| self.samples.of(i)[w]).collect();
            scatter(u64::MAX, &words, 0, &mut |address, at| {
                cells[address].words.push((w as u32, at & value, at & !value));
            });
        }
        cells.retain(|c| c.words.iter().any(|w| w.1 != 0) && c.words.iter().any(|w| w.2 != 0));
        // What is hardest to tell apart is asked first.
        cells.sort_by_key(|c| std::cmp::Reverse(c.words.len()));
        cells
    }

    /// Nodes near a node that it may read: below it, and what reads those.
    fn divisors(&self, node: u32) -> Vec<u32> {
        let limit = self.options.divisors;
        let mut found: Vec<u32> = self.graph.logic.nodes[node as usize].inputs.to_vec();
        let mut next = 0;
        while next < found.len() && found.len() < limit {
            let at = found[next];
            next += 1;
            let below = self.graph.logic.nodes[at as usize].inputs.iter();
            let beside = self.graph.readers[at as usize].iter().take(READERS);
            for &d in below.chain(beside) {
                if found.len() < limit && self.may_read(node, d) && !found.contains(&d) {
                    found.push(d);
                }
            }
        }
        found
    }

    /// Whether a node may read another: no loop, no longer longest path.
    fn may_read(&self, node: u32, d: u32) -> bool {
        let (levels, needed) = (&self.graph.levels, self.graph.uses[d as usize] > 0);
        let level = levels[d as usize];
        d != node && needed && level <= levels[node as usize] && level < self.graph.required[node as usize]
    }

    /// The table of a node over inputs, if there is one on all that can occur.
    fn prove(&self, node: u32, inputs: &[u32], proofs: &mut Proofs<'a>) -> Option<Proposal> {
        proofs.left = proofs.left.checked_sub(1)?;
        let k = inputs.len();
        let (mut ones, mut zeros) = (0u64, 0u64);
        for (w, &value) in self.samples.of(node).iter().enumerate() {
            let words: Inputs2 = inputs.iter().map(|&i| self.samples.of(i)[w]).collect();
            scatter(u64::MAX, &words, 0, &mut |address, at| {
                ones |= u64::from(at & value != 0) << address;
                zeros |= u64::from(at & !value != 0) << address;
            });
        }
        if ones & zeros != 0 {
            return None;
        }
        let all: Vec<u32> = inputs.iter().copied().chain([node]).collect();
        let new = || Proof::new(&self.graph.logic, self.options.conflicts);
        let proof = proofs.proof.get_or_insert_with(new);
        proof.load(&all, self.options.cone, self.chain_of);
        let mut never = |address: usize, value: bool| {
            let lits = inputs.iter().enumerate().map(|(j, &i)| (i, address >> j & 1 == 1));
            proof.never(lits.chain([(node, value)]))
        };
        let mut table = ones;
        for address in 0..1usize << k {
            let (one, zero) = (ones >> address & 1 == 1, zeros >> address & 1 == 1);
            let proved = match (one, zero) {
                (true, _) => never(address, false),
                (_, true) => never(address, true),
                _ if never(address, true) => true,
                _ => {
                    table |= 1 << address;
                    never(address, false)
                }
            };
            if !proved {
                return None;
            }
        }
        let (table, inputs) = matter(table & mask(k), inputs);
        Some(Proposal { node, table, inputs })
    }
}

type Inputs2 = SmallVec<[u64; 6]>;

/// Without the inputs that do not matter.
fn matter(table: u64, inputs: &[u32]) -> (u64, Inputs) {
    let mut table = blc_ir::table::widen(table, inputs.len());
    let used = blc_ir::table::support(table);
    let mut kept = Inputs::new();
    for (j, &input) in inputs.iter().enumerate().filter(|(j, _)| used >> j & 1 == 1) {
        table = blc_ir::table::swap(table, kept.len(), j);
        kept.push(input);
    }
    (table & mask(kept.len()), kept)
}

/// Calls `with` for each address that occurs among the samples `at`, and where.
fn scatter(at: u64, inputs: &[u64], high: usize, with: &mut impl FnMut(usize, u64)) {
    match inputs {
        _ if at == 0 => {}
        [] => with(high, at),
        [rest @ .., top] => {
            scatter(at & !top, rest, high << 1, with);
            scatter(at & top, rest, high << 1 | 1, with);
        }
    }
}

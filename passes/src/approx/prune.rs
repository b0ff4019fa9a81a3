//! `prune`: inputs of tables go where the loss on labelled samples hardly feels it.
//!
//! Nodes are visited in random order. Of a node every input is tried: the two halves of its table become one, each entry
//! what most samples at it had; the change runs through what the node feeds, as far as it goes, to the counts of the
//! groups. An input goes if the cross-entropy of the counts rises by at most `strength * samples * gain / nodes`, where `gain`
//! is what part of a LUT site it saves. Strength rises in steps. The temperature of the counts is that of least loss on samples
//! that were not trained on: a network that knows its own samples by heart is sure of them at any margin.
//!
//! This is a discrete re-fit towards the labels, no approximation of the function.

use rayon::prelude::*;
use smallvec::SmallVec;

use super::net::{Net, Node, Values, lookup, ones};
use crate::rng::Rng;

/// What of a site a table of so many inputs takes, on average.
const SITE: [f64; 7] = [0.0, 0.0, 0.5, 0.55, 0.8, 0.92, 1.0];
/// Least gain of an input: what reads less may be merged with others.
const LEAST_GAIN: f64 = 0.05;
/// What a bit of the head takes.
const HEAD_BIT: f64 = 0.6;
/// Words of samples from which candidates are tried in parallel.
const PARALLEL_WORDS: usize = 64;

/// A network with its state on the samples that it is pruned on.
pub(super) struct Pruner<'a> {
    pub net: Net,
    labels: &'a [u16],
    values: Values,
    /// Nodes that read a signal, each once for every pin.
    readers: Vec<Vec<u32>>,
    /// Groups that count a signal, each as often as it does.
    counted: Vec<SmallVec<[u16; 1]>>,
    loss: Loss,
    /// Nodes at the beginning.
    size: usize,
    rng: Rng,
}

/// A table that may replace a node's.
struct Candidate {
    input: usize,
    node: Node,
    gain: f64,
    effect: Effect,
}

/// What a change of a node does.
#[derive(Default)]
struct Effect {
    rise: f64,
    /// Signals that change, and on which samples.
    changed: Vec<(u32, Vec<u64>)>,
}

impl<'a> Pruner<'a> {
    /// `values` and `labels` are of the samples pruned on.
    pub fn new(net: Net, values: Values, labels: &'a [u16], temperature: f64, seed: u64) -> Self {
        let mut readers = vec![Vec::new(); net.signals()];
        for (i, node) in net.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&s| readers[s as usize].push(i as u32));
        }
        let mut counted = vec![SmallVec::new(); net.signals()];
        for (g, group) in net.groups.iter().enumerate() {
            group.bits.iter().for_each(|&s| counted[s as usize].push(g as u16));
        }
        let loss = Loss::new(net.counts(&values), net.groups.len(), temperature);
        let size = net.nodes.len().max(1);
        Self { net, labels, values, readers, counted, loss, size, rng: Rng::new(seed) }
    }

    /// Visits every node once. Returns how many inputs went.
    pub fn sweep(&mut self, strength: f64) -> u64 {
        let mut order: Vec<usize> = (0..self.net.nodes.len()).collect();
        for i in (1..order.len()).rev() {
            let j = (u128::from(self.rng.next()) * (i as u128 + 1)) >> 64;
            order.swap(i, j as usize);
        }
        order.into_iter().map(|node| self.visit(node, strength)).sum()
    }

    fn is_dead(&self, signal: u32) -> bool {
        self.readers[signal as usize].is_empty() && self.counted[signal as usize].is_empty()
    }

    /// Takes inputs from a node as long as the loss lets it.
    fn visit(&mut self, node: usize, strength: f64) -> u64 {
        let mut gone = 0;
        while !self.net.nodes[node].inputs.is_empty() && !self.is_dead(self.net.signal(node)) {
            let histogram = self.values.histogram(&self.net.nodes[node]);
            let inputs = self.net.nodes[node].inputs.len();
            let candidate = |input: usize| self.candidate(node, input, &histogram);
            let candidates: Vec<Candidate> = match self.values.words >= PARALLEL_WORDS {
                true => (0..inputs).into_par_iter().map(candidate).collect(),
                false => (0..inputs).map(candidate).collect(),
            };
            let price = strength * self.labels.len() as f64 / self.size as f64;
            let excess = |c: &Candidate| c.effect.rise - price * c.gain;
            let best = candidates.into_iter().min_by(|a, b| excess(a).total_cmp(&excess(b)));
            let Some(best) = best.filter(|c| excess(c) <= 0.0) else { break };
            self.accept(node, best);
            gone += 1;
        }
        gone
    }

    fn candidate(&self, node: usize, input: usize, histogram: &[u32; 64]) -> Candidate {
        let old = &self.net.nodes[node];
        let k = old.inputs.len();
        let (mut new, mut spread) = (0u64, 0u64);
        for a in 0..1usize << (k - 1) {
            let low = (a & !((1 << input) - 1)) << 1 | a & ((1 << input) - 1);
            let high = low | 1 << input;
            let (x, y) = (old.table >> low & 1, old.table >> high & 1);
            let bit = if histogram[low] >= histogram[high] { x } else { y };
            new |= bit << a;
            spread |= bit << low | bit << high;
        }
        let inputs: SmallVec<[&[u64]; 6]> = old.inputs.iter().map(|&i| self.values.of(i)).collect();
        let mut delta = vec![0; self.values.words];
        lookup(old.table ^ spread, &inputs, &mut delta);
        let effect = self.effect(self.net.signal(node), delta);
        let mut reduced = old.clone();
        let signal = reduced.inputs.remove(input);
        reduced.table = new;
        Candidate { input, gain: self.gain(node, signal, k), node: reduced, effect }
    }

    /// What part of a site goes with an input of a node of `k` inputs.
    fn gain(&self, node: usize, input: u32, k: usize) -> f64 {
        let mut gain = SITE[k] - SITE[k - 1];
        if k == 1 {
            gain += HEAD_BIT * self.counted[self.net.signal(node) as usize].len() as f64;
        }
        if let ([_], [], Some(driver)) =
            (self.readers[input as usize].as_slice(), self.counted[input as usize].as_slice(), self.net.node(input))
        {
            gain += SITE[self.net.nodes[driver].inputs.len()];
        }
        gain.max(LEAST_GAIN)
    }

    /// What changes where a signal does.
    fn effect(&self, signal: u32, delta: Vec<u64>) -> Effect {
        let mut changed: Vec<(u32, Vec<u64>)> = Vec::new();
        if delta.iter().all(|&d| d == 0) {
            return Effect::default();
        }
        // Nodes to look at, in program order.
        let mut work: std::collections::BTreeSet<u32> = self.readers[signal as usize].iter().copied().collect();
        changed.push((signal, delta));
        let mut column = vec![0; self.values.words];
        while let Some(node) = work.pop_first() {
            let reader = &self.net.nodes[node as usize];
            let own: SmallVec<[Option<Vec<u64>>; 6]> = reader
                .inputs
                .iter()
                .map(|input| {
                    let (_, delta) = changed.iter().find(|(s, _)| s == input)?;
                    Some(self.values.of(*input).iter().zip(delta).map(|(x, d)| x ^ d).collect())
                })
                .collect();
            let pin = |(new, &old): (_, &u32)| -> &[u64] {
                let new: &Option<Vec<u64>> = new;
                new.as_deref().unwrap_or_else(|| self.values.of(old))
            };
            let inputs: SmallVec<[&[u64]; 6]> = own.iter().zip(&reader.inputs).map(pin).collect();
            lookup(reader.table, &inputs, &mut column);
            let signal = self.net.signal(node as usize);
            column.iter_mut().zip(self.values.of(signal)).for_each(|(new, old)| *new ^= old);
            if column.iter().any(|&d| d != 0) {
                changed.push((signal, column.clone()));
                work.extend(&self.readers[signal as usize]);
            }
        }
        let mut effect = Effect { rise: 0.0, changed };
        effect.rise = self.loss.rise(&self.steps(&effect), self.labels);
        effect
    }

    /// How the counts change: samples, each with groups and by how much.
    fn steps(&self, effect: &Effect) -> Vec<(u32, u16, i32)> {
        let mut steps = Vec::new();
        for (signal, delta) in &effect.changed {
            let groups = &self.counted[*signal as usize];
            if groups.is_empty() {
                continue;
            }
            let old = self.values.of(*signal);
            for (w, (&d, &x)) in delta.iter().zip(old).enumerate() {
                for sample in ones(d, 64 * w).take_while(|&s| s < self.labels.len()) {
                    let step = if x >> (sample % 64) & 1 == 1 { -1 } else { 1 };
                    steps.extend(groups.iter().map(|&g| (sample as u32, g, step)));
                }
            }
        }
        steps.sort_unstable();
        steps
    }

    fn accept(&mut self, node: usize, candidate: Candidate) {
        let steps = self.steps(&candidate.effect);
        self.loss.apply(&steps);
        for (signal, delta) in &candidate.effect.changed {
            self.values.of_mut(*signal).iter_mut().zip(delta).for_each(|(x, d)| *x ^= d);
        }
        let input = self.net.nodes[node].inputs[candidate.input];
        self.net.nodes[node] = candidate.node;
        self.unread(input, node as u32);
    }

    /// A node reads a signal on one pin fewer; what nothing reads any more reads nothing.
    fn unread(&mut self, signal: u32, node: u32) {
        let readers = &mut self.readers[signal as usize];
        if let Some(at) = readers.iter().position(|&r| r == node) {
            readers.remove(at);
        }
        if let Some(driver) = self.net.node(signal).filter(|_| self.is_dead(signal)) {
            for input in self.net.nodes[driver].inputs.clone() {
                self.unread(input, driver as u32);
            }
        }
    }
}

/// Cross-entropy of the groups' counts, divided by a temperature, against the labels.
struct Loss {
    groups: usize,
    /// `[samples, groups]`
    counts: Vec<u32>,
    /// `exp(count / temperature)`, scaled.
    exp: Vec<f64>,
}

/// The temperature of least loss on samples, of a grid.
pub(super) fn temperature(net: &Net, values: &Values, labels: &[u16]) -> f64 {
    let mut loss = Loss::new(net.counts(values), net.groups.len(), 1.0);
    let mut best = (f64::INFINITY, 1.0);
    for step in 0..40 {
        let temperature = 0.25 * 1.2f64.powi(step);
        loss.set(temperature);
        let total = loss.total(labels);
        if total < best.0 {
            best = (total, temperature);
        }
    }
    best.1
}

impl Loss {
    fn new(counts: Vec<u32>, groups: usize, temperature: f64) -> Self {
        let mut loss = Self { groups, counts, exp: Vec::new() };
        loss.set(temperature);
        loss
    }

    fn set(&mut self, temperature: f64) {
        let most = self.counts.iter().copied().max().unwrap_or(0);
        // Room above: counts may grow.
        let range = 2 * most + 64;
        self.exp =
            (0..range).map(|c| ((f64::from(c) - f64::from(most)) / temperature).clamp(-600.0, 600.0).exp()).collect();
    }

    fn total(&self, labels: &[u16]) -> f64 {
        self.counts.chunks(self.groups).zip(labels).map(|(counts, &y)| self.of(counts, y)).sum()
    }

    /// Loss of one sample.
    fn of(&self, counts: &[u32], label: u16) -> f64 {
        let exp = |c: u32| self.exp.get(c as usize).copied().unwrap_or(f64::MAX / 1e9);
        let sum: f64 = counts.iter().map(|&c| exp(c)).sum();
        (sum / exp(counts[usize::from(label)])).ln()
    }

    /// By how much steps, sorted by sample, raise the loss.
    fn rise(&self, steps: &[(u32, u16, i32)], labels: &[u16]) -> f64 {
        let mut new: SmallVec<[u32; 16]> = SmallVec::new();
        let rise = |run: &[(u32, u16, i32)]| {
            let sample = run[0].0 as usize;
            let old = &self.counts[sample * self.groups..][..self.groups];
            new.clear();
            new.extend_from_slice(old);
            run.iter().for_each(|&(_, g, step)| new[usize::from(g)] = new[usize::from(g)].saturating_add_signed(step));
            self.of(&new, labels[sample]) - self.of(old, labels[sample])
        };
        steps.chunk_by(|a, b| a.0 == b.0).map(rise).sum()
    }

    fn apply(&mut self, steps: &[(u32, u16, i32)]) {
        for &(sample, g, step) in steps {
            let count = &mut self.counts[sample as usize * self.groups + usize::from(g)];
            *count = count.saturating_add_signed(step);
        }
    }
}

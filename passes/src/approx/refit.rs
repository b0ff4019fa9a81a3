//! What `calibrate` and `prune` do to a network: tables over fewer inputs, each entry as samples want it.
//!
//! Nodes are visited in random order. Of a node it is asked what the loss would be on each sample if the node said the
//! opposite: that runs through what the node feeds, bits side by side, to the counts of the groups. As a sample comes to one
//! entry of the table and no other, the sums by entry are what any change of the table costs, exactly: so the best table over
//! each subset of the inputs is known at once. The node takes the one whose loss rises by least, less what it saves:
//! `strength * gain / nodes` of the usual loss, where `gain` is in LUT sites. A table also changes for the better with all its inputs, where that
//! is sure by a standard error: what the removal of one input costs, entries elsewhere win back.
//!
//! Beside the samples it sees mixtures of them ([`Mixer`]), every time others.

use std::ops::Range;

use rayon::prelude::*;
use smallvec::SmallVec;

use super::block::{Block, Cone};
use super::loss::Loss;
use super::mix::{Mixer, Mixing};
use super::net::{Net, Node};
use super::samples::Samples;
use super::source::{Source, parts};
use super::table::Costs;
use crate::rng::Rng;

/// What a bit of the head takes.
const HEAD_BIT: f64 = 0.6;
/// Standard errors by which a change must pay that saves nothing.
const SURE: f64 = 1.0;
/// So many mixtures it sees at a time at least, and as many as there are samples.
const MIXTURES: usize = 16_384;
/// Most mixtures of a sample at a time.
const MOST_OF_ONE: usize = 16;
/// How often in a sweep mixtures are made anew.
const FRESH: usize = 4;

/// How a refit goes about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// What of a site a table of so many inputs is taken for.
    sites: [f64; 7],
    /// Least gain of an input.
    least_gain: f64,
    mixing: Mixing,
}

impl Terms {
    /// For `prune`: each input counts, as others may follow.
    pub const PRUNE: Self = Self {
        sites: [0.0, 0.0, 0.5, 0.55, 0.8, 0.92, 1.0],
        least_gain: 0.05,
        mixing: Mixing { share: 0.1, across: false },
    };
    /// For `calibrate`: few tables may go, so only what saves sites counts: tables of four and five inputs hardly ever share one.
    /// What lies between the classes is what predictions change on.
    pub const CALIBRATE: Self = Self {
        sites: [0.0, 0.0, 0.5, 0.6, 0.95, 0.99, 1.0],
        least_gain: 0.002,
        mixing: Mixing { share: 0.25, across: true },
    };
}

/// What samples ought to be said to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal<'a> {
    /// Their labels.
    Labels,
    /// What a network says of them: the probabilities of its counts.
    Said(&'a Net),
}

/// A network with its state on the samples that it is refitted to.
pub(super) struct Refit<'a> {
    pub net: Net,
    source: &'a Source,
    samples: &'a Samples,
    mixer: Mixer<'a>,
    goal: Goal<'a>,
    terms: Terms,
    loss: Loss,
    /// The samples, then mixtures of them.
    blocks: Vec<Block>,
    /// Nodes that read a signal, each once for every pin.
    readers: Vec<Vec<u32>>,
    /// Groups that count a signal, each as often as it does.
    counted: Vec<SmallVec<[u16; 1]>>,
    /// What a site may cost at strength 1.
    price: f64,
    rng: Rng,
    /// How often mixtures were made.
    round: u64,
}

impl<'a> Refit<'a> {
    pub fn new(
        net: Net,
        source: &'a Source,
        samples: &'a Samples,
        goal: Goal<'a>,
        terms: Terms,
        loss: Loss,
        seed: u64,
    ) -> Self {
        let mut readers = vec![Vec::new(); net.signals()];
        for (i, node) in net.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&s| readers[s as usize].push(i as u32));
        }
        let mut counted = vec![SmallVec::new(); net.signals()];
        for (g, group) in net.groups.iter().enumerate() {
            group.bits.iter().for_each(|&s| counted[s as usize].push(g as u16));
        }
        let price = loss.usual / net.nodes.len().max(1) as f64;
        let (blocks, mixer, rng) = (Vec::new(), Mixer::new(samples, terms.mixing, seed), Rng::new(seed));
        let mut refit =
            Self { net, source, samples, mixer, goal, terms, loss, blocks, readers, counted, price, rng, round: 0 };
        let of_samples = |rows| refit.block(samples, rows);
        refit.blocks = parts(samples.len()).into_par_iter().map(of_samples).collect();
        refit
    }

    fn block(&self, samples: &Samples, rows: Range<usize>) -> Block {
        let mut block = self.source.block(&self.net, samples, rows.clone());
        match self.goal {
            Goal::Labels => block.label(&samples.labels[rows]),
            Goal::Said(net) => block.follow(&self.source.block(net, samples, rows), &self.loss),
        }
        block.weigh(&self.loss);
        block
    }

    /// Mixes the samples anew.
    fn mix(&mut self) {
        let parts = parts(self.samples.len());
        let of_one = MIXTURES.div_ceil(self.samples.len()).clamp(1, MOST_OF_ONE) as u64;
        let drawn: Vec<_> = (0..of_one).flat_map(|v| parts.iter().map(move |rows| (v, rows.clone()))).collect();
        let first = self.round * of_one;
        let block = |(v, rows): (u64, Range<usize>)| {
            let mixed = self.mixer.mixed(rows, first + v);
            self.block(&mixed, 0..mixed.len())
        };
        let blocks: Vec<Block> = drawn.into_par_iter().map(block).collect();
        self.blocks.truncate(parts.len());
        self.blocks.extend(blocks);
        self.round += 1;
    }

    /// Visits every node once. Returns how many inputs went.
    pub fn sweep(&mut self, strength: f64) -> u64 {
        let mut order: Vec<usize> = (0..self.net.nodes.len()).collect();
        for i in (1..order.len()).rev() {
            let j = (u128::from(self.rng.next()) * (i as u128 + 1)) >> 64;
            order.swap(i, j as usize);
        }
        let mut gone = 0;
        for part in order.chunks(order.len().div_ceil(FRESH).max(1)) {
            self.mix();
            gone += part.iter().map(|&node| self.visit(node, strength)).sum::<u64>();
        }
        gone
    }

    /// What part of sites all nodes take.
    pub fn sites(&self) -> f64 {
        let alive = (0..self.net.nodes.len()).filter(|&i| !self.is_dead(self.net.signal(i)));
        alive.map(|i| self.terms.sites[self.net.nodes[i].inputs.len()]).sum()
    }

    fn is_dead(&self, signal: u32) -> bool {
        self.readers[signal as usize].is_empty() && self.counted[signal as usize].is_empty()
    }

    /// Gives a node the table, over as many of its inputs, that costs least.
    fn visit(&mut self, node: usize, strength: f64) -> u64 {
        let signal = self.net.signal(node);
        if self.net.nodes[node].inputs.is_empty() || self.is_dead(signal) {
            return 0;
        }
        let cone = Cone::of(&self.net, node, &self.readers, &self.counted);
        let costs = self.costs(node, &cone);
        let old = &self.net.nodes[node];
        let k = old.inputs.len();
        let price = strength * self.price * self.blocks.iter().map(Block::len).sum::<usize>() as f64;
        let choice = |subset: u32| {
            let (table, rise) = costs.restrict(old.table, k, subset, SURE);
            (rise - price * self.gain(node, subset), subset, table)
        };
        // Of equals the one of fewest inputs. With all inputs nothing rises.
        let least = |a: &(f64, u32, u64), b: &(f64, u32, u64)| {
            a.0.total_cmp(&b.0).then(a.1.count_ones().cmp(&b.1.count_ones()))
        };
        let Some((_, subset, table)) = (0..1u32 << k).map(choice).min_by(least) else { return 0 };
        if subset.count_ones() as usize == k && table == old.table {
            return 0;
        }
        let keep = |(j, _): &(usize, &u32)| subset >> j & 1 == 1;
        let inputs: SmallVec<[u32; 6]> = old.inputs.iter().enumerate().filter(keep).map(|(_, &i)| i).collect();
        let gone: Vec<u32> =
            old.inputs.iter().enumerate().filter(|(j, _)| subset >> j & 1 == 0).map(|(_, &i)| i).collect();
        let new = Node { inputs, table };
        let loss = &self.loss;
        self.blocks.par_iter_mut().for_each(|block| {
            let change = block.change(&cone, block.differ(signal, &new));
            block.apply(&cone, &change, loss);
        });
        self.net.nodes[node] = new;
        gone.iter().for_each(|&input| self.unread(input, node as u32));
        gone.len() as u64
    }

    /// What it costs to change each entry of a node's table.
    fn costs(&self, node: usize, cone: &Cone) -> Costs {
        let per_block: Vec<Costs> = self
            .blocks
            .par_iter()
            .map(|block| {
                let change = block.change(cone, Box::new([u64::MAX; 64]));
                let rises = block.rises(cone, &change, &self.loss);
                let mut costs = Costs::default();
                for (a, rise) in block.addresses(&self.net.nodes[node]).into_iter().zip(rises) {
                    let rise = f64::from(rise);
                    costs.rise[usize::from(a)] += rise;
                    costs.square[usize::from(a)] += rise * rise;
                }
                costs
            })
            .collect();
        per_block.into_iter().fold(Costs::default(), |mut all, costs| {
            all.rise.iter_mut().zip(costs.rise).for_each(|(a, b)| *a += b);
            all.square.iter_mut().zip(costs.square).for_each(|(a, b)| *a += b);
            all
        })
    }

    /// What part of a site goes where a node keeps only a subset of its inputs.
    fn gain(&self, node: usize, subset: u32) -> f64 {
        let inputs = &self.net.nodes[node].inputs;
        let (k, kept) = (inputs.len(), subset.count_ones() as usize);
        if kept == k {
            return 0.0;
        }
        let mut gain = self.terms.sites[k] - self.terms.sites[kept];
        if kept == 0 {
            gain += HEAD_BIT * self.counted[self.net.signal(node) as usize].len() as f64;
        }
        for (j, &input) in inputs.iter().enumerate() {
            if subset >> j & 1 == 0
                && let ([_], [], Some(driver)) = (
                    self.readers[input as usize].as_slice(),
                    self.counted[input as usize].as_slice(),
                    self.net.node(input),
                )
            {
                gain += self.terms.sites[self.net.nodes[driver].inputs.len()];
            }
        }
        gain.max(self.terms.least_gain * (k - kept) as f64)
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

/// The loss at the temperature, of a grid, at which it is least on samples: best on such that were not trained on, as a
/// network that knows its own samples by heart is sure of them at any margin.
pub(super) fn fitted(net: &Net, source: &Source, samples: &Samples) -> Loss {
    let mut blocks = source.blocks(net, samples);
    for (block, rows) in blocks.iter_mut().zip(parts(samples.len())) {
        block.label(&samples.labels[rows]);
    }
    let most = net.most().unwrap_or(u16::MAX);
    let mut usual = |temperature: f64| -> f64 {
        let loss = Loss::new(temperature, most, 0.0);
        blocks.iter_mut().for_each(|block| block.weigh(&loss));
        blocks.iter().map(|block| block.loss(&loss)).sum::<f64>() / samples.len() as f64
    };
    let tried = (0..40).map(|step| 0.25 * 1.2f64.powi(step));
    let best = tried.map(|t| (usual(t), t)).min_by(|a, b| a.0.total_cmp(&b.0));
    let (usual, temperature) = best.unwrap_or((0.0, 1.0));
    Loss::new(temperature, most, usual)
}

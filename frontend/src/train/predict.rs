//! What a network answers: the frozen model on bits, and the relaxed network on probabilities.
//!
//! The two are different functions. *Hard* is what will run in hardware; *soft* evaluates the multilinear extension of
//! the tables of probabilities, and says how far training's relaxation is from what it stands for.

use blc_ir::diag::{Diagnostic, Result};
use rayon::prelude::*;

use super::encoder::Packer;
use super::kernel::{self, LANES, MAX_FAN_IN, Row};
use super::network::Snapshot;
use super::simd::{Kernel, widest};
use crate::codes;
use crate::data::Features;
use crate::model::{Layer, Model, Thresholds};

/// Answers of a model for `N` samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// `[N, groups]`: ones in each group.
    pub scores: Vec<u32>,
    /// `[N]`: the group with most ones, ties to the lowest.
    pub classes: Vec<u16>,
}

/// Evaluates a frozen model as the trainer does in its forward pass: 64 samples in a word, a tree of multiplexers
/// for each table. The model is a thermometer, layers of at most eight inputs, a group sum and an argmax.
pub fn predict(model: &Model, x: &Features) -> Result<Prediction> {
    let plan = Plan::new(model)?;
    let (features, numbers) = (model.features(), x.len());
    if !numbers.is_multiple_of(features) || numbers / features > u32::MAX as usize {
        return Err(unfit(format!("{numbers} numbers are not samples of {features} features")));
    }
    let samples: Vec<u32> = (0..(numbers / features) as u32).collect();
    Ok(plan.run(x, features, &samples))
}

fn unfit(what: impl Into<String>) -> Box<Diagnostic> {
    Diagnostic::error(&codes::TRAIN_MODEL, what)
        .help("the trainer evaluates the models that it makes; compile and simulate others")
        .into()
}

/// A model taken apart and checked.
pub struct Plan<'a> {
    bits: usize,
    thresholds: &'a Thresholds,
    /// Encoder bits that the first layer reads, ascending.
    live: Vec<u32>,
    layers: Vec<Tables<'a>>,
    groups: usize,
}

struct Tables<'a> {
    fan_in: usize,
    connections: std::borrow::Cow<'a, [u32]>,
    tables: &'a [u64],
}

impl<'a> Plan<'a> {
    /// Takes a model apart.
    pub fn new(model: &'a Model) -> Result<Self> {
        let [Layer::Thermometer { bits, thresholds }, middle @ .., Layer::GroupSum { groups }, Layer::Argmax] =
            &model.layers[..]
        else {
            return Err(unfit("the model is not a thermometer, lookup tables, a group sum and an argmax"));
        };
        model.validate()?;
        let mut layers = Vec::new();
        for layer in middle {
            let Layer::Lut { fan_in, connections, tables } = layer else {
                return Err(unfit("a layer between encoder and head is not of lookup tables"));
            };
            if *fan_in > MAX_FAN_IN {
                return Err(unfit(format!("a layer has tables of {fan_in} inputs")));
            }
            layers.push(Tables { fan_in: *fan_in, connections: connections.into(), tables });
        }
        let Some(first) = layers.first_mut().map(|layer: &mut Tables<'_>| layer.connections.to_mut()) else {
            return Err(unfit("the model has no lookup tables"));
        };
        if *groups > 1 << 16 {
            return Err(unfit(format!("{groups} classes are more than 65536")));
        }
        let mut live = first.clone();
        live.sort_unstable();
        live.dedup();
        for c in first {
            *c = live.partition_point(|bit| bit < c) as u32;
        }
        Ok(Self { bits: *bits, thresholds, live, layers, groups: *groups })
    }

    /// Evaluates the samples with the given numbers.
    pub fn run(&self, x: &Features, features: usize, samples: &[u32]) -> Prediction {
        let packer = Packer::new(x, features, self.bits, self.thresholds, &self.live);
        let mut scores = vec![0u32; samples.len() * self.groups];
        scores.par_chunks_mut(LANES * self.groups).zip(samples.par_chunks(LANES)).for_each(|(scores, samples)| {
            let mut words = vec![0; packer.width()];
            packer.pack(samples, None, 1, &mut words);
            for layer in &self.layers {
                let mut next = vec![0; layer.connections.len() / layer.fan_in];
                widest(Hard { layer, x: &words, y: &mut next });
                words = next;
            }
            for (group, words) in words.chunks(words.len() / self.groups).enumerate() {
                let mut ones = [0u32; LANES];
                for word in words {
                    ones.iter_mut().enumerate().for_each(|(i, n)| *n += (word >> i & 1) as u32);
                }
                scores.chunks_exact_mut(self.groups).zip(ones).for_each(|(row, n)| row[group] = n);
            }
        });
        let classes = scores.par_chunks(self.groups).map(largest).collect();
        Prediction { scores, classes }
    }
}

/// Index of the largest number, ties to the lowest index.
fn largest<T: PartialOrd>(row: &[T]) -> u16 {
    let mut at = 0;
    for (i, s) in row.iter().enumerate() {
        if *s > row[at] {
            at = i;
        }
    }
    at as u16
}

struct Hard<'a> {
    layer: &'a Tables<'a>,
    x: &'a [u64],
    y: &'a mut [u64],
}

impl Kernel for Hard<'_> {
    #[inline(always)]
    fn run(self) {
        let k = self.layer.fan_in;
        let tables = self.layer.tables.chunks_exact(kernel::words(k));
        for ((table, rows), y) in tables.zip(self.layer.connections.chunks_exact(k)).zip(self.y) {
            let mut inputs = [0; MAX_FAN_IN];
            inputs.iter_mut().zip(rows).for_each(|(input, &row)| *input = self.x[row as usize]);
            *y = kernel::lookup(table, &inputs[..k]);
        }
    }
}

/// The relaxed network's classes for the given samples; `packer` packs the bits that the first layer's rows name.
pub fn predict_relaxed(layers: &[Snapshot], groups: usize, packer: &Packer<'_>, samples: &[u32]) -> Vec<u16> {
    let block = |samples: &[u32]| -> Vec<u16> {
        let mut words = vec![0; packer.width()];
        packer.pack(samples, None, 1, &mut words);
        let mut x: Vec<Row> = vec![[0.0; LANES]; words.len()];
        x.iter_mut().zip(&words).for_each(|(row, &word)| kernel::add_bits(word, row));
        for layer in layers {
            let mut next = vec![[0.0; LANES]; layer.chosen.len() / layer.fan_in];
            widest(Relaxed { layer, x: &x, y: &mut next });
            x = next;
        }
        let sums: Vec<Row> = x
            .chunks(x.len() / groups)
            .map(|rows| {
                let mut sum = [0.0; LANES];
                rows.iter().for_each(|row| sum.iter_mut().zip(row).for_each(|(s, v)| *s += v));
                sum
            })
            .collect();
        (0..samples.len()).map(|i| largest(&sums.iter().map(|row| row[i]).collect::<Vec<_>>())).collect()
    };
    samples.par_chunks(LANES).flat_map_iter(block).collect()
}

struct Relaxed<'a> {
    layer: &'a Snapshot,
    x: &'a [Row],
    y: &'a mut [Row],
}

impl Kernel for Relaxed<'_> {
    #[inline(always)]
    fn run(self) {
        let Snapshot { fan_in: k, relaxation, theta, chosen } = self.layer;
        let mut scratch = relaxation.scratch();
        for ((theta, rows), y) in theta.chunks_exact(relaxation.parameters()).zip(chosen.chunks_exact(*k)).zip(self.y) {
            let mut inputs = [[0.0; LANES]; MAX_FAN_IN];
            inputs.iter_mut().zip(rows).for_each(|(input, &row)| *input = self.x[row as usize]);
            relaxation.prepare(theta, None, &mut scratch.z);
            *y = relaxation.forward(&scratch.z, &inputs[..*k], None, &mut scratch.rows);
        }
    }
}

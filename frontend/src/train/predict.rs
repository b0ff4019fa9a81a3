//! What a network answers: the frozen model on bits, and the relaxed network on probabilities.
//!
//! The two are different functions. *Hard* is what will run in hardware; *soft* evaluates the multilinear extension of
//! the tables of probabilities, and says how far training's relaxation is from what it stands for.

use blc_ir::diag::{Diagnostic, Result};
use rayon::prelude::*;

use super::config::Residual;
use super::kernel::{self, LANES, MAX_FAN_IN, Row};
use super::network::{Snapshot, Step};
use super::pack::{Code, Packer};
use super::relax::Relaxation;
use super::rows::NOTHING;
use super::simd::{Kernel, Lanes, Portable, widest};
use crate::codes;
use crate::data::Features;
use crate::model::{Layer, Model};

/// Answers of a model for `N` samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// `[N, groups]`: ones in each group, or their products with the head's weights.
    pub scores: Vec<u64>,
    /// `[N]`: the index of the largest score, ties to the lowest; 0 where the model ends in one score.
    pub classes: Vec<u16>,
}

/// Evaluates a frozen model as the trainer does in its forward pass: 64 samples in a word, a tree of multiplexers
/// for each table. The model is an encoder, layers of at most eight inputs, and sums of groups with or without weights.
pub fn predict(model: &Model, x: &Features) -> Result<Prediction> {
    let plan = Plan::new(model)?;
    let (features, numbers) = (model.features(), x.len());
    if !numbers.is_multiple_of(features) || numbers / features > u32::MAX as usize {
        return Err(unfit(format!("{numbers} numbers are not samples of {features} features")));
    }
    let samples: Vec<u32> = (0..(numbers / features) as u32).collect();
    Ok(plan.run(x, features, &samples))
}

/// The encoder's bits that a model's first layer reads: their numbers, ascending, and their values for some samples,
/// `[samples, bits]`, each in a byte.
///
/// Errors: as [`predict`].
pub fn encoded(model: &Model, x: &Features, samples: &[u32]) -> Result<(Vec<u32>, Vec<u8>)> {
    let Plan { code, live, .. } = Plan::new(model)?;
    let packer = Packer::new(x, model.features(), &code, &live);
    let mut bits = vec![0; samples.len() * live.len()];
    if !live.is_empty() {
        bits.par_chunks_mut(LANES * live.len()).zip(samples.par_chunks(LANES)).for_each(|(bits, samples)| {
            let mut words = vec![0; live.len()];
            packer.pack(samples, None, 1, &mut words);
            for (i, bits) in bits.chunks_exact_mut(live.len()).enumerate() {
                bits.iter_mut().zip(&words).for_each(|(bit, word)| *bit = (word >> i & 1) as u8);
            }
        });
    }
    Ok((live, bits))
}

fn unfit(what: impl Into<String>) -> Box<Diagnostic> {
    Diagnostic::error(&codes::TRAIN_MODEL, what)
        .help("the trainer evaluates the models that it makes; compile and simulate others")
        .into()
}

/// A model taken apart and checked.
pub struct Plan<'a> {
    code: Code<'a>,
    /// Encoder bits that the first layer reads, ascending.
    live: Vec<u32>,
    layers: Vec<Tables<'a>>,
    groups: usize,
    /// `[groups, groups]`, where sums are weighted.
    weights: Option<&'a [u32]>,
}

struct Tables<'a> {
    fan_in: usize,
    connections: std::borrow::Cow<'a, [u32]>,
    tables: &'a [u64],
}

impl<'a> Plan<'a> {
    /// Takes a model apart.
    pub fn new(model: &'a Model) -> Result<Self> {
        let [first, rest @ ..] = &model.layers[..] else { return Err(unfit("the model is empty")) };
        let Some(code) = Code::of(first) else { return Err(unfit("the model has no encoder")) };
        let rest = if let [rest @ .., Layer::Argmax] = rest { rest } else { rest };
        let (middle, groups, weights) = match rest {
            [middle @ .., Layer::GroupSum { groups }] => (middle, groups, None),
            [middle @ .., Layer::GroupDsp { groups, weights }] => (middle, groups, Some(weights.as_slice())),
            _ => return Err(unfit("the model does not end in sums")),
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
        Ok(Self { code, live, layers, groups: *groups, weights })
    }

    /// Evaluates the samples with the given numbers.
    pub fn run(&self, x: &Features, features: usize, samples: &[u32]) -> Prediction {
        let packer = Packer::new(x, features, &self.code, &self.live);
        let mut scores = vec![0u64; samples.len() * self.groups];
        scores.par_chunks_mut(LANES * self.groups).zip(samples.par_chunks(LANES)).for_each(|(scores, samples)| {
            let mut words = vec![0; packer.width()];
            packer.pack(samples, None, 1, &mut words);
            for layer in &self.layers {
                let mut next = vec![0; layer.connections.len() / layer.fan_in];
                widest(Hard { layer, x: &words, y: &mut next });
                words = next;
            }
            for (group, words) in words.chunks(words.len() / self.groups).enumerate() {
                let mut ones = [0u64; LANES];
                for word in words {
                    ones.iter_mut().enumerate().for_each(|(i, n)| *n += word >> i & 1);
                }
                scores.chunks_exact_mut(self.groups).zip(ones).for_each(|(row, n)| row[group] = n);
            }
        });
        if let Some(weights) = self.weights {
            scores.par_chunks_mut(self.groups).for_each(|row| {
                let products = |weights: &[u32]| weights.iter().zip(&*row).map(|(&w, s)| u64::from(w) * s).sum();
                let weighted: Vec<u64> = weights.chunks(self.groups).map(products).collect();
                row.copy_from_slice(&weighted);
            });
        }
        let classes = scores.par_chunks(self.groups).map(largest).collect();
        Prediction { scores, classes }
    }
}

/// Index of the largest number, ties to the lowest index.
pub fn largest<T: PartialOrd>(row: &[T]) -> u16 {
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
    fn run<L: Lanes>(self) {
        let k = self.layer.fan_in;
        let tables = self.layer.tables.chunks_exact(kernel::words(k));
        for ((table, rows), y) in tables.zip(self.layer.connections.chunks_exact(k)).zip(self.y) {
            let mut inputs = [0; MAX_FAN_IN];
            inputs.iter_mut().zip(rows).for_each(|(input, &row)| *input = self.x[row as usize]);
            *y = L::lookup(table, &inputs[..k]);
        }
    }
}

/// The relaxed network's scores `[samples, groups]` of the given samples; `packer` packs the bits that the first layer's
/// rows name.
pub fn predict_relaxed(snapshot: &Snapshot, groups: usize, packer: &Packer<'_>, samples: &[u32]) -> Vec<f32> {
    let block = |samples: &[u32]| -> Vec<f32> {
        let mut words = vec![0; packer.width()];
        packer.pack(samples, None, 1, &mut words);
        let mut x: Vec<Row> = vec![[0.0; LANES]; words.len()];
        x.iter_mut().zip(&words).for_each(|(row, &word)| Portable::add_bits(word, row));
        for (steps, residual) in &snapshot.blocks {
            let past = if *residual == Residual::None { Vec::new() } else { x.clone() };
            for step in steps {
                // The row past the last is always 0.
                x.push([0.0; LANES]);
                x = relaxed(step, &x);
            }
            match residual {
                Residual::None => {}
                Residual::Concat => x.extend(past),
                Residual::Or => {
                    x.as_flattened_mut().iter_mut().zip(past.as_flattened()).for_each(|(x, p)| *x += p - *x * p)
                }
            }
        }
        let sums: Vec<Row> = x
            .chunks(x.len() / groups)
            .map(|rows| {
                let mut sum = [0.0; LANES];
                rows.iter().for_each(|row| sum.iter_mut().zip(row).for_each(|(s, v)| *s += v));
                sum
            })
            .collect();
        let sample = |i: usize| -> Vec<f32> {
            let row = || sums.iter().map(|row| row[i]);
            match &snapshot.weights {
                None => row().collect(),
                Some(w) => w.chunks(groups).map(|w| w.iter().zip(row()).map(|(w, s)| w * s).sum()).collect(),
            }
        };
        (0..samples.len()).flat_map(sample).collect()
    };
    samples.par_chunks(LANES).flat_map_iter(block).collect()
}

fn relaxed(step: &Step, x: &[Row]) -> Vec<Row> {
    match step {
        Step::Pool { index, window } => {
            let largest = |rows: &[u32]| {
                rows.iter().fold([0.0; LANES], |y: Row, &row| std::array::from_fn(|i| y[i].max(x[row as usize][i])))
            };
            index.chunks(*window).map(largest).collect()
        }
        Step::Luts { relaxation, theta, chosen, share } => {
            let mut y = vec![[0.0; LANES]; chosen.len() / relaxation.fan_in()];
            widest(Relaxed { relaxation, theta, chosen, share: *share, x, y: &mut y });
            y
        }
    }
}

struct Relaxed<'a> {
    relaxation: &'a Relaxation,
    theta: &'a [f32],
    chosen: &'a [u32],
    share: usize,
    x: &'a [Row],
    y: &'a mut [Row],
}

impl Kernel for Relaxed<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { relaxation, share, .. } = self;
        let k = relaxation.fan_in();
        let mut scratch = relaxation.scratch();
        let tables = self.theta.chunks_exact(relaxation.parameters()).zip(self.chosen.chunks_exact(share * k));
        for ((theta, nodes), y) in tables.zip(self.y.chunks_exact_mut(share)) {
            relaxation.prepare(theta, None, &mut scratch.z);
            for (rows, y) in nodes.chunks_exact(k).zip(y) {
                let mut inputs = [&NOTHING; MAX_FAN_IN];
                inputs.iter_mut().zip(rows).for_each(|(input, &row)| *input = &self.x[row as usize]);
                *y = relaxation.forward(&scratch.z, &inputs[..k], None, &mut scratch.rows);
            }
        }
    }
}

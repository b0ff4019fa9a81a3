//! The network in training: layers with their parameters, and the head.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::config::{self, Config};
use super::head;
use super::kernel;
use super::node::{LutLayer, choose};
use super::optim::Parameter;
use super::rng::{Stream, Use};
use super::tensors;
use super::wiring::{Point, Wiring};

/// A layer in training.
pub struct Layer {
    /// Candidates of its slots.
    pub wiring: Arc<Wiring>,
    /// `[nodes, 2^k]`, entries in `[-1, 1]`.
    pub tables: Parameter,
    /// `[nodes * k, candidates]`; trained where there is more than one candidate.
    pub scores: Parameter,
}

/// A network in training.
pub struct Network {
    /// From input to output.
    pub layers: Vec<Layer>,
    /// Classes.
    pub groups: usize,
    temperature: f64,
    smoothing: f64,
}

/// A layer's present tables, and the rows its slots now read.
pub struct Snapshot {
    /// Inputs of a node.
    pub fan_in: usize,
    /// `[nodes, 2^k]`.
    pub tables: Vec<f32>,
    /// `[nodes, k]`.
    pub chosen: Vec<u32>,
}

impl Network {
    /// Fresh parameters over `inputs` bits at `points` (empty where they have no positions).
    pub fn new(config: &Config, inputs: usize, points: &[Point], groups: usize) -> Result<Self> {
        let (mut inputs, mut points) = (inputs, points.to_vec());
        let mut layers = Vec::new();
        for (i, layer) in config.layers.iter().enumerate() {
            let wiring = Wiring::draw(layer, inputs, &points, &mut Stream::new(config.seed, Use::Wiring, i));
            let mut rng = Stream::new(config.seed, Use::Init, i);
            let tables = first_tables(layer, config.node.residual as f32, &mut rng);
            let slots = layer.nodes * layer.fan_in;
            let scores: Vec<f32> = (0..slots * layer.candidates).map(|_| rng.unit()).collect();
            let tables = Tensor::from_vec(tables, (layer.nodes, 1 << layer.fan_in), &Device::Cpu)?;
            let scores = Tensor::from_vec(scores, (slots, layer.candidates), &Device::Cpu)?;
            (inputs, points) = (layer.nodes, wiring.centres.clone());
            layers.push(Layer {
                wiring: Arc::new(wiring),
                tables: Parameter::new(&tables, true, [-1.0, 1.0])?,
                scores: Parameter::new(&scores, false, [f32::NEG_INFINITY, f32::INFINITY])?,
            });
        }
        let temperature = config.head.temperature.unwrap_or_else(|| head::default_temperature(inputs, groups));
        Ok(Self { layers, groups, temperature, smoothing: config.node.smoothing })
    }

    /// Logits `[batch, groups]` of packed input bits `[inputs, words]`.
    pub fn logits(&self, bits: &Tensor, batch: usize) -> Result<Tensor> {
        let mut x = bits.clone();
        for layer in &self.layers {
            let scores = layer.scores.var.as_tensor();
            let op = LutLayer::new(&layer.wiring, scores, self.smoothing)?;
            x = x.apply_op3(layer.tables.var.as_tensor(), scores, op)?;
        }
        head::logits(&x, self.groups, self.temperature, batch)
    }

    /// What is trained, in a fixed order, by name.
    pub fn parameters(&mut self) -> impl Iterator<Item = (String, &mut Parameter)> {
        self.layers.iter_mut().enumerate().flat_map(|(i, layer)| {
            let scores = (layer.wiring.candidates > 1).then_some((format!("l{i}.scores"), &mut layer.scores));
            [(format!("l{i}.tables"), &mut layer.tables)].into_iter().chain(scores)
        })
    }

    /// The present state of each layer.
    pub fn snapshot(&self) -> Result<Vec<Snapshot>> {
        let layer = |layer: &Layer| {
            Ok(Snapshot {
                fan_in: layer.wiring.fan_in,
                tables: tensors::copy(&layer.tables.var)?,
                chosen: tensors::with(&layer.scores.var, |scores| Ok(choose(&layer.wiring, scores)))?,
            })
        };
        self.layers.iter().map(layer).collect()
    }
}

/// Uniform noise mixed with the table that passes input 0 through.
fn first_tables(layer: &config::Layer, residual: f32, rng: &mut Stream) -> Vec<f32> {
    let pass = |a: usize| if a & 1 == 1 { residual } else { -residual };
    (0..layer.nodes << layer.fan_in).map(|i| pass(i) + (1.0 - residual) * (2.0 * rng.unit() - 1.0)).collect()
}

impl Snapshot {
    /// The hard tables: bit `a` is `L[a] > 0`.
    pub fn hard_tables(&self) -> Vec<u64> {
        self.tables.chunks(1 << self.fan_in).map(kernel::harden).collect()
    }
}

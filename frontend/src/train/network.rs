//! The network in training: layers with their parameters, and the head.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::config::{self, Config};
use super::head;
use super::kernel;
use super::node::LutLayer;
use super::optim::Parameter;
use super::rng::{Stream, Use};
use super::tensors;
use super::wiring::{Point, Wiring};

/// A network in training.
pub struct Network {
    /// From input to output; the last one's outputs are sums of groups.
    pub layers: Vec<Arc<LutLayer>>,
    temperature: f64,
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
            layers.push(Arc::new(LutLayer {
                wiring,
                tables: Parameter::new(&tables, true, [-1.0, 1.0])?,
                scores: Parameter::new(&scores, false, [f32::NEG_INFINITY, f32::INFINITY])?,
                per_group: if i + 1 == config.layers.len() { layer.nodes / groups } else { 1 },
                smoothing: config.node.smoothing as f32,
            }));
        }
        let temperature = config.head.temperature.unwrap_or_else(|| head::default_temperature(inputs, groups));
        Ok(Self { layers, temperature })
    }

    /// Logits `[batch, groups]` of packed input bits `[inputs, words]`.
    pub fn logits(&self, bits: &Tensor, batch: usize) -> Result<Tensor> {
        let mut x = bits.clone();
        for layer in &self.layers {
            x = layer.apply(&x)?;
        }
        head::logits(&x, self.temperature, batch)
    }

    /// What is trained, in a fixed order, by name.
    pub fn parameters(&self) -> impl Iterator<Item = (String, &Parameter)> {
        self.layers.iter().enumerate().flat_map(|(i, layer)| {
            let scores = (layer.wiring.candidates > 1).then_some((format!("l{i}.scores"), &layer.scores));
            [(format!("l{i}.tables"), &layer.tables)].into_iter().chain(scores)
        })
    }

    /// The present state of each layer.
    pub fn snapshot(&self) -> Result<Vec<Snapshot>> {
        let layer = |layer: &Arc<LutLayer>| {
            let (tables, chosen) = (tensors::copy(&layer.tables.var)?, layer.chosen()?);
            Ok(Snapshot { fan_in: layer.wiring.fan_in, tables, chosen })
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

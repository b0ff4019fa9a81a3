//! The network in training: layers with their parameters, and the head.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::area::Penalty;
use super::config::Config;
use super::head;
use super::kernel::words;
use super::node::LutLayer;
use super::optim::Parameter;
use super::relax::Relaxation;
use super::rng::{Noise, Stream, Use};
use super::tensors;
use super::wiring::{Point, Wiring};

/// A network in training.
pub struct Network {
    /// From input to output; the last one's outputs are sums of groups.
    pub layers: Vec<Arc<LutLayer>>,
    temperature: f64,
    /// Seed of the noise of the forward pass, where there is any.
    noise: Option<u64>,
}

/// A layer's present tables, and the rows its slots now read.
pub struct Snapshot {
    /// Inputs of a node.
    pub fan_in: usize,
    /// What a node computes.
    pub relaxation: Relaxation,
    /// `[tables, parameters]`.
    pub theta: Vec<f32>,
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
            let relaxation = Relaxation::new(&config.node, layer.fan_in);
            let numbers = relaxation.parameters();
            let mut tables = vec![0.0; layer.nodes * numbers];
            tables.chunks_exact_mut(numbers).for_each(|theta| relaxation.first(&mut rng, theta));
            let slots = layer.nodes * layer.fan_in;
            let scores: Vec<f32> = (0..slots * layer.candidates).map(|_| rng.unit()).collect();
            let tables = Tensor::from_vec(tables, (layer.nodes, numbers), &Device::Cpu)?;
            let scores = Tensor::from_vec(scores, (slots, layer.candidates), &Device::Cpu)?;
            (inputs, points) = (layer.nodes, wiring.centres.clone());
            layers.push(Arc::new(LutLayer {
                wiring,
                bits_in: i == 0 || config.node.sampling.is_hard(),
                hard: config.node.sampling.is_hard(),
                share: 1,
                penalty: Penalty::new(&config.regularizer),
                tables: Parameter::new(&tables, true, relaxation.bounds())?,
                relaxation,
                scores: Parameter::new(&scores, false, [f32::NEG_INFINITY, f32::INFINITY])?,
                per_group: if i + 1 == config.layers.len() { layer.nodes / groups } else { 1 },
            }));
        }
        let temperature = config.head.temperature.unwrap_or_else(|| head::default_temperature(inputs, groups));
        let noise = config.node.sampling.is_gumbel().then_some(config.seed);
        Ok(Self { layers, temperature, noise })
    }

    /// Logits `[batch, groups]` of packed input bits `[inputs, words]`, with the noise of a step.
    pub fn logits(&self, bits: &Tensor, batch: usize, step: usize) -> Result<Tensor> {
        let mut x = bits.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.apply(&x, self.noise.map(|seed| Noise::new(seed, step).of(i)))?;
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
            let (theta, chosen) = (tensors::copy(&layer.tables.var)?, layer.chosen()?);
            Ok(Snapshot { fan_in: layer.wiring.fan_in, relaxation: layer.relaxation.clone(), theta, chosen })
        };
        self.layers.iter().map(layer).collect()
    }
}

impl Snapshot {
    /// The hard tables, `[nodes, max(1, 2^k / 64)]` words.
    pub fn hard_tables(&self) -> Vec<u64> {
        let mut scratch = self.relaxation.scratch();
        let tables = self.theta.chunks(self.relaxation.parameters());
        tables.flat_map(|theta| self.relaxation.harden(theta, &mut scratch)[..words(self.fan_in)].to_vec()).collect()
    }
}

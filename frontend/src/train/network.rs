//! The network in training: encoder, blocks of layers with their parameters, and the head.

use std::sync::Arc;

use blc_ir::diag::{Diagnostic, Result};
use candle_core::{DType, Device, Tensor};

use super::area::Penalty;
use super::chain::Chain;
use super::compute::Compute;
use super::config::{self, Config, HeadKind, LayerKind, Residual};
use super::head::Head;
use super::kernel::{LANES, MAX_FAN_IN};
use super::layer::LutLayer;
use super::optim::Parameter;
use super::plain;
use super::pool::Pool;
use super::relax::Relaxation;
use super::simd::{Lanes, Portable};
use super::volume::{Field, Volume, tree_level};
use super::wiring::Wiring;
use super::{internal, tensors};
use crate::codes;
use crate::rng::{Noise, Stream, Use};

/// A network in training.
pub struct Network {
    blocks: Vec<Block>,
    head: Head,
    /// Whether the last stage sums the groups itself.
    fused: bool,
    /// Seed of the noise of the forward pass, where there is any.
    noise: Option<u64>,
    place: Place,
}

/// Where parameters are, and whether layers are tensor operations.
struct Place {
    device: Device,
    plain: bool,
}

/// What layers of the configuration became: stages one after the other, and a way past them.
struct Block {
    stages: Vec<Stage>,
    residual: Residual,
}

enum Stage {
    Luts(Arc<Chain>),
    Pool(Arc<Pool>),
    /// The same by tensor operations.
    PlainLuts(Vec<plain::Layer>),
    PlainPool(plain::Pool),
}

/// A block being built: layers that nothing comes between become one chain in the end.
struct Draft {
    pieces: Vec<Piece>,
    residual: Residual,
}

enum Piece {
    Luts(Box<LutLayer>),
    Pool(Arc<Pool>),
}

impl Draft {
    fn finish(self, place: &Place) -> candle_core::Result<Block> {
        let (mut stages, mut row) = (Vec::new(), Vec::new());
        let chain = |row: &mut Vec<LutLayer>, stages: &mut Vec<Stage>| {
            let layers = std::mem::take(row);
            match (layers.is_empty(), place.plain) {
                (true, _) => {}
                (_, true) => stages.push(Stage::PlainLuts(
                    layers.into_iter().map(plain::Layer::new).collect::<candle_core::Result<_>>()?,
                )),
                (_, false) => stages.push(Stage::Luts(Arc::new(Chain::new(layers)))),
            }
            candle_core::Result::Ok(())
        };
        for piece in self.pieces {
            match piece {
                Piece::Luts(layer) => row.push(*layer),
                Piece::Pool(pool) => {
                    chain(&mut row, &mut stages)?;
                    stages.push(match place.plain {
                        true => Stage::PlainPool(plain::Pool::new(pool, &place.device)?),
                        false => Stage::Pool(pool),
                    });
                }
            }
        }
        chain(&mut row, &mut stages)?;
        Ok(Block { stages, residual: self.residual })
    }
}

/// The present state of a network, as freezing and predicting need it.
pub struct Snapshot {
    /// Steps of each block, and how its inputs get past them.
    pub blocks: Vec<(Vec<Step>, Residual)>,
    /// `[groups, groups]` real weights of the head, where it has them.
    pub weights: Option<Vec<f32>>,
}

/// A stage of a snapshot.
pub enum Step {
    /// Lookup tables.
    Luts {
        /// What a node computes.
        relaxation: Relaxation,
        /// `[tables, parameters]`.
        theta: Vec<f32>,
        /// `[tables * share, k]`: the rows read; the row past the last is always 0.
        chosen: Vec<u32>,
        /// Consecutive nodes that are one table.
        share: usize,
    },
    /// OR of windows.
    Pool {
        /// `[rows, window]`: the rows read, as above.
        index: Vec<u32>,
        /// Bits of a window.
        window: usize,
    },
}

/// Makes pieces, keeping what comes after them in mind.
struct Builder<'a> {
    config: &'a Config,
    field: Field,
    luts: usize,
    place: Place,
}

impl Network {
    /// Fresh parameters over the encoder's bits.
    ///
    /// Errors: `BL1301` where a layer does not fit the one before, or the last one the classes, `BL1307` without the device.
    pub fn new(config: &Config, input: Field, classes: usize, compute: Compute) -> Result<Self> {
        let groups = if config.head.kind == HeadKind::Count { 1 } else { classes };
        let place = Place { device: compute.device()?, plain: compute.is_plain() };
        let mut builder = Builder { config, field: input, luts: 0, place };
        let mut drafts: Vec<Draft> = Vec::new();
        for (i, layer) in config.layers.iter().enumerate() {
            drafts.push(builder.block(i, layer)?);
        }
        let width = builder.field.width;
        if !width.is_multiple_of(groups) {
            let d = wrong(format!("the last layer's {width} nodes do not divide into {groups} classes"));
            return Err(d.help(format!("take {}", width.next_multiple_of(groups))).into());
        }
        if config.head.kind == HeadKind::Tree {
            drafts.push(builder.tree(groups)?);
        }
        let width = builder.field.width;
        let per_group = width / groups;
        let fused = match drafts.last_mut() {
            Some(Draft { pieces, residual: Residual::None }) => match pieces.last_mut() {
                Some(Piece::Luts(layer)) if layer.share == 1 => {
                    layer.per_group = per_group;
                    true
                }
                _ => false,
            },
            _ => false,
        };
        let mut joined: Vec<Draft> = Vec::new();
        for draft in drafts {
            match joined.last_mut() {
                Some(last) if [last.residual, draft.residual] == [Residual::None; 2] => {
                    last.pieces.extend(draft.pieces)
                }
                _ => joined.push(draft),
            }
        }
        let place = builder.place;
        let blocks = joined.into_iter().map(|draft| draft.finish(&place)).collect::<candle_core::Result<_>>();
        let head = Head::new(&config.head, width, groups, classes, &place.device, place.plain).map_err(internal)?;
        let noise = config.node.sampling.is_gumbel().then_some(config.seed);
        Ok(Self { blocks: blocks.map_err(internal)?, head, fused, noise, place })
    }

    /// Sums of the groups `[groups, lanes]` of the encoder's bits: `[bits, words]` i64 words, or `[bits, lanes]` f32 zeros and
    /// ones where they need a gradient. With the noise of a step. And what tables cost beside the loss, where tensor
    /// operations are to tell; kernels add the gradient of that themselves.
    pub fn sums(&self, bits: &Tensor, step: usize) -> candle_core::Result<(Tensor, Option<Tensor>)> {
        let (mut x, mut costs) = (bits.clone(), None);
        if self.place.plain {
            x = unpacked(&x)?.to_device(&self.place.device)?;
        }
        for (b, block) in self.blocks.iter().enumerate() {
            let plain = block.residual == Residual::None;
            let past = if plain { None } else { Some(unpacked(&x)?) };
            for (s, stage) in block.stages.iter().enumerate() {
                let noise = self.noise.map(|seed| Noise::new(seed, step).of(b).of(s));
                x = match stage {
                    Stage::Luts(chain) if !chain.layers[0].bits_in => chain.apply(&unpacked(&x)?, noise)?,
                    Stage::Luts(chain) => chain.apply(&x, noise)?,
                    Stage::Pool(pool) => unpacked(&x)?.apply_op1(Pool::op(pool))?,
                    Stage::PlainPool(pool) => pool.apply(&x)?,
                    Stage::PlainLuts(layers) => {
                        for (i, layer) in layers.iter().enumerate() {
                            let (y, cost) = layer.apply(&x, noise.map(|noise| noise.of(i)))?;
                            x = y;
                            costs = match (costs, cost) {
                                (Some(costs), Some(cost)) => Some((costs + cost)?),
                                (costs, cost) => costs.or(cost),
                            };
                        }
                        x
                    }
                };
            }
            x = match (block.residual, past) {
                (Residual::Concat, Some(past)) => Tensor::cat(&[&x, &past], 0)?,
                (Residual::Or, Some(past)) => ((&x + &past)? - (&x * &past)?)?,
                _ => x,
            };
        }
        if self.fused {
            return Ok((x, costs));
        }
        let (rows, lanes) = unpacked(&x)?.dims2()?;
        let sums = unpacked(&x)?.reshape((self.head.groups, rows / self.head.groups, lanes))?.sum(1)?;
        Ok((sums, costs))
    }

    /// What is made of the sums.
    pub fn head(&self) -> &Head {
        &self.head
    }

    fn layers(&self) -> impl Iterator<Item = &LutLayer> {
        self.blocks.iter().flat_map(|block| &block.stages).flat_map(Stage::layers)
    }

    /// What is trained, in a fixed order, by name.
    pub fn parameters(&self) -> impl Iterator<Item = (String, &Parameter)> {
        let layers = self.layers().enumerate().flat_map(|(i, layer)| {
            let scores = (layer.wiring.candidates > 1).then_some((format!("l{i}.scores"), &layer.scores));
            [(format!("l{i}.tables"), &layer.tables)].into_iter().chain(scores)
        });
        layers.chain(self.head.weights.as_ref().map(|weights| ("head.weights".to_owned(), weights)))
    }

    /// Shrinks tables by what area costs, after a step at a learning rate.
    pub fn shrink(&self, rate: f64) -> candle_core::Result<()> {
        self.layers().try_for_each(|layer| layer.shrink(rate, self.place.plain))
    }

    /// Lookup tables, at all places.
    pub fn nodes(&self) -> usize {
        self.layers().map(LutLayer::nodes).sum()
    }

    /// The present state.
    pub fn snapshot(&self) -> candle_core::Result<Snapshot> {
        let luts = |layer: &LutLayer| {
            Ok(Step::Luts {
                relaxation: layer.relaxation.clone(),
                theta: tensors::copy(&layer.tables.var)?,
                chosen: layer.chosen()?,
                share: layer.share,
            })
        };
        let steps = |stage: &Stage| -> candle_core::Result<Vec<Step>> {
            match stage {
                Stage::Pool(pool) | Stage::PlainPool(plain::Pool { pool, .. }) => {
                    Ok(vec![Step::Pool { index: pool.index.clone(), window: pool.window }])
                }
                Stage::Luts(_) | Stage::PlainLuts(_) => stage.layers().into_iter().map(luts).collect(),
            }
        };
        let block = |block: &Block| {
            let steps = block.stages.iter().map(steps).collect::<candle_core::Result<Vec<_>>>()?;
            Ok((steps.into_iter().flatten().collect(), block.residual))
        };
        Ok(Snapshot {
            blocks: self.blocks.iter().map(block).collect::<candle_core::Result<_>>()?,
            weights: self.head.matrix()?,
        })
    }
}

impl Stage {
    fn layers(&self) -> Vec<&LutLayer> {
        match self {
            Self::Luts(chain) => chain.layers.iter().collect(),
            Self::PlainLuts(layers) => layers.iter().map(|layer| &layer.luts).collect(),
            Self::Pool(_) | Self::PlainPool(_) => Vec::new(),
        }
    }
}

/// Bits as numbers.
fn unpacked(x: &Tensor) -> candle_core::Result<Tensor> {
    if x.dtype() == DType::F32 {
        return Ok(x.clone());
    }
    let (rows, words) = x.dims2()?;
    tensors::with(x, |packed: &[i64]| {
        let mut numbers = vec![0.0; rows * words * LANES];
        numbers.as_chunks_mut().0.iter_mut().zip(packed).for_each(|(row, &word)| Portable::add_bits(word as u64, row));
        Tensor::from_vec(numbers, (rows, words * LANES), &Device::Cpu)
    })
}

fn wrong(what: String) -> Diagnostic {
    Diagnostic::error(&codes::TRAIN_CONFIG, what)
}

impl Builder<'_> {
    fn block(&mut self, i: usize, layer: &config::Layer) -> Result<Draft> {
        let before = self.field.clone();
        let pieces = match layer.kind {
            LayerKind::Dense => vec![self.dense(i, layer)?],
            LayerKind::Conv => self.conv(i, layer)?,
            LayerKind::Pool => vec![self.pool(i, layer)?],
        };
        let (made, past) = (self.field.width, before.width);
        match layer.residual {
            Residual::Concat => self.field = std::mem::take(&mut self.field).then(&before),
            Residual::Or if made != past => {
                let what = format!("layers[{i}].residual = or, but the layer makes {made} bits of {past}");
                return Err(wrong(what).help("give it as many outputs as inputs, or use residual = \"concat\"").into());
            }
            _ => {}
        }
        Ok(Draft { pieces, residual: layer.residual })
    }

    fn dense(&mut self, i: usize, layer: &config::Layer) -> Result<Piece> {
        let inputs = self.field.width;
        let candidates = Wiring::candidates(layer, inputs);
        if inputs < layer.fan_in {
            let what = format!("layers[{i}].fan_in = {}, but the layer reads only {inputs} bits", layer.fan_in);
            return Err(wrong(what)
                .help("give the encoder more bits or the layer before more nodes, or lower fan_in")
                .into());
        }
        if layer.nodes.saturating_mul(layer.fan_in).saturating_mul(candidates) > config::MAX_CANDIDATES {
            let what = format!("layers[{i}] has {candidates} candidates for each of its slots");
            return Err(wrong(what).help("take fewer nodes, or candidates = 16").into());
        }
        let local = layer.wiring == config::Wiring::Local;
        if local && self.field.points.len() != inputs {
            let what = format!("layers[{i}].wiring = local, but its inputs have no positions");
            return Err(wrong(what).help("make the layer before local, a convolution or a pool as well").into());
        }
        let mut rng = Stream::new(self.config.seed, Use::Wiring, self.luts);
        let wiring = Wiring::draw(layer, inputs, &self.field.points, &mut rng);
        self.field = Field { width: layer.nodes, points: wiring.centres.clone(), volume: None };
        self.luts(wiring, layer.nodes, 1)
    }

    fn volume(&self, i: usize) -> Result<&Volume> {
        self.field.volume.as_ref().ok_or_else(|| {
            let what = format!("layers[{i}] has windows, but the layer before does not make an image");
            wrong(what).help("put convolutions and pools before dense layers").into()
        })
    }

    fn windows(&self, i: usize, layer: &config::Layer) -> Result<[usize; 2]> {
        let volume = self.volume(i)?;
        let [rows, columns] = volume.size;
        volume.windows(layer).ok_or_else(|| {
            let what = format!("layers[{i}].size = {}, but the image before has {rows} by {columns}", layer.size);
            wrong(what).help("take a smaller window, or more padding").into()
        })
    }

    fn conv(&mut self, i: usize, layer: &config::Layer) -> Result<Vec<Piece>> {
        let out = self.windows(i, layer)?;
        let volume = self.volume(i)?;
        let places = out[0] * out[1];
        let mut tables = layer.fan_in.pow(layer.depth as u32 - 1);
        let all = layer.nodes.saturating_mul(tables).saturating_mul(places);
        if all > config::MAX_NODES || all.saturating_mul(self.config.batch * layer.fan_in) > config::MAX_ACTIVATIONS {
            let what = format!("layers[{i}] has {} tables at each of {places} places", layer.nodes * tables);
            return Err(wrong(what).help("take fewer nodes or less depth, or a larger stride").into());
        }
        let mut rng = Stream::new(self.config.seed, Use::Wiring, self.luts);
        let first = volume.leaves(layer, out, self.field.width as u32, &mut rng);
        let mut stages = vec![self.luts(first, layer.nodes * tables, places)?];
        while tables > 1 {
            let wiring = tree_level(layer.nodes, tables, layer.fan_in, places);
            tables = tables.div_ceil(layer.fan_in);
            stages.push(self.luts(wiring, layer.nodes * tables, places)?);
        }
        self.field = Volume::fresh(layer.nodes, out);
        Ok(stages)
    }

    fn pool(&mut self, i: usize, layer: &config::Layer) -> Result<Piece> {
        let out = self.windows(i, layer)?;
        let volume = self.volume(i)?;
        let window = volume.window(layer);
        if window > MAX_FAN_IN {
            let what = format!("layers[{i}].size = {}: a pool of {window} bits", layer.size);
            return Err(wrong(what).help("windows of up to 8 bits are possible: 2 by 2, or 8 of one row").into());
        }
        let channels = volume.channels;
        let index = volume.pools(layer, out, self.field.width as u32);
        self.field = Volume::fresh(channels, out);
        Ok(Piece::Pool(Arc::new(Pool { index, window })))
    }

    /// Trees that reduce each of the groups to one bit.
    fn tree(&mut self, groups: usize) -> Result<Draft> {
        let k = self.config.layers.last().map_or(6, |layer| layer.fan_in).max(2);
        let mut below = self.field.width / groups;
        let mut pieces = Vec::new();
        while below > 1 {
            let wiring = tree_level(groups, below, k, 1);
            below = below.div_ceil(k);
            pieces.push(self.luts(wiring, groups * below, 1)?);
        }
        self.field = Field { width: groups, ..Field::default() };
        Ok(Draft { pieces, residual: Residual::None })
    }

    /// Tables with fresh parameters.
    fn luts(&mut self, wiring: Wiring, tables: usize, share: usize) -> Result<Piece> {
        let node = &self.config.node;
        let relaxation = Relaxation::new(node, wiring.fan_in);
        let numbers = relaxation.parameters();
        let mut rng = Stream::new(self.config.seed, Use::Init, self.luts);
        let mut theta = vec![0.0; tables * numbers];
        theta.chunks_exact_mut(numbers).for_each(|theta| relaxation.first(&mut rng, theta));
        let mut scores: Vec<f32> = (0..wiring.index.len()).map(|_| rng.unit()).collect();
        wiring.join(&mut scores, |a, _| a);
        let shape = (scores.len() / wiring.candidates, wiring.candidates);
        let parameter = |numbers: Vec<f32>, shape: (usize, usize), decays, bounds| {
            Parameter::new(&Tensor::from_vec(numbers, shape, &self.place.device)?, decays, bounds)
        };
        let layer = LutLayer {
            bits_in: (self.luts == 0 || node.sampling.is_hard()) && !relaxation.noise_by_lane(),
            hard: node.sampling.is_hard(),
            tables: parameter(theta, (tables, numbers), true, relaxation.bounds()).map_err(internal)?,
            scores: parameter(scores, shape, false, [f32::NEG_INFINITY, f32::INFINITY]).map_err(internal)?,
            wiring,
            relaxation,
            share,
            per_group: 1,
            penalty: Penalty::new(&self.config.regularizer),
            stabilize: node.stabilize,
        };
        self.luts += 1;
        Ok(Piece::Luts(Box::new(layer)))
    }
}

//! The frozen model: `model.safetensors`, version 1.
//!
//! A [`Model`] is the whole truth of a trained network: thresholds, wiring and tables, no weights. [`Model::validate`]
//! states what holds of every model that was read or may be written; `read` and `write` are the file.

mod container;
mod luts;
mod read;
mod resources;
#[cfg(test)]
mod tests;
mod write;

use blc_ir::diag::{Code, Diagnostic, Place, Result};
use blc_ir::table;
use blc_ir::types::{Type, bits_for, bits_for_products};

pub use luts::Luts;
pub use read::is_model;
pub use resources::load_resources;

use crate::codes;

/// Most inputs of one lookup table.
pub const MAX_FAN_IN: usize = 16;
/// Most classes: predictions are written as u16.
pub const MAX_CLASSES: usize = 1 << 16;
/// Longest name in bytes.
pub const MAX_NAME: usize = 200;

/// What one input feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Unsigned bytes, as pixels.
    U8,
    /// Real numbers; enter hardware as fixed-point words.
    F32,
    /// Bits: the model has no encoder.
    Bit,
}

/// Thresholds `[features, bits]`, row-major, increasing along `bits` (equal neighbours are allowed).
#[derive(Clone, Debug, PartialEq)]
pub enum Thresholds {
    /// For features compared as bytes.
    U8(Vec<u8>),
    /// For features compared as real numbers (u8 features are widened).
    F32(Vec<f32>),
}

/// One layer of a frozen model.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// Bit `feature*bits + t` is 1 where `x > thresholds[feature][t]`.
    Thermometer {
        /// Bits per feature.
        bits: usize,
        /// `[features, bits]`.
        thresholds: Thresholds,
    },
    /// Bit `feature*bits + b` is bit `b` of `codes[n]`, where `n` thresholds of the feature lie below `x`.
    Code {
        /// Bits per feature, 1..=64.
        bits: usize,
        /// `[features, levels - 1]`.
        thresholds: Thresholds,
        /// `[levels]`, the same for every feature.
        codes: Vec<u64>,
    },
    /// `nodes` lookup tables of `fan_in` inputs.
    Lut {
        /// Inputs per node, 1..=16.
        fan_in: usize,
        /// `[nodes, fan_in]`: which bit of the layer before feeds input `j`.
        connections: Vec<u32>,
        /// `[nodes, max(1, 2^fan_in / 64)]`: bit `a` is the output at address `a`; input `j` is bit `j` of `a`.
        tables: Vec<u64>,
    },
    /// Sums of `groups` contiguous, equal groups of bits.
    GroupSum {
        /// How many.
        groups: usize,
    },
    /// A matrix times the sums of `groups` contiguous, equal groups of bits: score `c` is `Σ_g weights[c][g] sum[g]`.
    GroupDsp {
        /// How many, and how many scores.
        groups: usize,
        /// `[groups, groups]`, row-major.
        weights: Vec<u32>,
    },
    /// Index of the largest score, ties to the lowest index.
    Argmax,
}

/// A frozen network of lookup tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Becomes the module's name.
    pub name: String,
    /// Shape of one sample; its product is the number of features.
    pub shape: Vec<usize>,
    /// Type of one feature.
    pub dtype: Dtype,
    /// In order from input to output.
    pub layers: Vec<Layer>,
    /// What was done to the trained network that does not keep its function; as the attribute `approximate` of a function.
    pub approximate: Option<String>,
}

/// Which tensors of a file a model's data are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TensorNames {
    /// Thresholds of the encoder, empty where there is none.
    pub thresholds: String,
    /// Codes of the encoder, empty where there are none.
    pub codes: String,
    /// Weights of the head, empty where there are none.
    pub weights: String,
    /// Connections and tables of each LUT layer.
    pub luts: Vec<(String, String)>,
}

impl TensorNames {
    /// The names that [`Model::write`] gives: `enc.thresholds`, `enc.codes`, `head.weights`, `l0.connections`, `l0.tables`, `l1.…`.
    pub fn standard(model: &Model) -> Self {
        let luts = model.layers.iter().filter(|l| matches!(l, Layer::Lut { .. })).count();
        Self {
            thresholds: "enc.thresholds".into(),
            codes: "enc.codes".into(),
            weights: "head.weights".into(),
            luts: (0..luts).map(|i| (format!("l{i}.connections"), format!("l{i}.tables"))).collect(),
        }
    }
}

impl Thresholds {
    /// Number of thresholds.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(t) => t.len(),
            Self::F32(t) => t.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Layer {
    /// Its `kind` in the file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Thermometer { .. } => "thermometer",
            Self::Lut { .. } => "lut",
            Self::Code { .. } => "code",
            Self::GroupSum { .. } => "group_sum",
            Self::GroupDsp { .. } => "group_dsp",
            Self::Argmax => "argmax",
        }
    }

    /// Width of what it makes of `width` elements: bits, then scores, then one class.
    fn width(&self, width: usize) -> usize {
        match self {
            Self::Thermometer { thresholds, .. } => thresholds.len(),
            Self::Lut { fan_in, connections, .. } => connections.len() / (*fan_in).max(1),
            Self::Code { bits, thresholds, codes } => {
                (thresholds.len() / codes.len().saturating_sub(1).max(1)).saturating_mul(*bits)
            }
            Self::GroupSum { groups } | Self::GroupDsp { groups, .. } => *groups,
            Self::Argmax => width.min(1),
        }
    }
}

/// Words of 64 table bits that a node of `fan_in <= 16` inputs takes.
pub fn words_per_table(fan_in: usize) -> usize {
    1 << fan_in.min(MAX_FAN_IN).saturating_sub(6)
}

impl Model {
    /// Number of features of one sample: the product of `shape`, saturating.
    pub fn features(&self) -> usize {
        self.shape.iter().fold(1, |n: usize, &d| n.saturating_mul(d))
    }

    /// Elements (bits, scores, or one class) after `layers[index]`; of the whole model where `index` is past the end.
    pub fn width_after(&self, index: usize) -> usize {
        self.layers.iter().take(index.saturating_add(1)).fold(self.features(), |width, layer| layer.width(width))
    }

    /// Number of classes, where the model ends in scores or a class.
    pub fn classes(&self) -> Option<usize> {
        self.layers.iter().find_map(|layer| match layer {
            Layer::GroupSum { groups } | Layer::GroupDsp { groups, .. } => Some(*groups),
            _ => None,
        })
    }

    /// Nodes of all LUT layers together.
    pub fn nodes(&self) -> usize {
        self.layers.iter().filter(|l| matches!(l, Layer::Lut { .. })).map(|l| l.width(0)).sum()
    }

    /// The same network on the bits that its encoder makes: `[features * bits]` inputs of type bit.
    pub fn without_encoder(mut self) -> Self {
        if let Some(Layer::Thermometer { .. } | Layer::Code { .. }) = self.layers.first() {
            self.shape = vec![self.width_after(0)];
            self.dtype = Dtype::Bit;
            self.layers.remove(0);
        }
        self
    }

    /// The same network without its sums and argmax: it ends in the bits of the last LUT layer.
    pub fn without_head(mut self) -> Self {
        self.layers.retain(|l| !matches!(l, Layer::GroupSum { .. } | Layer::GroupDsp { .. } | Layer::Argmax));
        self
    }

    /// Checks everything that readers of a model rely on.
    ///
    /// The input has one to three dimensions and a size the IR can express; an encoder stands first, exactly where
    /// the input is not bits, and its thresholds are finite and do not fall; every LUT layer has 1 to 16 inputs, connections
    /// inside the layer before and no table bits past `2^k`; at most one `group_sum` or `group_dsp` follows, dividing the width, then at
    /// most one `argmax`. It does not check that the network predicts anything.
    ///
    /// Errors: `BL1017`, `BL1021`, `BL1022`, `BL1030` to `BL1040`.
    pub fn validate(&self) -> Result<()> {
        self.check().map_err(|wrong| wrong.in_file(&format!("model `{}`", self.name)))
    }

    fn check(&self) -> Result<(), Wrong> {
        self.check_input()?;
        if self.layers.is_empty() {
            return Err(Wrong::new(&codes::MODEL_EMPTY, "layers", "the model has no layers"));
        }
        let (mut width, mut previous) = (self.features(), None);
        for (index, layer) in self.layers.iter().enumerate() {
            self.check_layer(previous, layer, width).map_err(|wrong| wrong.in_layer(index, layer.kind()))?;
            (width, previous) = (layer.width(width), Some(layer));
        }
        Ok(())
    }

    fn check_input(&self) -> Result<(), Wrong> {
        let name = &self.name;
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            let message = format!("a name has 1 to {MAX_NAME} bytes and no control characters");
            return Err(Wrong::new(&codes::MODEL_FIELD, "name", message));
        }
        if self.approximate.as_ref().is_some_and(|text| text.len() > MAX_NAME || text.chars().any(char::is_control)) {
            let message = format!("it has at most {MAX_NAME} bytes and no control characters");
            return Err(Wrong::new(&codes::MODEL_FIELD, "approximate", message));
        }
        let shape = &self.shape;
        if shape.is_empty() || shape.len() > 3 {
            let message = format!("the shape of a sample has 1 to 3 dimensions, not {}", shape.len());
            return Err(Wrong::new(&codes::MODEL_FIELD, "input", message));
        }
        if shape.contains(&0) {
            return Err(Wrong::new(
                &codes::MODEL_EMPTY,
                "input",
                format!("a sample of shape {shape:?} has no features"),
            ));
        }
        let size = shape.iter().try_fold(32u64, |n, &d| n.checked_mul(d as u64));
        if size.is_none_or(|bits| bits > Type::MAX_BITS) {
            let message = format!("a sample of shape {shape:?} is larger than {} bits", Type::MAX_BITS);
            return Err(Wrong::new(&codes::MODEL_SIZE, "input", message));
        }
        let encoded = matches!(self.layers.first(), Some(Layer::Thermometer { .. } | Layer::Code { .. }));
        if encoded == (self.dtype == Dtype::Bit) && !self.layers.is_empty() {
            let (message, help) = if encoded {
                ("bits need no encoder", "remove the `thermometer` layer, or set \"dtype\" to \"u8\" or \"f32\"")
            } else {
                ("numbers need an encoder first", "put a `thermometer` layer first, or set \"dtype\" to \"bit\"")
            };
            return Err(Wrong::new(&codes::MODEL_ENCODER, "input", message).help(help));
        }
        Ok(())
    }

    fn check_layer(&self, previous: Option<&Layer>, layer: &Layer, width: usize) -> Result<(), Wrong> {
        let order = |message: &str, help: &str| Err(Wrong::new(&codes::LAYER_ORDER, "", message).help(help));
        match (layer, previous) {
            (Layer::Thermometer { bits, thresholds }, None) => self.check_thermometer(*bits, thresholds),
            (Layer::Code { bits, thresholds, codes: values }, None) => {
                self.check_thermometer(values.len().saturating_sub(1), thresholds)?;
                check_codes(*bits, values)?;
                match self.features().checked_mul(*bits) {
                    Some(width) if width as u64 <= Type::MAX_BITS => Ok(()),
                    _ => {
                        Err(Wrong::new(&codes::MODEL_SIZE, "codes", "an encoder of more bits than the IR can express"))
                    }
                }
            }
            (Layer::Thermometer { .. } | Layer::Code { .. }, Some(_)) => {
                order("an encoder after the first layer", "put it first")
            }
            (Layer::Argmax, Some(Layer::GroupSum { .. } | Layer::GroupDsp { .. })) => Ok(()),
            (Layer::Argmax, _) => {
                order("argmax of something that is not scores", "put a `group_sum` directly before it")
            }
            (_, Some(Layer::GroupSum { .. } | Layer::GroupDsp { .. } | Layer::Argmax)) => {
                order("scores are followed by nothing but argmax", "put `group_sum` after all `lut` layers")
            }
            (Layer::Lut { fan_in, connections, tables }, _) => check_lut(*fan_in, connections, tables, width),
            (Layer::GroupSum { groups }, _) => check_group_sum(*groups, width),
            (Layer::GroupDsp { groups, weights }, _) => {
                check_group_sum(*groups, width)?;
                check_weights(*groups, weights, width / groups)
            }
        }
    }

    fn check_thermometer(&self, bits: usize, thresholds: &Thresholds) -> Result<(), Wrong> {
        if bits == 0 {
            return Err(Wrong::new(&codes::MODEL_EMPTY, "thresholds", "an encoder of 0 bits per feature"));
        }
        let features = self.features();
        if features.checked_mul(bits) != Some(thresholds.len()) {
            let message = format!("{} thresholds are not [{features}, {bits}]", thresholds.len());
            return Err(Wrong::new(&codes::TENSOR_SHAPE, "thresholds", message));
        }
        if thresholds.len() as u64 > Type::MAX_BITS {
            return Err(Wrong::new(
                &codes::MODEL_SIZE,
                "thresholds",
                "an encoder of more bits than the IR can express",
            ));
        }
        match thresholds {
            Thresholds::U8(_) if self.dtype != Dtype::U8 => Err(Wrong::new(
                &codes::TENSOR_DTYPE,
                "thresholds",
                "thresholds of type u8 for features that are real numbers",
            )
            .help("store the thresholds as f32")),
            Thresholds::U8(t) => check_increasing(t, bits),
            Thresholds::F32(t) => match t.iter().position(|t| !t.is_finite()) {
                Some(i) => {
                    let message = format!("threshold [{}, {}] is {}", i / bits, i % bits, t[i]);
                    Err(Wrong::new(&codes::THRESHOLD_NOT_FINITE, "thresholds", message)
                        .help("use a large finite number for a bit that is never 1"))
                }
                None => check_increasing(t, bits),
            },
        }
    }
}

fn check_increasing<T: PartialOrd + std::fmt::Display>(thresholds: &[T], bits: usize) -> Result<(), Wrong> {
    for (feature, row) in thresholds.chunks_exact(bits).enumerate() {
        if let Some((t, pair)) = row.windows(2).enumerate().find(|(_, pair)| pair[1] < pair[0]) {
            let message =
                format!("the thresholds of feature {feature} fall from {} to {} at bit {}", pair[0], pair[1], t + 1);
            return Err(Wrong::new(&codes::THRESHOLDS_FALL, "thresholds", message)
                .help("sort each row, and permute the connections of the next layer with it"));
        }
    }
    Ok(())
}

fn check_lut(fan_in: usize, connections: &[u32], tables: &[u64], width: usize) -> Result<(), Wrong> {
    check_fan_in(fan_in)?;
    let (nodes, words) = (connections.len() / fan_in, words_per_table(fan_in));
    if nodes == 0 {
        return Err(Wrong::new(&codes::MODEL_EMPTY, "connections", "a layer without nodes"));
    }
    if nodes as u64 > Type::MAX_BITS {
        return Err(Wrong::new(&codes::MODEL_SIZE, "connections", "more nodes than the IR can express"));
    }
    if nodes * fan_in != connections.len() || nodes.checked_mul(words) != Some(tables.len()) {
        let message = format!(
            "{} connections and {} table words are not k = {fan_in} times nodes",
            connections.len(),
            tables.len()
        );
        return Err(Wrong::new(&codes::TENSOR_SHAPE, "tables", message));
    }
    if let Some(i) = connections.iter().position(|&c| c as usize >= width) {
        let (node, input, from) = (i / fan_in, i % fan_in, connections[i]);
        return Err(connection_range(node, input, from, width));
    }
    if let Some(node) = tables.iter().position(|&t| fan_in < 6 && t & !table::mask(fan_in) != 0) {
        let message = format!(
            "the table of node {node} is {:#x}, but {fan_in} inputs have {} addresses",
            tables[node],
            1 << fan_in
        );
        return Err(Wrong::new(&codes::TABLE_BITS, "tables", message).help("clear the bits above, or check `fan_in`"));
    }
    Ok(())
}

fn check_fan_in(fan_in: usize) -> Result<(), Wrong> {
    if (1..=MAX_FAN_IN).contains(&fan_in) {
        return Ok(());
    }
    Err(Wrong::new(&codes::FAN_IN, "fan_in", format!("{fan_in} inputs per node; a table has 1 to {MAX_FAN_IN}")))
}

fn connection_range(node: usize, input: usize, from: impl std::fmt::Display, width: usize) -> Wrong {
    let message = format!("input {input} of node {node} is bit {from}, but the layer before has {width} bits");
    Wrong::new(&codes::CONNECTION_RANGE, "connections", message).help("bits are counted from 0")
}

fn check_group_sum(groups: usize, width: usize) -> Result<(), Wrong> {
    if groups == 0 || groups > MAX_CLASSES {
        let message = format!("{groups} groups; a head has 1 to {MAX_CLASSES}");
        return Err(Wrong::new(&codes::GROUPS, "groups", message));
    }
    if !width.is_multiple_of(groups) {
        let message = format!("{width} bits do not fall into {groups} equal groups");
        return Err(Wrong::new(&codes::GROUPS, "groups", message)
            .help(format!("give the last layer a multiple of {groups} nodes")));
    }
    Ok(())
}

fn check_codes(bits: usize, values: &[u64]) -> Result<(), Wrong> {
    if !(1..=64).contains(&bits) {
        return Err(Wrong::new(&codes::CODES, "bits", format!("codes of {bits} bits; they have 1 to 64")));
    }
    match values.iter().position(|&c| bits < 64 && c >> bits != 0) {
        Some(i) => Err(Wrong::new(
            &codes::CODES,
            "codes",
            format!("code {i} is {:#x}, which does not fit {bits} bits", values[i]),
        )),
        None => Ok(()),
    }
}

fn check_weights(groups: usize, weights: &[u32], size: usize) -> Result<(), Wrong> {
    if groups.checked_mul(groups) != Some(weights.len()) {
        let message = format!("{} weights are not [{groups}, {groups}]", weights.len());
        return Err(Wrong::new(&codes::TENSOR_SHAPE, "weights", message));
    }
    let width = usize::from(bits_for(size as u64));
    if bits_for_products(weights, groups, width).is_none() {
        return Err(Wrong::new(&codes::MODEL_SIZE, "weights", "scores above 2^64"));
    }
    Ok(())
}

/// A lie found before it is known which file told it.
struct Wrong {
    diagnostic: Box<Diagnostic>,
    detail: String,
}

impl Wrong {
    fn new(code: &'static Code, detail: &str, message: impl Into<String>) -> Self {
        Self { diagnostic: Box::new(Diagnostic::error(code, message)), detail: detail.to_owned() }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.diagnostic.help = Some(help.into());
        self
    }

    fn in_layer(mut self, index: usize, kind: &str) -> Self {
        let what = if self.detail.is_empty() { String::new() } else { format!(": {}", self.detail) };
        self.detail = format!("layer {index} ({kind}){what}");
        self
    }

    fn in_file(mut self, file: &str) -> Box<Diagnostic> {
        self.diagnostic.place = Place::File(file.to_owned(), self.detail);
        self.diagnostic
    }
}

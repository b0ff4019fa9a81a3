//! What can be configured about a training run, key by key, as a TOML file has it.

use std::fmt::Debug;
use std::sync::Arc;

use blc_ir::diag::{Diagnostic, Result, Source};
use serde::{Deserialize, Serialize};

mod parts;
mod presets;

pub use parts::*;
pub use presets::PRESETS;

use super::augment::Variation;
use super::encoder::MAX_CODE_BITS;
use super::kernel::MAX_FAN_IN;
use crate::codes;
use crate::data::{Dataset, Holdout};

/// A training run. Every key has a default; an unknown key is an error.
///
/// ```toml
/// epochs = 30
/// [encoder]
/// kind = "thermometer"
/// bits = 3
/// [[layers]]
/// nodes = 3000
/// wiring = "local"
/// candidates = 16
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples per step; samples left over at the end of an epoch are skipped (others each time).
    pub batch: usize,
    /// Everything random derives from it.
    pub seed: u64,
    /// Share of each class of the training samples that is held out to choose the best epoch; never trained on.
    pub validation: f64,
    /// Epochs without a better one after which a run ends; 0 never.
    pub patience: usize,
    /// From features to bits.
    pub encoder: Encoder,
    /// From input to output. The last one's nodes must divide into the classes.
    pub layers: Vec<Layer>,
    /// What a node computes while it is trained.
    pub node: Node,
    /// From bits to classes.
    pub head: Head,
    /// How parameters are updated.
    pub optimizer: Optimizer,
    /// What is minimised.
    pub loss: Loss,
    /// What is added to the loss.
    pub regularizer: Regularizer,
    /// How samples are varied.
    pub augment: Augment,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            epochs: 40,
            batch: 64,
            seed: Holdout::SEED,
            validation: Holdout::SHARE,
            patience: 0,
            encoder: Encoder::default(),
            layers: vec![Layer::default()],
            node: Node::default(),
            head: Head::default(),
            optimizer: Optimizer::default(),
            loss: Loss::default(),
            regularizer: Regularizer::default(),
            augment: Augment::default(),
        }
    }
}

/// Most nodes of a layer, at all places, so that a slip of the finger is an error and not an exhausted machine.
pub const MAX_NODES: usize = 1 << 20;
/// Most candidates in a layer, for the same reason.
pub const MAX_CANDIDATES: usize = 1 << 26;
/// Most activations of a layer's slots, for the same reason.
pub const MAX_ACTIVATIONS: usize = 1 << 30;

impl Config {
    /// Reads a TOML text.
    pub fn from_toml(source: &Arc<Source>) -> Result<Self> {
        toml::from_str(&source.text).map_err(|e| {
            let d = bad(e.message().to_owned()).help("`blc explain BL1301` lists the keys and what they mean");
            Box::new(match e.span() {
                Some(span) => d.at(source, span),
                None => d.in_file(source.name.clone(), ""),
            })
        })
    }

    /// The same as TOML.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| bad(e.to_string()).into())
    }

    /// Checks all that can be known before the data are looked at in detail.
    pub fn check(&self, data: &Dataset) -> Result<()> {
        let features = data.shape.iter().fold(1usize, |n, &d| n.saturating_mul(d));
        let (encoder, node, opt, reg) = (&self.encoder, &self.node, &self.optimizer, &self.regularizer);
        let augment = &self.augment;
        let sinusoid = node.squash == Squash::Sinusoid && matches!(node.kind, NodeKind::Light | NodeKind::Hybrid);
        let bits = features.saturating_mul(encoder.bits);
        let most = match encoder.kind {
            EncoderKind::Thermometer | EncoderKind::Gaussian | EncoderKind::Distributive | EncoderKind::Learnable => {
                255
            }
            EncoderKind::OneHot | EncoderKind::SignMagnitude if encoder.bits < 2 => 0,
            EncoderKind::OneHot => 64,
            _ => MAX_CODE_BITS,
        };
        let betas = [opt.beta1, opt.beta2].iter().all(|b| (0.0..1.0).contains(b));
        let temperature = self.head.temperature.unwrap_or(1.0);
        let last = self.head.last_temperature.unwrap_or(1.0);
        let image = data.shape.len() >= 2;
        require(&[
            (data.classes >= 2 && features >= 1, "data", &data.shape, "needs at least two classes and one feature"),
            ((1..=1_000_000).contains(&self.epochs), "epochs", &self.epochs, "from 1 to a million"),
            (
                (1..=65_536).contains(&self.batch),
                "batch",
                &self.batch,
                "from 1 to 65536; multiples of 64 waste nothing",
            ),
            (self.validation > 0.0 && self.validation < 0.9, "validation", &self.validation, "above 0 and below 0.9"),
            (
                self.patience == 0 || reg.area == 0.0,
                "patience",
                &self.patience,
                "0 with regularizer.area, which shrinks tables up to the last epoch and keeps that one",
            ),
            (
                (1..=most).contains(&encoder.bits) && bits <= 1 << 31,
                "encoder.bits",
                &encoder.bits,
                "from 1 to 255 for thermometers, to 64 for one-hot, to 12 for other codes; one-hot and sign-magnitude from 2",
            ),
            (positive(encoder.temperature), "encoder.temperature", &encoder.temperature, "above 0"),
            ((0.0..0.5).contains(&encoder.rarest), "encoder.rarest", &encoder.rarest, "from 0, below 0.5"),
            ((0.55..=1.0).contains(&node.smoothing), "node.smoothing", &node.smoothing, "from 0.55 to 1"),
            ((0.0..=1.0).contains(&node.residual), "node.residual", &node.residual, "from 0 to 1"),
            (positive(node.temperature), "node.temperature", &node.temperature, "above 0"),
            ((1..=4).contains(&node.degree), "node.degree", &node.degree, "from 1 to 4"),
            ((1..=64).contains(&node.units), "node.units", &node.units, "from 1 to 64"),
            (
                node.kind != NodeKind::Dwn || node.sampling == Sampling::Hard,
                "node.sampling",
                &node.sampling,
                "hard for nodes of kind dwn, whose forward pass has no other",
            ),
            (
                !node.sampling.is_gumbel() || !(sinusoid || node.kind == NodeKind::Fourier),
                "node.sampling",
                &node.sampling,
                "soft or hard where there is no logit to add noise to: with squash sinusoid and kind fourier",
            ),
            (
                [reg.area, reg.gap, reg.spectral].iter().all(|r| (0.0..=1e6).contains(r)),
                "regularizer",
                reg,
                "numbers from 0 to a million",
            ),
            (positive(temperature), "head.temperature", &temperature, "above 0; without it, a good one is taken"),
            (positive(last), "head.last_temperature", &last, "above 0"),
            ((2..=16).contains(&self.head.weight_bits), "head.weight_bits", &self.head.weight_bits, "from 2 to 16"),
            ((0.0..1.0).contains(&self.loss.smoothing), "loss.smoothing", &self.loss.smoothing, "from 0, below 1"),
            ((0.0..=1.0).contains(&self.loss.distill), "loss.distill", &self.loss.distill, "from 0 to 1"),
            (
                self.loss.distill == 0.0 || data.soft.is_some(),
                "loss.distill",
                &self.loss.distill,
                "0 where the data have no `p_train`, [samples, classes]",
            ),
            (
                opt.warmup >= 0.0 && opt.warmup <= self.epochs as f64,
                "optimizer.warmup",
                &opt.warmup,
                "from 0 to the number of epochs",
            ),
            (
                encoder.kind != EncoderKind::Learnable || augment.flip_bits == 0.0,
                "augment.flip_bits",
                &augment.flip_bits,
                "0 where thresholds are learned",
            ),
            (
                positive(opt.learning_rate),
                "optimizer.learning_rate",
                &opt.learning_rate,
                "above 0; 0.01 is a good start",
            ),
            ((0.0..=1.0).contains(&opt.weight_decay), "optimizer.weight_decay", &opt.weight_decay, "from 0 to 1"),
            (betas, "optimizer.beta1, beta2", &[opt.beta1, opt.beta2], "from 0, below 1"),
            (positive(opt.epsilon), "optimizer.epsilon", &opt.epsilon, "above 0; 1e-8 is usual"),
            (self.augment.shift <= 16, "augment.shift", &self.augment.shift, "from 0 to 16"),
            (
                image || !Variation::wanted(augment),
                "augment.shift, mirror, affine, elastic",
                augment,
                "off where samples are not images",
            ),
            ((0.0..=4.0).contains(&augment.affine), "augment.affine", &augment.affine, "from 0 to 4"),
            ((0.0..=64.0).contains(&augment.elastic), "augment.elastic", &augment.elastic, "from 0 to 64"),
            ((0.0..0.5).contains(&augment.flip_bits), "augment.flip_bits", &augment.flip_bits, "from 0, below 0.5"),
            (!self.layers.is_empty(), "layers", &self.layers, "at least one [[layers]]"),
        ])?;
        for (i, layer) in self.layers.iter().enumerate() {
            self.check_layer(i, layer)?;
        }
        Ok(())
    }

    /// What of a layer can be known by itself; how layers fit each other is known when the network is made.
    fn check_layer(&self, i: usize, layer: &Layer) -> Result<()> {
        let key = |key| format!("layers[{i}].{key}");
        let (conv, pool) = (layer.kind == LayerKind::Conv, layer.kind == LayerKind::Pool);
        let last = i + 1 == self.layers.len();
        let leaves = layer.fan_in.checked_pow(layer.depth as u32).unwrap_or(usize::MAX);
        require(&[
            ((1..=MAX_NODES).contains(&layer.nodes), &key("nodes"), &layer.nodes, "from 1 to 1048576"),
            ((1..=MAX_FAN_IN).contains(&layer.fan_in), &key("fan_in"), &layer.fan_in, "from 1 to 8"),
            (
                pool || self.node.kind != NodeKind::Difflogic || layer.fan_in == 2,
                &key("fan_in"),
                &layer.fan_in,
                "2 for nodes of kind difflogic",
            ),
            (
                pool || self.node.kind != NodeKind::Fourier || layer.fan_in <= 6,
                &key("fan_in"),
                &layer.fan_in,
                "at most 6 for nodes of kind fourier",
            ),
            (layer.candidates >= 1, &key("candidates"), &layer.candidates, "at least 1; 16 is plenty"),
            (!conv || layer.candidates == 1, &key("candidates"), &layer.candidates, "1 in convolutions"),
            (
                !layer.pairs || layer.kind == LayerKind::Dense && layer.nodes.is_multiple_of(2),
                &key("pairs"),
                &layer.pairs,
                "false where the layer is not dense or its nodes are an odd number",
            ),
            ((1..=4096).contains(&layer.groups), &key("groups"), &layer.groups, "from 1 to 4096"),
            ((1..=64).contains(&layer.size), &key("size"), &layer.size, "from 1 to 64"),
            ((1..=64).contains(&layer.stride), &key("stride"), &layer.stride, "from 1 to 64"),
            (layer.padding < layer.size || !conv, &key("padding"), &layer.padding, "below the size"),
            ((1..=6).contains(&layer.depth) && leaves <= 4096, &key("depth"), &layer.depth, "at most 4096 leaves"),
            (!last || layer.residual == Residual::None, &key("residual"), &layer.residual, "none in the last layer"),
        ])?;
        let slots = layer.nodes * layer.fan_in;
        let candidates = slots.saturating_mul(layer.candidates);
        require(&[
            (candidates <= MAX_CANDIDATES, &key("candidates"), &layer.candidates, "fewer"),
            (slots * self.batch <= MAX_ACTIVATIONS, &key("nodes"), &layer.nodes, "fewer, or a smaller batch"),
        ])
    }
}

/// A condition, the key it is about, the key's value, and what the value may be.
type Condition<'a> = (bool, &'a str, &'a dyn Debug, &'a str);

fn require(conditions: &[Condition<'_>]) -> Result<()> {
    match conditions.iter().find(|condition| !condition.0) {
        Some((_, key, value, help)) => Err(bad(format!("{key} = {value:?} is not possible")).help(*help).into()),
        None => Ok(()),
    }
}

fn positive(x: f64) -> bool {
    x.is_finite() && x > 0.0
}

fn bad(what: String) -> Diagnostic {
    Diagnostic::error(&codes::TRAIN_CONFIG, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Features, Split};

    fn data(shape: &[usize]) -> Dataset {
        let split = Split { x: Features::U8(vec![]), y: vec![] };
        Dataset { name: "d".into(), shape: shape.to_vec(), classes: 7, train: split.clone(), test: split, soft: None }
    }

    #[test]
    fn toml_round_trips_and_defaults_fill_in() {
        for name in PRESETS {
            let config = Config::preset(name).unwrap();
            let text = config.to_toml().unwrap();
            assert_eq!(Config::from_toml(&Source::new("a.toml", text)).unwrap(), config);
        }
        let text = "epochs = 3\n[[layers]]\nnodes = 14\nwiring = \"local\"\n[encoder]\nkind = \"thermometer\"\n";
        let config = Config::from_toml(&Source::new("a.toml", text)).unwrap();
        assert_eq!((config.epochs, config.layers[0].nodes, config.layers[0].fan_in), (3, 14, 6));
        assert_eq!((config.layers[0].wiring, config.encoder.kind), (Wiring::Local, EncoderKind::Thermometer));
    }

    #[test]
    fn wrong_texts_are_errors_that_point_at_the_place() {
        for (text, marked) in [
            ("epoch = 3\n", "epoch"),
            ("[encoder]\nkind = \"thermometr\"\n", "\"thermometr\""),
            ("[[layers]]\nnodes = -1\n", "-1"),
            ("[node]\nbeta = 1\n", "beta"),
        ] {
            let source = Source::new("a.toml", text);
            let e = Config::from_toml(&source).unwrap_err();
            assert_eq!(e.code.id, "BL1301");
            let blc_ir::diag::Place::Span(_, range) = &e.place else { panic!("no place in {e}") };
            assert_eq!(&text[range.clone()], marked);
        }
        assert_eq!(
            Config::preset("minst").unwrap_err().help.as_deref(),
            Some("choose one of: digits, mnist-tiny, mnist, fashion, cifar10, tabular")
        );
    }

    #[test]
    fn impossible_values_are_named() {
        let good = Config { layers: vec![Layer { nodes: 70, ..Layer::default() }], ..Config::default() };
        good.check(&data(&[4, 4])).unwrap();
        type Change = fn(&mut Config);
        let cases: [(&str, Change); 23] = [
            ("epochs", |c| c.epochs = 0),
            ("batch", |c| c.batch = 0),
            ("validation", |c| c.validation = 0.0),
            ("validation", |c| c.validation = f64::NAN),
            ("encoder.bits", |c| c.encoder.bits = 0),
            ("encoder.rarest", |c| c.encoder.rarest = 0.5),
            ("node.smoothing", |c| c.node.smoothing = 0.5),
            ("node.residual", |c| c.node.residual = -0.1),
            ("head.temperature", |c| c.head.temperature = Some(0.0)),
            ("optimizer.learning_rate", |c| c.optimizer.learning_rate = f64::INFINITY),
            ("optimizer.beta1", |c| c.optimizer.beta2 = 1.0),
            ("augment.shift", |c| c.augment.shift = 17),
            ("layers = []", |c| c.layers.clear()),
            ("layers[0].nodes", |c| c.layers[0].nodes = usize::MAX),
            ("layers[0].fan_in", |c| c.layers[0].fan_in = 9),
            ("layers[0].depth", |c| c.layers[0].depth = 6),
            ("layers[0].residual", |c| c.layers[0].residual = Residual::Or),
            ("layers[0].pairs", |c| (c.layers[0].pairs, c.layers[0].nodes) = (true, 5)),
            ("loss.distill", |c| c.loss.distill = 0.5),
            ("node.sampling", |c| c.node.sampling = Sampling::Soft),
            ("patience", |c| (c.patience, c.regularizer.area) = (5, 0.1)),
            ("layers[0].candidates", |c| c.layers[0].candidates = 0),
            ("layers[0].candidates", |c| c.layers[0].candidates = usize::MAX),
        ];
        for (named, change) in cases {
            let mut config = good.clone();
            change(&mut config);
            let e = config.check(&data(&[4, 4])).unwrap_err();
            assert!(e.code.id == "BL1301" && e.message.contains(named) && e.help.is_some(), "{named}: {e}");
        }
        let shifted = Config { augment: Augment { shift: 1, ..Augment::default() }, ..good };
        assert!(shifted.check(&data(&[16])).is_err());
        assert!(shifted.check(&data(&[4, 4])).is_ok());
    }

    /// docs/training.md has a row for each key, with its default, and no others; what `blc explain BL1301` says names them all.
    #[test]
    fn keys_are_documented() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/training.md");
        let page = std::fs::read_to_string(page).unwrap();
        let (mut sections, mut rows) = (vec![String::new()], std::collections::BTreeMap::new());
        for line in page.lines() {
            if line.starts_with("## ") {
                break;
            }
            if line.starts_with("`[") {
                let name = |part: &str| part.trim_matches(['[', ']', ',', ' ', ':']).to_owned();
                sections = line.split('`').skip(1).step_by(2).map(name).collect();
            }
            let Some((keys, default)) = line.strip_prefix("| `").and_then(|row| row.split_once(" | ")) else {
                continue;
            };
            let default: Vec<&str> = default.split(" | ").next().unwrap().split(", ").collect();
            let mut section = sections[0].clone();
            for (i, key) in keys.split(", ").enumerate() {
                let mut key = key.trim_matches('`');
                if let Some((of, rest)) = key.split_once('.') {
                    (section, key) = (of.to_owned(), rest);
                }
                assert!(sections.contains(&section), "{section}.{key}");
                rows.insert(format!("{section}.{key}"), default[i.min(default.len() - 1)].trim_matches('`').to_owned());
            }
        }
        let mut config = toml::Table::try_from(Config::default()).unwrap();
        let head = config["head"].as_table_mut().unwrap();
        head.extend(["temperature", "last_temperature"].map(|key| (key.to_owned(), "".into())));
        let mut keys = std::collections::BTreeMap::new();
        for (name, value) in &config {
            let section = value.as_array().map_or(value, |layers| &layers[0]);
            match section.as_table() {
                Some(section) => keys.extend(section.iter().map(|(key, value)| (format!("{name}.{key}"), value))),
                None => _ = keys.insert(format!(".{name}"), value),
            }
        }
        assert!(rows.keys().eq(keys.keys()), "{:?} on the page, {:?} in code", rows.keys(), keys.keys());
        for (key, value) in keys {
            let same = match value {
                toml::Value::String(text) => text.is_empty() || *text == rows[&key],
                toml::Value::Float(x) => rows[&key].parse() == Ok(*x),
                other => rows[&key] == other.to_string(),
            };
            assert!(same, "{key} is {value} by default, not {}", rows[&key]);
            let name = key.split('.').nth(1).unwrap();
            assert!(codes::TRAIN_CONFIG.explain.contains(&format!("`{name}`")), "BL1301 does not say {name}");
        }
    }

    #[test]
    fn defaults_fit_the_data() {
        for shape in [&[16][..], &[28, 28], &[3, 32, 32]] {
            let data = data(shape);
            let config = Config::default_for(&data);
            config.check(&data).unwrap();
            assert_eq!(config.augment.shift > 0, shape.len() >= 2);
        }
        let nodes = |classes| Config::preset("tabular").unwrap().for_classes(classes).layers[0].nodes;
        assert_eq!([2, 6, 26].map(nodes), [2600, 2604, 2600]);
        let digits = Dataset { name: "digits".into(), ..data(&[8, 8]) };
        assert_eq!(Config::default_for(&digits), Config::preset("digits").unwrap());
    }
}

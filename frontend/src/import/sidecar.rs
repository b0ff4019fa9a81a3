//! What a checkpoint lacks: a TOML file beside it, and the form that asks for what is missing there.

use std::fmt::Write;
use std::path::PathBuf;

use blc_ir::diag::{Diagnostic, Result};
use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use crate::codes;
use crate::model::Dtype;

/// Largest sidecar.
pub const MAX_FILE: u64 = 1 << 20;

/// What a user says of a checkpoint. Every key is optional here; importers ask for what they need.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sidecar {
    /// Name of the model.
    pub name: Option<String>,
    /// Key of the state_dict in what was saved.
    pub key: Option<String>,
    /// Classes, and groups of the last layer's bits; 0 for a network that ends in bits.
    pub classes: Option<usize>,
    /// Parametrization of every layer that does not say its own.
    pub parametrization: Option<Parametrization>,
    /// Between the layers of a node that is a small network.
    pub activation: Option<Activation>,
    /// Of nodes that are sums of cosines.
    pub max_amplitude: Option<f64>,
    /// The input.
    pub input: Input,
    /// The layers in order.
    pub layers: Option<Vec<LayerSpec>>,
}

/// One sample.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Input {
    /// `[features]` or `[channels, rows, columns]`.
    pub shape: Option<Vec<usize>>,
    /// Type of a feature.
    pub dtype: Option<Dtype>,
    /// An `.npy` of thresholds `[features, bits]` or `[bits]`, beside the sidecar, where the checkpoint has none.
    pub thresholds: Option<PathBuf>,
    /// The network reads `(x - mean) / scale`: of all features, or of each.
    pub mean: Option<OneOrMany<f64>>,
    /// See `mean`.
    pub scale: Option<OneOrMany<f64>>,
}

/// A layer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerSpec {
    /// Its name in the checkpoint, where it has tensors there.
    pub module: Option<String>,
    /// What it is.
    pub kind: Option<LayerKind>,
    /// Of its tables.
    pub parametrization: Option<Parametrization>,
    /// Binarization: the dimension into which bits are merged.
    pub feature_dim: Option<i64>,
    /// Binarization with learnt thresholds: their temperature.
    pub temperature_softplus: Option<f64>,
    /// Convolution: its window.
    pub receptive_field_size: Option<OneOrMany<usize>>,
    /// Pool: its window.
    pub kernel_size: Option<OneOrMany<usize>>,
    /// Convolution and pool: from window to window.
    pub stride: Option<OneOrMany<usize>>,
    /// Convolution and pool: zeros around the image.
    pub padding: Option<OneOrMany<usize>>,
    /// Transposed convolution: zeros behind it.
    pub output_padding: Option<OneOrMany<usize>>,
}

/// The kinds of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// Thresholds.
    Binarization,
    /// Tables.
    Dense,
    /// Trees of tables, slid over an image.
    Conv2d,
    /// The same over an image of planes.
    Conv3d,
    /// Trees of tables, slid over an image with zeros between its places.
    ConvTranspose2d,
    /// The same of planes.
    ConvTranspose3d,
    /// ORs, slid over an image.
    OrPool2d,
    /// The same over an image of planes.
    OrPool3d,
    /// An image as a row of bits.
    Flatten,
    /// From here bits go past the layers as well, as far as `residual_end`.
    Residual,
    /// ORs with the bits that went past.
    ResidualEnd,
}

impl LayerKind {
    /// As a sidecar writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Binarization => "binarization",
            Self::Dense => "dense",
            Self::Conv2d => "conv2d",
            Self::Conv3d => "conv3d",
            Self::ConvTranspose2d => "conv_transpose2d",
            Self::ConvTranspose3d => "conv_transpose3d",
            Self::OrPool2d => "or_pool2d",
            Self::OrPool3d => "or_pool3d",
            Self::Flatten => "flatten",
            Self::Residual => "residual",
            Self::ResidualEnd => "residual_end",
        }
    }

    /// Whether such a layer has tensors.
    pub fn has_tensors(self) -> bool {
        matches!(
            self,
            Self::Binarization
                | Self::Dense
                | Self::Conv2d
                | Self::Conv3d
                | Self::ConvTranspose2d
                | Self::ConvTranspose3d
        )
    }

    /// Whether it is a convolution with zeros between the places of its image.
    pub fn is_transposed(self) -> bool {
        matches!(self, Self::ConvTranspose2d | Self::ConvTranspose3d)
    }

    /// Axes of the image that convolutions and pools slide over.
    pub fn axes(self) -> usize {
        if matches!(self, Self::Conv3d | Self::ConvTranspose3d | Self::OrPool3d) { 3 } else { 2 }
    }
}

/// What the weights of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parametrization {
    /// A logit for each of the sixteen functions of two inputs.
    Raw,
    /// A logit for each entry.
    Light,
    /// Walsh-Hadamard coefficients.
    Warp,
}

/// The functions between the layers of a node that is a small network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// x, or 0.01 x where below 0.
    Leakyrelu,
    /// 1 / (1 + exp(-x))
    Sigmoid,
}

/// A number, or one for each dimension or feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// The same for all.
    One(T),
    /// Each its own.
    Many(Vec<T>),
}

impl<T: Copy> OneOrMany<T> {
    /// As `n` numbers, where there are one or `n`.
    pub fn spread(&self, n: usize) -> Option<Vec<T>> {
        match self {
            Self::One(x) => Some(vec![*x; n]),
            Self::Many(all) => (all.len() == n).then(|| all.clone()),
        }
    }
}

impl Sidecar {
    /// Reads a sidecar; `file` is what diagnostics call it.
    ///
    /// Errors: `BL1410`, at its line.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            let d = Diagnostic::error(&codes::SIDECAR, e.message().to_owned()).in_file(file, format!("line {line}"));
            d.help("docs/import.md lists the keys").into()
        })
    }
}

/// The keys that an importer asks for, and what is known of them.
#[derive(Debug)]
pub struct Form {
    format: &'static str,
    /// Header of the table, then its lines.
    tables: Vec<(String, Vec<Line>)>,
    /// Whether the list of layers is asked for.
    layers: bool,
}

/// Key, value where it is known, meaning.
type Line = (&'static str, Option<String>, &'static str);

impl Form {
    /// Nothing asked yet.
    pub fn new(format: &'static str) -> Self {
        Self { format, tables: vec![(String::new(), Vec::new())], layers: false }
    }

    /// Begins a table: `[input]` or `[[layers]]`.
    pub fn table(&mut self, header: &str) {
        self.tables.push((header.into(), Vec::new()));
    }

    /// Asks for a key of the table begun last.
    pub fn ask<T: Serialize>(&mut self, key: &'static str, value: Option<&T>, meaning: &'static str) {
        let value = value.and_then(|v| toml::Value::try_from(v).ok()).map(|v| v.to_string());
        if let Some((_, lines)) = self.tables.last_mut() {
            lines.push((key, value, meaning));
        }
    }

    /// Asks for a key above all tables.
    pub fn ask_above<T: Serialize>(&mut self, key: &'static str, value: Option<&T>, meaning: &'static str) {
        let value = value.and_then(|v| toml::Value::try_from(v).ok()).map(|v| v.to_string());
        self.tables[0].1.push((key, value, meaning));
    }

    /// Asks for the list of layers, of which those follow that are known.
    pub fn ask_for_layers(&mut self) {
        self.layers = true;
    }

    /// Refuses where anything that was asked for is not known.
    ///
    /// Errors: `BL1411` with every missing key and a template.
    pub fn check(&self, checkpoint: &Checkpoint<'_>) -> Result<()> {
        let mut layer = 0;
        let mut missing: Vec<String> = Vec::new();
        missing.extend(self.layers.then(|| "layers".to_owned()));
        let mut template =
            format!("# sidecar.toml for `blc import --from {}`: say what stands nowhere yet\n", self.format);
        for (header, lines) in &self.tables {
            let table = match header.as_str() {
                "[[layers]]" => {
                    layer += 1;
                    format!("layers[{}].", layer - 1)
                }
                other => other.trim_matches(['[', ']']).to_owned() + if other.is_empty() { "" } else { "." },
            };
            if layer == 1 && self.layers && header == "[[layers]]" {
                template += "# all layers in order, those without tensors (or_pool2d, flatten) too:\n";
            }
            if !header.is_empty() && !lines.is_empty() {
                let _ = writeln!(template, "{header}");
            }
            for (key, value, meaning) in lines {
                if value.is_none() {
                    missing.push(format!("{table}{key}"));
                }
                let line = format!("{key} = {}", value.as_deref().unwrap_or(""));
                let _ = writeln!(template, "{line:<32} # {meaning}");
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!("the checkpoint does not say {}", missing.join(", "));
        let help = "write a sidecar and give it with --sidecar";
        Err(checkpoint.refuse(&codes::SIDECAR_LACKS, "", message).note(template).help(help).into())
    }
}

//! Configurations by name.

use blc_ir::diag::Result;

use super::{Augment, Config, Encoder, EncoderKind, Layer, Node, Scope, Wiring, bad};
use crate::data::Dataset;

/// Names of the presets, for help texts.
pub const PRESETS: &[&str] = &["digits", "mnist"];

impl Config {
    /// A configuration by name, one of [`PRESETS`].
    pub fn preset(name: &str) -> Result<Self> {
        let images = Self {
            encoder: Encoder { kind: EncoderKind::Thermometer, bits: 3, scope: Scope::Global, ..Encoder::default() },
            augment: Augment { shift: 1, ..Augment::default() },
            ..Self::default()
        };
        let local = |nodes, radius| Layer { nodes, wiring: Wiring::Local, radius, candidates: 16, ..Layer::default() };
        match name {
            "digits" => Ok(Self { epochs: 30, layers: vec![local(600, 4)], augment: Augment::default(), ..images }),
            "mnist" => {
                let node = Node { smoothing: 0.85, ..Node::default() };
                Ok(Self { epochs: 30, layers: vec![local(3000, 5)], node, ..images })
            }
            _ => Err(bad(format!("no preset is called `{name}`"))
                .help(format!("choose one of: {}", PRESETS.join(", ")))
                .into()),
        }
    }

    /// Sensible values for a data set: the preset of its name, else one for images or for tables of numbers.
    pub fn default_for(data: &Dataset) -> Self {
        if let Ok(preset) = Self::preset(&data.name) {
            return preset;
        }
        let classes = data.classes.max(1);
        let round = |nodes: usize| nodes.div_ceil(classes) * classes;
        match Self::preset("mnist") {
            Ok(mut images) if data.shape.len() >= 2 => {
                images.layers.iter_mut().for_each(|l| l.nodes = round(l.nodes));
                images
            }
            _ => Self {
                encoder: Encoder { bits: 8, ..Encoder::default() },
                layers: vec![Layer { nodes: round(600), candidates: 16, ..Layer::default() }],
                ..Self::default()
            },
        }
    }
}

//! Configurations by name.

use blc_ir::diag::Result;

use super::{Augment, Config, Encoder, EncoderKind, Layer, Node, Scope, Wiring, bad};
use crate::data::Dataset;

/// Names of the presets, for help texts.
pub const PRESETS: &[&str] = &["digits", "mnist-tiny", "mnist", "fashion", "cifar10", "tabular"];

impl Config {
    /// A configuration by name, one of [`PRESETS`].
    pub fn preset(name: &str) -> Result<Self> {
        let images = Self {
            encoder: Encoder { kind: EncoderKind::Thermometer, bits: 3, scope: Scope::Global, ..Encoder::default() },
            augment: Augment { shift: 1, ..Augment::default() },
            ..Self::default()
        };
        let local = |nodes, radius| Layer { nodes, wiring: Wiring::Local, radius, candidates: 16, ..Layer::default() };
        let handwriting = Augment { affine: 1.0, ..Augment::default() };
        match name {
            "digits" => Ok(Self { epochs: 30, layers: vec![local(600, 4)], augment: Augment::default(), ..images }),
            "mnist-tiny" => {
                let augment = Augment { affine: 0.5, ..Augment::default() };
                let node = Node { smoothing: 0.85, ..Node::default() };
                Ok(Self { epochs: 150, layers: vec![local(1000, 5)], node, augment, ..images })
            }
            "mnist" => Ok(Self { epochs: 75, layers: vec![local(3000, 5)], augment: handwriting, ..images }),
            "fashion" => {
                let encoder = Encoder { kind: EncoderKind::Distributive, bits: 7, ..images.encoder.clone() };
                let augment = Augment { shift: 1, mirror: true, ..Augment::default() };
                Ok(Self { epochs: 30, encoder, layers: vec![local(16_000, 4)], augment, ..images })
            }
            "cifar10" => {
                let encoder = Encoder { kind: EncoderKind::Distributive, bits: 7, ..images.encoder.clone() };
                let augment = Augment { shift: 4, mirror: true, reflect: true, ..Augment::default() };
                let batch = 128;
                Ok(Self { epochs: 60, batch, encoder, layers: vec![local(60_000, 3)], augment, ..images })
            }
            "tabular" => Ok(Self {
                encoder: Encoder { bits: 16, ..Encoder::default() },
                layers: vec![Layer { nodes: 2600, candidates: 16, ..Layer::default() }],
                ..Self::default()
            }),
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
        match Self::preset("mnist") {
            Ok(mut images) if data.shape.len() >= 2 => {
                // What suits handwriting need not suit other images.
                (images.epochs, images.augment) = (30, Augment { shift: 1, ..Augment::default() });
                images.for_classes(data.classes)
            }
            _ => Self {
                encoder: Encoder { bits: 8, ..Encoder::default() },
                layers: vec![Layer { nodes: 600, candidates: 16, ..Layer::default() }],
                ..Self::default()
            }
            .for_classes(data.classes),
        }
    }

    /// With as many nodes more in the last layer as it takes to divide them into so many classes.
    pub fn for_classes(mut self, classes: usize) -> Self {
        if let Some(last) = self.layers.last_mut() {
            last.nodes = last.nodes.next_multiple_of(classes.max(1));
        }
        self
    }
}

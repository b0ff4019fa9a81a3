//! From a network in training to the model that is compiled.

use super::encoder::Encoder;
use super::network::Snapshot;
use crate::data::{Dataset, Features};
use crate::model::{Dtype, Layer, Model};

/// The hard network: every table thresholded at its corners, every slot at its best candidate, and inputs of the
/// first layer (numbers in `live`) as bits of the encoder.
pub fn freeze(data: &Dataset, encoder: &Encoder, live: &[u32], layers: &[Snapshot]) -> Model {
    let mut model = Model {
        name: data.name.clone(),
        shape: data.shape.clone(),
        dtype: match data.train.x {
            Features::U8(_) => Dtype::U8,
            Features::F32(_) => Dtype::F32,
        },
        layers: vec![Layer::Thermometer { bits: encoder.bits, thresholds: encoder.thresholds.clone() }],
    };
    for (i, layer) in layers.iter().enumerate() {
        let bit = |&row: &u32| if i == 0 { live[row as usize] } else { row };
        model.layers.push(Layer::Lut {
            fan_in: layer.fan_in,
            connections: layer.chosen.iter().map(bit).collect(),
            tables: layer.hard_tables(),
        });
    }
    model.layers.extend([Layer::GroupSum { groups: data.classes }, Layer::Argmax]);
    model
}

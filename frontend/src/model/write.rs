//! A model to the bytes of `model.safetensors`: the same model gives the same bytes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use blc_ir::diag::{Diagnostic, Result};
use safetensors::tensor::{Dtype as TensorType, View, serialize};
use serde_json::{Value, json};

use super::read::{METADATA_KEY, VERSION};
use super::{Layer, Model, TensorNames, Thresholds, words_per_table};
use crate::{codes, files};

/// One tensor on its way out, little-endian.
struct Tensor {
    dtype: TensorType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Tensor {
    fn dtype(&self) -> TensorType {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

impl Model {
    /// The file's bytes. Tensors are named `enc.thresholds`, `enc.codes`, `head.weights`, `l0.connections`, `l0.tables`, `l1.…`.
    ///
    /// Errors: those of [`Model::validate`]: only models that can be read back are written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.validate()?;
        let names = TensorNames::standard(self);
        let mut luts = names.luts.iter();
        let mut tensors = Vec::new();
        let mut layers = Vec::new();
        for layer in &self.layers {
            let lut = if matches!(layer, Layer::Lut { .. }) { luts.next() } else { None };
            layers.push(write_layer(layer, &names, lut, &mut tensors));
        }
        let mut metadata = json!({
            "version": VERSION,
            "name": self.name,
            "input": {"shape": self.shape, "dtype": self.dtype},
            "layers": layers,
        });
        if let Some(what) = &self.approximate {
            metadata["approximate"] = json!(what);
        }
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), metadata.to_string())]);
        serialize(tensors, Some(metadata)).map_err(|e| {
            let message = format!("too large for a safetensors file: {e}");
            Diagnostic::error(&codes::MODEL_SIZE, message).in_file(format!("model `{}`", self.name), "").into()
        })
    }

    /// Writes the model to a file, completely or not at all.
    ///
    /// Errors: those of [`Model::to_bytes`], and `BL1002`.
    pub fn write(&self, path: &Path) -> Result<()> {
        files::write_atomic(path, &self.to_bytes()?)
    }
}

/// The JSON of a layer; what it holds goes to `tensors`.
fn write_layer(
    layer: &Layer,
    names: &TensorNames,
    lut_names: Option<&(String, String)>,
    tensors: &mut Vec<(String, Tensor)>,
) -> Value {
    let kind = layer.kind();
    match (layer, lut_names) {
        (Layer::Thermometer { bits, thresholds }, _) => {
            tensors.push((names.thresholds.clone(), write_thresholds(*bits, thresholds)));
            json!({"kind": kind, "thresholds": names.thresholds})
        }
        (Layer::Code { bits, thresholds, codes }, _) => {
            tensors.push((names.thresholds.clone(), write_thresholds(codes.len().saturating_sub(1), thresholds)));
            let bytes = little_endian(codes, u64::to_le_bytes);
            tensors.push((names.codes.clone(), Tensor { dtype: TensorType::U64, shape: vec![codes.len()], bytes }));
            json!({"kind": kind, "bits": bits, "thresholds": names.thresholds, "codes": names.codes})
        }
        (Layer::GroupDsp { groups, weights }, _) => {
            let bytes = little_endian(weights, u32::to_le_bytes);
            let tensor = Tensor { dtype: TensorType::U32, shape: vec![*groups, *groups], bytes };
            tensors.push((names.weights.clone(), tensor));
            json!({"kind": kind, "groups": groups, "weights": names.weights})
        }
        (Layer::Lut { fan_in, connections, tables }, Some((wires_name, tables_name))) => {
            let nodes = connections.len() / (*fan_in).max(1);
            let bytes = little_endian(connections, u32::to_le_bytes);
            tensors.push((wires_name.clone(), Tensor { dtype: TensorType::U32, shape: vec![nodes, *fan_in], bytes }));
            let shape = if *fan_in <= 6 { vec![nodes] } else { vec![nodes, words_per_table(*fan_in)] };
            let bytes = little_endian(tables, u64::to_le_bytes);
            tensors.push((tables_name.clone(), Tensor { dtype: TensorType::U64, shape, bytes }));
            json!({"kind": kind, "fan_in": fan_in, "connections": wires_name, "tables": tables_name})
        }
        (Layer::GroupSum { groups }, _) => json!({"kind": kind, "groups": groups}),
        (Layer::Lut { .. } | Layer::Argmax, _) => json!({"kind": kind}),
    }
}

fn write_thresholds(bits: usize, thresholds: &Thresholds) -> Tensor {
    let shape = vec![thresholds.len() / bits.max(1), bits];
    match thresholds {
        Thresholds::U8(t) => Tensor { dtype: TensorType::U8, shape, bytes: t.clone() },
        Thresholds::F32(t) => Tensor { dtype: TensorType::F32, shape, bytes: little_endian(t, f32::to_le_bytes) },
    }
}

fn little_endian<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&x| bytes(x)).collect()
}

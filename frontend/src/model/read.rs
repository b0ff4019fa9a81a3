//! The bytes of `model.safetensors` to a model. The file may lie in every respect; each lie has its own code.
//!
//! Order: the container (header length, offsets), the metadata's JSON, each layer's fields, each tensor's type and shape,
//! and last the values, which [`Model::validate`] checks. Nothing is allocated that the file's own length does not cover.

use std::path::Path;

use blc_ir::diag::{Code, Result};
use safetensors::tensor::Dtype as TensorType;
use serde_json::{Map, Value};

use super::container::{Container, Tensor};
use super::{Dtype, Layer, Model, TensorNames, Thresholds, Wrong, check_fan_in, words_per_table};
use crate::{codes, files};

/// The key of the safetensors metadata that holds the model's JSON.
pub(super) const METADATA_KEY: &str = "bitlogic";
/// The version of the format that is read and written.
pub(super) const VERSION: u64 = 1;
/// Largest file: a million nodes of 16 inputs would need 8 GB, one of 6 inputs 32 MB.
pub(super) const MAX_FILE: u64 = 2 << 30;

const KINDS: &[&str] = &["thermometer", "code", "lut", "group_sum", "group_dsp", "argmax"];

impl Model {
    /// Reads a model file of at most 2 GiB and checks all of it.
    ///
    /// Errors: `BL1001` and `BL1003` for the file, `BL1010` to `BL1040` for what is in it.
    pub fn read(path: &Path) -> Result<Self> {
        Self::from_bytes(&files::read_bounded(path, MAX_FILE)?, &files::display(path))
    }

    /// Reads a model as [`Model::from_bytes`] does, and says which tensors of the file its data are.
    ///
    /// Errors: `BL1010` to `BL1040`.
    pub fn from_bytes_with_names(bytes: &[u8], name: &str) -> Result<(Self, TensorNames)> {
        let checked = read(bytes).and_then(|(model, names)| model.check().map(|()| (model, names)));
        checked.map_err(|wrong| wrong.in_file(name))
    }

    /// Reads a model from the bytes of a file; `name` is what diagnostics call that file.
    ///
    /// Errors: `BL1010` to `BL1040`.
    pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Self> {
        Self::from_bytes_with_names(bytes, name).map(|(model, _)| model)
    }
}

/// Whether bytes say that they are a model.
pub fn is_model(bytes: &[u8]) -> bool {
    Container::open(bytes).is_ok_and(|file| file.metadata(METADATA_KEY).is_some())
}

fn read(bytes: &[u8]) -> Result<(Model, TensorNames), Wrong> {
    let mut file = Container::open(bytes)?;
    let json = file.metadata(METADATA_KEY).map(str::to_owned).ok_or_else(|| {
        Wrong::new(&codes::MODEL_METADATA, "", format!("no metadata key `{METADATA_KEY}`"))
            .help("this safetensors file holds no frozen LUT network; `blc train` and `blc import` write them")
    })?;
    let json: Value = serde_json::from_str(&json).map_err(|e| {
        Wrong::new(&codes::MODEL_JSON, &format!("metadata `{METADATA_KEY}`"), format!("not valid JSON: {e}"))
    })?;
    let model = Fields::of(&json, "metadata")?;
    let version = model.get("version")?;
    if version.as_u64() != Some(VERSION) {
        return Err(Wrong::new(
            &codes::MODEL_VERSION,
            "",
            format!("model format version {version}; this blc reads {VERSION}"),
        )
        .help("use a newer blc, or write the file in version 1"));
    }
    model.only(&["version", "name", "input", "layers", "approximate"])?;
    let input = Fields::of(model.get("input")?, "input")?;
    input.only(&["shape", "dtype"])?;
    let mut read = Model {
        name: model.string("name")?.to_owned(),
        shape: shape(&input)?,
        dtype: dtype(&input)?,
        layers: vec![],
        approximate: model.optional("approximate")?,
    };
    let mut names = TensorNames::default();
    let features = read.features();
    let mut width = features;
    for (index, layer) in model.list("layers")?.iter().enumerate() {
        let fields = Fields::of(layer, &format!("layer {index}"))?;
        let layer = read_layer(&fields, &mut file, features, width)?;
        match layer {
            Layer::Thermometer { .. } => names.thresholds = fields.string("thresholds")?.to_owned(),
            Layer::Lut { .. } => {
                names.luts.push((fields.string("connections")?.to_owned(), fields.string("tables")?.to_owned()));
            }
            Layer::Code { .. } => {
                names.thresholds = fields.string("thresholds")?.to_owned();
                names.codes = fields.string("codes")?.to_owned();
            }
            Layer::GroupDsp { .. } => names.weights = fields.string("weights")?.to_owned(),
            Layer::GroupSum { .. } | Layer::Argmax => {}
        }
        width = layer.width(width);
        read.layers.push(layer);
    }
    Ok((read, names))
}

fn shape(input: &Fields<'_>) -> Result<Vec<usize>, Wrong> {
    let dimension = |d: &Value| d.as_u64().and_then(|d| usize::try_from(d).ok());
    let shape: Option<Vec<usize>> = input.list("shape")?.iter().map(dimension).collect();
    shape.ok_or_else(|| input.wrong("`shape` must be a list of sizes such as [784]"))
}

fn dtype(input: &Fields<'_>) -> Result<Dtype, Wrong> {
    match input.string("dtype")? {
        "u8" => Ok(Dtype::U8),
        "f32" => Ok(Dtype::F32),
        "bit" => Ok(Dtype::Bit),
        other => Err(input.wrong(&format!("`dtype` is \"{other}\"; it must be \"u8\", \"f32\" or \"bit\""))),
    }
}

fn read_layer<'a>(
    fields: &Fields<'_>,
    file: &mut Container<'a>,
    features: usize,
    width: usize,
) -> Result<Layer, Wrong> {
    match fields.string("kind")? {
        "thermometer" => {
            fields.only(&["kind", "thresholds"])?;
            let (bits, thresholds) = read_thresholds(fields, file, features)?;
            Ok(Layer::Thermometer { bits, thresholds })
        }
        "code" => {
            fields.only(&["kind", "bits", "thresholds", "codes"])?;
            let (steps, thresholds) = read_thresholds(fields, file, features)?;
            let tensor = fields.tensor(file, "codes")?;
            if tensor.dtype != TensorType::U64 {
                return Err(tensor.dtype_error("u64"));
            }
            if tensor.shape != [steps + 1] {
                return Err(tensor.shape_error(&format!("[{}], one code more than thresholds", steps + 1)));
            }
            Ok(Layer::Code { bits: fields.count("bits")?, thresholds, codes: tensor.numbers(u64::from_le_bytes) })
        }
        "group_dsp" => {
            fields.only(&["kind", "groups", "weights"])?;
            let groups = fields.count("groups")?;
            let tensor = fields.tensor(file, "weights")?;
            if tensor.dtype != TensorType::U32 {
                return Err(tensor.dtype_error("u32"));
            }
            if tensor.shape != [groups, groups] {
                return Err(tensor.shape_error(&format!("[{groups}, {groups}]")));
            }
            Ok(Layer::GroupDsp { groups, weights: tensor.numbers(u32::from_le_bytes) })
        }
        "lut" => {
            fields.only(&["kind", "fan_in", "connections", "tables"])?;
            read_lut(fields, file, width)
        }
        "group_sum" => {
            fields.only(&["kind", "groups"])?;
            Ok(Layer::GroupSum { groups: fields.count("groups")? })
        }
        "argmax" => {
            fields.only(&["kind"])?;
            Ok(Layer::Argmax)
        }
        other => Err(fields.unknown(&codes::LAYER_KIND, &format!("unknown kind of layer `{other}`"), other, KINDS)),
    }
}

/// Thresholds of each feature, and the thresholds.
fn read_thresholds(
    fields: &Fields<'_>,
    file: &mut Container<'_>,
    features: usize,
) -> Result<(usize, Thresholds), Wrong> {
    let tensor = fields.tensor(file, "thresholds")?;
    let &[rows, bits] = tensor.shape.as_slice() else {
        return Err(tensor.shape_error(&format!("[{features}, bits]")));
    };
    if rows != features {
        return Err(tensor.shape_error(&format!("[{features}, bits]")));
    }
    let thresholds = match tensor.dtype {
        TensorType::U8 => Thresholds::U8(tensor.bytes.to_vec()),
        TensorType::F32 => Thresholds::F32(tensor.numbers(f32::from_le_bytes)),
        _ => return Err(tensor.dtype_error("f32 or u8")),
    };
    Ok((bits, thresholds))
}

fn read_lut<'a>(fields: &Fields<'_>, file: &mut Container<'a>, width: usize) -> Result<Layer, Wrong> {
    let fan_in = fields.count("fan_in")?;
    check_fan_in(fan_in).map_err(|wrong| Wrong { detail: fields.place.clone(), ..wrong })?;

    let wires = fields.tensor(file, "connections")?;
    let &[nodes, inputs] = wires.shape.as_slice() else {
        return Err(wires.shape_error(&format!("[nodes, {fan_in}]")));
    };
    if inputs != fan_in {
        return Err(wires.shape_error(&format!("[nodes, {fan_in}]")));
    }
    let connections = wires.connections(width)?;

    let tables = fields.tensor(file, "tables")?;
    let words = words_per_table(fan_in);
    let expected: &[usize] = if fan_in <= 6 { &[nodes] } else { &[nodes, words] };
    if tables.dtype != TensorType::U64 {
        return Err(tables.dtype_error("u64"));
    }
    if tables.shape != expected {
        return Err(tables.shape_error(&format!("{expected:?}")));
    }
    Ok(Layer::Lut { fan_in, connections, tables: tables.numbers(u64::from_le_bytes) })
}

/// A JSON object of which every field must be known.
struct Fields<'a> {
    map: &'a Map<String, Value>,
    place: String,
}

impl<'a> Fields<'a> {
    fn of(value: &'a Value, place: &str) -> Result<Self, Wrong> {
        match value {
            Value::Object(map) => Ok(Self { map, place: place.to_owned() }),
            _ => Err(Wrong::new(&codes::MODEL_FIELD, place, "must be a JSON object")),
        }
    }

    fn wrong(&self, message: &str) -> Wrong {
        Wrong::new(&codes::MODEL_FIELD, &self.place, message)
    }

    fn get(&self, key: &str) -> Result<&'a Value, Wrong> {
        self.map.get(key).ok_or_else(|| self.wrong(&format!("field `{key}` is missing")))
    }

    fn string(&self, key: &str) -> Result<&'a str, Wrong> {
        self.get(key)?.as_str().ok_or_else(|| self.wrong(&format!("field `{key}` must be a string")))
    }

    /// A string that need not be there.
    fn optional(&self, key: &str) -> Result<Option<String>, Wrong> {
        if self.map.contains_key(key) { self.string(key).map(|text| Some(text.to_owned())) } else { Ok(None) }
    }

    fn list(&self, key: &str) -> Result<&'a [Value], Wrong> {
        let list = self.get(key)?.as_array().ok_or_else(|| self.wrong(&format!("field `{key}` must be a list")))?;
        Ok(list)
    }

    fn count(&self, key: &str) -> Result<usize, Wrong> {
        let number = self.get(key)?.as_u64().and_then(|n| usize::try_from(n).ok());
        number.ok_or_else(|| self.wrong(&format!("field `{key}` must be a whole number")))
    }

    /// The tensor that a field names.
    fn tensor<'b>(&self, file: &mut Container<'b>, key: &str) -> Result<Tensor<'b>, Wrong> {
        file.tensor(self.string(key)?, &format!("{}: {key}", self.place))
    }

    fn only(&self, known: &[&str]) -> Result<(), Wrong> {
        match self.map.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(self.unknown(&codes::MODEL_UNKNOWN_FIELD, &format!("unknown field `{key}`"), key, known)),
            None => Ok(()),
        }
    }

    /// An unknown word, with the known one that is nearest, or else all of them.
    fn unknown(&self, code: &'static Code, message: &str, word: &str, known: &[&str]) -> Wrong {
        let help = match nearest(word, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")),
        };
        Wrong::new(code, &self.place, message).help(help)
    }
}

/// The known word that differs in the fewest letters, where a misspelling is likely.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = |&&k: &&&str| distance(word, k) <= 1 + k.len() / 4;
    known.iter().filter(near).min_by_key(|k| distance(word, k)).copied()
}

/// Levenshtein distance in bytes; words longer than 64 bytes resemble nothing.
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

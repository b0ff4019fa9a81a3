use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// 2 features × 3 bits, two LUT layers (k = 2 and k = 7), 2 classes.
fn small() -> Model {
    Model {
        name: "small".into(),
        shape: vec![2],
        dtype: Dtype::U8,
        layers: vec![
            Layer::Thermometer { bits: 3, thresholds: Thresholds::F32(vec![0.5, 10.0, 10.0, -1.0, 3.0, 200.0]) },
            Layer::Lut { fan_in: 2, connections: vec![0, 5, 4, 4, 1, 2, 3, 0], tables: vec![0x8, 0x6, 0xf, 0x0] },
            Layer::Lut { fan_in: 7, connections: [0, 1, 2, 3, 0, 1, 2].repeat(2), tables: vec![1, u64::MAX, 2, 3] },
            Layer::GroupSum { groups: 2 },
            Layer::Argmax,
        ],
        approximate: None,
    }
}

/// What a file holds, before it is bytes: the metadata's JSON and the tensors as (name, type, shape, bytes).
struct Draft {
    model: Value,
    tensors: Vec<(&'static str, &'static str, Value, Vec<u8>)>,
}

impl Draft {
    /// 4 bits, one layer of two AND gates, one class.
    fn new() -> Self {
        Self {
            model: json!({"version": 1, "name": "d", "input": {"shape": [4], "dtype": "bit"}, "layers": [
                {"kind": "lut", "fan_in": 2, "connections": "c", "tables": "t"}, {"kind": "group_sum", "groups": 1}]}),
            tensors: vec![("c", "U32", json!([2, 2]), u32s(&[0, 1, 2, 3])), ("t", "U64", json!([2]), u64s(&[8, 8]))],
        }
    }

    /// 2 features of 2 thresholds each.
    fn encoder(dtype: &str, kind: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            model: json!({"version": 1, "name": "d", "input": {"shape": [2], "dtype": dtype},
                "layers": [{"kind": "thermometer", "thresholds": "e"}]}),
            tensors: vec![("e", kind, json!([2, 2]), bytes)],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut header = json!({"__metadata__": {"bitlogic": self.model.to_string()}});
        let mut data = Vec::new();
        for (name, dtype, shape, bytes) in &self.tensors {
            let end = data.len() + bytes.len();
            header[name] = json!({"dtype": dtype, "shape": shape, "data_offsets": [data.len(), end]});
            data.extend(bytes);
        }
        file(&header.to_string(), &data)
    }
}

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn u32s(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn u64s(values: &[u64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn i64s(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// The code with which a file is refused, after checking that the diagnostic names the file.
fn refusal(bytes: &[u8]) -> &'static str {
    let e = Model::from_bytes(bytes, "m.safetensors").expect_err("must be refused");
    assert!(e.to_string().contains("m.safetensors"), "{e}");
    e.code.id
}

#[test]
fn round_trip() {
    let model = small();
    let bytes = model.to_bytes().unwrap();
    assert_eq!(Model::from_bytes(&bytes, "m").unwrap(), model);
    assert_eq!(model.to_bytes().unwrap(), bytes);
    assert!(safetensors::SafeTensors::deserialize(&bytes).is_ok());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.safetensors");
    model.write(&path).unwrap();
    assert_eq!(Model::read(&path).unwrap(), model);
}

/// Two features in Gray code of two bits, and a head with weights.
fn coded() -> Model {
    Model {
        name: "coded".into(),
        shape: vec![2],
        dtype: Dtype::F32,
        layers: vec![
            Layer::Code {
                bits: 2,
                thresholds: Thresholds::F32(vec![1.0, 2.0, 3.0, -1.0, 0.0, 1.0]),
                codes: vec![0, 1, 3, 2],
            },
            Layer::Lut { fan_in: 1, connections: vec![0, 1, 2, 3], tables: vec![2; 4] },
            Layer::GroupDsp { groups: 2, weights: vec![3, 0, 1, 7] },
            Layer::Argmax,
        ],
        approximate: Some("prune".into()),
    }
}

#[test]
fn codes_and_weights_round_trip_and_are_checked() {
    let good = coded();
    let bytes = good.to_bytes().unwrap();
    let (read, names) = Model::from_bytes_with_names(&bytes, "m").unwrap();
    assert_eq!((read, names.codes.as_str(), names.weights.as_str()), (good.clone(), "enc.codes", "head.weights"));
    assert_eq!((good.width_after(0), good.classes()), (4, Some(2)));
    let bare = good.clone().without_encoder().without_head();
    assert_eq!((bare.shape.as_slice(), bare.dtype, bare.layers.len()), (&[4][..], Dtype::Bit, 1));
    type Change = fn(&mut Layer);
    let cases: [(usize, Change, &str); 7] = [
        (
            0,
            |l| {
                if let Layer::Code { codes, .. } = l {
                    codes[2] = 4
                }
            },
            "BL1040",
        ),
        (
            0,
            |l| {
                if let Layer::Code { bits, .. } = l {
                    *bits = 0
                }
            },
            "BL1040",
        ),
        (
            0,
            |l| {
                if let Layer::Code { bits, .. } = l {
                    *bits = 65
                }
            },
            "BL1040",
        ),
        (
            0,
            |l| {
                if let Layer::Code { codes, .. } = l {
                    codes.push(0)
                }
            },
            "BL1022",
        ),
        (
            0,
            |l| {
                if let Layer::Code { thresholds: Thresholds::F32(t), .. } = l {
                    t.swap(0, 1)
                }
            },
            "BL1033",
        ),
        (
            2,
            |l| {
                if let Layer::GroupDsp { weights, .. } = l {
                    weights.push(0)
                }
            },
            "BL1022",
        ),
        (
            2,
            |l| {
                if let Layer::GroupDsp { groups, .. } = l {
                    *groups = 3
                }
            },
            "BL1036",
        ),
    ];
    for (layer, change, code) in cases {
        let mut model = good.clone();
        change(&mut model.layers[layer]);
        assert_eq!(model.validate().unwrap_err().code.id, code);
    }
    let mut twice = good;
    twice.layers.insert(1, twice.layers[0].clone());
    assert_eq!(twice.validate().unwrap_err().code.id, "BL1035");
}

#[test]
fn the_metadata_is_that_of_the_format() {
    let bytes = small().to_bytes().unwrap();
    let file = safetensors::SafeTensors::read_metadata(&bytes).unwrap().1;
    let json: Value = serde_json::from_str(&file.metadata().as_ref().unwrap()["bitlogic"]).unwrap();
    let expected = json!({"version": 1, "name": "small", "input": {"shape": [2], "dtype": "u8"}, "layers": [
        {"kind": "thermometer", "thresholds": "enc.thresholds"},
        {"kind": "lut", "fan_in": 2, "connections": "l0.connections", "tables": "l0.tables"},
        {"kind": "lut", "fan_in": 7, "connections": "l1.connections", "tables": "l1.tables"},
        {"kind": "group_sum", "groups": 2}, {"kind": "argmax"}]});
    assert_eq!(json, expected);
    let shape = |name| file.info(name).unwrap().shape.clone();
    assert_eq!(shape("enc.thresholds"), [2, 3]);
    assert_eq!(shape("l0.tables"), [4]);
    assert_eq!(shape("l1.tables"), [2, 2]);
}

#[test]
fn widths_and_parts() {
    let model = small();
    assert_eq!((0..5).map(|i| model.width_after(i)).collect::<Vec<_>>(), [6, 4, 2, 2, 1]);
    assert_eq!(model.width_after(usize::MAX), 1);
    assert_eq!((model.features(), model.nodes(), model.classes()), (2, 6, Some(2)));
    let logic = model.without_encoder().without_head();
    assert_eq!((logic.shape.as_slice(), logic.dtype, logic.layers.len()), (&[6][..], Dtype::Bit, 2));
    assert_eq!(logic.classes(), None);
    logic.validate().unwrap();
}

#[test]
fn drafts_are_fine_before_they_lie() {
    let model = Model::from_bytes(&Draft::new().bytes(), "d").unwrap();
    assert_eq!(model.layers[0], Layer::Lut { fan_in: 2, connections: vec![0, 1, 2, 3], tables: vec![8, 8] });
    for (dtype, kind, bytes) in
        [("u8", "U8", vec![1, 2, 3, 3]), ("u8", "F32", f32s(&[1.5, 2.0, -3.0, 4.0])), ("f32", "F32", f32s(&[0.0; 4]))]
    {
        Model::from_bytes(&Draft::encoder(dtype, kind, bytes).bytes(), "d").unwrap();
    }
}

#[test]
fn connections_may_be_i64_and_spare_tensors_are_ignored() {
    let mut draft = Draft::new();
    draft.tensors[0] = ("c", "I64", json!([2, 2]), i64s(&[0, 1, 2, 3]));
    draft.tensors.push(("spare", "BF16", json!([3]), vec![0; 6]));
    assert_eq!(Model::from_bytes(&draft.bytes(), "d").unwrap(), Model::from_bytes(&Draft::new().bytes(), "d").unwrap());
}

#[test]
fn lies_of_the_container() {
    let good = Draft::new().bytes();
    assert_eq!(refusal(b""), "BL1010");
    assert_eq!(refusal(b"1234567"), "BL1010");
    assert_eq!(refusal(b"\x89PNG\r\n\x1a\n and what follows of a picture"), "BL1010");
    assert_eq!(refusal(&file("{", &[])), "BL1010");
    assert_eq!(refusal(&[&good[..], &[0]].concat()), "BL1010", "trailing bytes");
    assert_eq!(refusal(&good[..good.len() - 1]), "BL1011");
    assert_eq!(refusal(&good[..20]), "BL1011");
    let gigabyte = [&1_000_000_000u64.to_le_bytes()[..], &[b' '; 92]].concat();
    assert_eq!(refusal(&gigabyte), "BL1010", "a header of 1 GB in a file of 100 bytes");
    assert_eq!(refusal(&[&u64::MAX.to_le_bytes()[..], b"{}"].concat()), "BL1010");
    assert_eq!(refusal(&file("{}", &[])), "BL1012");
    assert_eq!(refusal(&file(r#"{"__metadata__": {"format": "pt"}}"#, &[])), "BL1012");
    assert_eq!(refusal(&file(r#"{"__metadata__": {"bitlogic": "{"}}"#, &[])), "BL1013");
    let deep = "[".repeat(100_000);
    assert_eq!(refusal(&file(&json!({"__metadata__": {"bitlogic": deep}}).to_string(), &[])), "BL1013");
    assert_eq!(refusal(&file(&format!("{{\"x\": {deep}"), &[])), "BL1010");
}

#[test]
fn offsets_and_shapes_that_overflow() {
    let header = |tensors: &str| format!(r#"{{"__metadata__": {{"bitlogic": "{{}}"}}, {tensors}}}"#);
    for tensors in [
        r#""a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 5]}"#,
        r#""a": {"dtype": "U8", "shape": [4], "data_offsets": [1, 5]}"#,
        r#""a": {"dtype": "U8", "shape": [4], "data_offsets": [4, 0]}"#,
        r#""a": {"dtype": "U8", "shape": [-4], "data_offsets": [0, 4]}"#,
        r#""a": {"dtype": "U64", "shape": [4294967296, 4294967296], "data_offsets": [0, 0]}"#,
        r#""a": {"dtype": "U64", "shape": [2305843009213693952], "data_offsets": [0, 0]}"#,
        r#""a": {"dtype": "U65", "shape": [4], "data_offsets": [0, 4]}"#,
    ] {
        assert_eq!(refusal(&file(&header(tensors), &[0; 4])), "BL1010", "{tensors}");
    }
    // Together the tensors end just below 2^64: the end plus the header overflows.
    let each = (1u64 << 61) - 1;
    let huge: Vec<String> = (0..8)
        .map(|i| {
            format!(
                r#""t{i}": {{"dtype": "U8", "shape": [{each}], "data_offsets": [{}, {}]}}"#,
                i * each,
                (i + 1) * each
            )
        })
        .collect();
    assert_eq!(refusal(&file(&header(&huge.join(", ")), &[0; 4])), "BL1011");
}

#[test]
fn lies_of_the_metadata() {
    type Lie = fn(&mut Value);
    let cases: &[(&str, Lie, &str)] = &[
        ("version 2", |m| m["version"] = json!(2), "BL1014"),
        ("version as text", |m| m["version"] = json!("1"), "BL1014"),
        ("no version", |m| drop(m.as_object_mut().unwrap().remove("version")), "BL1017"),
        ("a list", |m| *m = json!([1]), "BL1017"),
        ("unknown field", |m| m["layer"] = json!(1), "BL1016"),
        ("unknown input field", |m| m["input"]["scale"] = json!(1), "BL1016"),
        ("unknown layer field", |m| m["layers"][0]["stride"] = json!(1), "BL1016"),
        ("no name", |m| drop(m.as_object_mut().unwrap().remove("name")), "BL1017"),
        ("empty name", |m| m["name"] = json!(""), "BL1017"),
        ("a name with a newline", |m| m["name"] = json!("a\nb"), "BL1017"),
        ("an endless name", |m| m["name"] = json!("a".repeat(201)), "BL1017"),
        ("shape is a number", |m| m["input"]["shape"] = json!(4), "BL1017"),
        ("a negative shape", |m| m["input"]["shape"] = json!([-4]), "BL1017"),
        ("a fractional shape", |m| m["input"]["shape"] = json!([4.5]), "BL1017"),
        ("no dimensions", |m| m["input"]["shape"] = json!([]), "BL1017"),
        ("four dimensions", |m| m["input"]["shape"] = json!([1, 1, 1, 4]), "BL1017"),
        ("no features", |m| m["input"]["shape"] = json!([4, 0]), "BL1038"),
        ("too many features", |m| m["input"]["shape"] = json!([1u64 << 31]), "BL1039"),
        ("a shape that overflows", |m| m["input"]["shape"] = json!([u64::MAX, u64::MAX]), "BL1039"),
        ("unknown dtype", |m| m["input"]["dtype"] = json!("f64"), "BL1017"),
        ("numbers without an encoder", |m| m["input"]["dtype"] = json!("u8"), "BL1037"),
        ("no layers", |m| m["layers"] = json!([]), "BL1038"),
        ("layers is an object", |m| m["layers"] = json!({}), "BL1017"),
        ("a layer is a word", |m| m["layers"][0] = json!("lut"), "BL1017"),
        ("unknown kind", |m| m["layers"][0]["kind"] = json!("lutt"), "BL1015"),
        ("missing tensor", |m| m["layers"][0]["tables"] = json!("u"), "BL1020"),
        ("shared tensor", |m| m["layers"][0]["tables"] = json!("c"), "BL1023"),
        ("fan_in 0", |m| m["layers"][0]["fan_in"] = json!(0), "BL1030"),
        ("fan_in 17", |m| m["layers"][0]["fan_in"] = json!(17), "BL1030"),
        ("fan_in negative", |m| m["layers"][0]["fan_in"] = json!(-1), "BL1017"),
        ("fan_in of others", |m| m["layers"][0]["fan_in"] = json!(3), "BL1022"),
        ("too few inputs", |m| m["input"]["shape"] = json!([3]), "BL1031"),
        ("three groups of two bits", |m| m["layers"][1]["groups"] = json!(3), "BL1036"),
        ("no groups", |m| m["layers"][1]["groups"] = json!(0), "BL1036"),
        ("a million groups", |m| m["layers"][1]["groups"] = json!(1_000_000), "BL1036"),
        ("argmax of bits", |m| m["layers"][1] = json!({"kind": "argmax"}), "BL1035"),
        ("two heads", |m| m["layers"][2] = m["layers"][1].clone(), "BL1035"),
        ("argmax with groups", |m| m["layers"][1] = json!({"kind": "argmax", "groups": 1}), "BL1016"),
    ];
    for (what, lie, code) in cases {
        let mut draft = Draft::new();
        if *what == "two heads" {
            draft.model["layers"].as_array_mut().unwrap().push(Value::Null);
        }
        lie(&mut draft.model);
        assert_eq!(refusal(&draft.bytes()), *code, "{what}");
    }
}

#[test]
fn misspelt_words_get_a_suggestion() {
    let help = |change: fn(&mut Value)| {
        let mut draft = Draft::new();
        change(&mut draft.model);
        Model::from_bytes(&draft.bytes(), "d").unwrap_err().help.unwrap()
    };
    assert_eq!(help(|m| m["layers"][0]["kind"] = json!("lutt")), "did you mean `lut`?");
    assert_eq!(help(|m| m["layers"][0]["kind"] = json!("groupsum")), "did you mean `group_sum`?");
    assert_eq!(help(|m| m["layers"][0]["fanin"] = json!(1)), "did you mean `fan_in`?");
    let all = help(|m| m["layers"][0]["kind"] = json!("convolution"));
    assert_eq!(all, "known are `thermometer`, `code`, `lut`, `group_sum`, `group_dsp`, `argmax`");
    assert!(help(|m| m["layers"][0]["kind"] = json!("x".repeat(1 << 16))).starts_with("known are"));
}

#[test]
fn lies_of_the_tensors() {
    let cases = [
        ("connections as f32", 0, "F32", json!([2, 2]), f32s(&[0.0; 4]), "BL1021"),
        ("tables as i64", 1, "I64", json!([2]), i64s(&[8, 8]), "BL1021"),
        ("connections in one row", 0, "U32", json!([4]), u32s(&[0; 4]), "BL1022"),
        ("three inputs", 0, "U32", json!([2, 3]), u32s(&[0; 6]), "BL1022"),
        ("one table short", 1, "U64", json!([1]), u64s(&[8]), "BL1022"),
        ("tables with a second dimension", 1, "U64", json!([2, 1]), u64s(&[8, 8]), "BL1022"),
        ("no nodes", 0, "U32", json!([0, 2]), vec![], "BL1022"),
        ("an index out of range", 0, "U32", json!([2, 2]), u32s(&[0, 1, 2, 4]), "BL1031"),
        ("a negative index", 0, "I64", json!([2, 2]), i64s(&[0, -1, 2, 3]), "BL1031"),
        ("an index that would wrap", 0, "I64", json!([2, 2]), i64s(&[0, 1, 2, 1 << 32]), "BL1031"),
        ("bits above the table", 1, "U64", json!([2]), u64s(&[8, 16]), "BL1032"),
    ];
    for (what, tensor, dtype, shape, bytes, code) in cases {
        let mut draft = Draft::new();
        draft.tensors[tensor] = (draft.tensors[tensor].0, dtype, shape, bytes);
        assert_eq!(refusal(&draft.bytes()), code, "{what}");
    }
    let mut empty = Draft::new();
    empty.tensors = vec![("c", "U32", json!([0, 2]), vec![]), ("t", "U64", json!([0]), vec![])];
    assert_eq!(refusal(&empty.bytes()), "BL1038");
}

#[test]
fn lies_of_the_encoder() {
    let refused = |dtype, kind, bytes| refusal(&Draft::encoder(dtype, kind, bytes).bytes());
    assert_eq!(refused("u8", "U8", vec![1, 2, 4, 3]), "BL1033");
    assert_eq!(refused("f32", "F32", f32s(&[1.0, 2.0, 4.0, 3.0])), "BL1033");
    assert_eq!(refused("f32", "F32", f32s(&[1.0, f32::NAN, 4.0, 5.0])), "BL1034");
    assert_eq!(refused("f32", "F32", f32s(&[1.0, 2.0, 4.0, f32::INFINITY])), "BL1034");
    assert_eq!(refused("f32", "U8", vec![1, 2, 3, 4]), "BL1021");
    assert_eq!(refused("u8", "I64", i64s(&[0; 4])), "BL1021");
    assert_eq!(refused("bit", "U8", vec![1, 2, 3, 4]), "BL1037");
    let mut draft = Draft::encoder("u8", "U8", vec![0; 4]);
    for (shape, code) in [(json!([4]), "BL1022"), (json!([4, 1]), "BL1022"), (json!([1, 4]), "BL1022")] {
        draft.tensors[0].2 = shape;
        assert_eq!(refusal(&draft.bytes()), code);
    }
    draft.tensors[0] = ("e", "U8", json!([2, 0]), vec![]);
    assert_eq!(refusal(&draft.bytes()), "BL1038");
    draft.model["layers"] =
        json!([{"kind": "thermometer", "thresholds": "e"}, {"kind": "thermometer", "thresholds": "f"}]);
    draft.tensors = vec![("e", "U8", json!([2, 2]), vec![0; 4]), ("f", "U8", json!([2, 2]), vec![0; 4])];
    assert_eq!(refusal(&draft.bytes()), "BL1035");
}

#[test]
fn models_in_memory_are_checked_before_they_are_written() {
    let broken = |layer: Layer| {
        let mut model = small();
        model.layers[1] = layer;
        model.to_bytes().unwrap_err().code.id
    };
    assert_eq!(broken(Layer::Lut { fan_in: 2, connections: vec![0; 7], tables: vec![0; 4] }), "BL1022");
    assert_eq!(broken(Layer::Lut { fan_in: 2, connections: vec![0; 8], tables: vec![0; 3] }), "BL1022");
    assert_eq!(broken(Layer::Lut { fan_in: 0, connections: vec![], tables: vec![] }), "BL1030");
    assert_eq!(broken(Layer::Lut { fan_in: 2, connections: vec![], tables: vec![] }), "BL1038");
    let mut model = small();
    model.layers[0] = Layer::Thermometer { bits: 4, thresholds: Thresholds::U8(vec![0; 7]) };
    assert_eq!(model.validate().unwrap_err().code.id, "BL1022");
}

/// Any model that `validate` accepts, small.
fn models() -> impl Strategy<Value = Model> {
    let encoder = prop_oneof![
        Just(None),
        (1usize..4).prop_map(|bits| Some((Dtype::U8, bits))),
        (1usize..4).prop_map(|bits| Some((Dtype::F32, bits))),
    ];
    let luts = proptest::collection::vec((1usize..=9, 1usize..6), 0..3);
    (proptest::collection::vec(1usize..4, 1..=3), encoder, luts, any::<u64>(), 0usize..3).prop_map(
        |(shape, encoder, luts, seed, head)| {
            let mut state = seed | 1;
            let mut next = move || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state >> 16
            };
            let mut width: usize = shape.iter().product();
            let mut layers = Vec::new();
            let dtype = encoder.map_or(Dtype::Bit, |(dtype, _)| dtype);
            if let Some((dtype, bits)) = encoder {
                let mut t: Vec<u8> = (0..width * bits).map(|_| next() as u8).collect();
                t.chunks_exact_mut(bits).for_each(<[u8]>::sort_unstable);
                let thresholds = match dtype {
                    Dtype::U8 => Thresholds::U8(t),
                    _ => Thresholds::F32(t.iter().map(|&t| f32::from(t) / 3.0).collect()),
                };
                width *= bits;
                layers.push(Layer::Thermometer { bits, thresholds });
            }
            for (fan_in, nodes) in luts {
                let connections = (0..nodes * fan_in).map(|_| (next() % width as u64) as u32).collect();
                let tables = (0..nodes * words_per_table(fan_in)).map(|_| next() & table::mask(fan_in)).collect();
                layers.push(Layer::Lut { fan_in, connections, tables });
                width = nodes;
            }
            if head > 0 || layers.is_empty() {
                layers.push(Layer::GroupSum { groups: width });
            }
            if head > 1 {
                layers.push(Layer::Argmax);
            }
            Model { name: "any é".into(), shape, dtype, layers, approximate: (head == 1).then(|| "calibrate".into()) }
        },
    )
}

proptest! {
    #[test]
    fn any_model_comes_back_as_it_was(model in models()) {
        let bytes = model.to_bytes().unwrap();
        prop_assert_eq!(&Model::from_bytes(&bytes, "m").unwrap(), &model);
        prop_assert_eq!(model.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn damaged_files_never_panic(model in models(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut bytes = model.to_bytes().unwrap();
        let i = at.index(bytes.len());
        bytes[i] = byte;
        if let Ok(read) = Model::from_bytes(&bytes, "m") {
            read.validate().unwrap();
        }
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(Model::from_bytes(&bytes, "m").is_err());
    }

    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Model::from_bytes(&bytes, "m").is_err());
    }
}

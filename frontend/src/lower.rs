//! A model as the first level of the IR: one tensor op a layer.

use blc_ir::loc::{ENCODER, HEAD};
use blc_ir::types::{bits_for, bits_for_products};
use blc_ir::{Data, Elem, Func, FuncAttr, FuncKind, Module, OpKind, Resource, ResourceId, Tie, Type, Value};

use crate::model::{Dtype, Layer, Model, TensorNames, Thresholds, words_per_table};

/// The module of a model that [`Model::validate`] accepts (any other gives a module that does not verify).
///
/// Its function `net` takes `x`, one sample flat as `[features]` of u8, f32 or bits, and gives `class` and `score`, or `score` without
/// an argmax, or the bits `y` without a head. Ops come from `encoder`, `layer0`, `layer1`, ... and `head`. Resources refer to
/// the tensors `names` of `file`, a name relative to the folder where the text will be.
pub fn to_ir(model: &Model, file: &str, names: &TensorNames) -> Module {
    let mut lowering = Lowering { module: Module::new(identifier(&model.name)), file };
    let mut f = Func::new("net", FuncKind::Func);
    let elem = match model.dtype {
        Dtype::U8 => Elem::Word(8),
        Dtype::F32 => Elem::F32,
        Dtype::Bit => Elem::Bit,
    };
    let mut value = f.add_param("x", Type::array(elem, &[model.features()]).unwrap_or(Type::BIT));
    if let Some(what) = &model.approximate {
        f.set_attr("approximate", FuncAttr::Str(what.clone()));
    }
    let mut luts = 0;
    let mut scores = None;
    for layer in &model.layers {
        let width = f.ty(value).len();
        value = match layer {
            Layer::Thermometer { bits, thresholds } => {
                let shape = [thresholds.len() / (*bits).max(1), *bits];
                let thresholds = lowering.thresholds(thresholds, shape, names);
                let loc = f.locs.layer(ENCODER);
                f.push1(OpKind::Thermometer { thresholds }, &[value], Type::bits(shape[0] * shape[1]), loc)
            }
            Layer::Code { bits, thresholds, codes } => {
                let steps = codes.len().saturating_sub(1);
                let shape = [thresholds.len() / steps.max(1), steps];
                let thresholds = lowering.thresholds(thresholds, shape, names);
                let codes = lowering.resource("e1".into(), &names.codes, &[codes.len()], Data::U64(codes.clone()));
                let (loc, ty) = (f.locs.layer(ENCODER), Type::bits(shape[0] * bits));
                f.push1(OpKind::Code { bits: *bits as u32, thresholds, codes }, &[value], ty, loc)
            }
            Layer::Lut { .. } => {
                luts += 1;
                lowering.lut(&mut f, value, layer, luts - 1, names)
            }
            Layer::GroupSum { groups } => {
                let sums = group_sum(&mut f, value, *groups);
                scores = Some(sums);
                sums
            }
            Layer::GroupDsp { groups, weights } => {
                let sums = group_sum(&mut f, value, *groups);
                let width = bits_for_products(weights, *groups, f.ty(sums).elem_bits()).unwrap_or(64);
                let shape = [*groups, *groups];
                let weights = lowering.resource("w0".into(), &names.weights, &shape, Data::U32(weights.clone()));
                let ty = Type::array(Elem::Word(width), &[*groups]).unwrap_or(Type::BIT);
                let loc = f.locs.layer(HEAD);
                let products = f.push1(OpKind::MatVec { weights }, &[sums], ty, loc);
                scores = Some(products);
                products
            }
            Layer::Argmax => {
                let ty = Type::word(bits_for(width.saturating_sub(1) as u64));
                let loc = f.locs.layer(HEAD);
                let class = f.push1(OpKind::Argmax { tie: Tie::Lowest }, &[value], ty, loc);
                f.add_result("class", class);
                class
            }
        };
    }
    match scores {
        Some(scores) => f.add_result("score", scores),
        None => f.add_result("y", value),
    }
    lowering.module.funcs.push(f);
    lowering.module
}

fn group_sum(f: &mut Func, bits: Value, groups: usize) -> Value {
    let largest = f.ty(bits).len() / groups.max(1);
    let ty = Type::array(Elem::Word(bits_for(largest as u64)), &[groups]).unwrap_or(Type::BIT);
    let loc = f.locs.layer(HEAD);
    f.push1(OpKind::GroupSum { groups: groups as u32 }, &[bits], ty, loc)
}

struct Lowering<'a> {
    module: Module,
    file: &'a str,
}

impl Lowering<'_> {
    fn resource(&mut self, name: String, tensor: &str, shape: &[usize], data: Data) -> ResourceId {
        self.module.add_resource(Resource::file(name, self.file, tensor, shape, data))
    }

    fn thresholds(&mut self, thresholds: &Thresholds, shape: [usize; 2], names: &TensorNames) -> ResourceId {
        let data = match thresholds {
            Thresholds::U8(t) => Data::U8(t.clone()),
            Thresholds::F32(t) => Data::F32(t.clone()),
        };
        self.resource("e0".into(), &names.thresholds, &shape, data)
    }

    fn lut(&mut self, f: &mut Func, x: Value, layer: &Layer, index: usize, names: &TensorNames) -> Value {
        let Layer::Lut { fan_in, connections, tables } = layer else { return x };
        let nodes = connections.len() / (*fan_in).max(1);
        let (wires, table) = names.luts.get(index).map_or(("", ""), |(wires, table)| (wires, table));
        let shape = [nodes, *fan_in];
        let connections = self.resource(format!("c{index}"), wires, &shape, Data::U32(connections.clone()));
        let shape = [nodes, words_per_table(*fan_in)];
        let shape = if *fan_in <= 6 { &shape[..1] } else { &shape };
        let tables = self.resource(format!("t{index}"), table, shape, Data::U64(tables.clone()));
        let loc = f.locs.layer(&format!("layer{index}"));
        f.push1(OpKind::LutDense { k: *fan_in as u8, connections, tables }, &[x], Type::bits(nodes), loc)
    }
}

/// A name of letters, digits and `_` that does not begin with a digit; anything else becomes `_`.
pub fn identifier(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let digit = name.starts_with(|c: char| c.is_ascii_digit());
    let prefix = if digit || name.is_empty() { "_" } else { "" };
    prefix.chars().chain(name.chars().map(plain)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use blc_ir::diag::Source;
    use blc_ir::eval::{Val, evaluate};
    use blc_ir::parse::parse;
    use blc_ir::verify::verify;

    use super::*;
    use crate::model::load_resources;

    /// Two features; layer 0: x0 > 9 AND x1 > 0, x0 > 19 XOR x1 > 2; layer 1: three copies of both.
    fn model(dtype: Dtype) -> Model {
        let thresholds = match dtype {
            Dtype::U8 => Thresholds::U8(vec![9, 19, 0, 2]),
            _ => Thresholds::F32(vec![9.0, 19.5, 0.0, 2.0]),
        };
        Model {
            name: "two-layers".into(),
            shape: vec![1, 2],
            dtype,
            layers: vec![
                Layer::Thermometer { bits: 2, thresholds },
                Layer::Lut { fan_in: 2, connections: vec![0, 2, 1, 3], tables: vec![0x8, 0x6] },
                Layer::Lut { fan_in: 1, connections: vec![0, 0, 0, 1, 1, 1], tables: vec![2; 6] },
                Layer::GroupSum { groups: 2 },
                Layer::Argmax,
            ],
            approximate: None,
        }
    }

    fn lowered(model: &Model) -> Module {
        let module = to_ir(model, "m.safetensors", &TensorNames::standard(model));
        assert_eq!(verify(&module).iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
        module
    }

    fn run(module: &Module, input: Val) -> Vec<Val> {
        evaluate(module, module.top().unwrap(), &[input]).unwrap()
    }

    #[test]
    fn computes_what_the_model_says() {
        let module = lowered(&model(Dtype::U8));
        for (x, class, score) in
            [([9, 5], 1, [0, 3]), ([10, 1], 0, [3, 0]), ([20, 1], 0, [3, 3]), ([20, 3], 0, [3, 0]), ([0, 0], 0, [0, 0])]
        {
            let expected = vec![Val::Packed(vec![class]), Val::Packed(score.to_vec())];
            assert_eq!(run(&module, Val::Packed(x.to_vec())), expected, "{x:?}");
        }
        let module = lowered(&model(Dtype::F32));
        assert_eq!(run(&module, Val::F32(vec![19.5, 0.5])), [Val::Packed(vec![0]), Val::Packed(vec![3, 0])]);
    }

    #[test]
    fn codes_and_weights() {
        // Feature 0 in Gray code, feature 1 likewise; each class counts the bits of a feature, weighted.
        let thresholds = Thresholds::F32(vec![1.0, 2.0, 3.0, -1.0, 0.0, 1.0]);
        let model = Model {
            name: "coded".into(),
            shape: vec![2],
            dtype: Dtype::F32,
            layers: vec![
                Layer::Code { bits: 2, thresholds, codes: vec![0, 1, 3, 2] },
                Layer::Lut { fan_in: 1, connections: vec![0, 1, 2, 3], tables: vec![2; 4] },
                Layer::GroupDsp { groups: 2, weights: vec![3, 0, 1, 7] },
                Layer::Argmax,
            ],
            approximate: None,
        };
        let module = lowered(&model);
        for (x, class, score) in [
            ([0.0, -5.0], 0, [0, 0]),
            ([1.5, -1.0], 0, [3, 1]),
            ([2.5, -0.5], 1, [6, 2 + 7]),
            ([9.0, 0.5], 1, [3, 1 + 14]),
        ] {
            assert_eq!(
                run(&module, Val::F32(x.to_vec())),
                [Val::Packed(vec![class]), Val::Packed(score.to_vec())],
                "{x:?}"
            );
        }
    }

    #[test]
    fn parts_of_a_model() {
        let logic = lowered(&model(Dtype::U8).without_encoder().without_head());
        assert_eq!(run(&logic, Val::Packed(vec![1, 1, 1, 0])), [Val::Packed(vec![1, 1, 1, 1, 1, 1])]);
        let f = logic.top().unwrap();
        assert_eq!((f.results[0].name.as_str(), f.op_count()), ("y", 2));
        let mut scores = model(Dtype::U8);
        scores.layers.pop();
        let module = lowered(&scores);
        assert_eq!(run(&module, Val::Packed(vec![10, 1])), [Val::Packed(vec![3, 0])]);
    }

    #[test]
    fn wide_tables() {
        let mut wide = model(Dtype::U8).without_encoder().without_head();
        let connections = vec![0, 1, 2, 3, 0, 1, 2];
        wide.layers = vec![Layer::Lut { fan_in: 7, connections, tables: vec![0, 1 << 63] }];
        let module = lowered(&wide);
        assert_eq!(run(&module, Val::Packed(vec![1, 1, 1, 1])), [Val::Packed(vec![1])]);
        assert_eq!(run(&module, Val::Packed(vec![1, 1, 1, 0])), [Val::Packed(vec![0])]);
    }

    #[test]
    fn the_text_names_layers_and_tensors() {
        let text = lowered(&model(Dtype::U8)).to_string();
        for part in [
            "module @two_layers {",
            "#e0 = resource \"m.safetensors\"::\"enc.thresholds\" sha256:",
            "#t1 = resource \"m.safetensors\"::\"l1.tables\" sha256:",
            "func @net(%x: u8[2]) -> (%class: u1, %score: u2[2]) {",
            "loc(\"encoder\")",
            "loc(\"layer0\")",
            "loc(\"layer1\")",
            "loc(\"head\")",
        ] {
            assert!(text.contains(part), "{part} not in\n{text}");
        }
    }

    #[test]
    fn a_text_finds_its_data_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let model = model(Dtype::F32);
        model.write(&path).unwrap();
        let module = lowered(&model);
        let text = module.to_string();
        let load = |text: &str, folder: &Path| {
            let mut module = parse(&Source::new("m.blir", text)).map_err(|e| e[0].code.id)?;
            load_resources(&mut module, folder).map_err(|e| e.code.id).map(|()| module)
        };
        let loaded = load(&text, dir.path()).unwrap();
        assert_eq!(loaded.resources, module.resources);
        assert_eq!(verify(&loaded).len(), 0);
        assert_eq!(load(&text, &dir.path().join("elsewhere")).unwrap_err(), "BL1001");
        assert_eq!(load(&text.replace("l0.tables", "l9.tables"), dir.path()).unwrap_err(), "BL1020");
        assert_eq!(load(&text.replace("l0.tables", "l1.tables"), dir.path()).unwrap_err(), "BL1024");
        let mut changed = model;
        changed.layers[1] = Layer::Lut { fan_in: 2, connections: vec![0, 2, 1, 3], tables: vec![0x8, 0x7] };
        changed.write(&path).unwrap();
        assert_eq!(load(&text, dir.path()).unwrap_err(), "BL1024");
        std::fs::write(&path, "no model").unwrap();
        assert_eq!(load(&text, dir.path()).unwrap_err(), "BL1010");
    }

    #[test]
    fn names_become_identifiers() {
        for (name, expected) in
            [("mnist-s", "mnist_s"), ("4x1000", "_4x1000"), ("", "_"), ("é b", "__b"), ("ok_1", "ok_1")]
        {
            assert_eq!(identifier(name), expected);
        }
    }
}

use std::fmt::Write;

use blc_ir::FuncKind;
use blc_ir::diag::Result;
use blc_ir::eval::{self, Val};
use blc_ir::{Module, OpKind, verify::verify};
use proptest::prelude::*;

use super::{import, parse};
use crate::data::Npz;
use crate::lower;
use crate::model::{Dtype, Layer, Model, TensorNames};

fn net(text: &str) -> Module {
    let module = import(text, "dir/a.blif").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(verify(&module).iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    module
}

/// Outputs for an input of which bit `i` is input `i`.
fn outputs(module: &Module, input: u32) -> Vec<bool> {
    let f = module.top().unwrap();
    let inputs: Vec<Val> = (0..f.params.len()).map(|i| Val::bit(input >> i & 1 == 1)).collect();
    eval::evaluate(module, f, &inputs).unwrap().iter().map(|v| *v == Val::bit(true)).collect()
}

#[test]
fn a_full_adder() {
    let text = "# carry and sum\n.model add-1\n.inputs a b \\\n  c\n.outputs s co\n.names a b c s\n100 1\n010 1\n001 1\n111 1\n\
                .names a b c co\n00- 0\n0-0 0\n-00 0\n.end\n";
    for text in [text.to_owned(), text.replace('\n', "\r\n"), text.replace(".end\n", "")] {
        let module = net(&text);
        assert_eq!(module.name, "add_1");
        let f = module.top().unwrap();
        let names = |ports: &[blc_ir::Port]| ports.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            (names(&f.params), names(&f.results)),
            (vec!["a".into(), "b".into(), "c".into()], vec!["s".into(), "co".into()])
        );
        for input in 0..8u32 {
            let ones = input.count_ones();
            assert_eq!(outputs(&module, input), [ones & 1 == 1, ones >= 2]);
        }
        let printed = module.to_string();
        assert!(printed.contains("%s = lut(%a, %b, %c) {table = 0x96} : bit loc(\"a.blif\":6)"), "{printed}");
    }
}

#[test]
fn constants_buffers_and_ports() {
    let text = ".inputs a\n.inputs spare b\n.outputs one zero\n.outputs a na empty\n.names one\n1\n.names zero\n0\n.names a na\n0 1\n.names empty\n";
    let module = net(text);
    assert_eq!(module.name, "a", "the file's name stands in for .model");
    assert_eq!(outputs(&module, 0), [true, false, false, true, false]);
    assert_eq!(outputs(&module, 7), [true, false, true, false, false]);
    let f = module.top().unwrap();
    assert_eq!(f.results[2].value, f.params[0].value, "an output that is an input");
    assert_eq!(f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Const { .. })).count(), 3);
}

#[test]
fn gates_may_stand_in_any_order() {
    let text = ".inputs a b\n.outputs z\n.names y b z\n11 1\n.names x y\n0 1\n.names a x\n1 1\n.end";
    let module = net(text);
    let lines: Vec<String> =
        module.to_string().lines().filter_map(|l| Some(l.split_once("\"a.blif\":")?.1.to_owned())).collect();
    assert_eq!(lines, ["7)", "5)", "3)"]);
    assert_eq!((0..4).map(|i| outputs(&module, i)[0]).collect::<Vec<_>>(), [false, false, true, false]);
}

#[test]
fn a_chain_deeper_than_any_stack() {
    let n = 200_000;
    let mut text = ".inputs x0\n.outputs y\n.names x200000 y\n1 1\n".to_owned();
    for i in (0..n).rev() {
        writeln!(text, ".names x{i} x{}\n0 1", i + 1).unwrap();
    }
    let module = import(&text, "a.blif").unwrap();
    assert_eq!(module.top().unwrap().op_count(), n + 1);
    assert_eq!(outputs(&module, 1), [true]);
}

#[test]
fn what_is_refused() {
    let wide = format!(".inputs a\n.outputs y\n.names{} y\n", " a".repeat(17));
    let long_cycle: String =
        (0..20).fold(".outputs x0\n".into(), |t, i| format!("{t}.names x{} x{i}\n1 1\n", (i + 1) % 20));
    let cases: &[(&str, &str, usize)] = &[
        ("", "BL1115", 1),
        (".model a\n.inputs a\n.end\n", "BL1115", 1),
        ("hello\n", "BL1101", 1),
        (".inputs a\n.names\n", "BL1101", 2),
        (".model a b\n", "BL1101", 1),
        (".inputs a\n.outputs a\n.end\n.inputs b\n", "BL1101", 4),
        (".inputs a\n10 1\n", "BL1101", 2),
        (".inputs a\n.outputs y\n.names a y\n1\n", "BL1102", 4),
        (".inputs a\n.outputs y\n.names a y\n11 1\n", "BL1102", 4),
        (".inputs a\n.outputs y\n.names a y\n1 x\n", "BL1102", 4),
        (".inputs a\n.outputs y\n.names a y\n1 -\n", "BL1102", 4),
        (".inputs a\n.outputs y\n.names a y\n2 1\n", "BL1102", 4),
        (".inputs a\n.outputs y\n.names a y\n1 1 1\n", "BL1102", 4),
        (".inputs a\n.outputs y\n.names a y\né 1\n", "BL1102", 4),
        (".outputs y\n.names y\n1 1\n", "BL1102", 3),
        (".inputs a\n.outputs y\n.names a y\n1 1\n0 0\n", "BL1103", 5),
        (".outputs y\n.names y\n1\n0\n", "BL1103", 4),
        (".inputs a c\n.latch a b fe c 0\n", "BL1104", 2),
        (".inputs a c d\n.outputs b\n.latch a b re c 0\n.latch a e re d 0\n", "BL1104", 4),
        (".inputs a c\n.outputs b\n.latch c b re c 0\n", "BL1104", 1),
        (".inputs a\n.outputs b\n.names a c\n1 1\n.latch a b re c 0\n", "BL1104", 3),
        (".inputs a\n.mlatch a b 0\n", "BL1104", 2),
        (".inputs a\n.latch a\n", "BL1101", 2),
        (".inputs a\n.latch a b 7\n", "BL1101", 2),
        (".inputs a\n.outputs b\n.latch x b\n", "BL1110", 3),
        (".inputs a\n.outputs b\n.latch a b\n.latch a b\n", "BL1111", 4),
        (".inputs a\n.subckt x y=a\n", "BL1105", 2),
        (".inputs a\n.gate NAND2 A=a\n", "BL1106", 2),
        (".inputs a\n.exdc\n", "BL1107", 2),
        (".model a\n.inputs a\n.model b\n", "BL1108", 3),
        (".model a\n.inputs a\n.outputs a\n.end\n.model b\n", "BL1108", 5),
        (&wide, "BL1109", 3),
        (".inputs a\n.outputs y\n.names a b y\n11 1\n", "BL1110", 3),
        (".inputs a\n.outputs a \\\n y\n", "BL1110", 3),
        (".inputs a b a\n", "BL1111", 1),
        (".inputs a\n.names a\n1\n", "BL1111", 2),
        (".inputs a\n.outputs y\n.names a y\n1 1\n.names a y\n0 1\n", "BL1111", 5),
        (".inputs a\n.outputs y\n.names a z y\n11 1\n.names y z\n1 1\n", "BL1112", 3),
        (".outputs y\n.names y y\n1 1\n", "BL1112", 2),
        (&long_cycle, "BL1112", 2),
        (".inputs a\n.outputs a b a\n", "BL1113", 2),
    ];
    for (text, code, line) in cases {
        let e = import(text, "a.blif").map(|m| m.to_string()).expect_err(text);
        assert_eq!((e.code.id, e.record().line), (*code, Some(*line)), "{text}\n{e}");
        assert!(e.to_string().contains("a.blif"), "{e}");
    }
}

#[test]
fn a_cycle_is_named() {
    let text = ".inputs a\n.outputs w\n.names x a w\n11 1\n.names y x\n1 1\n.names z y\n1 1\n.names x z\n1 1\n";
    let e = import(text, "a").unwrap_err();
    assert_eq!(e.message, "a combinational cycle: `x` reads `y` reads `z` reads `x`");
}

#[test]
fn tables_cannot_fill_the_memory() {
    let gates: String = (0..3).map(|i| format!(".names{} y{i}\n", " a".repeat(16))).collect();
    let text = format!(".inputs a\n.outputs y0\n{gates}");
    assert!(parse::parse_with(&text, 3 << 10).is_ok());
    let e = parse::parse_with(&text, (3 << 10) - 1).err().unwrap().in_source(&blc_ir::diag::Source::new("a", &text));
    assert_eq!((e.code.id, e.record().line), ("BL1114", Some(5)));
}

#[test]
fn wide_gates() {
    // 1 where the 16 inputs are 1 at exactly one place, by 16 cubes.
    let mut text =
        format!(".inputs{0}\n.outputs y\n.names{0} y\n", (0..16).map(|i| format!(" x{i}")).collect::<String>());
    for i in 0..16 {
        writeln!(text, "{}1{} 1", "0".repeat(i), "0".repeat(15 - i)).unwrap();
    }
    let module = net(&text);
    for input in [0u32, 1, 2, 1 << 15, 3, 0x8001, 0xffff, 0x40] {
        assert_eq!(outputs(&module, input), [input.count_ones() == 1], "{input:#x}");
    }
}

/// The BLIF of a model that ends in bits, written without any of the code under test: a line for every 1 of a table.
fn blif_of(model: &Model) -> String {
    let ports = |prefix: &str, n: usize| (0..n).map(|i| format!(" {prefix}{i}")).collect::<String>();
    let last = model.layers.len();
    let outputs = ports(&format!("n{last}_"), model.width_after(last));
    let mut text = format!(".model m\n.inputs{}\n.outputs{outputs}\n", ports("n0_", model.features()));
    for (l, layer) in model.layers.iter().enumerate() {
        let Layer::Lut { fan_in, connections, tables } = layer else { panic!("only LUT layers") };
        for (node, wires) in connections.chunks(*fan_in).enumerate() {
            let inputs: String = wires.iter().map(|w| format!(" n{l}_{w}")).collect();
            writeln!(text, ".names{inputs} n{}_{node}", l + 1).unwrap();
            for a in (0..1usize << fan_in).filter(|a| tables[node] >> a & 1 == 1) {
                let cube: String = (0..*fan_in).map(|j| if a >> j & 1 == 1 { '1' } else { '0' }).collect();
                writeln!(text, "{cube} 1").unwrap();
            }
        }
    }
    text + ".end\n"
}

/// Both modules on the same input bits: one takes an array, the other a port a bit.
fn agree(model: &Module, netlist: &Module, bits: &[u64]) -> bool {
    let single: Vec<Val> = bits.iter().map(|&b| Val::bit(b == 1)).collect();
    let one = eval::evaluate(model, model.top().unwrap(), &[Val::Packed(bits.to_vec())]).unwrap();
    let many = eval::evaluate(netlist, netlist.top().unwrap(), &single).unwrap();
    let many: Vec<u64> = many.iter().map(|v| u64::from(*v == Val::bit(true))).collect();
    one == [Val::Packed(many)]
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn check(model: &Model, text: &str, samples: usize) {
    let ir = lower::to_ir(model, "m.safetensors", &TensorNames::standard(model));
    assert_eq!(verify(&ir).len(), 0);
    let netlist = import(text, "a.blif").unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..samples {
        let bits: Vec<u64> = (0..model.features()).map(|_| random(&mut state) >> 40 & 1).collect();
        assert!(agree(&ir, &netlist, &bits));
    }
}

/// Trained networks: the tables of the .npz against the netlist that another program wrote of it, where they are at hand.
/// A random network stands in for them elsewhere, and is checked everywhere.
#[test]
fn a_network_and_its_netlist_agree() {
    let mut state = 7;
    let layers = [(6, 300), (2, 200), (4, 50), (1, 9)].iter().scan(40, |width, &(fan_in, nodes)| {
        let connections = (0..fan_in * nodes).map(|_| (random(&mut state) % *width) as u32).collect();
        let tables = (0..nodes).map(|_| random(&mut state) & blc_ir::table::mask(fan_in)).collect();
        *width = nodes as u64;
        Some(Layer::Lut { fan_in, connections, tables })
    });
    let model = Model {
        name: "random".into(),
        shape: vec![40],
        dtype: Dtype::Bit,
        layers: layers.collect(),
        approximate: None,
    };
    check(&model, &blif_of(&model), 50);

    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/bench/nets");
    for (name, inputs, layers) in [("lut6_2x300", 192, 2), ("dlgn2_4x1000", 192, 4)] {
        let Ok(bytes) = std::fs::read(folder.join(format!("{name}.npz"))) else { continue };
        let mut npz = Npz::open(&bytes, name).unwrap();
        let layers = (0..layers).map(|i| {
            let (wires, tables) = (npz.get(&format!("C{i}")).unwrap(), npz.get(&format!("T{i}")).unwrap());
            let rows = tables.data.to_f64();
            let bits = |row: &[f64]| row.iter().enumerate().fold(0u64, |t, (a, &bit)| t | (bit as u64) << a);
            Layer::Lut {
                fan_in: wires.shape[1],
                connections: wires.data.to_f64().iter().map(|&w| w as u32).collect(),
                tables: rows.chunks(tables.shape[1]).map(bits).collect(),
            }
        });
        let model = Model {
            name: name.into(),
            shape: vec![inputs],
            dtype: Dtype::Bit,
            layers: layers.collect(),
            approximate: None,
        };
        check(&model, &std::fs::read_to_string(folder.join(format!("{name}.blif"))).unwrap(), 100);
    }
}

/// Real netlists, or where they are not at hand one made here.
fn real() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/bench");
    let files = ["epfl", "nets"].iter().filter_map(|f| std::fs::read_dir(folder.join(f)).ok()).flatten();
    let mut found: Vec<(String, String)> = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "blif"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    if found.is_empty() {
        let mut text = ".inputs x0 x1\n.outputs x99999\n".to_owned();
        for i in 2..100_000 {
            writeln!(text, ".names x{} x{} x{i}\n10 1\n01 1", i - 1, i - 2).unwrap();
        }
        found.push(("made.blif".into(), text));
    }
    found
}

#[test]
fn real_netlists_verify() -> Result<()> {
    for (name, text) in real() {
        let start = std::time::Instant::now();
        let module = import(&text, &name)?;
        let seconds = start.elapsed().as_secs_f64();
        assert!(seconds < 1.0, "{name} took {seconds} s");
        assert_eq!(verify(&module).len(), 0, "{name}");
        let names = text.matches(".names").count();
        assert_eq!(module.top().unwrap().op_count(), names, "{name}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn damage_never_panics(at: prop::sample::Index, with in prop::sample::select(vec!["\\", "\n", ".", " ", "#", "\u{e9}", "1", ".names"]), cut: prop::sample::Index) {
        let text = ".model m\n.inputs a b\n.outputs y z\n.names a b y\n1- 1\n-1 1\n.names y z\n0 1\n.end\n";
        let mut damaged = text.to_owned();
        damaged.insert_str(at.index(text.len()), with);
        if let Ok(module) = import(&damaged, "a") {
            prop_assert_eq!(verify(&module).len(), 0);
        }
        let _ = import(&text[..cut.index(text.len())], "a");
    }
}

/// A counter of two bits with a wide gate in it, which an input holds: registers read what comes later.
#[test]
fn latches_become_registers() {
    let text = ".model count\n.inputs c hold a b d e f\n.outputs q0 q1 all\n.latch n0 q0 re c 1\n.latch n1 q1 re c\n\
                .names hold q0 n0\n00 1\n11 1\n.names hold q0 q1 n1\n010 1\n001 1\n1-1 1\n\
                .names a b d e f q0 q1 all\n1111111 1\n.end\n";
    let module = net(text);
    let f = module.top().unwrap();
    assert_eq!(f.kind, FuncKind::HwModule);
    assert_eq!(f.params.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["c", "hold", "a", "b", "d", "e", "f"]);
    assert!(blc_ir::verify::verify_func(&module, f).is_empty());
    let mut machine = eval::Machine::new(&module, f).unwrap();
    let mut step = |hold: bool| {
        let inputs: Vec<Val> = [hold, true, true, true, true, true].map(Val::bit).into();
        let out: Vec<bool> = machine.step(&inputs).unwrap().iter().map(|v| *v == Val::bit(true)).collect();
        (u8::from(out[0]) + 2 * u8::from(out[1]), out[2])
    };
    let counts: Vec<_> = [false, false, true, true, false, false, false].map(&mut step).into();
    assert_eq!(counts, [(1, false), (2, false), (3, true), (3, true), (3, true), (0, false), (1, false)]);
}

/// Ports of hardware all differ; found by fuzzing.
#[test]
fn an_output_that_is_an_input_beside_latches() {
    let module = net(".inputs c a\n.outputs a q a_out\n.latch a q re c 0\n.names a a_out\n0 1\n.end\n");
    let names: Vec<&str> = module.top().unwrap().results.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["a_out", "q", "a_out_out"]);
}

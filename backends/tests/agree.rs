//! Every engine, the emitted Rust and the emitted Verilog in Icarus say the same of random designs.
#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::Write;
use std::path::Path;

use blc_backends::emit::Format;
use blc_backends::sim::{Engine, Input, Layout, Machine, Outputs, Program, Simulator};
use blc_backends::verilog::testbench::{self, Vector};
use blc_ir::eval::Val;
use blc_ir::{Func, FuncAttr, FuncKind, LocId, Module, OpKind, Type, Value};
use common::{Random, folder, run, write};

/// A design of random ports and tables, of one to six inputs where it has registers, otherwise of one to eight.
fn shaped(seed: u64, stages: u32) -> Module {
    let mut r = Random(seed);
    let mut f = Func::new("net", if stages == 0 { FuncKind::Func } else { FuncKind::HwModule });
    let clk = (stages > 0).then(|| f.add_param("clk", Type::CLOCK));
    if stages > 0 {
        f.set_attr("latency", FuncAttr::Int(u64::from(stages)));
    }
    let (features, width) = (1 + r.below(5), 1 + r.below(8));
    let x = f.add_param("x", Type::array(blc_ir::Elem::Word(width as u8), &[features]).unwrap());
    let mut nets: Vec<Value> = (0..features * width).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
    for stage in 0..=stages {
        for _ in 0..10 + r.below(25) {
            let k = 1 + r.below(if stages == 0 { 8 } else { 6 });
            let inputs: Vec<Value> = (0..k).map(|_| nets[r.below(nets.len())]).collect();
            let table: Vec<u64> = (0..4).map(|_| r.next()).collect();
            nets.push(match k {
                1..=6 => f.lut(table[0] & blc_ir::table::mask(k), &inputs, LocId::UNKNOWN),
                _ => f.lut_wide(&table[..1 << (k - 6)], &inputs, LocId::UNKNOWN),
            });
        }
        if let Some(clk) = clk.filter(|_| stage < stages) {
            nets.iter_mut().for_each(|v| *v = f.reg(*v, clk, stage + 1, LocId::UNKNOWN));
        }
    }
    let (rest, last) = nets.split_at(nets.len() - 1 - r.below(8));
    let class = f.pack(last, Type::word(last.len() as u8), LocId::UNKNOWN);
    f.add_result("class", class);
    let rest = f.pack(rest, Type::bits(rest.len()), LocId::UNKNOWN);
    f.add_result("rest", rest);
    common::module("net", f)
}

/// A machine with feedback.
fn feedback(seed: u64) -> Module {
    let mut r = Random(seed);
    let mut f = Func::new("machine", FuncKind::HwModule);
    let clk = f.add_param("clk", Type::CLOCK);
    let x = f.add_param("x", Type::bits(4));
    let mut nets: Vec<Value> = (0..4).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
    let registers: Vec<Value> = (0..6)
        .map(|i| f.push1(OpKind::Reg { stage: 0, init: i % 2 == 0 }, &[clk, clk], Type::BIT, LocId::UNKNOWN))
        .collect();
    nets.extend(&registers);
    for _ in 0..20 {
        let inputs: Vec<Value> = (0..4).map(|_| nets[r.below(nets.len())]).collect();
        nets.push(f.lut(r.next() & 0xffff, &inputs, LocId::UNKNOWN));
    }
    for q in registers {
        let d = nets[10 + r.below(20)];
        let op = f.def_op(q).unwrap();
        f.set_operands(op, &[d, clk]);
    }
    let y = f.pack(&nets[4..20], Type::bits(16), LocId::UNKNOWN);
    f.add_result("y", y);
    common::module("machine", f)
}

fn random_rows(r: &mut Random, layout: &Layout, samples: usize) -> Vec<u64> {
    let widths: Vec<u8> = layout.ports().iter().flat_map(|p| p.columns.clone().map(|_| p.width)).collect();
    (0..samples).flat_map(|_| widths.iter().map(|w| r.next() >> (64 - w)).collect::<Vec<_>>()).collect()
}

fn vals(layout: &Layout, numbers: &[u64]) -> Vec<Val> {
    layout.ports().iter().map(|p| Val::Packed(numbers[p.columns.clone()].to_vec())).collect()
}

fn row(outputs: &Outputs, sample: usize) -> Vec<u64> {
    (0..outputs.layout().columns()).map(|c| outputs.get(sample, c)).collect()
}

/// Numbers as bits, each element's lowest first.
fn bits(layout: &Layout, numbers: &[u64]) -> String {
    let mut text = String::new();
    for port in layout.ports() {
        for c in port.columns.clone() {
            (0..port.width).for_each(|b| text.push(if numbers[c] >> b & 1 == 1 { '1' } else { '0' }));
        }
    }
    text
}

/// A program that compares what the emitted Rust gives with what it should give, in batches, cycles and one by one.
fn harness(name: &str, pipeline: bool, inputs: &Layout, rows: &[u64], outputs: &[Vec<u64>], layout: &Layout) -> String {
    let columns = inputs.columns();
    let mut text = "const CASES: &[(&str, &str, &[u64], u64)] = &[\n".to_owned();
    for (sample, expected) in outputs.iter().enumerate() {
        let x = &rows[sample * columns..][..columns];
        let class = layout.port("class").map_or(0, |p| expected[p.columns.start]);
        writeln!(text, "    (\"{}\", \"{}\", &{x:?}, {class}),", bits(inputs, x), bits(layout, expected)).unwrap();
    }
    text += "];\n";
    let cycles = if pipeline { format!("{name}::LATENCY") } else { "0".into() };
    write!(
        text,
        "
use {name}::*;
fn bit(text: &str, b: usize) -> bool {{ text.as_bytes()[b] == b'1' }}
fn main() {{
    let mut state = reset::<u64>();
    let steps = if CASES.is_empty() {{ 0 }} else {{ CASES.len() + {cycles} }};
    for t in 0..steps {{
        let case = CASES[t.min(CASES.len() - 1)];
        let mut x = [0; INPUTS];
        for b in 0..INPUTS {{ x[b] = if bit(case.0, b) {{ !0 }} else {{ 0 }}; }}
        let y = step(&mut state, &x);
        if t >= {cycles} {{
            for b in 0..OUTPUTS {{ assert_eq!(y[b], if bit(CASES[t - {cycles}].1, b) {{ !0 }} else {{ 0 }}, \"step {{t}} {{b}}\"); }}
        }}
    }}
"
    )
    .unwrap();
    if pipeline {
        text += "
    for cases in CASES.chunks(128) {
        let mut x = [Lanes([0u64; 2]); INPUTS];
        for (s, case) in cases.iter().enumerate() {
            for b in 0..INPUTS { x[b].0[s / 64] |= (bit(case.0, b) as u64) << (s % 64); }
        }
        let y = eval(&x);
        for (s, case) in cases.iter().enumerate() {
            for b in 0..OUTPUTS { assert_eq!(y[b].0[s / 64] >> (s % 64) & 1 == 1, bit(case.1, b), \"eval {s} {b}\"); }
        }
    }
    for case in CASES {
        let features: Vec<u8> = case.2.iter().map(|&x| x as u8).collect();
        let answer = predict(&features);
        if CLASSES { assert_eq!(answer as u64, case.3, \"predict\"); }
    }
";
        let classes = layout.port("class").is_some();
        text = format!("const CLASSES: bool = {classes};\n{text}");
    }
    text += "    println!(\"{} cases\", CASES.len());\n}\n";
    text
}

/// Compiles the emitted Rust and the harness; the harness's answer.
fn run_rust(folder: &Path, module: &Module, harness: &str) -> (bool, String) {
    let source = write(folder, module, Format::Rust).remove(0);
    std::fs::write(folder.join("main.rs"), harness).unwrap();
    let name = source.trim_end_matches(".rs");
    let lib = ["--edition", "2021", "--crate-type", "rlib", "-C", "opt-level=1", "-D", "warnings", &source];
    let (ok, text) = run(folder, "rustc", &lib);
    assert!(ok && text.is_empty(), "{text}");
    let external = format!("{name}=lib{name}.rlib");
    let (ok, text) = run(folder, "rustc", &["--edition", "2021", "main.rs", "--extern", &external, "-o", "main"]);
    assert!(ok, "{text}");
    run(folder, "./main", &[])
}

/// What Icarus says of vectors.
fn run_icarus(folder: &Path, module: &Module, vectors: &[Vector]) -> String {
    let mut sources = write(folder, module, Format::Verilog);
    std::fs::write(folder.join("tb.v"), testbench::emit(module, vectors).unwrap()).unwrap();
    std::fs::write(folder.join("vectors.hex"), testbench::hex_vectors(module, vectors).unwrap()).unwrap();
    sources.push("tb.v".into());
    let mut compile = vec!["-g2001", "-o", "tb.vvp"];
    compile.extend(sources.iter().map(String::as_str));
    let (ok, text) = run(folder, "iverilog", &compile);
    assert!(ok, "{text}");
    run(folder, "vvp", &["-n", "tb.vvp", "+vectors=vectors.hex"]).1
}

#[test]
fn all_say_the_same() {
    for seed in 1..=8u64 {
        let module = if seed % 2 == 0 {
            shaped(seed, seed as u32 / 2 % 3)
        } else {
            common::random(seed, seed as u32 % 4, seed % 3 == 0)
        };
        let f = module.top().unwrap();
        let samples = [577, 0, 1, 131, 63, 1025, 513, 777][seed as usize - 1];
        let reference = Simulator::new(&module, f, Engine::Reference).unwrap();
        let rows = random_rows(&mut Random(seed ^ 0x5eed), reference.inputs(), samples);
        let expected = reference.run(&Input::u64(samples, &rows)).unwrap();
        for engine in Engine::ALL.into_iter().filter(|e| e.is_available()) {
            let given = Simulator::new(&module, f, engine).unwrap().run(&Input::u64(samples, &rows)).unwrap();
            assert_eq!(given, expected, "seed {seed}, {engine}");
        }
        let outputs: Vec<Vec<u64>> = (0..samples).map(|s| row(&expected, s)).collect();
        let (inputs, layout) = (reference.inputs(), reference.outputs());
        let dir = folder(&format!("agree{seed}"));
        let text = harness(&module.name, true, inputs, &rows, &outputs, layout);
        assert_eq!(run_rust(&dir, &module, &text), (true, format!("{samples} cases\n")), "seed {seed}");
        if samples > 0 {
            let columns = inputs.columns();
            let vector = |s: usize| Vector {
                inputs: vals(inputs, &rows[s * columns..][..columns]),
                outputs: vals(layout, &outputs[s]),
            };
            let vectors: Vec<Vector> = (0..samples).map(vector).collect();
            let said = run_icarus(&dir, &module, &vectors);
            assert!(said.contains(&format!("PASS {samples} vectors")), "seed {seed}: {said}");
        }
    }
}

/// The harness and Icarus notice a wrong table bit.
#[test]
fn a_flipped_bit_is_noticed() {
    let module = shaped(8, 0);
    let f = module.top().unwrap();
    let simulator = Simulator::new(&module, f, Engine::Auto).unwrap();
    let rows = random_rows(&mut Random(3), simulator.inputs(), 400);
    let expected = simulator.run(&Input::u64(400, &rows)).unwrap();
    let outputs: Vec<Vec<u64>> = (0..400).map(|s| row(&expected, s)).collect();
    let text = harness(&module.name, true, simulator.inputs(), &rows, &outputs, simulator.outputs());
    let mut wrong = module.clone();
    let f = wrong.top_mut().unwrap();
    let last = f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Lut { .. })).map(|(id, _)| id).next_back().unwrap();
    let OpKind::Lut { table } = f.op(last).kind else { unreachable!() };
    let k = f.op(last).operands.len();
    f.set_kind(last, OpKind::Lut { table: !table & blc_ir::table::mask(k) });
    let (ok, said) = run_rust(&folder("agree_wrong"), &wrong, &text);
    assert!(!ok && said.contains("step"), "{said}");
}

#[test]
fn machines_agree_with_the_emitted_rust() {
    for seed in [5, 6] {
        let module = feedback(seed);
        let program = Program::compile(&module, module.top().unwrap()).unwrap();
        let cycles = 200;
        let rows = random_rows(&mut Random(seed), program.inputs(), cycles);
        let columns = program.inputs().columns();
        let run_machine = |mut machine: Machine| -> Vec<Vec<u64>> {
            let step = |c: usize| row(&machine.step(&Input::u64(1, &rows[c * columns..][..columns])).unwrap(), 0);
            (0..cycles).map(step).collect()
        };
        let outputs = run_machine(Machine::new(&program));
        assert_eq!(run_machine(Machine::with_probes(&program, Engine::Auto, &[]).unwrap()), outputs);
        let text = harness(&module.name, false, program.inputs(), &rows, &outputs, program.outputs());
        let dir = folder(&format!("agree_machine{seed}"));
        assert_eq!(run_rust(&dir, &module, &text), (true, format!("{cycles} cases\n")));
    }
}

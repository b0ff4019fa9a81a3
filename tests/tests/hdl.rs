//! What is emitted, through tools that others wrote: Verilator, Icarus, Yosys, ABC. And one flipped table bit, which each of
//! them must catch.

mod common;

use std::path::Path;

use blc_backends::emit::{Format, Options};
use blc_backends::sim::{Engine, Input, Simulator};
use blc_backends::verilog::testbench::{Vector, hex_vectors};
use blc_ir::eval::Val;
use blc_ir::{Module, OpId, OpKind};
use common::{compile, design, equivalent, golden, golden_samples, report, tool};
use tempfile::tempdir;

/// Runs the emitted testbench on every test sample of the digits; gives its verdict.
fn icarus(dir: &Path, module: &Module) -> String {
    let vectors: Vec<Vector> =
        golden_samples().into_iter().map(|(inputs, outputs)| Vector { inputs, outputs }).collect();
    assert!(vectors.len() >= 1000);
    std::fs::write(dir.join("all.hex"), hex_vectors(module, &vectors).expect("vectors")).expect("written");
    let mut files: Vec<String> = ["digits.v", "digits_tb.v"].map(String::from).into();
    files.extend(dir.join("xc7_sim.v").exists().then(|| "xc7_sim.v".into()));
    let mut arguments = vec!["-g2001", "-o", "tb.vvp"];
    arguments.extend(files.iter().map(String::as_str));
    tool(dir, "iverilog", &arguments);
    let text = tool(dir, "vvp", &["-n", "tb.vvp", "+vectors=all.hex"]);
    text.lines().last().unwrap_or_default().to_string()
}

fn lint(dir: &Path) {
    let mut arguments = vec!["--lint-only", "-Wall", "--top-module", "digits", "digits.v"];
    if dir.join("xc7_sim.v").exists() {
        arguments.push("xc7_sim.v");
    }
    let text = tool(dir, "verilator", &arguments);
    assert!(!text.contains("%Warning"), "{text}");
}

fn yosys(dir: &Path) {
    let models = if dir.join("xc7_sim.v").exists() { "read_verilog xc7_sim.v; " } else { "" };
    let script = format!("{models}read_verilog digits.v; hierarchy -check -top digits; proc; check -assert; stat");
    let text = tool(dir, "yosys", &["-q", "-p", &script]);
    assert!(!text.contains("ERROR"), "{text}");
}

#[test]
fn xc7_verilog_is_clean_and_right_on_every_real_sample() {
    let dir = tempdir().expect("a folder");
    compile(&golden(), dir.path(), &["--target", "xc7"]);
    let module = design(dir.path());
    assert_eq!(icarus(dir.path(), &module), format!("PASS {} vectors", golden_samples().len()));
    lint(dir.path());
    yosys(dir.path());
    let report = report(dir.path());
    assert_eq!(report["latency_cycles"], module.top().expect("a design").latency());
}

#[test]
fn behavioural_verilog_is_clean_and_right_on_every_real_sample() {
    for (target, stages) in [("lut4", "0"), ("lut6", "3")] {
        let dir = tempdir().expect("a folder");
        compile(&golden(), dir.path(), &["--target", target, "--stages", stages]);
        let module = design(dir.path());
        assert_eq!(icarus(dir.path(), &module), format!("PASS {} vectors", golden_samples().len()), "{target}");
        lint(dir.path());
        yosys(dir.path());
    }
}

/// The design as its model says it, not optimised: lowered only.
const PLAIN: &str = "expand,lower-encoder,lower-head,pipeline{stages=0}";

/// Sums on carry chains or by full adders and plain ones have no part in common for ABC to begin with: heads for xc7 are
/// simulated against plain arithmetic instead (`heads.rs`), those of lut4 on real samples (above), and here all before them
/// is proved.
#[test]
fn emitted_blif_is_equivalent_to_the_plain_design() {
    let (plain, dir) = (tempdir().expect("a folder"), tempdir().expect("a folder"));
    for (target, parts) in [("xc7", &["--no-head"][..]), ("lut6", &[]), ("lut4", &["--no-head"])] {
        let options = ["--target", "lut6", "--passes", PLAIN, "--emit", "blif"];
        compile(&golden(), plain.path(), &[&options[..], parts].concat());
        compile(&golden(), dir.path(), &[&["--target", target, "--stages", "0"], parts].concat());
        let (a, b) = (plain.path().join("digits.blif"), dir.path().join("digits.blif"));
        assert!(equivalent(dir.path(), &a, &b), "{target}");
        tool(dir.path(), "yosys", &["-q", "-p", "read_blif digits.blif; check -assert"]);
    }
}

/// Flips the lowest bit of the table of some op, of those that `pick` names.
fn flip(module: &Module, pick: impl Fn(&OpKind) -> bool, number: usize) -> Module {
    let mut module = module.clone();
    let f = module.top_mut().expect("a design");
    let ops: Vec<(OpId, OpKind)> = f.ops().filter(|(_, op)| pick(&op.kind)).map(|(id, op)| (id, op.kind)).collect();
    let (id, kind) = ops[number * 7919 % ops.len()];
    let flipped = match kind {
        OpKind::Lut { table } => OpKind::Lut { table: table ^ 1 },
        OpKind::Xc7Lut6 { init } => OpKind::Xc7Lut6 { init: init ^ 1 },
        kind => kind,
    };
    f.set_kind(id, flipped);
    module
}

/// A mutant that some real sample tells from the design, with that sample's number. Address 0 of a table is reached on real
/// samples by many nodes, so one of a few mutants is.
fn visible_mutant(module: &Module) -> (Module, usize) {
    let samples = golden_samples();
    let pixels: Vec<u8> = samples
        .iter()
        .flat_map(|(inputs, _)| match &inputs[0] {
            Val::Packed(x) => x.iter().map(|&p| p as u8).collect::<Vec<_>>(),
            Val::F32(_) => panic!("digits are bytes"),
        })
        .collect();
    let run = |m: &Module| {
        let simulator = Simulator::new(m, m.top().expect("a design"), Engine::Portable).expect("a simulator");
        simulator.run(&Input::u8(samples.len(), &pixels)).expect("outputs")
    };
    let right = run(module);
    let mutants = (0..50).map(|i| flip(module, |k| matches!(k, OpKind::Lut { .. } | OpKind::Xc7Lut6 { .. }), i));
    let mut caught = mutants.filter_map(|mutant| {
        let (sample, _) = right.first_difference(&run(&mutant))?;
        Some((mutant, sample))
    });
    caught.next().expect("the simulator catches a mutant")
}

#[test]
fn every_checker_catches_a_flipped_table_bit() {
    let dir = tempdir().expect("a folder");
    compile(&golden(), dir.path(), &["--target", "xc7", "--stages", "0"]);
    let module = design(dir.path());
    // The simulator.
    let (mutant, sample) = visible_mutant(&module);
    // The evaluator.
    let (inputs, outputs) = &golden_samples()[sample];
    let top = mutant.top().expect("a design");
    assert_ne!(&blc_ir::eval::evaluate(&mutant, top, inputs).expect("outputs"), outputs);
    // Icarus and the testbench.
    let write = |format: Format| {
        for file in format.emit(&mutant, &Options::default()).expect("emitted") {
            std::fs::write(dir.path().join(&file.name), file.text).expect("written");
        }
    };
    std::fs::rename(dir.path().join("digits.blif"), dir.path().join("right.blif")).expect("renamed");
    write(Format::Verilog);
    write(Format::Blif);
    let verdict = icarus(dir.path(), &mutant);
    assert!(verdict.starts_with("FAIL "), "{verdict}");
    // ABC.
    let (a, b) = (dir.path().join("right.blif"), dir.path().join("digits.blif"));
    assert!(!equivalent(dir.path(), &a, &b));
    assert!(equivalent(dir.path(), &a, &a), "ABC comes to both verdicts");
    // Yosys.
    let script = "read_blif right.blif; rename digits right; read_blif digits.blif; \
        miter -equiv -flatten -make_outputs right digits miter; flatten miter; \
        sat -verify -prove trigger 0 -timeout 60 miter";
    let output = std::process::Command::new("yosys").args(["-q", "-p", script]).current_dir(dir.path()).output();
    assert!(!output.expect("yosys runs").status.success(), "Yosys proves a mutant right");
}

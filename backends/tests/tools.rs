//! What is emitted, read and judged by tools that others wrote: Icarus, Verilator, Yosys, ABC.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use blc_backends::emit::Format;
use blc_backends::names::keywords;
use blc_backends::verilog::testbench::{self, MAX_EMBEDDED};
use blc_ir::eval::{Machine, Val};
use blc_ir::loc::LocId;
use blc_ir::{Func, FuncKind, Module, OpKind, Type};
use common::{folder, run, vectors, write};

fn designs() -> Vec<(String, Module)> {
    let mut designs = vec![
        ("cone17".to_string(), common::cone17()),
        ("cone17_p1".into(), common::cone17_p1()),
        ("net".into(), common::net(false)),
        ("net_pipelined".into(), common::net(true)),
        ("zoo".into(), common::zoo()),
        ("odd".into(), common::odd()),
        ("wide".into(), common::wide()),
    ];
    for seed in 0..8 {
        designs.push((format!("random{seed}"), common::random(seed, seed as u32 % 3, seed % 2 == 1)));
    }
    designs
}

/// Compiles a design with its testbench and runs it with arguments; gives the last line.
fn simulate(folder: &Path, sources: &[String], args: &[&str]) -> String {
    let mut compile = vec!["-g2001", "-Wall", "-o", "tb.vvp"];
    compile.extend(sources.iter().map(String::as_str));
    let (ok, text) = run(folder, "iverilog", &compile);
    assert!(ok && text.is_empty(), "iverilog: {text}");
    let mut args = [&["-n", "tb.vvp"], args].concat();
    args.retain(|a| !a.is_empty());
    let (_, text) = run(folder, "vvp", &args);
    text.lines().rfind(|l| !l.contains("$finish")).unwrap_or_default().to_string()
}

/// Writes a design, its testbench and its vectors; gives the sources.
fn write_testbench(folder: &Path, module: &Module, vectors: &[testbench::Vector]) -> Vec<String> {
    let mut sources = write(folder, module, Format::Verilog);
    std::fs::write(folder.join("tb.v"), testbench::emit(module, vectors).unwrap()).unwrap();
    std::fs::write(folder.join("vectors.hex"), testbench::hex_vectors(module, vectors).unwrap()).unwrap();
    sources.push("tb.v".into());
    sources
}

#[test]
fn verilator_finds_nothing_to_warn_of() {
    for (name, module) in designs() {
        let folder = folder(&format!("lint_{name}"));
        let files = write(&folder, &module, Format::Verilog);
        let mut args = vec!["--lint-only", "-Wall"];
        args.extend(files.iter().map(String::as_str));
        let (ok, text) = run(&folder, "verilator", &args);
        assert!(ok && text.is_empty(), "{name}: {text}");
        let testbench = files[0].replace(".v", "_tb.v");
        std::fs::write(folder.join(&testbench), testbench::emit(&module, &vectors(&module, 3)).unwrap()).unwrap();
        let (ok, text) = run(&folder, "verilator", &[&args[..], &["--timing", &testbench]].concat());
        assert!(ok && text.is_empty(), "{name}: {text}");
    }
}

#[test]
fn icarus_simulates_what_the_evaluator_says() {
    for (name, module) in designs() {
        let folder = folder(&format!("sim_{name}"));
        let vectors = vectors(&module, 200);
        let sources = write_testbench(&folder, &module, &vectors);
        let embedded = vectors.len().min(MAX_EMBEDDED);
        assert_eq!(simulate(&folder, &sources, &[]), format!("PASS {embedded} vectors"), "{name}");
        let all = vectors.len();
        assert_eq!(simulate(&folder, &sources, &["+vectors=vectors.hex"]), format!("PASS {all} vectors"), "{name}");
    }
}

#[test]
fn a_testbench_can_fail() {
    let folder = folder("tb_fails");
    let module = common::net(true);
    let good = vectors(&module, 0);
    let sources = write_testbench(&folder, &module, &good);
    let n = good.len();
    assert_eq!(n, 128);
    for (arguments, verdict) in [
        (vec!["+vectors=vectors.hex", "+count=100"], "PASS 100 vectors"),
        (vec!["+vectors=vectors.hex", "+count=200"], "FAIL only 128 vectors"),
        (vec!["+count=3"], "PASS 3 vectors"),
        (vec!["+count=0"], "FAIL only 0 vectors"),
        (vec!["+vectors=missing.hex"], "FAIL the file of vectors cannot be read beyond 0 vectors"),
    ] {
        assert_eq!(simulate(&folder, &sources, &arguments), verdict);
    }
    std::fs::write(folder.join("empty.hex"), "").unwrap();
    assert_eq!(simulate(&folder, &sources, &["+vectors=empty.hex"]), "FAIL only 0 vectors");
    let text = std::fs::read_to_string(folder.join("vectors.hex")).unwrap();
    std::fs::write(folder.join("odd.hex"), text.lines().next().unwrap().to_string() + "\n12\n").unwrap();
    assert!(simulate(&folder, &sources, &["+vectors=odd.hex"]).starts_with("FAIL the file"));
    // One wrong expectation.
    let mut wrong = good.clone();
    wrong[5].outputs[0] = match &wrong[5].outputs[0] {
        Val::Packed(v) => Val::Packed(vec![v[0] ^ 1]),
        Val::F32(_) => unreachable!(),
    };
    let sources = write_testbench(&folder, &module, &wrong);
    assert_eq!(simulate(&folder, &sources, &[]), "FAIL 1 of 64 vectors");
    // One register too many or too few: the stream is out of step.
    let text = testbench::emit(&module, &good).unwrap();
    for latency in ["1", "3"] {
        let other = text.replace("LATENCY = 2;", &format!("LATENCY = {latency};"));
        assert_ne!(other, text);
        std::fs::write(folder.join("tb.v"), other).unwrap();
        assert!(simulate(&folder, &sources, &[]).starts_with("FAIL"));
    }
}

/// The design with one bit of one table flipped, such that an output changes.
fn flipped(module: &Module) -> Module {
    let before = vectors(module, 64);
    for id in module.top().unwrap().op_ids() {
        let mut other = module.clone();
        let f = other.top_mut().unwrap();
        let kind = match f.op(id).kind {
            OpKind::Lut { table } => OpKind::Lut { table: table ^ 1 },
            OpKind::Xc7Lut6 { init } => OpKind::Xc7Lut6 { init: init ^ 1 },
            _ => continue,
        };
        f.set_kind(id, kind);
        if vectors(&other, 64) != before {
            return other;
        }
    }
    panic!("no table matters");
}

#[test]
fn a_flipped_table_bit_is_caught() {
    for (name, module) in
        [("cone17", common::cone17()), ("net", common::net(false)), ("random", common::random(9, 0, true))]
    {
        let folder = folder(&format!("flip_{name}"));
        let wrong = flipped(&module);
        // The testbench: vectors of the right design, netlist of the wrong one.
        let vectors = vectors(&module, 64);
        let sources = write_testbench(&folder, &module, &vectors);
        assert!(simulate(&folder, &sources, &[]).starts_with("PASS"));
        write(&folder, &wrong, Format::Verilog);
        assert!(simulate(&folder, &sources, &[]).starts_with("FAIL"), "{name}");
        // ABC.
        let blif = write(&folder, &module, Format::Blif).remove(0);
        std::fs::rename(folder.join(&blif), folder.join("right.blif")).unwrap();
        write(&folder, &wrong, Format::Blif);
        let (_, text) = run(&folder, "berkeley-abc", &["-q", &format!("cec right.blif {blif}")]);
        assert!(text.contains("NOT EQUIVALENT"), "{name}: {text}");
    }
}

/// Has Yosys turn Verilog into BLIF, and ABC compare that with ours.
fn prove(folder: &Path, module: &Module, verilog: &str, blif: &str) {
    let top = blif.trim_end_matches(".blif");
    let script = format!(
        "read_verilog {verilog}; hierarchy -check -top {top}; proc; check -assert; flatten; opt -full; techmap; opt; \
         dffunmap; write_blif from_verilog.blif; design -reset; read_blif {blif}; check -assert"
    );
    let (ok, text) = run(folder, "yosys", &["-q", "-p", &script]);
    assert!(ok, "{}: {text}", module.name);
    // By order: the Verilog has no ports called `class`. Registers stand in another order.
    let check = if module.top().unwrap().clock().is_some() { "dsec" } else { "cec" };
    let (_, text) = run(folder, "berkeley-abc", &["-q", &format!("{check} -n from_verilog.blif {blif}")]);
    assert!(text.contains("Networks are equivalent"), "{}: {text}", module.name);
}

#[test]
fn yosys_and_abc_find_verilog_and_blif_equal() {
    for (name, module) in designs() {
        let folder = folder(&format!("blif_{name}"));
        let sources = write(&folder, &module, Format::Verilog);
        let blif = write(&folder, &module, Format::Blif).remove(0);
        prove(&folder, &module, &sources.join(" "), &blif);
    }
}

/// The models of the primitives against those that Yosys has.
#[test]
fn primitives_are_those_of_xilinx() {
    let module = common::zoo();
    let folder = folder("xilinx");
    let sources = write(&folder, &module, Format::Verilog);
    let blif = write(&folder, &module, Format::Blif).remove(0);
    prove(&folder, &module, &format!("{} +/xilinx/cells_sim.v", sources[0]), &blif);
}

/// Ports with the names of every reserved word, and with names that become the same.
#[test]
fn reserved_words_are_avoided() {
    let mut f = Func::new("endmodule", FuncKind::HwModule);
    let words = [keywords::VERILOG, keywords::SYSTEM_VERILOG, keywords::CPP].concat();
    let inputs: Vec<_> = words.iter().map(|word| f.add_param(*word, Type::BIT)).collect();
    for (word, input) in words.iter().zip(inputs) {
        let not = f.lut(0x1, &[input], LocId::UNKNOWN);
        f.set_name(not, *word);
        f.add_result(format!("{word}_"), not);
    }
    let module = common::module("endmodule", f);
    let folder = folder("reserved");
    let sources = write_testbench(&folder, &module, &vectors(&module, 10));
    assert_eq!(sources[0], "endmodule_.v");
    assert_eq!(simulate(&folder, &sources, &[]), "PASS 10 vectors");
    let (ok, text) = run(&folder, "verilator", &["--lint-only", "-Wall", &sources[0]]);
    assert!(ok && text.is_empty(), "{text}");
    let blif = write(&folder, &module, Format::Blif).remove(0);
    prove(&folder, &module, &sources[0], &blif);
}

/// A netlist that comes from BLIF goes back with the ports that it had: ABC compares by name.
#[test]
fn blif_keeps_the_names_of_ports() {
    let folder = folder("ports");
    let original = ".model m\n.inputs op[0] op[1] class 1\n.outputs sel[0] wire\n.names op[0] op[1] class sel[0]\n11- 1\n--1 1\n\
                    .names 1 op[0] wire\n10 1\n01 1\n.end\n";
    std::fs::write(folder.join("original.blif"), original).unwrap();
    let mut f = Func::new("m", FuncKind::HwModule);
    let [op0, op1, class, one] = ["op[0]", "op[1]", "class", "1"].map(|n| f.add_param(n, Type::BIT));
    let sel = f.lut(0xf8, &[op0, op1, class], LocId::UNKNOWN);
    let wire = f.lut(0x6, &[one, op0], LocId::UNKNOWN);
    f.add_result("sel[0]", sel);
    f.add_result("wire", wire);
    let module = common::module("m", f);
    write(&folder, &module, Format::Blif);
    let (_, text) = run(&folder, "berkeley-abc", &["-q", "cec original.blif m.blif"]);
    assert!(text.contains("Networks are equivalent") && !text.to_lowercase().contains("warning"), "{text}");
}

/// A design with feedback, cycle by cycle from its initial values.
#[test]
fn registers_start_at_their_initial_values() {
    for primitive in [false, true] {
        let mut f = Func::new("ring", FuncKind::HwModule);
        let clk = f.add_param("clk", Type::CLOCK);
        // A ring of four registers, one of them 1, that feed each other: values of later ops.
        let kind = |init| match primitive {
            true => OpKind::Xc7Fdre { stage: 0, init },
            false => OpKind::Reg { stage: 0, init },
        };
        let placeholder = f.constant(0, Type::BIT);
        let ids: Vec<_> =
            (0..4).map(|i| f.push(kind(i == 1), &[placeholder, clk], &[Type::BIT], LocId::UNKNOWN)).collect();
        let q: Vec<_> = ids.iter().map(|&id| f.op(id).result()).collect();
        for i in 0..4 {
            f.set_operands(ids[i], &[q[(i + 1) % 4], clk]);
        }
        let y = f.pack(&q, Type::bits(4), LocId::UNKNOWN);
        f.add_result("y", y);
        f.tidy();
        let module = common::module("ring", f);
        let folder = folder(&format!("ring_{primitive}"));
        let mut sources = write(&folder, &module, Format::Verilog);
        let tb = "module tb; reg clk; wire [3:0] y; ring r (.clk(clk), .y(y)); integer i;\ninitial begin clk = 0; \
                  for (i = 0; i < 6; i = i + 1) begin #1 $write(\"%b \", y); clk = 1; #1 clk = 0; end $display; $finish; end\nendmodule\n";
        std::fs::write(folder.join("tb.v"), tb).unwrap();
        sources.push("tb.v".into());
        let mut machine = Machine::new(&module, module.top().unwrap()).unwrap();
        let mut want = Vec::new();
        for _ in 0..6 {
            let Val::Packed(y) = machine.step(&[]).unwrap().remove(0) else { unreachable!() };
            want.push(y.iter().rev().map(|b| b.to_string()).collect::<String>());
        }
        assert_eq!(want[..2], ["0010", "0001"]);
        assert_eq!(simulate(&folder, &sources, &[]).trim(), want.join(" "));
        assert_eq!(testbench::emit(&module, &vectors(&common::cone17(), 0)).unwrap_err().code.id, "BL3011");
    }
}

//! Designs in the cells of devices: simulated with our models and with the vendors' that Yosys has, and read by Yosys.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use blc_backends::device::Device;
use blc_backends::emit::{Format, Options};
use blc_backends::verilog::testbench;
use blc_ir::{Func, FuncAttr, FuncKind, Module, OpKind, Type};
use common::{folder, run, vectors};

fn options(device: Device) -> Options {
    Options { device: Some(device), ..Options::default() }
}

/// A register that starts at 1 behind a table of four inputs.
fn starts_at_one() -> Module {
    let mut f = Func::new("one", FuncKind::HwModule);
    f.set_attr("latency", FuncAttr::Int(1));
    let clk = f.add_param("clk", Type::CLOCK);
    let x: Vec<_> = ["a", "b", "c", "d"].map(|n| f.add_param(n, Type::BIT)).into();
    let loc = f.locs.neuron("layer0", 0);
    let y = f.lut(0x9a5c, &x, loc);
    let kind = OpKind::Reg { stage: 1, init: true };
    let q = f.push1(kind, &[y, clk], Type::BIT, loc);
    f.add_result("y", q);
    common::module("one", f)
}

/// Four tables joined by multiplexers to a function of seven inputs.
fn wide() -> Module {
    let mut f = Func::new("net", FuncKind::HwModule);
    f.set_attr("latency", FuncAttr::Int(0));
    let x: Vec<_> = ["a", "b", "c", "d", "s", "t", "u"].map(|n| f.add_param(n, Type::BIT)).into();
    let loc = f.locs.neuron("layer0", 0);
    let mut lut = |init| f.push1(OpKind::Xc7Lut6 { init }, &x[..4], Type::BIT, loc);
    let luts = [0x9a5c, 0x1234, 0xfe01, 0x7777].map(&mut lut);
    let low = f.push1(OpKind::Xc7MuxF7 {}, &[luts[0], luts[1], x[4]], Type::BIT, loc);
    let high = f.push1(OpKind::Xc7MuxF7 {}, &[luts[2], luts[3], x[5]], Type::BIT, loc);
    let y = f.push1(OpKind::Xc7MuxF8 {}, &[low, high, x[6]], Type::BIT, loc);
    f.add_result("y", y);
    common::module("net", f)
}

/// The devices there are, and Gowin's and ECP5's with their carry chains: positions without tables, and two a cell with one each.
fn devices() -> Vec<Device> {
    let chains = r#"
[carry]
cell = "ALU"
carry_in = "CIN"
carry_out = "COUT"
positions = [{ inputs = ["I0", "I1"], sum = "SUM" }]
ties = { I3 = 1 }
parameters = { ALU_MODE = 0 }

[models]
ALU = """
module ALU (output SUM, COUT, input I0, I1, I3, CIN);
  parameter ALU_MODE = 0;
  assign SUM = I0 ^ I1 ^ CIN;
  assign COUT = I0 ^ I1 ? CIN : I0;
endmodule
"""
"#;
    let tables = include_str!("ecp5_chains.toml");
    let [gowin, ecp5] = [
        include_str!("../targets/gowin.toml").replace("[models]", chains),
        include_str!("../targets/ecp5.toml").replace("[models]", tables),
    ];
    Device::own().into_iter().chain([gowin, ecp5].map(|text| Device::parse(&text, "").unwrap())).collect()
}

/// Five bits from a carry chain of a device, and one more made of two of them.
fn rippled(device: &Device) -> Module {
    let mut f = Func::new("net", FuncKind::HwModule);
    f.set_attr("latency", FuncAttr::Int(0));
    let x = f.add_param("x", Type::bits(9));
    let loc = f.locs.layer("head");
    let x: Vec<_> = (0..9).map(|i| f.extract(x, i, Type::BIT, loc)).collect();
    let [zero, one] = [0, 1].map(|bit| f.constant(bit, Type::BIT));
    let mut s = Vec::new();
    let mut d = Vec::new();
    let mut position = |f: &mut Func, init: u64, pins: &[blc_ir::Value]| {
        let mut pins = pins.to_vec();
        pins.resize(6, one);
        let site = f.push(OpKind::Xc7Lut6_2 { init }, &pins, &[Type::BIT; 2], loc);
        let mut results = f.op(site).results();
        s.extend(results.next());
        d.extend(results.next());
    };
    // Parity at O6, a bit or a product at O5.
    let two = 0x6666_6666_aaaa_aaaa;
    match device.ripple() {
        4 => {
            position(&mut f, 0x9696_9696_aaaa_aaaa, &x[..3]);
            position(&mut f, 0x8778_8778_8888_8888, &x[1..5]);
            position(&mut f, two, &x[5..7]);
        }
        _ => (0..3).for_each(|i| position(&mut f, two, &x[2 * i..2 * i + 2])),
    }
    position(&mut f, two, &x[7..9]);
    let first = [&s[..], &d, &[zero, zero]].concat();
    let first = f.push(OpKind::Xc7Carry4 {}, &first, &[Type::BIT; 8], loc);
    let first: Vec<_> = f.op(first).results().collect();
    let last = [zero, zero, zero, zero, zero, zero, zero, zero, first[7], zero];
    let last = f.push(OpKind::Xc7Carry4 {}, &last, &[Type::BIT; 8], loc);
    let last = f.op(last).result();
    let table = f.push1(OpKind::Xc7Lut6 { init: 0x6 }, &[first[0], last], Type::BIT, loc);
    let y = f.pack(&[&first[..4], &[last, table]].concat(), Type::bits(6), loc);
    f.add_result("y", y);
    Module { target: Some(device.name.clone()), ..common::module("net", f) }
}

fn write(dir: &Path, module: &Module, options: &Options, format: Format) -> Vec<String> {
    let files = format.emit(module, options).unwrap();
    files.iter().for_each(|f| std::fs::write(dir.join(&f.name), &f.text).unwrap());
    files.into_iter().map(|f| f.name).collect()
}

/// Carry chains: three in a row, one by itself, and two of which the second also reads the first through a table.
fn carries() -> Module {
    let mut f = Func::new("net", FuncKind::HwModule);
    f.set_attr("latency", FuncAttr::Int(0));
    let x = f.add_param("x", Type::bits(16));
    let loc = f.locs.layer("head");
    let x: Vec<_> = (0..16).map(|i| f.extract(x, i, Type::BIT, loc)).collect();
    let zero = f.constant(0, Type::BIT);
    let chain = |f: &mut Func, s: &[blc_ir::Value], ci, cyinit| -> Vec<blc_ir::Value> {
        let pins = [s, &x[..4], &[ci, cyinit]].concat();
        let id = f.push(OpKind::Xc7Carry4 {}, &pins, &[Type::BIT; 8], loc);
        f.op(id).results().collect()
    };
    let one = chain(&mut f, &x[4..8], zero, x[15]);
    let two = chain(&mut f, &x[8..12], one[7], zero);
    let three = chain(&mut f, &x[11..15], two[7], zero);
    let alone = chain(&mut f, &[two[0], two[1], three[2], x[3]], zero, zero);
    let stuck: Vec<_> =
        (0..4).map(|i| f.push1(OpKind::Xc7Lut6 { init: 6 }, &[alone[i], x[i]], Type::BIT, loc)).collect();
    let last = chain(&mut f, &stuck, alone[7], zero);
    let all = [one, two, three, alone, last].concat();
    let y = f.pack(&all, Type::bits(40), loc);
    f.add_result("y", y);
    Module { target: Some("xcup".into()), ..common::module("net", f) }
}

#[test]
fn carry_chains_of_ultrascale_are_eights() {
    let module = carries();
    let dir = folder("carry8");
    let files = write(&dir, &module, &Options::default(), Format::Verilog);
    assert_eq!(files, ["net.v", "xc7_sim.v"]);
    let text = std::fs::read_to_string(dir.join("net.v")).unwrap();
    assert_eq!((text.matches("CARRY8 #").count(), text.matches("CARRY4 ").count()), (4, 0), "{text}");
    let (ok, said) = run(&dir, "verilator", &["--lint-only", "-Wall", "-Wno-UNOPTFLAT", "net.v", "xc7_sim.v"]);
    assert!(ok && said.is_empty(), "{said}");
    let vectors = vectors(&module, 64);
    std::fs::write(dir.join("net_tb.v"), testbench::emit(&module, &vectors).unwrap()).unwrap();
    let cells = vendor("xilinx").join("cells_sim.v").display().to_string();
    assert_eq!(simulate(&dir, &["net.v", "net_tb.v", "xc7_sim.v"]), "PASS 64 vectors");
    assert_eq!(simulate(&dir, &["net.v", "net_tb.v", &cells]), "PASS 64 vectors");
    write(&dir, &module, &Options::default(), Format::Json);
    let (ok, said) = run(&dir, "yosys", &["-q", "-p", "read_json net.json; write_verilog -noattr net_back.v"]);
    assert!(ok, "{said}");
    assert_eq!(simulate(&dir, &["net_back.v", "net_tb.v", &cells]), "PASS 64 vectors");
}

#[test]
fn a_carry8_takes_one_carry() {
    let mut module = carries();
    let f = &mut module.funcs[0];
    let first = f.op_ids().find(|&id| matches!(f.op(id).kind, OpKind::Xc7Carry4 {})).unwrap();
    let mut pins = f.op(first).operands.to_vec();
    pins[8] = pins[9];
    f.set_operands(first, &pins);
    for format in [Format::Verilog, Format::Json] {
        assert_eq!(format.emit(&module, &Options::default()).unwrap_err().code.id, "BL3007");
    }
}

/// Where Yosys keeps the models of a family's cells.
fn vendor(family: &str) -> PathBuf {
    let candidates = ["/usr/share/yosys", "/usr/local/share/yosys"];
    let found = candidates.iter().map(|p| Path::new(p).join(family)).find(|p| p.join("cells_sim.v").is_file());
    found.unwrap_or_else(|| panic!("no {family}/cells_sim.v in {candidates:?}: apt-get install yosys"))
}

/// Runs a testbench; gives its last line.
fn simulate(dir: &Path, sources: &[&str]) -> String {
    let flags = ["-g2012", "-DNO_ICE40_DEFAULT_ASSIGNMENTS", "-s", "net_tb", "-o", "tb.vvp"];
    let (ok, text) = run(dir, "iverilog", &[&flags[..], sources].concat());
    assert!(ok, "{text}");
    let (_, text) = run(dir, "vvp", &["-n", "tb.vvp"]);
    text.lines().rfind(|l| !l.contains("$finish")).unwrap_or_default().to_string()
}

#[test]
fn every_device_simulates_what_the_evaluator_says() {
    for (number, device) in devices().into_iter().enumerate() {
        let mut designs = vec![common::net(false), common::net(true)];
        if !device.mux.is_empty() {
            designs.push(wide());
        }
        if device.carry.is_some() {
            designs.push(rippled(&device));
        }
        for (i, module) in designs.iter().enumerate() {
            let dir = folder(&format!("device_{}{number}_{i}", device.name));
            let options = options(device.clone());
            let files = write(&dir, module, &options, Format::Verilog);
            assert_eq!(files, ["net.v".into(), format!("{}_sim.v", device.name)]);
            let lint = [&["--lint-only", "-Wall"], &files.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat();
            let (ok, text) = run(&dir, "verilator", &lint);
            assert!(ok && text.is_empty(), "{text}");
            let vectors = vectors(module, 64);
            let expected = format!("PASS {} vectors", vectors.len().min(testbench::MAX_EMBEDDED));
            std::fs::write(dir.join("net_tb.v"), testbench::emit(module, &vectors).unwrap()).unwrap();
            assert_eq!(simulate(&dir, &["net.v", "net_tb.v", &files[1]]), expected, "{}", device.name);

            let vendor = vendor(&device.name);
            let include = format!("-I{}", vendor.display());
            let cells = vendor.join("cells_sim.v").display().to_string();
            assert_eq!(simulate(&dir, &[&include, "net.v", "net_tb.v", &cells]), expected, "{}", device.name);

            // JSON, through Yosys, back to Verilog.
            write(&dir, module, &options, Format::Json);
            let script = "read_json net.json; write_verilog -noattr net_back.v";
            let (ok, text) = run(&dir, "yosys", &["-q", "-p", script]);
            assert!(ok, "{text}");
            assert_eq!(simulate(&dir, &[&include, "net_back.v", "net_tb.v", &cells]), expected, "{}", device.name);
            // And a wrong one is caught.
            let wrong = inverted_table(&std::fs::read_to_string(dir.join("net.json")).unwrap());
            std::fs::write(dir.join("net.json"), wrong).unwrap();
            let (ok, text) = run(&dir, "yosys", &["-q", "-p", script]);
            assert!(ok, "{text}");
            let verdict = simulate(&dir, &[&include, "net_back.v", "net_tb.v", &cells]);
            assert!(verdict.starts_with("FAIL"), "{verdict}");
        }
    }
}

/// The first table of sixteen bits inverted.
fn inverted_table(json: &str) -> String {
    let key = "INIT\": \"";
    let mut starts = json.match_indices(key).map(|(at, _)| at + key.len());
    let at = starts.find(|&at| json[at..].find('"') == Some(16)).unwrap();
    let inverted: String = json[at..at + 16].chars().map(|c| if c == '0' { '1' } else { '0' }).collect();
    format!("{}{inverted}{}", &json[..at], &json[at + 16..])
}

#[test]
fn a_position_that_a_device_has_not_is_refused() {
    for device in devices().into_iter().filter(|device| device.carry.is_some()) {
        let mut module = rippled(&device);
        let f = &mut module.funcs[0];
        // A carry that is the majority of three bits, and no sum.
        let site = f.op_ids().find(|&id| matches!(f.op(id).kind, OpKind::Xc7Lut6_2 { .. })).unwrap();
        f.set_kind(site, OpKind::Xc7Lut6_2 { init: 0xe8e8_e8e8 });
        let e = Format::Json.emit(&module, &options(device)).unwrap_err();
        assert_eq!(e.code.id, "BL3007", "{}", e.message);
    }
}

#[test]
fn generic_json_is_of_yosys_cells() {
    let dir = folder("generic_json");
    let module = common::net(true);
    write(&dir, &module, &Options::default(), Format::Json);
    let vectors = vectors(&module, 64);
    std::fs::write(dir.join("net_tb.v"), testbench::emit(&module, &vectors).unwrap()).unwrap();
    let script = "read_json net.json; check -assert; simplemap; write_verilog -noattr net_back.v";
    let (ok, text) = run(&dir, "yosys", &["-q", "-p", script]);
    assert!(ok, "{text}");
    assert_eq!(simulate(&dir, &["net_back.v", "net_tb.v"]), "PASS 64 vectors");
}

#[test]
fn what_a_device_lacks_is_refused() {
    let ice = options(Device::named("ice40").unwrap());
    let e = Format::Json.emit(&starts_at_one(), &ice).unwrap_err();
    assert_eq!(e.code.id, "BL3007");
    assert!(e.message.contains("starts at 1"), "{}", e.message);
    let e = Format::Verilog.emit(&common::random(3, 1, false), &ice).unwrap_err();
    assert!(e.message.contains("more inputs"), "{}", e.message);
    let ecp5 = options(Device::named("ecp5").unwrap());
    let text = &Format::Json.emit(&starts_at_one(), &ecp5).unwrap()[0].text;
    assert!(text.contains("\"REGSET\": \"SET\""));
}

//! Waves of the simulator against those of Icarus on the same stimulus, both read by wellen.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use blc_backends::emit::Format;
use blc_backends::sim::{Engine, Input, Machine, Program, Wave, WaveFormat, probes};
use blc_ir::Module;
use common::{Random, folder, run, write};

const CYCLES: usize = 40;

/// What each variable of a scope becomes when.
type Changes = BTreeMap<String, Vec<(u64, String)>>;

fn read(path: &Path, scope: &[&str], names: &[String]) -> Changes {
    let mut wave = wellen::simple::read(path).unwrap();
    let mut changes = Changes::new();
    for name in names {
        let var = wave.hierarchy().lookup_var(scope, name.as_str());
        let signal = wave.hierarchy()[var.unwrap_or_else(|| panic!("no {name} in {}", path.display()))].signal_ref();
        wave.load_signals(&[signal]);
        let times = wave.time_table().to_vec();
        let all = wave.get_signal(signal).unwrap().iter_changes();
        let mut list: Vec<(u64, String)> =
            all.map(|(at, value)| (times[at as usize], value.to_bit_string().unwrap())).collect();
        // Of several values at one time the last one counts; what does not change is no change.
        list.reverse();
        list.dedup_by_key(|(time, _)| *time);
        list.reverse();
        list.dedup_by(|b, a| a.1 == b.1);
        changes.insert(name.clone(), list);
    }
    changes
}

/// Icarus's wave of a design whose inputs are `clk`, `x` of 12 bits and `c`, a row a cycle.
fn icarus(folder: &Path, module: &Module, rows: &[u64]) {
    let mut sources = write(folder, module, Format::Verilog);
    let mut text = "`timescale 1ns/1ns\nmodule tb;\n  reg clk = 0;\n  reg [12:0] v;\n  random dut(.clk(clk), .x(v[11:0]), .c(v[12]));\n  \
                    initial begin\n    $dumpfile(\"icarus.vcd\");\n    $dumpvars(1, dut);\n"
        .to_owned();
    for (cycle, row) in rows.chunks_exact(5).enumerate() {
        let word = row.iter().rev().fold(0, |word, x| word << 3 | x);
        match cycle {
            0 => writeln!(text, "    v = 13'd{word};\n    #10;").unwrap(),
            _ => writeln!(text, "    clk = 1; v <= 13'd{word};\n    #5 clk = 0;\n    #5;").unwrap(),
        }
    }
    text += "    $finish;\n  end\nendmodule\n";
    std::fs::write(folder.join("tb.v"), text).unwrap();
    sources.push("tb.v".into());
    let mut compile = vec!["-g2001", "-o", "tb.vvp"];
    compile.extend(sources.iter().map(String::as_str));
    let (ok, said) = run(folder, "iverilog", &compile);
    assert!(ok, "{said}");
    let (ok, said) = run(folder, "vvp", &["-n", "tb.vvp"]);
    assert!(ok, "{said}");
}

/// The simulator's wave of all ports and registers; what its variables are called.
fn own(path: &Path, format: WaveFormat, module: &Module, rows: &[u64]) -> Vec<String> {
    let f = module.top().unwrap();
    let program = Program::compile(module, f).unwrap();
    let (names, probes) = probes(module, f, &program, None).unwrap();
    let mut machine = Machine::with_probes(&program, Engine::Auto, &probes).unwrap();
    let clock = names.clock.unwrap();
    let mut variables = vec![(clock, 1)];
    variables.extend(probes.iter().map(|p| (p.name.clone(), p.width())));
    let called = variables.iter().map(|v| v.0.clone()).collect();
    let mut wave = Wave::new(format, &[(names.design, variables)]).unwrap();
    for (cycle, row) in rows.chunks_exact(5).enumerate() {
        let time = 10 * cycle as u64;
        machine.settle(&Input::u64(1, row)).unwrap();
        wave.change(time, 0, std::iter::once(cycle > 0)).unwrap();
        for probe in 0..probes.len() {
            wave.change(time, 1 + probe, machine.probe(probe, 0).rev()).unwrap();
        }
        wave.change(time + 5, 0, std::iter::once(false)).unwrap();
        machine.edge();
    }
    std::fs::write(path, wave.finish(10 * CYCLES as u64).unwrap()).unwrap();
    called
}

#[test]
fn waves_are_those_of_icarus() {
    for (seed, stages) in [(21, 1), (22, 3)] {
        let module = common::random(seed, stages, true);
        let dir = folder(&format!("waves{seed}"));
        let mut r = Random(seed);
        // Four words of three bits, and a bit.
        let rows: Vec<u64> = (0..CYCLES).flat_map(|_| [8, 8, 8, 8, 2].map(|n| r.next() % n)).collect();
        icarus(&dir, &module, &rows);
        for (format, file) in [(WaveFormat::Fst, "own.fst"), (WaveFormat::Vcd, "own.vcd")] {
            let names = own(&dir.join(file), format, &module, &rows);
            assert!(names.len() > 10, "{names:?}");
            let theirs = read(&dir.join("icarus.vcd"), &["tb", "dut"], &names);
            let ours = read(&dir.join(file), &["random"], &names);
            assert!(ours.values().map(Vec::len).sum::<usize>() > 5 * CYCLES);
            assert_eq!(ours, theirs, "{file}");
        }
    }
}

#[test]
fn nets_by_name() {
    let module = common::random(22, 3, false);
    let f = module.top().unwrap();
    let program = Program::compile(&module, f).unwrap();
    let all = probes(&module, f, &program, None).unwrap().1;
    let register = all.iter().find(|p| p.register.is_some()).unwrap().name.clone();
    let wanted = ["x".to_owned(), format!("%{register}")];
    let found = probes(&module, f, &program, Some(&wanted)).unwrap().1;
    assert_eq!(found.iter().map(|p| p.width()).collect::<Vec<_>>(), [12, 1]);
    assert_eq!((found[1].name.as_str(), found[1].register.is_some()), (register.as_str(), true));
    let unknown = probes(&module, f, &program, Some(&["nothing".into()])).unwrap_err();
    assert_eq!(unknown.code.id, "BL3141");
}

#[test]
fn too_much_for_a_wave() {
    let mut f = blc_ir::Func::new("m", blc_ir::FuncKind::HwModule);
    let x = f.add_param("x", blc_ir::Type::bits(40_000));
    f.add_result("y", x);
    let module = common::module("m", f);
    let f = module.top().unwrap();
    let program = Program::compile(&module, f).unwrap();
    assert_eq!(probes(&module, f, &program, None).unwrap_err().code.id, "BL3142");
    assert_eq!(probes(&module, f, &program, Some(&["x".into()])).unwrap().1[0].width(), 40_000);
    let scope = [("m".to_owned(), vec![("n".repeat(2000), 1)])];
    assert_eq!(Wave::new(WaveFormat::Fst, &scope).err().map(|e| e.code.id), Some("BL3143"));
    assert!(Wave::new(WaveFormat::Vcd, &scope).is_ok());
}

//! Handshakes, resets, registers at ports, renamed ports and heads of several cycles, on every target: in Icarus by the
//! emitted testbench, and on real samples in the simulator.

mod common;

use blc_backends::sim::{Engine, Input, Simulator};
use blc_ir::Module;
use blc_ir::eval::Val;
use common::{blc, compile, design, golden, golden_samples, report, tool};
use tempfile::tempdir;

const OPTIONS: [&[&str]; 8] = [
    &["--valid", "--reset", "sync-low", "--registers", "in"],
    &["--head", "iterative=10", "--reset", "sync-high"],
    &["--valid", "--stages", "0", "--registers", "in,out", "--port", "x=pixels,clk=aclk,in_valid=go"],
    &["--head", "iterative=3", "--stages", "0"],
    &["--head", "iterative=4", "--clock", "120", "--reset", "sync-low"],
    &["--head", "iterative=2", "--stages", "3", "--no-scores", "--registers", "in"],
    &["--encoder", "iterative=3", "--reset", "sync-low"],
    &["--encoder", "iterative=2", "--stages", "3"],
];

fn bits(samples: &[(Vec<Val>, Vec<Val>)]) -> Vec<u8> {
    let packed = |val: &Val| if let Val::Packed(x) = val { x.iter().map(|&p| p as u8).collect() } else { Vec::new() };
    samples.iter().flat_map(|(inputs, _)| packed(&inputs[0])).collect()
}

/// Real samples through an engine: class, and scores where the design has them.
fn simulated(module: &Module, engine: Engine, samples: &[(Vec<Val>, Vec<Val>)]) {
    let simulator = Simulator::new(module, module.top().expect("a design"), engine).expect("a simulator");
    assert_eq!(simulator.latency(), module.top().expect("a design").latency());
    let outputs = simulator.run(&Input::u8(samples.len(), &bits(samples))).expect("outputs");
    let columns = simulator.outputs().columns();
    assert!(columns == 1 || columns == 11, "{columns} columns");
    for (row, (_, expected)) in samples.iter().enumerate() {
        let expected = expected.iter().flat_map(|val| if let Val::Packed(x) = val { x.clone() } else { Vec::new() });
        let found = (0..columns).map(|column| outputs.get(row, column));
        assert!(found.eq(expected.take(columns)), "sample {row}");
    }
}

#[test]
fn every_target_has_every_port() {
    let samples = golden_samples();
    for (i, target) in ["xc7", "xcup", "ecp5", "ice40", "gowin", "lut4"].into_iter().enumerate() {
        for options in [OPTIONS[i], OPTIONS[(i + 3) % 8]] {
            let dir = tempdir().expect("a folder");
            compile(
                &golden(),
                dir.path(),
                &[&["--target", target, "--emit", "verilog,json,project"], options].concat(),
            );
            let model = match target {
                "xc7" | "xcup" => Some("xc7_sim.v".to_owned()),
                "lut4" => None,
                other => Some(format!("{other}_sim.v")),
            };
            let sources = ["-g2005", "-o", "tb.vvp", "digits.v", "digits_tb.v"].into_iter().chain(model.as_deref());
            tool(dir.path(), "iverilog", &sources.collect::<Vec<_>>());
            let said = tool(dir.path(), "vvp", &["-n", "tb.vvp"]);
            assert_eq!(said.lines().last(), Some("PASS 64 vectors"), "{target} {options:?}");
            simulated(&design(dir.path()), Engine::Auto, &samples);
        }
    }
}

#[test]
fn the_reference_follows_several_cycles_too() {
    let dir = tempdir().expect("a folder");
    compile(&golden(), dir.path(), &["--target", "lut6", "--head", "iterative=5"]);
    simulated(&design(dir.path()), Engine::Reference, &golden_samples()[..40]);
    let said = report(dir.path());
    assert_eq!(said["interval_cycles"], 5);
    assert_eq!(said["latency_cycles"].as_u64(), Some(design(dir.path()).top().expect("a design").latency()));
}

#[test]
fn a_handshake_that_is_wrong_is_noticed() {
    let dir = tempdir().expect("a folder");
    compile(&golden(), dir.path(), &["--target", "lut6", "--head", "iterative=10", "--reset", "sync-high"]);
    let path = dir.path().join("digits.v");
    let right = std::fs::read_to_string(&path).expect("a design");
    let line = right.lines().find(|line| line.contains("assign out_valid = ")).expect("an output");
    let late = line.replace("assign out_valid = ", "assign out_valid = in_valid & ");
    std::fs::write(&path, right.replace(line, &late)).expect("written");
    tool(dir.path(), "iverilog", &["-g2005", "-o", "tb.vvp", "digits.v", "digits_tb.v"]);
    assert!(tool(dir.path(), "vvp", &["-n", "tb.vvp"]).contains("FAIL"));
}

#[test]
fn a_shared_head_is_smaller() {
    let area = |options: &[&str]| {
        let dir = tempdir().expect("a folder");
        compile(&golden(), dir.path(), &[&["--target", "xc7"], options].concat());
        report(dir.path())["luts"].as_u64().expect("a count")
    };
    let (plain, shared) = (area(&[]), area(&["--head", "iterative=10"]));
    assert!(10 * shared < 9 * plain, "{plain} sites, {shared} with a shared head");
}

#[test]
fn a_shared_encoder_is_smaller() {
    let encoder = |target: &str, options: &[&str]| {
        let dir = tempdir().expect("a folder");
        compile(&golden(), dir.path(), &[&["--target", target, "--stages", "4", "--emit", "blir"], options].concat());
        report(dir.path())["by_part"]["encoder"]["luts"].as_u64().expect("a count")
    };
    for (target, percent) in [("xc7", 60), ("ecp5", 45)] {
        let (plain, shared) = (encoder(target, &[]), encoder(target, &["--encoder", "iterative=3"]));
        assert!(100 * shared < percent * plain, "{target}: {plain}, {shared} shared");
    }
}

#[test]
fn project_files_name_the_ports_there_are() {
    let dir = tempdir().expect("a folder");
    let options = ["--target", "xc7", "--emit", "project", "--head", "iterative=2", "--reset", "sync-low"];
    compile(&golden(), dir.path(), &[&options[..], &["--port", "clk=aclk,rst_n=aresetn"]].concat());
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("a file");
    assert!(read("digits.xdc").contains("[get_ports aclk]"));
    let component = read("digits_component.vhd");
    for port in ["aclk", "aresetn", "in_valid"] {
        assert!(component.contains(&format!("      {port} : in  std_logic")), "{port}: {component}");
    }
    for port in ["in_ready", "out_valid"] {
        assert!(component.contains(&format!("      {port} : out std_logic")), "{port}: {component}");
    }
    let text = read("design.blir");
    assert!(text.contains("reset = \"aresetn\"") && text.contains("reset_level = 0"), "renamed in the attributes, too");
    blc(&["fmt", "--check", dir.path().join("design.blir").to_str().expect("a path")]);
}

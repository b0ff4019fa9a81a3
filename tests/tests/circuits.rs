//! Netlists: the trained networks and EPFL circuits beside the repository, where they are, and always two of our own. Each
//! compiled result is proved equivalent by ABC.

mod common;

use std::path::Path;

use common::{compile, equivalent, report, shared};
use tempfile::tempdir;

/// Compiles for xc7, proves, and gives `lut_functions`.
fn compiled(file: &Path) -> u64 {
    figures(file, &[]).0
}

/// The same with options, and `luts` beside it.
fn figures(file: &Path, options: &[&str]) -> (u64, u64) {
    let dir = tempdir().expect("a folder");
    compile(file, dir.path(), &[&["--target", "xc7"], options].concat());
    let report = report(dir.path());
    let name = std::fs::read_dir(dir.path()).expect("a folder").flatten().map(|e| e.path());
    let blif = name.into_iter().find(|p| p.extension().is_some_and(|e| e == "blif")).expect("a BLIF");
    assert!(equivalent(dir.path(), file, &blif), "{}", file.display());
    assert_eq!(report["latency_cycles"], 0, "a netlist stays combinational");
    let number = |name: &str| report[name].as_u64().expect("a number");
    (number("lut_functions"), number("luts"))
}

/// A two-bit multiplier with constants, don't-cares, a wide gate and an output that is an inverted input.
const MULTIPLIER: &str = "\
.model mul2
.inputs a0 a1 b0 b1
.outputs p0 p1 p2 p3 n one all
.names a0 b0 p0
11 1
.names a0 b1 x
11 1
.names a1 b0 y
11 1
.names x y p1
10 1
01 1
.names a1 b1 z
11 1
.names x y c
11 1
.names z c p2
10 1
01 1
.names z c p3
11 1
.names a0 n
0 1
.names one
1
.names a0 a1 b0 b1 \\
 x y z all
1------ 0
-1----- 0
--1---- 0
---1--- 0
.end
";

#[test]
fn a_small_netlist_is_small_and_right() {
    let dir = tempdir().expect("a folder");
    let file = dir.path().join("mul2.blif");
    std::fs::write(&file, MULTIPLIER).expect("written");
    // Four products and the NOR of the inputs; the inverter and the constant are free.
    assert_eq!(compiled(&file), 5);
}

/// A network of two-input gates, 40 inputs and 5 layers of 60, always the same.
fn gates() -> String {
    let mut seed = 0x2545_f491_4f6c_dd1du64;
    let mut random = |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 33) as usize % n
    };
    let mut layer: Vec<String> = (0..40).map(|i| format!("i{i}")).collect();
    let mut text = format!(".model gates\n.inputs {}\n", layer.join(" "));
    let mut body = String::new();
    for depth in 0..5 {
        let mut next = Vec::new();
        for node in 0..60 {
            let name = format!("g{depth}_{node}");
            let (a, b) = (random(layer.len()), random(layer.len()));
            let table = 1 + random(14);
            if a == b {
                body += &format!(".names {} {name}\n1 1\n", layer[a]);
            } else {
                body += &format!(".names {} {} {name}\n", layer[a], layer[b]);
                for address in (0..4).filter(|address| table >> address & 1 == 1) {
                    body += &format!("{}{} 1\n", address & 1, address >> 1);
                }
            }
            next.push(name);
        }
        layer = next;
    }
    text += &format!(".outputs {}\n{body}.end\n", layer.join(" "));
    text
}

#[test]
fn a_network_of_gates_is_right() {
    let dir = tempdir().expect("a folder");
    let file = dir.path().join("gates.blif");
    std::fs::write(&file, gates()).expect("written");
    let functions = compiled(&file);
    assert!((20..=150).contains(&functions), "{functions} functions");
}

#[test]
fn trained_networks_stay_below_their_bounds() {
    for (name, bound) in [("dlgn2_4x1000", 760), ("lut6_2x300", 600)] {
        if let Some(file) = shared(&format!("bench/nets/{name}.blif")) {
            let functions = compiled(&file);
            assert!(functions <= bound, "{name}: {functions} functions");
        }
    }
}

#[test]
fn epfl_circuits_are_equivalent() {
    let Some(folder) = shared("bench/epfl") else { return };
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().map(|e| e.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "blif"));
    files.sort();
    assert!(files.len() >= 10);
    for file in files {
        compiled(&file);
    }
}

#[test]
fn each_level_of_work_takes_at_most_the_sites_of_the_one_before() {
    let dir = tempdir().expect("a folder");
    let own = [("mul2.blif", MULTIPLIER.to_string()), ("gates.blif", gates())];
    let mut files: Vec<_> = own
        .into_iter()
        .map(|(name, text)| {
            std::fs::write(dir.path().join(name), text).expect("written");
            dir.path().join(name)
        })
        .collect();
    let small = ["epfl/router", "epfl/cavlc", "epfl/ctrl", "epfl/int2float"];
    files.extend(small.iter().filter_map(|name| shared(&format!("bench/{name}.blif"))));
    for file in files {
        let sites = ["0", "1", "2", "3"].map(|level| figures(&file, &["-O", level]).1);
        assert!(sites.is_sorted_by(|a, b| a >= b), "{}: {sites:?}", file.display());
    }
}

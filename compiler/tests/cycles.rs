//! `blc sim` cycle by cycle, with upsets, and of two designs.
#![allow(clippy::unwrap_used)]

mod common;

use blc_frontend::data::Elements;
use blc_frontend::model::Dtype;
use common::{FEATURES, Work, bytes, model};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A counter of three bits that an input holds.
const COUNTER: &str = ".model count\n.inputs clk hold\n.outputs q0 q1 q2\n.latch n0 q0 re clk 0\n.latch n1 q1 re clk 0\n\
                       .latch n2 q2 re clk 1\n.names hold q0 n0\n00 1\n11 1\n.names hold q0 q1 n1\n010 1\n001 1\n1-1 1\n\
                       .names hold q0 q1 q2 n2\n0110 1\n00-1 1\n0-01 1\n1--1 1\n.end\n";

#[test]
fn a_netlist_with_state() {
    let work = Work::new();
    work.write("count.blif", COUNTER);
    // Two streams of five samples; the second one holds from its third cycle on.
    let hold = vec![0, 0, 0, 0, 0, 0, 0, 1, 1, 1];
    work.array("hold.npy", &[10, 1], Elements::U8(hold));
    let refused = work.blc("sim count.blif --input hold.npy");
    assert!(refused.code == Some(1) && refused.stderr.contains("BL3110") && refused.stderr.contains("--cycles"));
    work.blc("sim count.blif --input hold.npy --streams 2 --cycles 6 --output out.npy").fine();
    let out = work.read_array("out.npy");
    assert_eq!(out.shape, [2, 6, 3]);
    let counts = [4, 5, 6, 7, 0, 1, 4, 5, 6, 6, 6, 6];
    let bits = counts.iter().flat_map(|n| (0..3).map(move |b| n >> b & 1)).collect();
    assert_eq!(out.data, Elements::U8(bits));

    work.array("zero.npy", &[1, 1], Elements::U8(vec![0]));
    let said = work.blc("sim count.blif --input zero.npy --cycles 4 --trace hold,q2,q0").fine().stdout;
    assert!(
        said.starts_with("cycle  hold  q2  q0\n0         0   1   0\n1         0   1   1\n2         0   1   0\n"),
        "{said}"
    );
    // Inverted at the beginning of cycle 2: 4, 5, then 2 instead of 6.
    let said = work.blc("sim count.blif --input zero.npy --cycles 5 --flip q2@2 --output out.npy --json").fine();
    assert_eq!(json(&said.stdout)["cycles_changed"], 3);
    let bits = [4, 5, 2, 3, 4].iter().flat_map(|n| (0..3).map(move |b| n >> b & 1)).collect();
    assert_eq!(work.read_array("out.npy").data, Elements::U8(bits));
    for wave in ["w.fst", "w.vcd"] {
        work.blc(&format!("sim count.blif --input zero.npy --cycles 5 --wave {wave}")).fine();
        assert!(std::fs::metadata(work.path(wave)).unwrap().len() > 100);
    }
    for (args, code) in [
        ("--cycles 5 --trace nothing", "BL3141"),
        ("--cycles 5 --flip n0@1", "BL3144"),
        ("--cycles 5 --flip q0", "BL4024"),
        ("--streams 3", "BL4024"),
        ("--cycles 4000000000", "BL4024"),
        ("--cycles 5 --engine reference", "BL3130"),
    ] {
        let said = work.blc(&format!("sim count.blif --input hold.npy {args}"));
        assert!(said.code == Some(1) && said.stderr.contains(code), "{args}: {}", said.stderr);
    }
}

/// A folder with a compiled model, its batch and the classes it gives as labels.
fn compiled() -> (Work, Elements) {
    let work = Work::new();
    model(Dtype::U8).write(&work.path("model.safetensors")).unwrap();
    work.blc("compile model.safetensors --target xc7 --emit blir").fine();
    work.array("x.npy", &[300, FEATURES], Elements::U8(bytes(300)));
    work.blc("sim --input x.npy --output y.npy").fine();
    let classes = work.read_array("y.npy").data;
    (work, classes)
}

#[test]
fn cycles_of_a_pipeline_are_its_batch_delayed() {
    let (work, _) = compiled();
    for args in ["--hold 1", "--streams 3", "--hold 3 --streams 2"] {
        let said = json(&work.blc(&format!("sim --input x.npy --labels y.npy {args} --json")).fine().stdout);
        assert_eq!(said["accuracy"], 1.0, "{args}");
        assert_eq!(said["correct"], 300);
    }
}

#[test]
fn upsets() {
    let (work, _) = compiled();
    let run = || json(&work.blc("sim --input x.npy --labels y.npy --seu 60 --seed 3 --json").fine().stdout);
    let said = run();
    assert_eq!(said, run(), "the same seed gives the same upsets");
    assert_eq!(said["accuracy"], 1.0);
    let upsets = said["upsets"].as_array().unwrap();
    assert_eq!(upsets.len(), 60);
    for u in upsets {
        let changed = u["changed"].as_u64().unwrap();
        let accuracy = (300 - changed) as f64 / 300.0;
        assert!((u["accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-12, "all labels are right without upsets: {u}");
    }
    let harmless = upsets.iter().filter(|u| u["changed"] == 0).count();
    assert!(harmless > 0 && harmless < 60, "{harmless}");
    assert_eq!(said["harmless"], harmless);
    let text = work.blc("sim --input x.npy --seu 2").fine().stdout;
    assert!(text.contains("2 upsets"), "{text}");
}

#[test]
fn two_designs() {
    let (work, _) = compiled();
    work.blc("compile model.safetensors --target lut4 --emit blir -o four").fine();
    let said = work.blc("sim blc-out --input x.npy --compare four").fine();
    assert!(said.stdout.contains("give the same"), "{}", said.stdout);
    // Some table of the first layer is inverted in one of them.
    let text = std::fs::read_to_string(work.path("four/design.blir")).unwrap();
    let line = text.lines().find(|l| l.contains("\"layer0\" neuron") && l.contains("lut(")).unwrap();
    let (head, tail) = line.split_once("table = 0x").unwrap();
    let (table, rest) = tail.split_once('}').unwrap();
    let inputs = line.matches('%').count() - 1;
    let inverted = !u64::from_str_radix(table, 16).unwrap() & ((1 << (1 << inputs)) - 1);
    let wrong = text.replace(line, &format!("{head}table = {inverted:#x}}}{rest}"));
    assert_ne!(wrong, text);
    std::fs::create_dir(work.path("wrong")).unwrap();
    work.write("wrong/design.blir", wrong);
    for entry in std::fs::read_dir(work.path("four")).unwrap() {
        let path = entry.unwrap().path();
        let to = work.path("wrong").join(path.file_name().unwrap());
        if !to.exists() {
            std::fs::copy(&path, to).unwrap();
        }
    }
    let said = work.blc("sim four --input x.npy --compare wrong");
    assert_eq!(said.code, Some(3), "{}{}", said.stdout, said.stderr);
    assert!(said.stderr.contains("BL4026") && said.stderr.contains("sample "), "{}", said.stderr);
    assert!(said.stderr.contains("layer0: 1 of "), "{}", said.stderr);
    work.blc("compile model.safetensors --target lut4 --no-head --emit blir -o bits").fine();
    let said = work.blc("sim four --input x.npy --compare bits");
    assert!(said.code == Some(1) && said.stderr.contains("BL4025"), "{}", said.stderr);
}

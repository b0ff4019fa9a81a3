//! The commands as people type them.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use blc_backends::sim::{Engine, Input, Simulator};
use blc_frontend::data::Elements;
use blc_frontend::lower;
use blc_frontend::model::{Dtype, TensorNames};
use common::{ADDER, CLASSES, FEATURES, Work, bytes, model, random};
use serde_json::Value;

const SAMPLES: usize = 700;

/// A folder with a model and a batch, and what the reference evaluator says of it: classes and scores.
fn work() -> (Work, Vec<u8>, Vec<u8>) {
    let work = Work::new();
    let model = model(Dtype::U8);
    model.write(&work.path("model.safetensors")).unwrap();
    let x = bytes(SAMPLES);
    work.array("batch.npy", &[SAMPLES, FEATURES], Elements::U8(x.clone()));
    let module = lower::to_ir(&model, "model.safetensors", &TensorNames::standard(&model));
    let reference = Simulator::new(&module, module.top().unwrap(), Engine::Reference).unwrap();
    let said = reference.run(&Input::u8(SAMPLES, &x)).unwrap();
    (work, said.port_u8("class").unwrap(), said.port_u8("score").unwrap())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn the_two_commands_that_people_type() {
    let (work, classes, scores) = work();
    assert!((0..CLASSES as u8).all(|c| classes.contains(&c)), "the test model tells nothing apart");
    work.blc("compile model.safetensors --target xc7").fine();
    for file in ["design.blir", "tiny.v", "tiny_tb.v", "xc7_sim.v", "tiny.blif", "report.json", "timing.json"] {
        assert!(fs::metadata(work.path("blc-out").join(file)).unwrap().len() > 0, "{file}");
    }
    let wrong = classes.iter().enumerate().map(|(i, &c)| if i < 70 { c + 1 } else { c });
    work.array("labels.npy", &[SAMPLES], Elements::U8(wrong.collect()));
    let said = work.blc("sim --input batch.npy --labels labels.npy --output pred.npy --scores scores.npy").fine();
    assert!(said.stdout.contains("accuracy 90.00 % (630 of 700)"), "{}", said.stdout);
    assert_eq!(work.read_array("pred.npy").shape, [SAMPLES]);
    assert_eq!(work.read_array("pred.npy").data, Elements::U8(classes));
    assert_eq!(work.read_array("scores.npy").shape, [SAMPLES, CLASSES]);
    assert_eq!(work.read_array("scores.npy").data, Elements::U8(scores));
}

#[test]
fn engines_and_names_of_a_design_are_equal() {
    let (work, classes, _) = work();
    work.blc("compile model.safetensors --target lut4 -o four").fine();
    assert!(!work.path("four/xc7_sim.v").exists(), "no primitives, no models of them");
    for design in ["four", "four/design.blir"] {
        for engine in Engine::ALL.into_iter().filter(|e| e.is_available()) {
            let said = work.blc(&format!("sim {design} --input batch.npy --output p.npy --engine {engine} --json"));
            let said = json(&said.fine().stdout);
            assert_eq!(work.read_array("p.npy").data, Elements::U8(classes.clone()), "{design} {engine}");
            assert_eq!((said["samples"].as_u64(), said["accuracy"].is_null()), (Some(SAMPLES as u64), true));
            assert!(said["latency_cycles"].as_u64().unwrap() > 0);
        }
    }
}

#[test]
fn report_has_every_figure() {
    let (work, ..) = work();
    work.blc("compile model.safetensors --target xc7").fine();
    let report = json(&fs::read_to_string(work.path("blc-out/report.json")).unwrap());
    let figures = ["luts", "lut_functions", "port_inverters", "ffs", "carry4", "muxf7", "muxf8", "levels"];
    for name in figures {
        let total = report[name].as_u64().unwrap_or_else(|| panic!("{name}"));
        let parts = ["encoder", "logic", "head"].map(|p| report["by_part"][p][name].as_u64().unwrap());
        if name != "levels" {
            assert_eq!(parts.iter().sum::<u64>(), total, "{name}");
        }
    }
    assert!(report["luts"].as_u64().unwrap() > 20 && report["by_part"]["encoder"]["luts"].as_u64().unwrap() > 0);
    let layers: Vec<_> = report["by_layer"].as_array().unwrap().iter().map(|l| l["layer"].as_str().unwrap()).collect();
    assert!(layers.contains(&"encoder") && layers.contains(&"layer0") && layers.contains(&"head"), "{layers:?}");
    assert_eq!(report["estimates"], json("[\"latency_ns\", \"fmax_mhz\", \"critical_path\", \"paths\"]"));
    let stages = report["registers_by_stage"].as_array().unwrap();
    assert_eq!(stages.len() as u64, report["latency_cycles"].as_u64().unwrap());
    assert_eq!(stages.iter().map(|n| n.as_u64().unwrap()).sum::<u64>(), report["ffs"].as_u64().unwrap());
    let path = report["critical_path"].as_array().unwrap();
    let end = path.last().unwrap()["at_ns"].as_f64().unwrap();
    let period = 1000.0 / report["fmax_mhz"].as_f64().unwrap();
    assert!(
        end < period && end > period / 2.0 && path.windows(2).all(|w| w[0]["at_ns"].as_f64() < w[1]["at_ns"].as_f64())
    );
    assert!(path.iter().any(|step| step["layer"] == "head"));
    assert_eq!(report["speed"], json("{\"grade\": \"2\", \"spread_percent\": 40}"));
    assert!(report["latency_cycles"].as_u64().unwrap() >= 3 && report["fmax_mhz"].as_f64().unwrap() > 50.0);
    let model = fs::read(work.path("model.safetensors")).unwrap();
    assert_eq!(report["input"]["sha256"], blc_frontend::files::sha256_hex(&model));
    assert!(report["pipeline"].as_str().unwrap().starts_with("quantize{bits=10},expand,"));
    assert_eq!(report["blc"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["outputs"].as_array().unwrap().len(), 7);
    assert!(report["seconds"].is_null(), "seconds stand apart, so that the report's bytes are always the same");

    let shown = json(&work.blc("report --json").fine().stdout);
    assert_eq!(shown["luts"], report["luts"]);
    assert!(shown["seconds"]["total"].as_f64().unwrap() > 0.0);
    let table = work.blc("report").fine().stdout;
    assert!(table.contains("encoder") && table.contains(&report["luts"].to_string()) && table.contains("estimates"));
}

#[test]
fn a_clock_a_number_of_stages_or_a_latency_is_met() {
    let (work, classes, _) = work();
    let compile = |options: &str| {
        work.blc(&format!("compile model.safetensors --target xc7 {options}")).fine();
        work.blc("sim --input batch.npy --output p.npy").fine();
        assert_eq!(work.read_array("p.npy").data, Elements::U8(classes.clone()), "{options}");
        let report = json(&fs::read_to_string(work.path("blc-out/report.json")).unwrap());
        let number = |name: &str| report[name].as_f64().unwrap();
        (number("fmax_mhz"), number("latency_cycles"), number("latency_ns"), number("ffs"))
    };
    let (mhz, _, _, registers) = compile("");
    let (same, _, _, fewer) = compile(&format!("--clock {mhz}"));
    assert!(same >= mhz && fewer <= registers, "{same} of {mhz} MHz, {fewer} of {registers}");
    let (fast, _, _, _) = compile("--clock 250");
    assert!(fast >= 250.0);
    for stages in [1.0, 2.0, 5.0] {
        let (faster, cycles, ..) = compile(&format!("--stages {stages}"));
        assert!(cycles == stages && faster > 50.0);
    }
    // As many stages at a slower clock take no more registers than at the fastest there is.
    let (shortest, _, _, many) = compile("--stages 5");
    let (slower, cycles, _, few) = compile("--stages 5 --clock 120");
    assert!(cycles == 5.0 && (120.0..=shortest).contains(&slower) && few <= many, "{few} of {many} at {slower} MHz");
    let (.., ns, _) = compile("--latency-ns 15");
    assert!(ns <= 15.0);
    let (slow, ..) = compile("--speed-grade 1");
    assert!(slow < mhz);
    for (options, why, code) in [
        ("--clock 5000", "one table or carry chain alone takes", 1),
        ("--stages 1 --clock 250", "are too few: that takes", 1),
        ("--latency-ns 1", "the shortest takes", 1),
        ("--liberty my.lib", "it belongs to `--target gates`", 2),
        ("--speed-grade 9", "its grades are 1, 2, 3", 2),
    ] {
        let said = work.blc(&format!("compile model.safetensors --target xc7 {options}"));
        assert!(said.code == Some(code) && said.stderr.contains(why), "{}", said.stderr);
    }
    assert_eq!(work.blc("compile model.safetensors --target xc7 --clock 0").code, Some(2));
    assert_eq!(work.blc("compile model.safetensors --target xc7 --clock 9 --latency-ns 1").code, Some(2));
    assert_eq!(work.blc("compile model.safetensors --target gates --valid").code, Some(2));
    assert_eq!(work.blc("compile model.safetensors --target gates --liberty model.safetensors").code, Some(1));
}

#[test]
fn no_encoder_and_no_head() {
    let (work, classes, _) = work();
    work.blc("compile model.safetensors --target xc7 --no-encoder -o bits").fine();
    let x = bytes(SAMPLES);
    let common_model = model(Dtype::U8);
    let thresholds = match &common_model.layers[0] {
        blc_frontend::model::Layer::Thermometer { thresholds: blc_frontend::model::Thresholds::U8(t), .. } => t.clone(),
        other => panic!("{other:?}"),
    };
    let encoded: Vec<bool> = x
        .chunks(FEATURES)
        .flat_map(|x| thresholds.iter().enumerate().map(|(i, &t)| x[i / 3] > t).collect::<Vec<_>>())
        .collect();
    work.array("bits.npy", &[SAMPLES, 3 * FEATURES], Elements::Bool(encoded));
    work.blc("sim bits --input bits.npy --output pred.npy").fine();
    assert_eq!(work.read_array("pred.npy").data, Elements::U8(classes.clone()));

    work.blc("compile model.safetensors --target xc7 --no-head --stages 0 -o headless").fine();
    work.blc("sim headless --input batch.npy --output y.npy").fine();
    let y = work.read_array("y.npy");
    assert_eq!(y.shape, [SAMPLES, 12]);
    let Elements::U8(y) = y.data else { panic!("bits are bytes") };
    let largest = |bits: &[u8]| {
        let sums: Vec<u8> = bits.chunks(12 / CLASSES).map(|g| g.iter().sum()).collect();
        (0..CLASSES).rev().max_by_key(|&c| sums[c]).unwrap() as u8
    };
    assert_eq!(y.chunks(12).map(largest).collect::<Vec<_>>(), classes);
    let report = json(&work.blc("report headless --json").fine().stdout);
    assert_eq!((&report["latency_cycles"], &report["ffs"]), (&json("0"), &json("0")));
    assert_eq!(report["by_part"]["head"]["luts"], 0);
}

#[test]
fn real_inputs_become_words() {
    let work = Work::new();
    let model = model(Dtype::F32);
    model.write(&work.path("model.safetensors")).unwrap();
    let mut next = random(5);
    let x: Vec<f32> = (0..SAMPLES * FEATURES).map(|_| (next() % 2000) as f32 / 800.0 - 1.2).collect();
    work.array("batch.npy", &[SAMPLES, FEATURES], Elements::F32(x.clone()));
    work.blc("compile model.safetensors --target xc7 --input-bits 14").fine();
    let report = json(&work.blc("report --json").fine().stdout);
    assert_eq!(
        (&report["quantisation"]["input_bits"], &report["quantisation"]["thresholds_lost"]),
        (&json("14"), &json("0"))
    );
    assert_eq!(report["quantisation"]["thresholds"], 3 * FEATURES as u64);
    work.blc("sim --input batch.npy --output fast.npy").fine();
    work.blc("sim --input batch.npy --output slow.npy --engine reference").fine();
    assert_eq!(work.read_array("fast.npy"), work.read_array("slow.npy"));

    let module = lower::to_ir(&model, "m", &TensorNames::standard(&model));
    let reference = Simulator::new(&module, module.top().unwrap(), Engine::Reference).unwrap();
    let exact = reference.run(&Input::f32(SAMPLES, &x)).unwrap().port_u8("class").unwrap();
    let Elements::U8(fast) = work.read_array("fast.npy").data else { panic!("classes are bytes") };
    let same = fast.iter().zip(&exact).filter(|(a, b)| a == b).count();
    assert!(same * 100 >= SAMPLES * 99, "14 bits tell {same} of {SAMPLES} samples as real numbers do");

    let few = work.blc("compile model.safetensors --target xc7 --input-bits 1").fine();
    assert!(few.stderr.contains("warning[BL2105]"), "{}", few.stderr);
}

#[test]
fn a_netlist_stays_combinational() {
    let work = Work::new();
    work.write("adder.blif", ADDER);
    work.blc("compile adder.blif --target xc7").fine();
    assert_eq!(json(&work.blc("report --json").fine().stdout)["latency_cycles"], 0);
    let bits: Vec<u8> = (0..8u8).flat_map(|i| (0..3).map(move |b| i >> b & 1)).collect();
    work.array("all.npy", &[8, 3], Elements::U8(bits));
    work.blc("sim --input all.npy --output sums.npy").fine();
    let sums = work.read_array("sums.npy");
    assert_eq!(sums.shape, [8, 2]);
    let expected = (0..8u8).flat_map(|i| [i.count_ones() as u8 & 1, i.count_ones() as u8 >> 1]).collect();
    assert_eq!(sums.data, Elements::U8(expected));

    work.blc("compile adder.blif --target xc7 --stages 2 -o staged").fine();
    let report = json(&work.blc("report staged --json").fine().stdout);
    assert_eq!(report["latency_cycles"], 2);
    assert!(report["ffs"].as_u64().unwrap() >= 4);
    work.blc("sim staged --input all.npy --output again.npy").fine();
    assert_eq!(work.read_array("again.npy"), sums);
    work.blc("compile staged/design.blir --target lut6 -o copy").fine();
}

#[test]
fn what_is_forbidden_is_not_used() {
    let (work, classes, _) = work();
    // A choice of eight: two LUTs and what joins them.
    let of_four = "001--- 1\n10-1-- 1\n01--1- 1\n11---1 1\n";
    work.write(
        "choice.blif",
        format!(
            ".model choice\n.inputs s0 s1 s2 d0 d1 d2 d3 d4 d5 d6 d7\n.outputs y\n.names s0 s1 d0 d1 d2 d3 u\n{of_four}\
             .names s0 s1 d4 d5 d6 d7 v\n{of_four}.names s2 u v y\n01- 1\n1-1 1\n.end\n"
        ),
    );
    for (file, forbid, ops) in [
        ("model.safetensors", "pair", &["xc7.lut6_2"][..]),
        ("model.safetensors", "carry", &["xc7.carry4"]),
        ("choice.blif", "muxf", &["xc7.muxf7"]),
        ("model.safetensors", "pair,carry", &["xc7.lut6_2", "xc7.carry4"]),
    ] {
        let compile = |options: &str| {
            work.blc(&format!("compile {file} --target xc7 {options}")).fine();
            fs::read_to_string(work.path("blc-out/design.blir")).unwrap()
        };
        let free = compile("");
        let bound = compile(&format!("--forbid {forbid}"));
        for op in ops {
            assert!(free.contains(op) && !bound.contains(op), "{file} without {forbid}: {op}\n{free}\n{bound}");
        }
        if file.starts_with("model") {
            work.blc("sim --input batch.npy --output p.npy").fine();
            assert_eq!(work.read_array("p.npy").data, Elements::U8(classes.clone()), "{forbid}");
        } else {
            work.blc(&format!("equiv {file} blc-out")).fine();
        }
    }
}

#[test]
fn levels_and_the_bound_are_reported() {
    let (work, ..) = work();
    let compile = |options: &str| {
        work.blc(&format!("compile model.safetensors --target xc7 --stages 0 {options}")).fine();
        json(&fs::read_to_string(work.path("blc-out/report.json")).unwrap())
    };
    let report = compile("");
    let levels = report["levels"].as_u64().unwrap();
    let bound = report["lut_functions_bound"].as_u64().unwrap();
    assert!((1..=report["lut_functions"].as_u64().unwrap()).contains(&bound), "{report}");
    assert!(work.blc("report").fine().stdout.contains(&format!("{bound} functions at least")));
    assert_eq!(report["interrupted"], false);
    assert_eq!(compile(&format!("--max-levels {levels}"))["luts"], report["luts"]);
    let said = work.blc("compile model.safetensors --target xc7 --stages 0 --max-levels 1");
    assert!(said.code == Some(1) && said.stderr.contains("no design of at most 1 levels was found"), "{}", said.stderr);
}

#[test]
fn no_name_of_a_design_hides_a_file() {
    let work = Work::new();
    work.write("a.blif", ADDER.replace("adder", "xc7_sim"));
    work.blc("compile a.blif --target xc7").fine();
    let text = |name: &str| fs::read_to_string(work.path("blc-out").join(name)).unwrap();
    assert!(text("xc7_sim_.v").contains("module xc7_sim_ (") && text("xc7_sim.v").contains("module LUT6_2"));
}

#[test]
fn opt_reads_and_writes_text() {
    let work = Work::new();
    let text = "blir 0.1\nmodule @m {\n  func @f(%a: bit, %b: bit) -> (%y: bit) {\n    %n = lut(%a) {table = 0x1} : bit\n    \
                %y = lut(%n, %b) {table = 0x8} : bit\n    return %y\n  }\n}\n";
    work.write("a.blir", text);
    let folded = work.blc("opt a.blir --passes fold,dce --verify-each --check-each sim").fine().stdout;
    assert!(folded.contains("table = 0x4") && !folded.contains("0x1"), "{folded}");
    assert_eq!(work.blc_with(&["opt", "-", "--passes", "fold"], text).fine().stdout, folded);
    work.blc("opt a.blir --passes fold -o b.blir").fine();
    assert_eq!(fs::read_to_string(work.path("b.blir")).unwrap(), folded);

    let watched = work.blc("opt a.blir --passes fold,dce --print-ir-after fold --timing").fine();
    assert_eq!(watched.stdout, folded, "IR in, IR out, whatever is watched");
    assert!(watched.stderr.contains("// after fold\nblir 0.1") && watched.stderr.contains("seconds"));

    let broken = work.blc_with(&["opt", "-", "--passes", "fold"], &text.replace("%n, %b", "%q, %r"));
    assert_eq!(broken.code, Some(1));
    assert_eq!(broken.stderr.matches("error[BL0105]").count(), 2, "all errors at once: {}", broken.stderr);
    let named = text.replace("module", "#t = resource \"m\"::\"t\" sha256:SHA\nmodule").replace("SHA", &"0".repeat(64));
    let refused = work.blc_with(&["opt", "-", "--passes", "fold"], &named);
    assert!(refused.code == Some(1) && refused.stderr.contains("BL4005"), "{}", refused.stderr);
}

#[test]
fn what_there_is_can_be_listed() {
    let work = Work::new();
    let passes = work.blc("passes").fine().stdout;
    for name in ["expand", "fold", "cover", "lower-head", "lower-encoder", "pipeline", "to-xc7", "dce", "@default"] {
        assert!(passes.contains(name), "{name}");
    }
    let codes = work.blc("explain codes").fine().stdout;
    for line in codes.lines() {
        let id = &line[..6];
        assert!(work.blc(&format!("explain {}", id.to_lowercase())).fine().stdout.starts_with(id), "{id}");
    }
    assert!(work.blc("explain ops").fine().stdout.contains("xc7.lut6_2"));
    assert!(work.blc("explain lut").fine().stdout.starts_with("lut  (bit, hw)"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(work.blc(&format!("completions {shell}")).fine().stdout.contains("compile"), "{shell}");
    }
    assert!(work.blc("--help").fine().stdout.contains("Exit codes"));
    assert!(work.blc("compile --help").fine().stdout.contains("Examples:"));
    assert_eq!(work.blc("--version").fine().stdout.trim(), concat!("blc ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn quiet_and_colours() {
    let work = Work::new();
    work.write("adder.blif", ADDER);
    let quiet = work.blc("compile adder.blif --target xc7 -q").fine();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let json = work.blc("compile adder.blif --target xc7 --error-format json").fine();
    assert_eq!(json.stderr, "", "no talk between records");
    assert!(!work.blc("compile nothing.blif --target xc7").stderr.contains('\x1b'));
    assert!(work.blc("compile nothing.blif --target xc7 --color always").stderr.contains('\x1b'));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_blc"))
        .args(["explain", "codes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut talk = String::new();
    child.stderr.take().unwrap().read_to_string(&mut talk).unwrap();
    assert_eq!((child.wait().unwrap().code(), talk.as_str()), (Some(0), ""));
}

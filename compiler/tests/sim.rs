//! `blc sim` on batches of every kind.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use blc_backends::sim::{Engine, Input, Simulator};
use blc_frontend::data::{Dataset, Elements, Features};
use blc_frontend::lower;
use blc_frontend::model::{Dtype, TensorNames};
use common::{ADDER, FEATURES, Work, bytes, model};
use serde_json::Value;

/// More than one block of 512 samples, and no whole number of them.
const SAMPLES: usize = 5003;

/// A folder with a compiled model and a batch, the batch, and the classes that the reference evaluator gives.
fn work() -> (Work, Vec<u8>, Vec<u8>) {
    let work = Work::new();
    let model = model(Dtype::U8);
    model.write(&work.path("model.safetensors")).unwrap();
    work.blc("compile model.safetensors --target xc7 --emit blir").fine();
    let x = bytes(SAMPLES);
    work.array("batch.npy", &[SAMPLES, FEATURES], Elements::U8(x.clone()));
    let module = lower::to_ir(&model, "model.safetensors", &TensorNames::standard(&model));
    let reference = Simulator::new(&module, module.top().unwrap(), Engine::Reference).unwrap();
    let classes = reference.run(&Input::u8(SAMPLES, &x)).unwrap().port_u8("class").unwrap();
    (work, x, classes)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// An `.npy` with a header of one's own.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn every_form_of_a_batch_gives_the_same_classes() {
    let (work, x, classes) = work();
    let wide = |width: usize, big: bool| -> Vec<u8> {
        let element = |b: &u8| {
            let mut bytes = vec![0; width];
            bytes[if big { width - 1 } else { 0 }] = *b;
            bytes
        };
        x.iter().flat_map(element).collect()
    };
    let columns: Vec<u8> =
        (0..FEATURES).flat_map(|c| (0..SAMPLES).map(move |s| (s, c))).map(|(s, c)| x[s * FEATURES + c]).collect();
    let shape = format!("({SAMPLES}, {FEATURES})");
    work.write("f.npy", npy("|u1", true, &shape, &columns));
    work.write("u2.npy", npy("<u2", false, &shape, &wide(2, false)));
    work.write("be.npy", npy(">u4", false, &shape, &wide(4, true)));
    work.write("u8.npy", npy("<u8", false, &format!("({SAMPLES}, 2, {})", FEATURES / 2), &wide(8, false)));
    for file in ["batch.npy", "f.npy", "u2.npy", "be.npy", "u8.npy"] {
        for threads in [1, 3] {
            work.blc(&format!("sim --input {file} --output p.npy --threads {threads}")).fine();
            assert_eq!(work.read_array("p.npy").data, Elements::U8(classes.clone()), "{file}");
        }
    }
}

#[test]
fn figures_and_the_confusion_matrix() {
    let (work, _, classes) = work();
    // Every third label is wrong by one class.
    let labels: Vec<u8> = classes.iter().enumerate().map(|(i, &c)| if i % 3 == 0 { (c + 1) % 3 } else { c }).collect();
    let mut confusion = vec![vec![0u64; 3]; 3];
    labels.iter().zip(&classes).for_each(|(&l, &c)| confusion[usize::from(l)][usize::from(c)] += 1);
    work.array("labels.npy", &[SAMPLES], Elements::U8(labels));
    let said = work.blc("sim --input batch.npy --labels labels.npy --json --repeat 3").fine();
    let said = json(&said.stdout);
    assert_eq!(said["samples"], SAMPLES);
    assert_eq!(said["confusion"], serde_json::to_value(&confusion).unwrap());
    assert_eq!(said["correct"], SAMPLES - SAMPLES.div_ceil(3));
    for figure in ["setup", "encode", "evaluate", "head"] {
        assert!(said[format!("seconds_{figure}")].as_f64().unwrap() > 0.0, "{figure}");
    }
    if cfg!(unix) {
        assert!(said["seconds_setup_cpu"].as_f64().unwrap() > 0.0 && said["seconds_cpu"].as_f64().unwrap() > 0.0);
    }
    assert!(said["samples_per_second"].as_f64().unwrap() > 0.0 && said["seconds"].as_f64().unwrap() > 0.0);
    let engine = if Engine::Jit.is_available() { "jit" } else { "portable" };
    assert_eq!(said["engine"], engine);
    let text = work.blc("sim --input batch.npy --labels labels.npy").fine().stdout;
    assert!(text.contains("label \\ class") && text.contains(&confusion[2][0].to_string()), "{text}");
}

#[test]
fn no_samples_and_one() {
    let (work, x, classes) = work();
    work.array("none.npy", &[0, FEATURES], Elements::U8(vec![]));
    work.array("one.npy", &[1, FEATURES], Elements::U8(x[..FEATURES].to_vec()));
    work.array("no_labels.npy", &[0], Elements::U8(vec![]));
    work.blc("sim --input none.npy --labels no_labels.npy --output p.npy --scores s.npy").fine();
    assert_eq!((work.read_array("p.npy").shape, work.read_array("s.npy").shape), (vec![0], vec![0, 3]));
    work.blc("sim --input one.npy --output p.npy").fine();
    assert_eq!(work.read_array("p.npy").data, Elements::U8(classes[..1].to_vec()));
}

#[test]
fn packed_bits_into_a_netlist() {
    let work = Work::new();
    work.write("adder.blif", ADDER);
    // All eight additions: bits a, b, c in the highest bits of a byte, or in the lowest.
    let rows: Vec<u8> = (0..8).collect();
    let big: Vec<u8> = rows.iter().map(|r| (r & 1) << 7 | (r >> 1 & 1) << 6 | (r >> 2) << 5).collect();
    work.array("big.npy", &[8, 1], Elements::U8(big)).array("little.npy", &[8, 1], Elements::U8(rows.clone()));
    let bools = rows.iter().flat_map(|r| (0..3).map(move |b| r >> b & 1 == 1)).collect();
    work.array("bool.npy", &[8, 3], Elements::Bool(bools));
    let sums: Vec<u8> = rows.iter().flat_map(|r| [(r.count_ones() & 1) as u8, u8::from(r.count_ones() > 1)]).collect();
    for input in ["big.npy --packed big", "little.npy --packed little", "bool.npy"] {
        work.blc(&format!("sim adder.blif --input {input} --output p.npy")).fine();
        let p = work.read_array("p.npy");
        assert_eq!((p.shape, p.data), (vec![8, 2], Elements::U8(sums.clone())), "{input}");
    }
}

#[test]
fn an_error_leaves_no_output() {
    let (work, x, _) = work();
    let listing = |work: &Work| work.hashes(".").into_keys().collect::<Vec<_>>();
    let before = listing(&work);
    if fs::metadata("/dev/full").is_ok() {
        let said = work.blc("sim --input batch.npy --output pred.npy --scores /dev/full");
        assert_eq!(said.code, Some(1));
        assert!(said.stderr.contains("/dev/full") && said.stderr.contains("BL1002"), "{}", said.stderr);
        assert_eq!(listing(&work), before);
    }
    let said = work.blc("sim --input batch.npy --output missing/pred.npy");
    assert!(said.code == Some(1) && said.stderr.contains("BL1002"), "{}", said.stderr);
    // A wrong number in the second window: the first one's answers are gone, too.
    work.write("cut.npy", npy("|u1", false, &format!("({SAMPLES}, {FEATURES})"), &x[1..]));
    let said = work.blc("sim --input cut.npy --output pred.npy");
    assert!(said.code == Some(1) && said.stderr.contains("BL1204"), "{}", said.stderr);
    fs::remove_file(work.path("cut.npy")).unwrap();
    for (descr, shape, width, code) in [
        ("<f8", format!("({SAMPLES}, {FEATURES})"), 8, "BL4021"),
        ("|u1", format!("({FEATURES}, {SAMPLES})"), 1, "BL4020"),
        ("|i1", format!("({SAMPLES}, {FEATURES})"), 1, "BL"),
    ] {
        work.write("wrong.npy", npy(descr, false, &shape, &vec![0; width * x.len()]));
        let said = work.blc("sim --input wrong.npy --output pred.npy --scores s.npy");
        assert!(said.code == Some(1) && said.stderr.contains(code), "{descr}: {}", said.stderr);
        fs::remove_file(work.path("wrong.npy")).unwrap();
    }
    assert_eq!(listing(&work), before);
}

#[test]
fn a_wrong_number_is_named_by_its_place_in_the_file() {
    let work = Work::new();
    work.write("adder.blif", ADDER);
    let samples = 300_000;
    let mut bits = vec![1u8; samples * 3];
    bits[3 * 299_999 + 1] = 2;
    work.array("bits.npy", &[samples, 3], Elements::U8(bits));
    let said = work.blc("sim adder.blif --input bits.npy --output pred.npy");
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("sample 299999, %b: 2 does not fit"), "{}", said.stderr);
    assert!(!work.path("pred.npy").exists());
    assert_eq!(fs::read_dir(work.path(".")).unwrap().count(), 2, "nothing is left beside the inputs");
}

#[test]
fn missing_values() {
    let work = Work::new();
    model(Dtype::F32).write(&work.path("model.safetensors")).unwrap();
    work.blc("compile model.safetensors --target lut6 --emit blir").fine();
    let mut x: Vec<f32> = (0..1000 * FEATURES).map(|i| (i % 200) as f32 / 50.0 - 2.0).collect();
    work.array("x.npy", &[1000, FEATURES], Elements::F32(x.clone()));
    for engine in Engine::ALL.into_iter().filter(|e| e.is_available()) {
        work.blc(&format!("sim --input x.npy --output {engine}.npy --engine {engine}")).fine();
        assert_eq!(work.read_array(&format!("{engine}.npy")), work.read_array("auto.npy"));
    }
    x[700 * FEATURES + 2] = f32::NAN;
    work.array("nan.npy", &[1000, FEATURES], Elements::F32(x));
    let said = work.blc("sim --input nan.npy --output p.npy");
    assert!(said.code == Some(1) && said.stderr.contains("sample 700, %x[2]"), "{}", said.stderr);
    assert!(said.stderr.contains("BL3122") && !work.path("p.npy").exists());
}

#[test]
fn the_test_samples_of_a_data_set() {
    let work = Work::new();
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/digits.safetensors");
    fs::copy(golden, work.path("model.safetensors")).unwrap();
    work.blc("compile model.safetensors --target xc7 --emit blir").fine();
    let digits = Dataset::open("digits").unwrap();
    let Features::U8(x) = digits.test.x else { panic!("the digits are bytes") };
    work.array("x.npy", &[digits.test.y.len(), 64], Elements::U8(x));
    work.array("y.npy", &[digits.test.y.len()], Elements::U16(digits.test.y));
    let [by_name, by_file] = ["--data digits", "--input x.npy --labels y.npy"]
        .map(|what| json(&work.blc(&format!("sim {what} --json")).fine().stdout));
    assert!(by_name["accuracy"].as_f64() > Some(0.9));
    for key in ["samples", "accuracy", "confusion"] {
        assert_eq!(by_name[key], by_file[key], "{key}");
    }
    for (args, code, words) in
        [("sim --data nowhere", 1, "BL1200"), ("sim", 2, "--input"), ("sim --data digits --input x.npy", 2, "--input")]
    {
        let ended = work.blc(args);
        assert!(ended.code == Some(code) && ended.stderr.contains(words), "{args}: {}", ended.stderr);
    }
}

#[test]
fn a_checkpoint_imported_says_what_it_is() {
    let work = Work::new();
    let whole = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/import/difflut/whole.whole");
    for ending in ["pt", "toml"] {
        fs::copy(whole.with_extension(format!("whole.{ending}")), work.path(&format!("net.{ending}"))).unwrap();
    }
    let said = work.blc("import net.pt --from difflut --sidecar net.toml -o m.safetensors --json").fine().stdout;
    let said = json(&said);
    assert_eq!((&said["name"], &said["dtype"], &said["lookup_tables"]), (&"net".into(), &"f32".into(), &20.into()));
    work.blc("compile m.safetensors --target lut6 --emit blir").fine();
    let wrong = work.blc("import net.pt --from torchlogix --sidecar net.toml -o m.safetensors");
    assert!(wrong.stderr.contains("say `--from difflut`"), "{}", wrong.stderr);
}

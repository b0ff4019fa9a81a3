//! The golden model of MNIST, whole: pixels in, class and scores out.

mod common;

use blc_backends::sim::{Engine, Input, Simulator};
use blc_frontend::data::{Dataset, Features, Npz};
use blc_frontend::model::Model;
use blc_frontend::train::predict;
use common::{compile, design, report, shared};
use tempfile::tempdir;

fn path(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// How many samples the compiled design has right; it must say what the trainer's evaluation says.
fn right(model: &Model, compiled: &blc_ir::Module, images: &[u8], labels: &[u16]) -> usize {
    let said = predict(model, &Features::U8(images.to_vec())).expect("answers");
    let simulator = Simulator::new(compiled, compiled.top().expect("a design"), Engine::Portable).expect("a simulator");
    let outputs = simulator.run(&Input::u8(labels.len(), images)).expect("outputs");
    assert_eq!(outputs.port_u16("class").expect("classes"), said.classes);
    assert!(outputs.port("score").expect("scores").eq(said.scores.iter().copied()));
    said.classes.iter().zip(labels).filter(|(a, b)| a == b).count()
}

/// The first thousand test images and their digits.
fn first_thousand() -> (Vec<u8>, Vec<u16>) {
    let bytes = std::fs::read(path("mnist_test.npz")).expect("test images");
    let mut npz = Npz::open(&bytes, "mnist_test.npz").expect("an archive");
    let images = npz.get("x").expect("x").into_features("mnist_test.npz", "x").expect("bytes");
    let labels = npz.get("y").expect("y").to_labels("mnist_test.npz", "y").expect("labels");
    let Features::U8(images) = images else { panic!("images are bytes") };
    (images, labels)
}

#[test]
fn mnist_keeps_its_accuracy_through_the_chain() {
    let dir = tempdir().expect("a folder");
    let model = Model::read(&path("mnist.safetensors")).expect("the golden model");
    compile(&path("mnist.safetensors"), dir.path(), &["--target", "xc7"]);
    let compiled = design(dir.path());
    let (images, labels) = first_thousand();
    assert_eq!(right(&model, &compiled, &images, &labels), FIRST_THOUSAND);

    // All ten thousand, where they are: what training said at its end.
    if let Some(folder) = shared("data/mnist") {
        let data = Dataset::open(&folder.display().to_string()).expect("MNIST");
        let Features::U8(images) = &data.test.x else { panic!("images are bytes") };
        assert_eq!(right(&model, &compiled, images, &data.test.y), 9882);
    }
}

/// Of the images that are in the repository; the rest of the 9,882 are in the others.
const FIRST_THOUSAND: usize = 988;

/// Pixels to class, nothing registered, by the estimate that the report gives.
#[test]
fn mnist_whole_takes_less_than_twenty_ns() {
    let dir = tempdir().expect("a folder");
    let model = Model::read(&path("mnist.safetensors")).expect("the golden model");
    compile(&path("mnist.safetensors"), dir.path(), &["--target", "xc7", "--stages", "0", "--head", "fast"]);
    let (images, labels) = first_thousand();
    assert_eq!(right(&model, &design(dir.path()), &images, &labels), FIRST_THOUSAND);
    let ns = report(dir.path())["latency_ns"].as_f64().expect("an estimate");
    assert!(ns < 20.0, "{ns} ns");
}

//! Checkpoints of other libraries: the scores of their own hard forward against those of the imported model, on every sample.
//!
//! `fixtures/import` holds files that the libraries themselves wrote, made by the scripts in `tests/import`; one test runs
//! torchlogix here and now, with the Python that `./test.sh` installs it for.

use std::path::{Path, PathBuf};
use std::process::Command;

use blc_backends::sim::{Engine, Input, Simulator};
use blc_frontend::data::{Elements, Npz};
use blc_frontend::import::{Format, read};
use blc_frontend::lower;
use blc_frontend::model::{Model, TensorNames};

/// Runs the model as it is compiled and simulated.
fn scores(model: &Model, samples: usize, x: &Elements) -> Vec<u64> {
    let module = lower::to_ir(model, "model.safetensors", &TensorNames::standard(model));
    let simulator = Simulator::new(&module, module.top().expect("a function"), Engine::Reference).expect("valid IR");
    let input = match x {
        Elements::U8(x) => Input::u8(samples, x),
        Elements::F32(x) => Input::f32(samples, x),
        _ => panic!("samples are bytes, bits or float32"),
    };
    let outputs = simulator.run(&input).expect("a result");
    outputs.port("score").expect("scores").collect()
}

/// Compares every score of a case: the files `NAME.pt` with `NAME.toml` and, where they are, `NAME.whole.pt` with theirs.
fn compare(folder: &Path, name: &str, format: Format) -> usize {
    let bytes = std::fs::read(folder.join(format!("{name}.npz"))).expect("samples and scores");
    let mut npz = Npz::open(&bytes, name).expect("an archive");
    let (x, expected) = (npz.get("x").expect("x"), npz.get("scores").expect("scores"));
    let samples = x.shape[0];
    assert!(samples >= 1000, "{name}: only {samples} samples");
    let Elements::U8(expected) = expected.data else { panic!("scores are bytes") };
    let mut compared = 0;
    for (file, sidecar) in [("pt", "toml"), ("whole.pt", "whole.toml"), ("safetensors", "toml")] {
        let checkpoint = folder.join(format!("{name}.{file}"));
        if !checkpoint.exists() {
            continue;
        }
        let sidecar = folder.join(format!("{name}.{sidecar}"));
        let model = read(&checkpoint, format, sidecar.exists().then_some(&sidecar))
            .unwrap_or_else(|e| panic!("{name}.{file}: {e}"));
        let ours = scores(&model, samples, &x.data);
        assert_eq!(ours.len(), expected.len(), "{name}.{file}");
        let wrong = ours.iter().zip(&expected).filter(|(a, b)| **a != u64::from(**b)).count();
        assert_eq!(wrong, 0, "{name}.{file}: of {} scores", ours.len());
        compared += 1;
    }
    assert!(compared > 0, "{name}: no checkpoint");
    compared
}

/// The cases in a folder, by their `.npz`.
fn cases(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())).flatten();
    let mut names: Vec<String> =
        names.filter_map(|e| Some(e.file_name().to_str()?.strip_suffix(".npz")?.to_owned())).collect();
    names.sort();
    names
}

#[test]
fn scores_of_files_that_the_libraries_wrote() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/import");
    for format in Format::ALL {
        let folder = fixtures.join(format.name());
        let names = cases(&folder);
        assert!(!names.is_empty(), "{} has no fixtures", format.name());
        for name in names {
            compare(&folder, &name, format);
        }
    }
}

/// The Python that has torchlogix.
fn python() -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/torchlogix/bin/python");
    std::env::var_os("BLC_TORCHLOGIX_PYTHON").map_or(ours, PathBuf::from)
}

/// Runs a script of `tests/import`, with another seed than that of the fixtures.
fn train(script: &str, folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import").join(script);
    let ran = Command::new(python()).arg(script).arg(folder).arg("20261").output();
    let ran = ran.unwrap_or_else(|e| {
        panic!(
            "{}: {e}; ./test.sh installs torchlogix, or name a Python that has it in BLC_TORCHLOGIX_PYTHON",
            python().display()
        )
    });
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn scores_of_networks_that_torchlogix_trains_now() {
    let work = tempfile::tempdir().expect("a folder");
    train("torchlogix_models.py", work.path());
    let names = cases(work.path());
    let compared: usize = names.iter().map(|name| compare(work.path(), name, Format::Torchlogix)).sum();
    assert!(names.len() >= 18 && compared >= 36, "{} networks, {compared} files", names.len());
}

#[test]
fn scores_of_other_libraries_networks() {
    let work = tempfile::tempdir().expect("a folder");
    train("other_models.py", work.path());
    let networks = [
        (Format::Llnn, 2),
        (Format::TorchDwn, 2),
        (Format::Difflogic, 1),
        (Format::Difflut, 11),
        (Format::Bitlogic, 2),
    ];
    for (format, networks) in networks {
        let folder = work.path().join(format.name());
        let names = cases(&folder);
        assert_eq!(names.len(), networks, "{}", format.name());
        for name in &names {
            compare(&folder, name, format);
        }
    }
}

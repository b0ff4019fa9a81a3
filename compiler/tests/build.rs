//! `blc new` and `blc build`: each step once, and again only where something it depends on changed.

#![cfg(feature = "train")]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{ADDER, Work};
use serde_json::Value;

fn built(work: &Work, args: &str) -> (Vec<String>, Vec<String>, Value) {
    let said = work.blc(&format!("build {args} --json")).fine();
    let json: Value = serde_json::from_str(&said.stdout).unwrap();
    let list = |key: &str| json[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect();
    (list("made"), list("reused"), json)
}

/// A project small enough to train in a moment.
const PROJECT: &str = "[train]\ndata = \"digits\"\n[train.config]\nepochs = 1\nseed = 3\n[[train.config.layers]]\nnodes = 100\n\
                       [compile]\ntarget = \"xc7\"\neffort = 0\n[simulate]\n";

#[test]
fn a_second_build_reuses_everything_and_a_change_what_it_can() {
    let work = Work::new();
    fs::create_dir(work.path("p")).unwrap();
    work.write("p/blc.toml", PROJECT);
    let (made, reused, json) = built(&work, "p");
    assert_eq!((made.as_slice(), reused.len()), (&["train", "compile", "samples", "sim"].map(String::from)[..], 0));
    let samples = json["training"]["test_hard"]["samples"].as_u64().unwrap();
    assert_eq!(json["simulation"]["samples"], samples);
    assert_eq!(json["simulation"]["correct"], json["training"]["test_hard"]["correct"], "simulator and trainer agree");
    assert_eq!(json["report"]["target"], "xc7");
    for file in ["model.safetensors", "design.blir", "predictions.npy", "build.json"] {
        assert!(work.path("p/blc-out").join(file).exists(), "{file}");
    }
    let before = work.hashes("p");

    let (made, reused, again) = built(&work, "p");
    assert_eq!((made.len(), reused.len()), (0, 4));
    assert_eq!((&again["report"], &again["simulation"]), (&json["report"], &json["simulation"]));
    assert_eq!(work.hashes("p"), before);
    let text = work.blc("build p").fine();
    assert!(text.stdout.contains("accuracy  ") && text.stdout.contains("total"), "{}", text.stdout);
    assert!(
        text.stderr.contains("reused   blc train --data=digits") && text.stderr.contains("made nothing"),
        "{}",
        text.stderr
    );

    // Of the compilation: nothing is trained again.
    work.write("p/blc.toml", PROJECT.replace("xc7", "lut4"));
    let (made, reused, _) = built(&work, "p");
    assert_eq!((made, reused), (vec!["compile".to_owned(), "sim".into()], vec!["train".to_owned(), "samples".into()]));
    // Of the simulation alone.
    work.write("p/blc.toml", PROJECT.replace("xc7", "lut4") + "repeat = 2\n");
    assert_eq!(built(&work, "p").0, ["sim"]);
    // An output that was changed is made again; what comes of it is the same, and so is the rest.
    fs::write(work.path("p/blc-out/predictions.npy"), "x").unwrap();
    fs::remove_file(work.path("p/blc-out/model.safetensors")).unwrap();
    assert_eq!(built(&work, "p").0, ["train", "sim"]);
    // A key of the training: the model changes, and all that depends on it.
    work.write("p/blc.toml", PROJECT.replace("xc7", "lut4").replace("seed = 3", "seed = 4") + "repeat = 2\n");
    assert_eq!(built(&work, "p").1, ["samples"]);
    let (made, reused, _) = built(&work, "p --force");
    assert_eq!((made.len(), reused.len()), (4, 0));
}

#[test]
fn a_netlist_is_compiled_where_nothing_is_trained() {
    let work = Work::new();
    work.write("adder.blif", ADDER)
        .write("blc.toml", "output = \"made\"\n[compile]\ninput = \"adder.blif\"\ntarget = \"xc7\"\n");
    assert_eq!(built(&work, "").0, ["compile"]);
    assert_eq!(built(&work, "").1, ["compile"]);
    work.write("adder.blif", ADDER.replace("11- 1", "111 1"));
    assert_eq!(built(&work, "").0, ["compile"], "the input's contents count");
    // A step that fails says why, and its exit code is the build's.
    work.write("adder.blif", ".model broken\n");
    let failed = work.blc("build");
    assert_eq!(failed.code, Some(1));
    assert!(failed.stderr.contains("adder.blif") && failed.stderr.matches("error[").count() == 1, "{}", failed.stderr);
}

#[test]
fn wrong_projects_are_refused() {
    let work = Work::new();
    let cases = [
        ("[compile]\ninput = \"a\"\ntargte = \"xc7\"\n", "did you mean `target`?"),
        ("[complie]\n", "did you mean `compile`?"),
        ("[compile\n", "blc.toml:1"),
    ];
    for (text, hint) in cases {
        work.write("blc.toml", text);
        let said = work.blc("build");
        assert!(
            said.code == Some(1) && said.stderr.contains("BL4050") && said.stderr.contains(hint),
            "{}",
            said.stderr
        );
    }
    assert!(work.blc("build missing").stderr.contains("BL4050"));
    fs::create_dir(work.path("empty")).unwrap();
    assert!(work.blc("build empty").stderr.contains("`blc new DIR`"));
}

#[test]
fn a_new_project_can_be_built() {
    let work = Work::new();
    work.blc("new first").fine();
    assert!(work.blc("new first").stderr.contains("there is a project already"));
    let text = fs::read_to_string(work.path("first/blc.toml")).unwrap();
    // The preset takes a while; one epoch of it shows as much.
    work.write("first/blc.toml", text.replace("preset = \"digits\"", "preset = \"digits\"\nepochs = 1"));
    let (made, _, json) = built(&work, "first");
    assert_eq!(made.len(), 4);
    assert!(json["simulation"]["accuracy"].as_f64().unwrap() > 0.5);
}

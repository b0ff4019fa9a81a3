//! Training and quickstart, as people type them.
#![cfg(feature = "train")]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use blc_frontend::model::Model;
use common::Work;

const EPOCHS: usize = 8;

#[test]
fn an_interrupted_run_keeps_its_best_model_and_goes_on() {
    let work = Work::new();
    let args = format!("train --data digits --epochs {EPOCHS} -v");
    work.blc(&format!("{args} -o whole.safetensors")).fine();

    let files = "--checkpoint run.safetensors -o part.safetensors";
    let mut child = Command::new(env!("CARGO_BIN_EXE_blc"))
        .args(format!("{args} {files}").split(' '))
        .current_dir(work.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut talk = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(talk.any(|line| line.starts_with("epoch 1/")), "no epoch ended");
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    assert!(talk.any(|line| line.contains("stopping")), "Ctrl-C is not heard");
    let mut table = String::new();
    child.stdout.take().unwrap().read_to_string(&mut table).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let tested = |table: &str| table.lines().any(|l| l.starts_with("test "));
    assert!(table.contains("interrupted") && !tested(&table), "{table}");
    Model::read(&work.path("part.safetensors")).unwrap();

    let table = work.blc(&format!("{args} --resume {files}")).fine().stdout;
    assert!(tested(&table) && !table.contains("interrupted"), "{table}");
    let [whole, part] = ["whole", "part"].map(|n| fs::read(work.path(&format!("{n}.safetensors"))).unwrap());
    assert!(whole == part, "a resumed run gives another model");
}

#[test]
fn quickstart_agrees_on_every_sample() {
    let work = Work::new();
    let said = work.blc("quickstart -o out").fine();
    let rows: Vec<Vec<&str>> = said.stdout.lines().map(|l| l.split_whitespace().collect()).collect();
    let row = |name: &str| rows.iter().find(|r| r.first() == Some(&name)).unwrap_or_else(|| panic!("{}", said.stdout));
    let ["trainer", "(hard)", samples, accuracy, "%"] = row("trainer")[..] else { panic!("{}", said.stdout) };
    assert!(accuracy.parse::<f64>().unwrap() >= 95.0, "{}", said.stdout);
    for name in ["evaluator", "simulator"] {
        assert_eq!(row(name)[1..], [samples, accuracy, "%", samples, samples], "{}", said.stdout);
    }
    let installed =
        Command::new("iverilog").arg("-V").output().is_ok() && Command::new("vvp").arg("-V").output().is_ok();
    match installed {
        true => {
            assert_eq!(row("Verilog")[1..], ["(Icarus)", samples, accuracy, "%", samples, samples], "{}", said.stdout)
        }
        false => assert_eq!(row("Verilog")[1..], ["(Icarus)", "not", "installed"], "{}", said.stdout),
    }
    for part in ["encoder", "logic", "head", "total"] {
        assert!(row(part)[1].parse::<u32>().unwrap() > 0, "{}", said.stdout);
    }
    let files = ["model.safetensors", "design.blir", "digits.v", "digits_tb.v", "digits.blif", "report.json"];
    for file in files {
        assert!(work.path("out").join(file).exists(), "{file}");
    }
}

#[test]
fn training_prunes_at_its_end() {
    let work = Work::new();
    let train = |more: &str, name: &str| {
        let said =
            work.blc(&format!("train --data digits --epochs 6 --json {more} -o {name}.safetensors")).fine().stdout;
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        work.blc(&format!("compile {name}.safetensors --target lut6 -o {name}")).fine();
        let compiled = fs::read_to_string(work.path(name).join("report.json")).unwrap();
        let compiled: serde_json::Value = serde_json::from_str(&compiled).unwrap();
        (report, compiled, Model::read(&work.path(&format!("{name}.safetensors"))).unwrap())
    };
    let luts = |report: &serde_json::Value| report["by_part"]["logic"]["luts"].as_u64().unwrap();
    let (whole, exact, model) = train("", "whole");
    let (report, approximate, pruned) = train("--prune 1", "pruned");
    assert!(exact["approximate"].is_null());
    assert_eq!(approximate["approximate"], serde_json::json!([{ "pass": "prune" }]));
    assert!(work.blc("report pruned").fine().stdout.contains("approximate (prune)"));
    let (luts, pruned_luts) = (luts(&exact), luts(&approximate));
    assert!(whole.get("pruned").is_none() && model.approximate.is_none());
    assert!(pruned_luts < luts, "{pruned_luts} of {luts}");
    // The same network, less pruning; the layers have their shapes.
    assert_eq!((&report["validation"], &report["test_hard"]), (&whole["validation"], &whole["test_hard"]));
    assert_eq!(report["pruned"]["validation_before"], whole["validation"]);
    assert_eq!(pruned.approximate.as_deref(), Some("prune"));
    assert!(pruned.layers.len() == model.layers.len() && pruned.nodes() == model.nodes());
    let correct = |accuracy: &serde_json::Value| accuracy["correct"].as_u64().unwrap();
    let (before, after) = (correct(&report["pruned"]["validation_before"]), correct(&report["pruned"]["validation"]));
    let samples = report["pruned"]["validation"]["samples"].as_u64().unwrap();
    // A point, and a standard error: the root of the samples that are now judged otherwise, which are fewer than all.
    assert!(before as f64 - after as f64 <= 0.01 * samples as f64 + (samples as f64).sqrt(), "{before} {after}");
    // What training says of the test samples is what the compiled design says.
    let said = work.blc("sim pruned --data digits").fine().stdout;
    let percent =
        100.0 * correct(&report["pruned"]["test"]) as f64 / report["pruned"]["test"]["samples"].as_f64().unwrap();
    assert!(said.contains(&format!("{percent:.2}")), "{percent} {said}");
    let verilog = fs::read_to_string(work.path("pruned/digits.v")).unwrap();
    assert!(verilog.contains("APPROXIMATE") && verilog.contains("(prune)"), "{}", &verilog[..300.min(verilog.len())]);
    let said = work.blc("train --data digits --epochs 1 --prune 101 -o x.safetensors");
    assert!(said.code == Some(1) && said.stderr.contains("BL2112"), "{}", said.stderr);
    assert!(!work.path("x.safetensors").exists(), "it was trained in vain");
}

/// By tensor operations, as a GPU does them, a run comes out as by the kernels, goes on from a checkpoint, and compiles.
#[test]
fn training_by_tensor_operations() {
    let work = Work::new();
    work.write("small.toml", "epochs = 4\n[encoder]\nbits = 2\n[[layers]]\nnodes = 200\nfan_in = 4\ncandidates = 3\n");
    let hard = |args: &str| {
        let said = work.blc(&format!("train --data digits --config small.toml --json {args}")).fine().stdout;
        let report: serde_json::Value = serde_json::from_str(&said).unwrap();
        let test = &report["test_hard"];
        100.0 * test["correct"].as_f64().unwrap() / test["samples"].as_f64().unwrap()
    };
    let kernels = hard("-o kernels.safetensors");
    let tensors = hard("--device plain --checkpoint run.safetensors -o plain.safetensors");
    assert!(kernels > 85.0 && (kernels - tensors).abs() < 3.0, "{kernels} {tensors}");
    work.blc("compile plain.safetensors --target lut6 -o plain").fine();
    let said = work.blc("sim plain --data digits").fine().stdout;
    assert!(said.contains(&format!("{tensors:.2}")), "{tensors} {said}");
    let said =
        work.blc("train --data digits --config small.toml --checkpoint run.safetensors --resume -o x.safetensors");
    assert!(said.code == Some(1) && said.stderr.contains("BL1303"), "{}", said.stderr);
    if cfg!(not(feature = "cuda")) {
        let said = work.blc("train --data digits --device cuda -o x.safetensors");
        assert!(said.code == Some(1) && said.stderr.contains("BL1307"), "{}", said.stderr);
    }
}

#[test]
fn a_sweep_and_its_results() {
    let work = Work::new();
    let plan =
        "data = \"digits\"\npreset = \"digits\"\ncompile = [\"--target=lut6\"]\n[grid]\nepochs = [1]\nseed = [1, 2]\n";
    work.write("sweep.toml", plan);
    let said = work.blc("sweep sweep.toml -o sweep --json").fine().stdout;
    let rows: serde_json::Value = serde_json::from_str(&said).unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 2, "{said}");
    for (row, seed) in rows.iter().zip([1, 2]) {
        assert_eq!(row["settings"]["seed"], seed);
        assert!(row["result"]["luts"][0].as_u64() > Some(0) && row["pareto"].is_boolean(), "{row}");
    }
    let again = work.blc("sweep sweep.toml -o sweep --collect --json").fine().stdout;
    assert_eq!(again, said, "nothing is done twice");
}

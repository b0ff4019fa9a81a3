//! The commands of the README and of the docs, run as they stand: each `$ blc` line of a `console` block, in order, in a
//! folder that holds a model, a batch with its labels and a netlist. Benchmarks are apart: they need data and time.

#![cfg(feature = "train")]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use blc_frontend::data::{Dataset, Elements, Features};
use common::{ADDER, Work};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The commands of a page, without what a shell would take for a comment.
fn commands(page: &str) -> Vec<&str> {
    let mut console = false;
    let mut found = Vec::new();
    for line in page.lines() {
        match line.trim_end() {
            "```console" => console = true,
            "```" => console = false,
            command if console => {
                let text = command.strip_prefix("$ blc ").map(|text| text.split(" #").next().unwrap_or(text).trim());
                found.extend(text);
            }
            _ => {}
        }
    }
    found
}

fn pages(folder: &Path, all: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() && !path.ends_with("benchmarks") {
            pages(&path, all);
        } else if path.extension().is_some_and(|e| e == "md") && !path.ends_with("benchmarks.md") {
            all.push(path);
        }
    }
}

fn work() -> Work {
    let work = Work::new();
    work.write("model.safetensors", fs::read(root().join("tests/golden/digits.safetensors")).unwrap());
    work.write("adder.blif", ADDER);
    let digits = Dataset::open("digits").unwrap();
    let Features::U8(x) = digits.test.x else { panic!("the digits are bytes") };
    work.array("batch.npy", &[digits.test.y.len(), 64], Elements::U8(x));
    work.array("labels.npy", &[digits.test.y.len()], Elements::U16(digits.test.y));
    work
}

#[test]
fn every_command_of_the_docs_runs() {
    let mut all = vec![root().join("README.md")];
    pages(&root().join("docs"), &mut all);
    let mut ran = 0;
    for page in all {
        let text = fs::read_to_string(&page).unwrap();
        let commands = commands(&text);
        if commands.is_empty() {
            continue;
        }
        let work = work();
        for command in commands {
            let ended = work.blc(command);
            assert_eq!(ended.code, Some(0), "{}: blc {command}\n{}{}", page.display(), ended.stdout, ended.stderr);
            ran += 1;
        }
    }
    assert!(ran >= 4, "the README alone has four");
}

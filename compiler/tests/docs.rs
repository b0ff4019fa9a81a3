//! The commands of the README and of the book, run by a shell as they stand: each `$` line of a `console` block, in order, in a
//! folder that holds a model, a batch with its labels and a netlist. Benchmarks are apart: they need data and time.

#![cfg(feature = "train")]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use blc_frontend::data::{Dataset, Elements, Features};
use common::{ADDER, Work};
use rayon::prelude::*;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A command of a page and the exit code that it must have.
#[derive(Debug, PartialEq)]
struct Shown<'a> {
    text: &'a str,
    code: i32,
}

/// What runs elsewhere: builds of `blc` itself, and all tests.
const ELSEWHERE: [&str; 4] = ["cargo ", "./test.sh", "scripts/", "tests/"];

/// The commands of a page: the `$` lines of its `console` blocks. A comment `# exit 3: why` says another exit code than 0.
fn commands(page: &str) -> Vec<Shown<'_>> {
    let mut console = false;
    let mut found = Vec::new();
    for line in page.lines() {
        match line.trim_end() {
            "```console" => console = true,
            "```" => console = false,
            command if console => {
                let Some(text) = command.strip_prefix("$ ") else { continue };
                let (text, comment) = text.split_once(" #").unwrap_or((text, ""));
                let code = comment.trim().strip_prefix("exit ").map_or("0", |c| c.split(':').next().unwrap_or(c));
                if !ELSEWHERE.iter().any(|e| text.starts_with(e)) {
                    found.push(Shown { text: text.trim(), code: code.trim().parse().unwrap() });
                }
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

/// Runs a command as a shell does, with this `blc`.
fn shell(work: &Work, command: &str) -> (Option<i32>, String) {
    let blc = Path::new(env!("CARGO_BIN_EXE_blc")).parent().unwrap();
    let path = format!("{}:{}", blc.display(), std::env::var("PATH").unwrap_or_default());
    let mut sh = Command::new("sh");
    sh.args(["-c", command]).current_dir(work.path("")).env("PATH", path);
    // Pages run beside each other, and Candle's threads would wait for each other spinning.
    let ended = sh.env("CANDLE_NUM_THREADS", "1").output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn commands_are_found() {
    let page = "$ blc no\n```console\n$ blc a   # words\n$ cargo build\n> blc\n$ blc b | blc c   # exit 3: differ\n```\n$ blc d\n";
    let shown = |text, code| Shown { text, code };
    assert_eq!(commands(page), [shown("blc a", 0), shown("blc b | blc c", 3)]);
}

#[test]
fn every_command_of_the_docs_runs() {
    let mut all = vec![root().join("README.md")];
    pages(&root().join("docs"), &mut all);
    let run = |page: &PathBuf| {
        let text = fs::read_to_string(page).unwrap();
        let commands = commands(&text);
        let work = work();
        for command in &commands {
            let (code, said) = shell(&work, command.text);
            assert_eq!(code, Some(command.code), "{}: {}\n{said}", page.display(), command.text);
        }
        commands.len()
    };
    let ran: usize = all.par_iter().map(run).sum();
    assert!(ran >= 40, "{ran} commands: the book alone has more");
}

//! The book: what is generated is as it would be now, every page is in its summary, and every link leads somewhere.
//! `BLC_BLESS=1 cargo test -p blc --test book` writes the generated pages.

#![cfg(feature = "train")]
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::Work;
use serde_json::Value;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn json(work: &Work, command: &str) -> Vec<Value> {
    serde_json::from_str(&work.blc(command).fine().stdout).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

/// Said of itself by every generated page.
const GENERATED: &str = "<!-- generated: BLC_BLESS=1 cargo test -p blc --test book -->\n";

fn passes(work: &Work) -> String {
    let mut page = format!(
        "# Passes\n\n{GENERATED}\nA pipeline names passes in order, options in braces: `fold,cover{{k=4}},dce`. `@default` is the default \
         pipeline of the\ndesign and target, `repeat[N](…)` runs the passes inside so many times, `fixpoint(…)` until none \
         changes anything, and\n`try(…)` takes them back unless they save a site (or function); `try[N](…)` is left out where there are more than N ops. `blc passes` prints\nthis list.\n"
    );
    for pass in json(work, "passes --json") {
        let levels: Vec<&str> = pass["levels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
        page +=
            &format!("\n## `{}`\n\n{}.\n\nLevel: {}.", text(&pass, "name"), text(&pass, "summary"), levels.join(", "));
        page += if pass["exact"] == true {
            "\n"
        } else {
            " Approximate: it changes the function, and is never run unless asked for.\n"
        };
        let options = pass["options"].as_object().into_iter().flatten();
        let rows: Vec<String> = options
            .map(|(name, default)| {
                format!(
                    "| `{name}` | {} |\n",
                    if default.is_null() { "not set".into() } else { format!("`{default}`") }
                )
            })
            .collect();
        if !rows.is_empty() {
            page += &format!("\n| option | default |\n|---|---|\n{}", rows.concat());
        }
    }
    page
}

fn errors(work: &Work) -> String {
    let mut page = format!(
        "# Errors\n\n{GENERATED}\nEvery problem that `blc` reports has a code; `blc explain CODE` prints what stands here. Exit codes: 0 \
         fine, 1 the input is\nwrong, 2 usage, 3 not equal, 4 undecided, 101 an error of `blc` itself.\n"
    );
    for code in json(work, "explain codes --json") {
        page +=
            &format!("\n## {}\n\n**{}**\n\n{}\n", text(&code, "code"), text(&code, "title"), text(&code, "explain"));
    }
    page
}

fn commands(work: &Work) -> String {
    let mut page = format!("# Commands\n\n{GENERATED}\nWhat `blc --help` and `blc COMMAND --help` say.\n");
    let help = |args: &str| work.blc(args).fine().stdout;
    let overview = help("--help");
    let list = overview.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter(|l| l.starts_with("  ") && !l.starts_with("   "));
    let names: Vec<&str> = names.filter_map(|l| l.split_whitespace().next()).filter(|&n| n != "help").collect();
    assert!(names.len() >= 16, "{names:?}");
    for (title, args) in std::iter::once(("blc".to_owned(), "--help".to_owned()))
        .chain(names.iter().map(|n| (format!("blc {n}"), format!("{n} --help"))))
    {
        let lines: Vec<String> = help(&args).lines().map(|l| l.trim_end().to_owned()).collect();
        page += &format!("\n## `{title}`\n\n```text\n{}\n```\n", lines.join("\n").trim());
    }
    page
}

#[test]
fn generated_pages_are_as_they_would_be_now() {
    let work = Work::new();
    for (name, page) in [("passes.md", passes(&work)), ("errors.md", errors(&work)), ("commands.md", commands(&work))] {
        let path = docs().join(name);
        if std::env::var_os("BLC_BLESS").is_some() {
            fs::write(&path, page).unwrap();
            continue;
        }
        let there = fs::read_to_string(&path).unwrap();
        let line = there.lines().zip(page.lines()).position(|(a, b)| a != b);
        assert!(there == page, "docs/{name} is stale, line {line:?}: BLC_BLESS=1 writes it");
    }
}

fn pages(folder: &Path, all: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, all);
        } else if path.extension().is_some_and(|e| e == "md") {
            all.insert(path.canonicalize().unwrap());
        }
    }
}

/// Where the links of a page lead, pages elsewhere left out. Code has no links.
fn links(page: &str) -> Vec<String> {
    let mut code = false;
    let mut found = Vec::new();
    for line in page.lines() {
        code ^= line.starts_with("```");
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
        if !code {
            let targets = plain.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            found.extend(targets.filter(|t| !t.contains("://")).map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_page_is_in_the_summary_and_every_link_leads_somewhere() {
    let docs = docs().canonicalize().unwrap();
    let mut all = BTreeSet::new();
    pages(&docs, &mut all);
    let summary = docs.join("SUMMARY.md");
    let mut count = 0;
    let others =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md"].map(|p| docs.join("..").join(p));
    for page in all.iter().cloned().chain(others) {
        let folder = page.parent().unwrap();
        for link in links(&fs::read_to_string(&page).unwrap()) {
            let (file, _) = link.split_once('#').unwrap_or((link.as_str(), ""));
            assert!(file.is_empty() || folder.join(file).exists(), "{}: {link}", page.display());
            count += 1;
        }
    }
    assert!(count > 40, "{count} links");
    let listed: Vec<PathBuf> =
        links(&fs::read_to_string(&summary).unwrap()).iter().map(|l| docs.join(l).canonicalize().unwrap()).collect();
    let unique: BTreeSet<PathBuf> = listed.iter().cloned().collect();
    assert_eq!(unique.len(), listed.len(), "a page stands twice");
    all.remove(&summary);
    assert_eq!(unique, all, "the summary lists all pages");
}

#[test]
fn what_pages_include_is_there() {
    let mut all = BTreeSet::new();
    pages(&docs().canonicalize().unwrap(), &mut all);
    let mut included = 0;
    for page in all {
        for rest in fs::read_to_string(&page).unwrap().split("{{#include ").skip(1) {
            let what = rest.split("}}").next().unwrap();
            let mut parts = what.split(':');
            let file = page.parent().unwrap().join(parts.next().unwrap());
            let lines = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{what}: {e}")).lines().count();
            for number in parts {
                assert!((1..=lines).contains(&number.parse().unwrap()), "{what}: the file has {lines} lines");
            }
            included += 1;
        }
    }
    assert_eq!(included, 2);
}

//! What the crates are made of: licences and sources of all dependencies as `deny.toml` allows them, `unsafe` only where it
//! is said to be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The strings of the list `allow` in `deny.toml`.
fn allowed() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let list = text.split("allow = [").nth(1).and_then(|rest| rest.split(']').next()).expect("a list");
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether a licence expression can be fulfilled with licences that are allowed: every part of an `AND`, one of an `OR`.
fn fits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let plain = expression.replace('/', " OR ").replace(['(', ')'], " ");
    // In all expressions there are, parentheses hold alternatives: `(A OR B) AND C`.
    plain.split(" AND ").all(|part| part.split(" OR ").any(|licence| allowed.contains(licence.trim())))
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--all-features"])
        .current_dir(root())
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What a registry wants to know of a crate, and that it finds the other ones there.
#[test]
fn crates_can_be_published() {
    let metadata = metadata();
    let ours = metadata["packages"].as_array().expect("packages").iter().filter(|p| p["source"].is_null());
    let (mut published, mut kept) = (Vec::new(), Vec::new());
    for package in ours {
        let name = package["name"].as_str().expect("a name");
        if package["publish"].is_array() {
            kept.push(name);
            continue;
        }
        published.push(name);
        for key in ["description", "license", "repository", "readme"] {
            assert!(package[key].as_str().is_some_and(|text| !text.is_empty()), "{name} has no {key}");
        }
        for key in ["keywords", "categories"] {
            let count = package[key].as_array().map_or(0, Vec::len);
            assert!((1..=5).contains(&count), "{name} has {count} {key}");
        }
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let inner = dependency["name"].as_str().is_some_and(|n| n.starts_with("blc"));
            assert!(!inner || dependency["req"] != "*", "{name} says no version of {}", dependency["name"]);
        }
    }
    published.sort_unstable();
    assert_eq!(published, ["blc", "blc-backends", "blc-frontend", "blc-ir", "blc-passes"]);
    assert!(kept.contains(&"blc-tests"), "{kept:?}");
}

#[test]
fn licences_and_sources() {
    let metadata = metadata();
    let (allowed, mut seen) = (allowed(), 0);
    for package in metadata["packages"].as_array().expect("packages") {
        let (name, licence) = (&package["name"], package["license"].as_str().unwrap_or(""));
        assert!(fits(licence, &allowed), "{name} is under `{licence}`");
        let source = package["source"].as_str();
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        assert!(source.is_none_or(|s| s == registry), "{name} comes from {source:?}");
        seen += 1;
    }
    assert!(seen > 100, "{seen} packages");
    assert!(!fits("GPL-3.0", &allowed) && !fits("MIT AND GPL-3.0", &allowed) && !fits("", &allowed));
    assert!(fits("GPL-3.0 OR MIT", &allowed) && fits("(MIT OR Apache-2.0) AND Unicode-3.0", &allowed));
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Modules that may be unsafe: machine code, memory maps, instructions of some processors.
const UNSAFE: [&str; 6] = [
    "backends/src/sim/isa.rs",
    "backends/src/sim/jit/exec.rs",
    "backends/src/sim/memory.rs",
    "frontend/src/data/mapped.rs",
    "frontend/src/train/simd.rs",
    "tests/tests/policy.rs",
];

#[test]
fn unsafe_only_where_it_is_said_to_be() {
    let root = root().canonicalize().expect("a folder");
    let mut mentions = BTreeSet::new();
    for part in ["ir", "frontend", "passes", "backends", "compiler", "tests"] {
        let mut found = Vec::new();
        sources(&root.join(part), &mut found);
        for path in found {
            let text = fs::read_to_string(&path).expect("text");
            if text.contains("allow(unsafe_code)") {
                mentions.insert(path.strip_prefix(&root).expect("inside").display().to_string());
            }
        }
        if ["ir", "passes", "compiler"].contains(&part) {
            let lib = fs::read_to_string(root.join(part).join("src/lib.rs")).expect("text");
            assert!(lib.contains("#![forbid(unsafe_code)]"), "{part} does not forbid unsafe code");
        }
    }
    assert_eq!(mentions, UNSAFE.map(str::to_owned).into());
}

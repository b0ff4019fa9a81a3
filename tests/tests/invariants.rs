//! The workspace's invariants, as docs/ARCHITECTURE.md states them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn metadata(arguments: &[&str]) -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

/// Normal dependencies of each of our packages, by name.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata(&["--no-deps"]);
    let packages = metadata["packages"].as_array().expect("packages");
    let direct = |package: &serde_json::Value| -> BTreeSet<String> {
        let all = package["dependencies"].as_array().expect("dependencies");
        let normal = all.iter().filter(|d| d["kind"].is_null());
        normal.map(|d| d["name"].as_str().expect("a name").to_string()).collect()
    };
    packages.iter().map(|p| (p["name"].as_str().expect("a name").to_string(), direct(p))).collect()
}

#[test]
fn dependencies_flow_one_way() {
    let all = dependencies();
    let ours = |name: &str| -> Vec<&str> {
        all[name].iter().map(String::as_str).filter(|d| *d == "blc" || d.starts_with("blc-")).collect()
    };
    assert_eq!(ours("blc-ir"), [""; 0]);
    for name in ["blc-frontend", "blc-passes", "blc-backends"] {
        assert_eq!(ours(name), ["blc-ir"], "{name}");
    }
    assert_eq!(ours("blc"), ["blc-backends", "blc-frontend", "blc-ir", "blc-passes"]);
}

#[test]
fn only_one_crate_knows_candle_and_one_egg() {
    for (name, dependencies) in dependencies() {
        let has = |prefix: &str| dependencies.iter().any(|d| d.starts_with(prefix));
        assert_eq!(has("candle"), name == "blc-frontend", "{name}");
        assert!(!has("egg") || name == "blc-passes", "{name}");
    }
}

#[test]
fn without_training_there_is_no_candle() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "-p",
            "blc",
            "--no-default-features",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--locked",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(tree.contains("blc-frontend"), "{tree}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!tree.contains("candle"), "{tree}");
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn source_files_stay_short_and_whole() {
    let mut files = Vec::new();
    for member in ["ir", "frontend", "passes", "backends", "compiler", "tests"] {
        rust_files(&root().join(member), &mut files);
    }
    assert!(files.len() > 20, "only {} files found", files.len());
    // Written apart, so that this file does not find itself.
    let forbidden = [concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("#[ig", "nore")];
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file");
        let lines = text.lines().count();
        assert!(lines <= 800, "{} has {lines} lines", file.display());
        for word in forbidden {
            assert!(!text.contains(word), "{} has {word}", file.display());
        }
    }
}

#[test]
fn every_code_is_explained_once() {
    let mut seen = BTreeMap::new();
    let tables = [
        ("ir", "01,02,03", blc_ir::codes::ALL),
        ("frontend", "10,11,12,13,14", blc_frontend::codes::ALL),
        ("passes", "20,21,22", blc_passes::codes::ALL),
        ("backends", "30,31", blc_backends::codes::ALL),
    ];
    for (crate_name, ranges, table) in tables {
        for code in table {
            assert!(code.id.len() == 6 && code.id.starts_with("BL"), "{}", code.id);
            assert!(ranges.split(',').any(|r| code.id[2..].starts_with(r)), "{} is not {crate_name}'s", code.id);
            assert!(!code.title.is_empty() && code.explain.len() > 30, "{}", code.id);
            assert_eq!(seen.insert(code.id, crate_name), None, "{} is declared twice", code.id);
        }
    }
}

/// Codes of the text form and the verifier that no filetest expects.
#[test]
fn every_language_code_has_a_filetest() {
    fn texts(folder: &Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).expect("filetests").flatten() {
            let path = entry.path();
            if path.is_dir() {
                texts(&path, all);
            } else {
                all.push_str(&std::fs::read_to_string(&path).expect("a filetest"));
            }
        }
    }
    let mut all = String::new();
    texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("filetests"), &mut all);
    let language = blc_ir::codes::ALL.iter().filter(|c| c.id.starts_with("BL01") || c.id.starts_with("BL02"));
    let missing: Vec<_> = language.map(|c| c.id).filter(|id| !all.contains(&format!("//~ {id}:"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

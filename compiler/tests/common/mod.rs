//! What the command-line tests share: a folder to work in, the binary, and a small model.

#![allow(dead_code, missing_docs)] // Not every test file uses all of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use blc_frontend::data::{Array, Elements, npy};
use blc_frontend::files::sha256_hex;
use blc_frontend::model::{Dtype, Layer, Model, Thresholds};

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Panics unless all went well.
    pub fn fine(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }
}

/// A folder of its own for a test, removed at its end.
pub struct Work {
    dir: tempfile::TempDir,
}

impl Work {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), bytes).unwrap();
        self
    }

    pub fn array(&self, name: &str, shape: &[usize], data: Elements) -> &Self {
        npy::write(&self.path(name), &Array { shape: shape.into(), data }).unwrap();
        self
    }

    pub fn read_array(&self, name: &str) -> Array {
        npy::read(&self.path(name)).unwrap()
    }

    /// Runs `blc` in the folder, arguments separated by spaces.
    pub fn blc(&self, args: &str) -> Ended {
        self.blc_with(&args.split_whitespace().collect::<Vec<_>>(), "")
    }

    /// Runs `blc` in the folder with a standard input.
    pub fn blc_with(&self, args: &[&str], stdin: &str) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blc"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_remove("NO_COLOR")
            .env_remove("COLUMNS")
            .env_remove("RUST_BACKTRACE");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that does not read its input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let ended = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: ended.status.code(), stdout: text(ended.stdout), stderr: text(ended.stderr) }
    }

    /// Hashes of all files below a folder, by name.
    pub fn hashes(&self, folder: &str) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        collect(&self.path(folder), &mut all);
        all
    }
}

fn collect(dir: &Path, all: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.insert(path.display().to_string(), "folder".into());
            collect(&path, all);
        } else {
            all.insert(path.display().to_string(), sha256_hex(&fs::read(&path).unwrap()));
        }
    }
}

/// Numbers that only look random.
pub fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

pub const FEATURES: usize = 6;
pub const CLASSES: usize = 3;

/// Two layers of random tables behind an encoder of three bits.
pub fn model(dtype: Dtype) -> Model {
    let mut next = random(7);
    let bits = 3;
    let mut model = Model { name: "tiny".into(), shape: vec![FEATURES], dtype, layers: Vec::new(), approximate: None };
    let mut width = FEATURES;
    if dtype != Dtype::Bit {
        let levels = (0..FEATURES).flat_map(|f| [40 + f, 100 + 2 * f, 170 + 3 * f]);
        let thresholds = match dtype {
            Dtype::U8 => Thresholds::U8(levels.map(|t| t as u8).collect()),
            _ => Thresholds::F32(levels.map(|t| t as f32 / 100.0 - 1.0).collect()),
        };
        model.layers.push(Layer::Thermometer { bits, thresholds });
        width *= bits;
    }
    for (nodes, fan_in) in [(20, 4), (12, 3)] {
        model.layers.push(Layer::Lut {
            fan_in,
            connections: (0..nodes * fan_in).map(|_| (next() % width as u64) as u32).collect(),
            tables: (0..nodes).map(|_| next() >> 8 & ((1 << (1 << fan_in)) - 1)).collect(),
        });
        width = nodes;
    }
    model.layers.extend([Layer::GroupSum { groups: CLASSES }, Layer::Argmax]);
    model.validate().unwrap();
    model
}

/// Features for that model's byte form.
pub fn bytes(samples: usize) -> Vec<u8> {
    let mut next = random(11);
    (0..samples * FEATURES).map(|_| (next() >> 16) as u8).collect()
}

/// A netlist: a full adder.
pub const ADDER: &str = ".model adder\n.inputs a b c\n.outputs s co\n.names a b c s\n100 1\n010 1\n001 1\n111 1\n\
                         .names a b c co\n11- 1\n1-1 1\n-11 1\n.end\n";

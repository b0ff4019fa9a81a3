//! The examples build from data of their kind: their projects, the scripts that prepare the data, and nothing twice.
//! How good they are is measured by `scripts/examples.sh`, with the real data.

#![cfg(feature = "train")]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Work, random};
use serde_json::Value;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)
}

/// A folder with the example's project, made small, and a place for data.
fn work(name: &str) -> Work {
    let work = Work::new();
    let text = fs::read_to_string(example(name).join("blc.toml")).unwrap();
    let small = |line: &str| match line.split_once(" = ") {
        Some(("epochs", _)) => "epochs = 10".to_owned(),
        Some(("nodes", _)) => "nodes = 200".to_owned(),
        _ => line.to_owned(),
    };
    let text: Vec<String> = text.lines().map(small).collect();
    work.write("blc.toml", text.join("\n"));
    fs::create_dir(work.path("data")).unwrap();
    work
}

fn prepare(work: &Work, name: &str, args: &[&str]) {
    let script = example(name).join("prepare.py");
    let ended = Command::new("python3").arg(script).args(args).current_dir(work.path("")).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// Builds twice; what the first run said.
fn built(work: &Work) -> Value {
    let json = || serde_json::from_str::<Value>(&work.blc("build --json").fine().stdout).unwrap();
    let first = json();
    assert_eq!(first["made"].as_array().unwrap().len(), 4);
    assert_eq!(json()["reused"].as_array().unwrap().len(), 4);
    assert!(first["simulation"]["accuracy"].as_f64().unwrap() > 0.6, "{}", first["simulation"]);
    assert_eq!(first["report"]["approximate"], Value::Null);
    first
}

/// An array file in memory: two classes that the first feature tells apart.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let header = format!("{header:<117}\n");
    [b"\x93NUMPY\x01\x00".as_slice(), &118u16.to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn mnist_ecp5() {
    let work = work("mnist-ecp5");
    let mut next = random(3);
    for (part, samples) in [("train", 300u32), ("t10k", 60)] {
        let labels: Vec<u8> = (0..samples).map(|i| (i % 10) as u8).collect();
        // A bar at the height of the class.
        let pixels =
            labels.iter().flat_map(|&y| (0..28 * 28).map(move |p| if p / 28 / 2 == usize::from(y) { 255 } else { 0 }));
        let pixels: Vec<u8> = pixels.map(|p: u8| if next().is_multiple_of(40) { 128 } else { p }).collect();
        let size = |n: u32| n.to_be_bytes();
        let images = [&[0, 0, 8, 3], &size(samples), &size(28), &size(28), pixels.as_slice()].concat();
        work.write(&format!("data/{part}-images-idx3-ubyte"), images);
        work.write(
            &format!("data/{part}-labels-idx1-ubyte"),
            [&[0, 0, 8, 1], &size(samples), labels.as_slice()].concat(),
        );
    }
    let said = built(&work);
    assert_eq!(said["report"]["target"], "ecp5");
    assert!(work.path("blc-out/mnist.json").exists());
}

#[test]
fn nids() {
    let work = work("nids");
    let names = "id,dur,proto,service,state,sbytes,sttl,is_ftp_login,attack_cat,label";
    let mut next = random(5);
    let mut text = format!("\u{feff}{names}\n");
    for id in 0..600 {
        let attack = next() >> 9 & 1;
        let (proto, ttl) = if attack == 1 { ("udp", 254) } else { ("tcp", 31) };
        text += &format!("{id},0.{:06},{proto},-,FIN,{},{ttl},0,Kind,{attack}\n", next() % 1_000_000, next() % 100_000);
    }
    work.write("raw.csv", text);
    prepare(&work, "nids", &["raw.csv", "data/nids.npz"]);
    let said = built(&work);
    assert!((100..=120).contains(&said["simulation"]["samples"].as_u64().unwrap()), "a fifth of each class");
    assert!(said["simulation"]["accuracy"].as_f64().unwrap() > 0.95);
    // Four numbers, and 22 columns for three categories.
    assert_eq!(work.read_array("blc-out/test_x.npy").shape[1], 4 + 22);
}

#[test]
fn magic_gamma() {
    let work = work("magic-gamma");
    let mut next = random(9);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for _ in 0..500 {
        let class = (next() >> 7 & 1) as u8;
        y.push(class);
        for feature in 0..10 {
            let value = (next() % 1000) as f32 / 100.0 + if feature == 0 { 20.0 * f32::from(class) } else { 0.0 };
            x.extend(value.to_le_bytes());
        }
    }
    let mut zip = zip::ZipWriter::new(fs::File::create(work.path("many.npz")).unwrap());
    for (name, bytes) in
        [("magic_x", npy("<f4", "500, 10", &x)), ("magic_y", npy("|u1", "500,", &y)), ("other_x", vec![1])]
    {
        zip.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
    prepare(&work, "magic-gamma", &["many.npz", "magic", "data/magic.npz"]);
    assert_eq!(built(&work)["report"]["latency_cycles"], 2);
}

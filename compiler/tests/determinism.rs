//! The same command gives the same bytes, whatever the number of threads.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use blc_frontend::data::Elements;
use blc_frontend::model::Dtype;
use common::{FEATURES, Work, bytes, model};

/// Hashes of a folder's files by their names; the times are allowed to differ.
fn hashes(work: &Work, folder: &str) -> BTreeMap<String, String> {
    let all = work.hashes(folder).into_iter();
    let all = all.map(|(path, hash)| (path.rsplit('/').next().unwrap().to_owned(), hash));
    all.filter(|(name, _)| name != "timing.json").collect()
}

#[test]
fn same_bytes_from_any_number_of_threads() {
    let work = Work::new();
    work.array("batch.npy", &[2000, FEATURES], Elements::U8(bytes(2000)));
    for (kind, dtype) in [("bytes", Dtype::U8), ("reals", Dtype::F32)] {
        model(dtype).write(&work.path(&format!("{kind}.safetensors"))).unwrap();
        for target in ["xc7", "lut4"] {
            let compile = |folder: &str, more: &str| {
                let input = format!("{kind}.safetensors");
                work.blc(&format!("compile {input} --target {target} --emit verilog,blif,dot -o {folder} {more}"))
                    .fine();
                hashes(&work, folder)
            };
            let first = compile("first", "");
            assert!(first.len() >= 6, "{first:?}");
            assert_eq!(compile("again", ""), first, "{kind} for {target}, again");
            assert_eq!(compile("first", ""), first, "{kind} for {target}, over the same files");
            for threads in 1..=2 {
                let folder = format!("threads{threads}");
                assert_eq!(
                    compile(&folder, &format!("--threads {threads}")),
                    first,
                    "{kind} for {target}, {threads} threads"
                );
            }
        }
    }
    work.blc("compile bytes.safetensors --target xc7").fine();
    for threads in 1..=2 {
        let files = format!("--output p{threads}.npy --scores s{threads}.npy");
        work.blc(&format!("sim --input batch.npy {files} --threads {threads}")).fine();
    }
    assert_eq!(work.read_array("p1.npy"), work.read_array("p2.npy"));
    assert_eq!(work.read_array("s1.npy"), work.read_array("s2.npy"));
}

#[cfg(feature = "train")]
#[test]
fn the_same_seed_trains_the_same_model() {
    let work = Work::new();
    let mut models = Vec::new();
    for (name, more) in [("a", "--threads 1"), ("b", "--threads 2"), ("c", "--seed 9")] {
        work.blc(&format!("train --data digits --epochs 1 -q -o {name}.safetensors {more}")).fine();
        models.push(std::fs::read(work.path(&format!("{name}.safetensors"))).unwrap());
    }
    assert_eq!(models[0], models[1]);
    assert_ne!(models[0], models[2], "the seed counts");
}

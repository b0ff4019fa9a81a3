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

/// Images of 4 by 4 in the form of MNIST: a bright quarter for each class.
#[cfg(feature = "train")]
fn idx(samples: usize) -> [Vec<u8>; 2] {
    let mut next = common::random(5);
    let pixel = |s: usize, p: usize, noise: u64| if p / 4 == s % 4 { 150 } else { 0 } + (noise >> 40) as u8 % 100;
    let pixels = (0..samples).flat_map(|s| (0..16).map(move |p| (s, p))).map(|(s, p)| pixel(s, p, next()));
    let dimension = |n: usize| (n as u32).to_be_bytes();
    let images = [&[0, 0, 8, 3][..], &dimension(samples), &dimension(4), &dimension(4)].concat();
    let labels = [&[0, 0, 8, 1][..], &dimension(samples)].concat();
    [images.into_iter().chain(pixels).collect(), labels.into_iter().chain((0..samples).map(|s| s as u8 % 4)).collect()]
}

/// The hashes of all outputs of training, compiling and simulating under some conditions.
#[cfg(feature = "train")]
fn chain(threads: &str, turned: bool) -> BTreeMap<String, String> {
    let work = Work::new();
    std::fs::create_dir_all(work.path("some/data")).unwrap();
    std::fs::create_dir(work.path("out")).unwrap();
    let ([x, y], [xt, yt]) = (idx(400), idx(80));
    let mut files = vec![
        ("train-images-idx3-ubyte", x),
        ("train-labels-idx1-ubyte", y),
        ("t10k-images-idx3-ubyte", xt),
        ("t10k-labels-idx1-ubyte", yt),
    ];
    // Files made in another order come in another order, and the commands run in another folder.
    if turned {
        files.reverse();
        work.write("some/data/and-more", "nothing");
    }
    for (name, bytes) in files {
        work.write(&format!("some/data/{name}"), bytes);
    }
    work.array("some/batch.npy", &[2000, 16], Elements::U8((0..32_000).map(|i| (i * 7919 % 251) as u8).collect()));
    let layers = "[[layers]]\nnodes = 60\nfan_in = 4\n[[layers]]\nnodes = 40\nfan_in = 4\n";
    work.write("some/c.toml", format!("epochs = 2\nbatch = 40\n[encoder]\nbits = 3\n{layers}"));
    let (cwd, input, output) = if turned { ("some", "", "../out/") } else { ("", "some/", "out/") };
    let blc = |args: &str| {
        let args = args.replace("IN/", input).replace("OUT/", output);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_blc"));
        command.args(args.split_whitespace()).current_dir(work.path(cwd)).env("RAYON_NUM_THREADS", threads);
        let ended = command.env("LANG", if turned { "de_DE.UTF-8" } else { "C" }).output().unwrap();
        assert!(ended.status.success(), "{args}: {}", String::from_utf8_lossy(&ended.stderr));
    };
    blc("train --data IN/data --config IN/c.toml -o OUT/m.safetensors --checkpoint OUT/run.safetensors");
    let formats = "verilog,blif,dot,rust,json";
    for target in ["xc7", "ecp5", "lut4"] {
        blc(&format!("compile OUT/m.safetensors --target {target} --emit {formats} --prove -o OUT/{target}"));
        blc(&format!(
            "sim OUT/{target} --input IN/batch.npy --output OUT/{target}.npy --scores OUT/{target}-scores.npy"
        ));
    }
    blc("sim OUT/xc7 --input IN/batch.npy --cycles 50 --wave OUT/w.vcd --output OUT/cycles.npy");
    blc("equiv OUT/m.safetensors OUT/lut4/data.blif --certificate OUT/proof");
    let root = work.path("out").display().to_string();
    let all = work.hashes("out").into_iter().map(|(path, hash)| (path.replace(&root, ""), hash));
    // Wall-clock times are in files of their own, and in the checkpoint's history of epochs.
    all.filter(|(path, _)| !path.ends_with("timing.json") && !path.ends_with("run.safetensors")).collect()
}

/// Hash seeds differ from one process to the next anyhow.
#[cfg(feature = "train")]
#[test]
fn the_whole_chain_is_the_same_everywhere() {
    let first = chain("1", false);
    assert!(first.len() > 30, "{first:?}");
    for (threads, turned) in [("2", true), ("5", false)] {
        let again = chain(threads, turned);
        let differ: Vec<_> = first.iter().filter(|(name, hash)| again.get(*name) != Some(hash)).collect();
        assert!(differ.is_empty() && again.len() == first.len(), "{threads} threads: {differ:?}");
    }
}

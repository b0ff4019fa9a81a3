//! Bad days: processes killed at random points, full disks, folders that cannot be written, inputs that vanish, readers
//! that leave, Ctrl-C. Whatever happens, every file under a final name is whole, the old one or the new one, and no
//! earlier file is lost.
//!
//! `BLC_FAULT_TRIES` says how often each fault is tried; `scripts/faults.sh` tries each fifty times.

#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use blc_frontend::data::Elements;
use blc_frontend::model::{Dtype, Layer};
use common::{FEATURES, Work, bytes, model, random};

const BLC: &str = env!("CARGO_BIN_EXE_blc");
const SAMPLES: usize = 60_000;
/// Files that are being written.
const PART: &str = ".part";

fn tries() -> usize {
    std::env::var("BLC_FAULT_TRIES").map_or(4, |n| n.parse().unwrap())
}

/// All files of a folder by name.
type Files = BTreeMap<String, Vec<u8>>;

fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file());
    entries.map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&p).unwrap())).collect()
}

/// Whether a safetensors file has all the bytes that its header tells of.
fn is_whole(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk() else { return false };
    let Some((header, data)) = rest.split_at_checked(u64::from_le_bytes(*length) as usize) else { return false };
    let header: serde_json::Value = serde_json::from_slice(header).unwrap_or_default();
    let ends = header.as_object().into_iter().flatten().filter_map(|(_, t)| t["data_offsets"][1].as_u64());
    ends.max() == Some(data.len() as u64)
}

/// What a fault did, over all tries.
#[derive(Default)]
struct Tally {
    tries: usize,
    /// Tries that ended before the command was done.
    stopped: usize,
    /// Folders with some old and some new files, each whole.
    mixed: usize,
    /// Parts that a killed process could not take away.
    parts: usize,
}

impl Tally {
    /// Every file of `before` is there still, and every file is as before, or as in `after`. Times differ, but are whole.
    fn judge(&mut self, folder: &Path, before: &Files, after: &Files) {
        let (mut old, mut new) = (0, 0);
        let now = files(folder);
        for name in before.keys() {
            assert!(now.contains_key(name), "{name} is lost");
        }
        for (name, bytes) in &now {
            if name.ends_with(PART) {
                self.parts += 1;
                fs::remove_file(folder.join(name)).unwrap();
            } else if name == "timing.json" {
                let whole: Result<serde_json::Value, _> = serde_json::from_slice(bytes);
                assert!(whole.is_ok_and(|v| v["seconds"]["total"].is_number()), "{name} is half-written");
            } else if name == "run.safetensors" && before.get(name) != Some(bytes) {
                // Its history has seconds, which differ.
                assert!(is_whole(bytes), "{name} is half-written");
                new += 1;
            } else if before.get(name) == Some(bytes) {
                old += usize::from(after.get(name) != Some(bytes));
            } else {
                assert!(after.get(name) == Some(bytes), "{name} is half-written: {} bytes", bytes.len());
                new += 1;
            }
        }
        self.mixed += usize::from(old > 0 && new > 0);
    }

    fn ended(&mut self, as_usual: bool) {
        self.tries += 1;
        self.stopped += usize::from(!as_usual);
    }

    /// A line of the fault table.
    fn say(&self, fault: &str) {
        let Self { tries, stopped, mixed, parts } = self;
        println!(
            "| {fault} | {tries} | {stopped} | 0 | {mixed} | {parts} |" // Lost or corrupt ones end the test.
        );
    }
}

/// A folder with two models of one shape, a batch, and a compiled design of the first.
fn work() -> Work {
    let work = Work::new();
    let first = model(Dtype::U8);
    let mut second = first.clone();
    if let Layer::Lut { tables, .. } = &mut second.layers[2] {
        tables[3] ^= 0xff;
    }
    first.write(&work.path("first.safetensors")).unwrap();
    second.write(&work.path("second.safetensors")).unwrap();
    work.array("batch.npy", &[SAMPLES, FEATURES], Elements::U8(bytes(SAMPLES)));
    for name in ["first", "second"] {
        work.blc(&format!("compile {name}.safetensors --target xc7 -o {name}")).fine();
    }
    work
}

fn start(work: &Work, args: &str) -> Child {
    let mut command = Command::new(BLC);
    command.args(args.split_whitespace()).current_dir(work.path(""));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Runs a command and sends it a signal at a random point of the time that it took last, if it is still there then.
fn strike(work: &Work, args: &str, signal: &str, at: f64) -> ExitStatus {
    let mut child = start(work, args);
    std::thread::sleep(Duration::from_secs_f64(at));
    let _ = match signal {
        "-KILL" => child.kill(),
        _ => Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status().map(drop),
    };
    child.wait().unwrap()
}

/// Seconds that a command takes.
fn seconds(work: &Work, args: &str) -> f64 {
    let clock = Instant::now();
    assert!(start(work, args).wait().unwrap().success(), "{args}");
    clock.elapsed().as_secs_f64()
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    files(from).iter().for_each(|(name, bytes)| fs::write(to.join(name), bytes).unwrap());
}

/// A number from 0 to 1 that only looks random.
fn fractions(seed: u64) -> impl FnMut() -> f64 {
    let mut next = random(seed);
    move || (next() >> 11) as f64 / (1u64 << 53) as f64
}

/// A netlist on which the highest level of work takes long: random tables of four inputs in layers.
fn layers(width: usize) -> String {
    let mut next = random(9);
    let mut before: Vec<String> = (0..64).map(|i| format!("x{i}")).collect();
    let mut text = format!(".model layers\n.inputs {}\n.outputs", before.join(" "));
    (0..width).for_each(|i| text += &format!(" n5_{i}"));
    for layer in 0..6 {
        let names: Vec<String> = (0..width).map(|i| format!("n{layer}_{i}")).collect();
        for name in &names {
            text += "\n.names";
            (0..4).for_each(|_| text += &format!(" {}", before[(next() % before.len() as u64) as usize]));
            text += &format!(" {name}\n");
            let rows = (0..16u64).filter(|_| next() >> 20 & 1 == 1).map(|a| format!("{a:04b} 1"));
            text += &rows.collect::<Vec<_>>().join("\n");
        }
        before = names;
    }
    text + "\n.end\n"
}

#[test]
fn an_interrupted_compilation_gives_the_best_so_far() {
    let work = work();
    work.write("layers.blif", layers(400));
    let mut command = Command::new(BLC);
    command.args("compile layers.blif --target xc7 -O3 -v -o out".split(' ')).current_dir(work.path(""));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // After the first cover seconds of work are left.
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = said.by_ref().find(|line| line.starts_with("cover")).expect("a cover");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let rest: Vec<String> = said.collect();
    assert!(child.wait().unwrap().success(), "{line}\n{}", rest.join("\n"));
    let report = fs::read_to_string(work.path("out/report.json")).unwrap();
    assert!(report.contains("\"interrupted\": true"), "{}", rest.join("\n"));
    assert!(work.blc("report out").fine().stdout.contains("interrupted: the smallest so far"));
    work.blc("equiv layers.blif out").fine();
}

#[test]
fn compile_killed_or_interrupted() {
    let work = work();
    let args = "compile second.safetensors --target xc7 -o out";
    let whole = seconds(&work, args);
    let (before, after) = (files(&work.path("first")), files(&work.path("out")));
    assert_ne!(before["design.blir"], after["design.blir"]);
    for (signal, name) in [("-KILL", "kill -9"), ("-INT", "Ctrl-C")] {
        let (mut tally, mut fraction) = (Tally::default(), fractions(1));
        for _ in 0..tries() {
            copy(&work.path("first"), &work.path("out"));
            let status = strike(&work, args, signal, 1.1 * whole * fraction());
            tally.ended(status.success());
            let report = fs::read_to_string(work.path("out/report.json")).unwrap();
            if report.contains("\"interrupted\": true") {
                // A design of its own, which must be whole and right.
                work.blc("equiv second.safetensors out").fine();
                continue;
            }
            tally.judge(&work.path("out"), &before, &after);
        }
        tally.say(&format!("{name}, compile"));
    }
    work.blc(args).fine();
    Tally::default().judge(&work.path("out"), &after, &after);
}

#[test]
fn sim_killed_or_interrupted() {
    let work = work();
    fs::create_dir(work.path("out")).unwrap();
    let args = "sim second --input batch.npy --output out/p.npy --scores out/s.npy --threads 1 --engine reference";
    let whole = seconds(&work, args);
    let after = files(&work.path("out"));
    let before: Files = after.keys().map(|name| (name.clone(), b"earlier".to_vec())).collect();
    for (signal, name) in [("-KILL", "kill -9"), ("-INT", "Ctrl-C")] {
        let (mut tally, mut fraction) = (Tally::default(), fractions(2));
        for _ in 0..tries() {
            before.iter().for_each(|(name, bytes)| fs::write(work.path("out").join(name), bytes).unwrap());
            let status = strike(&work, args, signal, 1.1 * whole * fraction());
            tally.ended(status.success());
            tally.judge(&work.path("out"), &before, &after);
        }
        tally.say(&format!("{name}, sim"));
    }
}

#[cfg(feature = "train")]
#[test]
fn train_killed_goes_on_to_the_same_model() {
    let work = Work::new();
    let args = "train --data digits --epochs 3 --threads 2 -q -o out/m.safetensors --checkpoint out/run.safetensors";
    fs::create_dir(work.path("out")).unwrap();
    let whole = seconds(&work, args);
    let model = fs::read(work.path("out/m.safetensors")).unwrap();
    let earlier = b"an earlier model".to_vec();
    for (signal, name) in [("-KILL", "kill -9"), ("-INT", "Ctrl-C")] {
        let (mut tally, mut fraction) = (Tally::default(), fractions(3));
        let mut run = 0;
        while tally.tries < tries() {
            run += 1;
            fs::write(work.path("out/m.safetensors"), &earlier).unwrap();
            let _ = fs::remove_file(work.path("out/run.safetensors"));
            // Struck again and again, then left alone: an epoch ends some time.
            for strikes in 0.. {
                let resume = if work.path("out/run.safetensors").exists() { "--resume" } else { "" };
                let args = format!("{args} {resume}");
                if strikes == 4 {
                    work.blc(&args).fine();
                    break;
                }
                let status = strike(&work, &args, signal, 1.1 * whole * fraction());
                tally.ended(status.success());
                for (file, bytes) in files(&work.path("out")) {
                    match file.as_str() {
                        part if part.ends_with(PART) => {
                            tally.parts += 1;
                            fs::remove_file(work.path("out").join(part)).unwrap();
                        }
                        // Ctrl-C keeps the best model so far; kill -9 leaves the old one or the last.
                        "m.safetensors" if signal == "-INT" => {
                            let read = blc_frontend::model::Model::from_bytes(&bytes, "m");
                            assert!(bytes == earlier || read.is_ok(), "run {run}: the model is half-written");
                        }
                        "m.safetensors" => assert!(bytes == earlier || bytes == model, "run {run}: half-written"),
                        // Whether it is whole shows when the run goes on from it.
                        "run.safetensors" => {}
                        other => panic!("{other}"),
                    }
                }
            }
            assert!(fs::read(work.path("out/m.safetensors")).unwrap() == model, "run {run}: another model");
        }
        tally.say(&format!("{name}, train"));
    }
}

#[cfg(feature = "train")]
#[test]
fn sweep_killed_goes_on_to_the_same_results() {
    let work = Work::new();
    let plan = "data = \"digits\"\npreset = \"digits\"\ncompile = [\"--target=lut6\"]\n[grid]\nepochs = [1, 2]\n";
    work.write("sweep.toml", plan);
    let args = "sweep sweep.toml -q --threads 2 -o out";
    let whole = seconds(&work, args);
    // Of each run all but what has seconds in it.
    let made = || -> Vec<(String, Vec<u8>)> {
        let folders = fs::read_dir(work.path("out/runs")).unwrap().map(|e| e.unwrap().path());
        let timed = |name: &str| ["run.json", "timing.json"].contains(&name) || name.ends_with(PART);
        let mut all: Vec<_> = folders.flat_map(|run| files(&run)).filter(|(name, _)| !timed(name)).collect();
        all.sort();
        all
    };
    let expected = made();
    for (signal, name) in [("-KILL", "kill -9"), ("-INT", "Ctrl-C")] {
        let (mut tally, mut fraction) = (Tally::default(), fractions(6));
        while tally.tries < tries() {
            fs::remove_dir_all(work.path("out")).unwrap();
            for _ in 0..4 {
                let status = strike(&work, args, signal, whole * fraction());
                tally.ended(status.success());
                for run in fs::read_dir(work.path("out/runs")).into_iter().flatten() {
                    for (file, bytes) in files(&run.unwrap().path()) {
                        match file.as_str() {
                            part if part.ends_with(PART) => tally.parts += 1,
                            model if model.ends_with(".safetensors") => assert!(is_whole(&bytes), "{file}"),
                            json if json.ends_with(".json") => {
                                assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok(), "{file}");
                            }
                            // Whether texts are whole shows at the end.
                            _ => {}
                        }
                    }
                }
            }
            work.blc(args).fine();
            assert!(made() == expected, "other results");
        }
        tally.say(&format!("{name}, sweep"));
    }
}

/// A disk that is full after some bytes: no file may grow further. With `trapped` the write fails as on a full disk,
/// otherwise the process dies of it.
fn with_room(work: &Work, args: &str, blocks: usize, trapped: bool) -> common::Ended {
    let trap = if trapped { "trap '' XFSZ; " } else { "" };
    let script = format!("{trap}ulimit -c 0; ulimit -f {blocks}; exec {BLC} {args}");
    let ended = Command::new("sh").args(["-c", &script]).current_dir(work.path("")).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    common::Ended { code: ended.status.code(), stdout: text(ended.stdout), stderr: text(ended.stderr) }
}

/// Bytes by which a tmpfs grows.
const PAGE: usize = 4096;

/// A small disk of its own, where one may be mounted.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(at: &'a Path, bytes: usize) -> Option<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "none"]).arg(at).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_disk() {
    let work = work();
    let out = work.path("out");
    fs::create_dir(&out).unwrap();
    let commands = [
        ("compile", "compile second.safetensors --target xc7 -o out"),
        ("sim", "sim second --input batch.npy --output out/p.npy --scores out/s.npy"),
        #[cfg(feature = "train")]
        ("train", "train --data digits --epochs 1 -q -o out/m.safetensors --checkpoint out/run.safetensors"),
    ];
    for (name, args) in commands {
        work.blc(args).fine();
        let after = files(&work.path("out"));
        let before: Files = after.keys().map(|name| (name.clone(), b"{\"seconds\":{\"total\":1}}".to_vec())).collect();
        let blocks = |size: usize| after.values().map(|bytes| bytes.len().div_ceil(size)).collect::<Vec<_>>();
        let (largest, pages) = (*blocks(512).iter().max().unwrap(), blocks(PAGE).iter().sum::<usize>());
        for (way, disk) in [("size of files", false), ("tmpfs", true)] {
            let (mut tally, mut fraction) = (Tally::default(), fractions(4));
            for i in 0..tries() {
                // The first try has room for nothing.
                let room = if i == 0 { 0.0 } else { 1.1 * fraction() };
                let bytes = (before.len() + (room * pages as f64) as usize) * PAGE;
                let mounted = if disk { Disk::mount(&out, bytes) } else { None };
                if disk && mounted.is_none() {
                    break;
                }
                before.iter().for_each(|(name, bytes)| fs::write(work.path("out").join(name), bytes).unwrap());
                let trapped = disk || i % 4 != 3;
                let ended = match disk {
                    true => work.blc(args),
                    false => with_room(&work, args, (room * largest as f64) as usize, trapped),
                };
                let fine = ended.code == Some(0);
                assert!(i > 0 || !fine, "{name} had no room, and nothing to say");
                if trapped && !fine {
                    assert!(ended.code == Some(1) && ended.stderr.contains("BL1002"), "{name}: {}", ended.stderr);
                }
                tally.ended(fine);
                let parts = tally.parts;
                // A checkpoint may be there before the disk is full.
                tally.judge(&work.path("out"), &before, &after);
                assert!(!trapped || tally.parts == parts, "{name} left something behind");
            }
            if tally.tries > 0 {
                tally.say(&format!("full disk ({way}), {name}"));
            }
        }
        files(&work.path("out")).keys().for_each(|name| fs::remove_file(work.path("out").join(name)).unwrap());
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.starts_with(b"0\n")
}

#[test]
fn a_folder_that_cannot_be_written() {
    let work = work();
    // Root may write everywhere: be somebody else then, who must still reach the binary.
    let nobody = is_root().then_some(65534);
    let blc = work.path("blc");
    fs::copy(BLC, &blc).unwrap();
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(&work.path(""), 0o755);
    copy(&work.path("first"), &work.path("out"));
    fs::write(work.path("out/p.npy"), "earlier").unwrap();
    fs::write(work.path("out/m.safetensors"), "earlier").unwrap();
    let before = files(&work.path("out"));
    open(&work.path("out"), 0o555);
    let commands = [
        ("compile", "compile second.safetensors --target xc7 -o out"),
        ("sim", "sim second --input batch.npy --output out/p.npy"),
        #[cfg(feature = "train")]
        ("train", "train --data digits --epochs 1 -q -o out/m.safetensors"),
    ];
    for (name, args) in commands {
        let mut tally = Tally::default();
        for _ in 0..tries() {
            let mut command = Command::new(&blc);
            command.args(args.split_whitespace()).current_dir(work.path(""));
            if let Some(id) = nobody {
                command.uid(id).gid(id);
            }
            let ended = command.output().unwrap();
            let text = String::from_utf8(ended.stderr).unwrap();
            assert!(ended.status.code() == Some(1) && text.contains("BL1002"), "{name}: {text}");
            tally.ended(false);
            tally.judge(&work.path("out"), &before, &before);
            assert_eq!(tally.parts, 0);
        }
        tally.say(&format!("read-only folder, {name}"));
    }
    open(&work.path("out"), 0o755);
}

#[test]
fn inputs_that_vanish() {
    let work = work();
    fs::create_dir(work.path("out")).unwrap();
    let (model, batch) =
        (fs::read(work.path("second.safetensors")).unwrap(), fs::read(work.path("batch.npy")).unwrap());
    let commands = [
        ("compile", "compile second.safetensors --target xc7 -o out", "second.safetensors", &model),
        ("sim", "sim second --input batch.npy --output out/p.npy --threads 1 --engine reference", "batch.npy", &batch),
    ];
    for (name, args, input, bytes) in commands {
        let whole = seconds(&work, args);
        let after = files(&work.path("out"));
        let before: Files = after.keys().map(|name| (name.clone(), b"{\"seconds\":{\"total\":1}}".to_vec())).collect();
        for (how, vanish) in [
            ("gone", (|path| fs::remove_file(path).unwrap()) as fn(&Path)),
            ("replaced", |path| {
                let other = path.with_extension("other");
                fs::write(&other, "something else").unwrap();
                fs::rename(other, path).unwrap();
            }),
        ] {
            let (mut tally, mut fraction) = (Tally::default(), fractions(5));
            for _ in 0..tries() {
                let _ = fs::remove_file(work.path(input));
                work.write(input, bytes);
                before.iter().for_each(|(name, bytes)| fs::write(work.path("out").join(name), bytes).unwrap());
                let mut child = start(&work, args);
                std::thread::sleep(Duration::from_secs_f64(whole * fraction().powi(3) / 2.0));
                vanish(&work.path(input));
                // It was read in time, or it is missing, or it is something else: never half of it.
                let status = child.wait().unwrap();
                assert!(matches!(status.code(), Some(0 | 1)), "{name}: {status}");
                tally.ended(status.success());
                tally.judge(&work.path("out"), &before, &after);
                assert_eq!(tally.parts, 0);
            }
            tally.say(&format!("input {how}, {name}"));
        }
        work.write(input, bytes);
        files(&work.path("out")).keys().for_each(|name| fs::remove_file(work.path("out").join(name)).unwrap());
    }
}

#[test]
fn nobody_reads_the_answer() {
    let work = work();
    fs::create_dir(work.path("out")).unwrap();
    let commands = [
        ("compile", "compile second.safetensors --target xc7 -o out"),
        ("sim", "sim second --input batch.npy --output out/p.npy"),
        ("report", "report second --json"),
        ("explain", "explain ops"),
        #[cfg(feature = "train")]
        ("train", "train --data digits --epochs 1 -o out/m.safetensors"),
    ];
    for (name, args) in commands {
        files(&work.path("out")).keys().for_each(|name| fs::remove_file(work.path("out").join(name)).unwrap());
        work.blc(args).fine();
        let after = files(&work.path("out"));
        for (how, redirect, expected) in [
            ("reader leaves", "| head -c 1 >/dev/null", 0),
            ("closed stdout", ">&-", 0),
            ("stdout full", ">/dev/full", 1),
        ] {
            let mut tally = Tally::default();
            for _ in 0..tries() {
                files(&work.path("out")).keys().for_each(|name| fs::remove_file(work.path("out").join(name)).unwrap());
                let script = format!("{{ {BLC} {args}; echo $? >code; }} {redirect}");
                let said = Command::new("sh").args(["-c", &script]).current_dir(work.path("")).output().unwrap();
                let text = String::from_utf8(said.stderr).unwrap();
                let code: i32 = fs::read_to_string(work.path("code")).unwrap().trim().parse().unwrap();
                assert!(code == expected && !text.contains("panicked"), "{name}, {how}: {code} {text}");
                tally.ended(code == 0);
                tally.judge(&work.path("out"), &after, &after);
                assert_eq!(tally.parts, 0);
            }
            tally.say(&format!("{how}, {name}"));
        }
    }
}

//! What untrusted bytes may do to every reader: nothing but be read, or be refused. Each target also states what holds of
//! what was read. `fuzz/` feeds them with libFuzzer, a group at a time, `src/bin/fuzz.rs` with [`crate::bytes`].

use std::fmt::Debug;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use blc_backends::device::Device;
use blc_backends::emit::{Format, Options};
use blc_backends::liberty::Library;
use blc_frontend::data::{Features, Npz, Split, cifar, csv, idx, npy};
use blc_frontend::model::{Model, TensorNames};
use blc_frontend::{aiger, blif, import, lower, verilog};
use blc_ir::diag::Source;
use blc_ir::{Module, parse, verify};
use blc_passes::codes::{PASS_BROKE_IR, PASS_NOT_EQUAL};
use blc_passes::rules::RuleSet;
use blc_passes::{Check, PassManager, Pipeline, Registry};

use zip::write::{SimpleFileOptions, ZipWriter};

use crate::chain::{self, Way};
use crate::random::{Rng, design};

/// Something that takes bytes. It panics where what holds of them does not.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Also of its folder of inputs in `tests/corpus`.
    pub name: &'static str,
    /// Feeds it.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($name:ident)*) => {
        /// Every target.
        pub const TARGETS: &[Target] = &[$(Target { name: stringify!($name), run: $name }),*];
    };
}
targets! { blir model npy npz idx csv cifar blif aiger verilog checkpoint pipeline rules device liberty opt chain_of_seed }

/// Targets of one kind, for libFuzzer: each input goes to all of a group.
pub const GROUPS: &[(&str, &[&str])] = &[
    ("language", &["blir", "opt"]),
    ("weights", &["model", "checkpoint"]),
    ("netlist", &["blif", "aiger", "verilog"]),
    ("data", &["npy", "npz", "idx", "csv", "cifar"]),
    ("chain", &["chain_of_seed"]),
    ("options", &["pipeline", "rules", "device", "liberty"]),
];

/// The folder with a target's inputs.
pub fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

#[track_caller]
fn same<T: PartialEq + Debug>(a: &T, b: &T, what: &str) {
    assert!(a == b, "{what}: {a:?} and {b:?}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn read_blir(bytes: &[u8]) -> Option<Module> {
    let module = parse::parse(&Source::new("fuzz", text(bytes))).ok()?;
    let errors = verify::verify(&module);
    errors.iter().all(|e| !e.is_error()).then_some(module)
}

/// Text in the language: what it prints is read as the same.
fn blir(bytes: &[u8]) {
    if let Ok(module) = parse::parse(&Source::new("fuzz", text(bytes))) {
        let printed = module.to_string();
        let again = parse::parse(&Source::new("printed", &printed)).unwrap_or_else(|e| panic!("{}\n{printed}", e[0]));
        same(&again.to_string(), &printed, "printed, parsed, printed");
        formatted(&text(bytes), &printed);
        let _ = verify::verify(&module);
    }
}

/// A text that can be read, with its comments: formatted it says the same, keeps them, and stays as it is.
fn formatted(before: &str, printed: &str) {
    let format = |text: &str| {
        parse::format(&Source::new("fuzz", text)).unwrap_or_else(|e| panic!("read, but not formatted: {}", e[0]))
    };
    let once = format(before);
    same(&format(&once), &once, "formatted twice");
    let module = parse::parse(&Source::new("formatted", &once)).unwrap_or_else(|e| panic!("{}\n{once}", e[0]));
    same(&module.to_string(), &printed.to_owned(), "formatted, parsed, printed");
}

/// A model file: what is read is valid, lowers to valid IR, and is written as it was.
fn model(bytes: &[u8]) {
    let Ok(model) = Model::from_bytes(bytes, "fuzz") else { return };
    model.validate().unwrap_or_else(|e| panic!("read, but {e}"));
    let written = model.to_bytes().unwrap_or_else(|e| panic!("read, but not written: {e}"));
    let again = Model::from_bytes(&written, "written").unwrap_or_else(|e| panic!("written, but not read: {e}"));
    same(&again, &model, "written and read");
    if model.nodes() < 2000 && model.features() < 2000 && model.width_after(0) < 20_000 {
        let module = lower::to_ir(&model, "fuzz.safetensors", &TensorNames::standard(&model));
        let errors = verify::verify(&module);
        assert!(errors.is_empty(), "{}", errors[0]);
    }
}

/// A NumPy array: read, written and read it has the same bytes.
fn npy(bytes: &[u8]) {
    if let Ok(array) = npy::from_bytes(bytes, "fuzz", "") {
        let written = npy::to_bytes(&array);
        let again = npy::from_bytes(&written, "written", "").unwrap_or_else(|e| panic!("written, but not read: {e}"));
        same(&again.shape, &array.shape, "shape");
        same(&npy::to_bytes(&again), &written, "bytes");
    }
}

/// An archive of arrays.
fn npz(bytes: &[u8]) {
    if let Ok(mut archive) = Npz::open(bytes, "fuzz") {
        for key in archive.keys().into_iter().take(20) {
            let _ = archive.get(&key);
        }
    }
}

/// An array of MNIST, plain or packed.
fn idx(bytes: &[u8]) {
    if let Ok(array) = idx::from_bytes(bytes, "fuzz") {
        same(&array.shape.iter().product(), &array.data.len(), "elements");
    }
}

/// Comma-separated values.
fn csv(bytes: &[u8]) {
    if let Ok((features, split)) = csv::parse(&text(bytes), "fuzz") {
        same(&split.x.len(), &(features * split.y.len()), "numbers");
        let Features::F32(x) = split.x else { panic!("whole numbers") };
        assert!(x.iter().all(|x| x.is_finite()));
    }
}

/// Records of CIFAR-10.
fn cifar(bytes: &[u8]) {
    let mut split = Split { x: Features::U8(Vec::new()), y: Vec::new() };
    if cifar::append(bytes, "fuzz", &mut split).is_ok() {
        same(&split.x.len(), &(split.y.len() * cifar::IMAGE), "pixels");
        assert!(split.y.iter().all(|&y| y < 10));
    }
}

/// A netlist: what is read is valid, and written and read again it stays as it was then.
fn blif(bytes: &[u8]) {
    let Ok(module) = blif::import(&text(bytes), "fuzz.blif") else { return };
    let errors = verify::verify(&module);
    assert!(errors.is_empty(), "{}", errors[0]);
    let write = |module: &Module| Format::Blif.emit(module, &Options::default()).map(|mut files| files.remove(0).text);
    let Ok(written) = write(&module) else { return };
    let again =
        blif::import(&written, "written.blif").unwrap_or_else(|e| panic!("written, but not read: {e}\n{written}"));
    let ports = |m: &Module| m.top().map(|f| (f.params.len(), f.results.len()));
    same(&ports(&again), &ports(&module), "ports");
}

/// An and-inverter graph: what is read is valid, and prints as text that is read again.
fn aiger(bytes: &[u8]) {
    let Ok(module) = aiger::import(bytes, "fuzz.aig") else { return };
    let errors = verify::verify(&module);
    assert!(errors.is_empty(), "{}", errors[0]);
    let printed = module.to_string();
    let again = parse::parse(&Source::new("printed", &printed)).unwrap_or_else(|e| panic!("{}\n{printed}", e[0]));
    same(&again.to_string(), &printed, "printed, parsed, printed");
}

/// Verilog: what is read is valid.
fn verilog(bytes: &[u8]) {
    let text = text(bytes);
    let neurons = verilog::neurons::import(&text, "fuzz.v", &mut |_| Ok(None));
    for module in [verilog::import(&text, "fuzz.v"), neurons].into_iter().flatten() {
        let errors = verify::verify(&module);
        assert!(errors.is_empty(), "{}", errors[0]);
    }
}

/// A checkpoint of another library, or the pickle of one whose tensors hold some numbers: what is imported is valid.
fn checkpoint(bytes: &[u8]) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored: Vec<u8> = (0..600).flat_map(|i| (i as f32 / 8.0 - 30.0).to_le_bytes()).collect();
    let storages = ["0", "1", "2", "3", "4", "5"].map(|key| (format!("m/data/{key}"), stored.as_slice()));
    for (name, bytes) in [("m/data.pkl".to_owned(), bytes)].into_iter().chain(storages) {
        let written = zip.start_file(name, SimpleFileOptions::default()).map(|()| zip.write_all(bytes));
        assert!(matches!(written, Ok(Ok(()))));
    }
    let archive = zip.finish().map(Cursor::into_inner).unwrap_or_default();
    for sidecar in [
        "",
        "[input]\nshape = [2, 6, 6]\ndtype = \"f32\"\n",
        "classes = 2\nparametrization = \"warp\"\n[input]\nshape = [8]\ndtype = \"f32\"\n",
    ] {
        let sidecar = import::Sidecar::parse(sidecar, "fuzz.toml").unwrap_or_else(|e| panic!("{e}"));
        for (format, bytes) in import::Format::ALL.into_iter().flat_map(|f| [(f, bytes), (f, archive.as_slice())]) {
            if let Ok(model) = import::from_bytes(bytes, "fuzz.pt", format, &sidecar) {
                model.validate().unwrap_or_else(|e| panic!("imported, but {e}"));
            }
        }
    }
}

/// A pipeline: its canonical form is read as the same.
fn pipeline(bytes: &[u8]) {
    let registry = Registry::standard();
    if let Ok(pipeline) = Pipeline::parse(&text(bytes), "fold,cover{k=4},dce", &registry) {
        let resolved = pipeline.resolved();
        let again = Pipeline::parse(&resolved, "", &registry).unwrap_or_else(|e| panic!("{e}\n{resolved}"));
        same(&again.resolved(), &resolved, "resolved");
    }
}

/// A file of rules, then those that were proved over a small design: they may not fail, break it, or change what it computes.
fn rules(bytes: &[u8]) {
    let Ok(rules) = RuleSet::read(&Source::new("fuzz.rules", text(bytes))) else { return };
    let design = "blir 0.1
module @m {
  func @f(%a: bit, %b: bit, %c: bit, %d: bit) -> (%y: bit, %z: bit) {
    %o = lut(%a, %b) {table = 0xe} : bit
    %p = lut(%a, %o) {table = 0x8} : bit
    %q = lut(%p, %c) {table = 0x6} : bit
    %r = lut(%q, %c, %d) {table = 0xe8} : bit
    %s = lut(%r, %c) {table = 0x6} : bit
    return %q, %s
  }
}
";
    let mut module = read_blir(design.as_bytes()).expect("a design");
    let pipeline = Pipeline::parse("rules", "", &Registry::standard()).unwrap_or_else(|e| panic!("{e}"));
    let checks = PassManager { verify_each: true, check_each: Some(Check::Sim), ..PassManager::default() };
    let manager = PassManager { rules: Some(Arc::new(rules)), ..checks };
    if let Err(failure) = manager.run(&mut module, &pipeline, &mut ()) {
        panic!("{}\n{}", failure.errors[0], failure.reproducer);
    }
}

/// A device file.
fn device(bytes: &[u8]) {
    if let Ok(device) = Device::parse(&text(bytes), "fuzz.toml") {
        assert!((2..=6).contains(&device.k()));
    }
}

/// A library of standard cells.
fn liberty(bytes: &[u8]) {
    if let Ok(library) = Library::read(&Source::new("fuzz.lib", text(bytes))) {
        assert!(library.nand2 > 0.0 && library.find(1, 0b01).is_some());
    }
}

/// Text in the language, then passes over what is valid: none may fail, break it, or change what it computes.
fn opt(bytes: &[u8]) {
    let Some(mut module) = read_blir(bytes) else { return };
    let Some(top) = module.top() else { return };
    // Passes may refuse what is at another level; time is for many small designs.
    let bits: usize = (0..top.value_count()).map(|v| top.ty(blc_ir::Value::new(v)).total_bits()).sum();
    if top.op_count() > 200 || bits > 4000 {
        return;
    }
    let passes = match top.level() {
        blc_ir::Level::Tensor => "quantize,expand,fold,lower-encoder,lower-head,fold,cover,dce",
        _ => "fold,lower-encoder,lower-head,fold,cover,fold,dce",
    };
    let pipeline = Pipeline::parse(passes, "", &Registry::standard()).unwrap_or_else(|e| panic!("{e}"));
    let manager = PassManager { verify_each: true, check_each: Some(Check::Sim), ..PassManager::default() };
    if let Err(failure) = manager.run(&mut module, &pipeline, &mut ()) {
        let ours = [&PASS_BROKE_IR, &PASS_NOT_EQUAL];
        assert!(!ours.contains(&failure.errors[0].code), "{}\n{}", failure.errors[0], failure.reproducer);
    }
}

/// A random design, chosen by one half of the bytes, through the whole chain in a way that the other half chooses.
fn chain_of_seed(bytes: &[u8]) {
    let hash = |bytes: &[u8]| {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    };
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let seed = hash(first);
    let way = Way::random(&mut Rng(hash(second)));
    chain::check(&design(seed), &way, seed, None).unwrap_or_else(|why| panic!("seed {seed}, {way:?}\n{why}"));
}

/// Feeds the targets of a group. Panics where there is none, too.
pub fn run(group: &str, bytes: &[u8]) {
    let (_, names) = GROUPS.iter().find(|(name, _)| *name == group).unwrap_or_else(|| panic!("no group `{group}`"));
    TARGETS.iter().filter(|t| names.contains(&t.name)).for_each(|t| (t.run)(bytes));
}

/// The inputs of a target in the repository, by the names of their files.
pub fn inputs(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(corpus(name)).into_iter().flatten().flatten() {
        if let Ok(bytes) = std::fs::read(entry.path()) {
            all.push((entry.file_name().to_string_lossy().into_owned(), bytes));
        }
    }
    all.sort();
    all
}

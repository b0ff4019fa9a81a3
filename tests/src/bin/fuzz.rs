//! `fuzz TARGET SECONDS [SEED]`: damaged inputs of the corpus to a target, for so long. What fails, or takes more than ten
//! seconds, is written to `target/fuzz/TARGET`; exit code 1 then. `fuzz seeds` makes the corpus anew, but for the inputs
//! that once failed.

use std::io::Write;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use blc_backends::device::Device;
use blc_backends::emit::{File, Format, Options};
use blc_frontend::data::{Array, Elements, npy};
use blc_frontend::files::sha256_hex;
use blc_passes::{Goals, PassManager, Pipeline, Registers, Registry, Target, default};
use blc_tests::bytes::mutate;
use blc_tests::chain::slices;
use blc_tests::fuzz::{TARGETS, corpus, inputs};
use blc_tests::random::{Rng, design, model};

const SLOW: Duration = Duration::from_secs(10);

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (name, seconds, seed) = match words[..] {
        ["seeds"] => return if seeds().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE },
        [name, seconds] => (name, seconds.parse().unwrap_or(60), 1),
        [name, seconds, seed] => (name, seconds.parse().unwrap_or(60), seed.parse().unwrap_or(1)),
        _ => {
            let names: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
            eprintln!("fuzz TARGET SECONDS [SEED], of {}", names.join(", "));
            return ExitCode::FAILURE;
        }
    };
    let Some(target) = TARGETS.iter().find(|t| t.name == name) else { return ExitCode::FAILURE };
    let corpus: Vec<Vec<u8>> = inputs(name).into_iter().map(|(_, bytes)| bytes).collect();
    if corpus.is_empty() {
        return ExitCode::FAILURE;
    }
    std::panic::set_hook(Box::new(|_| {}));
    let (start, mut rng) = (Instant::now(), Rng(seed));
    let (mut runs, mut found, mut slowest) = (0u64, 0, Duration::ZERO);
    while start.elapsed() < Duration::from_secs(seconds) {
        let bytes = mutate(&mut rng, &corpus);
        let (clock, run) = (Instant::now(), target.run);
        let fine = catch_unwind(|| run(&bytes)).is_ok();
        runs += 1;
        slowest = slowest.max(clock.elapsed());
        if !fine || clock.elapsed() > SLOW {
            found += 1;
            let folder = Path::new("target/fuzz").join(name);
            let file = folder.join(&sha256_hex(&bytes)[..12]);
            let _ = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, &bytes));
            println!("{name}: {} in {}", if fine { "slow" } else { "failed" }, file.display());
        }
    }
    println!("{name}: {runs} inputs in {seconds} s, slowest {:.2} s, {found} findings", slowest.as_secs_f64());
    if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A random design in Verilog and BLIF.
fn compiled(seed: u64, target: &str, stages: u32) -> Option<Vec<File>> {
    let mut module = design(seed);
    let device = Device::named(target);
    let to = device.as_ref().map_or(Target::parse(target), |d| Some(slices(d)))?;
    let passes = default::pipeline(module.top()?.level(), &Goals::new(to, Registers::Stages(stages)));
    let pipeline = Pipeline::parse(&passes, "", &Registry::standard()).ok()?;
    PassManager::default().run(&mut module, &pipeline, &mut ()).ok()?;
    let options = Options { device, ..Options::default() };
    let formats = [Format::Verilog, Format::Blif].map(|format| format.emit(&module, &options).ok());
    Some(formats.into_iter().flatten().flatten().collect())
}

/// Small inputs that are read, made of random designs and arrays.
fn seeds() -> std::io::Result<()> {
    let put = |target: &str, name: &str, bytes: &[u8]| -> std::io::Result<()> {
        std::fs::create_dir_all(corpus(target))?;
        std::fs::write(corpus(target).join(name), bytes)
    };
    for seed in 0..8 {
        let name = format!("seed{seed}");
        let rng = &mut Rng(seed);
        let model = model(rng);
        put("model", &name, &model.to_bytes().unwrap_or_default())?;
        let module = design(seed);
        for target in ["blir", "opt"] {
            put(target, &name, module.to_string().as_bytes())?;
        }
        put("chain_of_seed", &name, &seed.to_le_bytes())?;
        let values: Vec<u64> = (0..6).map(|_| rng.next()).collect();
        let data = match seed {
            0 => Elements::U8(values.iter().map(|&x| x as u8).collect()),
            1 => Elements::Bool(values.iter().map(|&x| x & 1 == 1).collect()),
            2 => Elements::I16(values.iter().map(|&x| x as i16).collect()),
            3 => Elements::F32(values.iter().map(|&x| x as u16 as f32).collect()),
            4 => Elements::F64(values.iter().map(|&x| x as u16 as f64).collect()),
            5 => Elements::U32(values.iter().map(|&x| x as u32).collect()),
            6 => Elements::I64(values.iter().map(|&x| x as i64).collect()),
            _ => Elements::U64(values),
        };
        let array = npy::to_bytes(&Array { shape: vec![2, 3], data });
        put("npy", &name, &array)?;
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let method = if seed % 2 == 0 { zip::CompressionMethod::Stored } else { zip::CompressionMethod::Deflated };
        for key in ["x.npy", "y.npy"] {
            let options = zip::write::SimpleFileOptions::default().compression_method(method);
            archive.start_file(key, options).map_err(std::io::Error::other)?;
            archive.write_all(&array)?;
        }
        put("npz", &name, &archive.finish().map_err(std::io::Error::other)?.into_inner())?;
    }
    for (i, target) in ["xc7", "lut4", "ecp5", "gowin", "ice40", "xc7"].into_iter().enumerate() {
        for file in compiled(i as u64, target, if i == 0 { 0 } else { 2 }).unwrap_or_default() {
            let name = format!("{target}{i}");
            match Path::new(&file.name).extension().and_then(|e| e.to_str()) {
                Some("v") if !file.name.ends_with("_sim.v") => put("verilog", &name, file.text.as_bytes())?,
                Some("blif") => put("blif", &name, file.text.as_bytes())?,
                _ => {}
            }
        }
    }
    for (i, (code, size)) in [(0x08, 1), (0x09, 1), (0x0b, 2), (0x0c, 4), (0x0d, 4), (0x0e, 8)].into_iter().enumerate()
    {
        let head = [&[0, 0, code, 2][..], &[0, 0, 0, 2, 0, 0, 0, 3]].concat();
        let plain = [head, vec![1; 6 * size]].concat();
        put("idx", &format!("seed{i}"), &plain)?;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&plain)?;
        put("idx", &format!("packed{i}"), &packed.finish()?)?;
    }
    put("csv", "seed0", b"a,b,class\n1,2.5,no\n\n-3,4e1,yes\n0,0,no\n")?;
    put("csv", "seed1", b"1,7\n2,0\n")?;
    put("csv", "seed2", b"\"x\",\"y\"\n-0.5,1\n1e-3,2\n")?;
    let record = |label: u8| [vec![label], vec![label; 3072]].concat();
    put("cifar", "seed0", &record(3))?;
    put("cifar", "seed1", &[record(0), record(9)].concat())?;
    put("blif", "seed0", b".model a\n.inputs a b \\\n c\n.outputs s co\n.names a b c s\n100 1\n010 1\n001 1\n111 1\n.names a b c co\n00- 0\n0-0 0\n-00 0\n.end\n")?;
    put(
        "blif",
        "seed1",
        b".model m\n.inputs c d\n.outputs q r\n.latch n q re c 1\n.latch q r re c 0\n.names d q n\n10 1\n01 1\n.end\n",
    )?;
    put(
        "blif",
        "seed2",
        b"# constants\n.inputs a\n.outputs one zero a na\n.names one\n1\n.names zero\n.names a na\n0 1\n",
    )?;
    for (i, text) in [
        "fold,cover{k=6},dce",
        "@default",
        "repeat[3](fold,care{samples=8}),fixpoint(fold,dce)",
        "try(resub{k=6,slack=25,steps=true},fold),pipeline{stages=4}",
        "quantize{bits=10},expand,lower-encoder,lower-head{carry=true},to-xc7",
    ]
    .into_iter()
    .enumerate()
    {
        put("pipeline", &format!("seed{i}"), text.as_bytes())?;
    }
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backends/targets");
    for entry in std::fs::read_dir(targets)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        put("device", &name, &std::fs::read(&path)?)?;
    }
    let texts = Path::new(env!("CARGO_MANIFEST_DIR")).join("filetests");
    for (folder, file) in [
        ("opt", "fold_equal"),
        ("eval", "ops"),
        ("eval", "primitives"),
        ("eval", "encoders"),
        ("opt", "pipeline_layers"),
    ] {
        let bytes = std::fs::read(texts.join(folder).join(format!("{file}.blir")))?;
        put("blir", file, &bytes)?;
        put("opt", file, &bytes)?;
    }
    Ok(())
}

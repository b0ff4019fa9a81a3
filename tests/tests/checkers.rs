//! Checkers are checked: designs with one mistake go to every checker, and each one that changes the function must be
//! caught by each checker that claims to, and no other. Whether a mutant changes the function is known from all inputs.

mod common;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use blc_backends::emit::{File, Format, Options};
use blc_backends::verilog::testbench::{self, Vector};
use blc_frontend::data::{Array, Elements, npy};
use blc_ir::eval::{Evaluator, Val};
use blc_ir::verify::verify_func;
use blc_ir::{Func, FuncAttr, Module};
use blc_passes::equiv::{self, Side, Verdict};
use blc_passes::{PassManager, Pipeline, Registry, check};
use blc_tests::nets::mutate::{dropped_register, every_input, off_by_one, swapped_inputs, table_bit, words};
use blc_tests::nets::{Rng, random_net};
use common::tool;

const CHECKERS: [&str; 5] = ["check-each sim", "equiv", "sim --compare", "Icarus testbench", "ABC cec on BLIF"];

fn module(f: &Func) -> Module {
    let mut module = Module::new("mutant");
    module.funcs.push(f.clone());
    module
}

fn run(f: &Func, passes: &str) -> Func {
    let mut module = module(f);
    let pipeline = Pipeline::parse(passes, "", &Registry::standard()).unwrap_or_else(|e| panic!("{e}"));
    PassManager::default().run(&mut module, &pipeline, &mut ()).unwrap_or_else(|e| panic!("{:?}", e.errors));
    module.funcs.pop().expect("a function")
}

/// Every input with what a function says of it.
fn everything(f: &Func) -> Vec<Vector> {
    let module = module(f);
    let mut evaluator = Evaluator::new(&module, f).expect("valid IR");
    let vector = |inputs: Vec<Val>| {
        let outputs = evaluator.run(&inputs).expect("a result");
        Vector { inputs, outputs }
    };
    every_input(f, 10).map(vector).collect()
}

/// Whether `blc sim A --compare B` sees a difference, on all inputs.
fn compared(dir: &Path, a: &Func, b: &Func, vectors: &[Vector]) -> bool {
    for (name, f) in [("a.blir", a), ("b.blir", b)] {
        fs::write(dir.join(name), module(f).to_string()).expect("written");
    }
    let numbers =
        vectors.iter().flat_map(|v| &v.inputs).flat_map(|v| if let Val::Packed(x) = v { x.clone() } else { vec![] });
    let data: Vec<u8> = numbers.map(|x| x as u8).collect();
    let shape = vec![vectors.len(), data.len() / vectors.len()];
    npy::write(&dir.join("all.npy"), &Array { shape, data: Elements::U8(data) }).expect("written");
    let path = |name: &str| dir.join(name).into_os_string();
    let args: [OsString; 8] = [
        "blc".into(),
        "-q".into(),
        "sim".into(),
        path("a.blir"),
        "--compare".into(),
        path("b.blir"),
        "--input".into(),
        path("all.npy"),
    ];
    let code = format!("{:?}", blc::Driver::standard().run(args));
    let exit = |n: u8| format!("{:?}", std::process::ExitCode::from(n));
    assert!(code == exit(0) || code == exit(3), "{code}");
    code == exit(3)
}

/// Whether the testbench of one design fails with the Verilog of another, on all inputs.
fn benched(dir: &Path, bench: &Func, netlist: &Func, vectors: &[Vector]) -> bool {
    let text = testbench::emit(&module(bench), vectors).expect("a testbench");
    fs::write(dir.join("tb.v"), text).expect("written");
    fs::write(dir.join("all.hex"), testbench::hex_vectors(&module(bench), vectors).expect("vectors")).expect("written");
    let files = Format::Verilog.emit(&module(netlist), &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    fails(dir, &files)
}

/// Whether the testbench and the vectors of a folder fail with these files.
fn fails(dir: &Path, files: &[File]) -> bool {
    let mut args = vec!["-g2001", "-o", "tb.vvp", "tb.v"];
    for file in files {
        fs::write(dir.join(&file.name), &file.text).expect("written");
        args.push(&file.name);
    }
    tool(dir, "iverilog", &args);
    let text = tool(dir, "vvp", &["-n", "tb.vvp", "+vectors=all.hex"]);
    let last = text.lines().last().unwrap_or_default();
    assert!(last.starts_with("PASS") || last.starts_with("FAIL"), "{text}");
    last.starts_with("FAIL")
}

/// Whether ABC tells two netlists apart; combinational ones.
fn told_apart(dir: &Path, a: &Func, b: &Func) -> bool {
    let write = |name: &str, f: &Func| {
        let files = Format::Blif.emit(&module(f), &Options::default()).unwrap_or_else(|e| panic!("{e}"));
        fs::write(dir.join(name), &files[0].text).expect("written");
    };
    write("a.blif", a);
    write("b.blif", b);
    !common::equivalent(dir, Path::new("a.blif"), Path::new("b.blif"))
}

fn proved(a: &Func, b: &Func) -> bool {
    let (x, y) = (module(a), module(b));
    let found = equiv::compare(Side { module: &x, f: a }, Side { module: &y, f: b }, &equiv::Options::default());
    match found.unwrap_or_else(|e| panic!("{e}")).verdict {
        Verdict::Proved => true,
        Verdict::Refuted(_) | Verdict::Latency(..) => false,
        other => panic!("{other:?}"),
    }
}

/// What each checker says of a mutant: whether it is caught.
fn caught(dir: &Path, good: &Func, mutant: &Func, vectors: &[Vector]) -> [bool; 5] {
    let context = module(good);
    [
        check::simulate(&context, good, mutant, "mutant").is_err(),
        !proved(good, mutant),
        compared(dir, good, mutant, vectors),
        benched(dir, good, mutant, vectors),
        told_apart(dir, good, mutant),
    ]
}

#[derive(Default)]
struct Score {
    changed: usize,
    same: usize,
    caught: [usize; 5],
}

#[test]
fn every_checker_catches_every_mutant() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    let mut judge = |name: &'static str, good: &Func, mutant: &Func| {
        let vectors = everything(good);
        let changed = everything(mutant) != vectors;
        let said = caught(dir.path(), good, mutant, &vectors);
        let score = scores.entry(name).or_default();
        for (checker, said) in CHECKERS.iter().zip(said) {
            assert!(changed || !said, "{checker} sees a difference that is none: {name}");
        }
        if changed {
            score.changed += 1;
            score.caught.iter_mut().zip(said).for_each(|(sum, said)| *sum += usize::from(said));
        } else {
            score.same += 1;
        }
    };
    for seed in 0..16 {
        let rng = &mut Rng(seed);
        let net = random_net(seed, 7, 3, 8);
        for (name, mutate) in
            [("table bit", table_bit as fn(&mut Rng, &mut Func) -> bool), ("swapped inputs", swapped_inputs)]
        {
            for passes in ["fold,cover,pipeline{stages=0},to-xc7,dce", "fold,cover{k=4},pipeline{stages=0}"] {
                let good = run(&net, passes);
                let mut mutant = good.clone();
                if mutate(rng, &mut mutant) {
                    judge(name, &good, &mutant);
                }
            }
        }
        let passes = "lower-encoder,lower-head,fold,cover,pipeline{stages=0}";
        let mut mutant = words(false);
        if off_by_one(rng, &mut mutant) {
            judge("threshold", &run(&words(false), passes), &run(&mutant, passes));
        }
    }
    let passes = "lower-encoder,lower-head,fold,cover,pipeline{stages=0}";
    judge("tie rule", &run(&words(false), passes), &run(&words(true), passes));
    for (name, score) in &scores {
        for (checker, caught) in CHECKERS.iter().zip(score.caught) {
            println!("| {name} | {checker} | {caught} of {} | {} |", score.changed, score.same);
            assert_eq!(caught, score.changed, "{name}: {checker}");
        }
        assert!(score.changed > 0, "{name}");
    }
    assert_eq!(scores.len(), 4);
}

/// Registers: the verifier sees each wrong one, the testbench each that is emitted nevertheless, the prover every other
/// latency.
#[test]
fn every_wrong_register_is_caught() {
    let dir = tempfile::tempdir().expect("a folder");
    let nothing = Module::new("m");
    let invalid = |f: &Func| verify_func(&nothing, f).iter().any(blc_ir::Diagnostic::is_error);
    let (mut dropped, mut shifted, mut wires, mut failed) = (0, 0, 0, 0);
    for seed in 0..16 {
        let rng = &mut Rng(seed);
        let net = random_net(seed, 7, 3, 8);
        let two = run(&net, "fold,cover,pipeline{stages=2},to-xc7,dce");
        let vectors = everything(&two);
        assert!(!benched(dir.path(), &two, &two, &vectors), "the design itself passes");
        let mut short = two.clone();
        if dropped_register(rng, &mut short) && invalid(&short) {
            dropped += 1;
            let emitted = Format::Verilog.emit(&module(&short), &Options::default());
            assert!(emitted.is_err(), "what the verifier refuses is not emitted");
        }
        // In the Verilog itself: a register that follows its input at once.
        let plain = run(&net, "fold,cover,pipeline{stages=2}");
        assert!(!benched(dir.path(), &plain, &plain, &vectors));
        let mut files = Format::Verilog.emit(&module(&plain), &Options::default()).expect("files");
        let lines: Vec<&str> = files[0].text.lines().filter(|l| l.contains(" <= ")).collect();
        let line = rng.of(&lines).to_owned();
        let wire = format!("  always @(*) {}\nendmodule", line.trim().replace(" <= ", " = "));
        files[0].text = files[0].text.replace(&format!("{line}\n"), "").replace("endmodule", &wire);
        wires += 1;
        failed += usize::from(fails(dir.path(), &files));
        let mut late = run(&net, "fold,cover,pipeline{stages=3},to-xc7,dce");
        if late.ops().count() == two.ops().count() {
            continue;
        }
        assert!(!proved(&two, &late), "another latency");
        assert!(benched(dir.path(), &two, &late, &vectors), "a sample a cycle late");
        late.set_attr("latency", FuncAttr::Int(2));
        assert!(invalid(&late), "a latency that lies");
        shifted += 1;
    }
    println!("| dropped register | verifier, emitter | {dropped} of {dropped} |");
    println!("| register as a wire in Verilog | Icarus testbench | {failed} of {wires} |");
    println!("| shifted latency | verifier, equiv, Icarus testbench | {shifted} of {shifted} |");
    assert!(dropped >= 10 && shifted >= 10 && failed == wires, "{dropped} {shifted} {failed} {wires}");
}

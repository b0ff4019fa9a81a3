//! Tools for texts and designs: fmt, reduce, diff.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use blc_frontend::model::Dtype;
use common::{ADDER, Work, model};
use serde_json::Value;

const SLOPPY: &str = "// mine\nblir 0.1\nmodule @m {func @f(%a:bit,%b:bit)->(%y:bit){ // words\n%7=lut(%a,%b){table=6}:bit return %7}}\n";
const CANONICAL: &str = "// mine\nblir 0.1\nmodule @m {\n  func @f(%a: bit, %b: bit) -> (%y: bit) {  // words\n    \
                         %0 = lut(%a, %b) {table = 0x6} : bit\n    return %0\n  }\n}\n";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn fmt_writes_the_canonical_form() {
    let work = Work::new();
    work.write("a.blir", SLOPPY).write("b.blir", CANONICAL);
    let check = work.blc("fmt --check b.blir a.blir");
    assert_eq!(check.code, Some(1));
    assert!(check.stderr.contains("BL4034") && check.stderr.contains("a.blir: line 3"), "{}", check.stderr);
    assert!(!check.stderr.contains("b.blir"), "{}", check.stderr);
    assert_eq!(fs::read_to_string(work.path("a.blir")).unwrap(), SLOPPY, "--check writes nothing");
    work.blc("fmt a.blir b.blir").fine();
    for file in ["a.blir", "b.blir"] {
        assert_eq!(fs::read_to_string(work.path(file)).unwrap(), CANONICAL);
    }
    work.blc("fmt --check a.blir b.blir").fine();
    assert_eq!(work.blc_with(&["fmt"], SLOPPY).fine().stdout, CANONICAL);
    assert_eq!(work.blc_with(&["fmt", "-", "--check"], SLOPPY).code, Some(1));
    let wrong = work.blc_with(&["fmt"], "blir 0.1\nmodule");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(1), ""));
}

#[test]
fn opt_reads_stdin_and_writes_stdout() {
    let work = Work::new();
    let said = work.blc_with(&["opt", "-", "--passes", "fold"], SLOPPY).fine();
    assert!(said.stdout.starts_with("blir 0.1\n") && said.stdout.contains("{table = 0x6}"), "{}", said.stdout);
    assert_eq!(work.blc_with(&["opt", "-", "--passes", "fold"], &said.stdout).fine().stdout, said.stdout);
}

/// A "bug" that shows where a text has a sum and a table of three inputs that is a majority.
const BUG: &str = "grep -q 'word.sum' {} && grep -q 'table = 0xe8' {} && exit 7; exit 0";

/// A design with the two at the far ends of many other ops.
fn large() -> String {
    let mut text = String::from(
        "blir 0.1\nmodule @m {\n  func @other(%a: bit) -> (%y: bit) {\n    return %a\n  }\n  func @f(%x: bit[40]) -> (%y: bit, %z: u6) {\n",
    );
    (0..40).for_each(|i| text += &format!("    %a{i} = extract %x {{offset = {i}}} : bit\n"));
    for i in 2..40 {
        text += &format!(
            "    %b{i} = lut(%a{i}, %a{}, %a{}) {{table = 0x{:x}}} : bit\n",
            i - 1,
            i - 2,
            if i == 17 { 0xe8 } else { 0x96 }
        );
    }
    let all: Vec<_> = (2..40).map(|i| format!("%b{i}")).collect();
    text += &format!(
        "    %s = word.sum({}) : u6\n    %t = lut(%b17, %b20) {{table = 0x8}} : bit\n    return %t, %s\n  }}\n}}\n",
        all.join(", ")
    );
    text
}

#[test]
fn reduce_finds_a_tiny_design() {
    let work = Work::new();
    work.write("in.blir", large());
    let said = work.blc_with(&["reduce", "in.blir", "--test", BUG, "--json"], "").fine();
    let said = json(&said.stdout);
    assert_eq!((&said["status"], &said["complete"], &said["functions"]), (&7.into(), &true.into(), &1.into()));
    let text = fs::read_to_string(work.path("in.reduced.blir")).unwrap();
    // The sum, the majority, and nothing else that computes.
    assert_eq!(said["ops"], 2, "{text}");
    assert!(text.contains("word.sum") && text.contains("table = 0xe8"), "{text}");
    work.blc("opt in.reduced.blir --passes dce").fine();

    // Few steps: stopped early, and still smaller than before.
    let said =
        work.blc_with(&["reduce", "in.blir", "--test", BUG, "--steps", "4", "-o", "four.blir", "--json"], "").fine();
    let said = json(&said.stdout);
    assert_eq!((&said["complete"], &said["tries"]), (&false.into(), &4.into()));
    assert!(fs::metadata(work.path("four.blir")).unwrap().len() < large().len() as u64);
}

#[test]
fn reduce_takes_models_and_refuses_what_does_not_fail() {
    let work = Work::new();
    model(Dtype::U8).write(&work.path("m.safetensors")).unwrap();
    work.write("adder.blif", ADDER);
    // Layers become tables, and of these one is left.
    let bug = "grep -q 'lut' {} && exit 1; exit 0";
    work.blc_with(&["reduce", "m.safetensors", "--test", bug], "").fine();
    let text = fs::read_to_string(work.path("m.reduced.blir")).unwrap();
    assert!(text.lines().count() <= 8 && text.contains("lut("), "{text}");

    let fine = work.blc_with(&["reduce", "adder.blif", "--test", "test -s {}"], "");
    assert!(fine.code == Some(1) && fine.stderr.contains("BL4035"), "{}", fine.stderr);
    let slow = work.blc_with(&["reduce", "adder.blif", "--test", "sleep 60 # {}", "--timeout", "0"], "");
    assert!(slow.code == Some(1) && slow.stderr.contains("BL4035"), "{}", slow.stderr);
    let blind = work.blc_with(&["reduce", "adder.blif", "--test", "false"], "");
    assert!(blind.code == Some(2) && blind.stderr.contains("`{}`"), "{}", blind.stderr);
    assert!(!work.path("adder.reduced.blir").exists());
}

#[test]
fn reduce_counts_only_the_same_exit_code() {
    let work = Work::new();
    work.write("adder.blif", ADDER);
    // Without the carry's table the command fails otherwise, which is another bug.
    let bug = "grep -q 0xe8 {} && exit 5; exit 6";
    work.blc_with(&["reduce", "adder.blif", "--test", bug, "-o", "r.blir"], "").fine();
    let text = fs::read_to_string(work.path("r.blir")).unwrap();
    assert_eq!(text.matches("lut(").count(), 1, "{text}");
    assert!(text.contains("0xe8"), "{text}");
    assert!(text.matches("const ").count() <= 1, "{text}");
}

#[test]
fn diff_shows_structure() {
    let work = Work::new();
    work.write("a.blir", CANONICAL);
    let renamed = CANONICAL.replace("%0", "%n").replace("@f", "@g").replace("// mine\n", "");
    work.write("same.blir", &renamed);
    let same = work.blc("diff a.blir same.blir").fine();
    assert_eq!(same.stdout, "a.blir and same.blir are built the same\n");
    let also = "  func @also(%a: bit) -> (%y: bit) {\n    return %a\n  }\n  func @f";
    let other = CANONICAL.replace("  func @f", also).replace("0x6} : bit", "0x8} : bit loc(\"l0\" neuron 3)");
    work.write(
        "other.blir",
        other.replace("(%a: bit, %b: bit) -> (%y: bit)", "(%a: bit, %b: bit, %c: bit) -> (%y: bit)"),
    );
    let differ = work.blc("diff a.blir other.blir");
    assert_eq!(differ.code, Some(3), "{}", differ.stderr);
    for line in [
        "port in c: bit only in the second",
        "function only in the first: @f",
        "function only in the second: @also",
        "output built differently: y",
        "layer l0         0       1",
        "  - %0 = lut(%a, %b) {table = 0x6} : bit",
        "  + %0 = lut(%a, %b) {table = 0x8} : bit",
    ] {
        assert!(differ.stdout.contains(line), "{line:?} in\n{}", differ.stdout);
    }
    let differ = json(&work.blc("diff a.blir other.blir --json").stdout);
    assert_eq!(
        (&differ["same"], &differ["ops"]["lut"]["b"], &differ["cone"]["output"]),
        (&false.into(), &1.into(), &"y".into())
    );
}

#[test]
fn diff_follows_designs_from_model_to_registers() {
    let work = Work::new();
    model(Dtype::U8).write(&work.path("m.safetensors")).unwrap();
    work.blc("compile m.safetensors --target xc7 -o one").fine();
    work.blc("compile m.safetensors --target xc7 -o two").fine();
    work.blc("diff one two").fine();
    work.blc("compile m.safetensors --target xc7 --stages 0 -o flat").fine();
    let differ = work.blc("diff one flat");
    assert_eq!(differ.code, Some(3));
    assert!(differ.stdout.contains("xc7.fdre") && differ.stdout.contains("attribute latency"), "{}", differ.stdout);

    // A counter: registers in a loop.
    let counter = "blir 0.1\nmodule @m {\n  hw.module @c(in %clk: clock, in %e: bit, out %y: bit) {\n    \
                   %n = lut(%e, %q) {table = 0x6} : bit\n    %q = seq.reg %n clock %clk {stage = 0, init = 0} : bit\n    \
                   hw.output %q\n  }\n}\n";
    work.write("c.blir", counter).write("d.blir", counter.replace("0x6", "0x9"));
    work.blc("diff c.blir c.blir").fine();
    let differ = work.blc("diff c.blir d.blir");
    assert_eq!(differ.code, Some(3));
    assert!(differ.stdout.contains("register 0") && differ.stdout.contains("0x9"), "{}", differ.stdout);
}

#[test]
fn view_draws_a_cone() {
    let work = Work::new();
    work.write("adder.blif", ADDER);
    work.blc("view adder.blif --cone co -o cone.svg").fine();
    let svg = fs::read_to_string(work.path("cone.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains(">MAJ3<") && svg.contains("1 of 2 ops"), "{svg}");
    let wrong = work.blc("view adder.blif --cone cp");
    assert!(
        wrong.code == Some(1) && wrong.stderr.contains("BL4037") && wrong.stderr.contains("did you mean `co`?"),
        "{}",
        wrong.stderr
    );

    model(Dtype::U8).write(&work.path("m.safetensors")).unwrap();
    work.blc("compile m.safetensors --target xc7").fine();
    let whole = work.blc("view --cone class --depth 100").fine().stdout;
    assert!(whole.contains("class=\"encoder\"") && whole.contains("class=\"register\""), "{whole}");
    let near = work.blc("view --cone class --depth 1").fine().stdout;
    assert!(near.len() < whole.len() && near.contains("…"), "{near}");
    for name in ["%100", "100"] {
        assert!(work.blc(&format!("view --cone {name}")).fine().stdout.contains(" of 171 ops"));
    }
    assert!(work.blc("view --cone class[1] --depth 2").fine().stdout.contains(">class[1]<"));
    assert!(work.blc("view --cone class[7]").stderr.contains("BL4037"));
    assert!(work.blc("view --cone %171000").stderr.contains("BL4037"));
}

#[test]
fn manual_pages_are_written() {
    let work = Work::new();
    work.blc("man pages").fine();
    let page = |name: &str| fs::read_to_string(work.path("pages").join(name)).unwrap();
    assert!(page("blc.1").contains("compile"));
    let compile = page("blc-compile.1");
    for part in ["\\-\\-target", "\\-\\-threads", "Examples"] {
        assert!(compile.contains(part), "{part} in\n{compile}");
    }
}

#[test]
fn every_command_that_reports_has_json() {
    let work = Work::new();
    work.write("adder.blif", ADDER);
    let report = json(&work.blc("compile adder.blif --target xc7 --json").fine().stdout);
    assert_eq!(report["target"], "xc7");
    assert_eq!(report["luts"], json(&work.blc("report --json").fine().stdout)["luts"]);
    let passes = json(&work.blc("passes --json").fine().stdout);
    assert!(
        passes.as_array().unwrap().iter().any(|p| p["name"] == "cover" && p["options"]["k"].is_number()),
        "{passes}"
    );
    assert_eq!(json(&work.blc("explain BL4050 --json").fine().stdout)["code"], "BL4050");
    assert_eq!(json(&work.blc("explain lut --json").fine().stdout)["operands"]["most"], 6);
    assert!(json(&work.blc("explain codes --json").fine().stdout).as_array().unwrap().len() > 100);
    assert_eq!(work.blc("explain BL9999 --json").code, Some(2));
}

#[test]
fn talk_is_plain_without_a_terminal() {
    let work = Work::new();
    work.write("adder.blif", ADDER);
    let escape = |text: &str| text.contains('\u{1b}');
    let plain = work.blc("compile adder.blif --target xc8");
    assert!(!escape(&plain.stderr) && !escape(&work.blc("compile missing.blif --target xc7").stderr));
    assert!(escape(&work.blc("compile missing.blif --target xc7 --color always").stderr));
    // Progress bars are for terminals alone.
    let reduced = work.blc_with(&["reduce", "adder.blif", "--test", "grep -q 0xe8 {} && exit 1; exit 0"], "").fine();
    assert!(
        !escape(&reduced.stderr) && reduced.stderr.lines().count() == 2 && reduced.stdout.is_empty(),
        "{}",
        reduced.stderr
    );
}

/// Runs `blc` on a terminal of its own; what it writes there.
#[cfg(target_os = "linux")]
fn on_a_terminal(work: &Work, args: &str, vars: &[(&str, &str)]) -> String {
    let command = format!("'{}' {args}", env!("CARGO_BIN_EXE_blc"));
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).current_dir(work.path("")).env("TERM", "xterm").env_remove("NO_COLOR");
    let ended = script.envs(vars.iter().copied()).stdin(std::process::Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

#[cfg(target_os = "linux")]
#[test]
fn terminals_get_colours_and_progress() {
    let work = Work::new();
    work.write("adder.blif", ADDER);
    let wrong = "compile missing.blif --target xc7";
    assert!(on_a_terminal(&work, wrong, &[]).contains("\u{1b}["));
    for var in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let said = on_a_terminal(&work, wrong, &[var]);
        assert!(said.contains("BL1001") && !said.contains('\u{1b}'), "{var:?}: {said:?}");
    }
    assert!(!on_a_terminal(&work, &format!("{wrong} --color never"), &[]).contains('\u{1b}'));
    let reduce = "reduce adder.blif --test 'grep -q 0xe8 {} && exit 1; exit 0'";
    assert!(on_a_terminal(&work, reduce, &[]).contains("candidates  "));
    assert!(!on_a_terminal(&work, &format!("{reduce} --quiet"), &[]).contains("candidates"));
}

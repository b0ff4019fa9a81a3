//! A pass from outside, added to the driver: the example must do what it says.

#![allow(clippy::unwrap_used)]

mod common;

use std::ffi::OsString;
use std::fs;
use std::process::{Command, ExitCode};

use blc_ir::{Func, Level, OpKind};
use blc_passes::{Abort, Changed, NoOptions, Pass, PassCx, PassSpec};
use common::Work;

const TEXT: &str = "blir 0.1\nmodule @m {\n  func @f(%a: bit, %b: bit) -> (%y: bit) {\n    %n = lut(%a) {table = 0x1} : bit\n    \
                    %y = lut(%n, %b) {table = 0x8} : bit\n    return %y\n  }\n}\n";

#[test]
fn an_out_of_tree_pass_runs_by_name() {
    let work = Work::new();
    work.write("a.blir", TEXT);
    // Cargo builds examples with the tests, beside the binary.
    let example = std::path::Path::new(env!("CARGO_BIN_EXE_blc")).parent().unwrap().join("examples/custom_pass");
    let ran = Command::new(example)
        .args(["opt", "a.blir", "--passes", "absorb-inverters", "--verify-each", "--check-each", "sim"])
        .current_dir(work.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("%y = lut(%a, %b) {table = 0x4} : bit") && !said.contains("0x1"), "{said}");
    assert_eq!(work.blc("opt a.blir --passes absorb-inverters").code, Some(2), "blc itself does not know it");
}

/// Passes that are wrong in two ways.
struct Wrong<const BITS: u64>;

impl<const BITS: u64> PassSpec for Wrong<BITS> {
    const NAME: &'static str = if BITS == 0 { "lie" } else { "break" };
    const SUMMARY: &'static str = "gives every table the same bits";
    const LEVEL: Level = Level::Bit;
    type Options = NoOptions;

    fn build(_: NoOptions) -> Box<dyn Pass> {
        Box::new(Self)
    }
}

impl<const BITS: u64> Pass for Wrong<BITS> {
    fn run(&mut self, f: &mut Func, _: &mut PassCx<'_>) -> Result<Changed, Abort> {
        f.op_ids().for_each(|id| f.set_kind(id, OpKind::Lut { table: BITS }));
        Ok(Changed::Yes)
    }
}

#[test]
fn a_wrong_pass_is_caught_with_a_file_that_reproduces_it() {
    let work = Work::new();
    work.write("a.blir", TEXT);
    let driver = blc::Driver::standard().with_pass::<Wrong<0>>().with_pass::<Wrong<{ u64::MAX }>>();
    let opt = |file: &str, more: &str| {
        let (input, output) = (work.path(file), work.path("out.blir"));
        let args = format!("blc opt {} -o {} {more} --error-format json", input.display(), output.display());
        driver.run(args.split(' ').map(OsString::from))
    };
    assert_eq!(opt("a.blir", "--passes fold,lie --check-each sim"), ExitCode::from(3));
    assert_eq!(opt("a.blir", "--passes fold,break --verify-each"), ExitCode::from(101));
    assert!(!work.path("out.blir").exists());
    for (name, check, code) in [("lie", "--check-each sim", 3), ("break", "--verify-each", 101)] {
        let file = format!("blc-repro-{name}.blir");
        let text = fs::read_to_string(work.path(&file)).unwrap();
        assert!(text.starts_with("// ") && text.contains(&format!("--passes '{name}'")), "{text}");
        assert_eq!(opt(&file, &format!("--passes {name} {check}")), ExitCode::from(code));
    }
    assert_eq!(opt("a.blir", "--passes fold"), ExitCode::SUCCESS);
}

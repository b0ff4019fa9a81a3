//! Every code of this crate is reached.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use blc_ir::diag::Source;
use blc_ir::{Func, FuncKind, Module, Type};
use blc_passes::equiv::{Options, Side, compare};
use blc_passes::rules::RuleSet;
use blc_passes::{Check, PassManager, Pipeline};
use common::wrong::registry;
use common::{module, module_of};

/// Codes of all errors and warnings of a run.
fn codes(mut module: Module, passes: &str) -> Vec<&'static str> {
    let pipeline = match Pipeline::parse(passes, "", &registry()) {
        Ok(pipeline) => pipeline,
        Err(error) => return vec![error.code.id],
    };
    let manager = PassManager { verify_each: true, check_each: Some(Check::Sim), ..PassManager::default() };
    let (errors, report) = match manager.run(&mut module, &pipeline, &mut ()) {
        Ok(report) => (Vec::new(), report),
        Err(failure) => (failure.errors, failure.report),
    };
    errors.iter().chain(&report.warnings).map(|d| d.code.id).collect()
}

/// A function of one op between `%a: bit`, `%w: u4` and `%y: bit`.
fn of(op: &str) -> Module {
    module("", &format!("func @f(%a: bit, %w: u4) -> (%y: bit) {{\n%0 = {op} : bit\nreturn %0\n}}"))
}

fn encoder(input: &str) -> Module {
    let text = format!(
        "func @f(%x: {input}[1]) -> (%y: bit[3]) {{\n%0 = enc.thermometer %x {{thresholds = #t}} : bit[3]\nreturn %0\n}}"
    );
    module("#t = data f32[1, 3] [0.5, 1.5, 2.5]", &text)
}

/// Results that are the parameters.
fn wires(input: &str, ty: Type, output: &str) -> Module {
    let mut f = Func::new("f", FuncKind::Func);
    let x = f.add_param(input, ty);
    f.add_result(output, x);
    module_of(f)
}

#[test]
fn every_code_is_reached() {
    let gate = || of("lut(%a) {table = 0x1}");
    let bit = |output| wires("x", Type::BIT, output);
    let mut unloaded = encoder("u8");
    unloaded.resources[0].data = None;
    let outside = "func @f(%x: u4[1]) -> (%y: u2[1]) {\n%0 = ext(%x) {op = \"mine\"} : bit[3]\n\
        %1 = head.group_sum %0 {groups = 1} : u2[1]\nreturn %1\n}";
    let counting = "func @f(%x: bit[2]) -> (%y: u1) {\n%0 = extract %x {offset = 0} : bit\n\
        %1 = extract %x {offset = 1} : bit\n%2 = word.sum(%0) : u1\n%3 = word.sum(%1) : u1\n\
        %4 = word.argmax(%2, %3) {tie = lowest} : u1\nreturn %4\n}";
    let cases = [
        ("BL2001", gate(), "fold("),
        ("BL2002", gate(), "fodl"),
        ("BL2003", gate(), "fold{k=1}"),
        ("BL2004", gate(), "cover{k=x}"),
        ("BL2005", gate(), "repeat[9999](fixpoint(fold))"),
        ("BL2006", gate(), "expand"),
        ("BL2007", Module::new("m"), "fold"),
        ("BL2008", gate(), "break-ir"),
        ("BL2009", gate(), "flip-bit"),
        ("BL2010", of("ext(%a) {op = \"mine\"}"), "restless"),
        ("BL2011", gate(), "fixpoint(restless)"),
        ("BL2101", unloaded, "expand"),
        ("BL2102", wires("x", Type::bits(5000), "y"), "pipeline{stages=10000}"),
        ("BL2103", encoder("f32"), "expand"),
        ("BL2104", encoder("f32"), "quantize{bits=17}"),
        ("BL2105", encoder("f32"), "quantize{bits=1}"),
        ("BL2106", of("word.gt(%w, %w)"), "pipeline"),
        ("BL2107", bit("y"), "pipeline{stages=1,levels=1}"),
        ("BL2107", bit("y"), "pipeline{stages=0,period=2}"),
        ("BL2108", bit("x"), "pipeline"),
        ("BL2109", module("", outside), "expand"),
        ("BL2110", gate(), "prune"),
        ("BL2111", module("", counting), "calibrate"),
        ("BL2112", gate(), "prune{budget=-1}"),
        ("BL2122", gate(), "rules"),
        ("BL2130", gate(), "iterate"),
        ("BL2140", gate(), "gates"),
        ("BL2150", gate(), "cover{k=7}"),
        ("BL2151", gate(), "care{samples=0}"),
        ("BL2152", gate(), "resub{k=9}"),
        ("BL2153", gate(), "egraph{leaves=13}"),
    ];
    let mut reached = BTreeSet::new();
    for (code, module, passes) in cases {
        let found = codes(module, passes);
        assert!(found.contains(&code), "{passes}: {found:?}, not {code}");
        reached.extend(found);
    }
    reached.extend(equivalence());
    let refused = |text| RuleSet::read(&Source::new("my.rules", text)).unwrap_err().code.id;
    reached.extend(["r: ?a => ?a", "r: (not ?a) => ?a"].map(refused));
    let all: BTreeSet<&str> = blc_passes::codes::ALL.iter().map(|c| c.id).collect();
    let missing: Vec<_> = all.difference(&reached).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
    for code in blc_passes::codes::ALL {
        assert!(code.explain.len() > code.title.len() && code.explain.ends_with('.'), "{}", code.id);
    }
}

/// The codes of proofs that cannot be begun, or not be ended.
fn equivalence() -> Vec<&'static str> {
    let gate = |table: &str| of(&format!("lut(%a) {{table = {table}}}"));
    let (gate, other) = (gate("0x1"), of("ext(%a) {op = \"mine\"}"));
    let register = module(
        "",
        "hw.module @f(in %clk: clock, in %a: bit, out %y: bit) {\n%q = seq.reg %a clock %clk {stage = 1, init = 0} : bit\nhw.output %q\n}",
    );
    let narrow = wires("x", Type::BIT, "y");
    let wide = wires("x", Type::bits(2), "y");
    let code = |a: &Module, b: &Module, gates: usize| {
        let side = |m| Side { module: m, f: m.top().unwrap() };
        compare(side(a), side(b), &Options { gates, ..Options::default() }).unwrap_err().code.id
    };
    let side = |m: &'static str| of(&format!("lut(%a, %a) {{table = {m}}}"));
    let (or, and) = (side("0xe"), side("0x8"));
    let none = Options { output: 0, blocks: 0, ..Options::default() };
    let open = blc_passes::check::prove(&or, or.top().unwrap(), and.top().unwrap(), "p", &none);
    assert!(open.unwrap().is_none(), "both are the input itself");
    let sum = of_sum();
    let open = blc_passes::check::prove(&sum.0, sum.0.top().unwrap(), sum.1.top().unwrap(), "p", &none);
    let codes = vec![
        code(&narrow, &wide, 100),
        code(&gate, &other, 100),
        code(&gate, &gate, 2),
        code(&register, &narrow, 100),
        open.unwrap_err().code.id,
    ];
    assert_eq!(codes, ["BL2201", "BL2202", "BL2203", "BL2204", "BL2012"]);
    codes
}

/// The parity of four bits, from one end and from the other.
fn of_sum() -> (Module, Module) {
    let parity = |order: [usize; 4]| {
        let mut f = Func::new("f", FuncKind::Func);
        let x: Vec<_> = (0..4).map(|i| f.add_param(format!("x{i}"), Type::BIT)).collect();
        let y = order[1..].iter().fold(x[order[0]], |y, &i| f.lut(0x6, &[y, x[i]], blc_ir::LocId::UNKNOWN));
        f.add_result("y", y);
        module_of(f)
    };
    (parity([0, 1, 2, 3]), parity([3, 2, 1, 0]))
}

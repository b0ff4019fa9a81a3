//! Rules of a user: what is read, what is refused, and what they make of designs.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use blc_ir::diag::Source;
use blc_ir::{Func, FuncKind, LocId, Module, Type};
use blc_passes::rules::RuleSet;
use blc_passes::{Check, PassManager, Pipeline, Registry};
use common::{Rng, module_of};

fn read(text: &str) -> Result<RuleSet, String> {
    RuleSet::read(&Source::new("my.rules", text)).map_err(|e| format!("{}: {}", e.code.id, e.message))
}

/// Runs `rules` with every check; gives how often each rule was applied.
fn apply(module: &mut Module, text: &str) -> Vec<u64> {
    let rules = Arc::new(read(text).unwrap());
    let manager = PassManager {
        verify_each: true,
        check_each: Some(Check::Sat),
        rules: Some(Arc::clone(&rules)),
        ..PassManager::default()
    };
    let pipeline = Pipeline::parse("rules", "", &Registry::standard()).unwrap_or_else(|e| panic!("{e}"));
    let report = manager.run(module, &pipeline, &mut ()).unwrap_or_else(|f| panic!("{}", f.errors[0]));
    rules.names().map(|name| report.fact(&format!("rules.{name}")).unwrap_or(0)).collect()
}

fn module(body: &str) -> Module {
    common::module("", &format!("func @top{body}"))
}

/// Thirty gates of two of the inputs or gates before.
fn gates(seed: u64) -> Func {
    let rng = &mut Rng(seed);
    let mut f = Func::new("f", FuncKind::Func);
    let mut values: Vec<_> = (0..5).map(|i| f.add_param(format!("x{i}"), Type::BIT)).collect();
    for _ in 0..30 {
        let inputs = [0, 1].map(|_| values[rng.below(values.len())]);
        values.push(f.lut(rng.of(&[0x8, 0xe, 0x6]), &inputs, LocId::UNKNOWN));
    }
    for (i, &value) in values.iter().rev().take(3).enumerate() {
        f.add_result(format!("y{i}"), value);
    }
    f
}

const ABSORB: &str = "absorb: (and ?a (or ?a ?b)) => ?a";

#[test]
fn a_rule_matches_in_any_order_and_frees_what_only_it_used() {
    // or(b, a) in the first operand, and the operands of both the other way round.
    let body = |rest: &str| {
        format!(
            "(%a: bit, %b: bit) -> (%p: bit{rest}) {{\n  %o = lut(%b, %a) {{table = 0xe}} : bit\n  %y = lut(%o, %a) {{table = 0x8}} : bit\n"
        )
    };
    let mut alone = module(&(body("") + "  return %y\n}"));
    assert_eq!(apply(&mut alone, ABSORB), [1]);
    assert_eq!(alone.funcs[0].op_count(), 0, "{alone}");
    // What others read stays, but the table above goes nevertheless.
    let mut shared = module(&(body(", %q: bit") + "  return %y, %o\n}"));
    assert_eq!(apply(&mut shared, ABSORB), [1]);
    assert_eq!(shared.funcs[0].op_count(), 1, "{shared}");
}

#[test]
fn inverters_may_sit_in_tables() {
    // a and not b, of one table: as `fold` writes what the rule spells with two.
    let text = "(%a: bit, %b: bit, %c: bit) -> (%p: bit) {\n  %x = lut(%b, %a) {table = 0x4} : bit\n  %y = lut(%c, %x) {table = 0x1} : bit\n  return %y\n}";
    let mut found = module(text);
    assert_eq!(apply(&mut found, "r: (not (or (and ?a (not ?b)) ?c)) => (lut 0x0d ?a ?b ?c)"), [1]);
    assert_eq!(found.funcs[0].op_count(), 1);
}

#[test]
fn rules_of_words() {
    let text = "(%a: u4, %b: u4, %c: bit) -> (%p: u6, %q: bit) {\n  %s = word.sum(%c, %a) : u5\n  %t = word.sum(%s, %b) : u6\n  %g = word.gt(%a, %b) : bit\n  return %t, %g\n}";
    let mut found = module(text);
    let rules = "flat: (sum 6 (sum 5 ?a:4 ?c) ?b:4) => (sum 6 ?b ?a ?c)\nswap: (gt ?a:4 ?b:4) ~> (not (mux 0 (not (gt ?a ?b)) 1))";
    assert_eq!(apply(&mut found, rules), [0, 1], "a flat sum of three is not cheaper");
    let mut found = module(text);
    assert_eq!(apply(&mut found, &rules.replace("=>", "~>")), [1, 1]);
    assert_eq!(found.funcs[0].ops().filter(|(_, op)| op.info().mnemonic == "word.sum").count(), 1, "{found}");
}

#[test]
fn rules_feed_rules_and_everywhere_is_once() {
    let text = "(%a: bit, %b: bit) -> (%p: bit) {\n  %y = lut(%a, %b) {table = 0x8} : bit\n  return %y\n}";
    let mut found = module(text);
    assert_eq!(apply(&mut found, "loop: (and ?a ?b) ~> (not (or (not ?a) (not ?b)))"), [1]);
    let mut found = module(text);
    // What it grows to the other takes back.
    let rules = "grow: (and ?a ?b) ~> (and ?b (and ?a (or ?b ?a)))\nback: (and ?a (or ?a ?b)) => ?a";
    let applied = apply(&mut found, rules);
    assert!(applied[0] == 1 && applied[1] >= 1, "{applied:?}");
}

#[test]
fn random_designs_stay_equal() {
    let rules = "absorb: (and ?a (or ?a ?b)) => ?a\ndemorgan: (and ?a ?b) ~> (not (or (not ?a) (not ?b)))\n\
                 distribute: (or (and ?a ?b) (and ?a ?c)) => (and ?a (or ?b ?c))\n\
                 fuse: (xor (xor ?a ?b) ?c) => (xor ?a ?b ?c)\ntwo: (and (and ?a ?b) ?c) => (and ?a ?b ?c)\n\
                 three: (or (or ?a ?b) ?c) => (or ?a ?b ?c)\n";
    let mut applied = [0; 6];
    for seed in 0..60 {
        let mut module = module_of(gates(seed));
        for (all, times) in applied.iter_mut().zip(apply(&mut module, rules)) {
            *all += times;
        }
    }
    assert!(applied.iter().filter(|&&times| times > 0).count() >= 4, "{applied:?}");
}

#[test]
fn false_rules_are_refused_with_a_counterexample() {
    let refused = |text: &str, expected: &str| assert_eq!(read(text).unwrap_err(), expected);
    refused(
        "ok: (and ?a ?b) => (and ?b ?a)\nbad: (or ?a ?b) => (xor ?a ?b)",
        "BL2121: rule `bad` is false: for a = 1, b = 1 the left side is 1, the right side 0",
    );
    refused(
        "s: (sum 4 ?a:4 ?b:4) => (sum 4 ?a ?a)",
        "BL2121: rule `s` is false: for a = 1, b = 0 the left side is 1, the right side 2",
    );
    refused(
        "g: (gt_const 3 ?a:3) => (gt_const 4 ?a)",
        "BL2121: rule `g` is false: for a = 4 the left side is 1, the right side 0",
    );
}

#[test]
fn what_is_no_rule_is_refused() {
    for (text, expected) in [
        ("and: ?a => ?a", "the left side is no op"),
        ("r (and ?a ?b) => ?a", "`:` is expected"),
        ("r: (and ?a ?b) ?a", "is expected"),
        ("r: (and ?a ?b) => ?c", "no `?c`"),
        ("r: (nand ?a ?b) => ?a", "no op is called `nand`"),
        ("r: (lut 0x10 ?a ?b) => ?a", "more than 2^2 bits"),
        ("r: (and ?a ?b", "`)` is missing"),
        ("r: (and ?a:2 ?b) => ?b", "one to six bits"),
        ("r: (and) => 1", "one to six bits"),
        ("r: (sum 4 ?a:4 ?b:3) => (sum 5 ?a ?b)", "the left side has 4 bits, the right side 5"),
        ("r: (gt ?a:11 ?b:11) => (gt ?a ?b)", "22 bits of variables"),
        ("r: (gt ?a:4 ?a:5) => 0", "another width"),
        ("r: (gt ?a:65 ?b) => 0", "no width"),
        ("r: (gt ?a 2) => 0", "does not fit"),
        ("r: (and ?a ?b) => x", "no number"),
        ("r: (not ?a ?b) => ?a", "`not` takes one operand"),
        ("r: (mux ?s ?a:2 ?b:3) => ?a", "two values of one width"),
        ("r: (and ?a ?b) => (and ?b ?a) r: (or ?a ?b) => (or ?b ?a)", "a second rule `r`"),
        ("# only a comment\nr", "`:` is expected"),
        ("r: (and ?a ?b ) )", "is expected"),
        ("\u{e4}: (", "an op is expected"),
    ] {
        let e = read(text).unwrap_err();
        assert!(e.starts_with("BL2120") && e.contains(expected), "{text}: {e}");
    }
    let deep = format!("r: {}?a{} => ?a", "(not ".repeat(5000), ")".repeat(5000));
    assert!(read(&deep).unwrap_err().contains("levels"));
    let many: String = (0..1001).map(|i| format!("r{i}: (and ?a ?a) => ?a\n")).collect();
    assert!(read(&many).unwrap_err().contains("1000"));
    assert_eq!(read("  # nothing\n").unwrap().names().count(), 0);
}

#[test]
fn the_pass_wants_rules() {
    let mut module = module_of(gates(1));
    let pipeline = Pipeline::parse("rules", "", &Registry::standard()).unwrap_or_else(|e| panic!("{e}"));
    let failure = PassManager::default().run(&mut module, &pipeline, &mut ()).unwrap_err();
    assert_eq!(failure.errors[0].code.id, "BL2122");
}

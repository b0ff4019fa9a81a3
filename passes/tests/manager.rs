//! The pass manager: order, rounds, checks that catch wrong passes, and what is left after a failure.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use blc_ir::diag::Source;
use blc_ir::{Func, LocId, Module, Type};
use blc_passes::{Check, Control, Cost, Goals, PassManager, PassObserver, PassRun, Registers, Target, default};
use common::wrong::{pipeline, registry};
use common::{assert_equal, module, module_of, random_net, random_words};

fn chain(n: usize) -> Module {
    let mut f = Func::new("chain", blc_ir::FuncKind::Func);
    let mut v = f.add_param("x", Type::BIT);
    for _ in 0..n {
        v = f.lut(0x2, &[v], LocId::UNKNOWN);
    }
    f.add_result("y", v);
    module_of(f)
}

#[derive(Default)]
struct Log {
    passes: Vec<String>,
    texts: Vec<(String, usize)>,
}

impl PassObserver for Log {
    fn begin(&mut self, pass: &str) {
        self.passes.push(pass.into());
    }
    fn end(&mut self, run: &PassRun) {
        self.passes.push(format!("{} {}>{}", run.changed, run.ops_before, run.ops_after));
    }
    fn ir(&mut self, pass: &str, module: &Module) {
        self.texts.push((pass.into(), module.top().unwrap().op_count()));
    }
}

#[test]
fn a_wrong_pass_is_caught() {
    let manager = PassManager { check_each: Some(Check::Sim), ..PassManager::default() };
    for f in [random_net(1, 6, 2, 20), random_net(2, 9, 3, 30)] {
        for wrong in ["fold,flip-bit", "fold,cover,flip-bit", "fold,flip-bit,pipeline"] {
            let mut module = module_of(f.clone());
            let failure = manager.run(&mut module, &pipeline(wrong), &mut ()).unwrap_err();
            let error = &failure.errors[0];
            assert_eq!((error.code.id, failure.pass.as_str()), ("BL2009", "flip-bit"), "{error}");
            assert!(error.notes.iter().any(|n| n.contains("%x = [")), "no counterexample in {error}");
            let good = &wrong[..wrong.find(",flip").unwrap()];
            let mut expected = module_of(f.clone());
            manager.run(&mut expected, &pipeline(good), &mut ()).unwrap();
            assert_eq!(module.to_string(), expected.to_string(), "the module is not as before the pass");
        }
        // And right ones are not.
        for right in ["fold,cover,fold,pipeline,dce", "fold,cover,pipeline{stages=0},to-xc7,dce"] {
            manager.run(&mut module_of(f.clone()), &pipeline(right), &mut ()).unwrap();
        }
    }
    // Without the check nobody notices.
    PassManager::default().run(&mut module_of(random_net(1, 6, 2, 20)), &pipeline("flip-bit"), &mut ()).unwrap();
}

#[test]
fn words_and_real_inputs_are_checked_too() {
    let manager = PassManager { check_each: Some(Check::Sim), ..PassManager::default() };
    let passes = pipeline("lower-encoder,lower-head,fold,flip-bit");
    let failure = manager.run(&mut module_of(random_words(7, 50)), &passes, &mut ()).unwrap_err();
    assert_eq!(failure.errors[0].code.id, "BL2009");
}

#[test]
fn a_pass_that_says_it_changed_nothing_changed_nothing() {
    let mut module = module_of(random_net(1, 6, 2, 20));
    let text = module.to_string();
    PassManager::default().run(&mut module, &pipeline("flip-in-secret"), &mut ()).unwrap();
    assert_eq!(module.to_string(), text);
}

#[test]
fn an_invalid_function_is_caught() {
    let manager = PassManager { verify_each: true, ..PassManager::default() };
    let mut module = module_of(random_net(1, 6, 2, 20));
    let text = module.to_string();
    let failure = manager.run(&mut module, &pipeline("dce,break-ir"), &mut ()).unwrap_err();
    assert_eq!(failure.errors[0].code.id, "BL2008");
    assert!(failure.errors.len() > 1, "the verifier's errors are missing");
    assert_eq!(module.to_string(), text);
}

#[test]
fn a_failure_leaves_the_module_and_says_how_to_reproduce_it() {
    let mut module = module_of(random_net(3, 6, 2, 20));
    module.target = Some("xc7".into());
    let text = module.to_string();
    let passes = "repeat[2](dce),repeat[3](give-up,fold),dce";
    let failure = PassManager::default().run(&mut module, &pipeline(passes), &mut ()).unwrap_err();
    assert_eq!(module.to_string(), text);
    assert_eq!((failure.pass.as_str(), failure.errors[0].message.as_str()), ("give-up", "I give up"));
    // It points at the pass in the pipeline.
    assert!(failure.errors[0].to_string().contains("^^^^^^^"), "{}", failure.errors[0]);
    assert_eq!(failure.report.passes.len(), 2);
    let rest = "give-up,fold,repeat[2](give-up,fold),dce";
    assert!(failure.reproducer.contains(&format!("'{rest}'")), "{}", failure.reproducer);
    // The text reads, and fails again.
    let mut again = blc_ir::parse::parse(&Source::new("repro.blir", failure.reproducer)).unwrap();
    assert_eq!(again.to_string(), text);
    assert!(PassManager::default().run(&mut again, &pipeline(rest), &mut ()).is_err());
    let failure =
        PassManager::default().run(&mut module, &pipeline("fixpoint(dce,give-up),fold"), &mut ()).unwrap_err();
    assert!(failure.reproducer.contains("'give-up,fixpoint(dce,give-up),fold'"), "{}", failure.reproducer);
}

#[test]
fn repetition_and_fixpoints() {
    let run = |passes: &str, n: usize| {
        let mut module = chain(n);
        let report = PassManager::default().run(&mut module, &pipeline(passes), &mut ()).unwrap();
        (module.funcs[0].op_count(), report.passes.len(), report.warnings.len())
    };
    assert_eq!(run("repeat[3](shorten)", 10), (7, 3, 0));
    assert_eq!(run("repeat[0](shorten)", 10), (10, 0, 0));
    assert_eq!(run("fixpoint(shorten)", 10), (0, 11, 0));
    assert_eq!(run("fixpoint(shorten,dce)", 10), (0, 22, 0));
    assert_eq!(run("repeat[2](fixpoint(shorten))", 10), (0, 12, 0));
    assert_eq!(run("", 10), (10, 0, 0));
    // It gives up in the end, with a warning.
    assert_eq!(run("fixpoint(restless)", 1), (1, 32, 1));
}

#[test]
fn the_observer_sees_what_happens() {
    let mut manager = PassManager { print_ir_after: vec!["shorten".into()], ..PassManager::default() };
    manager.check_names(&registry()).unwrap();
    let mut log = Log::default();
    let report = manager.run(&mut chain(3), &pipeline("dce,shorten,fold"), &mut log).unwrap();
    assert_eq!(log.passes, ["dce", "false 3>3", "shorten", "true 3>2", "fold", "true 2>0"]);
    assert_eq!(log.texts, [("shorten".to_string(), 2)]);
    assert_eq!(report.pipeline, "dce,shorten,fold");
    assert_eq!(report.passes[1].pass, "shorten");
    manager.print_ir_after = vec!["all".into()];
    let mut log = Log::default();
    manager.run(&mut chain(3), &pipeline("dce,fold"), &mut log).unwrap();
    assert_eq!(log.texts.len(), 2);
    manager.print_ir_after = vec!["shortn".into()];
    let error = manager.check_names(&registry()).unwrap_err();
    assert!(error.help.unwrap().contains("`shorten`"));
}

#[test]
fn only_the_top_is_worked_on() {
    let f = |name: &str| {
        format!("func @{name}(%x: bit) -> (%y: bit) {{\n%0 = lut(%x) {{table = 0x2}} : bit\nreturn %0\n}}")
    };
    let mut module = module("", &format!("{}\n{}", f("a"), f("b")));
    PassManager::default().run(&mut module, &pipeline("fold"), &mut ()).unwrap();
    assert_eq!((module.funcs[0].op_count(), module.funcs[1].op_count()), (1, 0));
    let failure = PassManager::default().run(&mut Module::new("m"), &pipeline("fold"), &mut ()).unwrap_err();
    assert_eq!(failure.errors[0].code.id, "BL2007");
}

/// A multiplier of words, of gates of two inputs: rows of products added one by one.
fn multiplier(bits: usize) -> Func {
    let mut f = Func::new("times", blc_ir::FuncKind::Func);
    let mut input = |name: &str| (0..bits).map(|i| f.add_param(format!("{name}{i}"), Type::BIT)).collect::<Vec<_>>();
    let (a, b) = (input("a"), input("b"));
    let mut gate = |table, x, y| f.lut(table, &[x, y], LocId::UNKNOWN);
    let (and, or, xor) = (0x8, 0xe, 0x6);
    let mut sum: Vec<_> = a.iter().map(|&a| gate(and, a, b[0])).collect();
    for (i, &b) in b.iter().enumerate().skip(1) {
        let mut carry = None;
        for (j, &a) in a.iter().enumerate() {
            let product = gate(and, a, b);
            let Some(&there) = sum.get(i + j) else {
                let (one, two) = (product, carry.unwrap());
                sum.push(gate(xor, one, two));
                carry = Some(gate(and, one, two));
                continue;
            };
            let (half, both) = (gate(xor, there, product), gate(and, there, product));
            (sum[i + j], carry) = match carry {
                None => (half, Some(both)),
                Some(c) => {
                    let more = gate(and, half, c);
                    (gate(xor, half, c), Some(gate(or, both, more)))
                }
            };
        }
        sum.push(carry.unwrap());
    }
    sum.into_iter().enumerate().for_each(|(i, bit)| f.add_result(format!("p{i}"), bit));
    f
}

/// Asks for the end when the pass of a number begins.
struct Impatient {
    stop: Arc<AtomicBool>,
    left: usize,
}

impl PassObserver for Impatient {
    fn begin(&mut self, _: &str) {
        self.stop.fetch_or(self.left == 0, Ordering::Relaxed);
        self.left = self.left.saturating_sub(1);
    }
}

#[test]
fn the_best_so_far_is_kept_when_the_end_is_asked_for() {
    let f = multiplier(6);
    let goals = Goals { effort: 2, ..Goals::new(Target::Xc7, Registers::Stages(0)) };
    let passes = default::pipeline(f.level(), &goals);
    let run = |left: Option<usize>| {
        let stop = Arc::new(AtomicBool::new(false));
        let control = Control { stop: Some(stop.clone()), levels: None };
        let manager = PassManager { control, check_each: Some(Check::Sim), ..PassManager::default() };
        let mut module = module_of(f.clone());
        let mut watch = Impatient { stop, left: left.unwrap_or(usize::MAX) };
        let report = manager.run(&mut module, &pipeline(&passes), &mut watch).unwrap();
        let sites = Cost::of(Target::Xc7).count(&module.funcs[0])[0];
        (report.interrupted, report.passes.len(), sites, module)
    };
    let (interrupted, all, least, _) = run(None);
    assert!(!interrupted);
    let (interrupted, few, most, module) = run(Some(0));
    assert!(interrupted && few < all, "{few} of {all} passes");
    assert!(least < most, "nothing was left to win: {least}, {most}");
    assert_equal(&module, &f, &module.funcs[0], 500, 1);
    for left in 1..all {
        let (interrupted, _, sites, module) = run(Some(left));
        assert!(interrupted && (least..=most).contains(&sites), "{left}: {sites} of {least} to {most}");
        assert_equal(&module, &f, &module.funcs[0], 100, 1);
    }
}

#[test]
fn levels_allowed_are_kept_to() {
    let f = multiplier(6);
    let goals = Goals { effort: 2, ..Goals::new(Target::Xc7, Registers::Stages(0)) };
    let passes = default::pipeline(f.level(), &goals);
    let run = |levels: Option<u32>| {
        let control = Control { levels, stop: None };
        let manager = PassManager { control, check_each: Some(Check::Sim), ..PassManager::default() };
        let mut module = module_of(f.clone());
        manager.run(&mut module, &pipeline(&passes), &mut ()).unwrap();
        Cost::of(Target::Xc7).count(&module.funcs[0])[2]
    };
    let (levels, fewest) = (run(None), run(Some(1)));
    assert!(fewest < levels, "{fewest} of {levels} levels");
    for most in fewest..=levels {
        let found = run(Some(most as u32));
        assert!(found <= most, "{found} levels of {most}");
    }
}

#[test]
fn an_op_from_outside_cannot_be_checked_but_passes() {
    let text = "func @f(%a: bit) -> (%y: bit) {\n%0 = ext(%a) {op = \"mine\"} : bit\n\
        %1 = lut(%0) {table = 0x2} : bit\nreturn %1\n}";
    let mut module = module("", text);
    let manager = PassManager { verify_each: true, check_each: Some(Check::Sim), ..PassManager::default() };
    let report = manager.run(&mut module, &pipeline("fold,cover"), &mut ()).unwrap();
    assert_eq!(report.warnings[0].code.id, "BL2010");
    assert_eq!(module.funcs[0].op_count(), 1);
}

/// `try[N](…)` is left out where there are more ops.
#[test]
fn a_try_may_be_for_small_functions_only() {
    let ops = |text: &str| {
        let mut module = module_of(random_net(3, 6, 2, 40));
        PassManager::default().run(&mut module, &pipeline(text), &mut ()).unwrap();
        module.top().unwrap().op_count()
    };
    let all = ops("");
    assert!(ops("try(fold,cover)") < all);
    assert_eq!(ops(&format!("try[{}](fold,cover)", all - 1)), all);
    assert_eq!(ops(&format!("try[{all}](fold,cover)")), ops("try(fold,cover)"));
}

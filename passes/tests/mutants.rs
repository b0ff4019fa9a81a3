//! Mutants: designs with one mistake. Whether a mutant computes something else is known from all inputs; the prover must
//! say the same of every one, and the verifier must see every one whose registers do not add up.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use blc_ir::eval::{Evaluator, Val};
use blc_ir::verify::verify_func;
use blc_ir::{Func, FuncAttr, Module};
use blc_passes::equiv::{Options, Side, Verdict, compare};
use blc_passes::{PassManager, Pipeline, Registry};
use common::mutate::{dropped_register, every_input, off_by_one, sums, swapped_inputs, swapped_pins, table_bit, words};
use common::{Rng, gates, random_net};

/// What a function says on every input.
fn everything(f: &Func) -> Vec<Vec<Val>> {
    let module = Module::new("m");
    let mut evaluator = Evaluator::new(&module, f).unwrap();
    every_input(f, 12).map(|inputs| evaluator.run(&inputs).unwrap()).collect()
}

fn verdict(a: &Func, b: &Func) -> Verdict {
    let module = Module::new("m");
    let side = |f| Side { module: &module, f };
    compare(side(a), side(b), &Options::default()).unwrap_or_else(|e| panic!("{e}")).verdict
}

fn run(f: &Func, passes: &str) -> Func {
    let mut module = Module::new("m");
    module.funcs.push(f.clone());
    let pipeline = Pipeline::parse(passes, "", &Registry::standard()).unwrap_or_else(|e| panic!("{e}"));
    let manager = PassManager { gates: Some(Arc::new(gates(true))), ..PassManager::default() };
    manager.run(&mut module, &pipeline, &mut ()).unwrap_or_else(|e| panic!("{:?}", e.errors));
    module.funcs.pop().unwrap()
}

#[derive(Default)]
struct Score {
    changed: usize,
    caught: usize,
    same: usize,
}

#[test]
fn every_mutant_is_told() {
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    let mut judge = |name: &'static str, a: &Func, b: &Func| {
        let same = everything(a) == everything(b);
        let verdict = verdict(a, b);
        let score = scores.entry(name).or_default();
        match verdict {
            Verdict::Proved if same => score.same += 1,
            Verdict::Refuted(counter) if !same => {
                let module = Module::new("m");
                let say = |f, inputs: &[Val]| Evaluator::new(&module, f).unwrap().run(inputs).unwrap();
                assert_ne!(say(a, &counter.inputs), say(b, &counter.others), "{name}");
                (score.changed, score.caught) = (score.changed + 1, score.caught + 1);
            }
            Verdict::Undecided(_) if !same => score.changed += 1,
            other => panic!("{name}: equal on every input: {same}, but {other:?}"),
        }
    };
    for seed in 0..60 {
        let rng = &mut Rng(seed);
        let net = random_net(seed, 7, 3, 8);
        let mapped = run(&net, "fold,cover,pipeline{stages=2},to-xc7,dce");
        judge("nothing", &net, &mapped);
        for (name, mutate) in
            [("table bit", table_bit as fn(&mut Rng, &mut Func) -> bool), ("swapped inputs", swapped_inputs)]
        {
            let (mut plain, mut lowered) = (net.clone(), mapped.clone());
            if mutate(rng, &mut plain) {
                judge(name, &plain, &mapped);
            }
            if mutate(rng, &mut lowered) {
                judge(name, &net, &lowered);
            }
        }
        let good = words(false);
        let mut bad = good.clone();
        if off_by_one(rng, &mut bad) {
            let lowered = run(&bad, "lower-encoder,lower-head,fold,cover");
            judge("threshold", &good, &lowered);
        }
    }
    // Designs as targets build them: of few levels, with the multiplexers and carry chains of slices, of gates.
    let built = [
        ("fast head", words(false), "lower-encoder,lower-head{fast=true},fold,cover,pipeline{stages=0},to-xc7,dce"),
        (
            "multiplexers",
            words(false),
            "lower-encoder,lower-head,fold,cover{k=4,muxes=true},muxes{k=4,sites=false},dce",
        ),
        (
            "CARRY4",
            sums(),
            "lower-head{carry=true},fold,cover{k=6,sites=true},muxes{k=6},pipeline{stages=0},to-xc7,dce",
        ),
        ("SB_CARRY", sums(), "lower-head{ripple=2},fold,cover{k=4},pipeline{stages=0},dce"),
        ("CCU2C", sums(), "lower-head{ripple=4},fold,cover{k=4},pipeline{stages=0},dce"),
        ("gates", words(false), "lower-encoder,lower-head,fold,cover{k=4},pipeline{stages=0},gates,dce"),
    ];
    for (name, good, passes) in built {
        let lowered = run(&good, passes);
        judge("nothing", &good, &lowered);
        let mut swapped = 0;
        for seed in 0..20 {
            let rng = &mut Rng(seed);
            for mutate in [table_bit as fn(&mut Rng, &mut Func) -> bool, swapped_inputs, swapped_pins] {
                let mut mutant = lowered.clone();
                if mutate(rng, &mut mutant) {
                    judge(name, &good, &mutant);
                }
            }
            swapped += usize::from(swapped_pins(rng, &mut lowered.clone()));
        }
        let has_pins = !matches!(name, "fast head" | "gates");
        assert_eq!(swapped > 0, has_pins, "{name}");
    }
    judge("tie rule", &words(false), &run(&words(true), "lower-encoder,lower-head,fold"));
    for (name, Score { changed, caught, same }) in &scores {
        println!("{name}: {caught} of {changed} mutants refuted, {same} that change nothing proved equal");
        assert_eq!(caught, changed, "{name}");
        assert!(*name == "nothing" || *changed > 0, "{name}");
    }
}

#[test]
fn registers_that_do_not_add_up_are_seen() {
    let module = Module::new("m");
    let invalid = |f: &Func| verify_func(&module, f).iter().any(blc_ir::Diagnostic::is_error);
    let (mut dropped, mut wrong) = (0, 0);
    for seed in 0..20 {
        let rng = &mut Rng(seed);
        let net = random_net(seed, 6, 3, 6);
        let two = run(&net, "fold,cover,pipeline{stages=2}");
        let three = run(&net, "fold,cover,pipeline{stages=3}");
        assert_eq!(verdict(&two, &three), Verdict::Latency(2, 3));
        assert_eq!(verdict(&net, &three), Verdict::Proved);
        let mut late = two.clone();
        late.set_attr("latency", FuncAttr::Int(3));
        wrong += usize::from(invalid(&late));
        let mut short = two.clone();
        if !dropped_register(rng, &mut short) {
            continue;
        }
        let side = |f| Side { module: &module, f };
        let refused = compare(side(&net), side(&short), &Options::default()).is_err();
        assert_eq!(refused, invalid(&short));
        // Only where nothing but constants pass it may a register be left out.
        dropped += usize::from(refused);
    }
    println!("{dropped} dropped registers and {wrong} wrong latencies seen");
    assert!(dropped >= 15 && wrong >= 15, "{dropped} dropped registers, {wrong} wrong latencies");
}

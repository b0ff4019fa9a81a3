//! `calibrate` and `prune`: what they tell is what the evaluator finds, and what they keep.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use blc_ir::eval::{Evaluator, Val};
use blc_ir::types::bits_for;
use blc_ir::{Elem, Func, FuncAttr, FuncKind, LocId, Module, OpKind, Type, Value};
use blc_passes::approx::{Data, Inputs, MARK, Samples};
use blc_passes::count::count;
use blc_passes::{PassManager, Pipeline, Registry, RunReport};
use common::{Rng, module_of};

const LOC: LocId = LocId::UNKNOWN;
const FEATURES: usize = 6;
const CLASSES: usize = 3;

/// A classifier of six bytes: comparisons, two layers of tables of six inputs, three sums, argmax.
fn classifier(seed: u64) -> Func {
    let rng = &mut Rng(seed);
    let mut f = Func::new("net", FuncKind::Func);
    let x = f.add_param("x", Type::array(Elem::Word(8), &[FEATURES]).unwrap());
    let mut bits: Vec<Value> = Vec::new();
    for i in 0..FEATURES {
        let word = f.extract(x, 8 * i, Type::word(8), LOC);
        for bound in [60, 128, 200] {
            bits.push(f.push1(OpKind::GtConst { bound }, &[word], Type::BIT, LOC));
        }
        bits.push(f.extract(x, 8 * i + 5, Type::BIT, LOC));
    }
    for layer in 0..2 {
        let before = bits.clone();
        bits.clear();
        for node in 0..15 {
            let operands: Vec<Value> = (0..6).map(|_| rng.of(&before)).collect();
            let loc = f.locs.neuron(&format!("layer{layer}"), node);
            bits.push(f.lut(rng.next(), &operands, loc));
        }
    }
    let loc = f.locs.layer("head");
    let sums: Vec<Value> = bits.chunks(bits.len() / CLASSES).map(|group| f.sum(group, bits_for(5), loc)).collect();
    let class = f.word_argmax(&sums, loc);
    f.add_result("class", class);
    f
}

fn classes(module: &Module, samples: &Samples) -> Vec<u16> {
    let mut evaluator = Evaluator::new(module, &module.funcs[0]).unwrap();
    let Inputs::U8(x) = &samples.inputs else { panic!("bytes") };
    let class = |row: &[u8]| {
        let row = Val::Packed(row.iter().map(|&b| b.into()).collect());
        match &evaluator.run(&[row]).unwrap()[0] {
            Val::Packed(words) => words[0] as u16,
            Val::F32(_) => panic!("a class is a word"),
        }
    };
    x.chunks(FEATURES).map(class).collect()
}

/// Samples whose labels are what the network says, but for one in `wrong`.
fn samples(module: &Module, n: usize, wrong: usize, rng: &mut Rng) -> Samples {
    let inputs = Inputs::U8((0..n * FEATURES).map(|_| rng.next() as u8).collect());
    let mut samples = Samples { inputs, labels: vec![0; n] };
    samples.labels = classes(module, &samples);
    for label in &mut samples.labels {
        if rng.chance(wrong) {
            *label = rng.below(CLASSES) as u16;
        }
    }
    samples
}

fn data(module: &Module, train: usize, seed: u64) -> Data {
    let rng = &mut Rng(seed);
    let [train, choice, held_out] = [train, 150, 301].map(|n| samples(module, n, 12, rng));
    Data { train, choice, held_out }
}

fn run(module: &mut Module, data: Option<Data>, passes: &str) -> Result<RunReport, String> {
    let manager = PassManager {
        verify_each: true,
        check_each: Some(blc_passes::Check::Sim),
        data: data.map(Arc::new),
        ..PassManager::default()
    };
    let pipeline = Pipeline::parse(passes, "", &Registry::standard()).unwrap_or_else(|e| panic!("{e}"));
    manager.run(module, &pipeline, &mut ()).map_err(|f| f.errors[0].code.id.to_owned())
}

/// Asserts that the facts of a pass are what the evaluator finds on samples.
fn assert_told(report: &RunReport, pass: &str, before: &Module, after: &Module, measured: &Samples) {
    let (old, new) = (classes(before, measured), classes(after, measured));
    let right = |classes: &[u16]| classes.iter().zip(&measured.labels).filter(|(a, b)| a == b).count() as u64;
    let fact = |name: &str| report.fact(&format!("{pass}.{name}")).unwrap();
    let changed = old.iter().zip(&new).filter(|(a, b)| a != b).count() as u64;
    assert_eq!(fact("held_out"), measured.labels.len() as u64);
    assert_eq!((fact("right_before"), fact("right_after")), (right(&old), right(&new)));
    assert_eq!(fact("predictions_changed"), changed);
}

fn inputs(f: &Func) -> usize {
    f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Lut { .. })).map(|(_, op)| op.operands.len()).sum()
}

#[test]
fn calibration_keeps_predictions() {
    let mut taken = 0;
    for seed in 0..4 {
        let before = module_of(classifier(seed));
        let data = data(&before, 300, seed);
        for (seldom, passes) in [(0.0, "calibrate{seldom=0}"), (2.0, "calibrate{seldom=2}")] {
            let mut after = before.clone();
            let report = run(&mut after, Some(data.clone()), passes).unwrap();
            for samples in [&data.train, &data.choice] {
                let pairs = classes(&before, samples).into_iter().zip(classes(&after, samples));
                let changed = pairs.filter(|(a, b)| a != b).count();
                assert!(changed as f64 <= seldom / 100.0 * samples.labels.len() as f64, "{changed} with {passes}");
            }
            assert_told(&report, "calibrate", &before, &after, &data.held_out);
            let gone = report.fact("calibrate.inputs_dropped").unwrap() as usize;
            assert!(inputs(&after.funcs[0]) <= inputs(&before.funcs[0]) - gone);
            taken += gone;
            assert_eq!(after.funcs[0].attr(MARK), Some(&FuncAttr::Str("calibrate".into())));
        }
    }
    assert!(taken > 40, "{taken} inputs of 1440");
}

#[test]
fn pruning_tells_the_truth_and_takes_much() {
    for (seed, budget) in [(0u64, 0.2), (1, 5.0), (2, 100.0), (3, 0.0)] {
        let before = module_of(classifier(seed));
        let data = data(&before, 130, seed);
        let mut after = before.clone();
        let passes = format!("fold,prune{{budget={budget}}},fold");
        let report = run(&mut after, Some(data.clone()), &passes).unwrap();
        assert_told(&report, "prune", &before, &after, &data.held_out);
        let right = |module: &Module| -> Vec<bool> {
            classes(module, &data.choice).iter().zip(&data.choice.labels).map(|(a, b)| a == b).collect()
        };
        let (old, new) = (right(&before), right(&after));
        let lost = old.iter().filter(|&&r| r).count() as f64 - new.iter().filter(|&&r| r).count() as f64;
        let differ = old.iter().zip(&new).filter(|(a, b)| a != b).count() as f64;
        assert!(lost <= budget / 100.0 * 150.0 + differ.sqrt(), "more than {budget} points went");
        let dropped = report.fact("prune.inputs_dropped").unwrap();
        assert!(budget < 100.0 || dropped > 20, "{dropped}");
        assert!(count(&after.funcs[0]).total.lut_functions <= count(&before.funcs[0]).total.lut_functions);
    }
}

/// Tables of which every tenth entry is wrong: the labels put some right again.
#[test]
fn pruning_learns_from_labels() {
    for seed in 0..3 {
        let whole = classifier(seed);
        let rng = &mut Rng(100 + seed);
        let mut damaged = whole.clone();
        let luts: Vec<_> = whole.ops().filter(|(_, op)| matches!(op.kind, OpKind::Lut { .. })).collect();
        for (id, op) in luts {
            let OpKind::Lut { table } = op.kind else { continue };
            let wrong = (0..64).filter(|_| rng.chance(10)).fold(0u64, |wrong, a| wrong | 1 << a);
            damaged.set_kind(id, OpKind::Lut { table: table ^ wrong });
        }
        let [train, choice, held_out] = [2000, 400, 1000].map(|n| samples(&module_of(whole.clone()), n, 1000, rng));
        let before = module_of(damaged);
        let mut after = before.clone();
        let report = run(&mut after, Some(Data { train, choice, held_out }), "prune{budget=0}").unwrap();
        let right = |name: &str| report.fact(&format!("prune.right_{name}")).unwrap();
        assert!(right("after") >= right("before") + 10, "{} to {}", right("before"), right("after"));
    }
}

#[test]
fn the_same_for_any_number_of_threads() {
    let before = module_of(classifier(7));
    // Enough samples for candidates to be tried in parallel.
    let data = data(&before, 64 * 70, 7);
    let pruned = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut module = before.clone();
        pool.install(|| run(&mut module, Some(data.clone()), "prune{budget=100}").unwrap());
        module.to_string()
    };
    assert_eq!(pruned(1), pruned(3));
}

#[test]
fn what_does_not_fit_is_refused() {
    let module = module_of(classifier(1));
    let good = data(&module, 20, 1);
    let code = |module: &Module, data: Option<Data>, passes: &str| run(&mut module.clone(), data, passes).unwrap_err();
    for pass in ["calibrate", "prune"] {
        assert_eq!(code(&module, None, pass), "BL2111");
        let mut few = good.clone();
        few.train.labels.truncate(10);
        assert_eq!(code(&module, Some(few), pass), "BL2111", "twice as many features");
        let mut label = good.clone();
        label.held_out.labels[3] = 3;
        assert_eq!(code(&module, Some(label), pass), "BL2111");
        let empty = Samples { inputs: Inputs::U8(Vec::new()), labels: Vec::new() };
        assert_eq!(code(&module, Some(Data { held_out: empty.clone(), ..good.clone() }), pass), "BL2111");
        assert_eq!(code(&module, Some(Data { choice: empty, ..good.clone() }), pass), "BL2111");
        let mut headless = Func::new("f", FuncKind::Func);
        let x = headless.add_param("x", Type::bits(FEATURES));
        headless.add_result("y", x);
        assert_eq!(code(&module_of(headless), Some(good.clone()), pass), "BL2110");
    }
    assert_eq!(code(&module, Some(good.clone()), "prune{budget=-1}"), "BL2112");
}

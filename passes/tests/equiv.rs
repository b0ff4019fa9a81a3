//! Equivalence: what is equal is proved, what is not is refuted.
#![allow(clippy::unwrap_used)]

use blc_ir::{Elem, Func, FuncKind, LocId, Module, Type};
use blc_passes::equiv::{Options, Outcome, Side, Verdict, compare};
use blc_passes::{PassManager, Pipeline, Registry};

fn check(a: &Func, b: &Func) -> Outcome {
    let module = Module::new("m");
    let (a, b) = (Side { module: &module, f: a }, Side { module: &module, f: b });
    compare(a, b, &Options { output: 1_000, ..Options::default() }).unwrap_or_else(|e| panic!("{e}"))
}

fn run(f: &Func, passes: &str) -> Func {
    let mut module = Module::new("m");
    module.funcs.push(f.clone());
    let pipeline = Pipeline::parse(passes, "", &Registry::standard()).unwrap_or_else(|e| panic!("{e}"));
    PassManager::default().run(&mut module, &pipeline, &mut ()).unwrap_or_else(|e| panic!("{:?}", e.errors));
    module.funcs.pop().unwrap()
}

/// The sums of groups of bits, and which is the largest.
fn head(groups: usize, size: usize) -> Func {
    let mut f = Func::new("head", FuncKind::Func);
    let x = f.add_param("x", Type::bits(groups * size));
    let width = blc_ir::types::bits_for(size as u64);
    let sums: Vec<_> = (0..groups)
        .map(|g| {
            let bits: Vec<_> = (0..size).map(|i| f.extract(x, g * size + i, Type::BIT, LocId::UNKNOWN)).collect();
            f.sum(&bits, width, LocId::UNKNOWN)
        })
        .collect();
    let class = f.word_argmax(&sums, LocId::UNKNOWN);
    let scores = f.pack(&sums, Type::array(Elem::Word(width), &[groups]).unwrap(), LocId::UNKNOWN);
    f.add_result("class", class);
    f.add_result("score", scores);
    f
}

/// A head behind a layer of tables.
fn net(groups: usize, size: usize) -> Func {
    let mut f = Func::new("net", FuncKind::Func);
    let x = f.add_param("x", Type::bits(64));
    let inputs: Vec<_> = (0..64).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
    let mut next = 1u64;
    let mut random = || {
        next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        next ^ next >> 29
    };
    let width = blc_ir::types::bits_for(size as u64);
    let sums: Vec<_> = (0..groups)
        .map(|_| {
            let bits: Vec<_> = (0..size)
                .map(|_| {
                    let wires: Vec<_> = (0..6).map(|_| inputs[(random() >> 20) as usize % 64]).collect();
                    f.lut(random(), &wires, LocId::UNKNOWN)
                })
                .collect();
            f.sum(&bits, width, LocId::UNKNOWN)
        })
        .collect();
    let class = f.word_argmax(&sums, LocId::UNKNOWN);
    let scores = f.pack(&sums, Type::array(Elem::Word(width), &[groups]).unwrap(), LocId::UNKNOWN);
    f.add_result("class", class);
    f.add_result("score", scores);
    f
}

#[test]
fn nets() {
    for passes in [
        "lower-head",
        "lower-head,fold",
        "fold,lower-head,fold",
        "lower-head,fold,cover,fold,pipeline{stages=3},to-xc7,dce",
    ] {
        let f = net(3, 30);
        let found = check(&f, &run(&f, passes));
        assert_eq!(found.verdict, Verdict::Proved, "{passes}: {:?}", found.effort);
        assert!(found.effort.sums >= 3, "{passes}: {:?}", found.effort);
    }
}

#[test]
fn heads() {
    for size in [6, 12, 18, 30] {
        let f = head(1, size);
        let found = check(&f, &run(&f, "lower-head"));
        assert_eq!(found.verdict, Verdict::Proved, "{size}: {:?}", found.effort);
    }
}

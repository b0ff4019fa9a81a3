//! `care`: that no reachable value changes, and that what codes imply is found.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/exhaustive.rs"]
mod exhaustive;

use blc_ir::{Func, FuncKind, LocId, OpKind, Type, Value};
use common::{Rng, module_of, random_net, random_words, run};
use exhaustive::tables;
use proptest::prelude::*;

/// A word, its thermometer code of `bits` bits, and random tables of `k` of them in two layers.
fn coded(seed: u64, width: u8, bits: usize, k: usize) -> Func {
    let rng = &mut Rng(seed);
    let mut f = Func::new("coded", FuncKind::Func);
    let words: Vec<Value> = (0..2).map(|i| f.add_param(format!("x{i}"), Type::word(width))).collect();
    let mut layer: Vec<Value> = Vec::new();
    for &word in &words {
        for _ in 0..bits {
            let bound = rng.next() & ((1 << width) - 1);
            layer.push(f.push1(OpKind::GtConst { bound }, &[word], Type::BIT, LocId::UNKNOWN));
        }
    }
    for _ in 0..2 {
        let table = |rng: &mut Rng| rng.next() & blc_ir::table::mask(k);
        layer = (0..6)
            .map(|_| {
                let inputs: Vec<Value> = (0..k).map(|_| rng.of(&layer)).collect();
                f.lut(table(rng), &inputs, LocId::UNKNOWN)
            })
            .collect();
    }
    for (i, &bit) in layer.iter().enumerate() {
        f.add_result(format!("y{i}"), bit);
    }
    f.tidy();
    f
}

fn inputs(f: &Func) -> usize {
    f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Lut { .. })).map(|(_, op)| op.operands.len()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_nets_stay_the_same(seed: u64, inputs in 1usize..=9, nodes in 1usize..=24) {
        let f = random_net(seed, inputs, 4, nodes);
        let mut module = module_of(f.clone());
        run(&mut module, "fold,care,fold");
        prop_assert_eq!(tables(module.top().unwrap()), tables(&f));
    }

    #[test]
    fn codes_stay_the_same_for_every_word(seed: u64, bits in 1usize..=6, k in 2usize..=6) {
        let f = coded(seed, 4, bits, k);
        let lowered = |passes: &str| {
            let mut module = module_of(f.clone());
            run(&mut module, passes);
            tables(module.top().unwrap())
        };
        prop_assert_eq!(lowered("fold,care,fold,lower-encoder"), lowered("lower-encoder"));
    }

    #[test]
    fn words_stay_the_same(seed: u64) {
        // `run` checks the result against the reference evaluator.
        run(&mut module_of(random_words(seed, 40)), "care");
    }
}

#[test]
fn codes_save_inputs() {
    let saved = (0..20).filter(|&seed| {
        let mut module = module_of(coded(seed, 8, 4, 4));
        run(&mut module, "fold");
        let before = inputs(module.top().unwrap());
        run(&mut module, "care,fold");
        inputs(module.top().unwrap()) < before
    });
    assert!(saved.count() >= 10);
}

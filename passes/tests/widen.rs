//! `widen`: that it keeps what functions compute, within so many inputs, with no more tables.
#![allow(clippy::unwrap_used)]

mod common;

use blc_ir::{Func, FuncKind, LocId, Type, Value};
use blc_passes::count::count;
use common::{Rng, module_of, random_net, random_words, run, try_run};
use proptest::prelude::*;

const LOC: LocId = LocId::UNKNOWN;

/// Functions before and after the pass, all of at most `k` inputs.
fn widened(f: Func, k: usize) -> [u64; 2] {
    let mut module = module_of(f);
    run(&mut module, &format!("cover{{k={}}},fold", k.min(6)));
    let before = count(&module.funcs[0]).total.lut_functions;
    // `run` compares each pass's function with the one before.
    run(&mut module, &format!("widen{{k={k}}},pipeline{{stages=1}},dce"));
    let f = &module.funcs[0];
    assert!(f.ops().filter(|(_, op)| op.info().mnemonic.starts_with("lut")).all(|(_, op)| op.operands.len() <= k));
    [before, count(f).total.lut_functions]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_functions_stay_the_same(seed: u64, nodes in 1usize..=30, k in 2usize..=8) {
        let [before, after] = widened(random_net(seed, 12, 4, nodes), k);
        prop_assert!(after <= before);
    }

    #[test]
    fn words_stay(seed: u64) {
        let mut module = module_of(random_words(seed, 12));
        run(&mut module, "lower-encoder,lower-head,fold,cover,widen,pipeline{stages=2},dce");
    }
}

fn inputs(f: &mut Func, n: usize) -> Vec<Value> {
    let x = f.add_param("x", Type::bits(n));
    (0..n).map(|i| f.extract(x, i, Type::BIT, LOC)).collect()
}

#[test]
fn any_table_of_eight_inputs_is_one() {
    let mut rng = Rng(3);
    for (n, k, tables) in [(7, 7, 1), (8, 8, 1), (8, 7, 3)] {
        let mut f = Func::new("f", FuncKind::Func);
        let x = inputs(&mut f, n);
        let words: Vec<u64> = (0..1 << (n - 6)).map(|_| rng.next()).collect();
        let y = f.lut_wide(&words, &x, LOC);
        f.add_result("y", y);
        let [before, after] = widened(f, k);
        assert!(after == tables && after < before, "{n} inputs, {k}: {before}, then {after}");
    }
}

#[test]
fn a_parity_takes_as_few_as_there_can_be() {
    for (n, k, tables) in [(8, 8, 1), (15, 8, 2), (22, 8, 3), (13, 7, 2)] {
        let mut f = Func::new("f", FuncKind::Func);
        let x = inputs(&mut f, n);
        let y = x[1..].iter().fold(x[0], |y, &x| f.lut(6, &[y, x], LOC));
        f.add_result("y", y);
        let mut module = module_of(f);
        run(&mut module, &format!("widen{{k={k}}},dce"));
        assert_eq!(count(&module.funcs[0]).total.lut_functions, tables, "{n} inputs, tables of {k}");
    }
}

#[test]
fn nodes_that_are_no_functions() {
    // a & (a ^ b) & b is 0, and (a & b) | (a & !b) is a: found out where only the cuts of eight leaves meet.
    let mut f = Func::new("f", FuncKind::Func);
    let x = inputs(&mut f, 2);
    let both = f.lut(6, &x, LOC);
    let zero = f.lut(0x80, &[x[0], both, x[1]], LOC);
    let [yes, no] = [8, 2].map(|table| f.lut(table, &x, LOC));
    let same = f.lut(0xe, &[yes, no], LOC);
    let inverse = f.lut(1, &[same], LOC);
    for (name, v) in [("zero", zero), ("same", same), ("inverse", inverse)] {
        f.add_result(name, v);
    }
    let mut module = module_of(f);
    run(&mut module, "widen,dce");
    assert_eq!(count(&module.funcs[0]).total.lut_functions, 0);
}

#[test]
fn wrong_options_are_refused() {
    for k in [0, 1, 9] {
        let e = try_run(&mut module_of(random_net(1, 5, 2, 3)), &format!("widen{{k={k}}}")).unwrap_err();
        assert_eq!(e.errors[0].code.id, "BL2150");
    }
}

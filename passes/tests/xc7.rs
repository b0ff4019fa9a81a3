//! `to-xc7` and the pairing behind it: legal sites, no loops, close to the best matching.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/exhaustive.rs"]
mod exhaustive;

use blc_ir::{Func, FuncKind, LocId, OpId, OpKind, Type, Value};
use blc_passes::count::count;
use blc_passes::pairing::{SITE_INPUTS, pairs};
use common::{Rng, module_of, random_net, run};
use exhaustive::tables;
use proptest::prelude::*;

fn lowered(f: &Func, passes: &str) -> Func {
    let mut module = module_of(f.clone());
    // Verifies after each pass: a loop through a site would be an error.
    run(&mut module, passes);
    module.funcs.pop().unwrap()
}

fn inputs(f: &Func, ops: &[OpId]) -> Vec<Value> {
    let mut all: Vec<Value> = ops.iter().flat_map(|&id| f.op(id).operands.to_vec()).collect();
    all.sort();
    all.dedup();
    all
}

/// Whether one of two tables has six inputs and is the other where one of these is 0.
fn is_cofactor(f: &Func, a: OpId, b: OpId) -> bool {
    let (whole, part) = if f.op(a).operands.len() == 6 { (f.op(a), f.op(b)) } else { (f.op(b), f.op(a)) };
    let (OpKind::Lut { table: whole_table }, OpKind::Lut { table: part_table }) = (whole.kind, part.kind) else {
        return false;
    };
    let pin = |v: &Value| whole.operands.iter().position(|o| o == v);
    let Some(pins) = part.operands.iter().map(pin).collect::<Option<Vec<usize>>>() else { return false };
    let of_part = |address: u64| pins.iter().enumerate().map(|(i, &p)| (address >> p & 1) << i).sum::<u64>();
    (0..6).filter(|p| !pins.contains(p)).any(|free| {
        let mut where_0 = (0..64u64).filter(|address| address >> free & 1 == 0);
        where_0.all(|address| whole_table >> address & 1 == part_table >> of_part(address) & 1)
    })
}

/// Asserts that pairs are legal: disjoint, and small enough or a table of six inputs with a cofactor.
fn assert_legal(f: &Func, pairs: &[(OpId, OpId)]) {
    let mut seen = vec![false; f.op_count()];
    for &(a, b) in pairs {
        assert!(inputs(f, &[a, b]).len() <= SITE_INPUTS || is_cofactor(f, a, b));
        for op in [a, b] {
            assert!(matches!(f.op(op).kind, OpKind::Lut { .. }) && f.op(op).operands.len() > 1);
            assert!(!std::mem::replace(&mut seen[op.index()], true), "{op} twice");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn keeps_function_and_counts(seed: u64, bits in 1usize..=9, nodes in 1usize..=24, stages in 0usize..4) {
        let f = random_net(seed, bits, 4, nodes);
        let hw = lowered(&f, &format!("cover,pipeline{{stages={stages}}}"));
        for options in ["", "{unrelated=false}", "{pair=false}"] {
            let g = lowered(&hw, &format!("to-xc7{options}"));
            prop_assert_eq!(tables(&g), tables(&f));
            let (before, after) = (count(&hw).total, count(&g).total);
            prop_assert_eq!(after.lut_functions, before.lut_functions);
            prop_assert_eq!((after.ffs, after.port_inverters), (before.ffs, before.port_inverters));
            prop_assert!(after.luts <= before.luts);
            prop_assert!(after.levels <= before.levels);
            let sites = g.ops().filter(|(_, op)| matches!(op.kind, OpKind::Xc7Lut6_2 { .. })).count() as u64;
            prop_assert_eq!(after.luts + sites, before.luts);
            assert!(options != "{pair=false}" || sites == 0);
            for (_, op) in g.ops() {
                assert!(!matches!(op.kind, OpKind::Lut { .. } | OpKind::Reg { .. }));
            }
        }
    }

    #[test]
    fn pairs_are_legal(seed: u64, bits in 1usize..=30, nodes in 1usize..=60) {
        let f = lowered(&random_net(seed, bits, 5, nodes), "cover");
        let related = pairs(&f, false);
        assert_legal(&f, &related);
        for (a, b) in related {
            prop_assert!(inputs(&f, &[a, b]).len() < inputs(&f, &[a]).len() + inputs(&f, &[b]).len());
        }
        assert_legal(&f, &pairs(&f, true));
    }
}

/// The most disjoint pairs, by trying all.
fn most_pairs(joinable: &[u32], free: u32, known: &mut Vec<Option<u32>>) -> u32 {
    if free == 0 {
        return 0;
    }
    if let Some(known) = known[free as usize] {
        return known;
    }
    let first = free.trailing_zeros();
    let rest = free & !(1 << first);
    let mut best = most_pairs(joinable, rest, known);
    let mut mates = joinable[first as usize] & rest;
    while mates != 0 {
        let mate = mates & mates.wrapping_neg();
        mates ^= mate;
        best = best.max(1 + most_pairs(joinable, rest & !mate, known));
    }
    known[free as usize] = Some(best);
    best
}

#[test]
fn matching_is_close_to_the_largest() {
    let (mut found, mut possible) = (0, 0);
    for seed in 0..200 {
        let rng = &mut Rng(seed);
        let mut f = Func::new("f", FuncKind::Func);
        let x: Vec<Value> = (0..8).map(|i| f.add_param(format!("x{i}"), Type::BIT)).collect();
        let n = 4 + rng.below(11);
        for i in 0..n {
            let k = rng.of(&[2, 3, 4, 4, 5, 5]);
            let mut operands = x.clone();
            (0..k).for_each(|j| operands.swap(j, j + rng.below(8 - j)));
            let y = f.lut(rng.next() & blc_ir::table::mask(k), &operands[..k], LocId::UNKNOWN);
            f.add_result(format!("y{i}"), y);
        }
        let ops: Vec<OpId> = f.op_ids().collect();
        let fits = |a: usize, b: usize| a != b && inputs(&f, &[ops[a], ops[b]]).len() <= SITE_INPUTS;
        let joinable: Vec<u32> = (0..n).map(|a| (0..n).filter(|&b| fits(a, b)).fold(0, |s, b| s | 1 << b)).collect();
        let best = most_pairs(&joinable, (1 << n) - 1, &mut vec![None; 1 << n]);
        let pairs = pairs(&f, true);
        assert_legal(&f, &pairs);
        found += pairs.len() as u32;
        possible += best;
    }
    assert!(found * 100 >= possible * 99, "{found} of {possible}");
}

#[test]
fn no_loop_through_sites() {
    // a feeds c, d feeds b: the pairs (a, b) and (c, d) are each legal, but not both. Each makes a path longer: that is
    // only right where there is a longer one anyway.
    for (deep, expected) in [(0, 0), (4, 1)] {
        let mut f = Func::new("f", FuncKind::Func);
        let x: Vec<Value> = (0..6).map(|i| f.add_param(format!("x{i}"), Type::BIT)).collect();
        let parity =
            |f: &mut Func, x: &[Value]| f.lut(0x6996_9669_9669_6996 & blc_ir::table::mask(x.len()), x, LocId::UNKNOWN);
        let a = parity(&mut f, &x[..4]);
        let d = parity(&mut f, &x[2..6]);
        let b = parity(&mut f, &[x[0], x[1], x[2], d]);
        let c = parity(&mut f, &[x[3], x[4], x[5], a]);
        // Six inputs: no partners.
        let long = (0..deep).fold(x[0], |y, _| f.lut(1 << 63, &[y, x[1], x[2], x[3], x[4], x[5]], LocId::UNKNOWN));
        for (i, v) in [a, b, c, d, long].into_iter().enumerate() {
            f.add_result(format!("y{i}"), v);
        }
        assert_eq!(pairs(&f, true).len(), expected);
        let g = lowered(&f, "pipeline{stages=0},to-xc7");
        assert_eq!(tables(&g), tables(&f));
        assert_eq!(count(&g).total.luts, 4 + deep - expected as u64);
        assert_eq!(count(&g).total.levels, deep.max(2));
    }
}

#[test]
fn both_halves_of_a_site() {
    let text = "func @f(%a: bit, %b: bit, %c: bit) -> (%y: bit, %z: bit) {\n\
        %0 = lut(%a, %b) {table = 0x8} : bit loc(\"layer0\" neuron 1)\n\
        %1 = lut(%c, %b) {table = 0x2} : bit loc(\"layer0\" neuron 2)\nreturn %0, %1\n}";
    let lines = common::body(common::module("", text), "pipeline{stages=0},to-xc7");
    // Pins a, b, c and the rest at 1: a and b in the upper half, c and not b in the lower.
    let site = "%1, %2 = xc7.lut6_2(%a, %b, %c, %0, %0, %0) {init = 0x8888888830303030}";
    assert!(lines.iter().any(|l| l.starts_with(site)), "{lines:#?}");
    assert!(lines.iter().any(|l| l.contains(r#"loc(fused["layer0" neuron 1, "layer0" neuron 2])"#)), "{lines:#?}");
}

//! `lower-head`: sums and the largest of words against plain arithmetic, and what they cost.
#![allow(clippy::unwrap_used)]

mod common;

use blc_ir::eval::{Evaluator, Val};
use blc_ir::types::bits_for;
use blc_ir::{Elem, Func, FuncKind, LocId, Module, OpKind, Type, Value};
use blc_passes::count::{Area, count};
use common::{Rng, assert_equal, module_of, random_words, run};
use proptest::prelude::*;

const LOC: LocId = LocId::UNKNOWN;

/// The kinds of heads: those that every device can have, and those of small ones, without carry chains and on them.
const HEADS: [&str; 5] =
    ["lower-head", "lower-head{fast=true}", "lower-head{ripple=1}", "lower-head{ripple=2}", "lower-head{ripple=4}"];

/// `word.sum` of `n` bits.
fn popcount(n: usize) -> Func {
    let mut f = Func::new("popcount", FuncKind::Func);
    let x = f.add_param("x", Type::bits(n));
    let bits: Vec<Value> = (0..n).map(|i| f.extract(x, i, Type::BIT, LOC)).collect();
    let y = f.sum(&bits, bits_for(n as u64), LOC);
    f.add_result("y", y);
    f
}

/// `word.argmax` of words of these widths.
fn argmax(widths: &[u8]) -> Func {
    let mut f = Func::new("argmax", FuncKind::Func);
    let words: Vec<Value> =
        widths.iter().enumerate().map(|(i, &w)| f.add_param(format!("x{i}"), Type::word(w))).collect();
    let y = f.word_argmax(&words, LOC);
    f.add_result("y", y);
    f
}

/// A whole head: `groups` popcounts of `bits / groups` bits, their words and the index of the largest.
fn head(bits: usize, groups: usize) -> Func {
    let mut f = Func::new("head", FuncKind::Func);
    let x = f.add_param("x", Type::bits(bits));
    let all: Vec<Value> = (0..bits).map(|i| f.extract(x, i, Type::BIT, LOC)).collect();
    let size = bits / groups;
    let width = bits_for(size as u64);
    let sums: Vec<Value> = (0..groups)
        .map(|g| {
            let loc = f.locs.neuron("head", g as u32);
            f.sum(&all[g * size..(g + 1) * size], width, loc)
        })
        .collect();
    let loc = f.locs.layer("head");
    let class = f.word_argmax(&sums, loc);
    let score = f.pack(&sums, Type::array(Elem::Word(width), &[groups]).unwrap(), LOC);
    f.add_result("class", class);
    f.add_result("score", score);
    f
}

fn lowered(f: Func, passes: &str) -> Module {
    let mut module = module_of(f);
    run(&mut module, passes);
    module
}

/// Only tables, wires and primitives are left.
fn assert_lowered(f: &Func) {
    for (_, op) in f.ops() {
        let fine = matches!(
            op.kind,
            OpKind::Lut { .. }
                | OpKind::LutWide { .. }
                | OpKind::Const { .. }
                | OpKind::Extract { .. }
                | OpKind::Pack {}
                | OpKind::Xc7Lut6_2 { .. }
                | OpKind::Xc7Carry4 {}
        );
        assert!(fine, "{} is left", op.info().mnemonic);
    }
}

fn number(val: &Val) -> u64 {
    match val {
        Val::Packed(words) if words.len() == 1 => words[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn popcounts_count_ones() {
    let rng = &mut Rng(1);
    let sizes = (1..=12).chain([13, 17, 25, 31, 32, 33, 63, 64, 65, 100, 127, 128, 200]);
    for (n, head) in sizes.flat_map(|n| HEADS.map(|head| (n, head))) {
        let module = lowered(popcount(n), &format!("{head},fold"));
        let f = &module.funcs[0];
        assert_lowered(f);
        let mut evaluator = Evaluator::new(&module, f).unwrap();
        let all = n <= 12;
        for sample in 0..if all { 1u64 << n } else { 300 } {
            let density = rng.next();
            let bits: Vec<u64> = (0..n)
                .map(|i| match sample {
                    _ if all => sample >> i & 1,
                    0 => 1,
                    _ => u64::from(rng.next() < density),
                })
                .collect();
            let ones: u64 = bits.iter().sum();
            assert_eq!(number(&evaluator.run(&[Val::Packed(bits)]).unwrap()[0]), ones, "{n} bits, {head}");
        }
    }
}

#[test]
fn sums_of_words_wrap_around() {
    let rng = &mut Rng(2);
    for width in [1u8, 3, 7, 20, 64] {
        let mut f = Func::new("sum", FuncKind::Func);
        let mut parts: Vec<Value> =
            [5u8, 9, 1, 64, 7].iter().enumerate().map(|(i, &w)| f.add_param(format!("x{i}"), Type::word(w))).collect();
        parts.push(f.add_param("b", Type::BIT));
        // Twice and three times the same, and constants.
        parts.extend([parts[0], parts[5], parts[5], parts[1], parts[1]]);
        parts.push(f.constant(11, Type::word(4)));
        parts.push(f.constant(1, Type::BIT));
        let y = f.sum(&parts, width, LOC);
        f.add_result("y", y);
        let module = module_of(f);
        for head in HEADS {
            let lowered = lowered(module.funcs[0].clone(), head);
            assert_lowered(&lowered.funcs[0]);
            assert_equal(&module, &module.funcs[0], &lowered.funcs[0], 200, rng.next());
        }
    }
}

/// The lowest index of a largest number.
fn largest(words: &[u64]) -> u64 {
    let max = words.iter().max().unwrap();
    words.iter().position(|w| w == max).unwrap() as u64
}

#[test]
fn argmax_of_small_words_exhaustively() {
    let all =
        [&[2u8, 2, 2, 2, 2][..], &[1; 8], &[3, 1, 2], &[1, 3, 2, 3], &[4, 4], &[1, 5], &[2], &[3, 3, 3], &[1; 13]];
    for (widths, head) in all.into_iter().flat_map(|widths| HEADS.map(|head| (widths, head))) {
        let module = lowered(argmax(widths), head);
        assert_lowered(&module.funcs[0]);
        let mut evaluator = Evaluator::new(&module, &module.funcs[0]).unwrap();
        let total: u8 = widths.iter().sum();
        for sample in 0..1u64 << total {
            let mut rest = sample;
            let words: Vec<u64> = widths
                .iter()
                .map(|&w| {
                    let word = rest & ((1 << w) - 1);
                    rest >>= w;
                    word
                })
                .collect();
            let inputs: Vec<Val> = words.iter().map(|&w| Val::Packed(vec![w])).collect();
            assert_eq!(number(&evaluator.run(&inputs).unwrap()[0]), largest(&words), "{words:?}");
        }
    }
}

#[test]
fn argmax_breaks_ties_to_the_lowest_and_stands_extremes() {
    let rng = &mut Rng(3);
    let shapes = [(10usize, 7u8), (10, 5), (3, 16), (13, 9), (17, 1), (100, 4), (1000, 7), (1023, 2)];
    for ((groups, width), head) in shapes.into_iter().flat_map(|shape| HEADS.map(|head| (shape, head))) {
        let module = lowered(argmax(&vec![width; groups]), &format!("{head},fold"));
        let mut evaluator = Evaluator::new(&module, &module.funcs[0]).unwrap();
        let top = (1u64 << width) - 1;
        for sample in 0..60 {
            let level = rng.word(width.into());
            let words: Vec<u64> = (0..groups)
                .map(|_| match sample % 5 {
                    0 => level,
                    1 => top * (rng.next() & 1),
                    // One off, either way.
                    2 => level.saturating_sub(rng.next() & 1),
                    3 => {
                        if rng.chance(groups) {
                            level
                        } else {
                            0
                        }
                    }
                    _ => rng.word(width.into()),
                })
                .collect();
            let inputs: Vec<Val> = words.iter().map(|&w| Val::Packed(vec![w])).collect();
            assert_eq!(number(&evaluator.run(&inputs).unwrap()[0]), largest(&words), "{words:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn keeps_what_words_compute(seed: u64, ops in 5usize..60, kind in 0..HEADS.len()) {
        let mut module = module_of(random_words(seed, ops));
        let before = module.funcs[0].clone();
        let head = HEADS[kind];
        run(&mut module, &format!("lower-encoder,{head},fold,{head}"));
        assert_lowered(&module.funcs[0]);
        assert_equal(&module, &before, &module.funcs[0], 64, seed);
    }
}

fn area(f: Func, passes: &str) -> Area {
    count(&lowered(f, passes).funcs[0]).total
}

/// What heads cost. For comparison: general synthesis with a tree of 6:3 counters takes 1122 tables and 29 carry chains
/// for 1000 bits, 357 and 10 for 300.
#[test]
fn heads_cost_no_more_than_measured() {
    let mapped = "lower-head,fold,cover,fold,pipeline{stages=0},to-xc7,dce";
    // Bits; functions of one popcount and of the whole head; sites of the head when mapped.
    for (bits, group, functions, sites) in [(1000, 101, 1100, 980), (300, 29, 355, 285)] {
        let one = area(popcount(bits / 10), "lower-head,fold");
        let all = area(head(bits, 10), "lower-head,fold");
        let placed = area(head(bits, 10), mapped);
        assert!(one.lut_functions <= group, "{one:?}");
        assert!(all.lut_functions <= functions, "{all:?}");
        assert!(placed.lut_functions <= functions && placed.luts <= sites, "{placed:?}");
    }
}

/// Sums on carry chains of small devices, in tables and positions, at most what was measured: a full adder of tables takes two
/// for each bit that goes.
#[test]
fn chains_of_small_devices_take_less_than_full_adders() {
    for (bits, left, pairs, products) in [(30, 5, 50, 42), (100, 7, 171, 147), (300, 9, 520, 446)] {
        let sites = |kind: &str| {
            let groups = area(head(bits * 10, 10), &format!("{kind},fold")).luts;
            let class = area(argmax(&[left; 10]), "lower-head,fold").luts;
            (groups - class) as f64 / 10.0
        };
        let found = [HEADS[2], HEADS[3], HEADS[4]].map(sites);
        assert!(found[0] <= f64::from(2 * bits as u32), "two tables for a bit: {found:?}");
        assert!(found[1] <= f64::from(pairs) && found[2] <= f64::from(products), "{bits}: {found:?}");
    }
}

/// A fast head is one of few levels: as many as compressors, an adder and comparators of this size take, and no more.
#[test]
fn fast_heads_are_shallow() {
    for (bits, most) in [(300, 9), (1000, 11), (3000, 13)] {
        let levels = |kind: &str| area(head(bits, 10), &format!("{kind},fold,cover{{slack=0}},fold")).levels;
        let (small, fast) = (levels(HEADS[0]), levels(HEADS[1]));
        assert!(fast <= most && fast < small, "{bits} bits: {fast} levels, of the small head {small}");
    }
}

//! `lower-head` with carry chains: heads of every shape against plain arithmetic, what they cost, and whether slices can
//! hold them.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/legal.rs"]
mod legal;

use blc_ir::eval::{Evaluator, Val};
use blc_ir::types::bits_for;
use blc_ir::{Func, FuncKind, LocId, Module, OpKind, Type, Value};
use blc_passes::count::count;
use common::{Rng, assert_equal, module_of, random_words, run, try_run};
use legal::assert_legal;
use proptest::prelude::*;

const LOC: LocId = LocId::UNKNOWN;

/// Popcounts of groups of these sizes, and the index of the largest.
fn head(groups: &[usize]) -> Func {
    let mut f = Func::new("head", FuncKind::Func);
    let x = f.add_param("x", Type::bits(groups.iter().sum()));
    let mut at = 0;
    let mut sums = Vec::new();
    for (g, &size) in groups.iter().enumerate() {
        let bits: Vec<Value> = (at..at + size).map(|i| f.extract(x, i, Type::BIT, LOC)).collect();
        at += size;
        let loc = f.locs.neuron("head", g as u32);
        sums.push(f.sum(&bits, bits_for(size as u64), loc));
    }
    let loc = f.locs.layer("head");
    let class = f.word_argmax(&sums, loc);
    f.add_result("class", class);
    for (g, sum) in sums.into_iter().enumerate() {
        f.add_result(format!("score{g}"), sum);
    }
    f
}

const PIPELINED: &str = "lower-head{carry=true,registered=true},fold,cover{sites=true},fold,pipeline,to-xc7,dce";
const COMBINATIONAL: &str = "lower-head{carry=true},fold,cover{sites=true},fold,pipeline{stages=0},to-xc7,dce";
const CUT: &str = "lower-head{carry=true},fold,cover{sites=true},fold,pipeline{levels=4},to-xc7,dce";

fn lowered(f: &Func, passes: &str) -> Module {
    let mut module = module_of(f.clone());
    run(&mut module, passes);
    module
}

/// Bits of a sample: dense or sparse groups, all alike, nearly equal counts, exact ties, all 0 and all 1.
fn sample(rng: &mut Rng, groups: &[usize], number: usize) -> Vec<u64> {
    let level = rng.next();
    let tied = rng.below(groups.iter().copied().min().unwrap_or(1) + 1);
    let mut bits = Vec::new();
    for &size in groups {
        let density = if number.is_multiple_of(3) { level } else { rng.next() };
        let ones = match number % 6 {
            0 => (number / 6 % 2) * size,
            1 => tied,
            2 => (tied + rng.below(2)).min(size),
            _ => usize::MAX,
        };
        let start = rng.below(size);
        bits.extend((0..size).map(|i| match ones {
            usize::MAX => u64::from(rng.next() < density),
            // The ones begin anywhere.
            _ => u64::from((i + size - start) % size < ones),
        }));
    }
    bits
}

/// Asserts counts and class on so many samples.
fn assert_right(module: &Module, groups: &[usize], samples: usize, seed: u64) {
    let mut evaluator = Evaluator::new(module, &module.funcs[0]).unwrap();
    let rng = &mut Rng(seed);
    for number in 0..samples {
        let bits = sample(rng, groups, number);
        let mut rest = &bits[..];
        let counts: Vec<u64> = groups
            .iter()
            .map(|&size| {
                let (group, others) = rest.split_at(size);
                rest = others;
                group.iter().sum()
            })
            .collect();
        let best = counts.iter().max().unwrap();
        let class = counts.iter().position(|c| c == best).unwrap() as u64;
        let expected: Vec<Val> = std::iter::once(class).chain(counts).map(|n| Val::Packed(vec![n])).collect();
        assert_eq!(evaluator.run(&[Val::Packed(bits)]).unwrap(), expected, "{groups:?}");
    }
}

#[test]
fn heads_of_every_shape_count_right_and_fit_slices() {
    let shapes: [&[usize]; 12] = [
        &[1, 1],
        &[2, 1, 3],
        &[7; 3],
        &[30; 10],
        &[100; 10],
        &[95, 97, 100, 12, 64, 63, 65, 1, 2, 33],
        &[5; 100],
        &[31, 32],
        &[127, 128, 129],
        &[1000, 3],
        &[14; 17],
        &[255, 256],
    ];
    for groups in shapes {
        for passes in [PIPELINED, COMBINATIONAL, CUT] {
            let module = lowered(&head(groups), passes);
            assert_right(&module, groups, 60, groups.len() as u64);
            let chains = assert_legal(&module.funcs[0]);
            assert!(chains > 0 || groups.iter().all(|&n| n < 7), "{groups:?}");
        }
    }
}

/// The smallest heads found by others, counting every LUT that a carry chain takes: `head-study`, 554 and 754 sites for
/// 1,000 bits, 177 and 227 for 300. General synthesis takes 1,685 tables and 29 chains, 481 and 20.
#[test]
fn heads_cost_no_more_than_the_best_known() {
    for (group, pipelined, combinational) in [(100, 544, 724), (30, 177, 227)] {
        for (passes, sites) in [(PIPELINED, pipelined), (COMBINATIONAL, combinational)] {
            let module = lowered(&head(&[group; 10]), passes);
            assert_legal(&module.funcs[0]);
            let area = count(&module.funcs[0]).total;
            assert!(area.luts <= sites, "{group}: {area:?}");
        }
    }
}

/// Sums of words, complements, repeated bits and constants, narrower than the sum could be.
#[test]
fn any_sum_is_right() {
    for (seed, width) in [(1u64, 1u8), (2, 2), (3, 5), (4, 9), (5, 16), (6, 20), (7, 3)] {
        for registered in [false, true] {
            let rng = &mut Rng(seed);
            let mut f = Func::new("sum", FuncKind::Func);
            let x = f.add_param("x", Type::bits(24));
            let word = f.add_param("w", Type::word(7));
            let mut parts: Vec<Value> = (0..24).map(|i| f.extract(x, i, Type::BIT, LOC)).collect();
            let inverted: Vec<Value> = (0..12).map(|i| f.lut(1, &[parts[i]], LOC)).collect();
            parts.drain(..6);
            parts.extend(inverted);
            for _ in 0..6 {
                parts.push(rng.of(&parts));
            }
            parts.extend([word, word]);
            parts.push(f.constant(rng.below(30) as u64, Type::word(5)));
            let y = f.sum(&parts, width, LOC);
            f.add_result("y", y);
            let module = lowered(&f, &format!("lower-head{{carry=true,registered={registered}}}"));
            assert!(module.funcs[0].ops().all(|(_, op)| !matches!(op.kind, OpKind::Sum {})));
            assert_equal(&module, &f, &module.funcs[0], 300, seed);
            let stages = if registered { "" } else { "{stages=0}" };
            let placed =
                lowered(&f, &format!("lower-head{{carry=true,registered={registered}}},fold,pipeline{stages},to-xc7"));
            assert_legal(&placed.funcs[0]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn keeps_what_words_compute(seed: u64, ops in 5usize..60, registered: bool) {
        let mut module = module_of(random_words(seed, ops));
        let before = module.funcs[0].clone();
        let passes = format!("lower-encoder,lower-head{{carry=true,registered={registered}}},fold,cover{{k=4}},fold");
        run(&mut module, &passes);
        assert_equal(&module, &before, &module.funcs[0], 64, seed);
        // What inverters went into is still right, and registers can be put anywhere.
        run(&mut module, "pipeline{stages=3},to-xc7,dce");
        assert_equal(&module, &before, &module.funcs[0], 64, seed);
    }

    #[test]
    fn any_groups_count_right(sizes in proptest::collection::vec(1usize..70, 2..8), seed: u64, pipelined: bool) {
        let module = lowered(&head(&sizes), if pipelined { PIPELINED } else { COMBINATIONAL });
        assert_right(&module, &sizes, 24, seed);
        assert_legal(&module.funcs[0]);
    }
}

/// The table of an inverter is that of a NOR too, whose inputs are more.
#[test]
fn only_inverters_are_seen_through() {
    let mut f = Func::new("f", FuncKind::Func);
    let x = f.add_param("x", Type::bits(4));
    let x: Vec<Value> = (0..4).map(|i| f.extract(x, i, Type::BIT, LOC)).collect();
    let bits: Vec<Value> = (0..4).map(|i| f.lut(0x1, &x[..=i], LOC)).collect();
    let sum = f.sum(&bits, 3, LOC);
    f.add_result("sum", sum);
    for passes in [PIPELINED, COMBINATIONAL] {
        let module = lowered(&f, passes);
        assert_equal(&module, &f, module.top().unwrap(), 100, 1);
    }
}

#[test]
fn the_check_of_slices_finds_what_no_slice_holds() {
    let module = lowered(&head(&[30, 30]), COMBINATIONAL);
    let illegal = |change: &dyn Fn(&mut Func)| {
        let mut f = module.funcs[0].clone();
        change(&mut f);
        std::panic::catch_unwind(|| assert_legal(&f)).is_err()
    };
    let chain = module.funcs[0].ops().find(|(_, op)| matches!(op.kind, OpKind::Xc7Carry4 {})).unwrap().0;
    let pin = |f: &mut Func, pin: usize, value: Value| {
        let mut operands = f.op(chain).operands.to_vec();
        operands[pin] = value;
        f.set_operands(chain, &operands);
    };
    assert!(!illegal(&|_| ()));
    let input = |f: &Func| f.ops().find(|(_, op)| matches!(op.kind, OpKind::Extract { .. })).unwrap().1.result();
    // S from a port; the same LUT twice; a bit that passes the lowest LUT by; carry and sum of one position.
    assert!(illegal(&|f| pin(f, 0, input(f))));
    assert!(illegal(&|f| pin(f, 1, f.op(chain).operands[0])));
    assert!(illegal(&|f| pin(f, 4, input(f))));
    assert!(illegal(&|f| {
        let carry = f.op(chain).results().nth(4).unwrap();
        f.add_result("carry", carry);
    }));
}

#[test]
fn wrong_options_are_refused() {
    let mut module = module_of(head(&[3, 3]));
    assert!(try_run(&mut module, "lower-head{carry=true}").is_ok());
    assert!(blc_passes::Pipeline::parse("lower-head{carrry=true}", "", &blc_passes::Registry::standard()).is_err());
}

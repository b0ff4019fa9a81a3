//! `lower-encoder`: comparisons with constants against plain arithmetic, and what they cost.
#![allow(clippy::unwrap_used)]

mod common;

use blc_ir::eval::{Evaluator, Val};
use blc_ir::{Elem, Func, FuncKind, LocId, OpKind, Type};
use blc_passes::count::{Area, count};
use common::{Rng, module_of, run};

/// `x > bound` for each bound, of a word.
fn comparisons(width: u8, bounds: &[u64]) -> Func {
    let mut f = Func::new("encoder", FuncKind::Func);
    let x = f.add_param("x", Type::word(width));
    for (i, &bound) in bounds.iter().enumerate() {
        let loc = f.locs.neuron("encoder", i as u32);
        let bit = f.push1(OpKind::GtConst { bound }, &[x], Type::BIT, loc);
        f.add_result(format!("y{i}"), bit);
    }
    f
}

/// Lowers and checks on the words given, with folding and without.
fn check(width: u8, bounds: &[u64], words: impl Iterator<Item = u64> + Clone) {
    for passes in ["lower-encoder", "lower-encoder,fold"] {
        let mut module = module_of(comparisons(width, bounds));
        run(&mut module, passes);
        let f = &module.funcs[0];
        assert!(f.ops().all(|(_, op)| !matches!(op.kind, OpKind::GtConst { .. })));
        let mut evaluator = Evaluator::new(&module, f).unwrap();
        for x in words.clone() {
            let expected: Vec<Val> = bounds.iter().map(|&b| Val::bit(x > b)).collect();
            assert_eq!(evaluator.run(&[Val::Packed(vec![x])]).unwrap(), expected, "u{width} {x}");
        }
    }
}

#[test]
fn narrow_words_exhaustively() {
    for width in 1..=9u8 {
        let all: Vec<u64> = (0..(1 << width) + 2).collect();
        check(width, &all, 0..1 << width);
    }
}

#[test]
fn wide_words_at_their_bounds() {
    let rng = &mut Rng(4);
    for width in [10u8, 11, 12, 13, 16, 23, 33, 63, 64] {
        let mut bounds: Vec<u64> = (0..40)
            .map(|_| {
                let low = rng.below(width.into());
                rng.word(width.into()) >> rng.below(width.into()) | ((1 << low) - 1)
            })
            .collect();
        bounds.extend([0, u64::MAX >> (64 - width), (u64::MAX >> (64 - width)) - 1]);
        let near = bounds.iter().flat_map(|&b| [b, b.wrapping_add(1), b.wrapping_sub(1)]);
        let words: Vec<u64> =
            near.chain((0..50).map(|_| rng.word(width.into()))).map(|x| x & u64::MAX >> (64 - width)).collect();
        check(width, &bounds, words.iter().copied());
    }
}

fn area(width: u8, bounds: &[u64], passes: &str) -> Area {
    let mut module = module_of(comparisons(width, bounds));
    run(&mut module, passes);
    count(&module.funcs[0]).total
}

#[test]
fn only_bits_that_matter_are_read() {
    // Above 127 is the highest bit, above 63 either of two.
    assert_eq!(area(8, &[127], "lower-encoder,fold").lut_functions, 0);
    assert_eq!(area(8, &[63], "lower-encoder,fold").lut_functions, 1);
    assert_eq!(area(8, &[0b0001_1011], "lower-encoder,fold").lut_functions, 1);
    assert_eq!(area(8, &[100, 100, 100], "lower-encoder,fold").lut_functions, 2);
}

#[test]
fn thresholds_share_what_they_can() {
    let sites = "lower-encoder,fold,cover,fold,pipeline{stages=0},to-xc7,dce";
    // Equal low bits are compared once: one lower part, and an upper part for each.
    let equal: Vec<u64> = (0..8).map(|i| i << 5 | 12).collect();
    assert!(area(8, &equal, "lower-encoder,fold").lut_functions <= 9);
    // A site for each threshold of a byte, whatever they are.
    let spread: Vec<u64> = (1..21).map(|i| i * 12 + i % 2).collect();
    let area = area(8, &spread, sites);
    assert!(area.luts <= 20, "{area:?}");
}

#[test]
fn real_features_are_compared_as_words() {
    let mut f = Func::new("f", FuncKind::Func);
    let x = f.add_param("x", Type::array(Elem::Word(8), &[2]).unwrap());
    let word = f.extract(x, 8, Type::word(8), LocId::UNKNOWN);
    let bit = f.push1(OpKind::GtConst { bound: 77 }, &[word], Type::BIT, LocId::UNKNOWN);
    f.add_result("y", bit);
    let mut module = module_of(f);
    run(&mut module, "lower-encoder,fold");
    let mut evaluator = Evaluator::new(&module, &module.funcs[0]).unwrap();
    for x in 0..256 {
        let y = evaluator.run(&[Val::Packed(vec![255 - x, x])]).unwrap();
        assert_eq!(y, [Val::bit(x > 77)]);
    }
}

//! `words`: that heads compute what they did, and that what is shared, common or constant is built once or not at all.
#![allow(clippy::unwrap_used)]

mod common;

use blc_ir::types::bits_for;
use blc_ir::{Func, FuncKind, LocId, Module, OpKind, Type, Value};
use blc_passes::count::count;
use blc_passes::{Check, PassManager, Pipeline, Registry};
use common::{Rng, body, module, module_of, random_words, run, show};
use proptest::prelude::*;

const LOC: LocId = LocId::UNKNOWN;

/// Runs passes, each proved.
fn prove(module: &mut Module, passes: &str) {
    let manager = PassManager { verify_each: true, check_each: Some(Check::Sat), ..PassManager::default() };
    let pipeline = Pipeline::parse(passes, "", &Registry::standard()).unwrap();
    manager.run(module, &pipeline, &mut ()).unwrap_or_else(|failure| panic!("{}", show(&failure.errors)));
}

/// Sites after `words` and `lower-head` with options, and without `words`. Both are checked.
fn sites(f: &Func, options: &str) -> [u64; 2] {
    let [with, without] = [format!("fold,words{{{options}}},fold,"), "fold,".to_owned()].map(|first| {
        let mut module = module_of(f.clone());
        run(&mut module, &format!("{first}lower-encoder,lower-head{{{options}}},fold"));
        count(module.top().unwrap()).total.luts
    });
    [with, without]
}

/// Sums of bits among which there are complements, repeated ones, constants and other words, and what is made of them.
fn random_head(seed: u64) -> Func {
    let rng = &mut Rng(seed);
    let mut f = Func::new("head", FuncKind::Func);
    let x = f.add_param("x", Type::bits(8));
    let bits: Vec<Value> = (0..8).map(|i| f.extract(x, i, Type::BIT, LOC)).collect();
    let mut words: Vec<Value> = Vec::new();
    let mut found = bits.clone();
    for _ in 0..2 + rng.below(5) {
        let mut parts: Vec<Value> = Vec::new();
        for _ in 0..1 + rng.below(10) {
            let bit = rng.of(&found);
            parts.push(match rng.below(8) {
                0 => f.lut(0x1, &[bit], LOC),
                1 => {
                    let zeros = f.constant(0, Type::word(1 + rng.below(2) as u8));
                    let ty = Type::word(f.ty(zeros).total_bits() as u8 + 1);
                    f.pack(&[zeros, bit], ty, LOC)
                }
                2 => f.constant(rng.below(8) as u64, Type::word(3)),
                3 if !words.is_empty() => rng.of(&words),
                _ => bit,
            });
        }
        let width = 1 + rng.below(6) as u8;
        words.push(f.sum(&parts, width, LOC));
        let (a, b) = (rng.of(&words), rng.of(&words));
        match rng.below(4) {
            0 => found.push(f.push1(OpKind::Gt {}, &[a, b], Type::BIT, LOC)),
            1 => {
                let bound = rng.below(16) as u64;
                found.push(f.push1(OpKind::GtConst { bound }, &[a], Type::BIT, LOC));
            }
            2 => {
                let same: Vec<Value> = words.iter().copied().filter(|&v| f.ty(v) == f.ty(a)).collect();
                let (s, b) = (rng.of(&found), rng.of(&same));
                words.push(f.push1(OpKind::Mux {}, &[s, a, b], f.ty(a), LOC));
            }
            _ => {}
        }
    }
    let n = 1 + rng.below(words.len());
    let largest: Vec<Value> = (0..n).map(|_| rng.of(&words)).collect();
    let class = f.word_argmax(&largest, LOC);
    f.add_result("class", class);
    for i in 0..rng.below(3) {
        f.add_result(format!("word{i}"), rng.of(&words));
        f.add_result(format!("bit{i}"), rng.of(&found));
    }
    f.tidy();
    f
}

/// `groups` sums, each of bits of its own, of bits that all have, and of as many complements of its own.
fn shared_head(groups: usize, own: usize, all: usize, scores: bool) -> Func {
    let mut f = Func::new("head", FuncKind::Func);
    let x = f.add_param("x", Type::bits(all + groups * own));
    let bits: Vec<Value> = (0..all + groups * own).map(|i| f.extract(x, i, Type::BIT, LOC)).collect();
    let sums: Vec<Value> = (0..groups)
        .map(|g| {
            let mut parts = bits[..all].to_vec();
            parts.extend(&bits[all + g * own..all + (g + 1) * own]);
            f.sum(&parts, bits_for((all + own) as u64), LOC)
        })
        .collect();
    let class = f.word_argmax(&sums, LOC);
    f.add_result("class", class);
    if scores {
        sums.iter().enumerate().for_each(|(i, &sum)| f.add_result(format!("score{i}"), sum));
    }
    f
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_heads_stay_the_same_and_get_no_larger(seed: u64) {
        let f = random_head(seed);
        for options in ["", "carry=true", "carry=true,registered=true", "ripple=1"] {
            let [with, without] = sites(&f, options);
            prop_assert!(with <= without, "{options}: {with} of {without}");
        }
    }

    #[test]
    fn words_of_every_kind_stay_the_same(seed: u64) {
        run(&mut module_of(random_words(seed, 40)), "words,fold,words{carry=true},words{nodes=30},words{prices=2}");
    }
}

#[test]
fn random_heads_are_proved() {
    for seed in 0..60 {
        prove(&mut module_of(random_head(seed)), "fold,words,fold,words{carry=true}");
    }
}

#[test]
fn what_words_have_in_common_is_summed_once_or_not_at_all() {
    for options in ["carry=true", "carry=true,registered=true", "", "ripple=1"] {
        // Only the largest is asked for.
        let [with, without] = sites(&shared_head(6, 30, 30, false), options);
        assert!(3 * with < 2 * without, "{options}: {with} of {without}");
        let [with, without] = sites(&shared_head(6, 30, 30, true), options);
        assert!(10 * with < 9 * without, "{options}: {with} of {without}");
        // Four bits and their number are hardly less than they are.
        let [with, without] = sites(&shared_head(6, 40, 4, true), options);
        assert_eq!(with, without, "{options}");
    }
}

/// What `words` makes of a function over bits `a` to `e` and words, proved.
fn rewritten(result: &str, ops: &str) -> Vec<String> {
    let bits = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| format!("%{name}: bit")).join(", ");
    let text = format!("func @f({bits}, %u: u4, %v: u4) -> (%y: {result}) {{\n{ops}\n}}");
    let mut words = module("", &text);
    prove(&mut words, "fold,words");
    body(words, "fold")
}

#[test]
fn complements_are_counted_by_what_they_complement() {
    // Four less the sum of their complements.
    let ops = "%0 = lut(%a) {table = 0x1} : bit\n%1 = lut(%b) {table = 0x1} : bit\n%2 = lut(%c) {table = 0x1} : bit
        %3 = word.sum(%a, %b, %c, %d) : u3\n%4 = word.sum(%0, %1, %2, %e) : u3\n%5 = word.gt(%3, %4) : bit\nreturn %5";
    let body = rewritten("bit", ops);
    assert_eq!(body.iter().filter(|l| l.contains("word.sum")).count(), 1, "{body:#?}");
}

#[test]
fn repeated_operands_are_shifted() {
    let seven = "%0 = word.sum(%a, %a, %a, %a, %a, %a, %a, %b, %b, %b, %b, %b, %b, %b) : u4\nreturn %0";
    let body = rewritten("u4", seven);
    let sum = body.iter().find(|l| l.contains("word.sum")).unwrap();
    assert!(sum.matches('%').count() <= 6, "{body:#?}");
}

#[test]
fn comparisons_lose_what_both_sides_have() {
    let ops =
        "%0 = word.sum(%u, %a, %b, %c) : u5\n%1 = word.sum(%u, %a, %b, %d) : u5\n%2 = word.gt(%0, %1) : bit\nreturn %2";
    let body = rewritten("bit", ops);
    assert_eq!(body.len(), 2, "{body:#?}");
    // Ranges decide: 5 to 8, and 1 to 4.
    let ops = "%k = const {value = 5} : u3\n%l = const {value = 1} : u1\n%0 = word.sum(%a, %b, %c, %k) : u4
        %1 = word.sum(%d, %e, %f, %l) : u3\n%2 = word.gt(%0, %1) : bit\nreturn %2";
    let body = rewritten("bit", ops);
    assert_eq!(body, ["%0 = const {value = 1} : bit", "return %0"]);
}

#[test]
fn a_constant_that_all_words_have_does_not_matter() {
    let ops = "%k = const {value = 5} : u3\n%0 = word.sum(%u, %a, %b, %k) : u5\n%1 = word.sum(%v, %c, %k) : u5
        %2 = word.sum(%d, %e, %f, %k) : u4\n%3 = word.argmax(%0, %1, %2) {tie = lowest} : u2\nreturn %3";
    let body = rewritten("u2", ops);
    assert!(!body.iter().any(|l| l.contains("value = 5")), "{body:#?}");
}

#[test]
fn words_that_are_never_the_largest_are_no_more() {
    // The second never is more than the first, the last never as much as the third.
    let ops = "%k = const {value = 2} : u2\n%0 = word.sum(%a, %b, %c) : u2\n%1 = word.sum(%a, %b) : u2
        %2 = word.sum(%d, %e, %f, %k) : u3\n%3 = word.sum(%g) : u1
        %4 = word.argmax(%0, %1, %2, %3) {tie = lowest} : u2\nreturn %4";
    let body = rewritten("u2", ops);
    assert_eq!(body.iter().filter(|l| l.contains("word.sum")).count(), 2, "{body:#?}");
}

#[test]
fn a_choice_between_sums_is_a_sum_with_a_choice() {
    let ops = "%0 = word.sum(%u, %a, %b, %c) : u5\n%1 = word.sum(%u, %a, %b, %d) : u5
        %2 = word.mux(%h, %0, %1) : u5\nreturn %2";
    let body = rewritten("u5", ops);
    assert_eq!(body.iter().filter(|l| l.contains("word.sum")).count(), 1, "{body:#?}");
}

#[test]
fn caps_end_the_rewriting() {
    let report = |options: &str| {
        let mut module = module_of(shared_head(6, 30, 30, true));
        let report = run(&mut module, &format!("words{{carry=true{options}}}"));
        report.passes[0].facts.iter().cloned().collect::<std::collections::BTreeMap<String, u64>>()
    };
    assert_eq!(report("")["words.saturated"] + report("")["words.stopped_by_iters"], 1);
    assert_eq!(report(",nodes=300")["words.stopped_by_nodes"], 1);
    assert_eq!(report(",nodes=30")["words.stopped_by_nodes"], 1);
    assert_eq!(report(",iters=1")["words.stopped_by_iters"], 1);
    assert!(report(",prices=3")["words.prices"] <= 3);
}

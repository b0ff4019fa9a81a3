//! `resub`: that no reachable value changes, and that shared logic is found behind different structure.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/exhaustive.rs"]
mod exhaustive;

use blc_ir::{Func, FuncKind, LocId, Type, Value};
use blc_passes::count::count;
use common::{module_of, random_net, random_words, run};
use exhaustive::tables;
use proptest::prelude::*;

const U: LocId = LocId::UNKNOWN;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_nets_stay_the_same(seed: u64, inputs in 1usize..=9, nodes in 1usize..=24) {
        let f = random_net(seed, inputs, 4, nodes);
        for options in ["", "{k=4}", "{steps=true,slack=200}", "{words=1,cone=5,conflicts=2}"] {
            let mut module = module_of(f.clone());
            run(&mut module, &format!("fold,cover,resub{options},fold"));
            prop_assert_eq!(tables(module.top().unwrap()), tables(&f), "{}", options);
        }
    }

    #[test]
    fn words_stay_the_same(seed: u64) {
        // `run` checks the result against the reference evaluator.
        run(&mut module_of(random_words(seed, 40)), "resub{steps=true}");
    }
}

/// Carry and sum of an adder, the sum's carries built apart.
fn adder(bits: usize) -> Func {
    let mut f = Func::new("add", FuncKind::Func);
    let [a, b] = ["a", "b"].map(|name| f.add_param(name, Type::bits(bits)));
    let bit = |f: &mut Func, x, i| f.extract(x, i, Type::BIT, U);
    let mut carries: [Option<Value>; 2] = [None, None];
    for i in 0..bits {
        let (x, y) = (bit(&mut f, a, i), bit(&mut f, b, i));
        let sum = match carries[1] {
            None => f.lut(0x6, &[x, y], U),
            Some(c) => f.lut(0x96, &[x, y, c], U),
        };
        f.add_result(format!("s{i}"), sum);
        carries = carries.map(|carry| {
            Some(match carry {
                None => f.lut(0x8, &[x, y], U),
                Some(c) => f.lut(0xe8, &[x, y, c], U),
            })
        });
        // The second chain computes the same from other gates.
        let (p, g) = (f.lut(0xe, &[x, y], U), f.lut(0x8, &[x, y], U));
        let c = carries[0].unwrap();
        carries[1] = Some(f.lut(0xca, &[g, p, c], U));
    }
    f.add_result("carry", carries[0].unwrap());
    f.tidy();
    f
}

#[test]
fn finds_equal_logic() {
    let f = adder(5);
    let mut module = module_of(f.clone());
    run(&mut module, "fold");
    let before = count(module.top().unwrap()).total.lut_functions;
    run(&mut module, "resub,fold");
    let after = count(module.top().unwrap()).total.lut_functions;
    assert!(after <= 10 && after < before, "{before} to {after}");
    assert_eq!(tables(module.top().unwrap()), tables(&f));
}

/// `a ^ b ^ c ^ d` of a sum that only it reads, where `a ^ b`, `c` and `d` are there: three take the place of one.
#[test]
fn three_nodes_take_the_place_of_one() {
    let mut f = Func::new("three", FuncKind::Func);
    let x: Vec<Value> = (0..4).map(|i| f.add_param(format!("x{i}"), Type::BIT)).collect();
    let first = f.lut(0x6, &x[..2], U);
    f.add_result("first", first);
    // A majority of others would need its inputs: this one is told by the sum and both of these.
    let inner = f.lut(0x6996, &x, U);
    let e = f.add_param("e", Type::BIT);
    let root = f.lut(0x8, &[inner, e], U);
    f.add_result("root", root);
    let mut module = module_of(f.clone());
    run(&mut module, "resub{k=4}");
    assert_eq!(tables(module.top().unwrap()), tables(&f));
    assert_eq!(count(module.top().unwrap()).total.luts, 2);
}

//! `cover`: that it keeps what functions compute, is never worse, and finds what is known to be possible.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/exhaustive.rs"]
mod exhaustive;

use blc_ir::{Func, FuncKind, LocId, OpKind, Type, Value};
use blc_passes::count::{Area, count};
use blc_passes::pairing::pairs;
use common::{Rng, module_of, random_net, random_words, run, try_run};
use exhaustive::tables;
use proptest::prelude::*;

const OPTIONS: [&str; 9] = [
    "",
    "{sites=true}",
    "{k=4}",
    "{k=3,cuts=3}",
    "{k=2}",
    "{slack=0,effort=0}",
    "{exact=1}",
    "{sites=true,exact=1}",
    "{sites=true,effort=0,exact=1,loose=400,flips=true}",
];

fn covered(f: &Func, options: &str) -> Func {
    let mut module = module_of(f.clone());
    run(&mut module, &format!("cover{options}"));
    module.funcs.pop().unwrap()
}

fn area(f: &Func) -> Area {
    count(f).total
}

/// Asserts that no LUT has more inputs than the options allow.
fn assert_fits(f: &Func, options: &str) {
    let k = (2..6).find(|k| options.contains(&format!("k={k}"))).unwrap_or(6);
    for (_, op) in f.ops() {
        assert!(!matches!(op.kind, OpKind::LutWide { .. }));
        assert!(!matches!(op.kind, OpKind::Lut { .. }) || op.operands.len() <= k, "{options}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_nets_stay_the_same_and_get_no_larger(seed: u64, inputs in 1usize..=9, nodes in 1usize..=24) {
        let f = random_net(seed, inputs, 4, nodes);
        for options in OPTIONS {
            let g = covered(&f, options);
            prop_assert_eq!(tables(&g), tables(&f), "{}", options);
            assert_fits(&g, options);
            if !options.contains("k=") {
                prop_assert!(area(&g).luts <= area(&f).luts || options.contains("sites"));
                let sites = |f: &Func| area(f).luts as usize - pairs(f, true).len();
                prop_assert!(sites(&g) <= sites(&f) || !options.contains("sites"));
            }
        }
    }

    #[test]
    fn wide_tables_become_small_ones(seed: u64, n in 7usize..=11, kind in 0usize..4) {
        let rng = &mut Rng(seed);
        let picked = rng.next() & ((1 << n) - 1);
        let words: Vec<u64> = (0..1usize << (n - 6)).map(|w| match kind {
            0 => rng.next(),
            1 => rng.next() & rng.next() & rng.next(),
            // Functions with structure: a comparison, and a parity of some inputs.
            2 => (0..64).fold(0, |t, a| t | u64::from((w as u64 * 64 + a) > picked) << a),
            _ => (0..64).fold(0, |t, a| t | u64::from(((w as u64 * 64 + a) & picked).count_ones() & 1) << a),
        }).collect();
        let mut f = Func::new("wide", FuncKind::Func);
        let x = f.add_param("x", Type::bits(n));
        let mut bits: Vec<Value> = (0..n).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
        // Now and then a repeated input or a constant.
        if rng.chance(3) {
            let from = rng.below(n);
            bits[0] = bits[from];
        }
        if rng.chance(3) {
            bits[n - 1] = f.constant(rng.next() & 1, Type::BIT);
        }
        let y = f.lut_wide(&words, &bits, LocId::UNKNOWN);
        f.add_result("y", y);
        f.tidy();
        for options in OPTIONS {
            let g = covered(&f, options);
            prop_assert_eq!(tables(&g), tables(&f), "{}", options);
            assert_fits(&g, options);
        }
    }

    #[test]
    fn words_bound_the_logic(seed: u64) {
        // `run` checks the result against the reference evaluator.
        let f = random_words(seed, 40);
        assert_fits(&covered(&f, ""), "");
    }
}

/// A function of single-bit inputs, whose results `build` makes of them.
fn func(inputs: usize, build: impl FnOnce(&mut Func, &[Value]) -> Vec<Value>) -> Func {
    let mut f = Func::new("f", FuncKind::Func);
    let inputs: Vec<Value> = (0..inputs).map(|i| f.add_param(format!("x{i}"), Type::BIT)).collect();
    for (i, result) in build(&mut f, &inputs).into_iter().enumerate() {
        f.add_result(format!("y{i}"), result);
    }
    f.tidy();
    f
}

const U: LocId = LocId::UNKNOWN;

fn chain(f: &mut Func, table: u64, x: &[Value]) -> Value {
    x[1..].iter().fold(x[0], |a, &b| f.lut(table, &[a, b], U))
}

#[test]
fn finds_the_fewest() {
    // (function, LUT6 it takes)
    let mux = |f: &mut Func, s: &[Value], d: &[Value]| {
        s.iter().fold(d.to_vec(), |d, &s| d.chunks(2).map(|d| f.lut(0xca, &[d[0], d[1], s], U)).collect())
    };
    let cases: Vec<(Func, u64)> = vec![
        // 36 inputs into one: each LUT takes away five.
        (func(36, |f, x| vec![chain(f, 6, x)]), 7),
        (func(36, |f, x| vec![chain(f, 8, x)]), 7),
        (func(20, |f, x| mux(f, &x[..4], &x[4..])), 5),
        // An adder of 2 + 2 bits: three functions of at most five inputs.
        (
            func(4, |f, x| {
                let low = f.lut(6, &[x[0], x[2]], U);
                let carry = f.lut(8, &[x[0], x[2]], U);
                let half = f.lut(6, &[x[1], x[3]], U);
                let high = f.lut(6, &[half, carry], U);
                let both = f.lut(8, &[x[1], x[3]], U);
                let through = f.lut(8, &[half, carry], U);
                vec![low, high, f.lut(14, &[both, through], U)]
            }),
            3,
        ),
        // Equal functions behind different structure.
        (
            func(3, |f, x| {
                let (a, b) = (chain(f, 6, x), chain(f, 9, &[x[2], x[0], x[1]]));
                vec![a, b]
            }),
            1,
        ),
        // A function that turns out constant, and one that is an input.
        (
            func(2, |f, x| {
                let (and, nor) = (f.lut(8, x, U), f.lut(1, x, U));
                let (or, xor) = (f.lut(14, x, U), f.lut(6, x, U));
                let zero = f.lut(8, &[and, nor], U);
                let also_and = f.lut(2, &[or, xor], U);
                let odd = f.lut(6, &[also_and, or], U);
                let x1 = f.lut(6, &[odd, x[0]], U);
                vec![zero, x1]
            }),
            0,
        ),
    ];
    for (i, (f, luts)) in cases.iter().enumerate() {
        let g = covered(f, "");
        assert_eq!(area(&g).luts, *luts, "case {i}");
        if f.params.len() <= 12 {
            assert_eq!(tables(&g), tables(f), "case {i}");
        }
    }
}

#[test]
fn inverters_are_absorbed_or_sit_on_ports() {
    // Plain and complemented at outputs: one function, one inverter on a port. The inverter between goes.
    let f = func(3, |f, x| {
        let and = f.lut(8, &x[..2], U);
        let not = f.lut(1, &[and], U);
        let xor = f.lut(6, &[not, x[2]], U);
        let both = f.lut(1, &[xor], U);
        vec![and, not, xor, both]
    });
    let g = covered(&f, "");
    assert_eq!(tables(&g), tables(&f));
    assert_eq!((area(&g).luts, area(&g).lut_functions, area(&g).port_inverters), (2, 2, 2));
    // Only the complement is wanted, by a word op inside: no inverter at all.
    let f = func(3, |f, x| {
        let and = f.lut(8, &x[..2], U);
        let not = f.lut(1, &[and], U);
        let sum = f.sum(&[not, x[2]], 2, U);
        vec![sum, and]
    });
    let g = covered(&f, "");
    assert_eq!((area(&g).luts, area(&g).lut_functions, area(&g).port_inverters), (1, 1, 1));
}

#[test]
fn levels_stay_within_the_slack() {
    let f = random_net(7, 12, 12, 60);
    let fewest = area(&covered(&f, "{slack=0}")).levels;
    let some = area(&covered(&f, "{slack=50}")).levels;
    let any = area(&covered(&f, "{slack=10000}"));
    assert!(some <= fewest + fewest / 2, "{fewest} {some}");
    assert!(any.luts <= area(&covered(&f, "{slack=0}")).luts);
}

#[test]
fn origins_are_kept_the_roots_first() {
    let f = func(3, |f, x| {
        let (inner, root) = (f.locs.neuron("layer0", 4), f.locs.neuron("layer1", 9));
        let and = f.lut(8, &x[..2], inner);
        vec![f.lut(6, &[and, x[2]], root)]
    });
    let mut module = module_of(f);
    run(&mut module, "cover");
    let text = module.to_string();
    assert!(text.contains(r#"loc(fused["layer1" neuron 9, "layer0" neuron 4])"#), "{text}");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let text = |threads, options: &str| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let f = random_net(11, 40, 6, 150);
        pool.install(|| {
            let mut module = module_of(f);
            run(&mut module, &format!("cover{options}"));
            module.to_string()
        })
    };
    for options in ["", "{sites=true}"] {
        let one = text(1, options);
        assert_eq!(one, text(1, options));
        assert_eq!(one, text(3, options));
    }
}

#[test]
fn options_out_of_range_are_refused() {
    for options in ["{k=1}", "{k=7}", "{cuts=0}", "{cuts=65}"] {
        let mut module = module_of(random_net(1, 4, 2, 4));
        let before = module.to_string();
        let failure = try_run(&mut module, &format!("cover{options}")).unwrap_err();
        assert_eq!(failure.errors[0].code.id, "BL2150");
        assert_eq!(module.to_string(), before);
    }
}

/// Of six inputs and of what that is where one of them is 1, or of its complement: one site, where that input can be given
/// complemented.
#[test]
fn exact_choices_move_inverters_for_halves_of_sites() {
    for (at, flip, inside, sites) in
        [(0, false, false, 1), (1, false, false, 2), (0, true, false, 1), (0, false, true, 2), (1, true, true, 2)]
    {
        let mut f = Func::new("f", FuncKind::Func);
        let x: Vec<Value> = (0..7).map(|i| f.add_param(format!("x{i}"), Type::BIT)).collect();
        let top = if inside { f.lut(0x8, &[x[5], x[6]], LocId::UNKNOWN) } else { x[5] };
        // Prime: no part of its inputs splits off.
        let whole = 0x1ee7_8d2c_96a5_3b47;
        let large = f.lut(whole, &[x[0], x[1], x[2], x[3], x[4], top], LocId::UNKNOWN);
        let half = (whole >> (32 * at)) as u32;
        let half = u64::from(if flip { !half } else { half });
        let small = f.lut(half, &x[..5], LocId::UNKNOWN);
        f.add_result("large", large);
        f.add_result("small", small);
        let g = covered(&f, "{sites=true,exact=1,loose=400,flips=true}");
        assert_eq!(tables(&g), tables(&f));
        assert_eq!(area(&g).luts as usize - pairs(&g, true).len(), sites, "{at} {flip} {inside}");
    }
}

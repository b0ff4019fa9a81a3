//! `muxes`: that it keeps what functions compute, what it saves, and that slices can hold what it builds.
#![allow(clippy::unwrap_used)]

mod common;

use blc_ir::table::mask;
use blc_ir::{Func, FuncKind, LocId, OpKind, Type, Value};
use blc_passes::count::{Area, count};
use common::{Rng, module_of, random_net, random_words, run, try_run};
use proptest::prelude::*;

const LOC: LocId = LocId::UNKNOWN;

fn through(f: Func, passes: &str) -> (Func, Area) {
    let mut module = module_of(f);
    run(&mut module, passes);
    let f = module.funcs.pop().unwrap();
    assert_slices(&f);
    let area = count(&f).total;
    (f, area)
}

/// Every multiplexer joins two LUTs, or two multiplexers of the level below, that nothing else reads.
fn assert_slices(f: &Func) {
    let uses = f.use_counts();
    for (_, op) in f.ops() {
        let first = match op.kind {
            OpKind::Xc7MuxF7 {} => true,
            OpKind::Xc7MuxF8 {} => false,
            _ => continue,
        };
        for v in &op.operands[..2] {
            let below = f.op(f.def_op(*v).unwrap()).kind;
            let fits = match below {
                OpKind::Xc7Lut6 { .. } => first,
                OpKind::Xc7MuxF7 {} => !first,
                _ => false,
            };
            assert!(fits && uses[v.index()] == 1, "{} of {}", op.info().mnemonic, below.info().mnemonic);
        }
    }
}

fn inputs(f: &mut Func, n: usize) -> Vec<Value> {
    let x = f.add_param("x", Type::bits(n));
    (0..n).map(|i| f.extract(x, i, Type::BIT, LOC)).collect()
}

/// A LUT over the first inputs.
fn table_of(n: usize, table: u64) -> Func {
    let mut f = Func::new("f", FuncKind::Func);
    let x = inputs(&mut f, n);
    let y = f.lut(table & mask(n), &x, LOC);
    f.add_result("y", y);
    f
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_functions_stay_the_same(seed: u64, nodes in 1usize..=30, k in 2usize..=4) {
        // `run` compares each pass's function with the one before.
        let passes = format!("cover{{k={k},muxes=true}},muxes{{k={k},sites=false}}");
        let (f, _) = through(random_net(seed, 9, 4, nodes), &passes);
        let widest = f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Lut { .. } | OpKind::Xc7Lut6 { .. }));
        prop_assert!(widest.map(|(_, op)| op.operands.len()).max().unwrap_or(0) <= k);
        through(random_net(seed, 9, 4, nodes), &format!("cover{{k={k}}},muxes{{k={k},sites=false}}"));
        through(random_net(seed, 12, 4, nodes), "muxes");
    }

    #[test]
    fn words_stay(seed: u64) {
        let f = random_words(seed, 12);
        through(f, "lower-encoder,lower-head,fold,cover{k=4,muxes=true},muxes{k=4,sites=false}");
    }
}

/// Found by the test above: a multiplexer that both halves of a LUT above it would keep.
#[test]
fn a_multiplexer_is_kept_once() {
    let (f, _) = through(random_net(11886935899215411836, 9, 4, 19), "cover{k=2,muxes=true},muxes{k=2,sites=false}");
    let luts = f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Lut { .. } | OpKind::Xc7Lut6 { .. }));
    assert!(luts.map(|(_, op)| op.operands.len()).max() <= Some(2));
}

#[test]
fn a_wide_table_takes_as_many_luts_as_it_must() {
    let mut rng = Rng(5);
    for _ in 0..20 {
        let five = through(table_of(5, rng.next()), "cover{k=4,muxes=true},muxes{k=4,sites=false}").1;
        assert!((five.luts, five.muxf7) == (2, 1) || five.luts < 2, "{five:?}");
        let six = through(table_of(6, rng.next()), "cover{k=4,muxes=true},muxes{k=4,sites=false}").1;
        assert_eq!((six.luts, six.muxf7, six.muxf8, six.levels), (4, 2, 1, 1));
    }
    // A multiplexer of two functions of four inputs has nine inputs, of four functions eighteen.
    for (groups, luts) in [(2, 2), (4, 4)] {
        let mut f = Func::new("f", FuncKind::Func);
        let x = inputs(&mut f, 18);
        let parts: Vec<Value> = (0..groups).map(|g| f.lut(rng.next() & 0xffff, &x[4 * g..][..4], LOC)).collect();
        let halves: Vec<Value> = parts.chunks(2).map(|p| f.lut(0xca, &[p[0], p[1], x[16]], LOC)).collect();
        // The complement is chosen: it goes into the LUTs.
        let y = if groups == 4 { f.lut(0x35, &[halves[0], halves[1], x[17]], LOC) } else { halves[0] };
        f.add_result("y", y);
        let area = through(f, "muxes{k=4,sites=false}").1;
        assert_eq!((area.luts, area.muxf7, area.muxf8), (luts, groups as u64 / 2, groups as u64 / 4));
    }
}

#[test]
fn tables_of_seven_and_eight_inputs_are_two_and_four_sites() {
    let mut rng = Rng(7);
    for (n, luts, seven, eight) in [(7, 2, 1, 0), (8, 4, 2, 1)] {
        let mut f = Func::new("f", FuncKind::Func);
        let x = inputs(&mut f, n);
        let words: Vec<u64> = (0..1 << (n - 6)).map(|_| rng.next()).collect();
        let y = f.lut_wide(&words, &x, LOC);
        f.add_result("y", y);
        let area = through(f, "cover{sites=true},muxes,pipeline{stages=0},to-xc7,dce").1;
        assert_eq!((area.luts, area.muxf7, area.muxf8), (luts, seven, eight));
    }
}

#[test]
fn wrong_options_are_refused() {
    for passes in ["muxes{k=7}", "cover{k=5,muxes=true}", "cover{k=4,muxes=true,sites=true}"] {
        let e = try_run(&mut module_of(table_of(4, 0x1234)), passes).unwrap_err();
        assert_eq!(e.errors[0].code.id, "BL2150", "{passes}");
    }
}

//! `iterate` and the handshake of `pipeline`: samples come and go at random, and each gives what the function says, once.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::collections::VecDeque;

use blc_ir::control::{Control, data_path};
use blc_ir::eval::{Evaluator, Machine, Val};
use blc_ir::{Func, FuncKind, LocId, Module, OpKind, Type, Value};
use blc_passes::equiv::{self, Options, Side, Verdict};
use common::mutate::{dropped_register, swapped_inputs, table_bit};
use common::{Rng, module_of, run, try_run};

/// A layer of tables, `groups` sums of four of them, and the largest.
fn net(groups: usize) -> Module {
    let mut f = Func::new("net", FuncKind::Func);
    let n = 4 * groups;
    let x = f.add_param("x", Type::bits(n));
    let bits: Vec<Value> = (0..n).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
    let layer: Vec<Value> = (0..n)
        .map(|i| {
            let loc = f.locs.neuron("layer0", i as u32);
            f.lut(0x9e37_79b9 >> (i % 8) & 0xff, &[bits[i], bits[(7 * i + 3) % n], bits[(3 * i + 5) % n]], loc)
        })
        .collect();
    let head = f.locs.layer(blc_ir::loc::HEAD);
    let sums: Vec<Value> = layer.chunks(4).map(|group| f.sum(group, 3, head)).collect();
    let class = f.word_argmax(&sums, head);
    let score = f.pack(&sums, Type::array(blc_ir::Elem::Word(3), &[groups]).unwrap(), LocId::UNKNOWN);
    f.add_result("class", class);
    f.add_result("score", score);
    module_of(f)
}

/// What went by in a stream: samples taken, results seen, resets.
type Passed = [u64; 3];

/// Sends samples with random pauses, each held until it is taken, resets now and then; results are to come in order, once
/// each, as the function says. Otherwise says what is wrong.
fn try_stream(
    before: &Module,
    after: &Module,
    seed: u64,
    mut next: impl FnMut(&mut Rng) -> Val,
) -> Result<Passed, &'static str> {
    let (plain, f) = (&before.funcs[0], &after.funcs[0]);
    let control = Control::of(f).unwrap();
    let mut reference = Evaluator::new(before, plain).unwrap();
    let mut machine = Machine::new(after, f).map_err(|_| "it is no machine")?;
    let rng = &mut Rng(seed);
    let inputs: Vec<usize> = (0..f.params.len()).filter(|&i| f.ty(f.params[i].value) != Type::CLOCK).collect();
    let mut under_way: VecDeque<(u64, Vec<Val>)> = VecDeque::new();
    let mut sample: Option<Val> = None;
    let (mut taken, mut seen, mut held, mut quiet) = (0, 0, 0, 0);
    for cycle in 0..600u64 {
        let resets = control.reset.is_some() && cycle % 97 == 50;
        if sample.is_none() && !rng.next().is_multiple_of(3) {
            sample = Some(next(rng));
            held = 0;
        }
        let values: Vec<Val> = inputs
            .iter()
            .map(|&i| match i {
                _ if control.valid_in == Some(i) => Val::bit(sample.is_some()),
                _ if control.reset.is_some_and(|(at, _)| at == i) => Val::bit(control.reset.unwrap().1 == resets),
                _ => sample.clone().unwrap_or_else(|| rng.val(f.ty(f.params[i].value))),
            })
            .collect();
        let outputs = machine.step(&values).map_err(|_| "a cycle without a result")?;
        held += u64::from(sample.is_some());
        let says = |at: Option<usize>| at.map(|at| outputs[at] == Val::bit(true));
        let ready = says(control.ready).unwrap_or(sample.is_some());
        if ready != (sample.is_some() && held == control.interval) {
            return Err("ready");
        }
        if ready {
            let expected = reference.run(&[sample.take().unwrap()]).unwrap();
            under_way.push_back((cycle + f.latency() - (control.interval - 1), expected));
            taken += 1;
        }
        if says(control.valid_out).unwrap() {
            let (due, expected) = under_way.pop_front().ok_or("a result of no sample")?;
            let data: Vec<Val> =
                (0..outputs.len()).filter(|&i| control.is_data_result(i)).map(|i| outputs[i].clone()).collect();
            if (due, expected) != (cycle, data) {
                return Err("a result is wrong or late");
            }
            seen += 1;
        }
        if under_way.front().is_some_and(|(due, _)| *due <= cycle) {
            return Err("a result is missing");
        }
        if resets {
            // Whatever is under way is gone, and a sample that waits begins anew.
            under_way.clear();
            (held, quiet) = (0, quiet + 1);
        }
    }
    Ok([taken, seen, quiet])
}

fn stream(before: &Module, after: &Module, seed: u64) {
    let plain = &before.funcs[0];
    let any = |rng: &mut Rng| rng.val(plain.ty(plain.params[0].value));
    let [taken, seen, quiet] = try_stream(before, after, seed, any).unwrap_or_else(|wrong| panic!("{wrong}"));
    let resets = Control::of(&after.funcs[0]).unwrap().reset.is_some();
    assert!(taken > 20 && seen > 15 && (!resets || quiet > 3), "{taken} {seen} {quiet}");
}

fn prove(before: &Module, after: &Module) -> Verdict {
    let side = |module| Side { module, f: &module.funcs[0] };
    equiv::compare(side(before), side(after), &Options::default()).unwrap().verdict
}

#[test]
fn sums_share_adders_over_any_number_of_cycles() {
    for (groups, interval) in [(2, 2), (5, 2), (5, 3), (5, 4), (5, 5), (9, 8)] {
        for registers in [
            "stages=0",
            "stages=1",
            "stages=4",
            "head_levels=1",
            "levels=1",
            "stages=2,inputs=true",
            "stages=3,reset=true",
            "stages=2,reset=false",
        ] {
            let before = net(groups);
            let mut after = before.clone();
            let passes =
                format!("iterate{{interval={interval}}},fold,lower-head,cover{{k=4}},fold,pipeline{{{registers}}},dce");
            run(&mut after, &passes);
            assert_eq!(prove(&before, &after), Verdict::Proved, "{groups} {interval} {registers}");
            stream(&before, &after, groups as u64 * interval);
        }
    }
}

/// Features of a width compared with constants of their own, a layer of tables, and the largest of three sums.
fn encoded(features: usize, width: u8, thresholds: &[usize]) -> Module {
    let rng = &mut Rng(features as u64 + u64::from(width));
    let mut f = Func::new("net", FuncKind::Func);
    let x = f.add_param("x", Type::array(blc_ir::Elem::Word(width), &[features]).unwrap());
    let mut bits: Vec<Value> = Vec::new();
    for feature in 0..features {
        let word = f.extract(x, feature * usize::from(width), Type::word(width), LocId::UNKNOWN);
        for t in 0..thresholds[feature % thresholds.len()] {
            let loc = f.locs.neuron(blc_ir::loc::ENCODER, (8 * feature + t) as u32);
            let bound = rng.word(width.into());
            bits.push(f.push1(OpKind::GtConst { bound }, &[word], Type::BIT, loc));
        }
    }
    let n = bits.len();
    let layer: Vec<Value> = (0..12)
        .map(|i| {
            let loc = f.locs.neuron("layer0", i as u32);
            f.lut(0x9e37_79b9 >> (i % 8) & 0xff, &[bits[i % n], bits[(7 * i + 3) % n], bits[(3 * i + 5) % n]], loc)
        })
        .collect();
    let head = f.locs.layer(blc_ir::loc::HEAD);
    let sums: Vec<Value> = layer.chunks(4).map(|group| f.sum(group, 3, head)).collect();
    let class = f.word_argmax(&sums, head);
    f.add_result("class", class);
    module_of(f)
}

#[test]
fn comparisons_share_comparators_over_any_number_of_cycles() {
    // Of 8 bits and of 3, with fewer thresholds than cycles and with more.
    for (width, thresholds, interval) in [(8, &[4usize, 7, 1][..], 3), (8, &[8], 8), (3, &[2, 5], 2), (12, &[3], 2)] {
        for registers in ["stages=0", "head_levels=1", "stages=3,reset=true,inputs=true"] {
            let before = encoded(4, width, thresholds);
            let mut after = before.clone();
            let passes = format!(
                "iterate{{interval={interval},encoder=true}},fold,lower-encoder,lower-head,cover{{k=4}},fold,pipeline{{{registers}}},dce"
            );
            run(&mut after, &passes);
            assert_eq!(prove(&before, &after), Verdict::Proved, "{width} {interval} {registers}");
            stream(&before, &after, interval);
        }
    }
}

#[test]
fn carry_chains_and_pairs_iterate_too() {
    let before = net(5);
    for registers in ["", "{stages=6,reset=true}", "{stages=0}"] {
        let mut after = before.clone();
        let passes = format!(
            "iterate{{interval=5}},fold,lower-head{{carry=true}},cover{{k=6,sites=true}},fold,muxes{{k=6}},pipeline{registers},to-xc7,dce"
        );
        run(&mut after, &passes);
        assert_eq!(prove(&before, &after), Verdict::Proved);
        stream(&before, &after, 7);
    }
}

#[test]
fn a_valid_bit_goes_beside_the_data() {
    for options in
        ["stages=3,valid=true", "stages=2,valid=true,reset=true", "stages=1,valid=true,reset=false,inputs=true"]
    {
        let before = net(3);
        let mut after = before.clone();
        run(&mut after, &format!("lower-head,cover{{k=6}},pipeline{{{options}}},dce"));
        assert_eq!(prove(&before, &after), Verdict::Proved);
        stream(&before, &after, 3);
    }
}

#[test]
fn registers_at_inputs_and_outputs_on_request() {
    for (options, latency) in [
        ("stages=0", 0),
        ("stages=0,inputs=true", 1),
        ("stages=0,outputs=true", 1),
        ("stages=0,inputs=true,outputs=true", 2),
        ("stages=3,inputs=true,outputs=true", 4),
    ] {
        let before = net(3);
        let mut after = before.clone();
        run(&mut after, &format!("lower-head,cover{{k=6}},pipeline{{{options}}},dce"));
        let f = &after.funcs[0];
        assert_eq!(f.latency(), latency, "{options}");
        let registers = f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Reg { stage: 1, .. })).count();
        match options {
            "stages=0,outputs=true" => assert_eq!(registers, 2 + 9),
            "stages=0,inputs=true" => assert_eq!(registers, 12),
            _ => {}
        }
    }
}

#[test]
fn samples_that_mix_are_refused() {
    let before = net(5);
    let mut after = before.clone();
    run(&mut after, "iterate{interval=5},fold,lower-head,cover{k=6},fold,pipeline{stages=2},dce");
    let f = &mut after.funcs[0];
    for (wrong, why) in [("latency", 4), ("interval", 4)] {
        let mut g = f.clone();
        g.set_attr(wrong, blc_ir::FuncAttr::Int(why));
        let found = data_path(&g).map(|f| f.is_some());
        assert_eq!(found.err().map(|e| e.code.id), Some("BL0216"), "{wrong}");
    }
    let counter = f.op_ids().find(|&id| matches!(f.op(id).kind, OpKind::Reg { stage: 0, .. })).unwrap();
    f.set_kind(counter, OpKind::Reg { stage: 0, init: true });
    assert_eq!(data_path(f).map(|f| f.is_some()).unwrap_err().code.id, "BL0216");
}

#[test]
fn a_flipped_bit_is_seen() {
    let before = net(5);
    let mut after = before.clone();
    run(&mut after, "iterate{interval=5},fold,lower-head,cover{k=6},fold,pipeline{stages=2},dce");
    let f = &mut after.funcs[0];
    let found = f.ops().find_map(|(id, op)| match op.kind {
        OpKind::Lut { table } if f.locs.first_layer(op.loc) == Some("layer0") => Some((id, table)),
        _ => None,
    });
    let (id, table) = found.unwrap();
    f.set_kind(id, OpKind::Lut { table: table ^ 1 });
    assert!(matches!(prove(&before, &after), Verdict::Refuted(_)));
}

/// Designs of several cycles with one mistake: what a stream of samples shows, or a counterexample, and what the prover says.
#[test]
fn every_mutant_is_told() {
    let designs = [
        (net(2), "iterate{interval=2},fold,lower-head,cover{k=4},fold,pipeline{stages=3},dce"),
        (net(2), "iterate{interval=2},fold,lower-head,cover{k=6},fold,pipeline{stages=2,reset=true},to-xc7,dce"),
        (
            encoded(2, 3, &[3]),
            "iterate{interval=3,encoder=true},fold,lower-encoder,lower-head,cover{k=4},fold,pipeline{stages=2},dce",
        ),
    ];
    let (mut refuted, mut refused, mut same) = (0, 0, 0);
    for (before, passes) in &designs {
        let mut good = before.clone();
        run(&mut good, passes);
        let plain = &before.funcs[0];
        let any = |rng: &mut Rng| rng.val(plain.ty(plain.params[0].value));
        for seed in 0..30 {
            let rng = &mut Rng(seed);
            for mutate in [table_bit as fn(&mut Rng, &mut Func) -> bool, swapped_inputs, dropped_register] {
                let mut mutant = good.clone();
                if !mutate(rng, &mut mutant.funcs[0]) {
                    continue;
                }
                let streams = try_stream(before, &mutant, seed, any);
                let side = |module| Side { module, f: &module.funcs[0] };
                match equiv::compare(side(before), side(&mutant), &Options::default()).map(|o| o.verdict) {
                    Ok(Verdict::Proved) => {
                        assert!(streams.is_ok(), "{streams:?}, but proved");
                        same += 1;
                    }
                    Ok(Verdict::Refuted(counter)) => {
                        let shown = try_stream(before, &mutant, seed, |_| counter.inputs[0].clone());
                        assert!(shown.is_err(), "{:?} shows nothing", counter.inputs);
                        refuted += 1;
                    }
                    // What a verifier or `data_path` refuses need not show in a stream.
                    Err(_) => refused += 1,
                    Ok(other) => panic!("{other:?}"),
                }
            }
        }
    }
    println!("several cycles: {refuted} mutants refuted, {refused} refused, {same} that change nothing proved equal");
    assert!(refuted > 50 && refused > 50 && same > 0, "{refuted} {refused} {same}");
}

#[test]
fn too_few_sums_are_refused() {
    for (groups, interval) in [(3, 4), (3, 1), (3, 0)] {
        let mut module = net(groups);
        let failure = try_run(&mut module, &format!("iterate{{interval={interval}}}")).unwrap_err();
        assert_eq!(failure.errors[0].code.id, "BL2130");
    }
    let few = try_run(&mut encoded(3, 8, &[2]), "iterate{interval=3,encoder=true}").unwrap_err();
    assert_eq!(few.errors[0].code.id, "BL2130");
    let failure = try_run(&mut net(4), "iterate,iterate").unwrap_err();
    assert_eq!(failure.errors[0].code.id, "BL2130");
}

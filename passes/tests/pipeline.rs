//! `pipeline`: every path gets the same number of registers, and a new input every cycle gives its own output.
#![allow(clippy::unwrap_used)]

mod common;

use blc_ir::eval::{Evaluator, Machine, Val};
use blc_ir::{Def, Func, FuncKind, Level, LocId, Module, OpKind, Type, Value};
use common::{Rng, body, module, module_of, random_net, run, try_run};
use proptest::prelude::*;

/// Registers on every path to a value, counted along each path: the set of different counts. Not the verifier's way.
fn registers(f: &Func, v: Value, known: &mut Vec<Option<Vec<u64>>>) -> Vec<u64> {
    if let Some(counts) = &known[v.index()] {
        return counts.clone();
    }
    let counts = match f.def(v) {
        Def::Param(_) => vec![0],
        Def::Result(id, _) => {
            let op = f.op(id);
            let register = matches!(op.kind, OpKind::Reg { .. });
            let operands = if register { &op.operands[..1] } else { op.operands };
            let mut all: Vec<u64> = operands.iter().flat_map(|&o| registers(f, o, known)).collect();
            all.iter_mut().for_each(|n| *n += u64::from(register));
            all.sort_unstable();
            all.dedup();
            all
        }
    };
    known[v.index()] = Some(counts.clone());
    counts
}

/// Checks a hardware module against the function it was made of: paths, stages and streamed samples.
fn check(before: &Func, module: &Module, seed: u64) -> Result<(), TestCaseError> {
    let f = &module.funcs[0];
    prop_assert_eq!(f.level(), Level::Hw);
    let latency = f.latency();
    prop_assert_eq!(f.clock().is_some(), latency > 0);
    let mut known = vec![None; f.value_count()];
    for port in &f.results {
        let counts = registers(f, port.value, &mut known);
        prop_assert!(counts.is_empty() || counts == [latency], "%{} after {counts:?} of {latency}", port.name);
    }
    for (_, op) in f.ops() {
        let OpKind::Reg { stage, init } = op.kind else { continue };
        let counts = known[op.result().index()].as_deref().unwrap_or_default();
        // None of what depends on constants only.
        prop_assert!(counts.is_empty() || counts == [u64::from(stage)], "stage {stage} after {counts:?}");
        prop_assert!(!init);
        prop_assert!(f.as_const(op.operands[0]).is_none(), "a constant is registered");
    }
    let mut reference = Evaluator::new(module, before).unwrap();
    let mut machine = Machine::new(module, f).unwrap();
    let rng = &mut Rng(seed);
    let mut expected = std::collections::VecDeque::new();
    for cycle in 0..latency + 12 {
        let inputs: Vec<Val> = before.params.iter().map(|p| rng.val(before.ty(p.value))).collect();
        expected.push_back(reference.run(&inputs).unwrap());
        let outputs = machine.step(&inputs).unwrap();
        if cycle >= latency {
            prop_assert_eq!(Some(outputs), expected.pop_front(), "cycle {}", cycle);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn paths_are_balanced(seed: u64, inputs in 1usize..8, layers in 1usize..5, nodes in 1usize..12, how in 0usize..9) {
        let mut module = module_of(random_net(seed, inputs, layers, nodes));
        let before = module.funcs[0].clone();
        let passes = ["pipeline", "pipeline{stages=0}", "pipeline{stages=1}", "pipeline{stages=3}", "pipeline{stages=20}",
            "pipeline{levels=1}", "fold,pipeline{levels=2}", "pipeline{period=3.5,net=0.3,fanout=0.2,setup=0.1}",
            "pipeline{latency=40,net=0.3,clock_to_output=0.5}"][how];
        run(&mut module, passes);
        check(&before, &module, seed)?;
        if let Some(n) = passes.strip_prefix("pipeline{stages=").and_then(|n| n.strip_suffix('}')) {
            prop_assert_eq!(module.funcs[0].latency().to_string(), n);
        }
    }
}

/// What the best of all schedules takes in registers, by trying each: so many stages of so many levels at most.
fn fewest(f: &Func, stages: usize, levels: u32) -> u64 {
    let tables: Vec<_> = f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Lut { .. })).collect();
    let mut best = u64::MAX;
    for mut number in 0..stages.pow(tables.len() as u32) {
        let mut stage = vec![1usize; f.value_count()];
        let mut level = vec![0u32; f.value_count()];
        let mut last = vec![0usize; f.value_count()];
        let mut legal = true;
        for (_, op) in &tables {
            let own = 1 + number % stages;
            number /= stages;
            stage[op.result().index()] = own;
            for v in op.operands {
                legal &= stage[v.index()] <= own;
                last[v.index()] = last[v.index()].max(own);
                let before = if stage[v.index()] == own { level[v.index()] } else { 0 };
                level[op.result().index()] = level[op.result().index()].max(before);
            }
            level[op.result().index()] += 1;
            legal &= level[op.result().index()] <= levels;
        }
        for port in f.results.iter().filter(|p| f.as_const(p.value).is_none()) {
            last[port.value.index()] = stages + 1;
        }
        let registers = last.iter().zip(&stage).map(|(&l, &s)| l.saturating_sub(s) as u64).sum();
        if legal && registers < best {
            best = registers;
        }
    }
    best
}

#[test]
fn no_schedule_takes_fewer_registers() {
    let rng = &mut Rng(11);
    let mut tried = 0;
    while tried < 60 {
        let mut f = Func::new("f", FuncKind::Func);
        let mut bits: Vec<Value> = (0..4).map(|i| f.add_param(format!("x{i}"), Type::BIT)).collect();
        for _ in 0..4 + rng.below(4) {
            let of = bits.len();
            let operands: Vec<Value> = (0..2).map(|_| bits[of - 1 - rng.below(of.min(5))]).collect();
            if operands[0] != operands[1] {
                bits.push(f.lut(6 + rng.below(3) as u64, &operands, LocId::UNKNOWN));
            }
        }
        let n = bits.len();
        for (i, &bit) in bits[4.max(n - 2)..].iter().enumerate() {
            f.add_result(format!("y{i}"), bit);
        }
        let mut tidy = module_of(f);
        run(&mut tidy, "dce");
        let f = tidy.funcs.remove(0);
        for (stages, levels) in [(2usize, 3u32), (3, 2), (3, 3)] {
            let best = fewest(&f, stages, levels);
            let mut module = module_of(f.clone());
            // So many stages exactly, and so many levels at most: both as the pass that is asked for one of them finds.
            if try_run(&mut module, &format!("pipeline{{levels={levels}}}")).is_err() {
                continue;
            }
            if module.funcs[0].latency() == stages as u64 {
                tried += 1;
                let registers = blc_passes::count::count(&module.funcs[0]).total.ffs;
                assert_eq!(registers, best, "{stages} stages of {levels} levels\n{f:?}");
            }
        }
    }
}

/// Most tables between two registers.
fn levels_a_stage(f: &Func) -> u32 {
    let mut level = vec![0; f.value_count()];
    for (_, op) in f.ops() {
        let before = op.operands.iter().map(|v| level[v.index()]).max().unwrap_or(0);
        level[op.result().index()] = match op.kind {
            OpKind::Lut { .. } => before + 1,
            OpKind::Reg { .. } => 0,
            _ => before,
        };
    }
    level.into_iter().max().unwrap_or(0)
}

/// A head of 60 bits in three groups behind a layer and an encoder.
const MODEL: &str = "func @f(%x: u8[10]) -> (%class: u2, %score: u5[3]) {\n\
    %0 = enc.thermometer %x {thresholds = #t} : bit[20] loc(\"encoder\")\n\
    %1 = lut.dense %0 {k = 2, connections = #c, tables = #d} : bit[60] loc(\"layer0\")\n\
    %2 = head.group_sum %1 {groups = 3} : u5[3]\n\
    %3 = head.argmax %2 {tie = lowest} : u2\n\
    return %3, %2\n}";

fn model() -> Module {
    let list = |n: usize, f: &dyn Fn(usize) -> usize| (0..n).map(|i| f(i).to_string()).collect::<Vec<_>>().join(", ");
    let resources = format!(
        "#t = data u8[10, 2] [{}]\n#c = data u32[60, 2] [{}]\n#d = data u64[60] [{}]",
        list(20, &|i| 40 + i / 2 * 7 + i % 2 * 90),
        list(120, &|i| (i * 7 + i / 40) % 20),
        list(60, &|i| [6, 8, 14, 1, 9, 7][i % 6]),
    );
    module(&resources, MODEL)
}

#[test]
fn a_model_gets_a_stage_for_encoder_layer_and_each_part_of_the_head() {
    for (levels, passes) in [(3, "pipeline"), (1, "pipeline{head_levels=1}"), (2, "pipeline{head_levels=2}")] {
        let mut module = model();
        run(&mut module, "expand,fold,lower-encoder,lower-head,fold");
        let before = module.funcs[0].clone();
        run(&mut module, passes);
        check(&before, &module, 1).unwrap();
        let f = &module.funcs[0];
        // The encoder has two levels: it is one stage all the same.
        assert!(levels_a_stage(f) <= levels.max(2), "{}", levels_a_stage(f));
        let stage_of = |name: &str| {
            let regs = f.ops().filter(|(_, op)| f.locs.first_layer(op.loc) == Some(name));
            let stages =
                regs.filter_map(|(_, op)| if let OpKind::Reg { stage, .. } = op.kind { Some(stage) } else { None });
            stages.min().unwrap()
        };
        assert_eq!((stage_of("encoder"), stage_of("layer0"), stage_of("head")), (1, 2, 3));
    }
    let mut combinational = model();
    run(&mut combinational, "expand,fold,lower-encoder,lower-head,pipeline{stages=0}");
    assert_eq!((combinational.funcs[0].latency(), combinational.funcs[0].clock()), (0, None));
}

#[test]
fn delays_are_shared_and_constants_are_not_registered() {
    let text = "func @f(%a: bit, %clk: bit) -> (%x: bit, %y: bit, %z: bit) {\n\
        %0 = lut(%a, %clk) {table = 0x6} : bit loc(\"layer0\" neuron 0)\n\
        %1 = lut(%0, %a) {table = 0x8} : bit loc(\"layer1\" neuron 0)\n\
        %2 = const {value = 1} : bit\nreturn %1, %a, %2\n}";
    assert_eq!(
        body(module("", text), "pipeline"),
        [
            "%0 = lut(%a, %clk) {table = 0x6} : bit loc(\"layer0\" neuron 0)",
            "%1 = seq.reg %0 clock %clk_1 {stage = 1, init = 0} : bit loc(\"layer0\" neuron 0)",
            "%2 = seq.reg %a clock %clk_1 {stage = 1, init = 0} : bit loc(\"layer1\" neuron 0)",
            "%3 = lut(%1, %2) {table = 0x8} : bit loc(\"layer1\" neuron 0)",
            "%4 = seq.reg %3 clock %clk_1 {stage = 2, init = 0} : bit loc(\"layer1\" neuron 0)",
            "%5 = seq.reg %2 clock %clk_1 {stage = 2, init = 0} : bit",
            "%6 = const {value = 1} : bit",
            "hw.output %4, %5, %6",
        ]
    );
}

#[test]
fn wires_alone_stay_wires() {
    let text = "func @f(%a: u4[2], %b: bit) -> (%x: u4[2], %y: bit[9]) {\n%0 = pack(%b, %a) : bit[9]\nreturn %a, %0\n}";
    let mut module = module("", text);
    let before = module.funcs[0].clone();
    run(&mut module, "pipeline");
    check(&before, &module, 0).unwrap();
    assert_eq!((module.funcs[0].latency(), module.funcs[0].results[0].value), (0, module.funcs[0].params[0].value));
}

#[test]
fn what_cannot_be_is_refused() {
    let f = |ops: &str| format!("func @f(%a: bit, %w: u4) -> (%y: bit) {{\n{ops}\nreturn %0\n}}");
    let cases = [
        ("%0 = word.gt_const(%w) {bound = 3} : bit", "pipeline", "BL2106"),
        ("%0 = word.gt(%w, %w) : bit", "pipeline", "BL2106"),
        ("%0 = lut(%a) {table = 0x2} : bit", "pipeline{stages=2,levels=1}", "BL2107"),
        ("%0 = lut(%a) {table = 0x2} : bit", "pipeline{stages=10001}", "BL2107"),
        ("%0 = lut(%a) {table = 0x2} : bit", "pipeline{levels=0}", "BL2107"),
        ("%0 = lut(%a) {table = 0x2} : bit", "pipeline{head_levels=0}", "BL2107"),
    ];
    for (ops, passes, code) in cases {
        let mut module = module("", &f(ops));
        let text = module.to_string();
        let failure = try_run(&mut module, passes).unwrap_err();
        assert_eq!(failure.errors[0].code.id, code, "{}", failure.errors[0]);
        assert!(failure.errors[0].help.is_some());
        assert_eq!(module.to_string(), text, "the module changed");
    }
    let mut wide = Func::new("f", FuncKind::Func);
    let x = wide.add_param("x", Type::bits(5000));
    wide.add_result("y", x);
    let failure = try_run(&mut module_of(wide), "pipeline{stages=10000}").unwrap_err();
    assert_eq!(failure.errors[0].code.id, "BL2102");
    let mut clash = Func::new("f", FuncKind::Func);
    let x = clash.add_param("x", Type::BIT);
    let y = clash.lut(1, &[x], LocId::UNKNOWN);
    clash.add_result("x", y);
    assert_eq!(try_run(&mut module_of(clash), "pipeline").unwrap_err().errors[0].code.id, "BL2108");
}

//! `fold`: what it makes of small texts, and that it keeps what functions compute.
#![allow(clippy::unwrap_used)]

mod common;

use blc_ir::{Func, FuncKind, LocId, OpKind, Type, Value};
use blc_passes::count::count;
use common::{Rng, assert_equal, body, module, module_of, random_net, random_words, run};
use proptest::prelude::*;

/// What folding makes of a function of bits `%a %b %c`, words `%v %w` and vector `%x`.
fn folded(results: &str, ops: &str) -> String {
    let text = format!("func @f(%a: bit, %b: bit, %c: bit, %v: u4, %w: u4, %x: bit[8]) -> ({results}) {{\n{ops}\n}}");
    body(module("", &text), "fold").join("\n")
}

#[test]
fn constants_and_needless_inputs_go() {
    let ops = "%0 = const {value = 1} : bit\n%1 = lut(%a, %0, %b) {table = 0x80} : bit\nreturn %1";
    assert_eq!(folded("%y: bit", ops), "%0 = lut(%a, %b) {table = 0x8} : bit\nreturn %0");
    // Input c is vacuous, a stands twice.
    let ops = "%0 = lut(%a, %c, %a) {table = 0xaa} : bit\n%1 = lut(%a, %a) {table = 0x6} : bit\n\
        %2 = lut(%0, %1, %b) {table = 0xfe} : bit\nreturn %2";
    assert_eq!(folded("%y: bit", ops), "%0 = lut(%a, %b) {table = 0xe} : bit\nreturn %0");
    let ops = "%0 = lut(%a, %a) {table = 0x9} : bit\nreturn %0";
    assert_eq!(folded("%y: bit", ops), "%0 = const {value = 1} : bit\nreturn %0");
    // Seven inputs of which two matter.
    let table = format!("0x{}", "f0".repeat(16));
    let ops = format!("%0 = lut.wide(%a, %b, %c, %a, %b, %c, %a) {{table = {table}}} : bit\nreturn %0");
    assert_eq!(folded("%y: bit", &ops), "return %c");
}

#[test]
fn inverters_go_into_their_readers() {
    let ops = "%0 = lut(%a) {table = 0x1} : bit\n%1 = lut(%0, %b) {table = 0x8} : bit\n\
        %2 = lut(%1) {table = 0x1} : bit\nreturn %2";
    // Not (not a and b): 0 only where a = 0 and b = 1.
    assert_eq!(folded("%y: bit", ops), "%0 = lut(%a, %b) {table = 0xb} : bit\nreturn %0");
    // The complement of an input needs an inverter, and so does that of a node wanted both ways.
    let ops = "%0 = lut(%a) {table = 0x1} : bit\nreturn %0";
    assert_eq!(folded("%y: bit", ops), ops);
    let ops = "%0 = lut(%a, %b) {table = 0x8} : bit\n%1 = lut(%b, %a) {table = 0x7} : bit\nreturn %0, %1";
    assert_eq!(
        folded("%y: bit, %z: bit", ops),
        "%0 = lut(%a, %b) {table = 0x8} : bit\n%1 = lut(%0) {table = 0x1} : bit\nreturn %0, %1"
    );
    // Wanted complemented by two results and plain by a table: no inverter is left.
    let ops = "%0 = lut(%a, %b) {table = 0x8} : bit\n%1 = lut(%0) {table = 0x1} : bit\n\
        %2 = lut(%0, %c) {table = 0x6} : bit\nreturn %1, %1, %2";
    assert_eq!(
        folded("%y: bit, %z: bit, %t: bit", ops),
        "%0 = lut(%a, %b) {table = 0x7} : bit\n%1 = lut(%c, %0) {table = 0x9} : bit\nreturn %0, %0, %1"
    );
}

#[test]
fn equal_functions_are_one_and_keep_all_origins() {
    let ops = "%0 = lut(%a, %b) {table = 0x2} : bit loc(\"layer0\" neuron 3)\n\
        %1 = lut(%b, %a) {table = 0x4} : bit loc(\"layer0\" neuron 4)\n\
        %2 = lut(%0, %1, %c) {table = 0x86} : bit loc(\"layer1\" neuron 0)\n\
        %3 = lut(%2) {table = 0x2} : bit loc(\"layer2\" neuron 9)\nreturn %3";
    assert_eq!(
        folded("%y: bit", ops),
        "%0 = lut(%a, %b) {table = 0x2} : bit loc(fused[\"layer0\" neuron 3, \"layer0\" neuron 4])\n\
         %1 = lut(%c, %0) {table = 0x8} : bit loc(fused[\"layer1\" neuron 0, \"layer2\" neuron 9])\nreturn %1"
    );
}

#[test]
fn wires_are_followed() {
    let ops = "%0 = pack(%a, %v, %b) : u6\n%1 = extract %0 {offset = 2} : u2\n%2 = extract %1 {offset = 1} : bit\n\
        %3 = extract %0 {offset = 5} : bit\nreturn %2, %3";
    assert_eq!(folded("%y: bit, %z: bit", ops), "%0 = extract %v {offset = 2} : bit\nreturn %0, %b");
    // All of a value, bit by bit, is that value; the same bits as another type are not.
    let bits: String = (0..4).map(|i| format!("%{i} = extract %v {{offset = {i}}} : bit\n")).collect();
    let ops = format!("{bits}%4 = pack(%0, %1, %2, %3) : u4\n%5 = pack(%0, %1, %3, %2) : u4\nreturn %4, %5");
    let text = folded("%y: u4, %z: u4", &ops);
    assert!(text.ends_with("return %v, %4") && text.contains("pack(%0, %1, %3, %2)"), "{text}");
    let ops = "%0 = extract %x {offset = 0} : u8\nreturn %0";
    assert_eq!(folded("%y: u8", ops), ops);
    // A run over two parts.
    let ops = "%0 = pack(%v, %w) : u8\n%1 = extract %0 {offset = 2} : u3\nreturn %1";
    assert_eq!(
        folded("%y: u3", ops),
        "%0 = extract %v {offset = 2} : bit[2]\n%1 = extract %w {offset = 0} : bit\n%2 = pack(%0, %1) : u3\nreturn %2"
    );
}

#[test]
fn words_fold_as_far_as_it_is_simple() {
    let cases = [
        // Equal thresholds, and thresholds nothing is above.
        (
            "%0 = word.gt_const(%v) {bound = 7} : bit\n%1 = word.gt_const(%v) {bound = 7} : bit\n\
          %2 = lut(%0, %1) {table = 0x8} : bit\nreturn %2",
            "%0 = word.gt_const(%v) {bound = 7} : bit\nreturn %0",
        ),
        ("%0 = word.gt_const(%v) {bound = 15} : bit\nreturn %0", "%0 = const {value = 0} : bit\nreturn %0"),
        ("%0 = word.gt_const(%a) {bound = 0} : bit\nreturn %0", "return %a"),
        ("%0 = word.gt(%v, %v) : bit\nreturn %0", "%0 = const {value = 0} : bit\nreturn %0"),
        (
            "%0 = const {value = 3} : u4\n%1 = word.gt(%v, %0) : bit\nreturn %1",
            "%0 = word.gt_const(%v) {bound = 3} : bit\nreturn %0",
        ),
        // 3 > v where not v > 2.
        (
            "%0 = const {value = 3} : u4\n%1 = word.gt(%0, %v) : bit\nreturn %1",
            "%0 = word.gt_const(%v) {bound = 2} : bit\n%1 = lut(%0) {table = 0x1} : bit\nreturn %1",
        ),
        ("%0 = word.mux(%a, %b, %b) : bit\nreturn %0", "return %b"),
        ("%0 = word.mux(%a, %b, %c) : bit\nreturn %0", "%0 = lut(%a, %b, %c) {table = 0xe4} : bit\nreturn %0"),
        (
            "%0 = lut(%a) {table = 0x1} : bit\n%1 = word.mux(%0, %v, %w) : u4\n%2 = extract %1 {offset = 3} : bit\nreturn %2",
            "%0 = word.mux(%a, %w, %v) : u4\n%1 = extract %0 {offset = 3} : bit\nreturn %1",
        ),
        (
            "%0 = word.argmax(%v, %v, %v) {tie = lowest} : u2\n%1 = extract %0 {offset = 1} : bit\nreturn %1",
            "%0 = const {value = 0} : bit\nreturn %0",
        ),
        // A bit and its complement are 1: a + !a + 3 = 4.
        (
            "%0 = lut(%a) {table = 0x1} : bit\n%1 = const {value = 3} : u2\n%2 = word.sum(%0, %1, %a) : u3\n\
          %3 = extract %2 {offset = 2} : bit\nreturn %3",
            "%0 = const {value = 1} : bit\nreturn %0",
        ),
        (
            "%0 = const {value = 5} : u3\n%1 = word.sum(%b, %0, %a, %b) : u3\n%2 = extract %1 {offset = 2} : bit\nreturn %2",
            "%0 = const {value = 5} : u3\n%1 = word.sum(%a, %b, %b, %0) : u3\n%2 = extract %1 {offset = 2} : bit\nreturn %2",
        ),
    ];
    for (ops, expected) in cases {
        assert_eq!(folded("%y: bit", ops), expected, "of\n{ops}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn keeps_what_nets_compute(seed: u64, inputs in 1usize..12, layers in 1usize..5, nodes in 1usize..24) {
        keeps(random_net(seed, inputs, layers, nodes), seed)?;
    }

    #[test]
    fn keeps_what_words_compute(seed: u64, ops in 5usize..60) {
        keeps(random_words(seed, ops), seed)?;
    }
}

fn keeps(f: Func, seed: u64) -> Result<(), TestCaseError> {
    let mut module = module_of(f);
    let before = module.funcs[0].clone();
    run(&mut module, "fold");
    assert_equal(&module, &before, &module.funcs[0], 64, seed);
    prop_assert!(count(&module.funcs[0]).total.lut_functions <= count(&before).total.lut_functions + muxes(&before));
    let again = run(&mut module, "fold");
    prop_assert!(!again.passes[0].changed, "folds further:\n{module}");
    // What is left is in canonical form.
    for (_, op) in module.funcs[0].ops() {
        if let OpKind::Lut { table } = op.kind {
            let k = op.operands.len();
            let support = blc_ir::table::support(blc_ir::table::widen(table, k));
            prop_assert_eq!(support, (1u8 << k) - 1, "needless input");
            prop_assert!(op.operands.is_sorted_by(|a, b| a < b), "inputs do not rise");
        }
    }
    Ok(())
}

/// Ops on words that may become tables.
fn muxes(f: &Func) -> u64 {
    f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Mux {} | OpKind::Gt {})).count() as u64
}

#[test]
fn a_million_gates_take_seconds() {
    let rng = &mut Rng(5);
    let mut f = Func::new("big", FuncKind::Func);
    let x = f.add_param("x", Type::bits(1000));
    let mut bits: Vec<Value> = (0..1000).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
    for i in 0..1_000_000u32 {
        let from = bits.len().saturating_sub(20_000);
        let operands = [rng.of(&bits[from..]), rng.of(&bits[from..])];
        let loc = f.locs.neuron("layer0", i);
        let table = rng.word(4);
        bits.push(f.lut(table, &operands, loc));
    }
    let y = f.pack(&bits[bits.len() - 20_000..], Type::bits(20_000), LocId::UNKNOWN);
    f.add_result("y", y);
    let mut module = module_of(f);
    let start = std::time::Instant::now();
    let pipeline = blc_passes::Pipeline::parse("fold", "", &blc_passes::Registry::standard()).unwrap();
    blc_passes::PassManager::default().run(&mut module, &pipeline, &mut ()).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert!(seconds < 20.0, "{seconds} s for a million gates");
    assert!(module.funcs[0].op_count() < 900_000);
}

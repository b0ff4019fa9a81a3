//! `quantize` and `expand`: models against the reference evaluator, and thresholds against plain arithmetic.
#![allow(clippy::unwrap_used)]

mod common;

use blc_ir::eval::{Evaluator, Val, affine, quantize};
use blc_ir::{Data, Level, Module};
use blc_passes::quantize::dequantize;
use common::{Rng, assert_equal, body, module, run, try_run};
use proptest::prelude::*;

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|i| i.to_string()).collect::<Vec<_>>().join(", ")
}

/// A random model: thermometer, two layers, group sum and argmax.
fn model(seed: u64, input: &str, features: usize, bits: usize, k: usize, thresholds: &[String]) -> Module {
    let rng = &mut Rng(seed);
    let dtype = match input {
        "f32" => "f32",
        _ => "u8",
    };
    let nodes = [17, 12];
    let wires = |rng: &mut Rng, n: usize, from: usize| list((0..n * k).map(|_| rng.below(from)));
    let words = (1usize << k).div_ceil(64);
    let tables = |rng: &mut Rng, n: usize| {
        list((0..n * words).map(|_| format!("{:#x}", if k < 6 { rng.word(1 << k) } else { rng.next() })))
    };
    let shape = |n: usize| if k > 6 { format!("{n}, {words}") } else { n.to_string() };
    let resources = format!(
        "#t = data {dtype}[{features}, {bits}] [{}]\n#c0 = data u32[17, {k}] [{}]\n#t0 = data u64[{}] [{}]\n\
         #c1 = data u32[12, {k}] [{}]\n#t1 = data u64[{}] [{}]",
        thresholds.join(", "),
        wires(rng, nodes[0], features * bits),
        shape(17),
        tables(rng, nodes[0]),
        wires(rng, nodes[1], nodes[0]),
        shape(12),
        tables(rng, nodes[1]),
    );
    let text = format!(
        "func @net(%x: {input}[{features}]) -> (%class: u2, %score: u3[3]) {{\n\
         %0 = enc.thermometer %x {{thresholds = #t}} : bit[{}] loc(\"encoder\")\n\
         %1 = lut.dense %0 {{k = {k}, connections = #c0, tables = #t0}} : bit[17] loc(\"layer0\")\n\
         %2 = lut.dense %1 {{k = {k}, connections = #c1, tables = #t1}} : bit[12] loc(\"layer1\")\n\
         %3 = head.group_sum %2 {{groups = 3}} : u3[3]\n%4 = head.argmax %3 {{tie = lowest}} : u2\nreturn %4, %3\n}}",
        features * bits
    );
    module(&resources, &text)
}

fn bytes(rng: &mut Rng, features: usize, bits: usize) -> Vec<String> {
    let rows = (0..features).flat_map(|_| {
        let mut row: Vec<u64> = (0..bits).map(|_| rng.word(8)).collect();
        row.sort_unstable();
        row
    });
    rows.map(|t| t.to_string()).collect()
}

fn reals(rng: &mut Rng, features: usize, bits: usize) -> Vec<f32> {
    let mut all = Vec::new();
    for _ in 0..features {
        let scale = 10f32.powi(rng.below(9) as i32 - 4);
        let shift = rng.word(8) as f32 - 128.0;
        let mut row: Vec<f32> = (0..bits).map(|_| (rng.word(16) as f32 / 65536.0 + shift) * scale).collect();
        row.sort_by(f32::total_cmp);
        all.extend(row);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn models_keep_their_meaning(seed: u64, features in 1usize..6, bits in 1usize..5, k in 1usize..8, lower in 0usize..4) {
        let thresholds = bytes(&mut Rng(seed), features, bits);
        let mut module = model(seed, ["u8", "u5", "u12", "u1"][lower], features, bits, k, &thresholds);
        let before = module.funcs[0].clone();
        let passes = ["expand", "quantize,expand,fold", "expand,fold,lower-encoder,lower-head,fold",
            "expand,fold,lower-encoder,lower-head,fold,cover,pipeline"][lower];
        let resources = module.resources.clone();
        run(&mut module, passes);
        // What the layers read is dropped from the module; the model's own function needs it.
        let mut both = module.clone();
        both.resources = resources;
        assert_equal(&both, &before, &module.funcs[0], 100, seed);
    }

    #[test]
    fn codes_stand_for_what_they_say(seed: u64, features in 1usize..5, bits in 1usize..9, width in 1u8..=16) {
        let reals = reals(&mut Rng(seed), features, bits);
        let text: Vec<String> = reals.iter().map(|t| format!("{t:?}")).collect();
        let mut module = model(seed, "f32", features, bits, 3, &text);
        let before = module.funcs[0].clone();
        let old = module.clone();
        let report = run(&mut module, &format!("quantize{{bits={width}}}"));
        let f = &module.funcs[0];
        let (offset, step) = affine(&module, f).unwrap();
        let codes = module.resources.iter().find(|r| r.name == "t.codes").unwrap();
        let Some(Data::U32(codes)) = &codes.data else { panic!() };
        let max = (1u64 << width) - 1;
        let mut lost = 0;
        for i in 0..features {
            let value = |code: u64| dequantize(code, offset[i], step[i]);
            for b in 0..bits {
                let (real, code) = (reals[i * bits + b], u64::from(codes[i * bits + b]));
                // Above the threshold where and only where the code is above its number.
                for c in [0, 1, code.saturating_sub(1), code, (code + 1).min(max), max / 2, max] {
                    prop_assert_eq!(value(c) > real, c > code, "code {} of {}", c, width);
                }
                let again = b > 0 && reals[i * bits + b - 1] == real;
                let shared = b > 0 && codes[i * bits + b - 1] == codes[i * bits + b];
                lost += u64::from(!again && (shared || code == max));
            }
            // With few thresholds in many codes a code's number is told from its neighbours'.
            if bits > 1 && width <= 10 && reals[i * bits] < reals[i * bits + bits - 1] {
                let c = max / 3;
                prop_assert_eq!(quantize(value(c), offset[i], step[i], width), c);
            }
        }
        prop_assert_eq!(report.fact("thresholds_lost"), Some(lost));
        prop_assert_eq!(report.warnings.len(), usize::from(lost > 0));
        // Reals and their codes give the same class and scores.
        let rng = &mut Rng(seed);
        let mut real = Evaluator::new(&old, &before).unwrap();
        let mut coded = Evaluator::new(&module, f).unwrap();
        for _ in 0..50 {
            let codes: Vec<u64> = (0..features).map(|_| rng.word(width.into())).collect();
            let x = (0..features).map(|i| dequantize(codes[i], offset[i], step[i])).collect();
            prop_assert_eq!(real.run(&[Val::F32(x)]).unwrap(), coded.run(&[Val::Packed(codes)]).unwrap());
        }
    }
}

#[test]
fn thresholds_that_lie_evenly_are_met_by_rounding() {
    // Thresholds 1 to 7: rounding to codes must change over exactly there.
    let thresholds: Vec<String> = (1..8).map(|t| format!("{t}.0")).collect();
    let mut module = model(3, "f32", 1, 7, 2, &thresholds);
    let report = run(&mut module, "quantize{bits=8}");
    assert_eq!((report.fact("thresholds"), report.fact("thresholds_lost")), (Some(7), Some(0)));
    let (offset, step) = affine(&module, &module.funcs[0]).unwrap();
    let Some(Data::U32(codes)) = &module.resources.iter().find(|r| r.name == "t.codes").unwrap().data else { panic!() };
    for (t, &code) in (1..8).zip(codes) {
        let near = step[0] / 100.0;
        assert!(quantize(t as f32 - near, offset[0], step[0], 8) <= code.into(), "{t}");
        assert!(quantize(t as f32 + near, offset[0], step[0], 8) > code.into(), "{t}");
    }
}

#[test]
fn hardly_any_bits_lose_thresholds_with_a_warning() {
    let thresholds: Vec<String> = (1..8).map(|t| format!("{t}.5")).collect();
    let mut module = model(3, "f32", 1, 7, 2, &thresholds);
    let report = run(&mut module, "quantize{bits=2}");
    assert!(report.fact("thresholds_lost").unwrap() >= 4);
    assert_eq!(report.warnings[0].code.id, "BL2105");
}

#[test]
fn bounds_outside_the_word_are_constants() {
    let text = "func @f(%x: u4[1]) -> (%y: bit[5]) {\n%0 = enc.thermometer %x {thresholds = #t} : bit[5]\nreturn %0\n}";
    let lines = body(module("#t = data f32[1, 5] [-0.5, 0.0, 2.75, 14.5, 15.0]", text), "expand");
    assert_eq!(
        lines,
        [
            "%0 = extract %x {offset = 0} : u4",
            "%1 = const {value = 1} : bit",
            "%2 = word.gt_const(%0) {bound = 0} : bit loc(\"encoder\" neuron 1)",
            "%3 = word.gt_const(%0) {bound = 2} : bit loc(\"encoder\" neuron 2)",
            "%4 = word.gt_const(%0) {bound = 14} : bit loc(\"encoder\" neuron 3)",
            "%5 = const {value = 0} : bit",
            "%6 = pack(%1, %2, %3, %4, %5) : bit[5]",
            "return %6",
        ]
    );
}

#[test]
fn layers_become_tables_with_origins() {
    let resources = "#c = data u32[2, 2] [2, 0, 1, 1]\n#t = data u64[2] [0x8, 0x6]";
    let text = "func @f(%x: bit[3]) -> (%y: u2[1], %c: u1) {\n\
        %0 = lut.dense %x {k = 2, connections = #c, tables = #t} : bit[2]\n\
        %1 = head.group_sum %0 {groups = 1} : u2[1]\n%2 = head.argmax %1 {tie = lowest} : u1\nreturn %1, %2\n}";
    assert_eq!(
        body(module(resources, text), "expand"),
        [
            "%0 = extract %x {offset = 0} : bit",
            "%1 = extract %x {offset = 1} : bit",
            "%2 = extract %x {offset = 2} : bit",
            "%3 = lut(%2, %0) {table = 0x8} : bit loc(\"layer0\" neuron 0)",
            "%4 = lut(%1, %1) {table = 0x6} : bit loc(\"layer0\" neuron 1)",
            "%5 = word.sum(%3, %4) : u2 loc(\"head\" neuron 0)",
            "%6 = word.argmax(%5) {tie = lowest} : u1 loc(\"head\")",
            "%7 = pack(%5) : u2[1]",
            "return %7, %6",
        ]
    );
}

#[test]
fn what_cannot_be_lowered_is_refused() {
    let outside = "func @f(%x: u4[1]) -> (%y: bit[1]) {\n%0 = ext(%x) {op = \"mine\"} : u4[1]\n\
        %1 = enc.thermometer %0 {thresholds = #t} : bit[1]\nreturn %1\n}";
    let real =
        "func @f(%x: f32[1]) -> (%y: bit[1]) {\n%0 = enc.thermometer %x {thresholds = #t} : bit[1]\nreturn %0\n}";
    let second = "func @f(%a: bit, %x: f32[1]) -> (%y: bit[1]) {\n\
        %0 = enc.thermometer %x {thresholds = #t} : bit[1]\nreturn %0\n}";
    let byte = "func @f(%x: u8[1]) -> (%y: bit[1]) {\n%0 = enc.thermometer %x {thresholds = #t} : bit[1]\nreturn %0\n}";
    let cases = [
        (outside, "expand", "BL2109"),
        (real, "expand", "BL2103"),
        (second, "quantize", "BL2103"),
        (real, "quantize{bits=0}", "BL2104"),
        (real, "quantize{bits=17}", "BL2104"),
        (byte, "fold", "BL2006"),
        (byte, "expand,expand", "BL2006"),
        (byte, "to-xc7", "BL2006"),
    ];
    for (text, passes, code) in cases {
        let mut module = module("#t = data f32[1, 1] [0.5]", text);
        let failure = try_run(&mut module, passes).unwrap_err();
        assert_eq!(failure.errors[0].code.id, code, "{passes}: {}", failure.errors[0]);
        assert!(failure.errors[0].help.is_some());
        assert_eq!(module.funcs[0].level(), if passes == "expand,expand" { Level::Bit } else { Level::Tensor });
    }
    // Data that is not there, from a module that was not verified.
    let mut module = module("#t = data f32[1, 1] [0.5]", byte);
    module.resources[0].data = None;
    assert_eq!(try_run(&mut module, "expand").unwrap_err().errors[0].code.id, "BL2101");
}

//! The text form: print and parse are inverse, and every error has its place.

use blc_ir::diag::Source;
use blc_ir::{Module, eval, parse, print, verify};

fn read(text: &str) -> Module {
    let source = Source::new("t.blir", text);
    match parse::parse_with_places(&source) {
        Ok(parsed) => {
            let errors = parsed.verify();
            assert!(errors.is_empty(), "{}", errors[0]);
            parsed.module
        }
        Err(errors) => panic!("{}", errors[0]),
    }
}

/// The example of the language reference: all three levels.
const EXAMPLE: &str = r##"blir 0.1
#e0 = data f32[2, 3] [63.0, 127.0, 191.5, 0.0, 1e-7, 255.0]
#c0 = data u32[4, 2] [0, 3, 1, 4, 2, 5, 5, 0]
#t0 = data u64[4] [0x8, 0x6, 0xe, 0x0]
module @mnist_s {target = "xc7"} {
  func @net(%x: u8[2]) -> (%class: u1, %score: u2[2]) {
    %t = enc.thermometer %x {thresholds = #e0} : bit[6] loc("encoder")
    %h = lut.dense %t {k = 2, connections = #c0, tables = #t0} : bit[4] loc("layer0")
    %s = head.group_sum %h {groups = 2} : u2[2] loc("head")
    %c = head.argmax %s {tie = lowest} : u1 loc("head")
    return %c, %s
  }
  func @cone17(%a: bit, %b: bit, %c: bit) -> (%y: bit) {
    %0 = lut(%a, %b) {table = 0x8} : bit loc("layer0" neuron 17)
    %1 = lut(%0, %c) {table = 0x6} : bit loc("layer1" neuron 4)
    return %1
  }
  hw.module @cone17_p1(in %clk: clock, in %a: bit, in %b: bit, in %c: bit, out %y: bit) {latency = 1} {
    %n = xc7.lut6(%a, %b, %c) {init = 0x78} : bit loc(fused["layer0" neuron 17, "layer1" neuron 4])
    %q = seq.reg %n clock %clk {stage = 1, init = 0} : bit
    hw.output %q
  }
  hw.module @zoo(in %"x[0]": bit, in %clk: clock, in %w: u4[2], out %y: bit, out %z: u2) {note = "a \"quoted\" text"} {
    %one = const {value = 1} : bit
    %0 = extract %w {offset = 5} : bit
    %1, %2 = xc7.lut6_2(%"x[0]", %0, %0, %0, %0, %one) {init = 0x8888888866666666} : bit, bit loc("a.blif":12)
    %3 = xc7.muxf7(%1, %2, %q) : bit
    %q = xc7.fdre %3 clock %clk {stage = 0, init = 1} : bit
    %4 = pack(%3, %q) : u2
    hw.output %q, %4
  }
  func @wide(%a: bit[7]) -> (%y: bit) {
    %0 = extract %a {offset = 0} : bit
    %1 = extract %a {offset = 6} : bit
    %2 = lut.wide(%0, %1, %0, %0, %0, %0, %1) {table = 0x80000000000000000000000000000001} : bit
    %3 = ext(%2) {op = "vendor.thing"} : bit
    return %3
  }
}
"##;

#[test]
fn canonical_text_survives_parse_and_print() {
    assert_eq!(print::print(&read(EXAMPLE)), EXAMPLE);
}

#[test]
fn printing_is_a_fixpoint_of_sloppy_text() {
    let sloppy = "blir 0.1 // a comment\nmodule @m {\nfunc @f ( %in : bit ,%b:bit)->(%y:bit){\n\
        %7=lut( %in,%b ){ table=6 }:bit\n  %x = lut(%7) {table = 1} : bit return %x } }";
    let once = print::print(&read(sloppy));
    assert_eq!(print::print(&read(&once)), once);
    assert!(
        once.contains("    %0 = lut(%in, %b) {table = 0x6} : bit\n    %x = lut(%0) {table = 0x1} : bit\n"),
        "{once}"
    );
}

#[test]
fn several_errors_come_out_of_one_run() {
    let text = "blir 0.1\nmodule @m {\n  func @f(%a: bit) -> (%y: bit) {\n    %0 = lutt(%a) {table = 0x1} : bit\n    \
        %1 = lut(%a, ) {tabel = 0x1} : bit\n    %2 = lut(%zz) {table = 0x1} : bit\n    return %2\n  }\n  func @g(%a: bat) \
        -> () {\n    return\n  }\n}\n";
    let source = Source::new("t.blir", text);
    let errors = parse::parse(&source).unwrap_err();
    let found: Vec<_> = errors.iter().map(|e| (e.code.id, e.record().line.unwrap())).collect();
    assert_eq!(found, [("BL0104", 4), ("BL0107", 5), ("BL0105", 6), ("BL0102", 9)]);
}

#[test]
fn evaluates_all_three_levels() {
    use eval::Val;
    let module = read(EXAMPLE);
    let run = |f: usize, inputs: &[Val]| eval::evaluate(&module, &module.funcs[f], inputs).unwrap();
    // Thermometer bits 1 1 0 / 1 1 0; nodes: and(t0, t3) = 1, xor(t1, t4) = 0, or(t2, t5) = 0, never.
    let out = run(0, &[Val::Packed(vec![130, 9])]);
    assert_eq!(out, [Val::Packed(vec![0]), Val::Packed(vec![1, 0])]);
    for a in 0..8u64 {
        let bits = [a & 1, a >> 1 & 1, a >> 2 & 1];
        let inputs: Vec<_> = bits.iter().map(|&b| Val::bit(b == 1)).collect();
        let want = Val::bit((bits[0] & bits[1]) ^ bits[2] == 1);
        for f in [1, 2] {
            assert_eq!(run(f, &inputs)[0], want);
        }
    }
    let wide = |bits: u64| run(4, &[Val::Packed((0..7).map(|i| bits >> i & 1).collect())]);
    // `ext` has no meaning, so the function is refused.
    assert!(std::panic::catch_unwind(|| wide(0)).is_err());
}

#[test]
fn machine_steps_registers() {
    use eval::{Machine, Val};
    let module = read(EXAMPLE);
    let mut machine = Machine::new(&module, &module.funcs[2]).unwrap();
    let inputs = |a: bool, b: bool, c: bool| [Val::bit(a), Val::bit(b), Val::bit(c)];
    assert_eq!(machine.step(&inputs(true, true, false)).unwrap(), [Val::bit(false)]);
    assert_eq!(machine.step(&inputs(false, false, false)).unwrap(), [Val::bit(true)]);
    assert_eq!(machine.step(&inputs(false, false, false)).unwrap(), [Val::bit(false)]);
    let zoo = &module.funcs[3];
    let mut machine = Machine::new(&module, zoo).unwrap();
    let out = machine.step(&[Val::bit(false), Val::Packed(vec![0, 0])]).unwrap();
    assert_eq!(out[0], Val::bit(true), "the register starts at its init");
    assert!(eval::Evaluator::new(&module, zoo).is_err(), "feedback has no steady state");
}

#[test]
fn a_million_ops_fit() {
    let n = 1_000_000u32;
    let mut f = blc_ir::Func::new("f", blc_ir::FuncKind::Func);
    let mut last: Vec<_> = (0..6).map(|i| f.add_param(format!("i{i}"), blc_ir::Type::BIT)).collect();
    for i in 0..n {
        let loc = f.locs.neuron("layer0", i);
        let v = f.lut(u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15), &last, loc);
        last[(i % 6) as usize] = v;
    }
    f.add_result("y", last[0]);
    f.shrink_to_fit();
    assert!(f.heap_bytes() < 150_000_000, "{}", f.heap_bytes());
    let mut module = Module::new("m");
    module.funcs.push(f);
    assert!(verify::verify(&module).is_empty());
    let text = print::print(&module);
    let again = parse::parse(&Source::new("m", text.as_str())).unwrap();
    assert!(again.funcs[0].heap_bytes() < 150_000_000);
    assert_eq!(print::print(&again), text);
}

#[test]
fn formatting_keeps_comments_where_they_were() {
    let text = "// by hand\n\nblir 0.1 // version\n// a module\nmodule @m {\nfunc @f ( %in : bit ,\n // odd place\n %b:bit)\n\
                ->(%y:bit){ // words\n%7=lut( %in,%b ){ table=6 }:bit\n // last\n%x = lut(%7) {table = 1} : bit return %x // r\n\
                //none follows\n}\n}\n// end\n\n//";
    let formatted = "// by hand\nblir 0.1  // version\n// a module\nmodule @m {\n  func @f(%in: bit, %b: bit) -> (%y: bit) {  // words\n    \
                     // odd place\n    %0 = lut(%in, %b) {table = 0x6} : bit\n    // last\n    %x = lut(%0) {table = 0x1} : bit\n    \
                     return %x  // r\n    //none follows\n  }\n}\n// end\n//\n";
    let format = |text: &str| parse::format(&Source::new("t", text));
    assert_eq!(format(text).unwrap(), formatted);
    assert_eq!(format(formatted).unwrap(), formatted);
    assert_eq!(format(EXAMPLE).unwrap(), EXAMPLE, "without comments it is what is printed");
    assert_eq!(format("blir 0.1\nmodule @m { oops").unwrap_err()[0].code.id, "BL0102");
}

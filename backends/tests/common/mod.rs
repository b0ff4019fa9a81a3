//! Small designs, and other people's tools to check them with.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use blc_backends::emit::{File, Format, Options};
use blc_backends::verilog::testbench::Vector;
use blc_ir::eval::{Evaluator, Val};
use blc_ir::loc::{HEAD, LocId};
use blc_ir::{Func, FuncAttr, FuncKind, Module, OpKind, Type, Value};

/// A module of one function.
pub fn module(name: &str, f: Func) -> Module {
    let mut module = Module::new(name);
    module.funcs.push(f);
    let errors = blc_ir::verify::verify(&module);
    assert!(errors.is_empty(), "{errors:#?}");
    module
}

fn hw(name: &str, latency: Option<u64>) -> Func {
    let mut f = Func::new(name, FuncKind::HwModule);
    if let Some(n) = latency {
        f.set_attr("latency", FuncAttr::Int(n));
    }
    f
}

/// `(a & b) ^ c` as a chain of two lookup tables, at bit level.
pub fn cone17() -> Module {
    let mut f = Func::new("cone17", FuncKind::Func);
    let [a, b, c] = ["a", "b", "c"].map(|n| f.add_param(n, Type::BIT));
    let loc = f.locs.neuron("layer0", 17);
    let and = f.lut(0x8, &[a, b], loc);
    let loc = f.locs.neuron("layer1", 4);
    let y = f.lut(0x6, &[and, c], loc);
    f.add_result("y", y);
    module("cone17", f)
}

/// The same as one LUT6 and a register.
pub fn cone17_p1() -> Module {
    let mut f = hw("cone17_p1", Some(1));
    let clk = f.add_param("clk", Type::CLOCK);
    let [a, b, c] = ["a", "b", "c"].map(|n| f.add_param(n, Type::BIT));
    let locs = [f.locs.neuron("layer1", 4), f.locs.neuron("layer0", 17)];
    let loc = f.locs.fuse(locs);
    let n = f.push1(OpKind::Xc7Lut6 { init: 0x78 }, &[a, b, c], Type::BIT, loc);
    let q = f.reg(n, clk, 1, loc);
    f.add_result("y", q);
    module("cone17_p1", f)
}

/// Two layers of four LUT3 nodes, two groups, an argmax; registers after each layer where `pipelined`.
pub fn net(pipelined: bool) -> Module {
    let mut f = hw("net", Some(if pipelined { 2 } else { 0 }));
    let clk = pipelined.then(|| f.add_param("clk", Type::CLOCK));
    let x = f.add_param("x", Type::bits(7));
    let mut bits: Vec<Value> = (0..6).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
    let tables = [[0xe8, 0x96, 0x3a, 0x6d], [0xca, 0x80, 0x17, 0xd4]];
    let wires = [[[0, 1, 2], [1, 3, 5], [2, 3, 4], [0, 4, 5]], [[0, 1, 2], [1, 2, 3], [3, 0, 1], [2, 0, 3]]];
    for layer in 0..2usize {
        let name = format!("layer{layer}");
        let mut next = Vec::new();
        for node in 0..4usize {
            let loc = f.locs.neuron(&name, node as u32);
            let inputs = wires[layer][node].map(|w| bits[w]);
            next.push(f.lut(tables[layer][node], &inputs, loc));
        }
        if let Some(clk) = clk {
            for (node, bit) in next.iter_mut().enumerate() {
                let loc = f.locs.neuron(&name, node as u32);
                *bit = f.reg(*bit, clk, layer as u32 + 1, loc);
            }
        }
        bits = next;
    }
    let mut scores = Vec::new();
    for group in 0..2 {
        let loc = f.locs.neuron(HEAD, group as u32);
        let pair = [bits[2 * group], bits[2 * group + 1]];
        let low = f.lut(0x6, &pair, loc);
        let high = f.lut(0x8, &pair, loc);
        scores.extend([low, high]);
    }
    let loc = f.locs.layer(HEAD);
    // The second group is greater: b1 & !a1 | (b1 ~^ a1) & b0 & !a0, operands a0, a1, b0, b1.
    let greater = |a: usize| (a >> 2) > (a & 3);
    let table = (0..16).filter(|&a| greater(a)).fold(0, |t, a| t | 1 << a);
    let class = f.lut(table, &scores, loc);
    let class = f.pack(&[class], Type::word(1), loc);
    let score = f.pack(&scores, Type::array(blc_ir::Elem::Word(2), &[2]).unwrap(), loc);
    f.add_result("class", class);
    f.add_result("score", score);
    module("net", f)
}

/// Every primitive of xc7, fed by the ten bits of one port.
pub fn zoo() -> Module {
    let mut f = hw("zoo", Some(1));
    let clk = f.add_param("clk", Type::CLOCK);
    let x = f.add_param("x", Type::bits(10));
    let x: Vec<Value> = (0..10).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
    let mut outs = Vec::new();
    for k in 1..=6usize {
        let loc = f.locs.neuron("layer0", k as u32);
        let init = 0x9e37_79b9_7f4a_7c15 & blc_ir::table::mask(k);
        outs.push(f.push1(OpKind::Xc7Lut6 { init }, &x[..k], Type::BIT, loc));
    }
    let loc = f.locs.neuron("layer1", 0);
    let dual = f.push(OpKind::Xc7Lut6_2 { init: 0xd1b5_4a32_d192_ed03 }, &x[..6], &[Type::BIT; 2], loc);
    outs.extend(f.op(dual).results());
    let one = f.constant(1, Type::BIT);
    let both = f.push(
        OpKind::Xc7Lut6_2 { init: 0x8888_8888_6666_6666 },
        &[x[7], x[8], x[1], x[2], x[3], one],
        &[Type::BIT; 2],
        loc,
    );
    outs.extend(f.op(both).results());
    let loc = f.locs.neuron(HEAD, 3);
    let carry = f.push(OpKind::Xc7Carry4 {}, &x, &[Type::BIT; 8], loc);
    outs.extend(f.op(carry).results());
    // Another one behind it, of which only one carry and one sum are read.
    let zero = f.constant(0, Type::BIT);
    let top = f.op(carry).results().nth(7).unwrap();
    let operands = [x[9], x[2], x[4], x[6], x[0], x[1], x[2], x[3], top, zero];
    let second: Vec<Value> = {
        let id = f.push(OpKind::Xc7Carry4 {}, &operands, &[Type::BIT; 8], loc);
        f.op(id).results().collect()
    };
    outs.extend([second[2], second[5]]);
    let loc = f.locs.line("zoo.blif", 12);
    let seven = f.push1(OpKind::Xc7MuxF7 {}, &[x[0], x[4], x[8]], Type::BIT, loc);
    let eight = f.push1(OpKind::Xc7MuxF8 {}, &[seven, x[5], x[9]], Type::BIT, loc);
    outs.extend([seven, eight]);
    let mut delayed = Vec::new();
    for (i, &v) in outs.iter().enumerate() {
        let kind = match i % 2 {
            0 => OpKind::Xc7Fdre { stage: 1, init: i % 4 == 0 },
            _ => OpKind::Reg { stage: 1, init: i % 4 == 1 },
        };
        delayed.push(f.push1(kind, &[v, clk], Type::BIT, LocId::UNKNOWN));
    }
    let y = f.pack(&delayed, Type::bits(delayed.len()), LocId::UNKNOWN);
    f.add_result("y", y);
    module("zoo", f)
}

/// Ports and values with names that netlists do not like, and wiring of every kind: bits that nothing reads, inputs and
/// constants as outputs, a net that is two outputs.
pub fn odd() -> Module {
    let mut f = hw("odd names", None);
    let reg = f.add_param("reg", Type::BIT);
    let bracket = f.add_param("in[3]", Type::BIT);
    let twin = f.add_param("in_3", Type::BIT);
    let wide = f.add_param("table", Type::word(64));
    let unread = f.add_param("unread", Type::bits(3));
    let image = f.add_param("image", Type::array(blc_ir::Elem::Word(3), &[2, 2]).unwrap());
    let _ = unread;
    let pixel = f.extract(image, 6, Type::word(3), LocId::UNKNOWN);
    let low = f.extract(pixel, 1, Type::BIT, LocId::UNKNOWN);
    let high = f.extract(wide, 63, Type::BIT, LocId::UNKNOWN);
    let and = f.lut(0x80, &[reg, bracket, twin], LocId::UNKNOWN);
    f.set_name(and, "assign");
    let loc = f.locs.line("a \"b\".blif", 7);
    let many = f.lut(0x1234_5678_9abc_def1, &[reg, bracket, twin, low, high, and], loc);
    let same = f.locs.neuron("class", 1);
    let not = f.lut(0x1, &[many], same);
    let buffer = f.lut(0x2, &[many], same);
    let one = f.constant(1, Type::BIT);
    let zero = f.constant(0, Type::BIT);
    let three = f.constant(5, Type::word(3));
    let always = f.lut(0xf, &[and, zero], LocId::UNKNOWN);
    f.set_name(always, "y");
    let word = f.pack(&[and, not, one, buffer, low, high, many, three], Type::word(10), LocId::UNKNOWN);
    f.add_result("class", word);
    f.add_result("y", and);
    f.add_result("wire", and);
    f.add_result("out[0]", reg);
    f.add_result("out_0", one);
    f.add_result("image2", image);
    f.add_result("always", always);
    module("odd names", f)
}

/// A lookup table of eight inputs and one of seven, at bit level.
pub fn wide() -> Module {
    let mut f = Func::new("wide", FuncKind::Func);
    let x = f.add_param("x", Type::bits(8));
    let x: Vec<Value> = (0..8).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
    let a = f.lut_wide(&[0x0123_4567_89ab_cdef, 0, u64::MAX, 0x8000_0000_0000_0001], &x, LocId::UNKNOWN);
    let b = f.lut_wide(&[0xfedc_ba98_7654_3210, 0x00ff_00ff_1234_4321], &x[1..], LocId::UNKNOWN);
    f.add_result("a", a);
    f.add_result("b", b);
    module("wide", f)
}

/// A sequence of numbers that look random (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Layers of random tables over random earlier nets of the same stage, `stages` registers deep, with generic ops or
/// primitives.
pub fn random(seed: u64, stages: u32, primitives: bool) -> Module {
    let mut r = Random(seed);
    let mut f = hw("random", Some(u64::from(stages)));
    let clk = (stages > 0).then(|| f.add_param("clk", Type::CLOCK));
    let x = f.add_param("x", Type::array(blc_ir::Elem::Word(3), &[4]).unwrap());
    let c = f.add_param("c", Type::BIT);
    let mut nets: Vec<Value> = (0..12).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
    nets.push(c);
    for stage in 0..=stages {
        let layer = format!("layer{stage}");
        for node in 0..20 {
            let loc = f.locs.neuron(&layer, node);
            let pick = |r: &mut Random, n| (0..n).map(|_| nets[r.below(nets.len())]).collect::<Vec<_>>();
            let k = 1 + r.below(6);
            let inputs = pick(&mut r, k);
            let table = r.next() & blc_ir::table::mask(k);
            let made: Vec<Value> = match r.below(if primitives { 8 } else { 2 }) {
                0 | 1 => vec![f.lut(table, &inputs, loc)],
                2 | 3 => vec![f.push1(OpKind::Xc7Lut6 { init: table }, &inputs, Type::BIT, loc)],
                4 | 5 => {
                    let inputs = pick(&mut r, 6);
                    let id = f.push(OpKind::Xc7Lut6_2 { init: r.next() }, &inputs, &[Type::BIT; 2], loc);
                    f.op(id).results().collect()
                }
                6 => {
                    let inputs = pick(&mut r, 3);
                    vec![f.push1(OpKind::Xc7MuxF7 {}, &inputs, Type::BIT, loc)]
                }
                _ => {
                    let inputs = pick(&mut r, 10);
                    let id = f.push(OpKind::Xc7Carry4 {}, &inputs, &[Type::BIT; 8], loc);
                    f.op(id).results().collect()
                }
            };
            nets.extend(made);
        }
        if let (Some(clk), true) = (clk, stage < stages) {
            for v in nets.iter_mut().skip(10) {
                *v = match primitives {
                    true => f.push1(
                        OpKind::Xc7Fdre { stage: stage + 1, init: false },
                        &[*v, clk],
                        Type::BIT,
                        LocId::UNKNOWN,
                    ),
                    false => f.reg(*v, clk, stage + 1, LocId::UNKNOWN),
                };
            }
            nets.drain(..10);
        }
    }
    let last: Vec<Value> = nets[nets.len() - 16..].to_vec();
    let y = f.pack(&last[..15], Type::array(blc_ir::Elem::Word(5), &[3]).unwrap(), LocId::UNKNOWN);
    f.add_result("y", y);
    f.add_result("z", last[15]);
    f.tidy();
    module("random", f)
}

/// Every input of a design where it has few bits, otherwise random ones; outputs by the evaluator.
pub fn vectors(module: &Module, count: usize) -> Vec<Vector> {
    let f = module.top().unwrap();
    let types: Vec<Type> = f.params.iter().map(|p| f.ty(p.value)).filter(|&t| t != Type::CLOCK).collect();
    let bits: usize = types.iter().map(|t| t.total_bits()).sum();
    let mut r = Random(7);
    let all = bits <= 10;
    let mut evaluator = Evaluator::new(module, f).unwrap();
    (0..if all { 1 << bits } else { count })
        .map(|i| {
            let mut code = i as u64;
            let mut word = |width: usize| {
                let value = if all { code } else { r.next() };
                code >>= width.min(63);
                if width < 64 { value & ((1 << width) - 1) } else { value }
            };
            let inputs: Vec<Val> =
                types.iter().map(|t| Val::Packed((0..t.len()).map(|_| word(t.elem_bits())).collect())).collect();
            let outputs = evaluator.run(&inputs).unwrap();
            Vector { inputs, outputs }
        })
        .collect()
}

/// An empty folder for a test's files.
pub fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// Emits and writes a design's files; gives their names.
pub fn write(folder: &Path, module: &Module, format: Format) -> Vec<String> {
    let files = format.emit(module, &Options::default()).unwrap();
    for File { name, text } in &files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    files.into_iter().map(|f| f.name).collect()
}

/// Runs a tool; gives whether it succeeded and all it printed. Panics where it is not installed.
pub fn run(folder: &Path, tool: &str, args: &[&str]) -> (bool, String) {
    let package = if tool == "vvp" { "iverilog" } else { tool };
    let output = Command::new(tool)
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|e| panic!("cannot run {tool}: {e}\n  these tests need it: apt-get install {package}"));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

//! What the tests of passes share: modules from text, random functions, comparison by the reference evaluator.
#![allow(dead_code, clippy::unwrap_used)]

pub mod mutate;
pub mod wrong;

use blc_ir::diag::Source;
use blc_ir::eval::{Evaluator, Val};
use blc_ir::verify::verify;
use blc_ir::{Elem, Func, FuncKind, LocId, Module, OpKind, Type, Value};
use blc_passes::gates::Gates;
use blc_passes::{Check, Failure, PassManager, Pipeline, Registry, RunReport};

/// A module of one function or more, verified. `text` is what stands between the module's braces.
pub fn module(resources: &str, text: &str) -> Module {
    let text = format!("blir 0.1\n{resources}\nmodule @m {{\n{text}\n}}\n");
    let module = blc_ir::parse::parse(&Source::new("test", text)).unwrap_or_else(|e| panic!("{}", show(&e)));
    check(&module);
    module
}

/// A module of one function.
pub fn module_of(f: Func) -> Module {
    let mut module = Module::new("m");
    module.funcs.push(f);
    check(&module);
    module
}

fn check(module: &Module) {
    let errors = verify(module);
    assert!(errors.is_empty(), "{}\n{module}", show(&errors));
}

pub fn show(errors: &[blc_ir::Diagnostic]) -> String {
    errors.iter().map(|e| e.render(false)).collect()
}

/// Runs passes, each verified and checked.
pub fn run(module: &mut Module, passes: &str) -> RunReport {
    try_run(module, passes).unwrap_or_else(|failure| panic!("{}\n{}", show(&failure.errors), failure.reproducer))
}

pub fn try_run(module: &mut Module, passes: &str) -> Result<RunReport, Box<Failure>> {
    let manager = PassManager { verify_each: true, check_each: Some(Check::Sim), ..PassManager::default() };
    let pipeline = Pipeline::parse(passes, "", &Registry::standard()).unwrap_or_else(|e| panic!("{e}"));
    manager.run(module, &pipeline, &mut ())
}

/// The text of the top function after passes, without its first and last line.
pub fn body(mut module: Module, passes: &str) -> Vec<String> {
    run(&mut module, passes);
    let text = module.to_string();
    let start = text.rfind("  func @").or(text.rfind("  hw.module @")).unwrap();
    let lines = text[start..].lines().skip(1).map(|l| l.trim().to_string());
    lines.take_while(|l| l != "}").collect()
}

/// Inverter and NAND, of which all can be made; with `more` XOR, a multiplexer in every order of its inputs, and a NAND of
/// three.
pub fn gates(more: bool) -> Gates {
    let least = [(1, 0b01, 2.0), (2, 0b0111, 4.0)];
    let mux = [0xca, 0xac, 0xe2, 0xb8, 0xe4, 0xd8].map(|table| (3, table, 12.0));
    let others = [(2, 0b0110, 10.0), (3, 0x7f, 6.0)];
    Gates::new(least.into_iter().chain(others.into_iter().chain(mux).filter(|_| more)))
}

/// Random numbers (SplitMix64).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    pub fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub fn word(&mut self, bits: usize) -> u64 {
        self.next() >> (64 - bits)
    }

    pub fn val(&mut self, ty: Type) -> Val {
        Val::Packed((0..ty.len()).map(|_| self.word(ty.elem_bits())).collect())
    }
}

/// A random table of `k` inputs, often one that folds.
pub fn table(rng: &mut Rng, k: usize) -> u64 {
    use blc_ir::table::{VAR, mask};
    let j = rng.below(k);
    let t = match rng.below(8) {
        0 => 0,
        1 => u64::MAX,
        2 => VAR[j],
        3 => !VAR[j],
        4 => VAR[j] & VAR[rng.below(k)],
        5 => VAR[j] ^ VAR[rng.below(k)],
        _ => rng.next(),
    };
    t & mask(k)
}

/// A function of tables over `bit[inputs]`, in layers, with origins; results are bits and a vector.
pub fn random_net(seed: u64, inputs: usize, layers: usize, nodes: usize) -> Func {
    let rng = &mut Rng(seed);
    let mut f = Func::new("net", FuncKind::Func);
    let x = f.add_param("x", Type::bits(inputs));
    let one = f.add_param("one", Type::BIT);
    let mut bits: Vec<Value> = (0..inputs).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
    bits.push(one);
    for layer in 0..layers {
        let before = bits.clone();
        for node in 0..nodes {
            if rng.chance(20) {
                bits.push(f.constant(rng.next() & 1, Type::BIT));
                continue;
            }
            let k = 1 + rng.below(6);
            // Mostly from the layer before, sometimes from anywhere.
            let from = if rng.chance(4) { &before[..] } else { &before[before.len().saturating_sub(nodes)..] };
            let operands: Vec<Value> = (0..k).map(|_| rng.of(from)).collect();
            let loc = match layer {
                0 if node % 3 == 0 => f.locs.neuron("encoder", node as u32),
                _ => f.locs.neuron(&format!("layer{layer}"), node as u32),
            };
            let table = table(rng, k);
            let bit = f.lut(table, &operands, loc);
            bits.push(bit);
        }
    }
    let results: Vec<Value> = (0..nodes.min(bits.len())).map(|_| rng.of(&bits)).collect();
    let y = f.pack(&results, Type::bits(results.len()), LocId::UNKNOWN);
    f.add_result("y", y);
    f.add_result("last", bits[bits.len() - 1]);
    f.add_result("any", rng.of(&bits));
    f.tidy();
    f
}

/// A function of every kind of op at bit level.
pub fn random_words(seed: u64, ops: usize) -> Func {
    let rng = &mut Rng(seed);
    let mut f = Func::new("words", FuncKind::Func);
    let x = f.add_param("x", Type::array(Elem::Word(5), &[3]).unwrap());
    let b = f.add_param("b", Type::bits(6));
    let w = f.add_param("w", Type::word(9));
    let mut bits: Vec<Value> = (0..6).map(|i| f.extract(b, i, Type::BIT, LocId::UNKNOWN)).collect();
    let mut words: Vec<Value> = (0..3).map(|i| f.extract(x, 5 * i, Type::word(5), LocId::UNKNOWN)).collect();
    words.push(w);
    let mut arrays = vec![x, b];
    for i in 0..ops {
        let loc = f.locs.neuron("head", i as u32);
        let some = |rng: &mut Rng, from: &[Value], n: usize| (0..n).map(|_| rng.of(from)).collect::<Vec<_>>();
        match rng.below(14) {
            0..3 => {
                let k = 1 + rng.below(6);
                let operands = some(rng, &bits, k);
                let table = table(rng, k);
                bits.push(f.lut(table, &operands, loc));
            }
            3 => {
                let operands = some(rng, &bits, 8);
                let table: Vec<u64> = match rng.below(3) {
                    0 => vec![rng.next(); 4],
                    1 => vec![0, u64::MAX, 0, u64::MAX],
                    _ => (0..4).map(|_| rng.next()).collect(),
                };
                bits.push(f.lut_wide(&table, &operands, loc));
            }
            4 => bits.push(f.constant(rng.next() & 1, Type::BIT)),
            5 => {
                let width = 1 + rng.below(6);
                words.push(f.constant(rng.word(width), Type::word(width as u8)));
            }
            6 => {
                let from = if rng.chance(2) { &words } else { &arrays };
                let from = rng.of(from);
                let total = f.ty(from).total_bits();
                let len = 1 + rng.below(total.min(8));
                let offset = rng.below(total - len + 1);
                match rng.below(3) {
                    0 => bits.push(f.extract(from, offset, Type::BIT, loc)),
                    1 => words.push(f.extract(from, offset, Type::word(len as u8), loc)),
                    _ => arrays.push(f.extract(from, offset, Type::bits(len), loc)),
                }
            }
            7 => {
                let n = 1 + rng.below(4);
                let mut parts = some(rng, &bits, n);
                if rng.chance(2) {
                    parts.push(rng.of(&words));
                }
                let total: usize = parts.iter().map(|&v| f.ty(v).total_bits()).sum();
                match rng.chance(2) {
                    true => words.push(f.pack(&parts, Type::word(total as u8), loc)),
                    false => arrays.push(f.pack(&parts, Type::bits(total), loc)),
                }
            }
            8 | 9 => {
                let n = 1 + rng.below(7);
                let mut parts = some(rng, &bits, n);
                if rng.chance(3) {
                    parts.push(rng.of(&words));
                }
                let width = 1 + rng.below(6) as u8;
                words.push(f.sum(&parts, width, loc));
            }
            10 => {
                let (a, b) =
                    if rng.chance(4) { (rng.of(&bits), rng.of(&bits)) } else { (rng.of(&words), rng.of(&words)) };
                bits.push(f.push1(OpKind::Gt {}, &[a, b], Type::BIT, loc));
            }
            11 => {
                let word = if rng.chance(4) { rng.of(&bits) } else { rng.of(&words) };
                let width = 1 + rng.below(9);
                let bound = rng.word(width);
                bits.push(f.push1(OpKind::GtConst { bound }, &[word], Type::BIT, loc));
            }
            12 => {
                let a = rng.of(&words);
                let same: Vec<Value> = words.iter().copied().filter(|&v| f.ty(v) == f.ty(a)).collect();
                let operands = [rng.of(&bits), a, rng.of(&same)];
                words.push(f.push1(OpKind::Mux {}, &operands, f.ty(a), loc));
                let operands = [rng.of(&bits), rng.of(&bits), rng.of(&bits)];
                bits.push(f.push1(OpKind::Mux {}, &operands, Type::BIT, loc));
            }
            _ => {
                let n = 1 + rng.below(5);
                let operands = some(rng, &words, n);
                words.push(f.word_argmax(&operands, loc));
            }
        }
    }
    for i in 0..4 {
        f.add_result(format!("bit{i}"), bits[bits.len() - 1 - i]);
        f.add_result(format!("word{i}"), words[words.len() - 1 - i]);
    }
    f.add_result("array", arrays[arrays.len() - 1]);
    f.tidy();
    f
}

/// Asserts that two functions compute the same on random samples; ports have the same types.
pub fn assert_equal(module: &Module, a: &Func, b: &Func, samples: usize, seed: u64) {
    let mut x = Evaluator::new(module, a).unwrap_or_else(|e| panic!("{e}"));
    let mut y = Evaluator::new(module, b).unwrap_or_else(|e| panic!("{e}"));
    let rng = &mut Rng(seed);
    for _ in 0..samples {
        let types = a.params.iter().map(|p| a.ty(p.value)).filter(|&t| t != Type::CLOCK);
        let inputs: Vec<Val> = types.map(|ty| rng.val(ty)).collect();
        assert_eq!(x.run(&inputs).unwrap(), y.run(&inputs).unwrap(), "for {inputs:?}");
    }
}

//! Every engine against the evaluator of the language, on random designs.

use std::sync::Arc;

use blc_ir::diag::Source;
use blc_ir::eval::{self, Val};
use blc_ir::loc::LocId;
use blc_ir::{Data as Numbers, Func, FuncAttr, FuncKind, Module, OpKind, Resource, Type, Value, table};
use proptest::prelude::*;

use super::isa::Isa;
use super::*;
use crate::codes::*;

/// Xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }

    fn of(&mut self, values: &[Value]) -> Value {
        values[self.below(values.len())]
    }
}

const NOWHERE: LocId = LocId::UNKNOWN;

/// One random op of single bits on values of `pool`, which gets its results.
fn random_op(f: &mut Func, rng: &mut Random, pool: &mut Vec<Value>) {
    let bits = |rng: &mut Random, n: usize| -> Vec<Value> { (0..n).map(|_| rng.of(pool)).collect() };
    let k = rng.below(6) + 1;
    let table = rng.next();
    let results = match rng.below(12) {
        0 => f.push(OpKind::Xc7Lut6_2 { init: table }, &bits(rng, 6), &[Type::BIT; 2], NOWHERE),
        1 => f.push(OpKind::Xc7Carry4 {}, &bits(rng, 10), &[Type::BIT; 8], NOWHERE),
        2 => f.push(OpKind::Xc7MuxF7 {}, &bits(rng, 3), &[Type::BIT], NOWHERE),
        3 => f.push(OpKind::Xc7MuxF8 {}, &bits(rng, 3), &[Type::BIT], NOWHERE),
        4 => f.push(OpKind::Const { value: table & 1 }, &[], &[Type::BIT], NOWHERE),
        5..8 => f.push(OpKind::Xc7Lut6 { init: table & table::mask(k) }, &bits(rng, k), &[Type::BIT], NOWHERE),
        _ => f.push(OpKind::Lut { table: table & table::mask(k) }, &bits(rng, k), &[Type::BIT], NOWHERE),
    };
    pool.extend(f.op(results).results());
}

/// Ports `%x` and `%e` (words) and `%b` (a bit), taken apart; the bits of all.
fn random_ports(f: &mut Func, rng: &mut Random) -> Vec<Value> {
    let types = [
        Type::array(blc_ir::Elem::Word(rng.below(9) as u8 + 1), &[rng.below(20) + 1]).unwrap(),
        Type::word(rng.below(12) as u8 + 1),
        Type::BIT,
    ];
    let mut bits = Vec::new();
    for (name, ty) in ["x", "e", "b"].into_iter().zip(types) {
        let port = f.add_param(name, ty);
        bits.extend((0..ty.total_bits()).map(|b| f.extract(port, b, Type::BIT, NOWHERE)));
    }
    bits
}

/// A pipeline of random stages: every value of one stage goes through a register into the next.
fn random_pipeline(seed: u64) -> Func {
    let rng = &mut Random(seed | 1);
    let mut f = Func::new("pipe", FuncKind::HwModule);
    let clock = f.add_param("clk", Type::CLOCK);
    let mut pool = random_ports(&mut f, rng);
    let stages = rng.below(4);
    for stage in 1..=stages + 1 {
        for _ in 0..rng.below(30) + 1 {
            random_op(&mut f, rng, &mut pool);
        }
        if stage <= stages {
            let kept = 1 + rng.below(20);
            let from: Vec<Value> = (0..kept).map(|_| rng.of(&pool)).collect();
            let fdre = rng.below(2) == 0;
            pool = from
                .into_iter()
                .map(|d| {
                    let (stage, init) = (stage as u32, rng.below(2) == 0);
                    let kind = if fdre { OpKind::Xc7Fdre { stage, init } } else { OpKind::Reg { stage, init } };
                    f.push1(kind, &[d, clock], Type::BIT, NOWHERE)
                })
                .collect();
        }
    }
    random_results(&mut f, rng, &pool);
    f.set_attr("latency", FuncAttr::Int(stages as u64));
    f
}

/// An array of words, a single word of up to 64 bits and a bit, packed from random values.
fn random_results(f: &mut Func, rng: &mut Random, pool: &[Value]) {
    let types = [
        Type::array(blc_ir::Elem::Word(rng.below(8) as u8 + 1), &[rng.below(12) + 1]).unwrap(),
        Type::word(rng.below(64) as u8 + 1),
    ];
    for (name, ty) in ["score", "word"].into_iter().zip(types) {
        let parts: Vec<Value> = (0..ty.total_bits()).map(|_| rng.of(pool)).collect();
        let value = f.pack(&parts, ty, NOWHERE);
        f.add_result(name, value);
    }
    let bit = rng.of(pool);
    f.add_result("bit", bit);
    f.tidy();
}

/// Registers that read anything, what comes later included: feedback and paths of any length.
fn random_machine(seed: u64) -> Func {
    let rng = &mut Random(seed | 1);
    let mut f = Func::new("state", FuncKind::HwModule);
    let clock = f.add_param("clk", Type::CLOCK);
    let mut pool = random_ports(&mut f, rng);
    let registers: Vec<Value> = (0..rng.below(12) + 1)
        .map(|_| f.push1(OpKind::Reg { stage: 0, init: rng.below(2) == 0 }, &[pool[0], clock], Type::BIT, NOWHERE))
        .collect();
    pool.extend(&registers);
    for _ in 0..rng.below(40) + 1 {
        random_op(&mut f, rng, &mut pool);
    }
    for q in registers {
        let d = rng.of(&pool);
        let op = f.def_op(q).unwrap();
        f.set_operands(op, &[d, clock]);
    }
    random_results(&mut f, rng, &pool);
    f
}

fn module_of(f: Func) -> Module {
    let mut module = Module::new("m");
    module.funcs.push(f);
    module
}

fn random_rows(rng: &mut Random, layout: &Layout, samples: usize) -> Vec<u64> {
    let mut rows = Vec::new();
    for _ in 0..samples {
        rows.extend((0..layout.columns()).map(|c| rng.next() & layout.column(c).max()));
    }
    rows
}

/// The inputs of the evaluator for one row.
fn vals(layout: &Layout, row: &[u64]) -> Vec<Val> {
    layout.ports().iter().map(|p| Val::Packed(row[p.columns.clone()].to_vec())).collect()
}

fn packed(val: &Val) -> &[u64] {
    match val {
        Val::Packed(words) => words,
        Val::F32(_) => panic!("no real results here"),
    }
}

fn code_of_error<T>(result: Result<T>) -> &'static str {
    result.err().map_or("no error", |e| e.code.id)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// The portable engine, on every instruction set of this processor, and machine code give what the evaluator gives.
    #[test]
    fn engines_equal_the_evaluator(seed: u64, samples in prop_oneof![Just(0), Just(1), 2usize..70, 500usize..1600]) {
        let module = module_of(random_pipeline(seed));
        let f = &module.funcs[0];
        let program = Program::compile(&module, f).unwrap();
        prop_assert_eq!(program.latency().unwrap(), f.latency());
        let rows = random_rows(&mut Random(seed ^ 0x5eed | 1), program.inputs(), samples);
        let input = Input::u64(samples, &rows);
        let expected = Reference::new(&module, f).unwrap().run(&input).unwrap();
        for isa in Isa::available() {
            let outputs = Batch::portable_on(&program, isa).unwrap().run(&input).unwrap();
            prop_assert_eq!(outputs.first_difference(&expected), None, "{:?}", isa);
            prop_assert_eq!(outputs, expected.clone());
        }
        let (machine_code, unfit) = Batch::jit_or_portable(&program, Jit::new).unwrap();
        prop_assert_eq!(unfit.is_none(), jit::supported());
        prop_assert_eq!(machine_code.run(&input).unwrap(), expected.clone());
        // The reference engine's own packing, against the evaluator itself.
        let columns = program.inputs().columns();
        for sample in 0..samples.min(3) {
            let results = eval::evaluate(&module, f, &vals(program.inputs(), &rows[sample * columns..][..columns])).unwrap();
            let words: Vec<u64> = results.iter().flat_map(|v| packed(v).to_vec()).collect();
            let outputs: Vec<u64> = (0..expected.layout().columns()).map(|c| expected.get(sample, c)).collect();
            prop_assert_eq!(words, outputs);
        }
    }

    /// Every register, every cycle, and the outputs before the edge, in lanes that get different inputs; the last lane
    /// gets none, that is zeros.
    #[test]
    fn machine_equals_the_evaluator(seed: u64, feedback: bool, lanes in 1usize..5) {
        let module = module_of(if feedback { random_machine(seed) } else { random_pipeline(seed) });
        let f = &module.funcs[0];
        let program = Program::compile(&module, f).unwrap();
        let mut machine = Machine::new(&program);
        let mut oracles: Vec<_> = (0..=lanes).map(|_| eval::Machine::new(&module, f).unwrap()).collect();
        let rng = &mut Random(seed ^ 0x5eed | 1);
        let columns = program.inputs().columns();
        for cycle in 0..12 {
            if cycle == 7 {
                machine.reset();
                oracles.iter_mut().for_each(eval::Machine::reset);
            }
            let mut rows = random_rows(rng, program.inputs(), lanes);
            let outputs = machine.step(&Input::u64(lanes, &rows)).unwrap();
            rows.resize((lanes + 1) * columns, 0);
            for (row, oracle) in oracles.iter_mut().enumerate() {
                let results = oracle.step(&vals(program.inputs(), &rows[row * columns..][..columns])).unwrap();
                if row < lanes {
                    let words: Vec<u64> = results.iter().flat_map(|v| packed(v).to_vec()).collect();
                    let given: Vec<u64> = (0..words.len()).map(|c| outputs.get(row, c)).collect();
                    prop_assert_eq!(given, words, "outputs, lane {} cycle {}", row, cycle);
                }
                let lane = if row < lanes { row } else { LANES - 1 };
                for (i, register) in program.registers().iter().enumerate() {
                    let content = machine.register(i).get(lane);
                    prop_assert_eq!(Val::bit(content), oracle.value(register.value), "register {} cycle {}", i, cycle);
                }
            }
        }
    }

    /// What a pipeline gives for sample `t` is what the machine shows `latency` cycles later.
    #[test]
    fn batch_is_the_machine_delayed(seed: u64) {
        let module = module_of(random_pipeline(seed));
        let program = Program::compile(&module, &module.funcs[0]).unwrap();
        let latency = program.latency().unwrap() as usize;
        let samples = 9;
        let columns = program.inputs().columns();
        let rows = random_rows(&mut Random(seed | 1), program.inputs(), samples + latency);
        let batch = Batch::portable(&program).unwrap().run(&Input::u64(samples + latency, &rows)).unwrap();
        let mut machine = Machine::new(&program);
        for cycle in 0..samples + latency {
            let outputs = machine.step(&Input::u64(1, &rows[cycle * columns..][..columns])).unwrap();
            if cycle >= latency {
                for c in 0..outputs.layout().columns() {
                    prop_assert_eq!(outputs.get(0, c), batch.get(cycle - latency, c));
                }
            }
        }
    }

    /// A table of seven to ten inputs is split as it should be.
    #[test]
    fn wide_tables(seed: u64, k in 7usize..=10) {
        let rng = &mut Random(seed | 1);
        let mut f = Func::new("wide", FuncKind::Func);
        let x = f.add_param("x", Type::bits(k));
        let bits: Vec<Value> = (0..k).map(|b| f.extract(x, b, Type::BIT, NOWHERE)).collect();
        let mut words: Vec<u64> = (0..1 << (k - 6)).map(|_| rng.next()).collect();
        if rng.below(2) == 0 {
            let half = words.len() / 2;
            words.copy_within(..half, half);
        }
        let y = f.lut_wide(&words, &bits, NOWHERE);
        f.add_result("y", y);
        let module = module_of(f);
        let rows: Vec<u8> = (0..1usize << k).flat_map(|a| (0..k).map(move |b| (a >> b & 1) as u8)).collect();
        let outputs = Simulator::new(&module, &module.funcs[0], Engine::Portable).unwrap();
        let outputs = outputs.run(&Input::u8(1 << k, &rows)).unwrap();
        let expected: Vec<u8> = (0..1usize << k).map(|a| (words[a / 64] >> (a % 64) & 1) as u8).collect();
        prop_assert_eq!(outputs.port_u8("y"), Some(expected));
    }

    /// A flipped bit of a table that an output shows is seen, at exactly its address.
    #[test]
    fn a_flipped_table_bit_is_seen(table: u64, flip in 0u32..64) {
        let build = |table: u64| {
            let mut f = Func::new("one", FuncKind::HwModule);
            let clock = f.add_param("clk", Type::CLOCK);
            let bits: Vec<Value> = (0..6).map(|i| f.add_param(format!("i{i}"), Type::BIT)).collect();
            let y = f.push1(OpKind::Xc7Lut6 { init: table }, &bits, Type::BIT, NOWHERE);
            let q = f.reg(y, clock, 1, NOWHERE);
            f.add_result("q", q);
            module_of(f)
        };
        let rows: Vec<u8> = (0..64u8).flat_map(|a| (0..6).map(move |b| a >> b & 1)).collect();
        let run = |table: u64| {
            let module = build(table);
            Simulator::new(&module, &module.funcs[0], Engine::Auto).unwrap().run(&Input::u8(64, &rows)).unwrap()
        };
        let (good, bad) = (run(table), run(table ^ 1 << flip));
        prop_assert_eq!(good.first_difference(&bad), Some((flip as usize, 0)));
        let different = good.port_u8("q").into_iter().flatten().zip(bad.port_u8("q").into_iter().flatten());
        prop_assert_eq!(different.filter(|(a, b)| a != b).count(), 1);
    }

    /// Bytes and real numbers become the same codes as in the evaluator.
    #[test]
    fn bytes_and_reals(
        seed: u64,
        bits in 1u8..=12,
        features in 1usize..12,
        samples in 0usize..600,
        scale in 0.01f32..4.0,
    ) {
        let rng = &mut Random(seed | 1);
        let mut module = Module::new("m");
        let mut f = Func::new("net", FuncKind::HwModule);
        let x = f.add_param("x", Type::array(blc_ir::Elem::Word(bits), &[features]).unwrap());
        f.add_result("y", x);
        let offset: Vec<f32> = (0..features).map(|_| rng.below(200) as f32 / 10.0 - 10.0).collect();
        for (name, data) in [("offset", offset), ("step", vec![scale; features])] {
            let id = module.add_resource(Resource::inline(name, &[features], Numbers::F32(data)));
            f.set_attr(name, FuncAttr::Resource(id));
        }
        module.funcs.push(f);
        let engines = [Engine::Portable, Engine::Reference];
        let [portable, reference] = engines.map(|e| Simulator::new(&module, &module.funcs[0], e).unwrap());
        prop_assert!(portable.takes_reals() && reference.takes_reals());
        let special = [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -0.0];
        let mut reals: Vec<f32> = (0..samples * features).map(|_| rng.below(1 << 14) as f32 / 100.0 - 40.0).collect();
        reals.iter_mut().zip(special).for_each(|(x, s)| *x = s);
        let input = Input::f32(samples, &reals);
        prop_assert_eq!(portable.run(&input).unwrap(), reference.run(&input).unwrap());
        let bytes: Vec<u8> = (0..samples * features).map(|_| (rng.next() & ((1 << bits) - 1)) as u8).collect();
        let outputs = portable.run(&Input::u8(samples, &bytes)).unwrap();
        prop_assert_eq!(outputs.port("y").unwrap().collect::<Vec<_>>(), bytes.iter().map(|&b| u64::from(b)).collect::<Vec<_>>());
        prop_assert_eq!(outputs, reference.run(&Input::u8(samples, &bytes)).unwrap());
    }
}

#[test]
fn without_executable_memory_the_portable_engine_runs() {
    let module = module_of(random_pipeline(5));
    let program = Program::compile(&module, &module.funcs[0]).unwrap();
    let refused = || Unfit::Memory(std::io::ErrorKind::PermissionDenied.into());
    let (batch, unfit) = Batch::jit_or_portable(&program, |_| Err(refused())).unwrap();
    assert!(unfit.is_some_and(|why| why.to_string().contains("permission denied")));
    let simulator = |engine| Simulator::with_jit(&module, &module.funcs[0], engine, |_| Err(refused()));
    let auto = simulator(Engine::Auto).unwrap();
    assert_eq!(auto.engine(), Engine::Portable);
    let note = auto.note().unwrap();
    assert!(note.code.id == SIM_JIT.id && note.message.contains("engine `portable` instead of `jit`"), "{note}");
    assert_eq!(code_of_error(simulator(Engine::Jit)), SIM_JIT.id);
    assert!(simulator(Engine::Portable).unwrap().note().is_none());
    let rows = random_rows(&mut Random(1), program.inputs(), 700);
    let reference = Reference::new(&module, &module.funcs[0]).unwrap().run(&Input::u64(700, &rows)).unwrap();
    assert_eq!(batch.run(&Input::u64(700, &rows)).unwrap(), reference);
    assert_eq!(batch::no_jit(&refused()).code.id, SIM_JIT.id);
}

/// Much code, many blocks and many tiles of results: what small designs do not reach.
#[test]
fn wide_designs() {
    let rng = &mut Random(99);
    let mut f = Func::new("wide", FuncKind::Func);
    let x = f.add_param("x", Type::bits(150));
    let mut layer: Vec<Value> = (0..150).map(|b| f.extract(x, b, Type::BIT, NOWHERE)).collect();
    for _ in 0..3 {
        let mut lut = |f: &mut Func| {
            let inputs: Vec<Value> = (0..6).map(|_| rng.of(&layer)).collect();
            f.lut(rng.next(), &inputs, NOWHERE)
        };
        layer = (0..700).map(|_| lut(&mut f)).collect();
    }
    let words = f.pack(&layer[..50], Type::array(blc_ir::Elem::Word(5), &[10]).unwrap(), NOWHERE);
    f.add_result("words", words);
    let bits = f.pack(&layer, Type::bits(700), NOWHERE);
    f.add_result("bits", bits);
    let module = module_of(f);
    let program = Program::compile(&module, &module.funcs[0]).unwrap();
    assert!(jit::compile(&program.plan(schedule::Registers::Transparent, Isa::best()).schedule).chunks.len() > 10);
    let reference = Reference::new(&module, &module.funcs[0]).unwrap();
    let rows = random_rows(&mut Random(3), program.inputs(), 5000);
    let right = reference.run(&Input::u64(5000, &rows)).unwrap();
    let mut batches: Vec<Batch> =
        Isa::available().into_iter().map(|isa| Batch::portable_on(&program, isa).unwrap()).collect();
    batches.push(Batch::jit_or_portable(&program, Jit::new).unwrap().0);
    for batch in &batches {
        let run = |first: usize, samples: usize| {
            batch.run(&Input::u64(samples, &rows[first * 150..][..samples * 150])).unwrap()
        };
        // Held while others run, so that its memory is not theirs.
        let whole = run(0, 5000);
        for (first, samples) in [(1, 0), (7, 1), (100, 63), (3, 65), (11, 511), (0, 512), (20, 1025), (40, 4500)] {
            let part = run(first, samples);
            assert_eq!(part.samples(), samples);
            for sample in 0..samples {
                for column in [0, 9, 10, 73, 74, 521, 522, 709] {
                    assert_eq!(
                        part.get(sample, column),
                        right.get(first + sample, column),
                        "{samples}: {sample}, {column}"
                    );
                }
            }
        }
        assert_eq!(whole, right);
        assert_eq!(whole.all_u8(), right.all_u8());
        assert_eq!(whole.all().map(|x| x as u8).collect::<Vec<_>>(), whole.all_u8().unwrap());
        assert_eq!(whole.port_u8("bits").unwrap().len(), 5000 * 700);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let module = module_of(random_pipeline(77));
    let program = Program::compile(&module, &module.funcs[0]).unwrap();
    let rows = random_rows(&mut Random(1), program.inputs(), 5000);
    let (batch, _) = Batch::jit_or_portable(&program, Jit::new).unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| batch.run(&Input::u64(5000, &rows)).unwrap())
    };
    let one = run(1);
    assert!(one.port("word").unwrap().any(|w| w != one.get(0, one.layout().port("word").unwrap().columns.start)));
    let reference = Reference::new(&module, &module.funcs[0]).unwrap().run(&Input::u64(5000, &rows)).unwrap();
    assert_eq!(one, reference);
    assert_eq!(one, run(2));
    assert_eq!(one, run(7));
}

fn parse(text: &str) -> Module {
    let source: Arc<Source> = Source::new("t.blir", text);
    blc_ir::parse::parse(&source).unwrap()
}

#[test]
fn no_pipeline_no_batch() {
    let head = "blir 0.1\nmodule @m {\n  hw.module @m(in %clk: clock, in %a: bit, out %y: bit, out %z: bit) {\n";
    let designs = [
        (
            "%q = seq.reg %n clock %clk {stage = 0, init = 0} : bit\n%n = lut(%q, %a) {table = 0x6} : bit\nhw.output %n, %q",
            "BL3110",
        ),
        (
            "%q = seq.reg %a clock %clk {stage = 1, init = 0} : bit\n%n = lut(%q, %a) {table = 0x6} : bit\nhw.output %n, %n",
            "BL3111",
        ),
        ("%q = seq.reg %a clock %clk {stage = 1, init = 0} : bit\nhw.output %q, %a", "BL3112"),
    ];
    for (body, code) in designs {
        let module = parse(&format!("{head}{body}\n}}\n}}\n"));
        let f = module.top().unwrap();
        let program = Program::compile(&module, f).unwrap();
        assert_eq!(code_of_error(Batch::portable(&program)), code);
        assert_eq!(code_of_error(Simulator::new(&module, f, Engine::Auto)), code);
        let mut machine = Machine::new(&program);
        let outputs: Vec<u8> = [1, 0, 1, 1].map(|a| machine.step(&Input::u8(1, &[a])).unwrap().get(0, 0) as u8).into();
        let expected = match code {
            "BL3110" => [1, 1, 0, 1],
            "BL3111" => [1, 1, 1, 0],
            _ => [0, 1, 0, 1],
        };
        assert_eq!(outputs, expected);
    }
}

#[test]
fn words_and_layers_are_left_to_the_reference() {
    let module = parse(
        "blir 0.1\nmodule @m {\n  func @f(%x: u4[2]) -> (%y: u5) {\n    %a = extract %x {offset = 0} : u4\n    \
         %b = extract %x {offset = 4} : u4\n    %s = word.sum(%a, %b) : u5\n    return %s\n  }\n}\n",
    );
    let f = module.top().unwrap();
    assert_eq!(code_of_error(Program::compile(&module, f)), EMIT_OP.id);
    assert_eq!(code_of_error(Simulator::new(&module, f, Engine::Portable)), EMIT_OP.id);
    let auto = Simulator::new(&module, f, Engine::Auto).unwrap();
    assert_eq!(auto.engine(), Engine::Reference);
    let outputs = auto.run(&Input::u8(3, &[15, 15, 1, 2, 0, 0])).unwrap();
    assert_eq!(outputs.port_u8("y"), Some(vec![30, 3, 0]));
    assert_eq!(outputs.port_u16("y"), Some(vec![30, 3, 0]));
    assert_eq!(outputs.port_u8("nothing"), None);
}

#[test]
fn the_reference_takes_real_ports() {
    let text = "blir 0.1\n#t = data f32[2, 1] [0.5, -1]\nmodule @m {\n  func @f(%x: f32[2]) -> (%y: bit[2]) {\n    \
                %t = enc.thermometer %x {thresholds = #t} : bit[2]\n    return %t\n  }\n}\n";
    let module = parse(text);
    let sim = Simulator::new(&module, module.top().unwrap(), Engine::Auto).unwrap();
    assert!(sim.takes_reals());
    let outputs = sim.run(&Input::f32(2, &[0.6, -1.0, 0.5, -0.9])).unwrap();
    assert_eq!(outputs.all_u8(), Some(vec![1, 0, 0, 1]));
    let outputs = sim.run(&Input::u8(1, &[1, 0])).unwrap();
    assert_eq!(outputs.all_u8(), Some(vec![1, 1]));
}

#[test]
fn wrong_inputs_are_refused() {
    let module = parse(
        "blir 0.1\nmodule @m {\n  hw.module @m(in %a: bit[2], in %w: u4, out %y: bit[2]) {\n    hw.output %a\n  }\n}\n",
    );
    let f = module.top().unwrap();
    for engine in [Engine::Portable, Engine::Reference] {
        let sim = Simulator::new(&module, f, engine).unwrap();
        let code = |input: Input<'_>| code_of_error(sim.run(&input));
        assert_eq!(code(Input::u8(2, &[0, 1, 15, 1, 1, 0])), "no error");
        assert_eq!(code(Input::u8(2, &[0, 1, 15, 1, 1])), SIM_SHAPE.id);
        assert_eq!(code(Input::u8(usize::MAX, &[0, 1, 15])), SIM_SHAPE.id);
        assert_eq!(code(Input::f32(1, &[0.0, 1.0, 2.0])), SIM_REAL.id);
        assert_eq!(code(Input::u8(1, &[0, 2, 0])), SIM_VALUE.id);
        assert_eq!(code(Input::u64(1, &[0, 1, 16])), SIM_VALUE.id);
        let mut rows = vec![0u8; 3 * 2000];
        (rows[3 * 1800], rows[3 * 900 + 2]) = (9, 16);
        let error = sim.run(&Input::u8(2000, &rows)).unwrap_err();
        assert!(error.to_string().contains("sample 900, %w: 16 does not fit"), "{error}");
    }
    let program = Program::compile(&module, f).unwrap();
    let mut machine = Machine::new(&program);
    assert_eq!(code_of_error(machine.step(&Input::u8(513, &[0; 3 * 513]))), SIM_LANES.id);
}

#[test]
fn missing_values_are_refused() {
    let text = "blir 0.1\n#o = data f32[2] [0, 0]\n#s = data f32[2] [1, 1]\nmodule @m {\n  \
                hw.module @m(in %a: u4[2], out %y: u4[2]) {offset = #o, step = #s} {\n    hw.output %a\n  }\n}\n";
    let module = parse(text);
    for engine in [Engine::Portable, Engine::Reference] {
        let sim = Simulator::new(&module, module.top().unwrap(), engine).unwrap();
        let error = sim.run(&Input::f32(2, &[1.0, 2.0, 3.0, f32::NAN])).unwrap_err();
        assert_eq!(error.code.id, SIM_NAN.id);
        assert!(error.to_string().contains("sample 1, %a[1]"), "{error}");
        let outputs = sim.run(&Input::f32(1, &[1.5, 99.0])).unwrap();
        assert_eq!(outputs.port_u8("y"), Some(vec![2, 15]));
    }
}

#[test]
fn engines_have_names() {
    for engine in Engine::ALL {
        assert_eq!(engine.to_string().parse::<Engine>().unwrap(), engine);
    }
    assert_eq!(code_of_error("fast".parse::<Engine>()), SIM_ENGINE.id);
}

//! How fast an engine is: random nets of lookup tables, 784 inputs, random tables, random wiring.
//!
//! `cargo run --release -p blc-backends --example sim_speed [ENGINE [SAMPLES [part of a net's name]]]`. Times are of the processor (all threads together)
//! where the system tells them, so the figures are of one core, also on a busy machine.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use blc_backends::sim::{Batch, Engine, Input, Program};
use blc_ir::diag::Result;
use blc_ir::loc::LocId;
use blc_ir::{Elem, Func, FuncKind, Module, Type, Value, table};

const FEATURES: usize = 784;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// `layers` of `width` tables of `k` inputs on the top bits of the features, with `groups` popcounts (0: none) behind.
fn net(layers: usize, width: usize, k: usize, groups: usize) -> Module {
    let rng = &mut Random(1);
    let mut f = Func::new("net", FuncKind::HwModule);
    let x = f.add_param("x", Type::array(Elem::Word(8), &[FEATURES]).unwrap_or(Type::BIT));
    let mut layer: Vec<Value> = (0..FEATURES).map(|i| f.extract(x, 8 * i + 7, Type::BIT, LocId::UNKNOWN)).collect();
    for _ in 0..layers {
        let mut next = Vec::with_capacity(width);
        for _ in 0..width {
            let inputs: Vec<Value> = (0..k).map(|_| layer[(rng.next() >> 33) as usize % layer.len()]).collect();
            next.push(f.lut(rng.next() & table::mask(k), &inputs, LocId::UNKNOWN));
        }
        layer = next;
    }
    match width.checked_div(groups) {
        None => {
            let y = f.pack(&layer, Type::bits(layer.len()), LocId::UNKNOWN);
            f.add_result("y", y);
        }
        Some(size) => {
            let sums: Vec<Vec<Value>> = layer.chunks(size).map(|group| popcount(&mut f, group)).collect();
            let ty = Type::array(Elem::Word(sums[0].len() as u8), &[groups]).unwrap_or(Type::BIT);
            let score = f.pack(&sums.concat(), ty, LocId::UNKNOWN);
            f.add_result("score", score);
        }
    }
    let mut module = Module::new("net");
    module.funcs.push(f);
    module
}

/// The number of ones, lowest bit first, by full adders.
fn popcount(f: &mut Func, bits: &[Value]) -> Vec<Value> {
    let mut columns = vec![bits.to_vec()];
    let mut sum = Vec::new();
    while let Some(mut column) = columns.pop() {
        let mut carries = Vec::new();
        while column.len() > 1 {
            let n = column.len().min(3);
            let inputs = column.split_off(column.len() - n);
            column.insert(0, f.lut(0b1001_0110 & table::mask(n), &inputs, LocId::UNKNOWN));
            carries.push(f.lut(0b1110_1000 & table::mask(n), &inputs, LocId::UNKNOWN));
        }
        sum.extend(column);
        if !carries.is_empty() {
            columns.push(carries);
        }
    }
    sum
}

/// Seconds of processor time of this process so far (Linux, in steps of 10 ms), elsewhere of the clock on the wall.
fn seconds(start: Instant) -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|f| f.parse().ok()).collect();
    if ticks.len() == 2 { (ticks[0] + ticks[1]) / 100.0 } else { start.elapsed().as_secs_f64() }
}

fn main() -> Result<()> {
    let engine: Engine = std::env::args().nth(1).map_or(Ok(Engine::Jit), |name| name.parse())?;
    let samples = std::env::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(10_240);
    let rng = &mut Random(7);
    let pixels: Vec<u8> = (0..samples * FEATURES).map(|_| rng.next() as u8).collect();
    println!("{samples} samples of {FEATURES} bytes; best of 5 runs of half a second of processor time");
    println!(
        "{:26} {:>7} {:>9} {:>10} {:>10} {:>10}",
        "net", "tables", "setup ms", "samples/s", "G tables/s", "in core"
    );
    let nets = [
        ("6 x 8000 LUT2, bits out", net(6, 8000, 2, 0)),
        ("6 x 2000 LUT6, bits out", net(6, 2000, 6, 0)),
        ("6 x 2000 LUT6, scores", net(6, 2000, 6, 10)),
        ("60 x 200 LUT6, bits out", net(60, 200, 6, 0)),
        ("6 x 2000 LUT5, scores", net(6, 2000, 5, 10)),
        ("6 x 2000 LUT4, scores", net(6, 2000, 4, 10)),
        ("6 x 2000 LUT3, scores", net(6, 2000, 3, 10)),
        ("6 x 2000 LUT2, scores", net(6, 2000, 2, 10)),
        ("6 x 50000 LUT6, bits out", net(6, 50_000, 6, 0)),
    ];
    let clock = Instant::now();
    let only = std::env::args().nth(3);
    for (name, module) in nets.iter().filter(|(name, _)| only.as_ref().is_none_or(|only| name.contains(only))) {
        let start = Instant::now();
        let program = Program::compile(module, &module.funcs[0])?;
        let batch = if engine == Engine::Portable { Batch::portable(&program)? } else { Batch::jit(&program)? };
        let setup = start.elapsed().as_secs_f64();
        let mut rate = 0f64;
        for _ in 0..5 {
            let (start, mut runs) = (seconds(clock), 0);
            while seconds(clock) - start < 0.5 {
                batch.run(&Input::u8(samples, &pixels))?;
                runs += 1;
            }
            rate = rate.max((runs * samples) as f64 / (seconds(clock) - start));
        }
        let tables = batch.tables();
        let core = batch.times();
        let share = core.evaluate / (core.encode + core.evaluate + core.head);
        let g = rate * tables as f64 / 1e9;
        println!("{name:26} {tables:7} {:9.1} {rate:10.0} {g:10.2} {:10.2}", setup * 1e3, g / share);
    }
    Ok(())
}

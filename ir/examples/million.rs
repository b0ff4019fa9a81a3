//! How long a million lookup tables take: `cargo run --release -p blc-ir --example million`.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use blc_ir::diag::Source;
use blc_ir::{Func, FuncKind, Module, Type, parse, print, verify};

fn main() {
    let mut f = Func::new("f", FuncKind::Func);
    let mut last: Vec<_> = (0..4096).map(|i| f.add_param(format!("i{i}"), Type::BIT)).collect();
    let mut seed = 1u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 11
    };
    for i in 0..1_000_000u32 {
        let inputs: Vec<_> = (0..6).map(|_| last[random() as usize % 4096]).collect();
        let loc = f.locs.neuron("layer0", i);
        last[i as usize % 4096] = f.lut(random(), &inputs, loc);
    }
    for (i, &v) in last.iter().enumerate() {
        f.add_result(format!("o{i}"), v);
    }
    f.shrink_to_fit();
    println!("heap     {:>8.1} MB", f.heap_bytes() as f64 / 1e6);
    let mut module = Module::new("million");
    module.funcs.push(f);
    let timed = |name: &str, start: Instant| println!("{name:8} {:>8.2} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let text = print::print(&module);
    timed("print", start);
    let source = Source::new("million.blir", text);
    println!("text     {:>8.1} MB", source.text.len() as f64 / 1e6);
    let start = Instant::now();
    let parsed = parse::parse(&source);
    timed("parse", start);
    let start = Instant::now();
    let errors = parsed.as_ref().map(verify::verify);
    timed("verify", start);
    println!("errors   {:>8}", errors.map_or(1, |e| e.len()));
}

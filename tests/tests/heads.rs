//! Heads alone, as Verilog of Xilinx primitives in Icarus, against plain arithmetic: every count and the class.
//!
//! `BLC_VECTORS=20000` simulates as many vectors a head; `scripts/heads.sh` prints what they cost.

#![allow(clippy::print_stdout)]

mod common;

use std::path::Path;

use blc_backends::verilog::testbench::{Vector, hex_vectors};
use blc_ir::eval::Val;
use blc_ir::types::bits_for;
use blc_ir::{Func, FuncKind, LocId, Module, Type, Value};
use common::{compile, design, report, tool};
use tempfile::tempdir;

/// Popcounts of groups of these sizes, and the index of the largest.
fn head(groups: &[usize]) -> Module {
    let mut f = Func::new("head", FuncKind::Func);
    let x = f.add_param("x", Type::bits(groups.iter().sum()));
    let mut at = 0;
    let mut sums: Vec<Value> = Vec::new();
    for (g, &size) in groups.iter().enumerate() {
        let bits: Vec<Value> = (at..at + size).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
        at += size;
        let loc = f.locs.neuron("head", g as u32);
        sums.push(f.sum(&bits, bits_for(size as u64), loc));
    }
    let loc = f.locs.layer("head");
    let class = f.word_argmax(&sums, loc);
    f.add_result("class", class);
    for (g, sum) in sums.into_iter().enumerate() {
        f.add_result(format!("score{g}"), sum);
    }
    let mut module = Module::new("head");
    module.funcs.push(f);
    module
}

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// All 0, all 1, exact ties, counts one off, one density for all, and one for each group.
fn vectors(groups: &[usize], number: usize) -> Vec<Vector> {
    let rng = &mut Rng(groups.len() as u64);
    let smallest = groups.iter().copied().min().unwrap_or(0);
    let vector = |i: usize| {
        let (level, tied) = (rng.next(), rng.below(smallest + 1));
        let (mut bits, mut counts) = (Vec::new(), Vec::new());
        for &size in groups {
            let group: Vec<u64> = match i % 6 {
                0 => vec![(i as u64 / 6) % 2; size],
                kind @ (1 | 2) => {
                    let ones = (tied + if kind == 2 { rng.below(2) } else { 0 }).min(size);
                    let start = rng.below(size);
                    (0..size).map(|j| u64::from((j + size - start) % size < ones)).collect()
                }
                kind => {
                    let density = if kind == 3 { level } else { rng.next() };
                    (0..size).map(|_| u64::from(rng.next() < density)).collect()
                }
            };
            counts.push(group.iter().sum::<u64>());
            bits.extend(group);
        }
        let best = counts.iter().copied().max().unwrap_or(0);
        let class = counts.iter().position(|&c| c == best).unwrap_or(0) as u64;
        let outputs = std::iter::once(class).chain(counts).map(|n| Val::Packed(vec![n])).collect();
        Vector { inputs: vec![Val::Packed(bits)], outputs }
    };
    (0..number).map(vector).collect()
}

/// Compiles a head, simulates it and gives its report.
fn simulate(groups: &[usize], passes: &str, number: usize, dir: &Path) -> serde_json::Value {
    let input = dir.join("head.blir");
    std::fs::write(&input, head(groups).to_string()).expect("written");
    compile(&input, dir, &["--target", "xc7", "--passes", passes, "--emit", "verilog"]);
    let text = hex_vectors(&design(dir), &vectors(groups, number)).expect("vectors");
    std::fs::write(dir.join("all.hex"), text).expect("written");
    tool(dir, "iverilog", &["-g2001", "-o", "tb.vvp", "head.v", "head_tb.v", "xc7_sim.v"]);
    let said = tool(dir, "vvp", &["-n", "tb.vvp", "+vectors=all.hex"]);
    assert_eq!(said.lines().last(), Some(format!("PASS {number} vectors").as_str()), "{groups:?}\n{passes}");
    report(dir)
}

const PIPELINED: &str = "lower-head{carry=true,registered=true},fold,cover{k=6,sites=true},fold,pipeline,to-xc7,dce";
const COMBINATIONAL: &str = "lower-head{carry=true},fold,cover{k=6,sites=true},fold,pipeline{stages=0},to-xc7,dce";

#[test]
fn heads_in_icarus() {
    let number = std::env::var("BLC_VECTORS").ok().and_then(|n| n.parse().ok()).unwrap_or(240);
    let all: [&[usize]; 6] =
        [&[100; 10], &[30; 10], &[1000, 1000], &[20; 100], &[95, 97, 100, 12, 64, 63, 65, 1, 2, 33], &[3, 1]];
    // Sites of those that others have measured.
    let known = |groups: &[usize]| match groups {
        [100, ..] => [554, 754],
        [30, ..] => [177, 227],
        _ => [u64::MAX; 2],
    };
    println!(
        "{:<28} {:<13} {:>5} {:>6} {:>5} {:>6} {:>7}",
        "groups", "", "sites", "CARRY4", "FFs", "levels", "latency"
    );
    for groups in all {
        for (passes, what, most) in
            [(PIPELINED, "pipelined", known(groups)[0]), (COMBINATIONAL, "combinational", known(groups)[1])]
        {
            let dir = tempdir().expect("a folder");
            let report = simulate(groups, passes, number, dir.path());
            let field = |name: &str| report[name].as_u64().unwrap_or(0);
            let equal = groups.iter().all(|&g| g == groups[0]);
            let name = if equal {
                format!("{} of {}", groups.len(), groups[0])
            } else {
                format!("{groups:?}").replace(", ", " ")
            };
            println!(
                "{name:<28} {what:<13} {:>5} {:>6} {:>5} {:>6} {:>7}",
                field("luts"),
                field("carry4"),
                field("ffs"),
                field("levels"),
                field("latency_cycles")
            );
            assert!(field("luts") <= most, "{name} {what}");
        }
    }
}

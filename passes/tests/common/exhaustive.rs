//! Functions of few input bits as truth tables: one word for 64 assignments.
#![allow(dead_code, clippy::unwrap_used)]

use blc_ir::order::schedule;
use blc_ir::table::{VAR, compose, mask};
use blc_ir::{Func, OpKind, Type};

/// Most input bits.
const MAX_INPUTS: usize = 12;

/// The truth table of every result bit over all input bits; registers are transparent, the clock is no input.
pub fn tables(f: &Func) -> Vec<Vec<u64>> {
    let inputs: usize =
        f.params.iter().filter(|p| f.ty(p.value) != Type::CLOCK).map(|p| f.ty(p.value).total_bits()).sum();
    assert!(inputs <= MAX_INPUTS);
    let words = if inputs > 6 { 1 << (inputs - 6) } else { 1 };
    let mut values: Vec<Vec<Vec<u64>>> = vec![Vec::new(); f.value_count()];
    let mut next = 0;
    for port in f.params.iter().filter(|p| f.ty(p.value) != Type::CLOCK) {
        for _ in 0..f.ty(port.value).total_bits() {
            values[port.value.index()].push((0..words).map(|w| variable(next, w)).collect());
            next += 1;
        }
    }
    for id in schedule(f, true).unwrap() {
        let op = f.op(id);
        let bit = |v: usize, b: usize, w: usize| values[op.operands[v].index()][b][w];
        let bits: Vec<Vec<Vec<u64>>> = match op.kind {
            OpKind::Lut { table } | OpKind::Xc7Lut6 { init: table } => {
                vec![vec![over(words, op.operands.len(), |inputs, w| {
                    compose(table, &inputs.iter().map(|&j| bit(j, 0, w)).collect::<Vec<_>>())
                })]]
            }
            OpKind::Xc7Lut6_2 { init } => [(init, 6), (init & mask(5), 5)]
                .map(|(table, k)| {
                    vec![over(words, k, |inputs, w| {
                        compose(table, &inputs.iter().map(|&j| bit(j, 0, w)).collect::<Vec<_>>())
                    })]
                })
                .into(),
            OpKind::LutWide { table } => vec![vec![over(words, op.operands.len(), |inputs, w| {
                let address = |i: usize| inputs.iter().fold(0, |a, &j| a | (bit(j, 0, w) >> i & 1) << j) as usize;
                (0..64).fold(0, |out, i| out | (f.table(table)[address(i) / 64] >> (address(i) % 64) & 1) << i)
            })]],
            OpKind::Const { value } => {
                let width = f.ty(op.result()).total_bits();
                vec![(0..width).map(|b| vec![(value >> b & 1).wrapping_neg(); words]).collect()]
            }
            OpKind::Extract { offset } => {
                let width = f.ty(op.result()).total_bits();
                vec![values[op.operands[0].index()][offset as usize..][..width].to_vec()]
            }
            OpKind::Pack {} => vec![op.operands.iter().flat_map(|v| values[v.index()].clone()).collect()],
            OpKind::Reg { .. } | OpKind::Xc7Fdre { .. } => vec![values[op.operands[0].index()].clone()],
            kind => panic!("{kind:?}"),
        };
        for (result, bits) in op.results().zip(bits) {
            values[result.index()] = bits;
        }
    }
    // Assignments of fewer than six inputs are repeated.
    f.results.iter().flat_map(|port| values[port.value.index()].clone()).collect()
}

fn over(words: usize, k: usize, f: impl Fn(&[usize], usize) -> u64) -> Vec<u64> {
    let inputs: Vec<usize> = (0..k).collect();
    (0..words).map(|w| f(&inputs, w)).collect()
}

/// Word `w` of the table of variable `j`.
fn variable(j: usize, w: usize) -> u64 {
    if j < 6 { VAR[j] } else { (w as u64 >> (j - 6) & 1).wrapping_neg() }
}

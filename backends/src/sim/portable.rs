//! The portable engine: an interpreter of lookup tables over words of 512 samples.
//!
//! A table is expanded on its inputs by Davio's rule `f = f0 ^ x & (f0 ^ f1)`, whose differences are taken once, when
//! the engine is made. Small tables are expanded down to single bits, held as masks. Larger ones only down to functions
//! of the two lowest inputs: all sixteen of those are computed first, and the table's nibbles pick among them. That is
//! a load for each nibble instead of nine operations, and no branch depends on the table.

use std::cell::Cell;

use blc_ir::table::VAR;

use super::isa::Isa;
use super::schedule::{Kernel, Schedule};
use super::word::Word;

/// A step with its table expanded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    code: u64,
    inputs: [u32; 6],
    out: u32,
}

/// How far tables are expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    /// To single bits.
    Masks,
    /// To functions of the two lowest inputs.
    Pairs,
}

/// The ops up to `end` have `k` inputs each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    k: u8,
    leaves: Leaves,
    end: usize,
}

/// The portable engine.
#[derive(Debug)]
pub(super) struct Portable {
    ops: Vec<Op>,
    runs: Vec<Run>,
    slots: usize,
    isa: Isa,
}

impl Portable {
    pub fn new(schedule: &Schedule, isa: Isa) -> Self {
        let mut ops = Vec::with_capacity(schedule.steps.len());
        let mut runs: Vec<Run> = Vec::new();
        for step in &schedule.steps {
            let leaves = if step.k <= isa.masks() { Leaves::Masks } else { Leaves::Pairs };
            let expanded = if leaves == Leaves::Masks { 0..6 } else { 2..6 };
            ops.push(Op { code: expanded.fold(step.table, davio), inputs: step.inputs, out: step.out });
            match runs.last_mut().filter(|r| r.k == step.k) {
                Some(run) => run.end = ops.len(),
                None => runs.push(Run { k: step.k, leaves, end: ops.len() }),
            }
        }
        Self { ops, runs, slots: schedule.slots, isa }
    }
}

impl Kernel for Portable {
    fn run(&self, slots: &mut [Word]) {
        for block in slots.chunks_exact_mut(self.slots) {
            self.isa.execute(&self.ops, &self.runs, Cell::from_mut(block).as_slice_of_cells());
        }
    }
}

/// Replaces the cofactor of input `j` at 1 by the difference of both.
fn davio(table: u64, j: usize) -> u64 {
    table ^ (table & !VAR[j]) << (1 << j)
}

/// Evaluates all ops.
#[inline(always)]
pub(super) fn execute(ops: &[Op], runs: &[Run], slots: &[Cell<Word>]) {
    let mut pairs = [Word::ZERO; 16];
    pairs[15] = Word::ONES;
    let mut start = 0;
    for run in runs {
        let ops = &ops[start..run.end];
        start = run.end;
        match (run.leaves, run.k) {
            (Leaves::Masks, 1) => each::<1>(ops, slots, by_masks),
            (Leaves::Masks, 2) => each::<2>(ops, slots, by_masks),
            (Leaves::Masks, 3) => each::<3>(ops, slots, by_masks),
            (Leaves::Masks, _) => each::<4>(ops, slots, by_masks),
            (Leaves::Pairs, 3) => each::<3>(ops, slots, |code, x| by_pairs(&mut pairs, code, x)),
            (Leaves::Pairs, 4) => each::<4>(ops, slots, |code, x| by_pairs(&mut pairs, code, x)),
            (Leaves::Pairs, 5) => each::<5>(ops, slots, |code, x| by_pairs(&mut pairs, code, x)),
            (Leaves::Pairs, _) => each::<6>(ops, slots, |code, x| by_pairs(&mut pairs, code, x)),
        }
    }
}

#[inline(always)]
fn each<const K: usize>(ops: &[Op], slots: &[Cell<Word>], mut eval: impl FnMut(u64, [Word; K]) -> Word) {
    for op in ops {
        let inputs = std::array::from_fn(|j| slots[op.inputs[j] as usize].get());
        slots[op.out as usize].set(eval(op.code, inputs));
    }
}

#[inline(always)]
fn by_masks<const K: usize>(code: u64, x: [Word; K]) -> Word {
    let masks: [u64; 16] = std::array::from_fn(|a| (code >> a & 1).wrapping_neg());
    let mut out = Word::ZERO;
    for l in 0..8 {
        let mut terms = masks;
        let mut n = 1 << K;
        for x in &x {
            n /= 2;
            for i in 0..n {
                terms[i] = terms[2 * i] ^ x.0[l] & terms[2 * i + 1];
            }
        }
        out.0[l] = terms[0];
    }
    out
}

/// `pairs[t]` is the function of table `t` of the first two inputs; 0 and 15 stand already.
#[inline(always)]
fn by_pairs<const K: usize>(pairs: &mut [Word; 16], code: u64, x: [Word; K]) -> Word {
    for l in 0..8 {
        let (a, b) = (x[0].0[l], x[1].0[l]);
        pairs[0b0001].0[l] = !(a | b);
        pairs[0b0010].0[l] = a & !b;
        pairs[0b0011].0[l] = !b;
        pairs[0b0100].0[l] = b & !a;
        pairs[0b0101].0[l] = !a;
        pairs[0b0110].0[l] = a ^ b;
        pairs[0b0111].0[l] = !(a & b);
        pairs[0b1000].0[l] = a & b;
        pairs[0b1001].0[l] = !(a ^ b);
        pairs[0b1010].0[l] = a;
        pairs[0b1011].0[l] = !(b & !a);
        pairs[0b1100].0[l] = b;
        pairs[0b1101].0[l] = !(a & !b);
        pairs[0b1110].0[l] = a | b;
    }
    let leaves: [&Word; 16] = std::array::from_fn(|n| &pairs[(code >> (4 * n) & 15) as usize]);
    let mut out = Word::ZERO;
    for l in 0..8 {
        let mut terms: [u64; 16] = std::array::from_fn(|n| leaves[n].0[l]);
        let mut n = 1 << (K - 2);
        for x in &x[2..] {
            n /= 2;
            for i in 0..n {
                terms[i] = terms[2 * i] ^ x.0[l] & terms[2 * i + 1];
            }
        }
        out.0[l] = terms[0];
    }
    out
}

//! What an engine runs: lookup tables in order, each with the slots that it reads and writes.
//!
//! Constants, repeated inputs and vacuous inputs are folded, dead tables dropped, slots shared by values that do not
//! live at the same time. Tables stand by level and, within a level, by fan-in, so that an engine meets long runs of
//! equal shape.

use blc_ir::table;

use super::netlist::{Cell, Lut, Netlist, ONE, Signal, ZERO};
use super::word::Word;

/// A place for one bit of every sample in flight. Slot 0 holds 0, slot 1 holds 1; no step writes to them.
pub(crate) type Slot = u32;

/// Slot of an input bit that nothing reads.
pub(crate) const UNUSED: Slot = Slot::MAX;

/// One lookup table of one to six inputs, none of them constant, repeated or vacuous.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// Bit `a` is the output at address `a`; only the lowest `2^k` bits are used.
    pub table: u64,
    /// Slots of the address bits, `k` of them.
    pub inputs: [Slot; 6],
    /// Where the result goes. May be a slot that this step reads for the last time.
    pub out: Slot,
    /// Number of inputs.
    pub k: u8,
}

/// What computes blocks of 512 samples: one for each engine.
pub(crate) trait Kernel: Send + Sync {
    /// Runs every step of the schedule it was made of, on the slots of one block or of several, block after block.
    fn run(&self, slots: &mut [Word]);
}

/// What registers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registers {
    /// Wires: the steady state of a pipeline.
    Transparent,
    /// State, which keeps its slots from cycle to cycle.
    State,
}

/// Steps in order.
#[derive(Debug)]
pub(crate) struct Schedule {
    pub steps: Vec<Step>,
    /// Number of slots, the two constants' among them.
    pub slots: usize,
    /// Slot of each input bit, or [`UNUSED`].
    pub inputs: Vec<Slot>,
    /// Slot of each output bit.
    pub outputs: Vec<Slot>,
    /// Slots of content and next content of each register; empty where they are transparent.
    pub registers: Vec<(Slot, Slot)>,
}

impl Schedule {
    /// Orders a netlist. Transparent registers need one without feedback.
    pub fn new(netlist: &Netlist, registers: Registers) -> Self {
        let folded = Folded::new(netlist, registers);
        let state: Vec<(Signal, Signal)> = match registers {
            Registers::Transparent => Vec::new(),
            Registers::State => {
                netlist.registers.iter().map(|r| (r.signal, folded.next_of(netlist, r.signal))).collect()
            }
        };
        let outputs: Vec<Signal> = netlist.outputs.iter().map(|&signal| folded.alias[signal as usize]).collect();
        let sinks: Vec<Signal> = outputs.iter().copied().chain(state.iter().map(|&(_, d)| d)).collect();
        let order = folded.order(&sinks);
        let inputs: Vec<Signal> = (0..netlist.inputs).map(|bit| netlist.input(bit)).collect();
        let slots = Slots::assign(&folded, &order, &inputs, &state, &sinks);
        let slot = |signal: &Signal| slots.of[*signal as usize];
        let steps = order.iter().map(|&i| {
            let lut = folded.luts[i];
            let mut step = Step { table: lut.table, inputs: [0; 6], out: slots.of[folded.first_cell + i], k: lut.k };
            step.inputs.iter_mut().zip(lut.inputs()).for_each(|(s, signal)| *s = slots.of[*signal as usize]);
            step
        });
        Self {
            steps: steps.collect(),
            slots: slots.count as usize,
            inputs: inputs.iter().map(slot).collect(),
            outputs: outputs.iter().map(slot).collect(),
            registers: state.iter().map(|(q, d)| (slot(q), slot(d))).collect(),
        }
    }
}

/// The netlist's tables after folding: `alias[signal]` is the signal to read instead.
struct Folded {
    first_cell: usize,
    alias: Vec<Signal>,
    /// One a cell; no inputs where the cell is an alias or a register.
    luts: Vec<Lut>,
}

impl Folded {
    fn new(netlist: &Netlist, registers: Registers) -> Self {
        let first_cell = netlist.first_cell();
        let mut alias: Vec<Signal> = (0..netlist.signals() as Signal).collect();
        let mut luts = Vec::with_capacity(netlist.cells.len());
        for (i, cell) in netlist.cells.iter().enumerate() {
            let signal = first_cell + i;
            let mut lut = Lut { table: 0, inputs: [ZERO; 6], k: 0 };
            match *cell {
                Cell::Register { d, .. } if registers == Registers::Transparent => alias[signal] = alias[d as usize],
                Cell::Register { .. } => {}
                Cell::Lut(l) => {
                    lut = l;
                    lut.inputs.iter_mut().for_each(|x| *x = alias[*x as usize]);
                    lut = fold(lut);
                    match (lut.k, lut.table) {
                        (0, table) => alias[signal] = if table & 1 == 1 { ONE } else { ZERO },
                        (1, 0b10) => {
                            alias[signal] = lut.inputs[0];
                            lut.k = 0;
                        }
                        _ => {}
                    }
                }
            }
            luts.push(lut);
        }
        Self { first_cell, alias, luts }
    }

    /// The folded signal that a register reads.
    fn next_of(&self, netlist: &Netlist, register: Signal) -> Signal {
        match netlist.cells[register as usize - self.first_cell] {
            Cell::Register { d, .. } => self.alias[d as usize],
            Cell::Lut(_) => register,
        }
    }

    /// The table that makes a signal, if a table does.
    fn lut(&self, signal: Signal) -> Option<usize> {
        (signal as usize).checked_sub(self.first_cell).filter(|&i| self.luts[i].k > 0)
    }

    /// Tables that the sinks need, by level, then fan-in, then as they were.
    fn order(&self, sinks: &[Signal]) -> Vec<usize> {
        let mut live = vec![false; self.luts.len()];
        for i in sinks.iter().filter_map(|&signal| self.lut(signal)) {
            live[i] = true;
        }
        for i in (0..self.luts.len()).rev().filter(|&i| self.luts[i].k > 0) {
            if live[i] {
                for j in self.luts[i].inputs().iter().filter_map(|&signal| self.lut(signal)) {
                    live[j] = true;
                }
            }
        }
        let mut level = vec![0u32; self.luts.len()];
        for (i, lut) in self.luts.iter().enumerate() {
            level[i] = lut.inputs().iter().filter_map(|&signal| Some(level[self.lut(signal)?] + 1)).max().unwrap_or(0);
        }
        let mut order: Vec<usize> = (0..self.luts.len()).filter(|&i| live[i]).collect();
        order.sort_by_key(|&i| (level[i], self.luts[i].k));
        order
    }
}

/// Removes constant, repeated and vacuous inputs from a table.
fn fold(mut lut: Lut) -> Lut {
    for j in (0..usize::from(lut.k)).rev() {
        let wide = table::widen(lut.table, usize::from(lut.k));
        let input = lut.inputs[j];
        let twin = lut.inputs[..j].iter().position(|&x| x == input);
        if input <= ONE {
            lut = without(lut, table::cofactor(wide, j, input == ONE), j);
        } else if let Some(i) = twin {
            let (low, high) = (table::cofactor(wide, j, false), table::cofactor(wide, j, true));
            lut = without(lut, low & !table::VAR[i] | high & table::VAR[i], j);
        }
    }
    for j in (0..usize::from(lut.k)).rev() {
        let wide = table::widen(lut.table, usize::from(lut.k));
        if !table::depends(wide, j) {
            lut = without(lut, wide, j);
        }
    }
    lut
}

/// A table without its input `j`, on which the widened `table` does not depend.
fn without(mut lut: Lut, table: u64, j: usize) -> Lut {
    let k = usize::from(lut.k);
    lut.table = table::drop_input(table & table::mask(k), k, j);
    lut.inputs.copy_within(j + 1.., j);
    lut.k -= 1;
    lut
}

/// Slots of signals.
struct Slots {
    of: Vec<Slot>,
    count: Slot,
}

impl Slots {
    /// A slot is free again after its value's last use; the last one freed is taken first, as it is still in the cache.
    fn assign(
        folded: &Folded,
        order: &[usize],
        inputs: &[Signal],
        state: &[(Signal, Signal)],
        sinks: &[Signal],
    ) -> Self {
        const NEVER: usize = usize::MAX;
        let signals = folded.alias.len();
        let mut last_use = vec![0; signals];
        let mut used = vec![false; signals];
        for (at, &i) in order.iter().enumerate() {
            for &signal in folded.luts[i].inputs() {
                last_use[signal as usize] = at;
                used[signal as usize] = true;
            }
        }
        for &signal in sinks.iter().chain(state.iter().map(|(q, _)| q)) {
            last_use[signal as usize] = NEVER;
            used[signal as usize] = true;
        }
        let mut slots = Self { of: vec![UNUSED; signals], count: 2 };
        (slots.of[ZERO as usize], slots.of[ONE as usize]) = (0, 1);
        let mut free: Vec<Slot> = Vec::new();
        for &signal in inputs.iter().chain(state.iter().map(|(q, _)| q)).filter(|&&signal| used[signal as usize]) {
            slots.of[signal as usize] = slots.count;
            slots.count += 1;
        }
        for (at, &i) in order.iter().enumerate() {
            for &signal in folded.luts[i].inputs().iter().filter(|&&signal| last_use[signal as usize] == at) {
                free.push(slots.of[signal as usize]);
            }
            slots.of[folded.first_cell + i] = free.pop().unwrap_or_else(|| {
                slots.count += 1;
                slots.count - 1
            });
        }
        slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Folding keeps the function: compared at every assignment of the (few) signals it may read.
        #[test]
        fn fold_keeps_the_function(table: u64, k in 1usize..=6, inputs in proptest::array::uniform6(0u32..6)) {
            let lut = Lut { table: table & table::mask(k), inputs, k: k as u8 };
            let small = fold(lut);
            let eval = |lut: &Lut, signals: u32| {
                let address = lut.inputs().iter().enumerate().fold(0, |a, (j, &n)| a | (signals as usize >> n & 1) << j);
                table::eval(lut.table, address)
            };
            for free in 0..16u32 {
                let signals = free << 2 | 0b10;
                prop_assert_eq!(eval(&small, signals), eval(&lut, signals));
            }
            let wide = table::widen(small.table, usize::from(small.k));
            for (j, signal) in small.inputs().iter().enumerate() {
                prop_assert!(*signal > ONE && !small.inputs()[..j].contains(signal) && table::depends(wide, j));
            }
        }
    }
}

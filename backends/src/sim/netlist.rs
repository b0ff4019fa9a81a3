//! A design as lookup tables and registers of single bits: the target's primitives and wide tables are taken apart here,
//! once for all engines.

use blc_ir::diag::{Diagnostic, Result};
use blc_ir::order::schedule;
use blc_ir::{Func, Module, OpId, OpKind, Type, Value, table};

use crate::codes::SIM_SIZE;
use crate::nets::Nets;

/// A bit: constant 0 ([`ZERO`]) and 1 ([`ONE`]), then the inputs' bits, then one for each cell.
pub(super) type Signal = u32;

pub(super) const ZERO: Signal = 0;
pub(super) const ONE: Signal = 1;
const FIRST_INPUT: Signal = 2;

/// Most cells: 3 GiB.
const MAX_CELLS: usize = 1 << 26;

/// A lookup table: `inputs[j]`, `j < k`, is bit `j` of the address into `table`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lut {
    pub table: u64,
    pub inputs: [Signal; 6],
    pub k: u8,
}

impl Lut {
    pub fn inputs(&self) -> &[Signal] {
        &self.inputs[..usize::from(self.k)]
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell {
    Lut(Lut),
    Register { d: Signal, init: bool },
}

/// A register of the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Its output in the function it was made of.
    pub value: Value,
    /// The pipeline stage that it ends, 0 for none.
    pub stage: u32,
    /// Its content before the first edge.
    pub init: bool,
    pub(super) signal: Signal,
}

/// A design as lookup tables and registers.
#[derive(Debug, Default)]
pub(super) struct Netlist {
    /// Number of input bits.
    pub inputs: usize,
    /// Each lookup table after what it reads. A register stands before what reads it, and, in a design without
    /// feedback, after what it reads.
    pub cells: Vec<Cell>,
    /// The op that each cell comes from.
    pub origins: Vec<OpId>,
    /// Bits of the results, in order.
    pub outputs: Vec<Signal>,
    pub registers: Vec<Register>,
    /// An op of a cycle through registers, where there is one.
    pub feedback: Option<OpId>,
}

impl Netlist {
    /// Flattens a function. Dead ops are left out.
    ///
    /// # Errors
    /// The function does not verify, holds an op that has to be lowered first, or has too many bits.
    pub fn flatten(module: &Module, f: &Func) -> Result<Self> {
        let nets = Nets::new(module, f)?;
        let signals = vec![ZERO; nets.count()];
        let mut flat = Flattener { nets, signals, netlist: Self::default(), op: OpId::new(0) };
        flat.signals[1] = ONE;
        for port in f.params.iter().filter(|p| f.ty(p.value) != Type::CLOCK) {
            for &net in flat.nets.of(port.value) {
                flat.signals[net.index()] = flat.netlist.input(flat.netlist.inputs);
                flat.netlist.inputs += 1;
            }
        }
        let order = match schedule(f, true) {
            Ok(order) => order,
            Err(op) => {
                flat.netlist.feedback = Some(op);
                flat.nets.order.clone()
            }
        };
        for id in order {
            flat.op(id)?;
        }
        // What a register reads may stand behind it.
        for i in 0..flat.netlist.registers.len() {
            let Register { value, signal, init, .. } = flat.netlist.registers[i];
            let Some(op) = f.def_op(value) else { continue };
            let d = flat.bit(f.op(op).operands[0]);
            let cell = signal as usize - flat.netlist.first_cell();
            flat.netlist.cells[cell] = Cell::Register { d, init };
        }
        let outputs = f.results.iter().flat_map(|port| flat.nets.of(port.value));
        flat.netlist.outputs = outputs.map(|net| flat.signals[net.index()]).collect();
        Ok(flat.netlist)
    }

    /// Signal of the first cell; that of cell `i` is `i` more.
    pub fn first_cell(&self) -> usize {
        FIRST_INPUT as usize + self.inputs
    }

    /// Number of signals.
    pub fn signals(&self) -> usize {
        self.first_cell() + self.cells.len()
    }

    /// The signal of an input bit.
    pub fn input(&self, bit: usize) -> Signal {
        FIRST_INPUT + bit as Signal
    }
}

struct Flattener<'a> {
    nets: Nets<'a>,
    /// Signal of each net.
    signals: Vec<Signal>,
    netlist: Netlist,
    op: OpId,
}

impl Flattener<'_> {
    /// The signal of a one-bit value.
    fn bit(&self, v: Value) -> Signal {
        self.signals[self.nets.bit(v).index()]
    }

    fn set(&mut self, v: Value, signal: Signal) {
        self.signals[self.nets.bit(v).index()] = signal;
    }

    fn cell(&mut self, cell: Cell) -> Result<Signal> {
        if self.netlist.cells.len() >= MAX_CELLS {
            let text = format!("the design has more than {MAX_CELLS} tables and registers");
            let error = Diagnostic::error(&SIM_SIZE, text).in_op(format!("@{}", self.nets.f.name));
            return Err(Box::new(error.help("simulate its parts one by one")));
        }
        self.netlist.cells.push(cell);
        self.netlist.origins.push(self.op);
        Ok((self.netlist.signals() - 1) as Signal)
    }

    fn lut(&mut self, table: u64, inputs: &[Signal]) -> Result<Signal> {
        let mut lut = Lut { table, inputs: [ZERO; 6], k: inputs.len() as u8 };
        lut.inputs[..inputs.len()].copy_from_slice(inputs);
        self.cell(Cell::Lut(lut))
    }

    /// Shannon expansion on the highest input, down to tables of six.
    fn wide(&mut self, table: &[u64], inputs: &[Signal]) -> Result<Signal> {
        match inputs.split_last() {
            Some((&top, rest)) if table.len() > 1 => {
                let (low, high) = table.split_at(table.len() / 2);
                if low == high {
                    return self.wide(low, rest);
                }
                let (low, high) = (self.wide(low, rest)?, self.wide(high, rest)?);
                self.lut(MUX, &[low, high, top])
            }
            _ => self.lut(table[0], inputs),
        }
    }

    fn op(&mut self, id: OpId) -> Result<()> {
        let f = self.nets.f;
        let op = f.op(id);
        let out = op.result();
        self.op = id;
        // No op of bits has more than sixteen operands.
        let mut pins = [ZERO; 16];
        pins.iter_mut().zip(op.operands).for_each(|(pin, &v)| *pin = self.bit(v));
        let pins = &pins[..op.operands.len().min(16)];
        match op.kind {
            OpKind::Lut { table } | OpKind::Xc7Lut6 { init: table } => {
                let signal = self.lut(table, pins)?;
                self.set(out, signal);
            }
            OpKind::LutWide { table } => {
                let signal = self.wide(f.table(table), pins)?;
                self.set(out, signal);
            }
            OpKind::Reg { stage, init } | OpKind::Xc7Fdre { stage, init } => {
                let signal = self.cell(Cell::Register { d: ZERO, init })?;
                self.netlist.registers.push(Register { value: out, stage, init, signal });
                self.set(out, signal);
            }
            OpKind::Xc7Lut6_2 { init } => {
                let pair = [self.lut(init, pins)?, self.lut(init & table::mask(5), &pins[..5])?];
                op.results().zip(pair).for_each(|(v, signal)| self.set(v, signal));
            }
            OpKind::Xc7Carry4 {} => {
                let mut carry = self.lut(OR, &pins[8..10])?;
                let mut outs = [ZERO; 8];
                for i in 0..4 {
                    outs[i] = self.lut(XOR, &[pins[i], carry])?;
                    carry = self.lut(MUX, &[pins[4 + i], carry, pins[i]])?;
                    outs[4 + i] = carry;
                }
                op.results().zip(outs).for_each(|(v, signal)| self.set(v, signal));
            }
            OpKind::Xc7MuxF7 {} | OpKind::Xc7MuxF8 {} => {
                let signal = self.lut(MUX, pins)?;
                self.set(out, signal);
            }
            // Wires, which `Nets` has resolved, and what it refuses.
            OpKind::Const { .. }
            | OpKind::Extract { .. }
            | OpKind::Pack {}
            | OpKind::Thermometer { .. }
            | OpKind::Code { .. }
            | OpKind::MatVec { .. }
            | OpKind::LutDense { .. }
            | OpKind::GroupSum { .. }
            | OpKind::Argmax { .. }
            | OpKind::Sum {}
            | OpKind::Gt {}
            | OpKind::GtConst { .. }
            | OpKind::Mux {}
            | OpKind::WordArgmax { .. }
            | OpKind::Extern { .. } => {}
        }
        Ok(())
    }
}

const OR: u64 = 0b1110;
const XOR: u64 = 0b0110;
/// `inputs[1]` where `inputs[2]` is 1, otherwise `inputs[0]`.
const MUX: u64 = 0b1100_1010;

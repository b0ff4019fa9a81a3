//! The tables and primitives of a function with the delays between them.

use blc_ir::control::Control;
use blc_ir::order::is_register;
use blc_ir::{Func, OpId, OpKind};
use rustc_hash::FxHashMap;

use super::Delays;
use crate::places::{is_logic, together};
use crate::wires::{Source, Wires};

/// An input of a table or primitive, or what a register or a result takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    /// Where it comes from; constants are never late.
    pub source: Source,
    /// Whether it stays in the slice: then the net takes no time.
    pub inside: bool,
}

/// See the module's words.
pub(crate) struct Graph {
    /// Ops of logic, in program order.
    pub ops: Vec<OpId>,
    /// By op, the first of the ops that share its slice.
    pub slice: Vec<OpId>,
    /// Bits that registers and results take, with the register.
    pub ends: Vec<(Option<OpId>, Source)>,
    pins: Vec<Pin>,
    /// By op: its first pin.
    first: Vec<u32>,
    kinds: Vec<Option<OpKind>>,
    readers: FxHashMap<Source, u32>,
}

impl Graph {
    pub fn new(f: &Func) -> Self {
        let mut wires = Wires::new(f);
        let slice = together(f);
        let mut graph = Self {
            ops: Vec::new(),
            slice,
            ends: Vec::new(),
            pins: Vec::new(),
            first: vec![0; f.op_count() + 1],
            kinds: vec![None; f.op_count()],
            readers: FxHashMap::default(),
        };
        for id in f.op_ids() {
            graph.first[id.index()] = graph.pins.len() as u32;
            let op = f.op(id);
            if is_register(op.kind) {
                let source = wires.source(op.operands[0], 0);
                graph.read(source);
                graph.ends.push((Some(id), source));
            } else if is_logic(op.kind) {
                graph.ops.push(id);
                graph.kinds[id.index()] = Some(op.kind);
                for &v in op.operands {
                    let source = wires.source(v, 0);
                    let inside = matches!(source, Source::Op(def, _) if graph.inside(def, id));
                    if !inside {
                        graph.read(source);
                    }
                    graph.pins.push(Pin { source, inside });
                }
            }
            graph.first[id.index() + 1] = graph.pins.len() as u32;
        }
        // What waits for later cycles ends where it is read.
        let now = Control::of(f).and_then(|control| control.step).map(|[.., now]| now);
        for (_, port) in f.results.iter().enumerate().filter(|(i, _)| Some(*i) != now) {
            for bit in 0..f.ty(port.value).total_bits() {
                let source = wires.source(port.value, bit);
                graph.read(source);
                graph.ends.push((None, source));
            }
        }
        graph
    }

    fn inside(&self, def: OpId, reader: OpId) -> bool {
        self.kinds[def.index()].is_some() && self.slice[def.index()] == self.slice[reader.index()]
    }

    fn read(&mut self, source: Source) {
        if matches!(source, Source::Const(_)) {
            return;
        }
        *self.readers.entry(source).or_default() += 1;
    }

    /// The pins of an op of logic.
    pub fn pins(&self, op: OpId) -> &[Pin] {
        &self.pins[self.first[op.index()] as usize..self.first[op.index() + 1] as usize]
    }

    /// How many results an op of logic has.
    pub fn results(&self, op: OpId) -> u32 {
        match self.kinds[op.index()] {
            Some(OpKind::Xc7Carry4 {}) => 8,
            Some(OpKind::Xc7Lut6_2 { .. }) => 2,
            _ => 1,
        }
    }

    /// Whether an op is a carry chain.
    pub fn is_chain(&self, op: OpId) -> bool {
        matches!(self.kinds[op.index()], Some(OpKind::Xc7Carry4 {}))
    }

    /// Along the net to a pin.
    pub fn net(&self, pin: Pin, delays: &Delays) -> f64 {
        if pin.inside { 0.0 } else { delays.net(self.readers.get(&pin.source).copied().unwrap_or(1)) }
    }

    /// From a pin to a result of an op; `None` where the result does not depend on it.
    pub fn cell(&self, op: OpId, pin: usize, result: u32, delays: &Delays) -> Option<f64> {
        Some(match self.kinds[op.index()]? {
            OpKind::Xc7MuxF7 {} | OpKind::Xc7MuxF8 {} => delays.mux,
            OpKind::Xc7Carry4 {} => {
                let (sum, at) = (result < 4, result % 4);
                match pin {
                    0..8 => {
                        let from = pin as u32 % 4;
                        match (sum, from == at) {
                            (true, true) if pin < 4 => delays.carry_out,
                            (true, true) => return None,
                            _ if from > at => return None,
                            _ => delays.carry_in,
                        }
                    }
                    _ if sum => delays.carry_out,
                    _ => delays.carry,
                }
            }
            _ => delays.lut,
        })
    }
}

/// How many nets have 1, 2, 3 to 4, 5 to 8, ... readers.
pub fn fanout(f: &Func) -> Vec<u64> {
    let mut nets = Vec::new();
    for &readers in Graph::new(f).readers.values() {
        let at = readers.max(1).next_power_of_two().ilog2() as usize;
        if nets.len() <= at {
            nets.resize(at + 1, 0);
        }
        nets[at] += 1;
    }
    nets
}

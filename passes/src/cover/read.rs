//! From the LUTs of a function to a net.

use blc_ir::order::live_ops;
use blc_ir::table::widen;
use blc_ir::{Func, OpKind, Type, Value};
use smallvec::SmallVec;

use super::cut::{Cut, Lit};
use super::net::Net;
use crate::count::Ports;

/// A function's LUTs as a net. All other ops stay: their bits are inputs of the net, what they read are its outputs.
pub struct Subject {
    /// The net.
    pub net: Net,
    /// By node: the value that an input stands for.
    pub(crate) inputs: Vec<Option<Value>>,
    pub(crate) outputs: Vec<Output>,
}

/// A LUT's value that something other than a LUT reads.
#[derive(Clone, Copy)]
pub struct Output {
    /// In the function as it was read.
    pub value: Value,
    /// In the net.
    pub lit: Lit,
    /// Only output ports and LUTs read it: an inverter is free.
    pub port: bool,
}

fn is_lut(kind: OpKind) -> bool {
    matches!(kind, OpKind::Lut { .. } | OpKind::LutWide { .. })
}

impl Subject {
    /// Reads a function at bit level; see [`Net::new`].
    pub fn read(f: &Func, k: usize, descending: bool) -> Self {
        let mut net = Net::new(k, descending);
        let mut inputs = vec![None];
        let mut lits = vec![Lit::FALSE; f.value_count()];
        let leaf = |net: &mut Net, inputs: &mut Vec<Option<Value>>, value| {
            let lit = net.leaf();
            inputs.resize(net.node_count(), None);
            inputs[lit.node() as usize] = Some(value);
            lit
        };
        for port in f.params.iter().filter(|p| f.ty(p.value) == Type::BIT) {
            lits[port.value.index()] = leaf(&mut net, &mut inputs, port.value);
        }
        let live = live_ops(f);
        for (id, op) in f.ops().filter(|(id, _)| live[id.index()]) {
            let operands: SmallVec<[Lit; 16]> = op.operands.iter().map(|v| lits[v.index()]).collect();
            match op.kind {
                OpKind::Lut { table } => {
                    let cut = Cut::canonical(widen(table, operands.len()), &operands);
                    let lit = net.function(&cut, op.loc);
                    net.give(lit, &cut);
                    lits[op.result().index()] = lit;
                }
                OpKind::LutWide { table } => {
                    lits[op.result().index()] = net.wide(f.table(table), &operands, op.loc);
                }
                OpKind::Const { value } => lits[op.result().index()] = Lit::FALSE.flip(value == 1),
                _ => {
                    for result in f.op(id).results().filter(|&v| f.ty(v) == Type::BIT) {
                        lits[result.index()] = leaf(&mut net, &mut inputs, result);
                    }
                }
            }
        }
        net.finish();
        inputs.resize(net.node_count(), None);
        let outputs = outputs(f, &live, &lits);
        Self { net, inputs, outputs }
    }

    /// The nodes that must have a LUT each, once.
    pub fn roots(&self) -> Vec<u32> {
        let mut roots: Vec<u32> = self.outputs.iter().map(|o| o.lit.node()).collect();
        roots.retain(|&node| !self.net.is_leaf(node));
        roots.sort_unstable();
        roots.dedup();
        roots
    }
}

/// The LUT values that ops other than LUTs, or results, read.
fn outputs(f: &Func, live: &[bool], lits: &[Lit]) -> Vec<Output> {
    let ports = Ports::new(f, is_lut);
    let mut seen = vec![false; f.value_count()];
    let mut outputs = Vec::new();
    let read_by_ops = f.ops().filter(|(id, op)| live[id.index()] && !is_lut(op.kind)).flat_map(|(_, op)| op.operands);
    for value in read_by_ops.copied().chain(f.results.iter().map(|p| p.value)) {
        let lut = f.def_op(value).is_some_and(|op| is_lut(f.op(op).kind));
        if lut && !std::mem::replace(&mut seen[value.index()], true) {
            outputs.push(Output { value, lit: lits[value.index()], port: ports.only_output(value) });
        }
    }
    outputs
}

//! Follows `extract` and `pack`, which are wires only, to where a bit comes from.

use blc_ir::{Def, Func, OpId, OpKind, Value};
use rustc_hash::FxHashMap;

/// Where a bit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Const(bool),
    /// Bit of a parameter.
    Param(u32, u32),
    /// A result, of one bit, of an op.
    Op(OpId, u32),
}

/// The wires of a function of tables, primitives, constants, `extract` and `pack`.
pub(crate) struct Wires<'a> {
    f: &'a Func,
    /// First bit of every part, of packs that were looked into.
    starts: FxHashMap<OpId, Vec<usize>>,
}

impl<'a> Wires<'a> {
    pub fn new(f: &'a Func) -> Self {
        Self { f, starts: FxHashMap::default() }
    }

    /// Where bit `bit` of a value comes from.
    pub fn source(&mut self, mut value: Value, mut bit: usize) -> Source {
        loop {
            let (id, result) = match self.f.def(value) {
                Def::Param(param) => return Source::Param(param as u32, bit as u32),
                Def::Result(id, result) => (id, result as u32),
            };
            let op = self.f.op(id);
            match op.kind {
                OpKind::Const { value } => return Source::Const(value >> (bit & 63) & 1 == 1),
                OpKind::Extract { offset } => {
                    bit += offset as usize;
                    value = op.operands[0];
                }
                OpKind::Pack {} => {
                    let starts = self.starts.entry(id).or_insert_with(|| {
                        let lens = op.operands.iter().map(|&v| self.f.ty(v).total_bits());
                        lens.scan(0, |at, len| Some(std::mem::replace(at, *at + len))).collect()
                    });
                    let part = starts.partition_point(|&start| start <= bit).saturating_sub(1);
                    bit -= starts[part];
                    value = op.operands[part];
                }
                _ => return Source::Op(id, result),
            }
        }
    }
}

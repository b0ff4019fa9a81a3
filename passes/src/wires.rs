//! Follows `extract` and `pack`, which are wires only, to where a bit comes from.

use blc_ir::control::Control;
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
    /// Of one step of several cycles: the parameter that holds what was made before, and what is.
    late: Option<(usize, Value)>,
}

impl<'a> Wires<'a> {
    pub fn new(f: &'a Func) -> Self {
        let step = Control::of(f).and_then(|control| control.step);
        let late = step.map(|[_, late, now]| (late, f.results[now].value));
        Self { f, starts: FxHashMap::default(), late }
    }

    /// Where bit `bit` of a value comes from, in this cycle or before.
    pub fn source(&mut self, value: Value, bit: usize) -> Source {
        self.delayed(value, bit).0
    }

    /// Where bit `bit` of a value comes from, and how many cycles before.
    pub fn delayed(&mut self, mut value: Value, mut bit: usize) -> (Source, u32) {
        let mut cycles = 0;
        loop {
            let (id, result) = match (self.f.def(value), self.late) {
                (Def::Param(param), Some((late, now))) if param == late && cycles == 0 => {
                    let bits = self.f.ty(now).total_bits();
                    cycles = (bit / bits) as u32 + 1;
                    (value, bit) = (now, bit % bits);
                    continue;
                }
                (Def::Param(param), _) => return (Source::Param(param as u32, bit as u32), cycles),
                (Def::Result(id, result), _) => (id, result as u32),
            };
            let op = self.f.op(id);
            match op.kind {
                OpKind::Const { value } => return (Source::Const(value >> (bit & 63) & 1 == 1), cycles),
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
                _ => return (Source::Op(id, result), cycles),
            }
        }
    }
}

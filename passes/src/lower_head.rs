//! `lower-head`: sums, comparisons, choices and the largest of words become lookup tables.
//!
//! Sums become bit heaps of lookup tables ([`crate::heap`]) or, with `carry`, of the counters of Xilinx slices
//! ([`crate::head`]); the rest what [`crate::compare`] says. With `fast` all is built for few levels ([`crate::head::fast`]).

use blc_ir::{Func, Level, Op, OpKind, Type, Value};
use serde::{Deserialize, Serialize};

use crate::compare::{argmax, choose, greater};
use crate::head::{Slices, fast};
use crate::heap::{BitHeap, Levels};
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};
use crate::rebuild::{Bits, Rebuild};

/// See the module's words.
pub struct LowerHead {
    options: LowerHeadOptions,
}

/// Options of [`LowerHead`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LowerHeadOptions {
    /// Whether sums take the carry chains of Xilinx 7-series slices.
    pub carry: bool,
    /// Whether all that a carry chain makes goes into registers, as `pipeline` has it by layers.
    pub registered: bool,
    /// Whether few levels count more than few tables: no carry chains then.
    pub fast: bool,
}

impl PassSpec for LowerHead {
    const NAME: &'static str = "lower-head";
    const SUMMARY: &'static str = "Turn sums and the largest of words into lookup tables";
    const LEVEL: Level = Level::Bit;
    type Options = LowerHeadOptions;

    fn build(options: LowerHeadOptions) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

impl Pass for LowerHead {
    fn run(&mut self, f: &mut Func, _: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let words = |kind| matches!(kind, OpKind::Sum {} | OpKind::Gt {} | OpKind::Mux {} | OpKind::WordArgmax { .. });
        if !f.ops().any(|(_, op)| words(op.kind)) {
            return Ok(Changed::No);
        }
        let fast = self.options.fast;
        let slices = (self.options.carry && !fast).then(|| Slices::new(self.options.registered));
        let mut lowering =
            Lowering { rebuild: Rebuild::new(f), bits: Bits::default(), levels: Levels::new(), slices, fast };
        for (id, op) in f.ops() {
            match words(op.kind) {
                true => lowering.op(op),
                false => {
                    lowering.rebuild.copy(id);
                    lowering.note_level(op);
                }
            }
        }
        let new = lowering.rebuild.finish();
        *f = new;
        Ok(Changed::Yes)
    }
}

struct Lowering<'a> {
    rebuild: Rebuild<'a>,
    bits: Bits,
    levels: Levels,
    slices: Option<Slices>,
    fast: bool,
}

impl Lowering<'_> {
    fn op(&mut self, op: Op<'_>) {
        let operands: Vec<Value> = op.operands.iter().map(|&v| self.rebuild.get(v)).collect();
        let ty = self.rebuild.old.ty(op.result());
        let f = &mut self.rebuild.new;
        let bits = match op.kind {
            OpKind::Sum {} => self.sum(&operands, ty.total_bits(), op),
            OpKind::Gt {} => {
                let (a, b) = (self.bits.all(f, operands[0]), self.bits.all(f, operands[1]));
                vec![greater(f, &a, &b, op.loc)]
            }
            OpKind::Mux {} => {
                let (a, b) = (self.bits.all(f, operands[1]), self.bits.all(f, operands[2]));
                choose(f, operands[0], &a, &b, op.loc)
            }
            _ => {
                let words: Vec<_> = operands.iter().map(|&v| self.bits.all(f, v)).collect();
                let mut index = match self.fast {
                    true => fast::argmax(f, &words, op.loc),
                    false => argmax(f, &words, self.slices.is_some(), op.loc),
                };
                if index.is_empty() {
                    index.push(f.constant(0, Type::BIT));
                }
                index
            }
        };
        let word = self.bits.pack(&mut self.rebuild.new, &bits, ty);
        self.rebuild.set(op.result(), word);
    }

    /// Levels count from the sources and from words, whose bits have levels of their own.
    fn note_level(&mut self, op: Op<'_>) {
        if matches!(op.kind, OpKind::Lut { .. } | OpKind::LutWide { .. }) {
            let operands = op.operands.iter().map(|&v| self.levels.of(self.rebuild.get(v)));
            let level = 1 + operands.max().unwrap_or(0);
            self.levels.set(self.rebuild.get(op.result()), level);
        }
    }

    /// The sum of bits and words, modulo two to the width.
    fn sum(&mut self, parts: &[Value], width: usize, op: Op<'_>) -> Vec<Value> {
        let f = &mut self.rebuild.new;
        let mut addends: Vec<(usize, Value)> = Vec::with_capacity(parts.len());
        let mut constant = 0u64;
        for &part in parts {
            match f.as_const(part) {
                Some(value) => constant = constant.wrapping_add(value),
                None => addends.extend(self.bits.all(f, part).into_iter().enumerate().filter(|(c, _)| *c < width)),
            }
        }
        for column in (0..width).filter(|c| constant >> c & 1 == 1) {
            addends.push((column, f.constant(1, Type::BIT)));
        }
        let mut zero = None;
        let mut whole = |f: &mut Func, columns: Vec<Option<Value>>| -> Vec<Value> {
            let bit = |bit: Option<Value>| bit.unwrap_or_else(|| *zero.get_or_insert_with(|| f.constant(0, Type::BIT)));
            columns.into_iter().map(bit).collect()
        };
        if self.fast {
            let bits: Vec<_> = addends.iter().map(|&(column, bit)| (column, bit, self.levels.of(bit))).collect();
            let columns = fast::sum(f, &bits, width, op.loc);
            return whole(f, columns);
        }
        let planned = self.slices.as_mut().and_then(|slices| slices.sum(f, &addends, width, op.loc));
        let columns = planned.unwrap_or_else(|| {
            let mut heap = BitHeap::new(width);
            addends.iter().for_each(|&(column, bit)| heap.add(column, bit, self.levels.of(bit)));
            heap.compress(f, &mut self.levels, op.loc)
        });
        whole(f, columns)
    }
}

//! `lower-head`: sums, comparisons, choices and the largest of words become lookup tables.
//!
//! Sums become bit heaps ([`crate::heap`]), the rest what [`crate::compare`] says.

use blc_ir::{Func, Level, Op, OpKind, Type, Value};

use crate::compare::{argmax, choose, greater};
use crate::heap::{BitHeap, Levels};
use crate::pass::{Abort, Changed, NoOptions, Pass, PassCx, PassSpec};
use crate::rebuild::{Bits, Rebuild};

/// See the module's words.
pub struct LowerHead;

impl PassSpec for LowerHead {
    const NAME: &'static str = "lower-head";
    const SUMMARY: &'static str = "Turn sums and the largest of words into lookup tables";
    const LEVEL: Level = Level::Bit;
    type Options = NoOptions;

    fn build(_: NoOptions) -> Box<dyn Pass> {
        Box::new(Self)
    }
}

impl Pass for LowerHead {
    fn run(&mut self, f: &mut Func, _: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let words = |kind| matches!(kind, OpKind::Sum {} | OpKind::Gt {} | OpKind::Mux {} | OpKind::WordArgmax { .. });
        if !f.ops().any(|(_, op)| words(op.kind)) {
            return Ok(Changed::No);
        }
        let mut lowering = Lowering { rebuild: Rebuild::new(f), bits: Bits::default(), levels: Levels::new() };
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
}

impl Lowering<'_> {
    fn op(&mut self, op: Op<'_>) {
        let operands: Vec<Value> = op.operands.iter().map(|&v| self.rebuild.get(v)).collect();
        let f = &mut self.rebuild.new;
        let ty = self.rebuild.old.ty(op.result());
        let bits = match op.kind {
            OpKind::Sum {} => sum(f, &mut self.bits, &mut self.levels, &operands, ty.total_bits(), op),
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
                let mut index = argmax(f, &words, op.loc);
                if index.is_empty() {
                    index.push(f.constant(0, Type::BIT));
                }
                index
            }
        };
        let word = self.bits.pack(f, &bits, ty);
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
}

/// The sum of bits and words, modulo two to the width.
fn sum(f: &mut Func, bits: &mut Bits, levels: &mut Levels, parts: &[Value], width: usize, op: Op<'_>) -> Vec<Value> {
    let mut heap = BitHeap::new(width);
    let mut constant = 0u64;
    for &part in parts {
        if let Some(value) = f.as_const(part) {
            constant = constant.wrapping_add(value);
            continue;
        }
        for (column, bit) in bits.all(f, part).into_iter().enumerate() {
            heap.add(column, bit, levels.of(bit));
        }
    }
    for column in (0..width).filter(|c| constant >> c & 1 == 1) {
        let one = f.constant(1, Type::BIT);
        heap.add(column, one, 0);
    }
    let mut zero = None;
    let columns = heap.compress(f, levels, op.loc);
    columns
        .into_iter()
        .map(|bit| bit.unwrap_or_else(|| *zero.get_or_insert_with(|| f.constant(0, Type::BIT))))
        .collect()
}

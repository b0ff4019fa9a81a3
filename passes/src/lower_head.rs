//! `lower-head`: sums, comparisons, choices and the largest of words become lookup tables.
//!
//! Sums become bit heaps of lookup tables ([`crate::heap`]) or, with `carry` and `ripple`, what carry chains of the target
//! make of them ([`crate::head`]); the rest what [`crate::compare`] says. With `fast` all is built for few levels ([`crate::head::fast`]).

use blc_ir::{Func, Level, Op, OpId, OpKind, Type, Value};
use serde::{Deserialize, Serialize};

use crate::compare::{argmax, choose, greater};
use crate::head::{Addends, Ripple, Slices, fast, rippled};
use crate::heap::{BitHeap, Levels};
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};
use crate::rebuild::{Bits, Rebuild};

/// Most bits of a word.
const WORD: usize = 64;

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
    /// Inputs of a position of the target's carry chains, where sums are to take those: 2 or 4; 1 for full adders of tables
    /// ([`Ripple`]).
    pub ripple: u8,
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
        let LowerHeadOptions { carry, registered, ripple, fast } = self.options;
        let slices = (carry && !fast).then(|| Slices::new(registered));
        let ripple = Ripple::of_inputs(ripple).filter(|_| !fast);
        let (rebuild, bits, levels) = (Rebuild::new(f), Bits::default(), Levels::new());
        let mut lowering = Lowering { rebuild, bits, levels, slices, ripple, fast };
        let mut done = 0;
        for (id, op) in f.ops() {
            match words(op.kind) {
                _ if id.index() < done => {}
                true if ripple.is_some() && op.kind == (OpKind::Sum {}) => done = lowering.sums(id),
                true => lowering.op(op),
                false => {
                    lowering.rebuild.copy(id);
                    lowering.note_level(op);
                    lowering.note_wires(op);
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
    ripple: Option<Ripple>,
    fast: bool,
}

impl Lowering<'_> {
    /// Sums that stand one after the other and do not depend on each other, on carry chains. Returns the number of the op
    /// behind them.
    fn sums(&mut self, first: OpId) -> usize {
        let old = self.rebuild.old;
        let start = old.op(first).result();
        let alone = |op: &Op<'_>| op.kind == (OpKind::Sum {}) && op.operands.iter().all(|&v| v < start);
        let run = || old.ops().skip(first.index()).map(|(_, op)| op).take_while(alone);
        let addends: Vec<Addends> = run().map(|op| self.addends(op)).collect();
        let f = &mut self.rebuild.new;
        let sums = match self.ripple {
            Some(kind) => rippled(f, kind, &addends),
            None => Vec::new(),
        };
        for (op, columns) in run().zip(sums) {
            self.finish(op, columns);
        }
        first.index() + addends.len()
    }

    fn op(&mut self, op: Op<'_>) {
        if op.kind == (OpKind::Sum {}) {
            let columns = self.sum(op);
            return self.finish(op, columns);
        }
        let operands: Vec<Value> = op.operands.iter().map(|&v| self.rebuild.get(v)).collect();
        let ty = self.rebuild.old.ty(op.result());
        let f = &mut self.rebuild.new;
        let bits = match op.kind {
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

    /// A shifted word is its bits, and zeros.
    fn note_wires(&mut self, op: Op<'_>) {
        if matches!(op.kind, OpKind::Pack {}) && self.rebuild.old.ty(op.result()).total_bits() <= WORD {
            let parts: Vec<Value> = op.operands.iter().map(|&v| self.rebuild.get(v)).collect();
            let packed = self.rebuild.get(op.result());
            self.bits.wires(&mut self.rebuild.new, packed, &parts);
        }
    }

    /// The bits and words of a sum, by column.
    fn addends(&mut self, op: Op<'_>) -> Addends {
        let width = self.rebuild.old.ty(op.result()).total_bits();
        let mut addends: Vec<(usize, Value)> = Vec::with_capacity(op.operands.len());
        let mut constant = 0u64;
        for &part in op.operands {
            let part = self.rebuild.get(part);
            let f = &mut self.rebuild.new;
            match f.as_const(part) {
                Some(value) => constant = constant.wrapping_add(value),
                None => addends.extend(self.bits.all(f, part).into_iter().enumerate().filter(|(c, _)| *c < width)),
            }
        }
        for column in (0..width).filter(|c| constant >> c & 1 == 1) {
            addends.push((column, self.rebuild.new.constant(1, Type::BIT)));
        }
        Addends { bits: addends, width, loc: op.loc }
    }

    /// The sum of bits and words, modulo two to the width.
    fn sum(&mut self, op: Op<'_>) -> Vec<Option<Value>> {
        let Addends { bits, width, loc } = self.addends(op);
        let f = &mut self.rebuild.new;
        if self.fast {
            let bits: Vec<_> = bits.iter().map(|&(column, bit)| (column, bit, self.levels.of(bit))).collect();
            return fast::sum(f, &bits, width, loc);
        }
        let planned = self.slices.as_mut().and_then(|slices| slices.sum(f, &bits, width, loc));
        planned.unwrap_or_else(|| {
            let mut heap = BitHeap::new(width);
            bits.iter().for_each(|&(column, bit)| heap.add(column, bit, self.levels.of(bit)));
            heap.compress(f, &mut self.levels, loc)
        })
    }

    /// A sum by its bits, of which some are known to be 0.
    fn finish(&mut self, op: Op<'_>, columns: Vec<Option<Value>>) {
        let f = &mut self.rebuild.new;
        let mut zero = None;
        let mut whole =
            |bit: Option<Value>| bit.unwrap_or_else(|| *zero.get_or_insert_with(|| f.constant(0, Type::BIT)));
        let bits: Vec<Value> = columns.into_iter().map(&mut whole).collect();
        let word = self.bits.pack(f, &bits, self.rebuild.old.ty(op.result()));
        self.rebuild.set(op.result(), word);
    }
}

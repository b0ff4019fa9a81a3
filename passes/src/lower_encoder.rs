//! `lower-encoder`: comparisons with constants become lookup tables over the bits of their word.
//!
//! `x > c` reads only the bits of `x` from the lowest 0 of `c` on: with up to six of them it is one table. Above that the
//! word is cut at bits 5, 8, 11, … into a lower and an upper part, `x > c` where the upper part is greater, or equal and
//! the lower part greater. The cuts are the same for all bounds of a word, so that equal lower parts are compared once;
//! and the first part has five bits and the others at most three and one input more, so that for bytes any two
//! comparisons of a word share a dual-output LUT.

use blc_ir::{Func, Level, LocId, OpKind, Type, Value};
use rustc_hash::FxHashMap;

use crate::pass::{Abort, Changed, NoOptions, Pass, PassCx, PassSpec};
use crate::rebuild::{Bits, Rebuild};

/// See the module's words.
pub struct LowerEncoder;

impl PassSpec for LowerEncoder {
    const NAME: &'static str = "lower-encoder";
    const SUMMARY: &'static str = "Turn comparisons with constants into lookup tables";
    const LEVEL: Level = Level::Bit;
    type Options = NoOptions;

    fn build(_: NoOptions) -> Box<dyn Pass> {
        Box::new(Self)
    }
}

impl Pass for LowerEncoder {
    fn run(&mut self, f: &mut Func, _: &mut PassCx<'_>) -> Result<Changed, Abort> {
        if !f.ops().any(|(_, op)| matches!(op.kind, OpKind::GtConst { .. })) {
            return Ok(Changed::No);
        }
        let mut rebuild = Rebuild::new(f);
        let mut comparisons = Comparisons::default();
        for (id, op) in f.ops() {
            match op.kind {
                OpKind::GtConst { bound } => {
                    let word = rebuild.get(op.operands[0]);
                    let width = f.ty(op.operands[0]).total_bits();
                    let bit = comparisons.above(&mut rebuild.new, word, width, bound, op.loc);
                    rebuild.set(op.result(), bit);
                }
                _ => rebuild.copy(id),
            }
        }
        let new = rebuild.finish();
        *f = new;
        Ok(Changed::Yes)
    }
}

#[derive(Default)]
struct Comparisons {
    bits: Bits,
    /// By word, number of low bits compared, and bound.
    known: FxHashMap<(Value, usize, u64), Value>,
}

/// Most inputs of a table.
const K: usize = 6;
/// Bits of the lowest part.
const LOWEST: usize = 5;
/// Bits of the parts between.
const PART: usize = 3;

impl Comparisons {
    /// Whether the lowest `end` bits of a word are above a bound.
    fn above(&mut self, f: &mut Func, word: Value, end: usize, bound: u64, loc: LocId) -> Value {
        let ones = bound.trailing_ones() as usize;
        // No number of so many bits is above these.
        if ones >= end || end < 64 && bound >> end != 0 {
            return f.constant(0, Type::BIT);
        }
        if let Some(&known) = self.known.get(&(word, end, bound)) {
            return known;
        }
        let bit = if end - ones <= K {
            self.table(f, word, None, ones..end, bound >> ones, loc)
        } else {
            let cut = cut(end);
            let lower = self.above(f, word, cut, bound & ((1 << cut) - 1), loc);
            self.table(f, word, Some(lower), cut..end, bound >> cut, loc)
        };
        self.known.insert((word, end, bound), bit);
        bit
    }

    /// Whether some bits of a word are above a bound, or equal to it where `lower` is 1.
    fn table(
        &mut self,
        f: &mut Func,
        word: Value,
        lower: Option<Value>,
        range: std::ops::Range<usize>,
        bound: u64,
        loc: LocId,
    ) -> Value {
        let mut inputs: Vec<Value> = lower.into_iter().collect();
        let first = inputs.len();
        inputs.extend(range.map(|bit| self.bits.get(f, word, bit)));
        let above = |address: u64| {
            let x = address >> first;
            x > bound || x == bound && first == 1 && address & 1 == 1
        };
        let table = (0..1u64 << inputs.len()).fold(0, |table, a| table | u64::from(above(a)) << a);
        f.lut(table, &inputs, loc)
    }
}

/// Where the lowest `end > 6` bits are cut: at the first of 5, 8, 11, … that leaves an upper part of at most five.
fn cut(end: usize) -> usize {
    LOWEST + end.saturating_sub(LOWEST + K - 1).div_ceil(PART) * PART
}

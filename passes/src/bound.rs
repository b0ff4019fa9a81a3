//! `bound`: how many functions the logic has at least, however it is covered. Changes nothing.
//!
//! Each function that an output or anything but a lookup table reads needs a lookup table of its own, unless it equals
//! another or its complement, an input or a constant. Samples tell them apart: those that differ on one are different. What
//! words and carry chains give counts as input.

use blc_ir::{Func, Level};
use rustc_hash::FxHashSet;

use crate::logic::Logic;
use crate::logic::samples::Samples;
use crate::pass::{Abort, Changed, NoOptions, Pass, PassCx, PassSpec};
use crate::rng::Rng;

/// Most words of samples, and of all nodes together.
const WORDS: usize = 64;
const ALL_WORDS: usize = 1 << 24;

/// See the module's words.
#[derive(Debug)]
pub struct Bound;

impl PassSpec for Bound {
    const NAME: &'static str = "bound";
    const SUMMARY: &'static str = "counts the different functions of the outputs, fewer than which no cover has";
    const LEVEL: Level = Level::Bit;
    type Options = NoOptions;

    fn build(_: NoOptions) -> Box<dyn Pass> {
        Box::new(Self)
    }
}

impl Pass for Bound {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        cx.fact("bound.functions", bound(f));
        Ok(Changed::No)
    }
}

/// Functions that no cover of the same outputs can do without. Program order must define before it uses.
pub fn bound(f: &Func) -> u64 {
    let logic = Logic::read(f);
    let words = (ALL_WORDS / logic.nodes.len().max(1)).clamp(1, WORDS);
    let order = logic.order();
    let samples = Samples::random(&logic, &order, words, &mut Rng::new(4));
    let normal = |node: u32| -> Vec<u64> {
        let value = samples.of(node);
        let flip = (value[0] & 1).wrapping_neg();
        value.iter().map(|w| w ^ flip).collect()
    };
    // What needs no lookup table: constants and what is there anyway.
    let mut known: FxHashSet<Vec<u64>> = FxHashSet::from_iter([vec![0; words]]);
    let leaves = logic.nodes.iter().enumerate().filter(|(_, n)| n.leaf);
    known.extend(leaves.map(|(node, _)| normal(node as u32)));
    let roots = logic.root.iter().enumerate().filter(|(node, root)| **root && !logic.nodes[*node].leaf);
    roots.filter(|(node, _)| known.insert(normal(*node as u32))).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::{FuncKind, LocId, Type};

    #[test]
    fn equal_and_complementary_functions_inputs_and_constants_count_once_or_not() {
        let mut f = Func::new("f", FuncKind::Func);
        let x: Vec<_> = (0..3).map(|i| f.add_param(format!("x{i}"), Type::BIT)).collect();
        let mut lut = |table, x: &[blc_ir::Value]| f.lut(table, x, LocId::UNKNOWN);
        let and = lut(0x8, &x[..2]);
        let nand = lut(0x7, &[x[1], x[0]]);
        let inside = lut(0x6, &[and, x[2]]);
        let other = lut(0x2d, &[x[2], and, x[1]]);
        let zero = lut(0x8, &[and, nand]);
        let same = lut(0x8, &[and, x[0]]);
        let not = lut(0x1, &[x[2]]);
        for (i, v) in [and, nand, other, zero, same, not].into_iter().enumerate() {
            f.add_result(format!("y{i}"), v);
        }
        assert_eq!(bound(&f), 2, "`and` and `other`");
        f.add_result("inside", inside);
        assert_eq!(bound(&f), 3);
    }
}

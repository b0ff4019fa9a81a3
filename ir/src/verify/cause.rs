//! What a result really depends on: a LUT6_2 holds two functions, which may belong to different stages of a pipeline.

use crate::func::{Func, Op, Value};
use crate::ops::OpKind;
use crate::order::is_register;
use crate::table::{cofactor, support};

/// The operands that result `i` of an op depends on. Exact for the outputs of a LUT6_2 (its support, constant pins fixed)
/// and of a CARRY4 (no position looks at a higher one); for other ops all operands but the clock.
pub(super) fn operands<'a>(f: &Func, op: Op<'a>, i: usize) -> impl Iterator<Item = Value> + use<'a> {
    let mask: u16 = match op.kind {
        OpKind::Xc7Lut6_2 { init } => {
            let table = if i == 0 { init } else { init & 0xffff_ffff | init << 32 };
            let fixed = op.operands.iter().enumerate().fold(table, |t, (j, &v)| match f.as_const(v) {
                Some(value) => cofactor(t, j, value == 1),
                None => t,
            });
            u16::from(support(fixed))
        }
        OpKind::Xc7Carry4 {} => {
            let position = i % 4;
            let selects = (1 << (position + 1)) - 1;
            let data = if i < 4 { (1 << position) - 1 } else { selects };
            selects | data << 4 | 0b11 << 8
        }
        kind if is_register(kind) => 1,
        _ => u16::MAX,
    };
    // Beyond sixteen operands every one counts.
    op.operands.iter().enumerate().filter(move |(j, _)| *j >= 16 || mask >> j & 1 == 1).map(|(_, &v)| v)
}

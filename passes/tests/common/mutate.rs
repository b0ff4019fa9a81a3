//! Designs with one mistake.

use blc_ir::eval::Val;
use blc_ir::{Func, FuncKind, LocId, OpId, OpKind, Type, Value};

use super::Rng;

/// All values of a function's inputs, of at most so many bits together; the clock is none of them.
pub fn every_input(f: &Func, most: usize) -> impl Iterator<Item = Vec<Val>> {
    let types: Vec<Type> = f.params.iter().map(|p| f.ty(p.value)).filter(|&ty| ty != Type::CLOCK).collect();
    let bits: usize = types.iter().map(Type::total_bits).sum();
    assert!(bits <= most, "{bits} bits of inputs");
    (0..1u64 << bits).map(move |all| {
        let mut at = 0;
        let mut val = |ty: &Type| {
            let word = |i: usize| all >> (at + i * ty.elem_bits()) & ((1 << ty.elem_bits()) - 1);
            let val = Val::Packed((0..ty.len()).map(word).collect());
            at += ty.total_bits();
            val
        };
        types.iter().map(&mut val).collect()
    })
}

/// Any op of a kind.
pub fn some_op(rng: &mut Rng, f: &Func, wanted: impl Fn(OpKind) -> bool) -> Option<OpId> {
    let ids: Vec<OpId> = f.ops().filter(|(_, op)| wanted(op.kind)).map(|(id, _)| id).collect();
    (!ids.is_empty()).then(|| rng.of(&ids))
}

/// Flips one bit of a table.
pub fn table_bit(rng: &mut Rng, f: &mut Func) -> bool {
    let table = |k| matches!(k, OpKind::Lut { .. } | OpKind::Xc7Lut6 { .. } | OpKind::Xc7Lut6_2 { .. });
    let Some(id) = some_op(rng, f, table) else { return false };
    let bit = 1 << rng.below(1 << f.op(id).operands.len());
    let kind = match f.op(id).kind {
        OpKind::Lut { table } => OpKind::Lut { table: table ^ bit },
        OpKind::Xc7Lut6 { init } => OpKind::Xc7Lut6 { init: init ^ bit },
        OpKind::Xc7Lut6_2 { init } => OpKind::Xc7Lut6_2 { init: init ^ bit },
        kind => kind,
    };
    f.set_kind(id, kind);
    true
}

/// Exchanges two inputs of a table.
pub fn swapped_inputs(rng: &mut Rng, f: &mut Func) -> bool {
    swapped(rng, f, |k| matches!(k, OpKind::Lut { .. } | OpKind::Xc7Lut6 { .. } | OpKind::Xc7Lut6_2 { .. }))
}

/// Exchanges two pins of a carry chain or a multiplexer.
pub fn swapped_pins(rng: &mut Rng, f: &mut Func) -> bool {
    swapped(rng, f, |k| matches!(k, OpKind::Xc7Carry4 {} | OpKind::Xc7MuxF7 {} | OpKind::Xc7MuxF8 {}))
}

fn swapped(rng: &mut Rng, f: &mut Func, wanted: impl Fn(OpKind) -> bool) -> bool {
    let Some(id) = some_op(rng, f, wanted).filter(|&id| f.op(id).operands.len() > 1) else { return false };
    let mut operands = f.op(id).operands.to_vec();
    let (i, j) = (rng.below(operands.len()), rng.below(operands.len()));
    operands.swap(i, j);
    f.set_operands(id, &operands);
    true
}

/// A bound that is one too high or too low.
pub fn off_by_one(rng: &mut Rng, f: &mut Func) -> bool {
    let Some(id) = some_op(rng, f, |k| matches!(k, OpKind::GtConst { .. })) else { return false };
    if let OpKind::GtConst { bound } = f.op(id).kind {
        let bound = if rng.chance(2) { bound + 1 } else { bound.saturating_sub(1) };
        f.set_kind(id, OpKind::GtConst { bound });
    }
    true
}

/// Three words, four thresholds, and the largest of two sums; with `highest` ties go to the other side.
pub fn words(highest: bool) -> Func {
    let mut f = Func::new("words", FuncKind::Func);
    let x: Vec<Value> = (0..3).map(|i| f.add_param(format!("x{i}"), Type::word(3))).collect();
    let gt = |f: &mut Func, v: Value, bound| f.push1(OpKind::GtConst { bound }, &[v], Type::BIT, LocId::UNKNOWN);
    let bits: Vec<Value> = (0..6).map(|i| gt(&mut f, x[i % 3], [1, 3, 4, 5, 2, 6][i])).collect();
    let sums: Vec<Value> = bits.chunks(3).map(|b| f.sum(b, 2, LocId::UNKNOWN)).collect();
    let class = match highest {
        false => f.word_argmax(&sums, LocId::UNKNOWN),
        true => {
            let first = f.push1(OpKind::Gt {}, &[sums[0], sums[1]], Type::BIT, LocId::UNKNOWN);
            let second = f.lut(0x1, &[first], LocId::UNKNOWN);
            f.pack(&[second], Type::word(1), LocId::UNKNOWN)
        }
    };
    f.add_result("class", class);
    f.add_result("score", sums[0]);
    f
}

/// Two sums of two words and a bit each, and the larger.
pub fn sums() -> Func {
    let mut f = Func::new("sums", FuncKind::Func);
    let x: Vec<Value> = (0..3).map(|i| f.add_param(format!("x{i}"), Type::word(3))).collect();
    let bit = f.add_param("bit", Type::BIT);
    let sums = [0, 1].map(|i| f.sum(&[x[i], x[i + 1], bit], 4, LocId::UNKNOWN));
    let class = f.word_argmax(&sums, LocId::UNKNOWN);
    f.add_result("class", class);
    f.add_result("score", sums[0]);
    f
}

/// A register that becomes a wire.
pub fn dropped_register(rng: &mut Rng, f: &mut Func) -> bool {
    let Some(id) = some_op(rng, f, |k| matches!(k, OpKind::Reg { .. } | OpKind::Xc7Fdre { .. })) else { return false };
    let (from, to) = (f.op(id).result(), f.op(id).operands[0]);
    let map: Vec<Value> = (0..f.value_count()).map(Value::new).map(|v| if v == from { to } else { v }).collect();
    f.replace_uses(&map);
    f.tidy();
    true
}

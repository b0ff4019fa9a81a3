//! Types and attributes of one op: the operand count is already right.

use super::{Check, Problem, all_bits, clocked, is_table, no_clock, result_is, scalar_word};
use crate::codes::*;
use crate::func::{Func, Op, Value};
use crate::module::{Data, Module, Resource, ResourceId};
use crate::ops::OpKind;
use crate::table::mask;
use crate::types::{Elem, Type, bits_for, bits_for_products};

pub(super) fn check(module: &Module, f: &Func, op: Op<'_>) -> Check {
    no_clock(f, op)?;
    let (x, out) = (op.operands, op.result());
    match op.kind {
        OpKind::Thermometer { thresholds } => thermometer(module, f, op, thresholds),
        OpKind::Code { bits, thresholds, codes } => code(module, f, op, bits as usize, thresholds, codes),
        OpKind::MatVec { weights } => {
            let ty = f.ty(x[0]);
            if !matches!(ty.elem, Elem::Word(_)) || ty.shape().len() != 1 {
                return Err((&OPERAND_TYPE, format!("the operand is of type {ty}, a vector of words is needed")));
            }
            let (rows, width) = matvec(module, ty, weights)?;
            result_is(f, op, Type::array(Elem::Word(width), &[rows]).unwrap_or(Type::BIT))
        }
        OpKind::LutDense { k, connections, tables } => {
            let n = vector(f, x[0], Elem::Bit, "a vector of bits")?;
            let nodes = lut_dense(module, n, k, connections, tables)?;
            result_is(f, op, Type::bits(nodes))
        }
        OpKind::GroupSum { groups } => {
            let n = vector(f, x[0], Elem::Bit, "a vector of bits")?;
            let groups = groups as usize;
            if groups == 0 || !n.is_multiple_of(groups) {
                return Err((&ATTRIBUTE, format!("{groups} groups do not divide {n} bits")));
            }
            let width = bits_for((n / groups) as u64);
            result_is(f, op, Type::array(Elem::Word(width), &[groups]).unwrap_or(Type::BIT))
        }
        OpKind::Argmax { .. } => {
            let ty = f.ty(x[0]);
            match ty.elem {
                Elem::Word(_) if ty.shape().len() == 1 => result_is(f, op, Type::word(bits_for(ty.len() as u64 - 1))),
                _ => Err((&OPERAND_TYPE, format!("the operand is of type {ty}, a vector of words is needed"))),
            }
        }
        OpKind::Lut { table } | OpKind::Xc7Lut6 { init: table } => {
            all_bits(f, x)?;
            is_table(table, x.len())?;
            result_is(f, op, Type::BIT)
        }
        OpKind::LutWide { table } => {
            all_bits(f, x)?;
            let words = 1usize << (x.len() - 6);
            if f.table(table).len() != words {
                return Err((&TABLE_BITS, format!("the table of {} inputs has 2^{} bits", x.len(), x.len())));
            }
            result_is(f, op, Type::BIT)
        }
        OpKind::Const { value } => constant(f, out, value),
        OpKind::Extract { offset } => {
            let (from, to) = (f.ty(x[0]), f.ty(out));
            if !from.is_packed() {
                return Err((&OPERAND_TYPE, format!("{from} has no bits to take out")));
            }
            if !to.is_packed() || offset as usize + to.total_bits() > from.total_bits() {
                return Err((&RESULT_TYPE, format!("{to} from bit {offset} on does not lie inside {from}")));
            }
            Ok(())
        }
        OpKind::Pack {} => {
            if let Some(&v) = x.iter().find(|&&v| !f.ty(v).is_packed()) {
                return Err((&OPERAND_TYPE, format!("{} cannot be packed", f.ty(v))));
            }
            let bits: usize = x.iter().map(|&v| f.ty(v).total_bits()).sum();
            let to = f.ty(out);
            if !to.is_packed() || to.total_bits() != bits {
                return Err((&RESULT_TYPE, format!("the operands have {bits} bits, {to} does not")));
            }
            Ok(())
        }
        OpKind::Sum {} => {
            x.iter().enumerate().try_for_each(|(i, &v)| scalar_word(f, v, &format!("operand {i}")))?;
            word(f, out).map(|_| ())
        }
        OpKind::Gt {} => {
            x.iter().enumerate().try_for_each(|(i, &v)| scalar_word(f, v, &format!("operand {i}")))?;
            result_is(f, op, Type::BIT)
        }
        OpKind::GtConst { .. } => {
            scalar_word(f, x[0], "the operand")?;
            result_is(f, op, Type::BIT)
        }
        OpKind::Mux {} => {
            all_bits(f, &x[..1])?;
            let ty = f.ty(x[1]);
            if !ty.is_packed() || f.ty(x[2]) != ty {
                return Err((&OPERAND_TYPE, format!("{ty} and {} cannot be chosen between", f.ty(x[2]))));
            }
            result_is(f, op, ty)
        }
        OpKind::WordArgmax { .. } => {
            x.iter().enumerate().try_for_each(|(i, &v)| scalar_word(f, v, &format!("operand {i}")))?;
            result_is(f, op, Type::word(bits_for(x.len() as u64 - 1)))
        }
        OpKind::Reg { .. } | OpKind::Xc7Fdre { .. } => {
            clocked(f, op)?;
            result_is(f, op, Type::BIT)
        }
        OpKind::Xc7Lut6_2 { .. } | OpKind::Xc7Carry4 {} | OpKind::Xc7MuxF7 {} | OpKind::Xc7MuxF8 {} => {
            all_bits(f, x)?;
            result_is(f, op, Type::BIT)
        }
        OpKind::Extern { .. } => Ok(()),
    }
}

fn vector(f: &Func, v: Value, elem: Elem, wanted: &str) -> Result<usize, Problem> {
    let ty = f.ty(v);
    if ty.elem != elem || ty.shape().len() != 1 {
        return Err((&OPERAND_TYPE, format!("the operand is of type {ty}, {wanted} is needed")));
    }
    Ok(ty.len())
}

fn word(f: &Func, v: Value) -> Result<u8, Problem> {
    match f.ty(v) {
        Type { elem: Elem::Word(width), .. } if f.ty(v).is_scalar() => Ok(width),
        ty => Err((&RESULT_TYPE, format!("the result is of type {ty}, a word is needed"))),
    }
}

fn constant(f: &Func, out: Value, value: u64) -> Check {
    let ty = f.ty(out);
    if !ty.is_scalar() || !ty.is_packed() {
        return Err((&RESULT_TYPE, format!("a constant is a bit or a word, not {ty}")));
    }
    if ty.elem_bits() < 64 && value >> ty.elem_bits() != 0 {
        return Err((&CONST_RANGE, format!("{value} does not fit {ty}")));
    }
    Ok(())
}

fn loaded<'a>(module: &'a Module, id: ResourceId, what: &str) -> Result<(&'a Resource, &'a Data), Problem> {
    let resource = module.resource(id).ok_or((&UNKNOWN_NAME, format!("{what} are of no resource")))?;
    match &resource.data {
        Some(data) if resource.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) == Some(data.len()) => {
            Ok((resource, data))
        }
        Some(_) => Err((&RESOURCE_SHAPE, format!("#{} has not as many elements as its shape says", resource.name))),
        None => Err((&RESOURCE_MISSING, format!("the data of #{} is missing", resource.name))),
    }
}

fn thermometer(module: &Module, f: &Func, op: Op<'_>, thresholds: ResourceId) -> Check {
    let (features, bits) = rising(module, f, op, thresholds)?;
    result_is(f, op, Type::bits(features * bits))
}

fn code(module: &Module, f: &Func, op: Op<'_>, bits: usize, thresholds: ResourceId, codes: ResourceId) -> Check {
    let (features, steps) = rising(module, f, op, thresholds)?;
    if !(1..=64).contains(&bits) {
        return Err((&ATTRIBUTE, format!("codes of {bits} bits; they have 1 to 64")));
    }
    let (resource, Data::U64(values)) = loaded(module, codes, "codes")? else {
        return Err((&RESOURCE_SHAPE, "codes are u64".into()));
    };
    if resource.shape != [steps + 1] {
        return Err((&RESOURCE_SHAPE, format!("#{} is not [{}], one code an interval", resource.name, steps + 1)));
    }
    if let Some(bad) = values.iter().find(|&&c| bits < 64 && c >> bits != 0) {
        return Err((&RESOURCE_VALUE, format!("#{} has {bad:#x}, which does not fit {bits} bits", resource.name)));
    }
    result_is(f, op, Type::bits(features.saturating_mul(bits)))
}

/// Rows of the matrix, and the width that holds every product with it.
fn matvec(module: &Module, ty: Type, weights: ResourceId) -> Result<(usize, u8), Problem> {
    let (resource, Data::U32(w)) = loaded(module, weights, "weights")? else {
        return Err((&RESOURCE_SHAPE, "weights are u32".into()));
    };
    match *resource.shape.as_slice() {
        [rows, columns] if columns == ty.len() && rows > 0 => {
            let width = bits_for_products(w, columns, ty.elem_bits());
            Ok((rows, width.ok_or((&RESOURCE_VALUE, format!("#{} gives sums above 2^64", resource.name)))?))
        }
        _ => Err((&RESOURCE_SHAPE, format!("#{} is not [rows, {}]", resource.name, ty.len()))),
    }
}

/// Checks thresholds against the operand; gives features and thresholds of each.
fn rising(module: &Module, f: &Func, op: Op<'_>, thresholds: ResourceId) -> Result<(usize, usize), Problem> {
    let ty = f.ty(op.operands[0]);
    if !matches!(ty.elem, Elem::Word(_) | Elem::F32) {
        return Err((&OPERAND_TYPE, format!("the operand is of type {ty}, words or real numbers are needed")));
    }
    let features = ty.len();
    let (resource, data) = loaded(module, thresholds, "thresholds")?;
    let &[rows, bits] = resource.shape.as_slice() else {
        return Err((&RESOURCE_SHAPE, format!("#{} is not [features, bits]", resource.name)));
    };
    if rows != features || bits == 0 {
        return Err((
            &RESOURCE_SHAPE,
            format!("#{} is [{rows}, {bits}], the operand has {features} features", resource.name),
        ));
    }
    let fine = match data {
        Data::F32(t) => t.iter().all(|x| x.is_finite()) && t.chunks(bits).all(|row| row.is_sorted()),
        Data::U8(t) => t.chunks(bits).all(|row| row.is_sorted()),
        Data::U32(t) => t.chunks(bits).all(|row| row.is_sorted()),
        Data::U64(_) => {
            return Err((&RESOURCE_SHAPE, format!("#{} is u64, thresholds are f32, u8 or u32", resource.name)));
        }
    };
    if !fine {
        return Err((&RESOURCE_VALUE, format!("#{} has a threshold that falls or is not finite", resource.name)));
    }
    Ok((features, bits))
}

/// Checks connections and tables against each other; gives the number of nodes.
fn lut_dense(
    module: &Module,
    inputs: usize,
    k: u8,
    connections: ResourceId,
    tables: ResourceId,
) -> Result<usize, Problem> {
    let k = k as usize;
    if !(1..=16).contains(&k) {
        return Err((&ATTRIBUTE, format!("k is {k}, tables have 1 to 16 inputs")));
    }
    let (wires, Data::U32(wire)) = loaded(module, connections, "connections")? else {
        return Err((&RESOURCE_SHAPE, "connections are u32".into()));
    };
    let &[nodes, fan_in] = wires.shape.as_slice() else {
        return Err((&RESOURCE_SHAPE, format!("#{} is not [nodes, k]", wires.name)));
    };
    if fan_in != k || nodes == 0 {
        return Err((&RESOURCE_SHAPE, format!("#{} is [{nodes}, {fan_in}], k is {k}", wires.name)));
    }
    if let Some(bad) = wire.iter().find(|&&w| w as usize >= inputs) {
        return Err((&RESOURCE_VALUE, format!("#{} reads bit {bad} of {inputs}", wires.name)));
    }
    let (table, Data::U64(bits)) = loaded(module, tables, "tables")? else {
        return Err((&RESOURCE_SHAPE, "tables are u64".into()));
    };
    let words = (1usize << k).div_ceil(64);
    if bits.len() != nodes * words || table.shape.first() != Some(&nodes) {
        return Err((&RESOURCE_SHAPE, format!("#{} has not {words} words for each of {nodes} nodes", table.name)));
    }
    if k < 6
        && let Some(bad) = bits.iter().find(|&&t| t & !mask(k) != 0)
    {
        return Err((&RESOURCE_VALUE, format!("#{} has {bad:#x}, with bits above those of {k} inputs", table.name)));
    }
    Ok(nodes)
}

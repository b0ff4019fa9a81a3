//! The edits by which a module shrinks, each over a range of what it counts.

use std::ops::Range;

use blc_ir::table::mask;
use blc_ir::{Func, FuncAttr, LocId, Module, OpId, OpKind, Type, Value};

/// How many things of a module an edit can be applied to.
pub(super) type Count = fn(&Module) -> usize;
/// Applies an edit to some of them; false where it would change nothing. The module is left untidy.
pub(super) type Edit = fn(&mut Module, Range<usize>) -> bool;

/// What is tried, in this order.
pub(super) const STEPS: &[(Count, Edit)] = &[
    (|m| m.funcs.len(), |m, range| range.len() < m.funcs.len() && m.funcs.drain(range).count() > 0),
    (
        |m| total(m, |f| f.results.len()),
        |m, range| {
            each(
                m,
                range,
                |f| f.results.len(),
                |f, range| range.len() < f.results.len() && f.results.drain(range).count() > 0,
            )
        },
    ),
    (|m| total(m, hoist_count), |m, range| each(m, range, hoist_count, hoist)),
    (ops, |m, range| each(m, range, Func::op_count, free)),
    (ops, |m, range| each(m, range, Func::op_count, |f, range| constant(f, range, 0))),
    (ops, |m, range| each(m, range, Func::op_count, |f, range| constant(f, range, 1))),
    (ops, |m, range| each(m, range, Func::op_count, bypass)),
    (ops, |m, range| each(m, range, Func::op_count, share)),
    (inputs, |m, range| each(m, range, |f| f.params.len(), |f, range| fix_inputs(f, range, 0))),
    (inputs, |m, range| each(m, range, |f| f.params.len(), |f, range| fix_inputs(f, range, 1))),
    (inputs, |m, range| each(m, range, |f| f.params.len(), drop_inputs)),
    (operands, |m, range| each(m, range, operand_count, |f, range| drop_operands(f, range, false))),
    (operands, |m, range| each(m, range, operand_count, |f, range| drop_operands(f, range, true))),
    (|m| total(m, one_count), |m, range| each(m, range, one_count, clear_ones)),
    (
        |m| total(m, |f| f.attrs.len()),
        |m, range| each(m, range, |f| f.attrs.len(), |f, range| f.attrs.drain(range).count() > 0),
    ),
    (|_| 1, plain),
];

fn total(module: &Module, len: fn(&Func) -> usize) -> usize {
    module.funcs.iter().map(len).sum()
}

fn ops(module: &Module) -> usize {
    total(module, Func::op_count)
}

fn inputs(module: &Module) -> usize {
    total(module, |f| f.params.len())
}

fn operands(module: &Module) -> usize {
    total(module, operand_count)
}

/// Applies an edit of functions to the parts of a range that lie in each.
fn each(
    module: &mut Module,
    range: Range<usize>,
    len: fn(&Func) -> usize,
    edit: fn(&mut Func, Range<usize>) -> bool,
) -> bool {
    let (mut base, mut changed) = (0, false);
    for f in &mut module.funcs {
        let n = len(f);
        let part = range.start.saturating_sub(base).min(n)..range.end.saturating_sub(base).min(n);
        base += n;
        changed |= !part.is_empty() && edit(f, part);
    }
    changed
}

/// What the ops behind the outputs read.
fn hoist_count(f: &Func) -> usize {
    f.results.iter().filter_map(|port| f.def_op(port.value)).map(|op| f.op(op).operands.len()).sum()
}

/// Outputs become what the ops behind them read, of whatever type.
fn hoist(f: &mut Func, range: Range<usize>) -> bool {
    let (mut base, mut changed) = (0, false);
    for i in 0..f.results.len() {
        let Some(op) = f.def_op(f.results[i].value) else { continue };
        let operands = f.op(op).operands;
        let first = range.start.saturating_sub(base);
        let wanted = operands.get(first).filter(|_| base + first < range.end).copied();
        base += operands.len();
        if let Some(v) = wanted {
            f.results[i].value = v;
            changed = true;
        }
    }
    changed
}

/// Redirects the results of some ops, where there is something to redirect them to.
fn redirect(f: &mut Func, range: Range<usize>, mut to: impl FnMut(&mut Func, OpId, Value) -> Option<Value>) -> bool {
    let mut map: Vec<Value> = (0..f.value_count()).map(Value::new).collect();
    for id in range.map(OpId::new) {
        for v in f.op(id).results() {
            if let Some(other) = to(f, id, v).filter(|&other| !leads_to(&map, other, v)) {
                map[v.index()] = other;
            }
        }
    }
    let changed = map.iter().enumerate().any(|(i, v)| v.index() != i);
    f.replace_uses(&map);
    changed
}

/// Whether a chain of redirections ends at a value: then that cannot be redirected into the chain.
fn leads_to(map: &[Value], mut from: Value, end: Value) -> bool {
    while let Some(&next) = map.get(from.index()).filter(|&&next| next != from) {
        from = next;
    }
    from == end
}

/// Ops become new inputs, where something else reads them.
fn free(f: &mut Func, range: Range<usize>) -> bool {
    let mut read = vec![false; f.value_count()];
    for (id, op) in f.ops() {
        if !range.contains(&id.index()) {
            op.operands.iter().for_each(|v| read[v.index()] = true);
        }
    }
    f.results.iter().for_each(|port| read[port.value.index()] = true);
    let taken: rustc_hash::FxHashSet<String> = f.params.iter().map(|p| p.name.clone()).collect();
    let mut names = (0..).map(|n| format!("i{n}")).filter(|name| !taken.contains(name));
    redirect(f, range, |f, id, v| {
        let wanted = read[v.index()] && !matches!(f.op(id).kind, OpKind::Const { .. });
        wanted.then(|| f.add_param(names.next().unwrap_or_default(), f.ty(v)))
    })
}

/// Ops become constants.
fn constant(f: &mut Func, range: Range<usize>, value: u64) -> bool {
    redirect(f, range, |f, id, v| {
        let ty = f.ty(v);
        let wanted = ty.is_scalar() && ty.is_packed() && !matches!(f.op(id).kind, OpKind::Const { .. });
        wanted.then(|| f.constant(value, ty))
    })
}

/// Ops become the first of their operands that has their type.
fn bypass(f: &mut Func, range: Range<usize>) -> bool {
    redirect(f, range, |f, id, v| f.op(id).operands.iter().copied().find(|&operand| f.ty(operand) == f.ty(v)))
}

/// Constants become the first one of their type.
fn share(f: &mut Func, range: Range<usize>) -> bool {
    let constants = f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Const { .. }));
    let constants: Vec<(Type, Value)> = constants.map(|(_, op)| (f.ty(op.result()), op.result())).collect();
    redirect(f, range, |f, id, v| {
        let first = constants.iter().find(|(ty, _)| *ty == f.ty(v)).map(|(_, first)| *first);
        first.filter(|&first| first != v && matches!(f.op(id).kind, OpKind::Const { .. }))
    })
}

/// Inputs become constants.
fn fix_inputs(f: &mut Func, range: Range<usize>, value: u64) -> bool {
    let mut map: Vec<Value> = (0..f.value_count()).map(Value::new).collect();
    let used = f.use_counts();
    let mut changed = false;
    for i in range {
        let v = f.params[i].value;
        let ty = f.ty(v);
        if ty.is_scalar() && ty.is_packed() && used[v.index()] > 0 {
            map[v.index()] = f.constant(value, ty);
            changed = true;
        }
    }
    f.replace_uses(&map);
    changed && drop_inputs(f, 0..f.params.len())
}

/// Inputs that nothing reads go.
fn drop_inputs(f: &mut Func, range: Range<usize>) -> bool {
    f.tidy();
    let used = f.use_counts();
    let gone: Vec<bool> =
        f.params.iter().enumerate().map(|(i, p)| range.contains(&i) && used[p.value.index()] == 0).collect();
    if !gone.contains(&true) {
        return false;
    }
    // In a tidy function values are numbered in order, parameters first.
    let mut shift = 0;
    let mut map = Vec::with_capacity(f.value_count());
    for i in 0..f.value_count() {
        map.push(Value::new(i - shift));
        shift += usize::from(gone.get(i) == Some(&true));
    }
    let mut new = f.new_like();
    for (port, _) in f.params.iter().zip(&gone).filter(|(_, gone)| !**gone) {
        new.add_param(port.name.clone(), f.ty(port.value));
    }
    for (_, op) in f.ops() {
        let operands: Vec<Value> = op.operands.iter().map(|v| map[v.index()]).collect();
        let types: Vec<Type> = op.results().map(|v| f.ty(v)).collect();
        let kind = match op.kind {
            OpKind::LutWide { table } => OpKind::LutWide { table: new.add_table(f.table(table).into()) },
            OpKind::Extern { op } => OpKind::Extern { op: new.add_extern(f.extern_name(op)) },
            kind => kind,
        };
        let id = new.push(kind, &operands, &types, op.loc);
        let names: Vec<_> = op.results().zip(new.op(id).results()).collect();
        for (old, v) in names {
            if let Some(name) = f.name_of(old) {
                new.set_name(v, name);
            }
        }
    }
    f.results.iter().for_each(|port| new.add_result(port.name.clone(), map[port.value.index()]));
    *f = new;
    true
}

/// Operands that can be left out: those of tables, and of ops that take any number.
fn operand_count(f: &Func) -> usize {
    f.ops().map(|(_, op)| if droppable(op.kind) { op.operands.len() } else { 0 }).sum()
}

fn droppable(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Lut { .. }
            | OpKind::LutWide { .. }
            | OpKind::Xc7Lut6 { .. }
            | OpKind::Sum {}
            | OpKind::WordArgmax { .. }
    )
}

/// Leaves operands out: of a table by fixing them.
fn drop_operands(f: &mut Func, range: Range<usize>, fixed: bool) -> bool {
    let (mut base, mut changed) = (0, false);
    for id in f.op_ids() {
        let op = f.op(id);
        if !droppable(op.kind) {
            continue;
        }
        let n = op.operands.len();
        let part = range.start.saturating_sub(base).min(n)..range.end.saturating_sub(base).min(n);
        base += n;
        if part.is_empty() || part.len() == n {
            continue;
        }
        let mut operands = op.operands.to_vec();
        let kind = op.kind;
        operands.drain(part.clone());
        if let Some(table) = table(f, id) {
            set_table(f, id, fix(&table, part, fixed));
        } else if matches!(kind, OpKind::WordArgmax { .. })
            && f.ty(f.op(id).result()) != Type::word(blc_ir::types::bits_for(operands.len() as u64 - 1))
        {
            continue;
        }
        f.set_operands(id, &operands);
        changed = true;
    }
    changed
}

/// The table of an op, an entry an address.
fn table(f: &Func, id: OpId) -> Option<Vec<bool>> {
    let op = f.op(id);
    let size = 1usize << op.operands.len().min(16);
    match op.kind {
        OpKind::Lut { table } | OpKind::Xc7Lut6 { init: table } => {
            Some((0..size).map(|a| table >> a & 1 == 1).collect())
        }
        OpKind::LutWide { table } => Some((0..size).map(|a| f.table(table)[a / 64] >> (a % 64) & 1 == 1).collect()),
        _ => None,
    }
}

fn set_table(f: &mut Func, id: OpId, entries: Vec<bool>) {
    let mut words = vec![0u64; entries.len().div_ceil(64)];
    for (a, _) in entries.iter().enumerate().filter(|(_, one)| **one) {
        words[a / 64] |= 1 << (a % 64);
    }
    let kind = match f.op(id).kind {
        OpKind::Xc7Lut6 { .. } => OpKind::Xc7Lut6 { init: words[0] },
        _ if entries.len() > 64 => OpKind::LutWide { table: f.add_table(words.into()) },
        _ => OpKind::Lut { table: words[0] },
    };
    f.set_kind(id, kind);
}

/// A table with some of its inputs fixed, over the others.
fn fix(table: &[bool], inputs: Range<usize>, value: bool) -> Vec<bool> {
    let n = inputs.len();
    let fixed = if value { ((1 << n) - 1) << inputs.start } else { 0 };
    let low = (1 << inputs.start) - 1;
    (0..table.len() >> n).map(|a| table[(a & low) | fixed | (a & !low) << n]).collect()
}

/// Tables and how many ones each has.
pub(super) fn ones(f: &Func) -> impl Iterator<Item = (OpId, u32)> + '_ {
    f.ops().filter_map(|(id, op)| match op.kind {
        OpKind::Lut { table } => Some((id, (table & mask(op.operands.len())).count_ones())),
        OpKind::Xc7Lut6 { init } | OpKind::Xc7Lut6_2 { init } => Some((id, init.count_ones())),
        OpKind::LutWide { table } => Some((id, f.table(table).iter().map(|w| w.count_ones()).sum())),
        _ => None,
    })
}

fn one_count(f: &Func) -> usize {
    ones(f).map(|(_, n)| n as usize).sum()
}

/// Ones of tables become zeros.
fn clear_ones(f: &mut Func, range: Range<usize>) -> bool {
    let (mut base, mut changed) = (0, false);
    for (id, n) in ones(f).collect::<Vec<_>>() {
        let mut number = base..base + n as usize;
        base = number.end;
        if number.start >= range.end || number.end <= range.start {
            continue;
        }
        let mut keep = |one: bool| one && number.next().is_some_and(|n| !range.contains(&n));
        if let OpKind::Xc7Lut6_2 { init } = f.op(id).kind {
            let init = (0..64).filter(|a| keep(init >> a & 1 == 1)).map(|a| 1 << a).sum();
            f.set_kind(id, OpKind::Xc7Lut6_2 { init });
        } else if let Some(entries) = table(f, id) {
            set_table(f, id, entries.into_iter().map(keep).collect());
        }
        changed = true;
    }
    changed
}

/// Nothing is known of where ops came from, and nothing has a name that needs none.
fn plain(module: &mut Module, _: Range<usize>) -> bool {
    module.target = None;
    for f in &mut module.funcs {
        for id in f.op_ids() {
            f.set_loc(id, LocId::UNKNOWN);
            for v in f.op(id).results() {
                f.set_name(v, "");
            }
        }
        f.attrs.retain(|(_, attr)| !matches!(attr, FuncAttr::Str(_)));
    }
    true
}

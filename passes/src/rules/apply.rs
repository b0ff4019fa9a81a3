//! Where rules match, and what becomes of it.

use blc_ir::table::{mask, swap, widen};
use blc_ir::{Func, LocId, Op, OpId, OpKind, Type, Value};
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::expr::{Expr, Rule};
use crate::rebuild::Rebuild;

/// Most matches of a rule at one op that are looked at.
const MAX_MATCHES: usize = 32;

/// What variables stand for, and the ops below the matched one that the pattern covers.
#[derive(Clone, Default)]
struct Match {
    values: SmallVec<[Option<Value>; 8]>,
    inner: SmallVec<[OpId; 8]>,
}

/// One pass over a function in program order; `None` where nothing matched. Counts applications by rule.
pub(super) fn round(f: &Func, rules: &[(usize, &Rule)], applied: &mut [u64]) -> Option<Func> {
    let uses = f.use_counts();
    let mut changed = false;
    let mut rebuild = Rebuild::new(f);
    for (id, op) in f.ops() {
        let found = rules.iter().find_map(|&(number, rule)| Some((number, rule, best(f, &uses, id, rule)?)));
        let Some((number, rule, found)) = found else {
            rebuild.copy(id);
            continue;
        };
        let value = build(&mut rebuild, &rule.to, rule, &found, op.loc);
        rebuild.set(op.result(), value);
        applied[number] += 1;
        changed = true;
    }
    changed.then(|| rebuild.finish())
}

/// The match of a rule at an op that frees most, if it frees enough.
fn best(f: &Func, uses: &[u32], id: OpId, rule: &Rule) -> Option<Match> {
    let op = f.op(id);
    if op.results().len() != 1 || f.ty(op.result()) != of_width(rule.from.width(&rule.vars)) {
        return None;
    }
    let mut start = Match::default();
    start.values.resize(rule.vars.len(), None);
    let mut matches = Vec::new();
    at_op(f, rule, &rule.from, op, start, &mut matches);
    let price = rule.to.cost(&rule.vars);
    let freed = |found: &Match| cost(f, op) + freed_below(f, uses, found);
    let found = matches.into_iter().max_by_key(|found| freed(found))?;
    (rule.always || freed(&found) > price).then_some(found)
}

/// What the ops below cost that only the match uses.
fn freed_below(f: &Func, uses: &[u32], found: &Match) -> u64 {
    let inner: FxHashSet<OpId> = found.inner.iter().copied().collect();
    let bound: FxHashSet<Value> = found.values.iter().flatten().copied().collect();
    let only = |id: &&OpId| {
        let result = f.op(**id).result();
        uses[result.index()] == 1 && !bound.contains(&result)
    };
    inner.iter().filter(only).map(|&id| cost(f, f.op(id))).sum()
}

/// As [`Expr::cost`].
fn cost(f: &Func, op: Op<'_>) -> u64 {
    let bits = |v: Value| f.ty(v).total_bits() as u64;
    match op.kind {
        OpKind::Lut { .. } if op.operands.len() < 2 => 0,
        OpKind::Lut { .. } => 100 + op.operands.len() as u64,
        OpKind::Sum {} => 101 * bits(op.result()) * (op.operands.len() as u64 - 1),
        OpKind::Gt {} => 101 * op.operands.iter().map(|&v| bits(v)).max().unwrap_or(0),
        OpKind::GtConst { .. } => 50 * bits(op.operands[0]),
        OpKind::Mux {} => 103 * bits(op.result()),
        _ => 0,
    }
}

fn of_width(width: u8) -> Type {
    if width == 1 { Type::BIT } else { Type::word(width) }
}

/// Whether two types are the same run of bits.
fn is_width(f: &Func, value: Value, width: u8) -> bool {
    f.ty(value) == of_width(width)
}

/// All ways in which an expression stands for a value, each a continuation of `so_far`.
fn at_value(f: &Func, rule: &Rule, expr: &Expr, value: Value, so_far: &Match, out: &mut Vec<Match>) {
    if !is_width(f, value, expr.width(&rule.vars)) {
        return;
    }
    match expr {
        Expr::Var(v) => {
            if so_far.values[*v].is_none_or(|bound| bound == value) {
                let mut next = so_far.clone();
                next.values[*v] = Some(value);
                out.push(next);
            }
        }
        Expr::Const { value: wanted, .. } => {
            if f.as_const(value) == Some(*wanted) {
                out.push(so_far.clone());
            }
        }
        _ => {
            let Some(id) = f.def_op(value) else { return };
            let mut next = so_far.clone();
            next.inner.push(id);
            at_op(f, rule, expr, f.op(id), next, out);
        }
    }
}

/// The same for the op that makes the value.
fn at_op(f: &Func, rule: &Rule, expr: &Expr, op: Op<'_>, so_far: Match, out: &mut Vec<Match>) {
    let parts = expr.parts();
    if parts.len() != op.operands.len() || op.results().len() != 1 {
        return;
    }
    let k = parts.len();
    let in_order = |order: &[usize], out: &mut Vec<Match>| {
        let mut found = vec![so_far.clone()];
        for (part, &operand) in parts.iter().zip(order) {
            let mut next = Vec::new();
            for so_far in &found {
                at_value(f, rule, part, op.operands[operand], so_far, &mut next);
            }
            next.truncate(MAX_MATCHES);
            found = next;
        }
        out.extend(found);
        out.truncate(MAX_MATCHES);
    };
    let as_written: SmallVec<[usize; 8]> = (0..k).collect();
    match (expr, op.kind) {
        (Expr::Lut { table, .. }, OpKind::Lut { table: found }) => {
            // Input `j` of the pattern is operand `order[j]` of the op.
            permutations(k, &mut |order| {
                if out.len() < MAX_MATCHES && permuted(found, order) == *table {
                    in_order(order, out);
                }
            });
        }
        (Expr::Sum { .. }, OpKind::Sum {}) => permutations(k, &mut |order| {
            if out.len() < MAX_MATCHES {
                in_order(order, out);
            }
        }),
        (Expr::Gt(_), OpKind::Gt {}) | (Expr::Mux(_), OpKind::Mux {}) => in_order(&as_written, out),
        (Expr::GtConst { bound, .. }, OpKind::GtConst { bound: found }) if *bound == found => {
            in_order(&as_written, out);
        }
        _ => {}
    }
}

/// The table whose input `j` is input `order[j]` of the given one.
fn permuted(table: u64, order: &[usize]) -> u64 {
    let k = order.len();
    let mut t = widen(table, k);
    let mut at: SmallVec<[usize; 8]> = (0..k).collect();
    for (j, &wanted) in order.iter().enumerate() {
        let i = at.iter().position(|&a| a == wanted).unwrap_or(j);
        t = swap(t, i, j);
        at.swap(i, j);
    }
    t & mask(k)
}

/// Calls `f` with every order of `0..n`, the ascending one first.
fn permutations(n: usize, f: &mut impl FnMut(&[usize])) {
    fn go(order: &mut SmallVec<[usize; 8]>, left: &mut SmallVec<[usize; 8]>, f: &mut impl FnMut(&[usize])) {
        if left.is_empty() {
            return f(order);
        }
        for i in 0..left.len() {
            let next = left.remove(i);
            order.push(next);
            go(order, left, f);
            order.pop();
            left.insert(i, next);
        }
    }
    go(&mut SmallVec::new(), &mut (0..n).collect(), f);
}

/// Makes an expression's ops over what its variables stand for.
fn build(rebuild: &mut Rebuild<'_>, expr: &Expr, rule: &Rule, found: &Match, loc: LocId) -> Value {
    let parts: SmallVec<[Value; 8]> = expr.parts().iter().map(|part| build(rebuild, part, rule, found, loc)).collect();
    let ty = of_width(expr.width(&rule.vars));
    match expr {
        Expr::Var(v) => rebuild.get(found.values[*v].unwrap_or(Value::new(0))),
        Expr::Const { value, .. } => rebuild.new.constant(*value, ty),
        Expr::Lut { table, .. } => rebuild.new.lut(*table, &parts, loc),
        Expr::Sum { width, .. } => rebuild.new.sum(&parts, *width, loc),
        Expr::Gt(_) => rebuild.new.push1(OpKind::Gt {}, &parts, ty, loc),
        Expr::GtConst { bound, .. } => rebuild.new.push1(OpKind::GtConst { bound: *bound }, &parts, ty, loc),
        Expr::Mux(_) => rebuild.new.push1(OpKind::Mux {}, &parts, ty, loc),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_permuted_as_their_inputs_are() {
        // Of a, b, s: b where s is 1. With s first: 0xac over (s, a, b)?
        let table = 0xca;
        permutations(3, &mut |order| {
            let t = permuted(table, order);
            for a in 0..8usize {
                let old = (0..3).fold(0, |old, j| old | (a >> j & 1) << order[j]);
                assert_eq!(t >> a & 1, table >> old & 1, "{order:?} at {a}");
            }
        });
        let mut count = 0;
        permutations(4, &mut |_| count += 1);
        assert_eq!(count, 24);
    }
}

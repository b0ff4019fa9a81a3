//! `fold`: everything that follows from an op and its operands alone.
//!
//! The function is rebuilt in order through constructors that give each bit a canonical form ([`canon::Canon`]), as
//! structural hashing does for and-inverter graphs: constants, vacuous and repeated inputs vanish, inverters and buffers
//! go into the tables that read them, equal functions of equal inputs (complements of each other too) are built once.
//! Words are treated alike as far as it is simple ([`words`]). One pass reaches the fixpoint, because operands are
//! canonical before their users are looked at. At the end each node takes the polarity that its users outside of tables
//! want ([`polarity`]); an inverter is left only where both are wanted or nothing can be inverted.

mod canon;
mod polarity;
mod wide;
mod words;

use blc_ir::{Def, Func, Level, LocId, OpKind, Value};

use crate::pass::{Abort, Changed, NoOptions, Pass, PassCx, PassSpec};
use canon::{Canon, Lit};

/// See the module's words.
pub struct Fold;

impl PassSpec for Fold {
    const NAME: &'static str = "fold";
    const SUMMARY: &'static str = "Fold constants, needless inputs, inverters, equal functions and equal thresholds";
    const LEVEL: Level = Level::Bit;
    type Options = NoOptions;

    fn build(_: NoOptions) -> Box<dyn Pass> {
        Box::new(Self)
    }
}

impl Pass for Fold {
    fn run(&mut self, f: &mut Func, _: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let mut new = rebuild(f);
        polarity::settle(&mut new);
        new.tidy();
        if same(f, &new) {
            return Ok(Changed::No);
        }
        *f = new;
        Ok(Changed::Yes)
    }
}

fn rebuild(f: &Func) -> Func {
    let mut canon = Canon::new(f);
    let mut map = vec![Lit::Const(false); f.value_count()];
    for port in &f.params {
        let value = canon.f.add_param(port.name.clone(), f.ty(port.value));
        map[port.value.index()] = Lit::Value(value, false);
    }
    let mut merged: Vec<(Value, LocId)> = Vec::new();
    for (_, op) in f.ops() {
        let built = canon.f.op_count();
        if op.results().len() > 1 {
            for (old, new) in op.results().zip(canon.site(op, &map)) {
                map[old.index()] = Lit::Value(new, false);
            }
            continue;
        }
        let lit = canon.op(f, op, &map);
        let Lit::Value(value, complemented) = lit else {
            map[op.result().index()] = lit;
            continue;
        };
        map[op.result().index()] = lit;
        let Some(def) = canon.f.def_op(value) else { continue };
        if def.index() < built && op.loc != LocId::UNKNOWN && canon.f.op(def).loc != op.loc {
            merged.push((value, op.loc));
        }
        if let Some(name) = f.name_of(op.result())
            && !complemented
            && canon.f.name_of(value).is_none()
        {
            canon.f.set_name(value, name);
        }
    }
    for port in &f.results {
        let value = canon.value(map[port.value.index()]);
        canon.f.add_result(port.name.clone(), value);
    }
    let mut new = canon.f;
    merge_locs(&mut new, merged);
    new
}

/// An op that stands for others has their origins too, after its own.
fn merge_locs(f: &mut Func, mut merged: Vec<(Value, LocId)>) {
    merged.sort_by_key(|&(value, _)| value);
    for group in merged.chunk_by(|a, b| a.0 == b.0) {
        let Some(op) = f.def_op(group[0].0) else { continue };
        let wire = matches!(f.op(op).kind, OpKind::Extract { .. } | OpKind::Pack {} | OpKind::Const { .. });
        if wire {
            continue;
        }
        let own = f.op(op).loc;
        let loc = f.locs.fuse(std::iter::once(own).chain(group.iter().map(|&(_, loc)| loc)));
        f.set_loc(op, loc);
    }
}

/// Whether two functions are the same graph, whatever the order of their ops. Names and origins do not count.
fn same(a: &Func, b: &Func) -> bool {
    if a.op_count() != b.op_count() {
        return false;
    }
    let mut matched: Vec<Option<Value>> = vec![None; a.value_count()];
    let mut work: Vec<(Value, Value)> = a.results.iter().zip(&b.results).map(|(x, y)| (x.value, y.value)).collect();
    while let Some((x, y)) = work.pop() {
        if let Some(before) = matched[x.index()].replace(y) {
            if before != y {
                return false;
            }
            continue;
        }
        match (a.def(x), b.def(y)) {
            (Def::Param(i), Def::Param(j)) if i == j => {}
            (Def::Result(op, i), Def::Result(other, j)) if i == j => {
                let (p, q) = (a.op(op), b.op(other));
                let kinds = match (p.kind, q.kind) {
                    (OpKind::LutWide { table: s }, OpKind::LutWide { table: t }) => a.table(s) == b.table(t),
                    (OpKind::Extern { op: s }, OpKind::Extern { op: t }) => a.extern_name(s) == b.extern_name(t),
                    (s, t) => s == t,
                };
                if !kinds || a.ty(x) != b.ty(y) || p.operands.len() != q.operands.len() {
                    return false;
                }
                work.extend(p.operands.iter().copied().zip(q.operands.iter().copied()));
            }
            _ => return false,
        }
    }
    true
}

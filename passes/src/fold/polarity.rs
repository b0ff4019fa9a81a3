//! Which of a function and its complement is built.
//!
//! Inside tables a complement costs nothing, so every node was built as it came. Results, words and ops from outside
//! need the bit itself: where they all want the complement of a node, the node's own table is complemented and the
//! tables that read it take that back.

use blc_ir::order::live_ops;
use blc_ir::table::{mask, widen};
use blc_ir::{Func, OpKind, Value};

use super::canon::{INVERTER, flip_input};

fn is_inverter(f: &Func, v: Value) -> Option<Value> {
    let op = f.op(f.def_op(v)?);
    match (op.kind, op.operands) {
        (OpKind::Lut { table: INVERTER }, &[input]) => Some(input),
        _ => None,
    }
}

/// Gives every node the polarity that its users outside of tables want. Inverters are read by such users only.
pub(super) fn settle(f: &mut Func) {
    let mut fixed = vec![false; f.value_count()];
    for port in &f.results {
        fixed[port.value.index()] = true;
    }
    let live = live_ops(f);
    for (_, op) in f.ops().filter(|(id, op)| live[id.index()] && !matches!(op.kind, OpKind::Lut { .. })) {
        op.operands.iter().for_each(|v| fixed[v.index()] = true);
    }
    let mut flipped = vec![false; f.value_count()];
    let mut uses: Vec<Value> = (0..f.value_count()).map(Value::new).collect();
    for (_, op) in f.ops() {
        let Some(node) = is_inverter(f, op.result()) else { continue };
        let is_table = f.def_op(node).is_some_and(|def| matches!(f.op(def).kind, OpKind::Lut { .. }));
        if is_table && !fixed[node.index()] && fixed[op.result().index()] {
            flipped[node.index()] = true;
            uses[op.result().index()] = node;
        }
    }
    for id in f.op_ids() {
        let op = f.op(id);
        let OpKind::Lut { table } = op.kind else { continue };
        let k = op.operands.len();
        if uses[op.result().index()] != op.result() {
            continue;
        }
        let mut t = widen(table, k);
        for (j, v) in op.operands.iter().enumerate() {
            if flipped[v.index()] {
                t = flip_input(t, j);
            }
        }
        if flipped[op.result().index()] {
            t = !t;
        }
        f.set_kind(id, OpKind::Lut { table: t & mask(k) });
    }
    f.replace_uses(&uses);
}

//! Live ops and their order.

use crate::func::{Def, Func, OpId, Value};
use crate::ops::OpKind;

/// Whether an op's results do not depend on its operands within the same cycle.
pub fn breaks_cycles(kind: OpKind) -> bool {
    matches!(kind, OpKind::Reg { .. } | OpKind::Xc7Fdre { .. })
}

/// Ops that the results need, each after what it reads (registers may read what comes later). Stable: among ready ops
/// the one that comes first in program order goes first.
pub(crate) fn live_order(f: &Func) -> Vec<OpId> {
    let n = f.op_count();
    let live = live_ops(f);
    // In program order already? Then nothing moves.
    let mut defined_at = vec![0u32; f.value_count()];
    for (id, op) in f.ops() {
        for v in op.results() {
            defined_at[v.index()] = id.0 + 1;
        }
    }
    let in_order = f.ops().all(|(id, op)| {
        !live[id.index()] || breaks_cycles(op.kind) || op.operands.iter().all(|v| defined_at[v.index()] <= id.0)
    });
    let ids: Vec<OpId> = f.op_ids().filter(|id| live[id.index()]).collect();
    if in_order {
        return ids;
    }
    // Depth-first over operands from each op in program order, without recursion.
    let mut state = vec![0u8; n];
    let mut order = Vec::with_capacity(ids.len());
    let mut stack: Vec<(OpId, usize)> = Vec::new();
    for root in ids {
        if state[root.index()] != 0 {
            continue;
        }
        state[root.index()] = 1;
        stack.push((root, 0));
        while let Some((id, next)) = stack.last_mut() {
            let op = f.op(*id);
            let operand = if breaks_cycles(op.kind) { None } else { op.operands.get(*next) };
            let Some(&v) = operand else {
                order.push(*id);
                stack.pop();
                continue;
            };
            *next += 1;
            if let Some(def) = f.def_op(v).filter(|d| state[d.index()] == 0) {
                state[def.index()] = 1;
                stack.push((def, 0));
            }
        }
    }
    order
}

/// Which ops the results need.
pub fn live_ops(f: &Func) -> Vec<bool> {
    let mut live = vec![false; f.op_count()];
    let mut work: Vec<Value> = f.results.iter().map(|p| p.value).collect();
    while let Some(v) = work.pop() {
        let Def::Result(op, _) = f.def(v) else { continue };
        if !std::mem::replace(&mut live[op.index()], true) {
            work.extend_from_slice(f.op(op).operands);
        }
    }
    live
}

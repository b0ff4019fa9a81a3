//! Live ops and their order.

use crate::func::{Def, Func, OpId, Value};
use crate::ops::OpKind;

/// Whether an op's results do not depend on its operands within the same cycle.
pub fn is_register(kind: OpKind) -> bool {
    matches!(kind, OpKind::Reg { .. } | OpKind::Xc7Fdre { .. })
}

/// Ops that the results need, each after what it reads. Stable: ops move only where they must.
///
/// A register reads what was there before the clock's edge, so it may stand before what feeds it; with `transparent` it
/// counts as a wire.
///
/// # Errors
/// An op of a combinational cycle (or, with `transparent`, of any cycle).
pub fn schedule(f: &Func, transparent: bool) -> Result<Vec<OpId>, OpId> {
    let waits = |kind: OpKind| transparent || !is_register(kind);
    let live = live_ops(f);
    let mut ready_after = vec![0u32; f.value_count()];
    for (id, op) in f.ops() {
        for v in op.results() {
            ready_after[v.index()] = id.0 + 1;
        }
    }
    let ids: Vec<OpId> = f.op_ids().filter(|id| live[id.index()]).collect();
    let in_order = ids.iter().all(|&id| {
        let op = f.op(id);
        !waits(op.kind) || op.operands.iter().all(|v| ready_after[v.index()] <= id.0)
    });
    if in_order {
        return Ok(ids);
    }
    const NEW: u8 = 0;
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    let mut state = vec![NEW; f.op_count()];
    let mut order = Vec::with_capacity(ids.len());
    let mut stack: Vec<(OpId, usize)> = Vec::new();
    for root in ids {
        if state[root.index()] != NEW {
            continue;
        }
        state[root.index()] = OPEN;
        stack.push((root, 0));
        while let Some((id, next)) = stack.last_mut() {
            let op = f.op(*id);
            let operand = if waits(op.kind) { op.operands.get(*next) } else { None };
            let Some(&v) = operand else {
                state[id.index()] = DONE;
                order.push(*id);
                stack.pop();
                continue;
            };
            *next += 1;
            let Some(def) = f.def_op(v) else { continue };
            match state[def.index()] {
                NEW => {
                    state[def.index()] = OPEN;
                    stack.push((def, 0));
                }
                OPEN => return Err(def),
                _ => {}
            }
        }
    }
    Ok(order)
}

/// Which ops the results need.
pub fn live_ops(f: &Func) -> Vec<bool> {
    let mut live = vec![false; f.op_count()];
    let mark = |live: &mut [bool], v: Value| match f.def(v) {
        Def::Result(op, _) if !std::mem::replace(&mut live[op.index()], true) => Some(op),
        _ => None,
    };
    f.results.iter().for_each(|p| _ = mark(&mut live, p.value));
    // Most ops stand behind what they read, so that one sweep finds all; those that it had passed come after it.
    let mut passed: Vec<OpId> = Vec::new();
    for id in f.op_ids().rev() {
        if live[id.index()] {
            let operands = f.op(id).operands.iter();
            passed.extend(operands.filter_map(|&v| mark(&mut live, v)).filter(|&op| op > id));
        }
    }
    while let Some(id) = passed.pop() {
        passed.extend(f.op(id).operands.iter().filter_map(|&v| mark(&mut live, v)));
    }
    live
}

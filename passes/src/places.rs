//! Where each table and primitive stands on the way from the inputs: in which stage, at which level of it.
//!
//! A carry chain and the LUTs at its `S` pins are one slice, or several joined by a carry: they stand at one place, and
//! nothing can come between them. So do LUTs and the wide multiplexer they feed.

use blc_ir::{Func, OpId, OpKind};

use crate::wires::{Source, Wires};

/// Tables and primitives without a clock.
pub(crate) fn is_logic(kind: OpKind) -> bool {
    use OpKind::{Lut, LutWide, Xc7Carry4, Xc7Lut6, Xc7Lut6_2, Xc7MuxF7, Xc7MuxF8};
    matches!(
        kind,
        Lut { .. } | LutWide { .. } | Xc7Lut6 { .. } | Xc7Lut6_2 { .. } | Xc7Carry4 {} | Xc7MuxF7 {} | Xc7MuxF8 {}
    )
}

/// A stage, from 0, and a level in it, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub stage: u32,
    pub level: u32,
}

/// What ends a stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    /// Most levels of a stage.
    pub levels: u32,
    /// What a carry chain makes is there in the next stage only.
    pub chains: bool,
}

/// By op the first of the ops that it stands together with.
pub(crate) fn together(f: &Func) -> Vec<OpId> {
    let mut first: Vec<OpId> = f.op_ids().collect();
    fn find(first: &mut [OpId], mut op: OpId) -> OpId {
        while first[op.index()] != op {
            let next = first[op.index()];
            first[op.index()] = first[next.index()];
            op = next;
        }
        op
    }
    for (id, op) in f.ops() {
        let pins = match op.kind {
            OpKind::Xc7Carry4 {} => [&op.operands[..4], &op.operands[8..9]],
            OpKind::Xc7MuxF7 {} | OpKind::Xc7MuxF8 {} => [&op.operands[..2], &[]],
            _ => continue,
        };
        for def in pins.into_iter().flatten().filter_map(|&v| f.def_op(v)) {
            if is_logic(f.op(def).kind) && !matches!(f.op(def).kind, OpKind::Lut { .. }) {
                let (a, b) = (find(&mut first, id), find(&mut first, def));
                let (low, high) = (a.min(b), a.max(b));
                first[high.index()] = low;
            }
        }
    }
    f.op_ids().map(|id| find(&mut first, id)).collect()
}

/// The earliest place of each op that belongs; the others' are all 0.
pub(crate) fn earliest(f: &Func, wires: &mut Wires<'_>, ends: Ends, belongs: impl Fn(OpId) -> bool) -> Vec<Place> {
    let chains = f.ops().filter(|(_, op)| !matches!(op.kind, OpKind::Lut { .. }) && is_logic(op.kind)).count();
    let joined = together(f);
    // What stands together is not always next to each other in program order: then it takes another round.
    let found = settle(f, wires, ends, &belongs, &joined, chains + 2);
    found.unwrap_or_else(|| {
        // A loop through what should stand together: no slice could hold it.
        let alone: Vec<OpId> = f.op_ids().collect();
        settle(f, wires, ends, &belongs, &alone, 2).unwrap_or_else(|| vec![Place::default(); f.op_count()])
    })
}

fn settle(
    f: &Func,
    wires: &mut Wires<'_>,
    ends: Ends,
    belongs: &impl Fn(OpId) -> bool,
    first: &[OpId],
    rounds: usize,
) -> Option<Vec<Place>> {
    let mut places = vec![Place::default(); f.op_count()];
    for _ in 0..rounds {
        let mut changed = false;
        for (id, op) in f.ops().filter(|(id, op)| is_logic(op.kind) && belongs(*id)) {
            let own = first[id.index()];
            let mut place = places[own.index()].max(Place { stage: 0, level: 1 });
            for &v in op.operands {
                let Source::Op(def, _) = wires.source(v, 0) else { continue };
                if !belongs(def) || first[def.index()] == own {
                    continue;
                }
                let before = places[first[def.index()].index()];
                let ended =
                    before.level >= ends.levels || ends.chains && matches!(f.op(def).kind, OpKind::Xc7Carry4 {});
                place = place.max(match ended {
                    true => Place { stage: before.stage + 1, level: 1 },
                    false => Place { level: before.level + 1, ..before },
                });
            }
            changed |= places[own.index()] < place;
            places[own.index()] = place;
        }
        if !changed {
            return Some(f.op_ids().map(|id| places[first[id.index()].index()]).collect());
        }
    }
    None
}

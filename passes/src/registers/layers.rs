//! One stage a layer, several for the head.

use blc_ir::loc::{ENCODER, HEAD};
use blc_ir::{Func, OpId, OpKind};

use super::Schedule;
use crate::places::{Ends, earliest, is_logic, together};
use crate::wires::{Source, Wires};

/// Where a layer stands among the others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Of ops that belong to no layer: as early as their operands allow.
    Any,
    Encoder,
    Layer(u64),
    /// Of another name, in order of appearance.
    Named(usize),
    Head,
}

/// The encoder is one stage, each layer is one, and in the head one ends after `head_levels` tables or a carry chain.
pub(super) fn by_layer(f: &Func, wires: &mut Wires<'_>, head_levels: u32) -> Schedule {
    let mut names: Vec<&str> = Vec::new();
    let mut rank: Vec<Rank> = vec![Rank::Any; f.op_count()];
    let tables = || f.ops().filter(|(_, op)| is_logic(op.kind));
    let first = together(f);
    let mut in_chain = vec![false; f.op_count()];
    for (id, _) in f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Xc7Carry4 {})) {
        in_chain[first[id.index()].index()] = true;
    }
    for (id, op) in tables() {
        let own = match f.locs.first_layer(op.loc) {
            _ if in_chain[first[id.index()].index()] => Rank::Head,
            None => Rank::Any,
            Some(ENCODER) => Rank::Encoder,
            Some(HEAD) => Rank::Head,
            Some(name) => match name.strip_prefix("layer").and_then(|n| n.parse().ok()) {
                Some(n) => Rank::Layer(n),
                None => Rank::Named(names.iter().position(|n| *n == name).unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                })),
            },
        };
        let before = op.operands.iter().map(|&v| match wires.source(v, 0) {
            Source::Op(op, _) => rank[op.index()],
            _ => Rank::Any,
        });
        rank[id.index()] = before.fold(own, Rank::max);
    }
    let mut groups: Vec<Rank> = tables().map(|(id, _)| rank[id.index()]).collect();
    groups.sort_unstable();
    groups.dedup();
    let ends = Ends { levels: head_levels, chains: true };
    let places = earliest(f, wires, ends, |op| rank[op.index()] == Rank::Head);
    let heads = tables().filter(|(id, _)| rank[id.index()] == Rank::Head);
    let head_stages = heads.map(|(id, _)| places[id.index()].stage + 1).max().unwrap_or(0);
    let stage = |op: OpId| {
        let group = groups.partition_point(|&g| g < rank[op.index()]) as u32;
        match rank[op.index()] {
            Rank::Head => group + 1 + places[op.index()].stage,
            _ => group + 1,
        }
    };
    let whole = groups.iter().filter(|&&g| g != Rank::Head).count() as u32;
    Schedule { stages: whole + head_stages, stage: f.op_ids().map(stage).collect() }
}

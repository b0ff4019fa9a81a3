//! Whether a 7-series slice can hold what a design asks of its carry chains.
//!
//! From 7-series CLB structure (Xilinx UG474): position `i` of a CARRY4 takes `S` from O6 of the LUT beside it, `DI` from
//! that LUT's O5 or from the bypass pin; the bypass pin of the lowest position is the one that carries CYINIT. Besides O6
//! two signals leave a position: one by the flip-flop's output, one past it.

use blc_ir::{Def, Func, OpId, OpKind, Value};

/// Panics where a carry chain fits no slices. Returns the number of chains.
pub fn assert_legal(f: &Func) -> usize {
    let readers = Readers::new(f);
    let mut placed = vec![false; f.op_count()];
    let mut chains = 0;
    for (id, op) in f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Xc7Carry4 {})) {
        let x = op.operands;
        let results: Vec<Value> = op.results().collect();
        let used = results.iter().enumerate().filter(|(_, v)| readers.any(**v)).map(|(i, _)| i % 4 + 1);
        let constant = |v: Value| f.as_const(v).is_some();
        assert!(constant(x[8]) || constant(x[9]), "{id}: both CI and CYINIT are in use");
        match f.def(x[8]) {
            Def::Result(from, 7) if matches!(f.op(from).kind, OpKind::Xc7Carry4 {}) => {
                assert_eq!(readers.chains(f, x[8]), 1, "{id}: a carry goes on into two slices");
            }
            _ => {
                assert!(constant(x[8]), "{id}: CI is no carry out");
                chains += 1;
            }
        }
        for i in 0..used.max().unwrap_or(0) {
            let (s, d) = (x[i], x[4 + i]);
            let lut = f.def_op(s).filter(|&def| {
                matches!(f.op(def).kind, OpKind::Xc7Lut6 { .. } | OpKind::Xc7Lut6_2 { .. }) && f.op(def).result() == s
            });
            if let Some(lut) = lut {
                assert!(!std::mem::replace(&mut placed[lut.index()], true), "{id}: a LUT stands at two positions");
            } else {
                assert!(constant(s), "{id}: S{i} comes from no LUT");
            }
            let o5 = lut.and_then(|lut| f.op(lut).results().nth(1));
            let by_lut = o5 == Some(d);
            let bypass_free = i > 0 || constant(x[9]);
            assert!(by_lut || constant(d) || bypass_free, "{id}: DI0 and CYINIT want the same pin");
            // What leaves the position: whether anything but flip-flops reads it.
            let mut leaving: Vec<bool> = Vec::new();
            leaving.extend(o5.and_then(|v| readers.outside(f, v, id)));
            leaving.extend(readers.outside(f, results[i], id));
            leaving.extend(readers.outside(f, results[4 + i], id));
            assert!(leaving.len() <= 2, "{id}: three signals leave position {i}");
            let past = leaving.iter().filter(|&&past| past).count();
            assert!(past <= 1, "{id}: two signals leave position {i} past its flip-flop");
        }
    }
    chains
}

struct Readers {
    ops: Vec<Vec<OpId>>,
    port: Vec<bool>,
}

impl Readers {
    fn new(f: &Func) -> Self {
        let mut ops = vec![Vec::new(); f.value_count()];
        for (id, op) in f.ops() {
            op.operands.iter().for_each(|v| ops[v.index()].push(id));
        }
        let mut port = vec![false; f.value_count()];
        f.results.iter().for_each(|p| port[p.value.index()] = true);
        Self { ops, port }
    }

    fn any(&self, v: Value) -> bool {
        self.port[v.index()] || !self.ops[v.index()].is_empty()
    }

    fn chains(&self, f: &Func, v: Value) -> usize {
        self.ops[v.index()]
            .iter()
            .filter(|&&op| f.op(op).kind == OpKind::Xc7Carry4 {} && f.op(op).operands[8] == v)
            .count()
    }

    /// Whether a signal leaves its slice, and if so, whether other than into flip-flops.
    fn outside(&self, f: &Func, v: Value, chain: OpId) -> Option<bool> {
        let inside = |op: &&OpId| {
            let carries_on = f.op(**op).kind == OpKind::Xc7Carry4 {} && f.op(**op).operands[8] == v;
            // As DI of its own position, or as the carry into the next slice.
            let own = **op == chain && f.op(chain).operands[4..8].contains(&v);
            !(carries_on || own)
        };
        let readers: Vec<OpId> = self.ops[v.index()].iter().filter(inside).copied().collect();
        let past = self.port[v.index()] || readers.iter().any(|&op| !matches!(f.op(op).kind, OpKind::Xc7Fdre { .. }));
        self.any(v).then_some(past).filter(|_| self.port[v.index()] || !readers.is_empty())
    }
}

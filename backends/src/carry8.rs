//! Carry chains of UltraScale+: `xc7.carry4`s joined two by two to the CARRY8s of its slices.
//!
//! The second of two goes on where the first ends. Both are one instance then, so that all they read has to come before
//! the two: [`Joined::new`] orders the netlist so. Where that cannot be (the second reads, through logic, what the first
//! gives), the two stay apart, each in the lower half of a CARRY8.

use blc_ir::order::is_register;
use blc_ir::{OpId, OpKind};
use rustc_hash::FxHashMap;

use crate::nets::{Net, Nets};

/// What a CARRY8 is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carry8 {
    /// The carry into the lowest position.
    pub ci: Net,
    /// `S`, lowest first: four or eight.
    pub s: Vec<Net>,
    /// `DI`, as many.
    pub di: Vec<Net>,
    /// `O`, as many.
    pub o: Vec<Net>,
    /// `CO`, as many.
    pub co: Vec<Net>,
}

/// Which carry chains of four share a CARRY8.
#[derive(Debug, Default)]
pub struct Joined {
    /// By the first of two the second.
    second: FxHashMap<OpId, OpId>,
    /// By the second of two the first.
    first: FxHashMap<OpId, OpId>,
}

impl Joined {
    /// Joins what can be joined and puts the second of two right behind the first.
    pub fn new(nets: &mut Nets<'_>) -> Self {
        let mut joined = Self::default();
        let driver = drivers(nets);
        for &id in &nets.order {
            let op = nets.f.op(id);
            if !matches!(op.kind, OpKind::Xc7Carry4 {}) || nets.bit(op.operands[9]) != Net::ZERO {
                continue;
            }
            let before = driver.get(&nets.bit(op.operands[8])).copied();
            let ends = |first: OpId| {
                let op = nets.f.op(first);
                matches!(op.kind, OpKind::Xc7Carry4 {})
                    && op.results().nth(7).map(|v| nets.bit(v)) == Some(nets.bit(nets.f.op(id).operands[8]))
            };
            let free = |first: &OpId| !joined.second.contains_key(first) && !joined.first.contains_key(first);
            if let Some(first) = before.filter(|first| ends(*first) && free(first)) {
                joined.second.insert(first, id);
                joined.first.insert(id, first);
            }
        }
        while let Err(stuck) = joined.arrange(nets, &driver) {
            if let Some(second) = joined.second.remove(&stuck) {
                joined.first.remove(&second);
            }
        }
        joined
    }

    /// Whether an op is the first of two: it has no cell of its own.
    pub fn is_first(&self, id: OpId) -> bool {
        self.second.contains_key(&id)
    }

    /// The first of two, of the second.
    pub fn first(&self, id: OpId) -> Option<OpId> {
        self.first.get(&id).copied()
    }

    /// The CARRY8 of an op that is not the first of two; `None` where two carries go in.
    pub fn cell(&self, nets: &Nets<'_>, id: OpId) -> Option<Carry8> {
        let ops = self.first(id).into_iter().chain([id]).map(|id| nets.f.op(id));
        let lowest = nets.f.op(self.first(id).unwrap_or(id));
        let ci = match [8, 9].map(|i| nets.bit(lowest.operands[i])) {
            [Net::ZERO, net] | [net, Net::ZERO] => net,
            _ => return None,
        };
        let mut carry = Carry8 { ci, s: Vec::new(), di: Vec::new(), o: Vec::new(), co: Vec::new() };
        for op in ops {
            let results: Vec<Net> = op.results().map(|v| nets.bit(v)).collect();
            carry.s.extend(op.operands[..4].iter().map(|&v| nets.bit(v)));
            carry.di.extend(op.operands[4..8].iter().map(|&v| nets.bit(v)));
            carry.o.extend(&results[..4]);
            carry.co.extend(&results[4..]);
        }
        Some(carry)
    }

    /// Orders the ops by level, two that are joined as one.
    ///
    /// # Errors
    /// The first of two that would depend on themselves.
    fn arrange(&self, nets: &mut Nets<'_>, driver: &FxHashMap<Net, OpId>) -> Result<(), OpId> {
        let mut level: FxHashMap<OpId, u32> = FxHashMap::default();
        for round in 0.. {
            let (mut changed, mut pair) = (false, None);
            for &id in &nets.order {
                let op = nets.f.op(id);
                let first = self.first(id).unwrap_or(id);
                let before = level.get(&first).copied().unwrap_or(0);
                let mut own = before;
                for &v in op.operands.iter().filter(|_| !is_register(op.kind)) {
                    let Some(def) = driver.get(&nets.bit(v)).map(|def| self.first(*def).unwrap_or(*def)) else {
                        continue;
                    };
                    if def != first && !is_register(nets.f.op(def).kind) {
                        own = own.max(level.get(&def).copied().unwrap_or(0) + 1);
                    }
                }
                if own != before {
                    level.insert(first, own);
                    changed = true;
                    pair = pair.or(self.is_first(first).then_some(first));
                }
            }
            match pair {
                _ if !changed => break,
                // Each round settles one more of the two, but for those in a loop: the earliest is in it, or before it.
                Some(stuck) if round > self.second.len() + 1 => return Err(stuck),
                _ => {}
            }
        }
        let place: FxHashMap<OpId, usize> = nets.order.iter().enumerate().map(|(i, &id)| (id, i)).collect();
        nets.order.sort_by_key(|&id| {
            let first = self.first(id).unwrap_or(id);
            (level.get(&first).copied().unwrap_or(0), place[&first], place[&id])
        });
        Ok(())
    }
}

/// By net the op that drives it.
fn drivers(nets: &Nets<'_>) -> FxHashMap<Net, OpId> {
    let results = |&id: &OpId| nets.f.op(id).results().map(move |v| (v, id));
    nets.order.iter().flat_map(results).map(|(v, id)| (nets.bit(v), id)).collect()
}

//! Which two lookup tables share a LUT6_2 site: those that read at most five different bits together, and a table of six
//! with one that is its cofactor where one of its inputs is 0 (which then is pin 5).
//!
//! A matching in the graph of such pairs, as large as is cheap to find: greedy, the functions of fewest choices first, then
//! augmenting paths. Timing tools see a path from every pin of a site to both outputs, also where no signal takes it. So no
//! pair may close a loop through its site, nor may the longest path get longer by such steps. Both of a pair are of the same
//! pipeline stage: otherwise a site would read its own output of an earlier cycle.
//!
//! Pairs of functions that read the same bits come first, among them those near in program order; functions of nothing in
//! common share a site only where no other partner is left.

use blc_ir::order::is_register;
use blc_ir::table::{VAR, cofactor, compose, mask};
use blc_ir::{Func, Op, OpId, OpKind, Value};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::count::Ports;

/// Inputs that two functions of one site may have together.
pub const SITE_INPUTS: usize = 5;

/// Readers of a bit, before and after a function in order, that are looked at as its partners.
const WINDOW: usize = 24;

/// The same for a function of six inputs, of which few are partners.
const COFACTOR_WINDOW: usize = 100;

/// Partners kept of a function.
const MAX_PARTNERS: usize = 32;

/// Partners of nothing in common, before and after a function in order.
const UNRELATED: usize = 6;

/// Most functions on an augmenting path.
const MAX_PATH: usize = 16;

/// Steps for each op to lift levels.
const LIFTS: usize = 32;

/// Functions visited by one search for an augmenting path, ops by one search for a loop.
const MAX_SEARCH: usize = 512;

/// A function that may share a site.
struct Function {
    op: OpId,
    /// Rising.
    inputs: SmallVec<[Value; 6]>,
    /// Over the inputs, widened.
    table: u64,
    /// Registers between the ports and it.
    stage: u32,
}

impl Function {
    /// How many inputs they have in common, if one site can hold both.
    fn shared(&self, other: &Self) -> Option<usize> {
        if self.stage != other.stage {
            return None;
        }
        let shared = self.inputs.iter().filter(|v| other.inputs.contains(v)).count();
        if self.inputs.len().max(other.inputs.len()) > SITE_INPUTS {
            let (large, small) = if self.inputs.len() > SITE_INPUTS { (self, other) } else { (other, self) };
            return large.halves_to(small).then_some(shared);
        }
        (self.inputs.len() + other.inputs.len() - shared <= SITE_INPUTS).then_some(shared)
    }
}

impl Function {
    /// Whether the other is this function of six where an input that the other does not read is 0.
    fn halves_to(&self, other: &Self) -> bool {
        if self.inputs.len() <= SITE_INPUTS || !other.inputs.iter().all(|v| self.inputs.contains(v)) {
            return false;
        }
        let over = |v: &Value| self.inputs.iter().position(|i| i == v).map_or(0, |at| VAR[at]);
        let places: SmallVec<[u64; 6]> = other.inputs.iter().map(over).collect();
        let table = compose(other.table & mask(other.inputs.len()), &places);
        (0..6).any(|j| cofactor(self.table, j, false) == table)
    }
}

/// Pairs of `lut` ops, each op in one at most, the first of a pair first in program order; in this order too.
/// Without `unrelated`, both of a pair read some bit in common. Program order must define before it uses.
pub fn pairs(f: &Func, unrelated: bool) -> Vec<(OpId, OpId)> {
    let functions = functions(f);
    let n = functions.len();
    let mates = vec![None; n];
    let mut matching = Matching { functions, mates, levels: Levels::new(f), visited: vec![0; n], search: 0 };
    let mut partners = matching.partners();
    matching.grow(&partners);
    if unrelated {
        matching.add_unrelated(&mut partners);
        matching.grow(&partners);
    }
    let pair = |(i, mate): (usize, &Option<u32>)| {
        let mate = mate.filter(|&m| m as usize > i)?;
        Some((matching.functions[i].op, matching.functions[mate as usize].op))
    };
    matching.mates.iter().enumerate().filter_map(pair).collect()
}

/// Registers on the way from the ports to each value. Without feedback a stage is behind those before it.
fn stages(f: &Func) -> Vec<u32> {
    let mut stages = vec![0; f.value_count()];
    for (_, op) in f.ops() {
        let latest = op.operands.iter().map(|v| stages[v.index()]).max().unwrap_or(0);
        for v in op.results() {
            stages[v.index()] = latest + u32::from(is_register(op.kind));
        }
    }
    stages
}

fn functions(f: &Func) -> Vec<Function> {
    let stages = stages(f);
    let luts = f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Lut { .. }) && op.operands.len() > 1);
    let function = |(id, op): (OpId, Op<'_>)| {
        let mut inputs: SmallVec<[Value; 6]> = op.operands.into();
        inputs.sort_unstable();
        inputs.dedup();
        let OpKind::Lut { table } = op.kind else { return None };
        let place = |v: &Value| inputs.iter().position(|i| i == v).map_or(0, |at| VAR[at]);
        let places: SmallVec<[u64; 6]> = op.operands.iter().map(place).collect();
        let table = compose(table, &places);
        Some(Function { op: id, inputs, table, stage: stages[op.result().index()] })
    };
    luts.filter_map(function).collect()
}

/// Functions matched in pairs. Partners are listed best first.
struct Matching<'a> {
    functions: Vec<Function>,
    mates: Vec<Option<u32>>,
    levels: Levels<'a>,
    /// By which search a function was visited last.
    visited: Vec<u32>,
    search: u32,
}

impl Matching<'_> {
    /// For each function those that it can share a site with and some bit: most bits in common first, then those of the
    /// nearest level and place.
    fn partners(&self) -> Vec<Vec<u32>> {
        let mut readers: FxHashMap<Value, Vec<u32>> = FxHashMap::default();
        let small = |f: &Function| f.inputs.len() <= SITE_INPUTS;
        for (i, function) in self.functions.iter().enumerate().filter(|(_, f)| small(f)) {
            for &input in &function.inputs {
                readers.entry(input).or_default().push(i as u32);
            }
        }
        let partners = |(i, function): (usize, &Function)| {
            let i = i as u32;
            let mut found: Vec<u32> = Vec::new();
            for input in &function.inputs {
                let Some(readers) = readers.get(input) else { continue };
                let at = readers.partition_point(|&r| r < i);
                let window = if small(function) { WINDOW } else { COFACTOR_WINDOW };
                let window = &readers[at.saturating_sub(window)..(at + 1 + window).min(readers.len())];
                found.extend(window.iter().filter(|&&r| r != i));
            }
            found.sort_unstable();
            found.dedup();
            let rank = |p: u32| {
                Some((std::cmp::Reverse(function.shared(&self.functions[p as usize])?), self.distance(i, p), p))
            };
            let mut ranked: Vec<_> = found.into_iter().filter_map(rank).collect();
            ranked.sort_unstable();
            ranked.truncate(MAX_PARTNERS);
            ranked.into_iter().map(|(.., p)| p).collect()
        };
        let mut partners: Vec<Vec<u32>> = self.functions.iter().enumerate().map(partners).collect();
        for i in (0..self.functions.len()).filter(|&i| !small(&self.functions[i])) {
            for p in partners[i].clone() {
                partners[p as usize].push(i as u32);
            }
        }
        partners
    }

    /// Adds partners of nothing in common: the nearest ones free, and the nearest that may change theirs.
    fn add_unrelated(&self, partners: &mut [Vec<u32>]) {
        let mut small: Vec<u32> = (0..self.functions.len() as u32).filter(|&i| self.inputs(i) <= 3).collect();
        small.sort_by_key(|&i| (self.level(i), i));
        let free: Vec<u32> = small.iter().copied().filter(|&i| self.is_free(i)).collect();
        for list in [&free, &small] {
            for &i in &small {
                let at = list.partition_point(|&p| (self.level(p), p) < (self.level(i), i));
                let near = &list[at.saturating_sub(UNRELATED)..(at + 1 + UNRELATED).min(list.len())];
                let known = &mut partners[i as usize];
                for &p in near
                    .iter()
                    .filter(|&&p| p != i && self.functions[i as usize].shared(&self.functions[p as usize]).is_some())
                {
                    if !known.contains(&p) {
                        known.push(p);
                    }
                }
            }
        }
    }

    fn inputs(&self, i: u32) -> usize {
        self.functions[i as usize].inputs.len()
    }

    fn level(&self, i: u32) -> u32 {
        self.levels.of(self.op(i))
    }

    fn distance(&self, i: u32, p: u32) -> (u32, u32) {
        (self.level(i).abs_diff(self.level(p)), i.abs_diff(p))
    }

    fn is_free(&self, i: u32) -> bool {
        self.mates[i as usize].is_none()
    }

    fn op(&self, i: u32) -> OpId {
        self.functions[i as usize].op
    }

    /// Pairs two free functions where [`Levels::join`] lets it.
    fn join(&mut self, a: u32, b: u32) -> bool {
        let joined = self.levels.join(self.op(a), self.op(b));
        if joined {
            self.set(a, Some(b));
        }
        joined
    }

    fn part(&mut self, a: u32, b: u32) {
        self.levels.part(self.op(a), self.op(b));
        self.set(a, None);
        self.set(b, None);
    }

    /// Two functions that were parted, together again.
    fn rejoin(&mut self, a: u32, b: u32) {
        self.levels.tie(self.op(a), self.op(b));
        self.set(a, Some(b));
    }

    fn set(&mut self, a: u32, mate: Option<u32>) {
        self.mates[a as usize] = mate;
        if let Some(b) = mate {
            self.mates[b as usize] = Some(a);
        }
    }

    /// Greedy, then along augmenting paths.
    fn grow(&mut self, partners: &[Vec<u32>]) {
        let mut order: Vec<u32> = (0..self.functions.len() as u32).filter(|&i| self.is_free(i)).collect();
        order.sort_by_key(|&i| (std::cmp::Reverse(self.inputs(i)), partners[i as usize].len()));
        for &i in &order {
            let mut choices: SmallVec<[u32; 16]> =
                partners[i as usize].iter().copied().filter(|&p| self.is_free(p)).collect();
            choices.sort_by_key(|&p| std::cmp::Reverse(self.inputs(p)));
            let _ = self.is_free(i) && choices.into_iter().any(|p| self.join(i, p));
        }
        for i in order {
            if self.is_free(i) {
                self.search += 1;
                self.visited[i as usize] = self.search;
                let mut path = vec![i];
                if self.path(&mut path, partners, &mut { MAX_SEARCH }) {
                    self.shift(&path);
                }
            }
        }
    }

    /// Prolongs a path of free, partner, its mate, partner of that, ... to one that ends at a free function.
    fn path(&mut self, path: &mut Vec<u32>, partners: &[Vec<u32>], fuel: &mut usize) -> bool {
        let Some(&end) = path.last() else { return false };
        for &p in &partners[end as usize] {
            if self.visited[p as usize] == self.search || *fuel == 0 {
                continue;
            }
            *fuel -= 1;
            if !self.levels.fits(self.op(end), self.op(p)) {
                continue;
            }
            self.visited[p as usize] = self.search;
            path.push(p);
            let Some(mate) = self.mates[p as usize] else { return true };
            if self.visited[mate as usize] != self.search && path.len() < MAX_PATH {
                self.visited[mate as usize] = self.search;
                path.push(mate);
                if self.path(path, partners, fuel) {
                    return true;
                }
                path.pop();
            }
            path.pop();
        }
        false
    }

    /// Pairs the functions of a path anew, or leaves all as it was where that closes a loop.
    fn shift(&mut self, path: &[u32]) {
        let inner = &path[1..path.len() - 1];
        inner.chunks(2).for_each(|pair| self.part(pair[0], pair[1]));
        let joined = path.chunks(2).take_while(|pair| self.join(pair[0], pair[1])).count();
        if joined < path.len() / 2 {
            path.chunks(2).take(joined).for_each(|pair| self.part(pair[0], pair[1]));
            inner.chunks(2).for_each(|pair| self.rejoin(pair[0], pair[1]));
        }
    }
}

/// Levels of ops as timing tools see them: a path leads from every input of a pair to every output.
struct Levels<'a> {
    f: &'a Func,
    /// LUTs before an op on the longest path to it (at least: after a pair has parted it may be less).
    before: Vec<u32>,
    /// LUTs after an op on the longest path from it (at least).
    after: Vec<u32>,
    /// Most LUTs before and after any LUT.
    most: u32,
    mates: Vec<Option<OpId>>,
    is_lut: Vec<bool>,
    users: Vec<OpId>,
    ends: Vec<u32>,
    seen: Vec<u32>,
    search: u32,
    /// Steps left to lift levels; without, only ops of the same level are joined.
    fuel: usize,
}

impl<'a> Levels<'a> {
    fn new(f: &'a Func) -> Self {
        let n = f.op_count();
        let ports = Ports::new(f, |_| false);
        let is_lut = |op: Op<'_>| {
            // At ports inverters are none of the logic's levels.
            let on_port = |v: Value| ports.on_port(v, op.result());
            matches!(op.kind, OpKind::Lut { .. }) && !matches!(op.operands, [input] if on_port(*input))
        };
        let is_lut: Vec<bool> = f.ops().map(|(_, op)| is_lut(op)).collect();
        let (mut before, mut after) = (vec![0; n], vec![0; n]);
        let mut ends = vec![0u32; n];
        for (def, user) in reads(f, f.op_ids()) {
            ends[def.index()] += 1;
            before[user.index()] = before[user.index()].max(before[def.index()] + u32::from(is_lut[def.index()]));
        }
        for (def, user) in reads(f, f.op_ids().rev()) {
            after[def.index()] = after[def.index()].max(after[user.index()] + u32::from(is_lut[user.index()]));
        }
        let most = (0..n).filter(|&op| is_lut[op]).map(|op| before[op] + after[op]).max().unwrap_or(0);
        let mut total = 0;
        for end in &mut ends {
            total += std::mem::replace(end, total);
        }
        let mut users = vec![OpId(0); total as usize];
        for (def, user) in reads(f, f.op_ids()) {
            users[ends[def.index()] as usize] = user;
            ends[def.index()] += 1;
        }
        let (mates, seen) = (vec![None; n], vec![0; n]);
        Self { f, before, after, most, mates, is_lut, users, ends, seen, search: 0, fuel: LIFTS * n }
    }

    fn of(&self, op: OpId) -> u32 {
        self.before[op.index()]
    }

    fn users(&self, op: OpId) -> &[OpId] {
        let start = if op.index() == 0 { 0 } else { self.ends[op.index() - 1] as usize };
        &self.users[start..self.ends[op.index()] as usize]
    }

    /// LUTs before and after two ops made one.
    fn joint(&self, a: OpId, b: OpId) -> (u32, u32) {
        (self.of(a).max(self.of(b)), self.after[a.index()].max(self.after[b.index()]))
    }

    /// Whether the longest path stays as long with two ops made one.
    fn fits(&self, a: OpId, b: OpId) -> bool {
        let (before, after) = self.joint(a, b);
        before + after <= self.most
    }

    /// Makes two ops one, where no path leads from one to the other (or a search for it stays short) and none gets longer
    /// than the longest.
    fn join(&mut self, a: OpId, b: OpId) -> bool {
        let (low, high) = if self.of(a) <= self.of(b) { (a, b) } else { (b, a) };
        let above = self.of(low) < self.of(high);
        if !self.fits(a, b) || above && (self.fuel == 0 || self.leads_to(low, high)) {
            return false;
        }
        self.tie(a, b);
        true
    }

    /// Makes two ops one, unchecked.
    fn tie(&mut self, a: OpId, b: OpId) {
        self.mates[a.index()] = Some(b);
        self.mates[b.index()] = Some(a);
        let (before, after) = self.joint(a, b);
        self.lift_before(a, before);
        self.lift_after(a, after);
    }

    /// Makes them two again. Levels stay valid.
    fn part(&mut self, a: OpId, b: OpId) {
        self.mates[a.index()] = None;
        self.mates[b.index()] = None;
    }

    /// An op and the one it is paired with.
    fn site(&self, op: OpId) -> impl Iterator<Item = OpId> + use<> {
        [Some(op), self.mates[op.index()]].into_iter().flatten()
    }

    /// Whether a path leads up from `low` to `high`. Levels rise along it, so few ops lie between.
    fn leads_to(&mut self, low: OpId, high: OpId) -> bool {
        self.search += 1;
        let limit = self.of(high);
        let mut work = vec![low];
        let mut visited = 0;
        while let Some(op) = work.pop() {
            for op in self.site(op) {
                for i in 0..self.users(op).len() {
                    let user = self.users(op)[i];
                    visited += 1;
                    if user == high || self.mates[user.index()] == Some(high) || visited > MAX_SEARCH {
                        return true;
                    }
                    let seen = std::mem::replace(&mut self.seen[user.index()], self.search) == self.search;
                    if self.of(user) <= limit && !seen {
                        work.push(user);
                    }
                }
            }
        }
        false
    }

    /// Lifts an op to a level, its mate with it, and what they feed above them.
    fn lift_before(&mut self, op: OpId, level: u32) {
        let mut work = vec![(op, level)];
        while let Some((op, level)) = work.pop() {
            self.fuel = self.fuel.saturating_sub(1);
            for op in self.site(op) {
                if self.before[op.index()] < level {
                    self.before[op.index()] = level;
                    let above = level + u32::from(self.is_lut[op.index()]);
                    work.extend(self.users(op).iter().map(|&user| (user, above)));
                }
            }
        }
    }

    /// The same from the other end.
    fn lift_after(&mut self, op: OpId, level: u32) {
        let mut work = vec![(op, level)];
        while let Some((op, level)) = work.pop() {
            self.fuel = self.fuel.saturating_sub(1);
            for op in self.site(op) {
                if self.after[op.index()] < level {
                    self.after[op.index()] = level;
                    let below = level + u32::from(self.is_lut[op.index()]);
                    work.extend(reads(self.f, [op]).map(|(def, _)| (def, below)));
                }
            }
        }
    }
}

/// What ops read within a cycle: the op that makes it, and the reader.
fn reads(f: &Func, ops: impl IntoIterator<Item = OpId>) -> impl Iterator<Item = (OpId, OpId)> {
    let ops = ops.into_iter().filter(|&id| !is_register(f.op(id).kind));
    ops.flat_map(move |id| f.op(id).operands.iter().filter_map(move |&v| Some((f.def_op(v)?, id))))
}

//! `muxes`: LUTs joined by the wide multiplexers of their slices.
//!
//! A slice has a multiplexer that chooses between two LUTs, and one that chooses between two of those (MUXF7 and MUXF8,
//! PFUMX and L6MUX21, MUX2_LUT5 and MUX2_LUT6); they come with the LUTs and are cells of their own nowhere. A function
//! with an input `s` both of whose cofactors over `s` fit a LUT each takes two LUTs then; one whose cofactors do so in
//! turn takes four. The function looked at is a LUT's with some of the LUTs taken in that only it reads.
//!
//! What is built so stands as primitives, since its LUTs can neither be shared nor moved apart.

use blc_ir::table::{VAR, cofactor, compose, depends, mask, widen};
use blc_ir::{Diagnostic, Func, Level, LocId, OpKind, Type, Value};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::codes;
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};
use crate::rebuild::Rebuild;

/// Levels of multiplexers in a slice.
const LEVELS: usize = 2;

/// Most inputs of a table in the language's ops of one word.
const MAX: usize = 6;

/// See the module's words.
#[derive(Debug)]
pub struct Muxes {
    options: MuxesOptions,
}

/// Options of [`Muxes`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MuxesOptions {
    /// Inputs of a LUT: 2 to 6. Tables of one and two more become two and four LUTs.
    pub k: usize,
    /// Whether two functions of at most five inputs may share a site of six: then such a function counts half.
    pub sites: bool,
}

impl Default for MuxesOptions {
    fn default() -> Self {
        Self { k: 6, sites: true }
    }
}

impl PassSpec for Muxes {
    const NAME: &'static str = "muxes";
    const SUMMARY: &'static str = "joins LUTs by the wide multiplexers of their slices";
    const LEVEL: Level = Level::Bit;
    type Options = MuxesOptions;

    fn build(options: MuxesOptions) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

impl Pass for Muxes {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        if !(2..=MAX).contains(&self.options.k) {
            let message = format!("`muxes` cannot run with k = {}", self.options.k);
            return Err(Box::new(Diagnostic::error(&codes::COVER_OPTION, message).help("choose k from 2 to 6")));
        }
        let mut builder = Builder {
            rebuild: Rebuild::new(f),
            uses: f.use_counts(),
            level: vec![0; f.value_count()],
            options: &self.options,
        };
        let mut joined = 0u64;
        for (id, op) in f.ops() {
            let made = match op.kind {
                OpKind::Lut { table } => builder.joined(table, op.operands, op.loc),
                _ => None,
            };
            match made {
                Some((value, level)) => {
                    builder.rebuild.set(op.result(), value);
                    builder.level[op.result().index()] = level;
                    joined += 1;
                }
                None => builder.rebuild.copy(id),
            }
        }
        let new = builder.rebuild.finish();
        cx.fact("muxes.joined", joined);
        if joined > 0 {
            *f = new;
        }
        Ok((joined > 0).into())
    }
}

/// Values of the old function.
type Inputs = SmallVec<[Value; MAX]>;

/// What a function becomes: a LUT, or a multiplexer of two such, or one that is there already.
#[derive(Debug)]
enum Tree {
    Lut(u64, Inputs),
    Mux(Value, Box<[Tree; 2]>),
    Kept(Value, bool),
}

impl Tree {
    fn luts(&self) -> usize {
        match self {
            Self::Lut(..) => 1,
            Self::Mux(_, halves) => halves.iter().map(Self::luts).sum(),
            Self::Kept(..) => 0,
        }
    }

    /// Every value read, multiplexers that are kept apart.
    fn reads(&self, values: &mut Vec<Value>, kept: &mut Vec<Value>) {
        match self {
            Self::Lut(_, inputs) => values.extend(inputs),
            Self::Mux(select, halves) => {
                values.push(*select);
                halves.iter().for_each(|half| half.reads(values, kept));
            }
            Self::Kept(value, _) => kept.push(*value),
        }
    }

    /// Whether each multiplexer that is kept has one reader.
    fn is_sound(&self) -> bool {
        let (mut values, mut kept) = (Vec::new(), Vec::new());
        self.reads(&mut values, &mut kept);
        kept.iter().enumerate().all(|(i, v)| !kept[..i].contains(v) && !values.contains(v))
    }
}

/// A widened table and what it reads.
type Taken<'a> = (u64, &'a [Value]);

/// A LUT with some that only it reads.
struct Cone<'a> {
    k: usize,
    /// Widened.
    table: u64,
    inputs: &'a [Value],
    /// By input, the LUT that is taken in.
    taken: SmallVec<[Option<Taken<'a>>; MAX]>,
    /// By input, the level of a multiplexer that may be kept.
    levels: SmallVec<[usize; MAX]>,
}

/// Values fixed so far.
type Fixed = Vec<(Value, bool)>;

impl Cone<'_> {
    fn fix(fixed: &Fixed, table: u64, inputs: &[Value]) -> u64 {
        inputs.iter().enumerate().fold(table, |t, (j, v)| match fixed.iter().find(|(u, _)| u == v) {
            Some(&(_, bit)) => cofactor(t, j, bit),
            None => t,
        })
    }

    /// The cone's function where some values are fixed: tables of the root and of what is taken in, and what they read.
    fn cofactors(&self, fixed: &Fixed) -> (u64, SmallVec<[u64; MAX]>, SmallVec<[Value; 16]>) {
        let mut root = Self::fix(fixed, self.table, self.inputs);
        let mut below: SmallVec<[u64; MAX]> = SmallVec::new();
        for (j, taken) in self.taken.iter().enumerate() {
            let table = taken.map_or(VAR[0], |(table, inputs)| Self::fix(fixed, table, inputs));
            below.push(table);
            if table == 0 || table == u64::MAX {
                root = cofactor(root, j, table != 0);
            }
        }
        let mut leaves: SmallVec<[Value; 16]> = SmallVec::new();
        for (j, taken) in self.taken.iter().enumerate().filter(|(j, _)| depends(root, *j)) {
            let reads = match taken {
                None => std::slice::from_ref(&self.inputs[j]),
                Some((_, inputs)) => inputs,
            };
            for (i, v) in reads.iter().enumerate() {
                if depends(below[j], i) && !leaves.contains(v) {
                    leaves.push(*v);
                }
            }
        }
        (root, below, leaves)
    }

    /// The function over multiplexers of so many levels, where that is possible.
    fn tree(&self, fixed: &mut Fixed, level: usize) -> Option<Tree> {
        let (root, below, leaves) = self.cofactors(fixed);
        if leaves.len() >= (self.k + 1) << level {
            return None;
        }
        if level == 0 {
            let place = |v: &Value| leaves.iter().position(|l| l == v).map_or(0, |i| VAR[i]);
            let parts: SmallVec<[u64; MAX]> = (self.taken.iter().zip(self.inputs).zip(&below))
                .map(|((taken, input), &table)| match taken {
                    None => place(input),
                    Some((_, inputs)) => {
                        let inputs: SmallVec<[u64; MAX]> = inputs.iter().map(place).collect();
                        compose(table & mask(inputs.len()), &inputs)
                    }
                })
                .collect();
            let table = compose(root & mask(parts.len()), &parts);
            let mut inputs: Inputs = leaves.iter().copied().collect();
            if inputs.is_empty() {
                // A LUT must be there: it reads anything.
                inputs.extend(fixed.first().map(|(v, _)| *v));
            }
            return Some(Tree::Lut(table & mask(inputs.len()), inputs));
        }
        if let [leaf] = leaves[..]
            && let Some(j) = self.inputs.iter().position(|v| *v == leaf)
            && self.levels[j] == level
            && self.taken[j].is_none()
        {
            return Some(Tree::Kept(leaf, cofactor(root, j, false) != 0));
        }
        let trees = leaves.iter().filter_map(|&select| {
            let mut half = |bit| {
                fixed.push((select, bit));
                let half = self.tree(fixed, level - 1);
                fixed.pop();
                half
            };
            let halves = [half(false)?, half(true)?];
            Some(Tree::Mux(select, Box::new(halves)))
        });
        trees.min_by_key(Tree::luts)
    }
}

struct Builder<'a> {
    rebuild: Rebuild<'a>,
    uses: Vec<u32>,
    /// By old value: how many levels of multiplexers it was built of.
    level: Vec<usize>,
    options: &'a MuxesOptions,
}

impl Builder<'_> {
    /// What a LUT of so many inputs takes, in halves of a site.
    fn weight(&self, inputs: usize) -> usize {
        let whole = if self.options.sites && inputs < self.options.k { 1 } else { 2 };
        whole << inputs.saturating_sub(self.options.k)
    }

    /// The value of a LUT by multiplexers, and their levels, where that saves LUTs or cannot be otherwise.
    fn joined(&mut self, table: u64, inputs: &[Value], loc: LocId) -> Option<(Value, usize)> {
        let k = self.options.k;
        let old = self.rebuild.old;
        let lut = |v: &Value| -> Option<(u64, &[Value], LocId)> {
            let op = old.op(old.def_op(*v).filter(|_| self.uses[v.index()] == 1 && self.level[v.index()] == 0)?);
            let OpKind::Lut { table } = op.kind else { return None };
            let whole = op.operands.len() <= k && (!self.options.sites || op.operands.len() == k);
            whole.then(|| (widen(table, op.operands.len()), op.operands, op.loc))
        };
        let found: SmallVec<[_; MAX]> = inputs.iter().map(lut).collect();
        let levels = inputs.iter().map(|v| if self.uses[v.index()] == 1 { self.level[v.index()] } else { 0 });
        let levels: SmallVec<[usize; MAX]> = levels.collect();
        let own = self.weight(inputs.len());
        let must = inputs.len() > k;
        let mut best: Option<(isize, usize, Tree, u8)> = None;
        for (level, set) in (1..=LEVELS).flat_map(|level| (0u8..1 << inputs.len()).map(move |set| (level, set))) {
            let is_taken = |j: usize| set >> j & 1 == 1;
            if (0..inputs.len()).any(|j| is_taken(j) && found[j].is_none())
                || set == 0 && !must && levels.iter().all(|&l| l + 1 != level)
            {
                continue;
            }
            let taken = (0..inputs.len()).map(|j| found[j].filter(|_| is_taken(j)).map(|(t, i, _)| (t, i)));
            let mut cone =
                Cone { k, table: widen(table, inputs.len()), inputs, taken: taken.collect(), levels: levels.clone() };
            let sound = cone.tree(&mut Vec::new(), level).filter(Tree::is_sound);
            let Some(tree) = sound.or_else(|| {
                // A multiplexer that would be read twice is read as a value.
                cone.levels.fill(0);
                cone.tree(&mut Vec::new(), level)
            }) else {
                continue;
            };
            let before = own + found.iter().enumerate().filter(|(j, _)| is_taken(*j)).count() * 2;
            let gain = before as isize - 2 * tree.luts() as isize;
            if best.as_ref().is_none_or(|(g, ..)| gain > *g) {
                best = Some((gain, level, tree, set));
            }
        }
        // Equally many LUTs, but one level of them less.
        let least = if must { isize::MIN } else { isize::from(self.options.sites) };
        let (_, level, tree, set) = best.filter(|(gain, ..)| *gain >= least)?;
        let taken = found.iter().enumerate().filter(|(j, _)| set >> j & 1 == 1);
        let origins = [loc].into_iter().chain(taken.filter_map(|(_, lut)| lut.map(|(.., loc)| loc)));
        let loc = self.rebuild.new.locs.fuse(origins.collect::<Vec<_>>());
        Some((self.build(&tree, loc), level))
    }

    fn build(&mut self, tree: &Tree, loc: LocId) -> Value {
        match tree {
            Tree::Lut(table, inputs) => {
                let inputs: Inputs = inputs.iter().map(|&v| self.rebuild.get(v)).collect();
                self.rebuild.new.push1(OpKind::Xc7Lut6 { init: *table }, &inputs, Type::BIT, loc)
            }
            Tree::Mux(select, halves) => {
                let [low, high] = [0, 1].map(|i| self.build(&halves[i], loc));
                let select = self.rebuild.get(*select);
                let lut = |v| self.rebuild.new.def_op(v).map(|id| self.rebuild.new.op(id).kind);
                let first = matches!(lut(low), Some(OpKind::Xc7Lut6 { .. }));
                let kind = if first { OpKind::Xc7MuxF7 {} } else { OpKind::Xc7MuxF8 {} };
                self.rebuild.new.push1(kind, &[low, high, select], Type::BIT, loc)
            }
            Tree::Kept(value, complement) => {
                let value = self.rebuild.get(*value);
                if *complement {
                    self.invert(value);
                }
                value
            }
        }
    }

    /// Inverts what multiplexers give by inverting their LUTs, which nothing else reads.
    fn invert(&mut self, value: Value) {
        let new = &mut self.rebuild.new;
        let Some(id) = new.def_op(value) else { return };
        let op = new.op(id);
        match op.kind {
            OpKind::Xc7Lut6 { init } => {
                let init = !init & mask(op.operands.len());
                new.set_kind(id, OpKind::Xc7Lut6 { init });
            }
            _ => {
                let data = [op.operands[0], op.operands[1]];
                data.into_iter().for_each(|v| self.invert(v));
            }
        }
    }
}

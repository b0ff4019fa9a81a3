//! `widen`: tables of more inputs than one word holds, for devices that have such.
//!
//! The LUTs of a function are read as a net of small blocks, as `cover` does. Cuts of up to `k` leaves are joined from those
//! of the fan-ins and the few best kept by area flow (Mishchenko et al., ICCAD 2007); only what is chosen gets a table. A
//! cover that is no smaller than the function was is left.

use blc_ir::table::{VAR, compose, mask};
use blc_ir::{Diagnostic, Func, Level, Value};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::cut::{self, Lit};
use super::read::Subject;
use super::wide::Wide;
use crate::codes;
use crate::count::count;
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};

/// Most leaves of a cut.
const MAX: usize = 8;

/// Words of a table of so many inputs.
const WORDS: usize = 1 << (MAX - cut::MAX);

/// Cuts kept of each node, and of each join on the way there.
const CUTS: usize = 16;

/// Most fan-ins of a block of the net.
const BLOCK: usize = 4;

/// Rounds, each with the uses of the one before.
const ROUNDS: usize = 4;

/// See the module's words.
#[derive(Debug)]
pub struct Widen {
    options: WidenOptions,
}

/// Options of [`Widen`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WidenOptions {
    /// Most inputs of a table: 2 to 8.
    pub k: usize,
}

impl Default for WidenOptions {
    fn default() -> Self {
        Self { k: MAX }
    }
}

impl PassSpec for Widen {
    const NAME: &'static str = "widen";
    const SUMMARY: &'static str = "Joins LUTs to tables of up to eight inputs, where a device has such";
    const LEVEL: Level = Level::Bit;
    type Options = WidenOptions;

    fn build(options: WidenOptions) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

impl Pass for Widen {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let k = self.options.k;
        if !(2..=MAX).contains(&k) {
            let message = format!("`widen` cannot run with k = {k}");
            return Err(Box::new(Diagnostic::error(&codes::COVER_OPTION, message).help("choose k from 2 to 8")));
        }
        let before = count(f).total;
        let mut best = (before.lut_functions, before.levels);
        let mut changed = Changed::No;
        for descending in [false, true] {
            let mut wider = f.clone();
            let subject = Subject::read(f, BLOCK.min(k), descending);
            let chosen = Mapper::new(&subject, k).map();
            subject.write_wide(&mut wider, &chosen);
            wider.tidy();
            let total = count(&wider).total;
            if (total.lut_functions, total.levels) < best {
                best = (total.lut_functions, total.levels);
                (*f, changed) = (wider, Changed::Yes);
            }
        }
        cx.fact("widen.functions", best.0);
        Ok(changed)
    }
}

/// Leaves of a cut, rising.
type Leaves = SmallVec<[u32; MAX]>;

/// A cut, and the area flow of its leaves.
#[derive(Clone, Debug)]
struct Cut {
    leaves: Leaves,
    flow: f32,
    arrival: u32,
}

struct Mapper<'a> {
    subject: &'a Subject,
    k: usize,
    /// By node, the kept cuts, best first; its trivial one is understood.
    cuts: Vec<Vec<Cut>>,
    /// By node, expected uses.
    uses: Vec<f32>,
    /// By node, area of the cone below a use.
    flow: Vec<f32>,
    arrival: Vec<u32>,
}

impl<'a> Mapper<'a> {
    fn new(subject: &'a Subject, k: usize) -> Self {
        let n = subject.net.node_count();
        let mut uses = vec![0.0f32; n];
        subject.roots().iter().for_each(|&root| uses[root as usize] += 1.0);
        for node in 0..n as u32 {
            subject.net.block(node).leaves().iter().for_each(|&leaf| uses[leaf as usize] += 1.0);
        }
        let (cuts, flow, arrival) = (vec![Vec::new(); n], vec![0.0; n], vec![0; n]);
        Self { subject, k, cuts, uses, flow, arrival }
    }

    /// By node that is needed, the leaves of its table.
    fn map(&mut self) -> FxHashMap<u32, Leaves> {
        let mut best = FxHashMap::default();
        for round in 0..ROUNDS {
            for node in 0..self.subject.net.node_count() as u32 {
                if !self.subject.net.is_leaf(node) {
                    self.enumerate(node);
                }
            }
            let (chosen, uses) = self.choose();
            if round == 0 || chosen.len() < best.len() {
                best = chosen;
            }
            for (estimate, found) in self.uses.iter_mut().zip(uses) {
                *estimate = (*estimate + 2.0 * found.max(1) as f32) / 3.0;
            }
        }
        best
    }

    /// The best joins of one cut of each fan-in.
    fn enumerate(&mut self, node: u32) {
        let mut joins = vec![Leaves::new()];
        for &fanin in self.subject.net.block(node).leaves() {
            let trivial = Leaves::from_slice(&[fanin]);
            let choices: Vec<&Leaves> =
                [&trivial].into_iter().chain(self.cuts[fanin as usize].iter().map(|c| &c.leaves)).collect();
            let mut next: Vec<Leaves> =
                joins.iter().flat_map(|join| choices.iter().filter_map(|leaves| union(join, leaves, self.k))).collect();
            next.sort_unstable();
            next.dedup();
            joins = self.cheapest(next).into_iter().map(|cut| cut.leaves).collect();
        }
        let cuts = self.cheapest(joins);
        if let Some(best) = cuts.first() {
            self.flow[node as usize] = (1.0 + best.flow) / self.uses[node as usize].max(1.0);
            self.arrival[node as usize] = 1 + best.arrival;
        }
        self.cuts[node as usize] = cuts;
    }

    fn cheapest(&self, all: Vec<Leaves>) -> Vec<Cut> {
        let cut = |leaves: Leaves| Cut {
            flow: leaves.iter().map(|&leaf| self.flow[leaf as usize]).sum(),
            arrival: leaves.iter().map(|&leaf| self.arrival[leaf as usize]).max().unwrap_or(0),
            leaves,
        };
        let mut cuts: Vec<Cut> = all.into_iter().map(cut).collect();
        cuts.sort_by(|a, b| {
            a.flow.total_cmp(&b.flow).then(a.arrival.cmp(&b.arrival)).then_with(|| a.leaves.cmp(&b.leaves))
        });
        cuts.truncate(CUTS);
        cuts
    }

    /// The cover that the roots need, and how often each node is used in it.
    fn choose(&self) -> (FxHashMap<u32, Leaves>, Vec<u32>) {
        let mut uses = vec![0; self.uses.len()];
        self.subject.roots().iter().for_each(|&root| uses[root as usize] += 1);
        let mut chosen = FxHashMap::default();
        for node in (0..uses.len() as u32).rev().filter(|&node| !self.subject.net.is_leaf(node)) {
            if uses[node as usize] == 0 {
                continue;
            }
            let leaves = self.cuts[node as usize].first().map(|cut| cut.leaves.clone()).unwrap_or_default();
            leaves.iter().for_each(|&leaf| uses[leaf as usize] += 1);
            chosen.insert(node, leaves);
        }
        (chosen, uses)
    }
}

/// The leaves of both, where they are at most `k`.
fn union(a: &Leaves, b: &Leaves, k: usize) -> Option<Leaves> {
    let mut all = a.clone();
    for leaf in b {
        if let Err(at) = all.binary_search(leaf) {
            if all.len() == k {
                return None;
            }
            all.insert(at, *leaf);
        }
    }
    Some(all)
}

/// A table over up to [`MAX`] inputs, as if it had as many.
type Table = [u64; WORDS];

impl Subject {
    /// Puts tables in the place of the function's LUTs: `chosen` names the leaves of each node that becomes one.
    fn write_wide(&self, f: &mut Func, chosen: &FxHashMap<u32, Leaves>) {
        let inverted = self.inverted();
        let mut values: Vec<Option<Value>> = self.inputs.clone();
        let mut stands: Vec<Lit> = (0..self.net.node_count() as u32).map(|node| Lit::new(node, false)).collect();
        let mut nodes: Vec<u32> = chosen.keys().copied().collect();
        nodes.sort_unstable();
        for node in nodes {
            let leaves = &chosen[&node];
            let inputs: SmallVec<[Lit; MAX]> = leaves.iter().map(|&leaf| stands[leaf as usize]).collect();
            let (table, inputs) = self.function(node, leaves, &inputs);
            stands[node as usize] = match inputs[..] {
                [] => Lit::FALSE.flip(table.words[0] & 1 == 1),
                [input] => Lit::new(input, table.words[0] & 1 == 1),
                _ => {
                    let flip = inverted[node as usize];
                    let table = if flip { table.complement() } else { table };
                    let operands: SmallVec<[Value; MAX]> = inputs.iter().filter_map(|&n| values[n as usize]).collect();
                    let loc = self.origins(f, node, leaves);
                    values[node as usize] = Some(match table.words[..] {
                        [table] => f.lut(table, &operands, loc),
                        _ => f.lut_wide(&table.words, &operands, loc),
                    });
                    Lit::new(node, flip)
                }
            };
        }
        self.write_outputs(f, &values, &stands);
    }

    /// A node's function of nodes, where its leaves are literals; only what it depends on.
    fn function(&self, node: u32, leaves: &[u32], literals: &[Lit]) -> (Wide, Vec<u32>) {
        let mut inputs: Vec<u32> = literals.iter().map(|lit| lit.node()).filter(|&n| n != Lit::FALSE.node()).collect();
        inputs.sort_unstable();
        inputs.dedup();
        let mut known: FxHashMap<u32, Table> = FxHashMap::default();
        for (&leaf, lit) in leaves.iter().zip(literals) {
            let table = inputs.iter().position(|&n| n == lit.node()).map_or([0; WORDS], variable);
            known.insert(leaf, if lit.complement() { table.map(|w| !w) } else { table });
        }
        let table = self.table(node, &mut known);
        let n = inputs.len();
        let words = if n < cut::MAX { vec![table[0] & mask(n)] } else { table[..1 << (n - cut::MAX)].to_vec() };
        let mut table = Wide { words, inputs: n };
        for j in (0..n).rev().filter(|&j| !table.clone().depends(j)).collect::<Vec<_>>() {
            let [low, _] = table.cofactors(j);
            table = low;
            inputs.remove(j);
        }
        (table, inputs)
    }

    /// A node's table over what is known; cones of blocks end there.
    fn table(&self, node: u32, known: &mut FxHashMap<u32, Table>) -> Table {
        let mut cone = vec![node];
        let mut seen: FxHashSet<u32> = known.keys().copied().collect();
        let mut next = 0;
        while let Some(&node) = cone.get(next) {
            next += 1;
            cone.extend(self.net.block(node).leaves().iter().filter(|&&leaf| seen.insert(leaf)));
        }
        // Each after what it reads.
        cone.sort_unstable();
        for node in cone {
            let block = self.net.block(node);
            let part = |leaf: &u32| known.get(leaf).copied().unwrap_or_default();
            let parts: SmallVec<[Table; cut::MAX]> = block.leaves().iter().map(part).collect();
            let word = |w: usize| {
                let inputs: SmallVec<[u64; cut::MAX]> = parts.iter().map(|part| part[w]).collect();
                compose(block.table & mask(inputs.len()), &inputs)
            };
            let table = std::array::from_fn(word);
            known.insert(node, table);
        }
        known.get(&node).copied().unwrap_or_default()
    }
}

/// The table of input `j` itself.
fn variable(j: usize) -> Table {
    std::array::from_fn(|w| match j.checked_sub(cut::MAX) {
        None => VAR[j],
        Some(high) => (w as u64 >> high & 1).wrapping_neg(),
    })
}

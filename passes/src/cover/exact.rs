//! Covers chosen exactly: an integer program says which nodes have a LUT, of which cut, and which two share a site.
//!
//! Its columns are sites: one node with one of its cuts, or two that fit together. Each node that is needed anyway is in
//! one; a column that reads another node is taken only with a column that has that. Cuts whose leaves are all there anyway
//! count as one, so that a program has about as many rows as nodes. Of three nodes each two may fit, and half of each pair
//! would do without integers: such odd sets are looked for, and rows added that forbid them. A program is about a block of
//! the net; all around it stays as it is.

use blc_ir::table::cofactor;
use microlp::{ComparisonOp, OptimizationDirection, Problem, Solution, SolveOptions, Variable};
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use super::cut::Cut;
use super::net::Net;
use super::sets::CutSets;
use super::sites::{ALONE, Change, Fit, Sites, TOGETHER, alone, fits};
use crate::pairing::SITE_INPUTS;

/// Times that odd sets are looked for.
const ROUNDS: usize = 12;

/// Nodes of the search for integers.
const NODES: u64 = 60;

/// What is too small a gain to search for integers.
const GAIN: f64 = 0.4;

/// Choices of cuts kept of two nodes that may share a site.
const CHOICES: usize = 4;

/// Columns of a program that is solved at most.
pub const COLUMNS: usize = 4000;

/// Work of a row, in columns.
const ROW: usize = 4;

/// How far from an integer is none.
const NEAR: f64 = 1e-6;

/// What programs are made of.
pub struct Chooser<'a> {
    pub net: &'a Net,
    /// Cuts to choose from.
    pub sets: &'a CutSets,
    pub roots: &'a [u32],
    /// Whether two functions may share a site.
    pub pairs: bool,
    /// By node, whether its polarity must stay.
    pub fixed: &'a [bool],
    /// What that is: whether its LUT gives the complement.
    pub inverted: &'a [bool],
    /// By node, the level that it must lie at, above all it reads; `None` where levels may rise.
    pub levels: Option<&'a [u32]>,
}

/// Nodes of the block that a cut needs besides what is there anyway.
type Needs = SmallVec<[u32; 4]>;

/// A node with the cuts that it may have.
struct Item {
    node: u32,
    /// Whether it is needed in any case.
    wanted: bool,
    cuts: Vec<(Cut, Needs)>,
}

/// An item and which of its cuts.
type Part = (u32, u16);

/// Which cuts of two items share a site.
type Choices = SmallVec<[(u16, u16); 2]>;

/// A site.
struct Column {
    cost: f64,
    parts: SmallVec<[Part; 2]>,
}

/// The sum of columns, each so many times, is at least so much.
struct Row {
    terms: Vec<(u32, f64)>,
    least: f64,
}

/// The program of a block.
struct Program {
    items: Vec<Item>,
    columns: Vec<Column>,
    rows: Vec<Row>,
    /// By item, the columns that have it.
    having: Vec<Vec<u32>>,
    /// The columns of the cover as it is.
    present: Vec<u32>,
}

impl Chooser<'_> {
    /// Betters a block, if it can; and says how many columns its program has and how much work that took, in thousands of
    /// columns (a row counts as some) looked at by pivots.
    pub fn better(&self, now: &Sites, block: &[u32]) -> (Option<Change>, usize, u64) {
        let mut program = self.program(now, block);
        let columns = program.columns.len();
        if columns > COLUMNS {
            return (None, columns, 1);
        }
        let (solution, pivots) = program.solve();
        let size = (columns + ROW * program.rows.len()) as u64;
        (solution.map(|taken| program.change(&taken)), columns, 1 + pivots * size / 1000)
    }

    fn program(&self, now: &Sites, block: &[u32]) -> Program {
        let items = self.items(now, block);
        let place: FxHashMap<u32, u32> = items.iter().enumerate().map(|(i, item)| (item.node, i as u32)).collect();
        let mut program =
            Program { items, columns: Vec::new(), rows: Vec::new(), having: Vec::new(), present: Vec::new() };
        self.present(now, &place, &mut program);
        self.singles(&mut program);
        if self.pairs {
            self.doubles(&mut program);
        }
        program.rows(&place);
        program
    }

    /// The nodes of the block with all cuts that can be, and used ones around it that may share a site with them.
    fn items(&self, now: &Sites, block: &[u32]) -> Vec<Item> {
        let net = self.net;
        let mut inside = vec![false; net.node_count()];
        block.iter().for_each(|&b| inside[b as usize] = true);
        // Uses by what stays.
        let mut outside = now.uses.clone();
        for &b in block.iter().filter(|&&b| now.uses[b as usize] > 0) {
            now.cuts[b as usize].leaves().iter().for_each(|&l| outside[l as usize] -= 1);
        }
        let needs = |cut: &Cut| -> Option<Needs> {
            let mut needs = Needs::new();
            for &leaf in cut.leaves().iter().filter(|&&l| !net.is_leaf(l)) {
                match inside[leaf as usize] {
                    true if outside[leaf as usize] == 0 => needs.push(leaf),
                    false if now.uses[leaf as usize] == 0 => return None,
                    _ => {}
                }
            }
            Some(needs)
        };
        let in_time = |node: u32, cut: &Cut| {
            self.levels.is_none_or(|level| cut.leaves().iter().all(|&l| level[l as usize] < level[node as usize]))
        };
        let mut near = vec![false; net.node_count()];
        let mut items: Vec<Item> = Vec::with_capacity(block.len());
        for &node in block {
            let choices = self.sets.of(node).iter().filter(|cut| in_time(node, cut));
            let mut cuts: Vec<(Cut, Needs)> = choices.filter_map(|cut| Some((*cut, needs(cut)?))).collect();
            cuts.sort_by_key(|(cut, needs)| (needs.len(), cut.size()));
            cuts.iter().for_each(|(cut, _)| cut.leaves().iter().for_each(|&l| near[l as usize] = true));
            let present = now.cuts[node as usize];
            if now.uses[node as usize] > 0 && !cuts.iter().any(|(cut, _)| *cut == present) {
                cuts.extend(needs(&present).map(|needs| (present, needs)));
            }
            items.push(Item { node, wanted: outside[node as usize] > 0, cuts });
        }
        let around = |&node: &u32| {
            let (mate, cut) = (now.mates[node as usize], &now.cuts[node as usize]);
            let beside = match mate {
                ALONE => cut.leaves().iter().any(|&l| near[l as usize]),
                mate => inside[mate as usize],
            };
            now.uses[node as usize] > 0 && !inside[node as usize] && cut.size() > 1 && beside
        };
        let nodes = (0..net.node_count() as u32).filter(|&n| self.pairs && !net.is_leaf(n));
        let cuts = |node: u32| vec![(now.cuts[node as usize], Needs::new())];
        items.extend(nodes.filter(around).map(|node| Item { node, wanted: true, cuts: cuts(node) }));
        items
    }

    /// Columns for the sites as they are.
    fn present(&self, now: &Sites, place: &FxHashMap<u32, u32>, program: &mut Program) {
        let part = |node: u32| {
            let i = place[&node];
            let cut = &now.cuts[node as usize];
            (i, program.items[i as usize].cuts.iter().position(|(c, _)| c == cut).unwrap_or(0) as u16)
        };
        for node in program.items.iter().map(|item| item.node).filter(|&n| now.uses[n as usize] > 0) {
            let column = match now.mates[node as usize] {
                ALONE => Column { cost: alone(&now.cuts[node as usize], self.pairs), parts: smallvec![part(node)] },
                mate if mate > node => Column { cost: TOGETHER, parts: smallvec![part(node), part(mate)] },
                _ => continue,
            };
            program.present.push(program.columns.len() as u32);
            program.columns.push(column);
        }
    }

    /// Nodes alone: no cut that needs as much as another and costs as much.
    fn singles(&self, program: &mut Program) {
        for (i, item) in program.items.iter().enumerate() {
            let mut kept: Vec<(f64, &Needs)> = Vec::new();
            for (at, (cut, needs)) in item.cuts.iter().enumerate() {
                let cost = alone(cut, self.pairs);
                if !kept.iter().any(|(c, n)| *c <= cost && n.iter().all(|n| needs.contains(n))) {
                    kept.push((cost, needs));
                    program.columns.push(Column { cost, parts: smallvec![(i as u32, at as u16)] });
                }
            }
        }
    }

    /// Two nodes in one site: for each two those cuts that need least.
    fn doubles(&self, program: &mut Program) {
        let items = &program.items;
        let mut readers: FxHashMap<u32, Vec<Part>> = FxHashMap::default();
        let mut known: FxHashMap<Cut, Vec<Part>> = FxHashMap::default();
        for (i, item) in items.iter().enumerate() {
            for (at, (cut, _)) in item.cuts.iter().enumerate() {
                if (2..=SITE_INPUTS).contains(&cut.size()) {
                    known.entry(*cut).or_default().push((i as u32, at as u16));
                    cut.leaves().iter().for_each(|&l| readers.entry(l).or_default().push((i as u32, at as u16)));
                }
            }
        }
        let mut kept: FxHashMap<(u32, u32), Choices> = FxHashMap::default();
        let mut keep = |a: Part, b: Part| {
            let ((i, x), (j, y)) = if a.0 < b.0 { (a, b) } else { (b, a) };
            let (first, second) = (&items[i as usize], &items[j as usize]);
            let kept = kept.entry((i, j)).or_default();
            let within = |item: &Item, x: u16, y: u16| {
                let [less, more] = [x, y].map(|x| &item.cuts[usize::from(x)].1);
                less.iter().all(|n| more.contains(n))
            };
            let known = kept.iter().any(|&(p, q)| within(first, p, x) && within(second, q, y));
            if !known
                && kept.len() < CHOICES
                && self.fit((first.node, &first.cuts[usize::from(x)].0), (second.node, &second.cuts[usize::from(y)].0))
            {
                kept.push((x, y));
            }
        };
        for (i, item) in items.iter().enumerate() {
            for (at, (cut, _)) in item.cuts.iter().enumerate() {
                let part = (i as u32, at as u16);
                if cut.size() <= SITE_INPUTS {
                    let others = cut.leaves().iter().flat_map(|leaf| &readers[leaf]).filter(|r| r.0 > part.0);
                    others.for_each(|&other| keep(part, other));
                    continue;
                }
                for (j, at) in (0..cut.size()).flat_map(|j| [(j, false), (j, true)]) {
                    let mut half = *cut;
                    half.table = cofactor(cut.table, j, at);
                    half.drop_vacuous();
                    let others = known.get(&half.flip(half.table & 1 == 1)).into_iter().flatten();
                    others.filter(|other| other.0 != part.0).for_each(|&other| keep(part, other));
                }
            }
        }
        let mut kept: Vec<_> = kept.into_iter().collect();
        kept.sort_unstable();
        for ((i, j), cuts) in kept {
            let column = |(x, y)| Column { cost: TOGETHER, parts: smallvec![(i, x), (j, y)] };
            program.columns.extend(cuts.into_iter().map(column));
        }
    }

    /// Whether two nodes with these cuts may share a site.
    fn fit(&self, (a, first): (u32, &Cut), (b, second): (u32, &Cut)) -> bool {
        if first.leaves().contains(&b) || second.leaves().contains(&a) {
            return false;
        }
        // Far apart, a pair would make paths longer.
        if self.levels.is_some_and(|level| level[a as usize].abs_diff(level[b as usize]) > 1) {
            return false;
        }
        // Whether what other pairs want allows it is seen when the pair is made.
        let free = |node: u32| !self.net.is_leaf(node) && !self.fixed[node as usize];
        let inverted = |node: u32| !self.net.is_leaf(node) && self.inverted[node as usize];
        fits(first, second).any(|fit| match fit {
            Fit::Small => true,
            Fit::Half { leaf, at, flip } => {
                let odd = inverted(a) != inverted(b);
                (free(leaf) || inverted(leaf) == at) && (free(a) || free(b) || odd == flip)
            }
        })
    }
}

impl Program {
    fn rows(&mut self, place: &FxHashMap<u32, u32>) {
        self.having = vec![Vec::new(); self.items.len()];
        // By need and who has it: the columns.
        let mut needs: FxHashMap<(u32, u32), Vec<u32>> = FxHashMap::default();
        for (c, column) in self.columns.iter().enumerate() {
            for &(item, cut) in &column.parts {
                self.having[item as usize].push(c as u32);
                for need in &self.items[item as usize].cuts[usize::from(cut)].1 {
                    needs.entry((place[need], item)).or_default().push(c as u32);
                }
            }
        }
        for (having, _) in self.having.iter().zip(&self.items).filter(|(_, item)| item.wanted) {
            self.rows.push(Row { terms: having.iter().map(|&c| (c, 1.0)).collect(), least: 1.0 });
        }
        let mut needs: Vec<_> = needs.into_iter().collect();
        needs.sort_unstable();
        for ((item, _), readers) in needs {
            let mut terms: FxHashMap<u32, f64> = FxHashMap::default();
            self.having[item as usize].iter().for_each(|&c| *terms.entry(c).or_default() += 1.0);
            readers.iter().for_each(|&c| *terms.entry(c).or_default() -= 1.0);
            let mut terms: Vec<_> = terms.into_iter().filter(|term| term.1 != 0.0).collect();
            terms.sort_unstable_by_key(|term| term.0);
            self.rows.push(Row { terms, least: 0.0 });
        }
    }

    fn problem(&self, whole: bool) -> (Problem, Vec<Variable>) {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let var = |c: &Column| match whole {
            true => problem.add_binary_var(c.cost),
            false => problem.add_var(c.cost, (0.0, f64::INFINITY)),
        };
        let vars: Vec<Variable> = self.columns.iter().map(var).collect();
        for row in &self.rows {
            problem.add_constraint(row.expression(&vars), ComparisonOp::Ge, row.least);
        }
        (problem, vars)
    }

    /// Columns that cost less than the present ones, and the pivots spent.
    fn solve(&mut self) -> (Option<Vec<u32>>, u64) {
        let before: f64 = self.present.iter().map(|&c| self.columns[c as usize].cost).sum();
        let (problem, vars) = self.problem(false);
        let mut pivots = 0;
        let Ok(Ok(mut solution)) = problem.solve().map(|outcome| outcome.into_solution()) else { return (None, 0) };
        for _ in 0..ROUNDS {
            pivots = solution.stats().lp_iterations;
            let odd = self.odd_sets(|c| solution.var_value(vars[c as usize]));
            if odd.is_empty() || solution.objective() > before - NEAR {
                break;
            }
            for row in odd {
                let outcome = solution.add_constraint(row.expression(&vars), ComparisonOp::Ge, row.least);
                self.rows.push(row);
                let Ok(Ok(next)) = outcome.map(|outcome| outcome.into_solution()) else { return (None, pivots) };
                solution = next;
            }
        }
        pivots = solution.stats().lp_iterations.max(pivots);
        let gain = before - solution.objective();
        let whole = vars.iter().all(|&v| (solution.var_value(v) - solution.var_value(v).round()).abs() < NEAR);
        if whole {
            return ((gain > NEAR).then(|| taken(&solution, &vars)), pivots);
        }
        if gain < GAIN {
            return (None, pivots);
        }
        let (problem, vars) = self.problem(true);
        let mut start = vec![0.0; vars.len()];
        self.present.iter().for_each(|&c| start[c as usize] = 1.0);
        let mut options = SolveOptions::default();
        options.node_limit = Some(NODES);
        options.tolerances.prune_epsilon = GAIN / before.max(1.0);
        options.warm_start = Some(vars.iter().copied().zip(start).collect());
        let Ok(outcome) = problem.solve_with(options) else { return (None, pivots) };
        pivots += outcome.stats().lp_iterations;
        let solution = outcome.into_solution().ok().filter(|s| s.objective() < before - NEAR);
        (solution.map(|solution| taken(&solution, &vars)), pivots)
    }

    /// Odd sets of wanted items, tied by parts of pairs, that are in fewer sites than can be.
    fn odd_sets(&self, value: impl Fn(u32) -> f64) -> Vec<Row> {
        let mut near: Vec<Vec<u32>> = vec![Vec::new(); self.items.len()];
        for (c, column) in self.columns.iter().enumerate() {
            if let [(a, _), (b, _)] = column.parts[..]
                && (NEAR..1.0 - NEAR).contains(&value(c as u32))
            {
                near[a as usize].push(b);
                near[b as usize].push(a);
            }
        }
        let mut seen = vec![false; self.items.len()];
        let mut rows = Vec::new();
        for first in 0..self.items.len() as u32 {
            let mut set = vec![first];
            let mut next = 0;
            while next < set.len() && !std::mem::replace(&mut seen[set[next] as usize], true) {
                let fresh: Vec<u32> = near[set[next] as usize].iter().copied().filter(|i| !set.contains(i)).collect();
                set.extend(fresh);
                next += 1;
            }
            if set.len() < 3 || set.len() % 2 == 0 || set.iter().any(|&i| !self.items[i as usize].wanted) {
                continue;
            }
            let mut touching: Vec<u32> = set.iter().flat_map(|&i| self.having[i as usize].iter().copied()).collect();
            touching.sort_unstable();
            touching.dedup();
            let least = set.len().div_ceil(2) as f64;
            if touching.iter().map(|&c| value(c)).sum::<f64>() < least - 1e-4 {
                rows.push(Row { terms: touching.into_iter().map(|c| (c, 1.0)).collect(), least });
            }
        }
        rows
    }

    /// What becomes of the cover with these columns.
    fn change(&self, taken: &[u32]) -> Change {
        let mut done = vec![false; self.items.len()];
        let mut change = Change { parted: self.items.iter().map(|item| item.node).collect(), ..Change::default() };
        for &c in taken {
            let parts = self.columns[c as usize].parts.iter();
            // What two columns have needs only one.
            let fresh: SmallVec<[&Part; 2]> =
                parts.filter(|part| !std::mem::replace(&mut done[part.0 as usize], true)).collect();
            let node = |part: &Part| self.items[part.0 as usize].node;
            for part in &fresh {
                change.cuts.push((node(part), self.items[part.0 as usize].cuts[usize::from(part.1)].0));
            }
            if let [a, b] = fresh[..] {
                change.joined.push([node(a), node(b)]);
            }
        }
        change
    }
}

impl Row {
    fn expression(&self, vars: &[Variable]) -> Vec<(Variable, f64)> {
        self.terms.iter().map(|&(c, times)| (vars[c as usize], times)).collect()
    }
}

fn taken(solution: &Solution, vars: &[Variable]) -> Vec<u32> {
    (0..vars.len() as u32).filter(|&c| solution.var_value(vars[c as usize]) > 0.5).collect()
}

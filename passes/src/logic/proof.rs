//! Questions about nodes, answered by a SAT solver over the logic below them.
//!
//! Only the nearest nodes of a cone are told; what lies below is free, so that "never" holds and "maybe" may be too
//! careful.

use batsat::{Callbacks, SolverInterface, SolverOpts, clause, lbool};
use rustc_hash::FxHashMap;

use super::Logic;
use super::isop::{Cube, isop};

/// A node with the value it is to have.
pub type Lit = (u32, bool);

/// Counts conflicts and stops at a limit.
#[derive(Default)]
struct Limit {
    conflicts: u64,
    limit: u64,
}

impl Callbacks for Limit {
    fn on_new_clause(&mut self, _: &[batsat::Lit], kind: clause::Kind) {
        self.conflicts += u64::from(matches!(kind, clause::Kind::Learnt));
    }

    fn stop(&self) -> bool {
        self.conflicts >= self.limit
    }
}

/// A solver that knows some of the nodes.
pub struct Proof<'a> {
    logic: &'a Logic,
    solver: batsat::Solver<Limit>,
    vars: FxHashMap<u32, batsat::Var>,
    /// Nodes of codes that the solver knows.
    codes: Vec<(u32, u32, u32)>,
    conflicts: u64,
}

impl<'a> Proof<'a> {
    /// Without nodes. Each question may take so many conflicts.
    pub fn new(logic: &'a Logic, conflicts: u64) -> Self {
        let solver = batsat::Solver::new(SolverOpts::default(), Limit::default());
        Self { logic, solver, vars: FxHashMap::default(), codes: Vec::new(), conflicts }
    }

    /// Tells the solver the `limit` nodes nearest below `nodes`, and themselves; those that it knows stay as they are.
    pub fn load(&mut self, nodes: &[u32], limit: usize, chain_of: &[Option<(u32, u32)>]) {
        let mut cone = Vec::new();
        for &node in nodes {
            self.meet(node, &mut cone);
        }
        let mut next = 0;
        while next < cone.len() {
            let node = cone[next];
            next += 1;
            let inputs = &self.logic.nodes[node as usize].inputs;
            if self.logic.nodes[node as usize].leaf || next > limit {
                continue;
            }
            for &input in inputs {
                self.meet(input, &mut cone);
            }
            self.lut(node);
        }
        let known = self.codes.len();
        self.codes.extend(cone.iter().filter_map(|&n| chain_of[n as usize].map(|(chain, place)| (chain, place, n))));
        if self.codes.len() > known {
            let mut codes = std::mem::take(&mut self.codes);
            codes.sort_unstable();
            for pair in codes.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
                self.clause(&[(pair[0].2, true), (pair[1].2, false)]);
            }
            self.codes = codes;
        }
    }

    fn meet(&mut self, node: u32, cone: &mut Vec<u32>) {
        if let std::collections::hash_map::Entry::Vacant(slot) = self.vars.entry(node) {
            slot.insert(self.solver.new_var_default());
            cone.push(node);
        }
    }

    fn lut(&mut self, node: u32) {
        let logic = self.logic;
        let (table, inputs) = (logic.nodes[node as usize].table, &logic.nodes[node as usize].inputs);
        for (function, value) in [(table, true), (!table, false)] {
            for Cube { ones, zeros } in isop(function, 0) {
                let mut clause: Vec<Lit> = vec![(node, value)];
                for (j, &input) in inputs.iter().enumerate() {
                    if (ones | zeros) >> j & 1 == 1 {
                        clause.push((input, zeros >> j & 1 == 1));
                    }
                }
                self.clause(&clause);
            }
        }
    }

    fn lit(&self, (node, value): Lit) -> Option<batsat::Lit> {
        self.vars.get(&node).map(|&var| batsat::Lit::new(var, value))
    }

    fn clause(&mut self, lits: &[Lit]) {
        // A node that is not known is free: a clause of it says nothing.
        let clause: Option<Vec<_>> = lits.iter().map(|&lit| self.lit(lit)).collect();
        if let Some(mut clause) = clause {
            self.solver.add_clause_reuse(&mut clause);
        }
    }

    /// Whether nodes never have these values together.
    pub fn never(&mut self, lits: impl IntoIterator<Item = Lit>) -> bool {
        let assumptions: Vec<_> = lits.into_iter().filter_map(|lit| self.lit(lit)).collect();
        let limit = self.solver.cb_mut();
        (limit.conflicts, limit.limit) = (0, self.conflicts);
        self.solver.solve_limited(&assumptions) == lbool::FALSE
    }
}

impl Logic {
    /// By node, its chain and place there.
    pub fn chain_of(&self) -> Vec<Option<(u32, u32)>> {
        let mut places = vec![None; self.nodes.len()];
        for (chain, leaves) in self.chains.iter().enumerate() {
            for (place, &leaf) in leaves.iter().enumerate() {
                places[leaf as usize] = Some((chain as u32, place as u32));
            }
        }
        places
    }
}

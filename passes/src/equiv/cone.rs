//! A solver that learns the cones it is asked about.

use batsat::{Callbacks, SolverInterface, SolverOpts, clause, lbool};
use rustc_hash::{FxHashMap, FxHashSet};

use super::graph::{Gate, Lit};

/// Nodes a solver holds before it may be begun anew: what is asked later rarely needs what was asked first.
const RENEW: usize = 6_000;
/// It is begun anew where the question stands on less than one in so many of them: an answer gives all a value.
const SHARE: usize = 4;

/// A clause that follows from the gates and the clauses before it.
pub type Clause = Vec<Lit>;

/// What the solver tells while it works: clauses for the proof, and when to stop.
#[derive(Default)]
struct Watch {
    conflicts: u64,
    limit: u64,
    /// Clauses learnt, in the solver's literals; `None` where no proof is kept.
    learnt: Option<Vec<Vec<batsat::Lit>>>,
}

impl Callbacks for Watch {
    fn on_new_clause(&mut self, c: &[batsat::Lit], kind: clause::Kind) {
        if matches!(kind, clause::Kind::Learnt) {
            self.conflicts += 1;
            if let Some(all) = &mut self.learnt {
                all.push(c.to_vec());
            }
        }
    }

    fn stop(&self) -> bool {
        self.conflicts >= self.limit
    }
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The assumptions contradict the gates.
    Never,
    /// They hold under these values of nodes without gates; others do not matter.
    Under(Vec<(u32, bool)>),
    /// The limit was reached.
    Unknown,
}

/// A solver and the nodes it knows.
pub struct Cone {
    solver: batsat::Solver<Watch>,
    vars: FxHashMap<u32, batsat::Var>,
    /// The node of each variable.
    nodes: Vec<u32>,
    /// Nodes that are free here.
    free: Vec<u32>,
    /// Literals that a node equals which is not known here yet.
    equals: FxHashMap<u32, Vec<Lit>>,
    proof: Option<Vec<Clause>>,
    /// Whether what was learnt of large cones is kept for questions about parts of them.
    pub keeps: bool,
    /// Conflicts of all questions.
    pub conflicts: u64,
}

impl Cone {
    /// An empty one; with `proof` it keeps what it learns.
    pub fn new(proof: bool) -> Self {
        Self {
            solver: solver(proof),
            vars: FxHashMap::default(),
            nodes: Vec::new(),
            free: Vec::new(),
            equals: FxHashMap::default(),
            proof: proof.then(Vec::new),
            keeps: true,
            conflicts: 0,
        }
    }

    /// Clauses learnt since the last call.
    pub fn take_proof(&mut self) -> Vec<Clause> {
        self.proof.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Whether all of the literals can be 1 together. `gates` gives each node's gate, `None` where it is free.
    pub fn ask(&mut self, all: &[Lit], limit: u64, gates: &dyn Fn(u32) -> Option<Gate>) -> Answer {
        let known = self.nodes.len();
        if known > RENEW && !(self.keeps && known <= SHARE * size(all, known / SHARE + 1, gates)) {
            self.solver = solver(self.proof.is_some());
            self.vars.clear();
            self.nodes.clear();
            self.free.clear();
            self.equals.clear();
        }
        let mut assumptions = Vec::with_capacity(all.len());
        for &lit in all {
            match lit.as_const() {
                Some(true) => {}
                Some(false) => return Answer::Never,
                None => {
                    self.load(lit.node() as u32, gates);
                    assumptions.push(self.lit(lit));
                }
            }
        }
        let watch = self.solver.cb_mut();
        (watch.conflicts, watch.limit) = (0, limit);
        let result = self.solver.solve_limited(&assumptions);
        let watch = self.solver.cb_mut();
        self.conflicts += watch.conflicts;
        if let (Some(proof), Some(learnt)) = (&mut self.proof, &mut watch.learnt) {
            let lit = |l: batsat::Lit| Lit::new(self.nodes[l.var().idx() as usize] as usize).invert_if(!l.sign());
            proof.extend(learnt.drain(..).map(|c| c.into_iter().map(lit).collect::<Clause>()));
        }
        match result {
            r if r == lbool::FALSE => Answer::Never,
            r if r == lbool::TRUE => {
                let value = |&n: &u32| (n, self.solver.value_var(self.vars[&n]) == lbool::TRUE);
                Answer::Under(self.free.iter().map(value).collect())
            }
            _ => Answer::Unknown,
        }
    }

    /// Tells the solver a clause that is true of the gates.
    pub fn tell(&mut self, clause: &[Lit]) {
        if clause.iter().all(|l| l.as_const() == Some(false) || self.vars.contains_key(&(l.node() as u32))) {
            let known = clause.iter().filter(|l| l.as_const().is_none());
            let mut clause: Vec<_> = known.map(|&l| self.lit(l)).collect();
            self.solver.add_clause_reuse(&mut clause);
        }
        if let Some(proof) = &mut self.proof {
            proof.push(clause.iter().copied().filter(|&l| l != Lit::ZERO).collect());
        }
    }

    /// Tells the solver a clause that is true of the gates, some of which it may not know yet.
    pub fn learn(&mut self, clause: &[Lit], gates: &dyn Fn(u32) -> Option<Gate>) {
        clause.iter().filter(|l| l.as_const().is_none()).for_each(|l| self.load(l.node() as u32, gates));
        self.tell(clause);
    }

    /// Takes note that a node, if it is known here, equals a literal, as was proved elsewhere.
    pub fn equal(&mut self, node: u32, to: Lit) {
        if !self.vars.contains_key(&node) {
            return;
        }
        let n = Lit::new(node as usize);
        match to.as_const() {
            None if !self.vars.contains_key(&(to.node() as u32)) => {
                self.equals.entry(to.node() as u32).or_default().push(n.invert_if(to.inverted()));
            }
            _ => self.both(n, to),
        }
    }

    /// Two clauses that make two literals equal.
    fn both(&mut self, a: Lit, b: Lit) {
        for clause in [[!a, b], [a, !b]] {
            if !clause.contains(&Lit::ONE) {
                let mut clause: Vec<_> =
                    clause.iter().filter(|l| l.as_const().is_none()).map(|&l| self.lit(l)).collect();
                self.solver.add_clause_reuse(&mut clause);
            }
        }
    }

    fn lit(&self, lit: Lit) -> batsat::Lit {
        batsat::Lit::new(self.vars[&(lit.node() as u32)], !lit.inverted())
    }

    /// Makes the solver know a node and all it depends on.
    fn load(&mut self, root: u32, gates: &dyn Fn(u32) -> Option<Gate>) {
        let mut work = vec![root];
        while let Some(node) = work.pop() {
            if self.vars.contains_key(&node) {
                continue;
            }
            let gate = gates(node);
            let waiting = |l: &Lit| !self.vars.contains_key(&(l.node() as u32));
            match gate {
                Some(Gate::And(a, b) | Gate::Xor(a, b)) if waiting(&a) || waiting(&b) => {
                    work.push(node);
                    work.extend([a, b].iter().filter(|l| waiting(l)).map(|l| l.node() as u32));
                    continue;
                }
                _ => {}
            }
            let var = self.solver.new_var_default();
            self.vars.insert(node, var);
            self.nodes.push(node);
            let n = Lit::new(node as usize);
            match gate {
                Some(Gate::And(a, b)) => {
                    for clause in [vec![!n, a], vec![!n, b], vec![n, !a, !b]] {
                        self.tell(&clause);
                    }
                }
                Some(Gate::Xor(a, b)) => {
                    for clause in [[!n, a, b], [!n, !a, !b], [n, !a, b], [n, a, !b]] {
                        self.tell(&clause);
                    }
                }
                Some(Gate::Zero) => self.tell(&[!n]),
                Some(Gate::Input(_)) | None => self.free.push(node),
            }
            for lit in self.equals.remove(&node).unwrap_or_default() {
                self.both(lit, n);
            }
        }
    }
}

/// Nodes below some literals, counted up to a limit.
fn size(roots: &[Lit], limit: usize, gates: &dyn Fn(u32) -> Option<Gate>) -> usize {
    let mut seen = FxHashSet::default();
    let mut work: Vec<u32> = roots.iter().map(|l| l.node() as u32).collect();
    while let Some(node) = work.pop() {
        if seen.len() < limit
            && seen.insert(node)
            && let Some(Gate::And(a, b) | Gate::Xor(a, b)) = gates(node)
        {
            work.extend([a.node() as u32, b.node() as u32]);
        }
    }
    seen.len()
}

fn solver(proof: bool) -> batsat::Solver<Watch> {
    let watch = Watch { learnt: proof.then(Vec::new), ..Watch::default() };
    batsat::Solver::new(SolverOpts::default(), watch)
}

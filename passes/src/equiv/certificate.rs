//! A proof for others to check: the gates of both designs and "some output differs" as clauses (DIMACS), and the clauses
//! that lead from there to a contradiction (DRAT; every clause follows by unit propagation).
//!
//! Pairs of signals that algebra proved equal ([`super::poly`]) stand among the clauses as given, and are counted: DRAT
//! has no words for sums.

use std::fmt::Write;

use super::cone::Clause;
use super::graph::{Gate, Graph, Lit};

/// A proof in text.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The clauses, DIMACS.
    pub cnf: String,
    /// The proof, DRAT.
    pub drat: String,
    /// Equalities among the clauses that are proved by algebra instead.
    pub given: usize,
}

impl Certificate {
    pub(super) fn new(g: &Graph, pairs: &[(Lit, Lit)], given: Vec<(Lit, Lit)>, proof: Vec<Clause>) -> Self {
        let number = |l: Lit| (l.node() as i64 + 1) * if l.inverted() { -1 } else { 1 };
        let mut clauses: Vec<Vec<i64>> = vec![vec![-1]];
        let mut clause = |lits: &[Lit]| clauses.push(lits.iter().map(|&l| number(l)).collect());
        for node in 0..g.len() {
            let n = Lit::new(node);
            match g.gate(node) {
                Gate::And(a, b) => [vec![!n, a], vec![!n, b], vec![n, !a, !b]].iter().for_each(|c| clause(c)),
                Gate::Xor(a, b) => {
                    [[!n, a, b], [!n, !a, !b], [n, !a, b], [n, a, !b]].iter().for_each(|c| clause(c));
                }
                Gate::Zero | Gate::Input(_) => {}
            }
        }
        for &(a, b) in &given {
            [[!a, b], [a, !b]].iter().for_each(|c| clause(c));
        }
        // One variable an output, true only where the designs differ there.
        let first = g.len() as i64 + 1;
        for (&(a, b), d) in pairs.iter().zip(first..) {
            clauses.push(vec![-d, number(a), number(b)]);
            clauses.push(vec![-d, -number(a), -number(b)]);
        }
        clauses.push((first..first + pairs.len() as i64).collect());
        let mut cnf = format!("c {} equalities of sums are given: they are proved by algebra\n", given.len());
        let _ = writeln!(cnf, "p cnf {} {}", g.len() + pairs.len(), clauses.len());
        let write = |out: &mut String, lits: &mut dyn Iterator<Item = i64>| {
            for l in lits {
                let _ = write!(out, "{l} ");
            }
            out.push_str("0\n");
        };
        clauses.iter().for_each(|c| write(&mut cnf, &mut c.iter().copied()));
        let mut drat = String::new();
        for clause in &proof {
            write(&mut drat, &mut clause.iter().map(|&l| number(l)));
        }
        for (&(a, _), d) in pairs.iter().zip(first..) {
            // As for any exclusive or: first where one side is 0, then at all.
            write(&mut drat, &mut [-d, number(a)].into_iter());
            write(&mut drat, &mut std::iter::once(-d));
        }
        drat.push_str("0\n");
        Self { cnf, drat, given: given.len() }
    }
}

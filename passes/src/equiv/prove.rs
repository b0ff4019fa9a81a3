//! The order in which a proof is tried.
//!
//! Where the first design has sums: what they add up, from the inputs; then the sums, by algebra; then, with summed bits
//! and sums taken as free inputs, what lies between them and above. Taken as free, most nodes that only seem equal are
//! told apart by simulation, and a question reaches down to the next sum instead of to the inputs. Then the same with
//! only what is summed free: logic may stand on the carries within a sum and not on its bits. What is still open, or has
//! no sums, is asked with all that it depends on, in rounds of growing budgets.

use std::ops::Range;

use super::blast::Blasted;
use super::graph::{Gate, Lit};
use super::sweep::Sweep;
use super::{Options, poly};

/// A proof on its way.
pub struct Prover<'a, 'g> {
    /// Both designs and the stepping stones.
    pub sweep: &'a mut Sweep<'g>,
    /// The outputs to be proved equal.
    pub pairs: &'a [(Lit, Lit)],
    /// The first design.
    pub first: &'a Blasted,
    /// Where each design's gates end, and its results: the first, the stones, the other.
    pub stones: &'a [(usize, Vec<Lit>)],
    /// Budgets.
    pub options: &'a Options,
    /// Pairs that algebra proved.
    pub trusted: Vec<(Lit, Lit)>,
}

impl Prover<'_, '_> {
    /// Proves what can be; gives the outputs that stay open. `words` are outputs that make a word.
    pub fn prove(&mut self, words: &[Range<usize>]) -> Vec<usize> {
        if self.differ() {
            return Vec::new();
        }
        let limit = self.options.inner.min(self.options.output);
        if !self.first.sums.is_empty() {
            self.sums(limit);
            self.sweep.prove(&self.first.lemmas, self.options.output);
            let sums: Vec<Vec<Lit>> = self.first.sums.iter().map(|s| s.bits.clone()).collect();
            self.sweep.free(&sums);
            if self.rounds(limit, words).is_empty() {
                return Vec::new();
            }
            // A stone computes its results of the sums; a cover may compute them of what the sums are made of.
            for (_, results) in &self.stones[1..self.stones.len() - 1] {
                let pairs: Vec<(Lit, Lit)> = self.stones[0].1.iter().copied().zip(results.iter().copied()).collect();
                self.sweep.outputs(&pairs, self.options.output);
            }
            self.sweep.uncut();
            self.first.sums.iter().flat_map(|s| &s.terms).for_each(|term| self.sweep.cut(term.0));
            self.sweep.free(&[]);
            if self.rounds(limit, words).is_empty() {
                return Vec::new();
            }
            self.sweep.bind();
        }
        // Each round may spend more on a question than the one before; most is settled in the first.
        let mut limit = limit;
        loop {
            let open = self.round(limit, words);
            if open.is_empty() || limit >= self.options.output || self.differ() {
                return open;
            }
            limit = limit.saturating_mul(10).min(self.options.output);
        }
    }

    /// Rounds as long as each finds something that the next one may stand on.
    fn rounds(&mut self, limit: u64, words: &[Range<usize>]) -> Vec<usize> {
        let mut before = usize::MAX;
        loop {
            let open = self.round(limit, words);
            if open.is_empty() || open.len() == before {
                return open;
            }
            before = open.len();
        }
    }

    fn differ(&self) -> bool {
        self.pairs.iter().any(|&(a, b)| self.sweep.patterns.difference(a, b).is_some())
    }

    /// What the sums add up, first; then the sums: in the stepping stones first, then in the other design.
    fn sums(&mut self, limit: u64) {
        let first = self.first;
        let terms = || first.sums.iter().flat_map(|s| s.terms.iter().map(|t| t.0));
        let below = self.sweep.g.cone(terms());
        self.sweep.run(limit, Some(&below));
        terms().for_each(|term| self.sweep.cut(term));
        // Carries that never come: what one chain leaves for the next along the same slices.
        let mut never = vec![false; self.sweep.g.len()];
        self.sweep.candidates(Lit::ZERO, |_| true).for_each(|lit| never[lit.node()] = true);
        self.sweep.run(limit, Some(&never));
        let ours = &self.stones[0].1;
        for sum in &first.sums {
            for pair in self.stones.windows(2) {
                let ((from, _), (to, theirs)) = (&pair[0], &pair[1]);
                // The same results, or what simulates alike.
                let result = |bit: &Lit| ours.iter().position(|l| l == bit).map(|i| theirs[i]);
                let alike = |bit: &Lit| match bit.as_const() {
                    Some(_) => Some(*bit),
                    None => self.sweep.candidates(*bit, |n| (*from..*to).contains(&n)).next(),
                };
                let found: Option<Vec<Lit>> = sum.bits.iter().map(result).collect();
                let found = found.or_else(|| sum.bits.iter().map(alike).collect());
                if found.is_some_and(|found| self.unite_sum(&sum.bits, &found, &sum.terms)) {
                    break;
                }
            }
        }
        self.sweep.reorder();
        let stones = self.stones.iter().flat_map(|s| s.1.iter());
        self.sweep.prune(stones.chain(first.lemmas.iter().flatten()).copied());
    }

    /// Sweeps, then asks about words, then about outputs; gives those that stay open.
    fn round(&mut self, limit: u64, words: &[Range<usize>]) -> Vec<usize> {
        self.sweep.run(limit, None);
        for word in words.iter().filter(|w| w.len() > 1) {
            let (ours, theirs): (Vec<Lit>, Vec<Lit>) = self.pairs[word.clone()].iter().copied().unzip();
            let terms: Vec<(Lit, u32)> = ours.iter().copied().zip(0..).collect();
            self.unite_sum(&ours, &theirs, &terms);
        }
        self.sweep.reorder();
        if self.differ() {
            return Vec::new();
        }
        self.sweep.outputs(self.pairs, limit)
    }

    /// Proves that a word is a sum, and then that it is the word `ours` that is defined as that sum.
    fn unite_sum(&mut self, ours: &[Lit], theirs: &[Lit], terms: &[(Lit, u32)]) -> bool {
        let sweep = &mut *self.sweep;
        if ours.len() > 63 || ours.iter().zip(theirs).all(|(&x, &y)| sweep.resolve(x) == sweep.resolve(y)) {
            return true;
        }
        let plus: Vec<(Lit, u32)> = theirs.iter().map(|&l| sweep.resolve(l)).zip(0..).collect();
        let minus: Vec<(Lit, u32)> = terms.iter().map(|&(l, power)| (sweep.resolve(l), power)).collect();
        let cone = |of: &[(Lit, u32)]| sweep.reach(of.iter().map(|t| t.0));
        let (upper, lower) = (cone(&plus), cone(&minus));
        let shared: Vec<bool> =
            (0..sweep.g.len()).map(|n| upper[n] && lower[n] || matches!(sweep.g.gate(n), Gate::Input(_))).collect();
        let proved = poly::equal_sums(&plus, &minus, ours.len() as u32, &shared, &|n| sweep.gate(n));
        if proved {
            sweep.effort.sums += 1;
            for (&x, &y) in ours.iter().zip(theirs) {
                self.trusted.push((x, y));
                self.sweep.unite(x, y);
            }
        }
        proved
    }
}

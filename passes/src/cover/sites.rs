//! A cover with its sites: the cut of each node that is used, and who shares a site with whom.

use super::cut::{Cut, Lit};
use super::net::Net;
use crate::pairing::SITE_INPUTS;

/// No partner.
pub const ALONE: u32 = u32::MAX;

/// A function of two inputs finds another to share a site with, wherever that is.
const SMALL: f64 = 0.5;

/// Of equally many sites, the fewest functions.
const FUNCTION: f64 = 1.0 / 1024.0;

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Sites {
    /// By node; of no meaning where it is not used.
    pub cuts: Vec<Cut>,
    /// Uses of a node as a root or as a leaf of a used node's cut.
    pub uses: Vec<u32>,
    /// By node, or [`ALONE`].
    pub mates: Vec<u32>,
    /// By node, whether its LUT gives the complement.
    pub inverted: Vec<bool>,
}

/// What a part of a cover is to become.
#[derive(Debug, Default)]
pub struct Change {
    pub cuts: Vec<(u32, Cut)>,
    /// Nodes that leave their partners.
    pub parted: Vec<u32>,
    pub joined: Vec<[u32; 2]>,
}

/// Cost of a function that shares its site with none; with `pairs`, where it could.
pub fn alone(cut: &Cut, pairs: bool) -> f64 {
    match cut.size() {
        0 | 1 => 0.0,
        2 if pairs => SMALL + FUNCTION,
        _ => 1.0 + FUNCTION,
    }
}

/// Cost of two functions in one site.
pub const TOGETHER: f64 = 1.0 + 2.0 * FUNCTION;

/// How two functions share a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Of at most five inputs together.
    Small,
    /// The larger, of six, is the smaller (or its complement, if `flip`) where `leaf` has the value `at`.
    Half { leaf: u32, at: bool, flip: bool },
}

/// How two cuts fit into one site: all ways.
pub fn fits(first: &Cut, second: &Cut) -> impl Iterator<Item = Fit> + use<> {
    let (large, small) = if first.size() > second.size() { (*first, *second) } else { (*second, *first) };
    let together = large.size() <= SITE_INPUTS && large.union(&small, SITE_INPUTS).is_some();
    let half = large.size() > SITE_INPUTS && small.size() <= SITE_INPUTS && small.is_within(&large);
    let wanted = if half { large.stretch(&small) } else { 0 };
    let halves = (0..large.size()).filter(move |_| half).flat_map(move |j| {
        [false, true].into_iter().filter_map(move |at| {
            let part = blc_ir::table::cofactor(large.table, j, at);
            let flip = part == !wanted;
            (flip || part == wanted).then_some(Fit::Half { leaf: large.leaves()[j], at, flip })
        })
    });
    together.then_some(Fit::Small).into_iter().chain(halves)
}

impl Sites {
    /// Sites, and a little for each function.
    pub fn cost(&self, net: &Net, pairs: bool) -> f64 {
        let used = (0..net.node_count()).filter(|&n| self.uses[n] > 0 && !net.is_leaf(n as u32));
        let cost = |n: usize| if self.mates[n] == ALONE { alone(&self.cuts[n], pairs) } else { TOGETHER / 2.0 };
        used.map(cost).sum()
    }

    /// The cover with a part changed. `fixed` says by node whether its polarity must stay.
    pub fn with(&self, change: &Change, net: &Net, roots: &[u32], fixed: &[bool]) -> Self {
        let mut new = self.clone();
        change.cuts.iter().for_each(|&(node, cut)| new.cuts[node as usize] = cut);
        change.parted.iter().for_each(|&node| new.part(node));
        for &[a, b] in &change.joined {
            new.part(a);
            new.part(b);
            new.mates[a as usize] = b;
            new.mates[b as usize] = a;
        }
        new.count(net, roots);
        new.settle(net, fixed);
        new
    }

    fn part(&mut self, node: u32) {
        let mate = std::mem::replace(&mut self.mates[node as usize], ALONE);
        if mate != ALONE {
            self.mates[mate as usize] = ALONE;
        }
    }

    fn count(&mut self, net: &Net, roots: &[u32]) {
        self.uses.fill(0);
        roots.iter().for_each(|&root| self.uses[root as usize] += 1);
        for node in (0..net.node_count()).rev() {
            if self.uses[node] == 0 {
                self.part(node as u32);
            } else if !net.is_leaf(node as u32) {
                let cut = self.cuts[node];
                cut.leaves().iter().for_each(|&leaf| self.uses[leaf as usize] += 1);
            }
        }
    }

    /// Gives nodes the polarities that their halves of sites want; two whose wants contradict others part.
    fn settle(&mut self, net: &Net, fixed: &[bool]) {
        let mut ties = Ties::new(net.node_count());
        for node in (1..net.node_count() as u32).filter(|&n| fixed[n as usize] || net.is_leaf(n)) {
            let inverted = self.inverted[node as usize] && !net.is_leaf(node);
            ties.tie(Lit::FALSE, Lit::new(node, inverted));
        }
        for node in 0..net.node_count() as u32 {
            let mate = self.mates[node as usize];
            if mate == ALONE || mate < node {
                continue;
            }
            let [a, b] = [node, mate].map(|n| self.cuts[n as usize]);
            let able = fits(&a, &b).any(|fit| match fit {
                Fit::Small => true,
                Fit::Half { leaf, at, flip } => {
                    ties.allow(Lit::FALSE, Lit::new(leaf, at))
                        && ties.allow(Lit::new(node, false), Lit::new(mate, flip))
                        && ties.tie(Lit::FALSE, Lit::new(leaf, at))
                        && ties.tie(Lit::new(node, false), Lit::new(mate, flip))
                }
            });
            if !able {
                self.part(node);
            }
        }
        for node in 0..net.node_count() as u32 {
            // What is tied to nothing stays as it was.
            if let Some(inverted) = ties.known(node) {
                self.inverted[node as usize] = inverted;
            } else {
                let top = ties.top(node);
                self.inverted[node as usize] = self.inverted[top.node() as usize] ^ top.complement();
            }
        }
    }
}

/// Which nodes have equal polarity, which opposite.
struct Ties(Vec<Lit>);

impl Ties {
    fn new(nodes: usize) -> Self {
        Self((0..nodes as u32).map(|n| Lit::new(n, false)).collect())
    }

    /// What a node's polarity is that of, or the opposite of.
    fn top(&mut self, node: u32) -> Lit {
        let mut lit = self.0[node as usize];
        while self.0[lit.node() as usize].node() != lit.node() {
            lit = self.0[lit.node() as usize].flip(lit.complement());
        }
        self.0[node as usize] = lit;
        lit
    }

    /// The polarity, where it is tied to the constant.
    fn known(&mut self, node: u32) -> Option<bool> {
        let top = self.top(node);
        (top.node() == Lit::FALSE.node()).then_some(top.complement())
    }

    fn tops(&mut self, a: Lit, b: Lit) -> (Lit, Lit) {
        (self.top(a.node()).flip(a.complement()), self.top(b.node()).flip(b.complement()))
    }

    /// Whether two may have the same polarity.
    fn allow(&mut self, a: Lit, b: Lit) -> bool {
        let (a, b) = self.tops(a, b);
        a.node() != b.node() || a == b
    }

    /// Gives two the same polarity, if they may have it.
    fn tie(&mut self, a: Lit, b: Lit) -> bool {
        let (a, b) = self.tops(a, b);
        let (low, high) = if a.node() < b.node() { (a, b) } else { (b, a) };
        if low.node() != high.node() {
            self.0[high.node() as usize] = low.flip(high.complement());
        }
        low == high || low.node() != high.node()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_that_contradict_others_are_refused() {
        let mut ties = Ties::new(5);
        let lit = |node, complement| Lit::new(node, complement);
        assert!(ties.tie(lit(1, false), lit(2, true)) && ties.tie(lit(3, false), lit(2, false)));
        assert!(!ties.allow(lit(1, false), lit(3, false)) && ties.allow(lit(1, true), lit(3, false)));
        assert_eq!(ties.known(1), None);
        assert!(ties.tie(Lit::FALSE, lit(3, true)));
        assert_eq!([1, 2, 3, 4].map(|n| ties.known(n)), [Some(false), Some(true), Some(true), None]);
        assert!(!ties.tie(Lit::FALSE, lit(2, false)));
    }

    #[test]
    fn a_half_where_an_input_is_1_and_its_complement() {
        let table = 0x1ee7_8d2c_96a5_3b47u64;
        let inputs: Vec<Lit> = (1..7).map(|n| Lit::new(n, false)).collect();
        let large = Cut::canonical(table, &inputs);
        let small = Cut::canonical(blc_ir::table::widen(!(table >> 32) & 0xffff_ffff, 5), &inputs[..5]);
        let half = Fit::Half { leaf: 6, at: true, flip: true };
        assert_eq!(fits(&small, &large).collect::<Vec<_>>(), [half]);
        let pair = Cut::canonical(0x8, &[Lit::new(1, false), Lit::new(9, false)]);
        assert_eq!(fits(&pair, &Cut::trivial(3)).collect::<Vec<_>>(), [Fit::Small]);
        assert_eq!(fits(&pair, &large).count(), 0);
    }
}

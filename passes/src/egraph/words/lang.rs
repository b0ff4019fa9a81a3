//! Words as e-nodes: sums in one canonical form, comparisons, choices, the largest of words.
//!
//! A class is a number that depends on the design's inputs, whatever the width it is written in. Bits are numbers, too, so
//! that a complement is `1 - x` and counts of complements are sums like others. The one constructor [`Graph::sum`] gives the
//! affine form over what is no sum itself, without repeated operands, and without a modulus where the sum stays below it.

use egg::{DidMerge, EGraph, Id, Language};
use smallvec::SmallVec;

use super::form::Form;
use crate::rng::Rng;

/// Most bits of a word that is looked at.
pub const WIDTH: u8 = 32;

/// Values that each class is checked with.
const SAMPLES: usize = 8;

/// Most sums inside of each other that are looked through.
const DEPTH: usize = 16;

/// Most terms of all sums together of which sums inside are looked through.
const TERMS: usize = 1 << 20;

/// The numbers of a sum: a constant and a weight for each child, modulo two to a width, if there is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weights {
    pub modulus: Option<u8>,
    pub constant: i64,
    pub of: SmallVec<[i64; 8]>,
}

/// A word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// From outside.
    Atom(u32),
    Sum(Weights, SmallVec<[Id; 8]>),
    /// 1 where the first is greater.
    Gt([Id; 2]),
    /// The lowest index of a largest.
    Argmax(SmallVec<[Id; 8]>),
    /// The third where the first is 1, otherwise the second.
    Mux([Id; 3]),
}

impl Language for Node {
    type Discriminant = (u8, u32, usize);

    fn discriminant(&self) -> Self::Discriminant {
        let kind = match self {
            Self::Atom(i) => return (0, *i, 0),
            Self::Sum(..) => 1,
            Self::Gt(_) => 2,
            Self::Argmax(_) => 3,
            Self::Mux(_) => 4,
        };
        (kind, 0, self.children().len())
    }

    fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sum(a, _), Self::Sum(b, _)) => a == b,
            _ => self.discriminant() == other.discriminant(),
        }
    }

    fn children(&self) -> &[Id] {
        match self {
            Self::Atom(_) => &[],
            Self::Sum(_, ids) | Self::Argmax(ids) => ids,
            Self::Gt(ids) => ids,
            Self::Mux(ids) => ids,
        }
    }

    fn children_mut(&mut self) -> &mut [Id] {
        match self {
            Self::Atom(_) => &mut [],
            Self::Sum(_, ids) | Self::Argmax(ids) => ids,
            Self::Gt(ids) => ids,
            Self::Mux(ids) => ids,
        }
    }
}

impl Node {
    /// A sum's form.
    pub fn form(&self) -> Option<Form> {
        let Self::Sum(weights, ids) = self else { return None };
        let terms = ids.iter().copied().zip(weights.of.iter().map(|&w| i128::from(w))).collect();
        Some(Form { constant: weights.constant.into(), terms })
    }

    /// What a sum is taken modulo.
    pub fn modulus(&self) -> Option<u8> {
        if let Self::Sum(weights, _) = self { weights.modulus } else { None }
    }
}

/// What is known of a class: the least and the greatest it can be, and its value for each sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub min: u64,
    pub max: u64,
    samples: [u64; SAMPLES],
}

/// The greatest value of each atom, all ones.
#[derive(Clone, Debug, Default)]
pub struct Atoms {
    max: Vec<u64>,
}

impl egg::Analysis<Node> for Atoms {
    type Data = Known;

    fn make(egraph: &mut EGraph<Node, Self>, node: &Node, _: Id) -> Known {
        let of = |id: &Id| &egraph[*id].data;
        let each = |value: &dyn Fn(usize) -> u64| std::array::from_fn(value);
        match node {
            Node::Atom(i) => {
                let max = egraph.analysis.max[*i as usize];
                let mut rng = Rng::new(u64::from(*i) + 1);
                let samples = std::array::from_fn(|s| match s {
                    0 => 0,
                    1 => max,
                    _ => rng.next() & max,
                });
                Known { min: 0, max, samples }
            }
            Node::Sum(weights, ids) => {
                let (mut low, mut high) = (i128::from(weights.constant), i128::from(weights.constant));
                for (&weight, id) in weights.of.iter().zip(ids) {
                    let (a, b) =
                        (i128::from(weight) * i128::from(of(id).min), i128::from(weight) * i128::from(of(id).max));
                    low += a.min(b);
                    high += a.max(b);
                }
                let sum = |s: usize| {
                    let terms = weights.of.iter().zip(ids).map(|(&w, id)| w.wrapping_mul(of(id).samples[s] as i64));
                    terms.fold(weights.constant, i64::wrapping_add) as u64
                };
                match weights.modulus {
                    // What is known of the parts apart may allow less than nothing.
                    None => Known { min: low.max(0) as u64, max: high as u64, samples: each(&sum) },
                    Some(width) => {
                        let mask = (1u64 << width) - 1;
                        Known { min: 0, max: mask, samples: each(&|s| sum(s) & mask) }
                    }
                }
            }
            Node::Gt([a, b]) => {
                let (a, b) = (of(a), of(b));
                Known {
                    min: (a.min > b.max).into(),
                    max: (a.max > b.min).into(),
                    samples: each(&|s| (a.samples[s] > b.samples[s]).into()),
                }
            }
            Node::Argmax(ids) => {
                let largest = |s: usize| {
                    let values = ids.iter().map(|id| of(id).samples[s]);
                    values.clone().max().and_then(|max| values.clone().position(|v| v == max)).unwrap_or(0) as u64
                };
                Known { min: 0, max: ids.len() as u64 - 1, samples: each(&largest) }
            }
            Node::Mux([s, a, b]) => {
                let (s, a, b) = (of(s), of(a), of(b));
                Known {
                    min: a.min.min(b.min),
                    max: a.max.max(b.max),
                    samples: each(&|i| if s.samples[i] == 1 { b.samples[i] } else { a.samples[i] }),
                }
            }
        }
    }

    fn merge(&mut self, a: &mut Known, b: Known) -> DidMerge {
        assert_eq!(a.samples, b.samples, "an e-graph united words that differ");
        let both = Known { min: a.min.max(b.min), max: a.max.min(b.max), ..*a };
        assert!(both.min <= both.max, "an e-graph united words of different ranges");
        let merged = DidMerge(both != *a, both != b);
        *a = both;
        merged
    }
}

/// An e-graph of words.
#[derive(Default)]
pub struct Graph {
    pub egg: EGraph<Node, Atoms>,
    /// Of sums made so far.
    terms: usize,
}

impl Graph {
    /// A word from outside of so many bits.
    pub fn atom(&mut self, bits: u8) -> Id {
        let atoms = &mut self.egg.analysis.max;
        atoms.push(if bits < 64 { (1 << bits) - 1 } else { u64::MAX });
        let number = atoms.len() as u32 - 1;
        self.egg.add(Node::Atom(number))
    }

    /// Number of e-nodes.
    pub fn size(&self) -> usize {
        self.egg.total_size()
    }

    /// What is known of a class.
    pub fn known(&self, id: Id) -> &Known {
        &self.egg[id].data
    }

    /// Bits needed to write a class.
    pub fn width(&self, id: Id) -> u8 {
        blc_ir::types::bits_for(self.known(id).max)
    }

    /// The least and the greatest that a form can be.
    pub fn range(&self, form: &Form) -> (i128, i128) {
        let (mut low, mut high) = (form.constant, form.constant);
        for &(id, weight) in &form.terms {
            let known = self.known(id);
            let (a, b) = (weight * i128::from(known.min), weight * i128::from(known.max));
            low += a.min(b);
            high += a.max(b);
        }
        (low, high)
    }

    /// A number.
    pub fn number(&mut self, value: u64) -> Id {
        self.add(&Form::number(value.into()), WIDTH)
    }

    /// The sum that a form is, modulo two to a width: over what is no sum itself.
    pub fn sum(&mut self, form: Form, width: u8) -> Id {
        let flat = if self.terms < TERMS { self.flatten(form, Some(width)) } else { form };
        self.terms += flat.terms.len();
        self.add(&flat, width)
    }

    /// The same with another e-node for it, of the form as it is; that too, unless it is one class alone.
    pub fn sum_of_sums(&mut self, form: Form, width: u8) -> (Id, Option<Node>) {
        let mut form = form;
        form.terms.iter_mut().for_each(|(id, _)| *id = self.egg.find(*id));
        form.tidy();
        let flat = self.sum(form.clone(), width);
        let node = self.node(&form, width).ok();
        if let Some(node) = node.clone() {
            let whole = self.egg.add(node);
            self.egg.union(flat, whole);
        }
        (self.egg.find(flat), node)
    }

    fn add(&mut self, form: &Form, width: u8) -> Id {
        match self.node(form, width) {
            Ok(node) => self.egg.add(node),
            Err(id) => id,
        }
    }

    /// The e-node of a form, or the class that it is.
    fn node(&self, form: &Form, width: u8) -> Result<Node, Id> {
        let (form, modulus) = self.settle(form, width);
        match form.terms.as_slice() {
            [(id, 1)] if form.constant == 0 && modulus.is_none() => Err(*id),
            _ => {
                let of = form.terms.iter().map(|&(_, w)| w as i64).collect();
                let ids = form.terms.iter().map(|&(id, _)| id).collect();
                Ok(Node::Sum(Weights { modulus, constant: form.constant as i64, of }, ids))
            }
        }
    }

    /// The form without a modulus, if it stays below; otherwise with weights reduced.
    fn settle(&self, form: &Form, width: u8) -> (Form, Option<u8>) {
        let modulus = 1i128 << width;
        let reduced = |most: i128| {
            let weight = |w: i128| if w > most { w - modulus } else { w };
            let terms = form.terms.iter().map(|&(id, w)| (id, weight(w.rem_euclid(modulus))));
            let terms = terms.filter(|&(_, w)| w != 0).collect();
            let mut reduced = Form { constant: 0, terms };
            let (low, _) = self.range(&reduced);
            // Of the constants that are equal the one with which nothing is below 0.
            reduced.constant = (form.constant + low).rem_euclid(modulus) - low;
            reduced
        };
        // As it is, without weights below 0, or with weights as small as can be.
        let ways = [form.clone(), reduced(modulus - 1), reduced(modulus / 2)];
        let fits = |form: &&Form| {
            let (low, high) = self.range(form);
            low >= 0 && high < modulus
        };
        match ways.iter().find(fits) {
            Some(form) => (form.clone(), None),
            None => {
                let mut form = reduced(modulus - 1);
                form.constant = form.constant.rem_euclid(modulus);
                (form, Some(width))
            }
        }
    }

    /// The form with sums replaced by what they are sums of; exactly, or modulo two to a width.
    fn flatten(&self, form: Form, width: Option<u8>) -> Form {
        let mut form = form;
        for _ in 0..DEPTH {
            let mut flat = Form::number(form.constant);
            let mut found = false;
            for &(id, weight) in &form.terms {
                let id = self.egg.find(id);
                // A modulus does not matter where all multiples of it are multiples of ours.
                let open = |node: &&Node| {
                    let zero = |m: u8| width.is_some_and(|width| (weight << m).rem_euclid(1 << width) == 0);
                    matches!(node, Node::Sum(..)) && node.modulus().is_none_or(zero)
                };
                match self.flattest(id, open) {
                    Some(inner) => {
                        flat.add(&inner, weight);
                        found = true;
                    }
                    None => flat.terms.push((id, weight)),
                }
            }
            flat.tidy();
            form = flat;
            if !found {
                break;
            }
        }
        form
    }

    /// The form of a class over the fewest sums.
    fn flattest(&self, id: Id, open: impl Fn(&&Node) -> bool) -> Option<Form> {
        let is_sum = |id: &Id| self.egg[*id].nodes.iter().any(|n| matches!(n, Node::Sum(..)));
        let sums = self.egg[id].nodes.iter().filter(open);
        sums.min_by_key(|n| n.children().iter().filter(|id| is_sum(id)).count())?.form()
    }

    /// A class as a form of what is no sum without a modulus.
    pub fn flat(&self, id: Id) -> Form {
        self.flatten(Form::of(id), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(graph: &mut Graph, n: usize) -> Vec<Id> {
        (0..n).map(|_| graph.atom(1)).collect()
    }

    fn form(constant: i128, terms: &[(Id, i128)]) -> Form {
        Form { constant, terms: terms.to_vec() }
    }

    #[test]
    fn equal_sums_are_one_class() {
        let mut graph = Graph::default();
        let x = bits(&mut graph, 3);
        let sum = graph.sum(form(0, &[(x[0], 1), (x[1], 1), (x[0], 1)]), 4);
        let twice = graph.sum(form(0, &[(x[1], 1), (x[0], 2)]), 3);
        assert_eq!(sum, twice);
        // A bit and its complement are 1; complements are counted by what they are complements of.
        let one = graph.sum(form(1, &[(x[0], 1), (x[0], -1)]), 4);
        assert_eq!(one, graph.number(1));
        let complements = graph.sum(form(2, &[(x[0], -1), (x[1], -1)]), 4);
        let less = graph.sum(form(-2, &[(x[0], -1), (x[1], -1), (x[2], 4)]), 2);
        assert_eq!(graph.known(complements).max, 2);
        assert_eq!(complements, less);
        // Of a sum of sums, what they are sums of; beyond a modulus only where it does not matter.
        let whole = graph.sum(form(0, &[(sum, 1), (x[2], 1)]), 4);
        assert_eq!(whole, graph.sum(form(0, &[(x[0], 2), (x[1], 1), (x[2], 1)]), 5));
        let wrapped = graph.sum(form(0, &[(x[0], 3), (x[1], 3)]), 2);
        let again = graph.sum(form(0, &[(wrapped, 1), (x[2], 1)]), 2);
        assert_eq!(again, graph.sum(form(0, &[(x[0], 3), (x[1], 3), (x[2], 1)]), 2));
        let longer = graph.sum(form(0, &[(wrapped, 1), (x[2], 1)]), 3);
        assert_eq!(graph.flat(longer), form(0, &[(x[2], 1), (wrapped, 1)]));
    }

    #[test]
    #[should_panic(expected = "united words that differ")]
    fn a_wrong_union_is_caught() {
        let mut graph = Graph::default();
        let x = bits(&mut graph, 2);
        let two = graph.sum(form(0, &[(x[0], 1), (x[1], 1)]), 2);
        let shifted = graph.sum(form(0, &[(x[0], 2)]), 2);
        graph.egg.union(two, shifted);
        graph.egg.rebuild();
    }
}

//! Sums proved by algebra: two networks of counters and adders that share no inner signal still are the same polynomial.
//!
//! A gate is a polynomial of its inputs over the integers (`ab` for an and, `a + b - 2ab` for an exclusive or), a bit is
//! 0 or 1, so `a^2 = a`, and a word is the sum of its bits times powers of two. Two words of `w` bits are equal on every
//! input if their difference, gates substituted from the outputs down, becomes 0 modulo `2^w`: the polynomial without
//! squares of a function of bits is unique. Substituting in reverse topological order lets the products inside one
//! counter cancel before the next is reached, so that the difference stays near linear in size for heaps of counters.
//! (Backward rewriting as in the algebraic verification of multipliers: Kaufmann, Biere, Kauers, FMCAD 2019.)

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::graph::{Gate, Lit};

/// Most terms of a difference, and most terms made on the way.
const MAX_TERMS: usize = 1 << 16;
const MAX_STEPS: usize = 1 << 23;

/// Nodes of a product, the one to be substituted first in front.
type Product = SmallVec<[u32; 6]>;

/// A polynomial modulo a power of two.
struct Poly<'a> {
    terms: BTreeMap<Product, u64>,
    mask: u64,
    /// Where a node stands among those to be substituted; a node of `stay` stays.
    stay: &'a [bool],
    nodes: u32,
    steps: usize,
}

impl Poly<'_> {
    /// The name of a node in products: those that stay come last.
    fn name(&self, node: usize) -> u32 {
        node as u32 + if self.stay[node] { 0 } else { self.nodes }
    }

    fn add(&mut self, product: Product, factor: u64) {
        let factor = factor & self.mask;
        if factor == 0 {
            return;
        }
        self.steps += 1;
        let slot = self.terms.entry(product).or_insert(0);
        *slot = slot.wrapping_add(factor) & self.mask;
    }

    /// Adds `factor * rest * a * b …` for literals.
    fn add_literals(&mut self, rest: &Product, literals: &[Lit], factor: u64) {
        let [literal, others @ ..] = literals else {
            let mut product = rest.clone();
            product.sort_unstable_by(|a, b| b.cmp(a));
            product.dedup();
            return self.add(product, factor);
        };
        // 1 - x where inverted; the constant node is 0.
        let sign = if literal.inverted() {
            self.add_literals(rest, others, factor);
            factor.wrapping_neg()
        } else {
            factor
        };
        if literal.node() != 0 {
            let mut product = rest.clone();
            product.push(self.name(literal.node()));
            self.add_literals(&product, others, sign);
        }
    }

    /// Substitutes every gate that does not stay. Whether it could within the bounds.
    fn reduce(&mut self, gates: &dyn Fn(u32) -> Gate) -> bool {
        while let Some((product, factor)) = self.terms.pop_last() {
            if factor == 0 {
                continue;
            }
            let Some(&name) = product.first().filter(|&&name| name >= self.nodes) else {
                self.terms.insert(product, factor);
                return true;
            };
            let rest = Product::from_slice(&product[1..]);
            match gates(name - self.nodes) {
                Gate::And(a, b) => self.add_literals(&rest, &[a, b], factor),
                Gate::Xor(a, b) => {
                    self.add_literals(&rest, &[a], factor);
                    self.add_literals(&rest, &[b], factor);
                    self.add_literals(&rest, &[a, b], factor.wrapping_mul(2).wrapping_neg());
                }
                Gate::Zero => {}
                Gate::Input(_) => return false,
            }
            if self.terms.len() > MAX_TERMS || self.steps > MAX_STEPS {
                return false;
            }
        }
        true
    }
}

/// Whether the sum of `plus` is that of `minus` modulo `2^width` (at most 63), on all inputs: literals times powers of two.
/// `gates` are those of all nodes; the nodes of `stay` are taken as free variables first. `false` says nothing.
pub fn equal_sums(
    plus: &[(Lit, u32)],
    minus: &[(Lit, u32)],
    width: u32,
    stay: &[bool],
    gates: &dyn Fn(u32) -> Gate,
) -> bool {
    let mask = (1u64 << width.min(63)) - 1;
    let nodes = stay.len() as u32;
    let mut poly = Poly { terms: BTreeMap::new(), mask, stay, nodes, steps: 0 };
    for (side, sign) in [(plus, 1u64), (minus, 1u64.wrapping_neg())] {
        for &(literal, power) in side {
            poly.add_literals(&Product::new(), &[literal], sign.wrapping_shl(power));
        }
    }
    if !poly.reduce(gates) {
        return false;
    }
    poly.terms.retain(|_, factor| *factor != 0);
    if poly.terms.is_empty() {
        return true;
    }
    // What stayed may depend on one another: down to the inputs.
    let inputs: Vec<bool> = (0..nodes).map(|n| matches!(gates(n), Gate::Input(_))).collect();
    let mut deeper = Poly { terms: BTreeMap::new(), mask, stay: &inputs, nodes, steps: 0 };
    for (product, factor) in std::mem::take(&mut poly.terms) {
        let literals: Vec<Lit> = product.iter().map(|&n| Lit::new(n as usize)).collect();
        deeper.add_literals(&Product::new(), &literals, factor);
    }
    let reduced = deeper.reduce(gates);
    reduced && deeper.terms.values().all(|&factor| factor == 0)
}

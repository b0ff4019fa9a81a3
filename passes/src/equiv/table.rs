//! Truth tables as gates.
//!
//! Inputs that are constant, repeated or inverted copies of one another are folded into the table first and the rest are
//! sorted, so that the same function of the same literals becomes the same node whatever the table looked like.

use super::graph::{Graph, Lit};

/// A table of `inputs.len() <= 16` inputs, 64 addresses a word, as a literal.
pub fn lut(g: &mut Graph, table: &[u64], inputs: &[Lit]) -> Lit {
    // Sorted plain nodes, and for each old input its position among them and whether it is inverted.
    let mut nodes: Vec<usize> = inputs.iter().map(|l| l.node()).filter(|&n| n != 0).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let place = |l: &Lit| (nodes.iter().position(|&n| n == l.node()), l.inverted());
    let places: Vec<_> = inputs.iter().map(place).collect();
    let bit = |a: usize| table[a / 64] >> (a % 64) & 1 == 1;
    let mut bits = Vec::with_capacity(1 << nodes.len());
    for address in 0..1usize << nodes.len() {
        let old = places.iter().enumerate().fold(0, |a, (j, &(at, inverted))| {
            let x = at.is_some_and(|at| address >> at & 1 == 1) ^ inverted;
            a | usize::from(x) << j
        });
        bits.push(bit(old));
    }
    split(g, &bits, &nodes)
}

/// The function of the nodes, the last node split off: as an and, or or xor with the rest where it is one.
fn split(g: &mut Graph, bits: &[bool], nodes: &[usize]) -> Lit {
    if bits.iter().all(|&b| b == bits[0]) {
        return Lit::constant(bits[0]);
    }
    let [rest @ .., top] = nodes else { return Lit::constant(bits[0]) };
    let (low, high) = bits.split_at(bits.len() / 2);
    let x = Lit::new(*top);
    if low == high {
        return split(g, low, rest);
    }
    if low.iter().zip(high).all(|(a, b)| a != b) {
        let low = split(g, low, rest);
        return g.xor(x, low);
    }
    let (a, b) = (split(g, low, rest), split(g, high, rest));
    g.mux(x, a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::equiv::graph::Gate;

    fn eval(g: &Graph, lit: Lit, inputs: usize) -> bool {
        let value = match g.gate(lit.node()) {
            Gate::Zero => false,
            Gate::Input(i) => inputs >> i & 1 == 1,
            Gate::And(a, b) => eval(g, a, inputs) & eval(g, b, inputs),
            Gate::Xor(a, b) => eval(g, a, inputs) ^ eval(g, b, inputs),
        };
        value ^ lit.inverted()
    }

    #[test]
    fn tables_keep_their_function() {
        let mut rng = crate::rng::Rng::new(5);
        for round in 0..200 {
            let mut g = Graph::default();
            let x: Vec<Lit> = (0..4).map(|_| g.input()).collect();
            let some = [x[0], x[1], !x[1], x[2], !x[3], x[0], Lit::ONE, Lit::ZERO];
            let k = 1 + round % 8;
            let inputs: Vec<Lit> = (0..k).map(|_| some[rng.next() as usize % some.len()]).collect();
            let table: Vec<u64> = (0..4).map(|_| rng.next()).collect();
            let lit = lut(&mut g, &table, &inputs);
            for a in 0..16 {
                let address = inputs.iter().enumerate().fold(0, |n, (j, &l)| n | usize::from(eval(&g, l, a)) << j);
                assert_eq!(eval(&g, lit, a), table[address / 64] >> (address % 64) & 1 == 1);
            }
        }
    }

    #[test]
    fn the_same_function_is_the_same_node() {
        let mut g = Graph::default();
        let (a, b) = (g.input(), g.input());
        let and = lut(&mut g, &[0x8], &[a, b]);
        assert_eq!(lut(&mut g, &[0x8], &[b, a]), and);
        assert_eq!(lut(&mut g, &[0x2], &[a, !b]), and);
        assert_eq!(lut(&mut g, &[0x80], &[a, Lit::ONE, b]), and);
    }
}

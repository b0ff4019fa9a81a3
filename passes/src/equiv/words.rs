//! Words of literals, lowest bit first: sums, comparisons, the largest of many. Independent of the passes that lower the
//! same ops, so that a mistake there is not made here too.

use super::graph::{Graph, Lit};

/// `a + b + c` as sum and carry.
fn full_adder(g: &mut Graph, a: Lit, b: Lit, c: Lit) -> (Lit, Lit) {
    let x = g.xor(a, b);
    let sum = g.xor(x, c);
    let (both, one) = (g.and(a, b), g.and(x, c));
    (sum, g.or(both, one))
}

/// The sum of words in `width` bits: columns of bits, three of a column at a time.
pub fn sum(g: &mut Graph, words: &[&[Lit]], width: usize) -> Vec<Lit> {
    let mut columns: Vec<Vec<Lit>> = vec![Vec::new(); width + 1];
    for word in words {
        for (column, &bit) in columns.iter_mut().zip(word.iter().take(width)) {
            column.push(bit);
        }
    }
    let mut bits = Vec::with_capacity(width);
    for c in 0..width {
        let mut column = std::mem::take(&mut columns[c]);
        let mut next = 0;
        while column.len() - next > 1 {
            let third = column.get(next + 2).copied();
            let (sum, carry) = full_adder(g, column[next], column[next + 1], third.unwrap_or(Lit::ZERO));
            next += 2 + usize::from(third.is_some());
            column.push(sum);
            columns[c + 1].push(carry);
        }
        bits.push(column.get(next).copied().unwrap_or(Lit::ZERO));
    }
    bits
}

/// `a > b`
pub fn greater(g: &mut Graph, a: &[Lit], b: &[Lit]) -> Lit {
    let mut so_far = Lit::ZERO;
    for i in 0..a.len().max(b.len()) {
        let bit = |word: &[Lit]| word.get(i).copied().unwrap_or(Lit::ZERO);
        let (x, y) = (bit(a), bit(b));
        let different = g.xor(x, y);
        so_far = g.mux(different, so_far, x);
    }
    so_far
}

/// `a > bound`
pub fn greater_const(g: &mut Graph, a: &[Lit], bound: u64) -> Lit {
    if a.len() < 64 && bound >> a.len() != 0 {
        return Lit::ZERO;
    }
    let b: Vec<Lit> = (0..a.len()).map(|i| Lit::constant(bound >> i & 1 == 1)).collect();
    greater(g, a, &b)
}

/// `s ? b : a`, the shorter extended by zeros.
pub fn choose(g: &mut Graph, s: Lit, a: &[Lit], b: &[Lit]) -> Vec<Lit> {
    let bit = |word: &[Lit], i: usize| word.get(i).copied().unwrap_or(Lit::ZERO);
    (0..a.len().max(b.len())).map(|i| g.mux(s, bit(a, i), bit(b, i))).collect()
}

/// The lowest index of a largest word, in `width` bits: a balanced tree, whose left half is a power of two.
pub fn argmax(g: &mut Graph, words: &[Vec<Lit>], width: usize) -> Vec<Lit> {
    let (_, mut index) = tree(g, words);
    index.resize(width, Lit::ZERO);
    index
}

fn tree(g: &mut Graph, words: &[Vec<Lit>]) -> (Vec<Lit>, Vec<Lit>) {
    match words {
        [] => (Vec::new(), Vec::new()),
        [one] => (one.clone(), Vec::new()),
        _ => {
            let half = words.len().next_power_of_two() / 2;
            let (a, low) = tree(g, &words[..half]);
            let (b, high) = tree(g, &words[half..]);
            let right = greater(g, &b, &a);
            let mut low = low;
            low.resize(half.trailing_zeros() as usize, Lit::ZERO);
            let mut index = choose(g, right, &low, &high);
            index.push(right);
            (choose(g, right, &a, &b), index)
        }
    }
}

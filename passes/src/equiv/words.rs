//! Words of literals, lowest bit first: sums, comparisons, the largest of many. Independent of the passes that lower the
//! same ops, so that a mistake there is not made here too.

use std::ops::Range;

use super::cone::Clause;
use super::graph::{Graph, Lit};

/// Most words of which lemmas are made: they take a comparison for each pair.
const CONTEST: usize = 32;

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

/// The lowest index of a largest word, in `width` bits: a balanced tree, whose left half is a power of two. `lemmas` gets
/// what holds of it, see [`Contest`].
pub fn argmax(g: &mut Graph, words: &[Vec<Lit>], width: usize, lemmas: &mut Vec<Clause>) -> Vec<Lit> {
    let mut contest = Contest { g, words, lemmas };
    let top = contest.champion(0..words.len());
    if contest.is_told() {
        contest.conclude(&top);
    }
    let mut index = top.index;
    index.resize(width, Lit::ZERO);
    index
}

/// The index of a largest word, and why it is one: clauses that follow from the gates, each easy to prove given those
/// before. The last of them say that the chosen word beats each other one, whatever the tree: with these a prover need
/// not find by itself that "greater" is transitive.
///
/// A word with the complement of its number below it is a *rank*: all ranks differ, and the largest is that of the lowest
/// index of a largest word.
struct Contest<'a> {
    g: &'a mut Graph,
    words: &'a [Vec<Lit>],
    lemmas: &'a mut Vec<Clause>,
}

/// The largest of some words and its number, lowest bits first.
struct Champion {
    word: Vec<Lit>,
    index: Vec<Lit>,
}

impl Champion {
    fn rank(&self, bits: usize) -> Vec<Lit> {
        let bit = |i| !self.index.get(i).copied().unwrap_or(Lit::ZERO);
        (0..bits).map(bit).chain(self.word.iter().copied()).collect()
    }
}

impl Contest<'_> {
    /// Bits of a number.
    fn bits(&self) -> usize {
        self.words.len().next_power_of_two().trailing_zeros() as usize
    }

    /// Whether lemmas are made.
    fn is_told(&self) -> bool {
        (3..=CONTEST).contains(&self.words.len())
    }

    fn player(&self, i: usize) -> Champion {
        Champion {
            word: self.words[i].clone(),
            index: (0..self.bits()).map(|b| Lit::constant(i >> b & 1 == 1)).collect(),
        }
    }

    /// The champion of a range that begins at a multiple of its size's power of two; lemma: no one of the range has a
    /// greater rank.
    fn champion(&mut self, range: Range<usize>) -> Champion {
        match range.len() {
            0 => Champion { word: Vec::new(), index: Vec::new() },
            1 => self.player(range.start),
            n => {
                let half = range.start + n.next_power_of_two() / 2;
                let (a, b) = (self.champion(range.start..half), self.champion(half..range.end));
                let right = greater(self.g, &b.word, &a.word);
                let word = choose(self.g, right, &a.word, &b.word);
                let index = choose(self.g, right, &a.index, &b.index);
                let champion = Champion { word, index };
                if self.is_told() {
                    for side in [&a, &b] {
                        self.not_below(&champion, side);
                    }
                    for i in range.filter(|_| n > 2) {
                        let player = self.player(i);
                        self.not_below(&champion, &player);
                    }
                }
                champion
            }
        }
    }

    fn not_below(&mut self, champion: &Champion, other: &Champion) {
        let bits = self.bits();
        let less = greater(self.g, &other.rank(bits), &champion.rank(bits));
        self.lemmas.push(vec![!less]);
    }

    /// Who is the champion beats each other one.
    fn conclude(&mut self, top: &Champion) {
        for j in 0..self.words.len() {
            for i in 0..j {
                let right = greater(self.g, &self.words[j], &self.words[i]);
                for (winner, beats) in [(i, !right), (j, right)] {
                    let number = self.player(winner).index;
                    let other = number.iter().zip(&top.index).map(|(n, &bit)| bit.invert_if(*n == Lit::ONE));
                    self.lemmas.push(other.chain([beats]).collect());
                }
            }
        }
    }
}

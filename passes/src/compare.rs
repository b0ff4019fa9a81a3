//! Comparisons of words and the largest of many, as lookup tables.
//!
//! Two words are compared from their lowest bits up: a table of the three lowest pairs of bits, then two more pairs with
//! the result so far, in five inputs, so that the last step and the larger word's highest bit share a dual-output LUT.
//! The index of the largest of many comes from a balanced tree in which the right word wins only if it is greater, so
//! that ties go to the lowest index.

use blc_ir::table::{VAR, mask, widen};
use blc_ir::{Func, LocId, OpKind, Type, Value};

/// `s ? b : a` over inputs `s`, `a`, `b`.
pub(crate) const MUX: u64 = (!VAR[0] & VAR[1] | VAR[0] & VAR[2]) & mask(3);
const OR: u64 = 0xe;

/// Bit `a > b` of two words, lowest bits first; the shorter word is extended by zeros.
pub(crate) fn greater(f: &mut Func, a: &[Value], b: &[Value], loc: LocId) -> Value {
    let (table, inputs) = last_step(f, a, b, loc);
    if inputs.is_empty() { f.constant(0, Type::BIT) } else { f.lut(table, &inputs, loc) }
}

/// The last table of a comparison, with its inputs; those before it are built.
fn last_step(f: &mut Func, a: &[Value], b: &[Value], loc: LocId) -> (u64, Vec<Value>) {
    let width = a.len().max(b.len());
    let mut so_far = None;
    let mut bit = 0;
    loop {
        let end = (bit + if so_far.is_some() { 2 } else { 3 }).min(width);
        // Inputs: the result so far, then the bits of `a` and of `b` where they have them.
        let mut inputs: Vec<Value> = so_far.into_iter().collect();
        let mut place = |word: &[Value]| -> Vec<Option<usize>> {
            let position = |i: usize| {
                word.get(i).map(|&v| {
                    inputs.push(v);
                    inputs.len() - 1
                })
            };
            (bit..end).map(position).collect()
        };
        let (at_a, at_b) = (place(a), place(b));
        let mut table = 0u64;
        for address in 0..1usize << inputs.len() {
            let read =
                |at: &[Option<usize>]| at.iter().rev().fold(0, |w, p| w << 1 | p.map_or(0, |p| address >> p & 1));
            let (x, y) = (read(&at_a), read(&at_b));
            let greater = x > y || x == y && so_far.is_some() && address & 1 == 1;
            table |= u64::from(greater) << address;
        }
        if end == width {
            return (table, inputs);
        }
        so_far = Some(f.lut(table, &inputs, loc));
        bit = end;
    }
}

/// `s ? b : a`, bit by bit; the shorter word is extended by zeros.
pub(crate) fn choose(f: &mut Func, s: Value, a: &[Value], b: &[Value], loc: LocId) -> Vec<Value> {
    let width = a.len().max(b.len());
    let bit = |i: usize| match (a.get(i), b.get(i)) {
        (Some(&a), Some(&b)) => f.lut(MUX, &[s, a, b], loc),
        // `a` where `s` is 0; `b` where it is 1.
        (Some(&a), None) => f.lut(0x4, &[s, a], loc),
        (None, Some(&b)) => f.lut(0x8, &[s, b], loc),
        (None, None) => s,
    };
    (0..width).map(bit).collect()
}

/// The larger of two words, where `s` says whether it is `b`. Its highest bit needs no choice.
fn larger(f: &mut Func, s: Value, a: &[Value], b: &[Value], loc: LocId) -> Vec<Value> {
    let width = a.len().max(b.len());
    if a.len() != b.len() || width == 0 {
        // Where only one word has a bit and it is 1, that word is the larger one.
        let (long, short) = if a.len() > b.len() { (a, b) } else { (b, a) };
        let mut word = choose(f, s, &a[..short.len().min(a.len())], &b[..short.len().min(b.len())], loc);
        word.extend_from_slice(&long[short.len()..]);
        return word;
    }
    let mut word = choose(f, s, &a[..width - 1], &b[..width - 1], loc);
    word.push(f.lut(OR, &[a[width - 1], b[width - 1]], loc));
    word
}

/// The lowest index of a largest word, as bits, lowest first: as many as the last index needs (none for one word).
/// With `sites`, what fits a dual-output LUT of Xilinx is built as one.
pub(crate) fn argmax(f: &mut Func, words: &[Vec<Value>], sites: bool, loc: LocId) -> Vec<Value> {
    let zero = |f: &Func, v: Value| f.as_const(v) == Some(0);
    let trimmed = |word: &Vec<Value>| {
        let len = word.iter().rposition(|&v| !zero(f, v)).map_or(0, |last| last + 1);
        word[..len].to_vec()
    };
    let words: Vec<Vec<Value>> = words.iter().map(trimmed).collect();
    let bits = words.len().next_power_of_two().ilog2() as usize;
    // Who stands alone at a level plays no game there, and has a 0.
    let winners = (0..bits).map(|level| vec![None; words.len().div_ceil(2 << level)]).collect();
    let mut tournament = Tournament { f, sites, loc, winners };
    tournament.best(&words, 0, false);
    let winners = std::mem::take(&mut tournament.winners);
    index(f, &winners, loc)
}

/// The winner's index, from who won each game: the highest bit first, each chosen by the bits above it.
fn index(f: &mut Func, winners: &[Vec<Option<Value>>], loc: LocId) -> Vec<Value> {
    // Highest first.
    let mut known: Vec<Value> = Vec::new();
    for games in winners.iter().rev() {
        let games: Vec<Value> = games.iter().map(|&game| game.unwrap_or_else(|| f.constant(0, Type::BIT))).collect();
        let bit = select(f, &games, &known, loc);
        known.push(bit);
    }
    known.reverse();
    known
}

/// The one of values that an address names, given by its highest bit first. Addresses beyond the last do not occur.
fn select(f: &mut Func, values: &[Value], address: &[Value], loc: LocId) -> Value {
    match (values, address) {
        ([], _) => f.constant(0, Type::BIT),
        ([one], _) | ([one, ..], []) => *one,
        (_, [high, low]) if values.len() > 2 => {
            let mut pins = vec![*low, *high];
            pins.extend_from_slice(values);
            let table = (0..1u64 << pins.len()).fold(0, |table, a| {
                let chosen = (a as usize & 3).min(values.len() - 1);
                table | (a >> (2 + chosen) & 1) << a
            });
            f.lut(table, &pins, loc)
        }
        (_, [high, rest @ ..]) => {
            let half = 1usize << rest.len();
            if values.len() <= half {
                return select(f, values, rest, loc);
            }
            let low = select(f, &values[..half], rest, loc);
            let high_half = select(f, &values[half..], rest, loc);
            f.lut(MUX, &[*high, low, high_half], loc)
        }
    }
}

struct Tournament<'a> {
    f: &'a mut Func,
    sites: bool,
    loc: LocId,
    /// By level and by number: whether the right one won a game between neighbours of `2^level` players.
    winners: Vec<Vec<Option<Value>>>,
}

impl Tournament<'_> {
    /// The largest of words, the first of which is number `first`; nothing where it is not wanted.
    fn best(&mut self, words: &[Vec<Value>], first: usize, wanted: bool) -> Vec<Value> {
        match words {
            [] => Vec::new(),
            [one] => one.clone(),
            _ => {
                // The largest power of two below: the left half's indices are then the low bits of the whole's.
                let half = words.len().next_power_of_two() / 2;
                let (left, right) = words.split_at(half);
                let a = self.best(left, first, true);
                let b = self.best(right, first + half, true);
                let (right_wins, word) = self.game(&a, &b, wanted);
                let (level, number) = (half.ilog2() as usize, first / (2 * half));
                self.winners[level][number] = Some(right_wins);
                word
            }
        }
    }

    /// Whether `b` is greater than `a`, and the larger of them, if wanted.
    fn game(&mut self, a: &[Value], b: &[Value], wanted: bool) -> (Value, Vec<Value>) {
        let (f, loc) = (&mut *self.f, self.loc);
        let (table, inputs) = last_step(f, b, a, loc);
        let width = a.len();
        let fits = self.sites && wanted && width > 0 && width == b.len() && inputs.len() <= 5;
        if !fits {
            let right_wins = if inputs.is_empty() { f.constant(0, Type::BIT) } else { f.lut(table, &inputs, loc) };
            let word = if wanted { larger(f, right_wins, a, b, loc) } else { Vec::new() };
            return (right_wins, word);
        }
        // The highest bits are inputs of the last comparison, so their OR takes no site.
        let top = |word: &[Value]| inputs.iter().position(|v| *v == word[width - 1]).map_or(0, |pin| VAR[pin]);
        let or = top(a) | top(b);
        let (right_wins, highest) = site(f, table, or, &inputs, loc);
        let mut word = Vec::with_capacity(width);
        for bit in (0..width - 1).step_by(2) {
            let pins = [right_wins, a[bit], b[bit], a[bit + 1], b[bit + 1]];
            if bit + 2 < width {
                let [first, second] = [1, 3].map(|j| !VAR[0] & VAR[j] | VAR[0] & VAR[j + 1]);
                let (low, high) = site(f, first, second, &pins, loc);
                word.extend([low, high]);
            } else {
                word.push(f.lut(MUX, &pins[..3], loc));
            }
        }
        word.push(highest);
        (right_wins, word)
    }
}

/// Two functions of at most five inputs in one site: O6 and O5.
fn site(f: &mut Func, o6: u64, o5: u64, inputs: &[Value], loc: LocId) -> (Value, Value) {
    let low = |table: u64| widen(table & mask(inputs.len()), inputs.len()) & mask(5);
    let mut pins = inputs.to_vec();
    let one = f.constant(1, Type::BIT);
    pins.resize(6, one);
    let init = low(o6) << 32 | low(o5);
    let op = f.push(OpKind::Xc7Lut6_2 { init }, &pins, &[Type::BIT; 2], loc);
    let mut results = f.op(op).results();
    let o6 = f.op(op).result();
    (o6, results.nth(1).unwrap_or(o6))
}

//! Sums and the largest of words with the fewest levels of lookup tables, for a short way from input to output.
//!
//! A sum is compressed in stages, all columns at once (6:3, 5:3 and 3:2 counters, as Dadda's trees of full adders), until
//! two rows are left, which a parallel prefix adder sums (Sklansky 1960). The index of the largest of words comes from
//! comparing each with each: a word wins that is beaten by none, a tie by the lower index. That takes more tables than a
//! tournament, and a level or two instead of a comparison and a choice in each round. No carry chains: the cover then sees
//! the design as a whole, and keeps its levels.

use blc_ir::{Func, LocId, Type, Value};

use crate::compare::choose;
use crate::heap::count_bit;

/// Most words that are compared each with each; of more, the winners of groups of [`GROUP`] play on.
const ROUND: usize = 12;
const GROUP: usize = 4;
/// Inputs of a lookup table.
const PINS: usize = 6;

/// The sum of bits, each with its column and the level at which it is there, modulo two to the width; `None` for a column
/// without bits.
pub(crate) fn sum(f: &mut Func, bits: &[(usize, Value, u32)], width: usize, loc: LocId) -> Vec<Option<Value>> {
    let mut columns: Vec<Vec<(u32, Value)>> = vec![Vec::new(); width];
    for &(column, bit, level) in bits.iter().filter(|(column, ..)| *column < width) {
        columns[column].push((level, bit));
    }
    merge_equal(&mut columns);
    let mut level = bits.iter().map(|b| b.2).min().unwrap_or(0);
    while columns.iter().any(|c| c.len() > 2) {
        columns = stage(f, columns, level, loc);
        level += 1;
    }
    add(f, &columns, loc)
}

/// Two equal bits of a column are one of the next.
fn merge_equal(columns: &mut [Vec<(u32, Value)>]) {
    for c in 0..columns.len() {
        let mut bits = std::mem::take(&mut columns[c]);
        bits.sort_by_key(|&(_, bit)| bit);
        for run in bits.chunk_by(|a, b| a.1 == b.1) {
            if let Some(above) = columns.get_mut(c + 1) {
                above.extend(std::iter::repeat_n(run[0], run.len() / 2));
            }
            columns[c].extend((run.len() % 2 == 1).then_some(run[0]));
        }
    }
}

/// Bits that are there at a level are counted, as many at once as a table takes; what is left over waits.
fn stage(f: &mut Func, columns: Vec<Vec<(u32, Value)>>, level: u32, loc: LocId) -> Vec<Vec<(u32, Value)>> {
    let width = columns.len();
    let mut next: Vec<Vec<(u32, Value)>> = vec![Vec::new(); width];
    for (c, column) in columns.into_iter().enumerate() {
        let (now, later): (Vec<_>, Vec<_>) = column.into_iter().partition(|&(at, _)| at <= level);
        let mut rest = now.as_slice();
        while rest.len() > 2 {
            let count = match rest.len() {
                // Of four, three: a counter of four has as many outputs as two bits and a full adder's.
                4 if c + 1 < width => 3,
                n => n.min(PINS),
            };
            let (taken, left) = rest.split_at(count);
            rest = left;
            let pins: Vec<Value> = taken.iter().map(|&(_, bit)| bit).collect();
            for weight in 0..=count.ilog2() as usize {
                if let Some(column) = next.get_mut(c + weight) {
                    column.push((level + 1, f.lut(count_bit(count, weight), &pins, loc)));
                }
            }
        }
        next[c].extend_from_slice(rest);
        next[c].extend(later);
    }
    next
}

/// Carry of a range of columns: generated there, and handed through it (nothing where there is no way through).
#[derive(Clone, Copy)]
struct Carry {
    generate: Option<Value>,
    propagate: Option<Value>,
}

/// Columns of at most two bits as a word.
fn add(f: &mut Func, columns: &[Vec<(u32, Value)>], loc: LocId) -> Vec<Option<Value>> {
    let own = |f: &mut Func, column: &[(u32, Value)]| match *column {
        [] => Carry { generate: None, propagate: None },
        [(_, a)] => Carry { generate: None, propagate: Some(a) },
        [(_, a), (_, b), ..] => {
            Carry { generate: Some(f.lut(AND, &[a, b], loc)), propagate: Some(f.lut(XOR, &[a, b], loc)) }
        }
    };
    let parity: Vec<Carry> = columns.iter().map(|column| own(f, column)).collect();
    // Sklansky: after step k, each column knows its carry over the last 2^k columns at least.
    let mut carry = parity.clone();
    let mut reach = 1;
    while reach < carry.len() {
        for c in (0..carry.len()).filter(|c| c & reach != 0) {
            carry[c] = join(f, carry[c], carry[(c & !(reach - 1)) - 1], loc);
        }
        reach *= 2;
    }
    let sum = |c: usize| {
        let below = c.checked_sub(1).and_then(|below| carry[below].generate);
        match (parity[c].propagate, below) {
            (Some(own), Some(below)) => Some(f.lut(XOR, &[own, below], loc)),
            (own, below) => own.or(below),
        }
    };
    (0..columns.len()).map(sum).collect()
}

const AND: u64 = 0x8;
const XOR: u64 = 0x6;
const OR: u64 = 0xe;
/// `a | b & c`.
const OR_AND: u64 = 0xea;

/// Two neighbouring ranges as one.
fn join(f: &mut Func, high: Carry, low: Carry, loc: LocId) -> Carry {
    let generate = match (high.generate, high.propagate, low.generate) {
        (own, None, _) | (own, _, None) => own,
        (None, Some(through), Some(below)) => Some(f.lut(AND, &[through, below], loc)),
        (Some(own), Some(through), Some(below)) => Some(f.lut(OR_AND, &[own, through, below], loc)),
    };
    let propagate = match (high.propagate, low.propagate) {
        (Some(a), Some(b)) => Some(f.lut(AND, &[a, b], loc)),
        _ => None,
    };
    Carry { generate, propagate }
}

/// The lowest index of a largest word, as bits, lowest first: as many as the last index needs.
pub(crate) fn argmax(f: &mut Func, words: &[Vec<Value>], loc: LocId) -> Vec<Value> {
    if words.len() < 2 {
        return Vec::new();
    }
    if words.len() <= ROUND {
        let best = unbeaten(f, words, loc);
        let bits = (words.len() - 1).ilog2() as usize + 1;
        return (0..bits).map(|bit| any(f, &best, |i| i >> bit & 1 == 1, loc)).collect();
    }
    let mut winners = Vec::new();
    let mut places = Vec::new();
    for group in words.chunks(GROUP) {
        let low = argmax(f, group, loc);
        winners.push(pick(f, &low, group, loc));
        places.push(low);
    }
    let high = argmax(f, &winners, loc);
    let mut index = pick(f, &high, &places, loc);
    index.extend(high);
    index
}

/// The word that an address names; addresses beyond the last do not occur, and shorter words end in zeros.
fn pick(f: &mut Func, address: &[Value], words: &[Vec<Value>], loc: LocId) -> Vec<Value> {
    let mut words = words.to_vec();
    for &bit in address {
        words = words
            .chunks(2)
            .map(|pair| match pair {
                [a, b] => choose(f, bit, a, b, loc),
                _ => pair.concat(),
            })
            .collect();
    }
    words.into_iter().next().unwrap_or_default()
}

/// For each word the conditions under which it is the largest, or the first of the largest: all must hold.
fn unbeaten(f: &mut Func, words: &[Vec<Value>], loc: LocId) -> Vec<Vec<Value>> {
    // Bits, and whether they must be 0.
    let mut wins: Vec<Vec<(Value, bool)>> = vec![Vec::new(); words.len()];
    for (j, right) in words.iter().enumerate() {
        for (i, left) in words[..j].iter().enumerate() {
            match greater(f, right, left, loc) {
                Some(greater) => {
                    wins[i].push((greater, true));
                    wins[j].push((greater, false));
                }
                // Never greater: the right one never wins.
                None => wins[j].push((f.constant(0, Type::BIT), false)),
            }
        }
    }
    let mut all = |part: &[(Value, bool)]| {
        let pins: Vec<Value> = part.iter().map(|p| p.0).collect();
        let address = part.iter().rev().fold(0, |a, &(_, inverted)| a << 1 | u64::from(!inverted));
        f.lut(1 << address, &pins, loc)
    };
    wins.iter().map(|wins| wins.chunks(PINS).map(&mut all).collect()).collect()
}

/// Whether one of the chosen conjunctions holds.
fn any(f: &mut Func, all: &[Vec<Value>], chosen: impl Fn(usize) -> bool, loc: LocId) -> Value {
    let mut terms: Vec<&[Value]> = all.iter().enumerate().filter(|(i, _)| chosen(*i)).map(|(_, t)| &t[..]).collect();
    let mut ors: Vec<Value> = Vec::new();
    while !terms.is_empty() {
        let mut pins = 0;
        let mut fits = |term: &&[Value]| {
            pins += term.len();
            pins <= PINS
        };
        let count = terms.iter().copied().take_while(|t| fits(t)).count().max(1);
        let now: Vec<&[Value]> = terms.drain(..count).collect();
        ors.push(or_of_ands(f, &now, loc));
    }
    while ors.len() > 1 {
        ors = ors
            .chunks(PINS)
            .map(|part| or_of_ands(f, &part.iter().map(std::slice::from_ref).collect::<Vec<_>>(), loc))
            .collect();
    }
    ors.pop().unwrap_or_else(|| f.constant(0, Type::BIT))
}

fn or_of_ands(f: &mut Func, terms: &[&[Value]], loc: LocId) -> Value {
    let pins = terms.concat();
    let holds = |address: u64| {
        let mut at = 0;
        terms.iter().any(|term| {
            let own = mask_bits(term.len()) << at;
            at += term.len();
            address & own == own
        })
    };
    let table = (0..1u64 << pins.len()).fold(0, |table, a| table | u64::from(holds(a)) << a);
    f.lut(table, &pins, loc)
}

fn mask_bits(n: usize) -> u64 {
    (1 << n) - 1
}

/// Greater, and not less: of a range of bits.
#[derive(Clone, Copy)]
struct Order {
    greater: Option<Value>,
    equal: Option<Value>,
}

/// Bit `a > b` of two words, lowest bits first, in a tree of ranges of bits; `None` where it never is.
fn greater(f: &mut Func, a: &[Value], b: &[Value], loc: LocId) -> Option<Value> {
    let width = a.len().max(b.len());
    let mut ranges: Vec<Order> = (0..width.div_ceil(PINS / 2)).map(|i| digit(f, a, b, i, loc)).collect();
    while ranges.len() > 1 {
        ranges = ranges.chunks(3).map(|part| in_order(f, part, loc)).collect();
    }
    ranges.pop().and_then(|r| r.greater)
}

/// The order of three bits of each word.
fn digit(f: &mut Func, a: &[Value], b: &[Value], number: usize, loc: LocId) -> Order {
    let bits = PINS / 2;
    let part = |word: &[Value]| word.get(number * bits..).map_or(Vec::new(), |w| w[..w.len().min(bits)].to_vec());
    let (x, y) = (part(a), part(b));
    let pins = [&x[..], &y[..]].concat();
    let mut table = |is: fn(u64, u64) -> bool| {
        let holds = |address: u64| is(address & mask_bits(x.len()), address >> x.len());
        let table = (0..1u64 << pins.len()).fold(0, |table, at| table | u64::from(holds(at)) << at);
        f.lut(table, &pins, loc)
    };
    Order { greater: (!x.is_empty()).then(|| table(|x, y| x > y)), equal: Some(table(|x, y| x == y)) }
}

/// The order of neighbouring ranges, lowest first.
fn in_order(f: &mut Func, ranges: &[Order], loc: LocId) -> Order {
    ranges
        .iter()
        .copied()
        .reduce(|low, high| {
            let through = |f: &mut Func, low: Option<Value>| match (high.equal, low) {
                (Some(equal), Some(low)) => Some(f.lut(AND, &[equal, low], loc)),
                _ => None,
            };
            let (greater, equal) = (through(f, low.greater), through(f, low.equal));
            let greater = match (high.greater, greater) {
                (Some(own), Some(below)) => Some(f.lut(OR, &[own, below], loc)),
                (own, below) => own.or(below),
            };
            Order { greater, equal }
        })
        .unwrap_or(Order { greater: None, equal: None })
}

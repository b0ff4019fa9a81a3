//! Comparisons of words and the largest of many, as lookup tables.
//!
//! Two words are compared from their lowest bits up: a table of the three lowest pairs of bits, then two more pairs with
//! the result so far, in five inputs, so that the last step and the larger word's highest bit share a dual-output LUT.
//! The index of the largest of many comes from a balanced tree in which the right word wins only if it is greater, so
//! that ties go to the lowest index.

use blc_ir::table::{VAR, mask};
use blc_ir::{Func, LocId, Type, Value};

/// `s ? b : a` over inputs `s`, `a`, `b`.
pub(crate) const MUX: u64 = (!VAR[0] & VAR[1] | VAR[0] & VAR[2]) & mask(3);
const OR: u64 = 0xe;

/// Bit `a > b` of two words, lowest bits first; the shorter word is extended by zeros.
pub(crate) fn greater(f: &mut Func, a: &[Value], b: &[Value], loc: LocId) -> Value {
    let width = a.len().max(b.len());
    let mut so_far = None;
    let mut bit = 0;
    while bit < width {
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
        so_far = Some(f.lut(table, &inputs, loc));
        bit = end;
    }
    so_far.unwrap_or_else(|| f.constant(0, Type::BIT))
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
pub(crate) fn argmax(f: &mut Func, words: &[Vec<Value>], loc: LocId) -> Vec<Value> {
    tree(f, words, loc).1
}

/// The largest word and its index.
fn tree(f: &mut Func, words: &[Vec<Value>], loc: LocId) -> (Vec<Value>, Vec<Value>) {
    match words {
        [] => (Vec::new(), Vec::new()),
        [one] => (one.clone(), Vec::new()),
        _ => {
            // The largest power of two below: the left half's indices are then the low bits of the whole's.
            let half = words.len().next_power_of_two() / 2;
            let (left, right) = words.split_at(half);
            let (a, low) = tree(f, left, loc);
            let (b, high) = tree(f, right, loc);
            let right_wins = greater(f, &b, &a, loc);
            let word = larger(f, right_wins, &a, &b, loc);
            let mut index = choose(f, right_wins, &low, &high, loc);
            index.push(right_wins);
            (word, index)
        }
    }
}

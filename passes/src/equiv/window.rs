//! Equality within a window: where two nodes are functions of a few common ones, their truth tables decide.
//!
//! The window grows from the two nodes downwards, the highest node first. Whenever few enough nodes are left at its
//! border, both are evaluated under all their values. Equal tables prove equality; different ones say nothing, because
//! not every value of the border need occur.

use smallvec::SmallVec;

use super::graph::{Gate, Lit};
use blc_ir::table::VAR;

/// Most nodes at the border.
const BORDER: usize = 9;
/// Words of 64 addresses.
const WORDS: usize = 1 << (BORDER - 6);
/// Most nodes inside.
const INSIDE: usize = 200;
/// Most attempts.
const ATTEMPTS: usize = 4;

type Table = [u64; WORDS];

/// Whether two literals are equal by a window. `rank` orders nodes: gates after what they read.
pub fn equal(a: Lit, b: Lit, rank: &dyn Fn(u32) -> u32, gates: &dyn Fn(u32) -> Gate) -> bool {
    // Highest rank last.
    let mut border: Vec<(u32, u32)> = Vec::with_capacity(32);
    let add = |border: &mut Vec<(u32, u32)>, lit: Lit| {
        if lit.node() != 0 {
            let entry = (rank(lit.node() as u32), lit.node() as u32);
            if let Err(at) = border.binary_search(&entry) {
                border.insert(at, entry);
            }
        }
    };
    add(&mut border, a);
    add(&mut border, b);
    let mut inside: Vec<(u32, Gate)> = Vec::with_capacity(INSIDE);
    let mut attempts = 0;
    while inside.len() < INSIDE && attempts < ATTEMPTS {
        let Some(&(_, node)) = border.last() else { return false };
        let gate = gates(node);
        let (Gate::And(x, y) | Gate::Xor(x, y)) = gate else { return false };
        // Where the window would grow at its border, it is as narrow as it gets for now.
        let outside = |l: Lit| border.binary_search(&(rank(l.node() as u32), l.node() as u32)).is_err();
        let both = ![a, b].iter().any(|l| l.node() != 0 && !outside(*l));
        if both && border.len() <= BORDER && outside(x) && outside(y) {
            attempts += 1;
            if tables_equal(a, b, &border, &inside) {
                return true;
            }
        }
        border.pop();
        inside.push((node, gate));
        add(&mut border, x);
        add(&mut border, y);
    }
    false
}

fn tables_equal(a: Lit, b: Lit, border: &[(u32, u32)], inside: &[(u32, Gate)]) -> bool {
    let mut known: SmallVec<[(u32, Table); 64]> = SmallVec::new();
    known.push((0, [0; WORDS]));
    for (j, &(_, node)) in border.iter().enumerate() {
        let word = |w: usize| if j < 6 { VAR[j] } else { (w as u64 >> (j - 6) & 1).wrapping_neg() };
        known.push((node, std::array::from_fn(word)));
    }
    let get = |known: &[(u32, Table)], lit: Lit| -> Table {
        let table = known.iter().rev().find(|(n, _)| *n == lit.node() as u32).map_or([0; WORDS], |(_, t)| *t);
        let invert = u64::from(lit.inverted()).wrapping_neg();
        table.map(|w| w ^ invert)
    };
    for &(node, gate) in inside.iter().rev() {
        let table = match gate {
            Gate::And(x, y) => {
                let (x, y) = (get(&known, x), get(&known, y));
                std::array::from_fn(|w| x[w] & y[w])
            }
            Gate::Xor(x, y) => {
                let (x, y) = (get(&known, x), get(&known, y));
                std::array::from_fn(|w| x[w] ^ y[w])
            }
            _ => continue,
        };
        known.push((node, table));
    }
    get(&known, a) == get(&known, b)
}

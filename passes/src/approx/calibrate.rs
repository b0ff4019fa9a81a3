//! `calibrate`: table entries that no sample comes to are free.
//!
//! Each table is replaced by one of as few inputs as tell apart what the samples need told apart: the smallest support,
//! found by trying all subsets. So on the samples learned from every node, and with it every prediction, stays as it
//! was; elsewhere nearly every one does.

use rayon::prelude::*;
use smallvec::SmallVec;

use super::net::{Net, Node, Values};

/// Gives every node its smallest support on samples. Returns how many inputs went.
pub(super) fn calibrate(net: &mut Net, values: &Values) -> u64 {
    let before: usize = net.nodes.iter().map(|n| n.inputs.len()).sum();
    net.nodes.par_iter_mut().for_each(|node| {
        let seen = values.histogram(node);
        reduce(node, &seen);
    });
    (before - net.nodes.iter().map(|n| n.inputs.len()).sum::<usize>()) as u64
}

/// The first smallest set of inputs that still tells the seen entries apart.
fn reduce(node: &mut Node, seen: &[u32; 64]) {
    let k = node.inputs.len();
    let mut subsets: Vec<u32> = (0..1 << k).collect();
    subsets.sort_by_key(|s| (s.count_ones(), *s));
    for subset in subsets {
        if let Some(table) = restrict(node.table, k, seen, subset) {
            let keep = |(j, _): &(usize, &u32)| subset >> j & 1 == 1;
            let inputs: SmallVec<[u32; 6]> = node.inputs.iter().enumerate().filter(keep).map(|(_, &i)| i).collect();
            (node.inputs, node.table) = (inputs, table);
            return;
        }
    }
}

/// The table over a subset of the inputs that agrees with the seen entries; where none is seen, with most entries.
fn restrict(table: u64, k: usize, seen: &[u32; 64], subset: u32) -> Option<u64> {
    let mut must = [0u64; 2];
    let mut votes = [0i32; 64];
    for a in 0..1u32 << k {
        let to = compress(a, subset);
        let bit = table >> a & 1;
        votes[to] += if bit == 1 { 1 } else { -1 };
        if seen[a as usize] > 0 {
            must[bit as usize] |= 1 << to;
        }
    }
    let entry = |a: &u32| must[1] >> a & 1 == 1 || must[0] >> a & 1 == 0 && votes[*a as usize] > 0;
    let table = (0..1u32 << subset.count_ones()).filter(entry).fold(0, |t, a| t | 1u64 << a);
    (must[0] & must[1] == 0).then_some(table)
}

/// The bits of an address that a mask picks, put together.
fn compress(address: u32, mask: u32) -> usize {
    let picked = (0..6).filter(|j| mask >> j & 1 == 1).enumerate();
    picked.fold(0, |to, (at, j)| to | ((address >> j & 1) as usize) << at)
}

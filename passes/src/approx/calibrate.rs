//! `calibrate`: table entries that no sample comes to, or hardly any, are free.
//!
//! Each table is replaced by one of as few inputs as tell apart what the samples need told apart: the smallest support,
//! found by trying all subsets. Where no entry that a sample comes to may change, every node, and with it every prediction,
//! stays on the samples learned from as it was; elsewhere nearly every one does.

use rayon::prelude::*;
use smallvec::SmallVec;

use super::net::{Net, Node, Values};

/// Gives every node its smallest support on samples, of which each node may change on at most `allowed`. Returns how many
/// inputs went.
pub(super) fn calibrate(net: &mut Net, values: &Values, allowed: u32) -> u64 {
    let before: usize = net.nodes.iter().map(|n| n.inputs.len()).sum();
    net.nodes.par_iter_mut().for_each(|node| {
        let seen = values.histogram(node);
        reduce(node, &seen, allowed);
    });
    (before - net.nodes.iter().map(|n| n.inputs.len()).sum::<usize>()) as u64
}

/// The smallest set of inputs that still tells the seen entries apart, but for few samples: of those the one of fewest.
fn reduce(node: &mut Node, seen: &[u32; 64], allowed: u32) {
    let k = node.inputs.len();
    let tried = (0..1u32 << k).map(|subset| (subset, restrict(node.table, k, seen, subset)));
    let few = tried.filter(|&(_, (_, changed))| changed <= allowed);
    let best = few.min_by_key(|&(subset, (_, changed))| (subset.count_ones(), changed, subset));
    if let Some((subset, (table, _))) = best {
        let keep = |(j, _): &(usize, &u32)| subset >> j & 1 == 1;
        let inputs: SmallVec<[u32; 6]> = node.inputs.iter().enumerate().filter(keep).map(|(_, &i)| i).collect();
        (node.inputs, node.table) = (inputs, table);
    }
}

/// The table over a subset of the inputs that agrees with most samples, or where there are none with most entries; and on
/// how many samples it does not.
fn restrict(table: u64, k: usize, seen: &[u32; 64], subset: u32) -> (u64, u32) {
    let mut samples = [[0u32; 2]; 64];
    let mut votes = [0i32; 64];
    for a in 0..1u32 << k {
        let to = compress(a, subset);
        let bit = table >> a & 1;
        votes[to] += if bit == 1 { 1 } else { -1 };
        samples[to][bit as usize] += seen[a as usize];
    }
    let entries = 0..1usize << subset.count_ones();
    entries.fold((0, 0), |(table, changed), a| {
        let [zeros, ones] = samples[a];
        let one = ones > zeros || ones == zeros && votes[a] > 0;
        (table | u64::from(one) << a, changed + ones.min(zeros))
    })
}

/// The bits of an address that a mask picks, put together.
fn compress(address: u32, mask: u32) -> usize {
    let picked = (0..6).filter(|j| mask >> j & 1 == 1).enumerate();
    picked.fold(0, |to, (at, j)| to | ((address >> j & 1) as usize) << at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a` but for one entry of two inputs, which two samples come to.
    #[test]
    fn few_samples_may_be_given_up() {
        let mut seen = [0; 64];
        seen[..4].copy_from_slice(&[50, 40, 2, 60]);
        let table = 0b1110;
        assert_eq!(restrict(table, 2, &seen, 0b01), (0b10, 2));
        assert_eq!(restrict(table, 2, &seen, 0b11), (table, 0));
        assert_eq!(restrict(table, 2, &seen, 0), (1, 50));
        seen[2] = 0;
        assert_eq!(restrict(table, 2, &seen, 0b01), (0b10, 0));
    }
}

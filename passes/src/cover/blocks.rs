//! A cover bettered block by block, each chosen exactly with all around it as it is.
//!
//! Blocks lie around nodes taken at random, so that what one cannot better the next may. Some are solved beside each other
//! and taken one after the other, each only where it still makes the whole smaller. One that was solved in vain is not solved
//! again before something else is better: so a net of one block ends after one.

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::exact::{COLUMNS, Chooser};
use super::net::Net;
use super::sites::Sites;
use crate::control::Control;
use crate::rng::Rng;

/// Nodes of a block at first, and at least: fewer where their programs become too large.
const SIZE: usize = 120;
const LEAST: usize = 12;

/// Blocks solved beside each other.
const BATCH: usize = 4;

/// Times that blocks over the whole net may bring nothing.
const STALE: usize = 3;

/// Betters a cover until so much work is done (see [`Chooser::better`]), or luck runs out.
pub fn improve(chooser: &Chooser<'_>, mut sites: Sites, work: u64, control: &Control) -> Sites {
    let net = chooser.net;
    let nodes: Vec<u32> = (0..net.node_count() as u32).filter(|&n| !net.is_leaf(n)).collect();
    if nodes.is_empty() {
        return sites;
    }
    let near = Near::new(net);
    let mut rng = Rng::new(5);
    let mut cost = sites.cost(net, chooser.pairs);
    let (mut size, mut done, mut stale) = (SIZE, 0, 0);
    let mut vain: FxHashSet<Vec<u32>> = FxHashSet::default();
    while done < work && stale < STALE * nodes.len().div_ceil(size) + BATCH && !control.stopped() {
        let mut block = || near.block(nodes[rng.next() as usize % nodes.len()], size, &mut rng);
        let mut blocks: Vec<Vec<u32>> = (0..BATCH).map(|_| block()).collect();
        blocks.retain(|block| vain.insert(block.clone()));
        stale += BATCH - blocks.len();
        let changes: Vec<_> = blocks.par_iter().map(|block| chooser.better(&sites, block)).collect();
        for (change, columns, work) in changes {
            done += work;
            stale += 1;
            if columns > COLUMNS {
                (size, stale) = ((size * 2 / 3).max(LEAST), 0);
            }
            let Some(change) = change else { continue };
            let new = sites.with(&change, net, chooser.roots, chooser.fixed);
            let new_cost = new.cost(net, chooser.pairs);
            if new_cost < cost - 1e-6 {
                (sites, cost, stale) = (new, new_cost, 0);
                vain.clear();
            }
        }
    }
    sites
}

/// Who reads a node.
struct Near<'a> {
    net: &'a Net,
    readers: Vec<Vec<u32>>,
}

impl<'a> Near<'a> {
    fn new(net: &'a Net) -> Self {
        let mut readers = vec![Vec::new(); net.node_count()];
        for node in (0..net.node_count() as u32).filter(|&n| !net.is_leaf(n)) {
            net.block(node).leaves().iter().for_each(|&leaf| readers[leaf as usize].push(node));
        }
        Self { net, readers }
    }

    /// So many nodes around one, rising: what is read and what reads, at random.
    fn block(&self, seed: u32, size: usize, rng: &mut Rng) -> Vec<u32> {
        let mut seen = vec![false; self.net.node_count()];
        seen[seed as usize] = true;
        let (mut block, mut border) = (Vec::new(), vec![seed]);
        while block.len() < size && !border.is_empty() {
            let node = border.swap_remove(rng.next() as usize % border.len());
            if !self.net.is_leaf(node) {
                block.push(node);
            }
            for &next in self.net.block(node).leaves().iter().chain(&self.readers[node as usize]) {
                if !std::mem::replace(&mut seen[next as usize], true) {
                    border.push(next);
                }
            }
        }
        block.sort_unstable();
        block
    }
}

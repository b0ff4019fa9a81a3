//! The fewest registers for a number of stages and a period.
//!
//! How many registers a schedule needs is an L-natural convex function of the stages (the dual of a minimum-cost flow;
//! Leiserson and Saxe 1991). So from the earliest schedule, which is below every best one, steps up that each move the
//! smallest of the best sets of slices one stage later end at the optimum (Murota 2003), and such a set is a minimum cut
//! ([`super::closure`]). What a period forbids is told to the cuts as it comes up: pairs of slices that cannot share a
//! stage, found by timing analysis where a step broke the period.

use rustc_hash::FxHashMap;

use super::closure::Closure;
use super::earliest::{Limits, Slices};
use crate::wires::Source;

/// Steps and repairs before it ends with what it has.
const ROUNDS: usize = 400;

/// A bit that slices read: its own slice, if it has one, and the slices that read it.
struct Net {
    from: Option<u32>,
    readers: Vec<u32>,
    /// Whether it leaves the design.
    leaves: bool,
}

/// Moves slices later, in so many stages, until no registers can be saved.
pub(super) fn retime(slices: &Slices<'_>, limits: Limits<'_>, stages: u32, mut stage: Vec<u32>) -> Vec<u32> {
    let nets = nets(slices);
    let mut apart: Vec<(u32, u32)> = Vec::new();
    if limits.chains {
        for slice in 0..slices.len() {
            let chains = slices.reads(slice).filter(|(op, _)| slices.graph.is_chain(*op));
            apart.extend(chains.map(|(op, _)| (slices.of[op.index()], slice as u32)));
        }
    }
    for _ in 0..ROUNDS {
        let Some(later) = step(slices, &nets, &apart, stages, &stage) else { break };
        let moved: Vec<u32> = stage.iter().zip(&later).map(|(&s, &up)| s + u32::from(up)).collect();
        let broken = slices.violations(limits, &moved);
        if broken.is_empty() {
            stage = moved;
        } else {
            apart.extend(broken);
        }
    }
    stage
}

fn nets(slices: &Slices<'_>) -> Vec<Net> {
    let mut by_source: FxHashMap<Source, usize> = FxHashMap::default();
    let mut nets: Vec<Net> = Vec::new();
    let mut net = |source: Source, nets: &mut Vec<Net>| {
        let from = match source {
            Source::Const(_) => return None,
            Source::Param(..) => None,
            Source::Op(op, _) => Some(slices.of[op.index()]),
        };
        let next = nets.len();
        let at = *by_source.entry(source).or_insert(next);
        if at == next {
            nets.push(Net { from, readers: Vec::new(), leaves: false });
        }
        Some(at)
    };
    for slice in 0..slices.len() {
        for pin in slices.members[slice].iter().flat_map(|&op| slices.graph.pins(op)) {
            if let Some(at) = net(pin.source, &mut nets) {
                nets[at].readers.push(slice as u32);
            }
        }
    }
    for &(_, source) in &slices.graph.ends {
        if let Some(at) = net(source, &mut nets) {
            nets[at].leaves = true;
        }
    }
    for net in &mut nets {
        net.readers.dedup();
    }
    nets
}

/// The slices to move one stage later, if that saves registers.
fn step(slices: &Slices<'_>, nets: &[Net], apart: &[(u32, u32)], stages: u32, stage: &[u32]) -> Option<Vec<bool>> {
    let mut closure = Closure::new(slices.len());
    for (slice, _) in stage.iter().enumerate().filter(|(_, s)| **s >= stages) {
        closure.ban(slice as u32);
    }
    for net in nets {
        let start = net.from.map_or(1, |from| stage[from as usize]);
        let last = net.readers.iter().map(|&r| stage[r as usize]).max().unwrap_or(start);
        if let Some(from) = net.from {
            // One register fewer behind what moves, and nothing may come before what it reads.
            closure.weigh(from, 1);
            for &reader in net.readers.iter().filter(|&&r| r != from && stage[r as usize] == start) {
                closure.implies(from, reader);
            }
        }
        if net.leaves {
            continue;
        }
        // One more where a last reader moves.
        let mut lasts = net.readers.iter().copied().filter(|&r| stage[r as usize] == last);
        match (lasts.next(), lasts.next()) {
            (Some(only), None) => closure.weigh(only, -1),
            (Some(first), Some(second)) => {
                let raised = closure.node(-1);
                for reader in [first, second].into_iter().chain(lasts) {
                    closure.implies(reader, raised);
                }
            }
            _ => {}
        }
    }
    for &(first, second) in apart {
        if stage[first as usize] + 1 == stage[second as usize] {
            closure.implies(first, second);
        }
    }
    let mut held = closure.heaviest()?;
    held.truncate(slices.len());
    Some(held)
}

//! The earliest stage of each slice under a period, and when signals are there.

use blc_ir::OpId;

use crate::timing::{Delays, Graph};
use crate::wires::Source;

/// What the stages of a pipeline have to hold to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits<'a> {
    pub delays: &'a Delays,
    /// ns from a register to the next.
    pub period: f64,
    /// Whether all that a carry chain makes goes into registers.
    pub chains: bool,
}

/// Slices in an order in which each stands behind all that it reads.
pub(super) struct Slices<'g> {
    pub graph: &'g Graph,
    /// The ops of each slice, in program order.
    pub members: Vec<Vec<OpId>>,
    /// By op: its slice.
    pub of: Vec<u32>,
}

/// When a bit is there in its stage, and the pin that it waits for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrival {
    pub at: f64,
    /// Index of the latest pin of the op.
    pub pin: u32,
}

/// Results of a primitive at most.
const RESULTS: usize = 8;

impl<'g> Slices<'g> {
    /// `None` where slices wait for each other in a circle.
    pub fn new(graph: &'g Graph) -> Option<Self> {
        let ops = graph.slice.len();
        let mut of = vec![u32::MAX; ops];
        let mut members: Vec<Vec<OpId>> = Vec::new();
        for &op in &graph.ops {
            let first = graph.slice[op.index()].index();
            if of[first] == u32::MAX {
                of[first] = members.len() as u32;
                members.push(Vec::new());
            }
            of[op.index()] = of[first];
            members[of[first] as usize].push(op);
        }
        let mut slices = Self { graph, members, of };
        let order = slices.order()?;
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(i, &slice)| place[slice as usize] = i as u32);
        slices.members = order.iter().map(|&slice| std::mem::take(&mut slices.members[slice as usize])).collect();
        for slice in slices.of.iter_mut().filter(|s| **s != u32::MAX) {
            *slice = place[*slice as usize];
        }
        Some(slices)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// The slices that a slice reads, once for each pin, with the op read.
    pub fn reads(&self, slice: usize) -> impl Iterator<Item = (OpId, u32)> + '_ {
        let pins = self.members[slice].iter().flat_map(|&op| self.graph.pins(op));
        pins.filter_map(move |pin| match pin.source {
            Source::Op(op, result) if self.of[op.index()] as usize != slice => Some((op, result)),
            _ => None,
        })
    }

    fn order(&self) -> Option<Vec<u32>> {
        let n = self.members.len();
        let mut readers: Vec<Vec<u32>> = vec![Vec::new(); n];
        let mut waits = vec![0u32; n];
        for (slice, waits) in waits.iter_mut().enumerate() {
            for (op, _) in self.reads(slice) {
                readers[self.of[op.index()] as usize].push(slice as u32);
                *waits += 1;
            }
        }
        let mut order: Vec<u32> = (0..n as u32).filter(|&s| waits[s as usize] == 0).collect();
        let mut at = 0;
        while at < order.len() {
            for &reader in &readers[order[at] as usize] {
                waits[reader as usize] -= 1;
                if waits[reader as usize] == 0 {
                    order.push(reader);
                }
            }
            at += 1;
        }
        (order.len() == n).then_some(order)
    }

    /// When the results of one slice are there, in its stage; the latest of them.
    pub fn arrive(&self, slice: usize, stage: &[u32], delays: &Delays, arrivals: &mut [[Arrival; RESULTS]]) -> f64 {
        let mut latest = 0.0f64;
        for &op in &self.members[slice] {
            for result in 0..RESULTS as u32 {
                let mut arrival = Arrival::default();
                for (i, &pin) in self.graph.pins(op).iter().enumerate() {
                    let Some(cell) = self.graph.cell(op, i, result, delays) else { continue };
                    let from = match pin.source {
                        Source::Const(_) => continue,
                        Source::Op(def, r) if self.same_stage(def, slice, stage) => {
                            arrivals[def.index()][r as usize].at
                        }
                        _ => delays.clock_to_output,
                    };
                    let at = from + self.graph.net(pin, delays) + cell;
                    if at > arrival.at {
                        arrival = Arrival { at, pin: i as u32 };
                    }
                }
                arrivals[op.index()][result as usize] = arrival;
                latest = latest.max(arrival.at);
            }
        }
        latest
    }

    fn same_stage(&self, def: OpId, slice: usize, stage: &[u32]) -> bool {
        let of = self.of[def.index()];
        of != u32::MAX && stage[of as usize] == stage[slice]
    }

    /// The earliest stages, from 1, or the time that one slice alone takes where it is longer than the period.
    pub fn earliest(&self, limits: Limits<'_>) -> Result<Vec<u32>, f64> {
        let Limits { delays, period, chains } = limits;
        let mut stage = vec![1u32; self.len()];
        let mut arrivals = vec![[Arrival::default(); RESULTS]; self.graph.slice.len()];
        let late = |at: f64| at + delays.setup > period + EPSILON;
        for slice in 0..self.len() {
            let before = self
                .reads(slice)
                .map(|(op, _)| stage[self.of[op.index()] as usize] + u32::from(chains && self.graph.is_chain(op)));
            let before = before.max().unwrap_or(1);
            stage[slice] = before;
            if late(self.arrive(slice, &stage, delays, &mut arrivals)) {
                stage[slice] = before + 1;
                let alone = self.arrive(slice, &stage, delays, &mut arrivals);
                if late(alone) {
                    return Err(alone + delays.setup);
                }
            }
        }
        Ok(stage)
    }

    /// How long one stage takes that holds all.
    pub fn whole(&self, limits: Limits<'_>) -> f64 {
        let mut arrivals = vec![[Arrival::default(); RESULTS]; self.graph.slice.len()];
        let stage = vec![1; self.len()];
        let each = (0..self.len()).map(|slice| self.arrive(slice, &stage, limits.delays, &mut arrivals));
        each.fold(0.0, f64::max) + limits.delays.setup
    }

    /// Pairs of slices that cannot share a stage, found on paths that take too long; `s[second] > s[first]` mends that.
    pub fn violations(&self, limits: Limits<'_>, stage: &[u32]) -> Vec<(u32, u32)> {
        let Limits { delays, period, .. } = limits;
        let mut arrivals = vec![[Arrival::default(); RESULTS]; self.graph.slice.len()];
        let mut pairs = Vec::new();
        for slice in 0..self.len() {
            if self.arrive(slice, stage, delays, &mut arrivals) + delays.setup <= period + EPSILON {
                continue;
            }
            for &op in &self.members[slice] {
                for result in 0..RESULTS as u32 {
                    if arrivals[op.index()][result as usize].at + delays.setup > period + EPSILON {
                        pairs.extend(
                            self.blame(limits, op, result, stage, &arrivals).map(|first| (first, slice as u32)),
                        );
                    }
                }
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    /// The last slice on the way to a late result from which on the way alone takes too long.
    fn blame(
        &self,
        limits: Limits<'_>,
        mut op: OpId,
        mut result: u32,
        stage: &[u32],
        arrivals: &[[Arrival; RESULTS]],
    ) -> Option<u32> {
        let Limits { delays, period, .. } = limits;
        let end = self.of[op.index()];
        let mut way = delays.setup;
        loop {
            let pin = arrivals[op.index()][result as usize].pin as usize;
            let wire = *self.graph.pins(op).get(pin)?;
            way += self.graph.net(wire, delays) + self.graph.cell(op, pin, result, delays)?;
            let here = self.of[op.index()];
            if here != end && way + delays.clock_to_output > period + EPSILON {
                return Some(here);
            }
            match wire.source {
                Source::Op(def, r) if self.same_stage(def, here as usize, stage) => (op, result) = (def, r),
                _ => return None,
            }
        }
    }
}

/// Sums of the same delays in another order differ by less.
const EPSILON: f64 = 1e-9;

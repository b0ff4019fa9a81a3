//! The longest path of a design.

use blc_ir::{Func, LocId, OpId};
use rustc_hash::FxHashMap;

use super::{Delays, Graph};
use crate::wires::Source;

/// A table, primitive or register on a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The op.
    pub op: OpId,
    /// Where it comes from.
    pub loc: LocId,
    /// When its output is there, in ns after the clock's edge or, without a clock, after the inputs.
    pub at: f64,
}

/// What limits a design, in ns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timing {
    /// From a register, or a port as a register around the design, to the next, clock-to-output and setup counted.
    pub period: f64,
    /// From an input to an output, registers around not counted, of a design without registers.
    pub through: f64,
    /// How long each path to a register or a result takes at most, counted as the period is.
    pub ends: Vec<f64>,
    /// The longest path, from its start. Empty where a register follows another or a port.
    pub path: Vec<Step>,
}

/// Analyses a function of tables, primitives and registers. What is in a loop, which the verifier refuses, has no time.
pub fn analyse(f: &Func, delays: &Delays) -> Timing {
    let graph = Graph::new(f);
    // When each result of logic is there, and the source it waits for.
    let mut arrival: FxHashMap<Source, (f64, Source)> = FxHashMap::default();
    let start = |source: Source, arrival: &FxHashMap<Source, (f64, Source)>| match arrival.get(&source) {
        Some(&(at, _)) => at,
        None => delays.clock_to_output,
    };
    for &op in &graph.ops {
        for result in 0..f.op(op).results().count() as u32 {
            let mut latest: Option<(f64, Source)> = None;
            for (i, &pin) in graph.pins(op).iter().enumerate() {
                let Some(cell) = graph.cell(op, i, result, delays) else { continue };
                if matches!(pin.source, Source::Const(_)) {
                    continue;
                }
                let at = start(pin.source, &arrival) + graph.net(pin, delays) + cell;
                if latest.is_none_or(|(best, _)| best < at) {
                    latest = Some((at, pin.source));
                }
            }
            if let Some(latest) = latest {
                arrival.insert(Source::Op(op, result), latest);
            }
        }
    }
    let mut worst = (delays.clock_to_output + delays.setup, None);
    let mut ends = Vec::with_capacity(graph.ends.len());
    for &(register, source) in &graph.ends {
        let at = match (arrival.get(&source), source) {
            (Some(&(at, _)), _) => at,
            (None, Source::Const(_)) => continue,
            // From register to register along a net; from a register to a port nothing is in between.
            (None, _) if register.is_some() => delays.clock_to_output + delays.net(1),
            (None, _) => delays.clock_to_output,
        };
        let at = at + delays.setup;
        ends.push(at);
        if at > worst.0 {
            worst = (at, Some(source));
        }
    }
    let clocked = f.clock().is_some();
    let zero = if clocked { 0.0 } else { delays.clock_to_output };
    let path = trace(f, worst.1, &arrival, delays.clock_to_output, zero);
    let through = path.last().filter(|_| !clocked).map_or(0.0, |step| step.at);
    Timing { period: worst.0, through, ends, path }
}

/// The path to a source, times counted from `zero`.
fn trace(f: &Func, to: Option<Source>, arrival: &FxHashMap<Source, (f64, Source)>, start: f64, zero: f64) -> Vec<Step> {
    let mut path = Vec::new();
    let mut at = to;
    while let Some(source) = at {
        let Source::Op(op, _) = source else { break };
        let known = arrival.get(&source);
        let time = known.map_or(start, |&(time, _)| time);
        path.push(Step { op, loc: f.op(op).loc, at: time - zero });
        at = known.map(|&(_, before)| before);
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::{FuncKind, OpKind, Type, Value};

    const DELAYS: Delays = Delays {
        lut: 0.1,
        net: 0.5,
        fanout: 0.2,
        carry_in: 0.4,
        carry: 0.05,
        carry_out: 0.2,
        mux: 0.3,
        clock_to_output: 0.3,
        setup: 0.02,
    };

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    #[test]
    fn the_longest_path_is_found_and_fan_out_counts() {
        let mut f = Func::new("f", FuncKind::HwModule);
        let x = f.add_param("x", Type::bits(3));
        let x: Vec<Value> = (0..3).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
        let a = f.lut(8, &[x[0], x[1]], LocId::UNKNOWN);
        let b = f.lut(6, &[a, x[2]], LocId::UNKNOWN);
        let c = f.lut(9, &[a, x[2]], LocId::UNKNOWN);
        f.add_result("b", b);
        f.add_result("c", c);
        let timing = analyse(&f, &DELAYS);
        // x and a have 1 and 2 readers.
        let through = 0.5 + 0.1 + (0.5 + 0.2) + 0.1;
        near(timing.through, through);
        near(timing.period, 0.3 + through + 0.02);
        assert_eq!(timing.ends, [timing.period; 2]);
        let path: Vec<OpId> = timing.path.iter().map(|s| s.op).collect();
        assert_eq!(path, [f.def_op(a).unwrap(), f.def_op(b).unwrap()]);
    }

    #[test]
    fn registers_cut_paths() {
        let mut f = Func::new("f", FuncKind::HwModule);
        let clk = f.add_param("clk", Type::CLOCK);
        let x = f.add_param("x", Type::BIT);
        let a = f.lut(1, &[x], LocId::UNKNOWN);
        let q = f.reg(a, clk, 1, LocId::UNKNOWN);
        let r = f.reg(q, clk, 2, LocId::UNKNOWN);
        f.add_result("y", r);
        let timing = analyse(&f, &DELAYS);
        near(timing.period, 0.3 + 0.5 + 0.1 + 0.02);
        assert_eq!(timing.through, 0.0);
        assert_eq!(timing.path.len(), 1);
    }

    #[test]
    fn a_chain_has_no_nets_inside() {
        let mut f = Func::new("f", FuncKind::HwModule);
        let x = f.add_param("x", Type::BIT);
        let zero = f.constant(0, Type::BIT);
        let six = [x, zero, zero, zero, zero, zero];
        let site = f.push(OpKind::Xc7Lut6_2 { init: 2 }, &six, &[Type::BIT; 2], LocId::UNKNOWN);
        let site: Vec<Value> = f.op(site).results().collect();
        let pins = [site[0], zero, zero, zero, site[1], zero, zero, zero, zero, zero];
        let chain = f.push(OpKind::Xc7Carry4 {}, &pins, &[Type::BIT; 8], LocId::UNKNOWN);
        let chain: Vec<Value> = f.op(chain).results().collect();
        let pins = [zero, zero, zero, zero, zero, zero, zero, zero, chain[7], zero];
        let next = f.push(OpKind::Xc7Carry4 {}, &pins, &[Type::BIT; 8], LocId::UNKNOWN);
        let next: Vec<Value> = f.op(next).results().collect();
        f.add_result("sum0", chain[0]);
        f.add_result("sum4", next[0]);
        near(analyse(&f, &DELAYS).through, 0.5 + 0.1 + 0.4 + 0.2);
    }
}

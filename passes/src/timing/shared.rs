//! What it costs in time that two functions share a site: both are as late as the latest pin of either.

use blc_ir::{Func, OpId};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Delays, Graph};
use crate::wires::Source;

/// Times that pairs are split, each with the paths of those before.
const ROUNDS: usize = 64;

/// Sweeps until arrivals settle: a function may wait for what stands behind it in the program.
const SWEEPS: usize = 64;

/// Splits pairs of functions that share a site where that makes a path longer than a period. What is too long by itself
/// stays so. The order of the rest is kept.
pub(crate) fn split(f: &Func, pairs: &mut Vec<(OpId, OpId)>, delays: &Delays, period: f64) {
    let graph = Graph::new(f);
    for _ in 0..ROUNDS {
        let guilty = guilty(&graph, pairs, delays, period);
        if guilty.is_empty() {
            return;
        }
        pairs.retain(|pair| !guilty.contains(&pair.0));
    }
}

/// When a result is there, and what it waits for; the latter's own pins or its partner's.
#[derive(Clone, Copy, PartialEq)]
struct Arrival {
    at: f64,
    from: Source,
    own: bool,
}

/// The first functions of pairs that make a path too long.
fn guilty(graph: &Graph, pairs: &[(OpId, OpId)], delays: &Delays, period: f64) -> FxHashSet<OpId> {
    let both = pairs.iter().flat_map(|&(a, b)| [(a, (b, a)), (b, (a, a))]);
    let partner: FxHashMap<OpId, (OpId, OpId)> = both.collect();
    let mut arrivals: FxHashMap<Source, Arrival> = FxHashMap::default();
    for _ in 0..SWEEPS {
        let mut settled = true;
        for &op in &graph.ops {
            for result in 0..graph.results(op) {
                let latest = |op: OpId, own: bool, arrivals: &FxHashMap<Source, Arrival>| {
                    let pins = graph.pins(op).iter().enumerate();
                    let at = |(i, &pin): (usize, &super::graph::Pin)| {
                        let cell = graph.cell(op, i, result, delays)?;
                        let start = match pin.source {
                            Source::Const(_) => return None,
                            source => arrivals.get(&source).map_or(delays.clock_to_output, |a| a.at),
                        };
                        Some(Arrival { at: start + graph.net(pin, delays) + cell, from: pin.source, own })
                    };
                    pins.filter_map(at).max_by(|a, b| a.at.total_cmp(&b.at))
                };
                let mut arrival = latest(op, true, &arrivals);
                if let Some(other) = partner.get(&op).and_then(|&(other, _)| latest(other, false, &arrivals))
                    && arrival.is_none_or(|own| own.at < other.at)
                {
                    arrival = Some(other);
                }
                if let Some(arrival) = arrival {
                    settled &= arrivals.insert(Source::Op(op, result), arrival) == Some(arrival);
                }
            }
        }
        if settled {
            break;
        }
    }
    let mut guilty = FxHashSet::default();
    let mut seen = FxHashSet::default();
    for &(_, end) in &graph.ends {
        let late = arrivals.get(&end).is_some_and(|a| a.at + delays.setup > period + 1e-9);
        let mut at = Some(end).filter(|_| late);
        while let Some(source) = at.filter(|&source| seen.insert(source)) {
            let arrival = arrivals.get(&source);
            if let (Some(Arrival { own: false, .. }), Source::Op(op, _)) = (arrival, source) {
                guilty.extend(partner.get(&op).map(|&(_, first)| first));
            }
            at = arrival.map(|a| a.from);
        }
    }
    guilty
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::{FuncKind, LocId, Type, Value};

    /// Two chains of two and of four tables; each table of the first could share a site with one of the second.
    #[test]
    fn pairs_that_delay_are_split() {
        let mut f = Func::new("f", FuncKind::HwModule);
        let x = f.add_param("x", Type::bits(2));
        let x: Vec<Value> = (0..2).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
        let chain = |f: &mut Func, from: Value, n: usize| -> Vec<Value> {
            let mut all = vec![from];
            for i in 0..n {
                all.push(f.lut(1, &[all[i]], LocId::UNKNOWN));
            }
            all
        };
        let (short, long) = (chain(&mut f, x[0], 2), chain(&mut f, x[1], 4));
        f.add_result("short", short[2]);
        f.add_result("long", long[4]);
        let op = |v: Value| f.def_op(v).unwrap();
        let level = (op(short[1]), op(long[1]));
        let skew = (op(short[2]), op(long[4]));
        let split_at = |period: f64| {
            let mut pairs = vec![level, skew];
            split(&f, &mut pairs, &Delays::default(), period);
            pairs
        };
        // The second pair makes the short chain end as late as the long one; that is late only for a shorter period.
        assert_eq!(split_at(4.0), [level, skew]);
        assert_eq!(split_at(3.0), [level]);
        // A pair that makes the long one longer: 1 + 4 tables.
        let mut pairs = vec![(op(short[2]), op(long[1]))];
        split(&f, &mut pairs, &Delays::default(), 4.0);
        assert_eq!(pairs, []);
    }
}

//! What is equal: joined LUTs, split LUTs, and classes as functions of two others.

use blc_ir::table::{VAR, cofactor, compose};
use egg::Id;
use smallvec::SmallVec;

use super::lang::{Graph, Lit, Node};
use super::{EGraphOptions, Stop, classes};

/// A LUT as rules see it: widened table and inputs.
type Lut = (u64, SmallVec<[Lit; 6]>);

/// Runs the rules until nothing is new or a cap is reached.
pub fn saturate(graph: &mut Graph, options: &EGraphOptions) -> Stop {
    for _ in 0..options.iters {
        let before = (graph.size(), graph.egg.number_of_classes());
        for rule in [fuse, split, pairs] {
            if !rule(graph, options) {
                graph.egg.rebuild();
                return Stop::Nodes;
            }
            graph.egg.rebuild();
        }
        if (graph.size(), graph.egg.number_of_classes()) == before {
            return Stop::Saturated;
        }
    }
    Stop::Iters
}

/// The LUTs of a class, as many as rules look at.
fn luts(graph: &Graph, id: Id, cap: usize) -> Vec<Lut> {
    let lut = |node: &Node| match node {
        Node::Lut(table, inputs) => {
            let inputs: SmallVec<[Lit; 6]> = inputs.iter().map(|&id| Lit { id, flip: false }).collect();
            Some((blc_ir::table::widen(*table, inputs.len()), inputs))
        }
        _ => None,
    };
    graph.egg[id].nodes.iter().filter_map(lut).take(cap).collect()
}

/// Adds a LUT to a class, unless caps forbid; false where the window is full.
fn add(graph: &mut Graph, id: Id, table: u64, inputs: &[Lit], options: &EGraphOptions) -> bool {
    if graph.size() >= options.nodes {
        return false;
    }
    if graph.egg[graph.egg.find(id)].nodes.len() < options.cap {
        let new = graph.lut(table, inputs);
        // Classes are 0 where all leaves are 0, and so is what stands for them.
        debug_assert!(!new.flip);
        graph.egg.union(id, new.id);
    }
    true
}

/// A LUT and one that it reads as one LUT.
fn fuse(graph: &mut Graph, options: &EGraphOptions) -> bool {
    for id in classes(&graph.egg) {
        for (table, inputs) in luts(graph, id, options.cap) {
            for (j, child) in inputs.iter().enumerate() {
                for (inner, below) in luts(graph, graph.egg.find(child.id), options.cap) {
                    let mut all: SmallVec<[Lit; 12]> = inputs.iter().copied().filter(|i| i != child).collect();
                    all.extend(below.iter().filter(|b| !inputs.contains(b) || *b == child).copied());
                    if all.len() > options.k || all.contains(child) {
                        continue;
                    }
                    let place = |lit: &Lit| all.iter().position(|a| a == lit).map_or(0, |at| VAR[at]);
                    let inner = compose(inner, &widened(&below, place));
                    let values: SmallVec<[u64; 6]> =
                        inputs.iter().enumerate().map(|(i, lit)| if i == j { inner } else { place(lit) }).collect();
                    if !add(graph, id, compose(table, &values), &all, options) {
                        return false;
                    }
                }
            }
        }
    }
    true
}

fn widened(lits: &[Lit], place: impl Fn(&Lit) -> u64) -> SmallVec<[u64; 6]> {
    lits.iter().map(place).collect()
}

/// A LUT as one of a LUT (or two) over some of its inputs, and the others: Ashenhurst and Curtis decomposition.
fn split(graph: &mut Graph, options: &EGraphOptions) -> bool {
    for id in classes(&graph.egg) {
        for (table, inputs) in luts(graph, id, options.cap) {
            let k = inputs.len();
            for set in (1u32..(1 << k) - 1).filter(|s| s.count_ones() >= 2) {
                let Some((codes, top)) = decompose(table, k, set) else { continue };
                let bound: SmallVec<[Lit; 6]> = (0..k).filter(|j| set >> j & 1 == 1).map(|j| inputs[j]).collect();
                let rest = (0..k).filter(|j| set >> j & 1 == 0).map(|j| inputs[j]);
                if bound.len() + 1 == codes.len() || graph.size() + codes.len() >= options.nodes {
                    continue;
                }
                let below: SmallVec<[Lit; 6]> = codes.iter().map(|&code| graph.lut(code, &bound)).collect();
                let all: SmallVec<[Lit; 6]> = below.into_iter().chain(rest).collect();
                if all.len() > options.k {
                    continue;
                }
                if !add(graph, id, top, &all, options) {
                    return false;
                }
            }
        }
    }
    true
}

/// Functions of the inputs of `set` (one or two), and the table over them and the other inputs, where the table has at most
/// as many different cofactors as those functions tell apart.
fn decompose(table: u64, k: usize, set: u32) -> Option<(SmallVec<[u64; 2]>, u64)> {
    let bound: SmallVec<[usize; 6]> = (0..k).filter(|j| set >> j & 1 == 1).collect();
    let mut columns: SmallVec<[u64; 4]> = SmallVec::new();
    let mut codes: SmallVec<[u64; 2]> = SmallVec::from_elem(0, 2);
    for assignment in 0..1usize << bound.len() {
        let (mut column, mut minterm) = (table, u64::MAX);
        for (i, &j) in bound.iter().enumerate() {
            let one = assignment >> i & 1 == 1;
            column = cofactor(column, j, one);
            minterm &= if one { VAR[i] } else { !VAR[i] };
        }
        let known = columns.iter().position(|&c| c == column);
        let code = known.unwrap_or(columns.len());
        if known.is_none() {
            columns.push(column);
        }
        if code == 4 {
            return None;
        }
        codes.iter_mut().enumerate().filter(|(bit, _)| code >> bit & 1 == 1).for_each(|(_, c)| *c |= minterm);
    }
    let m = if columns.len() <= 2 { 1 } else { 2 };
    // Two functions of as many inputs as they replace are no gain.
    if columns.len() < 2 || m >= bound.len() {
        return None;
    }
    codes.truncate(m);
    // The columns, over the inputs that are left: first the functions, then the rest.
    let rest = (0..k).filter(|j| set >> j & 1 == 0);
    let mut places: SmallVec<[u64; 6]> = SmallVec::from_elem(0, k);
    for (at, j) in rest.enumerate() {
        *places.get_mut(j)? = *VAR.get(m + at)?;
    }
    let mut top = 0;
    for code in 0..1usize << m {
        let column = columns.get(code).copied().unwrap_or(columns[0]);
        let minterm = (0..m).fold(u64::MAX, |t, b| t & if code >> b & 1 == 1 { VAR[b] } else { !VAR[b] });
        top |= minterm & compose(column & blc_ir::table::mask(k), &places);
    }
    Some((codes, top))
}

/// A class as a function of two others: resubstitution.
fn pairs(graph: &mut Graph, options: &EGraphOptions) -> bool {
    const MOST: usize = 48;
    let ids = classes(&graph.egg);
    let ids = &ids[..ids.len().min(MOST)];
    let tables: Vec<_> = ids.iter().map(|&id| graph.egg[id].data.clone()).collect();
    for (t, target) in tables.iter().enumerate() {
        if luts(graph, graph.egg.find(ids[t]), 1).is_empty() {
            continue;
        }
        for (a, x) in tables.iter().enumerate().filter(|&(a, _)| a != t) {
            for (b, y) in tables.iter().enumerate().skip(a + 1).filter(|&(b, _)| b != t) {
                let (mut ones, mut zeros) = (0u64, 0u64);
                for ((&x, &y), &t) in x.iter().zip(y).zip(target) {
                    for (cell, at) in [!x & !y, x & !y, !x & y, x & y].into_iter().enumerate() {
                        ones |= u64::from(at & t != 0) << cell;
                        zeros |= u64::from(at & !t != 0) << cell;
                    }
                    if ones & zeros != 0 {
                        break;
                    }
                }
                let inputs = [a, b].map(|i| Lit { id: ids[i], flip: false });
                if ones & zeros == 0 && !add(graph, ids[t], blc_ir::table::widen(ones, 2), &inputs, options) {
                    return false;
                }
            }
        }
    }
    true
}

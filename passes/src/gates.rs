//! `gates`: logic as gates of a library of standard cells, of as little area as is found.
//!
//! The function's LUTs are read as a net of gates of two inputs, as `cover` does. Each node is wanted in one or both
//! polarities; for either, every cut's function is looked up among the library's, with any of its leaves inverted, and the
//! one of least area flow taken, or an inverter behind the other polarity. After Hinsberger and Kolla, "Boolean matching for
//! large libraries" (DAC 1998), and Mishchenko et al. (ICCAD 2007) for the flow. Each gate is a `lut` of its function.

use blc_ir::table::{VAR, mask};
use blc_ir::{Diagnostic, Func, Level, Type, Value};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::codes;
use crate::cover::cut::{Cut, Lit, MAX};
use crate::cover::read::Subject;
use crate::cover::sets::{CutSets, Join};
use crate::pass::{Abort, Changed, NoOptions, Pass, PassCx, PassSpec};

/// Cuts kept of each node.
const CUTS: usize = 12;

/// Rounds, each with the uses of the one before.
const ROUNDS: usize = 5;

/// Of two inputs. A library without the first has four of the second for it.
const XOR: u64 = 0b0110;
const NAND: u64 = 0b0111;

/// Gates that logic can become.
#[derive(Clone, Debug, Default)]
pub struct Gates {
    /// By number of inputs and table.
    areas: FxHashMap<(u8, u64), f32>,
    inverter: f32,
    /// Most inputs.
    most: usize,
}

impl Gates {
    /// Of functions: inputs, at most six, table and area. Every order of a gate's inputs is a function; there has to be an
    /// inverter, and a NAND of two inputs.
    pub fn new(functions: impl IntoIterator<Item = (usize, u64, f64)>) -> Self {
        let mut gates = Self::default();
        for (n, table, area) in functions.into_iter().filter(|(n, ..)| (1..=MAX).contains(n)) {
            gates.most = gates.most.max(n);
            gates.areas.insert((n as u8, table), area as f32);
        }
        gates.inverter = gates.area(1, 0b01).unwrap_or(1.0);
        gates
    }

    /// The area of a function.
    pub fn area(&self, inputs: usize, table: u64) -> Option<f32> {
        self.areas.get(&(inputs as u8, table & mask(inputs))).copied()
    }
}

/// See the module's words.
#[derive(Debug)]
pub struct ToGates;

impl PassSpec for ToGates {
    const NAME: &'static str = "gates";
    const SUMMARY: &'static str = "Covers the logic with gates of a library of standard cells";
    const LEVEL: Level = Level::Hw;
    const LEVELS: &'static [Level] = &[Level::Bit, Level::Hw];
    type Options = NoOptions;

    fn build(_: NoOptions) -> Box<dyn Pass> {
        Box::new(Self)
    }
}

impl Pass for ToGates {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let gates = cx.gates.clone().filter(|gates| gates.area(1, 0b01).is_some() && gates.area(2, 0b0111).is_some());
        let Some(gates) = gates else {
            let d = Diagnostic::error(&codes::GATES_MISSING, "`gates` has no gates to build of");
            return Err(Box::new(d.help("compile for `--target gates`, which has its own or takes `--liberty FILE`")));
        };
        let best = [false, true].map(|descending| {
            let subject = Subject::read(f, 2, descending);
            let cover = Mapper::new(&subject, &gates).map();
            (subject, cover)
        });
        let [first, second] = &best;
        let (subject, cover) = if second.1.area < first.1.area { second } else { first };
        cx.fact("gates", subject.write_gates(f, cover, &gates));
        Ok(Changed::Yes)
    }
}

/// A function of nodes in some polarity, with the area of its gate; constants and wires have none.
#[derive(Clone, Debug)]
struct Choice {
    table: u64,
    leaves: SmallVec<[Lit; MAX]>,
    area: f32,
}

/// How each node comes about, by polarity, and where it is used.
struct Cover {
    choices: Vec<[Option<Choice>; 2]>,
    uses: Vec<[u32; 2]>,
    area: f64,
}

/// Ways to have a function: which inputs are inverted before the gate, its table and its area.
type Matches = SmallVec<[(u8, u64, f32); 4]>;

struct Mapper<'a> {
    subject: &'a Subject,
    gates: &'a Gates,
    known: FxHashMap<(u8, u64), Matches>,
    choices: Vec<[Option<Choice>; 2]>,
    /// By node and polarity, area of the cone below a use.
    flow: Vec<[f32; 2]>,
    /// Expected uses.
    estimate: Vec<[f32; 2]>,
}

impl<'a> Mapper<'a> {
    fn new(subject: &'a Subject, gates: &'a Gates) -> Self {
        let n = subject.net.node_count();
        let mut estimate = vec![[0.0f32; 2]; n];
        subject.outputs.iter().for_each(|output| estimate[output.lit.node() as usize][0] += 1.0);
        for node in 0..n as u32 {
            subject.net.block(node).leaves().iter().for_each(|&leaf| estimate[leaf as usize][0] += 1.0);
        }
        estimate.iter_mut().for_each(|e| *e = [e[0].max(1.0); 2]);
        let (known, choices, flow) = (FxHashMap::default(), vec![[None, None]; n], vec![[0.0; 2]; n]);
        Self { subject, gates, known, choices, flow, estimate }
    }

    fn map(mut self) -> Cover {
        let mut best: Option<Cover> = None;
        for _ in 0..ROUNDS {
            self.round();
            let cover = self.cover();
            for (estimate, uses) in self.estimate.iter_mut().zip(&cover.uses) {
                for (estimate, &uses) in estimate.iter_mut().zip(uses) {
                    *estimate = (*estimate + 2.0 * uses.max(1) as f32) / 3.0;
                }
            }
            if best.as_ref().is_none_or(|b| cover.area < b.area) {
                best = Some(cover);
            }
        }
        best.unwrap_or(Cover { choices: Vec::new(), uses: Vec::new(), area: 0.0 })
    }

    /// Chooses for every node, fan-ins first.
    fn round(&mut self) {
        let net = &self.subject.net;
        let mut sets = CutSets::default();
        let mut joins: Vec<Join> = Vec::new();
        for node in 0..net.node_count() as u32 {
            if net.is_leaf(node) {
                let constant = node == Lit::FALSE.node();
                self.flow[node as usize] = [0.0, self.gates.inverter / self.estimate[node as usize][1]];
                self.choices[node as usize] = [None, (!constant).then(|| self.inverter(node, true))];
                sets.push([]);
                continue;
            }
            sets.joins(net.block(node), self.gates.most, &mut joins);
            let mut kept: Vec<(f32, Cut)> = Vec::with_capacity(joins.len());
            let mut best: [Option<(f32, Choice)>; 2] = [None, None];
            for join in &joins {
                let cut = sets.finish(net.block(node), join);
                if kept.iter().any(|(_, other)| *other == cut) {
                    continue;
                }
                let mut least = f32::INFINITY;
                for phase in [false, true] {
                    let Some((flow, choice)) = self.cheapest(&cut, phase) else { continue };
                    least = least.min(flow);
                    let best = &mut best[usize::from(phase)];
                    if best.as_ref().is_none_or(|(b, _)| flow < *b) {
                        *best = Some((flow, choice));
                    }
                }
                // A cut without a gate may still be part of one with.
                let all: f32 =
                    cut.leaves().iter().map(|&leaf| self.flow[leaf as usize][0].min(self.flow[leaf as usize][1])).sum();
                kept.push((least.min(all + cut.size() as f32 * self.gates.inverter), cut));
            }
            let cost = |best: &Option<(f32, Choice)>| best.as_ref().map_or(f32::INFINITY, |(flow, _)| *flow);
            let costs = [cost(&best[0]), cost(&best[1])];
            let inverter = self.gates.inverter;
            let [positive, negative] = best.map(|best| best.map(|(_, choice)| choice));
            let n = node as usize;
            self.choices[n] = [
                if costs[1] + inverter < costs[0] { Some(self.inverter(node, false)) } else { positive },
                if costs[0] + inverter < costs[1] { Some(self.inverter(node, true)) } else { negative },
            ];
            self.flow[n] = [
                costs[0].min(costs[1] + inverter) / self.estimate[n][0],
                costs[1].min(costs[0] + inverter) / self.estimate[n][1],
            ];
            kept.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.size().cmp(&b.1.size())));
            sets.push(kept.into_iter().take(CUTS).map(|(_, cut)| cut));
        }
    }

    /// A node in a polarity, of the other one.
    fn inverter(&self, node: u32, phase: bool) -> Choice {
        Choice { table: 0b01, leaves: SmallVec::from_slice(&[Lit::new(node, !phase)]), area: self.gates.inverter }
    }

    /// The cheapest gate for a cut in a polarity, with its area and that of its leaves.
    fn cheapest(&mut self, cut: &Cut, phase: bool) -> Option<(f32, Choice)> {
        let n = cut.size();
        let table = (if phase { !cut.table } else { cut.table }) & mask(n);
        let flow = |lit: Lit| self.flow[lit.node() as usize][usize::from(lit.complement())];
        match *cut.leaves() {
            [] => return Some((0.0, Choice { table: table & 1, leaves: SmallVec::new(), area: 0.0 })),
            [leaf] => {
                let lit = Lit::new(leaf, table & 1 == 1);
                return Some((flow(lit), Choice { table: 0b10, leaves: SmallVec::from_slice(&[lit]), area: 0.0 }));
            }
            _ => {}
        }
        let gates = self.gates;
        let matches = self.known.entry((n as u8, table)).or_insert_with(|| matches(gates, n, table));
        let leaves =
            |flips: u8| cut.leaves().iter().enumerate().map(move |(j, &leaf)| Lit::new(leaf, flips >> j & 1 == 1));
        let cost = |&(flips, _, area): &(u8, u64, f32)| area + leaves(flips).map(flow).sum::<f32>();
        let best = matches.iter().min_by(|a, b| cost(a).total_cmp(&cost(b)))?;
        Some((cost(best), Choice { table: best.1, leaves: leaves(best.0).collect(), area: best.2 }))
    }

    /// What the outputs need.
    fn cover(&self) -> Cover {
        let mut uses = vec![[0u32; 2]; self.flow.len()];
        for output in &self.subject.outputs {
            uses[output.lit.node() as usize][usize::from(output.lit.complement())] += 1;
        }
        let mut area = 0.0;
        for node in (0..uses.len()).rev() {
            for phase in order(&self.choices[node], node).into_iter().rev() {
                let Some(choice) = self.choices[node][phase].as_ref().filter(|_| uses[node][phase] > 0) else {
                    continue;
                };
                area += f64::from(choice.area);
                choice.leaves.iter().for_each(|lit| uses[lit.node() as usize][usize::from(lit.complement())] += 1);
            }
        }
        Cover { choices: self.choices.clone(), uses, area }
    }
}

/// The polarities of a node, that which is made of the other last.
fn order(choices: &[Option<Choice>; 2], node: usize) -> [usize; 2] {
    let own = |choice: &Option<Choice>| {
        choice.as_ref().is_some_and(|c| c.leaves.iter().any(|lit| lit.node() as usize == node))
    };
    if own(&choices[0]) { [1, 0] } else { [0, 1] }
}

/// Every gate for a function, by which inputs are inverted before it.
fn matches(gates: &Gates, n: usize, table: u64) -> Matches {
    let mut found = Matches::new();
    for flips in 0u8..1 << n {
        let flipped = (0..n).filter(|j| flips >> j & 1 == 1).fold(blc_ir::table::widen(table, n), |t, j| {
            let shift = 1 << j;
            (t & VAR[j]) >> shift | (t & !VAR[j]) << shift
        });
        if let Some(area) = gates.area(n, flipped) {
            found.push((flips, flipped & mask(n), area));
        }
    }
    if found.is_empty() && n == 2 && table == XOR {
        found.push((0, XOR, 4.0 * gates.area(2, NAND).unwrap_or(1.0)));
    } else if found.is_empty() && n == 2 && table == XOR ^ 0b1111 {
        found.push((1, XOR, 4.0 * gates.area(2, NAND).unwrap_or(1.0)));
    }
    found
}

impl Subject {
    /// Puts gates in the place of the function's LUTs; returns how many.
    fn write_gates(&self, f: &mut Func, cover: &Cover, gates: &Gates) -> u64 {
        let mut values: Vec<[Option<Value>; 2]> = self.inputs.iter().map(|&value| [value, None]).collect();
        let mut constants = [None; 2];
        let mut constant = |f: &mut Func, bit: bool| {
            *constants[usize::from(bit)].get_or_insert_with(|| f.constant(u64::from(bit), Type::BIT))
        };
        let mut count = 0;
        for node in 0..values.len() {
            for phase in order(&cover.choices[node], node) {
                let Some(choice) = cover.choices[node][phase].as_ref().filter(|_| cover.uses[node][phase] > 0) else {
                    continue;
                };
                let inputs: SmallVec<[Value; MAX]> = choice
                    .leaves
                    .iter()
                    .filter_map(|lit| values[lit.node() as usize][usize::from(lit.complement())])
                    .collect();
                values[node][phase] = Some(match inputs[..] {
                    [] => constant(f, choice.table & 1 == 1),
                    [input] if choice.table == 0b10 => input,
                    _ => {
                        let leaves: SmallVec<[u32; MAX]> = choice.leaves.iter().map(|lit| lit.node()).collect();
                        let loc = self.origins(f, node as u32, &leaves);
                        let mut gate = |table, inputs: &[Value]| {
                            count += 1;
                            f.lut(table, inputs, loc)
                        };
                        match inputs[..] {
                            [a, b] if choice.table == XOR && gates.area(2, XOR).is_none() => {
                                let both = gate(NAND, &[a, b]);
                                let [a, b] = [a, b].map(|v| gate(NAND, &[v, both]));
                                gate(NAND, &[a, b])
                            }
                            _ => gate(choice.table, &inputs),
                        }
                    }
                });
            }
        }
        self.redirect(f, |f, output| match values[output.lit.node() as usize][usize::from(output.lit.complement())] {
            Some(value) => value,
            None => constant(f, output.lit.complement()),
        });
        count
    }
}

//! Carry chains in cells of a device: an `xc7.carry4` with the lookup tables at its `S` pins.
//!
//! A position adds `s` to the carry, and where `s` is 0 gives `d` as the next carry. What both are of which signals comes
//! from the tables at the pins, as far as nothing else reads those. [`CarryCell`] says which positions a device has.

use blc_ir::table::mask;
use blc_ir::{OpId, OpKind, Value};
use rustc_hash::FxHashMap;

use crate::cells::{Cell, Value as Word, constants, device_lut, input, output, parameters};
use crate::device::{CarryCell, Device};
use crate::nets::{Net, Nets};

/// The cells of a design's carry chains.
#[derive(Debug, Default)]
pub struct Ripples<'a> {
    cells: FxHashMap<OpId, Vec<Cell<'a>>>,
}

/// What a position adds, as tables over its signals.
struct Position {
    signals: Vec<Net>,
    s: u64,
    d: u64,
}

impl<'a> Ripples<'a> {
    /// Those of a device, as far as its cells can do it. Tables that became part of a chain leave the netlist.
    pub fn new(nets: &mut Nets<'_>, device: Option<&'a Device>) -> Self {
        let Some((device, carry)) = device.and_then(|d| Some((d, d.carry.as_ref()?))) else { return Self::default() };
        let chains: Vec<OpId> =
            nets.order.iter().copied().filter(|&id| nets.f.op(id).kind == OpKind::Xc7Carry4 {}).collect();
        let tables = own_tables(nets, &chains);
        let mut ripples = Self::default();
        for id in chains {
            if let Some(cells) = chain(nets, id, &tables, device, carry) {
                ripples.cells.insert(id, cells);
            }
        }
        let all = &ripples.cells;
        let f = nets.f;
        nets.order.retain(|&id| {
            !f.op(id).results().all(|v| tables.get(&v).is_some_and(|t| t.chains.iter().all(|c| all.contains_key(c))))
        });
        ripples
    }

    /// Those of an op.
    pub fn take(&mut self, id: OpId) -> Option<Vec<Cell<'a>>> {
        self.cells.remove(&id)
    }
}

/// A function that only carry chains read, at the pins of a position.
struct Own {
    pins: Vec<Net>,
    table: u64,
    chains: Vec<OpId>,
}

/// By result, the functions of tables at `S` pins that nothing but chains reads.
fn own_tables(nets: &Nets<'_>, chains: &[OpId]) -> FxHashMap<Value, Own> {
    let f = nets.f;
    let mut readers: FxHashMap<Net, Vec<OpId>> = FxHashMap::default();
    for &id in &nets.order {
        for (pin, &v) in f.op(id).operands.iter().enumerate() {
            // The carries of a chain are no tables of its positions.
            let reader = if f.op(id).kind == (OpKind::Xc7Carry4 {}) && pin < 8 { id } else { OpId(u32::MAX) };
            nets.of(v).iter().for_each(|&net| readers.entry(net).or_default().push(reader));
        }
    }
    for port in &f.results {
        nets.of(port.value).iter().for_each(|&net| readers.entry(net).or_default().push(OpId(u32::MAX)));
    }
    let mut own = FxHashMap::default();
    for &id in chains {
        for def in f.op(id).operands[..4].iter().filter_map(|&s| f.def_op(s)) {
            let op = f.op(def);
            let results: Vec<(Value, u64)> = match op.kind {
                OpKind::Lut { table } | OpKind::Xc7Lut6 { init: table } => vec![(op.result(), table)],
                OpKind::Xc7Lut6_2 { init } => op.results().zip([init, low_half(init)]).collect(),
                _ => continue,
            };
            let only = |v: Value| readers.get(&nets.bit(v)).is_none_or(|all| all.iter().all(|id| id.0 != u32::MAX));
            if !results.iter().all(|&(v, _)| only(v)) {
                continue;
            }
            let pins: Vec<Net> = op.operands.iter().map(|&v| nets.bit(v)).collect();
            let chains: Vec<OpId> =
                results.iter().flat_map(|&(v, _)| readers.get(&nets.bit(v)).cloned().unwrap_or_default()).collect();
            for (v, table) in results {
                own.insert(v, Own { pins: pins.clone(), table, chains: chains.clone() });
            }
        }
    }
    own
}

/// O5 of a dual-output table over all six pins: O6 where the last is 0.
fn low_half(init: u64) -> u64 {
    init & mask(5) | init << 32
}

/// The cells of a chain; `None` where a position is none of the device's.
fn chain<'a>(
    nets: &Nets<'_>,
    id: OpId,
    tables: &FxHashMap<Value, Own>,
    device: &'a Device,
    carry: &'a CarryCell,
) -> Option<Vec<Cell<'a>>> {
    let op = nets.f.op(id);
    let results: Vec<Net> = op.results().map(|v| nets.bit(v)).collect();
    let used = (0..4).rev().find(|&i| nets.is_used(results[i]) || nets.is_used(results[4 + i])).map_or(0, |i| i + 1);
    let mut carried = match [8, 9].map(|i| nets.bit(op.operands[i])) {
        [Net::ZERO, net] | [net, Net::ZERO] => net,
        _ => return None,
    };
    let positions: Vec<Position> =
        (0..used).map(|i| Position::new(nets, tables, op.operands[i], op.operands[4 + i])).collect::<Option<_>>()?;
    let mut cells = Vec::new();
    for (first, part) in (0..).step_by(carry.positions.len()).zip(positions.chunks(carry.positions.len())) {
        let last = first + part.len() - 1;
        // A carry between two positions of a cell stays inside.
        if (first..last).any(|i| nets.is_used(results[4 + i])) {
            return None;
        }
        let mut cell =
            Cell { kind: &carry.cell, parameters: parameters(&carry.parameters), pins: constants(&carry.ties) };
        for (i, shape) in carry.positions.iter().enumerate() {
            let own = part.get(i);
            let signals: Vec<Net> = match &shape.table {
                Some(parameter) => {
                    let (signals, table) = own.map_or(Some(([Net::ONE; 4], 0)), Position::tabled)?;
                    cell.parameters.push((parameter, Word::Bits(16, vec![table])));
                    signals.into()
                }
                None => own.map_or(Some([Net::ZERO; 2]), Position::pair)?.into(),
            };
            cell.pins.extend(shape.inputs.iter().zip(&signals).map(|(name, &net)| input(name, vec![net])));
            // A pin that nothing reads is connected, too.
            if let Some(name) = &shape.sum {
                cell.pins.push(output(name, vec![*results.get(first + i)?]));
            }
            if let Some(sum) = carry.sum.as_ref().filter(|_| nets.is_used(results[first + i])) {
                let place = |pin: &String| device.lut.inputs.iter().position(|name| name == pin);
                let mut ins = vec![Net::ZERO; device.lut.inputs.len()];
                for (pin, net) in sum.inputs.iter().chain([&sum.carry]).zip(signals.iter().copied().chain([carried])) {
                    ins[place(pin)?] = net;
                }
                let odd = |address: u64| {
                    let pins = sum.inputs.iter().chain([&sum.carry]).filter_map(place);
                    pins.fold(0, |odd, pin| odd ^ address >> pin & 1)
                };
                let table = (0..1u64 << ins.len()).fold(0, |table, a| table | odd(a) << a);
                cells.push(device_lut(&device.lut, table, &ins, vec![results[first + i]]));
            }
        }
        cell.pins.push(input(&carry.carry_in, vec![carried]));
        carried = results[4 + last];
        // The last position of a chain needs no carry cell where its sum is made beside it.
        if carry.sum.is_none() || last + 1 < used || nets.is_used(carried) {
            cell.pins.push(output(&carry.carry_out, vec![carried]));
            cells.push(cell);
        }
    }
    Some(cells)
}

impl Position {
    /// That of an `S` and a `DI`; `None` where it has more signals than a table inputs.
    fn new(nets: &Nets<'_>, tables: &FxHashMap<Value, Own>, s: Value, d: Value) -> Option<Self> {
        let mut signals: Vec<Net> = Vec::new();
        let mut add = |net: Net| {
            if net.as_const().is_none() && !signals.contains(&net) {
                signals.push(net);
            }
        };
        for v in [s, d] {
            match tables.get(&v) {
                Some(own) => own.pins.iter().copied().for_each(&mut add),
                None => add(nets.bit(v)),
            }
        }
        if signals.len() > 4 {
            return None;
        }
        let function = |v: Value| {
            let value = |net: Net, address: u64| match net.as_const() {
                Some(bit) => u64::from(bit),
                None => signals.iter().position(|&s| s == net).map_or(0, |i| address >> i & 1),
            };
            let at = |address: u64| match tables.get(&v) {
                Some(own) => {
                    let row = own.pins.iter().rev().fold(0, |row, &pin| row << 1 | value(pin, address));
                    own.table >> row & 1
                }
                None => value(nets.bit(v), address),
            };
            (0..1u64 << signals.len()).fold(0, |table, address| table | at(address) << address)
        };
        Some(Self { s: function(s), d: function(d), signals })
    }

    fn rows(&self) -> impl Iterator<Item = u64> + use<> {
        0..1u64 << self.signals.len()
    }

    /// Two nets of which `s` is the exclusive or, each as good as `d` where `s` is 0.
    fn pair(&self) -> Option<[Net; 2]> {
        let nets = || self.signals.iter().copied().chain([Net::ZERO, Net::ONE]);
        let value = |net: Net, row: u64| match net.as_const() {
            Some(bit) => u64::from(bit),
            None => self.signals.iter().position(|&s| s == net).map_or(0, |i| row >> i & 1),
        };
        let fits = |a: Net, b: Net| {
            self.rows().all(|row| {
                let (a, b) = (value(a, row), value(b, row));
                a ^ b == self.s >> row & 1 && (a != b || a == self.d >> row & 1)
            })
        };
        nets().flat_map(|a| nets().map(move |b| [a, b])).find(|&[a, b]| fits(a, b))
    }

    /// Four nets, the last 1 where there are fewer, and a table that gives `s`, and where `s` is 0 `d` as its value at 0 of
    /// the last two.
    fn tabled(&self) -> Option<([Net; 4], u64)> {
        let n = self.signals.len();
        orders(n).into_iter().find_map(|order| {
            let mut nets = [Net::ONE; 4];
            order.iter().zip(&mut nets).for_each(|(&i, net)| *net = self.signals[i]);
            let address = |row: u64| (0..4).fold(0, |a, pin| a | order.get(pin).map_or(1, |&i| row >> i & 1) << pin);
            let mut table = self.rows().fold(0, |table, row| table | (self.s >> row & 1) << address(row));
            for row in self.rows().filter(|row| self.s >> row & 1 == 0) {
                let d = (self.d >> row & 1) << (address(row) & 3);
                // With four signals the table is what `s` is; with fewer its lowest rows are free.
                table |= if n < 4 { d } else { 0 };
            }
            let holds = |row: u64| self.s >> row & 1 == 1 || table >> (address(row) & 3) & 1 == self.d >> row & 1;
            self.rows().all(holds).then_some((nets, table))
        })
    }
}

/// The orders of so many signals, up to four.
fn orders(n: usize) -> Vec<Vec<usize>> {
    (0..n).fold(vec![Vec::new()], |orders, next| {
        let places = |order: &Vec<usize>| {
            let order = order.clone();
            (0..=order.len()).map(move |at| {
                let mut order = order.clone();
                order.insert(at, next);
                order
            })
        };
        orders.iter().flat_map(places).collect()
    })
}

//! A design as cells of its device: what place and route takes.
//!
//! Lookup tables and registers become the cells that the [`Device`] names; without one, those of Yosys' own library
//! (`$lut`, `$dff`). Primitives of Xilinx devices stand for themselves.

use std::collections::BTreeMap;

use blc_ir::{Diagnostic, Op, OpId, OpKind, Result};

use crate::carry8::Carry8;
use crate::codes;
use crate::device::{Device, LutCell, MuxCell, Parameter, RegisterCell};
use crate::emit::{Options, origin};
use crate::nets::{Net, Nets};

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// So many bits, lowest first in the words.
    Bits(usize, Vec<u64>),
    /// A word of the vendor's.
    Text(&'a str),
}

/// Direction of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the cell.
    In,
    /// Out of it.
    Out,
}

/// A pin of a cell, lowest bit first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its direction.
    pub direction: Direction,
    /// What it is connected to.
    pub nets: Vec<Net>,
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell<'a> {
    /// What it is.
    pub kind: &'a str,
    /// Its parameters.
    pub parameters: Vec<(&'a str, Value<'a>)>,
    /// Its pins.
    pub pins: Vec<Pin<'a>>,
}

const LUT_INPUTS: [&str; 6] = ["I0", "I1", "I2", "I3", "I4", "I5"];
const LUTS: [&str; 7] = ["", "LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6"];

fn bit(value: bool) -> Value<'static> {
    Value::Bits(1, vec![u64::from(value)])
}

pub(crate) fn input<'a>(name: &'a str, nets: Vec<Net>) -> Pin<'a> {
    Pin { name, direction: Direction::In, nets }
}

pub(crate) fn output<'a>(name: &'a str, nets: Vec<Net>) -> Pin<'a> {
    Pin { name, direction: Direction::Out, nets }
}

/// The cell of an op, of the options' library or device.
///
/// # Errors
/// Those of [`cell`], and of [`crate::liberty::cells::cell`].
pub fn of<'a>(nets: &Nets<'_>, id: OpId, options: &'a Options) -> Result<Cell<'a>> {
    match &options.liberty {
        Some(library) => crate::liberty::cells::cell(nets, id, library),
        None => cell(nets, id, options.device.as_ref()),
    }
}

/// The cell of an op.
///
/// # Errors
/// `BL3007`: the device has no cell for it.
pub fn cell<'a>(nets: &Nets<'_>, id: OpId, device: Option<&'a Device>) -> Result<Cell<'a>> {
    let op = nets.f.op(id);
    let refused = |why: &str| {
        let name = device.map_or("Yosys' library", |d| d.name.as_str());
        let text = format!("{name} has no cell for {}: {why}", op.info().mnemonic);
        let place = format!("@{}: {}", nets.f.name, origin(&nets.f.locs, op.loc));
        Box::new(Diagnostic::error(&codes::NO_CELL, text).in_op(place).help("compile for another target"))
    };
    let of = |v| nets.bit(v);
    let ins: Vec<Net> = op.operands.iter().map(|&v| of(v)).collect();
    let outs: Vec<Net> = op.results().map(of).collect();
    let one = |nets: &[Net], i: usize| vec![nets.get(i).copied().unwrap_or(Net::ZERO)];
    Ok(match (op.kind, device) {
        (OpKind::Lut { table }, None) => yosys_lut(&ins, &outs, vec![table]),
        (OpKind::LutWide { table }, None) => yosys_lut(&ins, &outs, nets.f.table(table).to_vec()),
        (OpKind::Reg { init: false, .. }, None) => Cell {
            kind: "$dff",
            parameters: vec![("CLK_POLARITY", bit(true)), ("WIDTH", Value::Bits(32, vec![1]))],
            pins: vec![input("CLK", one(&ins, 1)), input("D", one(&ins, 0)), output("Q", outs)],
        },
        (OpKind::Lut { table } | OpKind::Xc7Lut6 { init: table }, Some(device))
            if ins.len() <= device.lut.inputs.len() =>
        {
            device_lut(&device.lut, table, &ins, outs)
        }
        (OpKind::Reg { init, .. }, Some(device)) => match device.register(init) {
            Some(register) => device_register(register, &ins, outs),
            None => return Err(refused("no register of it starts at 1")),
        },
        (OpKind::Xc7MuxF7 {} | OpKind::Xc7MuxF8 {}, Some(device)) if !device.mux.is_empty() => {
            let level = usize::from(matches!(op.kind, OpKind::Xc7MuxF8 {}));
            device_mux(&device.mux[level.min(device.mux.len() - 1)], &ins, outs)
        }
        (OpKind::Xc7Lut6 { init }, None) => {
            let mut pins: Vec<Pin> = LUT_INPUTS.iter().zip(&ins).map(|(name, &net)| input(name, vec![net])).collect();
            pins.push(output("O", outs));
            let kind = LUTS.get(ins.len()).copied().unwrap_or("LUT6");
            Cell { kind, parameters: vec![("INIT", Value::Bits(1 << ins.len(), vec![init]))], pins }
        }
        (OpKind::Xc7Lut6_2 { init }, None) => {
            let full = ins.iter().copied().chain(std::iter::repeat(Net::ONE)).take(6);
            let mut pins: Vec<Pin> = LUT_INPUTS.iter().zip(full).map(|(name, net)| input(name, vec![net])).collect();
            pins.extend([output("O6", one(&outs, 0)), output("O5", one(&outs, 1))]);
            Cell { kind: "LUT6_2", parameters: vec![("INIT", Value::Bits(64, vec![init]))], pins }
        }
        (OpKind::Xc7Carry4 {}, None) => carry4(&ins, &outs),
        (OpKind::Xc7MuxF7 {} | OpKind::Xc7MuxF8 {}, None) => Cell {
            kind: if matches!(op.kind, OpKind::Xc7MuxF7 {}) { "MUXF7" } else { "MUXF8" },
            parameters: Vec::new(),
            pins: vec![
                input("I0", one(&ins, 0)),
                input("I1", one(&ins, 1)),
                input("S", one(&ins, 2)),
                output("O", outs),
            ],
        },
        (OpKind::Xc7Fdre { init, .. }, None) => Cell {
            kind: "FDRE",
            parameters: vec![("INIT", bit(init))],
            pins: vec![
                input("C", one(&ins, 1)),
                input("CE", vec![Net::ONE]),
                input("D", one(&ins, 0)),
                output("Q", outs),
                input("R", vec![Net::ZERO]),
            ],
        },
        _ => return Err(refused(why(&op))),
    })
}

fn why(op: &Op<'_>) -> &'static str {
    match op.kind {
        OpKind::Reg { .. } => "no register of it starts at 1",
        OpKind::Lut { .. } | OpKind::LutWide { .. } | OpKind::Xc7Lut6 { .. } => {
            "the table has more inputs than one of the device's"
        }
        _ => "it is a primitive of another family",
    }
}

fn yosys_lut(ins: &[Net], outs: &[Net], table: Vec<u64>) -> Cell<'static> {
    let width = Value::Bits(32, vec![ins.len() as u64]);
    Cell {
        kind: "$lut",
        parameters: vec![("LUT", Value::Bits(1 << ins.len(), table)), ("WIDTH", width)],
        pins: vec![input("A", ins.to_vec()), output("Y", outs.to_vec())],
    }
}

pub(crate) fn device_lut<'a>(lut: &'a LutCell, table: u64, ins: &[Net], outs: Vec<Net>) -> Cell<'a> {
    // Where an input is tied to 0 the upper half of the table is never read.
    let given = ins.iter().copied().chain(std::iter::repeat(Net::ZERO));
    let mut pins: Vec<Pin> = lut.inputs.iter().zip(given).map(|(name, net)| input(name, vec![net])).collect();
    pins.push(output(&lut.output, outs));
    Cell { kind: &lut.cell, parameters: vec![(&lut.table, Value::Bits(1 << lut.inputs.len(), vec![table]))], pins }
}

fn device_mux<'a>(mux: &'a MuxCell, ins: &[Net], outs: Vec<Net>) -> Cell<'a> {
    let names = mux.inputs.iter().chain([&mux.select]);
    let mut pins: Vec<Pin> = names.zip(ins).map(|(name, &net)| input(name, vec![net])).collect();
    pins.push(output(&mux.output, outs));
    Cell { kind: &mux.cell, parameters: Vec::new(), pins }
}

fn device_register<'a>(register: &'a RegisterCell, ins: &[Net], outs: Vec<Net>) -> Cell<'a> {
    let net = |i: usize| vec![ins.get(i).copied().unwrap_or(Net::ZERO)];
    let mut pins = vec![input(&register.data, net(0)), input(&register.clock, net(1)), output(&register.output, outs)];
    pins.extend(constants(&register.ties));
    Cell { kind: &register.cell, parameters: parameters(&register.parameters), pins }
}

/// Inputs that are constant.
pub(crate) fn constants(ties: &BTreeMap<String, u8>) -> Vec<Pin<'_>> {
    let constant = |&b: &u8| if b == 1 { Net::ONE } else { Net::ZERO };
    ties.iter().map(|(name, b)| input(name, vec![constant(b)])).collect()
}

/// Parameters of a device's cell.
pub(crate) fn parameters(of: &BTreeMap<String, Parameter>) -> Vec<(&str, Value<'_>)> {
    let value = |value| match value {
        &Parameter::Bit(b) => bit(b == 1),
        Parameter::Text(text) => Value::Text(text),
    };
    of.iter().map(|(name, parameter)| (name.as_str(), value(parameter))).collect()
}

/// A CARRY8; of the lower half alone, the upper one's inputs are 0.
pub fn carry8(carry: Carry8) -> Cell<'static> {
    let eight = |nets: Vec<Net>| nets.into_iter().chain(std::iter::repeat(Net::ZERO)).take(8).collect();
    Cell {
        kind: "CARRY8",
        parameters: vec![("CARRY_TYPE", Value::Text("SINGLE_CY8"))],
        pins: vec![
            input("CI", vec![carry.ci]),
            input("CI_TOP", vec![Net::ZERO]),
            input("DI", eight(carry.di)),
            input("S", eight(carry.s)),
            output("CO", carry.co),
            output("O", carry.o),
        ],
    }
}

/// Two carries into one chain of an UltraScale+ slice.
pub fn two_carries(nets: &Nets<'_>, id: OpId) -> Box<Diagnostic> {
    let op = nets.f.op(id);
    let text = "a CARRY8 takes one carry, `xc7.carry4` has two here";
    let place = format!("@{}: {}", nets.f.name, origin(&nets.f.locs, op.loc));
    Box::new(Diagnostic::error(&codes::NO_CELL, text).in_op(place).help("tie CI or CYINIT to 0, or compile for xc7"))
}

fn carry4(ins: &[Net], outs: &[Net]) -> Cell<'static> {
    let part = |nets: &[Net], from: usize, n: usize| nets.iter().copied().skip(from).take(n).collect();
    Cell {
        kind: "CARRY4",
        parameters: Vec::new(),
        pins: vec![
            input("CI", part(ins, 8, 1)),
            input("CYINIT", part(ins, 9, 1)),
            input("DI", part(ins, 4, 4)),
            input("S", part(ins, 0, 4)),
            output("CO", part(outs, 4, 4)),
            output("O", part(outs, 0, 4)),
        ],
    }
}

//! A design in the cells of a library: instances, models to simulate with, and the area.

use std::collections::BTreeMap;

use blc_ir::{Diagnostic, Func, Module, OpId, OpKind, Result};

use super::Library;
use crate::cells::{Cell, input, output};
use crate::codes;
use crate::emit::origin;
use crate::names::Language;
use crate::nets::{Net, Nets};

/// The cell of an op.
///
/// # Errors
/// `BL3007`: no cell of the library has the function; `BL3014`: it has no flip-flop.
pub fn cell<'a>(nets: &Nets<'_>, id: OpId, library: &'a Library) -> Result<Cell<'a>> {
    let op = nets.f.op(id);
    let place = || format!("@{}: {}", nets.f.name, origin(&nets.f.locs, op.loc));
    let ins: Vec<Net> = op.operands.iter().map(|&v| nets.bit(v)).collect();
    let out = nets.bit(op.result());
    match op.kind {
        OpKind::Lut { table } => {
            let Some((gate, pins)) = library.find(ins.len(), table) else {
                let text = format!("library `{}` has no gate of a function", library.name.escape_default());
                let help = "compile for `--target gates`, or run the pass `gates`";
                return Err(Box::new(Diagnostic::error(&codes::NO_CELL, text).in_op(place()).help(help)));
            };
            let mut all: Vec<_> = pins.into_iter().zip(ins).map(|(name, net)| input(name, vec![net])).collect();
            all.push(output(&gate.output, vec![out]));
            Ok(Cell { kind: &gate.name, parameters: Vec::new(), pins: all })
        }
        OpKind::Reg { .. } => {
            let Some(flop) = &library.register else {
                let text =
                    format!("library `{}` has no flip-flop of data and clock alone", library.name.escape_default());
                let help = "`--stages 0` makes a design without registers";
                return Err(Box::new(Diagnostic::error(&codes::LIBERTY_CELLS, text).in_op(place()).help(help)));
            };
            let net = |i: usize| vec![ins.get(i).copied().unwrap_or(Net::ZERO)];
            let pins = vec![input(&flop.data, net(0)), input(&flop.clock, net(1)), output(&flop.output, vec![out])];
            Ok(Cell { kind: &flop.name, parameters: Vec::new(), pins })
        }
        _ => {
            let text = format!("a library of gates has no cell for {}", op.info().mnemonic);
            let help = "compile for `--target gates`";
            Err(Box::new(Diagnostic::error(&codes::NO_CELL, text).in_op(place()).help(help)))
        }
    }
}

/// What a design takes of a library.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// How many of each cell, by name.
    pub cells: BTreeMap<String, u64>,
    /// Their area, in the library's unit.
    pub area: f64,
}

/// What a function takes of a library.
pub fn taken(f: &Func, library: &Library) -> Taken {
    let mut taken = Taken::default();
    for (_, op) in f.ops() {
        let found = match op.kind {
            OpKind::Lut { table } => library.find(op.operands.len(), table).map(|(gate, _)| (&gate.name, gate.area)),
            OpKind::Reg { .. } => library.register.as_ref().map(|flop| (&flop.name, flop.area)),
            _ => None,
        };
        if let Some((name, area)) = found {
            *taken.cells.entry(name.clone()).or_default() += 1;
            taken.area += area;
        }
    }
    taken
}

/// The file that the models of a library's cells go into.
pub fn file(library: &Library) -> String {
    format!("{}_sim.v", Language::Verilog.legal(&library.name))
}

/// Verilog models of the cells that a module's top function takes.
pub fn models(module: &Module, library: &Library) -> Option<String> {
    let taken = taken(module.top()?, library);
    (!taken.cells.is_empty()).then(|| library.models(|name| taken.cells.contains_key(name)))
}

//! Import of BLIF, the netlist format of SIS, ABC, Yosys and VTR: `.names`, and `.latch` of one clock.
//!
//! A netlist without latches becomes a function at bit level, one with latches a module at hw level with a clock.
//!
//! A `.names` of `k` signals becomes a lookup table whose input 0, the lowest address bit, is the first signal. Gates keep
//! their names and lines; their order is that of the file as far as it defines before it uses. What BLIF can say beyond that (mapped latches,
//! subcircuits, library gates, several models, don't-care networks) is refused by name.

mod cover;
mod netlist;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::Path;

use blc_ir::diag::{Result, Source};
use blc_ir::loc::LocId;
use blc_ir::{Func, FuncKind, Module, OpKind, Type, Value};

use crate::{files, lower};
use netlist::Netlist;

/// Most inputs of one `.names`.
pub const MAX_INPUTS: usize = 16;
/// Largest file.
const MAX_FILE: u64 = 1 << 30;

/// Reads a BLIF file of at most 1 GiB.
///
/// Errors: `BL1001`, `BL1003`, `BL1004` for the file, those of [`import`] for what is in it.
pub fn read(path: &Path) -> Result<Module> {
    import(&files::read_text(path, MAX_FILE)?, &files::display(path))
}

/// A BLIF text to a module of one function, `net`, whose ports (the clock of latches first) are the file's inputs and outputs in order.
///
/// `file` is what diagnostics call the text; its last component stands in the gates' locations.
///
/// Errors: `BL1101` to `BL1115`, and `BL1003` for a text of more than 1 GiB.
pub fn import(text: &str, file: &str) -> Result<Module> {
    if text.len() as u64 > MAX_FILE {
        return Err(files::too_large(file, MAX_FILE));
    }
    let netlist = parse::parse(text).and_then(|netlist| netlist.sorted());
    let netlist = netlist.map_err(|wrong| wrong.in_source(&Source::new(file, text)))?;
    Ok(to_ir(&netlist, Path::new(file)))
}

fn to_ir(netlist: &Netlist<'_>, file: &Path) -> Module {
    let stem = file.file_stem().map_or_else(|| "net".into(), |s| s.to_string_lossy());
    let file = file.file_name().map_or_else(|| "net".into(), |s| s.to_string_lossy());
    let mut module = Module::new(lower::identifier(netlist.model.unwrap_or(&stem)));
    let kind = if netlist.latches.is_empty() { FuncKind::Func } else { FuncKind::HwModule };
    let mut f = Func::new("net", kind);
    let mut values = vec![None; netlist.signals.len()];
    let clock = (kind == FuncKind::HwModule).then(|| {
        let taken = |name: &str| netlist.inputs.iter().chain(&netlist.outputs).any(|&s| netlist.name(s) == name);
        let free = ["clk", "clock"].into_iter().find(|name| !taken(name)).unwrap_or("clk__");
        f.add_param(netlist.clock.map_or(free, |signal| netlist.name(signal)), Type::CLOCK)
    });
    for &input in netlist.inputs.iter().filter(|&&input| Some(input) != netlist.clock) {
        values[input as usize] = Some(f.add_param(netlist.name(input), Type::BIT));
    }
    // What a latch reads is known when all gates are there.
    let latches: Vec<_> = netlist.latches.iter().zip(clock.iter().cycle()).collect();
    for (latch, clock) in &latches {
        let loc = f.locs.line(&file, latch.line);
        let q = f.push1(OpKind::Reg { stage: 0, init: latch.init }, &[**clock, **clock], Type::BIT, loc);
        f.set_name(q, netlist.name(latch.output));
        values[latch.output as usize] = Some(q);
    }
    let mut operands = Vec::with_capacity(MAX_INPUTS);
    for gate in &netlist.gates {
        operands.clear();
        operands.extend(netlist.fanin(gate).iter().filter_map(|&s| values[s as usize]));
        let table = netlist.table(gate);
        let loc = f.locs.line(&file, gate.line);
        let value = match (operands.len(), table) {
            (0, &[table]) => f.push1(OpKind::Const { value: table & 1 }, &[], Type::BIT, loc),
            (1..=6, &[table]) => f.lut(table, &operands, loc),
            _ if clock.is_some() => split(&mut f, table, &operands, loc),
            _ => f.lut_wide(table, &operands, loc),
        };
        f.set_name(value, netlist.name(gate.output));
        values[gate.output as usize] = Some(value);
    }
    for (latch, clock) in latches {
        let (q, d) = (values[latch.output as usize], values[latch.input as usize]);
        if let (Some(op), Some(d)) = (q.and_then(|q| f.def_op(q)), d) {
            f.set_operands(op, &[d, *clock]);
        }
    }
    let ports = f.params.iter().filter(|_| kind == FuncKind::HwModule);
    let mut taken: HashSet<String> = ports.map(|port| port.name.clone()).collect();
    for &output in &netlist.outputs {
        if let Some(value) = values[output as usize] {
            let mut name = netlist.name(output).to_owned();
            // An output that is an input, too, gets another name in hardware, whose ports all differ.
            while !taken.insert(name.clone()) {
                name.push_str("_out");
            }
            f.add_result(name, value);
        }
    }
    module.funcs.push(f);
    module
}

/// A wide table as tables of six and multiplexers: hw level has no wide ones.
fn split(f: &mut Func, table: &[u64], operands: &[Value], loc: LocId) -> Value {
    match operands.split_last() {
        Some((&top, rest)) if table.len() > 1 => {
            let (low, high) = table.split_at(table.len() / 2);
            let parts = [split(f, low, rest, loc), split(f, high, rest, loc), top];
            // The second where the third is 1, otherwise the first.
            f.lut(0b1100_1010, &parts, loc)
        }
        _ => f.lut(table.first().copied().unwrap_or(0), operands, loc),
    }
}

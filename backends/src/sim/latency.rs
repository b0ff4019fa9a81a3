//! How many cycles a design takes, and whether it is a pipeline at all.
//!
//! In a pipeline every path from an input to an output passes the same number of registers. Then output `t + latency`
//! depends on input `t` alone, and the value is that of the same logic with its registers as wires: samples can be
//! evaluated side by side instead of one after the other.

use blc_ir::diag::{Diagnostic, Result};
use blc_ir::{Func, Module, OpId};

use super::netlist::{Cell, Netlist, Signal};
use crate::codes::{SIM_FEEDBACK, SIM_LATENCY, SIM_UNBALANCED};

/// Cycles from input to output of a pipeline. Constants fit any number; where all outputs are constant, it is what the
/// function says.
///
/// # Errors
/// Feedback, operands of different cycles that meet, or outputs of different latency.
pub(super) fn latency(module: &Module, f: &Func, netlist: &Netlist) -> Result<u64> {
    let at = |op: OpId| format!("@{}: {}", f.name, blc_ir::print::op_text(module, f, op));
    const HELP: &str = "run it cycle by cycle (`blc sim --cycles N`), or balance its registers (pass `pipeline`)";
    if let Some(op) = netlist.feedback {
        let text = "the design has feedback, so one sample's outputs depend on the samples before it";
        return Err(Box::new(
            Diagnostic::error(&SIM_FEEDBACK, text).in_op(at(op)).help("run it cycle by cycle: `blc sim --cycles N`"),
        ));
    }
    let mut depth: Vec<Option<u32>> = vec![None; netlist.signals()];
    for bit in 0..netlist.inputs {
        depth[netlist.input(bit) as usize] = Some(0);
    }
    for (i, cell) in netlist.cells.iter().enumerate() {
        depth[netlist.first_cell() + i] = match cell {
            Cell::Register { d, .. } => depth[*d as usize].map(|n| n + 1),
            Cell::Lut(lut) => common(lut.inputs(), &depth).map_err(|(a, b)| {
                let text = format!("signals after {a} and {b} registers meet, so samples of different cycles mix");
                Diagnostic::error(&SIM_UNBALANCED, text).in_op(at(netlist.origins[i])).help(HELP)
            })?,
        };
    }
    let outputs = common(&netlist.outputs, &depth).map_err(|(a, b)| {
        let text = format!("one output comes after {a} registers, another after {b}");
        Diagnostic::error(&SIM_LATENCY, text).in_op(format!("@{}", f.name)).help(HELP)
    })?;
    Ok(outputs.map_or(f.latency(), u64::from))
}

/// The depth that signals share, or two that differ.
fn common(signals: &[Signal], depth: &[Option<u32>]) -> std::result::Result<Option<u32>, (u32, u32)> {
    let mut known = signals.iter().filter_map(|&signal| depth[signal as usize]);
    let Some(first) = known.next() else { return Ok(None) };
    known.find(|&d| d != first).map_or(Ok(Some(first)), |other| Err((first, other)))
}

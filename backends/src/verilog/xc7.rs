//! Primitives of Xilinx 7-series and UltraScale+ devices: instances, and models of them to simulate with.

use std::fmt::{self, Write};

use blc_ir::{Func, Module, OpId, OpKind, Result};

use crate::carry8::Joined;
use crate::cells::two_carries;
use crate::emit::VERSION;
use crate::names::Named;
use crate::nets::{Net, Nets};

/// What a primitive is called, and its model. The models say exactly what the IR's ops mean.
const MODELS: &[(&str, &str)] = &[
    ("LUT1", include_str!("models/LUT1.v")),
    ("LUT2", include_str!("models/LUT2.v")),
    ("LUT3", include_str!("models/LUT3.v")),
    ("LUT4", include_str!("models/LUT4.v")),
    ("LUT5", include_str!("models/LUT5.v")),
    ("LUT6", include_str!("models/LUT6.v")),
    ("LUT6_2", include_str!("models/LUT6_2.v")),
    ("CARRY4", include_str!("models/CARRY4.v")),
    ("CARRY8", include_str!("models/CARRY8.v")),
    ("MUXF7", include_str!("models/MUXF7.v")),
    ("MUXF8", include_str!("models/MUXF8.v")),
    ("FDRE", include_str!("models/FDRE.v")),
];

/// The file that the models of a design go into.
pub const FILE: &str = "xc7_sim.v";

/// Simulation models of the primitives that a module's top function uses; `None` where it uses none.
///
/// Only those that are used, so that a linter finds one top module. Synthesis has its own: leave the file out there.
pub fn models(module: &Module) -> Option<String> {
    let f = module.top()?;
    let up = module.target.as_deref() == Some("xcup");
    let called = |id| primitive(f, id).map(|p| if up && p == "CARRY4" { "CARRY8".into() } else { p });
    let used = |name: &str| f.ops().any(|(id, _)| called(id).is_some_and(|p| p == name));
    let models: Vec<&str> = MODELS.iter().filter(|(name, _)| used(name)).map(|(_, text)| *text).collect();
    if models.is_empty() {
        return None;
    }
    let mut out = format!(
        "// Simulation models of xc7 primitives, for tools without Xilinx libraries: written by blc {VERSION}.\n"
    );
    out.push_str("// For simulation only: synthesis knows the primitives.\n\n");
    out.push_str("/* verilator lint_off DECLFILENAME */\n`default_nettype none\n\n");
    out.push_str(&models.join("\n"));
    out.push_str("\n`default_nettype wire\n/* verilator lint_on DECLFILENAME */\n");
    Some(out)
}

/// The primitive that an op stands for.
fn primitive(f: &Func, id: OpId) -> Option<String> {
    let op = f.op(id);
    Some(match op.kind {
        OpKind::Xc7Lut6 { .. } => format!("LUT{}", op.operands.len()),
        OpKind::Xc7Lut6_2 { .. } => "LUT6_2".into(),
        OpKind::Xc7Carry4 {} => "CARRY4".into(),
        OpKind::Xc7MuxF7 {} => "MUXF7".into(),
        OpKind::Xc7MuxF8 {} => "MUXF8".into(),
        OpKind::Xc7Fdre { .. } => "FDRE".into(),
        _ => return None,
    })
}

/// The CARRY8s of a design.
pub(super) fn carries(nets: &mut Nets<'_>) -> Result<Joined> {
    let joined = Joined::new(nets);
    let carry = |id: &OpId| matches!(nets.f.op(*id).kind, OpKind::Xc7Carry4 {}) && !joined.is_first(*id);
    match nets.order.iter().copied().filter(carry).find(|&id| joined.cell(nets, id).is_none()) {
        Some(id) => Err(two_carries(nets, id)),
        None => Ok(joined),
    }
}

/// Writes the wires of a chain of four and, unless it is the first of two, its CARRY8. What of that is not the chain's
/// goes to `spare`.
pub(super) fn carry8(
    out: &mut String,
    named: &mut Named<'_>,
    joined: &Joined,
    id: OpId,
    spare: &mut Vec<String>,
) -> fmt::Result {
    let vectors = |named: &Named<'_>, id: OpId| -> [String; 2] {
        let results: Vec<&str> = named.nets.f.op(id).results().map(|v| named.bit(v)).collect();
        [0, 4].map(|i| results[i].split('[').next().unwrap_or_default().to_owned())
    };
    let [o, co] = vectors(named, id);
    write!(out, "  wire [3:0] {o}, {co};")?;
    let Some(cell) = joined.cell(&named.nets, id).filter(|_| !joined.is_first(id)) else { return Ok(()) };
    let (low, high) = match joined.first(id) {
        Some(first) => (vectors(named, first), [o.clone(), co]),
        None => {
            let top = [&o, &co].map(|name| named.namer.claim(&format!("{name}_top")));
            write!(out, "\n  wire [3:0] {}, {};", top[0], top[1])?;
            spare.extend(top.clone());
            ([o.clone(), co], top)
        }
    };
    let name = named.namer.claim(&format!("carry_{o}"));
    write!(out, "\n  CARRY8 #(.CARRY_TYPE(\"SINGLE_CY8\")) {name} (.O({{{}, {}}})", high[0], low[0])?;
    write!(out, ", .CO({{{}, {}}})", high[1], low[1])?;
    for (pin, nets) in [("S", &cell.s), ("DI", &cell.di)] {
        let bits: Vec<&str> = (0..8).rev().map(|i| named.of(nets.get(i).copied().unwrap_or(Net::ZERO))).collect();
        write!(out, ", .{pin}({{{}}})", bits.join(", "))?;
    }
    write!(out, ", .CI({}), .CI_TOP(1'b0));", named.of(cell.ci))
}

/// Writes an op's wires and instance, up to the final `;`.
pub(super) fn instance(out: &mut String, named: &mut Named<'_>, id: OpId) -> fmt::Result {
    let f = named.nets.f;
    let op = f.op(id);
    let Some(primitive) = primitive(f, id) else { return Ok(()) };
    let results: Vec<String> = op.results().map(|v| named.bit(v).to_string()).collect();
    let (base, kind) = match op.kind {
        OpKind::Xc7Lut6 { .. } | OpKind::Xc7Lut6_2 { .. } => (results[0].as_str(), "lut"),
        OpKind::Xc7Carry4 {} => (results[0].split('[').next().unwrap_or_default(), "carry"),
        OpKind::Xc7Fdre { .. } => (results[0].as_str(), "ff"),
        _ => (results[0].as_str(), "mux"),
    };
    let name = named.namer.claim(&format!("{kind}_{base}"));
    let pin = |j: usize| op.operands.get(j).map_or("", |&v| named.bit(v));
    match op.kind {
        OpKind::Xc7Lut6 { init } => {
            let bits = 1usize << op.operands.len();
            let digits = (bits / 4).max(1);
            write!(
                out,
                "  wire {};\n  {primitive} #(.INIT({bits}'h{init:0digits$x})) {name} (.O({})",
                results[0], results[0]
            )?;
        }
        OpKind::Xc7Lut6_2 { init } => {
            write!(out, "  wire {}, {};\n  ", results[0], results[1])?;
            write!(out, "{primitive} #(.INIT(64'h{init:016x})) {name} (.O6({}), .O5({})", results[0], results[1])?;
        }
        OpKind::Xc7Carry4 {} => {
            let carries = results[4].split('[').next().unwrap_or_default();
            write!(out, "  wire [3:0] {base}, {carries};\n  {primitive} {name} (.O({base}), .CO({carries})")?;
            write!(out, ", .S({{{}, {}, {}, {}}})", pin(3), pin(2), pin(1), pin(0))?;
            write!(out, ", .DI({{{}, {}, {}, {}}})", pin(7), pin(6), pin(5), pin(4))?;
            write!(out, ", .CI({}), .CYINIT({}));", pin(8), pin(9))?;
            return Ok(());
        }
        OpKind::Xc7Fdre { init, .. } => {
            write!(out, "  {primitive} #(.INIT(1'b{})) {name} (.Q({})", u8::from(init), results[0])?;
            write!(out, ", .C({}), .CE(1'b1), .R(1'b0), .D({}));", pin(1), pin(0))?;
            return Ok(());
        }
        _ => {
            write!(out, "  wire {};\n  {primitive} {name} (.O({})", results[0], results[0])?;
            write!(out, ", .I0({}), .I1({}), .S({}));", pin(0), pin(1), pin(2))?;
            return Ok(());
        }
    }
    for j in 0..op.operands.len() {
        write!(out, ", .I{j}({})", pin(j))?;
    }
    out.push_str(");");
    Ok(())
}

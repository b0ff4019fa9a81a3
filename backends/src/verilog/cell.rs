//! Instances of a device's cells, and the models to simulate them with.

use std::fmt::{self, Write};

use blc_ir::{Module, OpKind};

use crate::cells::{Cell, Direction, Value};
use crate::device::Device;
use crate::emit::VERSION;
use crate::names::Named;

/// The file that the models of a device's cells go into.
pub fn file(device: &Device) -> String {
    format!("{}_sim.v", device.name)
}

/// Simulation models of a device's cells that a module's top function uses, where the device has them.
pub fn models(module: &Module, device: &Device) -> Option<String> {
    let f = module.top()?;
    let (mut lut, mut zero, mut one, mut carry, mut mux) = (false, false, false, false, [false; 2]);
    for (_, op) in f.ops() {
        match op.kind {
            OpKind::Lut { .. } | OpKind::Xc7Lut6 { .. } => lut = true,
            OpKind::Xc7Carry4 {} => carry = true,
            OpKind::Xc7MuxF7 {} => mux[0] = true,
            OpKind::Xc7MuxF8 {} => mux[1] = true,
            OpKind::Reg { init: false, .. } => zero = true,
            OpKind::Reg { init: true, .. } => one = true,
            _ => {}
        }
    }
    let chain = device.carry.as_ref().filter(|_| carry);
    lut |= chain.is_some_and(|carry| carry.sum.is_some());
    let names = [lut.then_some(&device.lut.cell), chain.map(|c| &c.cell), zero.then_some(&device.register.cell)];
    let register_one = device.register_one.as_ref().filter(|_| one).map(|r| &r.cell);
    let muxes = device.mux.iter().zip(mux).filter(|(_, used)| *used).map(|(m, _)| &m.cell);
    let mut names: Vec<_> = names.into_iter().flatten().chain(muxes).chain(register_one).collect();
    names.dedup();
    let models: Vec<_> = names.into_iter().filter_map(|name| device.models.get(name)).map(|m| m.trim()).collect();
    if models.is_empty() {
        return None;
    }
    let mut out = format!("// Simulation models of {} cells: written by blc {VERSION}.\n", device.name);
    out.push_str("// For simulation only: synthesis and place and route know the cells.\n\n");
    out.push_str("/* verilator lint_off DECLFILENAME */\n/* verilator lint_off UNUSED */\n\n");
    out.push_str(&models.join("\n\n"));
    out.push_str("\n\n/* verilator lint_on UNUSED */\n/* verilator lint_on DECLFILENAME */\n");
    Some(out)
}

/// Writes an instance, up to the final `;`.
pub(super) fn instance(out: &mut String, named: &Named<'_>, name: &str, cell: &Cell<'_>) -> fmt::Result {
    write!(out, "  {} ", cell.kind)?;
    if !cell.parameters.is_empty() {
        out.push_str("#(");
        for (i, (key, value)) in cell.parameters.iter().enumerate() {
            write!(out, "{}.{key}(", if i == 0 { "" } else { ", " })?;
            match value {
                Value::Text(text) => write!(out, "\"{text}\"")?,
                Value::Bits(1, words) => write!(out, "1'b{}", words.first().unwrap_or(&0))?,
                Value::Bits(width, words) => {
                    let digits = (width / 4).clamp(1, 16);
                    write!(out, "{width}'h")?;
                    words.iter().rev().try_for_each(|word| write!(out, "{word:0digits$x}"))?;
                }
            }
            out.push(')');
        }
        out.push_str(") ");
    }
    write!(out, "{name} (")?;
    let outputs = cell.pins.iter().filter(|p| p.direction == Direction::Out);
    let inputs = cell.pins.iter().filter(|p| p.direction == Direction::In);
    for (i, pin) in outputs.chain(inputs).enumerate() {
        let nets: Vec<&str> = pin.nets.iter().rev().map(|&net| named.of(net)).collect();
        write!(out, "{}.{}(", if i == 0 { "" } else { ", " }, pin.name)?;
        match nets.as_slice() {
            [net] => out.push_str(net),
            nets => write!(out, "{{{}}}", nets.join(", "))?,
        }
        out.push(')');
    }
    out.push_str(");");
    Ok(())
}

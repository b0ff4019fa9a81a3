//! The comment at a Verilog file's top: what it is, and how its ports are laid out.

use std::fmt::{self, Write};

use blc_ir::{Elem, FuncAttr, Type};

use crate::emit::{Options, VERSION, plain};
use crate::names::Named;

pub(super) fn write(out: &mut String, named: &Named<'_>, options: &Options) -> fmt::Result {
    let f = named.nets.f;
    writeln!(out, "// {}: written by blc {VERSION}", named.name)?;
    for source in &options.made_from {
        writeln!(out, "// made from {}", plain(source))?;
    }
    if let Some(FuncAttr::Str(passes)) = f.attr("approximate") {
        writeln!(out, "// APPROXIMATE: not exactly the function that was trained ({})", plain(passes))?;
    }
    out.push_str("//\n");
    match (f.clock(), f.attr("latency")) {
        (None, _) => out.push_str("// Combinational.\n"),
        (Some(_), Some(FuncAttr::Int(n))) => {
            writeln!(out, "// Latency {n}: rising edges from a sample to its outputs. One sample a cycle.")?;
        }
        (Some(_), _) => out.push_str("// Clocked, without a fixed latency.\n"),
    }
    out.push_str("//\n// Ports:\n");
    let ports = named.params.iter().zip(&f.params).map(|p| ("in", p));
    let ports: Vec<_> = ports.chain(named.results.iter().zip(&f.results).map(|p| ("out", p))).collect();
    let width = ports.iter().map(|(_, (names, _))| names.name.len()).max().unwrap_or(0).min(40);
    for (direction, (names, port)) in ports {
        write!(out, "//   {direction:<3} {:<width$}  {}", names.name, layout(f.ty(port.value)))?;
        if names.name != port.name {
            write!(out, " (`{}` in the design)", plain(&port.name))?;
        }
        out.push('\n');
    }
    if f.attr("step").is_some() {
        out.push_str("// A word of the first input is the code of a real number: offset + step * code, per element (see the .blir).\n");
    }
    out.push('\n');
    Ok(())
}

fn layout(ty: Type) -> String {
    match (ty.elem, ty.is_scalar()) {
        (Elem::Clock, _) => "clock, rising edge".into(),
        (Elem::Bit, true) => "bit".into(),
        (Elem::Bit, false) => format!("{ty}: element e is bit e"),
        (_, true) => format!("{ty}, unsigned"),
        _ => {
            let w = ty.elem_bits();
            format!("{ty}, unsigned: element e is bits {w}*e + {} to {w}*e", w - 1)
        }
    }
}

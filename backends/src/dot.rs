//! Drawings for Graphviz: a node for each op, a box around each layer. For eyes, at any level.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use blc_ir::print::value_text;
use blc_ir::{Def, Diagnostic, Func, Module, OpId, OpKind, Result, Type, Value};

use crate::codes;
use crate::emit::plain;

/// Most nodes of a drawing.
pub const MAX_NODES: usize = 4_000;
/// Most edges of a drawing.
pub const MAX_EDGES: usize = 20_000;

/// Draws a function: ops, ports, and an edge for each operand.
///
/// # Errors
/// `BL3005` above [`MAX_NODES`] or [`MAX_EDGES`].
pub fn emit(module: &Module, f: &Func) -> Result<String> {
    let nodes = f.op_count() + f.params.len() + f.results.len();
    let edges = f.results.len() + f.ops().map(|(_, op)| op.operands.len()).sum::<usize>();
    if nodes > MAX_NODES || edges > MAX_EDGES {
        let text = format!("{nodes} nodes and {edges} edges to draw, {MAX_NODES} and {MAX_EDGES} can be looked at");
        let help = "draw a smaller function, or emit `verilog` or `blif` for other tools";
        return Err(Box::new(Diagnostic::error(&codes::DOT_SIZE, text).in_op(format!("@{}", f.name)).help(help)));
    }
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = draw(&mut out, module, f);
    Ok(out)
}

fn draw(out: &mut String, module: &Module, f: &Func) -> fmt::Result {
    writeln!(out, "digraph {} {{\n  rankdir = LR;\n  node [shape = box, fontname = \"monospace\"];", quoted(&f.name))?;
    for (i, port) in f.params.iter().enumerate() {
        let label = format!("{}\n{}", port.name, f.ty(port.value));
        writeln!(out, "  in{i} [shape = cds, label = {}];", quoted(&label))?;
    }
    let mut layers: BTreeMap<Option<&str>, Vec<OpId>> = BTreeMap::new();
    for (id, op) in f.ops() {
        layers.entry(f.locs.first_layer(op.loc)).or_default().push(id);
    }
    for (number, (layer, ops)) in layers.into_iter().enumerate() {
        if let Some(layer) = layer {
            writeln!(out, "  subgraph cluster{number} {{\n  label = {};", quoted(layer))?;
        }
        for id in ops {
            writeln!(out, "  {id} [label = {}];", quoted(&label(module, f, id)))?;
        }
        out.push_str(if layer.is_some() { "  }\n" } else { "" });
    }
    for (i, port) in f.results.iter().enumerate() {
        let label = format!("{}\n{}", port.name, f.ty(port.value));
        writeln!(out, "  out{i} [shape = cds, label = {}];", quoted(&label))?;
    }
    for (id, op) in f.ops() {
        for &v in op.operands {
            edge(out, f, v, &id.to_string())?;
        }
    }
    for (i, port) in f.results.iter().enumerate() {
        edge(out, f, port.value, &format!("out{i}"))?;
    }
    out.push_str("}\n");
    Ok(())
}

fn label(module: &Module, f: &Func, id: OpId) -> String {
    let op = f.op(id);
    let mut label = format!("{}\n{}", value_text(f, op.result()), op.info().mnemonic);
    let detail = match op.kind {
        OpKind::Lut { table } | OpKind::Xc7Lut6 { init: table } | OpKind::Xc7Lut6_2 { init: table } => {
            format!("{table:#x}")
        }
        OpKind::Const { value } => value.to_string(),
        OpKind::Extract { offset } => format!("from {offset}"),
        OpKind::GtConst { bound } => format!("> {bound}"),
        OpKind::Reg { stage, .. } | OpKind::Xc7Fdre { stage, .. } => format!("stage {stage}"),
        OpKind::LutDense { k, connections, .. } => {
            format!("k = {k}, #{}", module.resource(connections).map_or("?", |r| &r.name))
        }
        OpKind::Thermometer { thresholds } | OpKind::Code { thresholds, .. } => {
            format!("#{}", module.resource(thresholds).map_or("?", |r| &r.name))
        }
        OpKind::Extern { op } => f.extern_name(op).to_string(),
        _ => String::new(),
    };
    if !detail.is_empty() {
        label.push('\n');
        label.push_str(&detail);
    }
    label
}

fn edge(out: &mut String, f: &Func, v: Value, to: &str) -> fmt::Result {
    match f.def(v) {
        Def::Param(i) => write!(out, "  in{i} -> {to}")?,
        Def::Result(op, _) => write!(out, "  {op} -> {to}")?,
    }
    match f.ty(v) {
        Type::BIT => out.push_str(";\n"),
        Type::CLOCK => out.push_str(" [style = dotted];\n"),
        ty => writeln!(out, " [label = \"{ty}\"];")?,
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| plain(line).replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}

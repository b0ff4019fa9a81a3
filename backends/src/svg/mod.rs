//! A cone as a picture: what an output (or any value) is made of, as SVG that needs nothing else.
//!
//! Ops are boxes, coloured by the part of the design they count for, with the function of their table or its INIT and the
//! neuron they come from; time and signals run from left to right. What lies beyond the depth is a stub with its name.

mod layout;

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use blc_ir::loc::Part;
use blc_ir::order::is_register;
use blc_ir::print::value_text;
use blc_ir::{Def, Diagnostic, Elem, Func, Loc, Module, OpId, OpKind, Result, Type, Value};

use crate::codes;
use layout::{Box, Edge, layout};

/// Most boxes of a picture.
pub const MAX_BOXES: usize = 600;
/// Most lines of a picture.
pub const MAX_LINES: usize = 4_000;

/// Pixels: around the picture, of a line of text, of a character, of a pin.
const MARGIN: f32 = 16.0;
const LINE: f32 = 14.0;
const CHAR: f32 = 7.0;
const PIN: f32 = 12.0;

/// A box of the picture.
struct Node {
    lines: Vec<String>,
    class: &'static str,
    pins: usize,
    column: usize,
}

impl Node {
    fn size(&self) -> (f32, f32) {
        let chars = self.lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        let text = self.lines.len() as f32 * LINE;
        ((chars as f32 * CHAR + 14.0).max(30.0), text.max(self.pins as f32 * PIN) + 8.0)
    }

    /// Height of a pin.
    fn pin(&self, i: usize) -> f32 {
        let (_, height) = self.size();
        height * (i as f32 + 0.5) / self.pins.max(1) as f32
    }
}

/// What a cone is made of: boxes, and lines from box to pin.
#[derive(Default)]
struct Cone {
    nodes: Vec<Node>,
    lines: Vec<(usize, usize, usize)>,
    ops: usize,
}

/// Draws what a value is made of, `depth` ops back at most.
///
/// # Errors
/// `BL3005` above [`MAX_BOXES`] or [`MAX_LINES`].
pub fn cone(module: &Module, f: &Func, root: Value, name: &str, depth: usize) -> Result<String> {
    let large = |what: String| {
        let text = format!("{what}, {MAX_BOXES} boxes and {MAX_LINES} lines can be looked at");
        let d = Diagnostic::error(&codes::DOT_SIZE, text).in_op(format!("@{}", f.name));
        std::boxed::Box::new(d.help("draw less with `--depth`, or an inner value of the design"))
    };
    let cone = Cone::of(f, root, name, depth);
    if cone.nodes.len() > MAX_BOXES || cone.lines.len() > MAX_LINES {
        return Err(large(format!("{} boxes and {} lines to draw", cone.nodes.len(), cone.lines.len())));
    }
    let boxes: Vec<Box> = cone
        .nodes
        .iter()
        .map(|node| {
            let (width, height) = node.size();
            Box { width, height, column: node.column }
        })
        .collect();
    let edges: Vec<Edge> =
        cone.lines.iter().map(|&(from, to, pin)| Edge { from, to, pin: cone.nodes[to].pin(pin) }).collect();
    let layout = layout(&boxes, &edges).ok_or_else(|| large("lines through too many columns".into()))?;
    let title = format!("{name} of @{} in @{}: {} of {} ops", f.name, module.name, cone.ops, f.op_count());
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = cone.draw(&mut out, &title, &boxes, &layout);
    Ok(out)
}

/// An op that only takes a part of an input: a wire.
fn wire(f: &Func, id: OpId) -> bool {
    let op = f.op(id);
    matches!(op.kind, OpKind::Extract { .. }) && f.def_op(op.operands[0]).is_none()
}

/// Whether a value is drawn as a name only.
fn is_leaf(f: &Func, v: Value) -> bool {
    f.def_op(v).is_none_or(|op| matches!(f.op(op).kind, OpKind::Const { .. }) || wire(f, op))
}

impl Cone {
    fn of(f: &Func, root: Value, name: &str, depth: usize) -> Self {
        let columns = columns(f, root, depth);
        let mut cone = Self { ops: columns.len(), ..Self::default() };
        let mut made: BTreeMap<OpId, usize> = BTreeMap::new();
        cone.nodes.push(Node { lines: vec![name.into()], class: "port", pins: 1, column: 0 });
        for (&id, &column) in &columns {
            made.insert(id, cone.nodes.len());
            cone.nodes.push(op_node(f, id, column));
            if cone.nodes.len() > MAX_BOXES {
                return cone;
            }
        }
        let mut stubs: BTreeMap<Value, usize> = BTreeMap::new();
        let mut read = vec![(root, 0, 0)];
        for (&id, &node) in &made {
            let operands = f.op(id).operands.iter().filter(|&&v| f.ty(v) != Type::CLOCK);
            read.extend(operands.enumerate().map(|(pin, &v)| (v, node, pin)));
        }
        for (v, node, pin) in read {
            let from = match f.def_op(v).and_then(|op| made.get(&op)).filter(|_| !is_leaf(f, v)) {
                Some(&from) => from,
                None => *stubs.entry(v).or_insert_with(|| {
                    cone.nodes.push(stub(f, v));
                    cone.nodes.len() - 1
                }),
            };
            let behind = cone.nodes[node].column + 1;
            if stubs.contains_key(&v) {
                let column = &mut cone.nodes[from].column;
                *column = behind.max(*column);
            }
            if cone.nodes[from].column >= behind {
                cone.lines.push((from, node, pin));
            } else {
                // A register closes a loop: the line would go back, so that a stub says where from.
                let stub = Node { column: behind, ..stub(f, v) };
                cone.nodes.push(stub);
                cone.lines.push((cone.nodes.len() - 1, node, pin));
            }
        }
        cone
    }

    fn draw(&self, out: &mut String, title: &str, boxes: &[Box], layout: &layout::Layout) -> fmt::Result {
        let (width, height) = (layout.width + 2.0 * MARGIN, layout.height + 3.0 * MARGIN + LINE);
        let width = width.max(title.chars().count() as f32 * CHAR + 2.0 * MARGIN);
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"monospace\" font-size=\"11\">\n{STYLE}"
        )?;
        writeln!(out, "<rect class=\"page\" width=\"100%\" height=\"100%\"/>")?;
        writeln!(out, "<text x=\"{MARGIN}\" y=\"{:.0}\" class=\"title\">{}</text>", MARGIN + 4.0, escaped(title))?;
        writeln!(out, "<g transform=\"translate({MARGIN} {:.0})\">", 2.0 * MARGIN + LINE)?;
        for route in &layout.routes {
            out.push_str("<path class=\"line\" d=\"");
            for (i, &(x, y)) in route.iter().enumerate() {
                match i {
                    0 => write!(out, "M{x:.1} {y:.1}")?,
                    // Across a column straight, between columns in a bend.
                    _ if i % 2 == 0 => write!(out, "H{x:.1}")?,
                    _ => {
                        let (from_x, from_y) = route[i - 1];
                        let middle = (from_x + x) / 2.0;
                        write!(out, "C{middle:.1} {from_y:.1} {middle:.1} {y:.1} {x:.1} {y:.1}")?;
                    }
                }
            }
            out.push_str("\"/>\n");
        }
        for ((node, place), &(x, y)) in self.nodes.iter().zip(boxes).zip(&layout.corners) {
            let radius = if matches!(node.class, "port" | "stub") { place.height / 2.0 } else { 3.0 };
            writeln!(
                out,
                "<rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{radius:.1}\"/>",
                node.class, place.width, place.height
            )?;
            let top = y + (place.height - node.lines.len() as f32 * LINE) / 2.0 + 11.0;
            for (i, line) in node.lines.iter().enumerate() {
                let class = if i + 1 == node.lines.len() && i > 0 { " class=\"origin\"" } else { "" };
                let (x, y) = (x + place.width / 2.0, top + i as f32 * LINE);
                writeln!(
                    out,
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\"{class}>{}</text>",
                    escaped(line)
                )?;
            }
        }
        out.push_str("</g>\n</svg>\n");
        Ok(())
    }
}

const STYLE: &str = "<style>
  .page { fill: #ffffff } text { fill: #1c2733 } .title { font-size: 13px; font-weight: bold } .origin { fill: #5b6b7b }
  .line { fill: none; stroke: #7a8896; stroke-width: 1.1 } rect { stroke: #4c5a68; stroke-width: 1 }
  .port { fill: #1c2733 } .port + text { fill: #ffffff } .stub { fill: #f4f6f8; stroke-dasharray: 3 2 }
  .encoder { fill: #dcebfb } .logic { fill: #eef0f2 } .head { fill: #def3e3 } .register { fill: #fdf1cf }
</style>";

/// The ops of a cone and their columns: 1 for what makes the root, otherwise one more than the furthest reader's.
fn columns(f: &Func, root: Value, depth: usize) -> BTreeMap<OpId, usize> {
    // The ops themselves, nearest first.
    let mut near: BTreeMap<OpId, usize> = BTreeMap::new();
    let mut front: Vec<Value> = vec![root];
    for step in 0..depth {
        let mut next = Vec::new();
        for v in front {
            if let Some(op) = f.def_op(v).filter(|_| !is_leaf(f, v))
                && !near.contains_key(&op)
            {
                near.insert(op, step);
                next.extend_from_slice(f.op(op).operands);
            }
        }
        if near.len() > MAX_BOXES || next.is_empty() {
            break;
        }
        front = next;
    }
    // Readers before what they read, and no op twice on a path: a loop is entered once.
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    let mut state: BTreeMap<OpId, u8> = BTreeMap::new();
    let mut after = Vec::new();
    let sources = |id: OpId| f.op(id).operands.iter().filter_map(|&v| f.def_op(v)).filter(|op| near.contains_key(op));
    let mut stack: Vec<(OpId, Vec<OpId>)> = Vec::new();
    let mut backward: Vec<(OpId, OpId)> = Vec::new();
    if let Some(op) = f.def_op(root).filter(|op| near.contains_key(op)) {
        state.insert(op, OPEN);
        stack.push((op, sources(op).collect()));
    }
    while let Some((id, rest)) = stack.last_mut() {
        let id = *id;
        match rest.pop() {
            Some(op) => match state.get(&op) {
                None => {
                    state.insert(op, OPEN);
                    stack.push((op, sources(op).collect()));
                }
                Some(&OPEN) => backward.push((op, id)),
                Some(_) => {}
            },
            None => {
                state.insert(id, DONE);
                after.push(id);
                stack.pop();
            }
        }
    }
    let mut columns: BTreeMap<OpId, usize> = after.iter().map(|&id| (id, 1)).collect();
    for &id in after.iter().rev() {
        let behind = columns[&id] + 1;
        for op in sources(id).filter(|&op| !backward.contains(&(op, id))) {
            if let Some(column) = columns.get_mut(&op) {
                *column = behind.max(*column);
            }
        }
    }
    columns
}

/// The name of a value that is not drawn further.
fn stub(f: &Func, v: Value) -> Node {
    let name = match f.def(v) {
        Def::Result(op, _) => match f.op(op).kind {
            OpKind::Const { value } => value.to_string(),
            OpKind::Extract { offset } if wire(f, op) => part(f, f.op(op).operands[0], offset as usize, f.ty(v)),
            _ => format!("{} …", value_text(f, v)),
        },
        Def::Param(i) => f.params[i].name.clone(),
    };
    Node { lines: vec![cut(&name, 24)], class: "stub", pins: 0, column: 1 }
}

/// `x[3]` for an element of an input, `x[3].5` for a bit of it, otherwise a range of bits.
fn part(f: &Func, v: Value, offset: usize, ty: Type) -> String {
    let name = value_text(f, v);
    let name = name.trim_start_matches('%');
    let width = f.ty(v).elem_bits();
    match ty.total_bits() {
        bits if bits == width && offset.is_multiple_of(width) => format!("{name}[{}]", offset / width),
        1 => format!("{name}[{}].{}", offset / width, offset % width),
        bits => format!("{name}.{}..{}", offset, offset + bits),
    }
}

fn op_node(f: &Func, id: OpId, column: usize) -> Node {
    let op = f.op(id);
    let pins = op.operands.iter().filter(|&&v| f.ty(v) != Type::CLOCK).count();
    let mut lines = match op.kind {
        OpKind::Lut { table } | OpKind::Xc7Lut6 { init: table } => match function(table, op.operands.len()) {
            Some(name) => vec![name],
            None => vec![format!("LUT{}", op.operands.len()), format!("{table:x}")],
        },
        OpKind::LutWide { .. } => vec![format!("LUT{}", op.operands.len())],
        OpKind::Xc7Lut6_2 { init } => vec!["LUT6_2".into(), format!("{init:x}")],
        OpKind::Reg { stage, .. } | OpKind::Xc7Fdre { stage, .. } if stage > 0 => vec![format!("register {stage}")],
        OpKind::Reg { .. } | OpKind::Xc7Fdre { .. } => vec!["register".into()],
        OpKind::GtConst { bound } => vec![format!("> {bound}")],
        OpKind::Extract { offset } => vec![format!("bits {offset} on")],
        OpKind::Extern { op } => vec![cut(f.extern_name(op), 24)],
        kind => vec![kind.info().mnemonic.into()],
    };
    let word = f.ty(op.result());
    if !matches!(word.elem, Elem::Bit) {
        lines[0] += &format!(" : {word}");
    }
    lines.extend(origin(f, id));
    let class = match f.locs.part(op.loc) {
        _ if is_register(op.kind) => "register",
        Part::Encoder => "encoder",
        Part::Logic => "logic",
        Part::Head => "head",
    };
    Node { lines, class, pins, column }
}

/// Where an op came from: the first origin, and that there are others.
fn origin(f: &Func, id: OpId) -> Option<String> {
    let origins = f.locs.origins(f.op(id).loc);
    let more = if origins.len() > 1 { " +" } else { "" };
    let text = match f.locs.get(*origins.first()?) {
        Loc::Layer(layer) => f.locs.name(*layer).to_owned(),
        Loc::Neuron(layer, neuron) => format!("{} {neuron}", f.locs.name(*layer)),
        Loc::Line(file, line) => format!("{}:{line}", f.locs.name(*file)),
        Loc::Unknown | Loc::Fused(_) => return None,
    };
    Some(cut(&text, 24 - more.len()) + more)
}

/// The name of a function of `k` inputs, where it has a usual one.
fn function(table: u64, k: usize) -> Option<String> {
    let size = 1u64 << k;
    let is = |wanted: &dyn Fn(u64) -> bool| (0..size).all(|a| (table >> a & 1 == 1) == wanted(a));
    let odd = |a: u64| a.count_ones() % 2 == 1;
    let name = match k {
        1 if is(&|a| a == 0) => "NOT",
        1 if is(&|a| a == 1) => "BUF",
        _ if is(&|a| a == size - 1) => "AND",
        _ if is(&|a| a != 0) => "OR",
        _ if is(&|a| a != size - 1) => "NAND",
        _ if is(&|a| a == 0) => "NOR",
        _ if is(&odd) => "XOR",
        _ if is(&|a| !odd(a)) => "XNOR",
        3 if is(&|a| a.count_ones() >= 2) => "MAJ",
        _ => return None,
    };
    Some(if k == 1 { name.into() } else { format!("{name}{k}") })
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.into() } else { text.chars().take(most - 1).chain(['…']).collect() }
}

fn escaped(text: &str) -> String {
    // Characters that XML does not have become visible ones.
    let clean = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect::<String>();
    clean.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::diag::Source;
    use blc_ir::parse;

    const TEXT: &str = "blir 0.1\nmodule @m {\n  hw.module @f(in %clk: clock, in %x: u4[2], in %\"a<b\": bit, out %y: bit, out %z: bit) {\n    \
        %0 = extract %x {offset = 5} : bit\n    %1 = lut(%0, %\"a<b\", %q) {table = 0x96} : bit loc(\"layer0\" neuron 17)\n    \
        %2 = lut(%1, %\"a<b\") {table = 0x2} : bit loc(\"head\")\n    %q = seq.reg %2 clock %clk {stage = 1, init = 0} : bit\n    \
        hw.output %q, %\"a<b\"\n  }\n}\n";

    fn drawn(output: usize, depth: usize) -> String {
        let module = parse::parse(&Source::new("t", TEXT)).unwrap();
        let f = module.top().unwrap();
        cone(&module, f, f.results[output].value, &f.results[output].name, depth).unwrap()
    }

    #[test]
    fn shows_functions_origins_and_stubs() {
        let svg = drawn(0, 10);
        for part in [">XOR3<", ">layer0 17<", ">LUT2<", ">register 1<", ">x[1].1<", ">a&lt;b<", ">%q …<", "3 of 4 ops"]
        {
            assert!(svg.contains(part), "{part} in\n{svg}");
        }
        // The output, three ops, and stubs for the bit of x, a<b and the register in a loop.
        assert_eq!(svg.matches("<rect class").count(), 1 + 1 + 3 + 3);
        assert_eq!(svg.matches("<path").count(), 1 + 1 + 2 + 3);
        let near = drawn(0, 1);
        assert!(near.contains(">%2 …<") && !near.contains("XOR3"), "{near}");
        assert!(drawn(1, 3).contains("0 of 4 ops"));
        assert_eq!(svg, drawn(0, 10), "always the same");
    }

    #[test]
    fn refuses_what_nobody_could_look_at() {
        let mut f = Func::new("f", blc_ir::FuncKind::Func);
        let mut v = f.add_param("a", Type::BIT);
        for _ in 0..2 * MAX_BOXES {
            v = f.lut(1, &[v], blc_ir::LocId::UNKNOWN);
        }
        f.add_result("y", v);
        let module = Module::new("m");
        assert_eq!(cone(&module, &f, v, "y", usize::MAX).unwrap_err().code.id, "BL3005");
        assert!(cone(&module, &f, v, "y", 20).unwrap().contains("20 of 1200 ops"));
    }

    #[test]
    fn functions_have_their_names() {
        let named = |table, k| function(table, k).unwrap_or_default();
        assert_eq!(named(1, 1), "NOT");
        assert_eq!(named(0x8, 2), "AND2");
        assert_eq!(named(0xe8, 3), "MAJ3");
        assert_eq!(named(0x6996, 4), "XOR4");
        assert_eq!(named(0x7fff_ffff_ffff_ffff, 6), "NAND6");
        assert_eq!(named(0x2, 2), "");
    }
}

//! Verilog-2001 that any tool reads.
//!
//! Lookup tables become expressions where a short one exists and indexed constants elsewhere, registers become `always`
//! blocks, primitives of a target instances ([`xc7`] has models of them to simulate with). Ports are packed: bit `b` of
//! element `e` of a port `uW[n]` is bit `e * W + b` of one vector. The file is clean under `verilator --lint-only -Wall`.

pub mod cell;
mod header;
pub mod stream;
pub mod testbench;
pub mod xc7;

use std::fmt::{self, Write};

use rustc_hash::FxHashMap;

use blc_ir::order::is_register;
use blc_ir::table::{depends, widen};
use blc_ir::{Module, OpId, OpKind, Result, Value};

use crate::carry8::Joined;
use crate::cells::{self, Cell, Direction};
use crate::emit::{Options, origin, top};
use crate::expr::Expr;
use crate::names::{Language, Named, PortNames};
use crate::nets::Net;
use crate::ripple::Ripples;

/// Bits that one `assign` of a result joins, where the result has no words.
const BITS_A_LINE: usize = 16;
/// Terms of one list of unused bits.
const UNUSED_A_LIST: usize = 64;

/// Verilog of the module's top function, at hw or bit level.
///
/// # Errors
/// Those of [`crate::nets::Nets::new`], and `BL3001` for a module without functions.
pub fn emit(module: &Module, options: &Options) -> Result<String> {
    let f = top(module)?;
    let mut named = Named::new(module, f, Language::Verilog)?;
    let carries = match module.target.as_deref() {
        Some("xcup") => Some(xc7::carries(&mut named.nets)?),
        _ => None,
    };
    let mut out = String::with_capacity(1024 + 96 * f.op_count());
    let read = vec![false; named.nets.count()];
    let cells = match options.device.is_some() || options.liberty.is_some() {
        false => FxHashMap::default(),
        true => {
            let mut ripples = Ripples::new(&mut named.nets, options.device.as_ref());
            let mut of = |id| match ripples.take(id) {
                Some(cells) => Ok((id, cells)),
                None => Ok((id, vec![cells::of(&named.nets, id, options)?])),
            };
            named.nets.order.iter().map(|&id| of(id)).collect::<Result<_>>()?
        }
    };
    let mut writer = Writer { named, cells, carries, spare: Vec::new(), read, out: &mut out };
    // Writing to a String cannot fail.
    let _ = header::write(&mut *writer.out, &writer.named, options).and_then(|()| writer.module());
    Ok(out)
}

struct Writer<'a, 'b> {
    named: Named<'a>,
    /// Those of a device or a library; what is not among them is written behaviourally.
    cells: FxHashMap<OpId, Vec<Cell<'b>>>,
    /// Of UltraScale+.
    carries: Option<Joined>,
    /// Wires that nothing reads.
    spare: Vec<String>,
    /// Nets that the text reads. An expression may leave out what its table does not depend on.
    read: Vec<bool>,
    out: &'b mut String,
}

impl Writer<'_, '_> {
    fn module(&mut self) -> fmt::Result {
        self.out.push_str("`default_nettype none\n\n");
        self.ports()?;
        let mut registers: Vec<OpId> = self.ops_where(is_register);
        if !registers.is_empty() {
            self.out.push_str("\n  // registers\n");
        }
        for &id in &registers {
            self.declare_register(id)?;
        }
        self.out.push_str("\n  // logic\n");
        let (late, logic): (Vec<OpId>, Vec<OpId>) =
            self.named.nets.order.iter().copied().partition(|&id| is_register(self.named.nets.f.op(id).kind));
        // Registers may read what is declared behind them: their own wires stand above already.
        for id in logic.into_iter().chain(late) {
            self.op(id)?;
        }
        registers.retain(|id| !self.cells.contains_key(id));
        self.clocked(&registers)?;
        self.out.push_str("\n  // outputs\n");
        self.outputs()?;
        self.unused()?;
        self.out.push_str("endmodule\n\n`default_nettype wire\n");
        Ok(())
    }

    fn ops_where(&self, holds: fn(OpKind) -> bool) -> Vec<OpId> {
        let f = self.named.nets.f;
        self.named.nets.order.iter().copied().filter(|&id| holds(f.op(id).kind)).collect()
    }

    fn ports(&mut self) -> fmt::Result {
        let f = self.named.nets.f;
        write!(self.out, "module {} (", self.named.name)?;
        let inputs = self.named.params.iter().zip(&f.params).map(|p| ("input", p));
        let outputs = self.named.results.iter().zip(&f.results).map(|p| ("output", p));
        for (i, (direction, (names, _))) in inputs.chain(outputs).enumerate() {
            self.out.push_str(if i == 0 { "\n" } else { ",\n" });
            write!(self.out, "  {direction} wire {}{}", range(names), names.name)?;
        }
        self.out.push_str("\n);\n");
        Ok(())
    }

    fn declare_register(&mut self, id: OpId) -> fmt::Result {
        let op = self.named.nets.f.op(id);
        let keyword =
            if matches!(op.kind, OpKind::Reg { .. }) && !self.cells.contains_key(&id) { "reg" } else { "wire" };
        write!(self.out, "  {keyword} {};", self.named.bit(op.result()))?;
        self.origin(id)
    }

    /// The origin as a comment, and the end of the line.
    fn origin(&mut self, id: OpId) -> fmt::Result {
        let f = self.named.nets.f;
        let text = origin(&f.locs, f.op(id).loc);
        self.out.push_str(if text.is_empty() { "" } else { "  // " });
        self.out.push_str(&text);
        self.out.push('\n');
        Ok(())
    }

    fn read(&mut self, v: Value) {
        for net in self.named.nets.of(v) {
            self.read[net.index()] = true;
        }
    }

    fn op(&mut self, id: OpId) -> fmt::Result {
        let f = self.named.nets.f;
        let op = f.op(id);
        if let Some(cells) = self.cells.get_mut(&id).map(std::mem::take) {
            // What stays inside of cells is read by nobody else.
            op.results()
                .for_each(|v| self.read[self.named.nets.bit(v).index()] |= matches!(op.kind, OpKind::Xc7Carry4 {}));
            for net in pins(&cells, Direction::Out).filter(|_| !is_register(op.kind)) {
                self.read[net.index()] &= self.named.nets.is_used(net);
                writeln!(self.out, "  wire {};", self.named.of(net))?;
            }
            pins(&cells, Direction::In).for_each(|net| self.read[net.index()] = true);
            for cell in &cells {
                let wish = format!("{}_cell", self.named.bit(op.result()));
                let name = self.named.namer.claim(&wish);
                cell::instance(self.out, &self.named, &name, cell)?;
                self.origin(id)?;
            }
            return Ok(());
        }
        if let (Some(carries), OpKind::Xc7Carry4 {}) = (&self.carries, op.kind) {
            // Within a CARRY8 the carry goes on unseen.
            let seen = if carries.first(id).is_some() { &op.operands[..8] } else { op.operands };
            seen.iter().for_each(|v| self.read[self.named.nets.bit(*v).index()] = true);
            xc7::carry8(self.out, &mut self.named, carries, id, &mut self.spare)?;
            return self.origin(id);
        }
        if !matches!(op.kind, OpKind::Lut { .. }) {
            op.operands.iter().for_each(|&v| self.read(v));
        }
        match op.kind {
            OpKind::Lut { table } => self.lut(id, &[table]),
            OpKind::LutWide { table } => self.lut(id, f.table(table)),
            OpKind::Reg { .. } => Ok(()),
            _ => {
                xc7::instance(self.out, &mut self.named, id)?;
                self.origin(id)
            }
        }
    }

    fn lut(&mut self, id: OpId, table: &[u64]) -> fmt::Result {
        let op = self.named.nets.f.op(id);
        let inputs = op.operands.len();
        let expression = table.first().filter(|_| inputs <= 6).and_then(|&t| Expr::of(t, inputs));
        let constant = match expression {
            None => {
                let wish = format!("{}_t", self.named.bit(op.result()));
                self.named.namer.claim(&wish)
            }
            Some(_) => String::new(),
        };
        for (j, &v) in op.operands.iter().enumerate() {
            if expression.is_none() || table.first().is_some_and(|&t| depends(widen(t, inputs), j)) {
                self.read(v);
            }
        }
        let pins: Vec<&str> = op.operands.iter().map(|&v| self.named.bit(v)).collect();
        let name = self.named.bit(op.result());
        if let Some(expression) = expression {
            write!(self.out, "  wire {name} = ")?;
            expression.write(self.out, &pins)?;
        } else {
            let bits = 1usize << inputs;
            let digits = (bits / 4).clamp(1, 16);
            write!(self.out, "  wire [{}:0] {constant} = {bits}'h", bits - 1)?;
            table.iter().rev().try_for_each(|word| write!(self.out, "{word:0digits$x}"))?;
            write!(self.out, ";\n  wire {name} = {constant}[{{{}}}]", Reversed(&pins))?;
        }
        self.out.push(';');
        self.origin(id)
    }

    /// Initial values and clock edges of behavioural registers, stage by stage.
    fn clocked(&mut self, registers: &[OpId]) -> fmt::Result {
        let f = self.named.nets.f;
        let mut by_stage: Vec<(u32, bool, Value, Value, Value)> = Vec::new();
        for &id in registers {
            let op = f.op(id);
            if let (OpKind::Reg { stage, init }, &[d, clock]) = (op.kind, op.operands) {
                by_stage.push((stage, init, op.result(), d, clock));
            }
        }
        by_stage.sort_by_key(|r| r.0);
        for regs in by_stage.chunk_by(|a, b| a.0 == b.0) {
            let Some(&(stage, .., clock)) = regs.first() else { continue };
            self.out.push_str("\n  initial begin\n");
            for (_, init, q, ..) in regs {
                writeln!(self.out, "    {} = 1'b{};", self.named.bit(*q), u8::from(*init))?;
            }
            let clock = self.named.bit(clock);
            write!(self.out, "  end\n  always @(posedge {clock}) begin")?;
            self.out.push_str(if stage == 0 { "" } else { "  // stage " });
            writeln!(self.out, "{}", if stage == 0 { String::new() } else { stage.to_string() })?;
            for (_, _, q, d, _) in regs {
                writeln!(self.out, "    {} <= {};", self.named.bit(*q), self.named.bit(*d))?;
            }
            self.out.push_str("  end\n");
        }
        Ok(())
    }

    fn outputs(&mut self) -> fmt::Result {
        let f = self.named.nets.f;
        f.results.iter().for_each(|port| self.read(port.value));
        for (port, names) in f.results.iter().zip(&self.named.results) {
            let nets = self.named.nets.of(port.value);
            let width = f.ty(port.value).elem_bits();
            let step = if width == 1 { BITS_A_LINE } else { width };
            for (first, chunk) in (0..).step_by(step).zip(nets.chunks(step)) {
                let sources: Vec<&str> = chunk.iter().map(|&net| self.named.of(net)).collect();
                let last = first + chunk.len() - 1;
                match (sources.as_slice(), names.bits.get(first)) {
                    ([source], Some(bit)) => writeln!(self.out, "  assign {bit} = {source};")?,
                    _ => {
                        let target = &names.name;
                        writeln!(self.out, "  assign {target}[{last}:{first}] = {{{}}};", Reversed(&sources))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads what nothing else does, so that a linter knows it is meant.
    fn unused(&mut self) -> fmt::Result {
        let nets = &self.named.nets;
        let f = nets.f;
        let mut terms = std::mem::take(&mut self.spare);
        for (port, names) in f.params.iter().zip(&self.named.params) {
            let bits = nets.of(port.value);
            let unused = |&b: &usize| bits.get(b).is_some_and(|&net| !self.read[net.index()]);
            let mut b = 0;
            while b < bits.len() {
                let run = (b..bits.len()).take_while(unused).count();
                match run {
                    0 => {}
                    _ if run == bits.len() => terms.push(names.name.clone()),
                    1 => terms.push(names.bits[b].clone()),
                    _ => terms.push(format!("{}[{}:{b}]", names.name, b + run - 1)),
                }
                b += run.max(1);
            }
        }
        let results = nets.order.iter().flat_map(|&id| f.op(id).results()).map(|v| nets.bit(v));
        terms.extend(results.filter(|&net: &Net| !self.read[net.index()]).map(|net| self.named.of(net).to_string()));
        if !terms.is_empty() {
            self.out.push_str("\n  // read by nothing\n");
        }
        for chunk in terms.chunks(UNUSED_A_LIST) {
            let name = self.named.namer.claim("unused");
            writeln!(self.out, "  wire {name} = &{{1'b0, {}}};", chunk.join(", "))?;
        }
        Ok(())
    }
}

/// The nets at pins of cells.
fn pins<'a>(cells: &'a [Cell<'_>], direction: Direction) -> impl Iterator<Item = Net> + 'a {
    let pins = cells.iter().flat_map(|cell| &cell.pins).filter(move |pin| pin.direction == direction);
    pins.flat_map(|pin| pin.nets.iter().copied())
}

/// `[7:0] ` for a vector, nothing for a wire.
fn range(names: &PortNames) -> String {
    match names.bits.as_slice() {
        [one] if *one == names.name => String::new(),
        bits => format!("[{}:0] ", bits.len().saturating_sub(1)),
    }
}

/// Names in a concatenation: the last first, as Verilog puts the highest bit first.
struct Reversed<'a>(&'a [&'a str]);

impl fmt::Display for Reversed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().rev().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

//! BLIF for ABC, Yosys and VTR: every bit a net, lookup tables and primitives as `.names`, registers as `.latch`.
//!
//! Bits of a vector port `x` are `x[0]`, `x[1]`, …; a port that is one bit keeps its name, so that a netlist read from
//! BLIF comes out with the ports it had.

use std::fmt::{self, Write};

use blc_ir::{Module, OpId, OpKind, Result, Value};
use rustc_hash::FxHashMap;

use crate::cells::Cell;
use crate::emit::{Options, VERSION, origin, plain, top};
use crate::liberty;
use crate::names::{Language, Named};
use crate::nets::Net;
use crate::sop::Cover;

/// Columns after which a list of ports goes on in the next line.
const COLUMNS: usize = 100;

/// BLIF of the module's top function, at hw or bit level.
///
/// # Errors
/// Those of [`crate::nets::Nets::new`], `BL3001` for a module without functions, and of the library's cells.
pub fn emit(module: &Module, options: &Options) -> Result<String> {
    let f = top(module)?;
    let (named, out) = (Named::new(module, f, Language::Blif)?, String::with_capacity(1024 + 96 * f.op_count()));
    let cells = match &options.liberty {
        None => FxHashMap::default(),
        Some(library) => {
            let ids = named.nets.order.iter().copied();
            ids.map(|id| Ok((id, liberty::cells::cell(&named.nets, id, library)?))).collect::<Result<_>>()?
        }
    };
    let mut writer = Writer { named, out, cells, constants: Vec::new() };
    // Writing to a String cannot fail.
    let _ = writer.model(options);
    Ok(writer.out)
}

struct Writer<'a, 'b> {
    named: Named<'a>,
    out: String,
    /// Gates of a library, as `.gate`; what is not among them is written as tables.
    cells: FxHashMap<OpId, Cell<'b>>,
    /// Nets that are 0 or 1. Written last: Yosys stumbles over a comment behind a table without inputs.
    constants: Vec<(String, bool)>,
}

/// An input of a logic function: pin of an op.
type Pins<'a> = &'a [&'a str];

impl Writer<'_, '_> {
    fn model(&mut self, options: &Options) -> fmt::Result {
        writeln!(self.out, "# {}: written by blc {VERSION}", self.named.name)?;
        for source in &options.made_from {
            writeln!(self.out, "# made from {}", plain(source))?;
        }
        writeln!(self.out, ".model {}", self.named.name)?;
        list(&mut self.out, ".inputs", self.named.params.iter().flat_map(|p| &p.bits))?;
        list(&mut self.out, ".outputs", self.named.results.iter().flat_map(|p| &p.bits))?;
        for id in self.named.nets.order.clone() {
            self.op(id)?;
        }
        self.outputs()?;
        for net in [Net::ZERO, Net::ONE] {
            if self.named.nets.is_used(net) {
                self.constants.push((self.named.of(net).to_string(), net == Net::ONE));
            }
        }
        for (name, value) in &self.constants {
            writeln!(self.out, ".names {name}{}", if *value { "\n1" } else { "" })?;
        }
        self.out.push_str(".end\n");
        Ok(())
    }

    fn op(&mut self, id: OpId) -> fmt::Result {
        let f = self.named.nets.f;
        let op = f.op(id);
        let text = origin(&f.locs, op.loc);
        if !text.is_empty() {
            writeln!(self.out, "# {text}")?;
        }
        if let Some(cell) = self.cells.get(&id) {
            write!(self.out, ".gate {}", cell.kind)?;
            for pin in &cell.pins {
                let net = pin.nets.first().copied().unwrap_or(Net::ZERO);
                write!(self.out, " {}={}", pin.name, self.named.of(net))?;
            }
            return self.out.write_char('\n');
        }
        let pins: Vec<String> = op.operands.iter().map(|&v| self.named.bit(v).to_string()).collect();
        let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
        let outs: Vec<String> = op.results().map(|v| self.named.bit(v).to_string()).collect();
        match op.kind {
            OpKind::Lut { table } | OpKind::Xc7Lut6 { init: table } => self.names(&[table], &pins, &outs[0]),
            OpKind::LutWide { table } => self.names(f.table(table), &pins, &outs[0]),
            OpKind::Xc7Lut6_2 { init } => {
                self.names(&[init], &pins, &outs[0])?;
                self.names_if_used(op.results().nth(1), init & 0xffff_ffff, pins.get(..5).unwrap_or_default())
            }
            OpKind::Xc7MuxF7 {} | OpKind::Xc7MuxF8 {} => self.names(&[0xca], &pins, &outs[0]),
            OpKind::Xc7Carry4 {} => self.carry(id, &pins),
            OpKind::Reg { init, .. } | OpKind::Xc7Fdre { init, .. } => {
                writeln!(self.out, ".latch {} {} re {} {}", pins[0], outs[0], pins[1], u8::from(init))
            }
            // Not among the ops that make nets.
            _ => Ok(()),
        }
    }

    /// `c0 = CI | CYINIT`, then `Oi = Si ^ ci` and `ci+1 = COi = Si ? ci : DIi`, as far as anything reads them.
    fn carry(&mut self, id: OpId, pins: Pins<'_>) -> fmt::Result {
        let op = self.named.nets.f.op(id);
        let values: Vec<Value> = op.results().collect();
        let &[s0, s1, s2, s3, d0, d1, d2, d3, ci, cyinit] = pins else { return Ok(()) };
        let first = self.named.of(self.named.nets.bit(values[4])).to_string();
        let mut carry = self.named.namer.claim(&format!("{}_ci", first.split('[').next().unwrap_or_default()));
        self.names(&[0xe], &[ci, cyinit], &carry)?;
        let used = |w: &Self, i: usize| w.named.nets.is_used(w.named.nets.bit(values[i]));
        for (i, (s, d)) in [(s0, d0), (s1, d1), (s2, d2), (s3, d3)].into_iter().enumerate() {
            self.names_if_used(Some(values[i]), 0x6, &[s, &carry])?;
            let on = (i..4).any(|j| used(self, 4 + j) || (j > i && used(self, j)));
            if !on {
                break;
            }
            let next = self.named.bit(values[4 + i]).to_string();
            self.names(&[0xca], &[d, &carry, s], &next)?;
            carry = next;
        }
        Ok(())
    }

    fn names_if_used(&mut self, v: Option<Value>, table: u64, pins: Pins<'_>) -> fmt::Result {
        let Some(net) = v.map(|v| self.named.nets.bit(v)).filter(|&net| self.named.nets.is_used(net)) else {
            return Ok(());
        };
        let out = self.named.of(net).to_string();
        self.names(&[table], pins, &out)
    }

    fn names(&mut self, table: &[u64], pins: Pins<'_>, out: &str) -> fmt::Result {
        let cover = Cover::of(table, pins.len());
        if cover.cubes.iter().all(|c| c.care == 0) {
            self.constants.push((out.to_string(), cover.cubes.is_empty() != cover.on_set));
            return Ok(());
        }
        self.out.push_str(".names");
        for pin in pins {
            write!(self.out, " {pin}")?;
        }
        writeln!(self.out, " {out}")?;
        for cube in &cover.cubes {
            self.out.extend(cube.pattern(pins.len()));
            self.out.push_str(if cover.on_set { " 1\n" } else { " 0\n" });
        }
        Ok(())
    }

    /// Buffers for results whose net has another name: inputs, constants, and nets that drive several results.
    fn outputs(&mut self) -> fmt::Result {
        let f = self.named.nets.f;
        for (port, names) in f.results.iter().zip(&self.named.results) {
            for (&net, name) in self.named.nets.of(port.value).iter().zip(&names.bits) {
                let source = self.named.of(net);
                if source != name {
                    writeln!(self.out, ".names {source} {name}\n1 1")?;
                }
            }
        }
        Ok(())
    }
}

/// A list of ports, broken into lines.
fn list<'a>(out: &mut String, keyword: &str, names: impl Iterator<Item = &'a String>) -> fmt::Result {
    out.push_str(keyword);
    let mut column = keyword.len();
    for name in names {
        if column + name.len() >= COLUMNS {
            out.push_str(" \\\n");
            column = 0;
        }
        write!(out, " {name}")?;
        column += name.len() + 1;
    }
    out.push('\n');
    Ok(())
}

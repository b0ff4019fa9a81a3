//! Libraries of standard cells in the Liberty format: which gates there are, what they compute and how large they are.
//!
//! Taken are cells of one output that is a function of all their one to six inputs, and flip-flops of a data input and a
//! clock alone. Everything else (adders of two outputs, latches, resets, scan, cells marked `dont_use`) is left; so is all
//! that the format says of time and power. After the Liberty User Guide, volume 1, of the Liberty Technical Advisory Board.

pub mod cells;
mod function;
mod read;

use std::fmt::Write;
use std::sync::Arc;

use blc_ir::diag::Source;
use blc_ir::table::{depends, swap, widen};
use blc_ir::{Diagnostic, Result};
use rustc_hash::FxHashMap;

use crate::codes;
use crate::emit::VERSION;
use crate::expr::Expr;
use crate::names::Language;
use read::Group;

/// Largest file, in bytes.
pub const MAX_FILE: u64 = 1 << 28;

/// Most inputs of a gate.
pub const MAX_INPUTS: usize = 6;

/// Longest name of a cell or pin.
const MAX_NAME: usize = 200;

/// The library that comes with blc.
const OWN: &str = include_str!("../../targets/gates.lib");

/// Cells to build of.
#[derive(Clone, Debug)]
pub struct Library {
    /// As the file calls it.
    pub name: String,
    gates: Vec<Gate>,
    /// By number of inputs and table, every order of inputs: the smallest gate, and at which of its inputs each input is.
    functions: FxHashMap<(u8, u64), Match>,
    /// The smallest flip-flop.
    pub register: Option<Flop>,
    /// Area of the smallest NAND of two inputs, in the file's unit.
    pub nand2: f64,
    /// Cells of the file that are not used.
    pub left: usize,
}

/// A gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// Its area, in the file's unit.
    pub area: f64,
    /// Its inputs, address bit 0 of the table first.
    pub inputs: Vec<String>,
    /// Its output.
    pub output: String,
    /// What it computes.
    pub table: u64,
}

/// A flip-flop on the clock's rising edge.
#[derive(Clone, Debug, PartialEq)]
pub struct Flop {
    /// Its name.
    pub name: String,
    /// Its area, in the file's unit.
    pub area: f64,
    /// Its data input.
    pub data: String,
    /// Its clock.
    pub clock: String,
    /// Its output.
    pub output: String,
}

/// A gate for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Match {
    gate: u32,
    /// Input `i` of the table is input `pins[i]` of the gate.
    pins: [u8; MAX_INPUTS],
}

impl Library {
    /// The library that comes with blc: one of each usual gate, areas in transistors of static CMOS.
    ///
    /// # Errors
    /// None: a test reads it.
    pub fn own() -> Result<Self> {
        Self::read(&Source::new("gates.lib", OWN))
    }

    /// Reads a Liberty file.
    ///
    /// # Errors
    /// `BL3013`: no Liberty, areas or functions that are none. `BL3014`: without an inverter or a NAND of two inputs.
    pub fn read(source: &Arc<Source>) -> Result<Self> {
        let top = read::library(source)?;
        let wrong = |group: &Group, why: String| -> Box<Diagnostic> {
            let d = Diagnostic::error(&codes::LIBERTY, why).at(source, group.at..group.at + group.kind.len());
            Box::new(d.help("`blc explain BL3013` says what is read of a Liberty file"))
        };
        let mut library = Self {
            name: top.args.first().cloned().unwrap_or_default(),
            gates: Vec::new(),
            functions: FxHashMap::default(),
            register: None,
            nand2: 0.0,
            left: 0,
        };
        for cell in top.groups.iter().filter(|group| group.kind == "cell") {
            match usable(cell).map_err(|why| wrong(cell, why))? {
                Usable::Gate(gate) => library.gates.push(gate),
                Usable::Flop(flop) if library.register.as_ref().is_none_or(|r| flop.area < r.area) => {
                    library.register = Some(flop);
                }
                Usable::Flop(_) => {}
                Usable::No => library.left += 1,
            }
        }
        // Of gates with the same function the smallest, the first of these.
        library.gates.sort_by(|a, b| a.area.total_cmp(&b.area));
        for (i, gate) in library.gates.iter().enumerate() {
            if !library.functions.contains_key(&(gate.inputs.len() as u8, gate.table)) {
                orders(gate, i as u32, &mut library.functions);
            }
        }
        let area = |inputs: usize, table: u64| library.find(inputs, table).map(|(gate, _)| gate.area);
        let (Some(nand2), Some(_)) = (area(2, 0b0111), area(1, 0b01)) else {
            let text = format!("library `{}` has no inverter or no NAND of two inputs", library.name.escape_default());
            return Err(Box::new(Diagnostic::error(&codes::LIBERTY_CELLS, text).in_file(&source.name, "")));
        };
        if nand2 <= 0.0 {
            let text = format!("the NAND of library `{}` has no area to count in", library.name.escape_default());
            return Err(Box::new(Diagnostic::error(&codes::LIBERTY_CELLS, text).in_file(&source.name, "")));
        }
        library.nand2 = nand2;
        Ok(library)
    }

    /// The smallest gate of a function of so many inputs, and which of its pins each of them is at.
    pub fn find(&self, inputs: usize, table: u64) -> Option<(&Gate, Vec<&str>)> {
        let found = self.functions.get(&(u8::try_from(inputs).ok()?, table))?;
        let gate = &self.gates[found.gate as usize];
        let pin = |&p: &u8| gate.inputs.get(p as usize).map(String::as_str);
        Some((gate, found.pins.iter().take(inputs).filter_map(pin).collect()))
    }

    /// Every function, by inputs, table and area in the file's unit, in all orders of its inputs.
    pub fn functions(&self) -> impl Iterator<Item = (usize, u64, f64)> {
        self.functions.iter().map(|(&(n, table), found)| (n.into(), table, self.gates[found.gate as usize].area))
    }

    /// Verilog models of cells by name, and of the register.
    pub fn models(&self, used: impl Fn(&str) -> bool) -> String {
        let mut out =
            format!("// What the cells of {} compute: written by blc {VERSION}.\n", self.name.escape_default());
        out.push_str("// For simulation only: synthesis and place and route know the cells.\n\n");
        out.push_str("/* verilator lint_off DECLFILENAME */\n");
        for gate in self.gates.iter().filter(|gate| used(&gate.name)) {
            let Some(expression) = Expr::of(gate.table, gate.inputs.len()) else { continue };
            let mut text = String::new();
            // Writing to a String cannot fail.
            let _ = expression.write(&mut text, &gate.inputs);
            let Gate { name, output, inputs, .. } = gate;
            let _ = write!(
                out,
                "\nmodule {name} (output {output}, input {});\n  assign {output} = {text};\nendmodule\n",
                inputs.join(", ")
            );
        }
        if let Some(Flop { name, data, clock, output, .. }) = self.register.as_ref().filter(|r| used(&r.name)) {
            let _ = write!(
                out,
                "\nmodule {name} (output reg {output}, input {clock}, {data});\n  always @(posedge {clock}) {output} <= {data};\nendmodule\n"
            );
        }
        out.push_str("\n/* verilator lint_on DECLFILENAME */\n");
        out
    }
}

/// What a cell is to us.
enum Usable {
    Gate(Gate),
    Flop(Flop),
    No,
}

/// Reads a cell; an error where it says something that cannot be.
fn usable(cell: &Group) -> std::result::Result<Usable, String> {
    let name = cell.args.first().map_or("", String::as_str);
    let plain = |name: &str| name.len() <= MAX_NAME && Language::Verilog.legal(name) == name;
    let other = ["latch", "statetable", "bus", "bundle", "test_cell", "ff_bank", "latch_bank"];
    if cell.attr("dont_use") == Some("true") || cell.groups.iter().any(|g| other.contains(&g.kind.as_str())) {
        return Ok(Usable::No);
    }
    let pins: Vec<&Group> = cell.groups.iter().filter(|g| g.kind == "pin").collect();
    let direction = |wanted: &str| -> Vec<&Group> {
        pins.iter().copied().filter(|pin| pin.attr("direction") == Some(wanted)).collect()
    };
    let (inputs, outputs) = (direction("input"), direction("output"));
    let pin_name = |pin: &Group| pin.args.first().cloned().unwrap_or_default();
    let names: Vec<String> = inputs.iter().map(|pin| pin_name(pin)).collect();
    let all_plain = plain(name) && pins.iter().all(|pin| pin.args.len() == 1 && plain(&pin.args[0]));
    if inputs.len() + outputs.len() != pins.len() || !(1..=MAX_INPUTS).contains(&inputs.len()) || !all_plain {
        return Ok(Usable::No);
    }
    let area = |name: &str| match cell.attr("area").map(str::parse::<f64>) {
        Some(Ok(area)) if area.is_finite() && area >= 0.0 => Ok(area),
        _ => Err(format!("cell `{name}` has no area")),
    };
    let flops: Vec<&Group> = cell.groups.iter().filter(|g| g.kind == "ff").collect();
    match (flops[..].first(), &outputs[..]) {
        (None, [output]) if output.attr("three_state").is_none() => {
            let Some(text) = output.attr("function") else { return Ok(Usable::No) };
            let table = function::table(text, &names).map_err(|why| format!("cell `{name}`: {why}"))?;
            let n = names.len();
            if !(0..n).all(|j| depends(widen(table, n), j)) {
                return Ok(Usable::No);
            }
            Ok(Usable::Gate(Gate {
                area: area(name)?,
                name: name.into(),
                output: pin_name(output),
                inputs: names,
                table,
            }))
        }
        (Some(ff), [_, ..]) if flops.len() == 1 && names.len() == 2 => {
            let state = ff.args.first().map_or("", String::as_str);
            let shows = |pin: &&&Group| pin.attr("function").map(str::trim) == Some(state);
            let reset = ["clear", "preset"].iter().any(|a| ff.attr(a).is_some());
            let reads = |attr: &str| ff.attr(attr).map(str::trim).and_then(|text| names.iter().find(|n| *n == text));
            match (reads("next_state"), reads("clocked_on"), outputs.iter().find(shows)) {
                (Some(data), Some(clock), Some(output)) if !reset && data != clock => Ok(Usable::Flop(Flop {
                    name: name.into(),
                    area: area(name)?,
                    data: data.clone(),
                    clock: clock.clone(),
                    output: pin_name(output),
                })),
                _ => Ok(Usable::No),
            }
        }
        _ => Ok(Usable::No),
    }
}

/// Adds a gate's function in every order of its inputs.
fn orders(gate: &Gate, number: u32, functions: &mut FxHashMap<(u8, u64), Match>) {
    let n = gate.inputs.len();
    let mut pins = [0; MAX_INPUTS];
    (0u8..).zip(&mut pins).for_each(|(i, pin)| *pin = i);
    // Heap's algorithm: one exchange from each order to the next.
    let mut table = widen(gate.table, n);
    let mut count = [0; MAX_INPUTS];
    let mut insert = |table: u64, pins| {
        let key = (n as u8, table & blc_ir::table::mask(n));
        functions.entry(key).or_insert(Match { gate: number, pins });
    };
    insert(table, pins);
    let mut i = 1;
    while i < n {
        if count[i] < i {
            let j = if i % 2 == 0 { 0 } else { count[i] };
            table = swap(table, i, j);
            pins.swap(i, j);
            insert(table, pins);
            count[i] += 1;
            i = 1;
        } else {
            count[i] = 0;
            i += 1;
        }
    }
}

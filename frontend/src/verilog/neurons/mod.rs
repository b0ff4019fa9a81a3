//! Verilog in which every neuron is a truth table: what LogicNets, NeuraLUT and PolyLUT write (`neq2lut`), a module `layerI_NJ` with
//! a `case` for each neuron, a module `layerI` for each layer, and one that joins the layers.
//!
//! ```text
//! module layer0_N0 ( input [5:0] M0, output [1:0] M1 );
//!     (*rom_style = "distributed" *) reg [1:0] M1r;
//!     assign M1 = M1r;
//!     always @ (M0) begin
//!         case (M0)
//!             6'b000000: M1r = 2'b01;
//!             ...
//! ```
//!
//! Modules may stand in one text or each in a file `NAME.v` of its own, beside the one that is named. Registers between layers
//! (`myreg`) are read as wires, and clock and reset as nothing: what is compiled is the function, for which blc plans registers of its
//! own. Anything else of Verilog is refused by name.

mod build;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use blc_ir::Module;
use blc_ir::diag::{Diagnostic, Result, Source};

use super::lex::tokens;
use super::{MAX_FILE, Wrong};
use crate::codes::{VERILOG_CELL, VERILOG_SIGNAL, VERILOG_SIZE};
use crate::files;

/// Most modules of a design.
const MAX_MODULES: usize = 1 << 20;

/// Gives the text of a module that stands in a file of its own, by the module's name, and what diagnostics call that file; `None` where
/// there is no such file.
pub type Find<'a> = dyn FnMut(&str) -> Result<Option<(String, String)>> + 'a;

/// Whether a text is of this kind: ports of blc's own Verilog are `wire`s, and those of these modules are not.
pub fn is_neurons(text: &str) -> bool {
    let head: String = text.chars().take(1 << 16).collect();
    let Ok(words) = tokens(&head) else { return false };
    let word = |i: usize| words.get(i).and_then(|t| head.get(t.at.clone())).unwrap_or("");
    word(0) == "module" && (word(2) == "#" || matches!(word(3), "input" | "output") && word(4) != "wire")
}

/// A design to a module of one function, `net`, at bit level. The design is the first module that no other one in the text uses;
/// modules that it uses and that are not in the text are asked of `find`.
///
/// # Errors
/// `BL1120` to `BL1123`, `BL1003` for a text of more than 1 GiB, and those of `find`.
pub fn import(text: &str, file: &str, find: &mut Find<'_>) -> Result<Module> {
    let mut design = Design::default();
    design.add(text, file)?;
    let used: Vec<String> = design.modules.values().flat_map(|m| m.uses()).map(|(name, _)| name.text.clone()).collect();
    let top = design.order.iter().find(|name| !used.contains(name)).or(design.order.first()).cloned();
    let top = top.unwrap_or_default();
    // Modules are loaded until none is missing.
    let mut next = 0;
    while let Some(module) = design.order.get(next).and_then(|name| design.modules.get(name)) {
        next += 1;
        let source = Arc::clone(&design.sources[module.source]);
        let missing: Vec<Name> =
            module.uses().map(|(name, _)| name.clone()).filter(|n| !design.modules.contains_key(&n.text)).collect();
        for name in missing {
            if design.modules.contains_key(&name.text) {
                continue;
            }
            let Some((text, file)) = find(&name.text)? else {
                let wrong = Wrong::new(&VERILOG_CELL, name.at, format!("there is no module `{}`", name.text));
                let help = format!("it stands neither in this file nor in a file {}.v beside it", name.text);
                return Err(refuse(wrong.help(help), &source));
            };
            design.add(&text, &file)?;
            if !design.modules.contains_key(&name.text) {
                let wrong = Wrong::new(&VERILOG_CELL, name.at, format!("{file} has no module `{}`", name.text));
                return Err(refuse(wrong, &source));
            }
        }
    }
    build::build(&design, &top)
}

fn refuse(wrong: Wrong, source: &Arc<Source>) -> Box<Diagnostic> {
    Box::new(wrong.diagnostic.at(source, wrong.at))
}

/// A name and where it stands.
#[derive(Clone, Debug)]
struct Name {
    text: String,
    at: Range<usize>,
}

/// A port.
#[derive(Debug)]
struct Port {
    name: Name,
    width: usize,
    is_input: bool,
}

/// A part of an expression.
#[derive(Debug)]
enum Part {
    /// All bits of a name, or those from high to low.
    Name(Name, Option<(usize, usize)>),
    /// Lowest bit first.
    Number(Vec<bool>),
}

/// Parts beside each other, the highest first, as written.
type Expr = Vec<Part>;

#[derive(Debug)]
enum Item {
    Wire { name: Name, width: usize },
    Assign { name: Name, bits: Option<(usize, usize)>, value: Expr },
    Instance { module: Name, pins: Vec<(Name, Expr)> },
}

/// What a module is.
#[derive(Debug)]
enum Body {
    /// A truth table for each bit of the output, the input's bit `j` bit `j` of the address.
    Table(Vec<Vec<u64>>),
    /// A register from one port to another.
    Register {
        d: String,
        q: String,
    },
    Wires(Vec<Item>),
}

#[derive(Debug)]
struct Definition {
    name: Name,
    ports: Vec<Port>,
    body: Body,
    source: usize,
}

impl Definition {
    /// The modules that it uses, and their pins.
    fn uses(&self) -> impl Iterator<Item = (&Name, &[(Name, Expr)])> {
        let items = if let Body::Wires(items) = &self.body { items.as_slice() } else { &[] };
        items.iter().filter_map(|item| match item {
            Item::Instance { module, pins } => Some((module, pins.as_slice())),
            _ => None,
        })
    }
}

#[derive(Default)]
struct Design {
    sources: Vec<Arc<Source>>,
    modules: HashMap<String, Definition>,
    /// In which they were read.
    order: Vec<String>,
    entries: usize,
}

impl Design {
    /// Reads the modules of a text.
    fn add(&mut self, text: &str, file: &str) -> Result<()> {
        if text.len() as u64 > MAX_FILE {
            return Err(files::too_large(file, MAX_FILE));
        }
        let source = Source::new(file, text);
        self.sources.push(Arc::clone(&source));
        let read = parse::parse(text, self.sources.len() - 1, &mut self.entries);
        for module in read.map_err(|wrong| refuse(wrong, &source))? {
            let (name, at) = (module.name.text.clone(), module.name.at.clone());
            if self.modules.len() >= MAX_MODULES {
                let wrong = Wrong::new(&VERILOG_SIZE, at, format!("more than {MAX_MODULES} modules"));
                return Err(refuse(wrong, &source));
            }
            if self.modules.insert(name.clone(), module).is_some() {
                let wrong = Wrong::new(&VERILOG_SIGNAL, at, format!("a second module `{name}`"));
                return Err(refuse(wrong, &source));
            }
            self.order.push(name);
        }
        Ok(())
    }
}

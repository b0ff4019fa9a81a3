//! Reads back the Verilog that blc emits ([`neurons`]: and modules of truth tables, as others write them), so that it can be proved equal to what it was made from: one flat module of
//! wires, expressions, indexed tables, registers on one clock, and primitives of the targets. The meaning of each is said
//! here, apart from the emitter. Anything else of Verilog is refused by name, never guessed.
//!
//! Ports are vectors of bits; words are written as such, and who compares designs knows which bits are a word.

mod build;
mod cells;
mod lex;
pub mod neurons;
mod parse;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::Path;

use blc_ir::Module;
use blc_ir::diag::{Code, Diagnostic, Result, Source};

use crate::files;

/// Largest file.
const MAX_FILE: u64 = 1 << 30;
/// Most bits of all declarations together.
const MAX_BITS: usize = 1 << 24;
/// Most inputs of an indexed table.
const MAX_INPUTS: usize = 16;
/// Deepest nesting of an expression.
const MAX_DEPTH: usize = 64;

/// A Verilog text to a module of one hardware module. Models of primitives stand in files of their own, which are not
/// needed.
///
/// # Errors
/// `BL1120` to `BL1123`, and `BL1003` for a text of more than 1 GiB.
pub fn import(text: &str, file: &str) -> Result<Module> {
    if text.len() as u64 > MAX_FILE {
        return Err(files::too_large(file, MAX_FILE));
    }
    let name = Path::new(file).file_name().map_or_else(|| "net".into(), |s| s.to_string_lossy());
    let built = parse::parse(text).and_then(|design| build::build(&design, text, &name));
    built.map_err(|wrong| Box::new(wrong.diagnostic.at(&Source::new(file, text), wrong.at)))
}

/// A problem at a place of the text.
#[derive(Debug)]
struct Wrong {
    diagnostic: Box<Diagnostic>,
    at: Range<usize>,
}

impl Wrong {
    fn new(code: &'static Code, at: Range<usize>, message: impl Into<String>) -> Self {
        Self { diagnostic: Box::new(Diagnostic::error(code, message)), at }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.diagnostic.help = Some(help.into());
        self
    }
}

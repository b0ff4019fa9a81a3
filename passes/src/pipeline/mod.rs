//! Pipelines: which passes run, in which order and with which options.
//!
//! Written as `"expand,fold,cover{k=6},pipeline{stages=4}"`. `@default` stands for the design's default pipeline,
//! `repeat[3](…)` runs a list so many times, `fixpoint(…)` until none of its passes changes anything, `try(…)` once and
//! takes it back unless the function got smaller; `try[9000](…)` does so for functions of at most 9,000 ops only.

mod parse;

use std::fmt::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use blc_ir::diag::{Result, Source};
use serde_json::Value;

use crate::registry::{Entry, Registry};

/// Most rounds of a `fixpoint(…)`.
pub const FIXPOINT_ROUNDS: u32 = 32;
/// Most passes that a pipeline may run, all repetitions counted.
pub const MAX_RUNS: u64 = 10_000;

/// A pipeline that was read: every pass is known and every option fits.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The text it was read from.
    pub source: Arc<Source>,
    /// What runs, in order.
    pub items: Vec<Item>,
}

/// One part of a pipeline.
#[derive(Clone, Debug)]
pub enum Item {
    /// A pass.
    Pass(Call),
    /// `repeat[times](body)`
    Repeat(u32, Vec<Item>),
    /// `fixpoint(body)`
    Fixpoint(Vec<Item>),
    /// `try(body)`, or `try[most](body)` for functions of at most so many ops.
    Try(Option<u32>, Vec<Item>),
}

/// A pass with its options.
#[derive(Clone, Debug)]
pub struct Call {
    /// The pass.
    pub entry: Entry,
    /// All of its options, a JSON object.
    pub options: Value,
    /// Where it stands in its source (which is not the pipeline's where `@default` brought it in).
    pub source: Arc<Source>,
    /// Bytes of that source.
    pub span: Range<usize>,
}

impl Pipeline {
    /// Reads a pipeline. `default` is the pipeline that `@default` stands for.
    ///
    /// # Errors
    /// What cannot be read, pointing into the text: syntax, an unknown pass or option, a value that does not fit.
    pub fn parse(text: &str, default: &str, registry: &Registry) -> Result<Self> {
        parse::parse(text, default, registry)
    }

    /// The pipeline in canonical form: every option of every pass spelled out, `@default` replaced by what it stands
    /// for. Reading it gives the same pipeline again.
    pub fn resolved(&self) -> String {
        List(&self.items).to_string()
    }
}

/// Prints a list of items in canonical form.
pub(crate) struct List<'a>(pub &'a [Item]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "," })?;
            write!(f, "{item}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass(call) => write!(f, "{call}"),
            Self::Repeat(times, body) => write!(f, "repeat[{times}]({})", List(body)),
            Self::Fixpoint(body) => write!(f, "fixpoint({})", List(body)),
            Self::Try(None, body) => write!(f, "try({})", List(body)),
            Self::Try(Some(most), body) => write!(f, "try[{most}]({})", List(body)),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry.name)?;
        let mut before = '{';
        for (name, value) in self.options.as_object().into_iter().flatten() {
            match value {
                // An option that is not set.
                Value::Null => continue,
                Value::String(s) => write!(f, "{before}{name}={}", Quoted(s))?,
                value => write!(f, "{before}{name}={value}")?,
            }
            before = ',';
        }
        f.write_str(if before == ',' { "}" } else { "" })
    }
}

/// A string as an option's value: bare where that reads as a word.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if parse::is_word(self.0) && !matches!(self.0, "true" | "false") {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

//! How `blc` speaks: data to stdout, talk to stderr, and an exit code.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use blc_frontend::codes::FILE_WRITE;
use blc_ir::diag::{Code, Diagnostic};
use blc_passes::codes as passes;
use clap::ValueEnum;

use crate::codes;

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// The input or the command line is wrong.
    Wrong(Vec<Diagnostic>),
    /// Two things that must be equal are not.
    NotEqual(Vec<Diagnostic>),
    /// Whether two things are equal is not known.
    Undecided(Vec<Diagnostic>),
    /// An error of `blc` itself.
    Bug(Vec<Diagnostic>),
    /// A command that was run has said why, and ended with this exit code.
    Told(u8),
    /// Whoever read stdout has gone: not an error.
    PipeClosed,
}

/// What a command gives.
pub type Outcome<T = ()> = Result<T, Failure>;

impl From<Diagnostic> for Failure {
    fn from(d: Diagnostic) -> Self {
        Self::Wrong(vec![d])
    }
}

impl From<Box<Diagnostic>> for Failure {
    fn from(d: Box<Diagnostic>) -> Self {
        Self::Wrong(vec![*d])
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(ds: Vec<Diagnostic>) -> Self {
        Self::Wrong(ds)
    }
}

/// Problems of the command line rather than of an input.
static USAGE: &[&Code] = &[
    &codes::USAGE,
    &codes::OPTION_UNFIT,
    &codes::UNKNOWN_TOPIC,
    &passes::PIPELINE_SYNTAX,
    &passes::UNKNOWN_PASS,
    &passes::UNKNOWN_OPTION,
    &passes::BAD_OPTION,
    &passes::PIPELINE_TOO_LONG,
];

/// Exit code of an error of `blc` itself.
const BUG: u8 = 101;

/// How to report an error of `blc`.
pub const REPORT_IT: &str = concat!(
    "\nThis is an error of blc ",
    env!("CARGO_PKG_VERSION"),
    ", not of your input. Please report it with the command, its inputs and the text above:\n  ",
    env!("CARGO_PKG_REPOSITORY"),
    "/issues\n"
);

impl Failure {
    /// The exit code: 0 fine, 1 wrong input, 2 usage, 3 not equal, 4 undecided, 101 an error of `blc`.
    fn code(&self) -> u8 {
        match self {
            Self::PipeClosed => 0,
            Self::Told(code) => *code,
            Self::NotEqual(_) => 3,
            Self::Undecided(_) => 4,
            Self::Bug(_) => BUG,
            Self::Wrong(ds) => match ds.first().map(|d| d.code) {
                Some(code) if USAGE.contains(&code) => 2,
                _ => 1,
            },
        }
    }

    /// What is reported.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::PipeClosed | Self::Told(_) => &[],
            Self::Wrong(ds) | Self::NotEqual(ds) | Self::Undecided(ds) | Self::Bug(ds) => ds,
        }
    }
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ErrorFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line, and nothing else on stderr.
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether stderr gets colours.
    pub fn on(self) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                io::stderr().is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
            }
        }
    }
}

/// Where talk and data go.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    format: ErrorFormat,
    color: bool,
    quiet: bool,
    verbose: bool,
}

impl Ui {
    /// A way to speak. With JSON diagnostics nothing else goes to stderr.
    pub fn new(format: ErrorFormat, color: Color, quiet: bool, verbose: bool) -> Self {
        let json = format == ErrorFormat::Json;
        Self { format, color: color.on() && !json, quiet: quiet || json, verbose: verbose && !json }
    }

    /// Whether talk is unwanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether a progress bar may move on stderr.
    pub fn animates(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Writes a diagnostic.
    pub fn report(&self, d: &Diagnostic) {
        let text = match self.format {
            ErrorFormat::Human => d.render(self.color),
            ErrorFormat::Json => serde_json::to_string(&d.record()).unwrap_or_default() + "\n",
        };
        // Nobody is left to tell if stderr is closed.
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// Writes warnings, unless talk is unwanted. In JSON they are records like errors.
    pub fn warn(&self, warnings: &[Diagnostic]) {
        if !self.quiet || self.format == ErrorFormat::Json {
            warnings.iter().for_each(|d| self.report(d));
        }
    }

    /// Says a line.
    pub fn say(&self, line: impl Display) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    /// Says a line to those who asked for more (`-v`).
    pub fn detail(&self, line: impl Display) {
        if self.verbose {
            self.say(line);
        }
    }

    /// Writes a text that was asked for by an option, whatever else is said.
    pub fn dump(&self, text: &str) {
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// Writes data to stdout.
    pub fn data(&self, text: impl AsRef<[u8]>) -> Outcome {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_ref()).and_then(|()| out.flush());
        written.map_err(|e| match e.kind() {
            io::ErrorKind::BrokenPipe => Failure::PipeClosed,
            _ => Diagnostic::error(&FILE_WRITE, format!("cannot be written: {e}")).in_file("<stdout>", "").into(),
        })
    }

    /// Reports how a command ended, and gives the exit code.
    pub fn exit(&self, outcome: Outcome) -> u8 {
        match outcome {
            Ok(()) => 0,
            Err(failure) => {
                failure.diagnostics().iter().for_each(|d| self.report(d));
                if matches!(failure, Failure::Bug(_)) && self.format == ErrorFormat::Human {
                    self.dump(REPORT_IT);
                }
                failure.code()
            }
        }
    }
}

/// A text table: the first column left, the others right, two spaces between.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let chars = |cell: &str| cell.chars().count();
    let widths: Vec<usize> =
        (0..columns).map(|c| rows.iter().filter_map(|r| r.get(c)).map(|cell| chars(cell)).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (c, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width - chars(cell));
            line.push_str(if c == 0 { "" } else { "  " });
            line += &if c == 0 { format!("{cell}{pad}") } else { format!("{pad}{cell}") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let rows = [vec!["part".into(), "LUTs".into()], vec!["encoder".into(), "7".into()], vec![]];
        assert_eq!(table(&rows), "part     LUTs\nencoder     7\n\n");
    }

    #[test]
    fn usage_is_told_from_wrong_input() {
        let failure = |code| Failure::from(Diagnostic::error(code, "")).code();
        assert_eq!(failure(&passes::UNKNOWN_PASS), 2);
        assert_eq!(failure(&FILE_WRITE), 1);
        assert_eq!(Failure::NotEqual(vec![Diagnostic::error(&codes::DISAGREE, "")]).code(), 3);
        assert_eq!(Failure::PipeClosed.code(), 0);
    }
}

//! Diagnostics: what every crate reports to a person.
//!
//! A [`Diagnostic`] has a [`Code`] that `blc explain` knows, a place (a span of a text, or a file and a detail such as
//! a tensor's name) and, where something can be done, a help line. Rendering goes through `annotate-snippets`, which
//! nothing outside this file sees.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

/// A kind of problem, with the text that `blc explain` prints.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Stable identifier, `BL` and four digits.
    pub id: &'static str,
    /// One line that names the problem.
    pub title: &'static str,
    /// What it means, why it is refused and what to do.
    pub explain: &'static str,
}

/// Declares the [`Code`]s of a crate and the table `ALL` of them, in order.
#[macro_export]
macro_rules! codes {
    ($($id:ident = $name:ident: $title:literal, $explain:literal;)*) => {
        $(
            #[doc = $title]
            pub static $name: $crate::diag::Code =
                $crate::diag::Code { id: stringify!($id), title: $title, explain: $explain };
        )*
        /// Every code of this crate, in order of declaration.
        pub static ALL: &[&$crate::diag::Code] = &[$(&$name),*];
    };
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The input cannot be used.
    Error,
    /// The input can be used, but probably not as meant.
    Warning,
}

/// A named text, so that a diagnostic can show the line it speaks of.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// File name or `<stdin>`, `<passes>`, ...
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// Wraps a text under a name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into() })
    }

    /// One-based line and column (in characters) of a byte offset.
    pub fn line_col(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        let col = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        (line, col)
    }
}

/// Where a diagnostic points.
#[derive(Clone, Debug, Default)]
pub enum Place {
    /// Nowhere in particular (a command line, say).
    #[default]
    None,
    /// A byte range of a text.
    Span(Arc<Source>, Range<usize>),
    /// A file, and what in it (`tensor l0.tables`, `line 7`), possibly empty.
    File(String, String),
    /// An op inside a function that has no text, as the verifier names it.
    Op(String),
}

/// One problem, ready to be rendered.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What kind of problem.
    pub code: &'static Code,
    /// What is wrong here, in one sentence.
    pub message: String,
    /// Where.
    pub place: Place,
    /// A few words at the place itself; may be empty.
    pub label: String,
    /// Further facts.
    pub notes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
}

/// Result whose error is one diagnostic.
pub type Result<T, E = Box<Diagnostic>> = std::result::Result<T, E>;

impl Diagnostic {
    /// A new error.
    pub fn error(code: &'static Code, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            place: Place::None,
            label: String::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// A new warning.
    pub fn warning(code: &'static Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Points at a range of a text.
    pub fn at(mut self, source: &Arc<Source>, range: Range<usize>) -> Self {
        self.place = Place::Span(Arc::clone(source), range);
        self
    }

    /// Points at a file, and at a detail in it (may be empty).
    pub fn in_file(mut self, file: impl Into<String>, detail: impl Into<String>) -> Self {
        self.place = Place::File(file.into(), detail.into());
        self
    }

    /// Points at an op that has no text.
    pub fn in_op(mut self, op: impl Into<String>) -> Self {
        self.place = Place::Op(op.into());
        self
    }

    /// Puts words at the place.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds a fact.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The text for a terminal, with a final newline. `color` switches ANSI colours.
    pub fn render(&self, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = match &self.place {
            Place::File(file, detail) if detail.is_empty() => format!("{file}: {}", self.message),
            Place::File(file, detail) => format!("{file}: {detail}: {}", self.message),
            Place::Op(op) => format!("{op}: {}", self.message),
            Place::None | Place::Span(..) => self.message.clone(),
        };
        let mut group =
            level.primary_title(title).id(self.code.id).elements(Vec::<annotate_snippets::Element<'_>>::new());
        if let Place::Span(source, range) = &self.place {
            let end = range.end.min(source.text.len());
            let range = range.start.min(end)..end;
            let mut mark = AnnotationKind::Primary.span(range);
            if !self.label.is_empty() {
                mark = mark.label(self.label.as_str());
            }
            group = group.element(Snippet::source(&source.text).path(&source.name).annotation(mark));
        }
        for note in &self.notes {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut text = renderer.render(&[group]).to_string();
        text.push('\n');
        text
    }

    /// The same as plain data, for `--error-format json`.
    pub fn record(&self) -> Record<'_> {
        let (file, line, column, detail) = match &self.place {
            Place::None => (None, None, None, None),
            Place::Span(source, range) => {
                let (line, column) = source.line_col(range.start);
                (Some(source.name.as_str()), Some(line), Some(column), None)
            }
            Place::File(file, detail) => (Some(file.as_str()), None, None, Some(detail.as_str())),
            Place::Op(op) => (None, None, None, Some(op.as_str())),
        };
        Record {
            severity: self.severity,
            code: self.code.id,
            message: &self.message,
            file,
            line,
            column,
            detail,
            label: &self.label,
            notes: &self.notes,
            help: self.help.as_deref(),
        }
    }
}

/// A diagnostic as plain data. Lines and columns count from one.
#[derive(Debug, Serialize)]
#[allow(missing_docs)]
pub struct Record<'a> {
    pub severity: Severity,
    pub code: &'static str,
    pub message: &'a str,
    pub file: Option<&'a str>,
    pub line: Option<usize>,
    pub column: Option<usize>,
    pub detail: Option<&'a str>,
    pub label: &'a str,
    pub notes: &'a [String],
    pub help: Option<&'a str>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    codes! {
        BL9999 = TEST: "a test", "Only here.";
    }

    #[test]
    fn renders_place_note_and_help() {
        let source = Source::new("a.blir", "one\ntwo three\n");
        let d = Diagnostic::error(&TEST, "no such thing").at(&source, 8..13).label("here").note("a fact").help("do it");
        let text = d.render(false);
        for part in ["error[BL9999]: no such thing", "a.blir:2:5", "two three", "^^^^^ here", "a fact", "do it"] {
            assert!(text.contains(part), "{part:?} not in\n{text}");
        }
        assert_eq!(d.record().line, Some(2));
        assert_eq!(ALL.len(), 1);
    }

    #[test]
    fn line_col_survives_any_offset() {
        let source = Source::new("x", "aé\nb");
        assert_eq!(source.line_col(2), (1, 2));
        assert_eq!(source.line_col(99), (2, 2));
    }
}

//! `blc fmt`: texts in their canonical form, with their comments.

use std::path::Path;

use blc_frontend::files;
use blc_ir::diag::{Diagnostic, Source};
use blc_ir::parse;

use crate::args::Fmt;
use crate::codes;
use crate::load;
use crate::ui::{Failure, Outcome, Ui};

/// Formats files in place, or standard input to standard output.
pub fn run(args: &Fmt, ui: &Ui) -> Outcome {
    let mut unformatted = Vec::new();
    for path in &args.inputs {
        let (text, formatted) = formatted(path)?;
        if args.check {
            unformatted.extend((text != formatted).then(|| not_formatted(path, &text, &formatted)));
        } else if load::is_stdin(path) {
            ui.data(formatted)?;
        } else if text != formatted {
            files::write_atomic(path, formatted.as_bytes())?;
            ui.detail(format_args!("formatted {}", files::display(path)));
        }
    }
    if unformatted.is_empty() { Ok(()) } else { Err(Failure::Wrong(unformatted)) }
}

/// A text as it is and as it should be.
fn formatted(path: &Path) -> Outcome<(String, String)> {
    let text = load::read_text(path)?;
    let formatted = parse::format(&Source::new(load::shown(path), text.as_str()))?;
    Ok((text, formatted))
}

fn not_formatted(path: &Path, text: &str, formatted: &str) -> Diagnostic {
    let same = text.lines().zip(formatted.lines()).take_while(|(a, b)| a == b).count();
    let d = Diagnostic::error(&codes::NOT_FORMATTED, format!("line {} is not in its canonical form", same + 1));
    let d = d.in_file(load::shown(path), "").help("`blc fmt` without `--check` formats it");
    match formatted.lines().nth(same) {
        Some(line) => d.note(format!("canonical: {}", line.chars().take(160).collect::<String>())),
        None => d,
    }
}

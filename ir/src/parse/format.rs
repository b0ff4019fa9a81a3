//! A text in its canonical form, with its comments.
//!
//! The canonical form has one statement a line, and the parser notes where each of these lines begins in the text as it
//! was. A comment on lines of its own therefore goes above the line that followed it, one behind something goes behind
//! the line that it stood at.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lex::{Lexer, Tok};
use super::parse_with_places;
use crate::diag::{Diagnostic, Source};
use crate::print::print;

/// A comment from `//` to the end of its line.
struct Comment<'a> {
    text: &'a str,
    /// Byte offset of where it begins.
    at: usize,
    /// Whether something stands before it on its line.
    behind: bool,
}

/// Formats a text: what [`print()`] gives for it, and its comments. Formatting that again changes nothing.
///
/// # Errors
/// Those of the parser; nothing is verified.
pub fn format(source: &Arc<Source>) -> Result<String, Vec<Diagnostic>> {
    let parsed = parse_with_places(source)?;
    let canonical = print(&parsed.module);
    let starts = parsed.statements();
    debug_assert_eq!(starts.len(), canonical.lines().count(), "a statement a line");

    let mut above: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    let mut behind: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for comment in comments(&source.text) {
        let line = starts.partition_point(|&start| start < comment.at);
        let (side, line) = if comment.behind { (&mut behind, line.max(1) - 1) } else { (&mut above, line) };
        side.entry(line).or_default().push(comment.text);
    }

    let mut text = String::with_capacity(canonical.len());
    let mut put_above = |text: &mut String, line: usize, indent: &str| {
        for comment in above.remove(&line).into_iter().flatten() {
            text.extend([indent, comment, "\n"]);
        }
    };
    for (i, line) in canonical.lines().enumerate() {
        // What stands above an end belongs to what ends there.
        let inner = if line.trim_start() == "}" { "  " } else { "" };
        let indent = format!("{}{inner}", &line[..line.len() - line.trim_start().len()]);
        put_above(&mut text, i, &indent);
        text.push_str(line);
        for comment in behind.remove(&i).into_iter().flatten() {
            text.extend(["  ", comment]);
        }
        text.push('\n');
    }
    put_above(&mut text, starts.len(), "");
    Ok(text)
}

fn comments(text: &str) -> Vec<Comment<'_>> {
    let (mut lexer, mut found, mut end) = (Lexer::new(text), Vec::new(), 0);
    loop {
        let token = lexer.next();
        // Nothing but white space and comments stands between tokens.
        let mut at = end;
        for line in text[end..token.start].split_inclusive('\n') {
            let words = line.trim();
            if !words.is_empty() {
                found.push(Comment { text: words, at, behind: at == end && end > 0 });
            }
            at += line.len();
        }
        if token.tok == Tok::End {
            return found;
        }
        end = token.end;
    }
}

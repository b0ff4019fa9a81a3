//! Words of a Verilog text.

use std::ops::Range;

use super::Wrong;
use crate::codes::VERILOG_SYNTAX;

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name or a keyword.
    Name,
    /// A plain decimal number, or one with width and base (`64'h0f`).
    Number,
    /// In quotation marks.
    Text,
    /// One sign, or `<=`.
    Sign,
    /// Behind the last word.
    End,
}

/// A word and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Bytes of the text.
    pub at: Range<usize>,
}

/// All words of a text but comments and directives.
pub fn tokens(text: &str) -> Result<Vec<Token>, Wrong> {
    let bytes = text.as_bytes();
    let mut all = Vec::new();
    let mut at = 0;
    let run = |from: usize, fits: fn(u8) -> bool| (from..bytes.len()).find(|&i| !fits(bytes[i])).unwrap_or(bytes.len());
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'$';
    while let Some(&b) = bytes.get(at) {
        let next = bytes.get(at + 1).copied().unwrap_or(0);
        let (kind, end) = match b {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'/' if next == b'/' => {
                at = run(at, |b| b != b'\n');
                continue;
            }
            b'/' if next == b'*' => {
                let Some(end) = text.get(at + 2..).and_then(|rest| rest.find("*/")) else {
                    return Err(Wrong::new(&VERILOG_SYNTAX, at..at + 2, "a comment that does not end"));
                };
                at += end + 4;
                continue;
            }
            // `default_nettype and the like change nothing of what is read here.
            b'`' => {
                at = run(at, |b| b != b'\n');
                continue;
            }
            b'"' => match bytes[at + 1..].iter().position(|&b| b == b'"' || b == b'\n') {
                Some(len) if bytes[at + 1 + len] == b'"' => (Kind::Text, at + len + 2),
                _ => return Err(Wrong::new(&VERILOG_SYNTAX, at..at + 1, "a string that does not end")),
            },
            b'0'..=b'9' => {
                let digits = run(at, |b| b.is_ascii_digit());
                let based = bytes.get(digits) == Some(&b'\'');
                (Kind::Number, if based { run(digits + 1, |b| b.is_ascii_alphanumeric()) } else { digits })
            }
            _ if word(b) => (Kind::Name, run(at, |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'$')),
            b'<' if next == b'=' => (Kind::Sign, at + 2),
            _ if b.is_ascii_punctuation() => (Kind::Sign, at + 1),
            _ => return Err(Wrong::new(&VERILOG_SYNTAX, at..at, "a character that blc does not write")),
        };
        all.push(Token { kind, at: at..end });
        at = end;
    }
    all.push(Token { kind: Kind::End, at: text.len()..text.len() });
    Ok(all)
}

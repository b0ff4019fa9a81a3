//! The text of Liberty: groups of attributes and groups. Of these only what says which cells there are is kept.

use std::sync::Arc;

use blc_ir::diag::{Diagnostic, Result, Source};

use crate::codes::LIBERTY;

/// How deep groups nest.
const MAX_DEPTH: usize = 32;
/// Most groups that are kept.
const MAX_GROUPS: usize = 1 << 20;
/// Groups that say something of a cell's function; all others are read over.
const KEPT: [&str; 10] =
    ["cell", "pin", "ff", "latch", "statetable", "bus", "bundle", "test_cell", "ff_bank", "latch_bank"];
/// Attributes that do.
const ATTRIBUTES: [&str; 9] =
    ["area", "direction", "function", "three_state", "next_state", "clocked_on", "clear", "preset", "dont_use"];

/// `kind (args) { … }`
#[derive(Debug, Default)]
pub struct Group {
    /// What it is.
    pub kind: String,
    /// What stands in parentheses.
    pub args: Vec<String>,
    /// Where it begins in the text.
    pub at: usize,
    attrs: Vec<(String, String)>,
    /// The groups within.
    pub groups: Vec<Group>,
}

impl Group {
    /// The value of an attribute; the last, where there are several.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attrs.iter().rev().find(|(attr, _)| attr == name).map(|(_, value)| value.as_str())
    }
}

/// The library of a text.
///
/// # Errors
/// `BL3013`.
pub fn library(source: &Arc<Source>) -> Result<Group> {
    let mut reader = Reader { source, text: source.text.as_bytes(), at: 0, groups: 0 };
    let (kind, at) = reader.name()?;
    if kind != "library" {
        return Err(reader.wrong(at, "a Liberty file begins with `library (NAME) {`"));
    }
    let args = reader.args()?;
    if !reader.take(b'{') {
        return Err(reader.wrong(reader.at, "`{` is missing"));
    }
    let group = reader.group(Group { kind, args, at, ..Group::default() }, 0)?;
    reader.space();
    match reader.at == reader.text.len() {
        true => Ok(group),
        false => Err(reader.wrong(reader.at, "something stands behind the library")),
    }
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    text: &'a [u8],
    at: usize,
    groups: usize,
}

impl Reader<'_> {
    fn wrong(&self, at: usize, why: impl Into<String>) -> Box<Diagnostic> {
        // The span has to lie between characters.
        let boundary = |i: &usize| self.source.text.is_char_boundary(*i);
        let start = (0..=at.min(self.text.len())).rev().find(boundary).unwrap_or(0);
        let end = (start + 1..=self.text.len()).find(boundary).unwrap_or(start);
        let d = Diagnostic::error(&LIBERTY, why).at(self.source, start..end);
        Box::new(d.help("`blc explain BL3013` says what is read of a Liberty file"))
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Space, continued lines and comments.
    fn space(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let skip = match rest {
                [b'/', b'*', inner @ ..] => inner.windows(2).position(|w| w == b"*/").map_or(rest.len(), |end| end + 4),
                [b'/', b'/', ..] => rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()),
                [b'\\' | b' ' | b'\t' | b'\r' | b'\n', ..] => 1,
                _ => return,
            };
            self.at += skip;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// A word, and where it begins.
    fn name(&mut self) -> Result<(String, usize)> {
        self.space();
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || b"_.[]-+$<>".contains(&b)) {
            self.at += 1;
        }
        match start == self.at {
            true => Err(self.wrong(start, "a name is expected")),
            false => Ok((self.slice(start, self.at), start)),
        }
    }

    fn slice(&self, start: usize, end: usize) -> String {
        String::from_utf8_lossy(&self.text[start..end]).into_owned()
    }

    /// `"…"`, behind its first quote.
    fn string(&mut self) -> Result<String> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.at += 1;
                    return Ok(self.slice(start, self.at - 1));
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at = self.text.len();
        Err(self.wrong(start, "a string does not end"))
    }

    /// `(a, "b", …)`; what is large (tables) is read over all the same.
    fn args(&mut self) -> Result<Vec<String>> {
        if !self.take(b'(') {
            return Err(self.wrong(self.at, "`(` is missing"));
        }
        let mut args = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some(b')') => {
                    self.at += 1;
                    return Ok(args);
                }
                Some(b',' | b':') => self.at += 1,
                Some(b'"') => {
                    self.at += 1;
                    args.push(self.string()?);
                }
                Some(_) => args.push(self.name()?.0),
                None => return Err(self.wrong(self.at, "`)` is missing")),
            }
        }
    }

    /// What stands behind `:`, up to the end of the statement.
    fn value(&mut self) -> Result<String> {
        let mut value = String::new();
        loop {
            match self.peek() {
                None | Some(b';' | b'\n' | b'}') => break,
                Some(b'"') => {
                    self.at += 1;
                    value = self.string()?;
                }
                Some(_) => {
                    let start = self.at;
                    while self.peek().is_some_and(|b| !b";\n}\"".contains(&b)) {
                        self.at += 1;
                    }
                    let text = self.slice(start, self.at);
                    if !text.trim().is_empty() {
                        value = text.trim().to_owned();
                    }
                }
            }
        }
        self.take(b';');
        Ok(value)
    }

    /// The inside of a group, up to its `}`.
    fn group(&mut self, mut group: Group, depth: usize) -> Result<Group> {
        if depth > MAX_DEPTH {
            return Err(self.wrong(group.at, format!("groups nest deeper than {MAX_DEPTH}")));
        }
        loop {
            if self.take(b'}') {
                return Ok(group);
            }
            if self.take(b';') {
                continue;
            }
            if self.peek().is_none() {
                return Err(self.wrong(group.at, format!("the group `{}` does not end", group.kind.escape_default())));
            }
            let (kind, at) = self.name()?;
            if self.take(b':') {
                let value = self.value()?;
                if ATTRIBUTES.contains(&kind.as_str()) {
                    group.attrs.push((kind, value));
                }
                continue;
            }
            let args = self.args()?;
            if self.take(b'{') {
                let inner = self.group(Group { kind, args, at, ..Group::default() }, depth + 1)?;
                if KEPT.contains(&inner.kind.as_str()) {
                    self.groups += 1;
                    if self.groups > MAX_GROUPS {
                        return Err(self.wrong(at, format!("more than {MAX_GROUPS} cells and pins")));
                    }
                    group.groups.push(inner);
                }
            }
        }
    }
}

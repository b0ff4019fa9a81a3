//! Reads the text form. Recursive descent by hand; after an error it goes on at the next line that begins a statement,
//! so that several errors come out of one run. What it gives still has to be verified.
//!
//! Grammar (`name` plain or quoted):
//! ```text
//! file     = "blir" "0.1" resource* "module" @name ["{" "target" "=" string "}"] "{" func* "}"
//! resource = #name "=" ("resource" string "::" string "sha256:"hex | "data" type "[" number,* "]")
//! func     = "func" @name "(" (%name ":" type),* ")" "->" "(" (%name ":" type),* ")" attrs? "{" op* "return" %v,* "}"
//!          | "hw.module" @name "(" (("in"|"out") %name ":" type),* ")" attrs? "{" op* "hw.output" %v,* "}"
//! op       = %v,* "=" mnemonic operands attrs? ":" type,* loc?
//! operands = %v,* | "(" %v,* ")" | %v "clock" %v
//! attrs    = "{" (word "=" (number | string | #name | word)),* "}"
//! loc      = "loc" "(" (origin | "fused" "[" origin,* "]") ")"
//! origin   = string ["neuron" number | ":" number]
//! ```

mod format;
mod func;
mod lex;

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::codes::*;
use crate::diag::{Code, Diagnostic, Place, Source};
use crate::func::OpId;
use crate::module::{Data, Module, Origin, Resource, ResourceId};
use crate::types::{Elem, Type};
use crate::verify::{Subject, verify_at};
pub use format::format;
use lex::{Lexer, Tok, Token, unquote};

/// Most errors that one call reports.
const MAX_ERRORS: usize = 100;

/// A module and where everything stands in its text.
#[derive(Debug)]
pub struct Parsed {
    /// The module, not yet verified.
    pub module: Module,
    source: Arc<Source>,
    resources: Vec<Range<usize>>,
    funcs: Vec<Range<usize>>,
    ops: Vec<Vec<(u32, u32)>>,
    /// Where lines of the canonical text begin that are neither a resource nor an op.
    frame: Vec<u32>,
}

impl Parsed {
    /// Where each line of the canonical text begins in this one: resources, ops, and what holds them.
    pub(crate) fn statements(&self) -> Vec<usize> {
        let resources = self.resources.iter().map(|range| range.start);
        let ops = self.ops.iter().flatten().map(|&(start, _)| start as usize);
        let mut all: Vec<usize> = self.frame.iter().map(|&at| at as usize).chain(resources).chain(ops).collect();
        all.sort_unstable();
        all
    }

    /// Where a subject stands.
    pub fn place(&self, subject: Subject) -> Option<Place> {
        let range = match subject {
            Subject::Resource(id) => self.resources.get(id.index())?.clone(),
            Subject::Func(f) => self.funcs.get(f)?.clone(),
            Subject::Op(f, OpId(op)) => {
                let &(start, end) = self.ops.get(f)?.get(op as usize)?;
                start as usize..end as usize
            }
        };
        Some(Place::Span(Arc::clone(&self.source), range))
    }

    /// Verifies the module, with errors at their places.
    pub fn verify(&self) -> Vec<Diagnostic> {
        verify_at(&self.module, &|subject| self.place(subject))
    }
}

/// Reads a text; the module is not yet verified and resources of files not yet loaded.
///
/// # Errors
/// Every error found, at least one.
pub fn parse(source: &Arc<Source>) -> Result<Module, Vec<Diagnostic>> {
    parse_with_places(source).map(|p| p.module)
}

/// As [`parse`], and keeps where everything stands.
///
/// # Errors
/// As [`parse`].
pub fn parse_with_places(source: &Arc<Source>) -> Result<Parsed, Vec<Diagnostic>> {
    if u32::try_from(source.text.len()).is_err() {
        return Err(vec![Diagnostic::error(&LIMIT, "the text has 4 GiB or more").in_file(&source.name, "")]);
    }
    let mut lexer = Lexer::new(&source.text);
    let token = lexer.next();
    let mut parser = Parser {
        source,
        lexer,
        token,
        last_end: 0,
        errors: Vec::new(),
        resource_names: FxHashMap::default(),
        parsed: Parsed {
            module: Module::default(),
            source: Arc::clone(source),
            resources: Vec::new(),
            funcs: Vec::new(),
            ops: Vec::new(),
            frame: Vec::new(),
        },
    };
    // Errors are kept in the parser; `Err` only ends a construct.
    let _ = parser.file();
    if parser.errors.is_empty() { Ok(parser.parsed) } else { Err(parser.errors) }
}

/// An error was reported; the construct it stands in ends here.
struct Reported;
type Parse<T> = Result<T, Reported>;

struct Parser<'a> {
    source: &'a Arc<Source>,
    lexer: Lexer<'a>,
    token: Token,
    last_end: usize,
    errors: Vec<Diagnostic>,
    resource_names: FxHashMap<String, ResourceId>,
    parsed: Parsed,
}

impl<'a> Parser<'a> {
    // ---- tokens

    fn text(&self) -> &'a str {
        let source: &'a Source = self.source;
        &source.text[self.token.range()]
    }

    /// A line of the canonical text begins here.
    fn line(&mut self) {
        self.parsed.frame.push(self.token.start as u32);
    }

    fn bump(&mut self) -> Token {
        let token = self.token;
        self.last_end = token.end;
        self.token = self.lexer.next();
        token
    }

    fn report<T>(&mut self, code: &'static Code, range: Range<usize>, message: impl Into<String>) -> Parse<T> {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(Diagnostic::error(code, message).at(self.source, range));
        }
        Err(Reported)
    }

    fn expected<T>(&mut self, what: &str) -> Parse<T> {
        let range = self.token.range();
        match self.token.tok {
            Tok::Bad => self.report(&LEX, range, format!("{what} was expected, not this")),
            Tok::End => {
                let end = self.last_end;
                self.report(&SYNTAX, end.saturating_sub(1)..end, format!("{what} was expected, the text ends here"))
            }
            _ => {
                let found = self.text();
                let found: String = found.chars().take(40).collect();
                self.report(&SYNTAX, range, format!("{what} was expected, not `{found}`"))
            }
        }
    }

    fn is_mark(&self, mark: u8) -> bool {
        self.token.tok == Tok::Mark(mark)
    }

    fn is_word(&self, word: &str) -> bool {
        self.token.tok == Tok::Word && self.text() == word
    }

    fn eat_mark(&mut self, mark: u8) -> bool {
        let eat = self.is_mark(mark);
        if eat {
            self.bump();
        }
        eat
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let eat = self.is_word(word);
        if eat {
            self.bump();
        }
        eat
    }

    fn mark(&mut self, mark: u8) -> Parse<()> {
        if self.eat_mark(mark) { Ok(()) } else { self.expected(&format!("`{}`", mark as char)) }
    }

    fn word(&mut self, word: &str) -> Parse<()> {
        if self.eat_word(word) { Ok(()) } else { self.expected(&format!("`{word}`")) }
    }

    /// A name behind its sigil, unquoted, and where it stands.
    fn name(&mut self, tok: Tok, what: &str) -> Parse<(String, Range<usize>)> {
        if self.token.tok != tok {
            return self.expected(what);
        }
        let range = self.token.range();
        let text = &self.text()[1..];
        let name = if text.starts_with('"') { unquote(text) } else { Some(text.to_string()) };
        self.bump();
        match name {
            Some(name) if !name.is_empty() => Ok((name, range)),
            _ => self.report(&LEX, range, "this name cannot be read"),
        }
    }

    fn string(&mut self) -> Parse<String> {
        if self.token.tok != Tok::Str {
            return self.expected("a text in quotes");
        }
        let token = self.token;
        let text = unquote(self.text());
        self.bump();
        match text {
            Some(text) => Ok(text),
            None => self.report(&LEX, token.range(), "an escape that the language does not have"),
        }
    }

    fn number(&mut self) -> Parse<u64> {
        if self.token.tok != Tok::Number {
            return self.expected("a number");
        }
        let text = self.text();
        let parsed = match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => text.parse(),
        };
        let token = self.bump();
        match parsed {
            Ok(n) => Ok(n),
            Err(_) => self.report(&SYNTAX, token.range(), "a whole number of at most 64 bits was expected"),
        }
    }

    fn number32(&mut self) -> Parse<u32> {
        let range = self.token.range();
        match u32::try_from(self.number()?) {
            Ok(n) => Ok(n),
            Err(_) => self.report(&LIMIT, range, "this number is 2^32 or more"),
        }
    }

    /// Goes through a list in brackets: `open item, item, … close`.
    fn list(&mut self, open: u8, close: u8, mut item: impl FnMut(&mut Self) -> Parse<()>) -> Parse<()> {
        self.mark(open)?;
        while !self.is_mark(close) {
            item(self)?;
            if !self.eat_mark(b',') {
                break;
            }
        }
        self.mark(close)
    }

    /// Skips to a token that begins a line and satisfies `stop`.
    fn recover(&mut self, stop: impl Fn(&Self) -> bool) {
        while self.token.tok != Tok::End && !(self.token.first && stop(self)) {
            self.bump();
        }
    }

    fn ty(&mut self) -> Parse<Type> {
        let token = self.token;
        let elem = match (token.tok, self.text()) {
            (Tok::Word, "bit") => Elem::Bit,
            (Tok::Word, "f32") => Elem::F32,
            (Tok::Word, "clock") => Elem::Clock,
            (Tok::Word, text) => match text.strip_prefix('u').and_then(|w| w.parse::<u8>().ok()) {
                Some(width @ 1..=64) => Elem::Word(width),
                _ => return self.expected("a type (`bit`, `u1` to `u64`, `f32`, `clock`)"),
            },
            _ => return self.expected("a type"),
        };
        self.bump();
        if !self.is_mark(b'[') {
            return Ok(Type::scalar(elem));
        }
        let mut shape = Vec::new();
        self.list(b'[', b']', |p| {
            shape.push(p.number()?.try_into().unwrap_or(usize::MAX));
            Ok(())
        })?;
        match Type::array(elem, &shape) {
            Some(ty) => Ok(ty),
            None => self.report(&LIMIT, token.start..self.last_end, "no array has this shape"),
        }
    }

    // ---- module

    fn file(&mut self) -> Parse<()> {
        self.line();
        self.word("blir")?;
        let version = self.token.range();
        if self.text() != "0.1" {
            return self.report(&VERSION, version, "this program reads version 0.1");
        }
        self.bump();
        while self.token.tok == Tok::Resource {
            if self.resource().is_err() {
                self.recover(|p| p.token.tok == Tok::Resource || p.is_word("module"));
            }
        }
        self.line();
        self.word("module")?;
        self.parsed.module.name = self.name(Tok::Func, "the module's @name")?.0;
        self.mark(b'{')?;
        if self.eat_word("target") {
            self.mark(b'=')?;
            self.parsed.module.target = Some(self.string()?);
            self.mark(b'}')?;
            self.mark(b'{')?;
        }
        while !self.is_mark(b'}') {
            if self.func().is_err() {
                self.recover(|p| p.is_word("func") || p.is_word("hw.module"));
            }
            if self.token.tok == Tok::End && !self.errors.is_empty() {
                return Err(Reported);
            }
        }
        self.line();
        self.mark(b'}')?;
        if self.token.tok == Tok::End { Ok(()) } else { self.expected("the end of the text") }
    }

    fn resource(&mut self) -> Parse<()> {
        let (name, range) = self.name(Tok::Resource, "a #name")?;
        self.mark(b'=')?;
        let resource = if self.eat_word("resource") {
            let file = self.string()?;
            self.mark(b':')?;
            self.mark(b':')?;
            let tensor = self.string()?;
            self.word("sha256")?;
            self.mark(b':')?;
            let sha256 = self.text().to_string();
            if sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
                return self.expected("64 hexadecimal digits");
            }
            self.bump();
            Resource { name, origin: Origin::File { file, tensor, sha256 }, shape: Vec::new(), data: None }
        } else {
            self.word("data")?;
            let (shape, data) = self.data()?;
            Resource::inline(name, &shape, data)
        };
        let id = ResourceId::new(self.parsed.resources.len());
        if self.resource_names.insert(resource.name.clone(), id).is_some() {
            return self.report(&REDEFINED, range, format!("#{} is declared twice", resource.name));
        }
        self.parsed.resources.push(range);
        self.parsed.module.add_resource(resource);
        Ok(())
    }

    fn data(&mut self) -> Parse<(Vec<usize>, Data)> {
        let start = self.token.start;
        let ty = self.ty()?;
        let mut data = match ty.elem {
            Elem::Word(8) => Data::U8(Vec::new()),
            Elem::Word(32) => Data::U32(Vec::new()),
            Elem::Word(64) => Data::U64(Vec::new()),
            Elem::F32 => Data::F32(Vec::new()),
            _ => return self.report(&SYNTAX, start..self.last_end, "data is u8, u32, u64 or f32"),
        };
        self.list(b'[', b']', |p| {
            if let Data::F32(d) = &mut data {
                let value: Option<f32> = if p.token.tok == Tok::Number { p.text().parse().ok() } else { None };
                return match value {
                    Some(x) if !x.is_finite() => {
                        p.report(&LIMIT, p.token.range(), "this number does not fit the data's type")
                    }
                    Some(x) => {
                        d.push(x);
                        p.bump();
                        Ok(())
                    }
                    None => p.expected("a real number"),
                };
            }
            let range = p.token.range();
            let n = p.number()?;
            let fits = match &mut data {
                Data::U8(d) => n.try_into().map(|n| d.push(n)).is_ok(),
                Data::U32(d) => n.try_into().map(|n| d.push(n)).is_ok(),
                Data::U64(d) => {
                    d.push(n);
                    true
                }
                Data::F32(_) => false,
            };
            if fits { Ok(()) } else { p.report(&LIMIT, range, "this number does not fit the data's type") }
        })?;
        if data.len() != ty.len() || ty.is_scalar() {
            let text = format!("{} elements stand here, {ty} has {}", data.len(), ty.len());
            return self.report(&LIMIT, start..self.last_end, text);
        }
        Ok((ty.shape().iter().map(|&d| d as usize).collect(), data))
    }
}

/// Wide numbers: hexadecimal digits to `words` words, lowest first; `None` where it has more bits.
fn wide_number(text: &str, words: usize) -> Option<Vec<u64>> {
    let digits = text.strip_prefix("0x")?;
    let mut table = vec![0u64; words];
    for (i, digit) in digits.bytes().rev().enumerate() {
        let value = u64::from((digit as char).to_digit(16)?);
        match table.get_mut(i / 16) {
            Some(word) => *word |= value << (i % 16 * 4),
            None if value == 0 => {}
            None => return None,
        }
    }
    Some(table)
}

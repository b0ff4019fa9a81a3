//! Tokens of the text form. Lexing never fails: what it does not know becomes [`Tok::Bad`].

use std::ops::Range;

/// A token without its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tok {
    /// `name`, `lut.dense`, `u8`
    Word,
    /// `12`, `0xff`, `-1.5e3`
    Number,
    /// `"text"`
    Str,
    /// `%name`, `%12`, `%"any text"`
    Value,
    /// `#name`
    Resource,
    /// `@name`
    Func,
    /// A single mark.
    Mark(u8),
    /// `->`
    Arrow,
    /// Nothing the language knows.
    Bad,
    /// The end.
    End,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) tok: Tok,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it is the first of its line.
    pub(super) first: bool,
}

impl Token {
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_while(&mut self, keep: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&keep) {
            self.at += 1;
        }
    }

    pub(super) fn next(&mut self) -> Token {
        let mut first = self.at == 0;
        loop {
            match self.peek() {
                Some(b'\n') => first = true,
                Some(b' ' | b'\t' | b'\r') => {}
                Some(b'/') if self.text[self.at..].starts_with("//") => {
                    self.skip_while(|b| b != b'\n');
                    continue;
                }
                _ => break,
            }
            self.at += 1;
        }
        let start = self.at;
        let tok = self.token();
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        Token { tok, start, end: self.at, first }
    }

    fn token(&mut self) -> Tok {
        let Some(b) = self.peek() else { return Tok::End };
        self.at += 1;
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                self.skip_while(is_name);
                Tok::Word
            }
            b'0'..=b'9' => self.number(),
            b'-' if self.peek() == Some(b'>') => {
                self.at += 1;
                Tok::Arrow
            }
            b'-' if self.peek().is_some_and(|b| b.is_ascii_digit()) => self.number(),
            b'"' => self.string(Tok::Str),
            b'%' => self.sigil(Tok::Value),
            b'#' => self.sigil(Tok::Resource),
            b'@' => self.sigil(Tok::Func),
            b'(' | b')' | b'{' | b'}' | b'[' | b']' | b':' | b',' | b'=' => Tok::Mark(b),
            _ => Tok::Bad,
        }
    }

    fn number(&mut self) -> Tok {
        let digits = self.at - 1;
        self.skip_while(|b| b.is_ascii_alphanumeric() || b == b'.');
        // The sign of an exponent.
        let hex = self.text[digits..].starts_with("0x");
        if !hex
            && self.text.as_bytes()[self.at - 1].eq_ignore_ascii_case(&b'e')
            && matches!(self.peek(), Some(b'-' | b'+'))
        {
            self.at += 1;
            self.skip_while(|b| b.is_ascii_digit());
        }
        Tok::Number
    }

    fn sigil(&mut self, tok: Tok) -> Tok {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.string(tok)
            }
            Some(b) if is_name(b) => {
                self.skip_while(is_name);
                tok
            }
            _ => Tok::Bad,
        }
    }

    fn string(&mut self, tok: Tok) -> Tok {
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return tok;
                }
                Some(b'\\') => self.at = (self.at + 2).min(self.text.len()),
                Some(b'\n') | None => return Tok::Bad,
                Some(_) => self.at += 1,
            }
        }
    }
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$')
}

/// What a quoted text says; `None` for an escape the language does not have. `quoted` includes the quotes.
pub(super) fn unquote(quoted: &str) -> Option<String> {
    let mut text = String::with_capacity(quoted.len());
    let mut chars = quoted.get(1..quoted.len().checked_sub(1)?)?.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next()? {
            'n' => text.push('\n'),
            c @ ('"' | '\\') => text.push(c),
            'u' => {
                let (open, rest) = (chars.next()?, chars.as_str());
                let (hex, after) = rest.split_once('}')?;
                text.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?).filter(|_| open == '{')?);
                chars = after.chars();
            }
            _ => return None,
        }
    }
    Some(text)
}

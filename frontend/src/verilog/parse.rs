//! The text of a module to its items, in the order of the file.

use std::ops::Range;

use super::lex::{Kind, Token, tokens};
use super::{MAX_DEPTH, Wrong};
use crate::codes::{VERILOG_SIZE, VERILOG_SYNTAX};

/// Bytes of the text.
pub type At = Range<usize>;

/// A name and where it stands.
#[derive(Clone, Debug)]
pub struct Name<'a> {
    pub text: &'a str,
    pub at: At,
}

/// A constant, 64 bits a word, lowest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    pub width: usize,
    pub words: Vec<u64>,
}

/// What stands on the right of `=`, or in a pin.
#[derive(Clone, Debug)]
pub enum Expr<'a> {
    Name(Name<'a>),
    /// `name[n]`
    Bit(Name<'a>, usize),
    /// `name[h:l]`; stands only where bits are read by nothing.
    Slice(Name<'a>),
    /// `name[{…}]`, or `name[x]`
    Index(Name<'a>, Box<Expr<'a>>),
    Number(Number, At),
    /// Highest first, as written.
    Concat(Vec<Expr<'a>>),
    Not(Box<Expr<'a>>),
    /// `&x`
    All(Box<Expr<'a>>),
    And(Vec<Expr<'a>>),
    Or(Vec<Expr<'a>>),
    Xor(Vec<Expr<'a>>),
    Mux(Box<[Expr<'a>; 3]>),
}

/// A port.
#[derive(Clone, Debug)]
pub struct Port<'a> {
    pub name: Name<'a>,
    /// `None` of a wire.
    pub width: Option<usize>,
    pub is_input: bool,
}

/// A parameter's value.
#[derive(Clone, Debug)]
pub enum Setting<'a> {
    Number(Number),
    Text(&'a str),
}

/// One item of a module.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// `wire` or `reg`
    Declare { name: Name<'a>, width: Option<usize>, register: bool },
    /// `wire x = …`
    Define { name: Name<'a>, value: Expr<'a> },
    /// `assign x[h:l] = …`
    Assign { name: Name<'a>, bits: Option<(usize, usize)>, value: Expr<'a> },
    /// `x = 1'b0;` in an `initial` block
    Initial { name: Name<'a>, value: bool },
    /// `q <= d;` on the rising edge of a clock
    Clocked { q: Name<'a>, d: Expr<'a>, clock: Name<'a> },
    /// A primitive.
    Instance { cell: Name<'a>, settings: Vec<(Name<'a>, Setting<'a>)>, pins: Vec<(Name<'a>, Expr<'a>)> },
}

/// A module.
#[derive(Clone, Debug)]
pub struct Design<'a> {
    pub name: Name<'a>,
    pub ports: Vec<Port<'a>>,
    pub items: Vec<Item<'a>>,
}

type Parsed<T> = Result<T, Wrong>;

/// Reads a whole text.
pub fn parse(text: &str) -> Parsed<Design<'_>> {
    let mut p = Parser { text, tokens: tokens(text)?, next: 0 };
    p.keyword("module")?;
    let name = p.name()?;
    let ports = p.ports()?;
    let mut items = Vec::new();
    while !p.take("endmodule") {
        p.item(&mut items)?;
    }
    if p.kind() != Kind::End {
        return Err(p.wrong("something behind `endmodule`").help("give the file of the design alone"));
    }
    Ok(Design { name, ports, items })
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
}

impl<'a> Parser<'a> {
    fn token(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn kind(&self) -> Kind {
        self.token().kind
    }

    fn word(&self) -> &'a str {
        self.text.get(self.token().at.clone()).unwrap_or("")
    }

    fn wrong(&self, message: impl Into<String>) -> Wrong {
        let help = "only what blc itself emits is read";
        Wrong::new(&VERILOG_SYNTAX, self.token().at.clone(), message).help(help)
    }

    fn take(&mut self, word: &str) -> bool {
        let here = self.kind() != Kind::Text && self.word() == word && self.kind() != Kind::End;
        self.next += usize::from(here);
        here
    }

    fn keyword(&mut self, word: &str) -> Parsed<()> {
        let found = match self.word() {
            "" => "the text ends".to_owned(),
            found => format!("`{found}`"),
        };
        if self.take(word) { Ok(()) } else { Err(self.wrong(format!("{found} where `{word}` is expected"))) }
    }

    fn name(&mut self) -> Parsed<Name<'a>> {
        const RESERVED: [&str; 9] =
            ["module", "endmodule", "wire", "reg", "assign", "initial", "always", "begin", "end"];
        if self.kind() != Kind::Name || RESERVED.contains(&self.word()) {
            return Err(self.wrong("a name is expected"));
        }
        let name = Name { text: self.word(), at: self.token().at.clone() };
        self.next += 1;
        Ok(name)
    }

    /// A plain number.
    fn count(&mut self) -> Parsed<usize> {
        let n = self.word().parse().ok().filter(|_| self.kind() == Kind::Number);
        let n = n.ok_or_else(|| self.wrong("a number is expected"))?;
        self.next += 1;
        Ok(n)
    }

    /// `64'h…` or `1'b0`.
    fn number(&mut self) -> Parsed<Number> {
        let parsed = self.kind() == Kind::Number;
        let parsed = parsed.then(|| self.word().split_once('\'')).flatten().and_then(|(width, rest)| {
            let width = width.parse().ok().filter(|w| (1..=1 << super::MAX_INPUTS).contains(w))?;
            let (base, digits) = rest.split_at_checked(1)?;
            let bits = match base {
                "h" => 4,
                "b" => 1,
                _ => return None,
            };
            let mut words = vec![0u64; usize::div_ceil(width, 64)];
            for (i, digit) in digits.chars().rev().enumerate() {
                let value = u64::from(digit.to_digit(1 << bits)?);
                for b in (0..bits).filter(|b| value >> b & 1 == 1) {
                    let bit = i * bits + b;
                    *words.get_mut(bit / 64).filter(|_| bit < width)? |= 1 << (bit % 64);
                }
            }
            (!digits.is_empty()).then_some(Number { width, words })
        });
        let parsed = parsed.ok_or_else(|| self.wrong("a constant such as `64'h0f` or `1'b0` is expected"))?;
        self.next += 1;
        Ok(parsed)
    }

    /// `[n:0]`, where there is one.
    fn range(&mut self) -> Parsed<Option<usize>> {
        if !self.take("[") {
            return Ok(None);
        }
        let high = self.count()?;
        self.keyword(":")?;
        if self.count()? != 0 {
            return Err(self.wrong("a vector that does not begin at 0"));
        }
        self.keyword("]")?;
        if high >= super::MAX_BITS {
            return Err(Wrong::new(&VERILOG_SIZE, self.token().at.clone(), format!("a vector of {high} bits and one")));
        }
        Ok(Some(high + 1))
    }

    fn ports(&mut self) -> Parsed<Vec<Port<'a>>> {
        self.keyword("(")?;
        let mut ports = Vec::new();
        loop {
            let is_input = self.take("input");
            if !is_input {
                self.keyword("output")?;
            }
            self.keyword("wire")?;
            let width = self.range()?;
            ports.push(Port { name: self.name()?, width, is_input });
            if !self.take(",") {
                break;
            }
        }
        self.keyword(")")?;
        self.keyword(";")?;
        Ok(ports)
    }

    fn item(&mut self, items: &mut Vec<Item<'a>>) -> Parsed<()> {
        match self.word() {
            "wire" | "reg" => self.declaration(items),
            "assign" => {
                self.next += 1;
                let name = self.name()?;
                let mut bits = None;
                if self.take("[") {
                    let high = self.count()?;
                    let low = if self.take(":") { self.count()? } else { high };
                    self.keyword("]")?;
                    bits = Some((high, low));
                }
                self.keyword("=")?;
                let value = self.expr(0)?;
                items.push(Item::Assign { name, bits, value });
                self.keyword(";")
            }
            "initial" => {
                self.next += 1;
                self.keyword("begin")?;
                while !self.take("end") {
                    let name = self.name()?;
                    self.keyword("=")?;
                    let value = self.number()?;
                    if value.width != 1 {
                        return Err(self.wrong("an initial value is `1'b0` or `1'b1`"));
                    }
                    self.keyword(";")?;
                    items.push(Item::Initial { name, value: value.words[0] == 1 });
                }
                Ok(())
            }
            "always" => {
                for word in ["always", "@", "(", "posedge"] {
                    self.keyword(word)?;
                }
                let clock = self.name()?;
                self.keyword(")")?;
                self.keyword("begin")?;
                while !self.take("end") {
                    let q = self.name()?;
                    self.keyword("<=")?;
                    let d = self.expr(0)?;
                    self.keyword(";")?;
                    items.push(Item::Clocked { q, d, clock: clock.clone() });
                }
                Ok(())
            }
            _ => self.instance(items),
        }
    }

    fn declaration(&mut self, items: &mut Vec<Item<'a>>) -> Parsed<()> {
        let register = self.word() == "reg";
        self.next += 1;
        let width = self.range()?;
        loop {
            let name = self.name()?;
            items.push(Item::Declare { name: name.clone(), width, register });
            if self.take("=") {
                items.push(Item::Define { name, value: self.expr(0)? });
            }
            if !self.take(",") {
                return self.keyword(";");
            }
        }
    }

    fn instance(&mut self, items: &mut Vec<Item<'a>>) -> Parsed<()> {
        let cell = self.name()?;
        let mut settings = Vec::new();
        if self.take("#") {
            self.keyword("(")?;
            loop {
                self.keyword(".")?;
                let name = self.name()?;
                self.keyword("(")?;
                let value = match self.kind() {
                    Kind::Text => {
                        let text = self.word().trim_matches('"');
                        self.next += 1;
                        Setting::Text(text)
                    }
                    _ => Setting::Number(self.number()?),
                };
                self.keyword(")")?;
                settings.push((name, value));
                if !self.take(",") {
                    break;
                }
            }
            self.keyword(")")?;
        }
        self.name()?;
        self.keyword("(")?;
        let mut pins = Vec::new();
        loop {
            self.keyword(".")?;
            let pin = self.name()?;
            self.keyword("(")?;
            pins.push((pin, self.expr(0)?));
            self.keyword(")")?;
            if !self.take(",") {
                break;
            }
        }
        self.keyword(")")?;
        items.push(Item::Instance { cell, settings, pins });
        self.keyword(";")
    }

    /// `?:` binds least, then `|`, `^`, `&`, and `~` most.
    fn expr(&mut self, depth: usize) -> Parsed<Expr<'a>> {
        if depth > MAX_DEPTH {
            return Err(Wrong::new(&VERILOG_SIZE, self.token().at.clone(), "an expression nested too deep"));
        }
        let first = self.operators(0, depth)?;
        if !self.take("?") {
            return Ok(first);
        }
        let yes = self.expr(depth + 1)?;
        self.keyword(":")?;
        let no = self.expr(depth + 1)?;
        Ok(Expr::Mux(Box::new([first, yes, no])))
    }

    fn operators(&mut self, level: usize, depth: usize) -> Parsed<Expr<'a>> {
        let Some(sign) = ["|", "^", "&"].get(level) else { return self.unary(depth) };
        let mut parts = vec![self.operators(level + 1, depth)?];
        while self.take(sign) {
            parts.push(self.operators(level + 1, depth)?);
        }
        match (parts.len(), level) {
            (1, _) => Ok(parts.remove(0)),
            (_, 0) => Ok(Expr::Or(parts)),
            (_, 1) => Ok(Expr::Xor(parts)),
            _ => Ok(Expr::And(parts)),
        }
    }

    fn unary(&mut self, depth: usize) -> Parsed<Expr<'a>> {
        if depth > MAX_DEPTH {
            return Err(Wrong::new(&VERILOG_SIZE, self.token().at.clone(), "an expression nested too deep"));
        }
        if self.take("~") {
            return Ok(Expr::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.take("&") {
            return Ok(Expr::All(Box::new(self.unary(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.expr(depth + 1)?;
            self.keyword(")")?;
            return Ok(inner);
        }
        if self.take("{") {
            let mut parts = vec![self.expr(depth + 1)?];
            while self.take(",") {
                parts.push(self.expr(depth + 1)?);
            }
            self.keyword("}")?;
            return Ok(Expr::Concat(parts));
        }
        if self.kind() == Kind::Number {
            let at = self.token().at.clone();
            return Ok(Expr::Number(self.number()?, at));
        }
        let name = self.name()?;
        if !self.take("[") {
            return Ok(Expr::Name(name));
        }
        let plain = self.kind() == Kind::Number && self.word().bytes().all(|b| b.is_ascii_digit());
        let value = if plain {
            let bit = self.count()?;
            if self.take(":") {
                self.count()?;
                Expr::Slice(name)
            } else {
                Expr::Bit(name, bit)
            }
        } else {
            Expr::Index(name, Box::new(self.expr(depth + 1)?))
        };
        self.keyword("]")?;
        Ok(value)
    }
}

//! The text of modules of truth tables.

use super::super::lex::{Kind, Token, tokens};
use super::super::{MAX_BITS, MAX_INPUTS, Wrong};
use super::{Body, Definition, Expr, Item, Name, Part, Port};
use crate::codes::{VERILOG_SIGNAL, VERILOG_SIZE, VERILOG_SYNTAX};

/// Most entries of all tables together.
const MAX_ENTRIES: usize = 1 << 28;

type Parsed<T> = Result<T, Wrong>;

/// The modules of a text, which is number `source`; `entries` counts those of all tables.
pub fn parse(text: &str, source: usize, entries: &mut usize) -> Parsed<Vec<Definition>> {
    let mut p = Parser { text, tokens: tokens(text)?, next: 0, entries: *entries };
    let mut all = Vec::new();
    while p.token().kind != Kind::End {
        all.push(p.module(source)?);
    }
    *entries = p.entries;
    Ok(all)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    /// Of all tables read so far.
    entries: usize,
}

impl<'a> Parser<'a> {
    fn token(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn word(&self) -> &'a str {
        self.text.get(self.token().at.clone()).unwrap_or("")
    }

    fn wrong(&self, message: impl Into<String>) -> Wrong {
        let help = "of Verilog of others, modules of truth tables are read, as LogicNets and NeuraLUT write them";
        Wrong::new(&VERILOG_SYNTAX, self.token().at.clone(), message).help(help)
    }

    fn take(&mut self, word: &str) -> bool {
        let here = self.word() == word;
        self.next += usize::from(here);
        here
    }

    fn words(&mut self, words: &[&str]) -> Parsed<()> {
        for word in words {
            if !self.take(word) {
                let found = if self.word().is_empty() { "the text ends".into() } else { format!("`{}`", self.word()) };
                return Err(self.wrong(format!("{found} where `{word}` is expected")));
            }
        }
        Ok(())
    }

    fn name(&mut self) -> Parsed<Name> {
        const RESERVED: [&str; 8] = ["module", "endmodule", "wire", "reg", "assign", "always", "begin", "end"];
        if self.token().kind != Kind::Name || RESERVED.contains(&self.word()) {
            return Err(self.wrong("a name is expected"));
        }
        let name = Name { text: self.word().into(), at: self.token().at.clone() };
        self.next += 1;
        Ok(name)
    }

    fn count(&mut self) -> Parsed<usize> {
        let n = self.word().parse().ok().filter(|n| *n <= MAX_BITS);
        let n = n.ok_or_else(|| self.wrong(format!("a number of at most {MAX_BITS} is expected")))?;
        self.next += 1;
        Ok(n)
    }

    /// `6'b000101`, also in `h` and `d` of at most 64 bits; lowest bit first.
    fn number(&mut self) -> Parsed<Vec<bool>> {
        let parse = |word: &str| {
            let (width, rest) = word.split_once('\'')?;
            let width: usize = width.parse().ok().filter(|w| (1..=MAX_BITS).contains(w))?;
            let (base, digits) = rest.split_at_checked(1)?;
            let mut bits = vec![false; width];
            if base == "b" {
                if digits.is_empty() || digits.len() > width {
                    return None;
                }
                for (bit, digit) in bits.iter_mut().zip(digits.bytes().rev()) {
                    *bit = match digit {
                        b'0' => false,
                        b'1' => true,
                        _ => return None,
                    };
                }
                return Some(bits);
            }
            let value = u64::from_str_radix(digits, if base == "h" { 16 } else { 10 }).ok()?;
            let fits = width >= 64 || value >> width == 0;
            bits.iter_mut().take(64).enumerate().for_each(|(i, bit)| *bit = value >> i & 1 == 1);
            (fits && ["h", "d"].contains(&base)).then_some(bits)
        };
        let bits = parse(self.word()).ok_or_else(|| self.wrong("a constant such as `6'b000101` is expected"))?;
        self.next += 1;
        Ok(bits)
    }

    /// `[n:0]`, where there is one; `[P-1:0]` of a parameter is not known here, and 0.
    fn range(&mut self) -> Parsed<usize> {
        if !self.take("[") {
            return Ok(1);
        }
        let width = if self.token().kind == Kind::Name {
            self.next += 1;
            self.words(&["-", "1"])?;
            0
        } else {
            self.count()? + 1
        };
        self.words(&[":", "0", "]"])?;
        Ok(width)
    }

    /// `[n]` or `[n:m]`, where there is one.
    fn bits(&mut self) -> Parsed<Option<(usize, usize)>> {
        if !self.take("[") {
            return Ok(None);
        }
        let high = self.count()?;
        let low = if self.take(":") { self.count()? } else { high };
        self.words(&["]"])?;
        if low > high { Err(self.wrong("bits from low to high")) } else { Ok(Some((high, low))) }
    }

    fn module(&mut self, source: usize) -> Parsed<Definition> {
        self.words(&["module"])?;
        let name = self.name()?;
        let generic = self.take("#");
        if generic {
            self.words(&["(", "parameter"])?;
            self.name()?;
            self.words(&["="])?;
            self.count()?;
            self.words(&[")"])?;
        }
        self.words(&["("])?;
        let mut ports = Vec::new();
        loop {
            let is_input = self.take("input");
            if !is_input {
                self.words(&["output"])?;
            }
            let _ = self.take("wire") || self.take("reg");
            let width = self.range()?;
            if width == 0 && !generic {
                return Err(self.wrong("a width that is no number"));
            }
            ports.push(Port { width, name: self.name()?, is_input });
            if !self.take(",") {
                break;
            }
        }
        self.words(&[")", ";"])?;
        let body = match () {
            () if generic => self.register()?,
            () => self.items(&ports)?,
        };
        Ok(Definition { name, ports, body, source })
    }

    /// A register with a reset to 0, between the ports and `endmodule`.
    fn register(&mut self) -> Parsed<Body> {
        self.words(&["always", "@", "(", "posedge"])?;
        self.name()?;
        self.words(&[")", "begin", "if", "(", "!"])?;
        self.name()?;
        self.words(&[")"])?;
        let q = self.name()?;
        self.words(&["<="])?;
        let d = self.name()?;
        self.words(&[";", "else", &q.text, "<=", "0", ";", "end", "endmodule"])?;
        Ok(Body::Register { d: d.text, q: q.text })
    }

    /// Items up to `endmodule`: wires, or one table.
    fn items(&mut self, ports: &[Port]) -> Parsed<Body> {
        let mut items = Vec::new();
        let mut table = None;
        while !self.take("endmodule") {
            if self.word() == "(" {
                self.attribute()?;
                continue;
            }
            match self.word() {
                "wire" => {
                    self.next += 1;
                    let width = self.range()?;
                    let name = self.name()?;
                    items.push(Item::Wire { name: name.clone(), width });
                    if self.take("=") {
                        let value = self.expr()?;
                        items.push(Item::Assign { name, bits: None, value });
                    }
                    self.words(&[";"])?;
                }
                "assign" => {
                    self.next += 1;
                    let (name, bits) = (self.name()?, self.bits()?);
                    self.words(&["="])?;
                    let value = self.expr()?;
                    self.words(&[";"])?;
                    items.push(Item::Assign { name, bits, value });
                }
                "reg" if table.is_none() => {
                    self.next += 1;
                    self.range()?;
                    let q = self.name()?;
                    self.words(&[";"])?;
                    table = Some(self.table(&q, ports)?);
                }
                _ => items.push(self.instance()?),
            }
        }
        match table {
            None => Ok(Body::Wires(items)),
            Some(table) if items.is_empty() => Ok(Body::Table(table)),
            Some(_) => Err(self.wrong("a module with a table and something else")),
        }
    }

    /// `(* ... *)`
    fn attribute(&mut self) -> Parsed<()> {
        self.words(&["(", "*"])?;
        while !self.take("*") {
            if self.token().kind == Kind::End {
                return Err(self.wrong("an attribute that does not end"));
            }
            self.next += 1;
        }
        self.words(&[")"])
    }

    /// A neuron behind the declaration of its register: `assign out = r; always @ (in) begin case (in) ... endcase end`.
    fn table(&mut self, q: &Name, ports: &[Port]) -> Parsed<Vec<Vec<u64>>> {
        let [input, output] = ports else { return Err(self.wrong("a neuron has one input and one output")) };
        let (input, output) = if input.is_input { (input, output) } else { (output, input) };
        if !input.is_input || output.is_input {
            return Err(self.wrong("a neuron has one input and one output"));
        }
        if input.width > MAX_INPUTS {
            let message = format!("a table of {} inputs; they have 1 to {MAX_INPUTS}", input.width);
            return Err(Wrong::new(&VERILOG_SIZE, input.name.at.clone(), message));
        }
        self.entries = self.entries.saturating_add(output.width << input.width);
        if self.entries > MAX_ENTRIES {
            let message = format!("more than {MAX_ENTRIES} entries of tables");
            return Err(Wrong::new(&VERILOG_SIZE, output.name.at.clone(), message));
        }
        let (x, y, r) = (input.name.text.as_str(), output.name.text.as_str(), q.text.as_str());
        self.words(&["assign", y, "=", r, ";", "always", "@", "(", x, ")", "begin", "case", "(", x, ")"])?;
        let mut tables = vec![vec![0u64; (1usize << input.width).div_ceil(64)]; output.width];
        let mut said = vec![false; 1 << input.width];
        let mut rest = None;
        while !self.take("endcase") {
            let at = self.token().at.clone();
            let address = if self.take("default") {
                None
            } else {
                let bits = self.number()?;
                if bits.len() != input.width {
                    return Err(self.wrong(format!("an address of {} bits for {}", bits.len(), input.width)));
                }
                Some(bits.iter().rev().fold(0usize, |a, &bit| a << 1 | usize::from(bit)))
            };
            self.words(&[":", r, "="])?;
            let value = self.number()?;
            if value.len() != output.width {
                return Err(self.wrong(format!("a value of {} bits for {}", value.len(), output.width)));
            }
            self.words(&[";"])?;
            let twice = address.map_or(rest.is_some(), |a| said[a]);
            if twice {
                return Err(Wrong::new(&VERILOG_SIGNAL, at, "an entry of a table that is said twice"));
            }
            match address {
                None => rest = Some(value),
                Some(a) => {
                    said[a] = true;
                    set(&mut tables, a, &value);
                }
            }
        }
        self.words(&["end"])?;
        for a in (0..said.len()).filter(|&a| !said[a]) {
            let Some(value) = &rest else {
                let message = format!("the table says nothing of address {a} and has no default");
                return Err(Wrong::new(&VERILOG_SIGNAL, q.at.clone(), message));
            };
            set(&mut tables, a, value);
        }
        Ok(tables)
    }

    fn instance(&mut self) -> Parsed<Item> {
        let module = self.name()?;
        if self.take("#") {
            // The width of a register, which its pins have.
            self.words(&["(", "."])?;
            self.name()?;
            self.words(&["("])?;
            self.count()?;
            self.words(&[")", ")"])?;
        }
        self.name()?;
        self.words(&["("])?;
        let mut pins = Vec::new();
        loop {
            self.words(&["."])?;
            let pin = self.name()?;
            self.words(&["("])?;
            pins.push((pin, self.expr()?));
            self.words(&[")"])?;
            if !self.take(",") {
                break;
            }
        }
        self.words(&[")", ";"])?;
        Ok(Item::Instance { module, pins })
    }

    fn expr(&mut self) -> Parsed<Expr> {
        if !self.take("{") {
            return Ok(vec![self.part()?]);
        }
        let mut parts = vec![self.part()?];
        while self.take(",") {
            parts.push(self.part()?);
        }
        self.words(&["}"])?;
        Ok(parts)
    }

    fn part(&mut self) -> Parsed<Part> {
        if self.token().kind == Kind::Number {
            return Ok(Part::Number(self.number()?));
        }
        Ok(Part::Name(self.name()?, self.bits()?))
    }
}

fn set(tables: &mut [Vec<u64>], address: usize, value: &[bool]) {
    for (table, &bit) in tables.iter_mut().zip(value) {
        table[address / 64] |= u64::from(bit) << (address % 64);
    }
}

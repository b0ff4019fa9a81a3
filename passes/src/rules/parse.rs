//! The text of rules.

use std::ops::Range;
use std::sync::Arc;

use blc_ir::diag::{Diagnostic, Result, Source};
use blc_ir::table::mask;

use super::expr::{Expr, MAX_BITS, Rule, Var};
use crate::codes::{RULE_FALSE, RULE_SYNTAX};

/// Most rules of a file.
const MAX_RULES: usize = 1000;
/// How deep expressions nest.
const MAX_DEPTH: usize = 16;
/// Most parts of a sum: matching tries their orders.
const MAX_PARTS: usize = 5;

/// Reads and proves all rules of a text.
pub(super) fn rules(source: &Arc<Source>) -> Result<Vec<Rule>> {
    let mut parser = Parser { source, at: 0, vars: Vec::new(), left: true };
    let mut rules: Vec<Rule> = Vec::new();
    loop {
        parser.space();
        if parser.at == source.text.len() {
            return Ok(rules);
        }
        let start = parser.at;
        if rules.len() == MAX_RULES {
            return Err(parser.wrong(start..start, format!("more than {MAX_RULES} rules")));
        }
        let rule = parser.rule()?;
        let span = start..start + rule.name.len();
        if rules.iter().any(|other| other.name == rule.name) {
            return Err(parser.wrong(span, format!("a second rule `{}`", rule.name)));
        }
        if let Err(counterexample) = rule.prove() {
            let d = Diagnostic::error(&RULE_FALSE, format!("rule `{}` is false: {counterexample}", rule.name));
            return Err(d.at(source, span).help("both sides must be equal for all values of the variables").into());
        }
        rules.push(rule);
    }
}

struct Parser<'a> {
    source: &'a Arc<Source>,
    at: usize,
    vars: Vec<Var>,
    /// On the left side variables are declared.
    left: bool,
}

impl Parser<'_> {
    fn wrong(&self, span: Range<usize>, why: impl Into<String>) -> Box<Diagnostic> {
        let d = Diagnostic::error(&RULE_SYNTAX, why).at(self.source, span);
        Box::new(d.help("a rule is `name: (and ?a (or ?a ?b)) => ?a`; `blc explain BL2120` lists what it may hold"))
    }

    fn rest(&self) -> &str {
        &self.source.text[self.at..]
    }

    /// Skips blanks and comments.
    fn space(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            let comment = rest[blank..].starts_with('#');
            self.at += blank + if comment { rest[blank..].find('\n').unwrap_or(rest.len() - blank) } else { 0 };
            if !comment {
                return;
            }
        }
    }

    /// A word: everything up to a blank, a parenthesis, a colon or a comment.
    fn word(&mut self, what: &str) -> Result<(String, Range<usize>)> {
        self.space();
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || "():#".contains(c)).unwrap_or(rest.len());
        let span = self.at..self.at + end;
        if end == 0 {
            let len = rest.chars().next().map_or(0, char::len_utf8);
            return Err(self.wrong(self.at..self.at + len, format!("{what} is expected here")));
        }
        let word = rest[..end].to_owned();
        self.at += end;
        Ok((word, span))
    }

    fn take(&mut self, text: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    fn rule(&mut self) -> Result<Rule> {
        let (name, _) = self.word("the name of a rule")?;
        if !self.take(":") {
            return Err(self.wrong(self.at..self.at, "`:` is expected after the name"));
        }
        (self.vars, self.left) = (Vec::new(), true);
        let start = self.at;
        let from = self.expr(0)?;
        if matches!(from, Expr::Var(_) | Expr::Const { .. }) {
            return Err(self.wrong(start..self.at, "the left side is no op"));
        }
        let always = match (self.take("=>"), self.take("~>")) {
            (true, _) => false,
            (_, true) => true,
            _ => {
                return Err(self.wrong(self.at..self.at, "`=>` (where it saves area) or `~>` (everywhere) is expected"));
            }
        };
        self.left = false;
        let start = self.at;
        let to = self.expr(0)?;
        let widths = [&from, &to].map(|side| side.width(&self.vars));
        if widths[0] != widths[1] {
            let why = format!("the left side has {} bits, the right side {}", widths[0], widths[1]);
            return Err(self.wrong(start..self.at, why));
        }
        let bits: u32 = self.vars.iter().map(|v| u32::from(v.width)).sum();
        if bits > MAX_BITS {
            let why =
                format!("{bits} bits of variables; a rule is proved by trying all values, of at most {MAX_BITS} bits");
            return Err(self.wrong(start..self.at, why));
        }
        Ok(Rule { name, vars: std::mem::take(&mut self.vars), from, to, always })
    }

    fn expr(&mut self, depth: usize) -> Result<Expr> {
        if depth > MAX_DEPTH {
            return Err(self.wrong(self.at..self.at, format!("more than {MAX_DEPTH} levels")));
        }
        if self.take("(") {
            let start = self.at;
            let op = self.op(depth)?;
            if !self.take(")") {
                return Err(self.wrong(start..self.at, "`)` is missing, or there are too many operands"));
            }
            return Ok(op.canonical());
        }
        let (word, span) = self.word("a variable, a number or `(`")?;
        if let Some(name) = word.strip_prefix('?') {
            return self.var(name, span);
        }
        let value = self.number(&word, span.clone())?;
        let width = self.width()?.unwrap_or(1);
        if width < 64 && value >> width != 0 {
            return Err(self.wrong(span, format!("{value} does not fit into {width} bits")));
        }
        Ok(Expr::Const { value, width })
    }

    fn var(&mut self, name: &str, span: Range<usize>) -> Result<Expr> {
        let width = self.width()?;
        match self.vars.iter().position(|v| v.name == name) {
            Some(v) if width.is_none_or(|w| w == self.vars[v].width) => Ok(Expr::Var(v)),
            Some(_) => Err(self.wrong(span, format!("`?{name}` has another width before"))),
            None if !self.left => Err(self.wrong(span, format!("the left side has no `?{name}`"))),
            None => {
                self.vars.push(Var { name: name.into(), width: width.unwrap_or(1) });
                Ok(Expr::Var(self.vars.len() - 1))
            }
        }
    }

    /// `:N`
    fn width(&mut self) -> Result<Option<u8>> {
        if !self.rest().starts_with(':') {
            return Ok(None);
        }
        self.at += 1;
        let (word, span) = self.word("a number of bits")?;
        match word.parse() {
            Ok(width @ 1..=64) => Ok(Some(width)),
            _ => Err(self.wrong(span, format!("`{word}` is no width of 1 to 64 bits"))),
        }
    }

    fn number(&self, word: &str, span: Range<usize>) -> Result<u64> {
        let number = match word.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => word.parse(),
        };
        number.map_err(|_| self.wrong(span, format!("`{word}` is no number")))
    }

    /// Operands up to the closing parenthesis.
    fn operands(&mut self, depth: usize) -> Result<Vec<Expr>> {
        let mut operands = Vec::new();
        loop {
            self.space();
            if self.rest().is_empty() || self.rest().starts_with(')') {
                return Ok(operands);
            }
            if operands.len() == 8 {
                return Err(self.wrong(self.at..self.at, "too many operands"));
            }
            operands.push(self.expr(depth + 1)?);
        }
    }

    fn op(&mut self, depth: usize) -> Result<Expr> {
        let (name, span) = self.word("an op")?;
        let named = |table: fn(usize, usize) -> bool, k: usize| {
            (0..1usize << k).filter(|&a| table(a, k)).fold(0u64, |t, a| t | 1 << a)
        };
        let number = match name.as_str() {
            "lut" | "sum" | "gt_const" => {
                let (word, span) = self.word("a number")?;
                Some((self.number(&word, span.clone())?, span))
            }
            _ => None,
        };
        let operands = self.operands(depth)?;
        let k = operands.len();
        let refused = |this: &Self, why: String| Err(this.wrong(span.clone(), why));
        let table = match name.as_str() {
            "and" => Some(named(|a, k| a == (1 << k) - 1, k.min(6))),
            "or" => Some(named(|a, _| a != 0, k.min(6))),
            "xor" => Some(named(|a, _| a.count_ones() % 2 == 1, k.min(6))),
            "not" if k == 1 => Some(0b01),
            "not" => return refused(self, format!("`not` takes one operand, not {k}")),
            "lut" => number.clone().map(|n| n.0),
            _ => None,
        };
        if let Some(table) = table {
            let bits = operands.iter().all(|x| x.width(&self.vars) == 1);
            return match (k, bits, table & !mask(k.min(6))) {
                (1..=6, true, 0) => Ok(Expr::Lut { table, inputs: operands }),
                (_, _, 0) => refused(self, format!("`{name}` takes one to six bits")),
                _ => refused(self, format!("the table has more than 2^{k} bits")),
            };
        }
        match (name.as_str(), number) {
            ("sum", Some((width @ 1..=64, _))) if (1..=MAX_PARTS).contains(&k) => {
                Ok(Expr::Sum { width: width as u8, parts: operands })
            }
            ("sum", Some((_, span))) => {
                let why = format!("`sum` takes a width of 1 to 64 bits and one to {MAX_PARTS} operands");
                Err(self.wrong(span, why))
            }
            ("gt_const", Some((bound, _))) => match <[Expr; 1]>::try_from(operands) {
                Ok([word]) => Ok(Expr::GtConst { word: Box::new(word), bound }),
                Err(_) => refused(self, "`gt_const` takes a bound and a word".into()),
            },
            ("gt", _) => match <[Expr; 2]>::try_from(operands) {
                Ok(words) => Ok(Expr::Gt(Box::new(words))),
                Err(_) => refused(self, "`gt` takes two words".into()),
            },
            ("mux", _) => match <[Expr; 3]>::try_from(operands) {
                Ok([s, a, b]) if s.width(&self.vars) == 1 && a.width(&self.vars) == b.width(&self.vars) => {
                    // Of bits it is a table: of a, b, s.
                    Ok(match a.width(&self.vars) {
                        1 => Expr::Lut { table: 0xca, inputs: vec![a, b, s] },
                        _ => Expr::Mux(Box::new([s, a, b])),
                    })
                }
                _ => refused(self, "`mux` takes a bit and two values of one width".into()),
            },
            _ => refused(self, format!("no op is called `{name}`")),
        }
    }
}

//! Functions and ops of the text form.

use std::ops::Range;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::lex::Tok;
use super::{Parse, Parser, wide_number};
use crate::codes::*;
use crate::func::{Func, FuncAttr, FuncKind, OpId, Value};
use crate::loc::{Loc, LocId};
use crate::ops::{Attr, Form, OPS, OpInfo, OpKind};
use crate::types::Type;

/// A function while its values are being named.
struct Scope<'a> {
    f: Func,
    /// `%0`, `%1`, … as long as they come in that order: what the printer writes.
    numbered: Vec<Value>,
    /// All others.
    values: FxHashMap<&'a str, Value>,
    /// Operands named before they are made.
    late: Vec<(OpId, usize, &'a str, Range<usize>)>,
    spans: Vec<(u32, u32)>,
}

impl<'a> Scope<'a> {
    fn new(f: Func) -> Self {
        Self { f, numbered: Vec::new(), values: FxHashMap::default(), late: Vec::new(), spans: Vec::new() }
    }

    fn lookup(&self, text: &str) -> Option<Value> {
        let number = plain_number(text).and_then(|n| self.numbered.get(n));
        number.or_else(|| self.values.get(text)).copied()
    }

    /// False where the name is taken.
    fn define(&mut self, text: &'a str, v: Value) -> bool {
        match plain_number(text) {
            Some(n) if n < self.numbered.len() => false,
            Some(n) if n == self.numbered.len() && !self.values.contains_key(text) => {
                self.numbered.push(v);
                true
            }
            _ => self.values.insert(text, v).is_none(),
        }
    }
}

/// The number of `%12`, as the printer writes it: no leading zeros.
fn plain_number(text: &str) -> Option<usize> {
    let digits = text.as_bytes().get(1..)?;
    if digits.is_empty() || digits.len() > 9 || (digits[0] == b'0' && digits.len() > 1) {
        return None;
    }
    digits.iter().try_fold(0, |n, &b| b.is_ascii_digit().then(|| n * 10 + usize::from(b - b'0')))
}

/// Operands as they are named, and where.
type Operands<'a> = SmallVec<[(&'a str, Range<usize>); 6]>;
/// A result in the signature; its value comes with the last line.
type ResultPort = (String, Type, Range<usize>);

impl<'a> Parser<'a> {
    pub(super) fn func(&mut self) -> Parse<()> {
        self.line();
        let kind = if self.eat_word("func") {
            FuncKind::Func
        } else if self.eat_word("hw.module") {
            FuncKind::HwModule
        } else {
            return self.expected("`func`, `hw.module` or `}`");
        };
        let (name, range) = self.name(Tok::Func, "a @name")?;
        let f = Func::new(name, kind);
        let mut scope = Scope::new(f);
        let mut results = Vec::new();
        self.signature(&mut scope, &mut results)?;
        if !self.is_mark(b'{') {
            return self.expected("`{`");
        }
        self.bump();
        // `{` opens the attributes where a name and `=` follow; the body begins with `%` or its last line.
        if self.token.tok == Tok::Word && !self.is_word("return") && !self.is_word("hw.output") {
            self.func_attrs(&mut scope)?;
            self.mark(b'{')?;
        }
        let errors = self.errors.len();
        let end = if kind == FuncKind::HwModule { "hw.output" } else { "return" };
        while self.token.tok == Tok::Value {
            if self.op(&mut scope).is_err() {
                self.recover(|p| p.token.tok == Tok::Value || p.is_word(end) || p.is_mark(b'}'));
            }
        }
        self.line();
        self.word(end)?;
        self.results(&mut scope, results)?;
        self.line();
        self.mark(b'}')?;
        self.resolve(&mut scope);
        if self.errors.len() > errors {
            // Whatever is missing was reported; the function is of no further use.
            return Ok(());
        }
        scope.f.shrink_to_fit();
        self.parsed.module.funcs.push(scope.f);
        self.parsed.funcs.push(range);
        self.parsed.ops.push(scope.spans);
        Ok(())
    }

    fn signature(&mut self, scope: &mut Scope<'a>, results: &mut Vec<ResultPort>) -> Parse<()> {
        let hw = scope.f.kind == FuncKind::HwModule;
        self.list(b'(', b')', |p| {
            let output = hw && p.is_word("out");
            if hw && !p.eat_word("in") && !p.eat_word("out") {
                return p.expected("`in` or `out`");
            }
            let token = p.token;
            let text = p.text();
            let (name, range) = p.name(Tok::Value, "a port's %name")?;
            p.mark(b':')?;
            let ty = p.ty()?;
            if output {
                results.push((name, ty, range));
                return Ok(());
            }
            let v = scope.f.add_param(name, ty);
            p.define(scope, text, v, token.range());
            Ok(())
        })?;
        if hw {
            return Ok(());
        }
        if self.token.tok != Tok::Arrow {
            return self.expected("`->`");
        }
        self.bump();
        self.list(b'(', b')', |p| {
            let (name, range) = p.name(Tok::Value, "a result's %name")?;
            p.mark(b':')?;
            let ty = p.ty()?;
            results.push((name, ty, range));
            Ok(())
        })
    }

    fn func_attrs(&mut self, scope: &mut Scope<'a>) -> Parse<()> {
        loop {
            if self.token.tok != Tok::Word {
                return self.expected("an attribute's name");
            }
            let token = self.token;
            let name = self.text();
            self.bump();
            self.mark(b'=')?;
            let attr = match self.token.tok {
                Tok::Number => FuncAttr::Int(self.number()?),
                Tok::Str => FuncAttr::Str(self.string()?),
                Tok::Resource => FuncAttr::Resource(self.resource_id()?),
                _ => return self.expected("a number, a text in quotes or a #resource"),
            };
            if scope.f.attr(name).is_some() {
                return self.report(&REDEFINED, token.range(), format!("`{name}` is given twice"));
            }
            scope.f.set_attr(name, attr);
            if !self.eat_mark(b',') {
                return self.mark(b'}');
            }
        }
    }

    fn resource_id(&mut self) -> Parse<crate::module::ResourceId> {
        let (name, range) = self.name(Tok::Resource, "a #resource")?;
        match self.resource_names.get(&name) {
            Some(&id) => Ok(id),
            None => self.report(&UNKNOWN_NAME, range, format!("#{name} is declared nowhere")),
        }
    }

    fn define(&mut self, scope: &mut Scope<'a>, text: &'a str, v: Value, range: Range<usize>) {
        if !scope.define(text, v) {
            let _ = self.report::<()>(&REDEFINED, range, format!("{text} is made twice"));
        }
    }

    fn op(&mut self, scope: &mut Scope<'a>) -> Parse<()> {
        let start = self.token.start;
        let mut names: SmallVec<[(&'a str, Range<usize>); 2]> = SmallVec::new();
        loop {
            let (text, range) = (self.text(), self.token.range());
            if self.token.tok != Tok::Value {
                return self.expected("a %value");
            }
            self.bump();
            names.push((text, range));
            if !self.eat_mark(b',') {
                break;
            }
        }
        self.mark(b'=')?;
        let (mnemonic, range) = (self.text(), self.token.range());
        let Some(info) = OPS.iter().find(|info| info.mnemonic == mnemonic && self.token.tok == Tok::Word) else {
            return self.report(&UNKNOWN_OP, range, format!("the language has no op `{mnemonic}`"));
        };
        self.bump();
        let operands = self.operands(info)?;
        let attrs = self.attrs(info, operands.len(), scope, range.clone())?;
        let kind = match OpKind::from_attrs(mnemonic, &attrs) {
            Ok(kind) => kind,
            Err(attr) => return self.report(&ATTRIBUTE, range, format!("`{attr}` does not fit")),
        };
        self.mark(b':')?;
        let mut types: SmallVec<[Type; 8]> = SmallVec::new();
        loop {
            types.push(self.ty()?);
            if !self.eat_mark(b',') {
                break;
            }
        }
        if types.len() != info.results || names.len() != info.results {
            let text = format!(
                "{mnemonic} has {} results, {} names and {} types stand here",
                info.results,
                names.len(),
                types.len()
            );
            return self.report(&RESULT_COUNT, start..self.last_end, text);
        }
        let loc = if self.is_word("loc") { self.loc(scope)? } else { LocId::UNKNOWN };
        let id = OpId::new(scope.f.op_count());
        let mut values: SmallVec<[Value; 6]> = SmallVec::new();
        for (i, (text, range)) in operands.into_iter().enumerate() {
            match scope.lookup(text) {
                Some(v) => values.push(v),
                None => {
                    scope.late.push((id, i, text, range));
                    values.push(Value(u32::MAX));
                }
            }
        }
        scope.f.push(kind, &values, &types, loc);
        let made: SmallVec<[Value; 8]> = scope.f.op(id).results().collect();
        for ((text, range), v) in names.into_iter().zip(made) {
            if !text[1..].bytes().all(|b| b.is_ascii_digit()) {
                let name = if text[1..].starts_with('"') { super::unquote(&text[1..]) } else { Some(text[1..].into()) };
                match name {
                    Some(name) if !name.is_empty() => scope.f.set_name(v, name),
                    _ => return self.report(&LEX, range, "this name cannot be read"),
                }
            }
            self.define(scope, text, v, range);
        }
        scope.spans.push((start as u32, self.last_end as u32));
        Ok(())
    }

    fn operand(&mut self) -> Parse<(&'a str, Range<usize>)> {
        if self.token.tok != Tok::Value {
            return self.expected("a %value");
        }
        let text = self.text();
        Ok((text, self.bump().range()))
    }

    fn operands(&mut self, info: &OpInfo) -> Parse<Operands<'a>> {
        let mut operands = SmallVec::new();
        match info.form {
            Form::Call => self.list(b'(', b')', |p| {
                operands.push(p.operand()?);
                Ok(())
            })?,
            Form::Plain => {
                while self.token.tok == Tok::Value && !self.token.first {
                    operands.push(self.operand()?);
                    if !self.eat_mark(b',') {
                        break;
                    }
                }
            }
            Form::Clocked => {
                operands.push(self.operand()?);
                self.word("clock")?;
                operands.push(self.operand()?);
            }
        }
        Ok(operands)
    }

    /// Attribute values in the order of the op table.
    fn attrs(
        &mut self,
        info: &OpInfo,
        operands: usize,
        scope: &mut Scope<'a>,
        mnemonic: Range<usize>,
    ) -> Parse<SmallVec<[Attr; 3]>> {
        let mut found: SmallVec<[Option<Attr>; 3]> = info.attrs.iter().map(|_| None).collect();
        if self.is_mark(b'{') {
            self.list(b'{', b'}', |p| {
                let (name, range) = (p.text(), p.token.range());
                let known = info.attrs.iter().position(|(n, _, _)| *n == name);
                let Some(i) = known.filter(|_| p.token.tok == Tok::Word) else {
                    return p.report(&ATTRIBUTE, range, format!("{} has no attribute `{name}`", info.mnemonic));
                };
                p.bump();
                p.mark(b'=')?;
                let at = p.token.range();
                let attr = p.attr(info, operands, scope)?;
                if found[i].replace(attr).is_some() {
                    return p.report(&ATTRIBUTE, at, format!("`{name}` is given twice"));
                }
                Ok(())
            })?;
        }
        if let Some(i) = found.iter().position(Option::is_none) {
            let (name, expected, _) = info.attrs[i];
            return self.report(&ATTRIBUTE, mnemonic, format!("{} needs `{name}`, {expected}", info.mnemonic));
        }
        Ok(found.into_iter().flatten().collect())
    }

    fn attr(&mut self, info: &OpInfo, operands: usize, scope: &mut Scope<'a>) -> Parse<Attr> {
        let range = self.token.range();
        match self.token.tok {
            Tok::Number if info.mnemonic == "lut.wide" => {
                let words = if (7..=16).contains(&operands) { 1 << (operands - 6) } else { 1 };
                let table = wide_number(self.text(), words);
                self.bump();
                match table {
                    Some(table) => Ok(Attr::Table(scope.f.add_table(table.into()))),
                    None => self.report(&TABLE_BITS, range, format!("not a hexadecimal table of {operands} inputs")),
                }
            }
            Tok::Number => self.number().map(Attr::Int),
            Tok::Str => {
                let text = self.string()?;
                Ok(if info.mnemonic == "ext" {
                    Attr::Int(u64::from(scope.f.add_extern(&text).0))
                } else {
                    Attr::Str(text)
                })
            }
            Tok::Resource => self.resource_id().map(Attr::Resource),
            Tok::Word if self.text() == "lowest" => {
                self.bump();
                Ok(Attr::Word("lowest"))
            }
            _ => self.expected("an attribute's value"),
        }
    }

    fn loc(&mut self, scope: &mut Scope<'a>) -> Parse<LocId> {
        self.word("loc")?;
        self.mark(b'(')?;
        let loc = if self.eat_word("fused") {
            let mut parts = Vec::new();
            self.list(b'[', b']', |p| {
                parts.push(p.origin(scope)?);
                Ok(())
            })?;
            scope.f.locs.fuse(parts)
        } else {
            self.origin(scope)?
        };
        self.mark(b')')?;
        Ok(loc)
    }

    fn origin(&mut self, scope: &mut Scope<'a>) -> Parse<LocId> {
        let name = self.string()?;
        let name = scope.f.locs.sym(&name);
        let loc = if self.eat_word("neuron") {
            Loc::Neuron(name, self.number32()?)
        } else if self.eat_mark(b':') {
            Loc::Line(name, self.number32()?)
        } else {
            Loc::Layer(name)
        };
        Ok(scope.f.locs.add(loc))
    }

    /// The values of the last line become the results.
    fn results(&mut self, scope: &mut Scope<'a>, ports: Vec<ResultPort>) -> Parse<()> {
        let start = self.last_end;
        let mut values = Vec::new();
        while self.token.tok == Tok::Value {
            values.push(self.operand()?);
            if !self.eat_mark(b',') {
                break;
            }
        }
        if values.len() != ports.len() {
            let text = format!("{} results are declared, {} values stand here", ports.len(), values.len());
            return self.report(&RESULT_COUNT, start..self.last_end, text);
        }
        for ((name, ty, _), (text, range)) in ports.into_iter().zip(values) {
            let Some(v) = scope.lookup(text) else {
                let _ = self.report::<()>(&UNKNOWN_NAME, range, format!("{text} is made nowhere"));
                continue;
            };
            if scope.f.ty(v) != ty {
                let message = format!("{text} is of type {}, the result %{name} of type {ty}", scope.f.ty(v));
                let _ = self.report::<()>(&RESULT_TYPE, range, message);
            }
            scope.f.add_result(name, v);
        }
        Ok(())
    }

    /// Operands that were named before they were made.
    fn resolve(&mut self, scope: &mut Scope<'a>) {
        let late = std::mem::take(&mut scope.late);
        for of_op in late.chunk_by(|a, b| a.0 == b.0) {
            let id = of_op[0].0;
            let mut operands = scope.f.op(id).operands.to_vec();
            for (_, i, text, range) in of_op {
                match scope.lookup(text) {
                    Some(v) => operands[*i] = v,
                    None => {
                        let _ = self.report::<()>(&UNKNOWN_NAME, range.clone(), format!("{text} is made nowhere"));
                    }
                }
            }
            scope.f.set_operands(id, &operands);
        }
    }
}

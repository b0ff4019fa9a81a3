//! The text form, canonical: the same module always prints the same bytes, and parsing them gives the module back.

use std::fmt::{self, Write};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::func::{Func, FuncAttr, FuncKind, Op, OpId, Port, Value};
use crate::loc::{Loc, LocId};
use crate::module::{Data, Module, Origin, Resource, ResourceId};
use crate::ops::{Attr, Form, OpKind};

/// The first line of every text.
pub const HEADER: &str = "blir 0.1";

/// Prints a module.
pub fn print(module: &Module) -> String {
    let ops: usize = module.funcs.iter().map(Func::op_count).sum();
    let mut p = Printer { module, out: String::with_capacity(256 + 64 * ops) };
    // Writing to a String cannot fail.
    let _ = p.module();
    p.out
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print(self))
    }
}

/// One op as the text form has it, without its origin: for messages.
pub fn op_text(module: &Module, f: &Func, id: OpId) -> String {
    let mut p = Printer { module, out: String::new() };
    let _ = p.op(f, f.op(id), &Names::new(f), false);
    let mut text = p.out.trim().to_string();
    if text.chars().count() > 160 {
        text = text.chars().take(157).chain("...".chars()).collect();
    }
    text
}

/// A value as the text form names it: for messages.
pub fn value_text(f: &Func, v: Value) -> String {
    let mut text = String::new();
    let _ = Names::new(f).write(&mut text, v);
    text
}

/// The value that the text form names so, without the `%`.
pub fn value_of(f: &Func, name: &str) -> Option<Value> {
    let names = Names::new(f);
    let number = name.parse::<u32>().ok().filter(|&n| n != u32::MAX);
    let is = |&v: &Value| match names.names.get(&v) {
        Some(own) => *own == name,
        None => number == Some(names.numbers[v.index()]),
    };
    (0..f.value_count()).map(Value::new).find(is)
}

/// Whether a name stands without quotes.
pub fn is_plain_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$'))
}

fn write_name(out: &mut String, sigil: char, name: &str) -> fmt::Result {
    out.push(sigil);
    if is_plain_name(name) {
        out.push_str(name);
        return Ok(());
    }
    write_string(out, name)
}

fn write_string(out: &mut String, text: &str) -> fmt::Result {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => write!(out, "\\u{{{:x}}}", c as u32)?,
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(())
}

/// What each value of a function is called: its name where that is unique, otherwise a number in program order.
struct Names<'a> {
    names: FxHashMap<Value, &'a str>,
    numbers: Vec<u32>,
}

impl<'a> Names<'a> {
    fn new(f: &'a Func) -> Self {
        let mut names = FxHashMap::default();
        let mut taken = FxHashSet::default();
        for port in &f.params {
            if taken.insert(port.name.as_str()) {
                names.insert(port.value, port.name.as_str());
            }
        }
        let mut numbers = vec![u32::MAX; f.value_count()];
        let mut next = 0;
        let values = f.params.iter().map(|p| p.value).chain(f.ops().flat_map(|(_, op)| op.results()));
        for v in values {
            if names.contains_key(&v) {
                continue;
            }
            match f.name_of(v).filter(|n| !n.is_empty() && !n.bytes().all(|b| b.is_ascii_digit()) && taken.insert(n)) {
                Some(name) => {
                    names.insert(v, name);
                }
                None => {
                    numbers[v.index()] = next;
                    next += 1;
                }
            }
        }
        Self { names, numbers }
    }

    fn write(&self, out: &mut String, v: Value) -> fmt::Result {
        match self.numbers.get(v.index()) {
            Some(&u32::MAX) | None => write_name(out, '%', self.names.get(&v).copied().unwrap_or("?")),
            Some(n) => write!(out, "%{n}"),
        }
    }

    fn write_list(&self, out: &mut String, values: impl IntoIterator<Item = Value>) -> fmt::Result {
        for (i, v) in values.into_iter().enumerate() {
            out.push_str(if i == 0 { "" } else { ", " });
            self.write(out, v)?;
        }
        Ok(())
    }
}

struct Printer<'a> {
    module: &'a Module,
    out: String,
}

impl Printer<'_> {
    fn module(&mut self) -> fmt::Result {
        writeln!(self.out, "{HEADER}")?;
        for resource in &self.module.resources {
            self.resource(resource)?;
        }
        self.out.push_str("module ");
        write_name(&mut self.out, '@', &self.module.name)?;
        if let Some(target) = &self.module.target {
            self.out.push_str(" {target = ");
            write_string(&mut self.out, target)?;
            self.out.push('}');
        }
        self.out.push_str(" {\n");
        for f in &self.module.funcs {
            self.func(f)?;
        }
        self.out.push_str("}\n");
        Ok(())
    }

    fn resource(&mut self, resource: &Resource) -> fmt::Result {
        write_name(&mut self.out, '#', &resource.name)?;
        match (&resource.origin, &resource.data) {
            (Origin::File { file, tensor, sha256 }, _) => {
                self.out.push_str(" = resource ");
                write_string(&mut self.out, file)?;
                self.out.push_str("::");
                write_string(&mut self.out, tensor)?;
                writeln!(self.out, " sha256:{sha256}")
            }
            (Origin::Inline, data) => {
                let data = data.as_ref().unwrap_or(const { &Data::U8(Vec::new()) });
                let shape: Vec<_> = resource.shape.iter().map(ToString::to_string).collect();
                write!(self.out, " = data {}[{}] [", data.dtype(), shape.join(", "))?;
                for i in 0..data.len() {
                    self.out.push_str(if i == 0 { "" } else { ", " });
                    match data {
                        Data::U8(d) => write!(self.out, "{}", d[i])?,
                        Data::U32(d) => write!(self.out, "{}", d[i])?,
                        Data::U64(d) => write!(self.out, "{:#x}", d[i])?,
                        Data::F32(d) => write!(self.out, "{:?}", d[i])?,
                    }
                }
                self.out.push_str("]\n");
                Ok(())
            }
        }
    }

    fn resource_ref(&mut self, id: ResourceId) -> fmt::Result {
        write_name(&mut self.out, '#', self.module.resource(id).map_or("?", |r| &r.name))
    }

    fn port(&mut self, f: &Func, port: &Port) -> fmt::Result {
        write_name(&mut self.out, '%', &port.name)?;
        write!(self.out, ": {}", f.ty(port.value))
    }

    fn func(&mut self, f: &Func) -> fmt::Result {
        let hw = f.kind == FuncKind::HwModule;
        self.out.push_str(if hw { "  hw.module " } else { "  func " });
        write_name(&mut self.out, '@', &f.name)?;
        self.out.push('(');
        for (i, port) in f.params.iter().enumerate() {
            self.out.push_str(if i == 0 { "" } else { ", " });
            self.out.push_str(if hw { "in " } else { "" });
            self.port(f, port)?;
        }
        if !hw {
            self.out.push_str(") -> (");
        }
        for (i, port) in f.results.iter().enumerate() {
            self.out.push_str(if i == 0 && (!hw || f.params.is_empty()) { "" } else { ", " });
            self.out.push_str(if hw { "out " } else { "" });
            self.port(f, port)?;
        }
        self.out.push(')');
        for (i, (name, attr)) in f.attrs.iter().enumerate() {
            write!(self.out, "{}{name} = ", if i == 0 { " {" } else { ", " })?;
            match attr {
                FuncAttr::Int(n) => write!(self.out, "{n}")?,
                FuncAttr::Str(s) => write_string(&mut self.out, s)?,
                FuncAttr::Resource(id) => self.resource_ref(*id)?,
            }
        }
        self.out.push_str(if f.attrs.is_empty() { " {\n" } else { "} {\n" });
        let names = Names::new(f);
        for (_, op) in f.ops() {
            self.op(f, op, &names, true)?;
        }
        self.out.push_str(if hw { "    hw.output" } else { "    return" });
        self.out.push_str(if f.results.is_empty() { "" } else { " " });
        names.write_list(&mut self.out, f.results.iter().map(|p| p.value))?;
        self.out.push_str("\n  }\n");
        Ok(())
    }

    fn op(&mut self, f: &Func, op: Op<'_>, names: &Names<'_>, with_loc: bool) -> fmt::Result {
        let info = op.info();
        self.out.push_str("    ");
        names.write_list(&mut self.out, op.results())?;
        self.out.push_str(" = ");
        self.out.push_str(info.mnemonic);
        match info.form {
            Form::Call => {
                self.out.push('(');
                names.write_list(&mut self.out, op.operands.iter().copied())?;
                self.out.push(')');
            }
            Form::Plain => {
                self.out.push_str(if op.operands.is_empty() { "" } else { " " });
                names.write_list(&mut self.out, op.operands.iter().copied())?;
            }
            Form::Clocked => {
                for (&v, word) in op.operands.iter().zip([" ", " clock "]) {
                    self.out.push_str(word);
                    names.write(&mut self.out, v)?;
                }
            }
        }
        for (i, ((name, _, hex), attr)) in info.attrs.iter().zip(op.kind.attrs()).enumerate() {
            write!(self.out, "{}{name} = ", if i == 0 { " {" } else { ", " })?;
            match (attr, op.kind) {
                (Attr::Int(_), OpKind::Extern { op }) => write_string(&mut self.out, f.extern_name(op))?,
                (Attr::Int(n), _) if *hex => write!(self.out, "{n:#x}")?,
                (Attr::Int(n), _) => write!(self.out, "{n}")?,
                (Attr::Table(id), _) => self.wide(f.table(id))?,
                (Attr::Resource(id), _) => self.resource_ref(id)?,
                (Attr::Str(s), _) => write_string(&mut self.out, &s)?,
                (Attr::Word(w), _) => self.out.push_str(w),
            }
        }
        self.out.push_str(if info.attrs.is_empty() { " : " } else { "} : " });
        for (i, v) in op.results().enumerate() {
            write!(self.out, "{}{}", if i == 0 { "" } else { ", " }, f.ty(v))?;
        }
        if with_loc && op.loc != LocId::UNKNOWN {
            self.out.push_str(" loc(");
            match f.locs.get(op.loc) {
                Loc::Fused(parts) => {
                    self.out.push_str("fused[");
                    for (i, &part) in parts.iter().enumerate() {
                        self.out.push_str(if i == 0 { "" } else { ", " });
                        self.loc(f, part)?;
                    }
                    self.out.push(']');
                }
                _ => self.loc(f, op.loc)?,
            }
            self.out.push(')');
        }
        self.out.push('\n');
        Ok(())
    }

    fn loc(&mut self, f: &Func, id: LocId) -> fmt::Result {
        match f.locs.get(id) {
            Loc::Layer(s) => write_string(&mut self.out, f.locs.name(*s)),
            Loc::Neuron(s, n) => {
                write_string(&mut self.out, f.locs.name(*s))?;
                write!(self.out, " neuron {n}")
            }
            Loc::Line(s, n) => {
                write_string(&mut self.out, f.locs.name(*s))?;
                write!(self.out, ":{n}")
            }
            // A fused location never holds one of these.
            Loc::Unknown | Loc::Fused(_) => Ok(()),
        }
    }

    /// A wide table as one number: the last word is the highest.
    fn wide(&mut self, words: &[u64]) -> fmt::Result {
        let top = words.iter().rposition(|&w| w != 0).unwrap_or(0);
        for (i, word) in words.iter().enumerate().take(top + 1).rev() {
            if i == top {
                write!(self.out, "{word:#x}")?;
            } else {
                write!(self.out, "{word:016x}")?;
            }
        }
        Ok(())
    }
}

//! Modules of truth tables to one function.

use std::collections::HashMap;
use std::sync::Arc;

use blc_ir::diag::{Result, Source};
use blc_ir::loc::LocId;
use blc_ir::{Func, FuncKind, Module, Type, Value};

use super::super::{MAX_BITS, Wrong};
use super::{Body, Definition, Design, Expr, Item, Name, Part, refuse};
use crate::codes::{VERILOG_CELL, VERILOG_SIGNAL, VERILOG_SIZE, VERILOG_SYNTAX};
use crate::lower;

/// Most modules inside each other.
const MAX_LEVELS: usize = 16;

type Parsed<T> = Result<T, Wrong>;

/// The design that a module is.
///
/// # Errors
/// `BL1120` to `BL1123`.
pub fn build(design: &Design, top: &str) -> Result<Module> {
    Builder { design, f: Func::new("net", FuncKind::Func), declared: 0 }.build(top)
}

/// The bits of each name of a module.
type Signals<'a> = HashMap<&'a str, Vec<Option<Value>>>;

struct Builder<'a> {
    design: &'a Design,
    f: Func,
    declared: usize,
}

impl<'a> Builder<'a> {
    fn build(mut self, top: &str) -> Result<Module> {
        let design = self.design;
        let Some(module) = design.modules.get(top) else {
            let source = design.sources.first().cloned().unwrap_or_else(|| Source::new("", ""));
            return Err(refuse(Wrong::new(&VERILOG_SYNTAX, 0..0, "a text without modules"), &source));
        };
        let here = |wrong| refuse(wrong, &design.sources[module.source]);
        // Pins of registers but those that carry data: clocks and resets.
        let mut idle: Vec<&str> = Vec::new();
        for (used, pins) in module.uses() {
            if let Some(Definition { body: Body::Register { d, q }, .. }) = design.modules.get(&used.text) {
                let apart = pins.iter().filter(|(pin, _)| pin.text != *d && pin.text != *q);
                idle.extend(apart.flat_map(|(_, e)| e).filter_map(|part| match part {
                    Part::Name(name, None) => Some(name.text.as_str()),
                    _ => None,
                }));
            }
        }
        let mut inputs = Vec::new();
        for port in module.ports.iter().filter(|p| p.is_input) {
            if idle.contains(&port.name.text.as_str()) {
                continue;
            }
            self.declare(port.width, &port.name).map_err(here)?;
            let v = self.f.add_param(port.name.text.as_str(), Type::bits(port.width));
            let bits = (0..port.width).map(|b| self.f.extract(v, b, Type::BIT, LocId::UNKNOWN)).collect();
            inputs.push((port.name.text.as_str(), bits));
        }
        let outputs = self.module(module, inputs, 0)?;
        if outputs.is_empty() {
            return Err(here(Wrong::new(&VERILOG_SIGNAL, module.name.at.clone(), "a design without outputs")));
        }
        for (name, bits) in outputs {
            let value = self.f.pack(&bits, Type::bits(bits.len()), LocId::UNKNOWN);
            self.f.add_result(name, value);
        }
        self.f.tidy();
        let mut out = Module::new(lower::identifier(top));
        out.funcs.push(self.f);
        Ok(out)
    }

    fn declare(&mut self, width: usize, name: &Name) -> Parsed<()> {
        self.declared += width;
        if self.declared > MAX_BITS {
            let message = format!("more than {MAX_BITS} bits in all declared");
            return Err(Wrong::new(&VERILOG_SIZE, name.at.clone(), message));
        }
        Ok(())
    }

    /// An instance of a module of wires: its outputs, of its inputs.
    fn module(
        &mut self,
        module: &'a Definition,
        inputs: Vec<(&'a str, Vec<Value>)>,
        level: usize,
    ) -> Result<Vec<(&'a str, Vec<Value>)>> {
        let source = &self.design.sources[module.source];
        let here = |wrong| refuse(wrong, source);
        if level > MAX_LEVELS {
            let message = format!("modules inside each other, {MAX_LEVELS} levels deep");
            return Err(here(Wrong::new(&VERILOG_SIZE, module.name.at.clone(), message)));
        }
        let mut signals: Signals<'a> =
            inputs.into_iter().map(|(name, bits)| (name, bits.into_iter().map(Some).collect())).collect();
        for port in module.ports.iter().filter(|p| !p.is_input) {
            self.declare(port.width, &port.name).map_err(here)?;
            signals.insert(&port.name.text, vec![None; port.width]);
        }
        let Body::Wires(items) = &module.body else {
            return Err(here(Wrong::new(
                &VERILOG_SYNTAX,
                module.name.at.clone(),
                "a design of one neuron or register",
            )));
        };
        for item in items {
            match item {
                Item::Wire { name, width } => {
                    self.declare(*width, name).map_err(here)?;
                    if signals.insert(&name.text, vec![None; *width]).is_some() {
                        let message = format!("`{}` is declared twice", name.text);
                        return Err(here(Wrong::new(&VERILOG_SIGNAL, name.at.clone(), message)));
                    }
                }
                Item::Assign { name, bits, value } => {
                    let value = self.read(&signals, value).map_err(here)?;
                    drive(&mut signals, name, *bits, &value).map_err(here)?;
                }
                Item::Instance { module: used, pins } => {
                    let Some(inner) = self.design.modules.get(&used.text) else { continue };
                    let outputs = self.instance(inner, used, pins, &signals, level, source)?;
                    for (port, value) in outputs {
                        let Some((_, pin)) = pins.iter().find(|(pin, _)| pin.text == port) else { continue };
                        let [Part::Name(name, bits)] = pin.as_slice() else {
                            let message = format!("the output `{port}` of `{}` goes to more than a name", used.text);
                            return Err(here(Wrong::new(&VERILOG_SYNTAX, used.at.clone(), message)));
                        };
                        drive(&mut signals, name, *bits, &value).map_err(here)?;
                    }
                }
            }
        }
        let mut outputs = Vec::new();
        for port in module.ports.iter().filter(|p| !p.is_input) {
            let bits: Option<Vec<Value>> =
                signals.get(port.name.text.as_str()).and_then(|bits| bits.iter().copied().collect());
            let Some(bits) = bits else {
                let message = format!("nothing drives all of `{}`", port.name.text);
                return Err(here(Wrong::new(&VERILOG_SIGNAL, port.name.at.clone(), message)));
            };
            outputs.push((port.name.text.as_str(), bits));
        }
        Ok(outputs)
    }

    fn instance(
        &mut self,
        inner: &'a Definition,
        used: &Name,
        pins: &'a [(Name, Expr)],
        signals: &Signals<'a>,
        level: usize,
        source: &Arc<Source>,
    ) -> Result<Vec<(&'a str, Vec<Value>)>> {
        let here = |wrong| refuse(wrong, source);
        let unknown = pins.iter().find(|(pin, _)| inner.ports.iter().all(|port| port.name.text != pin.text));
        if let Some((pin, _)) = unknown {
            let message = format!("`{}` has no port `{}`", used.text, pin.text);
            return Err(here(Wrong::new(&VERILOG_CELL, pin.at.clone(), message)));
        }
        let mut input = |port: &str| {
            let Some((_, value)) = pins.iter().find(|(pin, _)| pin.text == port) else {
                let message = format!("nothing is at port `{port}` of `{}`", used.text);
                return Err(Wrong::new(&VERILOG_CELL, used.at.clone(), message));
            };
            self.read(signals, value)
        };
        if let Body::Register { d, q } = &inner.body {
            return Ok(vec![(q.as_str(), input(d).map_err(here)?)]);
        }
        let mut inputs = Vec::new();
        for port in inner.ports.iter().filter(|p| p.is_input) {
            let value = input(&port.name.text).map_err(here)?;
            if value.len() != port.width {
                let message = format!("{} bits at port `{}` of {}", value.len(), port.name.text, port.width);
                return Err(here(Wrong::new(&VERILOG_SIGNAL, used.at.clone(), message)));
            }
            inputs.push((port.name.text.as_str(), value));
        }
        let Body::Table(tables) = &inner.body else { return self.module(inner, inputs, level + 1) };
        let loc = match inner.name.text.rsplit_once("_N").map(|(layer, n)| (layer, n.parse())) {
            Some((layer, Ok(n))) => self.f.locs.neuron(layer, n),
            _ => self.f.locs.layer(&inner.name.text),
        };
        let bits = inputs.first().map(|(_, bits)| bits.as_slice()).unwrap_or_default();
        let outputs = tables.iter().map(|table| match table.as_slice() {
            [word] if bits.len() <= 6 => self.f.lut(*word, bits, loc),
            words => self.f.lut_wide(words, bits, loc),
        });
        let outputs: Vec<Value> = outputs.collect();
        let port = inner.ports.iter().find(|p| !p.is_input).map_or("", |p| p.name.text.as_str());
        self.declare(outputs.len(), used).map_err(here)?;
        Ok(vec![(port, outputs)])
    }

    /// The bits of an expression, lowest first.
    fn read(&mut self, signals: &Signals<'_>, value: &Expr) -> Parsed<Vec<Value>> {
        let mut bits = Vec::new();
        for part in value.iter().rev() {
            match part {
                Part::Number(number) => {
                    bits.extend(number.iter().map(|&bit| self.f.constant(bit.into(), Type::BIT)));
                }
                Part::Name(name, range) => {
                    let (signal, low, high) = find(signals, name, *range)?;
                    for bit in &signal[low..=high] {
                        let Some(bit) = *bit else {
                            let message = format!("nothing above drives all of `{}`", name.text);
                            return Err(Wrong::new(&VERILOG_SIGNAL, name.at.clone(), message));
                        };
                        bits.push(bit);
                    }
                }
            }
        }
        Ok(bits)
    }
}

/// A name's bits, and which of them are meant.
fn find<'s>(
    signals: &'s Signals<'_>,
    name: &Name,
    range: Option<(usize, usize)>,
) -> Parsed<(&'s [Option<Value>], usize, usize)> {
    let Some(bits) = signals.get(name.text.as_str()) else {
        return Err(Wrong::new(&VERILOG_SIGNAL, name.at.clone(), format!("`{}` is not declared", name.text)));
    };
    let (high, low) = range.unwrap_or((bits.len().max(1) - 1, 0));
    if high >= bits.len() {
        return Err(Wrong::new(&VERILOG_SIGNAL, name.at.clone(), format!("`{}` has no bit {high}", name.text)));
    }
    Ok((bits, low, high))
}

/// Gives bits their values, each once.
fn drive(signals: &mut Signals<'_>, name: &Name, range: Option<(usize, usize)>, values: &[Value]) -> Parsed<()> {
    let (_, low, high) = find(signals, name, range)?;
    let wrong = |message: String| Err(Wrong::new(&VERILOG_SIGNAL, name.at.clone(), message));
    if values.len() != high - low + 1 {
        return wrong(format!("{} bits for {} of `{}`", values.len(), high - low + 1, name.text));
    }
    let bits = signals.get_mut(name.text.as_str()).map(Vec::as_mut_slice).unwrap_or_default();
    for (bit, &value) in bits[low..=high].iter_mut().zip(values) {
        if bit.replace(value).is_some() {
            return wrong(format!("`{}` is driven twice", name.text));
        }
    }
    Ok(())
}

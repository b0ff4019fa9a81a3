//! The items of a module to the language.

use std::collections::HashMap;

use blc_ir::loc::LocId;
use blc_ir::order::{is_register, schedule};
use blc_ir::verify::verify_func;
use blc_ir::{Func, FuncAttr, FuncKind, Module, OpKind, Type, Value};

use super::cells::{Cell, Register, Start, named};
use super::parse::{At, Design, Expr, Item, Name, Number, Setting};
use super::{MAX_BITS, MAX_INPUTS, Wrong};
use crate::codes::{VERILOG_CELL, VERILOG_SIGNAL, VERILOG_SIZE, VERILOG_SYNTAX};
use crate::lower;

type Built<T> = Result<T, Wrong>;

/// A declared name.
struct Signal {
    /// `None` of a wire.
    width: Option<usize>,
    register: bool,
    bits: Vec<Option<Value>>,
}

struct Builder<'a> {
    f: Func,
    signals: HashMap<&'a str, Signal>,
    /// Constants with a name: tables that are indexed.
    tables: HashMap<&'a str, &'a Number>,
    /// Registers that are read, and whether something sets them yet.
    registers: HashMap<Value, (bool, At)>,
    initial: HashMap<&'a str, bool>,
    clock: Option<(&'a str, Value)>,
    declared: usize,
    loc: LocId,
}

/// A design as a module; `file` is what its locations call the text.
pub fn build<'a>(design: &'a Design<'a>, text: &str, file: &str) -> Built<Module> {
    let clock = clock_of(design)?.or_else(|| clock_of_header(design, text));
    let f = Func::new("net", FuncKind::HwModule);
    let mut b = Builder {
        f,
        signals: HashMap::new(),
        tables: HashMap::new(),
        registers: HashMap::new(),
        initial: HashMap::new(),
        clock: None,
        declared: 0,
        loc: LocId::UNKNOWN,
    };
    for port in &design.ports {
        b.declare(&port.name, port.width, false)?;
        if !port.is_input {
            continue;
        }
        if clock == Some(port.name.text) {
            let v = b.f.add_param(port.name.text, Type::CLOCK);
            b.clock = Some((port.name.text, v));
            continue;
        }
        let v = b.f.add_param(port.name.text, port.width.map_or(Type::BIT, Type::bits));
        for bit in 0..port.width.unwrap_or(1) {
            let value = if port.width.is_some() { b.f.extract(v, bit, Type::BIT, LocId::UNKNOWN) } else { v };
            b.drive(&port.name, bit, value)?;
        }
    }
    if let (Some(name), None) = (clock, b.clock) {
        return Err(Wrong::new(&VERILOG_SIGNAL, design.name.at.clone(), format!("the clock `{name}` is no input")));
    }
    for item in &design.items {
        if let Item::Initial { name, value } = item {
            b.initial.insert(name.text, *value);
        }
    }
    let mut lines = Lines { text, at: 0, line: 1 };
    for item in &design.items {
        let line = lines.of(place(item).start);
        b.loc = b.f.locs.line(file, line);
        b.item(item)?;
    }
    if let Some((_, at)) = b.registers.values().find(|(set, _)| !set) {
        return Err(Wrong::new(&VERILOG_SIGNAL, at.clone(), "read, but nothing above drives it"));
    }
    for port in design.ports.iter().filter(|p| !p.is_input) {
        let bits: Vec<Value> = (0..port.width.unwrap_or(1)).map(|bit| b.read(&port.name, bit)).collect::<Built<_>>()?;
        let value =
            if port.width.is_some() { b.f.pack(&bits, Type::bits(bits.len()), LocId::UNKNOWN) } else { bits[0] };
        b.f.add_result(port.name.text, value);
    }
    // Outputs are never registers of their own.
    if let Some((_, at)) = b.registers.values().find(|(set, _)| !set) {
        return Err(Wrong::new(&VERILOG_SIGNAL, at.clone(), "nothing drives it"));
    }
    b.f.tidy();
    if let Some(latency) = latency(&b.f) {
        b.f.set_attr("latency", FuncAttr::Int(latency));
    }
    let mut module = Module::new(lower::identifier(design.name.text));
    // Ways of different lengths have no latency in common; a machine has none at all.
    if !verify_func(&module, &b.f).is_empty() {
        b.f.attrs.retain(|(name, _)| name != "latency");
    }
    module.funcs.push(b.f);
    Ok(module)
}

/// Registers on the longest way to an output; `None` with feedback.
fn latency(f: &Func) -> Option<u64> {
    let mut stages = vec![0u64; f.value_count()];
    for id in schedule(f, true).ok()? {
        let op = f.op(id);
        let before = op.operands.iter().map(|v| stages[v.index()]).max().unwrap_or(0);
        op.results().for_each(|v| stages[v.index()] = before + u64::from(is_register(op.kind)));
    }
    f.results.iter().map(|port| stages[port.value.index()]).max()
}

/// The clock that the comment at the top tells of, where no register is left to show it.
fn clock_of_header<'a>(design: &Design<'a>, text: &str) -> Option<&'a str> {
    let comments = text.lines().take_while(|line| line.starts_with("//") || line.is_empty());
    let mut words = comments.filter_map(|line| line.strip_prefix("//   in ")?.trim_start().split_once(' '));
    let (name, _) = words.find(|(_, layout)| layout.trim_start().starts_with("clock, rising edge"))?;
    design.ports.iter().find(|p| p.is_input && p.width.is_none() && p.name.text == name).map(|p| p.name.text)
}

/// The signal that clocks the registers.
fn clock_of<'a>(design: &Design<'a>) -> Built<Option<&'a str>> {
    let mut clock: Option<&'a str> = None;
    for item in &design.items {
        let name = match item {
            Item::Clocked { clock, .. } => clock,
            Item::Instance { cell, pins, .. } => match named(cell.text, |p| pins.iter().any(|(n, _)| n.text == p)) {
                Some(Cell::Register(register)) => {
                    match pins.iter().find(|(pin, _)| pin.text == register.pins[1]).map(|(_, value)| value) {
                        Some(Expr::Name(name)) => name,
                        _ => return Err(Wrong::new(&VERILOG_CELL, cell.at.clone(), "a register without a clock")),
                    }
                }
                _ => continue,
            },
            _ => continue,
        };
        if *clock.get_or_insert(name.text) != name.text {
            let text = format!("`{}` is a second clock", name.text);
            return Err(Wrong::new(&VERILOG_SIGNAL, name.at.clone(), text).help("all registers must have one clock"));
        }
    }
    Ok(clock)
}

fn place(item: &Item<'_>) -> At {
    match item {
        Item::Declare { name, .. } | Item::Define { name, .. } | Item::Assign { name, .. } => name.at.clone(),
        Item::Initial { name, .. } => name.at.clone(),
        Item::Clocked { q, .. } => q.at.clone(),
        Item::Instance { cell, .. } => cell.at.clone(),
    }
}

/// Numbers of lines, asked for in the order of the text.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

impl Lines<'_> {
    fn of(&mut self, at: usize) -> u32 {
        if let Some(passed) = self.text.as_bytes().get(self.at..at) {
            self.line += passed.iter().filter(|&&b| b == b'\n').count() as u32;
            self.at = at;
        }
        self.line
    }
}

impl<'a> Builder<'a> {
    fn declare(&mut self, name: &Name<'a>, width: Option<usize>, register: bool) -> Built<()> {
        self.declared += width.unwrap_or(1);
        if self.declared > MAX_BITS {
            let text = format!("more than {MAX_BITS} bits are declared");
            return Err(Wrong::new(&VERILOG_SIZE, name.at.clone(), text));
        }
        let signal = Signal { width, register, bits: vec![None; width.unwrap_or(1)] };
        match self.signals.insert(name.text, signal) {
            None => Ok(()),
            Some(_) => Err(Wrong::new(&VERILOG_SIGNAL, name.at.clone(), format!("`{}` is declared twice", name.text))),
        }
    }

    fn signal(&self, name: &Name<'a>, bit: usize) -> Built<&Signal> {
        let Some(signal) = self.signals.get(name.text) else {
            return Err(Wrong::new(&VERILOG_SIGNAL, name.at.clone(), format!("`{}` is not declared", name.text)));
        };
        if bit >= signal.bits.len() {
            return Err(Wrong::new(&VERILOG_SIGNAL, name.at.clone(), format!("`{}` has no bit {bit}", name.text)));
        }
        Ok(signal)
    }

    /// Gives a bit its value, once.
    fn drive(&mut self, name: &Name<'a>, bit: usize, value: Value) -> Built<()> {
        let known = self.signal(name, bit)?.bits[bit];
        if known.is_some() || self.clock.is_some_and(|(clock, _)| clock == name.text) {
            let read = known.is_some_and(|v| self.registers.contains_key(&v));
            let what = if read { "read above, and no register" } else { "driven already" };
            return Err(Wrong::new(&VERILOG_SIGNAL, name.at.clone(), format!("`{}` is {what}", name.text)));
        }
        if let Some(signal) = self.signals.get_mut(name.text) {
            signal.bits[bit] = Some(value);
        }
        Ok(())
    }

    /// The value of a bit. One that nothing drives yet must be that of a register.
    fn read(&mut self, name: &Name<'a>, bit: usize) -> Built<Value> {
        if self.clock.is_some_and(|(clock, _)| clock == name.text) {
            return Err(Wrong::new(&VERILOG_SIGNAL, name.at.clone(), format!("the clock `{}` is data", name.text)));
        }
        if let Some(value) = self.signal(name, bit)?.bits[bit] {
            return Ok(value);
        }
        let Some((_, clock)) = self.clock else {
            let text = format!("nothing above drives `{}`", name.text);
            return Err(Wrong::new(&VERILOG_SIGNAL, name.at.clone(), text));
        };
        let kind = OpKind::Reg { stage: 0, init: false };
        let q = self.f.push1(kind, &[clock, clock], Type::BIT, self.loc);
        self.registers.insert(q, (false, name.at.clone()));
        if let Some(signal) = self.signals.get_mut(name.text) {
            signal.bits[bit] = Some(q);
        }
        Ok(q)
    }

    /// Makes a bit a register.
    fn register(&mut self, q: &Expr<'a>, d: Value, init: bool, at: &At) -> Built<()> {
        let (name, bit) = self.target(q, at)?;
        let Some((_, clock)) = self.clock else {
            return Err(Wrong::new(&VERILOG_SIGNAL, at.clone(), "a register without a clock"));
        };
        let value = self.read(&name, bit)?;
        match self.registers.get_mut(&value) {
            Some((set, _)) if !*set => *set = true,
            _ => return Err(Wrong::new(&VERILOG_SIGNAL, at.clone(), format!("`{}` is driven already", name.text))),
        }
        if let Some(op) = self.f.def_op(value) {
            self.f.set_kind(op, OpKind::Reg { stage: 0, init });
            self.f.set_operands(op, &[d, clock]);
            self.f.set_loc(op, self.loc);
        }
        Ok(())
    }

    /// One bit that is written to.
    fn target(&self, value: &Expr<'a>, at: &At) -> Built<(Name<'a>, usize)> {
        match value {
            Expr::Name(name) if self.signal(name, 0)?.width.is_none() => Ok((name.clone(), 0)),
            Expr::Bit(name, bit) if self.signal(name, *bit)?.width.is_some() => Ok((name.clone(), *bit)),
            _ => Err(Wrong::new(&VERILOG_SYNTAX, at.clone(), "an output that is not one bit")),
        }
    }

    fn item(&mut self, item: &'a Item<'a>) -> Built<()> {
        match item {
            Item::Declare { name, width, register } => self.declare(name, *width, *register),
            Item::Define { name, value } => match (value, self.signal(name, 0)?.width) {
                (Expr::Number(number, _), Some(width)) if number.width == width => {
                    self.tables.insert(name.text, number);
                    Ok(())
                }
                (_, None) => {
                    let value = self.bit(value)?;
                    self.drive(name, 0, value)
                }
                _ => Err(Wrong::new(&VERILOG_SYNTAX, name.at.clone(), "a vector that is not a constant")),
            },
            Item::Assign { name, bits, value } => {
                let signal = self.signal(name, bits.map_or(0, |(high, _)| high))?;
                let (high, low) = match (bits, signal.width) {
                    (Some((high, low)), Some(_)) if low <= high => (*high, *low),
                    (None, None) => (0, 0),
                    _ => return Err(Wrong::new(&VERILOG_SYNTAX, name.at.clone(), "an assignment that does not fit")),
                };
                let parts = match value {
                    Expr::Concat(parts) => parts.as_slice(),
                    one => std::slice::from_ref(one),
                };
                if parts.len() != high - low + 1 {
                    let text = format!("{} bits for {}", parts.len(), high - low + 1);
                    return Err(Wrong::new(&VERILOG_SYNTAX, name.at.clone(), text));
                }
                for (part, bit) in parts.iter().rev().zip(low..) {
                    let value = self.bit(part)?;
                    self.drive(name, bit, value)?;
                }
                Ok(())
            }
            Item::Initial { name, .. } if !self.signal(name, 0)?.register => {
                Err(Wrong::new(&VERILOG_SIGNAL, name.at.clone(), format!("`{}` is no register", name.text)))
            }
            Item::Initial { .. } => Ok(()),
            Item::Clocked { q, d, .. } => {
                let Some(&init) =
                    self.initial.get(q.text).filter(|_| self.signals.get(q.text).is_some_and(|s| s.register))
                else {
                    let text = format!("`{}` is no `reg` with an initial value", q.text);
                    return Err(Wrong::new(&VERILOG_SIGNAL, q.at.clone(), text));
                };
                let d = self.bit(d)?;
                self.register(&Expr::Name(q.clone()), d, init, &q.at)
            }
            Item::Instance { cell, settings, pins } => self.instance(cell, settings, pins),
        }
    }

    fn lut(&mut self, table: u64, inputs: &[Value]) -> Value {
        self.f.lut(table, inputs, self.loc)
    }

    /// One bit of an expression.
    fn bit(&mut self, e: &Expr<'a>) -> Built<Value> {
        match e {
            Expr::Name(name) => match self.signal(name, 0)?.width {
                None => self.read(name, 0),
                Some(1) => self.read(name, 0),
                Some(width) => {
                    let text = format!("`{}` has {width} bits where one is needed", name.text);
                    Err(Wrong::new(&VERILOG_SYNTAX, name.at.clone(), text))
                }
            },
            Expr::Bit(name, bit) if self.signal(name, *bit)?.width.is_some() => self.read(name, *bit),
            Expr::Bit(name, _) | Expr::Slice(name) => {
                Err(Wrong::new(&VERILOG_SYNTAX, name.at.clone(), format!("`{}` is indexed", name.text)))
            }
            Expr::Index(name, index) => {
                let Some(&table) = self.tables.get(name.text) else {
                    let text = format!("`{}` is no constant that can be indexed", name.text);
                    return Err(Wrong::new(&VERILOG_SYNTAX, name.at.clone(), text));
                };
                let parts = match &**index {
                    Expr::Concat(parts) => parts.as_slice(),
                    one => std::slice::from_ref(one),
                };
                if parts.len() > MAX_INPUTS || table.width != 1 << parts.len() {
                    let text = format!("{} bits choose of {}", parts.len(), table.width);
                    return Err(Wrong::new(&VERILOG_SYNTAX, name.at.clone(), text));
                }
                let inputs: Vec<Value> = parts.iter().rev().map(|p| self.bit(p)).collect::<Built<_>>()?;
                Ok(self.choose(&table.words, &inputs))
            }
            Expr::Number(Number { width: 1, words }, _) => Ok(self.f.constant(words[0], Type::BIT)),
            Expr::Number(_, at) => {
                Err(Wrong::new(&VERILOG_SYNTAX, at.clone(), "more than one bit where one is needed"))
            }
            Expr::Concat(parts) => match parts.as_slice() {
                [one] => self.bit(one),
                _ => Err(self.several(parts)),
            },
            Expr::Not(inner) => {
                let x = self.bit(inner)?;
                Ok(self.lut(0b01, &[x]))
            }
            Expr::All(inner) => self.all(inner),
            Expr::And(parts) => self.chain(0b1000, parts),
            Expr::Or(parts) => self.chain(0b1110, parts),
            Expr::Xor(parts) => self.chain(0b0110, parts),
            Expr::Mux(parts) => {
                let [choose, yes, no] = &**parts;
                let values = [self.bit(no)?, self.bit(yes)?, self.bit(choose)?];
                Ok(self.lut(MUX, &values))
            }
        }
    }

    fn several(&self, parts: &[Expr<'a>]) -> Wrong {
        let at = match parts.first() {
            Some(Expr::Name(n) | Expr::Bit(n, _) | Expr::Slice(n) | Expr::Index(n, _)) => n.at.clone(),
            Some(Expr::Number(_, at)) => at.clone(),
            _ => 0..0,
        };
        Wrong::new(&VERILOG_SYNTAX, at, "several bits where one is needed")
    }

    /// `&{1'b0, …}`: 0, whatever else is read there.
    fn all(&mut self, inner: &Expr<'a>) -> Built<Value> {
        let zero = |e: &Expr<'_>| matches!(e, Expr::Number(Number { width: 1, words }, _) if words[0] == 0);
        match inner {
            Expr::Concat(parts) if parts.iter().any(zero) => Ok(self.f.constant(0, Type::BIT)),
            Expr::Concat(parts) => self.chain(0b1000, parts),
            one => self.bit(one),
        }
    }

    fn chain(&mut self, table: u64, parts: &[Expr<'a>]) -> Built<Value> {
        let values: Vec<Value> = parts.iter().map(|p| self.bit(p)).collect::<Built<_>>()?;
        let mut rest = values.into_iter();
        let first = rest.next().unwrap_or_else(|| self.f.constant(0, Type::BIT));
        Ok(rest.fold(first, |a, b| self.lut(table, &[a, b])))
    }

    /// A table of any width by tables of six and multiplexers.
    fn choose(&mut self, words: &[u64], inputs: &[Value]) -> Value {
        match inputs.split_last() {
            Some((&top, rest)) if words.len() > 1 => {
                let (low, high) = words.split_at(words.len() / 2);
                let parts = [self.choose(low, rest), self.choose(high, rest), top];
                self.lut(MUX, &parts)
            }
            _ => self.lut(words[0], inputs),
        }
    }

    fn instance(
        &mut self,
        cell: &Name<'a>,
        settings: &[(Name<'a>, Setting<'a>)],
        pins: &'a [(Name<'a>, Expr<'a>)],
    ) -> Built<()> {
        let wrong = |at: &At, text: String| Wrong::new(&VERILOG_CELL, at.clone(), text);
        let find = |pin: &str| pins.iter().find(|(name, _)| name.text == pin).map(|(_, value)| value);
        let Some(kind) = named(cell.text, |pin| find(pin).is_some()) else {
            let help = "known are the primitives that blc emits";
            return Err(wrong(&cell.at, format!("`{}` is no cell that blc knows", cell.text)).help(help));
        };
        let need = |pin: &str| find(pin).ok_or_else(|| wrong(&cell.at, format!("`{}` has no pin `{pin}`", cell.text)));
        let number = |key: &str, width: usize| -> Built<u64> {
            match settings.iter().find(|(name, _)| name.text == key) {
                Some((_, Setting::Number(n))) if n.width == width => Ok(n.words[0]),
                _ => Err(wrong(&cell.at, format!("`{}` needs `{key}` of {width} bits", cell.text))),
            }
        };
        let known: usize = match kind {
            Cell::Lut(key, inputs, output) => {
                let table = number(key, 1 << inputs.len())?;
                let values: Vec<Value> = inputs.iter().map(|pin| self.bit(need(pin)?)).collect::<Built<_>>()?;
                let value = self.f.push1(OpKind::Xc7Lut6 { init: table }, &values, Type::BIT, self.loc);
                self.output(need(output)?, &[value], &cell.at)?;
                inputs.len() + 1
            }
            Cell::Lut6_2 => {
                let init = number("INIT", 64)?;
                let pins = ["I0", "I1", "I2", "I3", "I4", "I5"];
                let values: Vec<Value> = pins.iter().map(|pin| self.bit(need(pin)?)).collect::<Built<_>>()?;
                let op = self.f.push(OpKind::Xc7Lut6_2 { init }, &values, &[Type::BIT; 2], self.loc);
                let results: Vec<Value> = self.f.op(op).results().collect();
                for (pin, value) in ["O6", "O5"].iter().zip(results) {
                    self.output(need(pin)?, &[value], &cell.at)?;
                }
                8
            }
            Cell::Carry4 => {
                let mut values = self.several_bits(need("S")?, 4, &cell.at)?;
                values.extend(self.several_bits(need("DI")?, 4, &cell.at)?);
                values.extend([self.bit(need("CI")?)?, self.bit(need("CYINIT")?)?]);
                let op = self.f.push(OpKind::Xc7Carry4 {}, &values, &[Type::BIT; 8], self.loc);
                let results: Vec<Value> = self.f.op(op).results().collect();
                self.output(need("O")?, &results[..4], &cell.at)?;
                self.output(need("CO")?, &results[4..], &cell.at)?;
                6
            }
            Cell::Carry8 => {
                if !matches!(settings, [(key, Setting::Text("SINGLE_CY8"))] if key.text == "CARRY_TYPE") {
                    return Err(wrong(&cell.at, "`CARRY_TYPE` of `CARRY8` is not as blc writes it".into()));
                }
                let (s, di) =
                    (self.several_bits(need("S")?, 8, &cell.at)?, self.several_bits(need("DI")?, 8, &cell.at)?);
                let zero = self.bit(need("CI_TOP")?)?;
                if self.f.as_const(zero) != Some(0) {
                    return Err(wrong(&cell.at, "`CI_TOP` of `CARRY8` must be 0".into()));
                }
                let mut ci = self.bit(need("CI")?)?;
                let mut halves = Vec::new();
                for (s, di) in s.chunks(4).zip(di.chunks(4)) {
                    let values = [s, di, &[ci, zero]].concat();
                    let op = self.f.push(OpKind::Xc7Carry4 {}, &values, &[Type::BIT; 8], self.loc);
                    let results: Vec<Value> = self.f.op(op).results().collect();
                    ci = results[7];
                    halves.push(results);
                }
                for (pin, range) in [("O", 0..4), ("CO", 4..8)] {
                    match need(pin)? {
                        Expr::Concat(parts) if parts.len() == 2 => {
                            for (part, half) in parts.iter().rev().zip(&halves) {
                                self.output(part, &half[range.clone()], &cell.at)?;
                            }
                        }
                        _ => return Err(wrong(&cell.at, format!("`{pin}` of `CARRY8` must be two parts"))),
                    }
                }
                6
            }
            Cell::Ccu2c => {
                for key in ["INJECT1_0", "INJECT1_1"] {
                    if !settings.iter().any(|(name, value)| name.text == key && matches!(value, Setting::Text("NO"))) {
                        return Err(wrong(&cell.at, format!("`{key}` of `CCU2C` is not as blc writes it")));
                    }
                }
                let mut carry = self.bit(need("CIN")?)?;
                for (pins, key, sum) in
                    [(["A0", "B0", "C0", "D0"], "INIT0", "S0"), (["A1", "B1", "C1", "D1"], "INIT1", "S1")]
                {
                    let table = number(key, 16)?;
                    let pins: Vec<Value> = pins.iter().map(|pin| self.bit(need(pin)?)).collect::<Built<_>>()?;
                    let (s, d) = (self.lut(table, &pins), self.lut(table & 0xf, &pins[..2]));
                    let value = self.lut(XOR, &[s, carry]);
                    self.output(need(sum)?, &[value], &cell.at)?;
                    carry = self.lut(MUX, &[d, carry, s]);
                }
                self.output(need("COUT")?, &[carry], &cell.at)?;
                12
            }
            Cell::Carry(pins) => {
                let [a, b, carry] = [0, 1, 2].map(|i| need(pins[i]));
                let values = [self.bit(a?)?, self.bit(b?)?, self.bit(carry?)?];
                let value = self.lut(MAJORITY, &values);
                self.output(need(pins[3])?, &[value], &cell.at)?;
                4
            }
            Cell::Mux([low, high, select, out]) => {
                let values = [self.bit(need(low)?)?, self.bit(need(high)?)?, self.bit(need(select)?)?];
                let value = self.lut(MUX, &values);
                self.output(need(out)?, &[value], &cell.at)?;
                4
            }
            Cell::Register(register) => {
                let init = start(register, cell, settings)?;
                for (pin, tied) in register.ties {
                    if !matches!(need(pin)?, Expr::Number(n, _) if n.width == 1 && n.words[0] == u64::from(*tied)) {
                        return Err(wrong(&cell.at, format!("`{pin}` of `{}` must be {}", cell.text, u8::from(*tied))));
                    }
                }
                let d = self.bit(need(register.pins[0])?)?;
                self.register(need(register.pins[2])?, d, init, &cell.at)?;
                3 + register.ties.len()
            }
        };
        if pins.len() != known {
            return Err(wrong(&cell.at, format!("`{}` has {known} pins, not {}", cell.text, pins.len())));
        }
        Ok(())
    }

    fn several_bits(&mut self, value: &Expr<'a>, bits: usize, at: &At) -> Built<Vec<Value>> {
        match value {
            Expr::Concat(parts) if parts.len() == bits => parts.iter().rev().map(|p| self.bit(p)).collect(),
            _ => Err(Wrong::new(&VERILOG_CELL, at.clone(), format!("a pin of {bits} bits is needed"))),
        }
    }

    /// Bits that an instance drives.
    fn output(&mut self, pin: &Expr<'a>, values: &[Value], at: &At) -> Built<()> {
        if let ([value], Ok((name, bit))) = (values, self.target(pin, at)) {
            return self.drive(&name, bit, *value);
        }
        match pin {
            Expr::Name(name) if self.signal(name, 0)?.width == Some(values.len()) => {
                values.iter().zip(0..).try_for_each(|(&value, bit)| self.drive(name, bit, value))
            }
            _ => Err(Wrong::new(&VERILOG_CELL, at.clone(), format!("an output of {} bits is needed", values.len()))),
        }
    }
}

/// `inputs[2] ? inputs[1] : inputs[0]`
const MUX: u64 = 0b1100_1010;
const XOR: u64 = 0b0110;
const MAJORITY: u64 = 0b1110_1000;

/// The value that a register starts at; every parameter must be as blc writes it.
fn start(register: &Register, cell: &Name<'_>, settings: &[(Name<'_>, Setting<'_>)]) -> Built<bool> {
    let wrong = |key: &str| {
        let text = format!("`{key}` of `{}` is not as blc writes it", cell.text);
        Err(Wrong::new(&VERILOG_CELL, cell.at.clone(), text))
    };
    let find = |key: &str| settings.iter().find(|(name, _)| name.text == key).map(|(_, value)| value);
    for (key, wanted) in register.settings {
        if !matches!(find(key), Some(Setting::Text(text)) if text == wanted) {
            return wrong(key);
        }
    }
    match &register.start {
        Start::Zero => Ok(false),
        Start::Bit(key) => match find(key) {
            Some(Setting::Number(n)) if n.width == 1 => Ok(n.words[0] == 1),
            _ => wrong(key),
        },
        Start::Word(key, words) => match find(key) {
            Some(Setting::Text(text)) if text == &words[0] => Ok(false),
            Some(Setting::Text(text)) if text == &words[1] => Ok(true),
            _ => wrong(key),
        },
    }
}

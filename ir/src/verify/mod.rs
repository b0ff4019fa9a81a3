//! The verifier. It collects every error, with a code, and never panics.
//!
//! It checks, of every function:
//! - size: the bits of all values together;
//! - ops: number and types of operands, types of results, level, attributes that fit (tables, constants, offsets);
//! - resources: type, shape and values, where their data is there; data that is missing is an error;
//! - order: values made before they are used, no combinational cycle;
//! - ports: unique names, types the level can carry, one clock, registers on that clock;
//! - `latency`: every path from an input to an output of the module has that many registers; of control ports none is
//!   asked for, and with an `interval` that samples do not mix is seen by following one ([`crate::control`]).
//!
//! It does not check: what an op from outside (`ext`) takes and gives; that two functions compute the same; that the
//! primitives of a target can be placed (two outputs of a carry position, say); names of values; provenance.

mod cause;
mod op;

use rustc_hash::FxHashSet;

use crate::codes::*;
use crate::control::{self, Control};
use crate::diag::{Code, Diagnostic, Place};
use crate::func::{Def, Func, FuncAttr, FuncKind, Op, OpId, Value};
use crate::module::{Data, Module, ResourceId};
use crate::ops::Level;
use crate::order::{is_register, schedule};
use crate::types::{Elem, Type};

/// What a problem is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A resource of the module.
    Resource(ResourceId),
    /// A function as a whole.
    Func(usize),
    /// An op of a function.
    Op(usize, OpId),
}

/// Most errors that one call reports.
pub const MAX_ERRORS: usize = 100;

/// Checks a whole module.
pub fn verify(module: &Module) -> Vec<Diagnostic> {
    verify_at(module, &|_| None)
}

/// Checks a whole module; `place` says where a subject stands in a text.
pub fn verify_at(module: &Module, place: &dyn Fn(Subject) -> Option<Place>) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    let mut names = FxHashSet::default();
    for (i, f) in module.funcs.iter().enumerate() {
        if !names.insert(&f.name) {
            let text = format!("@{} is declared twice", f.name);
            errors.push(located(Diagnostic::error(&REDEFINED, text), place(Subject::Func(i)), &f.name));
        }
        check_func(module, f, i, place, &mut errors);
    }
    errors
}

/// Checks one function of a module.
pub fn verify_func(module: &Module, f: &Func) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    check_func(module, f, 0, &|_| None, &mut errors);
    errors
}

fn located(diagnostic: Diagnostic, place: Option<Place>, func: &str) -> Diagnostic {
    match place {
        Some(place) => Diagnostic { place, ..diagnostic },
        None => diagnostic.in_op(format!("@{func}")),
    }
}

fn check_func(
    module: &Module,
    f: &Func,
    index: usize,
    place: &dyn Fn(Subject) -> Option<Place>,
    errors: &mut Vec<Diagnostic>,
) {
    let mut checker = Checker { module, f, level: f.level(), index, place, errors };
    checker.size();
    checker.ports();
    checker.attrs();
    for (id, op) in f.ops() {
        checker.op(id, op);
    }
    if checker.errors.is_empty() {
        checker.order();
    }
    if checker.errors.is_empty() {
        checker.latency();
    }
}

struct Checker<'a> {
    module: &'a Module,
    f: &'a Func,
    level: Level,
    index: usize,
    place: &'a dyn Fn(Subject) -> Option<Place>,
    errors: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    fn error(&mut self, code: &'static Code, subject: Subject, message: impl Into<String>) {
        if self.errors.len() >= MAX_ERRORS {
            return;
        }
        let diagnostic = Diagnostic::error(code, message);
        let op = match subject {
            Subject::Op(_, id) => format!(": {}", crate::print::op_text(self.module, self.f, id)),
            _ => String::new(),
        };
        self.errors.push(match (self.place)(subject) {
            Some(place) => Diagnostic { place, ..diagnostic },
            None => diagnostic.in_op(format!("@{}{op}", self.f.name)),
        });
    }

    fn func_error(&mut self, code: &'static Code, message: impl Into<String>) {
        self.error(code, Subject::Func(self.index), message);
    }

    /// What is simulated, proved or taken apart is so large; a short text can name much more.
    fn size(&mut self) {
        let bits: u64 = (0..self.f.value_count()).map(|v| self.f.ty(Value::new(v)).total_bits() as u64).sum();
        if bits > Type::MAX_ALL_BITS {
            self.func_error(
                &LIMIT,
                format!("its values have {bits} bits, of {} that there may be", Type::MAX_ALL_BITS),
            );
        }
    }

    fn ports(&mut self) {
        let f = self.f;
        let hw = f.kind == FuncKind::HwModule;
        for ports in [&f.params, &f.results] {
            let mut names = FxHashSet::default();
            for port in ports {
                if !names.insert(&port.name) {
                    self.func_error(&PORT, format!("two ports are called %{}", port.name));
                }
            }
        }
        if hw && let Some(port) = f.results.iter().find(|r| f.params.iter().any(|p| p.name == r.name)) {
            self.func_error(&PORT, format!("%{} is both an input and an output", port.name));
        }
        let clocks = f.params.iter().filter(|p| f.ty(p.value) == Type::CLOCK).count();
        if clocks > usize::from(hw) {
            self.func_error(&CLOCK, if hw { "more than one clock" } else { "only an hw.module has a clock" });
        }
        for port in f.params.iter().chain(&f.results) {
            let ty = f.ty(port.value);
            let clock_input = ty == Type::CLOCK && f.params.contains(port);
            let carried = ty.is_packed() || (ty.elem == Elem::F32 && self.level == Level::Tensor) || clock_input;
            if !carried {
                self.func_error(
                    &PORT,
                    format!("%{} of type {ty} cannot be a port at {} level", port.name, self.level.name()),
                );
            }
        }
    }

    fn attrs(&mut self) {
        let f = self.f;
        let elements = f.params.iter().map(|p| f.ty(p.value)).find(|&t| t != Type::CLOCK).map_or(0, |t| t.len());
        for (name, attr) in &f.attrs {
            let fine = match (name.as_str(), attr) {
                ("latency", FuncAttr::Int(_)) => f.kind == FuncKind::HwModule,
                ("offset" | "step", FuncAttr::Resource(id)) => match self.module.resource(*id).map(|r| &r.data) {
                    Some(Some(Data::F32(d))) => {
                        d.len() == elements && d.iter().all(|&x| x.is_finite() && (name == "offset" || x > 0.0))
                    }
                    Some(None) => {
                        self.func_error(&RESOURCE_MISSING, format!("the data of `{name}` is missing"));
                        true
                    }
                    _ => false,
                },
                ("interval", FuncAttr::Int(n)) => (1..=control::MAX_INTERVAL).contains(n),
                ("reset_level", FuncAttr::Int(n)) => *n <= 1,
                ("valid_in" | "reset", FuncAttr::Str(s)) => {
                    f.params.iter().any(|p| p.name == *s && f.ty(p.value) == Type::BIT)
                }
                ("phase" | "late", FuncAttr::Str(s)) => f.params.iter().any(|p| p.name == *s),
                ("ready" | "valid_out", FuncAttr::Str(s)) => {
                    f.results.iter().any(|p| p.name == *s && f.ty(p.value) == Type::BIT)
                }
                ("now", FuncAttr::Str(s)) => f.results.iter().any(|p| p.name == *s),
                ("latency" | "offset" | "step" | "interval" | "reset_level", _) => false,
                (name, _) if control::INPUTS.contains(&name) || control::RESULTS.contains(&name) => false,
                _ => true,
            };
            if !fine {
                self.func_error(&FUNC_ATTR, format!("`{name}` does not fit the function"));
            }
        }
    }

    fn op(&mut self, id: OpId, op: Op<'_>) {
        let info = op.info();
        let subject = Subject::Op(self.index, id);
        if !info.levels.contains(&self.level) {
            let at: Vec<_> = info.levels.iter().map(|l| l.name()).collect();
            let text = format!(
                "{} stands at {} level, the function is at {}",
                info.mnemonic,
                at.join(" and "),
                self.level.name()
            );
            self.error(&OP_LEVEL, subject, text);
        }
        let n = op.operands.len();
        let (lo, hi) = info.operands;
        if n < lo || n > hi {
            let wanted = match (lo, hi) {
                (lo, hi) if lo == hi => format!("{lo}"),
                (lo, usize::MAX) => format!("at least {lo}"),
                (lo, hi) => format!("{lo} to {hi}"),
            };
            self.error(&OPERAND_COUNT, subject, format!("{} takes {wanted} operands, {n} given", info.mnemonic));
            return;
        }
        if let Some((code, text)) = op::check(self.module, self.f, op).err() {
            self.error(code, subject, text);
        }
    }

    fn order(&mut self) {
        let f = self.f;
        if self.level == Level::Hw {
            if let Err(id) = schedule(f, false) {
                let size = crate::view::Graph::new(f, true).cycles().iter().map(Vec::len).max().unwrap_or(1);
                let text = format!("this value depends on itself within one cycle (through {size} ops)");
                self.error(&COMBINATIONAL_CYCLE, Subject::Op(self.index, id), text);
            }
            return;
        }
        for (id, op) in f.ops() {
            let late = op.operands.iter().find(|&&v| matches!(f.def(v), Def::Result(d, _) if d >= id));
            if let Some(&v) = late {
                let text = format!("{} is used before it is made", crate::print::value_text(f, v));
                self.error(&USE_BEFORE_DEF, Subject::Op(self.index, id), text);
            }
        }
    }

    /// Registers on the way from the inputs to each value; `None` for constants.
    fn latency(&mut self) {
        let f = self.f;
        let Some(FuncAttr::Int(latency)) = f.attr("latency") else { return };
        let control = Control::of(f);
        if control.as_ref().is_some_and(|c| c.interval > 1) {
            if let Err(why) = control::data_path(f) {
                self.func_error(&UNSETTLED, why.message);
            }
            return;
        }
        let carries = |param: usize| control.as_ref().is_none_or(|c| c.is_data(f, param));
        let Ok(order) = schedule(f, true) else {
            self.func_error(&UNBALANCED, "a design with feedback has no single latency");
            return;
        };
        let mut depth: Vec<Option<u64>> = vec![None; f.value_count()];
        for (_, port) in f.params.iter().enumerate().filter(|(i, _)| carries(*i)) {
            depth[port.value.index()] = Some(0);
        }
        for id in order {
            let op = f.op(id);
            for (i, v) in op.results().enumerate() {
                let mut known = cause::operands(f, op, i).filter_map(|v| depth[v.index()]);
                let first = known.next();
                if let Some(other) = known.find(|&d| Some(d) != first) {
                    let text = format!("operands after {} and {other} registers meet here", first.unwrap_or(0));
                    self.error(&UNBALANCED, Subject::Op(self.index, id), text);
                    return;
                }
                depth[v.index()] = first.map(|d| d + u64::from(is_register(op.kind)));
            }
        }
        for port in &f.results {
            if let Some(d) = depth[port.value.index()].filter(|d| d != latency) {
                self.func_error(
                    &UNBALANCED,
                    format!("%{} comes after {d} registers, latency says {latency}", port.name),
                );
            }
        }
    }
}

/// What is wrong with an op.
type Problem = (&'static Code, String);
type Check = Result<(), Problem>;

fn all_bits(f: &Func, values: &[Value]) -> Check {
    match values.iter().position(|&v| f.ty(v) != Type::BIT) {
        Some(i) => Err((&OPERAND_TYPE, format!("operand {i} is of type {}, a bit is needed", f.ty(values[i])))),
        None => Ok(()),
    }
}

fn result_is(f: &Func, op: Op<'_>, ty: Type) -> Check {
    match op.results().find(|&v| f.ty(v) != ty) {
        Some(v) => Err((&RESULT_TYPE, format!("the result is of type {}, it must be {ty}", f.ty(v)))),
        None => Ok(()),
    }
}

fn scalar_word(f: &Func, v: Value, what: &str) -> Check {
    let ty = f.ty(v);
    match ty.elem {
        Elem::Bit | Elem::Word(_) if ty.is_scalar() => Ok(()),
        _ => Err((&OPERAND_TYPE, format!("{what} is of type {ty}, a bit or word is needed"))),
    }
}

fn is_table(table: u64, k: usize) -> Check {
    if table & !crate::table::mask(k) != 0 {
        return Err((&TABLE_BITS, format!("table {table:#x} has bits above those of {k} inputs")));
    }
    Ok(())
}

fn clocked(f: &Func, op: Op<'_>) -> Check {
    all_bits(f, &op.operands[..1])?;
    match f.clock() {
        Some(clock) if clock == op.operands[1] => Ok(()),
        _ => Err((&CLOCK, "a register needs the module's clock".into())),
    }
}

fn no_clock(f: &Func, op: Op<'_>) -> Check {
    match op.operands.iter().any(|&v| f.ty(v) == Type::CLOCK) && !is_register(op.kind) {
        true => Err((&CLOCK, "only registers read the clock".into())),
        false => Ok(()),
    }
}

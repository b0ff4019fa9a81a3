//! A pipeline's handshake, and how one step of several cycles becomes a design.
//!
//! `in_valid` goes through as many registers as there are stages, beside the data, and comes out as `out_valid`. Of an
//! `interval` of several cycles a counter counts while `in_valid` holds; in the last cycle `in_ready` says that the sample is
//! taken, and that is what goes along as `out_valid`. The counter is what the step calls `phase`.
//!
//! A reset, at the clock's edge, clears these bits and the counter. Data needs none: nobody looks at it while it is not valid.

use blc_ir::control::Control;
use blc_ir::{Diagnostic, Func, FuncAttr, LocId, OpKind, Type, Value};

use super::{Options, free_name};
use crate::codes::ITERATE;
use crate::pass::Abort;
use crate::rebuild::Rebuild;

/// The layer that its tables and registers belong to.
const LAYER: &str = "control";

const AND: u64 = 0b1000;
const AND_NOT: u64 = 0b0010;
const XOR: u64 = 0b0110;

/// A function with `now` made before anything reads what waited; `None` where nothing waits.
///
/// # Errors
/// `now` depends on what waited.
pub(super) fn hoist(f: &Func) -> Result<Option<Func>, Abort> {
    let Some([_, late, now]) = Control::of(f).and_then(|control| control.step) else { return Ok(None) };
    let mut cone = vec![false; f.value_count()];
    cone[f.results[now].value.index()] = true;
    for (_, op) in f.ops().rev() {
        if op.results().any(|v| cone[v.index()]) {
            op.operands.iter().chain(&op.results().collect::<Vec<_>>()).for_each(|v| cone[v.index()] = true);
        }
    }
    if cone[f.params[late].value.index()] {
        let text = "what is made in a cycle depends on what was made in those before";
        return Err(Box::new(Diagnostic::error(&ITERATE, text).in_op(format!("@{}", f.name))));
    }
    let mut rebuild = Rebuild::new(f);
    for first in [true, false] {
        f.ops().filter(|(_, op)| cone[op.result().index()] == first).for_each(|(id, _)| rebuild.copy(id));
    }
    Ok(Some(rebuild.finish()))
}

/// The ports of a handshake and what stands at its inputs.
pub(super) struct Handshake {
    /// The counter of a sample's cycles, as a word.
    pub phase: Option<Value>,
    /// What `out_valid` is, stages before.
    valid: Option<Value>,
    /// Whether [`Self::valid`] leaves as `in_ready`, too.
    ready: bool,
    reset: Option<(Value, bool)>,
    loc: LocId,
}

impl Handshake {
    /// Adds the inputs, and the counter.
    pub fn new(new: &mut Func, old: &Func, control: &Control, options: &Options, clock: Option<Value>) -> Self {
        let counts = control.interval > 1;
        let mut handshake = Self { phase: None, valid: None, ready: false, reset: None, loc: LocId::UNKNOWN };
        if !(options.valid || counts) {
            return handshake;
        }
        handshake.loc = new.locs.layer(LAYER);
        let input = |new: &mut Func, attr: &str, wish: &str| {
            let name = free_name(old, wish);
            new.set_attr(attr, FuncAttr::Str(name.clone()));
            new.add_param(name, Type::BIT)
        };
        handshake.valid = Some(input(new, "valid_in", "in_valid"));
        if let (Some(level), Some(_)) = (options.reset, clock) {
            handshake.reset = Some((input(new, "reset", if level { "rst" } else { "rst_n" }), level));
            new.set_attr("reset_level", FuncAttr::Int(level.into()));
        }
        if let (true, Some(step), Some(clock)) = (counts, control.step, clock) {
            let ty = old.ty(old.params[step[0]].value);
            handshake.count(new, control.interval, ty, clock);
        }
        for attr in ["phase", "late", "now"] {
            new.attrs.retain(|(name, _)| name != attr);
        }
        handshake
    }

    /// A bit, 0 while the reset holds.
    fn gated(&self, f: &mut Func, bit: Value) -> Value {
        match self.reset {
            None => bit,
            Some((reset, true)) => f.lut(AND_NOT, &[bit, reset], self.loc),
            Some((reset, false)) => f.lut(AND, &[bit, reset], self.loc),
        }
    }

    fn count(&mut self, f: &mut Func, interval: u64, ty: Type, clock: Value) {
        let Some(valid) = self.valid else { return };
        let kind = OpKind::Reg { stage: 0, init: false };
        let bits = ty.total_bits();
        let registers: Vec<_> = (0..bits).map(|_| f.push(kind, &[clock, clock], &[Type::BIT], self.loc)).collect();
        let state: Vec<Value> = registers.iter().map(|&id| f.op(id).result()).collect();
        let mut last = valid;
        for (b, &q) in state.iter().enumerate() {
            let table = if (interval - 1) >> b & 1 == 1 { AND } else { AND_NOT };
            last = f.lut(table, &[last, q], self.loc);
        }
        let mut carry = valid;
        for (&id, &q) in registers.iter().zip(&state) {
            let sum = f.lut(XOR, &[q, carry], self.loc);
            let next = f.lut(AND_NOT, &[sum, last], self.loc);
            let next = self.gated(f, next);
            f.set_operands(id, &[next, clock]);
            carry = f.lut(AND, &[carry, q], self.loc);
        }
        self.phase = Some(f.pack(&state, ty, LocId::UNKNOWN));
        (self.valid, self.ready) = (Some(last), true);
    }

    /// Adds the outputs.
    pub fn finish(&self, f: &mut Func, old: &Func, stages: u32, clock: Option<Value>) {
        let Some(mut valid) = self.valid else { return };
        let output = |f: &mut Func, attr: &str, wish: &str, value: Value| {
            let name = free_name(old, wish);
            f.set_attr(attr, FuncAttr::Str(name.clone()));
            f.add_result(name, value);
        };
        if self.ready {
            output(f, "ready", "in_ready", valid);
        }
        if let Some(clock) = clock {
            for stage in 1..=stages {
                let next = self.gated(f, valid);
                valid = f.reg(next, clock, stage, self.loc);
            }
        }
        output(f, "valid_out", "out_valid", valid);
    }
}

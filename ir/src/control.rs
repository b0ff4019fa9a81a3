//! Ports beside the data, and designs that take several cycles a sample.
//!
//! Attributes of a function say what ports are for, by name: `valid_in` and `reset` are inputs of one bit, `ready` and
//! `valid_out` outputs of one bit; `reset_level` is the level of `reset` that resets (1 where it is not given).
//!
//! With `interval = M` a sample is held at the inputs, valid, for `M` cycles, in the last of which `ready` is 1; its results
//! are there `latency` cycles after it came. At bit level such a function is one step: `phase` names the input that counts the
//! cycles of a sample from 0 to `M - 1`, `now` a result whose elements wait for later cycles of the same sample, and `late`
//! the input where they do: with `N` elements in `now`, element `(k - 1) * N + j` of `late` is element `j` of `now` as it was
//! `k` cycles before.
//!
//! [`data_path`] is the function over the data ports that a design with such attributes computes.

use crate::codes::UNSETTLED;
use crate::diag::{Diagnostic, Result};
use crate::func::{Func, FuncAttr, FuncKind, Port};
use crate::types::Type;
use crate::unroll::{Bit, Bits, Unroll};

/// Most cycles a sample.
pub const MAX_INTERVAL: u64 = 64;

/// Most ops times cycles that are followed.
const MAX_WORK: u64 = 1 << 28;

/// Attributes that name inputs, and those that name results.
pub const INPUTS: [&str; 4] = ["valid_in", "reset", "phase", "late"];
/// See [`INPUTS`].
pub const RESULTS: [&str; 3] = ["ready", "valid_out", "now"];

/// What the ports of a design are for beside its data; positions of parameters and results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Cycles a sample.
    pub interval: u64,
    /// The parameter that says that a sample is there.
    pub valid_in: Option<usize>,
    /// The parameter that resets, and the level at which it does.
    pub reset: Option<(usize, bool)>,
    /// The result that says that the sample is taken at the end of the cycle.
    pub ready: Option<usize>,
    /// The result that says that results are there.
    pub valid_out: Option<usize>,
    /// Of a step at bit level: the parameters `phase` and `late`, and the result `now`.
    pub step: Option<[usize; 3]>,
}

impl Control {
    /// What a function's attributes say; `None` where it has data ports only and takes a sample a cycle.
    pub fn of(f: &Func) -> Option<Self> {
        let named = |attr: &str, ports: &[Port]| match f.attr(attr) {
            Some(FuncAttr::Str(name)) => ports.iter().position(|p| p.name == *name),
            _ => None,
        };
        let number = |attr: &str| match f.attr(attr) {
            Some(FuncAttr::Int(n)) => Some(*n),
            _ => None,
        };
        let reset = named("reset", &f.params).map(|at| (at, number("reset_level") != Some(0)));
        let step = [named("phase", &f.params), named("late", &f.params), named("now", &f.results)];
        let control = Self {
            interval: number("interval").unwrap_or(1).clamp(1, MAX_INTERVAL),
            valid_in: named("valid_in", &f.params),
            reset,
            ready: named("ready", &f.results),
            valid_out: named("valid_out", &f.results),
            step: match step {
                [Some(phase), Some(late), Some(now)] => Some([phase, late, now]),
                _ => None,
            },
        };
        (control != Self { interval: 1, ..Self::default() }).then_some(control)
    }

    /// Whether a parameter carries data, the clock not counted.
    pub fn is_data(&self, f: &Func, param: usize) -> bool {
        let step = self.step.is_some_and(|[phase, late, _]| param == phase || param == late);
        let control = self.valid_in == Some(param) || self.reset.is_some_and(|(at, _)| at == param) || step;
        !control && f.ty(f.params[param].value) != Type::CLOCK
    }

    /// Whether a result carries data.
    pub fn is_data_result(&self, result: usize) -> bool {
        let now = self.step.is_some_and(|[.., now]| result == now);
        self.ready != Some(result) && self.valid_out != Some(result) && !now
    }
}

/// The function over the data ports of a design with control ports or of several cycles a sample, at bit level; `None` for
/// others. It has the attributes of real inputs, and no latency.
///
/// A sample is followed from the cycle in which it comes until its results are there. What registers held before it, and what
/// stands at the inputs after it, is unknown, but for registers that feed themselves: they begin as they start up. So the
/// function holds for samples in any order and at any distance.
///
/// # Errors
/// `BL0216`: a result depends on what is unknown, a register that feeds itself does not come back to where it started within
/// the interval or does not rest while nothing is valid, `ready` or `valid_out` come in other cycles than they should, a reset
/// of one cycle leaves something of what was before, or an op has no meaning bit by bit.
pub fn data_path(f: &Func) -> Result<Option<Func>> {
    let Some(control) = Control::of(f) else { return Ok(None) };
    let unsettled = |text: String| {
        let help = "samples would mix; `latency` and `interval` have to be what the registers make of them";
        Box::new(Diagnostic::error(&UNSETTLED, text).in_op(format!("@{}", f.name)).help(help))
    };
    let cycles = f.latency().saturating_add(control.interval);
    if cycles.saturating_mul(f.op_count() as u64 + 1) > MAX_WORK {
        return Err(unsettled(format!("{cycles} cycles of so large a design are too many to follow")));
    }
    let mut unroll =
        Unroll::new(f).map_err(|op| unsettled(format!("`{op}` cannot be followed from cycle to cycle")))?;
    let data: Vec<Option<Bits>> = (0..f.params.len())
        .map(|i| control.is_data(f, i).then(|| unroll.param(f.params[i].name.clone(), f.ty(f.params[i].value))))
        .collect();
    let width = |param: usize| f.ty(f.params[param].value).total_bits();
    let inputs_of = |held: bool, valid: bool, resets: bool| -> Vec<Bits> {
        let one = |i: usize| match &data[i] {
            Some(bits) if held => bits.clone(),
            _ if control.valid_in == Some(i) && (held || !valid) => Bits::from_elem(Bit::Known(valid), 1),
            _ if control.reset.is_some_and(|(at, _)| at == i) => {
                Bits::from_elem(Bit::Known(control.reset.is_some_and(|(_, level)| level == resets)), 1)
            }
            _ => Bits::from_elem(Bit::Unknown, width(i)),
        };
        (0..f.params.len()).map(one).collect()
    };
    let inputs = |held, valid| inputs_of(held, valid, false);
    let mut results = Vec::new();
    if let Some([phase, late, now]) = control.step {
        let mut past: Vec<Bits> = Vec::new();
        for cycle in 0..control.interval {
            let mut inputs = inputs(true, true);
            inputs[phase] = (0..width(phase)).map(|b| Bit::Known(b < 64 && cycle >> b & 1 == 1)).collect();
            let recent: Bits = past.iter().rev().flatten().copied().collect();
            inputs[late] = (0..width(late)).map(|b| recent.get(b).copied().unwrap_or(Bit::Unknown)).collect();
            results = unroll.cycle(&inputs);
            past.push(results[now].clone());
        }
    } else {
        let says = |results: &[Bits], port: Option<usize>, wanted: bool| {
            port.is_none_or(|port| results[port].iter().all(|bit| *bit == Bit::Known(wanted)))
        };
        let states = unroll.start();
        for _ in 0..=f.latency() {
            results = unroll.cycle(&inputs(false, false));
            if unroll.states() != states || !says(&results, control.ready, false) {
                return Err(unsettled("it does not rest while no sample is there".into()));
            }
        }
        let rests = says(&results, control.valid_out, false);
        if control.reset.is_some() {
            unroll.forget();
            // Whatever is at the inputs: what is said to be valid, too.
            unroll.cycle(&inputs_of(false, true, true));
            let mut clean = unroll.states() == states;
            for _ in 0..=f.latency() {
                results = unroll.cycle(&inputs(false, false));
                clean &= says(&results, control.ready, false) && says(&results, control.valid_out, false);
            }
            if !clean {
                return Err(unsettled("a reset leaves something of what was before".into()));
            }
        }
        unroll.start();
        for cycle in 0..=f.latency() {
            results = unroll.cycle(&inputs(cycle < control.interval, true));
            let last = cycle + 1 == control.interval;
            if last && unroll.states() != states {
                let text = format!("a register that feeds itself is another after {} cycles", control.interval);
                return Err(unsettled(text));
            }
            if cycle < control.interval && !says(&results, control.ready, last) {
                return Err(unsettled("the sample is not taken in its last cycle".into()));
            }
        }
        if !rests || !says(&results, control.valid_out, true) {
            return Err(unsettled("that results are there is said in other cycles than they are".into()));
        }
    }
    let mut new = unroll;
    for (i, port) in f.results.iter().enumerate().filter(|(i, _)| control.is_data_result(*i)) {
        if results[i].contains(&Bit::Unknown) {
            return Err(unsettled(format!("%{} depends on what came before the sample or after it", port.name)));
        }
        new.result(port.name.clone(), &results[i], f.ty(port.value));
    }
    let mut new = new.finish();
    new.kind = FuncKind::Func;
    let about = |name: &str| name == "latency" || name.starts_with("reset") || name == "interval";
    new.attrs.retain(|(name, _)| !about(name) && !INPUTS.contains(&name.as_str()) && !RESULTS.contains(&name.as_str()));
    new.tidy();
    Ok(Some(new))
}

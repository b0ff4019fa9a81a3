//! `pipeline`: the function becomes a hardware module, with registers such that every path from an input to an output
//! goes through the same number of them.
//!
//! Each lookup table is given a stage. By default that follows the model ([`layers`]): the encoder is one stage, each layer
//! is one, and in the head one ends after `head_levels` tables or a carry chain. With `stages`, `levels`, `period` or
//! `latency` the whole graph is cut where that takes the fewest registers ([`earliest`], [`retime`]). A value made in stage
//! `s` and read in stage `t` goes through `t - s` registers, shared by all that read it; results are registered at the end
//! of the last stage, inputs enter the first stage as they are unless `inputs` asks for registers there, constants need no
//! registers. `valid` and `reset` add a handshake, and one step of several cycles becomes the whole ([`control`]).

mod closure;
mod control;
mod earliest;
mod layers;
mod retime;

use blc_ir::control::Control;
use blc_ir::{Diagnostic, Func, FuncAttr, FuncKind, Level, LocId, OpId, OpKind, Type, Value};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use earliest::{Limits, Slices};

use crate::codes::{NOT_LOWERED, OUTSIDE_OP, PORT_CLASH, STAGES, TOO_LARGE};
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};
use crate::places::is_logic;
use crate::timing::{Delays as Times, Graph};
use crate::wires::{Source, Wires};

/// Most stages.
const MAX_STAGES: u32 = 10_000;
/// Most stages tried for a latency.
const MOST_WITHIN: u32 = 40;
/// Most registers.
const MAX_REGISTERS: u64 = 1 << 24;

/// See the module's words.
pub struct Pipelining {
    options: Options,
}

/// Options of [`Pipelining`]. Without delays a lookup table takes 1 and nothing else takes time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// So many stages over the whole graph, each as short as that allows; 0 for a combinational module.
    pub stages: Option<u32>,
    /// As many stages over the whole graph as keep each to so many levels of lookup tables.
    pub levels: Option<u32>,
    /// As many stages over the whole graph as keep each to so many ns, clock-to-output and setup in; with `stages`, that
    /// many, with the fewest registers that keep to it.
    pub period: Option<f64>,
    /// As many stages over the whole graph as fit into so many ns from input to output.
    pub latency: Option<f64>,
    /// Where none of these is given: most levels of the head in one stage.
    pub head_levels: u32,
    /// Whether all that a carry chain makes goes into registers, as `lower-head{registered=true}` counts on.
    pub chains: bool,
    /// A register behind each input; a stage more.
    pub inputs: bool,
    /// A register before each output, without stages too.
    pub outputs: bool,
    /// A bit beside the data that says whether it is there, in and out.
    pub valid: bool,
    /// An input that resets the handshake, while it is 1 (`true`) or 0, at the clock's edge.
    pub reset: Option<bool>,
    /// See [`Times`], as are those below.
    pub lut: f64,
    /// ns.
    pub net: f64,
    /// ns.
    pub fanout: f64,
    /// ns.
    pub carry_in: f64,
    /// ns.
    pub carry: f64,
    /// ns.
    pub carry_out: f64,
    /// ns.
    pub mux: f64,
    /// ns.
    pub clock_to_output: f64,
    /// ns.
    pub setup: f64,
}

impl Default for Options {
    fn default() -> Self {
        let Times { lut, net, fanout, carry_in, carry, carry_out, mux, clock_to_output, setup } = Times::default();
        Self {
            stages: None,
            levels: None,
            period: None,
            latency: None,
            head_levels: 3,
            chains: false,
            inputs: false,
            outputs: false,
            valid: false,
            reset: None,
            lut,
            net,
            fanout,
            carry_in,
            carry,
            carry_out,
            mux,
            clock_to_output,
            setup,
        }
    }
}

impl Options {
    fn delays(&self) -> Times {
        let Self { lut, net, fanout, carry_in, carry, carry_out, mux, clock_to_output, setup, .. } = *self;
        Times { lut, net, fanout, carry_in, carry, carry_out, mux, clock_to_output, setup }
    }
}

impl PassSpec for Pipelining {
    const NAME: &'static str = "pipeline";
    const SUMMARY: &'static str = "Make a hardware module with registers between its stages (bit to hw level)";
    const LEVEL: Level = Level::Bit;
    type Options = Options;

    fn build(options: Options) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

impl Pass for Pipelining {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        refuse(f)?;
        if let Some(hoisted) = control::hoist(f)? {
            *f = hoisted;
        }
        let mut wires = Wires::new(f);
        let mut schedule = schedule(f, &mut wires, &self.options)?;
        schedule.stages = schedule.stages.max(u32::from(self.options.outputs));
        if self.options.inputs {
            schedule.stages += 1;
            schedule.stage.iter_mut().for_each(|stage| *stage += 1);
        }
        let delays = Delays::new(f, &mut wires, &schedule);
        let registers = delays.total();
        if registers > MAX_REGISTERS {
            let text = format!("{} stages would need {registers} registers", schedule.stages);
            return Err(Box::new(Diagnostic::error(&TOO_LARGE, text).help("choose fewer stages")));
        }
        cx.fact("stages", schedule.stages.into());
        cx.fact("registers", registers);
        let new = Build::new(f, &schedule, &self.options).finish(&mut wires)?;
        *f = new;
        Ok(Changed::Yes)
    }
}

/// Refuses what is not tables and wires.
fn refuse(f: &Func) -> Result<(), Abort> {
    for (_, op) in f.ops() {
        let (text, code, help) = match op.kind {
            OpKind::Const { .. } | OpKind::Extract { .. } | OpKind::Pack {} => continue,
            kind if is_logic(kind) => continue,
            OpKind::Extern { op } => {
                let text = format!("nobody says what `{}` is in hardware", f.extern_name(op));
                (text, &OUTSIDE_OP, "lower it with a pass of your own before")
            }
            OpKind::GtConst { .. } => {
                ("a comparison is left".into(), &NOT_LOWERED, "run `lower-encoder` before `pipeline`")
            }
            _ => {
                let text = format!("{} is left", op.info().mnemonic);
                (text, &NOT_LOWERED, "run `lower-head` before `pipeline`")
            }
        };
        return Err(Box::new(Diagnostic::error(code, text).in_op(format!("@{}", f.name)).help(help)));
    }
    Ok(())
}

/// In which stage each op works.
struct Schedule {
    stages: u32,
    /// By op, from 1; only of logic.
    stage: Vec<u32>,
}

impl Schedule {
    /// The stage in which a bit is there without a register.
    fn of(&self, source: Source) -> u32 {
        match source {
            Source::Op(op, _) => self.stage[op.index()],
            Source::Const(_) | Source::Param(..) => 1,
        }
    }
}

fn schedule(f: &Func, wires: &mut Wires<'_>, options: &Options) -> Result<Schedule, Abort> {
    let wrong = |text: &str, help: &str| Err(Box::new(Diagnostic::error(&STAGES, text).help(help)));
    let Options { stages, levels, period, latency, .. } = *options;
    let given = [stages.is_some(), levels.is_some(), period.is_some(), latency.is_some()];
    let time = |t: Option<f64>| t.is_some_and(|t| !(t > 0.0 && t < 1e6));
    match (stages, levels) {
        _ if given.iter().filter(|g| **g).count() > 1 && given != [true, false, true, false] => {
            let help = "give one of them, or `stages` and `period`";
            wrong("more than one of `stages`, `levels`, `period` and `latency` is given", help)
        }
        (Some(0), _) if period.is_some() => wrong("no stages, and a period", "give at least `stages=1`"),
        (_, Some(0)) => wrong("a stage of no levels", "give at least `levels=1`"),
        _ if given == [false; 4] && options.head_levels == 0 => {
            wrong("a stage of no levels", "give at least `head_levels=1`")
        }
        (Some(n), _) if n > MAX_STAGES => wrong("so many stages", "give at most 10,000"),
        _ if time(period) || time(latency) || !options.delays().are_times() => wrong("a time that is none", "give ns"),
        _ if given == [false; 4] => Ok(layers::by_layer(f, wires, options.head_levels)),
        (Some(0), _) => Ok(Schedule { stages: 0, stage: vec![1; f.op_count()] }),
        _ => cut(f, options),
    }
}

/// Cuts the whole graph.
fn cut(f: &Func, options: &Options) -> Result<Schedule, Abort> {
    let mut graph = Graph::new(f);
    if Slices::new(&graph).is_none() {
        // A loop through what should stand together: no slice could hold it.
        graph.slice = f.op_ids().collect();
    }
    let Some(slices) = Slices::new(&graph) else {
        // Tables in a circle, which the verifier refuses.
        return Ok(Schedule { stages: 1, stage: vec![1; f.op_count()] });
    };
    let mut delays = options.delays();
    if options.levels.is_some() {
        delays = Times::default();
    }
    let limits = |period: f64| Limits { delays: &delays, period, chains: options.chains };
    let (period, stages) = match (options.stages, options.levels, options.period, options.latency) {
        (Some(n), _, Some(period), _) => (period, Some(n)),
        (Some(n), ..) => (shortest(&slices, n, limits)?, Some(n)),
        (_, Some(levels), ..) => (f64::from(levels), None),
        (_, _, Some(period), _) => (period, None),
        (.., latency) => within(&slices, latency.unwrap_or(0.0), limits)?,
    };
    let first = slices.earliest(limits(period)).map_err(|alone| too_short(period, alone))?;
    let fewest = first.iter().copied().max().unwrap_or(1);
    if let Some(n) = stages.filter(|&n| n < fewest) {
        let text = format!("{n} stages of {period:.2} ns are too few: that takes {fewest}");
        return Err(Box::new(Diagnostic::error(&STAGES, text).help("give more stages, or a slower clock")));
    }
    let stages = stages.unwrap_or(fewest);
    let stage = retime::retime(&slices, limits(period), stages, first);
    let of_op = |op: OpId| slices.of[op.index()];
    let stage = f.op_ids().map(|op| stage.get(of_op(op) as usize).copied().unwrap_or(1)).collect();
    Ok(Schedule { stages, stage })
}

fn too_short(period: f64, alone: f64) -> Abort {
    let text =
        format!("no stage takes as little as {period:.2} ns: one table or carry chain alone takes {alone:.2} ns");
    Box::new(Diagnostic::error(&STAGES, text).help("choose a slower clock, or a faster device"))
}

/// The shortest period in which so many stages do.
fn shortest<'a>(slices: &Slices<'_>, stages: u32, limits: impl Fn(f64) -> Limits<'a>) -> Result<f64, Abort> {
    let fits = |period: f64| match slices.earliest(limits(period)) {
        Ok(stage) => stage.into_iter().max().unwrap_or(1) <= stages,
        Err(_) => false,
    };
    let mut high = slices.whole(limits(f64::MAX));
    if !fits(high) {
        let text = format!("carry chains follow one another through more than {stages} stages");
        return Err(Box::new(Diagnostic::error(&STAGES, text).help("give more stages, or no `chains`")));
    }
    let mut low = 0.0;
    while high - low > 1e-3 {
        let middle = (low + high) / 2.0;
        if fits(middle) { high = middle } else { low = middle }
    }
    Ok(high)
}

/// The most stages that together take no longer than `latency`, and their period.
fn within<'a>(
    slices: &Slices<'_>,
    latency: f64,
    limits: impl Fn(f64) -> Limits<'a> + Copy,
) -> Result<(f64, Option<u32>), Abort> {
    let mut best = None;
    let mut least = f64::MAX;
    for stages in 1..=MOST_WITHIN {
        let Ok(period) = shortest(slices, stages, limits) else { continue };
        least = least.min(period * f64::from(stages));
        if period * f64::from(stages) <= latency {
            best = Some((period, Some(stages)));
        }
    }
    best.ok_or_else(|| {
        let text = format!("no pipeline takes as little as {latency:.2} ns; the shortest takes {least:.2} ns");
        Box::new(Diagnostic::error(&STAGES, text).help("allow more, or take `stages=0` for no registers"))
    })
}

/// How many registers each bit needs at most.
struct Delays(FxHashMap<Source, u32>);

impl Delays {
    fn new(f: &Func, wires: &mut Wires<'_>, schedule: &Schedule) -> Self {
        let mut delays: FxHashMap<Source, u32> = FxHashMap::default();
        let mut note = |(source, cycles): (Source, u32), stage: u32| {
            let delay = stage.saturating_sub(schedule.of(source)) + cycles;
            if delay > 0 && !matches!(source, Source::Const(_)) {
                let most = delays.entry(source).or_default();
                *most = delay.max(*most);
            }
        };
        for (id, op) in f.ops().filter(|(_, op)| is_logic(op.kind)) {
            op.operands.iter().for_each(|&v| note(wires.delayed(v, 0), schedule.stage[id.index()]));
        }
        let control = Control::of(f).unwrap_or_default();
        for (_, port) in f.results.iter().enumerate().filter(|(i, _)| control.is_data_result(*i)) {
            for bit in 0..f.ty(port.value).total_bits() {
                note(wires.delayed(port.value, bit), schedule.stages + 1);
            }
        }
        Self(delays)
    }

    fn total(&self) -> u64 {
        self.0.values().map(|&d| u64::from(d)).sum()
    }
}

struct Build<'a> {
    old: &'a Func,
    new: Func,
    schedule: &'a Schedule,
    clock: Option<Value>,
    params: Vec<Value>,
    /// A bit after so many registers.
    known: FxHashMap<(Source, u32), Value>,
    handshake: control::Handshake,
}

impl<'a> Build<'a> {
    fn new(old: &'a Func, schedule: &'a Schedule, options: &Options) -> Self {
        let mut new = old.new_like();
        new.kind = FuncKind::HwModule;
        let control = Control::of(old).unwrap_or(Control { interval: 1, ..Control::default() });
        new.set_attr("latency", FuncAttr::Int(u64::from(schedule.stages) + control.interval - 1));
        let clocked = schedule.stages > 0 || control.interval > 1;
        let clock = clocked.then(|| new.add_param(free_name(old, "clk"), Type::CLOCK));
        let data = |i: usize| control.is_data(old, i);
        let mut params: Vec<Value> = Vec::with_capacity(old.params.len());
        for (_, port) in old.params.iter().enumerate().filter(|(i, _)| data(*i)) {
            params.push(new.add_param(port.name.clone(), old.ty(port.value)));
        }
        let handshake = control::Handshake::new(&mut new, old, &control, options, clock);
        // What is no data is the counter's.
        let mut next = params.into_iter();
        let params = (0..old.params.len()).map(|i| match (data(i), handshake.phase) {
            (false, Some(phase)) => phase,
            _ => next.next().unwrap_or(Value(0)),
        });
        let params = params.collect();
        Self { old, new, schedule, clock, params, known: FxHashMap::default(), handshake }
    }

    fn finish(mut self, wires: &mut Wires<'_>) -> Result<Func, Abort> {
        let old = self.old;
        let mut operands = Vec::new();
        for (id, op) in old.ops() {
            if !is_logic(op.kind) {
                continue;
            }
            operands.clear();
            for &v in op.operands {
                operands.push(self.bit(wires.delayed(v, 0), self.schedule.stage[id.index()], op.loc));
            }
            let types: SmallVec<[Type; 8]> = op.results().map(|_| Type::BIT).collect();
            let kind = match op.kind {
                OpKind::LutWide { table } => OpKind::LutWide { table: self.new.add_table(old.table(table).into()) },
                kind => kind,
            };
            let new = self.new.push(kind, &operands, &types, op.loc);
            for (i, (old_value, value)) in op.results().zip(self.new.op(new).results()).enumerate() {
                if let Some(name) = old.name_of(old_value) {
                    self.new.set_name(value, name);
                }
                self.known.insert((Source::Op(id, i as u32), 0), value);
            }
        }
        let control = Control::of(old).unwrap_or_default();
        for (_, port) in old.results.iter().enumerate().filter(|(i, _)| control.is_data_result(*i)) {
            if old.params.iter().any(|p| p.name == port.name) {
                let text = format!("%{} is the name of an input and of an output", port.name);
                return Err(Box::new(Diagnostic::error(&PORT_CLASH, text).help("rename one of them")));
            }
            let value = self.result(port.value, wires);
            self.new.add_result(port.name.clone(), value);
        }
        self.handshake.finish(&mut self.new, old, self.schedule.stages, self.clock);
        Ok(self.new)
    }

    fn result(&mut self, old: Value, wires: &mut Wires<'_>) -> Value {
        let end = self.schedule.stages + 1;
        let ty = self.old.ty(old);
        if ty == Type::BIT {
            return self.bit(wires.delayed(old, 0), end, LocId::UNKNOWN);
        }
        let bits: Vec<(Source, u32)> = (0..ty.total_bits()).map(|bit| wires.delayed(old, bit)).collect();
        if let (1, Some(param)) = (end, self.whole_param(&bits, ty)) {
            return param;
        }
        let bits: Vec<Value> = bits.into_iter().map(|bit| self.bit(bit, end, LocId::UNKNOWN)).collect();
        self.new.pack(&bits, ty, LocId::UNKNOWN)
    }

    /// The parameter that the bits are, all and in order.
    fn whole_param(&self, bits: &[(Source, u32)], ty: Type) -> Option<Value> {
        let Some(&(Source::Param(param, 0), 0)) = bits.first() else { return None };
        let in_order = bits.iter().zip(0..).all(|(&bit, i)| bit == (Source::Param(param, i), 0));
        Some(self.params[param as usize]).filter(|&v| in_order && self.new.ty(v) == ty)
    }

    /// A bit of so many cycles before as it is in a stage; in the stage after the last, as it leaves. `loc` is for registers
    /// of inputs.
    fn bit(&mut self, (source, cycles): (Source, u32), stage: u32, loc: LocId) -> Value {
        let first = self.schedule.of(source);
        let delay = match source {
            Source::Const(_) => 0,
            _ => stage.saturating_sub(first) + cycles,
        };
        // The longest chain there is, then the registers that it lacks.
        let mut at = delay;
        let mut value = loop {
            match self.known.get(&(source, at)) {
                Some(&value) => break value,
                None if at == 0 => break self.undelayed(source),
                None => at -= 1,
            }
        };
        let loc = match source {
            Source::Op(op, _) => self.old.op(op).loc,
            _ => loc,
        };
        while at < delay {
            let Some(clock) = self.clock else { break };
            // What waits for later cycles ends no stage of its own.
            let stage = (first + at).min(self.schedule.stages);
            value = self.new.reg(value, clock, stage, loc);
            at += 1;
            self.known.insert((source, at), value);
        }
        value
    }

    fn undelayed(&mut self, source: Source) -> Value {
        let value = match source {
            Source::Const(bit) => self.new.constant(bit.into(), Type::BIT),
            Source::Param(param, bit) => {
                let param = self.params[param as usize];
                match self.new.ty(param) {
                    Type::BIT => param,
                    _ => self.new.extract(param, bit as usize, Type::BIT, LocId::UNKNOWN),
                }
            }
            // Tables are built in order, before they are read. What reads itself the verifier finds.
            Source::Op(..) => self.new.constant(0, Type::BIT),
        };
        self.known.insert((source, 0), value);
        value
    }
}

/// A name, or that with a number where a port or value has it.
pub(crate) fn free_name(f: &Func, wish: &str) -> String {
    let ports = f.params.iter().chain(&f.results).map(|p| p.name.as_str());
    let values = f.ops().filter_map(|(_, op)| f.name_of(op.result()));
    let taken: rustc_hash::FxHashSet<&str> = ports.chain(values).collect();
    let mut names = std::iter::once(wish.to_string()).chain((1..).map(|n| format!("{wish}_{n}")));
    names.find(|n| !taken.contains(n.as_str())).unwrap_or_default()
}

//! `pipeline`: the function becomes a hardware module, with registers such that every path from an input to an output
//! goes through the same number of them.
//!
//! Each lookup table is given a stage. By default that follows the model: the encoder is one stage, each layer is one,
//! and in the head one ends after `head_levels` tables or a carry chain. With `stages` or `levels` the whole graph is cut
//! by its levels. A value made in stage `s` and read in stage `t` goes through `t - s` registers, shared by all that
//! read it; results are registered at the end of the last stage, inputs enter the first stage as they are, constants need
//! no registers.

use blc_ir::loc::{ENCODER, HEAD};
use blc_ir::{Diagnostic, Func, FuncAttr, FuncKind, Level, LocId, OpId, OpKind, Type, Value};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::codes::{NOT_LOWERED, OUTSIDE_OP, PORT_CLASH, STAGES, TOO_LARGE};
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};
use crate::places::{Ends, earliest, is_logic, together};
use crate::wires::{Source, Wires};

/// Most stages.
const MAX_STAGES: u32 = 10_000;
/// Most registers.
const MAX_REGISTERS: u64 = 1 << 24;

/// See the module's words.
pub struct Pipelining {
    options: Options,
}

/// Options of [`Pipelining`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// So many stages over the whole graph, balanced by levels; 0 for a combinational module.
    pub stages: Option<u32>,
    /// As many stages over the whole graph as keep each to so many levels of lookup tables.
    pub levels: Option<u32>,
    /// Where neither is given: most levels of the head in one stage.
    pub head_levels: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { stages: None, levels: None, head_levels: 3 }
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
        let mut wires = Wires::new(f);
        let schedule = schedule(f, &mut wires, &self.options)?;
        let delays = Delays::new(f, &mut wires, &schedule);
        let registers = delays.total();
        if registers > MAX_REGISTERS {
            let text = format!("{} stages would need {registers} registers", schedule.stages);
            return Err(Box::new(Diagnostic::error(&TOO_LARGE, text).help("choose fewer stages")));
        }
        cx.fact("stages", schedule.stages.into());
        cx.fact("registers", registers);
        let new = Build::new(f, &schedule).finish(&mut wires)?;
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
            OpKind::LutWide { .. } => {
                ("a table of more than six inputs is left".into(), &NOT_LOWERED, "run `cover` before `pipeline`")
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
    match (options.stages, options.levels) {
        (Some(_), Some(_)) => wrong("both `stages` and `levels` are given", "give one of them"),
        (_, Some(0)) => wrong("a stage of no levels", "give at least `levels=1`"),
        (None, None) if options.head_levels == 0 => wrong("a stage of no levels", "give at least `head_levels=1`"),
        (Some(n), None) if n > MAX_STAGES => wrong("so many stages", "give at most 10,000"),
        (None, None) => Ok(by_layer(f, wires, options.head_levels)),
        (stages, levels) => {
            let level: Vec<u32> = earliest(f, wires, Ends::NONE, |_| true).iter().map(|p| p.level).collect();
            let depth = level.iter().copied().max().unwrap_or(0);
            let stages = match (stages, levels) {
                (Some(n), _) => n,
                (None, most) => depth.div_ceil(most.unwrap_or(1)),
            };
            let stage = level.iter().map(|&l| evenly(l, depth, stages)).collect();
            Ok(Schedule { stages, stage })
        }
    }
}

/// The stage, from 1, of level `level` of `depth` when they are spread evenly over `stages`.
fn evenly(level: u32, depth: u32, stages: u32) -> u32 {
    let before = u64::from(level.saturating_sub(1)) * u64::from(stages) / u64::from(depth.max(1));
    before as u32 + 1
}

/// Where a layer stands among the others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Of ops that belong to no layer: as early as their operands allow.
    Any,
    Encoder,
    Layer(u64),
    /// Of another name, in order of appearance.
    Named(usize),
    Head,
}

/// One stage a layer, several for the head.
fn by_layer(f: &Func, wires: &mut Wires<'_>, head_levels: u32) -> Schedule {
    let mut names: Vec<&str> = Vec::new();
    let mut rank: Vec<Rank> = vec![Rank::Any; f.op_count()];
    let tables = || f.ops().filter(|(_, op)| is_logic(op.kind));
    let first = together(f);
    let mut in_chain = vec![false; f.op_count()];
    for (id, _) in f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Xc7Carry4 {})) {
        in_chain[first[id.index()].index()] = true;
    }
    for (id, op) in tables() {
        let own = match f.locs.first_layer(op.loc) {
            _ if in_chain[first[id.index()].index()] => Rank::Head,
            None => Rank::Any,
            Some(ENCODER) => Rank::Encoder,
            Some(HEAD) => Rank::Head,
            Some(name) => match name.strip_prefix("layer").and_then(|n| n.parse().ok()) {
                Some(n) => Rank::Layer(n),
                None => Rank::Named(names.iter().position(|n| *n == name).unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                })),
            },
        };
        let before = op.operands.iter().map(|&v| match wires.source(v, 0) {
            Source::Op(op, _) => rank[op.index()],
            _ => Rank::Any,
        });
        rank[id.index()] = before.fold(own, Rank::max);
    }
    let mut groups: Vec<Rank> = tables().map(|(id, _)| rank[id.index()]).collect();
    groups.sort_unstable();
    groups.dedup();
    let ends = Ends { levels: head_levels, chains: true };
    let places = earliest(f, wires, ends, |op| rank[op.index()] == Rank::Head);
    let heads = tables().filter(|(id, _)| rank[id.index()] == Rank::Head);
    let head_stages = heads.map(|(id, _)| places[id.index()].stage + 1).max().unwrap_or(0);
    let stage = |op: OpId| {
        let group = groups.partition_point(|&g| g < rank[op.index()]) as u32;
        match rank[op.index()] {
            Rank::Head => group + 1 + places[op.index()].stage,
            _ => group + 1,
        }
    };
    let whole = groups.iter().filter(|&&g| g != Rank::Head).count() as u32;
    Schedule { stages: whole + head_stages, stage: f.op_ids().map(stage).collect() }
}

/// How many registers each bit needs at most.
struct Delays(FxHashMap<Source, u32>);

impl Delays {
    fn new(f: &Func, wires: &mut Wires<'_>, schedule: &Schedule) -> Self {
        let mut delays: FxHashMap<Source, u32> = FxHashMap::default();
        let mut note = |source: Source, stage: u32| {
            let delay = stage.saturating_sub(schedule.of(source));
            if delay > 0 && !matches!(source, Source::Const(_)) {
                let most = delays.entry(source).or_default();
                *most = delay.max(*most);
            }
        };
        for (id, op) in f.ops().filter(|(_, op)| is_logic(op.kind)) {
            op.operands.iter().for_each(|&v| note(wires.source(v, 0), schedule.stage[id.index()]));
        }
        for port in &f.results {
            for bit in 0..f.ty(port.value).total_bits() {
                note(wires.source(port.value, bit), schedule.stages + 1);
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
}

impl<'a> Build<'a> {
    fn new(old: &'a Func, schedule: &'a Schedule) -> Self {
        let mut new = old.new_like();
        new.kind = FuncKind::HwModule;
        new.set_attr("latency", FuncAttr::Int(schedule.stages.into()));
        let clock = (schedule.stages > 0).then(|| new.add_param(clock_name(old), Type::CLOCK));
        let params = old.params.iter().map(|p| new.add_param(p.name.clone(), old.ty(p.value))).collect();
        Self { old, new, schedule, clock, params, known: FxHashMap::default() }
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
                operands.push(self.bit(wires.source(v, 0), self.schedule.stage[id.index()], op.loc));
            }
            let types: SmallVec<[Type; 8]> = op.results().map(|_| Type::BIT).collect();
            let new = self.new.push(op.kind, &operands, &types, op.loc);
            for (i, (old_value, value)) in op.results().zip(self.new.op(new).results()).enumerate() {
                if let Some(name) = old.name_of(old_value) {
                    self.new.set_name(value, name);
                }
                self.known.insert((Source::Op(id, i as u32), 0), value);
            }
        }
        for port in &old.results {
            if old.params.iter().any(|p| p.name == port.name) {
                let text = format!("%{} is the name of an input and of an output", port.name);
                return Err(Box::new(Diagnostic::error(&PORT_CLASH, text).help("rename one of them")));
            }
            let value = self.result(port.value, wires);
            self.new.add_result(port.name.clone(), value);
        }
        Ok(self.new)
    }

    fn result(&mut self, old: Value, wires: &mut Wires<'_>) -> Value {
        let end = self.schedule.stages + 1;
        let ty = self.old.ty(old);
        if ty == Type::BIT {
            return self.bit(wires.source(old, 0), end, LocId::UNKNOWN);
        }
        let bits: Vec<Source> = (0..ty.total_bits()).map(|bit| wires.source(old, bit)).collect();
        if let (1, Some(param)) = (end, self.whole_param(&bits, ty)) {
            return param;
        }
        let bits: Vec<Value> = bits.into_iter().map(|bit| self.bit(bit, end, LocId::UNKNOWN)).collect();
        self.new.pack(&bits, ty, LocId::UNKNOWN)
    }

    /// The parameter that the bits are, all and in order.
    fn whole_param(&self, bits: &[Source], ty: Type) -> Option<Value> {
        let Some(&Source::Param(param, 0)) = bits.first() else { return None };
        let in_order = bits.iter().zip(0..).all(|(&bit, i)| bit == Source::Param(param, i));
        Some(self.params[param as usize]).filter(|&v| in_order && self.new.ty(v) == ty)
    }

    /// A bit as it is in a stage; in the stage after the last, as it leaves. `loc` is for registers of inputs.
    fn bit(&mut self, source: Source, stage: u32, loc: LocId) -> Value {
        let first = self.schedule.of(source);
        let delay = match source {
            Source::Const(_) => 0,
            _ => stage.saturating_sub(first),
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
            value = self.new.reg(value, clock, first + at, loc);
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

/// `clk`, or that with a number where it is taken.
fn clock_name(f: &Func) -> String {
    let ports = f.params.iter().chain(&f.results).map(|p| p.name.as_str());
    let values = f.ops().filter_map(|(_, op)| f.name_of(op.result()));
    let taken: rustc_hash::FxHashSet<&str> = ports.chain(values).collect();
    let mut names = std::iter::once("clk".to_string()).chain((1..).map(|n| format!("clk_{n}")));
    names.find(|n| !taken.contains(n.as_str())).unwrap_or_default()
}

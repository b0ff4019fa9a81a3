//! `iterate`: the sums of a head share adders, a few sums a cycle, so that a sample takes `interval` cycles.
//!
//! Of `C` sums `L = C / interval` (rounded up) are made at a time: multiplexers choose the bits of sums `t * L` up to `t * L +
//! L - 1` in cycle `t` of a sample. A sum waits until the last cycle, where all are there together, and what is made of them
//! stays as it was. The function becomes one step of the design, see [`blc_ir::control`]; nothing feeds back, so that
//! `pipeline` places registers as ever, and makes the waiting ones.

use blc_ir::loc::HEAD;
use blc_ir::types::bits_for;
use blc_ir::{Diagnostic, Elem, Func, FuncAttr, Level, LocId, OpId, OpKind, Type, Value};
use serde::{Deserialize, Serialize};

use crate::codes::ITERATE;
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};
use crate::rebuild::{Bits, Rebuild};
use crate::registers::free_name;

/// See the module's words.
pub struct Iterate {
    options: Options,
}

/// Options of [`Iterate`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Cycles a sample.
    pub interval: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { interval: 2 }
    }
}

impl PassSpec for Iterate {
    const NAME: &'static str = "iterate";
    const SUMMARY: &'static str = "Let the sums of a head share adders, a sample in several cycles";
    const LEVEL: Level = Level::Bit;
    type Options = Options;

    fn build(options: Options) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

impl Pass for Iterate {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let refused = |text: String| {
            let help = "give a model with a head of several sums, and from 2 cycles up to one a sum";
            Err(Box::new(Diagnostic::error(&ITERATE, text).in_op(format!("@{}", f.name)).help(help)))
        };
        let sums = sums(f);
        let interval = self.options.interval;
        if f.attr("interval").is_some() {
            return refused("it takes several cycles a sample already".into());
        }
        let most = (sums.len() as u64).min(blc_ir::control::MAX_INTERVAL);
        if !(2..=most).contains(&interval) {
            return refused(format!("{} sums of bits cannot share adders over {interval} cycles", sums.len()));
        }
        cx.fact("sums", sums.len() as u64);
        *f = share(f, &sums, interval as usize);
        cx.fact("interval", interval);
        Ok(Changed::Yes)
    }
}

/// The sums of bits that depend on no other sum.
fn sums(f: &Func) -> Vec<OpId> {
    let mut late = vec![false; f.value_count()];
    let mut sums = Vec::new();
    for (id, op) in f.ops() {
        let depends = op.operands.iter().any(|v| late[v.index()]);
        let sum = matches!(op.kind, OpKind::Sum {}) && op.operands.iter().all(|&v| f.ty(v) == Type::BIT);
        if sum && !depends {
            sums.push(id);
        }
        op.results().for_each(|v| late[v.index()] = sum || depends);
    }
    sums
}

fn share(old: &Func, sums: &[OpId], interval: usize) -> Func {
    let lanes = sums.len().div_ceil(interval);
    let width = sums.iter().map(|&id| old.ty(old.op(id).result()).elem_bits()).max().unwrap_or(1);
    let words = |n: usize| Type::array(Elem::Word(width as u8), &[n]).unwrap_or(Type::BIT);
    let mut rebuild = Rebuild::new(old);
    let [phase_name, late_name, now_name] = ["phase", "late", "now"].map(|name| free_name(old, name));
    let phase = rebuild.new.add_param(phase_name.clone(), Type::word(bits_for(interval as u64 - 1)));
    let late = rebuild.new.add_param(late_name.clone(), words((interval - 1) * lanes));
    let mut after = vec![false; old.value_count()];
    sums.iter().for_each(|&id| after[old.op(id).result().index()] = true);
    for (id, op) in old.ops().filter(|(id, _)| !sums.contains(id)) {
        let depends = op.operands.iter().any(|v| after[v.index()]);
        op.results().for_each(|v| after[v.index()] = depends);
        if !depends {
            rebuild.copy(id);
        }
    }
    let loc = rebuild.new.locs.layer(HEAD);
    let phase: Vec<Value> = Bits::default().all(&mut rebuild.new, phase);
    let mut zero = None;
    let now: Vec<Value> = (0..lanes)
        .map(|lane| {
            let turns: Vec<&[Value]> = sums.iter().skip(lane).step_by(lanes).map(|&id| old.op(id).operands).collect();
            let most = turns.iter().map(|bits| bits.len()).max().unwrap_or(0);
            let bits: Vec<Value> = (0..most)
                .map(|i| {
                    let choices = turns.iter().map(|bits| match bits.get(i) {
                        Some(&bit) => rebuild.get(bit),
                        None => *zero.get_or_insert_with(|| rebuild.new.constant(0, Type::BIT)),
                    });
                    let choices = choices.collect();
                    choose(&mut rebuild.new, choices, &phase, loc)
                })
                .collect();
            rebuild.new.sum(&bits, width as u8, loc)
        })
        .collect();
    for (i, &id) in sums.iter().enumerate() {
        let result = old.op(id).result();
        let (turn, lane) = (i / lanes, i % lanes);
        let ty = old.ty(result);
        let value = match interval - 1 - turn {
            0 if ty.elem_bits() == width => now[lane],
            0 => rebuild.new.extract(now[lane], 0, ty, loc),
            ago => rebuild.new.extract(late, ((ago - 1) * lanes + lane) * width, ty, loc),
        };
        rebuild.set(result, value);
    }
    for (id, _) in old.ops().filter(|(id, op)| !sums.contains(id) && op.results().any(|v| after[v.index()])) {
        rebuild.copy(id);
    }
    let mut new = rebuild.finish();
    let now = new.pack(&now, words(lanes), loc);
    new.add_result(now_name.clone(), now);
    new.set_attr("interval", FuncAttr::Int(interval as u64));
    for (attr, name) in [("phase", phase_name), ("late", late_name), ("now", now_name)] {
        new.set_attr(attr, FuncAttr::Str(name));
    }
    new
}

/// The choice of a number, as far as there are so many.
fn choose(f: &mut Func, mut choices: Vec<Value>, number: &[Value], loc: LocId) -> Value {
    for &bit in number {
        let pairs = choices.chunks(2).map(|pair| match *pair {
            [a, b] if a != b => f.lut(0xca, &[a, b, bit], loc),
            _ => pair[0],
        });
        choices = pairs.collect();
    }
    choices[0]
}

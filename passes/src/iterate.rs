//! `iterate`: the sums of a head share adders, or the comparisons of an encoder comparators, a few a cycle, so that a sample
//! takes `interval` cycles.
//!
//! What shares is a *lane*, which has a turn in each cycle of a sample. Of `C` sums `L = C / interval` (rounded up) are lanes:
//! multiplexers choose the bits of sums `t * L` up to `t * L + L - 1` in cycle `t`. Of the comparisons of a word with `C`
//! constants as many are: the word is compared with a constant that the cycle chooses, which tables take in with the bits
//! compared; so nothing but the cycle is multiplexed, and words never share.
//!
//! What a turn makes waits until the last cycle, where all is there together, and what is made of it stays as it was. The
//! function becomes one step of the design, see [`blc_ir::control`]; nothing feeds back, so that `pipeline` places registers
//! as ever, and makes the waiting ones.

use blc_ir::loc::HEAD;
use blc_ir::types::bits_for;
use blc_ir::{Diagnostic, Elem, Func, FuncAttr, Level, LocId, Op, OpId, OpKind, Type, Value};
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
    /// Whether the encoder's comparisons share, instead of the head's sums.
    pub encoder: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { interval: 2, encoder: false }
    }
}

impl PassSpec for Iterate {
    const NAME: &'static str = "iterate";
    const SUMMARY: &'static str = "Let sums share adders, or comparisons comparators, a sample in several cycles";
    const LEVEL: Level = Level::Bit;
    type Options = Options;

    fn build(options: Options) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

impl Pass for Iterate {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let Options { interval, encoder } = self.options;
        let refused = |text: String| {
            let help = match encoder {
                false => "give a model with a head of several sums, and from 2 cycles up to one a sum",
                true => "give a model with several thresholds a feature, and from 2 cycles up to one a threshold",
            };
            Err(Box::new(Diagnostic::error(&ITERATE, text).in_op(format!("@{}", f.name)).help(help)))
        };
        if f.attr("interval").is_some() {
            return refused("it takes several cycles a sample already".into());
        }
        let (what, shared) =
            if encoder { ("comparisons of a word", comparisons(f)) } else { ("sums of bits", vec![sums(f)]) };
        let number = shared.iter().map(Vec::len).max().unwrap_or(0) as u64;
        if !(2..=number.min(blc_ir::control::MAX_INTERVAL)).contains(&interval) {
            return refused(format!("{number} {what} cannot share over {interval} cycles"));
        }
        cx.fact(if encoder { "comparisons" } else { "sums" }, shared.iter().map(Vec::len).sum::<usize>() as u64);
        let lanes: Vec<Lane> = shared.iter().flat_map(|ops| lanes(ops, interval as usize, encoder)).collect();
        cx.fact("lanes", lanes.len() as u64);
        *f = share(f, &lanes, interval as usize);
        cx.fact("interval", interval);
        Ok(Changed::Yes)
    }
}

/// What shares: an op or none for each cycle of a sample.
type Lane = Vec<Option<OpId>>;

/// Ops by lane. Where there are fewer than turns, the last ones are taken, after which nothing waits long; sums take turns
/// by number, comparisons of a word stay together.
fn lanes(ops: &[OpId], interval: usize, together: bool) -> Vec<Lane> {
    if together {
        let lane = |ops: &[OpId]| (ops.len()..interval).map(|_| None).chain(ops.iter().copied().map(Some)).collect();
        return ops.chunks(interval).map(lane).collect();
    }
    let lanes = ops.len().div_ceil(interval);
    (0..lanes).map(|lane| (0..interval).map(|turn| ops.get(turn * lanes + lane).copied()).collect()).collect()
}

/// Comparisons with constants, by word, those with rising constants one after the other.
fn comparisons(f: &Func) -> Vec<Vec<OpId>> {
    let mut by_word: Vec<(Value, u64, OpId)> = Vec::new();
    for (id, op) in f.ops() {
        if let OpKind::GtConst { bound } = op.kind {
            by_word.push((op.operands[0], bound, id));
        }
    }
    by_word.sort_unstable();
    by_word.chunk_by(|a, b| a.0 == b.0).map(|ops| ops.iter().map(|&(.., id)| id).collect()).collect()
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

fn share(old: &Func, lanes: &[Lane], interval: usize) -> Func {
    let shared = || lanes.iter().flatten().flatten().copied();
    let bits = |id: OpId| old.ty(old.op(id).result()).total_bits();
    let width = shared().map(bits).max().unwrap_or(1);
    let words = |n: usize| match width {
        1 => Type::bits(n),
        _ => Type::array(Elem::Word(width as u8), &[n]).unwrap_or(Type::BIT),
    };
    let mut rebuild = Rebuild::new(old);
    let [phase_name, late_name, now_name] = ["phase", "late", "now"].map(|name| free_name(old, name));
    let phase = rebuild.new.add_param(phase_name.clone(), Type::word(bits_for(interval as u64 - 1)));
    let late = rebuild.new.add_param(late_name.clone(), words((interval - 1) * lanes.len()));
    // The shared ops, and what depends on them.
    let mut takes_turns = vec![false; old.op_count()];
    let mut after = vec![false; old.value_count()];
    for id in shared() {
        takes_turns[id.index()] = true;
        after[old.op(id).result().index()] = true;
    }
    for (id, op) in old.ops().filter(|(id, _)| !takes_turns[id.index()]) {
        let depends = op.operands.iter().any(|v| after[v.index()]);
        op.results().for_each(|v| after[v.index()] = depends);
        if !depends {
            rebuild.copy(id);
        }
    }
    let phase: Vec<Value> = Bits::default().all(&mut rebuild.new, phase);
    let now: Vec<Value> = lanes.iter().map(|lane| turn(&mut rebuild, lane, &phase, width)).collect();
    for (i, lane) in lanes.iter().enumerate() {
        for (t, &id) in lane.iter().enumerate().filter_map(|(t, id)| Some((t, id.as_ref()?))) {
            let result = old.op(id).result();
            let (ty, loc) = (old.ty(result), old.op(id).loc);
            let value = match interval - 1 - t {
                0 if ty.total_bits() == width => now[i],
                0 => rebuild.new.extract(now[i], 0, ty, loc),
                ago => rebuild.new.extract(late, ((ago - 1) * lanes.len() + i) * width, ty, loc),
            };
            rebuild.set(result, value);
        }
    }
    for (id, _) in old.ops().filter(|(id, op)| !takes_turns[id.index()] && op.results().any(|v| after[v.index()])) {
        rebuild.copy(id);
    }
    let mut new = rebuild.finish();
    let now = new.pack(&now, words(lanes.len()), LocId::UNKNOWN);
    new.add_result(now_name.clone(), now);
    new.set_attr("interval", FuncAttr::Int(interval as u64));
    for (attr, name) in [("phase", phase_name), ("late", late_name), ("now", now_name)] {
        new.set_attr(attr, FuncAttr::Str(name));
    }
    new
}

/// What a lane makes in the cycle that `phase` counts.
fn turn(rebuild: &mut Rebuild<'_>, lane: &Lane, phase: &[Value], width: usize) -> Value {
    let old = rebuild.old;
    let last = lane.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    let ops: Vec<Option<Op<'_>>> = lane[..last].iter().map(|id| id.map(|id| old.op(id))).collect();
    let first = ops.iter().flatten().next().map(|op| (op.kind, op.operands[0], op.loc));
    if let Some((OpKind::GtConst { bound: any }, word, loc)) = first {
        let word = rebuild.get(word);
        let f = &mut rebuild.new;
        let bound = |turn: usize| match ops.get(turn).copied().flatten().map(|op| op.kind) {
            Some(OpKind::GtConst { bound }) => bound,
            _ => any,
        };
        let bits = f.ty(word).total_bits();
        // A bit of the constant, by the cycle.
        let bit = |b: usize| (0..1usize << phase.len()).fold(0, |table, t| table | (bound(t) >> b.min(63) & 1) << t);
        let bounds: Vec<Value> = (0..bits).map(|b| f.lut(bit(b), phase, loc)).collect();
        let bound = f.pack(&bounds, f.ty(word), loc);
        return f.push1(OpKind::Gt {}, &[word, bound], Type::BIT, loc);
    }
    let loc = rebuild.new.locs.layer(HEAD);
    let most = ops.iter().flatten().map(|op| op.operands.len()).max().unwrap_or(0);
    let mut zero = None;
    let bits: Vec<Value> = (0..most)
        .map(|i| {
            let choices = ops.iter().map(|op| match op.and_then(|op| op.operands.get(i)) {
                Some(&bit) => rebuild.get(bit),
                None => *zero.get_or_insert_with(|| rebuild.new.constant(0, Type::BIT)),
            });
            let choices = choices.collect();
            choose(&mut rebuild.new, choices, phase, loc)
        })
        .collect();
    rebuild.new.sum(&bits, width as u8, loc)
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

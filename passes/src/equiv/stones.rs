//! Stepping stones: a design with sums of many bits, lowered once more on the way to what it is compared with.
//!
//! Between "the sum of 200 bits" and a cover of some compressor tree lies no signal that both have. The tree before it was
//! covered has signals of both: its sums are proved by algebra, its tables by sweeping. So the default pipeline, up to
//! its cover, is run on the design and the result added to the graph. Nothing is believed of it: it only has nodes that
//! something may be proved equal to. A mistake of the passes makes it a useless stone, never a wrong verdict.

use blc_ir::diag::Result;
use blc_ir::eval::affine;
use blc_ir::{Func, Module, Op, OpKind, Type, Value};
use rustc_hash::FxHashSet;

use super::blast::{self, Blasted};
use super::graph::{Graph, Lit};
use super::patterns::{self, Patterns};
use super::ports::{Ports, Side};
use crate::default::{self, Goals, Head, Registers};
use crate::{PassManager, Pipeline, Registry, Ripple, Target};

/// Blocks of patterns by which a stone is chosen.
const BLOCKS: usize = 4;

/// A comparison for which a stone is wanted.
pub struct Crossing<'a> {
    /// What is lowered.
    pub from: Side<'a>,
    /// What it is compared with.
    pub to: Side<'a>,
    /// Their ports.
    pub ports: &'a Ports,
    /// Inputs in all.
    pub inputs: usize,
    /// Most gates.
    pub gates: usize,
}

impl Crossing<'_> {
    /// The first design lowered to tables, its head as that of the second; `None` where it has no sums, or the lowering
    /// does not work out.
    pub fn stone(&self) -> Option<(Module, Func)> {
        let words = |kind| {
            matches!(kind, OpKind::GroupSum { .. } | OpKind::Sum {} | OpKind::Argmax { .. } | OpKind::WordArgmax { .. })
        };
        if !self.from.f.ops().any(|(_, op)| words(op.kind)) {
            return None;
        }
        let all = heads_of(self.to.f).into_iter();
        let end = |goals: &Goals| if goals.target.is_xilinx() { ",cover" } else { ",fold,cover" };
        // As they are, and with words rewritten.
        let all = all.flat_map(|goals| [0, 2].map(|effort| Goals { effort, ..goals.clone() }));
        let mut all: Vec<_> = all.filter_map(|goals| self.lowered(&goals, end(&goals))).collect();
        if all.len() < 2 {
            return all.pop();
        }
        all.into_iter().min_by_key(|(module, f)| self.foreign(Side { module, f }).unwrap_or(usize::MAX))
    }

    /// By the default pipeline up to a step; `None` where more work brings nothing until there.
    fn lowered(&self, goals: &Goals, end: &str) -> Option<(Module, Func)> {
        let Self { from, ports, .. } = *self;
        let text = default::pipeline(from.f.level(), goals);
        if goals.effort > 0 && !text.contains("words") {
            return None;
        }
        let width = ports.params.first().map_or(1, |s| s.width).clamp(1, 16);
        let text = text.split(end).next()?.replace("quantize", &format!("quantize{{bits={width}}}"));
        let pipeline = Pipeline::parse(&text, "", &Registry::standard()).ok()?;
        let mut module = Module { funcs: vec![from.f.clone()], ..from.module.clone() };
        let report = PassManager::default().run(&mut module, &pipeline, &mut ()).ok()?;
        let rewritten = report.passes.iter().any(|p| p.changed && p.pass.starts_with("words"));
        if goals.effort > 0 && !rewritten {
            return None;
        }
        let f = module.funcs.pop()?;
        let bits = |f: &Func| -> Vec<usize> {
            f.params.iter().map(|p| f.ty(p.value)).filter(|&ty| ty != Type::CLOCK).map(|ty| ty.total_bits()).collect()
        };
        let fits = bits(&f).iter().sum::<usize>() == ports.params.iter().map(super::Shape::bits).sum::<usize>();
        (fits && ports.real.is_code(affine(&module, &f))).then_some((module, f))
    }

    /// How many functions there are in the second design and not in a stone, as far as a few patterns tell.
    fn foreign(&self, stone: Side<'_>) -> Result<usize> {
        let mut g = Graph::new(self.gates);
        let inputs: Vec<Lit> = (0..self.inputs).map(|_| g.input()).collect();
        self.first(&mut g, stone, &inputs)?;
        let shared = g.len();
        self.second(&mut g, &inputs)?;
        let mut values = Patterns::default();
        values.add(&g, patterns::random(&self.ports.words, self.inputs, BLOCKS, 1));
        let function = |n: usize| -> [u64; BLOCKS] {
            let flip = (values.word(0, Lit::new(n)) & 1).wrapping_neg();
            std::array::from_fn(|block| values.word(block, Lit::new(n)) ^ flip)
        };
        let known: FxHashSet<_> = (0..shared).map(function).collect();
        let wanted: FxHashSet<_> = (shared..g.len()).map(function).collect();
        Ok(wanted.difference(&known).count())
    }

    /// The gates of a design with the ports of the first.
    pub fn first(&self, g: &mut Graph, side: Side<'_>, inputs: &[Lit]) -> Result<Blasted> {
        blast::blast(g, side.module, side.f, &super::deal(inputs, &self.ports.params), &self.ports.real)
    }

    /// The gates of the second design.
    pub fn second(&self, g: &mut Graph, inputs: &[Lit]) -> Result<Blasted> {
        let inputs: Vec<Lit> = self.ports.others.1.iter().map(|&i| inputs[i]).collect();
        blast::blast(g, self.to.module, self.to.f, &super::deal(&inputs, &self.ports.others.0), &self.ports.real)
    }
}

/// For what the head of a design may have been built: with carry chains or without, whose, and with registers behind them
/// where sum and carry of one position both leave a chain.
fn heads_of(f: &Func) -> Vec<Goals> {
    let plain = Goals::new(Target::Lut(6), Registers::Stages(0));
    let small = |ripple| Goals { ripple, ..plain.clone() };
    let rippled = [Ripple::Tables, Ripple::Pairs, Ripple::Products].map(|kind| small(Some(kind)));
    let chains = || f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Xc7Carry4 {}));
    if chains().next().is_none() {
        let large = |op: Op<'_>| matches!(op.kind, OpKind::Lut { .. }) && op.operands.len() > 4;
        let others = [small(None), Goals { head: Head::Fast, ..plain.clone() }];
        // Chains that were read from a netlist are small tables.
        let rippled = rippled.into_iter().filter(|_| !f.ops().any(|(_, op)| large(op)));
        return others.into_iter().chain(rippled).collect();
    }
    let mut leaves = vec![false; f.value_count()];
    for (_, op) in f.ops() {
        // What goes on into the next link of a chain does not leave it.
        let operands = if matches!(op.kind, OpKind::Xc7Carry4 {}) { &op.operands[..8] } else { op.operands };
        operands.iter().for_each(|v| leaves[v.index()] = true);
    }
    let both = |op: Op<'_>| {
        let results: Vec<bool> = op.results().map(|v| leaves[v.index()]).collect();
        (0..4).any(|i| results[i] && results[4 + i])
    };
    let registered = chains().any(|(_, op)| both(op));
    let xilinx = Goals::new(Target::Xc7, if registered { Registers::PerLayer } else { Registers::Stages(0) });
    // Tables of more inputs than those of other devices.
    let wide = |s: &Value| {
        let read = |v: &&Value| f.as_const(**v).is_none();
        f.def_op(*s).is_some_and(|def| f.op(def).operands.iter().filter(read).count() > 4)
    };
    match registered || chains().any(|(_, op)| op.operands[..4].iter().any(wide)) {
        true => vec![xilinx],
        false => rippled.into_iter().chain([xilinx]).collect(),
    }
}

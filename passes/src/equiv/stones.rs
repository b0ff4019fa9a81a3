//! Stepping stones: a design with sums of many bits, lowered once more on the way to what it is compared with.
//!
//! Between "the sum of 200 bits" and a cover of some compressor tree lies no signal that both have. The tree before it was
//! covered has signals of both: its sums are proved by algebra, its tables by sweeping. So the default pipeline, up to
//! its cover, is run on the design and the result added to the graph. Nothing is believed of it: it only has nodes that
//! something may be proved equal to. A mistake of the passes makes it a useless stone, never a wrong verdict.

use blc_ir::eval::affine;
use blc_ir::{Func, Module, Op, OpKind, Type};

use super::ports::{Ports, Side};
use crate::default::{self, Goals, Registers};
use crate::{PassManager, Pipeline, Registry, Target};

/// The design lowered to tables, its head as that of `like`; `None` where it has no sums, or the lowering does not work out.
pub fn lowered(side: Side<'_>, ports: &Ports, width: usize, like: &Func) -> Option<(Module, Func)> {
    let words = |kind| {
        matches!(kind, OpKind::GroupSum { .. } | OpKind::Sum {} | OpKind::Argmax { .. } | OpKind::WordArgmax { .. })
    };
    if !side.f.ops().any(|(_, op)| words(op.kind)) {
        return None;
    }
    let text = default::pipeline(side.f.level(), &Goals { effort: 0, ..head_of(like) });
    let text = text.split(",cover").next()?.replace("quantize", &format!("quantize{{bits={}}}", width.clamp(1, 16)));
    let pipeline = Pipeline::parse(&text, "", &Registry::standard()).ok()?;
    let mut module = Module { funcs: vec![side.f.clone()], ..side.module.clone() };
    PassManager::default().run(&mut module, &pipeline, &mut ()).ok()?;
    let f = module.funcs.pop()?;
    let bits = |f: &Func| -> Vec<usize> {
        f.params.iter().map(|p| f.ty(p.value)).filter(|&ty| ty != Type::CLOCK).map(|ty| ty.total_bits()).collect()
    };
    let fits = bits(&f).iter().sum::<usize>() == ports.params.iter().map(super::Shape::bits).sum::<usize>();
    (fits && ports.real.is_code(affine(&module, &f))).then_some((module, f))
}

/// For what the head of a design seems to have been built: with carry chains or without, and with registers behind them
/// where sum and carry of one position both leave a chain.
fn head_of(f: &Func) -> Goals {
    let chains = || f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Xc7Carry4 {}));
    if chains().next().is_none() {
        return Goals::new(Target::Lut(6), Registers::Stages(0));
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
    Goals::new(Target::Xc7, if registered { Registers::PerLayer } else { Registers::Stages(0) })
}

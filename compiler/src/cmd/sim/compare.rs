//! Two designs on the same batch: the first sample that differs, and the neurons that do, layer by layer.

use std::collections::BTreeMap;

use blc_backends::sim::{Outputs, Simulator};
use blc_ir::diag::Diagnostic;
use blc_ir::eval::{Evaluator, Val};
use blc_ir::loc::Loc;
use blc_ir::{Elem, Func, Type, Value};

use super::Design;
use super::batch::windows;
use crate::args::Sim;
use crate::batch::{self, Batch, Rows};
use crate::codes;
use crate::ui::{Failure, Outcome, Ui};

/// Most neurons of a layer that are named.
const NAMED: usize = 8;

/// Compares what two designs answer.
pub(super) fn run(args: &Sim, design: &Design, other: &Design, ui: &Ui) -> Outcome {
    let (f, g) = (design.top()?, other.top()?);
    let batch = Batch::open(super::input(args), &design.module, f, args.packed)?;
    Batch::open(super::input(args), &other.module, g, args.packed)?;
    let [a, b] = [(design, f), (other, g)].map(|(d, f)| Simulator::new(&d.module, f, args.engine));
    let (a, b) = (a?, b?);
    let ports = |s: &Simulator<'_>| -> Vec<_> {
        s.outputs().ports().iter().map(|p| (p.name.clone(), p.columns.len(), p.width)).collect()
    };
    if ports(&a) != ports(&b) {
        let message = format!("{} and {} have different outputs", design.name, other.name);
        return Err(Diagnostic::error(&codes::COMPARE, message).help("compare designs of the same model").into());
    }
    for rows in windows(batch.samples(), batch.window()) {
        let first = rows.start;
        let samples = batch.rows(rows);
        let run = |s: &Simulator<'_>| s.run(&samples.input()).map_err(|d| Box::new(batch::of_file(*d, batch.path())));
        let (x, y) = (run(&a)?, run(&b)?);
        if let Some((sample, _)) = x.first_difference(&y) {
            let at = first + sample;
            let row = batch.pick(std::iter::once(at));
            let text = format!("sample {at}: {} and {} differ", design.name, other.name);
            let mut d = Diagnostic::error(&codes::DIFFERENT, text);
            for line in layers(design, other, &row)?.into_iter().chain(outputs(&x, &y, sample)) {
                d = d.note(line);
            }
            return Err(Failure::NotEqual(vec![d.help("look at it alone: `blc sim DESIGN --trace NET,…`")]));
        }
    }
    ui.data(format!("{} samples: {} and {} give the same\n", batch.samples(), design.name, other.name))
}

/// The outputs that differ in a sample.
fn outputs(x: &Outputs, y: &Outputs, sample: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for port in x.layout().ports() {
        let of = |o: &Outputs| -> Vec<u64> { port.columns.clone().map(|c| o.get(sample, c)).collect() };
        if of(x) != of(y) {
            lines.push(format!("output %{}: {:?} and {:?}", port.name, of(x), of(y)));
        }
    }
    lines
}

/// The bits of neurons that one value of a design stands for, by layer.
type Neurons = BTreeMap<(usize, String), BTreeMap<u32, bool>>;

/// A line for each layer, in order, of whose neurons both designs have some.
fn layers(design: &Design, other: &Design, row: &Rows<'_>) -> Outcome<Vec<String>> {
    let (a, b) = (neurons(design, row)?, neurons(other, row)?);
    let mut lines = Vec::new();
    for ((_, layer), bits) in &a {
        let Some((_, others)) = b.iter().find(|((_, name), _)| name == layer) else { continue };
        let both: Vec<(u32, bool)> = bits.iter().filter_map(|(n, bit)| Some((*n, others.get(n)? == bit))).collect();
        let different: Vec<String> = both.iter().filter(|(_, same)| !same).map(|(n, _)| n.to_string()).collect();
        let named = different[..different.len().min(NAMED)].join(", ");
        let more = if different.len() > NAMED { ", …" } else { "" };
        lines.push(match different.len() {
            0 => format!("{layer}: the {} neurons that both have are equal", both.len()),
            n => format!("{layer}: {n} of {} neurons differ: {named}{more}", both.len()),
        });
    }
    Ok(lines)
}

/// What each neuron is in a sample. A neuron of which several values remain, or which another one has taken in, is left out.
fn neurons(design: &Design, row: &Rows<'_>) -> Outcome<Neurons> {
    let f = design.top()?;
    let mut evaluator = Evaluator::new(&design.module, f)?;
    evaluator.run(&row.vals(&params(f)))?;
    let mut found: BTreeMap<(usize, String), BTreeMap<u32, Option<bool>>> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for (id, op) in f.ops() {
        let Some(&origin) = f.locs.origins(op.loc).first() else { continue };
        let Loc::Neuron(layer, n) = *f.locs.get(origin) else { continue };
        let v: Value = f.op(id).result();
        if f.ty(v) != Type::BIT || blc_ir::order::is_register(op.kind) {
            continue;
        }
        let layer = f.locs.name(layer).to_owned();
        let place = order.iter().position(|l| *l == layer).unwrap_or_else(|| {
            order.push(layer.clone());
            order.len() - 1
        });
        let bit = evaluator.value(v) == Val::bit(true);
        let known = found.entry((place, layer)).or_default();
        known.entry(n).and_modify(|b| *b = None).or_insert(Some(bit));
    }
    let certain = |bits: BTreeMap<u32, Option<bool>>| bits.into_iter().filter_map(|(n, b)| Some((n, b?))).collect();
    Ok(found.into_iter().map(|(layer, bits)| (layer, certain(bits))).collect())
}

/// Types of the inputs, without the clock.
pub(super) fn params(f: &Func) -> Vec<(usize, Elem)> {
    let types = f.params.iter().map(|p| f.ty(p.value)).filter(|&ty| ty != Type::CLOCK);
    types.map(|ty| (ty.len(), ty.elem)).collect()
}

//! Pruning as the last stage of training: a model goes in, and comes out with the same layers and fewer inputs that its tables
//! heed.
//!
//! The pass `prune` works on the model's lookup tables as functions of the encoder's bits, which samples give. What it leaves is
//! put back table by table: a table that reads less becomes one of the same size that does not heed the rest, so that every
//! tool for models goes on working, and compiling takes out again what nothing reads.

use std::collections::HashMap;
use std::sync::Arc;

use blc_frontend::data::{Dataset, Features, Holdout, Split};
use blc_frontend::lower;
use blc_frontend::model::{Dtype, Layer, Model, TensorNames};
use blc_frontend::train::{Accuracy, Config, encoded, predict};
use blc_ir::diag::Result;
use blc_ir::{Def, Diagnostic, Func, OpKind, Value};
use blc_passes::approx::{Data, Inputs, Samples};
use blc_passes::{Control, Registry, RunReport};
use serde::Serialize;

use crate::args::Debug;
use crate::pipeline::Run;
use crate::ui::{Failure, Outcome, Ui};

/// Most bits of all samples together, each in a byte: of more training samples evenly spaced ones are taken.
const MAX_BITS: usize = 1 << 29;

/// What pruning did.
#[derive(Clone, Debug, Serialize)]
pub struct Pruned {
    /// Points of validation accuracy that were to give.
    pub budget: f64,
    /// Inputs that no table heeds any more.
    pub inputs_dropped: u64,
    /// Accuracy on the samples that chose, before.
    pub validation_before: Accuracy,
    /// And after.
    pub validation: Accuracy,
    /// Accuracy on the test samples after, where they were read.
    pub test: Option<Accuracy>,
}

/// Prunes a trained model; what chooses are the samples that training held out.
///
/// # Errors
/// `BL2110` where the model has tables of more than six inputs or does not end in group sums and argmax, `BL2112`.
pub fn prune(
    model: &Model,
    data: &Dataset,
    config: &Config,
    budget: f64,
    test: bool,
    registry: &Registry,
    ui: &Ui,
) -> Outcome<(Model, Pruned)> {
    let Holdout { train, validation } =
        Holdout::stratified(&data.train.y, data.classes, config.validation, Holdout::SEED);
    let (live, choice) = encoded(model, &data.train.x, &validation)?;
    let stride = (train.len() * live.len()).div_ceil(MAX_BITS).max(1);
    let train: Vec<u32> = train.into_iter().step_by(stride).collect();
    let samples = |bits: Vec<u8>, rows: &[u32]| Samples {
        inputs: Inputs::U8(bits),
        labels: rows.iter().map(|&i| data.train.y[i as usize]).collect(),
    };
    let choice = samples(choice, &validation);
    let train = samples(encoded(model, &data.train.x, &train)?.1, &train);
    // Nothing but the model that is chosen is measured on test samples, and that afterwards.
    let data_of_pass = Data { train, held_out: choice.clone(), choice };

    let mut bits = on_bits(model, &live);
    let mut module = lower::to_ir(&bits, "", &TensorNames::standard(&bits));
    let run = Run {
        registry,
        passes: &format!("expand,prune{{budget={budget}}}"),
        default: "",
        debug: &Debug::default(),
        folder: None,
        data: Some(Arc::new(data_of_pass)),
        rules: None,
        control: Control::default(),
        cost: None,
        gates: None,
    };
    let report = run.on(&mut module, ui)?;
    let f = module.top().ok_or_else(|| bug("pruning left no function"))?;
    put_back(f, &mut bits).ok_or_else(|| bug("a pruned network does not fit the layers of its model"))?;

    let mut pruned = model.clone();
    pruned.approximate = Some(match &model.approximate {
        Some(before) => format!("{before}, prune"),
        None => "prune".into(),
    });
    let mut layers = bits.layers.into_iter();
    for layer in pruned.layers.iter_mut().skip(1) {
        if let Some(new) = layers.next() {
            *layer = new;
        }
    }
    if let Some(Layer::Lut { connections, .. }) = pruned.layers.get_mut(1) {
        connections.iter_mut().for_each(|c| *c = live[*c as usize]);
    }
    let [validation_before, validation_after] =
        [accuracy(model, &data.train, Some(&validation))?, accuracy(&pruned, &data.train, Some(&validation))?];
    let fact = |name: &str, report: &RunReport| report.fact(&format!("prune.{name}"));
    if fact("right_after", &report) != Some(validation_after.correct as u64) {
        return Err(bug("a pruned model predicts otherwise than the network that was pruned"));
    }
    let test = if test { Some(accuracy(&pruned, &data.test, None)?) } else { None };
    let inputs_dropped = fact("inputs_dropped", &report).unwrap_or(0);
    let what = Pruned { budget, inputs_dropped, validation_before, validation: validation_after, test };
    Ok((pruned, what))
}

fn bug(why: &str) -> Failure {
    Failure::Bug(vec![Diagnostic::error(&blc_frontend::codes::TRAIN_INTERNAL, why)])
}

/// Hard accuracy on some samples, or all.
fn accuracy(model: &Model, split: &Split, rows: Option<&[u32]>) -> Result<Accuracy> {
    let all: Vec<u32>;
    let rows = match rows {
        Some(rows) => rows,
        None => {
            all = (0..split.len() as u32).collect();
            &all
        }
    };
    let pick = |features: usize| match &split.x {
        Features::U8(x) => {
            Features::U8(rows.iter().flat_map(|&i| &x[i as usize * features..][..features]).copied().collect())
        }
        Features::F32(x) => {
            Features::F32(rows.iter().flat_map(|&i| &x[i as usize * features..][..features]).copied().collect())
        }
    };
    let said = predict(model, &pick(model.features()))?;
    let correct = said.classes.iter().zip(rows).filter(|(class, row)| **class == split.y[**row as usize]).count();
    Ok(Accuracy { correct, samples: rows.len() })
}

/// The model as a function of the encoder's bits `live`.
fn on_bits(model: &Model, live: &[u32]) -> Model {
    let mut bits = model.clone();
    bits.layers.remove(0);
    (bits.shape, bits.dtype) = (vec![live.len()], Dtype::Bit);
    if let Some(Layer::Lut { connections, .. }) = bits.layers.first_mut() {
        connections.iter_mut().for_each(|c| *c = live.partition_point(|bit| bit < c) as u32);
    }
    bits
}

/// What a value of the pruned function is.
#[derive(Clone, Copy, PartialEq)]
enum Signal {
    /// A bit of the input, or of the layer above that: its number.
    Bit(usize, u32),
    Constant(bool),
}

/// Puts the tables and wires of a pruned function into the model that it was made from. None where it is no such function.
fn put_back(f: &Func, model: &mut Model) -> Option<()> {
    let mut signals: HashMap<Value, Signal> = HashMap::new();
    let mut nodes: HashMap<(usize, u32), (u64, Vec<Signal>)> = HashMap::new();
    let mut sums: HashMap<Value, Vec<Signal>> = HashMap::new();
    let mut head = Vec::new();
    let is = |v: Value, signals: &HashMap<Value, Signal>| match (f.as_const(v), f.def(v)) {
        (Some(value), _) => Some(Signal::Constant(value & 1 == 1)),
        // An input of one bit is not taken apart.
        (None, Def::Param(0)) => Some(Signal::Bit(0, 0)),
        (None, _) => signals.get(&v).copied(),
    };
    for (_, op) in f.ops() {
        let inputs = || op.operands.iter().map(|&v| is(v, &signals)).collect::<Option<Vec<_>>>();
        match op.kind {
            OpKind::Extract { offset } => {
                signals.insert(op.result(), Signal::Bit(0, offset));
            }
            OpKind::Lut { table } => {
                let layer: usize = f.locs.first_layer(op.loc)?.strip_prefix("layer")?.parse().ok()?;
                let node = f.locs.first_neuron(op.loc)?;
                let inputs = inputs()?;
                nodes.insert((layer + 1, node), (table, inputs));
                signals.insert(op.result(), Signal::Bit(layer + 1, node));
            }
            OpKind::Sum {} => {
                let inputs = inputs()?;
                sums.insert(op.result(), inputs);
            }
            OpKind::WordArgmax { .. } => {
                for &word in op.operands {
                    head.extend(match sums.get(&word) {
                        Some(parts) => parts.clone(),
                        None => vec![is(word, &signals)?],
                    });
                }
            }
            _ => {}
        }
    }
    let last = model.layers.iter().filter(|layer| matches!(layer, Layer::Lut { .. })).count();
    for (i, layer) in model.layers.iter_mut().enumerate() {
        let Layer::Lut { fan_in, connections, tables } = layer else { break };
        for (n, (wires, table)) in connections.chunks_exact_mut(*fan_in).zip(tables).enumerate() {
            let counted = if i + 1 == last { *head.get(n)? } else { Signal::Bit(i + 1, n as u32) };
            let (new, inputs) = match (counted, nodes.get(&(i + 1, n as u32))) {
                (Signal::Constant(one), _) => (one.into(), Vec::new()),
                (own, _) if own != Signal::Bit(i + 1, n as u32) => return None,
                (_, Some((table, inputs))) => without_constants(*table, inputs, i)?,
                // Nothing reads it.
                (_, None) => (0, Vec::new()),
            };
            if inputs.len() > wires.len() {
                return None;
            }
            wires[..inputs.len()].copy_from_slice(&inputs);
            *table = widened(new, inputs.len(), *fan_in);
        }
    }
    (head.len() == model.width_after(last - 1)).then_some(())
}

/// A table and its wires into layer `below`, constants put in.
fn without_constants(table: u64, inputs: &[Signal], below: usize) -> Option<(u64, Vec<u32>)> {
    let (mut table, mut wires) = (table, Vec::new());
    for signal in inputs {
        let j = wires.len();
        match *signal {
            Signal::Bit(layer, bit) if layer == below => wires.push(bit),
            Signal::Bit(..) => return None,
            Signal::Constant(one) => {
                let at = |a: usize| a & ((1 << j) - 1) | (a >> j << 1 | usize::from(one)) << j;
                table = (0..32).fold(0, |new, a| new | (table >> at(a) & 1) << a);
            }
        }
    }
    Some((table, wires))
}

/// A table of `k` inputs as one of `wide` that does not heed the others.
fn widened(table: u64, k: usize, wide: usize) -> u64 {
    (0..1usize << wide).fold(0, |new, a| new | (table >> (a & ((1 << k) - 1)) & 1) << a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_lose_and_gain_inputs() {
        // Inputs a, 1, b, 0 of a table that is a and b where the second is 1 and the fourth is 0.
        let table = (0..16u64).fold(0, |t, a| t | u64::from(a == 0b0111) << a);
        let bit = |n| Signal::Bit(2, n);
        let inputs = [bit(7), Signal::Constant(true), bit(9), Signal::Constant(false)];
        let (found, wires) = without_constants(table, &inputs, 2).unwrap();
        assert_eq!((found & 0xf, wires), (0b1000, vec![7, 9]));
        assert!(without_constants(table, &inputs, 1).is_none());
        assert_eq!(widened(found & 0xf, 2, 3), 0b1000_1000);
        assert_eq!((widened(1, 0, 2), widened(0, 0, 6)), (0xf, 0));
    }
}

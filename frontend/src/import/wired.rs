//! difflogic and llnn: libraries that keep the wiring of a layer in a plain attribute, `indices`, which `state_dict()` leaves
//! out. Only a module that was saved whole, `torch.save(model, ...)`, is a network.
//!
//! | library | class | weights | wiring |
//! |---|---|---|---|
//! | difflogic | `difflogic.difflogic.LogicLayer` | `weights` `[nodes, 16]`: a logit for each function | `indices`: tuple of two `[nodes]` |
//! | llnn 0.1 | `llnn.lutlayer.LUTLayer` | `w`, `w_comp` `[nodes, 2^k]` | `indices`: `[k, nodes]` |
//!
//! Input 0 is the highest bit of an address in both. difflogic: the first largest logit, whose number read from its highest bit is
//! the table. llnn: an entry is 1 where `w` is above `w_comp`; it computes this as a softmax in single precision, rounded, so weights
//! whose difference is below 3e-7 of each other may fall on the other side there. Sums: `GroupSum.k`, `Aggregation.num_classes`.

use blc_ir::diag::Result;

use super::checkpoint::{Checkpoint, Module};
use super::network::Network;
use super::sequence::{Role, sequence};
use super::sidecar::{Form, Sidecar};
use super::{ask_ends, begin, tables};
use crate::codes;
use crate::model::Model;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// <https://github.com/Felix-Petersen/difflogic>
    Difflogic,
    /// <https://pypi.org/project/llnn/>
    Llnn,
}

/// A checkpoint as a model.
///
/// Errors: `BL1404` to `BL1414`.
pub fn import(checkpoint: &Checkpoint<'_>, sidecar: &Sidecar, library: Library) -> Result<Model> {
    let (name, weights) = match library {
        Library::Difflogic => ("difflogic", "weights"),
        Library::Llnn => ("llnn", "w"),
    };
    if checkpoint.modules.is_empty() {
        let here = checkpoint.names().any(|n| n == weights || n.ends_with(&format!(".{weights}")));
        let d = if here {
            let message = format!("a state_dict of {name} holds weights, but not the connections between layers");
            let help = format!(
                "with the model that was trained (random wiring is drawn anew for every other): import torch\n\
                 torch.save(model, \"model.pt\")   # instead of model.state_dict(), then blc import --from {name}"
            );
            checkpoint.refuse(&codes::WIRING_LACKS, "", message).help(help)
        } else {
            let message = format!("no tensors of {name} ({weights})");
            checkpoint.refuse(&codes::CHECKPOINT_LACKS, "", message).help("check `--from`")
        };
        return Err(d.into());
    }
    let role = |module: &str, class: &str| match (library, module, class) {
        (_, "torch.nn.modules.flatten", "Flatten") => Role::Nothing,
        (Library::Difflogic, "difflogic.difflogic", "LogicLayer") => Role::Layer(()),
        (Library::Difflogic, "difflogic.difflogic", "GroupSum") => Role::Head("k"),
        (Library::Llnn, "llnn.lutnn", "LUTNN") => Role::Container,
        (Library::Llnn, "llnn.lutlayer", "LUTLayer") => Role::Layer(()),
        (Library::Llnn, "llnn.lutlayer", "Aggregation") => Role::Head("num_classes"),
        _ => Role::Unknown,
    };
    let (layers, classes) = sequence(checkpoint, role)?;
    let mut form = Form::new(name);
    ask_ends(&mut form, sidecar, None, classes);
    form.check(checkpoint)?;
    let mut network = begin(checkpoint, sidecar, None, false)?;
    network.flatten();
    for (module, ()) in layers {
        match library {
            Library::Difflogic => difflogic(checkpoint, &mut network, module)?,
            Library::Llnn => llnn(checkpoint, &mut network, module)?,
        }
    }
    checkpoint.finish()?;
    network.finish(sidecar.classes.or(classes).unwrap_or(0))
}

fn of(module: &Module, tensor: &str) -> String {
    if module.path.is_empty() { tensor.to_owned() } else { format!("{}.{tensor}", module.path) }
}

/// The attribute that holds the wiring.
fn indices(checkpoint: &Checkpoint<'_>, module: &Module) -> Result<super::pickle::Id> {
    let found = checkpoint.pickle().and_then(|pickle| pickle.field(module.id, "indices"));
    found.ok_or_else(|| {
        checkpoint.refuse(&codes::CHECKPOINT_LACKS, &module.path, "the layer has no attribute `indices`").into()
    })
}

fn difflogic(checkpoint: &Checkpoint<'_>, network: &mut Network<'_, '_>, module: &Module) -> Result<()> {
    let weights = checkpoint.floats(&of(module, "weights"))?;
    let pair = indices(checkpoint, module)?;
    let ends = checkpoint.pickle().and_then(|pickle| pickle.items(pair)).unwrap_or_default();
    let (&[a, b], &[nodes, 16]) = (ends, &weights.shape[..]) else {
        let message =
            format!("weights of shape {:?} and {} lists of connections; 16 a node and two", weights.shape, ends.len());
        return Err(checkpoint.refuse(&codes::CHECKPOINT_MISFIT, &module.path, message).into());
    };
    let [a, b] = [a, b].map(|id| checkpoint.wholes_of(id, &of(module, "indices")));
    let (a, b) = (a?, b?);
    if a.numbers.len() != nodes || b.numbers.len() != nodes {
        let message = format!("weights of {nodes} nodes, connections of {} and {}", a.numbers.len(), b.numbers.len());
        return Err(checkpoint.refuse(&codes::CHECKPOINT_MISFIT, &module.path, message).into());
    }
    // Input 0 is the highest bit of the address, so the list is turned around.
    let wires: Vec<f64> = b.numbers.iter().zip(&a.numbers).flat_map(|(&b, &a)| [b, a]).collect();
    let mut hard = Vec::with_capacity(nodes);
    for row in weights.numbers.chunks_exact(16) {
        let id = tables::argmax(row.iter().copied());
        tables::push(&mut hard, 2, |address| id >> (3 - address) & 1 == 1);
    }
    network.dense(&module.path, 2, &wires, &hard)
}

fn llnn(checkpoint: &Checkpoint<'_>, network: &mut Network<'_, '_>, module: &Module) -> Result<()> {
    let misfit = |message: String| checkpoint.refuse(&codes::CHECKPOINT_MISFIT, &module.path, message);
    let (w, other) = (checkpoint.floats(&of(module, "w"))?, checkpoint.floats(&of(module, "w_comp"))?);
    let wires = checkpoint.wholes_of(indices(checkpoint, module)?, &of(module, "indices"))?;
    let k = w.shape.last().and_then(|&entries| tables::fan_in(entries)).unwrap_or(0);
    let &[nodes, entries] = &w.shape[..] else {
        return Err(misfit(format!("weights of shape {:?}", w.shape)).into());
    };
    if w.shape != other.shape || wires.shape != [k, nodes] || k == 0 {
        let message = format!("weights {:?} and {:?}, wiring {:?}", w.shape, other.shape, wires.shape);
        return Err(misfit(message).into());
    }
    let mut wires = tables::transposed(&wires.numbers, k);
    tables::reversed(&mut wires, k);
    let mut hard = Vec::new();
    for (row, other) in w.numbers.chunks_exact(entries).zip(other.numbers.chunks_exact(entries)) {
        tables::push(&mut hard, k, |address| row[address] > other[address]);
    }
    network.dense(&module.path, k, &wires, &hard)
}

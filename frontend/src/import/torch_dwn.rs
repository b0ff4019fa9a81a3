//! torch-dwn (<https://github.com/alanbacellar/DWN>), and the container of dwn2rtl.
//!
//! | tensor of layer `i` | shape | |
//! |---|---|---|
//! | `i.luts` | `[nodes, 2^k]` | an entry is 1 where above 0; input `j` is bit `j` of the address |
//! | `i.mapping` | `[nodes, k]` | fixed wiring |
//! | `i.mapping.weights` | `[inputs, nodes * k]` | learnable: input `j` of node `n` is the first largest of column `n * k + j` |
//! | `i._LUTLayer__dummy_mapping` | | learnable: counts up, and means nothing |
//!
//! The thermometer is an object of its own and in no state_dict: bit `feature * bits + t` is `x > thresholds[feature][t]`.
//! dwn2rtl saves `{state_dict or model, thermometer: {thresholds}, scaler: {mean, scale}, config: {num_classes, ...}}`. `GroupSum(k)` has no
//! tensors; it pads the last bits with zeros until the classes divide them.

use blc_ir::diag::Result;

use super::checkpoint::Checkpoint;
use super::network::Network;
use super::sequence::{Role, by_tensor, sequence};
use super::sidecar::{Form, OneOrMany, Sidecar};
use super::{ask_ends, begin, tables};
use crate::codes;
use crate::model::{Dtype, Model};

/// A checkpoint as a model.
///
/// Errors: `BL1404` to `BL1416`.
pub fn import(checkpoint: &Checkpoint<'_>, sidecar: &Sidecar) -> Result<Model> {
    let (layers, classes) = layers(checkpoint, sidecar)?;
    let beside = beside(checkpoint)?;
    let classes = classes.or(beside.classes);
    let mut said = sidecar.clone();
    let thresholds = beside.thresholds.as_ref().filter(|_| said.input.thresholds.is_none());
    if let Some(thresholds) = thresholds {
        said.input.shape = said.input.shape.or(Some(vec![thresholds.shape[0]]));
        said.input.dtype = said.input.dtype.or(Some(Dtype::F32));
        said.input.mean = said.input.mean.or(beside.mean);
        said.input.scale = said.input.scale.or(beside.scale);
    }
    let mut form = Form::new("torch-dwn");
    ask_ends(&mut form, &said, None, classes);
    form.check(checkpoint)?;
    let mut network = begin(checkpoint, &said, None, thresholds.is_some())?;
    if let Some(thresholds) = thresholds {
        network.encode("thermometer.thresholds", thresholds.shape[0], &thresholds.numbers, false, &said.input)?;
    }
    network.flatten();
    for layer in &layers {
        lut_layer(checkpoint, &mut network, layer)?;
    }
    checkpoint.finish()?;
    let classes = said.classes.or(classes).unwrap_or(0);
    network.pad(classes);
    network.finish(classes)
}

/// What stands beside the state_dict in dwn2rtl's container.
#[derive(Default)]
struct Beside {
    thresholds: Option<super::checkpoint::Tensor>,
    classes: Option<usize>,
    mean: Option<OneOrMany<f64>>,
    scale: Option<OneOrMany<f64>>,
}

fn beside(checkpoint: &Checkpoint<'_>) -> Result<Beside> {
    let (Some(pickle), Some(root)) = (checkpoint.pickle(), checkpoint.container()) else {
        return Ok(Beside::default());
    };
    let inside = |outer: &str, key: &str| pickle.field(pickle.field(root, outer)?, key);
    let mut found = Beside {
        classes: inside("config", "num_classes").and_then(|id| usize::try_from(pickle.int(id)?).ok()),
        ..Beside::default()
    };
    if let Some(id) = inside("thermometer", "thresholds") {
        let thresholds = checkpoint.tensor_of(id, "thermometer.thresholds")?;
        if thresholds.shape.len() != 2 || thresholds.numbers.iter().any(|x| !x.is_finite()) {
            let message = format!("thresholds of shape {:?} are not finite numbers [features, bits]", thresholds.shape);
            return Err(checkpoint.refuse(&codes::CHECKPOINT_MISFIT, "thermometer.thresholds", message).into());
        }
        found.thresholds = Some(thresholds);
    }
    // A scaler that is there but not understood would give another network.
    let scaler = pickle.field(root, "scaler").filter(|&id| *pickle.get(id) != super::pickle::Value::None);
    if scaler.is_some() {
        let numbers = |key: &str| {
            let items = inside("scaler", key).and_then(|id| pickle.items(id));
            items
                .and_then(|items| items.iter().map(|&id| pickle.number(id)).collect::<Option<Vec<_>>>())
                .map(OneOrMany::Many)
        };
        (found.mean, found.scale) = (numbers("mean"), numbers("scale"));
        if found.mean.is_none() || found.scale.is_none() {
            let message = "the scaler is not {\"mean\": [...], \"scale\": [...]} of plain numbers";
            let help = "save it as dwn2rtl.save does, or say input.mean and input.scale in a sidecar and leave it out";
            return Err(checkpoint.refuse(&codes::CHECKPOINT_MISFIT, "scaler", message).help(help).into());
        }
    }
    Ok(found)
}

/// The layers' names in order, and the number of classes where a module that was saved whole says it.
fn layers(checkpoint: &Checkpoint<'_>, sidecar: &Sidecar) -> Result<(Vec<String>, Option<usize>)> {
    if !checkpoint.modules.is_empty() {
        let role = |module: &str, class: &str| match (module.split('.').next(), class) {
            (Some("torch_dwn"), "LUTLayer") => Role::Layer(()),
            (Some("torch_dwn"), "GroupSum") => Role::Head("k"),
            (Some("torch"), "Flatten") => Role::Nothing,
            _ => Role::Unknown,
        };
        let (layers, classes) = sequence(checkpoint, role)?;
        return Ok((layers.into_iter().map(|(m, ())| m.path.clone()).collect(), classes));
    }
    Ok((by_tensor(checkpoint, sidecar, &["luts"], "torch-dwn")?, None))
}

fn lut_layer(checkpoint: &Checkpoint<'_>, network: &mut Network<'_, '_>, module: &str) -> Result<()> {
    let of = |tensor: &str| if module.is_empty() { tensor.to_owned() } else { format!("{module}.{tensor}") };
    let misfit = |message: String| checkpoint.refuse(&codes::CHECKPOINT_MISFIT, module, message);
    let luts = checkpoint.floats(&of("luts"))?;
    let (&[nodes, entries], Some(k)) = (&luts.shape[..], luts.shape.last().and_then(|&n| tables::fan_in(n))) else {
        return Err(misfit(format!("tables of shape {:?}, not [nodes, 2^inputs]", luts.shape)).into());
    };
    let wires = if checkpoint.has(&of("mapping.weights")) {
        let scores = checkpoint.floats(&of("mapping.weights"))?;
        checkpoint.leave(&of("_LUTLayer__dummy_mapping"));
        let columns = nodes.saturating_mul(k);
        if scores.shape.len() != 2 || scores.shape[1] != columns || scores.shape[0] == 0 {
            return Err(misfit(format!(
                "learnable wiring of shape {:?} for {nodes} nodes of {k} inputs",
                scores.shape
            ))
            .into());
        }
        let column =
            |c: usize| tables::argmax((0..scores.shape[0]).map(|row| scores.numbers[row * columns + c])) as f64;
        (0..columns).map(column).collect()
    } else {
        let mapping = checkpoint.wholes(&of("mapping"))?;
        if mapping.shape != [nodes, k] {
            return Err(misfit(format!("wiring of shape {:?} for {nodes} nodes of {k} inputs", mapping.shape)).into());
        }
        mapping.numbers
    };
    let mut hard = Vec::new();
    if k <= crate::model::MAX_FAN_IN {
        for row in luts.numbers.chunks_exact(entries) {
            tables::push(&mut hard, k, |address| row[address] > 0.0);
        }
    }
    network.dense(module, k, &wires, &hard)
}

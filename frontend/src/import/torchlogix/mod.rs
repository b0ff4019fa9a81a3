//! torchlogix, 0.2 and later (<https://pypi.org/project/torchlogix/>; facts from its source and from files it wrote).
//!
//! | layer | tensors | shapes |
//! |---|---|---|
//! | `FixedBinarization`, `SoftBinarization` | `thresholds` | `[b]`, `[channels, b]`, `[features, b]` |
//! | `LearnableBinarization` | and `raw_diffs`, of which the thresholds follow | the same |
//! | `LogicDense` | `weight` | `[nodes, 16]` raw, `[nodes, 2^k]` light and warp |
//! | | `connections.indices` | `[k, nodes]`; learnable `[candidates, k, nodes]`, and `connections.weights` |
//! | `LogicConv2d`, `LogicConv3d`, `LogicConvTranspose2d`, `LogicConvTranspose3d` | `tree_weights.L`, root last | `[k^(depth-1-L), kernels, 16 or 2^k]` |
//! | | `connections._indices_L0` | `[k, kernels, places, leaves, 3 or 4]`: plane, row, column, channel in the padded image |
//! | | `connections._indices_L1`... | `[k, nodes]`: nodes of the level before |
//!
//! Input 0 is the highest bit of an address. Hard tables, as the layers evaluate them: raw: the first largest of sixteen
//! logits, whose number read from its highest bit is the table; light: weight above 0; warp: the sum of
//! the coefficients, each with the sign of its Walsh function, added in order in the weights' precision, below 0. Learnable
//! wiring: the candidate of the largest weight. Learnt thresholds: sums of `raw_diffs[0]` and `s softplus(raw_diffs[t] / s)`,
//! `s` the softplus temperature plus 1e-6. `OrPooling2d`, `OrPooling3d`, `Flatten` and `GroupSum` have no tensors. A
//! `ResidualLogicBlock` ORs what comes in with what its layers make of it; those of 0.2.2 that also change the number of channels or
//! the size cannot be made. A transposed convolution is a plain one over an image with zeros between its places. Scores are the sums of bits: `GroupSum`
//! adds `beta` and divides by `tau`, which changes no order.
//!
//! `[nodes, 16]` is raw of two inputs or light or warp of four, and `[nodes, 4]` light or warp: `connections.indices` says how
//! many inputs, the sidecar which of light and warp. Before 0.2 a checkpoint had no wiring.

mod build;

use blc_ir::diag::Result;

use super::checkpoint::Checkpoint;
use super::sequence::{Role, numbered, sequence};
use super::sidecar::{Form, LayerKind, LayerSpec, OneOrMany, Parametrization, Sidecar};
use super::{ask_ends, begin, tables};
use crate::codes;
use crate::model::Model;

/// A checkpoint as a model.
///
/// Errors: `BL1404` to `BL1416`.
pub fn import(checkpoint: &Checkpoint<'_>, sidecar: &Sidecar) -> Result<Model> {
    let found = find(checkpoint)?;
    let (mut plan, classes) = plan(checkpoint, sidecar, &found)?;
    let mut form = Form::new("torchlogix");
    ask_ends(&mut form, sidecar, None, classes);
    for (i, layer) in plan.iter_mut().enumerate() {
        form.table("[[layers]]");
        ask(checkpoint, &mut form, layer, sidecar, i)?;
    }
    form.check(checkpoint)?;
    let encoded = plan.first().is_some_and(|l| l.kind == Some(LayerKind::Binarization));
    let mut network = begin(checkpoint, sidecar, None, encoded)?;
    for (i, layer) in plan.iter().enumerate() {
        build::layer(checkpoint, &mut network, layer, sidecar, i)?;
    }
    for name in checkpoint.names().filter(|n| n.contains("_export_")) {
        checkpoint.leave(name);
    }
    checkpoint.finish()?;
    network.finish(sidecar.classes.or(classes).unwrap_or(0))
}

/// A module's tensor by its full name.
fn of(module: &str, tensor: &str) -> String {
    if module.is_empty() { tensor.to_owned() } else { format!("{module}.{tensor}") }
}

/// The modules that have tensors, in the file's order.
fn find(checkpoint: &Checkpoint<'_>) -> Result<Vec<(String, LayerKind)>> {
    let kinds =
        [("thresholds", LayerKind::Binarization), ("weight", LayerKind::Dense), ("tree_weights.0", LayerKind::Conv2d)];
    let mut found = Vec::new();
    for name in checkpoint.names() {
        for (tensor, kind) in kinds {
            let Some(module) = name.strip_suffix(tensor) else { continue };
            if !module.is_empty() && !module.ends_with('.') {
                continue;
            }
            let module = module.trim_end_matches('.').to_owned();
            let wires = if kind == LayerKind::Dense { "connections.indices" } else { "connections._indices_L0" };
            if kind != LayerKind::Binarization && !checkpoint.has(&of(&module, wires)) {
                let message = format!("there is no {wires}: torchlogix before 0.2 did not save the wiring");
                let d = checkpoint.refuse(&codes::CHECKPOINT_OLD, &module, message);
                return Err(d.help("load it there, and save torch.save(model, ...) with 0.2 or later").into());
            }
            let planes = kind == LayerKind::Conv2d && checkpoint.shape(&of(&module, wires))?.last() == Some(&4);
            found.push((module, if planes { LayerKind::Conv3d } else { kind }));
        }
    }
    Ok(found)
}

/// The layers in order, and the classes where a module that was saved whole says them.
fn plan(
    checkpoint: &Checkpoint<'_>,
    sidecar: &Sidecar,
    found: &[(String, LayerKind)],
) -> Result<(Vec<LayerSpec>, Option<usize>)> {
    if let Some(layers) = &sidecar.layers {
        for layer in layers {
            let Some(module) = &layer.module else { continue };
            let here = found.iter().find(|(name, _)| name == module);
            // The tensors of a transposed convolution are those of a plain one.
            let plain = |kind: LayerKind| match kind {
                LayerKind::ConvTranspose2d => LayerKind::Conv2d,
                LayerKind::ConvTranspose3d => LayerKind::Conv3d,
                other => other,
            };
            if here.is_none_or(|(_, kind)| layer.kind.is_some_and(|k| plain(k) != *kind)) {
                let what = here.map_or("no layer".into(), |(_, kind)| format!("a layer of kind {}", kind.name()));
                let message = format!("the sidecar names `{module}`, which is {what} in the checkpoint");
                return Err(checkpoint.refuse(&codes::SIDECAR_CONTRADICTS, module, message).into());
            }
        }
        let kind =
            |l: &LayerSpec| l.kind.or_else(|| found.iter().find(|(m, _)| Some(m) == l.module.as_ref()).map(|f| f.1));
        return Ok((layers.iter().map(|l| LayerSpec { kind: kind(l), ..l.clone() }).collect(), None));
    }
    if let Some(said) = saved(checkpoint)? {
        return Ok(said);
    }
    let layers: Vec<LayerSpec> = found
        .iter()
        .map(|(module, kind)| LayerSpec { module: Some(module.clone()), kind: Some(*kind), ..LayerSpec::default() })
        .collect();
    // In one Sequential nothing that could stand between changes anything: Flatten keeps bits in a row.
    let numbered = numbered(found.iter().map(|(module, _)| module.as_str()));
    let plain = found.iter().enumerate().all(|(i, (_, kind))| match kind {
        LayerKind::Dense => true,
        LayerKind::Binarization => i == 0,
        _ => false,
    });
    let flat = sidecar.input.shape.as_ref().is_none_or(|s| s.len() < 3);
    if found.is_empty() {
        let message = "no tensors of torchlogix (weight, tree_weights.0, thresholds)";
        return Err(checkpoint.refuse(&codes::CHECKPOINT_LACKS, "", message).help("check `--from`").into());
    }
    if numbered && plain && flat {
        return Ok((layers, None));
    }
    // Not known: the order, and what stands between without tensors.
    let mut form = Form::new("torchlogix");
    ask_ends(&mut form, sidecar, None, None);
    form.ask_for_layers();
    for layer in &layers {
        form.table("[[layers]]");
        ask(checkpoint, &mut form, &mut layer.clone(), sidecar, 0)?;
    }
    form.check(checkpoint)?;
    Ok((layers, None))
}

/// What a module that was saved whole says of its layers.
fn saved(checkpoint: &Checkpoint<'_>) -> Result<Option<(Vec<LayerSpec>, Option<usize>)>> {
    let Some(pickle) = checkpoint.pickle().filter(|_| !checkpoint.modules.is_empty()) else { return Ok(None) };
    let role = |module: &str, class: &str| match (module, class) {
        (m, _) if m.starts_with("torchlogix.models.") => Role::Container,
        ("torchlogix.layers.binarization", "DummyBinarization") => Role::Nothing,
        ("torchlogix.layers.groupsum", "GroupSum") => Role::Head("k"),
        ("torchlogix.layers.pool", "OrPooling2d") => Role::Layer(LayerKind::OrPool2d),
        ("torchlogix.layers.pool", "OrPooling3d") => Role::Layer(LayerKind::OrPool3d),
        ("torchlogix.modules.resblock", "ResidualLogicBlock") => Role::Begin(LayerKind::Residual),
        ("torchlogix.layers.binarization", "FixedBinarization" | "SoftBinarization" | "LearnableBinarization") => {
            Role::Layer(LayerKind::Binarization)
        }
        ("torchlogix.layers.dense", "LogicDense") => Role::Layer(LayerKind::Dense),
        ("torchlogix.layers.conv", "LogicConv2d") => Role::Layer(LayerKind::Conv2d),
        ("torchlogix.layers.conv", "LogicConv3d") => Role::Layer(LayerKind::Conv3d),
        ("torchlogix.layers.conv", "LogicConvTranspose2d") => Role::Layer(LayerKind::ConvTranspose2d),
        ("torchlogix.layers.conv", "LogicConvTranspose3d") => Role::Layer(LayerKind::ConvTranspose3d),
        ("torch.nn.modules.flatten", "Flatten") => Role::Layer(LayerKind::Flatten),
        _ => Role::Unknown,
    };
    let (modules, classes) = sequence(checkpoint, role)?;
    let mut layers: Vec<LayerSpec> = Vec::new();
    let end = || LayerSpec { kind: Some(LayerKind::ResidualEnd), ..LayerSpec::default() };
    let mut block: Option<&str> = None;
    for (module, kind) in modules {
        if let Some(open) = block {
            let inside = match open {
                "" => Some(module.path.as_str()),
                open => module.path.strip_prefix(open).and_then(|rest| rest.strip_prefix('.')),
            };
            match inside {
                Some(rest) if rest.starts_with("main.") => {}
                Some(_) => {
                    let message = "a shortcut that is more than a wire, which torchlogix 0.2.2 cannot make";
                    return Err(checkpoint.refuse(&codes::CHECKPOINT_MODULE, &module.path, message).into());
                }
                None => {
                    layers.push(end());
                    block = None;
                }
            }
        }
        if kind == LayerKind::Residual {
            block = Some(&module.path);
        }
        let int = |key: &str| pickle.field(module.id, key).and_then(|id| pickle.int(id));
        let sizes = |key: &str| {
            let id = pickle.field(module.id, key)?;
            match pickle.int(id) {
                Some(n) => Some(OneOrMany::One(usize::try_from(n).ok()?)),
                None => pickle.sizes(id).map(OneOrMany::Many),
            }
        };
        if kind == LayerKind::Flatten && (int("start_dim"), int("end_dim")) != (Some(1), Some(-1)) {
            let message = "a Flatten of other dimensions than all of a sample's";
            return Err(checkpoint.refuse(&codes::CHECKPOINT_MISFIT, &module.path, message).into());
        }
        let softplus = pickle.field(module.id, "temperature_softplus");
        layers.push(LayerSpec {
            module: kind.has_tensors().then(|| module.path.clone()),
            kind: Some(kind),
            parametrization: parametrization(checkpoint, module.id),
            feature_dim: int("feature_dim"),
            temperature_softplus: softplus.and_then(|id| pickle.number(id)),
            receptive_field_size: sizes("receptive_field_size"),
            kernel_size: sizes("kernel_size"),
            stride: sizes("stride"),
            padding: sizes("padding"),
            output_padding: sizes("output_padding"),
        });
    }
    layers.extend(block.map(|_| end()));
    Ok(Some((layers, classes)))
}

/// Of a layer that was saved whole.
fn parametrization(checkpoint: &Checkpoint<'_>, layer: super::pickle::Id) -> Option<Parametrization> {
    let pickle = checkpoint.pickle()?;
    let inside = pickle.field(layer, "_modules").and_then(|modules| pickle.field(modules, "parametrization"));
    let (global, _) = pickle.call(inside.or_else(|| pickle.field(layer, "parametrization"))?)?;
    match global {
        ("torchlogix.parametrization", "RawLUTParametrization") => Some(Parametrization::Raw),
        ("torchlogix.parametrization", "LightLUTParametrization") => Some(Parametrization::Light),
        ("torchlogix.parametrization", "WarpLUTParametrization") => Some(Parametrization::Warp),
        _ => None,
    }
}

/// Asks for what a layer needs, and settles what its shapes say.
fn ask(
    checkpoint: &Checkpoint<'_>,
    form: &mut Form,
    layer: &mut LayerSpec,
    sidecar: &Sidecar,
    index: usize,
) -> Result<()> {
    if let Some(module) = &layer.module {
        form.ask("module", Some(module), "its name in the checkpoint");
    }
    form.ask("kind", layer.kind.as_ref(), "docs/import.md lists the kinds");
    let Some(kind) = layer.kind else { return Ok(()) };
    let module = match (kind.has_tensors(), &layer.module) {
        (false, None) => String::new(),
        (false, Some(module)) => {
            let message = format!("a layer of kind {} has no tensors, so it names no module", kind.name());
            return Err(checkpoint.refuse(&codes::SIDECAR_CONTRADICTS, module, message).into());
        }
        (true, Some(module)) => module.clone(),
        (true, None) => {
            form.ask::<String>("module", None, "its name in the checkpoint");
            return Ok(());
        }
    };
    match kind {
        LayerKind::Flatten | LayerKind::Residual | LayerKind::ResidualEnd => {}
        LayerKind::Binarization => {
            if index != 0 {
                let message = "thresholds are the first layer or none";
                return Err(checkpoint.refuse(&codes::SIDECAR_CONTRADICTS, &module, message).into());
            }
            if sidecar.input.shape.as_ref().is_some_and(|s| s.len() > 1) {
                form.ask(
                    "feature_dim",
                    layer.feature_dim.as_ref(),
                    "of the binarization: 1 (bits become channels) or -2",
                );
            }
            if checkpoint.has(&of(&module, "raw_diffs")) {
                let meaning = "of the LearnableBinarization; 0.1 where it was not given";
                form.ask("temperature_softplus", layer.temperature_softplus.as_ref(), meaning);
            }
        }
        LayerKind::OrPool2d | LayerKind::OrPool3d => {
            form.ask("kernel_size", layer.kernel_size.as_ref(), "of the pool");
            form.ask("stride", layer.stride.as_ref(), "of the pool");
            form.ask("padding", layer.padding.as_ref(), "of the pool");
        }
        LayerKind::Dense => {
            let wires = checkpoint.shape(&of(&module, "connections.indices"))?;
            let k = wires.len().checked_sub(2).map_or(0, |i| wires[i]);
            settle(checkpoint, form, layer, sidecar, &of(&module, "weight"), k)?;
        }
        LayerKind::Conv2d | LayerKind::Conv3d | LayerKind::ConvTranspose2d | LayerKind::ConvTranspose3d => {
            let wires = checkpoint.shape(&of(&module, "connections._indices_L0"))?;
            settle(
                checkpoint,
                form,
                layer,
                sidecar,
                &of(&module, "tree_weights.0"),
                wires.first().copied().unwrap_or(0),
            )?;
            form.ask("receptive_field_size", layer.receptive_field_size.as_ref(), "of the convolution");
            form.ask("stride", layer.stride.as_ref(), "of the convolution");
            form.ask("padding", layer.padding.as_ref(), "of the convolution");
            if kind.is_transposed() {
                form.ask("output_padding", layer.output_padding.as_ref(), "of the transposed convolution");
            }
        }
    }
    Ok(())
}

/// The parametrization of weights of `k` inputs: as the shape says, as far as it does.
fn settle(
    checkpoint: &Checkpoint<'_>,
    form: &mut Form,
    layer: &mut LayerSpec,
    sidecar: &Sidecar,
    weight: &str,
    k: usize,
) -> Result<()> {
    let entries = checkpoint.shape(weight)?.last().copied().unwrap_or(0);
    let said = layer.parametrization.or(sidecar.parametrization);
    let raw = k == 2 && entries == 16;
    if !raw && tables::fan_in(entries) != Some(k) {
        let message =
            format!("{entries} weights a node of {k} inputs are neither raw (16 of 2) nor light or warp (2^inputs)");
        return Err(checkpoint.refuse(&codes::CHECKPOINT_MISFIT, weight, message).into());
    }
    if said.is_some_and(|said| (said == Parametrization::Raw) != raw) {
        let message = format!(
            "{entries} weights a node of {k} inputs are {}",
            if raw { "raw" } else { "light or warp, not raw" }
        );
        return Err(checkpoint.refuse(&codes::SIDECAR_CONTRADICTS, weight, message).into());
    }
    layer.parametrization = if raw { Some(Parametrization::Raw) } else { said };
    form.ask("parametrization", layer.parametrization.as_ref(), "light or warp: 2^inputs weights a node may be either");
    Ok(())
}

//! torchlogix, 0.2 and later (<https://pypi.org/project/torchlogix/>; facts from its source and from files it wrote).
//!
//! | layer | tensors | shapes |
//! |---|---|---|
//! | `FixedBinarization`, `SoftBinarization` | `thresholds` | `[b]`, `[channels, b]`, `[features, b]` |
//! | `LearnableBinarization` | and `raw_diffs`, of which the thresholds follow | the same |
//! | `LogicDense` | `weight` | `[nodes, 16]` raw, `[nodes, 2^k]` light and warp |
//! | | `connections.indices` | `[k, nodes]`; learnable `[candidates, k, nodes]`, and `connections.weights` |
//! | `LogicConv2d` | `tree_weights.L`, root last | `[k^(depth-1-L), kernels, 16 or 2^k]` |
//! | | `connections._indices_L0` | `[k, kernels, places, leaves, 3]`: row, column, channel in the padded image |
//! | | `connections._indices_L1`... | `[k, nodes]`: nodes of the level before |
//!
//! Input 0 is the highest bit of an address. Hard tables, as the layers evaluate them: raw: the first largest of sixteen
//! logits, whose number read from its highest bit is the table; light: weight above 0; warp: the sum of
//! the coefficients, each with the sign of its Walsh function, added in order in the weights' precision, below 0. Learnable
//! wiring: the candidate of the largest weight. Learnt thresholds: sums of `raw_diffs[0]` and `s softplus(raw_diffs[t] / s)`,
//! `s` the softplus temperature plus 1e-6. `OrPooling2d`, `Flatten` and `GroupSum` have no tensors. Scores are the sums of bits: `GroupSum`
//! adds `beta` and divides by `tau`, which changes no order.
//!
//! `[nodes, 16]` is raw of two inputs or light or warp of four, and `[nodes, 4]` light or warp: `connections.indices` says how
//! many inputs, the sidecar which of light and warp. Before 0.2 a checkpoint had no wiring.

use blc_ir::diag::Result;

use super::checkpoint::{Checkpoint, Kind, Tensor};
use super::network::{Network, Window};
use super::sequence::{Role, numbered, sequence};
use super::sidecar::{Form, LayerKind, LayerSpec, OneOrMany, Parametrization, Sidecar};
use super::{ask_ends, begin, tables};
use crate::codes;
use crate::model::{Luts, Model, words_per_table};

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
        build(checkpoint, &mut network, layer, sidecar, i)?;
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
            found.push((module, kind));
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
            if here.is_none_or(|(_, kind)| layer.kind.is_some_and(|k| k != *kind)) {
                let what = here.map_or("no layer".into(), |(_, kind)| format!("a layer of kind {}", text(*kind)));
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
    let flat = sidecar.input.shape.as_ref().is_none_or(|s| s.len() != 3);
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

fn text(kind: LayerKind) -> &'static str {
    match kind {
        LayerKind::Binarization => "binarization",
        LayerKind::Dense => "dense",
        LayerKind::Conv2d => "conv2d",
        LayerKind::OrPool2d => "or_pool2d",
        LayerKind::Flatten => "flatten",
    }
}

/// What a module that was saved whole says of its layers.
fn saved(checkpoint: &Checkpoint<'_>) -> Result<Option<(Vec<LayerSpec>, Option<usize>)>> {
    let Some(pickle) = checkpoint.pickle().filter(|_| !checkpoint.modules.is_empty()) else { return Ok(None) };
    let role = |module: &str, class: &str| match (module, class) {
        (m, _) if m.starts_with("torchlogix.models.") => Role::Container,
        ("torchlogix.layers.binarization", "DummyBinarization") => Role::Nothing,
        ("torchlogix.layers.groupsum", "GroupSum") => Role::Head("k"),
        ("torchlogix.layers.pool", "OrPooling2d") => Role::Layer(LayerKind::OrPool2d),
        ("torchlogix.layers.binarization", "FixedBinarization" | "SoftBinarization" | "LearnableBinarization") => {
            Role::Layer(LayerKind::Binarization)
        }
        ("torchlogix.layers.dense", "LogicDense") => Role::Layer(LayerKind::Dense),
        ("torchlogix.layers.conv", "LogicConv2d") => Role::Layer(LayerKind::Conv2d),
        ("torch.nn.modules.flatten", "Flatten") => Role::Layer(LayerKind::Flatten),
        _ => Role::Unknown,
    };
    let (modules, classes) = sequence(checkpoint, role)?;
    let mut layers = Vec::new();
    for (module, kind) in modules {
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
            module: (!matches!(kind, LayerKind::Flatten | LayerKind::OrPool2d)).then(|| module.path.clone()),
            kind: Some(kind),
            parametrization: parametrization(checkpoint, module.id),
            feature_dim: int("feature_dim"),
            temperature_softplus: softplus.and_then(|id| pickle.number(id)),
            receptive_field_size: sizes("receptive_field_size"),
            kernel_size: sizes("kernel_size"),
            stride: sizes("stride"),
            padding: sizes("padding"),
        });
    }
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
    form.ask("kind", layer.kind.as_ref(), "binarization, dense, conv2d, or_pool2d or flatten");
    let Some(kind) = layer.kind else { return Ok(()) };
    let module = match (kind, &layer.module) {
        (LayerKind::Flatten | LayerKind::OrPool2d, None) => String::new(),
        (LayerKind::Flatten | LayerKind::OrPool2d, Some(module)) => {
            let message = format!("a layer of kind {} has no tensors, so it names no module", text(kind));
            return Err(checkpoint.refuse(&codes::SIDECAR_CONTRADICTS, module, message).into());
        }
        (_, Some(module)) => module.clone(),
        (_, None) => {
            form.ask::<String>("module", None, "its name in the checkpoint");
            return Ok(());
        }
    };
    match kind {
        LayerKind::Flatten => {}
        LayerKind::Binarization => {
            if index != 0 {
                let message = "thresholds are the first layer or none";
                return Err(checkpoint.refuse(&codes::SIDECAR_CONTRADICTS, &module, message).into());
            }
            if sidecar.input.shape.as_ref().is_some_and(|s| s.len() == 3) {
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
        LayerKind::OrPool2d => {
            form.ask("kernel_size", layer.kernel_size.as_ref(), "of the OrPooling2d");
            form.ask("stride", layer.stride.as_ref(), "of the OrPooling2d");
            form.ask("padding", layer.padding.as_ref(), "of the OrPooling2d");
        }
        LayerKind::Dense => {
            let wires = checkpoint.shape(&of(&module, "connections.indices"))?;
            let k = wires.len().checked_sub(2).map_or(0, |i| wires[i]);
            settle(checkpoint, form, layer, sidecar, &of(&module, "weight"), k)?;
        }
        LayerKind::Conv2d => {
            let wires = checkpoint.shape(&of(&module, "connections._indices_L0"))?;
            settle(
                checkpoint,
                form,
                layer,
                sidecar,
                &of(&module, "tree_weights.0"),
                wires.first().copied().unwrap_or(0),
            )?;
            form.ask("receptive_field_size", layer.receptive_field_size.as_ref(), "of the LogicConv2d");
            form.ask("stride", layer.stride.as_ref(), "of the LogicConv2d");
            form.ask("padding", layer.padding.as_ref(), "of the LogicConv2d");
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

fn build(
    checkpoint: &Checkpoint<'_>,
    network: &mut Network<'_, '_>,
    layer: &LayerSpec,
    sidecar: &Sidecar,
    index: usize,
) -> Result<()> {
    let module = layer.module.as_deref().unwrap_or("");
    let place = format!("layers[{index}]");
    let contradicts = |message: &str| Box::new(checkpoint.refuse(&codes::SIDECAR_CONTRADICTS, &place, message));
    let pair = |n: &Option<OneOrMany<usize>>| {
        let pair = n.as_ref().and_then(|n| n.spread(2)).filter(|p| p.iter().all(|&n| n <= 1 << 16));
        pair.map(|p| [p[0], p[1]])
            .ok_or_else(|| contradicts("sizes are one number or two, for rows and columns, below 65537"))
    };
    match layer.kind {
        None => Ok(()),
        Some(LayerKind::Flatten) => {
            network.flatten();
            Ok(())
        }
        Some(LayerKind::Binarization) => {
            let channels = match (layer.feature_dim, network.shape().len()) {
                (_, 1) | (Some(-2 | 3), _) => false,
                (Some(1 | -4), _) => true,
                _ => return Err(contradicts("feature_dim is 1 (or -4) or -2 (or 3)")),
            };
            let stored = checkpoint.floats(&of(module, "thresholds"))?;
            let learnt = of(module, "raw_diffs");
            let thresholds = match checkpoint.has(&learnt) {
                true => learnt_thresholds(&checkpoint.floats(&learnt)?, layer.temperature_softplus.unwrap_or(0.0)),
                false => stored,
            };
            let rows = match thresholds.shape[..] {
                [_] => 1,
                [rows, _] => rows,
                _ => {
                    let message = format!("thresholds of shape {:?}", thresholds.shape);
                    return Err(checkpoint.refuse(&codes::CHECKPOINT_MISFIT, module, message).into());
                }
            };
            network.encode(module, rows, &thresholds.numbers, channels, &sidecar.input)
        }
        Some(LayerKind::OrPool2d) => {
            let window = Window {
                size: pair(&layer.kernel_size)?,
                stride: pair(&layer.stride)?,
                padding: pair(&layer.padding)?,
            };
            network.or_pool(&place, window)
        }
        Some(LayerKind::Dense) => dense(checkpoint, network, module, layer.parametrization),
        Some(LayerKind::Conv2d) => {
            let window = Window {
                size: pair(&layer.receptive_field_size)?,
                stride: pair(&layer.stride)?,
                padding: pair(&layer.padding)?,
            };
            convolution(checkpoint, network, module, layer.parametrization, window)
        }
    }
}

/// The thresholds that a `LearnableBinarization` computes, in single precision as it does.
fn learnt_thresholds(diffs: &Tensor, temperature: f64) -> Tensor {
    let scale = (temperature + 1e-6) as f32;
    let softplus = |x: f32| if x > 20.0 { x } else { x.exp().ln_1p() };
    let bits = diffs.shape.last().copied().unwrap_or(1).max(1);
    let mut numbers = Vec::with_capacity(diffs.numbers.len());
    for row in diffs.numbers.chunks(bits) {
        let mut sum = 0.0;
        for (t, &diff) in row.iter().enumerate() {
            let diff = diff as f32;
            // torch.cumsum adds in double precision.
            sum += f64::from(if t == 0 { diff } else { scale * softplus(diff / scale) });
            numbers.push(f64::from(sum as f32));
        }
    }
    Tensor { shape: diffs.shape.clone(), numbers, kind: diffs.kind }
}

/// Tables of weights, a row for each node.
fn hard(weights: &[f64], entries: usize, k: usize, parametrization: Option<Parametrization>, kind: Kind) -> Vec<u64> {
    let mut out = Vec::new();
    for row in weights.chunks_exact(entries) {
        match parametrization {
            Some(Parametrization::Raw) => {
                let id = tables::argmax(row.iter().copied());
                tables::push(&mut out, k, |a| id >> (3 - a) & 1 == 1);
            }
            Some(Parametrization::Warp) => tables::push(&mut out, k, |a| {
                let term = |c: usize| if (c & a).count_ones() % 2 == 1 { -row[c] } else { row[c] };
                if kind == Kind::Single {
                    (1..entries).fold(term(0) as f32, |sum, c| sum + term(c) as f32) < 0.0
                } else {
                    (1..entries).fold(term(0), |sum, c| sum + term(c)) < 0.0
                }
            }),
            Some(Parametrization::Light) | None => tables::push(&mut out, k, |a| row[a] > 0.0),
        }
    }
    out
}

fn dense(
    checkpoint: &Checkpoint<'_>,
    network: &mut Network<'_, '_>,
    module: &str,
    parametrization: Option<Parametrization>,
) -> Result<()> {
    let misfit = |message: String| checkpoint.refuse(&codes::CHECKPOINT_MISFIT, module, message);
    let weight = checkpoint.floats(&of(module, "weight"))?;
    let indices = checkpoint.wholes(&of(module, "connections.indices"))?;
    let learnable = of(module, "connections.weights");
    let (k, wires) = match (&indices.shape[..], checkpoint.has(&learnable)) {
        (&[k, _], false) => (k, indices.numbers),
        (&[candidates, k, nodes], true) => {
            let scores = checkpoint.floats(&learnable)?;
            if scores.shape != indices.shape || candidates == 0 {
                let message = format!("weights {:?} of candidates {:?}", scores.shape, indices.shape);
                return Err(misfit(message).into());
            }
            let slots = k * nodes;
            let chosen = |slot: usize| tables::argmax((0..candidates).map(|c| scores.numbers[c * slots + slot]));
            (k, (0..slots).map(|slot| indices.numbers[chosen(slot) * slots + slot]).collect())
        }
        (shape, learnable) => {
            let what = if learnable { "learnable" } else { "fixed" };
            return Err(misfit(format!("{what} wiring of shape {shape:?}")).into());
        }
    };
    let (&[nodes, entries], true) = (&weight.shape[..], k > 0 && !weight.numbers.is_empty()) else {
        return Err(misfit(format!("weights of shape {:?}", weight.shape)).into());
    };
    if wires.len() != nodes * k {
        return Err(misfit(format!("weights of {nodes} nodes, wiring of {}", wires.len() / k)).into());
    }
    let mut wires = tables::transposed(&wires, k);
    tables::reversed(&mut wires, k);
    let tables = hard(&weight.numbers, entries, k, parametrization, weight.kind);
    network.dense(module, k, &wires, &tables)
}

/// Every kernel is a tree of tables at each of its places; a level becomes a layer.
fn convolution(
    checkpoint: &Checkpoint<'_>,
    network: &mut Network<'_, '_>,
    module: &str,
    parametrization: Option<Parametrization>,
    window: Window,
) -> Result<()> {
    let misfit = |message: String| Box::new(checkpoint.refuse(&codes::CHECKPOINT_MISFIT, module, message));
    let image @ [channels, h, w] = network.image(module)?;
    let leaves = checkpoint.wholes(&of(module, "connections._indices_L0"))?;
    let &[k, kernels, places, first, 3] = &leaves.shape[..] else {
        return Err(misfit(format!(
            "wiring of shape {:?}, not of an image's rows, columns and channels",
            leaves.shape
        )));
    };
    let out = window.places([h, w]).filter(|[rows, columns]| rows * columns == places);
    let Some([rows, columns]) = out else {
        let message = format!("{places} places do not fit windows {window:?} on an image of {h} x {w}");
        return Err(misfit(message));
    };
    if !(1..=6).contains(&k) || leaves.numbers.is_empty() {
        return Err(misfit(format!("tables of {k} inputs, {} leaves", leaves.numbers.len())));
    }
    let depth = (0..).take_while(|l| checkpoint.has(&of(module, &format!("tree_weights.{l}")))).count();
    let mut nodes = first;
    let mut width = 0;
    for level in 0..depth {
        let weight = checkpoint.floats(&of(module, &format!("tree_weights.{level}")))?;
        let &[found, of_kernels, entries] = &weight.shape[..] else {
            return Err(misfit(format!("weights of shape {:?} at level {level}", weight.shape)));
        };
        let last = level + 1 == depth;
        if (found, of_kernels) != (nodes, kernels) || (last && nodes != 1) || (level > 0 && nodes * k != width) {
            let message =
                format!("level {level} has {found} nodes of {of_kernels} kernels instead of {nodes} of {kernels}");
            return Err(misfit(message));
        }
        if entries != if parametrization == Some(Parametrization::Raw) { 16 } else { 1 << k } {
            return Err(misfit(format!("{entries} weights a node of {k} inputs at level {level}")));
        }
        let tables = hard(&weight.numbers, entries, k, parametrization, weight.kind);
        let table = |node: usize, kernel: usize| std::slice::from_ref(&tables[node * kernels + kernel]);
        if tables.len() != nodes * kernels * words_per_table(k) {
            return Err(misfit(format!("{} tables at level {level}", tables.len())));
        }
        let mut luts = Luts::new(k);
        let mut wires = vec![0; k];
        let children = match level {
            0 => Vec::new(),
            _ => checkpoint.wholes(&of(module, &format!("connections._indices_L{level}")))?.numbers,
        };
        if level > 0 && (children.len() != nodes * k || children.iter().any(|&c| !(c >= 0.0 && c < (nodes * k) as f64)))
        {
            return Err(misfit(format!("the wiring of level {level} leads outside the level before")));
        }
        for kernel in 0..kernels {
            for place in 0..places {
                for node in 0..nodes {
                    for j in 0..k {
                        // Input 0 is the highest bit of the address.
                        wires[k - 1 - j] = if level == 0 {
                            let at = ((j * kernels + kernel) * places + place) * nodes + node;
                            let [r, q, c] = [0, 1, 2].map(|i| leaves.numbers[at * 3 + i]);
                            let inside = |x: f64, n: usize| x >= 0.0 && x < n as f64;
                            let padded = [h + 2 * window.padding[0], w + 2 * window.padding[1]];
                            if !inside(r, padded[0]) || !inside(q, padded[1]) || !inside(c, channels) {
                                let message = format!(
                                    "reads row {r}, column {q}, channel {c} of {padded:?} x {channels} channels"
                                );
                                return Err(misfit(message));
                            }
                            let [r, q] =
                                [r as isize - window.padding[0] as isize, q as isize - window.padding[1] as isize];
                            network.bit(image, c as usize, r, q)
                        } else {
                            let before = (kernel * places + place) * nodes * k;
                            (before + children[j * nodes + node] as usize) as u32
                        };
                    }
                    luts.push(table(node, kernel), &wires, network.width());
                }
            }
        }
        let shape = if last { vec![kernels, rows, columns] } else { vec![luts.nodes()] };
        network.push(luts, shape);
        width = nodes;
        nodes /= k;
    }
    if depth == 0 { Err(misfit("a tree without levels".into())) } else { Ok(()) }
}

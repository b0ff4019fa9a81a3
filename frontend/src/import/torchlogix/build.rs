//! Layers of torchlogix as tables.

use blc_ir::diag::Result;

use super::super::checkpoint::{Checkpoint, Kind, Tensor};
use super::super::network::{Axis, Network};
use super::super::sidecar::{LayerKind, LayerSpec, OneOrMany, Parametrization, Sidecar};
use super::super::tables;
use super::of;
use crate::codes;
use crate::model::{Luts, words_per_table};

/// Adds a layer to the network.
///
/// Errors: `BL1404`, `BL1407`, `BL1408`, `BL1412`, `BL1413`, `BL1416`.
pub fn layer(
    checkpoint: &Checkpoint<'_>,
    network: &mut Network<'_, '_>,
    layer: &LayerSpec,
    sidecar: &Sidecar,
    index: usize,
) -> Result<()> {
    let module = layer.module.as_deref().unwrap_or("");
    let place = format!("layers[{index}]");
    let contradicts = |message: &str| Box::new(checkpoint.refuse(&codes::SIDECAR_CONTRADICTS, &place, message));
    // A number for each axis.
    let each = |n: &Option<OneOrMany<usize>>, axes: usize| {
        let all = n.as_ref().and_then(|n| n.spread(axes)).filter(|p| p.iter().all(|&n| n <= 1 << 16));
        all.ok_or_else(|| contradicts("sizes are one number or one for each axis of the image, below 65537"))
    };
    let window = |kind: LayerKind, size: &Option<OneOrMany<usize>>| {
        let axes = kind.axes();
        let (size, stride, padding) = (each(size, axes)?, each(&layer.stride, axes)?, each(&layer.padding, axes)?);
        let plain = |a: usize| Axis { size: size[a], stride: stride[a], padding: padding[a], spread: 1, end: 0 };
        if !kind.is_transposed() {
            return Ok((0..axes).map(plain).collect::<Vec<_>>());
        }
        let end = each(&layer.output_padding, axes)?;
        // The library takes the padding of the first axis for all.
        let Some(padding) = size[0].checked_sub(1 + padding[0]).filter(|_| stride.iter().all(|&s| s > 0)) else {
            return Err(contradicts(
                "a transposed convolution has a stride, and less padding than its window has places",
            ));
        };
        let spread = |a: usize| Axis { size: size[a], stride: 1, padding, spread: stride[a], end: end[a] };
        Ok((0..axes).map(spread).collect())
    };
    match layer.kind {
        None => Ok(()),
        Some(LayerKind::Flatten) => {
            network.flatten();
            Ok(())
        }
        Some(LayerKind::Residual) => network.part(&place),
        Some(LayerKind::ResidualEnd) => network.join(&place),
        Some(LayerKind::Binarization) => {
            // Negative dimensions are counted from that of the bits, which stands last.
            let axes = network.shape().len() as i64;
            let channels = match layer.feature_dim {
                _ if axes == 1 => false,
                Some(dim) if dim == -2 || dim == axes => false,
                Some(dim) if dim == 1 || dim == -1 - axes => true,
                _ => return Err(contradicts("feature_dim is 1, bits become channels, or -2")),
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
        Some(LayerKind::Dense) => dense(checkpoint, network, module, layer.parametrization),
        Some(kind @ (LayerKind::OrPool2d | LayerKind::OrPool3d)) => {
            network.or_pool(&place, &window(kind, &layer.kernel_size)?)
        }
        Some(kind) => {
            let window = window(kind, &layer.receptive_field_size)?;
            convolution(checkpoint, network, module, layer.parametrization, &window)
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

/// Tables that read any bits.
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
    window: &[Axis],
) -> Result<()> {
    let misfit = |message: String| Box::new(checkpoint.refuse(&codes::CHECKPOINT_MISFIT, module, message));
    let axes = window.len();
    let (channels, image) = network.image(module, axes)?;
    let leaves = checkpoint.wholes(&of(module, "connections._indices_L0"))?;
    let &[k, kernels, places, first, coordinates] = &leaves.shape[..] else {
        return Err(misfit(format!("wiring of shape {:?}", leaves.shape)));
    };
    if coordinates != axes + 1 {
        return Err(misfit(format!("wiring of {coordinates} coordinates over an image of {axes} axes with channels")));
    }
    let out: Option<Vec<usize>> = window.iter().zip(&image).map(|(axis, &n)| axis.places(n)).collect();
    let Some(out) = out.filter(|out| out.iter().try_fold(1usize, |n, &m| n.checked_mul(m)) == Some(places)) else {
        return Err(misfit(format!("{places} places do not fit windows {window:?} on an image of {image:?}")));
    };
    let padded: Vec<usize> = window.iter().zip(&image).map(|(axis, &n)| axis.padded(n).unwrap_or(0)).collect();
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
                            let place = &leaves.numbers[at * coordinates..][..coordinates];
                            let inside = |x: f64, n: usize| x >= 0.0 && x < n as f64;
                            let sizes = padded.iter().chain([&channels]);
                            if !place.iter().zip(sizes).all(|(&x, &n)| inside(x, n)) {
                                let message = format!("reads {place:?} of {padded:?} x {channels} channels");
                                return Err(misfit(message));
                            }
                            let sources = (0..axes).map(|a| window[a].source(place[a] as usize, image[a]));
                            network.bit(place[axes] as usize, sources)
                        } else {
                            let before = (kernel * places + place) * nodes * k;
                            (before + children[j * nodes + node] as usize) as u32
                        };
                    }
                    luts.push(table(node, kernel), &wires, network.width());
                }
            }
        }
        let shape = if last { [vec![kernels], out.clone()].concat() } else { vec![luts.nodes()] };
        network.push(luts, shape);
        width = nodes;
        nodes /= k;
    }
    if depth == 0 { Err(misfit("a tree without levels".into())) } else { Ok(()) }
}

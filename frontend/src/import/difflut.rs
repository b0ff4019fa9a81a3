//! difflut 1.4 (<https://gitlab.ethz.ch/disco-students/hs25/difflut>), BitLogic's first library: a module for every node.
//!
//! | tensor of a layer | shape | |
//! |---|---|---|
//! | `_mapping_indices` | `[nodes, k]` | fixed wiring |
//! | `mapping.W` | `[nodes * k, inputs]` | learnable: input `j` of node `n` is the largest of row `n * k + j` |
//! | `nodes.n.raw_weights` | `[2^k, out]` | probabilistic: an entry is 1 where sigmoid(w / temperature) is at least 1/2 |
//! | `nodes.n.raw_luts` | `[out, 2^k]` | hybrid and dwn_stable: the same of w |
//! | `nodes.n.luts` | `[out, 2^k]` | dwn: 1 where at least 1/2 |
//! | `nodes.n.coefficients` | `[2^k, out]` | warp: 1 where the sum of coefficients, each times the product of `2x - 1` over its inputs, is above 0 |
//! | `nodes.n.weights`, `indices` | `[out, 16]`, `[out, 2]` | difflogic: bit `2a + b` of the number of the largest weight |
//! | `nodes.n.weights`, `exponent_matrix` | `[terms, out]`, `[terms, k]` | polylut: 1 where the polynomial is at least 0 |
//! | `nodes.n.weights`, perhaps `bias` | `[k, out]`, `[out]` | linear: 1 where the sum is at least 0 |
//! | `nodes.n.layers.i`, `skip_layers.i` | | neurallut: 1 where the small network gives at least 0 |
//! | `nodes.n.amplitudes`, `phases`, `frequencies`, `bias` | `[terms, out]`, `[terms, out]`, `[terms, k]`, `[out]` | fourier: 1 where the sum of cosines is at least 1/2 |
//! | `encoder.thresholds` | `[features, bits]` | `x > threshold`, bit `feature * bits + t` |
//!
//! Input `j` is bit `j` of an address. Output `o` of node `n` is bit `n * out + o`. Evaluation is the library's hard one: of difflogic
//! nodes the mode `deterministic`, of warp nodes `threshold`, of fourier nodes that of its Python code (its CUDA code gives real
//! numbers). Sums are taken in double precision: where one lies within a rounding of its bound, the library's own result depends
//! on the machine. `GroupSum` pads the last bits with zeros until the classes divide them.

use blc_ir::diag::Result;

use super::checkpoint::{Checkpoint, Tensor};
use super::network::Network;
use super::sequence::{Role, by_tensor, sequence};
use super::sidecar::{Activation, Form, Sidecar};
use super::{ask_ends, begin, tables};
use crate::codes;
use crate::model::{MAX_FAN_IN, Model, words_per_table};

/// Most layers of a neurallut node, and numbers between them.
const MAX_LAYERS: usize = 64;
const MAX_WIDTH: usize = 1 << 12;
/// Most words of a layer's tables: 1 GiB. A few weights may stand for a table of 65,536 entries.
const MAX_WORDS: usize = 1 << 27;

/// A checkpoint as a model.
///
/// Errors: `BL1404` to `BL1417`.
pub fn import(checkpoint: &Checkpoint<'_>, sidecar: &Sidecar) -> Result<Model> {
    let (layers, classes) = layers(checkpoint, sidecar)?;
    let encoder = checkpoint.names().find(|n| *n == "thresholds" || n.ends_with(".thresholds")).map(str::to_owned);
    let thresholds = encoder.as_ref().map(|name| checkpoint.floats(name)).transpose()?;
    let shape = thresholds.as_ref().and_then(|t| Some(vec![*t.shape.first()?]));
    let mut form = Form::new("difflut");
    ask_ends(&mut form, sidecar, shape.as_ref(), classes);
    let has = |tensor: &str| checkpoint.names().any(|n| n.contains("nodes.") && n.ends_with(tensor));
    if has(".layers.0.weight") {
        form.ask_above("activation", sidecar.activation.as_ref(), "of the neurallut nodes: relu, leakyrelu or sigmoid");
    }
    if has(".amplitudes") {
        form.ask_above(
            "max_amplitude",
            sidecar.max_amplitude.as_ref(),
            "of the fourier nodes; 1.0 where it was not given",
        );
    }
    form.check(checkpoint)?;
    let mut network = begin(checkpoint, sidecar, shape.as_ref(), encoder.is_some())?;
    if let (Some(name), Some(thresholds)) = (&encoder, &thresholds) {
        let &[rows, _] = &thresholds.shape[..] else {
            let message = format!("thresholds of shape {:?}, not [features, bits]", thresholds.shape);
            return Err(checkpoint.refuse(&codes::CHECKPOINT_MISFIT, name, message).into());
        };
        network.encode(name, rows, &thresholds.numbers, false, &sidecar.input)?;
    }
    network.flatten();
    for module in &layers {
        layer(checkpoint, &mut network, module, sidecar)?;
    }
    // The head's temperature.
    for name in checkpoint.names().filter(|n| *n == "tau" || n.ends_with(".tau")) {
        checkpoint.leave(name);
    }
    checkpoint.finish()?;
    let classes = sidecar.classes.or(classes).unwrap_or(0);
    network.pad(classes);
    network.finish(classes)
}

/// The layers' names in order, and the number of classes where a module that was saved whole says it.
fn layers(checkpoint: &Checkpoint<'_>, sidecar: &Sidecar) -> Result<(Vec<String>, Option<usize>)> {
    let Some(pickle) = checkpoint.pickle().filter(|_| !checkpoint.modules.is_empty()) else {
        return Ok((by_tensor(checkpoint, sidecar, &["_mapping_indices", "mapping.W"], "difflut")?, None));
    };
    let role = |module: &str, class: &str| match (module, class) {
        ("torch.nn.modules.container", "ModuleList") => Role::Container,
        ("torch.nn.modules.flatten", "Flatten") => Role::Nothing,
        ("difflut.models.feedforward", "SimpleFeedForward") => Role::Container,
        ("difflut.layers.random_layer", "RandomLayer") => Role::Layer(true),
        ("difflut.layers.learnable_layer", "LearnableLayer") => Role::Layer(true),
        (
            "difflut.encoder.thermometer",
            "ThermometerEncoder" | "GaussianThermometerEncoder" | "DistributiveThermometerEncoder",
        ) => Role::Layer(false),
        ("difflut.utils.modules" | "difflut.heads.groupsum", "GroupSum") => Role::Head("k"),
        _ => Role::Unknown,
    };
    let (found, classes) = sequence(checkpoint, role)?;
    let drawn = |key: &super::checkpoint::Module| {
        key.class.1 == "GroupSum"
            && pickle
                .field(key.id, "use_randperm")
                .is_some_and(|id| *pickle.get(id) == super::pickle::Value::Bool(true))
    };
    if let Some(head) = checkpoint.modules.iter().find(|m| drawn(m)) {
        let message = "GroupSum with use_randperm draws another order of bits each time";
        return Err(checkpoint.refuse(&codes::CHECKPOINT_DRAWN, &head.path, message).into());
    }
    Ok((found.into_iter().filter(|(_, lut)| *lut).map(|(m, _)| m.path.clone()).collect(), classes))
}

/// `module` and a name inside it.
fn of(module: &str, tensor: &str) -> String {
    if module.is_empty() { tensor.to_owned() } else { format!("{module}.{tensor}") }
}

fn layer(checkpoint: &Checkpoint<'_>, network: &mut Network<'_, '_>, module: &str, sidecar: &Sidecar) -> Result<()> {
    let misfit = |message: String| checkpoint.refuse(&codes::CHECKPOINT_MISFIT, module, message);
    let node = |n: usize| of(module, &format!("nodes.{n}"));
    // Names of a node are looked up by what is in it, so that a layer of many costs one look at each.
    let kind = KINDS.iter().find(|kind| checkpoint.has(&of(&node(0), kind.tensor)));
    let Some(kind) = kind else {
        let message = "nodes.0 has no tensors of a node that is known";
        return Err(checkpoint.refuse(&codes::CHECKPOINT_LACKS, module, message).into());
    };
    let nodes = (0..).take_while(|&n| checkpoint.has(&of(&node(n), kind.tensor))).count();
    let (k, wires) = wiring(checkpoint, module, nodes)?;
    if !(1..=MAX_FAN_IN).contains(&k) {
        let message = format!("tables of {k} inputs; they have 1 to {MAX_FAN_IN}");
        return Err(checkpoint.refuse(&codes::CHECKPOINT_WIDE, module, message).into());
    }
    let (mut hard, mut read) = (Vec::new(), Vec::new());
    for (n, row) in wires.chunks_exact(k).enumerate() {
        let name = node(n);
        for rest in LEFT {
            checkpoint.leave(&of(&name, rest));
        }
        let outputs = (kind.tables)(&Node { checkpoint, name: &name, k, sidecar }, &mut hard)?;
        if outputs == 0 {
            return Err(misfit(format!("node {n} has no output")).into());
        }
        (0..outputs).for_each(|_| read.extend_from_slice(row));
    }
    network.dense(module, k, &read, &hard)
}

/// What the nodes of a layer read, `[nodes, k]`, and `k`.
fn wiring(checkpoint: &Checkpoint<'_>, module: &str, nodes: usize) -> Result<(usize, Vec<f64>)> {
    let misfit = |shape: &[usize]| {
        let message = format!("wiring of shape {shape:?} for {nodes} nodes");
        checkpoint.refuse(&codes::CHECKPOINT_MISFIT, module, message)
    };
    let learnt = of(module, "mapping.W");
    if !checkpoint.has(&learnt) {
        let fixed = checkpoint.wholes(&of(module, "_mapping_indices"))?;
        return match fixed.shape[..] {
            [rows, k] if rows == nodes => Ok((k, fixed.numbers)),
            _ => Err(misfit(&fixed.shape).into()),
        };
    }
    for cache in ["mapping._cached_hard_indices", "mapping._cached_hard_mask"] {
        checkpoint.leave(&of(module, cache));
    }
    let scores = checkpoint.floats(&learnt)?;
    match scores.shape[..] {
        [slots, inputs] if inputs > 0 && slots % nodes == 0 => {
            let choose = |row: &[f64]| tables::argmax(row.iter().copied()) as f64;
            Ok((slots / nodes, scores.numbers.chunks_exact(inputs).map(choose).collect()))
        }
        _ => Err(misfit(&scores.shape).into()),
    }
}

/// A node whose tables are asked for.
struct Node<'a, 'b> {
    checkpoint: &'a Checkpoint<'b>,
    name: &'a str,
    k: usize,
    sidecar: &'a Sidecar,
}

/// A kind of node: a tensor that only it has, of those not asked before, and how its tables come of it. The function appends a
/// table for each output, and gives their number.
struct NodeKind {
    tensor: &'static str,
    tables: fn(&Node<'_, '_>, &mut Vec<u64>) -> Result<usize>,
}

static KINDS: [NodeKind; 9] = [
    NodeKind { tensor: "raw_weights", tables: probabilistic },
    NodeKind { tensor: "raw_luts", tables: |node, out| node.rows("raw_luts", out, half) },
    NodeKind { tensor: "luts", tables: |node, out| node.rows("luts", out, |x| x as f32 >= 0.5) },
    NodeKind { tensor: "coefficients", tables: warp },
    NodeKind { tensor: "indices", tables: difflogic },
    NodeKind { tensor: "exponent_matrix", tables: polynomial },
    NodeKind { tensor: "weights", tables: linear },
    NodeKind { tensor: "layers.0.weight", tables: neural },
    NodeKind { tensor: "amplitudes", tables: fourier },
];

/// What says nothing that is not known: constants, and what only training reads.
const LEFT: [&str; 7] =
    ["binary_combinations", "temperature", "alpha", "beta", "gradient_scale", "truth_tables", "lut_table"];

/// Whether a sigmoid in single precision, as the library takes it, is at least one half.
fn half(x: f64) -> bool {
    1.0 / (1.0 + (-x as f32).exp()) >= 0.5
}

impl Node<'_, '_> {
    fn floats(&self, tensor: &str) -> Result<Tensor> {
        self.checkpoint.floats(&of(self.name, tensor))
    }

    fn misfit(&self, tensor: &str, shape: &[usize]) -> Box<blc_ir::diag::Diagnostic> {
        let message = format!("{tensor} of shape {shape:?} in a node of {} inputs", self.k);
        Box::new(self.checkpoint.refuse(&codes::CHECKPOINT_MISFIT, self.name, message))
    }

    /// A tensor `[rows, columns]` with a given number of one of both.
    fn matrix(&self, tensor: &str, rows: Option<usize>, columns: Option<usize>) -> Result<(Tensor, usize, usize)> {
        let found = self.floats(tensor)?;
        match found.shape[..] {
            [r, c] if rows.is_none_or(|n| n == r) && columns.is_none_or(|n| n == c) => Ok((found, r, c)),
            _ => Err(self.misfit(tensor, &found.shape)),
        }
    }

    /// Refuses more outputs than tables are kept of.
    fn room(&self, outputs: usize, out: &[u64]) -> Result<()> {
        if outputs.saturating_mul(words_per_table(self.k)).saturating_add(out.len()) <= MAX_WORDS {
            return Ok(());
        }
        let message = format!("the tables of this layer take more than {} MiB", MAX_WORDS >> 17);
        Err(self.checkpoint.refuse(&codes::CHECKPOINT_WIDE, self.name, message).into())
    }

    /// Tables of `[out, 2^k]`.
    fn rows(&self, tensor: &str, out: &mut Vec<u64>, one: fn(f64) -> bool) -> Result<usize> {
        let (entries, outputs, columns) = self.matrix(tensor, None, Some(1 << self.k))?;
        self.room(outputs, out)?;
        for row in entries.numbers.chunks_exact(columns) {
            tables::push(out, self.k, |a| one(row[a]));
        }
        Ok(outputs)
    }
}

fn probabilistic(node: &Node<'_, '_>, out: &mut Vec<u64>) -> Result<usize> {
    let temperature = of(node.name, "temperature");
    let temperature = if node.checkpoint.has(&temperature) {
        node.checkpoint.floats(&temperature)?.numbers.first().map_or(1.0, |&t| t.max(1e-6) as f32)
    } else {
        1.0
    };
    let (entries, _, outputs) = node.matrix("raw_weights", Some(1 << node.k), None)?;
    node.room(outputs, out)?;
    for o in 0..outputs {
        tables::push(out, node.k, |a| half((entries.numbers[a * outputs + o] as f32 / temperature).into()));
    }
    Ok(outputs)
}

fn warp(node: &Node<'_, '_>, out: &mut Vec<u64>) -> Result<usize> {
    let (coefficients, count, outputs) = node.matrix("coefficients", Some(1 << node.k), None)?;
    node.room(outputs, out)?;
    for o in 0..outputs {
        tables::push(out, node.k, |a| {
            // A factor of -1 for each input of the term that is 0.
            let term = |s: usize| {
                let c = coefficients.numbers[s * outputs + o];
                if (s & !a).count_ones() % 2 == 1 { -c } else { c }
            };
            (0..count).map(term).sum::<f64>() > 0.0
        });
    }
    Ok(outputs)
}

fn difflogic(node: &Node<'_, '_>, out: &mut Vec<u64>) -> Result<usize> {
    let (weights, outputs, _) = node.matrix("weights", None, Some(16))?;
    node.room(outputs, out)?;
    let inputs = node.checkpoint.wholes(&of(node.name, "indices"))?;
    let inside = |&x: &f64| x >= 0.0 && x < node.k as f64;
    if inputs.shape != [outputs, 2] || !inputs.numbers.iter().all(inside) {
        return Err(node.misfit("indices", &inputs.shape));
    }
    for (row, pair) in weights.numbers.chunks_exact(16).zip(inputs.numbers.chunks_exact(2)) {
        let (id, a, b) = (tables::argmax(row.iter().copied()), pair[0] as usize, pair[1] as usize);
        tables::push(out, node.k, |x| id >> (2 * (x >> a & 1) + (x >> b & 1)) & 1 == 1);
    }
    Ok(outputs)
}

fn polynomial(node: &Node<'_, '_>, out: &mut Vec<u64>) -> Result<usize> {
    let (exponents, terms, _) = node.matrix("exponent_matrix", None, Some(node.k))?;
    let (weights, _, outputs) = node.matrix("weights", Some(terms), None)?;
    node.room(outputs, out)?;
    // The inputs of each term; powers of bits are the bits.
    let inputs = |row: &[f64]| (0..node.k).filter(|&j| row[j] > 0.0).fold(0, |mask, j| mask | 1usize << j);
    let masks: Vec<usize> = exponents.numbers.chunks_exact(node.k).map(inputs).collect();
    for o in 0..outputs {
        let weight = |t: usize| weights.numbers[t * outputs + o];
        tables::push(out, node.k, |a| (0..terms).filter(|&t| a & masks[t] == masks[t]).map(weight).sum::<f64>() >= 0.0);
    }
    Ok(outputs)
}

fn linear(node: &Node<'_, '_>, out: &mut Vec<u64>) -> Result<usize> {
    let (weights, _, outputs) = node.matrix("weights", Some(node.k), None)?;
    node.room(outputs, out)?;
    let bias = match node.checkpoint.has(&of(node.name, "bias")) {
        true => node.floats("bias")?.numbers,
        false => vec![0.0; outputs],
    };
    if bias.len() != outputs {
        return Err(node.misfit("bias", &[bias.len()]));
    }
    for (o, bias) in bias.iter().enumerate() {
        tables::push(out, node.k, |a| {
            let sum: f64 = (0..node.k).filter(|j| a >> j & 1 == 1).map(|j| weights.numbers[j * outputs + o]).sum();
            sum + bias >= 0.0
        });
    }
    Ok(outputs)
}

/// `weight [out, in]` and `bias [out]`.
struct Dense {
    weight: Tensor,
    bias: Vec<f64>,
}

impl Dense {
    fn read(node: &Node<'_, '_>, name: &str, inputs: usize) -> Result<Self> {
        let (weight, outputs, _) = node.matrix(&format!("{name}.weight"), None, Some(inputs))?;
        let bias = node.floats(&format!("{name}.bias"))?.numbers;
        if bias.len() != outputs || !(1..=MAX_WIDTH).contains(&outputs) || inputs == 0 {
            return Err(node.misfit(&format!("{name}.bias"), &[bias.len()]));
        }
        Ok(Self { weight, bias })
    }

    fn run(&self, x: &[f64]) -> Vec<f64> {
        let rows = self.weight.numbers.chunks_exact(x.len());
        rows.zip(&self.bias).map(|(row, b)| b + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()).collect()
    }
}

fn neural(node: &Node<'_, '_>, out: &mut Vec<u64>) -> Result<usize> {
    let (mut layers, mut skips, mut width) = (Vec::new(), Vec::new(), node.k);
    for i in (0..MAX_LAYERS).take_while(|i| node.checkpoint.has(&of(node.name, &format!("layers.{i}.weight")))) {
        let layer = Dense::read(node, &format!("layers.{i}"), width)?;
        width = layer.bias.len();
        let name = format!("skip_layers.{i}");
        let skip = node.checkpoint.has(&of(node.name, &format!("{name}.weight")));
        let skip = skip.then(|| Dense::read(node, &name, node.k)).transpose()?;
        if skip.as_ref().is_some_and(|skip| skip.bias.len() != width) {
            return Err(node.misfit(&name, &[width]));
        }
        layers.push(layer);
        skips.push(skip);
    }
    node.room(width, out)?;
    let curve = |x: f64| match node.sidecar.activation {
        Some(Activation::Sigmoid) => 1.0 / (1.0 + (-x).exp()),
        Some(Activation::Leakyrelu) => x.max(0.01 * x),
        Some(Activation::Relu) | None => x.max(0.0),
    };
    let corners: Vec<Vec<f64>> = (0..1usize << node.k)
        .map(|a| {
            let x: Vec<f64> = (0..node.k).map(|j| (a >> j & 1) as f64).collect();
            let mut h = x.clone();
            for (i, (layer, skip)) in layers.iter().zip(&skips).enumerate() {
                h = layer.run(&h);
                let past = skip.iter().flat_map(|skip| skip.run(&x));
                h.iter_mut().zip(past).for_each(|(h, s)| *h += s);
                if i + 1 < layers.len() {
                    h.iter_mut().for_each(|h| *h = curve(*h));
                }
            }
            h
        })
        .collect();
    (0..width).for_each(|o| tables::push(out, node.k, |a| corners[a][o] >= 0.0));
    Ok(width)
}

fn fourier(node: &Node<'_, '_>, out: &mut Vec<u64>) -> Result<usize> {
    let (frequencies, terms, _) = node.matrix("frequencies", None, Some(node.k))?;
    let (amplitudes, _, outputs) = node.matrix("amplitudes", Some(terms), None)?;
    node.room(outputs, out)?;
    let (phases, ..) = node.matrix("phases", Some(terms), Some(outputs))?;
    let bias = node.floats("bias")?.numbers;
    if bias.len() != outputs {
        return Err(node.misfit("bias", &[bias.len()]));
    }
    let most = node.sidecar.max_amplitude.unwrap_or(1.0);
    for (o, bias) in bias.iter().enumerate() {
        let at = |tensor: &Tensor, t: usize| tensor.numbers[t * outputs + o];
        let all: f64 = (0..terms).map(|t| at(&amplitudes, t)).sum::<f64>() + 1e-8;
        tables::push(out, node.k, |a| {
            let wave = |t: usize| {
                let row = &frequencies.numbers[t * node.k..][..node.k];
                let turns: f64 = (0..node.k).filter(|j| a >> j & 1 == 1).map(|j| row[j]).sum();
                at(&amplitudes, t) / all * most * (std::f64::consts::TAU * turns + at(&phases, t)).cos()
            };
            (0..terms).map(wave).sum::<f64>() + bias >= 0.5
        });
    }
    Ok(outputs)
}

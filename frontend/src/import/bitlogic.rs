//! BitLogic's rewrite of 2026 (<https://aplesner.github.io/bitlogic>).
//!
//! Its documentation says what `LogicDense.get_luts_and_ids()` gives, tables and the inputs that each node reads, but not how the
//! weights behind them are kept. So it is these that are read, saved as [`HOW`] says, and a plain state_dict is refused:
//!
//! | tensor of layer `i` | shape | |
//! |---|---|---|
//! | `i.luts` | `[nodes, 2^k]` | input 0 is the highest bit of the address |
//! | `i.ids` | `[nodes, k]` or `[k, nodes]` | bits of the layer before |
//! | `i.thresholds` | `[rows, bits]` | of the encoder, where there is one: bit `channel * bits + t` is `x > threshold` |

use blc_ir::diag::Result;

use super::checkpoint::Checkpoint;
use super::network::Network;
use super::sequence::by_tensor;
use super::sidecar::{Form, Sidecar};
use super::{ask_ends, begin, tables};
use crate::codes;
use crate::model::Model;

/// Python that saves a network so that it can be read.
const HOW: &str = "tables = {}
for i, m in enumerate(model):  # a torch.nn.Sequential
    if hasattr(m, \"get_luts_and_ids\"):
        luts, ids = m.get_luts_and_ids()
        tables[f\"{i}.luts\"], tables[f\"{i}.ids\"] = luts.to(torch.uint8), ids.long()
    elif getattr(m, \"thresholds\", None) is not None:
        assert m.encode_axis == 1
        tables[f\"{i}.thresholds\"] = m.thresholds.reshape(-1, m.num_bits)
torch.save(tables, \"tables.pt\")";

/// A checkpoint as a model.
///
/// Errors: `BL1404` to `BL1418`.
pub fn import(checkpoint: &Checkpoint<'_>, sidecar: &Sidecar) -> Result<Model> {
    let has = |tensor: &str| checkpoint.names().any(|n| n == tensor || n.ends_with(&format!(".{tensor}")));
    if has("weight") && !has("luts") {
        let message = "weights of BitLogic's rewrite, not the tables made of them";
        let help = format!("save the tables, then import that file:\n{HOW}");
        return Err(checkpoint.refuse(&codes::WEIGHTS_PRIVATE, "", message).help(help).into());
    }
    let layers = by_tensor(checkpoint, sidecar, &["luts"], "bitlogic")?;
    let mut form = Form::new("bitlogic");
    ask_ends(&mut form, sidecar, None, None);
    form.check(checkpoint)?;
    let encoder = checkpoint.names().find(|n| n.ends_with("thresholds")).map(str::to_owned);
    let mut network = begin(checkpoint, sidecar, None, encoder.is_some())?;
    if let Some(name) = &encoder {
        let thresholds = checkpoint.floats(name)?;
        let &[rows, bits] = &thresholds.shape[..] else {
            let message = format!("thresholds of shape {:?}, not [rows, bits]", thresholds.shape);
            return Err(checkpoint.refuse(&codes::CHECKPOINT_MISFIT, name, message).into());
        };
        if !thresholds.numbers.chunks(bits.max(1)).all(|row| row.is_sorted()) {
            let d = checkpoint.refuse(&codes::CHECKPOINT_MISFIT, name, "thresholds that do not ascend along a row");
            return Err(d.help("a row holds the thresholds of one channel or feature: [rows, bits]").into());
        }
        network.encode(name, rows, &thresholds.numbers, true, &sidecar.input)?;
    }
    network.flatten();
    for layer in &layers {
        lut_layer(checkpoint, &mut network, layer)?;
    }
    checkpoint.finish()?;
    network.finish(sidecar.classes.unwrap_or(0))
}

fn lut_layer(checkpoint: &Checkpoint<'_>, network: &mut Network<'_, '_>, module: &str) -> Result<()> {
    let of = |tensor: &str| if module.is_empty() { tensor.to_owned() } else { format!("{module}.{tensor}") };
    let misfit = |message: String| checkpoint.refuse(&codes::CHECKPOINT_MISFIT, module, message);
    let (luts, ids) = (checkpoint.wholes(&of("luts"))?, checkpoint.wholes(&of("ids"))?);
    let (&[nodes, entries], Some(k)) = (&luts.shape[..], luts.shape.last().and_then(|&n| tables::fan_in(n))) else {
        return Err(misfit(format!("tables of shape {:?}, not [nodes, 2^inputs]", luts.shape)).into());
    };
    if luts.numbers.iter().any(|&x| x != 0.0 && x != 1.0) {
        return Err(misfit("entries of tables that are neither 0 nor 1".into()).into());
    }
    let mut wires = match ids.shape[..] {
        // Which of both a square is, nothing says.
        [a, b] if (a, b) == (nodes, k) && nodes != k => ids.numbers,
        [a, b] if (a, b) == (k, nodes) && nodes != k => tables::transposed(&ids.numbers, k),
        [a, b] if a == b => {
            let d = misfit(format!("wiring of shape [{a}, {b}], which may be [nodes, inputs] or [inputs, nodes]"));
            return Err(d.help("add a node that the head does not read").into());
        }
        _ => return Err(misfit(format!("wiring of shape {:?} for {nodes} nodes of {k} inputs", ids.shape)).into()),
    };
    tables::reversed(&mut wires, k);
    let mut hard = Vec::new();
    if k <= crate::model::MAX_FAN_IN {
        for row in luts.numbers.chunks_exact(entries) {
            tables::push(&mut hard, k, |address| row[address] == 1.0);
        }
    }
    network.dense(module, k, &wires, &hard)
}

//! The whole state of a run in a safetensors file, so that it can stop and go on to the same bits.
//!
//! Random numbers need no state: each epoch's derive from the seed and the epoch's number. Wiring and encoder derive
//! from configuration and data, whose fingerprint the file carries; a file with another fingerprint is refused.

use std::collections::HashMap;
use std::path::Path;

use blc_ir::diag::{Diagnostic, Result};
use candle_core::Tensor;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::compute::Compute;
use super::config::Config;
use super::optim::Parameter;
use super::report::{Accuracy, EpochReport};
use super::{internal, tensors};
use crate::data::{Dataset, Features};
use crate::{codes, files};

/// Changes whenever the same configuration and data would train otherwise than before.
const VERSION: u32 = 4;
const KEY: &str = "blc_checkpoint";

/// Where a run is, besides the parameters and their moments.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// One entry for each completed epoch.
    pub history: Vec<EpochReport>,
    /// Steps taken.
    pub step: usize,
    /// The best epoch so far.
    pub best: Option<Best>,
}

/// The state that did best on the validation samples.
#[derive(Clone, Debug)]
pub struct Best {
    /// Counted from one.
    pub epoch: usize,
    /// Hard, on the validation samples.
    pub accuracy: Accuracy,
    /// Values of the parameters, in their order.
    pub values: Vec<Vec<f32>>,
}

/// Written as TOML, whose numbers come back to the last bit.
#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    fingerprint: String,
    step: usize,
    best: Option<BestHeader>,
    history: Vec<EpochReport>,
}

#[derive(Serialize, Deserialize)]
struct BestHeader {
    epoch: usize,
    accuracy: Accuracy,
}

/// What a checkpoint must have been made from to be continued: configuration, data and, since they round in other ways, the
/// operations.
pub fn fingerprint(config: &Config, compute: Compute, data: &Dataset) -> Result<String> {
    let mut bytes = serde_json::to_vec(&(VERSION, config, &data.shape, data.classes)).map_err(broken)?;
    if compute.is_plain() {
        bytes.extend(compute.to_string().bytes());
    }
    match &data.train.x {
        Features::U8(x) => bytes.extend_from_slice(x),
        Features::F32(x) => x.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
    }
    data.train.y.iter().for_each(|y| bytes.extend(y.to_le_bytes()));
    Ok(files::sha256_hex(&bytes))
}

/// Writes the state, completely or not at all.
pub fn save(path: &Path, fingerprint: &str, parameters: &[(String, &Parameter)], progress: &Progress) -> Result<()> {
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    let bytes = |numbers: &[f32]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    for (i, (name, parameter)) in parameters.iter().enumerate() {
        let value = tensors::copy(&parameter.var).map_err(internal)?;
        if let Some(best) = &progress.best {
            entries.push((format!("best.{name}"), bytes(&best.values[i])));
        }
        let [mean, square] = parameter.moments().map_err(internal)?;
        entries.push((format!("{name}.mean"), bytes(&mean)));
        entries.push((format!("{name}.square"), bytes(&square)));
        entries.push((name.clone(), bytes(&value)));
    }
    let header = Header {
        version: VERSION,
        fingerprint: fingerprint.to_owned(),
        step: progress.step,
        best: progress.best.as_ref().map(|b| BestHeader { epoch: b.epoch, accuracy: b.accuracy }),
        history: progress.history.clone(),
    };
    let header = toml::to_string(&header).map_err(broken)?;
    let views = entries
        .iter()
        .map(|(name, bytes)| Ok((name, TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).map_err(broken)?)))
        .collect::<Result<Vec<_>>>()?;
    let file = safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), header)]))).map_err(broken)?;
    files::write_atomic(path, &file)
}

/// Puts a saved state into a freshly made network.
pub fn load(path: &Path, fingerprint: &str, parameters: &[(String, &Parameter)]) -> Result<Progress> {
    let refuse = |what: &str, help: &str| {
        let d = Diagnostic::error(&codes::TRAIN_CHECKPOINT, what).in_file(files::display(path), "").help(help);
        Box::new(d)
    };
    let damaged = |_| refuse("not a checkpoint, or a damaged one", "start again without --resume");
    let numbers: usize = parameters.iter().map(|(_, p)| p.len()).sum();
    let file = files::read_bounded(path, numbers as u64 * 16 + (1 << 24))?;
    let (_, metadata) = SafeTensors::read_metadata(&file).map_err(|e| damaged(e.to_string()))?;
    let header = metadata.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or_else(|| damaged(String::new()))?;
    let header: Header = toml::from_str(header).map_err(|e| damaged(e.to_string()))?;
    if header.version != VERSION || header.fingerprint != fingerprint {
        return Err(refuse(
            "the checkpoint belongs to another configuration, other data or another version",
            "resume with the configuration, seed and data of the run that wrote it, or start again without --resume",
        ));
    }
    let file = SafeTensors::deserialize(&file).map_err(|e| damaged(e.to_string()))?;
    let read = |name: &str, len: usize| -> Result<Vec<f32>> {
        let view = file.tensor(name).map_err(|e| damaged(e.to_string()))?;
        if view.dtype() != Dtype::F32 || view.shape() != [len] {
            return Err(damaged(String::new()));
        }
        let numbers: Vec<f32> =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        if numbers.iter().any(|x| !x.is_finite()) {
            return Err(damaged(String::new()));
        }
        Ok(numbers)
    };
    let mut best = header.best.map(|b| Best { epoch: b.epoch, accuracy: b.accuracy, values: Vec::new() });
    for (name, parameter) in parameters {
        let len = parameter.len();
        set(&parameter.var, &read(name, len)?)?;
        parameter.set_moments([read(&format!("{name}.mean"), len)?, read(&format!("{name}.square"), len)?]);
        if let Some(best) = &mut best {
            best.values.push(read(&format!("best.{name}"), len)?);
        }
    }
    Ok(Progress { history: header.history, step: header.step, best })
}

/// Values of all parameters, in their order.
pub fn values(parameters: &[(String, &Parameter)]) -> Result<Vec<Vec<f32>>> {
    parameters.iter().map(|(_, p)| tensors::copy(&p.var).map_err(internal)).collect()
}

/// Sets all parameters.
pub fn restore(parameters: &[(String, &Parameter)], values: &[Vec<f32>]) -> Result<()> {
    parameters.iter().zip(values).try_for_each(|((_, p), values)| set(&p.var, values))
}

fn set(var: &candle_core::Var, values: &[f32]) -> Result<()> {
    let tensor = Tensor::from_slice(values, var.shape(), var.device()).map_err(internal)?;
    var.set(&tensor).map_err(internal)
}

fn broken(e: impl std::fmt::Display) -> Box<Diagnostic> {
    Diagnostic::error(&codes::TRAIN_INTERNAL, format!("the checkpoint cannot be made: {e}")).into()
}

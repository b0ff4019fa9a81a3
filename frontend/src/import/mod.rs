//! Networks that other libraries trained: their checkpoints, as the model that is compiled.
//!
//! A checkpoint holds less than a network: not the parametrization of its weights, not its geometry, often not its input. What is
//! missing comes from a sidecar ([`Sidecar`]), or from a module that was saved whole; it is never guessed. The modules
//! `torchlogix`, `torch_dwn`, `difflut`, `bitlogic` and `wired` (difflogic, llnn) say what is in theirs.

mod bitlogic;
mod checkpoint;
mod difflut;
mod network;
mod pickle;
mod sequence;
mod sidecar;
mod tables;
#[cfg(test)]
mod tests;
mod torch_dwn;
mod torchlogix;
mod wired;

use std::path::Path;

use blc_ir::diag::Result;

pub use checkpoint::{Checkpoint, MAX_FILE};
pub use sidecar::Sidecar;

use crate::data::{Elements, npy};
use crate::model::{Dtype, MAX_NAME, Model};
use crate::{codes, files};
use network::Network;
use sidecar::Form;
use wired::Library;

/// The libraries whose checkpoints are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// torchlogix 0.2 and later.
    Torchlogix,
    /// torch-dwn, and dwn2rtl's container.
    TorchDwn,
    /// difflogic, saved whole.
    Difflogic,
    /// llnn, saved whole.
    Llnn,
    /// difflut, BitLogic's first library.
    Difflut,
    /// Tables and wiring of BitLogic's rewrite.
    Bitlogic,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Torchlogix, Self::TorchDwn, Self::Difflogic, Self::Llnn, Self::Difflut, Self::Bitlogic];

    /// As `--from` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Torchlogix => "torchlogix",
            Self::TorchDwn => "torch-dwn",
            Self::Difflogic => "difflogic",
            Self::Llnn => "llnn",
            Self::Difflut => "difflut",
            Self::Bitlogic => "bitlogic",
        }
    }

    /// The format of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }
}

/// Reads a checkpoint and its sidecar.
///
/// Errors: `BL1001`, `BL1003` and `BL1004` for the files, `BL1410` for the sidecar, those of [`from_bytes`].
pub fn read(path: &Path, format: Format, sidecar: Option<&Path>) -> Result<Model> {
    let bytes = files::read_bounded(path, MAX_FILE)?;
    let mut said = match sidecar {
        Some(path) => Sidecar::parse(&files::read_text(path, sidecar::MAX_FILE)?, &files::display(path))?,
        None => Sidecar::default(),
    };
    if let (Some(name), Some(path)) = (&mut said.input.thresholds, sidecar) {
        *name = path.parent().unwrap_or(Path::new("")).join(&*name);
    }
    from_bytes(&bytes, &files::display(path), format, &said)
}

/// A checkpoint as a model; `file` is what diagnostics call it, and names the model where the sidecar does not.
///
/// Errors: `BL1401` to `BL1418`; those of a file of thresholds that the sidecar names; those of [`Model::validate`].
pub fn from_bytes(bytes: &[u8], file: &str, format: Format, sidecar: &Sidecar) -> Result<Model> {
    let checkpoint = Checkpoint::open(bytes, file, sidecar.key.as_deref())?;
    match format {
        Format::Torchlogix => torchlogix::import(&checkpoint, sidecar),
        Format::TorchDwn => torch_dwn::import(&checkpoint, sidecar),
        Format::Difflogic => wired::import(&checkpoint, sidecar, Library::Difflogic),
        Format::Llnn => wired::import(&checkpoint, sidecar, Library::Llnn),
        Format::Difflut => difflut::import(&checkpoint, sidecar),
        Format::Bitlogic => bitlogic::import(&checkpoint, sidecar),
    }
}

/// The model's name: what the sidecar says, or the file's without its ending.
fn name(checkpoint: &Checkpoint<'_>, sidecar: &Sidecar) -> String {
    let stem = Path::new(&checkpoint.file).file_stem().map(|s| s.to_string_lossy().into_owned());
    let mut name = sidecar.name.clone().or(stem).unwrap_or_default().replace(char::is_control, "_");
    while name.len() > MAX_NAME {
        name.pop();
    }
    if name.is_empty() { "net".into() } else { name }
}

/// Asks for what every network needs: `input.shape`, `input.dtype` and `classes`.
fn ask_ends(form: &mut Form, sidecar: &Sidecar, shape: Option<&Vec<usize>>, classes: Option<usize>) {
    form.ask(
        "classes",
        sidecar.classes.or(classes).as_ref(),
        "groups of the last layer's bits; 0 where the network ends in bits",
    );
    form.table("[input]");
    form.ask(
        "shape",
        sidecar.input.shape.as_ref().or(shape),
        "of one sample: [features], [channels, rows, columns] or [channels, planes, rows, columns]",
    );
    form.ask("dtype", sidecar.input.dtype.as_ref(), "\"u8\", \"f32\", or \"bit\" where the network reads bits");
}

/// The input, and thresholds of the sidecar in front of the network where the checkpoint has none (`encoded`).
fn begin<'a, 'b>(
    checkpoint: &'a Checkpoint<'b>,
    sidecar: &Sidecar,
    shape: Option<&Vec<usize>>,
    encoded: bool,
) -> Result<Network<'a, 'b>> {
    let shape = sidecar.input.shape.as_ref().or(shape).cloned().unwrap_or_default();
    let dtype = sidecar.input.dtype.unwrap_or(Dtype::Bit);
    let contradicts = |detail: &str, message: &str| checkpoint.refuse(&codes::SIDECAR_CONTRADICTS, detail, message);
    if ![1, 3, 4].contains(&shape.len()) {
        let message = "a sample is [features], [channels, rows, columns] or [channels, planes, rows, columns]";
        return Err(contradicts("input.shape", message).into());
    }
    let mut network = Network::new(checkpoint, &name(checkpoint, sidecar), &shape, dtype)?;
    match (&sidecar.input.thresholds, encoded, dtype) {
        (Some(_), true, _) => {
            return Err(contradicts("input.thresholds", "the checkpoint has thresholds of its own").into());
        }
        (None, true, Dtype::Bit) => {
            return Err(contradicts("input.dtype", "the checkpoint has thresholds, so the input is not bits").into());
        }
        (None, false, Dtype::U8 | Dtype::F32) => {
            let d = contradicts("input.dtype", "numbers need thresholds, and the checkpoint has none");
            return Err(d
                .help("give them as input.thresholds = \"thresholds.npy\", [features, bits], or say dtype = \"bit\"")
                .into());
        }
        (Some(_), false, Dtype::Bit) => {
            return Err(contradicts("input.thresholds", "thresholds for an input of bits").into());
        }
        (Some(path), false, _) => {
            let array = npy::from_bytes(&files::read_bounded(path, npy::MAX_FILE)?, &files::display(path), "")?;
            let numbers: Option<Vec<f64>> = match &array.data {
                Elements::F32(all) => Some(all.iter().map(|&x| x.into()).collect()),
                Elements::F64(all) => Some(all.iter().map(|&x| f64::from(x as f32)).collect()),
                Elements::U8(all) => Some(all.iter().map(|&x| x.into()).collect()),
                _ => None,
            };
            match (numbers.filter(|all| all.iter().all(|x| x.is_finite())), &array.shape[..]) {
                (Some(numbers), [_]) => network.encode("input.thresholds", 1, &numbers, false, &sidecar.input)?,
                (Some(numbers), [rows, _]) => {
                    network.encode("input.thresholds", *rows, &numbers, false, &sidecar.input)?
                }
                _ => {
                    let d =
                        contradicts("input.thresholds", "thresholds are [bits] or [features, bits], finite, float32");
                    return Err(d.into());
                }
            }
        }
        _ => {}
    }
    Ok(network)
}

//! Inputs: what kind a file is of, and what is in it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use blc_frontend::model::{Model, TensorNames};
use blc_frontend::verilog::{self, neurons};
use blc_frontend::{aiger, blif, codes as frontend, files};
use blc_ir::diag::{Diagnostic, Source};
use blc_ir::{FuncKind, Module, parse};

use crate::codes;
use crate::resources;
use crate::ui::{Failure, Outcome};

/// Largest input.
const MAX_FILE: u64 = 4 << 30;

/// The kinds of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `model.safetensors`
    Model,
    /// `.blif`
    Blif,
    /// `.blir`
    Blir,
    /// Verilog that blc emitted, or in which neurons are truth tables.
    Verilog,
    /// AIGER, ascii or binary.
    Aiger,
}

impl Kind {
    /// As the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Blif => "blif",
            Self::Blir => "blir",
            Self::Verilog => "verilog",
            Self::Aiger => "aiger",
        }
    }

    /// By the file's ending, otherwise by its first bytes.
    fn of(path: &Path, bytes: &[u8]) -> Option<Self> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
        match ending.as_str() {
            "safetensors" => Some(Self::Model),
            "blif" => Some(Self::Blif),
            "blir" => Some(Self::Blir),
            "v" => Some(Self::Verilog),
            "aag" | "aig" => Some(Self::Aiger),
            _ => Self::sniff(bytes),
        }
    }

    fn sniff(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(&bytes[..bytes.len().min(4096)]).unwrap_or("");
        let mut lines =
            text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("//") && !l.starts_with('#'));
        match lines.next() {
            Some(line) if line.starts_with("blir ") => Some(Self::Blir),
            Some(line) if line.starts_with("module ") => Some(Self::Verilog),
            Some(line) if line.starts_with(".model") || line.starts_with(".inputs") => Some(Self::Blif),
            _ if aiger::is_aiger(bytes) => Some(Self::Aiger),
            _ if bytes.get(8) == Some(&b'{') => Some(Self::Model),
            _ => None,
        }
    }
}

/// What an input holds.
#[derive(Debug)]
pub enum Design {
    /// A model, and what its tensors are called in the file.
    Model(Model, TensorNames),
    /// A verified module.
    Module(Module),
}

/// An input that was read.
#[derive(Debug)]
pub struct Input {
    /// What it was.
    pub kind: Kind,
    /// The file's name without its folder.
    pub file: String,
    /// Of its bytes.
    pub sha256: String,
    /// What is in it.
    pub design: Design,
}

/// Reads a model, a BLIF without registers, a `.blir` or Verilog that blc emitted.
pub fn read(path: &Path) -> Outcome<Input> {
    let input = read_all(path)?;
    if let (Kind::Blif, Design::Module(module)) = (input.kind, &input.design)
        && module.top().is_some_and(|f| f.kind == FuncKind::HwModule)
    {
        let d = Diagnostic::error(&frontend::BLIF_LATCH, "the netlist has registers (.latch)").in_file(shown(path), "");
        return Err(d.help("cut it at its registers; blc adds its own (--stages)").into());
    }
    Ok(input)
}

/// Reads the same, and BLIF with registers, too.
pub fn read_all(path: &Path) -> Outcome<Input> {
    let bytes = bytes(path)?;
    let shown = shown(path);
    let Some(kind) = Kind::of(path, &bytes) else {
        let what = if bytes.is_empty() {
            "the file is empty"
        } else {
            "neither a model, nor BLIF, nor AIGER, nor Verilog, nor .blir"
        };
        let help = "give a .safetensors model, a .blif, .aig or .v netlist or a .blir";
        return Err(Diagnostic::error(&codes::INPUT_KIND, what).in_file(shown, "").help(help).into());
    };
    let file = path.file_name().map_or_else(|| shown.clone(), |n| n.to_string_lossy().into_owned());
    let sha256 = files::sha256_hex(&bytes);
    let design = match kind {
        Kind::Model => {
            let (model, names) = Model::from_bytes_with_names(&bytes, &shown)?;
            Design::Model(model, names)
        }
        Kind::Blif => Design::Module(blif::import(&text(bytes, &shown)?, &shown)?),
        Kind::Verilog => Design::Module(read_verilog(path, &text(bytes, &shown)?)?),
        Kind::Aiger => Design::Module(aiger::import(&bytes, &shown)?),
        Kind::Blir => Design::Module(parse_text(text(bytes, &shown)?, path)?),
    };
    Ok(Input { kind, file, sha256, design })
}

/// Reads a design that is no model: a `.blir`, BLIF, AIGER or Verilog.
pub fn read_netlist(path: &Path) -> Outcome<Module> {
    let bytes = bytes(path)?;
    match Kind::of(path, &bytes) {
        Some(Kind::Blif) => Ok(blif::import(&text(bytes, &shown(path))?, &shown(path))?),
        Some(Kind::Verilog) => read_verilog(path, &text(bytes, &shown(path))?),
        Some(Kind::Aiger) => Ok(aiger::import(&bytes, &shown(path))?),
        kind => read_blir_bytes(path, bytes, kind),
    }
}

/// Verilog that blc emitted, or modules of truth tables, whose other files lie beside this one.
fn read_verilog(path: &Path, text: &str) -> Outcome<Module> {
    if !neurons::is_neurons(text) {
        return Ok(verilog::import(text, &shown(path))?);
    }
    let folder = folder(path);
    let mut find = |name: &str| {
        let Some(file) = folder.as_ref().map(|f| f.join(format!("{name}.v"))).filter(|f| f.is_file()) else {
            return Ok(None);
        };
        Ok(Some((files::read_text(&file, MAX_FILE)?, shown(&file))))
    };
    Ok(neurons::import(text, &shown(path), &mut find)?)
}

/// Reads a `.blir`: parsed, resources loaded, verified.
pub fn read_blir(path: &Path) -> Outcome<Module> {
    let bytes = bytes(path)?;
    let kind = Kind::of(path, &bytes);
    read_blir_bytes(path, bytes, kind)
}

fn read_blir_bytes(path: &Path, bytes: Vec<u8>, kind: Option<Kind>) -> Outcome<Module> {
    if let Some(kind @ (Kind::Model | Kind::Blif | Kind::Verilog | Kind::Aiger)) = kind {
        let d = Diagnostic::error(&codes::INPUT_KIND, format!("a {}, where a .blir is needed", kind.name()));
        return Err(d.in_file(shown(path), "").help("`blc compile` makes a `design.blir` of it").into());
    }
    parse_text(text(bytes, &shown(path))?, path)
}

fn parse_text(text: String, path: &Path) -> Outcome<Module> {
    let source = Source::new(shown(path), text);
    let mut parsed = parse::parse_with_places(&source)?;
    resources::load(&mut parsed, folder(path).as_deref())?;
    let errors: Vec<_> = parsed.verify().into_iter().filter(Diagnostic::is_error).collect();
    if errors.is_empty() { Ok(parsed.module) } else { Err(Failure::Wrong(errors)) }
}

/// Whether a path stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// How diagnostics call an input.
pub fn shown(path: &Path) -> String {
    if is_stdin(path) { "<stdin>".into() } else { files::display(path) }
}

/// The folder that an input lies in; standard input lies in none.
pub fn folder(path: &Path) -> Option<PathBuf> {
    match path.parent() {
        _ if is_stdin(path) => None,
        Some(parent) if !parent.as_os_str().is_empty() => Some(parent.into()),
        _ => Some(".".into()),
    }
}

/// Reads a text as it stands.
pub fn read_text(path: &Path) -> Outcome<String> {
    text(bytes(path)?, &shown(path))
}

fn bytes(path: &Path) -> Outcome<Vec<u8>> {
    if !is_stdin(path) {
        return Ok(files::read_bounded(path, MAX_FILE)?);
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MAX_FILE + 1).read_to_end(&mut bytes);
    match read {
        Ok(n) if n as u64 <= MAX_FILE => Ok(bytes),
        Ok(_) => Err(Diagnostic::error(&frontend::FILE_TOO_LARGE, "more than 4 GiB").in_file("<stdin>", "").into()),
        Err(e) => {
            Err(Diagnostic::error(&frontend::FILE_READ, format!("cannot be read: {e}")).in_file("<stdin>", "").into())
        }
    }
}

fn text(bytes: Vec<u8>, shown: &str) -> Outcome<String> {
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let message = format!("not a text file: byte {at} is not UTF-8");
        let d = Diagnostic::error(&frontend::NOT_TEXT, message).in_file(shown, "");
        d.help("check that this is the file you meant").into()
    })
}

/// The `design.blir` that a path names: the file itself, or the one in a folder.
pub fn design_file(path: &Path) -> Outcome<PathBuf> {
    let file = if path.is_dir() { path.join("design.blir") } else { path.to_path_buf() };
    if fs::metadata(&file).is_ok() {
        return Ok(file);
    }
    let d = Diagnostic::error(&codes::NO_DESIGN, "there is no compiled design here").in_file(files::display(path), "");
    Err(d.help("`blc compile INPUT --target xc7` makes one; name its folder if it is not `blc-out`").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_decides_and_then_the_first_bytes() {
        let of = |name: &str, bytes: &[u8]| Kind::of(Path::new(name), bytes);
        assert_eq!(of("a.BLIF", b"blir 0.1"), Some(Kind::Blif));
        assert_eq!(of("a", b"// made by hand\n\nblir 0.1\n"), Some(Kind::Blir));
        assert_eq!(of("-", b"# abc\n.model x\n"), Some(Kind::Blif));
        assert_eq!(of("m.bin", b"\x10\0\0\0\0\0\0\0{}"), Some(Kind::Model));
        assert_eq!(of("-", b"aig 0 0 0 1 0\n0\n"), Some(Kind::Aiger));
        assert_eq!(of("m.bin", b""), None);
        assert_eq!(of("m.bin", &[0xff; 100]), None);
    }
}

//! Output formats by name, and what all of them share.

use std::sync::Arc;

use blc_ir::loc::{Loc, LocId, Locs};
use blc_ir::print::is_plain_name;
use blc_ir::{Diagnostic, Func, Module, Result};

use crate::device::Device;
use crate::liberty::Library;
use crate::names::{Language, design_name};
use crate::{blif, codes, dot, json, liberty, project, rust, verilog};

/// The version that emitted files tell.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a design can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `NAME.v`, and models of the primitives it uses.
    Verilog,
    /// `NAME.blif`
    Blif,
    /// `NAME.json`
    Json,
    /// `design.blir`
    Blir,
    /// `NAME.dot`
    Dot,
    /// `NAME.rs`
    Rust,
    /// `NAME_axis.v`
    Axis,
    /// Scripts for other tools.
    Project,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 8] =
        [Self::Verilog, Self::Blif, Self::Json, Self::Blir, Self::Dot, Self::Rust, Self::Axis, Self::Project];

    /// As `--emit` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verilog => "verilog",
            Self::Blif => "blif",
            Self::Json => "json",
            Self::Blir => "blir",
            Self::Dot => "dot",
            Self::Rust => "rust",
            Self::Axis => "axis",
            Self::Project => "project",
        }
    }

    /// Of its file, without the dot; of a wrapper or a project, of what it is about.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Verilog => "v",
            Self::Blif => "blif",
            Self::Json => "json",
            Self::Blir => "blir",
            Self::Dot => "dot",
            Self::Rust => "rs",
            Self::Axis | Self::Project => "v",
        }
    }

    /// One line.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Verilog => "Verilog-2001, with models of the primitives it uses",
            Self::Blif => "BLIF for ABC, Yosys and VTR",
            Self::Json => "Yosys' JSON for nextpnr, in cells of the target",
            Self::Blir => "blc's own language",
            Self::Dot => "a drawing for Graphviz",
            Self::Rust => "Rust source without dependencies, `no_std`, bit-sliced",
            Self::Axis => "an AXI4-Stream wrapper in Verilog, with backpressure",
            Self::Project => "scripts for Vivado or nextpnr, constraints, a FuseSoC core, a VHDL component",
        }
    }

    /// The format of a name.
    ///
    /// # Errors
    /// `BL3004`, with the names there are.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|f| format!("`{}`", f.name())).collect();
            Diagnostic::error(&codes::FORMAT, format!("unknown output format `{name}`"))
                .help(format!("the formats are {}", names.join(", ")))
                .into()
        })
    }

    /// The files of a module in this format.
    ///
    /// # Errors
    /// Those of the format's own `emit`.
    pub fn emit(self, module: &Module, options: &Options) -> Result<Vec<File>> {
        let file = |name: &str, text| File { name: name.into(), text };
        let own = format!("{}.{}", file_stem(module), self.extension());
        Ok(match self {
            Self::Verilog => {
                let mut files = vec![file(&own, verilog::emit(module, options)?)];
                files.extend(match (&options.liberty, &options.device) {
                    (Some(library), _) => {
                        liberty::cells::models(module, library).map(|text| file(&liberty::cells::file(library), text))
                    }
                    (_, None) => verilog::xc7::models(module).map(|text| file(verilog::xc7::FILE, text)),
                    (_, Some(d)) => verilog::cell::models(module, d).map(|text| file(&verilog::cell::file(d), text)),
                });
                files
            }
            Self::Blif => vec![file(&own, blif::emit(module, options)?)],
            Self::Json => vec![file(&own, json::emit(module, options)?)],
            Self::Blir => vec![file("design.blir", module.to_string())],
            Self::Dot => vec![file(&own, dot::emit(module, top(module)?)?)],
            Self::Rust => vec![file(&own, rust::emit(module, options)?)],
            Self::Axis => vec![file(&format!("{}_axis.v", file_stem(module)), verilog::stream::emit(module, options)?)],
            Self::Project => project::emit(module, options)?,
        })
    }
}

/// What emitters are told besides the design.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the design was made from, a line each: file and hash, say. It goes into comments; no times, no folders, so
    /// that the same design gives the same bytes.
    pub made_from: Vec<String>,
    /// Whose cells lookup tables and registers become; without one they are expressions and `always` blocks in Verilog,
    /// and cells of Yosys' library in JSON.
    pub device: Option<Device>,
    /// Whose gates lookup tables and registers become, instead of a device's cells.
    pub liberty: Option<Arc<Library>>,
    /// Bytes of the input bus of a stream wrapper; without, a whole sample at once.
    pub bus_bytes: Option<usize>,
    /// The clock of a project, in MHz.
    pub clock_mhz: Option<f64>,
}

/// An emitted file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, without a folder.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// What a design's files are called: NAME of `NAME.v`, which is also the Verilog module's name.
pub fn file_stem(module: &Module) -> String {
    Language::Verilog.legal(design_name(module))
}

/// The function that is emitted.
pub(crate) fn top(module: &Module) -> Result<&Func> {
    module.top().ok_or_else(|| {
        Diagnostic::error(&codes::EMIT_LEVEL, "the module has no function")
            .in_op(format!("@{}", module.name))
            .help("give a module that holds a design")
            .into()
    })
}

/// A text that stays within its line of a comment.
pub(crate) fn plain(text: &str) -> String {
    text.chars().take(400).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// Most origins that a comment names.
const MAX_ORIGINS: usize = 3;

/// Where an op came from, for a comment: `layer0 n17, layer1 n4`. Empty where nothing is known.
pub(crate) fn origin(locs: &Locs, loc: LocId) -> String {
    let name = |sym| {
        let name = locs.name(sym);
        // Quoted, so that no name reads as a tool's directive.
        if is_plain_name(name) { name.to_string() } else { format!("\"{}\"", plain(name).replace('"', "'")) }
    };
    let origins = locs.origins(loc);
    let texts: Vec<String> = origins
        .iter()
        .take(MAX_ORIGINS)
        .map(|&id| match locs.get(id) {
            Loc::Layer(layer) => name(*layer),
            Loc::Neuron(layer, n) => format!("{} n{n}", name(*layer)),
            Loc::Line(file, line) => format!("{}:{line}", name(*file)),
            Loc::Unknown | Loc::Fused(_) => String::new(),
        })
        .collect();
    let more = origins.len().saturating_sub(MAX_ORIGINS);
    let text = texts.join(", ");
    if more == 0 { text } else { format!("{text} + {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_by_name() {
        for format in Format::ALL {
            assert_eq!(Format::from_name(format.name()).unwrap(), format);
        }
        for name in ["edif", "Verilog", ""] {
            let e = Format::from_name(name).unwrap_err();
            assert_eq!(e.code.id, "BL3004");
            assert_eq!(
                e.help.as_deref(),
                Some("the formats are `verilog`, `blif`, `json`, `blir`, `dot`, `rust`, `axis`, `project`")
            );
        }
    }
}

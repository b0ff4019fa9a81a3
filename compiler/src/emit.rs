//! Which files a design is written as.

use std::sync::Arc;

use blc_backends::emit::{Format, Options, file_stem};
use blc_backends::liberty::Library;
use blc_backends::sim::Program;
use blc_backends::verilog::testbench;
use blc_ir::control::Control;
use blc_ir::{Diagnostic, Module, Result};

use crate::args::Compile;
use crate::load::Input;
use crate::outputs::Outputs;
use crate::vectors;

/// Adds the files of a format. Returns a warning where one of them cannot be.
///
/// # Errors
/// The design is not lowered to what the format can say.
pub fn emit(
    format: Format,
    module: &Module,
    input: &Input,
    args: &Compile,
    library: Option<Arc<Library>>,
    outputs: &mut Outputs,
) -> Result<Option<Diagnostic>> {
    let made_from = vec![format!("{} sha256 {}", input.file, input.sha256)];
    let options = Options {
        made_from,
        device: args.target.device.as_deref().cloned(),
        liberty: library,
        bus_bytes: args.bus.map(|n| n.get() as usize),
        clock_mhz: args.clock,
    };
    for file in format.emit(module, &options)? {
        outputs.add(file.name, file.text);
    }
    let Some(f) = module.top().filter(|_| format == Format::Verilog) else { return Ok(None) };
    if let (None, Err(why)) = (Control::of(f), Program::compile(module, f)?.latency()) {
        let warning = Diagnostic::warning(why.code, format!("no testbench is written: {}", why.message));
        return Ok(Some(warning));
    }
    let vectors = vectors::random(module, f, testbench::MAX_EMBEDDED)?;
    outputs.add(format!("{}_tb.v", file_stem(module)), testbench::emit(module, &vectors)?);
    Ok(None)
}

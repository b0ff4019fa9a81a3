//! `blc view`: what an output is made of, as a picture.

use blc_backends::svg;
use blc_frontend::files;
use blc_ir::diag::Diagnostic;
use blc_ir::print::value_of;
use blc_ir::{Func, OpKind, Value};
use blc_passes::codes::NO_FUNCTION;
use blc_passes::suggest;

use super::compile::module_of;
use crate::args::View;
use crate::codes;
use crate::ui::{Outcome, Ui};

/// Draws a cone.
pub fn run(args: &View, ui: &Ui) -> Outcome {
    let module = module_of(&args.design)?;
    let f = module.top().ok_or_else(|| {
        Diagnostic::error(&NO_FUNCTION, "the design has no function").in_file(files::display(&args.design), "")
    })?;
    let root = value(f, &args.cone).ok_or_else(|| unknown(f, &args.cone))?;
    let picture = svg::cone(&module, f, root, &args.cone, args.depth.get() as usize)?;
    match &args.output {
        Some(path) => {
            files::write_atomic(path, picture.as_bytes())?;
            ui.say(format_args!("wrote {}", files::display(path)));
            Ok(())
        }
        None => ui.data(picture),
    }
}

/// An output by its name, otherwise any value as the text names it, with or without the `%`; `NAME[3]` is a part of one
/// that is put together.
fn value(f: &Func, name: &str) -> Option<Value> {
    let output = f.results.iter().find(|port| port.name == name).map(|port| port.value);
    let part = || {
        let (name, number) = name.strip_suffix(']')?.rsplit_once('[')?;
        let op = f.op(f.def_op(value(f, name)?)?);
        matches!(op.kind, OpKind::Pack {}).then(|| op.operands.get(number.parse::<usize>().ok()?).copied())?
    };
    output.or_else(|| value_of(f, name.strip_prefix('%').unwrap_or(name))).or_else(part)
}

fn unknown(f: &Func, name: &str) -> Diagnostic {
    let outputs = f.results.iter().map(|port| port.name.as_str());
    let d = Diagnostic::error(&codes::NO_VALUE, format!("@{} has no output or value `{name}`", f.name));
    d.help(suggest::help(name, outputs))
}

//! `blc import`: another library's checkpoint in, a model out.

use blc_frontend::{files, import};
use serde_json::json;

use crate::args::Import;
use crate::outputs;
use crate::ui::{Outcome, Ui};

/// Reads and writes the model.
pub fn run(args: &Import, ui: &Ui) -> Outcome {
    outputs::check(&args.output)?;
    let model = import::read(&args.input, args.from, args.sidecar.as_deref())?;
    model.write(&args.output)?;
    if args.json {
        let record = json!({
            "name": model.name,
            "shape": model.shape,
            "dtype": model.dtype,
            "lookup_tables": model.nodes(),
            "classes": model.classes(),
            "model": files::display(&args.output),
        });
        return ui.data(format!("{record:#}\n"));
    }
    let ends = model.classes().map_or_else(|| "no head".into(), |classes| format!("{classes} classes"));
    ui.say(format_args!(
        "{}: {} features, {} lookup tables, {ends}: {}",
        model.name,
        model.features(),
        model.nodes(),
        files::display(&args.output)
    ));
    Ok(())
}

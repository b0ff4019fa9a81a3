//! `blc passes`: what a pipeline string can name.

use std::fmt::Write;

use blc_passes::Registry;
use blc_passes::registry::Entry;
use serde_json::json;

use crate::args::Passes;
use crate::ui::{Outcome, Ui};

/// Lists passes, options and defaults.
pub fn run(args: &Passes, registry: &Registry, ui: &Ui) -> Outcome {
    if args.json {
        let entry = |pass: &Entry| {
            let levels: Vec<_> = pass.levels.iter().map(|l| l.name()).collect();
            json!({"name": pass.name, "summary": pass.summary, "levels": levels, "exact": pass.exact, "options": pass.defaults()})
        };
        let all: Vec<_> = registry.entries().iter().map(entry).collect();
        return ui.data(serde_json::to_string_pretty(&all).unwrap_or_default() + "\n");
    }
    ui.data(list(registry))
}

fn list(registry: &Registry) -> String {
    let mut text = String::from("Passes, the levels they work at, and their options with defaults:\n\n");
    for pass in registry.entries() {
        let levels: Vec<_> = pass.levels.iter().map(|l| l.name()).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} ({})\n    {}", pass.name, levels.join(", "), pass.summary);
        for (name, default) in pass.defaults().as_object().into_iter().flatten() {
            let shown = if default.is_null() { "not set".to_owned() } else { default.to_string() };
            let _ = writeln!(text, "      {name} = {shown}");
        }
    }
    text += "
A pipeline names passes in order, options in braces:
    --passes \"fold,cover{k=4},dce\"
    @default         the default pipeline
    repeat[N](…)     the passes inside, N times
    fixpoint(…)      the passes inside, until none changes anything
    try(…)           the passes inside, taken back unless they save a site (or function)
";
    text
}

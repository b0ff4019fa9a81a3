//! `blc report`: what was compiled.

use std::path::Path;

use blc_frontend::files;
use blc_ir::diag::Diagnostic;
use serde_json::Value;

use crate::args::Report;
use crate::cmd::compile::DESIGN;
use crate::codes;
use crate::load;
use crate::page::page;
use crate::report::{REPORT, TIMING, table};
use crate::ui::{Outcome, Ui};

/// Largest report.
const MAX_FILE: u64 = 64 << 20;

/// Shows the report of a folder.
pub fn run(args: &Report, ui: &Ui) -> Outcome {
    let path = args.dir.join(REPORT);
    if !path.exists() {
        let d = Diagnostic::error(&codes::NO_DESIGN, "there is no report here").in_file(files::display(&args.dir), "");
        return Err(d
            .help("`blc compile INPUT --target xc7` makes one; name its folder if it is not `blc-out`")
            .into());
    }
    let mut report = read(&path)?;
    let timing = args.dir.join(TIMING);
    if timing.exists() {
        report["seconds"] = read(&timing)?["seconds"].take();
    }
    if args.json {
        return ui.data(serde_json::to_string_pretty(&report).unwrap_or_default() + "\n");
    }
    if let Some(file) = &args.html {
        let module = load::read_blir(&args.dir.join(DESIGN))?;
        let confusion = args.sim.as_deref().map(confusion).transpose()?;
        let text = page(&report, &module, confusion.as_ref());
        let text = text.ok_or_else(|| bad(&path, "a figure is missing".into()))?;
        return Ok(files::write_atomic(file, text.as_bytes())?);
    }
    let text = table(&report).ok_or_else(|| bad(&path, "a figure is missing".into()))?;
    ui.data(text + &details(&report))
}

/// The confusion matrix that `blc sim --json` printed.
fn confusion(path: &Path) -> Outcome<Value> {
    let mut said = read(path)?;
    let matrix = said["confusion"].take();
    let row = |row: &Value| row.as_array().is_some_and(|row| row.iter().all(Value::is_u64));
    match matrix.as_array() {
        Some(rows) if rows.iter().all(row) => Ok(matrix),
        _ => {
            let d = Diagnostic::error(&codes::BAD_REPORT, "no confusion matrix of samples is in it");
            let help = "`blc sim --input batch.npy --labels labels.npy --json` prints one";
            Err(d.in_file(files::display(path), "").help(help).into())
        }
    }
}

/// Where the design came from and what has to be known about it.
fn details(report: &Value) -> String {
    let text = |v: &Value| v.as_str().unwrap_or("?").to_owned();
    let mut lines = vec![
        String::new(),
        format!("input     {} (sha256 {})", text(&report["input"]["file"]), text(&report["input"]["sha256"])),
        format!("compiler  blc {}", text(&report["blc"])),
        format!("passes    {}", text(&report["pipeline"])),
    ];
    if let Some(seconds) = report["seconds"]["total"].as_f64() {
        lines.push(format!("seconds   {seconds:.2}"));
    }
    for (title, list) in [("assumes", &report["assumptions"]), ("warning", &report["warnings"])] {
        for item in list.as_array().into_iter().flatten() {
            lines.push(format!("{title:8}  {}", text(item.get("message").unwrap_or(item))));
        }
    }
    lines.join("\n") + "\n"
}

/// An object of JSON.
fn read(path: &Path) -> Outcome<Value> {
    let text = files::read_text(path, MAX_FILE)?;
    match serde_json::from_str::<Value>(&text) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(bad(path, "not an object".into()).into()),
        Err(e) => Err(bad(path, e.to_string()).into()),
    }
}

fn bad(path: &Path, why: String) -> Diagnostic {
    Diagnostic::error(&codes::BAD_REPORT, why).in_file(files::display(path), "").help("compile the design again")
}

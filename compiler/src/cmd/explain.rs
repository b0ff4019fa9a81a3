//! `blc explain`: what an error code or an op means.

use std::fmt::Write;

use blc_ir::diag::{Code, Diagnostic};
use blc_ir::ops::{OPS, OpInfo};
use blc_passes::suggest;
use serde_json::{Value, json};

use crate::args::Explain;
use crate::codes;
use crate::ui::{Outcome, Ui};

/// Every code of every crate.
pub fn all() -> impl Iterator<Item = &'static Code> {
    let ours: [&[&Code]; 5] =
        [blc_ir::codes::ALL, blc_frontend::codes::ALL, blc_passes::codes::ALL, blc_backends::codes::ALL, codes::ALL];
    ours.into_iter().flatten().copied()
}

/// Explains a topic.
pub fn run(args: &Explain, ui: &Ui) -> Outcome {
    let topic = args.topic.trim();
    let code = topic.to_ascii_uppercase();
    if args.json {
        let records: Vec<Value> = match topic {
            "ops" => OPS.iter().map(op_record).collect(),
            "codes" => all().map(code_record).collect(),
            _ => {
                let op = OPS.iter().filter(|o| o.mnemonic == topic).map(op_record);
                all().filter(|c| c.id == code).map(code_record).chain(op).collect()
            }
        };
        let text = match records.as_slice() {
            [] => return Err(unknown(topic, &code).into()),
            [one] => serde_json::to_string_pretty(one),
            all => serde_json::to_string_pretty(all),
        };
        return ui.data(text.unwrap_or_default() + "\n");
    }
    let text = match topic {
        "ops" => OPS.iter().map(op).collect::<Vec<_>>().join("\n"),
        "codes" => all().map(|c| format!("{}  {}\n", c.id, c.title)).collect(),
        _ => match (all().find(|c| c.id == code), OPS.iter().find(|o| o.mnemonic == topic)) {
            (Some(c), _) => wrapped(&format!("{}: {}", c.id, c.title), c.explain),
            (_, Some(o)) => op(o),
            _ => return Err(unknown(topic, &code).into()),
        },
    };
    ui.data(text)
}

fn code_record(code: &'static Code) -> Value {
    json!({"code": code.id, "title": code.title, "explain": code.explain})
}

fn op_record(op: &OpInfo) -> Value {
    let levels: Vec<_> = op.levels.iter().map(|l| l.name()).collect();
    let attrs: Vec<_> = op.attrs.iter().map(|(name, expected, _)| json!({"name": name, "value": expected})).collect();
    json!({
        "op": op.mnemonic,
        "levels": levels,
        "summary": op.summary.trim(),
        "meaning": op.meaning,
        "operands": {"least": op.operands.0, "most": Some(op.operands.1).filter(|&n| n != usize::MAX)},
        "results": op.results,
        "attributes": attrs,
    })
}

fn unknown(topic: &str, code: &str) -> Diagnostic {
    let ids = all().map(|c| c.id);
    let ops = OPS.iter().map(|o| o.mnemonic).chain(["ops", "codes"]);
    let near = suggest::closest(topic, ops).or_else(|| suggest::closest(code, ids));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`blc explain codes` lists every code, `blc explain ops` every op".into(),
    };
    Diagnostic::error(&codes::UNKNOWN_TOPIC, format!("nothing is called `{topic}`")).help(help)
}

/// An op of the table.
fn op(op: &OpInfo) -> String {
    let levels: Vec<_> = op.levels.iter().map(|l| l.name()).collect();
    let operands = match op.operands {
        (lo, hi) if lo == hi => format!("{lo}"),
        (lo, usize::MAX) => format!("{lo} or more"),
        (lo, hi) => format!("{lo} to {hi}"),
    };
    let mut text = format!("{}  ({})\n   {}\n", op.mnemonic, levels.join(", "), op.summary);
    let _ = writeln!(text, "    operands: {operands}; results: {}", op.results);
    for (name, expected, _) in op.attrs {
        let _ = writeln!(text, "    {name} = {expected}");
    }
    text + &wrap(op.meaning, 4)
}

fn wrapped(title: &str, text: &str) -> String {
    format!("{title}\n\n{}", wrap(text, 0))
}

/// Breaks a paragraph into lines of at most 100 characters.
fn wrap(text: &str, indent: usize) -> String {
    let indent = " ".repeat(indent);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if indent.len() + line.chars().count() + 1 + word.chars().count() <= 100 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines.iter().map(|line| format!("{indent}{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_explained() {
        let mut ids: Vec<_> = all().map(|c| c.id).collect();
        let n = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), n, "an id stands twice");
        for c in all() {
            assert!(c.id.len() == 6 && c.id.starts_with("BL"), "{}", c.id);
            assert!(c.explain.len() > 20 && c.explain.ends_with(['.', ')']), "{}: {}", c.id, c.explain);
        }
    }

    #[test]
    fn wraps_at_a_hundred() {
        let text = wrap(&"word ".repeat(100), 4);
        assert!(text.lines().all(|l| l.starts_with("    word") && l.len() <= 100));
        assert_eq!(text.split_whitespace().count(), 100);
    }
}

//! A compiled design as one page of HTML: its report with plots, and its netlist, cone by cone.
//!
//! The page needs nothing but itself: no network, no other file. Plots are SVG made here; only the netlist is drawn by
//! the page's script, since which cone is looked at is chosen there.

mod netlist;

use std::fmt::Write;

use blc_ir::Module;
use serde_json::Value;

use crate::report::table;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Most bars of a plot.
const MAX_BARS: usize = 200;

/// Most classes of a confusion matrix that is drawn.
const MAX_CLASSES: usize = 200;

/// The page of a report and its design; `confusion` is `confusion[label][class]` in samples. `None` where the report
/// lacks a figure.
pub fn page(report: &Value, module: &Module, confusion: Option<&Value>) -> Option<String> {
    let name = escaped(report["name"].as_str()?);
    let target = escaped(report["target"].as_str()?);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name} for {target}</title>\n\
         <style>\n{STYLE}</style></head>\n<body>\n<h1>{name} <small>for {target}</small></h1>\n<pre>{}</pre>\n",
        escaped(&table(report)?)
    );
    out.push_str("<main>\n");
    let luts = |row: &Value| Some((row["layer"].as_str()?.to_owned(), row["luts"].as_u64()?));
    out += &plot("Area by layer (LUTs)", &list(&report["by_layer"], luts));
    let step = report["paths"]["step_ns"].as_f64()?;
    let ends: Vec<u64> = list(&report["paths"]["ends"], Value::as_u64);
    let ends: Vec<_> = ends.iter().enumerate().map(|(i, &n)| (format!("{:.2} ns", step * (i + 1) as f64), n)).collect();
    out += &plot("Paths by length (ends of paths, estimated)", &ends);
    let fanout = list(&report["fanout"], Value::as_u64);
    let fanout: Vec<_> = fanout.iter().enumerate().map(|(i, &n)| (readers(i), n)).collect();
    out += &plot("Nets by readers", &fanout);
    let stages = list(&report["registers_by_stage"], Value::as_u64);
    let stages: Vec<_> = stages.iter().enumerate().map(|(i, &n)| (format!("stage {}", i + 1), n)).collect();
    out += &plot("Registers by stage", &stages);
    out += &critical_path(&report["critical_path"]);
    if let Some(confusion) = confusion {
        out += &matrix(confusion)?;
    }
    out += &evidence(report);
    out.push_str("</main>\n");
    out += &netlist::viewer(module);
    let _ = writeln!(out, "<script>\n{SCRIPT}</script>\n</body></html>");
    Some(out)
}

fn list<T>(values: &Value, read: impl Fn(&Value) -> Option<T>) -> Vec<T> {
    values.as_array().into_iter().flatten().filter_map(read).collect()
}

/// `1`, `2`, `3 to 4`, `5 to 8`, ...
fn readers(power: usize) -> String {
    match power {
        0 | 1 => (power + 1).to_string(),
        n if n < 64 => format!("{} to {}", (1u64 << (n - 1)) + 1, 1u64 << n),
        _ => "more".into(),
    }
}

/// Text as HTML has it, also within quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// Bars, one below the other, with their names and values. Nothing where there are none.
fn plot(title: &str, bars: &[(String, u64)]) -> String {
    const ROW: usize = 18;
    let Some(most) = bars.iter().map(|(_, n)| *n).max().filter(|&n| n > 0) else { return String::new() };
    let shown = &bars[..bars.len().min(MAX_BARS)];
    let mut out = format!(
        "<section><h2>{}</h2>\n<svg class=\"bars\" viewBox=\"0 0 480 {}\" role=\"img\">\n",
        escaped(title),
        shown.len() * ROW
    );
    for (i, (name, n)) in shown.iter().enumerate() {
        let width = 270.0 * *n as f64 / most as f64;
        let (y, name) = (i * ROW, escaped(name));
        let _ = writeln!(
            out,
            "<text x=\"134\" y=\"{}\" class=\"name\">{name}</text><rect x=\"140\" y=\"{}\" width=\"{width:.1}\" \
             height=\"12\"><title>{name}: {n}</title></rect><text x=\"{:.1}\" y=\"{}\">{n}</text>",
            y + 13,
            y + 3,
            145.0 + width,
            y + 13
        );
    }
    out.push_str("</svg>");
    if shown.len() < bars.len() {
        let _ = write!(out, "<p>and {} more</p>", bars.len() - shown.len());
    }
    out.push_str("</section>\n");
    out
}

fn critical_path(steps: &Value) -> String {
    let row = |step: &Value| {
        let place = match (step["layer"].as_str(), step["neuron"].as_u64()) {
            (Some(layer), Some(neuron)) => format!("{layer}, neuron {neuron}"),
            (Some(layer), None) => layer.to_owned(),
            _ => String::new(),
        };
        let op = escaped(step["op"].as_str()?);
        Some(format!("<tr><td>{op}</td><td>{}</td><td>{}</td></tr>\n", escaped(&place), step["at_ns"].as_f64()?))
    };
    let rows = list(steps, row);
    match rows.is_empty() {
        true => String::new(),
        false => format!(
            "<section><h2>Longest path (estimated)</h2>\n<table><tr><th>op</th><th>from</th><th>ns</th></tr>\n{}</table>\
             </section>\n",
            rows.concat()
        ),
    }
}

/// Labels downwards, classes across, each label's share as a shade. `None` where it is no matrix.
fn matrix(confusion: &Value) -> Option<String> {
    let rows: Vec<Vec<u64>> = serde_json::from_value(confusion.clone()).ok()?;
    let all: u64 = rows.iter().flatten().sum();
    let right: u64 = rows.iter().enumerate().filter_map(|(i, row)| row.get(i)).sum();
    let mut out = String::from("<section><h2>Confusion (label, class)</h2>\n");
    if all > 0 {
        let _ = write!(out, "<p>{right} of {all} right: {:.2} %</p>", 100.0 * right as f64 / all as f64);
    }
    if rows.len() > MAX_CLASSES {
        out.push_str("<p>too many classes to draw</p></section>\n");
        return Some(out);
    }
    out.push_str("<table class=\"confusion\">\n<tr><th></th>");
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    (0..columns).for_each(|class| out += &format!("<th>{class}</th>"));
    for (label, row) in rows.iter().enumerate() {
        let _ = write!(out, "</tr>\n<tr><th>{label}</th>");
        let sum: u64 = row.iter().sum();
        for (class, n) in row.iter().enumerate() {
            let share = *n as f64 / sum.max(1) as f64;
            let hue = if class == label { 140 } else { 10 };
            let _ = write!(out, "<td style=\"background:hsl({hue} 70% 50% / {share:.3})\">{n}</td>");
        }
    }
    out.push_str("</tr>\n</table></section>\n");
    Some(out)
}

/// What the figures stand on.
fn evidence(report: &Value) -> String {
    let mut lines = Vec::new();
    if let Some(statement) = report["proof"]["statement"].as_str() {
        lines.push(format!("proved: {statement}"));
    }
    for (title, list) in [("assumes", &report["assumptions"]), ("warning", &report["warnings"])] {
        let texts = list.as_array().into_iter().flatten().filter_map(|v| v.get("message").unwrap_or(v).as_str());
        lines.extend(texts.map(|text| format!("{title}: {text}")));
    }
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    lines.push(format!("input: {}, sha256 {}", text(&report["input"]["file"]), text(&report["input"]["sha256"])));
    lines.push(format!("compiler: blc {}", text(&report["blc"])));
    lines.push(format!("passes: {}", text(&report["pipeline"])));
    let items: String = lines.iter().map(|line| format!("<li>{}</li>\n", escaped(line))).collect();
    format!("<section><h2>What this stands on</h2>\n<ul>\n{items}</ul></section>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        let text = plot("<b>", &[("\"><script>".into(), 3)]);
        assert!(!text.contains("<script>") && !text.contains("<b>") && text.contains("&quot;&gt;&lt;script&gt;"));
    }

    #[test]
    fn bars_are_as_long_as_they_should_be() {
        let text = plot("x", &[("a".into(), 50), ("b".into(), 100)]);
        assert!(text.contains("width=\"135.0\"") && text.contains("width=\"270.0\""), "{text}");
        assert_eq!(plot("x", &[("a".into(), 0)]), "");
        let many: Vec<_> = (0..MAX_BARS as u64 + 7).map(|n| (n.to_string(), 1)).collect();
        assert!(plot("x", &many).contains("and 7 more"));
    }

    #[test]
    fn readers_are_named() {
        assert_eq!([0, 1, 2, 3].map(readers), ["1", "2", "3 to 4", "5 to 8"]);
    }

    #[test]
    fn a_matrix_has_its_accuracy() {
        let text = matrix(&serde_json::json!([[8, 2], [0, 10]])).unwrap();
        assert!(text.contains("18 of 20 right: 90.00 %") && text.contains("hsl(10 70% 50% / 0.200)\">2<"), "{text}");
        assert_eq!(matrix(&serde_json::json!("no")), None);
    }
}

//! Comma-separated tables: one sample a line, real features, the class in the last column.

use blc_ir::diag::{Code, Diagnostic, Result};

use super::{Features, Split};
use crate::codes;

/// Reads a table. A first line that is not all numbers but for its last field is a heading and left out. Classes are whole
/// numbers from 0, or names, which are numbered in alphabetical order.
///
/// Errors: `BL1213` a line with another number of columns than the first, or a feature that is not a finite number;
/// `BL1208` more than 65,536 classes.
pub fn parse(text: &str, file: &str) -> Result<(usize, Split)> {
    let wrong = |code: &'static Code, line: usize, message: String| -> Box<Diagnostic> {
        Diagnostic::error(code, message).in_file(file, format!("line {}", line + 1)).into()
    };
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    let fields = |line: &str| line.split(',').map(|f| f.trim().trim_matches('"').to_owned()).collect::<Vec<_>>();
    let features = lines.peek().map_or(0, |(_, line)| fields(line).len().saturating_sub(1));
    let heading = |line: &str| fields(line).iter().take(features).any(|f| f.parse::<f32>().is_err());
    if lines.peek().is_some_and(|(_, line)| heading(line)) {
        lines.next();
    }
    let (mut x, mut names) = (Vec::new(), Vec::new());
    for (n, line) in lines {
        let mut fields = fields(line);
        let name = fields.pop().unwrap_or_default();
        if fields.len() != features || features == 0 {
            let message = format!("{} columns, but the first line has {}", fields.len() + 1, features + 1);
            return Err(wrong(&codes::CSV_FORMAT, n, message));
        }
        for field in &fields {
            match field.parse::<f32>() {
                Ok(v) if v.is_finite() => x.push(v),
                _ => return Err(wrong(&codes::CSV_FORMAT, n, format!("`{field}` is not a finite number"))),
            }
        }
        names.push(name);
    }
    let number = |name: &String| name.parse::<f64>().ok().filter(|v| v.fract() == 0.0 && (0.0..65536.0).contains(v));
    let y = match names.iter().map(number).collect::<Option<Vec<f64>>>() {
        Some(numbers) => numbers.into_iter().map(|v| v as u16).collect(),
        None => {
            let mut known: Vec<&String> = names.iter().collect();
            known.sort_unstable();
            known.dedup();
            if known.len() > 1 << 16 {
                return Err(wrong(&codes::DATA_LABELS, 0, format!("{} classes", known.len())));
            }
            names.iter().map(|name| known.partition_point(|k| *k < name) as u16).collect()
        }
    };
    Ok((features, Split { x: Features::F32(x), y }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_names_and_headings() {
        let (features, split) = parse("a,b,class\n1,2.5,no\n\n-3,4e1,yes\n0,0,no\n", "t.csv").unwrap();
        assert_eq!((features, split.y), (2, vec![0, 1, 0]));
        assert_eq!(split.x, Features::F32(vec![1.0, 2.5, -3.0, 40.0, 0.0, 0.0]));
        let (_, split) = parse("1,7\n2,0\n", "t.csv").unwrap();
        assert_eq!(split.y, [7, 0], "without a heading, classes as they are");
    }

    #[test]
    fn wrong_tables_are_named_by_line() {
        for (text, line) in
            [("1,2,0\n1,0\n", "line 2"), ("1,0\nx,1\n", "line 2"), ("1,0\n2,1\nNaN,1\n", "line 3"), ("5\n", "line 1")]
        {
            let e = parse(text, "t.csv").unwrap_err();
            assert_eq!(e.code.id, "BL1213");
            assert!(e.to_string().contains(line), "{e}");
        }
    }
}

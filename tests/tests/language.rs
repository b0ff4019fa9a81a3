//! The language reference says what the op table says.

use std::fmt::Write as _;
use std::path::Path;

use blc_ir::diag::Source;
use blc_ir::ops::{Form, OPS};
use blc_ir::{parse, print};

const BEGIN: &str = "--test language -->\n";
const END: &str = "<!-- end -->";

fn page() -> (std::path::PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/language.md");
    let text = std::fs::read_to_string(&path).expect("the language reference");
    (path, text)
}

fn generated() -> String {
    let mut text = String::new();
    for info in OPS {
        let operands = match info.operands {
            (lo, hi) if lo == hi => format!("{lo}"),
            (lo, usize::MAX) => format!("{lo} or more"),
            (lo, hi) => format!("{lo} to {hi}"),
        };
        let form = match info.form {
            Form::Plain => format!("{} %a, …", info.mnemonic),
            Form::Call => format!("{}(%a, …)", info.mnemonic),
            Form::Clocked => format!("{} %d clock %clk", info.mnemonic),
        };
        let levels: Vec<_> = info.levels.iter().map(|l| l.name()).collect();
        let _ = write!(text, "\n### `{}`\n\n{}\n\n", info.mnemonic, info.summary.trim());
        let _ = write!(
            text,
            "`{form}` · operands: {operands} · results: {} · level: {}\n\n",
            info.results,
            levels.join(", ")
        );
        for (name, expected, _) in info.attrs {
            let _ = writeln!(text, "- `{name}`: {expected}");
        }
        text.push_str(if info.attrs.is_empty() { "" } else { "\n" });
        let _ = writeln!(text, "{}", info.meaning);
    }
    text.push('\n');
    text
}

#[test]
fn reference_is_what_the_op_table_says() {
    let (path, text) = page();
    let (before, rest) = text.split_once(BEGIN).expect("the marker");
    let (between, after) = rest.split_once(END).expect("the end marker");
    if std::env::var_os("BLC_BLESS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", generated())).expect("written");
        return;
    }
    assert_eq!(between, generated());
}

#[test]
fn example_of_the_reference_is_canonical() {
    let (_, text) = page();
    let example = text.split("```\n").nth(1).expect("an example");
    let parsed = parse::parse_with_places(&Source::new("language.md", example)).expect("it parses");
    assert_eq!(parsed.verify().len(), 0);
    assert_eq!(print::print(&parsed.module), example);
}

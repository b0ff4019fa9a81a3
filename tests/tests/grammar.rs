//! The grammar for editors (`editors/blir.tmLanguage.json`) is what the op table says, and knows every token of every text
//! that we have. `BLC_BLESS=1 cargo test -p blc-tests --test grammar` writes it down.

use std::path::{Path, PathBuf};

use blc_ir::diag::Source;
use blc_ir::ops::OPS;
use blc_ir::parse;
use regex::Regex;
use serde_json::{Value, json};

const WORD: &str = r"[A-Za-z0-9_.$]+";
const TEXT: &str = r#""(?:\\.|[^"\\])*""#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// One of these words, the longest that fits.
fn any<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut words: Vec<String> = words.into_iter().map(|w| w.replace('.', r"\.")).collect();
    words.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    words.dedup();
    format!(r"\b(?:{})\b", words.join("|"))
}

fn grammar() -> Value {
    let keywords = "blir module target func return hw.module hw.output in out resource data loc fused neuron lowest";
    let sigil = |mark: &str| format!("{mark}(?:{TEXT}|{WORD})");
    let patterns = [
        ("comment.line.double-slash", "//.*$".to_owned()),
        ("string.quoted.double", TEXT.to_owned()),
        ("variable.other", sigil("%")),
        ("constant.other.resource", sigil("#")),
        ("entity.name.function", sigil("@")),
        ("constant.other.hash", "sha256:[0-9a-fA-F]*".to_owned()),
        ("support.function.op", any(OPS.iter().map(|op| op.mnemonic))),
        ("keyword.control", any(keywords.split(' '))),
        ("storage.type", r"\b(?:bit|f32|clock|u[0-9]+)\b".to_owned()),
        ("variable.parameter", "[A-Za-z_][A-Za-z0-9_.$]*".to_owned()),
        ("constant.numeric", r"-?\b[0-9](?:[eE][-+][0-9]+|[0-9A-Za-z.])*".to_owned()),
        ("keyword.operator", "->|=".to_owned()),
        ("punctuation", r"[(){}\[\]:,]".to_owned()),
    ];
    let patterns: Vec<_> =
        patterns.into_iter().map(|(name, rule)| json!({"name": format!("{name}.blir"), "match": rule})).collect();
    json!({"name": "blir", "scopeName": "source.blir", "fileTypes": ["blir"], "patterns": patterns})
}

#[test]
fn grammar_is_what_the_op_table_says() {
    let path = root().join("editors/blir.tmLanguage.json");
    let text = serde_json::to_string_pretty(&grammar()).expect("JSON") + "\n";
    if std::env::var_os("BLC_BLESS").is_some() {
        std::fs::write(&path, text).expect("written");
        return;
    }
    assert_eq!(std::fs::read_to_string(&path).expect("the grammar"), text);
}

/// The scopes of a line as an editor finds them: the first match from where the last one ended, of equal ones the first
/// pattern's. What no pattern matches has the scope "".
fn scopes<'a, 'b>(rules: &'a [(String, Regex)], line: &'b str) -> Vec<(&'a str, &'b str)> {
    let (mut at, mut found) = (0, Vec::new());
    while at < line.len() {
        let next = rules.iter().filter_map(|(name, rule)| Some((rule.find_at(line, at)?, name.as_str())));
        let next = next.min_by_key(|(m, _)| m.start());
        let start = next.as_ref().map_or(line.len(), |(m, _)| m.start());
        if !line[at..start].trim().is_empty() {
            found.push(("", line[at..start].trim()));
        }
        let Some((m, name)) = next else { break };
        found.push((name, m.as_str()));
        at = m.end();
    }
    found
}

fn texts(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts(&path, all);
        } else if path.extension().is_some_and(|e| e == "blir") {
            all.push(path);
        }
    }
}

#[test]
fn grammar_knows_every_token() {
    let grammar = grammar();
    let rules: Vec<(String, Regex)> = grammar["patterns"]
        .as_array()
        .expect("patterns")
        .iter()
        .map(|p| {
            (
                p["name"].as_str().expect("a name").into(),
                Regex::new(p["match"].as_str().expect("a rule")).expect("legal"),
            )
        })
        .collect();
    let mut all = Vec::new();
    texts(&root().join("tests/filetests"), &mut all);
    let (mut read, mut ops) = (0, 0);
    for path in all {
        let text = std::fs::read_to_string(&path).expect("text");
        if parse::parse(&Source::new("t", text.as_str())).is_err() {
            continue;
        }
        read += 1;
        for line in text.lines() {
            let found = scopes(&rules, line);
            assert!(found.iter().all(|(scope, _)| !scope.is_empty()), "{}: {line}\n{found:?}", path.display());
            ops += found.iter().filter(|(scope, _)| *scope == "support.function.op.blir").count();
        }
    }
    assert!(read > 10 && ops > 100, "{read} texts with {ops} ops");

    for op in OPS {
        let line = format!("    %0 = {}(%a) {{table = 0x8}} : bit", op.mnemonic);
        assert_eq!(scopes(&rules, &line)[2], ("support.function.op.blir", op.mnemonic));
    }
    assert_eq!(scopes(&rules, "?")[0], ("", "?"), "what is not in the language has no scope");
}

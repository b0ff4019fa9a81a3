//! One test a file: `tests/filetests/**/*.blir`, each saying on its first line what is tested.
//!
//! - `// test verify`: the text is read and verified. `//~ BL0201: words` at the end of a line expects an error of that
//!   code there whose message holds the words; there are no others. A text without errors must print as a fixpoint.
//! - `// test opt "fold,dce"`: what the pipeline gives stands below a line `// expect`, commented out.
//! - `// test eval`: lines `// run: @f(1, [0, 1]) == 1` give inputs and results of the reference evaluator.
//!
//! `BLC_BLESS=1 cargo test -p blc-tests --test filetests` writes down what came out; review the difference.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use blc_ir::diag::{Diagnostic, Source};
use blc_ir::eval::{Val, evaluate};
use blc_ir::{Module, parse, print, verify};
use blc_passes::{Check, PassManager, Pipeline, Registry};
use libtest_mimic::{Arguments, Failed, Trial};

type Outcome = Result<(), Failed>;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("filetests");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    assert!(!files.is_empty(), "no filetests in {}", root.display());
    let trials = files.into_iter().map(|path| {
        let name = path.strip_prefix(&root).map_or_else(|_| path.display().to_string(), |p| p.display().to_string());
        Trial::test(name.clone(), move || run(&path, &name))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("filetests are there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "blir") {
            files.push(path);
        }
    }
}

fn blessing() -> bool {
    std::env::var_os("BLC_BLESS").is_some()
}

fn run(path: &Path, name: &str) -> Outcome {
    let text = std::fs::read_to_string(path)?;
    let first = text.lines().next().unwrap_or_default();
    let test = first.strip_prefix("// test ").unwrap_or_default();
    match test.split_once(' ').unwrap_or((test, "")) {
        ("verify", _) => verify_test(path, name, &text),
        ("opt", pipeline) => opt_test(path, name, &text, pipeline.trim().trim_matches('"')),
        ("eval", _) => eval_test(name, &text),
        _ => Err(format!("the first line is `{first}`, not `// test verify|opt \"…\"|eval`").into()),
    }
}

fn first_error(errors: Vec<Diagnostic>) -> Failed {
    errors.first().map_or_else(|| Failed::from("no error"), |e| Failed::from(e.to_string()))
}

fn read(name: &str, text: &str) -> Result<Module, Failed> {
    let parsed = parse::parse_with_places(&Source::new(name, text)).map_err(first_error)?;
    let errors = parsed.verify();
    if errors.is_empty() { Ok(parsed.module) } else { Err(first_error(errors)) }
}

fn verify_test(path: &Path, name: &str, text: &str) -> Outcome {
    let source = Source::new(name, text);
    let errors = match parse::parse_with_places(&source) {
        Ok(parsed) => parsed.verify(),
        Err(errors) => errors,
    };
    let mut found: Vec<(usize, &str, &str)> =
        errors.iter().map(|e| (e.record().line.unwrap_or(0), e.code.id, e.message.as_str())).collect();
    found.sort_unstable();
    if blessing() {
        let mut blessed = String::new();
        for (i, line) in text.lines().enumerate() {
            blessed.push_str(line.split("//~").next().unwrap_or_default().trim_end());
            for (_, code, message) in found.iter().filter(|(l, ..)| *l == i + 1) {
                write!(blessed, " //~ {code}: {message}")?;
            }
            blessed.push('\n');
        }
        std::fs::write(path, blessed)?;
        return Ok(());
    }
    let mut wanted = Vec::new();
    for (i, line) in text.lines().enumerate() {
        for expectation in line.split("//~").skip(1) {
            let (code, words) = expectation.split_once(':').unwrap_or((expectation, ""));
            wanted.push((i + 1, code.trim(), words.trim()));
        }
    }
    for (line, code, words) in &wanted {
        let hit = found.iter().position(|(l, c, message)| l == line && c == code && message.contains(words));
        match hit {
            Some(i) => drop(found.remove(i)),
            None => return Err(format!("line {line}: {code}: {words}: not reported; found {found:?}").into()),
        }
    }
    if let Some((line, code, message)) = found.first() {
        return Err(format!("line {line}: {code}: {message}: not expected").into());
    }
    if wanted.is_empty() {
        let once = print::print(&read(name, text)?);
        let twice = print::print(&read(name, &once)?);
        if once != twice {
            return Err("printing is not a fixpoint".into());
        }
    }
    Ok(())
}

fn opt_test(path: &Path, name: &str, text: &str, pipeline: &str) -> Outcome {
    let (input, expected) = text.split_once("\n// expect\n").unwrap_or((text.trim_end(), ""));
    let mut module = read(name, input)?;
    let registry = Registry::standard();
    let pipeline = Pipeline::parse(pipeline, "", &registry).map_err(|e| Failed::from(e.to_string()))?;
    let manager = PassManager { verify_each: true, check_each: Some(Check::Sat), ..PassManager::default() };
    manager.run(&mut module, &pipeline, &mut ()).map_err(|failure| first_error(failure.errors))?;
    let errors = verify::verify(&module);
    if !errors.is_empty() {
        return Err(first_error(errors));
    }
    let printed = print::print(&module);
    let printed: String = printed.lines().map(|line| format!("// {line}").trim_end().to_string() + "\n").collect();
    if blessing() {
        std::fs::write(path, format!("{input}\n// expect\n{printed}"))?;
        return Ok(());
    }
    if printed != expected {
        return Err(format!("expected\n{expected}\nfound\n{printed}").into());
    }
    Ok(())
}

fn eval_test(name: &str, text: &str) -> Outcome {
    let module = read(name, text)?;
    let mut runs = 0;
    for line in text.lines().filter_map(|l| l.trim().strip_prefix("// run: ")) {
        let (call, want) = line.split_once("==").ok_or("a run has `==`")?;
        let (func, args) = call.trim().strip_prefix('@').and_then(|c| c.split_once('(')).ok_or("a run is `@f(…)`")?;
        let f = module.funcs.iter().find(|f| f.name == func).ok_or("no such function")?;
        let inputs = values(args.trim_end().strip_suffix(')').ok_or("no `)`")?)?;
        let got = evaluate(&module, f, &inputs).map_err(|e| Failed::from(e.to_string()))?;
        let want = values(want)?;
        if got != want {
            return Err(format!("{line}: got {got:?}").into());
        }
        runs += 1;
    }
    if runs == 0 { Err("no `// run:` line".into()) } else { Ok(()) }
}

/// `1, [0, 1], [0.5]`: values of ports; a number with a point is real.
fn values(text: &str) -> Result<Vec<Val>, Failed> {
    let json: serde_json::Value = serde_json::from_str(&format!("[{text}]"))?;
    let value = |v: &serde_json::Value| -> Option<Val> {
        let single = std::slice::from_ref(v);
        let items = v.as_array().map_or(single, Vec::as_slice);
        if items.iter().all(serde_json::Value::is_u64) {
            return Some(Val::Packed(items.iter().filter_map(serde_json::Value::as_u64).collect()));
        }
        items.iter().map(|i| i.as_f64().map(|x| x as f32)).collect::<Option<Vec<_>>>().map(Val::F32)
    };
    json.as_array().into_iter().flatten().map(|v| value(v).ok_or_else(|| Failed::from("not a value"))).collect()
}

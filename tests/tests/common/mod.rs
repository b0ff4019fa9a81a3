//! The golden model, real circuits where they are, and other people's tools.
#![allow(dead_code)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use blc_frontend::data::{Dataset, Features};
use blc_frontend::lower;
use blc_frontend::model::{Model, TensorNames};
use blc_ir::diag::Source;
use blc_ir::eval::{Evaluator, Val};
use blc_ir::{Module, parse};

/// A model trained on the digits; `tests/golden/README.md` says how.
pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/digits.safetensors")
}

/// A file of the circuits and data that lie beside the repository on some machines.
pub fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    path.exists().then_some(path)
}

/// Runs `blc` in this process; it must exit with 0.
pub fn blc<T: Into<OsString> + Clone>(arguments: &[T]) {
    let all = ["blc", "-q"].map(OsString::from).into_iter().chain(arguments.iter().cloned().map(Into::into));
    let code = blc::Driver::standard().run(all);
    let named: Vec<OsString> = arguments.iter().cloned().map(Into::into).collect();
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS), "blc {named:?}");
}

/// `blc compile INPUT -o DIR …`
pub fn compile(input: &Path, dir: &Path, options: &[&str]) {
    let mut arguments: Vec<OsString> = vec!["compile".into(), input.into(), "-o".into(), dir.into()];
    arguments.extend(options.iter().map(Into::into));
    blc(&arguments);
}

/// The design that was compiled into a folder.
pub fn design(dir: &Path) -> Module {
    let text = std::fs::read_to_string(dir.join("design.blir")).expect("a design");
    parse::parse(&Source::new("design.blir", text)).unwrap_or_else(|e| panic!("{}", e[0]))
}

/// The report of a compiled design.
pub fn report(dir: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(dir.join("report.json")).expect("a report")).expect("JSON")
}

/// The golden model's inputs and outputs (class and scores) on the digits' test samples, by the reference evaluator at
/// tensor level.
pub fn golden_samples() -> Vec<(Vec<Val>, Vec<Val>)> {
    let data = Dataset::open("digits").expect("embedded data");
    let Features::U8(pixels) = &data.test.x else { panic!("digits are bytes") };
    let model = Model::read(&golden()).expect("the golden model");
    let module = lower::to_ir(&model, "digits.safetensors", &TensorNames::standard(&model));
    let mut evaluator = Evaluator::new(&module, module.top().expect("a function")).expect("valid IR");
    let samples = pixels.chunks(data.features()).map(|image| {
        let inputs = vec![Val::Packed(image.iter().map(|&p| u64::from(p)).collect())];
        let outputs = evaluator.run(&inputs).expect("a result");
        (inputs, outputs)
    });
    samples.collect()
}

/// Runs a tool in a folder and gives what it said. A tool that is missing or fails is a failed test.
pub fn tool(dir: &Path, name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name).args(arguments).current_dir(dir).output();
    let output = output.unwrap_or_else(|e| panic!("{name}: {e}; `./test.sh` installs it"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}\n{text}");
    text
}

/// Whether ABC finds two BLIF files equivalent. Panics where it comes to no verdict.
pub fn equivalent(dir: &Path, a: &Path, b: &Path) -> bool {
    let script = format!("cec {} {}", a.display(), b.display());
    let text = tool(dir, "berkeley-abc", &["-q", &script]);
    let equal = text.contains("Networks are equivalent");
    assert!(equal != text.contains("NOT EQUIVALENT"), "{}: {text}", a.display());
    equal
}

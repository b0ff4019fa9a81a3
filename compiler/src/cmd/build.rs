//! `blc build`: what a project's `blc.toml` says, step by step, nothing twice.
//!
//! Every step is a command of `blc` itself, shown as one could type it. Its key is a hash of this version, its arguments
//! and the contents of every file or folder that they name; where the key of the last run is the same and its outputs are
//! as they were left, the step is left out. A step takes the outputs of those before by their contents, too, so that a
//! change goes only as far as it changes something.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use blc_frontend::files;
use blc_ir::diag::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::args::{Build, DEFAULT_DIR, Global, New};
use crate::codes;
use crate::project::{FILE, Project, content_hash};
use crate::samples;
use crate::ui::{ErrorFormat, Failure, Outcome, Ui};

/// What was built before, in the output folder.
const STATE: &str = "build.json";
const MAX_STATE: u64 = 16 << 20;

/// A step that was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Done {
    key: String,
    /// Hashes of what it made.
    outputs: BTreeMap<String, String>,
    /// What it said, as JSON.
    said: Value,
}

/// A step to do.
struct Step {
    name: &'static str,
    args: Vec<String>,
    outputs: Vec<String>,
}

/// A build in progress.
struct Builder<'a> {
    folder: PathBuf,
    global: &'a Global,
    force: bool,
    state: BTreeMap<String, Done>,
    reused: Vec<&'static str>,
    made: Vec<&'static str>,
    ui: &'a Ui,
}

/// Builds the project of a folder.
pub fn run(args: &Build, global: &Global, ui: &Ui) -> Outcome {
    if let Some(dir) = &args.dir {
        std::env::set_current_dir(dir).map_err(|e| {
            let d = Diagnostic::error(&codes::PROJECT, format!("no folder to build in: {e}"));
            d.in_file(files::display(dir), "")
        })?;
    }
    if !Path::new(FILE).exists() {
        let d = Diagnostic::error(&codes::PROJECT, "there is no project here").in_file(FILE, "");
        return Err(d.help("`blc new DIR` makes one; `blc build DIR` builds it").into());
    }
    let project = Project::read(Path::new(FILE))?;
    let folder = PathBuf::from(&project.output);
    fs::create_dir_all(&folder).map_err(|e| {
        Diagnostic::error(&blc_frontend::codes::FILE_WRITE, format!("cannot be made: {e}"))
            .in_file(files::display(&folder), "")
    })?;
    let state = files::read_text(&folder.join(STATE), MAX_STATE).ok();
    let state = state.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let mut builder = Builder { folder, global, force: args.force, state, reused: Vec::new(), made: Vec::new(), ui };
    builder.build(&project)?;
    let summary = builder.summary();
    if args.json {
        return ui.data(serde_json::to_string_pretty(&summary).unwrap_or_default() + "\n");
    }
    builder.show(&summary)
}

impl Builder<'_> {
    fn build(&mut self, project: &Project) -> Outcome {
        let input = match (&project.train, &project.input) {
            (Some(options), _) => {
                let model = self.file("model.safetensors");
                let mut args = options.clone();
                if let Some(config) = &project.config {
                    let path = self.file("train.toml");
                    if fs::read_to_string(&path).ok().as_ref() != Some(config) {
                        files::write_atomic(Path::new(&path), config.as_bytes())?;
                    }
                    args.push(format!("--config={path}"));
                }
                args.extend([format!("--output={model}"), "--json".into()]);
                self.step(Step { name: "train", args, outputs: vec![model.clone()] })?;
                model
            }
            (None, input) => input.clone().unwrap_or_default(),
        };
        let mut args = vec![input];
        args.extend(project.compile.iter().cloned());
        args.extend([format!("--output={}", self.folder.display()), "--json".into()]);
        self.step(Step { name: "compile", args, outputs: vec![self.file("design.blir"), self.file("report.json")] })?;

        if let Some(options) = &project.simulate {
            let mut args = vec![self.file("design.blir")];
            args.extend(options.iter().cloned());
            if let (false, Some(data)) = (project.batch, &project.data) {
                let (x, y) = (self.file("test_x.npy"), self.file("test_y.npy"));
                self.samples(data, &x, &y)?;
                args.extend([format!("--input={x}"), format!("--labels={y}")]);
            }
            let predictions = self.file("predictions.npy");
            args.extend([format!("--output={predictions}"), "--json".into()]);
            self.step(Step { name: "sim", args, outputs: vec![predictions] })?;
        }
        Ok(())
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The test samples of a data set, as files for `blc sim`.
    fn samples(&mut self, data: &str, x: &str, y: &str) -> Outcome {
        let key = self.key("samples", &[data.to_owned()])?;
        let outputs = vec![x.to_owned(), y.to_owned()];
        if self.is_done("samples", &key, &outputs) {
            self.reused.push("samples");
            return Ok(());
        }
        samples::write_test(data, Path::new(x), Path::new(y))?;
        self.done("samples", key, &outputs, Value::Null)
    }

    /// Does a step, unless it was done.
    fn step(&mut self, step: Step) -> Outcome {
        let key = self.key(step.name, &step.args)?;
        let command = format!("blc {} {}", step.name, shell(&step.args));
        if self.is_done(step.name, &key, &step.outputs) {
            self.ui.say(format_args!("reused   {command}"));
            self.reused.push(step.name);
            return Ok(());
        }
        self.ui.say(format_args!("running  {command}"));
        let said = self.command(step.name, &step.args)?;
        let said = serde_json::from_slice(&said).unwrap_or(Value::Null);
        self.done(step.name, key, &step.outputs, said)
    }

    /// Runs a command of this program; what it says on stdout.
    fn command(&self, name: &str, args: &[String]) -> Outcome<Vec<u8>> {
        let refused = |e: std::io::Error| {
            Failure::from(Diagnostic::error(&codes::PROJECT, format!("`blc {name}` cannot be started: {e}")))
        };
        let mut command = Command::new(std::env::current_exe().map_err(refused)?);
        command.arg(name).args(args).stdin(Stdio::null()).stdout(Stdio::piped());
        if self.global.error_format == ErrorFormat::Json {
            command.arg("--error-format=json");
        }
        let flags = [(self.global.quiet, "--quiet"), (self.global.verbose, "--verbose")];
        command.args(flags.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag));
        command.args(self.global.threads.map(|n| format!("--threads={n}")));
        let ended = command.stderr(Stdio::inherit()).output().map_err(refused)?;
        match ended.status.code() {
            Some(0) => Ok(ended.stdout),
            // It has said why.
            code => Err(Failure::Told(code.and_then(|c| u8::try_from(c).ok()).unwrap_or(1))),
        }
    }

    /// What a step depends on.
    fn key(&self, name: &str, args: &[String]) -> Outcome<String> {
        let mut text = format!("{} {name}\n", env!("CARGO_PKG_VERSION"));
        for arg in args {
            text += &format!("{arg:?}");
            // What an option names, unless the step itself makes it.
            let value = arg.split_once('=').filter(|_| arg.starts_with("--"));
            let path = Path::new(value.map_or(arg.as_str(), |(_, path)| path));
            if value.is_none_or(|(option, _)| option != "--output") && path.exists() {
                text += &content_hash(path)?;
            }
            text.push('\n');
        }
        Ok(files::sha256_hex(text.as_bytes()))
    }

    fn is_done(&self, name: &str, key: &str, outputs: &[String]) -> bool {
        let same = |done: &Done, file: &String| {
            content_hash(Path::new(file)).is_ok_and(|hash| done.outputs.get(file) == Some(&hash))
        };
        !self.force && self.state.get(name).is_some_and(|done| done.key == key && outputs.iter().all(|o| same(done, o)))
    }

    /// Writes down what was done: a later step may fail.
    fn done(&mut self, name: &'static str, key: String, outputs: &[String], said: Value) -> Outcome {
        let hash = |file: &String| Ok((file.clone(), content_hash(Path::new(file))?));
        let outputs = outputs.iter().map(hash).collect::<blc_ir::Result<_>>()?;
        self.state.insert(name.into(), Done { key, outputs, said });
        self.made.push(name);
        let text = serde_json::to_string_pretty(&self.state).unwrap_or_default() + "\n";
        Ok(files::write_atomic(&self.folder.join(STATE), text.as_bytes())?)
    }

    fn summary(&self) -> Value {
        let said = |name: &str| self.state.get(name).map_or(Value::Null, |done| done.said.clone());
        json!({
            "made": self.made,
            "reused": self.reused,
            "training": said("train"),
            "report": said("compile"),
            "simulation": said("sim"),
        })
    }

    fn show(&self, summary: &Value) -> Outcome {
        let folder = self.folder.display().to_string();
        let mut text = self.command("report", &[folder])?;
        if let (Some(accuracy), Some(samples)) =
            (summary["simulation"]["accuracy"].as_f64(), summary["simulation"]["samples"].as_u64())
        {
            text.extend(format!("\naccuracy  {:.2} % of {samples} samples, simulated\n", 100.0 * accuracy).bytes());
        }
        self.ui.data(text)?;
        let list = |names: &[&str]| if names.is_empty() { "nothing".into() } else { names.join(", ") };
        self.ui.say(format_args!("made {}; reused {}", list(&self.made), list(&self.reused)));
        Ok(())
    }
}

/// Arguments as a shell takes them.
fn shell(args: &[String]) -> String {
    let plain =
        |arg: &str| !arg.is_empty() && arg.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=./,@:+%".contains(&b));
    let quoted = |arg: &String| if plain(arg) { arg.clone() } else { format!("'{}'", arg.replace('\'', r"'\''")) };
    args.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// Makes the folder of a project.
pub fn new(args: &New, ui: &Ui) -> Outcome {
    let file = args.dir.join(FILE);
    if file.exists() {
        let d = Diagnostic::error(&codes::PROJECT, "there is a project already").in_file(files::display(&file), "");
        return Err(d.help("choose another folder").into());
    }
    let mut outputs = crate::outputs::Outputs::default();
    outputs.add(FILE, TEMPLATE);
    outputs.add(".gitignore", format!("{DEFAULT_DIR}/\n"));
    outputs.write(&args.dir)?;
    ui.say(format_args!("wrote {}; next: blc build {}", files::display(&file), files::display(&args.dir)));
    Ok(())
}

/// A first project.
const TEMPLATE: &str = r#"# Keys are the options of the command: `blc train --help`, `blc compile --help`, `blc sim --help`.

[train]
data = "digits"     # or a folder of MNIST-like files, an .npz, a .csv
preset = "digits"   # or keys of docs/training.md in a section [train.config]

[compile]
target = "xc7"

[simulate]          # the test samples of the training data; or `input` and `labels`
"#;

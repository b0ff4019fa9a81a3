//! `blc reduce`: the smallest design on which a command still fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use blc_frontend::codes::FILE_WRITE;
use blc_frontend::files;
use blc_ir::diag::Diagnostic;
use blc_passes::reduce::{Answer, Size, reduce};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::compile::module_of;
use crate::args::Reduce;
use crate::codes;
use crate::ui::{Outcome, Ui};
use crate::{interrupt, resources};

/// How the run came out, for `--json`.
#[derive(Serialize)]
struct Summary {
    output: String,
    tries: u64,
    /// Whether nothing smaller was left to try.
    complete: bool,
    status: i32,
    functions: usize,
    ops: usize,
    inputs: usize,
    outputs: usize,
}

/// Shrinks a design.
pub fn run(args: &Reduce, ui: &Ui) -> Outcome {
    let mut module = module_of(&args.input)?;
    resources::inline(&mut module);
    let test = Test::new(args, interrupt::flag(ui))?;
    let status = match test.status(&module.to_string())? {
        Some(0) => return Err(boring("the command ends with exit code 0 on the input itself")),
        Some(status) => status,
        None => return Err(boring("the command does not end in time on the input itself")),
    };
    ui.say(format_args!("the command ends with exit code {status}: smaller designs on which it does, too, are sought"));

    let bar = bar(args.steps, ui);
    let mut broken = None;
    let reduced = reduce(module, args.steps, &mut |text, best: &Size| {
        bar.inc(1);
        bar.set_message(format!("{} ops, {} inputs, {} outputs", best.ops, best.inputs, best.outputs));
        if test.stop.load(Ordering::Relaxed) {
            return Answer::Stop;
        }
        match test.status(text) {
            Ok(found) if found == Some(status) => Answer::Fails,
            Ok(_) => Answer::Passes,
            Err(failure) => {
                broken = Some(failure);
                Answer::Stop
            }
        }
    });
    bar.finish_and_clear();
    if let Some(failure) = broken {
        return Err(failure);
    }

    let output = args.output.clone().unwrap_or_else(|| args.input.with_extension("reduced.blir"));
    files::write_atomic(&output, reduced.module.to_string().as_bytes())?;
    let (size, file) = (reduced.size, files::display(&output));
    if args.json {
        let summary = Summary {
            output: file,
            tries: reduced.tries,
            complete: reduced.complete,
            status,
            functions: size.functions,
            ops: size.ops,
            inputs: size.inputs,
            outputs: size.outputs,
        };
        return ui.data(serde_json::to_string_pretty(&summary).unwrap_or_default() + "\n");
    }
    let end = if reduced.complete { "nothing smaller fails" } else { "stopped early; `--steps` allows more" };
    ui.say(format_args!(
        "{} ops, {} inputs, {} outputs after {} candidates ({end}): {file}",
        size.ops, size.inputs, size.outputs, reduced.tries
    ));
    Ok(())
}

fn boring(what: &str) -> crate::ui::Failure {
    let d = Diagnostic::error(&codes::NOT_FAILING, what);
    d.help("give a command that fails, such as `! blc compile {} --target xc7 --prove`").into()
}

fn bar(steps: u64, ui: &Ui) -> ProgressBar {
    let target = if ui.animates() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(steps), target);
    let style = ProgressStyle::with_template("{spinner} {pos} of at most {len} candidates  {msg}  [{elapsed}]");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The command that says whether a design is interesting.
struct Test {
    command: String,
    candidate: PathBuf,
    timeout: Duration,
    stop: Arc<AtomicBool>,
    /// Holds the candidate.
    _folder: tempfile::TempDir,
}

impl Test {
    fn new(args: &Reduce, stop: Arc<AtomicBool>) -> Outcome<Self> {
        if !args.test.contains("{}") {
            let d = Diagnostic::error(&codes::USAGE, "the command of `--test` has no `{}`");
            return Err(d
                .help("`{}` stands for the file of the candidate: --test 'blc compile {} --target xc7'")
                .into());
        }
        let refused = |e: std::io::Error| {
            Diagnostic::error(&FILE_WRITE, format!("a folder for candidates cannot be made: {e}"))
                .in_file(files::display(&std::env::temp_dir()), "")
        };
        let folder = tempfile::tempdir().map_err(refused)?;
        let candidate = folder.path().join("candidate.blir");
        let command = args.test.replace("{}", &quoted(&candidate));
        Ok(Self { command, candidate, timeout: Duration::from_secs(args.timeout.into()), stop, _folder: folder })
    }

    /// The exit code of the command on a text (128 and the signal's number, where one ended it); `None` where it does not
    /// end in time.
    fn status(&self, text: &str) -> Outcome<Option<i32>> {
        let told = |what: &Path, e: std::io::Error| {
            Diagnostic::error(&FILE_WRITE, format!("cannot be written: {e}")).in_file(files::display(what), "")
        };
        fs::write(&self.candidate, text).map_err(|e| told(&self.candidate, e))?;
        let mut shell = Command::new("sh");
        shell.args(["-c", &self.command]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own, so that Ctrl-C reaches `blc` alone and a command that hangs goes with all it started.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let child = shell.spawn().map_err(|e| {
            Diagnostic::error(&codes::USAGE, format!("`sh` cannot be started: {e}"))
                .help("`--test` needs a POSIX shell")
        })?;
        Ok(self.wait(child).map(code))
    }

    fn wait(&self, mut child: Child) -> Option<ExitStatus> {
        let (start, mut pause) = (Instant::now(), Duration::from_micros(200));
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if start.elapsed() < self.timeout => {}
                _ => {
                    end(&mut child);
                    return None;
                }
            }
            sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }
}

/// Ends a command and what it started.
fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended just now.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0))
}

/// A path for a POSIX shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

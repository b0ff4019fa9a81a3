//! `blc sweep`: many trainings, each compiled, in one table.
//!
//! A run has a folder of its own, named by the hash of all that determines it, so that a sweep goes on where it was
//! stopped, and runs of several machines on a shared disk add up: `--list` prints a command line for each run that is
//! not done.

mod plan;
mod results;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use blc_frontend::data::Dataset;
use blc_frontend::files;
use blc_frontend::train::{Compute, RunOptions, train};
use blc_ir::diag::{Diagnostic, Source};
use blc_passes::Registry;
use clap::Parser;

use crate::args::{Cli, Command, Sweep};
use crate::cmd::compile;
use crate::codes;
use crate::interrupt;
use crate::load;
use crate::outputs::{self, Outputs};
use crate::progress::{Progress, percent};
use crate::report::REPORT;
use crate::ui::{Outcome, Ui};
use plan::{Job, Plan};
use results::{RUN, Run};

/// Largest file that describes a sweep.
const MAX_PLAN: u64 = 1 << 20;
/// Name of the model in a run's folder.
const MODEL: &str = "model.safetensors";
/// Name of the state of a run that is not done.
const CHECKPOINT: &str = "checkpoint.safetensors";

/// Runs what is not done, and writes the table of what is.
pub fn run(args: &Sweep, registry: &Registry, ui: &Ui) -> Outcome {
    let source = Source::new(files::display(&args.plan), files::read_text(&args.plan, MAX_PLAN)?);
    let plan = Plan::read(&source)?;
    let jobs = plan.jobs(&source)?;
    let compile = compile_options(&plan, &source)?;
    let folder = |job: &Job| args.output.join("runs").join(&job.id);
    if args.list {
        let open = jobs.iter().filter(|job| Run::read(&folder(job)).is_none());
        let line = |job: &Job| {
            let (plan, output) = (quoted(&args.plan), quoted(&args.output));
            format!("blc sweep {plan} -o {output} --only {}\n", job.id)
        };
        return ui.data(open.map(line).collect::<String>());
    }
    if let Some(id) = args.only.as_ref().filter(|id| !jobs.iter().any(|job| job.id == **id)) {
        let d = Diagnostic::error(&codes::SWEEP, format!("the sweep has no run `{id}`"));
        return Err(d.in_file(source.name.clone(), "").help("`--list` prints the runs that are not done").into());
    }
    outputs::check_folder(&args.output)?;
    let stop = interrupt::flag(ui);
    let mut data = None;
    let wanted = |job: &&Job| args.only.as_ref().is_none_or(|id| job.id == *id);
    for (i, job) in jobs.iter().filter(wanted).enumerate() {
        let folder = folder(job);
        if args.collect || stop.load(Ordering::Relaxed) || Run::read(&folder).is_some() {
            continue;
        }
        let settings: Vec<String> = job.settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        ui.say(format_args!("run {} of {} ({}): {}", i + 1, jobs.len(), job.id, settings.join(", ")));
        let data = match &data {
            Some(data) => data,
            None => data.insert(Dataset::open(&plan.data)?),
        };
        if let Some(run) = one(job, data, &folder, &compile, &stop, registry, ui)? {
            ui.say(format_args!("  {} right of {}, {} sites", run.validation[0], run.validation[1], run.luts[0]));
        }
    }
    let done: Vec<(&Job, Run)> = jobs.iter().filter_map(|job| Some((job, Run::read(&folder(job))?))).collect();
    let (csv, svg) = results::tables(&done);
    let mut outputs = Outputs::default();
    outputs.add("results.csv", csv);
    outputs.add("results.svg", svg);
    outputs.write(&args.output)?;
    if args.json {
        ui.data(results::json(&done))?;
    }
    ui.say(format_args!(
        "{} of {} runs are done: results.csv and results.svg in {}",
        done.len(),
        jobs.len(),
        files::display(&args.output)
    ));
    Ok(())
}

/// The options of `blc compile`, checked before anything long.
fn compile_options(plan: &Plan, source: &Source) -> Outcome<Vec<String>> {
    parse(&plan.compile, Path::new(MODEL), Path::new("out")).map_err(|e| {
        let text = e.to_string();
        let why = text.lines().next().unwrap_or("").trim_start_matches("error: ").to_owned();
        let d = Diagnostic::error(&codes::SWEEP, format!("`compile`: {why}"));
        d.in_file(source.name.clone(), "").help("`blc compile --help` lists the options; give each as its own string")
    })?;
    Ok(plan.compile.clone())
}

fn parse(options: &[String], model: &Path, output: &Path) -> Result<Cli, clap::Error> {
    let own = ["blc", "compile", "-o"].map(OsString::from).into_iter();
    let all = own.chain([output.into(), model.into()]).chain(options.iter().map(OsString::from));
    Cli::try_parse_from(all)
}

/// Trains and compiles; `None` where it was stopped on the way.
fn one(
    job: &Job,
    data: &Dataset,
    folder: &Path,
    compile: &[String],
    stop: &Arc<AtomicBool>,
    registry: &Registry,
    ui: &Ui,
) -> Outcome<Option<Run>> {
    std::fs::create_dir_all(folder).map_err(|e| {
        let d = Diagnostic::error(&blc_frontend::codes::FILE_WRITE, format!("cannot be made: {e}"));
        d.in_file(files::display(folder), "").help("choose another place with `-o`")
    })?;
    let checkpoint = folder.join(CHECKPOINT);
    let options = RunOptions {
        checkpoint: Some(checkpoint.clone()),
        resume: checkpoint.exists().then(|| checkpoint.clone()),
        stop: Some(Arc::clone(stop)),
        leave_test: true,
        compute: Compute::Cpu,
    };
    let mut progress = Progress::new(ui);
    let started = Instant::now();
    let trained = train(data, &job.config, &mut progress, &options);
    progress.finish();
    let trained = trained?;
    if trained.report.interrupted {
        return Ok(None);
    }
    let accuracy = trained.report.validation;
    ui.detail(format_args!("  validation {} hard", percent(accuracy)));
    let mut run = Run {
        validation: [accuracy.correct, accuracy.samples],
        nodes: trained.report.nodes,
        luts: [0; 4],
        ffs: 0,
        levels: 0,
        latency_ns: None,
        train_seconds: started.elapsed().as_secs_f64(),
    };
    let model: PathBuf = folder.join(MODEL);
    trained.model.write(&model)?;
    let cli = parse(compile, &model, folder)
        .map_err(|e| Diagnostic::error(&codes::SWEEP, e.to_string()).help("`blc compile --help` lists the options"))?;
    let Command::Compile(args) = &cli.command else { return Ok(None) };
    let compiled = compile::compile(args, load::read(&model)?, Instant::now(), None, registry, ui)?;
    let mut outputs = compiled.outputs;
    if let Some(report) = outputs.get(REPORT) {
        run.take(&serde_json::from_slice(report).unwrap_or_default());
    }
    outputs.add("config.toml", job.config.to_toml()?);
    outputs.write(folder)?;
    // Last: a run is done when this file is there.
    let text = serde_json::to_vec_pretty(&run).unwrap_or_default();
    files::write_atomic(&folder.join(RUN), &text)?;
    let _ = std::fs::remove_file(checkpoint);
    Ok(Some(run))
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = files::display(path);
    match text.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c)) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

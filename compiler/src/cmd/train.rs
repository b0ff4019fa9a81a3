//! `blc train`: data in, a frozen model out.

use std::path::Path;

use blc_frontend::data::Dataset;
use blc_frontend::files;
use blc_frontend::train::{Config, RunOptions, TrainReport, train};
use blc_ir::diag::Source;
use blc_passes::Registry;
use blc_passes::approx::check_budget;
use serde::Serialize;

use crate::args::Train;
use crate::interrupt;
use crate::metrics::{Metrics, curves};
use crate::outputs;
use crate::progress::{Progress, percent};
use crate::prune::{self, Pruned};
use crate::ui::{self, Outcome, Ui};

/// Largest configuration.
const MAX_CONFIG: u64 = 1 << 20;

/// Trains and writes the model.
pub fn run(args: &Train, registry: &Registry, ui: &Ui) -> Outcome {
    let beside = [&args.checkpoint, &args.metrics, &args.plot].map(Option::as_ref);
    for path in [Some(&args.output)].into_iter().chain(beside).flatten() {
        outputs::check(path)?;
    }
    args.prune.map_or(Ok(()), check_budget)?;
    let data = Dataset::open(&args.data)?;
    let mut config = match (&args.preset, &args.config) {
        (Some(name), _) => Config::preset(name)?.for_classes(data.classes),
        (None, Some(path)) => {
            Config::from_toml(&Source::new(files::display(path), files::read_text(path, MAX_CONFIG)?))?
        }
        (None, None) => Config::default_for(&data),
    };
    config.seed = args.seed.unwrap_or(config.seed);
    config.epochs = args.epochs.unwrap_or(config.epochs);
    ui.detail(config.to_toml()?);
    ui.say(format_args!(
        "{}: {} samples to train on, {} to test with, {} classes",
        data.name,
        data.train.len(),
        data.test.len(),
        data.classes
    ));

    let options = RunOptions {
        checkpoint: args.checkpoint.clone(),
        resume: args.checkpoint.clone().filter(|_| args.resume),
        stop: Some(interrupt::flag(ui)),
        leave_test: false,
        compute: args.device,
    };
    let mut observers = (Progress::new(ui), Metrics::new(args.metrics.as_deref())?);
    let trained = train(&data, &config, &mut observers, &options);
    let (progress, metrics) = observers;
    progress.finish();
    let trained = trained?;
    trained.model.write(&args.output)?;
    metrics.finish(&trained.report)?;
    if let Some(path) = &args.plot {
        files::write_atomic(path, curves(&data.name, &trained.report).as_bytes())?;
    }
    // The model is there already if pruning fails.
    let pruned = match args.prune {
        Some(budget) => {
            let test = trained.report.test_hard.is_some();
            let (model, pruned) = prune::prune(&trained.model, &data, &config, budget, test, registry, ui)?;
            model.write(&args.output)?;
            Some(pruned)
        }
        None => None,
    };
    if args.json {
        let report = Report { run: &trained.report, pruned: pruned.as_ref() };
        ui.data(serde_json::to_string_pretty(&report).unwrap_or_default() + "\n")?;
    } else if !ui.is_quiet() {
        ui.data(table(&trained.report, pruned.as_ref(), &args.output))?;
    }
    Ok(())
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    run: &'a TrainReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned: Option<&'a Pruned>,
}

/// How the run came out.
fn table(report: &TrainReport, pruned: Option<&Pruned>, output: &Path) -> String {
    let mut rows = vec![["", "soft", "hard"].map(String::from).to_vec()];
    let best = report.epochs.iter().find(|e| e.epoch == report.best_epoch);
    if let Some(best) = best {
        rows.push(vec!["validation".into(), percent(best.soft), percent(best.hard)]);
    }
    if let (Some(soft), Some(hard)) = (report.test_soft, report.test_hard) {
        rows.push(vec!["test".into(), percent(soft), percent(hard)]);
    }
    if let Some(pruned) = pruned {
        rows.push(vec!["validation, pruned".into(), String::new(), percent(pruned.validation)]);
        rows.extend(pruned.test.map(|test| vec!["test, pruned".into(), String::new(), percent(test)]));
    }
    let mut text = ui::table(&rows);
    text += &format!(
        "epoch {} of {}, {} lookup tables on {} input bits, {:.1} s: {}\n",
        report.best_epoch,
        report.epochs.len(),
        report.nodes,
        report.input_bits,
        report.seconds,
        files::display(output)
    );
    if let Some(pruned) = pruned {
        text += &format!("pruned: {} inputs of tables are not heeded any more\n", pruned.inputs_dropped);
    }
    if report.interrupted {
        text += "interrupted: the best model so far is kept, and the test samples were not read\n";
    }
    text
}

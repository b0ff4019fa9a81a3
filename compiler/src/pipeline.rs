//! Runs a pipeline over a module and says what there is to say.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use blc_frontend::files;
use blc_ir::Module;
use blc_passes::approx::Data;
use blc_passes::codes::{NOT_PROVED, PASS_BROKE_IR, PASS_NOT_EQUAL};
use blc_passes::gates::Gates;
use blc_passes::rules::RuleSet;
use blc_passes::{Check, Control, Cost, Failure, PassManager, PassObserver, PassRun, Pipeline, Registry, RunReport};

use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::args::{self, Debug};
use crate::ui::{self, Outcome, Ui};

/// What a pipeline is run with.
pub struct Run<'a> {
    /// The passes there are.
    pub registry: &'a Registry,
    /// The pipeline's text.
    pub passes: &'a str,
    /// What `@default` stands for.
    pub default: &'a str,
    /// How it is watched.
    pub debug: &'a Debug,
    /// Where a file that reproduces an error of a pass goes: beside the files that it names.
    pub folder: Option<&'a Path>,
    /// Samples for approximate passes.
    pub data: Option<Arc<Data>>,
    /// Rewrite rules of the user.
    pub rules: Option<Arc<RuleSet>>,
    /// Levels allowed, and whether to end early.
    pub control: Control,
    /// What `try(…)` makes small; `None` for what the target's name says.
    pub cost: Option<Cost>,
    /// Gates to build of.
    pub gates: Option<Arc<Gates>>,
}

impl Run<'_> {
    /// Runs it.
    ///
    /// # Errors
    /// A text that is no pipeline, or a pass that stopped; the module is then as it was before that pass.
    pub fn on(&self, module: &mut Module, ui: &Ui) -> Outcome<RunReport> {
        let manager = PassManager {
            verify_each: self.debug.verify_each,
            check_each: self.debug.check_each.map(|how| match how {
                args::Check::Sim => Check::Sim,
                args::Check::Sat => Check::Sat,
            }),
            print_ir_after: self.debug.print_ir_after.clone(),
            data: self.data.clone(),
            rules: self.rules.clone(),
            control: self.control.clone(),
            cost: self.cost,
            gates: self.gates.clone(),
        };
        manager.check_names(self.registry)?;
        let pipeline = Pipeline::parse(self.passes, self.default, self.registry)?;
        let mut watch = Watch::new(ui);
        let result = manager.run(module, &pipeline, &mut watch);
        watch.bar.finish_and_clear();
        let report = match &result {
            Ok(report) => report,
            Err(failure) => &failure.report,
        };
        if self.debug.timing {
            ui.dump(&timing(report));
        }
        match result {
            Ok(report) => {
                ui.warn(&report.warnings);
                Ok(report)
            }
            Err(failure) => Err(self.explain(*failure)),
        }
    }

    /// The errors; where the pass is to blame, with the file that reproduces them.
    fn explain(&self, failure: Failure) -> ui::Failure {
        let mut errors = failure.errors;
        let kind = match errors.first().map(|d| d.code) {
            Some(code) if code == &PASS_BROKE_IR => ui::Failure::Bug,
            Some(code) if code == &PASS_NOT_EQUAL => ui::Failure::NotEqual,
            Some(code) if code == &NOT_PROVED => ui::Failure::Undecided,
            _ => return ui::Failure::Wrong(errors),
        };
        let folder = self.folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let path = folder.join(format!("blc-repro-{}.blir", failure.pass));
        if fs::write(&path, &failure.reproducer).is_ok() {
            errors[0].notes.push(format!("{} reproduces it; its first lines say how", files::display(&path)));
        }
        kind(errors)
    }
}

/// Says what passes do; on a terminal a line that moves shows which one runs.
struct Watch<'a> {
    ui: &'a Ui,
    bar: ProgressBar,
    begun: u32,
    ops: Option<usize>,
}

impl<'a> Watch<'a> {
    fn new(ui: &'a Ui) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_draw_target(if ui.animates() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
        if ui.animates() {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Self { ui, bar, begun: 0, ops: None }
    }
}

impl PassObserver for Watch<'_> {
    fn begin(&mut self, pass: &str) {
        self.begun += 1;
        let ops = self.ops.map_or(String::new(), |n| format!(", {n} ops"));
        self.bar.set_message(format!("pass {}: {pass}{ops}", self.begun));
    }

    fn end(&mut self, run: &PassRun) {
        self.ops = Some(run.ops_after);
        self.ui.detail(format_args!(
            "{}: {} ops to {}{}",
            run.pass,
            run.ops_before,
            run.ops_after,
            if run.changed { "" } else { ", nothing to do" }
        ));
    }

    fn ir(&mut self, pass: &str, module: &Module) {
        self.ui.dump(&format!("// after {pass}\n{module}"));
    }
}

/// How long each pass took.
fn timing(report: &RunReport) -> String {
    let mut rows = vec![["pass", "seconds", "ops before", "ops after"].map(String::from).to_vec()];
    let row = |p: &PassRun| {
        vec![p.pass.clone(), format!("{:.4}", p.seconds), p.ops_before.to_string(), p.ops_after.to_string()]
    };
    rows.extend(report.passes.iter().map(row));
    let total: f64 = report.passes.iter().map(|p| p.seconds).sum();
    rows.push(vec!["total".into(), format!("{total:.4}")]);
    ui::table(&rows)
}

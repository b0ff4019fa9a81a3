//! How training is watched on a terminal.

use blc_frontend::train::{Accuracy, EpochReport, Observer, RunPlan};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::ui::Ui;

/// A progress bar on a terminal; elsewhere a line an epoch for those who asked for more.
pub struct Progress<'a> {
    ui: &'a Ui,
    bar: ProgressBar,
    plan: Option<RunPlan>,
    epoch: usize,
}

impl<'a> Progress<'a> {
    /// Shows nothing yet.
    pub fn new(ui: &'a Ui) -> Self {
        let target = if ui.animates() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{bar:24} {percent:>3} %  {msg}  [{elapsed}, {eta} left]");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { ui, bar, plan: None, epoch: 0 }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Progress<'_> {
    fn start(&mut self, plan: &RunPlan, done: &[EpochReport]) {
        self.ui.detail(format_args!(
            "{} tables, {} parameters, {} epochs of {} steps",
            plan.nodes, plan.parameters, plan.epochs, plan.steps
        ));
        self.bar.set_length((plan.epochs * plan.steps) as u64);
        self.bar.set_position((done.len() * plan.steps) as u64);
        self.bar.set_message("first epoch");
        self.bar.reset_eta();
        self.epoch = done.len();
        self.plan = Some(*plan);
    }

    fn step(&mut self, step: usize, _loss: f32) {
        let steps = self.plan.map_or(0, |p| p.steps);
        self.bar.set_position((self.epoch * steps + step) as u64);
    }

    fn epoch(&mut self, report: &EpochReport) {
        self.epoch = report.epoch;
        let epochs = self.plan.map_or(0, |p| p.epochs);
        let line = format!(
            "epoch {}/{epochs}  loss {:.3}  soft {}  hard {}",
            report.epoch,
            report.loss,
            percent(report.soft),
            percent(report.hard)
        );
        self.ui.detail(&line);
        self.bar.set_message(line);
    }
}

/// `97.31 %`
pub fn percent(accuracy: Accuracy) -> String {
    format!("{:.2} %", 100.0 * accuracy.share())
}

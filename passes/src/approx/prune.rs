//! `prune`: what the labels of samples hardly need goes.
//!
//! A discrete re-fit towards the labels, no approximation of the function.

use serde::{Deserialize, Serialize};

use blc_ir::{Diagnostic, Func, Level};

use super::net::Net;
use super::refit::{Goal, Refit, Terms, fitted};
use super::source::Source;
use super::{Predictions, data, finish};
use crate::codes::APPROX_OPTION;
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};

/// Table inputs go where labelled samples hardly feel it.
pub struct Prune {
    options: PruneOptions,
}

/// Options of [`Prune`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PruneOptions {
    /// Points of held-out accuracy that may go, in percent: 0 to 100; beside them one standard error of what is measured.
    pub budget: f64,
    /// What the order of visits derives from.
    pub seed: u64,
}

impl Default for PruneOptions {
    fn default() -> Self {
        Self { budget: 0.2, seed: 1 }
    }
}

impl PassSpec for Prune {
    const NAME: &'static str = "prune";
    const SUMMARY: &'static str = "Drop table inputs that labelled samples hardly need (approximate; takes samples)";
    const LEVEL: Level = Level::Bit;
    const EXACT: bool = false;
    type Options = PruneOptions;

    fn build(options: PruneOptions) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

/// Errors: `BL2112` where so many points cannot be given.
pub fn check_budget(points: f64) -> Result<(), Box<Diagnostic>> {
    if (0.0..=100.0).contains(&points) {
        return Ok(());
    }
    let d = Diagnostic::error(&APPROX_OPTION, format!("an accuracy budget of {points} points cannot be"));
    Err(Box::new(d.help("give 0 to 100 points")))
}

/// Strengths of pruning, rising. Stronger ones fit the training samples better than others.
const STRENGTHS: [f64; 8] = [0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0];
/// So many steps in a row beyond the budget end it.
const PATIENCE: usize = 5;

impl Pass for Prune {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let PruneOptions { budget, seed } = self.options;
        check_budget(budget)?;
        let (source, net) = Source::read(f, cx)?;
        let data = data(cx, Self::NAME)?;
        data.check(&source, &net)?;
        let said = |net: &Net, samples| Predictions::new(net, &source, samples);
        let choice = said(&net, &data.choice);
        let loss = fitted(&net, &source, &data.choice);
        let mut best = (f64::INFINITY, net.clone(), 0);
        // A network that was trained badly has more to learn from the labels than from what it says, one trained well less.
        for goal in [Goal::Labels, Goal::Said(&net)] {
            let mut refit = Refit::new(net.clone(), &source, &data.train, goal, Terms::PRUNE, loss.clone(), seed);
            let (mut gone, mut beyond) = (0, 0);
            for strength in STRENGTHS {
                gone += refit.sweep(strength);
                let within = choice.within(&said(&refit.net, &data.choice), &data.choice, budget);
                beyond = if within { 0 } else { beyond + 1 };
                if beyond == 0 && refit.sites() < best.0 {
                    best = (refit.sites(), refit.net.clone(), gone);
                }
                if beyond == PATIENCE {
                    break;
                }
            }
        }
        let (_, after, gone) = best;
        let (before, measured) = (said(&net, &data.held_out), said(&after, &data.held_out));
        before.tell(&measured, &data.held_out, Self::NAME, gone, cx);
        finish(f, &source, &after, Self::NAME);
        Ok(Changed::Yes)
    }
}

//! Approximate passes, never run unless asked for: `calibrate` and `prune`.
//!
//! Both see a network of lookup tables with its encoder and head still as words, and samples ([`Data`]). They tell the
//! report how many held-out samples were right before and after, and how many predictions changed, and leave a mark on the
//! function (`approximate`), which the HDL's header shows.

mod calibrate;
mod net;
mod prune;
mod samples;

use blc_ir::{Diagnostic, Func, FuncAttr, Level};
use serde::{Deserialize, Serialize};

use crate::codes::{APPROX_DATA, APPROX_OPTION};
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};
use net::Net;
pub use samples::{Data, Inputs, Samples};

/// The function's attribute that says what was done to it.
pub const MARK: &str = "approximate";

/// Table entries that no sample comes to, or hardly any, are free.
pub struct Calibrate {
    options: CalibrateOptions,
}

/// Options of [`Calibrate`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CalibrateOptions {
    /// Most of the samples, in percent, on which a table may change, as long as no accuracy is lost; 0: none may.
    pub seldom: f64,
}

impl Default for CalibrateOptions {
    fn default() -> Self {
        Self { seldom: 0.5 }
    }
}

/// Parts of [`CalibrateOptions::seldom`] that are tried, the largest first.
const PARTS: [f64; 6] = [1.0, 0.6, 0.4, 0.2, 0.1, 0.0];

impl PassSpec for Calibrate {
    const NAME: &'static str = "calibrate";
    const SUMMARY: &'static str = "Drop table inputs that no sample needs (approximate; takes samples)";
    const LEVEL: Level = Level::Bit;
    const EXACT: bool = false;
    type Options = CalibrateOptions;

    fn build(options: CalibrateOptions) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

impl Pass for Calibrate {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let seldom = self.options.seldom;
        if !(0.0..=100.0).contains(&seldom) {
            let d = Diagnostic::error(&APPROX_OPTION, format!("{seldom} percent of the samples cannot be"));
            return Err(Box::new(d.help("give 0 to 100")));
        }
        let full = Net::read(f, cx)?;
        let data = data(cx, Self::NAME)?;
        let before = Predictions::new(&full, &data.held_out)?;
        let right = Predictions::new(&full, &data.choice)?.right(&data.choice);
        let values = full.values(&data.train)?;
        let (mut net, mut gone) = (full.clone(), 0);
        for part in PARTS {
            net.clone_from(&full);
            let allowed = part * seldom / 100.0 * data.train.len() as f64;
            gone = calibrate::calibrate(&mut net, &values, allowed as u32);
            if Predictions::new(&net, &data.choice)?.right(&data.choice) >= right {
                break;
            }
        }
        before.tell(&net, &data.held_out, Self::NAME, gone, cx)?;
        finish(f, &net, Self::NAME);
        Ok(Changed::Yes)
    }
}

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

/// Strengths of pruning, rising; each is swept twice.
const STRENGTHS: [f64; 9] = [0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5];

impl Pass for Prune {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let PruneOptions { budget, seed } = self.options;
        if !(0.0..=100.0).contains(&budget) {
            let d = Diagnostic::error(&APPROX_OPTION, format!("an accuracy budget of {budget} points cannot be"));
            return Err(Box::new(d.help("give 0 to 100 points")));
        }
        let net = Net::read(f, cx)?;
        let data = data(cx, Self::NAME)?;
        let before = Predictions::new(&net, &data.held_out)?;
        let reference = Predictions::new(&net, &data.choice)?;
        let values = net.values(&data.train)?;
        let mut best = (net.clone(), 0);
        let temperature = prune::temperature(&net, &net.values(&data.choice)?, &data.choice.labels);
        let mut pruner = prune::Pruner::new(net, values, &data.train.labels, temperature, seed);
        let mut gone = 0;
        // The strongest step within the budget: few samples can be wrong about one before it.
        for strength in STRENGTHS {
            gone += pruner.sweep(strength) + pruner.sweep(strength);
            if reference.within(&pruner.net, &data.choice, budget)? {
                best = (pruner.net.clone(), gone);
            }
        }
        let (net, gone) = best;
        before.tell(&net, &data.held_out, Self::NAME, gone, cx)?;
        finish(f, &net, Self::NAME);
        Ok(Changed::Yes)
    }
}

fn data(cx: &PassCx<'_>, pass: &str) -> Result<std::sync::Arc<Data>, Abort> {
    cx.data.clone().ok_or_else(|| {
        let d = Diagnostic::error(&APPROX_DATA, format!("`{pass}` has no samples"));
        Box::new(d.help(format!("give them with `--{pass} data.npz`")))
    })
}

/// Puts the network into its function, and a mark on that.
fn finish(f: &mut Func, net: &Net, pass: &str) {
    net.write(f);
    let before = match f.attr(MARK) {
        Some(FuncAttr::Str(text)) => format!("{text}, "),
        _ => String::new(),
    };
    f.set_attr(MARK, FuncAttr::Str(format!("{before}{pass}")));
}

/// What a network says of samples.
struct Predictions {
    classes: Vec<u16>,
}

impl Predictions {
    fn new(net: &Net, samples: &Samples) -> Result<Self, Abort> {
        Ok(Self { classes: net.classes(&net.values(samples)?) })
    }

    fn right(&self, samples: &Samples) -> u64 {
        self.classes.iter().zip(&samples.labels).filter(|(a, b)| a == b).count() as u64
    }

    /// Whether another network loses at most `budget` points on samples, as far as so many can tell: by one standard error
    /// of the difference, which is the root of the number of samples that one is right about and the other is not (the rule of
    /// Breiman et al., "Classification and Regression Trees", 1984).
    fn within(&self, net: &Net, samples: &Samples, budget: f64) -> Result<bool, Abort> {
        let after = Self::new(net, samples)?;
        let lost = self.right(samples) as f64 - after.right(samples) as f64;
        let right =
            |classes: &[u16]| -> Vec<bool> { classes.iter().zip(&samples.labels).map(|(a, b)| a == b).collect() };
        let differ = right(&self.classes).iter().zip(&right(&after.classes)).filter(|(a, b)| a != b).count();
        Ok(lost <= budget / 100.0 * samples.len() as f64 + (differ as f64).sqrt())
    }

    /// Tells the report what became of the predictions.
    fn tell(&self, net: &Net, samples: &Samples, pass: &str, gone: u64, cx: &mut PassCx<'_>) -> Result<(), Abort> {
        let after = Self::new(net, samples)?;
        let changed = self.classes.iter().zip(&after.classes).filter(|(a, b)| a != b).count() as u64;
        for (name, value) in [
            ("held_out", samples.len() as u64),
            ("right_before", self.right(samples)),
            ("right_after", after.right(samples)),
            ("predictions_changed", changed),
            ("inputs_dropped", gone),
        ] {
            cx.fact(format!("{pass}.{name}"), value);
        }
        Ok(())
    }
}

//! Approximate passes, never run unless asked for: `calibrate` and `prune`.
//!
//! Both see a network of lookup tables with its encoder and head still as words, and samples ([`Data`]). They tell the
//! report how many held-out samples were right before and after, and how many predictions changed, and leave a mark on the
//! function (`approximate`), which the HDL's header shows. What they do is the same ([`refit`]); `prune` does it to what the labels
//! say, `calibrate` to what the network itself says.

mod block;
mod calibrate;
mod loss;
mod mix;
mod net;
mod prune;
mod refit;
mod samples;
mod source;
mod table;

use blc_ir::{Diagnostic, Func, FuncAttr};

use crate::codes::APPROX_DATA;
use crate::pass::{Abort, PassCx};
pub use calibrate::{Calibrate, CalibrateOptions};
use net::Net;
pub use prune::{Prune, PruneOptions, check_budget};
pub use samples::{Data, Inputs, Samples};
use source::Source;

/// The function's attribute that says what was done to it.
pub const MARK: &str = "approximate";

fn data(cx: &PassCx<'_>, pass: &str) -> Result<std::sync::Arc<Data>, Abort> {
    cx.data.clone().ok_or_else(|| {
        let d = Diagnostic::error(&APPROX_DATA, format!("`{pass}` has no samples"));
        Box::new(d.help(format!("give them with `--{pass} data.npz`")))
    })
}

/// Puts the network into its function, and a mark on that.
fn finish(f: &mut Func, source: &Source, net: &Net, pass: &str) {
    source.write(net, f);
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
    fn new(net: &Net, source: &Source, samples: &Samples) -> Self {
        Self { classes: source.classes(net, samples) }
    }

    fn right(&self, samples: &Samples) -> u64 {
        self.classes.iter().zip(&samples.labels).filter(|(a, b)| a == b).count() as u64
    }

    fn changed(&self, after: &Self) -> u64 {
        self.classes.iter().zip(&after.classes).filter(|(a, b)| a != b).count() as u64
    }

    /// Whether another network loses at most `budget` points on samples, as far as so many can tell: by one standard error
    /// of the difference, which is the root of the number of samples that one is right about and the other is not (the rule of
    /// Breiman et al., "Classification and Regression Trees", 1984).
    fn within(&self, after: &Self, samples: &Samples, budget: f64) -> bool {
        let lost = self.right(samples) as f64 - after.right(samples) as f64;
        let both = self.classes.iter().zip(&after.classes).zip(&samples.labels);
        let differ = both.filter(|((a, b), y)| (a == y) != (b == y)).count();
        lost <= budget / 100.0 * samples.len() as f64 + (differ as f64).sqrt()
    }

    /// Tells the report what became of the predictions.
    fn tell(&self, after: &Self, samples: &Samples, pass: &str, gone: u64, cx: &mut PassCx<'_>) {
        for (name, value) in [
            ("held_out", samples.len() as u64),
            ("right_before", self.right(samples)),
            ("right_after", after.right(samples)),
            ("predictions_changed", self.changed(after)),
            ("inputs_dropped", gone),
        ] {
            cx.fact(format!("{pass}.{name}"), value);
        }
    }
}

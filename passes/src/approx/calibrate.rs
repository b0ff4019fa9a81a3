//! `calibrate`: what no sample's prediction needs goes.

use serde::{Deserialize, Serialize};

use blc_ir::{Diagnostic, Func, Level};

use super::refit::{Goal, Refit, Terms, fitted};
use super::samples::Samples;
use super::source::Source;
use super::{Predictions, data, finish};
use crate::codes::APPROX_OPTION;
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};

/// Table inputs go that what the network says of samples hardly depends on; labels are asked only whether accuracy stays.
pub struct Calibrate {
    options: CalibrateOptions,
}

/// Options of [`Calibrate`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CalibrateOptions {
    /// Most predictions, in percent of the samples, that may change, as long as no accuracy is lost; 0: none may.
    pub seldom: f64,
    /// What the order of visits derives from.
    pub seed: u64,
}

impl Default for CalibrateOptions {
    fn default() -> Self {
        Self { seldom: 1.0, seed: 1 }
    }
}

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

/// Strengths, rising.
const STRENGTHS: [f64; 12] = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0];

impl Pass for Calibrate {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let CalibrateOptions { seldom, seed } = self.options;
        if !(0.0..=100.0).contains(&seldom) {
            let d = Diagnostic::error(&APPROX_OPTION, format!("{seldom} percent of the samples cannot be"));
            return Err(Box::new(d.help("give 0 to 100")));
        }
        let (source, net) = Source::read(f, cx)?;
        let data = data(cx, Self::NAME)?;
        data.check(&source, &net)?;
        let said = |samples: &Samples| Predictions::new(&net, &source, samples);
        let (before, train, choice) = (said(&data.held_out), said(&data.train), said(&data.choice));
        let loss = fitted(&net, &source, &data.choice);
        let mut refit = Refit::new(net.clone(), &source, &data.train, Goal::Said(&net), Terms::CALIBRATE, loss, seed);
        let few = |changed: u64, samples: &Samples| changed as f64 <= seldom / 100.0 * samples.len() as f64;
        let (mut best, mut gone) = ((net.clone(), 0), 0);
        for strength in STRENGTHS {
            gone += refit.sweep(strength);
            let said = |samples: &Samples| Predictions::new(&refit.net, &source, samples);
            let after = said(&data.choice);
            let kept = few(choice.changed(&after), &data.choice) && few(train.changed(&said(&data.train)), &data.train);
            if !kept {
                break;
            }
            if after.right(&data.choice) >= choice.right(&data.choice) {
                best = (refit.net.clone(), gone);
            }
        }
        let (net, gone) = best;
        before.tell(&Predictions::new(&net, &source, &data.held_out), &data.held_out, Self::NAME, gone, cx);
        finish(f, &source, &net, Self::NAME);
        Ok(Changed::Yes)
    }
}

//! Technology mapping: a bit-level function's LUTs, of up to sixteen inputs, become as few LUTs of at most `k` inputs as
//! are found, or two-function sites.
//!
//! The LUTs are read as a net of small blocks ([`net`], `decompose`, `wide`, `columns`), in which cuts ([`cut`], [`sets`]) are
//! enumerated and chosen ([`map`]); `search` repeats that. `anneal` makes of a cover one of fewer sites, and so do integer
//! programs (`exact`) of one block after the other (`blocks`). All other ops stay as they are: the bits they read are
//! computed exactly. The result is never worse than the function was, by the cost that the options name.

mod anneal;
mod blocks;
mod columns;
pub mod cut;
mod decompose;
mod exact;
pub mod map;
pub mod net;
pub mod read;
mod search;
pub mod sets;
mod sites;
mod wide;
pub mod widen;
mod write;

use blc_ir::{Diagnostic, Func, Level};
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::count::count;
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};

/// See the module's words.
#[derive(Debug)]
pub struct Cover {
    options: CoverOptions,
}

/// Options of [`Cover`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoverOptions {
    /// Most inputs of a LUT: 2 to 6.
    pub k: usize,
    /// Whether to count sites, of which two functions of at most five inputs together take one; otherwise functions.
    pub sites: bool,
    /// Whether multiplexers join two and four LUTs to one of one and two inputs more.
    pub muxes: bool,
    /// How many more levels than the fewest the result may have, in percent.
    pub slack: u32,
    /// Cuts kept of each node: 1 to 64.
    pub cuts: usize,
    /// Work done at most after a first cover, in one and a half millions of nodes looked at.
    pub effort: u32,
    /// Moves of simulated annealing for sites, for each node of the net; 0 for none.
    pub anneal: u32,
    /// Work done at most on blocks chosen exactly, in thousands of columns of programs looked at, for each node of the net;
    /// 0 for none.
    pub exact: u32,
    /// What `slack` is for those, if that is more.
    pub loose: u32,
    /// Whether those may put inverters on ports, so that more functions are halves of others.
    pub flips: bool,
}

impl Default for CoverOptions {
    fn default() -> Self {
        Self {
            k: 6,
            sites: false,
            muxes: false,
            slack: 25,
            cuts: 8,
            effort: 1,
            anneal: 0,
            exact: 0,
            loose: 0,
            flips: false,
        }
    }
}

impl PassSpec for Cover {
    const NAME: &'static str = "cover";
    const SUMMARY: &'static str =
        "covers the logic with as few LUTs of k inputs (or sites) as it can, by priority cuts";
    const LEVEL: Level = Level::Bit;
    type Options = CoverOptions;

    fn build(options: CoverOptions) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

impl Pass for Cover {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let CoverOptions { k, cuts, sites, muxes, .. } = self.options;
        let most = if muxes { 4 } else { 6 };
        if !(2..=most).contains(&k) || !(1..=64).contains(&cuts) || muxes && sites {
            let message = format!("`cover` cannot run with k = {k} and cuts = {cuts}");
            let help = "choose k from 2 to 6 (to 4 with muxes, and no sites then) and cuts from 1 to 64, as in `cover{k=6,cuts=8}`";
            return Err(Box::new(Diagnostic::error(&codes::COVER_OPTION, message).help(help)));
        }
        cx.fact("cover.functions_before", count(f).total.lut_functions);
        let better = search::search(f, &self.options, &cx.control);
        let changed = better.is_some();
        if let Some(better) = better {
            *f = better;
        }
        cx.fact("cover.functions", count(f).total.lut_functions);
        Ok(changed.into())
    }
}

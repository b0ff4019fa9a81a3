//! `egraph`: windows of the logic rewritten in e-graphs, each choice proved by its complete table.
//!
//! A window is a part of the LUTs with at most twelve leaves. Its LUTs become e-nodes of one canonical form ([`lang`]); two
//! classes of the same table over the leaves are one. Rules ([`rules`]) join LUTs, split them, and express classes by pairs
//! of others, each within its own caps. Of all that, `extract` takes LUTs of the least area that make the window's outputs,
//! starting from those that were there: a window is never worse than before. Windows share no LUT, are worked on in
//! parallel and written in a fixed order.
//!
//! Willsey et al., "egg: fast and extensible equality saturation" (POPL 2021).

mod choice;
mod extract;
mod lang;
mod rules;
mod window;
pub mod words;

use blc_ir::{Diagnostic, Func, Level};
use egg::{Analysis, Id, Language};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::logic::Logic;
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};

/// See the module's words.
#[derive(Debug)]
pub struct EGraph {
    options: EGraphOptions,
}

/// Options of [`EGraph`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EGraphOptions {
    /// Most inputs of a LUT: 2 to 6.
    pub k: usize,
    /// Most leaves of a window: 2 to 12.
    pub leaves: usize,
    /// Most LUTs of a window.
    pub window: usize,
    /// Most e-nodes of a class that rules look at or add to.
    pub cap: usize,
    /// Most e-nodes of a window.
    pub nodes: usize,
    /// Times that the rules run.
    pub iters: usize,
}

impl Default for EGraphOptions {
    fn default() -> Self {
        Self { k: 6, leaves: 9, window: 24, cap: 24, nodes: 3000, iters: 4 }
    }
}

impl PassSpec for EGraph {
    const NAME: &'static str = "egraph";
    const SUMMARY: &'static str = "rewrites windows of LUTs in e-graphs and takes the smallest of what is equal";
    const LEVEL: Level = Level::Bit;
    type Options = EGraphOptions;

    fn build(options: EGraphOptions) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

/// Why rewriting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Saturated,
    Nodes,
    Iters,
}

/// All classes in order, as they are now.
fn classes<L: Language, N: Analysis<L>>(egg: &egg::EGraph<L, N>) -> Vec<Id> {
    let mut ids: Vec<Id> = egg.classes().map(|class| class.id).collect();
    ids.sort_unstable();
    ids
}

impl Pass for EGraph {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let EGraphOptions { k, leaves, .. } = self.options;
        if !(2..=6).contains(&k) || !(2..=lang::MAX_LEAVES).contains(&leaves) {
            let message = format!("`egraph` cannot run with k = {k} and leaves = {leaves}");
            let help = "choose k from 2 to 6 and leaves from 2 to 12";
            return Err(Box::new(Diagnostic::error(&codes::EGRAPH_OPTION, message).help(help)));
        }
        let mut logic = Logic::read(f);
        let windows = window::windows(&logic, &self.options);
        let control = &cx.control;
        let rewrite = |w: &window::Window| match control.stopped() {
            true => (Stop::Iters, None),
            false => window::rewrite(&logic, w, &self.options),
        };
        let rewritten: Vec<(Stop, Option<window::Rewritten>)> = windows.par_iter().map(rewrite).collect();
        let ended = |stop| rewritten.iter().filter(|(s, _)| *s == stop).count() as u64;
        cx.fact("egraph.windows", windows.len() as u64);
        cx.fact("egraph.saturated", ended(Stop::Saturated));
        cx.fact("egraph.stopped_by_nodes", ended(Stop::Nodes));
        cx.fact("egraph.stopped_by_iters", ended(Stop::Iters));
        let mut better = 0;
        for (window, (_, rewritten)) in windows.iter().zip(&rewritten) {
            if let Some(rewritten) = rewritten {
                window.write(rewritten, &mut logic);
                better += 1;
            }
        }
        cx.fact("egraph.windows_bettered", better);
        if better > 0 {
            *f = logic.write(f);
        }
        Ok((better > 0).into())
    }
}

//! `resub`: LUTs expressed by other LUTs that are there already, so that what only they read is needed no more.
//!
//! A node may read any nodes whose values tell its 1s and 0s apart on every input that can occur. Random samples propose:
//! one input of the node goes, and none, one or two nodes nearby take its place. A SAT solver then proves the new table,
//! address by address. No value of any node ever changes, so that samples and proofs stay true as the logic changes.
//!
//! After Mishchenko et al., "Scalable don't-care-based logic optimization and resynthesis" (TRETS 2011), and Lee et al.,
//! "A simulation-guided paradigm for logic synthesis and verification" (TCAD 2022).

mod graph;
mod propose;

use blc_ir::{Diagnostic, Func, Level};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::control::Control;
use crate::logic::Logic;
use crate::logic::samples::Samples;
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};
use crate::rng::Rng;
use graph::Graph;
use propose::Proposer;

/// Nodes that proposals are made for before any is taken.
const BATCH: usize = 64;

/// See the module's words.
#[derive(Debug)]
pub struct Resub {
    options: ResubOptions,
}

/// Options of [`Resub`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResubOptions {
    /// Most inputs of a LUT: 2 to 6.
    pub k: usize,
    /// Nodes nearby that may take the place of an input.
    pub divisors: usize,
    /// Words of 64 samples.
    pub words: usize,
    /// Nodes of a cone that a proof looks at.
    pub cone: usize,
    /// Conflicts that a proof may meet.
    pub conflicts: u64,
    /// How many more levels the result may have, in percent.
    pub slack: u32,
    /// Whether nodes may also read outputs in the place of logic that others still need.
    pub steps: bool,
    /// Times that all nodes are visited.
    pub rounds: usize,
}

impl Default for ResubOptions {
    fn default() -> Self {
        Self { k: 6, divisors: 100, words: 64, cone: 200, conflicts: 100, slack: 0, steps: false, rounds: 2 }
    }
}

impl PassSpec for Resub {
    const NAME: &'static str = "resub";
    const SUMMARY: &'static str =
        "expresses LUTs by others that are there already, each proved, to free what they read";
    const LEVEL: Level = Level::Bit;
    type Options = ResubOptions;

    fn build(options: ResubOptions) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

impl Pass for Resub {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let ResubOptions { k, words, rounds, .. } = self.options;
        if !(2..=6).contains(&k) || !(1..=1024).contains(&words) {
            let message = format!("`resub` cannot run with k = {k} and words = {words}");
            let help = "choose k from 2 to 6 and words from 1 to 1024";
            return Err(Box::new(Diagnostic::error(&codes::RESUB_OPTION, message).help(help)));
        }
        let logic = Logic::read(f);
        let order = logic.order();
        let samples = Samples::random(&logic, &order, words, &mut Rng::new(2));
        let mut graph = Graph::new(logic, &order, self.options.slack, &cx.control);
        let mut freed = 0;
        for _ in 0..rounds {
            let before = freed;
            freed += round(&mut graph, &samples, &self.options, &cx.control);
            if freed == before && !self.options.steps {
                break;
            }
        }
        cx.fact("resub.freed", freed);
        if graph.changed {
            *f = graph.logic.write(f);
        }
        Ok(graph.changed.into())
    }
}

/// Visits every node once; returns the number of nodes freed.
fn round(graph: &mut Graph, samples: &Samples, options: &ResubOptions, control: &Control) -> u64 {
    let order = graph.logic.order();
    let chain_of = graph.logic.chain_of();
    let classes = propose::classes(&graph.logic, samples, &order);
    let mut freed = 0;
    for batch in order.chunks(BATCH).take_while(|_| !control.stopped()) {
        let proposer = Proposer { graph, samples, options, chain_of: &chain_of, classes: &classes };
        let proposals: Vec<_> = batch.par_iter().filter_map(|&node| proposer.propose(node)).collect();
        for proposal in proposals {
            freed += graph.take(&proposal, options).unwrap_or(0);
        }
    }
    freed
}

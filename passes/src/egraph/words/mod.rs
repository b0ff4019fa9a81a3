//! `words`: sums, comparisons and the largest of words rewritten in an e-graph, before `lower-head` builds them.
//!
//! Words become e-nodes of one canonical form ([`lang`]), in which repeated operands, complements and constants of a sum are
//! gathered already. Rules ([`rules`]) take out of comparisons what both sides have in common, shift the words of which the
//! largest is asked by what most of them share, and make sums of what several sums share. Of all that, `extract` takes what
//! costs the fewest sites, each op built once for its shape by `lower-head` and counted ([`price`]). What comes out is taken
//! only if the whole function, lowered, is smaller than it was.

mod extract;
mod form;
mod lang;
mod price;
mod read;
mod rules;
mod write;

use blc_ir::{Func, Level};
use egg::Id;
use serde::{Deserialize, Serialize};

use super::Stop;
use crate::lower_head::LowerHeadOptions;
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};
use extract::Search;
use price::{Prices, lowered};

/// See the module's words.
#[derive(Debug)]
pub struct Words {
    options: WordsOptions,
}

/// Options of [`Words`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WordsOptions {
    /// As of `lower-head`, for which the words are made small.
    pub carry: bool,
    /// The same.
    pub registered: bool,
    /// The same.
    pub ripple: u8,
    /// Most e-nodes.
    pub nodes: usize,
    /// Times that the rules run.
    pub iters: usize,
    /// Most shapes of ops that are built to be counted.
    pub prices: usize,
}

impl Default for WordsOptions {
    fn default() -> Self {
        Self { carry: false, registered: false, ripple: 0, nodes: 2000, iters: 4, prices: 100 }
    }
}

impl PassSpec for Words {
    const NAME: &'static str = "words";
    const SUMMARY: &'static str =
        "rewrites sums and comparisons in an e-graph and takes what `lower-head` makes smallest";
    const LEVEL: Level = Level::Bit;
    type Options = WordsOptions;

    fn build(options: WordsOptions) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

impl Pass for Words {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let WordsOptions { carry, registered, ripple, prices, .. } = self.options;
        let Some(mut words) = read::read(f) else { return Ok(Changed::No) };
        let too_many = words.graph.size() >= self.options.nodes;
        let stop = rules::saturate(&mut words.graph, &self.options);
        cx.fact("words.nodes", words.graph.size() as u64);
        cx.fact("words.saturated", (stop == Stop::Saturated).into());
        cx.fact("words.stopped_by_nodes", (stop == Stop::Nodes).into());
        cx.fact("words.stopped_by_iters", (stop == Stop::Iters).into());
        if too_many {
            return Ok(Changed::No);
        }
        let lowering = LowerHeadOptions { carry, registered, ripple, fast: false };
        let mut prices = Prices::new(lowering.clone(), prices);
        let roots = roots(f, &words);
        let Some(mut search) = Search::new(&words.graph, &mut prices, &roots, words.start()) else {
            return Ok(Changed::No);
        };
        search.run();
        let (changed, choice) = (search.changed, search.choice);
        cx.fact("words.prices", (self.options.prices - prices.left) as u64);
        if !changed && !words.better {
            return Ok(Changed::No);
        }
        let Some(mut new) = write::write(f, &words, &choice) else { return Ok(Changed::No) };
        new.tidy();
        let [before, after] = [&*f, &new].map(|f| lowered(f, &lowering));
        let (before, after) = (before?, after?);
        cx.fact("words.saved", before[0].saturating_sub(after[0]));
        let deeper = cx.control.levels.is_some() && after[2] > before[2];
        if after[0] >= before[0] || deeper {
            return Ok(Changed::No);
        }
        *f = new;
        Ok(Changed::Yes)
    }
}

/// Classes that something outside of the graph reads.
fn roots(f: &Func, words: &read::Words) -> Vec<Id> {
    let outside = f.ops().filter(|(id, _)| !words.has(f, *id)).flat_map(|(_, op)| op.operands);
    let read = outside.copied().chain(f.results.iter().map(|port| port.value));
    let mut roots: Vec<Id> = read.filter_map(|v| Some(words.graph.egg.find(*words.of.get(&v)?))).collect();
    roots.sort_unstable();
    roots.dedup();
    roots
}

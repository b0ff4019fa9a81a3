//! `rules`: a user's own rewrite rules, from a text.
//!
//! A rule is `name: FROM => TO`, or `~>` for one that is applied wherever it matches and not only where it saves area. Both
//! sides are expressions over variables `?a` (a bit) and `?a:4` (a word of four bits):
//!
//! - `(and a …)`, `(or a …)`, `(xor a …)`, `(not a)`, `(mux s a b)`: `b` where `s` is 1; `(lut 0xTABLE a …)` of up to six bits,
//!   operand `j` being bit `j` of the address;
//! - `(sum W a …)` modulo `2^W`, `(gt a b)`, `(gt_const N a)`, and `mux` of words;
//! - numbers: `1`, or `5:4` as a word of four bits.
//!
//! Text from `#` to the end of a line is a comment. Each rule is proved when it is read, by trying all values of its
//! variables; a false one is refused with the values for which its sides differ. Inputs of a table match in any order, and
//! inverters may sit in the table above or below, as `fold` leaves them.

mod apply;
mod expr;
mod parse;

use std::sync::Arc;

use blc_ir::diag::{Diagnostic, Result, Source};
use blc_ir::{Func, Level};

use crate::codes::RULES_MISSING;
use crate::pass::{Abort, Changed, NoOptions, Pass, PassCx, PassSpec};
use expr::Rule;

/// Most rounds over a function: what a rule made may match another.
const MAX_ROUNDS: usize = 16;

/// Rules that were proved.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// Reads and proves rules.
    ///
    /// # Errors
    /// `BL2120` for a text that holds no rules, `BL2121` for a rule that is false, with a counterexample.
    pub fn read(source: &Arc<Source>) -> Result<Self> {
        Ok(Self { rules: parse::rules(source)? })
    }

    /// The rules' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.name.as_str())
    }
}

/// Applies them.
pub struct Rules;

impl PassSpec for Rules {
    const NAME: &'static str = "rules";
    const SUMMARY: &'static str = "Apply rewrite rules of your own (takes them from --rules FILE)";
    const LEVEL: Level = Level::Bit;
    type Options = NoOptions;

    fn build(_: NoOptions) -> Box<dyn Pass> {
        Box::new(Self)
    }
}

impl Pass for Rules {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let Some(set) = cx.rules.clone() else {
            let d = Diagnostic::error(&RULES_MISSING, "`rules` has no rules");
            return Err(Box::new(d.help("give them with `--rules my.rules`")));
        };
        let mut applied = vec![0u64; set.rules.len()];
        for round in 0..MAX_ROUNDS {
            // What is applied everywhere might undo itself for ever.
            let rules: Vec<(usize, &Rule)> =
                set.rules.iter().enumerate().filter(|(_, rule)| round == 0 || !rule.always).collect();
            let Some(new) = apply::round(f, &rules, &mut applied) else { break };
            *f = new;
            f.tidy();
        }
        for (rule, &times) in set.rules.iter().zip(&applied) {
            cx.fact(format!("rules.{}", rule.name), times);
        }
        Ok(applied.iter().any(|&times| times > 0).into())
    }
}

//! `dce`: ops that no result needs go. Every pass that changes something is followed by this; on its own it cleans up
//! what was read from a file.

use blc_ir::order::live_ops;
use blc_ir::{Func, Level};

use crate::pass::{Abort, Changed, NoOptions, Pass, PassCx, PassSpec};

/// See the module's words.
pub struct Dce;

impl PassSpec for Dce {
    const NAME: &'static str = "dce";
    const SUMMARY: &'static str = "Drop ops that no result needs";
    const LEVEL: Level = Level::Bit;
    const LEVELS: &'static [Level] = &[Level::Tensor, Level::Bit, Level::Hw];
    type Options = NoOptions;

    fn build(_: NoOptions) -> Box<dyn Pass> {
        Box::new(Self)
    }
}

impl Pass for Dce {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let dead = live_ops(f).iter().filter(|&&live| !live).count();
        cx.fact("dead_ops", dead as u64);
        if dead > 0 {
            f.tidy();
        }
        Ok((dead > 0).into())
    }
}

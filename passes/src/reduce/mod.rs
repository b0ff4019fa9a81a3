//! Shrinks a module while it still has a property: what `blc reduce` does to an input that shows a bug.
//!
//! Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002) over functions,
//! outputs, ops, inputs, operands and table entries in turn, each in chunks that halve, until a whole round finds
//! nothing. A candidate is tidied, verified, and only asked about where it is smaller than the best so far and was not
//! asked about before; so every run ends, and nothing that is no module reaches the test.

mod edit;

use std::hash::{Hash, Hasher};
use std::ops::Range;

use blc_ir::module::Origin;
use blc_ir::{Level, Module, OpKind, verify};
use rustc_hash::{FxHashSet, FxHasher};

use crate::expand::Expand;
use crate::resources::drop_unused;
use crate::{NoOptions, PassCx, PassSpec};

/// What a test says of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has the property: go on from it.
    Fails,
    /// It has not.
    Passes,
    /// Ask no more: the best so far is the result.
    Stop,
}

/// How large a module is, in the order in which it shrinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// Functions.
    pub functions: usize,
    /// Ops that are no constants.
    pub ops: usize,
    /// What these read.
    pub operands: usize,
    /// Results of functions.
    pub outputs: usize,
    /// Parameters.
    pub inputs: usize,
    /// Constants.
    pub constants: usize,
    /// Ones of all tables.
    pub ones: u64,
    /// Bytes of the text.
    pub text: usize,
}

impl Size {
    fn of(module: &Module, text: &str) -> Self {
        let mut size = Self { functions: module.funcs.len(), text: text.len(), ..Self::default() };
        for f in &module.funcs {
            size.outputs += f.results.len();
            size.inputs += f.params.len();
            size.ones += edit::ones(f).map(|(_, n)| u64::from(n)).sum::<u64>();
            for (_, op) in f.ops() {
                match op.kind {
                    OpKind::Const { .. } => size.constants += 1,
                    _ => size.ops += 1,
                }
                size.operands += op.operands.len();
            }
        }
        size
    }
}

/// What came out.
#[derive(Debug)]
pub struct Reduced {
    /// The smallest module found that has the property.
    pub module: Module,
    /// Its size.
    pub size: Size,
    /// Candidates that were asked about.
    pub tries: u64,
    /// Whether nothing smaller was left to try: no limit and no stop came before.
    pub complete: bool,
}

/// A module that shrinks.
struct Shrink<'a> {
    best: Module,
    size: Size,
    seen: FxHashSet<u64>,
    tries: u64,
    limit: u64,
    stopped: bool,
    test: &'a mut dyn FnMut(&str, &Size) -> Answer,
}

/// Shrinks a module that has the property; its resources go into the text. `test` gets the text of each candidate and the size of the best so far; it is
/// asked at most `limit` times.
pub fn reduce(mut module: Module, limit: u64, test: &mut dyn FnMut(&str, &Size) -> Answer) -> Reduced {
    // Its text is all there is of a candidate.
    for resource in module.resources.iter_mut().filter(|resource| resource.data.is_some()) {
        resource.origin = Origin::Inline;
    }
    let size = Size::of(&module, &module.to_string());
    let mut shrink = Shrink { best: module, size, seen: FxHashSet::default(), tries: 0, limit, stopped: false, test };
    shrink.expand();
    loop {
        let before = shrink.size;
        for &(count, edit) in edit::STEPS {
            shrink.chunks(count, edit);
        }
        if shrink.stopped || shrink.size == before {
            break;
        }
    }
    Reduced { module: shrink.best, size: shrink.size, tries: shrink.tries, complete: !shrink.stopped }
}

impl Shrink<'_> {
    /// Applies an edit to chunks of what it counts: all of it, halves, quarters, and so on to single ones, from the end.
    fn chunks(&mut self, count: edit::Count, edit: edit::Edit) {
        let mut chunk = count(&self.best);
        while chunk > 0 {
            let mut end = count(&self.best);
            while end > 0 {
                let range = end.saturating_sub(chunk)..end;
                end = range.start;
                if self.stopped {
                    return;
                }
                self.step(edit, range);
                end = end.min(count(&self.best));
            }
            chunk /= 2;
        }
    }

    fn step(&mut self, edit: edit::Edit, range: Range<usize>) {
        let mut candidate = self.best.clone();
        if edit(&mut candidate, range) {
            self.attempt(candidate, true);
        }
    }

    /// Layers as single tables, if that still fails: of these more can go.
    fn expand(&mut self) {
        let mut candidate = self.best.clone();
        let mut expand = Expand::build(NoOptions {});
        let expanded = candidate.funcs.last_mut().is_some_and(|f| {
            f.level() == Level::Tensor && expand.run(f, &mut PassCx::new(&mut candidate.resources)).is_ok()
        });
        if expanded {
            self.attempt(candidate, false);
        }
    }

    /// Makes a candidate the best one if it is a module, smaller (where that is wanted), new, and fails.
    fn attempt(&mut self, mut candidate: Module, smaller: bool) {
        for f in &mut candidate.funcs {
            f.tidy();
        }
        drop_unused(&mut candidate);
        if verify::verify(&candidate).iter().any(|d| d.is_error()) {
            return;
        }
        let text = candidate.to_string();
        let size = Size::of(&candidate, &text);
        let mut hasher = FxHasher::default();
        text.hash(&mut hasher);
        if (smaller && size >= self.size) || !self.seen.insert(hasher.finish()) {
            return;
        }
        if self.tries == self.limit {
            self.stopped = true;
            return;
        }
        self.tries += 1;
        match (self.test)(&text, &self.size) {
            Answer::Fails => (self.best, self.size) = (candidate, size),
            Answer::Passes => {}
            Answer::Stop => self.stopped = true,
        }
    }
}

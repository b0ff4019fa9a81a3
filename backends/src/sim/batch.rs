//! A pipeline over many samples at once.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rayon::prelude::*;

use blc_ir::diag::{Diagnostic, Result};

use super::input::{Input, Limits};
use super::isa::Isa;
use super::jit::{Jit, Unfit};
use super::memory::Words;
use super::output::{Outputs, Spare};
use super::portable::Portable;
use super::program::{Plan, Program};
use super::schedule::{Kernel, Registers};
use super::word::{LANES, Word};
use crate::codes::{SIM_JIT, SIM_SIZE};

/// Blocks of 512 samples that go through a piece of the design before the next piece comes. One alone would wait for the
/// code, so wide designs take two, whatever the cache.
const BLOCKS: RangeInclusive<usize> = 2..=8;

/// Bytes of slots that one thread works on: what second-level caches hold.
const CACHE: usize = 2 << 20;

/// Time spent so far, in seconds, of all threads together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// Reading samples: comparisons and bits into words.
    pub encode: f64,
    /// Lookup tables.
    pub evaluate: f64,
    /// Words into rows of results.
    pub head: f64,
}

impl std::ops::Sub for Times {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            encode: self.encode - before.encode,
            evaluate: self.evaluate - before.evaluate,
            head: self.head - before.head,
        }
    }
}

#[derive(Default)]
struct Clock([AtomicU64; 3]);

impl Clock {
    fn lap(&self, part: usize, start: Instant) -> Instant {
        let now = Instant::now();
        self.0[part].fetch_add((now - start).as_nanos() as u64, Ordering::Relaxed);
        now
    }
}

/// A pipeline and the engine that runs it. Samples go side by side, 512 in a word, registers are wires; the results are
/// those that the hardware gives `latency` cycles later.
pub struct Batch {
    plan: Plan,
    kernel: Box<dyn Kernel>,
    limits: Limits,
    /// Blocks of 512 samples that one thread takes at once.
    blocks: usize,
    /// Slots that no thread is using.
    spare: Mutex<Vec<Words>>,
    /// Rows of results that nobody holds any more.
    spare_rows: Spare,
    clock: Clock,
}

impl Batch {
    /// The portable engine on a design.
    ///
    /// # Errors
    /// The design is no pipeline ([`Program::latency`]).
    pub fn portable(program: &Program) -> Result<Self> {
        Self::portable_on(program, Isa::best())
    }

    pub(super) fn portable_on(program: &Program, isa: Isa) -> Result<Self> {
        program.latency()?;
        let plan = program.plan(Registers::Transparent, isa);
        let kernel = Box::new(Portable::new(&plan.schedule, isa));
        Ok(Self::new(plan, kernel, 1))
    }

    /// Machine code of a design.
    ///
    /// # Errors
    /// The design is no pipeline, or this machine cannot run the code (`BL3131`).
    pub fn jit(program: &Program) -> Result<Self> {
        match Self::jit_or_portable(program, Jit::new)? {
            (batch, None) => Ok(batch),
            (_, Some(why)) => Err(no_jit(&why)),
        }
    }

    /// Machine code where `jit` makes some, otherwise the portable engine and why.
    pub(super) fn jit_or_portable(
        program: &Program,
        jit: impl FnOnce(&super::schedule::Schedule) -> std::result::Result<Jit, Unfit>,
    ) -> Result<(Self, Option<Unfit>)> {
        program.latency()?;
        let plan = program.plan(Registers::Transparent, Isa::best());
        Ok(match jit(&plan.schedule) {
            Ok(kernel) => {
                let blocks = CACHE / (plan.schedule.slots * size_of::<Word>());
                (Self::new(plan, Box::new(kernel), blocks.clamp(*BLOCKS.start(), *BLOCKS.end())), None)
            }
            Err(unfit) => {
                let kernel = Box::new(Portable::new(&plan.schedule, plan.isa));
                (Self::new(plan, kernel, 1), Some(unfit))
            }
        })
    }

    fn new(plan: Plan, kernel: Box<dyn Kernel>, blocks: usize) -> Self {
        let limits = Limits::new(&plan.inputs);
        Self {
            plan,
            kernel,
            limits,
            blocks,
            spare: Mutex::default(),
            spare_rows: Spare::default(),
            clock: Clock::default(),
        }
    }

    /// Lookup tables evaluated for each sample, after folding.
    pub fn tables(&self) -> usize {
        self.plan.schedule.steps.len()
    }

    /// Time that runs have taken.
    pub fn times(&self) -> Times {
        let [encode, evaluate, head] = [0, 1, 2].map(|i| self.clock.0[i].load(Ordering::Relaxed) as f64 * 1e-9);
        Times { encode, evaluate, head }
    }

    /// Evaluates all samples, on as many threads as the pool has; the result does not depend on their number.
    ///
    /// # Errors
    /// The input does not fit the design: its shape, or the first sample with a number that its port cannot take.
    pub fn run(&self, input: &Input<'_>) -> Result<Outputs> {
        let plan = &self.plan;
        input.check_shape(&plan.inputs, plan.code.as_ref().as_ref())?;
        let size = input.samples.checked_mul(plan.outputs.tiles().len());
        if size.is_none_or(|n| n > isize::MAX as usize / 8) {
            let error = Diagnostic::error(&SIM_SIZE, "too many samples at once");
            return Err(Box::new(error.help("run them in several parts")));
        }
        // Enough parts for every thread.
        let share = input.samples.div_ceil(LANES * rayon::current_num_threads());
        let samples = LANES * self.blocks.min(share).max(1);
        let parts = (0..input.samples.div_ceil(samples)).into_par_iter();
        let parts: Vec<Result<Vec<_>>> = parts.map(|part| self.part(input, part * samples, samples)).collect();
        let parts: Vec<Vec<_>> = parts.into_iter().collect::<Result<_>>()?;
        Ok(Outputs::new(&plan.outputs, input.samples, parts.into_iter().flatten().collect(), &self.spare_rows))
    }

    /// Evaluates up to `samples` samples from `first` on; a block of results for each 512 of them.
    fn part(&self, input: &Input<'_>, first: usize, samples: usize) -> Result<Vec<Vec<u64>>> {
        let plan = &self.plan;
        let end = (first + samples).min(input.samples);
        let start = Instant::now();
        input.check_rows(&plan.inputs, &self.limits, first..end)?;
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut slots = spare.unwrap_or_else(|| plan.slots(self.blocks));
        let one = plan.schedule.slots;
        let blocks = (end - first).div_ceil(LANES);
        let used = &mut slots[..blocks * one];
        for (block, slots) in used.chunks_exact_mut(one).enumerate() {
            plan.load(input, first + block * LANES, slots);
        }
        let start = self.clock.lap(0, start);
        self.kernel.run(used);
        let start = self.clock.lap(1, start);
        let blocks = used.chunks_exact(one).zip((first..end).step_by(LANES));
        let results = blocks.map(|(slots, first)| {
            let room = self.spare_rows.lock().unwrap_or_else(PoisonError::into_inner).pop();
            plan.store(slots, (end - first).min(LANES), room.unwrap_or_default())
        });
        let results = results.collect();
        self.clock.lap(2, start);
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(slots);
        Ok(results)
    }
}

/// The refusal of machine code.
pub(super) fn no_jit(why: &Unfit) -> Box<Diagnostic> {
    let error = Diagnostic::error(&SIM_JIT, format!("the engine `jit` cannot run here: {why}"));
    Box::new(error.help("take `--engine auto` or `--engine portable`"))
}

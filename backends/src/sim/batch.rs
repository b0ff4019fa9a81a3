//! A pipeline over many samples at once.

use rayon::prelude::*;

use blc_ir::diag::{Diagnostic, Result};

use super::input::{Input, Limits};
use super::isa::Isa;
use super::output::Outputs;
use super::portable::Portable;
use super::program::{Plan, Program};
use super::schedule::{Kernel, Registers};
use super::word::LANES;
use crate::codes::SIM_SIZE;

/// A pipeline and the engine that runs it. Samples go side by side, 512 in a word, registers are wires; the results are
/// those that the hardware gives `latency` cycles later.
pub struct Batch {
    plan: Plan,
    kernel: Box<dyn Kernel>,
    limits: Limits,
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
        let limits = Limits::new(&plan.inputs);
        Ok(Self { plan, kernel, limits })
    }

    /// Lookup tables evaluated for each sample, after folding.
    pub fn tables(&self) -> usize {
        self.plan.schedule.steps.len()
    }

    /// Evaluates all samples, on as many threads as the pool has; the result does not depend on their number.
    ///
    /// # Errors
    /// The input does not fit the design: its shape, or the first sample with a number that its port cannot take.
    pub fn run(&self, input: &Input<'_>) -> Result<Outputs> {
        let plan = &self.plan;
        input.check_shape(&plan.inputs, plan.code.as_ref().as_ref())?;
        let tiles = plan.outputs.tiles().len();
        let size = input.samples.checked_mul(tiles).filter(|&n| n <= isize::MAX as usize / 8).ok_or_else(|| {
            Box::new(Diagnostic::error(&SIM_SIZE, "too many samples at once").help("run them in several parts"))
        })?;
        let mut out = vec![0; size];
        let blocks = out.par_chunks_mut(LANES * tiles.max(1)).enumerate();
        let run = |slots: &mut Vec<_>, (block, out): (usize, &mut [u64])| {
            let first = block * LANES;
            input.check_rows(&plan.inputs, &self.limits, first..(first + LANES).min(input.samples))?;
            plan.load(input, first, slots);
            self.kernel.run(slots);
            plan.store(slots, out);
            Ok(())
        };
        let results: Vec<Result<()>> = blocks.map_init(|| plan.slots(), run).collect();
        results.into_iter().collect::<Result<()>>()?;
        Ok(Outputs::new(&plan.outputs, input.samples, out))
    }
}

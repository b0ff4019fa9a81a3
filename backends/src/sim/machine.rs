//! A design stepped cycle by cycle, up to 512 independent streams at once.

use blc_ir::diag::{Diagnostic, Result};

use super::input::{Input, Limits};
use super::isa::Isa;
use super::output::Outputs;
use super::portable::Portable;
use super::program::{Plan, Program};
use super::schedule::{Kernel, Registers};
use super::word::{LANES, Word};
use crate::codes::SIM_LANES;

/// A design with its registers. Each lane is a machine of its own; feedback and paths of any length are fine.
pub struct Machine {
    plan: Plan,
    kernel: Portable,
    limits: Limits,
    initial: Vec<Word>,
    slots: Vec<Word>,
    next: Vec<Word>,
}

impl Machine {
    /// Machines with every register at its initial value.
    pub fn new(program: &Program) -> Self {
        let plan = program.plan(Registers::State, Isa::best());
        let kernel = Portable::new(&plan.schedule, plan.isa);
        let limits = Limits::new(&plan.inputs);
        let initial = program.registers().iter().map(|r| Word::splat(r.init)).collect();
        let mut machine = Self { slots: plan.slots(1), plan, kernel, limits, initial, next: Vec::new() };
        machine.reset();
        machine
    }

    /// Every register back at its initial value.
    pub fn reset(&mut self) {
        for (&(q, _), &word) in self.plan.schedule.registers.iter().zip(&self.initial) {
            self.slots[q as usize] = word;
        }
    }

    /// One cycle: the outputs under these inputs before the clock's edge, then the edge. Row `i` is what lane `i` gets;
    /// lanes without a row get zeros.
    ///
    /// # Errors
    /// The inputs do not fit the design, or are more than 512 rows. Then nothing has changed.
    pub fn step(&mut self, input: &Input<'_>) -> Result<Outputs> {
        let plan = &self.plan;
        if input.samples > LANES {
            let text = format!("{} streams are given, {LANES} run side by side", input.samples);
            return Err(Box::new(Diagnostic::error(&SIM_LANES, text).help("use several machines")));
        }
        input.check_shape(&plan.inputs, plan.code.as_ref().as_ref())?;
        input.check_rows(&plan.inputs, &self.limits, 0..input.samples)?;
        plan.load(input, 0, &mut self.slots);
        self.kernel.run(&mut self.slots);
        let mut out = vec![0; input.samples * plan.outputs.tiles().len()];
        plan.store(&self.slots, &mut out);
        let registers = &plan.schedule.registers;
        self.next.clear();
        self.next.extend(registers.iter().map(|&(_, d)| self.slots[d as usize]));
        for (&(q, _), &word) in registers.iter().zip(&self.next) {
            self.slots[q as usize] = word;
        }
        Ok(Outputs::new(&plan.outputs, input.samples, out))
    }

    /// The content of a register, by its position in [`Program::registers`], in every lane. Panics where there is none.
    pub fn register(&self, index: usize) -> Word {
        self.slots[self.plan.schedule.registers[index].0 as usize]
    }
}

//! A design stepped cycle by cycle, up to 512 independent streams at once.

use blc_ir::diag::{Diagnostic, Result};

use super::Engine;
use super::batch::no_jit;
use super::input::{Input, Limits};
use super::isa::Isa;
use super::jit::Jit;
use super::memory::Words;
use super::output::{Outputs, Spare};
use super::portable::Portable;
use super::probe::Probe;
use super::program::{Plan, Program};
use super::schedule::{Kernel, Registers, Slot};
use super::word::{LANES, Word};
use crate::codes::{SIM_ENGINE, SIM_LANES};

/// A design with its registers. Each lane is a machine of its own; feedback and paths of any length are fine.
pub struct Machine {
    plan: Plan,
    kernel: Box<dyn Kernel>,
    limits: Limits,
    initial: Vec<Word>,
    slots: Words,
    next: Vec<Word>,
    /// Slots of the probes' bits.
    probes: Vec<Vec<Slot>>,
}

impl Machine {
    /// Machines with every register at its initial value, on the portable engine.
    pub fn new(program: &Program) -> Self {
        let plan = program.plan(Registers::State, Isa::best());
        let kernel = Box::new(Portable::new(&plan.schedule, plan.isa));
        Self::of(program, plan, kernel, &[])
    }

    /// Machines whose probes can be read.
    ///
    /// # Errors
    /// This machine cannot run the engine; the reference engine is no machine of many streams.
    pub fn with_probes(program: &Program, engine: Engine, probes: &[Probe]) -> Result<Self> {
        let plan = program.plan_with(Registers::State, Isa::best(), probes.iter().flat_map(|p| &p.signals).copied());
        let portable = |plan: &Plan| -> Box<dyn Kernel> { Box::new(Portable::new(&plan.schedule, plan.isa)) };
        let kernel = match (engine, Jit::new(&plan.schedule)) {
            (Engine::Reference, _) => {
                let error = Diagnostic::error(&SIM_ENGINE, "the engine `reference` does not run cycle by cycle here");
                return Err(Box::new(error.help("take `--engine auto` or `--engine portable`")));
            }
            (Engine::Jit, Err(why)) => return Err(no_jit(&why)),
            (Engine::Auto | Engine::Jit, Ok(jit)) => Box::new(jit),
            (Engine::Portable, _) | (_, Err(_)) => portable(&plan),
        };
        Ok(Self::of(program, plan, kernel, probes))
    }

    fn of(program: &Program, plan: Plan, kernel: Box<dyn Kernel>, probes: &[Probe]) -> Self {
        let limits = Limits::new(&plan.inputs);
        let initial = program.registers().iter().map(|r| Word::splat(r.init)).collect();
        let mut slots = plan.schedule.outputs[program.netlist.outputs.len()..].iter().copied();
        let probes = probes.iter().map(|p| slots.by_ref().take(p.signals.len()).collect()).collect();
        let mut machine = Self { slots: plan.slots(1), plan, kernel, limits, initial, next: Vec::new(), probes };
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
        let outputs = self.settle(input)?;
        self.edge();
        Ok(outputs)
    }

    /// The first half of a cycle: what every net becomes under these inputs.
    ///
    /// # Errors
    /// As of [`Self::step`].
    pub fn settle(&mut self, input: &Input<'_>) -> Result<Outputs> {
        let plan = &self.plan;
        if input.samples > LANES {
            let text = format!("{} streams are given, {LANES} run side by side", input.samples);
            return Err(Box::new(Diagnostic::error(&SIM_LANES, text).help("use several machines")));
        }
        input.check_shape(&plan.inputs, plan.code.as_ref().as_ref())?;
        input.check_rows(&plan.inputs, &self.limits, 0..input.samples)?;
        plan.load(input, 0, &mut self.slots);
        self.kernel.run(&mut self.slots);
        let block = (input.samples > 0).then(|| plan.store(&self.slots, input.samples, Vec::new()));
        Ok(Outputs::new(&plan.outputs, input.samples, block.into_iter().collect(), &Spare::default()))
    }

    /// The second half of a cycle: the clock's edge, at which registers take what they read.
    pub fn edge(&mut self) {
        let registers = &self.plan.schedule.registers;
        self.next.clear();
        self.next.extend(registers.iter().map(|&(_, d)| self.slots[d as usize]));
        for (&(q, _), &word) in registers.iter().zip(&self.next) {
            self.slots[q as usize] = word;
        }
    }

    /// The content of a register, by its position in [`Program::registers`], in every lane. Panics where there is none.
    pub fn register(&self, index: usize) -> Word {
        self.slots[self.plan.schedule.registers[index].0 as usize]
    }

    /// Inverts a register in every lane, as a particle would in one. Panics where there is none.
    pub fn upset(&mut self, index: usize) {
        let word = &mut self.slots[self.plan.schedule.registers[index].0 as usize];
        word.0 = word.0.map(|bits| !bits);
    }

    /// The bits of a probe in a lane after [`Self::settle`], lowest first. Panics where there is no such probe.
    pub fn probe(&self, index: usize, lane: usize) -> impl DoubleEndedIterator<Item = bool> + ExactSizeIterator + '_ {
        self.probes[index].iter().map(move |&slot| self.slots[slot as usize].get(lane))
    }
}

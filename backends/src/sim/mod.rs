//! The simulator: many samples at once, or cycle by cycle.
//!
//! A [`Program`] is a design flattened to lookup tables and registers of single bits. A [`Batch`] runs a pipeline over
//! samples, 512 in a word, with registers as wires; a [`Machine`] steps any design cycle by cycle, with the register
//! contents that the hardware would have. [`Simulator`] chooses the engine.
//!
//! An engine is a `Kernel`, which evaluates a `Schedule` of lookup tables on slots of 512 bits; how samples get into the
//! slots and out of them is the same for all. The reference engine is the evaluator of the language itself.

mod batch;
mod encode;
mod input;
mod isa;
mod jit;
mod latency;
mod layout;
mod machine;
mod memory;
mod netlist;
mod output;
mod portable;
mod probe;
mod program;
mod reference;
pub(crate) mod schedule;
mod wave;
mod word;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use blc_ir::control::Control;
use blc_ir::diag::{Diagnostic, Result};
use blc_ir::verify::verify_func;
use blc_ir::{Func, Module};

pub use batch::{Batch, Times};
pub use input::{Data, Input};
pub use layout::{Layout, PortColumns};
pub use machine::Machine;
pub use netlist::Register;
pub use output::Outputs;
pub use probe::{Names, Probe, probes};
pub use program::Program;
pub use reference::Reference;
pub use wave::{Wave, WaveFormat};
pub use word::{LANES, Word};

use jit::{Jit, Unfit};
use schedule::Schedule;

use crate::codes::{EMIT_LEVEL, EMIT_OP, SIM_ENGINE, SIM_JIT};

/// What evaluates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// The fastest one that can.
    #[default]
    Auto,
    /// Machine code, on x86-64 with AVX-512.
    Jit,
    /// Bit-sliced, on any processor.
    Portable,
    /// The evaluator of the language.
    Reference,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Jit, Self::Portable, Self::Reference];

    /// Whether this machine can run it.
    pub fn is_available(self) -> bool {
        self != Self::Jit || jit::supported()
    }

    /// As `--engine` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Jit => "jit",
            Self::Portable => "portable",
            Self::Reference => "reference",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = Box<Diagnostic>;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|e| e.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Box::new(
                Diagnostic::error(&SIM_ENGINE, format!("no engine is called `{name}`")).help(format!("one of {names}")),
            )
        })
    }
}

/// What a design with control ports, or of several cycles a sample, computes over its data ports; `None` of others.
///
/// # Errors
/// The function does not verify, or its samples mix.
pub fn data_path(module: &Module, f: &Func) -> Result<Option<Func>> {
    if Control::of(f).is_none() {
        return Ok(None);
    }
    match verify_func(module, f).into_iter().find(Diagnostic::is_error) {
        Some(error) => Err(Box::new(error)),
        None => blc_ir::control::data_path(f),
    }
}

/// A function and the engine that runs it over samples.
pub struct Simulator<'a> {
    kind: Kind<'a>,
    inputs: Layout,
    outputs: Layout,
    latency: u64,
    takes_reals: bool,
    note: Option<Box<Diagnostic>>,
}

enum Kind<'a> {
    Batch(Box<Batch>, Engine),
    Reference(Box<Reference<'a>>),
}

impl<'a> Simulator<'a> {
    /// Makes a function ready, over its data ports where it has others, too. [`Engine::Auto`] falls back on the reference where an op is not lowered yet.
    ///
    /// # Errors
    /// The function does not verify, or the engine cannot run it: not lowered, feedback, unbalanced paths.
    pub fn new(module: &'a Module, f: &'a Func, engine: Engine) -> Result<Self> {
        Self::with_jit(module, f, engine, Jit::new)
    }

    /// [`Self::new`] with whatever makes machine code, or refuses to.
    fn with_jit(
        module: &'a Module,
        f: &'a Func,
        engine: Engine,
        jit: impl FnOnce(&Schedule) -> std::result::Result<Jit, Unfit>,
    ) -> Result<Self> {
        let mut note = None;
        let (f, told) = match data_path(module, f)? {
            Some(data) => (Cow::Owned(data), Some(f.latency())),
            None => (Cow::Borrowed(f), None),
        };
        if engine != Engine::Reference {
            match Program::compile(module, &f) {
                Ok(program) => {
                    let (batch, chosen) = match engine {
                        Engine::Portable => (Batch::portable(&program)?, Engine::Portable),
                        _ => match Batch::jit_or_portable(&program, jit)? {
                            (batch, None) => (batch, Engine::Jit),
                            (_, Some(why)) if engine == Engine::Jit => return Err(batch::no_jit(&why)),
                            (batch, Some(why)) => {
                                let text = format!("engine `portable` instead of `jit`: {why}");
                                note = Some(Box::new(Diagnostic::warning(&SIM_JIT, text)));
                                (batch, Engine::Portable)
                            }
                        },
                    };
                    let (inputs, outputs) = (program.inputs().clone(), program.outputs().clone());
                    let (latency, takes_reals) = (told.map_or_else(|| program.latency(), Ok)?, program.takes_reals());
                    let kind = Kind::Batch(Box::new(batch), chosen);
                    return Ok(Self { kind, inputs, outputs, latency, takes_reals, note });
                }
                Err(error) if engine == Engine::Auto && [&EMIT_LEVEL, &EMIT_OP].contains(&error.code) => {
                    let text = format!("the slow engine `reference` instead of `jit`: {}", error.message);
                    note = Some(Box::new(Diagnostic::warning(error.code, text)));
                }
                Err(error) => return Err(error),
            }
        }
        let latency = told.unwrap_or(f.latency());
        let reference = Reference::of(module, f)?;
        let (inputs, outputs) = (reference.inputs().clone(), reference.outputs().clone());
        let takes_reals = reference.takes_reals();
        Ok(Self { kind: Kind::Reference(Box::new(reference)), inputs, outputs, latency, takes_reals, note })
    }

    /// The engine that was chosen.
    pub fn engine(&self) -> Engine {
        match self.kind {
            Kind::Batch(_, engine) => engine,
            Kind::Reference(_) => Engine::Reference,
        }
    }

    /// Why [`Engine::Auto`] did not choose the fastest engine.
    pub fn note(&self) -> Option<&Diagnostic> {
        self.note.as_deref()
    }

    /// Time that runs have taken, by part; `None` of the reference engine, which has no parts.
    pub fn times(&self) -> Option<Times> {
        match &self.kind {
            Kind::Batch(batch, _) => Some(batch.times()),
            Kind::Reference(_) => None,
        }
    }

    /// Cycles from input to output. Of the reference engine what the function's attribute says.
    pub fn latency(&self) -> u64 {
        self.latency
    }

    /// The columns that a sample's inputs have.
    pub fn inputs(&self) -> &Layout {
        &self.inputs
    }

    /// The columns that a sample's outputs have.
    pub fn outputs(&self) -> &Layout {
        &self.outputs
    }

    /// Whether features go in as real numbers ([`Data::F32`]). Whole numbers are then codes, not features.
    pub fn takes_reals(&self) -> bool {
        self.takes_reals
    }

    /// Evaluates all samples; the result depends neither on the engine nor on the number of threads.
    ///
    /// # Errors
    /// The input does not fit the design.
    pub fn run(&self, input: &Input<'_>) -> Result<Outputs> {
        match &self.kind {
            Kind::Batch(batch, _) => batch.run(input),
            Kind::Reference(reference) => reference.run(input),
        }
    }
}

//! A netlist as BLIF says it, in flat arrays, and its gates in topological order.

use std::ops::Range;
use std::sync::Arc;

use blc_ir::diag::{Code, Diagnostic, Source};

use super::cover;
use crate::codes;

/// Position in [`Netlist::signals`].
pub type Signal = u32;

/// A name, and where it was first said.
pub struct Named<'a> {
    pub name: &'a str,
    pub at: u32,
    pub driver: Driver,
    pub is_output: bool,
}

/// What gives a signal its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    Nothing,
    Input,
    Gate(u32),
    Latch,
}

/// One `.latch`: a register on the rising edge of the netlist's only clock.
#[derive(Clone, Copy)]
pub struct Latch {
    pub input: Signal,
    pub output: Signal,
    pub init: bool,
    pub line: u32,
}

/// One `.names`.
#[derive(Clone, Copy)]
pub struct Gate {
    pub output: Signal,
    /// Byte offset of the output's name.
    pub at: u32,
    pub line: u32,
    pub inputs: u8,
    pub first_input: u32,
    pub first_word: u32,
}

#[derive(Default)]
pub struct Netlist<'a> {
    /// The name after `.model`.
    pub model: Option<&'a str>,
    pub signals: Vec<Named<'a>>,
    pub inputs: Vec<Signal>,
    pub outputs: Vec<Signal>,
    pub gates: Vec<Gate>,
    pub latches: Vec<Latch>,
    /// What the latches name as their clock, if they name any.
    pub clock: Option<Signal>,
    /// Inputs of all gates, one gate's after the other's.
    pub fanins: Vec<Signal>,
    /// Truth tables of all gates, input 0 the lowest address bit.
    pub tables: Vec<u64>,
}

/// A problem at a place of the text.
pub struct Wrong {
    diagnostic: Box<Diagnostic>,
    at: Range<usize>,
}

impl Wrong {
    pub fn new(code: &'static Code, at: Range<usize>, message: impl Into<String>) -> Self {
        Self { diagnostic: Box::new(Diagnostic::error(code, message)), at }
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.diagnostic.help = Some(help.into());
        self
    }

    pub fn in_source(self, source: &Arc<Source>) -> Box<Diagnostic> {
        Box::new(self.diagnostic.at(source, self.at))
    }
}

const NEW: u8 = 0;
const OPEN: u8 = 1;
const DONE: u8 = 2;

impl<'a> Netlist<'a> {
    pub fn name(&self, signal: Signal) -> &'a str {
        self.signals.get(signal as usize).map_or("", |s| s.name)
    }

    pub fn fanin(&self, gate: &Gate) -> &[Signal] {
        self.fanins.get(gate.first_input as usize..).and_then(|f| f.get(..gate.inputs.into())).unwrap_or_default()
    }

    pub fn table(&self, gate: &Gate) -> &[u64] {
        let words = cover::words(gate.inputs.into());
        self.tables.get(gate.first_word as usize..).and_then(|t| t.get(..words)).unwrap_or_default()
    }

    /// Where a signal was first named.
    fn place(&self, signal: Signal) -> Range<usize> {
        self.signals.get(signal as usize).map_or(0..0, |s| s.at as usize..s.at as usize + s.name.len())
    }

    fn driver(&self, signal: Signal) -> Driver {
        self.signals.get(signal as usize).map_or(Driver::Nothing, |s| s.driver)
    }

    /// Puts every gate behind those that feed it, otherwise in the order of the file.
    ///
    /// Errors: a signal that nothing drives (`BL1110`), a combinational cycle (`BL1112`).
    pub fn sorted(mut self) -> Result<Self, Wrong> {
        let undriven = |s: &Signal| self.driver(*s) == Driver::Nothing;
        let latched = self.latches.iter().map(|latch| &latch.input);
        if let Some(&signal) = self.fanins.iter().chain(&self.outputs).chain(latched).find(|s| undriven(s)) {
            let message = format!("nothing drives `{}`", self.name(signal));
            return Err(Wrong::new(&codes::BLIF_UNDRIVEN, self.place(signal), message)
                .help("name it in .inputs, or give it a .names (one without lines is constant 0)"));
        }
        if let Some(clock) = self.clock {
            let latched = self.latches.iter().map(|latch| &latch.input);
            if self.fanins.iter().chain(&self.outputs).chain(latched).any(|&s| s == clock) {
                let message = format!("`{}` is a clock and is read as data, too", self.name(clock));
                return Err(Wrong::new(&codes::BLIF_LATCH, self.place(clock), message)
                    .help("a clock does nothing but tell time"));
            }
            if !matches!(self.driver(clock), Driver::Input | Driver::Nothing) {
                let message = format!("the clock `{}` is made by logic", self.name(clock));
                return Err(
                    Wrong::new(&codes::BLIF_LATCH, self.place(clock), message).help("the clock must be an input")
                );
            }
        }
        let mut state = vec![NEW; self.gates.len()];
        let mut order = Vec::with_capacity(self.gates.len());
        // Depth first without recursion: gates being visited, and how many of its inputs each has behind it.
        let mut path: Vec<(u32, usize)> = Vec::new();
        for root in 0..self.gates.len() as u32 {
            path.push((root, 0));
            while let Some((index, next)) = path.last_mut() {
                let Some(gate) = self.gates.get(*index as usize) else { break };
                if *next == 0 && state[*index as usize] == DONE {
                    path.pop();
                    continue;
                }
                state[*index as usize] = OPEN;
                let Some(&input) = self.fanin(gate).get(*next) else {
                    state[*index as usize] = DONE;
                    order.push(*gate);
                    path.pop();
                    continue;
                };
                *next += 1;
                if let Driver::Gate(feeding) = self.driver(input) {
                    match state[feeding as usize] {
                        NEW => path.push((feeding, 0)),
                        OPEN => return Err(self.cycle(&path, feeding)),
                        _ => {}
                    }
                }
            }
        }
        self.gates = order;
        Ok(self)
    }

    /// The cycle that closes where the last gate of the path reads `from`, an earlier one.
    fn cycle(&self, path: &[(u32, usize)], from: u32) -> Wrong {
        let start = path.iter().position(|&(gate, _)| gate == from).unwrap_or(0);
        let gates = || path.iter().skip(start).filter_map(|&(gate, _)| self.gates.get(gate as usize));
        let length = gates().count();
        // `a` reads `b` reads `c` reads `a`.
        let mut names: Vec<String> = gates().take(8).map(|gate| format!("`{}`", self.name(gate.output))).collect();
        if length > names.len() {
            names.push(format!("{} more", length - names.len()));
        }
        names.extend(names.first().cloned());
        let at = gates().next().map_or(0..0, |gate| {
            let at = gate.at as usize;
            at..at + self.name(gate.output).len()
        });
        Wrong::new(&codes::BLIF_CYCLE, at, format!("a combinational cycle: {}", names.join(" reads ")))
            .help("only netlists without feedback can be compiled")
    }
}

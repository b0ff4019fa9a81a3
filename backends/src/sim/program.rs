//! A design made ready for simulation, whatever the engine.

use std::ops::Range;
use std::sync::Arc;

use blc_ir::diag::Result;
use blc_ir::eval::affine;
use blc_ir::{Func, Module};

use super::encode::{self, Plane};
use super::input::{Code, Data, Input};
use super::isa::{Isa, Span};
use super::latency::latency;
use super::layout::Layout;
use super::memory::Words;
use super::netlist::{Netlist, Register, Signal};
use super::schedule::{Registers, Schedule, Slot, UNUSED};
use super::word::{LANES, Rows, Word};

/// A flattened design: lookup tables and registers of single bits, and the tables of its ports.
#[derive(Debug)]
pub struct Program {
    pub(crate) netlist: Netlist,
    pub(super) inputs: Arc<Layout>,
    pub(super) outputs: Arc<Layout>,
    code: Arc<Option<Code>>,
    latency: Result<u64>,
}

impl Program {
    /// Flattens an `hw.module`, or a function of lookup tables and wires.
    ///
    /// # Errors
    /// The function does not verify, holds an op that has to be lowered first, or is too large.
    pub fn compile(module: &Module, f: &Func) -> Result<Self> {
        let netlist = Netlist::flatten(module, f)?;
        let latency = latency(module, f, &netlist);
        Ok(Self {
            netlist,
            inputs: Arc::new(Layout::inputs(f)),
            outputs: Arc::new(Layout::outputs(f)),
            code: Arc::new(code_of(module, f)),
            latency,
        })
    }

    /// Cycles from input to output, where the design is a pipeline.
    ///
    /// # Errors
    /// Feedback, or paths of different length: such a design runs only cycle by cycle ([`super::Machine`]).
    pub fn latency(&self) -> Result<u64> {
        self.latency.clone()
    }

    /// The columns that a sample's inputs have.
    pub fn inputs(&self) -> &Layout {
        &self.inputs
    }

    /// The columns that a sample's outputs have.
    pub fn outputs(&self) -> &Layout {
        &self.outputs
    }

    /// Whether the design says how real numbers become its input words ([`super::Data::F32`]).
    pub fn takes_reals(&self) -> bool {
        self.code.is_some()
    }

    /// The registers that some output depends on, in program order.
    pub fn registers(&self) -> &[Register] {
        &self.netlist.registers
    }

    pub(super) fn plan(&self, registers: Registers, isa: Isa) -> Plan {
        Plan::new(self, &self.netlist, registers, isa)
    }

    /// A plan that keeps further signals: their slots stand behind those of the outputs.
    pub(super) fn plan_with(&self, registers: Registers, isa: Isa, signals: impl Iterator<Item = Signal>) -> Plan {
        let mut netlist = self.netlist.clone();
        netlist.outputs.extend(signals);
        Plan::new(self, &netlist, registers, isa)
    }
}

/// The affine code of each column, where a function has one.
pub(super) fn code_of(module: &Module, f: &Func) -> Option<Code> {
    let (offsets, steps) = affine(module, f)?;
    Some(offsets.iter().copied().zip(steps.iter().copied()).collect())
}

/// Up to eight input tiles that are turned together, and where their used bits go.
#[derive(Debug)]
struct Load {
    tiles: Range<usize>,
    /// Bit, tile among the eight, slot.
    bits: Vec<(u8, u8, Slot)>,
}

/// A schedule, and how samples get into its slots and out of them.
#[derive(Debug)]
pub(super) struct Plan {
    pub schedule: Schedule,
    pub inputs: Arc<Layout>,
    pub outputs: Arc<Layout>,
    pub code: Arc<Option<Code>>,
    planes: Vec<Plane>,
    loads: Vec<Load>,
    /// For each output tile the slots of its bits.
    stores: Vec<Vec<Slot>>,
    pub isa: Isa,
}

impl Plan {
    fn new(program: &Program, netlist: &Netlist, registers: Registers, isa: Isa) -> Self {
        let (schedule, planes) = match registers {
            // A comparison has no registers behind it where each cycle counts.
            Registers::State => (Schedule::new(netlist, registers), Vec::new()),
            Registers::Transparent => {
                let (cut, comparisons) = encode::extract(netlist, &program.inputs);
                let schedule = Schedule::new(&cut, registers);
                let slots = &schedule.inputs[netlist.inputs..];
                let code = program.code.as_deref();
                let planes = encode::planes(&comparisons, slots, &program.inputs, code);
                (schedule, planes)
            }
        };
        let mut loads = Vec::new();
        for first in (0..program.inputs.tiles().len()).step_by(8) {
            let tiles = first..(first + 8).min(program.inputs.tiles().len());
            let mut bits = Vec::new();
            for (m, tile) in program.inputs.tiles()[tiles.clone()].iter().enumerate() {
                for c in program.inputs.columns_of(tile) {
                    let slots = &schedule.inputs[c.bit as usize..][..usize::from(c.width)];
                    let used = slots.iter().enumerate().filter(|(_, slot)| **slot != UNUSED);
                    bits.extend(used.map(|(b, &slot)| (c.shift + b as u8, m as u8, slot)));
                }
            }
            if !bits.is_empty() {
                loads.push(Load { tiles, bits });
            }
        }
        let stores = program.outputs.tiles().iter().map(|tile| {
            let columns = program.outputs.columns_of(tile).iter();
            columns.flat_map(|c| &schedule.outputs[c.bit as usize..][..usize::from(c.width)]).copied().collect()
        });
        let stores = stores.collect();
        let (inputs, outputs) = (Arc::clone(&program.inputs), Arc::clone(&program.outputs));
        Self { schedule, inputs, outputs, code: Arc::clone(&program.code), planes, loads, stores, isa }
    }

    /// Slots of several blocks of samples, with the constants in place.
    pub fn slots(&self, blocks: usize) -> Words {
        let mut slots = Words::zeroed(self.schedule.slots * blocks);
        slots.chunks_exact_mut(self.schedule.slots).for_each(|block| block[1] = Word::ONES);
        slots
    }

    /// Turns up to 512 rows, from row `first` on, into slots; lanes beyond them become 0.
    pub fn load(&self, input: &Input<'_>, first: usize, slots: &mut [Word]) {
        let code = self.code.as_deref().unwrap_or_default();
        let mut rows: Rows = [[0; 8]; 64];
        for plane in &self.planes {
            self.compare(input, first, plane, &mut rows);
            self.isa.transpose(&mut rows);
            for &(bit, slot, complement) in &plane.slots {
                let word = rows[usize::from(bit)];
                slots[slot as usize].0 = if complement { word.map(|x| !x) } else { word };
            }
        }
        for lane in 0..8 {
            let first = (first + 64 * lane).min(input.samples);
            for load in &self.loads {
                if input.samples - first < 64 {
                    rows = [[0; 8]; 64];
                }
                input.strip(&self.inputs, code, first, &self.inputs.tiles()[load.tiles.clone()], &mut rows);
                self.isa.transpose(&mut rows);
                for &(bit, m, slot) in &load.bits {
                    slots[slot as usize].0[lane] = rows[usize::from(bit)][usize::from(m)];
                }
            }
        }
    }

    /// What the comparisons of a plane say of up to 512 rows, 64 in each matrix; rows beyond the last one are 0.
    fn compare(&self, input: &Input<'_>, first: usize, plane: &Plane, rows: &mut Rows) {
        let stride = self.inputs.columns();
        if input.samples - first < LANES {
            *rows = [[0; 8]; 64];
        }
        for m in 0..8 {
            let first = (first + 64 * m).min(input.samples);
            let at = Span { start: first * stride + plane.first, stride, rows: (input.samples - first).min(64) };
            match input.data {
                Data::U8(d) => self.isa.above_bytes(plane, d, at, m, rows),
                Data::F32(d) => self.isa.above_reals(plane, d, at, m, rows),
                Data::U64(d) => {
                    for (i, row) in rows.iter_mut().enumerate().take(at.rows) {
                        let x = &d[at.start + i * stride..][..plane.columns];
                        let above = x.iter().zip(&plane.words).map(|(x, bound)| u64::from(x > bound));
                        row[m] = above.enumerate().fold(0, |word, (j, bit)| word | bit << j);
                    }
                }
            }
        }
    }

    /// Turns slots into rows of output tiles, `[samples, tiles]`, in the room of `out`, whatever that held. Eight tiles at a time
    /// go out together, a line of a cache for each row.
    pub fn store(&self, slots: &[Word], samples: usize, mut out: Vec<u64>) -> Vec<u64> {
        let tiles = self.stores.len();
        out.resize(samples * tiles, 0);
        let (eights, rest) = self.stores.as_chunks::<8>();
        let mut rows: Rows = [[0; 8]; 64];
        for (n, eight) in eights.iter().enumerate() {
            for (lane, out) in out.chunks_mut(64 * tiles).enumerate() {
                for (m, sources) in eight.iter().enumerate() {
                    for (row, &slot) in rows.iter_mut().zip(sources) {
                        row[m] = slots[slot as usize].0[lane];
                    }
                    rows[sources.len()..].iter_mut().for_each(|row| row[m] = 0);
                }
                self.isa.transpose(&mut rows);
                for (row, out) in rows.iter().zip(out.chunks_exact_mut(tiles)) {
                    out[8 * n..8 * (n + 1)].copy_from_slice(row);
                }
            }
        }
        for (i, sources) in (8 * eights.len()..).zip(rest) {
            let mut rows: Rows = [[0; 8]; 64];
            rows.iter_mut().zip(sources).for_each(|(row, &slot)| *row = slots[slot as usize].0);
            self.isa.transpose(&mut rows);
            for (lane, row) in out.chunks_exact_mut(tiles).enumerate() {
                row[i] = rows[lane % 64][lane / 64];
            }
        }
        out
    }
}

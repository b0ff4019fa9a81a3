//! Steps of a schedule to straight-line code: registers for what is at hand, memory for the rest.
//!
//! The 32 registers hold copies of slots: a table next to another one finds their common inputs, and the other's result,
//! where it needs them. The slots themselves are always up to date.

use super::asm::{self, Place, Reg};
use super::synth::{Op, Program};
use crate::sim::schedule::{Slot, Step};

const REGISTERS: usize = 32;

/// Bytes of code after which a chunk ends: half of a first-level cache, so that code stays there from word to word.
const CHUNK: usize = 16 << 10;

/// Machine code, and where its chunks begin.
#[derive(Debug, Default)]
pub(in crate::sim) struct Code {
    pub bytes: Vec<u8>,
    pub chunks: Vec<usize>,
}

/// What a register holds: a copy of a slot, the result [`RESULT`]` + n` of operation `n` of the step at hand, or nothing.
type Content = u32;
const RESULT: Content = 1 << 31;
const FREE: Content = Content::MAX;

/// No register.
const NOWHERE: Reg = Reg::MAX;

struct Emitter {
    code: Vec<u8>,
    content: [Content; REGISTERS],
    /// The register that holds a slot, and that holds a result: `content` the other way round.
    slots: Vec<Reg>,
    results: [Reg; 64],
    /// Registers that the operation at hand reads or writes, a bit each.
    busy: u32,
    /// The register that is given away next.
    next: usize,
}

/// Code for steps on `slots` slots; `program` gives the program of a step.
pub(super) fn emit<'a>(steps: &[Step], slots: usize, mut program: impl FnMut(usize) -> &'a Program) -> Code {
    let mut e = Emitter {
        code: Vec::with_capacity(steps.len() * 160),
        content: [FREE; REGISTERS],
        slots: vec![NOWHERE; slots],
        results: [NOWHERE; 64],
        busy: 0,
        next: 0,
    };
    let mut chunks = Vec::new();
    let mut start = 0;
    for (i, step) in steps.iter().enumerate() {
        if i == 0 || e.code.len() - start >= CHUNK {
            if i > 0 {
                asm::leave(&mut e.code);
            }
            start = e.code.len();
            chunks.push(start);
            (0..REGISTERS as Reg).for_each(|r| e.set(r, FREE));
        }
        let next = steps.get(i + 1).map_or(&[][..], |next| &next.inputs[..usize::from(next.k)]);
        e.step(step, program(i), next);
    }
    if !chunks.is_empty() {
        asm::leave(&mut e.code);
    }
    Code { bytes: e.code, chunks }
}

impl Emitter {
    fn step(&mut self, step: &Step, program: &[Op], next: &[Slot]) {
        let mut uses = [0u8; 64];
        for arg in program.iter().flat_map(|op| &op.args[..usize::from(op.arity)]) {
            uses[usize::from(*arg)] += 1;
        }
        for (i, op) in program.iter().enumerate() {
            let result = 6 + i as u8;
            let last = i + 1 == program.len();
            self.operation(step, op, &mut uses, next, result);
            if last {
                // A copy of what lay in the slot is out of date.
                if let Some(r) = self.find(step.out) {
                    self.set(r, FREE);
                }
                if let Some(r) = self.find(RESULT + u32::from(result)) {
                    asm::store(&mut self.code, step.out, r);
                    self.set(r, step.out);
                }
            }
        }
    }

    fn operation(&mut self, step: &Step, op: &Op, uses: &mut [u8; 64], next: &[Slot], result: u8) {
        self.busy = 0;
        let args = &op.args[..usize::from(op.arity)];
        let what = |arg: u8| match arg {
            0..6 => step.inputs[usize::from(arg)],
            _ => RESULT + u32::from(arg),
        };
        // What stays needed after this operation.
        let mut lives = [false; 3];
        for (live, &arg) in lives.iter_mut().zip(args) {
            uses[usize::from(arg)] -= 1;
            *live = uses[usize::from(arg)] > 0 || arg < 6 && next.contains(&step.inputs[usize::from(arg)]);
        }
        let mut regs = [None; 3];
        for (reg, &arg) in regs.iter_mut().zip(args) {
            *reg = self.find(what(arg));
            if let Some(r) = *reg {
                self.busy |= 1 << r;
            }
        }
        // One operand that is needed only here may stay in memory; another one makes room for the result.
        let mut in_memory = (0..args.len()).find(|&i| regs[i].is_none() && !lives[i]);
        in_memory = in_memory.filter(|_| args.len() > 1);
        for i in 0..args.len() {
            if regs[i].is_none() && in_memory != Some(i) {
                let r = self.free();
                asm::load(&mut self.code, r, Place::Slot(what(args[i])));
                self.set(r, what(args[i]));
                regs[i] = Some(r);
            }
        }
        // The first operand is overwritten: one that dies, otherwise a copy.
        let first = (0..args.len()).find(|&i| regs[i].is_some() && !lives[i]);
        let (first, dst) = match first {
            Some(i) => (i, regs[i].unwrap_or(0)),
            None => {
                let i = (0..args.len()).find(|&i| regs[i].is_some()).unwrap_or(0);
                let r = self.free();
                asm::load(&mut self.code, r, Place::Reg(regs[i].unwrap_or(0)));
                (i, r)
            }
        };
        // The order of operands: the overwritten one, a register, the one in memory.
        let mut order = [first; 3];
        let mut others = (0..args.len()).filter(|&i| i != first);
        match (others.next(), others.next()) {
            (Some(i), Some(j)) if in_memory == Some(i) => (order[1], order[2]) = (j, i),
            (Some(i), Some(j)) => (order[1], order[2]) = (i, j),
            (Some(i), None) => order[2] = i,
            _ => {}
        }
        let place = |i: usize| match regs[i] {
            _ if i == first => Place::Reg(dst),
            Some(r) => Place::Reg(r),
            None => Place::Slot(what(args[i])),
        };
        let second = match place(order[1]) {
            Place::Reg(r) => r,
            Place::Slot(_) => dst,
        };
        asm::ternlog(&mut self.code, dst, second, place(order[2]), permute(op.imm, order));
        for (i, reg) in regs.iter().enumerate() {
            // Results that died; slots stay as copies until their register is needed.
            if let (Some(r), true, true) = (*reg, i < args.len() && !lives[i], i < args.len() && args[i] >= 6) {
                self.set(r, FREE);
            }
        }
        self.set(dst, RESULT + u32::from(result));
    }

    fn find(&self, content: Content) -> Option<Reg> {
        let r = match content.checked_sub(RESULT) {
            Some(n) => self.results[n as usize],
            None => self.slots[content as usize],
        };
        (r != NOWHERE).then_some(r)
    }

    /// Notes what a register holds from now on.
    fn set(&mut self, r: Reg, content: Content) {
        let old = std::mem::replace(&mut self.content[usize::from(r)], content);
        for (content, place) in [(old, NOWHERE), (content, r)] {
            match content.checked_sub(RESULT) {
                _ if content == FREE => {}
                Some(n) => self.results[n as usize] = place,
                None => self.slots[content as usize] = place,
            }
        }
    }

    /// A register for something else, in turn: none that the operation at hand uses, none with a result. A step has fewer
    /// results and inputs at once than there are registers.
    fn free(&mut self) -> Reg {
        for _ in 0..REGISTERS {
            let r = self.next;
            self.next = (r + 1) % REGISTERS;
            let content = self.content[r];
            if self.busy >> r & 1 == 0 && (content == FREE || content < RESULT) {
                self.busy |= 1 << r;
                self.set(r as Reg, FREE);
                return r as Reg;
            }
        }
        0
    }
}

/// The truth table for operands in another order: new operand `n` is old operand `order[n]`. Old operands beyond those
/// named are equal to their first.
fn permute(imm: u8, order: [usize; 3]) -> u8 {
    let mut out = 0;
    for new in 0..8usize {
        let mut old = [None; 3];
        for (n, &o) in order.iter().enumerate() {
            old[o].get_or_insert(new >> (2 - n) & 1);
        }
        // An operand that is none is a repetition of operand 0, as the program has it.
        let zero = old[0].unwrap_or(0);
        let at = old.iter().fold(0, |at, bit| at << 1 | bit.unwrap_or(zero));
        out |= (imm >> at & 1) << new;
    }
    out
}

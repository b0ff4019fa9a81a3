//! Rust source: one file without dependencies, `no_std` and without `unsafe`, bit-sliced over a word of the user's choice.
//!
//! The text follows the simulator's schedule: an array of slots, one statement a lookup table, functions of some hundred
//! statements so that it compiles in seconds. Tables with a short expression become that, others a call with the table.

use std::fmt::{self, Write};

use blc_ir::{Module, Result};

use crate::emit::{Options, VERSION, plain, top};
use crate::expr::Expr;
use crate::names::design_name;
use crate::sim::schedule::{Registers, Schedule, Slot, UNUSED};
use crate::sim::{Program, data_path};

/// Statements of a function.
const STATEMENTS: usize = 250;
/// Numbers in a line of a table.
const NUMBERS: usize = 16;

/// Rust source of the module's top function, at hw or bit level.
///
/// # Errors
/// Those of [`Program::compile`], and `BL3001` for a module without functions.
pub fn emit(module: &Module, options: &Options) -> Result<String> {
    let f = top(module)?;
    let data = data_path(module, f)?;
    let program = Program::compile(module, data.as_ref().unwrap_or(f))?;
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = Writer { out: &mut out, program: &program }.file(design_name(module), options);
    Ok(out)
}

struct Writer<'a> {
    out: &'a mut String,
    program: &'a Program,
}

impl Writer<'_> {
    fn file(&mut self, name: &str, options: &Options) -> fmt::Result {
        let program = self.program;
        writeln!(self.out, "//! `{}`, made by blc {VERSION}.", plain(name))?;
        for line in &options.made_from {
            writeln!(self.out, "//! {}", plain(line))?;
        }
        self.out.push_str(HEAD);
        let latency = program.latency().ok();
        let bits = |layout: &crate::sim::Layout| -> usize {
            layout.ports().iter().map(|p| p.columns.len() * usize::from(p.width)).sum()
        };
        let constants = [
            (
                "INPUTS",
                "Bits of a sample: the ports in order, each element's lowest bit first.",
                bits(program.inputs()),
            ),
            ("OUTPUTS", "Bits of the results, in the same order.", bits(program.outputs())),
            ("REGISTERS", "Registers.", program.registers().len()),
        ];
        for (name, what, value) in constants {
            writeln!(self.out, "/// {what}\npub const {name}: usize = {value};")?;
        }
        self.steps()?;
        match latency {
            Some(cycles) => {
                writeln!(self.out, "/// Cycles from input to output.\npub const LATENCY: usize = {cycles};")?;
                self.eval()?;
                self.predict()
            }
            None => Ok(()),
        }
    }

    /// `step` and `reset`.
    fn steps(&mut self) -> fmt::Result {
        let registers = self.program.registers();
        let schedule = Schedule::new(&self.program.netlist, Registers::State);
        self.out.push_str(
            "\n/// The registers before the first clock edge.\npub fn reset<W: Word>() -> [W; REGISTERS] {\n",
        );
        self.out.push_str("    [\n");
        for row in registers.chunks(NUMBERS) {
            self.out.push_str("       ");
            for r in row {
                self.out.push_str(if r.init { " W::ONES," } else { " W::ZERO," });
            }
            self.out.push('\n');
        }
        self.out.push_str("    ]\n}\n");
        self.slots("step", &schedule)?;
        let (q, d): (Vec<Slot>, Vec<Slot>) = schedule.registers.iter().copied().unzip();
        self.numbers("STEP_Q", &q)?;
        self.numbers("STEP_D", &d)?;
        self.calls(STEP, "step", &schedule, STEP_END)
    }

    /// `eval`.
    fn eval(&mut self) -> fmt::Result {
        let schedule = Schedule::new(&self.program.netlist, Registers::Transparent);
        self.slots("eval", &schedule)?;
        self.calls(EVAL, "eval", &schedule, EVAL_END)
    }

    /// Slot of each input and output bit, and the functions that evaluate.
    fn slots(&mut self, name: &str, schedule: &Schedule) -> fmt::Result {
        let upper = name.to_uppercase();
        writeln!(self.out, "\nconst {upper}_SLOTS: usize = {};", schedule.slots)?;
        let inputs: Vec<Slot> =
            schedule.inputs.iter().map(|&slot| if slot == UNUSED { schedule.slots as Slot } else { slot }).collect();
        self.numbers(&format!("{upper}_IN"), &inputs)?;
        self.numbers(&format!("{upper}_OUT"), &schedule.outputs)?;
        for (n, steps) in schedule.steps.chunks(STATEMENTS).enumerate() {
            writeln!(self.out, "\nfn {name}_{n}<W: Word>(s: &mut [W; {upper}_SLOTS + 1]) {{")?;
            for step in steps {
                let k = usize::from(step.k);
                write!(self.out, "    s[{}] = ", step.out)?;
                match Expr::of(step.table, k) {
                    Some(expr) => expression(self.out, &expr, &step.inputs)?,
                    None => {
                        let inputs: Vec<String> = step.inputs[..k].iter().map(Slot::to_string).collect();
                        write!(self.out, "lut(s, {:#x}, [{}])", step.table, inputs.join(", "))?;
                    }
                }
                self.out.push_str(";\n");
            }
            self.out.push_str("}\n");
        }
        Ok(())
    }

    /// A function that calls those of a schedule.
    fn calls(&mut self, begin: &str, name: &str, schedule: &Schedule, end: &str) -> fmt::Result {
        self.out.push_str(begin);
        for n in 0..schedule.steps.len().div_ceil(STATEMENTS) {
            writeln!(self.out, "    {name}_{n}(&mut s);")?;
        }
        self.out.push_str(end);
        Ok(())
    }

    fn numbers(&mut self, name: &str, numbers: &[Slot]) -> fmt::Result {
        writeln!(self.out, "const {name}: [usize; {}] = [", numbers.len())?;
        for row in numbers.chunks(NUMBERS) {
            let row: Vec<String> = row.iter().map(ToString::to_string).collect();
            writeln!(self.out, "    {},", row.join(", "))?;
        }
        self.out.push_str("];\n");
        Ok(())
    }

    fn predict(&mut self) -> fmt::Result {
        let inputs = self.program.inputs();
        let widest = inputs.ports().iter().map(|p| p.width).max().unwrap_or(1);
        let number = match widest {
            0..=8 => "u8",
            9..=16 => "u16",
            17..=32 => "u32",
            _ => "u64",
        };
        let ports: Vec<String> = inputs.ports().iter().map(|p| format!("({}, {})", p.columns.len(), p.width)).collect();
        let mut bit = 0;
        let mut answer = None;
        for port in self.program.outputs().ports() {
            let bits = port.columns.len() * usize::from(port.width);
            if answer.is_none() || port.name == "class" {
                answer = Some((bit, bits.min(usize::BITS as usize)));
            }
            if port.name == "class" {
                break;
            }
            bit += bits;
        }
        let (first, bits) = answer.unwrap_or((0, 0));
        writeln!(
            self.out,
            "
/// Elements and bits of an element of each input port.
const PORTS: [(usize, usize); {}] = [{}];

/// The class of one sample (of a design without classes, its first output), from one number for each input element.
///
/// Panics where there are fewer numbers than that.
pub fn predict(features: &[{number}]) -> usize {{
    let mut x = [0u64; INPUTS];
    let (mut bit, mut at) = (0, 0);
    for (elements, width) in PORTS {{
        for _ in 0..elements {{
            for b in 0..width {{
                x[bit] = (features[at] as u64) >> b & 1;
                bit += 1;
            }}
            at += 1;
        }}
    }}
    let y = eval(&x);
    let class = &y[{first}..{}];
    class.iter().rev().fold(0, |class, bit| class << 1 | (bit & 1) as usize)
}}",
            ports.len(),
            ports.join(", "),
            first + bits
        )
    }
}

fn expression(out: &mut String, expr: &Expr, slots: &[Slot; 6]) -> fmt::Result {
    let list = |out: &mut String, parts: &[Expr], operator: &str| {
        out.push('(');
        for (i, part) in parts.iter().enumerate() {
            out.push_str(if i == 0 { "" } else { operator });
            expression(out, part, slots)?;
        }
        out.push(')');
        Ok(())
    };
    match expr {
        Expr::Const(value) => out.write_str(if *value { "W::ONES" } else { "W::ZERO" }),
        Expr::Input(j, inverted) => write!(out, "{}s[{}]", if *inverted { "!" } else { "" }, slots[*j]),
        Expr::And(parts) => list(out, parts, " & "),
        Expr::Or(parts) => list(out, parts, " | "),
        Expr::Xor(parts) => list(out, parts, " ^ "),
        Expr::Mux(j, branches) => {
            write!(out, "pick(s[{}], ", slots[*j])?;
            expression(out, &branches[0], slots)?;
            out.push_str(", ");
            expression(out, &branches[1], slots)?;
            out.push(')');
            Ok(())
        }
    }
}

const HEAD: &str = "//!
//! Samples lie side by side in the bits of words: `eval` takes a word for each input bit and gives one for each output
//! bit; `step` does so for one clock cycle; `predict` takes a single sample.
#![no_std]
#![forbid(unsafe_code)]
#![allow(clippy::all, unused_parens, dead_code)]

use core::ops::{BitAnd, BitOr, BitXor, Not};

/// A bit of each of many samples.
pub trait Word:
    Copy + BitAnd<Output = Self> + BitOr<Output = Self> + BitXor<Output = Self> + Not<Output = Self>
{
    /// 0 for every sample.
    const ZERO: Self;
    /// 1 for every sample.
    const ONES: Self;
}

impl Word for u64 {
    const ZERO: Self = 0;
    const ONES: Self = u64::MAX;
}

/// `64 N` samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub struct Lanes<const N: usize>(pub [u64; N]);

impl<const N: usize> Word for Lanes<N> {
    const ZERO: Self = Self([0; N]);
    const ONES: Self = Self([u64::MAX; N]);
}

macro_rules! lanes {
    ($name:ident, $method:ident, $op:tt) => {
        impl<const N: usize> $name for Lanes<N> {
            type Output = Self;
            #[inline(always)]
            fn $method(mut self, other: Self) -> Self {
                let mut i = 0;
                while i < N {
                    self.0[i] = self.0[i] $op other.0[i];
                    i += 1;
                }
                self
            }
        }
    };
}
lanes!(BitAnd, bitand, &);
lanes!(BitOr, bitor, |);
lanes!(BitXor, bitxor, ^);

impl<const N: usize> Not for Lanes<N> {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        self ^ Self::ONES
    }
}

/// `a` where `x` is 1, otherwise `b`.
#[inline(always)]
fn pick<W: Word>(x: W, a: W, b: W) -> W {
    b ^ x & (a ^ b)
}

/// Bit `a` of the table where the slots hold `a`, the first one its lowest bit.
#[inline(never)]
fn lut<W: Word, const K: usize>(s: &[W], table: u64, slots: [u32; K]) -> W {
    let mut t = [W::ZERO; 64];
    let mut n = 1 << K;
    for a in 0..n {
        if table >> a & 1 == 1 {
            t[a] = W::ONES;
        }
    }
    for slot in slots {
        let x = s[slot as usize];
        n /= 2;
        for i in 0..n {
            t[i] = pick(x, t[2 * i + 1], t[2 * i]);
        }
    }
    t[0]
}

";

const STEP: &str = "
/// One clock cycle: the outputs before the edge, then the registers after it.
#[inline]
pub fn step<W: Word>(state: &mut [W; REGISTERS], x: &[W; INPUTS]) -> [W; OUTPUTS] {
    let mut s = [W::ZERO; STEP_SLOTS + 1];
    s[1] = W::ONES;
    for (slot, x) in STEP_IN.iter().zip(x) {
        s[*slot] = *x;
    }
    for (slot, q) in STEP_Q.iter().zip(state.iter()) {
        s[*slot] = *q;
    }
";
const STEP_END: &str = "    for (slot, q) in STEP_D.iter().zip(state.iter_mut()) {
        *q = s[*slot];
    }
    STEP_OUT.map(|slot| s[slot])
}
";
const EVAL: &str = "
/// The outputs of samples, `LATENCY` cycles later in hardware.
pub fn eval<W: Word>(x: &[W; INPUTS]) -> [W; OUTPUTS] {
    let mut s = [W::ZERO; EVAL_SLOTS + 1];
    s[1] = W::ONES;
    for (slot, x) in EVAL_IN.iter().zip(x) {
        s[*slot] = *x;
    }
";
const EVAL_END: &str = "    EVAL_OUT.map(|slot| s[slot])
}
";

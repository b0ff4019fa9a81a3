//! Equivalence: whether two designs compute the same on every input, proved.
//!
//! Both become one and-xor graph over shared inputs ([`graph`], [`blast`]: the meaning of every op said apart from the
//! passes, so that a mistake of a pass cannot hide in the check of it). Then:
//! 1. random and directed patterns ([`patterns`]) refute most that is wrong;
//! 2. equal structure is one node, and SAT sweeping ([`sweep`]) proves inner nodes equal from the inputs up;
//! 3. sums of many bits, which sweeping cannot do, are proved by algebra ([`poly`]), and what is above them with their
//!    bits taken as free ([`prove`] says in which order);
//! 4. each output still open gets a solver and a larger budget.
//!
//! Budgets count conflicts, not seconds, so the verdict is the same on every machine. Pipelines are compared with their
//! registers as wires ([`blast`] says why that is enough); two pipelines of different latency are different. Of a design with a
//! handshake, or of several cycles a sample, what is compared is what it computes over its data ports
//! ([`blc_ir::control::data_path`], which also shows that samples do not mix); its latency is told by the handshake.

mod blast;
mod certificate;
mod cone;
mod graph;
mod patterns;
mod poly;
mod ports;
mod prove;
mod stones;
mod sweep;
mod table;
mod window;
mod words;

use blc_ir::control::{Control, data_path};
use blc_ir::diag::Result;
use blc_ir::eval::{Evaluator, Val};
use blc_ir::order::is_register;
use blc_ir::verify::verify_func;
use blc_ir::{Diagnostic, Elem, Func, Level, Type};

use crate::codes::EQUIV_LATENCY;
use crate::quantize::dequantize;
use blast::Real;
pub use certificate::Certificate;
use graph::{Graph, Lit};
pub use ports::Side;
use ports::{Ports, Shape};
use prove::Prover;
use stones::Crossing;
pub use sweep::Effort;
use sweep::{Sweep, most_blocks};

/// How much to try.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Blocks of 64 patterns to begin with.
    pub blocks: usize,
    /// Conflicts a pair of inner nodes.
    pub inner: u64,
    /// Conflicts an output.
    pub output: u64,
    /// Most gates of both designs together.
    pub gates: usize,
    /// Keep a proof.
    pub certificate: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { blocks: 32, inner: 300, output: 300_000, gates: 1 << 24, certificate: false }
    }
}

/// An input on which two designs differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Counterexample {
    /// The inputs of the first design but its clock; numbers for real inputs.
    pub inputs: Vec<Val>,
    /// The same for the second.
    pub others: Vec<Val>,
    /// A bit of the results on which they differ, by its name in the first.
    pub output: String,
    /// What the first says.
    pub first: bool,
}

/// What is known of two designs.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Equal on every input.
    Proved,
    /// Different on this one. The reference evaluator says so too.
    Refuted(Box<Counterexample>),
    /// Equal or not, but after different numbers of cycles.
    Latency(u64, u64),
    /// These bits of the results are still open.
    Undecided(Vec<String>),
}

/// A verdict and how it was reached.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// Bits of results compared.
    pub outputs: usize,
    /// What it took.
    pub effort: Effort,
    /// What the verdict assumes, in words.
    pub assumptions: Vec<String>,
    /// The proof, where one was asked for and found.
    pub certificate: Option<Certificate>,
}

/// Compares two verified functions.
///
/// # Errors
/// Their ports do not match, one is no function of its inputs (feedback, an op from outside), or they are too large.
pub fn compare(a: Side<'_>, b: Side<'_>, options: &Options) -> Result<Outcome> {
    if let Some([f, g]) = data_paths([a, b])? {
        let mut outcome = compare(Side { f: &f, ..a }, Side { f: &g, ..b }, options)?;
        outcome
            .assumptions
            .insert(0, "a sample is held, valid, until it is taken; results count when they are valid".into());
        return Ok(outcome);
    }
    let mut assumptions = vec![pipeline(a)?, pipeline(b)?];
    let ports = Ports::new(a, b)?;
    assumptions.extend(match &ports.real {
        _ if !reals(a.f) && !reals(b.f) => None,
        Real::Codes(..) => Some("real inputs take the values that their codes stand for".into()),
        Real::Keys => Some("real inputs are numbers (no NaN)".into()),
    });
    if !ports.words.iter().any(|w| w.len() > 1) {
        assumptions.push("every pattern of input bits can occur".into());
    }
    assumptions.retain(|text: &String| !text.is_empty());
    assumptions.dedup();
    let clocked = |f: &Func| f.clock().is_some();
    // Without registers nothing is late: what has a latency all the same is constant.
    let late = [a.f, b.f].iter().any(|f| f.ops().any(|(_, op)| is_register(op.kind)));
    if late && clocked(a.f) && clocked(b.f) && a.f.latency() != b.f.latency() {
        let verdict = Verdict::Latency(a.f.latency(), b.f.latency());
        return Ok(Outcome { verdict, outputs: 0, effort: Effort::default(), assumptions, certificate: None });
    }

    let mut g = Graph::new(options.gates);
    let inputs: Vec<Lit> = ports.params.iter().flat_map(|s| 0..s.len * s.width).map(|_| g.input()).collect();
    let crossing = Crossing { from: a, to: b, ports: &ports, inputs: inputs.len(), gates: options.gates };
    let first = crossing.first(&mut g, a, &inputs)?;
    let mut stones = vec![(g.len(), first.results.concat())];
    if let Some((module, f)) = crossing.stone() {
        let stone = crossing.first(&mut g, Side { module: &module, f: &f }, &inputs)?;
        stones.push((g.len(), stone.results.concat()));
    }
    let second = crossing.second(&mut g, &inputs)?;
    let second_bits = second.results.concat();
    let pairs: Vec<(Lit, Lit)> =
        first.results.concat().into_iter().zip(ports.result_of.iter().map(|&i| second_bits[i])).collect();

    let blocks = options.blocks.min(most_blocks(&g));
    let patterns = patterns::random(&ports.words, inputs.len(), blocks, 1);
    stones.push((g.len(), pairs.iter().map(|p| p.1).collect()));
    let roots: Vec<Lit> =
        stones.iter().flat_map(|s| s.1.iter()).chain(first.lemmas.iter().flatten()).copied().collect();
    let mut sweep = Sweep::new(&g, roots, patterns, options.certificate);
    let mut prover =
        Prover { sweep: &mut sweep, pairs: &pairs, first: &first, stones: &stones, options, trusted: Vec::new() };
    let open = prover.prove(&ports.result_words);
    let trusted = prover.trusted;
    sweep.effort.gates = g.len();

    let names = || ports.results.iter().flat_map(|s| (0..s.len * s.width).map(|bit| s.bit_name(bit)));
    let found = pairs.iter().zip(names()).find_map(|(&(x, y), name)| Some((sweep.patterns.difference(x, y)?, name)));
    let verdict = match found {
        Some((pattern, name)) => {
            let bits = sweep.patterns.inputs(&g, pattern);
            confirm(a, b, &ports, &bits)?.map_or(Verdict::Undecided(vec![name]), |c| Verdict::Refuted(Box::new(c)))
        }
        None if open.is_empty() => Verdict::Proved,
        None => Verdict::Undecided(names().enumerate().filter(|(i, _)| open.contains(i)).map(|(_, n)| n).collect()),
    };
    let proof = sweep.proof.take().filter(|_| verdict == Verdict::Proved);
    let certificate = proof.map(|proof| Certificate::new(&g, &pairs, trusted, proof));
    Ok(Outcome { verdict, outputs: pairs.len(), effort: sweep.effort, assumptions, certificate })
}

/// Both over their data ports alone, where one has other ports than the other, or is hardware with such.
///
/// # Errors
/// One does not verify, or its samples mix.
pub(crate) fn data_paths(sides: [Side<'_>; 2]) -> Result<Option<[Func; 2]>> {
    let [a, b] = sides.map(|side| Control::of(side.f));
    let hardware = sides.iter().any(|side| side.f.level() == Level::Hw);
    if a == b && (a.is_none() || !hardware) {
        return Ok(None);
    }
    let path = |side: Side<'_>| -> Result<Func> {
        if let Some(error) = verify_func(side.module, side.f).into_iter().find(Diagnostic::is_error) {
            return Err(Box::new(error));
        }
        Ok(data_path(side.f)?.unwrap_or_else(|| side.f.clone()))
    };
    Ok(Some([path(sides[0])?, path(sides[1])?]))
}

fn reals(f: &Func) -> bool {
    f.attr("step").is_some() || f.params.iter().any(|p| f.ty(p.value).elem == Elem::F32)
}

/// That a function is combinational, or a pipeline of one latency; says so in words.
fn pipeline(side: Side<'_>) -> Result<String> {
    let f = side.f;
    if let Some(error) = verify_func(side.module, f).into_iter().find(Diagnostic::is_error) {
        return Err(Box::new(error));
    }
    if !f.ops().any(|(_, op)| is_register(op.kind)) {
        return Ok(String::new());
    }
    match f.attr("latency") {
        Some(_) => Ok("a pipeline's outputs count from its latency on".into()),
        None => {
            let text = "a design with registers and without a known latency";
            let d = Diagnostic::error(&EQUIV_LATENCY, text).in_op(format!("@{}", f.name));
            Err(Box::new(d.help("give it `{latency = N}`; the verifier checks that every path has so many registers")))
        }
    }
}

/// Bits, port by port.
fn deal(bits: &[Lit], shapes: &[Shape]) -> Vec<Vec<Lit>> {
    let mut at = 0;
    let take = |s: &Shape| {
        at += s.len * s.width;
        bits[at - s.len * s.width..at].to_vec()
    };
    shapes.iter().map(take).collect()
}

/// A pattern as inputs of both; `None` if the reference evaluator does not find the difference too.
fn confirm(a: Side<'_>, b: Side<'_>, ports: &Ports, bits: &[bool]) -> Result<Option<Counterexample>> {
    let others: Vec<bool> = ports.others.1.iter().map(|&i| bits[i]).collect();
    let (inputs, others) = (values(a.f, ports, &ports.params, bits), values(b.f, ports, &ports.others.0, &others));
    let run = |side: Side<'_>, inputs: &[Val]| -> Result<Vec<bool>> {
        let results = Evaluator::new(side.module, side.f)?.run(inputs)?;
        let types = side.f.results.iter().map(|p| side.f.ty(p.value));
        Ok(types.zip(results).flat_map(|(ty, val)| bits_of(ty, &val)).collect())
    };
    let (x, y) = (run(a, &inputs)?, run(b, &others)?);
    let at = (0..x.len()).find(|&i| y.get(ports.result_of[i]) != Some(&x[i]));
    let names: Vec<String> =
        ports.results.iter().flat_map(|s| (0..s.len * s.width).map(|bit| s.bit_name(bit))).collect();
    Ok(at.map(|i| Counterexample { inputs, others, output: names[i].clone(), first: x[i] }))
}

fn bits_of(ty: Type, val: &Val) -> Vec<bool> {
    let width = ty.elem_bits();
    match val {
        Val::Packed(words) => words.iter().flat_map(|&w| (0..width).map(move |b| w >> b & 1 == 1)).collect(),
        Val::F32(reals) => reals.iter().flat_map(|x| (0..width).map(move |b| x.to_bits() >> b & 1 == 1)).collect(),
    }
}

/// Bits as the values of a design's parameters.
fn values(f: &Func, ports: &Ports, shapes: &[Shape], bits: &[bool]) -> Vec<Val> {
    let mut at = 0;
    let types = f.params.iter().map(|p| f.ty(p.value)).filter(|&ty| ty != Type::CLOCK);
    types
        .zip(shapes)
        .map(|(ty, shape)| {
            let bits = &bits[at..at + shape.len * shape.width];
            at += bits.len();
            let words = bits.chunks(shape.width).map(|w| w.iter().rev().fold(0, |n, &b| n << 1 | u64::from(b)));
            match (&ports.real, ty.elem) {
                (Real::Codes(offset, step), Elem::F32) => {
                    Val::F32(words.zip(offset.iter().zip(step)).map(|(c, (&o, &s))| dequantize(c, o, s)).collect())
                }
                (Real::Keys, Elem::F32) => Val::F32(words.map(number).collect()),
                _ => Val::Packed(words.collect()),
            }
        })
        .collect()
}

/// The number of a key ([`blast::key`]); where it is none, the nearest infinity.
fn number(key: u64) -> f32 {
    let key = key as u32;
    let x = f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key });
    match x.is_nan() {
        true if key >> 31 == 1 => f32::INFINITY,
        true => f32::NEG_INFINITY,
        false => x,
    }
}

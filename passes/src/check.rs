//! Whether a pass kept what a function computes: the reference evaluator runs both and compares, or a proof is made.

use blc_ir::diag::Result;
use blc_ir::eval::{Evaluator, Val, affine};
use blc_ir::{Data, Diagnostic, Elem, Func, Module, OpKind, Port, Type};

use crate::codes::{NOT_CHECKED, NOT_PROVED, PASS_NOT_EQUAL};
use crate::equiv::{self, Side, Verdict, data_paths};
use crate::quantize::dequantize;
use crate::rng::Rng;

/// How passes are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Evaluate corner cases and random samples before and after.
    Sim,
    /// Prove that nothing changed ([`crate::equiv`]).
    Sat,
}

/// Elements of values that one check evaluates, all samples together.
const WORK: usize = 1 << 23;
/// Most and fewest samples.
const SAMPLES: (usize, usize) = (256, 8);
/// Most bits of inputs of which every pattern is a sample.
const ALL: usize = 10;

/// Compares two functions of a module on every input where there are few, otherwise on corner cases and random samples. A hardware module is compared in its steady
/// state, and where the ports of control differ, what is computed over those of data. Where real inputs became codes, the real function gets the values that the codes stand for: they must agree
/// exactly. Otherwise ports may change type but not their number of bits.
///
/// # Errors
/// A sample on which they differ, or that `after` cannot be evaluated. Where `before` already could not (an op from
/// outside), a warning is given back instead.
pub fn simulate(module: &Module, before: &Func, after: &Func, pass: &str) -> Result<Option<Diagnostic>> {
    if let Some([before, after]) = data_paths([Side { module, f: before }, Side { module, f: after }])? {
        return simulate(module, &before, &after, pass);
    }
    let mut old = match Evaluator::new(module, before) {
        Ok(evaluator) => evaluator,
        Err(why) => {
            let text = format!("what `{pass}` did is not checked: {}", why.message);
            return Ok(Some(Diagnostic::warning(&NOT_CHECKED, text)));
        }
    };
    let broken = |what: String| Box::new(Diagnostic::error(&PASS_NOT_EQUAL, what).help("please report this"));
    let mut new = Evaluator::new(module, after)
        .map_err(|why| broken(format!("`{pass}` left a function without a meaning: {}", why.message)))?;
    let mut inputs = Inputs::new(module, before, after).ok_or_else(|| broken(format!("`{pass}` changed the ports")))?;
    let elements = |f: &Func| (0..f.value_count()).map(|v| f.ty(blc_ir::Value::new(v)).len()).sum::<usize>();
    let possible = WORK / (elements(before) + elements(after) + 1);
    let all = 1 << inputs.bits().min(ALL + 1);
    inputs.all = all <= possible.min(1 << ALL);
    let samples = if inputs.all { all } else { possible.clamp(SAMPLES.1, SAMPLES.0) };
    let mut rng = Rng::new(samples as u64);
    for sample in 0..samples {
        let (a, b) = inputs.sample(sample, &mut rng);
        let (expected, found) = (old.run(&a)?, new.run(&b)?);
        for ((port, x), (other, y)) in before.results.iter().zip(expected).zip(after.results.iter().zip(found)) {
            if bits(before.ty(port.value), &x) != bits(after.ty(other.value), &y) {
                let text = format!("`{pass}` changed %{}: {} before, {} after", port.name, show(&x), show(&y));
                let params = before.params.iter().filter(|p| before.ty(p.value) != Type::CLOCK);
                let names = params.zip(&a).map(|(p, v)| format!("%{} = {}", p.name, show(v)));
                let note = format!("for {}", names.collect::<Vec<_>>().join(", "));
                return Err(Box::new(broken(text).note(note)));
            }
        }
    }
    Ok(None)
}

/// Proves two functions of a module equal, as [`simulate`] compares them.
///
/// # Errors
/// An input on which they differ, or that there is no proof. Where `before` is no function of its inputs (an op from
/// outside), a warning is given back instead.
pub fn prove(
    module: &Module,
    before: &Func,
    after: &Func,
    pass: &str,
    effort: &equiv::Options,
) -> Result<Option<Diagnostic>> {
    let side = |f| Side { module, f };
    if let Err(why) = Evaluator::new(module, before) {
        let text = format!("what `{pass}` did is not checked: {}", why.message);
        return Ok(Some(Diagnostic::warning(&NOT_CHECKED, text)));
    }
    let found = equiv::compare(side(before), side(after), effort)?;
    let fail = |code, text: String| Err(Box::new(Diagnostic::error(code, text).help("please report this")));
    match found.verdict {
        Verdict::Proved => Ok(None),
        Verdict::Latency(x, y) => fail(&PASS_NOT_EQUAL, format!("`{pass}` changed the latency from {x} to {y}")),
        Verdict::Refuted(counter) => {
            let params = before.params.iter().filter(|p| before.ty(p.value) != Type::CLOCK);
            let names = params.zip(&counter.inputs).map(|(p, v)| format!("%{} = {}", p.name, show(v)));
            let note = format!("for {}", names.collect::<Vec<_>>().join(", "));
            let text = format!("`{pass}` changed {}: {} before", counter.output, u8::from(counter.first));
            fail(&PASS_NOT_EQUAL, text).map_err(|d| Box::new(d.note(note)))
        }
        Verdict::Undecided(open) => {
            let text = format!("what `{pass}` did is not proved for {} of {} output bits", open.len(), found.outputs);
            Err(Box::new(Diagnostic::error(&NOT_PROVED, text).help("`--check-each=sim` compares without a proof")))
        }
    }
}

/// The bits of a value, lowest first; of real elements their IEEE 754 patterns.
fn bits(ty: Type, val: &Val) -> Vec<bool> {
    let width = ty.elem_bits();
    let all = |w: u64| (0..width).map(move |b| w >> b & 1 == 1);
    match val {
        Val::Packed(words) => words.iter().flat_map(|&w| all(w)).collect(),
        Val::F32(reals) => reals.iter().flat_map(|x| all(x.to_bits().into())).collect(),
    }
}

fn show(val: &Val) -> String {
    const SHOWN: usize = 32;
    let mut text = match val {
        Val::Packed(words) if words.len() == 1 => return words[0].to_string(),
        Val::Packed(words) => words.iter().take(SHOWN).map(u64::to_string).collect::<Vec<_>>(),
        Val::F32(reals) => reals.iter().take(SHOWN).map(f32::to_string).collect(),
    };
    if val.len() > SHOWN {
        text.push("…".into());
    }
    format!("[{}]", text.join(", "))
}

/// Makes inputs that mean the same to both functions.
struct Inputs<'a> {
    ports: Vec<(Type, Type)>,
    /// Offsets and steps, where real inputs became codes.
    codes: Option<(&'a [f32], &'a [f32])>,
    /// Real numbers near which something happens.
    edges: Vec<f32>,
    /// Whether the samples are all patterns of the inputs' bits.
    all: bool,
}

impl<'a> Inputs<'a> {
    /// `None` where the ports do not match.
    fn new(module: &'a Module, before: &Func, after: &Func) -> Option<Self> {
        let types = |f: &Func, ports: &[Port]| -> Vec<Type> {
            ports.iter().map(|p| f.ty(p.value)).filter(|&t| t != Type::CLOCK).collect()
        };
        let (a, b) = (types(before, &before.params), types(after, &after.params));
        let codes = affine(module, after);
        let mut first = true;
        let matches = |(a, b): (&Type, &Type)| {
            let coded = a.elem == Elem::F32 && matches!(b.elem, Elem::Word(_)) && std::mem::take(&mut first);
            let fits = |c: &[f32]| c.len() == a.len() && a.len() == b.len();
            if coded { codes.is_some_and(|(o, s)| fits(o) && fits(s)) } else { same_bits(*a, *b) }
        };
        let ports_match = a.len() == b.len() && a.iter().zip(&b).all(matches);
        let (x, y) = (types(before, &before.results), types(after, &after.results));
        let results_match = x.len() == y.len() && x.iter().zip(&y).all(|(x, y)| same_bits(*x, *y));
        let thresholds = before.ops().filter_map(|(_, op)| match op.kind {
            OpKind::Thermometer { thresholds } | OpKind::Code { thresholds, .. } => {
                module.resource(thresholds)?.data.as_ref()
            }
            _ => None,
        });
        let reals = thresholds.filter_map(|d| if let Data::F32(t) = d { Some(t.iter().copied()) } else { None });
        let mut edges: Vec<f32> = reals.flatten().collect();
        edges.push(0.0);
        (ports_match && results_match).then(|| Self { ports: a.into_iter().zip(b).collect(), codes, edges, all: false })
    }

    /// Bits of all inputs; of real numbers that have no code too many to try.
    fn bits(&self) -> usize {
        let bits = self.ports.iter().map(|(_, ty)| if ty.elem == Elem::F32 { 64 } else { ty.total_bits() });
        bits.sum()
    }

    /// Inputs of both functions: all 0, all 1, then random with few, half or many ones; or the pattern of that number.
    fn sample(&self, sample: usize, rng: &mut Rng) -> (Vec<Val>, Vec<Val>) {
        let mut at = 0;
        let mut word = |width: usize| {
            let mask = if width >= 64 { u64::MAX } else { (1 << width) - 1 };
            at += width;
            mask & match sample {
                _ if self.all => (sample >> (at - width)) as u64,
                0 => 0,
                1 => u64::MAX,
                _ => match sample % 4 {
                    2 => rng.next() & rng.next() & rng.next(),
                    3 => rng.next() | rng.next() | rng.next(),
                    _ => rng.next(),
                },
            }
        };
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for &(x, y) in &self.ports {
            match (x.elem, y.elem, self.codes) {
                (Elem::F32, Elem::Word(_), Some((offset, step))) => {
                    let codes: Vec<u64> = (0..y.len()).map(|_| word(y.elem_bits())).collect();
                    let reals = codes.iter().zip(offset.iter().zip(step)).map(|(&c, (&o, &s))| dequantize(c, o, s));
                    a.push(Val::F32(reals.collect()));
                    b.push(Val::Packed(codes));
                }
                (Elem::F32, ..) => {
                    let mut real = || {
                        let choice = word(64);
                        let edge = self.edges[choice as usize % self.edges.len()];
                        match choice >> 60 {
                            0..4 => edge,
                            4..8 => edge.next_up(),
                            8..12 => edge.next_down(),
                            _ => edge * ((choice >> 40 & 0xff) as f32 / 64.0 - 2.0),
                        }
                    };
                    let reals = Val::F32((0..x.len()).map(|_| real()).collect());
                    a.push(reals.clone());
                    b.push(reals);
                }
                _ => {
                    let words: Vec<u64> = (0..x.len()).map(|_| word(x.elem_bits())).collect();
                    let val = Val::Packed(words);
                    b.push(pack(y, &bits(x, &val)));
                    a.push(val);
                }
            }
        }
        (a, b)
    }
}

fn same_bits(a: Type, b: Type) -> bool {
    a.total_bits() == b.total_bits() && (a.elem == Elem::F32) == (b.elem == Elem::F32)
}

/// Bits as a value of a type.
fn pack(ty: Type, bits: &[bool]) -> Val {
    let word = |chunk: &[bool]| chunk.iter().rev().fold(0, |w, &b| w << 1 | u64::from(b));
    Val::Packed(bits.chunks(ty.elem_bits()).map(word).collect())
}

//! Which bits of two designs' ports belong together.

use blc_ir::diag::Result;
use blc_ir::eval::affine;
use blc_ir::{Diagnostic, Elem, Func, Module, Port, Type};
use rustc_hash::FxHashMap;

use super::blast::Real;
use crate::codes::EQUIV_PORTS;

/// A design to compare: a module's function.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The module.
    pub module: &'a Module,
    /// The function.
    pub f: &'a Func,
}

/// A port's shape in bits.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Its name.
    pub name: String,
    /// Elements.
    pub len: usize,
    /// Bits of an element.
    pub width: usize,
}

impl Shape {
    /// How a bit of it is called.
    pub fn bit_name(&self, bit: usize) -> String {
        if self.len * self.width == 1 { self.name.clone() } else { format!("{}[{bit}]", self.name) }
    }

    /// Bits in all.
    pub fn bits(&self) -> usize {
        self.len * self.width
    }
}

/// The ports of two designs, matched bit by bit.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Parameters of the first but the clock.
    pub params: Vec<Shape>,
    /// Parameters of the second but the clock, and which bit of the first each of their bits is.
    pub others: (Vec<Shape>, Vec<usize>),
    /// Results of the first.
    pub results: Vec<Shape>,
    /// Which bit of the second's results each bit of the first's is.
    pub result_of: Vec<usize>,
    /// Bits of words, of whichever design has words.
    pub words: Vec<std::ops::Range<usize>>,
    /// The same of the results.
    pub result_words: Vec<std::ops::Range<usize>>,
    /// What real inputs are.
    pub real: Real,
}

impl Ports {
    /// Matches ports: by the names of their bits where these are the same, otherwise by position.
    ///
    /// # Errors
    /// They do not have the same bits, or real inputs without a common code.
    pub fn new(a: Side<'_>, b: Side<'_>) -> Result<Self> {
        let (real, width) = real(a, b)?;
        let shapes = |side: Side<'_>, ports: &[Port]| -> Vec<Shape> {
            let types = ports.iter().map(|p| (p, side.f.ty(p.value))).filter(|(_, ty)| *ty != Type::CLOCK);
            let bits = |ty: Type| if ty.elem == Elem::F32 { width } else { ty.elem_bits() };
            types.map(|(p, ty)| Shape { name: p.name.clone(), len: ty.len(), width: bits(ty) }).collect()
        };
        let (params, others) = (shapes(a, &a.f.params), shapes(b, &b.f.params));
        let (results, other_results) = (shapes(a, &a.f.results), shapes(b, &b.f.results));
        let of = matching(&params, &others, "inputs")?;
        let result_of = matching(&other_results, &results, "outputs")?;
        let words = words(&params, &others, &of);
        let back: Vec<usize> = invert(&result_of);
        let result_words = self::words(&results, &other_results, &back);
        Ok(Self { params, others: (others, of), results, result_of, words, result_words, real })
    }
}

/// For each bit of `b` the bit of `a` that it is.
fn matching(a: &[Shape], b: &[Shape], what: &str) -> Result<Vec<usize>> {
    let (m, n): (usize, usize) = (a.iter().map(Shape::bits).sum(), b.iter().map(Shape::bits).sum());
    if m != n {
        let text = format!("{m} bits of {what} on one side, {n} on the other");
        let help = "compare designs of the same ports; `--no-encoder` and `--no-head` leave those parts of a model out";
        return Err(Box::new(Diagnostic::error(&EQUIV_PORTS, text).help(help)));
    }
    let names = |shapes: &[Shape]| -> Vec<String> {
        shapes.iter().flat_map(|s| (0..s.bits()).map(|bit| s.bit_name(bit))).collect()
    };
    let at: FxHashMap<String, usize> = names(a).into_iter().zip(0..).collect();
    let by_name: Option<Vec<usize>> = names(b).iter().map(|name| at.get(name).copied()).collect();
    let different = |of: &Vec<usize>| of.iter().collect::<std::collections::BTreeSet<_>>().len() == n;
    Ok(by_name.filter(different).unwrap_or_else(|| (0..n).collect()))
}

fn invert(of: &[usize]) -> Vec<usize> {
    let mut back = vec![0; of.len()];
    of.iter().enumerate().for_each(|(i, &j)| back[j] = i);
    back
}

/// Elements of `a`, or of `b` where only it has words, as runs of bits of `a`.
fn words(a: &[Shape], b: &[Shape], of: &[usize]) -> Vec<std::ops::Range<usize>> {
    let runs = |shapes: &[Shape]| {
        let widths: Vec<usize> = shapes.iter().flat_map(|s| std::iter::repeat_n(s.width, s.len)).collect();
        let mut at = 0;
        let run = |w: usize| {
            at += w;
            at - w..at
        };
        widths.into_iter().map(run).collect::<Vec<_>>()
    };
    let in_place = of.iter().enumerate().all(|(i, &j)| i == j);
    let has_words = |shapes: &[Shape]| shapes.iter().any(|s| s.width > 1);
    if !has_words(a) && has_words(b) && in_place { runs(b) } else { runs(a) }
}

/// Offset and step of each feature.
type Affine<'a> = (&'a [f32], &'a [f32]);

/// The codes of real inputs, and their width.
fn coded(s: Side<'_>) -> Option<(Affine<'_>, usize)> {
    let first = s.f.params.iter().map(|p| s.f.ty(p.value)).find(|&ty| ty != Type::CLOCK);
    affine(s.module, s.f).zip(first.map(|ty| ty.elem_bits()))
}

/// What real inputs are, and their width.
fn real(a: Side<'_>, b: Side<'_>) -> Result<(Real, usize)> {
    let refuse =
        |text: &str| Err(Box::new(Diagnostic::error(&EQUIV_PORTS, text).help("compare designs of the same inputs")));
    let is_real = |s: Side<'_>| s.f.params.iter().any(|p| s.f.ty(p.value).elem == Elem::F32);
    match (is_real(a), coded(a), is_real(b), coded(b)) {
        (true, _, true, _) => Ok((Real::Keys, 32)),
        (true, _, _, Some(((o, s), width))) | (_, Some(((o, s), width)), true, _) => {
            Ok((Real::Codes(o.to_vec(), s.to_vec()), width))
        }
        (true, ..) | (_, _, true, _) => refuse("one side takes real numbers, the other no codes of them"),
        (_, Some((x, _)), _, Some((y, _))) if x != y => refuse("the codes of real inputs stand for different numbers"),
        _ => Ok((Real::Keys, 32)),
    }
}

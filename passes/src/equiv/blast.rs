//! A function as gates: every op's meaning in single bits, said once more and apart from the passes that lower it.
//!
//! Registers are wires here. That is sound for a pipeline: the verifier has shown that every path from an input to an
//! output crosses the same number of registers, so by induction over the stages the outputs at cycle `t + latency` are
//! the combinational function, registers left out, of the inputs at cycle `t`.

use blc_ir::diag::Result;
use blc_ir::order::schedule;
use blc_ir::{Data, Diagnostic, Func, Module, Op, OpKind, ResourceId, Value};

use super::cone::Clause;
use super::graph::{Graph, Lit};
use super::{table, words};
use crate::codes::{EQUIV_OP, EQUIV_SIZE};

/// What an element of a real input is.
#[derive(Clone, Debug)]
pub enum Real {
    /// A code: the number is `offset + step * code`, of each feature.
    Codes(Vec<f32>, Vec<f32>),
    /// [`key`] of the number.
    Keys,
}

impl Real {
    /// Whether a design with these codes, or none, reads the same inputs.
    pub fn is_code(&self, codes: Option<(&[f32], &[f32])>) -> bool {
        match (self, codes) {
            (Self::Codes(offset, step), Some((o, s))) => offset == o && step == s,
            (Self::Codes(..), None) => false,
            (Self::Keys, codes) => codes.is_none(),
        }
    }
}

/// A sum that a design asks for, kept to be proved as a whole.
#[derive(Clone, Debug)]
pub struct Sum {
    /// The result, lowest bit first.
    pub bits: Vec<Lit>,
    /// What is summed: a literal and the power of two that it stands for.
    pub terms: Vec<(Lit, u32)>,
}

/// The bits of a function's results, and the sums in it.
#[derive(Debug, Default)]
pub struct Blasted {
    /// Bits of each result, lowest first.
    pub results: Vec<Vec<Lit>>,
    /// Sums of three terms or more.
    pub sums: Vec<Sum>,
    /// What is true of the gates, each easy to prove given those before.
    pub lemmas: Vec<Clause>,
}

/// A whole number that is greater for a greater real number; -0 is below 0.
pub fn key(x: f32) -> u64 {
    let bits = x.to_bits();
    u64::from(if bits >> 31 == 1 { !bits } else { bits | 1 << 31 })
}

/// Adds a verified function to a graph. `params` are the bits of each parameter but the clock; those of a real one as
/// many an element as `real` has.
///
/// # Errors
/// An op from outside, feedback through registers, or too many gates.
pub fn blast(g: &mut Graph, module: &Module, f: &Func, params: &[Vec<Lit>], real: &Real) -> Result<Blasted> {
    let order = schedule(f, true).map_err(|op| {
        let text = "feedback through registers: the design is no pipeline";
        Diagnostic::error(&EQUIV_OP, text).in_op(format!("@{}: {}", f.name, f.op(op).info().mnemonic))
    })?;
    let bits = vec![Vec::new(); f.value_count()];
    let mut blaster = Blaster { g, module, f, real, bits, sums: Vec::new(), lemmas: Vec::new() };
    let clock = f.clock();
    for (port, bits) in f.params.iter().filter(|p| Some(p.value) != clock).zip(params) {
        blaster.bits[port.value.index()].clone_from(bits);
    }
    for id in order {
        blaster.op(f.op(id))?;
        if blaster.g.is_full() {
            let text = format!("more than {} gates", blaster.g.len());
            return Err(Box::new(Diagnostic::error(&EQUIV_SIZE, text).in_op(format!("@{}", f.name))));
        }
    }
    let results = f.results.iter().map(|p| blaster.bits[p.value.index()].clone()).collect();
    Ok(Blasted { results, sums: blaster.sums, lemmas: blaster.lemmas })
}

struct Blaster<'a> {
    g: &'a mut Graph,
    module: &'a Module,
    f: &'a Func,
    real: &'a Real,
    bits: Vec<Vec<Lit>>,
    sums: Vec<Sum>,
    lemmas: Vec<Clause>,
}

impl Blaster<'_> {
    fn bit(&self, v: Value) -> Lit {
        self.bits[v.index()].first().copied().unwrap_or(Lit::ZERO)
    }

    fn set(&mut self, v: Value, bits: Vec<Lit>) {
        self.bits[v.index()] = bits;
    }

    fn op(&mut self, op: Op<'_>) -> Result<()> {
        let out = op.result();
        let width = self.f.ty(out).total_bits();
        let x: Vec<Lit> = op.operands.iter().map(|&v| self.bit(v)).collect();
        let bits = match op.kind {
            OpKind::Thermometer { thresholds } => self.thermometer(op.operands[0], thresholds),
            OpKind::Code { bits, thresholds, codes } => {
                let above = self.thermometer(op.operands[0], thresholds);
                self.code(op.operands[0], &above, bits as usize, codes)
            }
            OpKind::MatVec { weights } => self.matvec(op.operands[0], weights, width),
            OpKind::LutDense { k, connections, tables } => {
                self.lut_dense(op.operands[0], k as usize, connections, tables)
            }
            OpKind::GroupSum { groups } => {
                let bits = self.bits[op.operands[0].index()].clone();
                let size = bits.len() / groups as usize;
                bits.chunks(size)
                    .flat_map(|group| self.sum(group.iter().map(|&b| vec![b]), width / groups as usize))
                    .collect()
            }
            OpKind::Argmax { .. } => {
                let element = self.f.ty(op.operands[0]).elem_bits();
                let words: Vec<Vec<Lit>> =
                    self.bits[op.operands[0].index()].chunks(element).map(<[Lit]>::to_vec).collect();
                words::argmax(self.g, &words, width, &mut self.lemmas)
            }
            OpKind::Lut { table } | OpKind::Xc7Lut6 { init: table } => vec![table::lut(self.g, &[table], &x)],
            OpKind::LutWide { table } => vec![table::lut(self.g, self.f.table(table), &x)],
            OpKind::Const { value } => (0..width).map(|b| Lit::constant(value >> b & 1 == 1)).collect(),
            OpKind::Extract { offset } => self.bits[op.operands[0].index()][offset as usize..][..width].to_vec(),
            OpKind::Pack {} => op.operands.iter().flat_map(|v| self.bits[v.index()].iter().copied()).collect(),
            OpKind::Sum {} => {
                let words: Vec<Vec<Lit>> = op.operands.iter().map(|v| self.bits[v.index()].clone()).collect();
                self.sum(words.into_iter(), width)
            }
            OpKind::Gt {} => {
                let [a, b] = [0, 1].map(|i| self.bits[op.operands[i].index()].clone());
                vec![words::greater(self.g, &a, &b)]
            }
            OpKind::GtConst { bound } => {
                let word = &self.bits[op.operands[0].index()];
                vec![words::greater_const(self.g, word, bound)]
            }
            OpKind::Mux {} => {
                let [a, b] = [1, 2].map(|i| self.bits[op.operands[i].index()].clone());
                words::choose(self.g, x[0], &a, &b)
            }
            OpKind::WordArgmax { .. } => {
                let words: Vec<Vec<Lit>> = op.operands.iter().map(|v| self.bits[v.index()].clone()).collect();
                words::argmax(self.g, &words, width, &mut self.lemmas)
            }
            OpKind::Reg { .. } | OpKind::Xc7Fdre { .. } => vec![x[0]],
            OpKind::Xc7Lut6_2 { init } => {
                let outs = [table::lut(self.g, &[init], &x), table::lut(self.g, &[init], &x[..5])];
                return self.several(op, &outs);
            }
            OpKind::Xc7Carry4 {} => {
                let mut outs = [Lit::ZERO; 8];
                let mut carry = self.g.or(x[8], x[9]);
                for i in 0..4 {
                    outs[i] = self.g.xor(x[i], carry);
                    carry = self.g.mux(x[i], x[4 + i], carry);
                    outs[4 + i] = carry;
                }
                return self.several(op, &outs);
            }
            OpKind::Xc7MuxF7 {} | OpKind::Xc7MuxF8 {} => vec![self.g.mux(x[2], x[0], x[1])],
            OpKind::Extern { op } => {
                let text = format!("nobody says what `{}` computes", self.f.extern_name(op));
                return Err(Box::new(Diagnostic::error(&EQUIV_OP, text).in_op(format!("@{}", self.f.name))));
            }
        };
        self.set(out, bits);
        Ok(())
    }

    fn several(&mut self, op: Op<'_>, bits: &[Lit]) -> Result<()> {
        op.results().zip(bits).for_each(|(v, &bit)| self.bits[v.index()] = vec![bit]);
        Ok(())
    }

    fn sum(&mut self, words: impl Iterator<Item = Vec<Lit>>, width: usize) -> Vec<Lit> {
        let words: Vec<Vec<Lit>> = words.collect();
        let slices: Vec<&[Lit]> = words.iter().map(Vec::as_slice).collect();
        let bits = words::sum(self.g, &slices, width);
        let terms: Vec<_> = words.iter().flat_map(|w| w.iter().copied().zip(0..).take(width)).collect();
        if terms.len() > 2 {
            self.sums.push(Sum { bits: bits.clone(), terms });
        }
        bits
    }

    fn thermometer(&mut self, x: Value, thresholds: ResourceId) -> Vec<Lit> {
        let ty = self.f.ty(x);
        let Some(data) = self.module.resource(thresholds).and_then(|r| r.data.as_ref()) else { return Vec::new() };
        let all: Vec<f64> = match data {
            Data::F32(t) => t.iter().map(|&t| t.into()).collect(),
            Data::U8(t) => t.iter().map(|&t| t.into()).collect(),
            Data::U32(t) => t.iter().map(|&t| t.into()).collect(),
            Data::U64(_) => Vec::new(),
        };
        let bits = self.bits[x.index()].clone();
        let features = bits.chunks(bits.len() / ty.len());
        let mut out = Vec::with_capacity(all.len());
        for (feature, (word, thresholds)) in features.zip(all.chunks(all.len() / ty.len())).enumerate() {
            for &t in thresholds {
                out.push(match (ty.is_packed(), self.real) {
                    (true, _) if t < 0.0 => Lit::ONE,
                    (true, _) => words::greater_const(self.g, word, t.floor() as u64),
                    // -0 and 0 are one number: nothing lies between their keys but for themselves.
                    (false, Real::Keys) => words::greater_const(self.g, word, key((t + 0.0) as f32)),
                    (false, Real::Codes(offset, step)) => {
                        let (offset, step) = (f64::from(offset[feature]), f64::from(step[feature]));
                        // The number rises with the code: find the lowest code above the threshold.
                        let above = |code: u64| f64::from((offset + step * code as f64) as f32) > t;
                        let (mut low, mut high) = (0, 1u64 << word.len());
                        while low < high {
                            let middle = (low + high) / 2;
                            if above(middle) { high = middle } else { low = middle + 1 }
                        }
                        match low {
                            0 => Lit::ONE,
                            first => words::greater_const(self.g, word, first - 1),
                        }
                    }
                });
            }
        }
        out
    }

    /// Thresholds rise: the last one that a feature is above decides its code.
    fn code(&mut self, x: Value, above: &[Lit], bits: usize, codes: ResourceId) -> Vec<Lit> {
        let data = self.module.resource(codes).and_then(|r| r.data.as_ref());
        let Some(Data::U64(codes)) = data else { return Vec::new() };
        let (features, steps) = (self.f.ty(x).len(), codes.len() - 1);
        let bit = |code: u64, b: usize| Lit::constant(code >> b & 1 == 1);
        let mut out = Vec::with_capacity(features * bits);
        for feature in 0..features {
            let above = &above[feature * steps..][..steps];
            for b in 0..bits {
                let mut chosen = bit(codes[0], b);
                for (&above, &code) in above.iter().zip(&codes[1..]) {
                    chosen = self.g.mux(above, chosen, bit(code, b));
                }
                out.push(chosen);
            }
        }
        out
    }

    /// Each product as its operand shifted by the ones of the weight.
    fn matvec(&mut self, x: Value, weights: ResourceId, width: usize) -> Vec<Lit> {
        let Some(Data::U32(weights)) = self.module.resource(weights).and_then(|r| r.data.as_ref()) else {
            return Vec::new();
        };
        let n = self.f.ty(x).len();
        let bits = self.bits[x.index()].clone();
        let words: Vec<&[Lit]> = bits.chunks(bits.len() / n).collect();
        let width = width / (weights.len() / n);
        let mut out = Vec::new();
        for row in weights.chunks(n) {
            let shifted = row.iter().zip(&words).flat_map(|(&w, word)| {
                let ones = (0..32).filter(move |s| w >> s & 1 == 1);
                ones.map(|s| [vec![Lit::ZERO; s], word.to_vec()].concat())
            });
            out.extend(self.sum(shifted, width));
        }
        out
    }

    fn lut_dense(&mut self, x: Value, k: usize, connections: ResourceId, tables: ResourceId) -> Vec<Lit> {
        let data = |id| self.module.resource(id).and_then(|r| r.data.as_ref());
        let (Some(Data::U32(wires)), Some(Data::U64(tables))) = (data(connections), data(tables)) else {
            return Vec::new();
        };
        let bits = &self.bits[x.index()];
        let words = (1usize << k).div_ceil(64);
        let nodes = wires.chunks(k).zip(tables.chunks(words));
        let g = &mut *self.g;
        nodes
            .map(|(wires, table)| {
                let inputs: Vec<Lit> = wires.iter().map(|&w| bits[w as usize]).collect();
                table::lut(g, table, &inputs)
            })
            .collect()
    }
}

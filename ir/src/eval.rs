//! The reference evaluator: the meaning of the language. One sample at a time, one `u64` an element, nothing clever.

use crate::codes::{EVAL_CYCLE, EVAL_EXTERN, EVAL_INPUT};
use crate::diag::{Diagnostic, Result};
use crate::func::{Func, FuncAttr, OpId, Value};
use crate::module::{Data, Module, ResourceId};
use crate::ops::OpKind;
use crate::order::{is_register, schedule};
use crate::table;
use crate::types::{Elem, Type};
use crate::verify::verify_func;

/// The value of a port.
#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    /// One number an element, row-major; bits are 0 or 1.
    Packed(Vec<u64>),
    /// Real elements.
    F32(Vec<f32>),
}

impl Val {
    /// One bit.
    pub fn bit(bit: bool) -> Self {
        Self::Packed(vec![u64::from(bit)])
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::Packed(v) => v.len(),
            Self::F32(v) => v.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The code of a real input: the nearest `c` with `offset + step * c = x`, clamped to `bits` bits; 0 for NaN.
///
/// Computed in `f64`, halves away from zero.
pub fn quantize(x: f32, offset: f32, step: f32, bits: u8) -> u64 {
    let code = ((f64::from(x) - f64::from(offset)) / f64::from(step)).round();
    let max = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
    // The cast saturates, NaN becomes 0.
    (code as u64).min(max)
}

/// Evaluates one sample. The clock takes no input; registers are transparent, as after holding the inputs for the
/// design's latency.
///
/// # Errors
/// The function does not verify, has a cycle, holds an op from outside, or the inputs do not fit its parameters.
pub fn evaluate(module: &Module, f: &Func, inputs: &[Val]) -> Result<Vec<Val>> {
    Evaluator::new(module, f)?.run(inputs)
}

/// A function made ready for many samples.
#[derive(Debug)]
pub struct Evaluator<'a> {
    module: &'a Module,
    f: &'a Func,
    order: Vec<OpId>,
    /// First element of each value in `store`.
    offsets: Vec<u32>,
    store: Vec<u64>,
    transparent: bool,
}

impl<'a> Evaluator<'a> {
    /// Verifies and orders a function; registers will be transparent.
    ///
    /// # Errors
    /// As [`evaluate`], but for the inputs.
    pub fn new(module: &'a Module, f: &'a Func) -> Result<Self> {
        Self::with_registers(module, f, true)
    }

    fn with_registers(module: &'a Module, f: &'a Func, transparent: bool) -> Result<Self> {
        if let Some(error) = verify_func(module, f).into_iter().find(Diagnostic::is_error) {
            return Err(Box::new(error));
        }
        let order = schedule(f, transparent).map_err(|op| {
            Diagnostic::error(&EVAL_CYCLE, "the value depends on itself").in_op(format!(
                "@{}: {}",
                f.name,
                f.op(op).info().mnemonic
            ))
        })?;
        if let Some(name) = order.iter().find_map(|&id| match f.op(id).kind {
            OpKind::Extern { op } => Some(f.extern_name(op)),
            _ => None,
        }) {
            return Err(Box::new(Diagnostic::error(&EVAL_EXTERN, format!("nobody says what `{name}` computes"))));
        }
        let mut offsets = Vec::with_capacity(f.value_count());
        let mut total = 0;
        for v in 0..f.value_count() {
            offsets.push(total);
            total += f.ty(Value::new(v)).len() as u32;
        }
        let mut evaluator = Self { module, f, order, offsets, store: vec![0; total as usize], transparent };
        if !transparent {
            evaluator.reset();
        }
        Ok(evaluator)
    }

    fn reset(&mut self) {
        let f = self.f;
        for (_, op) in f.ops() {
            if let OpKind::Reg { init, .. } | OpKind::Xc7Fdre { init, .. } = op.kind {
                self.set(op.result(), u64::from(init));
            }
        }
    }

    /// Evaluates one sample: one value per parameter but the clock, in order; one per result.
    ///
    /// # Errors
    /// The inputs do not fit the parameters.
    pub fn run(&mut self, inputs: &[Val]) -> Result<Vec<Val>> {
        self.load(inputs)?;
        for i in 0..self.order.len() {
            self.op(self.order[i]);
        }
        Ok(self.f.results.iter().map(|port| self.value(port.value)).collect())
    }

    /// The elements that a value had in the last run.
    pub fn value(&self, v: Value) -> Val {
        let words = self.words(v);
        match self.f.ty(v).elem {
            Elem::F32 => Val::F32(words.iter().map(|&w| f32::from_bits(w as u32)).collect()),
            _ => Val::Packed(words.to_vec()),
        }
    }

    fn words(&self, v: Value) -> &[u64] {
        &self.store[self.offsets[v.index()] as usize..][..self.f.ty(v).len()]
    }

    fn get(&self, v: Value) -> u64 {
        self.store[self.offsets[v.index()] as usize]
    }

    fn set(&mut self, v: Value, word: u64) {
        self.store[self.offsets[v.index()] as usize] = word;
    }

    fn load(&mut self, inputs: &[Val]) -> Result<()> {
        let f = self.f;
        let params: Vec<_> = f.params.iter().filter(|p| f.ty(p.value) != Type::CLOCK).collect();
        let fail = |what: String| Err(Box::new(Diagnostic::error(&EVAL_INPUT, what).in_op(format!("@{}", f.name))));
        if params.len() != inputs.len() {
            return fail(format!("{} inputs given, it takes {}", inputs.len(), params.len()));
        }
        for (port, input) in params.into_iter().zip(inputs) {
            let ty = f.ty(port.value);
            let offset = self.offsets[port.value.index()] as usize;
            if input.len() != ty.len() {
                return fail(format!("%{} has {} elements, {} given", port.name, ty.len(), input.len()));
            }
            match (input, ty.elem) {
                (Val::F32(x), Elem::F32) => {
                    self.store[offset..][..x.len()].iter_mut().zip(x).for_each(|(w, x)| *w = u64::from(x.to_bits()));
                }
                (Val::F32(x), Elem::Word(bits)) => {
                    let Some((low, step)) =
                        affine(self.module, f).filter(|(o, s)| (o.len(), s.len()) == (x.len(), x.len()))
                    else {
                        return fail(format!("%{} takes words, and no code is given for real numbers", port.name));
                    };
                    for (i, &x) in x.iter().enumerate() {
                        self.store[offset + i] = quantize(x, low[i], step[i], bits);
                    }
                }
                (Val::Packed(x), Elem::Bit | Elem::Word(_)) => {
                    let bits = ty.elem_bits();
                    if let Some(bad) = x.iter().find(|&&w| bits < 64 && w >> bits != 0) {
                        return fail(format!("%{}: {bad} does not fit {bits} bits", port.name));
                    }
                    self.store[offset..][..x.len()].copy_from_slice(x);
                }
                _ => return fail(format!("%{} is of type {ty}", port.name)),
            }
        }
        Ok(())
    }

    fn op(&mut self, id: OpId) {
        let f = self.f;
        let op = f.op(id);
        let address = |e: &Self| op.operands.iter().enumerate().fold(0, |a, (j, &v)| a | (e.get(v) as usize) << j);
        let out = op.result();
        match op.kind {
            OpKind::Thermometer { thresholds } => self.thermometer(op.operands[0], thresholds, out),
            OpKind::Code { bits, thresholds, codes } => {
                self.code(op.operands[0], bits as usize, thresholds, codes, out);
            }
            OpKind::MatVec { weights } => {
                let x = self.words(op.operands[0]).to_vec();
                let Some(Data::U32(w)) = self.module.resource(weights).and_then(|r| r.data.as_ref()) else { return };
                let products =
                    |row: &[u32]| row.iter().zip(&x).fold(0, |s: u64, (&w, x)| s.wrapping_add(u64::from(w) * x));
                let offset = self.offsets[out.index()] as usize;
                self.store[offset..].iter_mut().zip(w.chunks(x.len())).for_each(|(y, row)| *y = products(row));
            }
            OpKind::LutDense { k, connections, tables } => {
                self.lut_dense(op.operands[0], k as usize, connections, tables, out);
            }
            OpKind::GroupSum { groups } => {
                let bits = self.words(op.operands[0]);
                let size = bits.len() / groups as usize;
                let sums: Vec<u64> = bits.chunks(size).map(|group| group.iter().sum()).collect();
                self.store[self.offsets[out.index()] as usize..][..sums.len()].copy_from_slice(&sums);
            }
            OpKind::Argmax { .. } => {
                let index = argmax(self.words(op.operands[0]).iter().copied());
                self.set(out, index);
            }
            OpKind::Lut { table } | OpKind::Xc7Lut6 { init: table } => {
                let bit = table::eval(table, address(self));
                self.set(out, u64::from(bit));
            }
            OpKind::LutWide { table } => {
                let a = address(self);
                let bit = f.table(table)[a / 64] >> (a % 64) & 1;
                self.set(out, bit);
            }
            OpKind::Const { value } => self.set(out, value),
            OpKind::Extract { offset } => {
                let bits: Vec<u64> = {
                    let width = f.ty(op.operands[0]).elem_bits();
                    let words = self.words(op.operands[0]);
                    let all = f.ty(out).total_bits();
                    (offset as usize..offset as usize + all).map(|b| words[b / width] >> (b % width) & 1).collect()
                };
                self.put_bits(out, &bits);
            }
            OpKind::Pack {} => {
                let mut bits = Vec::with_capacity(f.ty(out).total_bits());
                for &v in op.operands {
                    let width = f.ty(v).elem_bits();
                    bits.extend(self.words(v).iter().flat_map(|w| (0..width).map(move |b| w >> b & 1)));
                }
                self.put_bits(out, &bits);
            }
            OpKind::Sum {} => {
                let sum = op.operands.iter().fold(0u64, |s, &v| s.wrapping_add(self.get(v)));
                let width = f.ty(out).elem_bits();
                self.set(out, if width == 64 { sum } else { sum & ((1 << width) - 1) });
            }
            OpKind::Gt {} => {
                let greater = self.get(op.operands[0]) > self.get(op.operands[1]);
                self.set(out, u64::from(greater));
            }
            OpKind::GtConst { bound } => {
                let greater = self.get(op.operands[0]) > bound;
                self.set(out, u64::from(greater));
            }
            OpKind::Mux {} => {
                let chosen = op.operands[if self.get(op.operands[0]) == 1 { 2 } else { 1 }];
                let words = self.words(chosen).to_vec();
                self.store[self.offsets[out.index()] as usize..][..words.len()].copy_from_slice(&words);
            }
            OpKind::WordArgmax { .. } => {
                let index = argmax(op.operands.iter().map(|&v| self.get(v)));
                self.set(out, index);
            }
            OpKind::Reg { .. } | OpKind::Xc7Fdre { .. } => {
                if self.transparent {
                    let d = self.get(op.operands[0]);
                    self.set(out, d);
                }
            }
            OpKind::Xc7Lut6_2 { init } => {
                let a = address(self);
                let mut results = op.results();
                for bit in [table::eval(init, a), table::eval(init, a & 31)] {
                    if let Some(v) = results.next() {
                        self.set(v, u64::from(bit));
                    }
                }
            }
            OpKind::Xc7Carry4 {} => {
                let pin = |i: usize| self.get(op.operands[i]);
                let mut carry = pin(8) | pin(9);
                let mut outs = [0; 8];
                for i in 0..4 {
                    outs[i] = pin(i) ^ carry;
                    carry = if pin(i) == 1 { carry } else { pin(4 + i) };
                    outs[4 + i] = carry;
                }
                for (v, bit) in op.results().zip(outs) {
                    self.set(v, bit);
                }
            }
            OpKind::Xc7MuxF7 {} | OpKind::Xc7MuxF8 {} => {
                let chosen = self.get(op.operands[usize::from(self.get(op.operands[2]) == 1)]);
                self.set(out, chosen);
            }
            // Refused when the evaluator was made.
            OpKind::Extern { .. } => {}
        }
    }

    fn put_bits(&mut self, v: Value, bits: &[u64]) {
        let width = self.f.ty(v).elem_bits();
        let offset = self.offsets[v.index()] as usize;
        for (word, chunk) in self.store[offset..].iter_mut().zip(bits.chunks(width)) {
            *word = chunk.iter().rev().fold(0, |w, b| w << 1 | b);
        }
    }

    fn thermometer(&mut self, x: Value, thresholds: ResourceId, out: Value) {
        let Some(resource) = self.module.resource(thresholds) else { return };
        let features = self.words(x).to_vec();
        let real = self.f.ty(x).elem == Elem::F32;
        let above = |x: u64, threshold: f64| {
            let x = if real { f64::from(f32::from_bits(x as u32)) } else { x as f64 };
            u64::from(x > threshold)
        };
        let per = self.f.ty(out).len() / features.len();
        let threshold = |i: usize| match &resource.data {
            Some(Data::F32(t)) => f64::from(t[i]),
            Some(Data::U8(t)) => f64::from(t[i]),
            Some(Data::U32(t)) => f64::from(t[i]),
            _ => f64::NAN,
        };
        let offset = self.offsets[out.index()] as usize;
        for i in 0..features.len() * per {
            self.store[offset + i] = above(features[i / per], threshold(i));
        }
    }

    fn code(&mut self, x: Value, bits: usize, thresholds: ResourceId, codes: ResourceId, out: Value) {
        let data = |id| self.module.resource(id).and_then(|r| r.data.as_ref());
        let (Some(thresholds), Some(Data::U64(codes))) = (data(thresholds), data(codes)) else { return };
        let features = self.words(x).to_vec();
        let real = self.f.ty(x).elem == Elem::F32;
        let steps = codes.len() - 1;
        let above = |x: u64, i: usize| {
            let x = if real { f64::from(f32::from_bits(x as u32)) } else { x as f64 };
            x > match thresholds {
                Data::F32(t) => f64::from(t[i]),
                Data::U8(t) => f64::from(t[i]),
                Data::U32(t) => f64::from(t[i]),
                Data::U64(_) => f64::NAN,
            }
        };
        let offset = self.offsets[out.index()] as usize;
        for (i, &x) in features.iter().enumerate() {
            let code = codes[(0..steps).filter(|t| above(x, i * steps + t)).count()];
            for b in 0..bits {
                self.store[offset + i * bits + b] = code >> b & 1;
            }
        }
    }

    fn lut_dense(&mut self, x: Value, k: usize, connections: ResourceId, tables: ResourceId, out: Value) {
        let data = |id| self.module.resource(id).and_then(|r| r.data.as_ref());
        let (Some(Data::U32(connections)), Some(Data::U64(tables))) = (data(connections), data(tables)) else { return };
        let words = (1usize << k).div_ceil(64);
        let bits: Vec<u64> = {
            let inputs = self.words(x);
            let nodes = connections.chunks(k).zip(tables.chunks(words));
            nodes
                .map(|(wires, table)| {
                    let a = wires.iter().enumerate().fold(0, |a, (j, &w)| a | (inputs[w as usize] as usize) << j);
                    table[a / 64] >> (a % 64) & 1
                })
                .collect()
        };
        self.store[self.offsets[out.index()] as usize..][..bits.len()].copy_from_slice(&bits);
    }
}

fn argmax(words: impl Iterator<Item = u64>) -> u64 {
    words.enumerate().fold((0, 0), |best, (i, w)| if w > best.1 { (i as u64, w) } else { best }).0
}

/// The affine code of real inputs: offsets and steps, one a feature, where the function has them.
pub fn affine<'a>(module: &'a Module, f: &Func) -> Option<(&'a [f32], &'a [f32])> {
    let data = |name| match f.attr(name) {
        Some(FuncAttr::Resource(id)) => match &module.resource(*id)?.data {
            Some(Data::F32(d)) => Some(d.as_slice()),
            _ => None,
        },
        _ => None,
    };
    Some((data("offset")?, data("step")?))
}

/// A hardware module stepped cycle by cycle.
#[derive(Debug)]
pub struct Machine<'a>(Evaluator<'a>);

impl<'a> Machine<'a> {
    /// A machine with every register at its initial value.
    ///
    /// # Errors
    /// The function does not verify, has a combinational cycle or an op from outside.
    pub fn new(module: &'a Module, f: &'a Func) -> Result<Self> {
        Evaluator::with_registers(module, f, false).map(Self)
    }

    /// Every register back at its initial value.
    pub fn reset(&mut self) {
        self.0.reset();
    }

    /// One cycle: the results under these inputs before the clock's edge, then the edge.
    ///
    /// # Errors
    /// The inputs do not fit the parameters.
    pub fn step(&mut self, inputs: &[Val]) -> Result<Vec<Val>> {
        let outputs = self.0.run(inputs)?;
        let f = self.0.f;
        let registers = f.ops().filter(|(_, op)| is_register(op.kind));
        let next: Vec<(Value, u64)> = registers.map(|(_, op)| (op.result(), self.0.get(op.operands[0]))).collect();
        for (q, d) in next {
            self.0.set(q, d);
        }
        Ok(outputs)
    }

    /// A value as it is now: of a register after the last edge, of others before it.
    pub fn value(&self, v: Value) -> Val {
        self.0.value(v)
    }
}

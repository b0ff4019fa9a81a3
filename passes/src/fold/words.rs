//! Words, and the wires between them and bits.

use blc_ir::types::bits_for;
use blc_ir::{Elem, LocId, OpKind, Type, Value};

use super::canon::{Canon, Lit};

/// Most parts that a run of bits is put together from again.
const MAX_PIECES: usize = 64;

impl Canon {
    pub(super) fn constant(&mut self, value: u64, ty: Type) -> Lit {
        match ty {
            Type::BIT => Lit::Const(value == 1),
            _ => Lit::Value(self.intern(OpKind::Const { value }, &[], ty, LocId::UNKNOWN), false),
        }
    }

    fn as_const(&self, lit: Lit) -> Option<u64> {
        match lit {
            Lit::Const(bit) => Some(bit.into()),
            Lit::Value(_, true) => None,
            Lit::Value(v, false) => self.f.as_const(v),
        }
    }

    /// The type of what a literal is.
    fn ty(&self, lit: Lit) -> Type {
        match lit {
            Lit::Const(_) => Type::BIT,
            Lit::Value(v, _) => self.f.ty(v),
        }
    }

    /// Bits `offset` and up of a value, looked for as near to their source as they are.
    pub(super) fn extract(&mut self, mut value: Value, mut offset: usize, ty: Type) -> Lit {
        let len = ty.total_bits();
        loop {
            if offset == 0 && self.f.ty(value) == ty {
                return self.lit(value);
            }
            let Some(op) = self.f.def_op(value).map(|op| self.f.op(op)) else { break };
            match op.kind {
                OpKind::Const { value } if ty.is_scalar() => {
                    let bits = value.checked_shr(offset as u32).unwrap_or(0);
                    return self.constant(if len < 64 { bits & ((1 << len) - 1) } else { bits }, ty);
                }
                OpKind::Extract { offset: more } => {
                    value = op.operands[0];
                    offset += more as usize;
                }
                OpKind::Pack {} => {
                    let (first, start) = self.part_at(value, offset);
                    let (last, _) = self.part_at(value, offset + len - 1);
                    if first != last {
                        return self.pieces(value, first..=last, offset, ty);
                    }
                    value = self.part(value, first);
                    offset -= start;
                }
                _ => break,
            }
        }
        let value = self.intern(OpKind::Extract { offset: offset as u32 }, &[value], ty, LocId::UNKNOWN);
        Lit::Value(value, false)
    }

    /// Operand `i` of a pack.
    fn part(&self, pack: Value, i: usize) -> Value {
        self.f.def_op(pack).map_or(pack, |op| self.f.op(op).operands[i])
    }

    /// The part of a pack that a bit lies in, and where that part begins.
    fn part_at(&mut self, pack: Value, bit: usize) -> (usize, usize) {
        let f = &self.f;
        let starts = self.starts.entry(pack).or_insert_with(|| {
            let parts = f.def_op(pack).map_or(&[][..], |op| f.op(op).operands);
            let lens = parts.iter().scan(0, |at, &v| Some(std::mem::replace(at, *at + f.ty(v).total_bits())));
            lens.collect()
        });
        let i = starts.partition_point(|&start| start <= bit).saturating_sub(1);
        (i, starts[i])
    }

    /// Bits that lie in several parts of a pack.
    fn pieces(&mut self, pack: Value, parts: std::ops::RangeInclusive<usize>, offset: usize, ty: Type) -> Lit {
        if parts.end() - parts.start() >= MAX_PIECES {
            let value = self.intern(OpKind::Extract { offset: offset as u32 }, &[pack], ty, LocId::UNKNOWN);
            return Lit::Value(value, false);
        }
        let end = offset + ty.total_bits();
        let mut pieces = Vec::new();
        let mut start = self.starts[&pack][*parts.start()];
        for i in parts {
            let part = self.part(pack, i);
            let part_ty = self.f.ty(part);
            let (from, to) = (offset.max(start) - start, (end - start).min(part_ty.total_bits()));
            let piece = match (to - from == part_ty.total_bits(), to - from) {
                (true, _) => part_ty,
                (false, 1) => Type::BIT,
                (false, n) => Type::bits(n),
            };
            pieces.push(self.extract(part, from, piece));
            start += part_ty.total_bits();
        }
        self.pack(&pieces, ty)
    }

    /// Parts put together; where they are a whole value that is there already, that.
    pub(super) fn pack(&mut self, parts: &[Lit], ty: Type) -> Lit {
        if let [one] = parts
            && self.ty(*one) == ty
        {
            return *one;
        }
        if ty.is_scalar() && ty.total_bits() <= 64 {
            let mut at = 0;
            let bits = parts.iter().try_fold(0u64, |word, &part| {
                let bits = self.as_const(part)?.checked_shl(at).unwrap_or(0);
                at += self.ty(part).total_bits() as u32;
                Some(word | bits)
            });
            if let Some(value) = bits {
                return self.constant(value, ty);
            }
        }
        if let Some(whole) = self.whole(parts, ty) {
            return Lit::Value(whole, false);
        }
        let values: Vec<Value> = parts.iter().map(|&part| self.value(part)).collect();
        Lit::Value(self.intern(OpKind::Pack {}, &values, ty, LocId::UNKNOWN), false)
    }

    /// The value of type `ty` that the parts are all of, in order.
    fn whole(&self, parts: &[Lit], ty: Type) -> Option<Value> {
        let mut source = None;
        let mut at = 0;
        for &part in parts {
            let Lit::Value(part, false) = part else { return None };
            let op = self.f.op(self.f.def_op(part)?);
            let OpKind::Extract { offset } = op.kind else { return None };
            if offset as usize != at || *source.get_or_insert(op.operands[0]) != op.operands[0] {
                return None;
            }
            at += self.f.ty(part).total_bits();
        }
        source.filter(|&v| self.f.ty(v) == ty)
    }

    /// Bits rise by their value; a bit and its complement are 1; constants are one operand at the end.
    pub(super) fn sum(&mut self, parts: &[Lit], ty: Type, loc: LocId) -> Lit {
        let mut constant = 0u64;
        let mut rest: Vec<(Value, bool)> = Vec::with_capacity(parts.len());
        for &part in parts {
            match (self.as_const(part), part) {
                (Some(value), _) => constant = constant.wrapping_add(value),
                (None, Lit::Value(v, complemented)) => rest.push((v, complemented)),
                (None, Lit::Const(_)) => {}
            }
        }
        rest.sort_unstable();
        let mut kept: Vec<(Value, bool)> = Vec::with_capacity(rest.len());
        for run in rest.chunk_by(|a, b| a.0 == b.0) {
            let complemented = run.iter().filter(|(_, c)| *c).count();
            let pairs = complemented.min(run.len() - complemented);
            constant = constant.wrapping_add(pairs as u64);
            kept.extend(&run[pairs..run.len() - pairs]);
        }
        let width = ty.elem_bits();
        constant &= if width < 64 { (1 << width) - 1 } else { u64::MAX };
        match kept.as_slice() {
            [] => return self.constant(constant, ty),
            [(one, false)] if constant == 0 && self.f.ty(*one) == ty => return Lit::Value(*one, false),
            _ => {}
        }
        let last = (constant != 0).then(|| {
            let ty = Type::word(bits_for(constant));
            self.intern(OpKind::Const { value: constant }, &[], ty, LocId::UNKNOWN)
        });
        let mut operands: Vec<Value> = kept.into_iter().map(|(v, flip)| self.value(Lit::Value(v, flip))).collect();
        operands.extend(last);
        Lit::Value(self.intern(OpKind::Sum {}, &operands, ty, loc), false)
    }

    pub(super) fn gt(&mut self, a: Lit, b: Lit, loc: LocId) -> Lit {
        if a == b {
            return Lit::Const(false);
        }
        match (self.as_const(a), self.as_const(b)) {
            (Some(a), Some(b)) => Lit::Const(a > b),
            (None, Some(bound)) => self.gt_const(a, bound, loc),
            (Some(0), None) => Lit::Const(false),
            // a > b where not b > a - 1.
            (Some(a), None) => self.gt_const(b, a - 1, loc).flip(true),
            (None, None) if self.ty(a) == Type::BIT && self.ty(b) == Type::BIT => self.lut(0x2, &[a, b], loc),
            (None, None) => {
                let (a, b) = (self.value(a), self.value(b));
                Lit::Value(self.intern(OpKind::Gt {}, &[a, b], Type::BIT, loc), false)
            }
        }
    }

    pub(super) fn gt_const(&mut self, word: Lit, bound: u64, loc: LocId) -> Lit {
        let ty = self.ty(word);
        let width = ty.elem_bits();
        if let Some(value) = self.as_const(word) {
            return Lit::Const(value > bound);
        }
        if width < 64 && bound >= (1 << width) - 1 || bound == u64::MAX {
            return Lit::Const(false);
        }
        match (word, ty.elem) {
            // The bound is 0.
            (_, Elem::Bit) => word,
            (Lit::Value(v, _), _) if width == 1 => self.extract(v, 0, Type::BIT),
            _ => {
                let word = self.value(word);
                Lit::Value(self.intern(OpKind::GtConst { bound }, &[word], Type::BIT, loc), false)
            }
        }
    }

    pub(super) fn mux(&mut self, s: Lit, a: Lit, b: Lit, ty: Type, loc: LocId) -> Lit {
        match s {
            _ if a == b => a,
            Lit::Const(false) => a,
            Lit::Const(true) => b,
            _ if ty == Type::BIT => self.lut(crate::compare::MUX, &[s, a, b], loc),
            Lit::Value(s, complemented) => {
                let (a, b) = if complemented { (b, a) } else { (a, b) };
                let (a, b) = (self.value(a), self.value(b));
                Lit::Value(self.intern(OpKind::Mux {}, &[s, a, b], ty, loc), false)
            }
        }
    }

    pub(super) fn argmax(&mut self, kind: OpKind, words: &[Lit], ty: Type, loc: LocId) -> Lit {
        let constants: Option<Vec<u64>> = words.iter().map(|&w| self.as_const(w)).collect();
        let first = words.first().copied();
        if words.iter().all(|&w| Some(w) == first) {
            return self.constant(0, ty);
        }
        if let Some(constants) = constants {
            let best = constants.iter().max().and_then(|max| constants.iter().position(|c| c == max));
            return self.constant(best.unwrap_or(0) as u64, ty);
        }
        let words: Vec<Value> = words.iter().map(|&w| self.value(w)).collect();
        Lit::Value(self.intern(kind, &words, ty, loc), false)
    }
}

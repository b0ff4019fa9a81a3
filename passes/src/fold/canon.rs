//! Constructors that give every bit one form.

use std::hash::{Hash, Hasher};

use blc_ir::table::{VAR, cofactor, mask, support, swap, widen};
use blc_ir::{Func, LocId, Op, OpId, OpKind, Type, Value};
use rustc_hash::{FxHashMap, FxHasher};
use smallvec::SmallVec;

use super::wide;

/// A bit: a constant, or a value or its complement. Words and arrays are never complemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lit {
    Const(bool),
    Value(Value, bool),
}

impl Lit {
    pub fn flip(self, flip: bool) -> Self {
        match self {
            Self::Const(bit) => Self::Const(bit ^ flip),
            Self::Value(v, complemented) => Self::Value(v, complemented ^ flip),
        }
    }
}

/// The function being built, every op at most once.
pub(super) struct Canon {
    pub f: Func,
    /// Ops by the hash of what they are. Where two hashes are equal, the second op is found one further on.
    known: FxHashMap<u64, OpId>,
    /// First bit of every part of a pack that was looked into.
    pub(super) starts: FxHashMap<Value, Vec<usize>>,
}

/// The table of an inverter.
pub(super) const INVERTER: u64 = 0x1;

impl Canon {
    pub fn new(like: &Func) -> Self {
        let mut known = FxHashMap::default();
        known.reserve(like.op_count());
        Self { f: like.new_like(), known, starts: FxHashMap::default() }
    }

    /// Builds an op of the old function.
    pub fn op(&mut self, old: &Func, op: Op<'_>, map: &[Lit]) -> Lit {
        let lit = |i: usize| map[op.operands[i].index()];
        let lits = || op.operands.iter().map(|v| map[v.index()]);
        let ty = old.ty(op.result());
        match op.kind {
            OpKind::Lut { table } => self.lut(table, &lits().collect::<SmallVec<[Lit; 6]>>(), op.loc),
            OpKind::LutWide { table } => self.lut_wide(old.table(table), &lits().collect::<Vec<_>>(), op.loc),
            OpKind::Const { value } => self.constant(value, ty),
            OpKind::Extract { offset } => {
                let value = self.value(lit(0));
                self.extract(value, offset as usize, ty)
            }
            OpKind::Pack {} => self.pack(&lits().collect::<Vec<_>>(), ty),
            OpKind::Sum {} => self.sum(&lits().collect::<Vec<_>>(), ty, op.loc),
            OpKind::Gt {} => self.gt(lit(0), lit(1), op.loc),
            OpKind::GtConst { bound } => self.gt_const(lit(0), bound, op.loc),
            OpKind::Mux {} => self.mux(lit(0), lit(1), lit(2), ty, op.loc),
            OpKind::WordArgmax { .. } => self.argmax(op.kind, &lits().collect::<Vec<_>>(), ty, op.loc),
            OpKind::Xc7Lut6 { init } => {
                let mut init = widen(init, op.operands.len());
                let mut operands: SmallVec<[Value; 6]> = SmallVec::new();
                for (j, lit) in lits().enumerate() {
                    let flip = matches!(lit, Lit::Value(_, true));
                    init = if flip { flip_input(init, j) } else { init };
                    operands.push(self.value(lit.flip(flip)));
                }
                let kind = OpKind::Xc7Lut6 { init: init & mask(operands.len()) };
                Lit::Value(self.f.push1(kind, &operands, ty, op.loc), false)
            }
            // Others have one result and no meaning known here.
            kind => {
                let operands: Vec<Value> = lits().map(|l| self.value(l)).collect();
                let kind = match kind {
                    OpKind::Extern { op } => OpKind::Extern { op: self.f.add_extern(old.extern_name(op)) },
                    kind => kind,
                };
                Lit::Value(self.f.push1(kind, &operands, ty, op.loc), false)
            }
        }
    }

    /// Builds an op of several bits. Inverters go into its table, but for the last pin, which tells the two functions of
    /// a site apart, and not where a constant 0 says that the table is to stay ([`crate::head::Ripple`]).
    pub fn site(&mut self, op: Op<'_>, map: &[Lit]) -> impl Iterator<Item = Value> + use<> {
        let mut kind = op.kind;
        let mut operands: SmallVec<[Value; 10]> = SmallVec::new();
        let stays = op.operands.get(4).is_some_and(|v| map[v.index()] == Lit::Const(false));
        for (j, v) in op.operands.iter().enumerate() {
            let mut lit = map[v.index()];
            if let (OpKind::Xc7Lut6_2 { init }, Lit::Value(_, true), 0..5, false) = (kind, lit, j, stays) {
                kind = OpKind::Xc7Lut6_2 { init: flip_input(init, j) };
                lit = lit.flip(true);
            }
            operands.push(self.value(lit));
        }
        let types: SmallVec<[Type; 8]> = op.results().map(|_| Type::BIT).collect();
        let id = self.f.push(kind, &operands, &types, op.loc);
        self.f.op(id).results()
    }

    /// A literal as a value, through an inverter where it is a complement.
    pub fn value(&mut self, lit: Lit) -> Value {
        match lit {
            Lit::Const(bit) => self.intern(OpKind::Const { value: bit.into() }, &[], Type::BIT, LocId::UNKNOWN),
            Lit::Value(v, false) => v,
            Lit::Value(v, true) => {
                let loc = self.f.def_op(v).map_or(LocId::UNKNOWN, |op| self.f.op(op).loc);
                self.intern(OpKind::Lut { table: INVERTER }, &[v], Type::BIT, loc)
            }
        }
    }

    /// A value of the new function as a literal: constants and inverters are seen through.
    pub fn lit(&self, v: Value) -> Lit {
        let Some(op) = self.f.def_op(v).filter(|_| self.f.ty(v) == Type::BIT) else { return Lit::Value(v, false) };
        let op = self.f.op(op);
        match op.kind {
            OpKind::Const { value } => Lit::Const(value == 1),
            OpKind::Lut { table: INVERTER } if op.operands.len() == 1 => Lit::Value(op.operands[0], true),
            _ => Lit::Value(v, false),
        }
    }

    /// A table of up to six literals. Canonical: inputs that matter, each once, rising, none complemented; 0 where all
    /// are 0.
    pub fn lut(&mut self, table: u64, inputs: &[Lit], loc: LocId) -> Lit {
        let mut t = widen(table, inputs.len());
        let mut slots: SmallVec<[Option<Value>; 6]> = SmallVec::new();
        for (j, &lit) in inputs.iter().take(6).enumerate() {
            let slot = match lit {
                Lit::Const(bit) => {
                    t = cofactor(t, j, bit);
                    None
                }
                Lit::Value(v, complemented) => {
                    if complemented {
                        t = flip_input(t, j);
                    }
                    match slots.iter().position(|&s| s == Some(v)) {
                        Some(i) => {
                            t = !VAR[i] & cofactor(t, j, false) | VAR[i] & cofactor(t, j, true);
                            None
                        }
                        None => Some(v),
                    }
                }
            };
            slots.push(slot);
        }
        let used = support(t);
        let mut values: SmallVec<[Value; 6]> = SmallVec::new();
        for j in 0..slots.len() {
            if let Some(v) = slots[j].filter(|_| used >> j & 1 == 1) {
                // Insertion sort of the inputs that matter into the lowest places.
                let mut at = values.len();
                t = swap(t, at, j);
                values.push(v);
                while at > 0 && values[at - 1] > values[at] {
                    values.swap(at - 1, at);
                    t = swap(t, at - 1, at);
                    at -= 1;
                }
            }
        }
        self.canonical(t, &values, loc)
    }

    /// A widened table over values that all matter, are different and rise.
    fn canonical(&mut self, t: u64, values: &[Value], loc: LocId) -> Lit {
        let flip = t & 1 == 1;
        let t = if flip { !t } else { t };
        match values {
            [] => Lit::Const(flip),
            [one] => Lit::Value(*one, flip),
            _ => {
                let kind = OpKind::Lut { table: t & mask(values.len()) };
                Lit::Value(self.intern(kind, values, Type::BIT, loc), flip)
            }
        }
    }

    fn lut_wide(&mut self, table: &[u64], inputs: &[Lit], loc: LocId) -> Lit {
        let (table, values) = wide::canonical(table, inputs);
        if values.len() <= 6 {
            return self.canonical(widen(table[0], values.len()), &values, loc);
        }
        let flip = table[0] & 1 == 1;
        let table: Box<[u64]> = table.iter().map(|&w| if flip { !w } else { w }).collect();
        let id = self.f.add_table(table);
        Lit::Value(self.intern(OpKind::LutWide { table: id }, &values, Type::BIT, loc), flip)
    }

    /// The op of this kind, operands and type: the one that is there, or a new one.
    pub fn intern(&mut self, kind: OpKind, operands: &[Value], ty: Type, loc: LocId) -> Value {
        let mut hash = FxHasher::default();
        match kind {
            OpKind::LutWide { table } => self.f.table(table).hash(&mut hash),
            kind => kind.hash(&mut hash),
        }
        operands.hash(&mut hash);
        ty.hash(&mut hash);
        let mut key = hash.finish();
        while let Some(&id) = self.known.get(&key) {
            let op = self.f.op(id);
            let equal = match (op.kind, kind) {
                (OpKind::LutWide { table: a }, OpKind::LutWide { table: b }) => self.f.table(a) == self.f.table(b),
                (a, b) => a == b,
            };
            if equal && op.operands == operands && self.f.ty(op.result()) == ty {
                return op.result();
            }
            key = key.wrapping_add(1);
        }
        let id = self.f.push(kind, operands, &[ty], loc);
        self.known.insert(key, id);
        self.f.op(id).result()
    }
}

/// A widened table with input `j` complemented.
pub(super) fn flip_input(table: u64, j: usize) -> u64 {
    let shift = 1 << j;
    (table & VAR[j]) >> shift | (table & !VAR[j]) << shift
}

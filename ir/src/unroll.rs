//! A function followed cycle by cycle, bit by bit: what is known becomes known, what is the same is made once.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::func::{Func, Op, OpId, Value};
use crate::loc::LocId;
use crate::ops::{Level, OpKind};
use crate::order::{is_register, schedule};
use crate::table::mask;
use crate::types::Type;

/// A bit in some cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bit {
    /// 0 or 1.
    Known(bool),
    /// A value of the new function.
    Is(Value),
    /// Whatever came before or comes after.
    Unknown,
}

/// Bits of a value, the lowest first.
pub(crate) type Bits = SmallVec<[Bit; 4]>;

const XOR: u64 = 0b0110;
const OR: u64 = 0b1110;
/// The second where the third is 1, otherwise the first.
const MUX: u64 = 0b1100_1010;

/// A function being followed, and the one that grows from that.
pub(crate) struct Unroll<'a> {
    old: &'a Func,
    new: Func,
    order: Vec<OpId>,
    /// By value, in the cycle that was last.
    bits: Vec<Bits>,
    /// Registers, with whether they feed themselves, and what they hold.
    registers: Vec<(OpId, bool, Bit)>,
    made: FxHashMap<(OpKind, SmallVec<[Value; 6]>, Type), Value>,
    /// Words by their bits.
    words: FxHashMap<(Bits, Type), Value>,
}

impl<'a> Unroll<'a> {
    /// Nothing followed yet.
    ///
    /// # Errors
    /// The name of an op that works on no bits, or of one in a cycle.
    pub fn new(old: &'a Func) -> Result<Self, &'static str> {
        if let Some((_, op)) = old.ops().find(|(_, op)| matches!(op.kind, OpKind::Extern { .. }) || is_tensor(op)) {
            return Err(op.info().mnemonic);
        }
        let order = schedule(old, false).map_err(|id| old.op(id).info().mnemonic)?;
        let mut new = old.new_like();
        new.params.clear();
        let feeds = feeds_itself(old);
        let registers =
            order.iter().copied().filter(|&id| is_register(old.op(id).kind)).map(|id| (id, feeds(id), Bit::Unknown));
        let registers = registers.collect();
        Ok(Self {
            old,
            new,
            order,
            bits: vec![Bits::new(); old.value_count()],
            registers,
            made: FxHashMap::default(),
            words: FxHashMap::default(),
        })
    }

    /// A parameter of the new function.
    pub fn param(&mut self, name: String, ty: Type) -> Bits {
        let value = self.new.add_param(name, ty);
        self.taken_apart(value, ty)
    }

    /// Registers that feed themselves as they start up, all others unknown. Gives the former's.
    pub fn start(&mut self) -> Vec<Bit> {
        for (id, feeds, bit) in &mut self.registers {
            *bit = match self.old.op(*id).kind {
                OpKind::Reg { init, .. } | OpKind::Xc7Fdre { init, .. } if *feeds => Bit::Known(init),
                _ => Bit::Unknown,
            };
        }
        self.states()
    }

    /// Whatever came before: all registers unknown.
    pub fn forget(&mut self) {
        self.registers.iter_mut().for_each(|(.., bit)| *bit = Bit::Unknown);
    }

    /// What the registers hold that feed themselves.
    pub fn states(&self) -> Vec<Bit> {
        self.registers.iter().filter(|(_, feeds, _)| *feeds).map(|(.., bit)| *bit).collect()
    }

    /// One cycle with these parameters; the results.
    pub fn cycle(&mut self, params: &[Bits]) -> Vec<Bits> {
        let old = self.old;
        for (port, bits) in old.params.iter().zip(params) {
            self.bits[port.value.index()].clone_from(bits);
        }
        for i in 0..self.registers.len() {
            let (id, _, bit) = self.registers[i];
            self.bits[old.op(id).result().index()] = Bits::from_elem(bit, 1);
        }
        for i in 0..self.order.len() {
            self.op(self.order[i]);
        }
        for i in 0..self.registers.len() {
            self.registers[i].2 = self.bit(old.op(self.registers[i].0).operands[0]);
        }
        old.results.iter().map(|port| self.bits[port.value.index()].clone()).collect()
    }

    /// Adds a result to the new function; an unknown bit is 0 there.
    pub fn result(&mut self, name: String, bits: &[Bit], ty: Type) {
        let value = self.whole(bits, ty);
        self.new.add_result(name, value);
    }

    /// The new function.
    pub fn finish(self) -> Func {
        self.new
    }

    fn bit(&self, v: Value) -> Bit {
        self.bits[v.index()].first().copied().unwrap_or(Bit::Unknown)
    }

    fn op(&mut self, id: OpId) {
        let old = self.old;
        let op = old.op(id);
        if is_register(op.kind) {
            return;
        }
        let out = op.result();
        let ty = old.ty(out);
        let pins: SmallVec<[Bit; 16]> = match op.kind {
            OpKind::Pack {} | OpKind::Sum {} | OpKind::WordArgmax { .. } => SmallVec::new(),
            _ => op.operands.iter().map(|&v| self.bit(v)).collect(),
        };
        let one = |bit: Bit| Bits::from_elem(bit, 1);
        self.bits[out.index()] = match op.kind {
            OpKind::Lut { table } | OpKind::Xc7Lut6 { init: table } => one(self.lut(table, &pins, op.loc)),
            OpKind::LutWide { table } => one(self.wide(old.table(table), &pins, op.loc)),
            OpKind::Const { value } => {
                (0..ty.total_bits()).map(|b| Bit::Known(b < 64 && value >> b & 1 == 1)).collect()
            }
            OpKind::Extract { offset } => {
                let from = offset as usize;
                self.bits[op.operands[0].index()][from..from + ty.total_bits()].into()
            }
            OpKind::Pack {} => op.operands.iter().flat_map(|v| self.bits[v.index()].iter().copied()).collect(),
            OpKind::Xc7MuxF7 {} | OpKind::Xc7MuxF8 {} => one(self.lut(MUX, &pins, op.loc)),
            OpKind::Mux {} => {
                let [a, b] = [1, 2].map(|i| self.bits[op.operands[i].index()].clone());
                a.iter().zip(&b).map(|(&a, &b)| self.lut(MUX, &[a, b, pins[0]], op.loc)).collect()
            }
            OpKind::Xc7Lut6_2 { init } => {
                let [high, low] = [self.lut(init, &pins, op.loc), self.lut(init & mask(5), &pins[..5], op.loc)];
                op.results().zip([high, low]).for_each(|(v, bit)| self.bits[v.index()] = one(bit));
                return;
            }
            OpKind::Xc7Carry4 {} => {
                let mut carry = self.lut(OR, &pins[8..10], op.loc);
                let mut outs = [Bit::Unknown; 8];
                for i in 0..4 {
                    outs[i] = self.lut(XOR, &[pins[i], carry], op.loc);
                    carry = self.lut(MUX, &[pins[4 + i], carry, pins[i]], op.loc);
                    outs[4 + i] = carry;
                }
                op.results().zip(outs).for_each(|(v, bit)| self.bits[v.index()] = one(bit));
                return;
            }
            _ => self.word(op, ty),
        };
    }

    /// An op on words: copied where all of it is known to come from the sample.
    fn word(&mut self, op: Op<'_>, ty: Type) -> Bits {
        if op.operands.iter().any(|v| self.bits[v.index()].contains(&Bit::Unknown)) {
            return Bits::from_elem(Bit::Unknown, ty.total_bits());
        }
        let operands = op.operands.iter().map(|&v| {
            let bits = self.bits[v.index()].clone();
            self.whole(&bits, self.old.ty(v))
        });
        let operands = operands.collect();
        let value = self.make(op.kind, operands, ty, op.loc);
        self.taken_apart(value, ty)
    }

    fn make(&mut self, kind: OpKind, operands: SmallVec<[Value; 6]>, ty: Type, loc: LocId) -> Value {
        let new = &mut self.new;
        let key = (kind, operands, ty);
        if let Some(&known) = self.made.get(&key) {
            return known;
        }
        let value = new.push1(kind, &key.1, ty, loc);
        self.made.insert(key, value);
        value
    }

    fn taken_apart(&mut self, value: Value, ty: Type) -> Bits {
        if ty == Type::BIT {
            return Bits::from_elem(Bit::Is(value), 1);
        }
        let bit = |b| OpKind::Extract { offset: b as u32 };
        let bits: Bits = (0..ty.total_bits())
            .map(|b| Bit::Is(self.make(bit(b), SmallVec::from_elem(value, 1), Type::BIT, LocId::UNKNOWN)))
            .collect();
        self.words.insert((bits.clone(), ty), value);
        bits
    }

    /// Bits as one value.
    fn whole(&mut self, bits: &[Bit], ty: Type) -> Value {
        if let (Type::BIT, &[Bit::Is(value)]) = (ty, bits) {
            return value;
        }
        if let Some(&value) = self.words.get(&(bits.into(), ty)) {
            return value;
        }
        let parts: SmallVec<[Value; 6]> = bits
            .iter()
            .map(|bit| match *bit {
                Bit::Is(value) => value,
                bit => {
                    let one = u64::from(bit == Bit::Known(true));
                    self.make(OpKind::Const { value: one }, SmallVec::new(), Type::BIT, LocId::UNKNOWN)
                }
            })
            .collect();
        match (ty, parts.as_slice()) {
            (Type::BIT, &[bit]) => bit,
            _ => {
                let value = self.make(OpKind::Pack {}, parts, ty, LocId::UNKNOWN);
                self.words.insert((bits.into(), ty), value);
                value
            }
        }
    }

    /// A table of up to six inputs; those that are known, or do not matter, are left out.
    fn lut(&mut self, table: u64, pins: &[Bit], loc: LocId) -> Bit {
        let mut table = table & mask(pins.len());
        let mut kept: SmallVec<[Bit; 6]> = pins.into();
        let mut j = 0;
        while j < kept.len() {
            let halves = cofactors(table, kept.len(), j);
            let chosen = match kept[j] {
                _ if halves[0] == halves[1] => halves[0],
                Bit::Known(bit) => halves[usize::from(bit)],
                _ => {
                    j += 1;
                    continue;
                }
            };
            table = chosen;
            kept.remove(j);
            // An input before may matter no longer.
            j = 0;
        }
        match (kept.as_slice(), table) {
            ([], t) => Bit::Known(t & 1 == 1),
            (&[bit], 0b10) => bit,
            (all, _) if all.contains(&Bit::Unknown) => Bit::Unknown,
            (all, t) => {
                let values = all.iter().filter_map(|b| if let Bit::Is(v) = b { Some(*v) } else { None }).collect();
                Bit::Is(self.make(OpKind::Lut { table: t }, values, Type::BIT, loc))
            }
        }
    }

    /// A table of more inputs, taken apart at the highest.
    fn wide(&mut self, table: &[u64], pins: &[Bit], loc: LocId) -> Bit {
        match pins.split_last() {
            Some((&top, rest)) if pins.len() > 6 => {
                let (low, high) = table.split_at(table.len() / 2);
                match top {
                    _ if low == high => self.wide(low, rest, loc),
                    Bit::Known(bit) => self.wide(if bit { high } else { low }, rest, loc),
                    _ => {
                        let (low, high) = (self.wide(low, rest, loc), self.wide(high, rest, loc));
                        self.lut(MUX, &[low, high, top], loc)
                    }
                }
            }
            _ => self.lut(table.first().copied().unwrap_or(0), pins, loc),
        }
    }
}

/// The table where input `j` of `k` is 0, and where it is 1.
fn cofactors(table: u64, k: usize, j: usize) -> [u64; 2] {
    [0, 1].map(|bit| {
        (0..1u64 << (k - 1)).fold(0, |t, a| {
            let low = a & ((1 << j) - 1);
            let address = low | bit << j | (a ^ low) << 1;
            t | (table >> address & 1) << a
        })
    })
}

fn is_tensor(op: &Op<'_>) -> bool {
    op.info().levels == [Level::Tensor]
}

/// Which registers lie on a cycle.
fn feeds_itself(f: &Func) -> impl Fn(OpId) -> bool + use<> {
    let mut on = vec![false; f.op_count()];
    for cycle in crate::view::Graph::new(f, false).cycles() {
        cycle.into_iter().for_each(|op: OpId| on[op.index()] = true);
    }
    move |id| on[id.index()]
}

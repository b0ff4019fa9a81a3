//! What most lowering passes share: a new function is built op by op while the old one is read in order.

use blc_ir::{Func, LocId, Op, OpId, OpKind, Type, Value};

/// A function being built from another.
pub(crate) struct Rebuild<'a> {
    pub old: &'a Func,
    pub new: Func,
    map: Vec<Option<Value>>,
}

impl<'a> Rebuild<'a> {
    /// Starts with the parameters, as they are.
    pub fn new(old: &'a Func) -> Self {
        let mut rebuild = Self::without_params(old);
        for port in &old.params {
            let value = rebuild.new.add_param(port.name.clone(), old.ty(port.value));
            rebuild.set(port.value, value);
        }
        rebuild
    }

    /// Starts without parameters.
    pub fn without_params(old: &'a Func) -> Self {
        Self { old, new: old.new_like(), map: vec![None; old.value_count()] }
    }

    /// The new value of an old one. Values of a tidy function are set before they are asked for; for others the first
    /// value stands in, which the verifier then reports.
    pub fn get(&self, old: Value) -> Value {
        self.map.get(old.index()).copied().flatten().unwrap_or(Value(0))
    }

    /// Whether it was said what an old value became.
    pub fn has(&self, old: Value) -> bool {
        self.map.get(old.index()).copied().flatten().is_some()
    }

    /// Says what an old value became, and hands its name on if the new one has none.
    pub fn set(&mut self, old: Value, new: Value) {
        self.map[old.index()] = Some(new);
        if let Some(name) = self.old.name_of(old)
            && self.new.name_of(new).is_none()
            && self.new.def_op(new).is_some()
        {
            self.new.set_name(new, name);
        }
    }

    /// Takes an op over as it is.
    pub fn copy(&mut self, id: OpId) {
        let op = self.old.op(id);
        let operands: Vec<Value> = op.operands.iter().map(|&v| self.get(v)).collect();
        self.copy_with(op, &operands);
    }

    /// Takes an op over with other operands.
    pub fn copy_with(&mut self, op: Op<'_>, operands: &[Value]) {
        let types: Vec<Type> = op.results().map(|v| self.old.ty(v)).collect();
        let kind = match op.kind {
            OpKind::LutWide { table } => OpKind::LutWide { table: self.new.add_table(self.old.table(table).into()) },
            OpKind::Extern { op } => OpKind::Extern { op: self.new.add_extern(self.old.extern_name(op)) },
            kind => kind,
        };
        let id = self.new.push(kind, operands, &types, op.loc);
        let results = self.new.op(id).results();
        for (old, new) in op.results().zip(results) {
            self.set(old, new);
        }
    }

    /// Ends with the results, mapped.
    pub fn finish(mut self) -> Func {
        for port in &self.old.results {
            let value = self.get(port.value);
            self.new.add_result(port.name.clone(), value);
        }
        self.new
    }
}

/// Bits of values, each taken out once.
#[derive(Default)]
pub(crate) struct Bits {
    known: rustc_hash::FxHashMap<(Value, u32), Value>,
}

impl Bits {
    /// Bit `bit` of a packed value.
    pub fn get(&mut self, f: &mut Func, value: Value, bit: usize) -> Value {
        if f.ty(value) == Type::BIT {
            return value;
        }
        *self.known.entry((value, bit as u32)).or_insert_with(|| f.extract(value, bit, Type::BIT, LocId::UNKNOWN))
    }

    /// All bits of a packed value, the lowest first.
    pub fn all(&mut self, f: &mut Func, value: Value) -> Vec<Value> {
        (0..f.ty(value).total_bits()).map(|bit| self.get(f, value, bit)).collect()
    }

    /// Remembers the bits of a packed word, as far as they are known by themselves.
    pub fn wires(&mut self, f: &mut Func, packed: Value, parts: &[Value]) {
        let mut at = 0;
        for &part in parts {
            let constant = f.as_const(part);
            for bit in 0..f.ty(part).total_bits() {
                let value = match constant {
                    Some(value) => f.constant(value >> bit & 1, Type::BIT),
                    None => self.get(f, part, bit),
                };
                self.known.insert((packed, at), value);
                at += 1;
            }
        }
    }

    /// Packs bits into a value of a type, and remembers them as its bits.
    pub fn pack(&mut self, f: &mut Func, bits: &[Value], ty: Type) -> Value {
        if let ([bit], Type::BIT) = (bits, ty) {
            return *bit;
        }
        let packed = f.pack(bits, ty, LocId::UNKNOWN);
        for (i, &bit) in bits.iter().enumerate() {
            self.known.insert((packed, i as u32), bit);
        }
        packed
    }
}

//! A function: parameters, ops in program order, results.
//!
//! Storage is flat: ops, values and operands are arrays, ids are positions. A pass appends ops, redirects uses with
//! [`Func::replace_uses`] and leaves dead ops behind; [`Func::tidy`] then restores the invariants.
//!
//! Invariants of a tidy function: program order defines before it uses (a register may use what comes later), no op is
//! dead, ids are dense, and no table, name or origin is kept that nothing refers to.

use rustc_hash::FxHashMap;

use crate::entity;
use crate::loc::{LocId, Locs};
use crate::module::ResourceId;
use crate::ops::{ExternId, Level, OpInfo, OpKind, TableId, Tie};
use crate::types::{Type, bits_for};

entity!(
    /// The result of an op, or a parameter.
    Value, "%"
);
entity!(
    /// An op of a function; position in program order.
    OpId, "op"
);

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Def {
    /// Parameter of that number.
    Param(usize),
    /// Result of that number of an op.
    Result(OpId, usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct ValueData {
    ty: u16,
    /// Result number; for parameters unused.
    result: u16,
    /// Op, or parameter number with the top bit set.
    def: u32,
}

const PARAM: u32 = 1 << 31;

#[derive(Clone, Copy, Debug, PartialEq)]
struct OpData {
    kind: OpKind,
    operands: u32,
    operand_count: u32,
    results: u32,
    loc: LocId,
}

/// Whether a function is plain dataflow or a hardware module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FuncKind {
    /// `func`
    Func,
    /// `hw.module`
    HwModule,
}

/// A parameter or a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Without the `%`.
    pub name: String,
    /// The value it is.
    pub value: Value,
}

/// A value of a function attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum FuncAttr {
    /// `latency = 3`
    Int(u64),
    /// `note = "text"`
    Str(String),
    /// `offset = #q0`
    Resource(ResourceId),
}

/// A function or hardware module.
#[derive(Clone, Debug)]
pub struct Func {
    /// Without the `@`.
    pub name: String,
    /// Dataflow or hardware.
    pub kind: FuncKind,
    /// Parameters, in order.
    pub params: Vec<Port>,
    /// Results, in order.
    pub results: Vec<Port>,
    /// `{latency = 1}`, sorted by name. Known ones: `latency` (cycles from input to output), `offset` and `step` (the
    /// affine code of real inputs: resources `[features]`, see [`crate::eval::quantize`]), and those of [`crate::control`].
    pub attrs: Vec<(String, FuncAttr)>,
    /// Where ops came from.
    pub locs: Locs,
    ops: Vec<OpData>,
    operands: Vec<Value>,
    values: Vec<ValueData>,
    types: Vec<Type>,
    tables: Vec<Box<[u64]>>,
    externs: Vec<String>,
    names: FxHashMap<Value, Box<str>>,
}

/// An op as it stands in its function.
#[derive(Clone, Copy, Debug)]
pub struct Op<'a> {
    /// What it does.
    pub kind: OpKind,
    /// What it reads.
    pub operands: &'a [Value],
    /// Where it came from.
    pub loc: LocId,
    first: u32,
}

impl Op<'_> {
    /// Its results.
    pub fn results(&self) -> impl ExactSizeIterator<Item = Value> + use<> {
        let first = self.first;
        (0..self.kind.info().results as u32).map(move |i| Value(first + i))
    }

    /// Its first (for most ops only) result.
    pub fn result(&self) -> Value {
        Value(self.first)
    }

    /// The facts of its kind.
    pub fn info(&self) -> &'static OpInfo {
        self.kind.info()
    }
}

impl Func {
    /// An empty function.
    pub fn new(name: impl Into<String>, kind: FuncKind) -> Self {
        Self {
            name: name.into(),
            kind,
            params: Vec::new(),
            results: Vec::new(),
            attrs: Vec::new(),
            locs: Locs::default(),
            ops: Vec::new(),
            operands: Vec::new(),
            values: Vec::new(),
            types: Vec::new(),
            tables: Vec::new(),
            externs: Vec::new(),
            names: FxHashMap::default(),
        }
    }

    /// An empty function of the same name, kind, attributes and origins: what a rebuilding pass starts from.
    pub fn new_like(&self) -> Self {
        Self { attrs: self.attrs.clone(), locs: self.locs.clone(), ..Self::new(self.name.clone(), self.kind) }
    }

    /// Hw for a hardware module, tensor where an op stands only there, otherwise bit.
    pub fn level(&self) -> Level {
        if self.kind == FuncKind::HwModule {
            return Level::Hw;
        }
        let tensor = self.ops.iter().any(|op| op.kind.info().levels == [Level::Tensor]);
        if tensor { Level::Tensor } else { Level::Bit }
    }

    // ---- reading

    /// Number of ops.
    pub fn op_count(&self) -> usize {
        self.ops.len()
    }

    /// Number of values.
    pub fn value_count(&self) -> usize {
        self.values.len()
    }

    /// All ops, in program order.
    pub fn op_ids(&self) -> impl DoubleEndedIterator<Item = OpId> + ExactSizeIterator + use<> {
        (0..self.ops.len() as u32).map(OpId)
    }

    /// All ops with their ids, in program order.
    pub fn ops(&self) -> impl DoubleEndedIterator<Item = (OpId, Op<'_>)> + ExactSizeIterator {
        self.op_ids().map(|id| (id, self.op(id)))
    }

    /// One op. Panics on an id of another function.
    pub fn op(&self, id: OpId) -> Op<'_> {
        let data = &self.ops[id.index()];
        let operands = &self.operands[data.operands as usize..][..data.operand_count as usize];
        Op { kind: data.kind, operands, loc: data.loc, first: data.results }
    }

    /// Where a value comes from.
    pub fn def(&self, value: Value) -> Def {
        let data = self.values[value.index()];
        if data.def & PARAM != 0 {
            Def::Param((data.def & !PARAM) as usize)
        } else {
            Def::Result(OpId(data.def), data.result as usize)
        }
    }

    /// The op that makes a value; `None` for a parameter.
    pub fn def_op(&self, value: Value) -> Option<OpId> {
        match self.def(value) {
            Def::Param(_) => None,
            Def::Result(op, _) => Some(op),
        }
    }

    /// Type of a value.
    pub fn ty(&self, value: Value) -> Type {
        self.types[self.values[value.index()].ty as usize]
    }

    /// The constant that a value is, if its op says so.
    pub fn as_const(&self, value: Value) -> Option<u64> {
        match self.op(self.def_op(value)?).kind {
            OpKind::Const { value } => Some(value),
            _ => None,
        }
    }

    /// A wide truth table: `2^k / 64` words, address 0 in the lowest bit of the first.
    pub fn table(&self, id: TableId) -> &[u64] {
        &self.tables[id.index()]
    }

    /// The name of an op from outside.
    pub fn extern_name(&self, id: ExternId) -> &str {
        self.externs.get(id.index()).map_or("", |n| n)
    }

    /// The name of a value, where it has one.
    pub fn name_of(&self, value: Value) -> Option<&str> {
        self.names.get(&value).map(|n| &**n)
    }

    /// The attribute of that name.
    pub fn attr(&self, name: &str) -> Option<&FuncAttr> {
        self.attrs.iter().find(|(n, _)| n == name).map(|(_, a)| a)
    }

    /// Cycles from input to output, 0 where nothing is said.
    pub fn latency(&self) -> u64 {
        match self.attr("latency") {
            Some(FuncAttr::Int(n)) => *n,
            _ => 0,
        }
    }

    /// The parameter of clock type, if any.
    pub fn clock(&self) -> Option<Value> {
        self.params.iter().map(|p| p.value).find(|&v| self.ty(v) == Type::CLOCK)
    }

    /// Number of uses of every value, results of the function included.
    pub fn use_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.values.len()];
        for op in &self.ops {
            for v in &self.operands[op.operands as usize..][..op.operand_count as usize] {
                counts[v.index()] += 1;
            }
        }
        for port in &self.results {
            counts[port.value.index()] += 1;
        }
        counts
    }

    /// Bytes on the heap, for what a program says about its memory. Names and wide tables count by their contents.
    pub fn heap_bytes(&self) -> usize {
        fn bytes<T>(v: &Vec<T>) -> usize {
            v.capacity() * size_of::<T>()
        }
        let tables: usize = self.tables.iter().map(|t| t.len() * 8).sum();
        let names: usize = self.names.values().map(|n| n.len()).sum();
        bytes(&self.ops)
            + bytes(&self.operands)
            + bytes(&self.values)
            + bytes(&self.tables)
            + tables
            + self.names.capacity() * (size_of::<(Value, Box<str>)>() + 1)
            + names
            + self.locs.heap_bytes()
    }

    /// Gives back memory that growth left over.
    pub fn shrink_to_fit(&mut self) {
        self.ops.shrink_to_fit();
        self.operands.shrink_to_fit();
        self.values.shrink_to_fit();
        self.names.shrink_to_fit();
        self.locs.shrink_to_fit();
    }

    // ---- building

    fn type_id(&mut self, ty: Type) -> u16 {
        let found = self.types.iter().rposition(|&t| t == ty);
        found.unwrap_or_else(|| {
            self.types.push(ty);
            self.types.len() - 1
        }) as u16
    }

    /// Adds a parameter.
    pub fn add_param(&mut self, name: impl Into<String>, ty: Type) -> Value {
        let ty = self.type_id(ty);
        let value = Value::new(self.values.len());
        self.values.push(ValueData { ty, result: 0, def: PARAM | self.params.len() as u32 });
        self.params.push(Port { name: name.into(), value });
        value
    }

    /// Adds a result.
    pub fn add_result(&mut self, name: impl Into<String>, value: Value) {
        self.results.push(Port { name: name.into(), value });
    }

    /// Sets an attribute, keeping them sorted.
    pub fn set_attr(&mut self, name: &str, attr: FuncAttr) {
        match self.attrs.binary_search_by(|(n, _)| n.as_str().cmp(name)) {
            Ok(i) => self.attrs[i].1 = attr,
            Err(i) => self.attrs.insert(i, (name.into(), attr)),
        }
    }

    /// Names a value (printed instead of its number). Parameters have their port's name.
    pub fn set_name(&mut self, value: Value, name: impl Into<Box<str>>) {
        self.names.insert(value, name.into());
    }

    /// Appends an op with results of the given types (as many as its kind has).
    pub fn push(&mut self, kind: OpKind, operands: &[Value], types: &[Type], loc: LocId) -> OpId {
        debug_assert_eq!(types.len(), kind.info().results);
        let id = OpId::new(self.ops.len());
        let data = OpData {
            kind,
            operands: self.operands.len() as u32,
            operand_count: operands.len() as u32,
            results: self.values.len() as u32,
            loc,
        };
        self.ops.push(data);
        self.operands.extend_from_slice(operands);
        for (i, &ty) in types.iter().enumerate() {
            let ty = self.type_id(ty);
            self.values.push(ValueData { ty, result: i as u16, def: id.0 });
        }
        id
    }

    /// Appends an op of one result and returns that.
    pub fn push1(&mut self, kind: OpKind, operands: &[Value], ty: Type, loc: LocId) -> Value {
        let op = self.push(kind, operands, &[ty], loc);
        self.op(op).result()
    }

    /// A lookup table of 1 to 6 bits. Bits of `table` above `2^k` must be 0.
    pub fn lut(&mut self, table: u64, inputs: &[Value], loc: LocId) -> Value {
        self.push1(OpKind::Lut { table }, inputs, Type::BIT, loc)
    }

    /// A lookup table of 7 to 16 bits: `2^k / 64` words.
    pub fn lut_wide(&mut self, table: &[u64], inputs: &[Value], loc: LocId) -> Value {
        let table = self.add_table(table.into());
        self.push1(OpKind::LutWide { table }, inputs, Type::BIT, loc)
    }

    /// Keeps a wide truth table.
    pub fn add_table(&mut self, table: Box<[u64]>) -> TableId {
        self.tables.push(table);
        TableId::new(self.tables.len() - 1)
    }

    /// Keeps the name of an op from outside.
    pub fn add_extern(&mut self, name: &str) -> ExternId {
        let found = self.externs.iter().position(|n| n == name);
        ExternId::new(found.unwrap_or_else(|| {
            self.externs.push(name.into());
            self.externs.len() - 1
        }))
    }

    /// A constant of a scalar type.
    pub fn constant(&mut self, value: u64, ty: Type) -> Value {
        self.push1(OpKind::Const { value }, &[], ty, LocId::UNKNOWN)
    }

    /// `ty` out of a packed value, from bit `offset` on.
    pub fn extract(&mut self, value: Value, offset: usize, ty: Type, loc: LocId) -> Value {
        self.push1(OpKind::Extract { offset: offset as u32 }, &[value], ty, loc)
    }

    /// Values put together, lowest bits first.
    pub fn pack(&mut self, parts: &[Value], ty: Type, loc: LocId) -> Value {
        self.push1(OpKind::Pack {}, parts, ty, loc)
    }

    /// The sum of bits and words in `width` bits.
    pub fn sum(&mut self, parts: &[Value], width: u8, loc: LocId) -> Value {
        self.push1(OpKind::Sum {}, parts, Type::word(width), loc)
    }

    /// Index of the largest of words, ties to the lowest.
    pub fn word_argmax(&mut self, words: &[Value], loc: LocId) -> Value {
        let ty = Type::word(bits_for(words.len().saturating_sub(1) as u64));
        self.push1(OpKind::WordArgmax { tie: Tie::Lowest }, words, ty, loc)
    }

    /// A register of one bit.
    pub fn reg(&mut self, d: Value, clock: Value, stage: u32, loc: LocId) -> Value {
        self.push1(OpKind::Reg { stage, init: false }, &[d, clock], Type::BIT, loc)
    }

    // ---- changing

    /// Changes what an op does; operands and results stay.
    pub fn set_kind(&mut self, id: OpId, kind: OpKind) {
        debug_assert_eq!(kind.info().results, self.ops[id.index()].kind.info().results);
        self.ops[id.index()].kind = kind;
    }

    /// Changes an op's operands.
    pub fn set_operands(&mut self, id: OpId, operands: &[Value]) {
        let data = &mut self.ops[id.index()];
        if operands.len() > data.operand_count as usize {
            data.operands = self.operands.len() as u32;
            self.operands.extend_from_slice(operands);
        } else {
            self.operands[data.operands as usize..][..operands.len()].copy_from_slice(operands);
        }
        self.ops[id.index()].operand_count = operands.len() as u32;
    }

    /// Changes where an op came from.
    pub fn set_loc(&mut self, id: OpId, loc: LocId) {
        self.ops[id.index()].loc = loc;
    }

    /// Redirects every use of a value, in ops and results: `map[value]` is what to use instead (itself: unchanged).
    /// Followed to its end, so that a chain `a -> b -> c` lands at `c`. The chain must have an end.
    pub fn replace_uses(&mut self, map: &[Value]) {
        let resolve = |v: Value| {
            let mut to = v;
            while let Some(&next) = map.get(to.index()).filter(|&&next| next != to) {
                to = next;
            }
            to
        };
        for i in 0..self.ops.len() {
            let data = self.ops[i];
            for v in &mut self.operands[data.operands as usize..][..data.operand_count as usize] {
                *v = resolve(*v);
            }
        }
        for port in &mut self.results {
            port.value = resolve(port.value);
        }
    }

    /// Drops dead ops, restores program order (stable: ops move only where they must) and makes ids dense. Returns the
    /// new value of each old one, `None` where it is gone. A combinational cycle is kept, for the verifier to report.
    pub fn tidy(&mut self) -> Vec<Option<Value>> {
        let order = crate::order::schedule(self, false).unwrap_or_else(|_| {
            let live = crate::order::live_ops(self);
            self.op_ids().filter(|id| live[id.index()]).collect()
        });
        let old = std::mem::replace(self, self.new_like());
        let mut map: Vec<Option<Value>> = vec![None; old.values.len()];
        self.types.clone_from(&old.types);
        for port in &old.params {
            map[port.value.index()] = Some(self.add_param(port.name.clone(), old.ty(port.value)));
        }
        let mut next = self.values.len() as u32;
        for &id in &order {
            for v in old.op(id).results() {
                map[v.index()] = Some(Value(next));
                next += 1;
            }
        }
        let mut kept: FxHashMap<LocId, LocId> = FxHashMap::default();
        self.locs = Locs::default();
        let (mut operands, mut types) = (Vec::new(), Vec::new());
        for id in order {
            let op = old.op(id);
            operands.clear();
            operands.extend(op.operands.iter().map(|v| map[v.index()].unwrap_or(*v)));
            types.clear();
            types.extend(op.results().map(|v| old.ty(v)));
            let kind = match op.kind {
                OpKind::LutWide { table } => OpKind::LutWide { table: self.add_table(old.table(table).into()) },
                OpKind::Extern { op } => OpKind::Extern { op: self.add_extern(old.extern_name(op)) },
                kind => kind,
            };
            let loc = self.locs.import(op.loc, &old.locs, &mut kept);
            self.push(kind, &operands, &types, loc);
        }
        self.results = old.results;
        for port in &mut self.results {
            port.value = map[port.value.index()].unwrap_or(port.value);
        }
        self.names = old.names.into_iter().filter_map(|(v, n)| Some((map[v.index()]?, n))).collect();
        map
    }
}

//! The structure of designs: which ops of two designs are the same op on the same inputs.
//!
//! Every value gets a number, and equal numbers mean equal structure, exactly: ops are interned by what they do, their
//! constant data and the numbers of their operands. Inputs are equal by name and type. Where registers close a loop, all
//! registers are cut and matched by their order, and what feeds each counts as an output.

use blc_ir::ops::Attr;
use blc_ir::order::{is_register, schedule};
use blc_ir::{Def, Func, Module, OpId, OpKind, Type, Value};
use rustc_hash::FxHashMap;

/// What makes an op what it is.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    what: String,
    operands: Vec<u32>,
    types: Vec<Type>,
}

/// The numbers of several designs.
#[derive(Default)]
pub struct Structures {
    numbers: FxHashMap<Key, u32>,
}

/// The numbers of one function.
pub struct Numbered<'a> {
    pub f: &'a Func,
    /// By value; of those that are not live `None`.
    values: Vec<Option<u32>>,
    /// Whether registers were cut.
    pub loops: bool,
}

impl Numbered<'_> {
    /// The number of a value.
    pub fn of(&self, v: Value) -> Option<u32> {
        self.values.get(v.index()).copied().flatten()
    }

    /// What the function gives, by name: its results and, where registers close a loop, what feeds them.
    pub fn roots(&self) -> Vec<(String, Value)> {
        let results = self.f.results.iter().map(|port| (port.name.clone(), port.value));
        let registers = self.f.ops().filter(|(_, op)| self.loops && is_register(op.kind));
        let registers = registers.enumerate().map(|(i, (_, op))| (format!("register {i}"), op.operands[0]));
        results.chain(registers).collect()
    }

    /// Numbers of the live ops' first results.
    pub fn ops(&self) -> impl Iterator<Item = (OpId, u32)> + '_ {
        self.f.ops().filter_map(|(id, op)| Some((id, self.of(op.result())?)))
    }
}

impl Structures {
    fn number(&mut self, what: String, operands: Vec<u32>, types: Vec<Type>) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(Key { what, operands, types }).or_insert(next)
    }

    /// Numbers a function of a verified module.
    pub fn add<'a>(&mut self, module: &Module, f: &'a Func) -> Numbered<'a> {
        let (order, loops) = match schedule(f, true) {
            Ok(order) => (order, false),
            // Without combinational cycles, which the verifier refuses, the other order is there.
            Err(_) => (schedule(f, false).unwrap_or_default(), true),
        };
        let mut values: Vec<Option<u32>> = vec![None; f.value_count()];
        for port in &f.params {
            values[port.value.index()] = Some(self.number(format!("in {}", port.name), vec![], vec![f.ty(port.value)]));
        }
        let registers = f.op_ids().filter(|&id| loops && is_register(f.op(id).kind));
        for (i, id) in registers.enumerate() {
            let op = f.op(id);
            let what = format!("register {i} {}", told(module, f, op.kind));
            values[op.result().index()] = Some(self.number(what, vec![], vec![f.ty(op.result())]));
        }
        for id in order {
            let op = f.op(id);
            if loops && is_register(op.kind) {
                continue;
            }
            let operands: Vec<u32> = op.operands.iter().map(|v| values[v.index()].unwrap_or(u32::MAX)).collect();
            let types: Vec<Type> = op.results().map(|v| f.ty(v)).collect();
            let what = told(module, f, op.kind);
            for (i, v) in op.results().enumerate() {
                let what = if i == 0 { what.clone() } else { format!("{i} of {what}") };
                values[v.index()] = Some(self.number(what, operands.clone(), types.clone()));
            }
        }
        Numbered { f, values, loops }
    }

    /// The number of a whole function: its kind, its inputs and what it gives, whatever it is called.
    pub fn function(&mut self, module: &Module, f: &Func) -> u32 {
        let numbered = self.add(module, f);
        let ports: Vec<&str> = f.params.iter().map(|p| p.name.as_str()).collect();
        let names: Vec<String> = numbered.roots().into_iter().map(|(name, _)| name).collect();
        let operands = numbered.roots().into_iter().map(|(_, v)| numbered.of(v).unwrap_or(u32::MAX)).collect();
        let types = f.params.iter().map(|p| f.ty(p.value)).collect();
        self.number(format!("{:?} {ports:?} {names:?}", f.kind), operands, types)
    }
}

/// An op without its operands, its constant data by what it is.
fn told(module: &Module, f: &Func, kind: OpKind) -> String {
    let mut text = kind.info().mnemonic.to_owned();
    for attr in kind.attrs() {
        text += &match (attr, kind) {
            (Attr::Int(_), OpKind::Extern { op }) => format!(" {:?}", f.extern_name(op)),
            (Attr::Table(id), _) => format!(" {:x?}", f.table(id)),
            (Attr::Resource(id), _) => match module.resource(id).map(|r| (&r.shape, &r.data)) {
                Some((shape, Some(data))) => format!(" {shape:?} {} {}", data.dtype(), data.sha256()),
                _ => " ?".into(),
            },
            (other, _) => format!(" {other:?}"),
        };
    }
    text
}

/// Two values of different numbers, followed down to the first op that is another one: as long as both are made by the
/// same op, on to the first of its operands that differ.
pub fn first_difference(a: (&Module, &Numbered<'_>, Value), b: (&Module, &Numbered<'_>, Value)) -> (Value, Value) {
    let (mut v, mut w) = (a.2, b.2);
    let (f, g) = (a.1.f, b.1.f);
    let cut = a.1.loops || b.1.loops;
    // Every step goes to values that are made earlier, unless a loop is transparent, and then it is cut.
    while let (Def::Result(x, i), Def::Result(y, j)) = (f.def(v), g.def(w)) {
        let (x, y) = (f.op(x), g.op(y));
        let same = i == j && x.operands.len() == y.operands.len() && told(a.0, f, x.kind) == told(b.0, g, y.kind);
        if !same || (cut && is_register(x.kind)) {
            break;
        }
        match x.operands.iter().zip(y.operands).find(|(p, q)| a.1.of(**p) != b.1.of(**q)) {
            Some((&p, &q)) => (v, w) = (p, q),
            None => break,
        }
    }
    (v, w)
}

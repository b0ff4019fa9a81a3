//! A function with the words of a choice.

use blc_ir::types::bits_for;
use blc_ir::{Func, LocId, OpKind, Tie, Type, Value};
use egg::Id;
use rustc_hash::FxHashMap;

use super::super::choice::Choice;
use super::form::digits;
use super::lang::Node;
use super::price::{heights, shifted};
use super::read::Words;
use crate::rebuild::{Bits, Rebuild};

/// Writes a choice; `None` where something would be read before it is there.
pub fn write(f: &Func, words: &Words, choice: &Choice<Node>) -> Option<Func> {
    let mut locs: FxHashMap<Id, LocId> = FxHashMap::default();
    for (_, op) in f.ops().filter(|(id, _)| words.has(f, *id)) {
        locs.entry(words.graph.egg.find(words.of[&op.result()])).or_insert(op.loc);
    }
    let rebuild = Rebuild::new(f);
    let mut writer = Writer {
        words,
        choice,
        locs,
        rebuild,
        bits: Bits::default(),
        values: FxHashMap::default(),
        loc: LocId::UNKNOWN,
    };
    for (id, op) in f.ops().filter(|(id, _)| !words.has(f, *id)) {
        op.operands.iter().try_for_each(|&v| writer.demand(v))?;
        writer.rebuild.copy(id);
    }
    f.results.iter().try_for_each(|port| writer.demand(port.value))?;
    Some(writer.rebuild.finish())
}

struct Writer<'a> {
    words: &'a Words,
    choice: &'a Choice<Node>,
    locs: FxHashMap<Id, LocId>,
    rebuild: Rebuild<'a>,
    bits: Bits,
    values: FxHashMap<Id, Value>,
    /// Of the op that is asked for.
    loc: LocId,
}

impl Writer<'_> {
    /// Sees to it that an old value is there.
    fn demand(&mut self, v: Value) -> Option<()> {
        let Some(&id) = self.words.of.get(&v) else { return self.rebuild.has(v).then_some(()) };
        if self.rebuild.has(v) {
            return Some(());
        }
        let root = self.words.graph.egg.find(id);
        self.loc = self.locs.get(&root).copied().unwrap_or(LocId::UNKNOWN);
        for id in self.choice.order(&[root])? {
            if !self.values.contains_key(&id) {
                let value = self.build(id)?;
                self.values.insert(id, value);
            }
        }
        let value = *self.values.get(&root)?;
        let value = self.fit(value, self.rebuild.old.ty(v));
        self.rebuild.set(v, value);
        Some(())
    }

    /// A number in another type that it fits.
    fn fit(&mut self, value: Value, ty: Type) -> Value {
        let f = &mut self.rebuild.new;
        let (from, to) = (f.ty(value).total_bits(), ty.total_bits());
        match (f.ty(value) == ty, from < to) {
            (true, _) => value,
            (false, true) => {
                let zeros = f.constant(0, Type::word((to - from) as u8));
                f.pack(&[value, zeros], ty, LocId::UNKNOWN)
            }
            (false, false) if from == to => f.pack(&[value], ty, LocId::UNKNOWN),
            _ => f.extract(value, 0, ty, LocId::UNKNOWN),
        }
    }

    /// The number that a class is, in as many bits as it needs.
    fn build(&mut self, id: Id) -> Option<Value> {
        let words = self.words;
        let graph = &words.graph;
        let loc = self.locs.get(&id).copied().unwrap_or(self.loc);
        let number = |id: Id| Some(graph.known(id)).filter(|k| k.min == k.max).map(|k| k.max);
        let word = |bits: u8| Type::word(bits);
        let value = match self.choice.of.get(&id) {
            None => {
                let atom =
                    graph.egg[id].nodes.iter().find_map(|n| if let Node::Atom(i) = n { Some(*i) } else { None })?;
                let atom = words.atoms[atom as usize];
                self.rebuild.has(atom).then(|| self.rebuild.get(atom))?
            }
            Some(node @ Node::Sum(..)) => self.sum(id, node, loc)?,
            Some(Node::Gt([a, b])) => {
                let values = [self.values[a], self.values[b]];
                let f = &mut self.rebuild.new;
                match (number(*a), number(*b)) {
                    (_, Some(bound)) => f.push1(OpKind::GtConst { bound }, &values[..1], Type::BIT, loc),
                    (Some(0), None) => f.constant(0, Type::BIT),
                    (Some(a), None) => {
                        let bit = f.push1(OpKind::GtConst { bound: a - 1 }, &values[1..], Type::BIT, loc);
                        f.lut(0x1, &[bit], loc)
                    }
                    _ => f.push1(OpKind::Gt {}, &values, Type::BIT, loc),
                }
            }
            Some(Node::Argmax(ids)) => {
                let operands: Vec<Value> = ids.iter().map(|id| self.values[id]).collect();
                let ty = word(bits_for(ids.len() as u64 - 1));
                self.rebuild.new.push1(OpKind::WordArgmax { tie: Tie::Lowest }, &operands, ty, loc)
            }
            Some(Node::Mux([s, a, b])) => {
                let ty = word(graph.width(*a).max(graph.width(*b)));
                let s = self.fit(self.values[s], Type::BIT);
                let (a, b) = (self.fit(self.values[a], ty), self.fit(self.values[b], ty));
                self.rebuild.new.push1(OpKind::Mux {}, &[s, a, b], ty, loc)
            }
            Some(Node::Atom(_)) => return None,
        };
        let bit = self.rebuild.new.ty(value) == Type::BIT && graph.width(id) == 1;
        Some(if bit { value } else { self.fit(value, word(graph.width(id))) })
    }

    /// A sum; where no column has two ones, wires.
    fn sum(&mut self, id: Id, node: &Node, loc: LocId) -> Option<Value> {
        let graph = &self.words.graph;
        let form = node.form()?;
        let width = graph.width(id);
        let wires = heights(graph, id, node)?.iter().all(|&h| h < 2);
        let mut constant = form.constant;
        let mut parts: Vec<(usize, Value)> = Vec::new();
        for (id, weight) in form.terms {
            let value = self.values[&id];
            let bits = self.rebuild.new.ty(value).total_bits();
            for (column, minus) in digits(weight, width) {
                constant -= if minus { ((1 << bits) - 1) << column } else { 0 };
                let value = if minus { self.complement(value, loc) } else { value };
                parts.push((column as usize, value));
            }
        }
        let constant = constant.rem_euclid(1 << width) as u64;
        let f = &mut self.rebuild.new;
        if !wires {
            let mut operands: Vec<Value> = parts.into_iter().map(|(column, value)| shifted(f, value, column)).collect();
            if constant != 0 {
                operands.push(f.constant(constant, Type::word(bits_for(constant))));
            }
            return Some(f.sum(&operands, width, loc));
        }
        if parts.is_empty() {
            return Some(f.constant(constant, Type::word(width)));
        }
        let mut columns: Vec<Option<Value>> = vec![None; width.into()];
        for (column, value) in parts {
            for (at, bit) in columns[column..].iter_mut().zip(self.bits.all(f, value)) {
                *at = Some(bit);
            }
        }
        let bit = |(c, bit): (usize, Option<Value>)| bit.unwrap_or_else(|| f.constant(constant >> c & 1, Type::BIT));
        let bits: Vec<Value> = columns.into_iter().enumerate().map(bit).collect();
        Some(f.pack(&bits, Type::word(width), LocId::UNKNOWN))
    }

    /// All bits inverted.
    fn complement(&mut self, value: Value, loc: LocId) -> Value {
        let f = &mut self.rebuild.new;
        let ty = f.ty(value);
        let bits: Vec<Value> = self.bits.all(f, value).into_iter().map(|bit| f.lut(0x1, &[bit], loc)).collect();
        self.bits.pack(f, &bits, ty)
    }
}

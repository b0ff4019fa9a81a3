//! The words of a function as an e-graph; all else is atoms of it.

use blc_ir::{Func, Op, OpId, OpKind, Type, Value};
use egg::{Id, Language};
use rustc_hash::FxHashMap;

use super::super::choice::Choice;
use super::form::{Form, digits};
use super::lang::{Graph, Node, WIDTH};

/// Most packs inside of each other that are looked through.
const DEPTH: usize = 8;

/// What was read.
pub struct Words {
    pub graph: Graph,
    /// The class of each result of an op that is in the graph.
    pub of: FxHashMap<Value, Id>,
    /// What each atom is.
    pub atoms: Vec<Value>,
    /// E-nodes of what was there.
    start: Vec<(Id, Node)>,
    /// Whether it is better already for being read: by weights, by widths, or because words are equal.
    pub better: bool,
    by_value: FxHashMap<Value, Id>,
}

/// Reads a function's words; `None` where it has none.
pub fn read(f: &Func) -> Option<Words> {
    if !f.ops().any(|(_, op)| matches!(op.kind, OpKind::Sum {} | OpKind::WordArgmax { .. })) {
        return None;
    }
    let mut words = Words {
        graph: Graph::default(),
        of: FxHashMap::default(),
        atoms: Vec::new(),
        start: Vec::new(),
        better: false,
        by_value: FxHashMap::default(),
    };
    for (_, op) in f.ops() {
        if let Some(class) = words.op(f, op) {
            let bits = f.ty(op.result()).total_bits();
            words.better |= usize::from(words.graph.width(class)) < bits && matches!(op.kind, OpKind::Sum {});
            words.of.insert(op.result(), class);
        }
    }
    words.graph.egg.rebuild();
    Some(words)
}

impl Words {
    /// The words as they were, as far as they are still told apart.
    pub fn start(&self) -> Choice<Node> {
        let mut choice = Choice::default();
        for (id, node) in &self.start {
            let id = self.graph.egg.find(*id);
            if !self.graph.egg[id].nodes.iter().any(|n| matches!(n, Node::Atom(_))) {
                choice.of.entry(id).or_insert_with(|| node.clone().map_children(|id| self.graph.egg.find(id)));
            }
        }
        choice
    }

    /// The class of an op that is in the graph.
    fn op(&mut self, f: &Func, op: Op<'_>) -> Option<Id> {
        let of_word = |ty: Type| ty.is_scalar() && ty.total_bits() <= usize::from(WIDTH);
        if op.results().len() != 1 || !of_word(f.ty(op.result())) || !op.operands.iter().all(|&v| of_word(f.ty(v))) {
            return None;
        }
        match op.kind {
            OpKind::Sum {} => {
                let mut sum = Form::default();
                op.operands.iter().for_each(|&v| sum.add(&self.operand(f, v, 0), 1));
                let width = f.ty(op.result()).total_bits() as u8;
                sum.tidy();
                let plain = |w: i128| w.rem_euclid(1 << width).count_ones() as usize;
                self.better |= sum.terms.iter().any(|&(_, w)| w > 0 && digits(w, width).len() < plain(w));
                Some(self.class(sum, width))
            }
            OpKind::Gt {} => {
                let words = [0, 1].map(|i| self.word(f, op.operands[i]));
                Some(self.node(Node::Gt(words)))
            }
            // A comparison of what is no sum belongs to an encoder.
            OpKind::GtConst { bound } if self.of.contains_key(&op.operands[0]) && bound >> WIDTH == 0 => {
                let word = self.word(f, op.operands[0]);
                let bound = self.class(Form::number(bound.into()), WIDTH);
                Some(self.node(Node::Gt([word, bound])))
            }
            OpKind::WordArgmax { .. } => {
                let words = op.operands.iter().map(|&v| self.word(f, v)).collect();
                Some(self.node(Node::Argmax(words)))
            }
            OpKind::Mux {} if f.ty(op.result()) != Type::BIT => {
                let words = [0, 1, 2].map(|i| self.word(f, op.operands[i]));
                Some(self.node(Node::Mux(words)))
            }
            _ => None,
        }
    }

    fn node(&mut self, node: Node) -> Id {
        let known = self.graph.egg.lookup(node.clone());
        self.better |= known.is_some();
        let id = self.graph.egg.add(node.clone());
        self.start.push((id, node));
        id
    }

    fn word(&mut self, f: &Func, v: Value) -> Id {
        let form = self.operand(f, v, 0);
        self.class(form, WIDTH)
    }

    fn class(&mut self, form: Form, width: u8) -> Id {
        let classes = self.graph.egg.number_of_classes();
        let (id, node) = self.graph.sum_of_sums(form, width);
        self.better |=
            node.as_ref().is_some_and(|n| n.children().len() > 1) && self.graph.egg.number_of_classes() == classes;
        self.start.extend(node.map(|node| (id, node)));
        id
    }

    /// An operand as a form: constants, complements and packed bits are seen through.
    fn operand(&mut self, f: &Func, v: Value, depth: usize) -> Form {
        if let Some(&id) = self.of.get(&v) {
            return Form::of(self.graph.egg.find(id));
        }
        if let Some(op) = f.def_op(v).map(|op| f.op(op)).filter(|_| depth < DEPTH) {
            match (op.kind, op.operands) {
                (OpKind::Const { value }, _) => return Form::number(value.into()),
                (OpKind::Lut { table: 0x1 }, &[input]) => {
                    return Form::number(1).plus(&self.operand(f, input, depth + 1), -1);
                }
                (OpKind::Pack {}, parts) if parts.iter().all(|&v| f.ty(v).is_scalar()) => {
                    let mut sum = Form::default();
                    let mut column = 0;
                    for &part in parts {
                        sum.add(&self.operand(f, part, depth + 1), 1 << column);
                        column += f.ty(part).total_bits();
                    }
                    return sum;
                }
                _ => {}
            }
        }
        let id = *self.by_value.entry(v).or_insert_with(|| {
            self.atoms.push(v);
            self.graph.atom(f.ty(v).total_bits() as u8)
        });
        Form::of(self.graph.egg.find(id))
    }

    /// Whether an op is in the graph.
    pub fn has(&self, f: &Func, id: OpId) -> bool {
        f.op(id).results().all(|v| self.of.contains_key(&v))
    }
}

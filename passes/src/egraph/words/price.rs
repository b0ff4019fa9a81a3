//! What words cost: each kind of op is built once for each shape, as `lower-head` builds it, and counted.

use blc_ir::{Func, FuncKind, LocId, OpKind, Resource, Type, Value};
use egg::Id;
use rustc_hash::FxHashMap;

use super::form::digits;
use super::lang::{Graph, Node};
use crate::cost::Cost;
use crate::fold::Fold;
use crate::lower_encoder::LowerEncoder;
use crate::lower_head::{LowerHead, LowerHeadOptions};
use crate::pass::{Abort, NoOptions, PassCx, PassSpec};

/// All that the cost of an op depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Shape {
    /// Bits by column.
    Sum(Vec<u16>),
    Gt(u8, u8),
    GtConst(u8, u64),
    Argmax(Vec<u8>),
    Mux(u8),
}

/// Prices, and how many may still be asked for.
pub struct Prices {
    lowering: LowerHeadOptions,
    known: FxHashMap<Shape, u64>,
    pub left: usize,
}

impl Prices {
    pub fn new(lowering: LowerHeadOptions, most: usize) -> Self {
        Self { lowering, known: FxHashMap::default(), left: most }
    }

    /// Sites of an e-node; `None` where no more prices may be asked for.
    pub fn of(&mut self, graph: &Graph, class: Id, node: &Node) -> Option<u64> {
        let Some(shape) = shape(graph, class, node) else { return Some(0) };
        if let Some(&known) = self.known.get(&shape) {
            return Some(known);
        }
        self.left = self.left.checked_sub(1)?;
        let [price, ..] = lowered(&shape.func(), &self.lowering).ok()?;
        self.known.insert(shape, price);
        Some(price)
    }
}

/// Sites, functions and levels of a function once its words are lowered.
pub fn lowered(f: &Func, lowering: &LowerHeadOptions) -> Result<[u64; 3], Abort> {
    let mut f = f.clone();
    let mut resources: Vec<Resource> = Vec::new();
    let cx = &mut PassCx::new(&mut resources);
    let passes = [LowerEncoder::build(NoOptions {}), LowerHead::build(lowering.clone()), Fold::build(NoOptions {})];
    for mut pass in passes {
        pass.run(&mut f, cx)?;
        f.tidy();
    }
    Ok(Cost::default().count(&f))
}

/// The ones of a sum by column; each digit of a weight is the bits of its class, shifted.
pub fn heights(graph: &Graph, class: Id, node: &Node) -> Option<Vec<u16>> {
    let form = node.form()?;
    let width = graph.width(class);
    let mut heights = vec![0u16; width.into()];
    let mut constant = form.constant;
    for (id, weight) in form.terms {
        let bits = u32::from(graph.width(id));
        for (column, minus) in digits(weight, width) {
            // Minus a word is its complement less all ones.
            constant -= if minus { ((1 << bits) - 1) << column } else { 0 };
            heights.iter_mut().skip(column as usize).take(bits as usize).for_each(|h| *h = h.saturating_add(1));
        }
    }
    heights.iter_mut().enumerate().filter(|(c, _)| constant >> c & 1 == 1).for_each(|(_, h)| *h = h.saturating_add(1));
    Some(heights)
}

/// `None` for wires.
fn shape(graph: &Graph, class: Id, node: &Node) -> Option<Shape> {
    let number = |id: Id| Some(graph.known(id)).filter(|k| k.min == k.max).map(|k| k.max);
    match node {
        Node::Atom(_) => None,
        Node::Sum(..) => {
            let heights = heights(graph, class, node)?;
            heights.iter().any(|&h| h > 1).then_some(Shape::Sum(heights))
        }
        Node::Gt([a, b]) => Some(match (number(*a), number(*b)) {
            (_, Some(bound)) => Shape::GtConst(graph.width(*a), bound),
            (Some(a), None) => Shape::GtConst(graph.width(*b), a.saturating_sub(1)),
            _ => Shape::Gt(graph.width(*a), graph.width(*b)),
        }),
        Node::Argmax(words) => {
            Some(Shape::Argmax(words.iter().map(|&w| if number(w) == Some(0) { 0 } else { graph.width(w) }).collect()))
        }
        Node::Mux([_, a, b]) => Some(Shape::Mux(graph.width(*a).max(graph.width(*b)))),
    }
}

impl Shape {
    /// A function of this op alone.
    fn func(&self) -> Func {
        const LOC: LocId = LocId::UNKNOWN;
        let mut f = Func::new("price", FuncKind::Func);
        let word = |f: &mut Func, bits: u8| match bits {
            0 => f.constant(0, Type::word(1)),
            bits => f.add_param(format!("x{}", f.params.len()), Type::word(bits)),
        };
        let value = match self {
            Self::Sum(heights) => {
                let mut parts: Vec<Value> = Vec::new();
                for (column, &height) in heights.iter().enumerate() {
                    for _ in 0..height {
                        let bit = f.add_param(format!("x{}", f.params.len()), Type::BIT);
                        parts.push(shifted(&mut f, bit, column));
                    }
                }
                f.sum(&parts, heights.len() as u8, LOC)
            }
            Self::Gt(a, b) => {
                let operands = [*a, *b].map(|bits| word(&mut f, bits));
                f.push1(OpKind::Gt {}, &operands, Type::BIT, LOC)
            }
            Self::GtConst(bits, bound) => {
                let operand = word(&mut f, *bits);
                f.push1(OpKind::GtConst { bound: *bound }, &[operand], Type::BIT, LOC)
            }
            Self::Argmax(widths) => {
                let words: Vec<Value> = widths.iter().map(|&bits| word(&mut f, bits)).collect();
                f.word_argmax(&words, LOC)
            }
            Self::Mux(bits) => {
                let (a, b) = (word(&mut f, *bits), word(&mut f, *bits));
                let s = f.add_param("s", Type::BIT);
                f.push1(OpKind::Mux {}, &[s, a, b], Type::word(*bits), LOC)
            }
        };
        f.add_result("y", value);
        f
    }
}

/// A value times a power of two.
pub fn shifted(f: &mut Func, value: Value, by: usize) -> Value {
    if by == 0 {
        return value;
    }
    let zeros = f.constant(0, Type::word(by as u8));
    let bits = f.ty(value).total_bits();
    f.pack(&[zeros, value], Type::word((by + bits) as u8), LocId::UNKNOWN)
}

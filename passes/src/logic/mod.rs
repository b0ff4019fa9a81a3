//! A function's LUTs as a graph that can be simulated, reasoned about and changed in place.
//!
//! Every bit of the function is a node: a LUT of up to six inputs, or a leaf (an input, a constant, what words and wide
//! tables give). Of some leaves it is known that they never take all values together: comparisons of one word with rising
//! bounds are a thermometer code, of which a bit is 1 only where the one before is ([`Logic::chains`]).

mod isop;
pub mod proof;
pub mod samples;

use blc_ir::table::{mask, support, swap, widen};
use blc_ir::{Func, LocId, OpId, OpKind, Type, Value};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::rebuild::Rebuild;

/// Most inputs of a node.
pub const MAX_INPUTS: usize = 6;

/// The nodes that a node reads.
pub type Inputs = SmallVec<[u32; MAX_INPUTS]>;

/// A LUT or a leaf.
#[derive(Clone, Debug)]
pub struct Node {
    /// Widened; of a leaf without meaning.
    pub table: u64,
    /// None for a leaf and for a constant.
    pub inputs: Inputs,
    /// The value is made by something other than a LUT of up to six inputs.
    pub leaf: bool,
    /// What it was read from, or for a new node what it stands beside.
    value: Value,
    changed: bool,
    new: bool,
}

/// See the module's words.
#[derive(Clone, Debug, Default)]
pub struct Logic {
    /// Ids are positions. As read they are a topological order; [`Logic::order`] gives one after changes.
    pub nodes: Vec<Node>,
    /// Leaves that are a thermometer code, the bit that is 1 most often first.
    pub chains: Vec<Vec<u32>>,
    /// By node, whether something other than a LUT reads it.
    pub root: Vec<bool>,
}

impl Logic {
    /// Reads a function at bit level, program order defining before use.
    pub fn read(f: &Func) -> Self {
        let mut logic = Self::default();
        let mut of: Vec<u32> = vec![u32::MAX; f.value_count()];
        let mut codes: FxHashMap<Value, Vec<(u64, u32)>> = FxHashMap::default();
        let mut words = Vec::new();
        for port in f.params.iter().filter(|p| f.ty(p.value) == Type::BIT) {
            of[port.value.index()] = logic.leaf(port.value);
        }
        for (_, op) in f.ops() {
            match op.kind {
                OpKind::Lut { table } => {
                    let inputs: Inputs = op.operands.iter().map(|v| of[v.index()]).collect();
                    let table = widen(table, inputs.len());
                    of[op.result().index()] = logic.push(table, inputs, false, op.result());
                }
                OpKind::Const { value } if f.ty(op.result()) == Type::BIT => {
                    let table = (value & 1).wrapping_neg();
                    of[op.result().index()] = logic.push(table, Inputs::new(), false, op.result());
                }
                _ => {
                    for v in op.results().filter(|&v| f.ty(v) == Type::BIT) {
                        of[v.index()] = logic.leaf(v);
                    }
                    if let OpKind::GtConst { bound } = op.kind {
                        let code = codes.entry(op.operands[0]).or_insert_with(|| {
                            words.push(op.operands[0]);
                            Vec::new()
                        });
                        code.push((bound, of[op.result().index()]));
                    }
                }
            }
        }
        for word in words {
            let mut code = codes.remove(&word).unwrap_or_default();
            code.sort_unstable();
            logic.chains.push(code.into_iter().map(|(_, leaf)| leaf).collect());
        }
        logic.root = vec![false; logic.nodes.len()];
        let read = f.ops().filter(|(_, op)| !matches!(op.kind, OpKind::Lut { .. })).flat_map(|(_, op)| op.operands);
        for v in read.copied().chain(f.results.iter().map(|p| p.value)) {
            if let Some(root) = logic.root.get_mut(of[v.index()] as usize) {
                *root = true;
            }
        }
        logic
    }

    fn leaf(&mut self, value: Value) -> u32 {
        self.push(0, Inputs::new(), true, value)
    }

    fn push(&mut self, table: u64, inputs: Inputs, leaf: bool, value: Value) -> u32 {
        self.nodes.push(Node { table, inputs, leaf, value, changed: false, new: false });
        self.nodes.len() as u32 - 1
    }

    /// A new node, of the origin of another.
    pub fn add(&mut self, table: u64, inputs: &[u32], like: u32) -> u32 {
        let node = self.push(0, Inputs::new(), false, self.nodes[like as usize].value);
        self.nodes[node as usize].new = true;
        self.root.push(false);
        self.set(node, table, inputs);
        node
    }

    /// Gives a node another function: of the inputs, those that matter are kept.
    pub fn set(&mut self, node: u32, table: u64, inputs: &[u32]) {
        let mut table = widen(table, inputs.len());
        let used = support(table);
        let mut kept = Inputs::new();
        for (j, &input) in inputs.iter().enumerate() {
            if used >> j & 1 == 1 {
                table = swap(table, kept.len(), j);
                kept.push(input);
            }
        }
        let node = &mut self.nodes[node as usize];
        (node.table, node.inputs, node.changed) = (table, kept, true);
    }

    /// A topological order of all nodes, the same for the same graph.
    pub fn order(&self) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut done = vec![false; self.nodes.len()];
        let mut work = Vec::new();
        for node in 0..self.nodes.len() as u32 {
            work.push((node, 0));
            while let Some((node, next)) = work.pop() {
                if done[node as usize] {
                    continue;
                }
                match self.nodes[node as usize].inputs.get(next) {
                    Some(&input) => {
                        work.push((node, next + 1));
                        if !done[input as usize] {
                            work.push((input, 0));
                        }
                    }
                    None => {
                        done[node as usize] = true;
                        order.push(node);
                    }
                }
            }
        }
        order
    }

    /// LUTs on the longest path to each node.
    pub fn levels(&self, order: &[u32]) -> Vec<u32> {
        let mut levels = vec![0; self.nodes.len()];
        for &node in order {
            let inputs = &self.nodes[node as usize].inputs;
            levels[node as usize] = inputs.iter().map(|&i| levels[i as usize] + 1).max().unwrap_or(0);
        }
        levels
    }

    /// The function with the nodes as they are now. Nodes keep their origins.
    pub fn write(&self, f: &Func) -> Func {
        let mut rebuild = Rebuild::new(f);
        let mut of: Vec<u32> = vec![u32::MAX; f.value_count()];
        for (i, node) in self.nodes.iter().enumerate().filter(|(_, n)| !n.new) {
            of[node.value.index()] = i as u32;
        }
        let mut added: Vec<Option<Value>> = vec![None; self.nodes.len()];
        let mut done = vec![false; f.op_count()];
        let mut work: Vec<Item> = Vec::new();
        for id in f.op_ids() {
            work.push(Item::Op(id));
            while let Some(&item) = work.last() {
                let (node, finished) = match item {
                    Item::New(node) => (Some(node), added[node as usize].is_some()),
                    Item::Op(id) => {
                        let op = f.op(id);
                        let lut = matches!(op.kind, OpKind::Lut { .. });
                        let node = lut.then(|| of[op.result().index()]).filter(|&n| self.nodes[n as usize].changed);
                        (node, done[id.index()])
                    }
                };
                if finished {
                    work.pop();
                    continue;
                }
                let need = |v: Value| f.def_op(v).filter(|op| !done[op.index()]).map(Item::Op);
                let waits = match (node, item) {
                    (Some(node), _) => self.nodes[node as usize].inputs.iter().find_map(|&i| {
                        let input = &self.nodes[i as usize];
                        if input.new { added[i as usize].is_none().then_some(Item::New(i)) } else { need(input.value) }
                    }),
                    (None, Item::Op(id)) => f.op(id).operands.iter().find_map(|&v| need(v)),
                    (None, Item::New(_)) => None,
                };
                if let Some(first) = waits {
                    work.push(first);
                    continue;
                }
                work.pop();
                let made = node.map(|node| {
                    let Node { table, inputs, value, .. } = &self.nodes[node as usize];
                    let get = |&i: &u32| added[i as usize].unwrap_or_else(|| rebuild.get(self.nodes[i as usize].value));
                    let operands: SmallVec<[Value; 6]> = inputs.iter().map(get).collect();
                    let loc = f.def_op(*value).map_or(LocId::UNKNOWN, |op| f.op(op).loc);
                    lut(&mut rebuild.new, *table, &operands, loc)
                });
                match (item, made) {
                    (Item::New(node), made) => added[node as usize] = made,
                    (Item::Op(id), Some(value)) => {
                        rebuild.set(f.op(id).result(), value);
                        done[id.index()] = true;
                    }
                    (Item::Op(id), None) => {
                        rebuild.copy(id);
                        done[id.index()] = true;
                    }
                }
            }
        }
        rebuild.finish()
    }
}

/// What is written next.
#[derive(Clone, Copy)]
enum Item {
    Op(OpId),
    New(u32),
}

/// A LUT, or what it is with no or one input.
fn lut(f: &mut Func, table: u64, inputs: &[Value], loc: LocId) -> Value {
    match inputs {
        [] => f.constant(table & 1, Type::BIT),
        [one] if table & 3 == 2 => *one,
        _ => f.lut(table & mask(inputs.len()), inputs, loc),
    }
}

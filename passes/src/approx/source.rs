//! Where a classifier of lookup tables comes from, and goes back to: a function, and bits of samples.

use std::ops::Range;

use blc_ir::{Def, Diagnostic, Elem, Func, FuncAttr, OpId, OpKind, Type, Value};
use rayon::prelude::*;
use smallvec::SmallVec;

use super::block::{Block, Column, SAMPLES, WORDS};
use super::net::{Group, Net, Node};
use super::samples::Samples;
use crate::codes::{APPROX_DATA, APPROX_SHAPE};
use crate::pass::{Abort, PassCx};

/// Most bits of all signals on all samples together.
const MAX_BITS: usize = 1 << 36;

/// A bit that comes from an input: of a feature's code, or whether that is above a bound.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    value: Value,
    feature: u32,
    width: u8,
    read: Read,
}

#[derive(Clone, Copy, Debug)]
enum Read {
    Bit(u8),
    Above(u64),
}

/// What of a function a network's leaves and nodes are.
#[derive(Clone, Debug)]
pub(super) struct Source {
    leaves: Vec<Leaf>,
    nodes: Vec<OpId>,
    affine: Option<(Vec<f32>, Vec<f32>)>,
    features: usize,
}

fn shape(why: String) -> Abort {
    let help = "approximate passes take a model of lookup tables with group sums and argmax, after `expand`";
    Box::new(Diagnostic::error(&APPROX_SHAPE, why).help(help))
}

impl Source {
    /// Reads a function at bit level, before its encoder and head are lowered.
    ///
    /// # Errors
    /// `BL2110` where it is no such classifier.
    pub fn read(f: &Func, cx: &PassCx<'_>) -> Result<(Self, Net), Abort> {
        let mut signals: Vec<Option<u32>> = vec![None; f.value_count()];
        let mut leaves = Vec::new();
        let mut argmax = None;
        let input = f.params.first().map(|p| p.value);
        for (_, op) in f.ops() {
            match op.kind {
                OpKind::GtConst { .. } | OpKind::Extract { .. } if f.ty(op.result()) == Type::BIT => {
                    if let Some(leaf) = leaf(f, op.result()) {
                        signals[op.result().index()] = Some(leaves.len() as u32);
                        leaves.push(leaf);
                    }
                }
                OpKind::WordArgmax { .. } if argmax.is_some() => return Err(shape("there are two argmax".into())),
                OpKind::WordArgmax { .. } => argmax = Some(op.operands),
                _ => {}
            }
        }
        let (mut nodes, mut ops) = (Vec::new(), Vec::new());
        for (id, op) in f.ops() {
            let table = match op.kind {
                OpKind::Lut { table } => table,
                OpKind::LutWide { .. } => return Err(shape("a table has more than six inputs".into())),
                _ => continue,
            };
            let mut inputs: SmallVec<[u32; 6]> = SmallVec::new();
            for v in op.operands {
                inputs.push(
                    signals[v.index()].ok_or_else(|| shape("a table reads what is neither table nor input".into()))?,
                );
            }
            signals[op.result().index()] = Some((leaves.len() + nodes.len()) as u32);
            nodes.push(Node { inputs, table });
            ops.push(id);
        }
        let words = argmax.ok_or_else(|| shape("there is no argmax".into()))?;
        let groups = words.iter().map(|&w| group(f, w, &signals)).collect::<Result<_, Abort>>()?;
        let net = Net { leaves: leaves.len(), nodes, groups };
        if net.most().is_none() {
            return Err(shape(format!("a class counts more than {} bits", u16::MAX)));
        }
        let features = input.map_or(0, |v| f.ty(v).len());
        Ok((Self { leaves, nodes: ops, affine: affine(f, cx), features }, net))
    }

    /// Looks at samples.
    ///
    /// # Errors
    /// `BL2111` where samples do not fit the network or are too many.
    pub fn check(&self, net: &Net, samples: &Samples) -> Result<(), Abort> {
        let wrong = |why: String| {
            let help = "give the samples that the model was trained on, as an .npz with x and y";
            Err(Box::new(Diagnostic::error(&APPROX_DATA, why).help(help)))
        };
        if samples.is_empty() {
            return wrong("there are no samples".into());
        }
        if samples.features() != self.features {
            return wrong(format!("samples have {} features, the model takes {}", samples.features(), self.features));
        }
        if let Some(label) = samples.labels.iter().find(|&&y| usize::from(y) >= net.groups.len()) {
            return wrong(format!("a label is {label}, the model has {} classes", net.groups.len()));
        }
        if samples.len().saturating_mul(net.signals()) > MAX_BITS {
            return wrong(format!("{} samples are too many for {} tables", samples.len(), net.nodes.len()));
        }
        Ok(())
    }

    /// Samples that fit, in blocks.
    pub fn blocks(&self, net: &Net, samples: &Samples) -> Vec<Block> {
        parts(samples.len()).into_par_iter().map(|rows| self.block(net, samples, rows)).collect()
    }

    /// The classes of samples that fit.
    pub fn classes(&self, net: &Net, samples: &Samples) -> Vec<u16> {
        let of_rows = |rows| self.block(net, samples, rows).classes().collect::<Vec<_>>();
        parts(samples.len()).into_par_iter().map(of_rows).collect::<Vec<_>>().concat()
    }

    /// A block of some of the samples.
    pub fn block(&self, net: &Net, samples: &Samples, rows: Range<usize>) -> Block {
        let columns = self.leaves.iter().map(|leaf| self.column(leaf, samples, rows.clone())).collect();
        Block::new(net, columns, rows.len())
    }

    fn column(&self, leaf: &Leaf, samples: &Samples, rows: Range<usize>) -> Column {
        let feature = leaf.feature as usize;
        let affine = self.affine.as_ref().map(|(offset, step)| (offset[feature], step[feature]));
        let mut column = [0; WORDS];
        for (i, sample) in rows.enumerate() {
            let code = samples.code(sample, feature, leaf.width, affine);
            let bit = match leaf.read {
                Read::Bit(b) => code >> b & 1 == 1,
                Read::Above(bound) => code > bound,
            };
            column[i / 64] |= u64::from(bit) << (i % 64);
        }
        column
    }

    /// Puts tables and inputs of the nodes into the function they were read from.
    pub fn write(&self, net: &Net, f: &mut Func) {
        let value = |signal: u32| match net.node(signal) {
            Some(node) => f.op(self.nodes[node]).result(),
            None => self.leaves[signal as usize].value,
        };
        let operands: Vec<SmallVec<[Value; 6]>> =
            net.nodes.iter().map(|node| node.inputs.iter().map(|&i| value(i)).collect()).collect();
        let mut constants = [None; 2];
        let mut redirect: Vec<Value> = (0..f.value_count()).map(Value::new).collect();
        for ((node, &op), operands) in net.nodes.iter().zip(&self.nodes).zip(operands) {
            if operands.is_empty() {
                let bit = node.table & 1;
                let constant = *constants[bit as usize].get_or_insert_with(|| f.constant(bit, Type::BIT));
                redirect[f.op(op).result().index()] = constant;
            } else {
                f.set_operands(op, &operands);
                f.set_kind(op, OpKind::Lut { table: node.table });
            }
        }
        f.replace_uses(&redirect);
    }
}

/// So many samples as blocks have them.
pub(super) fn parts(samples: usize) -> Vec<Range<usize>> {
    (0..samples).step_by(SAMPLES).map(|at| at..samples.min(at + SAMPLES)).collect()
}

fn leaf(f: &Func, value: Value) -> Option<Leaf> {
    let op = f.op(f.def_op(value)?);
    let source = op.operands[0];
    // Only of the first parameter: samples hold nothing else.
    let param = |v: Value| (f.def(v) == Def::Param(0)).then(|| f.ty(v));
    match op.kind {
        OpKind::Extract { offset } => {
            let width = param(source)?.elem_bits() as u32;
            let (feature, bit) = (offset / width, (offset % width) as u8);
            Some(Leaf { value, feature, width: width as u8, read: Read::Bit(bit) })
        }
        OpKind::GtConst { bound } => {
            let Elem::Word(width) = f.ty(source).elem else { return None };
            let feature = match f.def(source) {
                Def::Param(0) => 0,
                Def::Result(word, _) => match f.op(word).kind {
                    OpKind::Extract { offset } if offset.is_multiple_of(width.into()) => {
                        let ty = param(f.op(word).operands[0])?;
                        (ty.elem == Elem::Word(width)).then_some(offset / u32::from(width))?
                    }
                    _ => return None,
                },
                Def::Param(_) => return None,
            };
            Some(Leaf { value, feature, width, read: Read::Above(bound) })
        }
        _ => None,
    }
}

fn group(f: &Func, word: Value, signals: &[Option<u32>]) -> Result<Group, Abort> {
    let mut group = Group::default();
    if let Some(value) = f.as_const(word) {
        group.constant = value;
        return Ok(group);
    }
    let sum = f.def_op(word).map(|op| f.op(op)).filter(|op| op.kind == OpKind::Sum {});
    let parts = match (sum, signals[word.index()]) {
        (Some(op), _) => op.operands,
        (None, Some(_)) => std::slice::from_ref(&word),
        _ => return Err(shape("argmax compares something other than sums".into())),
    };
    for &part in parts {
        match (f.as_const(part), signals[part.index()]) {
            (Some(value), _) => group.constant += value,
            (None, Some(signal)) => group.bits.push(signal),
            _ => return Err(shape("a sum is of something other than bits".into())),
        }
    }
    Ok(group)
}

/// Offsets and steps of real inputs.
fn affine(f: &Func, cx: &PassCx<'_>) -> Option<(Vec<f32>, Vec<f32>)> {
    let data = |name| match f.attr(name) {
        Some(FuncAttr::Resource(id)) => match &cx.resource(*id)?.data {
            Some(blc_ir::Data::F32(d)) => Some(d.clone()),
            _ => None,
        },
        _ => None,
    };
    Some((data("offset")?, data("step")?))
}

//! A classifier of lookup tables as approximate passes see it, and its values on many samples at once.
//!
//! *Signals* are numbered: first the leaves (bits of inputs, comparisons of features with constants), then the nodes in
//! program order. A signal's values on samples are bits of words, sample `i` in bit `i % 64` of word `i / 64`; bits beyond
//! the last sample mean nothing.

use blc_ir::{Def, Diagnostic, Elem, Func, FuncAttr, OpId, OpKind, Type, Value};
use rayon::prelude::*;
use smallvec::SmallVec;

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

/// A lookup table of at most six signals.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub inputs: SmallVec<[u32; 6]>,
    pub table: u64,
    op: OpId,
}

/// What the argmax compares: signals, each as often as it counts, and a constant.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub bits: Vec<u32>,
    pub constant: u64,
}

/// The classifier.
#[derive(Clone, Debug)]
pub(super) struct Net {
    leaves: Vec<Leaf>,
    pub nodes: Vec<Node>,
    pub groups: Vec<Group>,
    affine: Option<(Vec<f32>, Vec<f32>)>,
    features: usize,
}

fn shape(why: String) -> Abort {
    let help = "approximate passes take a model of lookup tables with group sums and argmax, after `expand`";
    Box::new(Diagnostic::error(&APPROX_SHAPE, why).help(help))
}

impl Net {
    /// Reads a function at bit level, before its encoder and head are lowered.
    ///
    /// # Errors
    /// `BL2110` where it is no such classifier.
    pub fn read(f: &Func, cx: &PassCx<'_>) -> Result<Self, Abort> {
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
        let mut nodes = Vec::new();
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
            nodes.push(Node { inputs, table, op: id });
        }
        let words = argmax.ok_or_else(|| shape("there is no argmax".into()))?;
        let groups = words.iter().map(|&w| group(f, w, &signals)).collect::<Result<_, Abort>>()?;
        let features = input.map_or(0, |v| f.ty(v).len());
        Ok(Self { leaves, nodes, groups, affine: affine(f, cx), features })
    }

    /// Number of signals.
    pub fn signals(&self) -> usize {
        self.leaves.len() + self.nodes.len()
    }

    /// The signal of a node.
    pub fn signal(&self, node: usize) -> u32 {
        (self.leaves.len() + node) as u32
    }

    /// The node of a signal, if it is no leaf.
    pub fn node(&self, signal: u32) -> Option<usize> {
        (signal as usize).checked_sub(self.leaves.len())
    }

    /// Every signal's values on samples.
    ///
    /// # Errors
    /// `BL2111` where samples do not fit the network or are too many.
    pub fn values(&self, samples: &Samples) -> Result<Values, Abort> {
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
        if let Some(label) = samples.labels.iter().find(|&&y| usize::from(y) >= self.groups.len()) {
            return wrong(format!("a label is {label}, the model has {} classes", self.groups.len()));
        }
        let words = samples.len().div_ceil(64);
        if words.saturating_mul(64).saturating_mul(self.signals()) > MAX_BITS {
            return wrong(format!("{} samples are too many for {} tables", samples.len(), self.nodes.len()));
        }
        let mut values = Values { words, samples: samples.len(), bits: vec![0; words * self.signals()] };
        let leaves = &mut values.bits[..words * self.leaves.len()];
        leaves.par_chunks_mut(words.max(1)).zip(&self.leaves).for_each(|(bits, leaf)| self.fill(leaf, samples, bits));
        for node in 0..self.nodes.len() {
            let out = values.eval(&self.nodes[node]);
            values.of_mut(self.signal(node)).copy_from_slice(&out);
        }
        Ok(values)
    }

    fn fill(&self, leaf: &Leaf, samples: &Samples, bits: &mut [u64]) {
        let feature = leaf.feature as usize;
        let affine = self.affine.as_ref().map(|(offset, step)| (offset[feature], step[feature]));
        for sample in 0..samples.len() {
            let code = samples.code(sample, feature, leaf.width, affine);
            let bit = match leaf.read {
                Read::Bit(b) => code >> b & 1 == 1,
                Read::Above(bound) => code > bound,
            };
            bits[sample / 64] |= u64::from(bit) << (sample % 64);
        }
    }

    /// The counts of each group, `[samples, groups]`.
    pub fn counts(&self, values: &Values) -> Vec<u32> {
        let n = self.groups.len();
        let mut counts = vec![0; values.samples * n];
        for (g, group) in self.groups.iter().enumerate() {
            counts.iter_mut().skip(g).step_by(n).for_each(|c| *c = group.constant as u32);
            for &bit in &group.bits {
                for (w, &word) in values.of(bit).iter().enumerate() {
                    for sample in ones(word, 64 * w).take_while(|&s| s < values.samples) {
                        counts[sample * n + g] += 1;
                    }
                }
            }
        }
        counts
    }

    /// The classes: of each sample the first group of the most ones.
    pub fn classes(&self, values: &Values) -> Vec<u16> {
        let first_largest = |counts: &[u32]| {
            let best = counts.iter().enumerate().fold((0, 0), |b, (i, &c)| if i == 0 || c > b.1 { (i, c) } else { b });
            best.0 as u16
        };
        self.counts(values).chunks(self.groups.len().max(1)).map(first_largest).collect()
    }

    /// Puts tables and inputs of the nodes into the function they were read from.
    pub fn write(&self, f: &mut Func) {
        let value = |signal: u32| match self.node(signal) {
            Some(node) => f.op(self.nodes[node].op).result(),
            None => self.leaves[signal as usize].value,
        };
        let operands: Vec<SmallVec<[Value; 6]>> =
            self.nodes.iter().map(|node| node.inputs.iter().map(|&i| value(i)).collect()).collect();
        let mut constants = [None; 2];
        let mut redirect: Vec<Value> = (0..f.value_count()).map(Value::new).collect();
        for (node, operands) in self.nodes.iter().zip(operands) {
            if operands.is_empty() {
                let bit = node.table & 1;
                let constant = *constants[bit as usize].get_or_insert_with(|| f.constant(bit, Type::BIT));
                redirect[f.op(node.op).result().index()] = constant;
            } else {
                f.set_operands(node.op, &operands);
                f.set_kind(node.op, OpKind::Lut { table: node.table });
            }
        }
        f.replace_uses(&redirect);
    }
}

/// The positions of ones in a word that begins at a position.
pub(super) fn ones(mut word: u64, start: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(start + bit)
    })
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

/// Values of signals on samples.
#[derive(Clone, Debug)]
pub(super) struct Values {
    /// Words of a signal.
    pub words: usize,
    pub samples: usize,
    bits: Vec<u64>,
}

impl Values {
    pub fn of(&self, signal: u32) -> &[u64] {
        &self.bits[signal as usize * self.words..][..self.words]
    }

    pub fn of_mut(&mut self, signal: u32) -> &mut [u64] {
        &mut self.bits[signal as usize * self.words..][..self.words]
    }

    /// What a node gives.
    pub fn eval(&self, node: &Node) -> Vec<u64> {
        let inputs: SmallVec<[&[u64]; 6]> = node.inputs.iter().map(|&i| self.of(i)).collect();
        let mut out = vec![0; self.words];
        lookup(node.table, &inputs, &mut out);
        out
    }

    /// How many samples come to each address of a node.
    pub fn histogram(&self, node: &Node) -> [u32; 64] {
        let mut histogram = [0; 64];
        let k = node.inputs.len();
        let mut products = [0u64; 64];
        for w in 0..self.words {
            products[0] = match self.samples - 64 * w {
                rest @ 1..64 => (1 << rest) - 1,
                _ => u64::MAX,
            };
            for (j, &input) in node.inputs.iter().enumerate() {
                let x = self.of(input)[w];
                for a in 0..1 << j {
                    let product = products[a];
                    products[a] = product & !x;
                    products[a | 1 << j] = product & x;
                }
            }
            for (count, product) in histogram.iter_mut().zip(&products[..1 << k]) {
                *count += product.count_ones();
            }
        }
        histogram
    }
}

/// Words that are worked on together.
const LANES: usize = 8;

/// A table of up to six inputs on many samples.
pub(super) fn lookup(table: u64, inputs: &[&[u64]], out: &mut [u64]) {
    let Some((first, rest)) = inputs.split_first() else {
        out.fill(0u64.wrapping_sub(table & 1));
        return;
    };
    let halves = 1usize << rest.len();
    let mut level = [[0u64; LANES]; 32];
    for (block, out) in out.chunks_mut(LANES).enumerate() {
        let at = block * LANES;
        let n = out.len();
        let mut x = [0; LANES];
        x[..n].copy_from_slice(&first[at..at + n]);
        for (a, lanes) in level[..halves].iter_mut().enumerate() {
            let pair = table >> (2 * a) & 3;
            // 00, 01, 10, 11: constant 0, the complement, the input, constant 1.
            let (and, xor) = match pair {
                0 => (0, 0),
                1 => (u64::MAX, u64::MAX),
                2 => (u64::MAX, 0),
                _ => (0, u64::MAX),
            };
            for (lane, x) in lanes.iter_mut().zip(x) {
                *lane = x & and ^ xor;
            }
        }
        let mut width = halves;
        for input in rest {
            x[..n].copy_from_slice(&input[at..at + n]);
            width /= 2;
            for a in 0..width {
                for lane in 0..LANES {
                    let (low, high) = (level[2 * a][lane], level[2 * a + 1][lane]);
                    level[a][lane] = low ^ (low ^ high) & x[lane];
                }
            }
        }
        out.copy_from_slice(&level[0][..n]);
    }
}

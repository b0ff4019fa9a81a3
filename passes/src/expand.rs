//! `expand`: layers become single-bit dataflow and the words of encoder and head.
//!
//! Each op says where it came from: `"encoder"` and the number of its bit, the layer's name and the number of the node,
//! `"head"` and the number of the group.

use blc_ir::loc::{ENCODER, HEAD};
use blc_ir::types::bits_for;
use blc_ir::{Data, Diagnostic, Elem, Func, Level, Loc, LocId, Op, OpId, OpKind, ResourceId, Type, Value};

use crate::codes::{OUTSIDE_OP, REAL_INPUT, RESOURCE, TOO_LARGE};
use crate::pass::{Abort, Changed, NoOptions, Pass, PassCx, PassSpec};
use crate::rebuild::Rebuild;
use crate::resources::wrong;

/// Most elements of a value that a layer makes.
const MAX_ELEMENTS: usize = 1 << 24;
/// Most elements of all values that are taken apart: a short text can name that many.
const MAX_PARTS: usize = 1 << 22;

/// Widest word of which a bit of a code becomes one table.
const TABLE_BITS: usize = 10;

/// See the module's words.
pub struct Expand;

impl PassSpec for Expand {
    const NAME: &'static str = "expand";
    const SUMMARY: &'static str = "Lower layers to lookup tables, comparisons and sums (tensor to bit level)";
    const LEVEL: Level = Level::Tensor;
    type Options = NoOptions;

    fn build(_: NoOptions) -> Box<dyn Pass> {
        Box::new(Self)
    }
}

impl Pass for Expand {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let mut expansion = Expansion {
            rebuild: Rebuild::new(f),
            elements: vec![None; f.value_count()],
            parts: 0,
            layers: 0,
            bits: [None; 2],
        };
        for (id, op) in f.ops() {
            expansion.op(id, op, cx)?;
        }
        for port in &f.results {
            expansion.whole(port.value);
        }
        let new = expansion.rebuild.finish();
        *f = new;
        Ok(Changed::Yes)
    }
}

struct Expansion<'a> {
    rebuild: Rebuild<'a>,
    /// Elements of old values, where they are taken apart.
    elements: Vec<Option<Vec<Value>>>,
    /// How many those are.
    parts: usize,
    /// Layers seen.
    layers: usize,
    /// The constants 0 and 1.
    bits: [Option<Value>; 2],
}

impl Expansion<'_> {
    fn op(&mut self, id: OpId, op: Op<'_>, cx: &PassCx<'_>) -> Result<(), Abort> {
        let elements = match op.kind {
            OpKind::Thermometer { thresholds } => self.thermometer(op, thresholds, cx)?,
            OpKind::Code { bits, thresholds, codes } => self.code(op, bits as usize, thresholds, codes, cx)?,
            OpKind::MatVec { weights } => self.matvec(op, weights, cx)?,
            OpKind::LutDense { k, connections, tables } => self.lut_dense(op, k as usize, connections, tables, cx)?,
            OpKind::GroupSum { groups } => self.group_sum(op, groups as usize)?,
            OpKind::Argmax { .. } => {
                let words = self.take_apart(op.operands[0])?;
                let loc = self.rebuild.new.locs.layer(HEAD);
                vec![self.rebuild.new.word_argmax(&words, loc)]
            }
            OpKind::Extern { op } => {
                let text = format!("nobody says what `{}` means at bit level", self.rebuild.old.extern_name(op));
                return Err(Box::new(
                    Diagnostic::error(&OUTSIDE_OP, text).help("lower it with a pass of your own before"),
                ));
            }
            _ => {
                for &v in op.operands {
                    self.whole(v);
                }
                self.rebuild.copy(id);
                return Ok(());
            }
        };
        self.elements[op.result().index()] = Some(elements);
        Ok(())
    }

    /// The elements of a value, taken apart on the first call.
    fn take_apart(&mut self, v: Value) -> Result<Vec<Value>, Abort> {
        if let Some(known) = &self.elements[v.index()] {
            return Ok(known.clone());
        }
        let ty = self.rebuild.old.ty(v);
        self.parts += ty.len();
        if self.parts > MAX_PARTS {
            let text = format!("a value of type {ty} is too large to take apart");
            return Err(Box::new(Diagnostic::error(&TOO_LARGE, text).help("2^22 elements of all values can be")));
        }
        let whole = self.rebuild.get(v);
        let (element, width) = (Type::scalar(ty.elem), ty.elem_bits());
        let elements = match ty.is_scalar() {
            true => vec![whole],
            false => {
                let new = &mut self.rebuild.new;
                (0..ty.len()).map(|i| new.extract(whole, i * width, element, LocId::UNKNOWN)).collect()
            }
        };
        self.elements[v.index()] = Some(Vec::clone(&elements));
        Ok(elements)
    }

    /// Puts a value that was taken apart together again.
    fn whole(&mut self, v: Value) {
        if let (Some(elements), true) = (&self.elements[v.index()], self.rebuild.old.def_op(v).is_some()) {
            let ty = self.rebuild.old.ty(v);
            let whole = match (ty.is_scalar(), elements.as_slice()) {
                (true, [one]) => *one,
                _ => self.rebuild.new.pack(elements, ty, LocId::UNKNOWN),
            };
            self.rebuild.set(v, whole);
        }
    }

    fn constant(&mut self, bit: bool) -> Value {
        let new = &mut self.rebuild.new;
        *self.bits[usize::from(bit)].get_or_insert_with(|| new.constant(bit.into(), Type::BIT))
    }

    /// The words of an encoder's features, and what exceeding each threshold is for them; how many thresholds a feature has.
    fn bounds(
        &mut self,
        op: Op<'_>,
        thresholds: ResourceId,
        cx: &PassCx<'_>,
    ) -> Result<(Vec<Value>, Vec<Bound>, usize), Abort> {
        let ty = self.rebuild.old.ty(op.operands[0]);
        let Elem::Word(width) = ty.elem else {
            let text = format!("an encoder reads a value of type {ty}");
            return Err(Box::new(Diagnostic::error(&REAL_INPUT, text).help("run `quantize` before `expand`")));
        };
        let (shape, data) = cx.data(thresholds)?;
        let resource = || &cx.resources[thresholds.index()];
        let per = match *shape {
            [rows, per] if rows == ty.len() && per > 0 && data.len() <= MAX_ELEMENTS => per,
            _ => return Err(wrong(resource(), "is not [features, bits]")),
        };
        let bounds: Vec<Bound> = match data {
            Data::F32(t) => t.iter().map(|&t| Bound::of(f64::from(t), width)).collect(),
            Data::U8(t) => t.iter().map(|&t| Bound::of(f64::from(t), width)).collect(),
            Data::U32(t) => t.iter().map(|&t| Bound::of(f64::from(t), width)).collect(),
            Data::U64(_) => return Err(wrong(resource(), "is u64, thresholds are f32, u8 or u32")),
        };
        Ok((self.take_apart(op.operands[0])?, bounds, per))
    }

    fn thermometer(&mut self, op: Op<'_>, thresholds: ResourceId, cx: &PassCx<'_>) -> Result<Vec<Value>, Abort> {
        let (words, bounds, per) = self.bounds(op, thresholds, cx)?;
        let encoder = self.rebuild.new.locs.sym(ENCODER);
        let mut bits = Vec::with_capacity(bounds.len());
        for (i, bound) in bounds.into_iter().enumerate() {
            bits.push(match bound {
                Bound::Always => self.constant(true),
                Bound::Never => self.constant(false),
                Bound::Above(bound) => {
                    let new = &mut self.rebuild.new;
                    let loc = new.locs.add(Loc::Neuron(encoder, i as u32));
                    new.push1(OpKind::GtConst { bound }, &[words[i / per]], Type::BIT, loc)
                }
            });
        }
        Ok(bits)
    }

    /// A bit of a code is a function of its word: one table where it has at most [`TABLE_BITS`] bits, which folding then
    /// reduces to the bits that matter; above, the comparisons at which the bit changes, of which an odd number hold.
    fn code(
        &mut self,
        op: Op<'_>,
        bits: usize,
        thresholds: ResourceId,
        codes: ResourceId,
        cx: &PassCx<'_>,
    ) -> Result<Vec<Value>, Abort> {
        let (words, bounds, per) = self.bounds(op, thresholds, cx)?;
        let codes = match cx.data(codes)? {
            (_, Data::U64(codes)) if codes.len() == per + 1 && words.len().saturating_mul(bits) <= MAX_ELEMENTS => {
                codes
            }
            _ => return Err(wrong(&cx.resources[codes.index()], "is not a u64 code for each interval")),
        };
        let width = self.rebuild.old.ty(op.operands[0]).elem_bits();
        let encoder = self.rebuild.new.locs.sym(ENCODER);
        let mut out = Vec::with_capacity(words.len() * bits);
        for (&word, bounds) in words.iter().zip(bounds.chunks(per)) {
            let inputs: Vec<Value> = match width <= TABLE_BITS {
                true => (0..width).map(|b| self.rebuild.new.extract(word, b, Type::BIT, LocId::UNKNOWN)).collect(),
                false => Vec::new(),
            };
            for bit in 0..bits {
                let new = &mut self.rebuild.new;
                let loc = new.locs.add(Loc::Neuron(encoder, out.len() as u32));
                let code = |x: u64| codes[bounds.iter().filter(|b| b.holds(x)).count()] >> bit & 1;
                if width <= TABLE_BITS {
                    let mut table = vec![0u64; (1usize << width).div_ceil(64)];
                    (0..1u64 << width).for_each(|x| table[x as usize / 64] |= code(x) << (x % 64));
                    out.push(match table[..] {
                        [table] => new.lut(table, &inputs, loc),
                        _ => new.lut_wide(&table, &inputs, loc),
                    });
                    continue;
                }
                let mut odd = new.constant(codes[0] >> bit & 1, Type::BIT);
                for (pair, bound) in
                    codes.windows(2).zip(bounds).filter(|(pair, _)| (pair[0] ^ pair[1]) >> bit & 1 == 1)
                {
                    debug_assert_ne!(pair[0], pair[1]);
                    let above = match *bound {
                        Bound::Always => new.constant(1, Type::BIT),
                        Bound::Never => continue,
                        Bound::Above(bound) => new.push1(OpKind::GtConst { bound }, &[word], Type::BIT, loc),
                    };
                    odd = new.lut(0x6, &[odd, above], loc);
                }
                out.push(odd);
            }
        }
        Ok(out)
    }

    /// Each product is the word shifted once for each one in the weight.
    fn matvec(&mut self, op: Op<'_>, weights: ResourceId, cx: &PassCx<'_>) -> Result<Vec<Value>, Abort> {
        let words = self.take_apart(op.operands[0])?;
        let weights = match cx.data(weights)? {
            ([_, columns], Data::U32(w)) if *columns == words.len() => w,
            _ => return Err(wrong(&cx.resources[weights.index()], "is not a u32 matrix with a column for each word")),
        };
        let from = self.rebuild.old.ty(op.operands[0]).elem_bits();
        let Elem::Word(width) = self.rebuild.old.ty(op.result()).elem else {
            return Err(wrong(&cx.resources[0], "does not make words"));
        };
        let new = &mut self.rebuild.new;
        let head = new.locs.sym(HEAD);
        let mut sums = Vec::new();
        for (i, row) in weights.chunks(words.len()).enumerate() {
            let loc = new.locs.add(Loc::Neuron(head, i as u32));
            let mut parts = Vec::new();
            for (&word, weight) in words.iter().zip(row) {
                for shift in (0..32).filter(|s| weight >> s & 1 == 1) {
                    parts.push(match u8::try_from(shift) {
                        Ok(low @ 1..) => {
                            let zeros = new.constant(0, Type::word(low));
                            new.pack(&[zeros, word], Type::word(low + from as u8), loc)
                        }
                        _ => word,
                    });
                }
            }
            sums.push(match parts.is_empty() {
                true => new.constant(0, Type::word(width)),
                false => new.sum(&parts, width, loc),
            });
        }
        Ok(sums)
    }

    fn lut_dense(
        &mut self,
        op: Op<'_>,
        k: usize,
        connections: ResourceId,
        tables: ResourceId,
        cx: &PassCx<'_>,
    ) -> Result<Vec<Value>, Abort> {
        let inputs = self.take_apart(op.operands[0])?;
        let (shape, Data::U32(wires)) = cx.data(connections)? else {
            return Err(wrong(&cx.resources[connections.index()], "is not u32, as connections are"));
        };
        let nodes = match *shape {
            [nodes, fan_in] if fan_in == k && (1..=16).contains(&k) && nodes <= MAX_ELEMENTS => nodes,
            _ => return Err(wrong(&cx.resources[connections.index()], "is not [nodes, k]")),
        };
        let words = (1usize << k).div_ceil(64);
        let table = match cx.data(tables)? {
            (_, Data::U64(t)) if t.len() == nodes * words => t,
            _ => return Err(wrong(&cx.resources[tables.index()], "is not a u64 table for each node")),
        };
        let old = self.rebuild.old;
        let layer = old.locs.first_layer(op.loc).map_or_else(|| format!("layer{}", self.layers), str::to_string);
        self.layers += 1;
        let new = &mut self.rebuild.new;
        let layer = new.locs.sym(&layer);
        let mut operands = Vec::with_capacity(k);
        let mut bits = Vec::with_capacity(nodes);
        for (i, (wires, table)) in wires.chunks(k).zip(table.chunks(words)).enumerate() {
            operands.clear();
            operands.extend(wires.iter().map_while(|&w| inputs.get(w as usize)));
            if operands.len() < k {
                return Err(wrong(&cx.resources[connections.index()], "names a bit that the layer before has not"));
            }
            let loc = new.locs.add(Loc::Neuron(layer, i as u32));
            bits.push(match table {
                [table] if k <= 6 => new.lut(table & blc_ir::table::mask(k), &operands, loc),
                table => new.lut_wide(table, &operands, loc),
            });
        }
        Ok(bits)
    }

    fn group_sum(&mut self, op: Op<'_>, groups: usize) -> Result<Vec<Value>, Abort> {
        let bits = self.take_apart(op.operands[0])?;
        if groups == 0 || !bits.len().is_multiple_of(groups) {
            let text = format!("{groups} groups do not divide {} bits", bits.len());
            return Err(Box::new(
                Diagnostic::error(&RESOURCE, text).help("verify the module before running passes on it"),
            ));
        }
        let size = bits.len() / groups;
        let width = bits_for(size as u64);
        let new = &mut self.rebuild.new;
        let head = new.locs.sym(HEAD);
        let mut sums = Vec::with_capacity(groups);
        for (g, group) in bits.chunks(size).enumerate() {
            let loc = new.locs.add(Loc::Neuron(head, g as u32));
            sums.push(new.sum(group, width, loc));
        }
        Ok(sums)
    }
}

/// What `x > threshold` is for words `x`.
enum Bound {
    Always,
    Never,
    Above(u64),
}

impl Bound {
    fn holds(&self, x: u64) -> bool {
        match *self {
            Self::Always => true,
            Self::Never => false,
            Self::Above(bound) => x > bound,
        }
    }

    fn of(threshold: f64, width: u8) -> Self {
        let max = if width >= 64 { u64::MAX } else { (1 << width) - 1 };
        match threshold.floor() {
            t if t < 0.0 => Self::Always,
            // NaN is above nothing; the verifier refuses it.
            t if t.is_nan() || t >= max as f64 => Self::Never,
            t => Self::Above(t as u64),
        }
    }
}

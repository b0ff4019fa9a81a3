//! What a bit-level function or a hardware module costs.
//!
//! - `luts`: physical LUT sites. One for a LUT, one for two functions in an `xc7.lut6_2`, and one for each position of a
//!   carry chain whose `S` does not come from a LUT of its own: nothing else can use the LUT there.
//! - `lut_functions`: single-output functions of two or more inputs.
//! - `port_inverters`: LUTs of one input that sit directly on a port, with nothing but wires between, and feed no wide
//!   multiplexer; in neither figure.
//!   Any other LUT of one input takes a site (`luts`), but is no function.
//! - `levels`: sites on the longest path between ports and registers; of a part or layer, the most of its own sites on a
//!   path (for a layer: one after the other). Both outputs of a site are as late as its latest pin, as timing tools have
//!   it. Carry chains and wide multiplexers are no levels.
//!
//! An op counts for the part and layer of its first origin, an `xc7.lut6_2` with both its functions for that of the first.
//! Words (before the head is lowered) cost nothing here.

use blc_ir::order::is_register;
use blc_ir::{Func, Op, OpKind, Part, Value};
use serde::Serialize;

/// The figures, see the module's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Area {
    pub luts: u64,
    pub lut_functions: u64,
    pub port_inverters: u64,
    pub ffs: u64,
    pub carry4: u64,
    pub muxf7: u64,
    pub muxf8: u64,
    pub levels: u64,
}

/// The figures of the whole and of its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All of it.
    pub total: Area,
    /// Encoder, logic and head, in this order.
    pub by_part: [Area; 3],
    /// By name of the layer, in order of first appearance. Ops without a layer are in none.
    pub by_layer: Vec<(String, Area)>,
}

impl Count {
    /// The figures of one part.
    pub fn part(&self, part: Part) -> &Area {
        &self.by_part[part as usize]
    }
}

/// Sites on the longest path to a value: of all, of each part, and of the layer of the value's op just before it.
#[derive(Clone, Copy, Default)]
struct Depth {
    total: u64,
    by_part: [u64; 3],
    layer: Option<usize>,
    in_layer: u64,
}

/// Counts a function's ops. It need not be tidy, but program order must define before it uses; dead ops count.
pub fn count(f: &Func) -> Count {
    let ports = Ports::new(f, |_| false);
    let mut count = Count::default();
    let mut depth = vec![Depth::default(); f.value_count()];
    let mut layers = Layers::default();
    let mut lost = LostPositions::new(f);
    for (_, op) in f.ops() {
        let mut area = cost(op, &ports);
        area.luts += lost.of(f, op);
        let part = f.locs.part(op.loc) as usize;
        let layer = layers.index(f.locs.first_layer(op.loc), &mut count.by_layer);
        add(&mut count.total, &area);
        add(&mut count.by_part[part], &area);
        if let Some(layer) = layer {
            add(&mut count.by_layer[layer].1, &area);
        }
        if is_register(op.kind) {
            continue;
        }
        let mut d = latest(op, layer, &depth);
        if area.luts > 0 && area.carry4 == 0 {
            d.total += 1;
            d.by_part[part] += 1;
            d.in_layer += 1;
            if let Some(layer) = layer {
                let levels = &mut count.by_layer[layer].1.levels;
                *levels = d.in_layer.max(*levels);
            }
            count.by_part[part].levels = d.by_part[part].max(count.by_part[part].levels);
            count.total.levels = d.total.max(count.total.levels);
        }
        for result in op.results() {
            depth[result.index()] = d;
        }
    }
    count
}

/// What one op costs; `levels` stays 0.
fn cost(op: Op<'_>, ports: &Ports) -> Area {
    let zero = Area::default();
    match op.kind {
        OpKind::Lut { .. } | OpKind::LutWide { .. } | OpKind::Xc7Lut6 { .. } => match op.operands {
            [input] if ports.on_port(*input, op.result()) => Area { port_inverters: 1, ..zero },
            [_] => Area { luts: 1, ..zero },
            _ => Area { luts: 1, lut_functions: 1, ..zero },
        },
        OpKind::Xc7Lut6_2 { .. } => Area { luts: 1, lut_functions: 2, ..zero },
        OpKind::Reg { .. } | OpKind::Xc7Fdre { .. } => Area { ffs: 1, ..zero },
        OpKind::Xc7Carry4 {} => Area { carry4: 1, ..zero },
        OpKind::Xc7MuxF7 {} => Area { muxf7: 1, ..zero },
        OpKind::Xc7MuxF8 {} => Area { muxf8: 1, ..zero },
        OpKind::Thermometer { .. }
        | OpKind::Code { .. }
        | OpKind::MatVec { .. }
        | OpKind::LutDense { .. }
        | OpKind::GroupSum { .. }
        | OpKind::Argmax { .. }
        | OpKind::Const { .. }
        | OpKind::Extract { .. }
        | OpKind::Pack {}
        | OpKind::Sum {}
        | OpKind::Gt {}
        | OpKind::GtConst { .. }
        | OpKind::Mux {}
        | OpKind::WordArgmax { .. }
        | OpKind::Extern { .. } => zero,
    }
}

/// The latest operands, as seen from an op of a layer.
fn latest(op: Op<'_>, layer: Option<usize>, depth: &[Depth]) -> Depth {
    let wire = is_wire(op.kind);
    let mut latest = Depth { layer, ..Depth::default() };
    for v in op.operands {
        let d = depth[v.index()];
        latest.total = latest.total.max(d.total);
        for (a, b) in latest.by_part.iter_mut().zip(d.by_part) {
            *a = b.max(*a);
        }
        if wire {
            (latest.layer, latest.in_layer) = (d.layer, d.in_layer);
        } else if d.layer == layer {
            latest.in_layer = latest.in_layer.max(d.in_layer);
        }
    }
    latest
}

fn add(to: &mut Area, area: &Area) {
    to.luts += area.luts;
    to.lut_functions += area.lut_functions;
    to.port_inverters += area.port_inverters;
    to.ffs += area.ffs;
    to.carry4 += area.carry4;
    to.muxf7 += area.muxf7;
    to.muxf8 += area.muxf8;
}

fn is_wire(kind: OpKind) -> bool {
    matches!(kind, OpKind::Extract { .. } | OpKind::Pack {})
}

/// Positions of carry chains that take a LUT which computes nothing.
struct LostPositions {
    read: Vec<bool>,
    /// LUTs that stand at a position already.
    placed: Vec<bool>,
}

impl LostPositions {
    fn new(f: &Func) -> Self {
        let mut read = vec![false; f.value_count()];
        f.ops().flat_map(|(_, op)| op.operands).for_each(|v| read[v.index()] = true);
        f.results.iter().for_each(|port| read[port.value.index()] = true);
        Self { read, placed: vec![false; f.op_count()] }
    }

    fn of(&mut self, f: &Func, op: Op<'_>) -> u64 {
        if !matches!(op.kind, OpKind::Xc7Carry4 {}) {
            return 0;
        }
        let used = op.results().enumerate().filter(|(_, v)| self.read[v.index()]).map(|(i, _)| i % 4 + 1);
        let mut lost = 0;
        for &s in &op.operands[..used.max().unwrap_or(0)] {
            let lut = f.def_op(s).filter(|&def| {
                let first = f.op(def).result() == s;
                first
                    && matches!(f.op(def).kind, OpKind::Lut { .. } | OpKind::Xc7Lut6 { .. } | OpKind::Xc7Lut6_2 { .. })
            });
            let own = lut.is_some_and(|def| !std::mem::replace(&mut self.placed[def.index()], true));
            lost += u64::from(!own);
        }
        lost
    }
}

/// Layers asked for in runs: the last one found is tried first.
#[derive(Default)]
struct Layers {
    last: usize,
}

impl Layers {
    fn index(&mut self, name: Option<&str>, layers: &mut Vec<(String, Area)>) -> Option<usize> {
        let name = name?;
        if layers.get(self.last).is_none_or(|(n, _)| n != name) {
            self.last = layers.iter().position(|(n, _)| n == name).unwrap_or_else(|| {
                layers.push((name.to_owned(), Area::default()));
                layers.len() - 1
            });
        }
        Some(self.last)
    }
}

/// Which values are ports but for wires.
pub(crate) struct Ports {
    input: Vec<bool>,
    /// Something other than an output port (or a wire to one) reads it.
    inner: Vec<bool>,
    /// A wide multiplexer chooses it: it comes from a LUT, whatever that computes.
    chosen: Vec<bool>,
}

impl Ports {
    /// Ops of which `ignored` is true count as no readers.
    pub(crate) fn new(f: &Func, ignored: impl Fn(OpKind) -> bool) -> Self {
        let mut input = vec![false; f.value_count()];
        for port in &f.params {
            input[port.value.index()] = true;
        }
        let mut inner = vec![false; f.value_count()];
        let mut chosen = vec![false; f.value_count()];
        for (_, op) in f.ops() {
            if matches!(op.kind, OpKind::Xc7MuxF7 {}) {
                op.operands[..2].iter().for_each(|v| chosen[v.index()] = true);
            }
            if is_wire(op.kind) {
                input[op.result().index()] = op.operands.iter().all(|v| input[v.index()]);
            } else if !ignored(op.kind) {
                op.operands.iter().for_each(|v| inner[v.index()] = true);
            }
        }
        for (_, op) in f.ops().rev().filter(|(_, op)| is_wire(op.kind)) {
            if inner[op.result().index()] {
                op.operands.iter().for_each(|v| inner[v.index()] = true);
            }
        }
        Self { input, inner, chosen }
    }

    /// Whether only output ports read a value.
    pub(crate) fn only_output(&self, value: Value) -> bool {
        !self.inner[value.index()]
    }

    /// Whether an inverter between two values would sit directly on a port.
    pub(crate) fn on_port(&self, input: Value, output: Value) -> bool {
        !self.chosen[output.index()] && (self.input[input.index()] || self.only_output(output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::{FuncKind, LocId, Type};

    #[test]
    fn counts_sites_functions_and_inverters_apart() {
        let mut f = Func::new("f", FuncKind::HwModule);
        let clk = f.add_param("clk", Type::CLOCK);
        let x = f.add_param("x", Type::bits(4));
        let bits: Vec<Value> = (0..4).map(|i| f.extract(x, i, Type::BIT, LocId::UNKNOWN)).collect();
        let enc = f.locs.layer(blc_ir::loc::ENCODER);
        let l0 = f.locs.neuron("layer0", 3);
        let low = f.lut(1, &[bits[0]], enc); // on an input port
        let a = f.lut(8, &[low, bits[1]], l0);
        let b = f.lut(6, &[a, bits[2]], l0);
        let not = f.lut(1, &[b], l0); // inside
        let q = f.reg(not, clk, 1, l0);
        let one = f.constant(1, Type::BIT);
        let init = 0x8888_8888_6666_6666;
        let two = f.push(OpKind::Xc7Lut6_2 { init }, &[q, bits[3], one, one, one, one], &[Type::BIT; 2], enc);
        let results: Vec<Value> = f.op(two).results().collect();
        let out = f.lut(1, &[results[0]], l0); // on an output port
        let y = f.pack(&[out, results[1]], Type::bits(2), LocId::UNKNOWN);
        f.add_result("y", y);
        let c = count(&f);
        let expected = Area { luts: 4, lut_functions: 4, port_inverters: 2, ffs: 1, levels: 3, ..Area::default() };
        assert_eq!(c.total, expected);
        let encoder = Area { luts: 1, lut_functions: 2, port_inverters: 1, levels: 1, ..Area::default() };
        assert_eq!(*c.part(Part::Encoder), encoder);
        let logic = Area { luts: 3, lut_functions: 2, port_inverters: 1, ffs: 1, levels: 3, ..Area::default() };
        assert_eq!(*c.part(Part::Logic), logic);
        assert_eq!(*c.part(Part::Head), Area::default());
        assert_eq!(c.by_layer, [("encoder".to_owned(), encoder), ("layer0".to_owned(), logic)]);
    }
}

//! Ways to build a head: sums of bits on the carry chains of Xilinx 7-series slices, planned ([`plan`]), then built
//! ([`build`]), for few sites; on those of small devices ([`ripple`]); sums and comparisons of few levels ([`fast`]) for a
//! short way.

mod build;
pub(crate) mod fast;
mod plan;
mod ripple;

use blc_ir::{Func, LocId, Op, OpKind, Type, Value};
use rustc_hash::FxHashMap;

pub use ripple::Ripple;

use build::{Columns, Lit};
use plan::{COLUMNS, Heights, Plan, Task, plan};

/// Most bits of a heap that is planned.
const MAX_BITS: usize = 1 << 14;

/// Plans and builds sums; heaps of the same heights are planned once.
pub(crate) struct Slices {
    registered: bool,
    plans: FxHashMap<(Heights, usize), Option<Plan>>,
}

impl Slices {
    /// `registered`: whether what a chain makes goes into registers, see [`plan`].
    pub fn new(registered: bool) -> Self {
        Self { registered, plans: FxHashMap::default() }
    }

    /// The sum of bits, each with its column, modulo two to the width; `None` for a column without bits, and for heaps
    /// too wide or too high to plan.
    pub fn sum(
        &mut self,
        f: &mut Func,
        bits: &[(usize, Value)],
        width: usize,
        loc: LocId,
    ) -> Option<Vec<Option<Value>>> {
        if width == 0 || width > COLUMNS || bits.len() > MAX_BITS {
            return None;
        }
        let columns = gather(f, bits, width);
        let heights = columns.heights();
        let task = Task { width, registered: self.registered };
        let plan = self.plans.entry((heights, width)).or_insert_with(|| plan(heights, task, beam(bits.len())));
        let plan = plan.as_ref()?;
        Some(build::build(f, columns, plan, loc))
    }
}

/// Bits to sum, each with its column, modulo two to a width.
pub(crate) struct Addends {
    pub bits: Vec<(usize, Value)>,
    pub width: usize,
    pub loc: LocId,
}

/// Sums on the carry chains of a small device; `None` for a column without bits.
pub(crate) fn rippled(f: &mut Func, kind: Ripple, sums: &[Addends]) -> Vec<Vec<Option<Value>>> {
    let heaps = sums.iter().map(|Addends { bits, width, loc }| {
        let columns = gather(f, bits, *width).plain;
        let mut positive = |lit: Lit| if lit.flip { f.lut(0x1, &[lit.value], *loc) } else { lit.value };
        let columns = columns.into_iter().map(|bits| bits.into_iter().map(&mut positive).collect()).collect();
        ripple::Heap::new(columns, *loc)
    });
    let heaps = heaps.collect();
    ripple::sums(f, kind, heaps)
}

/// How many states of a cost the planner keeps: fewer where there are more costs.
fn beam(bits: usize) -> usize {
    (60_000 / (bits + 1)).clamp(60, 600)
}

/// The bits by column: inverters seen through, two equal bits of a column one of the next, constants summed.
fn gather(f: &mut Func, bits: &[(usize, Value)], width: usize) -> Columns {
    let mut by_column: Vec<Vec<Lit>> = vec![Vec::new(); width];
    let mut constant = 0u64;
    for &(column, value) in bits.iter().filter(|(column, _)| *column < width) {
        match f.as_const(value) {
            Some(bit) => constant = constant.wrapping_add(bit << column),
            None => by_column[column].push(literal(f, value)),
        }
    }
    let mut columns = Columns::new(width);
    for column in 0..width {
        let mut bits = std::mem::take(&mut by_column[column]);
        bits.sort();
        let mut kept: Vec<Lit> = Vec::with_capacity(bits.len());
        for run in bits.chunk_by(|a, b| a.value == b.value) {
            // A bit and its complement are 1.
            let flipped = run.iter().filter(|l| l.flip).count();
            let pairs = flipped.min(run.len() - flipped);
            constant = constant.wrapping_add((pairs as u64) << column);
            let rest = run.len() - 2 * pairs;
            let lit = Lit { flip: 2 * flipped > run.len(), ..run[0] };
            if let Some(above) = by_column.get_mut(column + 1) {
                above.extend(std::iter::repeat_n(lit, rest / 2));
            }
            kept.extend((rest % 2 == 1).then_some(lit));
        }
        columns.plain[column].extend(kept);
    }
    for column in (0..width).filter(|c| constant >> c & 1 == 1) {
        let one = f.constant(1, Type::BIT);
        columns.plain[column].push_back(Lit { value: one, flip: false });
    }
    columns
}

/// A bit as its source, through an inverter.
fn literal(f: &Func, value: Value) -> Lit {
    let inverts = |op: &Op<'_>| op.kind == OpKind::Lut { table: 0x1 } && op.operands.len() == 1;
    let inverter = f.def_op(value).map(|op| f.op(op)).filter(inverts);
    match inverter {
        Some(op) => Lit { value: op.operands[0], flip: true },
        None => Lit { value, flip: false },
    }
}

//! Comparisons of inputs with constants, found in the logic, so that they need not be computed bit by bit.
//!
//! However an encoder was lowered: what depends on one input word alone and is 1 exactly above some number (or exactly up
//! to it) is a comparison, and samples go through it as they are read: a vector compare gives the bits of 64 columns,
//! a transpose those of 512 samples. Only comparisons that something else reads are computed. The highest bit of a word,
//! and hence a single bit, is one, too.

use blc_ir::eval::quantize;

use super::layout::Layout;
use super::netlist::{Cell, Lut, Netlist, ONE, Signal, ZERO};
use super::schedule::{Slot, UNUSED};

/// Widest words whose functions are looked at: 512 bytes each.
const MAX_WIDTH: u8 = 12;
/// Words of all functions that are kept at once: 64 MiB.
const MAX_WORDS: usize = 1 << 23;

/// `column > above`, or its complement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Comparison {
    pub column: u32,
    pub above: u64,
    pub complement: bool,
}

/// The netlist with comparisons as further inputs, behind the bits of the ports.
pub(super) fn extract(netlist: &Netlist, layout: &Layout) -> (Netlist, Vec<Comparison>) {
    let mut search = Search::new(netlist, layout);
    for (i, cell) in netlist.cells.iter().enumerate() {
        let function = match cell {
            Cell::Register { d, .. } => search.functions[*d as usize],
            Cell::Lut(lut) => search.lut(lut),
        };
        search.functions[netlist.first_cell() + i] = function;
    }
    // What reads something that is no function of the same column alone needs its inputs as comparisons.
    let mut found: Vec<Option<u32>> = vec![None; netlist.signals()];
    let mut comparisons = Vec::new();
    for (found, function) in found.iter_mut().zip(&search.functions) {
        if let Some(comparison) = function.and_then(|f| search.comparison(f)) {
            *found = Some(comparisons.len() as u32);
            comparisons.push(comparison);
        }
    }
    let shift = comparisons.len() as Signal;
    let first = netlist.first_cell() as Signal;
    let moved = |signal: Signal| match found[signal as usize] {
        Some(n) => first + n,
        None if signal >= first => signal + shift,
        None => signal,
    };
    let cells = netlist.cells.iter().map(|cell| match *cell {
        Cell::Register { d, init } => Cell::Register { d: moved(d), init },
        Cell::Lut(mut lut) => {
            lut.inputs.iter_mut().for_each(|signal| *signal = moved(*signal));
            Cell::Lut(lut)
        }
    });
    let cut = Netlist {
        inputs: netlist.inputs + comparisons.len(),
        cells: cells.collect(),
        origins: Vec::new(),
        outputs: netlist.outputs.iter().map(|&signal| moved(signal)).collect(),
        registers: Vec::new(),
        nets: Vec::new(),
        feedback: netlist.feedback,
    };
    (cut, comparisons)
}

/// A function of one column: its column and where its table begins.
#[derive(Clone, Copy, Debug)]
struct Function {
    column: u32,
    start: usize,
}

struct Search<'a> {
    layout: &'a Layout,
    /// Of each signal that is a function of one column.
    functions: Vec<Option<Function>>,
    /// Tables, one bit for each number that the column can have.
    words: Vec<u64>,
}

impl<'a> Search<'a> {
    fn new(netlist: &Netlist, layout: &'a Layout) -> Self {
        let mut search = Self { layout, functions: vec![None; netlist.signals()], words: Vec::new() };
        for column in 0..layout.columns() {
            let c = layout.column(column);
            if c.width > MAX_WIDTH {
                continue;
            }
            for b in 0..u32::from(c.width) {
                let table = (0..search.size(column)).map(|word| {
                    (0..64).fold(0, |bits, i| bits | ((64 * word as u64 + i) >> b & 1) << i) & search.mask(column)
                });
                let table: Vec<u64> = table.collect();
                search.functions[netlist.input((c.bit + b) as usize) as usize] = search.keep(column as u32, &table);
            }
        }
        search
    }

    /// Words of a table of a column.
    fn size(&self, column: usize) -> usize {
        1 << self.layout.column(column).width.saturating_sub(6)
    }

    /// Bits in use of each of those words.
    fn mask(&self, column: usize) -> u64 {
        u64::MAX >> (64 - (1u32 << self.layout.column(column).width.min(6)))
    }

    fn keep(&mut self, column: u32, table: &[u64]) -> Option<Function> {
        let start = self.words.len();
        if start + table.len() > MAX_WORDS {
            return None;
        }
        self.words.extend_from_slice(table);
        Some(Function { column, start })
    }

    /// The function of a table whose inputs are all of the same column or constant.
    fn lut(&mut self, lut: &Lut) -> Option<Function> {
        let mut column = None;
        for &signal in lut.inputs() {
            if signal > ONE {
                let of = self.functions[signal as usize]?.column;
                if *column.get_or_insert(of) != of {
                    return None;
                }
            }
        }
        let column = column?;
        let size = self.size(column as usize);
        let mut table = Vec::with_capacity(size);
        for word in 0..size {
            let inputs: Vec<u64> = lut.inputs().iter().map(|&signal| self.word(signal, word)).collect();
            table.push(blc_ir::table::compose(lut.table, &inputs) & self.mask(column as usize));
        }
        self.keep(column, &table)
    }

    fn word(&self, signal: Signal, word: usize) -> u64 {
        match (signal, self.functions[signal as usize]) {
            (ZERO, _) | (_, None) => {
                if signal == ONE {
                    u64::MAX
                } else {
                    0
                }
            }
            (_, Some(f)) => self.words[f.start + word],
        }
    }

    /// Whether a function is a comparison: its table then is a run of zeros and a run of ones.
    fn comparison(&self, f: Function) -> Option<Comparison> {
        let size = self.size(f.column as usize);
        let table = &self.words[f.start..][..size];
        let count = 1u64 << self.layout.column(f.column as usize).width;
        let bit = |n: u64| table[(n / 64) as usize] >> (n % 64) & 1;
        let ones: u64 = table.iter().map(|w| u64::from(w.count_ones())).sum();
        let complement = bit(0) == 1;
        // The first `run` numbers have the value of number 0.
        let run = if complement { ones } else { count - ones };
        let whole = (0..run).all(|n| (bit(n) == 1) == complement);
        (whole && run < count).then(|| Comparison { column: f.column, above: run - 1, complement })
    }
}

/// Comparisons of 64 columns, at most one for each.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    /// The first column.
    pub first: usize,
    /// Number of columns.
    pub columns: usize,
    /// What bytes must be greater than.
    pub bytes: [u8; 64],
    /// What words must be greater than.
    pub words: [u64; 64],
    /// What reals must not be less than: the smallest ones whose codes are greater.
    pub reals: [f32; 64],
    /// Column less the first, where the result goes, and whether its complement does.
    pub slots: Vec<(u8, Slot, bool)>,
}

/// Comparisons whose results have slots, by column; `code` is the affine code of each column.
pub(super) fn planes(
    comparisons: &[Comparison],
    slots: &[Slot],
    layout: &Layout,
    code: Option<&[(f32, f32)]>,
) -> Vec<Plane> {
    let mut used: Vec<(Comparison, Slot)> =
        comparisons.iter().copied().zip(slots.iter().copied()).filter(|(_, slot)| *slot != UNUSED).collect();
    used.sort_by_key(|(c, slot)| (c.column, c.above, *slot));
    let mut planes: Vec<Plane> = Vec::new();
    let mut tile = (usize::MAX, 0);
    let mut last = (u32::MAX, 0, 0);
    for (comparison, slot) in used {
        let (n, bit) = (comparison.column as usize / 64, comparison.column as usize % 64);
        if tile.0 != n {
            tile = (n, planes.len());
        }
        // The first plane of the tile whose place for this column is empty, or holds the same comparison.
        let level = match last {
            (column, above, level) if (column, above) == (comparison.column, comparison.above) => level,
            (column, _, level) if column == comparison.column => level + 1,
            _ => tile.1,
        };
        last = (comparison.column, comparison.above, level);
        if level == planes.len() {
            let first = n * 64;
            planes.push(Plane {
                first,
                columns: (layout.columns() - first).min(64),
                bytes: [u8::MAX; 64],
                words: [u64::MAX; 64],
                reals: [f32::NAN; 64],
                slots: Vec::new(),
            });
        }
        let plane = &mut planes[level];
        plane.bytes[bit] = comparison.above.min(255) as u8;
        plane.words[bit] = comparison.above;
        if let Some((offset, step)) = code.and_then(|code| code.get(comparison.column as usize)) {
            let width = layout.column(comparison.column as usize).width;
            plane.reals[bit] = least(|x| quantize(x, *offset, *step, width) > comparison.above);
        }
        plane.slots.push((bit as u8, slot, comparison.complement));
    }
    planes
}

/// The smallest real number with a property that all larger ones have, too; NaN where none has it.
fn least(holds: impl Fn(f32) -> bool) -> f32 {
    // The bits of reals in their order.
    let real = |n: u32| f32::from_bits(if n >> 31 == 1 { n ^ 1 << 31 } else { !n });
    let order = |x: f32| if x.is_sign_negative() { !x.to_bits() } else { x.to_bits() | 1 << 31 };
    let (mut low, mut high) = (order(f32::NEG_INFINITY), order(f32::INFINITY));
    if !holds(f32::INFINITY) {
        return f32::NAN;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(real(middle)) { high = middle } else { low = middle + 1 }
    }
    real(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn least_is_the_boundary(offset in -5f32..5.0, step in 0.001f32..3.0, above in 0u64..255, x: f32) {
            let holds = |x: f32| quantize(x, offset, step, 8) > above;
            let least = least(holds);
            prop_assert!(holds(least) && !holds(least.next_down()));
            prop_assume!(!x.is_nan());
            prop_assert_eq!(holds(x), x >= least);
        }
    }

    #[test]
    fn no_number_at_all() {
        assert!(least(|_| false).is_nan());
        assert_eq!(least(|_| true), f32::NEG_INFINITY);
    }
}

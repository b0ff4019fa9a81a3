//! Sums as bit heaps: columns of bits of equal weight, compressed until one bit is left in each.
//!
//! The counters are those that fit lookup tables of six inputs: `n` bits of a column become their number in binary, one
//! bit in the column and one in each of the next two. Six bits take three LUT6 (6:3); of five or fewer the two lower
//! outputs share one dual-output LUT6_2, so five take two sites (5:3) and three take one (3:2, a full adder). All of
//! these remove one bit a site; counters of four and of two bits remove less and are used only where the number of bits
//! in a column leaves no other way.
//!
//! Columns are finished from the lowest up and bits are taken as they arrive (fewest LUT levels first), so the depth
//! stays logarithmic in the number of bits plus one or two levels a column.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use blc_ir::table::mask;
use blc_ir::{Func, LocId, Value};

/// Makes lookup tables and keeps count of the levels at which values arrive.
pub(crate) struct Levels {
    levels: Vec<u32>,
}

impl Levels {
    pub fn new() -> Self {
        Self { levels: Vec::new() }
    }

    /// LUTs on the longest way to a value.
    pub fn of(&self, v: Value) -> u32 {
        self.levels.get(v.index()).copied().unwrap_or(0)
    }

    /// Notes the level of a value.
    pub fn set(&mut self, v: Value, level: u32) {
        if self.levels.len() <= v.index() {
            self.levels.resize(v.index() + 1, 0);
        }
        self.levels[v.index()] = level;
    }
}

/// Bits waiting to be summed. The sum is taken modulo two to the number of columns.
pub(crate) struct BitHeap {
    columns: Vec<BinaryHeap<Reverse<(u32, Value)>>>,
}

impl BitHeap {
    /// A heap of so many columns.
    pub fn new(columns: usize) -> Self {
        Self { columns: vec![BinaryHeap::new(); columns] }
    }

    /// Adds `bit * 2^column`; bits beyond the last column do not matter.
    pub fn add(&mut self, column: usize, bit: Value, level: u32) {
        if let Some(column) = self.columns.get_mut(column) {
            column.push(Reverse((level, bit)));
        }
    }

    /// Compresses the heap to one bit a column, `None` for an empty one.
    pub fn compress(mut self, f: &mut Func, levels: &mut Levels, loc: LocId) -> Vec<Option<Value>> {
        (0..self.columns.len()).map(|c| self.finish_column(c, f, levels, loc)).collect()
    }

    fn finish_column(&mut self, column: usize, f: &mut Func, levels: &mut Levels, loc: LocId) -> Option<Value> {
        self.merge_equal(column);
        let above = self.columns.len() - 1 - column;
        while self.columns[column].len() > 1 {
            let count = counter(self.columns[column].len(), above);
            let mut bits = Vec::with_capacity(count);
            let mut level = 0;
            while bits.len() < count
                && let Some(Reverse((at, bit))) = self.columns[column].pop()
            {
                level = level.max(at + 1);
                bits.push(bit);
            }
            for weight in 0..=above.min(bits.len().ilog2() as usize) {
                let bit = f.lut(count_bit(bits.len(), weight), &bits, loc);
                levels.set(bit, level);
                self.add(column + weight, bit, level);
            }
        }
        self.columns[column].pop().map(|Reverse((_, bit))| bit)
    }

    /// Two equal bits of a column are one of the next.
    fn merge_equal(&mut self, column: usize) {
        let mut bits = std::mem::take(&mut self.columns[column]).into_vec();
        bits.sort_by_key(|Reverse((_, bit))| *bit);
        for run in bits.chunk_by(|Reverse((_, a)), Reverse((_, b))| a == b) {
            let Reverse((level, bit)) = run[0];
            for _ in 0..run.len() / 2 {
                self.add(column + 1, bit, level);
            }
            if run.len() % 2 == 1 {
                self.add(column, bit, level);
            }
        }
    }
}

/// How many of `n > 1` bits the next counter takes, with so many columns above.
fn counter(n: usize, above: usize) -> usize {
    match (n, above) {
        // Only the parity counts: one table.
        (_, 0) => n.min(6),
        // Two outputs count: five inputs share a LUT6_2.
        (_, 1) => n.min(5),
        // So that the counters after it come out even, without one of four or two.
        (7 | 9, _) => 5,
        _ => n.min(6),
    }
}

/// Bit `weight` of the number of ones among `n` inputs.
pub(crate) fn count_bit(n: usize, weight: usize) -> u64 {
    let ones = |address: u64| u64::from(address.count_ones());
    (0..1u64 << n).fold(0, |table, a| table | (ones(a) >> weight & 1) << a) & mask(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_count() {
        assert_eq!(count_bit(2, 0), 0x6);
        assert_eq!(count_bit(2, 1), 0x8);
        assert_eq!(count_bit(3, 1), 0xe8);
        assert_eq!(count_bit(6, 2).count_ones(), 22);
    }
}

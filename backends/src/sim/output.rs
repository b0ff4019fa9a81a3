//! What comes out: the results of every sample, packed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::layout::{Layout, PortColumns};
use super::word::LANES;

/// The results of a run: a row a sample, a column for each element of each output port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    layout: Arc<Layout>,
    samples: usize,
    blocks: Arc<Blocks>,
}

/// Rows of 512 samples each, of the last one what is left: `[samples, tiles]`.
pub(super) struct Blocks {
    pub rows: Vec<Vec<u64>>,
    /// Where they go when nobody needs them any more.
    pub spare: Spare,
}

/// Memory to be written anew: fresh pages cost more than what is written to them.
pub(super) type Spare = Arc<Mutex<Vec<Vec<u64>>>>;

impl Drop for Blocks {
    fn drop(&mut self) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.rows);
    }
}

impl PartialEq for Blocks {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl Eq for Blocks {}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.fmt(f)
    }
}

impl Outputs {
    pub(super) fn new(layout: &Arc<Layout>, samples: usize, rows: Vec<Vec<u64>>, spare: &Spare) -> Self {
        let blocks = Arc::new(Blocks { rows, spare: Arc::clone(spare) });
        Self { layout: Arc::clone(layout), samples, blocks }
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The columns.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    fn row(&self, sample: usize) -> &[u64] {
        let tiles = self.layout.tiles().len();
        &self.blocks.rows[sample / LANES][sample % LANES * tiles..][..tiles]
    }

    /// The tiles of every sample, in order; none where there are no columns.
    fn rows(&self) -> impl Iterator<Item = &[u64]> {
        self.blocks.rows.iter().flat_map(|block| block.chunks_exact(self.layout.tiles().len().max(1)))
    }

    /// One element. Panics where there is no such sample or column.
    pub fn get(&self, sample: usize, column: usize) -> u64 {
        self.layout.element(self.row(sample), column)
    }

    /// The elements of a port, row-major `[samples, elements]`; `None` where no port has that name.
    pub fn port(&self, name: &str) -> Option<impl Iterator<Item = u64> + '_> {
        let PortColumns { columns, .. } = self.layout.port(name)?.clone();
        Some(self.rows().flat_map(move |row| columns.clone().map(|column| self.layout.element(row, column))))
    }

    /// As [`Self::port`], in bytes; `None` also where an element has more than 8 bits.
    pub fn port_u8(&self, name: &str) -> Option<Vec<u8>> {
        self.layout.port(name).filter(|p| p.width <= 8)?;
        Some(self.port(name)?.map(|x| x as u8).collect())
    }

    /// As [`Self::port`], in 16 bits; `None` also where an element has more.
    pub fn port_u16(&self, name: &str) -> Option<Vec<u16>> {
        self.layout.port(name).filter(|p| p.width <= 16)?;
        Some(self.port(name)?.map(|x| x as u16).collect())
    }

    /// All columns, row-major `[samples, columns]`.
    pub fn all(&self) -> impl Iterator<Item = u64> {
        let columns = self.layout.columns();
        self.rows().flat_map(move |row| (0..columns).map(|column| self.layout.element(row, column)))
    }

    /// As [`Self::all`], in bytes; `None` where a column has more than 8 bits. For a design without a head, its output
    /// bits as 0 and 1.
    pub fn all_u8(&self) -> Option<Vec<u8>> {
        if self.layout.ports().iter().any(|p| p.width > 8) {
            return None;
        }
        let mut bytes = Vec::with_capacity(self.samples * self.layout.columns());
        for row in self.rows() {
            for (tile, word) in self.layout.tiles().iter().zip(row) {
                match tile.width {
                    Some(1) => push_bits(*word, tile.columns.len(), &mut bytes),
                    _ => bytes.extend(self.layout.columns_of(tile).iter().map(|c| (word >> c.shift & c.max()) as u8)),
                }
            }
        }
        Some(bytes)
    }

    /// The first sample in which two runs of the same ports differ, and the column; `None` where they agree. Both must
    /// have the same layout and number of samples.
    pub fn first_difference(&self, other: &Self) -> Option<(usize, usize)> {
        let sample = self.rows().zip(other.rows()).position(|(a, b)| a != b)?;
        let column = (0..self.layout.columns()).find(|&c| self.get(sample, c) != other.get(sample, c))?;
        Some((sample, column))
    }
}

/// The `count` lowest bits of a word, a byte each.
fn push_bits(word: u64, count: usize, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    for eight in word.to_le_bytes() {
        // Byte `j` keeps bit `j`, and the sum carries into its highest bit where that is set.
        let apart = (u64::from(eight) * 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
        let apart = apart + 0x7f7f_7f7f_7f7f_7f7f;
        bytes.extend_from_slice(&(apart >> 7 & 0x0101_0101_0101_0101).to_le_bytes());
    }
    bytes.truncate(start + count);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_become_bytes(word: u64, count in 0usize..=64) {
            let mut bytes = vec![7];
            push_bits(word, count, &mut bytes);
            let expected: Vec<u8> = std::iter::once(7).chain((0..count).map(|b| (word >> b & 1) as u8)).collect();
            prop_assert_eq!(bytes, expected);
        }
    }
}

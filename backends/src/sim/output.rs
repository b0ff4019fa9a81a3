//! What comes out: the results of every sample, packed.

use std::sync::Arc;

use super::layout::{Layout, PortColumns};

/// The results of a run: a row a sample, a column for each element of each output port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    layout: Arc<Layout>,
    samples: usize,
    /// `[samples, tiles]`.
    tiles: Vec<u64>,
}

impl Outputs {
    pub(super) fn new(layout: &Arc<Layout>, samples: usize, tiles: Vec<u64>) -> Self {
        Self { layout: Arc::clone(layout), samples, tiles }
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
        &self.tiles[sample * tiles..][..tiles]
    }

    /// One element. Panics where there is no such sample or column.
    pub fn get(&self, sample: usize, column: usize) -> u64 {
        self.layout.element(self.row(sample), column)
    }

    /// The elements of a port, row-major `[samples, elements]`; `None` where no port has that name.
    pub fn port(&self, name: &str) -> Option<impl Iterator<Item = u64> + '_> {
        let PortColumns { columns, .. } = self.layout.port(name)?.clone();
        let elements: Vec<_> = columns.map(|column| self.layout.column(column)).collect();
        let count = elements.len();
        Some((0..self.samples * count).map(move |i| {
            let (row, c) = (self.row(i / count), elements[i % count]);
            row[c.tile as usize] >> c.shift & c.max()
        }))
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

    /// All columns, row-major `[samples, columns]`, in bytes; `None` where one has more than 8 bits. For a design without
    /// a head, its output bits as 0 and 1.
    pub fn all_u8(&self) -> Option<Vec<u8>> {
        let columns = self.layout.columns();
        self.layout.ports().iter().all(|p| p.width <= 8).then(|| {
            let rows = (0..self.samples).map(|sample| self.row(sample));
            rows.flat_map(|row| (0..columns).map(|c| self.layout.element(row, c) as u8)).collect()
        })
    }

    /// The first sample in which two runs of the same ports differ, and the column; `None` where they agree. Both must
    /// have the same layout and number of samples.
    pub fn first_difference(&self, other: &Self) -> Option<(usize, usize)> {
        let samples = 0..self.samples.min(other.samples);
        let sample = samples.into_iter().find(|&s| self.row(s) != other.row(s))?;
        let column = (0..self.layout.columns()).find(|&c| self.get(sample, c) != other.get(sample, c))?;
        Some((sample, column))
    }
}

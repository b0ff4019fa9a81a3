//! How the elements of a design's ports lie in words of 64 bits.

use std::ops::Range;

use blc_ir::{Func, Port, Type};

/// The inputs or the outputs of a design as a table: one column for each element of each port (the clock has none), in
/// order.
///
/// Columns are packed into tiles of 64 bits, lowest bits first, none across two tiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    ports: Vec<PortColumns>,
    columns: Vec<Column>,
    tiles: Vec<Tile>,
}

/// A port and its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortColumns {
    /// Name of the port.
    pub name: String,
    /// Which columns are its elements.
    pub columns: Range<usize>,
    /// Bits of an element.
    pub width: u8,
}

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub tile: u32,
    /// Lowest bit in the tile.
    pub shift: u8,
    pub width: u8,
    /// Lowest bit among all ports' bits.
    pub bit: u32,
}

impl Column {
    /// The largest number that fits.
    pub fn max(&self) -> u64 {
        u64::MAX >> (64 - self.width)
    }
}

/// What columns a tile holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub columns: Range<usize>,
    /// The width that all of them have, if it is the same.
    pub width: Option<u8>,
}

impl Layout {
    pub(super) fn inputs(f: &Func) -> Self {
        Self::new(f, &f.params)
    }

    pub(super) fn outputs(f: &Func) -> Self {
        Self::new(f, &f.results)
    }

    fn new(f: &Func, ports: &[Port]) -> Self {
        let mut layout = Self { ports: Vec::new(), columns: Vec::new(), tiles: Vec::new() };
        let (mut used, mut bit) = (64, 0);
        for port in ports.iter().filter(|p| f.ty(p.value) != Type::CLOCK) {
            let ty = f.ty(port.value);
            let width = ty.elem_bits() as u8;
            let first = layout.columns.len();
            for column in first..first + ty.len() {
                if used + width > 64 {
                    layout.tiles.push(Tile { columns: column..column, width: Some(width) });
                    used = 0;
                }
                let tile = layout.tiles.len() - 1;
                layout.columns.push(Column { tile: tile as u32, shift: used, width, bit });
                let tile = &mut layout.tiles[tile];
                tile.columns.end += 1;
                tile.width = tile.width.filter(|&w| w == width);
                used += width;
                bit += u32::from(width);
            }
            layout.ports.push(PortColumns { name: port.name.clone(), columns: first..layout.columns.len(), width });
        }
        layout
    }

    /// The ports.
    pub fn ports(&self) -> &[PortColumns] {
        &self.ports
    }

    /// The port of that name.
    pub fn port(&self, name: &str) -> Option<&PortColumns> {
        self.ports.iter().find(|p| p.name == name)
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn column(&self, column: usize) -> Column {
        self.columns[column]
    }

    pub(super) fn tiles(&self) -> &[Tile] {
        &self.tiles
    }

    /// The columns of a tile.
    pub(super) fn columns_of(&self, tile: &Tile) -> &[Column] {
        &self.columns[tile.columns.clone()]
    }

    /// The element of a column, of a sample's tiles.
    pub(super) fn element(&self, tiles: &[u64], column: usize) -> u64 {
        let c = self.columns[column];
        tiles[c.tile as usize] >> c.shift & c.max()
    }

    /// `%score[3]`, for messages.
    pub(super) fn column_name(&self, column: usize) -> String {
        match self.ports.iter().find(|p| p.columns.contains(&column)) {
            Some(p) if p.columns.len() == 1 => format!("%{}", p.name),
            Some(p) => format!("%{}[{}]", p.name, column - p.columns.start),
            None => format!("column {column}"),
        }
    }
}

//! What goes in: a table of samples by columns, as it lies in an `.npy` file.

use std::ops::Range;

use blc_ir::diag::{Diagnostic, Result};
use blc_ir::eval::quantize;

use super::layout::{Column, Layout, Tile};
use super::word::Rows;
use crate::codes::{SIM_NAN, SIM_REAL, SIM_SHAPE, SIM_VALUE};

/// Samples, row-major `[samples, columns]`, a column for each element of each input port (see [`Layout`]).
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Number of rows.
    pub samples: usize,
    /// The rows.
    pub data: Data<'a>,
    /// What messages call the first row: its number in the file that the rows are from.
    pub first: usize,
}

/// The elements of an [`Input`].
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// Input words below 256; bits are 0 or 1.
    U8(&'a [u8]),
    /// Input words of up to 64 bits.
    U64(&'a [u64]),
    /// Real features, turned into words by the design's own affine code ([`quantize`]).
    F32(&'a [f32]),
}

impl Data<'_> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(d) => d.len(),
            Self::U64(d) => d.len(),
            Self::F32(d) => d.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The affine code of real inputs: offset and step of each column.
pub(super) type Code = Vec<(f32, f32)>;

impl<'a> Input<'a> {
    /// Rows of small numbers or bits.
    pub fn u8(samples: usize, data: &'a [u8]) -> Self {
        Self { samples, data: Data::U8(data), first: 0 }
    }

    /// Rows of numbers of up to 64 bits.
    pub fn u64(samples: usize, data: &'a [u64]) -> Self {
        Self { samples, data: Data::U64(data), first: 0 }
    }

    /// Rows of real numbers.
    pub fn f32(samples: usize, data: &'a [f32]) -> Self {
        Self { samples, data: Data::F32(data), first: 0 }
    }

    /// The same rows as part of more, which begins `first` rows before.
    pub fn starting_at(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// Whether it has the right number of columns and, for real numbers, the design has a code for each.
    pub(super) fn check_shape(&self, layout: &Layout, code: Option<&Code>) -> Result<()> {
        let columns = layout.columns();
        if self.samples.checked_mul(columns) != Some(self.data.len()) {
            let (samples, given) = (self.samples, self.data.len());
            let text = format!("{samples} samples of {columns} inputs are needed, {given} numbers are given");
            let help = format!("the design takes rows of {columns} numbers: {}", columns_text(layout));
            return Err(Box::new(Diagnostic::error(&SIM_SHAPE, text).help(help)));
        }
        if matches!(self.data, Data::F32(_)) && code.is_none_or(|c| c.len() != columns) {
            let text = "real numbers are given, and the design does not say how to turn them into its input words";
            let help = "give the features as unsigned numbers, or compile a model whose input is f32";
            return Err(Box::new(Diagnostic::error(&SIM_REAL, text).help(help)));
        }
        Ok(())
    }

    /// Whether every number of some rows fits its port.
    pub(super) fn check_rows(&self, layout: &Layout, limits: &Limits, rows: Range<usize>) -> Result<()> {
        let columns = layout.columns();
        let span = rows.start * columns..rows.end * columns;
        // The first looks only for whether there is one: without an early exit it runs on whole vectors.
        let fits = match self.data {
            Data::U8(d) => {
                limits.bytes.is_empty()
                    || d[span.clone()]
                        .chunks_exact(columns)
                        .all(|row| row.iter().zip(&limits.bytes).fold(true, |fine, (x, max)| fine & (x <= max)))
            }
            Data::U64(d) => {
                let rows = &mut d[span.clone()].chunks_exact(columns.max(1));
                rows.all(|row| row.iter().zip(&limits.words).fold(true, |fine, (x, max)| fine & (x <= max)))
            }
            Data::F32(d) => d[span.clone()].iter().fold(true, |fine, x| fine & !x.is_nan()),
        };
        if fits { Ok(()) } else { Err(self.misfit(layout, span)) }
    }

    #[cold]
    fn misfit(&self, layout: &Layout, mut span: Range<usize>) -> Box<Diagnostic> {
        let columns = layout.columns();
        let max = |i: usize| layout.column(i % columns).max();
        let at = match self.data {
            Data::U8(d) => span.find(|&i| u64::from(d[i]) > max(i)),
            Data::U64(d) => span.find(|&i| d[i] > max(i)),
            Data::F32(d) => span.find(|&i| d[i].is_nan()),
        };
        let at = at.unwrap_or_default();
        let place = format!("sample {}, {}", self.first + at / columns, layout.column_name(at % columns));
        let error = match self.data {
            Data::F32(_) => Diagnostic::error(&SIM_NAN, "not a number (NaN)").help("replace missing values first"),
            Data::U8(d) => too_big(u64::from(d[at]), max(at)),
            Data::U64(d) => too_big(d[at], max(at)),
        };
        Box::new(error.in_op(place))
    }

    /// Up to eight tiles of up to 64 rows, from row `first` on: matrix `m` of `out` gets tile `m`. The rest stays.
    pub(super) fn strip(&self, layout: &Layout, code: &[(f32, f32)], first: usize, tiles: &[Tile], out: &mut Rows) {
        let columns = layout.columns();
        let count = (self.samples - first).min(64);
        let out = &mut out[..count];
        if let (Data::U8(d), true) = (self.data, is_whole(tiles)) {
            let start = first * columns + tiles[0].columns.start;
            for (i, row) in out.iter_mut().enumerate() {
                let bytes = &d[start + i * columns..][..64];
                for (word, eight) in row.iter_mut().zip(bytes.chunks_exact(8)) {
                    *word = self::bytes(eight);
                }
            }
            return;
        }
        for (m, tile) in tiles.iter().enumerate() {
            let start = first * columns + tile.columns.start;
            let n = tile.columns.len();
            let columns_of = layout.columns_of(tile);
            let rows = out.iter_mut().enumerate().map(|(i, row)| (start + i * columns, &mut row[m]));
            match self.data {
                Data::U8(d) => match tile.width {
                    Some(8) => rows.for_each(|(at, word)| *word = bytes(&d[at..at + n])),
                    Some(1) => rows.for_each(|(at, word)| *word = bits(&d[at..at + n])),
                    _ => rows.for_each(|(at, word)| *word = pack(columns_of, |i, _| u64::from(d[at + i]))),
                },
                Data::U64(d) => rows.for_each(|(at, word)| *word = pack(columns_of, |i, _| d[at + i])),
                Data::F32(d) => {
                    let code = &code[tile.columns.clone()];
                    rows.for_each(|(at, word)| {
                        *word = pack(columns_of, |i, width| quantize(d[at + i], code[i].0, code[i].1, width));
                    });
                }
            }
        }
    }
}

/// Whether tiles hold 64 bytes, one behind the other.
fn is_whole(tiles: &[Tile]) -> bool {
    tiles.len() == 8 && tiles.iter().all(|t| t.width == Some(8) && t.columns.len() == 8)
}

/// Largest numbers of the columns, in the types that they are compared in.
pub(super) struct Limits {
    /// Empty where every byte fits every column.
    bytes: Vec<u8>,
    words: Vec<u64>,
}

impl Limits {
    pub fn new(layout: &Layout) -> Self {
        let words: Vec<u64> = (0..layout.columns()).map(|c| layout.column(c).max()).collect();
        let narrow = words.iter().any(|&max| max < 255);
        let bytes = if narrow { words.iter().map(|&max| max.min(255) as u8).collect() } else { Vec::new() };
        Self { bytes, words }
    }
}

#[inline(always)]
fn pack(columns: &[Column], get: impl Fn(usize, u8) -> u64) -> u64 {
    columns.iter().enumerate().fold(0, |word, (i, c)| word | get(i, c.width) << c.shift)
}

/// Up to eight bytes in one word.
#[inline(always)]
fn bytes(row: &[u8]) -> u64 {
    match row.try_into() {
        Ok(eight) => u64::from_le_bytes(eight),
        Err(_) => row.iter().rev().fold(0, |word, &x| word << 8 | u64::from(x)),
    }
}

/// Up to 64 bytes of 0 or 1 as bits of one word.
#[inline(always)]
fn bits(row: &[u8]) -> u64 {
    // The product moves bit 8 i to bit 56 + i; no two partial products meet.
    let gather = |eight: u64| eight.wrapping_mul(0x0102_0408_1020_4080) >> 56;
    row.chunks(8).enumerate().fold(0, |word, (i, eight)| word | gather(bytes(eight)) << (8 * i))
}

fn too_big(x: u64, max: u64) -> Diagnostic {
    Diagnostic::error(&SIM_VALUE, format!("{x} does not fit the input, whose largest number is {max}"))
        .help("check that the data is encoded as the design was compiled for")
}

fn columns_text(layout: &Layout) -> String {
    let mut text: Vec<String> = layout
        .ports()
        .iter()
        .take(4)
        .map(|p| format!("%{} ({} × {} bits)", p.name, p.columns.len(), p.width))
        .collect();
    if layout.ports().len() > 4 {
        text.push("…".into());
    }
    if text.is_empty() { "it has no inputs".into() } else { text.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_and_bytes_are_little_endian(row in proptest::collection::vec(any::<u8>(), 0..=64)) {
            let ones: Vec<u8> = row.iter().map(|x| x & 1).collect();
            let expected = ones.iter().rev().fold(0u64, |w, &b| w << 1 | u64::from(b));
            prop_assert_eq!(bits(&ones), expected);
            let row = &row[..row.len().min(8)];
            let expected = row.iter().rev().fold(0u64, |w, &b| w << 8 | u64::from(b));
            prop_assert_eq!(bytes(row), expected);
        }
    }
}

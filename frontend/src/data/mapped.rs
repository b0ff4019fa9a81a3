//! An `.npy` file that stays where it is: rows are read as they are needed, so that it may be larger than memory.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use blc_ir::diag::{Diagnostic, Result};
use memmap2::Mmap;

use super::array::{Elements, Kind};
use super::npy::{self, Head};
use crate::files;

/// An array in a file. Its first axis are rows.
#[derive(Debug)]
pub struct Mapped {
    head: Head,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl Bytes {
    fn get(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl Mapped {
    /// Opens a file. What cannot be mapped, such as a pipe, is read to its end.
    ///
    /// The file must not be made shorter while it is open: as with any mapping, the process would end.
    ///
    /// # Errors
    /// As of [`npy::read`]; a regular file may have any size.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = match File::open(path) {
            Ok(file) if file.metadata().is_ok_and(|m| m.is_file() && m.len() > 0) => map(&file),
            _ => None,
        };
        let bytes = match bytes {
            Some(map) => Bytes::Mapped(map),
            None => Bytes::Owned(files::read_bounded(path, npy::MAX_FILE)?),
        };
        let head = npy::head(bytes.get());
        let head =
            head.map_err(|(code, message)| Diagnostic::error(code, message).in_file(files::display(path), ""))?;
        Ok(Self { head, bytes })
    }

    /// Dimensions, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.head.shape
    }

    /// What an element is.
    pub fn kind(&self) -> Kind {
        self.head.kind
    }

    /// Number of rows; a scalar has none.
    pub fn rows(&self) -> usize {
        self.head.shape.first().copied().unwrap_or(0)
    }

    /// Elements of a row.
    pub fn columns(&self) -> usize {
        self.head.shape.iter().skip(1).product()
    }

    /// The bytes of some rows as they lie in the file; `None` where elements do not lie row by row, lowest byte first.
    fn plain(&self, rows: &Range<usize>) -> Option<&[u8]> {
        let row = self.columns() * self.kind().size();
        let plain = !self.head.fortran && (!self.head.big_endian || self.kind().size() == 1);
        plain.then(|| &self.bytes.get()[self.head.start..][rows.start * row..rows.end * row])
    }

    /// Rows of bytes or truth values (0 and any other number) where they lie in the file.
    pub fn bytes(&self, rows: Range<usize>) -> Option<&[u8]> {
        matches!(self.kind(), Kind::U8 | Kind::Bool).then(|| self.plain(&rows)).flatten()
    }

    /// Rows of single precision where they lie in the file.
    pub fn reals(&self, rows: Range<usize>) -> Option<&[f32]> {
        if self.kind() != Kind::F32 || cfg!(target_endian = "big") {
            return None;
        }
        bytemuck::try_cast_slice(self.plain(&rows)?).ok()
    }

    /// Some rows, row-major.
    pub fn elements(&self, rows: Range<usize>) -> Elements {
        if let Some(bytes) = self.plain(&rows) {
            return Elements::from_le(self.kind(), bytes);
        }
        let data = &self.bytes.get()[self.head.start..];
        let (size, columns) = (self.kind().size(), self.columns());
        let mut bytes = vec![0; rows.len() * columns * size];
        // Column by column, as they lie in the file in Fortran order.
        for column in 0..columns {
            for (i, row) in rows.clone().enumerate() {
                let from = if self.head.fortran { self.place(row, column) } else { row * columns + column };
                let from = &data[from * size..][..size];
                let to = &mut bytes[(i * columns + column) * size..][..size];
                to.copy_from_slice(from);
                if self.head.big_endian {
                    to.reverse();
                }
            }
        }
        Elements::from_le(self.kind(), &bytes)
    }

    /// Where an element stands in Fortran order.
    fn place(&self, row: usize, mut column: usize) -> usize {
        let (mut at, mut stride) = (row, self.rows());
        // The column's indices, the last axis running fastest.
        let mut below: usize = self.columns();
        for &d in self.head.shape.iter().skip(1) {
            below /= d.max(1);
            at += column / below.max(1) * stride;
            column %= below.max(1);
            stride *= d;
        }
        at
    }
}

#[allow(unsafe_code)]
fn map(file: &File) -> Option<Mmap> {
    // SAFETY: the mapping is only read. That nobody shortens the file meanwhile cannot be known; `Mapped::open` says so.
    unsafe { Mmap::map(file) }.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Array;
    use proptest::prelude::*;

    fn file(descr: &str, fortran: bool, shape: &[usize], data: &[u8]) -> tempfile::NamedTempFile {
        let order = if fortran { "True" } else { "False" };
        let shape: String = shape.iter().map(|d| format!("{d}, ")).collect();
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
        let bytes = [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), data].concat();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    proptest! {
        /// Any rows of any kind, byte order and axis order are what reading the whole file gives.
        #[test]
        fn rows_are_those_of_the_whole(
            shape in proptest::collection::vec(0usize..5, 1..4),
            kind in 0..Kind::ALL.len(),
            (fortran, big) in any::<(bool, bool)>(),
            (a, b) in any::<(prop::sample::Index, prop::sample::Index)>(),
        ) {
            let kind = Kind::ALL[kind];
            let n = Array::bytes_of(&shape, kind).unwrap();
            let data: Vec<u8> = (0..n).map(|i| if kind == Kind::Bool { (i % 3 == 0).into() } else { (i * 37 % 127) as u8 }).collect();
            let order = match kind.size() { 1 => '|', _ if big => '>', _ => '<' };
            let file = file(&format!("{order}{}", kind.descr()), fortran, &shape, &data);
            let (mapped, whole) = (Mapped::open(file.path()).unwrap(), npy::read(file.path()).unwrap());
            prop_assert_eq!(mapped.shape(), &whole.shape[..]);
            let (a, b) = (a.index(shape[0] + 1), b.index(shape[0] + 1));
            let rows = a.min(b)..a.max(b);
            let columns = mapped.columns();
            let expected = whole.data.permuted(rows.start * columns..rows.end * columns);
            prop_assert_eq!(mapped.elements(rows.clone()), expected.clone());
            match (mapped.bytes(rows.clone()), &expected) {
                (Some(bytes), Elements::U8(x)) => prop_assert_eq!(bytes, &x[..]),
                (Some(bytes), Elements::Bool(x)) => prop_assert!(bytes.iter().zip(x).all(|(&b, &x)| (b != 0) == x)),
                (Some(_), _) => prop_assert!(false),
                (None, _) => prop_assert!(fortran || !matches!(kind, Kind::U8 | Kind::Bool)),
            }
            if let (Some(reals), Elements::F32(x)) = (mapped.reals(rows), &expected) {
                prop_assert_eq!(reals, &x[..]);
            }
        }
    }

    #[test]
    fn wrong_files() {
        let code = |file: &tempfile::NamedTempFile| Mapped::open(file.path()).map(|_| ()).map_err(|e| e.code.id);
        assert_eq!(code(&file("|u1", false, &[2, 3], &[0; 6])), Ok(()));
        assert_eq!(code(&file("|u1", false, &[2, 3], &[0; 5])), Err("BL1204"));
        assert_eq!(code(&file("|O", false, &[2, 3], &[0; 6])), Err("BL1203"));
        assert_eq!(code(&tempfile::NamedTempFile::new().unwrap()), Err("BL1202"));
        let gone = Mapped::open(Path::new("/no/such/file.npy")).map(|_| ()).map_err(|e| e.code.id);
        assert_eq!(gone, Err("BL1001"));
    }
}

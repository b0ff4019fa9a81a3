//! Batches of samples: from an array file to what the simulator takes. In one place for every command.

use std::ops::Range;
use std::path::{Path, PathBuf};

use blc_backends::sim::Input;
#[cfg(feature = "train")]
use blc_frontend::data::Features;
use blc_frontend::data::{Array, Elements, Kind as ElementKind, Mapped};
use blc_frontend::files;
use blc_ir::diag::{Code, Diagnostic, Place, Result};
use blc_ir::eval::{Val, affine};
use blc_ir::{Elem, Func, Module, Type};

use crate::codes;

/// What a design takes for one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    /// Numbers of a sample.
    columns: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bits,
    Words,
    Reals,
}

impl Wanted {
    fn of(module: &Module, f: &Func) -> Self {
        let types: Vec<Type> = f.params.iter().map(|p| f.ty(p.value)).filter(|&ty| ty != Type::CLOCK).collect();
        let reals = affine(module, f).is_some() || types.iter().any(|ty| ty.elem == Elem::F32);
        let kind = match () {
            () if reals => Kind::Reals,
            () if types.iter().all(|ty| ty.elem == Elem::Bit) => Kind::Bits,
            () => Kind::Words,
        };
        Self { columns: types.iter().map(Type::len).sum(), kind }
    }

    fn help(self) -> String {
        let n = self.columns;
        match self.kind {
            Kind::Bits => format!("this design takes [N, {n}] of bool, or of uint8 that is 0 or 1"),
            Kind::Words => format!("this design takes [N, {n}] of uint8"),
            Kind::Reals => format!("this design takes [N, {n}] of float32"),
        }
    }
}

/// Which bit of a byte comes first where bits are packed, as `numpy.packbits` calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum BitOrder {
    /// The highest one, NumPy's default.
    Big,
    /// The lowest one.
    Little,
}

/// An `.npy` of samples for a design, which stays in its file.
#[derive(Debug)]
pub struct Batch {
    path: PathBuf,
    file: Mapped,
    wanted: Wanted,
    packed: Option<BitOrder>,
}

impl Batch {
    /// Opens a file. With `packed`, each row holds bits, eight in a byte.
    ///
    /// # Errors
    /// The file is no array, or one of another shape or type than the design takes.
    pub fn open(path: &Path, module: &Module, f: &Func, packed: Option<BitOrder>) -> Result<Self> {
        let batch = Self { path: path.into(), file: Mapped::open(path)?, wanted: Wanted::of(module, f), packed };
        batch.check(batch.file.shape(), batch.file.kind())?;
        Ok(batch)
    }

    fn check(&self, shape: &[usize], kind: ElementKind) -> Result<()> {
        check(shape, kind, self.wanted, self.packed).map_err(|(code, message)| {
            let d = Diagnostic::error(code, message).in_file(files::display(&self.path), "");
            Box::new(d.help(self.wanted.help()))
        })
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.file.rows()
    }

    /// The file's name, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Samples of which some tens of megabytes are in memory at once.
    pub fn window(&self) -> usize {
        const BYTES: usize = 32 << 20;
        const BLOCK: usize = 4096;
        (BYTES / (8 * self.wanted.columns.max(1)) / BLOCK).clamp(1, 64) * BLOCK
    }

    /// Single samples, in any order.
    pub fn pick(&self, samples: impl Iterator<Item = usize>) -> Rows<'static> {
        let mut picked: Option<Rows<'static>> = None;
        for sample in samples {
            let row = self.rows(sample..sample + 1);
            let first = picked.is_none();
            let all = picked.get_or_insert(Rows { first: sample, samples: 0, data: RowData::U8(Vec::new()) });
            all.samples += 1;
            match (&mut all.data, row.data) {
                (RowData::U8(x), RowData::Bytes(y)) => x.extend_from_slice(y),
                (RowData::U8(x), RowData::U8(y)) => x.extend(y),
                (RowData::U64(x), RowData::U64(y)) => x.extend(y),
                (RowData::F32(x), RowData::Reals(y)) => x.extend_from_slice(y),
                (RowData::F32(x), RowData::F32(y)) => x.extend(y),
                (x, RowData::U64(y)) if first => *x = RowData::U64(y),
                (x, RowData::Reals(y)) if first => *x = RowData::F32(y.to_vec()),
                (x, RowData::F32(y)) if first => *x = RowData::F32(y),
                // All rows of a file are of one kind.
                _ => {}
            }
        }
        picked.unwrap_or(Rows { first: 0, samples: 0, data: RowData::U8(Vec::new()) })
    }

    /// Some samples.
    pub fn rows(&self, rows: Range<usize>) -> Rows<'_> {
        let (first, samples) = (rows.start, rows.len());
        let data = match (self.packed, self.file.bytes(rows.clone()), self.file.reals(rows.clone())) {
            (None, Some(bytes), _) if self.file.kind() == ElementKind::U8 => RowData::Bytes(bytes),
            (None, _, Some(reals)) => RowData::Reals(reals),
            (packed, ..) => match (self.file.elements(rows), packed) {
                (Elements::U8(x), Some(order)) => RowData::U8(unpack(&x, samples, self.wanted.columns, order)),
                (Elements::U8(x), None) => RowData::U8(x),
                (Elements::Bool(x), _) => RowData::U8(x.into_iter().map(u8::from).collect()),
                (Elements::U16(x), _) => RowData::U64(x.into_iter().map(u64::from).collect()),
                (Elements::U32(x), _) => RowData::U64(x.into_iter().map(u64::from).collect()),
                (Elements::U64(x), _) => RowData::U64(x),
                (Elements::F32(x), _) => RowData::F32(x),
                // Refused when the file was opened.
                _ => RowData::U8(Vec::new()),
            },
        };
        Rows { first, samples, data }
    }
}

/// Samples in memory, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows<'a> {
    first: usize,
    samples: usize,
    data: RowData<'a>,
}

#[derive(Clone, Debug, PartialEq)]
enum RowData<'a> {
    Bytes(&'a [u8]),
    Reals(&'a [f32]),
    U8(Vec<u8>),
    U64(Vec<u64>),
    F32(Vec<f32>),
}

impl Rows<'_> {
    /// The first sample as the evaluator takes it, for inputs of these numbers and types of elements.
    pub fn vals(&self, params: &[(usize, Elem)]) -> Vec<Val> {
        let mut start = 0;
        let mut next = |n: usize| {
            start += n;
            start - n..start
        };
        let values = params.iter().map(|&(n, elem)| {
            let span = next(n);
            let words = |words: Vec<u64>| match elem {
                Elem::F32 => Val::F32(words.into_iter().map(|x| x as f32).collect()),
                _ => Val::Packed(words),
            };
            match &self.data {
                RowData::Bytes(x) => words(x[span].iter().map(|&x| x.into()).collect()),
                RowData::U8(x) => words(x[span].iter().map(|&x| x.into()).collect()),
                RowData::U64(x) => words(x[span].to_vec()),
                RowData::Reals(x) => Val::F32(x[span].to_vec()),
                RowData::F32(x) => Val::F32(x[span].to_vec()),
            }
        });
        values.collect()
    }

    /// Samples of a data set.
    #[cfg(feature = "train")]
    pub fn of(x: &Features, samples: usize) -> Rows<'_> {
        let data = match x {
            Features::U8(x) => RowData::Bytes(x),
            Features::F32(x) => RowData::Reals(x),
        };
        Rows { first: 0, samples, data }
    }

    /// As the simulator takes them.
    pub fn input(&self) -> Input<'_> {
        let input = match &self.data {
            RowData::Bytes(x) => Input::u8(self.samples, x),
            RowData::Reals(x) => Input::f32(self.samples, x),
            RowData::U8(x) => Input::u8(self.samples, x),
            RowData::U64(x) => Input::u64(self.samples, x),
            RowData::F32(x) => Input::f32(self.samples, x),
        };
        input.starting_at(self.first)
    }
}

/// Whether an array fits what a design takes.
fn check(
    shape: &[usize],
    kind: ElementKind,
    wanted: Wanted,
    packed: Option<BitOrder>,
) -> Result<(), (&'static Code, String)> {
    let needed = if packed.is_some() { wanted.columns.div_ceil(8) } else { wanted.columns };
    let fits = shape.split_first().is_some_and(|(_, sample)| sample.iter().product::<usize>() == needed);
    if !fits {
        let what = if packed.is_some() { "bytes of packed bits" } else { "numbers" };
        return Err((&codes::BATCH_SHAPE, format!("an array of shape {shape:?}, but a sample has {needed} {what}")));
    }
    use ElementKind::{Bool, F32, U8, U16, U32, U64};
    let fine = match (wanted.kind, packed) {
        (Kind::Bits, Some(_)) => kind == U8,
        (_, Some(_)) => false,
        (Kind::Reals, None) => kind == F32,
        (Kind::Bits, None) => matches!(kind, U8 | Bool),
        (Kind::Words, None) => matches!(kind, U8 | Bool | U16 | U32 | U64),
    };
    let message = || format!("elements of type '{}' do not fit the design", kind.descr());
    if fine { Ok(()) } else { Err((&codes::BATCH_DTYPE, message())) }
}

/// Rows of `columns` bits out of rows of whole bytes.
fn unpack(bytes: &[u8], samples: usize, columns: usize, order: BitOrder) -> Vec<u8> {
    let row = columns.div_ceil(8);
    let bit = |byte: u8, b: usize| match order {
        BitOrder::Big => byte >> (7 - b) & 1,
        BitOrder::Little => byte >> b & 1,
    };
    (0..samples).flat_map(|i| (0..columns).map(move |c| bit(bytes[i * row + c / 8], c % 8))).collect()
}

/// The labels of a batch, in their file.
#[derive(Debug)]
pub struct Labels {
    file: Mapped,
    name: String,
}

impl Labels {
    /// Opens a file.
    ///
    /// # Errors
    /// Not one number for each sample.
    pub fn open(path: &Path, samples: usize) -> Result<Self> {
        let name = files::display(path);
        let file = Mapped::open(path)?;
        if file.shape() != [samples] {
            let message = format!("an array of shape {:?} for {samples} samples", file.shape());
            let d = Diagnostic::error(&codes::LABELS, message).in_file(name, "");
            return Err(Box::new(d.help(format!("give one label a sample: [{samples}]"))));
        }
        Ok(Self { file, name })
    }

    /// Those of some samples.
    ///
    /// # Errors
    /// A label that is no whole number from 0 to 65535.
    pub fn rows(&self, rows: Range<usize>) -> Result<Vec<u16>> {
        let shape = vec![rows.len()];
        Array { shape, data: self.file.elements(rows) }.to_labels(&self.name, "")
    }
}

/// A problem of the simulator with a sample, told of the file that the sample is from.
pub fn of_file(d: Diagnostic, path: &Path) -> Diagnostic {
    let detail = match &d.place {
        Place::Op(at) => at.clone(),
        _ => String::new(),
    };
    d.in_file(files::display(path), detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ElementKind::{Bool, F32, F64, I64, U8, U16};

    fn fits(shape: &[usize], kind: ElementKind, columns: usize, wanted: Kind) -> Result<(), &'static str> {
        check(shape, kind, Wanted { columns, kind: wanted }, None).map_err(|(code, _)| code.id)
    }

    #[test]
    fn shapes() {
        for shape in [&[3, 4][..], &[3, 2, 2], &[0, 4]] {
            assert_eq!(fits(shape, U8, 4, Kind::Words), Ok(()), "{shape:?}");
        }
        for shape in [&[4, 3][..], &[12], &[], &[3, 4, 0], &[1, 3, 4]] {
            assert_eq!(fits(shape, U8, 4, Kind::Words), Err("BL4020"), "{shape:?}");
        }
    }

    #[test]
    fn types() {
        let accepted = |kind| [Kind::Bits, Kind::Words, Kind::Reals].map(|w| fits(&[1, 1], kind, 1, w).is_ok());
        assert_eq!(accepted(U8), [true, true, false]);
        assert_eq!(accepted(Bool), [true, true, false]);
        assert_eq!(accepted(U16), [false, true, false]);
        assert_eq!(accepted(F32), [false, false, true]);
        assert_eq!(accepted(F64), [false; 3], "nothing is rounded silently");
        assert_eq!(accepted(I64), [false; 3]);
        assert_eq!(fits(&[1, 1], I64, 1, Kind::Words), Err("BL4021"));
    }

    #[test]
    fn packed_bits() {
        let wanted = Wanted { columns: 10, kind: Kind::Bits };
        let fits = |shape: &[usize], kind, wanted| check(shape, kind, wanted, Some(BitOrder::Big)).map_err(|e| e.0.id);
        assert_eq!(fits(&[5, 2], U8, wanted), Ok(()));
        assert_eq!(fits(&[5, 10], U8, wanted), Err("BL4020"));
        assert_eq!(fits(&[5, 2], U16, wanted), Err("BL4021"));
        assert_eq!(fits(&[5, 2], U8, Wanted { kind: Kind::Words, ..wanted }), Err("BL4021"));
        // numpy.packbits([[1,1,0,1,0,0,0,0, 0,1], [0,0,0,0,0,0,0,1, 1,0]], axis=1) and with bitorder="little".
        let rows = [1, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0];
        assert_eq!(unpack(&[0xd0, 0x40, 0x01, 0x80], 2, 10, BitOrder::Big), rows);
        assert_eq!(unpack(&[0x0b, 0x02, 0x80, 0x01], 2, 10, BitOrder::Little), rows);
    }
}

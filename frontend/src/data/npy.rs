//! NumPy's `.npy`: a header that is a Python dictionary, then the elements.
//!
//! Read are versions 1 to 3, both byte orders, C and Fortran order, truth values, integers and reals of up to 64 bits. Refused by name are
//! Python objects, strings, structures and complex numbers. Written is version 1, C order, little-endian, byte for byte as
//! NumPy does.

use std::path::Path;

use blc_ir::diag::{Code, Diagnostic, Result};

use super::array::{Array, Elements, Kind};
use crate::{codes, files};

/// Largest file.
pub const MAX_FILE: u64 = 8 << 30;
const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy's own limit.
const MAX_RANK: usize = 64;

/// Reads a `.npy` file.
///
/// Errors: `BL1001`, `BL1003` for the file, `BL1202` to `BL1204` for what is in it.
pub fn read(path: &Path) -> Result<Array> {
    from_bytes(&files::read_bounded(path, MAX_FILE)?, &files::display(path), "")
}

/// Writes a `.npy` file, completely or not at all. Errors: `BL1002`.
pub fn write(path: &Path, array: &Array) -> Result<()> {
    files::write_atomic(path, &to_bytes(array))
}

/// Reads the bytes of a `.npy` file; `file` and `what` are what diagnostics call it.
///
/// Errors: `BL1202` to `BL1204`.
pub fn from_bytes(bytes: &[u8], file: &str, what: &str) -> Result<Array> {
    parse(bytes).map_err(|(code, message)| Diagnostic::error(code, message).in_file(file, what).into())
}

/// The bytes of a `.npy` file of version 1.
pub fn to_bytes(array: &Array) -> Vec<u8> {
    [header(&array.shape, array.data.kind()), array.data.to_le()].concat()
}

/// What stands before the elements of an array of this shape.
fn header(shape: &[usize], kind: Kind) -> Vec<u8> {
    let order = if kind.size() == 1 { '|' } else { '<' };
    let shape: String = match shape {
        [one] => format!("({one},)"),
        all => format!("({})", all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    };
    let mut header = format!("{{'descr': '{order}{}', 'fortran_order': False, 'shape': {shape}, }}", kind.descr());
    while !(MAGIC.len() + 4 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).unwrap_or(u16::MAX);
    [MAGIC, &[1, 0], &length.to_le_bytes(), header.as_bytes()].concat()
}

/// An `.npy` file that is written piece by piece, and stands under its name when it is whole.
#[derive(Debug)]
pub struct Writer {
    file: files::Partial,
    kind: Kind,
    left: usize,
}

impl Writer {
    /// Begins a file.
    ///
    /// # Errors
    /// `BL1002`
    pub fn create(path: &Path, shape: &[usize], kind: Kind) -> Result<Self> {
        let mut file = files::Partial::create(path)?;
        file.write(&header(shape, kind))?;
        Ok(Self { file, kind, left: shape.iter().product() })
    }

    /// The next elements, in C order, of the kind that the file was begun with.
    ///
    /// # Errors
    /// `BL1002`; nothing is left of the file then.
    pub fn write(&mut self, elements: &Elements) -> Result<()> {
        debug_assert_eq!(elements.kind(), self.kind);
        self.left = self.left.saturating_sub(elements.len());
        match elements {
            Elements::U8(bytes) => self.file.write(bytes),
            other => self.file.write(&other.to_le()),
        }
    }

    /// Puts the file under its name.
    ///
    /// # Errors
    /// `BL1002`, also where elements are missing.
    pub fn finish(self) -> Result<()> {
        if self.left > 0 { Err(self.file.incomplete()) } else { self.file.finish() }
    }
}

pub(super) type Refused = (&'static Code, String);

fn bad(message: impl Into<String>) -> Refused {
    (&codes::NPY_FORMAT, message.into())
}

/// What a file says before its elements.
#[derive(Debug)]
pub(super) struct Head {
    pub shape: Vec<usize>,
    pub kind: Kind,
    pub big_endian: bool,
    pub fortran: bool,
    /// Where the elements begin; there are as many bytes as the shape needs.
    pub start: usize,
}

pub(super) fn head(bytes: &[u8]) -> Result<Head, Refused> {
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| bad("not a .npy file"))?;
    let too_short = || bad("the file ends inside its header");
    let ([major, _], rest) = rest.split_first_chunk().ok_or_else(too_short)?;
    let (length, rest) = match major {
        1 => rest.split_first_chunk().map(|(n, rest)| (usize::from(u16::from_le_bytes(*n)), rest)),
        2 | 3 => rest.split_first_chunk().map(|(n, rest)| (u32::from_le_bytes(*n) as usize, rest)),
        _ => return Err(bad(format!("version {major} of the format; known are 1, 2 and 3"))),
    }
    .ok_or_else(too_short)?;
    let (header, data) = rest.split_at_checked(length).ok_or_else(too_short)?;
    let header = std::str::from_utf8(header).map_err(|_| bad("the header is not text"))?;
    let header = Header::parse(header)?;

    let (big_endian, kind) = element_kind(&header.descr)?;
    let size = Array::bytes_of(&header.shape, kind);
    if size != Some(data.len()) {
        let shape = &header.shape;
        let message =
            format!("an array of shape {shape:?} and type {} does not have {} bytes", header.descr, data.len());
        return Err((&codes::ARRAY_SIZE, message));
    }
    let fortran = header.fortran && header.shape.len() > 1;
    Ok(Head { shape: header.shape, kind, big_endian, fortran, start: bytes.len() - data.len() })
}

fn parse(bytes: &[u8]) -> Result<Array, Refused> {
    let Head { shape, kind, big_endian, fortran, start } = head(bytes)?;
    let data = &bytes[start..];
    let elements = if big_endian {
        Elements::from_le(
            kind,
            &data.chunks_exact(kind.size()).flat_map(|c| c.iter().rev().copied()).collect::<Vec<u8>>(),
        )
    } else {
        Elements::from_le(kind, data)
    };
    let data = if fortran { elements.permuted(fortran_order(&shape)) } else { elements };
    Ok(Array { shape, data })
}

/// Whether big-endian, and the kind, of a `descr` such as `<f4`.
fn element_kind(descr: &str) -> Result<(bool, Kind), Refused> {
    let unsupported = || {
        let known: Vec<_> = Kind::ALL.iter().map(|k| k.descr()).collect();
        let message = format!("elements of type '{descr}'; known are {}", known.join(", "));
        (&codes::NPY_DTYPE, message)
    };
    let mut rest = descr.chars();
    let order = rest.next().ok_or_else(unsupported)?;
    let kind = Kind::ALL.iter().find(|k| k.descr() == rest.as_str()).ok_or_else(unsupported)?;
    match order {
        '<' | '|' | '=' => Ok((false, *kind)),
        '>' => Ok((true, *kind)),
        _ => Err(unsupported()),
    }
}

/// Where each element, in C order, stands in Fortran order.
fn fortran_order(shape: &[usize]) -> impl Iterator<Item = usize> + '_ {
    let strides: Vec<usize> = shape
        .iter()
        .scan(1, |stride, &d| {
            let own = *stride;
            *stride *= d;
            Some(own)
        })
        .collect();
    let mut index = vec![0; shape.len()];
    let mut offset = 0;
    (0..shape.iter().product()).map(move |_| {
        let here = offset;
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            offset += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            offset -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
        here
    })
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`
struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, Refused> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        let mut at = Cursor { rest: text };
        at.expect('{')?;
        while !at.accept('}') {
            let key = at.string()?;
            at.expect(':')?;
            match key {
                "descr" => descr = Some(at.descr()?.to_owned()),
                "fortran_order" => fortran = Some(at.truth()?),
                "shape" => shape = Some(at.tuple()?),
                _ => return Err(bad(format!("unknown key '{key}' in the header"))),
            }
            if !at.accept(',') {
                at.expect('}')?;
                break;
            }
        }
        at.end()?;
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) => Ok(Self { descr, fortran, shape }),
            _ => Err(bad("the header lacks one of descr, fortran_order and shape")),
        }
    }
}

/// Reads the little of Python's syntax that headers use.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn accept(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, c: char) -> Result<(), Refused> {
        if self.accept(c) { Ok(()) } else { Err(self.unexpected(&format!("'{c}'"))) }
    }

    fn unexpected(&self, wanted: &str) -> Refused {
        let found: String = self.rest.chars().take(10).collect();
        bad(format!("the header has {found:?} where {wanted} should be"))
    }

    fn string(&mut self) -> Result<&'a str, Refused> {
        let quote = if self.accept('\'') {
            '\''
        } else if self.accept('"') {
            '"'
        } else {
            return Err(self.unexpected("a string"));
        };
        let (text, rest) = self.rest.split_once(quote).ok_or_else(|| self.unexpected("the end of a string"))?;
        self.rest = rest;
        Ok(text)
    }

    fn descr(&mut self) -> Result<&'a str, Refused> {
        if self.rest.trim_start().starts_with('[') {
            return Err((&codes::NPY_DTYPE, "elements that are structures".into()));
        }
        self.string()
    }

    fn truth(&mut self) -> Result<bool, Refused> {
        self.rest = self.rest.trim_start();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(self.unexpected("True or False"))
    }

    fn tuple(&mut self) -> Result<Vec<usize>, Refused> {
        let mut sizes = Vec::new();
        self.expect('(')?;
        while !self.accept(')') {
            if sizes.len() == MAX_RANK {
                return Err(bad(format!("more than {MAX_RANK} dimensions")));
            }
            sizes.push(self.size()?);
            if !self.accept(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(sizes)
    }

    fn size(&mut self) -> Result<usize, Refused> {
        self.rest = self.rest.trim_start();
        let digits = self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = self.rest.split_at(digits);
        let size = number.parse().map_err(|_| self.unexpected("a size"))?;
        self.rest = rest.strip_prefix('L').unwrap_or(rest);
        Ok(size)
    }

    fn end(&self) -> Result<(), Refused> {
        if self.rest.trim().is_empty() { Ok(()) } else { Err(self.unexpected("the end")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
        [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), data].concat()
    }

    fn array(descr: &str, order: &str, shape: &str, data: &[u8]) -> Result<Array> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        from_bytes(&with_header(&header, data), "a.npy", "")
    }

    #[test]
    fn writes_what_numpy_writes() {
        // numpy.save of numpy.array([[1, 2, 3]], numpy.uint16), version 2.3
        let header = "{'descr': '<u2', 'fortran_order': False, 'shape': (1, 3), }";
        let expected = with_header(&format!("{header:<117}\n"), &[1, 0, 2, 0, 3, 0]);
        let array = Array { shape: vec![1, 3], data: Elements::U16(vec![1, 2, 3]) };
        assert_eq!(to_bytes(&array), expected);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.npy");
        write(&path, &array).unwrap();
        assert_eq!(read(&path).unwrap(), array);
    }

    #[test]
    fn both_orders_of_bytes_and_axes() {
        let a = array(">i2", "False", "(2,)", &[1, 2, 255, 255]).unwrap();
        assert_eq!(a.data, Elements::I16(vec![0x102, -1]));
        let a = array("|u1", "True", "(2, 3)", &[0, 10, 1, 11, 2, 12]).unwrap();
        assert_eq!(a.data, Elements::U8(vec![0, 1, 2, 10, 11, 12]));
        let a = array("|b1", "True", "(2, 1, 2)", &[1, 0, 0, 2]).unwrap();
        assert_eq!(a.data, Elements::Bool(vec![true, false, false, true]));
        assert_eq!(array("<f8", "False", "()", &1.5f64.to_le_bytes()).unwrap().data, Elements::F64(vec![1.5]));
        assert_eq!(array("<f8", "True", "(3, 0)", &[]).unwrap().shape, [3, 0]);
    }

    #[test]
    fn later_versions_and_old_longs() {
        let header = "{'shape':(3L,), 'fortran_order':False, \"descr\":'<i1'}";
        for version in [2, 3] {
            let bytes =
                [MAGIC, &[version, 0], &(header.len() as u32).to_le_bytes(), header.as_bytes(), &[1, 2, 255]].concat();
            assert_eq!(from_bytes(&bytes, "a", "").unwrap().data, Elements::I8(vec![1, 2, -1]));
        }
    }

    #[test]
    fn lies() {
        let refused = |r: Result<Array>| r.expect_err("must be refused").code.id;
        for (descr, order, shape, code) in [
            ("<f4", "False", "(3,)", "BL1204"),
            ("|u1", "False", "(0, 1099511627776, 1099511627776)", "BL1204"),
            ("<f4", "False", "(1,)", "BL1204"),
            ("<f4", "False", "(4294967296, 4294967296, 4)", "BL1204"),
            ("<f4", "True", "(18446744073709551615, 18446744073709551615)", "BL1204"),
            ("<f4", "False", "(99999999999999999999,)", "BL1202"),
            ("<f4", "False", "(-2,)", "BL1202"),
            ("<f4", "False", "(2", "BL1202"),
            ("<f4", "Maybe", "(2,)", "BL1202"),
            ("<f4', 'x': '", "False", "(2,)", "BL1202"),
            ("|O", "False", "(1,)", "BL1203"),
            ("<U2", "False", "(1,)", "BL1203"),
            ("<c8", "False", "(1,)", "BL1203"),
            ("<f2", "False", "(4,)", "BL1203"),
            ("?f4", "False", "(2,)", "BL1203"),
            ("", "False", "(2,)", "BL1203"),
            ("é", "False", "(2,)", "BL1203"),
        ] {
            assert_eq!(refused(array(descr, order, shape, &[0; 8])), code, "{descr} {order} {shape}");
        }
        let refused = |bytes: &[u8]| refused(from_bytes(bytes, "a", ""));
        assert_eq!(refused(b""), "BL1202");
        assert_eq!(refused(b"PK\x03\x04"), "BL1202");
        assert_eq!(refused(b"\x93NUMPY\x01\x00"), "BL1202");
        assert_eq!(refused(b"\x93NUMPY\x09\x00\x00\x00"), "BL1202");
        assert_eq!(refused(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{"), "BL1202");
        assert_eq!(refused(&with_header("\u{e9}".repeat(3).as_str(), &[])), "BL1202");
        assert_eq!(refused(&with_header("{'descr': '<f4'}", &[])), "BL1202");
        assert_eq!(refused(&with_header("{'descr': [('a', '<f4')], }", &[])), "BL1203");
        let many = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", "1, ".repeat(1000));
        assert_eq!(refused(&with_header(&many, &[0; 4])), "BL1202");
    }

    fn arrays() -> impl Strategy<Value = Array> {
        (proptest::collection::vec(0usize..4, 0..4), 0..Kind::ALL.len(), any::<u64>()).prop_map(
            |(shape, kind, seed)| {
                let kind = Kind::ALL[kind];
                let n = Array::bytes_of(&shape, kind).unwrap();
                let mask = if kind == Kind::Bool { 1 } else { 255 };
                let bytes: Vec<u8> =
                    (0..n as u64).map(|i| ((seed.wrapping_mul(i + 1) >> 33) as u8 & mask) % 127).collect();
                Array { shape, data: Elements::from_le(kind, &bytes) }
            },
        )
    }

    proptest! {
        #[test]
        fn any_array_comes_back(array in arrays()) {
            let bytes = to_bytes(&array);
            prop_assert_eq!((bytes.len() - array.data.to_le().len()) % 64, 0, "NumPy aligns the data");
            prop_assert_eq!(from_bytes(&bytes, "a", "").unwrap(), array);
        }

        #[test]
        fn fortran_order_is_a_transposition(a in 1usize..5, b in 1usize..5, c in 1usize..5) {
            let order: Vec<usize> = fortran_order(&[a, b, c]).collect();
            let mut expected = Vec::new();
            for i in 0..a { for j in 0..b { for k in 0..c { expected.push(i + a * (j + b * k)); } } }
            prop_assert_eq!(order, expected);
        }

        #[test]
        fn damage_never_panics(array in arrays(), at: prop::sample::Index, byte: u8) {
            let mut bytes = to_bytes(&array);
            let i = at.index(bytes.len());
            bytes[i] = byte;
            if let Ok(a) = from_bytes(&bytes, "a", "") {
                prop_assert_eq!(a.shape.iter().product::<usize>(), a.data.len());
            }
        }
    }
}

//! IDX, the format of MNIST and its relatives, plain or gzipped.
//!
//! Two zero bytes, a type code, the number of dimensions, each dimension as a big-endian u32, the elements big-endian.

use std::io::{self, Read};
use std::path::Path;

use blc_ir::diag::{Code, Diagnostic, Result};
use flate2::read::MultiGzDecoder;

use super::array::{Array, Elements, Kind};
use crate::codes;
use crate::files::{self, MAX_DEFLATE_RATIO, MAX_UNPACKED};

/// Largest file.
const MAX_FILE: u64 = 4 << 30;

/// Reads an IDX file; gzip is recognised by its first bytes.
///
/// Errors: `BL1001`, `BL1003` for the file, `BL1201`, `BL1204` and `BL1212` for what is in it.
pub fn read(path: &Path) -> Result<Array> {
    from_bytes(&files::read_bounded(path, MAX_FILE)?, &files::display(path))
}

/// Reads the bytes of an IDX file; `file` is what diagnostics call it.
///
/// Errors: `BL1201`, `BL1204`, `BL1212`.
pub fn from_bytes(bytes: &[u8], file: &str) -> Result<Array> {
    let packed = bytes.len() as u64;
    let parsed = if bytes.starts_with(&[0x1f, 0x8b]) {
        parse(MultiGzDecoder::new(bytes), packed.saturating_mul(MAX_DEFLATE_RATIO).min(MAX_UNPACKED))
    } else {
        parse(bytes, packed)
    };
    parsed.map_err(|(code, message)| Diagnostic::error(code, message).in_file(file, "").into())
}

type Refused = (&'static Code, String);

/// `most`: what the source can give at most.
fn parse(mut source: impl Read, most: u64) -> Result<Array, Refused> {
    let mut head = [0; 4];
    let not_idx = || (&codes::IDX_FORMAT, "not an IDX file".to_owned());
    source.read_exact(&mut head).map_err(|e| refused(&e, not_idx()))?;
    let [0, 0, code, rank @ 1..=255] = head else { return Err(not_idx()) };
    let kind = match code {
        0x08 => Kind::U8,
        0x09 => Kind::I8,
        0x0b => Kind::I16,
        0x0c => Kind::I32,
        0x0d => Kind::F32,
        0x0e => Kind::F64,
        _ => return Err(not_idx()),
    };
    let mut shape = Vec::with_capacity(rank.into());
    for _ in 0..rank {
        let mut dim = [0; 4];
        source.read_exact(&mut dim).map_err(|e| refused(&e, not_idx()))?;
        shape.push(u32::from_be_bytes(dim) as usize);
    }

    let size = Array::bytes_of(&shape, kind).filter(|&n| n as u64 <= most);
    let wrong_size = || (&codes::ARRAY_SIZE, format!("an array of shape {shape:?} is not what follows"));
    let size = size.ok_or_else(wrong_size)?;
    let mut bytes = Vec::with_capacity(size);
    source.take(size as u64 + 1).read_to_end(&mut bytes).map_err(|e| refused(&e, wrong_size()))?;
    if bytes.len() != size {
        return Err(wrong_size());
    }
    bytes.chunks_exact_mut(kind.size()).for_each(<[u8]>::reverse);
    Ok(Array { shape, data: Elements::from_le(kind, &bytes) })
}

/// The end of the file means `at_end`, anything else damaged gzip data.
fn refused(e: &io::Error, at_end: Refused) -> Refused {
    match e.kind() {
        io::ErrorKind::UnexpectedEof => at_end,
        _ => (&codes::GZIP, format!("damaged gzip data: {e}")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    /// An IDX file of bytes.
    pub fn idx(shape: &[u32], data: &[u8]) -> Vec<u8> {
        let dims: Vec<u8> = shape.iter().flat_map(|d| d.to_be_bytes()).collect();
        [&[0, 0, 8, shape.len() as u8], &dims[..], data].concat()
    }

    pub fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn code(bytes: &[u8]) -> &'static str {
        from_bytes(bytes, "a").expect_err("must be refused").code.id
    }

    #[test]
    fn plain_and_packed() {
        let bytes = idx(&[2, 3], &[1, 2, 3, 4, 5, 6]);
        let array = from_bytes(&bytes, "a").unwrap();
        assert_eq!(array, Array { shape: vec![2, 3], data: Elements::U8(vec![1, 2, 3, 4, 5, 6]) });
        assert_eq!(from_bytes(&gz(&bytes), "a").unwrap(), array);
        let i16s = from_bytes(&[0, 0, 0x0b, 1, 0, 0, 0, 1, 0xff, 0xfe], "a").unwrap();
        assert_eq!(i16s.data, Elements::I16(vec![-2]));
    }

    #[test]
    fn lies() {
        for bytes in [
            &b""[..],
            &[0, 0, 8],
            &[0, 0, 8, 0],
            &[0, 1, 8, 1],
            &[0, 0, 7, 1],
            &[0, 0, 8, 2, 0, 0, 0, 1],
            b"PK\x03\x04..",
        ] {
            assert_eq!(code(bytes), "BL1201", "{bytes:?}");
            if !bytes.is_empty() {
                assert_eq!(code(&gz(bytes)), "BL1201", "{bytes:?}");
            }
        }
        let good = idx(&[2, 3], &[1, 2, 3, 4, 5, 6]);
        assert_eq!(code(&good[..good.len() - 1]), "BL1204");
        assert_eq!(code(&[&good[..], &[0]].concat()), "BL1204");
        assert_eq!(code(&gz(&good[..good.len() - 1])), "BL1204");
        assert_eq!(code(&gz(&[&good[..], &[0]].concat())), "BL1204");
        assert_eq!(code(&idx(&[u32::MAX; 3], &[1, 2, 3])), "BL1204");
        assert_eq!(code(&gz(&idx(&[u32::MAX; 2], &[1, 2, 3]))), "BL1204", "more than gzip can pack");
        assert_eq!(code(&idx(&[1 << 31, 2], &[])), "BL1204");
    }

    #[test]
    fn damaged_gzip() {
        let packed = gz(&idx(&[1000], &(0..1000).map(|i| (i * i % 251) as u8).collect::<Vec<_>>()));
        let mut wrong_sum = packed.clone();
        let at = wrong_sum.len() - 6;
        wrong_sum[at] ^= 1;
        assert_eq!(code(&wrong_sum), "BL1212");
        assert_eq!(code(&packed[..packed.len() - 20]), "BL1204", "cut off");
        assert_eq!(code(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff]), "BL1212");
    }

    proptest! {
        #[test]
        fn damage_never_panics(at: prop::sample::Index, byte: u8, packed: bool) {
            let mut bytes = idx(&[3, 4], &[7; 12]);
            if packed {
                bytes = gz(&bytes);
            }
            let i = at.index(bytes.len());
            bytes[i] = byte;
            if let Ok(array) = from_bytes(&bytes, "a") {
                prop_assert_eq!(array.shape.iter().product::<usize>(), array.data.len());
            }
        }
    }
}

//! NumPy's `.npz`: a ZIP archive of `.npy` files, stored or deflated.

use std::io::Cursor;

use blc_ir::diag::{Code, Diagnostic, Result};
use zip::{CompressionMethod, ZipArchive};

use super::array::Array;
use super::npy;
use crate::{codes, files};

/// An archive of which arrays are read one by one.
#[derive(Debug)]
pub struct Npz<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    file: String,
    /// Bytes that packed arrays may still become.
    left: u64,
}

impl<'a> Npz<'a> {
    /// Reads the directory of an archive; `file` is what diagnostics call it.
    ///
    /// Errors: `BL1205` where it is none, or two arrays in it have the same name.
    pub fn open(bytes: &'a [u8], file: &str) -> Result<Self> {
        let refused = |message: String| Diagnostic::error(&codes::NPZ_FORMAT, message).in_file(file, "");
        let archive =
            ZipArchive::new(Cursor::new(bytes)).map_err(|e| refused(format!("not a readable .npz archive: {e}")))?;
        if archive.has_duplicate_names() {
            return Err(refused("two arrays have the same name".into()).into());
        }
        Ok(Self { archive, file: file.to_owned(), left: files::MAX_UNPACKED })
    }

    /// The names of all arrays, sorted.
    pub fn keys(&self) -> Vec<String> {
        let name = |raw: &[u8]| Some(std::str::from_utf8(raw).ok()?.strip_suffix(".npy")?.to_owned());
        let mut keys: Vec<String> = self.archive.file_names_raw().filter_map(name).collect();
        keys.sort_unstable();
        keys
    }

    /// Whether there is an array of that name.
    pub fn contains(&self, key: &str) -> bool {
        self.index(key).is_some()
    }

    fn index(&self, key: &str) -> Option<usize> {
        self.archive.file_names_raw().position(|raw| raw.strip_suffix(b".npy") == Some(key.as_bytes()))
    }

    /// Reads one array.
    ///
    /// Errors: `BL1206` where there is none of that name, `BL1205` where the archive is damaged, encrypted or claims more than its
    /// bytes can hold, or where its packed arrays become more than [`files::MAX_UNPACKED`] bytes, and those of
    /// [`npy::from_bytes`].
    pub fn get(&mut self, key: &str) -> Result<Array> {
        let file = self.file.clone();
        let refused = |code: &'static Code, message: String| Diagnostic::error(code, message).in_file(&file, key);
        let damaged = |message: String| Box::new(refused(&codes::NPZ_FORMAT, message));
        let Some(index) = self.index(key) else {
            let keys = self.keys();
            let known =
                if keys.is_empty() { "it holds no arrays".to_owned() } else { format!("it has {}", keys.join(", ")) };
            return Err(refused(&codes::NPZ_KEY, format!("the archive has no array `{key}`")).help(known).into());
        };
        let stored = self.archive.by_index_raw(index).is_ok_and(|e| e.compression() == CompressionMethod::Stored);
        let most = if stored { npy::MAX_FILE } else { self.left };
        let bytes = files::unpack(&mut self.archive, index, most).map_err(damaged)?;
        self.left -= if stored { 0 } else { bytes.len() as u64 };
        npy::from_bytes(&bytes, &file, key)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::super::array::Elements;
    use super::*;
    use proptest::prelude::*;
    use zip::write::{SimpleFileOptions, ZipWriter};

    /// An archive of arrays, as `numpy.savez` or `savez_compressed` make them.
    pub fn archive(arrays: &[(&str, Array)], method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method).large_file(true);
        for (name, array) in arrays {
            zip.start_file(format!("{name}.npy"), options).unwrap();
            zip.write_all(&npy::to_bytes(array)).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn bytes(n: u8) -> Array {
        Array { shape: vec![n.into()], data: Elements::U8((0..n).collect()) }
    }

    #[test]
    fn stored_and_deflated() {
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let zip = archive(&[("b", bytes(200)), ("a", bytes(0))], method);
            let mut npz = Npz::open(&zip, "x.npz").unwrap();
            assert_eq!(npz.keys(), ["a", "b"]);
            assert_eq!((npz.get("b").unwrap(), npz.get("a").unwrap()), (bytes(200), bytes(0)));
            let e = npz.get("c").unwrap_err();
            assert_eq!((e.code.id, e.help.as_deref()), ("BL1206", Some("it has a, b")));
        }
    }

    #[test]
    fn damage_is_reported() {
        let code =
            |zip: &[u8]| Npz::open(zip, "x").and_then(|mut npz| npz.get("a")).expect_err("must be refused").code.id;
        assert_eq!(code(b""), "BL1205");
        assert_eq!(code(&[7; 100]), "BL1205");
        let zip = archive(&[("a", bytes(100))], CompressionMethod::Stored);
        let at = zip.windows(4).position(|w| w == [10, 11, 12, 13]).unwrap();
        let mut flipped = zip.clone();
        flipped[at] ^= 1;
        assert_eq!(code(&flipped), "BL1205", "checksum");
        let mut not_npy = zip;
        let magic = not_npy.windows(6).position(|w| w == b"\x93NUMPY").unwrap();
        not_npy[magic] = 0;
        assert_eq!(code(&not_npy), "BL1205", "checksum comes first");
    }

    #[test]
    fn the_claimed_size_is_not_believed() {
        // In the central directory the unpacked size is at offset 24.
        let claim = |method, size: u32| {
            let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
            zip.start_file("a.npy", SimpleFileOptions::default().compression_method(method)).unwrap();
            zip.write_all(&npy::to_bytes(&bytes(100))).unwrap();
            let mut zip = zip.finish().unwrap().into_inner();
            let central = zip.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
            zip[central + 24..central + 28].copy_from_slice(&size.to_le_bytes());
            Npz::open(&zip, "x").and_then(|mut npz| npz.get("a")).map_err(|e| e.code.id)
        };
        assert_eq!(claim(CompressionMethod::Stored, 228), Ok(bytes(100)));
        for size in [0, 227, 229, 4_000_000_000] {
            assert_eq!(claim(CompressionMethod::Stored, size), Err("BL1205"), "{size}");
            assert_eq!(claim(CompressionMethod::Deflated, size), Err("BL1205"), "{size}");
        }
    }

    #[test]
    fn packed_arrays_have_a_bound_together() {
        for (method, expected) in
            [(CompressionMethod::Stored, Ok(bytes(200))), (CompressionMethod::Deflated, Err("BL1205"))]
        {
            let zip = archive(&[("a", bytes(100)), ("b", bytes(200))], method);
            let mut npz = Npz { left: 500, ..Npz::open(&zip, "x").unwrap() };
            assert_eq!(npz.get("a").unwrap(), bytes(100));
            assert_eq!(npz.get("b").map_err(|e| e.code.id), expected);
        }
    }

    #[test]
    fn a_name_twice_is_refused() {
        let mut zip = archive(&[("a", bytes(1)), ("b", bytes(2))], CompressionMethod::Stored);
        for at in 0..zip.len() - 5 {
            if &zip[at..at + 5] == b"b.npy" {
                zip[at] = b'a';
            }
        }
        assert_eq!(Npz::open(&zip, "x").unwrap_err().code.id, "BL1205");
    }

    proptest! {
        #[test]
        fn damage_never_panics(at: prop::sample::Index, byte: u8, cut: prop::sample::Index, deflated: bool) {
            let method = if deflated { CompressionMethod::Deflated } else { CompressionMethod::Stored };
            let mut zip = archive(&[("a", bytes(50)), ("b", bytes(3))], method);
            let i = at.index(zip.len());
            zip[i] = byte;
            if let Ok(mut npz) = Npz::open(&zip, "x") {
                for key in npz.keys() {
                    if let Ok(array) = npz.get(&key) {
                        prop_assert_eq!(array.shape.iter().product::<usize>(), array.data.len());
                    }
                }
            }
            zip.truncate(cut.index(zip.len()));
            prop_assert!(Npz::open(&zip, "x").is_err());
        }
    }
}

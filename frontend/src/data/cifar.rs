//! CIFAR-10 binary records: one label byte, then 32×32 red, green and blue bytes.

use std::path::Path;

use blc_ir::diag::{Diagnostic, Result};

use super::{Features, Split};
use crate::{codes, files};

/// Bytes of one image.
pub const IMAGE: usize = 3 * 32 * 32;
/// Shape of one image.
pub const SHAPE: [usize; 3] = [3, 32, 32];
/// Largest file.
const MAX_FILE: u64 = 1 << 30;

/// Appends the records of a file to `split`, whose features are bytes.
///
/// Errors: `BL1001`, `BL1003` for the file, `BL1207` where it does not hold whole records with labels below 10.
pub fn read_into(path: &Path, split: &mut Split) -> Result<()> {
    append(&files::read_bounded(path, MAX_FILE)?, &files::display(path), split)
}

/// Appends records; `file` is what diagnostics call them.
///
/// Errors: `BL1207`.
pub fn append(bytes: &[u8], file: &str, split: &mut Split) -> Result<()> {
    let refused = |message: String| Diagnostic::error(&codes::CIFAR_FORMAT, message).in_file(file, "");
    let records = bytes.chunks_exact(1 + IMAGE);
    if bytes.is_empty() || !records.remainder().is_empty() {
        let message = format!("{} bytes are not records of {}", bytes.len(), 1 + IMAGE);
        return Err(refused(message).help("unpack the binary version of CIFAR-10, not the Python one").into());
    }
    let Features::U8(pixels) = &mut split.x else {
        return Err(refused("images are bytes, but the set so far is not".into()).into());
    };
    for (i, record) in records.enumerate() {
        if let Some((&label @ 0..10, image)) = record.split_first() {
            split.y.push(label.into());
            pixels.extend_from_slice(image);
        } else {
            return Err(refused(format!("record {i} has a label above 9")).into());
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A record of one colour.
    pub fn record(label: u8, pixel: u8) -> Vec<u8> {
        let mut record = vec![pixel; 1 + IMAGE];
        record[0] = label;
        record
    }

    #[test]
    fn records_are_appended() {
        let mut split = Split { x: Features::U8(vec![]), y: vec![] };
        append(&[record(3, 7), record(9, 8)].concat(), "a", &mut split).unwrap();
        append(&record(0, 9), "b", &mut split).unwrap();
        assert_eq!(split.y, [3, 9, 0]);
        let Features::U8(x) = split.x else { panic!("bytes") };
        assert_eq!((x.len(), x[0], x[IMAGE], x[2 * IMAGE]), (3 * IMAGE, 7, 8, 9));
    }

    #[test]
    fn lies() {
        let code =
            |bytes: &[u8]| append(bytes, "a", &mut Split { x: Features::U8(vec![]), y: vec![] }).unwrap_err().code.id;
        assert_eq!(code(&[]), "BL1207");
        assert_eq!(code(&record(1, 1)[1..]), "BL1207");
        assert_eq!(code(&record(10, 1)), "BL1207");
        let mut reals = Split { x: Features::F32(vec![]), y: vec![] };
        assert_eq!(append(&record(1, 1), "a", &mut reals).unwrap_err().code.id, "BL1207");
    }
}

//! Reading and writing whole files: bounded on the way in, all or nothing on the way out.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use blc_ir::diag::{Diagnostic, Result};
use sha2::{Digest, Sha256};
use zip::{CompressionMethod, ZipArchive};

use crate::codes;

/// The path as diagnostics show it.
pub fn display(path: &Path) -> String {
    path.display().to_string()
}

/// Reads a file of at most `max_bytes` bytes. Pipes and devices are read to their end under the same bound.
///
/// Errors: `BL1001` where it cannot be read, `BL1003` where it is larger.
pub fn read_bounded(path: &Path, max_bytes: u64) -> Result<Vec<u8>> {
    let refused = |e: io::Error| Box::new(read_error(path, &e));
    let file = File::open(path).map_err(refused)?;
    let claimed = file.metadata().map_err(refused)?.len();
    if claimed > max_bytes {
        return Err(too_large(&display(path), max_bytes));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(claimed).unwrap_or(0));
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_large(&display(path), max_bytes));
    }
    Ok(bytes)
}

/// Reads a text file of at most `max_bytes` bytes.
///
/// Errors: those of [`read_bounded`], and `BL1004` where it is not UTF-8.
pub fn read_text(path: &Path, max_bytes: u64) -> Result<String> {
    String::from_utf8(read_bounded(path, max_bytes)?).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Diagnostic::error(&codes::NOT_TEXT, format!("not a text file: byte {at} is not UTF-8"))
            .in_file(display(path), "")
            .help("check that this is the file you meant")
            .into()
    })
}

/// Most bytes that one byte of deflated data can become.
pub const MAX_DEFLATE_RATIO: u64 = 1032;
/// Most bytes that a packed array may become; a larger one can be had unpacked.
pub const MAX_UNPACKED: u64 = 1 << 30;

/// A file of a ZIP archive, of at most `max` bytes; what the archive claims is not believed.
///
/// Errors: why it cannot be unpacked.
pub fn unpack(archive: &mut ZipArchive<Cursor<&[u8]>>, index: usize, max: u64) -> Result<Vec<u8>, String> {
    let entry = archive.by_index(index).map_err(|e| format!("cannot be unpacked: {e}"))?;
    let (size, packed) = (entry.size(), entry.compressed_size());
    let possible = match entry.compression() {
        CompressionMethod::Stored => packed,
        _ => packed.saturating_mul(MAX_DEFLATE_RATIO),
    };
    if size > possible {
        return Err(format!("{packed} packed bytes cannot become the {size} that it claims"));
    }
    if size > max {
        return Err(format!("would unpack to {size} bytes, of {max} that are left to it; store it unpacked"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    let read = entry.take(size.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|e| format!("cannot be unpacked: {e}"))?;
    if bytes.len() as u64 != size {
        return Err(format!("has not the {size} bytes that it claims"));
    }
    Ok(bytes)
}

/// Writes a file completely or not at all: beside its final name first, then renamed over it.
///
/// What exists and is no regular file (`/dev/null`, a pipe) is written to directly.
///
/// Errors: `BL1002`; a file that was there is then as it was.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = Partial::create(path)?;
    file.write(bytes)?;
    file.finish()
}

/// A file that is being written: beside its final name, until it is finished. Nothing is left of it otherwise.
///
/// What exists and is no regular file (`/dev/null`, a pipe) is written to directly.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    file: Target,
}

#[derive(Debug)]
enum Target {
    Direct(File),
    Beside(tempfile::NamedTempFile),
}

impl Partial {
    /// Begins a file.
    ///
    /// Errors: `BL1002`
    pub fn create(path: &Path) -> Result<Self> {
        let refused = |e: io::Error| write_error(path, &e);
        let file = match fs::metadata(path) {
            Ok(there) if there.is_dir() => return Err(refused(io::ErrorKind::IsADirectory.into())),
            Ok(there) if !there.is_file() => Target::Direct(File::options().write(true).open(path).map_err(refused)?),
            _ => {
                let folder = match path.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => parent,
                    _ => Path::new("."),
                };
                Target::Beside(builder().tempfile_in(folder).map_err(refused)?)
            }
        };
        Ok(Self { path: path.into(), file })
    }

    /// Appends bytes.
    ///
    /// Errors: `BL1002`, where the disk is full, say.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = match &mut self.file {
            Target::Direct(file) => file.write_all(bytes),
            Target::Beside(file) => file.write_all(bytes),
        };
        written.map_err(|e| write_error(&self.path, &e))
    }

    /// Puts the file under its name.
    ///
    /// Errors: `BL1002`; a file that was there is then as it was.
    pub fn finish(self) -> Result<()> {
        match self.file {
            Target::Direct(_) => Ok(()),
            Target::Beside(file) => file.persist(&self.path).map(|_| ()).map_err(|e| write_error(&self.path, &e.error)),
        }
    }

    /// The refusal of a file that is finished too early.
    pub fn incomplete(&self) -> Box<Diagnostic> {
        write_error(&self.path, &io::ErrorKind::UnexpectedEof.into())
    }
}

fn write_error(path: &Path, e: &io::Error) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(&codes::FILE_WRITE, format!("cannot be written: {e}"))
            .in_file(display(path), "")
            .help("check that the folder exists, that you may write there and that the disk is not full"),
    )
}

/// SHA-256 of some bytes as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The refusal of an input larger than `max_bytes`.
pub fn too_large(file: &str, max_bytes: u64) -> Box<Diagnostic> {
    let message = format!("larger than the {max_bytes} bytes that such a file may have");
    Diagnostic::error(&codes::FILE_TOO_LARGE, message)
        .in_file(file, "")
        .help("check that this is the file you meant")
        .into()
}

fn read_error(path: &Path, e: &io::Error) -> Diagnostic {
    let d = Diagnostic::error(&codes::FILE_READ, format!("cannot be read: {e}")).in_file(display(path), "");
    match e.kind() {
        io::ErrorKind::NotFound => d.help("check the spelling of the path"),
        io::ErrorKind::IsADirectory => d.help("name a file inside this folder"),
        _ => d.help("check that you may read it"),
    }
}

/// Temporary files with the permissions that `File::create` would give, not private ones.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".blc-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_up_to_the_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_atomic(&path, b"12345").unwrap();
        assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
        assert_eq!(read_bounded(&path, 4).unwrap_err().code.id, "BL1003");
        assert_eq!(read_bounded(Path::new("/dev/zero"), 1000).map_err(|e| e.code.id), Err("BL1003"));
        let missing = read_bounded(&dir.path().join("b"), 5).unwrap_err();
        assert_eq!((missing.code.id, missing.help.as_deref()), ("BL1001", Some("check the spelling of the path")));
        assert_eq!(read_bounded(dir.path(), 1 << 20).unwrap_err().code.id, "BL1001");
    }

    #[test]
    fn text_must_be_utf8() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_atomic(&path, b"ab\xffc").unwrap();
        let e = read_text(&path, 10).unwrap_err();
        assert_eq!(e.code.id, "BL1004");
        assert!(e.message.contains("byte 2"));
        write_atomic(&path, "é".as_bytes()).unwrap();
        assert_eq!(read_text(&path, 10).unwrap(), "é");
    }

    #[test]
    fn a_refused_write_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        let e = write_atomic(&dir.path().join("no/such/a"), b"x").unwrap_err();
        assert_eq!(e.code.id, "BL1002");
        assert_eq!(write_atomic(dir.path(), b"x").unwrap_err().code.id, "BL1002");
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[cfg(unix)]
    #[test]
    fn files_are_as_readable_as_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (ours, plain) = (dir.path().join("ours"), dir.path().join("plain"));
        write_atomic(&ours, b"x").unwrap();
        fs::write(&plain, b"x").unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_not_replaced() {
        write_atomic(Path::new("/dev/null"), b"x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn sha256_of_nothing() {
        assert_eq!(sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}

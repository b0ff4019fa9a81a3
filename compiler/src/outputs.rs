//! Outputs: all of a command's files together, or none of them.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use blc_frontend::codes::FILE_WRITE;
use blc_frontend::files;
use blc_ir::diag::{Diagnostic, Result};
use tempfile::NamedTempFile;

/// Files that are complete in memory, by name.
#[derive(Debug, Default)]
pub struct Outputs {
    files: Vec<(String, Vec<u8>)>,
}

impl Outputs {
    /// Adds a file; one of the same name is replaced.
    pub fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        let (name, bytes) = (name.into(), bytes.into());
        self.files.retain(|(n, _)| *n != name);
        self.files.push((name, bytes));
    }

    /// What a file holds.
    #[cfg(feature = "train")]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.iter().find(|(n, _)| n == name).map(|(_, bytes)| bytes.as_slice())
    }

    /// The names, in order of addition.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _)| name.as_str())
    }

    /// Writes everything into a folder, which is made if need be: each file beside its final name, and only when all of
    /// them are there, renamed.
    ///
    /// # Errors
    /// `BL1002`; what was in the folder is then as it was.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let new = !dir.exists();
        fs::create_dir_all(dir).map_err(|e| refused(dir, &e))?;
        let staged = self.stage(dir).inspect_err(|_| {
            if new {
                // Empty: nothing was renamed into it.
                let _ = fs::remove_dir(dir);
            }
        })?;
        for (file, (name, _)) in staged.into_iter().zip(&self.files) {
            let path = dir.join(name);
            file.persist(&path).map_err(|e| refused(&path, &e.error))?;
        }
        Ok(())
    }

    fn stage(&self, dir: &Path) -> Result<Vec<NamedTempFile>> {
        let stage = |(name, bytes): &(String, Vec<u8>)| {
            let path = dir.join(name);
            if path.is_dir() {
                return Err(refused(&path, &io::ErrorKind::IsADirectory.into()));
            }
            let mut file = beside(dir).map_err(|e| refused(&path, &e))?;
            file.write_all(bytes).map_err(|e| refused(&path, &e))?;
            Ok(file)
        };
        self.files.iter().map(stage).collect()
    }
}

/// Whether a file can be written where it shall be: asked before long work.
///
/// # Errors
/// `BL1002`.
pub fn check(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(refused(path, &io::ErrorKind::IsADirectory.into()));
    }
    if path.exists() && !path.is_file() {
        return Ok(());
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    beside(folder).map(drop).map_err(|e| refused(path, &e))
}

/// Whether a folder is there, or can be made, and can be written to: asked before long work.
///
/// # Errors
/// `BL1002`.
#[cfg(feature = "train")]
pub fn check_folder(dir: &Path) -> Result<()> {
    let there = dir.ancestors().find(|d| d.exists()).unwrap_or(Path::new("."));
    beside(there).map(drop).map_err(|e| refused(dir, &e))
}

fn refused(path: &Path, e: &io::Error) -> Box<Diagnostic> {
    let d = Diagnostic::error(&FILE_WRITE, format!("cannot be written: {e}")).in_file(files::display(path), "");
    Box::new(d.help("choose another place with `-o`, or make this one writable"))
}

/// A temporary file with the permissions of any other.
fn beside(dir: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".blc-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("new/folder");
        let mut outputs = Outputs::default();
        outputs.add("a", "1");
        outputs.add("b", "2");
        outputs.write(&out).unwrap();
        assert_eq!((fs::read(out.join("a")).unwrap(), fs::read(out.join("b")).unwrap()), (b"1".into(), b"2".into()));

        fs::remove_file(out.join("b")).unwrap();
        fs::create_dir(out.join("b")).unwrap();
        outputs.add("a", "new");
        outputs.add("b", "new");
        assert_eq!(outputs.write(&out).unwrap_err().code.id, "BL1002");
        assert_eq!(fs::read(out.join("a")).unwrap(), b"1", "the file before the one that failed");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 2, "nothing is left beside");

        let under_a_file = out.join("a/x");
        assert_eq!(outputs.write(&under_a_file).unwrap_err().code.id, "BL1002");
        assert!(!under_a_file.exists());
    }
}

//! Constant data that a text names in files of its own folder, and texts that carry all of theirs in themselves.

use std::fs;
use std::path::{Component, Path, PathBuf};

use blc_frontend::{codes as frontend, files, model};
use blc_ir::diag::{Diagnostic, Place};
use blc_ir::module::Origin;
use blc_ir::parse::Parsed;
use blc_ir::verify::Subject;
use blc_ir::{Module, ResourceId};

use crate::codes;
use crate::ui::Outcome;

/// Loads what the resources of a text name. Only files in the folder of the text itself are read.
pub fn load(parsed: &mut Parsed, folder: Option<&Path>) -> Outcome {
    let wanted = |i: usize| match &parsed.module.resources.get(i)?.origin {
        Origin::File { file, .. } => Some(file),
        Origin::Inline => None,
    };
    let count = parsed.module.resources.len();
    let mut named = (0..count).filter_map(|i| Some((i, wanted(i)?))).peekable();
    let Some(&(first, _)) = named.peek() else { return Ok(()) };
    let place = |i: usize| parsed.place(Subject::Resource(ResourceId::new(i))).unwrap_or(Place::None);
    let Some(folder) = folder else {
        let d = Diagnostic::error(&codes::STDIN_RESOURCE, "the text names files, and comes from standard input");
        return Err(Diagnostic { place: place(first), ..d.help("give the file's name instead of `-`") }.into());
    };
    for (i, file) in named {
        if let Err(why) = check(folder, file) {
            return Err(Diagnostic { place: place(i), ..*why }.into());
        }
    }
    model::load_resources(&mut parsed.module, folder)?;
    Ok(())
}

/// Whether a name is that of a regular file in a folder itself.
fn check(folder: &Path, file: &str) -> blc_ir::Result<()> {
    let refused = |message: String| Diagnostic::error(&codes::RESOURCE_PATH, message);
    let plain = {
        let mut parts = Path::new(file).components();
        matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == file)
    };
    if !plain {
        let d = refused(format!("{file:?} is not the plain name of a file"));
        return Err(Box::new(d.help("put the file into the folder of the text, and name it without a path")));
    }
    let path = folder.join(file);
    let real = |path: &Path| -> std::io::Result<PathBuf> { fs::canonicalize(path) };
    let (Ok(folder), Ok(target)) = (real(folder), real(&path)) else {
        let d = Diagnostic::error(&frontend::FILE_READ, format!("{} cannot be read", files::display(&path)));
        return Err(Box::new(d.help("the file belongs into the folder of the text")));
    };
    if target.parent() != Some(&folder) {
        let d = refused(format!("{file:?} is a link that leads out of its folder"));
        return Err(Box::new(d.help("put the file itself into the folder of the text")));
    }
    if !target.is_file() {
        return Err(Box::new(refused(format!("{file:?} is not a regular file"))));
    }
    Ok(())
}

/// Makes a module carry its data in its own text.
pub fn inline(module: &mut Module) {
    for resource in &mut module.resources {
        if resource.data.is_some() {
            resource.origin = Origin::Inline;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_beside_the_text() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a"), "x").unwrap();
        fs::write(dir.path().join("secret"), "x").unwrap();
        fs::create_dir(folder.join("sub")).unwrap();
        fs::write(folder.join("sub/b"), "x").unwrap();
        let code = |file: &str| check(&folder, file).map_err(|e| e.code.id);
        assert_eq!(code("a"), Ok(()));
        for file in ["../secret", "..", ".", "", "./a", "sub/b", "sub", "/etc/passwd", "a/", "sub/../a"] {
            assert_eq!(code(file), Err("BL4004"), "{file:?}");
        }
        assert_eq!(code("missing"), Err("BL1001"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(dir.path().join("secret"), folder.join("out")).unwrap();
            std::os::unix::fs::symlink("a", folder.join("in")).unwrap();
            assert_eq!(code("out"), Err("BL4004"));
            assert_eq!(code("in"), Ok(()));
        }
    }
}

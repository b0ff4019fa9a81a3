//! Libraries of standard cells: the one that blc has, or one of the user's.

use std::path::Path;
use std::sync::Arc;

use blc_backends::liberty::{self, Library};
use blc_frontend::files;
use blc_ir::diag::Source;
use blc_passes::Target;
use blc_passes::gates::Gates;

use crate::ui::Outcome;

/// The library of a target: read from a file, or blc's own; none where the target is no gates.
pub fn of(target: Target, path: Option<&Path>) -> Outcome<Option<Arc<Library>>> {
    Ok(match (target, path) {
        (Target::Gates, None) => Some(Arc::new(Library::own()?)),
        (Target::Gates, Some(path)) => {
            let source = Source::new(files::display(path), files::read_text(path, liberty::MAX_FILE)?);
            Some(Arc::new(Library::read(&source)?))
        }
        _ => None,
    })
}

/// What the passes need of a library.
pub fn gates(library: &Library) -> Arc<Gates> {
    Arc::new(Gates::new(library.functions()))
}

//! Rewrite rules of the user, from a file.

use std::path::Path;
use std::sync::Arc;

use blc_frontend::files;
use blc_ir::diag::Source;
use blc_passes::rules::RuleSet;

use crate::ui::Outcome;

/// Largest file of rules.
const MAX_FILE: u64 = 1 << 20;

/// Reads and proves them.
pub fn read(path: &Path) -> Outcome<Arc<RuleSet>> {
    let source = Source::new(files::display(path), files::read_text(path, MAX_FILE)?);
    Ok(Arc::new(RuleSet::read(&source)?))
}

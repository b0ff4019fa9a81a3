//! Random designs, the whole chain with all of its checks, and what hostile bytes are fed to. The soak, the fuzzers and the
//! tests of the checkers are made of these; the tests of the whole tool are in `tests/`.

pub mod bytes;
pub mod chain;
pub mod fuzz;
pub mod random;

/// What the tests of passes are made with, too.
#[allow(missing_docs, clippy::should_implement_trait)]
#[path = "../../passes/tests/common/mod.rs"]
pub mod nets;

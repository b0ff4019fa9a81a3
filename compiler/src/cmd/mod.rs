//! The commands, one a file.

pub mod build;
pub mod compile;
pub mod completions;
pub mod diff;
pub mod equiv;
pub mod explain;
pub mod fmt;
pub mod import;
pub mod man;
pub mod opt;
pub mod passes;
#[cfg(feature = "train")]
pub mod quickstart;
pub mod reduce;
pub mod report;
pub mod sim;
#[cfg(feature = "train")]
pub mod sweep;
#[cfg(feature = "train")]
pub mod train;
pub mod view;

//! The commands, one a file.

pub mod compile;
pub mod completions;
pub mod equiv;
pub mod explain;
pub mod opt;
pub mod passes;
#[cfg(feature = "train")]
pub mod quickstart;
pub mod report;
pub mod sim;
#[cfg(feature = "train")]
pub mod train;

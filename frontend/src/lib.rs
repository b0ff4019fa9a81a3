//! What comes into `blc`: model files, netlists of others, data sets, and the trainer that makes models.
//!
//! Every file from outside can lie: readers bound sizes before they allocate and report a
//! [`blc_ir::diag::Diagnostic`] with one of the [`codes`].

pub mod aiger;
pub mod blif;
pub mod codes;
pub mod data;
pub mod files;
pub mod import;
pub mod lower;
pub mod model;
mod rng;
#[cfg(feature = "train")]
pub mod train;
pub mod verilog;

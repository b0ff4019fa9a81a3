//! `blc`, the BitLogic compiler, as a library: a [`Driver`] to which passes can be added.
//!
//! This crate alone reads arguments, prints and exits. Commands live in `cmd`, one a file; what several of them need is
//! beside: inputs (`load`), outputs that are written all or not at all, pipelines, batches of samples, the report.

#![forbid(unsafe_code)]

mod answers;
mod args;
mod batch;
mod cmd;
pub mod codes;
mod driver;
mod emit;
#[cfg(feature = "train")]
mod icarus;
mod interrupt;
mod library;
mod load;
#[cfg(feature = "train")]
mod metrics;
mod outputs;
mod page;
mod pipeline;
#[cfg(feature = "train")]
mod plot;
#[cfg(feature = "train")]
mod progress;
mod project;
#[cfg(feature = "train")]
mod prune;
mod report;
mod resources;
mod rules;
mod samples;
mod speed;
mod structure;
mod target;
mod ui;
mod vectors;

pub use driver::Driver;

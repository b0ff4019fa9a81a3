//! The trainer: networks of lookup tables, trained with Candle, frozen into a [`Model`](crate::model::Model).
//!
//! ```text
//! features ─ encoder ─► bits ─ LutLayer ─► bits ─ … ─ GroupSum / temperature ─► cross-entropy
//!                              tables, scores of candidates: trained with AdamW
//! ```
//!
//! With hard sampling (the default) the forward pass computes the very bits that the frozen network computes, so nothing is
//! lost by freezing. Gradients come from the nodes' relaxation ([`relax`]). Parameters, the graph and the loss are
//! Candle's; layers in a row ([`chain`]) are a custom operation over bit-packed samples, with its backward pass written by hand.
//!
//! [`train`] is the way in, [`Config`] says what can be chosen, [`predict()`] is the trainer's own evaluation of a model.

mod area;
mod augment;
mod batch;
mod chain;
mod checkpoint;
mod chunk;
mod compute;
pub mod config;
mod encoder;
mod fit;
mod freeze;
mod gather;
mod head;
mod kernel;
mod layer;
mod learned;
mod loss;
mod math;
mod network;
mod optim;
mod pack;
mod plain;
mod pool;
mod predict;
mod relax;
mod report;
mod rows;
mod simd;
mod tensors;
#[cfg(test)]
mod tests;
mod volume;
mod wiring;

pub use compute::Compute;
pub use config::Config;
pub use fit::{RunOptions, Trained, train};
pub use predict::{Prediction, encoded, predict};
pub use report::{Accuracy, EpochReport, Observer, RunPlan, TrainReport};

use blc_ir::diag::Diagnostic;

/// An error of Candle, which a checked configuration and checked data never cause.
fn internal(e: candle_core::Error) -> Box<Diagnostic> {
    Diagnostic::error(&crate::codes::TRAIN_INTERNAL, format!("training failed: {e}"))
        .help("this is an error of blc: report it with the configuration")
        .into()
}

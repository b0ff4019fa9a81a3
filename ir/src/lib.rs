//! The language of `blc`: what a design is, from the model's layers down to the target's primitives.
pub mod diag;

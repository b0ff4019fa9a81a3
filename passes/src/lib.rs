//! Passes of `blc`: what turns the layers of a model into few lookup tables, and those into a target's primitives.
//!
//! Every exact pass preserves the function: the manager can check it after each ([`manager`]).

pub mod codes;
pub mod pass;

pub use pass::{Abort, Changed, Pass, PassCx, PassSpec};

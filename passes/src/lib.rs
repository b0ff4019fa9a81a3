//! Passes of `blc`: what turns the layers of a model into few lookup tables, and those into a target's primitives.
//!
//! A pipeline ([`Pipeline`]) names passes of a [`Registry`]; the [`PassManager`] runs it. Every exact pass preserves the
//! function: the manager can check it after each ([`check`]).

#![forbid(unsafe_code)]

pub mod approx;
pub mod bound;
pub mod care;
pub mod check;
pub mod codes;
mod compare;
pub mod control;
pub mod cost;
pub mod count;
pub mod cover;
pub mod dce;
pub mod default;
pub mod egraph;
pub mod equiv;
pub mod expand;
pub mod fold;
pub mod gates;
mod head;
mod heap;
pub mod iterate;
mod logic;
pub mod lower_encoder;
pub mod lower_head;
pub mod manager;
pub mod muxes;
pub mod pairing;
pub mod pass;
pub mod pipeline;
mod places;
pub mod quantize;
mod rebuild;
pub mod reduce;
pub mod registers;
pub mod registry;
mod resources;
pub mod resub;
mod rng;
pub mod rules;
pub mod target;
pub mod timing;
pub mod to_xc7;
mod wires;

pub use blc_ir::suggest;
pub use check::Check;
pub use control::Control;
pub use cost::Cost;
pub use default::{Forbid, Goals, Head, Registers};
pub use head::Ripple;
pub use manager::{Failure, PassManager, PassObserver, PassRun, RunReport};
pub use pass::{Abort, Changed, NoOptions, Pass, PassCx, PassSpec};
pub use pipeline::Pipeline;
pub use registry::Registry;
pub use target::Target;

/// Registers every pass of this crate.
fn register_all(registry: &mut Registry) {
    registry.register::<quantize::Quantize>();
    registry.register::<expand::Expand>();
    registry.register::<fold::Fold>();
    registry.register::<dce::Dce>();
    registry.register::<iterate::Iterate>();
    registry.register::<lower_encoder::LowerEncoder>();
    registry.register::<lower_head::LowerHead>();
    registry.register::<rules::Rules>();
    registry.register::<approx::Calibrate>();
    registry.register::<approx::Prune>();
    registry.register::<bound::Bound>();
    registry.register::<care::Care>();
    registry.register::<cover::Cover>();
    registry.register::<cover::widen::Widen>();
    registry.register::<gates::ToGates>();
    registry.register::<muxes::Muxes>();
    registry.register::<egraph::EGraph>();
    registry.register::<egraph::words::Words>();
    registry.register::<resub::Resub>();
    registry.register::<registers::Pipelining>();
    registry.register::<to_xc7::ToXc7>();
}

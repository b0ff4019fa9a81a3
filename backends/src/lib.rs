//! What a design becomes: netlists for other tools, and a simulator.

pub mod blif;
pub mod carry8;
pub mod cells;
pub mod codes;
pub mod device;
pub mod dot;
pub mod emit;
pub mod expr;
pub mod json;
pub mod liberty;
pub mod names;
pub mod nets;
pub mod project;
pub mod ripple;
pub mod rust;
pub mod sim;
pub mod sop;
pub mod svg;
pub mod verilog;

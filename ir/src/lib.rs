//! The language of `blc`: what a design is, from a model's layers down to a target's primitives.
//!
//! Three levels in one language (see [`ops::Level`]), stored as flat arrays ([`func::Func`]) with typed ids, written as
//! text, checked by a verifier, and given meaning by a reference evaluator.

#![forbid(unsafe_code)]

pub mod codes;
pub mod control;
pub mod diag;
pub mod entity;
pub mod eval;
pub mod func;
pub mod loc;
pub mod module;
pub mod ops;
pub mod order;
pub mod parse;
pub mod print;
pub mod suggest;
pub mod table;
pub mod types;
mod unroll;
pub mod verify;
pub mod view;

pub use diag::{Diagnostic, Result};
pub use func::{Def, Func, FuncAttr, FuncKind, Op, OpId, Port, Value};
pub use loc::{Loc, LocId, Part};
pub use module::{Data, Module, Resource, ResourceId};
pub use ops::{Level, OpKind, Tie};
pub use types::{Elem, Type};

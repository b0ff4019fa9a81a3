//! How long signals take: static timing analysis before placement.
//!
//! A cell has a delay from an input to an output, a net one that grows with its fan-out. From a LUT to the carry chain or
//! wide multiplexer of its slice, and from a LUT to the register beside it, there is no net. Ports count as registers
//! around the design. Both outputs of a dual-output LUT are as late as its latest pin.
//!
//! Nets are most of the delay and not known before placement: what comes of this is an estimate.

mod graph;
mod path;
mod shared;

use serde::{Deserialize, Serialize};

pub(crate) use graph::Graph;
pub use graph::fanout;
pub use path::{Step, Timing, analyse};
pub(crate) use shared::split;

/// Delays of a device, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delays {
    /// Through a LUT.
    pub lut: f64,
    /// Along a net with one reader.
    pub net: f64,
    /// More along a net for each doubling of its readers.
    pub fanout: f64,
    /// From `S` or `DI` of a carry chain of four to where the carry leaves it or meets a sum.
    pub carry_in: f64,
    /// From carry in to carry out of a carry chain of four.
    pub carry: f64,
    /// From carry in, or from the same position's `S`, to a sum.
    pub carry_out: f64,
    /// Through a wide multiplexer.
    pub mux: f64,
    /// From the clock's edge to a register's output.
    pub clock_to_output: f64,
    /// Before the clock's edge at a register's input.
    pub setup: f64,
}

impl Default for Delays {
    /// A LUT is one level, and nothing else takes time.
    fn default() -> Self {
        Self {
            lut: 1.0,
            net: 0.0,
            fanout: 0.0,
            carry_in: 0.0,
            carry: 0.0,
            carry_out: 0.0,
            mux: 0.0,
            clock_to_output: 0.0,
            setup: 0.0,
        }
    }
}

impl Delays {
    /// Along a net with so many readers.
    pub fn net(&self, readers: u32) -> f64 {
        self.net + self.fanout * f64::from(readers.max(1)).log2()
    }

    /// Whether all are times.
    pub fn are_times(&self) -> bool {
        let Self { lut, net, fanout, carry_in, carry, carry_out, mux, clock_to_output, setup } = *self;
        let all = [lut, net, fanout, carry_in, carry, carry_out, mux, clock_to_output, setup];
        all.iter().all(|t| (0.0..=1000.0).contains(t))
    }
}

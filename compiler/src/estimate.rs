//! How fast a design may run: a rough estimate, as long as no tool of the vendor has placed and routed it.
//!
//! Every level costs one LUT and the net behind it; registers add their clock-to-output and setup times. The constants
//! are those of a Xilinx 7-series device of speed grade -2 (data sheet DS181/DS182: a LUT6 takes 0.1 to 0.13 ns, clock to
//! output 0.3 to 0.4 ns, setup below 0.1 ns), with a net of 0.55 ns, as found in small designs that route easily. Nets are
//! most of the delay and are not known before placement: expect ±40 %. Carry chains and wide multiplexers are not counted.

use blc_backends::device::Delays;

/// A Xilinx 7-series device of speed grade -2.
const XC7: Delays = Delays { lut: 0.12, net: 0.55, clock_to_output: 0.35, setup: 0.08 };

/// Estimated times of a design.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    delays: Delays,
    /// Through the logic between two registers or ports.
    logic: f64,
}

impl Estimate {
    /// Of a design of so many levels between registers and ports, by a device's delays.
    pub fn of(levels: u64, delays: Option<Delays>) -> Self {
        let delays = delays.unwrap_or(XC7);
        Self { delays, logic: levels as f64 * (delays.lut + delays.net) }
    }

    fn period(self) -> f64 {
        self.delays.clock_to_output + self.delays.net + self.logic + self.delays.setup
    }

    /// Highest clock, between registers inside of the design or around it.
    pub fn fmax_mhz(self) -> f64 {
        round(1000.0 / self.period(), 10.0)
    }

    /// From input to output, in so many cycles.
    pub fn latency_ns(self, cycles: u64) -> f64 {
        round(if cycles == 0 { self.logic } else { cycles as f64 * self.period() }, 1000.0)
    }
}

fn round(x: f64, parts: f64) -> f64 {
    (x * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_levels_are_slower() {
        assert_eq!(Estimate::of(2, None).latency_ns(0), 1.34);
        assert_eq!(Estimate::of(0, None).latency_ns(0), 0.0);
        let (one, two) = (Estimate::of(1, None), Estimate::of(2, None));
        assert!(one.fmax_mhz() > two.fmax_mhz() && one.latency_ns(3) < two.latency_ns(3));
        assert!((one.latency_ns(3) / 3.0 * one.fmax_mhz() - 1000.0).abs() < 1.0);
    }
}

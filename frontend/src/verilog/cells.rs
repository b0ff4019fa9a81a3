//! Primitives of the targets, as their vendors document them: which pins there are, and what they are in the language.

/// What a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A table: its parameter, its inputs (lowest address bit first) and its output.
    Lut(&'static str, &'static [&'static str], &'static str),
    /// Two tables of five common inputs, or one of six and one of five.
    Lut6_2,
    /// Four positions of a carry chain.
    Carry4,
    /// Eight of UltraScale+.
    Carry8,
    /// Two positions of an ECP5, each with a table.
    Ccu2c,
    /// A carry alone: those two bits and the one before, and where it leaves.
    Carry([&'static str; 4]),
    /// A multiplexer: what it gives where its select is 0 and where it is 1, its select and its output.
    Mux([&'static str; 4]),
    /// A register.
    Register(&'static Register),
}

/// A register on a rising edge.
#[derive(Debug, PartialEq, Eq)]
pub struct Register {
    /// Data, clock and output.
    pub pins: [&'static str; 3],
    /// Pins that are constant.
    pub ties: &'static [(&'static str, bool)],
    /// Parameters that do not choose the initial value, and what they must be.
    pub settings: &'static [(&'static str, &'static str)],
    /// How it starts.
    pub start: Start,
}

/// How a register starts.
#[derive(Debug, PartialEq, Eq)]
pub enum Start {
    /// At a parameter.
    Bit(&'static str),
    /// At 1 where a parameter is this word, at 0 where it is the other.
    Word(&'static str, [&'static str; 2]),
    /// At 0.
    Zero,
}

const PINS: [&str; 6] = ["I0", "I1", "I2", "I3", "I4", "I5"];

static FDRE: Register =
    Register { pins: ["D", "C", "Q"], ties: &[("CE", true), ("R", false)], settings: &[], start: Start::Bit("INIT") };
static TRELLIS_FF: Register = Register {
    pins: ["DI", "CLK", "Q"],
    ties: &[("LSR", false)],
    settings: &[("GSR", "DISABLED"), ("CEMUX", "1"), ("CLKMUX", "CLK"), ("LSRMUX", "LSR"), ("SRMODE", "LSR_OVER_CE")],
    start: Start::Word("REGSET", ["RESET", "SET"]),
};
static SB_DFF: Register = Register { pins: ["D", "C", "Q"], ties: &[], settings: &[], start: Start::Zero };
static DFF: Register = Register { pins: ["D", "CLK", "Q"], ties: &[], settings: &[], start: Start::Bit("INIT") };
static DFFS: Register =
    Register { pins: ["D", "CLK", "Q"], ties: &[("SET", false)], settings: &[], start: Start::Bit("INIT") };

/// The cell of a name. `pin` says whether the instance has a pin: vendors call different cells `LUT4`.
pub fn named(name: &str, pin: impl Fn(&str) -> bool) -> Option<Cell> {
    Some(match name {
        "LUT4" if pin("Z") => Cell::Lut("INIT", &["A", "B", "C", "D"], "Z"),
        "LUT4" if pin("F") => Cell::Lut("INIT", &PINS[..4], "F"),
        "LUT1" => Cell::Lut("INIT", &PINS[..1], "O"),
        "LUT2" => Cell::Lut("INIT", &PINS[..2], "O"),
        "LUT3" => Cell::Lut("INIT", &PINS[..3], "O"),
        "LUT4" => Cell::Lut("INIT", &PINS[..4], "O"),
        "LUT5" => Cell::Lut("INIT", &PINS[..5], "O"),
        "LUT6" => Cell::Lut("INIT", &PINS, "O"),
        "SB_LUT4" => Cell::Lut("LUT_INIT", &PINS[..4], "O"),
        "LUT6_2" => Cell::Lut6_2,
        "CARRY4" => Cell::Carry4,
        "CARRY8" => Cell::Carry8,
        "CCU2C" => Cell::Ccu2c,
        "SB_CARRY" => Cell::Carry(["I0", "I1", "CI", "CO"]),
        "MUXF7" | "MUXF8" => Cell::Mux(["I0", "I1", "S", "O"]),
        "PFUMX" => Cell::Mux(["BLUT", "ALUT", "C0", "Z"]),
        "L6MUX21" => Cell::Mux(["D0", "D1", "SD", "Z"]),
        "MUX2_LUT5" | "MUX2_LUT6" => Cell::Mux(["I0", "I1", "S0", "O"]),
        "FDRE" => Cell::Register(&FDRE),
        "TRELLIS_FF" => Cell::Register(&TRELLIS_FF),
        "SB_DFF" => Cell::Register(&SB_DFF),
        "DFF" => Cell::Register(&DFF),
        "DFFS" => Cell::Register(&DFFS),
        _ => return None,
    })
}

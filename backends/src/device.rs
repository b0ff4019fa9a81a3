//! Devices as data: the cells that lookup tables and registers become, their delays, and models to simulate with.
//!
//! A device is a TOML file; `backends/targets` holds those that come with blc, and a user's own is read the same way. The
//! Xilinx families are not among them: their primitives are ops of the IR, since two functions share a site there.

use std::collections::BTreeMap;

use blc_ir::{Diagnostic, Result};
use serde::Deserialize;

use crate::codes;
use crate::names::Language;

/// Largest device file, in bytes.
pub const MAX_FILE: u64 = 1 << 20;

/// What designs are made of on a device.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// As `--target` and the design call it.
    pub name: String,
    /// One line.
    #[serde(default)]
    pub about: String,
    /// The lookup table; it has as many inputs as the device's tables have.
    pub lut: LutCell,
    /// Multiplexers that choose between two lookup tables of a slice, and between two such choices: none or both.
    #[serde(default)]
    pub mux: Vec<MuxCell>,
    /// A part of a carry chain, where sums are to take those.
    pub carry: Option<CarryCell>,
    /// A register that starts at 0.
    pub register: RegisterCell,
    /// A register that starts at 1, where the device has one.
    pub register_one: Option<RegisterCell>,
    /// How fast it is.
    pub speed: Speeds,
    /// Verilog models of the cells, by name, to simulate with.
    #[serde(default)]
    pub models: BTreeMap<String, String>,
}

/// The cell that a lookup table becomes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LutCell {
    /// Name of the cell.
    pub cell: String,
    /// Its inputs, address bit 0 first; those that a table leaves over are tied to 0.
    pub inputs: Vec<String>,
    /// Its output.
    pub output: String,
    /// The parameter that takes the table, bit `a` the output at address `a`.
    pub table: String,
}

/// The cell of a slice's wide multiplexer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MuxCell {
    /// Name of the cell.
    pub cell: String,
    /// What it chooses where the select is 0, and where it is 1.
    pub inputs: [String; 2],
    /// Its select.
    pub select: String,
    /// Its output.
    pub output: String,
}

/// The cell of a carry chain: one position, or several from the lowest on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarryCell {
    /// Name of the cell.
    pub cell: String,
    /// Its positions: one or two, alike.
    pub positions: Vec<Position>,
    /// The carry into the lowest position.
    pub carry_in: String,
    /// The carry out of the highest.
    pub carry_out: String,
    /// Where positions give no sum: the lookup table beside the cell that does.
    pub sum: Option<SumLut>,
    /// Inputs that are constant.
    #[serde(default)]
    pub ties: BTreeMap<String, u8>,
    /// Parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
}

/// A position of a carry chain.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Two bits that are added; with a table four: the sum is what it gives, inverted by the carry, and the next carry is the
    /// one before where the table gives 1, elsewhere what it gives where the last two inputs are 0.
    pub inputs: Vec<String>,
    /// The parameter that takes the table.
    pub table: Option<String>,
    /// Where the sum leaves.
    pub sum: Option<String>,
}

/// Inputs of a lookup table that makes the sum beside a carry cell.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SumLut {
    /// Those that take the position's two bits.
    pub inputs: [String; 2],
    /// The one that takes the carry.
    pub carry: String,
}

/// The cell that a register becomes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterCell {
    /// Name of the cell.
    pub cell: String,
    /// Input.
    pub data: String,
    /// Clock, rising edge.
    pub clock: String,
    /// Output.
    pub output: String,
    /// Inputs that are constant.
    #[serde(default)]
    pub ties: BTreeMap<String, u8>,
    /// Parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
}

/// The value of a cell's parameter.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Parameter {
    /// One bit.
    Bit(u8),
    /// A word of the vendor's.
    Text(String),
}

/// A family without cells of its own here: its primitives are ops of the IR.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// As `--target` calls it.
    pub name: String,
    /// One line.
    pub about: String,
    /// How fast it is.
    pub speed: Speeds,
}

impl Family {
    /// The family of a name.
    pub fn named(name: &str) -> Option<Self> {
        let texts = [
            include_str!("../targets/xc7.toml"),
            include_str!("../targets/xcup.toml"),
            include_str!("../targets/gates.toml"),
        ];
        texts.iter().filter_map(|text| toml::from_str::<Self>(text).ok()).find(|family| family.name == name)
    }
}

/// Speed grades.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speeds {
    /// The grade that is meant where none is named.
    pub default: String,
    /// How far routed designs lie from the estimate, in percent either way.
    pub spread: u32,
    /// Delays by grade.
    pub grades: BTreeMap<String, Delays>,
}

impl Speeds {
    /// A grade and its delays; without a name the default.
    pub fn grade(&self, name: Option<&str>) -> Option<(&str, Delays)> {
        let (name, delays) = self.grades.get_key_value(name.unwrap_or(&self.default))?;
        Some((name, *delays))
    }

    fn check(&self) -> std::result::Result<(), String> {
        if !self.grades.contains_key(&self.default) {
            return Err(format!("the default speed grade `{}` is none of the grades", self.default.escape_default()));
        }
        if self.grades.values().any(|d| d.all().iter().any(|t| !(0.0..=1000.0).contains(t))) {
            return Err("a delay that is no time from 0 to 1000 ns".into());
        }
        Ok(())
    }
}

/// How long signals take, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delays {
    /// Through a lookup table.
    pub lut: f64,
    /// Along a net with one reader, from cell to cell.
    pub net: f64,
    /// More along a net for each doubling of its readers.
    #[serde(default)]
    pub fanout: f64,
    /// From a carry chain's `S` or `DI` to where the carry leaves it or meets a sum.
    #[serde(default)]
    pub carry_in: f64,
    /// From carry in to carry out.
    #[serde(default)]
    pub carry: f64,
    /// From carry in to a sum.
    #[serde(default)]
    pub carry_out: f64,
    /// Through a wide multiplexer.
    #[serde(default)]
    pub mux: f64,
    /// From the clock's edge to a register's output.
    pub clock_to_output: f64,
    /// Before the clock's edge at a register's input.
    pub setup: f64,
    /// More on the worst of a design's paths from register to register than its cells and usual nets take.
    #[serde(default)]
    pub worst: f64,
}

impl Delays {
    fn all(&self) -> [f64; 10] {
        let Self { lut, net, fanout, carry_in, carry, carry_out, mux, clock_to_output, setup, worst } = *self;
        [lut, net, fanout, carry_in, carry, carry_out, mux, clock_to_output, setup, worst]
    }
}

const OWN: [&str; 3] = [
    include_str!("../targets/ecp5.toml"),
    include_str!("../targets/ice40.toml"),
    include_str!("../targets/gowin.toml"),
];

impl Device {
    /// The devices that come with blc.
    pub fn own() -> Vec<Self> {
        OWN.iter().filter_map(|text| Self::parse(text, "").ok()).collect()
    }

    /// The device of a name, among those that come with blc.
    pub fn named(name: &str) -> Option<Self> {
        Self::own().into_iter().find(|d| d.name == name)
    }

    /// Inputs of a lookup table.
    pub fn k(&self) -> u8 {
        self.lut.inputs.len() as u8
    }

    /// The cell of a register that starts at a value.
    pub fn register(&self, init: bool) -> Option<&RegisterCell> {
        if init { self.register_one.as_ref() } else { Some(&self.register) }
    }

    /// Reads a device file; `file` is what diagnostics call it.
    ///
    /// # Errors
    /// `BL3006`: no TOML, keys missing or unknown, names that are no identifiers of Verilog, tables of other than 2 to 6
    /// inputs, other than none or two multiplexers, carry cells of another kind, delays that are no times.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let refused = |why: String| {
            let help = "the files in `backends/targets` show every key";
            Box::new(Diagnostic::error(&codes::DEVICE, why).in_file(file, "").help(help))
        };
        let device: Self = toml::from_str(text).map_err(|e| refused(e.to_string().trim_end().to_owned()))?;
        device.check().map_err(refused)?;
        Ok(device)
    }

    /// Inputs of a position of a carry chain; 0 where there is none.
    pub fn ripple(&self) -> u8 {
        self.carry.as_ref().and_then(|carry| carry.positions.first()).map_or(0, |p| p.inputs.len() as u8)
    }

    fn check(&self) -> std::result::Result<(), String> {
        if !(2..=6).contains(&self.lut.inputs.len()) {
            return Err(format!("a lookup table of {} inputs; they have 2 to 6", self.lut.inputs.len()));
        }
        match self.mux.len() {
            0 => {}
            2 if self.lut.inputs.len() <= 4 => {}
            n => return Err(format!("{n} wide multiplexers; there are none, or two over tables of at most 4 inputs")),
        }
        for name in self.names() {
            if name.is_empty() || name.len() > 64 || Language::Verilog.legal(name) != name {
                return Err(format!("`{}` is no name in Verilog", name.escape_default()));
            }
        }
        if let Some(carry) = &self.carry {
            self.check_carry(carry)?;
        }
        let registers = [Some(&self.register), self.register_one.as_ref()].into_iter().flatten();
        let registers = registers.map(|r| (&r.cell, &r.ties, &r.parameters));
        for (cell, ties, parameters) in registers.chain(self.carry.iter().map(|c| (&c.cell, &c.ties, &c.parameters))) {
            let bits = parameters.values().filter_map(|p| if let Parameter::Bit(b) = p { Some(b) } else { None });
            if ties.values().chain(bits).any(|&b| b > 1) {
                return Err(format!("a constant of `{cell}` that is neither 0 nor 1"));
            }
            let plain = |t: &str| t.len() <= 64 && t.chars().all(|c| c.is_ascii_alphanumeric() || "_-. ".contains(c));
            if parameters.values().any(|p| matches!(p, Parameter::Text(t) if !plain(t))) {
                return Err(format!("a parameter of `{cell}` that is no plain word"));
            }
        }
        self.speed.check()?;
        Ok(())
    }

    fn check_carry(&self, carry: &CarryCell) -> std::result::Result<(), String> {
        let refused = |why: &str| Err(format!("carry cell `{}`: {why}", carry.cell));
        if !(1..=2).contains(&carry.positions.len()) {
            return refused("it has one position, or two");
        }
        for position in &carry.positions {
            match (position.inputs.len(), &position.table, &position.sum, &carry.sum) {
                (2, None, Some(_), None) | (4, Some(_), Some(_), None) => {}
                (2, None, None, Some(lut)) if carry.positions.len() == 1 => {
                    let pins = [&lut.inputs[0], &lut.inputs[1], &lut.carry];
                    let places = pins.map(|pin| self.lut.inputs.iter().position(|input| input == pin));
                    if places.contains(&None)
                        || places[0] == places[1]
                        || places[1] == places[2]
                        || places[0] == places[2]
                    {
                        return refused("its `sum` names no three inputs of the lookup table");
                    }
                }
                _ => {
                    return refused(
                        "a position has two inputs, or four and a table; the sum leaves it or a lookup table",
                    );
                }
            }
        }
        match carry.positions.iter().all(|p| p.inputs.len() == carry.positions[0].inputs.len()) {
            true => Ok(()),
            false => refused("its positions are not alike"),
        }
    }

    /// Every name that is written into netlists.
    fn names(&self) -> impl Iterator<Item = &str> {
        let registers = [Some(&self.register), self.register_one.as_ref()].into_iter().flatten();
        let registers = registers.flat_map(|r| {
            let keys = r.ties.keys().chain(r.parameters.keys());
            [&r.cell, &r.data, &r.clock, &r.output].into_iter().chain(keys)
        });
        let muxes = self.mux.iter().flat_map(|m| m.inputs.iter().chain([&m.cell, &m.select, &m.output]));
        let carries = self.carry.iter().flat_map(|c| {
            let positions = c.positions.iter().flat_map(|p| p.inputs.iter().chain(&p.table).chain(&p.sum));
            let keys = c.ties.keys().chain(c.parameters.keys());
            [&c.cell, &c.carry_in, &c.carry_out].into_iter().chain(positions).chain(keys)
        });
        let lut = [&self.name, &self.lut.cell, &self.lut.output, &self.lut.table];
        lut.into_iter()
            .chain(&self.lut.inputs)
            .chain(muxes)
            .chain(carries)
            .chain(self.models.keys())
            .chain(registers)
            .map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_devices_are_read() {
        let names: Vec<_> = Device::own().iter().map(|d| d.name.clone()).collect();
        assert_eq!(names, ["ecp5", "ice40", "gowin"]);
        assert_eq!(Device::named("ice40").unwrap().k(), 4);
        assert!(Device::named("ice40").unwrap().register(true).is_none());
        assert_eq!(Device::named("gowin").unwrap().register(true).unwrap().cell, "DFFS");
        for name in ["xc7", "xcup"] {
            let family = Family::named(name).unwrap();
            family.speed.check().unwrap();
            assert!(family.speed.grade(Some("2")).unwrap().1.carry > 0.0);
            assert_eq!(family.speed.grade(Some("9")), None);
        }
    }

    #[test]
    fn wrong_devices_are_refused() {
        let wrongs = [
            ("name = \"ecp5\"", "name = \"a b\"", "no name in Verilog"),
            ("\"A\", \"B\", \"C\", \"D\"", "\"A\"", "a lookup table of 1 inputs"),
            ("ties = { LSR = 0 }", "ties = { LSR = 2 }", "neither 0 nor 1"),
            ("GSR = \"DISABLED\"", "GSR = \"a\\\"b\"", "no plain word"),
            ("net = 0.715", "net = -1.0", "no time"),
            ("net = 0.715", "net = nan", "no time"),
            ("default = \"6\"", "default = \"5\"", "none of the grades"),
            ("[[mux]]\ncell = \"PFUMX\"", "[[mux]]\ncell = \"P X\"", "no name in Verilog"),
            ("select = \"SD\"", "selects = \"SD\"", "unknown field"),
            ("inputs = [\"D0\", \"D1\"]", "inputs = [\"D0\"]", "length"),
            ("carry_in = \"CIN\"", "carry_in = \"C-IN\"", "no name in Verilog"),
            (
                "inputs = [\"A1\", \"B1\", \"C1\", \"D1\"]",
                "inputs = [\"A1\", \"B1\"]",
                "two inputs, or four and a table",
            ),
            ("INJECT1_0 = \"NO\"", "INJECT1_0 = 2", "neither 0 nor 1"),
            ("spread = 20", "spred = 20", "unknown field"),
            ("cell = \"LUT4\"", "", "missing field `cell`"),
        ];
        let own = OWN[0].replace("[models]", include_str!("../tests/ecp5_chains.toml"));
        assert!(Device::parse(&own, "my.toml").is_ok());
        for (from, to, why) in wrongs {
            let text = own.replacen(from, to, 1);
            assert_ne!(text, own, "{from}");
            let e = Device::parse(&text, "my.toml").unwrap_err();
            assert_eq!(e.code.id, "BL3006");
            assert!(e.message.contains(why), "{from}: {}", e.message);
        }
    }
}

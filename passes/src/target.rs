//! What passes map to.

/// What a design is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Xilinx 7-series: LUT6, LUT6_2, FDRE.
    Xc7,
    /// Xilinx UltraScale+, whose lookup tables and registers are those of the 7-series.
    Xcup,
    /// Any device with lookup tables of so many inputs, 2 to 8.
    Lut(u8),
    /// A device with lookup tables of so many inputs, 2 to 4, and multiplexers that join two and four of them.
    Slices(u8),
    /// Gates of a library of standard cells.
    Gates,
}

impl Target {
    /// The names that [`Target::parse`] takes.
    pub const NAMES: [&str; 10] = ["xc7", "xcup", "lut2", "lut3", "lut4", "lut5", "lut6", "lut7", "lut8", "gates"];

    /// The target of a name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "xc7" => Some(Self::Xc7),
            "xcup" => Some(Self::Xcup),
            "gates" => Some(Self::Gates),
            _ => (2..=8).map(Self::Lut).find(|t| t.name() == name),
        }
    }

    /// Its name; of slices that of their tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xc7 => "xc7",
            Self::Xcup => "xcup",
            Self::Lut(k) | Self::Slices(k) => Self::NAMES[k.clamp(2, 8) as usize],
            Self::Gates => "gates",
        }
    }

    /// Most inputs of a lookup table; of gates what tables are made first.
    pub fn k(self) -> u8 {
        match self {
            Self::Xc7 | Self::Xcup => 6,
            Self::Gates => 4,
            Self::Lut(k) | Self::Slices(k) => k,
        }
    }

    /// Whether slices have multiplexers that join lookup tables.
    pub fn has_muxes(self) -> bool {
        !matches!(self, Self::Lut(_) | Self::Gates)
    }

    /// Whether designs end as Xilinx primitives; otherwise as lookup tables and registers that any tool reads.
    pub fn is_xilinx(self) -> bool {
        matches!(self, Self::Xc7 | Self::Xcup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in Target::NAMES {
            assert_eq!(Target::parse(name).unwrap().name(), name);
        }
        for wrong in ["", "lut", "lut1", "lut9", "lut06", "XC7", "lut99999", "ecp5"] {
            assert_eq!(Target::parse(wrong).map(Target::name), None, "{wrong}");
        }
    }
}

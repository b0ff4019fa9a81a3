//! Which targets the command line offers.

use blc_passes::{Target, suggest};

/// What is tested to the end: passes, backends and simulation models.
pub const OFFERED: [&str; 4] = ["xc7", "lut4", "lut5", "lut6"];

/// Reads a target's name. Those that the passes know but nothing is emitted for yet are refused by name.
pub fn parse(name: &str) -> Result<Target, String> {
    match Target::parse(name) {
        Some(target) if OFFERED.contains(&name) => Ok(target),
        Some(_) => Err(format!("this version does not compile for {name} yet; targets are {}", OFFERED.join(", "))),
        None => Err(format!("no such target; {}", suggest::help(name, OFFERED))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_by_name() {
        for name in OFFERED {
            assert_eq!(parse(name).unwrap().name(), name);
        }
        assert!(parse("ecp5").unwrap_err().contains("not compile for ecp5 yet"));
        assert!(parse("xc").unwrap_err().contains("did you mean `xc7`?"));
    }
}

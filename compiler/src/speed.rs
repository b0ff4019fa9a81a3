//! A target's speed grade: the delays that periods and latencies are estimated with.

use blc_backends::device::Speeds;
use blc_passes::timing::Delays;
use serde::Serialize;

/// A grade of a target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Speed {
    /// Its name.
    pub grade: String,
    /// How far routed designs lie from the estimate, in percent either way.
    pub spread_percent: u32,
    #[serde(skip)]
    pub delays: Delays,
}

impl Speed {
    /// The grade of a name, or the default one.
    ///
    /// # Errors
    /// The names there are, where it is none of them.
    pub fn new(speeds: &Speeds, grade: Option<&str>) -> Result<Self, String> {
        let Some((grade, d)) = speeds.grade(grade) else {
            let names: Vec<&str> = speeds.grades.keys().map(String::as_str).collect();
            return Err(format!("its grades are {}", names.join(", ")));
        };
        let delays = Delays {
            lut: d.lut,
            net: d.net,
            fanout: d.fanout,
            carry_in: d.carry_in,
            carry: d.carry,
            carry_out: d.carry_out,
            mux: d.mux,
            // Once on each path from register to register.
            clock_to_output: d.clock_to_output + d.worst,
            setup: d.setup,
        };
        Ok(Self { grade: grade.to_owned(), spread_percent: speeds.spread, delays })
    }
}

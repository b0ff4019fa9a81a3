//! Which targets the command line offers: what passes map to, and the cells that it is emitted in.

use std::path::Path;
use std::sync::Arc;

use blc_backends::device::{self, Device, Family, Speeds};
use blc_frontend::files;
use blc_passes::{Ripple, Target, suggest};

/// What a design is compiled for.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// As the passes see it.
    pub passes: Target,
    /// Whose cells it is emitted in; none for Xilinx primitives and for the generic targets.
    pub device: Option<Arc<Device>>,
    /// How fast it is; the generic targets count as Xilinx 7-series.
    pub speeds: Arc<Speeds>,
}

impl Chosen {
    /// The carry chains of its device.
    pub fn ripple(&self) -> Option<Ripple> {
        self.device.as_ref().and_then(|device| Ripple::of_inputs(device.ripple()))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match &self.device {
            Some(device) => &device.name,
            None => self.passes.name(),
        }
    }

    fn of(device: Device) -> Self {
        let speeds = Arc::new(device.speed.clone());
        let passes = if device.mux.is_empty() { Target::Lut(device.k()) } else { Target::Slices(device.k()) };
        Self { passes, device: Some(Arc::new(device)), speeds }
    }

    fn generic(passes: Target) -> Option<Self> {
        let family = Family::named(passes.name()).or_else(|| Family::named(Target::Xc7.name()))?;
        Some(Self { passes, device: None, speeds: Arc::new(family.speed) })
    }

    /// The target of a name.
    pub fn named(name: &str) -> Option<Self> {
        Device::named(name).map(Self::of).or_else(|| Self::generic(Target::parse(name)?))
    }
}

/// The names of all targets.
pub fn names() -> Vec<String> {
    let own = Device::own().into_iter().map(|d| d.name);
    Target::NAMES[..2]
        .iter()
        .map(|n| n.to_string())
        .chain(own)
        .chain(Target::NAMES[2..].iter().map(|n| n.to_string()))
        .collect()
}

/// Reads a target's name, or the file of a device.
pub fn parse(name: &str) -> Result<Chosen, String> {
    if let Some(chosen) = Chosen::named(name) {
        return Ok(chosen);
    }
    if name.ends_with(".toml") {
        let text = files::read_text(Path::new(name), device::MAX_FILE).map_err(|e| e.message.clone())?;
        return Device::parse(&text, name).map(Chosen::of).map_err(|e| e.message.clone());
    }
    let names = names();
    Err(format!("no such target; {}", suggest::help(name, names.iter().map(String::as_str))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_by_name() {
        for name in names() {
            assert_eq!(parse(&name).unwrap().name(), name);
        }
        assert!(parse("xc").unwrap_err().contains("did you mean `xc7`?"));
        assert!(parse("missing.toml").unwrap_err().contains("cannot be read"));
    }
}

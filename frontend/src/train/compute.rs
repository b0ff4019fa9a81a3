//! Where a run computes, and by what operations.

use std::fmt;
use std::str::FromStr;

use blc_ir::diag::{Diagnostic, Result};
use candle_core::Device;

use crate::codes;

/// Where a run computes, and by what operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compute {
    /// The kernels of this crate, on the processor.
    #[default]
    Cpu,
    /// Candle's tensor operations on the processor: what a GPU does, slowly.
    Plain,
    /// Candle's tensor operations on the CUDA device of this number.
    Cuda(usize),
}

impl Compute {
    /// Whether layers are tensor operations.
    pub fn is_plain(self) -> bool {
        self != Self::Cpu
    }

    /// The device on which parameters live.
    ///
    /// Errors: `BL1307` where there is none.
    pub fn device(self) -> Result<Device> {
        let Self::Cuda(number) = self else { return Ok(Device::Cpu) };
        Device::new_cuda(number).map_err(|e| {
            let d = Diagnostic::error(&codes::TRAIN_DEVICE, format!("{self} cannot be used: {e}"));
            let help = match cfg!(feature = "cuda") {
                true => "`nvidia-smi` lists the devices; `--device cpu` needs none",
                false => "this blc was built without CUDA: build it with `--features cuda`, or use `--device cpu`",
            };
            d.help(help).into()
        })
    }
}

impl fmt::Display for Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Plain => f.write_str("plain"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl FromStr for Compute {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |text: &str| text.parse::<u16>().ok().map(|n| Self::Cuda(n.into()));
        let found = match text {
            "cpu" => Some(Self::Cpu),
            "plain" => Some(Self::Plain),
            "cuda" => Some(Self::Cuda(0)),
            _ => text.strip_prefix("cuda:").and_then(number),
        };
        found.ok_or_else(|| "say `cpu`, `plain`, `cuda` or `cuda:N`".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for compute in [Compute::Cpu, Compute::Plain, Compute::Cuda(0), Compute::Cuda(3)] {
            assert_eq!(compute.to_string().parse(), Ok(compute));
        }
        assert_eq!("cuda".parse(), Ok(Compute::Cuda(0)));
        assert!(["", "gpu", "cuda:", "cuda:-1", "cuda:70000"].iter().all(|name| name.parse::<Compute>().is_err()));
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn without_cuda_it_says_so() {
        let e = Compute::Cuda(1).device().unwrap_err();
        assert!(e.code.id == "BL1307" && e.message.contains("cuda:1"), "{e}");
        assert!(Compute::Plain.device().is_ok_and(|device| device.is_cpu()));
    }
}

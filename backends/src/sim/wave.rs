//! Waveforms: FST, which GTKWave and Surfer read quickly, and VCD, which everything reads.
//!
//! A cycle takes ten units of time. Registers and inputs change together with the clock's rising edge at `10 c`, the clock
//! falls at `10 c + 5`; before the edge at 10 the design shows its initial state and the first inputs.

use std::fmt::Write;
use std::io::Cursor;

use blc_ir::diag::{Diagnostic, Result};
use fst_writer::{
    FstBodyWriter, FstFileType, FstHeaderWriter, FstInfo, FstScopeType, FstSignalId, FstSignalType, FstVarDirection,
    FstVarType, FstWriteError,
};

use crate::codes::SIM_WAVE;

/// Longest name that is given to the FST writer, which panics beyond 512 bytes with the range behind it.
const MAX_FST_NAME: usize = 480;

/// How a wave is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaveFormat {
    /// Binary, compressed.
    Fst,
    /// Text, IEEE 1364.
    Vcd,
}

/// A waveform in the making, in memory.
pub struct Wave {
    body: Body,
    /// The last value of each variable, highest bit first.
    values: Vec<Vec<u8>>,
    time: Option<u64>,
}

enum Body {
    Fst(Box<FstBodyWriter<Cursor<Vec<u8>>>>, Vec<FstSignalId>),
    Vcd(String),
}

fn failed(e: FstWriteError) -> Box<Diagnostic> {
    let error = Diagnostic::error(&SIM_WAVE, format!("the waveform cannot be written: {e}"));
    Box::new(error.help("take fewer nets, or a file that ends in .vcd"))
}

impl Wave {
    /// A waveform of scopes with variables: names and numbers of bits. Variables are counted through all scopes.
    ///
    /// # Errors
    /// `BL3143`: a name that the format cannot take.
    pub fn new(format: WaveFormat, scopes: &[(String, Vec<(String, usize)>)]) -> Result<Self> {
        let variables = scopes.iter().flat_map(|(_, variables)| variables);
        let values = variables.map(|(_, width)| vec![b'x'; *width]).collect();
        let names = scopes.iter().flat_map(|(scope, v)| std::iter::once(scope).chain(v.iter().map(|(name, _)| name)));
        if let Some(name) = names.into_iter().find(|name| format == WaveFormat::Fst && name.len() > MAX_FST_NAME) {
            let text = format!("a name of {} bytes does not fit into an FST", name.len());
            return Err(Box::new(Diagnostic::error(&SIM_WAVE, text).help("take a file that ends in .vcd")));
        }
        let body = match format {
            WaveFormat::Fst => fst(scopes).map_err(failed)?,
            WaveFormat::Vcd => Body::Vcd(vcd(scopes)),
        };
        Ok(Self { body, values, time: None })
    }

    /// The value of a variable from a time on, highest bit first as `0` and `1`; times do not fall. Panics where there is
    /// no such variable.
    ///
    /// # Errors
    /// `BL3143`
    pub fn change(&mut self, time: u64, variable: usize, value: impl Iterator<Item = bool>) -> Result<()> {
        let value: Vec<u8> = value.map(|bit| if bit { b'1' } else { b'0' }).collect();
        if self.values[variable] == value {
            return Ok(());
        }
        self.at(time)?;
        match &mut self.body {
            Body::Fst(body, ids) => body.signal_change(ids[variable], &value).map_err(failed)?,
            Body::Vcd(text) => {
                let bits = String::from_utf8_lossy(&value);
                // Writing to a String cannot fail.
                let _ = match value.len() {
                    1 => writeln!(text, "{bits}{}", code(variable)),
                    _ => writeln!(text, "b{bits} {}", code(variable)),
                };
            }
        }
        self.values[variable] = value;
        Ok(())
    }

    fn at(&mut self, time: u64) -> Result<()> {
        if self.time != Some(time) {
            self.time = Some(time);
            match &mut self.body {
                Body::Fst(body, _) => body.time_change(time).map_err(failed)?,
                Body::Vcd(text) => {
                    let _ = writeln!(text, "#{time}");
                }
            }
        }
        Ok(())
    }

    /// The file, whose last moment is `end`.
    ///
    /// # Errors
    /// `BL3143`
    pub fn finish(mut self, end: u64) -> Result<Vec<u8>> {
        self.at(end)?;
        match self.body {
            Body::Fst(body, _) => Ok(body.finish().map_err(failed)?.into_inner()),
            Body::Vcd(text) => Ok(text.into_bytes()),
        }
    }
}

fn fst(scopes: &[(String, Vec<(String, usize)>)]) -> std::result::Result<Body, FstWriteError> {
    let info = FstInfo {
        start_time: 0,
        timescale_exponent: -9,
        version: format!("blc {}", crate::emit::VERSION),
        // No date: the same run gives the same bytes.
        date: String::new(),
        file_type: FstFileType::Verilog,
    };
    let mut header = FstHeaderWriter::write_to_mem(&info)?;
    let mut ids = Vec::new();
    for (scope, variables) in scopes {
        header.scope(scope, "", FstScopeType::Module)?;
        for (name, width) in variables {
            let ty = FstSignalType::bit_vec(*width as u32);
            let name = if *width == 1 { name.clone() } else { format!("{name} [{}:0]", width - 1) };
            ids.push(header.var(&name, ty, FstVarType::Wire, FstVarDirection::Implicit, None)?);
        }
        header.up_scope()?;
    }
    Ok(Body::Fst(Box::new(header.finish()?), ids))
}

fn vcd(scopes: &[(String, Vec<(String, usize)>)]) -> String {
    let mut text = format!("$version blc {} $end\n$timescale 1ns $end\n", crate::emit::VERSION);
    let mut variable = 0;
    for (scope, variables) in scopes {
        let _ = writeln!(text, "$scope module {scope} $end");
        for (name, width) in variables {
            let range = if *width == 1 { String::new() } else { format!(" [{}:0]", width - 1) };
            let _ = writeln!(text, "$var wire {width} {} {name}{range} $end", code(variable));
            variable += 1;
        }
        text.push_str("$upscope $end\n");
    }
    text.push_str("$enddefinitions $end\n");
    text
}

/// What VCD calls a variable: a number in the printable characters.
fn code(mut variable: usize) -> String {
    let mut code = String::new();
    loop {
        code.push(char::from(b'!' + (variable % 94) as u8));
        variable /= 94;
        if variable == 0 {
            return code;
        }
        variable -= 1;
    }
}

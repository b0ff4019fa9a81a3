//! A testbench that checks itself: it streams vectors through the design, one a cycle or as often as the design takes one, and
//! compares every output, and the bits of a handshake in every cycle.
//!
//! It prints one line with the verdict, `PASS 64 vectors` or `FAIL …`, after a line for each of the first mismatches. It
//! carries some vectors in its text and reads any number of others from a file.

use std::fmt::{self, Write};

use blc_ir::control::Control;
use blc_ir::eval::Val;
use blc_ir::{Diagnostic, Func, FuncAttr, Module, Port, Result, Type};

use crate::codes;
use crate::emit::{VERSION, top};
use crate::names::{Language, Named, PortNames};
use crate::verilog::xc7;

/// Vectors that a testbench carries in its own text; the rest go into a file.
pub const MAX_EMBEDDED: usize = 64;
/// Mismatches that it describes.
const MAX_MISMATCHES: usize = 10;

/// One sample: a packed value for each data input, and for each data output.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    /// In the order of the function's parameters.
    pub inputs: Vec<Val>,
    /// In the order of the function's results.
    pub outputs: Vec<Val>,
}

/// The testbench `NAME_tb` of a module's top function, with the first [`MAX_EMBEDDED`] vectors in its text.
///
/// # Errors
/// Those of [`super::emit`]; `BL3010` where there are no vectors or they do not fit, `BL3011` where the design has a clock
/// but no latency.
pub fn emit(module: &Module, vectors: &[Vector]) -> Result<String> {
    let f = top(module)?;
    let named = Named::new(module, f, Language::Verilog)?;
    let latency = latency(f)?;
    if vectors.is_empty() {
        return Err(misfit(f, "there are none".into()));
    }
    let lines = vectors.iter().take(MAX_EMBEDDED).map(|v| words(f, v)).collect::<Result<Vec<_>>>()?;
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, &named, latency, &lines, xc7::models(module).is_some());
    Ok(out)
}

/// The content of a file for `+vectors=FILE`: a line for each vector with its inputs and its expected outputs, each one
/// hexadecimal number in which the first port is lowest.
///
/// # Errors
/// `BL3001` for a module without functions, `BL3010` where a vector does not fit.
pub fn hex_vectors(module: &Module, vectors: &[Vector]) -> Result<String> {
    let f = top(module)?;
    let mut out = String::new();
    for vector in vectors {
        let (inputs, outputs) = words(f, vector)?;
        out.push_str(&inputs);
        out.push(' ');
        out.push_str(&outputs);
        out.push('\n');
    }
    Ok(out)
}

pub(super) fn latency(f: &Func) -> Result<u64> {
    match (f.clock(), f.attr("latency")) {
        (None, _) => Ok(0),
        (Some(_), Some(FuncAttr::Int(n))) => Ok(*n),
        (Some(_), _) => Err(Diagnostic::error(&codes::TESTBENCH_LATENCY, "it has a clock but no `latency`")
            .in_op(format!("@{}", f.name))
            .help("balance it with the pass `pipeline`, or write a testbench for its own protocol")
            .into()),
    }
}

fn misfit(f: &Func, text: String) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(&codes::VECTORS, format!("test vectors: {text}"))
            .in_op(format!("@{}", f.name))
            .help("give a packed value for each port in order, none for the clock"),
    )
}

/// The inputs that carry data, with their positions.
pub(super) fn data_inputs(f: &Func) -> impl Iterator<Item = (usize, &Port)> {
    let control = Control::of(f).unwrap_or_default();
    f.params.iter().enumerate().filter(move |(i, _)| control.is_data(f, *i))
}

/// The outputs that carry data, with their positions.
pub(super) fn data_outputs(f: &Func) -> impl Iterator<Item = (usize, &Port)> {
    let control = Control::of(f).unwrap_or_default();
    f.results.iter().enumerate().filter(move |(i, _)| control.is_data_result(*i))
}

/// Inputs and outputs as hexadecimal numbers.
fn words(f: &Func, vector: &Vector) -> Result<(String, String)> {
    let inputs: Vec<&Port> = data_inputs(f).map(|(_, port)| port).collect();
    let outputs: Vec<&Port> = data_outputs(f).map(|(_, port)| port).collect();
    Ok((hex(f, &inputs, &vector.inputs)?, hex(f, &outputs, &vector.outputs)?))
}

fn hex(f: &Func, ports: &[&Port], values: &[Val]) -> Result<String> {
    if ports.len() != values.len() {
        return Err(misfit(f, format!("{} values for {} ports", values.len(), ports.len())));
    }
    let mut bits: Vec<bool> = Vec::new();
    for (port, value) in ports.iter().zip(values) {
        let ty = f.ty(port.value);
        let width = ty.elem_bits();
        match value {
            Val::Packed(elements) if elements.len() == ty.len() => {
                if let Some(bad) = elements.iter().find(|&&e| width < 64 && e >> width != 0) {
                    return Err(misfit(f, format!("%{}: {bad} does not fit {width} bits", port.name)));
                }
                bits.extend(elements.iter().flat_map(|e| (0..width).map(move |b| e >> b & 1 == 1)));
            }
            Val::Packed(elements) => {
                return Err(misfit(f, format!("%{} has {} elements, {} given", port.name, ty.len(), elements.len())));
            }
            Val::F32(_) => return Err(misfit(f, format!("%{}: real numbers have to be quantised", port.name))),
        }
    }
    let digits = bits.chunks(4).map(|nibble| nibble.iter().rev().fold(0, |n, &b| n << 1 | u32::from(b)));
    let text: String = digits.rev().filter_map(|d| char::from_digit(d, 16)).collect();
    Ok(if text.is_empty() { "0".into() } else { text })
}

fn write(
    out: &mut String,
    named: &Named<'_>,
    latency: u64,
    lines: &[(String, String)],
    primitives: bool,
) -> fmt::Result {
    let f = named.nets.f;
    let inputs: Vec<_> = data_inputs(f).map(|(i, port)| (&named.params[i], port)).collect();
    let outputs: Vec<_> = data_outputs(f).map(|(i, port)| (&named.results[i], port)).collect();
    let control = Control::of(f).unwrap_or(Control { interval: 1, ..Control::default() });
    let width = |ports: &[(&PortNames, &Port)]| ports.iter().map(|(n, _)| n.bits.len()).sum::<usize>().max(1);
    let (in_bits, out_bits) = (width(&inputs), width(&outputs));
    let name = &named.name;
    let models = if primitives { format!(" {}", xc7::FILE) } else { String::new() };
    writeln!(out, "// Self-checking testbench of {name}: written by blc {VERSION}")?;
    writeln!(out, "//   iverilog -o {name}_tb {name}.v{models} {name}_tb.v && vvp -n {name}_tb")?;
    out.push_str(HEADER);
    writeln!(out, "module {name}_tb;")?;
    writeln!(out, "  localparam LATENCY = {latency};")?;
    writeln!(out, "  localparam INTERVAL = {};", control.interval)?;
    writeln!(out, "  localparam EMBEDDED = {};", lines.len())?;
    writeln!(out, "  reg clock;\n  reg [{}:0] in;\n  wire [{}:0] out;", in_bits - 1, out_bits - 1)?;
    writeln!(out, "  reg [{}:0] inputs [0:EMBEDDED-1];", in_bits - 1)?;
    writeln!(out, "  reg [{}:0] outputs [0:EMBEDDED-1];", out_bits - 1)?;
    writeln!(out, "  reg [{}:0] next;\n  reg [{}:0] expected;", in_bits - 1, out_bits - 1)?;
    writeln!(out, "  // of the samples under way\n  reg [{}:0] pending [0:LATENCY];\n", out_bits - 1)?;
    for (there, wire) in [
        (control.valid_in.is_some(), "reg valid;"),
        (control.reset.is_some(), "reg reset;"),
        (control.ready.is_some(), "wire taken;"),
        (control.valid_out.is_some(), "wire there;"),
    ] {
        if there {
            writeln!(out, "  {wire}")?;
        }
    }
    write!(out, "  {name} dut (")?;
    let mut connections: Vec<String> = Vec::new();
    for (names, port) in named.params.iter().zip(&f.params) {
        if f.ty(port.value) == Type::CLOCK {
            connections.push(format!("\n    .{}(clock)", names.name));
        }
    }
    for (vector, ports) in [("in", &inputs), ("out", &outputs)] {
        let mut first = 0;
        for (names, _) in ports {
            connections.push(format!("\n    .{}({vector}{})", names.name, range(first, names.bits.len())));
            first += names.bits.len();
        }
    }
    for (at, names, wire) in [
        (control.valid_in, &named.params, "valid"),
        (control.reset.map(|(at, _)| at), &named.params, "reset"),
        (control.ready, &named.results, "taken"),
        (control.valid_out, &named.results, "there"),
    ] {
        if let Some(at) = at {
            connections.push(format!("\n    .{}({wire})", names[at].name));
        }
    }
    writeln!(out, "{}\n  );\n", connections.join(","))?;
    if f.clock().is_none() {
        // The stimulus counts in its cycles all the same.
        out.push_str("  wire unused = &{1'b0, clock};\n\n");
    }
    out.push_str("  task embed;\n    begin\n");
    for (i, (input, output)) in lines.iter().enumerate() {
        writeln!(out, "      inputs[{i}] = {in_bits}'h{input};\n      outputs[{i}] = {out_bits}'h{output};")?;
    }
    out.push_str("    end\n  endtask\n\n  task describe;\n    begin\n");
    let mut first = 0;
    for (names, _) in &outputs {
        let part = range(first, names.bits.len());
        writeln!(out, "      if (out{part} !== expected{part})")?;
        let text = format!("vector %0d: {} is %h, should be %h", names.name);
        writeln!(out, "        $display(\"{text}\", checked, out{part}, expected{part});")?;
        first += names.bits.len();
    }
    let body = BODY.replace("MAX_MISMATCHES", &MAX_MISMATCHES.to_string());
    let [reset, drive, checks] = handshake(&control);
    let body = body.replace("RESET\n", &reset).replace("DRIVE\n", &drive).replace("HANDSHAKE\n", &checks);
    write!(out, "    end\n  endtask\n{body}")
}

/// Statements that reset the design before the first cycle, and those that drive a handshake and check it in each.
fn handshake(control: &Control) -> [String; 3] {
    let [mut before, mut drive, mut each] = [const { String::new() }; 3];
    if control.valid_in.is_some() {
        before.push_str("    valid = 1;\n");
        drive.push_str("      valid = sent > cycle / INTERVAL;\n");
    }
    if let Some((_, level)) = control.reset {
        let (on, off) = (u8::from(level), u8::from(!level));
        before += &format!(
            "    reset = {on};\n    repeat (LATENCY + 2) begin\n      #5 clock = 1;\n      #5 clock = 0;\n    end\n    reset = {off};\n"
        );
    }
    let mut check = |wire: &str, wanted: &str| {
        each += &format!("      if ({wire} !== ({wanted})) begin\n        wrong = wrong + 1;\n");
        each += &format!(
            "        if (wrong <= {MAX_MISMATCHES}) $display(\"cycle %0d: {wire} is %b\", cycle, {wire});\n      end\n"
        );
    };
    if control.ready.is_some() {
        check("taken", "valid && cycle % INTERVAL == INTERVAL - 1");
    }
    if control.valid_out.is_some() {
        check("there", "cycle >= LATENCY && (cycle - LATENCY) % INTERVAL == 0 && sent > (cycle - LATENCY) / INTERVAL");
    }
    [before, drive, each]
}

fn range(first: usize, bits: usize) -> String {
    if bits == 1 { format!("[{first}]") } else { format!("[{}:{first}]", first + bits - 1) }
}

const HEADER: &str = "\
// It prints `PASS n vectors` or `FAIL ...`. Other vectors than its own:
//   vvp -n ... +vectors=FILE [+count=N]
// where a line of FILE has the inputs and the expected outputs of a sample, each as one hexadecimal number with the
// first port lowest; N lines are read, or all.

";

const BODY: &str = include_str!("testbench.v");

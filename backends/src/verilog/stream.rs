//! An AXI4-Stream wrapper, `NAME_axis.v`, around a design with a fixed latency.
//!
//! The design itself never stalls. A sample enters it only while there is room for its result in a queue at the output:
//! samples in flight and results in the queue are counted together, and there are never more of them than the queue holds.
//! The queue is as deep as the pipeline is long, and a little more, so that without stalls a sample enters every cycle.
//!
//! A sample may be wider than the bus: then its beats are collected first, the lowest bits first. Where the design takes several
//! cycles a sample, the sample waits where it was collected, and the design's own handshake says when it is taken and when its
//! result is there.

use std::fmt::{self, Write};

use blc_ir::control::Control;
use blc_ir::{Diagnostic, Func, Module, Result, Type};

use super::testbench::{data_inputs, data_outputs};
use crate::codes;
use crate::emit::{Options, VERSION, plain, top};
use crate::names::{Language, Named};

/// What the wrapper is made of.
struct Shape {
    latency: u64,
    /// Bits of a sample and of a result.
    inputs: usize,
    outputs: usize,
    /// Bits of the buses.
    slave: usize,
    master: usize,
    beats: usize,
    /// log2 of the queue's depth.
    depth: u32,
    control: Control,
}

/// Verilog of the wrapper of a module's top function. Its input bus has `options.bus_bytes` bytes, or as many as a sample.
///
/// # Errors
/// Those of [`super::emit`]; `BL3011` where the design has no fixed latency, `BL3012` where it takes several cycles a sample and
/// cannot be reset.
pub fn emit(module: &Module, options: &Options) -> Result<String> {
    let f = top(module)?;
    let named = Named::new(module, f, Language::Verilog)?;
    let shape = shape(f, options)?;
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, &named, &shape, options);
    Ok(out)
}

fn shape(f: &Func, options: &Options) -> Result<Shape> {
    let latency = super::testbench::latency(f)?;
    let control = Control::of(f).unwrap_or(Control { interval: 1, ..Control::default() });
    if control.interval > 1 && (control.reset.is_none() || control.valid_in.is_none() || control.valid_out.is_none()) {
        let text = "a stream is reset, and a design of several cycles a sample has to be with it";
        let d = Diagnostic::error(&codes::STREAM_RESET, text).in_op(format!("@{}", f.name));
        return Err(Box::new(d.help("compile it with `--reset sync-low` or `--reset sync-high`")));
    }
    let inputs: usize = data_inputs(f).map(|(_, p)| f.ty(p.value).total_bits()).sum();
    let outputs: usize = data_outputs(f).map(|(_, p)| f.ty(p.value).total_bits()).sum();
    let whole = inputs.max(1).div_ceil(8);
    let bytes = options.bus_bytes.unwrap_or(whole).clamp(1, whole.max(1));
    let slave = 8 * bytes;
    let beats = inputs.max(1).div_ceil(slave);
    let depth = (latency + 2).next_power_of_two().ilog2().max(1);
    Ok(Shape { latency, inputs, outputs, slave, master: 8 * outputs.max(1).div_ceil(8), beats, depth, control })
}

fn write(out: &mut String, named: &Named<'_>, shape: &Shape, options: &Options) -> fmt::Result {
    let Shape { latency, inputs, outputs, slave, master, beats, depth, ref control } = *shape;
    let interval = control.interval;
    let name = &named.name;
    writeln!(out, "// {name}_axis: AXI4-Stream around {name}, written by blc {VERSION}")?;
    for source in &options.made_from {
        writeln!(out, "// made from {}", plain(source))?;
    }
    writeln!(
        out,
        "//\n// s_axis: {beats} beats of {} bytes a sample, its lowest bits first; the sample's bits:",
        slave / 8
    )?;
    let f = named.nets.f;
    let mut at = 0;
    for (names, port) in data_inputs(f).map(|(i, port)| (&named.params[i], port)) {
        let bits = f.ty(port.value).total_bits();
        writeln!(out, "//   {:<12} from bit {at}, {bits} bits", names.name)?;
        at += bits;
    }
    writeln!(out, "// m_axis: a beat of {} bytes a result; its bits:", master / 8)?;
    at = 0;
    for (names, port) in data_outputs(f).map(|(i, port)| (&named.results[i], port)) {
        let bits = f.ty(port.value).total_bits();
        writeln!(out, "//   {:<12} from bit {at}, {bits} bits", names.name)?;
        at += bits;
    }
    writeln!(out, "// {latency} cycles through the design, and two more here. Bits that are left over are 0.")?;
    if interval > 1 {
        writeln!(out, "// The design takes a sample every {interval} cycles.")?;
    }
    out.push('\n');
    let top = beats * slave - 1;
    let counter = usize::max(1, (beats.max(2) - 1).ilog2() as usize + 1);
    write!(
        out,
        "`default_nettype none

module {name}_axis (
  input  wire aclk,
  input  wire aresetn,
  input  wire [{}:0] s_axis_tdata,
  input  wire s_axis_tvalid,
  output wire s_axis_tready,
  output wire [{}:0] m_axis_tdata,
  output wire m_axis_tvalid,
  input  wire m_axis_tready
);
{taken}
  // A sample, beat by beat.
  reg [{top}:0] sample;
  reg full;
  wire room;
  wire enter = {enter};
  assign s_axis_tready = !full || {free};
  wire beat = s_axis_tvalid && s_axis_tready;
",
        slave - 1,
        master - 1,
        taken = if interval > 1 { "\n  wire taken, leave;" } else { "" },
        free = if interval > 1 { "taken" } else { "room" },
        enter = if interval > 1 { "taken" } else { "full && room" },
    )?;
    if beats > 1 {
        write!(
            out,
            "  reg [{}:0] beats;
  wire last = beats == {counter}'d{};
  always @(posedge aclk) begin
    if (beat) sample <= {{s_axis_tdata, sample[{top}:{slave}]}};
    if (!aresetn) beats <= {counter}'d0;
    else if (beat) beats <= last ? {counter}'d0 : beats + {counter}'d1;
  end
",
            counter - 1,
            beats - 1,
        )?;
    } else {
        out.push_str("  wire last = 1'b1;\n  always @(posedge aclk) if (beat) sample <= s_axis_tdata;\n");
    }
    out.push_str(
        "  always @(posedge aclk) begin
    if (!aresetn) full <= 1'b0;
    else if (beat && last) full <= 1'b1;
    else if (enter) full <= 1'b0;
  end

",
    );
    writeln!(out, "  wire [{}:0] result;\n  {name} core (", outputs.max(1) - 1)?;
    let mut pins = Vec::new();
    let mut at = 0;
    for (i, (names, port)) in named.params.iter().zip(&f.params).enumerate() {
        let ty = f.ty(port.value);
        let source = if ty == Type::CLOCK {
            "aclk".to_owned()
        } else if control.valid_in == Some(i) {
            "full && room".to_owned()
        } else if let Some((_, level)) = control.reset.filter(|(at, _)| *at == i) {
            if level { "!aresetn" } else { "aresetn" }.to_owned()
        } else {
            let bits = ty.total_bits();
            at += bits;
            format!("sample[{}:{}]", at - 1, at - bits)
        };
        pins.push(format!("    .{}({source})", names.name));
    }
    at = 0;
    for (i, (names, port)) in named.results.iter().zip(&f.results).enumerate() {
        let target = if control.ready == Some(i) {
            "taken".to_owned()
        } else if control.valid_out == Some(i) {
            if interval > 1 { "leave" } else { "" }.to_owned()
        } else {
            let bits = f.ty(port.value).total_bits();
            at += bits;
            format!("result[{}:{}]", at - 1, at - bits)
        };
        pins.push(format!("    .{}({target})", names.name));
    }
    writeln!(out, "{}\n  );", pins.join(",\n"))?;
    if beats * slave > inputs {
        writeln!(out, "  wire unused = &{{1'b0, sample[{top}:{inputs}]}};")?;
    }
    out.push('\n');
    match latency {
        _ if interval > 1 => {}
        0 => out.push_str("  wire leave = enter;\n"),
        1 => out
            .push_str("  reg flight;\n  always @(posedge aclk) flight <= aresetn && enter;\n  wire leave = flight;\n"),
        n => write!(
            out,
            "  // Which of the stages hold a sample.
  reg [{0}:0] flight;
  always @(posedge aclk) flight <= aresetn ? {{flight[{1}:0], enter}} : {n}'d0;
  wire leave = flight[{0}];
",
            n - 1,
            n - 2
        )?,
    }
    let (d, top) = (depth, depth - 1);
    write!(
        out,
        "
  // Results wait in a queue; there is never more on the way than it holds.
  reg [{m}:0] queue [0:{}];
  reg [{top}:0] head, tail;
  reg [{d}:0] waiting, owed;
  wire take = m_axis_tvalid && m_axis_tready;
  assign room = !owed[{d}];
  assign m_axis_tvalid = waiting != {}'d0;
  assign m_axis_tdata = {{{}queue[head]}};
  always @(posedge aclk) begin
    if (leave) queue[tail] <= result;
    if (!aresetn) begin
      head <= {d}'d0;
      tail <= {d}'d0;
      waiting <= {w}'d0;
      owed <= {w}'d0;
    end else begin
      if (leave) tail <= tail + {d}'d1;
      if (take) head <= head + {d}'d1;
      if (leave && !take) waiting <= waiting + {w}'d1;
      if (take && !leave) waiting <= waiting - {w}'d1;
      if (enter && !take) owed <= owed + {w}'d1;
      if (take && !enter) owed <= owed - {w}'d1;
    end
  end
endmodule

`default_nettype wire
",
        (1usize << depth) - 1,
        d + 1,
        if master > outputs.max(1) { format!("{}'d0, ", master - outputs.max(1)) } else { String::new() },
        w = d + 1,
        m = outputs.max(1) - 1,
    )
}

//! The AXI4-Stream wrapper under random stalls on both sides, in Icarus, and as people test such things: with cocotb and
//! cocotbext-axi. And the project files, as far as tools for them are here.

mod common;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use blc_backends::verilog::testbench::{Vector, hex_vectors};
use blc_ir::Port;
use blc_ir::control::Control;
use common::{compile, design, golden, golden_samples, report, tool};
use tempfile::{TempDir, tempdir};

/// `y = a + b`, eight bits each, by a chain of full adders.
fn adder() -> String {
    let bits = |name: &str, n: usize| (0..n).map(|i| format!(" {name}[{i}]")).collect::<String>();
    let mut text = format!(".model adder\n.inputs{}{}\n.outputs{}\n", bits("a", 8), bits("b", 8), bits("y", 9));
    text.push_str(".names c0\n");
    for i in 0..8 {
        let carry = if i == 7 { "y[8]".to_owned() } else { format!("c{}", i + 1) };
        let _ = write!(
            text,
            ".names a[{i}] b[{i}] c{i} y[{i}]\n100 1\n010 1\n001 1\n111 1\n\
             .names a[{i}] b[{i}] c{i} {carry}\n11- 1\n1-1 1\n-11 1\n"
        );
    }
    text + ".end\n"
}

/// Compiles the adder with a wrapper.
fn wrapped(options: &[&str]) -> TempDir {
    let dir = tempdir().expect("a folder");
    let source = dir.path().join("adder.blif");
    fs::write(&source, adder()).expect("written");
    compile(&source, dir.path(), &[&["--target", "xc7", "--emit", "verilog,axis,project"], options].concat());
    dir
}

/// Sends samples with stalls whose chance changes from run to run, and takes results likewise; sums are compared in order.
fn bench(bytes: usize, samples: usize) -> String {
    let beats = 2 / bytes;
    format!(
        "module bench;
  reg aclk = 0, aresetn = 0;
  always #1 aclk = !aclk;
  reg [{top}:0] data = 0;
  reg valid = 0, ready = 0;
  wire s_ready, m_valid;
  wire [15:0] result;
  adder_axis dut (.aclk(aclk), .aresetn(aresetn), .s_axis_tdata(data), .s_axis_tvalid(valid), .s_axis_tready(s_ready),
    .m_axis_tdata(result), .m_axis_tvalid(m_valid), .m_axis_tready(ready));
  reg [15:0] sent [0:{samples}];
  reg [15:0] next;
  integer in = 0, part = 0, out = 0, cycles = 0, stall_in = 0, stall_out = 0, wrong = 0;
  reg held = 0;
  reg [15:0] before = 0;
  always @(posedge aclk) begin
    cycles <= cycles + 1;
    if (cycles == 4) aresetn <= 1;
    if (cycles % 1000 == 0) begin
      stall_in = (cycles / 1000) % 4 * 80;
      stall_out = (cycles / 4000) % 4 * 80;
    end
    // A result that waits must not change.
    if (held && aresetn && (!m_valid || result !== before)) wrong = wrong + 1;
    held <= m_valid && !ready;
    before <= result;
    if (aresetn) begin
      if (m_valid && ready) begin
        if (result !== {{8'd0, sent[out][7:0]}} + {{8'd0, sent[out][15:8]}} || out >= in) wrong = wrong + 1;
        out = out + 1;
      end
      if (valid && s_ready) begin
        part = part + 1;
        if (part == {beats}) begin part = 0; in = in + 1; end
        valid <= 0;
      end
      if ((!valid || s_ready) && in < {samples} && ($random & 255) >= stall_in) begin
        if (part == 0) begin next = $random; sent[in] = next; end
        data <= next >> (part * {width});
        valid <= 1;
      end
      ready <= ($random & 255) >= stall_out;
    end
    if (out == {samples}) begin
      repeat (50) @(posedge aclk) if (m_valid && ready) wrong = wrong + 1;
      $display(\"%s %0d samples %0d cycles\", wrong == 0 ? \"PASS\" : \"FAIL\", out, cycles);
      $finish;
    end
    if (cycles > 20 * {samples}) begin $display(\"FAIL stuck at %0d\", out); $finish; end
  end
endmodule
",
        top = 8 * bytes - 1,
        width = 8 * bytes,
    )
}

#[test]
fn no_sample_is_lost_reordered_or_doubled() {
    for (options, bytes) in [
        (&["--stages", "5"][..], 2),
        (&["--stages", "0"], 2),
        (&["--stages", "1", "--bus", "1"], 1),
        (&["--stages", "9", "--bus", "1"], 1),
    ] {
        let dir = wrapped(options);
        let samples = 25_000;
        fs::write(dir.path().join("bench.v"), bench(bytes, samples)).expect("written");
        let files = ["-g2005", "-o", "bench", "bench.v", "adder_axis.v", "adder.v", "xc7_sim.v"];
        tool(dir.path(), "iverilog", &files);
        let said = tool(dir.path(), "vvp", &["-n", "bench"]);
        assert!(said.contains(&format!("PASS {samples} samples")), "{options:?}: {said}");
        let lint = ["--lint-only", "-Wall", "--top-module", "adder_axis", "adder_axis.v", "adder.v", "xc7_sim.v"];
        tool(dir.path(), "verilator", &[&lint[..], &["-Wno-MULTITOP", "-Wno-DECLFILENAME"]].concat());
    }
}

#[test]
fn a_wrapper_that_forgets_to_wait_is_noticed() {
    let dir = wrapped(&["--stages", "5"]);
    let path = dir.path().join("adder_axis.v");
    let right = fs::read_to_string(&path).expect("a wrapper");
    let wrong = right.replace("assign room = !owed[3];", "assign room = 1'b1;");
    assert_ne!(right, wrong);
    fs::write(&path, wrong).expect("written");
    fs::write(dir.path().join("bench.v"), bench(2, 5_000)).expect("written");
    tool(dir.path(), "iverilog", &["-g2005", "-o", "bench", "bench.v", "adder_axis.v", "adder.v", "xc7_sim.v"]);
    assert!(tool(dir.path(), "vvp", &["-n", "bench"]).contains("FAIL"));
}

#[test]
fn cocotb_streams_through_the_wrapper() {
    let dir = wrapped(&["--stages", "4"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("cocotb/axis.py");
    fs::copy(&script, dir.path().join("axis.py")).expect("copied");
    let said = tool(dir.path(), "python3", &["axis.py", "adder_axis", "adder_axis.v", "adder.v", "xc7_sim.v"]);
    assert!(said.contains("PASS=1 FAIL=0"), "{said}");
}

#[test]
fn the_makefile_routes() {
    let dir = tempdir().expect("a folder");
    let source = dir.path().join("adder.blif");
    fs::write(&source, adder()).expect("written");
    compile(&source, dir.path(), &["--target", "ecp5", "--stages", "2", "--emit", "json,project", "--top", "sum"]);
    tool(dir.path(), "make", &["PREFIX=yowasp-", "bit"]);
    assert!(fs::metadata(dir.path().join("sum.bit")).expect("a bitstream").len() > 1000);
    let core = fs::read_to_string(dir.path().join("sum.core")).expect("a core");
    assert!(core.starts_with("CAPI=2:\n") && core.contains("toplevel: sum_tb"));
    let component = fs::read_to_string(dir.path().join("sum_component.vhd")).expect("a component");
    assert!(component.contains("      a_7 : in  std_logic;\n"), "{component}");
    assert_eq!(report(dir.path())["latency_cycles"], 2);
    let dir = wrapped(&["--clock", "250"]);
    let constraints = fs::read_to_string(dir.path().join("adder.xdc")).expect("constraints");
    assert_eq!(constraints, "create_clock -name clk -period 4.000 [get_ports clk]\n");
    assert!(fs::read_to_string(dir.path().join("adder.tcl")).expect("a script").contains("read_verilog adder.v"));
}

/// Sends the samples of `all.hex` over and over, with stalls on both sides whose chance changes from run to run, a byte
/// a beat.
fn vector_bench(name: &str, bits: [usize; 2], vectors: usize, samples: usize) -> String {
    let [inputs, outputs] = bits;
    let master = 8 * outputs.div_ceil(8);
    format!(
        "module bench;
  reg aclk = 0, aresetn = 0;
  always #1 aclk = !aclk;
  reg [{in_top}:0] data = 0;
  reg valid = 0, ready = 0;
  wire s_ready, m_valid;
  wire [{out_top}:0] result;
  {name}_axis dut (.aclk(aclk), .aresetn(aresetn), .s_axis_tdata(data), .s_axis_tvalid(valid), .s_axis_tready(s_ready),
    .m_axis_tdata(result), .m_axis_tvalid(m_valid), .m_axis_tready(ready));
  reg [{in_top}:0] inputs [0:{last}];
  reg [{out_top}:0] outputs [0:{last}];
  integer file, fields, i, in = 0, out = 0, cycles = 0, stall_in = 0, stall_out = 0, wrong = 0;
  initial begin
    file = $fopen(\"all.hex\", \"r\");
    for (i = 0; i < {vectors}; i = i + 1) fields = $fscanf(file, \"%h %h\", inputs[i], outputs[i]);
    if (fields != 2) wrong = 1;
  end
  always @(posedge aclk) begin
    cycles <= cycles + 1;
    // Now and then all is reset, and begins anew.
    aresetn <= cycles > 4 && cycles % 5000 > 3;
    if (!aresetn) begin
      in = out;
      valid <= 0;
      ready <= 0;
    end else begin
      if (cycles % 1000 == 0) begin
        stall_in = (cycles / 1000) % 4 * 80;
        stall_out = (cycles / 4000) % 4 * 80;
      end
      if (m_valid && ready) begin
        if (result !== outputs[out % {vectors}] || out >= in) wrong = wrong + 1;
        out = out + 1;
      end
      if (valid && s_ready) begin in = in + 1; valid <= 0; end
      if ((!valid || s_ready) && in < {samples} && ($random & 255) >= stall_in) begin
        data <= inputs[in % {vectors}];
        valid <= 1;
      end
      ready <= ($random & 255) >= stall_out;
    end
    if (out == {samples}) begin
      $display(\"%s %0d samples\", wrong == 0 ? \"PASS\" : \"FAIL\", out);
      $finish;
    end
    if (cycles > 200 * {samples}) begin $display(\"FAIL stuck at %0d\", out); $finish; end
  end
endmodule
",
        in_top = 8 * inputs.div_ceil(8) - 1,
        out_top = master - 1,
        last = vectors - 1,
    )
}

#[test]
fn samples_of_several_cycles_stream_too() {
    let samples = golden_samples();
    for options in [
        &["--head", "iterative=10", "--reset", "sync-high"][..],
        &["--head", "iterative=3", "--stages", "0", "--reset", "sync-low", "--no-scores"],
        &["--valid", "--reset", "sync-low", "--registers", "in", "--no-scores"],
    ] {
        let dir = tempdir().expect("a folder");
        compile(&golden(), dir.path(), &[&["--target", "lut6", "--emit", "verilog,axis"], options].concat());
        let module = design(dir.path());
        let results = if options.contains(&"--no-scores") { 1 } else { 2 };
        let vector = |(inputs, outputs): &(Vec<_>, Vec<_>)| Vector {
            inputs: inputs.clone(),
            outputs: outputs[..results].to_vec(),
        };
        let vectors: Vec<Vector> = samples.iter().take(200).map(vector).collect();
        fs::write(dir.path().join("all.hex"), hex_vectors(&module, &vectors).expect("vectors")).expect("written");
        let f = module.top().expect("a design");
        let control = Control::of(f).expect("a handshake");
        let width = |ports: &[Port], data: &dyn Fn(usize) -> bool| -> usize {
            let ports = ports.iter().enumerate().filter(|(i, _)| data(*i));
            ports.map(|(_, p)| f.ty(p.value).total_bits()).sum()
        };
        let bits = [width(&f.params, &|i| control.is_data(f, i)), width(&f.results, &|i| control.is_data_result(i))];
        fs::write(dir.path().join("bench.v"), vector_bench("digits", bits, 200, 1500)).expect("written");
        tool(dir.path(), "iverilog", &["-g2005", "-o", "bench", "bench.v", "digits_axis.v", "digits.v"]);
        let said = tool(dir.path(), "vvp", &["-n", "bench"]);
        assert!(said.contains("PASS 1500 samples"), "{options:?}: {said}");
        let lint = ["--lint-only", "-Wall", "--top-module", "digits_axis", "digits_axis.v", "digits.v"];
        tool(
            dir.path(),
            "verilator",
            &[&lint[..], &["-Wno-MULTITOP", "-Wno-DECLFILENAME", "-Wno-PINCONNECTEMPTY"]].concat(),
        );
    }
}

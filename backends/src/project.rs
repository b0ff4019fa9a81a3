//! What other people's tools need beside the netlist: scripts that synthesise, place and route it.
//!
//! - Xilinx: `NAME.xdc` with the clock and `NAME.tcl` for Vivado, out of context or, with a part and pins of one's own, as
//!   the core of a project;
//! - devices with nextpnr: a `Makefile` that places, routes and packs;
//! - `NAME.core` for FuseSoC, and `NAME_component.vhd`, a declaration for VHDL.

use std::fmt::Write;

use blc_ir::{Func, Module, Result, Type};

use crate::emit::{File, Options, VERSION, top};
use crate::names::{Language, Named};
use crate::verilog::{cell, xc7};

/// Words of VHDL that a port may well be called.
const RESERVED: [&str; 26] = [
    "abs",
    "access",
    "after",
    "all",
    "and",
    "array",
    "bus",
    "case",
    "component",
    "end",
    "file",
    "function",
    "in",
    "is",
    "label",
    "map",
    "next",
    "not",
    "of",
    "on",
    "open",
    "or",
    "out",
    "port",
    "select",
    "signal",
];
/// Clock of a project where none was asked for, in MHz.
const CLOCK: f64 = 200.0;

/// The files of a module's top function.
///
/// # Errors
/// Those of [`crate::verilog::emit`].
pub fn emit(module: &Module, options: &Options) -> Result<Vec<File>> {
    let f = top(module)?;
    let named = Named::new(module, f, Language::Verilog)?;
    let clock = named.params.iter().zip(&f.params).find(|(_, p)| f.ty(p.value) == Type::CLOCK);
    let clock = clock.map(|(names, _)| names.name.as_str());
    let mhz = options.clock_mhz.unwrap_or(CLOCK);
    let mut files = vec![
        File { name: format!("{}.core", named.name), text: core(&named.name, module, options) },
        File { name: format!("{}_component.vhd", named.name), text: component(&named, f) },
    ];
    match (&options.device, module.target.as_deref()) {
        (None, Some(target @ ("xc7" | "xcup"))) => {
            files.push(File { name: format!("{}.xdc", named.name), text: xdc(clock, mhz) });
            files.push(File { name: format!("{}.tcl", named.name), text: vivado(&named.name, target) });
        }
        (Some(device), _) if makes(&device.name).is_some() => {
            files.extend(makefile(&named.name, &device.name, mhz).map(|text| File { name: "Makefile".into(), text }));
        }
        _ => {}
    }
    Ok(files)
}

fn xdc(clock: Option<&str>, mhz: f64) -> String {
    match clock {
        Some(clock) => format!("create_clock -name {clock} -period {:.3} [get_ports {clock}]\n", 1000.0 / mhz),
        None => format!("set_max_delay {:.3} -from [all_inputs] -to [all_outputs]\n", 1000.0 / mhz),
    }
}

fn vivado(name: &str, target: &str) -> String {
    let part = if target == "xcup" { "xczu3eg-sbva484-2-e" } else { "xc7a35tcpg236-2" };
    format!(
        "# Written by blc {VERSION}. Out of context:   vivado -mode batch -source {name}.tcl
# Another part:                      vivado -mode batch -source {name}.tcl -tclargs PART
# A project for the graphical tool:  vivado -mode batch -source {name}.tcl -tclargs PART project
# The netlist is in primitives already; set keep to 1 to forbid that they are touched.
set part [expr {{[llength $argv] > 0 ? [lindex $argv 0] : \"{part}\"}}]
set keep 0
if {{[lindex $argv 1] eq \"project\"}} {{
  create_project -force {name} {name}_project -part $part
  add_files {name}.v
  add_files -fileset constrs_1 {name}.xdc
  set_property top {name} [current_fileset]
  exit
}}
read_verilog {name}.v
read_xdc -mode out_of_context {name}.xdc
synth_design -top {name} -part $part -mode out_of_context
if {{$keep}} {{ set_property DONT_TOUCH true [get_cells -hierarchical] }}
opt_design
place_design
phys_opt_design
route_design
report_utilization -file {name}_utilization.rpt
report_timing_summary -max_paths 10 -file {name}_timing.rpt
write_checkpoint -force {name}.dcp
"
    )
}

/// How a device is routed and packed.
struct Make {
    /// With `$(NAME)` and `$(MHZ)`.
    route: &'static str,
    pack: &'static str,
}

fn makes(device: &str) -> Option<Make> {
    Some(match device {
        "ecp5" => Make {
            route: "$(PREFIX)nextpnr-ecp5 --85k --package CABGA756 --out-of-context --json $(NAME).json \
                    --report $(NAME)_routed.json --freq $(MHZ) --timing-allow-fail",
            pack: "$(PREFIX)nextpnr-ecp5 --85k --package CABGA756 --json $(NAME).json --textcfg $(NAME).config \
                   --freq $(MHZ) --timing-allow-fail --lpf-allow-unconstrained
\t$(PREFIX)ecppack $(NAME).config $(NAME).bit",
        },
        "ice40" => Make {
            route: "$(PREFIX)nextpnr-ice40 --hx8k --package ct256 --json $(NAME).json --asc $(NAME).config \
                    --report $(NAME)_routed.json --freq $(MHZ) --timing-allow-fail",
            pack: "$(PREFIX)icepack $(NAME).config $(NAME).bit",
        },
        "gowin" => Make {
            route: "$(PREFIX)nextpnr-himbaechel-gowin --device GW1NR-LV9QN88PC6/I5 --vopt family=GW1N-9C \
                    --json $(NAME).json --write $(NAME).config --report $(NAME)_routed.json --freq $(MHZ) \
                    --timing-allow-fail",
            pack: "gowin_pack -d GW1N-9C -o $(NAME).bit $(NAME).config",
        },
        _ => return None,
    })
}

fn makefile(name: &str, device: &str, mhz: f64) -> Option<String> {
    let Make { route, pack } = makes(device)?;
    Some(format!(
        "# Written by blc {VERSION}. `make` places and routes {name}.json (compile with --emit json), where it
# can without pins; `make bit` makes a bitstream.
# The tools of PyPI are called yowasp-...: make PREFIX=yowasp-
NAME = {name}
MHZ = {mhz:.0}
PREFIX =

$(NAME)_routed.json: $(NAME).json
\t{route}

bit: $(NAME)_routed.json
\t{pack}

.PHONY: bit
"
    ))
}

fn core(name: &str, module: &Module, options: &Options) -> String {
    let mut files = vec![format!("{name}.v")];
    if xc7::models(module).is_some() {
        files.push(format!("{} : {{tags : [simulation]}}", xc7::FILE));
    }
    if let Some(device) = options.device.as_ref().filter(|d| cell::models(module, d).is_some()) {
        files.push(format!("{} : {{tags : [simulation]}}", cell::file(device)));
    }
    let mut out = format!("CAPI=2:\n# {name}: written by blc {VERSION}\nname: ::{}:0\n", name.to_lowercase());
    out.push_str("filesets:\n  rtl:\n    files:\n");
    for file in files {
        let _ = writeln!(out, "      - {file}");
    }
    let _ = write!(
        out,
        "    file_type: verilogSource
  bench:
    files:
      - {name}_tb.v
    file_type: verilogSource
targets:
  default: &default
    filesets: [rtl]
    toplevel: {name}
  sim:
    <<: *default
    filesets: [rtl, bench]
    toplevel: {name}_tb
    default_tool: icarus
"
    );
    out
}

fn component(named: &Named<'_>, f: &Func) -> String {
    let ty = |ty: Type| match ty.total_bits() {
        1 => "std_logic".to_owned(),
        n => format!("std_logic_vector({} downto 0)", n - 1),
    };
    // Others, and those of other case, are written between backslashes.
    let plain = |name: &str| {
        let words =
            name.split('_').all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        words && name.starts_with(|c: char| c.is_ascii_lowercase()) && !RESERVED.contains(&name)
    };
    let quote = |name: &str| if plain(name) { name.to_owned() } else { format!("\\{name}\\") };
    let inputs = named.params.iter().zip(&f.params).map(|(n, p)| (n, "in ", ty(f.ty(p.value))));
    let outputs = named.results.iter().zip(&f.results).map(|(n, p)| (n, "out", ty(f.ty(p.value))));
    let ports: Vec<String> =
        inputs.chain(outputs).map(|(n, way, ty)| format!("      {} : {way} {ty}", quote(&n.name))).collect();
    let name = quote(&named.name);
    let package = format!("{}_component", named.name.to_lowercase().replace("__", "_"));
    format!(
        "-- {name} for VHDL, written by blc {VERSION}; the design itself is in Verilog.
library ieee;
use ieee.std_logic_1164.all;

package {package} is
  component {name} is
    port (
{}
    );
  end component;
end package;
",
        ports.join(";\n")
    )
}

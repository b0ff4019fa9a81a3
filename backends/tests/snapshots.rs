//! What is emitted for small designs, byte for byte.
#![allow(clippy::unwrap_used)]

mod common;

use blc_backends::device::Device;
use blc_backends::emit::{Format, Options};
use blc_backends::verilog::testbench;
use blc_ir::Module;

/// All files of some formats of a module, one after the other.
fn files(module: &Module, formats: &[Format]) -> String {
    files_for(module, formats, None)
}

fn files_for(module: &Module, formats: &[Format], device: Option<Device>) -> String {
    let options =
        Options { made_from: vec!["tiny.safetensors sha256:0123456789abcdef".into()], device, ..Options::default() };
    let mut out = String::new();
    for format in formats {
        for file in format.emit(module, &options).unwrap() {
            out.push_str(&format!("==== {}\n{}", file.name, file.text));
        }
    }
    out
}

fn check(name: &str, text: &str) {
    insta::with_settings!({filters => vec![(r"written by blc \d+\.\d+\.\d+", "written by blc VERSION")]}, {
        insta::assert_snapshot!(name, text);
    });
}

const ALL_BUT_JSON: &[Format] = &[Format::Verilog, Format::Blif, Format::Blir, Format::Dot];
const NETLISTS: &[Format] = &[Format::Verilog, Format::Blif];

#[test]
fn small_designs() {
    check("cone17", &files(&common::cone17(), &Format::ALL));
    check("cone17_p1", &files(&common::cone17_p1(), ALL_BUT_JSON));
    check("net", &files(&common::net(true), ALL_BUT_JSON));
    check("zoo", &files(&common::zoo(), NETLISTS));
    check("odd", &files(&common::odd(), &[Format::Verilog, Format::Blif, Format::Dot]));
    check("wide", &files(&common::wide(), NETLISTS));
}

#[test]
fn cells_of_devices() {
    let device = Device::named;
    check("cone17_ecp5", &files_for(&common::cone17(), &[Format::Json], device("ecp5")));
    check("net_gowin", &files_for(&common::net(true), &[Format::Verilog], device("gowin")));
}

#[test]
fn a_testbench() {
    let module = common::net(true);
    let vectors = &common::vectors(&module, 0)[40..44];
    check("net_tb", &testbench::emit(&module, vectors).unwrap());
    check("net_vectors", &testbench::hex_vectors(&module, vectors).unwrap());
}

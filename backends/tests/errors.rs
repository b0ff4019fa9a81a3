//! Designs and vectors that cannot be emitted, each refused by name.
#![allow(clippy::unwrap_used)]

mod common;

use blc_backends::emit::{Format, Options};
use blc_backends::verilog::testbench::{self, Vector};
use blc_ir::eval::Val;
use blc_ir::loc::LocId;
use blc_ir::{Diagnostic, Elem, Func, FuncAttr, FuncKind, Module, OpKind, Result, Type};

fn code<T: std::fmt::Debug>(result: Result<T>) -> (&'static str, Diagnostic) {
    let error = result.unwrap_err();
    assert!(error.help.is_some() || error.code.id.starts_with("BL02"), "{error}");
    (error.code.id, *error)
}

fn emit(module: &Module, format: Format) -> &'static str {
    code(format.emit(module, &Options::default())).0
}

#[test]
fn designs() {
    let empty = Module::new("empty");
    for format in [Format::Verilog, Format::Blif, Format::Dot] {
        assert_eq!(emit(&empty, format), "BL3001");
    }
    let mut tensor = Func::new("t", FuncKind::Func);
    let x = tensor.add_param("x", Type::bits(4));
    let y = Type::array(Elem::Word(2), &[2]).unwrap();
    let y = tensor.push1(OpKind::GroupSum { groups: 2 }, &[x], y, LocId::UNKNOWN);
    tensor.add_result("y", y);
    let tensor = common::module("t", tensor);
    let mut words = Func::new("w", FuncKind::Func);
    let x = words.add_param("x", Type::word(4));
    let y = words.sum(&[x, x], 5, LocId::UNKNOWN);
    words.add_result("y", y);
    let words = common::module("w", words);
    let mut outside = Func::new("e", FuncKind::HwModule);
    let op = outside.add_extern("mine");
    let x = outside.add_param("x", Type::BIT);
    let y = outside.push1(OpKind::Extern { op }, &[x], Type::BIT, LocId::UNKNOWN);
    outside.add_result("y", y);
    let outside = common::module("e", outside);
    for format in [Format::Verilog, Format::Blif] {
        assert_eq!(emit(&tensor, format), "BL3001");
        assert_eq!(emit(&words, format), "BL3002");
        assert_eq!(emit(&outside, format), "BL3002");
    }
    assert!(Format::Dot.emit(&tensor, &Options::default()).is_ok());
    // What does not verify is not emitted.
    let mut broken = common::cone17();
    let f = broken.top_mut().unwrap();
    f.set_kind(f.op_ids().next().unwrap(), OpKind::Lut { table: 0x100 });
    assert_eq!(emit(&broken, Format::Verilog), "BL0205");
}

#[test]
fn sizes() {
    let mut f = Func::new("chain", FuncKind::HwModule);
    let x = f.add_param("x", Type::BIT);
    let mut v = x;
    for _ in 0..5000 {
        v = f.lut(0x1, &[v], LocId::UNKNOWN);
    }
    f.add_result("y", v);
    let chain = common::module("chain", f);
    assert_eq!(emit(&chain, Format::Dot), "BL3005");
    assert!(Format::Blif.emit(&chain, &Options::default()).is_ok());
    // A few ops that double a value again and again, behind a small port.
    let mut f = Func::new("bomb", FuncKind::HwModule);
    let mut v = f.add_param("x", Type::bits(1 << 20));
    for i in 21..=26 {
        v = f.pack(&[v, v], Type::bits(1 << i), LocId::UNKNOWN);
    }
    let w = f.pack(&[v], Type::bits(1 << 26), LocId::UNKNOWN);
    let y = f.extract(w, 77, Type::BIT, LocId::UNKNOWN);
    f.add_result("y", y);
    let bomb = Module { funcs: vec![f], ..Module::new("bomb") };
    let refused = Format::Verilog.emit(&bomb, &Options::default()).map(drop).map_err(|e| e.code.id);
    assert_eq!(refused, Err("BL0108"));
    // Ports of many bits.
    let mut f = Func::new("wide", FuncKind::HwModule);
    let x = f.add_param("x", Type::bits(1 << 25));
    f.add_result("y", x);
    assert_eq!(emit(&common::module("wide", f), Format::Blif), "BL3003");
}

#[test]
fn vectors() {
    let module = common::net(true);
    let good = common::vectors(&module, 0);
    assert!(testbench::emit(&module, &good).is_ok());
    assert_eq!(code(testbench::emit(&module, &[])).0, "BL3010");
    let with = |inputs: Vec<Val>, outputs: Vec<Val>| [Vector { inputs, outputs }];
    let (x, y) = (good[0].inputs.clone(), good[0].outputs.clone());
    for (bad, says) in [
        (with(vec![], y.clone()), "0 values for 1 ports"),
        (with(x.clone(), y[..1].to_vec()), "1 values for 2 ports"),
        (with(vec![Val::Packed(vec![0; 6])], y.clone()), "%x has 7 elements, 6 given"),
        (with(vec![Val::Packed(vec![2; 7])], y.clone()), "%x: 2 does not fit 1 bits"),
        (with(vec![Val::F32(vec![0.0; 7])], y.clone()), "%x: real numbers"),
    ] {
        for result in [testbench::emit(&module, &bad), testbench::hex_vectors(&module, &bad)] {
            let (id, error) = code(result);
            assert_eq!(id, "BL3010");
            assert!(error.message.contains(says), "{}", error.message);
        }
    }
}

#[test]
fn hexadecimal_is_packed_lowest_first() {
    let mut f = Func::new("m", FuncKind::HwModule);
    let a = f.add_param("a", Type::array(Elem::Word(5), &[2]).unwrap());
    let b = f.add_param("b", Type::BIT);
    f.add_result("a2", a);
    f.add_result("b2", b);
    let module = common::module("m", f);
    let values = vec![Val::Packed(vec![0x13, 0x05]), Val::bit(true)];
    let vector = Vector { inputs: values.clone(), outputs: values };
    // b a[1] a[0] = 1 00101 10011
    assert_eq!(testbench::hex_vectors(&module, &[vector]).unwrap(), "4b3 4b3\n");
}

#[test]
fn a_stream_around_what_cannot_be_reset() {
    let mut f = Func::new("f", FuncKind::HwModule);
    let clk = f.add_param("clk", Type::CLOCK);
    let [a, go] = ["a", "go"].map(|name| f.add_param(name, Type::BIT));
    let counter = f.push(OpKind::Reg { stage: 0, init: false }, &[go, clk], &[Type::BIT], LocId::UNKNOWN);
    let q = f.op(counter).result();
    let next = f.lut(0x2, &[go, q], LocId::UNKNOWN);
    f.set_operands(counter, &[next, clk]);
    let taken = f.lut(0x8, &[go, q], LocId::UNKNOWN);
    f.add_result("y", a);
    f.add_result("taken", taken);
    for (name, attr) in [("interval", FuncAttr::Int(2)), ("latency", FuncAttr::Int(1))] {
        f.set_attr(name, attr);
    }
    for (name, port) in [("valid_in", "go"), ("ready", "taken")] {
        f.set_attr(name, FuncAttr::Str(port.into()));
    }
    let module = common::module("f", f);
    assert!(Format::Verilog.emit(&module, &Options::default()).is_ok());
    assert_eq!(emit(&module, Format::Axis), "BL3012");
}

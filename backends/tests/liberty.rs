//! Libraries of standard cells: what is read of them, and what is refused.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use blc_backends::emit::{Format, Options};
use blc_backends::liberty::Library;
use blc_ir::diag::Source;
use blc_ir::{Func, FuncAttr, FuncKind, LocId, Type};
use proptest::prelude::*;

/// As foundries write them: comments, tables, continued lines, times, quoted and bare names.
const USUAL: &str = r#"
/* a comment { */
library ("usual") {
  technology (cmos);
  delay_model : table_lookup;
  capacitive_load_unit (1.0000, pf);
  operating_conditions ("tt") { process : 1.0; voltage : 1.8; }
  lu_table_template (del) { variable_1 : "input_net_transition"; index_1 ("0.01, 0.1"); }
  cell ("inv_2") { area : 5.0; pin ("A") { direction : "input"; capacitance : 0.0017; }
    pin ("Y") { direction : "output"; function : "(!A)";
      timing () { related_pin : "A"; cell_rise (del) { values ("0.1, 0.2", \
        "0.3, 0.4"); } } } }
  cell ("inv_1") { area : 3.75; pin ("A") { direction : "input"; }
    pin ("Y") { direction : "output"; function : "(!A)"; } } // smaller
  cell (nand2_1) { area : 3.75 ; pin (A) { direction : input; } pin (B) { direction : input; }
    pin (Y) { direction : output; function : "(A*B)'"; } }
  cell (a21oi) { area : 5.0; pg_pin (VPWR) { pg_type : "primary_power"; } pin (A1) { direction : input; } pin (A2) { direction : input; }
    pin (B1) { direction : input; } pin (Y) { direction : output; function : "(!A1&!B1) | (!A2&!B1)"; } }
  cell (ha) { area : 12.5; pin (A) { direction : input; } pin (B) { direction : input; }
    pin (C) { direction : output; function : "A&B"; } pin (S) { direction : output; function : "A^B"; } }
  cell (never) { area : 1.0; dont_use : true; pin (A) { direction : input; } pin (B) { direction : input; }
    pin (Y) { direction : output; function : "A^B"; } }
  cell (ebuf) { area : 9.0; pin (A) { direction : input; } pin (E) { direction : input; }
    pin (Y) { direction : output; function : "A"; three_state : "E"; } }
  cell (dff_r) { area : 21.0; ff (IQ, IQN) { clocked_on : "CLK"; next_state : "D"; clear : "!R"; }
    pin (CLK) { direction : input; clock : true; } pin (D) { direction : input; } pin (R) { direction : input; }
    pin (Q) { direction : output; function : "IQ"; } }
  cell (dff) { area : 20.0; ff (IQ, IQN) { clocked_on : "CLK"; next_state : "D"; }
    pin (CLK) { direction : input; clock : true; } pin (D) { direction : input; }
    pin (Q) { direction : output; function : "IQ"; } pin (QN) { direction : output; function : "IQN"; } }
  cell (latch) { area : 15.0; latch (IQ, IQN) { enable : "G"; data_in : "D"; } pin (G) { direction : input; }
    pin (D) { direction : input; } pin (Q) { direction : output; function : "IQ"; } }
}
"#;

fn read(text: &str) -> Result<Library, &'static str> {
    Library::read(&Source::new("my.lib", text)).map_err(|e| {
        assert!(e.is_error() && !e.render(false).is_empty());
        e.code.id
    })
}

#[test]
fn what_foundries_write_is_read() {
    let library = read(USUAL).unwrap();
    assert_eq!((library.name.as_str(), library.nand2, library.left), ("usual", 3.75, 5));
    let (inverter, pins) = library.find(1, 0b01).unwrap();
    assert_eq!((inverter.name.as_str(), pins), ("inv_1", vec!["A"]));
    // !((a & b) | c), and with its inputs in another order.
    let (gate, pins) = library.find(3, 0x07).unwrap();
    assert_eq!((gate.name.as_str(), gate.area, pins), ("a21oi", 5.0, vec!["A1", "A2", "B1"]));
    let (_, pins) = library.find(3, 0x15).unwrap();
    assert_eq!(pins[0], "B1");
    assert!(library.find(2, 0b0110).is_none());
    let flop = library.register.as_ref().unwrap();
    assert_eq!([&flop.name, &flop.data, &flop.clock, &flop.output], ["dff", "D", "CLK", "Q"]);
    // Every order of inputs computes what it is found by.
    let own = Library::own().unwrap();
    let mut orders = 0;
    for (n, table, area) in own.functions() {
        let (gate, pins) = own.find(n, table).unwrap();
        assert!(gate.area <= area && pins.len() == n);
        for address in 0..1usize << n {
            let bit = |pin: &String| pins.iter().position(|p| p == pin).map_or(0, |i| address >> i & 1);
            let own = gate.inputs.iter().enumerate().fold(0, |a, (j, pin)| a | bit(pin) << j);
            assert_eq!(table >> address & 1, gate.table >> own & 1, "{} {table:#x}", gate.name);
        }
        orders += 1;
    }
    assert!(orders > 40, "{orders}");
    assert_eq!((own.left, own.nand2), (0, 4.0));
}

#[test]
fn what_is_no_library_is_refused() {
    let deep = format!("library (a) {{ {} }}", "cell (b) { ".repeat(4000));
    for text in [
        "",
        "library",
        "library (a",
        "library (a) {",
        "cell (a) { }",
        "library (a) { } more",
        "library (a) { cell (b) { pin (\"A) { } } }",
        "library (a) { cell (b) { area : 1; \"",
        "library (a) { /* no end",
        "library (a) { cell (b) { area : 1 }",
        "library (a) { ä : 1; }",
        &deep,
        &USUAL.replace("area : 3.75 ;", "area : large;"),
        &USUAL.replace("area : 3.75 ;", "area : -1;"),
        &USUAL.replace("area : 3.75 ;", ""),
        &USUAL.replace("(A*B)'", "(A*C)'"),
        &USUAL.replace("(A*B)'", "(A*B"),
        &USUAL.replace("(A*B)'", ""),
    ] {
        assert_eq!(read(text).err(), Some("BL3013"), "{}", &text[..text.len().min(80)]);
    }
    for text in [
        "library (a) { }",
        &USUAL.replace("(A*B)'", "A*B"),
        &USUAL.replace("(!A)", "A"),
        &USUAL.replace("area : 3.75 ;", "area : 0;"),
        // Names that Verilog does not have.
        &USUAL.replace("nand2_1", "\"nand 2\""),
    ] {
        assert_eq!(read(text).err(), Some("BL3014"), "{}", &text[..text.len().min(80)]);
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(at in 0..USUAL.len(), with in "[ -~äµ]{0,3}", cut in 0usize..40) {
        let boundary = |i: usize| (i..=USUAL.len()).find(|&i| USUAL.is_char_boundary(i)).unwrap_or(USUAL.len());
        let text = format!("{}{with}{}", &USUAL[..boundary(at)], &USUAL[boundary((at + cut).min(USUAL.len()))..]);
        if let Err(code) = read(&text) {
            prop_assert!(["BL3013", "BL3014"].contains(&code));
        }
    }
}

#[test]
fn what_a_library_lacks_is_refused() {
    let options = |text: &str| Options { liberty: Some(Arc::new(read(text).unwrap())), ..Options::default() };
    let code =
        |module: &blc_ir::Module, format: Format, text: &str| format.emit(module, &options(text)).unwrap_err().code.id;
    let mut f = Func::new("f", FuncKind::HwModule);
    f.set_attr("latency", FuncAttr::Int(1));
    let clk = f.add_param("clk", Type::CLOCK);
    let x = [f.add_param("a", Type::BIT), f.add_param("b", Type::BIT)];
    let y = f.lut(0b0111, &x, LocId::UNKNOWN);
    let q = f.reg(y, clk, 1, LocId::UNKNOWN);
    f.add_result("q", q);
    let module = common::module("f", f);
    let text = &Format::Verilog.emit(&module, &options(USUAL)).unwrap()[0].text;
    assert!(text.contains("nand2_1 ") && text.contains("dff "), "{text}");
    let no_flop = USUAL.replace("next_state : \"D\"", "next_state : \"D & CLK\"");
    for format in [Format::Verilog, Format::Blif, Format::Json] {
        assert_eq!(code(&common::net(false), format, USUAL), "BL3007");
        assert_eq!(code(&module, format, &no_flop), "BL3014");
    }
}

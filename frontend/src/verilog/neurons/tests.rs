use blc_ir::eval::{Val, evaluate};
use blc_ir::verify::verify;

use super::*;

/// A layer of two neurons between registers, as `neq2lut` writes it.
const TOP: &str = "module logicnet (input [2:0] M0, input clk, input rst, output[2:0] M1);\n\
wire [2:0] M0w;\nmyreg #(.DataWidth(3)) layer0_reg (.data_in(M0), .clk(clk), .rst(rst), .data_out(M0w));\n\
layer0 layer0_inst (.M0(M0w), .M1(M1));\n\nendmodule\n";
const REGISTER: &str = "module myreg #(parameter DataWidth=16) (\n    input [DataWidth-1:0] data_in,\n    input wire clk,\n    \
input wire rst,\n    output reg [DataWidth-1:0] data_out\n    );\n    always@(posedge clk) begin\n    if(!rst)\n        \
data_out<=data_in;\n    else\n        data_out<=0;\n    end\nendmodule\n\n";
const LAYER: &str = "module layer0 (input [2:0] M0, output [2:0] M1);\n\n\
wire [1:0] layer0_N0_wire = {M0[0], M0[2]};\nlayer0_N0 layer0_N0_inst (.M0(layer0_N0_wire), .M1(M1[1:0]));\n\n\
wire [0:0] layer0_N1_wire = {M0[1]};\nlayer0_N1 layer0_N1_inst (.M0(layer0_N1_wire), .M1(M1[2:2]));\n\nendmodule";
const WIDE: &str = "module layer0_N0 ( input [1:0] M0, output [1:0] M1 );\n\n\t(*rom_style = \"distributed\" *) reg [1:0] M1r;\n\t\
assign M1 = M1r;\n\talways @ (M0) begin\n\t\tcase (M0)\n\t\t\t2'b00: M1r = 2'b01;\n\t\t\t2'b10: M1r = 2'b11;\n\t\t\t\
2'b01: M1r = 2'b10;\n\t\t\t2'b11: M1r = 2'b00;\n\n\t\tendcase\n\tend\nendmodule\n";
const NARROW: &str = "module layer0_N1 ( input [0:0] M0, output [0:0] M1 );\n\treg [0:0] M1r;\n\tassign M1 = M1r;\n\t\
always @ (M0) begin\n\t\tcase (M0)\n\t\t\t1'b1: M1r = 1'b0;\n\t\t\tdefault: M1r = 1'b1;\n\t\tendcase\n\tend\nendmodule\n";

fn all() -> String {
    [TOP, REGISTER, LAYER, "\n", WIDE, NARROW].concat()
}

fn read(text: &str) -> Result<Module> {
    import(text, "dir/logicnet.v", &mut |_| Ok(None))
}

fn check(module: &Module) {
    assert_eq!(verify(module).iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    let f = module.top().unwrap();
    assert_eq!((f.params.len(), f.results.len()), (1, 1), "clock and reset are gone");
    for x in 0..8u64 {
        let bit = |i: u64| x >> i & 1;
        let wide = [0b01, 0b10, 0b11, 0b00][(bit(0) << 1 | bit(2)) as usize];
        let wanted = vec![wide & 1, wide >> 1, 1 - bit(1)];
        let found = evaluate(module, f, &[Val::Packed((0..3).map(bit).collect())]).unwrap();
        assert_eq!(found, [Val::Packed(wanted)], "{x}");
    }
}

#[test]
fn one_text_or_many() {
    check(&read(&all()).unwrap());
    let wired = TOP.replace(
        "myreg #(.DataWidth(3)) layer0_reg (.data_in(M0), .clk(clk), .rst(rst), .data_out(M0w));",
        "assign M0w = M0;",
    );
    let wired = wired.replace("input clk, input rst, ", "");
    check(&read(&all().replace(TOP, &wired)).unwrap());
    let files = [("myreg", REGISTER), ("layer0", LAYER), ("layer0_N0", WIDE), ("layer0_N1", NARROW)];
    let mut asked = Vec::new();
    let mut find = |name: &str| {
        asked.push(name.to_owned());
        let found = files.iter().find(|(n, _)| *n == name);
        Ok(found.map(|(name, text)| ((*text).to_owned(), format!("{name}.v"))))
    };
    let module = import(TOP, "logicnet.v", &mut find).unwrap();
    check(&module);
    assert_eq!(asked, ["myreg", "layer0", "layer0_N0", "layer0_N1"]);
    let text = module.to_string();
    assert!(text.contains("loc(\"layer0\" neuron 1)"), "{text}");
    assert!(is_neurons(TOP) && is_neurons(REGISTER) && is_neurons(WIDE));
    assert!(
        !is_neurons("// m: written by blc\nmodule m (\n  input wire [3:0] x,")
            && !is_neurons("module")
            && !is_neurons("")
    );
}

#[test]
fn each_wrong_text_has_its_own_error() {
    let refused = |from: &str, to: &str| {
        let text = all();
        assert!(text.contains(from), "{from}");
        let e = read(&text.replacen(from, to, 1)).expect_err(to);
        (e.code.id, e.to_string())
    };
    for (from, to, code, message) in [
        ("M1r = 2'b01", "M1r = 3'b001", "BL1120", "a value of 3 bits for 2"),
        ("2'b00: M1r", "1'b0: M1r", "BL1120", "an address of 1 bits for 2"),
        ("2'b00: M1r", "2'b0x: M1r", "BL1120", "a constant such as"),
        ("2'b00: M1r", "2'b11: M1r", "BL1121", "said twice"),
        ("\t\t\t2'b11: M1r = 2'b00;\n", "", "BL1121", "says nothing of address 3"),
        ("endcase", "", "BL1120", "is expected"),
        ("layer0_N1 layer0_N1_inst", "layer0_N7 layer0_N1_inst", "BL1122", "no module `layer0_N7`"),
        (".M0(layer0_N1_wire)", ".M2(layer0_N1_wire)", "BL1122", "no port `M2`"),
        (".M0(layer0_N1_wire), ", "", "BL1122", "nothing is at port `M0`"),
        ("{M0[0], M0[2]}", "{M0[0], M0[3]}", "BL1121", "has no bit 3"),
        ("{M0[0], M0[2]}", "{M0[0], M9[2]}", "BL1121", "is not declared"),
        ("{M0[0], M0[2]}", "{M0[0]}", "BL1121", "1 bits for 2"),
        ("M1[2:2]", "M1[1:1]", "BL1121", "driven twice"),
        ("layer0_N0_inst (.M0(layer0_N0_wire)", "layer0_N0_inst (.M0(M1[1:0])", "BL1121", "nothing above drives"),
        ("wire [0:0] layer0_N1_wire", "wire [0:0] layer0_N0_wire", "BL1121", "declared twice"),
        ("module layer0_N1", "module layer0_N0", "BL1121", "a second module"),
        ("input [1:0] M0, output [1:0] M1", "input [16:0] M0, output [1:0] M1", "BL1123", "a table of 17 inputs"),
        ("wire [2:0] M0w", "wire [99999999:0] M0w", "BL1120", "a number of at most"),
        ("if(!rst)", "if(rst)", "BL1120", "`!` is expected"),
        ("layer0_N1 layer0_N1_inst (.M0(layer0_N1_wire)", "layer0 layer0_N1_inst (.M0(M0)", "BL1123", "levels deep"),
    ] {
        let (id, text) = refused(from, to);
        assert!(id == code && text.contains(message), "{to}: {id} {text}");
    }
    assert_eq!(read("").unwrap_err().code.id, "BL1120");
    assert_eq!(read(WIDE).unwrap_err().code.id, "BL1120", "one neuron");
    let empty = import(TOP, "a.v", &mut |_| Ok(Some(("".into(), "myreg.v".into())))).unwrap_err();
    assert!(empty.to_string().contains("myreg.v has no module"), "{empty}");
}

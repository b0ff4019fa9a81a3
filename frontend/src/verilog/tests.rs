use blc_ir::eval::{Machine, Val, evaluate};
use blc_ir::verify::verify;
use blc_ir::{FuncAttr, Module};
use proptest::prelude::*;

use super::import;

fn read(text: &str) -> Module {
    let module = import(text, "dir/a.v").unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(verify(&module).iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    module
}

const MIXED: &str = "// mixed: written by blc\n`default_nettype none\n\nmodule mixed (\n  input wire [3:0] x,\n  input wire s,\n  \
    output wire [4:0] y,\n  output wire z\n);\n\n  // logic\n  wire a = x[0] ^ x[1] & ~x[2];  // layer0 n1\n  \
    wire b = s ? (x[0] | x[1]) : ~a;\n  wire [7:0] c_t = 8'he8;\n  wire c = c_t[{x[2], x[1], x[0]}];\n  wire d;\n  \
    LUT2 #(.INIT(4'h6)) lut_d (.O(d), .I0(x[3]), .I1(s));\n  wire e, f;\n  \
    LUT6_2 #(.INIT(64'h8888888866666666)) lut_e (.O6(e), .O5(f), .I0(x[0]), .I1(x[1]), .I2(1'b0), .I3(1'b0), .I4(1'b0), .I5(1'b1));\n  \
    /* outputs */\n  assign y[2:0] = {c, b, a};\n  assign y[3] = d;\n  assign y[4] = e;\n  assign z = f;\n  \
    wire unused = &{1'b0, x[3:2], s};\nendmodule\n\n`default_nettype wire\n";

#[test]
fn expressions_tables_and_primitives() {
    let module = read(MIXED);
    let f = module.top().unwrap();
    assert_eq!((module.name.as_str(), f.params.len(), f.results.len(), f.clock()), ("mixed", 2, 2, None));
    for input in 0..32u64 {
        let x = |i: u64| input >> i & 1;
        let s = x(4);
        let inputs = [Val::Packed((0..4).map(x).collect()), Val::Packed(vec![s])];
        let a = x(0) ^ x(1) & (1 - x(2));
        let b = if s == 1 { x(0) | x(1) } else { 1 - a };
        let c = u64::from(x(0) + x(1) + x(2) > 1);
        let wanted = vec![Val::Packed(vec![a, b, c, x(3) ^ s, x(0) & x(1)]), Val::Packed(vec![x(0) ^ x(1)])];
        assert_eq!(evaluate(&module, f, &inputs).unwrap(), wanted, "{input}");
    }
}

const CLOCKED: &str = "module m (\n  input wire clk,\n  input wire [7:0] x,\n  output wire [3:0] y\n);\n  reg p;\n  wire q;\n  \
    wire [3:0] o, co;\n  CARRY4 c (.O(o), .CO(co), .S({x[3], x[2], x[1], x[0]}), .DI({x[7], x[6], x[5], x[4]}), .CI(1'b0), .CYINIT(1'b1));\n  \
    wire m7;\n  MUXF7 mux (.O(m7), .I0(o[0]), .I1(o[1]), .S(co[3]));\n  wire d = p ^ q;\n  \
    FDRE #(.INIT(1'b1)) ff (.Q(q), .C(clk), .CE(1'b1), .R(1'b0), .D(m7));\n  initial begin\n    p = 1'b0;\n  end\n  \
    always @(posedge clk) begin  // stage 1\n    p <= co[2];\n  end\n  assign y = {q, p, d, 1'b1};\nendmodule\n";

#[test]
fn registers_and_carry_chains() {
    let text = CLOCKED.replace("assign y =", "assign y[3:0] =");
    let module = read(&text);
    let f = module.top().unwrap();
    assert_eq!(f.attr("latency"), Some(&FuncAttr::Int(1)));
    let mut machine = Machine::new(&module, f).unwrap();
    let (mut p, mut q) = (0, 1);
    for input in [0u64, 255, 0b0101_1010, 0b0011_0110, 7, 0xf1] {
        let x = |i: u64| input >> i & 1;
        // The evaluator shows what stands there after the edge that takes the input.
        let (mut carry, mut o, mut co) = (1, [0; 4], [0; 4]);
        for i in 0..4 {
            o[i] = x(i as u64) ^ carry;
            carry = if x(i as u64) == 1 { carry } else { x(4 + i as u64) };
            co[i] = carry;
        }
        let before = vec![Val::Packed(vec![1, p ^ q, p, q])];
        (p, q) = (co[2], if co[3] == 1 { o[1] } else { o[0] });
        let after = vec![Val::Packed(vec![1, p ^ q, p, q])];
        let said = machine.step(&[Val::Packed((0..8).map(x).collect())]).unwrap();
        assert!(said == after || said == before, "{said:?} is neither {before:?} nor {after:?}");
    }
}

#[test]
fn a_clock_that_clocks_nothing() {
    let text = "module m (\n  input wire clk,\n  input wire x,\n  output wire y\n);\n  assign y = x;\nendmodule\n";
    assert_eq!(read(text).top().unwrap().clock(), None);
    let told = read(&format!(
        "// m: written by blc\n//\n// Ports:\n//   in  clk  clock, rising edge\n//   in  x    bit\n\n{text}"
    ));
    assert_eq!(told.top().unwrap().clock(), Some(told.top().unwrap().params[0].value));
}

#[test]
fn what_is_refused() {
    let module = |body: &str| {
        format!("module m (\n  input wire clk,\n  input wire [3:0] x,\n  output wire y\n);\n{body}\nendmodule\n")
    };
    let good = module("assign y = x[0];");
    read(&good);
    let nested = module(&format!("assign y = {}x[0]{};", "(".repeat(200), ")".repeat(200)));
    let inverted = module(&format!("assign y = {}x[0];", "~".repeat(100_000)));
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "BL1120"),
        ("hello".into(), "BL1120"),
        (good.replace("endmodule", ""), "BL1120"),
        (format!("{good}{good}"), "BL1120"),
        (module("/* open"), "BL1120"),
        (module("wire \"a"), "BL1120"),
        (module("wire é;"), "BL1120"),
        (module("assign y = x;"), "BL1120"),
        (module("assign y = 2'h3;"), "BL1120"),
        (module("assign y = 1'h2;"), "BL1120"),
        (module("assign y = 1'd1;"), "BL1120"),
        (module("assign y = 99999999999'h1;"), "BL1120"),
        (module("assign y = {x[0], x[1]};"), "BL1120"),
        (module("assign y = x[0] + x[1];"), "BL1120"),
        (module("assign y = x[1:0];"), "BL1120"),
        (module("assign y = x[{x[0]}];"), "BL1120"),
        (module("wire [3:0] t = 4'h8; assign y = t[{x[2], x[1], x[0]}];"), "BL1120"),
        (module("wire [3:0] t = x; assign y = x[0];"), "BL1120"),
        (module("always @(negedge clk) begin end"), "BL1120"),
        (module("generate"), "BL1120"),
        (module(""), "BL1121"),
        (module("assign y = a;"), "BL1121"),
        (module("wire a; assign y = a;"), "BL1121"),
        (module("assign y = a; wire a = x[0];"), "BL1121"),
        (module("assign y = x[4];"), "BL1121"),
        (module("assign y = x[0]; assign y = x[1];"), "BL1121"),
        (module("wire a = x[0]; wire a = x[1]; assign y = a;"), "BL1121"),
        (module("reg r; always @(posedge clk) begin r <= x[0]; end assign y = r;"), "BL1121"),
        (module("reg r; initial begin r = 1'b0; end assign y = r;"), "BL1121"),
        (module("wire r; initial begin r = 1'b0; end assign y = x[0];"), "BL1121"),
        (
            module("reg r; initial begin r = 1'b0; end always @(posedge clk) begin r <= clk; end assign y = r;"),
            "BL1121",
        ),
        (
            module("reg r; initial begin r = 1'b0; end always @(posedge no) begin r <= x[0]; end assign y = r;"),
            "BL1121",
        ),
        (
            module(
                "reg r, s; initial begin r = 1'b0; s = 1'b0; end always @(posedge clk) begin r <= s; end \
                    always @(posedge y) begin s <= r; end assign y = r;",
            ),
            "BL1121",
        ),
        (
            module(
                "reg r; initial begin r = 1'b0; end always @(posedge clk) begin r <= x[0]; r <= x[1]; end assign y = r;",
            ),
            "BL1121",
        ),
        (module("LUT9 l (.O(y), .I0(x[0]));"), "BL1122"),
        (module("wire a; LUT2 #(.INIT(4'h6)) l (.O(a), .I0(x[0])); assign y = a;"), "BL1122"),
        (module("wire a; LUT1 #(.INIT(4'h6)) l (.O(a), .I0(x[0])); assign y = a;"), "BL1122"),
        (module("wire a; LUT1 #(.INIT(2'h1)) l (.O(a), .I0(x[0]), .I1(x[1])); assign y = a;"), "BL1122"),
        (
            module("wire q; FDRE #(.INIT(1'b0)) f (.Q(q), .C(clk), .CE(x[1]), .R(1'b0), .D(x[0])); assign y = q;"),
            "BL1122",
        ),
        (module("wire q; DFF f (.Q(q), .CLK(clk), .D(x[0])); assign y = q;"), "BL1122"),
        (
            module("wire q; TRELLIS_FF #(.REGSET(\"SET\")) f (.Q(q), .CLK(clk), .LSR(1'b0), .DI(x[0])); assign y = q;"),
            "BL1122",
        ),
        (
            module("wire o; CARRY4 c (.O(o), .CO(o), .S(x[0]), .DI(x[0]), .CI(1'b0), .CYINIT(1'b0)); assign y = o;"),
            "BL1122",
        ),
        (module("wire [99999999:0] a; assign y = x[0];"), "BL1123"),
        (module(&"wire [16777214:0] a; ".repeat(3)), "BL1123"),
        (nested, "BL1123"),
        (inverted, "BL1123"),
    ];
    for (text, code) in &cases {
        let shown = &text[..text.len().min(300)];
        let e = import(text, "a.v").map(|m| m.to_string()).expect_err(shown);
        assert_eq!(e.code.id, *code, "{shown}\n{e}");
        assert!(e.to_string().contains("a.v"), "{e}");
    }
}

proptest! {
    #[test]
    fn damage_never_panics(at: prop::sample::Index, with in prop::sample::select(vec![";", "[", "]", "(", "'", "\u{e9}", "1", "{", "~", "\n"]), cut: prop::sample::Index) {
        for text in [MIXED, CLOCKED] {
            let mut damaged = text.to_owned();
            damaged.insert_str(at.index(text.len()), with);
            if let Ok(module) = import(&damaged, "a.v") {
                let _ = verify(&module);
            }
            let _ = import(&text[..cut.index(text.len())], "a.v");
        }
    }
}

//! A LogicNets design, in the files that `neq2lut` writes: compiled, and compared with Icarus' reading of those files.

mod common;

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use blc_tests::random::Rng;
use common::{blc, compile, report, tool};
use tempfile::tempdir;

/// A file for the top, the register, each layer and each neuron. Layers are neurons, inputs and bits of each, bits of the output.
fn write(dir: &Path, rng: &mut Rng, bits: usize, layers: &[(usize, usize, usize)]) {
    let save = |name: &str, text: &str| std::fs::write(dir.join(format!("{name}.v")), text).expect("written");
    let (mut contents, mut width, mut word) = (String::new(), bits * 8, bits);
    for (i, &(neurons, fan_in, out)) in layers.iter().enumerate() {
        let mut layer =
            format!("module layer{i} (input [{}:0] M0, output [{}:0] M1);\n\n", width - 1, neurons * out - 1);
        for n in 0..neurons {
            let name = format!("layer{i}_N{n}");
            let wires: Vec<String> = (0..fan_in)
                .map(|_| rng.below(width / word))
                .flat_map(|feature| (0..word).rev().map(move |b| format!("M0[{}]", feature * word + b)))
                .collect();
            let k = wires.len();
            let _ = write!(
                layer,
                "wire [{}:0] {name}_wire = {{{}}};\n{name} {name}_inst (.M0({name}_wire), .M1(M1[{}:{}]));\n\n",
                k - 1,
                wires.join(", "),
                (n + 1) * out - 1,
                n * out
            );
            let mut rows = String::new();
            for a in 0..1u64 << k {
                let value = rng.below(1 << out);
                let _ = writeln!(rows, "\t\t\t{k}'b{a:0k$b}: M1r = {out}'b{value:0out$b};");
            }
            let neuron = format!(
                "module {name} ( input [{}:0] M0, output [{}:0] M1 );\n\n\t(*rom_style = \"distributed\" *) reg [{}:0] M1r;\n\t\
                 assign M1 = M1r;\n\talways @ (M0) begin\n\t\tcase (M0)\n{rows}\n\t\tendcase\n\tend\nendmodule\n",
                k - 1,
                out - 1,
                out - 1
            );
            save(&name, &neuron);
        }
        save(&format!("layer{i}"), &(layer + "endmodule"));
        let last = i + 1 == layers.len();
        let _ = write!(
            contents,
            "wire [{}:0] M{i}w;\nmyreg #(.DataWidth({width})) layer{i}_reg (.data_in(M{i}), .clk(clk), .rst(rst), .data_out(M{i}w));\n",
            width - 1
        );
        (width, word) = (neurons * out, out);
        if !last {
            let _ = writeln!(contents, "wire [{}:0] M{};", width - 1, i + 1);
        }
        let _ = writeln!(contents, "layer{i} layer{i}_inst (.M0(M{i}w), .M1(M{}));", i + 1);
    }
    let top = format!(
        "module logicnet (input [{}:0] M0, input clk, input rst, output[{}:0] M{});\n{contents}\nendmodule\n",
        bits * 8 - 1,
        width - 1,
        layers.len()
    );
    save("logicnet", &top);
    save(
        "myreg",
        "module myreg #(parameter DataWidth=16) (\n    input [DataWidth-1:0] data_in,\n    input wire clk,\n    input wire rst,\n    \
         output reg [DataWidth-1:0] data_out\n    );\n    always@(posedge clk) begin\n    if(!rst)\n        data_out<=data_in;\n    \
         else\n        data_out<=0;\n    end\nendmodule\n\n",
    );
}

#[test]
fn logicnets_verilog_is_what_icarus_reads_of_it() {
    let dir = tempdir().expect("a folder");
    let source = dir.path().join("net");
    std::fs::create_dir(&source).expect("a folder");
    write(&source, &mut Rng(7), 2, &[(12, 3, 2), (8, 4, 2), (6, 3, 1)]);
    let top = source.join("logicnet.v");
    let ours = dir.path().join("ours");
    compile(&top, &ours, &["--target", "xc7", "--top", "ours", "--emit", "verilog,blif"]);
    assert!(report(&ours)["luts"].as_u64() > Some(0));
    // What was read, proved equal to what was made of it, and both simulated.
    let folded = dir.path().join("folded.blir");
    for words in [
        vec!["equiv".into(), top.clone().into_os_string(), ours.clone().into_os_string()],
        vec![
            "opt".into(),
            top.clone().into_os_string(),
            "--passes".into(),
            "fold,dce".into(),
            "-o".into(),
            folded.into_os_string(),
        ],
    ] {
        blc(&words);
    }
    let bench = "module tb;\n  reg clk = 0;\n  reg [15:0] x;\n  wire [5:0] a, b;\n  integer i, wrong = 0, ones = 0;\n  \
        logicnet theirs (.M0(x), .clk(clk), .rst(1'b0), .M3(a));\n  ours ours (.M0(x), .M3(b));\n  \
        initial begin\n    for (i = 0; i < 2000; i = i + 1) begin\n      x = $random;\n      \
        repeat (3) begin #1 clk = 1; #1 clk = 0; end\n      #1 if (a !== b) wrong = wrong + 1;\n      \
        if (a[0]) ones = ones + 1;\n    end\n    $display(\"%0d wrong, %0d ones\", wrong, ones);\n  end\nendmodule\n";
    std::fs::write(source.join("tb.v"), bench).expect("written");
    let run = |name: &str| {
        let script = format!("iverilog -g2001 -s tb -o {name} *.v ../ours/ours.v ../ours/xc7_sim.v && vvp -n {name}");
        let text = tool(&source, "sh", &["-c", &script]);
        let numbers: Vec<u32> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let &[wrong, ones] = numbers.as_slice() else { panic!("{text}") };
        assert!((100..1900).contains(&ones), "{text}");
        wrong
    };
    assert_eq!(run("right.vvp"), 0);
    // One entry of one neuron turned: Icarus sees another design, and so do we.
    let neuron = source.join("layer2_N0.v");
    let text = std::fs::read_to_string(&neuron).expect("a neuron");
    let (zero, one) = ("6'b000000: M1r = 1'b0", "6'b000000: M1r = 1'b1");
    let turned = if text.contains(zero) { text.replace(zero, one) } else { text.replace(one, zero) };
    assert_ne!(turned, text);
    std::fs::write(&neuron, turned).expect("written");
    assert_ne!(run("wrong.vvp"), 0);
    let replay = dir.path().join("counterexample.npy");
    let words = ["blc", "-q", "equiv", "--counterexample"].map(Into::into).into_iter();
    let words = words.chain([replay.into_os_string(), top.into_os_string(), ours.into_os_string()]);
    let code = blc::Driver::standard().run(words);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(3)));
}

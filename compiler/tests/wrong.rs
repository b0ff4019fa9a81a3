//! Wrong inputs: each gives one clear error, exit code 1 or 2, and leaves what was there as it was.

#![allow(clippy::unwrap_used)]

mod common;

use blc_frontend::data::Elements;
use blc_frontend::model::Dtype;
use common::{ADDER, FEATURES, Work, bytes, model, random};

/// Command, exit code, and what its one error must mention.
type Case = (&'static str, i32, &'static [&'static str]);

const CASES: &[Case] = &[
    // Inputs that are not what they should be.
    ("compile truncated.safetensors --target xc7", 1, &["truncated.safetensors", "BL1011"]),
    ("compile random.safetensors --target xc7", 1, &["random.safetensors", "BL1010"]),
    ("compile random.bin --target xc7", 1, &["random.bin", "BL4002"]),
    ("compile random.blif --target xc7", 1, &["random.blif", "BL1004"]),
    ("compile random.blir --target xc7", 1, &["random.blir", "BL1004"]),
    ("compile empty --target xc7", 1, &["empty", "BL4002"]),
    ("compile empty.safetensors --target xc7", 1, &["empty.safetensors", "BL101"]),
    ("compile empty.blif --target xc7", 1, &["empty.blif", "no outputs"]),
    ("compile empty.blir --target xc7", 1, &["empty.blir"]),
    ("compile folder --target xc7", 1, &["folder", "BL1001"]),
    ("compile missing.safetensors --target xc7", 1, &["missing.safetensors", "BL1001", "spelling"]),
    ("compile latch.blif --target xc7", 1, &["latch.blif", ".latch"]),
    ("opt cycle.blir --passes fold", 1, &["cycle.blir"]),
    ("opt escape.blir --passes fold", 1, &["escape.blir", "BL4004", "../secret.safetensors"]),
    ("opt changed.blir --passes fold", 1, &["model.safetensors", "BL1024"]),
    ("opt missing.blir --passes fold", 1, &["missing.blir", "BL1001"]),
    // Outputs that cannot be written.
    ("compile model.safetensors --target xc7 -o random.bin/out", 1, &["random.bin/out", "BL1002"]),
    ("compile model.safetensors --target xc7 -o random.bin", 1, &["random.bin", "BL1002"]),
    ("compile model.safetensors --target xc7 -o /proc/blc", 1, &["/proc/blc", "BL1002"]),
    ("compile model.safetensors --target xc7 -o taken", 1, &["taken/report.json", "BL1002"]),
    ("opt adder.blir --passes fold -o missing/a.blir", 1, &["missing/a.blir", "BL1002"]),
    ("sim --input batch.npy --output missing/pred.npy", 1, &["missing/pred.npy", "BL1002"]),
    // The command line.
    ("complie model.safetensors --target xc7", 2, &["complie", "compile"]),
    ("compile model.safetensors", 2, &["--target"]),
    ("compile model.safetensors --target xc8", 2, &["xc8", "did you mean `xc7`?"]),
    ("compile model.safetensors --target ecp", 2, &["did you mean `ecp5`"]),
    ("compile model.safetensors --target xc7 --emit verilgo", 2, &["verilgo", "verilog"]),
    ("compile model.safetensors --target xc7 --stages abc", 2, &["--stages", "abc"]),
    ("compile model.safetensors --target xc7 --input-bits 8", 2, &["--input-bits", "not real numbers"]),
    ("compile adder.blif --target xc7 --no-encoder", 2, &["--no-encoder", "adder.blif"]),
    ("compile adder.blif --target xc7 --no-head", 2, &["--no-head", "adder.blif"]),
    ("compile staged.blir --target xc7 --stages 2", 2, &["--stages", "staged.blir", "hardware module"]),
    ("compile model.safetensors --target xc7 --passes expand --stages 2", 2, &["--stages", "@default"]),
    ("compile model.safetensors --target xc7 --passes expand --forbid pair", 2, &["--forbid", "@default"]),
    ("compile model.safetensors --target xc7 --forbid pears", 2, &["pears", "pair"]),
    ("compile model.safetensors --target xc7 --stages 0 --max-levels 1", 1, &["BL4038", "--max-levels"]),
    ("compile model.safetensors --target xc7 --threads 0", 2, &["--threads"]),
    ("compile model.safetensors --target xc7 --stagse 2", 2, &["--stagse", "--stages"]),
    ("compile model.safetensors --target xc7 --print-ir-after fodl", 2, &["fodl", "did you mean `fold`?"]),
    // Pipelines.
    ("compile model.safetensors --target xc7 --passes expand,fodl", 2, &["BL2002", "fodl", "did you mean `fold`?"]),
    ("compile model.safetensors --target xc7 --passes expand,cover{kk=6}", 2, &["BL2003", "kk"]),
    ("compile model.safetensors --target xc7 --passes cover{k=six}", 2, &["BL2004", "six"]),
    ("compile model.safetensors --target xc7 --passes expand,,fold", 2, &["BL2001", "<passes>"]),
    ("compile model.safetensors --target xc7 --passes lower-head", 1, &["BL2006", "expand"]),
    ("opt adder.blir --passes fodl", 2, &["BL2002", "did you mean `fold`?"]),
    // Batches.
    ("sim --input wide.npy", 1, &["wide.npy", "BL4020", "a sample has 6 numbers"]),
    ("sim --input reals.npy", 1, &["reals.npy", "BL4021", "uint8"]),
    ("sim --input cut.npy", 1, &["cut.npy", "BL1204"]),
    ("sim --input random.bin", 1, &["random.bin", "BL1202"]),
    ("sim --input empty", 1, &["empty", "BL1202"]),
    ("sim --input missing.npy", 1, &["missing.npy", "BL1001"]),
    ("sim --input batch.npy --labels wide.npy", 1, &["wide.npy", "BL4022"]),
    ("sim adder.blir --input bits.npy", 1, &["bits.npy", "BL3121", "sample 1, %b"]),
    ("sim adder.blir --input good_bits.npy --scores s.npy", 1, &["adder.blir", "BL4023"]),
    ("sim adder.blir --input good_bits.npy --labels labels.npy", 1, &["adder.blir", "BL4023"]),
    ("sim model.safetensors --input batch.npy", 1, &["model.safetensors", "BL4002", "blc compile"]),
    ("sim missing --input batch.npy", 1, &["missing", "BL4010", "blc compile"]),
    ("sim folder --input batch.npy", 1, &["folder", "BL4010"]),
    ("sim --input batch.npy --engine turbo", 2, &["turbo", "portable"]),
    ("sim --input batch.npy --cycles 3 --trace clas", 1, &["BL3141", "did you mean `class`?"]),
    ("view --cone scroe", 1, &["BL4037", "did you mean `score`?"]),
    // The rest.
    ("report missing", 1, &["missing", "BL4010"]),
    ("report damaged", 1, &["damaged/report.json", "BL4011"]),
    ("explain BL2022", 2, &["BL2022", "did you mean `BL"]),
    ("explain lutt", 2, &["lutt", "did you mean `lut`?"]),
    ("completions csh", 2, &["csh", "bash"]),
];

#[cfg(feature = "train")]
const TRAINING: &[Case] = &[
    ("train --data digist -o m.safetensors", 1, &["digist", "BL1200", "`digits`"]),
    ("train --data folder -o m.safetensors", 1, &["folder", "BL1200"]),
    ("train --data random.npz -o m.safetensors", 1, &["random.npz", "BL1205"]),
    ("train --data digits --preset digist -o m.safetensors", 2, &["digist", "digits"]),
    ("train --data digits --config missing.toml -o m.safetensors", 1, &["missing.toml", "BL1001"]),
    ("train --data digits --config wrong.toml -o m.safetensors", 1, &["wrong.toml", "BL1301", "epochz"]),
    ("train --data digits --epochs 0 -o m.safetensors", 1, &["epochs = 0", "BL1301"]),
    ("train --data digits -o missing/m.safetensors", 1, &["missing/m.safetensors", "BL1002"]),
    ("train --data digits --resume -o m.safetensors", 2, &["--checkpoint"]),
    ("train --data digits --checkpoint random.bin --resume -o m.safetensors", 1, &["random.bin", "BL1303"]),
    ("quickstart -o random.bin/out", 1, &["random.bin/out", "BL1002"]),
];
#[cfg(not(feature = "train"))]
const TRAINING: &[Case] = &[("train --data digits -o m.safetensors", 2, &["train"])];

/// A folder with good and bad inputs, and the outputs of an earlier command.
fn work() -> Work {
    let work = Work::new();
    let good = model(Dtype::U8).to_bytes().unwrap();
    let mut next = random(3);
    let noise: Vec<u8> = (0..3000).map(|_| (next() >> 32) as u8 | 0x80).collect();
    work.write("model.safetensors", &good).write("truncated.safetensors", &good[..good.len() - 100]);
    for name in ["random.safetensors", "random.bin", "random.blif", "random.blir", "random.npz"] {
        work.write(name, &noise);
    }
    for name in ["empty", "empty.safetensors", "empty.blif", "empty.blir"] {
        work.write(name, "");
    }
    for folder in ["folder", "damaged", "taken", "taken/report.json"] {
        std::fs::create_dir(work.path(folder)).unwrap();
    }
    work.write("damaged/report.json", "{\"luts\": ");
    work.write("adder.blif", ADDER);
    work.write("latch.blif", ".model m\n.inputs a\n.outputs q\n.latch a q re clk 0\n.end\n");
    let blir = |resources: &str, body: &str| format!("blir 0.1\n{resources}module @m {{\n  {body}\n}}\n");
    let adder =
        "func @adder(%a: bit, %b: bit) -> (%s: bit) {\n    %s = lut(%a, %b) {table = 0x6} : bit\n    return %s\n  }";
    work.write("adder.blir", blir("", adder));
    work.write("cycle.blir", blir("", &adder.replace("lut(%a, %b)", "lut(%a, %s)")));
    let staged = "hw.module @m(in %clk: clock, in %a: bit, out %y: bit) {latency = 1} {\n    \
                  %y = seq.reg %a clock %clk {stage = 1, init = 0} : bit\n    hw.output %y\n  }";
    work.write("staged.blir", blir("", staged));
    let named = |file: &str| {
        let hash = "0".repeat(64);
        let resources = format!("#t = resource \"{file}\"::\"enc.thresholds\" sha256:{hash}\n");
        let body = "func @f(%x: u8[6]) -> (%y: bit[18]) {\n    %y = enc.thermometer %x {thresholds = #t} : bit[18]\n    return %y\n  }";
        blir(&resources, body)
    };
    work.write("escape.blir", named("../secret.safetensors"));
    work.write("changed.blir", named("model.safetensors"));
    work.write("missing.blir", named("nowhere.safetensors"));
    work.write("wrong.toml", "epochs = 3\nepochz = 4\n");
    work.array("batch.npy", &[4, FEATURES], Elements::U8(bytes(4)));
    work.array("wide.npy", &[3, FEATURES + 2], Elements::U8(bytes(4)));
    work.array("reals.npy", &[4, FEATURES], Elements::F64(vec![0.5; 4 * FEATURES]));
    work.array("bits.npy", &[2, 2], Elements::U8(vec![0, 1, 1, 2]));
    work.array("good_bits.npy", &[2, 2], Elements::U8(vec![0, 1, 1, 1]));
    work.array("labels.npy", &[2], Elements::U8(vec![0, 1]));
    let whole = std::fs::read(work.path("batch.npy")).unwrap();
    work.write("cut.npy", &whole[..whole.len() - 5]);
    work.blc("compile model.safetensors --target xc7").fine();
    work
}

fn cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().chain(TRAINING)
}

#[test]
fn one_clear_error_and_nothing_is_touched() {
    let work = work();
    let before = work.hashes("");
    for (args, code, mentions) in cases() {
        let ended = work.blc(args);
        let text = &ended.stderr;
        assert_eq!(ended.code, Some(*code), "blc {args}\n{}{text}", ended.stdout);
        let errors = text.lines().filter(|l| l.starts_with("error")).count();
        assert_eq!(errors, 1, "blc {args}\n{text}");
        assert_eq!(ended.stdout, "", "blc {args}: errors go to stderr");
        for mention in *mentions {
            assert!(text.contains(mention), "blc {args}: no {mention:?} in\n{text}");
        }
        assert!(!text.contains("panicked"), "blc {args}\n{text}");
        let after = work.hashes("");
        assert_eq!(after, before, "blc {args} left something behind");
    }
}

#[test]
fn the_same_as_json() {
    let work = work();
    for (args, code, _) in cases() {
        let ended = work.blc(&format!("{args} --error-format json"));
        assert_eq!(ended.code, Some(*code), "blc {args}\n{}", ended.stderr);
        let records: Vec<serde_json::Value> = ended
            .stderr
            .lines()
            .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{args}: {e}: {l}")))
            .collect();
        assert_eq!(records.len(), 1, "blc {args}\n{}", ended.stderr);
        assert_eq!(records[0]["severity"], "error", "blc {args}");
        let id = records[0]["code"].as_str().unwrap();
        let explained = work.blc(&format!("explain {id}")).fine();
        assert!(explained.stdout.starts_with(id), "{id}");
    }
}

#[test]
fn an_error_points_at_the_text() {
    let work = work();
    let text = work.blc("compile model.safetensors --target xc7 --passes expand,cover{kk=6}").stderr;
    assert!(text.contains("<passes>:1:14") && text.contains("^^"), "{text}");
    let text = work.blc("opt cycle.blir --passes fold").stderr;
    assert!(text.contains("cycle.blir:4:"), "{text}");
}

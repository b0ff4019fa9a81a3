//! `blc equiv` and the proofs of `blc compile`.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use blc_frontend::model::{Dtype, Layer};
use common::{ADDER, Work, model};

#[test]
fn a_design_is_proved_equal_to_its_model() {
    for (dtype, options) in
        [(Dtype::U8, ""), (Dtype::F32, ""), (Dtype::Bit, ""), (Dtype::U8, " --no-encoder"), (Dtype::U8, " --no-head")]
    {
        let work = Work::new();
        model(dtype).write(&work.path("m.safetensors")).unwrap();
        let compiled =
            work.blc(&format!("compile m.safetensors --target xc7 --prove --check-each sat{options}")).fine();
        assert!(compiled.stderr.contains("proved: the design equals its input"), "{}", compiled.stderr);
        let report = fs::read_to_string(work.path("blc-out/report.json")).unwrap();
        assert!(report.contains("\"verdict\": \"proved\""), "{report}");
        let said = work.blc(&format!("equiv m.safetensors blc-out{options}")).fine();
        assert!(said.stdout.starts_with("proved:"), "{}", said.stdout);
    }
}

#[test]
fn a_changed_table_is_refuted_and_the_input_replays() {
    let work = Work::new();
    let good = model(Dtype::U8);
    let mut bad = good.clone();
    if let Layer::Lut { tables, .. } = &mut bad.layers[2] {
        tables[3] ^= 0xff;
    }
    good.write(&work.path("good.safetensors")).unwrap();
    bad.write(&work.path("bad.safetensors")).unwrap();
    for name in ["good", "bad"] {
        work.blc(&format!("compile {name}.safetensors --target xc7 -o {name}")).fine();
    }
    let said = work.blc("equiv good bad.safetensors --json");
    assert_eq!(said.code, Some(3), "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("\"verdict\": \"refuted\"") && said.stderr.contains("BL4032"), "{}", said.stdout);
    for name in ["good", "bad"] {
        work.blc(&format!("sim {name} --input counterexample.npy --scores {name}.npy")).fine();
    }
    assert_ne!(work.read_array("good.npy"), work.read_array("bad.npy"));
}

#[test]
fn what_takes_too_much_is_undecided() {
    let work = Work::new();
    let other = ADDER.replace(
        ".names a b c s\n100 1\n010 1\n001 1\n111 1\n",
        ".names c b t\n10 1\n01 1\n.names t a s\n10 1\n01 1\n",
    );
    work.write("a.blif", ADDER).write("b.blif", other);
    work.blc("equiv a.blif b.blif").fine();
    let said = work.blc("equiv a.blif b.blif --conflicts 0");
    assert_eq!(said.code, Some(4), "{}", said.stderr);
    assert!(said.stderr.contains("BL4033") && said.stderr.contains("open: s"), "{}", said.stderr);
    let said = work.blc("equiv a.blif b.blif --certificate proof").fine();
    assert!(said.stderr.contains("equiv.drat"));
    assert!(fs::read_to_string(work.path("proof/equiv.cnf")).unwrap().contains("p cnf"));
    assert!(fs::read_to_string(work.path("proof/equiv.drat")).unwrap().ends_with("0\n"));
}

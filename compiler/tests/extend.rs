//! A pass from outside, added to the driver: the example must do what it says.

mod common;

use std::process::Command;

use common::Work;

#[test]
fn an_out_of_tree_pass_runs_by_name() {
    let work = Work::new();
    let text = "blir 0.1\nmodule @m {\n  func @f(%a: bit, %b: bit) -> (%y: bit) {\n    %n = lut(%a) {table = 0x1} : bit\n    \
                %y = lut(%n, %b) {table = 0x8} : bit\n    return %y\n  }\n}\n";
    work.write("a.blir", text);
    // Cargo builds examples with the tests, beside the binary.
    let example = std::path::Path::new(env!("CARGO_BIN_EXE_blc")).parent().unwrap().join("examples/custom_pass");
    let ran = Command::new(example)
        .args(["opt", "a.blir", "--passes", "absorb-inverters", "--verify-each", "--check-each", "sim"])
        .current_dir(work.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("%y = lut(%a, %b) {table = 0x4} : bit") && !said.contains("0x1"), "{said}");
    assert_eq!(work.blc("opt a.blir --passes absorb-inverters").code, Some(2), "blc itself does not know it");
}

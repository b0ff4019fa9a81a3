//! An attacker's files: small ones that name very much. Each is refused, or read, within 4 GiB and a minute of processor time.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;

use common::Work;

/// Exit code and standard error of a command that may have 4 GiB and a minute.
fn confined(work: &Work, args: &str) -> (Option<i32>, String) {
    let script = format!("ulimit -c 0; ulimit -v 4194304; ulimit -t 60; exec {} {args}", env!("CARGO_BIN_EXE_blc"));
    let mut command = Command::new("sh");
    let ended =
        command.args(["-c", &script]).current_dir(work.path("")).env("RAYON_NUM_THREADS", "1").output().unwrap();
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

fn refused(work: &Work, args: &str, code: &str) {
    let (status, said) = confined(work, args);
    assert!(status == Some(1) && said.contains(code), "{args}: {status:?}\n{said}");
}

/// A function of one parameter, in the language.
fn function(ty: &str, result: &str, ops: &str) -> String {
    format!("blir 0.1\nmodule @m {{\n  func @f(%a: {ty}) -> (%y: {result}) {{\n{ops}  }}\n}}\n")
}

#[test]
fn short_texts_of_very_wide_values() {
    let work = Work::new();
    let wide = "bit[67108864]";
    let mut ops = format!("    %0 = extract %a {{offset = 0}} : {wide}\n");
    for i in 1..80 {
        ops += &format!("    %{i} = extract %{} {{offset = 0}} : {wide}\n", i - 1);
    }
    work.write("wide.blir", function(wide, wide, &(ops + "    return %79\n")));
    for args in
        ["opt wide.blir --passes fold", "equiv wide.blir wide.blir", "compile wide.blir --target xc7 --passes fold"]
    {
        refused(&work, args, "BL0108");
    }
    let ops = "    %s = head.group_sum %a {groups = 16777216} : u1[16777216]\n    return %s\n";
    work.write("groups.blir", function("bit[16777216]", "u1[16777216]", ops));
    refused(&work, "compile groups.blir --target xc7", "BL2102");
}

#[test]
fn arrays_without_elements_and_many() {
    let work = Work::new();
    work.write("and.blir", function("bit[2]", "bit[2]", "    return %a\n"));
    let shape = "(0, 1099511627776, 1099511627776)";
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
    work.write(
        "none.npy",
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat(),
    );
    refused(&work, "sim and.blir --input none.npy", "BL1204");
}

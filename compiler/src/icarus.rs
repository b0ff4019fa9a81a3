//! Runs an emitted testbench in Icarus Verilog, where that is installed.

use std::io;
use std::path::Path;
use std::process::{Command, Output};

use blc_ir::diag::{Diagnostic, Result};

use crate::codes;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is no `iverilog` or no `vvp`.
    NotInstalled,
    /// It ran.
    Ran {
        /// Vectors that were compared.
        vectors: usize,
        /// Those that differ.
        wrong: usize,
        /// What the testbench says of the first ones.
        mismatches: Vec<String>,
    },
}

/// Compiles Verilog files of a folder and runs them on a file of vectors there.
///
/// # Errors
/// `BL4031` where Icarus is installed and does not come to a verdict.
pub fn run(dir: &Path, files: &[String], vectors: &str) -> Result<Verdict> {
    let failed = |what: &str, text: &str| {
        let d = Diagnostic::error(&codes::ICARUS, what.to_owned()).in_file(files.join(" "), "");
        Box::new(text.lines().take(10).fold(d, |d, line| d.note(line)).help("please report this with the files"))
    };
    let temp = tempfile::tempdir().map_err(|e| failed(&format!("no temporary folder: {e}"), ""))?;
    let program = temp.path().join("tb");
    let mut compile = Command::new("iverilog");
    compile.current_dir(dir).args(["-g2001", "-Wall", "-o"]).arg(&program).args(files);
    let mut execute = Command::new("vvp");
    execute.current_dir(dir).arg("-n").arg(&program).arg(format!("+vectors={vectors}"));
    let mut text = String::new();
    for (command, what) in [(&mut compile, "`iverilog` refuses the Verilog"), (&mut execute, "`vvp` does not run it")] {
        let ended = match command.output() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Verdict::NotInstalled),
            Err(e) => return Err(failed(&format!("{what}: {e}"), "")),
            Ok(ended) => ended,
        };
        text = said(&ended);
        if !ended.status.success() {
            return Err(failed(what, &text));
        }
    }
    verdict(&text).ok_or_else(|| failed("the testbench comes to no verdict", &text))
}

fn said(ended: &Output) -> String {
    String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr)
}

/// Reads `PASS n vectors` or `FAIL n of m vectors` behind a line for each of the first mismatches.
fn verdict(text: &str) -> Option<Verdict> {
    let mut mismatches = Vec::new();
    for line in text.lines().map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["PASS", n, "vectors"] => return Some(Verdict::Ran { vectors: n.parse().ok()?, wrong: 0, mismatches }),
            ["FAIL", wrong, "of", n, "vectors"] => {
                return Some(Verdict::Ran { vectors: n.parse().ok()?, wrong: wrong.parse().ok()?, mismatches });
            }
            ["vector", ..] => mismatches.push(line.to_owned()),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let ran = |vectors, wrong, mismatches: &[&str]| {
            Some(Verdict::Ran { vectors, wrong, mismatches: mismatches.iter().map(ToString::to_string).collect() })
        };
        assert_eq!(verdict("PASS 64 vectors\n"), ran(64, 0, &[]));
        let line = "vector 3: class is 2, should be 1";
        assert_eq!(verdict(&format!("{line}\nFAIL 1 of 64 vectors\n")), ran(64, 1, &[line]));
        assert_eq!(verdict("FAIL only 3 vectors\n"), None);
        assert_eq!(verdict("PASSED"), None);
    }
}

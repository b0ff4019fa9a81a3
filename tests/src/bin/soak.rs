//! `soak COUNT [FIRST]`: random designs through the whole chain with all checks; a summary at the end, exit code 1 where
//! anything differs. Design `n` is the same on every machine, so that one can be looked at again: `soak 1 n`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use blc_tests::chain::{Score, Way, check};
use blc_tests::random::{Rng, design};

/// One design in so many goes through Icarus, too.
const ICARUS: u64 = 50;

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).filter_map(|a| a.parse().ok());
    let (count, first): (u64, u64) = (args.next().unwrap_or(200), args.next().unwrap_or(0));
    let folder = tempfile::tempdir().ok();
    let (mut score, mut wrong) = (Score::default(), 0u64);
    for seed in first..first + count {
        let way = Way::random(&mut Rng(seed ^ 0xa5a5));
        let folder = folder.as_ref().filter(|_| seed.is_multiple_of(ICARUS)).map(|f| f.path());
        let checked = catch_unwind(AssertUnwindSafe(|| check(&design(seed), &way, seed, folder)));
        match checked.unwrap_or_else(|_| Err("panicked".into())) {
            Ok(one) => score.add(&one),
            Err(why) => {
                wrong += 1;
                let Way { goals, device } = &way;
                let device = device.as_ref().map_or("", |d| &d.name);
                println!("design {seed}, {device} {goals:?}\n{why}");
            }
        }
        if (seed + 1).is_multiple_of(500) {
            eprintln!("{} designs, {wrong} mismatches", seed + 1 - first);
        }
    }
    println!("designs: {count}");
    println!("mismatches: {wrong}");
    println!("passes compared by simulation: {}", score.passes);
    println!("samples on which the evaluator and all engines agree: {}", score.samples);
    println!("netlists that came back from BLIF the same: {}", score.blif);
    println!("designs whose Verilog, read back, is proved equal: {}", score.verilog);
    println!("designs proved equal to what they were made from: {}", score.proved);
    println!("designs that took too much to prove: {}", score.undecided);
    println!("designs that Icarus agrees on: {}", score.icarus);
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

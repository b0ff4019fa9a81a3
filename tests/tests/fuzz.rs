//! Every input of the corpus, and some more made of it, through every target. `scripts/fuzz.sh` goes on for longer.

use std::panic::catch_unwind;

use blc_tests::bytes::mutate;
use blc_tests::fuzz::{GROUPS, TARGETS, inputs};
use blc_tests::random::Rng;

#[test]
fn hostile_bytes_are_read_or_refused() {
    for target in TARGETS {
        let corpus = inputs(target.name);
        assert!(corpus.len() >= 2, "{} has no corpus", target.name);
        for (file, bytes) in &corpus {
            assert!(catch_unwind(|| (target.run)(bytes)).is_ok(), "{}/{file}", target.name);
        }
        let corpus: Vec<Vec<u8>> = corpus.into_iter().map(|(_, bytes)| bytes).collect();
        let runs = match target.name {
            "chain_of_seed" => 4,
            "opt" => 100,
            _ => 600,
        };
        for run in 0..runs {
            let bytes = mutate(&mut Rng(run << 32), &corpus);
            let fine = catch_unwind(|| (target.run)(&bytes)).is_ok();
            assert!(fine, "{}, run {run}: {:?}", target.name, String::from_utf8_lossy(&bytes));
        }
    }
}

/// Each target is in one group, and each group is a binary of `fuzz/`, whose corpora the script names.
#[test]
fn groups_are_of_all_targets() {
    let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, targets)| targets.iter().copied()).collect();
    let mut targets: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
    grouped.sort_unstable();
    targets.sort_unstable();
    assert_eq!(grouped, targets);
    for (group, targets) in GROUPS {
        assert!(include_str!("../../fuzz/Cargo.toml").contains(&format!("name = \"{group}\"")), "{group}");
        let line = format!("{group}) echo {} ;;", targets.join(" "));
        assert!(include_str!("../../scripts/fuzz.sh").contains(&line), "{line}");
    }
}

/// What a target states is stated: something that is not so makes it fail.
#[test]
fn corpora_are_mostly_good() {
    use blc_frontend::model::Model;
    let models = inputs("model").into_iter().filter(|(name, _)| name.starts_with("seed"));
    for (name, bytes) in models {
        Model::from_bytes(&bytes, &name).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut cut = bytes.clone();
        cut.pop();
        assert!(Model::from_bytes(&cut, &name).is_err(), "{name} without its last byte");
    }
}

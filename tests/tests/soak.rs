//! Random designs through the whole chain with all checks. `scripts/soak.sh` takes more of them.

use blc_tests::chain::{Score, Way, check};
use blc_tests::random::{Rng, design};

const DESIGNS: u64 = 200;
/// One in so many goes through Icarus, too.
const ICARUS: u64 = 20;

#[test]
fn random_designs_through_the_whole_chain() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut score = Score::default();
    for seed in 0..DESIGNS {
        let way = Way::random(&mut Rng(seed ^ 0xa5a5));
        let folder = seed.is_multiple_of(ICARUS).then(|| folder.path());
        match check(&design(seed), &way, seed, folder) {
            Ok(one) => score.add(&one),
            Err(why) => panic!("design {seed}, {way:?}\n{why}"),
        }
    }
    println!("{score:?}");
    assert_eq!((score.designs, score.blif, score.icarus), (DESIGNS, DESIGNS, DESIGNS / ICARUS));
    assert_eq!(score.proved + score.undecided, DESIGNS);
    assert!(score.passes > 5 * DESIGNS && score.proved > DESIGNS * 9 / 10, "{score:?}");
}

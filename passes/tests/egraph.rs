//! `egraph`: that windows compute what they did and never grow.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/exhaustive.rs"]
mod exhaustive;

use blc_passes::count::count;
use common::{module_of, random_net, random_words, run};
use exhaustive::tables;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn random_nets_stay_the_same_and_get_no_larger(seed: u64, inputs in 1usize..=9, nodes in 1usize..=16) {
        let f = random_net(seed, inputs, 4, nodes);
        for options in ["", "{k=4}", "{leaves=4,window=6,cap=4}", "{nodes=40}"] {
            let mut module = module_of(f.clone());
            run(&mut module, "fold,cover{k=4},fold");
            let before = count(module.top().unwrap()).total.lut_functions;
            run(&mut module, &format!("egraph{options},fold"));
            prop_assert_eq!(tables(module.top().unwrap()), tables(&f), "{}", options);
            prop_assert!(count(module.top().unwrap()).total.lut_functions <= before, "{}", options);
        }
    }

    #[test]
    fn words_stay_the_same(seed: u64) {
        // `run` checks the result against the reference evaluator.
        run(&mut module_of(random_words(seed, 40)), "egraph");
    }
}

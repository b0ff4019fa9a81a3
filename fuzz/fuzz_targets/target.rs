//! Every group is this file; its name says which of [`blc_tests::fuzz::GROUPS`] it feeds.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| blc_tests::fuzz::run(env!("CARGO_BIN_NAME"), bytes));

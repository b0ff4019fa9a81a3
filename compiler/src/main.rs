//! The `blc` binary.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    blc::Driver::standard().main()
}

//! The `blc` binary.

fn main() -> std::process::ExitCode {
    blc::Driver::standard().main()
}

//! `blc completions`: the completions of a shell.

use clap::CommandFactory;

use crate::args::{Cli, Completions};
use crate::ui::{Outcome, Ui};

/// Prints them.
pub fn run(args: &Completions, ui: &Ui) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "blc", &mut text);
    ui.data(text)
}

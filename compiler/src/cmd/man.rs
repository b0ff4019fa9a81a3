//! `blc man`: a manual page for each command.

use blc_ir::diag::Diagnostic;
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::args::{Cli, Man as Args};
use crate::codes;
use crate::outputs::Outputs;
use crate::ui::{Outcome, Ui};

/// Writes them into a folder.
pub fn run(args: &Args, ui: &Ui) -> Outcome {
    let mut outputs = Outputs::default();
    let mut cli = Cli::command();
    // Hands the global options on to the commands.
    cli.build();
    page(cli.clone(), "blc".into(), &mut outputs)?;
    for command in cli.get_subcommands().filter(|c| c.get_name() != "help") {
        page(command.clone(), format!("blc-{}", command.get_name()), &mut outputs)?;
    }
    let count = outputs.names().count();
    outputs.write(&args.dir)?;
    ui.say(format_args!("wrote {count} pages; `man -l {}/blc.1` shows the first", args.dir.display()));
    Ok(())
}

fn page(command: Command, name: String, outputs: &mut Outputs) -> Outcome {
    let mut text = Vec::new();
    // clap keeps names for as long as the program runs.
    let name: &'static str = name.leak();
    Man::new(command.name(name))
        .render(&mut text)
        .map_err(|e| Diagnostic::error(&codes::USAGE, format!("the page of `{name}` cannot be made: {e}")))?;
    outputs.add(format!("{name}.1"), text);
    Ok(())
}

//! The program: reads the command line, runs the command, gives the exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use blc_ir::diag::Diagnostic;
use blc_passes::{PassSpec, Registry};
use clap::{ColorChoice, CommandFactory, FromArgMatches};

use crate::args::{Cli, Command};
use crate::cmd;
use crate::codes;
use crate::ui::{Color, ErrorFormat, Failure, Outcome, REPORT_IT, Ui};

/// A `blc` with the passes it knows.
///
/// ```no_run
/// # use blc_passes::fold::Fold as AbsorbInverters;
/// fn main() -> std::process::ExitCode {
///     blc::Driver::standard().with_pass::<AbsorbInverters>().main()
/// }
/// ```
#[derive(Debug)]
pub struct Driver {
    registry: Registry,
}

impl Driver {
    /// The passes of `blc` itself.
    pub fn standard() -> Self {
        Self { registry: Registry::standard() }
    }

    /// And one more, which pipeline strings can then name; it replaces one of the same name.
    pub fn with_pass<P: PassSpec>(mut self) -> Self {
        self.registry.register::<P>();
        self
    }

    /// Runs the command of this process's arguments.
    pub fn main(self) -> ExitCode {
        report_panics();
        self.run(std::env::args_os())
    }

    /// Runs a command; the first argument is the program's name.
    pub fn run(&self, args: impl IntoIterator<Item = OsString>) -> ExitCode {
        ExitCode::from(self.status(args))
    }

    /// Runs a command as [`Driver::run`] does, and gives its exit code as a number.
    pub fn status(&self, args: impl IntoIterator<Item = OsString>) -> u8 {
        let args: Vec<OsString> = args.into_iter().collect();
        match parse(&args) {
            Ok(cli) => {
                let global = &cli.global;
                let ui = Ui::new(global.error_format, global.color, global.quiet, global.verbose);
                ui.exit(self.command(&cli, &ui))
            }
            Err(error) => refuse(&error, &args),
        }
    }

    /// Runs a command and gives what was wrong instead of printing it; what a command says it still prints, unless `-q` is among
    /// the arguments.
    ///
    /// # Errors
    /// Every problem that the command would have reported.
    pub fn execute(&self, args: impl IntoIterator<Item = OsString>) -> Result<(), Vec<Diagnostic>> {
        let args: Vec<OsString> = args.into_iter().collect();
        let cli = parse(&args).map_err(|e| vec![usage(&e)])?;
        let global = &cli.global;
        let ui = Ui::new(global.error_format, global.color, global.quiet, global.verbose);
        self.command(&cli, &ui).map_err(|failure| failure.diagnostics().to_vec())
    }

    fn command(&self, cli: &Cli, ui: &Ui) -> Outcome {
        if let Some(threads) = cli.global.threads {
            set_threads(threads.into())?;
        }
        let registry = &self.registry;
        match &cli.command {
            #[cfg(feature = "train")]
            Command::Quickstart(args) => cmd::quickstart::run(args, registry, ui),
            #[cfg(feature = "train")]
            Command::Train(args) => cmd::train::run(args, registry, ui),
            #[cfg(feature = "train")]
            Command::Sweep(args) => cmd::sweep::run(args, registry, ui),
            Command::Import(args) => cmd::import::run(args, ui),
            Command::Compile(args) => cmd::compile::run(args, registry, ui),
            Command::Sim(args) => cmd::sim::run(args, ui),
            Command::Equiv(args) => cmd::equiv::run(args, ui),
            Command::Diff(args) => cmd::diff::run(args, ui),
            Command::View(args) => cmd::view::run(args, ui),
            Command::New(args) => cmd::build::new(args, ui),
            Command::Build(args) => cmd::build::run(args, &cli.global, ui),
            Command::Opt(args) => cmd::opt::run(args, registry, ui),
            Command::Fmt(args) => cmd::fmt::run(args, ui),
            Command::Reduce(args) => cmd::reduce::run(args, ui),
            Command::Report(args) => cmd::report::run(args, ui),
            Command::Passes(args) => cmd::passes::run(args, registry, ui),
            Command::Explain(args) => cmd::explain::run(args, ui),
            Command::Completions(args) => cmd::completions::run(args, ui),
            Command::Man(args) => cmd::man::run(args, ui),
        }
    }
}

fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let color = match option(args, "--color").as_deref() {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    };
    let matches = Cli::command().color(color).try_get_matches_from(args)?;
    Cli::from_arg_matches(&matches)
}

/// The value of an option that must be known before the command line is read.
fn option(args: &[OsString], name: &str) -> Option<String> {
    let args: Vec<_> = args.iter().take_while(|a| *a != "--").map(|a| a.to_string_lossy()).collect();
    let follows = args.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].to_string());
    let joined = || args.iter().find_map(|a| Some(a.strip_prefix(name)?.strip_prefix('=')?.to_string()));
    follows.or_else(joined)
}

/// What clap refuses.
fn usage(error: &clap::Error) -> Diagnostic {
    let text = error.to_string();
    let message = text.split("\n\n").next().unwrap_or("").trim_start_matches("error: ").to_string();
    Diagnostic::error(&codes::USAGE, message).help("`blc --help` lists commands and options")
}

/// Help and version go to stdout, what clap refuses to stderr.
fn refuse(error: &clap::Error, args: &[OsString]) -> u8 {
    if error.use_stderr() && option(args, "--error-format").as_deref() == Some("json") {
        return Ui::new(ErrorFormat::Json, Color::Never, true, false).exit(Err(usage(error).into()));
    }
    // Nobody is left to tell where this fails.
    let _ = error.print();
    u8::try_from(error.exit_code()).unwrap_or(2)
}

fn set_threads(threads: usize) -> Outcome {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(|e| {
        let d = Diagnostic::error(&codes::USAGE, format!("{threads} threads cannot be started: {e}"));
        Failure::from(d.help("choose fewer with `--threads`"))
    })
}

/// A panic is an error of `blc`: say how to report it. The exit code is then 101.
fn report_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        default(info);
        Ui::new(ErrorFormat::Human, Color::Never, false, false).dump(REPORT_IT);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_are_seen_before_parsing() {
        let args = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(option(&args("blc --color never sim"), "--color").as_deref(), Some("never"));
        assert_eq!(option(&args("blc sim --color=always"), "--color").as_deref(), Some("always"));
        assert_eq!(option(&args("blc -- --color never"), "--color"), None);
        assert_eq!(option(&args("blc --color"), "--color"), None);
    }

    #[test]
    fn help_has_examples() {
        for command in Cli::command().get_subcommands() {
            if command.get_name() != "help" {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.starts_with("Examples:\n  blc "), "{}", command.get_name());
            }
        }
    }
}

//! `blc sim`: what a compiled design answers.

mod batch;
mod compare;
mod cycles;
mod fault;
mod tally;

use std::path::Path;

use blc_frontend::codes as frontend;
use blc_ir::diag::Diagnostic;
use blc_ir::{Func, Module};

use crate::args::Sim;
use crate::codes;
use crate::load;
use crate::samples;
use crate::ui::{Outcome, Ui};

/// Runs a batch through a design.
pub fn run(args: &Sim, ui: &Ui) -> Outcome {
    let Some(data) = &args.data else { return simulate(args, ui) };
    let folder = tempfile::tempdir().map_err(|e| {
        Diagnostic::error(&frontend::FILE_WRITE, format!("no folder for the test samples of {data}: {e}"))
    })?;
    let [input, labels] = ["test_x.npy", "test_y.npy"].map(|name| folder.path().join(name));
    samples::write_test(data, &input, &labels)?;
    simulate(&Sim { input: Some(input), labels: Some(labels), data: None, ..args.clone() }, ui)
}

/// Where the batch is.
fn input(args: &Sim) -> &Path {
    args.input.as_deref().unwrap_or(Path::new(""))
}

fn simulate(args: &Sim, ui: &Ui) -> Outcome {
    let design = Design::read(&args.design)?;
    match (&args.compare, args.seu) {
        (Some(other), _) => compare::run(args, &design, &Design::read(other)?, ui),
        (None, Some(count)) => fault::run(args, count.get(), &design, ui),
        (None, None) if cycles::wanted(args) => cycles::run(args, &design, ui),
        (None, None) => batch::run(args, design, ui),
    }
}

/// A design and the file it is from.
struct Design {
    name: String,
    module: Module,
}

impl Design {
    fn read(path: &Path) -> Outcome<Self> {
        let file = load::design_file(path)?;
        let module = load::read_netlist(&file)?;
        let name = blc_frontend::files::display(&file);
        let design = Self { name, module };
        design.top()?;
        Ok(design)
    }

    fn top(&self) -> Outcome<&Func> {
        self.module.top().ok_or_else(|| self.lacks("the text has no function").into())
    }

    /// The refusal of what needs something that the design does not give.
    fn lacks(&self, what: &str) -> Diagnostic {
        Diagnostic::error(&codes::NO_CLASS, what)
            .in_file(self.name.clone(), "")
            .help("compile the model with its head, or ask for `--output` alone")
    }
}

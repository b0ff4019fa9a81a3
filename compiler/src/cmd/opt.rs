//! `blc opt`: one IR in, one IR out.

use blc_frontend::files;
use blc_ir::{Func, Level};
use blc_passes::default::{self, Goals, Registers};
use blc_passes::{Control, Cost, Registry, Target};

use crate::args::Opt;
use crate::pipeline::Run;
use crate::rules;
use crate::target::Chosen;
use crate::ui::{Outcome, Ui};
use crate::{library, load};

/// Runs passes over a netlist or a text.
pub fn run(args: &Opt, registry: &Registry, ui: &Ui) -> Outcome {
    let mut module = load::read_netlist(&args.input)?;
    let folder = load::folder(&args.input);
    let target = module.target.as_deref().and_then(Chosen::named).map_or(Target::Lut(6), |chosen| chosen.passes);
    let level = module.top().map_or(Level::Bit, Func::level);
    let default = default::pipeline(level, &Goals::new(target, Registers::Stages(0)));
    let run = Run {
        registry,
        passes: &args.passes,
        default: &default,
        debug: &args.debug,
        folder: folder.as_deref(),
        data: None,
        rules: args.rules.as_deref().map(rules::read).transpose()?,
        control: Control::default(),
        cost: Some(Cost::of(target)),
        gates: library::of(target, None)?.map(|library| library::gates(&library)),
    };
    run.on(&mut module, ui)?;
    let text = module.to_string();
    match &args.output {
        Some(path) => Ok(files::write_atomic(path, text.as_bytes())?),
        None => ui.data(text),
    }
}

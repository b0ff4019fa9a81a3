//! `blc compile`: a model or netlist to a target's files and a report.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use blc_backends::emit::file_stem;
use blc_backends::liberty::{self, Library};
use blc_backends::verilog::{cell, xc7};
use blc_frontend::model::Dtype;
use blc_frontend::{files, lower};
use blc_ir::diag::Diagnostic;
use blc_ir::verify::verify;
use blc_ir::{Elem, Func, FuncAttr, Level, Module, control};
use blc_passes::codes::NO_FUNCTION;
use blc_passes::count::count;
use blc_passes::default::{self, Forbid, Goals, Head, Registers};
use blc_passes::equiv::{self, Side, Verdict};
use blc_passes::{Control, Cost, Registry, RunReport, Target};

use crate::args::{self, Compile, Parts, Reset, Side as Port};
use crate::codes;
use crate::emit;
use crate::interrupt;
use crate::library;
use crate::load::{self, Design, Input};
use crate::outputs::Outputs;
use crate::pipeline::Run;
use crate::report::{Proof, REPORT, Report, Seconds, TIMING, table};
use crate::resources;
use crate::rules;
use crate::samples;
use crate::speed::Speed;
use crate::ui::{Failure, Outcome, Ui};

/// Name of the output of scores.
const SCORE: &str = "score";

/// Name of the compiled design in its folder.
pub const DESIGN: &str = "design.blir";

/// A compiled design, nothing written yet.
pub struct Compiled {
    /// The design, its top lowered as far as the pipeline goes.
    #[cfg_attr(not(feature = "train"), allow(dead_code))]
    pub module: Module,
    /// All files.
    pub outputs: Outputs,
    /// The report's table.
    pub table: String,
    /// The report itself.
    pub json: String,
}

/// Compiles and writes.
pub fn run(args: &Compile, registry: &Registry, ui: &Ui) -> Outcome {
    let start = Instant::now();
    let input = load::read(&args.input)?;
    let compiled = compile(args, input, start, Some(interrupt::flag(ui)), registry, ui)?;
    compiled.outputs.write(&args.output)?;
    match args.json {
        true => ui.data(compiled.json)?,
        false if !ui.is_quiet() => ui.data(compiled.table)?,
        false => {}
    }
    let names: Vec<_> = compiled.outputs.names().collect();
    ui.say(format_args!("wrote {} to {}", names.join(", "), files::display(&args.output)));
    Ok(())
}

/// Compiles an input that was read since `start`. Where `stop` becomes true, what may be left out is.
pub fn compile(
    args: &Compile,
    input: Input,
    start: Instant,
    stop: Option<Arc<AtomicBool>>,
    registry: &Registry,
    ui: &Ui,
) -> Outcome<Compiled> {
    let mut module = to_ir(&input, &args.input, args.parts)?;
    check_options(args, &input, &module)?;
    module.target = Some(args.target.name().to_owned());
    if let Some(name) = &args.top {
        module.name.clone_from(name);
    }
    let library = library::of(args.target.passes, args.liberty.as_deref())?;
    let models = match (&library, &args.target.device) {
        (Some(library), _) => liberty::cells::file(library),
        (_, Some(device)) => cell::file(device),
        _ => xc7::FILE.into(),
    };
    if format!("{}.v", file_stem(&module)) == models {
        // That file is the models of the primitives.
        module.name.push('_');
    }
    let speed = Speed::new(&args.target.speeds, args.speed_grade.as_deref())
        .map_err(|why| unfit(&args.input, "--speed-grade", &why))?;
    let mut seconds = Seconds { read: start.elapsed().as_secs_f64(), ..Seconds::default() };

    let before = args.prove.then(|| module.clone());
    let passing = Instant::now();
    let default = default_passes(args, module.top().map_or(Level::Bit, Func::level), &speed);
    let folder = load::folder(&args.input);
    let data = args.prune.as_ref().or(args.calibrate.as_ref()).map(|what| samples::read(what)).transpose()?;
    let rules = args.rules.as_deref().map(rules::read).transpose()?;
    let run = Run {
        registry,
        passes: &args.passes,
        default: &default,
        debug: &args.debug,
        folder: folder.as_deref(),
        data,
        rules,
        control: Control { levels: levels_of_logic(args, &module), stop },
        cost: Some(cost(args)),
        gates: library.as_deref().map(library::gates),
    };
    let run = run.on(&mut module, ui)?;
    if let Some(f) = module.top_mut() {
        rename(f, &args.ports, &args.input)?;
    }
    let errors: Vec<_> = verify(&module).into_iter().filter(Diagnostic::is_error).collect();
    if !errors.is_empty() {
        return Err(Failure::Bug(errors));
    }
    check_levels(args, &module)?;
    resources::inline(&mut module);
    seconds.passes = passing.elapsed().as_secs_f64();
    seconds.by_pass = run.passes.iter().map(|p| (p.pass.clone(), p.seconds)).collect();

    let proof = match &before {
        Some(before) => {
            let proving = Instant::now();
            let proof = prove(before, &module)?;
            seconds.prove = Some(proving.elapsed().as_secs_f64());
            ui.say(format_args!("{}", proof.line()));
            Some(proof)
        }
        None => None,
    };

    let emitting = Instant::now();
    let (mut outputs, table, json) = emit_all(args, &input, &module, Made { run, proof, speed, library }, ui)?;
    seconds.emit = emitting.elapsed().as_secs_f64();
    seconds.total = start.elapsed().as_secs_f64();
    outputs.add(TIMING, seconds.to_json());
    Ok(Compiled { module, outputs, table, json })
}

/// The design of a file, or of a folder that `blc compile` wrote, as IR.
pub fn module_of(path: &Path) -> Outcome<Module> {
    let file = if path.is_dir() { load::design_file(path)? } else { path.to_path_buf() };
    to_ir(&load::read_all(&file)?, &file, Parts::default())
}

/// An input as IR, a model without the parts that are not asked for.
pub fn to_ir(input: &Input, path: &Path, parts: Parts) -> Outcome<Module> {
    let Parts { no_encoder, no_head, no_scores } = parts;
    let (model, names) = match &input.design {
        Design::Model(model, names) => (model, names),
        Design::Module(_) if no_encoder => return Err(unfit(path, "--no-encoder", "only a model has an encoder")),
        Design::Module(_) if no_head => return Err(unfit(path, "--no-head", "only a model has a head")),
        Design::Module(_) if no_scores => return Err(unfit(path, "--no-scores", "only a model has scores")),
        Design::Module(module) => return Ok(module.clone()),
    };
    if no_encoder && model.dtype == Dtype::Bit {
        return Err(unfit(path, "--no-encoder", "the model has no encoder"));
    }
    if no_head && model.classes().is_none() {
        return Err(unfit(path, "--no-head", "the model has no head"));
    }
    let mut model = model.clone();
    if no_encoder {
        model = model.without_encoder();
    }
    if no_head {
        model = model.without_head();
    }
    model.validate()?;
    let mut module = lower::to_ir(&model, &input.file, names);
    if let Some(f) = module.top_mut().filter(|_| no_scores) {
        f.results.retain(|port| port.name != SCORE);
    }
    Ok(module)
}

/// Whether the options of the default pipeline reach it, and what they are about.
fn check_options(args: &Compile, input: &Input, module: &Module) -> Outcome {
    let gates = args.target.passes == Target::Gates;
    if args.liberty.is_some() && !gates {
        return Err(unfit(&args.input, "--liberty", "it belongs to `--target gates`"));
    }
    if gates && (args.valid || iterations(args).is_some()) && args.reset == Reset::None {
        let option = if args.valid { "--valid" } else { "--head" };
        let why = "a handshake of standard cells starts at nothing known: it needs `--reset`";
        return Err(unfit(&args.input, option, why));
    }
    let options = [
        ("--stages", args.stages.is_some()),
        ("--clock", args.clock.is_some()),
        ("--latency-ns", args.latency_ns.is_some()),
        ("--prune", args.prune.is_some()),
        ("--calibrate", args.calibrate.is_some()),
        ("--input-bits", args.input_bits.is_some()),
        ("--head", args.head.is_some()),
        ("--encoder", args.encoder.is_some()),
        ("--valid", args.valid),
        ("--reset", args.reset != Reset::None),
        ("--registers", !args.registers.is_empty()),
        ("--forbid", !args.forbid.is_empty()),
    ];
    if matches!(input.design, Design::Module(_))
        && let Some((option, _)) = options[3..5].iter().find(|(_, given)| *given)
    {
        return Err(unfit(&args.input, option, "only a model has the labels' classes"));
    }
    let Some((option, _)) = options.into_iter().find(|(_, given)| *given) else { return Ok(()) };
    if !args.passes.contains("@default") {
        let why = "it belongs to `@default`, which `--passes` does not name; give the pass the option there";
        return Err(unfit(&args.input, option, why));
    }
    let level = module.top().map_or(Level::Bit, Func::level);
    for (option, given) in &options[6..8] {
        if *given && level != Level::Tensor {
            return Err(unfit(&args.input, option, "only a model has such a part"));
        }
    }
    if args.reset != Reset::None && !args.valid && iterations(args).is_none() {
        let why = "data needs no reset; it belongs to `--valid` or `iterative=M`";
        return Err(unfit(&args.input, "--reset", why));
    }
    let hw = level == Level::Hw;
    if let Some((option, _)) = options[..3].iter().chain(&options[6..]).find(|(_, given)| *given && hw) {
        return Err(unfit(&args.input, option, "a hardware module has its registers already"));
    }
    let real = module.top().is_some_and(|f| f.params.iter().any(|p| f.ty(p.value).elem == Elem::F32));
    if args.input_bits.is_some() && !real {
        return Err(unfit(&args.input, "--input-bits", "the inputs are not real numbers"));
    }
    Ok(())
}

fn unfit(path: &Path, option: &str, why: &str) -> Failure {
    let d = Diagnostic::error(&codes::OPTION_UNFIT, format!("`{option}` does not fit: {why}"));
    d.in_file(files::display(path), "").help(format!("leave `{option}` out")).into()
}

fn forbidden(args: &Compile) -> Forbid {
    let is = |what| args.forbid.contains(&what);
    // What shares adders stays sums of bits.
    let words = is(args::Forbid::Words) || iterations(args).is_some();
    Forbid { pair: is(args::Forbid::Pair), muxf: is(args::Forbid::Muxf), carry: is(args::Forbid::Carry), words }
}

/// How the target counts lookup tables.
fn cost(args: &Compile) -> Cost {
    let cost = Cost::of(args.target.passes);
    Cost { pairs: cost.pairs && !forbidden(args).pair, ..cost }
}

/// The levels that logic may have before registers are placed: none are asked for where registers divide it.
fn levels_of_logic(args: &Compile, module: &Module) -> Option<u32> {
    let netlist = module.top().is_some_and(|f| f.level() == Level::Bit);
    let combinational = match (args.stages, args.clock, args.latency_ns) {
        (Some(stages), ..) => stages == 0,
        (_, None, None) => netlist,
        _ => false,
    };
    args.max_levels.filter(|_| combinational)
}

/// Whether the design keeps to `--max-levels`.
fn check_levels(args: &Compile, module: &Module) -> Outcome {
    let levels = module.top().map_or(0, |f| count(f).total.levels);
    let Some(most) = args.max_levels.filter(|&most| levels > most.into()) else { return Ok(()) };
    let message = format!("no design of at most {most} levels was found: this one has {levels}");
    let d = Diagnostic::error(&codes::LEVELS, message).in_file(files::display(&args.input), "");
    Err(d.help(format!("allow `--max-levels {levels}`, or more registers, as `--stages` places them")).into())
}

/// What `@default` stands for.
fn default_passes(args: &Compile, level: Level, speed: &Speed) -> String {
    let registers = match (args.stages, args.clock, args.latency_ns) {
        (Some(n), Some(mhz), _) => Registers::StagesAt(n, 1000.0 / mhz),
        (Some(n), ..) => Registers::Stages(n),
        (_, Some(mhz), _) => Registers::Period(1000.0 / mhz),
        (.., Some(ns)) => Registers::Latency(ns),
        _ if level == Level::Tensor => Registers::PerLayer,
        _ => Registers::Stages(0),
    };
    let fast = args.latency_ns.is_some();
    let head = match args.head {
        Some(args::Head::Of(head)) => head,
        None if fast => Head::Fast,
        None | Some(args::Head::Iterative(_)) => Head::Small,
    };
    let (target, effort, delays) = (args.target.passes, args.effort, speed.delays);
    let (forbid, ripple) = (forbidden(args), args.target.ripple());
    let text = default::pipeline(level, &Goals { target, registers, head, effort, delays, forbid, ripple });
    let text = match args.input_bits {
        Some(bits) => text.replacen("quantize", &format!("quantize{{bits={bits}}}"), 1),
        None => text,
    };
    let text = match args.rules {
        Some(_) => text.replacen("fold", "fold,rules,fold", 1),
        None => text,
    };
    let text = match iterations(args) {
        Some(options) => text.replacen("lower-encoder", &format!("iterate{{{options}}},fold,lower-encoder"), 1),
        None => text,
    };
    let text = ports(args, text);
    // After what is exact and cheap, before encoder and head are built.
    let approximate = match (&args.prune, &args.calibrate) {
        (Some(_), _) => format!("fold,prune{{budget={}}},fold", args.accuracy_budget),
        (None, Some(_)) => "fold,calibrate,fold".to_owned(),
        (None, None) => return text,
    };
    text.replacen("fold", &approximate, 1)
}

/// Options of `iterate`, where a sample is to take several cycles.
fn iterations(args: &Compile) -> Option<String> {
    match (args.head, args.encoder) {
        (Some(args::Head::Iterative(m)), _) => Some(format!("interval={m}")),
        (_, Some(m)) => Some(format!("interval={m},encoder=true")),
        _ => None,
    }
}

/// The pipeline with registers and handshake at the ports.
fn ports(args: &Compile, text: String) -> String {
    let side = |side: Port| args.registers.contains(&side);
    let reset = match args.reset {
        Reset::None => "",
        Reset::SyncHigh => "reset=true",
        Reset::SyncLow => "reset=false",
    };
    let given = [
        (side(Port::In), "inputs=true"),
        (side(Port::Out), "outputs=true"),
        (args.valid, "valid=true"),
        (!reset.is_empty(), reset),
    ];
    let options: Vec<&str> = given.into_iter().filter(|(given, _)| *given).map(|(_, option)| option).collect();
    match (options.is_empty(), text.contains("pipeline{")) {
        (true, _) => text,
        (_, true) => text.replacen("pipeline{", &format!("pipeline{{{},", options.join(",")), 1),
        (_, false) => text.replacen("pipeline,", &format!("pipeline{{{}}},", options.join(",")), 1),
    }
}

/// Renames ports, and what the function's attributes call them.
fn rename(f: &mut Func, ports: &[(String, String)], path: &Path) -> Outcome {
    for (old, new) in ports {
        let wrong = |why: String| Err(unfit(path, &format!("--port {old}={new}"), &why));
        let names: Vec<&str> = f.params.iter().chain(&f.results).map(|p| p.name.as_str()).collect();
        if !names.contains(&old.as_str()) {
            return wrong(format!("the ports are {}", names.join(", ")));
        }
        let inner = f.ops().any(|(_, op)| op.results().any(|v| f.name_of(v) == Some(new)));
        if names.contains(&new.as_str()) || inner {
            return wrong(format!("there is a `{new}` already"));
        }
        f.params.iter_mut().chain(&mut f.results).filter(|p| p.name == *old).for_each(|p| p.name.clone_from(new));
        let control = |name: &str| control::INPUTS.contains(&name) || control::RESULTS.contains(&name);
        for (name, attr) in &mut f.attrs {
            if control(name) && *attr == FuncAttr::Str(old.clone()) {
                *attr = FuncAttr::Str(new.clone());
            }
        }
    }
    Ok(())
}

/// Proves a design equal to what it was made from.
fn prove(before: &Module, after: &Module) -> Outcome<Proof> {
    let (Some(f), Some(g)) = (before.top(), after.top()) else {
        return Err(Diagnostic::error(&NO_FUNCTION, "the input has no function").into());
    };
    let found = equiv::compare(Side { module: before, f }, Side { module: after, f: g }, &equiv::Options::default())?;
    match found.verdict {
        Verdict::Proved => Ok(Proof::new(found)),
        Verdict::Undecided(open) => {
            let text = format!("{} of {} output bits are not proved equal to the input's", open.len(), found.outputs);
            let d = Diagnostic::error(&codes::UNDECIDED, text).help("leave `--prove` out, or try `--check-each=sat`");
            Err(Failure::Undecided(vec![d]))
        }
        Verdict::Refuted(_) | Verdict::Latency(..) => {
            let d = Diagnostic::error(&codes::NOT_EQUAL, "the design does not compute what the input says");
            Err(Failure::NotEqual(vec![d.help("`--check-each=sat` says which pass is to blame; please report it")]))
        }
    }
}

/// How a design was made.
struct Made {
    run: RunReport,
    proof: Option<Proof>,
    speed: Speed,
    library: Option<Arc<Library>>,
}

/// Every file but `timing.json`, and the report's table.
fn emit_all(args: &Compile, input: &Input, module: &Module, made: Made, ui: &Ui) -> Outcome<(Outputs, String, String)> {
    let Made { mut run, proof, speed, library } = made;
    let Some(f) = module.top() else {
        return Err(Diagnostic::error(&NO_FUNCTION, "the input has no function").into());
    };
    let mut outputs = Outputs::default();
    outputs.add(DESIGN, module.to_string());
    for &format in &args.emit {
        if let Some(warning) = emit::emit(format, module, input, args, library.clone(), &mut outputs)? {
            ui.warn(std::slice::from_ref(&warning));
            run.warnings.push(warning);
        }
    }
    let names = outputs.names().chain([REPORT, TIMING]).map(String::from).collect();
    let report = Report::new(input, &args.target, module, f, &run, names, speed)?.signed(proof);
    let report = report.in_gates(f, library.as_deref());
    let json = report.to_json();
    let table = serde_json::from_str(&json).ok().as_ref().and_then(table).unwrap_or_default();
    outputs.add(REPORT, json.as_str());
    Ok((outputs, table, json))
}

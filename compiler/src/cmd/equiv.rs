//! `blc equiv`: whether two designs compute the same, proved.

use std::path::{Path, PathBuf};
use std::time::Instant;

use blc_backends::sim::Program;
use blc_frontend::data::{Array, Elements, npy};
use blc_frontend::files;
use blc_ir::diag::Diagnostic;
use blc_ir::eval::Val;
use blc_ir::{Func, FuncAttr, Module, Type};
use blc_passes::codes::NO_FUNCTION;
use blc_passes::equiv::{self, Counterexample, Effort, Options, Outcome as Found, Side, Verdict};
use serde::Serialize;

use super::compile::to_ir;
use crate::args::Equiv;
use crate::codes;
use crate::load::{self, Design};
use crate::outputs::Outputs;
use crate::ui::{Failure, Outcome, Ui};

/// What is told of a comparison.
#[derive(Serialize)]
struct Summary<'a> {
    verdict: &'static str,
    first: String,
    second: String,
    /// Bits of results.
    outputs: usize,
    /// Those that are still open.
    open: &'a [String],
    /// A bit on which they differ.
    differs: Option<&'a str>,
    counterexample: Option<String>,
    assumptions: &'a [String],
    effort: &'a Effort,
    seconds: f64,
}

/// Compares two designs.
pub fn run(args: &Equiv, ui: &Ui) -> Outcome {
    let start = Instant::now();
    let (a, b) = (module(args, &args.first)?, module(args, &args.second)?);
    let (f, g) = (top(&a, &args.first)?, top(&b, &args.second)?);
    let options = Options { certificate: args.certificate.is_some(), output: args.conflicts, ..Options::default() };
    let found = equiv::compare(Side { module: &a, f }, Side { module: &b, f: g }, &options)?;
    if let Verdict::Refuted(counter) = &found.verdict {
        npy::write(&args.counterexample, &array(f, counter))?;
    }
    if let (Some(dir), Some(certificate)) = (&args.certificate, &found.certificate) {
        let mut outputs = Outputs::default();
        outputs.add("equiv.cnf", certificate.cnf.as_str());
        outputs.add("equiv.drat", certificate.drat.as_str());
        outputs.write(dir)?;
        ui.say(format_args!("wrote equiv.cnf and equiv.drat to {}", files::display(dir)));
    }
    if args.json {
        ui.data(json(args, &found, start.elapsed().as_secs_f64()))?;
    }
    conclude(args, &found, start.elapsed().as_secs_f64(), ui)
}

/// The design of a file, or of a folder that `blc compile` wrote.
fn module(args: &Equiv, path: &Path) -> Outcome<Module> {
    let file: PathBuf = if path.is_dir() { load::design_file(path)? } else { path.into() };
    let input = load::read_all(&file)?;
    let mut module = match input.design {
        Design::Model(..) => to_ir(&input, &file, args.parts)?,
        Design::Module(module) => module,
    };
    // A netlist of others does not say how long it takes.
    let registers = module.top().is_some_and(|f| f.clock().is_some() && f.attr("latency").is_none());
    let latency = module.top().filter(|_| registers).map(|f| Program::compile(&module, f)?.latency());
    if let (Some(latency), Some(f)) = (latency.transpose()?, module.top_mut()) {
        f.set_attr("latency", FuncAttr::Int(latency));
    }
    Ok(module)
}

fn top<'a>(module: &'a Module, path: &Path) -> Outcome<&'a Func> {
    let none = || Diagnostic::error(&NO_FUNCTION, "there is no function in it").in_file(files::display(path), "");
    Ok(module.top().ok_or_else(none)?)
}

fn conclude(args: &Equiv, found: &Found, seconds: f64, ui: &Ui) -> Outcome {
    let (a, b) = (files::display(&args.first), files::display(&args.second));
    let e = &found.effort;
    let effort = format!(
        "{} gates, {} patterns, {} pairs merged by structure, {} by SAT, {} sums by algebra, {} conflicts, {seconds:.2} s",
        e.gates, e.patterns, e.merged_by_structure, e.merged_by_sat, e.sums, e.conflicts
    );
    match &found.verdict {
        Verdict::Proved => {
            if !args.json {
                ui.data(format!("proved: {a} = {b} in all {} output bits\n", found.outputs))?;
                found.assumptions.iter().for_each(|text| ui.say(format_args!("assumed: {text}")));
                ui.say(effort);
            }
            Ok(())
        }
        Verdict::Refuted(counter) => {
            let text = format!("{a} and {b} differ: {} is {} in the first", counter.output, u8::from(counter.first));
            let file = files::display(&args.counterexample);
            let help = format!("`blc sim DESIGN --input {file}` replays it on either, once compiled");
            Err(Failure::NotEqual(vec![
                Diagnostic::error(&codes::NOT_EQUAL, text).note(format!("the input is in {file}")).help(help),
            ]))
        }
        Verdict::Latency(x, y) => {
            let text = format!("{a} answers after {x} cycles, {b} after {y}");
            Err(Failure::NotEqual(vec![Diagnostic::error(&codes::NOT_EQUAL, text)]))
        }
        Verdict::Undecided(open) => {
            const SHOWN: usize = 16;
            let mut names: Vec<&str> = open.iter().take(SHOWN).map(String::as_str).collect();
            names.extend((open.len() > SHOWN).then_some("…"));
            let text =
                format!("{} of {} output bits are neither proved equal nor different", open.len(), found.outputs);
            let open = Diagnostic::error(&codes::UNDECIDED, text).note(format!("open: {}", names.join(", ")));
            Err(Failure::Undecided(vec![open.note(effort).help("allow more with `--conflicts`")]))
        }
    }
}

fn json(args: &Equiv, found: &Found, seconds: f64) -> String {
    let (open, differs): (&[String], _) = match &found.verdict {
        Verdict::Undecided(open) => (open, None),
        Verdict::Refuted(counter) => (&[], Some(counter.output.as_str())),
        _ => (&[], None),
    };
    let summary = Summary {
        verdict: match &found.verdict {
            Verdict::Proved => "proved",
            Verdict::Refuted(_) | Verdict::Latency(..) => "refuted",
            Verdict::Undecided(_) => "undecided",
        },
        first: files::display(&args.first),
        second: files::display(&args.second),
        outputs: found.outputs,
        open,
        differs,
        counterexample: differs.map(|_| files::display(&args.counterexample)),
        assumptions: &found.assumptions,
        effort: &found.effort,
        seconds,
    };
    serde_json::to_string_pretty(&summary).unwrap_or_default() + "\n"
}

/// A counterexample as a batch of one sample.
fn array(f: &Func, counter: &Counterexample) -> Array {
    let types = f.params.iter().map(|p| f.ty(p.value)).filter(|&ty| ty != Type::CLOCK);
    let width = types.map(|ty| ty.elem_bits()).max().unwrap_or(1);
    let reals: Vec<f32> =
        counter.inputs.iter().flat_map(|v| if let Val::F32(x) = v { x.as_slice() } else { &[] }).copied().collect();
    let words: Vec<u64> =
        counter.inputs.iter().flat_map(|v| if let Val::Packed(x) = v { x.as_slice() } else { &[] }).copied().collect();
    let data = match width {
        _ if !reals.is_empty() => Elements::F32(reals),
        0..=8 => Elements::U8(words.iter().map(|&w| w as u8).collect()),
        9..=16 => Elements::U16(words.iter().map(|&w| w as u16).collect()),
        17..=32 => Elements::U32(words.iter().map(|&w| w as u32).collect()),
        _ => Elements::U64(words),
    };
    Array { shape: vec![1, counter.inputs.iter().map(Val::len).sum()], data }
}

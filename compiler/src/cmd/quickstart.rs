//! `blc quickstart`: the whole way on embedded data, and everyone must agree.

use std::path::Path;
use std::time::Instant;

use blc_backends::emit::{Format, file_stem};
use blc_backends::sim::{Engine, Simulator};
use blc_backends::verilog::testbench::{self, Vector};
use blc_frontend::data::{Dataset, Features, Split};
use blc_frontend::model::{Model, TensorNames};
use blc_frontend::train::{Accuracy, Config, RunOptions, predict, train};
use blc_frontend::{files, lower};
use blc_ir::diag::Diagnostic;
use blc_ir::eval::Val;
use blc_ir::{Func, Module};
use blc_passes::{Registry, Target};
use serde_json::{Value, json};

use crate::answers::Answers;
use crate::args::{Compile, Parts, Quickstart};
use crate::batch::Rows;
use crate::cmd::compile::{self, Compiled};
use crate::codes;
use crate::icarus::{self, Verdict};
use crate::load::{Design, Input, Kind};
use crate::outputs::{self, Outputs};
use crate::progress::{Progress, percent};
use crate::target::Chosen;
use crate::ui::{self, Failure, Outcome, Ui};

/// The data set, which is also the preset.
const DATA: &str = "digits";
/// Name of the model in its folder.
const MODEL: &str = "model.safetensors";

/// Trains, compiles, evaluates four times, compares.
pub fn run(args: &Quickstart, registry: &Registry, ui: &Ui) -> Outcome {
    outputs::check_folder(&args.output)?;
    let data = Dataset::open(DATA)?;
    let model = trained(&data, args.seed, ui)?;
    let bytes = model.to_bytes()?;
    let names = TensorNames::standard(&model);
    let compiled = compiled(args, &model, &names, &bytes, registry, ui)?;

    ui.say(format_args!("evaluating the {} test samples", data.test.len()));
    let trainer = of_trainer(&model, &data.test)?;
    let evaluator = of_module("evaluator", &lower::to_ir(&model, MODEL, &names), Engine::Reference, &data.test)?;
    let simulator = of_module("simulator", &compiled.module, Engine::Portable, &data.test)?;
    let vectors = vectors(&compiled.module, &data, &trainer)?;
    let Compiled { module, mut outputs, table, json } = compiled;
    let name = file_stem(&module);
    let vectors_file = format!("{name}_vectors.hex");
    outputs.add(MODEL, bytes);
    outputs.add(&vectors_file, testbench::hex_vectors(&module, &vectors)?);
    outputs.write(&args.output)?;
    let verdict = simulate_verilog(&args.output, &outputs, &vectors_file)?;

    let checks = [Check::of(&evaluator, &trainer), Check::of(&simulator, &trainer)];
    let labels = &data.test.y;
    if args.json {
        ui.data(record(&trainer, &checks, &verdict, labels, &json))?;
    } else {
        let text = comparison(&trainer, &[evaluator, simulator], &checks, &verdict, labels);
        ui.data(format!("{text}\n{table}"))?;
    }
    let folder = files::display(&args.output);
    ui.say(format_args!("everything is in {folder}; next: blc sim {folder} --data {DATA}, blc report {folder}"));
    disagreement(&checks, &verdict, labels.len()).map_or(Ok(()), |d| Err(Failure::NotEqual(vec![d])))
}

fn trained(data: &Dataset, seed: Option<u64>, ui: &Ui) -> Outcome<Model> {
    let mut config = Config::preset(DATA)?;
    config.seed = seed.unwrap_or(config.seed);
    ui.say(format_args!("training on {} images of handwritten digits", data.train.len()));
    let mut progress = Progress::new(ui);
    let trained = train(data, &config, &mut progress, &RunOptions::default());
    progress.finish();
    let trained = trained?;
    ui.say(format_args!(
        "{} lookup tables trained in {:.1} s, validation {} hard",
        trained.report.nodes,
        trained.report.seconds,
        percent(trained.report.validation)
    ));
    Ok(trained.model)
}

fn compiled(
    args: &Quickstart,
    model: &Model,
    names: &TensorNames,
    bytes: &[u8],
    registry: &Registry,
    ui: &Ui,
) -> Outcome<Compiled> {
    let start = Instant::now();
    ui.say("compiling for xc7");
    let input = Input {
        kind: Kind::Model,
        file: MODEL.into(),
        sha256: files::sha256_hex(bytes),
        design: Design::Model(model.clone(), names.clone()),
    };
    let target =
        Chosen::named(Target::Xc7.name()).ok_or_else(|| Diagnostic::error(&codes::OPTION_UNFIT, "no such target"))?;
    let options = Compile {
        input: args.output.join(MODEL),
        target,
        output: args.output.clone(),
        emit: vec![Format::Verilog, Format::Blif],
        passes: "@default".into(),
        stages: None,
        clock: None,
        latency_ns: None,
        head: None,
        encoder: None,
        speed_grade: None,
        valid: false,
        reset: crate::args::Reset::None,
        registers: Vec::new(),
        ports: Vec::new(),
        top: None,
        bus: None,
        parts: Parts::default(),
        calibrate: None,
        rules: None,
        liberty: None,
        prune: None,
        accuracy_budget: 0.2,
        effort: blc_passes::default::EFFORT,
        max_levels: None,
        forbid: Vec::new(),
        input_bits: None,
        prove: false,
        json: false,
        debug: Default::default(),
    };
    compile::compile(&options, input, start, None, registry, ui)
}

/// What one way of evaluation says of every sample.
#[derive(Clone, Debug)]
struct Said {
    who: &'static str,
    /// `[N]`
    classes: Vec<u16>,
    /// `[N, classes]`
    scores: Vec<u64>,
}

fn of_trainer(model: &Model, test: &Split) -> Outcome<Said> {
    let said = predict(model, &test.x)?;
    Ok(Said { who: "trainer", classes: said.classes, scores: said.scores })
}

fn of_module(who: &'static str, module: &Module, engine: Engine, test: &Split) -> Outcome<Said> {
    let f = top(module)?;
    let outputs = Simulator::new(module, f, engine)?.run(&Rows::of(&test.x, test.len()).input())?;
    let answers = Answers::new(f, &outputs);
    match (answers.classes(), answers.scores()) {
        (Some(classes), Some(scores)) => {
            Ok(Said { who, classes, scores: scores.data.to_f64().into_iter().map(|x| x as u64).collect() })
        }
        _ => Err(Diagnostic::error(&codes::NO_CLASS, format!("the {who} gives no class or no scores")).into()),
    }
}

fn top(module: &Module) -> Outcome<&Func> {
    module.top().ok_or_else(|| Diagnostic::error(&codes::NO_DESIGN, "the design has no function").into())
}

/// Test samples with what the trainer says of them.
fn vectors(module: &Module, data: &Dataset, trainer: &Said) -> Outcome<Vec<Vector>> {
    let f = top(module)?;
    let Features::U8(x) = &data.test.x else {
        return Err(Diagnostic::error(&codes::BATCH_DTYPE, "the embedded data set is not of bytes").into());
    };
    let groups = trainer.scores.len() / trainer.classes.len().max(1);
    let rows = x.chunks_exact(data.features()).zip(trainer.scores.chunks_exact(groups)).zip(&trainer.classes);
    let vector = |((x, scores), &class): ((&[u8], &[u64]), &u16)| Vector {
        inputs: vec![Val::Packed(x.iter().map(|&x| x.into()).collect())],
        outputs: (f.results.iter())
            .map(|port| Val::Packed(if port.name == "class" { vec![class.into()] } else { scores.to_vec() }))
            .collect(),
    };
    Ok(rows.map(vector).collect())
}

fn simulate_verilog(dir: &Path, outputs: &Outputs, vectors: &str) -> Outcome<Verdict> {
    let files: Vec<String> = outputs.names().filter(|n| n.ends_with(".v")).map(String::from).collect();
    Ok(icarus::run(dir, &files, vectors)?)
}

/// How often two agree.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Check {
    who: &'static str,
    same_class: usize,
    same_scores: usize,
    /// The first sample on which they do not, in words.
    first: Option<String>,
}

impl Check {
    fn of(said: &Said, trainer: &Said) -> Self {
        let n = trainer.classes.len();
        let groups = trainer.scores.len() / n.max(1);
        let scores = |s: &Said, i: usize| s.scores.get(i * groups..(i + 1) * groups).unwrap_or(&[]).to_vec();
        let same_class = |&i: &usize| said.classes.get(i) == trainer.classes.get(i);
        let same_scores = |&i: &usize| scores(said, i) == scores(trainer, i);
        let first = (0..n).find(|i| !same_class(i) || !same_scores(i)).map(|i| {
            let words =
                |s: &Said| format!("the {} says class {:?} with scores {:?}", s.who, s.classes.get(i), scores(s, i));
            format!("test sample {i}: {}, {}", words(said), words(trainer))
        });
        let (same_class, same_scores) = ((0..n).filter(same_class).count(), (0..n).filter(same_scores).count());
        Self { who: said.who, same_class, same_scores, first }
    }
}

/// The table of all four.
fn comparison(trainer: &Said, others: &[Said], checks: &[Check], verdict: &Verdict, labels: &[u16]) -> String {
    let accuracy = |s: &Said| percent(Accuracy::of(&s.classes, labels.iter().copied()));
    let n = labels.len().to_string();
    let mut rows = vec![
        ["", "samples", "accuracy", "same class", "same scores"].map(String::from).to_vec(),
        vec!["trainer (hard)".into(), n.clone(), accuracy(trainer)],
    ];
    for (said, check) in others.iter().zip(checks) {
        let same = [check.same_class, check.same_scores].map(|n| n.to_string());
        rows.push([vec![said.who.into(), n.clone(), accuracy(said)], same.to_vec()].concat());
    }
    rows.push(match verdict {
        Verdict::NotInstalled => vec!["Verilog (Icarus)".into(), "not installed".into()],
        // The testbench compares class and scores at once: where all agree, so does the accuracy.
        Verdict::Ran { vectors, wrong, .. } => {
            let same = (vectors - wrong).to_string();
            let accuracy = if (*vectors, *wrong) == (labels.len(), 0) { accuracy(trainer) } else { "?".into() };
            vec!["Verilog (Icarus)".into(), vectors.to_string(), accuracy, same.clone(), same]
        }
    });
    ui::table(&rows)
}

/// The same for programs: how often each agrees with the trainer, and the report.
fn record(trainer: &Said, checks: &[Check], verdict: &Verdict, labels: &[u16], report: &str) -> String {
    let agree = |c: &Check| json!({"who": c.who, "same_class": c.same_class, "same_scores": c.same_scores});
    let verilog = match verdict {
        Verdict::NotInstalled => Value::Null,
        Verdict::Ran { vectors, wrong, .. } => json!({"vectors": vectors, "wrong": wrong}),
    };
    let report: Value = serde_json::from_str(report).unwrap_or_default();
    let record = json!({
        "samples": labels.len(),
        "correct": Accuracy::of(&trainer.classes, labels.iter().copied()).correct,
        "checks": checks.iter().map(agree).collect::<Vec<_>>(),
        "verilog": verilog,
        "report": report,
    });
    serde_json::to_string_pretty(&record).unwrap_or_default() + "\n"
}

/// The first disagreement, if there is one.
fn disagreement(checks: &[Check], verdict: &Verdict, samples: usize) -> Option<Diagnostic> {
    let of_check = |c: &Check| {
        let first = c.first.clone()?;
        Some(Diagnostic::error(&codes::DISAGREE, format!("{} and trainer differ", c.who)).note(first))
    };
    let of_verilog = || match verdict {
        Verdict::Ran { wrong, mismatches, .. } if *wrong > 0 => {
            let d = Diagnostic::error(&codes::DISAGREE, format!("Verilog and trainer differ on {wrong} samples"));
            Some(mismatches.iter().take(3).fold(d, |d, line| d.note(line)))
        }
        Verdict::Ran { vectors, .. } if *vectors != samples => {
            Some(Diagnostic::error(&codes::DISAGREE, format!("Verilog ran {vectors} of {samples} samples")))
        }
        _ => None,
    };
    let found = checks.iter().find_map(of_check).or_else(of_verilog)?;
    Some(found.help("this is an error of blc: please report it with the files of the output folder"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(who: &'static str, classes: &[u16], scores: &[u64]) -> Said {
        Said { who, classes: classes.into(), scores: scores.into() }
    }

    #[test]
    fn every_difference_is_found() {
        let trainer = said("trainer", &[1, 0], &[3, 5, 4, 2]);
        let same = Check::of(&said("simulator", &[1, 0], &[3, 5, 4, 2]), &trainer);
        assert_eq!((same.same_class, same.same_scores, &same.first), (2, 2, &None));
        let ran = |vectors, wrong| Verdict::Ran { vectors, wrong, mismatches: vec!["vector 7: x".into()] };
        assert!(disagreement(std::slice::from_ref(&same), &ran(2, 0), 2).is_none());
        assert!(disagreement(std::slice::from_ref(&same), &Verdict::NotInstalled, 2).is_none());

        let class = Check::of(&said("simulator", &[1, 1], &[3, 5, 4, 2]), &trainer);
        assert_eq!((class.same_class, class.same_scores), (1, 2));
        let score = Check::of(&said("simulator", &[1, 0], &[3, 5, 4, 1]), &trainer);
        assert_eq!((score.same_class, score.same_scores), (2, 1));
        let short = Check::of(&said("simulator", &[1], &[3, 5]), &trainer);
        for check in [class, score, short] {
            let d = disagreement(&[same.clone(), check], &Verdict::NotInstalled, 2).unwrap();
            assert!(d.notes[0].starts_with("test sample 1: the simulator says class"), "{d}");
        }
        assert!(disagreement(&[], &ran(2, 1), 2).unwrap().notes[0].contains("vector 7"));
        assert!(disagreement(&[], &ran(1, 0), 2).unwrap().message.contains("1 of 2"));
    }

    #[test]
    fn a_missing_simulator_is_seen() {
        let trainer = said("trainer", &[1, 0], &[3, 5, 4, 2]);
        let check = Check::of(&trainer, &trainer);
        let text = comparison(&trainer, std::slice::from_ref(&trainer), &[check], &Verdict::NotInstalled, &[1, 1]);
        assert!(text.contains("Verilog (Icarus)  not installed"), "{text}");
        assert!(text.contains("50.00 %"), "{text}");
        let record =
            record(&trainer, &[Check::of(&trainer, &trainer)], &Verdict::NotInstalled, &[1, 1], "{\"luts\": 3}");
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!((&record["correct"], &record["checks"][0]["same_scores"]), (&1.into(), &2.into()));
        assert_eq!((&record["verilog"], &record["report"]["luts"]), (&Value::Null, &3.into()));
    }
}

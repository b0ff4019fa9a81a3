//! Single-event upsets: what is left of a design's answers when a particle has inverted one bit of it.
//!
//! An upset in a table is one bit of configuration memory and stays until it is repaired: every sample sees it. One in a
//! register of a pipeline lasts a cycle and meets one sample: told is what becomes of each sample that it may meet.

use blc_backends::sim::Simulator;
use blc_ir::diag::Diagnostic;
use blc_ir::loc::LocId;
use blc_ir::{Func, OpId, OpKind, Type};
use serde::Serialize;

use super::Design;
use super::batch::windows;
use crate::answers::Answers;
use crate::args::Sim;
use crate::batch::{self, Batch, Labels};
use crate::codes;
use crate::ui::{self, Outcome, Ui};

/// One upset and what it does.
#[derive(Clone, Debug, Serialize)]
struct Upset {
    /// `table` or `register`.
    kind: &'static str,
    /// The op, as the IR has it.
    op: String,
    /// The table's bit.
    bit: Option<u32>,
    /// Samples whose answer is another.
    changed: usize,
    /// With labels.
    accuracy: Option<f64>,
}

#[derive(Serialize)]
struct Summary {
    design: String,
    samples: usize,
    seed: u64,
    accuracy: Option<f64>,
    /// Mean share of answers that an upset changes.
    changed: f64,
    /// Upsets that change no answer at all.
    harmless: usize,
    worst_accuracy: Option<f64>,
    mean_accuracy: Option<f64>,
    upsets: Vec<Upset>,
}

/// Answers to a batch: one number for each sample.
type Said = Vec<Vec<u64>>;

/// Tries `--seu N` upsets, one after the other.
pub(super) fn run(args: &Sim, count: u32, design: &Design, ui: &Ui) -> Outcome {
    let f = design.top()?;
    let batch = Batch::open(super::input(args), &design.module, f, args.packed)?;
    let labels = args.labels.as_ref().map(|path| Labels::open(path, batch.samples())).transpose()?;
    let labels = labels.map(|labels| labels.rows(0..batch.samples())).transpose()?;
    if labels.is_some() && !Answers::gives_classes(f) {
        return Err(design.lacks("it gives no class to compare with labels").into());
    }
    let sites = sites(f);
    let bits: u64 = sites.iter().map(|s| u64::from(s.1)).sum();
    if bits == 0 {
        let d = Diagnostic::error(&codes::CYCLES, "the design has no table and no register to upset");
        return Err(d.help("compile the model first").into());
    }
    let good = answers(args, design, f, &batch)?;
    let accuracy = |said: &Said| {
        let labels = labels.as_ref()?;
        let right = said.iter().zip(labels).filter(|(s, label)| s[0] == u64::from(**label)).count();
        Some(right as f64 / labels.len().max(1) as f64)
    };
    let mut state = args.seed;
    let mut upsets = Vec::new();
    for _ in 0..count {
        let mut at = random(&mut state) % bits;
        let &(op, _) = sites
            .iter()
            .find(|(_, n)| {
                let here = at < u64::from(*n);
                at -= if here { 0 } else { u64::from(*n) };
                here
            })
            .unwrap_or(&sites[0]);
        let mut hurt = f.clone();
        let kind = upset(&mut hurt, op, at as u32);
        let said = answers(args, design, &hurt, &batch)?;
        upsets.push(Upset {
            kind,
            op: blc_ir::print::op_text(&design.module, f, op).trim().to_owned(),
            bit: (kind == "table").then_some(at as u32),
            changed: said.iter().zip(&good).filter(|(a, b)| a != b).count(),
            accuracy: accuracy(&said),
        });
    }
    let mean = |of: &dyn Fn(&Upset) -> f64| upsets.iter().map(of).sum::<f64>() / upsets.len().max(1) as f64;
    let samples = batch.samples();
    let left = |u: &Upset| u.accuracy;
    let summary = Summary {
        design: design.name.clone(),
        samples,
        seed: args.seed,
        accuracy: accuracy(&good),
        changed: mean(&|u| u.changed as f64 / samples.max(1) as f64),
        harmless: upsets.iter().filter(|u| u.changed == 0).count(),
        worst_accuracy: upsets.iter().filter_map(left).reduce(f64::min),
        mean_accuracy: labels.as_ref().map(|_| mean(&|u| u.accuracy.unwrap_or(0.0))),
        upsets,
    };
    ui.data(if args.json { serde_json::to_string_pretty(&summary).unwrap_or_default() + "\n" } else { text(&summary) })
}

fn text(s: &Summary) -> String {
    let percent = |x: f64| format!("{:.2} %", 100.0 * x);
    let mut rows = vec![["upset", "answers changed", "accuracy"].map(str::to_owned).to_vec()];
    for u in &s.upsets {
        let place = u.bit.map_or_else(|| u.op.clone(), |bit| format!("bit {bit} of {}", u.op));
        rows.push(vec![place, u.changed.to_string(), u.accuracy.map_or_else(|| "-".into(), percent)]);
    }
    let mut text = ui::table(&rows);
    text += &format!(
        "{} upsets, {} of them harmless; one changes {} of the answers in the mean\n",
        s.upsets.len(),
        s.harmless,
        percent(s.changed)
    );
    if let (Some(good), Some(mean), Some(worst)) = (s.accuracy, s.mean_accuracy, s.worst_accuracy) {
        text += &format!(
            "accuracy {} without, {} in the mean, {} at worst\n",
            percent(good),
            percent(mean),
            percent(worst)
        );
    }
    text
}

/// Where a bit may be inverted: ops, and how many bits each has.
fn sites(f: &Func) -> Vec<(OpId, u32)> {
    let bits = |kind: OpKind, inputs: usize| match kind {
        OpKind::Lut { .. } | OpKind::Xc7Lut6 { .. } => 1 << inputs,
        OpKind::Xc7Lut6_2 { .. } => 64,
        OpKind::Reg { .. } | OpKind::Xc7Fdre { .. } => 1,
        _ => 0,
    };
    f.ops().map(|(id, op)| (id, bits(op.kind, op.operands.len()))).filter(|(_, n)| *n > 0).collect()
}

/// Inverts a bit.
fn upset(f: &mut Func, id: OpId, bit: u32) -> &'static str {
    let op = f.op(id);
    match op.kind {
        OpKind::Lut { table } => f.set_kind(id, OpKind::Lut { table: table ^ 1 << bit }),
        OpKind::Xc7Lut6 { init } => f.set_kind(id, OpKind::Xc7Lut6 { init: init ^ 1 << bit }),
        OpKind::Xc7Lut6_2 { init } => f.set_kind(id, OpKind::Xc7Lut6_2 { init: init ^ 1 << bit }),
        _ => {
            let operands = op.operands.to_vec();
            let inverse = f.push1(OpKind::Lut { table: 1 }, &operands[..1], Type::BIT, LocId::UNKNOWN);
            f.set_operands(id, &[inverse, operands[1]]);
            f.tidy();
            return "register";
        }
    }
    "table"
}

/// The class of each sample, or all outputs of a design without.
fn answers(args: &Sim, design: &Design, f: &Func, batch: &Batch) -> Outcome<Said> {
    let simulator = Simulator::new(&design.module, f, args.engine)?;
    let mut said = Vec::with_capacity(batch.samples());
    for rows in windows(batch.samples(), batch.window()) {
        let outputs = simulator.run(&batch.rows(rows).input()).map_err(|d| batch::of_file(*d, batch.path()))?;
        match Answers::new(f, &outputs).classes() {
            Some(classes) => said.extend(classes.into_iter().map(|c| vec![u64::from(c)])),
            None => {
                let columns = outputs.layout().columns();
                said.extend(
                    (0..outputs.samples()).map(|s| (0..columns).map(|c| outputs.get(s, c)).collect::<Vec<_>>()),
                );
            }
        }
    }
    Ok(said)
}

/// Steele, Lea and Flood's SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

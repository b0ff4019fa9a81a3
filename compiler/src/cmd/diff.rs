//! `blc diff`: in what two designs are built differently.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use blc_frontend::files;
use blc_ir::diag::Diagnostic;
use blc_ir::print::{op_text, value_text};
use blc_ir::{Def, Func, FuncAttr, Module, Value};
use blc_passes::codes::NO_FUNCTION;
use rustc_hash::FxHashSet;
use serde::Serialize;

use super::compile::module_of;
use crate::args::Diff;
use crate::codes;
use crate::structure::{Numbered, Structures, first_difference};
use crate::ui::{self, Failure, Outcome, Ui};

/// A count in each of two designs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Pair {
    a: usize,
    b: usize,
}

/// In what they differ; all lists are empty where they do not.
#[derive(Debug, Serialize)]
struct Difference {
    same: bool,
    first: String,
    second: String,
    /// Ports that only one has, or that have another type.
    ports: Vec<String>,
    /// Attributes of the top that differ.
    attributes: Vec<String>,
    /// Functions that only the first has, whatever they are called.
    functions_only_in_first: Vec<String>,
    functions_only_in_second: Vec<String>,
    /// By mnemonic.
    ops: BTreeMap<String, Pair>,
    /// Ops by the layer that they come from.
    layers: BTreeMap<String, Pair>,
    /// Ops that the other has, too, with the same inputs.
    shared: Pair,
    /// Outputs that are built differently.
    outputs: Vec<String>,
    cone: Option<Cone>,
}

/// The first place where an output is built differently.
#[derive(Debug, Serialize)]
struct Cone {
    output: String,
    first: String,
    second: String,
}

/// Compares two designs.
pub fn run(args: &Diff, ui: &Ui) -> Outcome {
    let (a, b) = (module_of(&args.first)?, module_of(&args.second)?);
    let found = Difference::of((&args.first, &a), (&args.second, &b))?;
    if args.json {
        ui.data(serde_json::to_string_pretty(&found).unwrap_or_default() + "\n")?;
    } else {
        ui.data(found.text())?;
    }
    if found.same {
        return Ok(());
    }
    let text = format!("{} and {} are built differently", found.first, found.second);
    let d = Diagnostic::error(&codes::STRUCTURE, text);
    Err(Failure::NotEqual(vec![d.help("`blc equiv` says whether they compute the same all the same")]))
}

fn top<'a>(path: &Path, module: &'a Module) -> Outcome<&'a Func> {
    let lacks = || Diagnostic::error(&NO_FUNCTION, "the design has no function").in_file(files::display(path), "");
    module.top().ok_or_else(|| lacks().into())
}

impl Difference {
    fn of(a: (&Path, &Module), b: (&Path, &Module)) -> Outcome<Self> {
        let (f, g) = (top(a.0, a.1)?, top(b.0, b.1)?);
        let mut structures = Structures::default();
        let (x, y) = (structures.add(a.1, f), structures.add(b.1, g));
        let functions = |structures: &mut Structures, module: &Module| -> Vec<(String, u32)> {
            module.funcs.iter().map(|f| (format!("@{}", f.name), structures.function(module, f))).collect()
        };
        let (first, second) = (functions(&mut structures, a.1), functions(&mut structures, b.1));
        let (roots, others) = (x.roots(), y.roots());
        let pairs = || roots.iter().filter_map(|(n, v)| Some((n, *v, others.iter().find(|(m, _)| m == n)?.1)));
        let differs = |&(_, v, w): &(&String, Value, Value)| x.of(v) != y.of(w);
        let cone = pairs().find(differs).map(|(output, v, w)| {
            let (v, w) = first_difference((a.1, &x, v), (b.1, &y, w));
            Cone { output: output.clone(), first: shown(a.1, f, v), second: shown(b.1, g, w) }
        });
        let mut found = Self {
            same: false,
            first: files::display(a.0),
            second: files::display(b.0),
            ports: lines(&ports(f), &ports(g)),
            attributes: lines(&attributes(f), &attributes(g)),
            functions_only_in_first: only(&first, &second),
            functions_only_in_second: only(&second, &first),
            ops: counts(f, g, |f, id| Some(f.op(id).info().mnemonic.to_owned())),
            layers: counts(f, g, |f, id| f.locs.first_layer(f.op(id).loc).map(str::to_owned)),
            shared: shared(&x, &y),
            outputs: pairs().filter(differs).map(|(name, ..)| name.clone()).collect(),
            cone,
        };
        found.same = found.ports.is_empty()
            && found.attributes.is_empty()
            && found.outputs.is_empty()
            && roots.len() == others.len()
            && found.functions_only_in_first.is_empty()
            && found.functions_only_in_second.is_empty();
        Ok(found)
    }

    fn text(&self) -> String {
        if self.same {
            return format!("{} and {} are built the same\n", self.first, self.second);
        }
        let mut text = String::new();
        let mut list = |title: &str, items: &[String]| {
            const SHOWN: usize = 16;
            items.iter().take(SHOWN).for_each(|item| text += &format!("{title} {item}\n"));
            if items.len() > SHOWN {
                text += &format!("{title} … and {} more\n", items.len() - SHOWN);
            }
        };
        list("port", &self.ports);
        list("attribute", &self.attributes);
        list("function only in the first:", &self.functions_only_in_first);
        list("function only in the second:", &self.functions_only_in_second);
        list("output built differently:", &self.outputs);
        let mut rows = vec![["", "first", "second"].map(String::from).to_vec()];
        let row = |name: String, n: Pair| vec![name, n.a.to_string(), n.b.to_string()];
        for (kind, counts) in [("", &self.ops), ("layer ", &self.layers)] {
            let changed = counts.iter().filter(|(_, n)| n.a != n.b);
            rows.extend(changed.map(|(name, &n)| row(format!("{kind}{name}"), n)));
        }
        rows.push(row("ops in both".into(), self.shared));
        text += &ui::table(&rows);
        if let Some(cone) = &self.cone {
            text += &format!("output {} first differs at\n  - {}\n  + {}\n", cone.output, cone.first, cone.second);
        }
        text
    }
}

/// A value by what makes it.
fn shown(module: &Module, f: &Func, v: Value) -> String {
    match f.def(v) {
        Def::Param(_) => format!("{}: {} (an input)", value_text(f, v), f.ty(v)),
        Def::Result(op, _) => op_text(module, f, op),
    }
}

fn ports(f: &Func) -> BTreeMap<String, String> {
    let shown = |way: &str, port: &blc_ir::Port| (format!("{way} {}", port.name), f.ty(port.value).to_string());
    let inputs = f.params.iter().map(|port| shown("in", port));
    inputs.chain(f.results.iter().map(|port| shown("out", port))).collect()
}

fn attributes(f: &Func) -> BTreeMap<String, String> {
    let shown = |attr: &FuncAttr| match attr {
        FuncAttr::Int(n) => Some(n.to_string()),
        FuncAttr::Str(text) => Some(format!("{text:?}")),
        // Resources have names that mean nothing; those that matter are the ops'.
        FuncAttr::Resource(_) => None,
    };
    f.attrs.iter().filter_map(|(name, attr)| Some((name.clone(), shown(attr)?))).collect()
}

/// What is not the same in both.
fn lines(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let line = |name: &String| match (a.get(name), b.get(name)) {
        (Some(x), Some(y)) if x == y => None,
        (Some(x), Some(y)) => Some(format!("{name}: {x} in the first, {y} in the second")),
        (Some(x), None) => Some(format!("{name}: {x} only in the first")),
        (_, y) => Some(format!("{name}: {} only in the second", y.map_or("", |y| y))),
    };
    names.into_iter().filter_map(line).collect()
}

fn only(a: &[(String, u32)], b: &[(String, u32)]) -> Vec<String> {
    let there: FxHashSet<u32> = b.iter().map(|(_, number)| *number).collect();
    a.iter().filter(|(_, number)| !there.contains(number)).map(|(name, _)| name.clone()).collect()
}

fn counts(f: &Func, g: &Func, name: fn(&Func, blc_ir::OpId) -> Option<String>) -> BTreeMap<String, Pair> {
    let mut counts: BTreeMap<String, Pair> = BTreeMap::new();
    for name in f.op_ids().filter_map(|id| name(f, id)) {
        counts.entry(name).or_default().a += 1;
    }
    for name in g.op_ids().filter_map(|id| name(g, id)) {
        counts.entry(name).or_default().b += 1;
    }
    counts
}

fn shared(a: &Numbered<'_>, b: &Numbered<'_>) -> Pair {
    let in_both = |a: &Numbered<'_>, b: &Numbered<'_>| {
        let there: FxHashSet<u32> = b.ops().map(|(_, n)| n).collect();
        a.ops().filter(|(_, n)| there.contains(n)).count()
    };
    Pair { a: in_both(a, b), b: in_both(b, a) }
}

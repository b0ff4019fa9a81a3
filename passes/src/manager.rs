//! Runs pipelines over a design's top function, checks what passes did and says what it took.

use std::sync::Arc;
use std::time::Instant;

use blc_ir::diag::Place;
use blc_ir::verify::verify_func;
use blc_ir::{Diagnostic, Func, Level, Module};
use serde::Serialize;

use crate::approx::Data;
use crate::check::{self, Check};
use crate::codes::{NO_FUNCTION, NOT_SETTLED, PASS_BROKE_IR, UNKNOWN_PASS, WRONG_LEVEL};
use crate::control::Control;
use crate::cost::Cost;
use crate::equiv::Options;
use crate::gates::Gates;
use crate::pass::{Changed, PassCx};
use crate::pipeline::{Call, FIXPOINT_ROUNDS, Item, List, Pipeline};
use crate::registry::Registry;
use crate::rules::RuleSet;
use crate::target::Target;
use crate::{resources, suggest};

/// How to run a pipeline.
#[derive(Clone, Debug, Default)]
pub struct PassManager {
    /// Verify the function after each pass that changed it.
    pub verify_each: bool,
    /// Compare the function before and after each exact pass that changed it.
    pub check_each: Option<Check>,
    /// Passes after which [`PassObserver::ir`] is called; `all` stands for every one.
    pub print_ir_after: Vec<String>,
    /// Samples for approximate passes.
    pub data: Option<Arc<Data>>,
    /// Rewrite rules for `rules`.
    pub rules: Option<Arc<RuleSet>>,
    /// What is asked of the run as a whole.
    pub control: Control,
    /// What `try(…)` makes small; `None` for what the module's target says.
    pub cost: Option<Cost>,
    /// Gates for `gates`.
    pub gates: Option<Arc<Gates>>,
}

/// What one pass did.
#[derive(Clone, Debug, Serialize)]
pub struct PassRun {
    /// The pass with all of its options.
    pub pass: String,
    /// Whether it changed the function.
    pub changed: bool,
    /// How long it took, checks not counted.
    pub seconds: f64,
    /// Ops before.
    pub ops_before: usize,
    /// Ops after.
    pub ops_after: usize,
    /// What it told the report.
    pub facts: Vec<(String, u64)>,
}

/// What a pipeline did.
#[derive(Clone, Debug, Default)]
pub struct RunReport {
    /// The pipeline in canonical form, all options spelled out.
    pub pipeline: String,
    /// The passes as they ran.
    pub passes: Vec<PassRun>,
    /// Warnings for the user.
    pub warnings: Vec<Diagnostic>,
    /// Whether it was asked to end early, and did.
    pub interrupted: bool,
}

impl RunReport {
    /// The last value told of a fact.
    pub fn fact(&self, name: &str) -> Option<u64> {
        self.passes.iter().rev().flat_map(|p| p.facts.iter().rev()).find(|(n, _)| n == name).map(|(_, value)| *value)
    }
}

/// A pipeline that stopped. The module is as it was before the pass that failed.
#[derive(Debug)]
pub struct Failure {
    /// Why: at least one error.
    pub errors: Vec<Diagnostic>,
    /// The pass that failed; empty where none ran.
    pub pass: String,
    /// A `.blir` text that fails in the same way: the module before the pass, with the rest of the pipeline in a comment
    /// at its top. Empty where no pass ran.
    pub reproducer: String,
    /// What was done up to there.
    pub report: RunReport,
}

/// Is told what happens while a pipeline runs.
pub trait PassObserver {
    /// A pass begins.
    fn begin(&mut self, pass: &str) {
        let _ = pass;
    }
    /// A pass ended well.
    fn end(&mut self, run: &PassRun) {
        let _ = run;
    }
    /// The module after a pass that [`PassManager::print_ir_after`] names.
    fn ir(&mut self, pass: &str, module: &Module) {
        let _ = (pass, module);
    }
}

impl PassObserver for () {}

impl PassManager {
    /// Runs a pipeline over the last function of a verified module. Constant data that nothing refers to any more is
    /// dropped at the end.
    ///
    /// # Errors
    /// A pass that could not go on, was at the wrong level, left an invalid function, or changed what it computes.
    pub fn run(
        &self,
        module: &mut Module,
        pipeline: &Pipeline,
        observer: &mut dyn PassObserver,
    ) -> Result<RunReport, Box<Failure>> {
        let report = RunReport { pipeline: pipeline.resolved(), ..RunReport::default() };
        let Some(mut f) = module.funcs.pop() else {
            let error = Diagnostic::error(&NO_FUNCTION, "the module has no function").help("give it one");
            return Err(Box::new(Failure {
                errors: vec![error],
                pass: String::new(),
                reproducer: String::new(),
                report,
            }));
        };
        let mut run = Run { manager: self, module, f: &mut f, observer, report };
        let result = run.list(&pipeline.items);
        let report = run.report;
        module.funcs.push(f);
        match result {
            Ok(_) => {
                resources::drop_unused(module);
                Ok(report)
            }
            Err(stop) => {
                let reproducer = format!("// {}\n// Reproduce with: --passes '{}'\n{module}", stop.pass, stop.rest);
                Err(Box::new(Failure { errors: stop.errors, pass: stop.pass, reproducer, report }))
            }
        }
    }

    /// Checks that every name of [`PassManager::print_ir_after`] is a pass.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check_names(&self, registry: &Registry) -> blc_ir::Result<()> {
        match self.print_ir_after.iter().find(|n| *n != "all" && registry.get(n).is_none()) {
            Some(name) => {
                let help = suggest::help(name, registry.names().chain(["all"]));
                Err(Box::new(Diagnostic::error(&UNKNOWN_PASS, format!("no pass is called `{name}`")).help(help)))
            }
            None => Ok(()),
        }
    }
}

/// A pass that failed, and what would have run from it on.
struct Stop {
    errors: Vec<Diagnostic>,
    pass: String,
    rest: String,
}

struct Run<'a> {
    manager: &'a PassManager,
    /// Without the function that is worked on.
    module: &'a mut Module,
    f: &'a mut Func,
    observer: &'a mut dyn PassObserver,
    report: RunReport,
}

impl Run<'_> {
    fn list(&mut self, items: &[Item]) -> Result<bool, Stop> {
        let mut changed = false;
        for (i, item) in items.iter().enumerate() {
            changed |= self.item(item).map_err(|stop| stop.then(List(&items[i + 1..])))?;
        }
        Ok(changed)
    }

    fn item(&mut self, item: &Item) -> Result<bool, Stop> {
        let mut changed = false;
        match item {
            Item::Pass(call) => changed = self.pass(call)?,
            Item::Repeat(times, body) => {
                for round in 1..=*times {
                    let rest = Item::Repeat(times - round, body.clone());
                    changed |= self.list(body).map_err(|stop| stop.then(List(&[rest])))?;
                }
            }
            // What is only tried may as well not be.
            Item::Try(..) if self.stopped() => {}
            Item::Try(Some(most), _) if self.f.op_count() > *most as usize => {}
            Item::Try(_, body) => {
                let (before, resources) = (self.f.clone(), self.module.resources.len());
                let cost = self.cost();
                changed = self.list(body).map_err(|stop| stop.within_try())?;
                if changed && (self.stopped() || self.cost() >= cost) {
                    *self.f = before;
                    self.module.resources.truncate(resources);
                    changed = false;
                }
            }
            Item::Fixpoint(body) => {
                for _ in 0..FIXPOINT_ROUNDS {
                    if !self.list(body).map_err(|stop| stop.then(List(std::slice::from_ref(item))))? {
                        return Ok(changed);
                    }
                    changed = true;
                }
                let text = format!("`{item}` still changed something after {FIXPOINT_ROUNDS} rounds");
                self.report.warnings.push(Diagnostic::warning(&NOT_SETTLED, text));
            }
        }
        Ok(changed)
    }

    /// What `try(…)` makes small: levels above those allowed, then the cost on the target.
    fn cost(&self) -> (u64, [u64; 3]) {
        let target = self.module.target.as_deref().and_then(Target::parse);
        let cost = self.manager.cost.or(target.map(Cost::of)).unwrap_or_default().count(self.f);
        let most = self.manager.control.levels.map_or(u64::MAX, u64::from);
        (cost[2].saturating_sub(most), cost)
    }

    /// Whether the run is to end early; the report then says so.
    fn stopped(&mut self) -> bool {
        self.report.interrupted |= self.manager.control.stopped();
        self.report.interrupted
    }

    fn pass(&mut self, call: &Call) -> Result<bool, Stop> {
        let stop = |errors: Vec<Diagnostic>| Stop { errors, pass: call.entry.name.into(), rest: call.to_string() };
        self.level(call).map_err(|error| stop(vec![*error]))?;
        // The options were read once already, when the pipeline was.
        let mut pass = call.entry.build(call.options.clone()).map_err(|why| {
            stop(vec![Diagnostic::error(&crate::codes::BAD_OPTION, why).at(&call.source, call.span.clone())])
        })?;
        self.observer.begin(call.entry.name);
        let before = self.f.clone();
        let ops_before = before.op_count();
        let resources = self.module.resources.len();
        let start = Instant::now();
        let mut cx = PassCx::new(&mut self.module.resources);
        cx.data.clone_from(&self.manager.data);
        cx.rules.clone_from(&self.manager.rules);
        cx.control.clone_from(&self.manager.control);
        cx.gates.clone_from(&self.manager.gates);
        let outcome = pass.run(self.f, &mut cx).map_err(|error| vec![*error]);
        let PassCx { warnings, facts, .. } = cx;
        if let Ok(Changed::Yes) = outcome {
            self.f.tidy();
        }
        let seconds = start.elapsed().as_secs_f64();
        self.stopped();
        let outcome = outcome.and_then(|changed| match changed {
            Changed::Yes => self.check(call, &before).map(|()| true),
            Changed::No => Ok(false),
        });
        if !matches!(outcome, Ok(true)) {
            *self.f = before;
            self.module.resources.truncate(resources);
        }
        let changed = outcome.map_err(|errors| {
            let place = |e: Diagnostic| match e.place {
                Place::None => e.at(&call.source, call.span.clone()),
                _ => e,
            };
            stop(errors.into_iter().map(place).collect())
        })?;
        self.report.warnings.extend(warnings);
        let ops_after = self.f.op_count();
        let run = PassRun { pass: call.to_string(), changed, seconds, ops_before, ops_after, facts };
        self.observer.end(&run);
        self.report.passes.push(run);
        self.show(call.entry.name);
        Ok(changed)
    }

    /// Shows the module to the observer, if it asked for that after this pass.
    fn show(&mut self, pass: &str) {
        if self.manager.print_ir_after.iter().any(|n| n == pass || n == "all") {
            let empty = Func::new("", self.f.kind);
            self.module.funcs.push(std::mem::replace(self.f, empty));
            self.observer.ir(pass, self.module);
            if let Some(f) = self.module.funcs.pop() {
                *self.f = f;
            }
        }
    }

    fn level(&self, call: &Call) -> blc_ir::Result<()> {
        let (level, takes) = (self.f.level(), call.entry.levels);
        if takes.contains(&level) {
            return Ok(());
        }
        let names: Vec<_> = takes.iter().map(|l| l.name()).collect();
        let (name, func) = (call.entry.name, &self.f.name);
        let text = format!("`{name}` works at {} level, @{func} is at {} level", names.join(" and "), level.name());
        let help = match level {
            Level::Tensor => "run `expand` before it, which lowers tensor to bit level",
            Level::Bit if takes.contains(&Level::Hw) => "run `pipeline` before it, which lowers bit to hw level",
            _ => "run it earlier: nothing goes back to a higher level",
        };
        Err(Box::new(Diagnostic::error(&WRONG_LEVEL, text).at(&call.source, call.span.clone()).help(help)))
    }

    /// Verifies and compares, as far as asked for.
    fn check(&mut self, call: &Call, before: &Func) -> Result<(), Vec<Diagnostic>> {
        let name = call.entry.name;
        if self.manager.verify_each {
            let errors: Vec<_> = verify_func(self.module, self.f).into_iter().filter(Diagnostic::is_error).collect();
            if !errors.is_empty() {
                let text = format!("`{name}` left an invalid function");
                let mut all = vec![Diagnostic::error(&PASS_BROKE_IR, text).help("please report this")];
                all.extend(errors);
                return Err(all);
            }
        }
        let (module, f) = (&*self.module, &*self.f);
        let warning = match self.manager.check_each.filter(|_| call.entry.exact) {
            Some(Check::Sim) => check::simulate(module, before, f, name),
            Some(Check::Sat) => check::prove(module, before, f, name, &Options::default()),
            None => Ok(None),
        };
        self.report.warnings.extend(warning.map_err(|error| vec![*error])?);
        Ok(())
    }
}

impl Stop {
    /// What would have run is still tried.
    fn within_try(self) -> Self {
        Self { rest: format!("try({})", self.rest), ..self }
    }

    /// More would have run after the rest.
    fn then(mut self, more: List<'_>) -> Self {
        let more = match more.0 {
            [] | [Item::Repeat(0, _)] => return self,
            _ => more.to_string(),
        };
        self.rest.push(',');
        self.rest.push_str(&more);
        self
    }
}

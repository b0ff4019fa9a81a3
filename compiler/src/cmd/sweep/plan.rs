//! What a sweep runs: configurations derived from one by a grid or at random.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use blc_frontend::files;
use blc_frontend::train::Config;
use blc_ir::diag::{Diagnostic, Result, Source};
use serde::Deserialize;
use toml::{Table, Value};

use crate::codes::SWEEP;
use crate::vectors::split_mix;

/// Most runs of a sweep.
const MAX_RUNS: usize = 100_000;

/// The file that describes a sweep.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// As for `blc train --data`.
    pub data: String,
    /// The configuration that runs vary: a preset …
    preset: Option<String>,
    /// … or a file.
    config: Option<PathBuf>,
    /// Options of `blc compile`.
    #[serde(default = "for_xc7")]
    pub compile: Vec<String>,
    /// Values of keys of the configuration, every combination of which is a run.
    #[serde(default)]
    grid: BTreeMap<String, Vec<Value>>,
    /// Random choices instead.
    random: Option<Random>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Random {
    runs: usize,
    #[serde(default)]
    seed: u64,
    keys: BTreeMap<String, Choice>,
}

/// What a key is drawn from.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Choice {
    OneOf(Vec<Value>),
    Between(Between),
}

/// Numbers from `from` to `to`, both included; whole if both are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Between {
    from: Value,
    to: Value,
    /// Whether the logarithm is spread evenly.
    #[serde(default)]
    log: bool,
    /// Whole numbers are rounded down to multiples of it.
    #[serde(default = "one")]
    multiple: i64,
}

/// One run.
#[derive(Debug)]
pub struct Job {
    /// Of configuration, data, options and version: the same run has the same one.
    pub id: String,
    /// What distinguishes it.
    pub settings: Vec<(String, Value)>,
    /// What is trained.
    pub config: Config,
}

fn for_xc7() -> Vec<String> {
    ["--target", "xc7"].map(String::from).to_vec()
}

fn one() -> i64 {
    1
}

fn bad(source: &Source, why: impl Into<String>) -> Box<Diagnostic> {
    let d = Diagnostic::error(&SWEEP, why).in_file(source.name.clone(), "");
    Box::new(d.help("`blc sweep --help` shows a sweep; docs/training.md has all keys"))
}

impl Plan {
    /// Reads a file's text.
    ///
    /// # Errors
    /// `BL4080` with the place.
    pub fn read(source: &Arc<Source>) -> Result<Self> {
        let plan: Self = toml::from_str(&source.text).map_err(|e| {
            let d = Diagnostic::error(&SWEEP, e.message().to_owned()).help("`blc sweep --help` shows a sweep");
            Box::new(match e.span() {
                Some(span) => d.at(source, span),
                None => d.in_file(source.name.clone(), ""),
            })
        })?;
        match (&plan.random, plan.grid.is_empty(), plan.preset.is_some() && plan.config.is_some()) {
            (_, _, true) => Err(bad(source, "both `preset` and `config` are given")),
            (Some(_), false, _) => Err(bad(source, "both `grid` and `random` are given")),
            (None, true, _) => Err(bad(source, "neither `grid` nor `random` says what varies")),
            _ => Ok(plan),
        }
    }

    /// All runs, each once, in a fixed order.
    ///
    /// # Errors
    /// `BL4080` for a plan that cannot be, `BL1301` for a configuration that cannot.
    pub fn jobs(&self, source: &Source) -> Result<Vec<Job>> {
        let base = match (&self.preset, &self.config) {
            (Some(name), _) => Config::preset(name)?,
            (None, Some(path)) => {
                Config::from_toml(&Source::new(files::display(path), files::read_text(path, 1 << 20)?))?
            }
            (None, None) => Config::default(),
        };
        let base: Table = toml::from_str(&base.to_toml()?).map_err(|e| bad(source, e.message()))?;
        let mut seen = HashSet::new();
        let mut jobs = Vec::new();
        for settings in self.settings(source)? {
            let mut table = base.clone();
            for (key, value) in &settings {
                set(&mut table, key, value.clone()).map_err(|why| bad(source, why))?;
            }
            let text = table.to_string();
            let config = Config::from_toml(&Source::new(source.name.clone(), text))?;
            let version = env!("CARGO_PKG_VERSION");
            let all = format!("{version}\n{}\n{}\n{}", self.data, self.compile.join(" "), config.to_toml()?);
            let id = files::sha256_hex(all.as_bytes())[..12].to_owned();
            if seen.insert(id.clone()) {
                jobs.push(Job { id, settings, config });
            }
        }
        Ok(jobs)
    }

    fn settings(&self, source: &Source) -> Result<Vec<Vec<(String, Value)>>> {
        let too_many = |n: usize| bad(source, format!("{n} runs are more than {MAX_RUNS}"));
        let Some(random) = &self.random else {
            let runs = self.grid.values().fold(1usize, |n, values| n.saturating_mul(values.len()));
            if runs > MAX_RUNS {
                return Err(too_many(runs));
            }
            let mut all = vec![Vec::new()];
            for (key, values) in &self.grid {
                let with = |done: &Vec<(String, Value)>, value: &Value| {
                    done.iter().cloned().chain([(key.clone(), value.clone())]).collect()
                };
                all = all.iter().flat_map(|done| values.iter().map(move |v| with(done, v))).collect();
            }
            return Ok(all);
        };
        if random.runs > MAX_RUNS {
            return Err(too_many(random.runs));
        }
        let mut state = random.seed;
        let run = |_| {
            let draw = |(key, choice): (&String, &Choice)| {
                let value = choice.draw(&mut state).map_err(|why| bad(source, format!("`{key}`: {why}")))?;
                Ok((key.clone(), value))
            };
            random.keys.iter().map(draw).collect()
        };
        (0..random.runs).map(run).collect()
    }
}

impl Choice {
    fn draw(&self, state: &mut u64) -> Result<Value, String> {
        let share = (split_mix(state) >> 11) as f64 / (1u64 << 53) as f64;
        match self {
            Self::OneOf(values) => match values.get((share * values.len() as f64) as usize) {
                Some(value) => Ok(value.clone()),
                None => Err("there is nothing to choose from".into()),
            },
            Self::Between(Between { from: Value::Integer(from), to: Value::Integer(to), log, multiple }) => {
                if from > to || *multiple < 1 || (*log && *from < 1) {
                    return Err(format!("{from} to {to} is no range"));
                }
                let number = between(*from as f64, (*to + 1) as f64, *log, share) as i64;
                Ok(Value::Integer((number.min(*to) / multiple * multiple).max(*from)))
            }
            Self::Between(Between { from: Value::Float(from), to: Value::Float(to), log, .. }) => {
                match from <= to && from.is_finite() && to.is_finite() && (!log || *from > 0.0) {
                    true => Ok(Value::Float(between(*from, *to, *log, share))),
                    false => Err(format!("{from} to {to} is no range")),
                }
            }
            Self::Between(_) => Err("`from` and `to` are not two numbers of one kind".into()),
        }
    }
}

fn between(from: f64, to: f64, log: bool, share: f64) -> f64 {
    if log { from * (to / from).powf(share) } else { from + (to - from) * share }
}

/// Sets a key such as `encoder.bits` or `layers.0.nodes`.
fn set(table: &mut Table, key: &str, value: Value) -> Result<(), String> {
    let (path, last) = key.rsplit_once('.').unwrap_or(("", key));
    let mut place: Option<&mut Value> = None;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        place = match place {
            None => table.get_mut(part),
            Some(Value::Table(inner)) => inner.get_mut(part),
            Some(Value::Array(items)) => part.parse::<usize>().ok().and_then(|i| items.get_mut(i)),
            Some(_) => None,
        };
        if place.is_none() {
            return Err(format!("the configuration has no `{key}`"));
        }
    }
    match place {
        None => table.insert(last.into(), value),
        Some(Value::Table(inner)) => inner.insert(last.into(), value),
        Some(_) => return Err(format!("the configuration has no `{key}`")),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(text: &str) -> Result<Vec<Job>> {
        let source = Source::new("sweep.toml", text);
        Plan::read(&source)?.jobs(&source)
    }

    #[test]
    fn grids_are_every_combination() {
        let text =
            "data = \"digits\"\npreset = \"digits\"\n[grid]\nseed = [1, 2]\n\"layers.0.nodes\" = [100, 200, 100]\n";
        let found = jobs(text).unwrap();
        let of = |job: &Job| (job.config.seed, job.config.layers[0].nodes);
        assert_eq!(found.iter().map(of).collect::<Vec<_>>(), [(1, 100), (2, 100), (1, 200), (2, 200)]);
        let again: Vec<String> = jobs(text).unwrap().into_iter().map(|j| j.id).collect();
        assert_eq!(found.iter().map(|j| j.id.clone()).collect::<Vec<_>>(), again);
    }

    #[test]
    fn random_choices_stay_in_their_ranges() {
        let text = "data = \"digits\"\n[random]\nruns = 40\nseed = 3\n[random.keys]\n\
                    \"layers.0.nodes\" = { from = 100, to = 999, log = true, multiple = 10 }\n\
                    \"optimizer.learning_rate\" = { from = 0.001, to = 0.1, log = true }\n\"node.kind\" = [\"dwn\", \"light\"]\n";
        let found = jobs(text).unwrap();
        assert!(found.len() > 35);
        let small = found.iter().filter(|j| j.config.layers[0].nodes < 316).count();
        assert!((8..32).contains(&small), "the logarithm is spread evenly: {small}");
        for job in &found {
            let nodes = job.config.layers[0].nodes;
            assert!((100..=999).contains(&nodes) && nodes % 10 == 0, "{nodes}");
            assert!((0.001..=0.1).contains(&job.config.optimizer.learning_rate));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |text: &str, expected: &str| {
            let e = jobs(text).unwrap_err();
            assert!(e.message.contains(expected), "{}", e.message);
        };
        refused("data = \"digits\"\n", "neither");
        refused("data = \"digits\"\n[grid]\nseed = [1]\n[random]\nruns = 1\n[random.keys]\n", "both");
        refused("data = \"d\"\npreset = \"digits\"\nconfig = \"a\"\n[grid]\nseed = [1]\n", "both");
        refused("data = \"digits\"\n[grid]\n\"layers.7.nodes\" = [1]\n", "no `layers.7.nodes`");
        refused("data = \"digits\"\n[grid]\n\"seed.x\" = [1]\n", "no `seed.x`");
        refused("data = \"digits\"\n[grid]\n\"encoder.bitz\" = [1]\n", "unknown field");
        refused("data = \"digits\"\nx = 1\n", "unknown field");
        refused("data = \"digits\"\n[random]\nruns = 999999\n[random.keys]\n", "more than");
        refused("data = \"digits\"\n[random]\nruns = 1\n[random.keys]\nseed = { from = 3, to = 1 }\n", "no range");
        refused("data = \"digits\"\n[random]\nruns = 1\n[random.keys]\nseed = []\n", "nothing to choose");
        refused("data = \"digits\"\n[random]\nruns = 1\n[random.keys]\nseed = { from = 1, to = 1.5 }\n", "one kind");
    }
}

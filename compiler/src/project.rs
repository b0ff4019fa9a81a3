//! `blc.toml`: what a project trains, compiles and simulates.
//!
//! The keys of a section are the options of the command of that name, as its `--help` lists them, so that whatever a
//! command can do a project can do. Only what `blc build` chooses itself (outputs, what a step takes from the one before)
//! cannot be set.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use blc_frontend::codes::FILE_READ;
use blc_frontend::files;
use blc_ir::diag::{Diagnostic, Result, Source};
use blc_passes::suggest;
use clap::{Arg, Command, CommandFactory};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::args::Cli;
use crate::codes::PROJECT;

/// Name of the file.
pub const FILE: &str = "blc.toml";
/// Largest project file.
const MAX_FILE: u64 = 1 << 20;
/// Sections, and the commands whose options they hold.
const SECTIONS: [(&str, &str); 4] =
    [("train", "train"), ("compile", "compile"), ("simulate", "sim"), ("report", "report")];

/// Options of a command that a project cannot set: `blc build` chooses them.
const OURS: &[(&str, &[&str])] = &[
    ("train", &["output", "json", "checkpoint", "resume"]),
    ("compile", &["output", "json"]),
    ("sim", &["design", "output", "json"]),
    ("report", &["dir"]),
];

/// A project.
#[derive(Debug)]
pub struct Project {
    /// Folder for everything that is made.
    pub output: String,
    /// The data set of `[train]`.
    pub data: Option<String>,
    /// A configuration that stands in the project itself, as TOML.
    pub config: Option<String>,
    /// Options of each command, where its section is there.
    pub train: Option<Vec<String>>,
    pub compile: Vec<String>,
    /// What is compiled where nothing is trained.
    pub input: Option<String>,
    pub simulate: Option<Vec<String>>,
    /// Whether the simulation says what it runs.
    pub batch: bool,
}

impl Project {
    /// Reads the project of the current folder.
    ///
    /// # Errors
    /// `BL4050`, or the file cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let name = files::display(path);
        let source = Source::new(name.as_str(), files::read_text(path, MAX_FILE)?);
        let mut table: Table = toml::from_str(&source.text).map_err(|e| {
            let d = Diagnostic::error(&PROJECT, e.message().to_owned());
            Box::new(match e.span() {
                Some(span) => d.at(&source, span),
                None => d.in_file(name.as_str(), ""),
            })
        })?;
        Self::of(&mut table).map_err(|(place, message, help)| {
            let d = Diagnostic::error(&PROJECT, message).in_file(name.as_str(), place);
            Box::new(if help.is_empty() { d } else { d.help(help) })
        })
    }

    fn of(table: &mut Table) -> Result<Self, Wrong> {
        let names = || SECTIONS.iter().map(|(section, _)| *section).chain(["output"]);
        if let Some(key) = table.keys().find(|key| !names().any(|n| n == *key)) {
            return Err((
                String::new(),
                format!("no key or section is called `{key}`"),
                suggest::help(key, names().collect::<Vec<_>>()),
            ));
        }
        let output = match table.remove("output") {
            None => crate::args::DEFAULT_DIR.to_owned(),
            Some(Value::String(output)) if !output.is_empty() => output,
            Some(_) => return Err(("output".into(), "the name of a folder is wanted".into(), String::new())),
        };
        let mut section = |name: &str| match table.remove(name) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(table)),
            Some(_) => Err((format!("[{name}]"), "a section is wanted".into(), String::new())),
        };
        let (mut train, compile) = (section("train")?, section("compile")?);
        let (simulate, report) = (section("simulate")?, section("report")?);
        let config = match train.as_mut().map(|t| (t.get("config").is_some_and(Value::is_table), t)) {
            Some((true, train)) => train
                .remove("config")
                .map(|config| config.to_string_pretty())
                .transpose()
                .map_err(|why| ("[train.config]".to_owned(), why, String::new()))?,
            _ => None,
        };
        let text = |table: &Option<Table>, key: &str| Some(table.as_ref()?.get(key)?.as_str()?.to_owned());
        let data = text(&train, "data");
        if train.is_some() && data.is_none() {
            return Err((
                "[train]".into(),
                "`data` is missing".into(),
                "a data set as `blc train --help` describes: data = \"digits\"".into(),
            ));
        }
        let Some(mut compile) = compile else {
            return Err((
                String::new(),
                "there is no section [compile]".into(),
                "[compile] with target = \"xc7\" is the least".into(),
            ));
        };
        let input = match compile.remove("input") {
            Some(Value::String(input)) if train.is_none() => Some(input),
            None if train.is_some() => None,
            None => {
                return Err((
                    "[compile]".into(),
                    "nothing to compile".into(),
                    "add a section [train], or an `input`".into(),
                ));
            }
            Some(_) => {
                return Err((
                    "[compile] input".into(),
                    "the file to compile, where nothing is trained".into(),
                    String::new(),
                ));
            }
        };
        let batch = simulate.as_ref().is_some_and(|s| s.contains_key("input"));
        if simulate.is_some() && !batch && train.is_none() {
            return Err((
                "[simulate]".into(),
                "`input` is missing".into(),
                "without a section [train] there are no test samples".into(),
            ));
        }
        options("report", &report.unwrap_or_default())?;
        Ok(Self {
            output,
            data,
            config,
            train: train.map(|t| options("train", &t)).transpose()?,
            compile: options("compile", &compile)?,
            input,
            simulate: simulate.map(|t| options("simulate", &t)).transpose()?,
            batch,
        })
    }
}

/// Place, what is wrong there, and what to do.
type Wrong = (String, String, String);

/// The keys of a section as options of its command.
fn options(section: &str, table: &Table) -> Result<Vec<String>, Wrong> {
    let name = SECTIONS.iter().find(|(s, _)| *s == section).map_or(section, |(_, command)| command);
    let cli = Cli::command();
    let Some(command) = cli.find_subcommand(name) else {
        return Err((
            format!("[{section}]"),
            format!("this blc has no command `{name}`"),
            "build it with its default features".into(),
        ));
    };
    let mut options = Vec::new();
    for (key, value) in table {
        let place = format!("[{section}] {key}");
        let Some(arg) = known(command, name, key) else {
            let names: Vec<String> = keys(command, name).collect();
            return Err((place, "no such option".into(), suggest::help(key, names.iter().map(String::as_str))));
        };
        let flag =
            arg.get_long().map_or_else(|| format!("-{}", arg.get_short().unwrap_or('?')), |long| format!("--{long}"));
        let scalar = |value: &Value| match value {
            Value::String(s) => Some(s.clone()),
            Value::Integer(n) => Some(n.to_string()),
            Value::Float(x) => Some(x.to_string()),
            _ => None,
        };
        let text = match value {
            Value::Boolean(on) if !arg.get_action().takes_values() => {
                options.extend(on.then_some(flag));
                continue;
            }
            Value::Array(items) => items.iter().map(scalar).collect::<Option<Vec<_>>>().map(|items| items.join(",")),
            value => scalar(value),
        };
        match text.filter(|_| arg.get_action().takes_values()) {
            // In one word, so that a value that begins with `-` is a value.
            Some(text) if flag.starts_with("--") => options.push(format!("{flag}={text}")),
            Some(text) => options.extend([flag, text]),
            None => {
                return Err((
                    place,
                    "a value of another kind is wanted".into(),
                    format!("`blc {name} --help` describes it"),
                ));
            }
        }
    }
    Ok(options)
}

/// How a key names an option: as the command line does, or with `_` for `-`.
fn key(arg: &Arg) -> Option<String> {
    arg.get_long().map(str::to_owned).or_else(|| arg.get_short().map(|_| arg.get_id().to_string()))
}

fn keys<'a>(command: &'a Command, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let ours = OURS.iter().find(|(c, _)| *c == name).map_or(&[][..], |(_, ours)| ours);
    command.get_arguments().filter_map(key).filter(move |k| !ours.contains(&k.as_str()) && k != "help")
}

fn known<'a>(command: &'a Command, name: &str, wanted: &str) -> Option<&'a Arg> {
    let wanted = wanted.replace('_', "-");
    let there = keys(command, name).any(|k| k == wanted);
    command.get_arguments().find(|arg| there && key(arg).is_some_and(|k| k == wanted))
}

/// A TOML table as text.
trait Pretty {
    fn to_string_pretty(&self) -> Result<String, String>;
}

impl Pretty for Value {
    fn to_string_pretty(&self) -> Result<String, String> {
        toml::to_string_pretty(self).map_err(|e| e.to_string())
    }
}

/// A hash of everything a path holds: of a file its bytes, of a folder the names and bytes of all files below.
///
/// # Errors
/// Something in it cannot be read.
pub fn content_hash(path: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(path, &mut files)?;
    files.sort();
    let mut all = String::new();
    for file in files {
        let name = file.strip_prefix(path).unwrap_or(&file);
        all += &format!("{} {}\n", file_hash(&file).map_err(|e| unreadable(&file, &e))?, name.display());
    }
    Ok(files::sha256_hex(all.as_bytes()))
}

/// A piece at a time: data sets are large.
fn file_hash(path: &Path) -> io::Result<String> {
    let (mut file, mut hash, mut piece) = (fs::File::open(path)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect()),
            n => hash.update(&piece[..n]),
        }
    }
}

fn unreadable(path: &Path, e: &io::Error) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(&FILE_READ, format!("cannot be read: {e}")).in_file(files::display(path), ""))
}

fn collect(path: &Path, found: &mut Vec<std::path::PathBuf>) -> Result<()> {
    if !path.is_dir() {
        found.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(|e| unreadable(path, &e))? {
        collect(&entry.map_err(|e| unreadable(path, &e))?.path(), found)?;
    }
    Ok(())
}

#[cfg(test)]
#[cfg(feature = "train")]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Project, Wrong> {
        Project::of(&mut toml::from_str(text).unwrap())
    }

    #[test]
    fn keys_are_options() {
        let text = "[train]\ndata = \"digits\"\nseed = 3\n[train.config]\nepochs = 2\n[compile]\ntarget = \"xc7\"\nno_scores = true\n\
                    prove = false\nemit = [\"verilog\", \"blif\"]\neffort = 1\n[simulate]\nrepeat = 2\n";
        let project = of(text).unwrap();
        assert_eq!(project.train.unwrap(), ["--data=digits", "--seed=3"]);
        assert_eq!(project.config.unwrap(), "epochs = 2\n");
        let mut compile = project.compile;
        compile.sort();
        assert_eq!(compile, ["--emit=verilog,blif", "--no-scores", "--target=xc7", "-O", "1"]);
        assert_eq!(project.simulate.unwrap(), ["--repeat=2"]);
        assert_eq!((project.output.as_str(), project.batch), ("blc-out", false));
    }

    #[test]
    fn wrong_keys_have_hints() {
        for (text, place, help) in [
            ("[tarin]\n[compile]\ninput = \"a\"", "", "did you mean `train`?"),
            ("[compile]\ninput = \"a\"\ntargte = \"xc7\"", "[compile] targte", "did you mean `target`?"),
            ("[compile]\ninput = \"a\"\noutput = \"x\"", "[compile] output", "`target`"),
            ("[compile]\ninput = \"a\"\ntarget = true", "[compile] target", "--help"),
            ("[compile]\ninput = \"a\"\nprove = 3", "[compile] prove", "--help"),
            ("[compile]\ntarget = \"xc7\"", "[compile]", "[train]"),
            ("[train]\nepochs = 1\n[compile]", "[train]", "digits"),
            ("[train]\ndata = \"digits\"", "", "[compile]"),
            ("[compile]\ninput = \"a\"\n[simulate]", "[simulate]", "[train]"),
            ("[compile]\ninput = \"a\"\n[report]\nlayers = 1", "[report] layers", "`json`"),
        ] {
            let (at, message, hint) = of(text).unwrap_err();
            assert!(at == place && hint.contains(help), "{text}: {at} {message} {hint}");
        }
        assert!(of("output = 3\n[compile]\ninput = \"a\"").is_err());
    }

    #[test]
    fn hashes_are_of_names_and_contents() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        fs::create_dir_all(a.join("sub")).unwrap();
        fs::create_dir_all(b.join("sub")).unwrap();
        fs::write(a.join("sub/x"), "1").unwrap();
        fs::write(b.join("sub/x"), "1").unwrap();
        let hash = |path: &Path| content_hash(path).unwrap();
        assert_eq!(hash(&a), hash(&b));
        fs::write(b.join("sub/y"), "").unwrap();
        assert_ne!(hash(&a), hash(&b));
        fs::write(a.join("sub/x"), "2").unwrap();
        assert_ne!(hash(&a), hash(&a.join("sub")));
        assert!(content_hash(&dir.path().join("none")).is_err());
    }
}

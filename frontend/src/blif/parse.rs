//! The text of a BLIF file to a [`Netlist`].

use std::collections::HashMap;
use std::ops::Range;

use super::netlist::{Driver, Gate, Latch, Named, Netlist, Signal, Wrong};
use super::{MAX_INPUTS, cover};
use crate::codes;

/// Most words of all truth tables together: 1 GiB.
const MAX_TABLE_WORDS: usize = 1 << 27;

/// Reads a whole text.
pub fn parse(text: &str) -> Result<Netlist<'_>, Wrong> {
    parse_with(text, MAX_TABLE_WORDS)
}

pub(super) fn parse_with(text: &str, max_table_words: usize) -> Result<Netlist<'_>, Wrong> {
    let mut parser =
        Parser { net: Netlist::default(), by_name: HashMap::new(), open: None, ended: false, max_table_words };
    let mut lines = Lines { text, offset: 0, line: 0 };
    let mut words = Vec::new();
    while let Some(line) = lines.statement(&mut words) {
        parser.statement(&words, line)?;
    }
    parser.close();
    if parser.net.outputs.is_empty() {
        return Err(Wrong::new(&codes::BLIF_EMPTY, 0..0, "the file has no outputs")
            .help("a netlist has .inputs, .outputs and a .names for every gate"));
    }
    Ok(parser.net)
}

/// A word and its byte offset.
#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    at: usize,
}

impl Word<'_> {
    fn range(&self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }
}

/// Splits a text into statements: lines without comments, `\` at the end of one joining the next.
struct Lines<'a> {
    text: &'a str,
    offset: usize,
    line: u32,
}

impl<'a> Lines<'a> {
    /// The words of the next statement that has any, and its first line, counted from 1.
    fn statement(&mut self, words: &mut Vec<Word<'a>>) -> Option<u32> {
        words.clear();
        let mut first = self.line + 1;
        while self.offset < self.text.len() {
            let rest = self.text.get(self.offset..)?;
            let line = rest.split('\n').next().unwrap_or(rest);
            let start = self.offset;
            self.offset += line.len() + 1;
            self.line += 1;

            let code = line.split('#').next().unwrap_or(line).trim_ascii_end();
            let (code, joined) = code.strip_suffix('\\').map_or((code, false), |code| (code, true));
            words.extend(code.split_ascii_whitespace().map(|text| {
                // Every word is a part of `line`.
                Word { text, at: start + (text.as_ptr() as usize - line.as_ptr() as usize) }
            }));
            if joined {
                continue;
            }
            if !words.is_empty() {
                return Some(first);
            }
            first = self.line + 1;
        }
        (!words.is_empty()).then_some(first)
    }
}

/// Whether the lines of a `.names` list addresses of 1 or of 0.
struct Open {
    gate: Gate,
    on: Option<bool>,
}

struct Parser<'a> {
    net: Netlist<'a>,
    by_name: HashMap<&'a str, Signal>,
    /// The `.names` whose lines follow.
    open: Option<Open>,
    ended: bool,
    max_table_words: usize,
}

impl<'a> Parser<'a> {
    fn statement(&mut self, words: &[Word<'a>], line: u32) -> Result<(), Wrong> {
        let [first, rest @ ..] = words else { return Ok(()) };
        if !first.text.starts_with('.') {
            return self.cube(words);
        }
        self.close();
        let refuse = |code, help: &str| {
            let message = format!("`{}` is not supported", first.text);
            Err(Wrong::new(code, first.range(), message).help(help))
        };
        match first.text {
            ".model" if self.net.model.is_some() || self.ended => refuse_second_model(first),
            _ if self.ended => Err(Wrong::new(&codes::BLIF_SYNTAX, first.range(), "a statement after .end")),
            ".model" => self.model(first, rest),
            ".inputs" => rest.iter().try_for_each(|word| self.input(*word)),
            ".outputs" => rest.iter().try_for_each(|word| self.output(*word)),
            ".names" => self.names(first, rest, line),
            ".end" => {
                self.ended = true;
                Ok(())
            }
            ".latch" => self.latch(first, rest, line),
            ".mlatch" => refuse(&codes::BLIF_LATCH, "write the netlist unmapped first"),
            ".subckt" => refuse(
                &codes::BLIF_SUBCKT,
                "flatten the netlist first, in Yosys with `flatten`, in ABC by writing it anew",
            ),
            ".gate" => refuse(&codes::BLIF_GATE, "write it unmapped first: ABC `unmap`, then `write_blif`"),
            _ => refuse(&codes::BLIF_DIRECTIVE, "known are .model, .inputs, .outputs, .names, .latch and .end"),
        }
    }

    fn model(&mut self, first: &Word<'a>, rest: &[Word<'a>]) -> Result<(), Wrong> {
        match rest {
            [] => Ok(()),
            [name] => {
                self.net.model = Some(name.text);
                Ok(())
            }
            [_, more, ..] => {
                let at = first.at..more.range().end;
                Err(Wrong::new(&codes::BLIF_SYNTAX, at, "`.model` takes one name"))
            }
        }
    }

    fn signal(&mut self, word: Word<'a>) -> Signal {
        let next = self.net.signals.len() as Signal;
        let signal = *self.by_name.entry(word.text).or_insert(next);
        if signal == next {
            self.net.signals.push(Named {
                name: word.text,
                at: word.at as u32,
                driver: Driver::Nothing,
                is_output: false,
            });
        }
        signal
    }

    fn drive(&mut self, word: Word<'a>, driver: Driver) -> Result<Signal, Wrong> {
        let signal = self.signal(word);
        let known = &mut self.net.signals[signal as usize].driver;
        if *known != Driver::Nothing {
            let by = match *known {
                Driver::Input => "an input",
                Driver::Latch => "driven by a .latch",
                _ => "driven by a .names",
            };
            let message = format!("`{}` is {by} already", word.text);
            return Err(Wrong::new(&codes::BLIF_DRIVEN_TWICE, word.range(), message)
                .help("every signal is one input or the output of one .names"));
        }
        *known = driver;
        Ok(signal)
    }

    fn input(&mut self, word: Word<'a>) -> Result<(), Wrong> {
        let signal = self.drive(word, Driver::Input)?;
        self.net.inputs.push(signal);
        Ok(())
    }

    fn output(&mut self, word: Word<'a>) -> Result<(), Wrong> {
        let signal = self.signal(word);
        if std::mem::replace(&mut self.net.signals[signal as usize].is_output, true) {
            let message = format!("`{}` is an output already", word.text);
            return Err(Wrong::new(&codes::BLIF_OUTPUT_TWICE, word.range(), message).help("name every output once"));
        }
        self.net.outputs.push(signal);
        Ok(())
    }

    fn names(&mut self, first: &Word<'a>, rest: &[Word<'a>], line: u32) -> Result<(), Wrong> {
        let Some((output, inputs)) = rest.split_last() else {
            return Err(Wrong::new(&codes::BLIF_SYNTAX, first.range(), "`.names` without an output"));
        };
        let k = inputs.len();
        if k > MAX_INPUTS {
            let message = format!("`{}` has {k} inputs; at most {MAX_INPUTS} are supported", output.text);
            return Err(Wrong::new(&codes::BLIF_WIDE, output.range(), message)
                .help("decompose the netlist first, in ABC with `strash; write_blif`"));
        }
        let first_word = self.net.tables.len();
        if first_word + cover::words(k) > self.max_table_words {
            let message = format!("the truth tables up to `{}` take too much memory", output.text);
            return Err(Wrong::new(&codes::BLIF_SIZE, output.range(), message)
                .help("decompose wide gates first, in ABC with `strash; write_blif`"));
        }
        let gate = Gate {
            output: self.drive(*output, Driver::Gate(self.net.gates.len() as u32))?,
            at: output.at as u32,
            line,
            inputs: k as u8,
            first_input: self.net.fanins.len() as u32,
            first_word: first_word as u32,
        };
        for input in inputs {
            let signal = self.signal(*input);
            self.net.fanins.push(signal);
        }
        self.net.tables.resize(first_word + cover::words(k), 0);
        self.net.gates.push(gate);
        self.open = Some(Open { gate, on: None });
        Ok(())
    }

    /// `.latch INPUT OUTPUT [re CLOCK] [INIT]`.
    fn latch(&mut self, first: &Word<'a>, rest: &[Word<'a>], line: u32) -> Result<(), Wrong> {
        let (input, output, clock, init) = match *rest {
            [input, output] => (input, output, None, None),
            [input, output, init] => (input, output, None, Some(init)),
            [input, output, kind, clock] => (input, output, Some((kind, clock)), None),
            [input, output, kind, clock, init] => (input, output, Some((kind, clock)), Some(init)),
            _ => {
                let message = "`.latch` takes an input, an output, perhaps `re` and a clock, perhaps an initial value";
                return Err(Wrong::new(&codes::BLIF_SYNTAX, first.range(), message));
            }
        };
        if let Some((kind, clock)) = clock.filter(|(_, clock)| clock.text != "NIL") {
            if kind.text != "re" {
                let message = format!("a latch of type `{}`", kind.text);
                return Err(Wrong::new(&codes::BLIF_LATCH, kind.range(), message)
                    .help("only registers on the rising edge (`re`) are known"));
            }
            let signal = self.signal(clock);
            if *self.net.clock.get_or_insert(signal) != signal {
                let message = format!("`{}` is a second clock", clock.text);
                return Err(
                    Wrong::new(&codes::BLIF_LATCH, clock.range(), message).help("all latches must have one clock")
                );
            }
        }
        // Any value will do where it does not matter (2); what is not known (3) must not matter.
        let init = match init.map(|word| (word.text, word)) {
            None | Some(("0" | "2" | "3", _)) => false,
            Some(("1", _)) => true,
            Some((_, word)) => {
                return Err(Wrong::new(&codes::BLIF_SYNTAX, word.range(), "an initial value is 0, 1, 2 or 3"));
            }
        };
        let input = self.signal(input);
        let output = self.drive(output, Driver::Latch)?;
        self.net.latches.push(Latch { input, output, init, line });
        Ok(())
    }

    /// A line of a `.names`: `10- 1`, or for a constant only the value.
    fn cube(&mut self, words: &[Word<'a>]) -> Result<(), Wrong> {
        let at = words.first().map_or(0, |w| w.at)..words.last().map_or(0, |w| w.range().end);
        let Some(open) = &mut self.open else {
            return Err(Wrong::new(&codes::BLIF_SYNTAX, at, "neither a statement nor a line of a .names")
                .help("check that this is a BLIF file"));
        };
        let k = usize::from(open.gate.inputs);
        let (cube, value) = match words {
            [value] if k == 0 => ("", value.text),
            [cube, value] if k > 0 => (cube.text, value.text),
            _ => ("?", "?"),
        };
        let on = match value {
            "1" => true,
            "0" => false,
            _ => return Err(bad_cube(at, k)),
        };
        if open.on.is_some_and(|before| before != on) {
            return Err(Wrong::new(&codes::BLIF_MIXED, at, "lines for 1 and lines for 0 in one .names")
                .help("list either the addresses of 1 or those of 0"));
        }
        open.on = Some(on);
        let table = self.net.tables.get_mut(open.gate.first_word as usize..).unwrap_or_default();
        if cube.len() != k || !cover::add_cube(table, cube.as_bytes()) {
            return Err(bad_cube(at, k));
        }
        Ok(())
    }

    /// Ends the lines of a `.names`.
    fn close(&mut self) {
        if let Some(Open { gate, on: Some(false) }) = self.open.take() {
            let table = self.net.tables.get_mut(gate.first_word as usize..).unwrap_or_default();
            cover::complement(table, gate.inputs.into());
        }
    }
}

fn refuse_second_model(first: &Word<'_>) -> Result<(), Wrong> {
    Err(Wrong::new(&codes::BLIF_MODELS, first.range(), "a second .model")
        .help("flatten the design into one model first, in Yosys with `flatten`"))
}

fn bad_cube(at: Range<usize>, k: usize) -> Wrong {
    let form = if k == 0 { "a value".to_owned() } else { format!("{k} of the characters 0, 1 and -, and a value") };
    Wrong::new(&codes::BLIF_CUBE, at, format!("a line of this .names is {form}, 0 or 1"))
}

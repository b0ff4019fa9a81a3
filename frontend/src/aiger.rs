//! Import of AIGER 1.9, ascii (`aag`) and binary (`aig`): and-inverter graphs, combinational ones
//! (<https://fmv.jku.at/aiger/FORMAT.aiger>).
//!
//! A literal is a variable's number doubled, plus 1 where it is inverted; variable 0 is the constant 0. Each gate becomes a table of
//! its two operands, inversions included; an inverted output becomes an inverter. Names are those of the symbol table, otherwise `i0`,
//! `o0` and so on. Latches and the properties of version 1.9 (bad states, constraints, justice, fairness) are refused.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use blc_ir::diag::{Code, Diagnostic, Result};
use blc_ir::{Func, FuncKind, Module, Type, Value};

use crate::{codes, files, lower};

/// Largest file.
const MAX_FILE: u64 = 1 << 30;
/// Most inputs: those of a binary file take no bytes in it.
const MAX_INPUTS: u64 = 1 << 20;

/// Whether bytes begin as a file in this format.
pub fn is_aiger(bytes: &[u8]) -> bool {
    bytes.starts_with(b"aag ") || bytes.starts_with(b"aig ")
}

/// An AIGER file as a module of one function, `net`, whose ports are the file's inputs and outputs in order.
///
/// `file` is what diagnostics call it, and names the module.
///
/// Errors: `BL1130` to `BL1135`, and `BL1003` for more than 1 GiB.
pub fn import(bytes: &[u8], file: &str) -> Result<Module> {
    if bytes.len() as u64 > MAX_FILE {
        return Err(files::too_large(file, MAX_FILE));
    }
    let graph = Reader { bytes, at: 0, line: 1 }.graph();
    graph
        .and_then(|graph| to_ir(&graph, file))
        .map_err(|(code, place, message)| Diagnostic::error(code, message).in_file(file, place).into())
}

/// What is wrong, where, and why.
type Wrong = (&'static Code, String, String);

/// An and-inverter graph; literals as in the file.
struct Graph {
    inputs: Vec<u32>,
    outputs: Vec<u32>,
    /// What each gate drives, not inverted, and its operands, each in the place (line or gate) that is named.
    gates: Vec<[u32; 3]>,
    /// By kind and index.
    names: HashMap<(u8, usize), String>,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Reader<'_> {
    fn wrong<T>(&self, code: &'static Code, message: impl Into<String>) -> Result<T, Wrong> {
        Err((code, format!("line {}", self.line), message.into()))
    }

    /// The next line, without its end.
    fn text(&mut self) -> Result<String, Wrong> {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        if rest.is_empty() {
            return self.wrong(&codes::AIGER_FORMAT, "the file ends too early");
        }
        let len = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        let Ok(text) = std::str::from_utf8(&rest[..len]) else {
            return self.wrong(&codes::AIGER_FORMAT, "a line that is no text");
        };
        self.at += len + 1;
        Ok(text.trim_end_matches('\r').to_owned())
    }

    /// A line of numbers, as many as `counts` says.
    fn numbers(&mut self, counts: std::ops::RangeInclusive<usize>, what: &str) -> Result<Vec<u32>, Wrong> {
        let text = self.text()?;
        let numbers: Option<Vec<u32>> = text.split(' ').map(|n| n.parse().ok()).collect();
        match numbers.filter(|n| counts.contains(&n.len())) {
            Some(numbers) => {
                self.line += 1;
                Ok(numbers)
            }
            None => self.wrong(&codes::AIGER_FORMAT, format!("`{text}` is not {what}")),
        }
    }

    fn graph(mut self) -> Result<Graph, Wrong> {
        let header = self.text()?;
        let mut words = header.split(' ');
        let binary = match words.next() {
            Some("aag") => false,
            Some("aig") => true,
            _ => return self.wrong(&codes::AIGER_FORMAT, "the first line is not `aag` or `aig` and five numbers"),
        };
        let numbers: Option<Vec<u64>> = words.map(|n| n.parse().ok()).collect();
        let Some(&[max, inputs, latches, outputs, gates, ref more @ ..]) = numbers.as_deref() else {
            return self.wrong(&codes::AIGER_FORMAT, format!("`{header}` is not `aag` or `aig` and five numbers"));
        };
        if latches > 0 {
            return self.wrong(&codes::AIGER_LATCH, format!("the graph has {latches} latches"));
        }
        if more.iter().any(|&n| n > 0) {
            return self.wrong(&codes::AIGER_FORMAT, "properties of version 1.9 (bad, constraint, justice, fairness)");
        }
        // Each output and gate takes at least two bytes.
        let held = self.bytes.len() as u64;
        if max > u64::from(u32::MAX >> 1) || inputs > MAX_INPUTS || outputs > held || gates > held {
            return self.wrong(
                &codes::AIGER_SIZE,
                format!(
                    "`{header}` claims more than the file's {held} bytes can hold, or more than {MAX_INPUTS} inputs"
                ),
            );
        }
        if inputs.checked_add(gates).is_none_or(|n| n > max || (binary && n != max)) {
            return self.wrong(
                &codes::AIGER_FORMAT,
                format!("`{header}`: {max} variables for {inputs} inputs and {gates} gates"),
            );
        }
        if outputs == 0 {
            return self.wrong(&codes::AIGER_EMPTY, "the graph has no outputs");
        }
        self.line = 2;
        let (inputs, outputs, gates) = (inputs as usize, outputs as usize, gates as usize);
        let mut graph = Graph { inputs: Vec::new(), outputs: Vec::new(), gates: Vec::new(), names: HashMap::new() };
        for i in 0..inputs {
            let literal = if binary { 2 * (i as u32 + 1) } else { self.numbers(1..=1, "an input's literal")?[0] };
            graph.inputs.push(literal);
        }
        for _ in 0..outputs {
            graph.outputs.push(self.numbers(1..=1, "an output's literal")?[0]);
        }
        for i in 0..gates {
            let gate = if binary {
                let left = 2 * (inputs + i + 1) as u32;
                let first = self.below(left, i)?;
                [left, first, self.below(first, i)?]
            } else {
                let n = self.numbers(3..=3, "the three literals of a gate")?;
                [n[0], n[1], n[2]]
            };
            graph.gates.push(gate);
        }
        self.symbols(&mut graph)?;
        let literals = graph.inputs.iter().chain(&graph.outputs).chain(graph.gates.iter().flatten());
        match literals.copied().find(|&l| u64::from(l >> 1) > max) {
            Some(literal) => {
                let message = format!("literal {literal} is above the {max} variables of the header");
                Err((&codes::AIGER_LITERAL, String::new(), message))
            }
            None => Ok(graph),
        }
    }

    /// A literal of a binary gate: `from` less a number of seven bits a byte, lowest first, the highest bit set but in the last.
    fn below(&mut self, from: u32, gate: usize) -> Result<u32, Wrong> {
        let mut delta = 0u64;
        for shift in (0..35).step_by(7) {
            let Some(&byte) = self.bytes.get(self.at) else { break };
            self.at += 1;
            delta |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return match u64::from(from).checked_sub(delta) {
                    Some(literal) => Ok(literal as u32),
                    None => {
                        Err((&codes::AIGER_LITERAL, format!("gate {gate}"), format!("{delta} below literal {from}")))
                    }
                };
            }
        }
        Err((&codes::AIGER_FORMAT, format!("gate {gate}"), "a number that does not end".into()))
    }

    /// Names, until a comment or the end.
    fn symbols(&mut self, graph: &mut Graph) -> Result<(), Wrong> {
        while self.at < self.bytes.len() && self.bytes[self.at] != b'c' {
            let text = self.text()?;
            let symbol = text.split_once(' ').and_then(|(place, name)| {
                let kind = *place.as_bytes().first()?;
                let index: usize = place.get(1..)?.parse().ok()?;
                let count = match kind {
                    b'i' => graph.inputs.len(),
                    b'o' => graph.outputs.len(),
                    _ => 0,
                };
                (index < count && !name.is_empty()).then(|| ((kind, index), name.to_owned()))
            });
            let Some((place, name)) = symbol else {
                return self.wrong(&codes::AIGER_FORMAT, format!("`{text}` names no input or output"));
            };
            graph.names.insert(place, name);
            self.line += 1;
        }
        Ok(())
    }
}

fn to_ir(graph: &Graph, file: &str) -> Result<Module, Wrong> {
    let path = Path::new(file);
    let part = |part: Option<&std::ffi::OsStr>| part.map_or_else(|| "net".into(), |s| s.to_string_lossy().into_owned());
    let (stem, short) = (part(path.file_stem()), part(path.file_name()));
    let mut f = Func::new("net", FuncKind::Func);
    let twice = |literal: u32| {
        (
            &codes::AIGER_LITERAL,
            String::new(),
            format!("literal {literal} is driven twice, is inverted, or is the constant"),
        )
    };
    // By variable.
    let mut values: HashMap<u32, Value> = HashMap::new();
    let mut taken = HashSet::new();
    let mut name = |kind: u8, index: usize| {
        let plain = |name: &&String| !name.chars().any(|c| c.is_whitespace() || c.is_control());
        let given = graph.names.get(&(kind, index));
        let mut name = match (given.filter(plain), given) {
            (Some(name), _) => name.clone(),
            (None, Some(name)) => lower::identifier(name),
            (None, None) => format!("{}{index}", char::from(kind)),
        };
        while !taken.insert(name.clone()) {
            name.push('_');
        }
        name
    };
    for (i, &literal) in graph.inputs.iter().enumerate() {
        let value = f.add_param(name(b'i', i), Type::BIT);
        if literal < 2 || literal % 2 == 1 || values.insert(literal / 2, value).is_some() {
            return Err(twice(literal));
        }
    }
    let mut gate_of: HashMap<u32, usize> = HashMap::new();
    for (i, &[left, ..]) in graph.gates.iter().enumerate() {
        if left < 2 || left % 2 == 1 || values.contains_key(&(left / 2)) || gate_of.insert(left / 2, i).is_some() {
            return Err(twice(left));
        }
    }
    values.insert(0, f.constant(0, Type::BIT));
    for index in order(graph, &gate_of)? {
        let [left, a, b] = graph.gates[index];
        let operand = |literal: u32| values.get(&(literal / 2)).copied();
        let (Some(x), Some(y)) = (operand(a), operand(b)) else {
            return Err(undriven(if operand(a).is_none() { a } else { b }));
        };
        // Address bit 0 is the first operand; the one address at which both literals are 1.
        let one = (!a & 1) | (!b & 1) << 1;
        let loc = f.locs.line(&short, index as u32 + 1);
        let value = f.lut(1 << one, &[x, y], loc);
        values.insert(left / 2, value);
    }
    for (i, &literal) in graph.outputs.iter().enumerate() {
        let Some(&value) = values.get(&(literal / 2)) else { return Err(undriven(literal)) };
        let loc = f.locs.line(&short, 1);
        let value = if literal % 2 == 1 { f.lut(0b01, &[value], loc) } else { value };
        let name = name(b'o', i);
        f.add_result(name, value);
    }
    let mut module = Module::new(lower::identifier(&stem));
    module.funcs.push(f);
    Ok(module)
}

fn undriven(literal: u32) -> Wrong {
    (&codes::AIGER_LITERAL, String::new(), format!("literal {literal} is read, but nothing drives it"))
}

/// The gates, each behind those it reads; otherwise in the order of the file.
fn order(graph: &Graph, gate_of: &HashMap<u32, usize>) -> Result<Vec<usize>, Wrong> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut state = vec![State::New; graph.gates.len()];
    let mut sorted = Vec::with_capacity(graph.gates.len());
    let mut stack = Vec::new();
    for root in 0..graph.gates.len() {
        stack.push(root);
        while let Some(&gate) = stack.last() {
            if state[gate] != State::New {
                stack.pop();
                if state[gate] == State::Open {
                    state[gate] = State::Done;
                    sorted.push(gate);
                }
                continue;
            }
            state[gate] = State::Open;
            let [left, a, b] = graph.gates[gate];
            for next in [b, a].iter().filter_map(|literal| gate_of.get(&(literal / 2)).copied()) {
                match state[next] {
                    State::New => stack.push(next),
                    State::Open => {
                        return Err((&codes::AIGER_CYCLE, String::new(), format!("gate {left} reads its own output")));
                    }
                    State::Done => {}
                }
            }
        }
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::eval::{Evaluator, Val};

    /// Outputs for each address of the inputs, input 0 lowest.
    fn table(bytes: &[u8]) -> Vec<Vec<u64>> {
        let module = import(bytes, "a/half.aag").unwrap();
        let f = module.top().unwrap();
        let mut evaluator = Evaluator::new(&module, f).unwrap();
        let bits = |address: usize| (0..f.params.len()).map(|i| Val::bit(address >> i & 1 == 1)).collect::<Vec<_>>();
        let run = |address| {
            evaluator
                .run(&bits(address))
                .unwrap()
                .iter()
                .map(|v| if let Val::Packed(bits) = v { bits[0] } else { 2 })
                .collect()
        };
        (0..1 << f.params.len()).map(run).collect()
    }

    const ASCII: &[u8] =
        b"aag 7 2 0 2 3\n2\n4\n6\n12\n6 13 15\n12 2 4\n14 3 5\ni0 x\ni1 y\no0 s\no1 c\nc\nhalf adder\n";
    /// The same with the gates numbered 3 to 5.
    const BINARY: &[u8] = b"aig 5 2 0 2 3\n10\n6\n\x02\x02\x03\x02\x01\x02i0 x\no1 carry\n";

    #[test]
    fn a_half_adder() {
        let both = vec![vec![0, 0], vec![1, 0], vec![1, 0], vec![0, 1]];
        assert_eq!(table(ASCII), both);
        assert_eq!(table(BINARY), both);
        let module = import(ASCII, "a/half.aag").unwrap();
        let names: Vec<_> = module.top().unwrap().results.iter().map(|p| p.name.clone()).collect();
        assert_eq!((module.name.as_str(), names), ("half", vec!["s".to_owned(), "c".to_owned()]));
        assert_eq!(table(b"aag 1 1 0 4 0\n2\n0\n1\n2\n3\n"), [[0, 1, 0, 1], [0, 1, 1, 0]], "constants and inverters");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let code = |text: &[u8]| import(text, "x").unwrap_err().code.id;
        assert_eq!(code(b""), "BL1130");
        assert_eq!(code(b"aag 1 1 0\n"), "BL1130");
        assert_eq!(code(b"aag 1 1 0 1 0\n2\nx\n"), "BL1130");
        assert_eq!(code(b"aag 1 1 0 1 0\n2\n"), "BL1130");
        assert_eq!(code(b"aag 1 1 0 1 0\n2\n2\nq0 x\n"), "BL1130");
        assert_eq!(code(b"aag 1 1 0 1 1\n2\n2\n"), "BL1130");
        assert_eq!(code(b"aag 1 1 0 1 0 1\n2\n2\n"), "BL1130");
        assert_eq!(code(b"aig 2 1 0 1 1\n4\n\x80"), "BL1130");
        assert_eq!(code(b"aag 1 0 1 1 0\n2 3\n2\n"), "BL1131");
        assert_eq!(code(b"aag 1 1 0 1 0\n2\n4\n"), "BL1132", "above the largest variable");
        assert_eq!(code(b"aag 2 1 0 1 0\n2\n4\n"), "BL1132", "driven by nothing");
        assert_eq!(code(b"aag 2 1 0 1 1\n2\n2\n2 2 2\n"), "BL1132", "driven twice");
        assert_eq!(code(b"aag 2 1 0 1 1\n2\n2\n5 2 2\n"), "BL1132", "an inverted gate");
        assert_eq!(code(b"aig 2 1 0 1 1\n4\n\x05\x00"), "BL1132");
        assert_eq!(code(b"aag 3 1 0 1 2\n2\n4\n4 6 2\n6 4 2\n"), "BL1133");
        assert_eq!(code(b"aag 1 1 0 1 1\n"), "BL1130");
        assert_eq!(code(b"aig 4000000000 4000000000 0 1 0\n"), "BL1134");
        assert_eq!(code(b"aag 1 1 0 0 0\n2\n"), "BL1135");
    }
}

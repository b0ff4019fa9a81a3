//! Names in the netlists: legal in their language, unique, the same for the same design, and telling where a net comes
//! from.
//!
//! A net is called what the IR calls its value; otherwise by its origin (`layer0_n17`, `head_3`, `line12`); a register by
//! what it delays and its stage (`layer0_n17_q1`); otherwise by its number in the IR (`n42`). A name that is taken gets
//! the next free number behind it (`layer0_n17_2`).

pub mod keywords;

use rustc_hash::FxHashMap;

use blc_ir::loc::{ENCODER, HEAD, Loc, LocId};
use blc_ir::order::is_register;
use blc_ir::{Func, Module, Op, OpKind, Result, Type, Value};

use crate::nets::{Net, Nets};

/// What names have to be legal in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Letters, digits and `_`, and no reserved word of Verilog, SystemVerilog or C++ (Verilator's output).
    Verilog,
    /// Anything without white space and without the characters that mean something in BLIF.
    Blif,
}

/// Longest name, in bytes, before a number that makes it unique: far below what every tool takes.
const MAX_LENGTH: usize = 200;

impl Language {
    /// The name nearest to a wish that is legal, though perhaps taken.
    pub fn legal(self, wish: &str) -> String {
        let mut name: String = match self {
            Self::Verilog => wish.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect(),
            Self::Blif => {
                let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '#' | '\\' | '=' | '"');
                wish.chars().map(|c| if fits(c) { c } else { '_' }).collect()
            }
        };
        name.truncate(MAX_LENGTH);
        match self {
            Self::Verilog => {
                // `a[3]` becomes `a_3`, while an underscore of the user's own stays.
                if !wish.ends_with('_') {
                    name.truncate(name.trim_end_matches('_').len());
                }
                if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                    name.insert(0, 'n');
                }
                let reserved = [keywords::VERILOG, keywords::SYSTEM_VERILOG, keywords::CPP];
                if reserved.iter().any(|words| words.binary_search(&name.as_str()).is_ok()) {
                    name.push('_');
                }
            }
            Self::Blif => {
                if name.is_empty() || name.starts_with('.') || name == "unconn" || name == "open" {
                    name.insert(0, 'n');
                }
            }
        }
        name
    }
}

/// Gives out names, each once.
#[derive(Debug)]
pub struct Namer {
    language: Language,
    /// Names given out, and the number last tried behind each.
    taken: FxHashMap<String, u32>,
}

impl Namer {
    /// A namer that has given out nothing.
    pub fn new(language: Language) -> Self {
        Self { language, taken: FxHashMap::default() }
    }

    /// A legal name that was not given out before: the wish itself where possible.
    pub fn claim(&mut self, wish: &str) -> String {
        let name = self.language.legal(wish);
        let Some(last) = self.taken.get(&name) else {
            self.taken.insert(name.clone(), 1);
            return name;
        };
        let separator = if name.ends_with('_') { "" } else { "_" };
        let mut number = *last;
        let free = loop {
            number = number.saturating_add(1);
            let numbered = format!("{name}{separator}{number}");
            if !self.taken.contains_key(&numbered) {
                break numbered;
            }
        };
        self.taken.insert(name, number);
        self.taken.insert(free.clone(), 1);
        free
    }

    /// Names for the bits of a value: in Verilog one identifier with an index behind it, in BLIF each by itself.
    fn claim_bits(&mut self, wish: &str, ty: Type) -> (String, Vec<String>) {
        let bits = 0..ty.total_bits();
        if ty.is_scalar() && bits.len() == 1 {
            let name = self.claim(wish);
            return (name.clone(), vec![name]);
        }
        match self.language {
            Language::Verilog => {
                let base = self.claim(wish);
                let names = bits.map(|b| format!("{base}[{b}]")).collect();
                (base, names)
            }
            Language::Blif => (wish.into(), bits.map(|b| self.claim(&format!("{wish}[{b}]"))).collect()),
        }
    }
}

/// The name of a design in its files: the module's, or its top function's where that has none.
pub fn design_name(module: &Module) -> &str {
    match module.top() {
        Some(top) if module.name.is_empty() => &top.name,
        _ => &module.name,
    }
}

/// A port's names.
#[derive(Debug)]
pub struct PortNames {
    /// Of the whole (in BLIF only the IR's name: there every bit is a port).
    pub name: String,
    /// Of each bit.
    pub bits: Vec<String>,
}

/// A function with its nets and all their names in one language.
#[derive(Debug)]
pub struct Named<'a> {
    /// The nets.
    pub nets: Nets<'a>,
    /// The design's name.
    pub name: String,
    /// The parameters' names.
    pub params: Vec<PortNames>,
    /// The results' names.
    pub results: Vec<PortNames>,
    /// Gives further names.
    pub namer: Namer,
    /// Whether carry chains are vectors: those of Xilinx.
    vectors: bool,
    of_nets: Vec<String>,
}

impl<'a> Named<'a> {
    /// Names everything in a function. In BLIF a net that drives a result has the result's name.
    ///
    /// # Errors
    /// Those of [`Nets::new`].
    pub fn new(module: &Module, f: &'a Func, language: Language) -> Result<Self> {
        let nets = Nets::new(module, f)?;
        let mut namer = Namer::new(language);
        // Claimed first: Verilator refuses a signal with its module's name.
        let mut name = namer.claim(design_name(module));
        if keywords::XC7.contains(&name.as_str()) {
            name = namer.claim(&format!("{name}_"));
        }
        if language == Language::Blif {
            // There ports come first: their names stand for themselves in other tools.
            namer = Namer::new(language);
        }
        let of_nets = vec![String::new(); nets.count()];
        let vectors = matches!(module.target.as_deref(), None | Some("xc7" | "xcup"));
        let mut named = Self { nets, name, params: Vec::new(), results: Vec::new(), namer, vectors, of_nets };
        named.ports(language);
        named.constants(language);
        named.ops();
        Ok(named)
    }

    /// The name of a net, with its index where it is part of a vector.
    pub fn of(&self, net: Net) -> &str {
        self.of_nets.get(net.index()).map_or("", |n| n)
    }

    /// The name of a value's lowest bit.
    pub fn bit(&self, v: Value) -> &str {
        self.of(self.nets.bit(v))
    }

    fn ports(&mut self, language: Language) {
        let f = self.nets.f;
        for port in &f.params {
            let (name, bits) = self.namer.claim_bits(&port.name, f.ty(port.value));
            self.name_nets(port.value, &bits);
            self.params.push(PortNames { name, bits });
        }
        for port in &f.results {
            let (name, bits) = self.namer.claim_bits(&port.name, f.ty(port.value));
            if language == Language::Blif {
                self.name_nets(port.value, &bits);
            }
            self.results.push(PortNames { name, bits });
        }
    }

    fn name_nets(&mut self, v: Value, bits: &[String]) {
        for (net, name) in self.nets.of(v).iter().zip(bits) {
            let free = net.as_const().is_none() && self.of_nets[net.index()].is_empty();
            if free {
                self.of_nets[net.index()].clone_from(name);
            }
        }
    }

    /// Constants are literals in Verilog, nets in BLIF.
    fn constants(&mut self, language: Language) {
        for (net, literal, name) in [(Net::ZERO, "1'b0", "gnd"), (Net::ONE, "1'b1", "vcc")] {
            self.of_nets[net.index()] = match language {
                Language::Verilog => literal.into(),
                Language::Blif => self.namer.claim(name),
            };
        }
    }

    fn ops(&mut self) {
        let f = self.nets.f;
        // What a register delays, through any number of registers.
        let mut roots: Vec<Net> = (0..self.nets.count()).map(Net::new).collect();
        for i in 0..self.nets.order.len() {
            let op = f.op(self.nets.order[i]);
            if matches!(op.kind, OpKind::Xc7Carry4 {}) {
                self.carry(op);
                continue;
            }
            for (i, v) in op.results().enumerate() {
                let net = self.nets.bit(v);
                if !self.of_nets[net.index()].is_empty() {
                    continue;
                }
                let wish = match (f.name_of(v), op.operands.first()) {
                    (Some(name), _) if !name.is_empty() => name.to_string(),
                    (_, Some(&d)) if is_register(op.kind) => {
                        let root = roots[self.nets.bit(d).index()];
                        let base = Some(self.of(root)).filter(|n| !n.is_empty() && root.as_const().is_none());
                        roots[net.index()] = if base.is_some() { root } else { net };
                        delayed(&base.map_or_else(|| wish(f, op.loc, v), str::to_string), op.kind)
                    }
                    _ if i == 1 => format!("{}_o5", wish(f, op.loc, v)),
                    _ => wish(f, op.loc, v),
                };
                self.of_nets[net.index()] = self.namer.claim(&wish);
            }
        }
    }

    /// A carry chain's results are two vectors; in cells of a device, which may have no use for all of them, single bits.
    fn carry(&mut self, op: Op<'_>) {
        let wish = wish(self.nets.f, op.loc, op.result());
        let results: Vec<Value> = op.results().collect();
        for (vector, suffix) in results.chunks(4).zip(["o", "co"]) {
            let base = self.namer.claim(&format!("{wish}_{suffix}"));
            for (bit, &v) in vector.iter().enumerate() {
                let name = match self.namer.language {
                    Language::Verilog if self.vectors => format!("{base}[{bit}]"),
                    Language::Verilog | Language::Blif => self.namer.claim(&format!("{base}[{bit}]")),
                };
                self.name_nets(v, &[name]);
            }
        }
    }
}

/// A name by origin, or by number where nothing is known of it.
fn wish(f: &Func, loc: LocId, v: Value) -> String {
    let first = f.locs.origins(loc).first().copied().unwrap_or(LocId::UNKNOWN);
    match f.locs.get(first) {
        Loc::Neuron(layer, n) => match f.locs.name(*layer) {
            layer @ (ENCODER | HEAD) => format!("{layer}_{n}"),
            layer => format!("{layer}_n{n}"),
        },
        Loc::Layer(layer) => format!("{}_w", f.locs.name(*layer)),
        Loc::Line(_, line) => format!("line{line}"),
        Loc::Unknown | Loc::Fused(_) => format!("n{}", v.index()),
    }
}

fn delayed(base: &str, kind: OpKind) -> String {
    // `x[3]` becomes `x_3_q1`.
    let base = base.replace('[', "_").replace(']', "");
    match kind {
        OpKind::Reg { stage, .. } | OpKind::Xc7Fdre { stage, .. } if stage > 0 => format!("{base}_q{stage}"),
        _ => format!("{base}_q"),
    }
}

#[cfg(test)]
mod tests;

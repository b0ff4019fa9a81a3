//! Nets to look at while a design runs, under the names that they have in its Verilog.

use blc_ir::diag::{Diagnostic, Result};
use blc_ir::order::is_register;
use blc_ir::{Func, Module, Type, suggest};

use super::netlist::Signal;
use super::program::Program;
use crate::codes::{SIM_NET, SIM_NETS};
use crate::names::{Language, Named};
use crate::nets::Net;

/// Most bits that are shown where nobody chose.
const MAX_DEFAULT: usize = 1 << 16;

/// A net, or a port of several bits.
#[derive(Clone, Debug)]
pub struct Probe {
    /// As in the Verilog of the design.
    pub name: String,
    /// Lowest bit first.
    pub(super) signals: Vec<Signal>,
    /// Where it is a register: its position in [`Program::registers`].
    pub register: Option<usize>,
}

impl Probe {
    /// Number of bits.
    pub fn width(&self) -> usize {
        self.signals.len()
    }
}

/// Names of a design for waves: its own, and that of its clock where it has one.
#[derive(Clone, Debug)]
pub struct Names {
    /// The design's.
    pub design: String,
    /// The clock's.
    pub clock: Option<String>,
}

/// The probes of a design: all ports and registers, or the nets that are asked for by their name in the Verilog or in the
/// IR.
///
/// # Errors
/// `BL3141` for a name that no net has; `BL3142` where nobody chose and there are more than anybody looks at.
pub fn probes(module: &Module, f: &Func, program: &Program, wanted: Option<&[String]>) -> Result<(Names, Vec<Probe>)> {
    let named = Named::new(module, f, Language::Verilog)?;
    let signal = |net: &Net| program.netlist.nets[net.index()];
    let mut all = Vec::new();
    let mut clock = None;
    for (port, names) in f.params.iter().zip(&named.params) {
        if f.ty(port.value) == Type::CLOCK {
            clock = Some(names.name.clone());
        } else {
            all.push((&port.name, names.name.clone(), named.nets.of(port.value)));
        }
    }
    for (port, names) in f.results.iter().zip(&named.results) {
        all.push((&port.name, names.name.clone(), named.nets.of(port.value)));
    }
    let names = Names { design: named.name.clone(), clock };
    let position = |signal: Signal| program.registers().iter().position(|r| r.signal == signal);
    let port = |(_, name, nets): &(&String, String, &[Net])| Probe {
        name: name.clone(),
        signals: nets.iter().map(signal).collect(),
        register: nets.first().filter(|_| nets.len() == 1).and_then(|net| position(signal(net))),
    };
    let Some(wanted) = wanted else {
        let mut probes: Vec<Probe> = all.iter().map(port).collect();
        for (register, r) in program.registers().iter().enumerate() {
            let name = named.bit(r.value).to_owned();
            probes.push(Probe { name, signals: vec![r.signal], register: Some(register) });
        }
        let bits: usize = probes.iter().map(Probe::width).sum();
        if bits > MAX_DEFAULT {
            let text = format!("ports and registers have {bits} bits together");
            return Err(Box::new(Diagnostic::error(&SIM_NETS, text).help("name those to look at: `--trace NET,…`")));
        }
        return Ok((names, probes));
    };
    let mut probes = Vec::new();
    for wish in wanted {
        let wish = wish.trim().trim_start_matches('%');
        if let Some(found) = all.iter().find(|(ir, name, _)| wish == *ir || wish == name) {
            probes.push(port(found));
            continue;
        }
        let results = named.nets.order.iter().flat_map(|&id| {
            let register = is_register(f.op(id).kind);
            f.op(id).results().map(move |v| (v, register))
        });
        let found =
            results.into_iter().find(|&(v, _)| named.bit(v) == wish || f.name_of(v).is_some_and(|name| name == wish));
        let Some((v, register)) = found else {
            let text = format!("no net is called `{wish}`");
            let ports = all.iter().flat_map(|(ir, name, _)| [ir.as_str(), name.as_str()]);
            let values = named.nets.order.iter().flat_map(|&id| f.op(id).results());
            let values = values.flat_map(|v| [Some(named.bit(v)), f.name_of(v)]).flatten();
            let help = match suggest::closest(wish, ports.chain(values)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "names are those of the Verilog that `blc compile` writes, or of the .blir".into(),
            };
            return Err(Box::new(Diagnostic::error(&SIM_NET, text).help(help)));
        };
        let signals: Vec<Signal> = named.nets.of(v).iter().map(signal).collect();
        let register = if register { position(signals[0]) } else { None };
        probes.push(Probe { name: named.bit(v).to_owned(), signals, register });
    }
    Ok((names, probes))
}

//! A function seen as single-bit nets: what netlists are made of.
//!
//! A [`Net`] is a bit of a parameter or of an op's result. Wiring (`extract`, `pack`) and constants vanish: every bit of
//! every value is a net or a constant.

use blc_ir::order::schedule;
use blc_ir::verify::verify_func;
use blc_ir::{Diagnostic, Func, Module, OpId, OpKind, Result, Value, entity};

use crate::codes;

entity!(
    /// A bit of a parameter or of an op's result.
    Net, "net"
);

impl Net {
    /// The constant 0.
    pub const ZERO: Self = Self(0);
    /// The constant 1.
    pub const ONE: Self = Self(1);

    /// The value of a constant net.
    pub fn as_const(self) -> Option<bool> {
        (self.0 < 2).then_some(self == Self::ONE)
    }
}

/// Most bits that all ports of a design may have together: each gets a name.
pub const MAX_PORT_BITS: usize = 1 << 24;

/// The nets of a function.
#[derive(Debug)]
pub struct Nets<'a> {
    /// The function.
    pub f: &'a Func,
    /// Ops that make nets, each after what it reads; registers may read what comes later. Dead ops are left out.
    pub order: Vec<OpId>,
    /// First bit of each value in `bits`; `u32::MAX` for values of dead ops.
    starts: Vec<u32>,
    bits: Vec<Net>,
    uses: Vec<bool>,
}

impl<'a> Nets<'a> {
    /// Verifies a function and resolves its wiring. Functions at tensor level have no nets.
    ///
    /// # Errors
    /// What the verifier says; `BL3001` for a function at tensor level, `BL3002` for an op that has no meaning in bits
    /// here, `BL3003` above [`MAX_PORT_BITS`].
    pub fn new(module: &Module, f: &'a Func) -> Result<Self> {
        if let Some(error) = verify_func(module, f).into_iter().find(Diagnostic::is_error) {
            return Err(Box::new(error));
        }
        let order = schedule(f, false).map_err(|op| {
            Diagnostic::error(&blc_ir::codes::COMBINATIONAL_CYCLE, "a value depends on itself within one cycle")
                .in_op(format!("@{}: {}", f.name, f.op(op).info().mnemonic))
        })?;
        check_size(f)?;
        let mut nets =
            Self { f, order: Vec::new(), starts: vec![u32::MAX; f.value_count()], bits: Vec::new(), uses: Vec::new() };
        let mut next = 2;
        let mut fresh = |nets: &mut Self, v: Value| {
            let n = f.ty(v).total_bits() as u32;
            nets.starts[v.index()] = nets.bits.len() as u32;
            nets.bits.extend((next..next + n).map(Net));
            next += n;
        };
        for port in &f.params {
            fresh(&mut nets, port.value);
        }
        for id in order {
            let op = f.op(id);
            let out = op.result();
            match op.kind {
                OpKind::Const { value } => {
                    nets.starts[out.index()] = nets.bits.len() as u32;
                    let width = f.ty(out).total_bits();
                    nets.bits.extend((0..width).map(|b| if value >> b & 1 == 1 { Net::ONE } else { Net::ZERO }));
                }
                OpKind::Extract { offset } => {
                    let from = op.operands.first().and_then(|v| nets.starts.get(v.index())).copied().unwrap_or(0);
                    nets.starts[out.index()] = from + offset;
                }
                OpKind::Pack {} => {
                    let start = nets.bits.len() as u32;
                    for &v in op.operands {
                        let first = nets.starts[v.index()] as usize;
                        nets.bits.extend_from_within(first..first + f.ty(v).total_bits());
                    }
                    nets.starts[out.index()] = start;
                }
                OpKind::Lut { .. }
                | OpKind::LutWide { .. }
                | OpKind::Reg { .. }
                | OpKind::Xc7Lut6 { .. }
                | OpKind::Xc7Lut6_2 { .. }
                | OpKind::Xc7Carry4 {}
                | OpKind::Xc7MuxF7 {}
                | OpKind::Xc7MuxF8 {}
                | OpKind::Xc7Fdre { .. } => {
                    op.results().for_each(|v| fresh(&mut nets, v));
                    nets.order.push(id);
                }
                OpKind::Thermometer { .. }
                | OpKind::Code { .. }
                | OpKind::MatVec { .. }
                | OpKind::LutDense { .. }
                | OpKind::GroupSum { .. }
                | OpKind::Argmax { .. } => {
                    return Err(tensor_level(f));
                }
                OpKind::Sum {}
                | OpKind::Gt {}
                | OpKind::GtConst { .. }
                | OpKind::Mux {}
                | OpKind::WordArgmax { .. }
                | OpKind::Extern { .. } => return Err(unlowered(f, id)),
            }
        }
        nets.mark_uses(next as usize);
        Ok(nets)
    }

    fn mark_uses(&mut self, nets: usize) {
        let mut uses = vec![false; nets];
        for &id in &self.order {
            for &v in self.f.op(id).operands {
                self.of(v).iter().for_each(|net| uses[net.index()] = true);
            }
        }
        for port in &self.f.results {
            self.of(port.value).iter().for_each(|net| uses[net.index()] = true);
        }
        self.uses = uses;
    }

    /// Number of nets, the two constants included.
    pub fn count(&self) -> usize {
        self.uses.len()
    }

    /// The bits of a value, lowest first. Empty for a value of a dead op.
    pub fn of(&self, v: Value) -> &[Net] {
        match self.starts.get(v.index()) {
            Some(&start) if start != u32::MAX => &self.bits[start as usize..][..self.f.ty(v).total_bits()],
            _ => &[],
        }
    }

    /// The lowest bit of a value.
    pub fn bit(&self, v: Value) -> Net {
        self.of(v).first().copied().unwrap_or(Net::ZERO)
    }

    /// Whether an op or a result of the function reads a net.
    pub fn is_used(&self, net: Net) -> bool {
        self.uses.get(net.index()).copied().unwrap_or(false)
    }
}

/// Bounds what has to be named; the verifier bounds what packing may copy.
fn check_size(f: &Func) -> Result<()> {
    let ports: usize = f.params.iter().chain(&f.results).map(|port| f.ty(port.value).total_bits()).sum();
    if ports <= MAX_PORT_BITS {
        return Ok(());
    }
    let text = format!("its ports have {ports} bits, a netlist's may have {MAX_PORT_BITS}");
    let help = "split the design into parts that fit";
    Err(Box::new(Diagnostic::error(&codes::NETLIST_SIZE, text).in_op(format!("@{}", f.name)).help(help)))
}

fn tensor_level(f: &Func) -> Box<Diagnostic> {
    let text = "the function is at tensor level, a netlist needs bits";
    Box::new(
        Diagnostic::error(&codes::EMIT_LEVEL, text)
            .in_op(format!("@{}", f.name))
            .help("lower it first, as `blc compile` does (pass `expand` and those after it)"),
    )
}

fn unlowered(f: &Func, id: OpId) -> Box<Diagnostic> {
    let op = f.op(id);
    let (name, help) = match op.kind {
        OpKind::Extern { op } => {
            (format!("ext \"{}\"", f.extern_name(op)), "a pass of whoever added the op has to lower it")
        }
        _ => (op.info().mnemonic.to_string(), "lower words to bits first (pass `lower-head` or `lower-encoder`)"),
    };
    let text = format!("{name} has no form in a netlist");
    Box::new(Diagnostic::error(&codes::EMIT_OP, text).in_op(format!("@{}", f.name)).help(help))
}

//! Lowers a hardware module to the primitives of Xilinx 7-series: LUT6, LUT6_2, FDRE.

use blc_ir::table::{VAR, cofactor, compose, mask};
use blc_ir::{Func, Level, OpId, OpKind, Type, Value};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::pairing::{SITE_INPUTS, pairs};
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};
use crate::timing::{Delays, split};

/// See the module's words. Ops that are primitives already, wires and constants stay.
#[derive(Debug)]
pub struct ToXc7 {
    options: ToXc7Options,
}

/// Options of [`ToXc7`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToXc7Options {
    /// Whether two functions of at most five inputs together share a site (LUT6_2).
    pub pair: bool,
    /// Whether functions that read nothing in common may share a site.
    pub unrelated: bool,
    /// Functions share a site only where no path becomes longer than so many ns for it.
    pub period: Option<f64>,
    /// The same of the way from input to output, over all stages.
    pub latency: Option<f64>,
    /// See [`Delays`], as are those below.
    pub lut: f64,
    /// ns.
    pub net: f64,
    /// ns.
    pub fanout: f64,
    /// ns.
    pub carry_in: f64,
    /// ns.
    pub carry: f64,
    /// ns.
    pub carry_out: f64,
    /// ns.
    pub mux: f64,
    /// ns.
    pub clock_to_output: f64,
    /// ns.
    pub setup: f64,
}

impl ToXc7Options {
    fn delays(&self) -> Delays {
        let Self { lut, net, fanout, carry_in, carry, carry_out, mux, clock_to_output, setup, .. } = *self;
        Delays { lut, net, fanout, carry_in, carry, carry_out, mux, clock_to_output, setup }
    }
}

impl Default for ToXc7Options {
    fn default() -> Self {
        let Delays { lut, net, fanout, carry_in, carry, carry_out, mux, clock_to_output, setup } = Delays::default();
        Self {
            pair: true,
            unrelated: true,
            period: None,
            latency: None,
            lut,
            net,
            fanout,
            carry_in,
            carry,
            carry_out,
            mux,
            clock_to_output,
            setup,
        }
    }
}

impl PassSpec for ToXc7 {
    const NAME: &'static str = "to-xc7";
    const SUMMARY: &'static str = "lowers LUTs and registers to Xilinx 7-series primitives, two small LUTs to a site";
    const LEVEL: Level = Level::Hw;
    type Options = ToXc7Options;

    fn build(options: ToXc7Options) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

impl Pass for ToXc7 {
    fn run(&mut self, f: &mut Func, _: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let mut pairs = if self.options.pair { pairs(f, self.options.unrelated) } else { Vec::new() };
        let ToXc7Options { period, latency, .. } = self.options;
        if let Some(period) = period.or(latency.map(|ns| ns / f.latency().max(1) as f64)) {
            split(f, &mut pairs, &self.options.delays(), period);
        }
        share_sites(f, &pairs);
        let mut changed = false;
        for id in f.op_ids() {
            let kind = match f.op(id).kind {
                OpKind::Lut { table } => OpKind::Xc7Lut6 { init: table },
                OpKind::Reg { stage, init } => OpKind::Xc7Fdre { stage, init },
                _ => continue,
            };
            f.set_kind(id, kind);
            changed = true;
        }
        Ok(changed.into())
    }
}

/// Makes each pair one `xc7.lut6_2`; the pair's own ops stay behind dead.
fn share_sites(f: &mut Func, pairs: &[(OpId, OpId)]) {
    if pairs.is_empty() {
        return;
    }
    let one = f.constant(1, Type::BIT);
    let mut redirect: Vec<Value> = (0..f.value_count()).map(Value::new).collect();
    for &(a, b) in pairs {
        // A table of six inputs gives its cofactor beside it.
        let (a, b) = if f.op(b).operands.len() > SITE_INPUTS { (b, a) } else { (a, b) };
        let mut pins: SmallVec<[Value; 6]> = SmallVec::new();
        for &v in f.op(a).operands.iter().chain(f.op(b).operands) {
            if !pins.contains(&v) {
                pins.push(v);
            }
        }
        let init = if pins.len() > SITE_INPUTS {
            let last = (0..6).find(|&j| cofactor_is(f, a, b, &pins, j)).unwrap_or(5);
            pins.swap(last, 5);
            over(f, a, &pins)
        } else {
            over(f, a, &pins) << 32 | over(f, b, &pins) & mask(SITE_INPUTS)
        };
        pins.resize(6, one);
        let (first, second) = (f.op(a), f.op(b));
        let (out6, out5, locs) = (first.result(), second.result(), [first.loc, second.loc]);
        let loc = f.locs.fuse(locs);
        let site = f.push(OpKind::Xc7Lut6_2 { init }, &pins, &[Type::BIT; 2], loc);
        for (old, new) in [out6, out5].into_iter().zip(f.op(site).results()) {
            redirect[old.index()] = new;
            if let Some(name) = f.name_of(old).map(Box::<str>::from) {
                f.set_name(new, name);
            }
        }
    }
    f.replace_uses(&redirect);
}

/// Whether `b` is `a` where pin `j` is 0.
fn cofactor_is(f: &Func, a: OpId, b: OpId, pins: &[Value], j: usize) -> bool {
    cofactor(over(f, a, pins), j, false) == over(f, b, pins)
}

/// The function of a LUT over the pins, widened.
fn over(f: &Func, lut: OpId, pins: &[Value]) -> u64 {
    let op = f.op(lut);
    let OpKind::Lut { table } = op.kind else { return 0 };
    let pin = |v: &Value| pins.iter().position(|p| p == v).map_or(0, |p| VAR[p]);
    let inputs: SmallVec<[u64; 6]> = op.operands.iter().map(pin).collect();
    compose(table, &inputs)
}

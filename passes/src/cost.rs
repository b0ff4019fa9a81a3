//! What a function at bit level costs on a target.

use blc_ir::{Func, Op, OpKind};

use crate::count::count;
use crate::pairing::pairs;
use crate::target::Target;

/// How lookup tables are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Inputs of a lookup table; a function of more takes twice as many for each, joined by multiplexers. `None`: of as
    /// many as there are.
    pub k: Option<u8>,
    /// Whether two small functions share a site.
    pub pairs: bool,
}

impl Cost {
    /// Of a target that nothing is forbidden of.
    pub fn of(target: Target) -> Self {
        Self { k: Some(target.k()), pairs: target.is_xilinx() }
    }

    /// Sites; of equally many functions, then levels.
    pub fn count(&self, f: &Func) -> [u64; 3] {
        let total = count(f).total;
        let pairs = if self.pairs { pairs(f, true).len() as u64 } else { 0 };
        let more = |(_, op): (_, Op<'_>)| match (op.kind, self.k) {
            (OpKind::Lut { .. } | OpKind::LutWide { .. }, Some(k)) => {
                (1u64 << op.operands.len().saturating_sub(k.into()).min(32)) - 1
            }
            _ => 0,
        };
        let more: u64 = f.ops().map(more).sum();
        [total.luts + more - pairs, total.lut_functions, total.levels]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::{FuncKind, LocId, Type, Value};

    #[test]
    fn a_table_of_six_inputs_is_four_of_four() {
        let mut f = Func::new("f", FuncKind::Func);
        let x: Vec<Value> = (0..6).map(|i| f.add_param(format!("x{i}"), Type::BIT)).collect();
        let six = f.lut(0x8000_0000_0000_0001, &x, LocId::UNKNOWN);
        let four = f.lut(0x8000, &x[..4], LocId::UNKNOWN);
        f.add_result("six", six);
        f.add_result("four", four);
        let sites = |target| Cost::of(target).count(&f)[0];
        assert_eq!([Target::Slices(4), Target::Lut(5), Target::Lut(6)].map(sites), [5, 3, 2]);
        // The second reads inputs of the first, but is not a half of it.
        assert_eq!([sites(Target::Xc7), Cost::default().count(&f)[0]], [2, 2]);
    }
}

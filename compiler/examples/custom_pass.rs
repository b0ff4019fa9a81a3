//! A `blc` of one's own: everything that `blc` does, and one more pass, which pipeline strings can name.
//!
//! ```text
//! cargo run --example custom_pass -- opt net.blir --passes absorb-inverters --check-each sim
//! ```

use blc_ir::table::VAR;
use blc_ir::{Func, Level, OpKind};
use blc_passes::{Abort, Changed, NoOptions, Pass, PassCx, PassSpec};

/// Lookup tables read what is before an inverter, and exchange the halves of their tables instead.
struct AbsorbInverters;

impl PassSpec for AbsorbInverters {
    const NAME: &'static str = "absorb-inverters";
    const SUMMARY: &'static str = "takes inverters into the tables that read them";
    const LEVEL: Level = Level::Bit;
    type Options = NoOptions;

    fn build(_: NoOptions) -> Box<dyn Pass> {
        Box::new(Self)
    }
}

impl Pass for AbsorbInverters {
    fn run(&mut self, f: &mut Func, _: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let mut changed = false;
        for id in f.op_ids() {
            let OpKind::Lut { mut table } = f.op(id).kind else { continue };
            let mut inputs = f.op(id).operands.to_vec();
            for (j, input) in inputs.iter_mut().enumerate() {
                let Some(source) = f.def_op(*input).map(|op| f.op(op)) else { continue };
                if let (OpKind::Lut { table: 0b01 }, &[before]) = (source.kind, source.operands) {
                    table = (table & VAR[j]) >> (1 << j) | (table & !VAR[j]) << (1 << j);
                    *input = before;
                    changed = true;
                }
            }
            f.set_kind(id, OpKind::Lut { table });
            f.set_operands(id, &inputs);
        }
        Ok(changed.into())
    }
}

fn main() -> std::process::ExitCode {
    blc::Driver::standard().with_pass::<AbsorbInverters>().main()
}

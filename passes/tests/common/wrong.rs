//! Passes that do what no pass should.

use blc_ir::{Diagnostic, Func, Level, OpKind};
use blc_passes::{Abort, Changed, NoOptions, Pass, PassCx, PassSpec, Pipeline, Registry};

macro_rules! pass {
    ($ty:ident, $name:literal, |$f:ident, $cx:ident| $body:expr) => {
        pub struct $ty;
        impl PassSpec for $ty {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = "for tests";
            const LEVEL: Level = Level::Bit;
            type Options = NoOptions;
            fn build(_: NoOptions) -> Box<dyn Pass> {
                Box::new(Self)
            }
        }
        impl Pass for $ty {
            fn run(&mut self, $f: &mut Func, $cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
                $body
            }
        }
    };
}

/// Flips one bit of a table in the middle of the function.
fn flip_bit(f: &mut Func) -> Result<Changed, Abort> {
    let luts: Vec<_> = f.ops().filter(|(_, op)| matches!(op.kind, OpKind::Lut { .. })).map(|(id, _)| id).collect();
    let Some(&id) = luts.get(luts.len() / 2) else { return Ok(Changed::No) };
    let op = f.op(id);
    if let OpKind::Lut { table } = op.kind {
        let address = blc_ir::table::mask(op.operands.len()).count_ones() as u64 / 2;
        f.set_kind(id, OpKind::Lut { table: table ^ 1 << address });
    }
    Ok(Changed::Yes)
}

pass!(FlipBit, "flip-bit", |f, _cx| flip_bit(f));
pass!(FlipInSecret, "flip-in-secret", |f, _cx| flip_bit(f).map(|_| Changed::No));
pass!(BreakIr, "break-ir", |f, _cx| {
    let last = f.op_ids().next_back().unwrap();
    f.set_operands(last, &[f.params[0].value; 7]);
    Ok(Changed::Yes)
});
pass!(GiveUp, "give-up", |f, cx| {
    flip_bit(f)?;
    cx.add_inline("left", &[1], blc_ir::Data::U8(vec![1]));
    Err(Box::new(Diagnostic::error(&blc_passes::codes::TOO_LARGE, "I give up").help("do not use me")))
});
// Takes one op of a chain of buffers at a time.
pass!(Shorten, "shorten", |f, _cx| {
    let Some((_, op)) = f.ops().next_back() else { return Ok(Changed::No) };
    let (from, to) = (op.result(), op.operands[0]);
    let map: Vec<_> = (0..f.value_count()).map(blc_ir::Value::new).map(|v| if v == from { to } else { v }).collect();
    f.replace_uses(&map);
    Ok(Changed::Yes)
});
pass!(Restless, "restless", |_f, _cx| Ok(Changed::Yes));

pub fn registry() -> Registry {
    let mut registry = Registry::standard();
    registry.register::<FlipBit>();
    registry.register::<FlipInSecret>();
    registry.register::<BreakIr>();
    registry.register::<GiveUp>();
    registry.register::<Shorten>();
    registry.register::<Restless>();
    registry
}

pub fn pipeline(text: &str) -> Pipeline {
    Pipeline::parse(text, "", &registry()).unwrap_or_else(|e| panic!("{e}"))
}

//! `gates`: that what functions compute stays, of nothing but the library's gates.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use blc_ir::{Func, FuncKind, LocId, Module, OpKind, Type, Value};
use blc_passes::gates::Gates;
use blc_passes::{Check, PassManager, Pipeline, Registry};
use common::{gates, module_of, random_net, random_words, show};
use proptest::prelude::*;

const LOC: LocId = LocId::UNKNOWN;

/// Runs passes, each verified and compared with what was there before; returns the area.
fn built(module: &mut Module, passes: &str, gates: Gates) -> f32 {
    let gates = Arc::new(gates);
    let manager = PassManager {
        verify_each: true,
        check_each: Some(Check::Sim),
        gates: Some(gates.clone()),
        ..PassManager::default()
    };
    let pipeline = Pipeline::parse(passes, "", &Registry::standard()).unwrap();
    manager.run(module, &pipeline, &mut ()).unwrap_or_else(|f| panic!("{}\n{}", show(&f.errors), f.reproducer));
    let f = &module.funcs[0];
    let area = |kind: OpKind, inputs: usize| match kind {
        OpKind::Lut { table } => gates.area(inputs, table).unwrap_or_else(|| panic!("{table:#x} is no gate\n{module}")),
        OpKind::LutWide { .. } => panic!("a wide table is left"),
        _ => 0.0,
    };
    f.ops().map(|(_, op)| area(op.kind, op.operands.len())).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn random_functions_are_built(seed: u64, nodes in 1usize..=20) {
        let [few, more] = [false, true].map(|more| {
            built(&mut module_of(random_net(seed, 9, 3, nodes)), "fold,cover{k=4},gates,dce", gates(more))
        });
        prop_assert!(few > 0.0 || more == 0.0);
    }

    #[test]
    fn pipelines_are_built(seed: u64) {
        let passes = "lower-encoder,lower-head,fold,cover{k=4},pipeline{stages=2,valid=true,reset=true},gates,dce";
        built(&mut module_of(random_words(seed, 10)), passes, gates(true));
    }
}

fn area(build: impl Fn(&mut Func, &[Value]) -> Value) -> f32 {
    let mut f = Func::new("f", FuncKind::Func);
    let x = f.add_param("x", Type::bits(4));
    let x: Vec<Value> = (0..4).map(|i| f.extract(x, i, Type::BIT, LOC)).collect();
    let y = build(&mut f, &x);
    f.add_result("y", y);
    built(&mut module_of(f), "gates,dce", gates(true))
}

#[test]
fn small_functions_take_what_they_must() {
    // A NAND; an AND is one with an inverter, an OR one behind two.
    assert_eq!(area(|f, x| f.lut(0b0111, &x[..2], LOC)), 4.0);
    assert_eq!(area(|f, x| f.lut(0b1000, &x[..2], LOC)), 6.0);
    assert_eq!(area(|f, x| f.lut(0b1110, &x[..2], LOC)), 8.0);
    assert_eq!(area(|f, x| f.lut(0b1001, &x[..2], LOC)), 12.0);
    assert_eq!(area(|f, x| f.lut(0xca, &x[..3], LOC)), 12.0);
    // A wire, an inverter, a constant.
    assert_eq!(area(|f, x| f.lut(0b10, &x[..1], LOC)), 0.0);
    assert_eq!(area(|f, x| f.lut(0b01, &x[..1], LOC)), 2.0);
    assert_eq!(area(|f, x| f.lut(0b0000, &x[..2], LOC)), 0.0);
    assert_eq!(area(|f, x| f.lut(0b1111, &x[..2], LOC)), 0.0);
}

//! Test vectors for testbenches: inputs of a design with the outputs they must give.

use blc_backends::sim::{Engine, Input, Layout, Outputs, Simulator};
use blc_backends::verilog::testbench::Vector;
use blc_ir::eval::Val;
use blc_ir::{Func, Module, Result};

/// Vectors of random inputs; the first has all bits 0, the second all bits 1. What they must give is the simulator's word.
///
/// # Errors
/// The simulator cannot run the design sample by sample.
pub fn random(module: &Module, f: &Func, count: usize) -> Result<Vec<Vector>> {
    let simulator = Simulator::new(module, f, Engine::Auto)?;
    let layout = simulator.inputs();
    let widths: Vec<u8> = layout.ports().iter().flat_map(|p| std::iter::repeat_n(p.width, p.columns.len())).collect();
    let mut state = 0;
    let rows: Vec<u64> = (0..count)
        .flat_map(|row| widths.iter().map(move |&width| (row, width)))
        .map(|(row, width)| {
            let word = match row {
                0 => 0,
                1 => u64::MAX,
                _ => split_mix(&mut state),
            };
            word >> (64 - u32::from(width))
        })
        .collect();
    let outputs = simulator.run(&Input::u64(count, &rows))?;
    Ok((0..count).map(|row| vector(layout, &rows, &outputs, row)).collect())
}

fn vector(layout: &Layout, rows: &[u64], outputs: &Outputs, row: usize) -> Vector {
    let inputs = &rows[row * layout.columns()..][..layout.columns()];
    Vector {
        inputs: layout.ports().iter().map(|p| Val::Packed(inputs[p.columns.clone()].to_vec())).collect(),
        outputs: (outputs.layout().ports().iter())
            .map(|p| Val::Packed(p.columns.clone().map(|c| outputs.get(row, c)).collect()))
            .collect(),
    }
}

/// Steele, Lea and Flood's SplitMix64, written out: testbenches and sweeps must not change with a library's version.
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::{FuncKind, LocId, Type};

    #[test]
    fn random_vectors_are_true() {
        let mut f = Func::new("f", FuncKind::Func);
        let [a, b] = ["a", "b"].map(|name| f.add_param(name, Type::word(3)));
        let bits = [a, b].map(|v| f.extract(v, 2, Type::BIT, LocId::UNKNOWN));
        let y = f.lut(0x6, &bits, LocId::UNKNOWN);
        f.add_result("y", y);
        let mut module = Module::new("m");
        module.funcs.push(f);
        let vectors = random(&module, module.top().unwrap(), 20).unwrap();
        let mut ones = 0;
        for (i, v) in vectors.iter().enumerate() {
            let [Val::Packed(a), Val::Packed(b)] = v.inputs.as_slice() else { panic!("{v:?}") };
            let y = (a[0] ^ b[0]) >> 2;
            assert!(a[0] < 8 && b[0] < 8);
            assert_eq!(v.outputs, [Val::Packed(vec![y])], "vector {i}");
            ones += y;
        }
        assert_eq!(vectors[0].inputs, [Val::Packed(vec![0]), Val::Packed(vec![0])]);
        assert_eq!(vectors[1].inputs, [Val::Packed(vec![7]), Val::Packed(vec![7])]);
        assert!((3..17).contains(&ones), "they do not look random: {ones}");
    }
}

//! Random designs: models of every kind of layer, nets of every kind of op.

use blc_frontend::lower;
use blc_frontend::model::{Dtype, Layer, Model, TensorNames, Thresholds, words_per_table};
use blc_ir::Module;
use blc_ir::table::{VAR, mask};

pub use crate::nets::Rng;
use crate::nets::{random_net, random_words};

/// A model that [`Model::validate`] takes: every kind of input, encoder, layer and head, small.
pub fn model(rng: &mut Rng) -> Model {
    let dtype = rng.of(&[Dtype::U8, Dtype::U8, Dtype::F32, Dtype::Bit]);
    let rank = 1 + rng.below(3);
    let shape: Vec<usize> = (0..rank).map(|_| 1 + rng.below(if rank == 1 { 8 } else { 3 })).collect();
    let mut width: usize = shape.iter().product();
    let mut layers = Vec::new();
    if dtype != Dtype::Bit {
        layers.push(encoder(rng, dtype, width));
        width = match &layers[0] {
            Layer::Code { bits, .. } | Layer::Thermometer { bits, .. } => width * bits,
            _ => width,
        };
    }
    let count = rng.below(4);
    let groups = 1 + rng.below(5);
    for layer in 0..count {
        let fan_in = if rng.chance(8) { 7 + rng.below(4) } else { 1 + rng.below(6) };
        let last = layer + 1 == count;
        let nodes = if last { groups * (1 + rng.below(6)) } else { 1 + rng.below(20) };
        layers.push(luts(rng, width, nodes, fan_in));
        width = nodes;
    }
    let groups = if width.is_multiple_of(groups) { groups } else { 1 };
    match rng.below(6) {
        0 if !layers.is_empty() => {}
        1 => layers.push(Layer::GroupSum { groups }),
        2 => layers.push(Layer::GroupDsp { groups, weights: weights(rng, groups) }),
        3 => layers.extend([Layer::GroupDsp { groups, weights: weights(rng, groups) }, Layer::Argmax]),
        _ => layers.extend([Layer::GroupSum { groups }, Layer::Argmax]),
    }
    Model { name: "soak".into(), shape, dtype, layers, approximate: None }
}

fn weights(rng: &mut Rng, groups: usize) -> Vec<u32> {
    let most = 1 + rng.below(20);
    (0..groups * groups).map(|_| rng.below(most) as u32).collect()
}

fn encoder(rng: &mut Rng, dtype: Dtype, features: usize) -> Layer {
    let steps = 1 + rng.below(4);
    let real = dtype == Dtype::F32 || rng.chance(4);
    let thresholds = if real {
        let some = |rng: &mut Rng| match rng.below(12) {
            0 => 0.0,
            1 => -0.0,
            2 => 255.0,
            3 => -1.0,
            4 => 1e-30,
            _ => rng.below(2600) as f32 / 10.0 - 2.0,
        };
        let mut all = Vec::new();
        for _ in 0..features {
            let mut row: Vec<f32> = (0..steps).map(|_| some(rng)).collect();
            row.sort_by(f32::total_cmp);
            all.extend(row);
        }
        Thresholds::F32(all)
    } else {
        let mut all = Vec::new();
        for _ in 0..features {
            let mut row: Vec<u8> = (0..steps).map(|_| rng.of(&[0, 1, 127, 254, 255, rng.0 as u8])).collect();
            let any = rng.next() as u8;
            row[0] = any;
            row.sort_unstable();
            all.extend(row);
        }
        Thresholds::U8(all)
    };
    if rng.chance(3) {
        let bits = 1 + rng.below(5);
        let codes = (0..=steps).map(|_| rng.next() & mask64(bits)).collect();
        return Layer::Code { bits, thresholds, codes };
    }
    Layer::Thermometer { bits: steps, thresholds }
}

fn mask64(bits: usize) -> u64 {
    u64::MAX >> (64 - bits)
}

fn luts(rng: &mut Rng, width: usize, nodes: usize, fan_in: usize) -> Layer {
    let connections = (0..nodes * fan_in).map(|_| rng.below(width) as u32).collect();
    let tables = (0..nodes).flat_map(|_| table(rng, fan_in)).collect();
    Layer::Lut { fan_in, connections, tables }
}

/// Any function, often one of those that people write.
fn table(rng: &mut Rng, fan_in: usize) -> Vec<u64> {
    let words = words_per_table(fan_in);
    let kind = rng.below(8);
    let j = rng.below(fan_in.min(6));
    let one = match kind {
        0 => 0,
        1 => u64::MAX,
        2 => VAR[j],
        3 => VAR[j] & VAR[0],
        4 => VAR[j] ^ VAR[0],
        _ => rng.next(),
    };
    let word = |rng: &mut Rng| if kind < 6 { one } else { rng.next() };
    (0..words).map(|_| word(rng) & mask(fan_in.min(6))).collect()
}

/// A design of any kind: a model, or a net at bit level.
pub fn design(seed: u64) -> Module {
    let rng = &mut Rng(seed);
    match rng.below(5) {
        0 => net(random_net(seed, 2 + rng.below(12), 1 + rng.below(4), 1 + rng.below(16))),
        1 => net(random_words(seed, 4 + rng.below(30))),
        _ => {
            let model = model(rng);
            lower::to_ir(&model, "soak.safetensors", &TensorNames::standard(&model))
        }
    }
}

fn net(f: blc_ir::Func) -> Module {
    let mut module = Module::new("soak");
    module.funcs.push(f);
    module
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn designs_are_valid_and_of_every_kind() {
        let mut kinds = BTreeSet::new();
        for seed in 0..300 {
            let model = model(&mut Rng(seed));
            model.validate().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            kinds.extend(model.layers.iter().map(Layer::kind));
            let module = design(seed);
            assert!(blc_ir::verify::verify(&module).is_empty(), "seed {seed}");
        }
        assert_eq!(kinds.len(), 6, "{kinds:?}");
    }
}

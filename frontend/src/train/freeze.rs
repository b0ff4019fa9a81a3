//! From a network in training to the model that is compiled.
//!
//! Convolutions, pools and ways past a layer become layers of tables like any other: a kernel stands at each of its
//! places, a pool is an OR, and bits that pass by are tables that repeat them. Folding takes out again what is only wire.

use super::config::{HeadKind, Residual};
use super::encoder::Encoder;
use super::head::Head;
use super::network::{Snapshot, Step};
use crate::data::{Dataset, Features};
use crate::model::{Dtype, Layer, Luts, Model, words_per_table};

/// The hard network: every table thresholded at its corners, every slot at its best candidate, and inputs of the
/// first layer (numbers in `live`) as bits of the encoder.
pub fn freeze(data: &Dataset, encoder: &Encoder, live: &[u32], snapshot: &Snapshot, head: &Head) -> Model {
    let mut model = Model {
        name: data.name.clone(),
        shape: data.shape.clone(),
        dtype: match data.train.x {
            Features::U8(_) => Dtype::U8,
            Features::F32(_) => Dtype::F32,
        },
        layers: vec![encoder.layer()],
        approximate: None,
    };
    let mut layers: Vec<Luts> = Vec::new();
    let mut width = live.len();
    for (steps, residual) in &snapshot.blocks {
        let before = width;
        // Where bits of before the block lie in what the next layer reads.
        let mut past = 0;
        for step in steps {
            let mut luts = luts_of(step, width);
            width = luts.nodes();
            if *residual != Residual::None {
                (past..past + before).for_each(|bit| luts.repeat(bit as u32));
                past = width;
            }
            layers.push(luts);
        }
        match residual {
            Residual::None => {}
            Residual::Concat => width += before,
            Residual::Or => {
                let connections = (0..width as u32).flat_map(|i| [i, i + width as u32]).collect();
                layers.push(Luts { fan_in: 2, connections, tables: vec![0xe; width] });
            }
        }
    }
    if let Some(first) = layers.first_mut() {
        first.connections.iter_mut().for_each(|c| *c = live[*c as usize]);
    }
    model.layers.extend(layers.into_iter().map(Luts::into_layer));
    let groups = head.groups;
    match (head.kind(), &snapshot.weights) {
        (HeadKind::Count, _) => model.layers.push(Layer::GroupSum { groups: 1 }),
        (_, Some(matrix)) => {
            model.layers.extend([Layer::GroupDsp { groups, weights: head.whole(matrix) }, Layer::Argmax]);
        }
        _ => model.layers.extend([Layer::GroupSum { groups }, Layer::Argmax]),
    }
    model
}

/// The tables of a step over `width` rows.
fn luts_of(step: &Step, width: usize) -> Luts {
    match step {
        Step::Luts { relaxation, theta, chosen, share } => {
            let k = relaxation.fan_in();
            let mut scratch = relaxation.scratch();
            let mut luts = Luts::new(k);
            for (theta, nodes) in theta.chunks(relaxation.parameters()).zip(chosen.chunks(share * k)) {
                let hard = relaxation.harden(theta, &mut scratch);
                nodes.chunks(k).for_each(|wires| luts.push(&hard[..words_per_table(k)], wires, width));
            }
            luts
        }
        Step::Pool { index, window } => {
            let mut luts = Luts::new(*window);
            index.chunks(*window).for_each(|wires| luts.push_or(wires, width));
            luts
        }
    }
}

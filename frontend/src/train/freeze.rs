//! From a network in training to the model that is compiled.
//!
//! Convolutions, pools and ways past a layer become layers of tables like any other: a kernel stands at each of its
//! places, a pool is an OR, and bits that pass by are tables that repeat them. Folding takes out again what is only wire.

use super::config::{HeadKind, Residual};
use super::encoder::Encoder;
use super::head::Head;
use super::kernel;
use super::network::{Snapshot, Step};
use crate::data::{Dataset, Features};
use crate::model::{Dtype, Layer, Model};

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
    };
    let mut layers: Vec<Luts> = Vec::new();
    let mut width = live.len();
    for (steps, residual) in &snapshot.blocks {
        let before = width;
        // Where bits of before the block lie in what the next layer reads.
        let mut past = 0;
        for step in steps {
            let mut luts = Luts::of(step, width);
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
    let lut = |l: Luts| Layer::Lut { fan_in: l.fan_in, connections: l.connections, tables: l.tables };
    model.layers.extend(layers.into_iter().map(lut));
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

/// A layer of tables in the making.
struct Luts {
    fan_in: usize,
    connections: Vec<u32>,
    tables: Vec<u64>,
}

impl Luts {
    /// A step over `width` rows.
    fn of(step: &Step, width: usize) -> Self {
        match step {
            Step::Luts { relaxation, theta, chosen, share } => {
                let k = relaxation.fan_in();
                let mut scratch = relaxation.scratch();
                let mut luts = Self { fan_in: k, connections: Vec::with_capacity(chosen.len()), tables: Vec::new() };
                for (theta, nodes) in theta.chunks(relaxation.parameters()).zip(chosen.chunks(share * k)) {
                    let hard = relaxation.harden(theta, &mut scratch);
                    nodes.chunks(k).for_each(|wires| luts.push(&hard[..kernel::words(k)], wires, width));
                }
                luts
            }
            Step::Pool { index, window } => {
                let or: Vec<u64> =
                    (0..kernel::words(*window)).map(|word| mask(*window) & !u64::from(word == 0)).collect();
                let mut luts =
                    Self { fan_in: *window, connections: Vec::with_capacity(index.len()), tables: Vec::new() };
                index.chunks(*window).for_each(|wires| luts.push(&or, wires, width));
                luts
            }
        }
    }

    fn nodes(&self) -> usize {
        self.connections.len() / self.fan_in
    }

    /// Adds a node. An input that is always 0 (row `width`) reads row 0, which its table then does not heed.
    fn push(&mut self, table: &[u64], wires: &[u32], width: usize) {
        let zero = |&wire: &u32| wire as usize == width;
        if !wires.iter().any(zero) {
            self.tables.extend_from_slice(table);
        } else {
            let kept = wires.iter().enumerate().filter(|(_, w)| !zero(w)).fold(0, |kept, (j, _)| kept | 1usize << j);
            let mut out = vec![0u64; table.len()];
            for a in 0..1usize << self.fan_in {
                out[a / 64] |= (table[(a & kept) / 64] >> ((a & kept) % 64) & 1) << (a % 64);
            }
            self.tables.extend(out);
        }
        self.connections.extend(wires.iter().map(|w| if zero(w) { 0 } else { *w }));
    }

    /// Adds a node that repeats a bit.
    fn repeat(&mut self, bit: u32) {
        let words = kernel::words(self.fan_in);
        self.tables.extend(std::iter::repeat_n(0xaaaa_aaaa_aaaa_aaaa & mask(self.fan_in), words));
        self.connections.extend(std::iter::repeat_n(bit, self.fan_in));
    }
}

/// The bits of a word that a table of `k` inputs has.
fn mask(k: usize) -> u64 {
    if k >= 6 { u64::MAX } else { (1 << (1 << k)) - 1 }
}

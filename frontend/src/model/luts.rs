//! A layer of tables in the making: what a network has beyond tables becomes tables.
//!
//! A place that is always 0 (padding around an image) is given as bit `width` of a layer of `width` bits: the table then
//! no longer heeds that input. Folding takes out again what is only wire.

use super::{Layer, words_per_table};

/// A layer of tables in the making.
#[derive(Clone, Debug)]
pub struct Luts {
    /// Inputs per node.
    pub fan_in: usize,
    /// `[nodes, fan_in]`
    pub connections: Vec<u32>,
    /// `[nodes, words_per_table(fan_in)]`
    pub tables: Vec<u64>,
}

impl Luts {
    /// No nodes yet, of `fan_in` inputs.
    pub fn new(fan_in: usize) -> Self {
        Self { fan_in, connections: Vec::new(), tables: Vec::new() }
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.connections.len() / self.fan_in
    }

    /// Adds a node. An input that is always 0 (bit `width`) reads bit 0, which its table then does not heed.
    pub fn push(&mut self, table: &[u64], wires: &[u32], width: usize) {
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

    /// Adds an OR of all inputs.
    pub fn push_or(&mut self, wires: &[u32], width: usize) {
        let mut or = vec![mask(self.fan_in); words_per_table(self.fan_in)];
        or[0] &= !1;
        self.push(&or, wires, width);
    }

    /// Adds a node that repeats a bit.
    pub fn repeat(&mut self, bit: u32) {
        let words = words_per_table(self.fan_in);
        self.tables.extend(std::iter::repeat_n(0xaaaa_aaaa_aaaa_aaaa & mask(self.fan_in), words));
        self.connections.extend(std::iter::repeat_n(bit, self.fan_in));
    }

    /// The layer.
    pub fn into_layer(self) -> Layer {
        Layer::Lut { fan_in: self.fan_in, connections: self.connections, tables: self.tables }
    }
}

/// The bits of a word that a table of `k` inputs has.
fn mask(k: usize) -> u64 {
    if k >= 6 { u64::MAX } else { (1 << (1 << k)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_always_zero_is_not_heeded() {
        let mut luts = Luts::new(2);
        luts.push(&[0b0111], &[3, 9], 9);
        luts.push_or(&[9, 4], 9);
        luts.repeat(5);
        assert_eq!(luts.connections, [3, 0, 0, 4, 5, 5]);
        // NAND with the second input at 0 is 1; OR is the second input.
        assert_eq!((luts.nodes(), luts.tables), (3, vec![0b1111, 0b1100, 0b1010]));
    }
}

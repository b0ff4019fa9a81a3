//! Tables over fewer of their inputs, each entry what costs least.

/// What it costs to change entries of a table, by address: the loss's rise, and the squares of what single samples bring.
#[derive(Clone, Debug)]
pub(super) struct Costs {
    pub rise: [f64; 64],
    pub square: [f64; 64],
}

impl Default for Costs {
    fn default() -> Self {
        Self { rise: [0.0; 64], square: [0.0; 64] }
    }
}

impl Costs {
    /// The cheapest table over a subset of `k` inputs, and the rise of the loss with it.
    ///
    /// Where nothing needs to change, something does only if it pays by `sure` standard errors.
    pub fn restrict(&self, table: u64, k: usize, subset: u32, sure: f64) -> (u64, f64) {
        // By new address and value: what that value costs; and the squares, and the values that are there.
        let mut costs = [[0.0; 2]; 64];
        let mut squares = [0.0; 64];
        let mut there = [0u8; 64];
        for a in 0..1usize << k {
            let to = compress(a as u32, subset);
            let bit = (table >> a & 1) as usize;
            costs[to][1 - bit] += self.rise[a];
            squares[to] += self.square[a];
            there[to] |= 1 << bit;
        }
        let entries = 0..1usize << subset.count_ones();
        entries.fold((0, 0.0), |(new, rise), a| {
            let [zero, one] = costs[a];
            let bit = match there[a] {
                1 => one < -sure * f64::sqrt(squares[a]),
                2 => zero >= -sure * f64::sqrt(squares[a]),
                _ => one < zero,
            };
            (new | u64::from(bit) << a, rise + if bit { one } else { zero })
        })
    }
}

/// The bits of an address that a mask picks, put together.
fn compress(address: u32, mask: u32) -> usize {
    let (mut to, mut at) = (0, 0);
    for j in 0..6 {
        if mask >> j & 1 == 1 {
            to |= ((address >> j & 1) as usize) << at;
            at += 1;
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a` or `b`, and what it costs to change its entries.
    fn costs(rise: [f64; 4]) -> Costs {
        let mut costs = Costs::default();
        costs.rise[..4].copy_from_slice(&rise);
        costs.square[..4].copy_from_slice(&rise.map(|r| r * r));
        costs
    }

    #[test]
    fn the_cheapest_of_each_entry() {
        let or = 0b1110;
        let costs = costs([5.0, 4.0, 1.0, 6.0]);
        assert_eq!(costs.restrict(or, 2, 0b11, 1.0), (or, 0.0));
        // Without `b`, entries 0 and 2 become one and agree on 0; without `a`, 0 and 1 on 1.
        assert_eq!(costs.restrict(or, 2, 0b01, 1.0), (0b10, 1.0));
        assert_eq!(costs.restrict(or, 2, 0b10, 1.0), (0b10, 4.0));
        assert_eq!(costs.restrict(or, 2, 0, 1.0), (1, 5.0));
    }

    #[test]
    fn what_pays_changes_where_that_is_sure() {
        let costs = costs([0.0, -3.0, 0.0, 2.0]);
        assert_eq!(costs.restrict(0b1110, 2, 0b11, 0.9), (0b1100, -3.0));
        assert_eq!(costs.restrict(0b1110, 2, 0b11, 1.1), (0b1110, 0.0));
        assert_eq!(costs.restrict(0b0001, 2, 0b11, 0.9), (0b0011, -3.0));
    }
}

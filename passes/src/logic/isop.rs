//! Irredundant sums of products of small tables (Minato 1992, Morreale 1970).

use blc_ir::table::{VAR, cofactor, depends};

/// A product of inputs: those of `ones` as they are, those of `zeros` complemented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cube {
    pub ones: u8,
    pub zeros: u8,
}

/// Cubes whose sum is 1 wherever `on` is and 0 wherever `on | free` is not. Tables are widened.
pub fn isop(on: u64, free: u64) -> Vec<Cube> {
    let mut cubes = Vec::new();
    grow(on, on | free, 6, Cube::default(), &mut cubes);
    cubes
}

/// Adds cubes between `lower` and `upper`, which depend on inputs below `n`; returns the table of their sum.
fn grow(lower: u64, upper: u64, n: usize, cube: Cube, cubes: &mut Vec<Cube>) -> u64 {
    if lower == 0 {
        return 0;
    }
    if upper == u64::MAX {
        cubes.push(cube);
        return u64::MAX;
    }
    let Some(j) = (0..n).rev().find(|&j| depends(lower, j) || depends(upper, j)) else { return 0 };
    let [l0, l1] = [false, true].map(|v| cofactor(lower, j, v));
    let [u0, u1] = [false, true].map(|v| cofactor(upper, j, v));
    let zero = grow(l0 & !u1, u0, j, Cube { zeros: cube.zeros | 1 << j, ..cube }, cubes);
    let one = grow(l1 & !u0, u1, j, Cube { ones: cube.ones | 1 << j, ..cube }, cubes);
    let both = grow(l0 & !zero | l1 & !one, u0 & u1, j, cube, cubes);
    zero & !VAR[j] | one & VAR[j] | both
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(cubes: &[Cube]) -> u64 {
        let product = |c: &Cube| {
            (0..6).fold(u64::MAX, |t, j| {
                let t = if c.ones >> j & 1 == 1 { t & VAR[j] } else { t };
                if c.zeros >> j & 1 == 1 { t & !VAR[j] } else { t }
            })
        };
        cubes.iter().fold(0, |t, c| t | product(c))
    }

    proptest! {
        #[test]
        fn between_its_bounds(on: u64, free: u64) {
            let found = table(&isop(on & !free, free));
            prop_assert_eq!(found & !free, on & !free);
        }
    }

    #[test]
    fn few_cubes() {
        let [a, b, c, ..] = VAR;
        assert_eq!(isop(a & b, 0), [Cube { ones: 3, zeros: 0 }]);
        assert_eq!(isop(a & b | !a & c, 0).len(), 2);
        assert_eq!(isop(a & b & c, a).len(), 1);
        assert_eq!((isop(0, 0).len(), isop(u64::MAX, 0).len()), (0, 1));
    }
}

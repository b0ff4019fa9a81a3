//! Truth tables as sums of products: irredundant covers after Minato and Morreale ("Fast generation of irredundant
//! sum-of-products forms from binary decision diagrams", SASIMI 1992), on truth tables instead of diagrams.

use blc_ir::table::{VAR, cofactor, depends, widen};

/// A product: input `j` takes part where bit `j` of `care` is set, and as it is or inverted by bit `j` of `value`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cube {
    /// Inputs that take part.
    pub care: u16,
    /// What they have to be; 0 outside `care`.
    pub value: u16,
}

impl Cube {
    fn with(self, input: usize, value: bool) -> Self {
        Self { care: self.care | 1 << input, value: self.value | u16::from(value) << input }
    }

    /// The cube's line of a BLIF table: `1`, `0` or `-` for each of `inputs` inputs.
    pub fn pattern(self, inputs: usize) -> impl Iterator<Item = char> {
        (0..inputs).map(move |j| match (self.care >> j & 1, self.value >> j & 1) {
            (0, _) => '-',
            (_, 0) => '0',
            _ => '1',
        })
    }
}

/// A function as an OR of products, or as the complement of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// The products.
    pub cubes: Vec<Cube>,
    /// Whether they cover the ones; otherwise they cover the zeros.
    pub on_set: bool,
}

impl Cover {
    /// The smaller of the covers of ones and of zeros (the ones where they are equal) of a table of `inputs <= 16`
    /// inputs in `max(1, 2^inputs / 64)` words. Each is irredundant; neither need be the smallest there is.
    pub fn of(words: &[u64], inputs: usize) -> Self {
        let full: Vec<u64> = words.iter().map(|&w| widen(w, inputs)).collect();
        let ones = cover(&full, inputs);
        let zeros = cover(&full.iter().map(|w| !w).collect::<Vec<_>>(), inputs);
        let size = |cubes: &[Cube]| (cubes.len(), cubes.iter().map(|c| c.care.count_ones()).sum::<u32>());
        let on_set = size(&ones) <= size(&zeros);
        Self { cubes: if on_set { ones } else { zeros }, on_set }
    }
}

fn cover(words: &[u64], inputs: usize) -> Vec<Cube> {
    let mut cubes = Vec::new();
    isop(words, words, inputs, Cube::default(), &mut cubes);
    cubes
}

/// Adds cubes that cover `lower` and stay within `upper`; gives what they cover. All tables are widened to 64 bits.
fn isop(lower: &[u64], upper: &[u64], inputs: usize, cube: Cube, cubes: &mut Vec<Cube>) -> Vec<u64> {
    if let ([l], [u]) = (lower, upper) {
        return vec![isop_word(*l, *u, inputs, cube, cubes)];
    }
    if lower.iter().all(|&w| w == 0) {
        return vec![0; lower.len()];
    }
    if upper.iter().all(|&w| w == u64::MAX) {
        cubes.push(cube);
        return vec![u64::MAX; lower.len()];
    }
    let input = inputs - 1;
    let ((l0, l1), (u0, u1)) = (lower.split_at(lower.len() / 2), upper.split_at(upper.len() / 2));
    let zip =
        |a: &[u64], b: &[u64], f: fn(u64, u64) -> u64| a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect::<Vec<_>>();
    let only = |l: &[u64], u: &[u64]| zip(l, u, |l, u| l & !u);
    let f0 = isop(&only(l0, u1), u0, input, cube.with(input, false), cubes);
    let f1 = isop(&only(l1, u0), u1, input, cube.with(input, true), cubes);
    let rest = zip(&only(l0, &f0), &only(l1, &f1), |a, b| a | b);
    let both = isop(&rest, &zip(u0, u1, |a, b| a & b), input, cube, cubes);
    [zip(&f0, &both, |a, b| a | b), zip(&f1, &both, |a, b| a | b)].concat()
}

fn isop_word(lower: u64, upper: u64, inputs: usize, cube: Cube, cubes: &mut Vec<Cube>) -> u64 {
    if lower == 0 {
        return 0;
    }
    let top = (0..inputs.min(6)).rev().find(|&j| depends(lower, j) || depends(upper, j));
    let (Some(j), true) = (top, upper != u64::MAX) else {
        cubes.push(cube);
        return u64::MAX;
    };
    let (l0, l1) = (cofactor(lower, j, false), cofactor(lower, j, true));
    let (u0, u1) = (cofactor(upper, j, false), cofactor(upper, j, true));
    let f0 = isop_word(l0 & !u1, u0, j, cube.with(j, false), cubes);
    let f1 = isop_word(l1 & !u0, u1, j, cube.with(j, true), cubes);
    let both = isop_word(l0 & !f0 | l1 & !f1, u0 & u1, j, cube, cubes);
    f0 & !VAR[j] | f1 & VAR[j] | both
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::table::mask;
    use proptest::prelude::*;

    fn holds(cube: Cube, address: usize) -> bool {
        (address as u16 ^ cube.value) & cube.care == 0
    }

    fn check(words: &[u64], inputs: usize) -> Cover {
        let cover = Cover::of(words, inputs);
        let covers = |cubes: &[Cube]| -> Vec<bool> {
            (0..1 << inputs).map(|a| cubes.iter().any(|&c| holds(c, a)) == cover.on_set).collect()
        };
        let want: Vec<bool> = (0..1usize << inputs).map(|a| words[a / 64] >> (a % 64) & 1 == 1).collect();
        assert_eq!(covers(&cover.cubes), want);
        // Irredundant: leaving out any cube changes the function.
        for i in 0..cover.cubes.len().min(8) {
            let mut fewer = cover.cubes.clone();
            fewer.remove(i);
            assert_ne!(covers(&fewer), want, "cube {i} is redundant");
        }
        cover
    }

    #[test]
    fn known_functions() {
        let and6 = check(&[1 << 63], 6);
        assert_eq!((and6.cubes.len(), and6.on_set), (1, true));
        let or6 = check(&[u64::MAX - 1], 6);
        assert_eq!((or6.cubes.len(), or6.on_set), (1, false));
        assert_eq!(check(&[0x96], 3).cubes.len(), 4, "parity of 3");
        assert_eq!(check(&[0xe8], 3).cubes.len(), 3, "majority of 3");
        assert_eq!(check(&[0], 2).cubes, []);
        assert_eq!(check(&[0xf], 2), Cover { cubes: vec![], on_set: false });
        assert_eq!(check(&[2], 1).cubes[0].pattern(3).collect::<String>(), "1--");
    }

    #[test]
    fn parity_of_sixteen_is_the_largest_cover() {
        let words: Vec<u64> = (0..1024u32)
            .map(|w| if w.count_ones() % 2 == 0 { 0x6996_9669_9669_6996 } else { !0x6996_9669_9669_6996 })
            .collect();
        assert_eq!(Cover::of(&words, 16).cubes.len(), 1 << 15);
    }

    proptest! {
        #[test]
        fn covers_the_table(table: u64, inputs in 1usize..=6) {
            check(&[table & mask(inputs)], inputs);
        }

        #[test]
        fn covers_wide_tables(words in proptest::collection::vec(any::<u64>(), 4), sparse: bool) {
            let words: Vec<u64> = words.iter().map(|&w| if sparse { w & w >> 7 & w >> 13 } else { w }).collect();
            check(&words, 8);
        }
    }
}

//! Covers: the cubes of a `.names` to a truth table.

use blc_ir::table::{VAR, mask};

/// Words of 64 bits that a table of `k <= 16` inputs takes.
pub fn words(k: usize) -> usize {
    1 << k.saturating_sub(6)
}

/// Sets the table bits of the addresses in a cube, one of `0`, `1`, `-` an input, the first input's first.
///
/// The six lowest inputs select bits inside a word, the others words. Returns false where a character is none of the three.
pub fn add_cube(table: &mut [u64], cube: &[u8]) -> bool {
    let mut bits = mask(cube.len());
    let (mut ones, mut free) = (0usize, 0usize);
    for (j, &c) in cube.iter().enumerate() {
        match (c, VAR.get(j)) {
            (b'-', None) => free |= 1 << (j - 6),
            (b'1', None) => ones |= 1 << (j - 6),
            (b'1', Some(var)) => bits &= var,
            (b'0', Some(var)) => bits &= !var,
            (b'0', None) | (b'-', Some(_)) => {}
            _ => return false,
        }
    }
    // All subsets of `free`, each once.
    let mut subset = 0usize;
    loop {
        if let Some(word) = table.get_mut(ones | subset) {
            *word |= bits;
        }
        subset = subset.wrapping_sub(free) & free;
        if subset == 0 {
            return true;
        }
    }
}

/// The function that is 0 where the cover of its off-set is 1.
pub fn complement(table: &mut [u64], k: usize) {
    table.iter_mut().for_each(|word| *word = !*word & mask(k));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_other_character_is_refused() {
        for cube in ["x", "0 ", "2", "000000000x"] {
            assert!(!add_cube(&mut [0; 16], cube.as_bytes()), "{cube}");
        }
    }

    proptest! {
        #[test]
        fn cubes_are_what_they_say(cubes in (0usize..=10).prop_flat_map(|k| {
            proptest::collection::vec(proptest::collection::vec(prop::sample::select(b"01-".to_vec()), k), 1..6)
        }), off: bool) {
            let k = cubes[0].len();
            let mut table = vec![0; words(k)];
            for cube in &cubes {
                prop_assert!(add_cube(&mut table, cube));
            }
            if off {
                complement(&mut table, k);
            }
            let covered = |a: usize| cubes.iter().any(|cube| {
                cube.iter().enumerate().all(|(j, &c)| c == b'-' || (c == b'1') == (a >> j & 1 == 1))
            });
            for a in 0..64 * table.len() {
                let bit = table[a / 64] >> (a % 64) & 1 == 1;
                prop_assert_eq!(bit, a < 1 << k && covered(a) != off);
            }
        }
    }
}

//! Weights to truth tables. Bit `a` of a table is the output at address `a`; whether input 0 is the highest or the lowest bit
//! of the address is the library's matter: where it is the highest, the list of inputs is turned around and the table stays.

use crate::model::words_per_table;

/// The table of which entry `a` is 1 where `one(a)`; appended to `tables`.
pub fn push(tables: &mut Vec<u64>, fan_in: usize, one: impl Fn(usize) -> bool) {
    let start = tables.len();
    tables.resize(start + words_per_table(fan_in), 0);
    for a in 0..1usize << fan_in {
        tables[start + a / 64] |= u64::from(one(a)) << (a % 64);
    }
}

/// The first of the largest numbers, as torch.argmax says; 0 where there are none.
pub fn argmax(numbers: impl Iterator<Item = f64>) -> usize {
    let best = |(best, max): (usize, f64), (i, x): (usize, f64)| if x > max { (i, x) } else { (best, max) };
    numbers.enumerate().fold((0, f64::NEG_INFINITY), best).0
}

/// Number of inputs of tables of that many entries.
pub fn fan_in(entries: usize) -> Option<usize> {
    (entries >= 2 && entries.is_power_of_two()).then(|| entries.ilog2() as usize)
}

/// Each row of `k` turned around: input 0 as the highest bit of the address becomes input 0 as the lowest.
pub fn reversed(wires: &mut [f64], k: usize) {
    wires.chunks_exact_mut(k.max(1)).for_each(<[f64]>::reverse);
}

/// Columns to rows: `[k, nodes]` to `[nodes, k]`.
pub fn transposed(numbers: &[f64], k: usize) -> Vec<f64> {
    let nodes = numbers.len().checked_div(k).unwrap_or(0);
    (0..nodes * k).map(|i| numbers[i % k * nodes + i / k]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_wires() {
        let mut tables = vec![7];
        push(&mut tables, 2, |a| a == 1 || a == 3);
        push(&mut tables, 7, |a| a == 64);
        assert_eq!(tables, [7, 0b1010, 0, 1]);
        assert_eq!(argmax([1.0, 3.0, 3.0, 2.0].into_iter()), 1);
        assert_eq!((fan_in(64), fan_in(1), fan_in(12)), (Some(6), None, None));
        let mut rows = transposed(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2);
        assert_eq!(rows, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        reversed(&mut rows, 2);
        assert_eq!(rows, [4.0, 1.0, 5.0, 2.0, 6.0, 3.0]);
    }
}

//! Tables of more than six inputs, as words of 64 addresses. A table of fewer inputs is one word, of which the lowest
//! `2^k` bits count.

use blc_ir::Value;

use super::canon::Lit;

/// The output at an address.
fn eval(table: &[u64], address: usize) -> bool {
    table.get(address / 64).is_some_and(|word| word >> (address % 64) & 1 == 1)
}

/// The table `address -> at(address)` of `k` inputs.
fn tabulate(k: usize, at: impl Fn(usize) -> bool) -> Vec<u64> {
    let mut table = vec![0; (1usize << k).div_ceil(64)];
    for address in (0..1usize << k).filter(|&a| at(a)) {
        table[address / 64] |= 1 << (address % 64);
    }
    table
}

/// Whether a table of `k` inputs depends on input `j`.
fn depends(table: &[u64], k: usize, j: usize) -> bool {
    match j {
        0..6 => table.iter().any(|&word| blc_ir::table::depends(blc_ir::table::widen(word, k.min(6)), j)),
        _ => {
            let half = 1 << (j - 6);
            table.chunks(2 * half).any(|pair| pair[..half] != pair[half..])
        }
    }
}

/// The inputs that a table of `k` inputs depends on, and the table of these.
fn shrink(table: Vec<u64>, k: usize) -> (Vec<u64>, Vec<usize>) {
    let used: Vec<usize> = (0..k).filter(|&j| depends(&table, k, j)).collect();
    if used.len() == k {
        return (table, used);
    }
    let spread = |address: usize| used.iter().enumerate().fold(0, |a, (i, &j)| a | (address >> i & 1) << j);
    (tabulate(used.len(), |address| eval(&table, spread(address))), used)
}

/// The same function over values that matter, each once, rising, none complemented.
pub(super) fn canonical(table: &[u64], inputs: &[Lit]) -> (Vec<u64>, Vec<Value>) {
    let values = inputs.iter().filter_map(|l| if let Lit::Value(v, _) = l { Some(*v) } else { None });
    let mut values: Vec<Value> = values.collect();
    values.sort_unstable();
    values.dedup();
    // Where each input finds its bit among the values, and whether it is complemented (or the constant itself).
    let sources: Vec<(Option<usize>, bool)> = inputs
        .iter()
        .map(|lit| match *lit {
            Lit::Const(bit) => (None, bit),
            Lit::Value(v, flip) => (values.binary_search(&v).ok(), flip),
        })
        .collect();
    let old_address = |address: usize| {
        let bit = |&(at, flip): &(Option<usize>, bool)| at.is_some_and(|at| address >> at & 1 == 1) != flip;
        sources.iter().enumerate().fold(0, |a, (j, source)| a | usize::from(bit(source)) << j)
    };
    let table = tabulate(values.len(), |address| eval(table, old_address(address)));
    let (table, used) = shrink(table, values.len());
    (table, used.into_iter().map(|j| values[j]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keeps_the_function(
            words in proptest::collection::vec(any::<u64>(), 4),
            seed in proptest::collection::vec(0u32..12, 8),
            bits: u16,
        ) {
            let inputs: Vec<Lit> = seed.iter().map(|&s| match s {
                0 => Lit::Const(true),
                s => Lit::Value(Value(s / 2), s & 1 == 1),
            }).collect();
            let value = |v: Value| bits >> v.0 & 1 == 1;
            let (table, values) = canonical(&words, &inputs);
            let old = inputs.iter().enumerate().fold(0, |a, (j, l)| a | usize::from(match *l {
                Lit::Const(b) => b,
                Lit::Value(v, flip) => value(v) != flip,
            }) << j);
            let new = values.iter().enumerate().fold(0, |a, (j, &v)| a | usize::from(value(v)) << j);
            prop_assert_eq!(eval(&table, new), eval(&words, old));
            prop_assert!(values.is_sorted_by(|a, b| a < b));
            prop_assert!((0..values.len()).all(|j| depends(&table, values.len(), j)));
        }
    }
}

//! Truth tables of up to six inputs in one `u64`: bit `a` is the output at address `a`, input `j` is bit `j` of `a`
//! (as INIT of a Xilinx LUT). A table of `k` inputs uses its lowest `2^k` bits; the others are 0.

/// `VAR[j]` is the table of input `j` itself over six inputs.
pub const VAR: [u64; 6] = [
    0xaaaa_aaaa_aaaa_aaaa,
    0xcccc_cccc_cccc_cccc,
    0xf0f0_f0f0_f0f0_f0f0,
    0xff00_ff00_ff00_ff00,
    0xffff_0000_ffff_0000,
    0xffff_ffff_0000_0000,
];

/// The bits a table of `k <= 6` inputs uses.
pub const fn mask(k: usize) -> u64 {
    if k >= 6 { u64::MAX } else { (1 << (1 << k)) - 1 }
}

/// A table of `k` inputs repeated to fill all 64 bits, so that it reads as a function of six.
pub const fn widen(table: u64, k: usize) -> u64 {
    let mut t = table & mask(k);
    let mut j = k;
    while j < 6 {
        t |= t << (1 << j);
        j += 1;
    }
    t
}

/// The function with input `j` fixed, still over all its inputs (and no longer depending on `j`). `table` is widened.
pub const fn cofactor(table: u64, j: usize, value: bool) -> u64 {
    let shift = 1 << j;
    if value {
        let t = table & VAR[j];
        t | t >> shift
    } else {
        let t = table & !VAR[j];
        t | t << shift
    }
}

/// Whether a widened table depends on input `j`.
pub const fn depends(table: u64, j: usize) -> bool {
    ((table >> (1 << j)) ^ table) & !VAR[j] != 0
}

/// Bit `j` is set where a widened table depends on input `j`.
pub fn support(table: u64) -> u8 {
    (0..6).filter(|&j| depends(table, j)).fold(0, |s, j| s | 1 << j)
}

/// Exchanges two inputs of a widened table.
pub const fn swap(table: u64, i: usize, j: usize) -> u64 {
    if i == j {
        return table;
    }
    let (lo, hi) = if i < j { (i, j) } else { (j, i) };
    let shift = (1 << hi) - (1 << lo);
    let up = table & VAR[lo] & !VAR[hi];
    let down = table & !VAR[lo] & VAR[hi];
    (table & !(VAR[lo] & !VAR[hi] | !VAR[lo] & VAR[hi])) | up << shift | down >> shift
}

/// Removes input `j` from a table of `k` inputs that does not depend on it: inputs above move down. Result has `k - 1`.
pub fn drop_input(table: u64, k: usize, j: usize) -> u64 {
    let mut t = widen(table, k);
    for i in j..k.saturating_sub(1) {
        t = swap(t, i, i + 1);
    }
    t & mask(k.saturating_sub(1))
}

/// `f(g_0(x), …, g_{k-1}(x))` for tables over the same variables: 64 addresses evaluated at once.
///
/// `inputs.len() <= 6`, `f` has that many inputs; all `inputs` and the result are tables over shared variables.
pub fn compose(f: u64, inputs: &[u64]) -> u64 {
    match inputs {
        [] => (f & 1).wrapping_neg(),
        [rest @ .., top] => {
            let half = 1 << rest.len();
            let (lo, hi) = (f & mask(rest.len()), f >> half & mask(rest.len()));
            if lo == hi {
                return compose(lo, rest);
            }
            let (lo, hi) = (compose(lo, rest), compose(hi, rest));
            !top & lo | top & hi
        }
    }
}

/// The output at an address.
pub const fn eval(table: u64, address: usize) -> bool {
    table >> (address & 63) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn swap_exchanges_address_bits(t: u64, i in 0usize..6, j in 0usize..6) {
            let s = swap(t, i, j);
            for a in 0..64usize {
                let (bi, bj) = (a >> i & 1, a >> j & 1);
                let b = a & !(1 << i) & !(1 << j) | bi << j | bj << i;
                prop_assert_eq!(eval(s, a), eval(t, b));
            }
        }

        #[test]
        fn cofactor_fixes_an_input(t: u64, j in 0usize..6, v: bool) {
            let c = cofactor(t, j, v);
            for a in 0..64usize {
                prop_assert_eq!(eval(c, a), eval(t, a & !(1 << j) | usize::from(v) << j));
            }
            prop_assert!(!depends(c, j));
        }

        #[test]
        fn drop_keeps_the_others(t: u64, k in 1usize..=6, j in 0usize..6) {
            let j = j % k;
            let t = cofactor(widen(t, k), j, true);
            let d = drop_input(t & mask(k), k, j);
            for a in 0..1usize << (k - 1) {
                let low = a & ((1 << j) - 1);
                prop_assert_eq!(eval(d, a), eval(t, low | (a >> j) << (j + 1)));
            }
        }

        #[test]
        fn compose_is_substitution(f: u64, g in proptest::collection::vec(any::<u64>(), 0..=6)) {
            let f = f & mask(g.len());
            let h = compose(f, &g);
            for a in 0..64 {
                let address = g.iter().enumerate().fold(0, |n, (j, &t)| n | usize::from(eval(t, a)) << j);
                prop_assert_eq!(eval(h, a), eval(f, address));
            }
        }

        #[test]
        fn support_is_where_cofactors_differ(t: u64, k in 0usize..=6) {
            let t = widen(t, k);
            for j in 0..6 {
                prop_assert_eq!(support(t) >> j & 1 == 1, cofactor(t, j, false) != cofactor(t, j, true));
            }
        }
    }
}

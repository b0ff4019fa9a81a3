//! A lookup table as a short program of three-input operations, the `vpternlog` of AVX-512.
//!
//! Functions of four variables come from a table of all 65,536: 938 take one operation, 34,250 two, the rest three.
//! On top stand one or two expansions, by Shannon (`x ? f1 : f0`) or Davio (`f0 ^ x & (f0 ^ f1)`, and with `f1`): of
//! the cofactors and their difference any two will do, so the cheapest two are taken. A random function of six variables
//! takes 10.4 operations.

use std::sync::OnceLock;

use blc_ir::table::{VAR, depends, support, swap, widen};

/// One operation: bit `4 a + 2 b + c` of `imm` is the result for operand bits `a`, `b`, `c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Op {
    pub imm: u8,
    /// Below 6 the step's input, otherwise the result of operation `arg - 6`. Which operands count, `imm` says.
    pub args: [u8; 3],
    /// How many of `args` count: the first ones.
    pub arity: u8,
}

/// Operations in order; the last one's result is the function.
pub(super) type Program = Vec<Op>;

/// What functions of four variables cost, and how those of two operations are made.
struct Small {
    /// Operations: none for a constant, a variable or its complement.
    cost: Vec<u8>,
    /// For two operations: the inner function, and above it which pair of [`PAIRS`] the outer operation reads besides.
    recipe: Vec<u32>,
}

/// Pairs of four variables.
const PAIRS: [(usize, usize); 6] = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
const UNSET: u8 = 3;

fn var(j: usize) -> u16 {
    VAR[j] as u16
}

impl Small {
    fn get() -> &'static Self {
        static TABLE: OnceLock<Small> = OnceLock::new();
        TABLE.get_or_init(Self::new)
    }

    fn new() -> Self {
        let (mut cost, mut recipe) = (vec![UNSET; 1 << 16], vec![0; 1 << 16]);
        let mut inner = Vec::new();
        for f in 0..=u16::MAX {
            let wide = widen(u64::from(f), 4);
            match (0..4).filter(|&j| depends(wide, j)).count() {
                0 | 1 => cost[usize::from(f)] = 0,
                2 | 3 => {
                    cost[usize::from(f)] = 1;
                    // A complement is as good.
                    if f & 1 == 0 {
                        inner.push(f);
                    }
                }
                _ => {}
            }
        }
        for (pair, &(i, j)) in PAIRS.iter().enumerate() {
            let (x, y) = (var(i), var(j));
            for &g in &inner {
                let cells: [u16; 8] = std::array::from_fn(|c| pick(x, c >> 2) & pick(y, c >> 1) & pick(g, c));
                // Every union of cells, in the order of Gray's code.
                let mut f = 0u16;
                for n in 1..256u32 {
                    f ^= cells[n.trailing_zeros() as usize];
                    if cost[usize::from(f)] == UNSET {
                        cost[usize::from(f)] = 2;
                        recipe[usize::from(f)] = (pair as u32) << 16 | u32::from(g);
                    }
                }
            }
        }
        Self { cost, recipe }
    }

    fn cost(&self, f: u16) -> u8 {
        self.cost[usize::from(f)]
    }
}

/// The cost of a function of cofactors and a difference of these costs.
fn join([low, high, difference]: [u8; 3], same: bool) -> u8 {
    if same { low } else { 1 + low + high + difference - low.max(high).max(difference) }
}

fn pick(f: u16, bit: usize) -> u16 {
    if bit & 1 == 1 { f } else { !f }
}

/// The two of three functions to keep, as positions.
fn cheapest(costs: [u8; 3]) -> [usize; 2] {
    match costs {
        [a, b, c] if c >= a && c >= b => [0, 1],
        [a, b, _] if b >= a => [0, 2],
        _ => [1, 2],
    }
}

/// A program for a widened table that depends on some input.
pub(super) fn synthesize(table: u64) -> Program {
    let mut builder =
        Builder { small: Small::get(), functions: Vec::with_capacity(16), program: Vec::with_capacity(16) };
    let variables = support(table);
    match variables.count_ones() {
        0..=4 => builder.up_to_four(table),
        _ => builder.six(table),
    };
    // A bare variable or a complement still needs an operation; so does a function that was made on the way.
    if builder.functions.last() != Some(&table) {
        let source = builder.node(table).unwrap_or(0);
        builder.operation(table, &[source]);
    }
    builder.program
}

struct Builder {
    small: &'static Small,
    /// What each operation computes, over the six inputs.
    functions: Vec<u64>,
    program: Program,
}

impl Builder {
    fn function(&self, node: u8) -> u64 {
        match usize::from(node) {
            n @ 0..6 => VAR[n],
            n => self.functions[n - 6],
        }
    }

    /// The node that holds a function or its complement.
    fn node(&self, f: u64) -> Option<u8> {
        (0..6 + self.functions.len() as u8).find(|&n| [f, !f].contains(&self.function(n)))
    }

    /// Adds an operation on nodes on which `f` depends.
    fn operation(&mut self, f: u64, nodes: &[u8]) -> u8 {
        let mut args = [nodes[0]; 3];
        args[..nodes.len()].copy_from_slice(nodes);
        let [a, b, c] = args.map(|n| self.function(n));
        let side = |g: u64, bit: u32| if bit & 1 == 1 { g } else { !g };
        let imm = (0..8).filter(|&i| f & side(a, i >> 2) & side(b, i >> 1) & side(c, i) != 0);
        let imm = imm.fold(0u8, |imm, i| imm | 1 << i);
        self.program.push(Op { imm, args, arity: nodes.len() as u8 });
        self.functions.push(f);
        (5 + self.functions.len()) as u8
    }

    /// An operation on whichever of three functions are no constants; none where one of them is the result.
    fn combine(&mut self, f: u64, parts: [u64; 3]) {
        if self.known(f) {
            return;
        }
        let mut nodes = Vec::with_capacity(3);
        for part in parts {
            if let Some(node) = self.node(part).filter(|node| !nodes.contains(node)) {
                nodes.push(node);
            }
        }
        self.operation(f, &nodes);
    }

    /// Whether nothing needs to be computed.
    fn known(&self, f: u64) -> bool {
        f == 0 || f == u64::MAX || self.node(f).is_some()
    }

    /// A function of up to four of the six inputs.
    fn up_to_four(&mut self, f: u64) {
        if self.known(f) {
            return;
        }
        let mut vars = [usize::MAX; 4];
        let mut n = 0;
        for j in (0..6).filter(|&j| depends(f, j)) {
            vars[n] = j;
            n += 1;
        }
        for j in 0..6 {
            if n < 4 && !vars[..n].contains(&j) {
                vars[n] = j;
                n += 1;
            }
        }
        vars.sort_unstable();
        // The four at the lowest places.
        let mut packed = f;
        for (to, &from) in vars.iter().enumerate() {
            packed = swap(packed, to, from);
        }
        let small = packed as u16;
        // What the swaps put where: the same swaps backwards.
        let unpack = |g: u16| {
            let mut wide = widen(u64::from(g), 4);
            for (to, &from) in vars.iter().enumerate().rev() {
                wide = swap(wide, to, from);
            }
            wide
        };
        match self.small.cost(small) {
            0 => {}
            1 => self.combine(f, self.three(f)),
            2 => {
                let recipe = self.small.recipe[usize::from(small)];
                let g = unpack(recipe as u16);
                let (i, j) = PAIRS[(recipe >> 16) as usize];
                let (x, y) = (unpack(var(i)), unpack(var(j)));
                self.combine(g, self.three(g));
                self.combine(f, [x, y, g]);
            }
            _ => {
                let top = vars[3];
                let [low, high] = [false, true].map(|v| blc_ir::table::cofactor(f, top, v));
                for g in [low, high] {
                    self.combine(g, self.three(g));
                }
                self.combine(f, [low, high, VAR[top]]);
            }
        }
    }

    /// The up to three variables that a function depends on.
    fn three(&self, f: u64) -> [u64; 3] {
        let mut parts = [0; 3];
        let vars = (0..6).filter(|&j| depends(f, j));
        parts.iter_mut().zip(vars).for_each(|(part, j)| *part = VAR[j]);
        parts
    }

    /// A function of five or six inputs.
    fn six(&mut self, f: u64) {
        // best[x][h]: cost of the cofactors of x and their difference, and the variable to expand them on.
        let mut best = [[(u8::MAX, 0usize); 3]; 6];
        let pairs = (0..5).flat_map(|x| (x + 1..6).map(move |y| (x, y)));
        for (x, y) in pairs {
            let [a, b, c, d] = quarters(f, x, y);
            // a: x = 0, y = 0; b: y = 1; c: x = 1; d: both. Rows: cofactors and difference on x; columns: on y.
            let rows = [[a, b, a ^ b], [c, d, c ^ d], [a ^ c, b ^ d, a ^ b ^ c ^ d]];
            let costs = rows.map(|row| row.map(|g| self.small.cost(g)));
            for i in 0..3 {
                let on_y = join(costs[i], rows[i][2] == 0);
                let on_x = join([costs[0][i], costs[1][i], costs[2][i]], rows[2][i] == 0);
                for (top, below, cost) in [(x, y, on_y), (y, x, on_x)] {
                    if cost < best[top][i].0 {
                        best[top][i] = (cost, below);
                    }
                }
            }
            // All four the same function, its complement or constant: one operation above it.
            let g = [a, b, c, d].into_iter().find(|&g| g != 0 && g != u16::MAX).unwrap_or(0);
            if [a, b, c, d].iter().all(|&q| q == 0 || q == u16::MAX || q == g || q == !g) {
                let rest = place(g, x, y);
                self.up_to_four(rest);
                return self.combine(f, [VAR[x], VAR[y], rest]);
            }
        }
        let total = |x: usize| join(best[x].map(|(cost, _)| cost), !depends(f, x));
        let Some(top) = (0..6).min_by_key(|&x| total(x)) else { return };
        let [low, high] = [false, true].map(|v| blc_ir::table::cofactor(f, top, v));
        if low == high {
            return self.five(low, best[top][0].1);
        }
        let parts = [low, high, low ^ high];
        let [i, j] = cheapest(best[top].map(|(cost, _)| cost));
        self.five(parts[i], best[top][i].1);
        self.five(parts[j], best[top][j].1);
        self.combine(f, [parts[i], parts[j], VAR[top]]);
    }

    /// A function of five inputs, expanded on one of them.
    fn five(&mut self, f: u64, top: usize) {
        if self.known(f) {
            return;
        }
        if support(f).count_ones() <= 4 {
            return self.up_to_four(f);
        }
        let [low, high] = [false, true].map(|v| blc_ir::table::cofactor(f, top, v));
        let parts = [low, high, low ^ high];
        let [i, j] = cheapest(parts.map(|g| self.cost(g)));
        self.up_to_four(parts[i]);
        self.up_to_four(parts[j]);
        self.combine(f, [parts[i], parts[j], VAR[top]]);
    }

    /// The cost of a function of up to four inputs.
    fn cost(&self, f: u64) -> u8 {
        let mut packed = f;
        let mut n = 0;
        for j in 0..6 {
            if depends(f, j) {
                packed = swap(packed, n, j);
                n += 1;
            }
        }
        self.small.cost(packed as u16)
    }
}

/// The four cofactors on two variables, over the others in order: `y` the faster.
fn quarters(f: u64, x: usize, y: usize) -> [u16; 4] {
    // x < y: y to the top, then x below it. What was there takes their places; the order matters to nobody but `place`.
    let t = swap(swap(f, y, 5), x, 4);
    [t as u16, (t >> 32) as u16, (t >> 16) as u16, (t >> 48) as u16]
}

/// The function of six variables that one of [`quarters`] is.
fn place(g: u16, x: usize, y: usize) -> u64 {
    swap(swap(widen(u64::from(g), 4), x, 4), y, 5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(program: &[Op]) -> u64 {
        let mut nodes = VAR.to_vec();
        for op in program {
            let [a, b, c] = op.args.map(|n| nodes[usize::from(n)]);
            let mut out = 0;
            for bit in 0..64 {
                let at = (a >> bit & 1) << 2 | (b >> bit & 1) << 1 | c >> bit & 1;
                out |= u64::from(op.imm >> at & 1) << bit;
            }
            nodes.push(out);
        }
        nodes[nodes.len() - 1]
    }

    #[test]
    fn every_function_of_four_variables() {
        let small = Small::get();
        let mut count = [0; 4];
        for f in 0..=u16::MAX {
            count[usize::from(small.cost(f))] += 1;
            let wide = widen(u64::from(f), 4);
            if f != 0 && f != u16::MAX {
                let program = synthesize(wide);
                assert_eq!(run(&program), wide);
                assert_eq!(program.len(), usize::from(small.cost(f).max(1)), "{f:04x}");
            }
        }
        // Of the 938, the constants and complements count as free inside a program.
        assert_eq!(count, [10, 932, 34_250, 30_344]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn programs_compute_their_table(table: u64, sparse: u64, seed in 0usize..3) {
            let table = match seed { 0 => table, 1 => table & sparse & sparse.rotate_left(7), _ => widen(table, 5) };
            prop_assume!(table != 0 && table != u64::MAX);
            let program = synthesize(table);
            prop_assert_eq!(run(&program), table);
            prop_assert!(program.len() <= 15);
        }
    }

    #[test]
    fn random_tables_take_few_operations() {
        let mut x = 88_172_645_463_325_252u64;
        let mut ops = 0;
        for _ in 0..2000 {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            ops += synthesize(x).len();
        }
        assert!(ops < 2000 * 106 / 10, "{ops}");
    }

    #[test]
    fn known_functions_take_their_minimum() {
        let [a, b, c, d, e, g] = VAR;
        for (table, ops) in [
            (a, 1),
            (!c, 1),
            (a ^ b ^ c, 1),
            (a & b | c & !a, 1),
            (a ^ b ^ c ^ d ^ e ^ g, 3),
            (a & b & c & d & e & g, 3),
            (g & (a & b | c & (a ^ b)), 2),
        ] {
            let program = synthesize(table);
            assert_eq!((run(&program), program.len()), (table, ops), "{table:x}");
        }
    }
}

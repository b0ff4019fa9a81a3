//! Truth tables as expressions that a person would write, where there is a short one.
//!
//! Inputs are split off one by one where the function is `x & g`, `x | g` or `x ^ g`; what then remains is a choice
//! `x ? g : h`, or a sum of products. Longer than [`MAX_LITERALS`], a table says more than an expression.

use std::fmt::{self, Display, Write};

use blc_ir::table::{cofactor, support, widen};

use crate::sop::Cover;

/// Most mentions of inputs in one expression.
pub const MAX_LITERALS: usize = 9;

/// An expression over numbered inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// A constant.
    Const(bool),
    /// An input, inverted or not.
    Input(usize, bool),
    /// All of them.
    And(Vec<Expr>),
    /// Any of them.
    Or(Vec<Expr>),
    /// An odd number of them.
    Xor(Vec<Expr>),
    /// The first, where the input is 1, otherwise the second.
    Mux(usize, Box<[Expr; 2]>),
}

impl Expr {
    /// An expression for a table of up to six inputs; `None` where it would be long.
    pub fn of(table: u64, inputs: usize) -> Option<Self> {
        let expr = split(widen(table, inputs));
        (expr.literals() <= MAX_LITERALS).then_some(expr)
    }

    fn literals(&self) -> usize {
        match self {
            Self::Const(_) => 0,
            Self::Input(..) => 1,
            Self::And(parts) | Self::Or(parts) | Self::Xor(parts) => parts.iter().map(Self::literals).sum(),
            Self::Mux(_, branches) => 1 + branches.iter().map(Self::literals).sum::<usize>(),
        }
    }

    /// Writes it in Verilog's operators, with the inputs' names.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write, names: &[impl Display]) -> fmt::Result {
        match self {
            Self::Const(value) => write!(out, "1'b{}", u8::from(*value)),
            Self::Input(j, inverted) => match names.get(*j) {
                Some(name) => write!(out, "{}{name}", if *inverted { "~" } else { "" }),
                None => Ok(()),
            },
            Self::And(parts) => write_list(out, parts, " & ", names),
            Self::Or(parts) => write_list(out, parts, " | ", names),
            Self::Xor(parts) => write_list(out, parts, " ^ ", names),
            Self::Mux(j, branches) => {
                Self::Input(*j, false).write(out, names)?;
                out.write_str(" ? ")?;
                branches[0].write_nested(out, names)?;
                out.write_str(" : ")?;
                branches[1].write_nested(out, names)
            }
        }
    }

    fn write_nested(&self, out: &mut impl Write, names: &[impl Display]) -> fmt::Result {
        if matches!(self, Self::Const(_) | Self::Input(..)) {
            return self.write(out, names);
        }
        out.write_char('(')?;
        self.write(out, names)?;
        out.write_char(')')
    }
}

fn write_list(out: &mut impl Write, parts: &[Expr], operator: &str, names: &[impl Display]) -> fmt::Result {
    for (i, part) in parts.iter().enumerate() {
        out.write_str(if i == 0 { "" } else { operator })?;
        part.write_nested(out, names)?;
    }
    Ok(())
}

/// The expression of a widened table.
fn split(f: u64) -> Expr {
    match f {
        0 => return Expr::Const(false),
        u64::MAX => return Expr::Const(true),
        _ => {}
    }
    let depends = support(f);
    let inputs = || (0..6).filter(move |j| depends >> j & 1 == 1);
    for j in inputs() {
        let (low, high) = (cofactor(f, j, false), cofactor(f, j, true));
        let x = |inverted| Expr::Input(j, inverted);
        return match (low, high) {
            (0, u64::MAX) => x(false),
            (u64::MAX, 0) => x(true),
            (0, g) => and(x(false), split(g)),
            (g, 0) => and(x(true), split(g)),
            (g, u64::MAX) => or(x(false), split(g)),
            (u64::MAX, g) => or(x(true), split(g)),
            (g, h) if g == !h => xor(x(false), split(g)),
            _ => continue,
        };
    }
    let branches = |j| (cofactor(f, j, true), cofactor(f, j, false));
    let weight = |&j: &usize| support(branches(j).0).count_ones() + support(branches(j).1).count_ones();
    let sum = sum_of_products(f);
    // Every function that is not constant depends on an input.
    let Some(select) = inputs().min_by_key(weight) else { return sum };
    let (high, low) = branches(select);
    let mux = Expr::Mux(select, Box::new([split(high), split(low)]));
    if sum.literals() < mux.literals() { sum } else { mux }
}

fn sum_of_products(f: u64) -> Expr {
    let mut cover = Cover::of(&[f], 6);
    cover.cubes.sort_by_key(|cube| cube.care.trailing_zeros());
    let parts = cover.cubes.iter().map(|cube| {
        let literals = (0..6).filter(|j| cube.care >> j & 1 == 1);
        // Zeros covered by products: by De Morgan the ones by sums of inverted literals.
        let literal = |j: usize| Expr::Input(j, (cube.value >> j & 1 == 0) == cover.on_set);
        let literals: Vec<_> = literals.map(literal).collect();
        match <[Expr; 1]>::try_from(literals) {
            Ok([one]) => one,
            Err(several) if cover.on_set => Expr::And(several),
            Err(several) => Expr::Or(several),
        }
    });
    let parts: Vec<_> = parts.collect();
    match <[Expr; 1]>::try_from(parts) {
        Ok([one]) => one,
        Err(several) if cover.on_set => Expr::Or(several),
        Err(several) => Expr::And(several),
    }
}

fn and(x: Expr, g: Expr) -> Expr {
    Expr::And(match g {
        Expr::And(parts) => [vec![x], parts].concat(),
        g => vec![x, g],
    })
}

fn or(x: Expr, g: Expr) -> Expr {
    Expr::Or(match g {
        Expr::Or(parts) => [vec![x], parts].concat(),
        g => vec![x, g],
    })
}

fn xor(x: Expr, g: Expr) -> Expr {
    Expr::Xor(match g {
        Expr::Xor(parts) => [vec![x], parts].concat(),
        g => vec![x, g],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::table::{eval, mask};
    use proptest::prelude::*;

    fn value(e: &Expr, address: usize) -> bool {
        match e {
            Expr::Const(v) => *v,
            Expr::Input(j, inverted) => (address >> j & 1 == 1) != *inverted,
            Expr::And(parts) => parts.iter().all(|p| value(p, address)),
            Expr::Or(parts) => parts.iter().any(|p| value(p, address)),
            Expr::Xor(parts) => parts.iter().filter(|p| value(p, address)).count() % 2 == 1,
            Expr::Mux(s, branches) => value(&branches[usize::from(address >> s & 1 == 0)], address),
        }
    }

    fn text(table: u64, inputs: usize) -> Option<String> {
        let mut out = String::new();
        Expr::of(table, inputs)?.write(&mut out, &["a", "b", "c", "d", "e", "f"]).unwrap();
        Some(out)
    }

    #[test]
    fn reads_as_a_person_would_write_it() {
        let s = |table, inputs| text(table, inputs).unwrap();
        assert_eq!(s(0x1, 1), "~a");
        assert_eq!(s(0x8, 2), "a & b");
        assert_eq!(s(0x7, 2), "~a | ~b");
        assert_eq!(s(0x9, 2), "a ^ ~b");
        assert_eq!(s(0x96, 3), "a ^ b ^ c");
        assert_eq!(s(0x78, 3), "c ^ (a & b)");
        assert_eq!(s(0xca, 3), "c ? b : a");
        assert_eq!(s(0xe8, 3), "a ? (b | c) : (b & c)");
        assert_eq!(s(0xf888, 4), "(a & b) | (c & d)");
        assert_eq!(s(0, 3), "1'b0");
        assert_eq!(s(1 << 63, 6), "a & b & c & d & e & f");
        assert_eq!(text(0x0123_4567_89ab_cdef ^ 0xf731_8ee9_0054_1f3a, 6), None);
    }

    #[test]
    fn every_function_of_up_to_four_inputs() {
        for inputs in 1..=4 {
            for table in 0..=mask(inputs) {
                let e = split(widen(table, inputs));
                for a in 0..1 << inputs {
                    assert_eq!(value(&e, a), eval(table, a), "{table:#x} of {inputs} as {e:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn larger_functions(table: u64) {
            let e = split(table);
            prop_assert!((0..64).all(|a| value(&e, a) == eval(table, a)), "{:?}", e);
        }
    }
}

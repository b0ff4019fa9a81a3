//! What both sides of a rule are made of, and what they compute.

use std::fmt;

use blc_ir::table::mask;

/// Most bits that the variables of a rule have together: all their values are tried.
pub(super) const MAX_BITS: u32 = 20;

/// An expression over variables.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// A variable, by its number in the rule.
    Var(usize),
    /// A constant of so many bits.
    Const { value: u64, width: u8 },
    /// A lookup table of one to six bits; input `j` is bit `j` of the address.
    Lut { table: u64, inputs: Vec<Expr> },
    /// The sum of bits and words modulo `2^width`.
    Sum { width: u8, parts: Vec<Expr> },
    /// Whether the first is greater.
    Gt(Box<[Expr; 2]>),
    /// Whether it is greater than a constant.
    GtConst { word: Box<Expr>, bound: u64 },
    /// The third where the first is 1, otherwise the second.
    Mux(Box<[Expr; 3]>),
}

/// A variable of a rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Var {
    pub name: String,
    pub width: u8,
}

/// One rule: what matches `from` may become `to`.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub name: String,
    pub vars: Vec<Var>,
    pub from: Expr,
    pub to: Expr,
    /// Whether it is applied wherever it matches, not only where it saves area.
    pub always: bool,
}

/// Values of the variables for which the sides of a rule differ.
pub(super) struct Counterexample {
    values: Vec<(String, u64)>,
    sides: [u64; 2],
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let [left, right] = self.sides;
        write!(f, "for {} the left side is {left}, the right side {right}", values.join(", "))
    }
}

fn cut(value: u64, width: u8) -> u64 {
    if width >= 64 { value } else { value & ((1 << width) - 1) }
}

impl Expr {
    /// Bits of the result.
    pub fn width(&self, vars: &[Var]) -> u8 {
        match self {
            Self::Var(v) => vars[*v].width,
            Self::Const { width, .. } | Self::Sum { width, .. } => *width,
            Self::Lut { .. } | Self::Gt(_) | Self::GtConst { .. } => 1,
            Self::Mux(parts) => parts[1].width(vars),
        }
    }

    /// The expressions that it is directly made of.
    pub fn parts(&self) -> &[Expr] {
        match self {
            Self::Var(_) | Self::Const { .. } => &[],
            Self::Lut { inputs, .. } => inputs,
            Self::Sum { parts, .. } => parts,
            Self::Gt(parts) => &parts[..],
            Self::GtConst { word, .. } => std::slice::from_ref(word),
            Self::Mux(parts) => &parts[..],
        }
    }

    /// The result for values of the variables.
    fn eval(&self, values: &[u64]) -> u64 {
        match self {
            Self::Var(v) => values[*v],
            Self::Const { value, .. } => *value,
            Self::Lut { table, inputs } => {
                let address = inputs.iter().enumerate().fold(0, |a, (j, x)| a | x.eval(values) << j);
                table >> address & 1
            }
            Self::Sum { width, parts } => cut(parts.iter().fold(0, |s, x| s.wrapping_add(x.eval(values))), *width),
            Self::Gt(parts) => u64::from(parts[0].eval(values) > parts[1].eval(values)),
            Self::GtConst { word, bound } => u64::from(word.eval(values) > *bound),
            Self::Mux(parts) => parts[if parts[0].eval(values) == 1 { 2 } else { 1 }].eval(values),
        }
    }

    /// What it takes, in hundredths of a table of two or more inputs, inputs counted singly: inverters are free.
    pub fn cost(&self, vars: &[Var]) -> u64 {
        let own = match self {
            Self::Var(_) | Self::Const { .. } => 0,
            Self::Lut { inputs, .. } if inputs.len() < 2 => 0,
            Self::Lut { inputs, .. } => 100 + inputs.len() as u64,
            Self::Sum { width, parts } => 101 * u64::from(*width) * (parts.len() as u64 - 1),
            Self::Gt(parts) => 101 * u64::from(parts[0].width(vars).max(parts[1].width(vars))),
            Self::GtConst { word, .. } => 50 * u64::from(word.width(vars)),
            Self::Mux(parts) => 103 * u64::from(parts[1].width(vars)),
        };
        self.parts().iter().map(|part| part.cost(vars)).sum::<u64>() + own
    }

    /// As `fold` leaves it: an inverter below a table is in that table, and so is one above.
    pub fn canonical(self) -> Self {
        let Self::Lut { mut table, inputs } = self else { return self };
        let k = inputs.len();
        let mut below = Vec::with_capacity(k);
        for (j, input) in inputs.into_iter().enumerate() {
            match input {
                Self::Lut { table: 0b01, inputs } => {
                    table = flipped(table, k, j);
                    below.extend(inputs);
                }
                other => below.push(other),
            }
        }
        match (table, &below[..]) {
            (0b01, [Self::Lut { table, inputs }]) => {
                Self::Lut { table: !table & mask(inputs.len()), inputs: inputs.clone() }
            }
            (0b10, [_]) => below.remove(0),
            _ => Self::Lut { table, inputs: below },
        }
    }
}

/// The table with an input inverted.
fn flipped(table: u64, k: usize, input: usize) -> u64 {
    (0..1usize << k).filter(|a| table >> (a ^ 1 << input) & 1 == 1).fold(0, |t, a| t | 1 << a)
}

impl Rule {
    /// Tries all values of the variables, of at most [`MAX_BITS`] bits together.
    pub fn prove(&self) -> Result<(), Counterexample> {
        let bits: u32 = self.vars.iter().map(|v| u32::from(v.width)).sum();
        let mut values = vec![0; self.vars.len()];
        for all in 0..1u64 << bits.min(MAX_BITS) {
            let mut rest = all;
            for (value, var) in values.iter_mut().zip(&self.vars) {
                *value = cut(rest, var.width);
                rest >>= var.width;
            }
            let sides = [&self.from, &self.to].map(|side| side.eval(&values));
            if sides[0] != sides[1] {
                let named = self.vars.iter().zip(&values).map(|(var, &value)| (var.name.clone(), value));
                return Err(Counterexample { values: named.collect(), sides });
            }
        }
        Ok(())
    }
}

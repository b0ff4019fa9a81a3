//! The ops, declared in one table: mnemonic, form, operands, results, levels, attributes, summary and meaning.
//!
//! [`OpKind`] is a closed enum, so that an exhaustive `match` shows what a new op touches: the verifier, the evaluator,
//! the backends. The one hatch for an op from outside is [`OpKind::Extern`].

use crate::entity;
use crate::module::ResourceId;

entity!(
    /// A truth table of more than six inputs, kept by its function.
    TableId, "table"
);

/// The level of a function, lowered in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What the model says: layers.
    Tensor,
    /// Single-bit dataflow, and the words of encoder and head.
    Bit,
    /// Modules with ports, clock, registers and the target's primitives.
    Hw,
}

impl Level {
    /// `tensor`, `bit` or `hw`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tensor => "tensor",
            Self::Bit => "bit",
            Self::Hw => "hw",
        }
    }
}

/// How an op is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `mnemonic %a, %b {…} : T`
    Plain,
    /// `mnemonic(%a, %b) {…} : T`
    Call,
    /// `mnemonic %d clock %clk {…} : T`
    Clocked,
}

/// How ties of an argmax are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tie {
    /// To the lowest index.
    Lowest,
}

/// An attribute's value as the text form has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Attr {
    /// A number.
    Int(u64),
    /// A wide truth table.
    Table(TableId),
    /// `#name`, a resource of the module.
    Resource(ResourceId),
    /// `"text"`.
    Str(String),
    /// A bare word.
    Word(&'static str),
}

/// A field of an [`OpKind`] that reads from and prints as an attribute.
pub trait AttrField: Sized {
    /// What the parser should say it expected.
    const EXPECTED: &'static str;
    /// As text form value.
    fn attr(&self) -> Attr;
    /// From text form value; `None` where it does not fit.
    fn from_attr(attr: &Attr) -> Option<Self>;
}

macro_rules! int_attr {
    ($($ty:ty, $expected:literal;)*) => {$(
        impl AttrField for $ty {
            const EXPECTED: &'static str = $expected;
            fn attr(&self) -> Attr {
                Attr::Int(u64::from(*self))
            }
            fn from_attr(attr: &Attr) -> Option<Self> {
                match attr {
                    Attr::Int(n) => Self::try_from(*n).ok(),
                    _ => None,
                }
            }
        }
    )*};
}
int_attr! { u8, "a number below 256"; u32, "a number below 2^32"; u64, "a number of at most 64 bits"; }

impl AttrField for bool {
    const EXPECTED: &'static str = "0 or 1";
    fn attr(&self) -> Attr {
        Attr::Int(u64::from(*self))
    }
    fn from_attr(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Int(n @ 0..=1) => Some(*n == 1),
            _ => None,
        }
    }
}

impl AttrField for ResourceId {
    const EXPECTED: &'static str = "a resource, as #name";
    fn attr(&self) -> Attr {
        Attr::Resource(*self)
    }
    fn from_attr(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Resource(id) => Some(*id),
            _ => None,
        }
    }
}

impl AttrField for TableId {
    const EXPECTED: &'static str = "a truth table, as a hexadecimal number";
    fn attr(&self) -> Attr {
        Attr::Table(*self)
    }
    fn from_attr(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Table(id) => Some(*id),
            _ => None,
        }
    }
}

impl AttrField for Tie {
    const EXPECTED: &'static str = "lowest";
    fn attr(&self) -> Attr {
        Attr::Word("lowest")
    }
    fn from_attr(attr: &Attr) -> Option<Self> {
        (*attr == Attr::Word("lowest")).then_some(Self::Lowest)
    }
}

entity!(
    /// The name of an op from outside, kept by its function.
    ExternId, "extern"
);

impl AttrField for ExternId {
    const EXPECTED: &'static str = "a name in quotes";
    fn attr(&self) -> Attr {
        Attr::Int(u64::from(self.0))
    }
    fn from_attr(attr: &Attr) -> Option<Self> {
        match attr {
            Attr::Int(n) => u32::try_from(*n).ok().map(Self),
            _ => None,
        }
    }
}

/// Facts of one kind of op.
#[derive(Debug)]
pub struct OpInfo {
    /// How it is called in the text form.
    pub mnemonic: &'static str,
    /// How it is written.
    pub form: Form,
    /// Fewest and most operands.
    pub operands: (usize, usize),
    /// Number of results.
    pub results: usize,
    /// Levels at which it may stand.
    pub levels: &'static [Level],
    /// Attributes: name, what is expected, whether it prints in hexadecimal.
    pub attrs: &'static [(&'static str, &'static str, bool)],
    /// One line (with the leading space of its doc comment).
    pub summary: &'static str,
    /// What it computes, exactly.
    pub meaning: &'static str,
}

macro_rules! ops {
    (@hex) => { false };
    (@hex hex) => { true };
    ($(
        $(#[doc = $summary:literal])+
        $name:ident { $($field:ident: $ty:ty $(as $fmt:ident)?),* } = $mnemonic:literal,
        $form:ident, $lo:literal..=$hi:expr, $results:literal, [$($level:ident),*], $meaning:literal;
    )*) => {
        /// What an op does, with its attributes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum OpKind {
            $($(#[doc = $summary])+ $name { $(#[allow(missing_docs)] $field: $ty),* },)*
        }

        /// Every kind of op, in order of declaration.
        pub static OPS: &[OpInfo] = &[$(OpInfo {
            mnemonic: $mnemonic,
            form: Form::$form,
            operands: ($lo, $hi),
            results: $results,
            levels: &[$(Level::$level),*],
            attrs: &[$((stringify!($field), <$ty as AttrField>::EXPECTED, ops!(@hex $($fmt)?))),*],
            summary: concat!($($summary),+),
            meaning: $meaning,
        }),*];

        #[allow(clippy::upper_case_acronyms)]
        enum Index { $($name),* }

        impl OpKind {
            /// The facts of this kind.
            pub fn info(&self) -> &'static OpInfo {
                match self { $(Self::$name { .. } => &OPS[Index::$name as usize]),* }
            }

            /// Attribute values, in the order of `info().attrs`.
            pub fn attrs(&self) -> smallvec::SmallVec<[Attr; 3]> {
                match self { $(Self::$name { $($field),* } => smallvec::smallvec![$(AttrField::attr($field)),*]),* }
            }

            /// Builds the kind from attributes in the order of `info().attrs`.
            ///
            /// # Errors
            /// The name of the attribute that does not fit, or the mnemonic where none has that name.
            pub fn from_attrs(mnemonic: &str, attrs: &[Attr]) -> Result<Self, &'static str> {
                match mnemonic {
                    $($mnemonic => {
                        #[allow(unused_mut, unused_variables)]
                        let mut values = attrs.iter();
                        Ok(Self::$name {
                            $($field: values.next().and_then(AttrField::from_attr).ok_or(stringify!($field))?),*
                        })
                    })*
                    _ => Err("mnemonic"),
                }
            }
        }
    };
}

ops! {
    /// Compares every feature with its thresholds.
    Thermometer { thresholds: ResourceId } = "enc.thermometer", Plain, 1..=1, 1, [Tensor],
        "Operand `[features]` of any unsigned or real element, thresholds `[features, T]`; result `bit[features * T]`. \
         Bit `f * T + t` is 1 where feature `f` is strictly above threshold `t` of `f`.";
    /// Encodes every feature by the interval between thresholds that it lies in.
    Code { bits: u32, thresholds: ResourceId, codes: ResourceId } = "enc.code", Plain, 1..=1, 1, [Tensor],
        "Operand `[features]` of any unsigned or real element, thresholds `[features, T]`, codes `[T + 1]` below 2^bits; \
         result `bit[features * bits]`. Bit `f * bits + b` is bit `b` of the code number `n`, where `n` is how many \
         thresholds of `f` the feature is strictly above.";
    /// A layer of lookup tables.
    LutDense { k: u8, connections: ResourceId, tables: ResourceId } = "lut.dense", Plain, 1..=1, 1, [Tensor],
        "Operand `bit[n]`; connections `[nodes, k]` below `n`; tables `[nodes, max(1, 2^k / 64)]`. Result bit `i` is bit \
         `a` of table `i`, where bit `j` of the address `a` is operand bit `connections[i, j]`.";
    /// Sums contiguous groups of bits.
    GroupSum { groups: u32 } = "head.group_sum", Plain, 1..=1, 1, [Tensor],
        "Operand `bit[n]`, `groups` divides `n`; result `uW[groups]` where `W` bits can hold `n / groups`. Element `g` is \
         the number of ones among bits `g * n / groups` up to the next group's first.";
    /// Multiplies a vector by a constant matrix.
    MatVec { weights: ResourceId } = "head.matvec", Plain, 1..=1, 1, [Tensor],
        "Operand `uW[n]`, weights `[m, n]`; result `uV[m]`, where `V` bits can hold the largest sum of products there can \
         be. Element `i` is the sum of the products of row `i` with the operand.";
    /// The index of the largest element.
    Argmax { tie: Tie } = "head.argmax", Plain, 1..=1, 1, [Tensor],
        "Operand `uW[n]`; result an unsigned word that can hold `n - 1`: the lowest index of a largest element.";
    /// A lookup table of up to six inputs.
    Lut { table: u64 as hex } = "lut", Call, 1..=6, 1, [Bit, Hw],
        "Operands are bits, operand `j` is bit `j` of the address `a`; the result is bit `a` of the table.";
    /// A lookup table of seven to sixteen inputs.
    LutWide { table: TableId as hex } = "lut.wide", Call, 7..=16, 1, [Bit, Hw],
        "As `lut`, with a table of `2^k` bits.";
    /// A constant bit or word.
    Const { value: u64 } = "const", Plain, 0..=0, 1, [Bit, Hw],
        "The value, which fits the result's type.";
    /// Takes a run of bits out of a value.
    Extract { offset: u32 } = "extract", Plain, 1..=1, 1, [Bit, Hw],
        "Bits `offset` and up of the operand, as many as the result's type has. Bit `e * W + b` of a value is bit `b` of \
         its element `e`.";
    /// Puts values together, lowest bits first.
    Pack {} = "pack", Call, 1..=usize::MAX, 1, [Bit, Hw],
        "The operands' bits one after the other, the first operand's lowest; the result's type has as many.";
    /// Sums bits and words.
    Sum {} = "word.sum", Call, 1..=usize::MAX, 1, [Bit],
        "The sum of the operands, bits or words, modulo 2^W for a result of W bits.";
    /// Compares two words.
    Gt {} = "word.gt", Call, 2..=2, 1, [Bit],
        "1 where the first word is greater than the second, both unsigned and of any width.";
    /// Compares a word with a constant.
    GtConst { bound: u64 } = "word.gt_const", Call, 1..=1, 1, [Bit],
        "1 where the unsigned word is greater than the bound.";
    /// Chooses one of two values.
    Mux {} = "word.mux", Call, 3..=3, 1, [Bit],
        "Operands: a bit `s`, then `a` and `b` of the result's type. `b` where `s` is 1, otherwise `a`.";
    /// The index of the largest word.
    WordArgmax { tie: Tie } = "word.argmax", Call, 1..=usize::MAX, 1, [Bit],
        "Operands are words; the result is the lowest index of a largest one, in a word that can hold the last index.";
    /// A register.
    Reg { stage: u32, init: bool } = "seq.reg", Clocked, 2..=2, 1, [Hw],
        "After each rising edge of the clock the operand bit as it was before; `init` before the first edge. `stage` is \
         the pipeline stage it ends, counted from 1 (0: none).";
    /// A Xilinx LUT6 (or a smaller LUT, for fewer operands).
    Xc7Lut6 { init: u64 as hex } = "xc7.lut6", Call, 1..=6, 1, [Bit, Hw],
        "As `lut`: operand `j` is pin `Ij`, `init` is INIT.";
    /// A Xilinx LUT6_2: two functions in one LUT6 site.
    Xc7Lut6_2 { init: u64 as hex } = "xc7.lut6_2", Call, 6..=6, 2, [Bit, Hw],
        "Results O6 and O5. O6 is bit `a` of `init`, `a` over all six operands; O5 is bit `a mod 32`.";
    /// A Xilinx CARRY4.
    Xc7Carry4 {} = "xc7.carry4", Call, 10..=10, 8, [Bit, Hw],
        "Operands S0…S3, DI0…DI3, CI, CYINIT (one of the last two is 0). With `c0 = CI | CYINIT`: results O0…O3 with \
         `Oi = Si ^ ci`, then CO0…CO3 with `ci+1 = COi = Si ? ci : DIi`.";
    /// A Xilinx MUXF7.
    Xc7MuxF7 {} = "xc7.muxf7", Call, 3..=3, 1, [Bit, Hw],
        "Operands I0, I1, S: I1 where S is 1, otherwise I0.";
    /// A Xilinx MUXF8.
    Xc7MuxF8 {} = "xc7.muxf8", Call, 3..=3, 1, [Bit, Hw],
        "Operands I0, I1, S: I1 where S is 1, otherwise I0.";
    /// A Xilinx FDRE flip-flop with clock enable tied to 1 and reset to 0.
    Xc7Fdre { stage: u32, init: bool } = "xc7.fdre", Clocked, 2..=2, 1, [Hw],
        "As `seq.reg`.";
    /// An op from outside this language.
    Extern { op: ExternId } = "ext", Call, 0..=usize::MAX, 1, [Tensor, Bit, Hw],
        "What whoever registered the name says; the evaluator refuses it where nobody did.";
}

//! From a plan to LUTs and carry chains.
//!
//! Each position of a chain has `s`, the parity of what it adds besides the carry, and `d`, the carry out where `s` is 0:
//! the sum bit is `s ^ carry`, the next carry `s ? carry : d`. A LUT gives `s` at O6 and `d` at O5. Of a function of six
//! inputs O5 is by hardware O6 with the last pin at 0: the parity of the other five, which where `s` is 0 is the last
//! bit itself, and right as `d`. So that bit must be plain, as must a first carry and a `d` that passes its LUT by.

use std::collections::VecDeque;

use blc_ir::{Func, LocId, OpKind, Type, Value};
use smallvec::{SmallVec, smallvec};

use super::plan::{Atom, COLUMNS, Counter, End, Heights, Plan, adder_fill, parity_fill, six_fill, two_fill};

/// A value or its complement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lit {
    pub value: Value,
    pub flip: bool,
}

impl Lit {
    fn plain(value: Value) -> Self {
        Self { value, flip: false }
    }
}

/// A bit of a heap.
#[derive(Clone, Copy, Debug)]
enum Bit {
    Lit(Lit),
    /// The carry `s ? !sum : d`.
    Told {
        s: Value,
        sum: Value,
        d: Lit,
    },
}

type Bits = SmallVec<[Bit; 6]>;
type Pins = SmallVec<[Value; 6]>;

fn plain(value: Value) -> Bit {
    Bit::Lit(Lit::plain(value))
}

/// Parity of bits.
fn parity(bits: &[bool]) -> bool {
    bits.iter().fold(false, |p, &b| p ^ b)
}

/// Whether at least two of up to three bits are 1.
fn majority(bits: &[bool]) -> bool {
    ones(bits) >= 2
}

fn ones(bits: &[bool]) -> usize {
    bits.iter().filter(|&&b| b).count()
}

/// The bits that wait in each column.
pub(super) struct Columns {
    pub plain: Vec<VecDeque<Lit>>,
    told: Vec<VecDeque<Bit>>,
}

impl Columns {
    pub fn new(width: usize) -> Self {
        Self { plain: vec![VecDeque::new(); width], told: vec![VecDeque::new(); width] }
    }

    /// How many there are.
    pub fn heights(&self) -> Heights {
        let mut heights = Heights::default();
        for (c, bits) in self.plain.iter().enumerate().take(COLUMNS) {
            heights.plain[c] = bits.len() as u16;
        }
        heights
    }

    fn take(&mut self, column: usize, told: usize, plain: usize) -> Bits {
        let told = told.min(self.told[column].len());
        let mut bits: Bits = self.told[column].drain(..told).collect();
        let n = plain.min(self.plain[column].len());
        bits.extend(self.plain[column].drain(..n).map(Bit::Lit));
        bits
    }

    fn fill(&self, column: usize) -> (usize, usize) {
        (self.told[column].len(), self.plain[column].len())
    }

    fn append(&mut self, other: Self) {
        for (to, from) in self.plain.iter_mut().zip(other.plain) {
            to.extend(from);
        }
        for (to, from) in self.told.iter_mut().zip(other.told) {
            to.extend(from);
        }
    }
}

/// Builds a plan. Returns the sum's bits, `None` where a column is empty.
pub(super) fn build(f: &mut Func, mut heap: Columns, plan: &Plan, loc: LocId) -> Vec<Option<Value>> {
    let width = heap.plain.len();
    let mut sites = Sites { f, loc };
    for stage in &plan.stages {
        let mut next = Columns::new(width);
        for (column, counter) in stage {
            match counter {
                Counter::Adder => adder(&mut sites, &mut heap, &mut next, *column),
                Counter::Parity => {
                    let (told, plain_bits) = heap.fill(*column);
                    let (told, plain_bits) = parity_fill(told, plain_bits);
                    let bits = heap.take(*column, told, plain_bits);
                    let sum = sites.lut(&bits, parity);
                    next.plain[*column].push_back(Lit::plain(sum));
                }
                Counter::Chain(atoms, end) => {
                    let chain = Chain::new(&mut sites, &mut heap, *column, atoms);
                    chain.finish(&mut sites, &mut next, *end);
                }
            }
        }
        heap.append(next);
    }
    let bit = |column: &VecDeque<Lit>| column.front().copied();
    let bits: Vec<Option<Lit>> = heap.plain.iter().map(bit).collect();
    bits.into_iter().map(|bit| bit.map(|lit| sites.positive(lit))).collect()
}

fn adder(sites: &mut Sites<'_>, heap: &mut Columns, next: &mut Columns, column: usize) {
    let (told, plain_bits) = heap.fill(column);
    let (told, plain_bits) = adder_fill(told, plain_bits);
    let bits = heap.take(column, told, plain_bits);
    let above = column + 1 < next.plain.len() && bits.len() > 1;
    if above {
        let (sum, carry) = sites.dual(&bits, parity, majority);
        next.plain[column].push_back(Lit::plain(sum));
        next.plain[column + 1].push_back(Lit::plain(carry));
    } else {
        let sum = sites.lut(&bits, parity);
        next.plain[column].push_back(Lit::plain(sum));
    }
}

/// Makes LUTs.
struct Sites<'a> {
    f: &'a mut Func,
    loc: LocId,
}

impl Sites<'_> {
    fn constant(&mut self, bit: bool) -> Value {
        self.f.constant(bit.into(), Type::BIT)
    }

    /// A literal as a value, through an inverter if need be.
    fn positive(&mut self, lit: Lit) -> Value {
        if lit.flip { self.f.lut(0x1, &[lit.value], self.loc) } else { lit.value }
    }

    /// The values that bits are functions of, constants left out.
    fn pins(&self, bits: &[Bit]) -> Pins {
        let mut pins = Pins::new();
        let mut add = |v: Value| {
            if self.f.as_const(v).is_none() && !pins.contains(&v) {
                pins.push(v);
            }
        };
        for bit in bits {
            match *bit {
                Bit::Lit(lit) => add(lit.value),
                Bit::Told { s, sum, d } => [s, sum, d.value].into_iter().for_each(&mut add),
            }
        }
        pins
    }

    /// The table over pins of a function of bits.
    fn table(&self, pins: &[Value], bits: &[Bit], function: impl Fn(&[bool]) -> bool) -> u64 {
        let mut table = 0;
        for address in 0..1u64 << pins.len() {
            let value = |v: Value| match pins.iter().position(|&p| p == v) {
                Some(pin) => address >> pin & 1 == 1,
                None => self.f.as_const(v) == Some(1),
            };
            let lit = |l: Lit| value(l.value) ^ l.flip;
            let bit = |bit: &Bit| match *bit {
                Bit::Lit(l) => lit(l),
                Bit::Told { s, sum, d } => {
                    if value(s) {
                        !value(sum)
                    } else {
                        lit(d)
                    }
                }
            };
            let values: SmallVec<[bool; 8]> = bits.iter().map(bit).collect();
            table |= u64::from(function(&values)) << address;
        }
        table
    }

    /// A function that may still be merged with others.
    fn lut(&mut self, bits: &[Bit], function: impl Fn(&[bool]) -> bool) -> Value {
        let pins = self.pins(bits);
        let table = self.table(&pins, bits, function);
        if pins.is_empty() { self.constant(table & 1 == 1) } else { self.f.lut(table, &pins, self.loc) }
    }

    /// A function at O6 of a site of its own.
    fn single(&mut self, bits: &[Bit], function: impl Fn(&[bool]) -> bool) -> Value {
        let mut pins = self.pins(bits);
        let table = self.table(&pins, bits, function);
        if pins.is_empty() {
            pins.push(self.constant(false));
        }
        self.f.push1(OpKind::Xc7Lut6 { init: table }, &pins, Type::BIT, self.loc)
    }

    /// Two functions of bits on at most five pins: O6 and O5.
    fn dual(&mut self, bits: &[Bit], o6: impl Fn(&[bool]) -> bool, o5: impl Fn(&[bool]) -> bool) -> (Value, Value) {
        let pins = self.pins(bits);
        debug_assert!(pins.len() <= 5);
        let spread = |table: u64| (pins.len()..5).fold(table, |t, k| t | t << (1 << k));
        let init = spread(self.table(&pins, bits, o6)) << 32 | spread(self.table(&pins, bits, o5));
        self.site(init, pins)
    }

    /// The parity that `o6` is of the bits, and as `d` the last bit. On six pins that must be plain: then O5 is O6 with
    /// the last pin at 0.
    fn parity_site(&mut self, bits: &[Bit], o6: impl Fn(&[bool]) -> bool) -> (Value, Value) {
        let pins = self.pins(bits);
        if pins.len() <= 5 {
            return self.dual(bits, o6, |b| b.last() == Some(&true));
        }
        let last = bits.len() - 1;
        let mut pins = self.pins(&bits[..last]);
        if let Bit::Lit(Lit { value, flip: false }) = bits[last] {
            pins.push(value);
        }
        debug_assert_eq!(pins.len(), 6);
        let init = self.table(&pins, bits, o6);
        self.site(init, pins)
    }

    fn site(&mut self, init: u64, mut pins: Pins) -> (Value, Value) {
        if pins.len() < 6 {
            let one = self.constant(true);
            pins.resize(6, one);
        }
        let op = self.f.push(OpKind::Xc7Lut6_2 { init }, &pins, &[Type::BIT; 2], self.loc);
        let o6 = self.f.op(op).result();
        (o6, Value(o6.0 + 1))
    }

    /// Brings a plain bit to the end where bits take six pins, these `others` among them.
    fn plain_last(&mut self, others: &[Bit], bits: &mut [Bit]) {
        let all: Bits = others.iter().chain(bits.iter()).copied().collect();
        if self.pins(&all).len() > 5 {
            self.force_plain_last(bits);
        }
    }

    /// Brings a plain bit to the end, made by an inverter where there is none.
    fn force_plain_last(&mut self, bits: &mut [Bit]) {
        let Some(last) = bits.len().checked_sub(1) else { return };
        if let Some(at) = bits.iter().rposition(|b| matches!(b, Bit::Lit(Lit { flip: false, .. }))) {
            bits.swap(at, last);
        } else if let Some(at) = bits.iter().rposition(|b| matches!(b, Bit::Lit(_))) {
            bits.swap(at, last);
            if let Bit::Lit(lit) = bits[last] {
                bits[last] = plain(self.positive(lit));
            }
        }
    }
}

/// A chain, position by position.
struct Chain {
    /// Column of the first position.
    column: usize,
    first_carry: Option<Value>,
    /// `s` and `d`.
    positions: Vec<(Value, Value)>,
    /// A bit that the last position hands on.
    below: Option<Value>,
    /// What `d` of the last position is, where that is a bit.
    told: Option<Lit>,
}

impl Chain {
    fn new(sites: &mut Sites<'_>, heap: &mut Columns, column: usize, atoms: &[Atom]) -> Self {
        let mut chain = Self { column, first_carry: None, positions: Vec::new(), below: None, told: None };
        for (i, &atom) in atoms.iter().enumerate() {
            let mut bits = chain.bits(heap, atom);
            if i == 0 && atom != Atom::Ternary {
                chain.first_carry(sites, heap, &mut bits);
            }
            chain.atom(sites, atom, bits);
        }
        chain
    }

    /// The column of the next position.
    fn at(&self) -> usize {
        self.column + self.positions.len()
    }

    /// What an atom takes; a bit from below comes first.
    fn bits(&mut self, heap: &mut Columns, atom: Atom) -> Vec<Bits> {
        let column = self.at();
        let below = self.below.take().map(plain);
        let has = usize::from(below.is_some());
        let (told, there) = heap.fill(column);
        let (told, wanted) = match atom {
            Atom::Parity => {
                let (told, plain) = parity_fill(told, there.min(6 - has));
                (told, plain.min(6 - has - 3 * told))
            }
            Atom::Two => two_fill(told, there, below.is_some()),
            Atom::Six => six_fill(told, there, below.is_some()),
            Atom::Ternary | Atom::Five | Atom::Eight => (0, 4 - has),
        };
        let mut first: Bits = below.into_iter().collect();
        first.extend(heap.take(column, told, wanted));
        let mut all = vec![first];
        match atom {
            Atom::Five => all.push(heap.take(column + 1, 0, 1)),
            Atom::Eight => all.extend([heap.take(column + 1, 0, 3), heap.take(column + 2, 0, 1)]),
            _ => {}
        }
        all
    }

    /// Takes one more bit as the chain's first carry, if there is one: a plain one.
    fn first_carry(&mut self, sites: &mut Sites<'_>, heap: &mut Columns, bits: &mut [Bits]) {
        let Some(mut lit) = heap.plain[self.column].pop_front() else { return };
        if lit.flip {
            let swap = bits[0].iter_mut().find_map(|b| match b {
                Bit::Lit(l) if !l.flip => Some(l),
                _ => None,
            });
            match swap {
                Some(other) => std::mem::swap(other, &mut lit),
                None => lit = Lit::plain(sites.positive(lit)),
            }
        }
        self.first_carry = Some(lit.value);
    }

    fn atom(&mut self, sites: &mut Sites<'_>, atom: Atom, mut bits: Vec<Bits>) {
        self.told = None;
        match atom {
            Atom::Parity => {
                let zero = sites.constant(false);
                let s = if bits[0].is_empty() { zero } else { sites.single(&bits[0], parity) };
                self.positions.push((s, zero));
            }
            Atom::Two => {
                let position = sites.dual(&bits[0], parity, |b| b.last() == Some(&true));
                self.positions.push(position);
                self.told = last_lit(&bits[0]);
            }
            Atom::Ternary => {
                let from_below = |b: &&mut Bits| b.len() == 4;
                if let Some(four) = Some(&mut bits[0]).filter(from_below) {
                    // What comes from below arrives last and is plain: it goes past the LUT.
                    four.rotate_left(1);
                    sites.force_plain_last(four);
                }
                let (s, handed) = sites.dual(&bits[0], parity, |b| majority(&b[..b.len().min(3)]));
                let d = last_lit(&bits[0]).map_or(s, |lit| lit.value);
                self.positions.push((s, d));
                self.below = Some(handed);
            }
            Atom::Six => {
                sites.plain_last(&[], &mut bits[0]);
                let lower = sites.parity_site(&bits[0], parity);
                let rest = &bits[0][..bits[0].len() - 1];
                let upper = sites.dual(rest, |b| ones(b) & 2 != 0, |b| ones(b) & 4 != 0);
                self.positions.extend([lower, upper]);
            }
            Atom::Five => {
                let lower = sites.dual(&bits[0], parity, |b| b.last() == Some(&true));
                let mut high: Bits = bits[0][..3].into();
                high.extend_from_slice(&bits[1]);
                let upper = sites.dual(&high, |b| majority(&b[..3]) ^ b[3], |b| b[3]);
                self.positions.extend([lower, upper]);
                self.told = last_lit(&high);
            }
            Atom::Eight => {
                let lower = sites.dual(&bits[0], parity, |b| b.last() == Some(&true));
                let three: Bits = bits[0][..3].into();
                sites.plain_last(&three, &mut bits[1]);
                let mut middle = three.clone();
                middle.extend_from_slice(&bits[1]);
                let second = sites.parity_site(&middle, |b| majority(&b[..3]) ^ parity(&b[3..]));
                let mut high = three;
                let others = bits[1].len() - 1;
                high.extend_from_slice(&bits[1][..others]);
                sites.plain_last(&high, &mut bits[2]);
                high.extend_from_slice(&bits[2]);
                let carries = |b: &[bool]| {
                    let mut next: SmallVec<[bool; 4]> = smallvec![majority(&b[..3])];
                    next.extend_from_slice(&b[3..3 + others]);
                    majority(&next)
                };
                let third = sites.parity_site(&high, |b| carries(b) ^ b[b.len() - 1]);
                self.positions.extend([lower, second, third]);
                self.told = last_lit(&high);
            }
        }
    }

    /// Builds the carry chain and puts what it makes into the heap.
    fn finish(mut self, sites: &mut Sites<'_>, next: &mut Columns, end: End) {
        let zero = sites.constant(false);
        if end == End::Exit {
            self.positions.push((zero, zero));
        }
        let width = next.plain.len();
        let outputs = carries(sites.f, &self.positions, self.first_carry.unwrap_or(zero), sites.loc);
        for (column, &(sum, _)) in (self.column..width).zip(&outputs) {
            next.plain[column].push_back(Lit::plain(sum));
        }
        let column = self.at();
        let (Some(&(sum, carry)), true) = (outputs.last(), column < width) else { return };
        match (end, self.told, self.positions.last()) {
            (End::Registered, ..) => next.plain[column].push_back(Lit::plain(carry)),
            (End::Told, Some(d), Some(&(s, _))) => next.told[column].push_back(Bit::Told { s, sum, d }),
            _ => {}
        }
    }
}

/// Carry chains along positions of `s` and `d`: sums and carries.
pub(super) fn carries(f: &mut Func, positions: &[(Value, Value)], first: Value, loc: LocId) -> Vec<(Value, Value)> {
    let zero = f.constant(0, Type::BIT);
    let mut outputs: Vec<(Value, Value)> = Vec::with_capacity(positions.len());
    for four in positions.chunks(4) {
        let mut pins = [zero; 10];
        for (j, &(s, d)) in four.iter().enumerate() {
            (pins[j], pins[4 + j]) = (s, d);
        }
        match outputs.last() {
            None => pins[9] = first,
            Some(&(_, carry)) => pins[8] = carry,
        }
        let op = f.push(OpKind::Xc7Carry4 {}, &pins, &[Type::BIT; 8], loc);
        let result = f.op(op).result().0;
        outputs.extend((0..four.len() as u32).map(|j| (Value(result + j), Value(result + 4 + j))));
    }
    outputs
}

fn last_lit(bits: &[Bit]) -> Option<Lit> {
    match bits.last() {
        Some(Bit::Lit(lit)) => Some(*lit),
        _ => None,
    }
}

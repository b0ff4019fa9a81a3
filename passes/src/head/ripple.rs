//! Sums for tables of at most four inputs: full adders, and the carry chains of small devices, whose positions add two bits
//! and a carry.
//!
//! A position has `s`, what it adds besides the carry, and `d`, the carry out where `s` is 0. Two kinds of them:
//!
//! - [`Ripple::Pairs`]: `s = a ^ b`, `d = a`. A third bit of the lowest column comes in through a position of its own, and
//!   the last carry leaves through one.
//! - [`Ripple::Products`]: a table of four inputs, `d` what it gives where the last two are 0. With `s = (p & q) ^ g ^ h`
//!   and `d = p & q`, position by position the two bits of the one below are handed on as `p` and `q`: what `g + h` carries
//!   is their product. So the lowest position takes three bits, those above two each, and the last one, which none are
//!   left for, takes what is handed on and the carry: `n` positions leave `n` of `2 n - 1` bits.
//!
//! A full adder of lookup tables takes two tables and removes one bit, a chain of `n` positions removes `n - 1`. So each
//! chain is to be long; but the columns above the lowest have bits only when those below have been counted. Of the full
//! adders that each column still needs ([`Heap::needed`]), those it needs more than the column above are ends of chains;
//! the others wait until there are bits above.

use std::collections::VecDeque;

use blc_ir::{Func, LocId, OpKind, Type, Value};

use super::build::carries;
use crate::heap::count_bit;

/// What a position of a device's carry chain adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ripple {
    /// There are no chains.
    Tables,
    /// Two bits.
    Pairs,
    /// Two bits and a product, by a table of four inputs. A cell has two positions.
    Products,
}

impl Ripple {
    /// As passes take it: the inputs of a position, 1 for no chains.
    pub fn inputs(self) -> u8 {
        match self {
            Self::Tables => 1,
            Self::Pairs => 2,
            Self::Products => 4,
        }
    }

    /// By the inputs of a position.
    pub fn of_inputs(inputs: u8) -> Option<Self> {
        [Self::Tables, Self::Pairs, Self::Products].into_iter().find(|kind| kind.inputs() == inputs)
    }

    /// The fewest columns of a chain that takes fewer tables than full adders do.
    fn least(self) -> usize {
        match self {
            Self::Tables => usize::MAX,
            Self::Pairs => 3,
            Self::Products => 2,
        }
    }
}

/// Bits of a sum, by column.
pub(super) struct Heap {
    now: Vec<VecDeque<Value>>,
    /// How many more the adders of this stage will leave.
    made: Vec<usize>,
    loc: LocId,
}

/// Bits to add, by column from the lowest on, and whether there is a column above for what they carry.
struct Adder {
    column: usize,
    bits: Vec<Vec<Value>>,
    carries: bool,
}

impl Heap {
    pub fn new(columns: Vec<VecDeque<Value>>, loc: LocId) -> Self {
        Self { made: vec![0; columns.len()], now: columns, loc }
    }

    fn total(&self, column: usize) -> usize {
        self.now[column].len() + self.made[column]
    }

    /// How many full adders each column still needs; none above the last.
    fn needed(&self) -> Vec<usize> {
        let mut below = 0;
        let column = |c: usize| {
            below = (self.total(c) + below) / 2;
            below
        };
        let mut all: Vec<usize> = (0..self.now.len()).map(column).collect();
        all.push(0);
        all
    }

    /// The adders of a stage: each takes bits made before it.
    fn stage(&mut self, kind: Ripple) -> Vec<Adder> {
        let mut all = Vec::new();
        while let Some(adder) = self.adder(kind, true) {
            all.push(adder);
        }
        if all.is_empty() {
            all.extend(self.adder(kind, false));
        }
        all
    }

    /// One more adder, of the lowest column that has one; with `choosy` none that others had better wait for.
    fn adder(&mut self, kind: Ripple, choosy: bool) -> Option<Adder> {
        let width = self.now.len();
        let needed = self.needed();
        for column in 0..width {
            let there = self.now[column].len();
            // The last adder of its column takes single bits along.
            let ending = there <= 3 && self.made[column] == 0;
            let full = |c: usize| self.now[c].len() >= 2 || ending && self.now[c].len() == 1 && self.made[c] == 0;
            let above = (column + 1..width).take_while(|&c| full(c)).count();
            let columns = if above + 1 < kind.least() { 1 } else { above + 1 };
            let ends = match columns {
                1 => needed[column] > needed[(kind.least() - 1).saturating_add(column).min(width)],
                _ => needed[column + columns - 1] > needed[column + columns],
            };
            let last = column + columns == width;
            if there < 2 || choosy && (there < 3 || !ends && !last) {
                continue;
            }
            let takes = |(i, c): (usize, usize)| self.now[c].len().min(if i == 0 { 3 } else { 2 });
            let takes: Vec<usize> = (column..column + columns).enumerate().map(takes).collect();
            let bits = (column..).zip(&takes).map(|(c, &n)| self.now[c].drain(..n).collect()).collect();
            self.made[column..(column + columns + 1).min(width)].iter_mut().for_each(|n| *n += 1);
            return Some(Adder { column, bits, carries: !last });
        }
        None
    }
}

impl Adder {
    /// Positions of [`Ripple::Products`].
    fn positions(&self) -> usize {
        self.bits.len() + usize::from(self.carries)
    }
}

/// Sums heaps, stage by stage side by side; `None` for a column without bits.
pub(super) fn sums(f: &mut Func, kind: Ripple, mut heaps: Vec<Heap>) -> Vec<Vec<Option<Value>>> {
    loop {
        let stages: Vec<Vec<Adder>> = heaps.iter_mut().map(|heap| heap.stage(kind)).collect();
        if stages.iter().all(Vec::is_empty) {
            return heaps
                .into_iter()
                .map(|heap| heap.now.into_iter().map(|mut bits| bits.pop_front()).collect())
                .collect();
        }
        let mut builder = Builder { f, kind, made: Vec::new() };
        // A cell has two positions: chains of an odd number share one, the first with nothing left to carry.
        let mut odd: Option<(usize, Adder)> = None;
        for (heap, adder) in stages.into_iter().enumerate().flat_map(|(i, all)| all.into_iter().map(move |a| (i, a))) {
            let loc = heaps[heap].loc;
            if adder.bits.len() == 1 {
                builder.tables(heap, &adder, loc);
            } else if kind != Ripple::Products || adder.positions() % 2 == 0 {
                builder.chain(&[(heap, adder)], loc);
            } else if let Some(first) = odd.take() {
                builder.chain(&[first, (heap, adder)], loc);
            } else {
                odd = Some((heap, adder));
            }
        }
        if let Some((heap, adder)) = odd {
            builder.without_first(heap, adder, heaps[heap].loc);
        }
        let made = builder.made;
        for heap in &mut heaps {
            heap.made.fill(0);
        }
        for (heap, column, bit) in made {
            heaps[heap].now[column].push_back(bit);
        }
    }
}

struct Builder<'a> {
    f: &'a mut Func,
    kind: Ripple,
    /// What a stage makes: heap, column, bit.
    made: Vec<(usize, usize, Value)>,
}

impl Builder<'_> {
    /// One column, by lookup tables.
    fn tables(&mut self, heap: usize, adder: &Adder, loc: LocId) {
        let bits = &adder.bits[0];
        for weight in 0..=usize::from(adder.carries) {
            let bit = self.f.lut(count_bit(bits.len(), weight), bits, loc);
            self.made.push((heap, adder.column + weight, bit));
        }
    }

    /// An adder of an odd number of positions: its lowest column by lookup tables, the others as a chain.
    fn without_first(&mut self, heap: usize, mut adder: Adder, loc: LocId) {
        let bits = adder.bits.remove(0);
        let lowest = Adder { column: adder.column, bits: vec![bits], carries: true };
        self.tables(heap, &lowest, loc);
        if let Some((_, _, carry)) = self.made.pop() {
            adder.bits[0].push(carry);
        }
        adder.column += 1;
        match adder.bits.len() {
            1 => self.tables(heap, &adder, loc),
            _ => self.chain(&[(heap, adder)], loc),
        }
    }

    /// Adders one after the other along a chain: each leaves no carry for the next.
    fn chain(&mut self, adders: &[(usize, Adder)], loc: LocId) {
        let zero = self.f.constant(0, Type::BIT);
        // `s` and `d` of each position, and where its sum goes.
        let mut positions: Vec<(Value, Value)> = Vec::new();
        let mut places: Vec<Option<(usize, usize)>> = Vec::new();
        for (heap, adder) in adders {
            let mut handed: Vec<Value> = Vec::new();
            let top = adder.carries.then_some(Vec::new());
            for (column, mut bits) in (adder.column..).zip(adder.bits.iter().cloned().chain(top)) {
                if self.kind == Ripple::Pairs && bits.len() == 3 {
                    positions.push((zero, bits.remove(0)));
                    places.push(None);
                }
                positions.push(self.position(&handed, &bits, loc));
                places.push(Some((*heap, column)));
                let first = usize::from(handed.is_empty());
                handed = bits.get(first..).filter(|rest| rest.len() == 2).map_or(Vec::new(), <[Value]>::to_vec);
            }
        }
        let sums = carries(self.f, &positions, zero, loc);
        let places = places.into_iter().zip(sums);
        self.made.extend(places.filter_map(|(place, (sum, _))| place.map(|(heap, column)| (heap, column, sum))));
    }

    /// `s` and `d` of a position that adds the product of what is handed on, or without it the first of the bits, and the
    /// others.
    fn position(&mut self, handed: &[Value], bits: &[Value], loc: LocId) -> (Value, Value) {
        let mut pins = [handed, bits].concat();
        if pins.is_empty() {
            let zero = self.f.constant(0, Type::BIT);
            return (zero, zero);
        }
        let product = handed.len().max(1);
        let (mut s, mut d) = (0u64, 0u64);
        for address in 0..32u64 {
            let first = address & mask_bits(product) == mask_bits(product);
            let others = address >> product & mask_bits(pins.len() - product);
            d |= u64::from(first) << address;
            s |= u64::from(first ^ (others.count_ones() % 2 == 1)) << address;
        }
        // Of complements there may be no such position: a constant 0 says that the table is to stay as it is.
        let [zero, one] = [0, 1].map(|bit| self.f.constant(bit, Type::BIT));
        pins.resize(5, zero);
        pins.push(one);
        let site = self.f.push(OpKind::Xc7Lut6_2 { init: s << 32 | d }, &pins, &[Type::BIT; 2], loc);
        let s = self.f.op(site).result();
        (s, Value(s.0 + 1))
    }
}

fn mask_bits(n: usize) -> u64 {
    (1 << n) - 1
}

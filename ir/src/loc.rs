//! Provenance: where an op came from.
//!
//! A `Func` keeps one table of [`Loc`]s; an op holds a [`LocId`]. The first origin of a fused op is the one that decides
//! which part of the design it counts for.

use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use crate::entity;

entity!(
    /// A [`Loc`] of a function's table.
    LocId, "loc"
);

impl LocId {
    /// The location of which nothing is known.
    pub const UNKNOWN: Self = Self(0);
}

entity!(
    /// An interned string of a function's [`Locs`].
    Sym, "sym"
);

/// One origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Loc {
    /// Nothing is known.
    Unknown,
    /// A whole layer: `loc("layer0")`.
    Layer(Sym),
    /// A neuron of a layer, or a numbered part of the encoder or head: `loc("layer0" neuron 17)`.
    Neuron(Sym, u32),
    /// A line of a file: `loc("a.blif":12)`.
    Line(Sym, u32),
    /// Several origins, the root's first: `loc(fused["layer0" neuron 17, "layer1" neuron 4])`. Never nested.
    Fused(Box<[LocId]>),
}

/// Which part of a design an op counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Comparators of the encoder.
    Encoder,
    /// The network's own nodes, and every netlist without a model.
    Logic,
    /// Popcounts and argmax.
    Head,
}

/// The layer name of the encoder.
pub const ENCODER: &str = "encoder";
/// The layer name of the head.
pub const HEAD: &str = "head";

/// The origins of a function's ops, and their strings.
#[derive(Clone, Debug, PartialEq)]
pub struct Locs {
    locs: Vec<Loc>,
    names: Vec<Box<str>>,
}

impl Default for Locs {
    fn default() -> Self {
        Self { locs: vec![Loc::Unknown], names: Vec::new() }
    }
}

impl Locs {
    /// Most origins a fused location keeps; the rest are dropped from its end.
    pub const MAX_FUSED: usize = 64;

    /// Interns a name. Few names, asked for in runs: searched from the last.
    pub fn sym(&mut self, name: &str) -> Sym {
        match self.names.iter().rposition(|n| **n == *name) {
            Some(i) => Sym::new(i),
            None => {
                self.names.push(name.into());
                Sym::new(self.names.len() - 1)
            }
        }
    }

    /// The string of a name.
    pub fn name(&self, sym: Sym) -> &str {
        self.names.get(sym.index()).map_or("", |n| n)
    }

    /// Adds an origin (the same as the last one is shared).
    pub fn add(&mut self, loc: Loc) -> LocId {
        if loc == Loc::Unknown {
            return LocId::UNKNOWN;
        }
        if self.locs.last() != Some(&loc) {
            self.locs.push(loc);
        }
        LocId::new(self.locs.len() - 1)
    }

    /// `loc("layer")`.
    pub fn layer(&mut self, layer: &str) -> LocId {
        let layer = self.sym(layer);
        self.add(Loc::Layer(layer))
    }

    /// `loc("layer" neuron n)`.
    pub fn neuron(&mut self, layer: &str, neuron: u32) -> LocId {
        let layer = self.sym(layer);
        self.add(Loc::Neuron(layer, neuron))
    }

    /// `loc("file":line)`.
    pub fn line(&mut self, file: &str, line: u32) -> LocId {
        let file = self.sym(file);
        self.add(Loc::Line(file, line))
    }

    /// Fuses origins, first the root's; repeated and unknown ones are dropped, fused ones flattened.
    pub fn fuse(&mut self, parts: impl IntoIterator<Item = LocId>) -> LocId {
        let mut all: Vec<LocId> = Vec::new();
        for part in parts {
            for id in self.origins(part) {
                if id != LocId::UNKNOWN && all.len() < Self::MAX_FUSED && !all.contains(&id) {
                    all.push(id);
                }
            }
        }
        match all.as_slice() {
            [] => LocId::UNKNOWN,
            [one] => *one,
            _ => self.add(Loc::Fused(all.into())),
        }
    }

    /// The location itself.
    pub fn get(&self, id: LocId) -> &Loc {
        self.locs.get(id.index()).unwrap_or(&Loc::Unknown)
    }

    /// The single origins of a location: the parts of a fused one, otherwise itself.
    pub fn origins(&self, id: LocId) -> SmallVec<[LocId; 2]> {
        match self.get(id) {
            Loc::Fused(parts) => SmallVec::from_slice(parts),
            _ => smallvec![id],
        }
    }

    /// The layer of the first origin, where it has one.
    pub fn first_layer(&self, id: LocId) -> Option<&str> {
        let first = *self.origins(id).first()?;
        match *self.get(first) {
            Loc::Layer(s) | Loc::Neuron(s, _) => Some(self.name(s)),
            _ => None,
        }
    }

    /// The neuron of the first origin, if it has one.
    pub fn first_neuron(&self, id: LocId) -> Option<u32> {
        let first = *self.origins(id).first()?;
        match *self.get(first) {
            Loc::Neuron(_, n) => Some(n),
            _ => None,
        }
    }

    /// Which part of the design the first origin belongs to.
    pub fn part(&self, id: LocId) -> Part {
        match self.first_layer(id) {
            Some(ENCODER) => Part::Encoder,
            Some(HEAD) => Part::Head,
            _ => Part::Logic,
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let fused: usize = self.locs.iter().map(|l| if let Loc::Fused(p) = l { p.len() * 4 } else { 0 }).sum();
        self.locs.capacity() * size_of::<Loc>() + fused
    }

    /// Gives back memory that growth left over.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.locs.shrink_to_fit();
    }

    /// Takes over a location of another table; `kept` remembers what was taken over before.
    pub fn import(&mut self, id: LocId, from: &Self, kept: &mut FxHashMap<LocId, LocId>) -> LocId {
        if let Some(&known) = kept.get(&id) {
            return known;
        }
        let loc = match from.get(id) {
            Loc::Unknown => Loc::Unknown,
            Loc::Layer(s) => Loc::Layer(self.sym(from.name(*s))),
            Loc::Neuron(s, n) => Loc::Neuron(self.sym(from.name(*s)), *n),
            Loc::Line(s, n) => Loc::Line(self.sym(from.name(*s)), *n),
            Loc::Fused(parts) => Loc::Fused(parts.iter().map(|&p| self.import(p, from, kept)).collect()),
        };
        let new = self.add(loc);
        kept.insert(id, new);
        new
    }
}

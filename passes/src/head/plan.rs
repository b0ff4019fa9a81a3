//! Which counters of a slice a bit heap is summed with: a plan, made before anything is built.
//!
//! A slice of the 7-series is four dual-output LUTs along a carry chain. A chain is a row of *atoms*, each a few
//! positions, that take bits of the columns they stand at and leave one sum bit a position; the carry out of the last
//! one is a bit of the column above it. `Six` removes two bits a LUT, `Ternary` about as many without needing two
//! positions, `Eight` and `Two` take what those cannot.
//!
//! A position has two ways out besides its own LUT's: one through a flip-flop and one past it. So with registers behind a
//! chain (`registered`) its top position gives both sum and carry. Without, the carry leaves through one more position,
//! whose LUT is lost (`End::Exit`), or not at all where it can be told from the sum: with `s` and the plain bit `d` at the
//! top LUT, the carry is `s ? !sum : d` (`End::Told`), a bit that takes three pins of its reader.
//!
//! The plan is found by beam search over the heights of the columns, in order of LUT sites spent. What a stage makes is
//! there in the next. States of the same cost are ranked by what their bits will cost, at a price for each column that
//! follows from the best counter there.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Most columns of a heap that can be planned.
pub(super) const COLUMNS: usize = 16;
/// Pins of a LUT.
const PINS: usize = 6;
/// Pins that two functions of one LUT share.
const SHARED_PINS: usize = 5;
/// Pins that a told carry takes.
pub(super) const TOLD_PINS: usize = 3;

/// A part of a chain, from its lowest position up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Atom {
    /// One position: two bits.
    Two,
    /// One position: four bits, of which one may come from a `Ternary` below; hands one on to the position above.
    Ternary,
    /// Two positions: four bits and one of the next column.
    Five,
    /// Two positions: six bits of the lower column, or three and a told one.
    Six,
    /// Three positions: four bits, three of the next column, one of that after.
    Eight,
    /// The last column's only position: the parity of as many bits as a LUT has pins.
    Parity,
}

impl Atom {
    /// Positions, each a LUT.
    pub fn positions(self) -> usize {
        match self {
            Self::Two | Self::Ternary | Self::Parity => 1,
            Self::Five | Self::Six => 2,
            Self::Eight => 3,
        }
    }
}

/// What becomes of a chain's last carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum End {
    /// Beyond the last column it does not matter.
    Dropped,
    /// It leaves beside the sum, both into registers.
    Registered,
    /// It leaves through one more position.
    Exit,
    /// Readers tell it from the top position.
    Told,
}

/// A counter, at the column of its lowest bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Counter {
    /// Three bits, one of which may be told, to two: one LUT, no chain.
    Adder,
    /// The parity of the last column.
    Parity,
    Chain(SmallVec<[Atom; 4]>, End),
}

/// Counters by stage, each with its column. Within a stage they take bits in this order, as many as they can, all of them
/// made before the stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub stages: Vec<Vec<(usize, Counter)>>,
    /// LUT sites.
    pub sites: usize,
}

/// Bits waiting in each column: plain ones, and told carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Heights {
    pub plain: [u16; COLUMNS],
    pub told: [u8; COLUMNS],
}

impl Heights {
    fn total(&self, column: usize) -> usize {
        self.plain[column] as usize + self.told[column] as usize
    }
}

/// How a heap is to be summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Task {
    /// Columns: the sum is taken modulo two to that number.
    pub width: usize,
    /// Whether what chains make goes into registers.
    pub registered: bool,
}

/// How many bits a LUT of the last column takes: first told, then plain ones.
pub(super) fn parity_fill(told: usize, plain: usize) -> (usize, usize) {
    let told = told.min(PINS / TOLD_PINS);
    (told, plain.min(PINS - TOLD_PINS * told))
}

/// How many bits an adder takes.
pub(super) fn adder_fill(told: usize, plain: usize) -> (usize, usize) {
    let told = told.min(1);
    (told, plain.min((SHARED_PINS - TOLD_PINS * told).min(3)))
}

/// How many bits a `Two` takes, where one comes from below or not.
pub(super) fn two_fill(told: usize, plain: usize, below: bool) -> (usize, usize) {
    let told = if below { 0 } else { told.min(1) };
    (told, plain.min(2 - told - usize::from(below)))
}

/// How many bits a `Six` takes, where one comes from below or not.
pub(super) fn six_fill(told: usize, plain: usize, below: bool) -> (usize, usize) {
    let told = if below { 0 } else { told.min(1) };
    (told, plain.min(6 - TOLD_PINS * told - usize::from(below)))
}

/// A chain being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Open {
    /// The column above its last position.
    column: u8,
    last: Atom,
    /// Its last position hands a bit on.
    below: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    now: Heights,
    next: Heights,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Start(u8, Atom),
    Grow(Atom),
    Close(End),
    Adder(u8),
    Parity,
    Stage,
}

struct Node {
    state: State,
    parent: u32,
    step: Step,
    stage: u16,
    rank: f32,
}

/// Plans the sum of a heap, keeping `beam` states of each cost; `None` where that finds no way.
pub(super) fn plan(heap: Heights, task: Task, beam: usize) -> Option<Plan> {
    let mut search = Search { task, price: prices(task), nodes: Vec::new() };
    let state = State { now: heap, next: Heights::default(), open: None };
    let root = Node { state, parent: u32::MAX, step: Step::Stage, stage: 0, rank: 0.0 };
    // States by LUTs spent; no step spends more than the longest atom.
    let mut waiting: Vec<Vec<Node>> = vec![vec![root], Vec::new(), Vec::new(), Vec::new()];
    let mut sites = 0;
    loop {
        let bucket = std::mem::take(&mut waiting[0]);
        waiting.rotate_left(1);
        let kept = search.settle(bucket, beam);
        if let Some(done) = kept.clone().find(|&i| search.is_done(&search.nodes[i].state)) {
            return Some(search.trace(done, sites));
        }
        for i in kept {
            search.spend(i, &mut waiting);
        }
        sites += 1;
        if waiting.iter().all(Vec::is_empty) {
            return None;
        }
    }
}

/// What a bit of each column costs, about: six of them become one and one each of the next two columns.
fn prices(task: Task) -> [f32; COLUMNS + 2] {
    let mut price = [0.0; COLUMNS + 2];
    let cost = if task.registered { 2.0 } else { 2.6 };
    for column in (0..task.width).rev() {
        price[column] = match column + 1 == task.width {
            true => 0.2,
            false => (cost + price[column + 1] + price[column + 2]) / 6.0,
        };
    }
    price
}

/// What one more stage is worth, in LUTs.
const STAGE_PRICE: f32 = 0.4;
/// What a told carry costs more than a plain bit.
const TOLD_PRICE: f32 = 0.15;

struct Search {
    task: Task,
    price: [f32; COLUMNS + 2],
    nodes: Vec<Node>,
}

impl Search {
    fn is_done(&self, state: &State) -> bool {
        let one = |c: usize| state.now.total(c) + state.next.total(c) <= 1;
        state.open.is_none() && (0..self.task.width).all(|c| one(c) && state.now.told[c] + state.next.told[c] == 0)
    }

    fn rank(&self, state: &State, stage: u16) -> f32 {
        let bits = |h: &Heights, c: usize| {
            f32::from(h.plain[c]) * self.price[c] + f32::from(h.told[c]) * (self.price[c] + TOLD_PRICE)
        };
        let waiting: f32 = (0..self.task.width).map(|c| bits(&state.now, c) + bits(&state.next, c)).sum();
        let open = state.open.map_or(0.0, |o| self.price[o.column as usize] * if o.below { 2.0 } else { 1.0 });
        waiting + open + STAGE_PRICE * f32::from(stage)
    }

    /// The best states of a cost, each once, and after them where steps that cost nothing lead from there.
    fn settle(&mut self, bucket: Vec<Node>, beam: usize) -> std::ops::Range<usize> {
        let mut best: FxHashMap<State, usize> = FxHashMap::default();
        let mut found: Vec<Node> = Vec::with_capacity(bucket.len());
        for mut node in bucket {
            node.rank = self.rank(&node.state, node.stage);
            match best.get(&node.state) {
                Some(&at) if found[at].rank <= node.rank => {}
                Some(&at) => found[at] = node,
                None => {
                    best.insert(node.state, found.len());
                    found.push(node);
                }
            }
        }
        found.sort_by(|a, b| a.rank.total_cmp(&b.rank));
        found.truncate(beam);
        let first = self.nodes.len();
        let mut ranks: FxHashMap<State, f32> = found.iter().map(|node| (node.state, node.rank)).collect();
        self.nodes.append(&mut found);
        let mut at = first;
        while at < self.nodes.len() {
            for (state, step, stage) in self.free_steps(at) {
                let rank = self.rank(&state, stage);
                if ranks.get(&state).is_none_or(|&known| rank < known) {
                    ranks.insert(state, rank);
                    self.nodes.push(Node { state, parent: at as u32, step, stage, rank });
                }
            }
            at += 1;
        }
        first..self.nodes.len()
    }

    fn free_steps(&self, at: usize) -> SmallVec<[(State, Step, u16); 4]> {
        let node = &self.nodes[at];
        let (state, stage) = (&node.state, node.stage);
        let mut steps = SmallVec::new();
        match state.open {
            Some(open) if open.column as usize >= self.task.width => {
                steps.push((State { open: None, ..*state }, Step::Close(End::Dropped), stage));
            }
            Some(open) => {
                let column = open.column as usize;
                let mut closed = State { open: None, ..*state };
                if self.task.registered && open.last != Atom::Ternary {
                    closed.next.plain[column] += 1;
                    steps.push((closed, Step::Close(End::Registered), stage));
                } else if !self.task.registered && matches!(open.last, Atom::Two | Atom::Five | Atom::Eight) {
                    closed.next.told[column] += 1;
                    steps.push((closed, Step::Close(End::Told), stage));
                }
            }
            None if state.next != Heights::default() => {
                let mut next = *state;
                for c in 0..self.task.width {
                    next.now.plain[c] += next.next.plain[c];
                    next.now.told[c] += next.next.told[c];
                }
                next.next = Heights::default();
                steps.push((next, Step::Stage, stage + 1));
            }
            None => {}
        }
        steps
    }

    /// Steps that take LUTs.
    fn spend(&self, at: usize, waiting: &mut [Vec<Node>]) {
        let state = self.nodes[at].state;
        let stage = self.nodes[at].stage;
        let mut push = |state: State, step: Step, luts: usize| {
            waiting[luts - 1].push(Node { state, parent: at as u32, step, stage, rank: 0.0 });
        };
        if let Some(open) = state.open {
            if (open.column as usize) < self.task.width {
                for atom in [Atom::Two, Atom::Ternary, Atom::Five, Atom::Six, Atom::Eight, Atom::Parity] {
                    if let Some(grown) = self.grow(&state, open.column as usize, atom, Some(open)) {
                        push(grown, Step::Grow(atom), atom.positions());
                    }
                }
                if !self.task.registered && !open.below {
                    let mut closed = State { open: None, ..state };
                    closed.next.plain[open.column as usize] += 1;
                    push(closed, Step::Close(End::Exit), 1);
                }
            }
            return;
        }
        for column in 0..self.task.width {
            if state.now.total(column) == 0 {
                continue;
            }
            for atom in [Atom::Two, Atom::Ternary, Atom::Five, Atom::Six, Atom::Eight] {
                let enough = state.now.plain[column] as usize >= if atom == Atom::Two { 2 } else { 4 };
                if let Some(started) = self.grow(&state, column, atom, None).filter(|_| enough) {
                    push(started, Step::Start(column as u8, atom), atom.positions());
                }
            }
            let (told, plain) = adder_fill(state.now.told[column].into(), state.now.plain[column].into());
            // A told carry alone becomes a plain bit.
            let fits = told == 1 || plain == 3 || plain == 2 && state.now.plain[column] == 2;
            if fits {
                let mut added = state;
                added.now.told[column] -= told as u8;
                added.now.plain[column] -= plain as u16;
                added.next.plain[column] += 1;
                if column + 1 < self.task.width && told + plain > 1 {
                    added.next.plain[column + 1] += 1;
                }
                push(added, Step::Adder(column as u8), 1);
            }
            if column + 1 == self.task.width {
                let (told, plain) = parity_fill(state.now.told[column].into(), state.now.plain[column].into());
                if told + plain > 1 || told == 1 {
                    let mut added = state;
                    added.now.told[column] -= told as u8;
                    added.now.plain[column] -= plain as u16;
                    added.next.plain[column] += 1;
                    push(added, Step::Parity, 1);
                }
            }
        }
    }

    /// The state with one more atom on a chain that has come to a column.
    fn grow(&self, state: &State, column: usize, atom: Atom, open: Option<Open>) -> Option<State> {
        let top = self.task.width - 1;
        let below = open.is_some_and(|o| o.below);
        let mut new = *state;
        let have = new.now.plain[column] as usize;
        let mut hands_on = false;
        match atom {
            Atom::Parity => {
                let told = new.now.told[column].into();
                let (told, plain) = parity_fill(told, have.min(PINS - usize::from(below)));
                let plain = plain.min(PINS - usize::from(below) - TOLD_PINS.min(PINS) * told);
                if column != top || told + plain == 0 {
                    return None;
                }
                new.now.told[column] -= told as u8;
                new.now.plain[column] -= plain as u16;
            }
            Atom::Two => {
                let (told, plain) = two_fill(new.now.told[column].into(), have, below);
                // The bit that DI takes must be plain.
                if column == top || plain == 0 && !below {
                    return None;
                }
                new.now.told[column] -= told as u8;
                new.now.plain[column] -= plain as u16;
            }
            Atom::Ternary => {
                let wanted = 4 - usize::from(below);
                if column >= top || !self.task.registered || have < wanted {
                    return None;
                }
                new.now.plain[column] -= wanted as u16;
                hands_on = true;
            }
            Atom::Six => {
                let (told, plain) = six_fill(new.now.told[column].into(), have, below);
                if column >= top || told + plain + usize::from(below) < 3 {
                    return None;
                }
                new.now.told[column] -= told as u8;
                new.now.plain[column] -= plain as u16;
            }
            Atom::Five => {
                let few = have < 4 || new.now.plain[(column + 1).min(top)] == 0;
                if self.task.registered || column >= top || below || few {
                    return None;
                }
                new.now.plain[column] -= 4;
                new.now.plain[column + 1] -= 1;
            }
            Atom::Eight => {
                if self.task.registered || column + 2 > top || have + usize::from(below) < 4 {
                    return None;
                }
                new.now.plain[column] -= 4 - u16::from(below);
                for (c, most) in [(column + 1, 3), (column + 2, 1)] {
                    new.now.plain[c] = new.now.plain[c].saturating_sub(most);
                }
                // The bits that DI and a told carry take must be there.
                if state.now.plain[column + 1] == 0 || state.now.plain[column + 2] == 0 {
                    return None;
                }
            }
        }
        for c in column..(column + atom.positions()).min(self.task.width) {
            new.next.plain[c] += 1;
        }
        if open.is_none() && atom != Atom::Ternary {
            // The chain's first carry is a bit too.
            new.now.plain[column] = new.now.plain[column].saturating_sub(1);
        }
        let column = (column + atom.positions()) as u8;
        new.open = Some(Open { column, last: atom, below: hands_on });
        Some(new)
    }

    /// The plan that led to a state.
    fn trace(&self, mut at: usize, sites: usize) -> Plan {
        let mut steps = Vec::new();
        while self.nodes[at].parent != u32::MAX {
            steps.push(self.nodes[at].step);
            at = self.nodes[at].parent as usize;
        }
        let mut plan = Plan { stages: vec![Vec::new()], sites };
        let mut chain: Option<(usize, SmallVec<[Atom; 4]>)> = None;
        for step in steps.into_iter().rev() {
            let Some(stage) = plan.stages.last_mut() else { break };
            match step {
                Step::Start(column, atom) => chain = Some((column.into(), SmallVec::from_slice(&[atom]))),
                Step::Grow(atom) => {
                    if let Some((_, atoms)) = &mut chain {
                        atoms.push(atom);
                    }
                }
                Step::Close(end) => stage.extend(chain.take().map(|(c, atoms)| (c, Counter::Chain(atoms, end)))),
                Step::Adder(column) => stage.push((column.into(), Counter::Adder)),
                Step::Parity => stage.push((self.task.width - 1, Counter::Parity)),
                Step::Stage => plan.stages.push(Vec::new()),
            }
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::types::bits_for;

    fn popcount(bits: u16, registered: bool, beam: usize) -> Plan {
        let mut heap = Heights::default();
        heap.plain[0] = bits;
        plan(heap, Task { width: bits_for(bits.into()).into(), registered }, beam).unwrap()
    }

    #[test]
    fn few_sites_and_stages() {
        for (bits, registered, sites, stages) in
            [(30, true, 14, 3), (100, true, 49, 6), (30, false, 19, 6), (100, false, 68, 14)]
        {
            let plan = popcount(bits, registered, 300);
            assert!(plan.sites <= sites && plan.stages.len() <= stages, "{bits}: {plan:?}");
        }
    }

    #[test]
    fn every_size_has_a_plan_for_any_beam() {
        for bits in (1..70).chain([127, 128, 300, 2000]) {
            for registered in [true, false] {
                let plan = popcount(bits, registered, 20);
                // A full adder for every bit that goes would do.
                assert!(plan.sites <= bits as usize, "{bits}: {}", plan.sites);
                assert_eq!(plan.stages.iter().all(|s| s.is_empty()), bits == 1);
            }
        }
    }
}

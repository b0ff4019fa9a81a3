//! Samples side by side: the values of all signals on 4,096 of them, and what the head counts.
//!
//! Sample `i` of a block is bit `i % 64` of word `i / 64`; bits beyond the last sample are zero where they would count.

use smallvec::SmallVec;

use super::loss::Loss;
use super::net::{Net, Node};

/// Words of a block.
pub(super) const WORDS: usize = 64;
/// Samples of a full block.
pub(super) const SAMPLES: usize = 64 * WORDS;

/// A signal on the samples of a block.
pub(super) type Column = [u64; WORDS];

/// A part of the samples.
#[derive(Clone, Debug)]
pub(super) struct Block {
    samples: usize,
    /// How probable each class ought to be, `[samples, groups]`.
    targets: Vec<f32>,
    /// Of each signal.
    columns: Vec<Column>,
    /// `[samples, groups]`
    counts: Vec<u16>,
    /// Of each sample the sum of its counts' exponentials.
    sums: Vec<f64>,
}

/// What a change of a node may reach: itself, and whatever reads it directly or not, in program order.
#[derive(Debug)]
pub(super) struct Cone {
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    signal: u32,
    table: u64,
    inputs: SmallVec<[Source; 6]>,
    groups: SmallVec<[u16; 1]>,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    /// A signal that stays.
    Signal(u32),
    /// A member of the cone.
    Member(u32),
}

impl Cone {
    /// Of a signal, given who reads each signal and which groups count it.
    pub fn of(net: &Net, node: usize, readers: &[Vec<u32>], counted: &[SmallVec<[u16; 1]>]) -> Self {
        let mut work: std::collections::BTreeSet<u32> = [node as u32].into();
        let mut at: std::collections::HashMap<u32, u32> = std::collections::HashMap::new();
        let mut members = Vec::new();
        while let Some(node) = work.pop_first() {
            let signal = net.signal(node as usize);
            let Node { inputs, table } = &net.nodes[node as usize];
            let source = |s: &u32| at.get(s).map_or(Source::Signal(*s), |&m| Source::Member(m));
            let inputs = if members.is_empty() { SmallVec::new() } else { inputs.iter().map(source).collect() };
            at.insert(signal, members.len() as u32);
            members.push(Member { signal, table: *table, inputs, groups: counted[signal as usize].clone() });
            work.extend(&readers[signal as usize]);
        }
        Self { members }
    }
}

/// How members of a cone change, where they do.
pub(super) type Change = Vec<Option<Box<Column>>>;

/// A count that changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub group: u16,
    pub from: u16,
    pub to: u16,
}

impl Block {
    /// A block of samples of which the leaves are known.
    pub fn new(net: &Net, leaves: Vec<Column>, samples: usize) -> Self {
        let mut columns = leaves;
        for node in &net.nodes {
            let column = lookup(node, &columns);
            columns.push(column);
        }
        let n = net.groups.len();
        let mut counts = vec![0u16; samples * n];
        for (g, group) in net.groups.iter().enumerate() {
            counts.iter_mut().skip(g).step_by(n).for_each(|c| *c = group.constant as u16);
            for &bit in &group.bits {
                for_ones(&columns[bit as usize], samples, |s| counts[s * n + g] += 1);
            }
        }
        Self { samples, targets: Vec::new(), columns, counts, sums: Vec::new() }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples
    }

    /// Number of groups.
    fn groups(&self) -> usize {
        self.counts.len() / self.samples.max(1)
    }

    /// Of each sample the counts of the groups.
    pub fn counts(&self) -> std::slice::ChunksExact<'_, u16> {
        self.counts.chunks_exact(self.groups().max(1))
    }

    /// Sets the classes that samples ought to be of.
    pub fn label(&mut self, labels: &[u16]) {
        let n = self.groups();
        self.targets = vec![0.0; self.counts.len()];
        labels.iter().enumerate().for_each(|(s, &y)| self.targets[s * n + usize::from(y)] = 1.0);
    }

    /// Sets what another network says of the samples, its counts' probabilities, as what they ought to be.
    pub fn follow(&mut self, other: &Self, loss: &Loss) {
        self.targets = other.counts().flat_map(|counts| loss.probabilities(counts)).collect();
    }

    /// Of each sample the first group of the most ones.
    pub fn classes(&self) -> impl Iterator<Item = u16> {
        self.counts().map(|counts| {
            let largest = |b: usize, i: usize| if counts[i] > counts[b] { i } else { b };
            (1..counts.len()).fold(0, largest) as u16
        })
    }

    /// Prepares for another loss.
    pub fn weigh(&mut self, loss: &Loss) {
        self.sums = self.counts().map(|counts| loss.sum(counts)).collect();
    }

    /// The loss of all samples.
    pub fn loss(&self, loss: &Loss) -> f64 {
        let targets = self.targets.chunks_exact(self.groups().max(1));
        self.counts().zip(&self.sums).zip(targets).map(|((counts, &sum), p)| loss.of(sum, counts, p)).sum()
    }

    /// What would change if the first of a cone did on some samples.
    pub fn change(&self, cone: &Cone, first: Box<Column>) -> Change {
        let mut change: Change = Vec::with_capacity(cone.members.len());
        change.push(first.iter().any(|&w| w != 0).then_some(first));
        for member in &cone.members[1..] {
            let moved = |s: &Source| matches!(s, Source::Member(m) if change[*m as usize].is_some());
            if !member.inputs.iter().any(moved) {
                change.push(None);
                continue;
            }
            let new: SmallVec<[Column; 6]> = member
                .inputs
                .iter()
                .map(|s| match *s {
                    Source::Signal(s) => self.columns[s as usize],
                    Source::Member(m) => {
                        let mut column = self.columns[cone.members[m as usize].signal as usize];
                        if let Some(delta) = &change[m as usize] {
                            column.iter_mut().zip(delta.iter()).for_each(|(x, d)| *x ^= d);
                        }
                        column
                    }
                })
                .collect();
            let mut delta = Box::new(evaluate(member.table, new.len(), |j| &new[j]));
            let old = &self.columns[member.signal as usize];
            delta.iter_mut().zip(old).for_each(|(new, old)| *new ^= old);
            change.push(delta.iter().any(|&w| w != 0).then_some(delta));
        }
        change
    }

    /// Calls with each sample whose counts a change touches, and the groups whose counts move: from what to what.
    fn touched(&self, cone: &Cone, change: &Change, mut call: impl FnMut(usize, &[Move])) {
        let n = self.groups();
        let changed = cone.members.iter().zip(change).filter_map(|(m, delta)| Some((m, delta.as_deref()?)));
        let counted: Vec<(&Column, &Column, u16)> = changed
            .flat_map(|(m, delta)| m.groups.iter().map(move |&g| (delta, &self.columns[m.signal as usize], g)))
            .collect();
        let mut moves: SmallVec<[Move; 8]> = SmallVec::new();
        for w in 0..self.samples.div_ceil(64) {
            let mut any = counted.iter().fold(0, |any, (delta, ..)| any | delta[w]);
            while any != 0 {
                let bit = any.trailing_zeros();
                any &= any - 1;
                let sample = 64 * w + bit as usize;
                if sample >= self.samples {
                    break;
                }
                moves.clear();
                for &(delta, old, group) in &counted {
                    if delta[w] >> bit & 1 == 0 {
                        continue;
                    }
                    let at = moves.iter().position(|m| m.group == group).unwrap_or_else(|| {
                        let count = self.counts[sample * n + usize::from(group)];
                        moves.push(Move { group, from: count, to: count });
                        moves.len() - 1
                    });
                    // Down where the bit was one.
                    let down = (old[w] >> bit & 1) as u16;
                    moves[at].to = moves[at].to + 1 - 2 * down;
                }
                call(sample, &moves);
            }
        }
    }

    /// By how much the loss of each sample rises with a change.
    pub fn rises(&self, cone: &Cone, change: &Change, loss: &Loss) -> Vec<f32> {
        let n = self.groups();
        let mut rises = vec![0.0; self.samples];
        self.touched(cone, change, |s, moves| {
            rises[s] = loss.rise(self.sums[s], moves, &self.targets[s * n..][..n]) as f32;
        });
        rises
    }

    /// Makes a change.
    pub fn apply(&mut self, cone: &Cone, change: &Change, loss: &Loss) {
        let n = self.groups();
        let mut all = Vec::new();
        self.touched(cone, change, |s, moves| all.extend(moves.iter().map(|m| (s, m.group, m.to))));
        for &(s, group, to) in &all {
            self.counts[s * n + usize::from(group)] = to;
        }
        for (s, ..) in all {
            self.sums[s] = loss.sum(&self.counts[s * n..][..n]);
        }
        for (member, delta) in cone.members.iter().zip(change) {
            if let Some(delta) = delta {
                self.columns[member.signal as usize].iter_mut().zip(delta.iter()).for_each(|(x, d)| *x ^= d);
            }
        }
    }

    /// Which samples a node of another table or of other inputs would differ on from what it is.
    pub fn differ(&self, signal: u32, node: &Node) -> Box<Column> {
        let mut delta = Box::new(lookup(node, &self.columns));
        delta.iter_mut().zip(&self.columns[signal as usize]).for_each(|(new, old)| *new ^= old);
        delta
    }

    /// The address of a node that each sample comes to.
    pub fn addresses(&self, node: &Node) -> Vec<u8> {
        let mut addresses = vec![0u8; self.samples];
        for (j, &input) in node.inputs.iter().enumerate() {
            let column = &self.columns[input as usize];
            for (chunk, &word) in addresses.chunks_mut(64).zip(column) {
                for (i, a) in chunk.iter_mut().enumerate() {
                    *a |= ((word >> i & 1) as u8) << j;
                }
            }
        }
        addresses
    }
}

/// Calls with each sample whose bit is one.
fn for_ones(column: &Column, samples: usize, mut call: impl FnMut(usize)) {
    for (w, &word) in column.iter().enumerate().take(samples.div_ceil(64)) {
        let mut word = word;
        while word != 0 {
            let sample = 64 * w + word.trailing_zeros() as usize;
            word &= word - 1;
            if sample < samples {
                call(sample);
            }
        }
    }
}

fn lookup(node: &Node, columns: &[Column]) -> Column {
    evaluate(node.table, node.inputs.len(), |j| &columns[node.inputs[j] as usize])
}

/// Words that are worked on together.
const LANES: usize = 8;

/// A table of up to six inputs on the samples of a block.
fn evaluate<'a>(table: u64, k: usize, input: impl Fn(usize) -> &'a Column) -> Column {
    let mut out = [0u64.wrapping_sub(table & 1); WORDS];
    if k == 0 {
        return out;
    }
    let halves = 1usize << (k - 1);
    let mut level = [[0u64; LANES]; 32];
    for at in (0..WORDS).step_by(LANES) {
        let x = &input(0)[at..at + LANES];
        for (a, lanes) in level[..halves].iter_mut().enumerate() {
            // 00, 01, 10, 11: constant 0, the complement, the input, constant 1.
            let (and, xor) = match table >> (2 * a) & 3 {
                0 => (0, 0),
                1 => (u64::MAX, u64::MAX),
                2 => (u64::MAX, 0),
                _ => (0, u64::MAX),
            };
            lanes.iter_mut().zip(x).for_each(|(lane, x)| *lane = x & and ^ xor);
        }
        let mut width = halves;
        for j in 1..k {
            let x = &input(j)[at..at + LANES];
            width /= 2;
            for a in 0..width {
                for lane in 0..LANES {
                    let (low, high) = (level[2 * a][lane], level[2 * a + 1][lane]);
                    level[a][lane] = low ^ (low ^ high) & x[lane];
                }
            }
        }
        out[at..at + LANES].copy_from_slice(&level[0]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::net::Group;
    use super::*;
    use crate::rng::Rng;

    type Readers = Vec<Vec<u32>>;
    type Counted = Vec<SmallVec<[u16; 1]>>;

    /// Two layers of random tables, what reads each signal, and which groups count it; a node is counted twice.
    fn net(rng: &mut Rng) -> (Net, Readers, Counted) {
        let node = |from: u64, rng: &mut Rng| {
            let inputs = (0..3).map(|_| (rng.next() % from) as u32).collect();
            Node { inputs, table: rng.next() & 0xff }
        };
        let nodes: Vec<Node> = (0..12).map(|i| node(if i < 6 { 5 } else { 11 }, rng)).collect();
        let bits = [vec![11, 12, 13, 13], vec![14, 15, 7], vec![16, 2]];
        let groups = bits.map(|bits| Group { bits, constant: 1 }).to_vec();
        let net = Net { leaves: 5, nodes, groups };
        let (mut readers, mut counted) = (vec![Vec::new(); 17], vec![SmallVec::new(); 17]);
        for (i, node) in net.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&s| readers[s as usize].push(i as u32));
        }
        for (g, group) in net.groups.iter().enumerate() {
            group.bits.iter().for_each(|&s| counted[s as usize].push(g as u16));
        }
        (net, readers, counted)
    }

    #[test]
    fn a_change_is_what_the_changed_network_says() {
        let rng = &mut Rng::new(1);
        for _ in 0..20 {
            let (net, readers, counted) = net(rng);
            let leaves: Vec<Column> = (0..5).map(|_| std::array::from_fn(|_| rng.next())).collect();
            let labels: Vec<u16> = (0..3000).map(|_| (rng.next() % 3) as u16).collect();
            let loss = Loss::new(1.5, net.most().unwrap_or(0), 0.0);
            let block = |net: &Net| {
                let mut block = Block::new(net, leaves.clone(), labels.len());
                block.label(&labels);
                block.weigh(&loss);
                block
            };
            let node = (rng.next() % 12) as usize;
            let mut other = net.clone();
            other.nodes[node].table ^= rng.next() & 0xff;
            let (mut block, changed) = (block(&net), block(&other));
            let cone = Cone::of(&net, node, &readers, &counted);
            let change = block.change(&cone, block.differ(net.signal(node), &other.nodes[node]));
            let rise: f64 = block.rises(&cone, &change, &loss).iter().map(|&r| f64::from(r)).sum();
            assert!((rise - (changed.loss(&loss) - block.loss(&loss))).abs() < 1e-3);
            block.apply(&cone, &change, &loss);
            assert_eq!((&block.counts, &block.sums), (&changed.counts, &changed.sums));
            assert_eq!(block.columns, changed.columns);
        }
    }
}

//! Which inputs a node may read.
//!
//! Every slot (input of a node) has one or more candidates. With one, the wiring is fixed; with more, the slot reads
//! the candidate with the highest score, and the scores are trained (LILogicNet's restricted form of DWN's learnable
//! mapping). Candidates of a node are distinct where there are enough inputs. Every input is a candidate somewhere if
//! there are slots enough (random wiring) or nodes enough (local wiring, where each node's centre is a candidate).

use super::config::{self, Wiring as Kind};
use crate::rng::Stream;

/// Row and column of an input.
pub type Point = [i32; 2];

/// Candidates of a layer.
pub struct Wiring {
    /// Inputs of a node.
    pub fan_in: usize,
    /// Candidates of a slot.
    pub candidates: usize,
    /// `[nodes, fan_in, candidates]`: rows of the layer before.
    pub index: Vec<u32>,
    /// Centre of each node, for the next layer's local wiring; empty for random wiring.
    pub centres: Vec<Point>,
    /// The other node that reads each node's inputs; empty where there is none.
    pub twins: Vec<u32>,
}

impl Wiring {
    /// Candidates of a slot of a layer over `inputs` bits.
    pub fn candidates(config: &config::Layer, inputs: usize) -> usize {
        if config.wiring == Kind::All { inputs } else { config.candidates }
    }

    /// Draws the wiring of a layer over `inputs` bits, at least `fan_in`. `points` are the positions of the inputs and
    /// empty where there are none.
    pub fn draw(config: &config::Layer, inputs: usize, points: &[Point], rng: &mut Stream) -> Self {
        if config.pairs {
            let half = config::Layer { nodes: config.nodes / 2, pairs: false, ..config.clone() };
            return Self::draw(&half, inputs, points, rng).twice(rng);
        }
        let (k, c) = (config.fan_in, Self::candidates(config, inputs));
        let mut wiring = Self { fan_in: k, candidates: c, index: Vec::new(), centres: Vec::new(), twins: Vec::new() };
        wiring.index.reserve_exact(config.nodes * k * c);
        let mut cover = Cover::new(inputs);
        let mut pool: Vec<u32> = (0..inputs as u32).collect();
        let map = (config.wiring == Kind::Local && points.len() == inputs).then(|| Map::new(points));
        let mut order = pool.clone();
        if config.wiring == Kind::Unique {
            rng.shuffle(&mut order);
        }
        for node in 0..config.nodes {
            match (&map, config.wiring) {
                (None, Kind::All) => (0..k).for_each(|_| wiring.index.extend_from_slice(&pool)),
                (None, Kind::Unique) => {
                    let first = unique(node, k, &order);
                    wiring.push_node(&first, &mut pool, rng);
                }
                (None, Kind::Strided) => {
                    let first = strided(node, config.nodes, k, inputs);
                    wiring.push_node(&first, &mut pool, rng);
                }
                (None, Kind::Grouped) => {
                    let groups = config.groups.clamp(1, (inputs / k).max(1));
                    let group = node % groups;
                    let mut window = pool_of(group * inputs / groups..(group + 1) * inputs / groups);
                    rng.shuffle(&mut window);
                    let first = window[..k.min(window.len())].to_vec();
                    wiring.push_node(&first, &mut window, rng);
                }
                (None, _) => {
                    let mut first = Vec::with_capacity(k);
                    for _ in 0..k {
                        first.push(cover.next(&first, rng));
                    }
                    wiring.push_node(&first, &mut pool, rng);
                }
                (Some(map), _) => {
                    let centre = cover.next(&[], rng);
                    let point = points[centre as usize];
                    let mut window = map.window(point, config.radius, k * c);
                    wiring.push_node(&[centre], &mut window, rng);
                    wiring.centres.push(point);
                }
            }
        }
        wiring
    }

    /// All nodes again, in random order, so that twins stand for any two classes.
    fn twice(mut self, rng: &mut Stream) -> Self {
        let (of_node, half) = (self.fan_in * self.candidates, self.index.len() / self.fan_in / self.candidates);
        let mut order: Vec<usize> = (0..half).collect();
        rng.shuffle(&mut order);
        self.twins = vec![0; half];
        for (i, &first) in order.iter().enumerate() {
            self.twins[first] = (half + i) as u32;
            self.twins.push(first as u32);
            self.index.extend_from_within(first * of_node..(first + 1) * of_node);
            self.centres.extend(self.centres.get(first).copied());
        }
        self
    }

    /// Sets numbers of candidates, `[nodes, fan_in, candidates]`, to what is made of both twins' where there are twins.
    pub fn join(&self, scores: &mut [f32], join: impl Fn(f32, f32) -> f32) {
        let of_node = self.fan_in * self.candidates;
        for (node, &twin) in self.twins.iter().enumerate().take(self.twins.len() / 2) {
            let (first, second) = scores.split_at_mut(twin as usize * of_node);
            for (a, b) in first[node * of_node..][..of_node].iter_mut().zip(second) {
                let both = join(*a, *b);
                (*a, *b) = (both, both);
            }
        }
    }

    /// Adds a node: `first[j]` is the first candidate of slot `j`, the others come from the pool.
    fn push_node(&mut self, first: &[u32], pool: &mut [u32], rng: &mut Stream) {
        let (k, c) = (self.fan_in, self.candidates);
        if pool.len() >= k * c {
            // Distinct over the whole node: a sample of the pool, in which each `first` gets its place.
            rng.shuffle_first(pool, k * c);
            let start = self.index.len();
            self.index.extend_from_slice(&pool[..k * c]);
            let node = &mut self.index[start..];
            for (j, &bit) in first.iter().enumerate() {
                match node.iter().position(|&b| b == bit) {
                    Some(at) => node.swap(at, j * c),
                    None => node[j * c] = bit,
                }
            }
        } else {
            for j in 0..k {
                rng.shuffle(pool);
                if let Some(at) = first.get(j).and_then(|&bit| pool.iter().position(|&b| b == bit)) {
                    pool.swap(at, 0);
                }
                self.index.extend(pool.iter().cycle().take(c));
            }
        }
    }
}

fn pool_of(range: std::ops::Range<usize>) -> Vec<u32> {
    range.map(|i| i as u32).collect()
}

/// Inputs of a node by torchlogix's rule for unique tuples: first neighbours in a shuffled order, disjoint ones before
/// overlapping ones, then inputs two apart, three apart, …; from the start again when all are used.
fn unique(node: usize, k: usize, order: &[u32]) -> Vec<u32> {
    let n = order.len();
    if k == 1 {
        return vec![order[node % n]];
    }
    // Below this distance tuples of different distances differ, and do not wrap onto themselves.
    let distances = ((n - 1) / k).max(1);
    let (distance, tuple) = (1 + node / n % distances, node % n);
    // Starts 0, k, 2k, …, then 1, k + 1, …
    let whole = n / k;
    let start = if tuple < whole * k { tuple % whole * k + tuple / whole } else { tuple };
    (0..k).map(|j| order[(start + j * distance) % n]).collect()
}

/// Inputs of a node of a butterfly: from its place on, 1, `k`, `k²`, … apart, the distance changing from node to node.
fn strided(node: usize, nodes: usize, k: usize, inputs: usize) -> Vec<u32> {
    let scales = (1..).take_while(|&s| k > 1 && k.checked_pow(s).is_some_and(|reach| reach <= inputs)).count().max(1);
    let distance = k.pow((node % scales) as u32);
    let start = (node as u128 * inputs as u128 / nodes as u128) as usize;
    (0..k).map(|j| ((start + j * distance) % inputs) as u32).collect()
}

/// Deals out the inputs in random order again and again.
struct Cover {
    order: Vec<u32>,
    at: usize,
}

impl Cover {
    fn new(inputs: usize) -> Self {
        Self { order: (0..inputs as u32).collect(), at: inputs }
    }

    /// The next input that is not among `taken`.
    fn next(&mut self, taken: &[u32], rng: &mut Stream) -> u32 {
        loop {
            if self.at == self.order.len() {
                rng.shuffle(&mut self.order);
                self.at = 0;
            }
            if let Some(ahead) = self.order[self.at..].iter().position(|b| !taken.contains(b)) {
                self.order.swap(self.at, self.at + ahead);
                self.at += 1;
                return self.order[self.at - 1];
            }
            self.at = self.order.len();
        }
    }
}

/// Finds inputs by position.
struct Map {
    low: Point,
    size: [usize; 2],
    /// Inputs at each cell, row-major.
    cells: Vec<Vec<u32>>,
}

impl Map {
    fn new(points: &[Point]) -> Self {
        let axis = |a: usize| {
            let low = points.iter().map(|p| p[a]).min().unwrap_or(0);
            let high = points.iter().map(|p| p[a]).max().unwrap_or(0);
            (low, (high - low) as usize + 1)
        };
        let (rows, columns) = (axis(0), axis(1));
        let mut map =
            Self { low: [rows.0, columns.0], size: [rows.1, columns.1], cells: vec![Vec::new(); rows.1 * columns.1] };
        for (i, &p) in points.iter().enumerate() {
            let cell = (p[0] - map.low[0]) as usize * map.size[1] + (p[1] - map.low[1]) as usize;
            map.cells[cell].push(i as u32);
        }
        map
    }

    /// All inputs within `radius` of a point along both axes; the radius grows until there are `enough`, or all.
    fn window(&self, centre: Point, radius: usize, enough: usize) -> Vec<u32> {
        let at = [(centre[0] - self.low[0]) as usize, (centre[1] - self.low[1]) as usize];
        let mut radius = radius;
        loop {
            let span = |a: usize| at[a].saturating_sub(radius)..self.size[a].min(at[a].saturating_add(radius + 1));
            let window: Vec<u32> =
                span(0).flat_map(|r| span(1).flat_map(move |c| &self.cells[r * self.size[1] + c])).copied().collect();
            if window.len() >= enough || (0..2).all(|a| span(a).len() == self.size[a]) {
                return window;
            }
            radius += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Use;

    fn layer(nodes: usize, fan_in: usize, wiring: Kind, candidates: usize) -> config::Layer {
        config::Layer { nodes, fan_in, wiring, radius: 1, candidates, ..config::Layer::default() }
    }

    fn draw(layer: &config::Layer, inputs: usize, points: &[Point]) -> Wiring {
        let wiring = Wiring::draw(layer, inputs, points, &mut Stream::new(3, Use::Wiring, 0));
        assert_eq!(wiring.index.len(), layer.nodes * layer.fan_in * Wiring::candidates(layer, inputs));
        assert!(wiring.index.iter().all(|&i| (i as usize) < inputs));
        wiring
    }

    fn covered(index: impl Iterator<Item = u32>, inputs: usize) -> bool {
        let mut seen = vec![false; inputs];
        index.for_each(|i| seen[i as usize] = true);
        seen.iter().all(|&s| s)
    }

    fn distinct(items: &[u32]) -> bool {
        let mut items = items.to_vec();
        items.sort_unstable();
        items.windows(2).all(|w| w[0] != w[1])
    }

    #[test]
    fn random_wiring_covers_all_inputs() {
        // Exactly as many slots as inputs, more, and far more than inputs.
        for (nodes, k, c, inputs) in [(25, 4, 1, 100), (17, 6, 1, 100), (40, 2, 8, 77), (50, 6, 1, 6), (30, 3, 3, 9)] {
            let wiring = draw(&layer(nodes, k, Kind::Random, c), inputs, &[]);
            assert!(covered(wiring.index.iter().copied().step_by(c), inputs), "first candidates cover {inputs}");
            assert!(wiring.index.chunks(k * c).all(distinct));
            assert!(wiring.centres.is_empty());
        }
    }

    #[test]
    fn scarce_inputs_are_shared_between_slots_but_not_within_one() {
        let wiring = draw(&layer(20, 3, Kind::Random, 4), 5, &[]);
        assert!(wiring.index.chunks(4).all(distinct));
        assert!(wiring.index.chunks(12).all(|node| distinct(&[node[0], node[4], node[8]])));
        // Fewer inputs than a slot has candidates: all of them, then again from the first.
        let wiring = draw(&layer(20, 3, Kind::Random, 8), 5, &[]);
        assert!(wiring.index.chunks(8).all(|slot| distinct(&slot[..5]) && slot[5..] == slot[..3]));
    }

    #[test]
    fn local_wiring_stays_in_its_window_and_covers_all_inputs() {
        // Two bits at each pixel of a 6 by 5 image.
        let points: Vec<Point> = (0..60).map(|i| [i / 2 / 5, i / 2 % 5]).collect();
        let wiring = draw(&layer(60, 2, Kind::Local, 4), 60, &points);
        assert!(covered(wiring.index.iter().copied(), 60));
        for (node, centre) in wiring.index.chunks(8).zip(&wiring.centres) {
            assert!(distinct(node));
            for &i in node {
                let p = points[i as usize];
                assert!((0..2).all(|a| (p[a] - centre[a]).abs() <= 1), "{p:?} is not next to {centre:?}");
            }
        }
    }

    #[test]
    fn a_window_grows_until_it_has_enough() {
        let points: Vec<Point> = (0..60).map(|i| [i / 10, i % 10]).collect();
        let wiring = draw(&layer(60, 6, Kind::Local, 5), 60, &points);
        assert!(wiring.index.chunks(30).all(distinct));
        let everything = draw(&layer(4, 6, Kind::Local, 16), 60, &points);
        assert!(everything.index.chunks(16).all(distinct));
    }

    #[test]
    fn unique_wiring_never_repeats_a_node_while_it_can() {
        for (nodes, k, inputs) in [(300, 2, 31), (200, 3, 20), (60, 6, 40), (10, 4, 13), (7, 1, 7)] {
            let wiring = draw(&layer(nodes, k, Kind::Unique, 1), inputs, &[]);
            let mut seen: Vec<Vec<u32>> = wiring.index.chunks(k).map(<[u32]>::to_vec).collect();
            seen.iter_mut().for_each(|node| node.sort_unstable());
            assert!(seen.iter().all(|node| distinct(node)));
            let unique = (inputs - 1) / k * inputs;
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), nodes.min(unique), "{nodes} nodes of {k} over {inputs}");
            assert!(nodes * k < inputs + k || covered(wiring.index.iter().copied(), inputs), "{nodes} {k} {inputs}");
        }
        // More candidates: the first of each slot is the unique one.
        let (one, many) = (draw(&layer(9, 3, Kind::Unique, 1), 30, &[]), draw(&layer(9, 3, Kind::Unique, 4), 30, &[]));
        assert!(many.index.iter().step_by(4).eq(one.index.iter()));
    }

    #[test]
    fn strided_wiring_reaches_near_and_far() {
        let wiring = draw(&layer(64, 4, Kind::Strided, 1), 64, &[]);
        assert_eq!(wiring.index[..12], [0, 1, 2, 3, 1, 5, 9, 13, 2, 18, 34, 50]);
        let mut reads = [0; 64];
        wiring.index.iter().for_each(|&i| reads[i as usize] += 1);
        assert!(reads.iter().all(|r| (2..=6).contains(r)), "{reads:?}");
        assert!(draw(&layer(10, 2, Kind::Strided, 1), 3, &[]).index.chunks(2).all(distinct));
    }

    #[test]
    fn grouped_nodes_read_one_group() {
        let config = config::Layer { groups: 4, ..layer(40, 3, Kind::Grouped, 2) };
        let wiring = draw(&config, 40, &[]);
        for (node, slots) in wiring.index.chunks(6).enumerate() {
            assert!(distinct(slots) && slots.iter().all(|&i| i as usize / 10 == node % 4));
        }
        // Fewer inputs than groups: as many groups as have enough.
        assert!(draw(&config::Layer { groups: 99, ..config }, 7, &[]).index.chunks(2).all(|slot| slot.len() == 2));
    }

    #[test]
    fn twins_read_the_same_inputs_and_choose_them_together() {
        let points: Vec<Point> = (0..60).map(|i| [i / 10, i % 10]).collect();
        let config = config::Layer { pairs: true, ..layer(40, 3, Kind::Local, 4) };
        let wiring = draw(&config, 60, &points);
        let node = |n: usize| (&wiring.index[n * 12..][..12], wiring.centres[n]);
        assert_eq!(wiring.index.len(), 40 * 12);
        for (n, &twin) in wiring.twins.iter().enumerate() {
            assert!(
                node(n) == node(twin as usize)
                    && wiring.twins[twin as usize] as usize == n
                    && n / 20 != twin as usize / 20
            );
        }
        let mut scores: Vec<f32> = (0..480u16).map(f32::from).collect();
        wiring.join(&mut scores, |a, b| a + b);
        let expected = |n: usize, i: usize| (n * 12 + wiring.twins[n] as usize * 12 + 2 * i) as f32;
        assert!((0..480).all(|i| scores[i] == expected(i / 12, i % 12)));
    }

    #[test]
    fn all_inputs_are_candidates() {
        let wiring = draw(&layer(5, 2, Kind::All, 1), 9, &[]);
        assert_eq!(wiring.candidates, 9);
        assert!(wiring.index.chunks(9).all(|slot| slot.iter().copied().eq(0..9)));
    }
}

//! The search for a good cover: some ways to weigh LUTs, each followed through several covers.
//!
//! A cover's LUTs are functions anew: decomposed again they make another net, in which the next cover may be smaller. The
//! ways are independent and run in parallel; which of them and how often is a matter of the net's size alone, so that the
//! result is the same for any number of threads.

use blc_ir::{Func, Op, OpKind};
use rayon::prelude::*;

use super::CoverOptions;
use super::anneal::{anneal, paired};
use super::blocks::improve;
use super::exact::Chooser;
use super::map::{Areas, Cover, Goal, Mapper, ROUNDS, Settings};
use super::read::Subject;
use super::sets::CutSets;
use super::sites::{ALONE, Sites};
use crate::control::Control;
use crate::count::count;
use crate::pairing::pairs;

/// Every function counts the same.
const EVEN: Areas = [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0];
/// Inputs count too: small functions leave room for a second one in their site.
const LINEAR: Areas = [0.0, 0.0, 1.0, 1.2, 1.4, 1.6, 1.8];
/// Functions of six inputs never share a site.
const SHARED: Areas = [0.0, 0.0, 1.0, 1.0, 1.0, 1.1, 1.4];
/// Functions of two or three inputs nearly always do.
const SMALL: Areas = [0.0, 0.0, 1.0, 1.0, 1.4, 1.7, 2.0];

/// Most covers that follow one another.
const MAX_COVERS: usize = 8;

/// Nodes looked at for one of `effort`.
const NODES: u64 = 1_500_000;

/// Covers that a way should have at least: where the budget is short, fewer ways are followed.
const COVERS: usize = 2;

/// Covers without gain after which a way ends: one for each order of decomposition.
const MAX_STALE: usize = 2;

/// Cuts of a node that annealing chooses from.
const CHOICES: usize = 24;

/// Times that annealing begins at most, each from the cover before, whose LUTs are functions anew.
const ANNEALED: usize = 4;

/// Times that exact choice begins anew at most, and the cuts of a node that it has.
const CHOSEN: usize = 3;
const CUTS: usize = 40;

/// Most work of exact choice from one start.
const MAX_WORK: u64 = 120_000;

/// Most nodes of a net that is chosen exactly, and of one that is more than twice.
const MOST_NODES: usize = 10_000;
const FEW_NODES: usize = 2_000;

/// Most cuts of a node, on average, that are chosen from exactly: with more, programs are large and win little.
const MOST_CUTS: usize = 8;

/// Levels are not counted where so many times as many may be.
const FREE: u32 = 3;

/// Most moves of annealing.
const MAX_MOVES: u64 = 4_000_000;

impl CoverOptions {
    /// Most inputs of a table.
    fn widest(&self) -> usize {
        if self.muxes { self.k + 2 } else { self.k }
    }

    /// LUTs that a table of so many inputs takes.
    fn areas(&self) -> Areas {
        let area = |inputs: usize| if inputs < 2 { 0.0 } else { f32::from(1u8 << inputs.saturating_sub(self.k)) };
        std::array::from_fn(area)
    }
}

/// What a function costs, to be made small in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Quality {
    /// Levels above those allowed.
    excess: u64,
    /// Sites, where two functions may share one; otherwise LUTs.
    sites: u64,
    luts: u64,
    levels: u64,
    edges: usize,
}

/// The function covered, or `None` where it cannot be bettered.
///
/// Levels that `control` allows are those of the whole function. Where no cover of the net keeps to them, one of as few as
/// can be is taken.
pub fn search(f: &Func, options: &CoverOptions, control: &Control) -> Option<Func> {
    let (k, wide) = (options.k, options.widest());
    let joined = options.areas();
    let ways: &[(usize, Areas)] = match (options.sites, options.muxes) {
        (true, _) => &[(k, LINEAR), (k, SHARED), (k, SMALL)],
        (_, true) => &[(wide, joined), (k, EVEN), (k, LINEAR)],
        _ => &[(k, EVEN), (k, LINEAR)],
    };
    let budget = u64::from(options.effort) * NODES;
    let one = (f.op_count() * ROUNDS.len() * COVERS).max(1) as u64;
    let ways = &ways[..((budget / one) as usize).clamp(1, ways.len())];
    let budget = budget / ways.len() as u64;
    let first = Subject::read(f, k, false);
    let levels = u64::from(fewest_levels(&first, options));
    let limit = control.at_most(more_levels(levels, options.slack));
    let few = control.levels.is_some().then_some(u32::try_from(levels).unwrap_or(u32::MAX));
    let follow = |&(k, areas): &(usize, Areas)| {
        let settings = Settings { k, cuts: options.cuts, areas, levels: limit };
        follow(f, &first, settings, limit, budget, options, control)
    };
    let covered: Vec<(Quality, Func)> = ways.par_iter().map(follow).collect();
    let (mut quality, mut best) = covered.into_iter().min_by_key(|(quality, _)| *quality)?;
    if let Some(levels) = few.filter(|_| quality.excess > 0) {
        let settings = Settings { k: options.k, cuts: options.cuts, areas: EVEN, levels };
        let shallow = self::follow(f, &first, settings, limit, budget, options, control);
        (quality, best) = std::cmp::min_by_key((quality, best), shallow, |(quality, _)| *quality);
    }
    if options.sites && options.anneal > 0 && quality.excess == 0 {
        let settings = Settings { k: options.k, cuts: options.cuts, areas: LINEAR, levels: limit };
        let orders = [false, true];
        for _ in 0..ANNEALED {
            let from = |&descending: &bool| annealed(&best, settings, descending, options);
            let next = orders.par_iter().map(from).min_by_key(|(quality, _)| *quality)?;
            if next.0 >= quality || control.stopped() {
                break;
            }
            (quality, best) = next;
        }
    }
    if options.exact > 0 && quality.excess == 0 && !options.muxes && first.net.node_count() <= MOST_NODES {
        let limit = control.at_most(more_levels(levels, options.loose)).max(limit);
        (quality, best) = exact(f, &first, (quality, best), limit, options, control);
    }
    // Fewer levels are no reason for more LUTs, unless so few are asked for.
    let most = control.at_most(u32::MAX);
    let quality = Quality { excess: quality.levels.saturating_sub(most.into()), ..quality };
    (!is_legal(f, wide) || quality < self::quality(f, options, most)).then_some(best)
}

/// So many percent more.
fn more_levels(levels: u64, percent: u32) -> u32 {
    u32::try_from(levels + levels * u64::from(percent) / 100).unwrap_or(u32::MAX)
}

/// Whether all LUTs have at most `k` inputs.
fn is_legal(f: &Func, k: usize) -> bool {
    f.ops().all(|(_, op)| match op.kind {
        OpKind::Lut { .. } => op.operands.len() <= k,
        OpKind::LutWide { .. } => false,
        _ => true,
    })
}

fn quality(f: &Func, options: &CoverOptions, limit: u32) -> Quality {
    let mut total = count(f).total;
    let shared = if options.sites { pairs(f, true).len() } else { 0 };
    if options.muxes {
        let areas = options.areas();
        let more = |(_, op): (_, Op<'_>)| match op.kind {
            OpKind::Lut { .. } => areas.get(op.operands.len()).map_or(0, |&area| (area as u64).saturating_sub(1)),
            _ => 0,
        };
        total.luts += f.ops().map(more).sum::<u64>();
    }
    Quality {
        excess: total.levels.saturating_sub(limit.into()),
        sites: total.luts - shared as u64,
        luts: total.luts,
        levels: total.levels,
        edges: f.ops().map(|(_, op)| op.operands.len()).sum(),
    }
}

fn fewest_levels(subject: &Subject, options: &CoverOptions) -> u32 {
    let roots = subject.roots();
    let settings = Settings { k: options.k, cuts: options.cuts, areas: EVEN, levels: u32::MAX };
    let mut mapper = Mapper::new(&subject.net, &roots, settings);
    let given = mapper.cost().levels;
    mapper.round(Goal::Depth);
    mapper.cost().levels.min(given)
}

/// Covers a function, `first` as it was read, then the cover, and so on; returns the best with at most `limit` levels.
/// `budget` is spent by node and round.
fn follow(
    f: &Func,
    first: &Subject,
    settings: Settings,
    limit: u32,
    budget: u64,
    options: &CoverOptions,
    control: &Control,
) -> (Quality, Func) {
    let mut best: Option<(Quality, Func)> = None;
    let mut current = f.clone();
    let (mut area, mut stale, mut spent) = (f32::INFINITY, 0, 0);
    for turn in 0..MAX_COVERS {
        let again;
        let subject = if turn == 0 && first.net.k() == settings.k {
            first
        } else {
            again = Subject::read(&current, settings.k, turn % 2 == 1);
            &again
        };
        spent += (subject.net.node_count() * ROUNDS.len()) as u64;
        if turn > 0 && (spent > budget || control.stopped()) {
            break;
        }
        let cover = cover(subject, settings);
        subject.write(&mut current, &cover);
        current.tidy();
        let quality = quality(&current, options, limit);
        if best.as_ref().is_none_or(|(q, _)| quality < *q) {
            best = Some((quality, current.clone()));
        }
        stale = if cover.cost.area < area { 0 } else { stale + 1 };
        if stale == MAX_STALE {
            break;
        }
        area = area.min(cover.cost.area);
    }
    best.unwrap_or_else(|| (quality(f, options, limit), f.clone()))
}

/// A cover changed for sites, with the pairs in view.
fn annealed(f: &Func, settings: Settings, descending: bool, options: &CoverOptions) -> (Quality, Func) {
    let subject = Subject::read(f, settings.k, descending);
    let roots = subject.roots();
    let start = Mapper::new(&subject.net, &roots, settings).cover();
    let levels = start.cost.levels;
    let mut mapper = Mapper::new(&subject.net, &roots, Settings { cuts: CHOICES, ..settings });
    mapper.round(Goal::Flow);
    let moves = (subject.net.node_count() as u64 * u64::from(options.anneal)).min(MAX_MOVES);
    let free = FREE <= settings.levels / levels.max(1);
    let better = anneal(&subject.net, &start, mapper.choices(), &subject.inverted(), moves, free);
    let mut new = f.clone();
    subject.write(&mut new, &better);
    new.tidy();
    (quality(&new, options, settings.levels), new)
}

/// The best cover chosen exactly: of the function as it was read, then of the best cover, whose LUTs are functions anew.
fn exact(
    f: &Func,
    first: &Subject,
    (mut quality, mut best): (Quality, Func),
    limit: u32,
    options: &CoverOptions,
    control: &Control,
) -> (Quality, Func) {
    let areas = if options.sites { LINEAR } else { EVEN };
    let settings = Settings { k: options.k, cuts: options.cuts, areas, levels: limit };
    let from = |f: &Func, subject: &Subject, start: &Cover| chosen(f, subject, start, settings, options, control);
    if let Some(mapped) = from(f, first, &cover(first, settings)) {
        (quality, best) = std::cmp::min_by_key((quality, best), mapped, |(quality, _)| *quality);
    }
    for _ in 0..if first.net.node_count() <= FEW_NODES { CHOSEN } else { 1 } {
        let again = |&descending: &bool| {
            let subject = Subject::read(&best, options.k, descending);
            let start = Mapper::new(&subject.net, &subject.roots(), settings).cover();
            from(&best, &subject, &start)
        };
        let Some(next) = [false, true].par_iter().filter_map(again).min_by_key(|(quality, _)| *quality) else { break };
        if next.0 >= quality || control.stopped() {
            break;
        }
        (quality, best) = next;
    }
    (quality, best)
}

/// A cover bettered by exact choices; `None` where there is too much to choose from.
fn chosen(
    f: &Func,
    subject: &Subject,
    start: &Cover,
    settings: Settings,
    options: &CoverOptions,
    control: &Control,
) -> Option<(Quality, Func)> {
    let (net, roots, fixed) = (&subject.net, subject.roots(), subject.fixed(options.flips));
    let sets = CutSets::all(net, settings.k, CUTS);
    if sets.count() > MOST_CUTS * net.node_count() {
        return None;
    }
    let inverted = subject.inverted();
    let (mates, levels) = paired(net, start, &inverted);
    let free = FREE <= settings.levels / start.cost.levels.max(1);
    let mates = if options.sites { mates } else { vec![ALONE; net.node_count()] };
    let sites = Sites { cuts: start.cuts.clone(), uses: start.uses.clone(), mates, inverted: inverted.clone() };
    let levels = (!free).then_some(levels.as_slice());
    let chooser =
        Chooser { net, sets: &sets, roots: &roots, pairs: options.sites, fixed: &fixed, inverted: &inverted, levels };
    let work = (net.node_count() as u64 * u64::from(options.exact)).min(MAX_WORK);
    let sites = improve(&chooser, sites, work, control);
    let mut new = f.clone();
    let better = Cover { cuts: sites.cuts, uses: sites.uses, cost: start.cost };
    subject.write_as(&mut new, &better, &sites.inverted);
    new.tidy();
    Some((quality(&new, options, settings.levels), new))
}

/// The best cover of all rounds; never worse than the one the net was read as.
fn cover(subject: &Subject, settings: Settings) -> Cover {
    let roots = subject.roots();
    let mut mapper = Mapper::new(&subject.net, &roots, settings);
    let given = mapper.cover();
    let mut best = given.clone();
    for goal in ROUNDS {
        mapper.round(goal);
        if mapper.cost() < best.cost {
            best = mapper.cover();
        }
    }
    if best.cost == given.cost {
        // Nothing better from scratch: so step by step from what was given.
        let mut mapper = Mapper::new(&subject.net, &roots, settings);
        for goal in [Goal::Exact, Goal::ExactDepth] {
            mapper.round(goal);
            if mapper.cost() < best.cost {
                best = mapper.cover();
            }
        }
    }
    best
}

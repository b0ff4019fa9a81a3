//! What is equal: comparisons without what both sides have in common, the largest of words all shifted by the same, parts of
//! several sums taken once.

use egg::Id;
use smallvec::SmallVec;

use super::super::{Stop, classes};
use super::WordsOptions;
use super::form::{Form, digits};
use super::lang::{Graph, Node, WIDTH};

/// Most words of which each is compared with each.
const WORDS: usize = 64;

/// Most sums of which parts in common are looked for.
const SUMS: usize = 160;

/// Parts in common that a round takes out.
const PARTS: usize = 24;

/// Runs the rules until nothing is new or a cap is reached.
pub fn saturate(graph: &mut Graph, options: &WordsOptions) -> Stop {
    for _ in 0..options.iters {
        if graph.size() >= options.nodes {
            return Stop::Nodes;
        }
        let before = (graph.size(), graph.egg.number_of_classes());
        for rule in [decide, share] {
            rule(graph, options.nodes);
            graph.egg.rebuild();
        }
        if (graph.size(), graph.egg.number_of_classes()) == before {
            return Stop::Saturated;
        }
    }
    Stop::Iters
}

/// Constants, comparisons, choices and the largest of words.
fn decide(graph: &mut Graph, nodes: usize) {
    for id in classes(&graph.egg) {
        if graph.size() >= nodes {
            return;
        }
        let known = graph.known(id);
        if known.min == known.max && known.max >> WIDTH == 0 {
            let number = graph.number(graph.known(id).max);
            graph.egg.union(id, number);
            continue;
        }
        let found: Vec<Node> = graph.egg[id].nodes.iter().filter(|n| !matches!(n, Node::Sum(..))).cloned().collect();
        for node in found {
            match node {
                Node::Gt([a, b]) => compare(graph, id, a, b),
                Node::Argmax(words) => largest(graph, id, &words),
                Node::Mux([s, a, b]) => choose(graph, id, s, a, b),
                Node::Atom(_) | Node::Sum(..) => {}
            }
        }
    }
}

fn unite(graph: &mut Graph, id: Id, node: Node) {
    let new = graph.egg.add(node);
    graph.egg.union(id, new);
}

/// `a > b` by their difference, in which what they have in common is gone: as a comparison of what is left of each, and of
/// one sum with a constant.
fn compare(graph: &mut Graph, id: Id, a: Id, b: Id) {
    let mut d = graph.flat(a).plus(&graph.flat(b), -1);
    let divisor = d.terms.iter().fold(0i128, |g, &(_, w)| gcd(g, w.abs()));
    if divisor > 1 {
        d.terms.iter_mut().for_each(|(_, w)| *w /= divisor);
        // Above 0 where the next number up is.
        d.constant = -(-d.constant).div_euclid(divisor);
    }
    let (low, high) = graph.range(&d);
    if low > 0 || high <= 0 {
        let number = graph.number((low > 0).into());
        graph.egg.union(id, number);
        return;
    }
    let sides = [d.side(1), d.side(-1)];
    if sides.iter().all(|s| graph.range(s).1 >> WIDTH == 0) {
        let sides = sides.map(|s| graph.sum(s, WIDTH));
        unite(graph, id, Node::Gt(sides));
    }
    if (high - low) >> WIDTH == 0 {
        let sum = graph.sum(d.plus(&Form::number(-low), 1), WIDTH);
        let bound = graph.number(-low as u64);
        unite(graph, id, Node::Gt([sum, bound]));
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The largest of words without those that never are it, and of words all shifted by the same.
fn largest(graph: &mut Graph, id: Id, words: &[Id]) {
    let forms: Vec<Form> = words.iter().map(|&w| graph.flat(w)).collect();
    let n = words.len();
    let never = |i: usize| {
        let below = |j: usize| {
            let (_, high) = match n <= WORDS {
                true => graph.range(&forms[i].plus(&forms[j], -1)),
                false => (0, i128::from(graph.known(words[i]).max) - i128::from(graph.known(words[j]).min)),
            };
            // A tie goes to the lower index.
            if j < i { high <= 0 } else { high < 0 }
        };
        (0..n).filter(|&j| j != i).any(below)
    };
    let lost: Vec<bool> = (0..n).map(never).collect();
    let Some(last) = lost.iter().rposition(|l| !l) else { return };
    if lost.iter().filter(|l| !**l).count() == 1 {
        let number = graph.number(last as u64);
        graph.egg.union(id, number);
        return;
    }
    let zero = graph.number(0);
    let left =
        |words: Vec<Id>| -> SmallVec<[Id; 8]> { (0..=last).map(|i| if lost[i] { zero } else { words[i] }).collect() };
    let found = match left(words.to_vec()).as_slice() {
        &[a, b] => Node::Gt([b, a]),
        words => Node::Argmax(words.into()),
    };
    unite(graph, id, found);
    let forms: Vec<Form> = (0..n).filter(|&i| !lost[i]).map(|i| forms[i].clone()).collect();
    // A 0 that stands for a word that never is the largest stays below the others.
    let least = i128::from(lost[..last].contains(&true));
    for common in [Form::default(), common(graph, &forms)] {
        let shifted: Vec<Form> = forms.iter().map(|f| f.plus(&common, -1)).collect();
        let ranges = shifted.iter().map(|f| graph.range(f));
        let Some(low) = ranges.clone().map(|r| r.0 - least).min() else { continue };
        if ranges.clone().any(|(_, high)| (high - low) >> WIDTH != 0) || common.terms.is_empty() && low == 0 {
            continue;
        }
        let mut shifted = shifted.into_iter().map(|f| f.plus(&Form::number(-low), 1));
        let mut words = words.to_vec();
        for i in (0..n).filter(|&i| !lost[i]) {
            words[i] = shifted.next().map_or(words[i], |form| graph.sum(form, WIDTH));
        }
        unite(graph, id, Node::Argmax(left(words)));
    }
}

/// What to take off all forms, so that what is left has the fewest ones and minus ones.
fn common(graph: &Graph, forms: &[Form]) -> Form {
    let mut ids: Vec<Id> = forms.iter().flat_map(|f| f.terms.iter().map(|&(id, _)| id)).collect();
    ids.sort_unstable();
    ids.dedup();
    let term = |id: Id| {
        let weights: Vec<i128> = forms.iter().map(|f| f.weight(id)).collect();
        // What half of them lack is not taken off.
        if 2 * weights.iter().filter(|w| **w == 0).count() >= weights.len() {
            return None;
        }
        let left = |&off: &i128| -> (i64, bool) { (weights.iter().map(|w| count(w - off)).sum(), off != 0) };
        let mut ways = weights.clone();
        ways.push(0);
        ways.sort_unstable();
        ways.dedup();
        ways.into_iter().min_by_key(left).filter(|&off| off != 0).map(|off| (id, off))
    };
    debug_assert!(ids.iter().all(|&id| graph.egg.find(id) == id));
    Form { constant: 0, terms: ids.into_iter().filter_map(term).collect() }
}

/// A choice between words that have something in common: that plus a choice between what is left.
fn choose(graph: &mut Graph, id: Id, s: Id, a: Id, b: Id) {
    let forms = [graph.flat(a), graph.flat(b)];
    let mut common = forms[0].clone();
    common.terms.retain(|&(id, w)| forms[1].weight(id) == w);
    let [a, b] = forms.map(|f| f.plus(&common, -1));
    let mut sum = common.clone();
    if let ([], []) = (a.terms.as_slice(), b.terms.as_slice()) {
        sum.constant += a.constant;
        sum.add(&Form::of(s), b.constant - a.constant);
    } else if !common.terms.is_empty() {
        let low = graph.range(&a).0.min(graph.range(&b).0);
        if [&a, &b].into_iter().any(|f| (graph.range(f).1 - low) >> WIDTH != 0) {
            return;
        }
        let [a, b] = [a, b].map(|f| graph.sum(f.plus(&Form::number(-low), 1), WIDTH));
        let left = graph.egg.add(Node::Mux([s, a, b]));
        sum.constant += low;
        sum.add(&Form::of(left), 1);
    } else {
        return;
    }
    let sum = graph.sum(sum, WIDTH);
    graph.egg.union(id, sum);
}

/// A sum of a class.
struct Sum {
    class: Id,
    form: Form,
    modulus: Option<u8>,
}

/// Parts that several sums have in common, up to a factor, as sums of their own.
fn share(graph: &mut Graph, nodes: usize) {
    let sum = |class: Id, node: &Node| {
        let form = node.form().filter(|f| f.terms.len() > 1)?;
        Some(Sum { class, form, modulus: node.modulus() })
    };
    let mut sums: Vec<Sum> = Vec::new();
    for id in classes(&graph.egg) {
        sums.extend(graph.egg[id].nodes.iter().filter_map(|node| sum(id, node)).take(4));
    }
    sums.truncate(SUMS);
    let mut parts: Vec<Form> = Vec::new();
    for (i, a) in sums.iter().enumerate() {
        sums[i + 1..].iter().filter(|b| b.class != a.class).for_each(|b| common_parts(&a.form, &b.form, &mut parts));
    }
    parts.sort_by(|a, b| a.terms.cmp(&b.terms));
    parts.dedup();
    let mut found: Vec<(i64, Form)> = Vec::new();
    for part in parts {
        let ones = |times: i128| -> i64 {
            part.terms.iter().map(|&(id, w)| count(times * w) * i64::from(graph.width(id))).sum()
        };
        let (low, high) = graph.range(&part);
        let width = i64::from(128 - (high - low).leading_zeros());
        let mut users: Vec<(Id, i128)> = sums.iter().filter_map(|s| Some((s.class, ratio(&s.form, &part)?))).collect();
        users.dedup_by_key(|(class, _)| *class);
        let freed: i64 = users.iter().map(|&(_, times)| ones(times) - count(times) * width).sum();
        if freed > ones(1) && width <= i64::from(WIDTH) {
            found.push((freed - ones(1), part.plus(&Form::number(low), -1)));
        }
    }
    found.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.terms.cmp(&y.terms)));
    for (_, part) in found.into_iter().take(PARTS) {
        let id = graph.sum(part.clone(), WIDTH);
        for sum in &sums {
            if graph.size() >= nodes {
                return;
            }
            let Some(ratio) = ratio(&sum.form, &part).filter(|_| graph.egg.find(sum.class) != graph.egg.find(id))
            else {
                continue;
            };
            let mut rest = sum.form.plus(&part, -ratio);
            rest.add(&Form::of(id), ratio);
            let (whole, _) = graph.sum_of_sums(rest, sum.modulus.unwrap_or(WIDTH));
            graph.egg.union(sum.class, whole);
        }
    }
}

/// Ones and minus ones of a weight.
fn count(weight: i128) -> i64 {
    digits(weight, WIDTH).len() as i64
}

/// The parts of at least two terms whose weights in two forms have one ratio.
fn common_parts(a: &Form, b: &Form, parts: &mut Vec<Form>) {
    let mut by_ratio: Vec<(i128, i128, (Id, i128))> = Vec::new();
    for &(id, w) in &a.terms {
        let v = b.weight(id);
        if v != 0 {
            let g = gcd(w.abs(), v.abs()) * v.signum();
            by_ratio.push((w / g, v / g, (id, g)));
        }
    }
    by_ratio.sort_unstable();
    for run in by_ratio.chunk_by(|x, y| (x.0, x.1) == (y.0, y.1)).filter(|run| run.len() > 1) {
        let mut terms: Vec<(Id, i128)> = run.iter().map(|&(_, _, term)| term).collect();
        // No part is a multiple of another.
        let divisor = terms.iter().fold(0, |g, &(_, w)| gcd(g, w.abs())) * terms[0].1.signum();
        terms.iter_mut().for_each(|(_, w)| *w /= divisor);
        // Of bits, one less than a power of two fill the columns of their number.
        let full = (1usize << (terms.len() + 1).ilog2()) - 1;
        if full > 2 && full < terms.len() && terms.iter().all(|(_, w)| w.abs() == 1) {
            parts.push(Form { constant: 0, terms: terms[..full].to_vec() });
        }
        parts.push(Form { constant: 0, terms });
    }
}

/// How often a form has a part.
fn ratio(form: &Form, part: &Form) -> Option<i128> {
    let &(id, w) = part.terms.first()?;
    let v = form.weight(id);
    let ratio = v / w;
    (ratio != 0 && part.terms.iter().all(|&(id, w)| form.weight(id) == ratio * w)).then_some(ratio)
}

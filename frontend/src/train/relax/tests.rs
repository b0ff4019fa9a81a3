//! Every relaxation against its definition in double precision and against finite differences.
#![allow(clippy::needless_range_loop)] // Indices are those of the formulas.

use super::*;
use crate::rng::Use;
use crate::train::config::Node;

const KINDS: [NodeKind; 9] = [
    NodeKind::Dwn,
    NodeKind::Hybrid,
    NodeKind::Light,
    NodeKind::Difflogic,
    NodeKind::Warp,
    NodeKind::Linear,
    NodeKind::Polynomial,
    NodeKind::Neural,
    NodeKind::Fourier,
];

/// All kinds and squashes, with every fan-in that is not slow to differentiate.
fn cases() -> Vec<(Node, usize)> {
    let mut cases = Vec::new();
    for kind in KINDS {
        for k in if kind == NodeKind::Difflogic { 2..=2 } else { 1..=6 } {
            for squash in [Squash::Sigmoid, Squash::Sinusoid] {
                cases.push((Node { kind, squash, temperature: 0.7, degree: 3, units: 3, ..Node::default() }, k));
            }
        }
    }
    cases
}

fn theta(relaxation: &Relaxation, rng: &mut Stream) -> Vec<f32> {
    let mut theta = vec![0.0; relaxation.parameters()];
    relaxation.first(rng, &mut theta);
    theta
}

fn rows(rng: &mut Stream, k: usize) -> Vec<Row> {
    (0..k).map(|_| std::array::from_fn(|_| 0.05 + 0.9 * rng.unit())).collect()
}

fn gradients(
    relaxation: &Relaxation,
    theta: &[f32],
    x: &[Row],
    g: &Row,
    noise: Option<Noise>,
    lanes: Option<&Row>,
) -> (Vec<f32>, Vec<Row>) {
    let mut scratch = relaxation.scratch();
    let (mut d_theta, mut dx) = (vec![0.0; theta.len()], vec![[0.0; LANES]; x.len()]);
    relaxation.prepare(theta, noise, &mut scratch.z);
    relaxation.backward(&x.iter().collect::<Vec<_>>(), lanes, g, &mut scratch, &mut dx);
    relaxation.finish(theta, noise, &scratch.z, &scratch.dz, &mut d_theta);
    (d_theta, dx)
}

#[test]
fn gradients_are_finite_differences() {
    const H: f64 = 1e-6;
    for (node, k) in cases() {
        for sampling in [Sampling::Soft, Sampling::GumbelSoft] {
            let gumbel = sampling.is_gumbel();
            if gumbel
                && (node.kind == NodeKind::Dwn || node.kind == NodeKind::Fourier || node.squash == Squash::Sinusoid)
            {
                continue;
            }
            let mut rng = Stream::new(11, Use::Init, k);
            let relaxation = Relaxation::new(&Node { sampling, ..node.clone() }, k);
            let (theta, x) = (theta(&relaxation, &mut rng), rows(&mut rng, k));
            let g: Row = std::array::from_fn(|_| rng.unit() - 0.5);
            let noise = (gumbel && !relaxation.noise_by_lane()).then_some(Noise::new(5, 6));
            let lanes: Option<Row> =
                relaxation.noise_by_lane().then(|| std::array::from_fn(|i| Noise::new(7, 8).logistic(i)));
            let (d_theta, dx) = gradients(&relaxation, &theta, &x, &g, noise, lanes.as_ref());
            let of = |i: usize, noise: Noise| match node.kind {
                NodeKind::Difflogic => noise.gumbel(i),
                _ => noise.logistic(i),
            };
            let noisy: Vec<f64> =
                theta.iter().enumerate().map(|(i, &t)| f64::from(t) + noise.map_or(0.0, |n| of(i, n).into())).collect();
            // `Σ g y` with one number and one input of one lane moved.
            let loss = |number: Option<(usize, f64)>, input: Option<(usize, usize, f64)>| -> f64 {
                let mut theta = noisy.clone();
                number.into_iter().for_each(|(i, h)| theta[i] += h);
                let y = |lane: usize| {
                    let mut x: Vec<f64> = x.iter().map(|row| row[lane].into()).collect();
                    input.filter(|input| input.1 == lane).into_iter().for_each(|(j, _, h)| x[j] += h);
                    defined(&node, &theta, &x, lanes.map_or(0.0, |n| n[lane].into()))
                };
                (0..LANES).map(|lane| f64::from(g[lane]) * y(lane)).sum()
            };
            let check = |what: &str, i: usize, found: f32, high: f64, low: f64| {
                let expected = (high - low) / (2.0 * H);
                let error = (f64::from(found) - expected).abs();
                assert!(error < 1e-4, "{node:?} k {k} {what} {i}: {found} is not {expected}");
            };
            for i in 0..theta.len() {
                check("number", i, d_theta[i], loss(Some((i, H)), None), loss(Some((i, -H)), None));
            }
            for j in 0..k {
                for lane in [0, 31, 63] {
                    let at = |h| loss(None, Some((j, lane, h)));
                    check("input", j, dx[j][lane], at(H), at(-H));
                }
            }
        }
    }
}

/// The published definition of each kind, in double precision; `noise` is added to a logit.
fn defined(node: &Node, theta: &[f64], x: &[f64], noise: f64) -> f64 {
    let k = x.len();
    let t = node.temperature;
    let s = |u: f64| 1.0 / (1.0 + (-(u + noise) / t).exp());
    let corner = |a: usize| -> f64 { (0..k).map(|j| if a >> j & 1 == 1 { x[j] } else { 1.0 - x[j] }).product() };
    let extend = |z: &dyn Fn(usize) -> f64| (0..1usize << k).map(|a| z(a) * corner(a)).sum::<f64>();
    match node.kind {
        NodeKind::Dwn => extend(&|a| 0.5 + 0.5 * theta[a]),
        NodeKind::Hybrid | NodeKind::Light if node.squash == Squash::Sigmoid => extend(&|a| s(theta[a])),
        NodeKind::Hybrid | NodeKind::Light => extend(&|a| 0.5 + 0.5 * theta[a].sin()),
        NodeKind::Difflogic => {
            let (a, b) = (x[0], x[1]);
            let all: f64 = theta.iter().map(|u| (u / t).exp()).sum();
            let p: Vec<f64> = theta.iter().map(|u| (u / t).exp() / all).collect();
            let one: f64 = p[8..].iter().sum();
            let ca = p[2] + p[3] + p[6] + p[7] - p[8] - p[9] - p[12] - p[13];
            let cb = p[4] + p[5] + p[6] + p[7] - p[8] - p[9] - p[10] - p[11];
            let cab = p[1] - p[2] - p[4] - 2.0 * p[6] - p[7] + p[8] + 2.0 * p[9] + p[11] + p[13] - p[14];
            one + ca * a + cb * b + cab * a * b
        }
        NodeKind::Warp => {
            let chi = |set: usize| -> f64 { (0..k).filter(|j| set >> j & 1 == 1).map(|j| 2.0 * x[j] - 1.0).product() };
            s((0..1 << k).map(|set| theta[set] * chi(set)).sum())
        }
        NodeKind::Linear => s(theta[k] + (0..k).map(|j| theta[j] * x[j]).sum::<f64>()),
        NodeKind::Polynomial => {
            let monomials = logits::polynomial::monomials(k, node.degree);
            let value = |m: &Vec<u8>| m.iter().zip(x).map(|(&e, x)| x.powi(e.into())).product::<f64>();
            s(monomials.iter().zip(theta).map(|(m, w)| w * value(m)).sum())
        }
        NodeKind::Neural => {
            let (inner, outer) = theta.split_at(node.units * (k + 1));
            let hidden = |w: &[f64]| (w[k] + (0..k).map(|j| w[j] * x[j]).sum::<f64>()).max(0.0);
            let deep: f64 = inner.chunks(k + 1).zip(outer).map(|(w, v)| v * hidden(w)).sum();
            let past = &outer[node.units..];
            s(deep + past[k] + (0..k).map(|j| past[j] * x[j]).sum::<f64>())
        }
        NodeKind::Fourier => {
            let sets = 1 << k;
            let total: f64 = theta[..sets].iter().map(|a| a.abs()).sum::<f64>() + 1e-8;
            let angle = |set: usize| -> f64 { (0..k).filter(|j| set >> j & 1 == 1).map(|j| x[j]).sum::<f64>() };
            let wave = |set: usize| (std::f64::consts::PI * angle(set) + theta[sets + set]).cos();
            (theta[2 * sets] + (0..sets).map(|set| theta[set] / total * wave(set)).sum::<f64>()).clamp(0.0, 1.0)
        }
    }
}

#[test]
fn values_are_those_of_the_definition() {
    for (node, k) in cases() {
        let mut rng = Stream::new(12, Use::Init, k);
        let relaxation = Relaxation::new(&node, k);
        let (theta, x) = (theta(&relaxation, &mut rng), rows(&mut rng, k));
        let mut scratch = relaxation.scratch();
        relaxation.prepare(&theta, None, &mut scratch.z);
        let y = relaxation.forward(&scratch.z, &x.iter().collect::<Vec<_>>(), None, &mut scratch.rows);
        let wide: Vec<f64> = theta.iter().map(|&t| t.into()).collect();
        for i in 0..LANES {
            let x: Vec<f64> = x.iter().map(|row| row[i].into()).collect();
            let expected = defined(&node, &wide, &x, 0.0);
            assert!((f64::from(y[i]) - expected).abs() < 2e-5, "{node:?} k {k}: {} is not {expected}", y[i]);
        }
    }
}

#[test]
fn corners_decide_the_hard_table_and_bits_see_their_slopes() {
    for (node, k) in cases() {
        let node = Node { smoothing: 1.0, ..node };
        let mut rng = Stream::new(13, Use::Init, k);
        let relaxation = Relaxation::new(&node, k);
        let theta = theta(&relaxation, &mut rng);
        let wide: Vec<f64> = theta.iter().map(|&t| t.into()).collect();
        let mut scratch = relaxation.scratch();
        let hard = relaxation.harden(&theta, &mut scratch);
        relaxation.prepare(&theta, None, &mut scratch.z);
        let entries = relaxation.slope_entries();
        let (mut values, mut slopes) = ([0.0; kernel::MAX_ENTRIES], vec![0.0; k * entries]);
        relaxation.values(&mut scratch, &mut values);
        relaxation.slopes(&mut scratch, &mut slopes);
        let d_value: Vec<f32> = (0..1 << k).map(|_| rng.unit() - 0.5).collect();
        relaxation.take_back(&d_value, &mut scratch);
        let mut d_theta = vec![0.0; theta.len()];
        relaxation.finish(&theta, None, &scratch.z, &scratch.dz, &mut d_theta);
        for a in 0..1usize << k {
            let x: Vec<f64> = (0..k).map(|j| (a >> j & 1) as f64).collect();
            let p = defined(&node, &wide, &x, 0.0);
            assert!((f64::from(values[a]) - p).abs() < 2e-5, "{node:?} k {k} corner {a}");
            assert!((p - 0.5).abs() < 2e-5 || (hard[a / 64] >> (a % 64) & 1 == 1) == (p > 0.5), "{node:?} corner {a}");
            // Every kind is smooth at its corners but for the clamp of the cosines.
            if node.kind == NodeKind::Fourier {
                continue;
            }
            for j in 0..k {
                let at = |h: f64| {
                    let mut x = x.clone();
                    x[j] += h;
                    defined(&node, &wide, &x, 0.0)
                };
                let expected = (at(1e-4) - at(-1e-4)) / 2e-4;
                let found = f64::from(slopes[j * entries + usize::from(relaxation.slope_at(&[a as u8; LANES], j)[0])]);
                assert!(
                    (found - expected).abs() < 2e-3 * (1.0 + expected.abs()),
                    "{node:?} k {k} corner {a} input {j}"
                );
            }
        }
        if node.kind == NodeKind::Fourier {
            continue;
        }
        for (i, found) in d_theta.iter().enumerate() {
            let at = |h: f64| -> f64 {
                let mut theta = wide.clone();
                theta[i] += h;
                let x = |a: usize| (0..k).map(|j| (a >> j & 1) as f64).collect::<Vec<_>>();
                d_value.iter().enumerate().map(|(a, d)| f64::from(*d) * defined(&node, &theta, &x(a), 0.0)).sum()
            };
            let expected = (at(1e-4) - at(-1e-4)) / 2e-4;
            assert!(
                (f64::from(*found) - expected).abs() < 1e-3,
                "{node:?} k {k} number {i}: {found} is not {expected}"
            );
        }
    }
}

/// A node that is all residual computes its first input.
#[test]
fn residual_nodes_pass_their_first_input() {
    for kind in KINDS {
        for k in if kind == NodeKind::Difflogic { 2..=2 } else { 1..=8 } {
            if kind == NodeKind::Fourier && k > 6 {
                continue;
            }
            let node = Node { kind, residual: 1.0, ..Node::default() };
            let relaxation = Relaxation::new(&node, k);
            let theta = theta(&relaxation, &mut Stream::new(14, Use::Init, k));
            let hard = relaxation.harden(&theta, &mut relaxation.scratch());
            for a in 0..1usize << k {
                assert_eq!(hard[a / 64] >> (a % 64) & 1, a as u64 & 1, "{kind:?} k {k} address {a}");
            }
        }
    }
}

/// Gate `i` has the truth table `i`, inputs 00, 01, 10, 11 from the highest bit on (difflogic's numbering).
#[test]
fn gates_are_numbered_as_published() {
    type Gate = fn(bool, bool) -> bool;
    let tables: [(usize, Gate); 6] =
        [(1, |a, b| a & b), (3, |a, _| a), (5, |_, b| b), (6, |a, b| a ^ b), (7, |a, b| a | b), (11, |a, b| a | !b)];
    for (gate, f) in tables {
        for address in 0..4 {
            assert_eq!(gates::entry(gate, address), f(address & 1 == 1, address & 2 == 2), "gate {gate}");
            assert_eq!(gates::entry(15 - gate, address), !gates::entry(gate, address));
        }
    }
}

#[test]
fn polynomials_have_as_many_terms_as_published() {
    assert_eq!(logits::polynomial::monomials(6, 3).len(), 84);
    let mut all = logits::polynomial::monomials(3, 4);
    assert!(all.iter().all(|m| m.iter().sum::<u8>() <= 4));
    let n = all.len();
    all.sort();
    all.dedup();
    assert_eq!((n, all.len()), (35, 35));
}

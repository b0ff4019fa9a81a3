//! What a node computes while it is trained: a differentiable function of its inputs, in 64 lanes at a time.
//!
//! Every relaxation maps trained numbers `theta` and inputs in `[0, 1]` to the probability of a one. It is evaluated in
//! four steps, so that what the lanes share is computed once: [`Relaxation::prepare`] turns `theta` into `z`,
//! [`Relaxation::forward`] is a function of `z` and the inputs, [`Relaxation::backward`] its gradient, and
//! [`Relaxation::finish`] takes the gradient of `z` back to `theta`.
//!
//! Freezing is the same for all of them: the probability at each of the `2^k` corners, thresholded ([`Relaxation::harden`]).
//! And where the inputs are bits, the corners say everything: a node is then its table of values and of slopes
//! ([`Relaxation::values`], [`Relaxation::slopes`]), whatever its kind, and one kernel serves them all.

pub mod gates;
pub mod logits;
pub mod multilinear;
pub mod plain;
#[cfg(test)]
mod tests;

use super::config::{Node, NodeKind, Sampling, Squash};
use super::kernel::{self, At, Entries, LANES, Row};
use super::math::{cos, sigmoid, sin};
use super::simd::Portable;
use crate::rng::{Noise, Stream};

/// A node's function.
#[derive(Clone, Debug)]
pub struct Relaxation {
    kind: NodeKind,
    squash: Squash,
    k: usize,
    temperature: f32,
    gumbel: bool,
    smoothing: f32,
    residual: f32,
    units: usize,
    monomials: Vec<Vec<u8>>,
}

/// Room for one node's evaluation, reused from node to node.
pub struct Scratch {
    /// What the lanes share.
    pub z: Vec<f32>,
    /// Its gradient.
    pub dz: Vec<f32>,
    /// Trees of interpolations.
    pub rows: Vec<Row>,
}

impl Relaxation {
    /// The relaxation that a configuration asks for, of `k` inputs.
    pub fn new(node: &Node, k: usize) -> Self {
        let monomials = match node.kind {
            NodeKind::Polynomial => logits::polynomial::monomials(k, node.degree),
            _ => Vec::new(),
        };
        Self {
            kind: node.kind,
            squash: node.squash,
            k,
            temperature: node.temperature as f32,
            gumbel: node.sampling.is_gumbel(),
            smoothing: node.smoothing as f32,
            residual: node.residual as f32,
            units: node.units,
            monomials,
        }
    }

    /// Inputs.
    pub fn fan_in(&self) -> usize {
        self.k
    }

    /// Numbers trained for one node.
    pub fn parameters(&self) -> usize {
        let k = self.k;
        match self.kind {
            NodeKind::Dwn | NodeKind::Hybrid | NodeKind::Light | NodeKind::Warp => 1 << k,
            NodeKind::Difflogic => gates::GATES,
            NodeKind::Linear => k + 1,
            NodeKind::Polynomial => self.monomials.len(),
            NodeKind::Neural => self.units * (k + 2) + k + 1,
            NodeKind::Fourier => (2 << k) + 1,
        }
    }

    /// Bounds that the optimiser keeps the numbers in.
    pub fn bounds(&self) -> [f32; 2] {
        match self.kind {
            NodeKind::Dwn => [-1.0, 1.0],
            _ => [f32::NEG_INFINITY, f32::INFINITY],
        }
    }

    /// Whether `z` is a table of probabilities, of which the function is the multilinear extension.
    pub fn is_table(&self) -> bool {
        matches!(self.kind, NodeKind::Dwn | NodeKind::Hybrid | NodeKind::Light | NodeKind::Difflogic)
    }

    /// Whether each trained number is an entry of the table, but for the squashing.
    pub fn trains_entries(&self) -> bool {
        self.is_table() && self.kind != NodeKind::Difflogic
    }

    /// Whether noise is drawn for each sample, not for each number.
    pub fn noise_by_lane(&self) -> bool {
        self.gumbel && !self.is_table()
    }

    /// Room for one node.
    pub fn scratch(&self) -> Scratch {
        Scratch { rows: vec![[0.0; LANES]; multilinear::tree(self.k)], ..self.corner_scratch() }
    }

    /// Room for one node of which only the corners are asked for.
    pub fn corner_scratch(&self) -> Scratch {
        let z = match self.kind {
            NodeKind::Difflogic => 4,
            _ => self.parameters(),
        };
        let tree = if self.kind == NodeKind::Warp { multilinear::tree(self.k) } else { 0 };
        Scratch { z: vec![0.0; z], dz: vec![0.0; z], rows: vec![[0.0; LANES]; tree] }
    }

    /// First numbers of one node: noise, mixed by the configured share with the function that passes input 0 through.
    pub fn first(&self, rng: &mut Stream, theta: &mut [f32]) {
        let k = self.k;
        let r = self.residual;
        let mut fill =
            |scale: f32, theta: &mut [f32]| theta.iter_mut().for_each(|t| *t = scale * (1.0 - r) * rng.normal());
        let pass = |a: usize| if a & 1 == 1 { r } else { -r };
        match self.kind {
            NodeKind::Dwn => {
                for (a, t) in theta.iter_mut().enumerate() {
                    *t = pass(a) + (1.0 - r) * (2.0 * rng.unit() - 1.0);
                }
            }
            NodeKind::Light | NodeKind::Hybrid => {
                let spread = if self.kind == NodeKind::Light { 1.0 } else { 0.1 };
                fill(spread, theta);
                let clear = if self.squash == Squash::Sinusoid { 1.2 } else { 3.0 };
                theta.iter_mut().enumerate().for_each(|(a, t)| *t += clear * pass(a));
            }
            NodeKind::Difflogic => {
                fill(1.0, theta);
                theta[3] += 5.0 * r;
            }
            NodeKind::Warp => {
                fill(0.1, theta);
                theta[1] += 3.0 * r;
            }
            NodeKind::Linear | NodeKind::Polynomial => {
                fill(0.1, theta);
                let (bias, first) = if self.kind == NodeKind::Linear { (k, 0) } else { (0, 1) };
                theta[bias] -= 5.0 * r;
                theta[first] += 10.0 * r;
            }
            NodeKind::Neural => {
                fill((2.0 / k as f32).sqrt(), theta);
                let past = self.units * (k + 2);
                theta[past] += 10.0 * r;
                theta[past + k] -= 5.0 * r;
            }
            NodeKind::Fourier => {
                let sets = 1 << k;
                theta[..sets].iter_mut().for_each(|t| *t = 0.1 * (1.0 - r) * rng.unit());
                theta[sets..2 * sets].iter_mut().for_each(|t| *t = std::f32::consts::PI * (2.0 * rng.unit() - 1.0));
                theta[2 * sets] = 0.5;
                // cos(π x_0 + π) falls from 1 to... rises from -1 at 0 to 1 at 1.
                if r > 0.0 {
                    theta[1] += r;
                    theta[sets + 1] = std::f32::consts::PI * (1.0 - r) + std::f32::consts::PI * r;
                }
            }
        }
    }

    /// What the lanes share. `noise` is this step's for the node, where numbers are noisy.
    #[inline(always)]
    pub fn prepare(&self, theta: &[f32], noise: Option<Noise>, z: &mut [f32]) {
        let t = self.temperature;
        match self.kind {
            NodeKind::Dwn => z.iter_mut().zip(theta).for_each(|(z, l)| *z = 0.5 + 0.5 * l),
            NodeKind::Hybrid | NodeKind::Light => match (self.squash, noise) {
                (Squash::Sigmoid, None) => z.iter_mut().zip(theta).for_each(|(z, l)| *z = sigmoid(l / t)),
                (Squash::Sigmoid, Some(noise)) => {
                    for (i, (z, l)) in z.iter_mut().zip(theta).enumerate() {
                        *z = sigmoid((l + noise.logistic(i)) / t);
                    }
                }
                (Squash::Sinusoid, _) => z.iter_mut().zip(theta).for_each(|(z, l)| *z = 0.5 + 0.5 * sin(*l)),
            },
            NodeKind::Difflogic => z.copy_from_slice(&self.gates(theta, noise).1),
            NodeKind::Warp => {
                z.copy_from_slice(theta);
                walsh(z);
            }
            _ => z.copy_from_slice(theta),
        }
    }

    #[inline(always)]
    fn gates(&self, theta: &[f32], noise: Option<Noise>) -> ([f32; gates::GATES], [f32; 4]) {
        let mut noisy = [0.0; gates::GATES];
        noisy.copy_from_slice(theta);
        if let Some(noise) = noise {
            noisy.iter_mut().enumerate().for_each(|(i, t)| *t += noise.gumbel(i));
        }
        gates::mix(&noisy, self.temperature)
    }

    /// Probability of a one in each lane. `noise` is added to logits where noise is drawn for each sample. `rows` holds
    /// afterwards what [`Self::backward`] needs of the tree.
    #[inline(always)]
    pub fn forward(&self, z: &[f32], x: &[&Row], noise: Option<&Row>, rows: &mut [Row]) -> Row {
        let mut u = match self.kind {
            NodeKind::Dwn | NodeKind::Hybrid | NodeKind::Light | NodeKind::Difflogic => {
                return multilinear::forward(z, x, rows);
            }
            NodeKind::Warp => multilinear::forward(z, x, rows),
            NodeKind::Linear => logits::affine::forward(z, x),
            NodeKind::Polynomial => logits::polynomial::forward(&self.monomials, z, x),
            NodeKind::Neural => logits::neural::forward(self.units, z, x),
            NodeKind::Fourier => {
                let mut y = logits::fourier::forward(z, x);
                y.iter_mut().for_each(|y| *y = y.clamp(0.0, 1.0));
                return y;
            }
        };
        if let Some(noise) = noise {
            u.iter_mut().zip(noise).for_each(|(u, n)| *u += n);
        }
        u.iter_mut().for_each(|u| *u = sigmoid(*u / self.temperature));
        u
    }

    /// Adds to `dz` and sets `dx`, given the gradient `g` of the probabilities. Runs [`Self::forward`] itself.
    #[inline(always)]
    pub fn backward(&self, x: &[&Row], noise: Option<&Row>, g: &Row, scratch: &mut Scratch, dx: &mut [Row]) {
        let Scratch { z, dz, rows } = scratch;
        let y = self.forward(z, x, noise, rows);
        if self.is_table() {
            return multilinear::backward(z, x, g, rows, dz, dx);
        }
        let mut du = *g;
        if self.kind == NodeKind::Fourier {
            let inside = |y: f32| if y > 0.0 && y < 1.0 { 1.0 } else { 0.0 };
            du.iter_mut().zip(y).for_each(|(du, y)| *du *= inside(y));
        } else {
            du.iter_mut().zip(y).for_each(|(du, y)| *du *= y * (1.0 - y) / self.temperature);
        }
        if self.kind == NodeKind::Warp {
            return multilinear::backward(z, x, &du, rows, dz, dx);
        }
        dx.fill([0.0; LANES]);
        match self.kind {
            NodeKind::Linear => logits::affine::backward(z, x, &du, dz, dx),
            NodeKind::Polynomial => logits::polynomial::backward(&self.monomials, z, x, &du, dz, dx),
            NodeKind::Neural => logits::neural::backward(self.units, z, x, &du, dz, dx),
            _ => logits::fourier::backward(z, x, &du, dz, dx),
        }
    }

    /// Adds to `d_theta`, given the gradient of `z` and the noise that `z` was made with.
    #[inline(always)]
    pub fn finish(&self, theta: &[f32], noise: Option<Noise>, z: &[f32], dz: &[f32], d_theta: &mut [f32]) {
        let t = self.temperature;
        match self.kind {
            NodeKind::Dwn => d_theta.iter_mut().zip(dz).for_each(|(d, g)| *d += 0.5 * g),
            NodeKind::Hybrid | NodeKind::Light => match self.squash {
                Squash::Sigmoid => {
                    for ((d, g), z) in d_theta.iter_mut().zip(dz).zip(z) {
                        *d += g * z * (1.0 - z) / t;
                    }
                }
                Squash::Sinusoid => {
                    for ((d, g), theta) in d_theta.iter_mut().zip(dz).zip(theta) {
                        *d += 0.5 * g * cos(*theta);
                    }
                }
            },
            NodeKind::Difflogic => gates::backward(&self.gates(theta, noise), t, dz, d_theta),
            NodeKind::Warp => {
                // The transform is symmetric: its own adjoint, up to the sign convention of each axis.
                let mut d = [0.0; kernel::MAX_ENTRIES];
                let d = &mut d[..dz.len()];
                d.copy_from_slice(dz);
                walsh_adjoint(d);
                d_theta.iter_mut().zip(d).for_each(|(d, g)| *d += *g);
            }
            _ => d_theta.iter_mut().zip(dz).for_each(|(d, g)| *d += g),
        }
    }

    /// Values at the corners; `scratch.z` holds the prepared node.
    #[inline(always)]
    pub fn values(&self, scratch: &mut Scratch, out: &mut Entries) {
        let Scratch { z, rows, .. } = scratch;
        if self.is_table() {
            return out[..z.len()].copy_from_slice(z);
        }
        for (first, value) in (0..1 << self.k).step_by(LANES).zip(out.chunks_mut(LANES)) {
            let x = corner_inputs(first, self.k);
            value.copy_from_slice(&self.forward(z, &x.each_ref()[..self.k], None, rows));
        }
    }

    /// Entries of a table of slopes along an input: one for each address without the input's bit, on which the slope of a
    /// multilinear function does not depend; of other functions one for each address.
    pub fn slope_entries(&self) -> usize {
        if self.is_table() { 1 << self.k >> 1 } else { 1 << self.k }
    }

    /// The addresses of [`Self::slope_entries`] along input `j`.
    #[inline(always)]
    pub fn slope_at(&self, at: &At, j: usize) -> At {
        if self.is_table() { kernel::without(at, j) } else { *at }
    }

    /// Slopes at the corners, `[k, slope_entries]`; `scratch.z` holds the prepared node. Tables have theirs at the shrunk
    /// point that `smoothing` says.
    #[inline(always)]
    pub fn slopes(&self, scratch: &mut Scratch, out: &mut [f32]) {
        let (k, entries) = (self.k, 1 << self.k);
        if self.is_table() {
            return kernel::slopes(&scratch.z, self.smoothing, out);
        }
        for first in (0..entries).step_by(LANES) {
            let x = corner_inputs(first, k);
            let mut dx = [[0.0; LANES]; kernel::MAX_FAN_IN];
            self.backward(&x.each_ref()[..k], None, &[1.0; LANES], scratch, &mut dx[..k]);
            for (slopes, dx) in out.chunks_exact_mut(entries).zip(&dx) {
                slopes[first..].iter_mut().zip(dx).for_each(|(slope, dx)| *slope = *dx);
            }
        }
    }

    /// Takes the gradient of the corners' values to `scratch.dz`.
    #[inline(always)]
    pub fn take_back(&self, d_value: &[f32], scratch: &mut Scratch) {
        scratch.dz.fill(0.0);
        if self.is_table() {
            scratch.dz.copy_from_slice(d_value);
            return;
        }
        for (i, d) in d_value.chunks(LANES).enumerate() {
            let x = corner_inputs(i * LANES, self.k);
            let mut g = [0.0; LANES];
            g[..d.len()].copy_from_slice(d);
            let mut dx = [[0.0; LANES]; kernel::MAX_FAN_IN];
            self.backward(&x.each_ref()[..self.k], None, &g, scratch, &mut dx[..self.k]);
        }
    }

    /// From which probability on a node is a one: above one half for tables of DWN (whose entries must exceed 0), from one half
    /// on for the others.
    pub fn least(&self) -> f32 {
        if self.kind == NodeKind::Dwn { 0.5f32.next_up() } else { 0.5 }
    }

    /// From which on the numbers themselves say so, where they do.
    pub fn least_number(&self) -> Option<f32> {
        match (self.kind, self.squash) {
            (NodeKind::Dwn, _) => Some(kernel::ABOVE_ZERO),
            (NodeKind::Hybrid | NodeKind::Light, Squash::Sigmoid) => Some(0.0),
            _ => None,
        }
    }

    /// Whether the gradient of the numbers depends on what [`Self::prepare`] makes of them.
    pub fn gradient_needs_z(&self) -> bool {
        self.kind != NodeKind::Dwn
    }

    /// Whether the forward value in soft sampling is the table's entry at the hard address.
    pub fn reads_entry(&self) -> bool {
        self.kind == NodeKind::Hybrid
    }

    /// The hard table: bit `a` says whether the noiseless node is a one at corner `a`.
    pub fn harden(&self, theta: &[f32], scratch: &mut Scratch) -> kernel::Hard {
        if let Some(least) = self.least_number() {
            return kernel::harden::<Portable>(theta, least);
        }
        self.prepare(theta, None, &mut scratch.z);
        let mut values = [0.0; kernel::MAX_ENTRIES];
        self.values(scratch, &mut values);
        kernel::harden::<Portable>(&values[..1 << self.k], self.least())
    }
}

impl Sampling {
    /// Whether noise is added.
    pub fn is_gumbel(self) -> bool {
        matches!(self, Self::GumbelSoft | Self::GumbelHard)
    }

    /// Whether nodes give bits.
    pub fn is_hard(self) -> bool {
        matches!(self, Self::Hard | Self::GumbelHard)
    }
}

/// Inputs at the corners from `first` on, one a lane.
fn corner_inputs(first: usize, k: usize) -> [Row; kernel::MAX_FAN_IN] {
    std::array::from_fn(|j| std::array::from_fn(|i| if j < k { ((first + i) >> j & 1) as f32 } else { 0.0 }))
}

/// Values at the corners of `Σ_S c_S Π_{j in S} (2 x_j - 1)`, in place of the coefficients.
fn walsh(z: &mut [f32]) {
    let mut stride = 1;
    while stride < z.len() {
        for pair in z.chunks_exact_mut(2 * stride) {
            let (low, high) = pair.split_at_mut(stride);
            low.iter_mut().zip(high).for_each(|(a, b)| (*a, *b) = (*a - *b, *a + *b));
        }
        stride *= 2;
    }
}

/// The transpose of [`walsh`].
fn walsh_adjoint(z: &mut [f32]) {
    let mut stride = 1;
    while stride < z.len() {
        for pair in z.chunks_exact_mut(2 * stride) {
            let (low, high) = pair.split_at_mut(stride);
            low.iter_mut().zip(high).for_each(|(a, b)| (*a, *b) = (*a + *b, *b - *a));
        }
        stride *= 2;
    }
}

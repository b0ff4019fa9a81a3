//! The work on a chunk of nodes where inputs are real numbers: each lane evaluates the relaxation by itself.

use super::chunk::{Backward, Forward, Shape};
use super::kernel::{LANES, MAX_FAN_IN, Row};
use super::math::{dot, sum};
use super::simd::{Kernel, Lanes, fetch};

impl Shape<'_> {
    /// Noise of a node's samples in a word.
    #[inline(always)]
    fn lane_noise(&self, node: usize, word: usize) -> Option<Row> {
        let noise = self.noise.filter(|_| self.relaxation.noise_by_lane())?.of(node).of(word);
        Some(std::array::from_fn(|i| noise.logistic(i)))
    }
}

/// The row past the last.
pub static NOTHING: Row = [0.0; LANES];

/// Nodes before its turn memory is asked for the inputs of one.
const AHEAD: usize = 3;

/// A row in a word; the row past the last is zeros.
#[inline(always)]
fn at(x: &[Row], words: usize, row: u32, word: usize) -> &Row {
    x.get(row as usize * words + word).unwrap_or(&NOTHING)
}

/// The inputs of a node in a word.
#[inline(always)]
fn read<'a>(x: &'a [Row], words: usize, chosen: &[u32], word: usize) -> [&'a Row; MAX_FAN_IN] {
    let mut inputs = [&NOTHING; MAX_FAN_IN];
    inputs.iter_mut().zip(chosen).for_each(|(input, &row)| *input = at(x, words, row, word));
    inputs
}

/// Asks for the inputs of a later node.
#[inline(always)]
fn ahead(x: &[Row], words: usize, chosen: &[u32], node: usize, k: usize) {
    for &row in chosen.get((node + AHEAD) * k..).unwrap_or_default().iter().take(k) {
        fetch(x.get(row as usize * words..).unwrap_or_default().get(..words).unwrap_or_default().as_flattened());
    }
}

impl Kernel for Forward<'_, Row, Row> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Shape { relaxation, words, share, per_group, hard, .. } = self.shape;
        let (k, n, least) = (relaxation.fan_in(), relaxation.parameters(), relaxation.least());
        let mut scratch = relaxation.scratch();
        for (table, theta) in self.theta.chunks_exact(n).enumerate() {
            relaxation.prepare(theta, self.shape.table_noise(self.first + table), &mut scratch.z);
            for node in table * share..(table + 1) * share {
                ahead(self.x, words, self.chosen, node, k);
                for word in 0..words {
                    let x = read(self.x, words, &self.chosen[node * k..][..k], word);
                    let p = if relaxation.reads_entry() {
                        let address = |i: usize| (0..k).fold(0, |a, j| a | usize::from(x[j][i] >= 0.5) << j);
                        std::array::from_fn(|i| scratch.z[address(i)])
                    } else {
                        let noise = self.shape.lane_noise(self.first * share + node, word);
                        relaxation.forward(&scratch.z, &x[..k], noise.as_ref(), &mut scratch.rows)
                    };
                    let y = &mut self.y[node / per_group * words + word];
                    match hard {
                        true => y.iter_mut().zip(p).for_each(|(y, p)| *y += f32::from(u8::from(p >= least))),
                        false => y.iter_mut().zip(p).for_each(|(y, p)| *y += p),
                    }
                }
            }
        }
    }
}

impl Kernel for Backward<'_, Row> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Shape { relaxation, words, share, per_group, candidates: c, .. } = self.shape;
        let (k, n) = (relaxation.fan_in(), relaxation.parameters());
        self.d_theta.fill(0.0);
        self.d_scores.fill(0.0);
        let (mut scratch, mut dx) = (relaxation.scratch(), [[0.0; LANES]; MAX_FAN_IN]);
        for (table, (theta, d_theta)) in self.theta.chunks_exact(n).zip(self.d_theta.chunks_exact_mut(n)).enumerate() {
            let noise = self.shape.table_noise(self.first + table);
            relaxation.prepare(theta, noise, &mut scratch.z);
            scratch.dz.fill(0.0);
            for node in table * share..(table + 1) * share {
                ahead(self.x, words, self.chosen, node, k);
                for word in 0..words {
                    let grad = &self.grad[(self.first * share + node) / per_group * words + word];
                    let x = read(self.x, words, &self.chosen[node * k..][..k], word);
                    let lanes = self.shape.lane_noise(self.first * share + node, word);
                    relaxation.backward(&x[..k], lanes.as_ref(), grad, &mut scratch, &mut dx[..k]);
                    for (j, dx) in dx[..k].iter().enumerate() {
                        let slot = node * k + j;
                        if !self.trace.slots.is_empty() {
                            self.trace.slots[slot * words + word] = *dx;
                        }
                        if !self.d_scores.is_empty() {
                            let all = sum(dx);
                            let candidates = self.index[slot * c..].iter().zip(&mut self.d_scores[slot * c..][..c]);
                            for (&row, d) in candidates {
                                *d += 2.0 * dot(at(self.x, words, row, word), dx) - all;
                            }
                        }
                    }
                }
            }
            self.shape.penalty.add(relaxation, &scratch.z, &mut scratch.dz);
            relaxation.finish(theta, noise, &scratch.z, &scratch.dz, d_theta);
        }
    }
}

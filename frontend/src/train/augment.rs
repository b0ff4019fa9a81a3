//! How images and bits are varied while training.

use super::config::Augment;
use crate::rng::Stream;

/// A number of an image.
pub trait Pixel: Copy + Default + PartialOrd + Send + Sync {
    /// As a real number.
    fn real(self) -> f32;
    /// The nearest pixel.
    fn near(x: f32) -> Self;
}

impl Pixel for u8 {
    fn real(self) -> f32 {
        self.into()
    }
    fn near(x: f32) -> Self {
        (x + 0.5) as u8
    }
}

impl Pixel for f32 {
    fn real(self) -> f32 {
        self
    }
    fn near(x: f32) -> Self {
        x
    }
}

/// Where the pixels of a varied image come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variation {
    /// Rows of the image.
    pub rows: usize,
    /// Columns of the image.
    pub columns: usize,
    /// The sample at `(r, c)` comes from `(r + down, c + right)`.
    pub down: isize,
    /// See `down`.
    pub right: isize,
    /// Whether columns are reversed first.
    pub mirror: bool,
    /// Whether what lies outside is the image reflected at its edge, and not zeros.
    pub reflect: bool,
    /// Instead of `down` and `right`: row and column of the source as affine functions of those of the target, both
    /// counted from the middle, `[rr, rc, r0, cr, cc, c0]`; bilinear between pixels.
    pub affine: Option<[f32; 6]>,
    /// With `affine`: how much further down and right sources lie at the knots of a grid over the image, bilinear between
    /// them (elastic deformation, as Ronneberger et al., 2015, draw it).
    pub bend: Option<[[f32; 2]; KNOTS * KNOTS]>,
}

/// Knots of a bent image along each axis.
const KNOTS: usize = 5;

impl Variation {
    /// Whether a configuration varies images at all.
    pub fn wanted(config: &Augment) -> bool {
        config.shift > 0 || config.mirror || config.affine > 0.0 || config.elastic > 0.0
    }

    /// Draws a variation of images of `rows` by `columns`.
    ///
    /// At strength 1, `affine` turns by up to 0.17 radians, scales by up to 10 %, changes the aspect by up to 7 %, shears by
    /// up to 0.15 and shifts by up to 1.3 pixels. `elastic` moves each knot by up to so many pixels along each axis.
    pub fn draw(config: &Augment, rows: usize, columns: usize, rng: &mut Stream) -> Self {
        let most = config.shift;
        let mut offset = || rng.below(2 * most + 1) as isize - most as isize;
        let (down, right) = (offset(), offset());
        let mirror = config.mirror && rng.below(2) == 1;
        let affine = (config.affine > 0.0 || config.elastic > 0.0).then(|| {
            let strength = config.affine as f32;
            let mut within = |most: f32| strength * most * (2.0 * rng.unit() - 1.0);
            let (turn, scale, aspect, shear) = (within(0.17), within(0.1), within(0.07), within(0.15));
            let (r0, c0) = (within(1.3) + down as f32, within(1.3) + right as f32);
            let (sin, cos) = turn.sin_cos();
            let (r, c) = (1.0 / ((1.0 + scale) * (1.0 + aspect)), (1.0 + aspect) / (1.0 + scale));
            [cos * r, -sin * c, r0, (sin + shear) * r, cos * c, c0]
        });
        let bend = (config.elastic > 0.0).then(|| {
            let mut within = || config.elastic as f32 * (2.0 * rng.unit() - 1.0);
            std::array::from_fn(|_| [within(), within()])
        });
        Self { rows, columns, down, right, mirror, reflect: config.reflect, affine, bend }
    }

    /// How much further down and right the source of pixel `(r, c)` lies.
    fn bent(&self, r: usize, c: usize) -> [f32; 2] {
        let Some(knots) = &self.bend else { return [0.0; 2] };
        let along = |i: usize, n: usize| -> (usize, f32) {
            let at = i as f32 * (KNOTS - 1) as f32 / n.saturating_sub(1).max(1) as f32;
            let low = (at as usize).min(KNOTS - 2);
            (low, at - low as f32)
        };
        let ((i, y), (j, x)) = (along(r, self.rows), along(c, self.columns));
        std::array::from_fn(|axis| {
            let knot = |a: usize, b: usize| knots[(i + a) * KNOTS + j + b][axis];
            (1.0 - y) * ((1.0 - x) * knot(0, 0) + x * knot(0, 1)) + y * ((1.0 - x) * knot(1, 0) + x * knot(1, 1))
        })
    }

    /// Where outside falls, or nowhere.
    fn place(&self, r: isize, c: isize) -> Option<usize> {
        let fold = |i: isize, n: usize| -> Option<usize> {
            let n = n as isize;
            match i {
                i if (0..n).contains(&i) => Some(i as usize),
                _ if !self.reflect || n < 2 => None,
                i => {
                    let i = i.rem_euclid(2 * n - 2);
                    Some(if i < n { i } else { 2 * n - 2 - i } as usize)
                }
            }
        };
        let c = if self.mirror { self.columns as isize - 1 - c } else { c };
        Some(fold(r, self.rows)? * self.columns + fold(c, self.columns)?)
    }

    /// Writes every channel of `image`, varied, to `out`.
    pub fn apply<T: Pixel>(&self, image: &[T], out: &mut [T]) {
        let plane = self.rows * self.columns;
        let (mr, mc) = ((self.rows - 1) as f32 / 2.0, (self.columns - 1) as f32 / 2.0);
        for r in 0..self.rows {
            for c in 0..self.columns {
                let to = r * self.columns + c;
                let Some([rr, rc, r0, cr, cc, c0]) = self.affine else {
                    let from = self.place(r as isize + self.down, c as isize + self.right);
                    for (image, out) in image.chunks_exact(plane).zip(out.chunks_exact_mut(plane)) {
                        out[to] = from.map_or(T::default(), |from| image[from]);
                    }
                    continue;
                };
                let (y, x) = (r as f32 - mr, c as f32 - mc);
                let [down, right] = self.bent(r, c);
                let (y, x) = (rr * y + rc * x + r0 + mr + down, cr * y + cc * x + c0 + mc + right);
                let (low_y, low_x) = (y.floor(), x.floor());
                let (fy, fx) = (y - low_y, x - low_x);
                let (iy, ix) = (low_y as isize, low_x as isize);
                let corners = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(a, b)| self.place(iy + a, ix + b));
                let weights = [(1.0 - fy) * (1.0 - fx), (1.0 - fy) * fx, fy * (1.0 - fx), fy * fx];
                for (image, out) in image.chunks_exact(plane).zip(out.chunks_exact_mut(plane)) {
                    let part = |(at, w): (&Option<usize>, f32)| at.map_or(0.0, |at| w * image[at].real());
                    out[to] = T::near(corners.iter().zip(weights).map(part).sum());
                }
            }
        }
    }
}

/// Flips each of the bits `[rows, words]` with probability `rate`, below one half.
pub fn flip_bits(bits: &mut [u64], rate: f64, rng: &mut Stream) {
    if rate <= 0.0 {
        return;
    }
    // Gaps between flips are geometric.
    let scale = 1.0 / (1.0 - rate).ln();
    let mut at = 0.0;
    loop {
        at += (f64::from(1.0 - rng.unit()).ln() * scale).floor();
        let (word, bit) = ((at / 64.0) as usize, (at % 64.0) as u32);
        let Some(word) = bits.get_mut(word) else { return };
        *word ^= 1 << bit;
        at += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Use;

    const STILL: Variation =
        Variation { rows: 3, columns: 4, down: 0, right: 0, mirror: false, reflect: false, affine: None, bend: None };

    fn varied(v: &Variation) -> Vec<u8> {
        let image: Vec<u8> = (1..=24).collect(); // two channels of 3 by 4
        let mut out = vec![99; 24];
        v.apply(&image, &mut out);
        out
    }

    #[test]
    fn shifts_move_every_channel_and_fill_with_zeros() {
        for (down, right) in [(0, 0), (1, 0), (-1, 2), (2, -1), (-3, 0), (0, 5)] {
            for (i, found) in varied(&Variation { down, right, ..STILL }).into_iter().enumerate() {
                let (c, y, x) = (i / 12, (i / 4 % 3) as isize + down, (i % 4) as isize + right);
                let inside = (0..3).contains(&y) && (0..4).contains(&x);
                let expected = if inside { c * 12 + y as usize * 4 + x as usize + 1 } else { 0 };
                assert_eq!(found as usize, expected, "({down}, {right}) at {i}");
            }
        }
    }

    #[test]
    fn mirrors_reflections_and_turns() {
        assert_eq!(varied(&Variation { mirror: true, ..STILL })[..8], [4, 3, 2, 1, 8, 7, 6, 5]);
        assert_eq!(varied(&Variation { right: 2, reflect: true, ..STILL })[..4], [3, 4, 3, 2]);
        assert_eq!(varied(&Variation { down: -1, reflect: true, ..STILL })[..4], [5, 6, 7, 8]);
        let identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        assert_eq!(varied(&Variation { affine: Some(identity), ..STILL }), varied(&STILL));
        let moved = [1.0, 0.0, 1.0, 0.0, 1.0, -1.0];
        assert_eq!(
            varied(&Variation { affine: Some(moved), ..STILL }),
            varied(&Variation { down: 1, right: -1, ..STILL })
        );
        // Half a column to the right: the mean of two pixels.
        let half = [1.0, 0.0, 0.0, 0.0, 1.0, 0.5];
        let image: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let mut out = vec![0.0; 12];
        Variation { affine: Some(half), ..STILL }.apply(&image, &mut out);
        assert_eq!(out[..3], [0.5, 1.5, 2.5]);
        // All knots a column to the right; then those of the last row alone, half as far in the middle row.
        let bend = |knots| Variation { affine: Some(identity), bend: Some(knots), ..STILL };
        assert_eq!(varied(&bend([[0.0, 1.0]; 25])), varied(&Variation { right: 1, ..STILL }));
        let last = std::array::from_fn(|i| [0.0, if i < 15 { 0.0 } else { 1.0 }]);
        bend(last).apply(&image, &mut out);
        assert_eq!(out, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 9.0, 10.0, 11.0, 0.0]);
        let half = std::array::from_fn(|i| [0.0, (i / 5) as f32 / 4.0]);
        bend(half).apply(&image, &mut out);
        assert_eq!(out, [0.0, 1.0, 2.0, 3.0, 4.5, 5.5, 6.5, 3.5, 9.0, 10.0, 11.0, 0.0]);
    }

    #[test]
    fn bits_flip_at_their_rate() {
        let mut bits = vec![0u64; 10_000];
        flip_bits(&mut bits, 0.01, &mut Stream::new(1, Use::Augment, 0));
        let flipped: u32 = bits.iter().map(|w| w.count_ones()).sum();
        assert!((6000..6800).contains(&flipped), "{flipped} of 6400 expected");
        let mut still = vec![5u64; 10];
        flip_bits(&mut still, 0.0, &mut Stream::new(1, Use::Augment, 0));
        assert_eq!(still, [5; 10]);
    }
}

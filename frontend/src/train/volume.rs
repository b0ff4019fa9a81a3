//! Where the rows of activations lie: on an image, or nowhere in particular.

use super::config::{Layer, LayerKind};
use super::wiring::{Point, Wiring};
use crate::rng::Stream;

/// The rows that a layer reads.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// How many.
    pub width: usize,
    /// Row and column of each; empty where they have none.
    pub points: Vec<Point>,
    /// Where they form an image.
    pub volume: Option<Volume>,
}

/// Rows of activations as an image.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Channels.
    pub channels: usize,
    /// Rows and columns.
    pub size: [usize; 2],
    /// `[channels, rows, columns]`: the row of activations at each place, or the number of rows where it is always 0.
    pub at: Vec<u32>,
}

impl Field {
    /// The encoder's bits `live`, numbered `feature * bits + t`, of samples of a shape.
    pub fn of_encoder(shape: &[usize], bits: usize, live: &[u32]) -> Self {
        let (rows, columns) = match shape {
            [.., rows, columns] => (*rows, *columns),
            [columns] => (1, *columns),
            [] => (1, 1),
        };
        let place = |bit: u32| {
            let feature = bit as usize / bits;
            (feature / columns / rows, feature / columns % rows, feature % columns)
        };
        let points = live.iter().map(|&bit| [place(bit).1 as i32, place(bit).2 as i32]).collect();
        let channels = shape.iter().product::<usize>() / (rows * columns).max(1) * bits;
        let mut at = vec![live.len() as u32; channels * rows * columns];
        for (row, &bit) in live.iter().enumerate() {
            let (c, r, q) = place(bit);
            at[((c * bits + bit as usize % bits) * rows + r) * columns + q] = row as u32;
        }
        Self { width: live.len(), points, volume: Some(Volume { channels, size: [rows, columns], at }) }
    }

    /// Both, one after the other.
    pub fn then(self, other: &Self) -> Self {
        let points = match (self.points.len(), other.points.len()) {
            (a, b) if a == self.width && b == other.width => [self.points, other.points.clone()].concat(),
            _ => Vec::new(),
        };
        let volume = match (self.volume, &other.volume) {
            (Some(a), Some(b)) if a.size == b.size => {
                let width = self.width + other.width;
                let first = a.at.iter().map(|&at| if at as usize == self.width { width as u32 } else { at });
                let second = b.at.iter().map(|&at| at + self.width as u32);
                let at = first.chain(second).collect();
                Some(Volume { channels: a.channels + b.channels, size: a.size, at })
            }
            _ => None,
        };
        Self { width: self.width + other.width, points, volume }
    }
}

impl Volume {
    /// Rows and columns of what windows of a layer give; `None` where none fits.
    pub fn windows(&self, layer: &Layer) -> Option<[usize; 2]> {
        let padding = if layer.kind == LayerKind::Conv { layer.padding } else { 0 };
        let mut out = [0; 2];
        for (axis, out) in out.iter_mut().enumerate() {
            // A sample of one axis is an image of one row, and its windows have one.
            let (n, size, padding) =
                if self.size[axis] == 1 { (1, 1, 0) } else { (self.size[axis], layer.size, padding) };
            *out = (n + 2 * padding).checked_sub(size)? / layer.stride + 1;
        }
        Some(out)
    }

    /// The row at a place that may lie outside.
    fn row(&self, channel: usize, r: isize, c: isize, zero: u32) -> u32 {
        let [rows, columns] = self.size;
        match (usize::try_from(r), usize::try_from(c)) {
            (Ok(r), Ok(c)) if r < rows && c < columns => self.at[(channel * rows + r) * columns + c],
            _ => zero,
        }
    }

    /// Window of each axis and the padding before it.
    fn axis(&self, axis: usize, layer: &Layer) -> (usize, isize) {
        let padding = if layer.kind == LayerKind::Conv { layer.padding as isize } else { 0 };
        if self.size[axis] == 1 { (1, 0) } else { (layer.size, padding) }
    }

    /// The rows that the leaves of a convolution's kernels read: nodes ordered by kernel, table of the tree's first level,
    /// place. A leaf reads the same channel and offset at every place; leaves of a kernel differ as long as they can.
    pub fn leaves(&self, layer: &Layer, out: [usize; 2], zero: u32, rng: &mut Stream) -> Wiring {
        let (k, leaves) = (layer.fan_in, layer.fan_in.pow(layer.depth as u32));
        let ((height, up), (width, left)) = (self.axis(0, layer), self.axis(1, layer));
        let groups = layer.groups.min(self.channels).max(1);
        let mut index = Vec::with_capacity(layer.nodes * leaves * out[0] * out[1]);
        for kernel in 0..layer.nodes {
            let group = kernel % groups;
            let channels = group * self.channels / groups..(group + 1) * self.channels / groups;
            let mut window: Vec<(usize, usize, usize)> =
                channels.flat_map(|c| (0..height).flat_map(move |r| (0..width).map(move |q| (c, r, q)))).collect();
            rng.shuffle_first(&mut window, leaves);
            let leaf = |i: usize| window[i % window.len()];
            for table in 0..leaves / k {
                for place in 0..out[0] * out[1] {
                    let (r, q) = (place / out[1] * layer.stride, place % out[1] * layer.stride);
                    for j in 0..k {
                        let (c, dr, dq) = leaf(table * k + j);
                        index.push(self.row(c, (r + dr) as isize - up, (q + dq) as isize - left, zero));
                    }
                }
            }
        }
        Wiring { fan_in: k, candidates: 1, index, centres: Vec::new(), twins: Vec::new() }
    }

    /// The rows of each window of each channel, `[channels, places, window]`.
    pub fn pools(&self, layer: &Layer, out: [usize; 2], zero: u32) -> Vec<u32> {
        let ((height, _), (width, _)) = (self.axis(0, layer), self.axis(1, layer));
        let mut index = Vec::new();
        for c in 0..self.channels {
            for place in 0..out[0] * out[1] {
                let (r, q) = (place / out[1] * layer.stride, place % out[1] * layer.stride);
                for i in 0..height * width {
                    index.push(self.row(c, (r + i / width) as isize, (q + i % width) as isize, zero));
                }
            }
        }
        index
    }

    /// Bits of a window of a pool.
    pub fn window(&self, layer: &Layer) -> usize {
        self.axis(0, layer).0 * self.axis(1, layer).0
    }

    /// Freshly made rows: so many channels of an image.
    pub fn fresh(channels: usize, size: [usize; 2]) -> Field {
        let width = channels * size[0] * size[1];
        let places = size[0] * size[1];
        let points = (0..width).map(|i| [(i % places / size[1]) as i32, (i % size[1]) as i32]).collect();
        let at = (0..width as u32).collect();
        Field { width, points, volume: Some(Volume { channels, size, at }) }
    }
}

/// Inputs of the tables of a tree above its first level: consecutive tables of the level below, at the same place.
pub fn tree_level(trees: usize, below: usize, k: usize, places: usize) -> Wiring {
    let mut index = Vec::with_capacity(trees * below * places);
    for tree in 0..trees {
        for table in 0..below.div_ceil(k) {
            for place in 0..places {
                // A level that does not divide reads some tables again.
                index.extend((0..k).map(|j| ((tree * below + (table * k + j) % below) * places + place) as u32));
            }
        }
    }
    Wiring { fan_in: k, candidates: 1, index, centres: Vec::new(), twins: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Use;

    #[test]
    fn encoder_bits_are_channels_of_the_image() {
        // Two features of two bits; the first bit of the second feature is not wired.
        let field = Field::of_encoder(&[1, 2], 2, &[0, 1, 3]);
        let volume = field.volume.unwrap();
        assert_eq!((volume.channels, volume.size), (2, [1, 2]));
        assert_eq!(volume.at, [0, 3, 1, 2], "channel 0: bit 0 of both, the second missing");
        assert_eq!(field.points, [[0, 0], [0, 0], [0, 1]]);
    }

    #[test]
    fn leaves_read_the_same_offset_at_every_place() {
        let Field { volume: Some(volume), width, .. } = Volume::fresh(2, [5, 6]) else { panic!("a volume") };
        let layer = Layer {
            kind: LayerKind::Conv,
            nodes: 3,
            fan_in: 2,
            depth: 2,
            size: 3,
            stride: 2,
            padding: 1,
            ..Layer::default()
        };
        let out = volume.windows(&layer).unwrap();
        assert_eq!(out, [3, 3]);
        let wiring = volume.leaves(&layer, out, width as u32, &mut Stream::new(1, Use::Wiring, 0));
        assert_eq!(wiring.index.len(), 3 * 4 * 9);
        let leaf = |kernel: usize, leaf: usize, place: usize| {
            wiring.index[((kernel * 2 + leaf / 2) * 9 + place) * 2 + leaf % 2] as usize
        };
        let mut outside = 0;
        for kernel in 0..3 {
            for i in 0..4 {
                // The middle place has nothing outside; all others are it, moved.
                let middle = leaf(kernel, i, 4);
                let (c, r, q) = (middle / 30, (middle % 30 / 6) as isize, (middle % 6) as isize);
                for place in 0..9 {
                    let (r, q) = (r + 2 * (place as isize / 3 - 1), q + 2 * (place as isize % 3 - 1));
                    let inside = (0..5).contains(&r) && (0..6).contains(&q);
                    let expected = if inside { c * 30 + r as usize * 6 + q as usize } else { width };
                    outside += usize::from(!inside);
                    assert_eq!(leaf(kernel, i, place), expected);
                }
            }
            let mut four: Vec<usize> = (0..4).map(|i| leaf(kernel, i, 4)).collect();
            four.sort_unstable();
            four.dedup();
            assert_eq!(four.len(), 4, "leaves of a kernel differ");
        }
        assert!(outside > 0, "the padding is read");
    }

    #[test]
    fn trees_read_consecutive_tables_of_their_own() {
        assert_eq!(tree_level(2, 4, 2, 1).index, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(tree_level(1, 2, 2, 3).index, [0, 3, 1, 4, 2, 5]);
        assert_eq!(tree_level(1, 3, 2, 1).index, [0, 1, 2, 0]);
    }

    #[test]
    fn samples_of_one_axis_are_one_row() {
        let field = Field::of_encoder(&[8], 1, &[0, 1, 2, 3, 4, 5, 6, 7]);
        let volume = field.volume.unwrap();
        let layer = Layer { kind: LayerKind::Pool, size: 2, stride: 2, ..Layer::default() };
        assert_eq!(volume.windows(&layer), Some([1, 4]));
        assert_eq!(volume.pools(&layer, [1, 4], 8), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(volume.window(&layer), 2);
    }
}

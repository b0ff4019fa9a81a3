//! A network in the making: a model that grows layer by layer, and where the bits of its last layer stand for what the
//! next one reads.

use blc_ir::diag::{Diagnostic, Result};

use super::checkpoint::Checkpoint;
use super::sidecar::Input;
use crate::codes;
use crate::model::{Dtype, Layer, Luts, MAX_FAN_IN, Model, Thresholds, words_per_table};

/// Most bits of an encoder, as a bound before they are made.
const MAX_BITS: usize = 1 << 28;

/// A model in the making.
pub struct Network<'a, 'b> {
    checkpoint: &'a Checkpoint<'b>,
    model: Model,
    /// Bits of the last layer.
    width: usize,
    /// The activations: `[bits]` or `[channels, rows, columns]`.
    shape: Vec<usize>,
    /// The bit of the last layer that stands at each place.
    at: Vec<u32>,
}

/// The window of a convolution or pool: rows and columns.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Its size.
    pub size: [usize; 2],
    /// From one to the next.
    pub stride: [usize; 2],
    /// Zeros before and behind.
    pub padding: [usize; 2],
}

impl Window {
    /// Rows and columns of what windows on an image give.
    pub fn places(&self, image: [usize; 2]) -> Option<[usize; 2]> {
        let mut out = [0; 2];
        for (axis, out) in out.iter_mut().enumerate() {
            let padded = self.padding[axis].checked_mul(2)?.checked_add(image[axis])?;
            let rest = padded.checked_sub(self.size[axis])?;
            *out = rest.checked_div(self.stride[axis])? + 1;
        }
        Some(out)
    }
}

impl<'a, 'b> Network<'a, 'b> {
    /// The input alone.
    ///
    /// Errors: `BL1412` where it is too large.
    pub fn new(checkpoint: &'a Checkpoint<'b>, name: &str, shape: &[usize], dtype: Dtype) -> Result<Self> {
        let model = Model { name: name.into(), shape: shape.into(), dtype, layers: Vec::new() };
        let width = model.features();
        if width == 0 || width > MAX_BITS {
            let message = format!("samples of shape {shape:?} have {width} features, which are 1 to {MAX_BITS}");
            return Err(checkpoint.refuse(&codes::SIDECAR_CONTRADICTS, "input.shape", message).into());
        }
        Ok(Self { checkpoint, model, width, shape: shape.into(), at: (0..width as u32).collect() })
    }

    /// What the next layer reads: `[bits]` or `[channels, rows, columns]`.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn misfit(&self, layer: &str, message: String) -> Diagnostic {
        self.checkpoint.refuse(&codes::CHECKPOINT_MISFIT, layer, message)
    }

    /// A thermometer of thresholds `[rows, bits]`, where a row is for all features, a channel, or a feature. Where the
    /// features form an image and `channels` is set, bits become channels (`c * bits + t`), otherwise they lie beside each other
    /// (`feature * bits + t`).
    ///
    /// Thresholds are of what the network reads, `(x - mean) / scale`; the model's are of `x`.
    ///
    /// Errors: `BL1408`, `BL1412`.
    pub fn encode(
        &mut self,
        layer: &str,
        rows: usize,
        thresholds: &[f64],
        channels: bool,
        input: &Input,
    ) -> Result<()> {
        let features = self.width;
        if !self.model.layers.is_empty() {
            return Err(self.misfit(layer, "thresholds after the first layer".into()).into());
        }
        let bits = thresholds.len().checked_div(rows).unwrap_or(0);
        let planes = if let [channels, _, _] = self.shape[..] { channels } else { features };
        if bits == 0 || (rows != 1 && rows != features && rows != planes) {
            let message =
                format!("{} thresholds in {rows} rows for samples of shape {:?}", thresholds.len(), self.shape);
            return Err(self.misfit(layer, message).into());
        }
        if features.checked_mul(bits).is_none_or(|n| n > MAX_BITS) {
            return Err(self
                .misfit(layer, format!("{features} features of {bits} bits are more than {MAX_BITS}"))
                .into());
        }
        let (mean, scale) = (self.spread(input.mean.as_ref(), 0.0)?, self.spread(input.scale.as_ref(), 1.0)?);
        let scaled = input.mean.is_some() || input.scale.is_some();
        let mut sorted = Vec::with_capacity(features * bits);
        let mut bit_of = Vec::with_capacity(features * bits);
        for feature in 0..features {
            let row = feature * rows / features;
            let row = &thresholds[row * bits..][..bits];
            let mut order: Vec<usize> = (0..bits).collect();
            order.sort_by(|&a, &b| row[a].total_cmp(&row[b]));
            for &t in &order {
                let raw = if scaled { unscaled(row[t], mean[feature], scale[feature]) } else { row[t] as f32 };
                // Bytes are above a number where they are above its whole part.
                sorted.push(if self.model.dtype == Dtype::U8 { raw.floor().clamp(-1.0, 255.0) } else { raw });
            }
            let mut place = vec![0; bits];
            order.iter().enumerate().for_each(|(at, &t)| place[t] = (feature * bits + at) as u32);
            bit_of.extend(place);
        }
        self.model.layers.push(Layer::Thermometer { bits, thresholds: Thresholds::F32(sorted) });
        self.width = features * bits;
        match self.shape[..] {
            [c, h, w] if channels => {
                self.shape = vec![c * bits, h, w];
                let plane = h * w;
                self.at = (0..self.width)
                    .map(|i| {
                        let (channel, place) = (i / plane, i % plane);
                        bit_of[(channel / bits * plane + place) * bits + channel % bits]
                    })
                    .collect();
            }
            [c, h, w] => (self.shape, self.at) = (vec![c, h, w * bits], bit_of),
            _ => (self.shape, self.at) = (vec![self.width], bit_of),
        }
        Ok(())
    }

    fn spread(&self, numbers: Option<&super::sidecar::OneOrMany<f64>>, otherwise: f64) -> Result<Vec<f64>> {
        let n = self.width;
        let Some(numbers) = numbers else { return Ok(vec![otherwise; n]) };
        let spread =
            numbers.spread(n).filter(|all| all.iter().all(|x| x.is_finite() && (otherwise == 0.0 || *x > 0.0)));
        spread.ok_or_else(|| {
            let message = format!("`mean` and `scale` are one number or {n}, finite, and `scale` is above 0");
            self.checkpoint.refuse(&codes::SIDECAR_CONTRADICTS, "input", message).into()
        })
    }

    /// Makes a row of bits of an image.
    pub fn flatten(&mut self) {
        self.shape = vec![self.at.len()];
    }

    /// A layer of nodes that read any bits of a row. Wires are `[nodes, fan_in]`, input 0 first; tables have input 0 as the
    /// lowest bit of the address.
    ///
    /// Errors: `BL1408` where a wire leads outside or what comes before is an image, `BL1416` for more than 16 inputs.
    pub fn dense(&mut self, layer: &str, fan_in: usize, wires: &[f64], tables: &[u64]) -> Result<()> {
        if self.shape.len() != 1 {
            let message = format!("reads bits in a row, but an image of shape {:?} comes before", self.shape);
            return Err(self.misfit(layer, message).help("a `flatten` layer makes a row of it").into());
        }
        self.check_fan_in(layer, fan_in)?;
        let mut read = Vec::with_capacity(wires.len());
        for (i, &wire) in wires.iter().enumerate() {
            // Negative and huge ones are outside, too.
            let inside = wire >= 0.0 && wire < self.at.len() as f64;
            if !inside {
                let (node, input) = (i / fan_in, i % fan_in);
                let message = format!("node {node} reads bit {wire} of {} at input {input}", self.at.len());
                return Err(self
                    .misfit(layer, message)
                    .help("check `input.shape` and that no layer is missing")
                    .into());
            }
            read.push(self.at[wire as usize]);
        }
        let mut luts = Luts::new(fan_in);
        for (wires, table) in read.chunks_exact(fan_in).zip(tables.chunks_exact(words_per_table(fan_in))) {
            luts.push(table, wires, self.width);
        }
        let nodes = luts.nodes();
        self.push(luts, vec![nodes]);
        Ok(())
    }

    /// Adds a layer whose bits stand in order at the places of a shape.
    pub fn push(&mut self, luts: Luts, shape: Vec<usize>) {
        self.width = luts.nodes();
        self.at = (0..self.width as u32).collect();
        self.shape = shape;
        self.model.layers.push(luts.into_layer());
    }

    fn check_fan_in(&self, layer: &str, fan_in: usize) -> Result<()> {
        if (1..=MAX_FAN_IN).contains(&fan_in) {
            return Ok(());
        }
        let message = format!("tables of {fan_in} inputs; they have 1 to {MAX_FAN_IN}");
        Err(self.checkpoint.refuse(&codes::CHECKPOINT_WIDE, layer, message).into())
    }

    /// Channels, rows and columns of what the next layer reads.
    ///
    /// Errors: `BL1408` where it is no image.
    pub fn image(&self, layer: &str) -> Result<[usize; 3]> {
        if let [c, h, w] = self.shape[..] {
            return Ok([c, h, w]);
        }
        let message = format!("reads an image, but bits of shape {:?} come before", self.shape);
        Err(self.misfit(layer, message).help("say `input.shape` as [channels, rows, columns]").into())
    }

    /// The bit at a place of an image that may lie in the zeros around it, which are bit [`Self::zero`].
    pub fn bit(&self, [_, h, w]: [usize; 3], channel: usize, row: isize, column: isize) -> u32 {
        match (usize::try_from(row), usize::try_from(column)) {
            (Ok(row), Ok(column)) if row < h && column < w => self.at[(channel * h + row) * w + column],
            _ => self.zero(),
        }
    }

    /// What [`Luts::push`] takes for a bit that is always 0.
    pub fn zero(&self) -> u32 {
        self.width as u32
    }

    /// How wide what the next layer reads is.
    pub fn width(&self) -> usize {
        self.width
    }

    /// ORs over windows of each channel.
    ///
    /// Errors: `BL1408`, and `BL1416` for windows of more than 16 places.
    pub fn or_pool(&mut self, layer: &str, window: Window) -> Result<()> {
        let image @ [c, h, w] = self.image(layer)?;
        let Some([rows, columns]) = window.places([h, w]) else {
            return Err(self
                .misfit(layer, format!("no window of {:?} fits an image of {h} x {w}", window.size))
                .into());
        };
        let fan_in = window.size[0].saturating_mul(window.size[1]);
        self.check_fan_in(layer, fan_in)?;
        let places = c.saturating_mul(rows).saturating_mul(columns);
        if places > MAX_BITS {
            return Err(self.misfit(layer, format!("{places} places are more than {MAX_BITS}")).into());
        }
        let mut luts = Luts::new(fan_in);
        let mut wires = Vec::with_capacity(fan_in);
        for place in 0..places {
            let (channel, row, column) = (place / (rows * columns), place / columns % rows, place % columns);
            wires.clear();
            for i in 0..fan_in {
                let at = |axis: usize, place: usize, offset: usize| {
                    (place * window.stride[axis] + offset) as isize - window.padding[axis] as isize
                };
                let (r, q) = (at(0, row, i / window.size[1]), at(1, column, i % window.size[1]));
                wires.push(self.bit(image, channel, r, q));
            }
            luts.push_or(&wires, self.width);
        }
        self.push(luts, vec![c, rows, columns]);
        Ok(())
    }

    /// The model, with sums of `classes` groups and the largest of them, or ending in bits where that is 0.
    ///
    /// Errors: `BL1408` where the last bits are an image or do not stand in order, and those of [`Model::validate`].
    pub fn finish(mut self, classes: usize) -> Result<Model> {
        if self.shape.len() != 1 && classes > 0 {
            let message =
                format!("classes are sums of bits in a row, but an image of shape {:?} comes last", self.shape);
            return Err(self.misfit("classes", message).help("a `flatten` layer makes a row of it").into());
        }
        if self.model.layers.iter().all(|l| !matches!(l, Layer::Lut { .. })) {
            return Err(self.misfit("", "a network without lookup tables".into()).into());
        }
        if classes > 0 {
            self.model.layers.extend([Layer::GroupSum { groups: classes }, Layer::Argmax]);
        }
        self.model.validate()?;
        Ok(self.model)
    }
}

/// The threshold of `x` where `(x - mean) / scale`, rounded to single precision, is compared with `threshold`: the largest
/// `x` in single precision that is not above. `scale` is above 0, so that none below it is either.
fn unscaled(threshold: f64, mean: f64, scale: f64) -> f32 {
    let above = |x: f32| f64::from(((f64::from(x) - mean) / scale) as f32) > threshold;
    // Single precision in order: the bits of a number, or their complement for negative ones.
    let number = |key: u32| f32::from_bits(if key >> 31 == 1 { key ^ 1 << 31 } else { !key });
    let (mut low, mut high) = (!f32::MIN.to_bits(), f32::MAX.to_bits() ^ 1 << 31);
    if above(number(low)) {
        return f32::MIN;
    }
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if above(number(middle)) { high = middle - 1 } else { low = middle }
    }
    number(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_before_scaling_decide_the_same() {
        for (threshold, mean, scale) in
            [(0.5f32, 0.0, 255.0), (-1.25, 3.5, 0.1), (0.0, 1e-3, 7.0), (0.30196, 0.0, 255.0)]
        {
            let raw = unscaled(threshold.into(), mean, scale);
            let network = |x: f32| ((f64::from(x) - mean) / scale) as f32 > threshold;
            assert!(!network(raw) && network(raw.next_up()), "{threshold} {mean} {scale}: {raw}");
        }
        assert_eq!(unscaled(-1e39, 0.0, 1.0), f32::MIN);
    }
}

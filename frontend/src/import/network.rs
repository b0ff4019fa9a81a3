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
    /// The activations: `[bits]`, or `[channels, ...]` of an image.
    shape: Vec<usize>,
    /// The bit of the last layer that stands at each place.
    at: Vec<u32>,
    /// Shape and bits of what goes past the layers that follow.
    past: Option<(Vec<usize>, Vec<u32>)>,
}

/// One axis of the window of a convolution or pool.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Places that the window covers.
    pub size: usize,
    /// From one window to the next.
    pub stride: usize,
    /// Zeros before and behind.
    pub padding: usize,
    /// From one place of the image to the next: zeros stand between where it is above 1, as transposed convolutions have it.
    pub spread: usize,
    /// Further zeros behind.
    pub end: usize,
}

impl Axis {
    /// Places of an image of `n`, with all zeros.
    pub fn padded(&self, n: usize) -> Option<usize> {
        let spread = n.checked_sub(1)?.checked_mul(self.spread)?.checked_add(1)?;
        self.padding.checked_mul(2)?.checked_add(spread)?.checked_add(self.end)
    }

    /// Windows on an image of `n`.
    pub fn places(&self, n: usize) -> Option<usize> {
        Some(self.padded(n)?.checked_sub(self.size)?.checked_div(self.stride)? + 1)
    }

    /// The place of the image that stands at a place of what is padded; `None` of a zero.
    pub fn source(&self, padded: usize, n: usize) -> Option<usize> {
        let at = padded.checked_sub(self.padding)?;
        (at % self.spread == 0 && at / self.spread < n).then(|| at / self.spread)
    }
}

impl<'a, 'b> Network<'a, 'b> {
    /// The input alone.
    ///
    /// Errors: `BL1412` where it is too large.
    pub fn new(checkpoint: &'a Checkpoint<'b>, name: &str, shape: &[usize], dtype: Dtype) -> Result<Self> {
        let mut model = Model { name: name.into(), shape: shape.into(), dtype, layers: Vec::new(), approximate: None };
        let width = model.features();
        if shape.len() > 3 {
            model.shape = vec![width];
        }
        if width == 0 || width > MAX_BITS {
            let message = format!("samples of shape {shape:?} have {width} features, which are 1 to {MAX_BITS}");
            return Err(checkpoint.refuse(&codes::SIDECAR_CONTRADICTS, "input.shape", message).into());
        }
        Ok(Self { checkpoint, model, width, shape: shape.into(), at: (0..width as u32).collect(), past: None })
    }

    /// What the next layer reads: `[bits]`, or `[channels, ...]` of an image.
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
        let planes = self.shape[0];
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
        if channels && self.shape.len() > 1 {
            let plane = features / planes;
            self.shape[0] *= bits;
            self.at = (0..self.width)
                .map(|i| {
                    let (channel, place) = (i / plane, i % plane);
                    bit_of[(channel / bits * plane + place) * bits + channel % bits]
                })
                .collect();
        } else {
            self.shape.last_mut().into_iter().for_each(|n| *n *= bits);
            self.at = bit_of;
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
    pub fn push(&mut self, mut luts: Luts, shape: Vec<usize>) {
        self.at = (0..luts.nodes() as u32).collect();
        for bit in self.past.iter_mut().flat_map(|(_, bits)| bits) {
            let here = luts.nodes() as u32;
            luts.repeat(*bit);
            *bit = here;
        }
        self.width = luts.nodes();
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

    /// Channels of what the next layer reads, and the image's size along each of `axes` axes.
    ///
    /// Errors: `BL1408` where it is no such image.
    pub fn image(&self, layer: &str, axes: usize) -> Result<(usize, Vec<usize>)> {
        if self.shape.len() == axes + 1 {
            return Ok((self.shape[0], self.shape[1..].to_vec()));
        }
        let message = format!("reads an image of {axes} axes, but bits of shape {:?} come before", self.shape);
        let said = if axes == 2 { "[channels, rows, columns]" } else { "[channels, planes, rows, columns]" };
        Err(self.misfit(layer, message).help(format!("say `input.shape` as {said}")).into())
    }

    /// The bit of a channel at a place of an image, axis by axis; outside are zeros, which are bit [`Self::zero`].
    pub fn bit(&self, channel: usize, place: impl IntoIterator<Item = Option<usize>>) -> u32 {
        let mut axes = place.into_iter().zip(&self.shape[1..]);
        let at = axes.try_fold(channel, |at, (place, n)| Some(at * n + place?));
        at.map_or(self.zero(), |at| self.at[at])
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
    pub fn or_pool(&mut self, layer: &str, window: &[Axis]) -> Result<()> {
        let (channels, image) = self.image(layer, window.len())?;
        let out: Option<Vec<usize>> = window.iter().zip(&image).map(|(axis, &n)| axis.places(n)).collect();
        let Some(out) = out else {
            let sizes: Vec<usize> = window.iter().map(|axis| axis.size).collect();
            return Err(self.misfit(layer, format!("no window of {sizes:?} fits an image of {image:?}")).into());
        };
        let fan_in = window.iter().fold(1, |n: usize, axis| n.saturating_mul(axis.size));
        self.check_fan_in(layer, fan_in)?;
        let places = out.iter().fold(channels, |n, &m| n.saturating_mul(m));
        if places > MAX_BITS {
            return Err(self.misfit(layer, format!("{places} places are more than {MAX_BITS}")).into());
        }
        let sizes: Vec<usize> = window.iter().map(|axis| axis.size).collect();
        let mut luts = Luts::new(fan_in);
        let mut wires = Vec::with_capacity(fan_in);
        for place in 0..places {
            let channel = place / (places / channels);
            let corner = digits(place, &out);
            wires.clear();
            for i in 0..fan_in {
                let offset = digits(i, &sizes);
                let sources =
                    (0..window.len()).map(|a| window[a].source(corner[a] * window[a].stride + offset[a], image[a]));
                wires.push(self.bit(channel, sources));
            }
            luts.push_or(&wires, self.width);
        }
        self.push(luts, [vec![channels], out].concat());
        Ok(())
    }

    /// What stands here also goes past the layers that follow, as far as [`Self::join`].
    ///
    /// Errors: `BL1408` inside another such stretch.
    pub fn part(&mut self, layer: &str) -> Result<()> {
        if self.past.is_some() {
            return Err(self.misfit(layer, "a way past layers inside another".into()).into());
        }
        self.past = Some((self.shape.clone(), self.at.clone()));
        Ok(())
    }

    /// ORs each bit with the one that went past.
    ///
    /// Errors: `BL1408` where nothing went past, or something of another shape.
    pub fn join(&mut self, layer: &str) -> Result<()> {
        let Some((shape, bits)) = self.past.take() else {
            return Err(self.misfit(layer, "nothing goes past the layers before".into()).into());
        };
        if shape != self.shape {
            let message = format!("bits of shape {shape:?} go past layers that end in shape {:?}", self.shape);
            return Err(self.misfit(layer, message).into());
        }
        let mut luts = Luts::new(2);
        self.at.iter().zip(&bits).for_each(|(&a, &b)| luts.push_or(&[a, b], self.width));
        self.push(luts, shape);
        Ok(())
    }

    /// Adds bits that are always 0 to the last layer until `classes` divides them.
    pub fn pad(&mut self, classes: usize) {
        let lacking = if classes == 0 { 0 } else { self.width.next_multiple_of(classes) - self.width };
        if let (1.., Some(Layer::Lut { fan_in, connections, tables })) = (lacking, self.model.layers.last_mut()) {
            connections.resize(connections.len() + lacking * *fan_in, 0);
            tables.resize(tables.len() + lacking * words_per_table(*fan_in), 0);
            self.width += lacking;
            self.at = (0..self.width as u32).collect();
            self.shape = vec![self.width];
        }
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
        if self.past.is_some() {
            return Err(self.misfit("", "bits go past layers and are read nowhere".into()).into());
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

/// A number in digits of mixed sizes, the last one running fastest; what is beyond them is left out.
fn digits(number: usize, sizes: &[usize]) -> Vec<usize> {
    let mut rest = number;
    let mut out = vec![0; sizes.len()];
    for (digit, &n) in out.iter_mut().zip(sizes).rev() {
        (*digit, rest) = (rest % n, rest / n);
    }
    out
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

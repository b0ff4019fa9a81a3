//! `quantize`: real inputs become fixed-point codes, and the thresholds that read them whole numbers.
//!
//! Each feature has an affine code: code `c` stands for the real number [`dequantize`]`(c)`. The codes are spread over
//! the range of the feature's thresholds, such that (where the width allows) every two different thresholds have a code
//! between them, and a threshold lies near the middle between two codes, where rounding changes over.
//!
//! Exact on the codes: for every code `c`, `dequantize(c) > threshold` holds where and only where `c` is greater than the
//! whole-number threshold that takes its place.

use blc_ir::{Data, Diagnostic, Elem, Func, FuncAttr, Level, OpKind, ResourceId, Type, Value};
use serde::{Deserialize, Serialize};

use crate::codes::{QUANTIZE_BITS, REAL_INPUT, THRESHOLDS_LOST};
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};
use crate::rebuild::Rebuild;
use crate::resources::wrong;

/// The real number that a code stands for: `offset + step * code`, computed in `f64` and rounded once. It never falls as
/// the code rises.
pub fn dequantize(code: u64, offset: f32, step: f32) -> f32 {
    (f64::from(offset) + f64::from(step) * code as f64) as f32
}

/// See the module's words.
pub struct Quantize {
    options: Options,
}

/// Options of [`Quantize`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Bits of a code, 1 to 16.
    pub bits: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self { bits: 10 }
    }
}

impl PassSpec for Quantize {
    const NAME: &'static str = "quantize";
    const SUMMARY: &'static str = "Give real inputs fixed-point codes and their thresholds whole numbers";
    const LEVEL: Level = Level::Tensor;
    type Options = Options;

    fn build(options: Options) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

impl Pass for Quantize {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let bits = self.options.bits;
        if !(1..=16).contains(&bits) {
            return Err(Box::new(
                Diagnostic::error(&QUANTIZE_BITS, format!("codes cannot have {bits} bits")).help("choose 1 to 16 bits"),
            ));
        }
        let Some(input) = real_input(f)? else { return Ok(Changed::No) };
        let readers = readers(f, input)?;
        let rows = Rows::new(cx, &readers, f.ty(input).len())?;
        let codes: Vec<Affine> = (0..f.ty(input).len()).map(|i| Affine::fit(&rows.feature(i), bits)).collect();
        let thresholds = codes.iter().map(|c| c.thresholds as u64).sum();
        let lost = codes.iter().map(|c| c.lost as u64).sum();
        cx.fact("thresholds", thresholds);
        cx.fact("thresholds_lost", lost);
        if lost > 0 {
            let text = format!("{lost} of {thresholds} thresholds do not fall between two codes of {bits} bits");
            cx.warnings.push(Diagnostic::warning(&THRESHOLDS_LOST, text).help("choose more input bits"));
        }
        let whole: Vec<(ResourceId, ResourceId)> = readers.iter().map(|&id| (id, rows.whole(cx, id, &codes))).collect();
        let shape = [codes.len()];
        let offset = Data::F32(codes.iter().map(|c| c.offset).collect());
        let step = Data::F32(codes.iter().map(|c| c.step).collect());
        let (offset, step) = (cx.add_inline("offset", &shape, offset), cx.add_inline("step", &shape, step));
        let mut new = rebuild(f, input, bits, &whole);
        new.set_attr("offset", FuncAttr::Resource(offset));
        new.set_attr("step", FuncAttr::Resource(step));
        *f = new;
        Ok(Changed::Yes)
    }
}

/// The real parameter, which is the first or none.
fn real_input(f: &Func) -> Result<Option<Value>, Abort> {
    let real = |v: Value| f.ty(v).elem == Elem::F32;
    let at = f.params.iter().position(|p| real(p.value));
    let second = f.params.iter().skip(1).find(|p| real(p.value)).or(f.results.iter().find(|p| real(p.value)));
    match (at, second) {
        (_, Some(port)) => Err(Box::new(
            Diagnostic::error(&REAL_INPUT, format!("the port %{} is real", port.name))
                .help("only the first parameter can become codes"),
        )),
        (at, None) => Ok(at.map(|i| f.params[i].value)),
    }
}

/// The thresholds that the input is compared with, each once.
fn readers(f: &Func, input: Value) -> Result<Vec<ResourceId>, Abort> {
    let mut ids = Vec::new();
    for (_, op) in f.ops().filter(|(_, op)| op.operands.contains(&input)) {
        match op.kind {
            OpKind::Thermometer { thresholds } | OpKind::Code { thresholds, .. } => {
                if !ids.contains(&thresholds) {
                    ids.push(thresholds);
                }
            }
            _ => {
                let text = format!("{} reads real numbers", op.info().mnemonic);
                let help = "only encoders can read codes instead";
                return Err(Box::new(Diagnostic::error(&REAL_INPUT, text).help(help)));
            }
        }
    }
    Ok(ids)
}

/// Thresholds of all readers.
struct Rows {
    /// Thresholds a feature, and the thresholds row by row.
    resources: Vec<(ResourceId, usize, Vec<f32>)>,
}

impl Rows {
    fn new(cx: &PassCx<'_>, readers: &[ResourceId], features: usize) -> Result<Self, Abort> {
        let read = |&id: &ResourceId| {
            let (shape, data) = cx.data(id)?;
            let reals = match data {
                Data::F32(t) => t.clone(),
                Data::U8(t) => t.iter().map(|&t| t.into()).collect(),
                _ => {
                    return Err(wrong(&cx.resources[id.index()], "is not f32 or u8, as thresholds of real inputs are"));
                }
            };
            let fits = matches!(shape, &[rows, bits] if rows == features && bits > 0);
            if !fits || reals.iter().any(|t| !t.is_finite()) {
                return Err(wrong(&cx.resources[id.index()], "is not [features, bits] of finite numbers"));
            }
            Ok((id, shape[1], reals))
        };
        Ok(Self { resources: readers.iter().map(read).collect::<Result<_, Abort>>()? })
    }

    /// The thresholds of one feature, rising, each once.
    fn feature(&self, i: usize) -> Vec<f32> {
        let rows = self.resources.iter().flat_map(|(_, n, t)| &t[i * n..(i + 1) * n]);
        // Adding 0 makes -0 and 0 one number.
        let mut all: Vec<f32> = rows.map(|t| t + 0.0).collect();
        all.sort_by(f32::total_cmp);
        all.dedup();
        all
    }

    /// The whole numbers that take the place of a resource.
    fn whole(&self, cx: &mut PassCx<'_>, id: ResourceId, codes: &[Affine]) -> ResourceId {
        let found = self.resources.iter().find(|(i, ..)| *i == id);
        let (n, reals) = found.map_or((1, [].as_slice()), |(_, n, t)| (*n, t.as_slice()));
        let data = reals.iter().enumerate().map(|(i, &t)| codes[i / n].code_below(t)).collect();
        let name = format!("{}.codes", cx.resources[id.index()].name);
        cx.add_inline(&name, &[codes.len(), n], Data::U32(data))
    }
}

/// The code of one feature.
#[derive(Clone, Copy, Debug)]
struct Affine {
    offset: f32,
    step: f32,
    bits: u8,
    /// Different thresholds.
    thresholds: usize,
    /// Those without a pair of codes of their own.
    lost: usize,
}

impl Affine {
    /// How many spacings are tried: some numbers of steps suit evenly spread thresholds better than others.
    const TRIES: u32 = 64;

    /// The code for thresholds, rising and different.
    fn fit(thresholds: &[f32], bits: u8) -> Self {
        let (Some(&low), Some(&high)) = (thresholds.first(), thresholds.last()) else {
            return Self { offset: 0.0, step: 1.0, bits, thresholds: 0, lost: 0 };
        };
        let most = ((1u32 << bits) - 2).max(1);
        let least = most.saturating_sub(Self::TRIES - 1).max(most / 2).max(1);
        let tries = (least..=most).rev().map(|steps| {
            let mut affine = Self::spread(low, high, steps, bits);
            affine.thresholds = thresholds.len();
            affine.lost = affine.count_lost(thresholds);
            affine
        });
        let error = |a: &Self| thresholds.iter().map(|&t| a.error(t)).sum::<f64>();
        let tries: Vec<_> = tries.map(|a| (a.lost, error(&a), a)).collect();
        let best = tries.into_iter().min_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        best.map_or(Self { offset: low, step: 1.0, bits, thresholds: 0, lost: 0 }, |(.., a)| a)
    }

    /// `low` and `high` lie `steps` codes apart, each in the middle between two codes.
    fn spread(low: f32, high: f32, steps: u32, bits: u8) -> Self {
        let range = f64::from(high) - f64::from(low);
        let step = match (range > 0.0, low == 0.0) {
            (true, _) => (range / f64::from(steps)) as f32,
            (false, true) => 1.0,
            // Then half a step below `low` is exact.
            (false, false) => low.abs(),
        };
        let step = step.clamp(f32::MIN_POSITIVE, f32::MAX);
        let offset = ((f64::from(low) - f64::from(step) / 2.0) as f32).max(f32::MIN);
        Self { offset, step, bits, thresholds: 0, lost: 0 }
    }

    fn max(&self) -> u64 {
        (1 << self.bits) - 1
    }

    /// The greatest code that stands for a number not above the threshold (0 where all are above, which does not happen
    /// for a threshold it was fitted to).
    fn code_below(&self, threshold: f32) -> u32 {
        let above = |code: u64| dequantize(code, self.offset, self.step) > threshold;
        let guess = ((f64::from(threshold) - f64::from(self.offset)) / f64::from(self.step)).floor() as u64;
        if guess < self.max() && !above(guess) && above(guess + 1) {
            return guess as u32;
        }
        let (mut low, mut high) = (0, self.max() + 1);
        while high - low > 1 {
            let middle = (low + high) / 2;
            if above(middle) { high = middle } else { low = middle }
        }
        low as u32
    }

    /// Thresholds that no code tells from the one before, or that no code is above.
    fn count_lost(&self, thresholds: &[f32]) -> usize {
        let mut before = None;
        let lost = |&&t: &&f32| {
            let code = Some(self.code_below(t));
            std::mem::replace(&mut before, code) == code || code == Some(self.max() as u32)
        };
        thresholds.iter().filter(lost).count()
    }

    /// How far rounding moves a threshold, in real numbers.
    fn error(&self, threshold: f32) -> f64 {
        let middle = f64::from(self.code_below(threshold)) + 0.5;
        (f64::from(self.offset) + f64::from(self.step) * middle - f64::from(threshold)).abs()
    }
}

/// The function on codes.
fn rebuild(f: &Func, input: Value, bits: u8, whole: &[(ResourceId, ResourceId)]) -> Func {
    let mut rebuild = Rebuild::without_params(f);
    for port in &f.params {
        let old = f.ty(port.value);
        let shape: Vec<usize> = old.shape().iter().map(|&d| d as usize).collect();
        let word = Elem::Word(bits);
        let ty = if port.value == input { Type::array(word, &shape).unwrap_or(Type::scalar(word)) } else { old };
        let value = rebuild.new.add_param(port.name.clone(), ty);
        rebuild.set(port.value, value);
    }
    for (id, op) in f.ops() {
        let whole = |thresholds: ResourceId| whole.iter().find(|(old, _)| *old == thresholds).map(|&(_, new)| new);
        let new = match op.kind {
            OpKind::Thermometer { thresholds } if op.operands.contains(&input) => {
                whole(thresholds).map(|thresholds| OpKind::Thermometer { thresholds })
            }
            OpKind::Code { bits, thresholds, codes } if op.operands.contains(&input) => {
                whole(thresholds).map(|thresholds| OpKind::Code { bits, thresholds, codes })
            }
            _ => None,
        };
        rebuild.copy(id);
        if let Some(kind) = new {
            let last = blc_ir::OpId::new(rebuild.new.op_count() - 1);
            rebuild.new.set_kind(last, kind);
        }
    }
    rebuild.finish()
}

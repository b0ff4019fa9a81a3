//! What a design answers, as arrays for files.

use blc_backends::sim::Outputs;
use blc_frontend::data::{Array, Elements};
use blc_ir::{Elem, Func};

/// What a design says about each sample.
#[derive(Debug)]
pub struct Answers<'a> {
    outputs: &'a Outputs,
    /// Whether the outputs are a class and perhaps scores, as a model's are.
    classes: bool,
}

/// Ports of a model.
pub const CLASS: &str = "class";
const SCORE: &str = "score";

impl<'a> Answers<'a> {
    /// The outputs of a design's top.
    pub fn new(f: &Func, outputs: &'a Outputs) -> Self {
        Self { outputs, classes: Self::gives_classes(f) }
    }

    /// Whether the outputs of a function are a class and perhaps scores.
    pub fn gives_classes(f: &Func) -> bool {
        let ports: Vec<_> = f.results.iter().map(|r| (r.name.as_str(), f.ty(r.value))).collect();
        match ports.as_slice() {
            [(CLASS, ty)] | [(CLASS, ty), (SCORE, _)] => ty.is_scalar() && matches!(ty.elem, Elem::Word(_)),
            _ => false,
        }
    }

    /// The class of each sample, where the design gives one.
    pub fn classes(&self) -> Option<Vec<u16>> {
        if self.classes { self.outputs.port_u16(CLASS) } else { None }
    }

    /// The scores, where the design gives them: `[N, classes]`.
    pub fn scores(&self) -> Option<Array> {
        let port = self.outputs.layout().port(SCORE)?;
        let shape = vec![self.outputs.samples(), port.columns.len()];
        Some(array(shape, port.width, self.outputs.port(SCORE)?))
    }

    /// What `--output` gets: classes `[N]`, otherwise all outputs `[N, outputs]`.
    pub fn predictions(&self) -> Array {
        let (outputs, layout) = (self.outputs, self.outputs.layout());
        let samples = outputs.samples();
        match (self.classes, layout.port(CLASS), outputs.port(CLASS)) {
            (true, Some(port), Some(class)) => array(vec![samples], port.width, class),
            _ => {
                let columns = layout.columns();
                let width = layout.ports().iter().map(|p| p.width).max().unwrap_or(1);
                let shape = vec![samples, columns];
                match outputs.all_u8() {
                    Some(bytes) => Array { shape, data: Elements::U8(bytes) },
                    None => array(shape, width, outputs.all()),
                }
            }
        }
    }
}

/// An array of the narrowest type that numbers of `width` bits fit.
pub fn array(shape: Vec<usize>, width: u8, numbers: impl Iterator<Item = u64>) -> Array {
    let data = match width {
        0..=8 => Elements::U8(numbers.map(|x| x as u8).collect()),
        9..=16 => Elements::U16(numbers.map(|x| x as u16).collect()),
        17..=32 => Elements::U32(numbers.map(|x| x as u32).collect()),
        _ => Elements::U64(numbers.collect()),
    };
    Array { shape, data }
}

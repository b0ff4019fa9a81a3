//! Batches of samples: from an array file to what the simulator takes, and back. In one place for every command.

use std::path::Path;

use blc_backends::sim::{Input, Outputs};
#[cfg(feature = "train")]
use blc_frontend::data::Features;
use blc_frontend::data::{Array, Elements, npy};
use blc_frontend::files;
use blc_ir::diag::{Diagnostic, Place, Result};
use blc_ir::eval::affine;
use blc_ir::{Elem, Func, Module, Type};

use crate::codes;

/// What a design takes for one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    /// Numbers of a sample.
    columns: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bits,
    Words,
    Reals,
}

impl Wanted {
    fn of(module: &Module, f: &Func) -> Self {
        let types: Vec<Type> = f.params.iter().map(|p| f.ty(p.value)).filter(|&ty| ty != Type::CLOCK).collect();
        let reals = affine(module, f).is_some() || types.iter().any(|ty| ty.elem == Elem::F32);
        let kind = match () {
            () if reals => Kind::Reals,
            () if types.iter().all(|ty| ty.elem == Elem::Bit) => Kind::Bits,
            () => Kind::Words,
        };
        Self { columns: types.iter().map(Type::len).sum(), kind }
    }

    fn help(self) -> String {
        let n = self.columns;
        match self.kind {
            Kind::Bits => format!("this design takes [N, {n}] of bool, or of uint8 that is 0 or 1"),
            Kind::Words => format!("this design takes [N, {n}] of uint8"),
            Kind::Reals => format!("this design takes [N, {n}] of float32"),
        }
    }
}

/// Samples for a design, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    samples: usize,
    data: Data,
}

#[derive(Clone, Debug, PartialEq)]
enum Data {
    U8(Vec<u8>),
    U64(Vec<u64>),
    F32(Vec<f32>),
}

impl Batch {
    /// Reads an `.npy` of samples for a design.
    ///
    /// # Errors
    /// The file is no array, or one of another shape or type than the design takes.
    pub fn read(path: &Path, module: &Module, f: &Func) -> Result<Self> {
        Self::from_array(npy::read(path)?, &files::display(path), Wanted::of(module, f))
    }

    fn from_array(array: Array, file: &str, wanted: Wanted) -> Result<Self> {
        let refused =
            |code, message: String| Box::new(Diagnostic::error(code, message).in_file(file, "").help(wanted.help()));
        let fits = match array.shape.split_first() {
            Some((_, sample)) => sample.iter().product::<usize>() == wanted.columns,
            None => false,
        };
        if !fits {
            let message = format!("an array of shape {:?}, but a sample has {} numbers", array.shape, wanted.columns);
            return Err(refused(&codes::BATCH_SHAPE, message));
        }
        let samples = array.shape.first().copied().unwrap_or(0);
        let descr = array.data.kind().descr();
        let data = match (wanted.kind, array.data) {
            (Kind::Reals, Elements::F32(x)) => Data::F32(x),
            (Kind::Bits | Kind::Words, Elements::U8(x)) => Data::U8(x),
            (Kind::Bits | Kind::Words, Elements::Bool(x)) => Data::U8(x.into_iter().map(u8::from).collect()),
            (Kind::Words, Elements::U16(x)) => Data::U64(x.into_iter().map(u64::from).collect()),
            (Kind::Words, Elements::U32(x)) => Data::U64(x.into_iter().map(u64::from).collect()),
            (Kind::Words, Elements::U64(x)) => Data::U64(x),
            _ => return Err(refused(&codes::BATCH_DTYPE, format!("elements of type '{descr}' do not fit the design"))),
        };
        Ok(Self { samples, data })
    }

    /// Samples of a data set.
    #[cfg(feature = "train")]
    pub fn of(x: &Features, samples: usize) -> Self {
        let data = match x {
            Features::U8(x) => Data::U8(x.clone()),
            Features::F32(x) => Data::F32(x.clone()),
        };
        Self { samples, data }
    }

    /// As the simulator takes it.
    pub fn input(&self) -> Input<'_> {
        match &self.data {
            Data::U8(x) => Input::u8(self.samples, x),
            Data::U64(x) => Input::u64(self.samples, x),
            Data::F32(x) => Input::f32(self.samples, x),
        }
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }
}

/// Reads the labels of a batch.
///
/// # Errors
/// Not one whole number from 0 to 65535 for each sample.
pub fn labels(path: &Path, samples: usize) -> Result<Vec<u16>> {
    let file = files::display(path);
    let array = npy::read(path)?;
    if array.shape != [samples] {
        let message = format!("an array of shape {:?} for {samples} samples", array.shape);
        let d = Diagnostic::error(&codes::LABELS, message).in_file(file, "");
        return Err(Box::new(d.help(format!("give one label a sample: [{samples}]"))));
    }
    array.to_labels(&file, "")
}

/// A problem of the simulator with a sample, told of the file that the sample is from.
pub fn of_file(d: Diagnostic, path: &Path) -> Diagnostic {
    let detail = match &d.place {
        Place::Op(at) => at.clone(),
        _ => String::new(),
    };
    d.in_file(files::display(path), detail)
}

/// What a design says about each sample.
#[derive(Debug)]
pub struct Answers<'a> {
    outputs: &'a Outputs,
    /// Whether the outputs are a class and perhaps scores, as a model's are.
    classes: bool,
}

/// Ports of a model.
const CLASS: &str = "class";
const SCORE: &str = "score";

impl<'a> Answers<'a> {
    /// The outputs of a design's top.
    pub fn new(f: &Func, outputs: &'a Outputs) -> Self {
        let ports: Vec<_> = f.results.iter().map(|r| (r.name.as_str(), f.ty(r.value))).collect();
        let classes = match ports.as_slice() {
            [(CLASS, ty)] | [(CLASS, ty), (SCORE, _)] => ty.is_scalar() && matches!(ty.elem, Elem::Word(_)),
            _ => false,
        };
        Self { outputs, classes }
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
                let all = (0..samples).flat_map(|s| (0..columns).map(move |c| outputs.get(s, c)));
                array(vec![samples, columns], width, all)
            }
        }
    }
}

/// An array of the narrowest type that numbers of `width` bits fit.
fn array(shape: Vec<usize>, width: u8, numbers: impl Iterator<Item = u64>) -> Array {
    let data = match width {
        0..=8 => Elements::U8(numbers.map(|x| x as u8).collect()),
        9..=16 => Elements::U16(numbers.map(|x| x as u16).collect()),
        17..=32 => Elements::U32(numbers.map(|x| x as u32).collect()),
        _ => Elements::U64(numbers.collect()),
    };
    Array { shape, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(shape: &[usize], data: Elements, columns: usize, kind: Kind) -> Result<Batch, &'static str> {
        let array = Array { shape: shape.into(), data };
        Batch::from_array(array, "b.npy", Wanted { columns, kind }).map_err(|e| e.code.id)
    }

    #[test]
    fn shapes() {
        let bytes = |n: usize| Elements::U8(vec![0; n]);
        assert_eq!(batch(&[3, 4], bytes(12), 4, Kind::Words).unwrap().samples(), 3);
        assert_eq!(batch(&[3, 2, 2], bytes(12), 4, Kind::Words).unwrap().samples(), 3);
        assert_eq!(batch(&[0, 4], bytes(0), 4, Kind::Words).unwrap().samples(), 0);
        for shape in [&[4, 3][..], &[12], &[], &[3, 4, 0], &[1, 3, 4]] {
            assert_eq!(batch(shape, bytes(12), 4, Kind::Words), Err("BL4020"), "{shape:?}");
        }
    }

    #[test]
    fn types() {
        let kinds = [Kind::Bits, Kind::Words, Kind::Reals];
        let accepted = |data: Elements| kinds.map(|k| batch(&[1, 1], data.clone(), 1, k).is_ok());
        assert_eq!(accepted(Elements::U8(vec![1])), [true, true, false]);
        assert_eq!(accepted(Elements::Bool(vec![true])), [true, true, false]);
        assert_eq!(accepted(Elements::U16(vec![1])), [false, true, false]);
        assert_eq!(accepted(Elements::F32(vec![1.0])), [false, false, true]);
        assert_eq!(accepted(Elements::F64(vec![1.0])), [false; 3], "nothing is rounded silently");
        assert_eq!(accepted(Elements::I64(vec![1])), [false; 3]);
        assert_eq!(batch(&[1, 1], Elements::I64(vec![1]), 1, Kind::Words), Err("BL4021"));
    }
}

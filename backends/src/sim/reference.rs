//! The reference engine: the evaluator of the language, one sample after the other. It runs functions of every level.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use blc_ir::diag::Result;
use blc_ir::eval::{Evaluator, Val, quantize};
use blc_ir::{Elem, Func, Module, Type};

use super::input::{Code, Data, Input, Limits};
use super::layout::Layout;
use super::output::{Outputs, Spare};
use super::program::code_of;

/// Samples that one evaluator is made for.
const BLOCK: usize = 512;

/// A function and what the evaluator needs of it.
#[derive(Debug)]
pub struct Reference<'a> {
    module: &'a Module,
    f: Cow<'a, Func>,
    inputs: Layout,
    outputs: Arc<Layout>,
    code: Option<Code>,
}

impl<'a> Reference<'a> {
    /// The evaluator on a function; registers are transparent.
    ///
    /// # Errors
    /// The function does not verify, has feedback, or an op from outside.
    pub fn new(module: &'a Module, f: &'a Func) -> Result<Self> {
        Self::of(module, Cow::Borrowed(f))
    }

    pub(super) fn of(module: &'a Module, f: Cow<'a, Func>) -> Result<Self> {
        Evaluator::new(module, &f)?;
        // Real ports take real numbers as they are.
        let real = f.params.iter().all(|p| f.ty(p.value).elem == Elem::F32);
        let inputs = Layout::inputs(&f);
        let code = if real { Some(vec![(0.0, 1.0); inputs.columns()]) } else { code_of(module, &f) };
        let outputs = Arc::new(Layout::outputs(&f));
        Ok(Self { module, f, inputs, outputs, code })
    }

    /// The columns that a sample's inputs have.
    pub fn inputs(&self) -> &Layout {
        &self.inputs
    }

    /// The columns that a sample's outputs have.
    pub fn outputs(&self) -> &Layout {
        &self.outputs
    }

    /// Whether real numbers may go in.
    pub fn takes_reals(&self) -> bool {
        self.code.is_some()
    }

    /// Evaluates all samples.
    ///
    /// # Errors
    /// As of the other engines.
    pub fn run(&self, input: &Input<'_>) -> Result<Outputs> {
        input.check_shape(&self.inputs, self.code.as_ref())?;
        let limits = Limits::new(&self.inputs);
        let blocks: Vec<usize> = (0..input.samples).step_by(BLOCK).collect();
        let tiles: Vec<Result<Vec<u64>>> = blocks
            .into_par_iter()
            .map(|first| {
                let rows = first..(first + BLOCK).min(input.samples);
                input.check_rows(&self.inputs, &limits, rows.clone())?;
                self.block(input, rows)
            })
            .collect();
        let tiles: Result<Vec<Vec<u64>>> = tiles.into_iter().collect();
        Ok(Outputs::new(&self.outputs, input.samples, tiles?, &Spare::default()))
    }

    fn block(&self, input: &Input<'_>, rows: Range<usize>) -> Result<Vec<u64>> {
        let mut evaluator = Evaluator::new(self.module, &self.f)?;
        let mut tiles = Vec::new();
        for row in rows {
            let results = evaluator.run(&self.sample(input, row))?;
            let first = tiles.len();
            tiles.resize(first + self.outputs.tiles().len(), 0);
            let words = results.iter().flat_map(|val| match val {
                Val::Packed(words) => words.clone(),
                Val::F32(reals) => reals.iter().map(|x| u64::from(x.to_bits())).collect(),
            });
            for (column, word) in words.enumerate() {
                let c = self.outputs.column(column);
                tiles[first + c.tile as usize] |= word << c.shift;
            }
        }
        Ok(tiles)
    }

    /// The values of the parameters in one row.
    fn sample(&self, input: &Input<'_>, row: usize) -> Vec<Val> {
        let f = &self.f;
        let params = f.params.iter().map(|p| f.ty(p.value)).filter(|&ty| ty != Type::CLOCK);
        let start = row * self.inputs.columns();
        params
            .zip(self.inputs.ports())
            .map(|(ty, port)| {
                let span = start + port.columns.start..start + port.columns.end;
                match (input.data, ty.elem) {
                    (Data::U8(d), Elem::F32) => Val::F32(d[span].iter().map(|&x| f32::from(x)).collect()),
                    (Data::U64(d), Elem::F32) => Val::F32(d[span].iter().map(|&x| x as f32).collect()),
                    (Data::F32(d), Elem::F32) => Val::F32(d[span].to_vec()),
                    (Data::U8(d), _) => Val::Packed(d[span].iter().map(|&x| u64::from(x)).collect()),
                    (Data::U64(d), _) => Val::Packed(d[span].to_vec()),
                    (Data::F32(d), _) => {
                        let code = self.code.iter().flatten().skip(port.columns.start);
                        let codes = d[span].iter().zip(code);
                        Val::Packed(codes.map(|(&x, &(o, s))| quantize(x, o, s, port.width)).collect())
                    }
                }
            })
            .collect()
    }
}

//! OR of windows: the largest of each, whose gradient goes to the first of the largest.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, bail};

use super::gather::{Readers, Source, gather};
use super::kernel::LANES;
use super::tensors;

/// A pool.
pub struct Pool {
    /// `[rows, window]`: the rows read; the row past the last is always 0.
    pub index: Vec<u32>,
    /// Bits of a window.
    pub window: usize,
}

/// One application of a pool.
pub struct Largest {
    pool: Arc<Pool>,
    /// `[rows, lanes]`: which bit of the window was the largest.
    at: OnceLock<Vec<u8>>,
}

impl Pool {
    /// The pool as an operation on `[rows, lanes]`.
    pub fn op(pool: &Arc<Self>) -> Largest {
        Largest { pool: Arc::clone(pool), at: OnceLock::new() }
    }
}

impl CustomOp1 for Largest {
    fn name(&self) -> &'static str {
        "or-pool"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, lanes) = layout.shape().dims2()?;
        let x = tensors::floats(x, layout)?;
        let Pool { index, window } = &*self.pool;
        if !lanes.is_multiple_of(LANES) || index.iter().any(|&i| i as usize > rows) {
            bail!("a window reads past the {rows} rows of {lanes} lanes below");
        }
        let places = index.len() / window;
        let (mut y, mut at) = (vec![0f32; places * lanes], vec![0u8; places * lanes]);
        let outputs = y.chunks_exact_mut(lanes).zip(at.chunks_exact_mut(lanes));
        for ((y, at), rows_read) in outputs.zip(index.chunks_exact(*window)) {
            for (j, &row) in rows_read.iter().enumerate().filter(|(_, row)| (**row as usize) < rows) {
                for ((y, at), &x) in y.iter_mut().zip(&mut *at).zip(&x[row as usize * lanes..]) {
                    if x > *y {
                        (*y, *at) = (x, j as u8);
                    }
                }
            }
        }
        self.at.get_or_init(|| at);
        Ok((CpuStorage::F32(y), (places, lanes).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let Some(at) = self.at.get() else { bail!("backward before forward") };
        let (rows, lanes) = x.dims2()?;
        let Pool { index, window } = &*self.pool;
        let words = lanes / LANES;
        let mut slots = vec![[0f32; LANES]; index.len() * words];
        tensors::with(&grad.contiguous()?, |grad: &[f32]| {
            for (i, (g, &at)) in grad.iter().zip(at).enumerate() {
                let (place, lane) = (i / lanes, i % lanes);
                slots[(place * window + at as usize) * words + lane / LANES][lane % LANES] = *g;
            }
            Ok(())
        })?;
        let (mut readers, mut d_x) = (Readers::default(), vec![0f32; rows * lanes]);
        readers.sort(index, rows);
        gather(&readers, Source::Slots(&slots), words, d_x.as_chunks_mut().0);
        Ok(Some(Tensor::from_vec(d_x, (rows, lanes), &Device::Cpu)?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    /// Three samples, and lanes of nothing.
    fn rows(rows: [[f32; 3]; 3]) -> Tensor {
        let padded = rows.map(|row| std::array::from_fn(|i| row.get(i).copied().unwrap_or(0.0)));
        Tensor::new(&padded as &[[f32; LANES]; 3], &Device::Cpu).unwrap()
    }

    #[test]
    fn the_largest_gets_the_gradient() {
        let x = Var::from_tensor(&rows([[0.0, 1.0, 0.25], [0.0, 1.0, 0.5], [1.0, 0.0, 0.75]])).unwrap();
        let pool = Arc::new(Pool { index: vec![0, 1, 1, 2, 2, 3], window: 2 });
        let y = x.apply_op1(Pool::op(&pool)).unwrap();
        let same = |found: &Tensor, expected| {
            assert_eq!(found.to_vec2::<f32>().unwrap(), rows(expected).to_vec2::<f32>().unwrap());
        };
        same(&y, [[0.0, 1.0, 0.5], [1.0, 1.0, 0.75], [1.0, 0.0, 0.75]]);
        let weights = rows([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0], [64.0, 128.0, 256.0]]);
        let d = (y * weights).unwrap().sum_all().unwrap().backward().unwrap();
        // Where all are 0 it goes to the first.
        same(d.get(&x).unwrap(), [[1.0, 2.0, 0.0], [0.0, 16.0, 4.0], [72.0, 128.0, 288.0]]);
    }
}

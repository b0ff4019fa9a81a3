//! OR of windows: the largest of each, whose gradient goes to the first of the largest.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, bail};

use super::chunk::gather;
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
        if index.iter().any(|&i| i as usize > rows) {
            bail!("a window reads past the {rows} rows below");
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
        let mut slots = vec![0f32; index.len() * lanes];
        tensors::with(&grad.contiguous()?, |grad: &[f32]| {
            for (i, (g, &at)) in grad.iter().zip(at).enumerate() {
                slots[(i / lanes * window + at as usize) * lanes + i % lanes] = *g;
            }
            Ok(())
        })?;
        Ok(Some(Tensor::from_vec(gather(index, rows, lanes, &slots), (rows, lanes), &Device::Cpu)?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    #[test]
    fn the_largest_gets_the_gradient() {
        let x = Var::new(&[[0f32, 1.0, 0.25], [0.0, 1.0, 0.5], [1.0, 0.0, 0.75]], &Device::Cpu).unwrap();
        let pool = Arc::new(Pool { index: vec![0, 1, 1, 2, 2, 3], window: 2 });
        let y = x.apply_op1(Pool::op(&pool)).unwrap();
        assert_eq!(y.to_vec2::<f32>().unwrap(), [[0.0, 1.0, 0.5], [1.0, 1.0, 0.75], [1.0, 0.0, 0.75]]);
        let weights = Tensor::new(&[[1f32, 2.0, 4.0], [8.0, 16.0, 32.0], [64.0, 128.0, 256.0]], &Device::Cpu).unwrap();
        let d = (y * weights).unwrap().sum_all().unwrap().backward().unwrap();
        let d = d.get(&x).unwrap().to_vec2::<f32>().unwrap();
        // Where all are 0 it goes to the first.
        assert_eq!(d, [[1.0, 2.0, 0.0], [0.0, 16.0, 4.0], [72.0, 128.0, 288.0]]);
    }
}

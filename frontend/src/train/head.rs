//! The head: sums of contiguous groups of bits, as logits.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::tensors;

/// Sums contiguous, equal groups of rows: `[nodes, lanes]` to `[groups, lanes]`.
pub struct GroupSum {
    /// How many groups.
    pub groups: usize,
}

impl CustomOp1 for GroupSum {
    fn name(&self) -> &'static str {
        "group-sum"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (nodes, lanes) = layout.shape().dims2()?;
        if self.groups == 0 || !nodes.is_multiple_of(self.groups) {
            bail!("{nodes} rows do not divide into {} groups", self.groups);
        }
        let bits = tensors::floats(storage, layout)?;
        let mut sums = vec![0f32; self.groups * lanes];
        sums.par_chunks_mut(lanes).zip(bits.par_chunks(nodes / self.groups * lanes)).for_each(|(sum, group)| {
            for row in group.chunks_exact(lanes) {
                sum.iter_mut().zip(row).for_each(|(s, x)| *s += x);
            }
        });
        Ok((CpuStorage::F32(sums), (self.groups, lanes).into()))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (nodes, lanes) = arg.dims2()?;
        let mut bits = vec![0f32; nodes * lanes];
        tensors::with(&grad.contiguous()?, |grad: &[f32]| {
            bits.par_chunks_mut(nodes / self.groups * lanes).zip(grad.par_chunks(lanes)).for_each(|(group, grad)| {
                group.chunks_exact_mut(lanes).for_each(|row| row.copy_from_slice(grad));
            });
            Ok(())
        })?;
        Ok(Some(Tensor::from_vec(bits, (nodes, lanes), arg.device())?))
    }
}

/// Logits `[batch, groups]` of the last layer's bits `[nodes, lanes]`.
pub fn logits(bits: &Tensor, groups: usize, temperature: f64, batch: usize) -> Result<Tensor> {
    bits.apply_op1(GroupSum { groups })?.narrow(1, 0, batch)?.t()?.affine(1.0 / temperature, 0.0)
}

/// The temperature that suits most: the spread of a sum of `nodes / groups` bits, scaled.
pub fn default_temperature(nodes: usize, groups: usize) -> f64 {
    0.3 * (nodes as f64 / groups as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn groups_are_contiguous_and_share_their_gradient() {
        let bits: Vec<f32> = (0..6 * 64).map(|i| ((i / 64 + i) % 3 % 2) as f32).collect();
        let x = Var::from_tensor(&Tensor::from_slice(&bits, (6, 64), &Device::Cpu).unwrap()).unwrap();
        let y = logits(&x, 2, 0.5, 10).unwrap();
        assert_eq!(y.dims2().unwrap(), (10, 2));
        let found = y.to_vec2::<f32>().unwrap();
        for (i, row) in found.iter().enumerate() {
            let sum = |from: usize| (from..from + 3).map(|n| bits[n * 64 + i]).sum::<f32>() / 0.5;
            assert_eq!(row, &[sum(0), sum(3)]);
        }
        let weights: Vec<f32> = (0..20).map(|i| i as f32).collect();
        let weights = Tensor::from_vec(weights, (10, 2), &Device::Cpu).unwrap();
        let grads = (y * weights).unwrap().sum_all().unwrap().backward().unwrap();
        let grad = grads.get(&x).unwrap().to_vec2::<f32>().unwrap();
        for (n, row) in grad.iter().enumerate() {
            for (i, g) in row.iter().enumerate() {
                let expected = if i < 10 { (2 * i + n / 3) as f32 / 0.5 } else { 0.0 };
                assert_eq!(*g, expected, "node {n}, sample {i}");
            }
        }
        assert!(x.apply_op1(GroupSum { groups: 4 }).is_err());
    }
}

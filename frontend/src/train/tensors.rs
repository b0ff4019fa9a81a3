//! Views of Candle's storage as slices.

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Result, Storage, Tensor, Var, WithDType, bail};

/// A contiguous tensor's numbers.
pub fn slice<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<T>()?[start..end]),
        None => bail!("the tensor is not contiguous"),
    }
}

/// A contiguous f32 tensor's numbers.
pub fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    slice(storage, layout)
}

/// Calls `f` with the numbers of a tensor in main memory.
pub fn with<T: WithDType, R>(tensor: &Tensor, f: impl FnOnce(&[T]) -> Result<R>) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(slice(storage, layout)?),
        _ => bail!("the tensor is not in main memory"),
    }
}

/// A copy of a tensor's numbers, whatever its shape and wherever it is.
pub fn copy(tensor: &Tensor) -> Result<Vec<f32>> {
    with(&tensor.to_device(&Device::Cpu)?, |numbers: &[f32]| Ok(numbers.to_vec()))
}

/// Changes a trained tensor's numbers in place.
pub fn change(var: &Var, f: impl Fn(&mut [f32])) -> Result<()> {
    struct Change<F>(F);
    impl<F: Fn(&mut [f32])> InplaceOp1 for Change<F> {
        fn name(&self) -> &'static str {
            "change"
        }
        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
            match (storage, layout.contiguous_offsets()) {
                (CpuStorage::F32(numbers), Some((start, end))) => self.0(&mut numbers[start..end]),
                _ => bail!("parameters are contiguous and f32"),
            }
            Ok(())
        }
    }
    var.inplace_op1(&Change(f))
}

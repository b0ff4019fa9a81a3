//! Views of Candle's storage as slices.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, WithDType, bail};

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

/// A copy of a tensor's numbers, whatever its shape.
pub fn copy(tensor: &Tensor) -> Result<Vec<f32>> {
    with(tensor, |numbers: &[f32]| Ok(numbers.to_vec()))
}

//! The safetensors container: tensors by name, each inside the file and as large as its shape says.

use std::collections::HashSet;

use safetensors::tensor::{Dtype, Metadata};

use super::{Wrong, connection_range};
use crate::codes;

/// Largest header: room for 100,000 layers.
const MAX_HEADER: usize = 1 << 24;

/// A safetensors file whose offsets are known to lie inside it.
pub struct Container<'a> {
    header: Metadata,
    data: &'a [u8],
    /// Tensors taken so far: each is taken once, so that a short file cannot stand for a huge model.
    taken: HashSet<String>,
}

/// A tensor of the file.
pub struct Tensor<'a> {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: &'a [u8],
    detail: String,
}

impl<'a> Container<'a> {
    /// `u64` header length, JSON header, data. The header's own checks are those of the safetensors crate: offsets
    /// without gaps, as many bytes as type and shape need, no overflow.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Wrong> {
        let not_ours = |message: String| {
            Wrong::new(&codes::NOT_SAFETENSORS, "", message).help("check that this is the file you meant")
        };
        let Some((length, rest)) = bytes.split_first_chunk() else {
            return Err(not_ours(format!("{} bytes are no safetensors file", bytes.len())));
        };
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_HEADER {
            return Err(not_ours(format!("not a safetensors file: it would have a header of {length} bytes")));
        }
        let Some((header, data)) = rest.split_at_checked(length) else {
            return Err(truncated(format!("the header should have {length} bytes, but only {} follow", rest.len())));
        };
        let header: Metadata =
            serde_json::from_slice(header).map_err(|e| not_ours(format!("not a safetensors file: bad header: {e}")))?;
        let claimed = header.data_len();
        if claimed > data.len() {
            return Err(truncated(format!("the tensors should have {claimed} bytes, but only {} follow", data.len())));
        }
        if claimed < data.len() {
            return Err(not_ours(format!("{} bytes follow after the last tensor", data.len() - claimed)));
        }
        Ok(Self { header, data, taken: HashSet::new() })
    }

    /// A text of the header's metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        Some(self.header.metadata().as_ref()?.get(key)?)
    }

    /// Takes a tensor; `place` is what names it.
    pub fn tensor(&mut self, name: &str, place: &str) -> Result<Tensor<'a>, Wrong> {
        if !self.taken.insert(name.to_owned()) {
            let message = format!("names tensor `{name}`, as another place does already");
            return Err(Wrong::new(&codes::TENSOR_SHARED, place, message).help("store a copy under another name"));
        }
        let missing = || Wrong::new(&codes::TENSOR_MISSING, place, format!("the file has no tensor `{name}`"));
        let info = self.header.info(name).ok_or_else(missing)?;
        let bytes = self.data.get(info.data_offsets.0..info.data_offsets.1).ok_or_else(missing)?;
        let detail = format!("{place}: tensor `{name}`");
        Ok(Tensor { dtype: info.dtype, shape: info.shape.clone(), bytes, detail })
    }
}

fn truncated(message: String) -> Wrong {
    Wrong::new(&codes::MODEL_TRUNCATED, "", message).help("copy or download the file again")
}

impl Tensor<'_> {
    /// The elements, little-endian.
    pub fn numbers<T, const N: usize>(&self, number: impl Fn([u8; N]) -> T) -> Vec<T> {
        self.bytes.as_chunks().0.iter().map(|&chunk| number(chunk)).collect()
    }

    /// Connections `[nodes, k]`, u32 or i64, into a layer of `width` bits; that they are below it is checked only as far as needed
    /// to store them.
    pub fn connections(self, width: usize) -> Result<Vec<u32>, Wrong> {
        match self.dtype {
            Dtype::U32 => Ok(self.numbers(u32::from_le_bytes)),
            Dtype::I64 => {
                let k = self.shape.last().copied().unwrap_or(1).max(1);
                let signed = self.numbers(i64::from_le_bytes);
                let small: Result<Vec<u32>, usize> =
                    signed.iter().enumerate().map(|(i, &c)| u32::try_from(c).map_err(|_| i)).collect();
                small.map_err(|i| Wrong { detail: self.detail, ..connection_range(i / k, i % k, signed[i], width) })
            }
            _ => Err(self.dtype_error("u32 or i64")),
        }
    }

    /// The refusal of this shape.
    pub fn shape_error(&self, expected: &str) -> Wrong {
        Wrong::new(&codes::TENSOR_SHAPE, &self.detail, format!("shape {:?} instead of {expected}", self.shape))
    }

    /// The refusal of this element type.
    pub fn dtype_error(&self, expected: &str) -> Wrong {
        Wrong::new(&codes::TENSOR_DTYPE, &self.detail, format!("elements of type {} instead of {expected}", self.dtype))
    }
}

//! Loads the data that a `.blir` text leaves in model files.

use std::collections::BTreeMap;
use std::path::Path;

use blc_ir::diag::Result;
use blc_ir::module::Origin;
use blc_ir::{Data, Module};
use safetensors::tensor::Dtype;

use super::Wrong;
use super::container::{Container, Tensor};
use super::read::MAX_FILE;
use crate::{codes, files};

/// Loads every resource that names a tensor of a safetensors file and has no data yet. File names are
/// relative to `folder`, that of the text; whether they lead out of it is for the caller to check.
///
/// Errors: `BL1001`, `BL1003` for a file, `BL1010`, `BL1011`, `BL1020` to `BL1023` for what is in it, `BL1024` where the data is not
/// what the text was written for.
pub fn load_resources(module: &mut Module, folder: &Path) -> Result<()> {
    let mut by_file: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, resource) in module.resources.iter().enumerate() {
        if let (Origin::File { file, .. }, None) = (&resource.origin, &resource.data) {
            by_file.entry(file.clone()).or_default().push(i);
        }
    }
    for (file, resources) in by_file {
        let path = folder.join(file);
        let bytes = files::read_bounded(&path, MAX_FILE)?;
        let loaded = load(module, &bytes, &resources);
        loaded.map_err(|wrong| wrong.in_file(&files::display(&path)))?;
    }
    Ok(())
}

fn load(module: &mut Module, bytes: &[u8], resources: &[usize]) -> Result<(), Wrong> {
    let mut container = Container::open(bytes)?;
    for &i in resources {
        let Some(resource) = module.resources.get_mut(i) else { continue };
        let Origin::File { tensor, sha256, .. } = &resource.origin else { continue };
        let place = format!("#{}", resource.name);
        let tensor = container.tensor(tensor, &place)?;
        let shape = tensor.shape.clone();
        let data = data(tensor)?;
        if data.sha256() != *sha256 {
            let message = "the tensor is not the one that the text was written for";
            return Err(Wrong::new(&codes::RESOURCE_CHANGED, &place, message)
                .help("compile the model again, or restore the file"));
        }
        resource.shape = shape;
        resource.data = Some(data);
    }
    Ok(())
}

fn data(tensor: Tensor<'_>) -> Result<Data, Wrong> {
    match tensor.dtype {
        Dtype::U8 => Ok(Data::U8(tensor.bytes.to_vec())),
        Dtype::F32 => Ok(Data::F32(tensor.numbers(f32::from_le_bytes))),
        Dtype::U64 => Ok(Data::U64(tensor.numbers(u64::from_le_bytes))),
        Dtype::U32 | Dtype::I64 => Ok(Data::U32(tensor.connections(usize::MAX)?)),
        _ => Err(tensor.dtype_error("u8, u32, u64, i64 or f32")),
    }
}

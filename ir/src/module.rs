//! A module: functions and the constant data they refer to.

use sha2::{Digest, Sha256};

use crate::entity;
use crate::func::Func;

entity!(
    /// A [`Resource`] of a module.
    ResourceId, "resource"
);

/// Constant data.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Bytes.
    U8(Vec<u8>),
    /// Connections.
    U32(Vec<u32>),
    /// Tables.
    U64(Vec<u64>),
    /// Real numbers.
    F32(Vec<f32>),
}

impl Data {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(d) => d.len(),
            Self::U32(d) => d.len(),
            Self::U64(d) => d.len(),
            Self::F32(d) => d.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `u8`, `u32`, `u64` or `f32`.
    pub fn dtype(&self) -> &'static str {
        match self {
            Self::U8(_) => "u8",
            Self::U32(_) => "u32",
            Self::U64(_) => "u64",
            Self::F32(_) => "f32",
        }
    }

    /// SHA-256 over the elements in little-endian order, in hexadecimal.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        match self {
            Self::U8(d) => hash.update(d),
            Self::U32(d) => d.iter().for_each(|x| hash.update(x.to_le_bytes())),
            Self::U64(d) => d.iter().for_each(|x| hash.update(x.to_le_bytes())),
            Self::F32(d) => d.iter().for_each(|x| hash.update(x.to_le_bytes())),
        }
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// Where a resource's data is.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// `resource "file"::"tensor" sha256:…`; the file is named relative to the text's own folder.
    File {
        /// File name.
        file: String,
        /// Tensor in it.
        tensor: String,
        /// As [`Data::sha256`].
        sha256: String,
    },
    /// `data u64[2] [0x8, 0x6]`, in the text itself.
    Inline,
}

/// Constant data with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Without the `#`.
    pub name: String,
    /// Where it is.
    pub origin: Origin,
    /// Dimensions; empty as long as the data is not loaded.
    pub shape: Vec<usize>,
    /// The elements, row-major; `None` until loaded from a file.
    pub data: Option<Data>,
}

impl Resource {
    /// Data that stands in the text itself.
    pub fn inline(name: impl Into<String>, shape: &[usize], data: Data) -> Self {
        Self { name: name.into(), origin: Origin::Inline, shape: shape.into(), data: Some(data) }
    }

    /// Data of a file's tensor, loaded.
    pub fn file(name: impl Into<String>, file: &str, tensor: &str, shape: &[usize], data: Data) -> Self {
        let origin = Origin::File { file: file.into(), tensor: tensor.into(), sha256: data.sha256() };
        Self { name: name.into(), origin, shape: shape.into(), data: Some(data) }
    }
}

/// Functions and their resources.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Without the `@`.
    pub name: String,
    /// The target, where one is chosen.
    pub target: Option<String>,
    /// Constant data.
    pub resources: Vec<Resource>,
    /// In order of declaration; the last one is the design's top.
    pub funcs: Vec<Func>,
}

impl Module {
    /// An empty module.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds a resource.
    pub fn add_resource(&mut self, resource: Resource) -> ResourceId {
        self.resources.push(resource);
        ResourceId::new(self.resources.len() - 1)
    }

    /// The resource of an id.
    pub fn resource(&self, id: ResourceId) -> Option<&Resource> {
        self.resources.get(id.index())
    }

    /// The design's top: the last function.
    pub fn top(&self) -> Option<&Func> {
        self.funcs.last()
    }

    /// The design's top, to change.
    pub fn top_mut(&mut self) -> Option<&mut Func> {
        self.funcs.last_mut()
    }
}

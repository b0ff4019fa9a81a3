//! Checkpoints: tensors by name, from `torch.save` (a state_dict, a dictionary that holds one, or a whole module) or from
//! safetensors.
//!
//! `torch.save` writes a ZIP archive: `NAME/data.pkl`, a pickle in which a tensor is a call of
//! `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...)`, and the storages as `NAME/data/KEY`, little-endian. Of a
//! whole module the pickle holds `_parameters`, `_buffers` and `_modules` of each module in their order; what stands there
//! under a tensor's name is what its state_dict would hold.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::io::Cursor;

use blc_ir::diag::{Code, Diagnostic, Result};
use safetensors::{Dtype, SafeTensors};
use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};

use super::pickle::{self, Id, Pickle, Value};
use crate::{codes, files, model};

/// Largest checkpoint.
pub const MAX_FILE: u64 = 4 << 30;
/// Most elements of all tensors that are read.
const MAX_ELEMENTS: usize = 1 << 27;
/// Most tensors, modules of a saved module, and levels of them.
const MAX_TENSORS: usize = 1 << 16;
const MAX_MODULES: usize = 1 << 14;
const MAX_DEPTH: usize = 64;
/// Most attributes of a module, dimensions of a tensor, and bytes of a name: parts of a pickle may be shared, and what is
/// made of each must not grow by that.
const MAX_ATTRIBUTES: usize = 1 << 12;
const MAX_RANK: usize = 16;
const MAX_NAME: usize = 1 << 10;
/// Keys under which programs keep the state_dict.
const STATE_KEYS: [&str; 4] = ["state_dict", "model_state_dict", "model", "net"];

/// A tensor's elements as f64, which holds those of every type exactly (whole numbers as far as 2^53, where no index lies).
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Sizes.
    pub shape: Vec<usize>,
    /// In row-major order.
    pub numbers: Vec<f64>,
    /// Of which type they were.
    pub kind: Kind,
}

/// The types of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// float32
    Single,
    /// float64
    Double,
    /// Whole numbers and booleans.
    Whole,
}

/// Where a tensor is.
#[derive(Clone, Debug)]
enum Slot {
    Torch {
        storage: String,
        class: &'static Storage,
        elements: usize,
        offset: usize,
        shape: Vec<usize>,
        stride: Vec<usize>,
    },
    Safetensors,
    /// No tensor, or one of a type that is not read: why.
    Other(String),
}

/// A module of a module that was saved whole.
#[derive(Clone, Debug)]
pub struct Module {
    /// As in the names of its tensors, without a dot at the end.
    pub path: String,
    /// Module and name of its class.
    pub class: (String, String),
    /// Its attributes.
    pub id: Id,
}

/// A checkpoint of which tensors are taken one by one.
pub struct Checkpoint<'a> {
    /// What diagnostics call it.
    pub file: String,
    source: Source<'a>,
    /// In the order of the file.
    names: Vec<String>,
    slots: HashMap<String, Slot>,
    taken: RefCell<HashSet<String>>,
    /// Elements that may still be read.
    left: Cell<usize>,
    /// In the order of their registration, each before those inside it; empty unless a whole module was saved.
    pub modules: Vec<Module>,
    /// What stands beside the state_dict.
    container: Option<Id>,
}

enum Source<'a> {
    Torch { pickle: Pickle, archive: RefCell<ZipArchive<Cursor<&'a [u8]>>>, folder: String },
    Safetensors(SafeTensors<'a>),
}

/// A class of storages: name, bytes an element, how one is read.
#[derive(Debug)]
struct Storage {
    name: &'static str,
    size: usize,
    kind: Kind,
    read: fn(&[u8]) -> f64,
}

fn bytes<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

static STORAGES: [Storage; 8] = [
    Storage { name: "FloatStorage", size: 4, kind: Kind::Single, read: |b| f32::from_le_bytes(bytes(b)).into() },
    Storage { name: "DoubleStorage", size: 8, kind: Kind::Double, read: |b| f64::from_le_bytes(bytes(b)) },
    Storage { name: "LongStorage", size: 8, kind: Kind::Whole, read: |b| i64::from_le_bytes(bytes(b)) as f64 },
    Storage { name: "IntStorage", size: 4, kind: Kind::Whole, read: |b| i32::from_le_bytes(bytes(b)).into() },
    Storage { name: "ShortStorage", size: 2, kind: Kind::Whole, read: |b| i16::from_le_bytes(bytes(b)).into() },
    Storage { name: "CharStorage", size: 1, kind: Kind::Whole, read: |b| i8::from_le_bytes(bytes(b)).into() },
    Storage { name: "ByteStorage", size: 1, kind: Kind::Whole, read: |b| bytes::<1>(b)[0].into() },
    Storage { name: "BoolStorage", size: 1, kind: Kind::Whole, read: |b| bytes::<1>(b)[0].into() },
];

fn storage_of(dtype: Dtype) -> Option<&'static Storage> {
    let name = match dtype {
        Dtype::F32 => "FloatStorage",
        Dtype::F64 => "DoubleStorage",
        Dtype::I64 => "LongStorage",
        Dtype::I32 => "IntStorage",
        Dtype::I16 => "ShortStorage",
        Dtype::I8 => "CharStorage",
        Dtype::U8 => "ByteStorage",
        Dtype::BOOL => "BoolStorage",
        _ => return None,
    };
    STORAGES.iter().find(|s| s.name == name)
}

impl<'a> Checkpoint<'a> {
    /// Opens a checkpoint; `key` is where the state_dict stands in it, if not under a usual name.
    ///
    /// Errors: `BL1401` to `BL1403`, `BL1405`.
    pub fn open(bytes: &'a [u8], file: &str, key: Option<&str>) -> Result<Self> {
        let refused = |code: &'static Code, message: String| Diagnostic::error(code, message).in_file(file, "");
        if !bytes.starts_with(b"PK") {
            if bytes.starts_with(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") {
                let d =
                    refused(&codes::CHECKPOINT_FORMAT, "written by PyTorch before 1.6, in the format of then".into());
                return Err(d.help("load it in Python and save it again with torch.save").into());
            }
            let tensors = SafeTensors::deserialize(bytes).map_err(|e| {
                refused(&codes::CHECKPOINT_FORMAT, format!("neither written by torch.save nor safetensors: {e}"))
                    .help("check that this is the file you meant")
            })?;
            if model::is_model(bytes) {
                let d = refused(&codes::CHECKPOINT_FORMAT, "a model of blc already, nothing to import".into());
                return Err(d.help("`blc compile` takes it as it is").into());
            }
            let mut names: Vec<String> = tensors.names().into_iter().map(str::to_owned).collect();
            names.sort_by(|a, b| natural(a).cmp(&natural(b)));
            let slots = names.iter().map(|n| (n.clone(), Slot::Safetensors)).collect();
            let source = Source::Safetensors(tensors);
            let (taken, left, modules) = (RefCell::default(), Cell::new(MAX_ELEMENTS), Vec::new());
            return Ok(Self { file: file.into(), source, names, slots, taken, left, modules, container: None });
        }
        let damaged = |message: String| refused(&codes::CHECKPOINT_DAMAGED, message);
        // Without a guess of where the archive begins: that takes the 76 bytes of ZIP64 records behind the directory for a
        // shift where the first entry of the directory has as many, as in a file saved under a name of 21 letters.
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let archive = ZipArchive::with_config(config, Cursor::new(bytes));
        let mut archive = archive.map_err(|e| damaged(format!("not a readable ZIP archive: {e}")))?;
        if archive.has_duplicate_names() {
            return Err(damaged("two files of the archive have the same name".into()).into());
        }
        let found = archive.file_names_raw().find_map(|raw| {
            let folder = std::str::from_utf8(raw).ok()?.strip_suffix("data.pkl")?;
            (folder.is_empty() || folder.ends_with('/')).then(|| folder.to_owned())
        });
        let Some(folder) = found else {
            let message = "a ZIP archive, but without the data.pkl of torch.save".to_owned();
            return Err(refused(&codes::CHECKPOINT_FORMAT, message).into());
        };
        if archive.file_names_raw().any(|raw| raw == format!("{folder}constants.pkl").as_bytes()) {
            let d = refused(&codes::CHECKPOINT_FORMAT, "a TorchScript archive, which holds a program".into());
            return Err(d.help("save the state_dict instead: torch.save(model.state_dict(), \"model.pt\")").into());
        }
        let order = entry(&mut archive, &format!("{folder}byteorder"), 16).map_err(&damaged)?;
        if order.is_some_and(|order| order != b"little") {
            return Err(refused(&codes::CHECKPOINT_FORMAT, "written by a big-endian machine".into()).into());
        }
        let text = entry(&mut archive, &format!("{folder}data.pkl"), pickle::MAX_BYTES).map_err(damaged)?;
        let pickle = Pickle::parse(&text.unwrap_or_default()).map_err(|e| refused(&codes::PICKLE, e))?;
        let source = Source::Torch { pickle, archive: RefCell::new(archive), folder };
        let mut open = Self {
            file: file.into(),
            source,
            names: Vec::new(),
            slots: HashMap::new(),
            taken: RefCell::default(),
            left: Cell::new(MAX_ELEMENTS),
            modules: Vec::new(),
            container: None,
        };
        open.read_state(key)?;
        Ok(open)
    }

    /// Finds the state_dict and what is in it.
    fn read_state(&mut self, key: Option<&str>) -> Result<()> {
        let Source::Torch { pickle, .. } = &self.source else { return Ok(()) };
        let holds_state = |id: Id| {
            let tensor = |(_, v): &(Id, Id)| rebuilt(pickle, *v).is_some();
            is_module(pickle, id) || pickle.entries(id).is_some_and(|e| e.iter().any(tensor))
        };
        let keys: Vec<&str> = key.map_or(STATE_KEYS.to_vec(), |key| vec![key]);
        let root = pickle.root();
        let inner = keys.iter().find_map(|key| pickle.field(root, key)).filter(|&id| holds_state(id));
        let state = match inner {
            Some(id) if !is_module(pickle, root) => id,
            _ if key.is_none() && holds_state(root) => root,
            _ => {
                let known: Vec<_> =
                    pickle.entries(root).into_iter().flatten().filter_map(|(k, _)| pickle.text(*k)).take(20).collect();
                let what = if known.is_empty() {
                    "no dictionary".into()
                } else {
                    format!("with the keys {}", known.join(", "))
                };
                let message = format!("no state_dict is found in what was saved, {what}");
                let help = "name the key of the state_dict in the sidecar: key = \"...\"";
                return Err(self.refuse(&codes::CHECKPOINT_STATE, "", message).help(help).into());
            }
        };
        let (mut found, mut modules) = (Vec::new(), Vec::new());
        if is_module(pickle, state) {
            if !walk(pickle, state, &mut found, &mut modules) {
                let message = format!(
                    "more than {MAX_MODULES} modules, {MAX_TENSORS} tensors, {MAX_DEPTH} levels, {MAX_ATTRIBUTES} \
                     attributes of one, or a name of more than {MAX_NAME} bytes"
                );
                return Err(self.refuse(&codes::CHECKPOINT_STATE, "", message).into());
            }
        } else {
            let entries = pickle.entries(state).unwrap_or_default();
            if entries.len() > MAX_TENSORS {
                let message = format!("{} tensors; up to {MAX_TENSORS} are read", entries.len());
                return Err(self.refuse(&codes::CHECKPOINT_STATE, "", message).into());
            }
            found.extend(entries.iter().map(|&(k, v)| (named(pickle, k).unwrap_or("?").to_owned(), v)));
        }
        let container = (state != root).then_some(root);
        let slots: Vec<_> = found.into_iter().map(|(name, id)| (name, slot(pickle, id))).collect();
        for (name, slot) in slots {
            if self.slots.insert(name.clone(), slot).is_none() {
                self.names.push(name);
            }
        }
        (self.modules, self.container) = (modules, container);
        Ok(())
    }

    /// The pickle, where there is one.
    pub fn pickle(&self) -> Option<&Pickle> {
        if let Source::Torch { pickle, .. } = &self.source { Some(pickle) } else { None }
    }

    /// What stands beside the state_dict.
    pub fn container(&self) -> Option<Id> {
        self.container
    }

    /// The names of all tensors in the order of the file; of safetensors, which has none, sorted with numbers by their size.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether there is a tensor of that name.
    pub fn has(&self, name: &str) -> bool {
        self.slots.contains_key(name)
    }

    /// A refusal; `detail` is a tensor's or layer's name.
    pub fn refuse(&self, code: &'static Code, detail: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).in_file(self.file.clone(), detail)
    }

    /// The sizes of a tensor, as the file claims them.
    ///
    /// Errors: `BL1407` where there is none of that name, `BL1404` where it is none.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>> {
        match (self.slots.get(name), &self.source) {
            (Some(Slot::Torch { shape, .. }), _) => Ok(shape.clone()),
            (Some(Slot::Safetensors), Source::Safetensors(file)) => {
                let view =
                    file.tensor(name).map_err(|e| self.refuse(&codes::CHECKPOINT_DAMAGED, name, e.to_string()))?;
                Ok(view.shape().to_vec())
            }
            (Some(Slot::Other(why)), _) => Err(self.refuse(&codes::CHECKPOINT_DTYPE, name, why).into()),
            _ => Err(self.refuse(&codes::CHECKPOINT_LACKS, name, "the checkpoint has no tensor of that name").into()),
        }
    }

    /// Takes a tensor of real numbers, all of them finite.
    ///
    /// Errors: those of [`Self::shape`], `BL1402`, `BL1404`, `BL1413`.
    pub fn floats(&self, name: &str) -> Result<Tensor> {
        let tensor = self.take(name)?;
        if tensor.kind == Kind::Whole {
            return Err(self.refuse(&codes::CHECKPOINT_DTYPE, name, "whole numbers instead of real ones").into());
        }
        match tensor.numbers.iter().position(|x| !x.is_finite()) {
            None => Ok(tensor),
            Some(i) => {
                let message = format!("element {i} is {}, which no hardware computes", tensor.numbers[i]);
                Err(self.refuse(&codes::WEIGHT_NOT_FINITE, name, message).into())
            }
        }
    }

    /// Takes a tensor of whole numbers.
    ///
    /// Errors: those of [`Self::shape`], `BL1402`, `BL1404`.
    pub fn wholes(&self, name: &str) -> Result<Tensor> {
        let tensor = self.take(name)?;
        if tensor.kind == Kind::Whole {
            return Ok(tensor);
        }
        Err(self.refuse(&codes::CHECKPOINT_DTYPE, name, "real numbers instead of whole ones").into())
    }

    /// The whole numbers that a value of the pickle is a tensor of.
    ///
    /// Errors: `BL1402`, `BL1404`.
    pub fn wholes_of(&self, id: Id, name: &str) -> Result<Tensor> {
        let tensor = self.tensor_of(id, name)?;
        if tensor.kind == Kind::Whole {
            return Ok(tensor);
        }
        Err(self.refuse(&codes::CHECKPOINT_DTYPE, name, "real numbers instead of whole ones").into())
    }

    fn take(&self, name: &str) -> Result<Tensor> {
        self.leave(name);
        let shape = self.shape(name)?;
        match (&self.slots[name], &self.source) {
            (Slot::Safetensors, Source::Safetensors(file)) => {
                let damaged =
                    |e: safetensors::SafeTensorError| self.refuse(&codes::CHECKPOINT_DAMAGED, name, e.to_string());
                let view = file.tensor(name).map_err(damaged)?;
                let Some(class) = storage_of(view.dtype()) else {
                    let message = format!("elements of type {}; convert them with .float()", view.dtype());
                    return Err(self.refuse(&codes::CHECKPOINT_DTYPE, name, message).into());
                };
                self.spend(name, view.data().len() / class.size)?;
                let numbers = view.data().chunks_exact(class.size).map(class.read).collect();
                Ok(Tensor { shape, numbers, kind: class.kind })
            }
            (slot, _) => self.stored(name, slot),
        }
    }

    /// Counts elements that are read.
    fn spend(&self, name: &str, elements: usize) -> Result<()> {
        let left = self.left.get().checked_sub(elements).ok_or_else(|| {
            let message = format!("more than {MAX_ELEMENTS} elements with the tensors before it");
            self.refuse(&codes::CHECKPOINT_DAMAGED, name, message)
        })?;
        self.left.set(left);
        Ok(())
    }

    /// The tensor that a value of the pickle is.
    ///
    /// Errors: `BL1402`, `BL1404`.
    pub fn tensor_of(&self, id: Id, name: &str) -> Result<Tensor> {
        match self.pickle() {
            Some(pickle) => self.stored(name, &slot(pickle, id)),
            None => {
                Err(self.refuse(&codes::CHECKPOINT_LACKS, name, "the checkpoint has no tensor of that name").into())
            }
        }
    }

    /// Marks a tensor as known and needed for nothing.
    pub fn leave(&self, name: &str) {
        self.taken.borrow_mut().insert(name.to_owned());
    }

    /// Refuses tensors that were not asked for: whatever they mean, it would be left out.
    ///
    /// Errors: `BL1406`
    pub fn finish(&self) -> Result<()> {
        let taken = self.taken.borrow();
        let left: Vec<&str> = self.names().filter(|n| !taken.contains(*n)).collect();
        if left.is_empty() {
            return Ok(());
        }
        let more = if left.len() > 8 { format!(" and {} more", left.len() - 8) } else { String::new() };
        let message = format!("tensors that no layer uses: {}{more}", left[..left.len().min(8)].join(", "));
        let help = "check `--from`; layers that are not lookup tables cannot be compiled";
        Err(self.refuse(&codes::CHECKPOINT_UNKNOWN, left[0], message).help(help).into())
    }

    fn stored(&self, name: &str, slot: &Slot) -> Result<Tensor> {
        let (Source::Torch { archive, folder, .. }, Slot::Torch { storage, class, elements, offset, shape, stride }) =
            (&self.source, slot)
        else {
            let why = if let Slot::Other(why) = slot { why } else { "no tensor" };
            return Err(self.refuse(&codes::CHECKPOINT_DTYPE, name, why).into());
        };
        let damaged = |message: String| self.refuse(&codes::CHECKPOINT_DAMAGED, name, message);
        let most = (self.left.get() * class.size) as u64;
        let data = entry(&mut archive.borrow_mut(), &format!("{folder}data/{storage}"), most).map_err(damaged)?;
        let data = data.ok_or_else(|| damaged(format!("the archive has no data/{storage}")))?;
        let held = data.len() / class.size;
        self.spend(name, held)?;
        let len = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let last = shape
            .iter()
            .zip(stride)
            .try_fold(*offset, |at, (&d, &s)| at.checked_add(d.saturating_sub(1).checked_mul(s)?));
        // An element may stand at several places only in tensors that nothing here asks for.
        match (len, last) {
            (Some(0), _) => return Ok(Tensor { shape: shape.clone(), numbers: Vec::new(), kind: class.kind }),
            (Some(len), Some(last)) if last < held && len <= held && *elements <= held => {}
            _ => {
                let message = format!(
                    "shape {shape:?}, strides {stride:?} and offset {offset} do not fit {held} stored elements"
                );
                return Err(damaged(message).into());
            }
        }
        let mut numbers = Vec::with_capacity(len.unwrap_or(0));
        let mut index = vec![0; shape.len()];
        let mut at = *offset;
        loop {
            numbers.push((class.read)(&data[at * class.size..]));
            // The next index, last dimension first.
            let Some(axis) = (0..shape.len()).rev().find(|&axis| index[axis] + 1 < shape[axis]) else { break };
            index[axis] += 1;
            at += stride[axis];
            for rest in axis + 1..shape.len() {
                at -= index[rest] * stride[rest];
                index[rest] = 0;
            }
        }
        Ok(Tensor { shape: shape.clone(), numbers, kind: class.kind })
    }
}

/// A file of the archive, where there is one, of at most `max` bytes.
fn entry(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str, max: u64) -> Result<Option<Vec<u8>>, String> {
    let index = archive.file_names_raw().position(|raw| raw == name.as_bytes());
    match index {
        Some(index) => files::unpack(archive, index, max).map(Some),
        None => Ok(None),
    }
}

/// A name with its numbers apart, so that 2 comes before 10.
fn natural(name: &str) -> Vec<(u64, &str)> {
    name.split('.').map(|part| (part.parse().unwrap_or(u64::MAX), part)).collect()
}

/// The text that a key is, of a length that names have.
fn named(pickle: &Pickle, key: Id) -> Option<&str> {
    pickle.text(key).filter(|text| text.len() <= MAX_NAME)
}

/// Arguments of `_rebuild_tensor_v2`, also inside `_rebuild_parameter`.
fn rebuilt(pickle: &Pickle, id: Id) -> Option<&[Id]> {
    let (global, args) = pickle.call(id)?;
    match global {
        ("torch._utils", "_rebuild_tensor_v2") => Some(args),
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
            match pickle.call(*args.first()?)? {
                (("torch._utils", "_rebuild_tensor_v2"), args) => Some(args),
                _ => None,
            }
        }
        _ => None,
    }
}

fn slot(pickle: &Pickle, id: Id) -> Slot {
    let Some(args) = rebuilt(pickle, id) else { return Slot::Other("not a plain tensor".into()) };
    let described = || {
        let [storage, offset, shape, stride, ..] = args else { return None };
        let Value::Persistent(storage) = pickle.get(*storage) else { return None };
        let [_, class, key, _, elements] = pickle.items(*storage)? else { return None };
        let (_, class) = pickle.global(*class).filter(|(_, class)| class.len() <= MAX_NAME)?;
        let Some(class) = STORAGES.iter().find(|s| s.name == class) else {
            return Some(Slot::Other(format!("elements of a {class}; convert them with .float()")));
        };
        let sizes = |id: Id| pickle.items(id).filter(|all| all.len() <= MAX_RANK).and_then(|_| pickle.sizes(id));
        let (shape, stride) = (sizes(*shape)?, sizes(*stride)?);
        let (offset, elements) =
            (usize::try_from(pickle.int(*offset)?).ok()?, usize::try_from(pickle.int(*elements)?).ok()?);
        let storage = named(pickle, *key)?.to_owned();
        (shape.len() == stride.len()).then_some(Slot::Torch { storage, class, elements, offset, shape, stride })
    };
    described().unwrap_or_else(|| Slot::Other("a tensor that is described in another way than torch.save does".into()))
}

fn is_module(pickle: &Pickle, id: Id) -> bool {
    pickle.attributes(id).is_some_and(|all| all.len() <= MAX_ATTRIBUTES)
        && ["_parameters", "_buffers", "_modules"].iter().all(|key| pickle.field(id, key).is_some())
}

/// Tensors and modules of a module, by an explicit stack; false where there are too many.
fn walk(pickle: &Pickle, root: Id, found: &mut Vec<(String, Id)>, modules: &mut Vec<Module>) -> bool {
    let mut todo = vec![(String::new(), root, 0)];
    while let Some((path, id, depth)) = todo.pop() {
        if modules.len() >= MAX_MODULES || depth > MAX_DEPTH || path.len() > MAX_NAME {
            return false;
        }
        let entries = |key: &str| pickle.field(id, key).and_then(|id| pickle.entries(id)).unwrap_or_default();
        let under = |key: Id| {
            let key = named(pickle, key).unwrap_or("?");
            if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
        };
        let unsaved = pickle.field(id, "_non_persistent_buffers_set");
        let many = |key: &str| entries(key).len() > MAX_ATTRIBUTES;
        if many("_parameters") || many("_buffers") || many("_modules") || found.len() > MAX_TENSORS {
            return false;
        }
        let saved = |key: Id| {
            let args = unsaved.and_then(|id| pickle.call(id)).and_then(|(_, args)| pickle.items(*args.first()?));
            !args.is_some_and(|names| names.iter().take(MAX_ATTRIBUTES).any(|&n| pickle.get(n) == pickle.get(key)))
        };
        let buffers = entries("_buffers").iter().filter(|(k, _)| saved(*k));
        let tensors = entries("_parameters").iter().chain(buffers).filter(|(_, v)| *pickle.get(*v) != Value::None);
        found.extend(tensors.map(|&(k, v)| (under(k), v)));
        let inside = entries("_modules").iter().filter(|(_, v)| is_module(pickle, *v));
        todo.extend(inside.rev().map(|&(k, v)| (under(k), v, depth + 1)));
        let class = match pickle.get(id) {
            Value::Object { callable, .. } => pickle.global(*callable),
            _ => None,
        };
        let short = |(module, name): &(&str, &str)| module.len().max(name.len()) <= MAX_NAME;
        let (module, name) = class.filter(short).unwrap_or(("?", "?"));
        modules.push(Module { path, class: (module.into(), name.into()), id });
    }
    true
}

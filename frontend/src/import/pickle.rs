//! Pickles as data: opcodes build a graph of values, and nothing is ever imported or called.
//!
//! Opcodes and their meaning: `Lib/pickletools.py` of CPython; those that `torch.save` writes (protocol 2) and the ones of
//! protocol 4. What would call something becomes an [`Value::Object`] that says what would have been called. Shared parts of the
//! graph are shared here too, by index, so that a short file cannot unfold into a large one; a graph may have cycles.
//! (Candle's pickle reader copies what is shared, allocates what the file claims, and knows no 32-bit integers.)

use std::collections::HashMap;

/// Longest pickle, unpacked.
pub const MAX_BYTES: u64 = 1 << 26;
/// Most values.
const MAX_VALUES: usize = 1 << 23;

/// Index of a value.
pub type Id = u32;

/// A value of the graph.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// Whole numbers of up to eight bytes.
    Int(i64),
    /// A Python `float`.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes, whose contents nothing here needs.
    Bytes,
    /// A class or function by name: module, then name.
    Global(String, String),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A list or set.
    List(Vec<Id>),
    /// A `dict` or `OrderedDict`, in the file's order.
    Dict(Vec<(Id, Id)>),
    /// What a call would have made.
    Object {
        /// What would have been called.
        callable: Id,
        /// With what.
        args: Id,
        /// The state it would have been given.
        state: Option<Id>,
    },
    /// Something stored elsewhere: the data of a tensor.
    Persistent(Id),
}

/// A pickle that was read.
#[derive(Debug)]
pub struct Pickle {
    values: Vec<Value>,
    root: Id,
}

impl Pickle {
    /// Reads a pickle.
    ///
    /// Errors: what is wrong with it, and at which byte.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(format!("the pickle has more than {MAX_BYTES} bytes"));
        }
        let mut machine =
            Machine { bytes, at: 0, values: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
        loop {
            let at = machine.at;
            match machine.step() {
                Ok(None) => {}
                Ok(Some(root)) => return Ok(Self { values: machine.values, root }),
                Err(why) => return Err(format!("byte {at} of the pickle: {why}")),
            }
        }
    }

    /// The value that was saved.
    pub fn root(&self) -> Id {
        self.root
    }

    /// A value.
    pub fn get(&self, id: Id) -> &Value {
        &self.values[id as usize]
    }

    /// A text.
    pub fn text(&self, id: Id) -> Option<&str> {
        if let Value::Text(text) = self.get(id) { Some(text) } else { None }
    }

    /// A whole number.
    pub fn int(&self, id: Id) -> Option<i64> {
        if let Value::Int(n) = self.get(id) { Some(*n) } else { None }
    }

    /// A number.
    pub fn number(&self, id: Id) -> Option<f64> {
        match self.get(id) {
            Value::Int(n) => Some(*n as f64),
            Value::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// What a tuple or list holds.
    pub fn items(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) | Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Whole numbers, none of them negative, in a tuple or list.
    pub fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        self.items(id)?.iter().map(|&i| usize::try_from(self.int(i)?).ok()).collect()
    }

    /// The entries of a dictionary.
    pub fn entries(&self, id: Id) -> Option<&[(Id, Id)]> {
        if let Value::Dict(entries) = self.get(id) { Some(entries) } else { None }
    }

    /// The entries of a dictionary, or of the state of an object.
    pub fn attributes(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.get(id) {
            Value::Object { state: Some(state), .. } => self.entries(*state),
            _ => self.entries(id),
        }
    }

    /// The value under a text in a dictionary, or in the state of an object; of several the last.
    pub fn field(&self, id: Id, key: &str) -> Option<Id> {
        self.attributes(id)?.iter().rev().find(|(k, _)| self.text(*k) == Some(key)).map(|(_, v)| *v)
    }

    /// Module and name of a class or function.
    pub fn global(&self, id: Id) -> Option<(&str, &str)> {
        if let Value::Global(module, name) = self.get(id) { Some((module, name)) } else { None }
    }

    /// What an object would have been made by, and its arguments.
    pub fn call(&self, id: Id) -> Option<((&str, &str), &[Id])> {
        let Value::Object { callable, args, .. } = self.get(id) else { return None };
        Some((self.global(*callable)?, self.items(*args)?))
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl Machine<'_> {
    /// Runs an opcode; the one that stops gives the result.
    fn step(&mut self) -> Result<Option<Id>, String> {
        let [op] = self.array()?;
        match op {
            // PROTO, FRAME
            0x80 => drop(self.array::<1>()?),
            0x95 => drop(self.array::<8>()?),
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            // The memo.
            b'q' => self.put(|b: [u8; 1]| b[0].into())?,
            b'r' => self.put(u32::from_le_bytes)?,
            0x94 => {
                let (top, next) = (self.top()?, self.memo.len() as u32);
                self.memo.insert(next, top);
            }
            b'h' => self.recall(|b: [u8; 1]| b[0].into())?,
            b'j' => self.recall(u32::from_le_bytes)?,
            // Numbers and texts.
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'J' => self.number(|b| i32::from_le_bytes(b).into())?,
            b'K' => self.number(|b: [u8; 1]| b[0].into())?,
            b'M' => self.number(|b| u16::from_le_bytes(b).into())?,
            0x8a => self.long()?,
            b'G' => {
                let x = f64::from_be_bytes(self.array()?);
                self.push(Value::Float(x))?;
            }
            b'X' => self.text(|b: [u8; 4]| u32::from_le_bytes(b) as usize)?,
            0x8c => self.text(|b: [u8; 1]| b[0].into())?,
            b'B' => self.opaque(|b: [u8; 4]| u32::from_le_bytes(b) as usize)?,
            b'C' => self.opaque(|b: [u8; 1]| b[0].into())?,
            // Containers.
            b')' => self.push(Value::Tuple(Vec::new()))?,
            b']' | 0x8f => self.push(Value::List(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            0x85..=0x87 => {
                let height = self.stack.len().checked_sub((op - 0x84).into()).ok_or("the stack is too short")?;
                let items = self.split(height)?;
                self.push(Value::Tuple(items))?;
            }
            b't' | b'l' => {
                let items = self.pop_mark()?;
                self.push(if op == b't' { Value::Tuple(items) } else { Value::List(items) })?;
            }
            b'd' => {
                let entries = pairs(&self.pop_mark()?)?;
                self.push(Value::Dict(entries))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.append(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[(key, value)])?;
            }
            b'u' => {
                let entries = pairs(&self.pop_mark()?)?;
                self.set(&entries)?;
            }
            // Objects.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(module, name))?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (&self.values[module as usize], &self.values[name as usize]) {
                    (Value::Text(module), Value::Text(name)) => {
                        let global = Value::Global(module.clone(), name.clone());
                        self.push(global)?;
                    }
                    _ => return Err("the name of a class is no text".into()),
                }
            }
            b'R' | 0x81 => {
                let (args, callable) = (self.pop()?, self.pop()?);
                self.reduce(callable, args)?;
            }
            b'b' => self.build()?,
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Persistent(id))?;
            }
            _ => return Err(format!("opcode {op:#04x}, which torch.save does not write")),
        }
        Ok(None)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let found = self.bytes[self.at..].first_chunk().ok_or("it ends too early")?;
        self.at += N;
        Ok(*found)
    }

    fn take(&mut self, len: usize) -> Result<&[u8], String> {
        let found = self.bytes[self.at..].get(..len).ok_or("it ends too early")?;
        self.at += len;
        Ok(found)
    }

    fn push(&mut self, value: Value) -> Result<(), String> {
        if self.values.len() >= MAX_VALUES {
            return Err(format!("more than {MAX_VALUES} values"));
        }
        self.stack.push(self.values.len() as Id);
        self.values.push(value);
        Ok(())
    }

    fn top(&self) -> Result<Id, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack[floor.min(self.stack.len())..].last().copied().ok_or_else(|| "the stack is empty".into())
    }

    fn pop(&mut self) -> Result<Id, String> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// What lies above a height, which no mark lies above.
    fn split(&mut self, height: usize) -> Result<Vec<Id>, String> {
        if self.marks.last().is_some_and(|&mark| mark > height) {
            return Err("the stack is too short".into());
        }
        Ok(self.stack.split_off(height))
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("there is no mark")?;
        Ok(self.stack.split_off(mark))
    }

    fn put<const N: usize>(&mut self, index: impl Fn([u8; N]) -> u32) -> Result<(), String> {
        let (index, top) = (index(self.array()?), self.top()?);
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall<const N: usize>(&mut self, index: impl Fn([u8; N]) -> u32) -> Result<(), String> {
        let index = index(self.array()?);
        self.stack.push(*self.memo.get(&index).ok_or_else(|| format!("nothing was kept as {index}"))?);
        Ok(())
    }

    fn number<const N: usize>(&mut self, number: impl Fn([u8; N]) -> i64) -> Result<(), String> {
        let n = number(self.array()?);
        self.push(Value::Int(n))
    }

    /// A whole number of up to eight bytes, two's complement, little-endian; larger ones are no sizes.
    fn long(&mut self) -> Result<(), String> {
        let [len] = self.array()?;
        let bytes = self.take(len.into())?;
        let sign = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
        let mut wide = [sign; 8];
        match wide.get_mut(..bytes.len()) {
            Some(low) => low.copy_from_slice(bytes),
            // Seeds of random generators and the like.
            None => return self.push(Value::Bytes),
        }
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn text<const N: usize>(&mut self, len: impl Fn([u8; N]) -> usize) -> Result<(), String> {
        let len = len(self.array()?);
        let text = std::str::from_utf8(self.take(len)?).map_err(|_| "a text that is not UTF-8")?.to_owned();
        self.push(Value::Text(text))
    }

    fn opaque<const N: usize>(&mut self, len: impl Fn([u8; N]) -> usize) -> Result<(), String> {
        let len = len(self.array()?);
        self.take(len)?;
        self.push(Value::Bytes)
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = &self.bytes[self.at..];
        let len = rest.iter().position(|&b| b == b'\n').ok_or("it ends too early")?;
        let line = std::str::from_utf8(&rest[..len]).map_err(|_| "a name that is not UTF-8")?.to_owned();
        self.at += len + 1;
        Ok(line)
    }

    fn append(&mut self, items: &[Id]) -> Result<(), String> {
        let top = self.top()?;
        match &mut self.values[top as usize] {
            Value::List(list) => list.extend_from_slice(items),
            // A subclass of list, whose items nothing here needs.
            Value::Object { .. } => {}
            _ => return Err("items for something that is no list".into()),
        }
        Ok(())
    }

    fn set(&mut self, entries: &[(Id, Id)]) -> Result<(), String> {
        let top = self.top()?;
        match &mut self.values[top as usize] {
            Value::Dict(dict) => dict.extend_from_slice(entries),
            Value::Object { .. } => {}
            _ => return Err("entries for something that is no dictionary".into()),
        }
        Ok(())
    }

    fn reduce(&mut self, callable: Id, args: Id) -> Result<(), String> {
        let none = matches!(&self.values[args as usize], Value::Tuple(args) if args.is_empty());
        let ordered = matches!(&self.values[callable as usize],
            Value::Global(module, name) if module == "collections" && name == "OrderedDict");
        if ordered && none {
            return self.push(Value::Dict(Vec::new()));
        }
        self.push(Value::Object { callable, args, state: None })
    }

    /// An object's state. That of an `OrderedDict` is `_metadata`, the versions of a state_dict's modules.
    fn build(&mut self) -> Result<(), String> {
        let (given, object) = (self.pop()?, self.top()?);
        match &mut self.values[object as usize] {
            Value::Object { state, .. } => *state = Some(given),
            Value::Dict(_) => {}
            _ => return Err("a state for something that is no object".into()),
        }
        Ok(())
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, String> {
    match items.as_chunks() {
        (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
        _ => Err("a key without a value".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_kind() {
        // pickle.dumps(OrderedDict(a=[1, 300, -2, 2**40], b=(None, True, 1.5)), 2)
        let bytes = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(X\x01\x00\x00\x00aq\x02]q\x03(K\x01M\x2c\x01J\xfe\xff\xff\xff\
            \x8a\x06\x00\x00\x00\x00\x00\x01eX\x01\x00\x00\x00bq\x04N\x88G\x3f\xf8\x00\x00\x00\x00\x00\x00\x87q\x05u.";
        let p = Pickle::parse(bytes).unwrap();
        let a = p.field(p.root(), "a").unwrap();
        let ints: Vec<_> = p.items(a).unwrap().iter().map(|&i| p.int(i)).collect();
        assert_eq!(ints, [Some(1), Some(300), Some(-2), Some(1 << 40)]);
        let b = p.items(p.field(p.root(), "b").unwrap()).unwrap();
        assert_eq!((p.get(b[0]), p.get(b[1]), p.number(b[2])), (&Value::None, &Value::Bool(true), Some(1.5)));
        assert_eq!(p.field(p.root(), "c"), None);
    }

    #[test]
    fn nothing_is_called() {
        // os.system("x")
        let p = Pickle::parse(b"\x80\x02cos\nsystem\nX\x01\x00\x00\x00x\x85R.").unwrap();
        let (global, args) = p.call(p.root()).unwrap();
        assert_eq!((global, p.text(args[0])), (("os", "system"), Some("x")));
    }

    #[test]
    fn what_is_shared_stays_shared() {
        // Each list holds the one before twice: 2^40 items if they were copied.
        let mut bytes = b"\x80\x02]q\x00".to_vec();
        for i in 0..40u8 {
            bytes.extend([b']', b'(', b'h', i, b'h', i, b'e', b'q', i + 1]);
        }
        bytes.push(b'.');
        let p = Pickle::parse(&bytes).unwrap();
        assert_eq!((p.items(p.root()).map(<[Id]>::len), p.values.len()), (Some(2), 41));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let why = |bytes: &[u8]| Pickle::parse(bytes).expect_err("must be refused");
        assert!(why(b"").contains("ends too early"));
        assert!(why(b"\x80\x02X\xff\xff\xff\xffabc").contains("ends too early"));
        assert!(why(b".").contains("the stack is empty"));
        assert!(why(b"N(.").contains("the stack is empty"), "what lies under a mark");
        assert!(why(b"NN(\x87.").contains("the stack is too short"));
        assert!(why(b"h\x07.").contains("nothing was kept as 7"));
        assert!(why(b"(Nd.").contains("a key without a value"));
        assert!(why(b"Nt.").contains("no mark"));
        assert!(why(b"NNa.").contains("no list"));
        assert!(why(b"iposix\nsystem\n.").contains("opcode 0x69"));
    }
}

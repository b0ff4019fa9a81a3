//! Constant data: read with every lie refused, and dropped when nothing refers to it any more.

use blc_ir::{Data, Diagnostic, Func, FuncAttr, Module, OpKind, Resource, ResourceId};

use crate::codes::RESOURCE;
use crate::pass::{Abort, PassCx};

impl PassCx<'_> {
    /// The shape and data of a resource whose data is there and has as many elements as its shape says.
    ///
    /// # Errors
    /// No such resource, no data, or not as many elements.
    pub fn data(&self, id: ResourceId) -> Result<(&[usize], &Data), Abort> {
        let Some(resource) = self.resource(id) else {
            return Err(Box::new(Diagnostic::error(
                &RESOURCE,
                "the function names a resource that the module has not",
            )));
        };
        let count = resource.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        match &resource.data {
            Some(data) if count == Some(data.len()) => Ok((&resource.shape, data)),
            Some(_) => Err(wrong(resource, "has not as many elements as its shape says")),
            None => Err(wrong(resource, "has no data")),
        }
    }

    /// Adds data that stands in the text itself, under a name of its own.
    pub fn add_inline(&mut self, name: &str, shape: &[usize], data: Data) -> ResourceId {
        let taken = |n: &str| self.resources.iter().any(|r| r.name == n);
        let mut unique = name.to_string();
        let mut n = 1;
        while taken(&unique) {
            n += 1;
            unique = format!("{name}{n}");
        }
        self.add_resource(Resource::inline(unique, shape, data))
    }
}

/// What is wrong with a resource.
pub fn wrong(resource: &Resource, what: &str) -> Abort {
    let error = Diagnostic::error(&RESOURCE, format!("#{} {what}", resource.name));
    Box::new(error.help("verify the module before running passes on it"))
}

/// The resources that an op names.
fn of_op(kind: &mut OpKind) -> [Option<&mut ResourceId>; 2] {
    match kind {
        OpKind::Thermometer { thresholds } => [Some(thresholds), None],
        OpKind::Code { thresholds, codes, .. } => [Some(thresholds), Some(codes)],
        OpKind::MatVec { weights } => [Some(weights), None],
        OpKind::LutDense { connections, tables, .. } => [Some(connections), Some(tables)],
        _ => [None, None],
    }
}

/// Drops resources that no function refers to.
pub fn drop_unused(module: &mut Module) {
    let mut used = vec![false; module.resources.len()];
    each(&mut module.funcs, &mut |id| {
        if let Some(used) = used.get_mut(id.index()) {
            *used = true;
        }
    });
    if used.iter().all(|&u| u) {
        return;
    }
    let mut next = 0;
    let place = |&used: &bool| {
        next += usize::from(used);
        next.saturating_sub(1)
    };
    let new: Vec<usize> = used.iter().map(place).collect();
    let mut keep = used.iter();
    module.resources.retain(|_| keep.next() == Some(&true));
    each(&mut module.funcs, &mut |id| {
        if let Some(&to) = new.get(id.index()) {
            *id = ResourceId::new(to);
        }
    });
}

/// Visits every mention of a resource.
fn each(funcs: &mut [Func], visit: &mut dyn FnMut(&mut ResourceId)) {
    for f in funcs {
        for (_, attr) in &mut f.attrs {
            if let FuncAttr::Resource(id) = attr {
                visit(id);
            }
        }
        for op in f.op_ids() {
            let mut kind = f.op(op).kind;
            let mut changed = false;
            for id in of_op(&mut kind).into_iter().flatten() {
                visit(id);
                changed = true;
            }
            if changed {
                f.set_kind(op, kind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::parse::parse;

    #[test]
    fn unused_data_goes_and_the_rest_keeps_its_meaning() {
        let text = "blir 0.1\n#a = data u32[1] [1]\n#t = data u8[1, 1] [7]\n#b = data u32[1] [2]\n#o = data f32[1] [0.0]\n\
            module @m {\n  func @f(%x: u8[1]) -> (%y: bit[1]) {offset = #o} {\n    \
            %0 = enc.thermometer %x {thresholds = #t} : bit[1]\n    return %0\n  }\n}\n";
        let mut module = parse(&blc_ir::diag::Source::new("t", text)).unwrap();
        drop_unused(&mut module);
        let names: Vec<_> = module.resources.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["t", "o"]);
        let printed = module.to_string();
        assert!(printed.contains("thresholds = #t") && printed.contains("offset = #o"), "{printed}");
    }
}

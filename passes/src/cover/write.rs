//! From a cover back to LUTs.

use blc_ir::table::mask;
use blc_ir::{Func, LocId, Type, Value};
use smallvec::SmallVec;

use super::cut::{Cut, Lit, MAX};
use super::map::Cover;
use super::read::{Output, Subject};

/// Most nodes searched for the origins of one LUT.
const MAX_ORIGINS: usize = 64;

impl Subject {
    /// Puts a cover in the place of the function's LUTs. The old ones stay behind as dead ops.
    pub fn write(&self, f: &mut Func, cover: &Cover) {
        self.write_as(f, cover, &self.inverted());
    }

    /// The same; `inverted` says by node whether its LUT gives the complement.
    pub(super) fn write_as(&self, f: &mut Func, cover: &Cover, inverted: &[bool]) {
        let mut values = self.inputs.clone();
        // What stands for each node: the value of a node, complemented where that has the other polarity.
        let mut stands: Vec<Lit> = (0..self.net.node_count() as u32).map(|node| Lit::new(node, false)).collect();
        for node in (0..self.net.node_count() as u32).filter(|&n| cover.uses[n as usize] > 0 && !self.net.is_leaf(n)) {
            let chosen = &cover.cuts[node as usize];
            let inputs: SmallVec<[Lit; MAX]> = chosen.leaves().iter().map(|&leaf| stands[leaf as usize]).collect();
            let cut = Cut::canonical(chosen.table, &inputs);
            stands[node as usize] = match *cut.leaves() {
                [] => Lit::FALSE.flip(cut.table & 1 == 1),
                [leaf] => Lit::new(leaf, cut.table & 1 == 1),
                _ => {
                    let flip = inverted[node as usize];
                    let operands: SmallVec<[Value; MAX]> =
                        cut.leaves().iter().filter_map(|&leaf| values[leaf as usize]).collect();
                    let loc = self.origins(f, node, chosen.leaves());
                    let value = f.lut(cut.flip(flip).table & mask(cut.size()), &operands, loc);
                    values[node as usize] = Some(value);
                    Lit::new(node, flip)
                }
            };
        }
        self.write_outputs(f, &values, &stands);
    }

    /// Redirects the readers of the old outputs.
    pub(super) fn write_outputs(&self, f: &mut Func, values: &[Option<Value>], stands: &[Lit]) {
        let mut constants = [None; 2];
        let mut inverses = vec![None; values.len()];
        self.redirect(f, |f, output| {
            let lit = stands[output.lit.node() as usize].flip(output.lit.complement());
            match values[lit.node() as usize] {
                None => {
                    let bit = lit.complement();
                    *constants[usize::from(bit)].get_or_insert_with(|| f.constant(u64::from(bit), Type::BIT))
                }
                Some(value) if !lit.complement() => value,
                Some(value) => *inverses[lit.node() as usize].get_or_insert_with(|| {
                    let loc = f.def_op(output.value).map_or(LocId::UNKNOWN, |op| f.op(op).loc);
                    f.lut(1, &[value], loc)
                }),
            }
        });
    }

    /// Has what read an output read what `new` gives for it, under its name.
    pub(crate) fn redirect(&self, f: &mut Func, mut new: impl FnMut(&mut Func, &Output) -> Value) {
        let mut redirect: Vec<Value> = (0..f.value_count()).map(Value::new).collect();
        for output in &self.outputs {
            let new = new(f, output);
            redirect[output.value.index()] = new;
            let name = f.name_of(output.value).map(Box::<str>::from);
            if let Some(name) = name.filter(|_| f.def_op(new).is_some() && f.name_of(new).is_none()) {
                f.set_name(new, name);
            }
        }
        f.replace_uses(&redirect);
    }

    /// By node, whether its LUT gives the complement: so that no inverter is needed inside, and few at ports.
    pub(super) fn inverted(&self) -> Vec<bool> {
        // Uses by polarity, inner ones first.
        let mut uses = vec![[[false; 2]; 2]; self.net.node_count()];
        for output in &self.outputs {
            let lit = output.lit;
            uses[lit.node() as usize][usize::from(output.port)][usize::from(lit.complement())] = true;
        }
        let only_complement = |[positive, complement]: [bool; 2]| complement && !positive;
        uses.into_iter().map(|[inner, port]| only_complement(if inner == [false; 2] { port } else { inner })).collect()
    }

    /// By node, whether it must stay as it is: something besides ports and LUTs reads it, or without `flips` a port that would
    /// need an inverter.
    pub(super) fn fixed(&self, flips: bool) -> Vec<bool> {
        let mut wanted = vec![[false; 2]; self.net.node_count()];
        let mut fixed = vec![false; self.net.node_count()];
        for Output { lit, port, .. } in &self.outputs {
            fixed[lit.node() as usize] |= !port;
            wanted[lit.node() as usize][usize::from(lit.complement())] = true;
        }
        fixed
            .into_iter()
            .zip(wanted)
            .map(|(fixed, [plain, complement])| fixed || !flips && plain != complement)
            .collect()
    }

    /// Where the nodes came from that a LUT takes in, the root's first.
    pub(crate) fn origins(&self, f: &mut Func, root: u32, leaves: &[u32]) -> LocId {
        let mut cone = vec![root];
        let mut next = 0;
        while let Some(&node) = cone.get(next) {
            next += 1;
            for leaf in self.net.block(node).leaves() {
                let inside = !leaves.contains(leaf) && !self.net.is_leaf(*leaf) && !cone.contains(leaf);
                if inside && cone.len() < MAX_ORIGINS {
                    cone.push(*leaf);
                }
            }
        }
        f.locs.fuse(cone.into_iter().map(|node| self.net.loc(node)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cover::map::Cost;
    use blc_ir::FuncKind;

    /// A cover may find that a node is an input, its complement or a constant: then it is no LUT, also inside others.
    #[test]
    fn nodes_that_are_no_functions() {
        let mut f = Func::new("f", FuncKind::Func);
        let x: Vec<Value> = ["a", "b", "c"].map(|name| f.add_param(name, Type::BIT)).into();
        let inner = f.lut(8, &x[..2], LocId::UNKNOWN);
        let outer = f.lut(6, &[inner, x[2]], LocId::UNKNOWN);
        f.add_result("inner", inner);
        f.add_result("outer", outer);
        let subject = Subject::read(&f, 6, false);
        let [a, b, c, inner] = [1, 2, 3, 4];
        assert_eq!((subject.net.node_count(), subject.net.block(inner).leaves()), (6, &[a, b][..]));
        let mut cuts: Vec<Cut> = (0..6).map(|node| *subject.net.block(node)).collect();
        for (cut, expected) in [
            // inner = not a, so outer = not (a ^ c)
            (Cut::trivial(a).flip(true), "lut(%a) {table = 0x1}; lut(%a, %c) {table = 0x9}"),
            (Cut::trivial(c), "const {value = 0}"),
            (Cut::FALSE.flip(true), "const {value = 1}; lut(%c) {table = 0x1}"),
        ] {
            cuts[inner as usize] = cut;
            let cost = Cost { excess: 0, area: 0.0, levels: 0, edges: 0 };
            let cover = Cover { cuts: cuts.clone(), uses: vec![1; 6], cost };
            let mut g = f.clone();
            subject.write(&mut g, &cover);
            g.tidy();
            let mut module = blc_ir::Module::new("m");
            module.funcs.push(g);
            let text = module.to_string();
            let mut ops: Vec<&str> =
                text.lines().filter_map(|l| l.strip_suffix(" : bit")?.split_once(" = ")).map(|(_, op)| op).collect();
            ops.sort_unstable_by_key(|op| op.len());
            assert_eq!(ops.join("; "), expected);
        }
    }
}

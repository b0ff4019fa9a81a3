//! One e-node for each class that is needed: a directed graph, in which what two others read counts once.

use egg::{Id, Language};
use rustc_hash::FxHashMap;

/// An e-node for each class that has one; the others are read from outside.
#[derive(Clone, Debug)]
pub struct Choice<N> {
    pub of: FxHashMap<Id, N>,
}

impl<N> Default for Choice<N> {
    fn default() -> Self {
        Self { of: FxHashMap::default() }
    }
}

impl<N: Language> Choice<N> {
    /// Classes needed for the roots, inputs before readers; `None` where there is a loop.
    pub fn order(&self, roots: &[Id]) -> Option<Vec<Id>> {
        let mut state: FxHashMap<Id, bool> = FxHashMap::default();
        let mut order = Vec::new();
        let mut work: Vec<(Id, usize)> = roots.iter().map(|&id| (id, 0)).collect();
        while let Some((id, next)) = work.pop() {
            if state.get(&id) == Some(&true) {
                continue;
            }
            let children = self.of.get(&id).map_or(&[][..], N::children);
            if next == 0 && state.insert(id, false) == Some(false) {
                return None;
            }
            match children.get(next) {
                Some(&child) => {
                    work.push((id, next + 1));
                    match state.get(&child) {
                        Some(true) => {}
                        // Begun and not done: it is above us.
                        Some(false) => return None,
                        None => work.push((child, 0)),
                    }
                }
                None => {
                    state.insert(id, true);
                    order.push(id);
                }
            }
        }
        Some(order)
    }
}

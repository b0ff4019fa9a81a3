//! The passes that pipeline strings can name.

use blc_ir::Level;
use serde_json::Value;

use crate::pass::{Pass, PassSpec};

/// A pass as the registry knows it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As pipeline strings name it.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Levels of functions it takes.
    pub levels: &'static [Level],
    /// Whether it preserves the function.
    pub exact: bool,
    defaults: fn() -> Value,
    spell: fn(Value) -> Result<Value, String>,
    build: fn(Value) -> Result<Box<dyn Pass>, String>,
}

impl Entry {
    fn of<P: PassSpec>() -> Self {
        Self {
            name: P::NAME,
            summary: P::SUMMARY,
            levels: P::LEVELS,
            exact: P::EXACT,
            defaults: || serde_json::to_value(P::Options::default()).unwrap_or_default(),
            spell: |options| {
                let options = serde_json::from_value::<P::Options>(options).map_err(|e| e.to_string())?;
                serde_json::to_value(options).map_err(|e| e.to_string())
            },
            build: |options| Ok(P::build(serde_json::from_value(options).map_err(|e| e.to_string())?)),
        }
    }

    /// All options with their defaults, a JSON object.
    pub fn defaults(&self) -> Value {
        (self.defaults)()
    }

    /// All options, those given with their values and the others with their defaults.
    ///
    /// # Errors
    /// What is wrong with the options, in words.
    pub fn spell(&self, options: Value) -> Result<Value, String> {
        (self.spell)(options)
    }

    /// Makes the pass.
    ///
    /// # Errors
    /// What is wrong with the options, in words.
    pub fn build(&self, options: Value) -> Result<Box<dyn Pass>, String> {
        (self.build)(options)
    }
}

/// The passes by name.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

impl Registry {
    /// No passes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The passes of this crate.
    pub fn standard() -> Self {
        let mut registry = Self::new();
        crate::register_all(&mut registry);
        registry
    }

    /// Adds a pass; one of the same name is replaced.
    pub fn register<P: PassSpec>(&mut self) {
        let entry = Entry::of::<P>();
        match self.entries.binary_search_by(|e| e.name.cmp(P::NAME)) {
            Ok(i) => self.entries[i] = entry,
            Err(i) => self.entries.insert(i, entry),
        }
    }

    /// The pass of a name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.binary_search_by(|e| e.name.cmp(name)).ok().map(|i| &self.entries[i])
    }

    /// Every pass, sorted by name.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Every name, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.entries.iter().map(|e| e.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_standard_passes_describe_themselves() {
        let registry = Registry::standard();
        assert!(registry.names().is_sorted());
        for entry in registry.entries() {
            let defaults = entry.defaults();
            assert!(defaults.is_object(), "{}: {defaults}", entry.name);
            assert_eq!(entry.spell(json!({})).unwrap(), defaults, "{}", entry.name);
            assert!(entry.spell(json!({"no_such_option": 1})).is_err(), "{} takes any option", entry.name);
            assert!(entry.build(defaults).is_ok());
            assert!(!entry.summary.is_empty() && !entry.levels.is_empty());
        }
        assert!(registry.get("fold").is_some());
        assert!(registry.get("foldd").is_none());
    }
}

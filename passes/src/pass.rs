//! What a pass is.

use std::sync::Arc;

use blc_ir::{Diagnostic, Func, Level, Resource, ResourceId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::approx::Data;
use crate::control::Control;
use crate::gates::Gates;
use crate::rules::RuleSet;

/// Whether a pass changed the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It did.
    Yes,
    /// The function is as it was.
    No,
}

impl From<bool> for Changed {
    fn from(changed: bool) -> Self {
        if changed { Self::Yes } else { Self::No }
    }
}

/// A pass that cannot go on says why; the function is then as it was before the pass.
pub type Abort = Box<Diagnostic>;

/// What a pass sees besides its function.
pub struct PassCx<'a> {
    /// The module's constant data.
    pub resources: &'a mut Vec<Resource>,
    /// Warnings for the user.
    pub warnings: Vec<Diagnostic>,
    /// Facts for the report, as `name = number`, in the order told.
    pub facts: Vec<(String, u64)>,
    /// Samples for approximate passes.
    pub data: Option<Arc<Data>>,
    /// Rewrite rules of the user.
    pub rules: Option<Arc<RuleSet>>,
    /// What is asked of the run as a whole.
    pub control: Control,
    /// Gates of the user's library.
    pub gates: Option<Arc<Gates>>,
}

impl<'a> PassCx<'a> {
    /// A context over a module's resources.
    pub fn new(resources: &'a mut Vec<Resource>) -> Self {
        Self {
            resources,
            warnings: Vec::new(),
            facts: Vec::new(),
            data: None,
            rules: None,
            control: Control::default(),
            gates: None,
        }
    }

    /// The resource of an id, if there is one.
    pub fn resource(&self, id: ResourceId) -> Option<&Resource> {
        self.resources.get(id.index())
    }

    /// Adds a resource.
    pub fn add_resource(&mut self, resource: Resource) -> ResourceId {
        self.resources.push(resource);
        ResourceId::new(self.resources.len() - 1)
    }

    /// Tells the report a fact.
    pub fn fact(&mut self, name: impl Into<String>, value: u64) {
        self.facts.push((name.into(), value));
    }
}

/// One transformation of a function. It need not leave the function tidy: the manager does that.
pub trait Pass: Send {
    /// Transforms the function.
    ///
    /// # Errors
    /// An [`Abort`] where the pass cannot go on.
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort>;
}

/// How a pass is named, described and built from the options of a pipeline string.
pub trait PassSpec: 'static {
    /// As pipeline strings name it.
    const NAME: &'static str;
    /// One line.
    const SUMMARY: &'static str;
    /// The level of functions it takes; on others the manager refuses with a hint at the pass that lowers to it.
    const LEVEL: Level;
    /// The levels of functions it takes, where there are several.
    const LEVELS: &'static [Level] = &[Self::LEVEL];
    /// Whether it preserves the function. Where not, [`crate::Check`] does not compare.
    const EXACT: bool = true;
    /// Its options. Derive with `#[serde(default, deny_unknown_fields)]`, so that a wrong name is an error with a hint.
    type Options: Default + Serialize + DeserializeOwned;

    /// Makes the pass.
    fn build(options: Self::Options) -> Box<dyn Pass>;
}

/// The options of a pass that has none.
#[derive(Clone, Copy, Debug, Default, Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoOptions {}

//! What is asked of a run as a whole, whatever its passes: how many levels it may have, and when to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// See the module's words.
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// Most lookup tables on a path, which passes that change logic keep to where they can.
    pub levels: Option<u32>,
    /// Becomes true when the run is to end early: passes then end with the best they have, and what is only tried is not.
    pub stop: Option<Arc<AtomicBool>>,
}

impl Control {
    /// Whether the run is to end early.
    pub fn stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// So many levels, or those allowed if fewer.
    pub fn at_most(&self, levels: u32) -> u32 {
        self.levels.map_or(levels, |most| most.min(levels))
    }
}

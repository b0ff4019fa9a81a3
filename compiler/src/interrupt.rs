//! Ctrl-C: the first ends the work early, with what there is so far; the second ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ui::Ui;

/// A flag that becomes true with the first Ctrl-C.
pub fn flag(ui: &Ui) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, ui_of_handler) = (Arc::clone(&stop), *ui);
    let set = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            // 128 + SIGINT, as shells have it.
            std::process::exit(130);
        }
        ui_of_handler.say("stopping after this step; once more to end at once");
    });
    if let Err(e) = set {
        ui.detail(format_args!("Ctrl-C will end at once: {e}"));
    }
    stop
}

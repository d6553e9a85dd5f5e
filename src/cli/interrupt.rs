//! Ctrl-C: the first one saves and ends, the second one ends at once.

use super::diagnostics::Output;
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that the first Ctrl-C (or SIGTERM) sets.
pub(super) fn on_interrupt(output: Output) -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            leave_at_once();
        }
        output.note("\nstopping: saving the runs in training (Ctrl-C again: at once)");
    })?;
    Ok(stop)
}

#[expect(clippy::exit, reason = "the second Ctrl-C asks for just this; checkpoints are whole")]
fn leave_at_once() -> ! {
    std::process::exit(i32::from(super::INTERRUPTED))
}

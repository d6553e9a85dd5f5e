//! What a worker hears of the run that it trains while it trains it.

use std::sync::atomic::{AtomicBool, AtomicUsize};

/// What the study says of the run that is being trained.
#[derive(Debug, Default)]
pub(super) struct RunControl {
    /// Save it and end.
    pub(super) stop: AtomicBool,
    /// Threads to share its steps among.
    pub(super) threads: AtomicUsize,
}

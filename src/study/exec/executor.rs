//! What the pool asks of whoever starts workers, and of a worker that was started.

use crate::study::protocol::{Order, Report};
use anyhow::Result;
use std::fmt::Debug;
use std::sync::mpsc::Sender;

/// Starts workers.
pub(super) trait Executor: Debug {
    /// Starts one; all that it says is sent there with this number.
    fn start(&self, id: usize, said: Sender<(usize, Said)>) -> Result<Box<dyn WorkerLink>>;
}

/// A worker that was started.
pub(super) trait WorkerLink: Debug {
    /// Gives it an order. That it is gone is no error: its output says so.
    fn send(&mut self, order: &Order) -> Result<()>;
    /// Gives it no more orders; it ends by itself.
    fn retire(&mut self);
    /// Why a worker that ended, or that said what it should not have, is gone.
    fn exit(&mut self) -> WorkerExit;
}

/// What comes from a worker.
#[derive(Debug)]
pub(super) enum Said {
    Report(Box<Report>),
    /// Its output ended.
    Gone,
}

impl Said {
    pub(super) fn report(self) -> Option<Report> {
        match self {
            Self::Report(report) => Some(*report),
            Self::Gone => None,
        }
    }
}

/// Why a worker is gone.
#[derive(Debug)]
pub(super) struct WorkerExit {
    /// How it ended, with its last words.
    pub(super) message: String,
    /// Whether it was ended from outside, so that nothing is known against its run.
    pub(super) killed: bool,
}

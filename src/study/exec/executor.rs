//! What the pool asks of whoever starts workers, and of a worker that was started.

use crate::study::protocol::{Order, Report};
use anyhow::Result;
use std::fmt::Debug;
use std::sync::mpsc::Sender;

/// Starts workers.
pub(super) trait Executor: Debug {
    /// Starts one; all that its first lane says is sent there with this number.
    fn start(&self, id: usize, said: Sender<(usize, Said)>) -> Result<Box<dyn WorkerLink>>;
}

/// A lane of a worker that was started.
pub(super) trait WorkerLink: Debug {
    /// Opens one more lane in the same worker; `None` where the worker should take no more runs.
    fn beside(&self, id: usize, said: Sender<(usize, Said)>) -> Option<Box<dyn WorkerLink>>;
    /// Gives it an order. That it is gone is no error: its output says so.
    fn send(&mut self, order: &Order) -> Result<()>;
    /// Gives it no more orders, and its worker no more lanes, which ends with the last of them.
    fn retire(&mut self);
    /// Why its worker, which ended or said what it should not have, is gone.
    fn exit(&mut self) -> WorkerExit;
}

/// What comes from a lane of a worker.
#[derive(Debug)]
pub(super) enum Said {
    Report(Box<Report>),
    /// The worker's output ended.
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
#[derive(Debug, Clone)]
pub(super) struct WorkerExit {
    /// How it ended, with its last words.
    pub(super) message: String,
    /// Whether it was ended from outside, so that nothing is known against its run.
    pub(super) killed: bool,
}

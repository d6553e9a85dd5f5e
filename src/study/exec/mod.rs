//! Who trains: worker processes, and what gives them runs.
//!
//! ```text
//! pool             gives jobs to workers, replaces those that die
//! job              what is to be done
//! lost             how a run ends whose worker is gone
//! executor         what the pool asks of whoever starts workers, and of a worker
//! worker_process   starts processes on this machine
//! ```

mod executor;
#[cfg(test)]
mod fake;
mod job;
mod lost;
mod pool;
mod worker_process;

pub use job::{Halt, Job};
pub use pool::{Pool, Workers};

//! Who trains: worker processes, and what gives them runs.
//!
//! ```text
//! pool             gives jobs to workers, replaces those that die
//! worker_process   a worker on this machine
//! ```

mod pool;
mod worker_process;

pub use pool::{Halt, Job, Pool, Workers};

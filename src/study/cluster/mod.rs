//! Several workers on one study: equal processes, on any machines that see its folder.
//!
//! ```text
//! work        one worker: claims what is ready, trains it, publishes it
//! agenda      what is left to do, as the records say; `finish` when nothing is
//! site        the study's folder as workers share it
//! alone       a `batchscope run` that wants the study for itself
//! attempts    a folder for each claim of a run; taking over the newest checkpoint
//! claims      who does what; an attempt that ended gets its place by one rename
//! members     which workers are alive
//! crew        the workers as a reader of the folder sees them
//! self_test   whether a file system does what this needs
//! ```

mod agenda;
mod alone;
mod attempts;
#[cfg(test)]
mod campaign;
mod claims;
mod crew;
mod finish;
mod members;
mod self_test;
mod site;
mod work;

pub use alone::Alone;
pub(super) use crew::Crew;
pub use crew::stop;
pub use members::Member;
pub use site::{Site, Who, shared_study};
pub use work::{WorkEnd, WorkOutcome, WorkRequest, work};

use super::environment::cpu_model;
use serde::{Deserialize, Serialize};

/// On what a run was trained: one line for each attempt that did a part of it.
pub(in crate::study) const RAN_ON: &str = "ran_on.jsonl";

/// One line of `ran_on.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::study) struct RanOn {
    /// The name of the machine.
    pub(in crate::study) host: String,
    /// The scheduler's name of the job.
    pub(in crate::study) job: Option<String>,
    /// The worker.
    pub(in crate::study) worker: String,
    /// `cpu`, or the names of the GPUs.
    pub(in crate::study) device: String,
    /// The processor.
    pub(in crate::study) cpu: Option<String>,
}

fn ran_on(member: &Member) -> RanOn {
    let Member { host, job, id, device, .. } = member.clone();
    RanOn { host, job, worker: id, device, cpu: cpu_model() }
}

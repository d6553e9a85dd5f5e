//! Several workers on one study: equal processes, on any machines that see its folder.
//!
//! ```text
//! work        one worker: claims what is ready, trains it, publishes it; its loop is that of `study::drive`
//! mine        what it has claimed
//! finish      what is done when nothing is left
//! site        the study's folder as workers share it
//! alone       a `batchscope run` that wants the study for itself
//! attempts    a folder for each claim of a run; taking over the newest checkpoint; `scratch` trains it on a
//!             local disk
//! place       where in the list a worker begins; `pace` says how far and how fast it is
//! claims      who does what; an attempt that ended gets its place by one rename
//! members     which workers are alive
//! crew        the workers as a reader of the folder sees them; `jobs` those that a scheduler has yet to start
//! self_test   whether a file system does what this needs
//! ```

mod alone;
mod attempts;
#[cfg(test)]
mod campaign;
mod claims;
mod crew;
mod finish;
mod jobs;
mod members;
mod mine;
mod pace;
mod place;
mod scratch;
mod self_test;
mod site;
mod work;

pub use alone::{Alone, open_alone};
pub(super) use crew::Crew;
pub use crew::{Stopped, refuse_stopped, stop};
pub use jobs::{SubmittedJob, forget_job, note_job, prepare_submission};
pub use members::{Member, Standing};
pub use scratch::Scratch;
pub use site::{Site, Who, shared_study};
pub use work::{WorkOutcome, WorkRequest, work};

//! The one loop by which a study is carried out, however many processes do it.
//!
//! It looks what is left according to the records, gives jobs to workers, hears how they end, and looks
//! again, until nothing is left or something stops it. `batchscope run` and `batchscope work` differ in how
//! they hold jobs alone: [`Hold`].
//!
//! ```text
//! agenda   what is left to do; `growth` the seeds that are added
//! alone    how a `batchscope run` holds jobs: it has the study for itself (`cluster::work`: equal workers)
//! ```

mod agenda;
mod alone;
mod growth;

pub(super) use agenda::{Agenda, Ground, Ledger};
pub(super) use alone::AloneHold;
pub(super) use growth::first_additions;

use super::Observer;
use super::exec::{Job, Pool};
use super::folder::StudyFolder;
use super::plan::Plan;
use super::protocol::RunEnd;
use super::record::RunFolder;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// While nothing happens.
const TICK: Duration = Duration::from_millis(50);

/// Who hears nothing.
pub(super) struct Nobody;

impl Observer for Nobody {}

/// A job that this process does.
pub(super) struct Held {
    pub(super) job: Job,
    /// Where it is done.
    pub(super) folder: PathBuf,
}

/// How a process comes by jobs, and what it does when they end.
pub(super) trait Hold {
    /// The study's folder.
    fn folder(&self) -> &StudyFolder;
    /// Whether somebody wants it to stop.
    fn is_to_stop(&mut self) -> Result<bool>;
    /// What is left to do now; `None` where the study is no longer this process's to work on.
    fn look(&mut self, observer: &mut dyn Observer) -> Result<Option<Agenda>>;
    /// Whether to look again, while so many of its workers have a job.
    fn is_to_look_again(&self, last: &LastLook, busy: usize) -> bool;
    /// Takes the next job that is free. `number` is its name until it ends.
    fn take(&mut self, agenda: &Agenda, number: usize) -> Result<Option<Held>>;
    /// A job ended.
    fn ended(&mut self, number: usize, held: &Held, end: &RunEnd, plan: &Plan) -> Result<()>;
    /// Whether nothing is left but what this process cannot do, and all is done that is done then. It is
    /// asked when no worker has a job.
    fn is_over(&mut self, agenda: &Agenda) -> Result<bool>;
    /// Whether it ends since its time is over.
    fn is_late(&self) -> bool {
        false
    }
    /// While jobs are done.
    fn keep(&mut self) -> Result<()> {
        Ok(())
    }
    /// How long to wait while no worker has a job.
    fn pause(&self) -> Duration {
        TICK
    }
}

/// Why the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkEnd {
    /// Nothing is left to do.
    Over,
    /// Somebody stopped it, or the study.
    Stopped,
    /// The time is over.
    Late,
}

/// What was found at the last look.
pub(super) struct LastLook {
    agenda: Agenda,
    pub(super) at: Instant,
    /// How many jobs are done at a time.
    pub(super) parallel: usize,
    /// Whether a job ended since.
    pub(super) is_old: bool,
    /// Whether no job was free when last asked, and none ended since.
    is_taken: bool,
}

/// Carries out a study until nothing is left to do or something ends it.
///
/// # Errors
/// A full disk, and what keeps a [`Hold`] from going on.
pub(super) fn drive(
    hold: &mut dyn Hold,
    pool: &mut Pool,
    observer: &mut dyn Observer,
) -> Result<WorkEnd> {
    let held = BTreeMap::new();
    let mut driver = Driver { hold, pool, observer, held, taken: 0, looked: None, sharing: 0 };
    driver.run()
}

struct Driver<'d> {
    hold: &'d mut dyn Hold,
    pool: &'d mut Pool,
    observer: &'d mut dyn Observer,
    held: BTreeMap<usize, Held>,
    /// Jobs that were taken so far.
    taken: usize,
    looked: Option<LastLook>,
    /// Jobs that have the cores among them.
    sharing: usize,
}

impl Driver<'_> {
    fn run(&mut self) -> Result<WorkEnd> {
        let mut is_stopping = false;
        loop {
            is_stopping = is_stopping
                || self.pool.has_no_room()
                || self.hold.is_to_stop()?
                || !self.look()?;
            if is_stopping {
                self.pool.stop_all();
            } else if self.is_over()? {
                return Ok(WorkEnd::Over);
            } else {
                self.fill()?;
            }
            if self.pool.busy() > 0 {
                self.hear()?;
                continue;
            }
            if let Some(error) = self.pool.take_no_room(self.hold.folder()) {
                return Err(error);
            }
            match (is_stopping, self.hold.is_late()) {
                (true, _) => return Ok(WorkEnd::Stopped),
                (_, true) => return self.late(),
                _ => sleep(self.hold.pause()),
            }
        }
    }

    /// Looks what is left, if it is time to. Whether the study is still this process's to work on.
    fn look(&mut self) -> Result<bool> {
        let busy = self.pool.busy();
        if self.looked.as_ref().is_some_and(|last| !self.hold.is_to_look_again(last, busy)) {
            return Ok(true);
        }
        let Some(agenda) = self.hold.look(self.observer)? else { return Ok(false) };
        let parallel = self.pool.parallel(&agenda.plan, agenda.jobs.len().max(1));
        let at = Instant::now();
        self.looked = Some(LastLook { agenda, at, parallel, is_old: false, is_taken: false });
        Ok(true)
    }

    fn is_over(&mut self) -> Result<bool> {
        match &self.looked {
            Some(last) if self.pool.busy() == 0 && !last.is_taken => {
                self.hold.is_over(&last.agenda)
            }
            _ => Ok(false),
        }
    }

    /// How it ends when its time is over: nothing may be left to do all the same.
    fn late(&mut self) -> Result<WorkEnd> {
        let Some(agenda) = self.hold.look(self.observer)? else { return Ok(WorkEnd::Stopped) };
        Ok(if self.hold.is_over(&agenda)? { WorkEnd::Over } else { WorkEnd::Late })
    }

    /// Gives jobs to workers that are free; where there are no more, the others share their cores.
    fn fill(&mut self) -> Result<()> {
        let Some(last) = self.looked.as_mut().filter(|last| !last.is_taken) else { return Ok(()) };
        let (plan, parallel) = (&last.agenda.plan, last.parallel);
        // What is begun now has its share of the cores from its start.
        if self.pool.busy() == 0 {
            self.sharing = parallel;
        }
        let mut is_begun = false;
        while self.pool.busy() < parallel {
            let number = self.taken + 1;
            let Some(held) = self.hold.take(&last.agenda, number)? else {
                last.is_taken = true;
                break;
            };
            self.taken = number;
            let folders = (self.hold.folder().path(), &RunFolder::new(&held.folder));
            self.pool.give(plan, folders, &held.job, (number, parallel))?;
            if held.job.measurement.is_none() {
                self.observer.on_run_start(&held.job.run);
            }
            self.held.insert(number, held);
            is_begun = true;
        }
        let busy = self.pool.busy();
        let sharing = if last.is_taken { busy } else { parallel.max(busy) };
        if busy > 0 && (sharing != self.sharing || is_begun && sharing != parallel) {
            self.pool.share_cores(sharing);
        }
        self.sharing = sharing;
        Ok(())
    }

    fn hear(&mut self) -> Result<()> {
        self.hold.keep()?;
        let Some(last) = &mut self.looked else { return Ok(()) };
        let plan = &last.agenda.plan;
        let held = &self.held;
        let of = |number: usize| (&held[&number].job, RunFolder::new(&held[&number].folder));
        let Some((number, end)) = self.pool.next_end(plan, &of, self.observer)? else {
            return Ok(());
        };
        if let Some(held) = self.held.remove(&number) {
            self.hold.ended(number, &held, &end, plan)?;
        }
        (last.is_old, last.is_taken) = (true, false);
        Ok(())
    }
}

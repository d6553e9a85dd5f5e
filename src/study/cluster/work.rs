//! One equal worker: claims what is ready, trains it in a folder of its own, publishes it, until nothing is left.

use super::attempts::{self, MOST_FAILURES};
use super::claims::{Published, is_listed, is_taken, publish};
use super::finish::finish;
use super::mine::{Mine, name};
use super::pace::Pace;
use super::place::from_own_place;
use super::site::Site;
use crate::error::UserError;
use crate::files::{self, patiently};
use crate::study::additions::{Additions, Decide};
use crate::study::drive::{Agenda, Ground, Held, Hold, LastLook, Ledger, Nobody, WorkEnd, drive};
use crate::study::exec::{Halt, Job, Pool};
use crate::study::folder::StudyFolder;
use crate::study::measure;
use crate::study::plan::Plan;
use crate::study::protocol::RunEnd;
use crate::study::rates::Tuning;
use crate::study::selection::Selection;
use crate::study::summary::{ArmSummary, Failure, failures_of, summarise};
use crate::study::{Observer, Run};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a worker is asked to do.
#[derive(Clone, Copy)]
pub struct WorkRequest<'r> {
    /// What ends it.
    pub halt: Halt<'r>,
    /// Whether more seeds are needed.
    pub decide: Decide<'r>,
    /// Draws the report of a study that is through.
    pub report: &'r dyn Fn(&Path) -> Result<()>,
    /// How often it looks again while others do what is left.
    pub poll: Duration,
    /// How often a run on a local disk is saved in the study's folder.
    pub save: Duration,
}

/// What came of a worker.
#[derive(Debug)]
pub struct WorkOutcome {
    /// Why it ended.
    pub end: WorkEnd,
    /// How many runs it brought to their end.
    pub trained: u64,
    /// One row an arm, over all finished runs of the study.
    pub arms: Vec<ArmSummary>,
    /// Runs of the study that diverged or failed.
    pub failures: Vec<Failure>,
    /// How learning rates were found.
    pub tunings: Vec<Tuning>,
    /// How seeds were added.
    pub additions: Option<Additions>,
    /// Measurements that this worker could not make, and why.
    pub unmeasured: Vec<(Job, String)>,
}

/// After so many runs in a row that failed a worker ends itself: one bad machine must not fail a study.
const MOST_IN_A_ROW: usize = 3;

/// Works on a study until nothing is left to do, or it is stopped.
///
/// # Errors
/// What keeps this worker from going on: a full disk, three runs in a row that failed here, damage.
pub fn work(
    plan: &Plan,
    site: &mut Site,
    request: WorkRequest<'_>,
    pool: &mut Pool,
    observer: &mut dyn Observer,
) -> Result<WorkOutcome> {
    let mut pace = Pace::new(plan, site.presence.voice(), observer);
    let mut hold = SharedHold::new(plan, site, request);
    let end = drive(&mut hold, pool, &mut pace)?;
    let Agenda { plan, tunings, additions, .. } = hold.agenda(&mut Nobody)?;
    let folder = hold.site.folder.path();
    Ok(WorkOutcome {
        end,
        trained: hold.trained,
        arms: summarise(&plan.study.arms, &plan.runs, folder)?,
        failures: failures_of(plan.runs.iter(), folder, std::iter::empty())?,
        tunings,
        additions,
        unmeasured: hold.unmeasured,
    })
}

/// The jobs of one equal worker.
struct SharedHold<'w> {
    plan: &'w Plan,
    site: &'w mut Site,
    request: WorkRequest<'w>,
    ledger: Ledger<'w>,
    mine: BTreeMap<usize, Mine>,
    trained: u64,
    /// Jobs that failed in this worker's hands.
    failed_here: BTreeSet<String>,
    in_a_row: Vec<String>,
    unmeasured: Vec<(Job, String)>,
    looked_for_stop: Option<Instant>,
    is_measuring: bool,
}

impl<'w> SharedHold<'w> {
    fn new(plan: &'w Plan, site: &'w mut Site, request: WorkRequest<'w>) -> Self {
        Self {
            plan,
            site,
            request,
            ledger: Ledger::default(),
            mine: BTreeMap::new(),
            trained: 0,
            failed_here: BTreeSet::new(),
            in_a_row: Vec::new(),
            unmeasured: Vec::new(),
            looked_for_stop: None,
            is_measuring: false,
        }
    }

    /// What is left to do, for whoever takes it.
    fn agenda(&mut self, observer: &mut dyn Observer) -> Result<Agenda> {
        let (plan, decide) = (self.plan, self.request.decide);
        let Site { folder, sessions, .. } = &mut *self.site;
        // The time ends a worker, not the study.
        let is_late = false;
        let mut ground = Ground { plan, folder, sessions, decide, is_late, observer };
        let mut agenda = self.ledger.agenda(&mut ground)?;
        if agenda.jobs.is_empty() {
            agenda.jobs = measure::pending(&agenda.plan, &self.site.folder, &Selection::default())?;
            if !agenda.jobs.is_empty() && !std::mem::replace(&mut self.is_measuring, true) {
                observer.on_measuring(agenda.jobs.len());
            }
        }
        Ok(agenda)
    }

    /// Says which runs are trained here.
    fn tell(&self) {
        let runs = self.mine.values().map(|mine| mine.job.run.id()).collect();
        self.site.presence.set_runs(runs, self.trained);
    }

    /// Claims the first job that is free, and prepares its folder.
    fn claim(&mut self, agenda: &Agenda) -> Result<Option<Mine>> {
        // What failed here may succeed elsewhere.
        let company = !self.failed_here.is_empty() && self.site.has_company()?;
        let me = self.site.presence.member().id;
        for job in from_own_place(&agenda.jobs, &me, self.site.others) {
            let name = name(job);
            let is_mine = self.mine.values().any(|mine| mine.name == name);
            let is_others =
                self.failed_here.contains(&name) && (company || job.measurement.is_some());
            if is_mine || is_others {
                continue;
            }
            let Some(generation) = self.site.free(&name)? else { continue };
            if !self.site.claims.put(&name, generation)? {
                continue;
            }
            let (folder, shared) = match job.measurement {
                Some(_) => (self.site.folder.run(&job.run).path().to_owned(), None),
                None => match self.prepare(&agenda.plan, &job.run, (&name, generation))? {
                    Some(folders) => folders,
                    None => continue,
                },
            };
            let (job, saved) = (job.clone(), Instant::now());
            return Ok(Some(Mine { job, name, generation, folder, shared, saved }));
        }
        Ok(None)
    }

    /// The folder of a new attempt, and where it is saved if that is elsewhere; `None` where the run was
    /// published since it was listed as open.
    fn prepare(
        &mut self,
        plan: &Plan,
        run: &Run,
        (name, generation): (&str, u32),
    ) -> Result<Option<(PathBuf, Option<PathBuf>)>> {
        if self.ledger.is_over(&self.site.folder, run)? {
            return Ok(None);
        }
        let attempts = self.site.attempts();
        files::make_folder(&attempts)?;
        if !self.move_aside(run, name)? {
            return Ok(None);
        }
        let shared = attempts::folder(&attempts, name, generation);
        let (folder, shared) = match &self.site.scratch {
            None => (shared, None),
            Some(scratch) => (scratch.attempt(&shared), Some(shared)),
        };
        let definition = plan.definition(run);
        attempts::take_over(&attempts, (name, generation), &definition, &folder)?;
        Ok(Some((folder, shared)))
    }

    /// What a `batchscope run` left unfinished in the place of a run becomes an earlier attempt at it.
    /// Whether the place is free then: what has come to an end stays there.
    fn move_aside(&mut self, run: &Run, name: &str) -> Result<bool> {
        let place = self.site.folder.run(run).path().to_owned();
        if !is_listed(&place)? {
            return Ok(true);
        }
        if self.ledger.is_over(&self.site.folder, run)? {
            return Ok(false);
        }
        let aside = attempts::folder(&self.site.attempts(), name, 0);
        match patiently(&aside, || fs::rename(&place, &aside)) {
            // Another worker may have done it; one that lies there already is not needed twice.
            Err(error) if is_taken(&error) => fs::remove_dir_all(&place)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            moved => moved.with_context(|| format!("cannot move {}", place.display()))?,
        }
        Ok(true)
    }

    /// Gives an attempt its place, unless another was first.
    fn publish(&mut self, mine: &Mine) -> Result<()> {
        let (whole, place) = (mine.whole()?, self.site.folder.run(&mine.job.run).path().to_owned());
        let mut published = publish(&whole, &place)?;
        // Where what is there is not finished, nobody is at it: this worker has the claim.
        if published == Published::Another && self.move_aside(&mine.job.run, &mine.name)? {
            published = publish(&whole, &place)?;
        }
        self.trained += u64::from(published == Published::Mine);
        attempts::remove(&self.site.attempts(), &mine.name)
    }

    /// An attempt failed with an error.
    fn failed(&mut self, mine: &mut Mine, message: &str, plan: &Plan) -> Result<()> {
        let attempts = self.site.attempts();
        if self.ledger.is_over(&self.site.folder, &mine.job.run)? {
            // Another has published the run, and removed what was written here.
            return attempts::remove(&attempts, &mine.name);
        }
        attempts::record_failure(&mine.folder, &plan.definition(&mine.job.run), message)?;
        mine.save()?;
        if let Some(shared) = &mine.shared {
            attempts::record_failure(shared, &plan.definition(&mine.job.run), message)?;
        }
        self.failed_here.insert(mine.name.clone());
        if !self.in_a_row.contains(&mine.name) {
            self.in_a_row.push(mine.name.clone());
        }
        if attempts::failures(&attempts, &mine.name)? >= MOST_FAILURES {
            self.publish(mine)?;
        } else {
            self.site.claims.release(&mine.name, mine.generation)?;
        }
        if self.in_a_row.len() >= MOST_IN_A_ROW && self.site.has_company()? {
            return Err(UserError::new(
                format!("three runs in a row failed here, the last one: {message}"),
                "this worker ends so that the others go on; see what is wrong with this machine",
            )
            .into());
        }
        Ok(())
    }
}

impl Hold for SharedHold<'_> {
    fn folder(&self) -> &StudyFolder {
        &self.site.folder
    }

    /// Whether somebody wants it to stop, or others take it for dead.
    fn is_to_stop(&mut self) -> Result<bool> {
        if self.request.halt.is_stopped() || self.site.presence.is_lost() {
            return Ok(true);
        }
        let every = self.request.poll.min(Duration::from_secs(5));
        if self.looked_for_stop.is_some_and(|at| at.elapsed() < every) {
            return Ok(false);
        }
        self.looked_for_stop = Some(Instant::now());
        self.site.is_stopped()
    }

    /// What is left to do; `None` where a `batchscope run` has the study for itself.
    fn look(&mut self, observer: &mut dyn Observer) -> Result<Option<Agenda>> {
        if self.site.look()? { Ok(None) } else { self.agenda(observer).map(Some) }
    }

    /// After an end, and again after a while as long as a worker process is free: others work, too.
    fn is_to_look_again(&self, last: &LastLook, busy: usize) -> bool {
        let is_due = busy < last.parallel && last.at.elapsed() >= self.request.poll;
        !self.is_late() && (last.is_old || is_due)
    }

    /// Claims the first job that is free, and prepares its folder.
    fn take(&mut self, agenda: &Agenda, number: usize) -> Result<Option<Held>> {
        if self.is_late() {
            return Ok(None);
        }
        let Some(mine) = self.claim(agenda)? else { return Ok(None) };
        let held = Held { job: mine.job.clone(), folder: mine.folder.clone() };
        self.mine.insert(number, mine);
        self.tell();
        Ok(Some(held))
    }

    fn ended(&mut self, number: usize, _held: &Held, end: &RunEnd, plan: &Plan) -> Result<()> {
        let Some(mut mine) = self.mine.remove(&number) else { return Ok(()) };
        match (&mine.job.measurement, end) {
            (_, RunEnd::Stopped) => mine.save()?,
            (None, RunEnd::Finished | RunEnd::Diverged { .. }) => {
                self.in_a_row.clear();
                self.publish(&mine)?;
            }
            (None, RunEnd::Failed { message }) => self.failed(&mut mine, message, plan)?,
            (Some(_), RunEnd::Failed { message }) => {
                self.failed_here.insert(mine.name.clone());
                self.unmeasured.push((mine.job.clone(), message.clone()));
                self.site.claims.release(&mine.name, mine.generation)?;
            }
            (Some(_), RunEnd::Finished | RunEnd::Diverged { .. }) => {}
        }
        if mine.shared.is_some() {
            // What cannot be removed now is removed with the worker.
            fs::remove_dir_all(&mine.folder).ok();
        }
        self.tell();
        Ok(())
    }

    /// Whether nothing is left but what this worker cannot do, and the report is drawn.
    fn is_over(&mut self, agenda: &Agenda) -> Result<bool> {
        let cannot = |job: &Job| job.measurement.is_some() && self.failed_here.contains(&name(job));
        Ok(agenda.jobs.iter().all(cannot) && finish(self.site, agenda, self.request.report)?)
    }

    fn is_late(&self) -> bool {
        self.request.halt.is_late()
    }

    /// Saves runs on a local disk in the study's folder, when it is time to.
    fn keep(&mut self) -> Result<()> {
        let is_due = |mine: &&mut Mine| mine.saved.elapsed() >= self.request.save;
        self.mine.values_mut().filter(is_due).try_for_each(Mine::save)
    }

    fn pause(&self) -> Duration {
        self.request.poll.min(Duration::from_millis(50))
    }
}

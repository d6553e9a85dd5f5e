//! One equal worker: claims what is ready, trains it, publishes it, until nothing is left.

use super::agenda::{Agenda, Ledger};
use super::attempts::{self, MOST_FAILURES};
use super::claims::{Published, is_listed, is_taken, publish};
use super::finish::finish;
use super::mine::{Mine, name};
use super::pace::{Begun, Pace};
use super::place::from_own_place;
use super::site::Site;
use crate::error::UserError;
use crate::files::{self, patiently};
use crate::study::additions::{Additions, Decide};
use crate::study::exec::{Halt, Job, Pool};
use crate::study::plan::Plan;
use crate::study::protocol::RunEnd;
use crate::study::rates::Tuning;
use crate::study::record::RunFolder;
use crate::study::summary::{ArmSummary, Failure, failures_of, summarise};
use crate::study::{Observer, Run};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
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
    /// How often it saves how far a run has come that is trained on a disk of its machine.
    pub save: Duration,
}

/// Why a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkEnd {
    /// Nothing is left to do.
    Over,
    /// Somebody stopped it, or the study.
    Stopped,
    /// The time is over.
    Late,
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

/// While nothing happens.
const TICK: Duration = Duration::from_millis(50);

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
    let mut worker = Worker {
        plan,
        site,
        request,
        ledger: Ledger::default(),
        mine: BTreeMap::new(),
        begun: BTreeMap::new(),
        claimed: 0,
        trained: 0,
        failed_here: BTreeSet::new(),
        in_a_row: Vec::new(),
        unmeasured: Vec::new(),
        looked_for_stop: None,
    };
    let end = worker.drive(pool, observer)?;
    let Worker { site, mut ledger, trained, unmeasured, .. } = worker;
    let agenda = ledger.agenda(plan, &site.folder, &site.sessions, request.decide)?;
    let Agenda { plan, tunings, additions, .. } = agenda;
    let folder = site.folder.path();
    Ok(WorkOutcome {
        end,
        trained,
        arms: summarise(&plan.study.arms, &plan.runs, folder)?,
        failures: failures_of(plan.runs.iter(), folder, std::iter::empty())?,
        tunings,
        additions,
        unmeasured,
    })
}

struct Worker<'w> {
    plan: &'w Plan,
    site: &'w mut Site,
    request: WorkRequest<'w>,
    ledger: Ledger,
    mine: BTreeMap<usize, Mine>,
    begun: BTreeMap<String, Begun>,
    /// Jobs that were claimed so far.
    claimed: usize,
    trained: u64,
    /// Jobs that failed in this worker's hands.
    failed_here: BTreeSet<String>,
    in_a_row: Vec<String>,
    unmeasured: Vec<(Job, String)>,
    looked_for_stop: Option<Instant>,
}

impl Worker<'_> {
    fn drive(&mut self, pool: &mut Pool, observer: &mut dyn Observer) -> Result<WorkEnd> {
        let mut agenda: Option<(Agenda, Instant)> = None;
        let mut plan = self.plan.clone();
        let mut is_stopping = false;
        loop {
            is_stopping = is_stopping || pool.has_no_room() || self.is_to_stop()?;
            let is_late = self.request.halt.is_late();
            if is_stopping {
                pool.stop_all();
            } else if !is_late && self.is_to_look(pool, agenda.as_ref()) {
                let Some(found) = self.agenda()? else {
                    is_stopping = true;
                    continue;
                };
                plan = found.plan.clone();
                if agenda.is_none() && self.claimed == 0 {
                    observer.on_plan(&plan, &self.ledger.pending(&plan));
                }
                self.fill(&found, pool, observer)?;
                let is_done = pool.busy() == 0 && self.is_done(&found);
                if is_done && finish(self.site, &found, self.request.report)? {
                    return Ok(WorkEnd::Over);
                }
                agenda = Some((found, Instant::now()));
            }
            if pool.busy() == 0 {
                if let Some(error) = pool.take_no_room(&self.site.folder) {
                    return Err(error);
                }
                match (is_stopping, is_late) {
                    (true, _) => return Ok(WorkEnd::Stopped),
                    (_, true) => return self.late(),
                    _ => sleep(TICK.min(self.request.poll)),
                }
                continue;
            }
            self.save()?;
            let Self { mine, begun, site, .. } = self;
            let of = |index: usize| {
                let Mine { job, folder, .. } = &mine[&index];
                (job, RunFolder::new(folder))
            };
            let presence = &site.presence;
            let mut pace = Pace { plan: &plan, presence, begun, observer: &mut *observer };
            if let Some((index, end)) = pool.next_end(&plan, &of, &mut pace)? {
                self.ended(index, &end, &plan)?;
                agenda = None;
            }
        }
    }

    /// Whether to look what is left to do: at first, after an end, and again after a while as long as a
    /// worker process is free.
    fn is_to_look(&self, pool: &Pool, agenda: Option<&(Agenda, Instant)>) -> bool {
        let Some((agenda, at)) = agenda else { return true };
        pool.busy() < self.parallel(agenda, pool) && at.elapsed() >= self.request.poll
    }

    fn parallel(&self, agenda: &Agenda, pool: &Pool) -> usize {
        pool.parallel(&agenda.plan, agenda.jobs.len().max(1))
    }

    /// How it ends when its time is over: nothing may be left to do all the same.
    fn late(&mut self) -> Result<WorkEnd> {
        let Some(found) = self.agenda()? else { return Ok(WorkEnd::Stopped) };
        let is_over = self.is_done(&found) && finish(self.site, &found, self.request.report)?;
        Ok(if is_over { WorkEnd::Over } else { WorkEnd::Late })
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
    fn agenda(&mut self) -> Result<Option<Agenda>> {
        if self.site.look()? {
            return Ok(None);
        }
        let Site { folder, sessions, .. } = &*self.site;
        self.ledger.agenda(self.plan, folder, sessions, self.request.decide).map(Some)
    }

    /// Whether nothing is left but what this worker cannot do.
    fn is_done(&self, agenda: &Agenda) -> bool {
        let cannot = |job: &Job| job.measurement.is_some() && self.failed_here.contains(&name(job));
        agenda.jobs.iter().all(cannot)
    }

    /// Gives jobs to worker processes that are free.
    fn fill(
        &mut self,
        agenda: &Agenda,
        pool: &mut Pool,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let parallel = self.parallel(agenda, pool);
        while pool.busy() < parallel {
            let Some(mine) = self.claim(agenda)? else { return Ok(()) };
            self.claimed += 1;
            let index = self.claimed;
            let folders = (self.site.folder.path(), &RunFolder::new(&mine.folder));
            pool.give(&agenda.plan, folders, &mine.job, (index, parallel))?;
            if mine.job.measurement.is_none() {
                observer.on_run_start(&mine.job.run);
            }
            self.mine.insert(index, mine);
            self.tell();
        }
        Ok(())
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

    /// A job of this worker ended.
    fn ended(&mut self, index: usize, end: &RunEnd, plan: &Plan) -> Result<()> {
        let Some(mut mine) = self.mine.remove(&index) else { return Ok(()) };
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
            // What stays goes with the worker.
            fs::remove_dir_all(&mine.folder).ok();
        }
        self.tell();
        Ok(())
    }

    /// Saves how far the runs have come that are trained on a disk of this machine.
    fn save(&mut self) -> Result<()> {
        let is_due = |mine: &&mut Mine| mine.saved.elapsed() >= self.request.save;
        self.mine.values_mut().filter(is_due).try_for_each(Mine::save)
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

//! How a `batchscope run` holds jobs: the lock of the study's folder gives it all of them.
//!
//! Each run is trained in its own folder, where its curves are seen while it is trained, and which is its
//! place when it has ended. Step by step all that is left is done in the order of the plan: learning rates,
//! runs, more seeds, measurements. A job that failed is not tried again in the same session.

use super::agenda::{Agenda, Ground, Ledger, has_rate};
use super::growth::close;
use super::{Held, Hold, LastLook, Nobody};
use crate::files;
use crate::study::additions::Stop;
use crate::study::environment::Sessions;
use crate::study::exec::Job;
use crate::study::folder::StudyFolder;
use crate::study::measure;
use crate::study::plan::Plan;
use crate::study::protocol::RunEnd;
use crate::study::run::Run;
use crate::study::summary::{Failure, failures_of, summarise};
use crate::study::{Observer, Request, StudyOutcome};
use anyhow::Result;
use std::collections::{BTreeMap, VecDeque};

/// A study that this process has for itself.
pub(in crate::study) struct AloneHold<'a> {
    plan: &'a Plan,
    folder: &'a StudyFolder,
    request: Request<'a>,
    sessions: Sessions,
    ledger: Ledger<'a>,
    /// Jobs of the last agenda that were not begun yet.
    waiting: VecDeque<Job>,
    /// How the runs of this session ended that were not stopped.
    pub(in crate::study) ends: BTreeMap<String, RunEnd>,
    /// The same for measurements.
    measured: Vec<(Job, RunEnd)>,
    /// The agenda, once all training is over.
    closed: Option<Agenda>,
}

impl<'a> AloneHold<'a> {
    pub(in crate::study) fn new(
        plan: &'a Plan,
        folder: &'a StudyFolder,
        request: Request<'a>,
        sessions: Sessions,
    ) -> Self {
        Self {
            plan,
            folder,
            request,
            sessions,
            ledger: Ledger::alone(request.selection),
            waiting: VecDeque::new(),
            ends: BTreeMap::new(),
            measured: Vec::new(),
            closed: None,
        }
    }

    /// What is left to train. When that is nothing, or the session ends before it, training is over for it.
    fn train(&mut self, is_last: bool, observer: &mut dyn Observer) -> Result<Agenda> {
        let Request { halt, decide, .. } = self.request;
        let is_late = halt.is_late();
        let (plan, folder, sessions) = (self.plan, self.folder, &mut self.sessions);
        let mut ground = Ground { plan, folder, sessions, decide, is_late, observer };
        let mut agenda = self.ledger.agenda(&mut ground)?;
        if !agenda.tunings.is_empty() {
            files::write_json(&folder.path().join("tuning.json"), &agenda.tunings)?;
        }
        if agenda.jobs.is_empty() || is_late || is_last {
            agenda.jobs.clear();
            let stop = if halt.is_stopped() { Stop::Interrupted } else { Stop::MaxTime };
            close(&mut agenda, stop, &mut ground)?;
            self.closed = Some(agenda.clone());
        }
        Ok(agenda)
    }

    /// Measurements that are left.
    fn unmeasured(&self, plan: &Plan) -> Result<Vec<Job>> {
        let mut jobs = measure::pending(plan, self.folder, self.request.selection)?;
        jobs.retain(|job| self.measured.iter().all(|(done, _)| done != job));
        Ok(jobs)
    }

    /// What came of it.
    pub(in crate::study) fn outcome(mut self) -> Result<StudyOutcome> {
        let agenda = match self.closed.take() {
            Some(agenda) => agenda,
            None => self.train(true, &mut Nobody)?,
        };
        let measurements_left = self.unmeasured(&agenda.plan)?.len();
        let unfinished = match self.request.halt.is_stopped() {
            true => self.unfinished(&agenda),
            // What the end of the time kept from starting is no work that was broken off.
            false => 0,
        };
        let failures = self.failures(&agenda)?;
        let is_failed = |(_, end): &(Job, RunEnd)| *end != RunEnd::Finished;
        let failed = self.measured.into_iter().filter(is_failed);
        let Agenda { plan, tunings, additions, .. } = agenda;
        Ok(StudyOutcome {
            arms: summarise(&plan.study.arms, &plan.runs, self.folder.path())?,
            failures,
            unfinished,
            not_retried: self.ledger.failed,
            tunings,
            unmeasured: failed.map(|(job, end)| (job, end.to_string())).collect(),
            measurements_left,
            additions,
        })
    }

    /// Runs that are left, and those that wait for the learning rates that some of these find.
    fn unfinished(&self, agenda: &Agenda) -> usize {
        let left = agenda.left.iter().filter(|run| !self.ledger.knows_over(run)).count();
        let is_tuning = agenda.trials.iter().any(|run| agenda.left.contains(run));
        let waits = |run: &&Run| {
            let is_covered = self.request.selection.covers(run);
            is_tuning && is_covered && !has_rate(&agenda.tunings, &run.arm.name)
        };
        left + agenda.plan.runs.iter().filter(waits).count()
    }

    /// Runs that diverged or failed, in the order of the plan.
    fn failures(&self, agenda: &Agenda) -> Result<Vec<Failure>> {
        let path = self.folder.path();
        let of = |runs: &[Run]| {
            let ended = |run: &Run| Some((run.clone(), Some(self.ends.get(&run.id())?.clone())));
            let ends: Vec<(Run, Option<RunEnd>)> = runs.iter().filter_map(ended).collect();
            failures_of(runs.iter(), path, ends.iter().map(|(run, end)| (run, end)))
        };
        let mut failures = of(&agenda.trials)?;
        // That a rate makes a run diverge is what is to be found out.
        failures.retain(|(_, end)| !matches!(end, RunEnd::Diverged { .. }));
        let covered = agenda.plan.runs.iter().filter(|run| self.request.selection.covers(run));
        failures.extend(of(&covered.cloned().collect::<Vec<_>>())?);
        Ok(failures)
    }
}

impl Hold for AloneHold<'_> {
    fn folder(&self) -> &StudyFolder {
        self.folder
    }

    fn is_to_stop(&mut self) -> Result<bool> {
        Ok(self.request.halt.is_stopped())
    }

    fn look(&mut self, observer: &mut dyn Observer) -> Result<Option<Agenda>> {
        let mut agenda = match self.closed.clone() {
            Some(agenda) => agenda,
            None => self.train(false, observer)?,
        };
        if self.closed.is_some() {
            agenda.jobs = self.unmeasured(&agenda.plan)?;
            if self.measured.is_empty() && !agenda.jobs.is_empty() {
                observer.on_measuring(agenda.jobs.len());
            }
        }
        self.waiting = agenda.jobs.iter().cloned().collect();
        Ok(Some(agenda))
    }

    /// When all of the last agenda has ended.
    fn is_to_look_again(&self, _last: &LastLook, busy: usize) -> bool {
        busy == 0 && self.waiting.is_empty()
    }

    fn take(&mut self, _agenda: &Agenda, _number: usize) -> Result<Option<Held>> {
        if self.closed.is_none() && self.request.halt.is_late() {
            // What is measured of finished runs is still measured.
            self.waiting.clear();
        }
        let held = |job: Job| Held { folder: self.folder.run(&job.run).path().to_owned(), job };
        Ok(self.waiting.pop_front().map(held))
    }

    fn ended(&mut self, _number: usize, held: &Held, end: &RunEnd, _plan: &Plan) -> Result<()> {
        match (&held.job.measurement, end) {
            (_, RunEnd::Stopped) => {}
            (Some(_), end) => self.measured.push((held.job.clone(), end.clone())),
            (None, end) => {
                self.ledger.end(&held.job.run);
                self.ends.insert(held.job.run.id(), end.clone());
            }
        }
        Ok(())
    }

    fn is_over(&mut self, agenda: &Agenda) -> Result<bool> {
        Ok(agenda.jobs.is_empty())
    }
}

//! What is left to do of a study, as its records say: no process decides it, so all decide the same.
//!
//! Learning rates are found first, then the runs that are reported are trained, and a study that goes on
//! adds seeds. A process that has the study for itself does so step by step, in the order of the plan. Equal
//! workers take whatever is ready, the longest runs first.

use crate::files::listed;
use crate::study::Observer;
use crate::study::additions::{Additions, Decide, Decision};
use crate::study::environment::Sessions;
use crate::study::exec::Job;
use crate::study::folder::{Pending, StudyFolder};
use crate::study::plan::Plan;
use crate::study::rates::{self, Tuning};
use crate::study::record::Status;
use crate::study::run::Run;
use crate::study::selection::Selection;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What is left to do.
#[derive(Debug, Clone)]
pub(in crate::study) struct Agenda {
    /// With the rates that were found, and the seeds that there are.
    pub(in crate::study) plan: Plan,
    /// What can be done now.
    pub(in crate::study) jobs: Vec<Job>,
    /// All runs that can be trained and are not over, those of later jobs too.
    pub(in crate::study) left: Vec<Run>,
    pub(in crate::study) tunings: Vec<Tuning>,
    /// All runs that find learning rates, as far as they are known.
    pub(in crate::study) trials: Vec<Run>,
    pub(in crate::study) additions: Option<Additions>,
    /// Arms that get no more than these seeds.
    pub(in crate::study) fewer: BTreeMap<String, u64>,
}

/// From what it follows.
pub(in crate::study) struct Ground<'g> {
    pub(in crate::study) plan: &'g Plan,
    pub(in crate::study) folder: &'g StudyFolder,
    pub(in crate::study) sessions: &'g mut Sessions,
    pub(in crate::study) decide: Decide<'g>,
    /// Whether no more seeds may be added, since the time is over.
    pub(in crate::study) is_late: bool,
    pub(in crate::study) observer: &'g mut dyn Observer,
}

/// What is known to be over, and what was decided at looks: neither changes.
#[derive(Debug, Default)]
pub(in crate::study) struct Ledger<'s> {
    /// What this session is about, where the study is this process's alone; else all of it.
    pub(super) alone: Option<&'s Selection>,
    over: BTreeSet<String>,
    /// Runs that were seen before they were over.
    open: BTreeSet<String>,
    /// With the whole seeds that there were.
    pub(super) decisions: BTreeMap<u64, (Decision, u64)>,
    /// The seeds to begin with, and the most that there may be.
    pub(super) limits: Option<[u64; 2]>,
    /// At how many seeds the study stands, as its folder says.
    pub(super) entered: u64,
    /// Runs that were seen, and not told of yet.
    untold: Pending,
    is_told: bool,
    /// Runs that failed before and are not tried again.
    pub(super) failed: usize,
}

/// Whether the learning rate of an arm is given or found.
pub(super) fn has_rate(tunings: &[Tuning], arm: &str) -> bool {
    let of_arm = tunings.iter().find(|tuning| tuning.arm == arm);
    of_arm.is_none_or(|tuning| tuning.chosen.is_some())
}

impl<'s> Ledger<'s> {
    /// Of a process that has the study for itself.
    pub(super) fn alone(selection: &'s Selection) -> Self {
        Self { alone: Some(selection), ..Self::default() }
    }

    /// A run has come to an end, one way or another.
    pub(super) fn end(&mut self, run: &Run) {
        self.over.insert(run.id());
    }

    pub(super) fn knows_over(&self, run: &Run) -> bool {
        self.over.contains(&run.id())
    }

    /// Whether a run has come to an end, one way or another, and has its place.
    pub(in crate::study) fn is_over(&mut self, folder: &StudyFolder, run: &Run) -> Result<bool> {
        Ok(self.read_open(folder, &[run])?.0.is_empty())
    }

    /// Those of these runs that are not over, and what of them was not seen before.
    fn see(
        &mut self,
        (plan, folder): (&Plan, &StudyFolder),
        runs: &[&Run],
        selection: Option<&Selection>,
    ) -> Result<(Vec<Run>, Pending)> {
        let Some(selection) = selection else { return self.read_open(folder, runs) };
        let is_new = |run: &&Run| !self.over.contains(&run.id()) && !self.open.contains(&run.id());
        let new: Vec<&Run> = runs.iter().copied().filter(is_new).collect();
        folder.refuse_other_definitions(plan, new.iter().copied())?;
        let pending = folder.pending(plan, new.iter().copied(), selection)?;
        self.open.extend(pending.runs.iter().map(Run::id));
        self.over.extend(new.iter().map(|run| run.id()).filter(|id| !self.open.contains(id)));
        self.failed += pending.failed;
        let is_open = |run: &&&Run| !self.over.contains(&run.id());
        Ok((runs.iter().filter(is_open).map(|run| (*run).clone()).collect(), pending))
    }

    /// As [`Self::see`], where other workers may have ended runs since.
    fn read_open(&mut self, folder: &StudyFolder, runs: &[&Run]) -> Result<(Vec<Run>, Pending)> {
        let mut lists: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
        let (mut open, mut new) = (Vec::new(), Pending::default());
        for run in runs {
            let id = run.id();
            if self.over.contains(&id) {
                continue;
            }
            let files = folder.run(run);
            let parent = files.path().parent().unwrap_or(Path::new("")).to_owned();
            if !lists.contains_key(&parent) {
                lists.insert(parent.clone(), listed(&parent)?);
            }
            let is_there = lists.get(&parent).is_some_and(|names| names.contains(&run.seed_name()));
            let status = match is_there {
                true => files.record()?.map(|record| record.status),
                false => None,
            };
            let is_new = !self.open.contains(&id);
            match status {
                None | Some(Status::Running) => {
                    open.push((*run).clone());
                    if is_new {
                        new.runs.push((*run).clone());
                        self.open.insert(id);
                    }
                }
                Some(_) => {
                    new.finished += usize::from(is_new);
                    self.over.insert(id);
                }
            }
        }
        Ok((open, new))
    }

    /// As [`Self::see`], for runs that are reported.
    pub(super) fn see_reported(
        &mut self,
        (plan, folder): (&Plan, &StudyFolder),
        tunings: &[Tuning],
    ) -> Result<Vec<Run>> {
        let runs = plan.runs.iter().filter(|run| has_rate(tunings, &run.arm.name));
        let (open, new) = self.see((plan, folder), &Vec::from_iter(runs), self.alone)?;
        self.untold.add(new);
        Ok(open)
    }

    /// Tells of what was seen.
    pub(super) fn tell(&mut self, plan: &Plan, observer: &mut dyn Observer) {
        let new = std::mem::take(&mut self.untold);
        match std::mem::replace(&mut self.is_told, true) {
            false => observer.on_plan(plan, &new),
            true if new.is_empty() => {}
            true => observer.on_more(plan, &new),
        }
    }

    /// What is left to train now.
    pub(in crate::study) fn agenda(&mut self, ground: &mut Ground<'_>) -> Result<Agenda> {
        let (plan, folder) = (ground.plan, ground.folder);
        let (tunings, mut trials) = rates::read_all(&plan.study, folder.path())?;
        if let Some(selection) = self.alone {
            let covered = plan.runs.iter().filter(|run| selection.covers(run));
            let arms: BTreeSet<&str> = covered.map(|run| run.arm.name.as_str()).collect();
            trials.retain(|run| arms.contains(run.arm.name.as_str()));
        }
        let of_tuning = self.alone.map(Selection::of_tuning);
        let all = Vec::from_iter(&trials);
        let (open, new) = self.see((plan, folder), &all, of_tuning.as_ref())?;
        match (self.alone, open.is_empty()) {
            (None, _) => self.untold.add(new),
            (_, true) => {}
            (_, false) => ground.observer.on_tuning(plan, &open, trials.len()),
        }
        let is_first = self.alone.is_some() && !open.is_empty();
        let plan = plan.settled(&tunings);
        let growth = plan.study.growth.filter(|_| self.alone.is_none_or(|it| it.only.is_empty()));
        let mut agenda = Agenda {
            jobs: Vec::new(),
            left: open,
            trials,
            additions: None,
            fewer: plan.study.fewer.clone(),
            plan,
            tunings,
        };
        let runs = match growth {
            Some(growth) if is_first => {
                agenda.additions = Some(Additions::new(growth, 0));
                Vec::new()
            }
            Some(growth) => self.grow(&mut agenda, growth, ground)?,
            None => {
                let runs = self.see_reported((&agenda.plan, folder), &agenda.tunings)?;
                if !is_first {
                    self.tell(&agenda.plan, ground.observer);
                }
                runs
            }
        };
        self.put_in_order(&mut agenda, runs, is_first);
        Ok(agenda)
    }

    /// Which of the runs that are left are trained now, and in which order.
    fn put_in_order(&self, agenda: &mut Agenda, runs: Vec<Run>, is_first: bool) {
        let plan = &agenda.plan;
        match self.alone {
            Some(_) => {
                agenda.jobs = Job::train(if is_first { &agenda.left } else { &runs });
            }
            None => {
                let trials = longest_first(plan, agenda.left.clone());
                agenda.jobs = Job::train(&trials);
                agenda.jobs.extend(Job::train(&longest_first(plan, runs.clone())));
            }
        }
        agenda.left.extend(runs);
    }
}

impl Pending {
    fn add(&mut self, other: Self) {
        self.runs.extend(other.runs);
        self.finished += other.finished;
        self.diverged += other.diverged;
        self.failed += other.failed;
        self.left_out += other.left_out;
        self.anew.extend(other.anew);
    }

    fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.finished + self.diverged + self.failed + self.left_out == 0
    }
}

/// Of runs of one stage, those that take the most steps first: then no long one is left at the end.
fn longest_first(plan: &Plan, mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_by_key(|run| std::cmp::Reverse(plan.training_length(&run.arm).steps()));
    runs
}

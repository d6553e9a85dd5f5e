//! What is left to do of a study, as its records say: no worker decides it, so all decide the same.

use crate::files::{self, listed};
use crate::study::additions::{Additions, Decide, Decision, Look, Stop, next_look};
use crate::study::environment::Sessions;
use crate::study::exec::Job;
use crate::study::folder::{Pending, StudyFolder};
use crate::study::measure;
use crate::study::plan::Plan;
use crate::study::rates::{self, Tuning};
use crate::study::record::Status;
use crate::study::run::Run;
use crate::study::selection::Selection;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// What is left to do.
#[derive(Debug)]
pub(super) struct Agenda {
    /// With the rates that were found, and the seeds that there are.
    pub(super) plan: Plan,
    /// What can be done now, the longest runs first; none when all is done.
    pub(super) jobs: Vec<Job>,
    pub(super) tunings: Vec<Tuning>,
    pub(super) additions: Option<Additions>,
}

/// What is known to be over, and what was decided at looks: neither changes.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    over: BTreeSet<String>,
    decisions: BTreeMap<u64, Decision>,
}

/// How a study that goes on begins.
pub(super) fn first_additions(plan: &Plan) -> Option<Additions> {
    plan.study.growth.map(|growth| Additions::new(growth, growth.first))
}

impl Ledger {
    /// What is left of a plan, for whoever takes it.
    pub(super) fn pending(&self, plan: &Plan) -> Pending {
        let left = plan.runs.iter().filter(|run| !self.over.contains(&run.id()));
        let runs: Vec<Run> = left.cloned().collect();
        Pending { finished: plan.runs.len() - runs.len(), runs, ..Pending::default() }
    }

    /// Whether a run has come to an end, one way or another, and has its place.
    pub(super) fn is_over(&mut self, folder: &StudyFolder, run: &Run) -> Result<bool> {
        Ok(self.open(folder, std::iter::once(run))?.is_empty())
    }

    /// Those of these runs that are not over.
    fn open<'r>(
        &mut self,
        folder: &StudyFolder,
        runs: impl Iterator<Item = &'r Run>,
    ) -> Result<Vec<Run>> {
        let mut lists: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
        let mut open = Vec::new();
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
            match status {
                None | Some(Status::Running) => open.push(run.clone()),
                Some(_) => drop(self.over.insert(id)),
            }
        }
        Ok(open)
    }

    /// What is left to do now.
    pub(super) fn agenda(
        &mut self,
        plan: &Plan,
        folder: &StudyFolder,
        sessions: &Sessions,
        decide: Decide<'_>,
    ) -> Result<Agenda> {
        let (tunings, trials) = rates::read_all(&plan.study, folder.path())?;
        let trials = self.open(folder, trials.iter())?;
        let plan = plan.settled(&tunings);
        let of_tuning = |arm: &str| tunings.iter().find(|tuning| tuning.arm == arm);
        let has_rate = |arm: &str| of_tuning(arm).is_none_or(|tuning| tuning.chosen.is_some());
        let (plan, additions, runs) = match plan.study.growth {
            None => {
                let runs = plan.runs.iter().filter(|run| has_rate(&run.arm.name));
                let runs = self.open(folder, runs)?;
                (plan, None, runs)
            }
            Some(_) => {
                self.grow(&plan, (folder, sessions), (&has_rate, trials.is_empty()), decide)?
            }
        };
        let mut jobs = Job::train(&longest_first(&plan, trials));
        jobs.extend(Job::train(&longest_first(&plan, runs)));
        if jobs.is_empty() {
            jobs = measure::pending(&plan, folder, &Selection::default())?;
        }
        Ok(Agenda { plan, jobs, tunings, additions })
    }

    /// The seeds that there are, and their runs that are not over. Every look is made again, in order, from
    /// the records of its seeds alone.
    fn grow(
        &mut self,
        plan: &Plan,
        (folder, sessions): (&StudyFolder, &Sessions),
        (has_rate, is_tuned): (&dyn Fn(&str) -> bool, bool),
        decide: Decide<'_>,
    ) -> Result<(Plan, Option<Additions>, Vec<Run>)> {
        let Some(mut additions) = first_additions(plan) else {
            return Ok((plan.clone(), None, Vec::new()));
        };
        let most = additions.max_seeds.max(additions.first);
        let mut fewer = plan.study.fewer.clone();
        loop {
            let seeds = additions.seeds;
            let stage = plan.grown(seeds, &fewer);
            let runs = stage.runs.iter().filter(|run| has_rate(&run.arm.name));
            let open = self.open(folder, runs)?;
            if !open.is_empty() || !is_tuned {
                return Ok((stage, Some(additions), open));
            }
            let out: Vec<String> = fewer.keys().cloned().collect();
            let decision = match self.decisions.get(&seeds) {
                Some(decision) => decision.clone(),
                None => {
                    let view = View::of((folder.path(), &stage), sessions, &additions)?;
                    decide(view.path(), Look { seeds, out: &out })?
                }
            };
            additions.looks.push(decision.look(seeds, &mut fewer));
            self.decisions.insert(seeds, decision.clone());
            additions.stopped = match decision.settled {
                true => Some(Stop::Settled),
                false if seeds >= most => Some(Stop::MaxSeeds),
                false => None,
            };
            if additions.stopped.is_some() {
                return Ok((plan.grown(seeds, &fewer), Some(additions), Vec::new()));
            }
            additions.seeds = next_look(seeds, most);
        }
    }
}

/// Of runs of one stage, those that take the most steps first: then no long one is left at the end.
fn longest_first(plan: &Plan, mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_by_key(|run| std::cmp::Reverse(plan.training_length(&run.arm).steps()));
    runs
}

/// A study's folder as it is at one look: its resolved file and its session say so many seeds, whatever
/// other workers write meanwhile; its runs are those of the study.
struct View {
    folder: tempfile::TempDir,
}

impl View {
    fn of(
        (study, stage): (&Path, &Plan),
        sessions: &Sessions,
        additions: &Additions,
    ) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let path = folder.path();
        let text = files::seal_text(&stage.study.to_yaml()?);
        files::write_text(&path.join("study.yaml"), &text)?;
        sessions.copied(path).record_seeds(additions.seeds, additions)?;
        let study = fs::canonicalize(study)?;
        let arms = stage.study.arms.iter().map(|arm| arm.name.as_str());
        for name in arms.chain(["tuning", "data"]) {
            if study.join(name).exists() {
                symlink(study.join(name), path.join(name))?;
            }
        }
        Ok(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

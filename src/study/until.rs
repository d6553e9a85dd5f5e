//! A study that goes on: seeds are added until it is settled which batch size to use.
//!
//! ```text
//! looks      at whole seeds of a fixed schedule: the seeds to begin with, then a fifth more each time
//! decision   a function of the records of these seeds; arms that are out get no more of them
//! end        settled, as many seeds as may be, or the time is over
//! ```
//!
//! The time only ends it. It is looked at between runs: no run is begun after it, those in training end,
//! and a seed that not every arm has finished is left to the next session. So neither workers nor clocks
//! nor interruptions change which runs there are, but for how far the study comes.

use super::Observer;
use super::additions::{Additions, Decide, Look, Stop, look_within, next_look};
use super::environment::Sessions;
use super::exec::{Halt, Job, Pool};
use super::folder::{Pending, StudyFolder};
use super::plan::Plan;
use super::protocol::RunEnd;
use super::record::Status;
use super::run::Run;
use super::selection::Selection;
use crate::config::Growth;
use anyhow::Result;
use std::collections::BTreeMap;

/// What a session trained.
#[derive(Debug, Default)]
pub(super) struct Trained {
    /// The runs that were to be trained, and how each ended.
    pub(super) ends: Vec<(Run, Option<RunEnd>)>,
    /// Runs that failed before and were not tried again.
    pub(super) failed: usize,
}

/// What training needs beside the plan.
pub(super) struct Trainer<'t> {
    pub(super) folder: &'t StudyFolder,
    pub(super) selection: &'t Selection,
    /// Whether the search for learning rates was broken off.
    pub(super) is_cut: bool,
    /// Whether the learning rate of an arm is known.
    pub(super) has_rate: &'t dyn Fn(&str) -> bool,
    pub(super) pool: &'t mut Pool,
    pub(super) halt: Halt<'t>,
    pub(super) observer: &'t mut dyn Observer,
    pub(super) trained: Trained,
}

impl Trainer<'_> {
    /// Trains what is not finished of a plan, from this seed on; whether all of it came to an end.
    pub(super) fn train(&mut self, plan: &Plan, from: u64) -> Result<bool> {
        let runs: Vec<&Run> =
            plan.runs.iter().filter(|run| (self.has_rate)(&run.arm.name)).collect();
        self.folder.refuse_other_definitions(plan, runs.iter().copied())?;
        let new = runs.iter().copied().filter(|run| run.seed >= from);
        let pending: Pending = self.folder.pending(plan, new, self.selection)?;
        match from {
            0 => self.observer.on_plan(plan, &pending),
            _ => self.observer.on_more(plan, &pending),
        }
        let jobs = Job::train(&pending.runs);
        let ends = self.pool.run_all(plan, self.folder, &jobs, self.halt, self.observer)?;
        let is_over = |end: &Option<RunEnd>| !matches!(end, None | Some(RunEnd::Stopped));
        let all = ends.iter().all(is_over);
        self.trained.ends.extend(pending.runs.into_iter().zip(ends));
        self.trained.failed += pending.failed;
        Ok(all)
    }

    /// Trains the seeds to begin with, and adds more until there is a reason to stop. Gives the plan of
    /// the runs that there are then.
    pub(super) fn go_on(
        &mut self,
        plan: &Plan,
        growth: Growth,
        decide: Decide<'_>,
        sessions: &mut Sessions,
    ) -> Result<(Plan, Option<Additions>)> {
        let mut fewer = plan.study.fewer.clone();
        let finished = self.whole_seeds(plan, &fewer)?;
        let most = growth.most.max(finished);
        let mut additions = Additions::new(growth, look_within(growth.first, most, finished));
        if self.is_cut {
            additions.seeds = 0;
            return self.end(plan, self.cut(), additions, &fewer, sessions);
        }
        let mut from = 0;
        loop {
            let seeds = additions.seeds;
            let stage = plan.grown(seeds, &fewer);
            self.folder.write_resolved(&stage)?;
            sessions.record_seeds(seeds, &additions)?;
            if !self.train(&stage, from)? {
                return self.end(plan, self.cut(), additions, &fewer, sessions);
            }
            let out: Vec<String> = fewer.keys().cloned().collect();
            let decision = decide(self.folder.path(), Look { seeds, out: &out })?;
            let looked = decision.look(seeds, &mut fewer);
            self.observer.on_look(&stage, &looked);
            additions.looks.push(looked);
            // What is finished counts, so it is looked at before anything is called settled.
            let finished = self.whole_seeds(&stage, &fewer)?;
            let stop = match decision.settled {
                true if finished <= seeds => Some(Stop::Settled),
                true => None,
                false if seeds >= most => Some(Stop::MaxSeeds),
                false if self.halt.is_late() => Some(Stop::MaxTime),
                false => None,
            };
            if let Some(stop) = stop {
                return self.end(plan, stop, additions, &fewer, sessions);
            }
            let next = next_look(seeds, most.max(finished));
            additions.seeds = if decision.settled { next.min(finished) } else { next };
            from = seeds;
        }
    }

    /// What kept runs from being trained to their end.
    fn cut(&self) -> Stop {
        if self.halt.is_stopped() { Stop::Interrupted } else { Stop::MaxTime }
    }

    /// Writes down where it ended. Runs beyond the last whole seed count where they are finished. Where it
    /// goes on later, the resolved file names whole seeds alone: it would take arms that came further
    /// for those that get more.
    fn end(
        &mut self,
        plan: &Plan,
        stop: Stop,
        mut additions: Additions,
        fewer: &BTreeMap<String, u64>,
        sessions: &mut Sessions,
    ) -> Result<(Plan, Option<Additions>)> {
        additions.stopped = Some(stop);
        if stop == Stop::MaxTime {
            let stage = plan.grown(additions.seeds, fewer);
            additions.seeds = self.whole_seeds(&stage, fewer)?.min(additions.seeds);
        }
        let mut plan = plan.grown(additions.seeds.max(1), fewer);
        let whole = plan.clone();
        plan.study.take_trained(self.folder.path())?;
        plan.runs = Run::all(&plan.study);
        let goes_on = matches!(stop, Stop::MaxTime | Stop::Interrupted);
        self.folder.write_resolved(if goes_on { &whole } else { &plan })?;
        sessions.record_seeds(additions.seeds.max(1), &additions)?;
        Ok((plan, Some(additions)))
    }

    /// How many first seeds all arms have that are not out: finished, or ended in another way.
    fn whole_seeds(&self, plan: &Plan, out: &BTreeMap<String, u64>) -> Result<u64> {
        let mut least = None;
        for arm in &plan.study.arms {
            if out.contains_key(&arm.name) || !(self.has_rate)(&arm.name) {
                continue;
            }
            let mut whole = 0;
            while plan.study.has_seed(&arm.name, whole) && self.is_over(plan, &arm.name, whole)? {
                whole += 1;
            }
            least = Some(least.map_or(whole, |least: u64| least.min(whole)));
        }
        Ok(least.unwrap_or(0))
    }

    fn is_over(&self, plan: &Plan, arm: &str, seed: u64) -> Result<bool> {
        let run = plan.runs.iter().find(|run| run.arm.name == arm && run.seed == seed);
        let Some(run) = run else { return Ok(false) };
        let status = self.folder.run(run).record()?.map(|record| record.status);
        Ok(!matches!(status, None | Some(Status::Running)))
    }
}

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

use super::agenda::{Agenda, Ground, Ledger, has_rate};
use crate::config::Growth;
use crate::files;
use crate::study::additions::{Additions, Look, Stop, look_within, next_look};
use crate::study::environment::Sessions;
use crate::study::folder::{RESOLVED, StudyFolder, resolved_text};
use crate::study::plan::Plan;
use crate::study::rates::Tuning;
use crate::study::record::Status;
use crate::study::run::Run;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// How a study that goes on begins.
pub(in crate::study) fn first_additions(plan: &Plan) -> Option<Additions> {
    plan.study.growth.map(|growth| Additions::new(growth, growth.first))
}

impl Ledger<'_> {
    /// Gives an agenda the seeds that there are, and gives their runs that are not over. Every look is made
    /// again, in order, from the records of its seeds alone.
    pub(super) fn grow(
        &mut self,
        agenda: &mut Agenda,
        growth: Growth,
        ground: &mut Ground<'_>,
    ) -> Result<Vec<Run>> {
        let base = agenda.plan.clone();
        let [first, most] = self.limits(&base, growth, (ground.folder, &agenda.tunings))?;
        let mut additions = Additions::new(growth, first);
        let mut fewer = base.study.fewer.clone();
        let is_tuned = agenda.left.is_empty();
        let open = loop {
            let seeds = additions.seeds;
            agenda.plan = base.grown(seeds, &fewer);
            self.enter(&agenda.plan, &additions, ground)?;
            let open = self.see_reported((&agenda.plan, ground.folder), &agenda.tunings)?;
            self.tell(&agenda.plan, ground.observer);
            if !open.is_empty() || !is_tuned {
                break open;
            }
            let (settled, finished, is_new) =
                self.decide(agenda, &mut fewer, &mut additions, ground)?;
            // What is finished counts, so it is looked at before anything is called settled.
            additions.stopped = match settled {
                true if finished <= seeds => Some(Stop::Settled),
                true => None,
                false if seeds >= most => Some(Stop::MaxSeeds),
                false if is_new && ground.is_late => Some(Stop::MaxTime),
                false => None,
            };
            if additions.stopped.is_some() {
                agenda.plan = base.grown(seeds, &fewer);
                break Vec::new();
            }
            let next = next_look(seeds, most.max(finished));
            additions.seeds = if settled { next.min(finished) } else { next };
        };
        (agenda.additions, agenda.fewer) = (Some(additions), fewer);
        Ok(open)
    }

    /// The seeds to begin with, and the most that there may be. A process that has the study for itself
    /// begins with the last look that the finished seeds allow.
    fn limits(
        &mut self,
        plan: &Plan,
        growth: Growth,
        (folder, tunings): (&StudyFolder, &[Tuning]),
    ) -> Result<[u64; 2]> {
        if let Some(limits) = self.limits {
            return Ok(limits);
        }
        let limits = match self.alone {
            None => [growth.first, growth.most.max(growth.first)],
            Some(_) => {
                let finished = whole_seeds(plan, folder, tunings, &plan.study.fewer)?;
                let most = growth.most.max(finished);
                [look_within(growth.first, most, finished), most]
            }
        };
        Ok(*self.limits.insert(limits))
    }

    /// Says in the study's folder how many seeds there are. Equal workers leave that to the end.
    fn enter(
        &mut self,
        stage: &Plan,
        additions: &Additions,
        ground: &mut Ground<'_>,
    ) -> Result<()> {
        if self.alone.is_none() || additions.seeds <= self.entered {
            return Ok(());
        }
        self.entered = additions.seeds;
        ground.folder.write_resolved(stage)?;
        ground.sessions.record_seeds(additions.seeds, additions)
    }

    /// Looks at the seeds that there are, or remembers what was found there: whether it is settled, the
    /// whole seeds that were finished then, and whether this look is new. Among equal workers no seed is
    /// trained but because of a look.
    fn decide(
        &mut self,
        agenda: &Agenda,
        fewer: &mut BTreeMap<String, u64>,
        additions: &mut Additions,
        ground: &mut Ground<'_>,
    ) -> Result<(bool, u64, bool)> {
        let seeds = additions.seeds;
        let (stage, folder) = (&agenda.plan, ground.folder);
        if let Some((decision, finished)) = self.decisions.get(&seeds) {
            additions.looks.push(decision.look(seeds, fewer));
            return Ok((decision.settled, *finished, false));
        }
        let out: Vec<String> = fewer.keys().cloned().collect();
        let look = Look { seeds, out: &out };
        let decision = match self.alone {
            Some(_) => (ground.decide)(folder.path(), look)?,
            None => {
                let view = View::of((folder.path(), stage), ground.sessions, additions)?;
                (ground.decide)(view.path(), look)?
            }
        };
        let looked = decision.look(seeds, fewer);
        ground.observer.on_look(stage, &looked);
        additions.looks.push(looked);
        let finished = match self.alone {
            Some(_) => whole_seeds(stage, folder, &agenda.tunings, fewer)?,
            None => 0,
        };
        let settled = decision.settled;
        self.decisions.insert(seeds, (decision, finished));
        Ok((settled, finished, true))
    }
}

/// Ends a study that goes on, and writes down where. Runs beyond the last whole seed count where they are
/// finished. Where it goes on later, the resolved file names whole seeds alone: it would take arms that came
/// further for those that get more.
pub(super) fn close(agenda: &mut Agenda, stop: Stop, ground: &mut Ground<'_>) -> Result<()> {
    let Some(additions) = &mut agenda.additions else { return Ok(()) };
    let stop = *additions.stopped.get_or_insert(stop);
    let (base, fewer) = (ground.plan.settled(&agenda.tunings), &agenda.fewer);
    if stop == Stop::MaxTime {
        let stage = base.grown(additions.seeds, fewer);
        let whole = whole_seeds(&stage, ground.folder, &agenda.tunings, fewer)?;
        additions.seeds = whole.min(additions.seeds);
    }
    // Before the first look, the study has the seeds that it was to begin with.
    let asked = if additions.looks.is_empty() { additions.first } else { additions.seeds };
    let asked = asked.max(1);
    let whole = base.grown(asked, fewer);
    let mut plan = whole.clone();
    plan.study.take_trained(ground.folder.path())?;
    plan.runs = Run::all(&plan.study);
    let goes_on = matches!(stop, Stop::MaxTime | Stop::Interrupted);
    ground.folder.write_resolved(if goes_on { &whole } else { &plan })?;
    ground.sessions.record_seeds(asked, additions)?;
    agenda.plan = plan;
    Ok(())
}

/// How many first seeds all arms have that are not out: finished, or ended in another way.
fn whole_seeds(
    plan: &Plan,
    folder: &StudyFolder,
    tunings: &[Tuning],
    out: &BTreeMap<String, u64>,
) -> Result<u64> {
    let is_over = |arm: &str, seed: u64| -> Result<bool> {
        let run = plan.runs.iter().find(|run| run.arm.name == arm && run.seed == seed);
        let Some(run) = run else { return Ok(false) };
        let status = folder.run(run).record()?.map(|record| record.status);
        Ok(!matches!(status, None | Some(Status::Running)))
    };
    let mut least = None;
    for arm in &plan.study.arms {
        if out.contains_key(&arm.name) || !has_rate(tunings, &arm.name) {
            continue;
        }
        let mut whole = 0;
        while plan.study.has_seed(&arm.name, whole) && is_over(&arm.name, whole)? {
            whole += 1;
        }
        least = Some(least.map_or(whole, |least: u64| least.min(whole)));
    }
    Ok(least.unwrap_or(0))
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
        files::write_text(&path.join(RESOLVED), &resolved_text(&stage.study)?)?;
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

//! A `batchscope run`, which has a study for itself, beside equal workers.

use super::attempts;
use super::members::{Member, Presence, Voice, Watch, members};
use super::pace::Pace;
use super::site::{Who, living, work_folder};
use crate::error::UserError;
use crate::files::{self, listed};
use crate::study::Observer;
use crate::study::definitions::refuse_other_definitions;
use crate::study::folder::StudyFolder;
use crate::study::plan::Plan;
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// The word of a `batchscope run` that it has a study for itself, until it is dropped.
#[derive(Debug)]
pub struct Alone {
    presence: Option<Presence>,
    voice: Voice,
    work: PathBuf,
}

impl Alone {
    /// Refuses a study on which equal workers are at work, and takes back what dead ones left unfinished.
    ///
    /// # Errors
    /// A [`UserError`] that names the workers, and what of the folder has another definition than in the plan.
    pub fn begin(
        (folder, plan): (&StudyFolder, &Plan),
        who: &Who,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let path = folder.path();
        let work = work_folder(path);
        files::refuse_link(&work)?;
        // Before anything is written or moved.
        folder.refuse_links(plan)?;
        refuse_other_definitions(plan, folder, &attempts::all(&work.join("runs"))?)?;
        files::make_folder(&work)?;
        let member = Member { alone: true, ..who.member(plan) };
        let presence = Presence::begin(&work.join("workers"), member)?;
        let alone = Self { voice: presence.voice(), presence: Some(presence), work };
        let equal = living(&alone.work, &mut Watch::default(), &|member| !member.alone, observer)?;
        if let Some(one) = equal.first() {
            return Err(beside(path, &equal, one).into());
        }
        attempts::bring_back(&alone.work.join("runs"), path)?;
        for name in listed(&alone.work)? {
            let left = alone.work.join(&name);
            match name.as_str() {
                "workers" => alone.forget_others()?,
                // They may wait still, and are cancelled by what is noted of them.
                "jobs" => {}
                "claims" | "runs" => drop(fs::remove_dir_all(left)),
                _ => drop(fs::remove_file(left)),
            }
        }
        Ok(alone)
    }

    /// Says how far the runs of a plan are that this `run` trains, and passes all on.
    pub fn pace<'p>(
        &self,
        plan: &'p Plan,
        observer: &'p mut dyn Observer,
    ) -> impl Observer + use<'p> {
        Pace::new(plan, self.voice.clone(), observer)
    }

    /// Dead workers are not waited for again.
    fn forget_others(&self) -> Result<()> {
        let me = self.presence.as_ref().map(|presence| presence.member().id);
        for id in
            members(&self.work.join("workers"))?.into_keys().filter(|id| Some(id) != me.as_ref())
        {
            fs::remove_file(self.work.join("workers").join(format!("{id}.json"))).ok();
        }
        Ok(())
    }
}

/// Opens a study's folder for a `batchscope run`.
///
/// # Errors
/// As [`StudyFolder::open`]; where equal workers hold it, what to do about them.
pub fn open_alone(path: &Path) -> Result<StudyFolder> {
    StudyFolder::open(path).map_err(|error| {
        let members = members(&work_folder(path).join("workers")).unwrap_or_default();
        let equal: Vec<Member> =
            members.into_values().filter(|of| !of.alone && !of.ended).collect();
        match equal.first() {
            Some(one) => beside(path, &equal, one).into(),
            None => error,
        }
    })
}

/// The error of a `run` beside equal workers, one of which is named.
fn beside(path: &Path, equal: &[Member], one: &Member) -> UserError {
    let study = path.display();
    UserError::new(
        format!("{} at work on the study in {study}, one on {}", workers(equal.len()), one.host),
        format!(
            "`batchscope work {study}` joins them; `batchscope stop {study}` has them save and end, \
             and this command goes on from there"
        ),
    )
}

fn workers(count: usize) -> String {
    if count == 1 { "a worker is".into() } else { format!("{count} workers are") }
}

impl Drop for Alone {
    /// Nothing of a `run` stays among what workers share.
    fn drop(&mut self) {
        let id = self.presence.as_ref().map(|presence| presence.member().id);
        self.presence = None;
        if let Some(id) = id {
            fs::remove_file(self.work.join("workers").join(format!("{id}.json"))).ok();
        }
        // Where other files are, they stay.
        fs::remove_dir(self.work.join("workers")).ok();
        fs::remove_dir(&self.work).ok();
    }
}

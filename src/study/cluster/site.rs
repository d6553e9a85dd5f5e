//! A study's folder as equal workers share it: `.work` beside the results.
//!
//! ```text
//! layout             the version of all this
//! study.yaml         the study, the same for all workers, however many seeds it comes to
//! shared.json        what all workers must have in common
//! gpu                the model of GPU of the first worker, where bits depend on it
//! session.json       what stands in environment.json of this session
//! workers/ID.json    one a worker, rewritten as long as it lives
//! claims/JOB/0001    who does a job
//! runs/NAME.0001/    an attempt at a run, until it is published as ARM/seed-N
//! jobs/NUMBER.json   a job that was submitted to Slurm
//! stop               all save and end
//! reported           what the last report was drawn from
//! ```

use super::attempts;
use super::claims::{Claim, Claims, put_if_absent};
use super::members::{Member, Presence, Watch, members};
use super::scratch::Scratch;
use super::self_test;
use crate::config::{Growth, Source, Study};
use crate::error::UserError;
use crate::files::{self, listed};
use crate::study::Observer;
use crate::study::definitions::refuse_other_definitions;
use crate::study::drive::first_additions;
use crate::study::environment::{Sessions, sessions};
use crate::study::exec::Pool;
use crate::study::folder::{RESOLVED, StudyFolder, held_alone, resolved, resolved_text};
use crate::study::gpu_model::{refusal, refuse_other_gpus};
use crate::study::plan::Plan;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The version of the layout.
const LAYOUT: &str = "1\n";

/// The file that asks all workers to save and end.
pub(super) const STOP: &str = "stop";

/// The folder of what workers share, in that of their study.
pub(in crate::study) fn work_folder(study: &Path) -> PathBuf {
    study.join(".work")
}

/// Which worker this is.
#[derive(Debug, Clone)]
pub struct Who {
    /// The name of its machine.
    pub host: String,
    /// The scheduler's name of its job.
    pub job: Option<String>,
    /// How often it says that it lives.
    pub beat: Duration,
    /// Whether it may train on another model of GPU than the others.
    pub mixed: bool,
}

impl Who {
    pub(super) fn member(&self, plan: &Plan) -> Member {
        let names: Vec<&str> =
            plan.machine.cuda.iter().map(|device| device.name.as_str()).collect();
        let device = match plan.device_kind() {
            "cuda" => names.join(", "),
            kind => kind.to_owned(),
        };
        Member::new(self.host.clone(), self.job.clone(), device, self.beat)
    }
}

/// A study's folder that this worker has joined.
#[derive(Debug)]
pub struct Site {
    pub(super) folder: StudyFolder,
    pub(super) work: PathBuf,
    pub(super) presence: Presence,
    pub(super) claims: Claims,
    pub(super) watch: Watch,
    pub(super) sessions: Sessions,
    pub(super) beat: Duration,
    /// Runs that other workers train at a time, as last seen; one for each that has none yet.
    pub(super) others: usize,
    /// Where this worker trains, if not in the study's folder.
    pub(super) scratch: Option<Scratch>,
}

/// The study that workers share in a folder; before there is one, the study that its last session wrote down,
/// as it began.
///
/// # Errors
/// As those of `resolved`.
pub fn shared_study(folder: &Path) -> Result<Study> {
    let path = work_folder(folder).join(RESOLVED);
    if listed(&work_folder(folder))?.contains(RESOLVED) {
        let text = files::read_text(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let source = Source { name: path.display().to_string(), text, overrides: Vec::new() };
        return Ok(Study::from_source(&source, "study")?);
    }
    let mut study = resolved(folder)?;
    let until = sessions(folder)?.last().and_then(|last| last.until.clone());
    if let Some(until) = until.filter(|_| study.growth.is_some()) {
        let time = until.max_time.and_then(|time| time.parse().ok());
        study.begin_again(Growth { first: until.first, most: until.max_seeds, time });
    }
    Ok(study)
}

impl Site {
    /// Joins the workers of a study; the first one prepares its folder.
    ///
    /// # Errors
    /// A [`UserError`] where a `batchscope run` has the study for itself, where the folder holds another
    /// study, where this worker would not train the same bits, and where the file system lacks something.
    pub fn join(
        plan: &Plan,
        (path, who, scratch): (&Path, &Who, Option<Scratch>),
        command: &[String],
        pool: &Pool,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let folder = StudyFolder::join(path)?;
        let work = work_folder(path);
        files::refuse_link(&work)?;
        // Before anything is written: what is refused leaves no study for others to join.
        folder.refuse_links(plan)?;
        refuse_other_study(&work, path, &resolved_text(&plan.study)?)?;
        refuse_other_definitions(plan, &folder, &attempts::all(&work.join("runs"))?)?;
        files::make_folder(&work)?;
        let member = who.member(plan);
        self_test::test(&work, &member.id)?;
        agree(&work.join("layout"), LAYOUT, |found| {
            UserError::new(
                format!(
                    "{} has the layout {}, and this batchscope knows 1",
                    path.display(),
                    found.trim()
                ),
                "use the batchscope that the other workers have",
            )
        })?;
        let claims = Claims::new(&work.join("claims"), &member.id);
        let presence = Presence::begin(&work.join("workers"), member)?;
        let mut watch = Watch::default();
        if let Some(alone) = living(&work, &mut watch, &|member| member.alone, observer)?.first() {
            let place = format!(" on {}", alone.host);
            let error = held_alone(path);
            return Err(UserError { message: error.message + &place, ..error }.into());
        }
        // Dead ones are not waited for again.
        for (id, member) in members(&work.join("workers"))? {
            if member.alone {
                fs::remove_file(work.join("workers").join(format!("{id}.json"))).ok();
            }
        }
        agree_on_plan(&work, path, plan)?;
        agree_on_gpu(&work, path, plan, who.mixed)?;
        if crate::data::kept_hash(&path.join("data")).as_ref() != Some(&plan.data.facts.hash) {
            plan.data.keep(&path.join("data"))?;
        }
        let described = Sessions::describe(&folder, plan, pool, command)?;
        let session = work.join("session.json");
        // Whoever submitted the workers wrote the study as its file has it.
        let is_submitted = !listed(path)?.contains("environment.json");
        let is_first = put_if_absent(&session, &serde_json::to_string_pretty(&described)?)?;
        let this = files::read_json(&session)?.unwrap_or(described);
        let mut sessions = Sessions::go_on(&folder, this)?;
        if let Some(additions) = first_additions(plan) {
            sessions.begin_seeds(&additions)?;
        }
        if is_first && is_submitted || !listed(path)?.contains(RESOLVED) {
            folder.write_resolved(plan)?;
        }
        let (beat, others) = (who.beat, 0);
        Ok(Self { folder, work, presence, claims, watch, sessions, beat, others, scratch })
    }

    /// Where attempts are.
    pub(super) fn attempts(&self) -> PathBuf {
        self.work.join("runs")
    }

    /// Takes note of which workers live. Whether a `batchscope run` is among them: it took this worker for
    /// dead, and has the study for itself now.
    pub(super) fn look(&mut self) -> Result<bool> {
        let all = members(&self.work.join("workers"))?;
        self.watch.look(&all, Instant::now());
        let me = self.presence.member().id;
        let others = all.values().filter(|of| of.id != me && self.watch.is_alive(&of.id));
        self.others = others.map(|of| of.runs.len().max(1)).sum();
        Ok(all.values().any(|of| of.alone && self.watch.is_alive(&of.id)))
    }

    /// The generation that this worker may claim of a job; `None` while another has it.
    pub(super) fn free(&mut self, name: &str) -> Result<Option<u32>> {
        let newest = self.claims.newest(name)?;
        let me = self.presence.member().id;
        Ok(match newest {
            None => Some(1),
            Some(Claim { generation, worker }) => {
                let beat = self.beat;
                let is_free =
                    worker.is_none_or(|worker| worker == me || self.watch.is_dead(&worker, beat));
                is_free.then_some(generation + 1)
            }
        })
    }

    /// Whether another worker lives, as far as it is known.
    pub(super) fn has_company(&self) -> Result<bool> {
        let me = self.presence.member().id;
        let all = members(&self.work.join("workers"))?;
        Ok(all.keys().any(|id| *id != me && self.watch.is_alive(id)))
    }

    /// Whether somebody asked all workers to save and end.
    pub(super) fn is_stopped(&self) -> Result<bool> {
        Ok(listed(&self.work)?.contains(STOP))
    }
}

/// Puts a text in its place, or refuses to go on where another is there.
fn agree(path: &Path, text: &str, refuse: impl Fn(&str) -> UserError) -> Result<()> {
    if put_if_absent(path, text)? {
        return Ok(());
    }
    let found = files::read_text(path);
    let found = found.with_context(|| format!("cannot read {}", path.display()))?;
    if found == text { Ok(()) } else { Err(refuse(&found).into()) }
}

/// Refuses another study than the one that workers share already.
fn refuse_other_study(work: &Path, path: &Path, text: &str) -> Result<()> {
    if !listed(work)?.contains(RESOLVED) {
        return Ok(());
    }
    let place = work.join(RESOLVED);
    let found = files::read_text(&place);
    let found = found.with_context(|| format!("cannot read {}", place.display()))?;
    if found == text { Ok(()) } else { Err(another_study(path).into()) }
}

fn another_study(path: &Path) -> UserError {
    UserError::new(
        format!("the workers in {} share another study than this one", path.display()),
        format!(
            "`batchscope work {}` joins them; give the changed study another name or folder (`--out`)",
            path.display()
        ),
    )
}

/// Refuses a worker that would train something else than the others.
fn agree_on_plan(work: &Path, path: &Path, plan: &Plan) -> Result<()> {
    agree(&work.join(RESOLVED), &resolved_text(&plan.study)?, |_| another_study(path))?;
    let shared = json!({
        "batchscope": env!("CARGO_PKG_VERSION"),
        "libtorch": plan.machine.libtorch,
        "engine": plan.engine,
        "arithmetic": plan.engine.arithmetic(),
        "device": plan.device_kind(),
        "data": plan.data.facts.hash,
    });
    agree(&work.join("shared.json"), &format!("{shared:#}\n"), |found| {
        let found: Value = serde_json::from_str(found).unwrap_or_default();
        let differs = |(key, mine): (&String, &Value)| {
            (found[key] != *mine).then(|| format!("{key}: {} -> {mine}", found[key]))
        };
        let changes: Vec<String> =
            shared.as_object().into_iter().flatten().filter_map(differs).collect();
        UserError::new(
            format!(
                "this worker would not train the same bits as the others in {}: {}",
                path.display(),
                changes.join("; ")
            ),
            "give all workers the same batchscope, libtorch, kind of device and data",
        )
    })
}

/// Refuses a worker on another model of GPU than the others, where bits depend on it: before it claims a run,
/// and before the others have recorded one.
fn agree_on_gpu(work: &Path, path: &Path, plan: &Plan, is_mixed: bool) -> Result<()> {
    let here = plan.gpu_models();
    let Some(model) = here.first() else { return Ok(()) };
    let agreed = work.join("gpu");
    if !is_mixed {
        if !listed(work)?.contains("gpu") {
            refuse_other_gpus(plan, path)?;
        }
        refusal(&here, &here, path).map_or(Ok(()), Err)?;
    }
    if put_if_absent(&agreed, model)? || is_mixed {
        return Ok(());
    }
    let found = files::read_text(&agreed);
    let found = found.with_context(|| format!("cannot read {}", agreed.display()))?;
    refusal(&here, &[found].into(), path).map_or(Ok(()), |error| Err(error.into()))
}

/// How long to wait between looks at these workers: a fifteenth of their shortest beat.
fn pause(members: &[Member]) -> Duration {
    let beats = members.iter().map(|of| of.beat_seconds);
    let beat = beats.fold(f64::INFINITY, f64::min).clamp(0.0, 30.0);
    Duration::from_secs_f64(beat / 15.0).max(Duration::from_millis(20))
}

/// The workers of this kind that live. One that is silent is watched until it is known, or known to be dead.
pub(super) fn living(
    work: &Path,
    watch: &mut Watch,
    kind: &dyn Fn(&Member) -> bool,
    observer: &mut dyn Observer,
) -> Result<Vec<Member>> {
    let mut first = None;
    loop {
        let all = members(&work.join("workers"))?;
        watch.look(&all, Instant::now());
        let of_kind: Vec<Member> = all.into_values().filter(|of| kind(of) && !of.ended).collect();
        let alive: Vec<Member> =
            of_kind.iter().filter(|of| watch.is_alive(&of.id)).cloned().collect();
        let before: &Vec<Member> = first.get_or_insert_with(|| {
            if let Some(one) = alive.first() {
                observer.on_stage(&format!(
                    "waiting to see whether a worker on {} still lives",
                    one.host
                ));
            }
            of_kind.clone()
        });
        let is_changed =
            |of: &&Member| before.iter().all(|old| old.id != of.id || old.counter != of.counter);
        if alive.is_empty() || alive.iter().any(|of| is_changed(&of)) {
            return Ok(alive);
        }
        sleep(pause(&alive));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Device, EngineKind};
    use crate::study::plan::tests::plan_on;

    #[test]
    fn workers_that_begin_at_once_agree_on_a_gpu_model_before_one_claims_a_run() {
        let folder = tempfile::tempdir().unwrap();
        let join = |engine, gpu: &str, is_mixed| {
            let plan = plan_on(engine, &[Device::Cuda(0)], &[gpu]);
            agree_on_gpu(&folder.path().join(".work"), folder.path(), &plan, is_mixed)
        };
        join(EngineKind::Fused, "NVIDIA T4", false).unwrap();
        for _ in 0..2 {
            join(EngineKind::Libtorch, "NVIDIA H100", false).unwrap();
        }
        let error = join(EngineKind::Libtorch, "NVIDIA L4", false).unwrap_err().to_string();
        assert!(error.contains("NVIDIA L4") && error.contains("NVIDIA H100"), "{error}");
        join(EngineKind::Libtorch, "NVIDIA L4", true).unwrap();
        join(EngineKind::Fused, "NVIDIA L4", false).unwrap();
        join(EngineKind::Libtorch, "NVIDIA H100", false).unwrap();
    }

    #[test]
    fn workers_are_looked_at_as_often_as_fits_their_beat() {
        let of = |beats: &[f64]| {
            let member = |beat: &f64| {
                let beat = Duration::from_secs_f64(*beat);
                Member::new("node".into(), None, "cpu".into(), beat)
            };
            pause(&beats.iter().map(member).collect::<Vec<_>>())
        };
        assert_eq!(of(&[30.0, 60.0]), Duration::from_secs(2));
        assert_eq!(of(&[30.0, 0.1]), Duration::from_millis(20));
        assert_eq!(of(&[]), Duration::from_secs(2));
    }
}

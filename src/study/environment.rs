//! `environment.json`: on what the study ran, one entry a session, for whoever wants to repeat it.

use super::additions::Additions;
use super::exec::Pool;
use super::folder::StudyFolder;
use super::folder::run_folders;
use super::plan::Plan;
use super::record::{RunFolder, Status, wall_clock};
use crate::config::Study;
use crate::data::{self, Account, Overlap, SplitFacts, TargetFacts};
use crate::error::UserError;
use crate::files::{self, Damaged};
use crate::kernels::EngineKind;
use crate::spec::Metric;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The sessions of a study in its file, the one that is at work last.
#[derive(Debug)]
pub(super) struct Sessions {
    path: PathBuf,
    earlier: Vec<Value>,
    this: Value,
}

impl Sessions {
    /// Adds this session.
    pub(super) fn begin(
        folder: &StudyFolder,
        plan: &Plan,
        pool: &Pool,
        command: &[String],
    ) -> Result<Self> {
        Self::go_on(folder, Self::describe(folder, plan, pool, command)?)
    }

    /// Goes on with a session, which need not be written down yet.
    pub(super) fn go_on(folder: &StudyFolder, this: Value) -> Result<Self> {
        let path = folder.path().join(NAME);
        let earlier: Option<Vec<Value>> = files::read_json(&path)?;
        let mut earlier = earlier.unwrap_or_default();
        let all = earlier.len();
        earlier.retain(|session| session["started"] != this["started"]);
        let is_new = earlier.len() == all;
        let sessions = Self { path, earlier, this };
        if is_new {
            sessions.write()?;
        }
        Ok(sessions)
    }

    /// A copy in another folder.
    pub(super) fn copied(&self, folder: &Path) -> Self {
        let (earlier, this) = (self.earlier.clone(), self.this.clone());
        Self { path: folder.join(NAME), earlier, this }
    }

    /// On what a session runs.
    pub(super) fn describe(
        folder: &StudyFolder,
        plan: &Plan,
        pool: &Pool,
        command: &[String],
    ) -> Result<Value> {
        let earlier: Option<Vec<Value>> = files::read_json(&folder.path().join(NAME))?;
        let earlier = earlier.unwrap_or_default();
        let mut this = json!({
            "started": wall_clock(),
            "batchscope": env!("CARGO_PKG_VERSION"),
            "libtorch": plan.machine.libtorch,
            "command": command,
            "engine": plan.engine,
            "instructions": (plan.engine == EngineKind::Fused).then(|| pool.instructions()),
            "device": plan.device_kind(),
            "cuda": plan.machine.cuda,
            "cpu": cpu_model(),
            "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            "data": plan.data.facts,
            "margin": plan.margin()?,
            "seeds": plan.study.seeds.len(),
            "until": null,
        });
        if are_lost(folder.path(), &earlier)? {
            this["earlier_lost"] = json!(true);
        }
        Ok(this)
    }

    /// Writes down how this session is to add seeds, unless it says so already.
    pub(super) fn begin_seeds(&mut self, additions: &Additions) -> Result<()> {
        if !self.this["until"].is_null() {
            return Ok(());
        }
        // Others may have come further, and written that down.
        let written = session_values(self.path.parent().unwrap_or(Path::new("")))?;
        let ours = written.into_iter().find(|session| session["started"] == self.this["started"]);
        let Some(session) = ours.filter(|session| !session["until"].is_null()) else {
            return self.record_seeds(additions.first, additions);
        };
        self.this = session;
        Ok(())
    }

    /// Writes down how far this session has come with adding seeds.
    pub(super) fn record_seeds(&mut self, seeds: u64, additions: &Additions) -> Result<()> {
        self.this["seeds"] = json!(seeds);
        self.this["until"] = serde_json::to_value(additions)?;
        self.write()
    }

    fn write(&self) -> Result<()> {
        let mut sessions = self.earlier.clone();
        sessions.push(files::seal(&self.this)?);
        files::write_json(&self.path, &sessions)
    }
}

const NAME: &str = "environment.json";
/// What is damaged is kept under this name.
const ASIDE: &str = "environment.json.damaged";

/// Whether the training targets of a session are numbers far from what a model's outputs begin with.
pub fn targets_are_far(session: &Value) -> bool {
    let targets =
        serde_json::from_value::<TargetFacts>(session["data"]["train"]["targets"].clone());
    targets.is_ok_and(|of| !of.is_near_outputs())
}

/// Whether there were sessions of which nothing is known: finished runs without one, or a damaged file that
/// was put aside.
fn are_lost(folder: &Path, sessions: &[Value]) -> Result<bool> {
    if folder.join(ASIDE).exists() {
        return Ok(true);
    }
    let is_finished = |run: &PathBuf| {
        // What is wrong with a record is told with its run.
        let record = RunFolder::new(run).record().ok().flatten();
        record.is_some_and(|record| record.status == Status::Finished)
    };
    Ok(sessions.is_empty() && run_folders(folder)?.iter().any(is_finished))
}

/// Puts a damaged `environment.json` aside, since it holds no result and is written anew; sessions in it
/// that are whole stay. Says so.
pub fn put_damaged_aside(folder: &Path) -> Result<Option<String>> {
    let path = folder.join(NAME);
    let error = match whole_sessions(&path) {
        Ok(_) => return Ok(None),
        Err(error) if files::is_damage(&error) => error,
        Err(error) => return Err(error),
    };
    let whole = |session: &Value| files::unsealed(session.clone()).is_some();
    let sessions: Option<Vec<Value>> = files::read_json(&path).unwrap_or_default();
    let sessions: Vec<Value> = sessions.unwrap_or_default().into_iter().filter(whole).collect();
    let aside = folder.join(ASIDE);
    fs::rename(&path, &aside).with_context(|| format!("cannot rename {}", path.display()))?;
    if !sessions.is_empty() {
        files::write_json(&path, &sessions)?;
    }
    Ok(Some(format!(
        "{error}; it holds no result, and is put aside as {} and written anew. How often the study was \
         looked at is no longer known: its bounds are now those of a study that got seeds after a look",
        aside.display()
    )))
}

/// The sessions of a study as they stand in `environment.json`, in order; none before the first one.
pub fn session_values(folder: &Path) -> Result<Vec<Value>> {
    whole_sessions(&folder.join(NAME)).map_err(|error| match files::is_damage(&error) {
        true => UserError::new(
            format!("{error:#}"),
            "repeat the same `batchscope run`: it puts this file aside, writes it anew, and trains \
             nothing again",
        )
        .into(),
        false => error,
    })
}

fn whole_sessions(path: &Path) -> Result<Vec<Value>> {
    let sessions: Option<Vec<Value>> = files::read_json(path)?;
    let whole = sessions.unwrap_or_default().into_iter().map(files::unsealed);
    let whole: Option<Vec<Value>> = whole.collect();
    Ok(whole.ok_or_else(|| Damaged::new(path, "an entry does not fit its checksum"))?)
}

/// The name of this machine.
pub fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "this machine".to_owned() } else { name.trim().to_owned() }
}

/// The processor's name as Linux gives it.
pub(super) fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What an earlier session wrote down of itself, as far as others need it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Session {
    /// How many seeds its file asked for, or to how many it came; sessions of old versions did not say.
    pub seeds: Option<u64>,
    /// How it added seeds, if it did.
    pub until: Option<Additions>,
    /// Examples of the training, validation and test splits.
    pub examples: [Option<usize>; 3],
    /// Of them, those with label 1.
    pub positives: [Option<usize>; 3],
    /// Classes of which the validation and the test split have no example.
    pub lacking: [Vec<String>; 2],
    /// What classes are called.
    pub classes: Vec<String>,
    /// Steps of the longest training row.
    pub longest: Option<usize>,
    /// Numbers at each step; `None` for texts.
    pub features: Option<usize>,
    /// What rows of arrays share with each other; `None` for tables and in old versions.
    pub overlap: Option<Overlap>,
    /// The margin that it declared; sessions of old versions declared none.
    pub margin: Option<f64>,
    /// By metric, the validation score of a model that always gives the same answer: the more frequent
    /// class, or the mean of the training targets.
    pub baselines: BTreeMap<String, f64>,
    /// By metric, the validation score of the forecast that a series keeps its last value.
    pub last_values: BTreeMap<String, f64>,
    /// Whether there were sessions before it of which nothing is known any more.
    pub earlier_lost: bool,
}

impl Session {
    fn read(session: &Value) -> Self {
        let scores = |of: &str| {
            let found = session["data"][of].as_object().into_iter().flatten();
            found.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect()
        };
        let classes: Option<Vec<String>> =
            serde_json::from_value(session["data"]["classes"].clone()).ok();
        let classes = classes.unwrap_or_default();
        let lacking = ["validation", "test"].map(|split| {
            let found = serde_json::from_value::<SplitFacts>(session["data"][split].clone());
            found.map_or(Vec::new(), |split| split.lacking(&classes))
        });
        Self {
            lacking,
            classes,
            seeds: session["seeds"].as_u64(),
            until: serde_json::from_value(session["until"].clone()).ok(),
            examples: counts(session, "examples"),
            positives: counts(session, "positives"),
            longest: session["data"]["train"]["longest"].as_u64().map(|steps| steps as usize),
            features: session["data"]["features"].as_u64().map(|features| features as usize),
            overlap: serde_json::from_value(session["data"]["overlap"].clone()).ok(),
            margin: session["margin"].as_f64(),
            baselines: scores("baseline"),
            last_values: scores("last_value"),
            earlier_lost: session["earlier_lost"].as_bool().unwrap_or(false),
        }
    }

    /// The validation score of a model that always gives the same answer; `None` where it is not known.
    pub fn baseline(&self, score: Metric) -> Option<f64> {
        let majority = || {
            let (rows, positives) = (self.examples[1]?, self.positives[1]?);
            let share = positives as f64 / rows.max(1) as f64;
            Some(share.max(1.0 - share))
        };
        let known = self.baselines.get(score.name()).copied();
        // Old versions wrote down the labels of validation alone: of two, the more frequent one counts.
        known.or_else(|| majority().filter(|_| score == Metric::Accuracy))
    }

    /// The validation score of the forecast that a series keeps its last value; `None` for other data.
    pub fn last_value(&self, score: Metric) -> Option<f64> {
        self.last_values.get(score.name()).copied()
    }

    /// The margin of a study of this data.
    ///
    /// # Errors
    /// Where it is a share of a baseline that is not known.
    pub fn margin_of(&self, study: &Study) -> Result<f64, UserError> {
        study.margin(self.baseline(study.score())).ok_or_else(|| {
            UserError::new(
                format!(
                    "the margin is a share of the baseline's {}, which is not known for this data",
                    study.score().info().title
                ),
                "repeat the same `batchscope run`, which looks at the data again, or give `study.margin` as a number \
                 in the unit of the score",
            )
        })
    }
}

impl Plan {
    /// A difference in the score up to this does not matter.
    ///
    /// # Errors
    /// Where it is a share of a baseline that is not known.
    pub fn margin(&self) -> Result<f64> {
        let session = Session::read(&json!({ "data": self.data.facts }));
        Ok(session.margin_of(&self.study)?)
    }
}

/// The sessions of a study, in order; none before the first one.
pub fn sessions(folder: &Path) -> Result<Vec<Session>> {
    let values = session_values(folder)?;
    if values.is_empty() && are_lost(folder, &values)? {
        // What rows share is known without them: else bounds over rows would be narrower.
        let known = Session::read(&json!({ "data": data::kept_facts(&folder.join("data")) }));
        return Ok(vec![Session { earlier_lost: true, ..known }]);
    }
    Ok(values.iter().map(Session::read).collect())
}

/// What of the data's lines and rows made no example in the last session, and why.
pub fn rows_left_out(sessions: &[Value]) -> Vec<String> {
    let accounts = sessions.last().map(|last| last["data"]["accounts"].clone());
    let accounts: Option<Vec<Account>> = accounts.and_then(|of| serde_json::from_value(of).ok());
    accounts.iter().flatten().filter_map(Account::differences).collect()
}

/// Whether seeds were ever added after results were there: by a session that went on until something was
/// settled, or by one that asked for more seeds than one before it. Bounds for a number of seeds that was
/// fixed beforehand are then too narrow.
pub fn was_extended(sessions: &[Session]) -> bool {
    let mut least = u64::MAX;
    let mut is_more = |seeds: u64| {
        let is_more = seeds > least;
        least = least.min(seeds);
        is_more
    };
    let added = sessions.iter().filter_map(|session| session.seeds).any(&mut is_more);
    // How often results were looked at in sessions that are lost is not known.
    added || sessions.iter().any(|session| session.until.is_some() || session.earlier_lost)
}

fn counts(session: &Value, of: &str) -> [Option<usize>; 3] {
    ["train", "validation", "test"].map(|split| {
        let count = session["data"][split][of].as_u64();
        count.map(|count| count as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    #[test]
    fn what_the_same_answer_for_all_comes_to_is_written_down_or_counted() {
        let of = |positives: Option<u64>| {
            let validation = json!({ "examples": 40, "positives": positives });
            Session::read(
                &json!({ "data": { "validation": validation, "baseline": { "f1": 0.5 } } }),
            )
        };
        let majority = [Some(10), Some(30), None].map(|count| of(count).baseline(Metric::Accuracy));
        assert_eq!(majority, [Some(0.75), Some(0.75), None]);
        // The label that is more frequent in training need not be so in validation.
        let known = Session { baselines: [("accuracy".to_owned(), 0.4)].into(), ..of(Some(10)) };
        assert_eq!(known.baseline(Metric::Accuracy), Some(0.4));
        assert_eq!(
            [Metric::F1, Metric::Auc].map(|metric| of(None).baseline(metric)),
            [Some(0.5), None]
        );
    }

    #[test]
    fn a_margin_that_is_a_share_of_a_baseline_takes_one() {
        let text = "study: { score: f1, margin: { relative: 0.1 }, arms: [{ batch_size: 8 }] }\n\
                    data: { table: { path: a.csv } }\nmodel: { embedding: {} }\n";
        let source = Source { name: "f".into(), text: text.into(), overrides: vec![] };
        let study = Study::from_source(&source, "f").unwrap();
        let known = Session { baselines: [("f1".to_owned(), 0.5)].into(), ..Session::default() };
        assert_eq!(known.margin_of(&study), Ok(0.05));
        let unknown = Session::default().margin_of(&study).unwrap_err();
        assert!(unknown.message.contains("the baseline's F1"), "{unknown:?}");
    }

    #[test]
    fn seeds_that_were_added_after_a_session_are_known_from_the_sessions() {
        let session = |seeds| Session { seeds, ..Session::default() };
        let of = |seeds: &[u64]| {
            was_extended(&seeds.iter().map(|seeds| session(Some(*seeds))).collect::<Vec<_>>())
        };
        assert_eq!([of(&[]), of(&[5]), of(&[5, 5]), of(&[5, 3])], [false; 4]);
        assert_eq!([of(&[3, 5]), of(&[5, 3, 5]), of(&[5, 8, 5])], [true; 3]);
        assert!(!was_extended(&[session(None), session(Some(5))]), "an old version did not say");
        let additions = Additions {
            first: 5,
            max_seeds: 5,
            max_time: None,
            looks: Vec::new(),
            seeds: 5,
            stopped: None,
        };
        let until = Session { until: Some(additions), ..session(Some(5)) };
        assert!(
            was_extended(std::slice::from_ref(&until)) && was_extended(&[until, session(Some(5))])
        );
    }
}

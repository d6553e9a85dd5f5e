//! `environment.json`: on what the study ran, one entry a session, for whoever wants to repeat it.

use super::folder::StudyFolder;
use super::plan::Plan;
use super::pool::Pool;
use super::record::wall_clock;
use crate::data::Overlap;
use crate::error::UserError;
use crate::files::{self, Damaged};
use crate::kernels::EngineKind;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

pub(super) fn write(
    folder: &StudyFolder,
    plan: &Plan,
    pool: &Pool,
    command: &[String],
) -> Result<()> {
    let session = json!({
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
        "margin": plan.study.experiment.study.margin,
        "seeds": plan.study.seeds.len(),
    });
    let path = folder.path().join(NAME);
    let sessions: Option<Vec<Value>> = files::read_json(&path)?;
    let mut sessions = sessions.unwrap_or_default();
    sessions.push(files::seal(&session)?);
    files::write_json(&path, &sessions)
}

const NAME: &str = "environment.json";

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
    let aside = folder.join(format!("{NAME}.damaged"));
    fs::rename(&path, &aside).with_context(|| format!("cannot rename {}", path.display()))?;
    if !sessions.is_empty() {
        files::write_json(&path, &sessions)?;
    }
    Ok(Some(format!(
        "{error}; it holds no result: it is put aside as {} and written anew",
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

/// The processor's name as Linux gives it.
fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What an earlier session wrote down of itself, as far as others need it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Session {
    /// How many seeds its file asked for; sessions of old versions did not say.
    pub seeds: Option<u64>,
    /// Examples of the training, validation and test splits.
    pub examples: [Option<usize>; 3],
    /// Of them, those with label 1.
    pub positives: [Option<usize>; 3],
    /// Steps of the longest training row.
    pub longest: Option<usize>,
    /// Numbers at each step; `None` for texts.
    pub features: Option<usize>,
    /// What rows of arrays share with each other; `None` for tables and in old versions.
    pub overlap: Option<Overlap>,
    /// The margin that it declared; sessions of old versions declared none.
    pub margin: Option<f64>,
}

/// The sessions of a study, in order; none before the first one.
pub fn sessions(folder: &Path) -> Result<Vec<Session>> {
    let read = |session: &Value| Session {
        seeds: session["seeds"].as_u64(),
        examples: counts(session, "examples"),
        positives: counts(session, "positives"),
        longest: session["data"]["train"]["longest"].as_u64().map(|steps| steps as usize),
        features: session["data"]["features"].as_u64().map(|features| features as usize),
        overlap: serde_json::from_value(session["data"]["overlap"].clone()).ok(),
        margin: session["margin"].as_f64(),
    };
    Ok(session_values(folder)?.iter().map(read).collect())
}

fn counts(session: &Value, of: &str) -> [Option<usize>; 3] {
    ["train", "validation", "test"].map(|split| {
        let count = session["data"][split][of].as_u64();
        count.map(|count| count as usize)
    })
}

/// How many training examples the study's last session had; `None` before the first one.
pub(super) fn training_examples(folder: &Path) -> Result<Option<usize>> {
    Ok(sessions(folder)?.last().and_then(|session| session.examples[0]))
}

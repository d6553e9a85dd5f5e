//! The files of a run as they are read: damage is seen, and said with what to do about it.

use super::record::{Record, RunFolder, Status};
use crate::error::UserError;
use crate::files::{self, Damaged};
use crate::kernels::Arrays;
use crate::model;
use crate::spec::Shape;
use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How much of a finished run is read to see whether it is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Every byte.
    All,
    /// The record and the logs; other files must be there.
    Logs,
}

impl RunFolder {
    /// Says of a damaged file what to do about it.
    pub(super) fn told<T>(&self, read: Result<T>) -> Result<T> {
        read.map_err(|error| match files::is_damage(&error) {
            true => self.to_repeat(format!("{error:#}")).into(),
            false => error,
        })
    }

    /// What is wrong with a run, and how to repeat it.
    pub(super) fn to_repeat(&self, message: String) -> UserError {
        UserError::new(
            message,
            format!(
                "remove the folder of this run, {}, and repeat the same `batchscope run`: it is \
                 trained again, to the same results",
                self.path().display()
            ),
        )
    }

    /// What is wrong with a run, and what to do; also where a file is a link or a pipe, or may not be read.
    pub(super) fn wrong(&self, error: anyhow::Error) -> UserError {
        let of_file = |error: anyhow::Error| {
            UserError::new(
                format!("{error:#}"),
                format!(
                    "make it a plain file that can be read; or remove the folder of this run, {}, and \
                     repeat the same `batchscope run`: it is trained again, to the same results",
                    self.path().display()
                ),
            )
        };
        error.downcast::<UserError>().unwrap_or_else(of_file)
    }

    /// What is damaged or missing of what a run left behind, and how to repeat it; `None` if all is
    /// there. Of a run that is not finished only the record is looked at: the others are taken back,
    /// or begin anew, when it goes on.
    pub(super) fn damage(&self) -> Option<UserError> {
        self.damage_of(Depth::All)
    }

    /// As [`RunFolder::damage`], as far as it is asked for.
    pub(super) fn damage_of(&self, depth: Depth) -> Option<UserError> {
        match self.check(depth) {
            Ok(()) => None,
            Err(error) => Some(self.wrong(error)),
        }
    }

    fn check(&self, depth: Depth) -> Result<()> {
        if fs::symlink_metadata(self.path()).is_ok_and(|found| found.is_file()) {
            return Err(UserError::new(
                format!("{} is a file, and the folder of a run is wanted", self.path().display()),
                "move it elsewhere, and repeat the same `batchscope run`",
            )
            .into());
        }
        let Some(record) = self.record()? else { return Ok(()) };
        if record.status != Status::Finished {
            return Ok(());
        }
        for (name, said) in &record.checksums {
            let path = self.path().join(name);
            self.told(match depth == Depth::All || is_log(&path) {
                true => check_file(&path, said),
                false => check_there(&path),
            })?;
        }
        self.timing()?;
        self.evaluation_timing()?;
        self.sharpness()?;
        self.line()?;
        if self.metrics()?.is_empty() {
            return self.told(Err(Damaged::missing(&self.metrics_log()).into()));
        }
        match keeps_best(&record) {
            true if depth == Depth::Logs => self.told(check_there(&self.best())),
            true => self.told(check_best(&self.best(), &record.definition.model)),
            false => Ok(()),
        }
    }

    /// The checksum that a finished run's record holds of a file.
    fn said(&self, path: &Path) -> Result<Option<String>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(self.record()?.and_then(|mut record| record.checksums.remove(&*name)))
    }

    /// The lines of a log.
    pub(super) fn log<T: DeserializeOwned>(&self, path: &Path) -> Result<Vec<T>> {
        // Before the log: that of a run which ends meanwhile is then not compared.
        let said = self.said(path)?;
        let read = || -> Result<Vec<T>> {
            let lines = files::read_lines(path)?;
            said.map_or(Ok(()), |said| check_file(path, &said))?;
            Ok(lines)
        };
        self.told(read())
    }

    /// The lines of a log of times, which has one for each of `lines` others.
    pub(super) fn times<T: DeserializeOwned>(
        &self,
        path: &Path,
        lines: &Path,
        place: fn(&T) -> u64,
    ) -> Result<Vec<T>> {
        let is_sealed = self.record()?.is_some_and(|record| !record.checksums.is_empty());
        let read = || -> Result<Vec<T>> {
            let times: Vec<T> = files::read_sealed_lines(path)?;
            if let Some(at) = times.windows(2).position(|pair| place(&pair[0]) >= place(&pair[1])) {
                return Err(Damaged::new(path, format!("line {} is out of order", at + 2)).into());
            }
            let wanted = if is_sealed { files::mark(lines, None)?.lines } else { 0 };
            if wanted > 0 && !files::is_there(path)? {
                return Err(Damaged::missing(path).into());
            }
            match is_sealed && times.len() as u64 != wanted {
                true => Err(Damaged::new(
                    path,
                    format!("it holds {} lines, and {wanted} are wanted", times.len()),
                )
                .into()),
                false => Ok(times),
            }
        };
        self.told(read())
    }

    /// The bytes of a file of a finished run; `None` when there is no such file.
    pub(super) fn bytes(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let said = self.said(path)?;
        let read = || -> Result<Option<Vec<u8>>> {
            let bytes = match files::read(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                read => Some(read.with_context(|| format!("cannot read {}", path.display()))?),
            };
            match (said, bytes.as_deref().map(files::checksum)) {
                (Some(_), None) => Err(Damaged::missing(path).into()),
                (Some(said), Some(found)) if said != found => Err(unfit(path).into()),
                _ => Ok(bytes),
            }
        };
        self.told(read())
    }

    /// The weights of a finished run.
    pub(super) fn read_weights(&self, shape: &Shape) -> Result<Arrays> {
        let path = self.weights();
        let bytes = self.bytes(&path)?.ok_or_else(|| Damaged::missing(&path).into());
        model::parse_weights(&path, &self.told(bytes)?, shape)
    }

    /// Adam's second moment at the end of a run; `None` where it was not kept.
    pub(super) fn read_second_moment(&self, shape: &Shape) -> Result<Option<Arrays>> {
        let path = self.second_moment();
        match self.bytes(&path)? {
            None => Ok(None),
            Some(_) => self.told(model::read_sealed_weights(&path, shape)).map(Some),
        }
    }

    /// The logs that hold the same bits whenever the run is repeated.
    pub(super) fn logs(&self) -> [PathBuf; 5] {
        [
            self.metrics_log(),
            self.evaluations_log(),
            self.steps_log(),
            self.histograms_log(),
            self.noise_log(),
        ]
    }

    /// The checksums of what a finished run leaves behind, apart from times.
    pub(super) fn checksums(&self) -> Result<BTreeMap<String, String>> {
        let mut checksums = BTreeMap::new();
        let mut add = |path: &Path, checksum: String| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            checksums.insert(name.into_owned(), checksum);
        };
        for log in self.logs() {
            if files::is_there(&log)? {
                add(&log, files::mark(&log, None)?.checksum);
            }
        }
        for path in [self.weights(), self.second_moment(), self.test_predictions()] {
            if files::is_there(&path)? {
                let bytes = files::read(&path);
                let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
                add(&path, files::checksum(&bytes));
            }
        }
        Ok(checksums)
    }
}

/// Whether a finished run keeps the weights of its best epoch apart; a tuning run keeps no weights.
fn keeps_best(record: &Record) -> bool {
    let result = record.result.as_ref();
    record.definition.arm.train.restores_best()
        && result.is_some_and(|result| result.best_epoch.is_some())
        && record.checksums.contains_key("weights.safetensors")
}

fn check_best(path: &Path, shape: &Shape) -> Result<()> {
    check_there(path)?;
    model::read_sealed_weights(path, shape).map(drop)
}

fn check_there(path: &Path) -> Result<()> {
    if files::is_there(path)? { Ok(()) } else { Err(Damaged::missing(path).into()) }
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jsonl")
}

/// Compares a file of a finished run with what its record says of it.
fn check_file(path: &Path, said: &str) -> Result<()> {
    check_there(path)?;
    let found = match is_log(path) {
        // Blank lines and a torn last one count for nothing.
        true => files::mark(path, None)?.checksum,
        false => {
            let bytes = files::read(path);
            let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
            files::checksum(&bytes)
        }
    };
    if found == said { Ok(()) } else { Err(unfit(path).into()) }
}

fn unfit(path: &Path) -> Damaged {
    Damaged::new(path, "its content does not fit the checksum in record.json")
}

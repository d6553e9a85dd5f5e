//! The files of a run as they are read: damage is seen, and said with what to do about it.

use super::record::RunFolder;
use crate::error::UserError;
use crate::files::{self, Damaged};
use crate::kernels::{Arrays, Shape};
use crate::model;
use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

impl RunFolder {
    /// Says of a damaged file what to do about it.
    pub(super) fn told<T>(&self, read: Result<T>) -> Result<T> {
        read.map_err(|error| match files::is_damage(&error) {
            true => UserError::new(
                format!("{error:#}"),
                format!(
                    "remove the folder of this run, {}, and repeat the same `batchscope run`: it is \
                     trained again, to the same results",
                    self.path().display()
                ),
            )
            .into(),
            false => error,
        })
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
            match said {
                Some(said) if said != files::mark(path, None)?.checksum => Err(unfit(path).into()),
                _ => Ok(lines),
            }
        };
        self.told(read())
    }

    /// The lines of a log of times, which has one for each of `lines` others.
    pub(super) fn times<T: DeserializeOwned>(&self, path: &Path, lines: &Path) -> Result<Vec<T>> {
        let is_sealed = self.record()?.is_some_and(|record| !record.checksums.is_empty());
        let read = || -> Result<Vec<T>> {
            let times = files::read_sealed_lines(path)?;
            let wanted = if is_sealed { files::mark(lines, None)?.lines } else { 0 };
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
            let found = bytes.as_deref().map(files::checksum);
            match said.is_some() && said != found {
                true => Err(unfit(path).into()),
                false => Ok(bytes),
            }
        };
        self.told(read())
    }

    /// The weights of a finished run.
    pub(super) fn read_weights(&self, shape: &Shape) -> Result<Arrays> {
        let path = self.weights();
        let bytes = self.bytes(&path)?;
        let bytes = bytes.with_context(|| format!("{} is gone", path.display()))?;
        model::parse_weights(&path, &bytes, shape)
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
        for log in self.logs().iter().filter(|log| log.exists()) {
            add(log, files::mark(log, None)?.checksum);
        }
        for path in [self.weights(), self.second_moment(), self.test_predictions()] {
            if path.exists() {
                let bytes = files::read(&path);
                let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
                add(&path, files::checksum(&bytes));
            }
        }
        Ok(checksums)
    }
}

fn unfit(path: &Path) -> Damaged {
    Damaged::new(path, "its content does not fit the checksum in record.json")
}

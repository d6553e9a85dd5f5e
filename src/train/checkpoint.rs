//! Where a run stands, saved so that it goes on bit for bit.
//!
//! One safetensors file: the parameters under their names, the optimizer's moments under
//! `moment_1/<name>` and `moment_2/<name>`, the logits of the unfinished epoch under `logits`, and
//! [`Position`] as JSON in the metadata, with a checksum over all of it. It is replaced atomically.

use super::tally::Tally;
use super::watch::{PlateauState, Stopping};
use crate::files::{self, Damaged, Mark};
use crate::kernels::{Arrays, State};
use crate::spec::{Param, Shape};
use anyhow::{Context, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// How far a run has come; the next step is batch `batch` of epoch `epoch`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Epochs that are finished and recorded.
    pub epoch: u64,
    /// Batches done of the epoch after them.
    pub batch: u64,
    /// Updates made.
    pub step: u64,
    /// Training rows seen.
    pub examples: u64,
    /// Sums over the rows of the unfinished epoch.
    pub tally: Tally,
    /// Seconds spent on the steps of the unfinished epoch.
    pub seconds: f64,
    /// Where the plateau schedule stands.
    pub plateau: Option<PlateauState>,
    /// Where early stopping stands.
    pub stopping: Option<Stopping>,
    /// Early stopping or a target that was reached ended the run.
    pub stopped_early: bool,
    /// The target of `stop_at` was reached.
    #[serde(default)]
    pub reached_target: bool,
    /// The step after which the validation split was last measured within an epoch.
    #[serde(default)]
    pub evaluated: u64,
    /// Seconds spent on such measurements in the unfinished epoch.
    #[serde(default)]
    pub evaluation_seconds: f64,
    /// Measurements of the validation split in the unfinished epoch.
    #[serde(default)]
    pub evaluations: u64,
    /// Rows whose gradients are computed at a time, if less than the batch.
    pub micro_batch: Option<usize>,
    /// What the logs of the run hold, by their names; empty in files of earlier versions.
    #[serde(default)]
    pub logs: BTreeMap<String, Mark>,
}

impl Position {
    /// Moves to the beginning of the next epoch.
    pub(super) fn next_epoch(&mut self) {
        self.epoch += 1;
        self.batch = 0;
        self.tally = Tally::default();
        self.seconds = 0.0;
        self.evaluation_seconds = 0.0;
        self.evaluations = 0;
    }

    /// Training rows a second in this epoch.
    pub(super) fn examples_per_second(&self) -> f64 {
        self.tally.rows() as f64 / self.seconds.max(1e-9)
    }

    /// The epoch that early stopping calls the best so far, 0-based.
    pub fn best_epoch(&self) -> Option<u64> {
        self.stopping.and_then(|stopping| stopping.best_epoch)
    }

    /// The run ends here.
    pub(super) fn reach_target(&mut self) {
        (self.reached_target, self.stopped_early) = (true, true);
    }
}

const LOGITS: &str = "logits";
/// The entry of the metadata.
const POSITION: &str = "position";

fn moment_prefix(index: usize) -> String {
    format!("moment_{}/", index + 1)
}

/// Saves weights, optimizer state and position.
pub(super) fn save(path: &Path, shape: &Shape, state: &State, position: &Position) -> Result<()> {
    let mut views = views("", shape, &state.parameters)?;
    for (index, moment) in state.moments.iter().enumerate() {
        views.extend(self::views(&moment_prefix(index), shape, moment)?);
    }
    let logits = &position.tally.logits;
    let logits = TensorView::new(Dtype::F32, vec![logits.len()], bytemuck::cast_slice(logits))?;
    views.push((LOGITS.to_owned(), logits));
    let bytes = files::seal_tensors(views, POSITION, serde_json::to_value(position)?)?;
    files::write_atomic(path, |file| Ok(file.write_all(&bytes)?))
}

/// Reads what `save` wrote, of a run whose optimizer keeps so many moments; `None` when there is no
/// such file. What does not fit its checksum is refused as [`Damaged`].
///
/// # Errors
/// [`Damaged`] where it does not fit its checksum, its model or its optimizer: the run begins anew.
pub fn load(path: &Path, shape: &Shape, moments: usize) -> Result<Option<(State, Position)>> {
    let place = || format!("the checkpoint {} cannot be used", path.display());
    let bytes = match files::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(place)?,
    };
    let position = files::sealed_entry(path, &bytes, POSITION, true)?;
    let position = position.ok_or_else(|| Damaged::new(path, "it has no position"))?;
    let mut position: Position =
        serde_json::from_value(position).map_err(|error| Damaged::new(path, error.to_string()))?;
    let tensors = files::parse_tensors(path, &bytes)?;
    let read = |prefix: &str| arrays(&tensors, prefix, shape).with_context(place);
    let moments = (0..moments).map(|index| read(&moment_prefix(index)));
    let state = State {
        parameters: read("")?,
        moments: moments.collect::<Result<_>>()?,
        step: position.step,
    };
    let logits = tensors.tensor(LOGITS).with_context(place)?;
    position.tally.logits = bytemuck::allocation::pod_collect_to_vec(logits.data());
    Ok(Some((state, position)))
}

type Views<'v> = Vec<(String, TensorView<'v>)>;

fn views<'v>(prefix: &str, shape: &Shape, arrays: &'v Arrays) -> Result<Views<'v>> {
    let named = shape.parameters().into_iter().zip(arrays);
    named
        .map(|(parameter, values)| {
            let view = TensorView::new(Dtype::F32, parameter.dims, bytemuck::cast_slice(values))?;
            Ok((format!("{prefix}{}", parameter.path), view))
        })
        .collect()
}

fn arrays(tensors: &SafeTensors<'_>, prefix: &str, shape: &Shape) -> Result<Arrays> {
    let parameters = shape.parameters();
    parameters
        .iter()
        .map(|Param { path, dims, .. }| {
            let tensor = tensors.tensor(&format!("{prefix}{path}"))?;
            anyhow::ensure!(tensor.shape() == dims, "`{path}` has the shape {:?}", tensor.shape());
            Ok(bytemuck::allocation::pod_collect_to_vec(tensor.data()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Input, Stack, Task};

    #[test]
    fn what_was_saved_is_read_back_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint/state.safetensors");
        let shape = Shape { input: Input::Features(3), layers: Stack::lstm(2), outputs: 1 };
        let adam = crate::config::TrainSection::default().optimizer.rule();
        let mut state = State::new(crate::model::keras(&shape, 5), &adam);
        state.moments[0][1][3] = 1e-39;
        state.step = 17;
        let mut position = Position { epoch: 2, batch: 3, step: 17, ..Position::default() };
        position.tally.add((&[0.1, -3.5], 1), Task::Binary, [1.0, 0.0].into_iter(), 0.1 + 0.2);
        position.logs.insert("metrics.jsonl".into(), Mark { lines: 2, checksum: "ab".into() });
        assert!(load(&path, &shape, 2).unwrap().is_none());
        save(&path, &shape, &state, &position).unwrap();
        assert_eq!(load(&path, &shape, 2).unwrap().unwrap(), (state, position));
        let other = Shape { layers: Stack::lstm(3), ..shape };
        assert!(format!("{:#}", load(&path, &other, 2).unwrap_err()).contains("cannot be used"));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_seen_and_files_of_earlier_versions_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        let shape = Shape { input: Input::Features(2), layers: Stack::lstm(1), outputs: 1 };
        let adam = crate::config::TrainSection::default().optimizer.rule();
        let state = State::new(crate::model::keras(&shape, 5), &adam);
        let position = Position { epoch: 2, seconds: 0.25, ..Position::default() };
        save(&path, &shape, &state, &position).unwrap();
        let written = std::fs::read(&path).unwrap();
        for at in 0..written.len() {
            let mut bytes = written.clone();
            bytes[at] ^= 1 << (at % 7);
            std::fs::write(&path, &bytes).unwrap();
            match load(&path, &shape, 2) {
                // The name of the checksum itself.
                Ok(found) => assert_eq!(found.unwrap(), (state.clone(), position.clone())),
                Err(error) => assert!(format!("{error:#}").contains("state.safetensors"), "{at}"),
            }
        }
        // As the version before checksums wrote it.
        let mut views = views("", &shape, &state.parameters).unwrap();
        for (index, moment) in state.moments.iter().enumerate() {
            views.extend(super::views(&moment_prefix(index), &shape, moment).unwrap());
        }
        views.push((LOGITS.to_owned(), TensorView::new(Dtype::F32, vec![0], &[]).unwrap()));
        let metadata = [("position".to_owned(), serde_json::to_string(&position).unwrap())];
        let old = safetensors::serialize(views, Some(metadata.into_iter().collect())).unwrap();
        std::fs::write(&path, old).unwrap();
        assert_eq!(load(&path, &shape, 2).unwrap().unwrap(), (state, position));
    }
}

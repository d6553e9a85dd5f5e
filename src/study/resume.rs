//! Going on with a run: its logs against what its checkpoint says of them, and what came after it taken
//! back.

use super::record::{Definition, RunFolder};
use crate::files::{self, Log, Mark};
use crate::model;
use crate::probe::NoiseLine;
use crate::train::{Position, load_checkpoint};
use anyhow::Result;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::path::Path;

/// The logs of a run that is trained. What is added lasts from the next checkpoint on.
pub(super) struct Logs {
    pub(super) metrics: Log,
    pub(super) evaluations: Log,
    pub(super) steps: Log,
    pub(super) histograms: Log,
    pub(super) noise: Log,
    /// Times, which do not repeat.
    pub(super) timing: Log,
    pub(super) evaluation_timing: Log,
}

impl Logs {
    /// Goes on with those of a run.
    pub(super) fn open(folder: &RunFolder) -> Result<Self> {
        Ok(Self {
            metrics: Log::open(&folder.metrics_log())?,
            evaluations: Log::open(&folder.evaluations_log())?,
            steps: Log::open(&folder.steps_log())?,
            histograms: Log::open(&folder.histograms_log())?,
            noise: Log::open(&folder.noise_log())?,
            timing: Log::open(&folder.timing_log())?,
            evaluation_timing: Log::open(&folder.evaluation_timing_log())?,
        })
    }

    /// Makes all that was added last.
    pub(super) fn sync(&mut self) -> Result<()> {
        let Self { metrics, evaluations, steps, histograms, noise, timing, evaluation_timing } =
            self;
        [metrics, evaluations, steps, histograms, noise, timing, evaluation_timing]
            .into_iter()
            .try_for_each(Log::sync)
    }

    /// What those hold that have the same bits whenever the run is repeated, by their names.
    pub(super) fn marks(&self) -> BTreeMap<String, Mark> {
        let Self { metrics, evaluations, steps, histograms, noise, .. } = self;
        [metrics, evaluations, steps, histograms, noise].map(|log| (log.name(), log.mark())).into()
    }
}

/// Why a run that is not finished cannot go on from what is saved of it; `None` if it can, or has
/// nothing to go on from.
pub(super) fn trouble(folder: &RunFolder, definition: &Definition) -> Result<Option<String>> {
    let train = &definition.arm.train;
    let moments = train.optimizer.rule().moments();
    let read = || -> Result<Option<String>> {
        let checkpoint = load_checkpoint(&folder.checkpoint(), &definition.model, moments)?;
        let Some((_, position)) = checkpoint else {
            // A run that is killed before its first checkpoint may have recorded one epoch.
            let recorded = files::mark(&folder.metrics_log(), None)?.lines;
            let gone = || format!("{} is gone", folder.checkpoint().display());
            return Ok((recorded > 1).then(gone));
        };
        if train.restores_best() && position.best_epoch().is_some() {
            model::read_sealed_weights(&folder.best(), &definition.model)?;
        }
        unfit(folder, &position)
    };
    match read() {
        Err(error) if files::is_damage(&error) || is_missing(&error) => {
            Ok(Some(format!("{error:#}")))
        }
        decided => decided,
    }
}

fn is_missing(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// In what the logs do not hold what a checkpoint at this position says of them.
pub(super) fn unfit(folder: &RunFolder, position: &Position) -> Result<Option<String>> {
    if *position == Position::default() {
        return Ok(None);
    }
    for path in folder.logs() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(said) = position.logs.get(&*name) else {
            // An earlier version said nothing of it: at least it must be readable.
            files::read_lines::<IgnoredAny>(&path)?;
            continue;
        };
        let found = files::mark(&path, Some(said.lines))?;
        if found.lines < said.lines {
            return Ok(Some(shorter(&path, said.lines, found.lines)));
        }
        if found != *said {
            return Ok(Some(format!(
                "{} is damaged: its first {} lines do not fit the checkpoint",
                path.display(),
                said.lines
            )));
        }
    }
    let evaluations = position.logs.get("evaluations.jsonl").map_or(0, |said| said.lines);
    for (path, wanted) in [
        (folder.metrics_log(), position.epoch),
        (folder.timing_log(), position.epoch),
        (folder.evaluation_timing_log(), evaluations),
    ] {
        let found = files::mark(&path, None)?.lines;
        if found < wanted {
            return Ok(Some(shorter(&path, wanted, found)));
        }
        files::check_sealed_lines(&path, wanted)?;
    }
    Ok(None)
}

fn shorter(path: &Path, wanted: u64, found: u64) -> String {
    format!("{} holds {found} lines, and the checkpoint comes after {wanted}", path.display())
}

/// Removes the lines of epochs, measurements and steps after this position.
pub(super) fn truncate_to_checkpoint(folder: &RunFolder, position: &Position) -> Result<()> {
    if *position == Position::default() {
        // Whatever they hold.
        let times = [folder.timing_log(), folder.evaluation_timing_log()];
        return folder.logs().iter().chain(&times).try_for_each(|log| files::clear(log));
    }
    for path in folder.logs() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(said) = position.logs.get(&*name) {
            files::keep_lines(&path, said.lines as usize)?;
        }
    }
    let epochs = position.epoch as usize;
    files::keep_lines(&folder.metrics_log(), epochs)?;
    files::keep_lines(&folder.timing_log(), epochs)?;
    let steps = folder.steps()?;
    let kept = steps.iter().take_while(|line| line.step <= position.step).count();
    files::keep_lines(&folder.steps_log(), kept)?;
    let evaluations = folder.evaluations()?;
    let kept = evaluations.iter().take_while(|line| line.step <= position.evaluated).count();
    files::keep_lines(&folder.evaluations_log(), kept)?;
    files::keep_lines(&folder.evaluation_timing_log(), kept)?;
    let histograms = folder.histograms()?;
    let kept = histograms.iter().take_while(|line| line.epoch < position.epoch).count();
    files::keep_lines(&folder.histograms_log(), kept)?;
    let noise = folder.noise()?;
    // A run that begins anew is measured anew before its first step.
    let stays = |line: &&NoiseLine| position.step > 0 && line.step <= position.step;
    files::keep_lines(&folder.noise_log(), noise.iter().take_while(stays).count())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn write(path: &Path, lines: impl Iterator<Item = Value>) {
        Log::open(path).unwrap().append(&lines.collect::<Vec<_>>()).unwrap();
    }

    #[test]
    fn what_was_recorded_after_the_checkpoint_is_taken_back() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(temporary.path());
        let step = |step: u64| {
            json!({ "step": step, "epoch": (step - 1) / 4, "examples": step, "learning_rate": 1.0,
                "loss": 1.0, "gradient_norm": 1.0 })
        };
        // Every third step of epochs of four steps; a crash in the third epoch.
        write(&folder.steps_log(), [1, 4, 7, 10].map(step).into_iter());
        let histogram = |epoch: u64| json!({ "epoch": epoch, "parameter": "w", "histogram": [] });
        write(&folder.histograms_log(), [0, 0, 1, 1].map(histogram).into_iter());
        let split = json!({ "loss": 1.0, "accuracy": 1.0, "auc": null, "precision": 1.0,
            "recall": 1.0, "f1": 1.0, "brier": 1.0, "calibration_error": 1.0 });
        let epoch = |epoch: u64| {
            json!({ "epoch": epoch, "step": 4 * (epoch + 1), "examples": 1, "learning_rate": 1.0,
                "train": split, "validation": split })
        };
        write(&folder.metrics_log(), (0..2).map(epoch));
        let scale = json!({ "value": 1.0, "interval": null, "at_least": null });
        let found = json!({ "trace": 1.0, "square": 1.0, "scale": scale });
        let noise = |epochs: u64| {
            json!({ "epochs": epochs, "step": 4 * epochs, "examples": 1, "rows": 9,
                "plain": found, "adam": null })
        };
        write(&folder.noise_log(), (0..3).map(noise));
        let evaluation = |step: u64| json!({ "step": step, "epoch": (step - 1) / 4, "examples": step, "validation": split });
        write(&folder.evaluations_log(), [2, 5, 6].map(evaluation).into_iter());
        let evaluated = |step: u64| json!({ "step": step, "wall_time": 1.0, "train_seconds": 1.0, "validation_seconds": 1.0 });
        write(&folder.evaluation_timing_log(), [2, 5].map(evaluated).into_iter());
        let times = |epoch: u64| {
            json!({ "epoch": epoch, "wall_time": 1.0, "train_seconds": 1.0,
                "validation_seconds": 1.0, "examples_per_second": 1.0, "peak_memory": 1 })
        };
        write(&folder.timing_log(), (0..2).map(times));

        // Stopped after step 5, which was due to be measured and had not been.
        let position = Position { epoch: 1, step: 5, evaluated: 2, ..Position::default() };
        truncate_to_checkpoint(&folder, &position).unwrap();
        assert_eq!(folder.evaluations().unwrap().len(), 1);
        assert_eq!(folder.evaluation_timing().unwrap().len(), 1);
        let steps: Vec<u64> = folder.steps().unwrap().iter().map(|line| line.step).collect();
        assert_eq!(steps, [1, 4]);
        let epochs: Vec<u64> = folder.histograms().unwrap().iter().map(|h| h.epoch).collect();
        assert_eq!(epochs, [0, 0]);
        let measured: Vec<u64> = folder.noise().unwrap().iter().map(|n| n.epochs).collect();
        assert_eq!(measured, [0, 1]);
        assert_eq!((folder.metrics().unwrap().len(), folder.timing().unwrap().len()), (1, 1));
        let lost = Position { epoch: 2, step: 8, ..Position::default() };
        let why = unfit(&folder, &lost).unwrap().unwrap();
        assert!(
            why.contains("metrics.jsonl holds 1 lines, and the checkpoint comes after 2"),
            "{why}"
        );
        truncate_to_checkpoint(&folder, &Position::default()).unwrap();
        assert_eq!(folder.noise().unwrap(), []);
    }

    #[test]
    fn what_a_checkpoint_says_of_the_logs_is_compared_and_what_came_after_it_is_not() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(temporary.path());
        let mut logs = Logs::open(&folder).unwrap();
        let step = |step: u64| {
            json!({ "step": step, "epoch": 0, "examples": step,
            "learning_rate": 1.0, "loss": 1.0, "gradient_norm": 1.0 })
        };
        logs.steps.append(&[step(1), step(2)]).unwrap();
        let position = Position { step: 2, logs: logs.marks(), ..Position::default() };
        logs.steps.append(&[step(3)]).unwrap();
        let text = std::fs::read_to_string(folder.steps_log()).unwrap();
        // Blank lines, and damage after the checkpoint, count for nothing.
        std::fs::write(
            folder.steps_log(),
            format!("\n{}\u{0}#\n", text.replace("\"step\":3", "?")),
        )
        .unwrap();
        assert_eq!(unfit(&folder, &position).unwrap(), None);
        truncate_to_checkpoint(&folder, &position).unwrap();
        assert_eq!(folder.steps().unwrap().len(), 2);
        std::fs::write(folder.steps_log(), text.replace("1.0", "1.5")).unwrap();
        let why = unfit(&folder, &position).unwrap().unwrap();
        assert!(why.contains("steps.jsonl is damaged"), "{why}");
        std::fs::write(folder.steps_log(), text.lines().next().unwrap()).unwrap();
        let why = unfit(&folder, &position).unwrap().unwrap();
        assert!(why.contains("steps.jsonl holds 0 lines"), "{why}");
    }
}

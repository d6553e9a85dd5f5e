//! Writes down what a run tells while it is trained: records first, then TensorBoard's files.

use super::curves::Curves;
use super::protocol::{EvaluationTimingLine, Report, Task, TimingLine};
use super::record::{Definition, HistogramLine, RunFolder, wall_clock};
use super::worker::{PeakMemory, Wishes};
use crate::config::NoiseScaleSection;
use crate::error::UserError;
use crate::events::{Histogram, SessionEnd};
use crate::files::{self, Log, Mark};
use crate::kernels::{Arrays, Engine, Optimizer, Shape};
use crate::model;
use crate::probe::{self, NoiseLine};
use crate::train::{
    Callback, Course, EpochMetrics, EpochTimes, Evaluation, EvaluationTimes, Outcome, Pause,
    Position, Progress, StepMetrics, load_checkpoint, optimizer,
};
use anyhow::Result;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Listens to one training.
pub(super) struct Recorder<'r> {
    folder: &'r RunFolder,
    logs: Logs,
    curves: Curves,
    peak_memory: &'r PeakMemory,
    tell: &'r mut dyn FnMut(Report),
    wishes: &'r Wishes,
    histograms: bool,
    noise: Option<NoiseProbe>,
}

/// The logs that hold the same bits whenever the run is repeated.
struct Logs {
    metrics: Log,
    evaluations: Log,
    steps: Log,
    histograms: Log,
    noise: Log,
}

impl Logs {
    /// Goes on with those of a run.
    fn open(folder: &RunFolder) -> Result<Self> {
        Ok(Self {
            metrics: Log::open(&folder.metrics_log())?,
            evaluations: Log::open(&folder.evaluations_log())?,
            steps: Log::open(&folder.steps_log())?,
            histograms: Log::open(&folder.histograms_log())?,
            noise: Log::open(&folder.noise_log())?,
        })
    }

    /// What they hold, by their names.
    fn marks(&self) -> BTreeMap<String, Mark> {
        let Self { metrics, evaluations, steps, histograms, noise } = self;
        [metrics, evaluations, steps, histograms, noise].map(|log| (log.name(), log.mark())).into()
    }
}

/// How the gradient's noise is measured in a run.
struct NoiseProbe {
    section: NoiseScaleSection,
    optimizer: Optimizer,
    /// After how many steps.
    checkpoints: BTreeSet<u64>,
    /// After how many steps it was measured.
    measured: BTreeSet<u64>,
    /// Training rows.
    rows: usize,
}

impl NoiseProbe {
    /// Whether it is still to be measured after this step; where the training ends too, unless it is to
    /// be measured before the first step alone.
    fn is_due(&self, step: u64, ends: bool) -> bool {
        let is_end = ends && self.checkpoints.len() > 1;
        (is_end || self.checkpoints.contains(&step)) && !self.measured.contains(&step)
    }
}

impl<'r> Recorder<'r> {
    /// Takes back what was recorded after the last checkpoint, and draws the curves of what
    /// remains, of a run on `rows` training rows.
    pub(super) fn resume(
        task: &Task,
        folder: &'r RunFolder,
        (rows, position): (usize, &Position),
        peak_memory: &'r PeakMemory,
        tell: &'r mut dyn FnMut(Report),
        wishes: &'r Wishes,
    ) -> Result<Self> {
        if let Some(why) = unfit(folder, position)? {
            // The study looks before it starts a run: this one was damaged since.
            return Err(UserError::new(
                why,
                "repeat the same command with `--retry-failed`: the run begins anew",
            )
            .into());
        }
        take_back(folder, position)?;
        let logs = Logs::open(folder)?;
        let curves = draw_again(task, folder)?;
        let histograms = task.logging.histograms;
        let measured: BTreeSet<u64> = folder.noise()?.iter().map(|line| line.step).collect();
        let noise = task.probe.noise_scale.map(|section| {
            let train = &task.definition.arm.train;
            let course = Course::new(&task.definition.arm, rows);
            let checkpoints = probe::checkpoints(&section, &course);
            let optimizer = optimizer(&train.optimizer);
            NoiseProbe { section, optimizer, checkpoints, measured, rows }
        });
        Ok(Self { folder, logs, curves, peak_memory, tell, wishes, histograms, noise })
    }

    /// Draws how the training ended; a run that was stopped has not ended.
    pub(super) fn end(&mut self, outcome: &Outcome) -> Result<()> {
        match outcome {
            Outcome::Finished(_) => self.curves.end(SessionEnd::Success),
            Outcome::Diverged { .. } => self.curves.end(SessionEnd::Failure),
            Outcome::Stopped => Ok(()),
        }
    }
}

/// The curves of what is recorded.
fn draw_again(task: &Task, folder: &RunFolder) -> Result<Curves> {
    let (metrics, timing) = (folder.metrics()?, folder.timing()?);
    let begun = timing.first().map_or_else(wall_clock, |line| line.wall_time);
    let end_of = |epoch: u64| timing.get(epoch as usize).map_or(begun, |line| line.wall_time);
    let mut curves = Curves::begin(task, folder.path(), begun)?;
    let times = folder.evaluation_timing()?;
    let mut evaluations = folder.evaluations()?.into_iter().zip(times).peekable();
    for (metrics, timing) in metrics.iter().zip(&timing) {
        while let Some((found, times)) =
            evaluations.next_if(|(found, _)| found.epoch <= metrics.epoch)
        {
            curves.draw_evaluation(&found, times.wall_time)?;
        }
        curves.draw_epoch(metrics, timing)?;
    }
    for (found, times) in evaluations {
        curves.draw_evaluation(&found, times.wall_time)?;
    }
    for step in folder.steps()? {
        curves.draw_step(&step, end_of(step.epoch))?;
    }
    for line in folder.histograms()? {
        curves.draw_histogram(&line, end_of(line.epoch))?;
    }
    for line in folder.noise()? {
        let at = line.epochs.checked_sub(1).map_or(begun, end_of);
        curves.draw_noise(&line, at)?;
    }
    Ok(curves)
}

/// Why a run that is not finished cannot go on from what is saved of it; `None` if it can, or has
/// nothing to go on from.
pub(super) fn trouble(folder: &RunFolder, definition: &Definition) -> Result<Option<String>> {
    let train = &definition.arm.train;
    let moments = optimizer(&train.optimizer).moments();
    let read = || -> Result<Option<String>> {
        let checkpoint = load_checkpoint(&folder.checkpoint(), &definition.model, moments)?;
        let Some((_, position)) = checkpoint else { return Ok(None) };
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
fn unfit(folder: &RunFolder, position: &Position) -> Result<Option<String>> {
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
    format!(
        "{} holds {found} lines, and the checkpoint comes after {wanted}",
        path.display()
    )
}

/// Removes the lines of epochs, measurements and steps after this position.
fn take_back(folder: &RunFolder, position: &Position) -> Result<()> {
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
    let found = folder.metrics()?.len().min(folder.timing()?.len());
    match found == epochs {
        true => Ok(()),
        false => Err(UserError::new(
            format!(
                "{}: the checkpoint stands after {epochs} epochs, and the records of only {found} \
                 are there",
                folder.path().display(),
            ),
            "remove the folder of this run to train it anew",
        )
        .into()),
    }
}

impl Callback for Recorder<'_> {
    fn on_progress(&mut self, progress: &Progress) -> Result<()> {
        (self.tell)(Report::Progress(*progress));
        Ok(())
    }

    fn on_steps(&mut self, steps: &[StepMetrics]) -> Result<()> {
        if !steps.is_empty() {
            self.logs.steps.append(steps)?;
        }
        let now = wall_clock();
        steps.iter().try_for_each(|step| self.curves.draw_step(step, now))
    }

    fn on_evaluation(&mut self, found: &Evaluation, times: &EvaluationTimes) -> Result<()> {
        let timing = EvaluationTimingLine {
            step: found.step,
            wall_time: wall_clock(),
            train_seconds: times.train_seconds,
            validation_seconds: times.validation_seconds,
        };
        self.logs.evaluations.append_line(found)?;
        files::append_sealed_line(&self.folder.evaluation_timing_log(), &timing)?;
        self.curves.draw_evaluation(found, timing.wall_time)
    }

    fn on_epoch_end(&mut self, metrics: &EpochMetrics, times: &EpochTimes) -> Result<()> {
        let timing = TimingLine {
            epoch: metrics.epoch,
            wall_time: wall_clock(),
            train_seconds: times.train_seconds,
            validation_seconds: times.validation_seconds,
            examples_per_second: times.examples_per_second,
            peak_memory: self.peak_memory.get()?,
            micro_batch: times.micro_batch,
        };
        self.logs.steps.sync()?;
        self.logs.metrics.append_line(metrics)?;
        files::append_sealed_line(&self.folder.timing_log(), &timing)?;
        self.curves.draw_epoch(metrics, &timing)?;
        (self.tell)(Report::Epoch(*metrics, timing));
        Ok(())
    }

    fn wants_weights(&self) -> bool {
        self.histograms
    }

    fn on_weights(&mut self, epoch: u64, shape: &Shape, weights: &Arrays) -> Result<()> {
        let mut lines = Vec::new();
        for ((name, _), values) in shape.parameters().iter().zip(weights) {
            let Some(histogram) = Histogram::of(values) else { continue };
            lines.push(HistogramLine { epoch, parameter: (*name).to_owned(), histogram });
        }
        self.logs.histograms.append(&lines)?;
        self.logs.histograms.sync()?;
        let now = wall_clock();
        lines.iter().try_for_each(|line| self.curves.draw_histogram(line, now))
    }

    fn wants_pause(&self, step: u64) -> bool {
        self.noise.as_ref().is_some_and(|noise| noise.is_due(step, false))
    }

    fn on_pause(&mut self, pause: &Pause, engine: &mut dyn Engine) -> Result<ControlFlow<()>> {
        let Some(noise) = self.noise.as_ref() else { return Ok(ControlFlow::Continue(())) };
        if !noise.is_due(pause.step, pause.ends) {
            return Ok(ControlFlow::Continue(()));
        }
        let stop = || self.should_stop();
        let NoiseProbe { section, optimizer, rows, .. } = noise;
        let found = self
            .peak_memory
            .leave_out(|| probe::noise(engine, optimizer, section, *rows, &stop))?;
        let Some(probe::Noise { rows, plain, adam }) = found else {
            return Ok(match self.should_stop() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            });
        };
        let Pause { epochs, step, examples, .. } = *pause;
        if let Some(noise) = &mut self.noise {
            noise.measured.insert(step);
        }
        let line = NoiseLine { epochs, step, examples, rows, plain, adam };
        self.logs.noise.append_line(&line)?;
        self.curves.draw_noise(&line, wall_clock())?;
        Ok(ControlFlow::Continue(()))
    }

    fn logs(&mut self) -> Result<BTreeMap<String, Mark>> {
        // The others are synced line by line, or epoch by epoch.
        self.logs.steps.sync()?;
        Ok(self.logs.marks())
    }

    fn should_stop(&self) -> bool {
        self.wishes.stop.load(Ordering::Relaxed)
    }

    fn threads(&self) -> Option<usize> {
        Some(self.wishes.threads.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn write(path: &Path, lines: impl Iterator<Item = Value>) {
        files::append_lines(path, &lines.collect::<Vec<_>>()).unwrap();
    }

    #[test]
    fn noise_is_measured_where_a_run_ends_unless_its_begin_alone_was_asked_for() {
        let due = |checkpoints: &[u64], measured: &[u64], step, ends| {
            let probe = NoiseProbe {
                section: NoiseScaleSection::default(),
                optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false },
                checkpoints: checkpoints.iter().copied().collect(),
                measured: measured.iter().copied().collect(),
                rows: 9,
            };
            probe.is_due(step, ends)
        };
        assert!(due(&[0, 4, 20], &[0], 4, false) && !due(&[0, 4, 20], &[0], 7, false));
        assert!(due(&[0, 4, 20], &[0, 4], 7, true), "it ended before its budget was spent");
        assert!(!due(&[0, 4, 20], &[0, 4], 4, true), "measured already");
        assert!(due(&[0], &[], 0, false) && !due(&[0], &[0], 20, true));
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
        take_back(&folder, &position).unwrap();
        assert_eq!(folder.evaluations().unwrap().len(), 1);
        assert_eq!(folder.evaluation_timing().unwrap().len(), 1);
        let steps: Vec<u64> = folder.steps().unwrap().iter().map(|line| line.step).collect();
        assert_eq!(steps, [1, 4]);
        let epochs: Vec<u64> = folder.histograms().unwrap().iter().map(|h| h.epoch).collect();
        assert_eq!(epochs, [0, 0]);
        let measured: Vec<u64> = folder.noise().unwrap().iter().map(|n| n.epochs).collect();
        assert_eq!(measured, [0, 1]);
        assert_eq!((folder.metrics().unwrap().len(), folder.timing().unwrap().len()), (1, 1));
        let lost = take_back(&folder, &Position { epoch: 2, step: 8, ..Position::default() });
        assert!(lost.unwrap_err().to_string().contains("the records of only 1 are there"));
        take_back(&folder, &Position::default()).unwrap();
        assert_eq!(folder.noise().unwrap(), []);
    }
}

//! One epoch: the steps, then what is measured, recorded and saved at its end.

use super::dropout::Dropout;
use super::evaluate::logits;
use super::schedule::{learning_rate, warmup_steps};
use super::watch::{PlateauState, Stopping, monitored, reaches};
use super::{
    Callback, EpochMetrics, EpochTimes, Evaluation, Job, Pause, Position, Progress, Spent,
    StepMetrics, checkpoint,
};
use crate::config::Schedule;
use crate::kernels::{Computed, Engine, Split, Step};
use crate::model;
use crate::rng;
use crate::spec::Metrics;
use anyhow::Result;
use std::time::{Duration, Instant};

/// Why an epoch ended early.
pub(super) enum Early {
    Diverged { step: u64 },
    Stopped,
}

/// How long steps may wait for their losses to be read: reading them waits for the device.
const READ_EVERY: Duration = Duration::from_millis(100);

/// The order in which an epoch visits the training rows.
fn order(job: &Job<'_>, epoch: u64) -> Vec<u32> {
    let rows = job.splits.train.len();
    match job.arm.train.shuffle {
        true => rng::permutation(job.seed, epoch, rows),
        false => (0..rows as u32).collect(),
    }
}

/// The learning rate of a step of the epoch in which `position` stands; steps count from 0.
fn rate(job: &Job<'_>, position: &Position, step: u64) -> f64 {
    let plateau = position.plateau.map(|plateau| plateau.lr);
    learning_rate(&job.arm.train, &job.training_length(), step, plateau)
}

/// The training steps of one epoch, from where it stands.
pub(super) fn train_epoch(
    job: &Job<'_>,
    engine: &mut dyn Engine,
    callback: &mut dyn Callback,
    position: &mut Position,
) -> Result<Option<Early>> {
    let order = order(job, position.epoch);
    let batches: Vec<&[u32]> = order.chunks(job.arm.batch_size).collect();
    let (length, dropout) = (job.training_length(), Dropout::of(&job.arm.model, &job.shape));
    let every = job.arm.train.evaluate_every;
    let (mut clock, mut since) = (Instant::now(), Instant::now());
    let mut unread: Vec<Unread<'_>> = Vec::new();
    while position.batch < batches.len() as u64 && !length.is_exhausted(position) {
        let is_due = |position: &Position| length.is_due(every, position.step);
        if position.batch > 0 && position.evaluated < position.step && is_due(position) {
            if let Some(early) = evaluate(job, engine, callback, position)? {
                return Ok(Some(early));
            }
            since = Instant::now();
            if position.stopped_early {
                break;
            }
        }
        if position.batch > 0 && callback.wants_pause(position.step) {
            if callback.on_pause(&pause(position, position.epoch), engine)?.is_break() {
                return Ok(Some(Early::Stopped));
            }
            since = Instant::now();
        }
        let rows = batches[position.batch as usize];
        let masks = dropout.masks(job.seed, position.epoch, rows);
        let lr = rate(job, position, position.step);
        if let Some(threads) = callback.threads() {
            engine.set_threads(threads)?;
        }
        engine.train_step(&Step { rows, lr, masks: masks.as_deref() })?;
        unread.push(Unread { rows, lr });
        position.batch += 1;
        position.step += 1;
        let stop = callback.should_stop();
        let is_last = position.batch == batches.len() as u64 || length.is_exhausted(position);
        let stands_still = is_due(position) || callback.wants_pause(position.step);
        if stop || is_last || stands_still || clock.elapsed() >= READ_EVERY {
            let read = read(job, engine, &std::mem::take(&mut unread), position)?;
            position.seconds += since.elapsed().as_secs_f64();
            since = Instant::now();
            callback.on_steps(&read.steps)?;
            if let Some(step) = read.diverged {
                return Ok(Some(Early::Diverged { step }));
            }
            if stop && !is_last {
                return Ok(Some(Early::Stopped));
            }
            callback.on_progress(&progress(job, position))?;
            clock = Instant::now();
        }
    }
    Ok(None)
}

/// Measures the validation split within an epoch; the run ends here if that reaches its target.
fn evaluate(
    job: &Job<'_>,
    engine: &mut dyn Engine,
    callback: &mut dyn Callback,
    position: &mut Position,
) -> Result<Option<Early>> {
    let validation = match validate(job, engine, callback, position)? {
        Ok(validation) => validation,
        Err(early) => return Ok(Some(early)),
    };
    position.evaluated = position.step;
    let Position { step, epoch, examples, .. } = *position;
    let times = spent(position);
    callback.on_evaluation(&Evaluation { step, epoch, examples, validation }, &times)?;
    if job.arm.train.stop_at.is_some_and(|stop| reaches(&stop, None, &validation)) {
        position.reach_target();
    }
    Ok(None)
}

/// The metrics of the validation split, or why there are none; what it took counts for the epoch.
fn validate(
    job: &Job<'_>,
    engine: &mut dyn Engine,
    callback: &dyn Callback,
    position: &mut Position,
) -> Result<Result<Metrics, Early>> {
    let started = Instant::now();
    let examples = &job.splits.validation;
    let stop = || callback.should_stop();
    let Some(found) = logits(engine, Split::Validation, examples, &stop)? else {
        return Ok(Err(Early::Stopped));
    };
    let measured = job.measure(&found, examples, engine.penalty()?);
    let measured = measured.filter(|metrics| metrics.loss.is_finite());
    position.evaluation_seconds += started.elapsed().as_secs_f64();
    position.evaluations += 1;
    Ok(measured.ok_or(Early::Diverged { step: position.step }))
}

/// What was spent since the epoch began.
fn spent(position: &Position) -> Spent {
    Spent {
        train_seconds: position.seconds,
        validation_seconds: position.evaluation_seconds,
        steps: position.batch,
        evaluations: position.evaluations,
    }
}

/// Where the run stands still, with so many epochs done.
fn pause(position: &Position, epochs: u64) -> Pause {
    Pause { epochs, step: position.step, examples: position.examples, ends: false }
}

/// A step whose results were not read yet.
struct Unread<'r> {
    rows: &'r [u32],
    lr: f64,
}

/// What steps came to.
struct Read {
    steps: Vec<StepMetrics>,
    /// The first step whose loss was not finite.
    diverged: Option<u64>,
}

/// Adds the losses of steps that wait to be read.
fn read(
    job: &Job<'_>,
    engine: &mut dyn Engine,
    unread: &[Unread<'_>],
    position: &mut Position,
) -> Result<Read> {
    let Computed { logits, penalties, gradient_norms } = engine.take_computed()?;
    position.micro_batch = engine.micro_batch();
    let (every, objective) = (job.every_steps, job.objective);
    let mut read = Read { steps: Vec::new(), diverged: None };
    let mut rest = &logits[..];
    let first = position.step - unread.len() as u64;
    for (index, Unread { rows, lr }) in unread.iter().enumerate() {
        let (logits, others) = rest.split_at(rows.len() * objective.outputs);
        rest = others;
        let labels = || rows.iter().map(|row| job.splits.train.labels[*row as usize]);
        let loss = objective.mean_loss(logits, labels()) + penalties[index];
        position.tally.add((logits, objective.outputs), objective.task(), labels(), loss);
        position.examples += rows.len() as u64;
        let step = first + index as u64 + 1;
        if !loss.is_finite() {
            read.diverged = Some(step);
            return Ok(read);
        }
        if every > 0 && (step - 1).is_multiple_of(every) {
            read.steps.push(StepMetrics {
                step,
                epoch: position.epoch,
                examples: position.examples,
                learning_rate: *lr,
                loss,
                gradient_norm: f64::from(gradient_norms[index]),
            });
        }
    }
    Ok(read)
}

fn progress(job: &Job<'_>, position: &Position) -> Progress {
    Progress {
        epoch: position.epoch,
        batch: position.batch,
        loss: position.tally.loss(),
        accuracy: position.tally.accuracy(job.objective.task()),
        examples_per_second: position.examples_per_second(),
    }
}

/// Measures the validation split, records the epoch and saves the checkpoint.
pub(super) fn finish_epoch(
    job: &Job<'_>,
    engine: &mut dyn Engine,
    callback: &mut dyn Callback,
    position: &mut Position,
) -> Result<Option<Early>> {
    let validation = match validate(job, engine, callback, position)? {
        Ok(validation) => validation,
        Err(early) => return Ok(Some(early)),
    };
    let metrics = epoch_metrics(job, position, validation);
    let times = EpochTimes {
        spent: spent(position),
        examples_per_second: position.examples_per_second(),
        micro_batch: position.micro_batch,
    };
    callback.on_epoch_end(&metrics, &times)?;
    if callback.wants_weights() {
        callback.on_weights(position.epoch, &job.shape, &engine.state()?.parameters)?;
    }
    // What is heard counts once the pause is over: a stop in its midst brings the epoch's end again.
    let mut after = position.clone();
    let is_best = update_on_metrics(job, &mut after, &metrics);
    let ends = job.training_length().is_exhausted(&after);
    let pause = Pause { ends, ..pause(position, position.epoch + 1) };
    if callback.on_pause(&pause, engine)?.is_break() {
        return Ok(Some(Early::Stopped));
    }
    *position = after;
    position.next_epoch();
    let is_time = callback.wants_checkpoint(position.epoch);
    if !is_best && !is_time {
        return Ok(None);
    }
    let state = engine.state()?;
    if is_best {
        model::write_sealed_weights(job.best, &job.shape, &state.parameters)?;
    }
    if is_time {
        position.logs = callback.logs()?;
        checkpoint::save(job.checkpoint, &job.shape, &state, position)?;
    }
    Ok(None)
}

fn epoch_metrics(job: &Job<'_>, position: &Position, validation: Metrics) -> EpochMetrics {
    let rows = order(job, position.epoch);
    let labels: Vec<f32> = rows[..position.tally.rows() as usize]
        .iter()
        .map(|row| job.splits.train.labels[*row as usize])
        .collect();
    EpochMetrics {
        epoch: position.epoch,
        step: position.step,
        examples: position.examples,
        learning_rate: rate(job, position, position.step - 1),
        train: job.objective.metrics(
            &job.arm.train.metrics,
            &position.tally.logits,
            &labels,
            position.tally.loss(),
        ),
        validation,
    }
}

/// Tells the schedule, the target and early stopping of an epoch; whether its weights are the best so
/// far and will be restored.
fn update_on_metrics(job: &Job<'_>, position: &mut Position, metrics: &EpochMetrics) -> bool {
    let train = &job.arm.train;
    let warming = train
        .warmup
        .as_ref()
        .is_some_and(|w| position.step < warmup_steps(w, &job.training_length()));
    if let (Schedule::Plateau(settings), false) = (&train.schedule, warming) {
        let start = || PlateauState::new(train.optimizer.lr());
        let plateau = position.plateau.get_or_insert_with(start);
        plateau.update(settings, monitored(settings.monitor, metrics));
    }
    if train.stop_at.is_some_and(|stop| reaches(&stop, Some(&metrics.train), &metrics.validation)) {
        position.reach_target();
    }
    let Some(settings) = &train.early_stopping else { return false };
    let stopping = position.stopping.get_or_insert_with(Stopping::default);
    let value = monitored(settings.monitor, metrics);
    let advice = stopping.update(settings, metrics.epoch, value);
    position.stopped_early |= advice.stop;
    advice.keep && settings.restore_best_weights
}

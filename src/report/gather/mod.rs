//! The records of a study as plain numbers.

mod arms;
mod probes;
mod settings;

use crate::analysis::{
    ArmResults, Bar, Budget, ClassesMissing, Examples, InTraining, Looks, Point, Rate, Results,
    RunResults, SharedSteps, Split, Target, Tuning,
};
use crate::config::{Arm, Monitor, StopAt, Study};
use crate::spec::{Constant, Metric, Metrics};
use crate::study::{
    self, FinishedRun, Run, RunFolder, RunState, Session, StudyStatus, sessions, test_rows,
    was_extended,
};
use crate::train::watched;
use anyhow::Result;
use arms::{arm_facts, common_stop};
use settings::differing_settings;
use std::collections::BTreeMap;
use std::path::Path;

pub(super) fn results(folder: &Path, status: &StudyStatus) -> Result<Results> {
    let study = &status.study.experiment.study;
    let sessions = sessions(folder)?;
    let score = status.study.score();
    let turned = |value| score.info().turned(value);
    let margin = sessions.last().unwrap_or(&Session::default()).margin_of(&status.study)?;
    let settings = differing_settings(&status.study.arms)?;
    let arms = status.study.arms.iter().zip(settings);
    let mut results = Results {
        score: score.info(),
        margin,
        objective: study.objective,
        earlier_margins: earlier_margins(&sessions, margin),
        looks: looks(&sessions),
        first_look: sessions.iter().filter_map(|session| session.seeds).min(),
        examples: examples(sessions.last()),
        longest: sessions.last().and_then(|last| last.longest),
        features: sessions.last().and_then(|last| last.features),
        shared: sessions.last().map(shared).unwrap_or_default(),
        missing: sessions.last().map(missing).unwrap_or_default(),
        baseline: sessions.last().and_then(|last| last.baseline(score)).map(turned),
        constant: constant(&status.study, sessions.last()),
        last_value: sessions.last().and_then(|last| last.last_value(score)).map(turned),
        arms: arms.map(|(arm, settings)| without_runs(arm, settings, &status.study)).collect(),
        declared_target: common_stop(&status.study.arms).map(|stop| target(stop, score)),
        tunings: status.tunings.iter().filter_map(tuning).collect(),
        decompose: study.decompose.map(|pair| [pair.small as usize, pair.large as usize]),
        noise: Vec::new(),
        sharpness: Vec::new(),
        lines: Vec::new(),
    };
    // The status lists the runs in the same order.
    for (run, stands) in Run::all(&status.study).iter().zip(&status.runs) {
        add_run(&mut results, folder, run, &stands.state)?;
    }
    Ok(results)
}

/// Whether seeds were added after a look, or whenever that was declared before the first one.
fn looks(sessions: &[Session]) -> Looks {
    match sessions.first().is_some_and(|first| first.until.is_some()) {
        true => Looks::UntilSettled,
        false if was_extended(sessions) => Looks::SeedsAdded,
        false => Looks::Once,
    }
}

/// What the file says of an arm.
fn without_runs(arm: &Arm, settings: BTreeMap<String, String>, study: &Study) -> ArmResults {
    let is_tuned = study.tuned.contains(&arm.name);
    ArmResults {
        name: arm.name.clone(),
        batch_size: arm.batch_size,
        learning_rate: arm.train.optimizer.lr(),
        rate: if is_tuned { Rate::Tuned } else { Rate::Given },
        budget: if arm.train.steps_of.is_some() { Budget::Steps } else { Budget::Epochs },
        facts: arm_facts(arm),
        settings,
        planned: study.seeds_of(&arm.name).count(),
        diverged: Vec::new(),
        unscored: 0,
        failed: 0,
        runs: BTreeMap::new(),
    }
}

/// Adds how a run ended, and what was measured of it.
fn add_run(results: &mut Results, folder: &Path, run: &Run, state: &RunState) -> Result<()> {
    let Some(arm) = results.arms.iter_mut().find(|arm| arm.name == run.arm.name) else {
        return Ok(());
    };
    match state {
        RunState::Diverged { .. } => arm.diverged.push(run.seed),
        RunState::Failed { .. } => arm.failed += 1,
        RunState::Damaged { .. } => return Ok(()),
        _ => {}
    }
    let files = RunFolder::new(&folder.join(run.id()));
    if let Some(finished) = FinishedRun::read(&files, &run.arm)? {
        let Some(found) = of_run(&finished, &files, run)? else {
            arm.unscored += 1;
            return Ok(());
        };
        let score = found.reported_score();
        arm.runs.insert(run.seed, found);
        arm.facts.hardware.extend(files.hardware());
        arm.facts.sharing = arm.facts.sharing.max(finished.sharing());
        results.noise.extend(probes::noise(run, &files)?);
        results.sharpness.extend(probes::sharpness(run, &files, score)?);
        results.lines.extend(probes::line(run, &files)?);
    }
    Ok(())
}

fn target(stop: StopAt, score: Metric) -> Target {
    let StopAt { monitor, value } = stop;
    let is_score = monitor == Monitor::val(score);
    Target { metric: monitor.name(), value, falls: monitor.should_fall(), is_score }
}

/// A split without examples counts as none.
fn examples(last: Option<&Session>) -> Examples {
    let of = last.map_or([None; 3], |session| session.examples);
    let [train, validation, test] = of.map(|examples| examples.filter(|n| *n > 0));
    Examples { train, validation, test }
}

/// Whether a model that always gives the same answer is a bar for those of this study.
fn constant(study: &Study, last: Option<&Session>) -> Bar {
    let score = study.score().info();
    let baseline = last.and_then(|last| last.baseline(score.metric)).unwrap_or_default();
    let is_bar = |arm: &Arm| {
        let is_weighted = arm.train.class_weight.is_some();
        score.constant_is_bar(baseline, &arm.loss(), is_weighted)
    };
    match score.constant {
        Constant::Nothing => Bar::Nothing,
        _ if study.arms.iter().all(is_bar) => Bar::ToBeat,
        _ => Bar::AimedElsewhere,
    }
}

/// What its rows shared, as far as it was looked for.
fn shared(session: &Session) -> SharedSteps {
    let Some(found) = session.overlap else { return SharedSteps::default() };
    let [validation, test] = [found.validation, found.test].map(|of| InTraining {
        repeated: of.repeated,
        overlapping: of.overlapping,
        most_steps: of.most_steps,
    });
    SharedSteps {
        steps: found.steps,
        span: found.span(),
        validation,
        test,
        test_pairs: found.test_pairs,
    }
}

/// Splits without an example of some class.
fn missing(session: &Session) -> Vec<ClassesMissing> {
    let splits = [Split::Validation, Split::Test].into_iter().zip(&session.lacking);
    let lacking = splits.filter(|(_, classes)| !classes.is_empty());
    let found = lacking.map(|(split, classes)| {
        let other = session.classes.iter().find(|class| !classes.contains(class));
        let alone = other.filter(|_| session.classes.len() == 2).cloned();
        ClassesMissing { split, classes: classes.clone(), alone }
    });
    found.collect()
}

/// `None` as long as no rate is chosen.
fn tuning(found: &study::Tuning) -> Option<Tuning> {
    Some(Tuning {
        arm: found.arm.clone(),
        batch_size: found.batch_size,
        trials: found.trials.clone(),
        chosen: found.chosen?,
        edge: found.edge,
    })
}

/// `None` where its score on validation is not defined.
fn of_run(found: &FinishedRun, files: &RunFolder, run: &Run) -> Result<Option<RunResults>> {
    let score = run.arm.score().info();
    let Some(validation) = found.validation_score else { return Ok(None) };
    let turned = |value| score.turned(value);
    let of_rows = test_rows(files)?.and_then(|rows| score.row_values(&rows.rows()));
    Ok(Some(RunResults {
        validation: turned(validation),
        test: found.test_score.map(turned),
        rows: of_rows.unwrap_or_default().into_iter().map(|value| turned(value) as f32).collect(),
        steps: found.last.step,
        examples: found.last.examples,
        seconds: found.seconds(),
        train_seconds: found.train_seconds(),
        peak_memory: found.peak_memory(),
        curve: curve(found, files, &run.arm)?,
    }))
}

/// The measurements of validation, those within an epoch before that of its end. A run that ended
/// within an epoch was measured twice after its last step; the end of the epoch stands for both. Where the
/// score is not defined, there is no measurement.
fn curve(run: &FinishedRun, files: &RunFolder, arm: &Arm) -> Result<Vec<Point>> {
    let score = |found: &Metrics| Some(arm.score().info().turned(found.get(arm.score())?));
    let at_stop = |train, validation| watched(arm.train.stop_at?.monitor, train, validation);
    let within = files.evaluations()?;
    let times = files.evaluation_timing()?;
    let mut within = within.iter().zip(&times).peekable();
    let mut seconds = 0.0;
    let mut curve = Vec::with_capacity(run.epochs.len());
    for (metrics, timing) in run.epochs.iter().zip(&run.timing) {
        while let Some((found, times)) = within.next_if(|(found, _)| found.step <= metrics.step) {
            if found.step < metrics.step {
                curve.extend(score(&found.validation).map(|score| Point {
                    step: found.step,
                    examples: found.examples,
                    seconds: seconds + times.train_seconds + times.validation_seconds,
                    score,
                    loss: found.validation.loss,
                    train: None,
                    watched: at_stop(None, &found.validation),
                }));
            }
        }
        seconds += timing.train_seconds + timing.validation_seconds;
        curve.extend(score(&metrics.validation).map(|of_validation| Point {
            step: metrics.step,
            examples: metrics.examples,
            seconds,
            score: of_validation,
            loss: metrics.validation.loss,
            train: score(&metrics.train).map(|score| [metrics.train.loss, score]),
            watched: at_stop(Some(&metrics.train), &metrics.validation),
        }));
    }
    Ok(curve)
}

/// Margins of earlier sessions other than the one that holds now.
fn earlier_margins(sessions: &[Session], margin: f64) -> Vec<f64> {
    let mut others: Vec<f64> = Vec::new();
    for declared in sessions.iter().filter_map(|session| session.margin) {
        // A share of a baseline may have been rounded on its way through a file.
        let is = |other: &f64| (other - declared).abs() <= 1e-9 * declared.abs();
        if !is(&margin) && !others.iter().any(is) {
            others.push(declared);
        }
    }
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_of_other_sessions_are_remembered() {
        let session = |margin| Session { margin, ..Session::default() };
        let sessions = [Some(0.005), None, Some(0.01), Some(0.005)].map(session);
        assert_eq!(earlier_margins(&sessions, 0.01), [0.005]);
        assert_eq!(earlier_margins(&sessions[..2], 0.005), Vec::<f64>::new());
    }
}

//! Progress: bars on a terminal, plain lines otherwise; both on standard error.

use super::diagnostics::{Output, note, print_warnings};
use super::format::{count, counted, duration, in_line, metric as written};
use super::growth;
use crate::spec::Metrics;
use crate::study::{Job, Looked, Observer, Pending, Plan, Run, RunEnd, TimingLine};
use crate::train::{self, EpochMetrics, TrainingLength};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// Shows a study at work.
pub(super) struct Progress {
    output: Output,
    /// Bars are drawn only on a terminal.
    bars: Option<MultiProgress>,
    stage: Option<ProgressBar>,
    study: Option<ProgressBar>,
    runs: BTreeMap<String, ProgressBar>,
    /// Runs that have told nothing yet since they were started.
    silent: BTreeSet<String>,
    work: Work,
    /// Measurements of finished runs that ended, and all of them.
    measured: usize,
    to_measure: usize,
}

/// Training rows done and to do, over all pending runs; the time left is judged by them.
#[derive(Default)]
struct Work {
    started: Option<Instant>,
    rows_per_epoch: u64,
    total: u64,
    /// Rows of epochs and runs that ended.
    done: u64,
    /// Rows that earlier sessions did.
    before: Option<u64>,
    /// Rows of each run that were counted in `done`.
    counted: BTreeMap<String, u64>,
    runs_total: usize,
    runs_done: usize,
    /// What the runs are for, if they are not those that will be reported: `tuning `.
    what: &'static str,
    /// Whether more runs may follow these.
    grows: bool,
}

// What does not fit into the line is cut, so that a bar never takes two.
const RUN_BAR: &str = "  {prefix:<18!} {bar:12.cyan/blue} {wide_msg}";
const STAGE: &str = "{spinner} {wide_msg}";
const STUDY_BAR: &str = "  {prefix:<18!} {bar:12.green/blue} {wide_msg}";

impl Progress {
    pub(super) fn new(output: Output) -> Self {
        let bars = (stderr().is_terminal() && !output.quiet).then(MultiProgress::new);
        let (runs, silent, work) = (BTreeMap::new(), BTreeSet::new(), Work::default());
        Self {
            output,
            bars,
            stage: None,
            study: None,
            runs,
            silent,
            work,
            measured: 0,
            to_measure: 0,
        }
    }

    /// Shows a step of the preparation.
    pub(super) fn stage(&mut self, what: &str) {
        match &self.bars {
            None => self.output.note(&format!("{what} ...")),
            Some(bars) => {
                let bar = self.stage.get_or_insert_with(|| {
                    let bar = ProgressBar::new_spinner().with_style(style(STAGE));
                    let bar = bars.add(bar);
                    bar.enable_steady_tick(Duration::from_millis(100));
                    bar
                });
                bar.set_message(in_line(what).into_owned());
            }
        }
    }

    /// Prints a text above the bars.
    pub(super) fn line(&self, text: &str) {
        match &self.bars {
            None => self.output.note(text),
            Some(bars) => bars.suspend(|| note(text)),
        }
    }

    /// Removes the bars.
    pub(super) fn finish(&mut self) {
        let bars = self.stage.take().into_iter().chain(self.study.take());
        bars.chain(std::mem::take(&mut self.runs).into_values())
            .for_each(|bar| bar.finish_and_clear());
    }

    /// More work comes to what was there.
    fn more(&mut self, plan: &Plan, pending: &Pending) {
        let rows: u64 =
            pending.runs.iter().map(|run| plan.training_length(&run.arm).examples()).sum();
        self.work.total += rows;
        self.work.runs_total += in_all(pending);
        self.work.runs_done += in_all(pending) - pending.runs.len();
        if self.study.is_none() && rows > 0 {
            self.add_study_bar();
        }
        if let Some(bar) = &self.study {
            bar.set_length(self.work.total);
        }
    }

    fn add_study_bar(&mut self) {
        let Some(bars) = &self.bars else { return };
        let bar = bars.add(ProgressBar::new(self.work.total).with_style(style(STUDY_BAR)));
        bar.set_prefix("study");
        self.study = Some(bar);
    }

    /// Work begins on these runs; `all` counts those too that are done.
    fn begin(&mut self, plan: &Plan, pending: &[Run], all: usize, what: &'static str) {
        self.finish();
        self.work = Work {
            started: Some(Instant::now()),
            rows_per_epoch: plan.data.facts.train.examples as u64,
            total: pending.iter().map(|run| plan.training_length(&run.arm).examples()).sum(),
            runs_total: all,
            runs_done: all - pending.len(),
            what,
            ..Work::default()
        };
        if !pending.is_empty() {
            self.add_study_bar();
        }
    }

    /// A warning stays, whatever `--quiet` takes away.
    fn warn_of_anew(&self, pending: &Pending) {
        for why in &pending.anew {
            match self.bars {
                Some(_) => self.line(&format!("warning: {why}")),
                None => print_warnings(std::slice::from_ref(why)),
            }
        }
    }

    /// The first that a run tells shows where it stands: epochs come in order, from 0 if it is new.
    fn on_progress_of(&mut self, run: &Run, epoch: u64) {
        if self.silent.remove(&run.id()) && epoch > 0 {
            let (at, of) = (epoch + 1, self.work.training_length(run).epochs());
            self.line(&format!("{}  resumes at epoch {at}/{of}", run.id()));
        }
    }

    fn show_study(&self, now: u64) {
        if let Some(bar) = &self.study {
            bar.set_position(now.min(self.work.total));
            bar.set_message(self.work.message(now));
        }
    }

    /// Rows that are done, those of unfinished epochs included.
    fn rows_now(&self) -> u64 {
        self.work.done
            + self
                .runs
                .values()
                .map(|bar| bar.position() % self.work.rows_per_epoch.max(1))
                .sum::<u64>()
    }
}

impl Work {
    /// A run has come so far.
    fn reached(&mut self, run: &Run, rows: u64) {
        let counted = self.counted.entry(run.id()).or_default();
        self.done += rows.saturating_sub(*counted);
        *counted = rows.max(*counted);
    }

    /// A run ended; what it left out will not be done.
    fn run_ended(&mut self, run: &Run) {
        self.reached(run, self.training_length(run).examples());
        self.runs_done += 1;
    }

    fn training_length(&self, run: &Run) -> TrainingLength {
        TrainingLength::new(&run.arm, self.rows_per_epoch as usize)
    }

    /// `4 of 9 runs, 1 min left`, or `tuning 4 of 9 runs, 1 min left`; where more runs may follow, `4 of
    /// 9 runs so far, 1 min to the next look`
    fn message(&self, now: u64) -> String {
        let so_far = if self.grows { " so far" } else { "" };
        let until = if self.grows { "to the next look" } else { "left" };
        let runs = format!("{}{} of {} runs{so_far}", self.what, self.runs_done, self.runs_total);
        match self.seconds_left(now) {
            Some(left) => format!("{runs}, {} {until}", duration(left)),
            None => runs,
        }
    }

    fn seconds_left(&self, now: u64) -> Option<f64> {
        let elapsed = self.started?.elapsed().as_secs_f64();
        let worked = now.saturating_sub(self.before.unwrap_or(now));
        let left = self.total.saturating_sub(now);
        (worked > 0 && elapsed > 1.0).then(|| elapsed * left as f64 / worked as f64)
    }
}

impl Observer for Progress {
    fn on_stage(&mut self, what: &str) {
        self.stage(what);
    }

    fn on_plan(&mut self, plan: &Plan, pending: &Pending) {
        for line in left_alone(pending) {
            self.line(&line);
        }
        self.warn_of_anew(pending);
        self.begin(plan, &pending.runs, in_all(pending), "");
        self.work.grows = plan.study.growth.is_some() && pending.left_out == 0;
    }

    fn on_more(&mut self, plan: &Plan, pending: &Pending) {
        self.warn_of_anew(pending);
        self.more(plan, pending);
    }

    fn on_look(&mut self, _plan: &Plan, looked: &Looked) {
        self.line(&growth::looked(looked));
    }

    fn on_tuning(&mut self, plan: &Plan, pending: &[Run], all: usize) {
        self.begin(plan, pending, all, "tuning ");
    }

    fn on_run_start(&mut self, run: &Run) {
        self.silent.insert(run.id());
        let Some(bars) = &self.bars else { return };
        let rows = self.work.training_length(run).examples();
        let bar =
            ProgressBar::new(rows).with_style(style(RUN_BAR)).with_prefix(shortened(&run.id()));
        let bar = match &self.study {
            Some(study) => bars.insert_before(study, bar),
            None => bars.add(bar),
        };
        self.runs.insert(run.id(), bar);
    }

    fn on_progress(&mut self, run: &Run, progress: &train::Progress) {
        self.on_progress_of(run, progress.epoch);
        let Some(bar) = self.runs.get(&run.id()) else { return };
        let rows = self.work.rows_per_epoch;
        let in_epoch = (progress.batch * run.arm.batch_size as u64).min(rows.saturating_sub(1));
        bar.set_position(progress.epoch * rows + in_epoch);
        bar.set_message(format!(
            "{}/{}  loss {}{}  {}/s",
            progress.epoch + 1,
            self.work.training_length(run).epochs(),
            written(progress.loss),
            progress.accuracy.map_or(String::new(), |share| format!("  accuracy {share:.4}")),
            count(progress.examples_per_second as u64),
        ));
        self.work.reached(run, progress.epoch * rows);
        let now = self.rows_now();
        self.work.before.get_or_insert(now);
        self.show_study(now);
    }

    fn on_epoch(&mut self, run: &Run, metrics: &EpochMetrics, timing: &TimingLine) {
        self.on_progress_of(run, metrics.epoch);
        self.work.reached(run, metrics.examples);
        let now = self.work.done;
        self.work.before.get_or_insert(now.saturating_sub(self.work.rows_per_epoch));
        if self.bars.is_some() {
            return;
        }
        let metric = run.arm.score();
        let score = |of: &str, metrics: &Metrics| match metrics.get(metric) {
            Some(value) => format!("  {of}{} {}", metric.name(), written(value)),
            None => String::new(),
        };
        self.output.note(&format!(
            "{}  epoch {}/{}  loss {}{}  val_loss {}{}  {} samples/s  ({})",
            run.id(),
            metrics.epoch + 1,
            self.work.training_length(run).epochs(),
            written(metrics.train.loss),
            score("", &metrics.train),
            written(metrics.validation.loss),
            score("val_", &metrics.validation),
            count(timing.examples_per_second as u64),
            self.work.message(now),
        ));
    }

    fn on_run_end(&mut self, run: &Run, end: &RunEnd) {
        if let Some(bar) = self.runs.remove(&run.id()) {
            bar.finish_and_clear();
        }
        if *end == RunEnd::Stopped {
            return;
        }
        self.work.run_ended(run);
        if *end != RunEnd::Finished {
            self.line(&format!("{}  {end}", run.id()));
        }
        self.show_study(self.rows_now());
    }

    fn on_measuring(&mut self, count: usize) {
        self.finish();
        (self.measured, self.to_measure) = (0, count);
        self.stage(&measuring(0, count));
    }

    fn on_measured(&mut self, job: &Job, end: &RunEnd) {
        if *end == RunEnd::Stopped {
            return;
        }
        self.measured += 1;
        if *end != RunEnd::Finished {
            self.line(&format!("{}  not measured: {end}", job.run.id()));
        }
        self.stage(&measuring(self.measured, self.to_measure));
    }
}

/// `measuring solutions: 3 of 20`
fn measuring(done: usize, of: usize) -> String {
    format!("measuring solutions: {done} of {of}")
}

/// The runs that a session is about, done or not.
fn in_all(pending: &Pending) -> usize {
    pending.finished + pending.diverged + pending.failed + pending.runs.len()
}

/// Why runs of the plan are not trained in this session.
fn left_alone(pending: &Pending) -> Vec<String> {
    let done = pending.finished + pending.diverged;
    let mut lines = Vec::new();
    if done > 0 {
        lines.push(format!("{done} of {} runs are already finished", in_all(pending)));
    }
    if pending.failed > 0 {
        let runs = counted(pending.failed, "run");
        lines.push(format!("{runs} failed before: `--retry-failed` tries again"));
    }
    if pending.left_out > 0 {
        lines.push(format!("{} left out by `--only`", counted(pending.left_out, "run")));
    }
    lines
}

/// The end of a long name, where the seed stands.
fn shortened(run: &str) -> String {
    let long = run.chars().count();
    match long > PREFIX {
        true => ['…'].into_iter().chain(run.chars().skip(long + 1 - PREFIX)).collect(),
        false => run.to_owned(),
    }
}

/// As in the templates.
const PREFIX: usize = 18;

fn style(template: &str) -> ProgressStyle {
    let plain = ProgressStyle::default_bar();
    plain.clone().template(template).unwrap_or(plain).progress_chars("━━─")
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{ProgressDrawTarget, TermLike};
    use std::io;
    use std::sync::{Arc, Mutex};

    /// A terminal of 80 columns that keeps what is drawn.
    #[derive(Debug, Clone, Default)]
    struct Narrow(Arc<Mutex<String>>);

    impl Narrow {
        fn add(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
    }

    impl TermLike for Narrow {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            self.add("\n")
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            self.add("\n")
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            self.add("\n")
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            self.add("\n")
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.add(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.add(text)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.add("\n")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bars_stay_within_eighty_columns_and_show_the_seed() {
        for template in [RUN_BAR, STUDY_BAR, STAGE] {
            let terminal = Narrow::default();
            let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
            let bar = ProgressBar::with_draw_target(Some(10), target).with_style(style(template));
            let bar = bar.with_prefix(shortened("batch-1024-a-long-name/seed-17"));
            bar.set_message(format!(
                "3/10  loss 0.4321  accuracy 0.8612  {}",
                "12,345/s  ".repeat(9)
            ));
            bar.abandon();
            let drawn = terminal.0.lock().unwrap().clone();
            let widest = drawn.lines().map(|line| line.trim_end().chars().count()).max();
            assert!(widest.is_some_and(|width| (40..=80).contains(&width)), "{widest:?}: {drawn}");
            assert!(drawn.contains("accuracy 0.8612"), "{drawn}");
            assert!(drawn.contains("/seed-17") || template == STAGE, "{drawn}");
        }
    }
}

//! The metrics: one entry each, with everything that the rest of the program asks of it.
//!
//! ```text
//! accuracy            share of rows whose class is the predicted one (of two: p > 0.5)
//! balanced_accuracy   mean over the classes of the share of their rows that are predicted rightly
//! precision, recall   TP / (TP + FP), TP / (TP + FN); 0 where nothing was counted, as in Keras
//! f1                  2 TP / (2 TP + FP + FN)
//! macro_f1            mean of the F1 of each class that occurs
//! mcc                 Matthews's correlation, of several classes as Gorodkin 2004 has it
//! auc                 P(logit of a positive > logit of a negative) + P(equal) / 2
//! log_loss            mean of -ln p of the true class, in nats
//! brier               mean (p - label)^2; of several classes the sum over them
//! calibration_error   sum over 15 equal bins of p of  n_bin / n * |mean p - mean label|
//! top_3_accuracy      share of rows whose class is among the three with the highest outputs; so is top_5_accuracy
//! mse, rmse, mae      mean e^2, its root, mean |e|, of the errors e
//! r2                  1 - sum e^2 / sum (y - mean y)^2
//! ```
//!
//! AUC is the Mann-Whitney statistic, exact, where Keras interpolates between 200 thresholds. The bins of
//! the calibration error are those of Guo et al. 2017, of the probability of label 1. The others agree with
//! `sklearn.metrics` within 1e-12 (`tests/metrics.rs`), but for outputs that are tied: of these the first ones
//! count as the most probable, where scikit-learn's top-k accuracy takes the last ones.

use super::auc::{auc, auc_row_values, calibration_error};
use super::confusion::{Confusion, predicted_class};
use super::errors::Errors;
use super::loss::{Loss, Task};
use super::measured::Measured;
use super::rows::Rows;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A metric, as experiment files and records call it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The share of examples that are classified rightly; of two classes, those for which `p > 0.5` agrees
    /// with the label.
    #[serde(alias = "acc")]
    Accuracy,
    /// The area under the ROC curve: the chance that a positive example gets the higher p.
    Auc,
    /// The share of positives among those that were taken for positive.
    Precision,
    /// The share of positives that were taken for positive.
    Recall,
    /// The harmonic mean of precision and recall.
    F1,
    /// The mean of (p - label)^2.
    Brier,
    /// The expected calibration error: how far p is from the share of positives, in 15 bins of p.
    CalibrationError,
    /// The mean over the classes of the share of their examples that are classified rightly.
    BalancedAccuracy,
    /// Matthews's correlation coefficient, from -1 to 1.
    Mcc,
    /// The mean of -ln p of the true class, without penalties and weights of classes.
    LogLoss,
    /// The mean of the F1 of each class.
    MacroF1,
    /// The share of examples whose class is among the three that are the most probable.
    #[serde(rename = "top_3_accuracy")]
    Top3Accuracy,
    /// The root of the mean squared error, in the unit of the target.
    Rmse,
    /// The mean absolute error, in the unit of the target.
    Mae,
    /// The mean squared error.
    Mse,
    /// The share of the targets' variance that is explained.
    R2,
    /// The share of examples whose class is among the five that are the most probable.
    #[serde(rename = "top_5_accuracy")]
    Top5Accuracy,
}

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// What a metric is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share, shown in percent; differences in percentage points.
    Percent,
    /// A number without a unit.
    Plain,
    /// The unit of the target.
    Target,
    /// The same squared.
    TargetSquared,
}

/// The difference that does not matter unless the file says another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DefaultMargin {
    /// In the metric's unit.
    Absolute(f64),
    /// This share of the score of the baseline, which always gives the mean of the training targets.
    OfBaseline(f64),
}

/// What the model that gives every row the same answer tells of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constant {
    /// One that scores no better is not shown to have learned anything.
    Bar,
    /// The same, where the models are trained for what it counts: neither with weights of classes, nor with a
    /// loss whose best answer is not the mean.
    BarOfItsAim,
    /// The same where that answer is no; where it is yes, a model that learned may score less.
    BarIfNo,
    /// Nothing: it scores well, as a calibration error of nearly 0 where it gives every row the share of a class.
    Nothing,
}

/// What a model answers that gives every row the same, as far as a metric reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstantAnswer {
    /// The mean of the training targets.
    Mean,
    /// So many classes that are the most frequent in training.
    MostFrequent(usize),
    /// The share of each class in training, as its probability.
    Shares,
}

/// How far a single row can move a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OneRow {
    /// By 1 / rows.
    OfAll,
    /// By up to 1 / rows with label 1.
    OfPositives,
    /// By up to 1 / rows of the rarer of two classes.
    OfEither,
    /// By up to 1 / rows of the rarest class, and of K classes a K-th of that.
    OfClasses,
    /// Of K classes by up to a (K - 1)-th of that.
    OfOthers,
    /// By as much as it is wrong, which only the model tells.
    Unknown,
}

/// By how much one row can move a metric on some split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowMoves {
    /// The class of that row; `None` where it can be any.
    pub class: Option<usize>,
    /// How many rows of it there are.
    pub rows: usize,
    /// By at most so much.
    pub by: f64,
}

/// How a metric is computed.
#[derive(Clone, Copy)]
pub(super) enum Compute {
    /// The mean of something of each row, from its raw outputs and its target.
    MeanOfRows(fn(&[f32], f32) -> f64),
    /// From how many rows of each class were taken for each class.
    Counts(fn(&Confusion) -> Option<f64>),
    /// From sums of errors.
    Errors(fn(&Errors) -> Option<f64>),
    /// From the ranks of the logits.
    Ranks,
    /// From bins of probabilities.
    Bins,
}

/// Everything that the program knows of a metric.
#[derive(Clone, Copy)]
pub struct MetricInfo {
    /// Which one.
    pub metric: Metric,
    /// As it is written in files; `val_` before it names that of the validation split.
    pub name: &'static str,
    /// As it is called in sentences.
    pub title: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// Which way it is better.
    pub better: Better,
    /// The least and the largest value that it can have.
    pub range: [f64; 2],
    /// Whether it is a share of rows, so that it has steps of one row.
    pub counts_rows: bool,
    /// What a model that gives every row the same answer tells of others.
    pub constant: Constant,
    /// Whether that model has about 0 on any data, so that no share of it is a size.
    pub constant_is_0: bool,
    pub(super) one_row: OneRow,
    /// Of a share of rows whose class is among the most probable: among how many. 1 else.
    pub most_probable: usize,
    /// The difference that does not matter unless the file says another.
    pub margin: DefaultMargin,
    /// The tasks that it judges.
    pub tasks: &'static [Task],
    pub(super) compute: Compute,
}

impl std::fmt::Debug for MetricInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for MetricInfo {
    fn eq(&self, other: &Self) -> bool {
        self.metric == other.metric
    }
}

impl MetricInfo {
    /// Whether less of it is better.
    pub fn falls(&self) -> bool {
        self.better == Better::Lower
    }

    /// A value turned so that more is better, and the way back: the sign of one that should fall is changed.
    pub fn turned(&self, value: f64) -> f64 {
        if self.falls() { -value } else { value }
    }

    /// Whether it is defined for a task.
    pub fn judges(&self, task: Task) -> bool {
        self.tasks.contains(&task)
    }

    /// Whether a model that scores no better than one with the same answer for all rows, which has this score,
    /// is not shown to have learned anything, when it was trained with this loss, and with weights of classes or
    /// without.
    pub fn constant_is_bar(&self, baseline: f64, loss: &Loss, is_weighted: bool) -> bool {
        // The best constant answer to a mean absolute error is the median.
        let aims_at_mean = !matches!(loss, Loss::Mae | Loss::Huber(_));
        match self.constant {
            Constant::Bar => true,
            Constant::BarOfItsAim => !is_weighted && aims_at_mean,
            Constant::BarIfNo => baseline <= 0.0,
            Constant::Nothing => false,
        }
    }

    /// What the model answers that gives every row the same; `None` of a metric for which all such models are
    /// equal.
    pub fn constant_answer(&self) -> Option<ConstantAnswer> {
        match self.compute {
            _ if self.judges(Task::Regression) => Some(ConstantAnswer::Mean),
            Compute::MeanOfRows(_) if !self.counts_rows => Some(ConstantAnswer::Shares),
            Compute::MeanOfRows(_) | Compute::Counts(_) => {
                Some(ConstantAnswer::MostFrequent(self.most_probable))
            }
            Compute::Errors(_) | Compute::Ranks | Compute::Bins => None,
        }
    }

    /// By how much a single row can move it on a split with so many rows of each class; `None` where only the
    /// model tells, and where there is no such row.
    pub fn row_moves(&self, rows_of_classes: &[usize]) -> Option<RowMoves> {
        let all: usize = rows_of_classes.iter().sum();
        let classes = rows_of_classes.len();
        let rarest = || (0..classes).min_by_key(|class| rows_of_classes[*class]);
        let (class, parts) = match self.one_row {
            OneRow::OfAll => (None, 1),
            OneRow::OfPositives => (Some(1), 1),
            OneRow::OfEither => (rarest(), 1),
            OneRow::OfClasses => (rarest(), classes),
            OneRow::OfOthers => (rarest(), classes.saturating_sub(1)),
            OneRow::Unknown => return None,
        };
        let rows = class.map_or(Some(all), |class| rows_of_classes.get(class).copied())?;
        let by = 1.0 / (parts * rows) as f64;
        (rows > 0).then_some(RowMoves { class, rows, by })
    }

    /// Whether each row counts as much as any other one, so that a rare class hardly counts.
    pub fn counts_rows_alike(&self) -> bool {
        matches!(self.one_row, OneRow::OfAll | OneRow::Unknown)
    }

    /// Whether rows of these classes tell answers apart: it is always 0, or not defined, where there is none with
    /// label 1 and it counts them, or where all rows are of one class and it compares classes.
    pub fn is_told_by(&self, rows_of_classes: &[usize]) -> bool {
        let kinds = rows_of_classes.iter().filter(|rows| **rows > 0).count();
        match self.one_row {
            OneRow::OfPositives => rows_of_classes.get(1).is_some_and(|rows| *rows > 0),
            OneRow::OfEither | OneRow::OfOthers => kinds > 1,
            OneRow::OfAll | OneRow::OfClasses | OneRow::Unknown => true,
        }
    }

    /// Whether it is 1 of any answer, with so many classes.
    pub fn is_always_right(&self, classes: usize) -> bool {
        self.most_probable > 1 && classes <= self.most_probable
    }

    /// Whether it has [`Self::row_values`] at all.
    pub fn has_row_values(&self) -> bool {
        !matches!(self.compute, Compute::Bins)
    }

    /// The best value that there can be, turned.
    pub fn best(&self) -> f64 {
        self.turned(self.range[usize::from(!self.falls())])
    }

    /// Of some rows; `None` where it is not defined, as AUC of rows with one label.
    pub fn of(&self, rows: &Rows<'_>) -> Option<f64> {
        self.of_measured(&Measured::new(*rows))
    }

    pub(super) fn of_measured(&self, measured: &Measured<'_>) -> Option<f64> {
        let rows = measured.rows;
        match self.compute {
            Compute::MeanOfRows(of) => {
                Some(rows.each().map(|(z, y)| of(z, y)).sum::<f64>() / rows.len() as f64)
            }
            Compute::Counts(of) => of(measured.confusion()),
            Compute::Errors(of) => of(measured.errors()),
            Compute::Ranks => auc(rows.outputs, rows.targets),
            Compute::Bins => Some(calibration_error(rows.outputs, rows.targets)),
        }
    }

    /// What each row contributes: for a mean its own value, else the jackknife's pseudo-value
    /// `n s - (n - 1) s without the row`, whose variance over rows gives the sampling error of the score s.
    /// `None` where it is not defined without some row, or not smooth enough for a jackknife.
    ///
    /// Source: Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, chapter 3.
    pub fn row_values(&self, rows: &Rows<'_>) -> Option<Vec<f64>> {
        let n = rows.len() as f64;
        let pseudo = |all: f64, without: Option<f64>| Some(n * all - (n - 1.0) * without?);
        match self.compute {
            Compute::MeanOfRows(of) => Some(rows.each().map(|(z, y)| of(z, y)).collect()),
            Compute::Counts(of) => {
                let mut counts = Confusion::of(rows);
                let all = of(&counts)?;
                let without = counts.without_each(|counts| pseudo(all, of(counts)));
                let value =
                    |(z, y): (&[f32], f32)| without[counts.place(y as usize, predicted_class(z))];
                rows.each().map(value).collect()
            }
            Compute::Errors(of) => {
                let errors = Errors::of(rows);
                let all = of(&errors)?;
                rows.each().map(|(z, y)| pseudo(all, of(&errors.without(z[0], y)))).collect()
            }
            Compute::Ranks => auc_row_values(rows.outputs, rows.targets),
            Compute::Bins => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_has_one_entry_at_its_own_place() {
        for (place, metric) in Metric::all().enumerate() {
            assert_eq!(metric as usize, place);
            let written = serde_json::to_value(metric).unwrap();
            assert_eq!(written, metric.name());
            let [low, high] = metric.info().range;
            assert!(low < high && !metric.info().tasks.is_empty());
        }
        assert!(Metric::Accuracy.judges(Task::Binary) && !Metric::Rmse.judges(Task::Binary));
    }

    #[test]
    fn values_are_turned_so_that_more_is_better() {
        assert!((Metric::Rmse.info().turned(2.0) + 2.0).abs() < 1e-12);
        assert!((Metric::Accuracy.info().turned(0.5) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_model_with_one_answer_is_a_bar_where_it_cannot_score_well_and_models_aim_at_the_score() {
        let is_bar = |metric: Metric, baseline: f64, is_weighted: bool| {
            metric.info().constant_is_bar(baseline, &Loss::BinaryCrossentropy, is_weighted)
        };
        // It is calibrated, and finds all positives by saying yes to all.
        assert!(
            !is_bar(Metric::CalibrationError, 0.01, false) && !is_bar(Metric::Recall, 1.0, false)
        );
        for metric in [Metric::Accuracy, Metric::LogLoss, Metric::Brier] {
            assert_eq!([false, true].map(|weighted| is_bar(metric, 0.7, weighted)), [true, false]);
        }
        for metric in [Metric::Auc, Metric::BalancedAccuracy, Metric::Mcc] {
            assert!(is_bar(metric, 0.5, true), "weights do not raise it");
        }
        for metric in [Metric::F1, Metric::Recall] {
            assert!(is_bar(metric, 0.0, true) && !is_bar(metric, 0.82, false));
        }
        let of_loss = |metric: Metric| metric.info().constant_is_bar(2.0, &Loss::Mae, false);
        assert_eq!([Metric::Rmse, Metric::Mae].map(of_loss), [false, true]);
    }

    #[test]
    fn one_row_moves_a_metric_by_a_share_of_the_rows_that_it_counts() {
        let moves = |metric: Metric, rows: &[usize]| {
            metric.info().row_moves(rows).map(|found| (found.class, found.rows, found.by))
        };
        assert_eq!(moves(Metric::Accuracy, &[80, 45]), Some((None, 125, 0.008)));
        assert_eq!(moves(Metric::F1, &[80, 20]), Some((Some(1), 20, 0.05)));
        assert_eq!(moves(Metric::Auc, &[10, 20]), Some((Some(0), 10, 0.1)));
        assert_eq!(moves(Metric::BalancedAccuracy, &[80, 20]), Some((Some(1), 20, 0.025)));
        assert_eq!(moves(Metric::Mcc, &[80, 50, 20]), Some((Some(2), 20, 0.025)));
        assert_eq!(moves(Metric::Recall, &[80, 0]), None);
        assert_eq!(moves(Metric::Brier, &[80, 20]), None);
    }

    #[test]
    fn among_three_of_three_classes_is_always_the_true_one() {
        let always = |metric: Metric| [2, 3, 4, 5, 6].map(|k| metric.info().is_always_right(k));
        assert_eq!(always(Metric::Top3Accuracy), [true, true, false, false, false]);
        assert_eq!(always(Metric::Top5Accuracy), [true, true, true, true, false]);
        assert_eq!(always(Metric::Accuracy), [false; 5]);
        assert!(!Metric::recorded(Task::Multiclass).any(|metric| metric == Metric::Top5Accuracy));
    }

    /// Rows of a task, whose answers are right more often than not.
    fn rows(task: Task) -> (Vec<f32>, usize, Vec<f32>) {
        let wave = |at: usize| ((at * 7919 % 1009) as f32 / 504.5 - 1.0) * 2.0;
        let n = 60;
        match task {
            Task::Binary => {
                let targets: Vec<f32> =
                    (0..n).map(|row| f32::from(u8::from(row % 3 == 0))).collect();
                let outputs = (0..n).map(|row| wave(row + 1) + targets[row] - 0.5).collect();
                (outputs, 1, targets)
            }
            Task::Multiclass => {
                let targets: Vec<f32> = (0..n).map(|row| (row % 4) as f32).collect();
                let output = |at: usize| wave(at + 1) + f32::from(u8::from(at % 4 == at / 4 % 4));
                ((0..4 * n).map(output).collect(), 4, targets)
            }
            Task::Regression => {
                let targets: Vec<f32> = (0..n).map(|row| wave(row * row + 3)).collect();
                let outputs = (0..n).map(|row| targets[row] + wave(row + 5) / 3.0).collect();
                (outputs, 1, targets)
            }
        }
    }

    /// The definition, row by row, against the fast ways.
    #[test]
    fn row_values_are_the_jackknife_s() {
        for task in [Task::Binary, Task::Multiclass, Task::Regression] {
            let (outputs, width, targets) = rows(task);
            let all = Rows::new(&outputs, width, &targets);
            let n = all.len() as f64;
            for info in Metric::all().map(Metric::info).filter(|info| info.judges(task)) {
                let Some(found) = info.row_values(&all) else {
                    assert_eq!(info.metric, Metric::CalibrationError);
                    continue;
                };
                let score = info.of(&all).unwrap();
                for (row, found) in found.into_iter().enumerate() {
                    let (mut z, mut y) = (outputs.clone(), targets.clone());
                    z.drain(row * width..(row + 1) * width);
                    y.remove(row);
                    let without = info.of(&Rows::new(&z, width, &y)).unwrap();
                    let expected = n * score - (n - 1.0) * without;
                    assert!((found - expected).abs() < 1e-9, "{info:?} {task:?} row {row}");
                }
            }
        }
    }
}

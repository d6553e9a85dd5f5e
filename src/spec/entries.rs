//! The entry of each metric, in the order of [`Metric`].

use super::confusion::{Confusion, is_among, predicted_class};
use super::errors::Errors;
use super::loss::{Task, brier, log_loss};
use super::metric::{Better, Compute, Constant, DefaultMargin, Metric, MetricInfo, OneRow, Unit};

const CLASSES: &[Task] = &[Task::Binary, Task::Multiclass];
const TWO: &[Task] = &[Task::Binary];
const SEVERAL: &[Task] = &[Task::Multiclass];
const NUMBERS: &[Task] = &[Task::Regression];
const SHARE: [f64; 2] = [0.0, 1.0];
const LOSS: [f64; 2] = [0.0, f64::INFINITY];

/// A share of rows in percent; other entries say how they differ.
const fn share(metric: Metric, name: &'static str, title: &'static str) -> MetricInfo {
    MetricInfo {
        metric,
        name,
        title,
        unit: Unit::Percent,
        better: Better::Higher,
        range: SHARE,
        counts_rows: true,
        constant: Constant::BarOfItsAim,
        constant_is_0: false,
        one_row: OneRow::OfAll,
        most_probable: 1,
        margin: DefaultMargin::Absolute(0.005),
        tasks: CLASSES,
        compute: Compute::MeanOfRows(|z, y| f64::from(u8::from(predicted_class(z) == y as usize))),
    }
}

/// A number between 0 and 1 from counts, more being better.
const fn index(metric: Metric, name: &'static str, title: &'static str) -> MetricInfo {
    let one_row = OneRow::Unknown;
    MetricInfo { unit: Unit::Plain, counts_rows: false, one_row, ..share(metric, name, title) }
}

/// A share of rows whose class is among the K that are the most probable.
const fn among<const K: usize>(
    metric: Metric,
    name: &'static str,
    title: &'static str,
) -> MetricInfo {
    MetricInfo {
        most_probable: K,
        tasks: SEVERAL,
        compute: Compute::MeanOfRows(|z, y| f64::from(u8::from(is_among(K, z, y as usize)))),
        ..share(metric, name, title)
    }
}

/// A mean error, less being better.
const fn error(metric: Metric, name: &'static str, title: &'static str) -> MetricInfo {
    MetricInfo {
        unit: Unit::Target,
        better: Better::Lower,
        range: LOSS,
        margin: DefaultMargin::OfBaseline(0.02),
        tasks: NUMBERS,
        ..index(metric, name, title)
    }
}

/// In the order of [`Metric`], which is the order of records.
static METRICS: [MetricInfo; Metric::COUNT] = [
    share(Metric::Accuracy, "accuracy", "accuracy"),
    MetricInfo {
        constant: Constant::Bar,
        one_row: OneRow::OfEither,
        tasks: TWO,
        compute: Compute::Ranks,
        ..index(Metric::Auc, "auc", "AUC")
    },
    MetricInfo {
        counts_rows: false,
        constant: Constant::Bar,
        one_row: OneRow::OfPositives,
        tasks: TWO,
        compute: Compute::Counts(|c| Some(c.precision(1))),
        ..share(Metric::Precision, "precision", "precision")
    },
    MetricInfo {
        counts_rows: false,
        constant: Constant::BarIfNo,
        one_row: OneRow::OfPositives,
        tasks: TWO,
        compute: Compute::Counts(|c| Some(c.recall(1))),
        ..share(Metric::Recall, "recall", "recall")
    },
    MetricInfo {
        constant: Constant::BarIfNo,
        one_row: OneRow::OfPositives,
        tasks: TWO,
        compute: Compute::Counts(|c| Some(c.f1(1))),
        ..index(Metric::F1, "f1", "F1")
    },
    MetricInfo {
        better: Better::Lower,
        range: [0.0, 2.0],
        margin: DefaultMargin::Absolute(0.002),
        compute: Compute::MeanOfRows(brier),
        ..index(Metric::Brier, "brier", "Brier score")
    },
    MetricInfo {
        better: Better::Lower,
        constant: Constant::Nothing,
        constant_is_0: true,
        tasks: TWO,
        compute: Compute::Bins,
        ..index(Metric::CalibrationError, "calibration_error", "calibration error")
    },
    MetricInfo {
        counts_rows: false,
        constant: Constant::Bar,
        one_row: OneRow::OfClasses,
        compute: Compute::Counts(Confusion::balanced_accuracy),
        ..share(Metric::BalancedAccuracy, "balanced_accuracy", "balanced accuracy")
    },
    MetricInfo {
        range: [-1.0, 1.0],
        margin: DefaultMargin::Absolute(0.01),
        constant: Constant::Bar,
        constant_is_0: true,
        one_row: OneRow::OfOthers,
        compute: Compute::Counts(Confusion::mcc),
        ..index(Metric::Mcc, "mcc", "MCC")
    },
    MetricInfo {
        better: Better::Lower,
        range: LOSS,
        margin: DefaultMargin::Absolute(0.01),
        compute: Compute::MeanOfRows(log_loss),
        ..index(Metric::LogLoss, "log_loss", "log loss")
    },
    MetricInfo {
        constant: Constant::Bar,
        one_row: OneRow::OfClasses,
        tasks: SEVERAL,
        compute: Compute::Counts(Confusion::macro_f1),
        ..index(Metric::MacroF1, "macro_f1", "macro F1")
    },
    among::<3>(Metric::Top3Accuracy, "top_3_accuracy", "top-3 accuracy"),
    MetricInfo {
        compute: Compute::Errors(|e| Some(e.mse().sqrt())),
        ..error(Metric::Rmse, "rmse", "RMSE")
    },
    MetricInfo {
        // No loss of numbers has a best answer that would be worse in it than the mean.
        constant: Constant::Bar,
        compute: Compute::MeanOfRows(|z, y| (f64::from(z[0]) - f64::from(y)).abs()),
        ..error(Metric::Mae, "mae", "MAE")
    },
    MetricInfo {
        unit: Unit::TargetSquared,
        margin: DefaultMargin::OfBaseline(0.04),
        compute: Compute::MeanOfRows(|z, y| (f64::from(z[0]) - f64::from(y)).powi(2)),
        ..error(Metric::Mse, "mse", "MSE")
    },
    MetricInfo {
        range: [f64::NEG_INFINITY, 1.0],
        margin: DefaultMargin::Absolute(0.01),
        tasks: NUMBERS,
        constant_is_0: true,
        compute: Compute::Errors(Errors::r2),
        ..index(Metric::R2, "r2", "R²")
    },
    among::<5>(Metric::Top5Accuracy, "top_5_accuracy", "top-5 accuracy"),
];

impl Metric {
    /// How many there are.
    pub const COUNT: usize = 17;

    /// All of them, in the order of records.
    pub fn all() -> impl Iterator<Item = Self> {
        METRICS.iter().map(|info| info.metric)
    }

    /// What the program knows of it.
    pub fn info(self) -> &'static MetricInfo {
        &METRICS[self as usize]
    }

    /// As it is written in files.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The default score of a task.
    pub fn of_task(task: Task) -> Self {
        match task {
            Task::Binary | Task::Multiclass => Self::Accuracy,
            Task::Regression => Self::Rmse,
        }
    }

    /// Those that are recorded of every run of a task.
    pub fn recorded(task: Task) -> impl Iterator<Item = Self> {
        let binary: &[Self] = &[
            Self::Accuracy,
            Self::Auc,
            Self::Precision,
            Self::Recall,
            Self::F1,
            Self::Brier,
            Self::CalibrationError,
        ];
        Self::all().filter(move |metric| match task {
            // Those of the first version, whose records keep their bytes.
            Task::Binary => binary.contains(metric),
            // It came later: where it was not asked for, records are as they were.
            _ => *metric != Self::Top5Accuracy && metric.judges(task),
        })
    }

    /// Whether it is defined for a task.
    pub fn judges(self, task: Task) -> bool {
        self.info().judges(task)
    }
}

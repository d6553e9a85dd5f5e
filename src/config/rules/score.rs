//! Rules of the score and of everything that names a metric: it must judge what the arms are asked.

use super::{Checked, broken};
use crate::config::{Arm, Margin, Monitor, RelativeMargin, Schedule, StudySection, TrainSection};
use crate::spec::{Metric, Task, Unit};

pub(in crate::config) fn check(study: &StudySection, arms: &[Arm]) -> Checked {
    let Some(first) = arms.first() else { return Ok(()) };
    let task = first.task();
    if let Some(other) = arms.iter().find(|arm| arm.task() != task) {
        return Err(broken(
            "study",
            format!(
                "all arms must answer one question: `{}` is trained for {}, `{}` for {}",
                first.name,
                first.loss().name(),
                other.name,
                other.loss().name()
            ),
            "compare them in studies of their own",
        ));
    }
    let score = first.score();
    judges("study.score", score, task)?;
    if let Some(margin) = study.margin {
        self::margin(margin, score)?;
    }
    arms.iter().try_for_each(|arm| watched(&arm.train, task))
}

fn judges(path: &str, metric: Metric, task: Task) -> Checked {
    if metric.judges(task) {
        return Ok(());
    }
    let known = Metric::all().filter(|metric| metric.judges(task)).map(Metric::name);
    let known = known.collect::<Vec<_>>().join(", ");
    let of_two = match task == Task::Multiclass && metric.judges(Task::Binary) {
        true => {
            "of two classes, give the labels as 0 and 1 in one column and use `dense: { units: 1, activation: \
             sigmoid }`; "
        }
        false => "",
    };
    Err(broken(
        path,
        format!("`{}` does not judge {}", metric.name(), asked(task)),
        &format!("{of_two}metrics that do: {known}"),
    ))
}

/// What a task asks.
fn asked(task: Task) -> &'static str {
    match task {
        Task::Binary => "two classes (`activation: sigmoid`)",
        Task::Multiclass => "several classes (`activation: softmax`)",
        Task::Regression => "numbers (`activation: linear`)",
    }
}

fn margin(margin: Margin, score: Metric) -> Checked {
    let info = score.info();
    let most = match margin {
        Margin::Relative(_) => 0.5,
        Margin::Absolute(_) if info.range.iter().all(|end| end.is_finite()) => {
            (info.range[1] - info.range[0]) / 2.0
        }
        Margin::Absolute(_) => f64::MAX,
    };
    let (Margin::Absolute(value) | Margin::Relative(RelativeMargin { relative: value })) = margin;
    if value > 0.0 && value <= most {
        return Ok(());
    }
    let most = if most < f64::MAX { format!(" and at most {most}") } else { " and finite".into() };
    let hint = match (margin, info.unit) {
        (Margin::Relative(_), _) => "0.02 is 2 % of the score of the baseline".to_owned(),
        (_, Unit::Percent) => {
            format!("it is a difference in {}: 0.005 is half a percentage point", info.title)
        }
        _ => format!("it is a difference in {}, in its own unit", info.title),
    };
    Err(broken("study.margin", format!("must be above 0{most}, received {value}"), &hint))
}

/// Every metric that an arm names.
fn watched(train: &TrainSection, task: Task) -> Checked {
    for metric in &train.metrics {
        judges("train.metrics", *metric, task)?;
    }
    let monitors: [(&str, Option<Monitor>); 3] = [
        ("train.early_stopping.monitor", train.early_stopping.as_ref().map(|of| of.monitor)),
        ("train.stop_at", train.stop_at.map(|of| of.monitor)),
        (
            "train.schedule.plateau.monitor",
            match &train.schedule {
                Schedule::Plateau(plateau) => Some(plateau.monitor),
                _ => None,
            },
        ),
    ];
    for (path, monitor) in monitors {
        let metric = monitor.and_then(|monitor| monitor.metric);
        metric.map_or(Ok(()), |metric| judges(path, metric, task))?;
    }
    Ok(())
}

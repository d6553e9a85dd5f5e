//! What needs no model scores, so that a reader sees what the models learned.

use super::Scale;
use crate::spec::ConstantAnswer;

/// `2.98 (the last value), 5.31 (always the training mean)`: validation scores of one answer for all rows, and of the
/// forecast that a series keeps its last value. `None` where neither is known or tells anything.
pub fn without_model(
    scale: Scale,
    constant: Option<f64>,
    last_value: Option<f64>,
) -> Option<String> {
    let last = last_value.map(|score| (score, "the last value".to_owned()));
    let constant = constant.zip(scale.info.constant_answer().map(name));
    let found = [last, constant].into_iter().flatten();
    let said: Vec<String> =
        found.map(|(score, name)| format!("{} ({name})", scale.value(score))).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn name(answer: ConstantAnswer) -> String {
    match answer {
        ConstantAnswer::Mean => "always the training mean".into(),
        ConstantAnswer::MostFrequent(1) => "always the majority class".into(),
        ConstantAnswer::MostFrequent(classes) => {
            format!("always the {classes} most frequent classes")
        }
        ConstantAnswer::Shares => "always the share of each class".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Metric;

    #[test]
    fn it_is_named_by_what_the_metric_reads() {
        let said = |metric: Metric, constant: f64, last: Option<f64>| {
            without_model(Scale::new(metric.info(), Some(0.005)), Some(constant), last)
        };
        assert_eq!(
            said(Metric::Accuracy, 0.503, None).unwrap(),
            "50.3 % (always the majority class)"
        );
        assert_eq!(said(Metric::MacroF1, 0.2, None).unwrap(), "0.200 (always the majority class)");
        let three = said(Metric::Top3Accuracy, 0.75, None).unwrap();
        assert_eq!(three, "75.0 % (always the 3 most frequent classes)");
        assert_eq!(
            said(Metric::Brier, -0.25, None).unwrap(),
            "0.250 (always the share of each class)"
        );
        let rmse = said(Metric::Rmse, -5.5, Some(-2.5)).unwrap();
        assert_eq!(rmse, "2.500 (the last value), 5.500 (always the training mean)");
        assert_eq!(said(Metric::Auc, 0.5, None), None);
        assert_eq!(without_model(Scale::new(Metric::Rmse.info(), None), None, None), None);
    }
}

//! Whether an arm fits the classes that the data have, and whether the score can be measured on them.

use crate::config::{Arm, ClassWeight, Margin, Study};
use crate::data::{Facts, SplitFacts};
use crate::error::UserError;
use crate::spec::{Metric, Task};

/// Refuses a softmax with other outputs than there are classes, and weights of other classes.
pub(super) fn refuse_other_classes(
    study: &Study,
    arm: &Arm,
    facts: &Facts,
) -> Result<(), UserError> {
    let classes = facts.classes.len();
    if arm.task() != Task::Multiclass {
        return Ok(());
    }
    let units = arm.model.dense.units.map_or(classes, |units| units as usize);
    if units != classes {
        let rule = format!(
            "its softmax has {units} outputs, and the data have {classes} classes: {}",
            named(&facts.classes)
        );
        let hint = format!(
            "write `dense: {{ units: {classes}, activation: softmax }}`, or leave `units` out"
        );
        return Err(study.placed_in_arm(arm, "model.dense.units", UserError::new(rule, hint)));
    }
    let Some(ClassWeight::Each(weights)) = &arm.train.class_weight else { return Ok(()) };
    let count = weights.values().count();
    if count == classes {
        return Ok(());
    }
    let rule = format!(
        "`class_weight` has {count} weights, and the data have {classes} classes: {}",
        named(&facts.classes)
    );
    let hint = format!("give a weight to each class, 0 to {}, or write `balanced`", classes - 1);
    Err(study.placed_in_arm(arm, "train.class_weight", UserError::new(rule, hint)))
}

/// Refuses a score that the rows of the validation split do not define, or that is the same whatever a model
/// answers: it is known before anything is trained.
pub(super) fn refuse_undefined_score(study: &Study, facts: &Facts) -> Result<(), UserError> {
    let score = study.score();
    let title = score.info().title;
    let classes = facts.classes.len();
    if score.info().is_always_right(classes) && !facts.are_numbers() {
        let most = score.info().most_probable;
        let rule = format!(
            "{title} is 1 of any model: the true class is always among {most} of {classes} classes"
        );
        let error = UserError::new(rule, "name `accuracy` as `study.score`, or another metric");
        return Err(study.placed("study.score", error));
    }
    if is_told(score, facts, &facts.validation) {
        return Ok(());
    }
    let (what, cure) = match (facts.are_numbers(), &facts.classes[..]) {
        (true, _) => ("whose targets are all the same".to_owned(), "numbers that vary"),
        (false, [_, one]) if facts.validation.positives == Some(0) => {
            (format!("which has no row with the label `{one}`"), "every label")
        }
        (false, _) => ("whose labels are all the same".to_owned(), "every label"),
    };
    let rule = format!("{title} is not defined on the validation split, {what}");
    let hint = format!(
        "name another metric as `study.score`, or split the data so that validation has {cure}"
    );
    Err(study.placed("study.score", UserError::new(rule, hint)))
}

/// Whether a metric is defined on a split, and tells answers apart there.
pub(super) fn is_told(metric: Metric, facts: &Facts, split: &SplitFacts) -> bool {
    // Every model of numbers has any metric but R², which takes targets that vary.
    let vary = split.targets.is_none_or(|targets| targets.least < targets.most);
    let rows = split.rows_of_classes();
    match facts.are_numbers() {
        true => vary || metric != Metric::R2,
        // Files of old versions did not count them.
        false => rows.is_empty() || metric.info().is_told_by(&rows),
    }
}

/// Refuses a margin of 0: then no two arms could be equally good.
pub(super) fn refuse_no_margin(study: &Study, facts: &Facts) -> Result<(), UserError> {
    let score = study.score().info();
    let baseline = facts.baseline.get(&score.metric).copied();
    let margin = study.margin(baseline);
    let is_share = matches!(study.experiment.study.margin, Some(Margin::Relative(_)));
    if margin.is_none_or(|margin| margin > 0.0) && !(is_share && score.constant_is_0) {
        return Ok(());
    }
    let (answer, unit) = match score.judges(Task::Regression) {
        true => ("the mean of the training targets", ", in its own unit"),
        false => ("one answer", ", such as 0.01"),
    };
    let of = if score.constant_is_0 { "about 0 of any data" } else { "0 on validation" };
    let rule = format!(
        "the margin is a share of the baseline's {}, which is {of}: the baseline gives every row {answer}",
        score.title
    );
    let hint = format!("give `study.margin` as a difference in {}{unit}", score.title);
    let alike = facts.train.targets.is_some_and(|targets| targets.least >= targets.most);
    let hint =
        if alike { hint + "; targets that are all alike leave nothing to learn" } else { hint };
    Err(study.placed("study.margin", UserError::new(rule, hint)))
}

/// The first classes by their names.
fn named(classes: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut names: Vec<String> =
        classes.iter().take(SHOWN).map(|class| format!("`{class}`")).collect();
    if classes.len() > SHOWN {
        names.push("...".into());
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;
    use crate::data::TargetFacts;

    fn study(section: &str, model: &str) -> Study {
        let text = format!(
            "study: {{ arms: [{{ batch_size: 8 }}], {section} }}\ndata: {{ arrays: {{ path: a.npz }} }}\n\
             model: {{ dense: {{ {model} }} }}\n"
        );
        Study::from_source(&Source { name: "f".into(), text, overrides: vec![] }, "f").unwrap()
    }

    const SIGMOID: &str = "units: 1, activation: sigmoid";
    const LINEAR: &str = "units: 1, activation: linear";

    fn facts(validation: SplitFacts, classes: &[&str]) -> Facts {
        let classes = classes.iter().map(|class| class.to_string()).collect();
        Facts { validation, classes, ..Facts::default() }
    }

    #[test]
    fn a_score_that_no_model_can_change_is_refused() {
        let two = |score: &str, positives: usize| {
            let validation =
                SplitFacts { examples: 20, positives: Some(positives), ..SplitFacts::default() };
            let study = study(&format!("score: {score}"), SIGMOID);
            refuse_undefined_score(&study, &facts(validation, &["no", "yes"]))
        };
        for score in ["f1", "recall", "precision", "mcc", "auc"] {
            let said = two(score, 0).unwrap_err().message;
            assert!(
                said.contains("not defined on the validation split, which has no row with"),
                "{said}"
            );
            assert_eq!(two(score, 5), Ok(()));
        }
        assert_eq!(two("accuracy", 0), Ok(()));
        let several = |score: &str, counts: &[usize]| {
            let validation = SplitFacts { counts: counts.into(), ..SplitFacts::default() };
            let classes = ["a", "b", "c", "d"];
            let study = study(&format!("score: {score}"), "activation: softmax");
            refuse_undefined_score(&study, &facts(validation, &classes[..counts.len()]))
        };
        let said = several("top_3_accuracy", &[5, 5, 5]).unwrap_err().message;
        assert!(said.contains("the true class is always among 3 of 3 classes"), "{said}");
        assert_eq!(several("top_3_accuracy", &[5, 5, 5, 5]), Ok(()));
        assert!(several("mcc", &[5, 0, 0]).is_err() && several("mcc", &[5, 1, 0]).is_ok());
        let alike = TargetFacts { mean: 3.0, sd: 0.0, least: 3.0, most: 3.0 };
        let validation = SplitFacts { targets: Some(alike), ..SplitFacts::default() };
        let numbers = facts(validation, &[]);
        assert!(refuse_undefined_score(&study("score: r2", LINEAR), &numbers).is_err());
        assert_eq!(refuse_undefined_score(&study("score: rmse", LINEAR), &numbers), Ok(()));
    }

    #[test]
    fn a_margin_of_0_and_a_share_of_what_is_0_of_any_data_are_refused_with_the_cure() {
        let of = |section: &str, model: &str, metric: Metric, baseline: f64| {
            let baseline = [(metric, baseline)].into();
            refuse_no_margin(&study(section, model), &Facts { baseline, ..Facts::default() })
        };
        let share = |score: &str| format!("score: {score}, margin: {{ relative: 0.02 }}");
        let error = of(&share("f1"), SIGMOID, Metric::F1, 0.0).unwrap_err();
        assert!(error.message.contains("the baseline's F1, which is 0 on validation"), "{error}");
        let hint = error.hint.unwrap();
        assert_eq!(hint, "give `study.margin` as a difference in F1, such as 0.01");
        assert_eq!(of(&share("f1"), SIGMOID, Metric::F1, 0.8), Ok(()));
        let error = of(&share("r2"), LINEAR, Metric::R2, -0.003).unwrap_err();
        assert!(error.message.contains("which is about 0 of any data"), "{error}");
        let error = of("score: rmse", LINEAR, Metric::Rmse, 0.0).unwrap_err();
        assert!(error.hint.unwrap().contains("difference in RMSE, in its own unit"));
        assert_eq!(of("score: r2", LINEAR, Metric::R2, -0.003), Ok(()), "its default is no share");
    }
}

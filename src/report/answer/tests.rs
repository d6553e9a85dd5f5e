use super::*;
use crate::analysis::tests::point;
use crate::analysis::tests::{arm, results};
use crate::analysis::{ArmResults, InTraining, Looks, Point, Rate, SharedSteps, Target, analyse};
use crate::spec::Metric;
use crate::stats::tests::generator;

fn of(results: &Results) -> Answer {
    let findings = analyse(results, &mut generator(1));
    let command = ["batchscope", "run", "sms.yaml"].map(String::from).to_vec();
    answer(results, &findings, &Source { folder: "runs/sms".into(), command, ..Source::default() })
}

/// Headline, label and reason.
fn told(answer: &Answer) -> [&str; 3] {
    [&answer.headline, &answer.label, &answer.reason]
}

fn around(accuracy: f64) -> [f64; 4] {
    [0.0, 0.001, 0.002, 0.0].map(|more| accuracy + more)
}

fn next(answer: &Answer) -> [&str; 2] {
    let next = answer.next.as_ref().unwrap();
    [next.command.as_deref().unwrap_or_default(), &next.what]
}

#[test]
fn one_that_is_better_than_all_others_is_clearly_better() {
    let found = of(&results(vec![arm(32, &around(0.8)), arm(256, &around(0.78))]));
    assert_eq!(
        told(&found),
        [
            "Use batch size 32",
            "decided: clearly better",
            "More accurate than the other by 2.0 to 2.0 points on these 2,000 validation rows."
        ]
    );
    assert_eq!(found.certainty, Certainty::Decided);
    let expected = "Learning rate 0.001 was not tuned; 32 made 8 times as many steps as 256.";
    assert_eq!(found.caveat.as_deref(), Some(expected));
    let export = ["batchscope export runs/sms --format keras", "writes the recommended model"];
    assert_eq!(next(&found), export);
}

#[test]
fn what_was_at_its_target_when_first_measured_took_at_most_so_much() {
    let arm = |batch_size: usize, curve: &[Point]| {
        let mut arm = arm(batch_size, &around(0.8));
        arm.runs.values_mut().for_each(|run| run.curve = curve.to_vec());
        arm
    };
    let reason = |curve: &[Point]| {
        let declared_target = Some(Target::of_accuracy(0.75));
        of(&Results { declared_target, ..results(vec![arm(32, curve), arm(256, curve)]) }).reason
    };
    let said = reason(&[point(25, 0.8)]);
    assert!(said.contains(" after at most "), "{said}");
    assert!(
        said.contains(" 4 of 4 runs were there when they were first measured; `train.evaluate"),
        "{said}"
    );
    let said = reason(&[point(12, 0.6), point(25, 0.8)]);
    assert!(said.contains(" after ") && !said.contains("at most"), "{said}");
}

#[test]
fn scores_that_fall_before_the_end_are_a_caveat() {
    let falling = |batch_size: usize, peak: usize| {
        let mut arm = arm(batch_size, &around(0.8));
        for run in arm.runs.values_mut() {
            let after = |epoch: usize| {
                let score = run.validation + if epoch == peak { 0.03 } else { 0.0 };
                Point { train: Some([0.5, 0.9]), ..point(epoch as u64, score) }
            };
            run.curve = (1..=4).map(after).collect();
        }
        arm
    };
    let caveat = |rates: Rate, arms: [ArmResults; 2]| {
        let arms = arms.map(|arm| ArmResults { rate: rates, ..arm });
        of(&results(arms.into())).caveat.unwrap()
    };
    let found = caveat(Rate::Given, [falling(32, 2), falling(256, 3)]);
    assert!(found.ends_with("as many steps as 256; validation accuracy fell after epochs 2 to 3."));
    let found = caveat(Rate::Tuned, [falling(32, 2), falling(33, 2)]);
    assert_eq!(found, "Validation accuracy fell after epoch 2.");
}

#[test]
fn the_ratio_of_steps_in_the_caveat_is_that_of_the_confounder() {
    let with = |batch_size: usize, steps: [u64; 4]| {
        let mut arm = arm(batch_size, &around(0.8));
        arm.runs.values_mut().zip(steps).for_each(|(run, steps)| run.steps = steps);
        arm
    };
    // 25 against 13.5 on average, which is told as 14.
    let study = results(vec![with(8, [25; 4]), with(100, [13, 14, 13, 14])]);
    let said = of(&study).caveat.unwrap();
    assert!(said.ends_with("; 8 made 1.8 times as many steps as 100."), "{said}");
}

#[test]
fn seeds_of_an_arm_are_named_where_others_have_more_or_some_are_missing() {
    let few = arm(256, &around(0.7));
    let unfinished = ArmResults { planned: 6, ..few.clone() };
    let words = |few: ArmResults| {
        let most = arm(32, &[0.80, 0.801, 0.802, 0.80, 0.801]);
        let comparison = analyse(&results(vec![most, few]), &mut generator(1)).comparison;
        comparison.arms.iter().map(|arm| standing(&comparison, arm)).collect::<Vec<_>>()
    };
    assert_eq!(words(few), ["highest mean", "out (4 seeds)"]);
    assert_eq!(words(unfinished), ["highest mean", "out (4 of 6 seeds)"]);
    assert_eq!(words(arm(256, &[0.7, 0.71])), ["highest mean", "too few seeds (2)"]);
}

#[test]
fn of_sizes_without_a_difference_that_matters_the_fastest_is_named() {
    let found = of(&results(vec![arm(32, &around(0.8)), arm(256, &around(0.799))]));
    assert_eq!(
        told(&found),
        [
            "Use batch size 256",
            "decided: no difference that matters",
            "Both are equally accurate on these 2,000 validation rows (within 0.5 points), and it is the fastest."
        ]
    );
}

#[test]
fn an_equivalent_faster_size_is_used_and_what_could_change_that_makes_it_tentative() {
    let arms = vec![arm(32, &around(0.8)), arm(128, &around(0.799)), arm(256, &around(0.7))];
    let found = of(&results(arms.clone()));
    assert_eq!(
        told(&found),
        [
            "Use batch size 128",
            "decided",
            "As accurate as 32, the best on these 2,000 validation rows (within 0.5 points), and 50 % faster."
        ]
    );
    let open = arm(256, &[0.792, 0.800, 0.796, 0.798]);
    let found = of(&results(vec![arms[0].clone(), arms[1].clone(), open]));
    assert_eq!(found.label, "tentative: 256 undecided");
    assert_eq!(
        (found.certainty, found.headline.as_str()),
        (Certainty::Tentative, "Use batch size 128")
    );
    let [command, what] = next(&found);
    assert!(command.starts_with("batchscope run sms.yaml --until-settled"), "{command}");
    let enough = " are enough in 80 of 100 cases if the batch sizes are equally good, ";
    assert!(
        what.starts_with("adds seeds until it is settled; ") && what.contains(enough),
        "{what}"
    );
    assert!(what.ends_with(" of training"), "{what}");
    let open = arm(256, &[0.792, 0.800, 0.796, 0.798]);
    let arms = vec![arms[0].clone(), arms[1].clone(), open];
    let found = of(&Results { looks: Looks::SeedsAdded, ..results(arms) });
    let [command, what] = next(&found);
    assert!(command.starts_with("batchscope run sms.yaml --until-settled"), "{command}");
    assert!(
        what.contains(" are enough in 80 of 100 cases if the batch sizes are equally good"),
        "{what}"
    );
}

#[test]
fn without_a_decision_the_differences_that_remain_possible_are_named() {
    let found =
        of(&results(vec![arm(32, &[0.80, 0.83, 0.78, 0.81]), arm(64, &[0.81, 0.80, 0.79, 0.80])]));
    assert_eq!(found.headline, "No clear winner after 4 seeds");
    assert!(
        found.reason.starts_with(
            "The highest mean on these 2,000 validation rows is that of batch size 32; differences up to "
        ),
        "{found:?}"
    );
    let [command, what] = next(&found);
    assert_eq!(command, "batchscope run sms.yaml --until-settled");
    let told = "If the sizes are equally good, 40 will not be enough; a larger margin or more validation rows";
    assert!(what.starts_with("adds up to 40 seeds, ") && what.contains(told), "{what}");
    assert_eq!((found.certainty, found.label.as_str()), (Certainty::Undecided, "undecided"));
}

#[test]
fn names_that_are_too_long_keep_their_ends() {
    assert_eq!(cut("batch-32", 10), "batch-32");
    assert_eq!(cut("small-tuned", 10), "small…uned");
    assert_ne!(cut("an-extremely-long-name-a", 12), cut("an-extremely-long-name-b", 12));
    assert_eq!(cut("batch-1000000", 8), "1000000", "what all have in common goes first");
}

#[test]
fn an_exact_tie_has_no_highest_mean() {
    let seeds = [0.80, 0.83, 0.78, 0.81];
    let found = of(&results(vec![arm(32, &seeds), arm(64, &[0.83, 0.80, 0.81, 0.78])]));
    assert!(
        found.reason.starts_with("The highest means on these 2,000 validation rows are equal"),
        "{found:?}"
    );
    let tied = results(vec![arm(32, &seeds), arm(64, &[0.83, 0.80, 0.81, 0.78])]);
    let comparison = analyse(&tied, &mut generator(1)).comparison;
    let words = comparison.arms.iter().map(|arm| standing(&comparison, arm));
    assert_eq!(words.collect::<Vec<_>>(), ["equal highest mean", "undecided"]);
}

#[test]
fn with_few_seeds_it_is_too_early_and_the_same_command_goes_on() {
    let mut arms = vec![arm(32, &[0.9]), arm(64, &[]), arm(128, &[])];
    arms.iter_mut().for_each(|arm| arm.planned = 3);
    let found = of(&results(arms));
    assert_eq!(found.headline, "1 of 9 runs finished: no comparison yet");
    assert_eq!((found.certainty, found.label.as_str()), (Certainty::None, "too early"));
    assert_eq!(
        next(&found),
        ["batchscope run sms.yaml", "trains the rest"],
        "no time is known of two arms"
    );
    let found = of(&results(vec![arm(32, &[0.9]), arm(64, &[0.1])]));
    assert_eq!(found.headline, "No comparison with 1 seed");
    let [command, what] = next(&found);
    assert_eq!(command, "batchscope run sms.yaml --seeds 5");
    assert_eq!(what, "adds seeds, 20 s of training", "4 runs of 3 s and 4 of 2 s");
    let mut arms = vec![arm(32, &[0.9]), arm(64, &[0.9, 0.8])];
    arms.iter_mut().for_each(|arm| arm.planned = 3);
    assert_eq!(next(&of(&results(arms)))[1], "trains the rest: 8.0 s of training");
}

#[test]
fn a_leak_takes_the_green_from_a_decision() {
    let test = InTraining { repeated: 900, ..InTraining::default() };
    let shared = SharedSteps { steps: 20, test, ..SharedSteps::default() };
    let arms = vec![arm(32, &around(0.8)), arm(256, &around(0.7))];
    let found = of(&Results { shared, ..results(arms) });
    assert_eq!((found.certainty, found.label.as_str()), (Certainty::Tentative, LEAKS));
    // No seeds, and no model to put to use.
    let [command, what] = next(&found);
    assert!(command.is_empty() && what.starts_with("Change the split first"), "{what}");
}

#[test]
fn models_that_learned_nothing_decide_nothing() {
    let arms = vec![arm(32, &around(0.8)), arm(256, &around(0.799))];
    let found = of(&Results { baseline: Some(0.81), ..results(arms) });
    assert_eq!((found.certainty, found.label.as_str()), (Certainty::Tentative, NOTHING_LEARNED));
    let [command, what] = next(&found);
    assert!(command.is_empty() && what.starts_with("Let the model learn first"), "{what}");
}

#[test]
fn what_is_advised_to_a_model_that_did_not_learn_is_not_what_it_has_already() {
    let advice = |rate: Rate, source: Source, metric: Metric| {
        let sign = if metric.info().falls() { -1.0 } else { 1.0 };
        let arms = [32, 256].map(|size| ArmResults { rate, ..arm(size, &around(sign * 0.8)) });
        let study = results(arms.to_vec());
        let study = Results { score: metric.info(), baseline: Some(sign * 0.8 + 0.01), ..study };
        let findings = analyse(&study, &mut generator(1));
        answer(&study, &findings, &source).next.unwrap().what
    };
    let plain = Source::default;
    let said = advice(Rate::Given, plain(), Metric::Accuracy);
    let all = "Let the model learn first: train longer, tune the learning rate, or weigh a rare label (`class_weight`).";
    assert_eq!(said, all);
    let weighted = || Source { is_weighted: true, ..plain() };
    let said = advice(Rate::Given, weighted(), Metric::Accuracy);
    assert_eq!(said, "Let the model learn first: train longer, or tune the learning rate.");
    let said = advice(Rate::Tuned, weighted(), Metric::Accuracy);
    assert_eq!(said, "Let the model learn first: train longer, or change the model.");
    let said = advice(Rate::Tuned, Source { targets_are_far: true, ..plain() }, Metric::Rmse);
    assert!(said.contains("write `scale: standard` under `data`"), "{said}");
}

#[test]
fn where_the_validation_rows_tell_less_than_the_margin_no_seeds_are_asked_for() {
    let study =
        results(vec![arm(32, &[0.80, 0.83, 0.78, 0.81]), arm(64, &[0.81, 0.80, 0.79, 0.80])]);
    let mut findings = analyse(&study, &mut generator(1));
    let few = Caution::FewValidationRows { rows: 200, noise: 0.02 };
    findings.verdict.cautions.push(few);
    let next = answer(&study, &findings, &Source::default()).next.unwrap();
    let told = "With 200 validation rows a difference is uncertain by up to 2 points, more than the margin of 0.5 \
                points, however many seeds there are: more validation rows would help";
    assert!(next.command.is_none() && next.what.starts_with(told), "{next:?}");
}

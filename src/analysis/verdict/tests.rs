use super::super::tests::{arm, point, results};
use super::*;
use crate::analysis::{ArmResults, Bar, Point, Target, analyse};
use crate::spec::StudyObjective;
use crate::stats::tests::{generator, near};

fn of(study: &Results) -> Verdict {
    analyse(study, &mut generator(1)).verdict
}

fn verdict_of(arms: Vec<ArmResults>) -> Verdict {
    of(&results(arms))
}

/// Outcome, arm to use, and whether it is settled.
fn answer(verdict: &Verdict) -> (Outcome, Option<&str>, bool) {
    (verdict.outcome, verdict.recommended.as_deref(), verdict.settled)
}

/// The arm with these seeds diverged.
fn diverged(arm: ArmResults, seeds: &[u64]) -> ArmResults {
    ArmResults { diverged: seeds.to_vec(), planned: arm.runs.len() + seeds.len(), ..arm }
}

/// An arm whose runs reach 80 % after so many seconds, seed by seed.
fn reaching(batch_size: usize, seconds: &[f64]) -> ArmResults {
    let mut found = arm(batch_size, &vec![0.8; seconds.len()]);
    for (run, seconds) in found.runs.values_mut().zip(seconds) {
        let point = |share: f64, score: f64| Point {
            examples: (1000.0 * share) as u64,
            seconds: seconds * share,
            ..point((100.0 * share) as u64, score)
        };
        run.curve = vec![point(0.5, 0.6), point(1.0, 0.8)];
    }
    found
}

fn to_target(arms: Vec<ArmResults>) -> Verdict {
    let declared_target = Some(Target::of_accuracy(0.8));
    of(&Results { declared_target, ..results(arms) })
}

/// Four seeds around an accuracy, with little spread.
fn around(accuracy: f64) -> [f64; 4] {
    [0.0, 0.001, 0.002, 0.0].map(|more| accuracy + more)
}

#[test]
fn nothing_one_arm_and_two_seeds_have_no_comparison() {
    let nothing = verdict_of(vec![arm(32, &[]), arm(64, &[])]);
    assert_eq!(answer(&nothing), (Outcome::NothingToCompare, None, false));
    let wild = verdict_of(vec![diverged(arm(32, &[]), &[0, 1]), diverged(arm(64, &[]), &[0, 1])]);
    assert_eq!(answer(&wild), (Outcome::NothingToCompare, None, false));
    let one = verdict_of(vec![arm(32, &[0.8, 0.81])]);
    assert_eq!(answer(&one), (Outcome::OneArm, Some("batch-32"), false));
    // More seeds of the one that is left tell nothing.
    let left = results(vec![arm(32, &around(0.8)), diverged(arm(64, &[]), &[0, 1, 2, 3])]);
    assert_eq!(answer(&of(&left)), (Outcome::OneArm, Some("batch-32"), false));
    assert!(decide(&left).settled);
    // However clear it looks.
    let two = verdict_of(vec![arm(32, &[0.9, 0.9]), arm(64, &[0.1, 0.1])]);
    assert_eq!(answer(&two), (Outcome::TooFewSeeds, None, false));
    assert_eq!(two.more, None);
    let target = to_target(vec![reaching(32, &[2.0, 2.0]), reaching(64, &[1.0, 1.0])]);
    assert_eq!(answer(&target), (Outcome::TooFewSeeds, None, false));
}

#[test]
fn of_equivalent_arms_the_fastest_is_to_be_used() {
    let found = verdict_of(vec![arm(32, &around(0.8)), arm(64, &around(0.799))]);
    assert_eq!(answer(&found), (Outcome::NoDifference, Some("batch-64"), true));
    let some = verdict_of(vec![
        arm(32, &around(0.8)),
        arm(64, &around(0.799)),
        arm(256, &[0.700, 0.702, 0.701, 0.700]),
    ]);
    assert_eq!(answer(&some), (Outcome::Decided, Some("batch-64"), true));
    let alone = verdict_of(vec![arm(32, &around(0.8)), arm(64, &around(0.7))]);
    assert_eq!(answer(&alone), (Outcome::ClearlyBetter, Some("batch-32"), true));
}

#[test]
fn what_is_undecided_leaves_a_study_settled_where_it_cannot_change_the_recommendation() {
    let open = [0.79, 0.815, 0.78, 0.81];
    // The undecided arm is slower than the equivalent one.
    let slower = vec![arm(16, &open), arm(32, &around(0.8)), arm(64, &around(0.799))];
    let found = verdict_of(slower);
    assert_eq!(answer(&found), (Outcome::Undecided, Some("batch-32"), false), "it may be the best");
    let behind = [0.79, 0.801, 0.785, 0.798];
    let slower = vec![arm(16, &behind), arm(32, &around(0.8)), arm(64, &around(0.8))];
    let found = of(&Results { margin: 0.02, ..results(slower) });
    assert!(found.settled, "{found:?}");
    assert_eq!(found.recommended.as_deref(), Some("batch-64"));
    // The same arm as the fastest is in question.
    let faster = vec![arm(32, &around(0.8)), arm(64, &around(0.8)), arm(128, &open)];
    let found = verdict_of(faster);
    assert_eq!((found.outcome, found.settled), (Outcome::Undecided, false));
}

#[test]
fn milliseconds_of_noise_do_not_decide_how_sure_it_is() {
    // 32 is equivalent, and 64 undecided, and they are equally fast.
    let study = |faster: usize| {
        let behind = [0.79, 0.801, 0.785, 0.798];
        let mut arms = vec![arm(32, &around(0.8)), arm(64, &behind), arm(16, &around(0.6))];
        for (place, arm) in arms.iter_mut().enumerate() {
            for (seed, run) in &mut arm.runs {
                let noise = [0.001, -0.002, 0.003, -0.001][*seed as usize];
                let own = if place == faster { -0.0008 } else { 0.0 };
                run.seconds = 0.013 + own + if place == 0 { noise } else { -noise };
            }
        }
        of(&Results { margin: 0.02, ..results(arms) })
    };
    let [one, other] = [0, 1].map(study);
    assert_eq!(answer(&one), (Outcome::Decided, Some("batch-32"), true));
    assert_eq!(answer(&one), answer(&other));
    for found in [one, other] {
        let rivals: Vec<&str> = found.rivals.iter().map(|rival| rival.arm.as_str()).collect();
        assert_eq!(rivals, ["batch-64"], "it is named");
    }
}

#[test]
fn without_an_equivalent_arm_the_highest_mean_is_named_provisionally_with_the_seeds_it_takes() {
    let found =
        verdict_of(vec![arm(32, &[0.80, 0.83, 0.78, 0.81]), arm(64, &[0.803, 0.80, 0.79, 0.80])]);
    assert_eq!(answer(&found), (Outcome::Undecided, Some("batch-32"), false));
    assert_eq!(found.more, None, "it takes more than a hundred");
    let found =
        verdict_of(vec![arm(32, &[0.80, 0.806, 0.80, 0.81]), arm(64, &[0.801, 0.80, 0.803, 0.80])]);
    let more = found.more.expect("a feasible number");
    assert_eq!(more.seeds, more.more + 4);
    // Runs of 32 take 3 s, those of 64 2 s.
    near(more.seconds, 5.0 * more.more as f64, 1e-9);
}

#[test]
fn an_arm_that_diverged_is_not_recommended_and_no_seed_changes_that() {
    let good = [arm(32, &around(0.8)), arm(64, &around(0.7))];
    let all = diverged(arm(256, &[]), &[0, 1, 2]);
    let found = verdict_of([good.to_vec(), vec![all]].concat());
    assert_eq!((found.recommended.as_deref(), found.settled), (Some("batch-32"), true));
    let some = diverged(arm(128, &[0.9]), &[1, 2]);
    let found = verdict_of([good.to_vec(), vec![some]].concat());
    assert_eq!((found.recommended.as_deref(), found.settled), (Some("batch-32"), true));
    let runs =
        Caution::FailedRuns { planned: 11, diverged: 2, failed: 0, unscored: 0, unfinished: 0 };
    assert_eq!(found.cautions[0], runs);
}

#[test]
fn an_arm_with_few_finished_runs_does_not_decide_for_the_others() {
    let with = |first: [f64; 2], others: f64| [first.to_vec(), vec![others; 8]].concat();
    let found = verdict_of(vec![
        arm(32, &with([0.84, 0.84], 0.80)),
        arm(64, &with([0.83, 0.83], 0.82)),
        ArmResults { planned: 10, ..arm(128, &[0.8375, 0.8375]) },
    ]);
    assert_eq!(answer(&found), (Outcome::Undecided, Some("batch-64"), false));
}

#[test]
fn the_fastest_to_a_target_is_named_with_those_that_are_not_shown_to_be_slower() {
    let found = to_target(vec![
        reaching(32, &[2.0, 2.1, 1.9]),
        reaching(64, &[2.1, 1.9, 2.2]),
        reaching(256, &[9.0, 9.5, 9.2]),
    ]);
    assert_eq!(
        (found.outcome, found.recommended.as_deref()),
        (Outcome::ToTarget, Some("batch-32"))
    );
    let rivals: Vec<&str> = found.rivals.iter().map(|rival| rival.arm.as_str()).collect();
    assert_eq!(rivals, ["batch-64"]);
    near(found.rivals[0].ratio.value, 1.03, 0.005);
}

#[test]
fn an_arm_that_diverged_or_is_unfinished_is_not_the_fastest_to_a_target() {
    let wild = diverged(reaching(1024, &[1.0, 1.0]), &[2]);
    let young = ArmResults { planned: 4, ..reaching(512, &[1.0, 1.1, 1.0]) };
    let found = to_target(vec![reaching(32, &[2.0, 2.1, 1.9, 2.0]), young, wild]);
    assert_eq!(found.recommended.as_deref(), Some("batch-32"));
}

#[test]
fn what_is_no_better_than_guessing_and_what_the_test_split_contradicts_is_told() {
    let mut study = results(vec![arm(32, &[0.940, 0.941, 0.939]), arm(64, &[0.930, 0.931, 0.929])]);
    study.baseline = Some(0.94);
    for (seed, run) in &mut study.arms[1].runs {
        run.test = Some(0.96 + 0.001 * *seed as f64);
    }
    let cautions = of(&study).cautions;
    assert_eq!(
        cautions[0],
        Caution::NoBetterThanGuessing(Guessing { score: 0.94, is_last_value: false })
    );
    assert!(cautions.contains(&Caution::TestDisagrees(vec!["batch-64".into()])), "{cautions:?}");
    study.baseline = Some(0.5);
    assert!(!matches!(of(&study).cautions[0], Caution::NoBetterThanGuessing(_)));
    for (last_value, told) in [(0.4, false), (0.95, true)] {
        study.last_value = Some(last_value);
        let found = Guessing { score: last_value, is_last_value: true };
        assert_eq!(of(&study).cautions[0] == Caution::NoBetterThanGuessing(found), told);
    }
}

#[test]
fn a_test_split_on_which_the_score_is_not_defined_is_told_unless_there_is_none() {
    let mut study = results(vec![arm(32, &around(0.7)), arm(64, &around(0.6))]);
    let told = |study: &Results| of(study).cautions.contains(&Caution::NoTestScore { rows: 2000 });
    assert!(!told(&study));
    study.arms.iter_mut().flat_map(|arm| arm.runs.values_mut()).for_each(|run| run.test = None);
    assert!(told(&study));
    study.examples.test = None;
    assert!(!told(&study));
}

#[test]
fn what_is_no_better_than_guessing_says_nothing_where_models_aim_at_something_else() {
    let mut study = results(vec![arm(32, &[0.940, 0.941, 0.939]), arm(64, &[0.930, 0.931, 0.929])]);
    study.baseline = Some(0.95);
    let guessing = Guessing { score: 0.95, is_last_value: false };
    let told = |study: &Results| of(study).cautions[0].clone();
    study.constant = Bar::AimedElsewhere;
    assert_eq!(told(&study), Caution::AimedElsewhere(guessing));
    study.constant = Bar::Nothing;
    assert!(!matches!(told(&study), Caution::NoBetterThanGuessing(_) | Caution::AimedElsewhere(_)));
    // A forecast that needs no model is a bar for all of them.
    study.last_value = Some(0.96);
    let last = Guessing { score: 0.96, is_last_value: true };
    assert_eq!(told(&study), Caution::NoBetterThanGuessing(last));
}

#[test]
fn what_lies_above_guessing_by_the_chance_of_the_rows_is_not_shown_to_have_learned() {
    let guesses = |rows| {
        let mut study = results(vec![arm(32, &around(0.53)), arm(64, &around(0.49))]);
        study.baseline = Some(0.5);
        study.examples.validation = Some(rows);
        let cautions = of(&study).cautions;
        cautions.iter().any(|caution| matches!(caution, Caution::NoBetterThanGuessing(_)))
    };
    // 1.96 standard errors of 160 rows are 7.7 points, of 4,000 rows 1.5.
    assert_eq!([guesses(160), guesses(4000)], [true, false]);
}

#[test]
fn a_run_far_below_the_others_failed_to_converge_and_without_one_some_may() {
    let strays = |seeds: &[f64]| -> Strays {
        let found = verdict_of(vec![arm(32, seeds), arm(64, &[0.86; 5])]);
        let found = found.cautions.into_iter().find_map(|caution| match caution {
            Caution::Strays(found) => Some(found),
            _ => None,
        });
        found.unwrap()
    };
    // Halfway between 86 and 50 % it is 68; a quarter of the way down 77.
    let one = strays(&[0.86, 0.861, 0.75, 0.862, 0.859]);
    assert_eq!(one.all, [("batch-32".to_owned(), 2)]);
    near(one.below, 0.86 - 0.25 * 0.36, 1e-12);
    let none = strays(&[0.8615, 0.8617, 0.862, 0.8616, 0.8618]);
    assert_eq!((none.failed, none.runs, none.all.len()), (0, 5, 0));
    // 1 - 0.05^(1/5)
    near(none.share.high, 0.4507, 1e-4);
}

#[test]
fn what_counts_among_the_equivalent_is_what_the_study_says() {
    let mut arms = [32, 64, 256].map(|size| arm(size, &around(0.8))).to_vec();
    let costs = [(3.0, 150_000_000), (1.0, 200_000_000), (2.0, 155_000_000)];
    for (arm, (seconds, memory)) in arms.iter_mut().zip(costs) {
        for (seed, run) in &mut arm.runs {
            run.seconds = seconds + 0.01 * *seed as f64;
            run.peak_memory = memory + 1000 * seed;
        }
    }
    for (objective, chosen) in [
        (StudyObjective::Time, "batch-64"),
        // 155 MB are as little as 150.
        (StudyObjective::Memory, "batch-256"),
        (StudyObjective::Examples, "batch-64"),
        (StudyObjective::LargestBatch, "batch-256"),
    ] {
        let found = of(&Results { objective, ..results(arms.clone()) });
        assert_eq!(found.recommended.as_deref(), Some(chosen), "{objective:?}");
    }
}

#[test]
fn arms_that_are_not_shown_to_take_more_are_rivals() {
    let worse = [0.700, 0.701, 0.702, 0.700];
    let mut arms = vec![arm(32, &around(0.8)), arm(64, &around(0.8)), arm(256, &worse)];
    let memory = [[100, 101, 100, 101], [140, 90, 150, 100], [50, 50, 50, 50]];
    for (arm, memory) in arms.iter_mut().zip(memory) {
        for (run, memory) in arm.runs.values_mut().zip(memory) {
            run.peak_memory = memory * 1_000_000;
        }
    }
    let found = of(&Results { objective: StudyObjective::Memory, ..results(arms) });
    assert_eq!(found.recommended.as_deref(), Some("batch-32"));
    let rivals: Vec<&str> = found.rivals.iter().map(|rival| rival.arm.as_str()).collect();
    assert_eq!(rivals, ["batch-64"]);
    near(found.rivals[0].ratio.value, 1.17, 0.005);
}

#[test]
fn weights_that_another_metric_than_the_score_chose_are_told() {
    let with = |restored_by: Option<&str>| {
        let mut arms = vec![arm(32, &around(0.8)), arm(64, &around(0.7)), arm(128, &[])];
        arms[1].facts.restored_by = restored_by.map(str::to_owned);
        arms[2].facts.restored_by = Some("val_auc".into());
        let cautions = verdict_of(arms).cautions;
        cautions.into_iter().find(|of| matches!(of, Caution::RestoredByAnother { .. }))
    };
    let monitors = ["val_loss".to_owned()].into();
    assert_eq!(with(Some("val_loss")), Some(Caution::RestoredByAnother { monitors }));
    assert_eq!(with(None), None, "one without finished runs tells nothing");
}

#[test]
fn what_was_settled_at_the_first_look_and_no_longer_is_says_so() {
    // Clear with the first five seeds, and less so with what came after.
    let more = [0.80, 0.801, 0.802, 0.80, 0.801, 0.77, 0.80, 0.78];
    let other = [0.79, 0.791, 0.792, 0.789, 0.79, 0.80, 0.77, 0.80];
    let seeds = |looks, first_look| {
        let study = results(vec![arm(32, &more), arm(256, &other)]);
        let cautions = of(&Results { looks, first_look, ..study }).cautions;
        let reopened = |caution: &Caution| match caution {
            Caution::Reopened { seeds, recommended } => Some((*seeds, recommended.clone())),
            _ => None,
        };
        cautions.iter().find_map(reopened)
    };
    let expected = Some((5, Some("batch-32".to_owned())));
    assert_eq!(seeds(crate::analysis::Looks::SeedsAdded, Some(5)), expected);
    assert_eq!(seeds(crate::analysis::Looks::SeedsAdded, Some(8)), None, "it is the first look");
    assert_eq!(seeds(crate::analysis::Looks::Once, Some(5)), None);
}

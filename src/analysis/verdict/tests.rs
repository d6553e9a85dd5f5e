use super::super::tests::{arm, point, results};
use super::*;
use crate::analysis::{ArmResults, Objective, Point, Target, analyse};
use crate::stats::tests::generator;

fn verdict_of(arms: Vec<ArmResults>) -> Verdict {
    analyse(&results(arms), &mut generator(1)).verdict
}

fn said(verdict: &Verdict) -> String {
    [&verdict.found[..], std::slice::from_ref(&verdict.advice), &verdict.cautions]
        .concat()
        .join("\n")
}

fn assert_says(verdict: &Verdict, parts: &[&str]) {
    let said = said(verdict);
    parts.iter().for_each(|part| assert!(said.contains(part), "{part}:\n{said}"));
}

/// The arm with these seeds diverged.
fn diverged(arm: ArmResults, seeds: &[u64]) -> ArmResults {
    ArmResults { diverged: seeds.to_vec(), planned: arm.runs.len() + seeds.len(), ..arm }
}

/// An arm whose runs reach 80 % after so many seconds, seed by seed.
fn reaching(batch_size: usize, seconds: &[f64]) -> ArmResults {
    let mut found = arm(batch_size, &vec![0.8; seconds.len()]);
    for (run, seconds) in found.runs.values_mut().zip(seconds) {
        let point = |share: f64, accuracy: f64| Point {
            examples: (1000.0 * share) as u64,
            seconds: seconds * share,
            ..point((100.0 * share) as u64, accuracy)
        };
        run.curve = vec![point(0.5, 0.6), point(1.0, 0.8)];
    }
    found
}

fn to_target(arms: Vec<ArmResults>) -> Verdict {
    to_target_for(Objective::Time, arms)
}

fn to_target_for(objective: Objective, arms: Vec<ArmResults>) -> Verdict {
    let declared_target = Some(Target::accuracy(0.8));
    let study = Results { declared_target, objective, ..results(arms) };
    analyse(&study, &mut generator(1)).verdict
}

#[test]
fn nothing_one_arm_and_one_seed_are_called_so() {
    let nothing = verdict_of(vec![arm(32, &[]), arm(64, &[])]);
    assert_eq!((nothing.outcome, nothing.recommended.clone()), (Outcome::NothingToCompare, None));
    assert_says(&nothing, &["No arm can be compared", "batch size 32 and batch size 64"]);
    let wild = verdict_of(vec![diverged(arm(32, &[]), &[0, 1]), diverged(arm(64, &[]), &[0, 1])]);
    let both = "batch size 32 (2 of 2 runs) and batch size 64 (2 of 2 runs)";
    assert_says(&wild, &[both, "not to be used as they are", "lower learning rates"]);
    let one = verdict_of(vec![arm(32, &[0.8, 0.81])]);
    assert_eq!(one.outcome, Outcome::OneArm);
    assert_says(&one, &["There is nothing to compare it with"]);
    let seed = verdict_of(vec![arm(32, &[0.8]), arm(64, &[0.7])]);
    assert_eq!((seed.outcome, seed.recommended.clone()), (Outcome::TooFewSeeds, None));
    assert_says(&seed, &["No comparison with 1 seed: chance and batch size cannot be told apart"]);
}

#[test]
fn below_three_seeds_in_common_no_arm_is_named_and_an_interrupted_study_says_how_far_it_came() {
    let planned = |arm: ArmResults| ArmResults { planned: 3, ..arm };
    let one = [arm(32, &[0.9]), arm(64, &[]), arm(128, &[])].map(planned);
    let two = [arm(32, &[0.9, 0.91]), arm(64, &[0.7, 0.71]), arm(128, &[0.5])].map(planned);
    for (arms, said) in [(one, "1 of 9 runs finished: no"), (two, "5 of 9 runs finished: no")] {
        let found = verdict_of(arms.to_vec());
        assert_eq!((found.outcome, &found.recommended), (Outcome::TooFewSeeds, &None));
        assert_says(&found, &[said, "the same `batchscope run` goes on"]);
        let text = [found.lines(), found.besides.clone()].concat().join("\n");
        for word in ["Most accurate", "For now use", "Use batch size", "Within", "Worse"] {
            assert!(!text.contains(word), "{word}:\n{text}");
        }
        assert_eq!((found.about, found.more_seeds), (None, None));
    }
    // All that was asked for is done, and it is too little, however clear it looks.
    let found = verdict_of(vec![arm(32, &[0.9, 0.9]), arm(64, &[0.1, 0.1])]);
    assert_eq!((found.outcome, &found.recommended), (Outcome::TooFewSeeds, &None));
    assert_says(&found, &["No comparison with 2 seeds", "`--set study.seeds=5` adds them"]);
    let target = to_target(vec![reaching(32, &[2.0, 2.0]), reaching(64, &[1.0, 1.0])]);
    assert_eq!((target.outcome, target.recommended), (Outcome::TooFewSeeds, None));
}

#[test]
fn of_arms_that_do_not_differ_materially_the_fastest_is_to_be_used() {
    let found = verdict_of(vec![
        arm(32, &[0.800, 0.801, 0.802, 0.800]),
        arm(64, &[0.799, 0.800, 0.801, 0.799]),
    ]);
    assert_eq!(found.outcome, Outcome::NoMaterialDifference);
    assert_says(&found, &["choose for speed: use batch size 64"]);
}

#[test]
fn a_settled_study_names_the_fastest_that_is_not_worse() {
    let found = verdict_of(vec![
        arm(32, &[0.800, 0.801, 0.802, 0.800]),
        arm(64, &[0.799, 0.800, 0.801, 0.799]),
        arm(256, &[0.700, 0.702, 0.701, 0.700]),
    ]);
    assert_eq!(found.outcome, Outcome::Settled);
    assert_says(
        &found,
        &[
            "Use batch size 64",
            "Worse by more than the margin of 0.5, in percentage points from it",
        ],
    );
}

#[test]
fn what_is_open_names_the_seeds_that_would_settle_it_in_both_places() {
    let found =
        verdict_of(vec![arm(32, &[0.80, 0.83, 0.78, 0.81]), arm(64, &[0.81, 0.80, 0.79, 0.80])]);
    assert_eq!(found.outcome, Outcome::NotSettled);
    let more = found.more_seeds.expect("a feasible number");
    assert_says(&found, &["Not settled for the margin", &format!("{} seeds in all", more + 4)]);
    // Where one comparison cannot be settled, no number is named anywhere.
    let hopeless = verdict_of(vec![
        arm(32, &[0.80, 0.83, 0.78, 0.81]),
        arm(64, &[0.81, 0.80, 0.79, 0.80]),
        arm(128, &[0.1, 0.99, 0.9, 0.9]),
    ]);
    assert_eq!(hopeless.more_seeds, None);
    assert_says(&hopeless, &["no feasible number of seeds would settle it"]);
}

#[test]
fn an_arm_that_diverged_is_out_and_leaves_the_others_settled() {
    let good = [arm(32, &[0.800, 0.801, 0.802]), arm(64, &[0.799, 0.800, 0.801])];
    let some = diverged(arm(128, &[0.9]), &[1, 2]);
    let all = diverged(arm(256, &[]), &[0, 1, 2]);
    let found = verdict_of([good.to_vec(), vec![some, all.clone()]].concat());
    assert_eq!(found.outcome, Outcome::Settled);
    assert_says(
        &found,
        &["Use batch size 64", "batch size 128 (2 of 3 runs) and batch size 256 (3 of 3 runs)"],
    );
    let alone = verdict_of(vec![good[0].clone(), all]);
    assert_eq!(alone.outcome, Outcome::Settled);
    assert_says(&alone, &["Use batch size 32", "runs of every other arm diverged"]);
}

#[test]
fn an_arm_with_few_finished_runs_does_not_decide_for_the_others() {
    let of = |first: [f64; 2], others: f64| [first.to_vec(), vec![others; 8]].concat();
    let found = verdict_of(vec![
        arm(32, &of([0.84, 0.84], 0.80)),
        arm(64, &of([0.83, 0.83], 0.82)),
        ArmResults { planned: 10, ..arm(128, &[0.8375, 0.8375]) },
    ]);
    assert_says(&found, &["Most accurate on validation: batch size 64", "too few of the seeds"]);
    assert_eq!(found.outcome, Outcome::NotSettled);
}

#[test]
fn the_same_accuracy_with_every_seed_is_not_taken_for_certainty() {
    let mut study = results(vec![arm(32, &[1.0; 3]), arm(64, &[1.0; 3])]);
    for run in study.arms.iter_mut().flat_map(|arm| arm.runs.values_mut()) {
        run.test = Some(1.0);
    }
    (study.examples.validation, study.examples.test) = (Some(20), Some(20));
    let found = analyse(&study, &mut generator(1)).verdict;
    assert_says(&found, &["no spread was seen", "20 rows", "anything from 83.9 to 100.0 %"]);
    assert!(!said(&found).contains("interval 100.0 to 100.0"), "{}", said(&found));
}

#[test]
fn the_fastest_to_a_target_is_named_with_those_that_are_not_shown_to_be_slower() {
    let found = to_target(vec![
        reaching(32, &[2.0, 2.1, 1.9]),
        reaching(64, &[2.1, 1.9, 2.2]),
        reaching(256, &[9.0, 9.5, 9.2]),
    ]);
    assert_eq!(found.recommended.as_deref(), Some("batch-32"));
    assert_says(&found, &["not shown to be faster than batch size 64 (1.03 times as long"]);
    assert!(!found.advice.contains("256"), "{}", found.advice);
}

#[test]
fn an_arm_that_diverged_or_is_unfinished_is_not_the_fastest_to_a_target() {
    let wild = diverged(reaching(1024, &[1.0, 1.0]), &[2]);
    let young = ArmResults { planned: 4, ..reaching(512, &[1.0, 1.1, 1.0]) };
    let found = to_target(vec![reaching(32, &[2.0, 2.1, 1.9, 2.0]), young, wild]);
    assert_eq!(found.recommended.as_deref(), Some("batch-32"));
    assert_says(&found, &["Diverged, so not to be used as it is: batch size 1,024 (1 of 3 runs)"]);
}

#[test]
fn one_seed_or_one_arm_settles_nothing_about_a_target_either() {
    let seed = to_target(vec![reaching(32, &[2.0]), reaching(64, &[1.0])]);
    assert_says(&seed, &["No comparison with 1 seed"]);
    assert_eq!((seed.outcome, seed.recommended), (Outcome::TooFewSeeds, None));
    let one = to_target(vec![reaching(32, &[2.0, 2.1])]);
    assert_says(&one, &["There is nothing to compare it with"]);
}

#[test]
fn what_is_no_better_than_guessing_and_what_the_test_split_contradicts_is_told() {
    let mut study = results(vec![arm(32, &[0.940, 0.941, 0.939]), arm(64, &[0.930, 0.931, 0.929])]);
    study.majority = Some(0.94);
    for (seed, run) in &mut study.arms[1].runs {
        run.test = Some(0.96 + 0.001 * *seed as f64);
    }
    let found = analyse(&study, &mut generator(1)).verdict;
    assert!(found.cautions[0].contains("the more frequent label is right for 94.0 %"), "{found:?}");
    assert!(found.cautions[1].contains("there batch size 64 did better"), "{found:?}");
    study.majority = Some(0.5);
    let found = analyse(&study, &mut generator(1)).verdict;
    assert!(!said(&found).contains("more frequent"), "{found:?}");
}

#[test]
fn the_data_the_rates_and_the_range_of_accuracies_are_told() {
    let mut study = results(vec![arm(32, &[0.80, 0.81, 0.80]), arm(64, &[0.90, 0.91, 0.90])]);
    (study.longest, study.features) = (Some(40), Some(9));
    study.majority = Some(0.6);
    let about = |study: &Results| analyse(study, &mut generator(1)).verdict.about.unwrap();
    assert_eq!(
        about(&study),
        "On these data (6,000 examples for training, 2,000 for validation and 2,000 for the test, at most \
         40 steps with 9 features, 60.0 % of the validation rows with the more frequent label), with \
         learning rate 0.001 and 3 seeds, test accuracy goes from 79.3 % with batch size 32 to 89.3 % with \
         batch size 64. None of the others is shown to be within 0.5 percentage points of the best on \
         validation."
    );
    study.arms.truncate(1);
    for run in study.arms[0].runs.values_mut() {
        run.test = None;
    }
    assert!(about(&study).ends_with("validation accuracy is 80.3 % with batch size 32."));
    study.arms[0].learning_rate = 0.5;
    study.arms.push(arm(64, &[0.90, 0.91, 0.90]));
    assert!(about(&study).contains("with learning rates that were given and 3 seeds"));
}

#[test]
fn what_the_smallest_batch_takes_and_what_is_not_shown_to_be_slower_stand_with_the_advice() {
    let mut arms = vec![
        arm(32, &[0.800, 0.801, 0.802, 0.800]),
        arm(64, &[0.799, 0.800, 0.801, 0.799]),
        arm(256, &[0.799, 0.801, 0.801, 0.799]),
    ];
    for (arm, seconds) in
        arms.iter_mut().zip([[3.0; 4], [2.5, 1.0, 2.0, 1.2], [1.0, 1.1, 1.0, 1.2]])
    {
        for (run, seconds) in arm.runs.values_mut().zip(seconds) {
            run.seconds = seconds;
        }
    }
    let found = verdict_of(arms);
    assert_says(
        &found,
        &[
            "use batch size 256 with learning rate 0.001, though it is not shown to be faster than batch \
             size 64 (1.46 times as long",
            "takes 1.1 s (3.0 s with batch size 32)",
        ],
    );
    assert_eq!(found.lines()[0], found.advice);
}

#[test]
fn how_many_are_as_good_and_when_the_one_to_use_comes_to_what_all_reach_is_told() {
    let found = verdict_of(vec![
        reaching(32, &[2.0, 2.1, 1.9]),
        reaching(64, &[1.0, 1.1, 0.9]),
        arm(256, &[0.700, 0.702, 0.701]),
    ]);
    let about = found.about.as_ref().unwrap();
    assert!(about.contains("2 of 3, the best among them, are shown to be within 0.5"), "{about}");
    // The third has no curve; the others come to 79.5 % just before their ends.
    assert_says(
        &found,
        &["Use batch size 64", "It comes to 79.5 % on validation after 1.0 s (2.0 s with"],
    );
}

#[test]
fn what_counts_among_the_accurate_is_what_the_study_says() {
    let mut arms = [32, 64, 256].map(|size| arm(size, &[0.800, 0.801, 0.802, 0.800])).to_vec();
    let costs = [(3.0, 150_000_000), (1.0, 200_000_000), (2.0, 155_000_000)];
    for (arm, (seconds, memory)) in arms.iter_mut().zip(costs) {
        for (seed, run) in &mut arm.runs {
            run.seconds = seconds + 0.01 * *seed as f64;
            run.peak_memory = memory + 1000 * seed;
        }
    }
    for (objective, chosen, part) in [
        (
            Objective::Time,
            "batch-64",
            "choose for speed: use batch size 64 with learning rate 0.001. A",
        ),
        // 155 MB are as little as 150.
        (
            Objective::Memory,
            "batch-256",
            "for memory: use batch size 256 with learning rate 0.001, the fastest of 2 that need as little",
        ),
        (Objective::Examples, "batch-64", "the fastest of 3 that see as many examples. A run"),
        (
            Objective::LargestBatch,
            "batch-256",
            "for large batches: use batch size 256 with learning",
        ),
    ] {
        let study = Results { objective, ..results(arms.clone()) };
        let found = analyse(&study, &mut generator(1)).verdict;
        assert_eq!(found.recommended.as_deref(), Some(chosen), "{objective:?}");
        assert_says(&found, &[part]);
    }
    // Memory that was not measured is equal to none.
    arms.iter_mut().flat_map(|arm| arm.runs.values_mut()).for_each(|run| run.peak_memory = 0);
    let study = Results { objective: Objective::Memory, ..results(arms) };
    let found = analyse(&study, &mut generator(1)).verdict;
    assert!(!said(&found).contains("as little memory"), "{}", said(&found));
}

#[test]
fn a_lighter_arm_is_no_more_than_that_and_what_needs_not_more_is_named() {
    let worse = [0.700, 0.701, 0.702, 0.700];
    let good = [0.800, 0.801, 0.802, 0.800];
    let mut arms = vec![arm(32, &good), arm(64, &good), arm(256, &worse)];
    let memory = [[100, 101, 100, 101], [140, 90, 150, 100], [50, 50, 50, 50]];
    for (arm, memory) in arms.iter_mut().zip(memory) {
        for (run, memory) in arm.runs.values_mut().zip(memory) {
            run.peak_memory = memory * 1_000_000;
        }
    }
    let study = Results { objective: Objective::Memory, ..results(arms) };
    let found = analyse(&study, &mut generator(1)).verdict;
    assert_eq!(found.recommended.as_deref(), Some("batch-32"));
    let says = "though it is not shown to need less memory than batch size 64 (1.17 times as much";
    assert_says(&found, &[says]);
}

#[test]
fn examples_until_a_target_can_count_instead_of_seconds() {
    let mut late = reaching(32, &[1.0, 1.1, 0.9]);
    for run in late.runs.values_mut() {
        run.curve.iter_mut().for_each(|point| point.examples *= 2);
    }
    let arms = vec![late, reaching(64, &[3.0, 3.1, 2.9])];
    let sparing = to_target_for(Objective::Examples, arms.clone());
    assert_eq!(sparing.recommended.as_deref(), Some("batch-64"));
    assert_says(&sparing, &["it reaches 80.0 % on validation with the fewest examples, in 3.0 s"]);
    assert_eq!(to_target(arms).recommended.as_deref(), Some("batch-32"));
}

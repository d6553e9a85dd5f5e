use super::*;
use crate::analysis::tests::{arm, results};
use crate::stats::Bounds;
use crate::stats::tests::near;

fn compared(arms: Vec<ArmResults>) -> Comparison {
    compare(&results(arms))
}

#[test]
fn the_best_is_chosen_on_validation_and_the_others_stand_to_it_by_pairs() {
    let found = compared(vec![
        arm(32, &[0.80, 0.82, 0.78, 0.81, 0.79]),
        arm(64, &[0.801, 0.821, 0.780, 0.811, 0.791]),
        arm(256, &[0.77, 0.79, 0.75, 0.78, 0.762]),
    ]);
    assert_eq!((found.best, found.seeds.len()), (Some(1), 5));
    let standings: Vec<_> = found.arms.iter().map(|arm| arm.standing.unwrap()).collect();
    assert_eq!(standings, [Standing::Equivalent, Standing::Equivalent, Standing::Out]);
    assert_eq!(found.arms[0].role, Role::Candidate);
    let first = found.arms[0].difference.unwrap();
    near(first.estimate.summary.mean, -0.0008, 1e-12);
    near(first.p_sign_flip.unwrap(), 0.125, 1e-12);
    assert_eq!(found.arms[2].may_be_best(), Some(false));
    assert!(found.arms[2].p_worse.unwrap() < 0.03 && found.arms[1].p_worse.unwrap() > 0.03);
}

#[test]
fn other_programs_are_told_no_best_arm_below_three_common_seeds() {
    let best = |seeds: usize| {
        let of = |size, scores: [f64; 3]| arm(size, &scores[..seeds]);
        let found = compared(vec![of(32, [0.8, 0.81, 0.8]), of(64, [0.9, 0.91, 0.9])]);
        assert_eq!(found.best, Some(1));
        serde_json::to_value(&found).unwrap()["best"].clone()
    };
    let told = [best(1), best(2), best(3)];
    assert_eq!(told, [serde_json::Value::Null, serde_json::Value::Null, 1.into()]);
}

#[test]
fn an_undecided_arm_says_how_many_seeds_would_show_it_to_be_equivalent() {
    let found = compared(vec![arm(32, &[0.80, 0.82, 0.78]), arm(64, &[0.79, 0.82, 0.785])]);
    let open = &found.arms[1];
    assert_eq!((open.standing, open.may_be_best()), (Some(Standing::Undecided), Some(true)));
    let summary = found.arms[0].difference.unwrap_or(open.difference.unwrap()).estimate.summary;
    let expected = Bounds::AnyLook.seeds_to_show(&[summary], 0.005, 0.03, 0.85);
    assert_eq!(open.seeds_needed, expected);
    assert!(expected.unwrap() > 10);
}

#[test]
fn bounds_are_t_at_one_look_and_those_of_a_sequence_once_seeds_were_added_corrected_for_the_arms() {
    let arms = vec![
        arm(32, &[0.80, 0.82, 0.78, 0.81, 0.79, 0.80, 0.81, 0.80]),
        arm(64, &[0.79, 0.82, 0.785, 0.80, 0.79, 0.80, 0.80, 0.81]),
        arm(128, &[0.70, 0.72, 0.68, 0.71, 0.69, 0.70, 0.71, 0.71]),
    ];
    for (looks, level, bounds) in [
        (Looks::Once, 0.015, Bounds::OneLook),
        (Looks::SeedsAdded, 0.015, Bounds::AnyLook),
        (Looks::UntilSettled, 0.025, Bounds::AnyLook),
    ] {
        let found = compare(&Results { looks, ..results(arms.clone()) });
        near(found.level, level, 1e-12);
        let second = found.arms[1].difference.unwrap().estimate.summary;
        let reach = second.bound(bounds, level).unwrap();
        let from_best = found.arms[1].from_best.unwrap();
        near(from_best.low, second.mean - reach, 1e-12);
        near(from_best.high, second.mean + reach, 1e-12);
        // The best lies as far ahead of the second as the second behind it.
        let best = found.arms[0].from_best.unwrap();
        near(best.low, -from_best.high, 1e-12);
        near(best.high, -from_best.low, 1e-12);
        assert_eq!(found.arms[2].standing, Some(Standing::Out));
    }
}

#[test]
fn an_arm_that_is_worse_by_less_than_the_margin_counts_as_equivalent() {
    let found = compared(vec![
        arm(32, &[0.8000, 0.8101, 0.7900, 0.8002, 0.8051]),
        arm(64, &[0.7970, 0.8070, 0.7871, 0.7971, 0.8020]),
    ]);
    let second = &found.arms[1];
    assert_eq!((second.standing, second.may_be_best()), (Some(Standing::Equivalent), Some(false)));
}

#[test]
fn an_arm_that_is_out_may_have_fewer_seeds_and_takes_none_from_the_others() {
    let found = compared(vec![
        arm(32, &[0.80, 0.82, 0.78, 0.81, 0.79, 0.80, 0.81, 0.80]),
        arm(64, &[0.79, 0.82, 0.785, 0.80, 0.79, 0.80, 0.80, 0.81]),
        arm(128, &[0.70, 0.72, 0.68, 0.71, 0.69]),
    ]);
    assert_eq!((found.seeds.len(), found.arms[2].role), (8, Role::Apart));
    assert_eq!(found.arms[2].standing, Some(Standing::Out));
}

#[test]
fn arms_are_compared_on_seeds_that_they_share() {
    let mut late = arm(64, &[0.9, 0.7, 0.8, 0.99]);
    late.runs.remove(&0);
    late.runs.remove(&3);
    let found = compared(vec![arm(32, &[0.1, 0.82, 0.78]), late.clone()]);
    assert_eq!((found.best, &found.seeds), (Some(0), &vec![1, 2]));
    assert_eq!(found.arms[1].difference.unwrap().estimate.summary.count, 2);
    late.runs.remove(&1);
    late.runs.remove(&2);
    late.runs.insert(7, super::super::tests::run(0.95));
    let apart = compared(vec![arm(32, &[0.1, 0.82, 0.78]), late]);
    assert_eq!((apart.best, apart.arms[1].role), (Some(0), Role::Apart));
    assert_eq!(apart.arms[1].difference, None);
}

#[test]
fn an_arm_that_diverged_is_compared_and_never_the_best() {
    let mut wild = arm(256, &[0.95, 0.96]);
    wild.diverged = vec![2];
    let found = compared(vec![arm(32, &[0.8, 0.81, 0.8]), wild]);
    assert_eq!((found.best, found.arms[1].role), (Some(0), Role::Diverged));
    assert!(found.arms[1].difference.is_some() && found.arms[1].may_be_best().is_none());
    assert!(found.standing(Standing::Equivalent).is_empty());
}

#[test]
fn one_seed_or_two_decide_nothing_and_equal_results_are_known_to_a_row() {
    let one = compared(vec![arm(32, &[0.8]), arm(64, &[0.6])]);
    assert_eq!(one.arms[1].standing, Some(Standing::Undecided));
    let two = compared(vec![arm(32, &[0.8, 0.8]), arm(64, &[0.6, 0.6001])]);
    assert_eq!((two.arms[1].standing, two.arms[1].from_best), (Some(Standing::Undecided), None));
    assert_eq!(one.arms[1].difference.unwrap().estimate.interval, None);
    assert_eq!(one.arms[1].may_be_best(), Some(true));
    let same = compared(vec![arm(32, &[0.8; 3]), arm(64, &[0.8; 3])]);
    assert_eq!((same.best, same.arms[1].standing), (Some(0), Some(Standing::Equivalent)));
    let interval = same.arms[1].difference.unwrap().estimate.interval.unwrap();
    assert!(interval.high > 0.0002 && interval.high < 0.001, "{interval:?}");
    let none = compared(vec![arm(32, &[]), arm(64, &[])]);
    assert_eq!((none.best, none.arms[0].role), (None, Role::Unfinished));
}

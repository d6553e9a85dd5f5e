use super::*;
use crate::analysis::tests::{arm, point, results};
use crate::analysis::{ArmResults, Rate};
use ClaimKind::{Dropout, FallingRate, FallingRateAt256, FasterEpochs, FewerUpdates, MoreMemory};

fn of(claims: &[Claim], kind: ClaimKind) -> &Claim {
    claims.iter().find(|claim| claim.claim == kind).unwrap()
}

fn with<const N: usize>(
    batch_size: usize,
    name: &str,
    scores: &[f64],
    set: [(&str, &str); N],
) -> ArmResults {
    let settings = set.map(|(path, value)| (path.to_owned(), value.to_owned()));
    ArmResults {
        name: name.into(),
        settings: settings.into_iter().collect(),
        ..arm(batch_size, scores)
    }
}

#[test]
fn arms_that_differ_in_one_setting_test_the_claim_about_it() {
    let plain = [0.80, 0.81, 0.79, 0.80, 0.82];
    let better = plain.map(|accuracy| accuracy + 0.02);
    let worse = [0.78, 0.80, 0.77, 0.785, 0.80];
    for (scores, expected) in [
        (better, Finding::Supported),
        (worse, Finding::Contradicted),
        (plain, Finding::Contradicted),
    ] {
        let study = results(vec![
            with(256, "plain", &plain, [("train.schedule", "constant")]),
            with(256, "falling", &scores, [("train.schedule", "lr * 0.9^epoch")]),
        ]);
        let claims = claims(&study, &study, None, None, None);
        let found = of(&claims, FallingRateAt256);
        assert_eq!(found.finding, expected, "{found:?}");
        assert!(matches!(found.because, Because::Setting { batch_size: 256, .. }), "{found:?}");
        assert_eq!(found.arms, Some(["falling".to_owned(), "plain".to_owned()]));
        assert_eq!(of(&claims, Dropout).finding, Finding::NotTested);
    }
}

#[test]
fn arms_with_their_own_tuned_rates_are_alike_and_those_with_other_given_ones_are_not() {
    let plain = [0.80, 0.81, 0.79, 0.80, 0.82];
    let better = plain.map(|accuracy| accuracy + 0.02);
    for (rate, expected) in [(Rate::Tuned, Finding::Supported), (Rate::Given, Finding::NotTested)] {
        let with = |scores, dropout, learning_rate| ArmResults {
            rate,
            learning_rate,
            ..with(64, dropout, scores, [("model.lstm.dropout", dropout)])
        };
        let study = results(vec![with(&plain, "0.0", 1e-3), with(&better, "0.2", 3e-3)]);
        assert_eq!(of(&claims(&study, &study, None, None, None), Dropout).finding, expected);
    }
}

#[test]
fn a_noisy_effect_is_inconclusive_and_says_what_could_have_been_found() {
    let study = results(vec![
        with(64, "plain", &[0.80, 0.83, 0.78], [("model.lstm.dropout", "0.0")]),
        with(64, "dropped", &[0.82, 0.80, 0.81], [("model.lstm.dropout", "0.2")]),
    ]);
    let claims = claims(&study, &study, None, None, None);
    let found = of(&claims, Dropout);
    assert_eq!(found.finding, Finding::Inconclusive);
    assert!(found.detectable.unwrap() > 0.02);
}

#[test]
fn memory_and_speed_are_read_off_the_runs() {
    let mut study = results(vec![arm(32, &[0.8, 0.8]), arm(1024, &[0.8, 0.8])]);
    for (seed, run) in &mut study.arms[1].runs {
        run.peak_memory = 800_000_000;
        run.train_seconds = 0.5 + 0.01 * *seed as f64;
    }
    let claims = claims(&study, &study, None, None, None);
    assert_eq!(of(&claims, MoreMemory).finding, Finding::Supported);
    let faster = of(&claims, FasterEpochs);
    assert_eq!(faster.finding, Finding::Supported, "{faster:?}");
    assert_eq!(of(&claims, ClaimKind::NoiseGeneralises).finding, Finding::NotTested);
}

#[test]
fn a_little_more_memory_is_no_more_memory() {
    let mut study = results(vec![arm(32, &[0.8; 4]), arm(1024, &[0.8; 4])]);
    for (seed, run) in &mut study.arms[1].runs {
        run.peak_memory = 201_000_000 + 1000 * seed;
    }
    let found = of(&claims(&study, &study, None, None, None), MoreMemory).clone();
    assert!(found.ratio.unwrap().interval.unwrap().low > 1.0, "{found:?}");
    assert_eq!(found.finding, Finding::Contradicted);
    let (sizes, bytes) = ([32, 1024], [200_000_000, 201_001_500]);
    assert_eq!(found.because, Because::Memory { sizes, bytes, is_equal: true });
}

#[test]
fn the_best_of_several_kinds_is_judged_as_the_best_of_several() {
    let plain = [0.80, 0.81, 0.79, 0.80, 0.82];
    // By itself the interval of this effect ends just above 0.
    let better = [0.808, 0.812, 0.799, 0.806, 0.822];
    let kinds = |count: usize| {
        let mut arms = vec![with(64, "plain", &plain, [("model.lstm.dropout", "0.0")])];
        for kind in 1..=count {
            let scores = if kind == 1 { better } else { plain };
            let dropout = format!("0.{kind}");
            let settings = [("model.lstm.dropout", dropout.as_str())];
            arms.push(with(64, &format!("dropped-{kind}"), &scores, settings));
        }
        of(&claims(&results(arms.clone()), &results(arms), None, None, None), Dropout).clone()
    };
    assert_eq!(kinds(1).finding, Finding::Supported);
    assert_eq!(kinds(3).finding, Finding::Inconclusive);
    assert!(matches!(kinds(3).because, Because::Setting { of_many: 3, .. }), "{:?}", kinds(3));
}

#[test]
fn dropout_of_any_layer_is_dropout() {
    let of_layers = |first: &str, second: &str| {
        let settings = [
            ("model.layers[0].lstm.dropout", first),
            ("model.layers[1].bidirectional.gru.recurrent_dropout", second),
        ];
        let found = results(vec![
            with(64, "plain", &[0.80, 0.81, 0.79], settings.map(|(path, _)| (path, "0.0"))),
            with(64, "dropped", &[0.83, 0.84, 0.82], settings),
        ]);
        of(&claims(&found, &found, None, None, None), Dropout).finding
    };
    assert_eq!(of_layers("0.2", "0.0"), Finding::Supported);
    assert_eq!(of_layers("0.0", "0.2"), Finding::Supported);
    assert_eq!(of_layers("0.0", "0.0"), Finding::NotTested);
}

#[test]
fn without_a_test_split_effects_are_those_on_validation_with_its_rounding() {
    let mut study = results(vec![
        with(64, "plain", &[0.80, 0.81, 0.79], [("model.lstm.dropout", "0.0")]),
        with(64, "dropped", &[0.82, 0.83, 0.81], [("model.lstm.dropout", "0.2")]),
    ]);
    for run in study.arms.iter_mut().flat_map(|arm| arm.runs.values_mut()) {
        run.test = None;
    }
    study.examples.test = None;
    let found = of(&claims(&study, &study, None, None, None), Dropout).clone();
    assert_eq!(found.finding, Finding::Supported, "{found:?}");
    let interval = found.effect.unwrap().interval.unwrap();
    assert!(interval.high - interval.low < 0.01, "{interval:?}");
}

#[test]
fn the_schedule_of_the_claim_is_judged_and_another_one_under_its_own_name() {
    let plain = [0.80, 0.81, 0.79, 0.80, 0.82];
    let better = plain.map(|accuracy| accuracy + 0.02);
    let worse = plain.map(|accuracy| accuracy - 0.02);
    let of = |arms: Vec<ArmResults>| {
        let study = results(arms);
        claims(&study, &study, None, None, None).swap_remove(6)
    };
    let schedule = |size, name, scores: &[f64; 5], value| {
        with(size, name, scores, [("train.schedule", value)])
    };
    // A larger batch size and a schedule that does more do not stand in for it.
    let others = vec![
        schedule(256, "plain", &plain, "constant"),
        schedule(256, "half", &better, "lr * 0.5^epoch"),
        schedule(512, "plain-512", &plain, "constant"),
        schedule(512, "falling-512", &better, "lr * 0.9^epoch"),
    ];
    let claimed = schedule(256, "falling", &worse, "lr * 0.9^epoch");
    let found = of([others.clone(), vec![claimed]].concat());
    assert_eq!(found.finding, Finding::Contradicted, "{found:?}");
    assert_eq!(found.claim, FallingRateAt256);
    assert_eq!(found.arms, Some(["falling".to_owned(), "plain".to_owned()]));
    let other = of(others[..2].to_vec());
    assert_eq!(other.claim, FallingRate);
    let Because::Setting { settings, .. } = other.because else { panic!("{:?}", other.because) };
    assert_eq!(settings, [["train.schedule", "lr * 0.5^epoch"].map(String::from)]);
    assert!((other.effect.unwrap().summary.mean - 0.02).abs() < 1e-9);
    // With another learning rate it is another claim.
    let mut faster = [others[0].clone(), schedule(256, "falling", &better, "lr * 0.9^epoch")];
    faster.iter_mut().for_each(|arm| arm.learning_rate = 1e-2);
    assert_eq!(of(faster.to_vec()).claim, FallingRate);
}

#[test]
fn what_survived_of_an_arm_that_diverged_tests_no_claim() {
    let plain = [0.80, 0.81, 0.79, 0.80, 0.82];
    let mut wild = with(64, "dropped", &plain.map(|a| a + 0.02), [("model.lstm.dropout", "0.2")]);
    let off = with(64, "plain", &plain, [("model.lstm.dropout", "0.0")]);
    let of = |wild: &ArmResults| {
        let study = results(vec![off.clone(), wild.clone()]);
        of(&claims(&study, &study, None, None, None), Dropout).finding
    };
    assert_eq!(of(&wild), Finding::Supported);
    wild.diverged = vec![7];
    assert_eq!(of(&wild), Finding::NotTested);
}

#[test]
fn an_effect_that_is_contradicted_for_being_small_says_so() {
    let plain = [0.80, 0.81, 0.79, 0.80, 0.82];
    let hardly = plain.map(|accuracy| accuracy + 0.002);
    let study = results(vec![
        with(64, "plain", &plain, [("model.lstm.dropout", "0.0")]),
        with(64, "dropped", &hardly, [("model.lstm.dropout", "0.2")]),
    ]);
    let found = of(&claims(&study, &study, None, None, None), Dropout).clone();
    assert_eq!(found.finding, Finding::Contradicted);
    assert!(found.effect.unwrap().interval.unwrap().low > 0.0);
    assert!(matches!(found.because, Because::Setting { is_small: true, .. }), "{found:?}");
}

/// An arm whose runs come to 80 % after so many steps; 0 for never.
fn reaching(batch_size: usize, steps: [u64; 3]) -> ArmResults {
    let mut arm = arm(batch_size, &[0.85; 3]);
    for (run, steps) in arm.runs.values_mut().zip(steps) {
        let last = if steps > 0 { point(steps, 0.8) } else { point(500, 0.7) };
        run.curve = vec![point(1, 0.6), last];
    }
    arm
}

#[test]
fn how_fast_larger_batches_converge_is_told_by_the_updates_to_the_target() {
    let target = Target::of_accuracy(0.8);
    let of = |large| {
        let study = results(vec![reaching(32, [200, 210, 190]), reaching(256, large)]);
        of(&claims(&study, &study, Some(&target), None, None), FewerUpdates).clone()
    };
    let fewer = of([100, 101, 99]);
    assert_eq!(fewer.finding, Finding::Supported, "{fewer:?}");
    let ratio = fewer.ratio.unwrap();
    assert!((ratio.value - 2.0).abs() < 0.05 && ratio.interval.unwrap().low > 1.5, "{ratio:?}");
    assert_eq!(of([400, 420, 390]).finding, Finding::Contradicted);
    let some = of([100, 101, 0]);
    assert_eq!(some.finding, Finding::Inconclusive);
    let facts = |claim: &Claim| match claim.because {
        Because::Updates { known, inexact, seeds, times, .. } => {
            (known, inexact, seeds, times.value)
        }
        _ => panic!("{claim:?}"),
    };
    assert_eq!((facts(&some).0, facts(&some).1, facts(&some).2), (Known::Exactly, 1, 3));
    // Seeds of which a bound is known count as such, where it is on the same side.
    let never_by = |steps: u64| {
        let mut slow = reaching(32, [200, 210, 0]);
        slow.runs.get_mut(&2).unwrap().curve = vec![point(1, 0.6), point(steps, 0.7)];
        let study = results(vec![slow, reaching(256, [100, 101, 99])]);
        let found = claims(&study, &study, Some(&target), None, None);
        self::of(&found, FewerUpdates).clone()
    };
    let found = never_by(230);
    assert_eq!((found.finding, found.ratio), (Finding::Supported, None), "{found:?}");
    let (known, inexact, seeds, times) = facts(&found);
    assert_eq!((known, inexact, seeds), (Known::AtLeast, 1, 3));
    assert!((times - 2.13).abs() < 0.005, "{times}");
    // A bound far out widens the spread of three seeds too much to tell.
    assert_eq!(never_by(5000).finding, Finding::Inconclusive);
    // One exact seed and bounds beyond it are not taken for certainty.
    let bounds = results(vec![reaching(32, [105, 0, 0]), reaching(256, [100, 101, 99])]);
    let alone = claims(&bounds, &bounds, Some(&target), None, None);
    assert_eq!(self::of(&alone, FewerUpdates).finding, Finding::Inconclusive);
    assert_eq!(found.arms, Some(["batch-32".to_owned(), "batch-256".to_owned()]));
    // What diverged never got there.
    let mut wild = reaching(256, [100, 101, 99]);
    wild.runs.remove(&2);
    wild.diverged = vec![2];
    let study = results(vec![reaching(32, [200, 210, 190]), wild]);
    let found = claims(&study, &study, Some(&target), None, None);
    assert_eq!(self::of(&found, FewerUpdates).finding, Finding::Inconclusive);
    // Nor is it the batch size where the rates differ.
    let faster = ArmResults { learning_rate: 1e-2, ..reaching(256, [100, 101, 99]) };
    let study = results(vec![reaching(32, [200, 210, 190]), faster]);
    let found = claims(&study, &study, Some(&target), None, None);
    assert_eq!(self::of(&found, FewerUpdates).finding, Finding::NotTested);
}

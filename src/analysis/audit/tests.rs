use super::*;
use crate::analysis::compare;
use crate::analysis::tests::{arm, results};

fn found(facts: impl Fn(&mut ArmFacts)) -> Vec<Confounder> {
    let mut arms = vec![arm(32, &[0.8, 0.81]), arm(1024, &[0.8, 0.82])];
    arms.iter_mut().for_each(|arm| facts(&mut arm.facts));
    let results = results(arms);
    audit(&results, &compare(&results))
}

fn at(batch_size: usize, count: u64) -> At {
    At { batch_size, count }
}

#[test]
fn what_goes_with_the_batch_size_is_found_with_its_numbers() {
    let found = found(|facts| {
        *facts = ArmFacts {
            decay_of_squares: Some(0.999),
            penalised: true,
            patience: Some(2),
            schedule_by_epoch: Some(true),
            ..ArmFacts::default()
        };
    });
    let updates = |batch_size: usize, steps: u64| Updates {
        arm: format!("batch-{batch_size}"),
        batch_size,
        steps,
    };
    let (patience, schedule) = (vec![at(32, 376), at(1024, 12)], [at(32, 188), at(1024, 6)]);
    for expected in [
        Confounder::Updates { fewest: updates(1024, 12), most: updates(32, 400) },
        Confounder::GivenRates { rates: vec![1e-3], given: Given::ToAll },
        Confounder::OptimizerMemory {
            small: at(32, 32_000),
            large: at(1024, 1_024_000),
            rows: Some(6000),
        },
        Confounder::Penalties { sizes: [32, 1024] },
        Confounder::Patience { steps: patience, some_without: false },
        Confounder::Schedule { small: schedule[0], large: schedule[1] },
        Confounder::MuchData { sizes: vec![1024], rows: 6000 },
        // 6000 = 187 * 32 + 16, half a batch; 6000 = 5 * 1024 + 880: neither is short.
        Confounder::LastBatch { rows: at(32, 16) },
    ] {
        assert!(found.contains(&expected), "{expected:?}: {found:?}");
    }
    assert!(found.windows(2).all(|pair| pair[0].weight() <= pair[1].weight()));
}

#[test]
fn patience_is_told_of_the_arms_that_have_it() {
    let with = |patient: [bool; 3]| {
        let mut study = results(vec![arm(32, &[0.8]), arm(64, &[0.8]), arm(256, &[0.8])]);
        for (arm, patient) in study.arms.iter_mut().zip(patient) {
            arm.facts.patience = patient.then_some(2);
        }
        let found = audit(&study, &compare(&study));
        let is_patience = |found: &Confounder| matches!(found, Confounder::Patience { .. });
        found.into_iter().find(is_patience)
    };
    let [medium, large] = [at(64, 188), at(256, 48)];
    let both = Confounder::Patience { steps: vec![medium, large], some_without: true };
    assert_eq!((with([false, true, true]), both.weight()), (Some(both), Weight::Confounds));
    let one = Confounder::Patience { steps: vec![medium], some_without: true };
    assert_eq!((with([false, true, false]), one.weight()), (Some(one), Weight::Notice));
    assert_eq!(with([false; 3]), None);
}

#[test]
fn arms_on_different_hardware_are_told_and_those_on_the_same_are_not() {
    let with = |hardware: [&[&str]; 2]| {
        let mut study = results(vec![arm(32, &[0.8]), arm(256, &[0.8])]);
        for (arm, kinds) in study.arms.iter_mut().zip(hardware) {
            arm.facts.hardware = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        }
        let found = audit(&study, &compare(&study));
        found.into_iter().find(|found| matches!(found, Confounder::Hardware { .. }))
    };
    let kinds = vec!["A100".to_owned(), "H100".to_owned()];
    let both = Confounder::Hardware { kinds };
    assert_eq!(both.weight(), Weight::Notice);
    assert_eq!(with([&["A100"], &["H100"]]), Some(both.clone()));
    assert_eq!(with([&["A100"], &["A100", "H100"]]), Some(both));
    assert_eq!(with([&["A100", "H100"], &["A100", "H100"]]), None);
    assert_eq!(with([&["A100"], &[]]), None, "not known for one");
}

#[test]
fn runs_that_shared_a_gpu_are_told() {
    let with = |sharing: [usize; 2]| {
        let mut study = results(vec![arm(32, &[0.8]), arm(256, &[0.8])]);
        study.arms.iter_mut().zip(sharing).for_each(|(arm, runs)| arm.facts.sharing = runs);
        let found = audit(&study, &compare(&study));
        found.into_iter().find(|found| matches!(found, Confounder::SharedGpu { .. }))
    };
    assert_eq!(with([1, 1]), None);
    assert_eq!(with([1, 15]), Some(Confounder::SharedGpu { runs: 15 }));
}

#[test]
fn what_is_not_there_is_not_found() {
    let found = found(|_| {});
    let is_there = |found: &Confounder| {
        matches!(
            found,
            Confounder::Penalties { .. }
                | Confounder::Patience { .. }
                | Confounder::Schedule { .. }
                | Confounder::OptimizerMemory { .. }
                | Confounder::Settings { .. }
        )
    };
    assert!(!found.iter().any(is_there), "{found:?}");
    assert!(found.contains(&Confounder::Padding { is_read: false }));
}

#[test]
fn a_short_last_batch_and_one_that_holds_all_rows_are_found() {
    let mut study = results(vec![arm(32, &[0.8]), arm(64, &[0.8]), arm(8000, &[0.8])]);
    study.examples.train = Some(6401);
    let found = audit(&study, &compare(&study));
    let last = Confounder::ShortLastBatch { rows: vec![at(32, 1), at(64, 1)] };
    assert_eq!(last.weight(), Weight::Notice);
    assert!(found.contains(&last), "{found:?}");
    assert!(found.contains(&Confounder::WholeData { sizes: vec![8000], rows: 6401 }));
}

use super::*;
use crate::analysis::compare;
use crate::analysis::tests::{arm, results};

fn found(facts: impl Fn(&mut ArmFacts)) -> Vec<Confounder> {
    let mut arms = vec![arm(32, &[0.8, 0.81]), arm(1024, &[0.8, 0.82])];
    arms.iter_mut().for_each(|arm| facts(&mut arm.facts));
    let results = results(arms);
    audit(&results, &compare(&results))
}

fn said(found: &[Confounder], name: &str) -> Option<String> {
    found.iter().find(|c| c.name == name).map(|c| c.said.clone())
}

#[test]
fn what_goes_with_the_batch_size_is_said_with_numbers() {
    let found = found(|facts| {
        *facts = ArmFacts {
            beta_2: Some(0.999),
            penalised: true,
            patience: Some(2),
            schedule_by_epoch: Some(true),
            ..ArmFacts::default()
        };
    });
    let has = |name, part: &str| {
        let said = said(&found, name).unwrap_or_default();
        assert!(said.contains(part), "{name}: {said}");
    };
    has("updates", "from 12 steps with batch size 1,024 to 400 with batch size 32");
    has("learning rate", "0.001, which was tuned for none");
    has("memory of Adam", "32,000 examples (5.3 epochs) at batch size 32 and over 1,024,000");
    has("penalties", "32 times as often");
    has("patience", "376 steps at batch size 32, 12 steps at batch size 1,024");
    has("schedule", "188 steps at batch size 32 and 6 at 1,024");
    has("batch and data", "more than a tenth of the 6,000");
    // 6000 = 187 * 32 + 16, half a batch; 6000 = 5 * 1024 + 880: neither is short.
    has("last batch", "16 rows at batch size 32 (2.0 times the weight)");
    let last = found.iter().find(|confounder| confounder.name == "last batch").unwrap();
    assert_eq!(last.weight, Weight::Harmless);
    assert!(found.windows(2).all(|pair| pair[0].weight <= pair[1].weight));
}

#[test]
fn patience_is_told_of_the_arms_that_have_it() {
    let with = |patient: [bool; 3]| {
        let mut study = results(vec![arm(32, &[0.8]), arm(64, &[0.8]), arm(256, &[0.8])]);
        for (arm, patient) in study.arms.iter_mut().zip(patient) {
            arm.facts.patience = patient.then_some(2);
        }
        let found = audit(&study, &compare(&study));
        let found = found.into_iter().find(|confounder| confounder.name == "patience");
        found.map(|found| (found.weight, found.said))
    };
    let (weight, said) = with([false, true, true]).unwrap();
    assert_eq!(weight, Weight::Confounds);
    assert!(
        said.ends_with(
            "188 steps at batch size 64, 48 steps at batch size 256; other arms have none"
        ),
        "{said}"
    );
    let (weight, said) = with([false, true, false]).unwrap();
    assert_eq!(weight, Weight::Notice);
    assert!(said.contains("188 steps at batch size 64; other arms"), "{said}");
    assert_eq!(with([false; 3]), None);
}

#[test]
fn what_is_not_there_is_not_said() {
    let found = found(|_| {});
    for name in ["penalties", "patience", "schedule", "memory of Adam", "settings"] {
        assert_eq!(said(&found, name), None, "{name}");
    }
    assert!(said(&found, "padding").is_some());
}

#[test]
fn a_short_last_batch_and_one_that_holds_all_rows_are_found() {
    let mut study = results(vec![arm(32, &[0.8]), arm(64, &[0.8]), arm(8000, &[0.8])]);
    study.examples.train = Some(6401);
    let found = audit(&study, &compare(&study));
    let last = found.iter().find(|confounder| confounder.name == "last batch").unwrap();
    assert_eq!(last.weight, Weight::Notice);
    assert!(last.said.contains("1 row at batch size 32 (32 times"), "{}", last.said);
    assert!(said(&found, "batch and data").unwrap().contains("all 6,401"));
}

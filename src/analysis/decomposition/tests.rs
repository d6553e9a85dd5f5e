use super::take_apart::remainder;
use super::*;
use crate::analysis::tests::{gap_arms, point, results};
use crate::analysis::{Budget, Rate, Results};
use crate::stats::tests::{generator, near, normals};
use crate::stats::{least_errors_to_margin, seeds_to_settle};

/// The five arms with these scores on every seed, and the same noise for a seed in all.
fn study(scores: [f64; 5], noise: f64, own: f64) -> Results {
    let mut rng = generator(7);
    let common = normals(&mut rng, 8, 0.0, noise);
    let mut arms = gap_arms(|place| {
        let own = normals(&mut rng, 8, 0.0, own);
        common.iter().zip(&own).map(|(a, b)| scores[place] + a + b).collect()
    });
    let steps_of_small = arms[2].runs[&0].steps;
    arms[4].runs.values_mut().for_each(|run| run.steps = steps_of_small);
    Results { decompose: Some([32, 256]), ..results(arms) }
}

fn found(scores: [f64; 5]) -> Decomposition {
    decompose(&study(scores, 0.02, 5e-4)).unwrap().unwrap()
}

fn means(parts: &Parts) -> [f64; 4] {
    parts.all().map(|part| part.estimate.summary.mean)
}

#[test]
fn a_planted_deficit_is_found_in_its_part_with_its_sign() {
    // Too few updates alone: 3 points are lacking until the large batch makes as many.
    let updates = found([0.85, 0.82, 0.85, 0.82, 0.85]);
    for (mean, planted) in means(updates.parts()).into_iter().zip([0.03, 0.0, 0.03, 0.0]) {
        near(mean, planted, 1e-3);
    }
    assert_eq!(updates.remainder, Remainder::Immaterial);
    // The rate alone: tuning gives the large batch 3 points, and the small one 1.
    let rate = found([0.84, 0.82, 0.85, 0.85, 0.85]);
    for (mean, planted) in means(rate.parts()).into_iter().zip([0.02, 0.02, 0.0, 0.0]) {
        near(mean, planted, 1e-3);
    }
    // The batch size itself, both ways.
    let worse = found([0.85, 0.80, 0.85, 0.80, 0.80]);
    near(means(worse.parts())[3], 0.05, 1e-3);
    assert_eq!(worse.remainder, Remainder::LargeWorse);
    let better = found([0.80, 0.85, 0.80, 0.85, 0.85]);
    near(means(better.parts())[3], -0.05, 1e-3);
    assert_eq!(better.remainder, Remainder::LargeBetter);
}

#[test]
fn the_parts_add_up_to_the_total_on_both_splits() {
    let found = found([0.81, 0.79, 0.84, 0.83, 0.835]);
    for parts in [&found.validation, found.test.as_ref().unwrap()] {
        let [total, rate, updates, residual] = means(parts);
        near(total, rate + updates + residual, 1e-12);
    }
    assert_eq!((found.small, found.large, found.seeds.len()), (32, 256, 8));
}

#[test]
fn what_common_noise_does_to_all_arms_cancels_and_own_noise_leaves_it_open() {
    let wide = study([0.85; 5], 0.02, 0.02);
    let found = decompose(&wide).unwrap().unwrap();
    assert_eq!(found.remainder, Remainder::Open);
    assert!(found.seeds_needed.unwrap() > 8);
    let narrow = study([0.85; 5], 0.05, 5e-4);
    let found = decompose(&narrow).unwrap().unwrap();
    assert_eq!(found.remainder, Remainder::Immaterial);
}

/// The study with answers to so many test rows, each run being right in its share of them; the arms
/// are right in different rows as far as their shares allow.
fn with_answers(mut study: Results, rows: usize) -> Results {
    for (place, arm) in study.arms.iter_mut().enumerate() {
        for run in arm.runs.values_mut() {
            let right = (run.test.unwrap() * rows as f64).round() as usize;
            let first = place * rows / 5;
            let is_right = |row: usize| (row + rows - first) % rows < right;
            run.rows = (0..rows).map(|row| f32::from(u8::from(is_right(row)))).collect();
        }
    }
    study
}

#[test]
fn test_rows_keep_a_part_open_that_seeds_alone_would_settle() {
    let plain = study([0.85; 5], 0.05, 5e-4);
    let of = |study: &Results| decompose(study).unwrap().unwrap();
    assert_eq!(of(&plain).remainder, Remainder::Immaterial);
    let found = of(&with_answers(plain, 2000));
    let residual = found.parts().residual.estimate;
    let alone = residual.summary.over_seeds().interval(CONFIDENCE).unwrap();
    let both = residual.interval.unwrap();
    assert!(both.high - both.low > 10.0 * (alone.high - alone.low), "{both:?}, {alone:?}");
    assert_eq!((found.remainder, found.seeds_needed), (Remainder::Open, None));
    let rows = found.rows_needed.unwrap();
    assert_eq!((residual.summary.count, residual.summary.rows.unwrap().rows), (8, 2000));
    // So many of the same kind have the error that lets seeds settle it.
    let error = residual.summary.rows.unwrap().error * (2000.0 / rows as f64).sqrt();
    near(0.005 / error, least_errors_to_margin(CONFIDENCE, 0.9), 1e-3);
}

#[test]
fn more_rows_are_asked_for_only_where_those_there_are_stand_in_the_way() {
    // So near the margin that neither seeds nor rows are to blame alone: the rows that are named are
    // more than there are, or none are.
    for own in [1e-4, 1e-3, 5e-3] {
        for accuracy in [0.8500, 0.8530, 0.8545, 0.8549, 0.8551] {
            let plain = study([0.85, 0.85, accuracy, 0.85, 0.85], 0.02, own);
            for rows in [500, 5000, 200_000] {
                let found = decompose(&with_answers(plain.clone(), rows)).unwrap().unwrap();
                assert!(found.rows_needed.is_none_or(|needed| needed > rows), "{accuracy}, {rows}");
            }
            assert_eq!(decompose(&plain).unwrap().unwrap().rows_needed, None);
        }
    }
}

#[test]
fn where_the_residual_lies_near_the_margin_the_distance_tells_how_many_seeds_it_takes() {
    let found = found([0.85, 0.85, 0.8549, 0.85, 0.85]);
    assert_eq!(found.remainder, Remainder::Open);
    let residual = found.parts().residual.estimate.summary;
    let distance = 0.005 - residual.mean;
    let needed = seeds_to_settle(&residual, distance, CONFIDENCE, 0.9);
    assert!(needed > Some(found.seeds.len() + 1), "{needed:?}");
    assert_eq!(found.seeds_needed, needed);
}

#[test]
fn what_the_long_runs_lose_to_overfitting_is_not_put_down_to_the_batch_size() {
    let mut study = study([0.85, 0.80, 0.85, 0.80, 0.80], 0.02, 5e-4);
    for run in study.arms[4].runs.values_mut() {
        // They had been as good as the small batch before they lost 5 points again.
        run.curve = vec![point(1, run.validation + 0.05), point(1, run.validation)];
    }
    let found = decompose(&study).unwrap().unwrap();
    near(means(&found.validation)[3], 0.05, 1e-3);
    near(means(&found.best)[3], 0.0, 1e-3);
    assert_eq!(found.remainder, Remainder::AtTheEndAlone);
}

#[test]
fn updates_that_early_stopping_made_unequal_are_told() {
    let mut study = study([0.85; 5], 0.02, 5e-4);
    let of = |study: &Results| decompose(study).unwrap().unwrap();
    let updates = of(&study).arms.map(|arm| arm.updates);
    assert_eq!(updates.map(|mean| mean as u64), [400, 50, 400, 50, 400]);
    assert_eq!(of(&study).unequal_updates(), None);
    for (seed, run) in &mut study.arms[4].runs {
        run.steps = 100 + 10 * seed;
    }
    assert_eq!(of(&study).unequal_updates(), Some([400.0, 135.0]));
}

#[test]
fn the_one_seed_that_makes_the_gap_uncertain_is_named() {
    let mut study = study([0.85, 0.84, 0.85, 0.85, 0.85], 0.0, 1e-3);
    let of = |study: &Results| decompose(study).unwrap().unwrap().odd_seed;
    assert_eq!(of(&study), None);
    study.arms[0].runs.get_mut(&6).unwrap().test = Some(0.70);
    let odd = of(&study).unwrap();
    assert_eq!((odd.seed, odd.batch_size, odd.score), (6, 32, 0.70));
    assert!(odd.others[0] > 0.83 && odd.others[1] < 0.85, "{odd:?}");
}

#[test]
fn overfitting_that_is_not_shown_is_not_blamed() {
    // At the end just beyond the margin, at best just not, with the same mean.
    let summary = |sd| Summary { count: 8, mean: 0.02, sd: Some(sd), rows: None };
    let lost = |spread: f64| Estimate::of(&[-spread, spread, -spread, spread], 0.0).unwrap();
    let found = remainder(&summary(0.0175), &summary(0.019), &lost(0.01), 0.005);
    assert_eq!(found, Remainder::Open);
    let lost = Estimate::of(&[0.019, 0.021, 0.02, 0.02], 0.0).unwrap();
    let found = remainder(&summary(0.0175), &summary(0.019), &lost, 0.005);
    assert_eq!(found, Remainder::AtTheEndAlone);
}

#[test]
fn a_missing_arm_is_named() {
    let mut study = study([0.85; 5], 0.02, 0.0);
    study.arms.pop();
    let reason = decompose(&study).unwrap().unwrap_err();
    let (rate, budget) = (Rate::Tuned, Budget::Steps);
    assert_eq!(reason, NoDecomposition::Arms { count: 0, batch_size: 256, rate, budget });
    study.decompose = None;
    assert!(decompose(&study).is_none());
}

#[test]
fn arms_whose_runs_are_the_same_take_no_part() {
    let mut study = study([0.85, 0.84, 0.85, 0.84, 0.84], 0.02, 5e-4);
    for (copy, of) in [(2, 0), (3, 1), (4, 1)] {
        study.arms[copy].runs = study.arms[of].runs.clone();
    }
    let found = decompose(&study).unwrap().unwrap();
    assert!(found.kept_rates() && found.kept_updates());
    assert_eq!(found.arms.map(|arm| arm.updates as u64), [400, 50, 400, 50, 50]);
}

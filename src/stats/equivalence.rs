//! Is an arm as good as another, but for a margin that was declared beforehand?
//!
//! "No difference was found" is never "there is none". Non-inferiority turns the question round:
//! the arm counts as good when the one-sided lower bound of its difference exceeds -margin. TOST
//! (two one-sided tests, Schuirmann 1987, J. Pharmacokinet. Biopharm. 15) asks both sides.

use super::Summary;
use serde::Serialize;

/// Where a difference (this arm minus the reference) stands against a margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Not worse by more than the margin: the lower bound exceeds -margin.
    Within,
    /// Worse by more than the margin: the upper end of the two-sided interval is below -margin.
    Beyond,
    /// Not settled.
    Open,
}

/// Where a difference stands: within by the one-sided lower bound of this confidence, beyond by the
/// interval, as it is printed: what is called worse must not hold 0. One value settles nothing.
pub fn standing(difference: &Summary, margin: f64, confidence: f64) -> Standing {
    match (difference.lower_bound(confidence), difference.interval(confidence)) {
        (Some(lower), _) if lower > -margin => Standing::Within,
        (_, Some(interval)) if interval.high < -margin => Standing::Beyond,
        _ => Standing::Open,
    }
}

/// The p value of "the difference is at least the margin, one way or the other": the larger of the
/// two one-sided ones. At most 0.05 just when the 90 % interval lies within the margin.
pub fn equivalence_p(difference: &Summary, margin: f64) -> Option<f64> {
    let above = difference.p_above(-margin)?;
    let below = 1.0 - difference.p_above(margin)?;
    Some(above.max(below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::summarise;
    use crate::stats::tests::{generator, near, normals};

    fn share(count: usize, truth: f64, seed: u64, wanted: Standing) -> f64 {
        let mut rng = generator(seed);
        let stands = |_| {
            let values = normals(&mut rng, count, truth, 0.004);
            usize::from(standing(&summarise(&values).unwrap(), 0.005, 0.95) == wanted)
        };
        (0..4000).map(stands).sum::<usize>() as f64 / 4000.0
    }

    #[test]
    fn an_arm_on_the_margin_passes_in_5_and_fails_in_2_5_percent() {
        near(share(5, -0.005, 3, Standing::Within), 0.05, 0.011);
        near(share(5, -0.005, 4, Standing::Beyond), 0.025, 0.008);
    }

    #[test]
    fn equal_arms_pass_and_a_planted_deficit_is_found() {
        assert!(share(10, 0.0, 5, Standing::Within) > 0.95);
        assert!(share(10, 0.0, 5, Standing::Beyond) < 0.001);
        assert!(share(10, -0.012, 6, Standing::Beyond) > 0.99);
        assert_eq!(standing(&summarise(&[0.0]).unwrap(), 0.005, 0.95), Standing::Open);
    }

    /// `statsmodels.stats.weightstats.DescrStatsW(x).ttost_mean(-0.02, 0.02)[0]` for
    /// `x = [0.012, -0.003, 0.007, 0.009, 0.001]`.
    #[test]
    fn tost_is_that_of_statsmodels_and_agrees_with_the_90_percent_interval() {
        let summary = summarise(&[0.012, -0.003, 0.007, 0.009, 0.001]).unwrap();
        near(equivalence_p(&summary, 0.02).unwrap(), STATSMODELS, 1e-10);
        let interval = summary.interval(0.9).unwrap();
        for margin in [0.008, 0.0105, 0.0115, 0.02] {
            let inside = interval.low > -margin && interval.high < margin;
            assert_eq!(equivalence_p(&summary, margin).unwrap() < 0.05, inside, "{margin}");
        }
    }
    const STATSMODELS: f64 = 0.002797451853774685;
}

//! Is an arm as good as another, but for a margin that was declared beforehand?
//!
//! "No difference was found" is never "there is none". Non-inferiority turns the question round:
//! the arm counts as good when the one-sided lower bound of its difference exceeds -margin. TOST
//! (two one-sided tests, Schuirmann 1987, J. Pharmacokinet. Biopharm. 15) asks both sides.

use super::Summary;
use serde::Serialize;

/// How an arm stands to the best of a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// No arm that may be the best is better by the margin or more.
    Equivalent,
    /// Some arm is better.
    Out,
    /// Neither is shown.
    Undecided,
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
    use crate::stats::tests::near;

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

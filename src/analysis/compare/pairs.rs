//! What pairs of arms decide: which arms are out, which are equivalent to the best, and how far each
//! may lie from the best of the others.
//!
//! ```text
//! d_ij          mean validation score of i minus that of j, seed by seed, over seeds that both have
//! l_ij, u_ij    its one-sided bounds, each at the level a / (k - 1) for k arms
//! out           u_ij < 0 for some j:            i is worse than some arm
//! equivalent    l_ij > -margin for every j that is not out: no arm that may be the best is better by
//!               the margin or more
//! from best     min l_ij to min u_ij: i minus the best of the others, as far as the score's range goes
//! ```
//!
//! These are multiple comparisons with the best (Hsu 1984, Ann. Stat. 12). Both errors that matter, that
//! the best arm is out and that an arm the margin or more behind counts as equivalent, are one-sided
//! events of the k - 1 pairs with the true best arm, so that the level a / (k - 1) a pair keeps all of them
//! together below a. Arms that are out need no further correction: that the best one is among them is
//! counted already.
//!
//! Where seeds are added after results were looked at, the bounds are those of the t confidence
//! sequence. A study whose number of seeds was planned decides by t at its first look; that look spends
//! 3 of the 5 %, and seeds that are added to it decide by a sequence at 3 %, of which it uses less than
//! 2. `simulation` shows the errors of both together.

use crate::analysis::estimate::paired;
use crate::analysis::{Results, RunResults, Split};
use crate::stats::{Bounds, Interval, Standing, Summary, summarise};
use serde::Serialize;
use std::cmp::Ordering;

/// Two seeds decide nothing: with one degree of freedom an interval rests on the normal distribution
/// alone.
pub(super) const LEAST_SEEDS: usize = 3;

/// How the results of a study were come by, as far as its decisions depend on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Looks {
    /// The seeds were planned, and this is the first look.
    #[default]
    Once,
    /// Seeds were added after a look.
    SeedsAdded,
    /// Seeds are added until it is settled, as was declared before the first one.
    UntilSettled,
}

impl Looks {
    /// The chance of a wrong decision that the bounds are made for.
    fn level(self) -> f64 {
        match self {
            Self::Once | Self::SeedsAdded => 0.03,
            Self::UntilSettled => 0.05,
        }
    }

    /// The one-sided level of each bound between so many arms.
    fn level_of(self, arms: usize) -> f64 {
        self.level() / (arms.max(2) - 1) as f64
    }

    /// The bounds that decide.
    fn bounds(self) -> Bounds {
        match self {
            Self::Once => Bounds::OneLook,
            Self::SeedsAdded | Self::UntilSettled => Bounds::AnyLook,
        }
    }

    /// Those that decide at a later look.
    fn next(self) -> Self {
        match self {
            Self::Once => Self::SeedsAdded,
            other => other,
        }
    }
}

/// The arms that can be compared, pair by pair.
pub(super) struct Pairs {
    /// Their places among all arms.
    pub(super) arms: Vec<usize>,
    /// `differences[i][j]`: i minus j; `None` for i itself, and without a common seed.
    differences: Vec<Vec<Option<Summary>>>,
    /// `bounds[i][j]`: l_ij and u_ij.
    bounds: Vec<Vec<Option<Interval>>>,
    /// Whether some arm is shown to be better.
    beaten: Vec<bool>,
    looks: Looks,
    margin: f64,
    /// No difference is larger.
    most: f64,
}

impl Pairs {
    /// Of the arms with finished runs of which none diverged.
    pub(super) fn of(results: &Results) -> Self {
        let fit = |place: &usize| {
            let arm = &results.arms[*place];
            !arm.runs.is_empty() && arm.diverged.is_empty()
        };
        let arms: Vec<usize> = (0..results.arms.len()).filter(fit).collect();
        let least_sd = results.rounding_sd(Split::Validation, 2.0);
        let difference = |i: usize, j: usize| {
            let validation = |run: &RunResults| Some(run.validation);
            let values = paired(&results.arms[i], &results.arms[j], validation);
            let summary = summarise(&values).filter(|_| i != j)?;
            Some(summary.with_spread_of_at_least(least_sd))
        };
        let looks = results.looks;
        let level = looks.level_of(arms.len());
        let bounds = |difference: &Option<Summary>| {
            let summary = difference.filter(|found| found.count >= LEAST_SEEDS)?;
            let reach = summary.bound(looks.bounds(), level)?;
            Some(Interval { low: summary.mean - reach, high: summary.mean + reach })
        };
        let differences: Vec<Vec<Option<Summary>>> =
            arms.iter().map(|i| arms.iter().map(|j| difference(*i, *j)).collect()).collect();
        let bounds: Vec<Vec<Option<Interval>>> =
            differences.iter().map(|row| row.iter().map(bounds).collect()).collect();
        let is_worse = |found: &Interval| found.high < 0.0;
        let beaten = bounds.iter().map(|row| row.iter().flatten().any(is_worse)).collect();
        let (margin, most) = (results.margin, results.score.range[1] - results.score.range[0]);
        Self { arms, differences, bounds, beaten, looks, margin, most }
    }

    /// The one-sided level of each bound.
    pub(super) fn level(&self) -> f64 {
        self.looks.level_of(self.arms.len())
    }

    fn others(&self, i: usize) -> impl Iterator<Item = usize> {
        (0..self.arms.len()).filter(move |j| *j != i)
    }

    /// The others that are not shown to be worse than some arm.
    fn rivals(&self, i: usize) -> impl Iterator<Item = usize> {
        self.others(i).filter(|j| !self.beaten[*j])
    }

    /// How each arm stands, in the order of `arms`.
    pub(super) fn standings(&self) -> Vec<Standing> {
        let standing = |i: usize| {
            let near = |j: usize| self.bounds[i][j].is_some_and(|bounds| bounds.low > -self.margin);
            match (self.rivals(i).all(near), self.beaten[i]) {
                (true, _) => Standing::Equivalent,
                (false, true) => Standing::Out,
                (false, false) => Standing::Undecided,
            }
        };
        match self.arms.len() {
            0 | 1 => vec![Standing::Undecided; self.arms.len()],
            _ => (0..self.arms.len()).map(standing).collect(),
        }
    }

    /// An arm minus the best of the others: the bounds by which it was decided how it stands. `None`
    /// where nothing bounds it.
    pub(super) fn minus_best(&self, i: usize) -> Option<Interval> {
        let low =
            |j: usize| self.bounds[i][j].map_or(-self.most, |bounds| bounds.low.max(-self.most));
        let high =
            self.others(i).map(|j| self.bounds[i][j].map_or(self.most, |bounds| bounds.high));
        // Without a rival that may be better, the closest of the others.
        let closest = || self.bounds[i].iter().flatten().map(|bounds| bounds.low);
        let low = self.rivals(i).map(low).reduce(f64::min);
        let low = low.or_else(|| closest().reduce(f64::min))?;
        let high = high.reduce(f64::min)?.min(self.most);
        (low > -self.most || high < self.most).then_some(Interval { low, high })
    }

    /// The chance, were it the best, of being seen so far behind some other arm: below the level where
    /// it is beaten.
    pub(super) fn p_worse(&self, i: usize) -> Option<f64> {
        let of = |j: usize| {
            let summary = self.differences[i][j].filter(|found| found.count >= LEAST_SEEDS)?;
            self.looks.bounds().p_below(&summary)
        };
        let least = self.others(i).filter_map(of).min_by(|a, b| a.total_cmp(b))?;
        Some((least * (self.arms.len() - 1) as f64).min(1.0))
    }

    /// The number of seeds in all, of the arms that are not out, with which the arm at `chosen` is
    /// shown to be equivalent with the chance `wanted`, if it is as good as they are; `None` where no
    /// feasible number does.
    pub(super) fn seeds_needed(&self, chosen: usize, wanted: f64) -> Option<usize> {
        let looks = self.looks.next();
        let (level, bounds) = (looks.level_of(self.arms.len()), looks.bounds());
        let rivals: Vec<Summary> =
            self.rivals(chosen).map(|j| self.differences[chosen][j]).collect::<Option<_>>()?;
        let seen = rivals.iter().map(|found| found.count).min()?;
        bounds.seeds_to_show(&rivals, self.margin, level, wanted).map(|seeds| seeds.max(seen + 1))
    }

    /// The places in `arms` from the highest mean over these seeds to the lowest; of equals in the order
    /// of the file.
    pub(super) fn ranked(&self, results: &Results, seeds: &[u64]) -> Vec<usize> {
        let mean = |i: &usize| -> f64 {
            let runs = &results.arms[self.arms[*i]].runs;
            seeds.iter().filter_map(|seed| runs.get(seed)).map(|run| run.validation).sum()
        };
        let has_all = |i: &usize| {
            seeds.iter().all(|seed| results.arms[self.arms[*i]].runs.contains_key(seed))
        };
        let mut places: Vec<usize> = (0..self.arms.len()).filter(has_all).collect();
        places.sort_by(|a, b| mean(b).partial_cmp(&mean(a)).unwrap_or(Ordering::Equal));
        places
    }
}

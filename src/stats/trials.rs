//! Learning rates that were tried, and which of them is the best.

use serde::Serialize;

/// One learning rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Before the schedule.
    pub learning_rate: f64,
    /// Validation accuracies of its finished runs, in the order of their seeds.
    pub validation: Vec<f64>,
    /// Runs whose loss was not finite.
    pub diverged: usize,
}

/// A side of the rates that were tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// The smallest was the best: a smaller one may be better.
    Lowest,
    /// The largest was the best: a larger one may be better.
    Highest,
}

impl Edge {
    /// That of a place among so many, if it is the first or the last.
    pub fn of(place: usize, count: usize) -> Option<Self> {
        match place {
            0 => Some(Self::Lowest),
            _ if place + 1 == count => Some(Self::Highest),
            _ => None,
        }
    }
}

impl Trial {
    /// The mean accuracy, unless a run diverged or none is finished.
    fn score(&self) -> Option<f64> {
        super::summarise(&self.validation).filter(|_| self.diverged == 0).map(|of| of.mean)
    }
}

/// The place of the highest score; of equals the first, `None` where there is none.
pub fn highest(scores: impl IntoIterator<Item = Option<f64>>) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (place, score) in scores.into_iter().enumerate() {
        if let Some(score) = score
            && best.is_none_or(|(_, other)| score > other)
        {
            best = Some((place, score));
        }
    }
    best.map(|(place, _)| place)
}

/// The best of these trials, in ascending order of their rates: its place, and at which edge it
/// lies. Of equals the smallest rate is taken.
pub fn best_trial(trials: &[Trial]) -> Option<(usize, Option<Edge>)> {
    let place = highest(trials.iter().map(Trial::score))?;
    Some((place, Edge::of(place, trials.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equally_good_rates_the_smallest_is_taken() {
        let trial = |learning_rate, accuracy: f64| Trial {
            learning_rate,
            validation: vec![accuracy - 0.25, accuracy + 0.25],
            diverged: 0,
        };
        let trials = [trial(0.1, 0.5), trial(0.2, 0.75), trial(0.4, 0.75), trial(0.8, 0.5)];
        assert_eq!(best_trial(&trials), Some((1, None)));
        assert_eq!(best_trial(&trials[1..]), Some((0, Some(Edge::Lowest))));
        assert_eq!(best_trial(&[]), None);
        assert_eq!(highest([None, Some(1.0), None, Some(1.0)]), Some(1));
    }
}

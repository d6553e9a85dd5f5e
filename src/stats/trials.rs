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
    fn of(place: usize, count: usize) -> Option<Self> {
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

/// The place of the highest of these scores, in ascending order of their rates, and at which edge it
/// lies. Of neighbours that are equally good the middle one is taken, the smaller of two: where an
/// end is no better than its neighbour, nothing says that going on beyond it would help.
pub fn best_place(scores: &[Option<f64>]) -> Option<(usize, Option<Edge>)> {
    let best = scores.iter().flatten().copied().reduce(f64::max)?;
    let is_best = |score: &Option<f64>| score.is_some_and(|score| score >= best);
    let first = scores.iter().position(is_best)?;
    let equals = scores[first..].iter().take_while(|score| is_best(score)).count();
    let place = first + (equals - 1) / 2;
    Some((place, Edge::of(place, scores.len()).filter(|_| equals == 1)))
}

/// [`best_place`] of the mean accuracies of these trials, in ascending order of their rates.
pub fn best_trial(trials: &[Trial]) -> Option<(usize, Option<Edge>)> {
    best_place(&trials.iter().map(Trial::score).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equally_good_neighbours_the_middle_one_is_taken_and_none_is_an_edge() {
        let trial = |learning_rate, accuracy: f64| Trial {
            learning_rate,
            validation: vec![accuracy - 0.25, accuracy + 0.25],
            diverged: 0,
        };
        let trials = [trial(0.1, 0.5), trial(0.2, 0.75), trial(0.4, 0.75), trial(0.8, 0.5)];
        assert_eq!(best_trial(&trials), Some((1, None)));
        assert_eq!(best_trial(&trials[1..]), Some((0, None)));
        assert_eq!(best_trial(&trials[2..]), Some((0, Some(Edge::Lowest))));
        assert_eq!(best_trial(&trials[..2]), Some((1, Some(Edge::Highest))));
        let easy: Vec<Trial> = (1..=5).map(|rate| trial(f64::from(rate), 0.75)).collect();
        assert_eq!(best_trial(&easy), Some((2, None)));
        assert_eq!(best_trial(&[]), None);
        assert_eq!(best_place(&[None, Some(1.0), None, Some(1.0)]), Some((1, None)));
    }
}
